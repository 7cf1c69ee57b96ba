// Host names in one form, because the form is a key: pins, rules and certificates are looked up by it, and four
// spellings of one host would be four first uses.
//
// A name becomes lower-case ASCII: A-labels for international names (UTS #46, as browsers do), no trailing dot. An IP
// address becomes the text of `ClientAddress`, so a mapped IPv6 address is the IPv4 address it stands for.
//
// `domainToASCII` of Node is the host parser of URLs: it also decodes `%61`, cuts `a/b` at the slash, drops tabs and
// turns `0x7f.1` into 127.0.0.1. So it gets to see names only that cannot mean any of that, and its answer is checked
// as if somebody else had typed it.
//
// Invariant: normalizing a normalized host changes nothing.

import { domainToASCII, domainToUnicode } from 'node:url'
import { InvalidNameError } from '../errors.ts'
import { requireString, show } from '../internal/arguments.ts'
import { ClientAddress } from './client-address.ts'
import { readIPv4, readIPv6 } from './ip-literal.ts'

/** @internal A host in canonical form, and whether it is an IP address. */
export interface CanonicalHost {
  readonly host: string
  readonly isAddress: boolean
}

/**
 * Brings a host name or an IP address into the one form that this library compares and stores: lower case, A-labels
 * for international names, no trailing dot, IPv6 by RFC 5952 without brackets.
 *
 * Names follow RFC 1123 section 2.1, with underscores allowed: labels of 1 to 63 letters, digits, hyphens and
 * underscores, no hyphen at either end, 253 characters in all. Refused are spaces, NUL, percent-escapes, empty labels,
 * zone ids, and whatever a URL parser would take for an IPv4 address without its being four plain decimal numbers.
 *
 * @throws {InvalidNameError} `ERR_TLACACOCA_ENDPOINT_INVALID` if the text is not a host.
 * @example
 * import { normalizeHost } from 'tlacacoca'
 *
 * console.log(normalizeHost('BÜCHER.example.')) // 'xn--bcher-kva.example'
 */
export function normalizeHost(host: string): string {
  requireString('host', host)
  return canonicalHost(host).host
}

// A name is at most 253 characters as ASCII. Written in Unicode it can be a little longer (combining characters that
// compose, invisible ones that are dropped), but nobody means a longer text than this by a host.
const MAX_INPUT = 512
const MAX_NAME = 253
const MAX_LABEL = 63

/** @internal */
export function canonicalHost(text: string): CanonicalHost {
  if (text.length > MAX_INPUT) throw invalidEndpoint(text, 'is too long for a host')
  if (text.startsWith('[')) {
    if (!text.endsWith(']')) throw invalidEndpoint(text, 'has a bracket without its partner')
    return canonicalIPv6(text, 1, text.length - 1)
  }
  if (text.includes(':')) return canonicalIPv6(text, 0, text.length)
  if (readIPv4(text, 0, text.length) >= 0) return { host: text, isAddress: true }
  return { host: canonicalName(text), isAddress: false }
}

/** @internal */
export function invalidEndpoint(text: string, problem: string): InvalidNameError {
  return new InvalidNameError('ERR_TLACACOCA_ENDPOINT_INVALID', `${show(text)} ${problem}`)
}

function canonicalIPv6(text: string, start: number, end: number): CanonicalHost {
  const words = readIPv6(text, start, end)
  if (words === null) throw invalidEndpoint(text, 'is not an IPv6 address')
  return { host: ClientAddress.fromWords(6, ...words).toString(), isAddress: true }
}

function canonicalName(text: string): string {
  if (text.length <= MAX_LABEL && CANONICAL.test(text)) return text
  // Everything in ASCII that is not part of a name goes first: `domainToASCII` gives meanings to most of it.
  if (/[\0-,/:-@[-^`{-\x7f]/.test(text)) throw invalidEndpoint(text, 'has a character that no host name has')
  const ascii = /[^\0-\x7f]/.test(text) ? domainToASCII(text) : text.toLowerCase()
  const name = ascii.endsWith('.') ? ascii.slice(0, -1) : ascii
  if (name === '') throw invalidEndpoint(text, 'is not a host name')
  if (name.length > MAX_NAME) throw invalidEndpoint(text, `is longer than the ${MAX_NAME} characters of a host name`)

  const labels = name.split('.')
  for (const label of labels) {
    if (label.length < 1 || label.length > MAX_LABEL) {
      throw invalidEndpoint(text, `has a label that is not 1 to ${MAX_LABEL} characters long`)
    }
    if (!LABEL.test(label)) throw invalidEndpoint(text, 'has a label that is not letters, digits and inner hyphens')
  }
  // URL Standard, "ends in a number": such a host is an IPv4 address or nothing. We know already that it is none.
  if (NUMBER.test(labels.at(-1) ?? '')) throw invalidEndpoint(text, 'ends in a number but is not a plain IPv4 address')
  // An A-label that no U-label leads to (RFC 5891 section 5.4), or that leads back to another one, has no one form.
  if (ALABEL.test(name) && !hasOnlyTrueALabels(name)) throw invalidEndpoint(text, 'has a malformed xn-- label')
  return name
}

/**
 * Whether each A-label is what its own U-label becomes. Asked by way of Unicode and back: Node 24 and later take any
 * A-label in a name of ASCII for good (Node 20 and 22 look into it), and leave one that means nothing as it is.
 */
function hasOnlyTrueALabels(name: string): boolean {
  const unicode = domainToUnicode(name)
  return !ALABEL.test(unicode) && domainToASCII(unicode) === name
}

// What nearly every name is already, and nothing below would refuse or change: no label begins with a digit, so the last one
// is no number; no two hyphens come together, so there is no A-label; and all of it is no longer than a label may be.
const CANONICAL = /^[a-z][a-z0-9]*(?:(?:\.[a-z]|-[a-z0-9])[a-z0-9]*)*$/
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?$/
const NUMBER = /^(?:[0-9]+|0x[0-9a-f]*)$/
const ALABEL = /(?:^|\.)xn--/
