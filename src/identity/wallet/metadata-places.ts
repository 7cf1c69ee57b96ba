// Where a value stands in a TOML text of the usual layout: tables in brackets, one value a line. That is how the file is
// written, and how people edit it. Of any other layout the nearest line above is found.

/** The way to a value: names of tables and keys, and indices in arrays of tables. */
export type TomlPath = readonly (string | number)[]

/** Lines and columns count from 1. The beginning of the text if nothing of the way is found. */
export function placeInToml(text: string, where: TomlPath): { readonly line: number; readonly column: number } {
  const counts = new Map<string, number>()
  let table: TomlPath = []
  let best = { line: 1, column: 1, depth: 0 }
  let inside = false
  for (const [index, line] of text.split('\n').entries()) {
    // A text of several lines may look like anything.
    const wasInside = inside
    if ((line.split(/"""|'''/).length - 1) % 2 === 1) inside = !inside
    if (wasInside) continue
    const header = HEADER.exec(line)
    const name = header?.[2] ?? KEY.exec(line)?.[1]
    if (name === undefined) continue
    if (header !== null) table = tableAt(namesIn(name), header[1] === '[[', counts)
    const path = header === null ? [...table, ...namesIn(name)] : table
    if (path.length > best.depth && path.every((part, at) => part === where[at])) {
      best = { line: index + 1, column: line.search(/\S/) + 1, depth: path.length }
    }
  }
  return { line: best.line, column: best.column }
}

const NAME = String.raw`(?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)`
const NAMES = String.raw`(${NAME}(?:\s*\.\s*${NAME})*)`
const HEADER = new RegExp(String.raw`^\s*(\[\[?)\s*${NAMES}\s*\]`)
const KEY = new RegExp(String.raw`^\s*${NAMES}\s*=`)

function namesIn(dotted: string): string[] {
  return (dotted.match(new RegExp(NAME, 'g')) ?? []).map((name) => (/^["']/.test(name) ? name.slice(1, -1) : name))
}

/** The way to the table that a header opens. In an array of tables, the last one so far is meant. */
function tableAt(names: readonly string[], isItem: boolean, counts: Map<string, number>): TomlPath {
  const path: (string | number)[] = []
  for (const [at, name] of names.entries()) {
    path.push(name)
    const key = JSON.stringify(path)
    const count = (counts.get(key) ?? 0) + (isItem && at === names.length - 1 ? 1 : 0)
    if (count === 0) continue
    counts.set(key, count)
    path.push(count - 1)
  }
  return path
}
