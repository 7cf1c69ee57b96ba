import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  type Fingerprint,
  type FingerprintStyle,
  fingerprintSubject,
  formatFingerprint,
  isFingerprint,
  parseFingerprint,
} from '../../src/certificate/fingerprint.ts'

// All of one certificate, example-org.pem among the vectors.
const HEX = '146a4b2771b2a200f058d0e516baf6f824f1913f1050ad2d711185826533a257'
const COLONS = HEX.match(/../g)?.join(':') ?? ''
const BASE64 = 'FGpLJ3GyogDwWNDlFrr2+CTxkT8QUK0tcRGFgmUzolc='
const SHA512_COLONS =
  '1E:59:68:8E:10:86:B6:E5:B2:9A:3C:F3:F4:20:C5:A3:18:87:8C:7B:3C:B7:4F:B8:B4:18:A1:B4:59:59:56:9D:3D:53:8A:98:61:B7:58:0C:45:25:27:98:5A:E8:73:2E:64:90:8D:F5:F0:9D:68:30:63:49:0A:33:70:19:E3:BF'
const SHA512_HEX = SHA512_COLONS.replaceAll(':', '').toLowerCase()
const SHA512_BASE64 = Buffer.from(SHA512_HEX, 'hex').toString('base64')
const SHA1_COLONS = '2F:AB:7D:5A:F5:5E:F5:7C:52:03:73:D1:5A:FA:B0:47:13:73:0A:59'
const SPKI_HEX = 'd9a58b8f8208aa121b737a8ed2df5ff8b3fa2491710973af80f69d9a26626261'

const INVALID = { name: 'InvalidNameError', code: 'ERR_TLACACOCA_FINGERPRINT_INVALID' }

describe('parseFingerprint', () => {
  it.each([
    ['canonical', `sha256:${HEX}`],
    ['hex', HEX],
    ['upper-case hex', HEX.toUpperCase()],
    ['hex in both cases', HEX.replaceAll('a', 'A')],
    ['colons', COLONS],
    ['upper-case colons', COLONS.toUpperCase()],
    ['Telescope and gmid', `SHA256:${HEX}`],
    ['jetforce and gmnisrv', `SHA256:${HEX.toUpperCase()}`],
    ['colons after a prefix', `sha256:${COLONS}`],
    ['gmni', `SHA-256 ${COLONS.toUpperCase()}`],
    ['with a hyphen and a colon', `sha-256:${HEX}`],
    ['openssl x509 -fingerprint', `sha256 Fingerprint=${COLONS.toUpperCase()}`],
    ['openssl 1.1 x509 -fingerprint', `SHA256 Fingerprint=${COLONS.toUpperCase()}`],
    ['go-gemini', `sha256 ${BASE64}`],
    ['base64', BASE64],
    ['base64 without padding', BASE64.slice(0, -1)],
    ['base64url', BASE64.replace('+', '-')],
    ['base64url without padding', BASE64.slice(0, -1).replace('+', '-')],
    ['OpenSSH', `SHA256:${BASE64.slice(0, -1)}`],
  ])('reads %s', (_, text) => {
    expect(parseFingerprint(text)).toBe(`sha256:${HEX}`)
    expect(parseFingerprint(text, { of: 'certificate' })).toBe(`sha256:${HEX}`)
  })

  it.each([
    `sha512:${SHA512_HEX}`,
    SHA512_HEX,
    SHA512_HEX.toUpperCase(),
    SHA512_COLONS,
    `SHA-512 ${SHA512_COLONS}`,
    `SHA512:${SHA512_HEX}`,
    SHA512_BASE64,
    SHA512_BASE64.replaceAll('=', ''),
    SHA512_BASE64.replaceAll('+', '-').replaceAll('/', '_'),
    `SHA512:${SHA512_BASE64.replaceAll('=', '')}`,
  ])('reads SHA-512 as %s', (text) => {
    expect(parseFingerprint(text)).toBe(`sha512:${SHA512_HEX}`)
  })

  it.each([`spki-sha256:${SPKI_HEX}`, `SPKI-SHA256:${SPKI_HEX.toUpperCase()}`, `spki-sha-256:${SPKI_HEX}`])(
    'knows the fingerprint of a public key by its prefix: %s',
    (text) => {
      expect(parseFingerprint(text)).toBe(`spki-sha256:${SPKI_HEX}`)
      expect(parseFingerprint(text, { of: 'public-key' })).toBe(`spki-sha256:${SPKI_HEX}`)
    },
  )

  it.each([SPKI_HEX, `sha256:${SPKI_HEX}`, `SHA256:${SPKI_HEX}`, SPKI_HEX.toUpperCase()])(
    'takes %s for one of a public key when told so',
    (text) => {
      expect(parseFingerprint(text, { of: 'public-key' })).toBe(`spki-sha256:${SPKI_HEX}`)
    },
  )

  it('refuses that of a public key where one of a certificate is wanted', () => {
    expect(() => parseFingerprint(`spki-sha256:${SPKI_HEX}`, { of: 'certificate' })).toThrow(
      expect.objectContaining(INVALID),
    )
  })

  it('says of SHA-1 that it is SHA-1', () => {
    const hex = SHA1_COLONS.replaceAll(':', '')
    const base64 = Buffer.from(hex, 'hex').toString('base64')
    for (const text of [
      hex,
      hex.toLowerCase(),
      SHA1_COLONS,
      base64,
      `sha1:${hex}`,
      `SHA1 Fingerprint=${SHA1_COLONS}`,
    ]) {
      expect(() => parseFingerprint(text)).toThrow(expect.objectContaining(INVALID))
      expect(() => parseFingerprint(text)).toThrow(/SHA-1 is not accepted/)
    }
  })

  it.each([
    ['nothing', ''],
    ['an unknown algorithm', `md5:${HEX.slice(0, 32)}`],
    ['MD5 by its length', HEX.slice(0, 32)],
    ['SHA-384', `sha384:${SHA512_HEX.slice(0, 96)}`],
    ['SHA-384 by its length', SHA512_HEX.slice(0, 96)],
    ['SHA-224', `sha224:${HEX.slice(0, 56)}`],
    ['SHA3', `sha3-256:${HEX}`],
    ['SHA-2560', `sha2560:${HEX}`],
    ['SHA-512 of a public key', `spki-sha512:${SHA512_HEX}`],
    ['a prefix that does not fit', `sha512:${HEX}`],
    ['the other way round', `sha256:${SHA512_HEX}`],
    ['a prefix alone', 'sha256:'],
    ['two prefixes', `sha256:sha256:${HEX}`],
    ['a digit less', HEX.slice(1)],
    ['a digit more', `${HEX}0`],
    ['a letter that is no digit', HEX.replace('a', 'g')],
    ['a space in front', ` ${HEX}`],
    ['a line end', `${HEX}\n`],
    ['a line end after the canonical text', `sha256:${HEX}\n`],
    ['a NUL', `${HEX.slice(0, -1)}\0`],
    ['two spaces after the algorithm', `SHA-256  ${HEX}`],
    ['a colon in the wrong place', COLONS.replace('4:6', '46:')],
    ['one colon less', COLONS.replace(':', '')],
    ['a colon at the end', `${COLONS}:`],
    ['colons and hyphens', COLONS.replace(':', '-')],
    ['base64 of 31 octets', BASE64.slice(0, -4)],
    ['base64 with junk', `${BASE64.slice(0, 20)}!${BASE64.slice(20)}`],
    ['base64 with a space', `${BASE64.slice(0, 20)} ${BASE64.slice(20)}`],
    ['base64 with bits left over', BASE64.replace('lc=', 'ld=')],
    ['base64 with too much padding', `${BASE64}=`],
    ['base64 with half its padding', SHA512_BASE64.slice(0, -1)],
    ['base64 of both alphabets', `${BASE64.slice(0, 3)}_${BASE64.slice(4)}`],
    ['digits that look like ASCII', HEX.replace('1', '１')],
    ['a long s, which lower-cases to s', `ſha256:${HEX}`],
  ])('refuses %s', (_, text) => {
    expect(() => parseFingerprint(text)).toThrow(expect.objectContaining(INVALID))
  })

  it('looks at no more than a few hundred characters', () => {
    expect(() => parseFingerprint('a'.repeat(10_000_000))).toThrow(/too long/)
  })

  it('throws a TypeError for what is no text, or no such option', () => {
    expect(() => parseFingerprint(undefined as unknown as string)).toThrow(TypeError)
    expect(() => parseFingerprint(Buffer.from(HEX, 'hex') as unknown as string)).toThrow(TypeError)
    expect(() => parseFingerprint(HEX, { of: 'key' as 'certificate' })).toThrow(TypeError)
  })
})

describe('isFingerprint', () => {
  it.each([`sha256:${HEX}`, `sha512:${SHA512_HEX}`, `spki-sha256:${SPKI_HEX}`])('knows %s', (text) => {
    expect(isFingerprint(text)).toBe(true)
    expect(parseFingerprint(text)).toBe(text)
  })

  it.each([
    HEX,
    `SHA256:${HEX}`,
    `sha256:${HEX.toUpperCase()}`,
    `sha256:${HEX}\n`,
    `spki-sha512:${SHA512_HEX}`,
    '',
    null,
    5,
  ])('does not take %j for canonical', (value) => {
    expect(isFingerprint(value)).toBe(false)
  })
})

describe('formatFingerprint', () => {
  const fingerprint = parseFingerprint(HEX)

  it.each<[FingerprintStyle, string]>([
    ['canonical', `sha256:${HEX}`],
    ['hex', HEX],
    ['hex-upper', HEX.toUpperCase()],
    ['colons', COLONS.toUpperCase()],
    ['colons-lower', COLONS],
    ['prefixed', `SHA256:${HEX}`],
    ['prefixed-upper', `SHA256:${HEX.toUpperCase()}`],
    ['labelled', `SHA-256 ${COLONS.toUpperCase()}`],
    ['openssl', `sha256 Fingerprint=${COLONS.toUpperCase()}`],
    ['base64', BASE64],
    ['base64url', BASE64.replace('+', '-')],
    ['base64url-unpadded', BASE64.slice(0, -1).replace('+', '-')],
    ['openssh', `SHA256:${BASE64.slice(0, -1)}`],
  ])('writes %s', (style, expected) => {
    expect(formatFingerprint(fingerprint, style)).toBe(expected)
  })

  it('writes SHA-512 and public keys too', () => {
    const sha512 = parseFingerprint(SHA512_HEX)
    expect(formatFingerprint(sha512, 'labelled')).toBe(`SHA-512 ${SHA512_COLONS}`)
    expect(formatFingerprint(sha512, 'openssh')).toBe(`SHA512:${SHA512_BASE64.replaceAll('=', '')}`)
    expect(formatFingerprint(parseFingerprint(`spki-sha256:${SPKI_HEX}`), 'hex-upper')).toBe(SPKI_HEX.toUpperCase())
  })

  it('takes canonical text only, and styles that exist', () => {
    expect(() => formatFingerprint(HEX as Fingerprint, 'hex')).toThrow(TypeError)
    expect(() => formatFingerprint(fingerprint, 'sha1' as 'hex')).toThrow(TypeError)
  })
})

it('a fingerprint says what it is the hash of', () => {
  expect(fingerprintSubject(parseFingerprint(HEX))).toBe('certificate')
  expect(fingerprintSubject(parseFingerprint(SHA512_HEX))).toBe('certificate')
  expect(fingerprintSubject(parseFingerprint(HEX, { of: 'public-key' }))).toBe('public-key')
})

it('64 hex digits are hex, although they are base64 of 48 octets as well', () => {
  const digest = createHash('sha384').update('x').digest()
  expect(digest.toString('base64')).toHaveLength(64)
  expect(() => parseFingerprint(digest.toString('base64'))).toThrow(expect.objectContaining(INVALID))
  expect(parseFingerprint('0'.repeat(64))).toBe(`sha256:${'0'.repeat(64)}`)
})
