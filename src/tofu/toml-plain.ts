// The layout that we and the relatives write, read line by line.
//
// It is a small part of TOML, chosen so that a line can be understood alone: one header or one `name = value` per line,
// nothing around them, strings in double quotes, integers without a sign. Comments and empty lines may stand anywhere.
// Whatever else a file has, even if it is fine TOML, is for the parser of all of it: `NotPlain` is thrown.
//
// Invariant: for a text that is read to its end, the result is that of the whole parser. (The property tests hold the
// two against each other.)

import { TomlBlock } from './toml-block.ts'
import type { PinsCollector } from './toml-collect.ts'
import { unquote } from './toml-string.ts'
import type { TomlPlace, TomlTable } from './toml-table.ts'

/** The text is not of the plain layout, or what it means cannot be told line by line. It says nothing about errors. */
export class NotPlain extends Error {
  readonly line: number
  /** Whether something in it may be listed twice; otherwise it is the layout. */
  readonly mayRepeat: boolean

  constructor(line: number, mayRepeat = false) {
    super(`line ${line} is not of the plain layout`)
    this.line = line
    this.mayRepeat = mayRepeat
  }
}

// A line that is longer is not of ours, and must not be collected without end.
const MAX_LINE = 1024 * 1024

export class PlainReader {
  readonly #collector: PinsCollector
  /** What came after the last line feed. */
  #rest = ''
  #line = 0
  /** One object for all tables, because there are millions. */
  readonly #table = new PlainTable()
  readonly #block = new TomlBlock()
  readonly #once = new Set<string>()

  constructor(collector: PinsCollector) {
    this.#collector = collector
  }

  /** Reads all lines that are complete. */
  push(chunk: string): void {
    const text = this.#rest + chunk
    // A bare U+FFFD is what became of bytes that are not UTF-8.
    if (chunk.includes('\ufffd')) {
      throw new NotPlain(this.#line + text.slice(0, text.indexOf('\ufffd')).split('\n').length)
    }
    const hasEscapes = text.includes('\\')
    let start = 0
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      if (!hasEscapes && text.charCodeAt(start) === BRACKET && this.#readBlock(text, start)) {
        start = this.#block.end
        continue
      }
      this.#read(text.charCodeAt(end - 1) === CR && end > start ? text.slice(start, end - 1) : text.slice(start, end))
      start = end + 1
    }
    this.#rest = text.slice(start)
    if (this.#rest.length > MAX_LINE) throw new NotPlain(this.#line + 1)
  }

  end(): void {
    if (this.#rest !== '') this.#read(this.#rest)
    this.#close()
    this.#collector.finish(Math.max(this.#line, 1))
  }

  /** Reads a whole table, if it is one of those that there are many of. */
  #readBlock(text: string, start: number): boolean {
    const block = this.#block
    if (!block.read(text, start, this.#line + 1)) return false
    this.#close()
    this.#line += block.lineCount
    const { problems } = this.#collector
    const before = problems.count
    this.#collect(block.kind, block)
    // Where nothing is wrong with a value, there is no control character in it; only the remarks can have any.
    const remarks = block.kind === 'pin' ? `${block.value('source') ?? ''}${block.value('note') ?? ''}` : ''
    const isSound = problems.count === before || hasLines(text.slice(start, block.end), block.lineCount)
    if (!isSound || CONTROL.test(remarks)) throw new NotPlain(block.line)
    return true
  }

  #read(line: string): void {
    this.#line++
    switch (line.charCodeAt(0)) {
      case BRACKET:
        this.#close()
        this.#open(line)
        break
      case HASH:
        if (/[\x00-\x08\x0a-\x1f\x7f]/.test(line)) throw new NotPlain(this.#line)
        break
      default:
        if (line !== '') this.#readField(line)
    }
  }

  #open(line: string): void {
    if (line.startsWith('[hosts."') && line.endsWith(']')) {
      const key = unquote(line.slice('[hosts.'.length, -1))
      if (key === undefined) throw new NotPlain(this.#line)
      this.#table.open('host', key, this.#line, 2)
    } else if (line === '[[tlacacoca.pins]]') {
      this.#table.open('pin', 'pins', this.#line, 3)
    } else {
      const name = TABLES_OF_ONE[line]
      // TOML has no table twice.
      if (name === undefined || this.#once.has(name)) throw new NotPlain(this.#line)
      this.#once.add(name)
      this.#table.open(name, name === 'own' ? 'tlacacoca' : name, this.#line, 2)
    }
  }

  #readField(line: string): void {
    const table = this.#table
    const equals = line.indexOf(' = ')
    const name = line.slice(0, equals)
    if (table.kind === undefined || equals < 0 || !/^[a-z_]+$/.test(name)) throw new NotPlain(this.#line)
    const text = line.slice(equals + 3)
    const value = text.charCodeAt(0) === QUOTE ? unquote(text) : INTEGER.test(text) ? Number(text) : undefined
    if (value === undefined || !table.add(name, value, this.#line)) throw new NotPlain(this.#line)
  }

  #close(): void {
    const { kind } = this.#table
    if (kind !== undefined) this.#collect(kind, this.#table)
    this.#table.kind = undefined
  }

  #collect(kind: PlainKind, table: TomlTable): void {
    const collector = this.#collector
    switch (kind) {
      case 'host':
        collector.flushHosts()
        collector.host(table)
        break
      case 'pin':
        // Without a known format before it, nobody can say what is in it.
        if (!this.#once.has('own')) throw new NotPlain(table.line)
        collector.pin(table)
        break
      case '_metadata':
        collector.metadata(table)
        break
      case 'own':
        // Its other fields could clash with tables to come.
        if (table.names().some((name) => name !== 'format') || !collector.format(table)) throw new NotPlain(table.line)
        break
      case 'hosts':
        // A table of another kind must be in there to be a host; a bare field is none.
        if (table.names().length > 0) throw new NotPlain(table.line)
        collector.hosts()
        break
      case 'end':
        if (table.names().length > 0 || !this.#once.has('own')) throw new NotPlain(table.line)
        collector.end()
    }
  }
}

type PlainKind = 'host' | 'pin' | '_metadata' | 'own' | 'hosts' | 'end'

const TABLES_OF_ONE: { readonly [line: string]: Exclude<PlainKind, 'host' | 'pin'> | undefined } = {
  __proto__: null as never,
  '[_metadata]': '_metadata',
  '[tlacacoca]': 'own',
  '[hosts]': 'hosts',
  '[tlacacoca.end]': 'end',
}

const BRACKET = 0x5b
const HASH = 0x23
const QUOTE = 0x22
const CR = 0x0d
// Fifteen digits are exact in a JavaScript number.
const INTEGER = /^(?:0|[1-9][0-9]{0,14})$/

/** Whether a text is so many lines, without a control character in them. */
function hasLines(text: string, count: number): boolean {
  const lines = text.split('\n')
  return lines.length === count + 1 && !lines.some((line) => CONTROL.test(line))
}

const CONTROL = /[\x00-\x1f\x7f]/

class PlainTable implements TomlTable {
  /** Undefined while no table is open. */
  kind: PlainKind | undefined
  key = ''
  line = 0
  column = 0
  readonly isDamaged = false
  readonly #names: string[] = []
  readonly #values: (string | number)[] = []
  readonly #lines: number[] = []

  open(kind: PlainKind, key: string, line: number, column: number): void {
    this.kind = kind
    this.key = key
    this.line = line
    this.column = column
    this.#names.length = 0
    this.#values.length = 0
    this.#lines.length = 0
  }

  /** False if there is one of this name already. */
  add(name: string, value: string | number, line: number): boolean {
    if (this.#names.includes(name)) return false
    this.#names.push(name)
    this.#values.push(value)
    this.#lines.push(line)
    return true
  }

  names(): readonly string[] {
    return this.#names
  }

  value(name: string): string | number | undefined {
    return this.#values[this.#names.indexOf(name)]
  }

  placeOf(name: string): TomlPlace {
    const line = this.#lines[this.#names.indexOf(name)]
    return line === undefined ? this : { line, column: name.length + ' = '.length + 1 }
  }
}
