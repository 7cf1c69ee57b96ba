// What a process that closes a descriptor of a file loses: all its locks on that file (POSIX). So whoever has a database
// open must not open and close the file itself, also to have a look only.

import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { readSqliteFile, readSqliteHeader } from '../../src/internal/sqlite-header.ts'
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

/** How many locks anybody holds on a file. */
function locksOn(path: string): number {
  const { ino } = statSync(path)
  // 1: POSIX  ADVISORY  READ 1234 08:02:131090 1073741826 1073742335
  return readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .filter((line) => line.includes(' POSIX ') && line.split(/\s+/)[5]?.endsWith(`:${ino}`)).length
}
