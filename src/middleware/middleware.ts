// The one shape that all access decisions share. A middleware looks at a request that was parsed once and says yes,
// or no and why. It knows no protocol: the caller turns the reason into its own status code.

import type { Peer } from '../certificate/peer.ts'
import type { ClientAddress } from '../names/client-address.ts'
import type { RequestTarget } from '../names/request-target.ts'

/**
 * Why a request is refused, in words that every protocol can map to a status of its own. Map it with a
 * `Record<DenialReason, …>`, so that a missing one does not compile. Adding one here is a major release.
 */
export type DenialReason =
  /** Too many requests; `retryAfterSeconds` says when the next one will pass. */
  | 'rate_limit'
  /** The client's address is not welcome. */
  | 'access_denied'
  /** The path wants a client certificate and none was shown. */
  | 'cert_required'
  /** The certificate is fine in itself but has no right to this path. */
  | 'cert_not_authorized'
  /** The certificate itself cannot be accepted: expired, not yet valid, revoked; `detail` says which. */
  | 'cert_not_valid'
  /** The user is known, but by another certificate than the one shown. */
  | 'identity_changed'
  /** The server has too many connections. */
  | 'busy'
  /** The request cannot be understood. */
  | 'bad_request'
  /** The request is longer than allowed. */
  | 'too_large'
  /** The request did not arrive in time. */
  | 'timeout'
  /** The request is in order, and for a host, a port or a scheme that is not served here. */
  | 'wrong_host'
  /** Something in the server failed, and undecided means no. */
  | 'internal_error'

/** A request as the rules see it. `peer` is required, so that nobody forgets to pass it: say `null` for none. */
export interface MiddlewareRequest {
  readonly target: RequestTarget
  readonly address: ClientAddress
  /** The client with its proven certificate, as it came out of the handshake. */
  readonly peer: Peer | null
  /** How many tokens the request costs a rate limit. Default 1. */
  readonly cost?: number
}

/** The request may go on. */
export interface Allowed {
  readonly allowed: true
  /** Which rule said so, for logs and for people, where it was one: `allowList office: 192.0.2.0/24`. */
  readonly rule?: string
}

/** The request must be refused. */
export interface Denied<Reason extends string = DenialReason> {
  readonly allowed: false
  readonly denialReason: Reason
  /** After how many whole seconds the same request would pass, if nothing else came. Only where that is known. */
  readonly retryAfterSeconds?: number
  /**
   * Which rule said so, for logs and for people, where it was one: `denyList spamhaus: 203.0.113.0/24`, `/club/`. It may be
   * worked out only when it is read.
   */
  readonly rule?: string
  /** More about the reason, for logs and for people: `expired`, `not_yet_valid`. Open-ended; do not branch on it. */
  readonly detail?: string
  /** What failed, where the reason is `internal_error`. It is for the log of the server; never send it. */
  readonly cause?: unknown
}

/** The decision. A protocol can add denial reasons of its own by the type parameter. */
export type MiddlewareResult<Reason extends string = DenialReason> = Allowed | Denied<Reason>

/**
 * One check. Promises to implement:
 *
 * 1. The answer is an object with `allowed` true or false; whatever is not exactly `true` counts as no.
 * 2. Synchronous answers are given synchronously, so that a chain of them costs nothing.
 * 3. Throwing or rejecting means no (`internal_error`).
 */
export interface Middleware<Reason extends string = DenialReason> {
  /** A short name for reports, such as `rate_limit`. */
  readonly name?: string
  /** Says yes or no to one request. */
  decide(request: MiddlewareRequest): MiddlewareResult<Reason> | Promise<MiddlewareResult<Reason>>
}

/** The one answer that needs no facts. */
export const ALLOWED: Allowed = Object.freeze({ allowed: true })

/** @internal What a decision that could not be made comes to: undecided means no. */
export function failure(cause: unknown): Denied<'internal_error'> {
  return { allowed: false, denialReason: 'internal_error', cause }
}
