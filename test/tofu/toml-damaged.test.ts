import { createReadStream } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseWithRecovery } from '../../src/tofu/toml-recover.ts'
import { pinOf, readToml, tomlOf } from './toml-support.ts'

/** Lines 1 to 6, and a blank one. */
const host = (name: string): string =>
  [
    `[hosts."${name}:1965"]`,
    `hostname = "${name}"`,
    'port = 1965',
    `fingerprint = "sha256:${'a'.repeat(64)}"`,
    'first_seen = "2026-01-02T03:04:05+00:00"',
    'last_seen = "2026-02-03T04:05:06+00:00"',
    '',
    '',
  ].join('\n')
const where = (problems: readonly { line: number; column: number; message: string }[]): string[] =>
  problems.map((problem) => `${problem.line}:${problem.column} ${problem.message}`)

describe('a file that is not TOML', () => {
  it('tells every mistake, those of the meaning too', async () => {
    const text = [
      host('a.example').replace('port = 1965', 'port = 1965 1966'),
      host('b.example').replace('"b.example"', '"b.example'),
      host('c.example').replace('[hosts.', '[hosts..'),
      host('d.example').replace('port = 1965', 'port = 0'),
      host('a.example'),
      host('e.example').replace(/first_seen.*\n/, ''),
    ].join('')
    const { problems } = await readToml(text)
    expect(where(problems)).toEqual([
      expect.stringMatching(/^3:13 this is not TOML: /),
      expect.stringMatching(/^9:\d+ this is not TOML: /),
      expect.stringMatching(/^15:8 this is not TOML: /),
      '24:8 port is 0; write a whole number from 1 to 65535',
      '29:2 this is defined twice; keep one',
      '36:2 "e.example:1965" has no first_seen',
    ])
  })

  it('does not say that something is missing where a line could not be read', async () => {
    const { problems } = await readToml(host('a.example').replace('port = 1965', 'port 1965') + host('b.example'))
    expect(problems.map(({ line }) => line)).toEqual([3])
  })

  it('does not ask for a host that is elsewhere if it may be the date that could not be read', async () => {
    const pin = `[[tlacacoca.pins]]\nsubject = "a.example:1"\nfingerprint = "sha256:${'b'.repeat(64)}"\ndays_seen = 1\n`
    const text = (rest: string) => `[hosts]\n[tlacacoca]\nformat = 1\n${pin}${rest}[tlacacoca.end]\n`
    const whole = await readToml(text('state = "verified"\n'))
    expect(where(whole.problems)).toEqual([expect.stringContaining('[hosts] has no a.example:1')])
    const damaged = await readToml(text('state = "verified"\nfirst_seen 2026-01-02\n'))
    expect(where(damaged.problems)).toEqual([expect.stringMatching(/^9:12 this is not TOML: /)])
    expect(damaged.pins).toEqual([])
  })

  // The parser is another's, and may fail in ways that it does not tell of.
  it.each([
    { what: 'without a place', error: new RangeError('Maximum call stack size exceeded'), place: '1:1' },
    { what: 'with no object', error: 'too much', place: '1:1' },
    { what: 'behind the end', error: Object.assign(new Error('odd'), { line: 9, column: 2 }), place: '9:2' },
  ])('is refused where the parser fails $what', ({ error, place }) => {
    const told: string[] = []
    const parse = (): object => {
      throw error
    }
    const report = (at: { line: number; column: number }, message: string) =>
      told.push(`${at.line}:${at.column} ${message}`)
    const reason = error instanceof Error ? error.message : error
    for (const text of ['a = 1', '']) {
      told.length = 0
      expect(parseWithRecovery(text, parse, report)).toMatchObject({ tree: undefined, damaged: [] })
      expect(told[0]).toBe(`${place} this is not TOML: ${reason}`)
      expect(told.length).toBeLessThan(3)
    }
  })

  it.each([
    ['a string without an end', 'hostname = "'],
    ['a long string without an end', 'hostname = """'],
    ['an array without an end', 'hostname = ['],
    ['an inline table without an end', 'hostname = {'],
    ['a name alone', 'hostname'],
    ['no name', '= "a.example"'],
    ['an unknown escape', 'hostname = "\\q"'],
    ['half a surrogate pair', 'hostname = "\\ud800"'],
    ['nothing but brackets', '[['],
    ['a NUL', 'hostname = "a\0.example"'],
    ['a NUL in a comment', '# \0'],
    ['a bare carriage return', 'hostname = "a.example"\r '],
    ['an escape character', 'hostname = "\u001b[31m"'],
    ['a date that the parser refuses', 'hostname = 2026-13-01T00:00:00Z'],
    ['deep nesting', `hostname = ${'['.repeat(5000)}`],
  ])('is refused: %s', async (_, line) => {
    const text = host('a.example').replace('hostname = "a.example"', line) + host('b.example')
    const { problems } = await readToml(text)
    expect(where(problems).join('\n')).toMatch(/this is not TOML: /)
    for (const { message } of problems) expect(message).not.toMatch(/[\x00-\x1f\x7f-\x9f]/)
  })

  it('is not pursued for ever', async () => {
    const { problems, pins } = await readToml('= 1\n'.repeat(10_000))
    expect(problems.length).toBeLessThan(100)
    expect(pins).toEqual([])
  })

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    'cannot touch objects by the name %s',
    async (name) => {
      const { problems } = await readToml(
        `${host('a.example')}[${name}]\nport = 1\n[hosts.${name}]\nhostname = "b.example"\n`,
      )
      expect(problems).toHaveLength(4)
      const plain = await readToml(`[hosts."${name}"]\n${name} = 1\n`)
      expect(plain.problems).toHaveLength(5)
      const own = await readToml(
        `[hosts]\n[tlacacoca]\nformat = 1\n${name} = 1\n[[tlacacoca.pins]]\n${name} = 1\n[tlacacoca.end]\n`,
      )
      expect(own.problems.map(({ line }) => line)).toEqual([4, 5, 5, 5, 5, 5, 5, 6])
    },
  )
})

describe('bytes', () => {
  it.each<[string, number[]]>([
    ['Latin-1', [0xe9]],
    ['a lone continuation', [0x80]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['a character that is cut off', [0xf0, 0x9f, 0x94]],
    ['a replacement character, which a conversion left', [0xef, 0xbf, 0xbd]],
  ])('that are not UTF-8 are found with their place: %s', async (_, bytes) => {
    const [before, after] = (host('a.example') + host('b.example')).split('b.example"\n')
    const file = Buffer.concat([Buffer.from(`${before}b.`), Buffer.from(bytes), Buffer.from(`example"\n${after}`)])
    const { problems } = await readToml(() => [file])
    expect(where(problems)).toContain('9:15 this is not UTF-8, or was damaged by a conversion; write it anew')
    for (let cut = 0; cut < file.length; cut += 7) {
      const pieces = await readToml(() => [file.subarray(0, cut), file.subarray(cut)])
      expect(pieces.problems).toEqual(problems)
    }
  })

  it('that end in the middle of a character are not UTF-8', async () => {
    const { problems } = await readToml(() => [Buffer.from(`${host('a.example')}# é`).subarray(0, -1)])
    expect(problems).toHaveLength(1)
  })

  it('of UTF-16 are no UTF-8', async () => {
    for (const text of [host('a.example'), `\ufeff${host('a.example')}`]) {
      expect((await readToml(() => [Buffer.from(text, 'utf16le')])).problems.length).toBeGreaterThan(0)
    }
  })

  it('may come one by one, in any pieces, and at any time', async () => {
    const pins = [
      pinOf({ subject: 'a.example:1', state: 'verified', note: 'é \u{1f512} "\\' }),
      pinOf({ subject: 'b.example:1' }),
      pinOf({ subject: 'c@b.example', state: 'distrusted' }),
    ]
    const bytes = Buffer.from(await tomlOf(pins))
    const whole = await readToml(() => [bytes])
    expect(whole.pins.map(({ pin }) => pin)).toEqual(expect.arrayContaining(pins))
    for (const size of [1, 2, 3, 7, 64, 100, 1000]) {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      )
      const read = await readToml(async function* () {
        for (const piece of pieces) {
          await Promise.resolve()
          yield piece
        }
      })
      expect(read).toEqual(whole)
    }
  })

  it('of a file are read again from the beginning if they must be', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tlacacoca-'))
    try {
      const path = join(folder, 'pins.toml')
      await writeFile(path, `${host('a.example')}"quoted" = 1\n`)
      const read = await readToml(() => createReadStream(path, { highWaterMark: 64 }))
      expect(read).toMatchObject({ pins: [{ pin: { subject: 'a.example:1965' } }], problems: [], restarts: 1 })
      await expect(readToml(() => createReadStream(join(folder, 'missing.toml')))).rejects.toMatchObject({
        code: 'ENOENT',
      })
    } finally {
      await rm(folder, { recursive: true })
    }
  })
})

describe('a file that is too large for a parser of all TOML', () => {
  const many = (count: number): string => Array.from({ length: count }, (_, i) => host(`h${i}.example`)).join('')
  const large = many(80_000)

  it('is read line by line, with all its mistakes', async () => {
    expect(large.length).toBeGreaterThan(16 * 1024 * 1024)
    const mistakes = `${host('x.example').replace('1965\n', '0\n')}${large}${host('y.example').replace('1965\n', '65536\n')}`
    const { problems, pins, restarts } = await readToml(mistakes)
    expect(where(problems)).toEqual([
      '3:8 port is 0; write a whole number from 1 to 65535',
      '560010:8 port is 65536; write a whole number from 1 to 65535',
    ])
    expect(pins).toHaveLength(80_000)
    expect(restarts).toBe(0)
  })

  it('is searched for what is there twice', async () => {
    const { problems } = await readToml(large + host('H79999.example'))
    expect(where(problems)).toEqual([
      '560001:2 "H79999.example:1965" is h79999.example:1965 again, which is on line 559994 already; keep one',
    ])
  })

  it('is refused if it has another layout, and gives nothing', async () => {
    for (const end of ['"quoted" = 1\n', 'a = "\ufffd"\n']) {
      const { problems, pins } = await readToml(large + end)
      expect(problems).toEqual([{ line: 560_001, column: 1, message: expect.stringContaining('files over 16 MiB') }])
      expect(pins).toEqual([])
    }
  })

  it('is refused for a line without an end, before it fills the memory', async () => {
    let given = 0
    const { problems } = await readToml(function* () {
      given = 0
      for (; given < 1000; given++) yield 'x'.repeat(1024 * 1024)
    })
    expect(problems).toHaveLength(1)
    expect(given).toBeLessThan(20)
  })

  it('is given in portions, not all at once', async () => {
    const { readPinsToml } = await import('../../src/tofu/toml-read.ts')
    const pieces = Array.from({ length: 100 }, (_, i) =>
      large.slice((i * large.length) / 100, ((i + 1) * large.length) / 100),
    )
    let most = 0
    let last = 0
    for await (const batch of readPinsToml(() => pieces)) {
      most = Math.max(most, batch.pins.length)
      expect(batch.bytesRead).toBeGreaterThanOrEqual(last)
      last = batch.bytesRead
    }
    expect(most).toBeLessThan(1000)
    expect(last).toBe(large.length)
  })
})
