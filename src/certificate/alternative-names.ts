// The names that a new certificate or request is to have beside its subject, checked and in their canonical form.

import { requireList, requireOptions, requireString, show } from '../internal/arguments.ts'
import { type CanonicalHost, canonicalHost } from '../names/host.ts'
import { NO_ALT_NAMES, type SubjectAltNames } from './extensions.ts'

/** Names to put into a certificate or request, by kind. Kinds that are left out are empty. */
export type AlternativeNames = Partial<SubjectAltNames>

/** How many names may be in one certificate. */
const MAX_NAMES = 100

/**
 * Checks names and brings them into the form in which they are written: hosts in lower case and as A-labels, addresses in
 * canonical text, each once.
 *
 * @param option - What the names are called in messages.
 * @param rules.wildcards - Whether a host may have `*` as its whole left-most label.
 * @throws {TypeError} For anything but lists of text.
 * @throws {RangeError} For a text that is not such a name, or more than 100 of them.
 */
export function readAlternativeNames(
  names: AlternativeNames,
  rules: { readonly wildcards: boolean },
  option = 'subjectAltNames',
): SubjectAltNames {
  requireOptions(option, names, KINDS)
  const read = (kind: keyof SubjectAltNames, canonical: (text: string) => string | null, wanted: string) => {
    const list = names[kind] ?? []
    requireList(`${option}.${kind}`, list)
    const texts = Array.from(list as Iterable<unknown>, (text, index) => {
      const where = `${option}.${kind}[${index}]`
      requireString(where, text)
      return canonical(text) ?? refuse(where, wanted, text)
    })
    return Object.freeze([...new Set(texts)])
  }
  const canonicalName = rules.wildcards ? hostOrWildcard : hostName
  const result = Object.freeze({
    dns: read('dns', canonicalName, rules.wildcards ? 'a host name' : 'a host name without a wildcard'),
    ip: read('ip', address, 'an IP address'),
    email: read('email', mailbox, 'an e-mail address in ASCII'),
    uri: read('uri', absoluteUri, 'an absolute URI in ASCII'),
  } satisfies SubjectAltNames)
  if (countNames(result) > MAX_NAMES) throw new RangeError(`"${option}" expected at most ${MAX_NAMES} names, got more`)
  return result
}

/** How many names there are, of all kinds. */
export function countNames({ dns, ip, email, uri }: SubjectAltNames): number {
  return dns.length + ip.length + email.length + uri.length
}

const KINDS = Object.keys(NO_ALT_NAMES)

function refuse(where: string, wanted: string, text: string): never {
  throw new RangeError(`"${where}" expected ${wanted}, got ${show(text)}`)
}

function hostOf(text: string): CanonicalHost | null {
  try {
    return canonicalHost(text)
  } catch {
    return null
  }
}

function hostName(text: string): string | null {
  const host = hostOf(text)
  return host === null || host.isAddress ? null : host.host
}

function hostOrWildcard(text: string): string | null {
  if (!text.startsWith('*.')) return hostName(text)
  const parent = hostName(text.slice(2))
  // With the wildcard it must not be longer than a host name either.
  return parent === null || parent.length > 251 ? null : `*.${parent}`
}

function address(text: string): string | null {
  const host = hostOf(text)
  return host?.isAddress === true ? host.host : null
}

/** RFC 5280 section 4.2.1.6: `Local-part@Domain`, without quotes here. The part before the @ keeps its case. */
function mailbox(text: string): string | null {
  const at = text.indexOf('@')
  const local = text.slice(0, at)
  const host = hostName(text.slice(at + 1))
  return at < 1 || host === null || !LOCAL_PART.test(local) ? null : `${local}@${host}`
}

// RFC 5321 sections 4.1.2 and 4.5.3.1.1: a dot-string of up to 64 octets.
const LOCAL_PART = /^(?=.{1,64}$)[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*$/

/** The standard wants one that is absolute. It is written as it is given: a `urn:` or `spiffe:` is compared as text. */
function absoluteUri(text: string): string | null {
  return text.length <= 2048 && /^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+$/.test(text) && URL.canParse(text) ? text : null
}
