// The parser stops at the first mistake in the syntax, and a user who corrects a file wants to hear of all. So the lines
// around a mistake are blanked out and the parser has another try: the mistakes behind it, and what is wrong with the
// meaning of the rest, come to light too.

import type { TomlPlace } from './toml-table.ts'

export interface RecoveredToml {
  /** The tree of what could be read; undefined if that was too little. */
  readonly tree: object | undefined
  /** The text that the tree is of: as long as the original, with blanks for what could not be read. */
  readonly text: string
  /** Offsets of lines that were blanked out, in tables of which the rest was read. */
  readonly damaged: readonly number[]
}

// Each costs a pass over the text. Whoever has more mistakes of this kind has the wrong file.
const MAX_ATTEMPTS = 25

/**
 * @param parse - Throws something with `line` and `column` at a mistake.
 * @param report - Told of each mistake in turn.
 */
export function parseWithRecovery(
  original: string,
  parse: (text: string) => object,
  report: (place: TomlPlace, message: string) => void,
): RecoveredToml {
  let text = original
  const damaged: number[] = []
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    try {
      return { tree: parse(text), text, damaged }
    } catch (error) {
      const place = placeOf(error)
      report(place, describe(error))
      const range = rangeToBlank(text, place.line)
      if (range === undefined) break
      if (!range.isTable) damaged.push(range.start)
      text =
        text.slice(0, range.start) + text.slice(range.start, range.end).replace(/[^\n]/g, ' ') + text.slice(range.end)
    }
  }
  return { tree: undefined, text, damaged: [] }
}

function placeOf(error: unknown): TomlPlace {
  if (typeof error === 'object' && error !== null && 'line' in error && 'column' in error) {
    if (typeof error.line === 'number' && typeof error.column === 'number')
      return { line: error.line, column: error.column }
  }
  return { line: 1, column: 1 }
}

function describe(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  // The parser adds a picture of the line, which is for terminals and repeats what the file says.
  const reason = /^Invalid TOML document: ([^\n]*)/.exec(message)?.[1] ?? message.split('\n', 1)[0]
  if (reason === 'trying to redefine an already defined table or value') return 'this is defined twice; keep one'
  return `this is not TOML: ${reason}`
}

/** The line with the mistake, or the whole table if it is the line that names one. Undefined if there is nothing left. */
function rangeToBlank(text: string, line: number): { start: number; end: number; isTable: boolean } | undefined {
  let start = 0
  for (let i = 1; i < line && start >= 0; i++) start = text.indexOf('\n', start) + 1 || -1
  if (start < 0) return undefined
  const lineEnd = endOfLine(text, start)
  const content = text.slice(start, lineEnd).trim()
  if (content === '') return undefined
  if (!content.startsWith('[')) return { start, end: lineEnd, isTable: false }
  const next = /\n[ \t]*\[/g
  next.lastIndex = lineEnd
  return { start, end: next.exec(text)?.index ?? text.length, isTable: true }
}

function endOfLine(text: string, start: number): number {
  const end = text.indexOf('\n', start)
  return end < 0 ? text.length : end
}
