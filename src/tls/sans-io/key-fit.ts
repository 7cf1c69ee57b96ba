// Whether a certificate's key can be used in a handshake: what the version, the signature schemes, the suites and the
// groups of somebody leave of it. The same question is asked about a client's hello and about our own settings.

import type { Certificate } from '../../certificate/certificate.ts'
import type { TLSVersion } from '../../certificate/peer.ts'
import { readPublicKeyInfo } from '../../certificate/public-key.ts'
import { weaknessOfKey } from '../../certificate/strength.ts'
import { ContextError } from '../../errors.ts'
import { SUITES, type SuiteAuthentication } from './cipher-suites.ts'
import { groupCode } from './named-groups.ts'
import { isCurve, type SigningKey, schemesOf } from './signature-schemes.ts'

/** What is on offer, in numbers of the wire. Null where nothing is said, which limits nothing. */
export interface Offer {
  readonly signatureSchemes: readonly number[] | null
  readonly cipherSuites: readonly number[] | null
  readonly groups: readonly number[] | null
}

/** What stands in the way of a key: the first of these that leaves it no use. */
export type Misfit = 'signatureSchemes' | 'cipherSuites' | 'groups'

/** The kind of a certificate's key; null if TLS has no place for it (RFC 8446 section 4.2.3). */
export function signingKeyOf(certificate: Certificate): SigningKey | null {
  const { keyType, keyCurve } = certificate
  switch (keyType) {
    case 'ec':
      return keyCurve === 'P-256' || keyCurve === 'P-384' || keyCurve === 'P-521' ? keyCurve : null
    case 'rsa':
      return readPublicKeyInfo(certificate.subjectPublicKeyInfo).algorithm === RSASSA_PSS ? 'rsa-pss' : 'rsa'
    case 'ed25519':
    case 'ed448':
      return keyType
    case 'other':
      return null
  }
}

/**
 * The kind of the key of a chain of ours.
 *
 * @throws {ContextError} If TLS has no place for it, or if a server is to show it and it is too weak. A chain that was
 *   made for a client may be weak, and then the group of `dhParams: 'auto'` would be as weak as the key.
 */
export function requireSigningKey(leaf: Certificate, side: 'client' | 'server'): SigningKey {
  const key = signingKeyOf(leaf)
  if (key === null) {
    throw new ContextError(`${leaf.subject}: TLS cannot carry a key of this kind (${leaf.keyCurve ?? 'unknown'})`)
  }
  const weakness = side === 'server' ? weaknessOfKey(leaf) : null
  if (weakness !== null) throw new ContextError(`${leaf.subject}: ${weakness}`)
  return key
}

const RSASSA_PSS = '1.2.840.113549.1.1.10'

/** Why a server's key cannot be used in a handshake of this version; null if it can. */
export function misfitOfServerKey(key: SigningKey, version: TLSVersion, offer: Offer): Misfit | null {
  if (!overlaps(schemesOf(key, version), offer.signatureSchemes)) return 'signatureSchemes'
  if (version === 'TLSv1.3') return null
  if (!overlaps(SUITES_BY_AUTHENTICATION[authenticationOf(key)], offer.cipherSuites)) return 'cipherSuites'
  // RFC 8422 section 5.1: before TLS 1.3, the curves that a client names are also those of certificates it can take.
  return isCurve(key) && !overlaps([groupCode(key)], offer.groups) ? 'groups' : null
}

/** Why a client's key cannot be used in a handshake of this version; null if it can. The suite has no part in it. */
export function misfitOfClientKey(key: SigningKey, version: TLSVersion, offer: Offer): Misfit | null {
  return overlaps(schemesOf(key, version), offer.signatureSchemes) ? null : 'signatureSchemes'
}

/** RFC 8422 section 5.10: keys of Ed25519 and Ed448 count as ECDSA there. */
function authenticationOf(key: SigningKey): 'ecdsa' | 'rsa' {
  return key === 'rsa' || key === 'rsa-pss' ? 'rsa' : 'ecdsa'
}

function suitesFor(authentication: SuiteAuthentication): readonly number[] {
  return Object.values(SUITES)
    .filter((suite) => suite.authentication === authentication)
    .map(({ code }) => code)
}

const SUITES_BY_AUTHENTICATION = { ecdsa: suitesFor('ecdsa'), rsa: suitesFor('rsa') }

function overlaps(own: readonly number[], offered: readonly number[] | null): boolean {
  return offered === null || own.some((code) => offered.includes(code))
}
