import { describe, expect, it } from 'vitest'
import { parseFingerprint } from '../../src/certificate/fingerprint.ts'
import { fingerprintToWords, parseFingerprintWords } from '../../src/certificate/fingerprint-words.ts'
import { pgpWords } from '../../src/certificate/pgp-word-list.ts'

const certificate = parseFingerprint('sha256:146a4b2771b2a200f058d0e516baf6f824f1913f1050ad2d711185826533a257')
const key = parseFingerprint('spki-sha256:d9a58b8f8208aa121b737a8ed2df5ff8b3fa2491710973af80f69d9a26626261')

/** Digests and words that others have published, of other lengths than a SHA-256. */
const PUBLISHED = [
  [
    'e58294f2e9a227486e8b061b31cc528fd7fa3f19',
    'topmost Istanbul Pluto vagabond treadmill Pacific brackish dictator goldfish Medusa afflict bravado chatter revolver Dupont midsummer stopwatch whimsical cowbell bottomless',
  ],
  [
    'd1d464c004f00fb5c9a4c8d8e433e7fb7ff56256',
    'stairway souvenir flytrap recipe adrift upcoming artist positive spearhead Pandora spaniel stupendous tonic concurrent transit Wichita lockup visitor flagpole escapade',
  ],
  [
    'e34cd132128c1929ec96865ced5c4d0bf40a5d021fcef58d27dbfee371d210',
    'tissue disbelief stairway component atlas megaton bedlamp certify tumor monument necklace fascinate tunnel fascinate dreadful armistice upshot Apollo exceed aftermath billiard sardonic vapor microscope brackish suspicious woodlark torpedo hamlet sensation assume',
  ],
] as const

describe('the list', () => {
  it('has 512 words, no two of them alike in any spelling, and each half in alphabetical order but for one pair', () => {
    const [even, odd] = pgpWords()
    expect([even.length, odd.length]).toEqual([256, 256])
    expect(new Set([...even, ...odd].map((word) => word.toLowerCase())).size).toBe(512)
    for (const word of [...even, ...odd]) expect(word).toMatch(/^[A-Za-z][a-z]{3,10}$/)
    const outOfOrder = [even, odd].map((list) =>
      list.filter((word, at) => at > 0 && word.toLowerCase() < (list[at - 1] ?? '').toLowerCase()),
    )
    // 09 is "applicant" and 0A "Apollo" in the published list too.
    expect(outOfOrder).toEqual([[], ['Apollo']])
  })

  it('has none of the words that say what a fingerprint is of', () => {
    const all = pgpWords().flat()
    expect(all.filter((word) => /^(?:certificate|key)$/i.test(word))).toEqual([])
  })

  it.each(PUBLISHED)('gives the published words for %s', (hex, words) => {
    const [even, odd] = pgpWords()
    const written = Array.from(Buffer.from(hex, 'hex'), (byte, at) => (at % 2 === 0 ? even : odd)[byte])
    expect(written.join(' ')).toBe(words)
  })

  it.each(PUBLISHED)('is used for fingerprints that begin with %s', (hex, words) => {
    const fingerprint = parseFingerprint(`sha256:${hex.padEnd(64, '0')}`)
    expect(fingerprintToWords(fingerprint).startsWith(`certificate ${words} `)).toBe(true)
  })
})

it('every byte at every place is written and read back', () => {
  for (let byte = 0; byte < 256; byte++) {
    const fingerprint = parseFingerprint(Buffer.alloc(32, byte).toString('hex'))
    expect(parseFingerprintWords(fingerprintToWords(fingerprint))).toBe(fingerprint)
  }
})

it('says whether it is of the certificate or of its key', () => {
  expect(fingerprintToWords(certificate)).toMatch(/^certificate baboon hamburger (?:\w+ ){29}\w+$/)
  expect(fingerprintToWords(key)).toMatch(/^key sugar (?:\w+ ){30}\w+$/)
  expect(parseFingerprintWords(fingerprintToWords(certificate))).toBe(certificate)
  expect(parseFingerprintWords(fingerprintToWords(key))).toBe(key)
})

it('refuses to write SHA-512, and what is no fingerprint', () => {
  expect(() => fingerprintToWords(parseFingerprint('ab'.repeat(64)))).toThrow(RangeError)
  expect(() => fingerprintToWords('abc' as typeof key)).toThrow(TypeError)
})

const words = fingerprintToWords(certificate).split(' ')
const [label = '', ...digest] = words

describe('what people type is read', () => {
  it.each([
    ['in lower case', words.join(' ').toLowerCase()],
    ['in capitals', words.join(' ').toUpperCase()],
    ['over several lines', words.join('\r\n  ')],
    ['with spaces around it', ` \t${words.join('   ')}\n`],
    ['with commas', words.join(', ')],
    ['with hyphens and a full stop', `${words.join('-')}.`],
  ])('%s', (_, text) => {
    expect(parseFingerprintWords(text)).toBe(certificate)
  })

  it('without its first word if the caller says what it is of', () => {
    expect(parseFingerprintWords(digest.join(' '), { of: 'certificate' })).toBe(certificate)
    expect(parseFingerprintWords(digest.join(' '), { of: 'public-key' })).toBe(`spki-${certificate}`)
    expect(parseFingerprintWords(words.join(' '), { of: 'certificate' })).toBe(certificate)
  })
})

describe('refused is', () => {
  const changed = (change: (copy: string[]) => void) => {
    const copy = [...digest]
    change(copy)
    return [label, ...copy].join(' ')
  }
  it.each([
    ['nothing at all', '', {}, 'neither "certificate" nor "key"'],
    ['a text that does not say what it is of', digest.join(' '), {}, 'neither "certificate" nor "key"'],
    ['a certificate where a key is wanted', words.join(' '), { of: 'public-key' }, 'those of the key are wanted'],
    ['a key where a certificate is wanted', fingerprintToWords(key), { of: 'certificate' }, 'of the certificate are'],
    ['no words after the first', label, {}, 'there are 0 of them'],
    ['a strange word', changed((copy) => copy.splice(4, 1, 'Gemini')), {}, 'word 5, "Gemini", is not in the list'],
    ['a first word twice', `certificate ${words.join(' ')}`, {}, 'word 1, "certificate", is not in the list'],
    ['a number', changed((copy) => copy.splice(0, 1, '14')), {}, 'word 1, "14", is not in the list'],
    [
      'two neighbours that have changed places',
      changed((copy) => copy.splice(6, 2, copy[7] ?? '', copy[6] ?? '')),
      {},
      `word 7, "${digest[7]}", has changed places with the next one`,
    ],
    [
      'a word too few at the beginning',
      changed((copy) => copy.splice(0, 1)),
      {},
      `a word is missing before word 1, "${digest[1]}",`,
    ],
    [
      'a word too few in the middle',
      changed((copy) => copy.splice(10, 1)),
      {},
      `a word is missing before word 11, "${digest[11]}",`,
    ],
    ['a word too few at the end', changed((copy) => copy.pop()), {}, 'there are 31 of them, and 32 are wanted'],
    [
      'a word said twice',
      changed((copy) => copy.splice(10, 0, copy[10] ?? '')),
      {},
      `word 12, "${digest[10]}", is one too many`,
    ],
    ['two words too many', changed((copy) => copy.push('absurd', 'adviser')), {}, 'there are 34 of them'],
    ['two words too few', changed((copy) => copy.splice(4, 2)), {}, 'there are 30 of them'],
    ['a text without end', `key ${'absurd adviser '.repeat(1000)}`, {}, 'they are too many'],
  ] as const)('%s', (_, text, options, message) => {
    expect(() => parseFingerprintWords(text, options)).toThrow(
      expect.objectContaining({
        code: 'ERR_TLACACOCA_FINGERPRINT_INVALID',
        message: expect.stringContaining(message),
      }),
    )
  })

  it.each([
    ['a text that is none', 5, {}],
    ['an unknown subject', words.join(' '), { of: 'server' }],
    ['an unknown option', words.join(' '), { off: 'certificate' }],
  ])('as misuse: %s', (_, text, options) => {
    expect(() => parseFingerprintWords(text as string, options as object)).toThrow(TypeError)
  })
})
