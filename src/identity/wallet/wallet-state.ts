// What a wallet knows at a moment: what is stored and what is temporary, side by side, and the questions asked of both.

import { IdentityError } from '../../errors.ts'
import { show } from '../../internal/arguments.ts'
import { type Identity, identityOf } from './identity.ts'
import { type IdentityNotes, lastUseOf, NO_NOTES } from './notes.ts'
import type { Pair, WalletProblem } from './pair.ts'
import type { Place } from './place.ts'
import { bestMatch, type ScopedIdentity } from './scope-match.ts'
import type { Stored } from './wallet-storage.ts'

export class WalletState {
  readonly #stored: Stored
  readonly #temporary: Stored

  constructor(stored: Stored, temporary: Stored) {
    this.#stored = stored
    this.#temporary = temporary
  }

  get problems(): readonly WalletProblem[] {
    return this.#stored.problems
  }

  pair(id: string): Pair | undefined {
    return this.#temporary.pairs.get(id) ?? this.#stored.pairs.get(id)
  }

  notes(id: string): IdentityNotes {
    return this.#temporary.metadata.identities.get(id) ?? this.#stored.metadata.identities.get(id) ?? NO_NOTES
  }

  pairs(): Pair[] {
    return [...this.#stored.pairs.values(), ...this.#temporary.pairs.values()]
  }

  live(): Pair[] {
    return this.pairs().filter(({ deleted }) => !deleted)
  }

  /** @throws {IdentityError} IDENTITY_NOT_FOUND unless it is there and not deleted. */
  require(id: string): Pair {
    const pair = this.pair(id)
    if (pair !== undefined && !pair.deleted) return pair
    throw notFound(id, pair === undefined ? 'there is no identity' : 'there is no identity any more with the id')
  }

  /** Those that are not deleted, the one that was used last first. */
  identities(now: Date): Identity[] {
    const lastUse = (identity: Identity): number => identity.lastUsedAt?.getTime() ?? identity.createdAt?.getTime() ?? 0
    return this.live()
      .map((pair) => identityOf(pair, this.notes(pair.id), now))
      .sort((a, b) => lastUse(b) - lastUse(a) || (a.id < b.id ? -1 : 1))
  }

  match(place: Place): ScopedIdentity | null {
    return bestMatch(
      place,
      this.live().flatMap(({ id }) => this.notes(id).scopes.map(({ scope, lastUsed }) => ({ id, scope, lastUsed }))),
    )
  }

  /** The latest instant at which anything was used. */
  get lastUse(): number {
    return this.pairs().reduce((latest, { id }) => Math.max(latest, lastUseOf(this.notes(id)) ?? 0), 0)
  }

  /** The identity that an identity is about to replace. */
  predecessorOf(id: string): Pair | null {
    return this.live().find((pair) => this.notes(pair.id).rotation?.to === id) ?? null
  }

  /** The identity that is about to replace an identity. */
  successorOf(id: string): Pair | null {
    const to = this.notes(id).rotation?.to
    const pair = to === undefined ? undefined : this.pair(to)
    return pair === undefined || pair.deleted ? null : pair
  }
}

/** @internal */
export function notFound(id: string, what = 'there is no identity'): IdentityError {
  return new IdentityError('ERR_TLACACOCA_IDENTITY_NOT_FOUND', `${what} ${show(id)}`)
}
