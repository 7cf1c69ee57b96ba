// The authority over HTTP, as a function from a web-standard `Request` to a `Response`. It knows no server: what only a
// server knows (the address, the peer of the handshake) comes beside the request, never out of a header that a client can
// write, except from proxies that are named.
//
// Order: route, method, where the request comes from, limit, type, body, and only then the request is looked at.

import { Peer } from '../../certificate/peer.ts'
import {
  requireBoolean,
  requireFunction,
  requireInteger,
  requireOneOf,
  requireOptions,
  show,
} from '../../internal/arguments.ts'
import type { ClientAddress } from '../../names/client-address.ts'
import { tell } from '../../net/report.ts'
import { CertificateAuthority } from '../certificate-authority.ts'
import { type AuthorityLimiter, MemoryAuthorityLimiter } from '../limiter.ts'
import { type AddressReader, createAddressReader, type ForwardedHeader, readSocketAddress } from './client-address.ts'
import { caDocument, crlDocument, documentResponse } from './documents.ts'
import { failureAnswer } from './failure.ts'
import type { Answer } from './problem.ts'
import { findRoute, type Route } from './routes.ts'
import { answerSigning, type SigningCall, type SigningSettings } from './signing.ts'

/** What an authority does over HTTP. */
export interface AuthorityHandlerOptions {
  /** The profile of what is signed by `PUT /api/csr/…`. Default: the authority's default profile. */
  readonly profile?: string
  /** How large a request may be. Default 32,768 bytes; a request for an RSA key of 4096 bits has 2,400 as PEM. */
  readonly maxBytes?: number
  /** How long a request may take to arrive, in milliseconds. Default 10,000. */
  readonly bodyTimeoutMs?: number
  /** Who may try how often. Default: a {@link MemoryAuthorityLimiter}. */
  readonly limiter?: AuthorityLimiter
  /**
   * The proxies whose word about the client's address counts: addresses, ranges such as `10.0.0.0/8`, and `unix` for
   * whoever connects to a Unix socket. Default: none, and what such headers say is ignored.
   */
  readonly trustedProxies?: Iterable<string>
  /** The header that those proxies write. The other one is ignored, since clients write it. Default `x-forwarded-for`. */
  readonly forwardedHeader?: ForwardedHeader
  /** Sign for everybody who asks, although there are no hooks that would say no. */
  readonly dangerouslySignEveryRequest?: boolean
  /** Told of every answer after it is made, with the error that it hides from the client. What it throws is ignored. */
  readonly onEvent?: (event: AuthorityHttpEvent) => unknown
}

/** What the server knows of a request, beside the request itself. */
export interface AuthorityRequestContext {
  /** The address of the socket, as `socket.remoteAddress` gives it; `unix` for a Unix socket. */
  readonly address?: string | undefined
  /** The client, if it showed a certificate in the handshake of this very connection. */
  readonly peer?: Peer | null | undefined
}

/** Answers a request. It never throws, and never rejects. */
export type AuthorityHandler = (request: Request, context?: AuthorityRequestContext) => Promise<Response>

/** One answer. */
export interface AuthorityHttpEvent {
  readonly kind: 'answered'
  /** The method of the request, as it came. */
  readonly method: string
  /** Which of the addresses it was; `none` for any other. */
  readonly route: 'sign' | 'renew' | 'rekey' | 'ca' | 'crl' | 'none'
  /** The HTTP status of the answer. */
  readonly status: number
  /** Why the answer was no: the `code` of the problem document; null if it was not. */
  readonly code: string | null
  /** The client's address, as far as it is known. */
  readonly address: string | null
  /** From the path, as it was said; null if there was none. */
  readonly clientHash: string | null
  /** Of the certificate that was issued. */
  readonly serialNumber: string | null
  /** What stood behind the refusal. It may hold more than the client should know. */
  readonly error: unknown
}

/**
 * Makes the HTTP side of an authority. Mount it with {@link nodeListener}, or wherever a `Request` is to be had.
 *
 * | request | answer |
 * | --- | --- |
 * | `PUT /api/csr/<clientHash>` with a request, PEM or DER | JSON: `signed_x509_pem`, `chain_pem`, `serial`, `not_after`, `renew_after` |
 * | `POST /renew` with the current certificate in the handshake | the same, for the same key |
 * | `POST /rekey` likewise, with a request | the same, for the key of the request |
 * | `GET /ca.pem` | the certificate of the authority, and those above it |
 * | `GET /crl` | the revocation list, as DER |
 *
 * A `clientHash` is 1 to 128 letters and digits. It is a name, and no proof: what it is worth is up to `authorize`.
 * Errors are problem documents (RFC 9457) with the `code` of the error. An authority without hooks signs for everybody,
 * which over a network is no good default, so no handler is made for one.
 *
 * @throws {TypeError} If the authority has no hooks or no such profile, and for options of the wrong type.
 * @throws {RangeError} If a number is out of range.
 * @throws {InvalidNameError} `ERR_TLACACOCA_ADDRESS_INVALID` for a trusted proxy that is no range.
 * @example
 * import { createServer } from 'node:http'
 * import { CertificateAuthority, createAuthorityHandler, nodeListener, SigningHooks } from 'tlacacoca/authority'
 *
 * const customers = new Set(['f00d'])
 * class Hooks extends SigningHooks {
 *   override authorize() {
 *     return customers.has(this.clientHash ?? '') ? '90d' : undefined // undecided is no
 *   }
 * }
 * const authority = await CertificateAuthority.open('/var/lib/ca', { hooks: (context) => new Hooks(context) })
 * const handler = createAuthorityHandler(authority, { trustedProxies: ['127.0.0.1'] })
 * createServer(nodeListener(handler)).listen(8080, '127.0.0.1')
 */
export function createAuthorityHandler(
  authority: CertificateAuthority,
  options: AuthorityHandlerOptions = {},
): AuthorityHandler {
  const settings = readSettings(authority, options)
  return async (request, context = {}) => {
    const route = findRoute(request)
    let address: ClientAddress | null = null
    let answer: Answer
    try {
      address = settings.readAddress(readSocketAddress(context.address), request.headers)
      answer = await answerTo(route, { request, address, peer: readPeer(context.peer) }, settings)
    } catch (error) {
      answer = failureAnswer(error)
    }
    const { response, code = null, serialNumber = null, error = null } = answer
    const { kind, clientHash } = route
    const { method } = request
    const facts = { method, route: kind, status: response.status, code, clientHash, serialNumber, error }
    tell(settings.onEvent, { kind: 'answered', ...facts, address: address === null ? null : String(address) })
    return response
  }
}

async function answerTo(route: Route, call: SigningCall, settings: Settings): Promise<Answer> {
  const { authority } = settings
  switch (route.kind) {
    case 'sign':
    case 'renew':
    case 'rekey':
      return await answerSigning(route, call, settings)
    case 'ca':
      return { response: documentResponse(caDocument(authority), call.request) }
    case 'crl':
      return { response: documentResponse(await crlDocument(authority), call.request) }
    case 'none':
      return route.answer
  }
}

function readPeer(peer: Peer | null | undefined): Peer | null {
  if (peer === undefined || peer === null) return null
  // A look-alike has proved nothing.
  if (!Peer.is(peer)) throw new TypeError(`"context.peer" expected the peer of a TLS connection, got ${show(peer)}`)
  return peer
}

interface Settings extends SigningSettings {
  readonly readAddress: AddressReader
  readonly onEvent: (event: AuthorityHttpEvent) => unknown
}

function readSettings(authority: CertificateAuthority, options: AuthorityHandlerOptions): Settings {
  if (!CertificateAuthority.is(authority)) {
    throw new TypeError(`"authority" expected a CertificateAuthority, got ${show(authority)}`)
  }
  requireOptions('options', options, KNOWN)
  const { profile, maxBytes = 32_768, bodyTimeoutMs = 10_000, limiter = new MemoryAuthorityLimiter() } = options
  const { trustedProxies = [], forwardedHeader = 'x-forwarded-for', onEvent = () => {} } = options
  const { dangerouslySignEveryRequest = false } = options
  if (profile !== undefined) requireOneOf('profile', profile, authority.profileNames)
  requireInteger('maxBytes', maxBytes, 1, 2 ** 20)
  requireInteger('bodyTimeoutMs', bodyTimeoutMs, 1, 2 ** 31 - 1)
  requireFunction('limiter.take', limiter?.take)
  requireOneOf('forwardedHeader', forwardedHeader, ['x-forwarded-for', 'forwarded'])
  requireFunction('onEvent', onEvent)
  requireBoolean('dangerouslySignEveryRequest', dangerouslySignEveryRequest)
  if (!authority.hasHooks && !dangerouslySignEveryRequest) {
    throw new TypeError(
      '"authority" expected an authority with hooks, whose "authorize" decides who gets a certificate; without them ' +
        'everybody who can reach this handler would (if that is meant, say "dangerouslySignEveryRequest")',
    )
  }
  const readAddress = createAddressReader(trustedProxies, forwardedHeader)
  return { authority, profile, limiter, body: { maxBytes, timeoutMs: bodyTimeoutMs }, readAddress, onEvent }
}

const KNOWN = [
  'profile',
  'maxBytes',
  'bodyTimeoutMs',
  'limiter',
  'trustedProxies',
  'forwardedHeader',
  'dangerouslySignEveryRequest',
  'onEvent',
]
