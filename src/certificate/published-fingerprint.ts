// What the forms for publishing a fingerprint have in common.

import { show } from '../internal/arguments.ts'
import type { Endpoint } from '../names/endpoint.ts'
import { type Fingerprint, isFingerprint } from './fingerprint.ts'

/** Whose fingerprint it is, and which: what a published text says. */
export interface PublishedFingerprint {
  readonly endpoint: Endpoint
  /** `sha256:…` of the certificate or `spki-sha256:…` of the public key, as the text has it. */
  readonly fingerprint: Fingerprint
}

/**
 * The digest of a SHA-256 fingerprint, in lower-case hex.
 *
 * @throws {TypeError} If it is no canonical fingerprint.
 * @throws {RangeError} If it is one by SHA-512, which nobody reads out, scans or looks up.
 */
export function sha256DigestOf(fingerprint: Fingerprint): string {
  requireCanonical(fingerprint)
  if (fingerprint.startsWith('sha512:')) {
    throw new RangeError(`"fingerprint" expected one by SHA-256, got ${show(fingerprint)}`)
  }
  return digestOf(fingerprint)
}

/** The digest of any fingerprint, in lower-case hex. */
export function digestOf(fingerprint: Fingerprint): string {
  requireCanonical(fingerprint)
  return fingerprint.slice(fingerprint.indexOf(':') + 1)
}

function requireCanonical(fingerprint: unknown): void {
  if (isFingerprint(fingerprint)) return
  throw new TypeError(`"fingerprint" expected a fingerprint in canonical text, got ${show(fingerprint)}`)
}
