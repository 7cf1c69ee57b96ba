import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, link, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  ensurePrivateDirectory,
  readFileBytes,
  readTextFile,
  stageFile,
  writeFileAtomic,
} from '../../src/internal/atomic-file.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

let folder: string
let path: string
beforeEach(async () => {
  folder = await temporaryFolder()
  path = join(folder, 'file')
})

const create = { mode: 0o600, overwrite: false }
const replace = { mode: 0o600, overwrite: true }
const modeOf = async (file: string): Promise<number> => (await stat(file)).mode & 0o777
/** What is in the folder by now; leftovers under temporary names would show. */
const names = async (): Promise<string[]> => (await readdir(folder)).sort()

describe('writeFileAtomic', () => {
  async function* slowly(): AsyncGenerator<string | Uint8Array> {
    yield 'par'
    await new Promise(setImmediate)
    yield new TextEncoder().encode('ts')
  }

  it.each([
    ['text', 'pärts', 'pärts'],
    ['bytes', new TextEncoder().encode('parts'), 'parts'],
    ['pieces', ['par', new TextEncoder().encode('ts')], 'parts'],
    ['pieces that come later', slowly(), 'parts'],
    ['nothing', '', ''],
    ['no pieces', [], ''],
  ])('writes %s', async (_, contents, expected) => {
    await writeFileAtomic(path, contents, create)
    expect(await readFile(path, 'utf8')).toBe(expected)
    expect(await names()).toEqual(['file'])
  })

  it('gives the file its mode before anything is in it', async () => {
    let seen: number[] = []
    async function* watched(): AsyncGenerator<string> {
      const files = await readdir(folder)
      seen = await Promise.all(files.map((file) => modeOf(join(folder, file))))
      yield 'secret'
    }
    await writeFileAtomic(path, watched(), create)
    expect(seen).toEqual([0o600])
    expect(await modeOf(path)).toBe(0o600)
  })

  it('replaces a file only when told, and with the new mode', async () => {
    await writeFile(path, 'old', { mode: 0o644 })
    await expect(writeFileAtomic(path, 'new', create)).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_FILE_EXISTS',
      path,
    })
    expect(await readFile(path, 'utf8')).toBe('old')

    await writeFileAtomic(path, 'new', replace)
    expect(await readFile(path, 'utf8')).toBe('new')
    expect(await modeOf(path)).toBe(0o600)
    expect(await names()).toEqual(['file'])
  })

  it('changes nothing in other names of the file that it replaces', async () => {
    await writeFile(path, 'old')
    await link(path, join(folder, 'other'))
    await writeFileAtomic(path, 'new', replace)
    expect(await readFile(join(folder, 'other'), 'utf8')).toBe('old')
  })

  it.each([
    ['a symbolic link', (at: string, target: string) => symlink(target, at)],
    ['a symbolic link to nothing', (at: string) => symlink('/nonexistent/x', at)],
    ['a folder', (at: string) => mkdir(at)],
    ['a pipe', async (at: string) => void execFileSync('mkfifo', [at])],
  ])('never replaces %s', async (_, make) => {
    const target = join(folder, 'target')
    await writeFile(target, 'precious')
    await make(path, target)
    await expect(writeFileAtomic(path, 'new', replace)).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_FILE_UNWRITABLE',
    })
    await expect(writeFileAtomic(path, 'new', create)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_EXISTS' })
    expect(await readFile(target, 'utf8')).toBe('precious')
    expect(await names()).toEqual(['file', 'target'])
  })

  it.each([create, replace])(
    'never writes through a link that appears while it writes ($overwrite)',
    async (options) => {
      const target = join(folder, 'target')
      await writeFile(target, 'precious')
      async function* contents(): AsyncGenerator<string> {
        await symlink(target, path)
        yield 'secret'
      }
      await expect(writeFileAtomic(path, contents(), options)).rejects.toMatchObject({ name: 'FileError' })
      expect(await readFile(target, 'utf8')).toBe('precious')
      expect(await names()).toEqual(['file', 'target'])
    },
  )

  it('lets one of many win who create the same file at once', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => writeFileAtomic(path, `writer ${index}`, create)),
    )
    const winner = results.findIndex(({ status }) => status === 'fulfilled')
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await readFile(path, 'utf8')).toBe(`writer ${winner}`)
    expect(await names()).toEqual(['file'])
  })

  it('leaves nothing behind and passes the error on if the contents fail', async () => {
    await writeFile(path, 'old')
    const failure = new Error('no more pieces')
    function* contents(): Generator<string> {
      yield 'half of it'
      throw failure
    }
    await expect(writeFileAtomic(path, contents(), replace)).rejects.toBe(failure)
    expect(await readFile(path, 'utf8')).toBe('old')
    expect(await names()).toEqual(['file'])
  })

  it('says which file it cannot write, and keeps the cause', async () => {
    const nowhere = join(folder, 'no', 'such', 'folder')
    await expect(writeFileAtomic(nowhere, 'x', create)).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_FILE_UNWRITABLE',
      path: nowhere,
      message: `cannot write ${nowhere}: ENOENT: no such file or directory`,
      cause: { code: 'ENOENT' },
    })
  })

  it('leaves the old file or the new one, whole, when the process is killed at any moment', async () => {
    const size = 200_000
    await writeFile(path, 'a'.repeat(size))
    const program = `
      import { writeFileAtomic } from ${JSON.stringify(fileURLToPath(new URL('../../src/internal/atomic-file.ts', import.meta.url)))}
      process.stdout.write('ready')
      for (let i = 0; ; i++) {
        const letter = String.fromCharCode(97 + (i % 26))
        await writeFileAtomic(${JSON.stringify(path)}, [letter.repeat(100_000), letter.repeat(100_000)], { mode: 0o600, overwrite: true })
        process.stdout.write('.')
      }`
    for (let round = 0; round < 3; round++) {
      const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program])
      let written = 0
      child.stdout.on('data', (dots: Buffer) => {
        written += dots.length
        // After some files, in the middle of one: where exactly differs from run to run.
        if (written > 10 + round) child.kill('SIGKILL')
      })
      await once(child, 'close')
      expect(written, 'the child got to write').toBeGreaterThan(10)
      expect(await readFile(path, 'utf8')).toMatch(/^([a-z])\1{199999}$/)
    }
  })
})

describe('stageFile', () => {
  it('gives the file its name when it is published, and none when it is discarded', async () => {
    const first = await stageFile(path, 'first', 0o600)
    const second = await stageFile(path, 'second', 0o600)
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' })
    await first.publish(false)
    await first.discard()
    await second.discard()
    expect(await readFile(path, 'utf8')).toBe('first')
    expect(await names()).toEqual(['file'])
  })
})

describe('readFileBytes', () => {
  it('reads a file up to the limit and not one byte more', async () => {
    await writeFile(path, Buffer.alloc(200_000, 7))
    expect(await readFileBytes(path)).toEqual(Buffer.alloc(200_000, 7))
    expect(await readFileBytes(path, { maxBytes: 200_000 })).toHaveLength(200_000)
    await expect(readFileBytes(path, { maxBytes: 199_999 })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_FILE_UNREADABLE',
      message: `${path} is larger than 199999 bytes`,
    })
  })

  it('reads an empty file', async () => {
    await writeFile(path, '')
    expect(await readFileBytes(path)).toHaveLength(0)
  })

  it('stops reading what has no end', async () => {
    await expect(readFileBytes('/dev/zero', { maxBytes: 100_000 })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_FILE_UNREADABLE',
    })
  })

  it('tells a missing file from one that cannot be read', async () => {
    await expect(readFileBytes(path)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_NOT_FOUND', path })
    await expect(readFileBytes(folder)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNREADABLE', path: folder })
  })
})

describe('readTextFile', () => {
  it('reads UTF-8, without its byte order mark', async () => {
    await writeFile(path, '\ufefftlacacōca')
    expect(await readTextFile(path)).toBe('tlacacōca')
  })

  it('refuses what is not UTF-8', async () => {
    await writeFile(path, Buffer.from([0x61, 0xff]))
    await expect(readTextFile(path)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNREADABLE' })
  })
})

describe('ensurePrivateDirectory', () => {
  it('creates what is missing for its owner only, and leaves what is there', async () => {
    await chmod(folder, 0o755)
    await ensurePrivateDirectory(join(folder, 'a', 'b'))
    expect(await modeOf(join(folder, 'a'))).toBe(0o700)
    expect(await modeOf(join(folder, 'a', 'b'))).toBe(0o700)
    await ensurePrivateDirectory(folder)
    expect(await modeOf(folder)).toBe(0o755)
  })

  it('does not take a file for a folder', async () => {
    await writeFile(path, '')
    await expect(ensurePrivateDirectory(path)).rejects.toMatchObject({ name: 'FileError' })
    await expect(ensurePrivateDirectory(join(path, 'x'))).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_FILE_UNWRITABLE',
    })
  })
})
