// What SQLite and the file system answer when something goes wrong that cannot be had at will: a quota, a file system
// that fails, another program that migrates at the same moment. The driver is the real one, in front of which a fault waits.

import { copyFileSync, existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import { FileError } from '../../src/errors.ts'
import { openSqlite, type SqliteFile, type SqliteSchema } from '../../src/internal/sqlite.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

interface Faults {
  /** Thrown when a file is opened; what is in memory opens. */
  opening: unknown
  /** Thrown when a new file is put in place. */
  placing: unknown
  /** Called when a connection is about to begin a transaction. */
  beforeTransaction: () => void
}

const faults = vi.hoisted((): Faults => ({ opening: null, placing: null, beforeTransaction: () => {} }))

vi.mock('../../src/internal/sqlite-driver.ts', async () => {
  const { default: Driver } = await import('better-sqlite3')
  function Faulty(source: string | Buffer, options: SQLite.Options): SQLite.Database {
    if (faults.opening !== null && typeof source === 'string' && source !== ':memory:') throw faults.opening
    const db = new Driver(source, options)
    const transaction = db.transaction.bind(db)
    return Object.assign(db, {
      transaction: (work: () => unknown) => {
        faults.beforeTransaction()
        return transaction(work)
      },
    })
  }
  return { loadSqlite: async () => Faulty }
})

vi.mock('../../src/internal/atomic-file.ts', async (original) => {
  const real = await original<typeof import('../../src/internal/atomic-file.ts')>()
  return {
    ...real,
    writeFileAtomic: async (...args: Parameters<typeof real.writeFileAtomic>) => {
      if (faults.placing !== null) throw faults.placing
      return real.writeFileAtomic(...args)
    },
  }
})

beforeEach(() => {
  Object.assign(faults, { opening: null, placing: null, beforeTransaction: () => {} })
})

const SCHEMA: SqliteSchema = {
  name: 'note database',
  applicationId: 0x74657374,
  migrations: ['CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT'],
}
const NEXT: SqliteSchema = { ...SCHEMA, migrations: [...SCHEMA.migrations, 'ALTER TABLE note ADD COLUMN author TEXT'] }

async function open(path: string, schema = SCHEMA): Promise<SqliteFile> {
  const file = await openSqlite(path, schema, { lockTimeoutMs: 0 })
  onTestFinished(() => file.close())
  return file
}

async function existing(): Promise<string> {
  const path = join(await temporaryFolder(), 'notes.db')
  const file = await open(path)
  await file.write(() => file.db.exec("INSERT INTO note(text) VALUES ('kept')"))
  file.close()
  return path
}

function notes(file: SqliteFile): unknown[] {
  return file.db.prepare('SELECT text FROM note ORDER BY id').pluck().all()
}

function sqliteError(code: string): Error {
  return Object.assign(new Error('SQLite said no'), { code })
}

it.each([
  { code: 'SQLITE_READONLY', degraded: 'ERR_TLACACOCA_STORE_READ_ONLY' },
  { code: 'SQLITE_PERM', degraded: 'ERR_TLACACOCA_STORE_READ_ONLY' },
  { code: 'SQLITE_CANTOPEN', degraded: 'ERR_TLACACOCA_STORE_READ_ONLY' },
  { code: 'SQLITE_IOERR_SHMOPEN', degraded: 'ERR_TLACACOCA_STORE_READ_ONLY' },
  { code: 'SQLITE_FULL', degraded: 'ERR_TLACACOCA_STORE_FULL' },
  { code: 'SQLITE_IOERR_WRITE', degraded: 'ERR_TLACACOCA_STORE_FULL' },
] as const)('where SQLite says $code, a snapshot answers and cannot be written', async ({ code, degraded }) => {
  const path = await existing()
  faults.opening = sqliteError(code)
  const file = await open(path)
  expect(file.degraded).toBe(degraded)
  expect(notes(file)).toEqual(['kept'])
  expect(() => file.write(() => file.db.exec('DELETE FROM note'))).toThrow(expect.objectContaining({ code: degraded }))
  // Nor is there another connection to it, and none to close.
  const connection = await file.connect()
  expect(connection).toBeNull()
  file.disconnect(connection)
  expect(notes(file)).toEqual(['kept'])
})

it.each([
  { code: 'SQLITE_IOERR_READ', ours: 'ERR_TLACACOCA_STORE_FAILED' },
  { code: 'SQLITE_CORRUPT', ours: 'ERR_TLACACOCA_STORE_CORRUPT' },
  { code: 'SQLITE_BUSY', ours: 'ERR_TLACACOCA_STORE_LOCKED' },
])('where SQLite says $code, no snapshot hides it', async ({ code, ours }) => {
  const path = await existing()
  faults.opening = sqliteError(code)
  await expect(open(path)).rejects.toMatchObject({ code: ours, cause: faults.opening })
})

it('a mistake is not taken for bad weather', async () => {
  const path = await existing()
  faults.opening = new TypeError('a mistake')
  await expect(open(path)).rejects.toBe(faults.opening)
})

it('what is only in the log would be missing from a snapshot, so there is none', async () => {
  const path = await existing()
  writeFileSync(`${path}-wal`, 'what was written last')
  faults.opening = sqliteError('SQLITE_CANTOPEN')
  await expect(open(path)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_FAILED', cause: faults.opening })
})

it('a snapshot that cannot be brought up to date is not opened', async () => {
  const path = await existing()
  faults.opening = sqliteError('SQLITE_CANTOPEN')
  const bad = { ...SCHEMA, migrations: [...SCHEMA.migrations, 'ALTER TABLE nothing ADD COLUMN author TEXT'] }
  await expect(open(path, bad)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_FAILED', cause: faults.opening })
})

it.each([
  { code: 'ENOSPC', ours: 'ERR_TLACACOCA_STORE_FULL' },
  { code: 'EDQUOT', ours: 'ERR_TLACACOCA_STORE_FULL' },
  { code: 'EFBIG', ours: 'ERR_TLACACOCA_STORE_FULL' },
  { code: 'EROFS', ours: 'ERR_TLACACOCA_STORE_READ_ONLY' },
  { code: 'EACCES', ours: 'ERR_TLACACOCA_STORE_READ_ONLY' },
  { code: 'EPERM', ours: 'ERR_TLACACOCA_STORE_READ_ONLY' },
  { code: 'EIO', ours: 'ERR_TLACACOCA_STORE_FAILED' },
])('a database that cannot be created for $code is $ours', async ({ code, ours }) => {
  const path = join(await temporaryFolder(), 'notes.db')
  const cause = Object.assign(new Error('no'), { code })
  faults.placing = new FileError('ERR_TLACACOCA_FILE_UNWRITABLE', path, 'cannot write', { cause })
  await expect(open(path)).rejects.toMatchObject({ code: ours, message: expect.stringContaining(code) })
  expect(existsSync(path)).toBe(false)
})

it('a file whose first page makes no sense is closed again', async () => {
  const path = await existing()
  const bytes = readFileSync(path)
  // A page size that there is not.
  bytes.writeUInt16BE(3, 16)
  writeFileSync(path, bytes)
  await expect(open(path)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_CORRUPT' })
  const open_ = readdirSync('/dev/fd').filter((name) => isSameFile(name, path))
  expect(open_).toEqual([])
})

function isSameFile(descriptor: string, path: string): boolean {
  return statSync(`/dev/fd/${descriptor}`, { throwIfNoEntry: false })?.ino === statSync(path).ino
}

it('two programs that migrate at the same moment do it once', async () => {
  const path = await existing()
  let isOther = true
  faults.beforeTransaction = () => {
    if (!isOther) return
    isOther = false
    const other = new SQLite(path)
    other.exec(
      `${NEXT.migrations[1]}; INSERT INTO note(text, author) VALUES ('theirs', 'ben'); PRAGMA user_version = 2`,
    )
    other.close()
  }
  const file = await open(path, NEXT)
  expect(isOther).toBe(false)
  expect(file.degraded).toBeNull()
  expect(notes(file)).toEqual(['kept', 'theirs'])
})

it('a last page that a crash left unfinished is taken from the log', async () => {
  const path = await existing()
  const theirs = new SQLite(path)
  onTestFinished(() => void theirs.close())
  theirs.pragma('wal_autocheckpoint = 0')
  theirs.exec("INSERT INTO note(text) VALUES ('in the log')")
  // As it is when the program is killed while it merges the log.
  const copy = join(await temporaryFolder(), 'notes.db')
  copyFileSync(path, copy)
  copyFileSync(`${path}-wal`, `${copy}-wal`)
  truncateSync(copy, statSync(copy).size - 100)
  const file = await open(copy)
  expect(notes(file)).toEqual(['kept', 'in the log'])
  // Without the log it is lost, and that is said.
  const alone = join(await temporaryFolder(), 'notes.db')
  copyFileSync(path, alone)
  truncateSync(alone, statSync(alone).size - 100)
  await expect(open(alone)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_CORRUPT' })
})

it('a file that is damaged is not written anew, and it does not pass for one that is in use', async () => {
  const path = await existing()
  const file = await open(path)
  const bytes = readFileSync(path)
  bytes.fill(0xff, bytes.length - 4096)
  writeFileSync(path, bytes)
  await expect(file.erase()).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_CORRUPT' })
})
