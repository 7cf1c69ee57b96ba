import { Certificate, type CertificateInput } from '../../src/certificate/certificate.ts'
import { mintPeer, mintVerifiedPeer, type Peer, type PeerFacts, type VerifiedPeer } from '../../src/certificate/peer.ts'
import { parseEndpoint } from '../../src/names/endpoint.ts'

/** A peer as if a handshake had proven the key of this certificate. Only tests may have one without a handshake. */
export function fakePeer(certificate: CertificateInput, options: Partial<Omit<PeerFacts, 'certificate'>> = {}): Peer {
  const parsed = Certificate.from(certificate)
  return mintPeer({ chain: [parsed], protocol: 'TLSv1.3', ...options, certificate: parsed })
}

/** A server as if a verifier had accepted this certificate for this endpoint. */
export function fakeVerifiedPeer(
  certificate: CertificateInput,
  endpoint = 'example.org:1965',
  options: Partial<Omit<PeerFacts, 'certificate'>> & { readonly acceptedBy?: string } = {},
): VerifiedPeer {
  const { acceptedBy = 'test', ...facts } = options
  const parsed = Certificate.from(certificate)
  const all: PeerFacts = { chain: [parsed], protocol: 'TLSv1.3', ...facts, certificate: parsed }
  return mintVerifiedPeer(all, parseEndpoint(endpoint), acceptedBy)
}
