// The way in which OpenSSL encrypted keys before version 1.0: PKCS#1 or SEC1 inside, two header lines in the PEM
// (RFC 1421) and one round of MD5 to make a key of the passphrase. Existing keys must open; nothing new is written so.

import { createDecipheriv, createHash } from 'node:crypto'
import { PrivateKeyError } from '../errors.ts'
import { type Passphrase, passphraseBytes } from './passphrase.ts'
import type { PemBlock } from './pem.ts'

const CIPHERS: Readonly<Record<string, { keyBytes: number; ivBytes: number }>> = {
  'AES-128-CBC': { keyBytes: 16, ivBytes: 16 },
  'AES-192-CBC': { keyBytes: 24, ivBytes: 16 },
  'AES-256-CBC': { keyBytes: 32, ivBytes: 16 },
  'DES-EDE3-CBC': { keyBytes: 24, ivBytes: 8 },
}

/**
 * Decrypts the block; null means that the passphrase is wrong, as far as the padding tells.
 *
 * @throws {PrivateKeyError} KEY_MALFORMED for other headers than these, or an unsupported cipher.
 */
export function openLegacyKey(block: PemBlock, passphrase: Passphrase): Uint8Array | null {
  const { name, cipher, iv } = readHeaders(block.headers)
  const decipher = createDecipheriv(name, deriveKey(passphraseBytes(passphrase), iv, cipher.keyBytes), iv)
  try {
    return Buffer.concat([decipher.update(block.der), decipher.final()])
  } catch {
    return null
  }
}

function readHeaders(headers: readonly string[]) {
  const [procType, dekInfo, ...others] = headers
  const match = /^DEK-Info: ([A-Z0-9-]+),([0-9A-Fa-f]+)$/.exec(dekInfo ?? '')
  const [, name = '', ivHex = ''] = match ?? []
  if (procType !== 'Proc-Type: 4,ENCRYPTED' || match === null || others.length > 0) {
    throw refused('has header lines that are not those of an encrypted key')
  }
  const cipher = CIPHERS[name]
  if (cipher === undefined) throw refused(`is encrypted by ${name}, which is not supported`)
  if (ivHex.length !== cipher.ivBytes * 2) throw refused('has no proper IV')
  return { name: name.toLowerCase(), cipher, iv: Buffer.from(ivHex, 'hex') }
}

/** OpenSSL's EVP_BytesToKey with MD5 and one round; the salt is the first eight bytes of the IV. */
function deriveKey(passphrase: Uint8Array, iv: Uint8Array, keyBytes: number): Uint8Array {
  let digest = Buffer.alloc(0)
  let key = Buffer.alloc(0)
  while (key.length < keyBytes) {
    digest = createHash('md5').update(digest).update(passphrase).update(iv.subarray(0, 8)).digest()
    key = Buffer.concat([key, digest])
  }
  return key.subarray(0, keyBytes)
}

function refused(problem: string): PrivateKeyError {
  return new PrivateKeyError('ERR_TLACACOCA_KEY_MALFORMED', `the private key ${problem}`)
}
