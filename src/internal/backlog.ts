// A byte that comes by itself takes some 500 with all that Node makes of it, and whoever sends single bytes would have us
// keep hundreds of times what a limit in bytes says. So where portions are many for what is in them, they become one. The
// more waits, the more of them there may be, so that little is copied.
const MIN_PORTIONS = 64
const BYTES_FOR_ONE_MORE = 1024

/** Bytes that have to wait, in the portions that they came in unless those are very small. */
export class Backlog {
  #portions: Uint8Array[] = []
  #bytes = 0

  /** How many bytes wait. */
  get bytes(): number {
    return this.#bytes
  }

  push(portion: Uint8Array): void {
    this.#portions.push(portion)
    this.#bytes += portion.length
    if (this.#portions.length > MIN_PORTIONS + this.#bytes / BYTES_FOR_ONE_MORE) this.join()
  }

  /** Puts back what was taken too early. */
  unshift(portion: Uint8Array): void {
    this.#portions.unshift(portion)
    this.#bytes += portion.length
  }

  shift(): Uint8Array | undefined {
    const portion = this.#portions.shift()
    this.#bytes -= portion?.length ?? 0
    return portion
  }

  /** All of it in one piece, which goes on waiting. */
  join(): Buffer {
    const [only] = this.#portions
    if (only instanceof Buffer && this.#portions.length === 1) return only
    const whole = Buffer.concat(this.#portions)
    this.#portions = [whole]
    return whole
  }

  /** All of it; nothing waits any more. */
  take(): Uint8Array[] {
    this.#bytes = 0
    return this.#portions.splice(0)
  }
}
