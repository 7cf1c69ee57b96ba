import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const src = fileURLToPath(new URL('../../src', import.meta.url))

const BELOW_DOMAINS = ['net', 'certificate', 'names', 'internal', 'errors']
const DOMAINS = ['tofu', 'tls', 'authority', 'identity', 'middleware', 'logging']

// Each folder may import, at run time, itself and what stands to its right. Types may cross: they are gone at run time.
const below: Record<string, readonly string[]> = {
  internal: ['errors'],
  errors: [],
  names: ['internal', 'errors'],
  certificate: ['names', 'internal', 'errors'],
  net: ['certificate', 'names', 'internal', 'errors'],
  ...Object.fromEntries(DOMAINS.map((domain) => [domain, BELOW_DOMAINS])),
  // What keeps things in an engine that many share; whoever needs none of it loads none of it.
  redis: [...DOMAINS, ...BELOW_DOMAINS],
  postgres: [...DOMAINS, ...BELOW_DOMAINS],
  testing: [...DOMAINS, ...BELOW_DOMAINS],
  index: [...DOMAINS, ...BELOW_DOMAINS],
  cli: ['index', 'testing', ...DOMAINS, ...BELOW_DOMAINS],
}

interface Import {
  readonly file: string
  readonly specifier: string
  readonly typeOnly: boolean
  readonly dynamic: boolean
  readonly text: string
}

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))

function importsOf(file: string): Import[] {
  // Comments hold examples with imports of their own.
  const text = readFileSync(join(src, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
  const statements = text.matchAll(/^(?:import|export)\s[^'"]*?from\s+['"]([^'"]+)['"]|^import\s+['"]([^'"]+)['"]/gm)
  const dynamic = text.matchAll(/(typeof\s+)?import\(\s*['"]([^'"]+)['"]\s*\)/g)
  return [
    ...[...statements].map((match) => ({
      file,
      specifier: match[1] ?? match[2] ?? '',
      typeOnly: /^(?:import|export)\s+type\b/.test(match[0]),
      dynamic: false,
      text: match[0],
    })),
    ...[...dynamic].map((match) => ({
      file,
      specifier: match[2] ?? '',
      typeOnly: match[1] !== undefined,
      dynamic: true,
      text: match[0],
    })),
  ]
}

const layerOf = (path: string): string => path.replace(/\.ts$/, '').split('/')[0] ?? ''
const all = files.flatMap(importsOf)
const relativeImports = all.filter(({ specifier }) => specifier.startsWith('.'))
const packageImports = all.filter(({ specifier }) => !specifier.startsWith('.') && !specifier.startsWith('node:'))

describe('the layers', () => {
  it('has a place for every folder', () => {
    expect(files.map(layerOf).filter((layer) => below[layer] === undefined)).toEqual([])
    expect(relativeImports.length).toBeGreaterThan(50)
  })

  it('has no arrow that points up or sideways', () => {
    const wrong = relativeImports
      .filter(({ typeOnly }) => !typeOnly)
      .filter(({ file, specifier }) => {
        const from = layerOf(file)
        const to = layerOf(relative(src, resolve(src, dirname(file), specifier)))
        return from !== to && !below[from]?.includes(to)
      })
    expect(wrong.map(({ file, text }) => `${file}: ${text}`)).toEqual([])
  })

  it('loads third-party packages only when a call needs them', () => {
    // The command is no library: whoever starts it wants what it loads.
    const ours = packageImports.filter(({ file }) => layerOf(file) !== 'cli')
    const eager = ours.filter(({ typeOnly, dynamic }) => !typeOnly && !dynamic)
    expect(eager.map(({ file, text }) => `${file}: ${text}`)).toEqual([])
  })

  it('lets only the TLS layer and the published fakes make a Peer', () => {
    const makers = all.filter(({ text }) => /\bmint(Verified)?Peer\b/.test(text)).map(({ file }) => layerOf(file))
    expect([...new Set(makers)].filter((layer) => layer !== 'tls' && layer !== 'testing')).toEqual([])
  })

  it('exports by name', () => {
    const stars = files.filter((file) => /^export \*/m.test(readFileSync(join(src, file), 'utf8')))
    expect(stars).toEqual([])
  })

  it('never asks Node whether a peer is authorized', () => {
    const code = (file: string): string =>
      readFileSync(join(src, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
    expect(files.filter((file) => /\.authorized\b|\bauthorizationError\b/.test(code(file)))).toEqual([])
  })
})
