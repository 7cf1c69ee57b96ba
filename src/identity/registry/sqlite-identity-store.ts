// Users in a SQLite file that several programs may use at once.

import { resolve } from 'node:path'
import { requireInteger, requireString, show } from '../../internal/arguments.ts'
import { openSqlite, type SqliteFile } from '../../internal/sqlite.ts'
import { isObstacle } from '../../internal/sqlite-errors.ts'
import { after } from './after.ts'
import { IDENTITY_SCHEMA } from './identity-schema.ts'
import type { Awaitable, CertificateMarks, SeenCredential, Sighting } from './identity-store.ts'
import type { IdentityTables } from './identity-tables.ts'
import { touch } from './keeping.ts'
import { SqliteTables } from './sqlite-tables.ts'
import { TabularIdentityStore } from './tabular-identity-store.ts'

/** How to open the file. */
export interface SqliteIdentityStoreOptions {
  /** How long to go on trying while another program holds the lock. Milliseconds; default 5,000. */
  readonly lockTimeoutMs?: number
}

/** Keeps users and their certificates in a SQLite file. */
export class SqliteIdentityStore extends TabularIdentityStore {
  readonly #file: SqliteFile
  readonly #tables: SqliteTables

  private constructor(file: SqliteFile) {
    super()
    this.#file = file
    // What is erased is overwritten, and does not stay in the file as free space.
    file.db.pragma('secure_delete = ON')
    this.#tables = new SqliteTables(file.db)
  }

  /**
   * Opens the file, and creates it if there is none: readable by its owner only (0600), as is a folder that has to be
   * created for it (0700). A file that is in order is not written to.
   *
   * Where the disk is full or nothing can be written beside the file, a snapshot of it is opened: users are recognised,
   * and every change throws. Whatever another program changes meanwhile, a revocation for one, is not seen in a snapshot.
   *
   * @throws {StoreError} `STORE_FOREIGN` for the database of another program and `STORE_NEWER` for one of a later
   *   release, both untouched; `STORE_CORRUPT`, `STORE_LOCKED`, `STORE_READ_ONLY`, `STORE_FULL`, `STORE_FAILED`.
   * @example
   * import { IdentityRegistry, SqliteIdentityStore } from 'tlacacoca/identity'
   *
   * const store = await SqliteIdentityStore.open('users.db', { lockTimeoutMs: 1000 })
   * const registry = new IdentityRegistry(store, { origin: 'example.org:1965' })
   * await registry.close()
   */
  static async open(path: string, options: SqliteIdentityStoreOptions = {}): Promise<SqliteIdentityStore> {
    requireString('path', path)
    if (path === '' || /^(:memory:$|file:)/i.test(path)) {
      throw new RangeError(
        `"path" expected the name of a file, got ${show(path)}; for memory there is IdentityRegistry.inMemory`,
      )
    }
    if (options.lockTimeoutMs !== undefined) requireInteger('lockTimeoutMs', options.lockTimeoutMs, 0, 3_600_000)
    return new SqliteIdentityStore(await openSqlite(resolve(path), IDENTITY_SCHEMA, options))
  }

  /** The file, as it was opened. */
  get path(): string {
    return this.#file.path
  }

  /** `STORE_READ_ONLY` or `STORE_FULL` if this is a snapshot that cannot be changed, and null if it is the file. */
  get degraded(): 'ERR_TLACACOCA_STORE_READ_ONLY' | 'ERR_TLACACOCA_STORE_FULL' | null {
    return this.#file.degraded
  }

  /** What is known of a certificate. A user is found by a single statement. */
  override find(marks: CertificateMarks, at: number): Awaitable<Sighting> {
    const [certificate, ...others] = marks.certificates
    if (certificate === undefined || others.length > 0) return super.find(marks, at)
    this.#file.requireOpen()
    // A user is found by one statement, which is of one moment without a transaction.
    return after(
      this.#file.attempt(() => this.#tables.match(certificate, at)),
      (match) => (match === undefined ? super.find(marks, at) : { matches: [match], link: null, sameKey: null }),
    )
  }

  /** @internal */
  protected override read<T>(work: (tables: IdentityTables) => T): Awaitable<T> {
    this.#file.requireOpen()
    // In one transaction, so that all of it is of one moment.
    return this.#file.attempt(() => this.#file.db.transaction(work).deferred(this.#tables))
  }

  /** @internal */
  protected override write<T>(work: (tables: IdentityTables) => T): Awaitable<T> {
    return this.#file.write(() => work(this.#tables))
  }

  /** Notes that a user, and some of the credentials, were seen on a day; not at all while the file is locked or full. */
  override touch(userId: string, day: number, seen: readonly SeenCredential[]): void {
    this.#file.requireOpen()
    if (this.#file.degraded !== null) return
    try {
      // Tried once, and not on the disk at once: nobody waits for the sake of a date.
      this.#file.db.transaction(() => touch(this.#tables, { userId, day, seen })).immediate()
    } catch (error) {
      const failure = this.#file.failure(error)
      if (!isObstacle(failure)) throw failure
    }
  }

  /** Forgets a user as far as that can be, and overwrites in the file what was there. */
  override erase(userId: string, at: number): Awaitable<boolean> {
    return after(super.erase(userId, at), (erased) => {
      if (erased) this.#forgetLog()
      return erased
    })
  }

  /** Removes what has expired, and events that are older than an instant, and overwrites in the file what was there. */
  override prune(at: number, eventsBefore: number): Awaitable<void> {
    return after(super.prune(at, eventsBefore), () => this.#forgetLog())
  }

  /**
   * What was erased is still in the write-ahead log, which is merged into the file now and cut off. Where another program
   * is reading just then, that is left to whoever prunes, or closes, next.
   */
  #forgetLog(): void {
    try {
      this.#file.db.pragma('wal_checkpoint(TRUNCATE)')
    } catch (error) {
      const failure = this.#file.failure(error)
      if (!isObstacle(failure)) throw failure
    }
  }

  /** Closes the file. */
  override close(): void {
    this.#file.close()
  }
}
