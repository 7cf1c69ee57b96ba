// Where the keys of a TOML text stand, in one pass: tables in brackets, one key a line, which is how configurations are
// written. Of any other layout there is no place, and a problem in it is told by its name alone.

/** Lines and columns count from 1. */
export interface TomlPlace {
  readonly line: number
  readonly column: number
}

/** The place of each key, by the names on the way to it. */
export function locateKeys(text: string): (path: readonly string[]) => TomlPlace | null {
  const places = new Map<string, TomlPlace>()
  let table: readonly string[] = []
  let quote: string | null = null
  for (const [index, line] of text.split('\n').entries()) {
    // A text of several lines may look like anything.
    const wasInside = quote !== null
    for (const mark of line.match(LONG_QUOTES) ?? []) quote = quote === null ? mark : quote === mark ? null : quote
    if (wasInside) continue
    const [, header, key] = LINE.exec(line) ?? []
    if (header !== undefined) table = namesIn(header)
    if (key === undefined) continue
    const way = JSON.stringify([...table, ...namesIn(key)])
    if (!places.has(way)) places.set(way, { line: index + 1, column: line.length - line.trimStart().length + 1 })
  }
  return (path) => places.get(JSON.stringify(path)) ?? null
}

const LONG_QUOTES = /"""|'''/g
const NAME = String.raw`(?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)`
const NAMES = String.raw`${NAME}(?:[ \t]*\.[ \t]*${NAME})*`
const LINE = new RegExp(String.raw`^[ \t]*(?:\[[ \t]*(${NAMES})[ \t]*\]|(${NAMES})[ \t]*=)`)

function namesIn(dotted: string): string[] {
  return (dotted.match(new RegExp(NAME, 'g')) ?? []).map((name) => (/^["']/.test(name) ? name.slice(1, -1) : name))
}
