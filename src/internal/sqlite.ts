// SQLite files: opening without harm, and not blocking anybody.
//
// Opening. A file is ours only if its header has our application id. We never adopt an empty or a foreign database: a
// new one is built in memory and put in place whole (`writeFileAtomic`), so a file without our id is never one of ours
// in the making, and a file that was truncated to nothing is an error and not a fresh start. See `sqlite-header.ts` for
// how it is looked at.
//
// Migrating. An older file is brought up to date in one transaction, after a copy of it was put beside it. Where that
// is not possible, what is opened is a snapshot, and the file is as it was.
//
// Waiting. SQLite's `busy_timeout` puts the whole thread to sleep, so it is 0. What finds the file locked is tried again
// later, with random pauses, until a deadline; the event loop is free in between.
//
// Moving. What is written to a file that has lost its name is gone when it is closed, and SQLite does not notice that with
// a log. So each write looks whether the name still leads to the file that was opened, and is undone if it does not. The
// log may still have its name, and would be taken for that of the file which is there now; so it is merged and emptied.
//
// Full and read-only disks. A WAL database needs a shared-memory file beside it even to be read. Where that cannot be
// made, and there is no log with unmerged pages, a copy of the file in memory answers. It is a snapshot.

import { type BigIntStats, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Database } from 'better-sqlite3'
import { FileError, StoreError } from '../errors.ts'
import { show } from './arguments.ts'
import { ensurePrivateDirectory, writeFileAtomic } from './atomic-file.ts'
import { backUp, backupPath } from './sqlite-backup.ts'
import { loadSqlite } from './sqlite-driver.ts'
import { isObstacle, type SqliteCause, sqliteCause, storeError } from './sqlite-errors.ts'
import {
  hasUnmergedLog,
  JOURNAL_MODE_AT,
  ROLLBACK_JOURNAL,
  readSqliteFile,
  readSqliteHeader,
  type SqliteHeader,
  WRITE_AHEAD_LOG,
} from './sqlite-header.ts'
import { reasonOf } from './system-reason.ts'

/** What a database of ours looks like. */
export interface SqliteSchema {
  /** How messages call it, such as `pin database`. */
  readonly name: string
  /** Bytes 68 to 71 of the file, as a number. Frozen once released. */
  readonly applicationId: number
  /** SQL scripts: the first creates version 1, each further one adds to it. `user_version` counts them. */
  readonly migrations: readonly string[]
  /** Whether what is deleted is overwritten, so that it cannot be read in the file afterwards. Default false. */
  readonly overwritesDeleted?: boolean
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
  let look = inspect(path, schema)
  if (look === 'missing') {
    await create(path, schema)
    // Somebody else may have been faster, so what is there now is looked at like any other file.
    look = inspect(path, schema)
  }
  const lockTimeoutMs = options.lockTimeoutMs ?? 5000
  const connect = await connector(schema)
  try {
    return await retryWhileLocked(what, lockTimeoutMs, () => {
      const opened = fileAt(path)
      const db = connect(path)
      try {
        // Else it is not known which of the two the connection has.
        requireSameFile(opened, what)
        if (look === 'in_use') requireOurs(headerOf(db), path, schema)
        migrate(db, path, schema, () => connect(path))
        requireWholePages(db, path, schema)
        return new SqliteFile({ db, what, lockTimeoutMs, connect: () => connect(path), opened, degraded: null })
      } catch (error) {
        db.close()
        throw error
      }
    })
  } catch (error) {
    const reason = whyUnwritable(error)
    if (reason === null) throw error
    // What kept the file itself from being opened is the better reason.
    const copy = copyOf(path)
    if (copy === null) throw error
    const db = connect(copy)
    try {
      migrate(db, path, schema, null)
    } catch {
      db.close()
      throw error
    }
    return new SqliteFile({ db, what, lockTimeoutMs, connect: null, opened: null, degraded: reason })
  }
}

interface SqliteParts {
  readonly db: Database
  readonly what: SqliteCause
  readonly lockTimeoutMs: number
  readonly connect: (() => Database) | null
  /** Which file it is; null for a snapshot, which nobody writes. */
  readonly opened: BigIntStats | null
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
   * throws, nothing has happened; nor if the file has been moved, removed or replaced since it was opened.
   */
  write<T>(work: () => T, db: Database = this.db): T | Promise<T> {
    this.requireWritable()
    this.#leaveNoLog()
    return this.attempt(() => {
      this.requireOpen()
      db.pragma('synchronous = FULL')
      try {
        return db
          .transaction(() => {
            const done = work()
            // Last of all: whatever takes the file away from here on takes away what was stored.
            this.#requireSameFile()
            return done
          })
          .immediate()
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
    this.#leaveNoLog()
    const db = await this.attempt(() => {
      // Before: to connect to another file is to merge this one's log into it.
      this.#requireSameFile()
      return connect()
    })
    this.#others.add(db)
    return db
  }

  #requireSameFile(): void {
    const { opened, what } = this.#parts
    if (opened !== null) requireSameFile(opened, what)
  }

  /** Merges the log of a file that has lost its name, as SQLite does not when it closes one. */
  #leaveNoLog(): void {
    try {
      this.#requireSameFile()
    } catch {
      try {
        this.#parts.db.pragma('wal_checkpoint(TRUNCATE)')
      } catch {
        // A program that reads, or a full disk, keeps it from being merged. It is no worse than before.
      }
    }
  }

  /**
   * Writes the file anew without what was deleted from it, and empties its log: neither has a trace of that afterwards.
   * Blocks for as long as it takes to write the whole file once.
   *
   * @returns false if there was no room for that, or if a program that reads kept the old pages from being dropped.
   */
  async erase(): Promise<boolean> {
    this.requireWritable()
    const db = await this.connect()
    try {
      await this.attempt(() => db?.exec('VACUUM'))
      await this.attempt(() => {
        const outcome = db?.prepare<[], { busy: number }>('PRAGMA wal_checkpoint(TRUNCATE)').get()
        if (outcome?.busy !== 0) throw busyError()
      })
      return true
    } catch (error) {
      this.requireOpen()
      const failure = this.failure(error)
      if (isObstacle(failure)) return false
      throw failure
    } finally {
      this.disconnect(db)
    }
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
    this.#leaveNoLog()
    this.#parts.db.close()
  }
}

/** Which file a name leads to. */
function fileAt(path: string): BigIntStats | null {
  // Numbers are not exact for every file system.
  return statSync(path, { bigint: true, throwIfNoEntry: false }) ?? null
}

/** @throws {StoreError} STORE_FAILED if the name leads to another file by now, or to none. */
function requireSameFile(opened: BigIntStats | null, { name, path }: SqliteCause): void {
  const now = fileAt(path)
  if (now?.ino === opened?.ino && now?.dev === opened?.dev) return
  const message = `the ${name} ${path} was moved, removed or replaced since it was opened; open it again`
  throw new StoreError('ERR_TLACACOCA_STORE_FAILED', message)
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

/** What SQLite throws for a lock, where it reports one as a result instead. */
function busyError(): Error {
  return Object.assign(new Error('the log is in use'), { code: 'SQLITE_BUSY' })
}

type Connect = (source: string | Buffer) => Database

async function connector(schema: SqliteSchema): Promise<Connect> {
  const SQLite = await loadSqlite()
  return (source) => {
    const db = new SQLite(source, { timeout: 0, fileMustExist: typeof source === 'string' })
    try {
      // With WAL, NORMAL keeps the file whole whatever happens and may lose the last moments in a power cut. `write` asks
      // for more. A schema in the file may not call functions; a damaged page is found when it is read, not when used.
      db.pragma('synchronous = NORMAL')
      db.pragma('trusted_schema = OFF')
      db.pragma('cell_size_check = ON')
      if (schema.overwritesDeleted === true) db.pragma('secure_delete = ON')
      return db
    } catch (error) {
      // The first of them reads the file. One that cannot be read is not to be kept open either.
      db.close()
      throw error
    }
  }
}

/** Looks at the file, and throws unless it is ours. What this process has in use is to be looked at by `requireOurs`. */
function inspect(path: string, schema: SqliteSchema): 'missing' | 'ours' | 'in_use' {
  let header: SqliteHeader
  try {
    header = readSqliteHeader(path)
  } catch (error) {
    const message = `cannot read the ${schema.name} ${path}: ${reasonOf(error)}`
    throw new StoreError('ERR_TLACACOCA_STORE_FAILED', message, { cause: error })
  }
  const named = `the ${schema.name} ${path}`
  switch (header.kind) {
    case 'missing':
    case 'in_use':
      return header.kind
    case 'empty': {
      const message = `${named} is an empty file, which it never is; restore it, or remove it to start anew`
      throw new StoreError('ERR_TLACACOCA_STORE_CORRUPT', message)
    }
    case 'damaged':
      throw new StoreError('ERR_TLACACOCA_STORE_CORRUPT', `${named} is damaged, or no database at all`)
    case 'database':
      requireOurs(header, path, schema)
      return 'ours'
  }
}

type DatabaseHeader = Pick<Extract<SqliteHeader, { kind: 'database' }>, 'applicationId' | 'userVersion'>

function requireOurs({ applicationId, userVersion }: DatabaseHeader, path: string, schema: SqliteSchema): void {
  if (applicationId !== schema.applicationId) {
    const message = `${path} is the database of another program, not a ${schema.name}`
    throw new StoreError('ERR_TLACACOCA_STORE_FOREIGN', message)
  }
  requireKnownVersion(userVersion, path, schema)
}

function headerOf(db: Database): DatabaseHeader {
  return { applicationId: Number(db.pragma('application_id', { simple: true })), userVersion: versionOf(db) }
}

async function create(path: string, schema: SqliteSchema): Promise<void> {
  // A log without its database holds what was written last. SQLite would merge it into the new file.
  if (hasUnmergedLog(path)) {
    const message = `the ${schema.name} ${path} is missing, but its log ${path}-wal is there; restore it, or remove both`
    throw new StoreError('ERR_TLACACOCA_STORE_CORRUPT', message)
  }
  const db = (await connector(schema))(':memory:')
  db.pragma(`application_id = ${schema.applicationId}`)
  migrate(db, path, schema, null)
  const bytes = db.serialize()
  db.close()
  bytes.set(WRITE_AHEAD_LOG, JOURNAL_MODE_AT)
  try {
    await ensurePrivateDirectory(dirname(path))
    await writeFileAtomic(path, bytes, { mode: 0o600, overwrite: false })
  } catch (error) {
    // Somebody else was faster.
    if (error instanceof FileError && error.code === 'ERR_TLACACOCA_FILE_EXISTS' && error.path === path) return
    throw cannotCreate(path, schema, error)
  }
}

function cannotCreate(path: string, schema: SqliteSchema, error: unknown): StoreError {
  const cause = error instanceof FileError ? error.cause : error
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  const message = `cannot create the ${schema.name} ${path}: ${code === undefined ? error : reasonOf(cause)}`
  const options = { cause: error }
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') {
    return new StoreError('ERR_TLACACOCA_STORE_FULL', message, options)
  }
  if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') {
    return new StoreError('ERR_TLACACOCA_STORE_READ_ONLY', message, options)
  }
  return new StoreError('ERR_TLACACOCA_STORE_FAILED', message, options)
}

function versionOf(db: Database): number {
  return Number(db.pragma('user_version', { simple: true }))
}

/**
 * Brings a database to the newest version; writes nothing if it has it.
 *
 * @param reader - Another connection to it, to make a copy beforehand by; null for what is in memory.
 */
function migrate(db: Database, path: string, schema: SqliteSchema, reader: (() => Database) | null): void {
  const newest = schema.migrations.length
  if (versionOf(db) === newest) return
  db.transaction(() => {
    // Read again under the lock: another process may have migrated, or may be of a newer release.
    const version = versionOf(db)
    requireKnownVersion(version, path, schema)
    if (version === newest) return
    if (reader !== null) keepCopy(reader, path, schema, version)
    for (const script of schema.migrations.slice(version)) db.exec(script)
    db.pragma(`user_version = ${newest}`)
  }).immediate()
}

function keepCopy(reader: () => Database, path: string, schema: SqliteSchema, version: number): void {
  const db = reader()
  try {
    backUp(db, path, version)
  } catch (error) {
    const isSqlite = error instanceof Error && 'code' in error && `${error.code}`.startsWith('SQLITE_')
    throw isSqlite ? error : cannotCreate(backupPath(path, version), schema, error)
  } finally {
    db.close()
  }
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
  // A full quota, which has no code of its own.
  if (code === 'SQLITE_IOERR_WRITE') return 'ERR_TLACACOCA_STORE_FULL'
  // What SQLite says when it may not create the files beside a WAL database.
  return code.startsWith('SQLITE_CANTOPEN') || code.startsWith('SQLITE_IOERR_SHM')
    ? 'ERR_TLACACOCA_STORE_READ_ONLY'
    : null
}

/** A copy of the file that SQLite can open without files beside it; null if that would not be what is stored. */
function copyOf(path: string): Buffer | null {
  const bytes = readSqliteFile(path)
  // Pages in the log would be missing from the copy.
  if (bytes === null || hasUnmergedLog(path)) return null
  bytes.set(ROLLBACK_JOURNAL, JOURNAL_MODE_AT)
  return bytes
}
