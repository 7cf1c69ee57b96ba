import type { CliIo } from './io.ts'
import { styled } from './io.ts'

/** Rows under headings, in columns, without lines between: to be read, and to be cut by other tools. */
export async function table(
  io: CliIo,
  headings: readonly string[],
  rows: readonly (readonly string[])[],
): Promise<string> {
  const { default: Table } = await import('cli-table3')
  const none = Object.fromEntries(BORDERS.map((name) => [name, '']))
  const drawn = new Table({
    head: headings.map((heading) => styled(io, 'bold', heading)),
    chars: { ...none, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  for (const row of rows) drawn.push([...row])
  return drawn
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}

/**
 * A table of any length, portion by portion, of cells that are one line each. Columns get wider where a later portion needs
 * it, and never narrower. Gives nothing if there are no rows.
 */
export async function* longTable(
  io: CliIo,
  headings: readonly string[],
  rows: AsyncIterable<readonly string[]>,
): AsyncGenerator<string> {
  const widths = headings.map((heading) => heading.length)
  const lineOf = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  let isFirst = true
  let portion: (readonly string[])[] = []
  // Put together here, because for a million rows drawing real tables takes minutes.
  const draw = () => {
    for (const row of portion) {
      for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length)
    }
    const heading = isFirst ? [styled(io, 'bold', lineOf(headings))] : []
    const text = [...heading, ...portion.map(lineOf)].join('\n')
    isFirst = false
    portion = []
    return text
  }
  for await (const row of rows) {
    portion.push(row)
    if (portion.length === PORTION) yield draw()
  }
  if (portion.length > 0) yield draw()
}

// Enough for a screen, little to hold in memory.
const PORTION = 200

const BORDERS = [
  'top',
  'top-mid',
  'top-left',
  'top-right',
  'bottom',
  'bottom-mid',
  'bottom-left',
  'bottom-right',
  'left',
  'left-mid',
  'mid',
  'mid-mid',
  'right',
  'right-mid',
] as const

/** Facts, one a line, their names in one column. */
export function facts(
  io: CliIo,
  pairs: readonly (readonly [name: string, value: string | null | undefined])[],
): string {
  const known = pairs.filter((pair): pair is readonly [string, string] => pair[1] !== null && pair[1] !== undefined)
  const width = Math.max(...known.map(([name]) => name.length))
  return known.map(([name, value]) => `${styled(io, 'bold', `${name}:`.padEnd(width + 1))} ${value}`).join('\n')
}
