// Issued certificates in a SQLite file that several programs may use at once.

import { resolve } from 'node:path'
import type { Statement } from 'better-sqlite3'
import { Certificate } from '../certificate/certificate.ts'
import { type Fingerprint, parseFingerprint } from '../certificate/fingerprint.ts'
import type { RevocationReason } from '../certificate/revocation-checker.ts'
import { AuthorityError, StoreError } from '../errors.ts'
import { requireInteger, requireOptions, requireString, show } from '../internal/arguments.ts'
import { openSqlite, type SqliteFile } from '../internal/sqlite.ts'
import { type AuditEvent, chainEvent, type NewAuditEvent, requireAuditEvent } from './audit.ts'
import type { CrlEntry } from './crl-encoding.ts'
import { ISSUED_SCHEMA } from './issued-schema.ts'
import type {
  Awaitable,
  BeginOutcome,
  BegunCrl,
  CompleteOutcome,
  HoldOutcome,
  IssuedFilter,
  IssuedNotice,
  IssuedRow,
  IssuedStatus,
  IssuedStore,
  NewIssued,
  ReleaseOutcome,
  ReplayWindow,
  Revocation,
  RevokeOutcome,
  StatusChange,
  StoredCrl,
} from './issued-store.ts'

/** How to open the file. */
export interface SqliteIssuedStoreOptions {
  /** How long to go on trying while another program holds the lock. Milliseconds; default 5,000. */
  readonly lockTimeoutMs?: number
  /**
   * The key of the authority that it belongs to. The first one is written down; a store of another one is refused. Default:
   * any, and nothing is written down.
   */
  readonly authority?: Fingerprint
}

const ROW = `serial, status, status_at AS statusAt, profile, client_hash AS clientHash, public_key AS publicKey,
  request_sha256 AS requestSha256, tbs_sha256 AS tbsSha256, subject, not_before AS notBefore, not_after AS notAfter,
  renewed_from AS renewedFrom, requested_by AS requestedBy, created_at AS createdAt, der, reason,
  invalidity_at AS invalidityAt`

type Columns = Omit<IssuedRow, 'certificate' | 'revocation'> & {
  readonly der: Uint8Array | null
  readonly reason: RevocationReason | null
  readonly invalidityAt: number | null
}

const EVENT = 'position, at, event, actor, serial, detail, previous_hash AS previousHash, hash'

/** The revision that the list will have once what is being done is done. */
const NEXT_REVISION = '(SELECT revision + 1 FROM crl_state)'

/** How many rows are read at a time. Nothing is held open in between, so a reader that is slow is in nobody's way. */
const PAGE = 200

/** Keeps issued certificates in a SQLite file. */
export class SqliteIssuedStore implements IssuedStore {
  readonly #file: SqliteFile
  readonly #prepared = new Map<string, Statement<unknown[], unknown>>()

  private constructor(file: SqliteFile) {
    this.#file = file
  }

  /**
   * Opens the file, and creates it if there is none: readable by its owner only (0600), as is a folder that has to be
   * created for it (0700). A file that is in order is not written to.
   *
   * Where the disk is full or nothing can be written beside the file, a snapshot of it is opened: certificates and the
   * audit trail can be read, and every change throws. Whatever another program changes meanwhile, a revocation for one,
   * is not seen in a snapshot.
   *
   * @throws {StoreError} `STORE_FOREIGN` for the database of another program and `STORE_NEWER` for one of a later
   *   release, both untouched; `STORE_CORRUPT`, `STORE_LOCKED`, `STORE_READ_ONLY`, `STORE_FULL`, `STORE_FAILED`.
   * @throws {AuthorityError} AUTHORITY_MISMATCH if it is the store of another authority.
   * @example
   * import { CertificateAuthority, SqliteIssuedStore } from 'tlacacoca/authority'
   *
   * const store = await SqliteIssuedStore.open('/srv/certificates.db')
   * const authority = await CertificateAuthority.open('/var/lib/ca', { store })
   * await authority.close()
   */
  static async open(path: string, options: SqliteIssuedStoreOptions = {}): Promise<SqliteIssuedStore> {
    requireString('path', path)
    if (path === '' || /^(:memory:$|file:)/i.test(path)) {
      throw new RangeError(`"path" expected the name of a file, got ${show(path)}`)
    }
    requireOptions('options', options, ['lockTimeoutMs', 'authority'])
    const { lockTimeoutMs, authority } = options
    if (lockTimeoutMs !== undefined) requireInteger('lockTimeoutMs', lockTimeoutMs, 0, 3_600_000)
    const file = await openSqlite(resolve(path), ISSUED_SCHEMA, lockTimeoutMs === undefined ? {} : { lockTimeoutMs })
    const store = new SqliteIssuedStore(file)
    try {
      if (authority !== undefined) await store.#belongTo(parseFingerprint(authority, { of: 'public-key' }))
      return store
    } catch (error) {
      store.close()
      throw error
    }
  }

  /** The file, as an absolute path. */
  get path(): string {
    return this.#file.path
  }

  /** `STORE_READ_ONLY` or `STORE_FULL` if this is a snapshot that cannot be changed, and null if it is the file. */
  get degraded(): 'ERR_TLACACOCA_STORE_READ_ONLY' | 'ERR_TLACACOCA_STORE_FULL' | null {
    return this.#file.degraded
  }

  begin(row: NewIssued, replay: ReplayWindow | null): Awaitable<BeginOutcome> {
    return this.#file.write((): BeginOutcome => {
      if (this.#isBlocked(row.publicKey)) return { kind: 'key_blocked' }
      if (row.renewedFrom !== null && this.#row(row.renewedFrom)?.status !== 'issued') return { kind: 'not_renewable' }
      const earlier = replay === null ? undefined : this.#replayOf(row, replay)
      if (earlier?.status === 'pending') return { kind: 'in_progress' }
      if (earlier !== undefined) return { kind: 'replayed', row: this.#rowOf(earlier) }
      if (this.#row(row.serial) !== undefined) return { kind: 'serial_taken' }
      this.#run(
        `INSERT INTO certificate(serial, status, status_at, profile, client_hash, public_key, request_sha256, tbs_sha256,
           subject, not_before, not_after, renewed_from, requested_by, created_at)
         VALUES (@serial, 'pending', @createdAt, @profile, @clientHash, @publicKey, @requestSha256, @tbsSha256,
           @subject, @notBefore, @notAfter, @renewedFrom, @requestedBy, @createdAt)`,
        row,
      )
      return { kind: 'begun' }
    })
  }

  complete(serial: string, certificate: Certificate, at: number, notifyAt: number | null): Awaitable<CompleteOutcome> {
    return this.#file.write((): CompleteOutcome => {
      const row = this.#row(serial)
      if (row?.status !== 'pending') return { kind: 'not_pending' }
      this.#run(
        `UPDATE certificate SET status = 'issued', status_at = ?, der = ? WHERE serial = ?`,
        at,
        certificate.der,
        serial,
      )
      const detail = `${row.profile}: ${row.subject}`
      this.#append({
        at,
        event: row.renewedFrom === null ? 'issued' : 'renewed',
        actor: row.requestedBy,
        serial,
        detail,
      })
      if (notifyAt === null) return { kind: 'completed', noticeId: null }
      const { id } = this.#get<{ id: number }>(
        'INSERT INTO notice(serial, attempts, due_at) VALUES (?, 0, ?) RETURNING id',
        serial,
        notifyAt,
      ) as { id: number }
      return { kind: 'completed', noticeId: id }
    })
  }

  abandonPending(before: number, at: number): Awaitable<number> {
    return this.#file.write(() => {
      const rows = this.#all<{ serial: string }>(
        `SELECT serial FROM certificate WHERE status = 'pending' AND created_at < ? ORDER BY number`,
        before,
      )
      return this.#abandon(rows, at)
    })
  }

  get(serial: string): Awaitable<IssuedRow | null> {
    this.#file.requireOpen()
    return this.#file.attempt(() => {
      const row = this.#row(serial)
      return row === undefined ? null : this.#rowOf(row)
    })
  }

  async *list(filter: IssuedFilter): AsyncGenerator<IssuedRow, void> {
    const conditions = Object.entries(FILTERS).filter(([name]) => filter[name as keyof IssuedFilter] !== undefined)
    const where = ['number > @after', ...conditions.map(([, condition]) => condition)].join(' AND ')
    for (let after = 0; ; ) {
      this.#file.requireOpen()
      const page = await this.#file.attempt(() =>
        this.#all<Columns & { number: number }>(
          `SELECT number, ${ROW} FROM certificate WHERE ${where} ORDER BY number LIMIT ${PAGE}`,
          { ...filter, after },
        ),
      )
      for (const { number: _, ...row } of page) yield this.#rowOf(row)
      after = page.at(-1)?.number ?? after
      if (page.length < PAGE) return
    }
  }

  revoke({ serial, at, reason, invalidityDate, by, withKey }: Revocation): Awaitable<RevokeOutcome> {
    return this.#file.write((): RevokeOutcome => {
      const row = this.#row(serial)
      if (row === undefined || row.status === 'pending') return { kind: 'unknown' }
      // A second look at an old matter: the key was compromised after all.
      if (row.status === 'revoked' && !withKey) return { kind: 'already_revoked' }
      const others = withKey
        ? this.#all<{ serial: string }>(
            `SELECT serial FROM certificate WHERE public_key = ? AND status <> 'revoked' ORDER BY serial <> ?, number`,
            row.publicKey,
            serial,
          )
        : [{ serial }]
      for (const each of others) {
        this.#setRevoked(each.serial, { at, reason, invalidityDate })
        this.#append({ at, event: 'revoked', actor: by, serial: each.serial, detail: reason })
      }
      if (withKey) this.#block({ publicKey: row.publicKey, at, by })
      if (others.length === 0) return { kind: 'already_revoked' }
      this.#changeList()
      return { kind: 'revoked', serials: others.map((each) => each.serial) }
    })
  }

  hold({ serial, at, by }: StatusChange): Awaitable<HoldOutcome> {
    return this.#file.write(() => {
      const status = this.#row(serial)?.status
      if (status === undefined || status === 'pending') return { kind: 'unknown' } as const
      if (status === 'revoked') return { kind: 'revoked' } as const
      if (status === 'held') return { kind: 'already_held' } as const
      this.#setStatus(serial, 'held', at)
      this.#append({ at, event: 'held', actor: by, serial, detail: null })
      this.#changeList()
      return { kind: 'held' } as const
    })
  }

  release({ serial, at, by }: StatusChange): Awaitable<ReleaseOutcome> {
    return this.#file.write(() => {
      const status = this.#row(serial)?.status
      if (status === undefined || status === 'pending') return { kind: 'unknown' } as const
      if (status !== 'held') return { kind: 'not_held' } as const
      this.#setStatus(serial, 'issued', at)
      this.#append({ at, event: 'released', actor: by, serial, detail: null })
      this.#changeList()
      return { kind: 'released' } as const
    })
  }

  blockKey(key: { readonly publicKey: Fingerprint; readonly at: number; readonly by: string | null }): Awaitable<void> {
    return this.#file.write(() => this.#block(key))
  }

  isKeyBlocked(publicKey: Fingerprint): Awaitable<boolean> {
    this.#file.requireOpen()
    return this.#file.attempt(() => this.#isBlocked(publicKey))
  }

  beginCrl(at: number): Awaitable<BegunCrl> {
    return this.#file.write(() => {
      const state = this.#get<{ number: number; revision: number }>(
        'UPDATE crl_state SET number = number + 1 RETURNING number, revision',
      )
      if (state === undefined) throw this.#corrupt('it has lost count of its revocation lists')
      this.#run('INSERT INTO crl(number, revision) VALUES (?, ?)', state.number, state.revision)
      const last = this.#get<{ at: number; revision: number }>(
        'SELECT this_update AS at, revision FROM crl WHERE der IS NOT NULL ORDER BY number DESC LIMIT 1',
      )
      // RFC 5280 section 3.3: what is revoked stays on the list until it was on one made after its end. A clock that ran
      // ahead when the last one was made must not drop what is still valid.
      // The plus makes SQLite look at these rows only, by their index, and sort them afterwards.
      const rows = this.#all<Omit<CrlEntry, 'reason'> & { readonly reason: RevocationReason | null }>(
        `SELECT serial, status_at AS at, reason, invalidity_at AS invalidityDate FROM certificate
         WHERE status IN ('held', 'revoked') AND (not_after >= ? OR list_revision > ?) ORDER BY +number`,
        Math.min(last?.at ?? at, at),
        last?.revision ?? -1,
      )
      this.#append({ at, event: 'crl', actor: null, serial: null, detail: `number ${state.number}` })
      const entries = rows.map(({ reason, ...row }) => ({ ...row, reason: reason ?? ('certificate_hold' as const) }))
      return { number: BigInt(state.number), entries }
    })
  }

  completeCrl({ number, thisUpdate, nextUpdate, der }: StoredCrl): Awaitable<void> {
    return this.#file.write(() => {
      this.#run(
        'UPDATE crl SET this_update = ?, next_update = ?, der = ? WHERE number = ? AND der IS NULL',
        thisUpdate,
        nextUpdate,
        der,
        Number(number),
      )
      // Old lists are of no use, and a day's worth of them is a lot.
      this.#run('DELETE FROM crl WHERE number < (SELECT max(number) FROM crl WHERE der IS NOT NULL)')
    })
  }

  currentCrl(): Awaitable<StoredCrl | null> {
    this.#file.requireOpen()
    return this.#file.attempt(() => {
      const row = this.#get<{ number: number; thisUpdate: number; nextUpdate: number; der: Uint8Array }>(
        `SELECT number, this_update AS thisUpdate, next_update AS nextUpdate, der FROM crl
         WHERE der IS NOT NULL AND revision = (SELECT revision FROM crl_state) ORDER BY number DESC LIMIT 1`,
      )
      return row === undefined ? null : { ...row, number: BigInt(row.number) }
    })
  }

  claimNotices(at: number, until: number, limit: number): Awaitable<readonly IssuedNotice[]> {
    return this.#writeSoon(() => {
      const due = this.#all<IssuedNotice>(
        'SELECT id, serial, attempts FROM notice WHERE due_at <= ? ORDER BY due_at, id LIMIT ?',
        at,
        limit,
      )
      for (const { id } of due) {
        this.#run('UPDATE notice SET due_at = ?, attempts = attempts + 1 WHERE id = ?', until, id)
      }
      return due
    })
  }

  settleNotice(id: number): Awaitable<void> {
    return this.#writeSoon(() => this.#run('DELETE FROM notice WHERE id = ?', id))
  }

  postponeNotice(id: number, until: number): Awaitable<void> {
    return this.#writeSoon(() => this.#run('UPDATE notice SET due_at = ? WHERE id = ?', until, id))
  }

  record(event: NewAuditEvent): Awaitable<AuditEvent> {
    requireAuditEvent(event)
    return this.#file.write(() => this.#append(event))
  }

  async *auditTrail(after = 0): AsyncGenerator<AuditEvent, void> {
    for (let position = after; ; ) {
      this.#file.requireOpen()
      const page = await this.#file.attempt(() =>
        this.#all<AuditEvent>(
          `SELECT ${EVENT} FROM audit WHERE position > ? ORDER BY position LIMIT ${PAGE}`,
          position,
        ),
      )
      yield* page
      position = page.at(-1)?.position ?? position
      if (page.length < PAGE) return
    }
  }

  close(): void {
    this.#file.close()
  }

  async #belongTo(publicKey: Fingerprint): Promise<void> {
    const owner = (): string | undefined =>
      this.#get<{ publicKey: string }>('SELECT public_key AS publicKey FROM authority')?.publicKey
    let found = await this.#file.attempt(owner)
    found ??= await this.#file.write(() => {
      this.#run('INSERT OR IGNORE INTO authority(id, public_key) VALUES (1, ?)', publicKey)
      return owner()
    })
    if (found === publicKey) return
    throw new AuthorityError(
      'ERR_TLACACOCA_AUTHORITY_MISMATCH',
      `${this.path} has the certificates of another authority; put it where that one is, or name another store`,
    )
  }

  /**
   * A transaction that no crash of the program undoes, but a power cut may: for notices, which are then told once more. It
   * saves waiting for the disk a third time for each certificate.
   */
  #writeSoon<T>(work: () => T): Awaitable<T> {
    this.#file.requireWritable()
    return this.#file.attempt(() => this.#file.db.transaction(work).immediate())
  }

  #row(serial: string): Columns | undefined {
    return this.#get(`SELECT ${ROW} FROM certificate WHERE serial = ?`, serial)
  }

  #replayOf({ requestSha256, profile, clientHash }: NewIssued, { since }: ReplayWindow): Columns | undefined {
    return this.#get(
      `SELECT ${ROW} FROM certificate WHERE request_sha256 = ? AND profile = ? AND client_hash IS ? AND created_at >= ?
         AND status IN ('pending', 'issued') ORDER BY number DESC LIMIT 1`,
      requestSha256,
      profile,
      clientHash,
      since,
    )
  }

  #setStatus(serial: string, status: IssuedStatus, at: number): void {
    this.#run(
      `UPDATE certificate SET status = ?, status_at = ?, list_revision = ${NEXT_REVISION} WHERE serial = ?`,
      status,
      at,
      serial,
    )
  }

  #setRevoked(
    serial: string,
    { at, reason, invalidityDate }: Pick<Revocation, 'at' | 'reason' | 'invalidityDate'>,
  ): void {
    this.#run(
      `UPDATE certificate SET status = 'revoked', status_at = ?, reason = ?, invalidity_at = ?,
         list_revision = ${NEXT_REVISION} WHERE serial = ?`,
      at,
      reason,
      invalidityDate,
      serial,
    )
  }

  #isBlocked(publicKey: Fingerprint): boolean {
    return this.#get('SELECT 1 FROM blocked_key WHERE public_key = ?', publicKey) !== undefined
  }

  #block({ publicKey, at, by }: { publicKey: Fingerprint; at: number; by: string | null }): void {
    if (this.#isBlocked(publicKey)) return
    this.#run('INSERT INTO blocked_key(public_key, blocked_at) VALUES (?, ?)', publicKey, at)
    this.#append({ at, event: 'key_blocked', actor: by, serial: null, detail: publicKey })
    const pending = this.#all<{ serial: string }>(
      `SELECT serial FROM certificate WHERE public_key = ? AND status = 'pending' ORDER BY number`,
      publicKey,
    )
    this.#abandon(pending, at)
  }

  #abandon(pending: readonly { readonly serial: string }[], at: number): number {
    for (const { serial } of pending) {
      this.#setRevoked(serial, { at, reason: 'unspecified', invalidityDate: null })
      this.#append({ at, event: 'abandoned', actor: null, serial, detail: null })
    }
    if (pending.length > 0) this.#changeList()
    return pending.length
  }

  #changeList(): void {
    this.#run('UPDATE crl_state SET revision = revision + 1')
  }

  #append(event: NewAuditEvent): AuditEvent {
    const last = this.#get<AuditEvent>(`SELECT ${EVENT} FROM audit ORDER BY position DESC LIMIT 1`) ?? null
    const chained = chainEvent(event, last)
    this.#run(
      `INSERT INTO audit(position, at, event, actor, serial, detail, previous_hash, hash)
       VALUES (@position, @at, @event, @actor, @serial, @detail, @previousHash, @hash)`,
      chained,
    )
    return chained
  }

  #rowOf({ der, reason, invalidityAt, ...row }: Columns): IssuedRow {
    return {
      ...row,
      certificate: der === null ? null : this.#certificateOf(der, row.serial),
      revocation: reason === null ? null : { at: row.statusAt, reason, invalidityDate: invalidityAt },
    }
  }

  #certificateOf(der: Uint8Array, serial: string): Certificate {
    try {
      return Certificate.from(der)
    } catch (cause) {
      throw this.#corrupt(`the certificate ${serial} cannot be read`, cause)
    }
  }

  #corrupt(problem: string, cause?: unknown): StoreError {
    const message = `the ${ISSUED_SCHEMA.name} ${this.path} is damaged: ${problem}`
    return new StoreError('ERR_TLACACOCA_STORE_CORRUPT', message, cause === undefined ? {} : { cause })
  }

  #get<T>(sql: string, ...values: unknown[]): T | undefined {
    return this.#statement(sql).get(...values) as T | undefined
  }

  #all<T>(sql: string, ...values: unknown[]): T[] {
    return this.#statement(sql).all(...values) as T[]
  }

  #run(sql: string, ...values: unknown[]): void {
    this.#statement(sql).run(...values)
  }

  #statement(sql: string): Statement<unknown[], unknown> {
    let statement = this.#prepared.get(sql)
    if (statement === undefined) {
      statement = this.#file.db.prepare<unknown[], unknown>(sql)
      this.#prepared.set(sql, statement)
    }
    return statement
  }
}

const FILTERS: Readonly<Record<keyof IssuedFilter, string>> = {
  status: 'status = @status',
  profile: 'profile = @profile',
  clientHash: 'client_hash = @clientHash',
  publicKey: 'public_key = @publicKey',
  expiresBy: 'not_after <= @expiresBy',
}
