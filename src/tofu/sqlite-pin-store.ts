// Pins in a SQLite file that several programs may use at once.
//
// The common question, "is this the pinned certificate?", is one prepared statement that plucks one number out of a
// WITHOUT ROWID table: 1 to 2 us. Everything else may take its time.

import { resolve } from 'node:path'
import type { Fingerprint } from '../certificate/fingerprint.ts'
import { requireInteger, requireString, show } from '../internal/arguments.ts'
import { openSqlite, type SqliteFile } from '../internal/sqlite.ts'
import { isObstacle } from '../internal/sqlite-errors.ts'
import type { Pin, PinChange } from './pin.ts'
import {
  type ClearedPins,
  type PinListing,
  type PinStage,
  type PinStore,
  type PinUpdate,
  SEEN_INTERVAL_MS,
  type SeenMaterial,
} from './pin-store.ts'
import { PIN_SCHEMA } from './schema.ts'
import { SqliteStage } from './sqlite-stage.ts'
import { applyUpdate, changeOf, log, pinOf, readPins, remember, Statements } from './sqlite-statements.ts'

/** How to open the file. */
export interface SqlitePinStoreOptions {
  /** How long to go on trying while another program holds the lock. Milliseconds; default 5,000. */
  readonly lockTimeoutMs?: number
}

/** Keeps pins in a SQLite file. */
export class SqlitePinStore implements PinStore {
  readonly #file: SqliteFile
  readonly #sql: Statements

  private constructor(file: SqliteFile) {
    this.#file = file
    this.#sql = new Statements(file.db)
  }

  /**
   * Opens the file, and creates it if there is none: readable by its owner only (0600), as is a folder that has to be
   * created for it (0700). A file that is in order is not written to.
   *
   * Where the disk is full or nothing can be written beside the file, a snapshot of it is opened: what is pinned can be
   * verified, and every change throws.
   *
   * @throws {StoreError} `STORE_FOREIGN` for the database of another program and `STORE_NEWER` for one of a later
   *   release, both untouched; `STORE_CORRUPT`, `STORE_LOCKED`, `STORE_READ_ONLY`, `STORE_FULL`, `STORE_FAILED`.
   * @example
   * import { SqlitePinStore } from 'tlacacoca/tofu'
   *
   * const pins = await SqlitePinStore.open('pins.db', { lockTimeoutMs: 1000 })
   * console.log(await pins.read('example.org:1965'))
   * pins.close()
   */
  static async open(path: string, options: SqlitePinStoreOptions = {}): Promise<SqlitePinStore> {
    requireString('path', path)
    if (path === '' || /^(:memory:$|file:)/i.test(path)) {
      throw new RangeError(
        `"path" expected the name of a file, got ${show(path)}; for memory there is TofuStore.inMemory`,
      )
    }
    if (options.lockTimeoutMs !== undefined) requireInteger('lockTimeoutMs', options.lockTimeoutMs, 0, 3_600_000)
    // An absolute path is never one of SQLite's special names, such as `:memory:`.
    const file = await openSqlite(resolve(path), PIN_SCHEMA, options)
    try {
      return await file.attempt(() => new SqlitePinStore(file))
    } catch (error) {
      file.close()
      throw error
    }
  }

  get path(): string {
    return this.#file.path
  }

  /** `STORE_READ_ONLY` or `STORE_FULL` if this is a snapshot that cannot be changed, and null if it is the file. */
  get degraded(): 'ERR_TLACACOCA_STORE_READ_ONLY' | 'ERR_TLACACOCA_STORE_FULL' | null {
    return this.#file.degraded
  }

  lastSeen(subject: string, digest: Fingerprint): number | undefined | Promise<number | undefined> {
    try {
      return this.#sql.lastSeen.get(subject, digest)
    } catch (error) {
      this.#file.requireOpen()
      return this.#file.recover(error, () => this.#sql.lastSeen.get(subject, digest))
    }
  }

  read(subject: string): readonly Pin[] | Promise<readonly Pin[]> {
    this.#file.requireOpen()
    return this.#file.attempt(() => readPins(this.#sql, subject))
  }

  update(update: PinUpdate): boolean | Promise<boolean> {
    return this.#file.write(() => applyUpdate(this.#sql, update))
  }

  seen(subject: string, digest: Fingerprint, at: number, material?: SeenMaterial): void {
    this.#file.requireOpen()
    if (this.#file.degraded !== null) return
    const { db } = this.#file
    try {
      // Tried once. A visit does not wait for the sake of a date that is refreshed once a day.
      db.transaction(() => {
        const { changes } = this.#sql.seen.run({
          subject,
          digest,
          at,
          interval: SEEN_INTERVAL_MS,
          keyDigest: material?.keyDigest ?? null,
          notAfter: material?.notAfter?.getTime() ?? null,
        })
        if (changes > 0 && material !== undefined) remember(this.#sql, material)
      }).immediate()
    } catch (error) {
      const failure = this.#file.failure(error)
      if (!isObstacle(failure)) throw failure
    }
  }

  list(listing: PinListing = {}): readonly Pin[] | Promise<readonly Pin[]> {
    this.#file.requireOpen()
    const { prefix = '', after = '', limit = -1 } = listing
    return this.#file.attempt(() => this.#sql.list.all({ prefix, after, limit }).map(pinOf))
  }

  async *scan(): AsyncGenerator<readonly Pin[]> {
    // A transaction that only reads shows one moment until it ends, and holds up nobody. A snapshot stands still anyway.
    const own = await this.#file.connect()
    try {
      const sql = own === null ? this.#sql : await this.#file.attempt(() => new Statements(own))
      own?.exec('BEGIN')
      let after: readonly [subject: string, digest: string] = ['', '']
      while (true) {
        this.#file.requireOpen()
        const rows = await this.#file.attempt(() => {
          const some = sql.scan.all(...after, SCAN_ROWS)
          const last = some.at(-1)
          // The last subject may go on in the next rows. A portion holds it whole.
          return last === undefined ? [] : [...some, ...sql.scanRest.all(last[0], last[1])]
        })
        const last = rows.at(-1)
        if (last === undefined) return
        after = [last[0], last[1]]
        yield rows.map(pinOf)
      }
    } finally {
      this.#file.disconnect(own)
    }
  }

  history(subject: string): readonly PinChange[] | Promise<readonly PinChange[]> {
    this.#file.requireOpen()
    return this.#file.attempt(() => this.#sql.history.all(subject).map(changeOf))
  }

  version(): number | Promise<number> {
    this.#file.requireOpen()
    return this.#file.attempt(() => this.#sql.version.get() ?? 0)
  }

  clear(at: Date): ClearedPins | Promise<ClearedPins> {
    return this.#file.write(() => {
      // The line comes first and stays, so that the version, which is the highest id, never moves back.
      log(this.#sql, { at, subject: '', cause: 'cleared', old: null, new: null, decidedBy: 'user' })
      const subjects = this.#sql.countUnmarkedSubjects.get() ?? 0
      const pins = this.#sql.removeUnmarked.run().changes
      this.#sql.removeHistory.run()
      this.#sql.forgetKeys.run()
      this.#sql.forgetSha512.run()
      return { subjects, pins, kept: this.#sql.count.get() ?? 0 }
    })
  }

  publicKey(keyDigest: Fingerprint): Uint8Array | undefined | Promise<Uint8Array | undefined> {
    this.#file.requireOpen()
    return this.#file.attempt(() => this.#sql.publicKey.get(keyDigest))
  }

  sha512(digest: Fingerprint): Fingerprint | undefined | Promise<Fingerprint | undefined> {
    this.#file.requireOpen()
    return this.#file.attempt(() => this.#sql.sha512.get(digest))
  }

  async stage(): Promise<PinStage> {
    this.#file.requireWritable()
    return SqliteStage.open(this.#file)
  }

  close(): void {
    this.#file.close()
  }
}

const SCAN_ROWS = 1000
