// Pins in a SQLite file that several programs may use at once.
//
// The common question, "is this the pinned certificate?", is one prepared statement that plucks one number out of a
// WITHOUT ROWID table: 1 to 2 us. Everything else may take its time.

import { resolve } from 'node:path'
import type { Database } from 'better-sqlite3'
import type { Fingerprint } from '../certificate/fingerprint.ts'
import { StoreError } from '../errors.ts'
import { requireInteger, requireString, show } from '../internal/arguments.ts'
import { openSqlite, type SqliteFile } from '../internal/sqlite.ts'
import { isObstacle } from '../internal/sqlite-errors.ts'
import type { Pin, PinChange } from './pin.ts'
import {
  type ClearedPins,
  type PinListing,
  type PinPurge,
  type PinStage,
  type PinStore,
  type PinUpdate,
  type PurgedPins,
  SEEN_INTERVAL_MS,
  type SeenMaterial,
} from './pin-store.ts'
import { PIN_SCHEMA } from './schema.ts'
import { purgeRows } from './sqlite-purge.ts'
import { erasureIsDone, isErasureDue, makeNameKey, noteErasure, readNameKey } from './sqlite-settings.ts'
import { SqliteStage } from './sqlite-stage.ts'
import {
  applyUpdate,
  changeOf,
  log,
  pinOf,
  readPins,
  remember,
  requireNaming,
  Statements,
} from './sqlite-statements.ts'

/** How to open the file. */
export interface SqlitePinStoreOptions {
  /** How long to go on trying while another program holds the lock. Milliseconds; default 5,000. */
  readonly lockTimeoutMs?: number
}

/** @internal A file, and by which key the subjects in it are to be hashed; null for none. */
export interface PinFile {
  readonly pins: SqlitePinStore
  readonly nameKey: Uint8Array | null
}

/** Keeps pins in a SQLite file. */
export class SqlitePinStore implements PinStore {
  readonly #file: SqliteFile
  readonly #sql: Statements
  readonly #hashed: boolean

  private constructor(file: SqliteFile, hashed: boolean) {
    this.#file = file
    this.#hashed = hashed
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
   *   release, both untouched; `STORE_HASHED` for one that keeps hashes of names, which `TofuStore.open` opens;
   *   `STORE_CORRUPT`, `STORE_LOCKED`, `STORE_READ_ONLY`, `STORE_FULL`, `STORE_FAILED`.
   * @example
   * import { SqlitePinStore } from 'tlacacoca/tofu'
   *
   * const pins = await SqlitePinStore.open('pins.db', { lockTimeoutMs: 1000 })
   * console.log(await pins.read('example.org:1965'))
   * pins.close()
   */
  static async open(path: string, options: SqlitePinStoreOptions = {}): Promise<SqlitePinStore> {
    const { pins, nameKey } = await SqlitePinStore.openFile(path, options)
    if (nameKey === null) return pins
    pins.close()
    const message = `the pin database ${path} keeps the names of hosts as hashes; open it by TofuStore.open`
    throw new StoreError('ERR_TLACACOCA_STORE_HASHED', message)
  }

  /**
   * @internal Opens the file however subjects are kept in it. What the names are hashed by is the caller's to heed.
   *
   * @param options.hashNames - Whether names are to be hashed from now on, if there are none yet.
   * @throws {StoreError} `STORE_NOT_HASHED` if there are.
   */
  static async openFile(
    path: string,
    options: SqlitePinStoreOptions & { readonly hashNames?: boolean },
  ): Promise<PinFile> {
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
      const found = await file.attempt(() => readNameKey(file.db))
      const nameKey = found ?? (options.hashNames === true ? await beginHashing(file) : null)
      return { pins: await file.attempt(() => new SqlitePinStore(file, nameKey !== null)), nameKey }
    } catch (error) {
      file.close()
      throw error
    }
  }

  /** The file, as it was opened. */
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
    return this.#file.attempt(() => readPins(this.#sql, subject, this.#hashed))
  }

  update(update: PinUpdate): boolean | Promise<boolean> {
    return this.#file.write(() => {
      requireNaming(this.#sql, this.#hashed)
      return applyUpdate(this.#sql, update)
    })
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

  async clear(at: Date): Promise<ClearedPins> {
    const cleared = await this.#file.write(() => {
      // The line comes first and stays, so that the version, which is the highest id, never moves back.
      log(this.#sql, { at, subject: '', cause: 'cleared', old: null, new: null, decidedBy: 'user' })
      const subjects = this.#sql.countUnmarkedSubjects.get() ?? 0
      const pins = this.#sql.removeUnmarked.run().changes
      this.#sql.removeHistory.run()
      this.#sql.forgetKeys.run()
      this.#sql.forgetSha512.run()
      noteErasure(this.#file.db)
      return { subjects, pins, kept: this.#sql.count.get() ?? 0 }
    })
    await erase(this.#file)
    return cleared
  }

  async purge(purge: PinPurge): Promise<PurgedPins> {
    const { purged, isDue } = await this.#file.write(() => {
      const { db } = this.#file
      log(this.#sql, { at: purge.at, subject: '', cause: 'purged', old: null, new: null, decidedBy: 'user' })
      return { purged: purgeRows(db, purge), isDue: isErasureDue(db) }
    })
    return { ...purged, erased: !isDue || (await erase(this.#file)) }
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
    return SqliteStage.open(this.#file, this.#hashed)
  }

  close(): void {
    this.#file.close()
  }
}

// More of them at once are not faster, and live long enough to make the heap grow.
const SCAN_ROWS = 200

/** Makes deleted text unreadable, and false if that has to wait. */
async function erase(file: SqliteFile): Promise<boolean> {
  const isErased = await file.erase()
  if (isErased) await file.write(() => erasureIsDone(file.db))
  return isErased
}

/** Makes a key by which names are hashed from now on, unless another program just has. */
async function beginHashing(file: SqliteFile): Promise<Uint8Array> {
  const { key, isNew } = await file.write(() => {
    const { db } = file
    const present = readNameKey(db)
    if (present !== null) return { key: present, isNew: false }
    requireNoNames(db, file.path)
    noteErasure(db)
    return { key: makeNameKey(db), isNew: true }
  })
  // Names that were there once.
  if (isNew) await erase(file)
  return key
}

function requireNoNames(db: Database, path: string): void {
  const named = db
    .prepare<[], number>("SELECT EXISTS (SELECT 1 FROM pin) OR EXISTS (SELECT 1 FROM change WHERE subject <> '')")
    .pluck()
    .get()
  if (named === 0) return
  const message =
    `the pin database ${path} has names of hosts in it, which cannot be turned into hashes in place: export it, ` +
    'open a new file with "hashNames", and import into that what you exported'
  throw new StoreError('ERR_TLACACOCA_STORE_NOT_HASHED', message)
}
