// Bytes as lines, still as bytes, so that a line that is not understood can be written back exactly as it was.

/** A line without its line feed. */
export interface RawLine {
  /** Counted from 1. */
  readonly number: number
  readonly bytes: Buffer
  /** Whether it was too long and these are its first bytes only. */
  readonly isCut: boolean
}

/** The lines that a piece of the file ended. */
export interface RawLines {
  readonly lines: readonly RawLine[]
  /** How much of the file was read by now. */
  readonly bytesRead: number
}

/** The longest line that is looked at. Those of known hosts have a few hundred bytes. */
export const MAX_LINE = 64 * 1024

/** Splits bytes at line feeds. However long a line is, no more than `MAX_LINE` bytes of it are kept. */
export async function* linesOf(chunks: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<RawLines> {
  let number = 0
  let bytesRead = 0
  let rest = Buffer.alloc(0)
  let isCut = false
  const finish = (bytes: Buffer): RawLine => {
    const line = { number: ++number, bytes: bytes.subarray(0, MAX_LINE), isCut: isCut || bytes.length > MAX_LINE }
    isCut = false
    return line
  }

  for await (const chunk of chunks) {
    bytesRead += chunk.length
    const lines: RawLine[] = []
    let start = 0
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      const part = chunk.subarray(start, end)
      lines.push(finish(rest.length === 0 ? part : Buffer.concat([rest, part])))
      rest = Buffer.alloc(0)
      start = end + 1
    }
    const tail = chunk.subarray(start)
    isCut ||= rest.length + tail.length > MAX_LINE
    // A copy, because the buffer of the chunk may be used again.
    rest = Buffer.concat([rest, tail.subarray(0, Math.max(0, MAX_LINE - rest.length))])
    yield { lines, bytesRead }
  }
  if (rest.length > 0) yield { lines: [finish(rest)], bytesRead }
}

const LF = 0x0a
