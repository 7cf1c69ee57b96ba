import { requireString } from '../../internal/arguments.ts'

/** The longest name of an identity, and the longest notes, in characters. */
export const MAX_NAME = 200
export const MAX_NOTES = 10_000

/** Checks a text that the user wrote: a name on one line, or notes on several. */
export function requireText(name: string, value: unknown, max: number): asserts value is string {
  requireString(name, value)
  if (value.length > max) throw new RangeError(`"${name}" expected at most ${max} characters, got ${value.length}`)
  if (value.search(max === MAX_NAME ? NOT_IN_A_NAME : NOT_IN_NOTES) >= 0) {
    throw new RangeError(`"${name}" expected text without control characters`)
  }
}

/** A text of another program, in a form that `requireText` takes; null if there is nothing left of it. */
export function cleanText(text: string | null, max: number): string | null {
  if (text === null) return null
  const forbidden = max === MAX_NAME ? NOT_IN_A_NAME : NOT_IN_NOTES
  // Cut first, because it may cut a character in half.
  const clean = text.replace(/\r\n?/g, '\n').slice(0, max).replace(forbidden, ' ').trim()
  return clean === '' ? null : clean
}

// Both are used with `search` and `replace` only, which start at the beginning each time.
const NOT_IN_A_NAME = /[\p{Cc}\p{Cs}\u2028\u2029]/gu
const NOT_IN_NOTES = /[\p{Cs}\u2028\u2029\x00-\x08\x0b-\x1f\x7f-\x9f]/gu
