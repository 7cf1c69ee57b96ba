import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  type Fingerprint,
  type FingerprintStyle,
  fingerprintSubject,
  formatFingerprint,
  isFingerprint,
  parseFingerprint,
} from '../../src/certificate/fingerprint.ts'
import { InvalidNameError } from '../../src/errors.ts'

const digits = (octets: number) =>
  fc.uint8Array({ minLength: octets, maxLength: octets }).map((bytes) => Buffer.from(bytes).toString('hex'))

const fingerprint: fc.Arbitrary<Fingerprint> = fc
  .oneof(
    digits(32).map((hex) => `sha256:${hex}`),
    digits(64).map((hex) => `sha512:${hex}`),
    digits(32).map((hex) => `spki-sha256:${hex}`),
  )
  .map((text) => parseFingerprint(text))

const style = fc.constantFrom<FingerprintStyle[]>(
  'canonical',
  'hex',
  'hex-upper',
  'colons',
  'colons-lower',
  'prefixed',
  'prefixed-upper',
  'labelled',
  'openssl',
  'base64',
  'base64url',
  'base64url-unpadded',
  'openssh',
)

it('every fingerprint is read back from every style, if it is told what it is of', () => {
  fc.assert(
    fc.property(fingerprint, style, (original, as) => {
      const written = formatFingerprint(original, as)
      expect(parseFingerprint(written, { of: fingerprintSubject(original) })).toBe(original)
      if (as === 'canonical') expect(parseFingerprint(written)).toBe(original)
    }),
    { numRuns: 5000 },
  )
})

it('what is read is canonical, and reading it again changes nothing', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEF:+/-_= sha256HASPKI'), maxLength: 200 }),
    fc
      .tuple(fingerprint, style, fc.nat(), fc.string({ unit: 'binary-ascii', maxLength: 2 }))
      .map(([original, as, at, junk]) => {
        const written = formatFingerprint(original, as)
        const cut = at % (written.length + 1)
        return written.slice(0, cut) + junk + written.slice(cut + 1)
      }),
  )
  fc.assert(
    fc.property(text, fc.constantFrom(undefined, 'certificate' as const, 'public-key' as const), (candidate, of) => {
      let read: Fingerprint
      try {
        read = parseFingerprint(candidate, of === undefined ? {} : { of })
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidNameError)
        return
      }
      expect(isFingerprint(read)).toBe(true)
      expect(parseFingerprint(read)).toBe(read)
    }),
    { numRuns: 10_000 },
  )
})

it('one character more, less or other never reads as the same fingerprint, unless it is another spelling of it', () => {
  const exact = fc.constantFrom<FingerprintStyle[]>('canonical', 'hex', 'base64url-unpadded')
  const character = fc.constantFrom('0', '9', 'a', 'F', 'z', 'Z', '+', '_', ':', ' ', '\n', '\0')
  fc.assert(
    fc.property(fingerprint, exact, fc.nat(), character, (original, as, at, other) => {
      const written = formatFingerprint(original, as)
      const index = at % written.length
      const spelling = (text: string) =>
        as === 'base64url-unpadded' ? text.replaceAll('+', '-') : text.toLowerCase().replace(' ', ':')
      for (const changed of [
        written.slice(0, index) + other + written.slice(index),
        written + other,
        written.slice(0, index) + written.slice(index + 1),
        written.slice(0, index) + other + written.slice(index + 1),
      ]) {
        let read: Fingerprint
        try {
          read = parseFingerprint(changed, { of: fingerprintSubject(original) })
        } catch {
          continue
        }
        expect(read === original).toBe(spelling(changed) === spelling(written))
      }
    }),
    { numRuns: 5000 },
  )
})
