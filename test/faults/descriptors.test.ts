// No file descriptors are left. It says nothing about what is stored, so nothing that is stored may seem not to be there.

import { describe, expect, it } from 'vitest'
import { KINDS, openStore } from '../support/fault-stores.ts'
import { runChild } from '../support/run-child.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

// As many as Node has for itself, a store, and some.
const LIMIT = 64
const CODE = /^ERR_TLACACOCA_(STORE_FAILED|STORE_READ_ONLY|STORE_FULL|FILE_UNREADABLE|FILE_UNWRITABLE)$/

describe.skipIf(process.platform === 'win32').each(KINDS)('without descriptors, %s', (kind) => {
  it.each([0, 1, 2, 3])('(%i left) tell the truth or an error, and go on when there are some', async (free) => {
    const folder = await temporaryFolder()
    const store = await openStore(folder, kind)
    await store.write(0)
    await store.close()
    const { stdout, stderr } = await runChild('descriptors-child.ts', {
      args: [folder, kind, String(free)],
      shell: `ulimit -n ${LIMIT}`,
    })
    if (stdout === '') throw new Error(stderr)
    const found = JSON.parse(stdout)
    expect(found).toMatchObject({
      'known later': 'there',
      'write later': 'done',
      reopened: 'all there',
      unhandled: [],
    })
    for (const what of ['known', 'opened']) if (found[what] !== 'there') expect(found[what], what).toMatch(CODE)
    if (found.stranger !== 'absent') expect(found.stranger).toMatch(CODE)
    if (found.write !== 'done') expect(found.write).toMatch(CODE)
    if (free === 0) expect(found.opened).toMatch(CODE)
  })
})
