import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { writeFileAtomic } from '../../src/internal/atomic-file.ts'
import { writeFilesAtomic } from '../../src/internal/atomic-file-set.ts'

// As on FAT, and on some network file systems.
vi.mock('node:fs/promises', async (original) => ({
  ...(await original<typeof import('node:fs/promises')>()),
  link: () => Promise.reject(Object.assign(new Error('no links here'), { code: 'EPERM' })),
}))

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tlacacoca-'))
  path = join(folder, 'file')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const create = { mode: 0o600, overwrite: false }

it('creates a file on a file system without hard links', async () => {
  await writeFileAtomic(path, 'new', create)
  expect(await readFile(path, 'utf8')).toBe('new')
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect(await readdir(folder)).toEqual(['file'])
})

it('still replaces no file there that appears meanwhile', async () => {
  async function* contents(): AsyncGenerator<string> {
    await writeFile(path, "somebody else's")
    yield 'new'
  }
  await expect(writeFileAtomic(path, contents(), create)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_EXISTS' })
  expect(await readFile(path, 'utf8')).toBe("somebody else's")
  expect(await readdir(folder)).toEqual(['file'])
})

it('puts a former file back there too', async () => {
  await writeFile(path, 'old', { mode: 0o640 })
  const other = join(folder, 'other')
  async function* contents(): AsyncGenerator<string> {
    await mkdir(other)
    yield 'x'
  }
  const files = [
    { path, contents: 'new', mode: 0o600 },
    { path: other, contents: contents(), mode: 0o600 },
  ]
  await expect(writeFilesAtomic(files, { overwrite: true })).rejects.toMatchObject({ name: 'FileError' })
  expect(await readFile(path, 'utf8')).toBe('old')
  expect((await stat(path)).mode & 0o777).toBe(0o640)
  expect((await readdir(folder)).sort()).toEqual(['file', 'other'])
})
