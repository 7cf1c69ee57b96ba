// The tables in SQLite: prepared statements, and the way between rows and what they mean.
//
// Rows come as objects whose columns are named like the fields they fill, so that a row is the value, but for those that
// hold another one inside.

import type { Database, Statement } from 'better-sqlite3'
import type { Fingerprint } from '../../certificate/fingerprint.ts'
import type {
  CredentialMatch,
  CredentialSource,
  CredentialStatus,
  Linked,
  NewCredential,
  NewLinkCode,
  StoredCredential,
  StoredEvent,
  StoredLink,
  StoredUser,
} from './identity-store.ts'
import type { IdentityTables } from './identity-tables.ts'

const USER = `id, handle, created_at AS createdAt, erased_at AS erasedAt, last_seen_day AS lastSeenDay`
const CERTIFICATE = `certificate, public_key AS publicKey, fingerprint, label, not_before AS notBefore, not_after AS notAfter`
const CREDENTIAL = `id, ${CERTIFICATE}, user_id AS userId, source, added_by AS addedBy, created_at AS createdAt,
  last_seen_day AS lastSeenDay, status, status_at AS statusAt, replaces`
const LINK = `id, kind, vouched_by AS vouchedBy, user_id AS userId, credential_id AS credentialId, ${CERTIFICATE}, requested_at AS requestedAt,
  ready_at AS readyAt, expires_at AS expiresAt`

type LinkRow = Omit<StoredLink, 'credential'> & Omit<NewCredential, 'id'> & { readonly credentialId: string }

// Asked for every request, so it is one statement, and its rows are arrays: those are made in half the time of objects.
const MATCH = `SELECT
    u.id, u.handle, u.created_at, u.erased_at, u.last_seen_day,
    c.id, c.certificate, c.public_key, c.fingerprint, c.label, c.not_before, c.not_after, c.source, c.added_by,
    c.created_at, c.last_seen_day, c.status, c.status_at, c.replaces,
    (SELECT count(*) FROM link WHERE user_id = u.id AND kind = 'approval' AND expires_at > ?),
    (SELECT count(*) FROM link WHERE user_id = u.id AND kind = 'recovery' AND expires_at > ?)
  FROM credential c JOIN user u ON u.id = c.user_id WHERE c.certificate = ?`

type MatchRow = readonly [
  userId: string,
  handle: string | null,
  createdAt: number,
  erasedAt: number | null,
  lastSeenDay: number | null,
  id: string,
  certificate: string,
  publicKey: string,
  fingerprint: Fingerprint | null,
  label: string | null,
  notBefore: number,
  notAfter: number,
  source: CredentialSource,
  addedBy: string | null,
  credentialCreatedAt: number,
  credentialLastSeenDay: number | null,
  status: CredentialStatus,
  statusAt: number,
  replaces: string | null,
  approvals: number,
  recoveries: number,
]

/** @internal */
export class SqliteTables implements IdentityTables {
  readonly #db: Database
  readonly #prepared = new Map<string, Statement<unknown[], unknown>>()
  #match: Statement<[number, number, string], MatchRow> | undefined

  constructor(db: Database) {
    this.#db = db
  }

  setting(name: string): string | undefined {
    return this.#get<{ value: string }>('SELECT value FROM setting WHERE name = ?', name)?.value
  }

  putSetting(name: string, value: string): void {
    this.#run('INSERT INTO setting(name, value) VALUES (?, ?)', name, value)
  }

  user(id: string): StoredUser | undefined {
    return this.#get(`SELECT ${USER} FROM user WHERE id = ?`, id)
  }

  userByHandle(handleKey: string): StoredUser | undefined {
    return this.#get(`SELECT ${USER} FROM user WHERE handle_key = ?`, handleKey)
  }

  insertUser(user: StoredUser, handleKey: string | null): void {
    this.#run(
      `INSERT INTO user(id, handle, handle_key, created_at, erased_at, last_seen_day)
       VALUES (@id, @handle, @handleKey, @createdAt, @erasedAt, @lastSeenDay)`,
      { ...user, handleKey },
    )
  }

  updateUser(user: StoredUser): void {
    this.#run(
      `UPDATE user SET handle = @handle, created_at = @createdAt, erased_at = @erasedAt, last_seen_day = @lastSeenDay
       WHERE id = @id`,
      user,
    )
  }

  match(certificate: string, at: number): CredentialMatch | undefined {
    this.#match ??= this.#db.prepare<[number, number, string], MatchRow>(MATCH).raw()
    const row = this.#match.get(at, at, certificate)
    return row === undefined ? undefined : matchOf(row)
  }

  credential(id: string): StoredCredential | undefined {
    return this.#get(`SELECT ${CREDENTIAL} FROM credential WHERE id = ?`, id)
  }

  credentialByCertificate(certificate: string): StoredCredential | undefined {
    return this.#get(`SELECT ${CREDENTIAL} FROM credential WHERE certificate = ?`, certificate)
  }

  credentialsOf(userId: string): StoredCredential[] {
    return this.#all(`SELECT ${CREDENTIAL} FROM credential WHERE user_id = ? ORDER BY number`, userId)
  }

  credentialsWithKey(publicKey: string): StoredCredential[] {
    return this.#all(`SELECT ${CREDENTIAL} FROM credential WHERE public_key = ? ORDER BY number`, publicKey)
  }

  expiring(from: number, until: number, limit: number): Linked[] {
    const credentials = this.#all<StoredCredential>(
      `SELECT ${CREDENTIAL} FROM credential
       WHERE status = 'active' AND not_after >= ? AND not_after <= ? ORDER BY not_after, number LIMIT ?`,
      from,
      until,
      limit,
    )
    return credentials.flatMap((credential) => {
      const user = this.user(credential.userId)
      return user === undefined ? [] : { user, credential }
    })
  }

  insertCredential(credential: StoredCredential): void {
    this.#run(
      `INSERT INTO credential(id, certificate, public_key, fingerprint, label, not_before, not_after, user_id, source,
         added_by, created_at, last_seen_day, status, status_at, replaces)
       VALUES (@id, @certificate, @publicKey, @fingerprint, @label, @notBefore, @notAfter, @userId, @source,
         @addedBy, @createdAt, @lastSeenDay, @status, @statusAt, @replaces)`,
      credential,
    )
  }

  updateCredential(credential: StoredCredential): void {
    this.#run(
      `UPDATE credential SET fingerprint = @fingerprint, label = @label, not_before = @notBefore, not_after = @notAfter,
         added_by = @addedBy, created_at = @createdAt, last_seen_day = @lastSeenDay, status = @status,
         status_at = @statusAt, replaces = @replaces
       WHERE id = @id`,
      credential,
    )
  }

  linkCode(code: string): NewLinkCode | undefined {
    return this.#get(
      'SELECT code, kind, made_by AS by, origin, at, expires_at AS expiresAt FROM link_code WHERE code = ?',
      code,
    )
  }

  insertLinkCode(code: NewLinkCode): void {
    this.#run(
      `INSERT INTO link_code(code, kind, made_by, origin, at, expires_at)
       VALUES (@code, @kind, @by, @origin, @at, @expiresAt)`,
      code,
    )
  }

  deleteLinkCode(code: string): void {
    this.#run('DELETE FROM link_code WHERE code = ?', code)
  }

  deleteLinkCodesBy(credentialId: string): void {
    this.#run('DELETE FROM link_code WHERE made_by = ?', credentialId)
  }

  link(id: string): StoredLink | undefined {
    return linkOf(this.#get<LinkRow>(`SELECT ${LINK} FROM link WHERE id = ?`, id))
  }

  linkOf(certificate: string): StoredLink | undefined {
    return linkOf(this.#get<LinkRow>(`SELECT ${LINK} FROM link WHERE certificate = ?`, certificate))
  }

  linksFor(userId: string): StoredLink[] {
    const rows = this.#all<LinkRow>(`SELECT ${LINK} FROM link WHERE user_id = ? ORDER BY number`, userId)
    return rows.flatMap((row) => linkOf(row) ?? [])
  }

  insertLink({ credential: { id: credentialId, ...certificate }, ...link }: StoredLink): void {
    this.#run(
      `INSERT INTO link(id, kind, vouched_by, user_id, credential_id, certificate, public_key, fingerprint, label, not_before,
         not_after, requested_at, ready_at, expires_at)
       VALUES (@id, @kind, @vouchedBy, @userId, @credentialId, @certificate, @publicKey, @fingerprint, @label, @notBefore,
         @notAfter, @requestedAt, @readyAt, @expiresAt)`,
      { ...certificate, ...link, credentialId },
    )
  }

  deleteLink(id: string): void {
    this.#run('DELETE FROM link WHERE id = ?', id)
  }

  recoveryCodeMaker(userId: string, code: string): string | undefined {
    return this.#get<{ by: string }>(
      'SELECT made_by AS by FROM recovery_code WHERE user_id = ? AND code = ?',
      userId,
      code,
    )?.by
  }

  countRecoveryCodes(userId: string): number {
    return this.#get<{ n: number }>('SELECT count(*) AS n FROM recovery_code WHERE user_id = ?', userId)?.n ?? 0
  }

  insertRecoveryCode(userId: string, code: string, by: string): void {
    this.#run('INSERT INTO recovery_code(user_id, code, made_by) VALUES (?, ?, ?)', userId, code, by)
  }

  deleteRecoveryCode(userId: string, code: string): void {
    this.#run('DELETE FROM recovery_code WHERE user_id = ? AND code = ?', userId, code)
  }

  deleteRecoveryCodesOf(userId: string): void {
    this.#run('DELETE FROM recovery_code WHERE user_id = ?', userId)
  }

  deleteRecoveryCodesBy(credentialId: string): void {
    this.#run('DELETE FROM recovery_code WHERE made_by = ?', credentialId)
  }

  hasNonce(nonce: string): boolean {
    return this.#get('SELECT 1 FROM nonce WHERE nonce = ?', nonce) !== undefined
  }

  insertNonce(nonce: string, expiresAt: number): void {
    this.#run('INSERT INTO nonce(nonce, expires_at) VALUES (?, ?)', nonce, expiresAt)
  }

  eventsOf(userId: string): StoredEvent[] {
    return this.#all(
      'SELECT at, user_id AS userId, credential_id AS credentialId, event FROM event WHERE user_id = ? ORDER BY number',
      userId,
    )
  }

  insertEvent(event: StoredEvent): void {
    this.#run(
      'INSERT INTO event(at, user_id, credential_id, event) VALUES (@at, @userId, @credentialId, @event)',
      event,
    )
  }

  deleteEventsOf(userId: string): void {
    this.#run('DELETE FROM event WHERE user_id = ?', userId)
  }

  prune(at: number, eventsBefore: number): void {
    this.#run('DELETE FROM link_code WHERE expires_at <= ?', at)
    this.#run('DELETE FROM link WHERE expires_at <= ?', at)
    this.#run('DELETE FROM nonce WHERE expires_at <= ?', at)
    this.#run('DELETE FROM event WHERE at < ?', eventsBefore)
  }

  #get<Row>(sql: string, ...parameters: unknown[]): Row | undefined {
    return this.#statement<Row>(sql).get(...parameters)
  }

  #all<Row>(sql: string, ...parameters: unknown[]): Row[] {
    return this.#statement<Row>(sql).all(...parameters)
  }

  #run(sql: string, ...parameters: unknown[]): void {
    this.#statement(sql).run(...parameters)
  }

  /** Statements are prepared when they are first needed, and kept. The texts are few, and they are the ones above. */
  #statement<Row>(sql: string): Statement<unknown[], Row> {
    const known = this.#prepared.get(sql)
    if (known !== undefined) return known as Statement<unknown[], Row>
    const statement = this.#db.prepare<unknown[], Row>(sql)
    this.#prepared.set(sql, statement)
    return statement
  }
}

function linkOf(row: LinkRow | undefined): StoredLink | undefined {
  if (row === undefined) return undefined
  const { id, kind, vouchedBy, userId, requestedAt, readyAt, expiresAt, credentialId, ...certificate } = row
  return {
    id,
    kind,
    vouchedBy,
    userId,
    requestedAt,
    readyAt,
    expiresAt,
    credential: { id: credentialId, ...certificate },
  }
}

function matchOf(row: MatchRow): CredentialMatch {
  const [userId, handle, createdAt, erasedAt, lastSeenDay, id, certificate, publicKey, fingerprint, label] = row
  return {
    user: { id: userId, handle, createdAt, erasedAt, lastSeenDay },
    credential: {
      id,
      certificate,
      publicKey,
      fingerprint,
      label,
      notBefore: row[10],
      notAfter: row[11],
      userId,
      source: row[12],
      addedBy: row[13],
      createdAt: row[14],
      lastSeenDay: row[15],
      status: row[16],
      statusAt: row[17],
      replaces: row[18],
    },
    approvals: row[19],
    recoveries: row[20],
  }
}
