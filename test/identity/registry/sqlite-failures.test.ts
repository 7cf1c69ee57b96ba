// What the disk can do to an identity database, and what must come of it: users are still recognised where that is
// possible, whoever was revoked stays out, and nobody who is known ever reads as a stranger.

import { chmodSync, copyFileSync, existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { IdentityRegistry } from '../../../src/identity/registry/identity-registry.ts'
import { SqlitePinStore } from '../../../src/tofu/sqlite-pin-store.ts'
import { runChild } from '../../support/run-child.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { person } from './support.ts'

const origin = 'example.org:1965'

/** A folder with an identity database, closed, and three certificates. */
async function prepared() {
  const folder = await temporaryFolder()
  const path = join(folder, 'data', 'users.db')
  const people = [person(), person(), person()] as const
  const files = people.map(({ certificate }, n) => {
    const file = join(folder, `${n}.pem`)
    writeFileSync(file, certificate.toPem())
    return file
  })
  const registry = await IdentityRegistry.open({ path, origin })
  const [ana, revoked] = people
  await registry.register(ana.peer, { handle: 'ana' })
  const { credential } = await registry.redeemLinkCode(revoked.peer, (await registry.createLinkCode(ana.peer)).code)
  await registry.revoke(ana.peer, credential.id)
  await registry.close()
  return { folder, path, people, args: [path, ...files] }
}

async function report(args: readonly string[], options: { shell?: string } = {}): Promise<unknown> {
  const { stdout, stderr } = await runChild('identity-restricted-child.ts', { args, ...options })
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout)
}

function outcome(code: string) {
  return {
    open: 'opened',
    known: 'known',
    revoked: 'refused',
    other: 'unknown',
    register: code,
    code,
    recover: code,
    events: [code],
  }
}

const posix = process.platform === 'win32' ? describe.skip : describe

posix('the files', () => {
  it('are for their owner only, from the beginning, and so is the folder that is made for them', async () => {
    const { folder, path } = await prepared()
    expect(statSync(join(folder, 'data')).mode & 0o777).toBe(0o700)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const registry = await IdentityRegistry.open({ path, origin })
    onTestFinished(() => registry.close())
    await registry.prune()
    expect(statSync(`${path}-wal`).mode & 0o777).toBe(0o600)
  })

  it('are not written to by opening them', async () => {
    const { path, people } = await prepared()
    const before = readFileSync(path)
    const registry = await IdentityRegistry.open({ path, origin })
    await registry.resolve(people[2].peer)
    await registry.close()
    expect(readFileSync(path)).toEqual(before)
  })
})

posix('where nothing can be written', () => {
  it('users are recognised from a snapshot, and everything else is an error', async () => {
    const { folder, path, args } = await prepared()
    chmodSync(folder, 0o755)
    chmodSync(path, 0o444)
    chmodSync(join(folder, 'data'), 0o555)
    onTestFinished(() => chmodSync(join(folder, 'data'), 0o700))
    const before = readFileSync(path)
    expect(await report([...args, '--as-nobody'])).toEqual(outcome('ERR_TLACACOCA_STORE_READ_ONLY'))
    expect(readFileSync(path)).toEqual(before)
  })

  it('a new database is an error', async () => {
    const { folder, args } = await prepared()
    chmodSync(folder, 0o755)
    chmodSync(join(folder, 'data'), 0o555)
    onTestFinished(() => chmodSync(join(folder, 'data'), 0o700))
    const found = await report([join(folder, 'data', 'new.db'), ...args.slice(1), '--as-nobody'])
    expect(found).toEqual({ open: 'ERR_TLACACOCA_STORE_READ_ONLY', events: [] })
  })
})

// No file can grow beyond so many blocks of 512 bytes: what a full disk does, without filling one.
posix('where nothing has room to grow', () => {
  it.each([1, 8, 40])('(%i blocks) users are recognised, and everything else is an error', async (blocks) => {
    const { path, args } = await prepared()
    const before = readFileSync(path)
    const found = await report(args, { shell: `trap '' XFSZ; ulimit -f ${blocks}` })
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
    db.exec('CREATE TABLE x(y)')
    db.close()
    for (const path of [pins, foreign]) {
      const before = readFileSync(path)
      await expect(IdentityRegistry.open({ path, origin })).rejects.toMatchObject({
        code: 'ERR_TLACACOCA_STORE_FOREIGN',
      })
      expect(readFileSync(path)).toEqual(before)
    }
  })

  it('of a later release is refused', async () => {
    const { path } = await prepared()
    const db = new SQLite(path)
    db.pragma('user_version = 2')
    db.close()
    await expect(IdentityRegistry.open({ path, origin })).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_NEWER' })
  })
})

describe('a damaged file', () => {
  it('never makes a user a stranger, wherever it is cut or overwritten', async () => {
    const { path, people } = await prepared()
    const registry = await IdentityRegistry.open({ path, origin, limiter: { take: () => ({ allowed: true }) } })
    for (let n = 0; n < 60; n++) await registry.register(person().peer, { handle: `user-${n}` })
    await registry.close()
    const size = statSync(path).size
    const outcomes = new Set<string>()
    for (let page = 0; page < size / 4096; page++) {
      for (const how of ['cut', 'zero', 'junk'] as const) {
        const copy = join(await temporaryFolder(), 'users.db')
        copyFileSync(path, copy)
        if (how === 'cut') truncateSync(copy, page * 4096 + 2048)
        else {
          const bytes = readFileSync(copy)
          bytes.fill(how === 'zero' ? 0 : 0xa5, Math.max(page * 4096, 100), (page + 1) * 4096)
          writeFileSync(copy, bytes)
        }
        try {
          const damaged = await IdentityRegistry.open({ path: copy, origin, lockTimeoutMs: 20 })
          try {
            for (const { peer } of people.slice(0, 2)) outcomes.add((await damaged.resolve(peer)).kind)
          } finally {
            await damaged.close()
          }
        } catch (error) {
          outcomes.add(error instanceof Error && 'code' in error ? String(error.code) : String(error))
        }
      }
    }
    outcomes.delete('known')
    outcomes.delete('refused')
    for (const each of outcomes) expect(each).toMatch(/^ERR_TLACACOCA_STORE_/)
    expect(outcomes.size).toBeGreaterThan(0)
  })
})

describe('opening', () => {
  it.each([
    [{}, /either "path" or "appName"/],
    [{ path: 'a', appName: 'b' }, /either "path" or "appName"/],
    [{ path: '' }, /"path"/],
    [{ path: ':memory:' }, /"path"/],
    [{ path: 'a', lockTimeoutMs: -1 }, /"lockTimeoutMs"/],
    [{ appName: '../b' }, /"appName"/],
    [{ path: 'a', lockTimeout: 1 }, /no option/],
  ])('with %j makes no file', async (options, message) => {
    await expect(IdentityRegistry.open({ origin, ...options } as never)).rejects.toThrow(message)
    expect(existsSync('a')).toBe(false)
  })

  it('by the name of a program is where the platform keeps its data', async () => {
    if (process.platform !== 'linux') return
    const folder = await temporaryFolder()
    const before = process.env.XDG_DATA_HOME
    process.env.XDG_DATA_HOME = folder
    onTestFinished(() => {
      if (before === undefined) delete process.env.XDG_DATA_HOME
      else process.env.XDG_DATA_HOME = before
    })
    await (await IdentityRegistry.open({ appName: 'guest-book', origin })).close()
    expect(existsSync(join(folder, 'guest-book', 'users.db'))).toBe(true)
  })

  it('with the wrong pepper leaves the file closed', async () => {
    const { path } = await prepared()
    await expect(IdentityRegistry.open({ path, origin, pepper: new Uint8Array(16) })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_IDENTITY_PEPPER_MISMATCH',
    })
    expect(existsSync(`${path}-wal`)).toBe(false)
  })
})

it('a database that is locked for longer than one waits is an error, and a visit does not wait', async () => {
  const { path, people } = await prepared()
  let now = Date.now()
  const events: unknown[] = []
  const registry = await IdentityRegistry.open({
    path,
    origin,
    lockTimeoutMs: 30,
    clock: () => now,
    onEvent: (event) => events.push(event),
  })
  onTestFinished(() => registry.close())
  const db = new SQLite(path)
  onTestFinished(() => void db.close())
  db.exec('BEGIN IMMEDIATE')
  now += 3 * 86_400_000
  expect(await registry.resolve(people[0].peer)).toMatchObject({ kind: 'known' })
  await expect(registry.register(people[2].peer)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_LOCKED' })
  expect(events).toEqual([])
  db.exec('ROLLBACK')
  expect(await registry.register(people[2].peer)).toMatchObject({ user: { handle: null } })
})
