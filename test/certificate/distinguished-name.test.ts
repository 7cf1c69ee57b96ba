import { describe, expect, it } from 'vitest'
import { Certificate } from '../../src/certificate/certificate.ts'
import { readName } from '../../src/certificate/distinguished-name.ts'
import { bytes, crafted, element, name, oid, sequence, utf8 } from '../support/crafted-certificates.ts'
import { openssl } from '../support/openssl.ts'
import { vectorPem } from '../support/vectors.ts'

const MALFORMED = { name: 'CertificateError', code: 'ERR_TLACACOCA_CERTIFICATE_MALFORMED' }

const set = (...pairs: readonly Uint8Array[]) => element(0x31, ...pairs)
const pair = (id: string, value: Uint8Array) => sequence(oid(id), value)
const read = (der: Uint8Array) => readName(der, 'the name')

describe('a subject', () => {
  it('has its attributes in order, with short names', () => {
    const { subject } = Certificate.from(vectorPem('misfin'))
    expect(subject.attributes).toEqual([
      { oid: '2.5.4.3', type: 'CN', value: 'Mary Shelley' },
      { oid: '0.9.2342.19200300.100.1.1', type: 'UID', value: 'mary' },
    ])
    expect([subject.commonName, subject.valuesOf('UID'), subject.valuesOf('2.5.4.3'), subject.valuesOf('O')]).toEqual([
      'Mary Shelley',
      ['mary'],
      ['Mary Shelley'],
      [],
    ])
    expect(subject.isEmpty).toBe(false)
    expect(String(subject)).toBe('UID=mary,CN=Mary Shelley')
  })

  it('is written as OpenSSL writes RFC 2253, where OpenSSL escapes the same', () => {
    const pem = vectorPem('odd-subject')
    const line = openssl(['x509', '-noout', '-subject', '-nameopt', 'RFC2253,-esc_msb,utf8'], pem)
    // OpenSSL turns the order around inside of a set too, where none is prescribed.
    expect(line).toBe(`subject=${Certificate.from(pem).subject}\n`.replace('CN=Bücher+UID=\\#1', 'UID=\\#1+CN=Bücher'))
  })

  it.each([
    ['a,b', 'CN=a\\,b'],
    ['a+b"c\\d<e>f;g', 'CN=a\\+b\\"c\\\\d\\<e\\>f\\;g'],
    [' both ', 'CN=\\ both\\ '],
    [' ', 'CN=\\ '],
    ['  ', 'CN=\\ \\ '],
    ['#1', 'CN=\\#1'],
    ['a#1', 'CN=a#1'],
    ['a=b', 'CN=a=b'],
    ['Bücher', 'CN=Bücher'],
    ['', 'CN='],
    ['a\0b', 'CN=a\\00b'],
    ['a\r\nb', 'CN=a\\0d\\0ab'],
    ['\x1b[2J', 'CN=\\1b[2J'],
    ['\x9b2J', 'CN=\\c2\\9b2J'],
    ['a\u202eb', 'CN=a\\e2\\80\\aeb'],
    ['a\u2028b', 'CN=a\\e2\\80\\a8b'],
    ['\u{e0001}', 'CN=\\f3\\a0\\80\\81'],
  ])('writes the common name %j as %s', (commonName, text) => {
    const { subject } = crafted({ subject: name(commonName) })
    expect(String(subject)).toBe(text)
    expect(subject.commonName).toBe(commonName)
  })

  it('has the last common name as the most specific one', () => {
    const subject = read(
      sequence(set(pair('2.5.4.3', element(0x0c, utf8('a')))), set(pair('2.5.4.3', element(0x0c, utf8('b'))))),
    )
    expect(subject.commonName).toBe('b')
    expect(String(subject)).toBe('CN=b,CN=a')
  })

  it('writes what it does not know in numbers and hex', () => {
    expect(String(read(sequence(set(pair('1.2.3.4', bytes('02 01 05'))))))).toBe('1.2.3.4=\\#020105')
  })

  it.each([
    ['UTF8String', 0x0c, '42 c3 bc', 'Bü'],
    ['PrintableString', 0x13, '41 42', 'AB'],
    ['NumericString', 0x12, '31 32', '12'],
    ['IA5String', 0x16, '61 40 62', 'a@b'],
    ['VisibleString', 0x1a, '61', 'a'],
    ['TeletexString, as Latin-1', 0x14, '42 fc', 'Bü'],
    ['BMPString', 0x1e, '00 42 00 fc 20 ac', 'Bü€'],
    ['UniversalString', 0x1c, '00 00 00 42 00 01 f6 00', 'B😀'],
    ['an empty string', 0x0c, '', ''],
  ])('reads %s', (_, tag, value, text) => {
    expect(read(name(bytes(value), tag)).commonName).toBe(text)
  })

  it.each([
    ['text that is not UTF-8', name(bytes('c3'), 0x0c)],
    ['overlong UTF-8', name(bytes('c0 af'), 0x0c)],
    ['a surrogate in UTF-8', name(bytes('ed a0 80'), 0x0c)],
    ['half a character', name(bytes('00 42 00'), 0x1e)],
    ['a surrogate', name(bytes('d8 3d de 00'), 0x1e)],
    ['a character beyond Unicode', name(bytes('00 11 00 00'), 0x1c)],
    ['an empty set', sequence(set())],
    ['an attribute that is no pair', sequence(set(oid('2.5.4.3')))],
    ['an attribute without a value', sequence(set(sequence(oid('2.5.4.3'))))],
    ['an attribute with two values', sequence(set(sequence(oid('2.5.4.3'), utf8('\x0c\x00'), utf8('\x0c\x00'))))],
    ['an attribute outside of a set', sequence(pair('2.5.4.3', element(0x0c)))],
    ['an attribute without a type', sequence(set(sequence(element(0x0c), element(0x0c))))],
    ['a value with a tag of several octets', sequence(set(pair('2.5.4.3', bytes('1f 81 01 00'))))],
    ['a SET in place of the SEQUENCE', set()],
  ])('refuses %s, when asked', (_, subject) => {
    expect(() => read(subject)).toThrow(expect.objectContaining(MALFORMED))
  })

  it('keeps a byte order mark apart from nothing', () => {
    expect(read(name('\ufeffa')).commonName).toBe('\ufeffa')
  })
})

it('subject and issuer are self-issued only if they are the same octet by octet', () => {
  expect(crafted({ subject: name('a'), issuer: name('a') }).isSelfIssued).toBe(true)
  expect(crafted({ subject: name('a'), issuer: name('a', 0x13) }).isSelfIssued).toBe(false)
  expect(crafted({ subject: name('a'), issuer: name('A') }).isSelfIssued).toBe(false)
})
