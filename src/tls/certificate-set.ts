// Which certificate answers to which name (SNI, RFC 6066 section 3).
//
// Clients send a name as they please: in capitals, with a trailing dot, in Unicode, or an IP address, which the
// standard forbids. Node hands the bytes on as they came, one character for each. They are read here, once, into the
// canonical form that everything else compares.

import type { Certificate } from '../certificate/certificate.ts'
import { InvalidNameError } from '../errors.ts'
import { canonicalHost } from '../names/host.ts'

/** What a client asked for. An address counts as no name at all, as the standard wants it. */
export type ServerName =
  | { readonly kind: 'host'; readonly host: string }
  | { readonly kind: 'none' }
  | { readonly kind: 'malformed' }

/** Reads the name of an SNI extension as Node gives it: every byte one character, so that UTF-8 must be undone. */
export function readServerName(sni: string | null): ServerName {
  if (sni === null) return { kind: 'none' }
  try {
    const text = ASCII.test(sni) ? sni : new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(sni, 'latin1'))
    const { host, isAddress } = canonicalHost(text)
    return isAddress ? { kind: 'none' } : { kind: 'host', host }
  } catch {
    return { kind: 'malformed' }
  }
}

/**
 * Brings a name that a certificate is to answer to into canonical form: a host name, or `*.` and a host name.
 *
 * @throws {InvalidNameError} If it is neither. An IP address is none: clients do not name addresses in a handshake.
 */
export function canonicalPattern(text: string): string {
  const wildcard = text.startsWith('*.')
  const { host, isAddress } = canonicalHost(wildcard ? text.slice(2) : text)
  if (isAddress) {
    throw new InvalidNameError('ERR_TLACACOCA_ENDPOINT_INVALID', `"${host}" is an address, which clients never ask for`)
  }
  return wildcard ? `*.${host}` : host
}

/**
 * The canonical patterns of a certificate's DNS names. The common name is never looked at (RFC 9525). A name in it that is
 * no host name is one that no client can ask for, and is left out.
 */
export function patternsOf(certificate: Certificate): readonly string[] {
  return [...new Set(certificate.subjectAltNames.dns.flatMap(patternOrNothing))]
}

function patternOrNothing(text: string): string[] {
  try {
    return [canonicalPattern(text)]
  } catch {
    return []
  }
}

/** Values by host name. A name of its own goes before a wildcard, and a wildcard stands for exactly one label. */
export class NameTable<Value> {
  readonly #values = new Map<string, Value>()

  /** Enters a canonical pattern, unless it is taken; whoever came first keeps it. */
  add(pattern: string, value: Value): boolean {
    if (this.#values.has(pattern)) return false
    this.#values.set(pattern, value)
    return true
  }

  /** Finds the value for a canonical host name. */
  find(host: string): Value | undefined {
    return this.#values.get(host) ?? this.#wildcard(host)
  }

  /** Finds the values of the name itself and of the wildcard for it, in this order. */
  findAll(host: string): Value[] {
    return [this.#values.get(host), this.#wildcard(host)].filter((value) => value !== undefined)
  }

  #wildcard(host: string): Value | undefined {
    const dot = host.indexOf('.')
    return dot < 0 ? undefined : this.#values.get(`*${host.slice(dot)}`)
  }
}

const ASCII = /^[\0-\x7f]*$/
