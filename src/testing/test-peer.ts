import { Certificate, type CertificateInput } from '../certificate/certificate.ts'
import { mintPeer, type Peer, type PeerFacts } from '../certificate/peer.ts'

/**
 * Makes a peer without a handshake, for tests of rules and handlers. It says that somebody proved the key of a
 * certificate when nobody did: programs that answer requests have no use for it.
 *
 * @param options - What the handshake would have found: by default TLS 1.3 and nothing known of the issuer.
 * @throws {CertificateError} `ERR_TLACACOCA_CERTIFICATE_MALFORMED` if the input is no certificate.
 * @example
 * import { generateSelfSignedCertificate } from 'tlacacoca'
 * import { testPeer } from 'tlacacoca/testing'
 *
 * const { certificate } = await generateSelfSignedCertificate({ usage: 'client', commonName: 'ana' })
 * console.log(testPeer(certificate).validityAt(new Date())) // valid
 */
export function testPeer(certificate: CertificateInput, options: Partial<Omit<PeerFacts, 'certificate'>> = {}): Peer {
  const parsed = Certificate.from(certificate)
  return mintPeer({ chain: [parsed], protocol: 'TLSv1.3', ...options, certificate: parsed })
}
