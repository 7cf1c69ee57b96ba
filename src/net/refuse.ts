import { requireString } from '../internal/arguments.ts'
import { type DrainLimits, drainAndDestroy, requireDrainLimits } from './drain.ts'
import type { ServerConnection } from './server-connection.ts'

/**
 * Answers with a status line and nothing else, and closes the connection so that the client can read it: the line is
 * written, the stream ended (with close_notify where there is TLS), input dropped for a bounded time and amount, the
 * connection destroyed. (Destroyed at once, a client that is in the middle of an upload would see a reset and no status.)
 *
 * Whatever the connection does meanwhile, or has done before, the promise is fulfilled when it is closed.
 *
 * @param statusLine - In the words of your protocol, with its line end: `51 not found\r\n`.
 * @throws {TypeError} If `statusLine` is no text: a status that is missing in a table must not go unnoticed.
 * @throws {RangeError} If a limit is out of range.
 * @example
 * import { refuse, type ServerConnection } from 'tlacacoca'
 *
 * export async function handler(connection: ServerConnection): Promise<void> {
 *   await refuse(connection, '51 not found\r\n')
 * }
 */
export async function refuse(
  connection: Pick<ServerConnection, 'stream'>,
  statusLine: string,
  limits: DrainLimits = {},
): Promise<void> {
  const { stream } = connection
  try {
    requireString('statusLine', statusLine)
    const closed = drainAndDestroy(stream, requireDrainLimits(limits))
    if (stream.writable) stream.end(statusLine)
    return await closed
  } finally {
    // A program that made a mistake here has not let anybody in, either.
    stream.destroy()
  }
}
