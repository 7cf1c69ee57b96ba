// Which connections are quiet, and for how long: one clock for all connections of a server.
//
// Node's own `socket.setTimeout` goes by what is written to a socket, not by what gets out of it. Where a write is on its
// way when the time is up, and the system had taken a part of it at the beginning, Node takes that for a sign of life and
// waits once more: who never reads would stay twice as long. And what TLS writes below a socket it does not see at all:
// who reads one long answer steadily would be cut off in the middle of it.
//
// So what counts here is what has moved: bytes that came, and bytes that the system has taken. They are looked at some
// times in each period, and whoever has been quiet at each of them is told of.
//
// Invariants: nobody is told of before `idleMs` have passed without a byte, nor more than one look later. A process that
// was stopped for a while has looked once in it, so nobody pays for that.

import type { Socket } from 'node:net'
import { bytesMoved } from './bytes-moved.ts'

/** How often we look in a period: one that is over is noticed a sixteenth of it later at most. */
const LOOKS = 16

export class IdleClock {
  readonly #everyMs: number
  readonly #onIdle: (socket: Socket) => void
  readonly #watched = new Map<Socket, Watched>()
  #timer: NodeJS.Timeout | undefined

  /** `onIdle` is called for a socket once, which is not watched any more then. */
  constructor(idleMs: number, onIdle: (socket: Socket) => void) {
    this.#everyMs = Math.ceil(idleMs / LOOKS)
    this.#onIdle = onIdle
  }

  /** A timeout that a program sets on the socket from here on takes the place of this clock. */
  watch(socket: Socket): void {
    this.#watched.set(socket, { moved: -1, quiet: 0, timeout: socket.timeout })
    // It keeps no process alive: the sockets do.
    this.#timer ??= setInterval(() => this.#look(), this.#everyMs).unref()
  }

  forget(socket: Socket): void {
    if (!this.#watched.delete(socket) || this.#watched.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #look(): void {
    for (const [socket, watched] of this.#watched) {
      const moved = bytesMoved(socket)
      if (moved !== watched.moved) {
        watched.moved = moved
        watched.quiet = 0
      } else if (++watched.quiet >= LOOKS) {
        this.forget(socket)
        if (socket.timeout === watched.timeout) this.#onIdle(socket)
      }
    }
  }
}

interface Watched {
  moved: number
  /** At how many looks in a row nothing had moved. */
  quiet: number
  readonly timeout: number | undefined
}
