import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { writeFilesAtomic } from '../../src/internal/atomic-file-set.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

let folder: string
let first: string
let second: string
beforeEach(async () => {
  folder = await temporaryFolder()
  first = join(folder, '1')
  second = join(folder, '2')
})
const names = async (): Promise<string[]> => (await readdir(folder)).sort()

/** Contents that do something to the folder while they are written, after all names have been looked at. */
async function* meanwhile(act: () => Promise<unknown>): AsyncGenerator<string> {
  await act()
  yield 'new 2'
}

describe('writeFilesAtomic', () => {
  it('writes all files, each with its own mode', async () => {
    await writeFilesAtomic(
      [
        { path: first, contents: 'new 1', mode: 0o600 },
        { path: second, contents: 'new 2', mode: 0o640 },
      ],
      { overwrite: false },
    )
    expect(await readFile(first, 'utf8')).toBe('new 1')
    expect((await stat(first)).mode & 0o777).toBe(0o600)
    expect((await stat(second)).mode & 0o777).toBe(0o640)
    expect(await names()).toEqual(['1', '2'])
  })

  it('writes none if one of them exists', async () => {
    await writeFile(second, 'old 2')
    const files = [
      { path: first, contents: 'new 1', mode: 0o600 },
      { path: second, contents: 'new 2', mode: 0o600 },
    ]
    await expect(writeFilesAtomic(files, { overwrite: false })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_FILE_EXISTS',
      path: second,
    })
    expect(await names()).toEqual(['2'])
  })

  it('takes the first one back if the second one appears meanwhile', async () => {
    const files = [
      { path: first, contents: 'new 1', mode: 0o600 },
      { path: second, contents: meanwhile(() => writeFile(second, "somebody else's")), mode: 0o600 },
    ]
    await expect(writeFilesAtomic(files, { overwrite: false })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_FILE_EXISTS',
    })
    expect(await names()).toEqual(['2'])
    expect(await readFile(second, 'utf8')).toBe("somebody else's")
  })

  it('puts the former first one back if the second one cannot be replaced', async () => {
    await writeFile(first, 'old 1', { mode: 0o640 })
    await writeFile(second, 'old 2')
    const files = [
      { path: first, contents: 'new 1', mode: 0o600 },
      { path: second, contents: meanwhile(() => rm(second).then(() => mkdir(second))), mode: 0o600 },
    ]
    await expect(writeFilesAtomic(files, { overwrite: true })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_FILE_UNWRITABLE',
      path: second,
    })
    expect(await readFile(first, 'utf8')).toBe('old 1')
    expect((await stat(first)).mode & 0o777).toBe(0o640)
    expect(await names()).toEqual(['1', '2'])
  })

  it('removes the first one if there was none before', async () => {
    await writeFile(second, 'old 2')
    const files = [
      { path: first, contents: 'new 1', mode: 0o600 },
      { path: second, contents: meanwhile(() => rm(second).then(() => mkdir(second))), mode: 0o600 },
    ]
    await expect(writeFilesAtomic(files, { overwrite: true })).rejects.toMatchObject({ name: 'FileError' })
    expect(await names()).toEqual(['2'])
  })

  it('replaces all of them when told, and leaves no former ones', async () => {
    await writeFile(first, 'old 1')
    await writeFile(second, 'old 2')
    const files = [
      { path: first, contents: 'new 1', mode: 0o600 },
      { path: second, contents: 'new 2', mode: 0o600 },
    ]
    await writeFilesAtomic(files, { overwrite: true })
    expect([await readFile(first, 'utf8'), await readFile(second, 'utf8')]).toEqual(['new 1', 'new 2'])
    expect(await names()).toEqual(['1', '2'])
  })
})
