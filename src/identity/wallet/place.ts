// Where a URL leads, as far as identities are concerned: which protocols, which server, which path. It is read by the
// library's own parser, so that a scope and a request cannot mean two different hosts by one text.

import { InvalidNameError } from '../../errors.ts'
import { show } from '../../internal/arguments.ts'
import type { Endpoint } from '../../names/endpoint.ts'
import type { RequestPath } from '../../names/request-path.ts'
import { parseTarget, RequestTarget } from '../../names/request-target.ts'

/** A URL: as text, as the platform's object, or as `parseTarget` read it. */
export type IdentityUrl = string | URL | RequestTarget

/** What counts about a URL when an identity is chosen. The query does not. */
export interface Place {
  readonly group: SchemeGroup
  readonly endpoint: Endpoint
  readonly path: RequestPath
}

/** Protocols that share their identities. A Titan upload goes to the server that its Gemini page comes from. */
export type SchemeGroup = 'gemini' | 'scroll' | 'misfin'

/** The schemes of a group, the one that scopes are written with first. */
export const GROUPS: Readonly<Record<SchemeGroup, readonly string[]>> = {
  gemini: Object.freeze(['gemini', 'titan']),
  scroll: Object.freeze(['scroll']),
  misfin: Object.freeze(['misfin']),
}

/** The port that a URL of the group means if it names none. */
export const DEFAULT_PORTS: Readonly<Record<SchemeGroup, number>> = { gemini: 1965, scroll: 5699, misfin: 1958 }

const GROUP_OF: ReadonlyMap<string, SchemeGroup> = new Map(
  (Object.keys(GROUPS) as SchemeGroup[]).flatMap((group) => GROUPS[group].map((scheme) => [scheme, group] as const)),
)

const PORTS = Object.fromEntries([...GROUP_OF].map(([scheme, group]) => [scheme, DEFAULT_PORTS[group]]))

/**
 * Reads a URL; null if its protocol has no identities.
 *
 * @throws {InvalidNameError} TARGET_INVALID if it has one of these schemes and is malformed.
 */
export function placeOf(url: IdentityUrl): Place | null {
  const target = RequestTarget.is(url) ? url : parse(url)
  const group = target === null ? undefined : GROUP_OF.get(target.scheme)
  if (target === null || group === undefined) return null
  return { group, endpoint: target.endpoint, path: target.path }
}

/** The same, where a URL without identities is a mistake. */
export function requirePlace(url: IdentityUrl): Place {
  const place = placeOf(url)
  if (place !== null) return place
  const schemes = [...GROUP_OF.keys()].join(', ')
  throw new InvalidNameError('ERR_TLACACOCA_TARGET_INVALID', `identities are for URLs of ${schemes} only`)
}

/** Whether two places are of one site: the same protocols, host and port. */
export function isSameOrigin(a: Place, b: Place): boolean {
  return a.group === b.group && a.endpoint.equals(b.endpoint)
}

function parse(url: unknown): RequestTarget | null {
  const text = url instanceof URL ? url.href : url
  if (typeof text !== 'string') throw new TypeError(`"url" expected a URL, got ${show(text)}`)
  const scheme = SCHEME.exec(text)?.[1]?.toLowerCase()
  if (scheme !== undefined && !GROUP_OF.has(scheme)) return null
  return parseTarget(text, { schemes: PORTS, served: 'any' })
}

const SCHEME = /^([a-z][a-z0-9+.-]*):/i
