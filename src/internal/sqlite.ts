// SQLite files: opening without harm, and not blocking anybody.
//
// Opening. A file is ours only if its header has our application id. We never adopt an empty or a foreign database: a
// new one is built in memory and put in place whole (`writeFileAtomic`), so a file without our id is never one of ours
// in the making, and a file that was truncated to nothing is an error and not a fresh start. The header is looked at
// without SQLite, because SQLite may already write (recover a journal) when it looks.
//
// Waiting. SQLite's `busy_timeout` puts the whole thread to sleep, so it is 0. What finds the file locked is tried again
// later, with random pauses, until a deadline; the event loop is free in between.
//
// Full and read-only disks. A WAL database needs a shared-memory file beside it even to be read. Where that cannot be
// made, and there is no log with unmerged pages, a copy of the file in memory answers. It is a snapshot.

import { statSync } from 'node:fs'
import { open, readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Database } from 'better-sqlite3'
import { FileError, StoreError } from '../errors.ts'
import { show } from './arguments.ts'
import { ensurePrivateDirectory, writeFileAtomic } from './atomic-file.ts'
import { type SqliteCause, sqliteCause, storeError } from './sqlite-errors.ts'

/** What a database of ours looks like. */
export interface SqliteSchema {
  /** How messages call it, such as `pin database`. */
  readonly name: string
  /** Bytes 68 to 71 of the file, as a number. Frozen once released. */
  readonly applicationId: number
  /** SQL scripts: the first creates version 1, each further one adds to it. `user_version` counts them. */
  readonly migrations: readonly string[]
}

export interface SqliteOptions {
  /** How long to try while another program holds the lock. Default 5,000. */
  readonly lockTimeoutMs?: number
}

/** Opens a database, and creates it (file 0600, folder 0700) if there is none. */
export async function openSqlite(path: string, schema: SqliteSchema, options: SqliteOptions = {}): Promise<SqliteFile> {
  const what = { name: schema.name, path }
  // The driver trims names, so that another file would be opened than the one that was looked at.
  if (path !== path.trim() || path.includes('\0')) {
    throw new RangeError(`"path" expected a name without spaces at its ends, got ${show(path)}`)
  }
  if (!(await inspect(path, schema))) {
    await create(path, schema)
    // Somebody else may have been faster, so what is there now is looked at like any other file.
    await inspect(path, schema)
  }
  const lockTimeoutMs = options.lockTimeoutMs ?? 5000
  const connect = await connector()
  try {
    return await retryWhileLocked(what, lockTimeoutMs, () => {
      const db = connect(path)
      try {
        migrate(db, path, schema)
        requireWholePages(db, path, schema)
        return new SqliteFile({ db, what, lockTimeoutMs, connect: () => connect(path), degraded: null })
      } catch (error) {
        db.close()
        throw error
      }
    })
  } catch (error) {
    const reason = whyUnwritable(error)
    if (reason === null) throw error
    const copy = await copyOf(path)
    if (copy === null) throw error
    const db = connect(copy)
    if (versionOf(db) !== schema.migrations.length) {
      db.close()
      throw error
    }
    return new SqliteFile({ db, what, lockTimeoutMs, connect: null, degraded: reason })
  }
}

interface SqliteParts {
  readonly db: Database
  readonly what: SqliteCause
  readonly lockTimeoutMs: number
  readonly connect: (() => Database) | null
  readonly degraded: 'ERR_TLACACOCA_STORE_READ_ONLY' | 'ERR_TLACACOCA_STORE_FULL' | null
}

/** An open database, and how to work with it without blocking. */
export class SqliteFile {
  readonly #parts: SqliteParts
  readonly #others = new Set<Database>()
  #open = true

  /** @internal */
  constructor(parts: SqliteParts) {
    this.#parts = parts
  }

  /** Why this is a snapshot in memory that cannot be written; null if it is the file itself. */
  get degraded(): SqliteParts['degraded'] {
    return this.#parts.degraded
  }

  get path(): string {
    return this.#parts.what.path
  }

  /** The connection for small, synchronous work. */
  get db(): Database {
    this.requireOpen()
    return this.#parts.db
  }

  requireOpen(): void {
    if (this.#open) return
    throw new StoreError('ERR_TLACACOCA_STORE_CLOSED', `the ${this.#parts.what.name} has been closed`)
  }

  /** Does something at once; only if the file is locked it is tried again later, and a promise comes back. */
  attempt<T>(work: () => T): T | Promise<T> {
    try {
      return work()
    } catch (error) {
      return this.recover(error, work)
    }
  }

  /** What `attempt` does with an error, for callers that cannot afford its closure on the path that succeeds. */
  recover<T>(error: unknown, work: () => T): Promise<T> {
    const failure = this.failure(error)
    if (failure.code !== 'ERR_TLACACOCA_STORE_LOCKED') throw failure
    return retryWhileLocked(this.#parts.what, this.#parts.lockTimeoutMs, () => {
      this.requireOpen()
      return work()
    })
  }

  /** The error to throw for what SQLite threw. */
  failure(error: unknown): StoreError {
    return storeError(error, this.#parts.what)
  }

  /**
   * Does something in one transaction that is on the disk, safe from a power cut, when the answer comes. If `work`
   * throws, nothing has happened.
   */
  write<T>(work: () => T, db: Database = this.db): T | Promise<T> {
    this.requireWritable()
    return this.attempt(() => {
      this.requireOpen()
      db.pragma('synchronous = FULL')
      try {
        return db.transaction(work).immediate()
      } finally {
        if (db.open) db.pragma('synchronous = NORMAL')
      }
    })
  }

  requireWritable(): void {
    this.requireOpen()
    const { degraded, what } = this.#parts
    if (degraded === null) return
    const why = degraded === 'ERR_TLACACOCA_STORE_FULL' ? 'the disk is full' : 'it cannot be written'
    throw new StoreError(degraded, `the ${what.name} ${what.path} was opened as a snapshot, because ${why}`)
  }

  /**
   * A connection of its own, for long reads and large transactions: on a shared one, a rollback would take with it what
   * others wrote in between. Null for a snapshot, which nobody writes.
   */
  async connect(): Promise<Database | null> {
    this.requireOpen()
    const { connect } = this.#parts
    if (connect === null) return null
    const db = await this.attempt(connect)
    this.#others.add(db)
    return db
  }

  /** Closes a connection that `connect` gave. */
  disconnect(db: Database | null): void {
    if (db === null) return
    this.#others.delete(db)
    if (db.open) db.close()
  }

  close(): void {
    if (!this.#open) return
    this.#open = false
    for (const db of this.#others) this.disconnect(db)
    this.#parts.db.close()
  }
}

/** Tries until it works, fails for another reason than a lock, or the time is up. */
async function retryWhileLocked<T>(what: SqliteCause, timeoutMs: number, work: () => T): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (let attempt = 0; ; attempt++) {
    try {
      return work()
    } catch (error) {
      const failure = storeError(error, what)
      if (failure.code !== 'ERR_TLACACOCA_STORE_LOCKED' || performance.now() >= deadline) throw failure
    }
    // Random, so that programs that collided do not collide again; short, because transactions take milliseconds.
    await pause(1 + Math.random() * Math.min(2 ** attempt, 40))
  }
}

type Connect = (source: string | Buffer) => Database

async function connector(): Promise<Connect> {
  const { default: SQLite } = await import('better-sqlite3')
  return (source) => {
    const db = new SQLite(source, { timeout: 0, fileMustExist: typeof source === 'string' })
    // With WAL, NORMAL keeps the file whole whatever happens and may lose the last moments in a power cut. `write` asks
    // for more. A schema in the file may not call functions; a damaged page is found when it is read, not when used.
    db.pragma('synchronous = NORMAL')
    db.pragma('trusted_schema = OFF')
    db.pragma('cell_size_check = ON')
    return db
  }
}

const HEADER_LENGTH = 100
const MAGIC = Buffer.from('SQLite format 3\0', 'latin1')

/** Looks at the file without SQLite, and throws unless it is ours. False if there is none. */
async function inspect(path: string, schema: SqliteSchema): Promise<boolean> {
  const header = await readHeader(path, schema)
  if (header === null) return false
  const named = `the ${schema.name} ${path}`
  if (header.length === 0) {
    const message = `${named} is an empty file, which it never is; restore it, or remove it to start anew`
    throw new StoreError('ERR_TLACACOCA_STORE_CORRUPT', message)
  }
  if (header.length < HEADER_LENGTH || !header.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new StoreError('ERR_TLACACOCA_STORE_CORRUPT', `${named} is damaged, or no database at all`)
  }
  // https://sqlite.org/fileformat.html section 1.3: the user version at 60, the application id at 68.
  if (header.readUInt32BE(68) !== schema.applicationId) {
    throw new StoreError(
      'ERR_TLACACOCA_STORE_FOREIGN',
      `${path} is the database of another program, not a ${schema.name}`,
    )
  }
  requireKnownVersion(header.readUInt32BE(60), path, schema)
  return true
}

async function readHeader(path: string, schema: SqliteSchema): Promise<Buffer | null> {
  try {
    const handle = await open(path, 'r')
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEADER_LENGTH), 0, HEADER_LENGTH, 0)
      return buffer.subarray(0, bytesRead)
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (isMissing(error)) return null
    throw new StoreError('ERR_TLACACOCA_STORE_FAILED', `cannot read the ${schema.name} ${path}`, { cause: error })
  }
}

async function create(path: string, schema: SqliteSchema): Promise<void> {
  // A log without its database holds what was written last. SQLite would merge it into the new file.
  if (await hasUnmergedLog(path)) {
    const message = `the ${schema.name} ${path} is missing, but its log ${path}-wal is there; restore it, or remove both`
    throw new StoreError('ERR_TLACACOCA_STORE_CORRUPT', message)
  }
  const db = (await connector())(':memory:')
  db.pragma(`application_id = ${schema.applicationId}`)
  migrate(db, path, schema)
  const bytes = db.serialize()
  db.close()
  setJournalMode(bytes, WAL)
  try {
    await ensurePrivateDirectory(dirname(path))
    await writeFileAtomic(path, bytes, { mode: 0o600, overwrite: false })
  } catch (error) {
    if (error instanceof FileError && error.code === 'ERR_TLACACOCA_FILE_EXISTS') return
    throw cannotCreate(path, schema, error)
  }
}

function cannotCreate(path: string, schema: SqliteSchema, error: unknown): StoreError {
  const system = error instanceof FileError && error.cause instanceof Error ? error.cause : null
  const code = system !== null && 'code' in system ? system.code : undefined
  const message = `cannot create the ${schema.name} ${path}: ${code ?? error}`
  const options = { cause: error }
  if (code === 'ENOSPC' || code === 'EDQUOT') return new StoreError('ERR_TLACACOCA_STORE_FULL', message, options)
  if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') {
    return new StoreError('ERR_TLACACOCA_STORE_READ_ONLY', message, options)
  }
  return new StoreError('ERR_TLACACOCA_STORE_FAILED', message, options)
}

function versionOf(db: Database): number {
  return Number(db.pragma('user_version', { simple: true }))
}

/** Brings a database to the newest version; writes nothing if it has it. */
function migrate(db: Database, path: string, schema: SqliteSchema): void {
  const newest = schema.migrations.length
  if (versionOf(db) === newest) return
  db.transaction(() => {
    // Read again under the lock: another process may have migrated, or may be of a newer release.
    const version = versionOf(db)
    requireKnownVersion(version, path, schema)
    for (const script of schema.migrations.slice(version)) db.exec(script)
    if (version < newest) db.pragma(`user_version = ${newest}`)
  }).immediate()
}

/**
 * A file whose last page was cut off would go unnoticed: SQLite reads the missing part as zeros, and rows in it are just
 * not found. Only a checkpoint that was interrupted may leave such a file, and then the log has the page whole.
 */
function requireWholePages(db: Database, path: string, schema: SqliteSchema): void {
  const pageSize = Number(db.pragma('page_size', { simple: true }))
  if (statSync(path).size % pageSize === 0) return
  db.pragma('wal_checkpoint(PASSIVE)')
  if (statSync(path).size % pageSize === 0) return
  throw new StoreError('ERR_TLACACOCA_STORE_CORRUPT', `the ${schema.name} ${path} is cut short`)
}

function requireKnownVersion(version: number, path: string, schema: SqliteSchema): void {
  if (version <= schema.migrations.length) return
  const message = `the ${schema.name} ${path} has version ${version}, and this release knows ${schema.migrations.length}`
  throw new StoreError('ERR_TLACACOCA_STORE_NEWER', message)
}

function whyUnwritable(error: unknown): SqliteParts['degraded'] {
  if (!(error instanceof StoreError)) return null
  const code = sqliteCause(error)
  if (error.code === 'ERR_TLACACOCA_STORE_FULL') return error.code
  if (error.code === 'ERR_TLACACOCA_STORE_READ_ONLY') return error.code
  // What SQLite says when it may not create the files beside a WAL database.
  return code.startsWith('SQLITE_CANTOPEN') || code.startsWith('SQLITE_IOERR_SHM')
    ? 'ERR_TLACACOCA_STORE_READ_ONLY'
    : null
}

const WAL = 2
const ROLLBACK = 1

/** Bytes 18 and 19 of the header say who may write and who may read: 1 for a rollback journal, 2 for WAL. */
function setJournalMode(bytes: Buffer, mode: typeof WAL | typeof ROLLBACK): void {
  bytes[18] = mode
  bytes[19] = mode
}

/** A copy of the file that SQLite can open without files beside it; null if that would not be what is stored. */
async function copyOf(path: string): Promise<Buffer | null> {
  try {
    const before = await stat(path)
    const bytes = await readFile(path)
    const after = await stat(path)
    // Pages in the log would be missing from the copy, and a checkpoint in between would tear it.
    const still = before.mtimeMs === after.mtimeMs && before.size === after.size && bytes.length === after.size
    // Bytes 16 and 17 are the page size (1 means 65,536); see `requireWholePages`.
    const pageSize = bytes.readUInt16BE(16) === 1 ? 65_536 : bytes.readUInt16BE(16)
    if (!still || bytes.length % pageSize !== 0 || (await hasUnmergedLog(path))) return null
    setJournalMode(bytes, ROLLBACK)
    return bytes
  } catch {
    // What kept the file itself from being opened is the better reason.
    return null
  }
}

async function hasUnmergedLog(path: string): Promise<boolean> {
  try {
    return (await stat(`${path}-wal`)).size > 0
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
