// SQLite files of other programs. They are opened for reading only, so that not a byte of them changes.

import { resolve } from 'node:path'
import type { Database } from 'better-sqlite3'
import { StoreError } from '../../errors.ts'
import { show } from '../../internal/arguments.ts'
import { readFileBytes } from '../../internal/atomic-file.ts'
import { loadSqlite } from '../../internal/sqlite-driver.ts'
import { storeError } from '../../internal/sqlite-errors.ts'
import { hasUnmergedLog, JOURNAL_MODE_AT, ROLLBACK_JOURNAL, WRITE_AHEAD_LOG } from '../../internal/sqlite-header.ts'
import { parseInstant } from '../toml-instant.ts'
import { digestFrom, GEMINI_PORT, hostWith, subjectOf } from './fields.ts'
import type { Finding, FindingsBatch } from './findings.ts'
import { type KnownHost, type KnownHostsFormat, Unfit } from './known-host.ts'
import { SourceFile, unreadable } from './source-file.ts'

/** A database that can be read. */
export interface DatabaseFormat {
  readonly name: KnownHostsFormat
  readonly program: string
  readonly table: string
  /** The columns without which the table is another program's. */
  readonly columns: readonly string[]
  /** `last` where a host has one row, `each` where every row of it is a pin. */
  readonly repeats: 'last' | 'each'
  query(columns: ReadonlySet<string>): string
}

export const DATABASE_FORMATS: readonly DatabaseFormat[] = [
  {
    name: 'tlacacoca-sqlite',
    program: 'tlacacoca or nauyaca for Python',
    table: 'known_hosts',
    columns: ['hostname', 'port', 'fingerprint', 'first_seen', 'last_seen'],
    // They keep `Example.org` and `example.org` apart; here the one seen last counts.
    repeats: 'last',
    query: () =>
      `SELECT ${short('hostname')}, port, ${short('fingerprint')}, ${short('first_seen')}, ${short('last_seen')}, 1
       FROM known_hosts ORDER BY last_seen, rowid`,
  },
  {
    name: 'av98',
    program: 'AV-98 or Offpunk before 2.3',
    table: 'cert_cache',
    columns: ['hostname', 'fingerprint', 'first_seen', 'last_seen', 'count'],
    // It takes every certificate that the user ever accepted, at any address of the host.
    repeats: 'each',
    query: (columns) => {
      const port = columns.has('port') ? `coalesce(port, ${GEMINI_PORT})` : `(0 + ${GEMINI_PORT})`
      return `SELECT ${short('hostname')}, ${port}, ${short('fingerprint')},
                ${short('min(first_seen)')}, ${short('max(last_seen)')}, CAST(total(count) AS INTEGER)
              FROM cert_cache GROUP BY hostname, ${port}, fingerprint ORDER BY min(rowid)`
    },
  },
]

/** Which of the formats a database has; null for none. */
export async function findDatabaseFormat(path: string): Promise<DatabaseFormat | null> {
  return withDatabase(path, (db) => DATABASE_FORMATS.find((format) => hasTable(db, format)) ?? null)
}

/** The hosts in a database. The number of a row is its line. */
export async function* findingsInDatabase(
  path: string,
  format: DatabaseFormat,
  size: number,
): AsyncGenerator<FindingsBatch> {
  const db = await openForReading(path)
  try {
    if (!guarded(path, () => hasTable(db, format))) {
      throw unreadable(path, `has no table ${format.table} as ${format.program} has it`)
    }
    const rows = guarded(path, () =>
      db
        .prepare<[], Row>(format.query(columnsOf(db, format.table)))
        .raw()
        .iterate(),
    )
    let line = 0
    while (true) {
      const findings: Finding[] = []
      while (findings.length < BATCH) {
        const next = guarded(path, () => rows.next())
        if (next.done === true) break
        findings.push({ line: ++line, reading: readRow(next.value) })
      }
      yield { findings, bytesRead: findings.length < BATCH ? size : 0 }
      if (findings.length < BATCH) return
    }
  } finally {
    db.close()
  }
}

type Row = readonly [
  host: unknown,
  port: unknown,
  digest: unknown,
  firstSeen: unknown,
  lastSeen: unknown,
  count: unknown,
]

const BATCH = 500

function readRow(row: Row): Finding['reading'] {
  try {
    return hostOf(row)
  } catch (error) {
    if (error instanceof Unfit) return { kind: 'unusable', column: 1, message: error.message }
    /* v8 ignore next -- @preserve only a fault of our own could be another error */
    throw error
  }
}

function hostOf([host, port, digest, first, last, count]: Row): KnownHost {
  if (typeof host !== 'string') throw new Unfit(1, `the host is ${show(host)}, not a text`)
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65535) {
    throw new Unfit(1, `the port of ${show(host)} is ${show(port)}, not a whole number from 1 to 65535`)
  }
  const subject = subjectOf({ text: host, column: 1 }, port)
  const hex = typeof digest === 'string' ? /^(?:sha256:)?([0-9A-Fa-f]{64})$/.exec(digest)?.[1] : undefined
  if (hex === undefined) throw new Unfit(1, `the fingerprint of ${subject} is ${show(digest)}, not a SHA-256`)
  const firstSeen = instantOf(subject, first)
  const lastSeen = instantOf(subject, last)
  const daysSeen = days(count, firstSeen, lastSeen)
  return hostWith({ subject, column: 1, digest: digestFrom('sha256', hex), firstSeen, lastSeen, daysSeen })
}

function instantOf(subject: string, value: unknown): Date {
  const instant = typeof value === 'string' ? parseInstant(value) : undefined
  if (instant === undefined) throw new Unfit(1, `${subject} was seen at ${show(value)}, which is no instant`)
  return instant
}

/** A host that was seen so many times was seen on no more days, and on no more than there were. */
function days(count: unknown, firstSeen: Date, lastSeen: Date): number {
  const between = Math.floor(Math.abs(lastSeen.getTime() - firstSeen.getTime()) / 86_400_000) + 1
  return typeof count === 'number' && Number.isInteger(count) && count >= 1 ? Math.min(count, between) : 1
}

/** Texts are longer in hostile files only. */
function short(column: string): string {
  return `substr(${column}, 1, 600)`
}

function hasTable(db: Database, format: DatabaseFormat): boolean {
  // Not a view, which could compute for ever, nor a table that is a module's.
  const sql = db
    .prepare<[string], string>("SELECT substr(sql, 1, 20) FROM sqlite_schema WHERE type = 'table' AND name = ?")
    .pluck()
    .get(format.table)
  if (sql === undefined || !/^CREATE TABLE/i.test(sql)) return false
  const columns = columnsOf(db, format.table)
  return format.columns.every((name) => columns.has(name))
}

function columnsOf(db: Database, table: string): Set<string> {
  return new Set(db.prepare<[string], string>('SELECT name FROM pragma_table_info(?)').pluck().all(table))
}

async function withDatabase<T>(path: string, look: (db: Database) => T): Promise<T> {
  const db = await openForReading(path)
  try {
    return guarded(path, () => look(db))
  } finally {
    db.close()
  }
}

async function openForReading(path: string): Promise<Database> {
  const SQLite = await loadSqlite()
  // An absolute path is none of SQLite's special names. The driver would look for a name without these spaces.
  const absolute = resolve(path)
  if (absolute !== absolute.trim()) throw unreadable(path, 'has a name with spaces at its end')
  const copy = await copyOfWal(path)
  return guarded(path, () => {
    const db = new SQLite(copy ?? absolute, { readonly: true, fileMustExist: copy === null, timeout: 0 })
    db.pragma('trusted_schema = OFF')
    db.pragma('cell_size_check = ON')
    return db
  })
}

/**
 * A copy in memory of a database that is in WAL mode: SQLite would make two files beside it, only to read it, and leave
 * them there. Null if it is in another mode, as those of all programs here are by themselves; if there is a log, which has
 * to be read too; or if it is large.
 *
 * @throws {StoreError} STORE_CORRUPT if its last page was cut off: SQLite would read zeros there, and miss what it held.
 */
async function copyOfWal(path: string): Promise<Buffer | null> {
  if (hasUnmergedLog(path)) return null
  const file = await SourceFile.open(path, { again: true })
  try {
    // https://sqlite.org/fileformat.html section 1.3: bytes 16 and 17 are the size of a page, 1 for 65,536.
    const header = await file.head(HEADER_LENGTH)
    if (header.length < HEADER_LENGTH) return null
    const pageSize = header.readUInt16BE(16) === 1 ? 65_536 : header.readUInt16BE(16)
    if (file.size % pageSize !== 0) {
      throw new StoreError('ERR_TLACACOCA_STORE_CORRUPT', `the database ${path} is cut short`)
    }
    if (file.size > MAX_COPY || header[JOURNAL_MODE_AT] !== WRITE_AHEAD_LOG[0]) return null
  } finally {
    await file.close()
  }
  const bytes = await readFileBytes(path, { maxBytes: MAX_COPY })
  bytes.set(ROLLBACK_JOURNAL, JOURNAL_MODE_AT)
  return bytes
}

const HEADER_LENGTH = 100
const MAX_COPY = 256 * 1024 * 1024

function guarded<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw storeError(error, { name: 'database', path })
  }
}
