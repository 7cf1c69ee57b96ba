// One request and its answer.

import type { VerifiedPeer } from '../../certificate/index.ts'
import { ConnectionError } from '../../errors.ts'
import { show } from '../../internal/arguments.ts'
import { type ConnectOptions, connect } from '../../tls/index.ts'
import { BadAnswer } from '../exit-code.ts'
import { counted } from '../options.ts'
import type { GeminiUrl } from './url.ts'

/** An answer whose first line has been read. */
export interface Answer {
  readonly peer: VerifiedPeer
  readonly status: number
  readonly meta: string
  /**
   * What follows. It throws a `TruncatedError` after the last byte that did arrive, if the server has not said that it was
   * the last.
   */
  readonly body: AsyncIterable<Buffer>
  /** Lets go of the connection, whether everything was read or not. */
  close(): Promise<void>
}

/** Gemini specification: two digits, a space, up to 1,024 bytes, and the line end. */
const MAX_HEADER = 1029

/** Asks for a page. The server may be silent for so long, at any point. */
export async function exchange(
  { endpoint, text }: GeminiUrl,
  options: Omit<ConnectOptions, 'endpoint'> & { readonly timeoutMs: number },
): Promise<Answer> {
  const { stream, peer, close } = await connect({ endpoint, ...options })
  const giveUp = (): void => {
    const message = `${endpoint} has been silent for ${counted(options.timeoutMs / 1000, 'second')}`
    stream.destroy(new ConnectionError('ERR_TLACACOCA_TIMEOUT', message))
  }
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  const next = async (): Promise<Buffer | null> => {
    // Only while somebody waits for it: a reader may take any time over what has come.
    const silence = setTimeout(giveUp, options.timeoutMs)
    try {
      const { value, done } = await chunks.next()
      return done === true ? null : value
    } finally {
      clearTimeout(silence)
    }
  }
  try {
    stream.write(`${text}\r\n`)
    const { line, rest } = await readHeader(next)
    return { peer, ...parseHeader(line), body: bodyOf(rest, next), close }
  } catch (error) {
    stream.destroy()
    throw error
  }
}

async function readHeader(next: () => Promise<Buffer | null>): Promise<{ line: string; rest: Buffer }> {
  let read = Buffer.alloc(0)
  for (;;) {
    const end = read.indexOf('\r\n')
    if (end >= 0 && end <= MAX_HEADER) return { line: read.toString('utf8', 0, end), rest: read.subarray(end + 2) }
    if (read.length > MAX_HEADER) throw new BadAnswer(`the answer does not begin with a line: ${beginning(read)}`)
    const chunk = await next()
    if (chunk === null) throw new BadAnswer(`the answer ended within its first line: ${beginning(read)}`)
    read = Buffer.concat([read, chunk])
  }
}

function parseHeader(line: string): { status: number; meta: string } {
  const parts = /^([1-6][0-9])(?: (.*))?$/u.exec(line)
  if (parts === null) throw new BadAnswer(`the answer has no status of Gemini: ${show(line)}`)
  return { status: Number(parts[1]), meta: parts[2] ?? '' }
}

async function* bodyOf(rest: Buffer, next: () => Promise<Buffer | null>): AsyncGenerator<Buffer> {
  if (rest.length > 0) yield rest
  for (let chunk = await next(); chunk !== null; chunk = await next()) yield chunk
}

function beginning(bytes: Buffer): string {
  return bytes.length === 0 ? 'there was nothing' : show(bytes.toString('utf8', 0, 80))
}
