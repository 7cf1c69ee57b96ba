// Where a page goes: as it is into a pipe or a file; to a terminal without anything that could steer it.

import { once } from 'node:events'
import { UsageError } from '../exit-code.ts'
import { withoutControls } from '../harmless.ts'
import type { CliIo } from '../io.ts'

/** Writes a page to the standard output, at the pace at which it is taken. */
export async function writePage(io: CliIo, body: AsyncIterable<Buffer>, mediaType: string): Promise<void> {
  const isTerminal = 'isTTY' in io.stdout && io.stdout.isTTY === true
  if (isTerminal && !isText(mediaType)) {
    throw new UsageError(`this is ${mediaType}, which no terminal shows: send it into a file, by > FILE`)
  }
  for await (const piece of isTerminal ? harmless(body) : body) {
    if (!io.stdout.write(piece)) await once(io.stdout, 'drain')
  }
}

/** Whether a media type is one of texts. Without one it is text/gemini. */
export function isText(mediaType: string): boolean {
  return mediaType === '' || /^text\//i.test(mediaType)
}

async function* harmless(body: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  for await (const chunk of body) yield withoutControls(decoder.decode(chunk, { stream: true }))
  yield withoutControls(decoder.decode())
}
