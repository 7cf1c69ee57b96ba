import { describe, expect, it } from 'vitest'
import { crc32c } from '../../src/net/crc32c.ts'
import { beginsAsProxyHeader, readProxyHeader } from '../../src/net/proxy-protocol.ts'
import {
  binaryEnds,
  binaryHeader,
  binaryParts,
  castagnoli,
  localHeader,
  SIGNATURE,
  SOMEBODY,
  textHeader,
  withChecksum,
} from '../support/proxy-headers.ts'

/** What was read, in words; of a whole header also that it ends where it does. */
function read(bytes: Uint8Array | string): string {
  const reading = readProxyHeader(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  if (reading.kind === 'malformed') return `malformed: ${reading.problem}`
  if (reading.kind === 'incomplete') return `incomplete: ${reading.need}`
  const end = (of: typeof reading.source): string => (of === null ? 'nobody' : `${of.address} ${of.port}`)
  return `${end(reading.source)} to ${end(reading.destination)}, ${reading.length} bytes`
}

const SOMEBODY_READ = '192.0.2.7 56324 to 198.51.100.1 1965'
const V6 = { source: '2001:db8::7', destination: '2001:db8::1', sourcePort: 1, destinationPort: 65_535 }

describe('version 1', () => {
  it.each([
    ['PROXY TCP4 192.0.2.7 198.51.100.1 56324 1965\r\n', `${SOMEBODY_READ}, 46 bytes`],
    [
      'PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n',
      '255.255.255.255 65535 to 255.255.255.255 65535, 56 bytes',
    ],
    ['PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n', '0.0.0.0 0 to 0.0.0.0 0, 32 bytes'],
    ['PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n', '2001:db8::7 1 to 2001:db8::1 2, 40 bytes'],
    ['PROXY TCP6 :: :: 0 0\r\n', ':: 0 to :: 0, 22 bytes'],
    [
      'PROXY TCP6 FFFF:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n',
      'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 to ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535, 104 bytes',
    ],
    ['PROXY TCP6 ::ffff:192.0.2.7 ::ffff:c633:6401 56324 1965\r\n', `${SOMEBODY_READ}, 57 bytes`],
    ['PROXY UNKNOWN\r\n', 'nobody to nobody, 15 bytes'],
    ['PROXY UNKNOWN \r\n', 'nobody to nobody, 16 bytes'],
    ['PROXY UNKNOWN anything at all\r\n', 'nobody to nobody, 31 bytes'],
    [`PROXY UNKNOWN ${'f'.repeat(91)}\r\n`, 'nobody to nobody, 107 bytes'],
  ])('reads %j', (line, expected) => {
    expect(read(line)).toBe(expected)
    expect(read(`${line}what follows`)).toBe(expected)
    expect(read(`${line}\r\n`)).toBe(expected)
  })

  // One thing is wrong with each; the first of the list above is right.
  it.each([
    'PROXY  TCP4 192.0.2.7 198.51.100.1 56324 1965\r\n',
    ' PROXY TCP4 192.0.2.7 198.51.100.1 56324 1965\r\n',
    'proxy TCP4 192.0.2.7 198.51.100.1 56324 1965\r\n',
    'PROXY tcp4 192.0.2.7 198.51.100.1 56324 1965\r\n',
    'PROXY TCP 192.0.2.7 198.51.100.1 56324 1965\r\n',
    'PROXY UDP4 192.0.2.7 198.51.100.1 56324 1965\r\n',
    'PROXY TCP44 192.0.2.7 198.51.100.1 56324 1965\r\n',
    'PROXY TCP6 192.0.2.7 198.51.100.1 56324 1965\r\n',
    'PROXY TCP4 2001:db8::7 2001:db8::1 56324 1965\r\n',
    'PROXY TCP4 ::ffff:192.0.2.7 198.51.100.1 56324 1965\r\n',
    'PROXY TCP6 2001:db8::7 198.51.100.1 56324 1965\r\n',
    'PROXY TCP4 192.0.2.07 198.51.100.1 56324 1965\r\n',
    'PROXY TCP4 192.0.2.256 198.51.100.1 56324 1965\r\n',
    'PROXY TCP4 192.0.2 198.51.100.1 56324 1965\r\n',
    'PROXY TCP4 0xc0000207 198.51.100.1 56324 1965\r\n',
    'PROXY TCP6 fe80::1%eth0 2001:db8::1 56324 1965\r\n',
    'PROXY TCP6 [2001:db8::7] 2001:db8::1 56324 1965\r\n',
    'PROXY TCP6 2001:db8::7::1 2001:db8::1 56324 1965\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 056324 1965\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 65536 1965\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 +1 1965\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 -1 1965\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 1e3 1965\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 56324 01965\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 56324 \r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 56324 1965 \r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 56324 1965 1\r\n',
    'PROXY TCP4  192.0.2.7 198.51.100.1 56324 1965\r\n',
    'PROXY TCP4 192.0.2.7\t198.51.100.1 56324 1965\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 56324 1965\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 56324 1965\r \n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 56324 1965\n\r\n',
    'PROXY TCP4 192.0.2.7 198.51.100.1 56324 1965\0\r\n',
    'PROXY TCP4 \u00b92.0.2.7 198.51.100.1 56324 1965\r\n',
    'PROXY TCP4\r\n',
    'PROXY UNKNOWNX\r\n',
    'PROXY UNKNOWN \0\r\n',
    'PROXY UNKNOWN \u00ff\r\n',
    'PROXY UNKNOWN\n',
    'PROXY UNKNOWN\rX',
    `PROXY UNKNOWN ${'f'.repeat(92)}\r\n`,
    `PROXY UNKNOWN ${'f'.repeat(1000)}`,
    'GET / HTTP/1.1\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    '\0',
  ])('refuses %j', (line) => {
    expect(read(line)).toMatch(/^malformed/)
  })

  it('needs no more than the shortest header that can still come', () => {
    expect(read('')).toBe('incomplete: 15')
    expect(read('P')).toBe('incomplete: 15')
    expect(read('PROXY TCP')).toBe('incomplete: 15')
    expect(read('PROXY TCP4 ')).toBe('incomplete: 32')
    expect(read('PROXY TCP6 ')).toBe('incomplete: 22')
    expect(read('PROXY TCP4 192.0.2.7 198.51.100.1 56324')).toBe('incomplete: 41')
    expect(read('PROXY TCP4 192.0.2.7 198.51.100.1 56324 1965\r')).toBe('incomplete: 46')
  })

  it('knows a wrong beginning by its first wrong byte', () => {
    for (const text of ['G', 'PX', 'PROXY_', 'PROXY TCP5', 'PROXY UNKNOWM']) expect(read(text)).toMatch(/^malformed/)
  })
})

describe('version 2', () => {
  it.each([
    ['IPv4', binaryHeader(), `${SOMEBODY_READ}, 28 bytes`],
    ['IPv6', binaryHeader(V6), '2001:db8::7 1 to 2001:db8::1 65535, 52 bytes'],
    [
      'a mapped address, which is the IPv4 address',
      binaryHeader({ source: '::ffff:c000:207', destination: '::ffff:c633:6401' }),
      `${SOMEBODY_READ}, 52 bytes`,
    ],
    ['extensions', binaryHeader({}, [{ type: 1, value: Buffer.from('gemini') }]), `${SOMEBODY_READ}, 37 bytes`],
    ['an empty extension', binaryHeader({}, [{ type: 4, value: Buffer.alloc(0) }]), `${SOMEBODY_READ}, 31 bytes`],
    ['a type that nobody knows', binaryHeader({}, [{ type: 0xee, value: Buffer.of(1) }]), `${SOMEBODY_READ}, 32 bytes`],
    ['a checksum', withChecksum(binaryHeader()), `${SOMEBODY_READ}, 35 bytes`],
    ['a long one', binaryHeader({}, [{ type: 4, value: Buffer.alloc(16_384 - 15) }]), `${SOMEBODY_READ}, 16400 bytes`],
    ['LOCAL', localHeader(), 'nobody to nobody, 16 bytes'],
    ['LOCAL with extensions', localHeader([{ type: 4, value: Buffer.alloc(9) }]), 'nobody to nobody, 28 bytes'],
    ['LOCAL with a checksum', withChecksum(localHeader()), 'nobody to nobody, 23 bytes'],
    ['LOCAL with addresses', binaryParts(0x20, 0x11, binaryEnds()), 'nobody to nobody, 28 bytes'],
    ['LOCAL with a family that nobody knows', binaryParts(0x20, 0xff, Buffer.alloc(5)), 'nobody to nobody, 21 bytes'],
    ['LOCAL with what must be discarded', binaryParts(0x20, 0x00, Buffer.alloc(2)), 'nobody to nobody, 18 bytes'],
    ['UNSPEC', binaryParts(0x21, 0x00, Buffer.alloc(0)), 'nobody to nobody, 16 bytes'],
    ['UNSPEC with a checksum', withChecksum(binaryParts(0x21, 0x00, Buffer.alloc(0))), 'nobody to nobody, 23 bytes'],
  ])('reads %s', (_, header, expected) => {
    expect(read(header)).toBe(expected)
    expect(read(Buffer.concat([header, Buffer.from('what follows')]))).toBe(expected)
  })

  it.each([
    ['version 1', binaryParts(0x11, 0x11, binaryEnds())],
    ['version 3', binaryParts(0x31, 0x11, binaryEnds())],
    ['version 0', binaryParts(0x01, 0x11, binaryEnds())],
    ['another command', binaryParts(0x22, 0x11, binaryEnds())],
    ['a datagram', binaryParts(0x21, 0x12, binaryEnds())],
    ['a datagram of IPv6', binaryParts(0x21, 0x22, binaryEnds(V6))],
    ['a Unix socket', binaryParts(0x21, 0x31, Buffer.alloc(216))],
    ['a Unix datagram', binaryParts(0x21, 0x32, Buffer.alloc(216))],
    ['another family', binaryParts(0x21, 0x41, Buffer.alloc(36))],
    ['another protocol', binaryParts(0x21, 0x13, binaryEnds())],
    ['a family without protocol', binaryParts(0x21, 0x10, binaryEnds())],
    ['a protocol without family', binaryParts(0x21, 0x01, binaryEnds())],
    ['no room for addresses', binaryParts(0x21, 0x11, binaryEnds().subarray(0, 11))],
    ['IPv6 with room for IPv4', binaryParts(0x21, 0x21, binaryEnds())],
    ['one byte behind the addresses', binaryParts(0x21, 0x11, Buffer.concat([binaryEnds(), Buffer.of(4)]))],
    ['half an extension', binaryParts(0x21, 0x11, Buffer.concat([binaryEnds(), Buffer.of(4, 0)]))],
    ['an extension that is cut off', binaryParts(0x21, 0x11, Buffer.concat([binaryEnds(), Buffer.of(4, 0, 2, 0)]))],
    ['one byte behind an extension', binaryParts(0x21, 0x11, Buffer.concat([binaryEnds(), Buffer.of(4, 0, 0, 0)]))],
    ['a checksum of another size', binaryHeader({}, [{ type: 3, value: Buffer.alloc(3) }])],
    ['an empty checksum', binaryHeader({}, [{ type: 3, value: Buffer.alloc(0) }])],
    ['a wrong checksum', binaryHeader({}, [{ type: 3, value: Buffer.alloc(4) }])],
    ['two checksums, both right for themselves', withChecksum(withChecksum(binaryHeader()))],
    ['a wrong checksum with LOCAL', localHeader([{ type: 3, value: Buffer.alloc(4) }])],
    ['a wrong checksum with UNSPEC', binaryParts(0x21, 0x00, Buffer.of(3, 0, 4, 0, 0, 0, 0))],
    ['more than anybody sends', binaryParts(0x21, 0x11, Buffer.alloc(0), 16_385)],
    ['another signature', Buffer.concat([SIGNATURE.subarray(0, 11), Buffer.of(13), binaryHeader().subarray(12)])],
  ])('refuses %s', (_, header) => {
    expect(read(header)).toMatch(/^malformed/)
  })

  it('takes a proxied connection whose command was changed into LOCAL for damaged, by its checksum', () => {
    const header = withChecksum(binaryHeader())
    header[12] = 0x20
    expect(read(header)).toBe('malformed: the checksum is wrong')
  })

  it('knows what is wrong as soon as the byte is there', () => {
    expect(read(Buffer.of(13, 13))).toMatch(/^malformed/)
    expect(read(binaryParts(0x41, 0, Buffer.alloc(0)).subarray(0, 13))).toMatch(/^malformed/)
    expect(read(binaryParts(0x21, 0x31, Buffer.alloc(0)).subarray(0, 14))).toMatch(/^malformed/)
    expect(read(binaryParts(0x21, 0x11, Buffer.alloc(0), 65_535).subarray(0, 16))).toMatch(/^malformed/)
  })

  it('needs what its length says, and nothing more', () => {
    const header = binaryHeader()
    expect(read(header.subarray(0, 1))).toBe('incomplete: 16')
    expect(read(header.subarray(0, 15))).toBe('incomplete: 16')
    expect(read(header.subarray(0, 16))).toBe('incomplete: 28')
    expect(read(header.subarray(0, 27))).toBe('incomplete: 28')
  })
})

it.each([
  ['', null],
  ['P', null],
  ['PROXY', null],
  ['PROXY ', true],
  ['PROXY TCP4 anything', true],
  ['PROXYx', false],
  ['gemini://example.org/', false],
  ['\x16\x03', false],
  ['\r', null],
  ['\r\n', null],
  ['\r\r', false],
  [SIGNATURE.toString('latin1').slice(0, 11), null],
  [SIGNATURE.toString('latin1'), true],
])('says of %j whether it begins as a header: %s', (text, expected) => {
  expect(beginsAsProxyHeader(Buffer.from(text, 'latin1'))).toBe(expected)
})

it('computes the checksums of RFC 3720 appendix B.4', () => {
  const vectors: [Uint8Array, number][] = [
    [Buffer.alloc(32), 0x8a9136aa],
    [Buffer.alloc(32, 0xff), 0x62a8ab43],
    [Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    [Buffer.from('123456789'), 0xe3069283],
  ]
  for (const [bytes, expected] of vectors) {
    expect(crc32c(bytes)).toBe(expected)
    expect(castagnoli(bytes)).toBe(expected)
  }
  expect(crc32c(Buffer.of(1, 2, 3, 4, 5, 6), 1)).toBe(castagnoli(Buffer.of(1, 0, 0, 0, 0, 6)))
})

it('writes what it reads: the lines of the two writers say the same', () => {
  expect(read(textHeader())).toContain(SOMEBODY_READ)
  expect(read(binaryHeader())).toContain(SOMEBODY_READ)
  expect(SOMEBODY_READ).toContain(SOMEBODY.source)
})
