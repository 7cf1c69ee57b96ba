// The part of TOML in which programs write a table of texts: one `key = value` per line. It is read by lines and not by
// a parser of all of TOML, because a parser gives nothing at all for a file with one bad line, and a file that is written
// back must keep every other line as it is.

import { show } from '../../internal/arguments.ts'
import { unquote } from '../toml-string.ts'
import type { Field } from './fields.ts'
import { Unfit } from './known-host.ts'

/** One line. */
export interface TomlLine {
  readonly key: Field
  readonly value: Field
  /** Whether the value is in quotes. */
  readonly isText: boolean
}

const QUOTED = String.raw`'[^']*'|"(?:[^"\\]|\\.)*"`
const LINE = new RegExp(
  String.raw`^([ \t]*)(${QUOTED}|[A-Za-z0-9_-]+)([ \t]*=[ \t]*)(${QUOTED}|[^\s#'"][^\s#]*)[ \t]*(?:#.*)?$`,
)

/** Reads `key = value`. */
export function readTomlLine(line: string): TomlLine {
  const match = LINE.exec(line)
  if (match === null) throw new Unfit(1, 'this is not one key in quotes, an equals sign and one value')
  const [, indent = '', key = '', equals = '', value = ''] = match
  const keyColumn = indent.length + 1
  const valueColumn = keyColumn + key.length + equals.length
  return {
    key: { text: textOf(key, keyColumn), column: keyColumn },
    value: { text: textOf(value, valueColumn), column: valueColumn },
    isText: value.startsWith("'") || value.startsWith('"'),
  }
}

/** The name of a table, of a line such as `[certificate]`; null if it is none. */
export function readTableName(line: string): string | null {
  return /^[ \t]*\[([^[\]]*)\][ \t]*(?:#.*)?$/.exec(line)?.[1]?.trim() ?? null
}

function textOf(written: string, column: number): string {
  if (written.startsWith("'")) return written.slice(1, -1)
  if (!written.startsWith('"')) return written
  const text = unquote(written)
  if (text === undefined) throw new Unfit(column, `${show(written)} has an escape that is not known here`)
  return text
}
