// Addresses as keys of a table: two words and a kind. A prefix of up to 64 bits is its own key, so no two clients are
// ever taken for one. Longer prefixes are hashed to 64 bits, by a secret of this process: one pair in 2^64.

import { randomFillSync } from 'node:crypto'
import { requireInteger, show } from '../internal/arguments.ts'
import { hostMask } from '../names/address-range.ts'
import { ClientAddress } from '../names/client-address.ts'
import { formatIPv4, formatIPv6 } from '../names/ip-literal.ts'
import type { KeyKind } from './bucket-table.ts'
import { hashText } from './half-sip-hash.ts'

/** How many leading bits of an address make one client. */
export interface ClientPrefixes {
  /**
   * How many leading bits of an IPv6 address make one client, 0 to 128. Default 64: a /64 is one network, and whoever
   * has it can use a new address for each request. Providers also give out /56 and /48.
   */
  readonly ipv6PrefixLength?: number
  /** How many leading bits of an IPv4 address make one client, 0 to 32. Default 32. */
  readonly ipv4PrefixLength?: number
}

export class AddressKeys {
  /** What is kept of the last word of an IPv4 address, and of the first two of an IPv6 address. */
  readonly ipv4Mask: number
  readonly mask0: number
  readonly mask1: number
  readonly #ipv4Length: number
  readonly #ipv6Length: number
  readonly #mask2: number
  readonly #mask3: number
  readonly #seed: Int32Array | null

  constructor({ ipv6PrefixLength = 64, ipv4PrefixLength = 32 }: ClientPrefixes) {
    requireInteger('ipv6PrefixLength', ipv6PrefixLength, 0, 128)
    requireInteger('ipv4PrefixLength', ipv4PrefixLength, 0, 32)
    this.#ipv4Length = ipv4PrefixLength
    this.#ipv6Length = ipv6PrefixLength
    this.ipv4Mask = ~hostMask(ipv4PrefixLength)
    this.mask0 = ~hostMask(ipv6PrefixLength)
    this.mask1 = ~hostMask(ipv6PrefixLength - 32)
    this.#mask2 = ~hostMask(ipv6PrefixLength - 64)
    this.#mask3 = ~hostMask(ipv6PrefixLength - 96)
    this.#seed = ipv6PrefixLength > 64 ? randomFillSync(new Int32Array(2)) : null
  }

  /** Whether the masks are all there is to a key. */
  get isExact(): boolean {
    return this.#seed === null
  }

  /** The first word of the key of an address. */
  first(address: ClientAddress): number {
    if (address.family === 4) return 0
    return this.#seed === null ? address.w0 & this.mask0 : this.#hash(address, this.#seed, 0)
  }

  /** The second. */
  second(address: ClientAddress): number {
    if (address.family === 4) return address.w3 & this.ipv4Mask
    return this.#seed === null ? address.w1 & this.mask1 : this.#hash(address, this.#seed, 1)
  }

  kind(address: ClientAddress): KeyKind {
    return address.family === 4 ? -1 : 1
  }

  /** The same as text, as ranges are written: `192.0.2.1`, `2001:db8::/64`. */
  textOf(address: ClientAddress): string {
    const { family, w0, w1, w2, w3 } = address
    if (family === 4) {
      const first = formatIPv4(w3 & this.ipv4Mask)
      return this.#ipv4Length === 32 ? first : `${first}/${this.#ipv4Length}`
    }
    const first = formatIPv6(w0 & this.mask0, w1 & this.mask1, w2 & this.#mask2, w3 & this.#mask3)
    return this.#ipv6Length === 128 ? first : `${first}/${this.#ipv6Length}`
  }

  #hash({ w0, w1, w2, w3 }: ClientAddress, seed: Int32Array, word: 0 | 1): number {
    const words = [w0 & this.mask0, w1 & this.mask1, w2 & this.#mask2, w3 & this.#mask3]
    hashText(seed, String.fromCharCode(...words.flatMap((each) => [each & 0xffff, each >>> 16])), HASH)
    return HASH[word] as number
  }
}

const HASH = new Int32Array(2)

/** @internal */
export function requireAddress(address: unknown): asserts address is ClientAddress {
  if (!ClientAddress.is(address)) throw new TypeError(`"address" expected a ClientAddress, got ${show(address)}`)
}
