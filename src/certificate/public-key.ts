// What a SubjectPublicKeyInfo says, read without OpenSSL, and the gate in front of OpenSSL.
//
// Node 20, 22 and 24 accept an elliptic-curve key whose point is the single octet 00 (the point at infinity), and then
// abort the whole process when somebody asks for `asymmetricKeyDetails` or a JWK export; no `try` helps. Such a key can
// be in any certificate that a stranger sends. So a key goes to OpenSSL only through `keyObjectOf`, after its form has
// been checked here.

import { createPublicKey, type KeyObject } from 'node:crypto'
import { CertificateError } from '../errors.ts'
import { type DerElement, integerBytes, malformed, oidOf, readWhole, TAG, wholeOctets } from './der.ts'
import { problemOfEdwardsPoint } from './edwards-point.ts'

/** The kinds of key that are told apart. `rsa` includes keys that are restricted to RSASSA-PSS. */
export type KeyType = 'ec' | 'rsa' | 'ed25519' | 'ed448' | 'other'

/** The facts about a public key. */
export interface PublicKeyInfo {
  readonly type: KeyType
  /** The object identifier of the algorithm, dotted. */
  readonly algorithm: string
  /** The curve's name (`P-256`), or its dotted object identifier if it has none here; null unless `type` is `ec`. */
  readonly curve: string | null
  /** The size in bits as people quote it (256, 2048); null if it is not known. */
  readonly size: number | null
  /** The public exponent of an RSA key; null for every other. */
  readonly exponent: bigint | null
}

/** Without restrictions, as nearly all of them are. */
export const RSA_ENCRYPTION = '1.2.840.113549.1.1.1'

const ALGORITHMS: Readonly<Record<string, KeyType>> = {
  '1.2.840.10045.2.1': 'ec',
  [RSA_ENCRYPTION]: 'rsa',
  '1.2.840.113549.1.1.10': 'rsa',
  '1.3.101.112': 'ed25519',
  '1.3.101.113': 'ed448',
}

interface Curve {
  readonly name: string
  readonly bits: number
}

const CURVES: Readonly<Record<string, Curve>> = {
  '1.2.840.10045.3.1.1': { name: 'P-192', bits: 192 },
  '1.3.132.0.33': { name: 'P-224', bits: 224 },
  '1.2.840.10045.3.1.7': { name: 'P-256', bits: 256 },
  '1.3.132.0.34': { name: 'P-384', bits: 384 },
  '1.3.132.0.35': { name: 'P-521', bits: 521 },
  '1.3.132.0.10': { name: 'secp256k1', bits: 256 },
  '1.3.36.3.3.2.8.1.1.7': { name: 'brainpoolP256r1', bits: 256 },
  '1.3.36.3.3.2.8.1.1.8': { name: 'brainpoolP256t1', bits: 256 },
  '1.3.36.3.3.2.8.1.1.9': { name: 'brainpoolP320r1', bits: 320 },
  '1.3.36.3.3.2.8.1.1.10': { name: 'brainpoolP320t1', bits: 320 },
  '1.3.36.3.3.2.8.1.1.11': { name: 'brainpoolP384r1', bits: 384 },
  '1.3.36.3.3.2.8.1.1.12': { name: 'brainpoolP384t1', bits: 384 },
  '1.3.36.3.3.2.8.1.1.13': { name: 'brainpoolP512r1', bits: 512 },
  '1.3.36.3.3.2.8.1.1.14': { name: 'brainpoolP512t1', bits: 512 },
}

// RFC 8032: the length of a public key in octets, and the size that people quote.
const EDWARDS = { ed25519: { octets: 32, bits: 256 }, ed448: { octets: 57, bits: 456 } } as const

/**
 * Reads a SubjectPublicKeyInfo (RFC 5280 section 4.1) and checks that the key in it has the form its algorithm asks for.
 *
 * @throws {CertificateError} ERR_TLACACOCA_CERTIFICATE_MALFORMED if the bytes or the key's form are wrong.
 */
export function readPublicKeyInfo(spki: Uint8Array): PublicKeyInfo {
  const { algorithm, parameters, key } = readParts(spki)
  const type = ALGORITHMS[algorithm] ?? 'other'
  switch (type) {
    case 'ec':
      return { type, algorithm, ...ecFacts(parameters, key), exponent: null }
    case 'rsa':
      return { type, algorithm, curve: null, ...rsaFacts(key) }
    case 'ed25519':
    case 'ed448':
      // RFC 8410 section 3: the parameters must be absent.
      if (parameters !== null) throw malformed(`the ${type} key has parameters`)
      if (key.length !== EDWARDS[type].octets) throw malformed(`the ${type} key has ${key.length} octets`)
      return { type, algorithm, curve: null, size: EDWARDS[type].bits, exponent: null }
    case 'other':
      return { type, algorithm, curve: null, size: null, exponent: null }
  }
}

/** What every public key consists of, whatever its algorithm. */
interface PublicKeyParts {
  /** The object identifier of the algorithm, dotted. */
  readonly algorithm: string
  /** What stands after the identifier; null if nothing does. */
  readonly parameters: DerElement | null
  /** The key, in the form of its algorithm. */
  readonly key: Uint8Array
}

/** Takes a SubjectPublicKeyInfo apart. */
export function readParts(spki: Uint8Array): PublicKeyParts {
  const outer = readWhole(spki, TAG.sequence, 'the public key').children()
  const identifier = outer.read(TAG.sequence, 'the key algorithm').children()
  const algorithm = oidOf(identifier.read(TAG.oid, 'the key algorithm'), 'the key algorithm')
  const parameters = identifier.done ? null : identifier.readAny('the key parameters')
  identifier.finish('the key algorithm')
  const key = wholeOctets(outer.read(TAG.bitString, 'the key'), 'the key')
  outer.finish('the public key')
  return { algorithm, parameters, key }
}

/**
 * Node's key object for a SubjectPublicKeyInfo that may come from a stranger.
 *
 * @throws {CertificateError} ERR_TLACACOCA_CERTIFICATE_MALFORMED if the key has not the form of its algorithm, and
 *   ERR_TLACACOCA_CERTIFICATE_UNSUPPORTED if it has a form that is not handed to OpenSSL, or OpenSSL cannot read it.
 */
export function keyObjectOf(spki: Uint8Array): KeyObject {
  const info = readPublicKeyInfo(spki)
  requireOrdinaryKey(info)
  if (info.type === 'ed25519' || info.type === 'ed448') {
    const problem = problemOfEdwardsPoint(info.type, readParts(spki).key)
    if (problem !== null) throw malformed(problem)
  }
  try {
    return importKey(spki, info)
  } catch (cause) {
    throw unsupported('OpenSSL cannot read the public key', { cause })
  }
}

/**
 * By the way that takes Node least: on version 20 a SubjectPublicKeyInfo takes 0.1 ms, a point on P-256 two thirds of that
 * and the others a tenth or less.
 */
function importKey(spki: Uint8Array, { algorithm, type, curve }: PublicKeyInfo): KeyObject {
  if (algorithm === RSA_ENCRYPTION) {
    return createPublicKey({ key: Buffer.from(readParts(spki).key), format: 'der', type: 'pkcs1' })
  }
  if (type === 'ed25519') {
    const x = Buffer.from(readParts(spki).key).toString('base64url')
    return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  }
  if (curve === 'P-256') {
    const point = Buffer.from(readParts(spki).key)
    if (point[0] === UNCOMPRESSED) {
      const [x, y] = [point.toString('base64url', 1, 33), point.toString('base64url', 33)]
      return createPublicKey({ key: { kty: 'EC', crv: curve, x, y }, format: 'jwk' })
    }
  }
  return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
}

/** @internal The first octet of a point that is written with both coordinates (SEC 1 section 2.3.3). */
export const UNCOMPRESSED = 0x04

/** Refuses the keys that are not for OpenSSL: kinds that nobody uses here, and curves whose points cannot be checked. */
export function requireOrdinaryKey(key: PublicKeyInfo): void {
  if (key.type === 'other') throw unsupported(`keys of the algorithm ${key.algorithm} are not supported`)
  if (key.type === 'ec' && key.size === null) throw unsupported(`the curve ${key.curve} is not supported`)
}

function ecFacts(parameters: DerElement | null, key: Uint8Array): { curve: string; size: number | null } {
  // RFC 5480 section 2.1.1: a named curve, and nothing else. Curves by explicit parameters have been the way to forge
  // signatures (CVE-2020-0601) and to hang OpenSSL (CVE-2022-0778).
  if (parameters === null || parameters.tag !== TAG.oid) throw malformed('the EC key does not name its curve')
  const oid = oidOf(parameters, 'the curve')
  const curve = CURVES[oid]
  const form = key[0]
  const coordinates = form === 0x04 ? 2 : form === 0x02 || form === 0x03 ? 1 : 0
  if (coordinates === 0) throw malformed('the EC key is not a point in uncompressed or compressed form')
  const octets = key.length - 1
  const fits =
    curve === undefined ? octets > 0 && octets % coordinates === 0 : octets === coordinates * Math.ceil(curve.bits / 8)
  if (!fits) throw malformed(`the EC key is a point of ${octets} octets, which is not what its curve has`)
  return { curve: curve?.name ?? oid, size: curve?.bits ?? null }
}

function rsaFacts(key: Uint8Array): { size: number; exponent: bigint } {
  const pair = readWhole(key, TAG.sequence, 'the RSA key').children()
  const modulus = integerBytes(pair.read(TAG.integer, 'the RSA modulus'), 'the RSA modulus')
  const exponent = integerBytes(pair.read(TAG.integer, 'the RSA exponent'), 'the RSA exponent')
  pair.finish('the RSA key')
  for (const [value, what] of [
    [modulus, 'modulus'],
    [exponent, 'exponent'],
  ] as const) {
    const first = value[0] ?? 0
    if (first >= 0x80 || (first === 0 && value.length === 1)) throw malformed(`the RSA ${what} is not positive`)
  }
  const significant = modulus[0] === 0 ? modulus.subarray(1) : modulus
  const size = significant.length * 8 - Math.clz32(significant[0] ?? 0) + 24
  return { size, exponent: BigInt(`0x${Buffer.from(exponent).toString('hex')}`) }
}

function unsupported(reason: string, options?: ErrorOptions): CertificateError {
  return new CertificateError('ERR_TLACACOCA_CERTIFICATE_UNSUPPORTED', `unsupported certificate: ${reason}`, options)
}
