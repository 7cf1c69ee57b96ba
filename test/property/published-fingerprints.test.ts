import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  type Fingerprint,
  fingerprintSubject,
  isFingerprint,
  parseFingerprint,
} from '../../src/certificate/fingerprint.ts'
import { drawFingerprint } from '../../src/certificate/fingerprint-drawing.ts'
import { fingerprintToQrText, parseFingerprintQrText } from '../../src/certificate/fingerprint-qr.ts'
import { fingerprintToTlsaRecord, parseTlsaRecord } from '../../src/certificate/fingerprint-tlsa.ts'
import { fingerprintToWords, parseFingerprintWords } from '../../src/certificate/fingerprint-words.ts'
import { InvalidNameError } from '../../src/errors.ts'
import { type Endpoint, endpointFrom } from '../../src/names/endpoint.ts'

const digest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'))
const fingerprint: fc.Arbitrary<Fingerprint> = fc
  .tuple(fc.constantFrom('sha256:', 'spki-sha256:'), digest)
  .map(([kind, hex]) => parseFingerprint(kind + hex))

const label = fc.stringMatching(/^[a-z_](?:[a-z0-9_-]{0,8}[a-z0-9_])?$/)
const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'))
const port = fc.integer({ min: 1, max: 65535 })
const endpointOf = (host: fc.Arbitrary<string>): fc.Arbitrary<Endpoint> =>
  fc
    .tuple(host, port)
    // Some of these are no A-labels although they begin like one.
    .filter(([text]) => !/(?:^|\.)xn--/.test(text))
    .map(([text, number]) => endpointFrom(text, number))
const named = endpointOf(name)
const any = endpointOf(fc.oneof(name, fc.ipV4(), fc.ipV6()))

it('every fingerprint is read back from its words, however they are spaced and in whatever case', () => {
  const separator = fc.constantFrom(' ', '\n', '\t', ', ', '-', ' \r\n', '; ')
  const spelling = fc.constantFrom(
    (word: string) => word,
    (word: string) => word.toLowerCase(),
    (word: string) => word.toUpperCase(),
  )
  fc.assert(
    fc.property(fingerprint, fc.array(separator, { minLength: 33, maxLength: 33 }), spelling, (original, gaps, as) => {
      const words = fingerprintToWords(original).split(' ')
      const typed = words.map((word, at) => as(word) + gaps[at]).join('')
      expect(parseFingerprintWords(typed)).toBe(original)
      const subject = fingerprintSubject(original)
      const unlabelled = typed.replace(/^\w+/, '')
      expect(parseFingerprintWords(typed, { of: subject })).toBe(original)
      expect(parseFingerprintWords(unlabelled, { of: subject })).toBe(original)
      const other = subject === 'certificate' ? 'public-key' : 'certificate'
      expect(() => parseFingerprintWords(typed, { of: other })).toThrow(InvalidNameError)
      expect(() => parseFingerprintWords(unlabelled)).toThrow(InvalidNameError)
    }),
  )
})

it('words of which one is missing, said twice or exchanged with a neighbour are never read', () => {
  fc.assert(
    fc.property(fingerprint, fc.integer({ min: 0, max: 31 }), (original, at) => {
      const [kind = '', ...words] = fingerprintToWords(original).split(' ')
      const without = words.toSpliced(at, 1)
      const twice = words.toSpliced(at, 0, words[at] ?? '')
      const next = (at + 1) % 32
      const exchanged = words.map((word, place) => (place === at ? words[next] : place === next ? words[at] : word))
      for (const broken of [without, twice, exchanged]) {
        expect(() => parseFingerprintWords([kind, ...broken].join(' '))).toThrow(InvalidNameError)
      }
    }),
  )
})

it('every fingerprint of every server is read back from its QR text, in capitals and not', () => {
  fc.assert(
    fc.property(any, fingerprint, (endpoint, original) => {
      const text = fingerprintToQrText(endpoint, original)
      expect(text).toMatch(/^[0-9A-Z $%*+./:-]+$/)
      for (const read of [parseFingerprintQrText(text), parseFingerprintQrText(text.toLowerCase())]) {
        expect(read.endpoint.equals(endpoint)).toBe(true)
        expect(read.fingerprint).toBe(original)
      }
    }),
  )
})

it('every fingerprint of every named server is read back from its TLSA record', () => {
  fc.assert(
    fc.property(named, fingerprint, fc.option(fc.integer({ min: 0, max: 2 ** 31 - 1 })), (endpoint, original, ttl) => {
      const options = ttl === null ? {} : { ttlSeconds: ttl }
      const read = parseTlsaRecord(fingerprintToTlsaRecord(endpoint, original, options))
      expect(read.endpoint.equals(endpoint)).toBe(true)
      expect(read.fingerprint).toBe(original)
    }),
  )
})

it('every fingerprint has a drawing with one start or end, and no other characters than OpenSSH has', () => {
  fc.assert(
    fc.property(fingerprint, (original) => {
      const rows = drawFingerprint(original).split('\n').slice(1, -1)
      for (const row of rows) expect(row).toMatch(/^\|[ .o+=*BOX@%&#/^SE]{17}\|$/)
      expect(rows.join('').match(/E/g)).toHaveLength(1)
    }),
  )
})

it('whatever else is read gives a canonical fingerprint or an error with a code', () => {
  const original = fc.tuple(named, fingerprint)
  const written = fc.oneof(
    original.map(([, of]) => fingerprintToWords(of)),
    original.map(([endpoint, of]) => fingerprintToQrText(endpoint, of)),
    original.map(([endpoint, of]) => fingerprintToTlsaRecord(endpoint, of)),
  )
  const damaged = fc
    .tuple(written, fc.nat(), fc.nat({ max: 3 }), fc.string({ unit: 'binary', maxLength: 4 }))
    .map(([text, at, cut, junk]) => {
      const place = at % (text.length + 1)
      return text.slice(0, place) + junk + text.slice(place + cut)
    })
  const soup = fc.string({ unit: fc.constantFrom(...'TOFU:/SHA256_tcp.IN 301()\n;"\\%-aZ09'), maxLength: 300 })
  const text = fc.oneof(damaged, soup, fc.string({ unit: 'binary', maxLength: 200 }))
  const readers: ((candidate: string) => Fingerprint)[] = [
    (candidate) => parseFingerprintWords(candidate),
    (candidate) => parseFingerprintWords(candidate, { of: 'public-key' }),
    (candidate) => parseFingerprintQrText(candidate).fingerprint,
    (candidate) => parseTlsaRecord(candidate).fingerprint,
  ]
  fc.assert(
    fc.property(text, fc.constantFrom(...readers), (candidate, read) => {
      let fingerprint: Fingerprint
      try {
        fingerprint = read(candidate)
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidNameError)
        expect((error as InvalidNameError).code).toMatch(/^ERR_TLACACOCA_/)
        return
      }
      expect(isFingerprint(fingerprint)).toBe(true)
    }),
    { numRuns: 10_000 },
  )
})
