// Time that only goes forward, in whole milliseconds since it was made.
//
// A clock that is set back must not take tokens away, give some, or stop the refill until it has caught up again. So
// only the steps forward are added up: after a step back, time goes on from there at its usual pace.
//
// Whole milliseconds make `retryAfterSeconds` exact: if the clock reads t now and t + 1000 n later, at least 1000 n
// have passed here, whatever fractions t has. (With microseconds, rounding could lose one.)

// The global of the same name is a getter, which costs more than the reading.
import { performance } from 'node:perf_hooks'
import { requireFunction } from '../internal/arguments.ts'
import type { Clock } from '../internal/clock.ts'

/** The default: a clock that nobody sets. Its zero is the start of the process. */
export const monotonicClock: Clock = () => performance.now()

export class SteadyTime {
  readonly #clock: Clock
  #reading: number
  #elapsed = 0

  constructor(clock: Clock) {
    requireFunction('clock', clock)
    this.#clock = clock
    this.#reading = read(clock)
  }

  /** Whole milliseconds since construction. */
  now(): number {
    const reading = read(this.#clock)
    this.#elapsed += Math.max(0, reading - this.#reading)
    this.#reading = reading
    return this.#elapsed
  }
}

function read(clock: Clock): number {
  const reading = Math.floor(clock())
  // Comparisons with NaN are false, and a limit made of them would let everybody through or nobody, for ever.
  if (!Number.isFinite(reading)) throw new RangeError(`"clock" expected to give milliseconds, gave ${reading}`)
  return reading
}
