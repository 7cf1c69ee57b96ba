// Text that somebody else chose, made fit for a log line: it cannot end the line, steer a terminal, turn the reading
// direction round, grow without bound, or carry what must not be kept.

import { type AddressPseudonymizer, addressOf } from './pseudonym.ts'

// C0 and C1 controls (ESC and the 8-bit CSI among them), DEL, the marks and overrides of reading direction, line and
// paragraph separators, invisible characters, and halves of surrogate pairs, which no encoding can write.
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

const MAX_LENGTH = 4096

/** Escapes what is unsafe as `\u001b`, and cuts what is too long. */
export function escapeText(text: string): string {
  const rest = text.length - MAX_LENGTH
  const cut = rest > 0 ? text.slice(0, MAX_LENGTH) : text
  const escaped = cut.replace(UNSAFE, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return rest > 0 ? `${escaped}… (${rest} more)` : escaped
}

// A URL up to its query or fragment; everything behind is dropped. User information and Titan's parameters, which hold
// its token, go the same way. The scheme is bounded, so that a long run of letters is not searched again and again.
const URL_SECRETS = /\b([a-z][a-z0-9+.-]{0,30}:\/\/)(?:[^\s/?#"<>]*@)?([^\s?#;"<>]*)([?#;][^\s"<>]*)?/gi

// The same of a path alone, as it stands in `GET /search?words`.
const PATH_QUERY = /(?<=^|[\s"'(=])(\/[^\s?"<>]*\?)[^\s"<>]+/g

/** Takes queries, fragments, parameters and user information out of the URLs in a text. */
export function withoutQueries(text: string): string {
  return text
    .replace(URL_SECRETS, (_, scheme: string, rest: string, secret: string | undefined) => {
      return `${scheme}${rest}${secret === undefined ? '' : `${secret[0]}…`}`
    })
    .replace(PATH_QUERY, '$1…')
}

const PRIVATE_KEY = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g

/** Takes private keys in PEM out of a text. */
export function withoutKeys(text: string): string {
  return text.includes('PRIVATE KEY-----') ? text.replace(PRIVATE_KEY, '[private key]') : text
}

// What could be an IPv6 address, with an IPv4 address in it, a zone or a port; and four numbers, which are an IPv4
// address or something like a version. Both are found in one pass over the text.
const LIKE_IPV6 = /[0-9a-f:.]+(?:%[0-9a-z_.-]{1,15})?/gi
const LIKE_IPV4 = /(?<!\d|\d\.)\d{1,3}(?:\.\d{1,3}){3}(?!\d|\.\d)/g

/**
 * Puts pseudonyms in place of the IP addresses in a text. Where it cannot tell, it takes something for an address: a
 * version that is hidden does no harm, an address that is not does.
 */
export function withPseudonyms(text: string, pseudonymOf: AddressPseudonymizer): string {
  return text
    .replace(LIKE_IPV6, (word, offset: number) => {
      const colons = word.split(':').length - 1
      if (colons < 2) return word
      // `std::vector` has `d::` in it, but that is no word of its own and no address that says anything.
      const isGlued = /\w/.test((text[offset - 1] ?? '') + (text[offset + word.length] ?? ''))
      if (isGlued && word.split(/[:.]+/).filter((group) => group !== '').length < 2) return word
      // A label may stand before it, and the end of a sentence or a port behind.
      for (const start of [0, /^[:.]/.test(word) ? 1 : 0]) {
        const rest = word.slice(start)
        for (const address of beginningsOf(rest)) {
          if (addressOf(address) !== null) {
            return word.slice(0, start) + pseudonymOf(address) + rest.slice(address.length)
          }
        }
      }
      // Something hangs on it that belongs to neither. A fingerprint has more colons, a time has fewer.
      return colons <= 8 && (word.includes('::') || colons >= 7) ? pseudonymOf(word) : word
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
