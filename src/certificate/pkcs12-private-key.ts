// The private keys of a PKCS#12 container: PKCS#8, read by the guarded reader of all private keys.

import type { KeyObject } from 'node:crypto'
import { PrivateKeyError } from '../errors.ts'
import type { Certificate } from './certificate.ts'
import { excessive, malformed } from './pkcs12-ber.ts'
import { matchesCertificate, openPrivateKey, publicHalf } from './private-key.ts'
import { readPublicKeyInfo } from './public-key.ts'

// A signature by one of 16,384 bits takes a quarter of a second, and is made on the event loop.
const MAX_RSA_BITS = 8192

/**
 * The key in a PrivateKeyInfo that has been decrypted.
 *
 * @throws {PrivateKeyError} KEY_MALFORMED unless it is sound and of a kind that certificates have.
 * @throws {Pkcs12Error} PKCS12_EXCESSIVE for a huge one.
 */
export async function importPrivateKey(der: Uint8Array): Promise<KeyObject> {
  try {
    const key = await openPrivateKey({ label: '', headers: [], der }, undefined)
    requireModestKey(key)
    return key
  } catch (error) {
    const encrypted = error instanceof PrivateKeyError && error.code === 'ERR_TLACACOCA_KEY_PASSPHRASE_REQUIRED'
    throw encrypted ? malformed('a private key is encrypted twice') : error
  }
}

/** @throws {Pkcs12Error} PKCS12_EXCESSIVE for an RSA key that takes long to sign with. */
export function requireModestKey(key: KeyObject): void {
  const { type, size } = readPublicKeyInfo(publicHalf(key))
  if (type === 'rsa' && size !== null && size > MAX_RSA_BITS) {
    throw excessive(`its RSA key has ${size} bits; ${MAX_RSA_BITS} is the limit`)
  }
}

/** Whether a key is that of a certificate. A certificate whose own key cannot be read is nobody's. */
export function fits(key: KeyObject, certificate: Certificate): boolean {
  try {
    return matchesCertificate(key, certificate)
  } catch {
    return false
  }
}
