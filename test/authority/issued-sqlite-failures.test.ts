// What the disk can do to the store of an authority, and what must come of it: no certificate is signed that is not on the
// disk, what was revoked stays so, and a damaged file never passes for a store that knows of nothing.

import { chmodSync, copyFileSync, existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { SqliteIssuedStore } from '../../src/authority/sqlite-issued-store.ts'
import {
  allOf,
  begin,
  issue,
  keyOf,
  prepare,
  publishList,
  revocation,
  START,
  serialOf,
  statusOf,
} from '../../src/testing/contract-issued.ts'
import { SqlitePinStore } from '../../src/tofu/sqlite-pin-store.ts'
import { runChild } from '../support/run-child.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/** A folder with a store, closed. */
async function prepared() {
  const folder = await temporaryFolder()
  const path = join(folder, 'data', 'ca.db')
  const store = await SqliteIssuedStore.open(path)
  await issue(store, 'issued', { notifyAt: START })
  await issue(store, 'revoked')
  await begin(store, 'pending')
  await store.revoke(revocation('revoked'))
  await publishList(store)
  store.close()
  return { folder, path }
}

async function report(args: readonly string[], options: { shell?: string } = {}): Promise<unknown> {
  const { stdout, stderr } = await runChild('issued-restricted-child.ts', { args, ...options })
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout)
}

/** What can be read is answered, and everything else is this error. */
function outcome(code: string) {
  const writes = ['begin', 'complete', 'abandon', 'revoke', 'hold', 'block', 'crl', 'claim', 'record']
  return {
    open: 'opened',
    degraded: code,
    issued: 'issued',
    revoked: 'revoked',
    pending: 'pending',
    list: 3,
    trail: 4,
    current: 1,
    ...Object.fromEntries(writes.map((name) => [name, code])),
    still: 'issued',
  }
}

const posix = process.platform === 'win32' ? describe.skip : describe

posix('the files', () => {
  it('are for their owner only, from the beginning, and so is the folder that is made for them', async () => {
    const { folder, path } = await prepared()
    expect(statSync(join(folder, 'data')).mode & 0o777).toBe(0o700)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const store = await SqliteIssuedStore.open(path)
    onTestFinished(() => store.close())
    await begin(store, 'next')
    expect(statSync(`${path}-wal`).mode & 0o777).toBe(0o600)
    expect(statSync(`${path}-shm`).mode & 0o777).toBe(0o600)
  })

  it('are not written to by reading them', async () => {
    const { path } = await prepared()
    const before = readFileSync(path)
    const store = await SqliteIssuedStore.open(path)
    expect(await allOf(store.list({}))).toHaveLength(3)
    expect(await store.currentCrl()).not.toBeNull()
    store.close()
    expect(readFileSync(path)).toEqual(before)
  })
})

posix('where nothing can be written', () => {
  it('what was revoked stays so, and nothing is begun', async () => {
    const { folder, path } = await prepared()
    chmodSync(folder, 0o755)
    chmodSync(path, 0o444)
    chmodSync(join(folder, 'data'), 0o555)
    onTestFinished(() => chmodSync(join(folder, 'data'), 0o700))
    const before = readFileSync(path)
    expect(await report([path, '--as-nobody'])).toEqual(outcome('ERR_TLACACOCA_STORE_READ_ONLY'))
    expect(readFileSync(path)).toEqual(before)
  })

  it('a new store is an error', async () => {
    const { folder } = await prepared()
    chmodSync(folder, 0o755)
    chmodSync(join(folder, 'data'), 0o555)
    onTestFinished(() => chmodSync(join(folder, 'data'), 0o700))
    const found = await report([join(folder, 'data', 'new.db'), '--as-nobody'])
    expect(found).toEqual({ open: 'ERR_TLACACOCA_STORE_READ_ONLY' })
  })
})

// No file can grow beyond so many blocks of 512 bytes: what a full disk does, without filling one.
posix('where nothing has room to grow', () => {
  it.each([1, 8, 40])('(%i blocks) what was revoked stays so, and nothing is begun', async (blocks) => {
    const { path } = await prepared()
    const before = readFileSync(path)
    const found = await report([path], { shell: `trap '' XFSZ; ulimit -f ${blocks}` })
    expect(found).toEqual(outcome('ERR_TLACACOCA_STORE_FULL'))
    expect(readFileSync(path)).toEqual(before)
  })
})

describe('another program’s database', () => {
  it('of pins, or of anybody else, is refused and left as it is', async () => {
    const folder = await temporaryFolder()
    const pins = join(folder, 'pins.db')
    ;(await SqlitePinStore.open(pins)).close()
    const foreign = join(folder, 'foreign.db')
    const db = new SQLite(foreign)
    db.exec('CREATE TABLE certificate(serial)')
    db.close()
    for (const path of [pins, foreign]) {
      const before = readFileSync(path)
      await expect(SqliteIssuedStore.open(path)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_FOREIGN' })
      expect(readFileSync(path)).toEqual(before)
    }
  })

  it('of a later release is refused and left as it is', async () => {
    const { path } = await prepared()
    const db = new SQLite(path)
    db.pragma('user_version = 2')
    db.close()
    const before = readFileSync(path)
    await expect(SqliteIssuedStore.open(path)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_NEWER' })
    expect(readFileSync(path)).toEqual(before)
  })

  it('of another authority is refused, and no other authority than the first is written down', async () => {
    const path = join(await temporaryFolder(), 'ca.db')
    const [own, other] = [keyOf('own'), keyOf('other')]
    ;(await SqliteIssuedStore.open(path)).close()
    ;(await SqliteIssuedStore.open(path, { authority: own })).close()
    await expect(SqliteIssuedStore.open(path, { authority: other })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_AUTHORITY_MISMATCH',
    })
    expect(existsSync(`${path}-wal`)).toBe(false)
    const before = readFileSync(path)
    ;(await SqliteIssuedStore.open(path, { authority: own })).close()
    ;(await SqliteIssuedStore.open(path)).close()
    expect(readFileSync(path)).toEqual(before)
  })
})

describe('a damaged file', () => {
  it('never makes what was revoked good or unknown, wherever it is cut or overwritten', async () => {
    const { path } = await prepared()
    const store = await SqliteIssuedStore.open(path)
    for (let n = 0; n < 40; n++) await issue(store, `${n}`)
    store.close()
    const size = statSync(path).size
    const outcomes = new Set<unknown>()
    for (let page = 0; page < size / 4096; page++) {
      for (const how of ['cut', 'zero', 'junk'] as const) {
        const copy = join(await temporaryFolder(), 'ca.db')
        copyFileSync(path, copy)
        if (how === 'cut') truncateSync(copy, page * 4096 + 2048)
        else {
          const bytes = readFileSync(copy)
          bytes.fill(how === 'zero' ? 0 : 0xa5, Math.max(page * 4096, 100), (page + 1) * 4096)
          writeFileSync(copy, bytes)
        }
        try {
          const damaged = await SqliteIssuedStore.open(copy, { lockTimeoutMs: 20 })
          try {
            outcomes.add(await statusOf(damaged, 'revoked'))
          } finally {
            damaged.close()
          }
        } catch (error) {
          outcomes.add(error instanceof Error && 'code' in error ? String(error.code) : String(error))
        }
      }
    }
    expect(outcomes).toContain('revoked')
    outcomes.delete('revoked')
    for (const each of outcomes) expect(each).toMatch(/^ERR_TLACACOCA_STORE_/)
    expect(outcomes.size).toBeGreaterThan(0)
  })

  it.each([
    { what: 'a certificate that is none', sql: `UPDATE certificate SET der = x'3000'` },
    { what: 'a certificate of nothing', sql: `UPDATE certificate SET der = x''` },
  ])('with $what is an error', async ({ sql }) => {
    const { path } = await prepared()
    const db = new SQLite(path)
    db.prepare(`${sql} WHERE serial = ?`).run(serialOf('issued'))
    db.close()
    const store = await SqliteIssuedStore.open(path)
    onTestFinished(() => store.close())
    const error = { code: 'ERR_TLACACOCA_STORE_CORRUPT', message: expect.stringContaining(path) }
    await expect((async () => store.get(serialOf('issued')))()).rejects.toMatchObject(error)
    await expect(allOf(store.list({}))).rejects.toMatchObject(error)
    const again = await prepare('again', { requestSha256: (await prepare('issued')).row.requestSha256 })
    await expect((async () => store.begin(again.row, { since: START }))()).rejects.toMatchObject(error)
    expect(await statusOf(store, 'revoked')).toBe('revoked')
  })

  it('that has lost count of its lists is an error, and takes no number twice', async () => {
    const { path } = await prepared()
    const db = new SQLite(path)
    db.exec('DELETE FROM crl_state')
    db.close()
    const store = await SqliteIssuedStore.open(path)
    onTestFinished(() => store.close())
    const error = { code: 'ERR_TLACACOCA_STORE_CORRUPT' }
    await expect((async () => store.beginCrl(START))()).rejects.toMatchObject(error)
    expect(await store.currentCrl()).toBeNull()
  })
})

it('no certificate is deleted, and none that is revoked comes back, by whatever program', async () => {
  const { path } = await prepared()
  const db = new SQLite(path)
  onTestFinished(() => void db.close())
  expect(() => db.exec('DELETE FROM certificate')).toThrow('certificates are never deleted')
  const back = `UPDATE certificate SET status = 'issued', reason = NULL WHERE status = 'revoked'`
  expect(() => db.exec(back)).toThrow('what is revoked stays so')
  const store = await SqliteIssuedStore.open(path)
  onTestFinished(() => store.close())
  expect(store.degraded).toBeNull()
  expect(await allOf(store.list({}))).toHaveLength(3)
  expect(await statusOf(store, 'revoked')).toBe('revoked')
})

describe('opening', () => {
  it.each([
    ['', {}, /"path"/],
    [':memory:', {}, /"path"/],
    ['file:a', {}, /"path"/],
    ['a ', {}, /"path"/],
    [7, {}, /"path"/],
    ['a', { lockTimeoutMs: -1 }, /"lockTimeoutMs"/],
    ['a', { lockTimeout: 1 }, /no option/],
  ])('%j with %j makes no file', async (path, options, message) => {
    await expect(SqliteIssuedStore.open(path as never, options as never)).rejects.toThrow(message)
    for (const name of ['a', ':memory:', 'file:a']) expect(existsSync(name)).toBe(false)
  })
})

it('a store that is locked for longer than one waits is an error, and nothing has happened', async () => {
  const { path } = await prepared()
  const store = await SqliteIssuedStore.open(path, { lockTimeoutMs: 30 })
  onTestFinished(() => store.close())
  const db = new SQLite(path)
  onTestFinished(() => void db.close())
  db.exec('BEGIN IMMEDIATE')
  const { row } = await prepare('next')
  await expect(store.begin(row, null)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_LOCKED' })
  await expect(store.revoke(revocation('issued'))).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_LOCKED' })
  // Reading goes on.
  expect(await statusOf(store, 'issued')).toBe('issued')
  expect(await statusOf(store, 'next')).toBeUndefined()
  // Whoever waits for the lock gets it when it is free.
  const patient = await SqliteIssuedStore.open(path)
  onTestFinished(() => patient.close())
  const waiting = patient.begin(row, null)
  db.exec('ROLLBACK')
  expect(await waiting).toEqual({ kind: 'begun' })
})

it('a write that fails in its middle leaves neither a change nor an event', async () => {
  const { path } = await prepared()
  const db = new SQLite(path)
  onTestFinished(() => void db.close())
  db.exec(`CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT raise(ABORT, 'no'); END`)
  const store = await SqliteIssuedStore.open(path)
  onTestFinished(() => store.close())
  const { certificate } = await prepare('pending')
  const writes = [
    () => store.complete(serialOf('pending'), certificate, START, START),
    () => store.revoke(revocation('issued', { withKey: true })),
    () => store.hold({ serial: serialOf('issued'), at: START, by: null }),
    () => store.abandonPending(START + 1, START),
    () => store.blockKey({ publicKey: keyOf('x'), at: START, by: null }),
    () => store.beginCrl(START),
  ]
  for (const write of writes) {
    await expect((async () => write())()).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_FAILED' })
  }
  expect(await statusOf(store, 'pending')).toBe('pending')
  expect(await statusOf(store, 'issued')).toBe('issued')
  expect(await store.isKeyBlocked(keyOf('x'))).toBe(false)
  expect(await store.isKeyBlocked(keyOf('issued'))).toBe(false)
  expect((await store.currentCrl())?.number).toBe(1n)
  expect(await allOf(store.auditTrail())).toHaveLength(4)
  expect(await store.claimNotices(START, START, 9)).toHaveLength(1)
  db.exec('DROP TRIGGER broken')
  expect((await store.beginCrl(START)).number).toBe(2n)
})
