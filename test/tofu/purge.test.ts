// Forgetting hosts that were not seen for a time, and that nothing of them is left to read.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { endpointFrom, parseEndpoint } from '../../src/names/endpoint.ts'
import { MemoryPinStore } from '../../src/tofu/memory-pin-store.ts'
import { PIN_SCHEMA } from '../../src/tofu/schema.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import { testCertificate } from '../support/certificates.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const DAY = 86_400_000
const NOW = Date.parse('2030-06-01T12:00:00Z')
const { certificate } = await testCertificate()
const other = (await testCertificate()).certificate

/** A clock that can be moved. */
function movable(now = NOW): { (): number; now: number } {
  const clock = Object.assign(() => clock.now, { now })
  return clock
}

async function openAt(path: string, clock: () => number, lockTimeoutMs = 5000): Promise<TofuStore> {
  const store = await TofuStore.open({ path, clock, lockTimeoutMs })
  onTestFinished(() => store.close())
  return store
}

/** Which of some texts can be read anywhere in the files beside `path`, in any case of their letters. */
function legible(path: string, texts: readonly string[]): string[] {
  const folder = join(path, '..')
  const all = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1').toLowerCase())
  return texts.filter((text) => all.some((bytes) => bytes.includes(text)))
}

describe('TofuStore.purge', () => {
  it('forgets the hosts that were not seen for so many days, and tells how many', async () => {
    const clock = movable()
    const store = new TofuStore(new MemoryPinStore(), { clock })
    const [old, seen, fresh] = ['old', 'seen', 'fresh'].map((name) => endpointFrom(`${name}.example`, 1965))
    if (old === undefined || seen === undefined || fresh === undefined) throw new Error('no endpoints')
    await store.verifyOrTrust(old, certificate)
    await store.verifyOrTrust(seen, certificate)
    clock.now += 20 * DAY
    await store.verifyOrTrust(seen, certificate)
    await store.verifyOrTrust(fresh, certificate)
    clock.now += 11 * DAY
    const purged = await store.purge({ notSeenForDays: 30 })
    expect(purged).toEqual({ subjects: 1, pins: 1, lines: 1, erased: true })
    expect((await store.listHosts()).map((host) => host.host)).toEqual(['fresh.example', 'seen.example'])
    expect(await store.history(old)).toEqual([])
    expect(await store.verifyOrTrust(old, other)).toMatchObject({ kind: 'first_use' })
  })

  it('keeps what the owner’s word was compared with, unless it is told not to', async () => {
    const clock = movable()
    const store = new TofuStore(new MemoryPinStore(), { clock })
    const endpoint = parseEndpoint('example.org:1965')
    await store.trust(endpoint, certificate, { verified: true })
    clock.now += 1000 * DAY
    expect(await store.purge({ notSeenForDays: 1 })).toMatchObject({ subjects: 0 })
    expect(await store.purge({ notSeenForDays: 1, verified: true })).toMatchObject({ subjects: 1 })
  })

  it('keeps marks, and refuses what they name', async () => {
    const clock = movable()
    const store = new TofuStore(new MemoryPinStore(), { clock })
    const endpoint = parseEndpoint('example.org:1965')
    await store.distrust(endpoint, other)
    await store.verifyOrTrust(endpoint, certificate)
    clock.now += 1000 * DAY
    expect(await store.purge({ notSeenForDays: 1 })).toMatchObject({ subjects: 1, pins: 1, lines: 1 })
    await expect(store.verifyOrTrust(endpoint, other)).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_CERTIFICATE_DISTRUSTED',
    })
    expect((await store.history(endpoint)).map((line) => line.cause)).toEqual(['distrusted'])
  })

  it.each([
    {},
    { notSeenForDays: 0 },
    { notSeenForDays: 1.5 },
    { notSeenForDays: -1 },
    { notSeenForDays: '30' },
    { notSeenForDays: Number.NaN },
    { notSeenForDays: 30, verified: 1 },
    { notSeenForDays: 30, before: new Date() },
  ])('refuses %j', async (options) => {
    const store = TofuStore.inMemory()
    const refusal = await store.purge(options as never).catch((error: unknown) => error)
    expect(refusal instanceof TypeError || refusal instanceof RangeError).toBe(true)
  })
})

describe('in the files, nothing can be read of', () => {
  const hosts = Array.from({ length: 600 }, (_, n) => `secret${String((n * 337) % 600).padStart(3, '0')}.example`)
  const left = Array.from({ length: 50 }, (_, n) => `kept${n}.example`)

  /** A store with a past: hosts in any order, pins replaced, revoked and pinned again. */
  async function filled(path: string, clock: { now: number } & (() => number)): Promise<TofuStore> {
    const store = await openAt(path, clock)
    for (const [n, host] of hosts.entries()) {
      const endpoint = endpointFrom(host, 1965)
      await store.verifyOrTrust(endpoint, certificate)
      if (n % 3 === 0) await store.trust(endpoint, other, { note: `note on ${host}` })
      if (n % 5 === 0) await store.revoke(endpoint)
    }
    clock.now += 100 * DAY
    for (const host of left) await store.verifyOrTrust(endpointFrom(host, 1965), certificate)
    return store
  }

  it('hosts that were purged, while all of it stays of the others', async () => {
    const path = join(await temporaryFolder(), 'pins.db')
    const store = await filled(path, movable())
    expect(legible(path, hosts)).toHaveLength(hosts.length)
    const purged = await store.purge({ notSeenForDays: 30 })
    expect(purged).toMatchObject({ subjects: 480, erased: true })
    expect(legible(path, ['secret'])).toEqual([])
    expect(legible(path, left)).toEqual(left)
    expect(existsSync(`${path}-wal`)).toBe(true)
    expect(statSync(`${path}-wal`).size).toBeLessThan(10_000)
    expect(await store.listHosts()).toHaveLength(left.length)
    await store.close()
    expect(legible(path, ['secret'])).toEqual([])
  })

  it('anything after a clear', async () => {
    const path = join(await temporaryFolder(), 'pins.db')
    const store = await filled(path, movable())
    await store.clear()
    expect(legible(path, ['secret', 'kept'])).toEqual([])
  })

  it('hosts that were deleted by a release that did not overwrite them', async () => {
    const path = join(await temporaryFolder(), 'pins.db')
    await (await TofuStore.open({ path })).close()
    const raw = new SQLite(path)
    const put = raw.prepare("INSERT INTO pin VALUES (?, ?, 0, NULL, NULL, 0, 0, 1, 'first_use', NULL)")
    for (const host of hosts) put.run(`${host}:1965`, certificate.fingerprint)
    raw.exec("DELETE FROM pin WHERE subject < 'secret5'")
    raw.close()
    expect(legible(path, ['secret1'])).toEqual(['secret1'])
    const store = await openAt(path, () => NOW)
    expect(await store.purge({ notSeenForDays: 30 })).toMatchObject({ subjects: 100, erased: true })
    expect(legible(path, ['secret'])).toEqual([])
  })

  it('the hosts once a program that reads has ended, and until then it is said that it can', async () => {
    const path = join(await temporaryFolder(), 'pins.db')
    const clock = movable()
    await (await filled(path, clock)).close()
    const store = await openAt(path, clock, 20)
    const reader = new SQLite(path)
    onTestFinished(() => void reader.close())
    reader.exec('BEGIN')
    expect(reader.prepare('SELECT count(*) FROM pin').pluck().get()).toBeGreaterThan(0)
    expect(await store.purge({ notSeenForDays: 30 })).toMatchObject({ subjects: 480, erased: false })
    expect(legible(path, ['secret'])).toEqual(['secret'])
    expect(await store.listHosts()).toHaveLength(left.length)
    reader.exec('COMMIT')
    // Nothing is left to remove, and the erasing is not forgotten, also not by the next program.
    await store.close()
    const next = await openAt(path, clock)
    expect(await next.purge({ notSeenForDays: 30 })).toEqual({ subjects: 0, pins: 0, lines: 0, erased: true })
    expect(legible(path, ['secret'])).toEqual([])
  })

  it('a purge that finds nothing does not write the file anew', async () => {
    const path = join(await temporaryFolder(), 'pins.db')
    const store = await filled(path, movable())
    const before = statSync(path)
    expect(await store.purge({ notSeenForDays: 1000 })).toEqual({ subjects: 0, pins: 0, lines: 0, erased: true })
    expect(statSync(path)).toMatchObject({ size: before.size, mtimeMs: before.mtimeMs })
  })
})

it('a pin file overwrites what is deleted from the first', () => {
  expect(PIN_SCHEMA.overwritesDeleted).toBe(true)
})
