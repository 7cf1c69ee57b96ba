// Issued certificates in PostgreSQL, for all signers of one authority.

import { type AuditEvent, type NewAuditEvent, requireAuditEvent } from '../authority/audit.ts'
import type * as issued from '../authority/issued-store.ts'
import type { IssuedFilter, IssuedRow, IssuedStore } from '../authority/issued-store.ts'
import type { Certificate } from '../certificate/certificate.ts'
import { type Fingerprint, parseFingerprint } from '../certificate/fingerprint.ts'
import { AuthorityError } from '../errors.ts'
import { requireOptions } from '../internal/arguments.ts'
import type { PostgresClient } from './client.ts'
import type { Database, Row } from './database.ts'
import { text } from './identity-rows.ts'
import { auditEventOf, crlOf, EVENT, ISSUED, issuedOf } from './issued-rows.ts'
import { IssuedWork } from './issued-work.ts'
import { openDatabase, type PostgresSchemaOptions } from './schema.ts'

/** Which certificates, and where they are. */
export interface PostgresIssuedStoreOptions extends PostgresSchemaOptions {
  /**
   * The key of the authority that it belongs to. The first one is written down; a store of another one is refused. Default:
   * any, and nothing is written down.
   */
  readonly authority?: Fingerprint
}

const TIMEOUT_MS = 10_000

/** How many rows are read at a time. Nothing is held open in between, so a reader that is slow is in nobody's way. */
const PAGE = 200

/** Keeps the issued certificates of one authority in PostgreSQL. */
export class PostgresIssuedStore implements IssuedStore {
  readonly #database: Database
  readonly #in: string

  private constructor(database: Database) {
    this.#database = database
    this.#in = `${database.schema}.issued_`
  }

  /**
   * Opens the store over tables that {@link createPostgresSchema} has made. A second authority has a schema of its own.
   *
   * Signers on several machines share it: serial numbers are unique among them, the same request is signed once, and
   * revocation lists are numbered without gaps. A standby that takes over must have all that was answered, or a revocation
   * is forgotten and a number used twice; so replicate synchronously.
   *
   * @param options.timeoutMs - After how long a call without an answer fails. Default 10,000.
   * @throws {StoreError} `STORE_NEWER` for tables of a later release, `STORE_FAILED` if there are none, or no server.
   * @throws {AuthorityError} AUTHORITY_MISMATCH if it is the store of another authority.
   * @example
   * import pg from 'pg'
   * import { CertificateAuthority } from 'tlacacoca/authority'
   * import { createPostgresSchema, PostgresIssuedStore } from 'tlacacoca/postgres'
   *
   * const pool = new pg.Pool({ connectionString: 'postgres://ca@localhost/ca' })
   * pool.on('error', (error) => console.error(error))
   * await createPostgresSchema(pool)
   * const store = await PostgresIssuedStore.open(pool)
   * const authority = await CertificateAuthority.open('/var/lib/ca', { store })
   * await authority.close()
   */
  static async open(client: PostgresClient, options: PostgresIssuedStoreOptions = {}): Promise<PostgresIssuedStore> {
    requireOptions('options', options, ['schema', 'timeoutMs', 'authority'])
    const { authority, ...where } = options
    const publicKey = authority === undefined ? null : parseFingerprint(authority, { of: 'public-key' })
    const store = new PostgresIssuedStore(await openDatabase(client, 'issued certificate store', where, TIMEOUT_MS))
    if (publicKey !== null) await store.#belongTo(publicKey)
    return store
  }

  begin(row: issued.NewIssued, replay: issued.ReplayWindow | null): Promise<issued.BeginOutcome> {
    return this.#write((work) => work.begin(row, replay))
  }

  complete(
    serial: string,
    certificate: Certificate,
    at: number,
    notifyAt: number | null,
  ): Promise<issued.CompleteOutcome> {
    return this.#write((work) => work.complete(serial, certificate, at, notifyAt))
  }

  abandonPending(before: number, at: number): Promise<number> {
    return this.#write((work) => work.abandonPending(before, at))
  }

  async get(serial: string): Promise<IssuedRow | null> {
    const statement = `SELECT ${ISSUED} FROM ${this.#in}certificate WHERE serial = $1`
    const [row] = await this.#database.query(statement, [serial])
    return row === undefined ? null : issuedOf(row)
  }

  async *list(filter: IssuedFilter): AsyncGenerator<IssuedRow, void> {
    const wanted = FILTERS.flatMap(([name, condition]) => (filter[name] === undefined ? [] : { name, condition }))
    const conditions = wanted.map(({ condition }, n) => `${condition} $${n + 2}`)
    const where = ['number > $1', ...conditions].join(' AND ')
    const statement = `SELECT number, ${ISSUED} FROM ${this.#in}certificate WHERE ${where} ORDER BY number LIMIT ${PAGE}`
    for await (const row of this.#pages(
      statement,
      'number',
      0,
      wanted.map(({ name }) => filter[name]),
    )) {
      yield issuedOf(row)
    }
  }

  revoke(revocation: issued.Revocation): Promise<issued.RevokeOutcome> {
    return this.#write((work) => work.revoke(revocation))
  }

  hold(change: issued.StatusChange): Promise<issued.HoldOutcome> {
    return this.#write((work) => work.hold(change))
  }

  release(change: issued.StatusChange): Promise<issued.ReleaseOutcome> {
    return this.#write((work) => work.release(change))
  }

  blockKey(key: { readonly publicKey: Fingerprint; readonly at: number; readonly by: string | null }): Promise<void> {
    return this.#write((work) => work.block(key))
  }

  isKeyBlocked(publicKey: Fingerprint): Promise<boolean> {
    return new IssuedWork(this.#database, this.#database.schema).isBlocked(publicKey)
  }

  beginCrl(at: number): Promise<issued.BegunCrl> {
    return this.#write((work) => work.beginCrl(at))
  }

  async completeCrl({ number, thisUpdate, nextUpdate, der }: issued.StoredCrl): Promise<void> {
    await this.#database.write(async (statements) => {
      await statements.query(
        `UPDATE ${this.#in}crl SET this_update = $2, next_update = $3, der = $4 WHERE number = $1 AND der IS NULL`,
        [number.toString(), thisUpdate, nextUpdate, der],
      )
      // Old lists are of no use, and a day's worth of them is a lot.
      await statements.query(
        `DELETE FROM ${this.#in}crl WHERE number < (SELECT max(number) FROM ${this.#in}crl WHERE der IS NOT NULL)`,
      )
    })
  }

  async currentCrl(): Promise<issued.StoredCrl | null> {
    const [row] = await this.#database.query(
      `SELECT number, this_update, next_update, der FROM ${this.#in}crl
       WHERE der IS NOT NULL AND revision = (SELECT revision FROM ${this.#in}crl_state) ORDER BY number DESC LIMIT 1`,
    )
    return row === undefined ? null : crlOf(row)
  }

  async claimNotices(at: number, until: number, limit: number): Promise<readonly issued.IssuedNotice[]> {
    const rows = await this.#database.query(
      `WITH due AS (
         SELECT id, due_at FROM ${this.#in}notice WHERE due_at <= $1 ORDER BY due_at, id LIMIT $3::bigint
         FOR UPDATE SKIP LOCKED)
       UPDATE ${this.#in}notice AS notice SET due_at = $2, attempts = notice.attempts + 1 FROM due
       WHERE notice.id = due.id RETURNING notice.id, serial, attempts - 1 AS attempts, due.due_at AS was_due_at`,
      [at, until, limit],
    )
    return rows
      .sort((a, b) => Number(a.was_due_at) - Number(b.was_due_at) || Number(a.id) - Number(b.id))
      .map(({ id, serial, attempts }) => ({ id: Number(id), serial: text(serial), attempts: Number(attempts) }))
  }

  async settleNotice(id: number): Promise<void> {
    await this.#database.query(`DELETE FROM ${this.#in}notice WHERE id = $1`, [id])
  }

  async postponeNotice(id: number, until: number): Promise<void> {
    await this.#database.query(`UPDATE ${this.#in}notice SET due_at = $2 WHERE id = $1`, [id, until])
  }

  async record(event: NewAuditEvent): Promise<AuditEvent> {
    requireAuditEvent(event)
    return this.#write((work) => work.append(event))
  }

  async *auditTrail(after = 0): AsyncGenerator<AuditEvent, void> {
    const statement = `SELECT ${EVENT} FROM ${this.#in}audit WHERE position > $1 ORDER BY position LIMIT ${PAGE}`
    for await (const row of this.#pages(statement, 'position', after, [])) yield auditEventOf(row)
  }

  /** From now on, every call fails. The client stays open. */
  close(): void {
    this.#database.close()
  }

  async *#pages(
    statement: string,
    column: string,
    after: number,
    values: readonly unknown[],
  ): AsyncGenerator<Row, void> {
    for (let last: unknown = after; ; ) {
      const page = await this.#database.query(statement, [last, ...values])
      // What happens next to a row is not to change where to go on.
      last = page.at(-1)?.[column]
      yield* page
      if (page.length < PAGE) return
    }
  }

  #write<T>(work: (work: IssuedWork) => Promise<T>): Promise<T> {
    const { schema } = this.#database
    return this.#database.write((statements) => work(new IssuedWork(statements, schema)))
  }

  async #belongTo(publicKey: Fingerprint): Promise<void> {
    const ask = `SELECT public_key FROM ${this.#in}authority`
    let [owner] = await this.#database.query(ask)
    if (owner === undefined) {
      await this.#database.query(
        `INSERT INTO ${this.#in}authority(id, public_key) VALUES (1, $1) ON CONFLICT (id) DO NOTHING`,
        [publicKey],
      )
      ;[owner] = await this.#database.query(ask)
    }
    if (owner?.public_key === publicKey) return
    const message = `the schema ${this.#database.schema} has the certificates of another authority; name another schema`
    throw new AuthorityError('ERR_TLACACOCA_AUTHORITY_MISMATCH', message)
  }
}

const FILTERS: readonly (readonly [name: keyof IssuedFilter, condition: string])[] = [
  ['status', 'status ='],
  ['profile', 'profile ='],
  ['clientHash', 'client_hash ='],
  ['publicKey', 'public_key ='],
  ['expiresBy', 'not_after <='],
]
