// One line of one format, with what holds for the lines of all of them.

import { type LineFormat, type LineReading, Unfit } from './known-host.ts'
import type { RawLine } from './lines.ts'

const NOTHING: LineReading = { kind: 'nothing' }

/**
 * Reads a line. Whatever is wrong with it is part of the answer.
 *
 * @param section - The name of the section that it stands in.
 */
export function readLine(format: LineFormat, line: RawLine, section: string): LineReading {
  const text = textOf(line)
  if (line.isCut) return unusable(1, 'the line is too long')
  // Every program here passes over these, and no host begins with a number sign.
  if (isEmpty(text)) return NOTHING
  const damaged = text.indexOf('\ufffd')
  if (damaged >= 0) return unusable(damaged + 1, 'this is not UTF-8, or was damaged by a conversion')
  try {
    return format.read(text, section)
  } catch (error) {
    if (error instanceof Unfit) return unusable(error.column, error.message)
    /* v8 ignore next -- @preserve only a fault of our own could be another error */
    throw error
  }
}

/** Whether a line is empty or a comment. */
export function isEmpty(line: string): boolean {
  return /^[ \t]*(?:#|$)/.test(line)
}

/** The text of a line, without a byte order mark and a carriage return. */
export function textOf({ bytes, number }: RawLine): string {
  const text = bytes.toString('utf8')
  const start = number === 1 && text.startsWith('\ufeff') ? 1 : 0
  return text.slice(start, text.endsWith('\r') ? -1 : text.length)
}

function unusable(column: number, message: string): LineReading {
  return { kind: 'unusable', column, message }
}
