// One table of a TOML file, read field by field. A field of the wrong type is noted and read as if it were not there; one
// that nobody asked for is a mistake too, because it may be a protection that is misspelled.

import { show } from '../../internal/arguments.ts'
import type { Problems } from './problems.ts'

export class Table {
  readonly #values: Readonly<Record<string, unknown>>
  readonly #path: string
  readonly #problems: Problems
  readonly #known = new Set<string>()

  constructor(values: Readonly<Record<string, unknown>>, path: string, problems: Problems) {
    this.#values = values
    this.#path = path
    this.#problems = problems
  }

  /** The path of a field, for messages; of the table itself without one. */
  keyOf(name?: string): string {
    if (name === undefined) return this.#path
    return this.#path === '' ? name : `${this.#path}.${name}`
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#values, name)
  }

  string(name: string): string | undefined {
    return this.#read(name, 'a text', (value): value is string => typeof value === 'string')
  }

  number(name: string): number | undefined {
    return this.#read(name, 'a number', (value): value is number => typeof value === 'number')
  }

  integer(name: string, min: number, max: number): number | undefined {
    return this.#read(
      name,
      `a whole number from ${min} to ${max}`,
      (value): value is number => Number.isInteger(value) && Number(value) >= min && Number(value) <= max,
    )
  }

  boolean(name: string): boolean | undefined {
    return this.#read(name, 'true or false', (value): value is boolean => typeof value === 'boolean')
  }

  oneOf<Word extends string>(name: string, words: readonly Word[]): Word | undefined {
    const expected = `one of ${words.map(show).join(', ')}`
    return this.#read(name, expected, (value): value is Word => (words as readonly unknown[]).includes(value))
  }

  strings(name: string): readonly string[] | undefined {
    return this.#read(
      name,
      'a list of texts',
      (value): value is string[] => Array.isArray(value) && value.every((each) => typeof each === 'string'),
    )
  }

  /** An empty one if it is not there. */
  table(name: string): Table {
    return new Table(this.#read(name, 'a table', isTable) ?? {}, this.keyOf(name), this.#problems)
  }

  tables(name: string): readonly Table[] {
    const values = this.#read(
      name,
      'a list of tables',
      (value): value is Record<string, unknown>[] => Array.isArray(value) && value.every(isTable),
    )
    return (values ?? []).map((value, index) => new Table(value, `${this.keyOf(name)}[${index}]`, this.#problems))
  }

  /** Every field, all of them texts. */
  allStrings(): Readonly<Record<string, string>> {
    const names = Object.keys(this.#values)
    return Object.fromEntries(names.map((name) => [name, this.string(name) ?? '']))
  }

  required<T>(name: string, value: T | undefined): value is T {
    if (value === undefined && !this.has(name)) this.#problems.add(this.keyOf(), `"${name}" is missing`)
    return value !== undefined
  }

  /** Notes what was not asked for. Call it last. */
  end(): void {
    for (const name of Object.keys(this.#values)) {
      if (!this.#known.has(name)) this.#problems.add(this.keyOf(name), 'there is no such setting')
    }
  }

  #read<T>(name: string, expected: string, is: (value: unknown) => value is T): T | undefined {
    this.#known.add(name)
    const value = this.has(name) ? this.#values[name] : undefined
    if (value === undefined || is(value)) return value
    this.#problems.add(this.keyOf(name), `expected ${expected}, got ${show(value)}`)
    return undefined
  }
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}
