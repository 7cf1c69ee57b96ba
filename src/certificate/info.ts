// A certificate in a nutshell, as plain data.

import { Certificate, type CertificateInput, type CertificateValidity } from './certificate.ts'
import type { SubjectAltNames } from './extensions.ts'
import type { Fingerprint } from './fingerprint.ts'
import { instantOf } from './load.ts'
import type { KeyType } from './public-key.ts'

/** What people want to know of a certificate. A plain object: `JSON.stringify` writes it, dates as ISO text. */
export interface CertificateInfo {
  /** The subject as text by RFC 4514, control characters escaped. Empty if it names nobody. */
  readonly subject: string
  /** The issuer, written as the subject is. */
  readonly issuer: string
  /** The most specific common name as it stands, or null. */
  readonly commonName: string | null
  /** In lower-case hex. */
  readonly serialNumber: string
  /** The first instant at which it is valid. */
  readonly notBefore: Date
  /** The last one. */
  readonly notAfter: Date
  /** `valid`, `expired` or `not_yet_valid` at the instant asked for. */
  readonly validity: CertificateValidity
  /** Whether the last one has passed, at the instant asked for. */
  readonly isExpired: boolean
  readonly subjectAltNames: SubjectAltNames
  /** Whether it may sign other certificates. */
  readonly isCA: boolean
  /** Whether subject and issuer are the same. */
  readonly isSelfIssued: boolean
  readonly version: 1 | 2 | 3
  /** How it is signed, such as `ecdsa-with-SHA256`. */
  readonly signatureAlgorithm: string
  readonly key: {
    readonly type: KeyType
    /** The curve of an EC key, null for every other. */
    readonly curve: string | null
    /** In bits; null if unknown. */
    readonly size: number | null
  }
  readonly fingerprints: {
    readonly sha256: Fingerprint
    readonly sha512: Fingerprint
    /** Of the public key. */
    readonly publicKey: Fingerprint
    /** Bare hex, to show beside what old programs show. It is not accepted as a fingerprint anywhere. */
    readonly sha1: string
  }
}

/**
 * What there is to know of a certificate, for showing it.
 *
 * @param options.at - The instant at which to judge the dates. Default: now.
 * @throws {CertificateError} ERR_TLACACOCA_CERTIFICATE_MALFORMED if any part of it cannot be read. `Certificate` reads
 *   each part by itself.
 * @example
 * import { getCertificateInfo, loadCertificate } from 'tlacacoca/certificate'
 *
 * const info = getCertificateInfo(await loadCertificate('cert.pem'))
 * console.log(`${info.subject}, ${info.key.type} ${info.key.size}, until ${info.notAfter.toISOString()}`)
 * console.log(JSON.stringify(info, null, 2))
 */
export function getCertificateInfo(
  certificate: CertificateInput,
  options: { readonly at?: Date } = {},
): CertificateInfo {
  const at = instantOf(options)
  const read = Certificate.from(certificate)
  const validity = read.validityAt(at)
  const { dns, ip, email, uri } = read.subjectAltNames
  return {
    subject: read.subject.toString(),
    issuer: read.issuer.toString(),
    commonName: read.subject.commonName,
    serialNumber: read.serialNumber,
    notBefore: read.notBefore,
    notAfter: read.notAfter,
    validity,
    isExpired: validity === 'expired',
    subjectAltNames: { dns: [...dns], ip: [...ip], email: [...email], uri: [...uri] },
    isCA: read.isCA,
    isSelfIssued: read.isSelfIssued,
    version: read.version,
    signatureAlgorithm: read.signatureAlgorithm.name,
    key: { type: read.keyType, curve: read.keyCurve, size: read.keySize },
    fingerprints: {
      sha256: read.fingerprint,
      sha512: read.sha512Fingerprint,
      publicKey: read.publicKeyFingerprint,
      sha1: read.sha1,
    },
  }
}
