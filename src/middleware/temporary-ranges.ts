// Ranges that count for a time only. There are few of them, they come and go one by one, and each look-up has to ask for
// every prefix length that is in use, which are one or two: an address, a network.

import type { AddressRange } from '../names/address-range.ts'
import { hostMask } from '../names/address-range.ts'
import type { ClientAddress } from '../names/client-address.ts'

/** A range, what it says, and until when it does, in milliseconds of whatever clock the caller has. */
export interface TemporaryRange {
  readonly allows: boolean
  readonly range: AddressRange
  readonly until: number
}

export class TemporaryRanges {
  readonly #allows: boolean
  readonly #max: number
  /** Longest prefix first. */
  readonly #groups: { readonly prefixLength: number; readonly family: 4 | 6; readonly entries: Entries }[] = []
  #size = 0

  /** @param allows - What all of them say. */
  constructor(allows: boolean, max: number) {
    this.#allows = allows
    this.#max = max
  }

  /** Adds a range or prolongs it; it is never shortened. Where there is no room, the one that ends first makes some. */
  add(range: AddressRange, until: number, now: number): void {
    const { family, prefixLength, first } = range
    const key = keyOf(first, prefixLength)
    const known = this.#entriesFor(family, prefixLength)?.get(key)
    if (known !== undefined) {
      if (known.until < until) this.#entriesFor(family, prefixLength)?.set(key, { allows: this.#allows, range, until })
      return
    }
    if (this.#size >= this.#max) this.#makeRoom(now)
    let entries = this.#entriesFor(family, prefixLength)
    if (entries === undefined) {
      entries = new Map()
      this.#groups.push({ family, prefixLength, entries })
      this.#groups.sort((a, b) => b.prefixLength - a.prefixLength)
    }
    entries.set(key, { allows: this.#allows, range, until })
    this.#size++
  }

  remove(range: AddressRange): boolean {
    const { family, prefixLength, first } = range
    return this.#delete(family, prefixLength, keyOf(first, prefixLength))
  }

  /** The most specific range around an address that still counts, or null. */
  find(address: ClientAddress, now: number): TemporaryRange | null {
    for (const { family, prefixLength, entries } of this.#groups) {
      if (family !== address.family) continue
      const entry = entries.get(keyOf(address, prefixLength))
      if (entry !== undefined && entry.until > now) return entry
    }
    return null
  }

  /** All that still count. The others are forgotten. */
  list(now: number): TemporaryRange[] {
    this.#removeEnded(now)
    return this.#groups.flatMap(({ entries }) => [...entries.values()])
  }

  #makeRoom(now: number): void {
    const soonest = this.#removeEnded(now)
    if (this.#size >= this.#max && soonest !== null) this.remove(soonest.range)
  }

  /** Gives the one of all that still count that ends first. */
  #removeEnded(now: number): TemporaryRange | null {
    let soonest: TemporaryRange | null = null
    for (const { family, prefixLength, entries } of [...this.#groups]) {
      for (const [key, entry] of entries) {
        if (entry.until <= now) this.#delete(family, prefixLength, key)
        else if (soonest === null || entry.until < soonest.until) soonest = entry
      }
    }
    return soonest
  }

  #entriesFor(family: 4 | 6, prefixLength: number): Entries | undefined {
    return this.#groups.find((group) => group.family === family && group.prefixLength === prefixLength)?.entries
  }

  #delete(family: 4 | 6, prefixLength: number, key: number | string): boolean {
    const index = this.#groups.findIndex((group) => group.family === family && group.prefixLength === prefixLength)
    const entries = this.#groups[index]?.entries
    if (entries === undefined || !entries.delete(key)) return false
    if (entries.size === 0) this.#groups.splice(index, 1)
    this.#size--
    return true
  }
}

type Entries = Map<number | string, TemporaryRange>

/** What all addresses with the same first bits have in common. */
function keyOf({ family, w0, w1, w2, w3 }: ClientAddress, prefixLength: number): number | string {
  const bits = (word: number, index: number): number => word & ~hostMask(prefixLength - 32 * index)
  return family === 4 ? bits(w3, 0) : `${bits(w0, 0)} ${bits(w1, 1)} ${bits(w2, 2)} ${bits(w3, 3)}`
}
