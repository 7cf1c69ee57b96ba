// What both readers of TOML hand over: one table at a time, each value with its place in the file.

/** Lines and columns count from 1; columns count UTF-16 units. */
export interface TomlPlace {
  readonly line: number
  readonly column: number
}

/** What is neither a string nor an integer, as it is written: `true`, `1.5`, `2026-01-02`, `an array`. */
export interface TomlLiteral {
  readonly literal: string
}

export type TomlValue = string | number | TomlLiteral

/**
 * A table; its place is that of its name. It is lent: a reader may use the same object for the next one, so keep what you
 * need of it.
 */
export interface TomlTable extends TomlPlace {
  /** The last part of its name. */
  readonly key: string
  /** Some of its lines could not be read, so nobody knows what else is in it. */
  readonly isDamaged: boolean
  names(): readonly string[]
  value(name: string): TomlValue | undefined
  /** Where a value stands; the place of the table if there is none. */
  placeOf(name: string): TomlPlace
}
