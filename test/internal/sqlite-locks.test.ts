// What a process that closes a descriptor of a file loses: all its locks on that file (POSIX). So whoever has a database
// open must not open and close the file itself, also to have a look only.

import { existsSync, linkSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { parseFingerprint } from '../../src/certificate/fingerprint.ts'
import { readSqliteFile, readSqliteHeader } from '../../src/internal/sqlite-header.ts'
import { parseEndpoint } from '../../src/names/endpoint.ts'
import { detectKnownHosts } from '../../src/tofu/formats/detect.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import { type Child, startChild } from '../support/run-child.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

vi.setConfig({ testTimeout: 60_000 })

async function started(path: string): Promise<(word: string) => Promise<string | null>> {
  const child: Child = startChild('tofu-locks-child.ts', { args: [path] })
  onTestFinished(async () => {
    child.kill()
    await child.ended
  })
  return async (word) => {
    child.send(word)
    return child.line()
  }
}

const onLinux = process.platform === 'linux' && existsSync('/proc/locks') ? it : it.skip

onLinux('a database that is opened again by the same process keeps its locks', async () => {
  const path = join(await temporaryFolder(), 'pins.db')
  const say = await started(path)
  expect(await say('open')).toBe('open 1')
  expect(await say('write')).toBe('written 1')
  expect(locksOn(path)).toBeGreaterThan(0)
  expect(await say('open')).toBe('open 2')
  expect(locksOn(path)).toBeGreaterThan(0)
  expect(await say('close')).toBe('open 1')
  expect(locksOn(path)).toBeGreaterThan(0)
  expect(await say('thread')).toBe('thread 0')
  expect(locksOn(path)).toBeGreaterThan(0)
  expect(await say('close')).toBe('open 0')
  expect(locksOn(path)).toBe(0)
})

it.skipIf(process.platform === 'win32')('the look without SQLite opens no file that is open here', async () => {
  const path = join(await temporaryFolder(), 'pins.db')
  const store = await TofuStore.open({ path })
  expect(readSqliteHeader(path)).toEqual({ kind: 'in_use' })
  expect(readSqliteFile(path)).toBeNull()
  await store.close()
  expect(readSqliteHeader(path)).toMatchObject({ kind: 'database', userVersion: 2 })
  expect(readSqliteFile(path)).toEqual(readFileSync(path))
})

onLinux('a store that is taken for a file to import, under whatever name, keeps its locks', async () => {
  const path = join(await temporaryFolder(), 'pins.db')
  const store = await TofuStore.open({ path })
  await store.trust(parseEndpoint('example.org:1965'), parseFingerprint('a1'.repeat(32)))
  const locks = locksOn(path)
  expect(locks).toBeGreaterThan(0)
  symlinkSync(path, `${path}.soft`)
  linkSync(path, `${path}.hard`)
  const other = TofuStore.inMemory()
  for (const name of [path, `${path}.soft`, `${path}.hard`]) {
    const inUse = {
      code: 'ERR_TLACACOCA_FILE_UNREADABLE',
      message: `${name} is a pin database that this program has open`,
    }
    await expect(detectKnownHosts(name)).rejects.toMatchObject(inUse)
    await expect(other.importKnownHosts(name)).rejects.toMatchObject(inUse)
    await expect(other.importKnownHosts(name, { format: 'tlacacoca-sqlite' })).rejects.toMatchObject(inUse)
    await expect(other.importToml(name)).rejects.toMatchObject(inUse)
  }
  await expect(other.exportKnownHosts(path, { format: 'gmni', update: true })).rejects.toMatchObject({
    code: 'ERR_TLACACOCA_FILE_UNREADABLE',
  })
  expect(locksOn(path)).toBe(locks)
  await store.close()
  await expect(detectKnownHosts(path)).rejects.toThrow('the pin database of this library')
})

/** How many locks anybody holds on a file. */
function locksOn(path: string): number {
  const { ino } = statSync(path)
  // 1: POSIX  ADVISORY  READ 1234 08:02:131090 1073741826 1073742335
  return readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .filter((line) => line.includes(' POSIX ') && line.split(/\s+/)[5]?.endsWith(`:${ino}`)).length
}
