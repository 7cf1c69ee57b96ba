// The arithmetic of a token bucket, in whole numbers.
//
// A bucket is kept as one number: the moment at which it is full again (the generic cell rate algorithm, ITU-T I.371,
// calls it the theoretical arrival time). What is missing is the way from now to that moment. Taking a token moves it
// further away; nothing has to be added when time passes, so there is no timer.
//
// Moments, tokens and costs are all counted in one unit, chosen so that a millisecond and a token both are a whole
// number of them. 3 tokens a second: a millisecond is 3 units, a token is 1000. So nothing is ever rounded, no drift
// adds up, and the same request passes after exactly the time that it was told.
//
// Invariant: `fullAt - now * unitsPerMs` is at most `capacity` units. Sums are exact below 2^53, which the time reaches
// after a year at the oddest of rates and after thousands of years at 1 per second; from then on they are off by a unit.

import { requireInteger, requirePositive } from '../internal/arguments.ts'

/** What a token bucket is made of. */
export interface BucketOptions {
  /** How many tokens it holds: the greatest burst. A whole number. */
  readonly capacity: number
  /** How many tokens come back per second; 0.1 is one every ten seconds. Kept to within a few millionths. */
  readonly refillPerSecond: number
}

/** What a bucket answers to a request for tokens. */
export type TokenBucketResult = TokensTaken | TokensMissing

/** The tokens were there, and are taken. */
export interface TokensTaken {
  readonly allowed: true
  /** Tokens left, which may be a fraction. */
  readonly remaining: number
}

/** There are not enough tokens, and none is taken. */
export interface TokensMissing {
  readonly allowed: false
  /** Tokens left, which may be a fraction. */
  readonly remaining: number
  /**
   * After how many whole seconds the same request passes if nothing else is taken. Missing if it never will, because
   * it asks for more than the bucket holds.
   */
  readonly retryAfterSeconds?: number
}

export class Refill {
  readonly unitsPerMs: number
  readonly unitsPerToken: number
  readonly capacity: number

  constructor({ capacity, refillPerSecond }: BucketOptions) {
    requireInteger('capacity', capacity, 1, MAX_CAPACITY)
    requirePositive('refillPerSecond', refillPerSecond)
    if (refillPerSecond > MAX_RATE) {
      throw new RangeError(`"refillPerSecond" expected at most ${MAX_RATE}, got ${refillPerSecond}`)
    }
    const [perMs, perToken] = fraction(refillPerSecond / 1000, MAX_UNITS_PER_MS, Math.floor(MAX_UNITS / capacity))
    if (perMs === 0) {
      throw new RangeError(`"refillPerSecond" is so small (${refillPerSecond}) that ${capacity} tokens never come back`)
    }
    this.unitsPerMs = perMs
    this.unitsPerToken = perToken
    this.capacity = capacity * perToken
  }

  /** A cost in units, rounded up. Nothing is free: a cost of 0 would be a way round the limit. */
  cost(tokens: number): number {
    requirePositive('cost', tokens)
    return Math.ceil(tokens * this.unitsPerToken)
  }

  /** How many tokens are left when so many units are used. */
  tokensLeft(used: number): number {
    return (this.capacity - used) / this.unitsPerToken
  }

  /** What is said to a request for `units`, given how many of the bucket are used; `remaining` is what there is now. */
  answer(used: number, units: number): TokenBucketResult {
    const remaining = this.tokensLeft(used)
    const missing = used + units - this.capacity
    if (missing <= 0) return { allowed: true, remaining }
    if (units > this.capacity) return { allowed: false, remaining }
    return { allowed: false, remaining, retryAfterSeconds: this.secondsFor(missing) }
  }

  /** After how many whole seconds `missing` units have come back. */
  secondsFor(missing: number): number {
    // The division rounds, but what it rounds off is no whole unit: for that, 2 ** 53 of them would have to be missing.
    return Math.ceil(missing / (this.unitsPerMs * 1000))
  }
}

// A quarter of a million units a millisecond: enough to come within a few millionths of any rate, and few enough for
// the year above. Who counts more tokens than that can count larger ones.
const MAX_UNITS_PER_MS = 2 ** 18
const MAX_RATE = MAX_UNITS_PER_MS * 1000
// Room for a full bucket, a cost and the time on top of it, all within the 53 bits of a number.
const MAX_UNITS = 2 ** 51
const MAX_CAPACITY = 1e12

/** The simplest fraction that equals `value`, or one close to it within the bounds, by its continued fraction. */
function fraction(value: number, maxNumerator: number, maxDenominator: number): [number, number] {
  let [n0, d0, n1, d1] = [0, 1, 1, 0]
  let rest = value
  for (;;) {
    const whole = Math.floor(rest)
    const [n2, d2] = [whole * n1 + n0, whole * d1 + d0]
    if (n2 > maxNumerator || d2 > maxDenominator) return [n1, d1]
    ;[n0, d0, n1, d1] = [n1, d1, n2, d2]
    if (Math.abs(n1 / d1 - value) <= value * 2 ** -50 || rest === whole) return [n1, d1]
    rest = 1 / (rest - whole)
  }
}
