// Lists of address ranges, as people write them, made into two tables: one for IPv4, one for IPv6. They are apart
// because the families are: `::/0` means every IPv6 address, and no IPv4 address is one (`ClientAddress` has unwrapped
// the mapped ones, in rules and in clients).

import { requireList } from '../internal/arguments.ts'
import { parseAt } from '../internal/parse-at.ts'
import { doAtOnce } from '../internal/slices.ts'
import { AddressRange, hostMask } from '../names/address-range.ts'
import { parseAddressSpan } from '../names/address-span.ts'
import { ClientAddress } from '../names/client-address.ts'
import { BlockBuffer } from './address-blocks.ts'
import { type AddressEntries, AddressList } from './address-list.ts'
import { BlockTable, type Tag } from './block-table.ts'

/** A list of ranges, and the tag of what it says. */
export interface TaggedList {
  /** The name of the option it came from, for messages. */
  readonly name: string
  readonly tag: Tag
  readonly ranges: AddressEntries
}

export class AddressTable {
  readonly #ipv4: BlockTable
  readonly #ipv6: BlockTable

  private constructor(ipv4: BlockTable, ipv6: BlockTable) {
    this.#ipv4 = ipv4
    this.#ipv6 = ipv6
  }

  /** Where lists overlap, the one with the lower tag holds. */
  static of(...lists: readonly TaggedList[]): AddressTable {
    return doAtOnce(AddressTable.build(lists))
  }

  /** The same, a few milliseconds of work from one `yield` to the next. */
  static *build(lists: readonly TaggedList[]): Generator<void, AddressTable> {
    const ipv4 = new BlockBuffer(1)
    const ipv6 = new BlockBuffer(4)
    for (const { name, tag, ranges } of lists) {
      if (AddressList.is(ranges)) {
        const blocks = AddressList.blocksOf(ranges)
        ipv4.addAll(blocks.ipv4, tag)
        ipv6.addAll(blocks.ipv6, tag)
        yield
        continue
      }
      requireList(name, ranges)
      let index = 0
      for (const entry of ranges) {
        // A deny list with a hole where somebody mistyped is worse than a server that does not start.
        for (const range of parseAt(`${name}[${index}]`, entry, parseAddressSpan)) {
          ;(range.family === 4 ? ipv4 : ipv6).add(range, tag)
        }
        if (++index % 64 === 0) yield
      }
    }
    return new AddressTable(yield* BlockTable.build(ipv4.toBlocks()), yield* BlockTable.build(ipv6.toBlocks()))
  }

  /** The tag of the list that decides about an address, or 0. */
  tagAt(address: ClientAddress): Tag {
    const table = address.family === 4 ? this.#ipv4 : this.#ipv6
    return table.tagOf(this.#blockAt(address))
  }

  /** The most specific range around an address on the list that decides about it, or null. */
  rangeAt(address: ClientAddress): AddressRange | null {
    const table = address.family === 4 ? this.#ipv4 : this.#ipv6
    const block = this.#blockAt(address)
    if (block < 0) return null
    const length = table.prefixLengthOf(block)
    const { family, w0, w1, w2, w3 } = address
    const bits = (word: number, index: number): number => word & ~hostMask(length - 32 * index)
    const first =
      family === 4
        ? ClientAddress.fromWords(4, 0, 0, 0, bits(w3, 0))
        : ClientAddress.fromWords(6, bits(w0, 0), bits(w1, 1), bits(w2, 2), bits(w3, 3))
    return AddressRange.of(first, length)
  }

  /** How much memory the tables take. */
  get byteLength(): number {
    return this.#ipv4.byteLength + this.#ipv6.byteLength
  }

  #blockAt(address: ClientAddress): number {
    if (address.family === 4) return this.#ipv4.find1(address.w3)
    return this.#ipv6.find4(address.w0, address.w1, address.w2, address.w3)
  }
}
