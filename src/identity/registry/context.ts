// What every part of a registry works with: the store, the rules, and ways to ask the time and for randomness.

import { randomBytes } from 'node:crypto'
import { Peer } from '../../certificate/peer.ts'
import { CertificateError, IdentityError } from '../../errors.ts'
import { requireFunction, requireOptions, requireString, show } from '../../internal/arguments.ts'
import { type Clock, systemClock } from '../../internal/clock.ts'
import { isThenable } from '../../internal/thenable.ts'
import { Endpoint, parseEndpoint } from '../../names/endpoint.ts'
import { makeCode } from './code.ts'
import type { CertificateMarks, IdentityStore, NewCredential } from './identity-store.ts'
import { Authorities } from './issued.ts'
import { type IdentityLimiter, type LimitedTry, MemoryIdentityLimiter } from './limiter.ts'
import { Marks } from './marks.ts'
import { type IdentityPolicy, type SettledPolicy, settlePolicy } from './policy.ts'
import { SeenDays } from './seen-days.ts'

/** What a registry tells its program, for logs and for messages to users. */
export type IdentityEvent =
  | {
      readonly kind:
        | 'registered'
        | 'linked'
        | 'revoked'
        | 'recovery_started'
        | 'recovery_vetoed'
        | 'recovery_codes_made'
        | 'link_rejected'
      readonly userId: string
      /** The credential it happened to or by which it was done; null for a recovery that has only begun. */
      readonly credentialId: string | null
    }
  | { readonly kind: 'erased'; readonly userId: string }
  /** Somebody has no more tries left. */
  | { readonly kind: 'limited'; readonly action: LimitedTry['action'] }
  /** The database was opened as a snapshot that cannot be changed. */
  | {
      readonly kind: 'snapshot'
      readonly path: string
      readonly code: 'ERR_TLACACOCA_STORE_READ_ONLY' | 'ERR_TLACACOCA_STORE_FULL'
    }
  /** Something was not written that nobody waits for: that a user was seen, that a certificate was replaced. */
  | { readonly kind: 'write_lost'; readonly error: unknown }

/** How a registry decides, and whom it tells. */
export interface IdentityOptions {
  /**
   * The server that users come to, as `host:port` or parsed. Codes and statements made for another one are refused.
   */
  readonly origin: string | Endpoint
  readonly policy?: IdentityPolicy
  /**
   * A secret of 16 bytes or more, kept elsewhere than the database. With it the database has no fingerprints, only keyed
   * digests, which nobody can match with another site's. It cannot be changed or added later.
   */
  readonly pepper?: Uint8Array
  /** Default: `MemoryIdentityLimiter` with its defaults. */
  readonly limiter?: IdentityLimiter
  readonly clock?: Clock
  /** So many bytes that nobody can guess. Default: those of `node:crypto`. */
  readonly random?: (size: number) => Uint8Array
  /** Told of what happens to accounts. What it throws is ignored. */
  readonly onEvent?: (event: IdentityEvent) => void
}

/** @internal The names of the options, for whoever takes them and more. */
export const IDENTITY_OPTIONS = ['origin', 'policy', 'pepper', 'limiter', 'clock', 'random', 'onEvent']

/** @internal */
export class RegistryContext {
  readonly store: IdentityStore
  readonly origin: Endpoint
  readonly policy: SettledPolicy
  readonly authorities: Authorities
  readonly seen = new SeenDays()
  readonly #limiter: IdentityLimiter
  readonly #clock: Clock
  readonly #random: (size: number) => Uint8Array
  readonly #onEvent: ((event: IdentityEvent) => void) | undefined
  readonly #pepper: Uint8Array | null
  #marks: Marks | null = null
  #prunedAt = Number.NEGATIVE_INFINITY

  constructor(store: IdentityStore, options: IdentityOptions) {
    requireOptions('options', options, IDENTITY_OPTIONS)
    const { origin, policy, pepper, limiter, clock = systemClock, random = randomBytes, onEvent } = options
    requireFunction('clock', clock)
    requireFunction('random', random)
    if (onEvent !== undefined) requireFunction('onEvent', onEvent)
    if (limiter !== undefined && typeof limiter?.take !== 'function') {
      throw new TypeError(`"limiter" expected an object with a method take, got ${show(limiter)}`)
    }
    this.store = store
    this.origin = originOf(origin)
    this.policy = settlePolicy(policy)
    this.authorities = new Authorities(this.policy.authorities)
    // A pepper of `undefined` would be a variable that is not set, and a database that is not protected.
    this.#pepper = 'pepper' in options ? requirePepper(pepper) : null
    this.#clock = clock
    this.#random = random
    this.#limiter = limiter ?? new MemoryIdentityLimiter({ clock })
    this.#onEvent = onEvent
  }

  /** Milliseconds since the epoch. A clock that tells no time must not make everything valid. */
  now(): number {
    const now = this.#clock()
    if (!Number.isFinite(now)) throw new RangeError(`"clock" expected to give milliseconds, got ${show(now)}`)
    return Math.floor(now)
  }

  /** The digests, once they are settled; null before. */
  get settledMarks(): Marks | null {
    return this.#marks
  }

  /** Settles with the store how digests are made. What fails is tried again by the next who asks. */
  async marks(): Promise<Marks> {
    this.#marks ??= await Marks.settle(this.store, this.#pepper, this.random)
    return this.#marks
  }

  /** So many random bytes. A source that gives fewer would make codes, ids and keys that can be guessed. */
  readonly random = (size: number): Uint8Array => {
    const bytes = this.#random(size)
    if (bytes instanceof Uint8Array && bytes.length === size) return bytes
    throw new TypeError(`"random" expected to give ${size} bytes, and gave something else`)
  }

  /** A name that nothing else has: 26 characters, 130 bits. */
  newId(): string {
    return makeCode(26, this.random).toLowerCase()
  }

  /** Counts a try, and throws if there are none left. */
  async limit(attempt: LimitedTry): Promise<void> {
    const decision = await this.#limiter.take(attempt)
    if (decision.allowed === true) return
    this.emit({ kind: 'limited', action: attempt.action })
    const { retryAfterSeconds } = decision
    throw new IdentityError('ERR_TLACACOCA_IDENTITY_LIMITED', 'there were too many tries', { retryAfterSeconds })
  }

  /** Deletes what has expired, once in an hour, where strangers can make rows. */
  pruneAtTimes(): void {
    const now = this.now()
    if (Math.abs(now - this.#prunedAt) < PRUNE_EVERY_MS) return
    this.#prunedAt = now
    this.inBackground(() => this.store.prune(now, now - this.policy.eventTtlMs))
  }

  /** Lets something be written that nobody waits for. */
  inBackground(write: () => unknown): void {
    const lost = (error: unknown): void => this.emit({ kind: 'write_lost', error })
    try {
      const written = write()
      // A promise of any make: one that nobody waits for, and that fails, would end the process.
      if (isThenable(written)) written.then(undefined, lost)
    } catch (error) {
      lost(error)
    }
  }

  emit(event: IdentityEvent): void {
    try {
      this.#onEvent?.(event)
    } catch {
      // Whoever listens must not change what was decided.
    }
  }
}

/** @internal A certificate and how it is known here. */
export interface Presented {
  readonly peer: Peer
  readonly marks: Marks
  readonly sought: CertificateMarks
}

/** @internal The row that a certificate would have. */
export function newCredential(context: RegistryContext, presented: Presented, label: string | null): NewCredential {
  const { peer, marks, sought } = presented
  const [certificate] = sought.certificates
  if (certificate === undefined) throw new Error('a certificate without a mark')
  return {
    id: context.newId(),
    certificate,
    publicKey: sought.publicKey,
    fingerprint: marks.showsFingerprints ? peer.fingerprint : null,
    label,
    notBefore: peer.certificate.notBefore.getTime(),
    notAfter: peer.certificate.notAfter.getTime(),
  }
}

/** @internal The dates of a certificate, as far as they can be read. */
export function datesOf(
  peer: Peer,
  now: number,
): { validity: ReturnType<Peer['validityAt']> | 'malformed'; notAfter: number } {
  try {
    return { validity: peer.validityAt(new Date(now)), notAfter: peer.certificate.notAfter.getTime() }
  } catch (error) {
    if (error instanceof CertificateError) return { validity: 'malformed', notAfter: 0 }
    /* v8 ignore next -- @preserve only a fault of our own could be another error */
    throw error
  }
}

/** @internal */
export function requirePeer(peer: unknown): asserts peer is Peer {
  if (!Peer.is(peer)) throw new TypeError(`"peer" expected a Peer, got ${show(peer)}`)
}

/** @internal What a user calls a certificate: shown to people, so on one line and with nothing that steers a screen. */
export function readLabel(label: unknown): string | null {
  if (label === undefined || label === null) return null
  requireString('label', label)
  if (label.length < 1 || label.length > 64 || /\p{C}|\p{Zl}|\p{Zp}/u.test(label)) {
    const message = `the label ${show(label)} is not 1 to 64 characters on one line`
    throw new IdentityError('ERR_TLACACOCA_IDENTITY_LABEL_INVALID', message)
  }
  return label
}

const PRUNE_EVERY_MS = 3_600_000

function originOf(origin: unknown): Endpoint {
  if (Endpoint.is(origin)) return origin
  requireString('origin', origin)
  return parseEndpoint(origin)
}

function requirePepper(pepper: unknown): Uint8Array {
  // The letters of a text would be a key with much less in it than it seems.
  if (!(pepper instanceof Uint8Array)) throw new TypeError('"pepper" expected bytes')
  if (pepper.length < 16) throw new RangeError(`"pepper" expected 16 bytes or more, got ${pepper.length}`)
  return Uint8Array.from(pepper)
}
