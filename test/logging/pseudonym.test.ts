import { describe, expect, it } from 'vitest'
import { createAddressPseudonymizer } from '../../src/logging/index.ts'
import { parseClientAddress } from '../../src/names/index.ts'
import { fixedClock } from '../../src/testing/index.ts'

const DAY = 86_400_000
const noon = new Date('2030-06-01T12:00:00Z')

describe('the pseudonym of an address', () => {
  it.each([
    ['192.0.2.1', '::ffff:192.0.2.1'],
    ['192.0.2.1', '::FFFF:C000:0201'],
    ['192.0.2.1', '192.0.2.1:1965'],
    ['2001:db8::1', '2001:0DB8:0:0:0:0:0:1'],
    ['2001:db8::1', '[2001:db8::1]:1965'],
    ['fe80::1', 'fe80::1%eth0'],
  ])('is the same for %s and %s', (one, other) => {
    const pseudonymOf = createAddressPseudonymizer()
    expect(pseudonymOf(other)).toBe(pseudonymOf(one))
    expect(pseudonymOf(parseClientAddress(one))).toBe(pseudonymOf(one))
  })

  it('tells addresses apart, and from texts that look like our own input', () => {
    const pseudonymOf = createAddressPseudonymizer()
    const all = ['192.0.2.1', '192.0.2.2', 'address 192.0.2.1', 'text 192.0.2.1', '', '192.0.2', '0300.0.2.1']
    expect(new Set(all.map(pseudonymOf)).size).toBe(all.length)
  })

  it('changes with the period, forward and back, and is the same within one', () => {
    const clock = fixedClock(noon)
    const pseudonymOf = createAddressPseudonymizer({ clock })
    const first = pseudonymOf('192.0.2.1')
    clock.advance(DAY / 2 - 1)
    expect(pseudonymOf('192.0.2.1')).toBe(first)
    clock.advance(1)
    const next = pseudonymOf('192.0.2.1')
    expect(next).not.toBe(first)
    // The key of yesterday is gone; there is no way back to it.
    clock.advance(-1)
    expect([first, next]).not.toContain(pseudonymOf('192.0.2.1'))
  })

  it('is agreed on by those who share a key, for a period', () => {
    const key = new Uint8Array(32).fill(7)
    const clock = fixedClock(noon)
    const [one, two] = [createAddressPseudonymizer({ key, clock }), createAddressPseudonymizer({ key, clock })]
    const first = one('192.0.2.1')
    expect(two('192.0.2.1')).toBe(first)
    clock.advance(DAY)
    expect(one('192.0.2.1')).not.toBe(first)
    expect(createAddressPseudonymizer({ clock })('192.0.2.1')).not.toBe(two('192.0.2.1'))
  })

  it('does not depend on what becomes of the key that was handed over', () => {
    const key = new Uint8Array(32).fill(7)
    const clock = fixedClock(noon)
    const pseudonymOf = createAddressPseudonymizer({ key, clock })
    const first = pseudonymOf('192.0.2.1')
    key.fill(0)
    clock.advance(DAY)
    pseudonymOf('192.0.2.1')
    clock.advance(-DAY)
    expect(pseudonymOf('192.0.2.1')).toBe(first)
  })

  it.each([64, 128, 256])('shows %i bits', (bits) => {
    expect(createAddressPseudonymizer({ bits })('192.0.2.1')).toMatch(new RegExp(`^addr-[0-9a-f]{${bits / 4}}$`))
  })

  it.each([
    { bits: 60 },
    { bits: 260 },
    { bits: 66 },
    { key: new Uint8Array(15) },
    { rotateEveryMs: 0 },
    { rotateEveryMs: Number.NaN },
  ])('is refused with %o', (options) => {
    expect(() => createAddressPseudonymizer(options)).toThrow(RangeError)
  })
})
