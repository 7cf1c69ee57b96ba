// What is found of the driver where another package manager, or a lock file of before, has put another release.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { loadSqlite } from '../../src/internal/sqlite-driver.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const installed = vi.hoisted(() => ({ manifest: '' }))

vi.mock('node:module', async (original) => ({
  ...(await original<typeof import('node:module')>()),
  createRequire: () => ({ resolve: () => installed.manifest }),
}))

/** Another release than the one that is here, seen by another Node. */
async function release(node: string, version: string, addon: string | null): Promise<void> {
  const folder = await temporaryFolder()
  installed.manifest = join(folder, 'package.json')
  writeFileSync(installed.manifest, JSON.stringify({ version }))
  if (addon !== null) {
    mkdirSync(join(folder, 'build/Release'), { recursive: true })
    writeFileSync(join(folder, 'build/Release/better_sqlite3.node'), addon)
  }
  vi.stubGlobal('process', Object.create(process, { versions: { value: { ...process.versions, node } } }))
  onTestFinished(() => void vi.unstubAllGlobals())
}

const refused = { code: 'ERR_TLACACOCA_STORE_FAILED', message: expect.stringContaining('better-sqlite3 12.11.1') }

it('an addon that takes back hooks is not loaded where that ends the process', async () => {
  await release('24.21.0', '12.11.1', 'x RemoveEnvironmentCleanupHook x')
  await expect(loadSqlite()).rejects.toMatchObject(refused)
})

it.each([
  { what: 'an addon without hooks', addon: 'x' },
  { what: 'one that lies elsewhere', addon: null },
])('$what is loaded there', async ({ addon }) => {
  await release('24.21.0', '12.11.1', addon)
  expect(await loadSqlite()).toBeTypeOf('function')
})

it('where no manifest is found, loading says what is there', async () => {
  await release('24.21.0', '12.11.1', 'x RemoveEnvironmentCleanupHook x')
  installed.manifest = join(installed.manifest, 'nothing')
  expect(await loadSqlite()).toBeTypeOf('function')
})
