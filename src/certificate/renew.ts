// The same certificate once more, with later dates. Whoever pinned the public key (or watches for a new certificate with
// an old key) sees that it is still the same server or user, which a new key could not show.

import type { KeyObject } from 'node:crypto'
import { CertificateError, PrivateKeyError } from '../errors.ts'
import { requireOptions } from '../internal/arguments.ts'
import { type Clock, systemClock } from '../internal/clock.ts'
import { Certificate, type CertificateInput } from './certificate.ts'
import { loadCertificateBuilder } from './certificate-builder.ts'
import { EXTENSION } from './extensions.ts'
import type { Fingerprint } from './fingerprint.ts'
import { readValidity } from './generate-options.ts'
import type { Passphrase } from './passphrase.ts'
import { certificatesInPem } from './pem.ts'
import { matchesCertificate, type PrivateKeySource, toPrivateKey } from './private-key.ts'
import { isRotation } from './rotation-name.ts'
import { signerFor } from './signing.ts'
import { isDer, textOf } from './source.ts'

/** What to renew, and for how long. */
export interface RenewOptions {
  /**
   * A self-signed certificate, of any maker, or one that `rotateCertificate` made. Of PEM with several in it, as servers
   * show them, the first one is meant.
   */
  readonly certificate: CertificateInput
  /** Its private key: PEM, DER or Node's key object. */
  readonly privateKey: PrivateKeySource | KeyObject
  /** Opens the private key if it is encrypted. */
  readonly passphrase?: Passphrase | undefined
  /** For how many whole days the new certificate is valid, counted from now or from `notBefore`. Default 365. */
  readonly validDays?: number
  /** The last instant at which it is valid, instead of `validDays`: up to 9999-12-31T23:59:59Z. */
  readonly notAfter?: Date
  /** The first instant at which it is valid. Default: an hour ago. */
  readonly notBefore?: Date
  /** Where "now" comes from. Default: the computer's clock. */
  readonly clock?: Clock
}

/** The new certificate. The private key is the old one. */
export interface RenewedCertificate {
  readonly certificate: Certificate
  /** The certificate as PEM. */
  readonly certificatePem: string
  /** SHA-256 of the certificate: another one than before. */
  readonly fingerprint: Fingerprint
}

/**
 * Renews a self-signed certificate, or one that the server's former key signed, which becomes self-signed: the key, the
 * subject (octet by octet), the alternative names, the usages and all other extensions stay; the serial number, the dates
 * and so the fingerprint are new. The new one is of version 3 and names no authority key, whatever the old one did.
 *
 * Clients that pinned the old certificate will ask about the new one unless they accept the same key.
 *
 * @throws {PrivateKeyError} KEY_MISMATCH if the key is not that of the certificate; else as `loadPrivateKey` does.
 * @throws {CertificateError} CERTIFICATE_UNSUPPORTED if it was signed by somebody else, who alone can renew it, if the key
 *   is too weak to be used any longer, or if the name is no proper text; CERTIFICATE_MALFORMED if it cannot be read.
 * @throws {TypeError} For options of the wrong type, or unknown ones.
 * @throws {RangeError} For dates that cannot be in a certificate.
 * @example
 * import { readFile } from 'node:fs/promises'
 * import { renewCertificate, saveCertificateFiles } from 'tlacacoca/certificate'
 *
 * const renewed = await renewCertificate({
 *   certificate: await readFile('cert.pem'),
 *   privateKey: await readFile('key.pem'),
 *   validDays: 730,
 * })
 * await saveCertificateFiles(renewed, { certFile: 'cert.pem', overwrite: true })
 */
export async function renewCertificate(options: RenewOptions): Promise<RenewedCertificate> {
  requireOptions('options', options, Object.keys(RENEW_OPTIONS))
  const validity = readValidity(options, options.clock ?? systemClock)
  const old = firstOf(options.certificate)
  requireOwn(old, 'renewed')
  const key = await toPrivateKey(options.privateKey, { passphrase: options.passphrase })
  if (!matchesCertificate(key, old)) {
    throw new PrivateKeyError('ERR_TLACACOCA_KEY_MISMATCH', 'the private key is not that of the certificate')
  }

  // An authority key identifier can name the old certificate by its serial number, and here it would say nothing that
  // the subject key identifier does not.
  const extensions = old.extensions.filter(({ oid }) => oid !== EXTENSION.authorityKeyIdentifier)
  const spki = old.subjectPublicKeyInfo
  const builder = await loadCertificateBuilder()
  const name = old.subjectDer
  requireText(old, 'renewed')
  const parts = {
    issuer: name,
    subject: name,
    validity,
    spki,
    // A list of extensions must not be empty (RFC 5280 section 4.1.2.9), and certificates of version 1 have none.
    extensions: extensions.length > 0 ? extensions : [builder.extensions.basicConstraints({ ca: false })],
  }
  const certificate = await builder.build(parts, signerFor(key, spki))
  return { certificate, certificatePem: certificate.toPem(), fingerprint: certificate.fingerprint }
}

/** @internal */
export const RENEW_OPTIONS: Readonly<Record<keyof RenewOptions, true>> = {
  certificate: true,
  privateKey: true,
  passphrase: true,
  validDays: true,
  notAfter: true,
  notBefore: true,
  clock: true,
}

/** @internal The certificate that is meant, which the key must fit. */
export function firstOf(input: CertificateInput): Certificate {
  const text = typeof input === 'string' ? input : input instanceof Uint8Array && !isDer(input) ? textOf(input) : null
  const [first, ...others] = text === null ? [] : certificatesInPem(text)
  return Certificate.from(first === undefined || others.length === 0 ? input : first)
}

/** @internal Whoever issued a certificate has a say in what comes after it; here that must be the server itself. */
export function requireOwn(certificate: Certificate, what: Remade): void {
  if (certificate.isSelfIssued || isRotation(certificate)) return
  throw unsupported('it was issued by somebody else, who alone can make the next one', what)
}

/** @internal A name that is no text (broken UTF-8, half a character) would go on for another term. */
export function requireText(certificate: Certificate, what: Remade): void {
  try {
    certificate.subject.toString()
  } catch (cause) {
    throw unsupported('its name is no proper text', what, { cause })
  }
}

type Remade = 'renewed' | 'rotated'

function unsupported(problem: string, what: Remade, options?: ErrorOptions): CertificateError {
  const message = `the certificate cannot be ${what}: ${problem}`
  return new CertificateError('ERR_TLACACOCA_CERTIFICATE_UNSUPPORTED', message, options)
}
