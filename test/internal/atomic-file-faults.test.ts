// What cannot be undone is said, and costs nothing else. The file system of this test fails where it is told to.

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { beforeEach, expect, it, vi } from 'vitest'
import { codeOf, removeQuietly, writeFileAtomic } from '../../src/internal/atomic-file.ts'
import { writeFilesAtomic } from '../../src/internal/atomic-file-set.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

/** Which renames fail, asked with the name that a file would get and how often it was asked for. */
let failsRename: (to: string, time: number) => boolean
/** Which files and folders fail when they are closed, asked with their path. */
let failsClose: (path: string) => boolean
/** As on FAT, and on some network file systems. */
let hasLinks: boolean

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  const times = new Map<string, number>()
  const fail = (code: string): Promise<never> => Promise.reject(Object.assign(new Error(`simulated ${code}`), { code }))
  return {
    ...real,
    rename: (from: string, to: string) => {
      const time = (times.get(to) ?? 0) + 1
      times.set(to, time)
      return failsRename(basename(to), time) ? fail('EIO') : real.rename(from, to)
    },
    open: async (path: string, ...rest: unknown[]) => {
      const handle = await (real.open as (...args: unknown[]) => ReturnType<typeof real.open>)(path, ...rest)
      const close = handle.close.bind(handle)
      handle.close = async () => {
        await close()
        if (failsClose(path)) await fail('EIO')
      }
      return handle
    },
    link: (from: string, to: string) => (hasLinks ? real.link(from, to) : fail('ENOTSUP')),
  }
})

let folder: string
beforeEach(async () => {
  folder = await temporaryFolder()
  failsRename = () => false
  failsClose = () => false
  hasLinks = true
})
const names = async (): Promise<string[]> => (await readdir(folder)).sort()
const textOf = (name: string): Promise<string> => readFile(join(folder, name), 'utf8')

it('leaves no empty file behind if a reserved name cannot be used', async () => {
  hasLinks = false
  failsRename = (to) => to === 'file'
  const written = writeFileAtomic(join(folder, 'file'), 'new', { mode: 0o600, overwrite: false })
  await expect(written).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNWRITABLE', cause: { code: 'EIO' } })
  expect(await names()).toEqual([])
})

it('says that it cannot write below what is no folder', async () => {
  await writeFile(join(folder, 'file'), '')
  const written = writeFileAtomic(join(folder, 'file', 'x'), 'new', { mode: 0o600, overwrite: true })
  await expect(written).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNWRITABLE', cause: { code: 'ENOTDIR' } })
})

async function replaceThree(): Promise<void> {
  const three = ['1', '2', '3']
  for (const name of three) await writeFile(join(folder, name), `old ${name}`)
  const files = three.map((name) => ({ path: join(folder, name), contents: `new ${name}`, mode: 0o600 }))
  await writeFilesAtomic(files, { overwrite: true })
}

it('keeps the former file under its own name, and no second one, if it cannot be replaced', async () => {
  failsRename = (to) => to === '1'
  await expect(replaceThree()).rejects.toMatchObject({ path: join(folder, '1') })
  expect(await names()).toEqual(['1', '2', '3'])
  expect(await textOf('1')).toBe('old 1')
})

it('puts the other former files back if one of them cannot be, and says where that one is', async () => {
  failsRename = (to, time) => to === '3' || (to === '2' && time === 2)
  const failure = await replaceThree().catch((error: unknown) => error)
  expect(failure).toMatchObject({
    code: 'ERR_TLACACOCA_FILE_UNWRITABLE',
    path: join(folder, '2'),
    cause: { code: 'EIO' },
  })
  expect([await textOf('1'), await textOf('2'), await textOf('3')]).toEqual(['old 1', 'new 2', 'old 3'])
  const [former = '', ...rest] = (await names()).filter((name) => name.endsWith('.tmp'))
  expect(rest).toEqual([])
  expect(await textOf(former)).toBe('old 2')
  expect(String(failure)).toContain(join(folder, former))
})

it('calls a file unwritable that cannot be closed, as on a network drive that is full, and leaves nothing of it', async () => {
  failsClose = (path) => path.endsWith('.tmp')
  const written = writeFileAtomic(join(folder, 'file'), 'new', { mode: 0o600, overwrite: false })
  await expect(written).rejects.toMatchObject({
    code: 'ERR_TLACACOCA_FILE_UNWRITABLE',
    path: join(folder, 'file'),
    cause: { code: 'EIO' },
  })
  expect(await names()).toEqual([])
})

it('has written what is in place, though the folder could not be synced', async () => {
  failsClose = (path) => path === folder
  await replaceThree()
  expect([await textOf('1'), await textOf('2'), await textOf('3')]).toEqual(['new 1', 'new 2', 'new 3'])
  expect(await names()).toEqual(['1', '2', '3'])
})

it('removes quietly what is not there, and names an error without a code by its text', async () => {
  await expect(removeQuietly(join(folder, 'nothing'))).resolves.toBeUndefined()
  expect(codeOf(new RangeError('too far'))).toBe('RangeError: too far')
  expect(codeOf('a text')).toBe('a text')
})
