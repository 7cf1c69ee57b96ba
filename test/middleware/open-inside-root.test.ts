import { execFileSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isAtByIdentity, type OpenInsideRootOptions, openInsideRoot } from '../../src/middleware/open-inside-root.ts'
import { parseRequestPath } from '../../src/names/request-path.ts'

let base: string
let root: string

beforeEach(() => {
  base = mkdtempSync(join(realpathSync(tmpdir()), 'tlacacoca-'))
  root = join(base, 'root')
  mkdirSync(join(root, 'docs', 'deep'), { recursive: true })
  mkdirSync(join(root, '.git'))
  mkdirSync(join(base, 'outside'))
  mkdirSync(join(base, 'root-of-another'))
  write('root/index.gmi', 'home')
  write('root/docs/index.gmi', 'docs')
  write('root/docs/page.gmi', 'page')
  write('root/.htpasswd', 'secret')
  write('root/.git/config', 'secret')
  write('outside/page.gmi', 'secret')
  write('root-of-another/page.gmi', 'secret')
})

afterEach(() => rmSync(base, { recursive: true, force: true }))

function write(path: string, contents: string): void {
  writeFileSync(join(base, path), contents)
}

async function contentsAt(raw: string, options?: OpenInsideRootOptions, at = root): Promise<string | null> {
  const file = await openInsideRoot(at, parseRequestPath(raw), options)
  return file === null ? null : readAndClose(file)
}

async function readAndClose(file: FileHandle): Promise<string> {
  try {
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

describe('openInsideRoot', () => {
  it.each([
    ['/index.gmi', 'home'],
    ['/docs/page.gmi', 'page'],
    ['/docs/deep/../page.gmi', 'page'],
    ['//docs/%70age.gmi', 'page'],
  ])('opens %s', async (raw, contents) => {
    expect(await contentsAt(raw)).toBe(contents)
  })

  it('opens names that a URL must escape', async () => {
    write('root/100% ü?#.gmi', 'odd')
    write('root/gone (deleted)', 'odd')
    expect(await contentsAt('/100%25%20%C3%BC%3F%23.gmi')).toBe('odd')
    expect(await contentsAt('/gone%20(deleted)')).toBe('odd')
  })

  it('opens files below a root that is a link, a relative path, or ends in a slash', async () => {
    symlinkSync(root, join(base, 'current'))
    expect(await contentsAt('/docs/page.gmi', {}, join(base, 'current'))).toBe('page')
    expect(await contentsAt('/docs/page.gmi', {}, `${root}/`)).toBe('page')
    expect(await contentsAt('/docs/page.gmi', {}, join(root, '..', 'root'))).toBe('page')
    expect(await contentsAt(`${root}/docs/page.gmi`, {}, '/')).toBe('page')
  })

  it('gives the index of a directory if it is told which file that is', async () => {
    expect(await contentsAt('/', { index: 'index.gmi' })).toBe('home')
    expect(await contentsAt('/docs/', { index: 'index.gmi' })).toBe('docs')
    expect(await contentsAt('/docs/deep/..', { index: 'index.gmi' })).toBe('docs')
    expect(await contentsAt('/docs/deep/', { index: 'index.gmi' })).toBeNull()
    expect(await contentsAt('/docs', { index: 'index.gmi' })).toBeNull()
    expect(await contentsAt('/docs/page.gmi/', { index: 'index.gmi' })).toBeNull()
  })

  it.each([
    ['what is not there', '/missing.gmi'],
    ['what is below a file', '/docs/page.gmi/x'],
    ['a file with a slash', '/docs/page.gmi/'],
    ['the root', '/'],
    ['a directory', '/docs'],
    ['a directory with a slash', '/docs/'],
    ['a hidden file', '/.htpasswd'],
    ['a file in a hidden directory', '/.git/config'],
    ['a name that is too long', `/${'a'.repeat(300)}`],
    ['a path that is too long', `/${'a/'.repeat(4000)}x`],
    ['dots that go too far', '/../../outside/page.gmi'],
    ['the neighbour whose name begins like the root', '/../root-of-another/page.gmi'],
  ])('does not open %s', async (_, raw) => {
    expect(await contentsAt(raw)).toBeNull()
  })

  it('opens hidden files on request', async () => {
    expect(await contentsAt('/.htpasswd', { hidden: true })).toBe('secret')
    expect(await contentsAt('/.git/config', { hidden: true })).toBe('secret')
  })

  it.each([
    ['to a file outside', '../outside/page.gmi', '/link'],
    ['to a file outside, by its full path', '/etc/hostname', '/link'],
    ['to a file inside', 'docs/page.gmi', '/link'],
    ['to a directory outside', '../outside', '/link/page.gmi'],
    ['to a directory inside', 'docs', '/link/page.gmi'],
    ['to a hidden directory', '.git', '/link/config'],
    ['to the root of the system', '/', '/link/etc/hostname'],
    ['to itself', 'link', '/link'],
    ['to nothing', 'missing', '/link'],
    ['to a device', '/dev/zero', '/link'],
    ['to the folder of devices', '/dev', '/link/zero'],
  ])('follows no link %s', async (_, target, raw) => {
    symlinkSync(target, join(root, 'link'))
    expect(await contentsAt(raw)).toBeNull()
    expect(await contentsAt(`${raw}/`, { index: 'page.gmi' })).toBeNull()
  })

  it('neither opens a FIFO nor waits for its writer', async () => {
    execFileSync('mkfifo', [join(root, 'fifo')])
    expect(await contentsAt('/fifo')).toBeNull()
  })

  it('does not open a socket', async () => {
    const server = createServer().listen(join(root, 'socket'))
    await new Promise((resolve) => server.once('listening', resolve))
    expect(await contentsAt('/socket')).toBeNull()
    await new Promise((resolve) => server.close(resolve))
  })

  it('throws if the root does not exist: then nothing at all is served', async () => {
    await expect(contentsAt('/index.gmi', {}, join(base, 'missing'))).rejects.toMatchObject({
      name: 'FileError',
      code: 'ERR_TLACACOCA_FILE_NOT_FOUND',
      path: join(base, 'missing'),
    })
  })

  it('throws if the root cannot be resolved', async () => {
    symlinkSync('loop', join(base, 'loop'))
    await expect(contentsAt('/index.gmi', {}, join(base, 'loop'))).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_FILE_UNREADABLE',
      cause: expect.objectContaining({ code: 'ELOOP' }),
    })
  })

  it('opens nothing if the root is a file', async () => {
    expect(await contentsAt('/index.gmi', {}, join(root, 'index.gmi'))).toBeNull()
  })

  it('throws if it runs out of file descriptors: that is not the absence of a file', async () => {
    // In a process of its own, with a limit that its own descriptors use up.
    const source = (path: string): string =>
      JSON.stringify(fileURLToPath(new URL(`../../src/${path}`, import.meta.url)))
    const script = `
      import { openSync } from 'node:fs'
      import { openInsideRoot } from ${source('middleware/open-inside-root.ts')}
      import { parseRequestPath } from ${source('names/request-path.ts')}
      const path = parseRequestPath('/index.gmi')
      try { for (;;) openSync('/dev/null') } catch {}
      await openInsideRoot(${JSON.stringify(root)}, path).then(
        (file) => console.log(file),
        (error) => console.log(error.name, error.code, error.cause.code),
      )`
    const bundle = join(base, 'exhaust.mjs')
    const stdin = { contents: script, resolveDir: base }
    await build({ stdin, bundle: true, platform: 'node', format: 'esm', outfile: bundle, logLevel: 'error' })
    const output = execFileSync('sh', ['-c', `ulimit -n 64; exec ${process.execPath} ${bundle}`]).toString()
    expect(output).toBe('FileError ERR_TLACACOCA_FILE_UNREADABLE EMFILE\n')
  })

  it('closes what it does not give away', async () => {
    symlinkSync('docs', join(root, 'link'))
    const openFiles = (): number => readdirSync('/proc/self/fd').length
    const before = openFiles()
    for (let i = 0; i < 50; i++) {
      for (const raw of ['/docs', '/link/page.gmi', '/missing', '/docs/page.gmi/x']) await contentsAt(raw)
    }
    expect(openFiles()).toBeLessThanOrEqual(before)
  })

  it.each(['', '.', '..', '../index.gmi', 'a/b', '/etc/passwd', 'a\\b', 'a\0'])(
    'takes the index %j for a mistake of the program',
    async (index) => {
      await expect(contentsAt('/', { index })).rejects.toThrow(TypeError)
    },
  )

  it('takes no text for a path', async () => {
    // @ts-expect-error: it would not have been parsed
    await expect(openInsideRoot(root, '/../outside/page.gmi')).rejects.toThrow(TypeError)
    // @ts-expect-error: nor is this one parsed
    await expect(openInsideRoot(root, { segments: ['..'], isDirectory: false })).rejects.toThrow(TypeError)
  })
})

// Somebody who may write below the root changes names while files are opened. Each opening is one draw; whichever step
// the change falls into, only the file that belongs there may come out.
describe('openInsideRoot in a race', () => {
  const ROUNDS = 1500

  it('never reads through a directory that turns into a link', async () => {
    symlinkSync('../outside', join(root, 'link'))
    mkdirSync(join(root, 'real'))
    write('root/real/page.gmi', 'public')
    const seen = await openWhile('/swap/page.gmi', () => {
      renameSync(join(root, 'real'), join(root, 'swap'))
      renameSync(join(root, 'swap'), join(root, 'real'))
      renameSync(join(root, 'link'), join(root, 'swap'))
      renameSync(join(root, 'swap'), join(root, 'link'))
    })
    expect(seen).not.toContain('secret')
  })

  it('never reads through a file that turns into a link', async () => {
    symlinkSync('../outside/page.gmi', join(base, 'link'))
    write('real', 'public')
    const seen = await openWhile('/swap', () => {
      renameSync(join(base, 'real'), join(root, 'swap'))
      renameSync(join(root, 'swap'), join(base, 'real'))
      renameSync(join(base, 'link'), join(root, 'swap'))
      renameSync(join(root, 'swap'), join(base, 'link'))
    })
    expect(seen).not.toContain('secret')
  })

  it('finds a file all the time while it is replaced by renaming', async () => {
    let n = 0
    write('root/live', 'public')
    const seen = await openWhile('/live', () => {
      write(`new-${++n}`, 'public')
      renameSync(join(base, `new-${n}`), join(root, 'live'))
    })
    expect([...seen]).toEqual(['public'])
  })

  /** Opens the path many times, several at once, with a change between any two turns of the event loop. */
  async function openWhile(raw: string, change: () => void): Promise<Set<string | null>> {
    const seen = new Set<string | null>()
    let running = true
    const changing = (async () => {
      while (running) {
        change()
        await new Promise((resolve) => setImmediate(resolve))
      }
    })()
    for (let i = 0; i < ROUNDS; i += 4) {
      for (const contents of await Promise.all([raw, raw, raw, raw].map((path) => contentsAt(path)))) seen.add(contents)
    }
    running = false
    await changing
    return seen
  }
})

describe('isAtByIdentity', () => {
  async function isAt(opened: string, expected: string): Promise<boolean> {
    const file = await open(join(base, opened))
    try {
      return await isAtByIdentity(file, join(base, expected))
    } finally {
      await file.close()
    }
  }

  it('knows an open file at its path', async () => {
    expect(await isAt('root/docs/page.gmi', 'root/docs/page.gmi')).toBe(true)
  })

  it('knows another file', async () => {
    expect(await isAt('outside/page.gmi', 'root/docs/page.gmi')).toBe(false)
  })

  it('knows a file that was opened through a link', async () => {
    symlinkSync('../outside', join(root, 'link'))
    symlinkSync('../outside/page.gmi', join(root, 'page'))
    expect(await isAt('root/link/page.gmi', 'root/link/page.gmi')).toBe(false)
    expect(await isAt('root/page', 'root/page')).toBe(false)
  })
})
