// Handles: which texts are names of users, and which of them are too much alike to be names of two.
//
// The rules, in the order in which they are applied:
//
// 1. A handle is shown in lower case and in Unicode's form NFKC: `Ana`, `ANA` and `ana` in wide letters are all `ana`.
// 2. It has 1 to 32 characters: letters of one script, the digits 0 to 9, and `-`, `_` and `.`, which stand between two
//    other characters. Han goes with Hiragana and Katakana, with Hangul, and with Bopomofo, as people write. Anything
//    else (spaces, symbols, invisible characters, accents heaped up, one letter of another script) is refused.
// 3. Two handles are one name if their skeletons are equal. A skeleton is the handle without accents and vowel points,
//    with one separator for all three, and with the Latin letter in place of what looks like it: Greek, Cyrillic and
//    Armenian letters that pass for Latin ones, `0` for `o`, `1` for `l`, `rn` for `m`, `vv` for `w`.
//
// It is the idea of Unicode Technical Standard 39 (skeletons, and the "highly restrictive" level), with a small table.
// The skeleton is compared and reserved; nobody sees it.

import { IdentityError } from '../../errors.ts'
import { requireString, show } from '../../internal/arguments.ts'

/** A handle in the two forms that are needed: to show, and to compare. */
export interface Handle {
  readonly shown: string
  readonly skeleton: string
}

/**
 * @internal Reads a handle.
 *
 * @throws {IdentityError} ERR_TLACACOCA_IDENTITY_HANDLE_INVALID, with a `reason`: `length`, `characters`, `separators` or
 *   `scripts`.
 */
export function parseHandle(text: string): Handle {
  requireString('handle', text)
  // NFKC can make a text eighteen times as long, so there is a bound before it.
  if (text.length > MAX_LENGTH * 4) throw invalid(text, 'length', `has more than ${MAX_LENGTH} characters`)
  // Once more after the lower case, which can take a text out of NFKC.
  const shown = text.normalize('NFKC').toLowerCase().normalize('NFKC')
  const { length } = Array.from(shown)
  if (length < 1 || length > MAX_LENGTH) throw invalid(text, 'length', `must have 1 to ${MAX_LENGTH} characters`)
  if (!CHARACTERS.test(shown)) throw invalid(text, 'characters', 'has characters other than letters, 0 to 9, - _ .')
  if (!SEPARATED.test(shown)) throw invalid(text, 'separators', 'has a - _ . that is not between two other characters')
  if (!scripts().some((script) => script.test(shown)))
    throw invalid(text, 'scripts', 'mixes scripts, or has an odd one')
  return { shown, skeleton: skeletonOf(shown) }
}

const MAX_LENGTH = 32

// Digits are ASCII. Those of other scripts look like letters, or like other values.
const CHARACTERS = /^[\p{L}\p{M}0-9._-]+$/u
const SEPARATED = /^[^._-]+(?:[._-][^._-]+)*$/u

// Of the Latin script the letters that languages are written in today. Phonetic letters, small capitals and clicks look
// like others on purpose.
const LATIN = String.raw`a-z\u00df-\u017f\u01a0\u01a1\u01af\u01b0\u01cd-\u01dc\u01e6-\u01ed\u0218-\u021b\u1e00-\u1eff`

// The recommended scripts of Unicode Standard Annex 31, table 5.
const SINGLE =
  `Greek Cyrillic Armenian Georgian Hebrew Arabic Thaana Ethiopic Devanagari Bengali Gurmukhi Gujarati Oriya
  Tamil Telugu Kannada Malayalam Sinhala Thai Lao Tibetan Myanmar Khmer`.split(/\s+/)
const TOGETHER = [
  ['Han', 'Hiragana', 'Katakana'],
  ['Han', 'Hangul'],
  ['Han', 'Bopomofo'],
]

let made: readonly RegExp[] | null = null

/** Made by the first call: they take half as long as the import of all the rest. */
function scripts(): readonly RegExp[] {
  made ??= [
    LATIN,
    ...[...SINGLE.map((script) => [script]), ...TOGETHER].map((together) =>
      together.map((script) => String.raw`\p{scx=${script}}`).join(''),
    ),
  ].map((letters) => new RegExp(`^[${letters}0-9._-]+$`, 'u'))
  return made
}

function skeletonOf(shown: string): string {
  // By way of the upper case, which brings together what the lower case leaves apart: ß and ss, the two small sigmas.
  const bare = shown.toUpperCase().toLowerCase().normalize('NFKD').replace(MARKS, '').replace(/[._]/g, '-')
  const latin = Array.from(bare, (letter) => LOOKS_LIKE.get(letter) ?? letter).join('')
  return latin.replaceAll('rn', 'm').replaceAll('vv', 'w')
}

// Accents, and the points of Hebrew and Arabic, which may be left out.
const MARKS = /[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed]/g

const LOOKS_LIKE: ReadonlyMap<string, string> = new Map(
  [
    ['01', 'ol'],
    // Latin letters with strokes and the like, which do not come apart.
    ['ıłøđħŧðþŀſĸŋ', 'ilodhtdplskn'],
    ['αβγεηικνορστυχωμϳ', 'abyenikvopotuxwuj'],
    ['авекмнорстухѕіјһԁԛԝьгпиӏүұѵ', 'abekmhopctyxsijhdqwbrnulyyv'],
    ['ոսօհցզգյլք', 'nuohgqqjlp'],
  ].flatMap(([from = '', to = '']) => Array.from(from, (letter, n) => [letter, to[n] ?? letter] as const)),
)

function invalid(text: string, reason: string, what: string): IdentityError {
  return new IdentityError('ERR_TLACACOCA_IDENTITY_HANDLE_INVALID', `the handle ${show(text)} ${what}`, { reason })
}
