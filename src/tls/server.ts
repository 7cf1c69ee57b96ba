// The listener of a TLS server: counting and refusing connections is the tracker's, certificates are the context's,
// and what happens in between is in server-handshakes.ts.

import { createServer as createNetServer } from 'node:net'
import { requireFunction, requireInteger, requireOptions } from '../internal/arguments.ts'
import type { ClientAddress } from '../names/client-address.ts'
import { type ConnectionHandler, type ConnectionLimits, LIMIT_NAMES } from '../net/connection-limits.ts'
import { ConnectionTracker } from '../net/connection-tracker.ts'
import { createListener, type Listener } from '../net/listener.ts'
import { tell } from '../net/report.ts'
import { LostWrites } from './lost-writes.ts'
import { ServerContext } from './server-context.ts'
import { type HandshakeFailure, ServerHandshakes } from './server-handshakes.ts'

/** What {@link createServer} takes besides a context and a handler. */
export interface ServerOptions extends ConnectionLimits {
  /**
   * How long a client may take from connecting to the end of the handshake, in milliseconds, whatever trickles in
   * meanwhile. Then the connection is destroyed. Default 10,000. Behind a proxy it is from the end of the header on.
   */
  readonly handshakeTimeoutMs?: number
  /** Is told of what clients do and nobody else would hear of. */
  readonly onEvent?: (event: ServerEvent) => void
}

/** A connection that never got to the handler. */
export interface ServerEvent {
  readonly kind: 'handshake_failed'
  readonly address: ClientAddress
  /** Through which proxy it came; null if the client connected by itself. */
  readonly proxy: ClientAddress | null
  readonly reason: HandshakeFailure
  /** What Node and OpenSSL said about it, if they did. It may hold text of the client's choosing. */
  readonly error: Error | null
}

/**
 * Makes a TLS server. Each connection whose handshake is done goes to the handler, with the client's address, the host
 * name it asked for, and the peer that it proved to be.
 *
 * A client may end its side after the request and still gets its answer; so the handler has to end the stream, or let
 * `refuse` do so. A handler that throws or rejects costs its own connection and nothing else; see `onError`.
 *
 * @throws {TypeError} If `context` is no server context, `handler` no function, or an option has the wrong type.
 * @throws {RangeError} If a limit is out of range.
 * @throws {InvalidNameError} `ERR_TLACACOCA_ADDRESS_INVALID` if a trusted proxy is no address or range.
 * @example
 * import { createServer, createServerContext } from 'tlacacoca/tls'
 *
 * const context = await createServerContext({
 *   certificates: [{ certFile: 'cert.pem', keyFile: 'key.pem' }],
 *   clientCertificates: 'request',
 * })
 * const server = createServer(context, ({ stream, peer }) => {
 *   stream.end(`20 text/plain\r\nyou are ${peer?.fingerprint ?? 'nobody'}\n`)
 * })
 * await server.listen(1965)
 */
export function createServer(
  context: ServerContext,
  handler: ConnectionHandler,
  options: ServerOptions = {},
): Listener {
  const internals = ServerContext.internalsOf(context)
  requireFunction('handler', handler)
  requireOptions('options', options, SERVER_OPTIONS)
  const { handshakeTimeoutMs, onEvent } = requireServerOptions(options)

  const tracker = new ConnectionTracker(options)
  const handshakes = new ServerHandshakes(internals, handshakeTimeoutMs)
  const lostWrites = new LostWrites()
  // Half-open connections, because some clients end their side with the request. No delay, because a status line and the
  // page behind it are two writes, of which Nagle's algorithm would hold the second back for 40 ms.
  const server = createNetServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    tracker.admit(socket, (client) => {
      handshakes.begin(socket, (result) => {
        if (result.kind === 'failed') {
          if (onEvent === undefined) return
          const { reason, error } = result
          tell(onEvent, { kind: 'handshake_failed', ...client, reason, error })
        } else {
          const { stream, peer, serverName } = result
          lostWrites.watch(stream, socket)
          tracker.serve({ stream, ...client, peer, serverName }, handler)
        }
      })
    })
  })
  return createListener(server, tracker)
}

/** @internal */
export const SERVER_OPTIONS = [
  ...LIMIT_NAMES,
  'handshakeTimeoutMs',
  'onEvent',
] as const satisfies readonly (keyof ServerOptions)[]

/** @internal What is not the tracker's to check. */
export function requireServerOptions({ handshakeTimeoutMs = 10_000, onEvent }: ServerOptions): {
  readonly handshakeTimeoutMs: number
  readonly onEvent: ServerOptions['onEvent']
} {
  requireInteger('handshakeTimeoutMs', handshakeTimeoutMs, 1, 2 ** 31 - 1)
  if (onEvent !== undefined) requireFunction('onEvent', onEvent)
  return { handshakeTimeoutMs, onEvent }
}
