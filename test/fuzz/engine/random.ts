// Random numbers that a seed repeats: `sfc32` of PractRand, fast enough not to be seen beside a parser.

export class Random {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number) {
    this.#a = seed | 0
    this.#b = 0x9e3779b9 | 0
    this.#c = 0x243f6a88 | 0
    // The first numbers of neighbouring seeds resemble one another.
    for (let i = 0; i < 12; i++) this.next()
  }

  /** 32 bits. */
  next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    return sum >>> 0
  }

  /** From 0, and less than `limit`. */
  below(limit: number): number {
    return limit <= 1 ? 0 : this.next() % limit
  }

  /** One in so many. */
  oneIn(count: number): boolean {
    return this.below(count) === 0
  }

  /** Small numbers far more often than large ones; less than `limit`. */
  skewed(limit: number): number {
    return this.below(1 + this.below(1 + this.below(limit)))
  }

  pick<T>(list: readonly T[], otherwise: T): T {
    return list[this.below(list.length)] ?? otherwise
  }
}
