// Chance that can be repeated: the same seed, the same choices.

export class FuzzRandom {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
    // Seeds that follow one another must not begin alike.
    for (let warming = 0; warming < 4; warming++) this.below(2)
  }

  /** A whole number from 0 on, below `end` (mulberry32). */
  below(end: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * end)
  }

  /** Whether it happens, as it does once in so many times. */
  once(inSoMany: number): boolean {
    return this.below(inSoMany) === 0
  }

  pick<Value>(values: readonly Value[]): Value {
    return values[this.below(values.length)] as Value
  }

  bytes(count: number): Buffer {
    const bytes = Buffer.alloc(count)
    for (let at = 0; at < count; at++) bytes.writeUInt8(this.below(256), at)
    return bytes
  }

  /** Cuts bytes into pieces of up to so many. */
  pieces(bytes: Uint8Array, most: number): Uint8Array[] {
    const pieces: Uint8Array[] = []
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + 1 + this.below(most))
      pieces.push(bytes.subarray(at, end))
      at = end
    }
    return pieces
  }
}
