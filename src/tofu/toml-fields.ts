// The fields of a table, read as what they should be. What they are not becomes a problem that says where, what and
// what to do about it.

import { type Fingerprint, isFingerprint, parseFingerprint } from '../certificate/fingerprint.ts'
import { type FileProblem, InvalidNameError } from '../errors.ts'
import { parseInstant } from './toml-instant.ts'
import { excerpt } from './toml-string.ts'
import type { TomlPlace, TomlTable, TomlValue } from './toml-table.ts'

// More than anybody corrects in one go, and a hostile file must not fill the memory with complaints.
const MAX_PROBLEMS = 1000

/** Everything that is wrong with a file, up to a limit. */
export class Problems {
  #count = 0
  #list: FileProblem[] = []

  get count(): number {
    return this.#count
  }

  add({ line, column }: TomlPlace, message: string): void {
    this.#count++
    if (this.#count <= MAX_PROBLEMS) this.#list.push({ line, column, message })
  }

  /** Says what the limit has kept back. */
  finish(lastLine: number): void {
    const more = this.#count - MAX_PROBLEMS
    if (more <= 0) return
    const message = `and ${more} more problems; correct the first ${MAX_PROBLEMS} and import again`
    this.#list.push({ line: lastLine, column: 1, message })
  }

  /** What came since the last call, in the order of the file. */
  take(): FileProblem[] {
    const list = this.#list
    this.#list = []
    return list.sort((a, b) => a.line - b.line || a.column - b.column)
  }
}

/** Reads one field at a time. Each answer is undefined if, and only if, there is a problem or a damaged table. */
export class FieldReader {
  readonly #problems: Problems

  constructor(problems: Problems) {
    this.#problems = problems
  }

  value(table: TomlTable, name: string): TomlValue | undefined {
    const value = table.value(name)
    if (value === undefined && !table.isDamaged) this.#problems.add(table, `${excerpt(table.key)} has no ${name}`)
    return value
  }

  text(table: TomlTable, name: string): string | undefined {
    const value = this.value(table, name)
    if (value === undefined || typeof value === 'string') return value
    this.#problems.add(table.placeOf(name), `${name} is ${showValue(value)}; write a string`)
    return undefined
  }

  integer(table: TomlTable, name: string, min: number, max: number): number | undefined {
    const value = this.value(table, name)
    if (value === undefined || (typeof value === 'number' && value >= min && value <= max)) return value
    const message = `${name} is ${showValue(value)}; write a whole number from ${min} to ${max}`
    this.#problems.add(table.placeOf(name), message)
    return undefined
  }

  oneOf<T extends string>(table: TomlTable, name: string, allowed: readonly T[]): T | undefined {
    const text = this.text(table, name)
    if (text === undefined) return undefined
    const found = allowed.find((candidate) => candidate === text)
    if (found !== undefined) return found
    this.#problems.add(table.placeOf(name), `${name} is ${excerpt(text)}; write one of ${allowed.join(', ')}`)
    return undefined
  }

  /** A date as a string, as the relatives write it, or as one of TOML. */
  instant(table: TomlTable, name: string): Date | undefined {
    const value = this.value(table, name)
    if (value === undefined) return undefined
    const text = typeof value === 'string' ? value : typeof value === 'object' ? value.literal : ''
    const instant = parseInstant(text)
    if (instant === undefined) {
      const message = `${name} is ${showValue(value)}; write a date such as "2026-01-02T03:04:05+00:00"`
      this.#problems.add(table.placeOf(name), message)
    }
    return instant
  }

  digest(table: TomlTable, name: string, of?: 'certificate' | 'public-key'): Fingerprint | undefined {
    const text = this.text(table, name)
    if (text === undefined) return undefined
    // Nearly every one is canonical, and the parser of all spellings takes its time.
    if (isFingerprint(text) && text.startsWith('spki-') === (of === 'public-key')) return text
    return this.parsed(table, name, () => parseFingerprint(text, of === undefined ? {} : { of }))
  }

  /** What a parser makes of a field. */
  parsed<T>(table: TomlTable, name: string, parse: () => T): T | undefined {
    try {
      return parse()
    } catch (error) {
      /* v8 ignore if -- @preserve only a fault of our own could be another error */
      if (!(error instanceof InvalidNameError)) throw error
      this.#problems.add(table.placeOf(name), `${name}: ${error.message}`)
      return undefined
    }
  }
}

export function showValue(value: TomlValue): string {
  if (typeof value === 'string') return excerpt(value)
  return typeof value === 'number' ? String(value) : value.literal
}
