import { requireDate, requireInteger } from '../internal/arguments.ts'
import type { Clock } from '../internal/clock.ts'

/** A clock that stands still until it is moved. */
export type FixedClock = Clock & {
  /** Moves it forward by so many milliseconds, or back if they are negative. */
  advance(ms: number): void
  /** Sets it to an instant. */
  set(instant: Date): void
}

/**
 * Makes a clock for tests of what depends on the time.
 *
 * @param start - Where it stands at first.
 * @example
 * import { TokenBucket } from 'tlacacoca/middleware'
 * import { fixedClock } from 'tlacacoca/testing'
 *
 * const clock = fixedClock(new Date('2030-06-01T12:00:00Z'))
 * const bucket = new TokenBucket({ capacity: 1, refillPerSecond: 1, clock })
 * bucket.tryConsume()
 * console.log(bucket.tryConsume().allowed) // false
 * clock.advance(1000)
 * console.log(bucket.tryConsume().allowed) // true
 */
export function fixedClock(start: Date): FixedClock {
  requireDate('start', start)
  let now = start.getTime()
  return Object.assign(() => now, {
    advance(ms: number): void {
      requireInteger('ms', ms, -MAX_STEP, MAX_STEP)
      now += ms
    },
    set(instant: Date): void {
      requireDate('instant', instant)
      now = instant.getTime()
    },
  })
}

// The range of `Date` (ECMAScript, section Time Values).
const MAX_STEP = 8.64e15
