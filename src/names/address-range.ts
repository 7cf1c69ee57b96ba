// Blocks of addresses in CIDR notation: what deny lists, allow lists and trusted proxies are written in.

import { requireString } from '../internal/arguments.ts'
import { ClientAddress, invalidAddress } from './client-address.ts'
import { isMapped, readIPv4, readIPv6 } from './ip-literal.ts'

/**
 * All addresses that begin with the same bits. A block of IPv6 never contains an IPv4 address, not even `::/0`.
 *
 * @example
 * import { parseAddressRange, parseClientAddress } from 'tlacacoca'
 *
 * const range = parseAddressRange('192.0.2.0/24')
 * console.log(range.contains(parseClientAddress('192.0.2.7'))) // true
 */
export class AddressRange {
  readonly family: 4 | 6
  /** The lowest address. */
  readonly first: ClientAddress
  /** How many leading bits are fixed: 0 to 32 for IPv4, 0 to 128 for IPv6. */
  readonly prefixLength: number
  readonly #parsed = true

  private constructor(first: ClientAddress, prefixLength: number) {
    this.family = first.family
    this.first = first
    this.prefixLength = prefixLength
  }

  /** Whether an address is in it. An IPv4-mapped one is the IPv4 address. */
  contains(address: ClientAddress): boolean {
    if (address.family !== this.family) return false
    const { first } = this
    const prefix = this.prefixLength
    if (this.family === 4) return ((address.w3 ^ first.w3) & ~hostMask(prefix)) === 0
    return (
      ((address.w0 ^ first.w0) & ~hostMask(prefix)) === 0 &&
      ((address.w1 ^ first.w1) & ~hostMask(prefix - 32)) === 0 &&
      ((address.w2 ^ first.w2) & ~hostMask(prefix - 64)) === 0 &&
      ((address.w3 ^ first.w3) & ~hostMask(prefix - 96)) === 0
    )
  }

  /** `10.0.0.0/8`, `2001:db8::/32`; a single address is written without its prefix length. */
  toString(): string {
    const single = this.prefixLength === (this.family === 4 ? 32 : 128)
    return single ? this.first.toString() : `${this.first}/${this.prefixLength}`
  }

  /** Whether both hold the same addresses. */
  equals(other: AddressRange): boolean {
    return this.prefixLength === other.prefixLength && this.first.equals(other.first)
  }

  /** Whether a value is a range that this library parsed. */
  static is(value: unknown): value is AddressRange {
    return typeof value === 'object' && value !== null && #parsed in value
  }

  /** @internal */
  static parse(text: string): AddressRange {
    requireString('text', text)
    if (text.length > MAX_LENGTH) throw invalidAddress(text, 'is too long for an address range')
    const slash = text.indexOf('/')
    const end = slash < 0 ? text.length : slash
    const ipv4 = readIPv4(text, 0, end)
    if (ipv4 >= 0) return AddressRange.#ipv4(text, ipv4, readPrefixLength(text, slash, 32))

    const words = readIPv6(text, 0, end)
    if (words === null) throw invalidAddress(text, 'is not an IP address or a range of them')
    const prefix = readPrefixLength(text, slash, 128)
    const lengths = [0, 32, 64, 96].map((offset) => hostMask(prefix - offset))
    const [m0 = 0, m1 = 0, m2 = 0, m3 = 0] = lengths
    const [w0, w1, w2, w3] = words
    if ((w0 & m0) !== 0 || (w1 & m1) !== 0 || (w2 & m2) !== 0 || (w3 & m3) !== 0) throw hostBitsSet(text)
    // Without host bits a mapped block is at least 96 bits long: the ones of `ffff` are within the prefix.
    if (isMapped(words)) return AddressRange.#ipv4(text, w3, prefix - 96)
    return new AddressRange(ClientAddress.fromWords(6, w0, w1, w2, w3), prefix)
  }

  /** @internal The address has no bits set beyond the prefix. */
  static of(first: ClientAddress, prefixLength: number): AddressRange {
    return new AddressRange(first, prefixLength)
  }

  static #ipv4(text: string, address: number, prefix: number): AddressRange {
    const mask = hostMask(prefix)
    if ((address & mask) !== 0) throw hostBitsSet(text)
    return new AddressRange(ClientAddress.fromWords(4, 0, 0, 0, address), prefix)
  }
}

/**
 * Reads a block of addresses in CIDR notation (RFC 4632 section 3.1), or a single address.
 *
 * A mapped block such as `::ffff:10.0.0.0/104` is the IPv4 block `10.0.0.0/8`. Bits set beyond the prefix are refused
 * rather than cleared: `10.0.0.1/8` is somebody's typing error, and which half is wrong only they know.
 *
 * @throws {InvalidNameError} `ERR_TLACACOCA_ADDRESS_INVALID` for any other text.
 * @example
 * import { parseAddressRange, parseClientAddress } from 'tlacacoca'
 *
 * const office = parseAddressRange('203.0.113.0/24')
 * console.log(office.contains(parseClientAddress('::ffff:203.0.113.9'))) // true
 */
export function parseAddressRange(text: string): AddressRange {
  return AddressRange.parse(text)
}

// 45 characters of IPv6 with a dotted tail, a slash, three digits.
const MAX_LENGTH = 49

function readPrefixLength(text: string, slash: number, max: number): number {
  if (slash < 0) return max
  const digits = text.slice(slash + 1)
  const length = /^(?:0|[1-9][0-9]{0,2})$/.test(digits) ? Number(digits) : -1
  if (length < 0 || length > max) throw invalidAddress(text, `has no prefix length from 0 to ${max}`)
  return length
}

/** @internal The bits of one 32-bit word that lie beyond a prefix which ends `prefix` bits into it. */
export function hostMask(prefix: number): number {
  if (prefix <= 0) return -1
  if (prefix >= 32) return 0
  return -1 >>> prefix
}

function hostBitsSet(text: string): Error {
  return invalidAddress(text, 'has bits set beyond its prefix length')
}
