// What a wallet knows of an identity apart from its certificate and key. It never changes: whoever changes something
// makes a new one, so that a change that could not be written has not happened in memory either.

import type { Endpoint } from '../../names/endpoint.ts'
import type { IdentityScope } from './scope.ts'

/**
 * Why a user is to be asked before an identity is shown. `tls12`: by TLS 1.2 it travels in clear, and whoever listens
 * learns who it is. `second_host`: it is known to another host, and the two can find out that it is the same user.
 */
export type IdentityConcern = 'tls12' | 'second_host'

export const CONCERNS: readonly IdentityConcern[] = ['tls12', 'second_host']

/**
 * How far a site is in exchanging an old identity for a new one. `pending`: it knows the old one only. `failed`: it was
 * tried, and the site still knows the old one only. `done`: the new one is in use. `skipped`: the user does without.
 */
export type RotationState = 'pending' | 'failed' | 'done' | 'skipped'

export const ROTATION_STATES: readonly RotationState[] = ['pending', 'failed', 'done', 'skipped']

/** What a file holds that this release does not know. It is written again as it was read. */
export type Unknown = Readonly<Record<string, unknown>>

export interface ScopeNotes {
  readonly scope: IdentityScope
  /** When the identity was last used or chosen there, in milliseconds. */
  readonly lastUsed: number
  readonly rest: Unknown
}

export interface SiteNotes {
  readonly endpoint: Endpoint
  /** Null if the identity was never shown there. */
  readonly firstUsed: number | null
  readonly lastUsed: number | null
  readonly confirmed: readonly IdentityConcern[]
  readonly rest: Unknown
}

export interface RotationSiteNotes {
  readonly endpoint: Endpoint
  readonly state: RotationState
  readonly at: number
  readonly note: string | null
  readonly rest: Unknown
}

export interface RotationNotes {
  /** The id of the new identity. */
  readonly to: string
  readonly started: number
  /** Those that were marked. One that was not is `pending`. */
  readonly sites: readonly RotationSiteNotes[]
  readonly rest: Unknown
}

export interface IdentityNotes {
  readonly name: string | null
  readonly notes: string | null
  readonly created: number | null
  readonly deleted: number | null
  readonly scopes: readonly ScopeNotes[]
  readonly sites: readonly SiteNotes[]
  readonly rotation: RotationNotes | null
  readonly rest: Unknown
}

/** The notes of all identities, by id, and whatever else is in their file. */
export interface Metadata {
  readonly identities: ReadonlyMap<string, IdentityNotes>
  readonly rest: Unknown
}

export const NO_NOTES: IdentityNotes = Object.freeze({
  name: null,
  notes: null,
  created: null,
  deleted: null,
  scopes: [],
  sites: [],
  rotation: null,
  rest: {},
})

export const NO_METADATA: Metadata = Object.freeze({ identities: new Map<string, IdentityNotes>(), rest: {} })

/** The metadata with the notes of one identity changed, or removed if `change` gives null. */
export function withNotes(
  metadata: Metadata,
  id: string,
  change: (notes: IdentityNotes) => IdentityNotes | null,
): Metadata {
  const former = metadata.identities.get(id)
  const notes = change(former ?? NO_NOTES)
  if (notes === (former ?? null)) return metadata
  const identities = new Map(metadata.identities)
  if (notes === null) identities.delete(id)
  else identities.set(id, notes)
  return { ...metadata, identities }
}

/** The notes with a scope added, or marked as used if it is there. */
export function withScope(notes: IdentityNotes, scope: IdentityScope, lastUsed: number): IdentityNotes {
  const known = notes.scopes.some((each) => each.scope.equals(scope))
  const scopes = known
    ? notes.scopes.map((each) => (each.scope.equals(scope) ? { ...each, lastUsed } : each))
    : [...notes.scopes, { scope, lastUsed, rest: {} }]
  return { ...notes, scopes }
}

export function withoutScopes(notes: IdentityNotes, isGone: (scope: IdentityScope) => boolean): IdentityNotes {
  const scopes = notes.scopes.filter(({ scope }) => !isGone(scope))
  return scopes.length === notes.scopes.length ? notes : { ...notes, scopes }
}

/** The notes with those about one site changed, or removed if `change` gives null. */
export function withSite(
  notes: IdentityNotes,
  endpoint: Endpoint,
  change: (site: SiteNotes) => SiteNotes | null,
): IdentityNotes {
  const known = siteOf(notes, endpoint)
  const fresh: SiteNotes = { endpoint, firstUsed: null, lastUsed: null, confirmed: [], rest: {} }
  const changed = change(known ?? fresh)
  const others = notes.sites.filter((each) => each !== known)
  return { ...notes, sites: changed === null ? others : [...others, changed] }
}

export function siteOf(notes: IdentityNotes, endpoint: Endpoint): SiteNotes | undefined {
  return notes.sites.find((each) => each.endpoint.equals(endpoint))
}

/** When an identity was last used or chosen anywhere; null for never. */
export function lastUseOf({ sites, scopes }: IdentityNotes): number | null {
  const instants = [...sites, ...scopes].flatMap(({ lastUsed }) => (lastUsed === null ? [] : [lastUsed]))
  return instants.length === 0 ? null : Math.max(...instants)
}

/** The servers that know an identity, or will: those where it was shown, and those of its scopes. */
export function endpointsOf({ sites, scopes }: IdentityNotes): Endpoint[] {
  const shown = sites.filter(({ firstUsed }) => firstUsed !== null)
  const all = [...shown.map(({ endpoint }) => endpoint), ...scopes.map(({ scope }) => scope.endpoint)]
  return [...new Map(all.map((endpoint) => [String(endpoint), endpoint])).values()]
}
