// The one kind of TOML string that pins are written in: a basic string on one line.

/** Writes a TOML basic string. Whatever could move a cursor or reverse a line is escaped, so that people can look at it. */
export function quote(text: string): string {
  if (HARMLESS.test(text)) return `"${text}"`
  return `"${text.replace(LONE_SURROGATE, '\ufffd').replace(NEEDS_ESCAPE, escapeCharacter)}"`
}

/** Shows a text of a file in a message: quoted, and short. */
export function excerpt(text: string): string {
  return quote(text.length > 80 ? `${text.slice(0, 80)}…` : text)
}

/** Reads a whole basic string with its quotes; undefined for one that {@link quote} would not write, and all else. */
export function unquote(text: string): string | undefined {
  if (PLAIN_STRING.test(text)) return text.slice(1, -1)
  // Of these escapes JSON and TOML have the same opinion; TOML has no `\/` and no halves of surrogate pairs.
  return ESCAPED_STRING.test(text) ? (JSON.parse(text) as string) : undefined
}

function escapeCharacter(character: string): string {
  if (character === '"' || character === '\\') return `\\${character}`
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

const HARMLESS = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/
// TOML and UTF-8 have no way to say half a surrogate pair.
const LONE_SURROGATE = /\p{Surrogate}/gu
// U+FFFD among them: a bare one in a file means that a conversion damaged it.
const NEEDS_ESCAPE = /["\\\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffd]/g
const PLAIN_STRING = /^"[^"\\\x00-\x1f\x7f]*"$/
const ESCAPED_STRING = /^"(?:[^"\\\x00-\x1f\x7f]|\\["\\bfnrt]|\\u(?![Dd][89A-Fa-f])[0-9A-Fa-f]{4})*"$/
