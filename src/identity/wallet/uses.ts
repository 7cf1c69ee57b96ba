// Where identities were used since that was last written. To write each use would wear out the disk and tell whoever
// looks at it more than is needed, so most of them wait until something else is written.

import type { Endpoint } from '../../names/endpoint.ts'
import { type Metadata, siteOf, withNotes, withScope, withSite } from './notes.ts'
import type { IdentityScope } from './scope.ts'

/** One identity at one site. */
export interface Use {
  readonly id: string
  readonly endpoint: Endpoint
  /** The scope by which it was chosen; null if the program chose it itself. */
  readonly scope: IdentityScope | null
  readonly at: number
}

const A_DAY_MS = 86_400_000

export class Uses {
  #waiting: readonly Use[] = []

  add(use: Use): void {
    const isOther = (each: Use) =>
      each.id !== use.id || !each.endpoint.equals(use.endpoint) || !isSame(each.scope, use.scope)
    this.#waiting = [...this.#waiting.filter(isOther), use]
  }

  /** All that wait. They wait no longer once `written` is called with them. */
  get all(): readonly Use[] {
    return this.#waiting
  }

  written(uses: readonly Use[]): void {
    this.#waiting = this.#waiting.filter((use) => !uses.includes(use))
  }

  /** Those of one identity at one site are not to be written at all. */
  forget(id: string, endpoint: Endpoint): void {
    this.#waiting = this.#waiting.filter((use) => use.id !== id || !use.endpoint.equals(endpoint))
  }
}

/** The metadata with uses in it. Scopes that are gone do not come back. */
export function withUses(metadata: Metadata, uses: readonly Use[]): Metadata {
  return uses.reduce(
    (result, { id, endpoint, scope, at }) =>
      withNotes(result, id, (notes) => {
        const isThere = notes.scopes.some((each) => scope?.equals(each.scope))
        const scoped = scope !== null && isThere ? withScope(notes, scope, at) : notes
        return withSite(scoped, endpoint, (site) => ({
          ...site,
          firstUsed: site.firstUsed ?? at,
          lastUsed: Math.max(site.lastUsed ?? at, at),
        }))
      }),
    metadata,
  )
}

/**
 * Whether a use is to be written soon: the first at a site, the first of a day, and one after which another identity than
 * before is the one that was used last.
 */
export function isRemarkable(metadata: Metadata, use: Use): boolean {
  const notes = metadata.identities.get(use.id)
  const last = notes === undefined ? null : (siteOf(notes, use.endpoint)?.lastUsed ?? null)
  if (last === null || use.at - last > A_DAY_MS || use.at < last) return true
  return [...metadata.identities].some(
    ([id, { scopes }]) =>
      id !== use.id && scopes.some(({ scope, lastUsed }) => isSame(scope, use.scope) && lastUsed > last),
  )
}

function isSame(a: IdentityScope | null, b: IdentityScope | null): boolean {
  return a === b || (a !== null && b !== null && a.equals(b))
}
