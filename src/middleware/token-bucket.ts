import { requireOptions } from '../internal/arguments.ts'
import type { Clock } from '../internal/clock.ts'
import { type BucketOptions, Refill, type TokenBucketResult } from './refill.ts'
import { monotonicClock, SteadyTime } from './steady-time.ts'

export interface TokenBucketOptions extends BucketOptions {
  /** Milliseconds that go forward; only differences count. Default: the process's monotonic clock. */
  readonly clock?: Clock
}

/**
 * Allows bursts up to its capacity and, over time, no more than its rate. It starts full. In any span of
 * t seconds, to the millisecond, it allows at most `capacity + t * refillPerSecond` tokens, and no rounding adds up.
 *
 * It has no timer and holds nothing that must be closed. For many clients at once see {@link RateLimiter}.
 *
 * @throws {RangeError} If `capacity` is not a whole number above 0, or the rate not a finite number above 0: a rate of
 *   NaN or Infinity would never limit anybody.
 * @example
 * import { TokenBucket } from 'tlacacoca/middleware'
 *
 * const bucket = new TokenBucket({ capacity: 3, refillPerSecond: 0.5 })
 * const result = bucket.tryConsume(2)
 * if (!result.allowed) console.log(`try again in ${result.retryAfterSeconds} s`)
 */
export class TokenBucket {
  readonly #refill: Refill
  readonly #time: SteadyTime
  #fullAt = 0

  constructor(options: TokenBucketOptions) {
    requireOptions('options', options, ['capacity', 'refillPerSecond', 'clock'])
    this.#refill = new Refill(options)
    this.#time = new SteadyTime(options.clock ?? monotonicClock)
  }

  /**
   * Takes `cost` tokens if there are so many, and none otherwise.
   *
   * @param cost - A finite number above 0. Default 1.
   * @throws {RangeError} If `cost` is not such a number.
   */
  tryConsume(cost = 1): TokenBucketResult {
    const now = this.#now()
    const used = Math.max(0, this.#fullAt - now)
    const units = this.#refill.cost(cost)
    const answer = this.#refill.answer(used, units)
    if (!answer.allowed) return answer
    this.#fullAt = now + used + units
    return { allowed: true, remaining: this.#refill.tokensLeft(used + units) }
  }

  /** What {@link TokenBucket.tryConsume} would answer, but nothing is taken, and `remaining` is what there is now. */
  peek(cost = 1): TokenBucketResult {
    return this.#refill.answer(Math.max(0, this.#fullAt - this.#now()), this.#refill.cost(cost))
  }

  #now(): number {
    return this.#time.now() * this.#refill.unitsPerMs
  }
}
