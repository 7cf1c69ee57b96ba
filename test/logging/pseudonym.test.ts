import { createHash, createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createAddressPseudonymizer } from '../../src/logging/pseudonym.ts'
import { parseClientAddress } from '../../src/names/client-address.ts'

const DAY_MS = 86_400_000
const KEY = Buffer.alloc(16, 7)

describe('a pseudonym', () => {
  it('is the same for the same address, and another for another', () => {
    const pseudonymOf = createAddressPseudonymizer()
    expect(pseudonymOf('192.0.2.1')).toBe(pseudonymOf('192.0.2.1'))
    expect(pseudonymOf('192.0.2.1')).not.toBe(pseudonymOf('192.0.2.2'))
    expect(pseudonymOf('192.0.2.1')).toMatch(/^addr-[0-9a-f]{16}$/)
  })

  it.each([
    '::ffff:192.0.2.1',
    '::FFFF:C000:201',
    '0:0:0:0:0:ffff:192.0.2.1',
    '::ffff:192.0.2.1%eth0',
    '192.0.2.1:1965',
    '[::ffff:192.0.2.1]',
    '[::ffff:192.0.2.1]:1965',
  ])('is that of 192.0.2.1 for %s', (spelling) => {
    const pseudonymOf = createAddressPseudonymizer({ key: KEY })
    expect(pseudonymOf(spelling)).toBe(pseudonymOf('192.0.2.1'))
    expect(pseudonymOf(parseClientAddress('192.0.2.1'))).toBe(pseudonymOf('192.0.2.1'))
  })

  it.each(['2001:DB8::1', '2001:db8:0:0::1', '2001:db8::1%eth0', '[2001:db8::1]:1965'])(
    'is that of 2001:db8::1 for %s',
    (spelling) => {
      const pseudonymOf = createAddressPseudonymizer({ key: KEY })
      expect(pseudonymOf(spelling)).toBe(pseudonymOf('2001:db8::1'))
    },
  )

  it.each([
    '',
    'unknown',
    'localhost',
    '192.0.2.01',
    '0300.0.2.1',
    '192.0.2.1\n',
    '192.0.2.1 ',
    'a'.repeat(100_000),
    '\0',
  ])('is given to a text that is no address: %j', (text) => {
    const pseudonymOf = createAddressPseudonymizer({ key: KEY })
    expect(pseudonymOf(text)).toMatch(/^addr-[0-9a-f]{16}$/)
    expect(pseudonymOf(text)).not.toBe(pseudonymOf('192.0.2.1'))
  })

  it('cannot be found by trying all addresses without the key', () => {
    const pseudonym = createAddressPseudonymizer()('192.0.2.1').slice('addr-'.length)
    for (const text of ['192.0.2.1', 'address 192.0.2.1']) {
      expect(createHash('sha256').update(text).digest('hex')).not.toContain(pseudonym)
    }
    // Nor with a key that anybody could think of.
    for (const key of ['', '\0'.repeat(32), 'undefined', 'tlacacoca']) {
      for (const text of ['192.0.2.1', 'address 192.0.2.1']) {
        expect(createHmac('sha256', key).update(text).digest('hex')).not.toContain(pseudonym)
      }
    }
    expect(createAddressPseudonymizer()('192.0.2.1')).not.toBe(`addr-${pseudonym}`)
  })

  it.each([
    [64, 16],
    [128, 32],
    [256, 64],
  ])('shows %d bits as %d digits', (bits, digits) => {
    expect(createAddressPseudonymizer({ bits })('192.0.2.1')).toHaveLength('addr-'.length + digits)
  })
})

describe('a period', () => {
  it.each([
    [0, true],
    [DAY_MS - 1, true],
    [DAY_MS, false],
    [-1, false],
  ])('has one key: after %d ms the pseudonym is the same: %s', (later, same) => {
    let now = 5 * DAY_MS
    const pseudonymOf = createAddressPseudonymizer({ clock: () => now })
    const before = pseudonymOf('192.0.2.1')
    now += later
    expect(pseudonymOf('192.0.2.1') === before).toBe(same)
  })

  it('that was left does not come back, not even if the clock goes back', () => {
    let now = 5 * DAY_MS
    const pseudonymOf = createAddressPseudonymizer({ clock: () => now })
    const before = pseudonymOf('192.0.2.1')
    now += DAY_MS
    pseudonymOf('192.0.2.1')
    now -= DAY_MS
    expect(pseudonymOf('192.0.2.1')).not.toBe(before)
  })

  it('has one key in all processes that share a secret, and another than the next period', () => {
    let now = 5 * DAY_MS
    const options = { key: KEY, clock: () => now }
    const [a, b] = [createAddressPseudonymizer(options), createAddressPseudonymizer(options)]
    const before = a('192.0.2.1')
    expect(b('192.0.2.1')).toBe(before)
    now += DAY_MS
    expect(b('192.0.2.1')).not.toBe(before)
    expect(a('192.0.2.1')).toBe(b('192.0.2.1'))
  })

  it('is as long as one says', () => {
    let now = 0
    const pseudonymOf = createAddressPseudonymizer({ rotateEveryMs: 1000, clock: () => now })
    const before = pseudonymOf('192.0.2.1')
    now = 999
    expect(pseudonymOf('192.0.2.1')).toBe(before)
    now = 1000
    expect(pseudonymOf('192.0.2.1')).not.toBe(before)
  })

  it('lasts no longer than one call if the clock is broken', () => {
    const pseudonymOf = createAddressPseudonymizer({ clock: () => Number.NaN })
    expect(pseudonymOf('192.0.2.1')).not.toBe(pseudonymOf('192.0.2.1'))
  })
})

describe('options', () => {
  it.each([
    { bits: 63 },
    { bits: 66 },
    { bits: 260 },
    { bits: 0 },
    { rotateEveryMs: 0 },
    { rotateEveryMs: Number.POSITIVE_INFINITY },
    { key: Buffer.alloc(15) },
  ])('that would not protect anybody are refused: %j', (options) => {
    expect(() => createAddressPseudonymizer(options)).toThrow(RangeError)
  })

  it.each([
    { key: 'a text of sixteen letters' },
    { key: Array.from({ length: 32 }, () => 1) },
    { clock: 0 },
    { rotateEvery: 1000 },
  ])('of another kind are refused: %j', (options) => {
    // A text, copied as bytes, would be a key of zeros.
    expect(() => createAddressPseudonymizer(options as never)).toThrow(TypeError)
  })

  it('are not changed by a caller who reuses the buffer of the key', () => {
    const key = Buffer.alloc(32, 1)
    const pseudonymOf = createAddressPseudonymizer({ key, clock: () => 0 })
    key.fill(0)
    const expected = createAddressPseudonymizer({ key: Buffer.alloc(32, 1), clock: () => 0 })
    expect(pseudonymOf('192.0.2.1')).toBe(expected('192.0.2.1'))
  })
})
