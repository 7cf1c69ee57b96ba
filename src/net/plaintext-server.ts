// A server without TLS, for Spartan, Nex and the like. Handlers, limits and middleware are those of the TLS server.

import { createServer } from 'node:net'
import { requireFunction, requireOptions } from '../internal/arguments.ts'
import { type ConnectionHandler, type ConnectionLimits, LIMIT_NAMES } from './connection-limits.ts'
import { ConnectionTracker } from './connection-tracker.ts'
import { createListener, type Listener } from './listener.ts'

/**
 * Makes a server for a protocol without TLS. Its connections have no peer and no server name.
 *
 * A client may end its side first and still gets its answer. A handler that throws or rejects costs its own connection
 * and nothing else; see `onError`.
 *
 * @throws {TypeError} If `handler` is no function or an option has the wrong type.
 * @throws {RangeError} If a limit is out of range.
 * @throws {InvalidNameError} `ERR_TLACACOCA_ADDRESS_INVALID` if a trusted proxy is no address or range.
 * @example
 * import { createPlaintextServer, readRequest, refuse } from 'tlacacoca'
 *
 * const server = createPlaintextServer(
 *   async (connection) => {
 *     const reading = await readRequest(connection.stream)
 *     if (reading.kind !== 'request') return refuse(connection, '4 bad request\r\n')
 *     connection.stream.end('2 text/gemini\r\nhello\n')
 *   },
 *   { maxConnections: 100 },
 * )
 * const { port } = await server.listen(0, '127.0.0.1')
 * console.log(port)
 * await server.close()
 */
export function createPlaintextServer(handler: ConnectionHandler, options: ConnectionLimits = {}): Listener {
  requireFunction('handler', handler)
  requireOptions('options', options, LIMIT_NAMES)
  const tracker = new ConnectionTracker(options)
  // Half-open connections, because `printf … | nc` ends its side with the request. No delay, because a status line and
  // the page behind it are two writes, of which Nagle's algorithm would hold the second back for 40 ms.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    tracker.admit(socket, (client) => {
      tracker.serve({ stream: socket, ...client, peer: null, serverName: null }, handler)
    })
  })
  return createListener(server, tracker)
}
