// What the disk can do to a pin database, and what must come of it: known servers are still recognised where that is
// possible, nobody new is accepted, and nothing ever reads as a first visit.

import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import SQLite from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { StoreError } from '../../src/errors.ts'
import { endpointFrom, parseEndpoint } from '../../src/names/endpoint.ts'
import { SqlitePinStore } from '../../src/tofu/sqlite-pin-store.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import { testCertificate } from '../support/certificates.ts'
import { runChild } from '../support/run-child.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { pinOf } from '../support/tofu-certificates.ts'

const endpoint = parseEndpoint('example.org:1965')
const pinned = await testCertificate()
const other = await testCertificate()

/** A folder with a pin database, closed, and the two certificates. */
async function prepared() {
  const folder = await temporaryFolder()
  const path = join(folder, 'data', 'pins.db')
  const files = [join(folder, 'pinned.pem'), join(folder, 'other.pem')] as const
  writeFileSync(files[0], pinned.certPem)
  writeFileSync(files[1], other.certPem)
  const store = await TofuStore.open({ path })
  await store.verifyOrTrust(endpoint, pinned.certificate)
  await store.close()
  return { folder, path, files, args: [path, ...files] }
}

async function report(args: readonly string[], options: { shell?: string } = {}): Promise<unknown> {
  const { stdout, stderr } = await runChild('tofu-restricted-child.ts', { args, ...options })
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout)
}

const posix = process.platform === 'win32' ? describe.skip : describe

posix('where nothing can be written', () => {
  const readOnly = {
    open: 'opened',
    pinned: 'trusted',
    changed: 'ERR_TLACACOCA_CERTIFICATE_CHANGED',
    first: 'ERR_TLACACOCA_STORE_READ_ONLY',
    trust: 'ERR_TLACACOCA_STORE_READ_ONLY',
    distrust: 'ERR_TLACACOCA_STORE_READ_ONLY',
    clear: 'ERR_TLACACOCA_STORE_READ_ONLY',
    hosts: ['example.org:1965'],
  }

  function open(folder: string, modes: { data: number; file: number }): void {
    chmodSync(folder, 0o755)
    chmodSync(join(folder, 'data', 'pins.db'), modes.file)
    chmodSync(join(folder, 'data'), modes.data)
    onTestFinished(() => chmodSync(join(folder, 'data'), 0o700))
  }

  it('known servers are recognised from a snapshot, and everything else is an error', async () => {
    const { folder, path, args } = await prepared()
    open(folder, { data: 0o555, file: 0o444 })
    const before = readFileSync(path)
    const found = await report([...args, '--as-nobody'])
    expect(found).toEqual({ ...readOnly, events: ['ERR_TLACACOCA_STORE_READ_ONLY'] })
    expect(readFileSync(path)).toEqual(before)
  })

  it('the folder alone being writable is enough to read the file as it is', async () => {
    const { folder, args } = await prepared()
    open(folder, { data: 0o777, file: 0o444 })
    expect(await report([...args, '--as-nobody'])).toMatchObject(readOnly)
  })

  it('changes that are not in the file yet make the store an error, not an older one', async () => {
    const { folder, path, args } = await prepared()
    const busy = await TofuStore.open({ path })
    onTestFinished(() => busy.close())
    await busy.verifyOrTrust(parseEndpoint('latest.example:1965'), other.certificate)
    const copy = join(folder, 'copy')
    mkdirSync(copy)
    copyFileSync(path, join(copy, 'pins.db'))
    copyFileSync(`${path}-wal`, join(copy, 'pins.db-wal'))
    chmodSync(folder, 0o755)
    chmodSync(join(copy, 'pins.db'), 0o444)
    chmodSync(join(copy, 'pins.db-wal'), 0o444)
    chmodSync(copy, 0o555)
    onTestFinished(() => chmodSync(copy, 0o700))
    const found = await report([join(copy, 'pins.db'), ...args.slice(1), '--as-nobody'])
    expect(found).toMatchObject({ open: expect.stringMatching(/^ERR_TLACACOCA_STORE_/) })
    expect(found).not.toHaveProperty('first')
  })

  it('a file that may not even be read is an error', async () => {
    const { folder, args } = await prepared()
    open(folder, { data: 0o755, file: 0o000 })
    const found = await report([...args, '--as-nobody'])
    expect(found).toEqual({ open: 'ERR_TLACACOCA_STORE_FAILED', events: [] })
  })

  it('a visit to a snapshot is recognised, and its day is not noted', async () => {
    const { path } = await prepared()
    // With this link in its place, no shared memory can be made.
    symlinkSync(join(path, 'nowhere'), `${path}-shm`)
    const before = readFileSync(path)
    const codes: unknown[] = []
    const store = await TofuStore.open({
      path,
      clock: () => Date.now() + 2 * 86_400_000,
      onEvent: (event) => void (event.kind === 'snapshot' && codes.push(event.code)),
    })
    expect(codes).toEqual(['ERR_TLACACOCA_STORE_READ_ONLY'])
    expect(await store.verify(endpoint, pinned.certificate)).toMatchObject({ kind: 'trusted' })
    expect(await store.getHostInfo(endpoint)).toMatchObject({ daysSeen: 1 })
    await expect(store.trust(endpoint, other.certificate)).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_STORE_READ_ONLY',
    })
    await store.close()
    expect(readFileSync(path)).toEqual(before)
  })

  it('a new database is an error', async () => {
    const { folder, args } = await prepared()
    open(folder, { data: 0o555, file: 0o444 })
    const found = await report([join(folder, 'data', 'new.db'), ...args.slice(1), '--as-nobody'])
    expect(found).toEqual({ open: 'ERR_TLACACOCA_STORE_READ_ONLY', events: [] })
  })
})

// No file can grow beyond so many blocks of 512 bytes: what a full disk does, without filling one.
posix('where nothing has room to grow', () => {
  const limit = (blocks: number) => ({ shell: `trap '' XFSZ; ulimit -f ${blocks}` })

  it.each([1, 8, 40])('(%i blocks) known servers are recognised, and everything else is an error', async (blocks) => {
    const { path, args } = await prepared()
    const before = readFileSync(path)
    const found = await report(args, limit(blocks))
    expect(found).toEqual({
      open: 'opened',
      pinned: 'trusted',
      changed: 'ERR_TLACACOCA_CERTIFICATE_CHANGED',
      first: 'ERR_TLACACOCA_STORE_FULL',
      trust: 'ERR_TLACACOCA_STORE_FULL',
      distrust: 'ERR_TLACACOCA_STORE_FULL',
      clear: 'ERR_TLACACOCA_STORE_FULL',
      hosts: ['example.org:1965'],
      events: ['ERR_TLACACOCA_STORE_FULL'],
    })
    expect(readFileSync(path)).toEqual(before)
  })

  it('a visit is not refused because its day cannot be noted', async () => {
    const { path, args } = await prepared()
    // Room for the shared memory, and none for a log.
    const store = await TofuStore.open({ path })
    for (let n = 0; n < 300; n++) await store.trust(endpointFrom(`host${n}.example`, 1965), pinned.certificate)
    await store.close()
    const found = await report(args, limit(64))
    expect(found).toMatchObject({ open: 'opened', pinned: 'trusted', changed: 'ERR_TLACACOCA_CERTIFICATE_CHANGED' })
  })

  it('it works again once there is room', async () => {
    const { path, args } = await prepared()
    await report(args, limit(8))
    const store = await TofuStore.open({ path })
    expect(await store.verify(endpoint, pinned.certificate)).toMatchObject({ kind: 'trusted' })
    await store.trust(endpoint, other.certificate)
    await store.close()
    const again = new SQLite(path)
    expect(again.pragma('integrity_check', { simple: true })).toBe('ok')
    again.close()
  })
})

describe('a damaged file', () => {
  const HOSTS = 250

  /** A database of some hundred hosts, in one file. */
  async function large(): Promise<string> {
    const path = join(await temporaryFolder(), 'pins.db')
    const store = await SqlitePinStore.open(path)
    const now = new Date()
    const { certificate } = pinned
    const changes = Array.from({ length: HOSTS }, (_, n) => {
      const subject = `host${n}.example:1965`
      const pin = {
        subject,
        digest: certificate.fingerprint,
        state: 'trusted' as const,
        keyDigest: certificate.publicKeyFingerprint,
        notAfter: certificate.notAfter,
        firstSeen: now,
        lastSeen: now,
        daysSeen: 1,
        source: 'first_use',
        note: null,
      }
      return { subject, expect: [], put: [pin], remove: [] }
    })
    await store.update({
      changes,
      log: [{ at: now, subject: '', cause: 'imported', old: null, new: null, decidedBy: null }],
    })
    store.close()
    return path
  }

  /** Visits every host with a stranger's certificate, and counts what comes of it. */
  async function visitAll(path: string): Promise<Map<string, number>> {
    const outcomes = new Map<string, number>()
    const count = (what: string) => outcomes.set(what, (outcomes.get(what) ?? 0) + 1)
    let store: TofuStore
    try {
      store = await TofuStore.open({ path, lockTimeoutMs: 20 })
    } catch (error) {
      count(error instanceof StoreError ? error.code : `open: ${error}`)
      return outcomes
    }
    for (let n = 0; n < HOSTS; n++) {
      try {
        const visit = await store.verifyOrTrust(endpointFrom(`host${n}.example`, 1965), other.certificate)
        count(visit.kind)
      } catch (error) {
        count(error instanceof Error && 'code' in error ? String(error.code) : `visit: ${error}`)
      }
    }
    await store.close()
    return outcomes
  }

  it.each([
    { what: 'zeros', fill: () => Buffer.alloc(4096) },
    { what: 'ones', fill: () => Buffer.alloc(4096, 0xff) },
    { what: 'text', fill: () => Buffer.alloc(4096, 'all work and no play ') },
  ])('with $what in any of its pages never reads as a first visit', async ({ fill }) => {
    const path = await large()
    const whole = readFileSync(path)
    const pages = whole.length / 4096
    let damaged = 0
    for (let page = 0; page < pages; page++) {
      const spoiled = Buffer.from(whole)
      fill().copy(spoiled, page * 4096)
      writeFileSync(path, spoiled)
      const outcomes = await visitAll(path)
      expect(Object.fromEntries(outcomes), `page ${page}`).not.toHaveProperty('first_use')
      const allowed = [
        'ERR_TLACACOCA_CERTIFICATE_CHANGED',
        'ERR_TLACACOCA_STORE_CORRUPT',
        'ERR_TLACACOCA_STORE_FOREIGN',
      ]
      for (const outcome of outcomes.keys()) expect(allowed).toContain(outcome)
      if (outcomes.has('ERR_TLACACOCA_STORE_CORRUPT')) damaged++
    }
    expect(pages).toBeGreaterThan(15)
    expect(damaged).toBeGreaterThan(pages / 2)
  })

  it('that lost any of its sectors never reads as a first visit', async () => {
    const path = await large()
    const whole = readFileSync(path)
    for (let at = 0; at < whole.length; at += 512) {
      writeFileSync(path, Buffer.from(whole).fill(0, at, at + 512))
      const outcomes = await visitAll(path)
      expect(Object.fromEntries(outcomes), `at byte ${at}`).not.toHaveProperty('first_use')
    }
  })

  it('that was cut short anywhere never reads as a first visit', async () => {
    const path = await large()
    const whole = readFileSync(path)
    for (let length = 0; length < whole.length; length += 4096 - 512) {
      writeFileSync(path, whole)
      truncateSync(path, length)
      const outcomes = await visitAll(path)
      expect(Object.fromEntries(outcomes), `${length} bytes`).not.toHaveProperty('first_use')
    }
  })

  it('with a pin that is none is an error for that host', async () => {
    const path = await large()
    const raw = new SQLite(path)
    raw.prepare("UPDATE pin SET digest = 'sha256:AA' WHERE subject = 'host1.example:1965'").run()
    raw.prepare("UPDATE pin SET state = 9 WHERE subject = 'host2.example:1965'").run()
    raw.prepare("UPDATE pin SET key_digest = 'x' WHERE subject = 'host3.example:1965'").run()
    raw.close()
    const outcomes = await visitAll(path)
    expect(Object.fromEntries(outcomes)).toEqual({
      ERR_TLACACOCA_STORE_CORRUPT: 3,
      ERR_TLACACOCA_CERTIFICATE_CHANGED: HOSTS - 3,
    })
  })

  it('without its tables is an error', async () => {
    const path = await large()
    const raw = new SQLite(path)
    raw.exec('DROP TABLE pin')
    raw.close()
    await expect(TofuStore.open({ path })).rejects.toBeInstanceOf(StoreError)
  })

  it('that loses its tables while it is open is an error to every question, and is closed all the same', async () => {
    const path = await large()
    const store = await SqlitePinStore.open(path)
    const known = new TofuStore(store)
    const raw = new SQLite(path)
    raw.exec('DROP TABLE pin')
    raw.close()
    const failed = { code: 'ERR_TLACACOCA_STORE_FAILED', message: expect.stringContaining('failed') }
    const { certificate } = pinned
    await expect(known.verify(endpointFrom('host1.example', 1965), certificate)).rejects.toMatchObject(failed)
    await expect(known.verifyOrTrust(endpoint, certificate)).rejects.toMatchObject(failed)
    const note = () => store.seen('host1.example:1965', certificate.fingerprint, Date.now())
    expect(note).toThrow(expect.objectContaining(failed))
    await expect(store.stage()).rejects.toMatchObject(failed)
    await known.close()
    // The last connection that is closed takes the log away.
    expect(readdirSync(dirname(path))).toEqual(['pins.db'])
  })

  it('is not what an import that cannot be kept leaves behind', async () => {
    const path = await large()
    const store = await SqlitePinStore.open(path)
    const before = store.list()
    const stage = await store.stage()
    const pin = pinOf(other.certificate, { subject: 'new.example:1965' })
    expect(() => stage.add([pin, { ...pin, digest: null as never }])).toThrow(
      expect.objectContaining({ code: 'ERR_TLACACOCA_STORE_FAILED' }),
    )
    await stage.close()
    expect(store.list()).toEqual(before)
    store.close()
  })
})

describe('a lock of another program', () => {
  it('does not keep known servers from being recognised, and the day is noted another time', async () => {
    const { path } = await prepared()
    const store = await TofuStore.open({ path, clock: () => Date.now() + 2 * 86_400_000, lockTimeoutMs: 20 })
    const other = new SQLite(path)
    other.exec('BEGIN IMMEDIATE')
    expect(await store.verify(endpoint, pinned.certificate)).toMatchObject({ kind: 'trusted' })
    expect(await store.getHostInfo(endpoint)).toMatchObject({ daysSeen: 1 })
    other.exec('COMMIT')
    other.close()
    expect(await store.verify(endpoint, pinned.certificate)).toMatchObject({ kind: 'trusted' })
    expect(await store.getHostInfo(endpoint)).toMatchObject({ daysSeen: 2 })
    await store.close()
  })

  it('makes a decision wait, and then fail, but never be dropped', async () => {
    const { path } = await prepared()
    const store = await TofuStore.open({ path, lockTimeoutMs: 20 })
    const writer = new SQLite(path)
    writer.exec('BEGIN IMMEDIATE')
    const elsewhere = parseEndpoint('new.example:1965')
    const locked = { code: 'ERR_TLACACOCA_STORE_LOCKED' }
    await expect(store.verifyOrTrust(elsewhere, other.certificate)).rejects.toMatchObject(locked)
    await expect(store.trust(endpoint, other.certificate)).rejects.toMatchObject(locked)
    await expect(store.distrust(endpoint, other.certificate)).rejects.toMatchObject(locked)
    await expect(store.revoke(endpoint)).rejects.toMatchObject(locked)
    await expect(store.clear()).rejects.toMatchObject(locked)
    writer.exec('COMMIT')
    writer.close()
    expect(await store.listHosts()).toHaveLength(1)
    await store.close()
  })
})

it('the file holds no more than its owner may read', async () => {
  const { path } = await prepared()
  expect(statSync(path).mode & 0o077).toBe(0)
})
