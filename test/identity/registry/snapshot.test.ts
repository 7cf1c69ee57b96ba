// A database on a disk where SQLite may not write, in the same process: what a program is told, and what is left undone.
// The driver is the real one, in front of which a fault waits.

import { join } from 'node:path'
import type SQLite from 'better-sqlite3'
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import type { IdentityEvent } from '../../../src/identity/registry/context.ts'
import { IdentityRegistry } from '../../../src/identity/registry/identity-registry.ts'
import { SqliteIdentityStore } from '../../../src/identity/registry/sqlite-identity-store.ts'
import { parseEndpoint } from '../../../src/names/endpoint.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { person } from './support.ts'

interface Faults {
  /** Thrown when a file is opened; what is in memory opens. */
  opening: unknown
  /** Thrown when a transaction begins. */
  beginning: unknown
  /** Thrown when the log is merged. */
  merging: unknown
}

const faults = vi.hoisted((): Faults => ({ opening: null, beginning: null, merging: null }))

vi.mock('../../../src/internal/sqlite-driver.ts', async () => {
  const { default: Driver } = await import('better-sqlite3')
  function Faulty(source: string | Buffer, options: SQLite.Options): SQLite.Database {
    if (faults.opening !== null && typeof source === 'string' && source !== ':memory:') throw faults.opening
    const db = new Driver(source, options)
    const transaction = db.transaction.bind(db)
    const pragma = db.pragma.bind(db)
    return Object.assign(db, {
      transaction: (work: () => unknown) => {
        if (faults.beginning !== null) throw faults.beginning
        return transaction(work)
      },
      pragma: (text: string, options?: SQLite.PragmaOptions) => {
        if (faults.merging !== null && text.startsWith('wal_checkpoint')) throw faults.merging
        return pragma(text, options)
      },
    })
  }
  return { loadSqlite: async () => Faulty }
})

beforeEach(() => {
  Object.assign(faults, { opening: null, beginning: null, merging: null })
})

const origin = parseEndpoint('example.org:1965')

function sqliteError(code: string): Error {
  return Object.assign(new Error('SQLite said no'), { code })
}

/** A database with one user. */
async function prepared() {
  const path = join(await temporaryFolder(), 'users.db')
  const ana = person()
  const registry = await IdentityRegistry.open({ path, origin })
  const { user, credential } = await registry.register(ana.peer, { handle: 'ana' })
  await registry.close()
  return { path, ana, user, credential }
}

async function openStore(path: string): Promise<SqliteIdentityStore> {
  const store = await SqliteIdentityStore.open(path, { lockTimeoutMs: 0 })
  onTestFinished(() => store.close())
  return store
}

it.each([
  { code: 'SQLITE_CANTOPEN', ours: 'ERR_TLACACOCA_STORE_READ_ONLY' },
  { code: 'SQLITE_FULL', ours: 'ERR_TLACACOCA_STORE_FULL' },
])('a program is told that it has a snapshot, and why ($ours)', async ({ code, ours }) => {
  const { path, ana } = await prepared()
  faults.opening = sqliteError(code)
  const events: IdentityEvent[] = []
  const registry = await IdentityRegistry.open({ path, origin, onEvent: (event) => void events.push(event) })
  onTestFinished(() => registry.close())
  expect(events).toEqual([{ kind: 'snapshot', path, code: ours }])
  expect(await registry.resolve(ana.peer)).toMatchObject({ kind: 'known' })
  await expect(registry.register(person().peer)).rejects.toMatchObject({ code: ours })
})

it('that a user was seen is not noted in a snapshot, which would be forgotten', async () => {
  const { path, user, credential } = await prepared()
  faults.opening = sqliteError('SQLITE_CANTOPEN')
  const store = await openStore(path)
  expect(store.degraded).toBe('ERR_TLACACOCA_STORE_READ_ONLY')
  // Were it tried, it would fail.
  faults.beginning = sqliteError('SQLITE_CORRUPT')
  expect(() => store.touch(user.id, 30_000, [{ credentialId: credential.id, day: 30_000, notAfter: 0 }])).not.toThrow()
})

it.each(['SQLITE_BUSY', 'SQLITE_FULL', 'SQLITE_READONLY'])('a date is lost over %s without a word', async (code) => {
  const { path, user } = await prepared()
  const store = await openStore(path)
  faults.beginning = sqliteError(code)
  store.touch(user.id, 30_000, [])
  faults.beginning = null
  const account = await store.account(user.id, 0)
  expect(account?.user).toMatchObject({ id: user.id })
  expect(account?.user.lastSeenDay).not.toBe(30_000)
})

it('a date is not lost over a damaged file without a word', async () => {
  const { path, user } = await prepared()
  const store = await openStore(path)
  faults.beginning = sqliteError('SQLITE_CORRUPT')
  expect(() => store.touch(user.id, 30_000, [])).toThrow(
    expect.objectContaining({ code: 'ERR_TLACACOCA_STORE_CORRUPT', cause: faults.beginning }),
  )
})

it('a user is erased while another program reads, and the log is left to whoever is next', async () => {
  const { path, user } = await prepared()
  const store = await openStore(path)
  faults.merging = sqliteError('SQLITE_LOCKED')
  expect(await store.erase(user.id, Date.now())).toBe(true)
  faults.merging = null
  expect((await store.account(user.id, 0))?.user).toMatchObject({ handle: null, erasedAt: expect.any(Number) })
})

it('a log that cannot be merged for another reason is an error: what was erased may still be in it', async () => {
  const { path, user } = await prepared()
  const store = await openStore(path)
  faults.merging = sqliteError('SQLITE_IOERR_FSYNC')
  const erase = async () => store.erase(user.id, Date.now())
  await expect(erase()).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_FAILED', cause: faults.merging })
})
