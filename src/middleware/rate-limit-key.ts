// What a limit counts by, and the texts that name a bucket. In a text the path comes last, whatever the order it was
// asked for in: the other parts have no character in them that could begin the next part, and a path may have any.

import { Peer } from '../certificate/peer.ts'
import { requireOneOf, requireString, show } from '../internal/arguments.ts'
import { RequestTarget } from '../names/request-target.ts'
import type { AddressKeys } from './address-keys.ts'
import type { MiddlewareRequest } from './middleware.ts'

/**
 * What a limit counts by.
 *
 * - `address`: the IPv4 address, or the IPv6 /64, of the client.
 * - `certificate`: the public key of the client's certificate, so a renewal with the same key changes nothing. Requests
 *   without a certificate are not limited.
 * - `host`: the host that is asked for, on whatever port.
 * - `path`: the path, in canonical form and without a slash at the end: no other spelling of it has a bucket of its own.
 * - `global`: all requests together.
 */
export type RateLimitSubject = 'address' | 'certificate' | 'host' | 'path' | 'global'

/** A subject, several at once, or a function that gives the key; null means that this limit does not apply. */
export type RateLimitBy =
  | RateLimitSubject
  | readonly RateLimitSubject[]
  | ((request: MiddlewareRequest) => string | null)

/** `by` as it is applied: subjects in the order of their texts, or a function. */
export type CompiledBy = readonly RateLimitSubject[] | ((request: MiddlewareRequest) => unknown)

export function compileBy(by: unknown): CompiledBy {
  if (typeof by === 'function') return by as (request: MiddlewareRequest) => unknown
  const list: readonly unknown[] = Array.isArray(by) ? by : [by]
  if (list.length === 0) throw new TypeError('"by" expected at least one subject, got an empty list')
  for (const subject of list) requireOneOf('by', subject, ORDER)
  if (new Set(list).size < list.length) throw new TypeError('"by" names a subject twice')
  return ORDER.filter((subject) => list.includes(subject))
}

/** The text that names the bucket of a request, or null if the limit does not apply to it. */
export function keyText(by: CompiledBy, request: MiddlewareRequest, addresses: AddressKeys): string | null {
  if (typeof by === 'function') {
    const key = by(request)
    if (key === null) return null
    requireString('by()', key)
    return `key:${key}`
  }
  let text = ''
  for (const subject of by) {
    const part = PARTS[subject](request, addresses)
    if (part === null) return null
    text += text === '' ? part : `:${part}`
  }
  return text
}

const PARTS: Record<RateLimitSubject, (request: MiddlewareRequest, addresses: AddressKeys) => string | null> = {
  global: () => 'global',
  address: ({ address }, addresses) => `address:${addresses.textOf(address)}`,
  certificate: ({ peer }) => {
    if (peer === null) return null
    if (!Peer.is(peer)) throw new TypeError(`"peer" expected a Peer or null, got ${show(peer)}`)
    return `certificate:${peer.certificate.publicKeyFingerprint}`
  },
  host: ({ target }) => `host:${parsed(target).endpoint.host}`,
  path: ({ target }) => `path:/${parsed(target).path.segments.join('/')}`,
}

const ORDER = ['global', 'address', 'certificate', 'host', 'path'] as const

/** @internal A target that was parsed by this library: of another, nobody knows whether its path is canonical. */
export function parsed(target: RequestTarget): RequestTarget {
  if (!RequestTarget.is(target)) throw new TypeError(`"target" expected a RequestTarget, got ${show(target)}`)
  return target
}
