// A token bucket for each of many clients, in memory that is all taken at the start.
//
// A `Map` would grow with every address, and whoever has an IPv6 /32 has four billion networks to send from. This is a
// table like a processor's cache: a key belongs into one set of eight slots, and into any slot of it. A slot is 24
// bytes: four words of key and the moment at which its bucket is full again (see refill.ts).
//
// An empty slot and a full bucket are the same thing, a key that has all its tokens, so nothing is ever cleaned up. A
// new key takes the slot of the bucket in its set that is nearest to full. Mostly that one *is* full, and forgetting it
// changes nothing. In a flood of new addresses the newcomers, with one token taken, push out one another; an address
// that has used up its tokens stays. Nobody who has tokens is ever denied for want of a slot.
//
// Only if all eight clients of a set are short of tokens at once, one of them, the nearest to full, gets the rest of
// its tokens early. So `maxKeys` should be larger than the number of clients that are limited at the same time.
//
// Which set a key belongs into is secret (SipHash with a key of this table's own): nobody can aim at one set.

import { randomFillSync } from 'node:crypto'
import { halfSipHash } from './half-sip-hash.ts'

const WAYS = 8
const WORDS = 4

export class BucketTable {
  /** How many keys it holds. */
  readonly capacity: number
  readonly #sets: number
  readonly #keys: Int32Array
  readonly #fullAt: Float64Array
  readonly #seed = randomFillSync(new Int32Array(2))

  constructor(maxKeys: number) {
    this.#sets = Math.ceil(maxKeys / WAYS)
    this.capacity = this.#sets * WAYS
    this.#keys = new Int32Array(this.capacity * WORDS)
    this.#fullAt = new Float64Array(this.capacity)
  }

  /**
   * Takes `units` from the bucket of a key if it has them.
   *
   * @param key - Four words.
   * @param limit - What a full bucket holds.
   * @param now - In units, like everything here.
   * @returns How many units are missing; they were taken if it is 0 or less.
   */
  take(key: Int32Array, units: number, limit: number, now: number): number {
    const [k0, k1, k2, k3] = [key[0] as number, key[1] as number, key[2] as number, key[3] as number]
    const keys = this.#keys
    const fullAt = this.#fullAt
    const first = this.#firstSlot(key)
    let slot = first
    let earliest = Number.POSITIVE_INFINITY
    let used = 0
    for (let i = first; i < first + WAYS; i++) {
      const at = i * WORDS
      const full = fullAt[i] as number
      if (keys[at + 3] === k3 && keys[at + 1] === k1 && keys[at] === k0 && keys[at + 2] === k2) {
        slot = i
        used = full > now ? full - now : 0
        break
      }
      if (full < earliest) {
        earliest = full
        slot = i
      }
    }
    const missing = used + units - limit
    if (missing > 0) return missing
    const at = slot * WORDS
    keys[at] = k0
    keys[at + 1] = k1
    keys[at + 2] = k2
    keys[at + 3] = k3
    fullAt[slot] = now + used + units
    return missing
  }

  /** When the bucket of a key is full again; long ago for a key that is not here. */
  fullAt(key: Int32Array): number {
    const slot = this.#find(key)
    return slot < 0 ? 0 : (this.#fullAt[slot] as number)
  }

  /** Fills the bucket of a key. */
  reset(key: Int32Array): void {
    const slot = this.#find(key)
    if (slot >= 0) this.#fullAt[slot] = 0
  }

  /** How many buckets are not full. Looks at every slot. */
  countUsed(now: number): number {
    let count = 0
    for (const full of this.#fullAt) if (full > now) count++
    return count
  }

  #find(key: Int32Array): number {
    const keys = this.#keys
    const first = this.#firstSlot(key)
    for (let i = first; i < first + WAYS; i++) {
      const at = i * WORDS
      if (keys[at] === key[0] && keys[at + 1] === key[1] && keys[at + 2] === key[2] && keys[at + 3] === key[3]) return i
    }
    return -1
  }

  #firstSlot(key: Int32Array): number {
    const hash = halfSipHash(this.#seed, key)
    // Scales the hash to the number of sets; the remainder of a division would do too, but slower.
    return Math.floor((hash * this.#sets) / 2 ** 32) * WAYS
  }
}
