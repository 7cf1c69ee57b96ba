// The connections of one server: how many there may be, who may open one, and how they come to an end.
//
// It is shared by all listeners and knows sockets and streams, no TLS. A listener passes each raw socket to `admit`
// before anything else, and each connection that is ready to `serve`.
//
// Invariants: a socket is counted from the moment it comes until it is closed, whatever happens in between; every guard
// that accepted one hears of its end once; no error of a socket, a guard or a handler is left to crash the process.

import type { Socket } from 'node:net'
import { isThenable } from '../internal/thenable.ts'
import { type ClientAddress, parseClientAddress } from '../names/client-address.ts'
import type { ConnectionDecision, ConnectionGuard } from './connection-guard.ts'
import {
  type CheckedLimits,
  type ConnectionHandler,
  type ConnectionLimits,
  type RefusedConnection,
  requireLimits,
} from './connection-limits.ts'
import { drainAndDestroy, requireDrainLimits } from './drain.ts'
import { IdleClock } from './idle-clock.ts'
import { readHeader, readNoHeader } from './read-beginning.ts'
import { tell } from './report.ts'
import type { ServerConnection } from './server-connection.ts'

/** Whose a connection is. */
export interface Client {
  readonly address: ClientAddress
  readonly proxy: ClientAddress | null
}

/** @internal */
export class ConnectionTracker {
  readonly #limits: CheckedLimits
  readonly #sockets = new Set<Socket>()
  readonly #idle: IdleClock
  #closing = false
  #onEmpty: () => void = () => {}

  constructor(limits: ConnectionLimits) {
    this.#limits = requireLimits(limits)
    this.#idle = new IdleClock(this.#limits.idleTimeoutMs, (socket) => socket.destroy())
  }

  /** How many connections are open. */
  get size(): number {
    return this.#sockets.size
  }

  /**
   * Counts a new connection and finds out whose it is; then `begin` gets it, or it is destroyed. Without `proxyProtocol`
   * that is decided when this call returns.
   */
  admit(socket: Socket, begin: (client: Client) => void): void {
    // Without a listener, a client that resets its connection would end the process.
    socket.on('error', () => {})
    if (this.#closing || this.#sockets.size >= this.#limits.maxConnections) {
      this.#refuse(socket, null, { reason: 'max_connections' })
      return
    }
    const address = this.#addressOf(socket)
    if (address === null) {
      socket.destroy()
      return
    }
    this.#count(socket)
    const direct = { address, proxy: null }
    const { proxies } = this.#limits
    if (proxies === null) {
      if (this.#accepts(socket, direct)) begin(direct)
    } else if (proxies.ranges.some((range) => range.contains(address))) {
      readHeader(socket, proxies.timeoutMs, (beginning) => {
        if (beginning.kind !== 'header') {
          this.#refuse(socket, direct, { reason: 'proxy_protocol', detail: beginning.problem })
          return
        }
        const client = { address: beginning.source?.address ?? address, proxy: address }
        if (this.#accepts(socket, client)) begin(client)
      })
    } else if (!proxies.allowDirect) {
      this.#refuse(socket, direct, { reason: 'proxy_protocol', detail: 'not from a trusted proxy' })
    } else if (this.#accepts(socket, direct)) {
      readNoHeader(socket, proxies.timeoutMs, (beginning) => {
        if (beginning.kind !== 'direct') {
          this.#refuse(socket, direct, { reason: 'proxy_protocol', detail: beginning.problem })
        } else if (this.#isWelcome(socket, direct)) begin(direct)
      })
    }
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
    tell(this.#limits.onError ?? warn, error, connection)
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

  #count(socket: Socket): void {
    this.#sockets.add(socket)
    socket.once('close', () => this.#forget(socket))
    this.#idle.watch(socket)
  }

  #forget(socket: Socket): void {
    this.#idle.forget(socket)
    if (this.#sockets.delete(socket) && this.#sockets.size === 0) this.#onEmpty()
  }

  /** The client is known: whether it may stay. If not, it has been refused. */
  #accepts(socket: Socket, client: Client): boolean {
    if (!this.#isWelcome(socket, client)) return false
    const refusal = this.#askGuards(socket, client.address)
    if (refusal !== null) this.#refuse(socket, client, refusal)
    return !socket.destroyed
  }

  #isWelcome(socket: Socket, client: Client): boolean {
    // Nobody has to decide about somebody who has left meanwhile.
    if (socket.destroyed) return false
    if (this.#closing) this.#refuse(socket, client, { reason: 'closing' })
    return !this.#closing
  }

  #refuse(socket: Socket, client: Client | null, refusal: Refusal): void {
    const { onRefused } = this.#limits
    const address = onRefused === null ? null : (client?.address ?? this.#addressOf(socket))
    socket.destroy()
    // Its place is free at once, so that many who are refused in one turn keep nobody else out.
    this.#forget(socket)
    if (onRefused === null) return
    const { guard = null, detail = null } = refusal
    const reason = this.#closing ? 'closing' : refusal.reason
    tell(onRefused, { address, proxy: client?.proxy ?? null, reason, guard, detail })
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

  /** Asks all of them, or up to the first that refuses: null, or who it was. */
  #askGuards(socket: Socket, address: ClientAddress): Refusal | null {
    const { guards } = this.#limits
    if (guards.length === 0) return null
    const accepted: ConnectionGuard[] = []
    // One listener for all of them: of many on one socket Node warns.
    socket.once('close', () => {
      for (const guard of accepted) this.#tellOfEnd(guard, address)
    })
    for (const { name, guard } of guards) {
      const refusal = this.#ask(guard, address)
      if (refusal !== null) return { reason: 'guard', guard: name, ...refusal }
      accepted.push(guard)
    }
    return null
  }

  #ask(guard: ConnectionGuard, address: ClientAddress): { readonly detail: string | null } | null {
    try {
      const decision: unknown = guard.opened(address)
      if (isThenable(decision)) {
        decision.then(undefined, (error) => this.report(error))
        throw new TypeError('a guard must answer at once, and not with a promise')
      }
      const { accept, detail } = decision as ConnectionDecision
      return accept === true ? null : { detail: typeof detail === 'string' ? detail : null }
    } catch (error) {
      this.report(error)
      return { detail: 'it failed' }
    }
  }

  #tellOfEnd(guard: ConnectionGuard, address: ClientAddress): void {
    try {
      const returned: unknown = guard.closed?.(address)
      if (isThenable(returned)) returned.then(undefined, (error) => this.report(error))
    } catch (error) {
      this.report(error)
    }
  }
}

interface Refusal {
  readonly reason: RefusedConnection['reason']
  readonly guard?: string
  readonly detail?: string | null
}

// A client that goes away in mid-answer is no fault of the program, and must not be able to fill its log. Nor must one
// that stays and never reads: where it is cut off, what was being written to it by TLS fails with ECANCELED. A `pipeline` to
// where nobody is any more fails with a code of its own from Node 24 on.
const CLIENT_LEFT = new Set([
  'ECANCELED',
  'ECONNRESET',
  'EPIPE',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_UNABLE_TO_PIPE',
  'ERR_TLACACOCA_BAD_TLS_DATA',
  'ERR_TLACACOCA_CONNECTION_BROKEN',
  'ERR_TLACACOCA_TLS_ALERT',
  'ERR_TLACACOCA_TRUNCATED',
])

function warn(error: unknown): void {
  if (error instanceof Error && 'code' in error && CLIENT_LEFT.has(String(error.code))) return
  process.emitWarning(error instanceof Error ? (error.stack ?? error.message) : String(error), 'TlacacocaServerWarning')
}
