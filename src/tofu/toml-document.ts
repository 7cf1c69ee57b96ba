// Any TOML at all: smol-toml reads it, and what it found is handed over table by table, each value with its place.

import type { PinsCollector } from './toml-collect.ts'
import { LineIndex, locate, type TomlNode } from './toml-positions.ts'
import { parseWithRecovery } from './toml-recover.ts'
import type { TomlPlace, TomlTable, TomlValue } from './toml-table.ts'

/** Reads a whole text. Everything in it, and everything wrong with it, goes to the collector. */
export async function readDocument(text: string, collector: PinsCollector): Promise<void> {
  const { parse } = await import('smol-toml')
  const lines = new LineIndex(text)
  refuseReplacements(text, lines, collector)

  // With big integers, 1965 and 1965.0 stay apart, and no integer is too large to be read.
  const parseAll = (source: string): object => parse(source, { integersAsBigInt: true })
  const recovered = parseWithRecovery(text, parseAll, (place, message) => collector.problems.add(place, message))
  if (recovered.tree === undefined) return
  const unquote = (quoted: string): string => String(fieldOf(parse(`name = ${quoted}`), 'name'))
  const nodes = locate(recovered.text, unquote)
  const document = new Document(recovered.text, lines, recovered.damaged)
  readTables(document, recovered.tree, nodes, collector)
  collector.finish(Math.max(1, text.endsWith('\n') ? lines.lineCount - 1 : lines.lineCount))
}

function readTables(document: Document, tree: object, nodes: TomlNode, collector: PinsCollector): void {
  const top = document.table('the file', tree, nodes)
  const tableOf = (parent: DocumentTable, name: string): DocumentTable | undefined => {
    if (!parent.names().includes(name)) return undefined
    const table = parent.table(name)
    if (table === undefined) collector.problems.add(parent.placeOf(name), `${name} must be a table`)
    return table
  }

  const metadata = tableOf(top, '_metadata')
  if (metadata !== undefined) collector.metadata(metadata)

  const hosts = tableOf(top, 'hosts')
  if (hosts !== undefined || top.names().includes('hosts')) collector.hosts()
  for (const name of hosts?.names() ?? []) {
    const host = hosts && tableOf(hosts, name)
    if (host !== undefined) collector.host(host)
  }

  const own = tableOf(top, 'tlacacoca')
  if (own === undefined) return
  const isKnown = collector.format(own.without('pins', 'end'))
  tableOf(own, 'end')
  if (own.names().includes('end')) collector.end()
  if (!isKnown || !own.names().includes('pins')) return
  const pins = own.tables('pins')
  if (pins === undefined) collector.problems.add(own.placeOf('pins'), 'pins must be an array of tables')
  for (const pin of pins ?? []) collector.pin(pin)
}

/** A bare U+FFFD is what became of bytes that are not UTF-8, here or wherever the file was before. */
function refuseReplacements(text: string, lines: LineIndex, collector: PinsCollector): void {
  let line = 0
  for (let at = text.indexOf('\ufffd'); at >= 0; at = text.indexOf('\ufffd', at + 1)) {
    const place = lines.placeOf(at)
    if (place.line !== line)
      collector.problems.add(place, 'this is not UTF-8, or was damaged by a conversion; write it anew')
    line = place.line
  }
}

/** What the tables of one text share. */
class Document {
  readonly text: string
  readonly lines: LineIndex
  /** For each line that was blanked out, where it is and where the header above it is. */
  readonly #damaged: readonly { readonly header: number; readonly offset: number }[]

  constructor(text: string, lines: LineIndex, damaged: readonly number[]) {
    this.text = text
    this.lines = lines
    this.#damaged = damaged.map((offset) => ({ header: headerAbove(text, offset), offset }))
  }

  table(key: string, content: object, node: TomlNode | undefined): DocumentTable {
    return new DocumentTable(this, key, content, node)
  }

  /** Whether a line was blanked out in the table whose name is at `start`. */
  isDamagedAt(start: number): boolean {
    return this.#damaged.some(({ header, offset }) => header <= start && start <= offset)
  }
}

function headerAbove(text: string, offset: number): number {
  for (let end = offset; end > 0; ) {
    const start = end < 2 ? 0 : text.lastIndexOf('\n', end - 2) + 1
    if (/^[ \t]*\[/.test(text.slice(start, end))) return start
    end = start
  }
  return 0
}

class DocumentTable implements TomlTable {
  readonly key: string
  readonly #document: Document
  readonly #content: object
  readonly #node: TomlNode | undefined
  readonly #names: readonly string[]

  constructor(document: Document, key: string, content: object, node: TomlNode | undefined, names?: readonly string[]) {
    this.#document = document
    this.key = key
    this.#content = content
    this.#node = node
    this.#names = names ?? Object.keys(content)
  }

  get line(): number {
    return this.#place(this.#node?.start).line
  }

  get column(): number {
    return this.#place(this.#node?.start).column
  }

  get isDamaged(): boolean {
    return this.#node !== undefined && this.#document.isDamagedAt(this.#node.start)
  }

  names(): readonly string[] {
    return this.#names
  }

  value(name: string): TomlValue | undefined {
    if (!this.#names.includes(name)) return undefined
    return this.#value(fieldOf(this.#content, name), this.#node?.children.get(name))
  }

  placeOf(name: string): TomlPlace {
    return this.#place(this.#node?.children.get(name)?.valueStart)
  }

  /** A field that is a table; undefined if it is something else. */
  table(name: string): DocumentTable | undefined {
    const value = fieldOf(this.#content, name)
    return isTable(value) ? this.#document.table(name, value, this.#node?.children.get(name)) : undefined
  }

  /** A field that is an array of tables; undefined if it is something else. */
  tables(name: string): DocumentTable[] | undefined {
    const value = fieldOf(this.#content, name)
    if (!Array.isArray(value) || !value.every(isTable)) return undefined
    const items = this.#node?.children.get(name)?.items
    return value.map((item: object, i) => this.#document.table(name, item, items?.[i]))
  }

  /** The same table without some of its fields. */
  without(...names: string[]): DocumentTable {
    const rest = this.#names.filter((name) => !names.includes(name))
    return new DocumentTable(this.#document, this.key, this.#content, this.#node, rest)
  }

  #value(value: unknown, node: TomlNode | undefined): TomlValue {
    if (typeof value === 'string') return value
    if (typeof value === 'bigint' && value >= -MAX_SAFE && value <= MAX_SAFE) return Number(value)
    if (Array.isArray(value)) return { literal: 'an array' }
    if (isTable(value)) return { literal: 'a table' }
    // The parser has made a date of 30 February by now, so what counts is what is written.
    const written = node === undefined ? '' : this.#document.text.slice(node.valueStart, node.valueEnd)
    return { literal: written.length > 80 ? `${written.slice(0, 80)}…` : written }
  }

  #place(offset: number | undefined): TomlPlace {
    return this.#document.lines.placeOf(offset ?? this.#node?.start ?? 0)
  }
}

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER)

function isTable(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}

function fieldOf(table: object, name: string): unknown {
  return (table as { readonly [name: string]: unknown })[name]
}
