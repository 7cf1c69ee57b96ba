// How the exchange of an identity for another one changes what is noted of both.

import type { Endpoint } from '../../names/endpoint.ts'
import {
  endpointsOf,
  type IdentityNotes,
  type Metadata,
  NO_NOTES,
  type RotationState,
  withNotes,
  withoutScopes,
  withScope,
  withSite,
} from './notes.ts'

/** A site that has to be told of the exchange, and whether it has been. */
export interface SiteProgress {
  readonly endpoint: Endpoint
  readonly state: RotationState
  readonly at: number | null
  readonly note: string | null
}

/** All sites of the exchange: those that know the old identity, also since it began. */
export function progressOf({ rotation, ...notes }: IdentityNotes): SiteProgress[] {
  const known = rotation?.sites ?? []
  const pending = endpointsOf({ rotation, ...notes }).filter(
    (each) => !known.some(({ endpoint }) => endpoint.equals(each)),
  )
  return [...pending.map((endpoint) => ({ endpoint, state: 'pending' as const, at: null, note: null })), ...known].sort(
    (a, b) => (String(a.endpoint) < String(b.endpoint) ? -1 : 1),
  )
}

/** Whether the user can do without the old identity. */
export function isDone(notes: IdentityNotes): boolean {
  return progressOf(notes).every(({ state }) => state === 'done' || state === 'skipped')
}

export interface Step {
  readonly endpoint: Endpoint
  readonly state: RotationState
  readonly note: string | null
  readonly at: number
}

/** The metadata after a step. A site that is done gets the new identity from then on, and the old one until then. */
export function withStep(metadata: Metadata, from: string, to: string, step: Step): Metadata {
  const { endpoint } = step
  const rotation = metadata.identities.get(from)?.rotation ?? null
  if (rotation === null) return metadata
  const former = rotation.sites.find((each) => each.endpoint.equals(endpoint))
  const sites = [...rotation.sites.filter((each) => each !== former), { rest: {}, ...former, ...step }]
  const noted = withNotes(metadata, from, (notes) => ({ ...notes, rotation: { ...rotation, sites } }))
  if (step.state === 'done') return moved(noted, from, to, step)
  return former?.state === 'done' ? moved(noted, to, from, step) : noted
}

/** Moves the scopes of one server, and what the user confirmed there, to another identity. */
function moved(metadata: Metadata, from: string, to: string, { endpoint, at }: Step): Metadata {
  const old = metadata.identities.get(from) ?? NO_NOTES
  const isThere = (each: { readonly endpoint: Endpoint }) => each.endpoint.equals(endpoint)
  const scopes = old.scopes.filter(({ scope }) => isThere(scope))
  const confirmed = old.sites.find(isThere)?.confirmed ?? []
  const left = withNotes(metadata, from, (notes) => withoutScopes(notes, isThere))
  return withNotes(left, to, (notes) => {
    const scoped = scopes.reduce((result, { scope, lastUsed }) => withScope(result, scope, lastUsed), notes)
    return withSite(scoped, endpoint, (site) => ({
      ...site,
      firstUsed: site.firstUsed ?? at,
      lastUsed: site.lastUsed ?? at,
      confirmed: [...new Set([...site.confirmed, ...confirmed])],
    }))
  })
}
