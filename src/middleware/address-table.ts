// Lists of address ranges, as people write them, made into two tables: one for IPv4, one for IPv6. They are apart
// because the families are: `::/0` means every IPv6 address, and no IPv4 address is one (`ClientAddress` has unwrapped
// the mapped ones, in rules and in clients).

import { InvalidNameError } from '../errors.ts'
import { requireList, requireString } from '../internal/arguments.ts'
import { type AddressRange, parseAddressRange } from '../names/address-range.ts'
import { ClientAddress } from '../names/client-address.ts'
import { hostMask, IntervalTable, packValue, prefixLengthOf, type Tag, tagOf, type Value } from './interval-table.ts'

/** A list of ranges, and the tag of what it says. */
export interface AddressList {
  /** The name of the option it came from, for messages. */
  readonly name: string
  readonly tag: Tag
  readonly ranges: Iterable<string>
}

export class AddressTable {
  readonly #ipv4: IntervalTable
  readonly #ipv6: IntervalTable

  /** Where lists overlap, the one with the lower tag holds. */
  constructor(lists: readonly AddressList[]) {
    const ipv4: number[] = []
    const ipv6: number[] = []
    for (const { name, tag, ranges } of lists) {
      requireList(name, ranges)
      let index = 0
      for (const entry of ranges) {
        const { family, first, prefixLength } = readRange(`${name}[${index++}]`, entry)
        if (family === 4) ipv4.push(first.w3, packValue(prefixLength, tag))
        else ipv6.push(first.w0, first.w1, first.w2, first.w3, packValue(prefixLength, tag))
      }
    }
    this.#ipv4 = new IntervalTable(1, new Uint32Array(ipv4))
    this.#ipv6 = new IntervalTable(4, new Uint32Array(ipv6))
  }

  /** The tag of the list that an address is in, or 0. */
  tagAt(address: ClientAddress): number {
    return tagOf(this.#valueAt(address))
  }

  /** The largest range around an address in the list that holds there, or null. */
  rangeAt(address: ClientAddress): AddressRange | null {
    const value = this.#valueAt(address)
    if (value === 0) return null
    const length = prefixLengthOf(value)
    const bits = (word: number, index: number): number => word & ~hostMask(length - 32 * index)
    const { family, w0, w1, w2, w3 } = address
    const first =
      family === 4
        ? ClientAddress.fromWords(4, 0, 0, 0, bits(w3, 0))
        : ClientAddress.fromWords(6, bits(w0, 0), bits(w1, 1), bits(w2, 2), bits(w3, 3))
    return parseAddressRange(`${first}/${length}`)
  }

  /** How much memory the tables take. */
  get byteLength(): number {
    return this.#ipv4.byteLength + this.#ipv6.byteLength
  }

  #valueAt(address: ClientAddress): Value {
    if (address.family === 4) return this.#ipv4.find1(address.w3)
    return this.#ipv6.find4(address.w0, address.w1, address.w2, address.w3)
  }
}

function readRange(place: string, entry: unknown): AddressRange {
  requireString(place, entry)
  try {
    return parseAddressRange(entry)
  } catch (error) {
    if (!(error instanceof InvalidNameError)) throw error
    // A deny list with a hole where somebody mistyped is worse than a server that does not start.
    throw new InvalidNameError(error.code, `"${place}": ${error.message}`, { cause: error })
  }
}
