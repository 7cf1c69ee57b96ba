// Users in PostgreSQL, for all servers that share the database.

import type { CertificateMarks, SeenCredential, Sighting, StoredUser } from '../identity/registry/identity-store.ts'
import type { IdentityTables } from '../identity/registry/identity-tables.ts'
import { find } from '../identity/registry/keeping.ts'
import { TabularIdentityStore } from '../identity/registry/tabular-identity-store.ts'
import type { PostgresClient } from './client.ts'
import type { Database, Row, Statements } from './database.ts'
import { isObstacle } from './failure.ts'
import { matchOf, USER, userOf } from './identity-rows.ts'
import { linkStatement, matchStatement, PostgresTables, sameKeyStatement } from './identity-tables.ts'
import { Replay } from './replay.ts'
import { openDatabase, type PostgresSchemaOptions } from './schema.ts'
import { decoded } from './text.ts'

const TIMEOUT_MS = 5000

/** Keeps users and their certificates in PostgreSQL. */
export class PostgresIdentityStore extends TabularIdentityStore {
  readonly #database: Database
  readonly #match: string
  readonly #stranger: string

  private constructor(database: Database) {
    super()
    this.#database = database
    const { schema } = database
    this.#match = matchStatement(schema)
    const all = (statement: string): string =>
      `(SELECT coalesce(pg_catalog.json_agg(r), '[]')::text FROM (${statement}) AS r)`
    this.#stranger = `SELECT ${all(this.#match)} AS match, ${all(linkStatement(schema))} AS link,
      ${all(sameKeyStatement(schema).replace('$1', '$3'))} AS same_key`
  }

  /**
   * Opens the store over tables that {@link createPostgresSchema} has made.
   *
   * Neither it nor the registry remembers who is who: each request asks the database, so a revocation holds for every
   * server from the moment it is answered. For the same reason nobody is recognised while the database is away: every call
   * throws. A pool must be one of the primary server; a standby that lags behind does not know of the last revocations.
   *
   * @param options.timeoutMs - After how long a call without an answer fails. Default 5,000. What became of a change whose
   *   answer did not come can be asked.
   * @throws {StoreError} `STORE_NEWER` for tables of a later release, `STORE_FAILED` if there are none, or no server.
   * @example
   * import pg from 'pg'
   * import { IdentityRegistry } from 'tlacacoca/identity'
   * import { createPostgresSchema, PostgresIdentityStore } from 'tlacacoca/postgres'
   *
   * const pool = new pg.Pool({ connectionString: 'postgres://web@localhost/users' })
   * pool.on('error', (error) => console.error(error))
   * await createPostgresSchema(pool)
   * const store = await PostgresIdentityStore.open(pool)
   * const registry = new IdentityRegistry(store, { origin: 'example.org:1965' })
   * console.log((await registry.resolve(null)).kind) // anonymous
   */
  static async open(client: PostgresClient, options: PostgresSchemaOptions = {}): Promise<PostgresIdentityStore> {
    return new PostgresIdentityStore(await openDatabase(client, 'identity store', options, TIMEOUT_MS))
  }

  /** What is known of a certificate. A user is found by a single statement, and a stranger by a second one. */
  override async find(marks: CertificateMarks, at: number): Promise<Sighting> {
    const [certificate, ...others] = marks.certificates
    if (certificate === undefined || others.length > 0) return super.find(marks, at)
    const [row] = await this.#database.query(this.#match, [certificate, at])
    if (row !== undefined) return { matches: [matchOf(row)], link: null, sameKey: null }
    return this.#findStranger(certificate, marks, at)
  }

  /**
   * Everything that is asked about a stranger, in one statement, and so of one moment. Whoever has no certificate yet makes
   * as many as they like, so this is not to take six ways to the server.
   */
  async #findStranger(certificate: string, marks: CertificateMarks, at: number): Promise<Sighting> {
    const { publicKey } = marks
    const [answers] = await this.#database.query(this.#stranger, [certificate, at, publicKey])
    const { schema } = this.#database
    const known = [
      { text: this.#match, values: [certificate, at], rows: rowsOf(answers?.match) },
      { text: linkStatement(schema), values: [certificate], rows: rowsOf(answers?.link) },
      { text: sameKeyStatement(schema), values: [publicKey], rows: rowsOf(answers?.same_key) },
    ]
    const replay = new Replay(known)
    const sighting = replay.attempt(() => find(new PostgresTables(replay, schema), marks, at))
    // If the key is somebody's, there is more to be asked, and then all of it is asked of one moment.
    return sighting === null ? super.find(marks, at) : sighting.value
  }

  /** The user who has a handle, or had it; null if nobody did. */
  override async userByHandle(handleKey: string): Promise<StoredUser | null> {
    const statement = `SELECT ${USER} FROM ${this.#database.schema}.identity_user WHERE handle_key = $1`
    const [row] = await this.#database.query(statement, [handleKey])
    return row === undefined ? null : userOf(row)
  }

  /** @internal */
  protected override read<T>(work: (tables: IdentityTables) => T): Promise<T> {
    return this.#database.read((statements) => this.#run(work, statements))
  }

  /** @internal */
  protected override write<T>(work: (tables: IdentityTables) => T): Promise<T> {
    return this.#database.write((statements) => this.#run(work, statements))
  }

  /** Notes that a user, and some of the credentials, were seen on a day; not at all where that would have to wait. */
  override async touch(userId: string, day: number, seen: readonly SeenCredential[]): Promise<void> {
    const { schema } = this.#database
    // One statement. What somebody is changing just now is skipped, and so is what is revoked by the time it is locked.
    const statement = `WITH visitor AS (
        UPDATE ${schema}.identity_user SET last_seen_day = $2::bigint WHERE id IN (
          SELECT id FROM ${schema}.identity_user
          WHERE id = $1 AND erased_at IS NULL AND (last_seen_day IS NULL OR last_seen_day < $2::bigint)
          FOR UPDATE SKIP LOCKED)
        RETURNING id
      ), seen AS (
        SELECT * FROM unnest($3::text[], $4::bigint[], $5::bigint[]) AS each(id, day, not_after)
      )
      UPDATE ${schema}.identity_credential c
      SET last_seen_day = greatest(c.last_seen_day, seen.day), not_after = seen.not_after
      FROM visitor, seen
      WHERE c.id = seen.id AND c.user_id = visitor.id AND c.id IN (
        SELECT id FROM ${schema}.identity_credential WHERE id = ANY($3::text[]) AND status = 'active'
        FOR UPDATE SKIP LOCKED)`
    const lists = [
      seen.map((each) => each.credentialId),
      seen.map((each) => each.day),
      seen.map((each) => each.notAfter),
    ]
    try {
      await this.#database.query(statement, [userId, day, ...lists])
    } catch (error) {
      if (!isObstacle(error)) throw error
    }
  }

  /** From now on, every call fails. The client stays open. */
  override close(): void {
    this.#database.close()
  }

  #run<T>(work: (tables: IdentityTables) => T, statements: Statements): Promise<T> {
    const replay = new Replay()
    const tables = new PostgresTables(replay, this.#database.schema)
    return replay.run(() => work(tables), statements)
  }
}

/** Rows that came as one text. */
function rowsOf(json: unknown): Row[] {
  return (JSON.parse(String(json)) as Row[]).map(decoded)
}
