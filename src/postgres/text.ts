// PostgreSQL keeps every text but those with a NUL in them, and we promise to keep all. So a NUL, and the character that
// it is written with, are written as two characters. Equality, prefixes and the order by bytes stay what they are.

const ESCAPE = '\u0001'
const NUL = '\u0000'

/** A value as it is sent. */
export function encoded(value: unknown): unknown {
  if (typeof value === 'string') return escaped(value)
  return Array.isArray(value) ? value.map(encoded) : value
}

/** A row as it was before it was sent. */
export function decoded(row: Record<string, unknown>): Record<string, unknown> {
  for (const [name, value] of Object.entries(row)) {
    if (typeof value === 'string' && value.includes(ESCAPE)) {
      row[name] = value.replaceAll(`${ESCAPE}0`, NUL).replaceAll(`${ESCAPE}1`, ESCAPE)
    }
  }
  return row
}

function escaped(text: string): string {
  if (!text.includes(NUL) && !text.includes(ESCAPE)) return text
  return text.replaceAll(ESCAPE, `${ESCAPE}1`).replaceAll(NUL, `${ESCAPE}0`)
}
