// A server: one host, one port. Its text is the key of the pin database, so there is one text for each server.

import { requireInteger, requireString } from '../internal/arguments.ts'
import { canonicalHost, invalidEndpoint } from './host.ts'

/**
 * A host and a port in canonical form. Made by `parseEndpoint` and `endpointFrom` only.
 *
 * @example
 * import { parseEndpoint } from 'tlacacoca'
 *
 * const endpoint = parseEndpoint('Example.ORG.', { defaultPort: 1965 })
 * console.log(`${endpoint}`, endpoint.equals(parseEndpoint('example.org:1965'))) // example.org:1965 true
 */
export class Endpoint {
  /**
   * A host name in lower case, as A-labels and without a trailing dot, or an IP address: IPv4 as four decimal numbers,
   * IPv6 by RFC 5952 without brackets. An IPv4-mapped IPv6 address is the IPv4 address.
   */
  readonly host: string
  /** 1 to 65535. */
  readonly port: number
  /** Whether the host is an IP address. Addresses are not sent as SNI and match IP names in certificates only. */
  readonly isAddress: boolean
  readonly #parsed = true

  private constructor(host: string, port: number, isAddress: boolean) {
    this.host = host
    this.port = port
    this.isAddress = isAddress
  }

  /** `example.org:1965`, `[::1]:1965`. Equal endpoints have equal texts. */
  toString(): string {
    return this.isAddress && this.host.includes(':') ? `[${this.host}]:${this.port}` : `${this.host}:${this.port}`
  }

  /** Whether both are the same host and the same port. */
  equals(other: Endpoint): boolean {
    return this.port === other.port && this.host === other.host
  }

  /** Whether a value is an endpoint that this library parsed. */
  static is(value: unknown): value is Endpoint {
    return typeof value === 'object' && value !== null && #parsed in value
  }

  /** @internal */
  static from(host: string, port: number): Endpoint {
    const canonical = canonicalHost(host)
    return new Endpoint(canonical.host, port, canonical.isAddress)
  }
}

/**
 * Reads `host:port`, or a host alone if there is a default port. IPv6 addresses with a port stand in brackets.
 *
 * @param options.defaultPort - The port of a text that names none. Without it, such a text is refused.
 * @throws {InvalidNameError} `ERR_TLACACOCA_ENDPOINT_INVALID` if the host, the port or the whole is malformed.
 * @throws {RangeError} If `defaultPort` is not a port.
 * @example
 * import { parseEndpoint } from 'tlacacoca'
 *
 * console.log(String(parseEndpoint('EXAMPLE.org.:1965'))) // 'example.org:1965'
 * console.log(String(parseEndpoint('0:0::1', { defaultPort: 1965 }))) // '[::1]:1965'
 */
export function parseEndpoint(text: string, options: { readonly defaultPort?: number } = {}): Endpoint {
  requireString('text', text)
  const { defaultPort } = options
  if (defaultPort !== undefined) requireInteger('defaultPort', defaultPort, 1, 65535)
  if (text.length > MAX_LENGTH) throw invalidEndpoint(text, 'is too long for a host and a port')

  const hostEnd = endOfHost(text)
  const host = text.slice(0, hostEnd)
  if (hostEnd < text.length) return Endpoint.from(host, readPort(text, hostEnd + 1))
  if (defaultPort === undefined) throw invalidEndpoint(text, 'names no port')
  return Endpoint.from(host, defaultPort)
}

/**
 * Makes an endpoint of a host (a name or an IP address) and a port.
 *
 * @throws {InvalidNameError} `ERR_TLACACOCA_ENDPOINT_INVALID` if `host` is not a host.
 * @throws {RangeError} If `port` is not a whole number from 1 to 65535.
 * @example
 * import { endpointFrom } from 'tlacacoca'
 *
 * const endpoint = endpointFrom('bücher.example', 1965)
 * console.log(endpoint.host) // 'xn--bcher-kva.example'
 */
export function endpointFrom(host: string, port: number): Endpoint {
  requireString('host', host)
  requireInteger('port', port, 1, 65535)
  return Endpoint.from(host, port)
}

// The longest host that is looked at, a colon, five digits.
const MAX_LENGTH = 512 + 6

/** Where the host ends and `:port` begins; the length of the text if there is no port. */
function endOfHost(text: string): number {
  if (text.startsWith('[')) {
    const close = text.indexOf(']')
    if (close < 0) throw invalidEndpoint(text, 'has a bracket without its partner')
    if (close + 1 < text.length && text[close + 1] !== ':') throw invalidEndpoint(text, 'has more than a port after ]')
    return close + 1
  }
  const colon = text.indexOf(':')
  // Two colons without brackets can only be an IPv6 address, all of it: `::1:1965` is an address too.
  if (colon < 0 || text.includes(':', colon + 1)) return text.length
  return colon
}

function readPort(text: string, start: number): number {
  const port = portFrom(text.slice(start))
  if (port === null) throw invalidEndpoint(text, 'has no port from 1 to 65535')
  return port
}

/** @internal A port in decimal without padding, 1 to 65535, or null. */
export function portFrom(digits: string): number | null {
  if (!/^[1-9][0-9]{0,4}$/.test(digits)) return null
  const port = Number(digits)
  return port <= 65535 ? port : null
}
