import { describe, expect, it } from 'vitest'
import { Certificate } from '../../src/certificate/certificate.ts'
import { isCertificateValidForHostname } from '../../src/certificate/hostname.ts'
import {
  altNames,
  bytes,
  certificateFor,
  crafted,
  element,
  extension,
  name,
  oid,
  sequence,
  utf8,
} from '../support/crafted-certificates.ts'
import { vectorPem } from '../support/vectors.ts'

const MALFORMED = { name: 'CertificateError', code: 'ERR_TLACACOCA_CERTIFICATE_MALFORMED' }
const ip = (octets: string) => crafted({ extensions: [altNames([7, bytes(octets)])] })

const LABEL_63 = 'a'.repeat(63)

// The name in the certificate, the host that was meant, and whether the one covers the other.
describe('a DNS name', () => {
  it.each([
    // The same name in every spelling that is the same.
    ['example.org', 'example.org', true],
    ['EXAMPLE.org', 'example.org', true],
    ['example.org', 'Example.ORG', true],
    ['example.org', 'example.org.', true],
    ['example.org.', 'example.org', true],
    ['example.org.', 'example.org.', true],
    ['localhost', 'localhost', true],
    ['my_host.example', 'my_host.example', true],
    ['a.b.c.d.e.example', 'a.b.c.d.e.example', true],
    [`${LABEL_63}.example`, `${LABEL_63}.example`, true],
    ['1.example', '1.example', true],

    // Others.
    ['example.org', 'example.com', false],
    ['example.org', 'www.example.org', false],
    ['www.example.org', 'example.org', false],
    ['example.org', 'xample.org', false],
    ['example.org', 'eexample.org', false],
    ['example.org', 'example.org.evil.example', false],
    ['example.org', 'evil-example.org', false],
    ['org', 'example.org', false],
    ['', 'example.org', false],
    ['.', 'example.org', false],

    // A wildcard stands for one whole label, the left-most.
    ['*.example.org', 'www.example.org', true],
    ['*.EXAMPLE.org', 'WWW.example.ORG', true],
    ['*.example.org.', 'www.example.org', true],
    ['*.example.org', 'www.example.org.', true],
    ['*.a.b.example', 'x.a.b.example', true],
    ['*.example.org', '_x.example.org', true],
    ['*.example.org', 'xn--bcher-kva.example.org', true],
    ['*.example.org', 'example.org', false],
    ['*.example.org', 'a.b.example.org', false],
    ['*.example.org', '.example.org', false],
    ['*.example.org', 'www.example.com', false],
    ['*.example.org', 'wwwexample.org', false],
    ['*.example.org', 'www.example.org.evil.example', false],
    ['x.example.org', 'www.example.org', false],
    ['x.example.org', 'y.example.org', false],

    // Everything else with an asterisk matches nothing.
    ['*', 'localhost', false],
    ['*', 'example.org', false],
    ['*.', 'example.org', false],
    ['*t', 'localhost', false],
    ['*localhost', 'localhost', false],
    ['*.org', 'example.org', false],
    ['*.org.', 'example.org', false],
    ['*.localhost', 'a.localhost', false],
    ['*.*.org', 'www.example.org', false],
    ['*.*.example.org', 'a.b.example.org', false],
    ['**.example.org', 'www.example.org', false],
    ['w*.example.org', 'www.example.org', false],
    ['*w.example.org', 'www.example.org', false],
    ['*ww.example.org', 'www.example.org', false],
    ['*www.example.org', 'www.example.org', false],
    ['w*w.example.org', 'www.example.org', false],
    ['xn--*.example.org', 'xn--bcher-kva.example.org', false],
    ['www.*.org', 'www.example.org', false],
    ['www.example.*', 'www.example.org', false],
    ['*example.org', 'www.example.org', false],
    ['*example.org', 'example.org', false],
    ['.example.org', 'www.example.org', false],
    ['*..example.org', 'www.example.org', false],
    [' *.example.org', 'www.example.org', false],

    // International names: A-labels in the certificate, any spelling for the host.
    ['xn--bcher-kva.example', 'bücher.example', true],
    ['xn--bcher-kva.example', 'BÜCHER.example', true],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example', true],
    ['XN--BCHER-KVA.example', 'bücher.example', true],
    ['*.xn--bcher-kva.example', 'www.bücher.example', true],
    ['xn--bcher-kva.example', 'bücher。example', true],
    ['bücher.example', 'bücher.example', false],
    ['bücher.example', 'xn--bcher-kva.example', false],
    ['bucher.example', 'bücher.example', false],
    ['example.org', 'ｅxample.org', true],
    ['ｅxample.org', 'example.org', false],
    // U+212A lower-cases to "k".
    ['\u212aey.example', 'key.example', false],
    ['*.\u212aey.example', 'www.key.example', false],
    // Greek and Cyrillic letters that look Latin.
    ['example.org', 'exampIe.org', false],
    ['example.org', 'еxample.org', false],

    // Junk in the certificate.
    ['example.org\0.evil.example', 'example.org', false],
    ['example.org\0', 'example.org', false],
    ['\0example.org', 'example.org', false],
    ['example.org ', 'example.org', false],
    [' example.org', 'example.org', false],
    ['example.org\n', 'example.org', false],
    ['example.org..', 'example.org', false],
    ['.example.org', 'example.org', false],
    ['example.org:1965', 'example.org', false],
    ['gemini://example.org', 'example.org', false],
    ['example.org,www.example.org', 'www.example.org', false],
    ['e%78ample.org', 'example.org', false],

    // What is no host matches nothing, not even itself.
    ['example.org', '', false],
    ['example.org', '.', false],
    ['.example.org', '.example.org', false],
    ['example.org\0', 'example.org\0', false],
    ['example.org', 'example.org\0', false],
    ['example.org', 'example.org\0.evil.example', false],
    ['example.org', ' example.org', false],
    ['example.org', 'example.org:1965', false],
    ['example.org', 'user@example.org', false],
    ['example.org', 'gemini://example.org/', false],
    ['example.org', 'example..org', false],
    ['example.org', 'e%78ample.org', false],
    ['*.example.org', '*.example.org', false],
    ['*', '*', false],
    ['a..b', 'a..b', false],
    [`${LABEL_63}a.example`, `${LABEL_63}a.example`, false],

    // A DNS name says nothing about an address.
    ['192.0.2.1', '192.0.2.1', false],
    ['*.0.2.1', '192.0.2.1', false],
    ['*', '192.0.2.1', false],
    ['::1', '::1', false],
    ['[::1]', '[::1]', false],
    ['::1', '[::1]', false],
    ['0x7f.1', '0x7f.1', false],
    ['127.1', '127.1', false],
  ])('%j for %j: %s', (presented, host, expected) => {
    expect(isCertificateValidForHostname(certificateFor(presented), host)).toBe(expected)
  })

  it('is looked for among all names, whatever stands beside it', () => {
    const certificate = certificateFor('a\0b', '*', 'other.example', '*.example.org', 'bücher.example', 'example.org')
    expect(isCertificateValidForHostname(certificate, 'example.org')).toBe(true)
    expect(isCertificateValidForHostname(certificate, 'www.example.org')).toBe(true)
    expect(isCertificateValidForHostname(certificate, 'example.com')).toBe(false)
  })

  it('is found at the end of 60 kB of others', () => {
    const hosts = Array.from({ length: 3000 }, (_, index) => `host-${index}.example.org`)
    expect(isCertificateValidForHostname(certificateFor(...hosts), 'host-2999.example.org')).toBe(true)
    expect(isCertificateValidForHostname(certificateFor(...hosts), 'host-3000.example.org')).toBe(false)
  })

  it.each([
    ['an e-mail address', 1, 'example.org'],
    ['a URI', 6, 'gemini://example.org/'],
    ['a URI that is a host', 6, 'example.org'],
    ['an address with the octets of the name', 7, 'abcd'],
  ] as const)('is not %s', (_, tag, value) => {
    const certificate = crafted({ extensions: [altNames([tag, value])] })
    expect(isCertificateValidForHostname(certificate, 'example.org')).toBe(false)
    expect(isCertificateValidForHostname(certificate, 'abcd')).toBe(false)
  })
})

describe('an IP address', () => {
  it.each([
    ['c0 00 02 01', '192.0.2.1', true],
    ['c0 00 02 01', '192.0.2.2', false],
    // Octal to some: 192.0.2.1 as 0300.0.2.1. It is no address here.
    ['c0 00 02 01', '0300.0.2.1', false],
    ['c0 00 02 01', '192.0.513', false],
    ['c0 00 02 01', '192.0.2.01', false],
    ['c0 00 02 01', '192.0.2.1.', false],
    ['c0 00 02 01', '3221225985', false],
    ['c0 00 02 01', '::ffff:192.0.2.1', true],
    ['7f 00 00 01', 'localhost', false],
    ['20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01', '2001:db8::1', true],
    ['20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01', '2001:DB8:0:0:0:0:0:1', true],
    ['20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01', '[2001:db8::1]', true],
    ['20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01', '2001:db8::2', false],
    ['20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01', '2001:db8::1%eth0', false],
    ['00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01', '::1', true],
    ['00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01', '0.0.0.1', false],
    // The mapped form is another name than the IPv4 address, octet by octet.
    ['00 00 00 00 00 00 00 00 00 00 ff ff c0 00 02 01', '192.0.2.1', false],
    ['00 00 00 00 00 00 00 00 00 00 ff ff c0 00 02 01', '::ffff:192.0.2.1', false],
  ])('%s for %j: %s', (octets, host, expected) => {
    expect(isCertificateValidForHostname(ip(octets), host)).toBe(expected)
  })
})

describe('a common name', () => {
  const withoutNames = (subject: Uint8Array) => crafted({ subject, issuer: name('issuer.example') })
  const allow = { dangerouslyAllowCommonName: true }

  it('does not count', () => {
    expect(isCertificateValidForHostname(withoutNames(name('example.org')), 'example.org')).toBe(false)
    expect(isCertificateValidForHostname(vectorPem('version-1'), 'example.org')).toBe(false)
    expect(isCertificateValidForHostname(Certificate.from(vectorPem('misfin')), 'Mary Shelley')).toBe(false)
  })

  it.each([
    ['example.org', 'example.org', true],
    ['Example.org', 'example.ORG.', true],
    ['*.example.org', 'www.example.org', true],
    ['example.org', 'www.example.org', false],
    ['*.org', 'example.org', false],
    ['example.org\0.evil.example', 'example.org', false],
    ['192.0.2.1', '192.0.2.1', false],
    ['issuer.example', 'example.org', false],
  ])('counts if the caller insists: %j for %j: %s', (commonName, host, expected) => {
    expect(isCertificateValidForHostname(withoutNames(name(commonName)), host, allow)).toBe(expected)
  })

  it('counts beside extensions that hold no names', () => {
    const certificate = crafted({ subject: name('example.org'), extensions: [extension('2.5.29.19', bytes('30 00'))] })
    expect(isCertificateValidForHostname(certificate, 'example.org', allow)).toBe(true)
    expect(isCertificateValidForHostname(certificate, 'example.org')).toBe(false)
  })

  it('that is not there counts for nobody', () => {
    expect(isCertificateValidForHostname(withoutNames(sequence()), 'example.org', allow)).toBe(false)
    expect(isCertificateValidForHostname(withoutNames(sequence()), 'undefined', allow)).toBe(false)
  })

  it('does not count if there are two of them', () => {
    const pair = (text: string) => element(0x31, sequence(oid('2.5.4.3'), element(0x0c, utf8(text))))
    const certificate = withoutNames(sequence(pair('example.org'), pair('example.org')))
    expect(isCertificateValidForHostname(certificate, 'example.org', allow)).toBe(false)
  })

  it.each([
    ['another name', altNames([2, 'other.example'])],
    ['an address', altNames([7, bytes('c0 00 02 01')])],
    ['an e-mail address', altNames([1, 'a@example.org'])],
    ['an empty list', extension('2.5.29.17', bytes('30 00'))],
  ])('does not count beside alternative names with %s', (_, names) => {
    const certificate = crafted({ subject: name('example.org'), extensions: [names] })
    expect(isCertificateValidForHostname(certificate, 'example.org', allow)).toBe(false)
  })

  it('does not count by a truthy value that is not true', () => {
    const options = { dangerouslyAllowCommonName: 'no' as unknown as boolean }
    expect(isCertificateValidForHostname(withoutNames(name('example.org')), 'example.org', options)).toBe(false)
  })

  it('of an issuer never counts', () => {
    const certificate = crafted({ subject: name('other.example'), issuer: name('example.org') })
    expect(isCertificateValidForHostname(certificate, 'example.org', allow)).toBe(false)
  })
})

it('a certificate whose names cannot be read is an error, not a "no" that somebody overrides', () => {
  const broken = crafted({ extensions: [altNames([2, 'example.org'], [7, 'x'])] })
  expect(() => isCertificateValidForHostname(broken, 'example.org')).toThrow(expect.objectContaining(MALFORMED))
  const twice = crafted({ extensions: [altNames([2, 'example.org']), altNames([2, 'example.com'])] })
  expect(() => isCertificateValidForHostname(twice, 'example.org')).toThrow(expect.objectContaining(MALFORMED))
})

it('a host that is no text is a mistake of the caller', () => {
  for (const host of [undefined, ['example.org']] as unknown as string[]) {
    const misuse = () => isCertificateValidForHostname(vectorPem('p256'), host)
    expect(misuse).toThrow(TypeError)
    expect(misuse).toThrow(/^"host" expected a string/)
  }
})
