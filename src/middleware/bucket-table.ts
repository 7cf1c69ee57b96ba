// A token bucket for each of many clients, in memory that is all taken at the start.
//
// A `Map` would grow with every address, and whoever has an IPv6 /32 has four billion networks to send from. This is a
// table like a processor's cache: a key belongs into one set of eight slots, and into any slot of it. A slot is 16
// bytes: two words of key and the moment at which its bucket is full again (see refill.ts).
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
//
// There are keys of two kinds, for IPv4 and IPv6: two words hold every /64 there is, and leave no room for IPv4. A
// moment is above 0, so its sign can say which kind of key stands before it.

import { randomFillSync } from 'node:crypto'
import { halfSipHash } from './half-sip-hash.ts'

const WAYS = 8

/** The most keys that a table is made for: 256 MB. More clients are not told apart by any limit that helps. */
export const MAX_KEYS = 2 ** 24

/** 1, or -1 for a key of IPv4. Two keys with the same words and other kinds are two keys. */
export type KeyKind = 1 | -1

export class BucketTable {
  /** How many keys it holds. */
  readonly capacity: number
  /** Sets for each value of a hash. */
  readonly #scale: number
  /** Slot i has its key in words 4 i and 4 i + 1; behind it, as number 2 i + 1 of the same memory, is its moment. */
  readonly #words: Int32Array
  readonly #moments: Float64Array
  readonly #s0: number
  readonly #s1: number
  /** The key that was asked for last, and its set. Requests come in bursts of one client. */
  #k0 = 0
  #k1 = 0
  #set: number
  #forgotten = 0

  constructor(maxKeys: number) {
    const sets = Math.ceil(maxKeys / WAYS)
    this.capacity = sets * WAYS
    this.#scale = sets / 2 ** 32
    this.#moments = new Float64Array(this.capacity * 2)
    this.#words = new Int32Array(this.#moments.buffer)
    const [s0 = 0, s1 = 0] = randomFillSync(new Int32Array(2))
    this.#s0 = s0
    this.#s1 = s1
    this.#k1 = 1
    this.#set = 0
    this.#set = this.setOf(0, 0)
  }

  /** How much memory it takes, for ever. */
  get byteLength(): number {
    return this.#moments.byteLength
  }

  /** How many buckets were given up for others before they were full again. */
  get forgotten(): number {
    return this.#forgotten
  }

  /**
   * The first slot of the set that a key belongs into, for the other methods. It depends on nothing but the key, so it
   * can be asked for before the clock is: the processor then does both at once.
   */
  setOf(k0: number, k1: number): number {
    if (k0 === this.#k0 && k1 === this.#k1) return this.#set
    // Scales the hash to the number of sets; the remainder of a division would do too, but slower.
    const set = (((halfSipHash(this.#s0, this.#s1, k0, k1) >>> 0) * this.#scale) | 0) * WAYS
    this.#k0 = k0
    this.#k1 = k1
    this.#set = set
    return set
  }

  /**
   * Takes `units` from the bucket of a key if it has them.
   *
   * @param set - By {@link BucketTable.setOf}.
   * @param limit - What a full bucket holds.
   * @param now - In units, like everything here.
   * @returns How many units are missing; they were taken if it is 0 or less.
   */
  take(set: number, k0: number, k1: number, kind: KeyKind, units: number, limit: number, now: number): number {
    const slot = this.#find(set, k0, k1, kind)
    if (slot < 0) {
      const missing = units - limit
      if (missing <= 0) this.#put(this.#victim(set, now), k0, k1, (now + units) * kind)
      return missing
    }
    const full = (this.#moments[slot * 2 + 1] as number) * kind
    const used = full > now ? full - now : 0
    const missing = used + units - limit
    if (missing <= 0) this.#moments[slot * 2 + 1] = (now + used + units) * kind
    return missing
  }

  /** When the bucket of a key is full again; long ago for a key that is not here. */
  fullAt(set: number, k0: number, k1: number, kind: KeyKind): number {
    const slot = this.#find(set, k0, k1, kind)
    return slot < 0 ? 0 : Math.abs(this.#moments[slot * 2 + 1] as number)
  }

  /** Fills the bucket of a key. */
  reset(set: number, k0: number, k1: number, kind: KeyKind): void {
    const slot = this.#find(set, k0, k1, kind)
    if (slot >= 0) this.#moments[slot * 2 + 1] = 0
  }

  /** How many buckets are not full. Looks at every slot. */
  countUsed(now: number): number {
    let count = 0
    for (let i = 1; i < this.#moments.length; i += 2) if (Math.abs(this.#moments[i] as number) > now) count++
    return count
  }

  #find(set: number, k0: number, k1: number, kind: KeyKind): number {
    const words = this.#words
    for (let i = set; i < set + WAYS; i++) {
      if (words[i * 4 + 1] !== k1 || words[i * 4] !== k0) continue
      if ((this.#moments[i * 2 + 1] as number) * kind > 0) return i
    }
    return -1
  }

  /** The slot of the bucket that is nearest to full. */
  #victim(set: number, now: number): number {
    const moments = this.#moments
    let slot = set
    let earliest = Number.POSITIVE_INFINITY
    for (let i = set; i < set + WAYS; i++) {
      const moment = Math.abs(moments[i * 2 + 1] as number)
      if (moment >= earliest) continue
      earliest = moment
      slot = i
    }
    if (earliest > now) this.#forgotten++
    return slot
  }

  #put(slot: number, k0: number, k1: number, moment: number): void {
    this.#words[slot * 4] = k0
    this.#words[slot * 4 + 1] = k1
    this.#moments[slot * 2 + 1] = moment
  }
}
