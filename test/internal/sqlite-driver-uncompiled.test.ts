// What is told where npm has run no install script for the driver, as it does unless it is allowed to.

import { expect, it, vi } from 'vitest'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import { runCli } from '../support/cli.ts'

// As `bindings` says it, which looks for what was to be compiled when the first database is opened.
vi.mock('better-sqlite3', () => ({
  default: class {
    constructor() {
      throw new Error('Could not locate the bindings file. Tried:\n → /somewhere/build/better_sqlite3.node')
    }
  },
}))

it('a store is not opened, and the error says what to do', async () => {
  await expect(TofuStore.open({ path: 'pins.db' })).rejects.toMatchObject({
    code: 'ERR_TLACACOCA_STORE_FAILED',
    message: expect.stringMatching(
      /^better-sqlite3 cannot be loaded: Could not locate the bindings file\. .*npm rebuild/,
    ),
  })
})

it('the command ends as it does where a database cannot be read', async () => {
  const { code, stderr } = await runCli(['tofu', 'trust', 'example.org', `sha256:${'0'.repeat(64)}`])
  expect(code).toBe(5)
  expect(stderr).toContain('npm rebuild better-sqlite3')
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
})
