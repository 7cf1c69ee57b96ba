// Who signed whom. A name is a claim and a key identifier a hint; only the signature settles it.

import type { Certificate } from './certificate.ts'
import { comparableName } from './distinguished-name.ts'

/**
 * @internal Whether a certificate's signature verifies with the key of another one. Nothing else is looked at.
 *
 * @throws {CertificateError} If a part of either cannot be read or is of a kind that OpenSSL is not asked about.
 * @throws {Error} OpenSSL's own, about a signature that it cannot even try.
 */
export function isSignedBy(signed: Certificate, signer: Certificate): boolean {
  return signed.toX509Certificate().verify(signer.publicKey())
}

/** @internal The issuer's name in a form that is the same for equal names (RFC 5280 section 7.1). */
export function issuerKey(certificate: Certificate): string {
  return comparableName(certificate.issuerDer, 'the issuer')
}

/** @internal The subject's name in the same form. */
export function subjectKey(certificate: Certificate): string {
  return comparableName(certificate.subjectDer, 'the subject')
}

/**
 * @internal Whether a certificate was issued by another one: its issuer is the other's subject, key identifiers and
 * serial number agree where they are given (RFC 5280 section 4.2.1.1), and the signature verifies.
 */
export function isIssuedBy(child: Certificate, issuer: Certificate): boolean {
  return issuerKey(child) === subjectKey(issuer) && identifiersAgree(child, issuer) && verifies(child, issuer)
}

/** @internal Whether a certificate was signed with its own key and says so. */
export function isSelfSigned(certificate: Certificate): boolean {
  return isIssuedBy(certificate, certificate)
}

/**
 * @internal Whether a certificate says that it was signed with its own key, and was not: it has been damaged. One that
 * only carries a key over to a new one of the same authority has the other key's identifier.
 */
export function isFalselySelfSigned(certificate: Certificate): boolean {
  return (
    issuerKey(certificate) === subjectKey(certificate) &&
    identifiersAgree(certificate, certificate) &&
    !verifies(certificate, certificate)
  )
}

function identifiersAgree(child: Certificate, issuer: Certificate): boolean {
  const { authorityKeyIdentifier: key, authoritySerialNumber: serial } = child
  const own = issuer.subjectKeyIdentifier
  return (key === null || own === null || key === own) && (serial === null || serial === issuer.serialNumber)
}

function verifies(child: Certificate, issuer: Certificate): boolean {
  try {
    return isSignedBy(child, issuer)
  } catch {
    // A signature that cannot be tried, of an unknown algorithm say, has not been verified.
    return false
  }
}
