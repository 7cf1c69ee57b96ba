// What options mean that several commands have.

import { type Duration, parseDuration } from '../authority/duration.ts'
import { UsageError } from './exit-code.ts'

/** For options that may be given several times. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value]
}

/**
 * Calls the library with what somebody typed. What the library takes for the mistake of a programmer is one of theirs
 * then, and no reason to show where in the program it was found.
 */
export async function fromUser<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError) || 'code' in error) throw error
    throw new UsageError(error.message, { cause: error })
  }
}

/** A duration with its unit, `365d`, `1y`, `12h`: a number alone would be years, which few people expect. */
export function readDuration(option: string, text: string): Duration {
  if (!/[ydhs]$/.test(text))
    throw new UsageError(`${option} expected a number and a unit, such as 90d or 1y, got ${text}`)
  try {
    parseDuration(text, option)
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
  return text
}

/** How long a duration is from now on, in milliseconds. */
export function millisecondsOf(option: string, text: string, now: number): number {
  const duration = parseDuration(readDuration(option, text), option)
  try {
    return duration.from(new Date(now)).getTime() - now
  } catch (error) {
    // It ends after the last year that a date can be written in.
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

/** A whole number, above zero unless `from` says otherwise. */
export function readCount(option: string, text: string, { from = 1, to = 1_000_000 } = {}): number {
  const count = Number(text)
  if (/^(?:0|[1-9][0-9]*)$/.test(text) && count >= from && count <= to) return count
  throw new UsageError(`${option} expected a whole number from ${from} to ${to}, got ${text}`)
}

/** A date as ISO 8601 writes it: a day, which begins by UTC, or an instant. */
export function readDate(option: string, text: string): Date {
  const date = new Date(text)
  const isWritten = /^\d{4}-\d\d-\d\d(?:T[0-9:.]+Z)?$/.test(text) && !Number.isNaN(date.getTime())
  // The platform takes the 31st of February for the 3rd of March.
  if (isWritten && new Date(text.slice(0, 10)).toISOString().startsWith(text.slice(0, 10))) return date
  throw new UsageError(`${option} expected a date such as 2030-12-31 or 2030-12-31T12:00:00Z, got ${text}`)
}

/** A day, for people. */
export function day(date: Date | null | undefined): string {
  return date === null || date === undefined ? '-' : date.toISOString().slice(0, 10)
}

/** `1 server`, `2 servers`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}
