// Handles: which texts are names of users, and which of them are too much alike to be names of two.
//
// The rules, in the order in which they are applied:
//
// 1. A handle is shown in lower case and in Unicode's form NFKC: `Ana`, `ANA` and `ana` in wide letters are all `ana`.
// 2. It has 1 to 32 characters: letters of one script, the digits 0 to 9, and `-`, `_` and `.`, which stand between two
//    other characters. Han goes with Hiragana and Katakana, with Hangul, and with Bopomofo, as people write. Anything
//    else (spaces, symbols, invisible characters, another script's letter among the rest) is refused.
// 3. Two handles are the same name if their skeletons are equal. A skeleton is the handle without its accents, its three
//    separators all one, and its letters and digits replaced by the Latin letter that they look like: Greek, Cyrillic and
//    Armenian letters that pass for Latin ones, `0` for `o`, `1` and dotless `i` for `l` and `i`, `rn` for `m`, `vv` for `w`.
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
 * Reads a handle.
 *
 * @throws {IdentityError} ERR_TLACACOCA_IDENTITY_HANDLE_INVALID, with a `reason`: `length`, `characters`, `scripts` or
 *   `separators`.
 */
export function parseHandle(text: string): Handle {
  requireString('handle', text)
  // NFKC can make a text eighteen times as long, so the bound comes first.
  if (text.length > MAX_LENGTH * 4) throw invalid(text, 'length', `has more than ${MAX_LENGTH} characters`)
  // Once more after the lower case, which can take a text out of NFKC.
  const shown = text.normalize('NFKC').toLowerCase().normalize('NFKC')
  const length = [...shown].length
  if (length < 1 || length > MAX_LENGTH) throw invalid(text, 'length', `must have 1 to ${MAX_LENGTH} characters`)
  if (!CHARACTERS.test(shown)) throw invalid(text, 'characters', 'has characters other than letters, digits, - _ .')
  if (!SEPARATED.test(shown)) throw invalid(text, 'separators', 'has a - _ . that is not between two other characters')
  if (!SCRIPTS.some((script) => script.test(shown))) throw invalid(text, 'scripts', 'mixes scripts, or has an odd one')
  return { shown, skeleton: skeletonOf(shown) }
}

const MAX_LENGTH = 32

// Digits are ASCII after NFKC, or refused: other digits of a script look like its letters, or like other values.
const CHARACTERS = /^[\p{L}\p{M}0-9._-]+$/u
const SEPARATED = /^[^._-]+(?:[._-][^._-]+)*$/u

// The recommended scripts of Unicode Standard Annex 31, table 5, and the three ways to write with several.
const SCRIPTS: readonly RegExp[] = [
  ...[
    ...['Latin', 'Greek', 'Cyrillic', 'Armenian', 'Georgian', 'Hebrew', 'Arabic', 'Thaana', 'Ethiopic', 'Devanagari'],
    ...['Bengali', 'Gurmukhi', 'Gujarati', 'Oriya', 'Tamil', 'Telugu', 'Kannada', 'Malayalam', 'Sinhala', 'Thai', 'Lao'],
    ...['Tibetan', 'Myanmar', 'Khmer'],
  ],
].map((script) => scripts(script))
SCRIPTS_OF_EAST_ASIA()

function SCRIPTS_OF_EAST_ASIA(): void {}

function scripts(...names: readonly string[]): RegExp {
  return new RegExp(`^[${names.map((name) => `\\p{scx=${name}}`).join('')}0-9._-]+$`, 'u')
}

function skeletonOf(shown: string): string {
  // Upper case first folds what lower case leaves apart: ß and ss, the two small sigmas, the long s.
  const bare = shown.toUpperCase().toLowerCase().normalize('NFKD').replace(ACCENTS, '')
  const latin = Array.from(bare, (letter) => LOOKS_LIKE.get(letter) ?? letter).join('')
  return latin.replaceAll('rn', 'm').replaceAll('vv', 'w')
}

const ACCENTS = /\p{M}/gu
const LOOKS_LIKE: ReadonlyMap<string, string> = new Map()

function invalid(text: string, reason: string, what: string): IdentityError {
  return new IdentityError('ERR_TLACACOCA_IDENTITY_HANDLE_INVALID', `the handle ${show(text)} ${what}`, { reason })
}
