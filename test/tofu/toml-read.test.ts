import { describe, expect, it } from 'vitest'
import { parseFingerprint } from '../../src/certificate/fingerprint.ts'
import type { Pin } from '../../src/tofu/pin.ts'
import { TomlBlock } from '../../src/tofu/toml-block.ts'
import { pinOf, readToml, tomlOf } from './toml-support.ts'

const A = `sha256:${'a'.repeat(64)}`
const B = `sha256:${'b'.repeat(64)}`
const KEY = parseFingerprint(`spki-sha256:${'c'.repeat(64)}`)

/** What the relatives write, line by line. */
const HOST = [
  '[hosts."example.org:1965"]',
  'hostname = "example.org"',
  'port = 1965',
  `fingerprint = "${A}"`,
  'first_seen = "2026-01-02T03:04:05.678901+00:00"',
  'last_seen = "2026-02-03T04:05:06+00:00"',
]
const METADATA = ['[_metadata]', 'exported_at = "2026-11-25T12:00:00.123456+00:00"', 'version = "1.0"']

/** Our own part of a file with one pin; the table begins on line 6. */
const OWN = ['[hosts]', '', '[tlacacoca]', 'format = 1', '', '[[tlacacoca.pins]]']
const PIN = [
  'subject = "example.org:1965"',
  `fingerprint = "${A}"`,
  'state = "distrusted"',
  'first_seen = "2026-01-02T03:04:05+00:00"',
  'last_seen = "2026-02-03T04:05:06+00:00"',
  'days_seen = 3',
]
const END = ['', '[tlacacoca.end]', '']

const text = (...lines: (string | readonly string[])[]): string => `${lines.flat().join('\n')}\n`
/** The lines, with the one that begins like it replaced, or left out. */
const but = (lines: readonly string[], start: string, line?: string): string[] => {
  expect(lines.filter((each) => each.startsWith(start))).toHaveLength(1)
  return lines.flatMap((each) => (each.startsWith(start) ? (line === undefined ? [] : [line]) : [each]))
}
const where = (problems: readonly { line: number; column: number; message: string }[]): string[] =>
  problems.map((problem) => `${problem.line}:${problem.column} ${problem.message}`)

describe('a file of the relatives', () => {
  it('gives what is in it, with the place of each host', async () => {
    const second = HOST.map((line) => line.replace('example.org', 'example.net'))
    const read = await readToml(text(METADATA, '', HOST, '', second))
    expect(read).toMatchObject({ problems: [], restarts: 0 })
    expect(read.pins).toEqual([
      { line: 5, column: 2, pin: pinOf() },
      { line: 12, column: 2, pin: pinOf({ subject: 'example.net:1965' }) },
    ])
  })

  it('may have no metadata, which the relatives do not ask for', async () => {
    expect(await readToml(text(HOST))).toMatchObject({ pins: [{ pin: pinOf() }], problems: [] })
  })

  it('may have no hosts in it', async () => {
    expect(await readToml(text(METADATA, '', '[hosts]'))).toMatchObject({ pins: [], problems: [] })
  })

  // One thing differs from row to row, and means the same.
  it.each<[string, string[], boolean]>([
    ['a date without an offset', but(HOST, 'last', 'last_seen = "2026-02-03T04:05:06"'), false],
    ['a date with another offset', but(HOST, 'last', 'last_seen = "2026-02-03T06:05:06+02:00"'), false],
    ['a date of TOML', but(HOST, 'last', 'last_seen = 2026-02-03T04:05:06Z'), true],
    ['a local date of TOML', but(HOST, 'last', 'last_seen = 2026-02-03 04:05:06'), true],
    ['an upper-case fingerprint', but(HOST, 'fing', `fingerprint = "sha256:${'A'.repeat(64)}"`), false],
    ['a fingerprint with colons', but(HOST, 'fing', `fingerprint = "${'AA:'.repeat(31)}AA"`), false],
    ['an upper-case host', [`[hosts."EXAMPLE.org:1965"]`, 'hostname = "EXAMPLE.org"', ...HOST.slice(2)], false],
    ['a trailing dot', ['[hosts."example.org.:1965"]', 'hostname = "example.org."', ...HOST.slice(2)], false],
    ['a key that is spelled otherwise', ['[hosts."EXAMPLE.ORG.:1965"]', ...HOST.slice(1)], false],
    ['another order', [...HOST.slice(0, 1), ...HOST.slice(1).reverse()], false],
    ['a strange field', [...HOST, 'colour = "red"'], false],
    ['comments', ['# mine', HOST[0] ?? '', '# é \t', ...HOST.slice(1)], false],
    ['a comment behind a value', but(HOST, 'port', 'port = 1965 # the usual'), true],
    ['no spaces', but(HOST, 'port', 'port=1965'), true],
    ['an indent', HOST.map((line) => `  ${line}`), true],
    ['an integer with underscores', but(HOST, 'port', 'port = 1_965'), true],
    ['a hexadecimal integer', but(HOST, 'port', 'port = 0x7ad'), true],
    ['a literal string', but(HOST, 'host', "hostname = 'example.org'"), true],
    ['an escape', but(HOST, 'host', 'hostname = "ex\\u0061mple.org"'), false],
    ['a long escape', but(HOST, 'host', 'hostname = "ex\\U00000061mple.org"'), true],
    ['a string of several lines', but(HOST, 'host', 'hostname = """\nexample.org"""'), true],
    ['a literal key', ["[hosts.'example.org:1965']", ...HOST.slice(1)], true],
    ['dotted keys', ['[hosts]', ...HOST.slice(1).map((line) => `"example.org:1965".${line}`)], true],
    ['an inline table', [`hosts = { "example.org:1965" = { ${HOST.slice(1).join(', ')} } }`], true],
    ['strange tables', ['[strange.tables]', 'a = [1, {b = 2}]', '[[more]]', '[[more]]', ...HOST], true],
  ])('means the same with %s', async (_, lines, isOther) => {
    const read = await readToml(text(lines))
    expect(read.problems).toEqual([])
    expect(read.pins.map(({ pin }) => pin)).toEqual([pinOf()])
    expect(read.restarts).toBe(isOther ? 1 : 0)
  })

  it('names an IPv6 address as the relatives do, without brackets', async () => {
    const lines = ['[hosts."2001:DB8::1:1965"]', 'hostname = "2001:DB8::1"', ...HOST.slice(2)]
    expect(await readToml(text(lines))).toMatchObject({
      pins: [{ pin: { subject: '[2001:db8::1]:1965' } }],
      problems: [],
    })
  })

  it('may begin with a byte order mark and have the line ends of Windows', async () => {
    const source = text(METADATA, '', HOST)
    for (const variant of [source.replaceAll('\n', '\r\n'), `\ufeff${source}`, source.trimEnd()]) {
      for (const chunks of [[variant], [Buffer.from(variant)]]) {
        const read = await readToml(() => chunks)
        expect(read).toEqual({ pins: [{ line: 5, column: 2, pin: pinOf() }], problems: [], restarts: 0 })
      }
    }
  })
})

describe('a mistake in a host', () => {
  it.each<[string, string[], string]>([
    ['a missing name', but(HOST, 'host'), '1:2 "example.org:1965" has no hostname'],
    ['a missing port', but(HOST, 'port'), '1:2 "example.org:1965" has no port'],
    ['a missing fingerprint', but(HOST, 'fing'), '1:2 "example.org:1965" has no fingerprint'],
    ['a missing first date', but(HOST, 'first'), '1:2 "example.org:1965" has no first_seen'],
    ['a missing last date', but(HOST, 'last'), '1:2 "example.org:1965" has no last_seen'],
    ['a number for a name', but(HOST, 'host', 'hostname = 5'), '2:12 hostname is 5; write a string'],
    ['a table for a name', but(HOST, 'host', 'hostname = { a = 1 }'), '2:12 hostname is a table; write a string'],
    ['an array for a name', but(HOST, 'host', 'hostname = ["a"]'), '2:12 hostname is an array; write a string'],
    ['an empty name', but(HOST, 'host', 'hostname = ""'), '2:12 hostname: "" is not a host name'],
    [
      'a name with a line feed',
      but(HOST, 'host', 'hostname = "a\\nb"'),
      '2:12 hostname: "a\\nb" has a character that no host name has',
    ],
    [
      'another name than the key',
      but(HOST, 'host', 'hostname = "example.net"'),
      '1:2 the table is called "example.org:1965" but is about example.net:1965; make them agree',
    ],
    [
      'another port than the key',
      but(HOST, 'port', 'port = 1966'),
      '1:2 the table is called "example.org:1965" but is about example.org:1966; make them agree',
    ],
    [
      'a key without a port',
      ['[hosts."example.org"]', ...HOST.slice(1)],
      '1:2 the table is called "example.org" but is about example.org:1965; make them agree',
    ],
    ['true for a port', but(HOST, 'port', 'port = true'), '3:8 port is true; write a whole number from 1 to 65535'],
    [
      'a string for a port',
      but(HOST, 'port', 'port = "1965"'),
      '3:8 port is "1965"; write a whole number from 1 to 65535',
    ],
    [
      'a float for a port',
      but(HOST, 'port', 'port = 1965.0'),
      '3:8 port is 1965.0; write a whole number from 1 to 65535',
    ],
    ['nothing for a port', but(HOST, 'port', 'port = 0'), '3:8 port is 0; write a whole number from 1 to 65535'],
    ['a negative port', but(HOST, 'port', 'port = -1965'), '3:8 port is -1965; write a whole number from 1 to 65535'],
    [
      'a port that is too large',
      but(HOST, 'port', 'port = 65536'),
      '3:8 port is 65536; write a whole number from 1 to 65535',
    ],
    [
      'a port beyond all numbers',
      but(HOST, 'port', `port = ${'9'.repeat(30)}`),
      `3:8 port is ${'9'.repeat(30)}; write a whole number from 1 to 65535`,
    ],
    ['infinity for a port', but(HOST, 'port', 'port = inf'), '3:8 port is inf; write a whole number from 1 to 65535'],
    ['a fingerprint with a line feed', but(HOST, 'fing', `fingerprint = "${A}\\n"`), '4:15 fingerprint: '],
    ['a short fingerprint', but(HOST, 'fing', 'fingerprint = "sha256:aa"'), '4:15 fingerprint: '],
    ['a SHA-1', but(HOST, 'fing', `fingerprint = "${'a'.repeat(40)}"`), '4:15 fingerprint: '],
    [
      'a SHA-512',
      but(HOST, 'fing', `fingerprint = "sha512:${'a'.repeat(128)}"`),
      '4:15 the fingerprint must be the SHA-256 of a certificate here',
    ],
    ['a fingerprint of a key', but(HOST, 'fing', `fingerprint = "${KEY}"`), '4:15 fingerprint: '],
    [
      'a date that no calendar has',
      but(HOST, 'first', 'first_seen = "2026-02-30T03:04:05+00:00"'),
      '5:14 first_seen is "2026-02-30T03:04:05+00:00"; write a date',
    ],
    // The parser makes 2 March of it.
    [
      'a date of TOML that no calendar has',
      but(HOST, 'first', 'first_seen = 2026-02-30T03:04:05Z'),
      '5:14 first_seen is 2026-02-30T03:04:05Z; write a date',
    ],
    ['a time for a date', but(HOST, 'first', 'first_seen = 03:04:05'), '5:14 first_seen is 03:04:05; write a date'],
    [
      'a number for a date',
      but(HOST, 'first', 'first_seen = 1700000000'),
      '5:14 first_seen is 1700000000; write a date',
    ],
    ['a word for a date', but(HOST, 'first', 'first_seen = "long ago"'), '5:14 first_seen is "long ago"; write a date'],
    [
      'dates in the wrong order',
      but(HOST, 'first', 'first_seen = "2026-02-03T04:05:06.001+00:00"'),
      '6:13 last_seen is before first_seen; correct one of them',
    ],
    ['a host that is no table', ['[hosts]', '"example.org:1965" = 5'], '2:22 example.org:1965 must be a table'],
    ['hosts that are no table', ['hosts = 5'], '1:9 hosts must be a table'],
    ['hosts that are an array', ['[[hosts]]', ...HOST.slice(1)], '1:3 hosts must be a table'],
    ['nothing at all', [], '1:1 there is no [hosts]; write one, even if there is nothing in it'],
    ['metadata only', METADATA, '1:1 there is no [hosts]; write one, even if there is nothing in it'],
    [
      'an unknown version',
      ['[_metadata]', 'version = "2.0"', ...HOST],
      '2:11 the version is "2.0"; only version "1.0" can be read',
    ],
    [
      'a version that is a number',
      ['[_metadata]', 'version = 1.0', ...HOST],
      '2:11 the version is 1.0; only version "1.0" can be read',
    ],
    ['no version', ['[_metadata]', ...HOST], '1:2 "_metadata" has no version'],
    ['metadata that are no table', ['_metadata = 1', ...HOST], '1:13 _metadata must be a table'],
  ])('is told with its place: %s', async (_, lines, problem) => {
    const read = await readToml(text(lines))
    expect(where(read.problems)).toEqual([expect.stringContaining(problem)])
    // The same, whatever way of reading finds it.
    const dotted = await readToml(text(lines, 'other = 1 # not plain'))
    expect(where(dotted.problems).at(0)).toEqual(where(read.problems).at(0))
    expect(dotted.restarts).toBe(1)
  })

  it.each(['\u001b[31m', '\u202e', '\u009b', '"', '\u2028'])(
    'does not let the file write to the terminal: %j',
    async (evil) => {
      const { problems } = await readToml(
        text(['[hosts."a"]', `hostname = ${JSON.stringify(evil)}`, `"${evil.replace('"', '')}x" = 1`]),
      )
      expect(problems.length).toBeGreaterThan(0)
      for (const { message } of problems) expect(message).not.toMatch(/[\x00-\x1f\x7f-\x9f\u2028\u202e]/)
    },
  )

  it('is found in each host, and the others too', async () => {
    const bad = ['[hosts."b.example:1"]', 'hostname = 7', 'port = "x"', 'fingerprint = "y"', 'first_seen = "z"']
    const read = await readToml(text(METADATA, '', bad, '', HOST, '', but(HOST, '[', '[hosts."c.example:1965"]')))
    expect(read.problems.map(({ line }) => line)).toEqual([5, 6, 7, 8, 9, 18])
    expect(read.pins.map(({ pin }) => pin.subject)).toEqual(['example.org:1965'])
  })

  it('comes first a thousand times, and then as a number', async () => {
    const hosts = Array.from({ length: 1500 }, (_, i) => `[hosts."h${i}.example:1"]`)
    const { problems } = await readToml(text(hosts))
    expect(problems).toHaveLength(1001)
    expect(problems.at(-1)).toMatchObject({ line: 1500, message: expect.stringContaining('and 6500 more problems') })
  })
})

it('a table that is read as one block has a place for each of its fields, and its own for one that it has not', () => {
  const block = new TomlBlock()
  expect(block.read(`${HOST.join('\n')}\n\n[`, 0, 7)).toBe(true)
  expect(block.placeOf('port')).toEqual({ line: 9, column: 8 })
  const { line, column } = block.placeOf('state')
  expect({ line, column }).toEqual({ line: 7, column: 2 })
})

describe('one endpoint twice', () => {
  it.each([
    ['[hosts."EXAMPLE.org:1965"]', 'hostname = "EXAMPLE.org"'],
    ['[hosts."example.org.:1965"]', 'hostname = "example.org."'],
    ['[hosts."Example.Org:1965"]', 'hostname = "example.org"'],
  ])('is a problem in another spelling: %s', async (key, hostname) => {
    const { problems } = await readToml(text(HOST, '', key, hostname, HOST.slice(2)))
    expect(where(problems)).toEqual([
      expect.stringMatching(/^8:2 .* is example\.org:1965 again, which is on line 1 already/),
    ])
  })

  it('is a problem in two spellings of an international name and of an IPv6 address', async () => {
    const named = (host: string): string[] => [`[hosts."${host}:1965"]`, `hostname = "${host}"`, ...HOST.slice(2)]
    for (const [a, b] of [
      ['bücher.example', 'xn--bcher-kva.example'],
      ['2001:db8::1', '2001:DB8:0::1'],
      ['::ffff:192.0.2.1', '192.0.2.1'],
    ] as const) {
      expect((await readToml(text(named(a), named(b)))).problems).toHaveLength(1)
      expect((await readToml(text(named(a)))).problems).toEqual([])
    }
  })

  it('is a problem in the same spelling, which is no TOML', async () => {
    const { problems } = await readToml(text(HOST, '', HOST))
    expect(where(problems)).toEqual(['8:2 this is defined twice; keep one'])
  })

  it('is a problem even if neither can be understood', async () => {
    const { problems } = await readToml(text(but(HOST, 'port', 'port = 0'), but(HOST, 'port', 'port = 0')))
    expect(where(problems)).toEqual([
      '3:8 port is 0; write a whole number from 1 to 65535',
      '7:2 this is defined twice; keep one',
    ])
  })

  it('is fine with two ports', async () => {
    const other = HOST.map((line) => line.replace('1965', '1966'))
    expect(await readToml(text(HOST, other))).toMatchObject({ pins: [{}, {}], problems: [], restarts: 0 })
  })

  it('is found among many, wherever they are', async () => {
    const hosts = Array.from({ length: 5000 }, (_, i) =>
      HOST.map((line) => line.replace('example.org', `h${(i * 7919) % 5000}.example`)),
    )
    expect(await readToml(text(hosts.flat()))).toMatchObject({ problems: [], restarts: 0 })
    const again = [...hosts, HOST.map((line) => line.replace('example.org', 'H17.example'))]
    expect((await readToml(text(again.flat()))).problems).toHaveLength(1)
  })
})

describe('what only we write', () => {
  const everything: Pin[] = [
    pinOf({
      subject: '[::1]:1965',
      state: 'verified',
      keyDigest: KEY,
      notAfter: new Date('2036-11-21T02:07:53Z'),
      daysSeen: 12,
      source: 'first_use',
      note: 'asked on "the phone"\n\u202e',
    }),
    pinOf({ digest: parseFingerprint(A), state: 'trusted', source: 'user' }),
    pinOf({ digest: parseFingerprint(B), state: 'trusted', lastSeen: new Date('2026-02-02') }),
    pinOf({ digest: parseFingerprint(`sha256:${'e'.repeat(64)}`), state: 'distrusted', daysSeen: 2 }),
    pinOf({ digest: parseFingerprint(`sha512:${'e'.repeat(128)}`), state: 'replaced' }),
    pinOf({ digest: KEY, state: 'announced', daysSeen: 0 }),
    pinOf({ subject: 'plain.example:1965' }),
    pinOf({ subject: 'user@example.org', state: 'verified' }),
  ]

  it('comes back as it was, without a second reading', async () => {
    const read = await readToml(await tomlOf(everything))
    expect(read).toMatchObject({ problems: [], restarts: 0 })
    expect(read.pins.map(({ pin }) => pin)).toEqual(expect.arrayContaining(everything))
    expect(read.pins).toHaveLength(everything.length)
  })

  it('comes back from any program that keeps TOML, in any order', async () => {
    const { parse, stringify } = await import('smol-toml')
    const tree = parse(await tomlOf(everything))
    for (const keys of [
      ['_metadata', 'hosts', 'tlacacoca'],
      ['tlacacoca', 'hosts', '_metadata'],
    ]) {
      const read = await readToml(stringify(Object.fromEntries(keys.map((key) => [key, tree[key]]))))
      expect(read).toMatchObject({ problems: [], restarts: 1 })
      expect(read.pins.map(({ pin }) => pin)).toEqual(expect.arrayContaining(everything))
      expect(read.pins).toHaveLength(everything.length)
    }
  })

  it.each<[string, string[], string]>([
    ['a missing state', but(PIN, 'state'), '6:3 "pins" has no state'],
    [
      'an unknown state',
      but(PIN, 'state', 'state = "toString"'),
      '9:9 state is "toString"; write one of trusted, verified, replaced, distrusted, announced',
    ],
    ['a missing subject', but(PIN, 'subject'), '6:3 "pins" has no subject'],
    [
      'a subject without a port',
      but(PIN, 'subject', 'subject = "example.org"'),
      '7:11 subject: "example.org" names no port',
    ],
    [
      'a mailbox without a name',
      but(PIN, 'subject', 'subject = "@example.org"'),
      '7:11 subject: "@example.org" is not a mailbox',
    ],
    ['a mailbox of no host', but(PIN, 'subject', 'subject = "a@b..c"'), '7:11 subject: '],
    ['a missing fingerprint', but(PIN, 'fing'), '6:3 "pins" has no fingerprint'],
    ['a SHA-1', but(PIN, 'fing', `fingerprint = "sha1:${'a'.repeat(40)}"`), '8:15 fingerprint: '],
    ['one date only', but(PIN, 'last'), '6:3 "pins" has no last_seen'],
    [
      'no dates and no host',
      but(but(PIN, 'last'), 'first'),
      '6:3 [hosts] has no example.org:1965 with this fingerprint, so first_seen and last_seen must be here',
    ],
    ['missing days', but(PIN, 'days'), '6:3 "pins" has no days_seen'],
    ['negative days', but(PIN, 'days', 'days_seen = -1'), '12:13 days_seen is -1; write a whole number'],
    ['a certificate for a key', [...PIN, 'public_key = "SHA-1 aa"'], '13:14 public_key: '],
    ['a bad date', [...PIN, 'not_after = "2026-13-01"'], '13:13 not_after is "2026-13-01"; write a date'],
    ['a number for a note', [...PIN, 'note = 5'], '13:8 note is 5; write a string'],
    [
      'a fact of the future',
      [...PIN, 'trust_level = 5'],
      '13:15 "trust_level" is not known in format 1 of "pins"; correct or remove it',
    ],
  ])('is read strictly: %s', async (_, lines, problem) => {
    const read = await readToml(text(OWN, lines, END))
    expect(where(read.problems)).toEqual([expect.stringContaining(problem)])
    expect(read.pins).toEqual([])
    const other = await readToml(text(OWN, lines, END, '[strange.table]'))
    expect(where(other.problems)).toEqual(where(read.problems))
  })

  it.each<[string, string[], string]>([
    ['an unknown format', but(OWN, 'format', 'format = 2'), '4:10 the format is 2; only format 1 can be read'],
    [
      'a format that is no number',
      but(OWN, 'format', 'format = "1"'),
      '4:10 the format is "1"; only format 1 can be read',
    ],
    ['no format', but(OWN, 'format'), '3:2 "tlacacoca" has no format'],
    ['a strange field', but(OWN, 'format', 'format = 1\nflavour = 2'), '5:11 "flavour" is not known in format 1'],
  ])('is read only if it is understood: %s', async (_, own, problem) => {
    const { problems, pins } = await readToml(text(own, PIN, END))
    expect(where(problems)[0]).toContain(problem)
    expect(pins.length).toBeLessThanOrEqual(problem.includes('flavour') ? 1 : 0)
  })

  it.each([
    [['[hosts]', '[tlacacoca]', 'format = 1', 'pins = 5', '[tlacacoca.end]'], '4:8 pins must be an array of tables'],
    [['[hosts]', '[tlacacoca]', 'format = 1', 'pins = [1]', '[tlacacoca.end]'], '4:8 pins must be an array of tables'],
    [['[hosts]', '[tlacacoca]', 'format = 1', 'end = 5'], '4:7 end must be a table'],
    [['tlacacoca = 5', '[hosts]'], '1:13 tlacacoca must be a table'],
    [['[hosts]', '[[tlacacoca.pins]]'], '2:3 "tlacacoca" has no format'],
  ])('has tables where tables must be: %j', async (lines, problem) => {
    expect(where((await readToml(text(lines))).problems)[0]).toBe(problem)
  })

  it('is refused if the file ends anywhere before its end', async () => {
    const whole = await tomlOf(everything)
    const lines = whole.trimEnd().split('\n')
    for (let count = 6; count < lines.length; count++) {
      const { problems } = await readToml(`${lines.slice(0, count).join('\n')}\n`)
      expect(problems.length, `after line ${count}`).toBeGreaterThan(0)
    }
  })

  it('cannot make a host of the relatives a tombstone, nor a tombstone a host', async () => {
    const facts = but(but(PIN, 'first'), 'last')
    const { problems, pins } = await readToml(text(HOST, OWN.slice(2), facts, END))
    expect(where(problems)).toEqual([
      expect.stringContaining('13:9 the state is "distrusted", but [hosts] lists this fingerprint as trusted'),
    ])
    expect(pins.every(({ pin }) => pin.state === 'trusted')).toBe(true)
    // With dates of its own, it is the same fingerprint twice.
    for (const order of [
      [HOST, OWN.slice(2), PIN],
      [['[tlacacoca]', 'format = 1', '[[tlacacoca.pins]]'], PIN, HOST],
    ]) {
      expect((await readToml(text(...order, END))).problems).toHaveLength(1)
    }
  })

  it('belongs to the host with its fingerprint, not to what somebody put in its place', async () => {
    const facts = [...but(but(but(PIN, 'first'), 'last'), 'state', 'state = "trusted"'), `public_key = "${KEY}"`]
    const fine = await readToml(text(HOST, OWN.slice(2), facts, END))
    expect(fine).toMatchObject({ problems: [], pins: [{ pin: { keyDigest: KEY, daysSeen: 3 } }] })
    const swapped = but(HOST, 'fing', `fingerprint = "${B}"`)
    const { problems } = await readToml(text(swapped, OWN.slice(2), facts, END))
    expect(where(problems)).toEqual([expect.stringContaining('[hosts] has no example.org:1965 with this fingerprint')])
  })

  it('is said once of each host and of each fingerprint', async () => {
    const facts = but(but(but(PIN, 'first'), 'last'), 'state', 'state = "trusted"')
    const twice = await readToml(text(HOST, OWN.slice(2), facts, '[[tlacacoca.pins]]', facts, END))
    expect(where(twice.problems)).toEqual(['15:3 "example.org:1965" has such a table already; keep one'])
    const pins = await readToml(text(OWN, PIN, '[[tlacacoca.pins]]', but(PIN, 'state', 'state = "replaced"'), END))
    expect(where(pins.problems)).toEqual(['13:3 example.org:1965 has this fingerprint on line 6 already; keep one'])
  })

  it('says nothing more of a host that has a mistake', async () => {
    const facts = but(but(but(PIN, 'first'), 'last'), 'state', 'state = "trusted"')
    const { problems } = await readToml(text(but(HOST, 'first', 'first_seen = 5'), OWN.slice(2), facts, END))
    expect(where(problems)).toEqual([expect.stringContaining('5:14 first_seen is 5')])
  })
})
