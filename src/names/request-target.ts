// What a request asks for, parsed once. Rules and handlers take this and nothing else, so they cannot disagree about
// which host, which path or which scheme was meant.
//
// The parser is our own and strict. The platform's `URL` is lenient on purpose: for `gemini:` it keeps `EXAMPLE.org`,
// `example.org.` and `b%C3%BCcher.example` as three more hosts, resolves relative texts, and repairs what it can.
// Here the text is the absolute form of RFC 3986 section 4.3 or it is refused.
//
//   gemini://example.org:1965/club/rules?query
//   scheme   authority       path        query
//
// Everything is bounded before it is searched, and each search reads the text once.

import { InvalidNameError } from '../errors.ts'
import { requireInteger, requireString, show } from '../internal/arguments.ts'
import { Endpoint, parseEndpoint, portFrom } from './endpoint.ts'
import { hasControl, hasOnlyWholeEscapes, isDamaged } from './percent.ts'
import { RequestPath } from './request-path.ts'
import { readTitanParameters } from './titan-parameters.ts'

/**
 * Which hosts are served: a list of `example.org` (on any port) and `example.org:1966` (on that port only), or `any`.
 * The entries may be written in any form that `parseEndpoint` reads.
 */
export type ServedHosts = readonly string[] | 'any'

/** The target of a request, in canonical form. */
export class RequestTarget {
  /** In lower case, such as `gemini`. */
  readonly scheme: string
  /** The server that was asked for; the port of the scheme if the request named none. */
  readonly endpoint: Endpoint
  readonly path: RequestPath
  /** What follows the `?`, as it came and not decoded; null without a `?`. */
  readonly query: string | null
  /** The parameters of a Titan upload (`;size=…;mime=…;token=…`), decoded. Empty for every other scheme. */
  readonly parameters: ReadonlyMap<string, string>
  readonly #parsed = true

  private constructor(scheme: string, endpoint: Endpoint, rawPath: string, query: string | null) {
    // Titan's parameters hang on the path. They are no part of it: a rule for `/admin` covers `/admin;size=3`.
    const pathEnd = scheme === 'titan' ? rawPath.indexOf(';') : -1
    this.scheme = scheme
    this.endpoint = endpoint
    this.path = RequestPath.parse(pathEnd < 0 ? rawPath : rawPath.slice(0, pathEnd))
    this.query = query
    this.parameters = pathEnd < 0 ? new Map() : readTitanParameters(rawPath.slice(pathEnd + 1))
  }

  /** Whether a value is a target that this library parsed. */
  static is(value: unknown): value is RequestTarget {
    return typeof value === 'object' && value !== null && #parsed in value
  }

  /** @internal */
  static from(scheme: string, endpoint: Endpoint, rawPath: string, query: string | null): RequestTarget {
    if (query !== null) checkQuery(query)
    return new RequestTarget(scheme, endpoint, rawPath === '' ? '/' : rawPath, query)
  }
}

/**
 * Reads the absolute URL that Gemini, Titan, Scroll and others send as their request.
 *
 * @param line - The URL, without the line end.
 * @param options.schemes - The schemes that are understood, each with its default port, such as `{ gemini: 1965 }`.
 * @param options.served - The hosts that are served here. An empty list serves none.
 * @throws {InvalidNameError} `ERR_TLACACOCA_TARGET_INVALID` if the line is not such a URL: user information, a fragment,
 *   spaces and control characters, a malformed host, port, path or query. `ERR_TLACACOCA_TARGET_WRONG_SCHEME` if it is one,
 *   of a scheme that is not in the list; `ERR_TLACACOCA_TARGET_WRONG_HOST` for a host or port that is not served.
 * @example
 * import { parseTarget } from 'tlacacoca'
 *
 * const target = parseTarget('gemini://EXAMPLE.org/a/../club', { schemes: { gemini: 1965 }, served: ['example.org'] })
 * console.log(String(target.endpoint), String(target.path)) // 'example.org:1965 /club'
 */
export function parseTarget(
  line: string,
  options: { readonly schemes: Readonly<Record<string, number>>; readonly served: ServedHosts },
): RequestTarget {
  requireString('line', line)
  requireSchemes(options.schemes)
  if (line.length > MAX_LENGTH) throw malformed(`is longer than ${MAX_LENGTH} characters`)
  if (NOT_IN_A_URL.test(line) || hasControl(line)) throw malformed('has a character that no URL has')

  const schemeEnd = line.indexOf('://')
  const scheme = line.slice(0, Math.max(schemeEnd, 0)).toLowerCase()
  if (!SCHEME.test(scheme)) throw malformed('is not an absolute URL')
  const isServed = Object.hasOwn(options.schemes, scheme)

  const authorityStart = schemeEnd + 3
  const authorityEnd = endOfAuthority(line, authorityStart)
  const queryMark = line.indexOf('?', authorityEnd)
  const pathEnd = queryMark < 0 ? line.length : queryMark
  // The default port of another scheme is not known, and nobody asks for it: whatever the host, the answer is the same.
  const defaultPort = isServed ? options.schemes[scheme] : 1
  const endpoint = readAuthority(line.slice(authorityStart, authorityEnd), defaultPort)
  const query = queryMark < 0 ? null : line.slice(queryMark + 1)
  const target = RequestTarget.from(scheme, endpoint, line.slice(authorityEnd, pathEnd), query)
  // Last, so that what is malformed is called so: this is a request in order, which another server may answer.
  if (!isServed) throw new InvalidNameError('ERR_TLACACOCA_TARGET_WRONG_SCHEME', `${scheme} is not served here`)
  requireServed(endpoint, options.served)
  return target
}

/**
 * Makes a target of the parts that protocols without URLs send, such as Spartan's `example.org /path 0`.
 *
 * @param parts.host - A name or an IP address, with or without a port.
 * @param parts.port - The port if `host` names none: the one that clients connect to.
 * @param parts.path - Absolute and percent-encoded, without query; empty for the root.
 * @param parts.query - As it came, without the `?`. Default: null, none.
 * @param options.served - The hosts that are served here. An empty list serves none.
 * @throws {InvalidNameError} `ERR_TLACACOCA_TARGET_INVALID` if a part is malformed, `ERR_TLACACOCA_TARGET_WRONG_HOST` if
 *   the host is not served.
 * @example
 * import { targetFromParts } from 'tlacacoca'
 *
 * const target = targetFromParts(
 *   { scheme: 'spartan', host: 'example.org', port: 300, path: '/files/' },
 *   { served: ['example.org'] },
 * )
 * console.log(target.path.segments) // ['files']
 */
export function targetFromParts(
  parts: {
    readonly scheme: string
    readonly host: string
    readonly port: number
    readonly path: string
    readonly query?: string | null
  },
  options: { readonly served: ServedHosts },
): RequestTarget {
  const { scheme, host, port, path, query = null } = parts
  requireString('scheme', scheme)
  requireString('host', host)
  requireInteger('port', port, 1, 65535)
  requireString('path', path)
  if (query !== null) requireString('query', query)
  // The scheme is not from the network here: the program names it.
  if (!SCHEME.test(scheme)) {
    throw new TypeError(`"scheme" expected a scheme in lower case, got ${show(scheme)}`)
  }
  const endpoint = asTarget(() => parseEndpoint(host, { defaultPort: port }))
  const target = RequestTarget.from(scheme, endpoint, path, query)
  requireServed(endpoint, options.served)
  return target
}

/** A scheme in capitals would never be found, since those of requests are brought into lower case first. */
function requireSchemes(schemes: unknown): void {
  if (typeof schemes !== 'object' || schemes === null) {
    throw new TypeError(`"schemes" expected an object of default ports, got ${show(schemes)}`)
  }
  for (const scheme of Object.keys(schemes)) {
    if (!SCHEME.test(scheme)) throw new TypeError(`"schemes" expected schemes in lower case, got ${show(scheme)}`)
  }
}

// RFC 3986 section 3.1, in lower case.
const SCHEME = /^[a-z][a-z0-9+.-]{0,63}$/

// Room for a path of the greatest length and a token. The protocols send 1,024.
const MAX_LENGTH = 16_384

// RFC 3986 section 4.3 has no fragment; space, quotes and angle brackets are what delimits URLs in texts (appendix C);
// a backslash is a slash to some.
const NOT_IN_A_URL = /[ "#<>\\]/

/** At the first `/` or `?` (RFC 3986 section 3.2). */
function endOfAuthority(line: string, start: number): number {
  for (let i = start; i < line.length; i++) {
    const code = line.charCodeAt(i)
    if (code === 0x2f || code === 0x3f) return i
  }
  return line.length
}

function readAuthority(authority: string, defaultPort: number | undefined): Endpoint {
  requireInteger('schemes', defaultPort, 1, 65535)
  // User information hides the host: `gemini://example.org@evil.example/`.
  if (authority.includes('@')) throw malformed('has user information')
  // Two colons without brackets are an IPv6 address to `parseEndpoint`; in a URL the brackets are required.
  const close = authority.startsWith('[') ? authority.indexOf(']') : -1
  const colon = authority.indexOf(':', close + 1)
  const host = colon < 0 ? authority : authority.slice(0, colon)
  if (close < 0 && colon >= 0 && authority.includes(':', colon + 1)) throw malformed('has a malformed port')
  // RFC 3986 section 6.2.3: a colon with nothing behind it means the default port.
  const digits = colon < 0 ? '' : authority.slice(colon + 1)
  const port = digits === '' ? defaultPort : portFrom(digits)
  if (port === null) throw malformed('has no port from 1 to 65535')
  return asTarget(() => Endpoint.from(host, port))
}

// The request itself stays out of the message: its user information, query and parameters can be somebody's secrets.
function malformed(problem: string): InvalidNameError {
  return new InvalidNameError('ERR_TLACACOCA_TARGET_INVALID', `the request ${problem}`)
}

/** A malformed host in a request is a malformed request; callers tell those by their own code. */
function asTarget(parse: () => Endpoint): Endpoint {
  try {
    return parse()
  } catch (error) {
    if (error instanceof InvalidNameError) throw new InvalidNameError('ERR_TLACACOCA_TARGET_INVALID', error.message)
    /* v8 ignore next -- @preserve parsing a host throws nothing else; a fault of ours is not the client's */
    throw error
  }
}

function checkQuery(query: string): void {
  if (query.length > MAX_LENGTH) throw malformed(`has a query longer than ${MAX_LENGTH} characters`)
  if (NOT_IN_A_URL.test(query) || hasControl(query) || isDamaged(query) || !hasOnlyWholeEscapes(query)) {
    throw malformed('has a malformed query')
  }
}

function requireServed(endpoint: Endpoint, served: ServedHosts): void {
  if (served === 'any') return
  if (!Array.isArray(served)) throw new TypeError(`"served" expected a list of hosts or 'any', got ${show(served)}`)
  const list: readonly string[] = served
  // Entries are usually written as we would write them; only if none of them fits are they brought into form.
  const text = endpoint.toString()
  if (list.includes(endpoint.host) || list.includes(text)) return
  if (list.map((entry) => servedEndpoint(entry, endpoint.port)).some((entry) => entry.equals(endpoint))) return
  throw new InvalidNameError('ERR_TLACACOCA_TARGET_WRONG_HOST', `${text} is not served here`)
}

/** An entry without a port is served on every port, so also on the one that was asked for. */
function servedEndpoint(entry: string, port: number): Endpoint {
  try {
    return parseEndpoint(entry, { defaultPort: port })
  } catch (cause) {
    throw new TypeError(`"served" expected hosts, got ${show(entry)}`, { cause })
  }
}
