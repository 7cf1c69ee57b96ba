// An identity store over tables: what every store of this library shares. A store only says how to run a piece of work
// that reads, and one that writes, with nobody else in between.

import type * as store from './identity-store.ts'
import type { Awaitable, IdentityStore } from './identity-store.ts'
import type { IdentityTables } from './identity-tables.ts'
import * as keeping from './keeping.ts'
import * as linking from './linking.ts'

/** @internal The operations of `IdentityStore`, each as one piece of work on tables. */
export abstract class TabularIdentityStore implements IdentityStore {
  /** @internal Runs work that changes nothing. */
  protected abstract read<T>(work: (tables: IdentityTables) => T): Awaitable<T>
  /** @internal Runs work with nobody else in between; if it throws, nothing has happened. */
  protected abstract write<T>(work: (tables: IdentityTables) => T): Awaitable<T>
  abstract touch(userId: string, day: number, seen: readonly store.SeenCredential[]): Awaitable<void>
  abstract close(): Awaitable<void>

  settle(name: string, value: string): Awaitable<string> {
    const ask = (): Awaitable<string> => this.write((tables) => keeping.settle(tables, name, value))
    // Usually it is there, and a store that cannot be written can still be read.
    const known = this.read((tables) => tables.setting(name))
    return known instanceof Promise ? known.then((kept) => kept ?? ask()) : (known ?? ask())
  }

  find(marks: store.CertificateMarks, at: number): Awaitable<store.Sighting> {
    return this.read((tables) => keeping.find(tables, marks, at))
  }

  account(userId: string, at: number) {
    return this.read((tables) => keeping.account(tables, userId, at))
  }

  userByHandle(handleKey: string) {
    return this.read((tables) => tables.userByHandle(handleKey) ?? null)
  }

  expiring(from: number, until: number, limit: number) {
    return this.read((tables) => tables.expiring(from, until, limit))
  }

  register(registration: store.Registration) {
    return this.write((tables) => linking.register(tables, registration))
  }

  rename(credentialId: string, userId: string, label: string | null) {
    return this.write((tables) => keeping.rename(tables, { credentialId, userId, label }))
  }

  addLinkCode(code: store.NewLinkCode) {
    return this.write((tables) => keeping.addLinkCode(tables, code))
  }

  redeemLinkCode(redemption: store.Redemption) {
    return this.write((tables) => linking.redeemLinkCode(tables, redemption))
  }

  completeReplacement(credentialId: string, at: number) {
    return this.write((tables) => keeping.completeReplacement(tables, { credentialId, at }))
  }

  requestLink(request: store.LinkRequest) {
    return this.write((tables) => linking.requestLink(tables, request))
  }

  approveLink(linkId: string, by: string, label: string | null, at: number) {
    return this.write((tables) => linking.approveLink(tables, { linkId, by, label, at }))
  }

  rejectLink(linkId: string, by: string, at: number) {
    return this.write((tables) => linking.rejectLink(tables, { linkId, by, at }))
  }

  renew(credential: store.NewCredential, at: number) {
    return this.write((tables) => linking.renew(tables, { credential, at }))
  }

  rotate(rotation: store.Rotation) {
    return this.write((tables) => linking.rotate(tables, rotation))
  }

  revoke(revocation: store.CredentialRevocation) {
    return this.write((tables) => keeping.revoke(tables, revocation))
  }

  putRecoveryCodes(by: string, codes: readonly string[], at: number) {
    return this.write((tables) => keeping.putRecoveryCodes(tables, { by, codes, at }))
  }

  recover(request: store.RecoveryRequest) {
    return this.write((tables) => linking.recover(tables, request))
  }

  claimRecovery(certificate: string, at: number) {
    return this.write((tables) => linking.claimRecovery(tables, { certificate, at }))
  }

  erase(userId: string, at: number) {
    return this.write((tables) => keeping.erase(tables, { userId, at }))
  }

  prune(at: number, eventsBefore: number) {
    return this.write((tables) => tables.prune(at, eventsBefore))
  }
}
