// How a key signs a certificate: the algorithm follows from the key, so that nobody can choose a weak one.

import { type KeyObject, sign } from 'node:crypto'
import { promisify } from 'node:util'
import { CertificateError } from '../errors.ts'
import { RSA_ENCRYPTION, readPublicKeyInfo } from './public-key.ts'

const signAsync = promisify<string, Uint8Array, KeyObject, Buffer>(sign)

/** A signature algorithm of a certificate (RFC 5280 section 4.1.1.2), bound to a key. */
export interface Signer {
  /** Its object identifier, dotted. */
  readonly algorithm: string
  /** RFC 4055 section 5: with RSA the parameters are NULL. RFC 5758 and RFC 8410: with the others there are none. */
  readonly hasNullParameters: boolean
  /** Signs; with RSA on the thread pool, since one signature can take many milliseconds there. */
  sign(data: Uint8Array): Uint8Array | Promise<Uint8Array>
}

/**
 * The way in which a private key signs.
 *
 * @param spki - Its public half, checked.
 * @throws {CertificateError} CERTIFICATE_UNSUPPORTED for a key that should sign nothing new: RSA below 2048 bits, curves
 *   below 256; and for RSA keys that are bound to RSASSA-PSS.
 */
export function signerFor(key: KeyObject, spki: Uint8Array): Signer {
  const { type, algorithm, size } = readPublicKeyInfo(spki)
  const bits = size ?? 0
  switch (type) {
    case 'ec': {
      if (bits < 256) throw unsupported(`an EC key of ${bits} bits is too weak to sign with`)
      // The hash is as strong as the curve: FIPS 186-5 section 6.4.
      const [hash, oid] =
        bits <= 256
          ? ['sha256', '1.2.840.10045.4.3.2']
          : bits <= 384
            ? ['sha384', '1.2.840.10045.4.3.3']
            : ['sha512', '1.2.840.10045.4.3.4']
      return signer(key, oid, hash)
    }
    case 'rsa':
      if (algorithm !== RSA_ENCRYPTION) throw unsupported('keys bound to RSASSA-PSS cannot be used here')
      if (bits < 2048) throw unsupported(`an RSA key of ${bits} bits is too weak to sign with`)
      return {
        algorithm: SHA256_WITH_RSA,
        hasNullParameters: true,
        sign: (data) => signAsync('sha256', data, key),
      }
    case 'ed25519':
    case 'ed448':
      // RFC 8410 section 3: key and signature share the identifier, and the hash is part of the algorithm.
      return signer(key, algorithm, null)
    case 'other':
      throw unsupported(`keys of the algorithm ${algorithm} cannot be used here`)
  }
}

const SHA256_WITH_RSA = '1.2.840.113549.1.1.11'

function signer(key: KeyObject, algorithm: string, hash: string | null): Signer {
  return { algorithm, hasNullParameters: false, sign: (data) => sign(hash, data, key) }
}

function unsupported(problem: string): CertificateError {
  return new CertificateError('ERR_TLACACOCA_CERTIFICATE_UNSUPPORTED', problem)
}
