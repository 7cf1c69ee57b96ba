// Pin databases of another release: an older one is brought up to date and a copy kept, a newer one is left alone.

import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { endpointFrom, parseEndpoint } from '../../src/names/endpoint.ts'
import { PIN_SCHEMA } from '../../src/tofu/schema.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import { testCertificate } from '../support/certificates.ts'
import { runChild, startChild } from '../support/run-child.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

vi.setConfig({ testTimeout: 120_000 })

const endpoint = parseEndpoint('example.org:1965')
const pinned = await testCertificate()
const other = await testCertificate()
const NEWEST = PIN_SCHEMA.migrations.length

/** A file as the first release made it, with some hosts. */
function makeFirstVersion(path: string, hosts = 20): void {
  const raw = new SQLite(path)
  raw.pragma(`application_id = ${PIN_SCHEMA.applicationId}`)
  raw.pragma('journal_mode = WAL')
  raw.exec(PIN_SCHEMA.migrations[0] ?? '')
  raw.pragma('user_version = 1')
  const { fingerprint, publicKeyFingerprint } = pinned.certificate
  const put = raw.prepare("INSERT INTO pin VALUES (?, ?, 0, ?, NULL, ?, ?, 1, 'first_use', 'a note')")
  raw.transaction(() => {
    put.run('example.org:1965', fingerprint, publicKeyFingerprint, Date.now(), Date.now())
    for (let n = 1; n < hosts; n++) put.run(`host${n}.example:1965`, fingerprint, publicKeyFingerprint, 1, 1)
  })()
  raw.exec("INSERT INTO change(at, subject, cause) VALUES (1, 'example.org:1965', 'first_use')")
  raw.close()
  chmodSync(path, 0o600)
}

function setVersion(path: string, version: number): void {
  const raw = new SQLite(path)
  raw.pragma(`application_id = ${PIN_SCHEMA.applicationId}`)
  raw.pragma(`user_version = ${version}`)
  raw.close()
}

function versionOf(path: string): unknown {
  const raw = new SQLite(path)
  const version = raw.pragma('user_version', { simple: true })
  expect(raw.pragma('integrity_check', { simple: true })).toBe('ok')
  raw.close()
  return version
}

async function works(path: string, hosts = 20): Promise<void> {
  const store = await TofuStore.open({ path })
  expect(await store.verify(endpoint, pinned.certificate)).toMatchObject({ kind: 'trusted' })
  await expect(store.verifyOrTrust(endpoint, other.certificate)).rejects.toMatchObject({
    code: 'ERR_TLACACOCA_CERTIFICATE_CHANGED',
  })
  expect(await store.listHosts()).toHaveLength(hosts)
  expect(await store.history(endpoint)).toHaveLength(1)
  await store.close()
}

describe('a file of the first release', () => {
  it('is brought up to date with all that is in it, and a copy of it is kept', async () => {
    const path = join(await temporaryFolder(), 'pins.db')
    makeFirstVersion(path)
    await works(path)
    expect(versionOf(path)).toBe(NEWEST)
    expect(statSync(`${path}.v1-backup`).mode & 0o777).toBe(0o600)
    expect(readdirSync(join(path, '..')).sort()).toEqual(['pins.db', 'pins.db.v1-backup'])
    expect(versionOf(`${path}.v1-backup`)).toBe(1)
    // Whoever puts the copy back has what they had.
    copyFileSync(`${path}.v1-backup`, path)
    await works(path)
  })

  it.each<[string, (backup: string) => void]>([
    ['a folder', (backup) => mkdirSync(backup)],
    ['an empty file', (backup) => writeFileSync(backup, '')],
    ['a text', (backup) => writeFileSync(backup, 'notes\n'.repeat(100))],
    ['a database of another version', (backup) => setVersion(backup, 7)],
  ])('is left as it is where %s has the name of the copy', async (_, putInTheWay) => {
    const path = join(await temporaryFolder(), 'pins.db')
    makeFirstVersion(path)
    putInTheWay(`${path}.v1-backup`)
    const before = readFileSync(path)
    await expect(TofuStore.open({ path })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_STORE_FAILED',
      message: expect.stringContaining('pins.db.v1-backup'),
    })
    expect(readFileSync(path)).toEqual(before)
    rmSync(`${path}.v1-backup`, { recursive: true })
    await works(path)
    expect(versionOf(`${path}.v1-backup`)).toBe(1)
  })

  it('in which names are to be hashed is refused like any that has names', async () => {
    const path = join(await temporaryFolder(), 'pins.db')
    makeFirstVersion(path)
    await expect(TofuStore.open({ path, hashNames: true })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_STORE_NOT_HASHED',
    })
    await works(path)
  })

  it('is brought up to date once by many programs at the same time', async () => {
    const path = join(await temporaryFolder(), 'pins.db')
    makeFirstVersion(path)
    const children = Array.from({ length: 4 }, () => startChild('tofu-import-child.ts', { args: [path] }))
    for (const child of children) expect(await child.line()).toBe('ready')
    for (const child of children) child.send('hosts')
    for (const child of children) expect(JSON.parse((await child.line()) ?? '')).toEqual({ hosts: 20, events: [] })
    for (const child of children) {
      child.process.stdin?.end()
      expect(await child.ended).toMatchObject({ code: 0 })
    }
    expect(readdirSync(join(path, '..')).sort()).toEqual(['pins.db', 'pins.db.v1-backup'])
  })

  it('whose program is killed while it is brought up to date is whole, and so is its copy', async () => {
    const folder = await temporaryFolder()
    const start = join(folder, 'start.db')
    makeFirstVersion(start, 20_000)
    for (let round = 0; round < 12; round++) {
      const place = join(folder, `${round}`)
      mkdirSync(place)
      const path = join(place, 'pins.db')
      copyFileSync(start, path)
      const child = startChild('tofu-import-child.ts', { args: [path] })
      expect(await child.line()).toBe('ready')
      child.send('hosts')
      const end = performance.now() + round * 12
      while (performance.now() < end) await new Promise((resolve) => setImmediate(resolve))
      child.kill()
      await child.ended
      if (existsSync(`${path}.v1-backup`)) expect(versionOf(`${path}.v1-backup`)).toBe(1)
      await works(path, 20_000)
      expect(versionOf(`${path}.v1-backup`)).toBe(1)
      expect(readdirSync(place).sort()).toEqual(['pins.db', 'pins.db.v1-backup'])
    }
  })
})

describe.skipIf(process.platform === 'win32')('where a file of the first release cannot be brought up to date', () => {
  /** What a child finds that may not write, or not write much. */
  async function report(path: string, options: { shell?: string; args?: readonly string[] }): Promise<unknown> {
    const folder = join(path, '..', '..')
    const files = [join(folder, 'pinned.pem'), join(folder, 'other.pem')]
    const { stdout, stderr } = await runChild('tofu-restricted-child.ts', {
      ...options,
      args: [path, ...files, ...(options.args ?? [])],
    })
    if (stdout === '') throw new Error(stderr)
    return JSON.parse(stdout)
  }

  async function prepared(): Promise<string> {
    const folder = await temporaryFolder()
    writeFileSync(join(folder, 'pinned.pem'), pinned.certPem)
    writeFileSync(join(folder, 'other.pem'), other.certPem)
    mkdirSync(join(folder, 'data'))
    const path = join(folder, 'data', 'pins.db')
    makeFirstVersion(path)
    return path
  }

  const readable = { open: 'opened', pinned: 'trusted', changed: 'ERR_TLACACOCA_CERTIFICATE_CHANGED' }

  it('because nothing may be written there, hosts are recognised and the file is as it was', async () => {
    const path = await prepared()
    const before = readFileSync(path)
    chmodSync(join(path, '..', '..'), 0o755)
    chmodSync(path, 0o444)
    chmodSync(join(path, '..'), 0o555)
    onTestFinished(() => chmodSync(join(path, '..'), 0o700))
    expect(await report(path, { args: ['--as-nobody'] })).toMatchObject({
      ...readable,
      first: 'ERR_TLACACOCA_STORE_READ_ONLY',
      events: ['ERR_TLACACOCA_STORE_READ_ONLY'],
    })
    expect(readFileSync(path)).toEqual(before)
  })

  // From no room for the shared memory to none for the copy: the file itself has 40 blocks of 512 bytes and more.
  it.each([1, 8, 40, 64, 70])(
    'because there is no room (%i blocks), hosts are recognised and it is as it was',
    async (blocks) => {
      const path = await prepared()
      const before = readFileSync(path)
      const found = await report(path, { shell: `trap '' XFSZ; ulimit -f ${blocks}` })
      expect(found).toMatchObject(readable)
      expect(found).toHaveProperty('hosts.length', 20)
      if (versionOf(path) === 1) {
        expect(found).toMatchObject({ first: 'ERR_TLACACOCA_STORE_FULL', events: ['ERR_TLACACOCA_STORE_FULL'] })
        expect(readFileSync(path)).toEqual(before)
      }
      const names = readdirSync(join(path, '..'))
      expect(names.filter((name) => name.endsWith('.tmp'))).toEqual([])
      if (names.includes('pins.db.v1-backup')) expect(versionOf(`${path}.v1-backup`)).toBe(1)
      await works(path)
    },
  )

  it('because the disk is really full, hosts are recognised and it is as it was', async (context) => {
    const folder = await temporaryFolder()
    const disk = join(folder, 'disk')
    mkdirSync(disk)
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk]).status !== 0)
      return context.skip('a small file system cannot be mounted here')
    onTestFinished(() => void spawnSync('umount', ['-l', disk]))
    const path = join(disk, 'pins.db')
    makeFirstVersion(path, 200)
    const before = readFileSync(path)
    const events: string[] = []
    const onEvent = (event: { kind: string }) => void events.push(event.kind)
    try {
      for (;;) writeFileSync(join(disk, `filler${events.length}`), Buffer.alloc(4096), { flag: 'a' })
    } catch {}
    const store = await TofuStore.open({ path, onEvent })
    expect(events).toEqual(['snapshot'])
    expect(await store.verify(endpoint, pinned.certificate)).toMatchObject({ kind: 'trusted' })
    await expect(store.trust(endpoint, other.certificate)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_FULL' })
    await store.close()
    expect(readFileSync(path)).toEqual(before)
    expect(readdirSync(disk).filter((name) => name.includes('backup'))).toEqual([])
  })
})

describe('a file of a later release', () => {
  it('is refused, and not a byte of it or beside it is changed', async () => {
    const path = join(await temporaryFolder(), 'pins.db')
    const store = await TofuStore.open({ path })
    await store.trust(endpointFrom('example.org', 1965), pinned.certificate)
    await store.close()
    const raw = new SQLite(path)
    raw.exec('CREATE TABLE from_the_future(a TEXT)')
    raw.pragma(`user_version = ${NEWEST + 1}`)
    raw.close()
    const [before, stats] = [readFileSync(path), statSync(path)]
    for (const options of [{}, { hashNames: true }]) {
      const refused = { code: 'ERR_TLACACOCA_STORE_NEWER', message: expect.stringContaining(`version ${NEWEST + 1}`) }
      await expect(TofuStore.open({ path, ...options })).rejects.toMatchObject(refused)
    }
    expect(readFileSync(path)).toEqual(before)
    expect(statSync(path)).toMatchObject({ mtimeMs: stats.mtimeMs, ino: stats.ino, mode: stats.mode })
    expect(readdirSync(join(path, '..'))).toEqual(['pins.db'])
  })
})
