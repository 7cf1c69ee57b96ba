import { describe, expect, it } from 'vitest'
import { Certificate } from '../../src/certificate/certificate.ts'
import { parseCertificates } from '../../src/certificate/load.ts'
import { formatPem, parsePem } from '../../src/certificate/pem.ts'
import { openssl } from '../support/openssl.ts'
import { vectorPem } from '../support/vectors.ts'

const MALFORMED = { name: 'CertificateError', code: 'ERR_TLACACOCA_CERTIFICATE_MALFORMED' }
const PEM = vectorPem('example-org')
const OTHER = vectorPem('p256')
const LINES = PEM.trimEnd().split('\n')
const FINGERPRINT = Certificate.from(PEM).fingerprint
const KEY = '-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n'

/** The lines of the certificate with one of them changed. */
function withLine(index: number, change: (line: string) => string): string {
  return LINES.map((line, at) => (at === index ? change(line) : line)).join('\n')
}

describe('a PEM text with one certificate', () => {
  it.each([
    ['as it is', PEM],
    ['without a line end', PEM.trimEnd()],
    ['with CRLF', PEM.replaceAll('\n', '\r\n')],
    ['with CR', PEM.replaceAll('\n', '\r')],
    ['with a byte order mark', `\ufeff${PEM}`],
    ['with text before', `Subject: CN=example.org\n\n${PEM}`],
    ['with text after', `${PEM}\nthat is all\n`],
    ['with text that has dashes', `----- my certificate -----\n${PEM}`],
    ['with the text of openssl', openssl(['x509', '-text'], PEM)],
    ['with spaces at the ends of its lines', PEM.replaceAll('\n', ' \t\n')],
    ['in lines of 76', rewrap(76)],
    ['in one line', rewrap(10_000)],
    ['in lines of one', rewrap(1)],
    ['with the label of old', PEM.replaceAll('CERTIFICATE', 'X509 CERTIFICATE')],
    ['with the other label of old', PEM.replaceAll('CERTIFICATE', 'X.509 CERTIFICATE')],
  ])('is read %s', (_, text) => {
    expect(Certificate.from(text).fingerprint).toBe(FINGERPRINT)
    expect(Certificate.from(Buffer.from(text)).fingerprint).toBe(FINGERPRINT)
    expect(parseCertificates(text).map((each) => each.fingerprint)).toEqual([FINGERPRINT])
  })

  it.each([
    ['without its last line', LINES.slice(0, -1).join('\n')],
    ['without its first line', LINES.slice(1).join('\n')],
    ['with four dashes in front', withLine(0, (line) => line.slice(1))],
    ['with four dashes at the end', withLine(0, (line) => line.slice(0, -1))],
    ['with six dashes at the end', withLine(0, (line) => `${line}-`)],
    ['with four dashes before END', withLine(LINES.length - 1, (line) => line.slice(1))],
    ['with text on the line of BEGIN', withLine(0, (line) => `here: ${line}`)],
    ['with text after BEGIN', withLine(0, (line) => `${line} here`)],
    ['with a lower-case boundary', withLine(0, (line) => line.toLowerCase())],
    ['with an indent', PEM.replaceAll(/^/gm, '  ')],
    ['that ends with another label', withLine(LINES.length - 1, () => '-----END X509 CERTIFICATE-----')],
    ['that begins twice', [LINES[0], ...LINES].join('\n')],
    ['that ends twice', [...LINES, LINES.at(-1)].join('\n')],
    ['with an empty line inside', withLine(3, (line) => `${line}\n`)],
    ['with a letter that is not base64', withLine(3, (line) => `!${line.slice(1)}`)],
    ['with a letter more', withLine(3, (line) => `${line}A`)],
    ['with a letter less', withLine(3, (line) => line.slice(1))],
    ['with a space inside a line', withLine(3, (line) => `${line.slice(0, 9)} ${line.slice(9)}`)],
    ['with a comment inside', withLine(3, (line) => `${line}\n# here`)],
    ['with padding in the middle', withLine(3, (line) => `${line.slice(0, -1)}=`)],
    ['without its padding', PEM.replace('YM=\n', 'YM\n')],
    ['with bits left over', PEM.replace('YM=\n', 'YN=\n')],
    ['in base64url', PEM.replaceAll('+', '-').replaceAll('/', '_')],
    ['with a NUL', withLine(3, (line) => `${line.slice(0, 9)}\0${line.slice(10)}`)],
    ['with header lines', withLine(0, (line) => `${line}\nComment: hello\n`)],
    ['with nothing inside', '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n'],
    ['with a byte order mark in the middle', withLine(0, (line) => `hello\n\ufeff${line}`)],
    ["with OpenSSL's notes on trust", PEM.replaceAll('CERTIFICATE', 'TRUSTED CERTIFICATE')],
    ['that is said to be another thing', PEM.replaceAll('CERTIFICATE', 'PKCS7')],
    ['in UTF-16', Buffer.from(PEM, 'utf16le').toString('latin1')],
  ])('is refused %s', (_, text) => {
    expect(() => Certificate.from(text)).toThrow(expect.objectContaining(MALFORMED))
    expect(() => parseCertificates(text)).toThrow(expect.objectContaining(MALFORMED))
  })

  function rewrap(width: number): string {
    const body = LINES.slice(1, -1).join('')
    return [LINES[0], ...(body.match(new RegExp(`.{1,${width}}`, 'g')) ?? []), LINES.at(-1)].join('\n')
  }
})

describe('a PEM text with several blocks', () => {
  it('gives its certificates in order to parseCertificates, and none to Certificate.from', () => {
    const text = `first\n${PEM}second\n${OTHER}the end`
    expect(parseCertificates(text).map((each) => each.fingerprint)).toEqual([
      FINGERPRINT,
      Certificate.from(OTHER).fingerprint,
    ])
    expect(() => Certificate.from(text)).toThrow(/holds 2 of them/)
  })

  it.each([
    ['a private key after it', PEM + KEY],
    ['a private key before it', KEY + PEM],
    ['an RSA key', PEM + KEY.replaceAll('PRIVATE', 'RSA PRIVATE')],
    ['an encrypted key', PEM + KEY.replaceAll('PRIVATE', 'ENCRYPTED PRIVATE')],
    ['a private key alone', KEY],
  ])('is refused with %s, which belongs elsewhere', (_, text) => {
    expect(() => Certificate.from(text)).toThrow(/private key/)
    expect(() => parseCertificates(text)).toThrow(/private key/)
  })

  it.each(['DH PARAMETERS', 'EC PARAMETERS', 'X509 CRL', 'CERTIFICATE REQUEST', 'PUBLIC KEY'])(
    'is refused with a block %s',
    (label) => {
      const text = PEM + formatPem(label, Buffer.from('0000', 'hex'))
      expect(() => Certificate.from(text)).toThrow(expect.objectContaining(MALFORMED))
      expect(() => parseCertificates(text)).toThrow(expect.objectContaining(MALFORMED))
    },
  )

  it('is refused if one of its certificates is none', () => {
    const broken = formatPem('CERTIFICATE', Buffer.from('3000', 'hex'))
    expect(() => parseCertificates(PEM + broken)).toThrow(expect.objectContaining(MALFORMED))
  })

  it('is refused without any', () => {
    expect(() => parseCertificates('nothing here')).toThrow(expect.objectContaining(MALFORMED))
    expect(() => parseCertificates('')).toThrow(expect.objectContaining(MALFORMED))
  })

  it('does not show the lines of a broken key in its message', () => {
    const secret = 'c2VjcmV0IQ'
    const text = `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----\n`
    expect(() => parsePem(text)).toThrow(expect.objectContaining({ message: expect.not.stringContaining(secret) }))
  })
})

it('reads the header lines of an old private key', () => {
  const text =
    '-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: X,00\n\nMAA=\n-----END RSA PRIVATE KEY-----'
  expect(parsePem(text)).toEqual([
    { label: 'RSA PRIVATE KEY', headers: ['Proc-Type: 4,ENCRYPTED', 'DEK-Info: X,00'], der: new Uint8Array([0x30, 0]) },
  ])
})

// A pattern that backtracks would take minutes for each of these, and the test would not end in time.
it.each([
  ['spaces', ' '.repeat(1_000_000)],
  ['spaces and a letter', `${' '.repeat(1_000_000)}x`],
  ['dashes', '-'.repeat(1_000_000)],
  ['a boundary without an end', `-----BEGIN ${'A '.repeat(500_000)}`],
  ['a header without an end', `-----BEGIN X-----\n${'a-'.repeat(500_000)}`],
  ['empty lines', '\n'.repeat(1_000_000)],
])('reads a megabyte of %s in no time', (_, text) => {
  expect(() => parseCertificates(text)).toThrow(expect.objectContaining(MALFORMED))
})
