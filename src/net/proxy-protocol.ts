// The header that a proxy puts before a connection, to say whose it is: the PROXY protocol by the authors of HAProxy,
// version 1 (a line of text) and version 2 (binary). Sections are those of its specification, proxy-protocol.txt of 2020.
//
// Who can make up a header can be anybody, so there is one way to write each, and anything else is no header: padded
// numbers, an address of the other family, bytes that belong to nothing, a checksum that is wrong. What is allowed and
// names no TCP client (LOCAL, UNKNOWN, UNSPEC) is the proxy's own connection.
//
// Invariants: of two ways to cut the same bytes, both give the same answer; nothing but the header is ever asked for.

import { ClientAddress } from '../names/client-address.ts'
import { readIPv4, readIPv6 } from '../names/ip-literal.ts'
import { crc32c } from './crc32c.ts'

/** One end of a connection. */
export interface ProxiedEndpoint {
  readonly address: ClientAddress
  readonly port: number
}

export interface ProxyHeader {
  readonly kind: 'header'
  /** In bytes. */
  readonly length: number
  /** The client; null if the proxy speaks for itself, or for somebody that it cannot describe. */
  readonly source: ProxiedEndpoint | null
  /** Where the client connected to: an address of the proxy. */
  readonly destination: ProxiedEndpoint | null
}

/** What the bytes of a connection begin with. */
export type ProxyHeaderReading =
  | ProxyHeader
  /** Part of a header, which has `need` bytes at least. */
  | { readonly kind: 'incomplete'; readonly need: number }
  /** No header. `problem` holds no text of the sender's. */
  | { readonly kind: 'malformed'; readonly problem: string }

/** Reads a header at the beginning of some bytes. */
export function readProxyHeader(bytes: Uint8Array): ProxyHeaderReading {
  if (bytes.length === 0) return { kind: 'incomplete', need: 'PROXY UNKNOWN\r\n'.length }
  return bytes[0] === BINARY_SIGNATURE[0] ? readBinary(bytes) : readText(bytes)
}

/** Whether some bytes begin as a header of either version does; null if it takes more of them to tell. */
export function beginsAsProxyHeader(bytes: Uint8Array): boolean | null {
  const signature = bytes[0] === BINARY_SIGNATURE[0] ? BINARY_SIGNATURE : TEXT_SIGNATURE
  if (!agree(bytes, signature)) return false
  return bytes.length < signature.length ? null : true
}

// Section 2.1. `PROXY` alone would be enough for the specification; the space is part of every header.
const TEXT_SIGNATURE = Buffer.from('PROXY ')
const MAX_TEXT = 107
const TEXT_FORMS = [
  { prefix: 'PROXY TCP4 ', shortest: 'PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n'.length, readAddress: readAddressIPv4 },
  { prefix: 'PROXY TCP6 ', shortest: 'PROXY TCP6 :: :: 0 0\r\n'.length, readAddress: readAddressIPv6 },
  { prefix: 'PROXY UNKNOWN', shortest: 'PROXY UNKNOWN\r\n'.length, readAddress: null },
] as const

function readText(bytes: Uint8Array): ProxyHeaderReading {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, MAX_TEXT)).toString('latin1')
  const form = TEXT_FORMS.find(({ prefix }) => text.startsWith(prefix) || prefix.startsWith(text))
  if (form === undefined) return malformed('it does not begin with a PROXY header')
  if (text.length < form.prefix.length) return { kind: 'incomplete', need: 'PROXY UNKNOWN\r\n'.length }

  const end = text.search(/[\r\n]/)
  if (end < 0) {
    if (text.length > MAX_TEXT - 2) return malformed('the line is too long')
    return { kind: 'incomplete', need: Math.max(text.length + 2, form.shortest) }
  }
  if (text[end] === '\n') return malformed('the line does not end in CR LF')
  if (end === text.length - 1) {
    if (end > MAX_TEXT - 2) return malformed('the line is too long')
    return { kind: 'incomplete', need: text.length + 1 }
  }
  if (text[end + 1] !== '\n') return malformed('the line does not end in CR LF')

  const line = text.slice(form.prefix.length, end)
  const length = end + 2
  if (form.readAddress === null) {
    // What an unknown protocol has behind its name must be ignored, if it is a line of ASCII at all.
    if (!/^(?: [ -~]*)?$/.test(line)) return malformed('the line is no text')
    return { kind: 'header', length, source: null, destination: null }
  }
  const [from = '', to = '', fromPort = '', toPort = '', ...more] = line.split(' ')
  const source = endpointOf(form.readAddress(from), fromPort)
  const destination = endpointOf(form.readAddress(to), toPort)
  if (source === null || destination === null || more.length > 0) return malformed('the line is no list of two ends')
  return { kind: 'header', length, source, destination }
}

function readAddressIPv4(text: string): ClientAddress | null {
  const address = readIPv4(text, 0, text.length)
  return address < 0 ? null : ClientAddress.fromWords(4, 0, 0, 0, address)
}

// A mapped address is one of IPv6 on the wire, and HAProxy sends such; here it becomes the IPv4 address.
function readAddressIPv6(text: string): ClientAddress | null {
  const words = readIPv6(text, 0, text.length)
  return words === null ? null : ClientAddress.fromWords(6, ...words)
}

function endpointOf(address: ClientAddress | null, port: string): ProxiedEndpoint | null {
  if (address === null || !/^(?:0|[1-9][0-9]{0,4})$/.test(port) || Number(port) > 65_535) return null
  return { address, port: Number(port) }
}

// Section 2.2: CR LF CR LF NUL CR LF QUIT LF.
const BINARY_SIGNATURE = Uint8Array.of(13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10)
const BINARY_FIXED = 16
// The length could be 65,535. HAProxy's own buffer, where a header that it takes must fit, has 16,384 bytes by default.
const MAX_CONTENT = 16_384
const LOCAL = 0x20
const PROXY = 0x21
// The families that a PROXY command may have here, and the bytes of their two addresses and ports.
const UNSPEC = 0x00
const TCP_IPV4 = 0x11
const TCP_IPV6 = 0x21
const ADDRESS_BYTES = [0, 12, 36, 216]

function readBinary(bytes: Uint8Array): ProxyHeaderReading {
  if (!agree(bytes, BINARY_SIGNATURE)) return malformed('it does not begin with a PROXY header')
  const command = bytes[12]
  const family = bytes[13]
  if (command !== undefined && command !== LOCAL && command !== PROXY) return malformed('unknown version or command')
  // The specification leaves open what to do with datagrams and Unix sockets. Neither ends in a TCP connection of ours by
  // any right way, and a client that takes a wrong one must not count as the proxy.
  if (command === PROXY && family !== undefined && ![UNSPEC, TCP_IPV4, TCP_IPV6].includes(family)) {
    return malformed('unknown or unsupported address family')
  }
  if (bytes.length < BINARY_FIXED) return { kind: 'incomplete', need: BINARY_FIXED }
  const content = numberAt(bytes, 14, 2)
  if (content > MAX_CONTENT) return malformed('the header is too long')
  const length = BINARY_FIXED + content
  if (bytes.length < length) return { kind: 'incomplete', need: length }

  const header = bytes.subarray(0, length)
  const addressBytes = ADDRESS_BYTES[(family ?? 0) >> 4] ?? content
  const extensions = readExtensions(header, BINARY_FIXED + addressBytes)
  if (extensions.damaged) return malformed('the checksum is wrong')
  if (command === LOCAL || family === UNSPEC) {
    // Such a header is valid whatever is in it, except for a checksum that is wrong.
    return { kind: 'header', length, source: null, destination: null }
  }
  if (!extensions.fit) return malformed('addresses or extensions do not fit in its length')
  const readAddress = family === TCP_IPV4 ? addressIPv4At : addressIPv6At
  const size = addressBytes / 2 - 2
  const endpoint = (index: 0 | 1): ProxiedEndpoint => ({
    address: readAddress(header, BINARY_FIXED + index * size),
    port: numberAt(header, BINARY_FIXED + 2 * size + 2 * index, 2),
  })
  return { kind: 'header', length, source: endpoint(0), destination: endpoint(1) }
}

const CRC32C = 0x03

/** Walks the extensions (TLV) behind the addresses: a type, two bytes of length, and as much of a value, to the end. */
function readExtensions(header: Uint8Array, from: number): { readonly fit: boolean; readonly damaged: boolean } {
  let checksumAt: number | null = null
  let odd = false
  let at = from
  while (at < header.length) {
    const valueAt = at + 3
    if (valueAt > header.length) return NO_FIT
    const end = valueAt + numberAt(header, at + 1, 2)
    if (end > header.length) return NO_FIT
    if (header[at] === CRC32C) {
      odd ||= checksumAt !== null || end - valueAt !== 4
      checksumAt = valueAt
    }
    at = end
  }
  if (at > header.length) return NO_FIT
  if (checksumAt === null) return { fit: true, damaged: false }
  return { fit: true, damaged: odd || crc32c(header, checksumAt) !== numberAt(header, checksumAt, 4) }
}

const NO_FIT = { fit: false, damaged: false }

function addressIPv4At(bytes: Uint8Array, at: number): ClientAddress {
  return ClientAddress.fromWords(4, 0, 0, 0, numberAt(bytes, at, 4))
}

function addressIPv6At(bytes: Uint8Array, at: number): ClientAddress {
  const word = (index: number): number => numberAt(bytes, at + 4 * index, 4)
  return ClientAddress.fromWords(6, word(0), word(1), word(2), word(3))
}

/** An unsigned number of some bytes, the highest first. */
function numberAt(bytes: Uint8Array, at: number, size: 2 | 4): number {
  let value = 0
  for (let i = at; i < at + size; i++) value = value * 256 + (bytes[i] ?? 0)
  return value
}

/** Whether two texts are equal as far as both go. */
function agree(bytes: Uint8Array, signature: Uint8Array): boolean {
  return signature.every((octet, index) => index >= bytes.length || bytes[index] === octet)
}

function malformed(problem: string): ProxyHeaderReading {
  return { kind: 'malformed', problem }
}
