import type { Place } from './place.ts'
import type { IdentityScope } from './scope.ts'

/** A scope of an identity, and when the identity was last used or chosen there. */
export interface ScopedIdentity {
  readonly id: string
  readonly scope: IdentityScope
  /** Milliseconds since the epoch. */
  readonly lastUsed: number
}

/**
 * The identity for a place: of the scopes that cover it the one with the longest path, and of several such the one that
 * was used last.
 */
export function bestMatch(place: Place, candidates: Iterable<ScopedIdentity>): ScopedIdentity | null {
  let best: ScopedIdentity | null = null
  for (const candidate of candidates) {
    if (candidate.scope.coversPlace(place) && (best === null || isBetter(candidate, best))) best = candidate
  }
  return best
}

function isBetter(a: ScopedIdentity, b: ScopedIdentity): boolean {
  const longer = a.scope.path.segments.length - b.scope.path.segments.length
  if (longer !== 0) return longer > 0
  // Something must decide even if somebody has written the same instant twice, and the same on every computer.
  return a.lastUsed === b.lastUsed ? a.id < b.id : a.lastUsed > b.lastUsed
}
