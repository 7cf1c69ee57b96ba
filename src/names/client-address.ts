// Where a client comes from, by bits. Text is where deny lists leak: `::ffff:203.0.113.9`, `::FFFF:CB00:7109` and
// `0:0:0:0:0:ffff:203.0.113.9%eth0` all are 203.0.113.9, so all of them become the same value here.

import { InvalidNameError } from '../errors.ts'
import { requireString, show } from '../internal/arguments.ts'
import { formatIPv4, formatIPv6, readIPv4, readIPv6 } from './ip-literal.ts'

/**
 * An IP address, decided by its bits. An IPv4-mapped IPv6 address is the IPv4 address, so `family` 6 means that no
 * IPv4 address is inside. Zone ids are dropped: they name an interface of this machine, not a client.
 *
 * @example
 * import { parseClientAddress } from 'tlacacoca'
 *
 * const address = parseClientAddress('::ffff:192.0.2.7')
 * console.log(address.family, `${address}`) // 4 192.0.2.7
 */
export class ClientAddress {
  readonly family: 4 | 6
  readonly #w0: number
  readonly #w1: number
  readonly #w2: number
  readonly #w3: number

  // The words are kept as signed 32-bit integers, which V8 stores in place; unsigned ones would each be an allocation.
  private constructor(family: 4 | 6, w0: number, w1: number, w2: number, w3: number) {
    this.family = family
    this.#w0 = w0
    this.#w1 = w1
    this.#w2 = w2
    this.#w3 = w3
  }

  /** Bits 0 to 31 of an IPv6 address, the most significant ones, as a number from 0 to 2^32 - 1; 0 for IPv4. */
  get w0(): number {
    return this.#w0 >>> 0
  }

  /** Bits 32 to 63 of an IPv6 address; 0 for IPv4. */
  get w1(): number {
    return this.#w1 >>> 0
  }

  /** Bits 64 to 95 of an IPv6 address; 0 for IPv4. */
  get w2(): number {
    return this.#w2 >>> 0
  }

  /** Bits 96 to 127 of an IPv6 address; the whole of an IPv4 address, `1.2.3.4` being 0x01020304. */
  get w3(): number {
    return this.#w3 >>> 0
  }

  /** The canonical text: `192.0.2.1`, and RFC 5952 for IPv6. Equal addresses have equal texts. */
  toString(): string {
    if (this.family === 4) return formatIPv4(this.#w3)
    return formatIPv6(this.#w0, this.#w1, this.#w2, this.#w3)
  }

  /** Whether both are the same address. An IPv4-mapped one is the IPv4 address. */
  equals(other: ClientAddress): boolean {
    return (
      this.family === other.family &&
      this.#w3 === other.#w3 &&
      this.#w2 === other.#w2 &&
      this.#w1 === other.#w1 &&
      this.#w0 === other.#w0
    )
  }

  /** Whether a value is an address that this library parsed. */
  static is(value: unknown): value is ClientAddress {
    return typeof value === 'object' && value !== null && #w3 in value
  }

  /** @internal The words may be signed or unsigned. An IPv4-mapped address becomes the IPv4 address. */
  static fromWords(family: 4 | 6, w0: number, w1: number, w2: number, w3: number): ClientAddress {
    if (family === 6 && w0 === 0 && w1 === 0 && w2 === 0xffff) return new ClientAddress(4, 0, 0, 0, w3 | 0)
    return new ClientAddress(family, w0 | 0, w1 | 0, w2 | 0, w3 | 0)
  }
}

/**
 * Reads the address of a client, as `socket.remoteAddress` gives it.
 *
 * Only literals: four decimal octets without padding, or IPv6 by RFC 4291 section 2.2, with or without a zone id.
 * Octal, hexadecimal and short IPv4 are refused, because two programs would read two addresses.
 *
 * @throws {InvalidNameError} `ERR_TLACACOCA_ADDRESS_INVALID` for any other text.
 * @example
 * import { parseClientAddress } from 'tlacacoca'
 *
 * const address = parseClientAddress('::ffff:192.0.2.1')
 * console.log(address.family, String(address)) // 4 '192.0.2.1'
 */
export function parseClientAddress(text: string): ClientAddress {
  requireString('text', text)
  const ipv4 = readIPv4(text, 0, text.length)
  if (ipv4 >= 0) return ClientAddress.fromWords(4, 0, 0, 0, ipv4)
  const words = readIPv6(text, 0, endWithoutZone(text))
  if (words === null) throw invalidAddress(text, 'is not an IP address')
  return ClientAddress.fromWords(6, words[0], words[1], words[2], words[3])
}

/** @internal */
export function invalidAddress(text: string, problem: string): InvalidNameError {
  return new InvalidNameError('ERR_TLACACOCA_ADDRESS_INVALID', `${show(text)} ${problem}`)
}

// RFC 4007 section 11: an address, `%`, and a zone id that is up to the system. Interface names are short (16 octets
// on Linux); a longer or stranger text is not one, and the whole then fails as an address.
const MAX_ZONE = 64

function endWithoutZone(text: string): number {
  if (text.length > 45 + 1 + MAX_ZONE) return text.length
  const percent = text.indexOf('%')
  if (percent < 0 || percent === text.length - 1 || text.length - percent - 1 > MAX_ZONE) return text.length
  for (let i = percent + 1; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code <= 0x20 || code >= 0x7f || code === 0x25 || code === 0x2f) return text.length
  }
  return percent
}
