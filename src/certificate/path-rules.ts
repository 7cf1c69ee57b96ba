// What each member of a path must be, looked at alone. Every rule answers with a refusal or null, so that they can be
// asked in order and the first refusal stands.

import { show } from '../internal/arguments.ts'
import type { Certificate } from './certificate.ts'
import { EXTENSION } from './extensions.ts'
import { weaknessOfKey } from './strength.ts'

/** What a chain is to be good for: `server` for the certificate of a server, `client` for that of a client. */
export type PathPurpose = 'server' | 'client'

/** Why there is no valid path, in one word. */
export type PathProblem =
  | 'expired'
  | 'not_yet_valid'
  | 'unknown_authority'
  | 'bad_signature'
  | 'not_an_authority'
  | 'path_too_long'
  | 'too_complex'
  | 'wrong_purpose'
  | 'weak_key'
  | 'unsupported_key'
  | 'weak_signature'
  | 'unsupported_critical_extension'
  | 'name_constraint'
  | 'malformed'

/** @internal */
export interface Refusal {
  readonly problem: PathProblem
  readonly detail: string
}

/** @internal Whom a certificate is about, for messages: in quotes, and not endless. It throws if the name is malformed. */
export function subjectOf(certificate: Certificate): string {
  return show(String(certificate.subject))
}

/** @internal The rules for the certificate that the path is about. */
export function leafRefusal(leaf: Certificate, at: Date, purpose: PathPurpose): Refusal | null {
  return (
    datesRefusal(leaf, at) ??
    keyRefusal(leaf) ??
    extensionRefusal(leaf) ??
    purposeRefusal(leaf, purpose) ??
    leafUseRefusal(leaf)
  )
}

/**
 * @internal The rules for a certificate that is to have signed the last one of `below`: RFC 5280 section 6.1.4, (k) to (n).
 */
export function issuerRefusal(
  issuer: Certificate,
  below: readonly Certificate[],
  at: Date,
  purpose: PathPurpose,
): Refusal | null {
  return (
    authorityRefusal(issuer) ??
    datesRefusal(issuer, at) ??
    lengthRefusal(issuer, below) ??
    keyRefusal(issuer) ??
    extensionRefusal(issuer) ??
    purposeRefusal(issuer, purpose)
  )
}

/** @internal Whether the algorithm can carry trust at all. What is not on the list is refused, with MD5, SHA-1 and SHA-224. */
export function signatureRefusal(signed: Certificate): Refusal | null {
  const { oid, name, hash } = signed.signatureAlgorithm
  if (EDWARDS_SIGNATURES.has(oid) || (hash !== null && STRONG_HASHES.has(hash))) return null
  return {
    problem: 'weak_signature',
    detail: `${subjectOf(signed)} is signed with ${hash === null ? name : `${name} (${hash})`}`,
  }
}

const STRONG_HASHES = new Set(['sha256', 'sha384', 'sha512'])
const EDWARDS_SIGNATURES = new Set(['1.3.101.112', '1.3.101.113'])

/** @internal */
export function datesRefusal(certificate: Certificate, at: Date): Refusal | null {
  switch (certificate.validityAt(at)) {
    case 'valid':
      return null
    case 'expired':
      return {
        problem: 'expired',
        detail: `${subjectOf(certificate)} expired at ${certificate.notAfter.toISOString()}`,
      }
    case 'not_yet_valid':
      return {
        problem: 'not_yet_valid',
        detail: `${subjectOf(certificate)} is valid from ${certificate.notBefore.toISOString()}`,
      }
  }
}

/**
 * @internal Extensions, and so the CA mark, exist since version 3. An older certificate cannot say that it is an authority.
 */
export function authorityRefusal(issuer: Certificate): Refusal | null {
  if (issuer.version === 3 && issuer.isCA && (issuer.keyUsage?.includes('keyCertSign') ?? true)) return null
  return { problem: 'not_an_authority', detail: `${subjectOf(issuer)} may not sign certificates` }
}

/** @internal The length limit counts the authorities below, without those that only changed their key (RFC 5280 section 4.2.1.9). */
export function lengthRefusal(issuer: Certificate, below: readonly Certificate[]): Refusal | null {
  const limit = issuer.pathLength
  const authorities = below.slice(1).filter((each) => !each.isSelfIssued).length
  if (limit === null || authorities <= limit) return null
  return {
    problem: 'path_too_long',
    detail: `${subjectOf(issuer)} allows ${limit} authorities below it, and there are ${authorities}`,
  }
}

// Verifying with a large RSA key, or with a large exponent, is slow. 8192 bits is what browsers and Go go up to.
const MAX_RSA_BITS = 8192
const MAX_RSA_EXPONENT = 0xffff_ffff_ffff_ffffn
const CURVES: ReadonlySet<string | null> = new Set(['P-256', 'P-384', 'P-521'])

/** @internal */
export function keyRefusal(certificate: Certificate): Refusal | null {
  const weakness = weaknessOfKey(certificate)
  if (weakness !== null) return { problem: 'weak_key', detail: `in ${subjectOf(certificate)} ${weakness}` }
  const unsupported = unsupportedKey(certificate)
  if (unsupported === null) return null
  return { problem: 'unsupported_key', detail: `${subjectOf(certificate)} has ${unsupported}` }
}

function unsupportedKey({ keyType, keyCurve, keySize, keyExponent }: Certificate): string | null {
  switch (keyType) {
    case 'ed25519':
    case 'ed448':
      return null
    case 'ec':
      return CURVES.has(keyCurve) ? null : `a key on the curve ${keyCurve}`
    case 'rsa':
      if ((keySize ?? 0) > MAX_RSA_BITS) return `an RSA key of ${keySize} bits`
      return (keyExponent ?? 0n) > MAX_RSA_EXPONENT ? 'an RSA key with a huge exponent' : null
    case 'other':
      return 'a key of an unknown kind'
  }
}

const NAME_CONSTRAINTS = '2.5.29.30'
const CERTIFICATE_POLICIES = '2.5.29.32'
const UNDERSTOOD = new Set<string>([
  EXTENSION.basicConstraints,
  EXTENSION.keyUsage,
  EXTENSION.extendedKeyUsage,
  EXTENSION.subjectAltName,
  NAME_CONSTRAINTS,
  CERTIFICATE_POLICIES,
])

/** @internal RFC 5280 section 4.2: a critical extension that is not acted on refuses the certificate. */
export function extensionRefusal(certificate: Certificate): Refusal | null {
  const unknown = certificate.extensions.find(({ critical, oid }) => critical && !UNDERSTOOD.has(oid))
  if (unknown !== undefined) {
    return {
      problem: 'unsupported_critical_extension',
      detail: `${subjectOf(certificate)} has the critical extension ${unknown.oid}, which is not supported`,
    }
  }
  // Reading the names throws if they are malformed; nobody should find out about that only if they happen to be needed.
  void certificate.subjectAltNames
  return null
}

/** @internal */
export function purposeRefusal(certificate: Certificate, purpose: PathPurpose): Refusal | null {
  const wanted = purpose === 'server' ? 'serverAuth' : 'clientAuth'
  if (certificate.extendedKeyUsage?.includes(wanted) ?? true) return null
  return { problem: 'wrong_purpose', detail: `${subjectOf(certificate)} is not meant for a TLS ${purpose}` }
}

/** @internal All suites of this library let the certificate's key sign the handshake (RFC 8446 section 4.4.2.2). */
export function leafUseRefusal(leaf: Certificate): Refusal | null {
  if (leaf.keyUsage?.includes('digitalSignature') ?? true) return null
  return { problem: 'wrong_purpose', detail: `the key of ${subjectOf(leaf)} may not sign handshakes` }
}
