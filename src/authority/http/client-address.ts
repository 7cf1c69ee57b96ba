// Who is at the other end. Behind a proxy the socket says "the proxy", and a header says who asked it; but anybody can
// write that header. So it is read from the right, where the proxy that we know has written, and only as long as what
// stands there is again a proxy that we know.

import { requireList, requireString } from '../../internal/arguments.ts'
import { parseAddressRange } from '../../names/address-range.ts'
import { type ClientAddress, parseClientAddress } from '../../names/client-address.ts'

/** Which header the proxies write. The other one is what a client has slipped past them. */
export type ForwardedHeader = 'x-forwarded-for' | 'forwarded'

/** Tells the client's address from the address of the socket and the headers; null if nobody knows. */
export type AddressReader = (socketAddress: string | undefined, headers: Headers) => ClientAddress | null

/** What stands for the address of a socket that has none: a Unix socket, and so a program on this machine. */
export const UNIX_SOCKET = 'unix'

/**
 * @throws {TypeError} If `trustedProxies` is no list of texts.
 * @throws {InvalidNameError} `ERR_TLACACOCA_ADDRESS_INVALID` for an entry that is neither `unix` nor a range.
 */
export function createAddressReader(trustedProxies: Iterable<string>, header: ForwardedHeader): AddressReader {
  requireList('trustedProxies', trustedProxies)
  const entries = [...trustedProxies]
  const trustsUnixSocket = entries.includes(UNIX_SOCKET)
  const ranges = entries.filter((entry) => entry !== UNIX_SOCKET).map(parseAddressRange)
  const trusts = (address: ClientAddress): boolean => ranges.some((range) => range.contains(address))
  const read = header === 'forwarded' ? forwardedFor : listed

  return (socketAddress, headers) => {
    let client = socketAddress === undefined || socketAddress === UNIX_SOCKET ? null : parse(socketAddress)
    if (client === null && socketAddress !== UNIX_SOCKET) return null
    if (client === null ? !trustsUnixSocket : !trusts(client)) return client
    for (const hop of read(headers.get(header) ?? '').reverse()) {
      const address = parse(hop)
      // The last proxy that we know could not, or would not, say: then it is all we know.
      if (address === null) return client
      client = address
      if (!trusts(client)) return client
    }
    return client
  }
}

/** A context that gives no text is a mistake of the program; one that gives nonsense knows no address. */
export function readSocketAddress(address: unknown): string | undefined {
  if (address !== undefined) requireString('context.address', address)
  return address
}

function parse(text: string): ClientAddress | null {
  try {
    return parseClientAddress(text)
  } catch {
    return null
  }
}

/** `X-Forwarded-For: 192.0.2.1, [2001:db8::1]:4711`, outermost client first. Some proxies add the port. */
function listed(value: string): string[] {
  return value === '' ? [] : value.split(',').map((entry) => withoutPort(entry.trim()))
}

/** `Forwarded: for=192.0.2.1;proto=https, for="[2001:db8::1]:4711"` (RFC 7239 section 4). */
function forwardedFor(value: string): string[] {
  // A quote that a client opens and leaves open would swallow what the proxy has added: `for=192.0.2.9;x="`. Nobody else
  // writes one, and the proxy's own quotes come in pairs, so it always shows at the end.
  if (value === '' || leavesQuoteOpen(value)) return []
  return splitUnquoted(value, ',').map((element) => {
    const nodes = splitUnquoted(element, ';')
      .map((pair) => FOR.exec(pair.trim()))
      .filter((match) => match !== null)
    // A parameter that is there twice (section 4) is no statement at all.
    const [node] = nodes
    return node === undefined || nodes.length > 1 ? '' : withoutPort(node[1] ?? node[2] ?? '')
  })
}

// No escapes: an address needs none, and `unknown` and `_hidden` are no addresses either way.
const FOR = /^for=(?:"([^"\\]*)"|([^\s",;=]+))$/i

function withoutPort(node: string): string {
  const match = /^\[([^\]]*)\](?::[0-9]{1,5})?$/.exec(node) ?? /^([0-9.]+):[0-9]{1,5}$/.exec(node)
  return match?.[1] ?? node
}

function splitUnquoted(text: string, separator: ',' | ';'): string[] {
  const parts: string[] = []
  let start = 0
  visitUnquoted(text, (unit, index) => {
    if (unit !== separator) return
    parts.push(text.slice(start, index))
    start = index + 1
  })
  parts.push(text.slice(start))
  return parts
}

function leavesQuoteOpen(text: string): boolean {
  return visitUnquoted(text, () => {})
}

/** Visits what stands outside of quotes. Whether the last quote is left open. */
function visitUnquoted(text: string, visit: (unit: string, index: number) => void): boolean {
  let quoted = false
  for (let index = 0; index < text.length; index++) {
    const unit = text.charAt(index)
    if (quoted && unit === '\\') index++
    else if (unit === '"') quoted = !quoted
    else if (!quoted) visit(unit, index)
  }
  return quoted
}
