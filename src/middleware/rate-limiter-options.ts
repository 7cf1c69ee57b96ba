// What a rate limiter can be told, and what is wrong with it found at construction.

import { requireFunction, requireOptions, show } from '../internal/arguments.ts'
import type { Clock } from '../internal/clock.ts'
import type { ClientPrefixes } from './address-keys.ts'
import type { AddressEntries } from './address-list.ts'
import type { BanList } from './ban-list.ts'
import type { MiddlewareRequest } from './middleware.ts'
import { type CompiledBy, compileBy, type RateLimitBy } from './rate-limit-key.ts'
import type { RateLimitStore } from './rate-limit-store.ts'
import type { BucketOptions } from './refill.ts'

/** How much is allowed, to whom, and where it is counted. */
export interface RateLimiterOptions<Store extends RateLimitStore | undefined = undefined>
  extends Partial<BucketOptions>,
    ClientPrefixes {
  /**
   * What has a bucket of its own: `address` (the default), `certificate`, `host`, `path`, `global`, several of them
   * together such as `['address', 'path']`, or a function that gives a text for a request, and null for one that is not
   * limited here.
   */
  readonly by?: RateLimitBy
  /** Only requests for this path and what is below it are limited. As in a URL; `/a` and `/a/` are the same. */
  readonly path?: string
  /**
   * Its name: of the middleware, of the `rule` in results, and in front of its keys in a store. 1 to 64 letters, digits
   * and `_.-`. Default `rate_limit`.
   */
  readonly name?: string
  /**
   * Where the buckets are, if not in the memory of this limiter. Everything goes through it then, by keys such as
   * `rate_limit:address:2001:db8::/64`, and if it answers with promises, so does the limiter. What it cannot answer is
   * denied. `maxKeys` and `clock` are its own business.
   */
  readonly store?: Store
  /**
   * Whose denials are offences. While a client is banned there, it is denied here as well; a `store` is not asked meanwhile,
   * so what is told then is the time of the ban alone.
   */
  readonly bans?: BanList
  /**
   * For how many buckets there is memory, 16 bytes each, taken at once. It should be larger than the number of those that
   * are short of tokens at the same time. Rounded up to a multiple of 8. Default 65,536, which is 1 MB.
   */
  readonly maxKeys?: number
  /** Who is not limited: addresses and ranges, as for `AccessControl`. */
  readonly exempt?: AddressEntries
  /** How many tokens a request costs, a number above 0. Default: the request's own `cost`, and 1 if it has none. */
  readonly cost?: (request: MiddlewareRequest) => number
  /** Milliseconds that go forward; only differences count. Default: the process's monotonic clock. */
  readonly clock?: Clock
}

/** What a limiter has done since it was made, requests and connections together. */
export interface RateLimitCounters {
  /** Those that took their tokens. */
  readonly allowed: number
  /** Denied for want of tokens. */
  readonly denied: number
  /** Denied without looking at the bucket, because the client was banned. */
  readonly banned: number
  /** Allowed because the client is exempt. */
  readonly exempt: number
  /** Allowed because the limit does not apply: another path, no certificate, no key. */
  readonly unlimited: number
  /** Denied because the store failed. */
  readonly failed: number
  /** Buckets that had to make room for others while they lacked tokens. Always 0 with a store. */
  readonly forgotten: number
}

/** Checks what other parts do not check themselves, and gives `by` as it is applied. */
export function checkOptions(options: RateLimiterOptions<RateLimitStore | undefined>): CompiledBy {
  requireOptions('options', options, KNOWN)
  const { by = 'address', name, cost, store, bans } = options
  if (cost !== undefined) requireFunction('cost', cost)
  if (name !== undefined && (typeof name !== 'string' || !NAME.test(name))) {
    throw new TypeError(`"name" expected 1 to 64 letters, digits and "_.-", got ${show(name)}`)
  }
  const compiled = compileBy(by)
  if (store !== undefined) requireStore(store)
  if (bans !== undefined) requireBans(bans, compiled)
  return compiled
}

const NAME = /^[\w.-]{1,64}$/

const KNOWN = [
  'capacity',
  'refillPerSecond',
  'by',
  'path',
  'name',
  'store',
  'bans',
  'ipv6PrefixLength',
  'ipv4PrefixLength',
  'maxKeys',
  'exempt',
  'cost',
  'clock',
]

function requireStore(store: RateLimitStore): void {
  for (const method of ['consume', 'peek', 'reset'] as const) {
    if (typeof store?.[method] !== 'function') {
      throw new TypeError(`"store" expected an object with a method ${method}, got ${show(store)}`)
    }
  }
}

function requireBans(bans: BanList, by: CompiledBy): void {
  requireFunction('bans.report', bans?.report)
  requireFunction('bans.secondsLeft', bans.secondsLeft)
  // One client would use up what all share, and the others would be banned for it.
  if (Array.isArray(by) && !by.includes('address') && !by.includes('certificate')) {
    throw new TypeError(`"bans" cannot stand beside a limit by ${by.join(' and ')}: it would ban who has done nothing`)
  }
}
