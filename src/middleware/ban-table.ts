// What is known of clients that misbehave, in memory that is all taken at the start: sets of eight slots, as in
// bucket-table.ts, and a record of 32 bytes in each.
//
//   words    0, 1  the key                        numbers  2  when its offences are forgiven, in units (refill.ts)
//            2     kind x (step + 1); 0: empty             3  until when it is or was banned, in milliseconds
//
// A record is worth something while a ban runs, while offences are not forgiven, or while earlier bans would make the
// next one longer. A new record takes the slot of the one that is worthless, or will be first; a ban that runs gives way
// only to another ban, where all eight of the set are bans, and then it is the one that ends first.

import { randomFillSync } from 'node:crypto'
import type { KeyKind } from './bucket-table.ts'
import { halfSipHash } from './half-sip-hash.ts'

const WAYS = 8
/** Any ban is worth more than anything else. Times stay below it for a thousand centuries. */
const BAN_WORTH = 2 ** 51

export class BanTable {
  readonly capacity: number
  readonly #scale: number
  readonly #words: Int32Array
  readonly #numbers: Float64Array
  readonly #s0: number
  readonly #s1: number
  readonly #unitsPerMs: number
  readonly #forgetMs: number
  #forgotten = 0

  /**
   * @param unitsPerMs - Of the moments at which offences are forgiven.
   * @param forgetMs - After how long without a ban one step is forgotten.
   */
  constructor(maxKeys: number, unitsPerMs: number, forgetMs: number) {
    const sets = Math.ceil(maxKeys / WAYS)
    this.capacity = sets * WAYS
    this.#scale = sets / 2 ** 32
    this.#numbers = new Float64Array(this.capacity * 4)
    this.#words = new Int32Array(this.#numbers.buffer)
    this.#unitsPerMs = unitsPerMs
    this.#forgetMs = forgetMs
    const [s0 = 0, s1 = 0] = randomFillSync(new Int32Array(2))
    this.#s0 = s0
    this.#s1 = s1
  }

  /** How many records were given up for others, or not made, although they were worth something. */
  get forgotten(): number {
    return this.#forgotten
  }

  /** The slot of a key, or -1. */
  find(k0: number, k1: number, kind: KeyKind): number {
    const words = this.#words
    const first = this.#firstSlot(k0, k1)
    for (let i = first; i < first + WAYS; i++) {
      if (words[i * 8] === k0 && words[i * 8 + 1] === k1 && (words[i * 8 + 2] as number) * kind > 0) return i
    }
    return -1
  }

  /**
   * Makes an empty record for a key that has none.
   *
   * @param banned - Whether it is for a ban.
   * @returns Its slot, or -1 if all records of the set are bans and this one is not to be.
   */
  add(k0: number, k1: number, kind: KeyKind, banned: boolean, nowMs: number): number {
    const first = this.#firstSlot(k0, k1)
    let slot = first
    let least = Number.POSITIVE_INFINITY
    for (let i = first; i < first + WAYS; i++) {
      const worth = this.#worth(i, nowMs)
      if (worth >= least) continue
      least = worth
      slot = i
    }
    if (least > nowMs) this.#forgotten++
    if (least >= BAN_WORTH && !banned) return -1
    this.#words[slot * 8] = k0
    this.#words[slot * 8 + 1] = k1
    this.#words[slot * 8 + 2] = kind
    this.#numbers[slot * 4 + 2] = 0
    this.#numbers[slot * 4 + 3] = 0
    return slot
  }

  remove(slot: number): void {
    this.#words.fill(0, slot * 8, slot * 8 + 8)
  }

  bannedUntil(slot: number): number {
    return this.#numbers[slot * 4 + 3] as number
  }

  forgivenAt(slot: number): number {
    return this.#numbers[slot * 4 + 2] as number
  }

  setForgivenAt(slot: number, moment: number): void {
    this.#numbers[slot * 4 + 2] = moment
  }

  /** How many steps the next ban is above the first. */
  step(slot: number, nowMs: number): number {
    const step = Math.abs(this.#words[slot * 8 + 2] as number) - 1
    const quietMs = Math.max(0, nowMs - this.bannedUntil(slot))
    return Math.max(0, step - Math.floor(quietMs / this.#forgetMs))
  }

  setBan(slot: number, untilMs: number, step: number): void {
    const kind = Math.sign(this.#words[slot * 8 + 2] as number)
    this.#words[slot * 8 + 2] = kind * (step + 1)
    this.#numbers[slot * 4 + 3] = untilMs
  }

  /** How many bans are running. Looks at every slot. */
  countBans(nowMs: number): number {
    let count = 0
    for (let i = 0; i < this.capacity; i++) if (this.bannedUntil(i) > nowMs) count++
    return count
  }

  /** When the record is worth nothing any more; more than `BAN_WORTH` for a ban. */
  #worth(slot: number, nowMs: number): number {
    const word = this.#words[slot * 8 + 2] as number
    if (word === 0) return 0
    const until = this.bannedUntil(slot)
    if (until > nowMs) return BAN_WORTH + until
    return Math.max(this.forgivenAt(slot) / this.#unitsPerMs, until + (Math.abs(word) - 1) * this.#forgetMs)
  }

  #firstSlot(k0: number, k1: number): number {
    return (((halfSipHash(this.#s0, this.#s1, k0, k1) >>> 0) * this.#scale) | 0) * WAYS
  }
}
