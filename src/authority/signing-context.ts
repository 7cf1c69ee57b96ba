import type { Certificate } from '../certificate/certificate.ts'
import type { CertificateRequest } from '../certificate/certificate-request.ts'
import type { Fingerprint } from '../certificate/fingerprint.ts'
import type { Peer } from '../certificate/peer.ts'
import type { Awaitable, IssuedRow } from './issued-store.ts'

/** Who asked, as far as the program knows. */
export interface Requester {
  /** The client of the TLS connection on which the request came. */
  readonly peer?: Peer
  /** The client's address. */
  readonly address?: string
}

/** What hooks get to know of a request. */
export interface SigningContext {
  /** The authority that signs. */
  readonly authority: Certificate
  /** The name of the profile. */
  readonly profile: string
  /** Null for a renewal that keeps its key, and when `postsign` is told again later. */
  readonly request: CertificateRequest | null
  /** The key that is certified: `spki-sha256:` and 64 hex digits. */
  readonly publicKey: Fingerprint
  /** SHA-1 of the same, in lower-case hex. */
  readonly publicKeySha1: string
  /** Who asks, as the request said: a name and no proof. Null if it was not said. */
  readonly clientHash: string | null
  /** What the program knows of who asks. */
  readonly requester: Requester
  /** The certificate that is renewed; null if none is. */
  readonly renewalOf: IssuedRow | null
  /** By the clock of the authority. */
  readonly now: Date
  /** What was issued for this key before. None is known with `store: 'none'`. */
  previousCertificates(): Awaitable<readonly IssuedRow[]>
}
