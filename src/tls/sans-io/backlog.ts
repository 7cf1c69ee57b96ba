/** Bytes that have to wait, in the portions that they came in. */
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
