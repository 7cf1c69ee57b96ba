// A folder that somebody gives by mistake, such as that of a whole disk, must not be gone through to its end.

import { expect, it, vi } from 'vitest'
import { detectKnownHosts } from '../../../src/tofu/formats/detect.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const met = vi.hoisted(() => ({ entries: 0 }))

vi.mock('node:fs/promises', async (original) => ({
  ...(await original<typeof import('node:fs/promises')>()),
  opendir: async function* () {
    for (; met.entries < 100_000; met.entries++) {
      yield { name: `stray${met.entries}`, isDirectory: () => false, isFile: () => true }
    }
    throw new Error('read to its end')
  },
}))

it('a folder of other things is given up after some thousand of them', async () => {
  await expect(detectKnownHosts(await temporaryFolder())).rejects.toMatchObject({
    code: 'ERR_TLACACOCA_IMPORT_FORMAT_UNKNOWN',
  })
  expect(met.entries).toBeGreaterThan(1000)
  expect(met.entries).toBeLessThan(20_000)
})
