import { describe, expect, it } from 'vitest'
import { AddressRange, parseAddressRange } from '../../src/names/address-range.ts'
import { parseClientAddress } from '../../src/names/client-address.ts'

const contains = (range: string, address: string): boolean =>
  parseAddressRange(range).contains(parseClientAddress(address))

describe('parseAddressRange', () => {
  it.each([
    ['10.0.0.0/8', '10.0.0.0', '10.255.255.255', 8],
    ['0.0.0.0/0', '0.0.0.0', '255.255.255.255', 0],
    ['128.0.0.0/1', '128.0.0.0', '255.255.255.255', 1],
    ['203.0.113.4/31', '203.0.113.4', '203.0.113.5', 31],
    ['203.0.113.4/32', '203.0.113.4', '203.0.113.4', 32],
    ['203.0.113.4', '203.0.113.4', '203.0.113.4', 32],
    ['::/0', '::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 0],
    ['2001:db8::/32', '2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff', 32],
    ['2001:db8::/33', '2001:db8::', '2001:db8:7fff:ffff:ffff:ffff:ffff:ffff', 33],
    ['2001:db8:0:1::/64', '2001:db8:0:1::', '2001:db8:0:1:ffff:ffff:ffff:ffff', 64],
    ['2001:db8::f000:0/100', '2001:db8::f000:0', '2001:db8::ffff:ffff', 100],
    ['::1', '::1', '::1', 128],
    ['::1/128', '::1', '::1', 128],
  ])('reads %s as %s to %s', (input, first, last, prefixLength) => {
    const range = parseAddressRange(input)
    const family = first.includes(':') ? 6 : 4
    expect({ ...range, first: String(range.first) }).toMatchObject({ family, first, prefixLength })
    expect(range.contains(range.first)).toBe(true)
    expect(range.contains(parseClientAddress(last))).toBe(true)
    expect(parseAddressRange(range.toString()).equals(range)).toBe(true)
  })

  it.each([
    ['::ffff:10.0.0.0/104', '10.0.0.0/8'],
    ['::ffff:a00:0/104', '10.0.0.0/8'],
    ['::FFFF:0:0/96', '0.0.0.0/0'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::ffff:10.0.0.1/128', '10.0.0.1'],
  ])('takes the mapped block %s for %s', (input, plain) => {
    expect(parseAddressRange(input).equals(parseAddressRange(plain))).toBe(true)
    expect(parseAddressRange(input).toString()).toBe(plain)
  })

  it.each([
    ['a host bit', '10.0.0.1/8'],
    ['the last host bit of a word', '10.0.0.1/31'],
    ['an IPv6 host bit', '2001:db8::1/32'],
    ['an IPv6 host bit right after the prefix', '2001:db8:8000::/32'],
    ['a mapped host bit', '::ffff:10.0.0.1/104'],
    ['a mapped block wider than all of IPv4', '::ffff:0:0/95'],
    ['a prefix above 32', '10.0.0.0/33'],
    ['a prefix above 128', '::/129'],
    ['a padded prefix', '10.0.0.0/08'],
    ['a negative prefix', '10.0.0.0/-1'],
    ['a signed prefix', '10.0.0.0/+8'],
    ['a fraction', '10.0.0.0/8.0'],
    ['an exponent', '10.0.0.0/1e1'],
    ['no prefix after the slash', '10.0.0.0/'],
    ['two prefixes', '10.0.0.0/8/8'],
    ['a netmask', '10.0.0.0/255.0.0.0'],
    ['a span', '10.0.0.0-10.0.0.9'],
    ['a wildcard', '10.0.0.*'],
    ['a short address', '10/8'],
    ['an octal address', '010.0.0.0/8'],
    ['a space', '10.0.0.0 /8'],
    ['a line end', '10.0.0.0/8\n'],
    ['a zone, which the comparison would ignore', 'fe80::1%eth0'],
    ['a name', 'localhost'],
    ['nothing', ''],
    ['a megabyte', '1'.repeat(2 ** 20)],
  ])('refuses %s', (_, input) => {
    expect(() => parseAddressRange(input)).toThrow(
      expect.objectContaining({
        code: 'ERR_TLACACOCA_ADDRESS_INVALID',
        // The entry is named, so that it can be found in a long list.
        message: expect.stringContaining(JSON.stringify(input.slice(0, 40)).slice(0, -1)),
      }),
    )
  })

  it('takes something other than text for a mistake of the program', () => {
    // @ts-expect-error: a number is no range
    expect(() => parseAddressRange(10)).toThrow(TypeError)
  })
})

describe('AddressRange', () => {
  it('is equal to the same range only', () => {
    const range = parseAddressRange('10.0.0.0/8')
    expect(range.equals(parseAddressRange('::ffff:10.0.0.0/104'))).toBe(true)
    for (const other of ['10.0.0.0/9', '11.0.0.0/8', '::/8']) {
      expect(range.equals(parseAddressRange(other))).toBe(false)
    }
    // Same bits, same length, another family.
    expect(parseAddressRange('0.0.0.0/0').equals(parseAddressRange('::/0'))).toBe(false)
  })

  it('cannot be imitated by an object of the same shape', () => {
    expect(AddressRange.is(parseAddressRange('::/0'))).toBe(true)
    expect(AddressRange.is({ ...parseAddressRange('::/0') })).toBe(false)
    expect(AddressRange.is(null)).toBe(false)
  })
})

describe('contains', () => {
  it.each([
    ['10.0.0.0/8', '10.0.0.0', true],
    ['10.0.0.0/8', '10.255.255.255', true],
    ['10.0.0.0/8', '9.255.255.255', false],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['10.0.0.0/8', '::ffff:a01:203%eth0', true],
    ['::ffff:10.0.0.0/104', '10.1.2.3', true],
    ['10.0.0.0/8', '::10.1.2.3', false],
    ['200.0.0.0/5', '207.255.255.255', true],
    ['200.0.0.0/5', '208.0.0.0', false],
    ['2001:db8::/33', '2001:db8:7fff::', true],
    ['2001:db8::/33', '2001:db8:8000::', false],
    ['2001:db8::/32', '2001:db9::', false],
    ['2001:db8::/32', '2001:db7:ffff:ffff:ffff:ffff:ffff:ffff', false],
    ['2001:db8:0:1::/64', '2001:db8:0:1:8000::', true],
    ['2001:db8:0:1::/64', '2001:db8:0:2::', false],
    // IPv6 ranges hold no IPv4 address, however wide they are (Node's BlockList lets `::/0` swallow them).
    ['::/0', '2001:db8::1', true],
    ['::/0', '10.0.0.1', false],
    ['::/0', '::ffff:10.0.0.1', false],
    ['::/80', '::ffff:10.0.0.1', false],
    ['0.0.0.0/0', '::', false],
  ])('%s, %s: %s', (range, address, expected) => {
    expect(contains(range, address)).toBe(expected)
  })
})

// The block's last address lies among the mapped ones, which are IPv4 addresses to us; its first does not.
it.each(['::/80', '::8000:0:0/81', '::fffe:0:0/95'])(
  'knows what lies in %s, which ends among the mapped addresses',
  (text) => {
    const range = parseAddressRange(text)
    expect(range.contains(range.first)).toBe(true)
    expect(range.contains(parseClientAddress('::fffe:1.2.3.4'))).toBe(true)
    expect(range.contains(parseClientAddress('::1:0:0:0'))).toBe(false)
    expect(range.contains(parseClientAddress('::ffff:1.2.3.4'))).toBe(false)
  },
)
