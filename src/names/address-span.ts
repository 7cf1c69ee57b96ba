// Ranges as some lists write them, by their first and last address. Everything else here knows blocks, so a span becomes
// the fewest blocks that cover it: 62 at most for IPv4, 254 for IPv6.

import { requireString } from '../internal/arguments.ts'
import { AddressRange } from './address-range.ts'
import { ClientAddress, invalidAddress } from './client-address.ts'

/**
 * Reads what an entry of an address list can be: an address, a block in CIDR notation, or a first and a last address with
 * a hyphen between, such as `192.0.2.1 - 192.0.2.9`.
 *
 * @returns The blocks that hold the same addresses, in ascending order.
 * @throws {InvalidNameError} `ERR_TLACACOCA_ADDRESS_INVALID` for any other text, for a span from one family to the other,
 *   and for one that ends before it begins.
 * @example
 * import { parseAddressSpan } from 'tlacacoca/middleware'
 *
 * console.log(parseAddressSpan('192.0.2.1-192.0.2.3').join()) // '192.0.2.1,192.0.2.2/31'
 */
export function parseAddressSpan(text: string): readonly AddressRange[] {
  requireString('text', text)
  if (text.length > MAX_LENGTH) throw invalidAddress(text, 'is too long for a range of addresses')
  const hyphen = text.indexOf('-')
  if (hyphen < 0) return [AddressRange.parse(text)]
  const first = readEnd(text, text.slice(0, hyphen).trimEnd())
  const last = readEnd(text, text.slice(hyphen + 1).trimStart())
  if (first.family !== last.family) throw invalidAddress(text, 'goes from one kind of address to the other')
  if (bitsOf(first) > bitsOf(last)) throw invalidAddress(text, 'ends before it begins')
  return blocksOf(first, last)
}

// Two addresses of IPv6 with dotted tails, a hyphen, spaces around it.
const MAX_LENGTH = 100

function readEnd(text: string, end: string): ClientAddress {
  if (end.includes('/')) throw invalidAddress(text, 'is neither one block nor a first and a last address')
  return AddressRange.parse(end).first
}

function blocksOf(first: ClientAddress, last: ClientAddress): AddressRange[] {
  const { family } = first
  const width = family === 4 ? 32 : 128
  const blocks: AddressRange[] = []
  const end = bitsOf(last)
  for (let at = bitsOf(first); at <= end; ) {
    // The largest block that begins here: its size divides the address, and it does not go beyond the end.
    let size = 0
    while (size < width && at % 2n ** BigInt(size + 1) === 0n && at + 2n ** BigInt(size + 1) - 1n <= end) size++
    const address = addressOf(family, at)
    // The mapped addresses in the middle of IPv6 are IPv4 addresses, and no span of IPv6 has any.
    if (address.family === family) blocks.push(AddressRange.of(address, width - size))
    at += 2n ** BigInt(size)
  }
  return blocks
}

function bitsOf({ w0, w1, w2, w3 }: ClientAddress): bigint {
  return [w0, w1, w2, w3].reduce((bits, word) => (bits << 32n) | BigInt(word), 0n)
}

function addressOf(family: 4 | 6, bits: bigint): ClientAddress {
  const word = (shift: bigint): number => Number((bits >> shift) & 0xffffffffn)
  return ClientAddress.fromWords(family, word(96n), word(64n), word(32n), word(0n))
}
