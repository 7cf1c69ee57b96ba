// Two ends of a connection that exists in memory only. What one writes the other reads, in order, with backpressure.

import { Duplex } from 'node:stream'

export class MemoryEnd extends Duplex {
  other: MemoryEnd | null = null
  #resume: (() => void) | null = null

  constructor() {
    super({ allowHalfOpen: true })
  }

  override _read(): void {
    const resume = this.#resume
    this.#resume = null
    resume?.()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.other?.receive(chunk, callback)
  }

  override _final(callback: () => void): void {
    this.other?.receive(null, callback)
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    callback(error)
    // As with a socket, the other end sees an end.
    if (this.other?.destroyed === false) this.other.receive(null, () => {})
  }

  /** What arrives at this end: bytes, or null for the end. The callback comes when there is room for more. */
  receive(chunk: Buffer | null, callback: () => void): void {
    if (this.destroyed || this.readableEnded) {
      callback()
      return
    }
    // In a later turn, as from a network.
    setImmediate(() => {
      if (this.destroyed) return callback()
      if (this.push(chunk)) callback()
      else this.#resume = callback
    })
  }
}

export function memoryPair(): [MemoryEnd, MemoryEnd] {
  const ends: [MemoryEnd, MemoryEnd] = [new MemoryEnd(), new MemoryEnd()]
  ends[0].other = ends[1]
  ends[1].other = ends[0]
  return ends
}
