// The tables of an export, read whole: their fields in the order in which we and the relatives write them, one to a
// line, without anything else. Nearly all lines of a large file are of this kind, and taking them one by one, without
// knowing what comes next, costs three times as much.
//
// What is not exactly so is left to others. The values are taken as they stand between the quotes, so the text must
// have no backslash; what control characters would do, the caller finds out when a value is refused.

import type { TomlPlace, TomlTable } from './toml-table.ts'

const HOST_FIELDS = layout(['hostname = "', 'port = ', 'fingerprint = "', 'first_seen = "', 'last_seen = "'])
const PIN_FIELDS = layout([
  'subject = "',
  'fingerprint = "',
  'state = "',
  'public_key = "',
  'not_after = "',
  'first_seen = "',
  'last_seen = "',
  'days_seen = ',
  'source = "',
  'note = "',
])

interface Layout {
  /** How the line of each field begins. */
  readonly starts: readonly string[]
  readonly indexes: ReadonlyMap<string, number>
}

function layout(starts: readonly string[]): Layout {
  return { starts, indexes: new Map(starts.map((start, i) => [start.slice(0, start.indexOf(' ')), i])) }
}

const HOST_HEADER = '[hosts."'
const PIN_HEADER = '[[tlacacoca.pins]]\n'
const LF = 0x0a
const BRACKET = 0x5b
// Fifteen digits are exact in a JavaScript number.
const INTEGER = /^(?:0|[1-9][0-9]{0,14})$/

/** The one table that was read last. */
export class TomlBlock implements TomlTable {
  kind: 'host' | 'pin' = 'host'
  key = ''
  line = 0
  column = 0
  readonly isDamaged = false
  /** How many lines it has. */
  lineCount = 0
  /** Where the text goes on. */
  end = 0
  #layout = HOST_FIELDS
  readonly #values: (string | number | undefined)[] = PIN_FIELDS.starts.map(() => undefined)

  /** Reads the table at `start`; false if it is not of this kind, or not all of it is there. */
  read(text: string, start: number, line: number): boolean {
    let at: number
    if (text.startsWith(HOST_HEADER, start)) {
      const keyEnd = text.indexOf('"', start + HOST_HEADER.length)
      if (!text.startsWith('"]\n', keyEnd)) return false
      this.kind = 'host'
      this.key = text.slice(start + HOST_HEADER.length, keyEnd)
      this.column = 2
      this.#layout = HOST_FIELDS
      at = keyEnd + 3
    } else if (text.startsWith(PIN_HEADER, start)) {
      this.kind = 'pin'
      this.key = 'pins'
      this.column = 3
      this.#layout = PIN_FIELDS
      at = start + PIN_HEADER.length
    } else {
      return false
    }
    this.line = line
    return this.#readFields(text, at)
  }

  names(): readonly string[] {
    return [...this.#layout.indexes.keys()].filter((name) => this.value(name) !== undefined)
  }

  value(name: string): string | number | undefined {
    const index = this.#layout.indexes.get(name)
    return index === undefined ? undefined : this.#values[index]
  }

  placeOf(name: string): TomlPlace {
    if (this.value(name) === undefined) return this
    const above = this.names().indexOf(name)
    return { line: this.line + 1 + above, column: name.length + ' = '.length + 1 }
  }

  #readFields(text: string, start: number): boolean {
    const { starts } = this.#layout
    const values = this.#values
    let at = start
    let count = 0
    for (let i = 0; i < starts.length; i++) {
      const prefix = starts[i] ?? ''
      values[i] = undefined
      if (!text.startsWith(prefix, at)) continue
      at += prefix.length
      count++
      if (prefix.endsWith('"')) {
        const quote = text.indexOf('"', at)
        if (quote < 0 || text.charCodeAt(quote + 1) !== LF) return false
        values[i] = text.slice(at, quote)
        at = quote + 2
      } else {
        const end = text.indexOf('\n', at)
        const digits = text.slice(at, end)
        if (end < 0 || !INTEGER.test(digits)) return false
        values[i] = Number(digits)
        at = end + 1
      }
    }
    this.end = at
    this.lineCount = count + 1
    // An empty line alone does not end a table.
    return text.charCodeAt(text.charCodeAt(at) === LF ? at + 1 : at) === BRACKET
  }
}
