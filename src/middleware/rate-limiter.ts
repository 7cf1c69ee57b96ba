import { requireFunction, requireInteger, requireOptions, show } from '../internal/arguments.ts'
import type { Clock } from '../internal/clock.ts'
import { ClientAddress } from '../names/client-address.ts'
import type { ConnectionGuard } from '../net/connection-guard.ts'
import { AddressTable } from './address-table.ts'
import { BucketTable } from './bucket-table.ts'
import { hostMask } from './interval-table.ts'
import { ALLOWED, type Middleware, type MiddlewareRequest, type MiddlewareResult } from './middleware.ts'
import { type BucketOptions, Refill, type TokenBucketResult } from './refill.ts'
import { monotonicClock, SteadyTime } from './steady-time.ts'

export interface RateLimiterOptions extends Partial<BucketOptions> {
  /**
   * How many leading bits of an IPv6 address make one client, 0 to 128. Default 64: a /64 is one network, and whoever
   * has it can use a new address for each request. Providers also give out /56 and /48.
   */
  readonly ipv6PrefixLength?: number
  /** How many leading bits of an IPv4 address make one client, 0 to 32. Default 32. */
  readonly ipv4PrefixLength?: number
  /**
   * For how many clients there is memory, 24 bytes each, taken at once. It should be larger than the number of clients
   * that are short of tokens at the same time. Rounded up to a multiple of 8. Default 65,536, which is 1.5 MB.
   */
  readonly maxKeys?: number
  /** Who is not limited: addresses and ranges, as for `AccessControl`. */
  readonly exempt?: Iterable<string>
  /** How many tokens a request costs, a number above 0. Default: the request's own `cost`, and 1 if it has none. */
  readonly cost?: (request: MiddlewareRequest) => number
  /** Milliseconds that go forward; only differences count. Default: the process's monotonic clock. */
  readonly clock?: Clock
}

/**
 * Limits how often each client may ask: a token bucket (see {@link TokenBucket}) for every IPv4 address and every IPv6
 * /64. A refusal says `rate_limit` and after how many seconds the same request will pass; without that number, the
 * request costs more than a bucket holds and never will.
 *
 * Memory is fixed at construction. A flood of new addresses cannot make it grow, nor lock out anybody who has tokens. It
 * can make the limiter forget who has none only by using up the tokens of more than `maxKeys` addresses at once.
 *
 * `decide` throws a `RangeError` if the cost is not a finite number above 0; in a chain that is a refusal.
 *
 * @throws {RangeError} If a number is out of its range; a rate of NaN or Infinity would never limit anybody.
 * @throws {InvalidNameError} `ERR_TLACACOCA_ADDRESS_INVALID` for an entry of `exempt` that is no range.
 * @example
 * import { RateLimiter } from 'tlacacoca/middleware'
 *
 * const requests = new RateLimiter({ capacity: 10, refillPerSecond: 1, exempt: ['127.0.0.1', '::1'] })
 */
export class RateLimiter implements Middleware, ConnectionGuard {
  readonly name = 'rate_limit'
  readonly #refill: Refill
  readonly #table: BucketTable
  readonly #time: SteadyTime
  readonly #exempt: AddressTable | null
  readonly #cost: ((request: MiddlewareRequest) => number) | null
  /** What is kept of the last word of an IPv4 address, and of the four words of an IPv6 address. */
  readonly #ipv4Mask: number
  readonly #ipv6Masks: Int32Array
  readonly #key = new Int32Array(4)

  constructor(options: RateLimiterOptions = {}) {
    requireOptions('options', options, KNOWN)
    const { capacity = 10, refillPerSecond = 1, ipv6PrefixLength = 64, ipv4PrefixLength = 32 } = options
    const { maxKeys = 65_536, exempt, cost, clock = monotonicClock } = options
    requireInteger('ipv6PrefixLength', ipv6PrefixLength, 0, 128)
    requireInteger('ipv4PrefixLength', ipv4PrefixLength, 0, 32)
    requireInteger('maxKeys', maxKeys, 1, MAX_KEYS)
    if (cost !== undefined) requireFunction('cost', cost)
    this.#refill = new Refill({ capacity, refillPerSecond })
    this.#time = new SteadyTime(clock)
    this.#exempt = exempt === undefined ? null : new AddressTable([{ name: 'exempt', tag: 1, ranges: exempt }])
    this.#cost = cost ?? null
    this.#ipv4Mask = ~hostMask(ipv4PrefixLength)
    this.#ipv6Masks = Int32Array.from([0, 32, 64, 96], (offset) => ~hostMask(ipv6PrefixLength - offset))
    this.#table = new BucketTable(maxKeys)
  }

  decide(request: MiddlewareRequest): MiddlewareResult {
    const { address } = request
    if (this.#isExempt(address)) return ALLOWED
    const refill = this.#refill
    const units = refill.cost(this.#cost === null ? (request.cost ?? 1) : this.#cost(request))
    const missing = this.#take(address, units)
    if (missing <= 0) return ALLOWED
    if (units > refill.capacity) {
      return { allowed: false, denialReason: 'rate_limit', detail: 'the request costs more than the limit ever allows' }
    }
    return { allowed: false, denialReason: 'rate_limit', retryAfterSeconds: refill.secondsFor(missing) }
  }

  /**
   * Takes one token for a connection, for `guards` of a server: then handshakes are limited, not requests. One limiter
   * in both places would count everybody twice.
   */
  opened(address: ClientAddress): { readonly accept: boolean } {
    return { accept: this.#isExempt(address) || this.#take(address, this.#refill.cost(1)) <= 0 }
  }

  /** What a request of this client would be told now, and how many tokens there are. Takes nothing. */
  peek(address: ClientAddress, cost = 1): TokenBucketResult {
    requireAddress(address)
    const now = this.#time.now() * this.#refill.unitsPerMs
    return this.#refill.answer(Math.max(0, this.#table.fullAt(this.#keyOf(address)) - now), this.#refill.cost(cost))
  }

  /** Gives a client, with all addresses that count as the same, all tokens back. */
  reset(address: ClientAddress): void {
    requireAddress(address)
    this.#table.reset(this.#keyOf(address))
  }

  /** How many clients have less than all their tokens. Looks at the whole table. */
  get size(): number {
    return this.#table.countUsed(this.#time.now() * this.#refill.unitsPerMs)
  }

  /** For how many clients there is memory. */
  get maxKeys(): number {
    return this.#table.capacity
  }

  #isExempt(address: ClientAddress): boolean {
    requireAddress(address)
    return this.#exempt !== null && this.#exempt.tagAt(address) !== 0
  }

  /** How many units are missing; they were taken if it is 0 or less. */
  #take(address: ClientAddress, units: number): number {
    const now = this.#time.now() * this.#refill.unitsPerMs
    return this.#table.take(this.#keyOf(address), units, this.#refill.capacity, now)
  }

  // An IPv4 key is written as a mapped IPv6 address, `::ffff:a.b.c.d`. No IPv6 `ClientAddress` is one, and masking one
  // cannot make it one either, because the lowest bit of the `ffff` is kept only if all bits above it are.
  #keyOf(address: ClientAddress): Int32Array {
    const key = this.#key
    if (address.family === 4) {
      key[0] = 0
      key[1] = 0
      key[2] = 0xffff
      key[3] = address.w3 & this.#ipv4Mask
    } else {
      const masks = this.#ipv6Masks
      key[0] = address.w0 & (masks[0] as number)
      key[1] = address.w1 & (masks[1] as number)
      key[2] = address.w2 & (masks[2] as number)
      key[3] = address.w3 & (masks[3] as number)
    }
    return key
  }
}

function requireAddress(address: unknown): void {
  if (!ClientAddress.is(address)) throw new TypeError(`"address" expected a ClientAddress, got ${show(address)}`)
}

const KNOWN = [
  'capacity',
  'refillPerSecond',
  'ipv6PrefixLength',
  'ipv4PrefixLength',
  'maxKeys',
  'exempt',
  'cost',
  'clock',
]

// 400 MB. More addresses than that are not told apart by any limit that helps.
const MAX_KEYS = 2 ** 24
