// A fingerprint to read out: on the telephone, in a talk, across a table. 32 words of the PGP word list, and before them
// the one that the digest cannot say: whether it is of the certificate or of its key.
//
//   certificate baboon hamburger dragnet celebrate …
//   key sugar paperweight obtuse midsummer …
//
// Two fingerprints of one server differ in all their words. Whoever compares one with the other without that first word
// sees an attack where there is none, so a text without it is read only by somebody who says which one is wanted.
//
// The syllables show that neighbours have changed places or a word is missing. That two words further apart have changed
// places, or that a word was misheard for another of its list, they do not show; the comparison does.

import { InvalidNameError } from '../errors.ts'
import { requireOneOf, requireOptions, requireString, show } from '../internal/arguments.ts'
import { type Fingerprint, type FingerprintSubject, fingerprintSubject } from './fingerprint.ts'
import { pgpWords } from './pgp-word-list.ts'
import { sha256DigestOf } from './published-fingerprint.ts'

/**
 * Writes a SHA-256 fingerprint as words: `certificate` or `key`, and 32 words of the PGP word list, for people to read
 * out and to compare.
 *
 * @throws {TypeError} If it is no fingerprint in canonical text.
 * @throws {RangeError} For SHA-512, which would be 64 words.
 * @example
 * import { fingerprintToWords, loadCertificate } from 'tlacacoca/certificate'
 *
 * const { fingerprint } = await loadCertificate('cert.pem')
 * console.log(fingerprintToWords(fingerprint)) // certificate baboon hamburger dragnet …
 */
export function fingerprintToWords(fingerprint: Fingerprint): string {
  const bytes = Buffer.from(sha256DigestOf(fingerprint), 'hex')
  const [even, odd] = pgpWords()
  const words = Array.from(bytes, (byte, place) => (isOdd(place) ? odd : even)[byte])
  return [KINDS[fingerprintSubject(fingerprint)], ...words].join(' ')
}

/**
 * Reads what {@link fingerprintToWords} writes, typed in by a person: upper or lower case, any spaces and line ends, and
 * commas, dots or hyphens between the words.
 *
 * @param text - The words. The first one may be left out if `of` says what it would.
 * @param options.of - What the fingerprint must be of. A text that says otherwise is refused.
 * @throws {InvalidNameError} ERR_TLACACOCA_FINGERPRINT_INVALID for anything else. The message says at which word a
 *   stranger is, two have changed places, or one is missing. Places count from 1, after `certificate` or `key`.
 * @example
 * import { parseFingerprintWords } from 'tlacacoca/certificate'
 * import { createInterface } from 'node:readline/promises'
 *
 * const terminal = createInterface({ input: process.stdin, output: process.stdout })
 * const heard = await terminal.question('What does the owner read out? ')
 * console.log(parseFingerprintWords(heard, { of: 'certificate' })) // sha256:…
 */
export function parseFingerprintWords(
  text: string,
  options: { readonly of?: FingerprintSubject | undefined } = {},
): Fingerprint {
  requireString('text', text)
  requireOptions('options', options, ['of'])
  const { of } = options
  if (of !== undefined) requireOneOf('of', of, ['certificate', 'public-key'])
  if (text.length > MAX_TEXT) throw invalid('they are too many')

  const words = text.split(SEPARATOR).filter((word) => word !== '')
  const said = SUBJECTS.get(words[0]?.toLowerCase() ?? '')
  const subject = said ?? of
  if (subject === undefined) {
    throw invalid(`they begin with neither "certificate" nor "key", and only "of" could say what they are of instead`)
  }
  if (of !== undefined && of !== subject) {
    throw invalid(`they are of the ${KINDS[subject]}, and those of the ${KINDS[of]} are wanted`)
  }
  const hex = readBytes(said === undefined ? words : words.slice(1)).toString('hex')
  return (subject === 'certificate' ? `sha256:${hex}` : `spki-sha256:${hex}`) as Fingerprint
}

const KINDS = { certificate: 'certificate', 'public-key': 'key' } as const satisfies Record<FingerprintSubject, string>
const SUBJECTS: ReadonlyMap<string, FingerprintSubject> = new Map([
  ['certificate', 'certificate'],
  ['key', 'public-key'],
])

const SEPARATOR = /[\s,.;-]+/
const WORDS = 32
// Four times what they take with one space each.
const MAX_TEXT = 2000

interface Entry {
  readonly byte: number
  /** Whether it is one for odd places. */
  readonly odd: boolean
}

let entriesByWord: ReadonlyMap<string, Entry> | undefined

/** The list by words in lower case, made when it is needed for the first time. */
function knownWords(): ReadonlyMap<string, Entry> {
  entriesByWord ??= new Map(
    pgpWords().flatMap((list, odd) =>
      list.map((word, byte): [string, Entry] => [word.toLowerCase(), { byte, odd: odd === 1 }]),
    ),
  )
  return entriesByWord
}

function readBytes(words: readonly string[]): Buffer {
  const known = knownWords()
  const entries = words.map((word, place) => {
    const entry = known.get(word.toLowerCase())
    if (entry === undefined) throw invalid(`${nameOf(words, place)} is not in the list`)
    return entry
  })
  const astray = entries.findIndex(({ odd }, place) => odd !== isOdd(place))
  if (astray >= 0) throw misplaced(words, astray)
  if (words.length !== WORDS) throw invalid(`there are ${words.length} of them, and ${WORDS} are wanted`)
  return Buffer.from(entries.map(({ byte }) => byte))
}

/** The first word with the wrong number of syllables is where something happened; the number of words tells what. */
function misplaced(words: readonly string[], place: number): InvalidNameError {
  if (words.length < WORDS) return invalid(`a word is missing before ${nameOf(words, place)}`)
  if (words.length > WORDS) return invalid(`${nameOf(words, place)} is one too many, or the word before it is`)
  return invalid(`${nameOf(words, place)} has changed places with the next one, or a word is missing before it`)
}

function nameOf(words: readonly string[], place: number): string {
  return `word ${place + 1}, ${show(words[place])},`
}

function isOdd(place: number): boolean {
  return place % 2 === 1
}

function invalid(reason: string): InvalidNameError {
  return new InvalidNameError('ERR_TLACACOCA_FINGERPRINT_INVALID', `these words are no fingerprint: ${reason}`)
}
