// The connections of one server: how many there may be, who may open one, and how they come to an end.
//
// It is shared by all listeners and knows sockets and streams, no TLS. A listener passes each raw socket to `admit`
// before anything else, and each connection that is ready to `serve`.
//
// Invariants: every socket that was admitted is counted until it is closed; every guard that accepted one hears of its
// end once; no error of a socket, a guard or a handler is left to crash the process.

import type { Socket } from 'node:net'
import { requireFunction, requireInteger, show } from '../internal/arguments.ts'
import { type ClientAddress, parseClientAddress } from '../names/client-address.ts'
import type { ConnectionGuard } from './connection-guard.ts'
import { drainAndDestroy, requireDrainLimits } from './drain.ts'
import { tell } from './report.ts'
import type { ServerConnection } from './server-connection.ts'

/** What a server does with a connection. Ending the stream ends the connection, half-open ones included. */
export type ConnectionHandler = (connection: ServerConnection) => unknown

/** Limits that every server has, with TLS or without. */
export interface ConnectionLimits {
  /**
   * How many connections may be open at once; one more is closed as soon as it opens. Default 1,000: some 50 MB with
   * TLS, and within the file descriptors that a process has.
   */
  readonly maxConnections?: number
  /** Asked in order about each new connection; the first that refuses closes it. */
  readonly guards?: readonly ConnectionGuard[]
  /**
   * After how many milliseconds without a byte in either direction a connection is destroyed. Default 120,000. It is for
   * clients that stop reading an answer; the time for the request is the deadline of `readRequest`.
   */
  readonly idleTimeoutMs?: number
  /**
   * Told when a handler throws or rejects (its connection is destroyed), when a guard throws (the connection is
   * refused), and when the listener itself fails; then there is no connection. Default: a warning of the process.
   */
  readonly onError?: (error: unknown, connection: ServerConnection | null) => void
}

/** @internal */
export class ConnectionTracker {
  readonly #maxConnections: number
  readonly #guards: readonly ConnectionGuard[]
  readonly #idleTimeoutMs: number
  readonly #onError: (error: unknown, connection: ServerConnection | null) => unknown
  readonly #sockets = new Set<Socket>()
  #closing = false
  #onEmpty: () => void = () => {}

  constructor(limits: ConnectionLimits) {
    const { maxConnections = 1000, guards = [], idleTimeoutMs = 120_000, onError = warn } = limits
    requireInteger('maxConnections', maxConnections, 1, Number.MAX_SAFE_INTEGER)
    requireInteger('idleTimeoutMs', idleTimeoutMs, 1, 2 ** 31 - 1)
    requireFunction('onError', onError)
    if (!Array.isArray(guards)) throw new TypeError(`"guards" expected a list, got ${show(guards)}`)
    for (const [index, guard] of guards.entries()) requireFunction(`guards[${index}].opened`, guard?.opened)
    this.#maxConnections = maxConnections
    this.#guards = [...guards]
    this.#idleTimeoutMs = idleTimeoutMs
    this.#onError = onError
  }

  /** How many connections are open. */
  get size(): number {
    return this.#sockets.size
  }

  /** Counts a new connection and gives the address of its client, or destroys it and gives null. */
  admit(socket: Socket): ClientAddress | null {
    // Without a listener, a client that resets its connection would end the process.
    socket.on('error', () => {})
    const full = this.#closing || this.#sockets.size >= this.#maxConnections
    const address = full ? null : this.#addressOf(socket)
    if (address === null || !this.#askGuards(socket, address)) {
      socket.destroy()
      return null
    }
    this.#sockets.add(socket)
    socket.once('close', () => {
      this.#sockets.delete(socket)
      if (this.#sockets.size === 0) this.#onEmpty()
    })
    socket.setTimeout(this.#idleTimeoutMs, () => socket.destroy())
    return address
  }

  /** Runs the handler, and closes the connection when it is done writing or fails. */
  serve(connection: ServerConnection, handler: ConnectionHandler): void {
    const { stream } = connection
    stream.on('error', () => {})
    stream.once('finish', () => {
      // If nobody reads, the end of the input is never seen, and the socket would stay open behind it.
      if (stream.readableFlowing !== true) void drainAndDestroy(stream, requireDrainLimits({}))
    })
    const fail = (error: unknown): void => {
      stream.destroy()
      this.report(error, connection)
    }
    // Called at once; as an async function it has one way to fail instead of two.
    const run = async (): Promise<unknown> => handler(connection)
    run().catch(fail)
  }

  report(error: unknown, connection: ServerConnection | null = null): void {
    tell(this.#onError, error, connection)
  }

  /** Admits nobody any more, and resolves when all are gone: by themselves, or destroyed after `graceMs`. */
  close(graceMs: number): Promise<void> {
    this.#closing = true
    if (this.#sockets.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        for (const socket of this.#sockets) socket.destroy()
      }, graceMs)
      const before = this.#onEmpty
      this.#onEmpty = () => {
        clearTimeout(timer)
        before()
        resolve()
      }
    })
  }

  #addressOf(socket: Socket): ClientAddress | null {
    // The client may be gone already.
    if (socket.destroyed || socket.remoteAddress === undefined) return null
    try {
      return parseClientAddress(socket.remoteAddress)
    } catch (error) {
      this.report(error)
      return null
    }
  }

  #askGuards(socket: Socket, address: ClientAddress): boolean {
    for (const guard of this.#guards) {
      try {
        if (guard.opened(address).accept !== true) return false
      } catch (error) {
        this.report(error)
        return false
      }
      // Before the next one is asked, so that this one hears of the end in any case.
      socket.once('close', () => {
        try {
          guard.closed?.(address)
        } catch (error) {
          this.report(error)
        }
      })
    }
    return true
  }
}

// A client that goes away in mid-answer is no fault of the program, and must not be able to fill its log.
const CLIENT_LEFT = new Set([
  'ECONNRESET',
  'EPIPE',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_DESTROYED',
  'ERR_TLACACOCA_BAD_TLS_DATA',
  'ERR_TLACACOCA_CONNECTION_BROKEN',
  'ERR_TLACACOCA_TLS_ALERT',
  'ERR_TLACACOCA_TRUNCATED',
])

function warn(error: unknown): void {
  if (error instanceof Error && 'code' in error && CLIENT_LEFT.has(String(error.code))) return
  process.emitWarning(error instanceof Error ? (error.stack ?? error.message) : String(error), 'TlacacocaServerWarning')
}
