// The tables that a store keeps, seen from the operations on them: small, synchronous steps that decide nothing. A store
// that has them, and a way to run many of them as one, has everything (see `tabular-identity-store.ts`).

import type {
  CredentialMatch,
  Linked,
  NewLinkCode,
  StoredCredential,
  StoredEvent,
  StoredLink,
  StoredUser,
} from './identity-store.ts'

export interface IdentityTables {
  setting(name: string): string | undefined
  putSetting(name: string, value: string): void

  user(id: string): StoredUser | undefined
  userByHandle(handleKey: string): StoredUser | undefined
  insertUser(user: StoredUser, handleKey: string | null): void
  updateUser(user: StoredUser): void

  /** The credential with this certificate, of every status, with what waits for its user at an instant. */
  match(certificate: string, at: number): CredentialMatch | undefined
  credential(id: string): StoredCredential | undefined
  credentialByCertificate(certificate: string): StoredCredential | undefined
  credentialsOf(userId: string): StoredCredential[]
  credentialsWithKey(publicKey: string): StoredCredential[]
  expiring(from: number, until: number, limit: number): Linked[]
  insertCredential(credential: StoredCredential): void
  updateCredential(credential: StoredCredential): void

  linkCode(code: string): NewLinkCode | undefined
  insertLinkCode(code: NewLinkCode): void
  deleteLinkCode(code: string): void
  deleteLinkCodesBy(credentialId: string): void

  link(id: string): StoredLink | undefined
  linkOf(certificate: string): StoredLink | undefined
  linksFor(userId: string): StoredLink[]
  insertLink(link: StoredLink): void
  deleteLink(id: string): void

  /** The credential that made a recovery code of a user's; undefined if there is no such code. */
  recoveryCodeMaker(userId: string, code: string): string | undefined
  countRecoveryCodes(userId: string): number
  insertRecoveryCode(userId: string, code: string, by: string): void
  deleteRecoveryCode(userId: string, code: string): void
  deleteRecoveryCodesOf(userId: string): void
  deleteRecoveryCodesBy(credentialId: string): void

  hasNonce(nonce: string): boolean
  insertNonce(nonce: string, expiresAt: number): void

  eventsOf(userId: string): StoredEvent[]
  insertEvent(event: StoredEvent): void
  deleteEventsOf(userId: string): void

  /** Deletes link codes, links and nonces that have expired, and events from before an instant. */
  prune(at: number, eventsBefore: number): void
}
