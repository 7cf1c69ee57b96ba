// What follows a request line in Titan and Misfin: so many bytes, as the line has said.
import type { Readable } from 'node:stream'
import type { Admitted, ServerConnection } from 'tlacacoca/middleware'

/** The client has said that it is finished, but not all that it announced has come. */
export class ShortBodyError extends Error {}

/**
 * Gives exactly `size` bytes. It throws a {@link ShortBodyError} if the client ends before, and something else if the
 * connection breaks, or is slower than `timeoutMs` in all: then nobody is there any more to be answered.
 */
export async function* readBody(
  { stream }: Pick<ServerConnection, 'stream'>,
  { rest }: Pick<Admitted, 'rest'>,
  { size, timeoutMs }: { readonly size: number; readonly timeoutMs: number },
): AsyncGenerator<Buffer> {
  if (size === 0) return
  if (rest.length > 0) stream.unshift(rest)
  // Without an error of its own: it looks like a client that has left, of which no server warns. One that is slow on
  // purpose could fill a log otherwise.
  const deadline = setTimeout(() => stream.destroy(), timeoutMs)
  let missing = size
  try {
    // A plain `for await` over the stream would destroy it at the end, and the answer with it.
    for await (const chunk of (stream as Readable).iterator({ destroyOnReturn: false })) {
      yield chunk.subarray(0, missing)
      missing -= chunk.length
      if (missing <= 0) return
    }
    throw new ShortBodyError(`${missing} bytes are missing`)
  } finally {
    clearTimeout(deadline)
  }
}
