// How often somebody may ask for a certificate. A client hash is a word in a URL and can be guessed at; every certificate
// is kept for years. So tries are counted before anything of a request is read, whatever becomes of them.

import type { Peer } from '../certificate/peer.ts'
import { requireFunction, requireInteger, requireOptions } from '../internal/arguments.ts'
import { type Clock, systemClock } from '../internal/clock.ts'
import { TryWindows } from '../internal/try-windows.ts'
import type { DenialReason, Middleware } from '../middleware/middleware.ts'
import type { ClientAddress } from '../names/client-address.ts'
import { targetFromParts } from '../names/request-target.ts'

/** One try to have something signed. */
export interface SigningAttempt {
  readonly action: 'sign' | 'renew' | 'rekey'
  /** The path of the request: `/api/csr/<clientHash>`, `/renew` or `/rekey`. */
  readonly path: string
  /** From where; null if nobody knows, as on a Unix socket whose proxy is not trusted. */
  readonly address: ClientAddress | null
  /** For whom, as the path says; null for a renewal, where the certificate says it. */
  readonly clientHash: string | null
  /** The client, if it showed a certificate. */
  readonly peer: Peer | null
}

/** An answer is an object, never a bare boolean: a forgotten `await` must not read as "yes". */
export type SigningLimit =
  | { readonly allowed: true }
  | {
      readonly allowed: false
      /** After how many whole seconds the next try will be, where that is known. */
      readonly retryAfterSeconds?: number
      /** Default `rate_limit`. */
      readonly denialReason?: DenialReason
    }

/**
 * Says who may try. Promises to implement:
 *
 * 1. `take` counts the try, and allows it if it is one of the first few; the same try in two places at once is two tries.
 * 2. Whatever is not exactly `allowed: true` counts as no, and so does a limiter that throws.
 */
export interface AuthorityLimiter {
  /** Counts a try, and says whether it may be made. */
  take(attempt: SigningAttempt): SigningLimit | Promise<SigningLimit>
}

/** How many tries there are. */
export interface AuthorityLimiterOptions {
  /** How many tries an IPv4 address or an IPv6 /64 has in a window. Default 20. */
  readonly perAddress?: number
  /** How many tries there are in a window for one client hash, or with one certificate. Default 100. */
  readonly perClient?: number
  /** Milliseconds; default 600,000. */
  readonly windowMs?: number
  /** For how many addresses and clients there is memory, each. Default 10,000. */
  readonly maxSubjects?: number
  readonly clock?: Clock
}

/**
 * A limiter in the memory of one process: by default 20 tries for each address and 100 for each client in ten minutes.
 * All requests whose address nobody knows are one client, so behind a proxy say `trustedProxies`. Where there is memory
 * for no more, the one that began to try first is forgotten.
 *
 * @throws {RangeError} If a number is out of its range.
 * @example
 * import { CertificateAuthority, createAuthorityHandler, MemoryAuthorityLimiter, SigningHooks } from 'tlacacoca/authority'
 *
 * class Hooks extends SigningHooks {
 *   override authorize() {
 *     return '90d'
 *   }
 * }
 * const authority = await CertificateAuthority.open('/var/lib/ca', { hooks: (context) => new Hooks(context) })
 * const handler = createAuthorityHandler(authority, { limiter: new MemoryAuthorityLimiter({ perAddress: 5 }) })
 * console.log(typeof handler)
 */
export class MemoryAuthorityLimiter implements AuthorityLimiter {
  readonly #addresses: TryWindows
  readonly #clients: TryWindows

  constructor(options: AuthorityLimiterOptions = {}) {
    requireOptions('options', options, ['perAddress', 'perClient', 'windowMs', 'maxSubjects', 'clock'])
    const { perAddress = 20, perClient = 100, windowMs = 600_000, maxSubjects = 10_000, clock = systemClock } = options
    requireInteger('perAddress', perAddress, 1, 1_000_000)
    requireInteger('perClient', perClient, 1, 1_000_000)
    requireInteger('windowMs', windowMs, 1, Number.MAX_SAFE_INTEGER)
    requireInteger('maxSubjects', maxSubjects, 1, 10_000_000)
    requireFunction('clock', clock)
    const shared = { windowMs, maxSubjects, clock }
    this.#addresses = new TryWindows({ ...shared, limit: perAddress })
    this.#clients = new TryWindows({ ...shared, limit: perClient })
  }

  take(attempt: SigningAttempt): SigningLimit {
    // The address first: who has used up their own tries must not use up those of a client whose hash they know.
    const byAddress = this.#addresses.take(network(attempt.address))
    if (!byAddress.allowed) return byAddress
    const client = attempt.clientHash ?? attempt.peer?.fingerprint
    return client === undefined ? byAddress : this.#clients.take(client)
  }
}

/**
 * Makes a limiter of middleware, such as a {@link RateLimiter} or a whole chain with access control. It sees each try as
 * a request for `https://localhost` and the path. A try whose address nobody knows is refused, since neither could judge it.
 *
 * @throws {TypeError} If `middleware` has no method `decide`.
 * @example
 * import { AccessControl, MiddlewareChain, RateLimiter } from 'tlacacoca/middleware'
 * import { limitByMiddleware } from 'tlacacoca/authority'
 *
 * const office = new AccessControl({ allowList: ['192.0.2.0/24'] })
 * const limiter = limitByMiddleware(new MiddlewareChain([office, new RateLimiter({ refillPerSecond: 0.1 })]))
 * console.log(typeof limiter.take)
 */
export function limitByMiddleware(middleware: Middleware): AuthorityLimiter {
  requireFunction('middleware.decide', middleware?.decide)
  return {
    take({ path, address, peer }) {
      if (address === null) return { allowed: false, denialReason: 'access_denied' }
      const target = targetFromParts({ scheme: 'https', host: 'localhost', port: 443, path }, { served: 'any' })
      return middleware.decide({ target, address, peer })
    },
  }
}

// A /64 is one network, and whoever has it can use a new address for each request.
function network(address: ClientAddress | null): string {
  if (address === null) return 'unknown'
  return address.family === 4 ? `4 ${address.w3}` : `6 ${address.w0} ${address.w1}`
}
