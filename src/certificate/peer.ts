// A certificate is public: anybody can show yours. A peer is more: somebody who proved in a TLS handshake that they
// hold the private key. Authorisation works on peers only, so that no text, file or header can be taken for one.
//
// Invariant: only `tls/` calls `mintPeer` and `mintVerifiedPeer` (the layering test sees to it), and only for a
// handshake that has finished, or in which the proof of possession has been checked. Peers are frozen: whoever passes one
// on knows that it is still the one that came out of the handshake.

import type { Endpoint } from '../names/endpoint.ts'
import type { Certificate } from './certificate.ts'
import type { Fingerprint } from './fingerprint.ts'

/** The versions of TLS that this library speaks. */
export type TLSVersion = 'TLSv1.2' | 'TLSv1.3'

/**
 * What is known of who issued a peer's certificate. `not_checked`: nobody asked (self-signed certificates are
 * welcome). `issued`: a path to one of the trusted authorities was found and is valid. `unissued`: none was.
 */
export type Issuance = 'not_checked' | 'issued' | 'unissued'

/** The facts that a handshake establishes about a peer. */
export interface PeerFacts {
  /** The peer's own certificate. */
  readonly certificate: Certificate
  /** What the peer sent, its own certificate first. */
  readonly chain: readonly Certificate[]
  readonly protocol: TLSVersion
  readonly issuance?: Issuance
  /** Why the certificate counts as unissued, in a few words. */
  readonly issuanceProblem?: string
}

const MINT = Symbol('mint')

/**
 * A peer that proved in the handshake that it holds the key of its certificate. It says nothing about who that is, nor
 * whether the certificate is within its dates: see {@link Peer.validityAt}.
 */
export class Peer {
  /** Whose key the peer has proven to hold. */
  readonly certificate: Certificate
  /** What the peer sent, its own certificate first. */
  readonly chain: readonly Certificate[]
  readonly protocol: TLSVersion
  readonly issuance: Issuance
  /** Why the certificate counts as unissued, in a few words; null if it does not. */
  readonly issuanceProblem: string | null
  // A private field makes the class nominal: an object literal of the same shape is no Peer.
  readonly #minted = true

  /** @internal */
  constructor(mint: symbol, facts: PeerFacts) {
    if (mint !== MINT) throw new TypeError('a Peer comes from a TLS connection and cannot be constructed')
    this.certificate = facts.certificate
    this.chain = Object.freeze([...facts.chain])
    this.protocol = facts.protocol
    this.issuance = facts.issuance ?? 'not_checked'
    this.issuanceProblem = facts.issuanceProblem ?? null
  }

  /** SHA-256 of the certificate, `sha256:` and 64 hex digits: the usual name of a user in the small web. */
  get fingerprint(): Fingerprint {
    return this.certificate.fingerprint
  }

  /** Whether the certificate is within its dates at `at` (RFC 5280 section 4.1.2.5: both ends belong to it). */
  validityAt(at: Date): 'valid' | 'expired' | 'not_yet_valid' {
    return this.certificate.validityAt(at)
  }

  /** Whether a value is a peer that this library made. */
  static is(value: unknown): value is Peer {
    return typeof value === 'object' && value !== null && #minted in value
  }
}

/** A server that proved its key and that the caller's verifier accepted for this endpoint. */
export class VerifiedPeer extends Peer {
  readonly endpoint: Endpoint
  /** Which verifier accepted it, and on what ground: `tofu: first_use`, `authorities`, `pins`. */
  readonly acceptedBy: string
  readonly #verified = true

  /** @internal */
  constructor(mint: symbol, facts: PeerFacts, endpoint: Endpoint, acceptedBy: string) {
    super(mint, facts)
    this.endpoint = endpoint
    this.acceptedBy = acceptedBy
  }

  /** Whether a value is a verified peer that this library made. */
  static override is(value: unknown): value is VerifiedPeer {
    return typeof value === 'object' && value !== null && #verified in value
  }
}

/** @internal */
export function mintPeer(facts: PeerFacts): Peer {
  return freeze(new Peer(MINT, facts))
}

/** @internal */
export function mintVerifiedPeer(facts: PeerFacts, endpoint: Endpoint, acceptedBy: string): VerifiedPeer {
  return freeze(new VerifiedPeer(MINT, facts, endpoint, acceptedBy))
}

// `Object.freeze` returns a `Readonly<Peer>`, which for the compiler has lost the private field.
function freeze<P extends Peer>(peer: P): P {
  Object.freeze(peer)
  return peer
}
