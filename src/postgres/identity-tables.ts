// The tables of users in PostgreSQL, as steps that are recorded and replayed (see `replay.ts`).

import type {
  CredentialMatch,
  Linked,
  NewLinkCode,
  StoredCredential,
  StoredEvent,
  StoredLink,
  StoredUser,
} from '../identity/registry/identity-store.ts'
import type { IdentityTables } from '../identity/registry/identity-tables.ts'
import type { Row } from './database.ts'
import {
  CREDENTIAL,
  credentialOf,
  eventOf,
  LINK,
  LINKED,
  linkCodeOf,
  linkOf,
  matchOf,
  text,
  USER,
  userOf,
} from './identity-rows.ts'
import type { Replay } from './replay.ts'

/** Finds a credential ($1) with its user, and counts what waits for that user at an instant ($2). */
export function matchStatement(schema: string): string {
  const waiting = (kind: string): string =>
    `(SELECT count(*) FROM ${schema}.identity_link WHERE user_id = u.id AND kind = '${kind}' AND expires_at > $2)`
  return `SELECT ${LINKED}, ${waiting('approval')} AS approvals, ${waiting('recovery')} AS recoveries
    FROM ${schema}.identity_credential c JOIN ${schema}.identity_user u ON u.id = c.user_id WHERE c.certificate = $1`
}

/** Finds what a certificate ($1) waits for. */
export function linkStatement(schema: string): string {
  return `SELECT ${LINK} FROM ${schema}.identity_link WHERE certificate = $1`
}

/** Finds the credentials with a public key ($1). */
export function sameKeyStatement(schema: string): string {
  return `SELECT ${CREDENTIAL} FROM ${schema}.identity_credential WHERE public_key = $1 ORDER BY number`
}

export class PostgresTables implements IdentityTables {
  readonly #replay: Replay
  /** Where the tables are, and what their names begin with. */
  readonly #in: string
  readonly #match: string
  readonly #link: string
  readonly #sameKey: string

  constructor(replay: Replay, schema: string) {
    this.#replay = replay
    this.#in = `${schema}.identity_`
    this.#match = matchStatement(schema)
    this.#link = linkStatement(schema)
    this.#sameKey = sameKeyStatement(schema)
  }

  setting(name: string): string | undefined {
    const row = this.#first(`SELECT value FROM ${this.#in}setting WHERE name = $1`, name)
    return row === undefined ? undefined : text(row.value)
  }

  putSetting(name: string, value: string): void {
    this.#tell(`INSERT INTO ${this.#in}setting(name, value) VALUES ($1, $2)`, name, value)
  }

  user(id: string): StoredUser | undefined {
    return read(this.#first(`SELECT ${USER} FROM ${this.#in}user WHERE id = $1`, id), userOf)
  }

  userByHandle(handleKey: string): StoredUser | undefined {
    return read(this.#first(`SELECT ${USER} FROM ${this.#in}user WHERE handle_key = $1`, handleKey), userOf)
  }

  insertUser(user: StoredUser, handleKey: string | null): void {
    this.#tell(
      `INSERT INTO ${this.#in}user(${USER}, handle_key) VALUES ($1, $2, $3, $4, $5, $6)`,
      ...[user.id, user.handle, user.createdAt, user.erasedAt, user.lastSeenDay, handleKey],
    )
  }

  updateUser(user: StoredUser): void {
    this.#tell(
      `UPDATE ${this.#in}user SET handle = $2, created_at = $3, erased_at = $4, last_seen_day = $5 WHERE id = $1`,
      ...[user.id, user.handle, user.createdAt, user.erasedAt, user.lastSeenDay],
    )
  }

  match(certificate: string, at: number): CredentialMatch | undefined {
    return read(this.#first(this.#match, certificate, at), matchOf)
  }

  credential(id: string): StoredCredential | undefined {
    return read(this.#first(`SELECT ${CREDENTIAL} FROM ${this.#in}credential WHERE id = $1`, id), credentialOf)
  }

  credentialByCertificate(certificate: string): StoredCredential | undefined {
    const statement = `SELECT ${CREDENTIAL} FROM ${this.#in}credential WHERE certificate = $1`
    return read(this.#first(statement, certificate), credentialOf)
  }

  credentialsOf(userId: string): StoredCredential[] {
    const statement = `SELECT ${CREDENTIAL} FROM ${this.#in}credential WHERE user_id = $1 ORDER BY number`
    return this.#replay.ask(statement, [userId]).map(credentialOf)
  }

  credentialsWithKey(publicKey: string): StoredCredential[] {
    return this.#replay.ask(this.#sameKey, [publicKey]).map(credentialOf)
  }

  expiring(from: number, until: number, limit: number): Linked[] {
    const rows = this.#replay.ask(
      `SELECT ${LINKED} FROM ${this.#in}credential c JOIN ${this.#in}user u ON u.id = c.user_id
       WHERE c.status = 'active' AND c.not_after >= $1 AND c.not_after <= $2
       ORDER BY c.not_after, c.number LIMIT $3::bigint`,
      [from, until, limit],
    )
    return rows.map((row) => ({ user: userOf(row, 'u_'), credential: credentialOf(row) }))
  }

  insertCredential(credential: StoredCredential): void {
    const { id, certificate, publicKey, fingerprint, label, notBefore, notAfter, userId, source } = credential
    const { addedBy, createdAt, lastSeenDay, status, statusAt, replaces } = credential
    this.#tell(
      `INSERT INTO ${this.#in}credential(${CREDENTIAL})
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
      ...[id, certificate, publicKey, fingerprint, label, notBefore, notAfter, userId, source],
      ...[addedBy, createdAt, lastSeenDay, status, statusAt, replaces],
    )
  }

  updateCredential(credential: StoredCredential): void {
    const { id, fingerprint, label, notBefore, notAfter } = credential
    const { addedBy, createdAt, lastSeenDay, status, statusAt, replaces } = credential
    this.#tell(
      `UPDATE ${this.#in}credential SET fingerprint = $2, label = $3, not_before = $4, not_after = $5, added_by = $6,
         created_at = $7, last_seen_day = $8, status = $9, status_at = $10, replaces = $11 WHERE id = $1`,
      ...[id, fingerprint, label, notBefore, notAfter],
      ...[addedBy, createdAt, lastSeenDay, status, statusAt, replaces],
    )
  }

  linkCode(code: string): NewLinkCode | undefined {
    const statement = `SELECT code, kind, made_by, origin, at, expires_at FROM ${this.#in}link_code WHERE code = $1`
    return read(this.#first(statement, code), linkCodeOf)
  }

  insertLinkCode({ code, kind, by, origin, at, expiresAt }: NewLinkCode): void {
    this.#tell(
      `INSERT INTO ${this.#in}link_code(code, kind, made_by, origin, at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`,
      ...[code, kind, by, origin, at, expiresAt],
    )
  }

  deleteLinkCode(code: string): void {
    this.#tell(`DELETE FROM ${this.#in}link_code WHERE code = $1`, code)
  }

  deleteLinkCodesBy(credentialId: string): void {
    this.#tell(`DELETE FROM ${this.#in}link_code WHERE made_by = $1`, credentialId)
  }

  link(id: string): StoredLink | undefined {
    return read(this.#first(`SELECT ${LINK} FROM ${this.#in}link WHERE id = $1`, id), linkOf)
  }

  linkOf(certificate: string): StoredLink | undefined {
    return read(this.#first(this.#link, certificate), linkOf)
  }

  linksFor(userId: string): StoredLink[] {
    const statement = `SELECT ${LINK} FROM ${this.#in}link WHERE user_id = $1 ORDER BY number`
    return this.#replay.ask(statement, [userId]).map(linkOf)
  }

  insertLink({ id, kind, vouchedBy, userId, credential, requestedAt, readyAt, expiresAt }: StoredLink): void {
    const { id: credentialId, certificate, publicKey, fingerprint, label, notBefore, notAfter } = credential
    this.#tell(
      `INSERT INTO ${this.#in}link(${LINK}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
      ...[id, kind, vouchedBy, userId, credentialId, certificate, publicKey, fingerprint, label, notBefore, notAfter],
      ...[requestedAt, readyAt, expiresAt],
    )
  }

  deleteLink(id: string): void {
    this.#tell(`DELETE FROM ${this.#in}link WHERE id = $1`, id)
  }

  recoveryCodeMaker(userId: string, code: string): string | undefined {
    const statement = `SELECT made_by FROM ${this.#in}recovery_code WHERE user_id = $1 AND code = $2`
    return read(this.#first(statement, userId, code), (row) => text(row.made_by))
  }

  countRecoveryCodes(userId: string): number {
    return Number(this.#first(`SELECT count(*) AS n FROM ${this.#in}recovery_code WHERE user_id = $1`, userId)?.n)
  }

  insertRecoveryCode(userId: string, code: string, by: string): void {
    this.#tell(`INSERT INTO ${this.#in}recovery_code(user_id, code, made_by) VALUES ($1, $2, $3)`, userId, code, by)
  }

  deleteRecoveryCode(userId: string, code: string): void {
    this.#tell(`DELETE FROM ${this.#in}recovery_code WHERE user_id = $1 AND code = $2`, userId, code)
  }

  deleteRecoveryCodesOf(userId: string): void {
    this.#tell(`DELETE FROM ${this.#in}recovery_code WHERE user_id = $1`, userId)
  }

  deleteRecoveryCodesBy(credentialId: string): void {
    this.#tell(`DELETE FROM ${this.#in}recovery_code WHERE made_by = $1`, credentialId)
  }

  hasNonce(nonce: string): boolean {
    return this.#first(`SELECT 1 FROM ${this.#in}nonce WHERE nonce = $1`, nonce) !== undefined
  }

  insertNonce(nonce: string, expiresAt: number): void {
    this.#tell(`INSERT INTO ${this.#in}nonce(nonce, expires_at) VALUES ($1, $2)`, nonce, expiresAt)
  }

  eventsOf(userId: string): StoredEvent[] {
    const statement = `SELECT at, user_id, credential_id, event FROM ${this.#in}event WHERE user_id = $1 ORDER BY number`
    return this.#replay.ask(statement, [userId]).map(eventOf)
  }

  insertEvent({ at, userId, credentialId, event }: StoredEvent): void {
    const statement = `INSERT INTO ${this.#in}event(at, user_id, credential_id, event) VALUES ($1, $2, $3, $4)`
    this.#tell(statement, at, userId, credentialId, event)
  }

  deleteEventsOf(userId: string): void {
    this.#tell(`DELETE FROM ${this.#in}event WHERE user_id = $1`, userId)
  }

  prune(at: number, eventsBefore: number): void {
    for (const table of ['link_code', 'link', 'nonce']) {
      this.#tell(`DELETE FROM ${this.#in}${table} WHERE expires_at <= $1`, at)
    }
    this.#tell(`DELETE FROM ${this.#in}event WHERE at < $1`, eventsBefore)
  }

  #first(statement: string, ...values: unknown[]): Row | undefined {
    return this.#replay.ask(statement, values)[0]
  }

  #tell(statement: string, ...values: unknown[]): void {
    this.#replay.tell(statement, values)
  }
}

function read<T>(row: Row | undefined, as: (row: Row) => T): T | undefined {
  return row === undefined ? undefined : as(row)
}
