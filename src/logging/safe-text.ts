// Text that somebody else chose, made fit for a log line: it cannot end the line, steer a terminal, turn the reading
// direction round, grow without bound, or carry what must not be kept.

import { type AddressPseudonymizer, addressOf } from './pseudonym.ts'

// C0 and C1 controls (ESC and the 8-bit CSI among them), DEL, the marks and overrides of reading direction, line and
// paragraph separators, invisible characters and tags, and halves of surrogate pairs, which no encoding can write.
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff9-\ufffb]|\udb40[\udc00-\udfff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

const MAX_LENGTH = 4096

/** Escapes what is unsafe as `\u001b`, and cuts what is too long. */
export function escapeText(text: string): string {
  const rest = text.length - MAX_LENGTH
  const cut = rest > 0 ? text.slice(0, MAX_LENGTH) : text
  const escaped = cut.replace(UNSAFE, (units) => units.split('').map(escapeUnit).join(''))
  return rest > 0 ? `${escaped}… (${rest} more)` : escaped
}

const escapeUnit = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`

// Nothing between `://` and the next slash is searched twice, however many of them there are.
const USER_INFO = /:\/\/[^\s/?#]*@/g

// Titan's token is a password. It stands in a URL or in a path.
const TOKEN = /;token=[^\s;?#"<>]*/gi

/** Takes the passwords out of the URLs in a text: user information, and Titan's tokens. */
export function withoutCredentials(text: string): string {
  return text.replace(USER_INFO, '://').replace(TOKEN, ';token=…')
}

const WORD = /[^\s"<>]+/g

/** Takes queries, fragments and parameters out of the URLs and paths in a text. */
export function withoutQueries(text: string): string {
  // Word by word, and each once: a pattern that looks for the start of a URL would try at every letter.
  return text.replace(WORD, (word) => {
    const slash = word.indexOf('/')
    if (slash < 0) return word
    const authority = word.indexOf('://')
    // In a path alone, as in `GET /search?words`, a `?` at the end is that of a sentence.
    const end = Math.min(findFrom(word, slash, /\?./), authority < 0 ? word.length : findFrom(word, authority, /[?#;]/))
    return end === word.length ? word : `${word.slice(0, end + 1)}…`
  })
}

function findFrom(text: string, start: number, pattern: RegExp): number {
  const index = text.slice(start).search(pattern)
  return index < 0 ? text.length : start + index
}

/**
 * The beginning of a long text. The word that the cut is in goes too: half a URL shows its password, and half an
 * address is not seen to be one.
 */
export function beginningOf(text: string, length: number): string {
  if (text.length <= length) return text
  return text
    .slice(0, length)
    .replace(/\s\S*$/, ' ')
    .replace(/:\/\/[^\s/?#]*$/, '://')
}

const PRIVATE_KEY =
  /-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|$)/g

// The end of a key whose beginning is somewhere else.
const REST_OF_KEY = /^[\s\S]*-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----/

/** Takes private keys in PEM out of a text. */
export function withoutKeys(text: string): string {
  if (!text.includes('PRIVATE KEY')) return text
  return text.replace(PRIVATE_KEY, '[private key]').replace(REST_OF_KEY, '[private key]')
}

// What could be an IPv6 address, with an IPv4 address in it, a zone or a port; and four numbers, which are an IPv4
// address or something like a version. Both are found in one pass over the text.
const LIKE_IPV6 = /[0-9a-f:.]+(?:%[0-9a-z_.-]{1,15})?/gi
const LIKE_IPV4 = /(?<!\d|\d\.)\d{1,3}(?:\.\d{1,3}){3}(?!\d|\.\d)/g

// With an IPv4 address in it, a zone, a port, and what a sentence adds.
const LONGEST_ADDRESS = 45 + 16 + 6 + 4

/**
 * Puts pseudonyms in place of the IP addresses in a text. Where it cannot tell, it takes something for an address: a
 * version that is hidden does no harm, an address that is not does.
 */
export function withPseudonyms(text: string, pseudonymOf: AddressPseudonymizer): string {
  return text
    .replace(LIKE_IPV6, (word, offset: number) => {
      const groups = word.split(':')
      const colons = groups.length - 1
      if (colons < 2) return word
      // `std::vector` has `d::` in it, but that is no word of its own and no address that says anything.
      const isGlued = /\w/.test((text[offset - 1] ?? '') + (text[offset + word.length] ?? ''))
      if (isGlued && word.split(/[:.]+/).filter((group) => group !== '').length < 2) return word
      // A label may stand before it, and the end of a sentence or a port behind.
      for (const start of word.length > LONGEST_ADDRESS ? [] : [0, /^[:.]/.test(word) ? 1 : 0]) {
        const rest = word.slice(start)
        for (const address of beginningsOf(rest)) {
          if (addressOf(address) !== null) {
            return word.slice(0, start) + pseudonymOf(address) + rest.slice(address.length)
          }
        }
      }
      // Something hangs on it that belongs to neither. A time has fewer colons.
      if (colons <= 8) return word.includes('::') || colons >= 7 ? pseudonymOf(word) : word
      // A fingerprint, which has two digits between colons, behind a label; or several addresses in a row.
      return groups.slice(1).some((group) => /^[0-9a-f]{3}/i.test(group)) ? pseudonymOf(word) : word
    })
    .replace(LIKE_IPV4, (word) => pseudonymOf(word))
}

/** A word, and what it is without a full stop or a colon at its end, or a port. */
function* beginningsOf(word: string): Generator<string> {
  yield word
  // One by one, because an address may end in colons of its own.
  for (let end = word.length; /[.:]/.test(word.charAt(end - 1)) && end > word.length - 3; end--)
    yield word.slice(0, end - 1)
  yield word.replace(/:\d{1,5}[.:]?$/, '')
}
