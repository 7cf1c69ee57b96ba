// What a connection needs to know of whoever starts it. `ClientTLS` and `ServerTLS` make plans out of their options,
// `connect` and `createSecureServer` out of contexts; the connection sees no difference.

import type { SecureContext } from 'node:tls'
import type { Certificate } from '../../certificate/certificate.ts'
import type { KeyedChain } from '../../certificate/keyed-chain.ts'
import type { PeerFacts, TLSVersion } from '../../certificate/peer.ts'
import type { PeerVerifier } from '../../certificate/peer-verifier.ts'
import type { Clock } from '../../internal/clock.ts'
import type { Endpoint } from '../../names/endpoint.ts'
import type { ClientHelloInfo } from '../client-hello.ts'
import type { CertificateRequestInfo } from './certificate-request.ts'
import type { MaybePromise } from './maybe-promise.ts'

export type { MaybePromise } from './maybe-promise.ts'

/** How much a peer may send, and how much is kept. */
export interface Limits {
  /** How many certificates a peer may send. Default 10. */
  readonly maxChainLength: number
  /** How large all of them may be together. Default 65,536. */
  readonly maxCertificateBytes: number
  /** How much may come before the peer has proven its key. Default 131,072. */
  readonly maxHandshakeBytes: number
  /** How much is kept while the handshake or the verifier takes its time, of each direction. Default 1,048,576. */
  readonly maxBufferedBytes: number
}

/** Deadlines in milliseconds; null for none. */
export interface Timeouts {
  /** For the handshake, the verifier's time apart. Default 10,000. */
  readonly handshakeMs: number | null
  /** For the checks of the peer. Default 30,000: a person may be asked. */
  readonly verifyMs: number | null
  /** For a client's certificate store, before the handshake. Default 10,000. */
  readonly certificateMs: number | null
}

interface CommonPlan {
  /** The protocols of ALPN as they stand in the extension, or null. */
  readonly alpn: Buffer | null
  readonly limits: Limits
  readonly timeouts: Timeouts
  readonly clock: Clock
}

/** What to show: a context for OpenSSL, and the chain in it, if it was made of one. */
export interface Identity {
  readonly secureContext: SecureContext
  /** What it can show. Null: nothing; or, on a server with keys of several kinds, what OpenSSL chooses. */
  readonly chain: KeyedChain | null
}

export interface ClientPlan extends CommonPlan {
  readonly side: 'client'
  readonly endpoint: Endpoint
  /** The name to ask for, or null. */
  readonly serverName: string | null
  readonly verifier: PeerVerifier
  /** What to begin the handshake with. */
  begin(): MaybePromise<Identity>
  /**
   * Asked when the server was accepted and has asked for a certificate: the chain to start again with, or null to go on
   * without one. Null instead of a function: what the handshake began with stays.
   */
  readonly answerRequest: ((request: CertificateRequestInfo) => MaybePromise<KeyedChain | null>) | null
  /** Asked before a certificate leaves in clear, by TLS 1.2; throws to keep it back. */
  readonly identityInClear: (certificate: Certificate) => void
}

export interface ServerPlan extends CommonPlan {
  readonly side: 'server'
  /** Whether clients are asked for a certificate. */
  readonly requestsCertificate: boolean
  /** What to show to a client that says hello like this; null if nothing fits. */
  choose(hello: ClientHelloInfo): MaybePromise<Identity | null>
  /** For something that is no hello: OpenSSL says so by the alert that fits. */
  readonly withoutCertificate: SecureContext
  /**
   * What is known of the issuer of the client's certificate; the list is empty if it sent none. Throws to refuse it.
   */
  admit(chain: readonly Certificate[], protocol: TLSVersion): Pick<PeerFacts, 'issuance' | 'issuanceProblem'>
}

export type Plan = ClientPlan | ServerPlan
