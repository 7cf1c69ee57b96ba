// The question that `connect` asks before anything of ours leaves, and the answers to it. It lives beside the
// certificates because two domains that never import one another meet here: `tls` asks, and `tofu` can answer.

import type { Endpoint } from '../names/endpoint.ts'
import type { Certificate } from './certificate.ts'
import type { TLSVersion } from './peer.ts'

/** A server that has proven its key and waits to be accepted. */
export interface PeerCandidate {
  readonly endpoint: Endpoint
  readonly certificate: Certificate
  /** What the server sent, its own certificate first. */
  readonly chain: readonly Certificate[]
  readonly protocol: TLSVersion
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

/** An answer is an object, never a bare boolean: a forgotten `await` must not read as "yes". */
export type VerifierDecision =
  | { readonly accept: true /** On what ground, such as `first_use`. */; readonly ground: string }
  | {
      readonly accept: false
      /** One word to branch on, such as `expired` or `wrong_hostname`. */
      readonly reason: string
      /** A sentence for a person. */
      readonly detail: string
      /** What `connect` rejects with; `PeerRefusedError` without one. */
      readonly error?: Error
      /**
       * The TLS alert that the server gets to see (RFC 8446 section 6), if the verifier knows better than the reason
       * tells: 45 for `expired`, 48 for `unknown_authority`, 46, certificate_unknown, for anything else.
       */
      readonly alert?: number
    }

/**
 * Decides whether a server is the one that was meant. Promises to implement:
 *
 * 1. `accept: true` only after a check that a stranger in the middle could not pass.
 * 2. A verifier that cannot tell throws or refuses; `connect` takes both for a refusal.
 */
export interface PeerVerifier {
  /** A short name for messages and for `VerifiedPeer.acceptedBy`. */
  readonly name: string
  /** Says yes or no to a server. */
  verify(candidate: PeerCandidate): VerifierDecision | Promise<VerifierDecision>
}
