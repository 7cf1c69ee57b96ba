// Whether whoever made a request holds its private key (RFC 2986 section 3).
//
// A signature shows that only for keys with which nobody else can make one. So the key is judged first, and by arithmetic
// of ours: with e = 1 everything is its own signature, a point of small order verifies signatures that need no key at all,
// and some points make Node abort (see public-key.ts). And a key must be written in the one way that its kind has:
// otherwise the same key has several fingerprints, and a list of refused keys can be walked past.

import { verify } from 'node:crypto'
import { CertificateError, CertificateRequestError } from '../errors.ts'
import type { RequestFacts } from './certificate-request-reader.ts'
import { reasonOf, refusedKey } from './certificate-request-source.ts'
import { integerBytes, readWhole, TAG } from './der.ts'
import { element, oid } from './der-writer.ts'
import { problemOfEdwardsPoint } from './edwards-point.ts'
import { type KeyType, keyObjectOf, type PublicKeyInfo, RSA_ENCRYPTION, readParts, UNCOMPRESSED } from './public-key.ts'
import { smallExponentOf, weaknessOfKey, weaknessOfSignature } from './strength.ts'

/**
 * @internal Throws unless a request is signed with its own, sound key.
 *
 * @throws {CertificateRequestError} CSR_KEY_REFUSED or CSR_UNPROVEN.
 */
export function requireProof(facts: RequestFacts): void {
  requireSoundKey(facts)
  const scheme = schemeOf(facts)
  if (!verifies(facts, scheme)) {
    throw unproven('its signature does not verify with its key; sign it with the private half of that key')
  }
}

function verifies({ spki, signedPart, signature }: RequestFacts, scheme: Scheme): boolean {
  try {
    return verify(scheme.hash, signedPart, keyObjectOf(spki), signature)
  } catch (error) {
    // A point that is not on its curve.
    if (error instanceof CertificateError) throw refusedKey(reasonOf(error), { cause: error })
    /* v8 ignore next -- @preserve OpenSSL says false to all that is known here; if it throws, that is no proof either */
    return false
  }
}

// An RSA key of this size takes OpenSSL half a millisecond to verify with, and the time grows with the square.
const MAX_RSA_BITS = 8192
// FIPS 186-5 section 5.1. A longer one costs time and gains nothing; with an ordinary modulus OpenSSL takes any length.
const MAX_EXPONENT = 1n << 256n

function requireSoundKey({ spki, key }: RequestFacts): void {
  const facts = { keyType: key.type, keySize: key.size, keyExponent: key.exponent }
  const weakness = weaknessOfKey(facts) ?? smallExponentOf(facts)
  if (weakness !== null) throw refusedKey(`${weakness}; make a stronger one`)
  const problem = problemOfForm(spki, key)
  if (problem !== null) throw refusedKey(problem)
}

/** Null if the key is written as its kind is, and its numbers are such that only the holder can sign. */
function problemOfForm(spki: Uint8Array, key: PublicKeyInfo): string | null {
  const { parameters, key: octets } = readParts(spki)
  switch (key.type) {
    case 'rsa': {
      if (key.algorithm !== RSA_ENCRYPTION)
        return 'keys bound to RSASSA-PSS are not certified; make an ordinary RSA key'
      // RFC 3279 section 2.3.1: NULL. Anything else would be certified with the key, whatever it is.
      if (parameters?.tag !== TAG.null || !parameters.isEmpty) return 'the RSA key has parameters other than NULL'
      if ((key.size ?? 0) > MAX_RSA_BITS) return `the RSA key has ${key.size} bits, more than ${MAX_RSA_BITS}`
      if ((key.exponent ?? 0n) >= MAX_EXPONENT) return 'the RSA key has an exponent of more than 256 bits'
      const modulus = integerBytes(readWhole(octets, TAG.sequence, 'the key').children().read(TAG.integer, 'n'), 'n')
      return (modulus.at(-1) ?? 0) % 2 === 1 ? null : 'the RSA key has an even modulus'
    }
    case 'ec':
      if (key.size === null) return `the curve ${key.curve} is not supported; take P-256`
      return octets[0] === UNCOMPRESSED ? null : 'the EC key is a compressed point; write it uncompressed'
    case 'ed25519':
    case 'ed448':
      return problemOfEdwardsPoint(key.type, octets)
    case 'other':
      return `keys of the algorithm ${key.algorithm} are not certified; make one on P-256`
  }
}

const NULL = element(TAG.null)

/** How a request can be signed, and by which kind of key. */
interface Scheme {
  readonly keyType: KeyType
  readonly hash: 'sha256' | 'sha384' | 'sha512' | null
}

// By the whole AlgorithmIdentifier in hex, so that there is nothing in its parameters that nobody looked at. RFC 4055
// section 5: with RSA they are NULL, and a reader has to take it if they are absent. RFC 5758 section 3.2 and RFC 8410
// section 3: with the others they are absent.
const SCHEMES: ReadonlyMap<string, Scheme> = new Map(
  (
    [
      ['1.2.840.113549.1.1.11', 'rsa', 'sha256'],
      ['1.2.840.113549.1.1.12', 'rsa', 'sha384'],
      ['1.2.840.113549.1.1.13', 'rsa', 'sha512'],
      ['1.2.840.10045.4.3.2', 'ec', 'sha256'],
      ['1.2.840.10045.4.3.3', 'ec', 'sha384'],
      ['1.2.840.10045.4.3.4', 'ec', 'sha512'],
      ['1.3.101.112', 'ed25519', null],
      ['1.3.101.113', 'ed448', null],
    ] as const
  ).flatMap(([identifier, keyType, hash]) => {
    const forms = keyType === 'rsa' ? [[NULL], []] : [[]]
    return forms.map((parameters) => [hexOf(element(TAG.sequence, oid(identifier), ...parameters)), { keyType, hash }])
  }),
)

function schemeOf({ key, signatureAlgorithm, signatureAlgorithmDer }: RequestFacts): Scheme {
  const weakness = weaknessOfSignature({ signatureAlgorithm })
  if (weakness !== null) throw unproven(`${weakness}; sign it with SHA-256 or better`)
  const scheme = SCHEMES.get(hexOf(signatureAlgorithmDer))
  if (scheme === undefined) {
    throw unproven(`signatures by ${signatureAlgorithm.name} are not accepted in this form; sign it with SHA-256`)
  }
  if (scheme.keyType !== key.type) {
    throw unproven(`a key of the kind ${key.type} does not make signatures by ${signatureAlgorithm.name}`)
  }
  return scheme
}

function hexOf(der: Uint8Array): string {
  return Buffer.from(der).toString('hex')
}

function unproven(problem: string): CertificateRequestError {
  return new CertificateRequestError(
    'ERR_TLACACOCA_CSR_UNPROVEN',
    `the certificate request does not prove who holds the key: ${problem}`,
  )
}
