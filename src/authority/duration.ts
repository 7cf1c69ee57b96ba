// For how long something is valid, as people write it. A day is 24 hours and a year is a year of the calendar, both in UTC:
// no time zone, and so no summer time, has a say in when a certificate ends.

import { requireDate, show } from '../internal/arguments.ts'

/**
 * How long something is valid: `'10y'` (years), `'30d'` (days), `'12h'` (hours) or `'3600s'` (seconds). A number, or text
 * of digits alone, is years. Whole and greater than zero.
 */
export type Duration = number | string

/** A duration that has been read. */
export interface ParsedDuration {
  /**
   * The instant that is so much later than `date`. A year after 29 February is 28 February, unless that year has a 29th as
   * well: nothing is ever valid for longer than was said.
   *
   * @throws {RangeError} If it would be after the year 9999, where the dates of certificates end.
   */
  from(date: Date): Date
}

/**
 * Reads a duration.
 *
 * @param name - What it is called in messages. Default `duration`.
 * @throws {TypeError} For what is neither a number nor text.
 * @throws {RangeError} For any other text or number.
 * @example
 * import { parseDuration } from 'tlacacoca/authority'
 *
 * console.log(parseDuration('90d').from(new Date())) // in 90 days
 * console.log(parseDuration(10).from(new Date())) // in ten years
 */
export function parseDuration(duration: Duration, name = 'duration'): ParsedDuration {
  if (typeof duration !== 'number' && typeof duration !== 'string') {
    throw new TypeError(`"${name}" expected a number of years or a text such as "90d", got ${show(duration)}`)
  }
  // A number becomes text here: "1e+21", "-1", "0.5" and "NaN" are all no durations.
  const parts = GRAMMAR.exec(String(duration))
  if (parts === null) {
    const wanted = 'a whole number above zero, of years, or with a unit: "10y", "90d", "12h", "3600s"'
    throw new RangeError(`"${name}" expected ${wanted}; got ${show(duration)}`)
  }
  const count = Number(parts[1])
  const unit = parts[2] ?? 'y'
  return {
    from(date) {
      requireDate('date', date)
      const end = unit === 'y' ? yearsAfter(date, count) : date.getTime() + count * (MILLISECONDS[unit] ?? Number.NaN)
      if (!(end <= LATEST)) {
        throw new RangeError(`"${name}" expected an end before the year 10000, and ${show(duration)} is beyond it`)
      }
      return new Date(end)
    },
  }
}

// Ten digits of seconds are more than 300 years, and of everything else more than there is.
const GRAMMAR = /^([1-9][0-9]{0,9})([ydhs])?$/
const MILLISECONDS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, s: 1000 }

// RFC 5280 section 4.1.2.5: the last instant that a certificate can name.
const LATEST = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

function yearsAfter(date: Date, years: number): number {
  const end = new Date(date)
  end.setUTCFullYear(date.getUTCFullYear() + years)
  // A 29 February that the year has not got becomes 1 March; day 0 of March is the last of February.
  if (end.getUTCMonth() !== date.getUTCMonth()) end.setUTCDate(0)
  return end.getTime()
}
