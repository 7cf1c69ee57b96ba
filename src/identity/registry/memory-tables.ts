// The tables in Maps. What is put in is never changed afterwards, only replaced, so nothing has to be copied. No step
// throws half-way, so that what runs without a pause happens whole.

import type {
  CredentialMatch,
  Linked,
  NewLinkCode,
  StoredCredential,
  StoredEvent,
  StoredLink,
  StoredUser,
} from './identity-store.ts'
import type { IdentityTables } from './identity-tables.ts'

/** @internal */
export class MemoryTables implements IdentityTables {
  readonly #settings = new Map<string, string>()
  readonly #users = new Map<string, StoredUser>()
  readonly #handles = new Map<string, string>()
  readonly #credentials = new Map<string, StoredCredential>()
  readonly #byCertificate = new Map<string, string>()
  readonly #byKey = new Map<string, string[]>()
  readonly #byUser = new Map<string, string[]>()
  readonly #codes = new Map<string, NewLinkCode>()
  readonly #links = new Map<string, StoredLink>()
  readonly #linkOf = new Map<string, string>()
  /** By user: the codes, and who made them. */
  readonly #recoveryCodes = new Map<string, Map<string, string>>()
  readonly #nonces = new Map<string, number>()
  #events: StoredEvent[] = []

  setting(name: string): string | undefined {
    return this.#settings.get(name)
  }

  putSetting(name: string, value: string): void {
    this.#settings.set(name, value)
  }

  user(id: string): StoredUser | undefined {
    return this.#users.get(id)
  }

  userByHandle(handleKey: string): StoredUser | undefined {
    return this.#users.get(this.#handles.get(handleKey) ?? '')
  }

  insertUser(user: StoredUser, handleKey: string | null): void {
    this.#users.set(user.id, Object.freeze({ ...user }))
    if (handleKey !== null) this.#handles.set(handleKey, user.id)
  }

  updateUser(user: StoredUser): void {
    this.#users.set(user.id, Object.freeze({ ...user }))
  }

  match(certificate: string, at: number): CredentialMatch | undefined {
    const credential = this.credentialByCertificate(certificate)
    const user = this.#users.get(credential?.userId ?? '')
    if (credential === undefined || user === undefined) return undefined
    const waiting = this.linksFor(user.id).filter((each) => each.expiresAt > at)
    const recoveries = waiting.filter((each) => each.kind === 'recovery').length
    return { user, credential, approvals: waiting.length - recoveries, recoveries }
  }

  credential(id: string): StoredCredential | undefined {
    return this.#credentials.get(id)
  }

  credentialByCertificate(certificate: string): StoredCredential | undefined {
    return this.#credentials.get(this.#byCertificate.get(certificate) ?? '')
  }

  credentialsOf(userId: string): StoredCredential[] {
    return this.#all(this.#byUser.get(userId))
  }

  credentialsWithKey(publicKey: string): StoredCredential[] {
    return this.#all(this.#byKey.get(publicKey))
  }

  expiring(from: number, until: number, limit: number): Linked[] {
    return [...this.#credentials.values()]
      .filter((each) => each.status === 'active' && each.notAfter >= from && each.notAfter <= until)
      .sort((a, b) => a.notAfter - b.notAfter)
      .slice(0, limit)
      .flatMap((credential) => {
        const user = this.#users.get(credential.userId)
        return user === undefined ? [] : { user, credential }
      })
  }

  insertCredential(credential: StoredCredential): void {
    this.#credentials.set(credential.id, Object.freeze({ ...credential }))
    this.#byCertificate.set(credential.certificate, credential.id)
    append(this.#byKey, credential.publicKey, credential.id)
    append(this.#byUser, credential.userId, credential.id)
  }

  updateCredential(credential: StoredCredential): void {
    this.#credentials.set(credential.id, Object.freeze({ ...credential }))
  }

  linkCode(code: string): NewLinkCode | undefined {
    return this.#codes.get(code)
  }

  insertLinkCode(code: NewLinkCode): void {
    this.#codes.set(code.code, Object.freeze({ ...code }))
  }

  deleteLinkCode(code: string): void {
    this.#codes.delete(code)
  }

  deleteLinkCodesBy(credentialId: string): void {
    for (const [code, { by }] of this.#codes) if (by === credentialId) this.#codes.delete(code)
  }

  link(id: string): StoredLink | undefined {
    return this.#links.get(id)
  }

  linkOf(certificate: string): StoredLink | undefined {
    return this.#links.get(this.#linkOf.get(certificate) ?? '')
  }

  linksFor(userId: string): StoredLink[] {
    return [...this.#links.values()].filter((each) => each.userId === userId)
  }

  insertLink(link: StoredLink): void {
    this.#links.set(link.id, Object.freeze({ ...link, credential: Object.freeze({ ...link.credential }) }))
    this.#linkOf.set(link.credential.certificate, link.id)
  }

  deleteLink(id: string): void {
    const link = this.#links.get(id)
    if (link === undefined) return
    this.#links.delete(id)
    this.#linkOf.delete(link.credential.certificate)
  }

  recoveryCodeMaker(userId: string, code: string): string | undefined {
    return this.#recoveryCodes.get(userId)?.get(code)
  }

  countRecoveryCodes(userId: string): number {
    return this.#recoveryCodes.get(userId)?.size ?? 0
  }

  insertRecoveryCode(userId: string, code: string, by: string): void {
    const codes = this.#recoveryCodes.get(userId) ?? new Map<string, string>()
    this.#recoveryCodes.set(userId, codes.set(code, by))
  }

  deleteRecoveryCode(userId: string, code: string): void {
    this.#recoveryCodes.get(userId)?.delete(code)
  }

  deleteRecoveryCodesOf(userId: string): void {
    this.#recoveryCodes.delete(userId)
  }

  deleteRecoveryCodesBy(credentialId: string): void {
    for (const codes of this.#recoveryCodes.values()) {
      for (const [code, by] of codes) if (by === credentialId) codes.delete(code)
    }
  }

  hasNonce(nonce: string): boolean {
    return this.#nonces.has(nonce)
  }

  insertNonce(nonce: string, expiresAt: number): void {
    this.#nonces.set(nonce, expiresAt)
  }

  eventsOf(userId: string): StoredEvent[] {
    return this.#events.filter((each) => each.userId === userId)
  }

  insertEvent(event: StoredEvent): void {
    this.#events.push(Object.freeze({ ...event }))
  }

  deleteEventsOf(userId: string): void {
    this.#events = this.#events.filter((each) => each.userId !== userId)
  }

  prune(at: number, eventsBefore: number): void {
    for (const [code, { expiresAt }] of this.#codes) if (expiresAt <= at) this.#codes.delete(code)
    for (const [id, { expiresAt }] of this.#links) if (expiresAt <= at) this.deleteLink(id)
    for (const [nonce, expiresAt] of this.#nonces) if (expiresAt <= at) this.#nonces.delete(nonce)
    this.#events = this.#events.filter((each) => each.at >= eventsBefore)
  }

  #all(ids: readonly string[] = []): StoredCredential[] {
    return ids.flatMap((id) => this.#credentials.get(id) ?? [])
  }
}

function append(map: Map<string, string[]>, key: string, id: string): void {
  const ids = map.get(key)
  if (ids === undefined) map.set(key, [id])
  else ids.push(id)
}
