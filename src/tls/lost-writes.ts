// Writes that Node has lost.
//
// What TLS writes by itself, as session tickets after the handshake, is nobody's write. If the system refuses it, because
// the client has reset the connection, Node's TLS drops the error and takes that write to be on its way for ever (`EncOut` in
// tls_wrap.cc, Node 20 to 26). All that the program writes then waits behind it, no error comes, and a connection that
// costs its client nothing would keep its place for the whole `idleTimeoutMs`.
//
// It shows where data waits in the stream although nothing waits below it: what TLS is given it encrypts and hands on at
// once, so that between two looks either something has moved or something waits for the system.

import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { bytesMoved, bytesWaiting } from '../net/bytes-moved.ts'

/** How long a write counts as lost before it is: long enough that a busy event loop has come round. */
const LOOK_MS = 1000

/** Ends connections whose writes are lost, by an ECONNRESET that Node should have given. */
export class LostWrites {
  readonly #watched = new Map<TLSSocket, Watched>()
  #timer: NodeJS.Timeout | undefined

  /** @param socket - The connection below. */
  watch(stream: TLSSocket, socket: Socket): void {
    this.#watched.set(stream, { socket, stuckAt: null })
    stream.once('close', () => this.#forget(stream))
    // It keeps no process alive: the sockets do.
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref()
  }

  #forget(stream: TLSSocket): void {
    if (!this.#watched.delete(stream) || this.#watched.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #look(): void {
    for (const [stream, watched] of this.#watched) {
      const isWaiting = stream.writableLength > 0 && stream.writableCorked === 0
      // In a Node that does not tell what waits below, a slow reader would look the same.
      const moved = isWaiting && bytesWaiting(watched.socket) === 0 ? bytesMoved(watched.socket) : null
      if (moved !== null && moved === watched.stuckAt) stream.destroy(reset())
      watched.stuckAt = moved
    }
  }
}

interface Watched {
  readonly socket: Socket
  /** The bytes that had moved when data waited and nothing waited below; null if it was not so. */
  stuckAt: number | null
}

function reset(): Error {
  return Object.assign(new Error('write ECONNRESET'), { code: 'ECONNRESET', syscall: 'write' })
}
