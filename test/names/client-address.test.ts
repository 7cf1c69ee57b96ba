import { describe, expect, it } from 'vitest'
import { ClientAddress, parseClientAddress } from '../../src/names/client-address.ts'
import { countReads } from './reads.ts'

const text = (input: string): string => parseClientAddress(input).toString()

describe('parseClientAddress', () => {
  it.each([
    ['0.0.0.0', 0],
    ['192.0.2.1', 0xc0000201],
    ['255.255.255.255', 0xffffffff],
    ['1.2.3.4', 0x01020304],
  ])('reads %s as one number', (input, w3) => {
    const address = parseClientAddress(input)
    expect(address).toMatchObject({ family: 4, w0: 0, w1: 0, w2: 0, w3 })
    expect(address.toString()).toBe(input)
  })

  // One address, written as others have written it to get past a deny list.
  it.each([
    '::ffff:203.0.113.9',
    '::FFFF:203.0.113.9',
    '::ffff:cb00:7109',
    '::FfFf:CB00:7109',
    '0:0:0:0:0:ffff:203.0.113.9',
    '0000:0000:0000:0000:0000:ffff:cb00:7109',
    '0::0:ffff:203.0.113.9',
    '::ffff:203.0.113.9%eth0',
    '::ffff:cb00:7109%1',
  ])('takes the mapped address %s for the IPv4 address it is', (input) => {
    const address = parseClientAddress(input)
    expect(address.equals(parseClientAddress('203.0.113.9'))).toBe(true)
    expect(address.family).toBe(4)
    expect(address.toString()).toBe('203.0.113.9')
  })

  // The neighbours of the mapped block embed an IPv4 address too, but they are other hosts.
  it.each([
    '::203.0.113.9',
    '::fffe:203.0.113.9',
    '::1:ffff:203.0.113.9',
    '::ffff:0:203.0.113.9',
    '64:ff9b::203.0.113.9',
  ])('leaves %s an IPv6 address', (input) => {
    expect(parseClientAddress(input).family).toBe(6)
    expect(parseClientAddress(input).equals(parseClientAddress('203.0.113.9'))).toBe(false)
  })

  // RFC 5952 section 4, each rule broken once.
  it.each([
    ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8::1'],
    ['2001:DB8::1', '2001:db8::1'],
    ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:db8::1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::', '::'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
    ['1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:102:304'],
    ['fe80::1%eth0', 'fe80::1'],
    ['fe80::1%br-lan.100@x_y', 'fe80::1'],
  ])('writes %s as %s', (input, canonical) => {
    expect(text(input)).toBe(canonical)
  })

  it('gives the words of an IPv6 address without a sign', () => {
    expect(parseClientAddress('ffff:fffe:8000:1:2:3:f000:5')).toMatchObject({
      family: 6,
      w0: 0xfffffffe,
      w1: 0x80000001,
      w2: 0x00020003,
      w3: 0xf0000005,
    })
  })

  it.each([
    ['octal', '010.0.0.1'],
    ['octal in the last octet', '10.0.0.01'],
    ['a padded zero', '10.00.0.1'],
    ['hexadecimal', '0x0a.0.0.1'],
    ['one number', '167772161'],
    ['one hexadecimal number', '0x0a000001'],
    ['two parts', '10.1'],
    ['three parts', '10.0.1'],
    ['five parts', '10.0.0.0.1'],
    ['an octet above 255', '10.0.0.256'],
    ['an octet of four digits', '10.0.0.1000'],
    ['an empty octet', '10..0.1'],
    ['a leading dot', '.10.0.0.1'],
    ['a trailing dot', '10.0.0.1.'],
    ['a sign', '+10.0.0.1'],
    ['a space before', ' 10.0.0.1'],
    ['a space after', '10.0.0.1 '],
    ['a line end', '10.0.0.1\n'],
    ['a NUL', '10.0.0.1\0'],
    ['a port', '10.0.0.1:80'],
    ['a prefix length', '10.0.0.1/32'],
    ['a zone on IPv4', '10.0.0.1%eth0'],
    ['digits of another script', '١٠.0.0.1'],
    ['fullwidth digits', '１０.0.0.1'],
    ['U+0130, which folds onto 0 in Latin-1', '1\u0130.0.0.1'],
    ['nothing', ''],
    ['a name', 'localhost'],
    ['brackets', '[::1]'],
    ['an IPv6 port', '[::1]:80'],
    ['one colon', ':'],
    ['three colons', ':::'],
    ['three colons inside', '1:::2'],
    ['two gaps', '1::2::3'],
    ['seven groups', '1:2:3:4:5:6:7'],
    ['nine groups', '1:2:3:4:5:6:7:8:9'],
    ['a gap for no group', '1:2:3:4::5:6:7:8'],
    ['a gap for no group at the end', '1:2:3:4:5:6:7:8::'],
    ['a colon at the end', '1:2:3:4:5:6:7:'],
    ['a colon at the start', ':1:2:3:4:5:6:7'],
    ['five digits', '12345::'],
    ['a padded group of five', '00001::'],
    ['a letter after f', 'g::'],
    ['a dotted tail that is too early', '1.2.3.4::'],
    ['a dotted tail in the middle', '::1.2.3.4:5'],
    ['a dotted tail too many', '1:2:3:4:5:6:7:1.2.3.4'],
    ['a dotted tail for no gap', '::1:2:3:4:5:6:1.2.3.4'],
    ['a short dotted tail', '::1.2.3'],
    ['an octal dotted tail', '::ffff:010.0.0.1'],
    ['an empty zone', 'fe80::1%'],
    ['two zones', 'fe80::1%a%b'],
    ['a zone with a space', 'fe80::1%eth 0'],
    ['a zone with a line end', 'fe80::1%eth0\n'],
    ['a zone with a slash', 'fe80::1%eth0/64'],
    ['a zone that is too long', `fe80::1%${'a'.repeat(65)}`],
    ['U+0141, which folds onto A with | 32', '\u0141::'],
  ])('refuses %s', (_, input) => {
    expect(() => parseClientAddress(input)).toThrow(
      expect.objectContaining({ name: 'InvalidNameError', code: 'ERR_TLACACOCA_ADDRESS_INVALID' }),
    )
  })

  it('takes something other than text for a mistake of the program', () => {
    // @ts-expect-error: `socket.remoteAddress` is undefined once the socket is gone
    expect(() => parseClientAddress(undefined)).toThrow(TypeError)
  })

  it('cannot be imitated by an object of the same shape', () => {
    expect(ClientAddress.is(parseClientAddress('::1'))).toBe(true)
    expect(ClientAddress.is({ ...parseClientAddress('::1') })).toBe(false)
    expect(ClientAddress.is(null)).toBe(false)
  })

  it('looks at a bounded part of a text of a megabyte', () => {
    for (const piece of ['1', ':', '.', '%', '0:', '1.', '::ffff:', 'f%']) {
      const long = piece.repeat(2 ** 20 / piece.length)
      expect(countReads(() => parseClientAddress(long))).toBeLessThan(500)
    }
  })
})
