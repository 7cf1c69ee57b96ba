// Instants as the files of the relatives hold them. They write Python's `datetime.isoformat()` in UTC, and people write
// what TOML or their editor likes: a space for the `T`, `Z`, another offset, no offset at all.
//
// Read by hand, digit by digit: `new Date('2026-02-30T00:00Z')` is the 2nd of March, an instant without an offset would
// depend on the computer's time zone, and a million hosts have two million dates.

import { requireDate } from '../internal/arguments.ts'

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
const COLON = 0x3a
const DASH = 0x2d
const DOT = 0x2e

/**
 * Writes instants as `datetime.isoformat()` does: six digits of a second, or none if they are zero. Joining prepared
 * pieces takes a quarter of the time of `toISOString`, which would be most of the cost of an export.
 */
export class InstantFormatter {
  readonly #days = new Map<number, string>()
  readonly #minutes = Array.from({ length: 1440 }, (_, i) => `${two(Math.floor(i / 60))}:${two(i % 60)}:`)
  readonly #seconds = Array.from({ length: 60 }, (_, i) => two(i))
  readonly #fractions = Array.from({ length: 1000 }, (_, i) => (i === 0 ? '' : `.${String(i).padStart(3, '0')}000`))

  /** @throws {RangeError} Outside the years 1 to 9999, which is all that Python can read. */
  format(instant: Date): string {
    const time = instant.getTime()
    const day = Math.floor(time / DAY_MS)
    const date = this.#days.get(day) ?? this.#formatDay(day, instant)
    const ms = time - day * DAY_MS
    const minute = Math.floor(ms / MINUTE_MS)
    const second = Math.floor((ms - minute * MINUTE_MS) / 1000)
    return `${date}${this.#minutes[minute]}${this.#seconds[second]}${this.#fractions[ms % 1000]}+00:00`
  }

  #formatDay(day: number, instant: Date): string {
    requireDate('instant', instant)
    const iso = instant.toISOString()
    if (iso.length !== 24 || iso.startsWith('0000')) throw new RangeError(`${iso} is outside the years 1 to 9999`)
    if (this.#days.size >= MAX_DAYS) this.#days.clear()
    const date = iso.slice(0, 11)
    this.#days.set(day, date)
    return date
  }
}

// Thirty years of days; pins seldom span more, and dates of hostile ones must not fill the memory.
const MAX_DAYS = 10_000

function two(value: number): string {
  return value < 10 ? `0${value}` : `${value}`
}

/**
 * Reads a date with or without a time and an offset; without an offset it is UTC, without a time it is midnight. What
 * is finer than a millisecond is cut off. Returns undefined for anything that the calendar does not have.
 */
export function parseInstant(text: string): Date | undefined {
  const date = readDate(text)
  if (date === undefined) return undefined
  if (text.length === 10) return new Date(date)
  if (!isOneOf(text, 10, 'Tt ')) return undefined

  const hour = readPair(text, 11)
  const minute = readPair(text, 14)
  if (hour > 23 || minute > 59 || hour < 0 || minute < 0 || text.charCodeAt(13) !== COLON) return undefined
  let time = (hour * 60 + minute) * MINUTE_MS
  let at = 16
  if (text.charCodeAt(at) === COLON) {
    const second = readPair(text, 17)
    if (second < 0 || second > 59) return undefined
    time += second * 1000
    at = 19
    if (text.charCodeAt(at) === DOT) {
      const end = endOfDigits(text, at + 1)
      if (end === at + 1) return undefined
      const digits = Math.min(end - at - 1, 3)
      time += readDigits(text, at + 1, digits) * (digits === 3 ? 1 : digits === 2 ? 10 : 100)
      at = end
    }
  }
  const offset = readOffset(text, at)
  return offset === undefined ? undefined : new Date(date + time - offset)
}

/** `2026-01-02` at the start of the text, as milliseconds. */
function readDate(text: string): number | undefined {
  const century = readPair(text, 0)
  const year = century < 0 || readPair(text, 2) < 0 ? -1 : century * 100 + readPair(text, 2)
  const month = readPair(text, 5)
  const day = readPair(text, 8)
  if (year < 1 || month < 1 || month > 12 || day < 1 || text.charCodeAt(4) !== DASH || text.charCodeAt(7) !== DASH)
    return undefined
  if (day > daysInMonth(year, month)) return undefined
  // The days since the epoch by counting a year from March, so that the leap day comes last.
  const shifted = month <= 2 ? year - 1 : year
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1
  const leapDays = Math.floor(shifted / 4) - Math.floor(shifted / 100) + Math.floor(shifted / 400)
  return (shifted * 365 + leapDays + dayOfYear - DAYS_FROM_0000_03_01_TO_EPOCH) * DAY_MS
}

const DAYS_FROM_0000_03_01_TO_EPOCH = 719_468

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

/** Milliseconds east of UTC, of `Z`, `+hh:mm` or nothing, which must be the end of the text. */
function readOffset(text: string, at: number): number | undefined {
  if (at === text.length) return 0
  if (at + 1 === text.length) return isOneOf(text, at, 'Zz') ? 0 : undefined
  const hours = readPair(text, at + 1)
  const minutes = readPair(text, at + 4)
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return undefined
  if (text.length !== at + 6 || text.charCodeAt(at + 3) !== COLON || !isOneOf(text, at, '+-')) return undefined
  return (text.charCodeAt(at) === DASH ? -1 : 1) * (hours * 60 + minutes) * MINUTE_MS
}

/** The number that two digits make, or -1 if they are not digits. Past the end there is NaN, which is neither. */
function readPair(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 48
  const ones = text.charCodeAt(at + 1) - 48
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -1
}

/** The number that `count` digits make, or -1 if they are not all digits. */
function readDigits(text: string, at: number, count: number): number {
  // Without this, a character past the end is NaN, and all that follows is arithmetic on fractions.
  if (at + count > text.length) return -1
  let value = 0
  for (let i = at; i < at + count; i++) {
    const digit = text.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}

function endOfDigits(text: string, at: number): number {
  let end = at
  while (readDigits(text, end, 1) >= 0) end++
  return end
}

function isOneOf(text: string, at: number, characters: string): boolean {
  return at < text.length && characters.includes(text.charAt(at))
}
