import fc from 'fast-check'
import { parse, stringify } from 'smol-toml'
import { describe, expect, it } from 'vitest'
import { parseFingerprint } from '../../src/certificate/fingerprint.ts'
import type { FileProblem } from '../../src/errors.ts'
import { PIN_STATES, type Pin } from '../../src/tofu/pin.ts'
import { PinsCollector, type TomlPin } from '../../src/tofu/toml-collect.ts'
import { readDocument } from '../../src/tofu/toml-document.ts'
import { InstantFormatter, parseInstant } from '../../src/tofu/toml-instant.ts'
import { ExactKnownPins, HashedKnownPins } from '../../src/tofu/toml-known.ts'
import { NotPlain, PlainReader } from '../../src/tofu/toml-plain.ts'
import { LineIndex, locate, type TomlNode } from '../../src/tofu/toml-positions.ts'
import { quote, unquote } from '../../src/tofu/toml-string.ts'
import { readToml, tomlOf } from '../tofu/toml-support.ts'

const instant = fc.date({
  min: new Date('0001-01-01T00:00:00Z'),
  max: new Date('9999-12-31T23:59:59.999Z'),
  noInvalidDate: true,
})
const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length })
const digest = fc.oneof(
  { weight: 3, arbitrary: hex(64).map((text) => parseFingerprint(`sha256:${text}`)) },
  hex(128).map((text) => parseFingerprint(`sha512:${text}`)),
  hex(64).map((text) => parseFingerprint(`spki-sha256:${text}`)),
)
const remark = fc.option(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' })))
// Few, so that they meet.
const subject = fc.constantFrom(
  'a.example:1965',
  'a.example:1966',
  'b.example:1965',
  '192.0.2.1:1',
  '[2001:db8::1]:1965',
  'xn--bcher-kva.example:300',
  'user@a.example',
  'é@[::1]',
)
const pin: fc.Arbitrary<Pin> = fc
  .record({
    subject: subject.map((text) => text.replace('[::1]', '::1')),
    digest,
    state: fc.constantFrom(...PIN_STATES),
    keyDigest: fc.option(hex(64).map((text) => parseFingerprint(`spki-sha256:${text}`))),
    notAfter: fc.option(instant),
    seen: fc.tuple(instant, instant),
    daysSeen: fc.oneof(fc.constant(1), fc.nat()),
    source: fc.option(fc.constantFrom('first_use', 'user', 'import')),
    note: remark,
  })
  .map(({ seen, ...rest }) => {
    const [firstSeen, lastSeen] = seen[0] <= seen[1] ? seen : [seen[1], seen[0]]
    return { ...rest, firstSeen, lastSeen }
  })
const pins = fc
  .uniqueArray(pin, { selector: (each) => `${each.subject} ${each.digest}`, maxLength: 12 })
  .map((list) => list.sort((a, b) => Buffer.compare(Buffer.from(a.subject), Buffer.from(b.subject))))

const byKey = (list: readonly Pin[]): Pin[] =>
  list.toSorted((a, b) => (`${a.subject} ${a.digest}` < `${b.subject} ${b.digest}` ? -1 : 1))

describe('pins', () => {
  it('come back from our own text as they were, in one reading', async () => {
    await fc.assert(
      fc.asyncProperty(pins, async (list) => {
        const read = await readToml(await tomlOf(list))
        expect(read).toMatchObject({ problems: [], restarts: 0 })
        expect(byKey(read.pins.map((each) => each.pin))).toEqual(byKey(list))
      }),
    )
  })

  it('come back after another program has read and written them', async () => {
    await fc.assert(
      fc.asyncProperty(pins, async (list) => {
        // We write it escaped. Others do not, and a bare one is taken for damage.
        fc.pre(list.every(({ note }) => note?.includes('\ufffd') !== true))
        const read = await readToml(stringify(parse(await tomlOf(list))))
        expect(read.problems).toEqual([])
        expect(byKey(read.pins.map((each) => each.pin))).toEqual(byKey(list))
      }),
    )
  })

  it('of which a relative sees only live ones, one of a host at most', async () => {
    await fc.assert(
      fc.asyncProperty(pins, async (list) => {
        const { hosts } = parse(await tomlOf(list)) as unknown as { hosts: Record<string, { fingerprint: string }> }
        for (const [key, { fingerprint }] of Object.entries(hosts)) {
          const live = list.find((each) => each.subject === key && each.digest === fingerprint)
          expect(['trusted', 'verified']).toContain(live?.state)
        }
      }),
    )
  })
})

interface Outcome {
  readonly pins: readonly TomlPin[]
  readonly problems: readonly FileProblem[]
}

/** Undefined if the reader of the plain layout passed. */
function readPlain(chunks: readonly string[]): Outcome | undefined {
  const known = new HashedKnownPins((line) => {
    throw new NotPlain(line, true)
  })
  const collector = new PinsCollector(known, ({ line }) => {
    throw new NotPlain(line)
  })
  try {
    const reader = new PlainReader(collector)
    for (const chunk of chunks) reader.push(chunk)
    reader.end()
    return collector.take()
  } catch (error) {
    if (error instanceof NotPlain) return undefined
    throw error
  }
}

async function readWhole(text: string): Promise<Outcome> {
  const collector = new PinsCollector(new ExactKnownPins())
  await readDocument(text, collector)
  return collector.take()
}

const sorted = ({ pins: list, problems }: Outcome) => ({
  pins: list.toSorted((a, b) => a.line - b.line),
  problems: problems.toSorted((a, b) => a.line - b.line || a.column - b.column || (a.message < b.message ? -1 : 1)),
})

/** What somebody, or a bad disk, may do to a line. */
const spoil: fc.Arbitrary<(line: string) => string> = fc.oneof(
  fc.constantFrom<(line: string) => string>(
    () => '',
    (line) => `${line}\n${line}`,
    (line) => `\n${line}`,
    (line) => ` ${line}`,
    (line) => `${line} `,
    (line) => `${line}\r`,
    (line) => `${line} # why`,
    (line) => `# ${line}`,
    (line) => line.toUpperCase(),
    (line) => line.replace('=', ''),
    (line) => line.replace(' = ', '='),
    (line) => line.replaceAll('"', "'"),
    (line) => line.replace('"', ''),
    (line) => line.replace(/"$/, ''),
    (line) => line.replace(/"(?=[^"]*$)/, '\\"'),
    (line) => line.replace('example', 'ex\\u0061mple'),
    (line) => line.replace('example', 'ex\\tample'),
    (line) => line.replace('example', 'ex\u0001mple'),
    (line) => line.replace('example', 'ex\ufffdmple'),
    (line) => line.replace(/= .*/, '= 5'),
    (line) => line.replace(/= .*/, '= true'),
    (line) => line.replace(/= .*/, '= ""'),
    (line) => line.replace(/= .*/, '= "distrusted"'),
    (line) => line.replace(/= .*/, '= 2026-02-30'),
    (line) => line.replace(/= .*/, '= "2026-02-30"'),
    (line) => line.replace(/= .*/, '= "9999-01-01"'),
    (line) => line.replace(/= .*/, '= {a = 1}'),
    (line) => line.replace('[[', '[').replace(']]', ']'),
    (line) => line.replace(/^\[+(.*?)\]+$/, '[[$1]]'),
    (line) => `${line}\n[hosts]`,
    (line) => `${line}\n[tlacacoca]`,
    (line) => `${line}\nformat = 1`,
    (line) => `${line}\nnote = "x"`,
    (line) => `${line}\nport = 1965`,
    (line) => `${line}\nextra = "x"`,
    (line) => `${line}\n[tlacacoca.end]`,
    (line) => `${line}\n[tlacacoca.pins]`,
    (line) => `${line}\n[[tlacacoca.pins]]`,
    (line) => `${line}\n[hosts."a.example:1965"]`,
  ),
  fc.tuple(fc.nat(), fc.string({ unit: 'binary', maxLength: 2 })).map(([at, text]) => (line: string) => {
    const place = at % (line.length + 1)
    return line.slice(0, place) + text + line.slice(place + 1)
  }),
)

describe('the reader of the plain layout', () => {
  it('passes, or finds exactly what the parser of all TOML finds', async () => {
    let read = 0
    let passed = 0
    await fc.assert(
      fc.asyncProperty(
        pins,
        fc.array(fc.tuple(fc.nat(), spoil), { maxLength: 3 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 300 })),
        async (list, spoils, sizes) => {
          const lines = (await tomlOf(list)).split('\n')
          for (const [at, change] of spoils) lines[at % lines.length] = change(lines[at % lines.length] ?? '')
          const text = lines.join('\n')
          const chunks: string[] = []
          for (let at = 0; at < text.length; ) {
            const size = sizes.next().value ?? 1
            chunks.push(text.slice(at, at + size))
            at += size
          }
          const plain = readPlain(chunks)
          // However the text is cut, the answer is one.
          expect(readPlain([text]), JSON.stringify(text)).toEqual(plain)
          if (plain === undefined) passed++
          else {
            read++
            expect(sorted(plain)).toEqual(sorted(await readWhole(text)))
          }
        },
      ),
      { numRuns: 2000 },
    )
    // The property would hold for a reader that always passes.
    expect(read).toBeGreaterThan(300)
    expect(passed).toBeGreaterThan(300)
  })

  it('never throws, whatever it is given, and neither does the other', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom(...'[]{}"\'=., \n#\\ahosts1-:T') })),
        async (text) => {
          await expect(readToml(text)).resolves.toMatchObject({ pins: [] })
          await expect(readWhole(text)).resolves.toMatchObject({ pins: [] })
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('reads what any bytes are as text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array(), fc.nat(), async (bytes, at) => {
        const cut = at % (bytes.length + 1)
        const whole = await readToml(() => [bytes])
        expect(await readToml(() => [bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual(whole)
        expect(whole.problems.length).toBeGreaterThan(0)
      }),
    )
  })
})

describe('what pins are made of', () => {
  it('strings come back, and mean the same to another parser', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string(), fc.string({ unit: 'grapheme' })), (text) => {
        expect(unquote(quote(text))).toBe(text)
        expect(parse(`text = ${quote(text)}`)).toEqual({ text })
      }),
    )
  })

  it('a string is read as another parser reads it, or not at all', () => {
    const piece = fc.constantFrom(
      '"',
      '\\',
      '\\"',
      '\\n',
      '\\u00e9',
      '\\ud83d',
      '\\udd12',
      '\\U0001f512',
      '\\x41',
      '\\e',
      '\\/',
      'a',
      "'",
      '\t',
      '\0',
      'é',
      '\u2028',
    )
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const text = `"${pieces.join('')}"`
        const read = unquote(text)
        if (read !== undefined) expect(parse(`text = ${text}`)).toEqual({ text: read })
      }),
      { numRuns: 2000 },
    )
  })

  it('instants come back', () => {
    const formatter = new InstantFormatter()
    fc.assert(
      fc.property(instant, (date) => {
        expect(parseInstant(formatter.format(date))).toEqual(date)
        expect(parseInstant(date.toISOString())).toEqual(date)
      }),
    )
  })
})

describe('places', () => {
  const name = fc.oneof(fc.constantFrom('a', 'b', 'a.b', 'a b', 'é', '', '1', '"', '#', '[', '='), fc.string())
  const leaf = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.integer(),
    fc.boolean(),
    fc.double({ noNaN: true }),
    instant,
  )
  const { tree } = fc.letrec<{ tree: Record<string, unknown>; value: unknown }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      leaf,
      tie('tree'),
      fc.array(leaf, { maxLength: 3 }),
      fc.array(tie('tree'), { maxLength: 3 }),
    ),
    tree: fc.dictionary(name, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  }))

  it('are found for every value of a document, and each is where its value is written', () => {
    fc.assert(
      fc.property(tree, (document) => {
        const text = stringify(document)
        const unquoteName = (quoted: string): string => String(Object.values(parse(`name = ${quoted}`))[0])
        const check = (node: TomlNode | undefined, value: unknown): void => {
          if (node === undefined) throw new Error(`no place in ${text}`)
          if (Array.isArray(value)) {
            if (value.length > 0 && value.every(isTree))
              for (const [i, item] of value.entries()) check(node.items[i], item)
          } else if (isTree(value)) {
            for (const [key, inner] of Object.entries(value)) check(node.children.get(key), inner)
          } else {
            expect(parse(`value = ${text.slice(node.valueStart, node.valueEnd)}`)).toEqual({ value })
          }
        }
        check(locate(text, unquoteName), parse(text))
      }),
      { numRuns: 500 },
    )
  })

  it('have the line and the column at which a person would look', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: fc.constantFrom('a', '\r', 'é') })), fc.nat(), (lines, at) => {
        const text = lines.join('\n')
        const offset = at % (text.length + 1)
        const before = text.slice(0, offset).split('\n')
        expect(new LineIndex(text).placeOf(offset)).toEqual({
          line: before.length,
          column: (before.at(-1)?.length ?? 0) + 1,
        })
      }),
    )
  })
})

function isTree(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}
