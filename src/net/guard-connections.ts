// The limits of our servers for servers that a program has made itself.
//
// A server of Node tells of a new connection by an event, which has no veto. A listener that is called first and destroys
// the socket is not enough: all others still get it, the program's own and, in a TLS server, the one that prepares a
// handshake, at twice the cost of refusing and with an error for the program to hear of. So the event itself is held
// back: who is refused has never been there.

import { Socket, type Server as TcpServer } from 'node:net'
import type { Server as TlsServer } from 'node:tls'
import { requireInteger, requireOptions, show } from '../internal/arguments.ts'
import { type ConnectionLimits, LIMIT_NAMES } from './connection-limits.ts'
import { ConnectionTracker } from './connection-tracker.ts'
import { endsOf } from './ends-of.ts'

/** What {@link guardConnections} takes besides a server. */
export interface GuardConnectionsOptions extends Omit<ConnectionLimits, 'proxyProtocol'> {
  /**
   * How long a client of a TLS server may take from connecting to the end of the handshake, in milliseconds, whatever
   * trickles in meanwhile. Then the connection is destroyed, of which the server tells by `tlsClientError`. Default
   * 10,000. (Node's own `handshakeTimeout` is an event only, after which the connection stays.)
   */
  readonly handshakeTimeoutMs?: number
}

/** The connections of a server under guard. */
export interface GuardedConnections {
  /** How many are open. */
  readonly connections: number

  /**
   * Accepts no more connections, lets the open ones finish for a while, and destroys what is left.
   *
   * @param options.graceMs - How long a while is, in milliseconds. Default 1,000; 0 destroys them all at once.
   */
  close(options?: { readonly graceMs?: number }): Promise<void>
}

/**
 * Puts limits before a server of your own: of `node:net`, `node:tls`, or one that is built on them. They are those of
 * `createServer`, and who is refused is cut off before your program, or a handshake, begins with it.
 *
 * `onError` is told of guards that fail; what your handlers do is yours. A timeout that your program sets by
 * `socket.setTimeout` takes the place of `idleTimeoutMs`.
 *
 * There is no `proxyProtocol` here: handlers of such a server ask its sockets where they come from, and a socket always
 * answers with the proxy. Take `createServer` or `createPlaintextServer` for that.
 *
 * @param server - Before it listens, so that no connection comes earlier than its guard.
 * @throws {TypeError} If `server` is no server, or listens already, or an option has the wrong type.
 * @throws {RangeError} If a limit is out of range.
 * @example
 * import { readFileSync } from 'node:fs'
 * import { createServer } from 'node:tls'
 * import { AccessControl, guardConnections } from 'tlacacoca/middleware'
 *
 * const server = createServer({ cert: readFileSync('cert.pem'), key: readFileSync('key.pem') }, (socket) => {
 *   socket.resume().end('20 text/gemini\r\nhello\n')
 * })
 * const guarded = guardConnections(server, { guards: [new AccessControl({ denyList: ['203.0.113.0/24'] })] })
 * server.listen(1965)
 * process.once('SIGTERM', () => guarded.close())
 */
export function guardConnections(
  server: TcpServer | TlsServer,
  options: GuardConnectionsOptions = {},
): GuardedConnections {
  requireServer(server)
  const isTls = 'setSecureContext' in server
  requireGuardOptions(options, isTls)
  const tracker = new ConnectionTracker(options)
  const handshakes = isTls ? new HandshakeDeadlines(options.handshakeTimeoutMs ?? 10_000) : null

  const emit: (event: string | symbol, ...args: unknown[]) => boolean = server.emit.bind(server)
  const guarded = (event: string | symbol, ...args: unknown[]): boolean => {
    const [socket] = args
    if (event === 'secureConnection' && socket instanceof Socket) handshakes?.done(socket)
    if (event !== 'connection') return emit(event, ...args)
    if (!hasAddress(server, socket)) {
      tracker.report(new TypeError('only TCP connections can be guarded: another one was destroyed'))
      if (isDestroyable(socket)) socket.destroy()
      return true
    }
    tracker.admit(socket, () => {
      handshakes?.begin(socket)
      emit(event, ...args)
    })
    return true
  }
  server.emit = guarded

  return {
    get connections() {
      return tracker.size
    },
    async close({ graceMs = 1000 } = {}) {
      requireInteger('graceMs', graceMs, 0, 2 ** 31 - 1)
      const stopped = new Promise<void>((resolve) => server.close(() => resolve()))
      await tracker.close(graceMs)
      await stopped
    },
  }
}

/** Destroys the connections whose handshake takes too long. */
class HandshakeDeadlines {
  readonly #timeoutMs: number
  /** By both ends of the connection: Node names the socket of a TLS server's connection, but not the one below it. */
  readonly #timers = new Map<string, NodeJS.Timeout>()

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  begin(socket: Socket): void {
    const key = endsOf(socket)
    const timer = setTimeout(() => socket.destroy(), this.#timeoutMs)
    this.#timers.set(key, timer)
    socket.once('close', () => {
      clearTimeout(timer)
      if (this.#timers.get(key) === timer) this.#timers.delete(key)
    })
  }

  done(socket: Socket): void {
    const key = endsOf(socket)
    clearTimeout(this.#timers.get(key))
    this.#timers.delete(key)
  }
}

function requireServer(server: unknown): void {
  const fits = typeof server === 'object' && server !== null && 'listening' in server && 'emit' in server
  if (!fits) throw new TypeError(`"server" expected a server of node:net or node:tls, got ${show(server)}`)
  if (server.listening !== false) throw new TypeError('"server" listens already: guard it before it does')
}

function requireGuardOptions(options: GuardConnectionsOptions, isTls: boolean): void {
  if ('proxyProtocol' in options) {
    throw new TypeError('"proxyProtocol" is for createServer and createPlaintextServer, not for a server of your own')
  }
  const known = LIMIT_NAMES.filter((name) => name !== 'proxyProtocol')
  requireOptions('options', options, isTls ? [...known, 'handshakeTimeoutMs'] : known)
  const { handshakeTimeoutMs } = options
  if (handshakeTimeoutMs !== undefined) requireInteger('handshakeTimeoutMs', handshakeTimeoutMs, 1, 2 ** 31 - 1)
}

// Clients at a path of this machine have no address to decide by, and who hands over streams of other kinds has not
// either. Undecided means no.
function hasAddress(server: TcpServer, socket: unknown): socket is Socket {
  return socket instanceof Socket && typeof server.address() !== 'string'
}

function isDestroyable(value: unknown): value is { destroy(): void } {
  return typeof value === 'object' && value !== null && 'destroy' in value && typeof value.destroy === 'function'
}
