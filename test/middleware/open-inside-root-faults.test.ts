// The kernel of this test does not say where an open file is, as on other systems, or has no descriptors left.

import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, expect, it, vi } from 'vitest'
import { openInsideRoot } from '../../src/middleware/open-inside-root.ts'
import { parseRequestPath } from '../../src/names/request-path.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

let isExhausted = false
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  return {
    ...real,
    open: (...args: Parameters<typeof real.open>) =>
      isExhausted ? Promise.reject(Object.assign(new Error('simulated'), { code: 'EMFILE' })) : real.open(...args),
    readlink: () => Promise.reject(Object.assign(new Error('simulated'), { code: 'ENOENT' })),
  }
})

let root: string
beforeEach(async () => {
  isExhausted = false
  const folder = await temporaryFolder()
  root = join(folder, 'root')
  await mkdir(join(root, 'docs'), { recursive: true })
  await mkdir(join(folder, 'outside'))
  await writeFile(join(root, 'docs', 'page.gmi'), 'page')
  await writeFile(join(folder, 'outside', 'page.gmi'), 'secret')
  await symlink('../outside', join(root, 'link'))
  await symlink('docs', join(root, 'inner'))
})

async function contentsAt(raw: string): Promise<string | null> {
  const file = await openInsideRoot(root, parseRequestPath(raw))
  try {
    return file === null ? null : await file.readFile('utf8')
  } finally {
    await file?.close()
  }
}

it.each([
  ['/docs/page.gmi', 'page'],
  ['/link/page.gmi', null],
  ['/inner/page.gmi', null],
  ['/docs', null],
])('opens %s as %s where the kernel tells no paths', async (raw, contents) => {
  expect(await contentsAt(raw)).toBe(contents)
})

it('throws if it runs out of file descriptors: that is not the absence of a file', async () => {
  isExhausted = true
  await expect(contentsAt('/docs/page.gmi')).rejects.toMatchObject({
    code: 'ERR_TLACACOCA_FILE_UNREADABLE',
    path: join(root, 'docs', 'page.gmi'),
    cause: { code: 'EMFILE' },
  })
})
