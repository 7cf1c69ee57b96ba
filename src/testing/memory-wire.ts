import { Duplex } from 'node:stream'

type Callback = () => void

/** One end of a wire that exists in memory only: what it writes the other end reads, in order and with backpressure. */
export class MemoryWire extends Duplex {
  readonly #chunkBytes: number
  #other: MemoryWire | null = null
  #resume: Callback | null = null

  private constructor(chunkBytes: number) {
    super({ allowHalfOpen: true })
    this.#chunkBytes = chunkBytes
  }

  /** @param chunkBytes - How many bytes are delivered at a time, at most. */
  static pair(chunkBytes: number): [MemoryWire, MemoryWire] {
    const ends: [MemoryWire, MemoryWire] = [new MemoryWire(chunkBytes), new MemoryWire(chunkBytes)]
    ends[0].#other = ends[1]
    ends[1].#other = ends[0]
    return ends
  }

  override _read(): void {
    const resume = this.#resume
    this.#resume = null
    resume?.()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    this.#other?.receive(chunk, callback)
  }

  override _final(callback: Callback): void {
    this.#other?.receive(null, callback)
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    callback(error)
    this.#resume?.()
    // As with a socket, the other end sees an end.
    this.#other?.receive(null, () => {})
  }

  /** Takes what the other end has written, or null for its end. `callback` asks for more. */
  receive(chunk: Buffer | null, callback: Callback): void {
    // In a later turn, as from a network.
    setImmediate(() => {
      if (this.destroyed || this.readableEnded) return callback()
      if (this.#push(chunk)) callback()
      else this.#resume = callback
    })
  }

  #push(chunk: Buffer | null): boolean {
    if (chunk === null) return this.push(null) || true
    let wantsMore = true
    for (let at = 0; at < chunk.length && !this.destroyed; at += this.#chunkBytes) {
      wantsMore = this.push(chunk.subarray(at, at + this.#chunkBytes))
    }
    return wantsMore
  }
}
