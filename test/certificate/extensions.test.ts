import { describe, expect, it } from 'vitest'
import { Certificate } from '../../src/certificate/certificate.ts'
import {
  type AltName,
  altNames,
  bytes,
  crafted,
  element,
  extension,
  oid,
  sequence,
} from '../support/crafted-certificates.ts'
import { vectorPem } from '../support/vectors.ts'

const MALFORMED = { name: 'CertificateError', code: 'ERR_TLACACOCA_CERTIFICATE_MALFORMED' }

const withExtension = (id: string, value: Uint8Array) => crafted({ extensions: [extension(id, value)] })
const withNames = (...names: readonly AltName[]) => crafted({ extensions: [altNames(...names)] })

describe('an authority', () => {
  const certificate = Certificate.from(vectorPem('authority'))

  it('says what it may do', () => {
    expect(certificate.isCA).toBe(true)
    expect(certificate.pathLength).toBe(3)
    expect(certificate.keyUsage).toEqual(['keyCertSign', 'cRLSign', 'decipherOnly'])
    expect(certificate.extendedKeyUsage).toEqual(['serverAuth', 'clientAuth', '1.2.3.4'])
    expect(certificate.subjectKeyIdentifier).toMatch(/^[0-9a-f]{40}$/)
    expect(certificate.authorityKeyIdentifier).toBe(certificate.subjectKeyIdentifier)
  })

  it('has its extensions in order, with what is critical', () => {
    expect(certificate.extensions.map(({ oid, critical }) => [oid, critical])).toEqual([
      ['2.5.29.19', true],
      ['2.5.29.15', true],
      ['2.5.29.37', false],
      ['2.5.29.14', false],
      ['2.5.29.35', false],
    ])
  })
})

describe('the list of extensions', () => {
  it.each([
    ['2.5.29.19', '2.5.29.19'],
    ['1.2.3.4', '1.2.3.4'],
  ])('is malformed if %s is there twice, while the fingerprint stays', (one, two) => {
    const certificate = crafted({
      extensions: [extension(one, bytes('30 00')), extension(two, bytes('30 03 01 01 ff'))],
    })
    expect(() => certificate.extensions).toThrow(/is there twice/)
    expect(() => certificate.isCA).toThrow(expect.objectContaining(MALFORMED))
    expect(() => certificate.subjectAltNames).toThrow(expect.objectContaining(MALFORMED))
    expect(certificate.fingerprint).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(certificate.notAfter.getUTCFullYear()).toBe(2035)
  })

  it('takes an explicit FALSE for the mark that is left out', () => {
    const [only] = crafted({ extensions: [extension('1.2.3', bytes('05 00'), bytes('01 01 00'))] }).extensions
    expect(only).toMatchObject({ oid: '1.2.3', critical: false })
  })

  it.each([
    ['a mark that is BER', extension('1.2.3', bytes('05 00'), bytes('01 01 01'))],
    ['a mark of two octets', extension('1.2.3', bytes('05 00'), bytes('01 02 ff ff'))],
    ['two marks', extension('1.2.3', bytes('05 00'), bytes('01 01 ff 01 01 ff'))],
    ['no value', sequence(oid('1.2.3'))],
    ['a value of another type', sequence(oid('1.2.3'), bytes('03 01 00'))],
    ['something after the value', sequence(oid('1.2.3'), bytes('04 00 05 00'))],
    ['no identifier', sequence(bytes('04 00'))],
    ['another type of extension', bytes('31 00')],
  ])('is malformed with %s', (_, broken) => {
    expect(() => crafted({ extensions: [broken] }).extensions).toThrow(expect.objectContaining(MALFORMED))
  })
})

describe('alternative names', () => {
  it('are read by kind, and unknown kinds are left out', () => {
    expect(Certificate.from(vectorPem('names')).subjectAltNames).toEqual({
      dns: ['example.org', '*.Example.org'],
      ip: ['192.0.2.1', '2001:db8::1'],
      email: ['mail@example.org'],
      uri: ['gemini://example.org/'],
    })
  })

  it('cannot be changed by whoever gets them', () => {
    const { subjectAltNames } = Certificate.from(vectorPem('names'))
    expect(() => (subjectAltNames.dns as string[]).push('evil.example')).toThrow(TypeError)
  })

  it('are read when there are 60 kB of them', () => {
    const hosts = Array.from({ length: 3000 }, (_, index) => `host-${index}.example.org`)
    const certificate = withNames(...hosts.map((host) => [2, host] as const))
    expect(certificate.der.length).toBeGreaterThan(60_000)
    expect(certificate.subjectAltNames.dns).toEqual(hosts)
  })

  it.each([
    ['a NUL', 'example.org\0.evil.example'],
    ['a line end', 'example.org\n'],
    ['UTF-8', 'bücher.example'],
    ['a comma, which Node quotes', 'a.example, DNS:b.example'],
    ['nothing', ''],
  ])('are given as they stand, with %s', (_, host) => {
    expect(withNames([2, host]).subjectAltNames.dns).toEqual([host])
  })

  it.each([
    ['00 00 00 00', '0.0.0.0'],
    ['ff ff ff ff', '255.255.255.255'],
    ['00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00', '::'],
    ['20 01 0d b8 00 00 00 01 00 00 00 00 00 00 00 01', '2001:db8:0:1::1'],
    // Not an IPv4 address: these sixteen octets are another name than those four.
    ['00 00 00 00 00 00 00 00 00 00 ff ff c0 00 02 01', '::ffff:c000:201'],
  ])('have the address %s as %s', (octets, text) => {
    expect(withNames([7, bytes(octets)]).subjectAltNames.ip).toEqual([text])
  })

  it.each([
    ['an address of no octets', [7, bytes('')]],
    ['an address of three octets', [7, bytes('c0 00 02')]],
    ['an address with a mask', [7, bytes('c0 00 02 00 ff ff ff 00')]],
    ['an address as text', [7, '192.0.2.1']],
    ['a host name that is not UTF-8', [2, bytes('62 fc 63 68 65 72')]],
    ['a URI that is not UTF-8', [6, bytes('ff')]],
    ['an e-mail address that is not UTF-8', [1, bytes('ff')]],
  ] as const)('are malformed with %s', (_, broken) => {
    const certificate = withNames(broken)
    expect(() => certificate.subjectAltNames).toThrow(expect.objectContaining(MALFORMED))
  })

  it.each([
    ['another type', bytes('31 00')],
    ['something after them', bytes('30 00 05 00')],
    ['nothing', bytes('')],
    ['a name that is cut short', bytes('30 02 82 05')],
  ])('are malformed as %s', (_, value) => {
    expect(() => withExtension('2.5.29.17', value).subjectAltNames).toThrow(expect.objectContaining(MALFORMED))
  })
})

describe('basic constraints', () => {
  it.each([
    ['30 00', false, null],
    ['30 03 01 01 ff', true, null],
    ['30 03 01 01 00', false, null],
    ['30 06 01 01 ff 02 01 00', true, 0],
    ['30 07 01 01 ff 02 02 00 ff', true, 255],
  ])('%s: authority %s, path length %s', (value, isCA, pathLength) => {
    expect(withExtension('2.5.29.19', bytes(value))).toMatchObject({ isCA, pathLength })
  })

  it.each([
    ['TRUE in BER', '30 03 01 01 01'],
    ['a negative path length', '30 06 01 01 ff 02 01 ff'],
    ['a padded path length', '30 07 01 01 ff 02 02 00 00'],
    ['a path length past all bounds', '30 0a 01 01 ff 02 05 01 00 00 00 00'],
    ['the parts in the wrong order', '30 06 02 01 00 01 01 ff'],
    ['a third part', '30 08 01 01 ff 02 01 00 05 00'],
    ['nothing', ''],
  ])('are malformed as %s, and never read as "no authority"', (_, value) => {
    const certificate = withExtension('2.5.29.19', bytes(value))
    expect(() => certificate.isCA).toThrow(expect.objectContaining(MALFORMED))
    expect(() => certificate.pathLength).toThrow(expect.objectContaining(MALFORMED))
  })
})

describe('key usage', () => {
  it.each([
    ['03 02 07 80', ['digitalSignature']],
    ['03 02 00 80', ['digitalSignature']],
    ['03 02 02 04', ['keyCertSign']],
    ['03 03 07 00 80', ['decipherOnly']],
    ['03 01 00', []],
    // A tenth bit has no name.
    ['03 03 06 80 40', ['digitalSignature']],
  ])('%s is %j', (value, usages) => {
    expect(withExtension('2.5.29.15', bytes(value)).keyUsage).toEqual(usages)
  })

  it.each(['', '03 00', '03 02 08 80', '03 02 07 81', '04 02 07 80', '03 02 07 80 00'])('%s is malformed', (value) => {
    expect(() => withExtension('2.5.29.15', bytes(value)).keyUsage).toThrow(expect.objectContaining(MALFORMED))
  })

  it('is null without the extension, which is another thing than none', () => {
    expect(crafted().keyUsage).toBeNull()
    expect(crafted().extendedKeyUsage).toBeNull()
  })
})

describe('extended key usage', () => {
  it.each(['30 00', '', '06 01 2a', '30 02 04 00', '30 03 06 01 2a 00'])('%s is malformed', (value) => {
    expect(() => withExtension('2.5.29.37', bytes(value)).extendedKeyUsage).toThrow(expect.objectContaining(MALFORMED))
  })

  it('names any purpose', () => {
    expect(withExtension('2.5.29.37', sequence(oid('2.5.29.37.0'))).extendedKeyUsage).toEqual(['anyExtendedKeyUsage'])
  })
})

describe('key identifiers', () => {
  it('are null where there are none', () => {
    expect(crafted()).toMatchObject({ subjectKeyIdentifier: null, authorityKeyIdentifier: null })
  })

  it('are null where the issuer is named otherwise', () => {
    expect(withExtension('2.5.29.35', sequence(element(0x82, bytes('01')))).authorityKeyIdentifier).toBeNull()
  })

  it.each(['', '30 00', '04 02 ff'])('are malformed as %s', (value) => {
    expect(() => withExtension('2.5.29.14', bytes(value)).subjectKeyIdentifier).toThrow(
      expect.objectContaining(MALFORMED),
    )
  })
})
