// How the parts of a PKCS#12 container are encrypted: PBES2 (RFC 8018 section 6.2) today, and the schemes of RFC 7292
// appendix C before that.
//
// Reading an algorithm charges its price; nothing is derived until somebody opens something with what comes out.

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { TAG } from './der.ts'
import { element, integer, oid } from './der-writer.ts'
import { type BerNode, type BerReader, excessive, type Forge, malformed, unsupported } from './pkcs12-ber.ts'
import { blocksFor, derivePkcs12, type Pkcs12Secret, PURPOSE, pbkdf2Async, type RoundAccount } from './pkcs12-keys.ts'
import { AES_256_CBC, HMAC_WITH_SHA256, nameOf, SCHEME, SHA1 } from './pkcs12-oids.ts'
import { CIPHERS, HMACS } from './private-key-encryption.ts'

/** Decrypts; null if it does not open, as far as the padding tells. */
export type Open = (secret: Pkcs12Secret) => Promise<Uint8Array | null>

/** What encrypted data takes to be opened. */
export interface ReadingContext {
  readonly forge: Forge
  readonly account: RoundAccount
}

/**
 * Reads an AlgorithmIdentifier and the octets that were encrypted by it.
 *
 * @throws {Pkcs12Error} PKCS12_UNSUPPORTED, PKCS12_EXCESSIVE or PKCS12_MALFORMED.
 */
export function readEncryption(algorithm: BerNode, encrypted: Uint8Array, context: ReadingContext): Open {
  const { oid: scheme, parameters } = readAlgorithm(algorithm, 'the encryption')
  switch (scheme) {
    case SCHEME.pbes2:
      return readPbes2(parameters.read('the parameters of the encryption'), encrypted, context)
    case SCHEME.tripleDes:
      return readPkcs12Scheme(parameters, context, 24, (key, iv) => decrypt('des-ede3-cbc', key, iv, encrypted))
    case SCHEME.twoKeyTripleDes:
      return readPkcs12Scheme(parameters, context, 16, (key, iv) =>
        decrypt('des-ede3-cbc', Buffer.concat([key, key.subarray(0, 8)]), iv, encrypted),
      )
    case SCHEME.rc2128:
      return readPkcs12Scheme(parameters, context, 16, (key, iv) => decryptRc2(context.forge, key, iv, encrypted))
    case SCHEME.rc240:
      return readPkcs12Scheme(parameters, context, 5, (key, iv) => decryptRc2(context.forge, key, iv, encrypted))
    default:
      throw unsupported(`a part of it is encrypted by ${nameOf(scheme)}`)
  }
}

/** PBKDF2 (RFC 8018 appendix A.2), read and charged. */
export interface Pbkdf2 {
  derive(secret: Pkcs12Secret): Promise<Buffer>
}

/**
 * @param keyBytes - The length that the key must have; null if the parameters must say it.
 * @param what - Whose key it is.
 */
export function readPbkdf2(
  algorithm: BerNode,
  keyBytes: number | null,
  account: RoundAccount,
  what: string,
): Pbkdf2 & { readonly keyBytes: number } {
  const { oid: function_, parameters } = readAlgorithm(algorithm, `the key derivation of ${what}`)
  if (function_ !== SCHEME.pbkdf2) throw unsupported(`the key of ${what} is derived by ${nameOf(function_)}`)
  const inside = parameters.read('the parameters of PBKDF2').children(TAG.sequence, 'the parameters of PBKDF2')
  const salt = readSalt(inside)
  const iterations = readIterations(inside.read('the iterations'))
  const rest = [...inside.rest()]
  const named = rest[0]?.tag === TAG.integer ? rest.shift()?.integer('the key length') : undefined
  const length = named ?? keyBytes
  if (length === null || (keyBytes !== null && length !== keyBytes)) {
    throw malformed(`the key of ${what} has a wrong length, or none`)
  }
  const prf = rest.shift()
  if (rest.length > 0) throw malformed('the parameters of PBKDF2 have something after their end')
  // RFC 8018 appendix A.2: without a word about it, the function is HMAC with SHA-1.
  const hmac = prf === undefined ? 'sha1' : HMACS[readAlgorithm(prf, 'the function of PBKDF2').oid]
  if (hmac === undefined) throw unsupported(`the key of ${what} is derived by PBKDF2 with an unknown function`)
  account.charge(iterations, blocksFor(length, OUTPUT_BYTES[hmac] ?? 1), what)
  return {
    keyBytes: length,
    derive: ({ bytes }) => pbkdf2Async(bytes, salt, iterations, length, hmac),
  }
}

const OUTPUT_BYTES: Readonly<Record<string, number>> = { sha1: 20, sha224: 28, sha256: 32, sha384: 48, sha512: 64 }

function readPbes2(node: BerNode, encrypted: Uint8Array, { account }: ReadingContext): Open {
  const inside = node.children(TAG.sequence, 'the parameters of PBES2')
  const derivation = inside.read('the key derivation')
  const scheme = readAlgorithm(inside.read('the cipher'), 'the cipher')
  inside.finish('the parameters of PBES2')
  const cipher = CIPHERS[scheme.oid]
  if (cipher === undefined) throw unsupported(`a part of it is encrypted by the cipher ${nameOf(scheme.oid)}`)
  const iv = scheme.parameters.read('the initialization vector').octets('the initialization vector')
  if (iv.length !== cipher.ivBytes) throw malformed('the initialization vector has a wrong length')
  const { derive } = readPbkdf2(derivation, cipher.keyBytes, account, 'the encryption')
  return async (secret) => decrypt(cipher.name, await derive(secret), iv, encrypted)
}

/** The parameters and key derivation that the schemes of RFC 7292 appendix C have in common; all have blocks of 8. */
function readPkcs12Scheme(
  parameters: BerReader,
  { account }: ReadingContext,
  keyBytes: number,
  open: (key: Buffer, iv: Buffer) => Uint8Array | null | Promise<Uint8Array | null>,
): Open {
  const inside = parameters.read('the parameters of the encryption').children(TAG.sequence, 'the encryption')
  const salt = readSalt(inside)
  const iterations = readIterations(inside.read('the iterations'))
  inside.finish('the parameters of the encryption')
  account.charge(iterations, blocksFor(keyBytes, SHA1.outputBytes) + 1, 'the encryption')
  return async (secret) => {
    const cost = { salt, iterations }
    const key = await derivePkcs12(SHA1, PURPOSE.key, secret, cost, keyBytes)
    return open(key, await derivePkcs12(SHA1, PURPOSE.iv, secret, cost, BLOCK_BYTES))
  }
}

const BLOCK_BYTES = 8

function decrypt(cipher: string, key: Uint8Array, iv: Uint8Array, encrypted: Uint8Array): Uint8Array | null {
  const decipher = createDecipheriv(cipher, key, iv)
  try {
    return Buffer.concat([decipher.update(encrypted), decipher.final()])
  } catch {
    return null
  }
}

// RC2 in JavaScript; what is encrypted by it is small and old.
const MAX_RC2_BYTES = 256 * 1024
const RC2_SLICE_BYTES = 8 * 1024

/** RC2 in CBC mode, by node-forge: OpenSSL 3 has it only in its legacy provider. The key is as strong as it is long. */
async function decryptRc2(
  forge: Forge,
  key: Uint8Array,
  iv: Uint8Array,
  encrypted: Uint8Array,
): Promise<Uint8Array | null> {
  if (encrypted.length === 0 || encrypted.length % BLOCK_BYTES !== 0) return null
  if (encrypted.length > MAX_RC2_BYTES) throw excessive(`${encrypted.length} bytes are encrypted by RC2`)
  const cipher = forge.rc2.createDecryptionCipher(binary(key), key.length * 8)
  cipher.start(binary(iv))
  const pieces: Buffer[] = []
  for (let start = 0; start < encrypted.length; start += RC2_SLICE_BYTES) {
    if (start > 0) await setImmediate()
    cipher.update(forge.util.createBuffer(binary(encrypted.subarray(start, start + RC2_SLICE_BYTES))))
    pieces.push(Buffer.from(cipher.output.getBytes(), 'latin1'))
  }
  // Whatever the function says of the padding; node-forge takes any last octet for one.
  cipher.finish(() => true)
  pieces.push(Buffer.from(cipher.output.getBytes(), 'latin1'))
  return withoutPadding(Buffer.concat(pieces))
}

/** PKCS#7 padding: as many octets as each of them says. */
function withoutPadding(bytes: Buffer): Uint8Array | null {
  const count = bytes.at(-1) ?? 0
  const padding = bytes.subarray(bytes.length - count)
  const sound = count >= 1 && count <= BLOCK_BYTES && padding.every((octet) => octet === count)
  return sound ? bytes.subarray(0, bytes.length - count) : null
}

function binary(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

/** The salt that stands first in all parameters. */
export function readSalt(parameters: BerReader): Uint8Array {
  const salt = parameters.read('the salt').octets('the salt')
  if (salt.length > MAX_SALT_BYTES) throw malformed('the salt is excessively long')
  return salt
}

const MAX_SALT_BYTES = 1024

export function readIterations(node: BerNode): number {
  const iterations = node.integer('the number of iterations')
  if (iterations === 0) throw malformed('a key is derived in no iterations')
  return iterations
}

/** An AlgorithmIdentifier: its name, and a reader that has its parameters in it if it has any. */
export function readAlgorithm(node: BerNode, what: string): { readonly oid: string; readonly parameters: BerReader } {
  const parameters = node.children(TAG.sequence, what)
  return { oid: parameters.read(what).oid(what), parameters }
}

/** Data under one of the schemes that we write: the AlgorithmIdentifier in DER, and the octets. */
export interface Encrypted {
  readonly algorithm: Uint8Array
  readonly octets: Uint8Array
}

const SALT_BYTES = 16
// What old readers have seen all their lives.
const LEGACY_SALT_BYTES = 8

/** PBES2 with AES-256 in CBC mode and PBKDF2 with HMAC-SHA-256. */
export async function encryptPbes2(data: Uint8Array, secret: Pkcs12Secret, iterations: number): Promise<Encrypted> {
  const [salt, iv] = [randomBytes(SALT_BYTES), randomBytes(16)]
  const key = await pbkdf2Async(secret.bytes, salt, iterations, 32, 'sha256')
  const pbkdf2 = algorithm(
    SCHEME.pbkdf2,
    element(
      TAG.sequence,
      element(TAG.octetString, salt),
      integer(iterations),
      algorithm(HMAC_WITH_SHA256, element(TAG.null)),
    ),
  )
  const cipher = algorithm(AES_256_CBC, element(TAG.octetString, iv))
  return {
    algorithm: algorithm(SCHEME.pbes2, element(TAG.sequence, pbkdf2, cipher)),
    octets: encrypt('aes-256-cbc', key, iv, data),
  }
}

/** Triple DES, as RFC 7292 appendix C has it. */
export async function encryptTripleDes(data: Uint8Array, secret: Pkcs12Secret, iterations: number): Promise<Encrypted> {
  const salt = randomBytes(LEGACY_SALT_BYTES)
  const cost = { salt, iterations }
  const key = await derivePkcs12(SHA1, PURPOSE.key, secret, cost, 24)
  const iv = await derivePkcs12(SHA1, PURPOSE.iv, secret, cost, BLOCK_BYTES)
  return {
    algorithm: algorithm(SCHEME.tripleDes, element(TAG.sequence, element(TAG.octetString, salt), integer(iterations))),
    octets: encrypt('des-ede3-cbc', key, iv, data),
  }
}

function encrypt(name: string, key: Uint8Array, iv: Uint8Array, data: Uint8Array): Uint8Array {
  const cipher = createCipheriv(name, key, iv)
  return Buffer.concat([cipher.update(data), cipher.final()])
}

export function algorithm(dotted: string, parameters: Uint8Array): Uint8Array {
  return element(TAG.sequence, oid(dotted), parameters)
}
