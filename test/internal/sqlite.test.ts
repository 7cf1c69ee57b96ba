import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import SQLite from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { StoreError } from '../../src/errors.ts'
import { openSqlite, type SqliteFile, type SqliteOptions, type SqliteSchema } from '../../src/internal/sqlite.ts'
import { storeError } from '../../src/internal/sqlite-errors.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const SCHEMA: SqliteSchema = {
  name: 'note database',
  applicationId: 0x74657374,
  migrations: ['CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT'],
}
const NEXT: SqliteSchema = { ...SCHEMA, migrations: [...SCHEMA.migrations, 'ALTER TABLE note ADD COLUMN author TEXT'] }

async function open(path: string, schema = SCHEMA, options: SqliteOptions = {}): Promise<SqliteFile> {
  const file = await openSqlite(path, schema, options)
  onTestFinished(() => file.close())
  return file
}

async function freshPath(): Promise<string> {
  return join(await temporaryFolder(), 'notes.db')
}

/** A path at which there is a database of ours with one note, closed. */
async function existing(schema = SCHEMA): Promise<string> {
  const path = await freshPath()
  const file = await open(path, schema)
  await file.write(() => file.db.exec("INSERT INTO note(text) VALUES ('kept')"))
  file.close()
  return path
}

function notes(file: SqliteFile): unknown[] {
  return file.db.prepare('SELECT text FROM note ORDER BY id').pluck().all()
}

function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8)
}

function snapshotOf(path: string) {
  const { mtimeMs, size, ino } = statSync(path)
  return { bytes: readFileSync(path), mtimeMs, size, ino }
}

describe('a new database', () => {
  it.each([0o000, 0o022, 0o077])(
    'is its owner’s only under the umask %i, and so are the files beside it',
    async (mask) => {
      const folder = await temporaryFolder()
      const before = process.umask(mask)
      onTestFinished(() => void process.umask(before))
      const file = await open(join(folder, 'a', 'b', 'notes.db'))
      await file.write(() => file.db.exec("INSERT INTO note(text) VALUES ('x')"))
      const inside = readdirSync(join(folder, 'a', 'b')).sort()
      expect(inside).toEqual(['notes.db', 'notes.db-shm', 'notes.db-wal'])
      for (const name of inside) expect(modeOf(join(folder, 'a', 'b', name)), name).toBe('600')
      expect(modeOf(join(folder, 'a'))).toBe('700')
      expect(modeOf(join(folder, 'a', 'b'))).toBe('700')
    },
  )

  it('says whose it is from its first byte on', async () => {
    const path = await freshPath()
    await open(path)
    const header = readFileSync(path)
    expect(header.readUInt32BE(68)).toBe(SCHEMA.applicationId)
    expect(header.readUInt32BE(60)).toBe(1)
    expect([header[18], header[19]]).toEqual([2, 2])
  })

  it('is made once by many who open it at the same time', async () => {
    const path = await freshPath()
    const files = await Promise.all(Array.from({ length: 16 }, () => open(path)))
    for (const [n, file] of files.entries()) {
      await file.write(() => file.db.prepare('INSERT INTO note(text) VALUES (?)').run(`${n}`))
    }
    for (const file of files) expect(notes(file)).toHaveLength(16)
    expect(readdirSync(join(path, '..')).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  it('is not made beside the log of one that is gone', async () => {
    const path = await freshPath()
    writeFileSync(`${path}-wal`, 'what was written last')
    await expect(open(path)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_CORRUPT' })
    expect(readdirSync(join(path, '..'))).toEqual(['notes.db-wal'])
  })

  it('cannot be in a folder that is a file', async () => {
    const path = await freshPath()
    writeFileSync(path, 'a file')
    const inside = join(path, 'notes.db')
    await expect(open(inside)).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_STORE_FAILED',
      message: `cannot read the note database ${inside}: ENOTDIR: not a directory`,
    })
  })
})

describe('a database that is in order', () => {
  it('is not written to by opening and reading it', async () => {
    const path = await existing()
    const before = snapshotOf(path)
    const file = await open(path)
    expect(notes(file)).toEqual(['kept'])
    file.close()
    expect(snapshotOf(path)).toEqual(before)
    expect(readdirSync(join(path, '..'))).toEqual(['notes.db'])
  })

  it('keeps the permissions that its owner gave it', async () => {
    const path = await existing()
    chmodSync(path, 0o640)
    await open(path)
    expect(modeOf(path)).toBe('640')
  })
})

describe('what is not ours is refused, and untouched', () => {
  it.each([
    { what: 'another program’s database', sql: 'CREATE TABLE moz_places(id INTEGER PRIMARY KEY)' },
    { what: 'one in WAL mode', sql: 'PRAGMA journal_mode = WAL; CREATE TABLE a(b)' },
    { what: 'one with another application id', sql: 'PRAGMA application_id = 252006674; CREATE TABLE a(b)' },
    { what: 'one with a table of our name', sql: 'CREATE TABLE note(id INTEGER PRIMARY KEY, text TEXT)' },
    { what: 'an empty one that somebody made', sql: 'PRAGMA user_version = 0; VACUUM' },
  ])('$what', async ({ sql }) => {
    const path = await freshPath()
    const theirs = new SQLite(path)
    theirs.exec(sql)
    theirs.close()
    const before = snapshotOf(path)
    await expect(open(path)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_FOREIGN' })
    expect(snapshotOf(path)).toEqual(before)
    expect(readdirSync(join(path, '..'))).toEqual(['notes.db'])
  })

  it('one that its program has open and has written to', async () => {
    const path = await freshPath()
    const theirs = new SQLite(path)
    onTestFinished(() => void theirs.close())
    theirs.exec('PRAGMA journal_mode = WAL; CREATE TABLE a(b); INSERT INTO a VALUES (1)')
    const before = [snapshotOf(path), snapshotOf(`${path}-wal`)]
    await expect(open(path)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_FOREIGN' })
    expect([snapshotOf(path), snapshotOf(`${path}-wal`)]).toEqual(before)
  })

  it('one of a later release', async () => {
    const path = await existing(NEXT)
    const before = snapshotOf(path)
    const failure = await open(path).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'ERR_TLACACOCA_STORE_NEWER', message: expect.stringContaining('version 2') })
    expect(snapshotOf(path)).toEqual(before)
    expect(readdirSync(join(path, '..'))).toEqual(['notes.db'])
  })

  it('one that a later release has just migrated, which the file itself does not say yet', async () => {
    const path = await existing()
    const later = await open(path, NEXT)
    expect(readFileSync(path).readUInt32BE(60)).toBe(1)
    await expect(open(path)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_NEWER' })
    expect(notes(later)).toEqual(['kept'])
  })
})

describe('damage is an error, never a fresh start', () => {
  it.each([
    { what: 'nothing', spoil: (path: string) => truncateSync(path, 0) },
    { what: 'half a header', spoil: (path: string) => truncateSync(path, 50) },
    { what: 'text', spoil: (path: string) => writeFileSync(path, 'example.org sha256:00\n'.repeat(500)) },
    { what: 'zeros', spoil: (path: string) => writeFileSync(path, Buffer.alloc(8192)) },
  ])('if there is $what in the file', async ({ spoil }) => {
    const path = await existing()
    spoil(path)
    const before = snapshotOf(path)
    await expect(open(path)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_CORRUPT' })
    expect(snapshotOf(path)).toEqual(before)
  })

  it('if the path is a folder', async () => {
    const folder = await temporaryFolder()
    await expect(open(folder)).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_STORE_FAILED',
      message: `cannot read the note database ${folder}: EISDIR: it is a folder, and no file`,
    })
  })
})

describe('migration', () => {
  it('adds what is new and keeps what is there', async () => {
    const path = await existing()
    const file = await open(path, NEXT)
    expect(notes(file)).toEqual(['kept'])
    expect(file.db.pragma('user_version', { simple: true })).toBe(2)
    expect(() => file.db.exec("UPDATE note SET author = 'me'")).not.toThrow()
  })

  it('happens once if many open the file at the same time', async () => {
    const path = await existing()
    const files = await Promise.all(Array.from({ length: 8 }, () => open(path, NEXT)))
    for (const file of files) expect(notes(file)).toEqual(['kept'])
  })

  it('waits for whoever is writing', async () => {
    const path = await existing()
    const writer = new SQLite(path)
    onTestFinished(() => void writer.close())
    writer.exec('BEGIN IMMEDIATE')
    const opening = open(path, NEXT)
    await turn()
    writer.exec('COMMIT')
    expect((await opening).db.pragma('user_version', { simple: true })).toBe(2)
  })

  it('leaves a copy of what was there beside the file, for its owner only', async () => {
    const path = await existing()
    chmodSync(path, 0o644)
    const before = process.umask(0)
    onTestFinished(() => void process.umask(before))
    const file = await open(path, NEXT)
    await file.write(() => file.db.exec("INSERT INTO note(text) VALUES ('later')"))
    const backup = `${path}.v1-backup`
    expect(modeOf(backup)).toBe('600')
    expect(readdirSync(join(path, '..')).filter((name) => name.endsWith('.tmp'))).toEqual([])
    // It is a database of the release before, as good as the file was.
    const old = await open(backup, SCHEMA)
    expect(notes(old)).toEqual(['kept'])
    expect(old.db.pragma('journal_mode', { simple: true })).toBe('wal')
    expect(old.db.pragma('integrity_check', { simple: true })).toBe('ok')
  })

  it('copies also what is in the log only', async () => {
    const path = await existing()
    const busy = await open(path)
    await busy.write(() => busy.db.exec("INSERT INTO note(text) VALUES ('in the log')"))
    await open(path, NEXT)
    expect(notes(await open(`${path}.v1-backup`))).toEqual(['kept', 'in the log'])
  })

  it('leaves a copy that is there as it is', async () => {
    const path = await existing()
    const backup = `${path}.v1-backup`
    const copy = await open(backup)
    await copy.write(() => copy.db.exec("INSERT INTO note(text) VALUES ('first time')"))
    copy.close()
    expect(notes(await open(path, NEXT))).toEqual(['kept'])
    expect(notes(await open(backup))).toEqual(['first time'])
  })

  it.each([
    ['another file', (name: string) => writeFileSync(name, 'mine')],
    ['a database of another version', (name: string) => new SQLite(name).exec('CREATE TABLE other(a)').close()],
    ['a folder', (name: string) => mkdirSync(name)],
    ['a link that leads nowhere', (name: string) => symlinkSync('nowhere', name)],
  ])('does not happen without a copy: %s is in the way, and stays', async (_, place) => {
    const path = await existing()
    const backup = `${path}.v1-backup`
    place(backup)
    const before = lstatSync(backup)
    await expect(open(path, NEXT)).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_STORE_FAILED',
      message: expect.stringContaining(backup),
    })
    expect(lstatSync(backup)).toMatchObject({ ino: before.ino, size: before.size, mtimeMs: before.mtimeMs })
    expect(readdirSync(join(path, '..'))).not.toContain('nowhere')
    expect((await open(path)).db.pragma('user_version', { simple: true })).toBe(1)
  })

  it('makes no copy of a new database, nor where there is nothing to migrate', async () => {
    const path = await freshPath()
    ;(await open(path, NEXT)).close()
    ;(await open(path, NEXT)).close()
    expect(readdirSync(join(path, '..'))).toEqual(['notes.db'])
  })

  it('leaves one copy if many open the file at the same time', async () => {
    const path = await existing()
    await Promise.all(Array.from({ length: 8 }, () => open(path, NEXT)))
    expect(notes(await open(`${path}.v1-backup`))).toEqual(['kept'])
  })

  it('that fails leaves the database as it was', async () => {
    const path = await existing()
    const broken = {
      ...SCHEMA,
      migrations: [...SCHEMA.migrations, 'ALTER TABLE note ADD COLUMN a TEXT; SELECT nonsense'],
    }
    await expect(open(path, broken)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_FAILED' })
    const file = await open(path)
    expect(file.db.pragma('user_version', { simple: true })).toBe(1)
    expect(file.db.prepare('SELECT * FROM note').columns()).toHaveLength(2)
  })
})

describe('a lock of another program', () => {
  it('is waited for without blocking the event loop', async () => {
    const path = await existing()
    const file = await open(path)
    const other = new SQLite(path)
    onTestFinished(() => void other.close())
    other.exec('BEGIN IMMEDIATE')
    let turns = 0
    const writing = Promise.resolve(file.write(() => file.db.exec("INSERT INTO note(text) VALUES ('late')")))
    for (; turns < 100; turns++) await turn()
    expect(notes(file)).toEqual(['kept'])
    other.exec('COMMIT')
    await writing
    expect(turns).toBe(100)
    expect(notes(file)).toEqual(['kept', 'late'])
  })

  it('that stays is an error after the time that was given', async () => {
    const path = await existing()
    const file = await open(path, SCHEMA, { lockTimeoutMs: 20 })
    const other = new SQLite(path)
    onTestFinished(() => void other.close())
    other.exec('BEGIN IMMEDIATE')
    const failure = await Promise.resolve(file.write(() => 1)).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'ERR_TLACACOCA_STORE_LOCKED', cause: { code: 'SQLITE_BUSY' } })
  })

  it('is not waited for by one who has been closed', async () => {
    const path = await existing()
    const file = await open(path)
    const other = new SQLite(path)
    onTestFinished(() => void other.close())
    other.exec('BEGIN IMMEDIATE')
    const writing = Promise.resolve(file.write(() => 1))
    file.close()
    await expect(writing).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_CLOSED' })
  })
})

describe('write', () => {
  it('undoes everything if the work throws, whatever it throws', async () => {
    const file = await open(await existing())
    const failure = new Error('changed my mind')
    expect(() =>
      file.write(() => {
        file.db.exec("INSERT INTO note(text) VALUES ('half')")
        throw failure
      }),
    ).toThrow(failure)
    expect(notes(file)).toEqual(['kept'])
    await file.write(() => file.db.exec("INSERT INTO note(text) VALUES ('whole')"))
    expect(notes(file)).toEqual(['kept', 'whole'])
  })

  it('is on the disk when it answers, and other work is not slowed down by that', async () => {
    const file = await open(await existing())
    const during = await file.write(() => file.db.pragma('synchronous', { simple: true }))
    expect(during).toBe(2)
    expect(file.db.pragma('synchronous', { simple: true })).toBe(1)
  })

  it('on a connection of its own does not mix with others', async () => {
    const file = await open(await existing())
    const own = await file.connect()
    if (own === null) throw new Error('no connection')
    own.exec("BEGIN; INSERT INTO note(text) VALUES ('undone')")
    expect(notes(file)).toEqual(['kept'])
    own.exec('ROLLBACK')
    file.disconnect(own)
    await file.write(() => file.db.exec("INSERT INTO note(text) VALUES ('whole')"))
    expect(notes(file)).toEqual(['kept', 'whole'])
  })
})

it('closes every connection, and does nothing the second time', async () => {
  const path = await existing()
  const file = await open(path)
  const own = await file.connect()
  file.close()
  file.close()
  expect(own?.open).toBe(false)
  expect(() => file.db).toThrow(/has been closed/)
  expect(readdirSync(join(path, '..'))).toEqual(['notes.db'])
})

it('never blocks inside SQLite', async () => {
  const file = await open(await existing())
  expect(file.db.pragma('busy_timeout', { simple: true })).toBe(0)
  expect((await file.connect())?.pragma('busy_timeout', { simple: true })).toBe(0)
})

describe('the error for', () => {
  const store = { name: 'note database', path: '/notes.db' }

  it.each([
    ['SQLITE_BUSY', 'LOCKED'],
    ['SQLITE_BUSY_RECOVERY', 'LOCKED'],
    ['SQLITE_BUSY_SNAPSHOT', 'LOCKED'],
    ['SQLITE_LOCKED_SHAREDCACHE', 'LOCKED'],
    ['SQLITE_CORRUPT', 'CORRUPT'],
    ['SQLITE_CORRUPT_INDEX', 'CORRUPT'],
    ['SQLITE_NOTADB', 'CORRUPT'],
    ['SQLITE_IOERR_SHORT_READ', 'CORRUPT'],
    ['SQLITE_READONLY', 'READ_ONLY'],
    ['SQLITE_READONLY_DIRECTORY', 'READ_ONLY'],
    ['SQLITE_FULL', 'FULL'],
    ['SQLITE_IOERR_SHMSIZE', 'FULL'],
    ['SQLITE_IOERR_WRITE', 'FAILED'],
    ['SQLITE_CANTOPEN', 'FAILED'],
    ['SQLITE_NOMEM', 'FAILED'],
    ['SQLITE_SOMETHING_NEW', 'FAILED'],
  ])('%s is STORE_%s', (sqlite, ours) => {
    const cause = Object.assign(new Error('details'), { code: sqlite })
    const error = storeError(cause, store)
    expect(error).toBeInstanceOf(StoreError)
    expect(error).toMatchObject({ code: `ERR_TLACACOCA_STORE_${ours}`, cause })
    expect(error.message).toContain(sqlite)
  })

  it.each([new TypeError('a bug'), Object.assign(new Error('x'), { code: 'ENOENT' }), 'text', null])(
    '%s is thrown on as it is',
    (other) => {
      let thrown: unknown
      try {
        storeError(other, store)
      } catch (error) {
        thrown = error
      }
      expect(thrown).toBe(other)
    },
  )
})
