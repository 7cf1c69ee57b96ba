import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addressOf, createAddressPseudonymizer } from '../../src/logging/pseudonym.ts'
import { escapeText, withPseudonyms } from '../../src/logging/safe-text.ts'
import { parseClientAddress } from '../../src/names/client-address.ts'
import { keptLogger } from '../logging/log-support.ts'

const address = fc.oneof(fc.ipV4(), fc.ipV6())

describe('the pseudonym of an address', () => {
  it('is the same if and only if the address is', () => {
    const pseudonymOf = createAddressPseudonymizer({ clock: () => 0 })
    fc.assert(
      fc.property(address, address, (a, b) => {
        const same = parseClientAddress(a).equals(parseClientAddress(b))
        expect(pseudonymOf(a) === pseudonymOf(b)).toBe(same)
        expect(pseudonymOf(parseClientAddress(a))).toBe(pseudonymOf(a))
        expect(pseudonymOf(a.toUpperCase())).toBe(pseudonymOf(a))
      }),
    )
  })

  it('never has the address in it, nor does it tell texts from addresses', () => {
    const pseudonymOf = createAddressPseudonymizer()
    fc.assert(
      fc.property(fc.oneof(address, fc.string(), fc.string({ unit: 'binary' })), (text) => {
        expect(pseudonymOf(text)).toMatch(/^addr-[0-9a-f]{16}$/)
      }),
    )
  })
})

describe('an address in a text', () => {
  // What can stand beside an address in a sentence, a URL, a list, or the message of an error.
  const beside = fc.oneof(
    fc.string({
      unit: fc.constantFrom(
        ' ',
        ',',
        ';',
        '(',
        ')',
        '[',
        ']',
        '<',
        '>',
        '"',
        "'",
        '=',
        '/',
        '-',
        '|',
        '@',
        '\n',
        '#',
        'é',
        '\u202e',
      ),
    }),
    fc.string().map((text) => `${text} `),
  )

  it('is not in the text any more', () => {
    const pseudonymOf = createAddressPseudonymizer()
    fc.assert(
      fc.property(beside, fc.ipV4(), beside, (before, ip, after) => {
        // With more digits or numbers it is another address, or none.
        fc.pre(!/\d\.?$/.test(before) && !/^\.?\d/.test(after))
        const safe = withPseudonyms(`${before}${ip}${after}`, pseudonymOf)
        expect(safe).toContain('addr-')
        expect(safe.split(/[^0-9.]+/)).not.toContain(ip)
      }),
    )
    fc.assert(
      fc.property(
        beside,
        fc.ipV6(),
        fc.constantFrom('', ' ', ']', ',', '/64', ']:1965', '.', ' x'),
        (before, ip, after) => {
          fc.pre(!/[\w:.%]$/.test(before))
          expect(withPseudonyms(`${before}${ip}${after}`, () => '<>')).toBe(
            `${withPseudonyms(before, () => '<>')}<>${after}`,
          )
        },
      ),
    )
  })

  it('is the only thing that changes', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.lorem({ maxCount: 1 }),
            fc.integer().map(String),
            fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
          ),
        ),
        (words) => {
          const text = words.join(' ')
          expect(withPseudonyms(text, () => '<>')).toBe(text)
        },
      ),
    )
  })

  it('is an address for the pseudonymizer if the library takes it for one', () => {
    fc.assert(
      fc.property(address, (ip) => {
        expect(addressOf(ip)?.equals(parseClientAddress(ip))).toBe(true)
      }),
    )
  })
})

describe('a line of a log', () => {
  const anything = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
    withNullPrototype: true,
    withObjectString: true,
    withSparseArray: true,
    withBoxedValues: true,
  })

  it('is one line of JSON that cannot steer a terminal, whatever goes into it', () => {
    const { log, kept } = keptLogger()
    fc.assert(
      fc.property(anything, fc.oneof(fc.string({ unit: 'binary' }), anything), (fields, message) => {
        kept.text = ''
        log.info(message as string, fields as Record<string, unknown>)
        expect(kept.text.endsWith('\n')).toBe(true)
        const line = kept.text.slice(0, -1)
        expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]|\p{Surrogate}/u)
        expect(JSON.parse(line)).toMatchObject({
          level: 'info',
          time: '1970-01-01T00:00:00.000Z',
          message: expect.any(String),
        })
        expect(Object.keys(JSON.parse(line)).filter((name) => name === 'message')).toHaveLength(1)
      }),
      { numRuns: 1000 },
    )
  })

  it('is one line for people too', () => {
    const { log, kept } = keptLogger({ format: 'console' })
    fc.assert(
      fc.property(anything, fc.string({ unit: 'binary' }), (fields, message) => {
        kept.text = ''
        log.info(message, { fields })
        expect(kept.text).toMatch(
          /^1970-01-01T00:00:00\.000Z INFO [^\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]*\n$/,
        )
      }),
    )
  })

  it('has text in it that is escaped once, and is what it was if it was harmless', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const escaped = escapeText(text)
        expect(escapeText(escaped)).toBe(escaped)
        expect(
          escaped.replace(/\\u([0-9a-f]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
        ).toBe(text.replace(/\\u([0-9a-f]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))))
      }),
    )
  })
})
