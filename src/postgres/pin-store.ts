// Pins in PostgreSQL, for programs that are to trust the same servers.

import { type Fingerprint, isFingerprint } from '../certificate/fingerprint.ts'
import type { Pin, PinChange } from '../tofu/pin.ts'
import {
  type ClearedPins,
  type PinListing,
  type PinPurge,
  type PinStore,
  type PinUpdate,
  type PurgedPins,
  SEEN_INTERVAL_MS,
  type SeenMaterial,
} from '../tofu/pin-store.ts'
import type { PostgresClient } from './client.ts'
import type { Database, Statements } from './database.ts'
import { isObstacle } from './failure.ts'
import { bytesOf } from './issued-rows.ts'
import { changeOf, PIN, pinOf } from './pin-rows.ts'
import { PinWork } from './pin-work.ts'
import { openDatabase, type PostgresSchemaOptions } from './schema.ts'

// An import of many hosts is one change.
const TIMEOUT_MS = 30_000

const SCAN_ROWS = 500

/** Keeps pins in PostgreSQL. */
export class PostgresPinStore implements PinStore {
  readonly #database: Database
  readonly #in: string

  private constructor(database: Database) {
    this.#database = database
    this.#in = `${database.schema}.pin`
  }

  /**
   * Opens the store over tables that {@link createPostgresSchema} has made.
   *
   * Of several programs that meet a server for the first time, one records it, and the others see what it recorded. While
   * the database is away every call throws, so nobody is trusted on a first contact that could not be looked up.
   *
   * @param options.timeoutMs - After how long a call without an answer fails. Default 30,000.
   * @throws {StoreError} `STORE_NEWER` for tables of a later release, `STORE_FAILED` if there are none, or no server.
   * @example
   * import pg from 'pg'
   * import { createPostgresSchema, PostgresPinStore } from 'tlacacoca/postgres'
   * import { TofuStore } from 'tlacacoca/tofu'
   *
   * const pool = new pg.Pool({ connectionString: 'postgres://crawler@localhost/pins' })
   * pool.on('error', (error) => console.error(error))
   * await createPostgresSchema(pool)
   * const known = new TofuStore(await PostgresPinStore.open(pool))
   * console.log(await known.listHosts())
   */
  static async open(client: PostgresClient, options: PostgresSchemaOptions = {}): Promise<PostgresPinStore> {
    return new PostgresPinStore(await openDatabase(client, 'pin store', options, TIMEOUT_MS))
  }

  async lastSeen(subject: string, digest: Fingerprint): Promise<number | undefined> {
    // The states are numbered by PIN_STATES: 0 and 1 are live, 3 is a mark.
    const [row] = await this.#database.query(
      `SELECT last_seen FROM ${this.#in}
       WHERE subject = $1 AND digest = $2 AND state BETWEEN 0 AND 1 AND key_digest IS NOT NULL`,
      [subject, digest],
    )
    return row === undefined ? undefined : Number(row.last_seen)
  }

  async read(subject: string): Promise<readonly Pin[]> {
    const statement = `SELECT ${PIN} FROM ${this.#in} WHERE subject = $1 ORDER BY digest`
    return (await this.#database.query(statement, [subject])).map(pinOf)
  }

  update(update: PinUpdate): Promise<boolean> {
    return this.#write((work) => work.update(update))
  }

  async seen(subject: string, digest: Fingerprint, at: number, material?: SeenMaterial): Promise<void> {
    try {
      if (material === undefined) await this.#note(this.#database, { subject, digest, at })
      else {
        // With nobody in between: a mark that is just being set could not be seen otherwise.
        await this.#database.write(async (statements) => {
          const isKnown = await this.#note(statements, { subject, digest, at, material })
          if (isKnown) await new PinWork(statements, this.#database.schema).remember([material])
        })
      }
    } catch (error) {
      if (!isObstacle(error)) throw error
    }
  }

  async list(listing: PinListing = {}): Promise<readonly Pin[]> {
    const { prefix = '', after = null, limit = null } = listing
    // No subject holds U+10FFFF, so that this is the end of everything that begins with the prefix.
    const rows = await this.#database.query(
      `SELECT ${PIN} FROM ${this.#in} WHERE subject IN (
         SELECT DISTINCT subject FROM ${this.#in}
         WHERE ($1::text IS NULL OR subject > $1::text) AND subject >= $2::text AND subject < $2::text || chr(1114111)
         ORDER BY subject LIMIT $3::bigint
       ) ORDER BY subject, digest`,
      [after, prefix, limit],
    )
    return rows.map(pinOf)
  }

  async *scan(): AsyncGenerator<readonly Pin[]> {
    const snapshot = await this.#database.snapshot()
    if (snapshot === null) {
      const pins = await this.list()
      if (pins.length > 0) yield pins
      return
    }
    try {
      for (let after: Pin | undefined; ; ) {
        this.#database.requireOpen()
        const rows = await snapshot.query(
          `SELECT ${PIN} FROM ${this.#in} WHERE $1::text IS NULL OR (subject, digest) > ($1::text, $2::text)
           ORDER BY subject, digest LIMIT ${SCAN_ROWS}`,
          [after?.subject ?? null, after?.digest ?? null],
        )
        const pins = rows.map(pinOf)
        const last = pins.at(-1)
        if (last === undefined) return
        // The last subject may go on in the next rows. A portion holds it whole.
        const rest = await snapshot.query(
          `SELECT ${PIN} FROM ${this.#in} WHERE subject = $1 AND digest > $2 ORDER BY digest`,
          [last.subject, last.digest],
        )
        const portion = [...pins, ...rest.map(pinOf)]
        after = portion.at(-1)
        yield portion
      }
    } finally {
      await snapshot.close()
    }
  }

  async history(subject: string): Promise<readonly PinChange[]> {
    const statement = `SELECT at, subject, cause, old, new, decided_by FROM ${this.#in}_change WHERE subject = $1 ORDER BY id`
    return (await this.#database.query(statement, [subject])).map(changeOf)
  }

  version(): Promise<number> {
    return new PinWork(this.#database, this.#database.schema).version()
  }

  clear(at: Date): Promise<ClearedPins> {
    return this.#write((work) => work.clear(at))
  }

  /** `erased` is false: what was removed stays in the server's files until it tidies up, and in its log and backups. */
  async purge(purge: PinPurge): Promise<PurgedPins> {
    return { ...(await this.#write((work) => work.purge(purge))), erased: false }
  }

  async publicKey(keyDigest: Fingerprint): Promise<Uint8Array | undefined> {
    const [row] = await this.#database.query(`SELECT spki FROM ${this.#in}_public_key WHERE digest = $1`, [keyDigest])
    return row === undefined ? undefined : bytesOf(row.spki)
  }

  async sha512(digest: Fingerprint): Promise<Fingerprint | undefined> {
    const statement = `SELECT sha512 FROM ${this.#in}_certificate_digest WHERE digest = $1`
    const [row] = await this.#database.query(statement, [digest])
    return isFingerprint(row?.sha512) ? row.sha512 : undefined
  }

  /** From now on, every call fails. The client stays open. */
  close(): void {
    this.#database.close()
  }

  /** Tells whether there is such a pin, and it is live. */
  async #note(statements: Statements, { subject, digest, at, material }: Visit): Promise<boolean> {
    const rows = await statements.query(
      `UPDATE ${this.#in} AS pin SET
         days_seen = days_seen + CASE WHEN abs($3::bigint - last_seen) >= $4::bigint THEN 1 ELSE 0 END,
         last_seen = CASE WHEN abs($3::bigint - last_seen) >= $4::bigint THEN $3::bigint ELSE last_seen END,
         key_digest = coalesce(key_digest, CASE WHEN NOT EXISTS (
           SELECT 1 FROM ${this.#in} m WHERE m.subject = $1 AND m.state = 3) THEN $5::text END),
         not_after = coalesce(not_after, $6::bigint)
       WHERE subject = $1 AND digest = $2 AND state BETWEEN 0 AND 1 RETURNING 1 AS is_live`,
      [subject, digest, at, SEEN_INTERVAL_MS, material?.keyDigest ?? null, material?.notAfter?.getTime() ?? null],
    )
    return rows.length > 0
  }

  #write<T>(work: (work: PinWork) => Promise<T>): Promise<T> {
    const { schema } = this.#database
    return this.#database.write((statements) => work(new PinWork(statements, schema)))
  }
}

interface Visit {
  readonly subject: string
  readonly digest: Fingerprint
  readonly at: number
  readonly material?: SeenMaterial
}
