import { linkSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { fileSystem, isSpelledExactly, type NameLookup } from '../../src/middleware/exact-spelling.ts'

/** A file system with a few files that takes several spellings for one, as `fold` says. */
function folding(paths: readonly string[], fold: (path: string) => string): NameLookup & { listed: string[] } {
  const listed: string[] = []
  return {
    listed,
    identity: async (path) => paths.map(fold).find((known) => known === fold(path)) ?? null,
    names: async (folder) => {
      listed.push(folder)
      const inside = paths.filter((path) => path.startsWith(`${folder}/`))
      return inside.map((path) => path.slice(folder.length + 1).split('/')[0] ?? '')
    },
  }
}

const files = ['/srv/admin', '/srv/admin/café', '/srv/Straße', '/srv/2024', '/srv/2024/1']
const foldCase = (path: string): string => path.toLowerCase()
const foldDots = (path: string): string => path.toLowerCase().replace(/\.+(?=\/|$)/g, '')
const foldForm = (path: string): string => path.normalize('NFD')

it.each([
  { ignored: 'case', fold: foldCase, segments: ['admin', 'café'], exact: true },
  { ignored: 'case', fold: foldCase, segments: ['ADMIN', 'café'], exact: false },
  { ignored: 'case', fold: foldCase, segments: ['admin', 'CAFÉ'], exact: false },
  { ignored: 'case', fold: foldCase, segments: ['admin', 'Café'], exact: false },
  { ignored: 'case', fold: foldCase, segments: ['straße'], exact: false },
  { ignored: 'case', fold: foldCase, segments: ['2024', '1'], exact: true },
  { ignored: 'case and dots at the end', fold: foldDots, segments: ['admin'], exact: true },
  { ignored: 'case and dots at the end', fold: foldDots, segments: ['admin.'], exact: false },
  { ignored: 'case and dots at the end', fold: foldDots, segments: ['2024', '1'], exact: true },
  { ignored: 'case and dots at the end', fold: foldDots, segments: ['2024.', '1'], exact: false },
  { ignored: 'case and dots at the end', fold: foldDots, segments: ['2024', '1...'], exact: false },
  { ignored: 'Unicode forms', fold: foldForm, segments: ['admin', 'caf\u00e9'], exact: true },
  { ignored: 'Unicode forms', fold: foldForm, segments: ['admin', 'cafe\u0301'], exact: false },
] as const)('on a file system that ignores $ignored, $segments: $exact', async ({ fold, segments, exact }) => {
  expect(await isSpelledExactly('/srv', segments, folding(files, fold))).toBe(exact)
})

it('reads no list on a file system that takes names as they are', async () => {
  const lookup = folding(files, (path) => path)
  expect(await isSpelledExactly('/srv', ['admin', 'café'], lookup)).toBe(true)
  expect(lookup.listed).toEqual([])
})

it('lets two files stand that differ in case only, and links of one file', async () => {
  const two = folding(['/srv/a', '/srv/A'], (path) => path)
  expect(await isSpelledExactly('/srv', ['a'], two)).toBe(true)
  expect(two.listed).toEqual([])
  const linked: NameLookup = { identity: async () => '1:1', names: async () => ['a', 'A'] }
  expect(await isSpelledExactly('/srv', ['a'], linked)).toBe(true)
  expect(await isSpelledExactly('/srv', ['A'], linked)).toBe(true)
})

it('reads no list for what has gone meanwhile: it was opened under this name', async () => {
  const lookup = folding([], (path) => path)
  expect(await isSpelledExactly('/srv', ['a'], lookup)).toBe(true)
  expect(lookup.listed).toEqual([])
})

it('knows a file of the real file system by what it is and not by its name', async () => {
  const root = mkdtempSync(join(realpathSync(tmpdir()), 'tlacacoca-'))
  try {
    for (const name of ['page', 'other']) writeFileSync(join(root, name), '')
    linkSync(join(root, 'page'), join(root, 'PAGE'))
    symlinkSync('page', join(root, 'link'))
    const identityOf = (name: string) => fileSystem.identity(join(root, name))
    const page = await identityOf('page')
    expect(page).toMatch(/^\d+:\d+$/)
    expect(await identityOf('PAGE')).toBe(page)
    for (const name of ['other', 'link']) expect(await identityOf(name)).not.toBe(page)
    expect(await identityOf('missing')).toBeNull()
    expect([...(await fileSystem.names(root))].sort()).toEqual(['PAGE', 'link', 'other', 'page'])
    // Two names that the folder lists are two names.
    for (const name of ['page', 'PAGE']) expect(await isSpelledExactly(root, [name])).toBe(true)
  } finally {
    rmSync(root, { recursive: true })
  }
})

it('asks the real file system when nothing else is given', async () => {
  const root = mkdtempSync(join(realpathSync(tmpdir()), 'tlacacoca-'))
  try {
    mkdirSync(join(root, 'docs'))
    writeFileSync(join(root, 'docs', 'page.gmi'), '')
    expect(await isSpelledExactly(root, ['docs', 'page.gmi'])).toBe(true)
    // One file under two spellings of its name, each of which its folder lists.
    linkSync(join(root, 'docs', 'page.gmi'), join(root, 'docs', 'PAGE.GMI'))
    expect(await isSpelledExactly(root, ['docs', 'page.gmi'])).toBe(true)
    expect(await isSpelledExactly(root, ['docs', 'PAGE.GMI'])).toBe(true)
  } finally {
    rmSync(root, { recursive: true })
  }
})
