// What is fuzzed, in one shape for all that drives it: property tests with many inputs, and the guided loop.
//
// An input is bytes for every target. One that reads text takes it from them with `textOf`; one with options takes those
// from the first byte. So every input can be kept in a file, mutated and replayed alike.

import { TlacacocaError } from '../../../src/errors.ts'

/** Which structure the mutations keep to, besides turning bits. */
export type InputShape = 'bytes' | 'der' | 'text' | 'lines'

export interface FuzzTarget {
  readonly name: string
  /** The source that is meant, from `src/` on: for the table, and for words to put into inputs. */
  readonly source: readonly string[]
  /** What must hold for every input, for the table. */
  readonly holds: string
  readonly shape: InputShape
  /** Valid inputs, and others that are worth beginning with. */
  readonly seeds: () => readonly (Uint8Array | string)[] | Promise<readonly (Uint8Array | string)[]>
  /** Words of the format, which random bytes would hardly hit. */
  readonly words?: readonly (Uint8Array | string)[]
  /** No input is longer. Default 400. */
  readonly maxBytes?: number
  /** How many inputs a test run tries, where it is not the usual 100,000; the table says why. */
  readonly runs?: number
  readonly why?: string
  /** Outcomes that a test run must have come across, or it was about nothing. Default: `read`. */
  readonly outcomes?: readonly string[]
  /**
   * Reads the input, and throws if anything does not hold.
   *
   * @returns What came of it: `read`, or the code of the error that refused it.
   */
  run(input: Uint8Array): string | Promise<string>
}

/** Something that does not hold for an input. */
export class Violation extends Error {}

/** Throws unless it holds. */
export function hold(condition: boolean, what: string): void {
  if (!condition) throw new Violation(what)
}

/** Throws unless both are the same text. */
export function same(found: unknown, wanted: unknown, what: string): void {
  if (found !== wanted) throw new Violation(`${what}: ${JSON.stringify(found)} is not ${JSON.stringify(wanted)}`)
}

type ErrorClass = abstract new (...args: never) => Error

/**
 * The code of an error by which the library may refuse. Any other error is a violation, and so is a message that no
 * terminal should be shown or that grows with what was refused.
 */
export function refusal(error: unknown, ...documented: readonly ErrorClass[]): string {
  if (!(error instanceof Error)) throw new Violation(`threw ${String(error)}`)
  if (!(error instanceof TlacacocaError) || !documented.some((kind) => error instanceof kind)) throw error
  checkMessage(error.message)
  return error.code
}

/** The longest message that a refusal may have. */
const MAX_MESSAGE = 1000

/** A message shows what was refused, so it must be as harmless and short as if it did not. */
export function checkMessage(message: string): void {
  hold(message.length <= MAX_MESSAGE, `a message of ${message.length} characters`)
  hold(!UNSAFE.test(message), `a message that steers a terminal: ${JSON.stringify(message)}`)
}

// Controls, what turns the direction of text, and what ends a line.
const UNSAFE = /[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/

/** Runs a reader; what it refuses with one of these errors is an outcome. */
export function reading<T>(read: () => T, documented: readonly ErrorClass[], check: (value: T) => void): string {
  let value: T
  try {
    value = read()
  } catch (error) {
    return refusal(error, ...documented)
  }
  check(value)
  return 'read'
}

/** The same for what answers later. */
export async function readingLater<T>(
  read: () => Promise<T>,
  documented: readonly ErrorClass[],
  check: (value: T) => void | Promise<void>,
): Promise<string> {
  let value: T
  try {
    value = await read()
  } catch (error) {
    return refusal(error, ...documented)
  }
  await check(value)
  return 'read'
}

/** Cuts bytes into pieces whose sizes the first bytes of an input choose. */
export function pieces(bytes: Uint8Array, dice: number): Uint8Array[] {
  const found: Uint8Array[] = []
  let state = dice | 1
  for (let at = 0; at < bytes.length; ) {
    state = Math.imul(state, 0x9e3779b1) >>> 0
    const size = 1 + ((state >>> 16) % (dice % 3 === 0 ? 3 : 40))
    found.push(bytes.subarray(at, at + size))
    at += size
  }
  return found
}
