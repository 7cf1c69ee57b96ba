// Which keys and signatures are too weak to rely on. A verifier for strangers refuses them; trust on first use does not
// have to, since it compares fingerprints, but it is the owner's wish to know.

import type { Certificate } from './certificate.ts'

/** What is looked at: of a certificate, or of a request for one. */
type KeyFacts = Pick<Certificate, 'keyType' | 'keySize' | 'keyExponent'>
type SignatureFacts = Pick<Certificate, 'signatureAlgorithm'>

/** Below these, a key can be broken with money: RSA 2048 and EC 256 are about 112 and 128 bits (NIST SP 800-57 part 1). */
const MIN_RSA_BITS = 2048
const MIN_EC_BITS = 256

const BROKEN_HASHES: ReadonlySet<string> = new Set(['md2', 'md4', 'md5', 'sha1'])

/**
 * Why a key is too weak, in a few words; null if it is not, or if its kind is unknown here.
 *
 * @throws {CertificateError} ERR_TLACACOCA_CERTIFICATE_MALFORMED if the key cannot be read.
 */
export function weaknessOfKey({ keyType, keySize, keyExponent }: KeyFacts): string | null {
  if (keySize === null) return null
  if (keyType === 'rsa' && keySize < MIN_RSA_BITS) return `the RSA key has ${keySize} bits, less than ${MIN_RSA_BITS}`
  // With e = 1 everything is its own signature; with an even e there is no private key.
  if (keyExponent !== null && (keyExponent < 3n || keyExponent % 2n === 0n)) return 'the RSA key has a bad exponent'
  if (keyType === 'ec' && keySize < MIN_EC_BITS) return `the EC key has ${keySize} bits, less than ${MIN_EC_BITS}`
  return null
}

/**
 * Why a signature is too weak, in a few words; null if it is not.
 *
 * @throws {CertificateError} ERR_TLACACOCA_CERTIFICATE_MALFORMED if the algorithm cannot be read.
 */
export function weaknessOfSignature({ signatureAlgorithm }: SignatureFacts): string | null {
  const { hash, name } = signatureAlgorithm
  return hash !== null && BROKEN_HASHES.has(hash)
    ? `it is signed with ${name}, and collisions of ${hash} can be made`
    : null
}

/** What every generator has used for decades, and NIST SP 800-56B section 6.2 asks for at least. */
const USUAL_EXPONENT = 65537n

/**
 * Why the exponent of an RSA key is not what it should be in a new certificate, in a few words; null if it is, or the
 * key is of another kind. Old authorities have 3, so a verifier takes it.
 *
 * @throws {CertificateError} ERR_TLACACOCA_CERTIFICATE_MALFORMED if the key cannot be read.
 */
export function smallExponentOf({ keyExponent }: Pick<KeyFacts, 'keyExponent'>): string | null {
  if (keyExponent === null || keyExponent >= USUAL_EXPONENT) return null
  return `the RSA key has the exponent ${keyExponent}, less than ${USUAL_EXPONENT}`
}
