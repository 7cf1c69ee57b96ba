// Where authorisation meets whoever knows the users: a database, a file, the identity registry. It is asked by a rule
// and answers with an object, never with a bare boolean: a forgotten `await` must not read as "yes".

import type { Peer } from '../certificate/peer.ts'
import { show } from '../internal/arguments.ts'
import type { CompiledRule } from './certificate-rule.ts'
import type { MiddlewareRequest, MiddlewareResult } from './middleware.ts'

/** What is known of the holder of a certificate, and how it is answered. */
export type LookupResult<User = unknown> =
  /** Allowed. */
  | { readonly kind: 'known'; readonly user: User }
  /** The certificate does not say who it is, so another is wanted: `cert_required`. */
  | { readonly kind: 'anonymous' }
  /** Nobody here has it: `cert_not_authorized`. */
  | { readonly kind: 'unknown' }
  /** Somebody asked for it to be accepted and nobody has yet: `cert_not_authorized`. */
  | { readonly kind: 'pending' }
  /** It must not be used any more, because it was revoked, for one: `cert_not_valid`. */
  | { readonly kind: 'refused'; readonly detail?: string }
  /** It claims to be a user who has another certificate here: `identity_changed`. */
  | { readonly kind: 'identity_changed' }

/**
 * Finds out who a certificate belongs to. Promises to implement:
 *
 * 1. `known` only for the exact key or certificate that was registered, not for a name that is written in it.
 * 2. A lookup that cannot tell throws or rejects; that is a refusal (`internal_error`).
 * 3. A synchronous answer is given synchronously.
 */
export interface CertificateLookup<User = unknown> {
  /** Says who a peer is. */
  lookup(peer: Peer, request: MiddlewareRequest): LookupResult<User> | Promise<LookupResult<User>>
}

/** @internal The decision of a rule that an answer comes to. Whatever is not one of the answers throws. */
export function decisionOf(result: LookupResult, { text: rule, allowed }: CompiledRule): MiddlewareResult {
  switch (result.kind) {
    case 'known':
      return allowed
    case 'anonymous':
      return { allowed: false, denialReason: 'cert_required', rule, detail: 'anonymous' }
    case 'unknown':
    case 'pending':
      return { allowed: false, denialReason: 'cert_not_authorized', rule, detail: result.kind }
    case 'refused':
      return { allowed: false, denialReason: 'cert_not_valid', rule, detail: result.detail ?? 'refused' }
    case 'identity_changed':
      return { allowed: false, denialReason: 'identity_changed', rule }
    default:
      throw new TypeError(`a lookup must answer an object with a known kind, not ${show(result satisfies never)}`)
  }
}
