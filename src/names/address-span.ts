// Ranges as some lists write them, by their first and last address. Everything else here knows blocks, so a span becomes
// the fewest blocks that cover it: 62 at most for IPv4, 254 for IPv6.

import { requireString } from '../internal/arguments.ts'
import { AddressRange, hostMask } from './address-range.ts'
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
  const span = { family: first.family, from: wordsOf(first), to: wordsOf(last) }
  const common = commonBits(span)
  if (bitOf(span.from, common) > bitOf(span.to, common)) throw invalidAddress(text, 'ends before it begins')
  return blocksOf(span, common)
}

// Two addresses of IPv6 with dotted tails, a hyphen, spaces around it.
const MAX_LENGTH = 100

function readEnd(text: string, end: string): ClientAddress {
  if (end.includes('/')) throw invalidAddress(text, 'is neither one block nor a first and a last address')
  return AddressRange.parse(end).first
}

// All four words for both families, so that bits and prefix lengths are counted from 0 to 128 here. IPv4 begins at 96.
type Words = readonly [number, number, number, number]

interface Span {
  readonly family: 4 | 6
  readonly from: Words
  readonly to: Words
}

// Bit by bit, and not by arithmetic on large numbers: a list may have nothing but the longest of spans.
function blocksOf({ family, from, to }: Span, common: number): AddressRange[] {
  const blocks: AddressRange[] = []
  const add = (words: Words, length: number): void => {
    const first = beginOf(family, words, length)
    // The mapped addresses in the middle of IPv6 are IPv4 addresses, and no span of IPv6 has any.
    if (first.family === family) blocks.push(AddressRange.of(first, family === 4 ? length - 96 : length))
  }
  // The largest blocks that begin with the first address and end with the last one.
  const start = lengthOfRun(from, 0, common)
  const end = lengthOfRun(to, 1, common)
  if (start === common && end === common) {
    add(from, common)
    return blocks
  }
  // What both have in common ends with 0 for the first address and with 1 for the last one: two halves. In the lower
  // one, of each block that holds the first address in its own lower half, the upper half; then the same upside down.
  add(from, Math.max(start, common + 1))
  for (let length = start; length > common + 1; length--) {
    if (bitOf(from, length - 1) === 0) add(otherHalf(from, length), length)
  }
  for (let length = common + 2; length <= end; length++) {
    if (bitOf(to, length - 1) === 1) add(otherHalf(to, length), length)
  }
  add(to, Math.max(end, common + 1))
  return blocks
}

function beginOf(family: 4 | 6, words: Words, length: number): ClientAddress {
  const cut = (index: 0 | 1 | 2 | 3): number => (words[index] & ~hostMask(length - 32 * index)) >>> 0
  return ClientAddress.fromWords(family, cut(0), cut(1), cut(2), cut(3))
}

/** An address in the block beside the one of this length that holds an address: its last bit is the other one. */
function otherHalf([w0, w1, w2, w3]: Words, length: number): Words {
  const bit = 1 << (-length & 31)
  switch ((length - 1) >>> 5) {
    case 0:
      return [w0 ^ bit, w1, w2, w3]
    case 1:
      return [w0, w1 ^ bit, w2, w3]
    case 2:
      return [w0, w1, w2 ^ bit, w3]
    default:
      return [w0, w1, w2, w3 ^ bit]
  }
}

function wordsOf({ w0, w1, w2, w3 }: ClientAddress): Words {
  return [w0, w1, w2, w3]
}

function commonBits({ from, to }: Span): number {
  let bit = 0
  while (bit < 128 && bitOf(from, bit) === bitOf(to, bit)) bit++
  return bit
}

/** The least prefix length, from `least` on, behind which all bits are the same. */
function lengthOfRun(words: Words, value: 0 | 1, least: number): number {
  let length = 128
  while (length > least && bitOf(words, length - 1) === value) length--
  return length
}

/** A bit, the most significant being 0; 0 for one that is not there. */
function bitOf(words: Words, bit: number): number {
  return ((words[bit >>> 5] ?? 0) >>> (31 - (bit & 31))) & 1
}
