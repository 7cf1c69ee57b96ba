import { requireFunction, show } from './arguments.ts'

/**
 * A source of wall-clock time: milliseconds since the Unix epoch, as `Date.now` gives them. Whatever depends on the
 * time takes one, so that tests can hold it still and a program can replay the past.
 */
export type Clock = () => number

/** The computer's own clock. */
export const systemClock: Clock = () => Date.now()

/**
 * A clock that throws where the one that was given tells no time, or one that cannot be written as a date and read again
 * (ISO 8601 and TOML have years of four digits): what was stored by it would be there for ever.
 *
 * @param clock - Default: the computer's, which is none of those.
 */
export function checkedClock(clock: Clock | undefined): Clock {
  if (clock === undefined) return systemClock
  requireFunction('clock', clock)
  return () => {
    const now = clock()
    if (now >= FIRST && now <= LAST) return now
    throw new RangeError(`"clock" expected milliseconds of the years 1 to 9999, got ${show(now)}`)
  }
}

const FIRST = Date.parse('0001-01-01T00:00:00Z')
const LAST = Date.parse('9999-12-31T23:59:59.999Z')
