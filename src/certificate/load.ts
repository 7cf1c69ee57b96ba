// Certificates out of files and texts, and the questions that are asked of them most.

import { requireDate, requireOneOf, requireOptions, requireString } from '../internal/arguments.ts'
import { readFileBytes } from '../internal/atomic-file.ts'
import { Certificate, type CertificateInput } from './certificate.ts'
import { malformed } from './der.ts'
import { certificateFingerprint, type Fingerprint, type FingerprintSubject } from './fingerprint.ts'
import { outlineOf } from './outline.ts'
import { certificatesInPem } from './pem.ts'
import { isDer } from './source.ts'

/** Which fingerprint to take. */
export interface FingerprintOptions {
  /** Of the certificate, or of the public key in it, which stays the same when a certificate is renewed. Default the former. */
  readonly of?: FingerprintSubject
  /** The hash. Public keys have SHA-256 only. Default `sha256`. */
  readonly algorithm?: 'sha256' | 'sha512'
}

/** @internal Far more than any certificate; a file that is larger is something else. */
export const MAX_CERTIFICATE_FILE_BYTES = 1024 * 1024

/**
 * Reads the one certificate in a file, PEM or DER. Text around the PEM block is fine; a second certificate, a private key
 * or any other block is not.
 *
 * @throws {FileError} ERR_TLACACOCA_FILE_NOT_FOUND, or ERR_TLACACOCA_FILE_UNREADABLE, also if it is larger than 1 MiB.
 * @throws {CertificateError} ERR_TLACACOCA_CERTIFICATE_MALFORMED if it does not hold exactly one certificate.
 * @example
 * import { loadCertificate } from 'tlacacoca/certificate'
 *
 * const certificate = await loadCertificate('cert.pem')
 * console.log(certificate.subject.commonName, certificate.notAfter)
 */
export async function loadCertificate(path: string): Promise<Certificate> {
  requireString('path', path)
  return Certificate.from(await readFileBytes(path, { maxBytes: MAX_CERTIFICATE_FILE_BYTES }))
}

/**
 * All certificates in a PEM text, in order: a chain, or a bundle of authorities. A text with none is an error, and so is
 * one with a private key or another kind of block in it.
 *
 * @throws {CertificateError} ERR_TLACACOCA_CERTIFICATE_MALFORMED
 * @example
 * import { readFile } from 'node:fs/promises'
 * import { parseCertificates } from 'tlacacoca/certificate'
 *
 * const [own, ...authorities] = parseCertificates(await readFile('fullchain.pem', 'utf8'))
 * console.log(own?.fingerprint, authorities.length)
 */
export function parseCertificates(pem: string): Certificate[] {
  requireString('pem', pem)
  const certificates = certificatesInPem(pem)
  if (certificates.length === 0) throw malformed('there is none in the text')
  return certificates.map((der) => Certificate.from(der))
}

/**
 * The fingerprint of a certificate, without reading more of it than shows that it is one.
 *
 * @throws {CertificateError} ERR_TLACACOCA_CERTIFICATE_MALFORMED if it is none.
 * @example
 * import { readFile } from 'node:fs/promises'
 * import { getCertificateFingerprint } from 'tlacacoca/certificate'
 *
 * const pem = await readFile('cert.pem', 'utf8')
 * console.log(getCertificateFingerprint(pem)) // sha256:146a4b27…
 * console.log(getCertificateFingerprint(pem, { of: 'public-key' })) // spki-sha256:d9a58b8f…
 */
export function getCertificateFingerprint(certificate: CertificateInput, options?: FingerprintOptions): Fingerprint {
  if (options === undefined && certificate instanceof Uint8Array && isDer(certificate)) {
    // The hot path: no copy, no object.
    outlineOf(certificate)
    return certificateFingerprint(certificate)
  }
  const { of = 'certificate', algorithm = 'sha256' } = options ?? {}
  requireOneOf('of', of, ['certificate', 'public-key'])
  requireOneOf('algorithm', algorithm, of === 'certificate' ? ['sha256', 'sha512'] : ['sha256'])
  const parsed = Certificate.from(certificate)
  if (of === 'public-key') return parsed.publicKeyFingerprint
  return algorithm === 'sha256' ? parsed.fingerprint : parsed.sha512Fingerprint
}

/**
 * The fingerprint of the one certificate in a file, PEM or DER.
 *
 * @throws {FileError} As {@link loadCertificate} does.
 * @throws {CertificateError} ERR_TLACACOCA_CERTIFICATE_MALFORMED
 * @example
 * import { getCertificateFingerprintFromPath } from 'tlacacoca/certificate'
 *
 * console.log(await getCertificateFingerprintFromPath('cert.pem'))
 */
export async function getCertificateFingerprintFromPath(
  path: string,
  options: FingerprintOptions = {},
): Promise<Fingerprint> {
  return getCertificateFingerprint(await loadCertificate(path), options)
}

/**
 * Whether a certificate's last instant has passed.
 *
 * @param options.at - The instant to judge by. Default: now.
 * @throws {CertificateError} ERR_TLACACOCA_CERTIFICATE_MALFORMED if its dates cannot be read; it is never "not expired" then.
 * @example
 * import { isCertificateExpired, loadCertificate } from 'tlacacoca/certificate'
 *
 * const inAMonth = new Date(Date.now() + 30 * 86_400_000)
 * if (isCertificateExpired(await loadCertificate('cert.pem'), { at: inAMonth })) console.log('time to renew')
 */
export function isCertificateExpired(certificate: CertificateInput, options: { readonly at?: Date } = {}): boolean {
  return Certificate.from(certificate).validityAt(instantOf(options)) === 'expired'
}

/**
 * Whether a certificate's first instant is still to come.
 *
 * @param options.at - The instant to judge by. Default: now.
 * @throws {CertificateError} ERR_TLACACOCA_CERTIFICATE_MALFORMED if its dates cannot be read.
 * @example
 * import { isCertificateNotYetValid, loadCertificate } from 'tlacacoca/certificate'
 *
 * console.log(isCertificateNotYetValid(await loadCertificate('cert.pem')))
 */
export function isCertificateNotYetValid(certificate: CertificateInput, options: { readonly at?: Date } = {}): boolean {
  return Certificate.from(certificate).validityAt(instantOf(options)) === 'not_yet_valid'
}

/** @internal A `Date` in place of the options has no `at`, and would be read as "now". */
export function instantOf(options: { readonly at?: Date }): Date {
  requireOptions('options', options, ['at'])
  if (options instanceof Date) throw new TypeError('"options" expected { at }, got a Date')
  const { at = new Date() } = options
  requireDate('at', at)
  return at
}
