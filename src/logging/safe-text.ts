// Text that somebody else chose, made fit for a log line: it cannot end the line, steer a terminal, turn the reading
// direction round, grow without bound, or carry what must not be kept.

import { type AddressPseudonymizer, addressOf } from './pseudonym.ts'

// C0 and C1 controls (ESC and the 8-bit CSI among them), DEL, the marks and overrides of reading direction, line and
// paragraph separators, invisible characters, and halves of surrogate pairs, which no encoding can write.
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

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
const URL_SECRETS = /\b([a-z][a-z0-9+.-]{0,30}:\/\/)(?:[^\s/?#@"<>]{0,1024}@)?([^\s?#;"<>]*)([?#;][^\s"<>]*)?/gi

/** Takes queries, fragments, parameters and user information out of the URLs in a text. */
export function withoutQueries(text: string): string {
  return text.replace(URL_SECRETS, (_, scheme: string, rest: string, secret: string | undefined) => {
    return `${scheme}${rest}${secret === undefined ? '' : `${secret[0]}…`}`
  })
}

const PRIVATE_KEY = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)/g

/** Takes private keys in PEM out of a text. */
export function withoutKeys(text: string): string {
  return text.includes('PRIVATE KEY-----') ? text.replace(PRIVATE_KEY, '[private key]') : text
}

// What could be an address: hex digits, dots and colons, with a zone.
const CANDIDATE = /[0-9a-f:.]*[0-9a-f:][0-9a-f:.]*(?:%[0-9a-z]{1,15})?/gi

/** Puts pseudonyms in place of the IP addresses in a text. */
export function withPseudonyms(text: string, pseudonymOf: AddressPseudonymizer): string {
  return text.replace(CANDIDATE, (word, offset: number) => {
    const isIPv6 = word.indexOf(':') !== word.lastIndexOf(':')
    if (!isIPv6 && !/\d\.\d+\.\d+\.\d/.test(word)) return word
    // `std::vector` has the address `d::` in it, but not as a word.
    if (isIPv6 && /\w/.test((text[offset - 1] ?? '') + (text[offset + word.length] ?? ''))) return word
    // The end of a sentence, or a port, may hang on it.
    for (const address of [word, word.replace(/[.:]+$/, ''), word.replace(/:\d{1,5}[.:]*$/, '')]) {
      if (addressOf(address) !== null) return pseudonymOf(address) + word.slice(address.length)
    }
    return word
  })
}
