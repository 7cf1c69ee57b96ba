// From a TCP connection to a TLS connection, or to its end.
//
// Node's own TLS server does the handshake, but does not listen: it is handed sockets, one server per certificate. So
// the certificate of a handshake is the right one from the start (see client-hello.ts), a reload is nothing but another
// choice for the next connection, and the deadline covers everything from the first byte on.
//
// Invariants: after the deadline a connection is established or gone, and as soon as its client has left it is gone; no
// handshake, however it goes, throws anything at the process.

import { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { Peer } from '../certificate/peer.ts'
import { BadTLSDataError } from '../errors.ts'
import { drainAndDestroy, requireDrainLimits } from '../net/drain.ts'
import { endsOf } from '../net/ends-of.ts'
import { readServerName, type ServerName } from './certificate-set.ts'
import { peerJudgedBy } from './peer-of.ts'
import { readHello } from './read-hello.ts'
import type { ContextInternals } from './server-context.ts'
import type { Choice } from './server-generation.ts'

/** How a handshake ended. */
export type HandshakeResult =
  | {
      readonly kind: 'done'
      readonly stream: TLSSocket
      readonly peer: Peer | null
      readonly serverName: string | null
    }
  | { readonly kind: 'failed'; readonly reason: HandshakeFailure; readonly error: Error | null }

/**
 * Why a handshake failed. `timeout`: it took too long. `unknown_server_name`: the client asked for another host.
 * `closed`: the client went away, or said nothing of TLS. `tls`: the two sides could not agree; the error says on what.
 * `refused`, by `createSecureServer` only: the client's certificate was not accepted, or it has none.
 */
export type HandshakeFailure = 'timeout' | 'unknown_server_name' | 'closed' | 'tls' | 'refused'

/** Does the handshakes of one listener. */
export class ServerHandshakes {
  readonly #context: ContextInternals
  readonly #timeoutMs: number
  readonly #servers = new WeakMap<Choice, Server>()
  readonly #pending = new Map<Socket, Handshake>()

  constructor(context: ContextInternals, timeoutMs: number) {
    this.#context = context
    this.#timeoutMs = timeoutMs
  }

  /** Begins a handshake. `done` is called once, however it ends. */
  begin(socket: Socket, done: (result: HandshakeResult) => void): void {
    const handshake: Handshake = { sni: undefined, name: { kind: 'none' }, failure: null, error: null, done }
    const timer = setTimeout(() => {
      handshake.failure ??= 'timeout'
      socket.destroy()
    }, this.#timeoutMs)
    const settle = (result: HandshakeResult): void => {
      clearTimeout(timer)
      this.#pending.delete(socket)
      socket.off('close', onClose)
      done(result)
    }
    const onClose = (): void => {
      const { failure, error } = handshake
      const hasLeft = error === null || ('code' in error && error.code === 'ECONNRESET')
      settle({ kind: 'failed', reason: failure ?? (hasLeft ? 'closed' : 'tls'), error })
    }
    handshake.done = settle
    socket.once('close', onClose)
    this.#pending.set(socket, handshake)
    if (!this.#context.readsNames) {
      this.#start(socket, handshake)
      return
    }
    readHello(socket, (reading) => {
      // If there is no hello, OpenSSL will not find one either, and say so to the client.
      if (reading.kind === 'hello') {
        handshake.sni = reading.sni
        handshake.name = readServerName(reading.sni)
      }
      this.#start(socket, handshake)
    })
  }

  #start(socket: Socket, handshake: Handshake): void {
    const choice = this.#context.choose(handshake.name)
    if (choice !== null) {
      // A client that ends its side before the handshake is done has left. Node waits for more from a connection that may
      // be half open, even after a reset, so such a one would keep its place until the deadline.
      socket.allowHalfOpen = false
      this.#serverFor(choice).emit('connection', socket)
      return
    }
    handshake.failure = 'unknown_server_name'
    // Before the server has spoken an alert is sent in clear (RFC 8446 section 6), and after it there is nothing.
    socket.end(UNRECOGNIZED_NAME)
    void drainAndDestroy(socket, requireDrainLimits({}))
  }

  #serverFor(choice: Choice): Server {
    const known = this.#servers.get(choice)
    if (known !== undefined) return known
    const server = createServer({ ...choice.options, handshakeTimeout: this.#timeoutMs })
    server.on('secureConnection', (stream: TLSSocket) => this.#finish(stream))
    server.on('tlsClientError', (error, stream) => this.#fail(stream, error))
    this.#servers.set(choice, server)
    return server
  }

  #finish(stream: TLSSocket): void {
    stream.on('error', () => {})
    stream.allowHalfOpen = true
    const handshake = this.#handshakeOf(stream)
    const sni = typeof stream.servername === 'string' && stream.servername !== '' ? stream.servername : null
    // What we read before decided on the certificate, so OpenSSL must have read the same. It goes by the second hello, if
    // there are two, and does not mind another name in it.
    if (handshake === undefined || (this.#context.readsNames && handshake.sni !== sni)) {
      this.#fail(stream, new BadTLSDataError('the server name of the client can be read in two ways'))
      return
    }
    const name = this.#context.readsNames ? handshake.name : readServerName(sni)
    const serverName = name.kind === 'host' ? name.host : null
    const peer = peerJudgedBy(stream, this.#context.judge)
    // Not in this turn: with TLS 1.3 OpenSSL still has its last messages to write, and a handler that ends the stream
    // at once would lose its close_notify, so that the client had to take the answer for a truncated one.
    setImmediate(() => {
      if (!stream.destroyed) handshake.done({ kind: 'done', stream, peer, serverName })
    })
  }

  #fail(stream: TLSSocket, error: Error): void {
    const handshake = this.#handshakeOf(stream)
    if (handshake !== undefined) handshake.error ??= error
    stream.destroy()
  }

  /**
   * Node tells the socket of a TLS connection, and only by a name of its own the one below it. Without that name both ends
   * of the connection say the same, at the price of asking the system four times for each connection.
   */
  #handshakeOf(stream: TLSSocket): Handshake | undefined {
    const below: unknown = Reflect.get(stream, '_parent')
    if (below instanceof Socket) return this.#pending.get(below)
    const key = endsOf(stream)
    return [...this.#pending].find(([socket]) => endsOf(socket) === key)?.[1]
  }
}

interface Handshake {
  /** What the client asked for, as it stands in its hello; undefined while that is not known. */
  sni: string | null | undefined
  name: ServerName
  failure: HandshakeFailure | null
  error: Error | null
  done: (result: HandshakeResult) => void
}

// Alert, TLS 1.2 (as every record says), two bytes: fatal, unrecognized_name (RFC 6066 section 3).
const UNRECOGNIZED_NAME = Uint8Array.of(21, 3, 3, 0, 2, 2, 112)
