import { describe, expect, it } from 'vitest'
import {
  bitsOf,
  booleanOf,
  DerReader,
  integerBytes,
  oidOf,
  readWhole,
  smallInteger,
  TAG,
  wholeOctets,
} from '../../src/certificate/der.ts'
import { bytes } from '../support/crafted-certificates.ts'

const MALFORMED = { name: 'CertificateError', code: 'ERR_TLACACOCA_CERTIFICATE_MALFORMED' }

const first = (hex: string) => new DerReader(bytes(hex)).readAny('it')

describe('an element', () => {
  it.each([
    ['04 00', ''],
    ['04 01 ff', 'ff'],
    [`04 7f ${'ab'.repeat(127)}`, 'ab'.repeat(127)],
    [`04 81 80 ${'ab'.repeat(128)}`, 'ab'.repeat(128)],
    [`04 82 01 00 ${'ab'.repeat(256)}`, 'ab'.repeat(256)],
    [`04 83 01 00 00 ${'ab'.repeat(65536)}`, 'ab'.repeat(65536)],
  ])('is read: %.20s', (hex, content) => {
    const element = readWhole(bytes(hex), TAG.octetString, 'it')
    expect(Buffer.from(element.content).toString('hex')).toBe(content)
    expect(Buffer.from(element.encoded)).toEqual(bytes(hex))
    expect(element.isEmpty).toBe(content === '')
  })

  it.each([
    ['nothing', ''],
    ['a tag alone', '04'],
    ['an indefinite length', '04 80 00 00'],
    ['the reserved length', `04 ff ${'00'.repeat(127)}`],
    ['a long length that would be short', '04 81 01 ff'],
    ['a long length of zero', '04 81 00'],
    ['a length with a zero in front', `04 82 00 80 ${'ab'.repeat(128)}`],
    ['a length that is cut short', '04 82 01'],
    ['a length without its octets', '04 84'],
    ['a length of five octets', '04 85 00 00 00 00 01 ff'],
    ['a length past the end', '04 02 ff'],
    ['a length far past the end', '04 84 ff ff ff ff'],
    ['a length whose first bit would be a sign', '04 84 80 00 00 00 ff'],
    ['a byte too much', '04 01 ff 00'],
    ['another tag', '05 00'],
    ['the constructed form', '24 03 04 01 ff'],
  ])('is refused: %s', (_, hex) => {
    expect(() => readWhole(bytes(hex), TAG.octetString, 'it')).toThrow(expect.objectContaining(MALFORMED))
  })

  it.each(['1f 01 00', '3f 81 01 00', 'bf 8f ff 7f 00', 'ff 01 00'])(
    'is refused with a tag of several octets: %s',
    (hex) => {
      expect(() => first(hex)).toThrow(expect.objectContaining(MALFORMED))
    },
  )

  it('may not reach beyond what holds it, even if there are bytes', () => {
    const outer = new DerReader(bytes('30 03 04 02 aa bb')).readAny('outer').children()
    expect(() => outer.readAny('inner')).toThrow(/longer than what holds it/)
    const cut = new DerReader(bytes('30 01 04 00')).readAny('outer').children()
    expect(() => cut.readAny('inner')).toThrow(/cut short/)
  })
})

describe('a reader', () => {
  it('takes an optional element only if it is there', () => {
    const reader = new DerReader(bytes('01 01 ff 02 01 05'))
    expect(reader.optional(TAG.integer, 'a number')).toBeNull()
    expect(reader.optional(TAG.boolean, 'a mark')).not.toBeNull()
    expect(reader.optional(TAG.integer, 'a number')).not.toBeNull()
    expect(reader.optional(TAG.integer, 'a number')).toBeNull()
    expect(() => reader.finish('it')).not.toThrow()
  })

  it('knows when something is left', () => {
    expect(() => new DerReader(bytes('05 00')).finish('it')).toThrow(expect.objectContaining(MALFORMED))
  })

  it('steps a hundred thousand levels down without a stack', () => {
    const depth = 100_000
    const data = new Uint8Array(depth * 5)
    for (let level = 0; level < depth; level++) {
      const length = data.length - (level + 1) * 5
      data.set([0x30, 0x83, length >> 16, (length >> 8) & 0xff, length & 0xff], level * 5)
    }
    // The lengths of the inner ones are padded, which shows that the reader arrived there.
    let reader = new DerReader(data)
    let levels = 0
    expect(() => {
      while (!reader.done) {
        reader = reader.readAny('it').children()
        levels++
      }
    }).toThrow(/padded length/)
    expect(levels).toBeGreaterThan(80_000)
  })
})

describe('a boolean', () => {
  it.each([
    ['01 01 00', false],
    ['01 01 ff', true],
  ])('is read: %s', (hex, value) => {
    expect(booleanOf(first(hex), 'it')).toBe(value)
  })

  it.each(['01 01 01', '01 01 fe', '01 00', '01 02 ff ff'])('is refused: %s', (hex) => {
    expect(() => booleanOf(first(hex), 'it')).toThrow(expect.objectContaining(MALFORMED))
  })
})

describe('an integer', () => {
  it.each([
    ['02 01 00', 0],
    ['02 01 7f', 127],
    ['02 02 00 80', 128],
    ['02 04 7f ff ff ff', 2 ** 31 - 1],
  ])('is read: %s', (hex, value) => {
    expect(smallInteger(first(hex), 'it')).toBe(value)
  })

  it.each(['02 00', '02 02 00 00', '02 02 00 7f', '02 02 ff ff', '02 02 ff 80'])('is refused: %s', (hex) => {
    expect(() => integerBytes(first(hex), 'it')).toThrow(expect.objectContaining(MALFORMED))
  })

  it.each(['02 01 80', '02 01 ff', '02 05 00 80 00 00 00', '02 09 01 00 00 00 00 00 00 00 00'])(
    'is no small one: %s',
    (hex) => {
      expect(() => smallInteger(first(hex), 'it')).toThrow(expect.objectContaining(MALFORMED))
      expect(integerBytes(first(hex), 'it').length).toBeGreaterThan(0)
    },
  )
})

describe('a bit string', () => {
  it.each([
    ['03 01 00', ''],
    ['03 02 07 80', '1'],
    ['03 02 01 06', '0000011'],
    ['03 02 00 81', '10000001'],
    ['03 03 07 06 80', '000001101'],
    // Zeros at the end are against DER in a named list, common, and unambiguous.
    ['03 02 00 80', '10000000'],
  ])('has bits: %s', (hex, bits) => {
    const read = bitsOf(first(hex), 'it')
    expect(read.map(Number).join('')).toBe(bits)
  })

  it.each(['03 00', '03 01 01', '03 02 08 00', '03 02 ff 00', '03 02 01 01', '03 02 07 ff'])(
    'is refused: %s',
    (hex) => {
      expect(() => bitsOf(first(hex), 'it')).toThrow(expect.objectContaining(MALFORMED))
    },
  )

  it('has whole octets or is refused where they are due', () => {
    expect(Buffer.from(wholeOctets(first('03 03 00 01 02'), 'it')).toString('hex')).toBe('0102')
    for (const hex of ['03 00', '03 02 01 02', '03 02 08 00']) {
      expect(() => wholeOctets(first(hex), 'it')).toThrow(expect.objectContaining(MALFORMED))
    }
  })
})

describe('an object identifier', () => {
  it.each([
    ['06 01 00', '0.0'],
    ['06 01 27', '0.39'],
    ['06 01 28', '1.0'],
    ['06 01 4f', '1.39'],
    ['06 01 50', '2.0'],
    ['06 03 55 1d 11', '2.5.29.17'],
    ['06 06 2a 86 48 86 f7 0d', '1.2.840.113549'],
    ['06 03 88 37 03', '2.999.3'],
    // A UUID as an arc of 128 bits (ITU-T X.667).
    [
      '06 14 69 83 f0 9d a7 eb cf de e0 c7 a1 a7 b2 c0 94 8c c8 f9 d7 76',
      '2.25.329800735698586629295641978511506172918',
    ],
  ])('is read: %s', (hex, dotted) => {
    expect(oidOf(first(hex), 'it')).toBe(dotted)
  })

  it.each([
    ['empty', '06 00'],
    ['padded', '06 02 80 01'],
    ['padded in a later arc', '06 04 2a 03 80 01'],
    ['cut short', '06 02 2a 86'],
    ['longer than any', `06 81 81 2a ${'01'.repeat(128)}`],
  ])('is refused: %s', (_, hex) => {
    expect(() => oidOf(first(hex), 'it')).toThrow(expect.objectContaining(MALFORMED))
  })
})
