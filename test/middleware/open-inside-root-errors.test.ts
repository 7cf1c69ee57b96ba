// What the system answers when a file is opened, one answer after the other: most of them cannot be had from a real disk,
// and those for want of rights not by a test that runs as root.

import { linkSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import type * as Files from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openInsideRoot } from '../../src/middleware/open-inside-root.ts'
import { parseRequestPath } from '../../src/names/request-path.ts'

const system = vi.hoisted(() => ({
  failure: null as unknown,
  linkFailure: null as unknown,
  afterOpening: null as (() => void) | null,
}))

vi.mock('node:fs/promises', async (original) => {
  const actual = await original<typeof Files>()
  return {
    ...actual,
    open: async (...args: Parameters<typeof Files.open>) => {
      if (system.failure !== null) throw system.failure
      const file = await actual.open(...args)
      system.afterOpening?.()
      return file
    },
    readlink: async (path: string) => {
      if (system.linkFailure !== null) throw system.linkFailure
      return actual.readlink(path)
    },
  }
})

let root: string

beforeEach(() => {
  root = mkdtempSync(join(realpathSync(tmpdir()), 'tlacacoca-'))
  writeFileSync(join(root, 'page.gmi'), 'page')
  Object.assign(system, { failure: null, linkFailure: null, afterOpening: null })
})

afterEach(() => rmSync(root, { recursive: true, force: true }))

const page = () => openInsideRoot(root, parseRequestPath('/page.gmi'))
const failing = (code: string) => Object.assign(new Error(`${code}: mine`), { code })

async function contents(): Promise<string | null> {
  const file = await page()
  try {
    return file === null ? null : await file.readFile('utf8')
  } finally {
    await file?.close()
  }
}

describe('a file', () => {
  it.each(['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP', 'EMLINK', 'EISDIR', 'ENAMETOOLONG'])(
    'is not there after %s, whatever the reason',
    async (code) => {
      system.failure = failing(code)
      expect(await page()).toBeNull()
    },
  )

  it.each(['ENXIO', 'ENODEV', 'EOPNOTSUPP', 'EILSEQ', 'EINVAL'])('is none after %s', async (code) => {
    system.failure = failing(code)
    expect(await page()).toBeNull()
  })

  it.each([
    failing('EMFILE'),
    failing('ENFILE'),
    failing('EIO'),
    failing('ENOMEM'),
    failing(''),
    new Error('mine'),
    'x',
  ])('is not said to be absent where the system is in trouble: %s', async (failure) => {
    system.failure = failure
    await expect(page()).rejects.toMatchObject({
      name: 'FileError',
      code: 'ERR_TLACACOCA_FILE_UNREADABLE',
      path: join(root, 'page.gmi'),
      message: `cannot open ${JSON.stringify(join(root, 'page.gmi'))}`,
      cause: failure,
    })
  })

  it('is known by its identity where the kernel does not tell where it is', async () => {
    system.linkFailure = failing('ENOENT')
    expect(await contents()).toBe('page')
    system.afterOpening = () => {
      rmSync(join(root, 'page.gmi'))
      writeFileSync(join(root, 'page.gmi'), 'another')
    }
    expect(await page()).toBeNull()
  })

  it('is given that was removed just after it was opened, and one that was replaced', async () => {
    system.afterOpening = () => rmSync(join(root, 'page.gmi'))
    expect(await contents()).toBe('page')
    writeFileSync(join(root, 'page.gmi'), 'page')
    system.afterOpening = () => {
      rmSync(join(root, 'page.gmi'))
      writeFileSync(join(root, 'page.gmi'), 'another')
    }
    expect(await contents()).toBe('page')
  })
})

it('a file outside that was reached by a link and removed at once is not taken for one that was inside', async () => {
  const outside = mkdtempSync(join(realpathSync(tmpdir()), 'tlacacoca-'))
  try {
    writeFileSync(join(outside, 'page.gmi'), 'secret')
    symlinkSync(outside, join(root, 'link'))
    system.afterOpening = () => rmSync(join(outside, 'page.gmi'))
    expect(await openInsideRoot(root, parseRequestPath('/link/page.gmi'))).toBeNull()
  } finally {
    rmSync(outside, { recursive: true })
  }
})

it('a file that has another name still is not taken for one that was removed', async () => {
  linkSync(join(root, 'page.gmi'), join(root, 'other.gmi'))
  system.afterOpening = () => rmSync(join(root, 'page.gmi'))
  expect(await page()).toBeNull()
})

it('mistakes of the program are named', async () => {
  const path = parseRequestPath('/page.gmi')
  await expect(openInsideRoot(5 as never, path)).rejects.toThrow('"root" expected a string')
  await expect(openInsideRoot(root, '/page.gmi' as never)).rejects.toThrow('"path" expected a RequestPath')
  await expect(openInsideRoot(root, path, { indx: 'a' } as never)).rejects.toThrow('"options" has no option "indx"')
  await expect(openInsideRoot(root, path, { index: '../a' })).rejects.toThrow(
    '"index" expected the name of a file, got',
  )
  await expect(openInsideRoot(root, path, { index: 5 as never })).rejects.toThrow('"index" expected a string')
  await expect(openInsideRoot(join(root, 'no'), path)).rejects.toThrow(/^cannot resolve the root "/)
})
