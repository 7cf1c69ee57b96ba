// Visitors: people who show a certificate and have no account. A site can keep something for them, a basket or a game,
// for a day, in memory, without a row anywhere; and make it an account when they want one.

import type { Fingerprint } from '../../certificate/fingerprint.ts'
import type { Peer } from '../../certificate/peer.ts'
import { requireFunction, requireInteger, requireOptions, show } from '../../internal/arguments.ts'
import { type Clock, systemClock } from '../../internal/clock.ts'
import type { LinkedIdentity } from './account.ts'
import { requirePeer } from './context.ts'
import type { IdentityRegistry } from './identity-registry.ts'
import type { UserProfile } from './joining.ts'

/** What is kept for visitors, and for how long. */
export interface TransientOptions<Data> {
  /** Makes what is kept for a new visitor. */
  readonly create: () => Data
  /** How long a visitor is remembered after the last visit. Milliseconds; default 24 hours. */
  readonly ttlMs?: number
  /** How many are remembered. The one whose last visit is longest ago is forgotten for a new one. Default 10,000. */
  readonly maxIdentities?: number
  readonly clock?: Clock
}

/** A visitor. */
export interface TransientIdentity<Data> {
  /** What `create` made. It is the program's own, to change as it likes. */
  readonly data: Data
  /** The first visit since it was last forgotten. */
  readonly firstSeen: Date
  /** When it is forgotten, unless there is another visit before. */
  readonly expiresAt: Date
}

/**
 * Remembers visitors by their certificates, in memory and for a while.
 *
 * @example
 * import type { Peer } from 'tlacacoca'
 * import { IdentityRegistry, TransientIdentities } from 'tlacacoca/identity'
 *
 * const registry = await IdentityRegistry.open({ appName: 'game', origin: 'example.org:1965' })
 * const visitors = new TransientIdentities({ create: () => ({ points: 0 }) })
 *
 * export async function play(peer: Peer): Promise<void> {
 *   const who = await registry.resolve(peer)
 *   const visitor = who.kind === 'unknown' ? visitors.meet(peer) : null
 *   if (visitor !== null) visitor.data.points += 1
 * }
 *
 * export async function keep(peer: Peer): Promise<string> {
 *   const { user, data } = await visitors.promote(peer, registry, { handle: 'ana' })
 *   return `${user.handle} has an account and ${data?.points ?? 0} points`
 * }
 */
export class TransientIdentities<Data> {
  /** The one that was seen last comes last. */
  readonly #known = new Map<Fingerprint, { data: Data; firstSeen: number; lastSeen: number }>()
  readonly #create: () => Data
  readonly #ttlMs: number
  readonly #maxIdentities: number
  readonly #clock: Clock

  constructor(options: TransientOptions<Data>) {
    requireOptions('options', options, ['create', 'ttlMs', 'maxIdentities', 'clock'])
    const { create, ttlMs = 86_400_000, maxIdentities = 10_000, clock = systemClock } = options
    requireFunction('create', create)
    requireFunction('clock', clock)
    requireInteger('ttlMs', ttlMs, 1, Number.MAX_SAFE_INTEGER)
    requireInteger('maxIdentities', maxIdentities, 1, 10_000_000)
    this.#create = create
    this.#ttlMs = ttlMs
    this.#maxIdentities = maxIdentities
    this.#clock = clock
  }

  /** How many visitors are remembered. */
  get size(): number {
    this.#forgetExpired(this.#clock())
    return this.#known.size
  }

  /**
   * The visitor with this certificate, who is a new one if there is none.
   *
   * @returns null if the certificate is not within its dates.
   * @throws {CertificateError} If its dates cannot be read.
   */
  meet(peer: Peer): TransientIdentity<Data> | null {
    requirePeer(peer)
    const now = this.#clock()
    if (peer.validityAt(new Date(now)) !== 'valid') return null
    this.#forgetExpired(now)
    const { fingerprint } = peer
    const known = this.#known.get(fingerprint) ?? { data: this.#create(), firstSeen: now, lastSeen: now }
    known.lastSeen = now
    this.#known.delete(fingerprint)
    if (this.#known.size >= this.#maxIdentities) this.#forgetFirst()
    this.#known.set(fingerprint, known)
    return { data: known.data, firstSeen: new Date(known.firstSeen), expiresAt: new Date(now + this.#ttlMs) }
  }

  /** Forgets a visitor, and tells whether there was one. */
  forget(peer: Peer): boolean {
    requirePeer(peer)
    return this.#known.delete(peer.fingerprint)
  }

  /**
   * Registers a visitor, who is a visitor no more.
   *
   * @returns The user, and what was kept for the visitor; null if nothing was.
   * @throws {IdentityError} As `IdentityRegistry.register` does; then the visitor still is one.
   */
  async promote(
    peer: Peer,
    registry: IdentityRegistry,
    profile: UserProfile = {},
  ): Promise<LinkedIdentity & { readonly data: Data | null }> {
    if (typeof registry?.register !== 'function') {
      throw new TypeError(`"registry" expected an IdentityRegistry, got ${show(registry)}`)
    }
    const linked = await registry.register(peer, profile)
    this.#forgetExpired(this.#clock())
    const data = this.#known.get(peer.fingerprint)?.data ?? null
    this.#known.delete(peer.fingerprint)
    return { ...linked, data }
  }

  #forgetExpired(now: number): void {
    for (const [fingerprint, { lastSeen }] of this.#known) {
      // They are in the order of their last visits.
      if (lastSeen + this.#ttlMs > now) return
      this.#known.delete(fingerprint)
    }
  }

  #forgetFirst(): void {
    for (const fingerprint of this.#known.keys()) {
      this.#known.delete(fingerprint)
      return
    }
  }
}
