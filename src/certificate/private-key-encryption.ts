// A private key under a passphrase: PKCS#8 EncryptedPrivateKeyInfo (RFC 5958 section 3) with PBES2 (RFC 8018 section 6.2).
//
// Node can write this by itself, but derives the key with 2,048 rounds whatever one asks for, which a laptop guesses
// through at some hundred thousand passphrases a second. We derive with scrypt or with 600,000 rounds of PBKDF2, and
// write what Node and OpenSSL read.
//
// In the other direction the file names the price of opening it, and a hostile one names 2^31 rounds. Both derivations
// are therefore priced before they start, and run on the thread pool, not on the event loop.

import { createCipheriv, createDecipheriv, pbkdf2, randomBytes, scrypt } from 'node:crypto'
import { promisify } from 'node:util'
import { PrivateKeyError } from '../errors.ts'
import { type DerElement, type DerReader, oidOf, readWhole, smallInteger, TAG } from './der.ts'
import { element, integer, oid } from './der-writer.ts'
import { type Passphrase, passphraseBytes } from './passphrase.ts'

/**
 * How the encryption key is made from the passphrase. `scrypt` (N 2^14, r 8, p 5: 16 MiB of memory for each guess) is
 * the default. `pbkdf2` (HMAC-SHA-256, 600,000 rounds) is for readers that know no scrypt.
 */
export type KeyDerivation = 'scrypt' | 'pbkdf2'

const scryptAsync = promisify<Uint8Array, Uint8Array, number, ScryptCost & { maxmem: number }, Buffer>(scrypt)
const pbkdf2Async = promisify(pbkdf2)

interface ScryptCost {
  readonly N: number
  readonly r: number
  readonly p: number
}

// OWASP's figures for these functions. A larger N than this would need more than the 32 MiB of memory to which OpenSSL
// and Node limit scrypt, and they could not open the file.
const SCRYPT_COST: ScryptCost = { N: 2 ** 14, r: 8, p: 5 }
const PBKDF2_ROUNDS = 600_000
const SALT_BYTES = 16
const CIPHER = { name: 'aes-256-cbc', keyBytes: 32, ivBytes: 16 } as const

// The most that opening a foreign file may cost: about two seconds of a thread, and 256 MiB.
const MAX_PBKDF2_ROUNDS = 10_000_000
const MAX_SCRYPT_WORK = 2 ** 22
const MAX_SCRYPT_MEMORY = 256 * 1024 * 1024
const MAX_SALT_BYTES = 1024
// These derivations are done by OpenSSL on the event loop; at this limit they take some milliseconds.
const MAX_PKCS12_ROUNDS = 20_000

const OID = {
  pbes2: '1.2.840.113549.1.5.13',
  pbkdf2: '1.2.840.113549.1.5.12',
  scrypt: '1.3.6.1.4.1.11591.4.11',
  hmacWithSha256: '1.2.840.113549.2.9',
  aes256Cbc: '2.16.840.1.101.3.4.1.42',
} as const

/** @internal The hashes of PBKDF2, by the object identifier of their HMAC. */
export const HMACS: Readonly<Record<string, string>> = {
  '1.2.840.113549.2.7': 'sha1',
  '1.2.840.113549.2.8': 'sha224',
  [OID.hmacWithSha256]: 'sha256',
  '1.2.840.113549.2.10': 'sha384',
  '1.2.840.113549.2.11': 'sha512',
}

/** @internal The ciphers of PBES2, by object identifier. */
export const CIPHERS: Readonly<Record<string, { name: string; keyBytes: number; ivBytes: number }>> = {
  '1.2.840.113549.3.7': { name: 'des-ede3-cbc', keyBytes: 24, ivBytes: 8 },
  '2.16.840.1.101.3.4.1.2': { name: 'aes-128-cbc', keyBytes: 16, ivBytes: 16 },
  '2.16.840.1.101.3.4.1.22': { name: 'aes-192-cbc', keyBytes: 24, ivBytes: 16 },
  [OID.aes256Cbc]: CIPHER,
}

// PKCS#12 (RFC 7292 appendix C) with triple DES, as old versions of OpenSSL and Java write it for keys.
const PKCS12_SCHEMES: ReadonlySet<string> = new Set(['1.2.840.113549.1.12.1.3', '1.2.840.113549.1.12.1.4'])

/** Encrypts the DER of a PrivateKeyInfo; the result is the DER of an EncryptedPrivateKeyInfo. */
export async function encryptPkcs8(
  pkcs8: Uint8Array,
  passphrase: Passphrase,
  derivation: KeyDerivation,
): Promise<Uint8Array> {
  const salt = randomBytes(SALT_BYTES)
  const iv = randomBytes(CIPHER.ivBytes)
  const key =
    derivation === 'scrypt'
      ? await deriveByScrypt(passphrase, salt, CIPHER.keyBytes, SCRYPT_COST)
      : await pbkdf2Async(passphraseBytes(passphrase), salt, PBKDF2_ROUNDS, CIPHER.keyBytes, 'sha256')
  const cipher = createCipheriv(CIPHER.name, key, iv)
  const encrypted = Buffer.concat([cipher.update(pkcs8), cipher.final()])

  const derivationFunction =
    derivation === 'scrypt'
      ? algorithm(
          OID.scrypt,
          // RFC 7914 section 7.1.
          element(
            TAG.sequence,
            element(TAG.octetString, salt),
            integer(SCRYPT_COST.N),
            integer(SCRYPT_COST.r),
            integer(SCRYPT_COST.p),
          ),
        )
      : algorithm(
          OID.pbkdf2,
          element(
            TAG.sequence,
            element(TAG.octetString, salt),
            integer(PBKDF2_ROUNDS),
            algorithm(OID.hmacWithSha256, element(TAG.null)),
          ),
        )
  const encryptionScheme = algorithm(OID.aes256Cbc, element(TAG.octetString, iv))
  return element(
    TAG.sequence,
    algorithm(OID.pbes2, element(TAG.sequence, derivationFunction, encryptionScheme)),
    element(TAG.octetString, encrypted),
  )
}

/** What has to be done to open an EncryptedPrivateKeyInfo. */
export interface EncryptedPkcs8 {
  /** Decrypts with a passphrase; null means that the passphrase is wrong, as far as the padding tells. */
  open(passphrase: Passphrase): Promise<Uint8Array | null>
}

/**
 * Reads how a key is encrypted, and refuses what would cost too much. `'openssl'` stands for a scheme that OpenSSL can
 * open at once, at a price that was looked at.
 *
 * @throws {PrivateKeyError} KEY_MALFORMED for an unknown scheme or an excessive price.
 * @throws {CertificateError} If it is no DER; the caller gives that another name.
 */
export function readEncryptedPkcs8(der: Uint8Array): EncryptedPkcs8 | 'openssl' {
  const outer = readWhole(der, TAG.sequence, 'the key').children()
  const scheme = readAlgorithm(outer)
  const encrypted = outer.read(TAG.octetString, 'the encrypted key').content
  outer.finish('the key')

  if (PKCS12_SCHEMES.has(scheme.oid)) {
    const parameters = scheme.parameters('the encryption').children()
    readSalt(parameters)
    readBounded(parameters, 'rounds', MAX_PKCS12_ROUNDS)
    return 'openssl'
  }
  if (scheme.oid !== OID.pbes2) {
    throw refused(`is encrypted by ${scheme.oid}, which is not supported; openssl pkcs8 -topk8 writes one that is`)
  }
  const parameters = scheme.parameters('the encryption').children()
  const derivation = readAlgorithm(parameters)
  const encryption = readAlgorithm(parameters)
  parameters.finish('the encryption')

  const cipher = CIPHERS[encryption.oid]
  if (cipher === undefined) throw refused(`is encrypted by the cipher ${encryption.oid}, which is not supported`)
  const ivElement = encryption.parameters('the initialization vector')
  const iv = ivElement.content
  if (ivElement.tag !== TAG.octetString || iv.length !== cipher.ivBytes) throw refused('has no proper IV')
  const derive = readDerivation(derivation, cipher.keyBytes)
  return {
    async open(passphrase) {
      const decipher = createDecipheriv(cipher.name, await derive(passphrase), iv)
      try {
        return Buffer.concat([decipher.update(encrypted), decipher.final()])
      } catch {
        return null
      }
    },
  }
}

type Derive = (passphrase: Passphrase) => Promise<Uint8Array>

function readDerivation(derivation: ReadAlgorithm, keyBytes: number): Derive {
  const parameters = derivation.parameters('the key derivation').children()
  const salt = readSalt(parameters)
  switch (derivation.oid) {
    case OID.pbkdf2: {
      const rounds = readBounded(parameters, 'rounds', MAX_PBKDF2_ROUNDS)
      const length = parameters.optional(TAG.integer, 'the key length')
      if (length !== null && smallInteger(length, 'the key length') !== keyBytes)
        throw refused('has a wrong key length')
      // RFC 8018 appendix A.2: without a word about it, the function is HMAC with SHA-1.
      const hmac = parameters.done ? 'sha1' : HMACS[readAlgorithm(parameters).oid]
      parameters.finish('the key derivation')
      if (hmac === undefined) throw refused('is encrypted by a PBKDF2 whose hash is not supported')
      return (passphrase) => pbkdf2Async(passphraseBytes(passphrase), salt, rounds, keyBytes, hmac)
    }
    case OID.scrypt: {
      const N = readBounded(parameters, 'scrypt cost', MAX_SCRYPT_WORK)
      const r = readBounded(parameters, 'scrypt block size', MAX_SCRYPT_WORK)
      const p = readBounded(parameters, 'scrypt parallelization', MAX_SCRYPT_WORK)
      const length = parameters.optional(TAG.integer, 'the key length')
      if (length !== null && smallInteger(length, 'the key length') !== keyBytes)
        throw refused('has a wrong key length')
      parameters.finish('the key derivation')
      if (N < 2 || (N & (N - 1)) !== 0) throw refused('has a scrypt cost that is no power of two')
      if (N * r * p > MAX_SCRYPT_WORK || scryptMemory({ N, r, p }) > MAX_SCRYPT_MEMORY) {
        throw refused(`asks for an excessive scrypt (N ${N}, r ${r}, p ${p})`)
      }
      return (passphrase) => deriveByScrypt(passphrase, salt, keyBytes, { N, r, p })
    }
    default:
      throw refused(`is encrypted by the key derivation ${derivation.oid}, which is not supported`)
  }
}

function deriveByScrypt(
  passphrase: Passphrase,
  salt: Uint8Array,
  keyBytes: number,
  cost: ScryptCost,
): Promise<Uint8Array> {
  return scryptAsync(passphraseBytes(passphrase), salt, keyBytes, { ...cost, maxmem: scryptMemory(cost) })
}

/** What OpenSSL counts: the table of N blocks, one more and a scratch block, and p blocks, of 128 r bytes each. */
function scryptMemory({ N, r, p }: ScryptCost): number {
  return 128 * r * (N + p + 2) + 1024
}

interface ReadAlgorithm {
  readonly oid: string
  /** The parameters, which must be there. */
  parameters(what: string): DerElement
}

function readAlgorithm(reader: DerReader): ReadAlgorithm {
  const inside = reader.read(TAG.sequence, 'the algorithm').children()
  const name = oidOf(inside.read(TAG.oid, 'the algorithm'), 'the algorithm')
  const found = inside.done ? null : inside.readAny('the parameters')
  inside.finish('the algorithm')
  return {
    oid: name,
    parameters(what) {
      if (found === null) throw refused(`names no parameters of ${what}`)
      return found
    },
  }
}

function readSalt(parameters: DerReader): Uint8Array {
  const salt = parameters.read(TAG.octetString, 'the salt').content
  if (salt.length > MAX_SALT_BYTES) throw refused('has an excessive salt')
  return salt
}

function readBounded(parameters: DerReader, what: string, max: number): number {
  const value = smallInteger(parameters.read(TAG.integer, what), what)
  if (value < 1 || value > max) throw refused(`asks for ${value} as its ${what}; the limits are 1 and ${max}`)
  return value
}

function algorithm(dotted: string, parameters: Uint8Array): Uint8Array {
  return element(TAG.sequence, oid(dotted), parameters)
}

function refused(problem: string): PrivateKeyError {
  return new PrivateKeyError('ERR_TLACACOCA_KEY_MALFORMED', `the private key ${problem}`)
}
