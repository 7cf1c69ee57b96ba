// What an import has met so far, to find what is listed twice: a host, or a fingerprint of a subject.

import { randomFillSync } from 'node:crypto'

/** Remembers the line on which something was met first, and answers with it at the next time. */
export interface KnownPins {
  /** A host and its fingerprint, if that could be read. */
  meetHost(subject: string, digest: string | undefined, line: number): number | undefined
  /**
   * A pin with dates of its own.
   *
   * @param isAfterHost - Whether the host of this subject was met just before, so that its fingerprint is known to be
   *   another one.
   */
  meetPin(subject: string, digest: string, line: number, isAfterHost: boolean): number | undefined
}

/** Remembers everything. */
export class ExactKnownPins implements KnownPins {
  readonly #lines = new Map<string, number>()

  meetHost(subject: string, digest: string | undefined, line: number): number | undefined {
    const earlier = this.#meet(subject, line)
    return digest === undefined ? earlier : (earlier ?? this.#meet(`${subject} ${digest}`, line))
  }

  meetPin(subject: string, digest: string, line: number): number | undefined {
    return this.#meet(`${subject} ${digest}`, line)
  }

  #meet(key: string, line: number): number | undefined {
    const earlier = this.#lines.get(key)
    if (earlier === undefined) this.#lines.set(key, line)
    return earlier
  }
}

/**
 * Remembers 64 bits of a hash per host instead, 16 to 32 bytes against some 300. When it throws, something may be there
 * twice, or it is a coincidence, or it cannot tell; read again with {@link ExactKnownPins}.
 */
export class HashedKnownPins implements KnownPins {
  readonly #onRepetition: (line: number) => never
  /** Pairs of words, open addressing with linear probing. A pair of zeros is a free place. */
  #slots = new Uint32Array(2 * 1024)
  #count = 0
  /** Where the hash begins, so that nobody can write a file of which all hosts belong into one place. */
  readonly #seed = randomFillSync(new Uint32Array(2))
  // The hash in the making. Two fields cost nothing; an object for each of a million hosts would.
  #high = 0
  #low = 0

  /** @param onRepetition - Throws. */
  constructor(onRepetition: (line: number) => never) {
    this.#onRepetition = onRepetition
  }

  meetHost(subject: string, _digest: string | undefined, line: number): undefined {
    this.#begin()
    this.#mix(subject)
    // A fingerprint that stood before its host might have been this one.
    if (!this.#insert(HOST) || this.#includes(PINNED)) this.#onRepetition(line)
  }

  meetPin(subject: string, digest: string, line: number, isAfterHost: boolean): undefined {
    this.#begin()
    this.#mix(subject)
    if (!isAfterHost && this.#includes(HOST)) this.#onRepetition(line)
    this.#insert(PINNED)
    this.#mix(digest)
    if (!this.#insert(DIGEST)) this.#onRepetition(line)
  }

  #begin(): void {
    this.#high = this.#seed[0] as number
    this.#low = this.#seed[1] as number
  }

  #mix(text: string): void {
    let high = this.#high
    let low = this.#low
    const { length } = text
    // Two characters at a time; the second of the last one is the length.
    for (let i = 0; i < length; i += 2) {
      const pair = text.charCodeAt(i) | ((i + 1 < length ? text.charCodeAt(i + 1) : length) << 16)
      high = Math.imul(high ^ pair, 0x01000193)
      low = Math.imul(low ^ (low >>> 15) ^ pair, 0x85ebca6b)
      high ^= high >>> 13
    }
    this.#high = high
    this.#low = low
  }

  #includes(kind: number): boolean {
    return this.#slots[this.#find(this.#slots, (this.#high ^ kind) >>> 0, (this.#low | 1) >>> 0) + 1] !== 0
  }

  /** False if it was there already. */
  #insert(kind: number): boolean {
    const high = (this.#high ^ kind) >>> 0
    const low = (this.#low | 1) >>> 0
    const at = this.#find(this.#slots, high, low)
    if (this.#slots[at + 1] !== 0) return false
    this.#slots[at] = high
    this.#slots[at + 1] = low
    if (++this.#count * 4 > this.#slots.length) this.#grow()
    return true
  }

  /** Where the pair is, or the free place where it would be. */
  #find(slots: Uint32Array, high: number, low: number): number {
    const mask = slots.length - 1
    let at = (Math.imul(high ^ (low >>> 7), 0xc2b2ae35) >>> 3) & mask & ~1
    while (slots[at + 1] !== 0 && (slots[at] !== high || slots[at + 1] !== low)) at = (at + 2) & mask
    return at
  }

  #grow(): void {
    const old = this.#slots
    const slots = new Uint32Array(old.length * 2)
    for (let i = 0; i < old.length; i += 2) {
      const high = old[i] ?? 0
      const low = old[i + 1] ?? 0
      if (low === 0) continue
      const at = this.#find(slots, high, low)
      slots[at] = high
      slots[at + 1] = low
    }
    this.#slots = slots
  }
}

// Told apart by other bits of the hash.
const HOST = 0
const PINNED = 0x5bd1e995
const DIGEST = 0x1b873593
