// Exchanging an identity for a new one at all sites that know it. No site learns of it by itself, so the plan keeps a list
// and the old identity, until every site has been told or given up.

import { requireOneOf, show } from '../../internal/arguments.ts'
import { Endpoint } from '../../names/endpoint.ts'
import type { DeletedIdentity, Identity } from './identity.ts'
import { ROTATION_STATES, type RotationState } from './notes.ts'

/** A site in a {@link RotationPlan}. */
export interface RotationSite {
  readonly endpoint: Endpoint
  readonly state: RotationState
  /** When it got into this state; null for `pending`. */
  readonly since: Date | null
  /** What `mark` was told about it; null if nothing. */
  readonly note: string | null
}

/** How to make a statement for a site. */
export interface StatementOptions {
  /** The user's id at the site, if it is known. The statement is good for no other user then. */
  readonly user?: string
  /** For how long it is good, in milliseconds. Default an hour. */
  readonly validForMs?: number
}

/** @internal What a plan needs of its wallet. */
export interface RotationHost {
  identity(id: string): Identity
  sites(from: string): readonly RotationSite[]
  statement(from: string, to: string, endpoint: Endpoint, options: StatementOptions): Promise<string>
  mark(from: string, endpoint: Endpoint, state: RotationState, note: string | null): Promise<void>
  finish(from: string): Promise<DeletedIdentity>
  abandon(from: string): Promise<void>
}

/**
 * The exchange of an identity for a new one, site by site. Made by `IdentityWallet.rotate`, and by
 * `IdentityWallet.rotationPlan` for one that was begun earlier.
 *
 * For each site: connect with the new identity, hand over the statement, in the way that the site has for it, and mark the
 * site. From `done` on, the site gets the new identity; until then it gets the old one, with which the user can get in
 * whatever happens.
 *
 * @example
 * import { IdentityWallet } from 'tlacacoca/identity'
 *
 * await using wallet = await IdentityWallet.open({ appName: 'my-browser' })
 * const plan = await wallet.rotate('4c1f0a9e2b7d4c5f8e6a1b3c5d7e9f01')
 * for (const { endpoint, state } of plan.sites) {
 *   if (state === 'done') continue
 *   console.log(`${endpoint}: ${await plan.statement(endpoint)}`)
 *   await plan.mark(endpoint, 'done')
 * }
 * if (plan.isDone) await plan.finish()
 */
export class RotationPlan {
  readonly #host: RotationHost
  readonly #from: string
  readonly #to: string

  /** @internal */
  constructor(host: RotationHost, from: string, to: string) {
    this.#host = host
    this.#from = from
    this.#to = to
  }

  /** The old identity. */
  get from(): Identity {
    return this.#host.identity(this.#from)
  }

  /** The new one. */
  get to(): Identity {
    return this.#host.identity(this.#to)
  }

  /** Every server where the old identity was shown, or is to be. */
  get sites(): readonly RotationSite[] {
    return this.#host.sites(this.#from)
  }

  /** Whether each site is `done` or `skipped`. */
  get isDone(): boolean {
    return this.sites.every(({ state }) => state === 'done' || state === 'skipped')
  }

  /**
   * A statement for one server that the new certificate takes the place of the old one, signed with the old key: what
   * `IdentityRegistry.rotate` takes, and nobody but this server accepts. It fits into a query.
   *
   * @throws {FileError | PrivateKeyError} If the old key cannot be read.
   */
  async statement(endpoint: Endpoint, options: StatementOptions = {}): Promise<string> {
    requireEndpoint('endpoint', endpoint)
    return this.#host.statement(this.#from, this.#to, endpoint, options)
  }

  /** Notes how far a site is. With `done` it gets the new identity from then on; without, the old one again. */
  async mark(endpoint: Endpoint, state: RotationState, note: string | null = null): Promise<void> {
    requireEndpoint('endpoint', endpoint)
    requireOneOf('state', state, ROTATION_STATES)
    await this.#host.mark(this.#from, endpoint, state, note)
  }

  /**
   * Deletes the old identity. Until the wallet is closed it can be had back.
   *
   * @throws {IdentityError} ERR_TLACACOCA_IDENTITY_ROTATING if a site is neither `done` nor `skipped`.
   */
  async finish(): Promise<DeletedIdentity> {
    return this.#host.finish(this.#from)
  }

  /** Forgets the plan. Both identities stay, with the scopes that they have by now. */
  async abandon(): Promise<void> {
    await this.#host.abandon(this.#from)
  }
}

/** @internal */
export function requireEndpoint(name: string, value: unknown): asserts value is Endpoint {
  if (!Endpoint.is(value)) throw new TypeError(`"${name}" expected an Endpoint, got ${show(value)}`)
}
