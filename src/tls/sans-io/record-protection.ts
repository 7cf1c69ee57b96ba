// Single records, sealed and opened under keys that are known (RFC 8446 section 5.2, RFC 5246 section 6.2.3.3): an alert of
// our own choice, for which OpenSSL has no words, and a look into records of which Node tells nothing.

import { createCipheriv, createDecipheriv } from 'node:crypto'
import type { Aead, RecordSuite } from './cipher-suites.ts'
import { hasExplicitNonce, type RecordKeys } from './record-keys.ts'

/** The contents of a record: its type, such as 21 for an alert, and its bytes. */
export interface RecordContent {
  readonly type: number
  readonly bytes: Uint8Array
}

/** How many bytes a record has more than its content, without its header; in TLS 1.3 one of them is the type. */
export function sealedBytes(suite: RecordSuite, contentBytes: number): number {
  const extra = suite.version === 'TLSv1.3' ? 1 : hasExplicitNonce(suite) ? EXPLICIT_NONCE_BYTES : 0
  return contentBytes + extra + TAG_BYTES
}

/**
 * Seals a record, header included.
 *
 * @param sequence - How many records were sealed with these keys before.
 * @param explicitNonce - The 8 bytes that travel with the record, for suites that have them. Never twice the same.
 */
export function sealRecord(
  keys: RecordKeys,
  sequence: number,
  content: RecordContent,
  explicitNonce: Uint8Array = EMPTY,
): Buffer {
  const { type, bytes } = content
  const length = sealedBytes(keys.suite, bytes.length)
  if (keys.suite.version === 'TLSv1.3') {
    const header = recordHeader(APPLICATION_DATA, length)
    const inner = Buffer.concat([bytes, Buffer.of(type)])
    return Buffer.concat([header, encrypt(keys.suite.aead, keys.key, mixed(keys.iv, sequence), header, inner)])
  }
  const data = additionalData12(sequence, type, bytes.length)
  const nonce = nonce12(keys, sequence, explicitNonce)
  return Buffer.concat([
    recordHeader(type, length),
    explicitNonce,
    encrypt(keys.suite.aead, keys.key, nonce, data, bytes),
  ])
}

/**
 * Opens a record.
 *
 * @param type - The type in its header.
 * @param body - What follows the header.
 * @returns What is in it, or null if it was not sealed with these keys at this place, or was changed.
 */
export function openRecord(keys: RecordKeys, sequence: number, type: number, body: Uint8Array): RecordContent | null {
  const { suite } = keys
  const plainBytes = body.length - sealedBytes(suite, 0)
  if (plainBytes < 0) return null
  if (suite.version === 'TLSv1.3') {
    const header = recordHeader(type, body.length)
    const inner = decrypt(suite.aead, keys.key, mixed(keys.iv, sequence), header, body)
    return inner === null ? null : withoutPadding(inner)
  }
  const explicitNonce = body.subarray(0, hasExplicitNonce(suite) ? EXPLICIT_NONCE_BYTES : 0)
  const data = additionalData12(sequence, type, plainBytes)
  const nonce = nonce12(keys, sequence, explicitNonce)
  const bytes = decrypt(suite.aead, keys.key, nonce, data, body.subarray(explicitNonce.length))
  return bytes === null ? null : { type, bytes }
}

/** A record's header (RFC 8446 section 5.1). The version in it says nothing since TLS 1.3. */
export function recordHeader(type: number, length: number): Buffer {
  return Buffer.of(type, 3, 3, length >> 8, length & 0xff)
}

/** The ciphertext and its tag. */
export function encrypt(
  aead: Aead,
  key: Uint8Array,
  nonce: Uint8Array,
  additionalData: Uint8Array,
  plain: Uint8Array,
): Buffer {
  // Node's types want one of several signatures, of which any of the three will do.
  const cipher = createCipheriv(aead as 'aes-128-gcm', key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(additionalData)
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** The plaintext, or null if the tag is wrong. */
export function decrypt(
  aead: Aead,
  key: Uint8Array,
  nonce: Uint8Array,
  additionalData: Uint8Array,
  sealed: Uint8Array,
): Buffer | null {
  const tagAt = sealed.length - TAG_BYTES
  const decipher = createDecipheriv(aead as 'aes-128-gcm', key, nonce, { authTagLength: TAG_BYTES })
  decipher.setAAD(additionalData)
  decipher.setAuthTag(sealed.subarray(tagAt))
  const plain = decipher.update(sealed.subarray(0, tagAt))
  try {
    decipher.final()
    return plain
  } catch {
    return null
  }
}

const APPLICATION_DATA = 23
const TAG_BYTES = 16
const NONCE_BYTES = 12
/** RFC 5288 section 3. */
export const EXPLICIT_NONCE_BYTES = 8
const EMPTY = new Uint8Array(0)

// RFC 8446 section 5.3 and RFC 7905 section 2: the IV, its last 8 bytes combined with the sequence number.
function mixed(iv: Uint8Array, sequence: number): Buffer {
  const nonce = sequenceBytes(NONCE_BYTES, sequence)
  for (let at = 0; at < NONCE_BYTES; at++) nonce[at] = (nonce[at] ?? 0) ^ (iv[at] ?? 0)
  return nonce
}

/** So many bytes, of which the last eight are the number. */
function sequenceBytes(length: number, sequence: number): Buffer {
  const bytes = Buffer.alloc(length)
  bytes.writeUInt32BE(Math.floor(sequence / 2 ** 32), length - 8)
  bytes.writeUInt32BE(sequence % 2 ** 32, length - 4)
  return bytes
}

function nonce12(keys: RecordKeys, sequence: number, explicitNonce: Uint8Array): Buffer {
  return hasExplicitNonce(keys.suite) ? Buffer.concat([keys.iv, explicitNonce]) : mixed(keys.iv, sequence)
}

// RFC 5246 section 6.2.3.3. The length is that of the content before it is sealed.
function additionalData12(sequence: number, type: number, length: number): Buffer {
  return Buffer.concat([sequenceBytes(8, sequence), recordHeader(type, length)])
}

// RFC 8446 section 5.2: content, type, and zeros as padding. A record of zeros alone has no type and is none.
function withoutPadding(inner: Buffer): RecordContent | null {
  let end = inner.length
  while (end > 0 && inner[end - 1] === 0) end--
  const type = inner[end - 1]
  return type === undefined ? null : { type, bytes: inner.subarray(0, end - 1) }
}
