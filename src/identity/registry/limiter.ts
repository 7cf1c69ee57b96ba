// How often somebody may try. Codes are long enough not to be guessed; a limit keeps it so if one is cut short by a
// mistake, and keeps people from being flooded with requests.

import { requireFunction, requireInteger, requireOptions } from '../../internal/arguments.ts'
import { type Clock, systemClock } from '../../internal/clock.ts'
import { TryWindows } from '../../internal/try-windows.ts'
import type { Awaitable } from './identity-store.ts'

/** What somebody tries: to use a code, to recover an account, to be let in by its owner; or, as a user, to make a code. */
export type LimitedAction = 'redeem' | 'recover' | 'request_link' | 'create_code'

/** One try. */
export interface LimitedTry {
  /** What is tried. */
  readonly action: LimitedAction
  /** Who tries, or whose account it is about: a keyed digest of a certificate or a handle, or the id of a user. */
  readonly subject: { readonly kind: 'certificate' | 'handle' | 'user'; readonly id: string }
}

/** An answer is an object, never a bare boolean: a forgotten `await` must not read as "yes". */
export type LimitDecision = { readonly allowed: true } | { readonly allowed: false; readonly retryAfterSeconds: number }

/**
 * Counts tries. Promises to implement:
 *
 * 1. `take` counts the try, and allows it if it is one of the first few; the same try in two places at once is two tries.
 * 2. A limiter that cannot tell throws, and the try is not made.
 */
export interface IdentityLimiter {
  /** Counts a try, and says whether it may be made. */
  take(attempt: LimitedTry): Awaitable<LimitDecision>
}

/** How many tries there are. */
export interface MemoryLimiterOptions {
  /** How many tries a certificate has in a window. Default 5. */
  readonly perCertificate?: number
  /** How many tries there are in a window about one user or handle. Default 20. */
  readonly perUser?: number
  /** Milliseconds; default 600,000, which is as long as a link code lives. */
  readonly windowMs?: number
  /** For how many certificates, users and handles there is memory, each. Default 10,000. */
  readonly maxSubjects?: number
  readonly clock?: Clock
}

/**
 * A limiter in the memory of one process: by default 5 tries for each certificate and 20 for each user in ten minutes.
 * Where there is memory for no more, the one that began to try first is forgotten.
 *
 * @example
 * import { IdentityRegistry, MemoryIdentityLimiter } from 'tlacacoca/identity'
 *
 * const limiter = new MemoryIdentityLimiter({ perCertificate: 3 })
 * const registry = await IdentityRegistry.open({ appName: 'my-capsule', origin: 'example.org:1965', limiter })
 * await registry.close()
 */
export class MemoryIdentityLimiter implements IdentityLimiter {
  readonly #windows: Readonly<Record<LimitedTry['subject']['kind'], TryWindows>>

  constructor(options: MemoryLimiterOptions = {}) {
    requireOptions('options', options, ['perCertificate', 'perUser', 'windowMs', 'maxSubjects', 'clock'])
    const { perCertificate = 5, perUser = 20, windowMs = 600_000, maxSubjects = 10_000, clock = systemClock } = options
    requireInteger('perCertificate', perCertificate, 1, 1_000_000)
    requireInteger('perUser', perUser, 1, 1_000_000)
    requireInteger('windowMs', windowMs, 1, Number.MAX_SAFE_INTEGER)
    requireInteger('maxSubjects', maxSubjects, 1, 10_000_000)
    requireFunction('clock', clock)
    const perSubject = (limit: number): TryWindows => new TryWindows({ limit, windowMs, maxSubjects, clock })
    this.#windows = {
      certificate: perSubject(perCertificate),
      handle: perSubject(perUser),
      user: perSubject(perUser),
    }
  }

  take({ action, subject: { kind, id } }: LimitedTry): LimitDecision {
    return this.#windows[kind].take(`${action} ${id}`)
  }
}
