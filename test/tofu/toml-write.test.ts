import { execFileSync, spawnSync } from 'node:child_process'
import { parse } from 'smol-toml'
import { describe, expect, it } from 'vitest'
import { parseFingerprint } from '../../src/certificate/fingerprint.ts'
import type { Pin } from '../../src/tofu/pin.ts'
import { formatPinsToml } from '../../src/tofu/toml-write.ts'
import { pinOf, tomlOf } from './toml-support.ts'

// tomllib came with Python 3.11.
const PYTHON_READS_TOML = spawnSync('python3', ['-c', 'import tomllib']).status === 0

describe('the hosts that the relatives read', () => {
  it('are written exactly as the relatives write them', async () => {
    expect(await tomlOf([pinOf()])).toBe(
      [
        '[_metadata]',
        'exported_at = "2026-11-25T12:00:00+00:00"',
        'version = "1.0"',
        '',
        '[tlacacoca]',
        'format = 1',
        '',
        '[hosts."example.org:1965"]',
        'hostname = "example.org"',
        'port = 1965',
        `fingerprint = "sha256:${'a'.repeat(64)}"`,
        'first_seen = "2026-01-02T03:04:05.678000+00:00"',
        'last_seen = "2026-02-03T04:05:06+00:00"',
        '',
        '[tlacacoca.end]',
        '',
      ].join('\n'),
    )
  })

  it('are an empty table if there are none, because the relatives refuse a file without one', async () => {
    expect(await treeOf([])).toMatchObject({ hosts: {}, _metadata: { version: '1.0' } })
  })

  it('name an IPv6 address without brackets, under a key with brackets', async () => {
    const tree = await treeOf([pinOf({ subject: '[2001:db8::1]:1966' })])
    expect(tree.hosts).toMatchObject({ '[2001:db8::1]:1966': { hostname: '2001:db8::1', port: 1966 } })
  })

  // A relative trusts everything under [hosts].
  it.each<[string, Partial<Pin>]>([
    ['a replaced pin', { state: 'replaced' }],
    ['a distrusted pin', { state: 'distrusted' }],
    ['an announced pin', { state: 'announced' }],
    ['a pin of SHA-512', { digest: parseFingerprint(`sha512:${'b'.repeat(128)}`) }],
    ['a pin of a public key', { digest: parseFingerprint(`spki-sha256:${'b'.repeat(64)}`) }],
    ['a mailbox', { subject: 'user@example.org' }],
    ['a subject that is no endpoint', { subject: 'example.org' }],
    ['a port without a meaning', { subject: 'example.org:065536' }],
  ])('never hold %s', async (_, change) => {
    const tree = await treeOf([pinOf(change)])
    expect(tree.hosts).toEqual({})
    expect(tree.tlacacoca).toMatchObject({ pins: [{ subject: change.subject ?? 'example.org:1965' }] })
  })

  it('hold a verified pin, and what the relatives cannot hold stands elsewhere', async () => {
    const tree = await treeOf([pinOf({ state: 'verified', note: 'asked on the phone' })])
    expect(Object.keys(tree.hosts)).toEqual(['example.org:1965'])
    expect(tree.tlacacoca).toMatchObject({ pins: [{ state: 'verified', note: 'asked on the phone' }] })
    expect(JSON.stringify(tree.tlacacoca)).not.toContain('first_seen')
  })

  it('hold the one of several live pins that was seen last', async () => {
    const older = pinOf({ digest: digest('a'), lastSeen: new Date('2026-03-01') })
    const newer = pinOf({ digest: digest('b'), lastSeen: new Date('2026-03-02') })
    for (const pins of [
      [older, newer],
      [newer, older],
    ]) {
      const tree = await treeOf(pins)
      expect(tree.hosts).toMatchObject({ 'example.org:1965': { fingerprint: digest('b') } })
      expect(tree.tlacacoca).toMatchObject({ pins: [{ fingerprint: digest('a'), state: 'trusted' }] })
    }
  })

  it('do not hold a certificate whose key is marked as never to be trusted', async () => {
    const key = parseFingerprint(`spki-sha256:${'c'.repeat(64)}`)
    const tree = await treeOf([pinOf({ keyDigest: key }), pinOf({ digest: key, state: 'distrusted' })])
    expect(tree.hosts).toEqual({})
  })

  it('are never seen first after they were seen last, whatever the clock did', async () => {
    const tree = await treeOf([pinOf({ firstSeen: new Date('2031-01-01'), lastSeen: new Date('2026-01-01') })])
    const at = '2026-01-01T00:00:00+00:00'
    expect(tree.hosts).toMatchObject({ 'example.org:1965': { first_seen: at, last_seen: at } })
  })
})

describe('the text', () => {
  it.skipIf(!PYTHON_READS_TOML)('is TOML for Python too, and hides no control characters', async () => {
    const note = '"quoted" \\ \0 \u001b[31m \u009b \u202e \u2028 \u{1f512} é \ufffd \n[hosts."evil.example:1965"]'
    const text = await tomlOf([pinOf({ note }), pinOf({ subject: 'user@x', source: note })])
    expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028\ufffd]/)
    expect(JSON.parse(python('json.dump(tomllib.load(sys.stdin.buffer), sys.stdout)', text))).toEqual(parse(text))
    expect(parse(text)).toMatchObject({ tlacacoca: { pins: [{ note }, { source: note }] } })
  })

  it('says U+FFFD where a note has half a surrogate pair', async () => {
    expect(await tomlOf([pinOf({ note: 'a\ud800b' })])).toContain('note = "a\\ufffdb"')
  })

  it('comes in pieces of bounded size, of as many pins as there are', async () => {
    const count = 10_000
    function* pins(): Generator<Pin> {
      for (let i = 0; i < count; i++) yield pinOf({ subject: `h${String(i).padStart(6, '0')}.example:1965` })
    }
    async function* awaited(): AsyncGenerator<Pin> {
      yield* pins()
    }
    for (const source of [pins(), awaited()]) {
      const sizes: number[] = []
      for await (const piece of formatPinsToml(source, { exportedAt: new Date(0) })) sizes.push(piece.length)
      expect(sizes.length).toBeGreaterThan(5)
      expect(Math.max(...sizes)).toBeLessThan(300 * 1024)
    }
  })

  it('is the same from pins one by one and in portions, at once and awaited', async () => {
    const pins = ['a.example:1', 'b.example:1', 'b.example:1', 'c.example:1'].map((subject, i) =>
      pinOf({ subject, digest: digest(String(i)) }),
    )
    const expected = await tomlOf(pins)
    async function* awaited<T>(values: T[]): AsyncGenerator<T> {
      yield* values
    }
    expect(await tomlOf([pins.slice(0, 2), pins.slice(2)])).toBe(expected)
    expect(await tomlOf(awaited(pins))).toBe(expected)
    expect(await tomlOf(awaited([pins.slice(0, 2), [], pins.slice(2)]))).toBe(expected)
  })

  it('is not begun for pins that are not in order', async () => {
    const subjects = ['b.example:1', 'a.example:1']
    await expect(tomlOf(subjects.map((subject) => pinOf({ subject })))).rejects.toThrow(TypeError)
  })

  it('takes the order of UTF-8 for order, where that of JavaScript is another', async () => {
    const subjects = ['\uffee@example.org', '\u{1f512}@example.org']
    expect(await tomlOf(subjects.map((subject) => pinOf({ subject })))).toContain('\u{1f512}@example.org')
  })
})

interface Tree {
  readonly _metadata: object
  readonly hosts: object
  readonly tlacacoca: object
}

async function treeOf(pins: Parameters<typeof tomlOf>[0]): Promise<Tree> {
  return parse(await tomlOf(pins)) as unknown as Tree
}

function python(statement: string, input: string): string {
  return execFileSync('python3', ['-c', `import json, sys, tomllib; ${statement}`], { input, encoding: 'utf8' })
}

function digest(letter: string) {
  return parseFingerprint(`sha256:${letter.repeat(64)}`)
}
