// Which keys are certified. That a key is sound, and that the sender holds it, has been shown by then.

import type { Certificate } from '../certificate/certificate.ts'
import { CertificateRequestError } from '../errors.ts'
import type { CertifiedKey, ReadProfile } from './profile.ts'

/** A public key, of a request or of a certificate that is renewed. */
export type KeyFacts = Pick<Certificate, 'keyType' | 'keyCurve' | 'keySize' | 'publicKeyFingerprint'>

/** @throws {CertificateRequestError} CSR_KEY_REFUSED if the profile does not allow it, or it is the authority's own. */
export function requireKey(key: KeyFacts, profile: ReadProfile, issuer: Certificate): void {
  const kind = kindOf(key)
  if (kind === null || !profile.keys.has(kind)) {
    const wanted = [...profile.keys].join(', ')
    throw refused(`it is ${nameOf(key)}, and "${profile.name}" certifies ${wanted}`)
  }
  if (key.publicKeyFingerprint === issuer.publicKeyFingerprint) throw refused('it is the key of the authority itself')
}

/** @throws {CertificateRequestError} CSR_KEY_REFUSED, always: for a key that was compromised. */
export function refuseBlockedKey(): never {
  throw refused('it was compromised, and is not certified again; make a new one')
}

function kindOf({ keyType, keyCurve, keySize }: KeyFacts): CertifiedKey | null {
  switch (keyType) {
    case 'rsa':
      return keySize !== null && keySize >= 2048 && keySize <= 8192 ? 'RSA' : null
    case 'ec':
      return keyCurve === 'P-256' || keyCurve === 'P-384' || keyCurve === 'P-521' ? keyCurve : null
    case 'ed25519':
      return 'Ed25519'
    case 'ed448':
      return 'Ed448'
    case 'other':
      return null
  }
}

function nameOf({ keyType, keyCurve, keySize }: KeyFacts): string {
  return keyType === 'rsa' ? `an RSA key of ${keySize} bits` : `a key on ${keyCurve ?? keyType}`
}

function refused(problem: string): CertificateRequestError {
  return new CertificateRequestError('ERR_TLACACOCA_CSR_KEY_REFUSED', `the key is not certified: ${problem}`)
}
