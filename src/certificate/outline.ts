// Where the parts of a certificate are: the one thing that is read of every certificate, so that what is no certificate
// is refused at once and the rest can wait until somebody asks.

import { contentStart, elementEnd, malformed, TAG } from './der.ts'

/** Offsets into the DER. The parts follow one another, so each ends where the next one starts. */
export interface CertificateOutline {
  /** The TBSCertificate, which is what the signature is over. */
  readonly tbs: number
  /** The explicit version, or -1 if it is left out. */
  readonly version: number
  readonly serial: number
  readonly signatureAlgorithm: number
  readonly issuer: number
  readonly validity: number
  readonly subject: number
  readonly spki: number
  readonly spkiEnd: number
  readonly tbsEnd: number
  /** The signature; the algorithm stands between `tbsEnd` and it. */
  readonly signature: number
}

const VERSION = 0xa0

/**
 * Finds the parts of a certificate (RFC 5280 section 4.1).
 *
 * @throws {CertificateError} ERR_TLACACOCA_CERTIFICATE_MALFORMED unless the bytes are a SEQUENCE of exactly the three
 *   parts that a certificate has, with nothing after it, and the first holds everything from the serial number to the
 *   public key.
 */
export function outlineOf(der: Uint8Array): CertificateOutline {
  const end = elementEnd(der, 0, der.length, TAG.sequence, 'the certificate')
  if (end !== der.length) throw malformed('there are bytes after its end')
  const tbs = contentStart(der, 0)
  const tbsEnd = elementEnd(der, tbs, end, TAG.sequence, 'the signed part')
  const signature = elementEnd(der, tbsEnd, end, TAG.sequence, 'the signature algorithm')
  if (elementEnd(der, signature, end, TAG.bitString, 'the signature') !== end) {
    throw malformed('there is something after its signature')
  }
  // Every signature is whole octets, so no bits may be marked as unused. OpenSSL accepts the mark and clears those bits in
  // what it hands on, which would give one certificate two fingerprints.
  if (der[contentStart(der, signature)] !== 0) throw malformed('its signature is not whole octets')

  const first = contentStart(der, tbs)
  const version = der[first] === VERSION ? first : -1
  const serial = version === -1 ? first : elementEnd(der, first, tbsEnd, VERSION, 'the version')
  const signatureAlgorithm = elementEnd(der, serial, tbsEnd, TAG.integer, 'the serial number')
  const issuer = elementEnd(der, signatureAlgorithm, tbsEnd, TAG.sequence, 'the inner signature algorithm')
  const validity = elementEnd(der, issuer, tbsEnd, TAG.sequence, 'the issuer')
  const subject = elementEnd(der, validity, tbsEnd, TAG.sequence, 'the validity')
  const spki = elementEnd(der, subject, tbsEnd, TAG.sequence, 'the subject')
  const spkiEnd = elementEnd(der, spki, tbsEnd, TAG.sequence, 'the public key')
  return { tbs, version, serial, signatureAlgorithm, issuer, validity, subject, spki, spkiEnd, tbsEnd, signature }
}
