import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, posix } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { InvalidNameError } from '../../src/errors.ts'
import { CertificateAuth } from '../../src/middleware/certificate-auth.ts'
import type { CertificateRule } from '../../src/middleware/certificate-rule.ts'
import { openInsideRoot } from '../../src/middleware/open-inside-root.ts'
import { parseClientAddress } from '../../src/names/client-address.ts'
import { parseTarget, type RequestTarget, targetFromParts } from '../../src/names/request-target.ts'

// No two spellings of one resource get different answers. A resource is what somebody means: a scheme, a server, some
// names, and whether it is a directory. Of each, many spellings are made; each of them is refused, or it leads to the same
// target, the same rule and the same file as all the others. And what is another resource never comes out as this one.

const schemes = { gemini: 1965, titan: 1965, spartan: 300 }
const options = { schemes, served: 'any' } as const
const address = parseClientAddress('192.0.2.1')

interface Resource {
  readonly scheme: keyof typeof schemes
  readonly host: keyof typeof HOSTS
  /** Null for that of the scheme. */
  readonly port: number | null
  readonly segments: readonly string[]
  readonly isDirectory: boolean
}

// Of each host some spellings, as in a URL. Letters are written in either case besides.
const HOSTS = {
  'example.org': ['example.org', 'example.org.', 'ｅｘａｍｐｌｅ.org', 'example。org', 'exam\u00adple.org'],
  'example.net': ['example.net', 'example.net.', 'example．net'],
  'xn--bcher-kva.example': ['bücher.example', 'xn--bcher-kva.example', 'bu\u0308cher.example.', 'bücher。example'],
  '192.0.2.1': ['192.0.2.1', '[::ffff:192.0.2.1]', '[::ffff:c000:201]', '[0:0:0:0:0:ffff:c000:0201]'],
  '2001:db8::1': ['[2001:db8::1]', '[2001:0db8:0:0::0001]', '[2001:db8::0.0.0.1]'],
} as const

// Names that look like one another, like something to be decoded, or like something else to some system.
const NAMES = [
  'admin',
  'secret.gmi',
  'pub',
  'Admin',
  'ADMIN',
  '%61dmin',
  'admin.',
  'admin ',
  ' admin',
  'admin;',
  'admin;x=y',
  'administrator',
  'adm',
  '...',
  '. .',
  '.. ',
  '..;',
  '%2e%2e',
  '%2f',
  '%',
  '?',
  '#',
  '*',
  '~',
  'admin:$DATA',
  'C:',
  'café',
  'cafe\u0301',
  'ａｄｍｉｎ',
  'аdmin',
  'ad\u200bmin',
  'ad\u00admin',
  '\ufeffadmin',
  '\u202eadmin',
  '．．',
  '∕',
  '{x}',
  '"<`>"',
  '[|]^',
  "!$&'()+,=@_",
  '𝒶𝒹𝓂𝒾𝓃',
  '\u{10fffd}',
]
const names = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('admin', 'secret.gmi', 'pub') },
  { weight: 3, arbitrary: fc.constantFrom(...NAMES) },
  {
    weight: 1,
    arbitrary: fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 6 })
      .filter((name) => !/[\0-\x1f\x7f-\x9f/\\\ufffd]/.test(name) && name !== '.' && name !== '..'),
  },
)

const resources: fc.Arbitrary<Resource> = fc
  .record({
    scheme: fc.constantFrom(...(Object.keys(schemes) as (keyof typeof schemes)[])),
    host: fc.constantFrom(...(Object.keys(HOSTS) as (keyof typeof HOSTS)[])),
    port: fc.option(fc.constantFrom(300, 1965, 1966)),
    segments: fc.array(names, { maxLength: 4 }),
    isDirectory: fc.boolean(),
  })
  // The root is a directory; it cannot be said otherwise.
  .map((resource) => ({ ...resource, isDirectory: resource.isDirectory || resource.segments.length === 0 }))

/** Chooses, as often as it is asked, one of several things. */
type Dice = <T>(choices: readonly [T, ...T[]]) => T

const dices: fc.Arbitrary<Dice> = fc.infiniteStream(fc.nat({ max: 2 ** 20 })).map((stream) => (choices) => {
  return choices[stream.next().value % choices.length] ?? choices[0]
})

const escaped = (text: string, dice: Dice): string =>
  [...Buffer.from(text)]
    .map((octet) => octet.toString(16).padStart(2, '0'))
    .map((digits) => `%${dice([digits, digits.toUpperCase()])}`)
    .join('')

/** A name with some of its characters escaped, and those that must be. */
function spelledName(name: string, scheme: Resource['scheme'], dice: Dice): string {
  const mustEscape = scheme === 'titan' ? /[ "#<>?\\`{}%;]/ : /[ "#<>?\\`{}%]/
  return Array.from(name, (character) =>
    mustEscape.test(character) || dice([false, false, true]) ? escaped(character, dice) : character,
  ).join('')
}

const DOT = ['.', '%2e', '%2E'] as const

function spelledPath({ scheme, segments, isDirectory }: Resource, dice: Dice): string {
  const detour = (): string => {
    const there = spelledName(dice(['x', 'admin', '..a', '%2e']), scheme, dice)
    return dice(['', '', '', '/', '//', `/${dice(DOT)}`, `/${there}/${dice(DOT)}${dice(DOT)}`, `/${there}//..`])
  }
  // No way up from the root.
  const start = dice(['', '', '/..', `/${dice(DOT)}${dice(DOT)}/..`])
  const middle = segments.map((name) => `${detour()}/${spelledName(name, scheme, dice)}`).join('')
  const ending = isDirectory ? dice(['/', '//', `/${dice(DOT)}`, '/./', '/x/..', `/x/${dice(DOT)}./`]) : ''
  const path = `${start}${middle}${ending}`
  return segments.length === 0 && dice([true, false]) ? dice(['', '/']) : path
}

function spelledHost({ host }: Resource, dice: Dice): string {
  const text: string = dice(HOSTS[host])
  return Array.from(text, (letter) => (dice([true, false]) ? letter : letter.toUpperCase())).join('')
}

function spelledPort({ scheme, port }: Resource, dice: Dice): string {
  if (port !== null && port !== schemes[scheme]) return `:${port}`
  return dice(['', ':', `:${schemes[scheme]}`])
}

/** One of the ways to write a resource as a URL. */
function spell(resource: Resource, dice: Dice): string {
  const scheme = Array.from(resource.scheme, (letter) => dice([letter, letter, letter.toUpperCase()])).join('')
  const authority = `${spelledHost(resource, dice)}${spelledPort(resource, dice)}`
  const parameters = resource.scheme === 'titan' ? dice(['', ';size=3', ';token=/../x;size=0;mime=text/gemini']) : ''
  const query = dice(['', '', '?', '?/../../pub', '?admin;size=3', '?%2f..%2fpub'])
  // Parameters hang on a path.
  const path = spelledPath(resource, dice)
  return `${scheme}://${authority}${path === '' && parameters !== '' ? '/' : path}${parameters}${query}`
}

/** The same as Spartan's three parts. */
function spellParts(resource: Resource, dice: Dice): RequestTarget {
  const { scheme, port } = resource
  const host = `${spelledHost(resource, dice)}${dice(['', `:${port ?? schemes[scheme]}`])}`
  return targetFromParts(
    {
      scheme,
      host,
      port: port ?? schemes[scheme],
      path: spelledPath(resource, dice),
      query: dice([null, '', 'a=/..']),
    },
    { served: 'any' },
  )
}

/** What the rules and the handlers see of a target. */
const seen = (target: RequestTarget): string =>
  JSON.stringify([
    target.scheme,
    target.endpoint.host,
    target.endpoint.port,
    target.path.segments,
    target.path.isDirectory,
  ])

/** The same of the resource that was meant. */
const meant = ({ scheme, host, port, segments, isDirectory }: Resource): string =>
  JSON.stringify([scheme, host, port ?? schemes[scheme], segments, isDirectory])

const rules: CertificateRule[] = [
  { path: '/admin/' },
  { path: '/admin/', scheme: 'titan' },
  { path: '/admin/', host: 'example.org' },
  { path: '/admin/', host: 'example.org:1966', scheme: 'titan' },
  { path: '/admin/', host: '192.0.2.1' },
  { path: '/admin/', host: 'bücher.example' },
  { path: '/admin/pub/', requireCertificate: false },
  { path: '/pub/', requireCertificate: false },
  { path: '/pub/', host: '[2001:db8::1]:1965' },
  { path: '/%2561dmin' },
  { path: '/caf%C3%A9' },
  { path: '/admin;' },
  { path: '/Admin/admin' },
]
const auth = new CertificateAuth({ rules })
const ruleFor = (target: RequestTarget) => auth.decide({ target, address, peer: null })

let root = ''

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'tlacacoca-'))
  // Each name is a folder with a file of each name in it, and each file says where it is.
  const folders = NAMES.filter((name) => name !== 'secret.gmi')
  for (const folder of folders) {
    await mkdir(join(root, folder), { recursive: true })
    await Promise.all(NAMES.map((name) => writeFile(join(root, folder, name), JSON.stringify([folder, name]))))
  }
  await writeFile(join(root, 'secret.gmi'), JSON.stringify(['secret.gmi']))
})
afterAll(() => rm(root, { recursive: true, force: true }))

/** What stands in the file that a request is answered with, or null. */
async function fileFor({ path }: RequestTarget): Promise<string | null> {
  const file = await openInsideRoot(root, path, { index: 'secret.gmi', hidden: true })
  try {
    return file === null ? null : await file.readFile('utf8')
  } finally {
    await file?.close()
  }
}

function tryParse(line: string): RequestTarget | null {
  try {
    return parseTarget(line, options)
  } catch (error) {
    if (error instanceof InvalidNameError) return null
    throw error
  }
}

it('takes every spelling of a resource for that resource, and asks the same rule about it', () => {
  fc.assert(
    fc.property(resources, dices, (resource, dice) => {
      const plain = parseTarget(
        spell(resource, ([first]) => first),
        options,
      )
      expect(seen(plain)).toBe(meant(resource))
      const rule = ruleFor(plain)
      for (let i = 0; i < 5; i++) {
        const line = spell(resource, dice)
        const target = parseTarget(line, options)
        expect(seen(target), line).toBe(meant(resource))
        expect(target.path.equals(plain.path) && target.endpoint.equals(plain.endpoint), line).toBe(true)
        // Each rule has one answer that is always the same object.
        expect(ruleFor(target), line).toBe(rule)
        if (resource.scheme === 'titan') continue
        const parts = spellParts(resource, dice)
        expect(seen(parts)).toBe(meant(resource))
        expect(ruleFor(parts)).toBe(rule)
      }
    }),
    { numRuns: 3000 },
  )
})

it('opens the same file for every spelling of a resource, and never that of another', async () => {
  let opened = 0
  await fc.assert(
    fc.asyncProperty(resources, dices, async (resource, dice) => {
      const { segments, isDirectory } = resource
      const plain = await fileFor(
        parseTarget(
          spell(resource, ([first]) => first),
          options,
        ),
      )
      // What is in the file says where it is: below the root, under the names that were meant.
      expect([null, JSON.stringify(isDirectory ? [...segments, 'secret.gmi'] : segments)]).toContain(plain)
      if (plain !== null) opened++
      for (let i = 0; i < 3; i++) {
        const line = spell(resource, dice)
        expect(await fileFor(parseTarget(line, options)), line).toBe(plain)
        if (resource.scheme !== 'titan') expect(await fileFor(spellParts(resource, dice))).toBe(plain)
      }
    }),
    { numRuns: 600 },
  )
  expect(opened).toBeGreaterThan(50)
})

it('never takes two different resources for one, however they are spelled', () => {
  // The second is the first with one thing changed, so that the two are as near to each other as can be.
  const changes = fc.record({ at: fc.nat({ max: 4 }), name: names, kind: fc.nat({ max: 6 }) })
  const changed = (resource: Resource, { at, name, kind }: { at: number; name: string; kind: number }): Resource => {
    const { segments } = resource
    const rest = segments.slice(at + 1)
    const other = [
      { ...resource, segments: [...segments.slice(0, at), name, ...rest] },
      { ...resource, segments: [...segments.slice(0, at), name, ...segments.slice(at)] },
      { ...resource, segments: [...segments.slice(0, at), ...rest] },
      { ...resource, isDirectory: !resource.isDirectory },
      { ...resource, port: resource.port === 1966 ? 1967 : 1966 },
      { ...resource, host: resource.host === 'example.org' ? 'example.net' : 'example.org' },
      { ...resource, scheme: resource.scheme === 'titan' ? 'gemini' : 'titan' },
    ][kind] as Resource
    return { ...other, isDirectory: other.isDirectory || other.segments.length === 0 }
  }
  fc.assert(
    fc.property(resources, changes, dices, (first, change, dice) => {
      const second = changed(first, change)
      fc.pre(meant(first) !== meant(second))
      const one = parseTarget(spell(first, dice), options)
      const two = parseTarget(spell(second, dice), options)
      expect(seen(one)).not.toBe(seen(two))
      const isSame = one.path.equals(two.path) && one.endpoint.equals(two.endpoint) && one.scheme === two.scheme
      expect(isSame, `${one.path} ${two.path}`).toBe(false)
    }),
    { numRuns: 10_000 },
  )
})

// What makes a spelling ambiguous, put into a good one: it is refused, wherever it stands, and by nobody repaired.
it.each([
  ['user information', (line: string) => line.replace('://', '://example.org@')],
  ['empty user information', (line: string) => line.replace('://', '://@')],
  ['a fragment', (line: string) => `${line}#`],
  ['a space behind it', (line: string) => `${line} `],
  ['a space before it', (line: string) => ` ${line}`],
  ['a byte order mark', (line: string) => `\ufeff${line}`],
  ['a line end', (line: string) => `${line}\r\n`],
  ['one slash too few', (line: string) => line.replace('://', ':/')],
  ['one slash too many', (line: string) => line.replace('://', ':///')],
  ['backslashes', (line: string) => line.replace('://', ':\\\\')],
  ['a second port', (line: string) => line.replace(/:\/\/([^/?]*)/, '://$1:1965:1965')],
])('refuses a spelling with %s', (_, spoil) => {
  fc.assert(
    fc.property(resources, dices, (resource, dice) => {
      const line = spell(resource, dice)
      expect(tryParse(line)).not.toBeNull()
      expect(tryParse(spoil(line)), spoil(line)).toBeNull()
    }),
  )
})

it.each([
  '%2f',
  '%2F',
  '%5c',
  '%5C',
  '%00',
  '%0d%0a',
  '%7f',
  '%c2%85',
  '%c0%af',
  '%ff',
  '%ed%a0%80',
  '%g',
  '%6g',
  '%zz',
  '\\',
  '\t',
  '\0',
  '\ud800',
  '\ufffd',
])('refuses a spelling with %j anywhere in its path', (bad) => {
  fc.assert(
    fc.property(resources, dices, fc.nat(), (resource, dice, at) => {
      const path = `${spelledPath(resource, dice)}/`
      // Not into the middle of an escape, where it would make another one of it.
      const places = [...path.matchAll(/(?<!%|%[0-9a-f])(?!^)/gi)].map(({ index }) => index)
      const place = places[at % places.length] ?? 1
      const spoilt = path.slice(0, place) + bad + path.slice(place)
      expect(tryParse(`gemini://example.org${path}`.replaceAll(';', '%3b')), path).not.toBeNull()
      expect(tryParse(`gemini://example.org${spoilt}`), spoilt).toBeNull()
      expect(() =>
        targetFromParts({ scheme: 'spartan', host: 'example.org', port: 300, path: spoilt }, { served: 'any' }),
      ).toThrow(InvalidNameError)
    }),
  )
})

// From the other end: any text at all, put together from what has ever deceived a server.
const pieces = fc.constantFrom(
  ...[
    '/',
    '/',
    '/',
    '.',
    '..',
    '%2e',
    '%2E%2e',
    '//',
    '/./',
    '/../',
    ';',
    '..;',
    '%3b',
    '%2f',
    '%5c',
    '\\',
    '%',
    '%25',
    '%252e',
  ],
  ...[
    'admin',
    '%61dmin',
    'Admin',
    'secret.gmi',
    'pub',
    '?',
    '%3f',
    '#',
    '%23',
    '%00',
    '%c0%ae',
    '%e2%80%a8',
    'ü',
    '%c3%bc',
    '%20',
    '~',
  ],
)
const anyPath = fc.array(pieces, { maxLength: 10 }).map((list) => `/${list.join('')}`)

it('sees of any text what a plain reading of it comes to, in the rule as in the file', async () => {
  let accepted = 0
  await fc.assert(
    fc.asyncProperty(anyPath, async (raw) => {
      const target = tryParse(`gemini://example.org${raw}`)
      if (target === null) return
      accepted++
      const [path = ''] = raw.split('?')
      // Decoded once, then tidied as a file system would; the slash at the end means nothing to rules.
      const read = posix.normalize(decodeURIComponent(path)).replace(/(?<=.)\/$/s, '')
      expect(target.path.toString().replace(/(?<=.)\/$/s, '')).toBe(read)
      const canonical = `gemini://example.org${encoded(target)}`
      const again = parseTarget(canonical, options)
      expect(seen(again), raw).toBe(seen(target))
      expect(ruleFor(again)).toBe(ruleFor(target))
      expect(await fileFor(again)).toBe(await fileFor(target))
      const parts = { scheme: 'gemini', host: 'example.org', port: 1965, path }
      expect(seen(targetFromParts(parts, { served: 'any' })), raw).toBe(seen(target))
    }),
    { numRuns: 4000 },
  )
  expect(accepted).toBeGreaterThan(500)
})

/** The one way to write a path in which nothing is left to choose. */
function encoded({ path: { segments, isDirectory } }: RequestTarget): string {
  const path = segments.map((name) => `/${encodeURIComponent(name)}`).join('')
  return isDirectory ? `${path}/` : path
}
