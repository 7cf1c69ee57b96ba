// The keys of records, from the secrets that a handshake has agreed on (RFC 8446 section 7, RFC 5246 sections 5 and 6.3).
//
// OpenSSL derives them for the data of a connection. Here it is done once more for the few records that OpenSSL does not
// write or read for us (see record-protection.ts). The secrets come from Node's 'keylog' event, so nothing here agrees
// on anything or proves anything.

import { createHmac } from 'node:crypto'
import type { Aead, Hash, RecordSuite } from './cipher-suites.ts'

/** What one side seals its records with. Both buffers are secret: see {@link erase}. */
export interface RecordKeys {
  readonly suite: RecordSuite
  readonly key: Buffer
  /** 12 bytes; the 4 bytes of salt for AES-GCM in TLS 1.2, where 8 more travel with each record. */
  readonly iv: Buffer
}

/** The keys of records in TLS 1.3, from the secret of one direction (RFC 8446 section 7.3). */
export function trafficKeys(suite: RecordSuite, secret: Uint8Array): RecordKeys {
  return {
    suite,
    key: expandLabel(suite.hash, secret, 'key', EMPTY, KEY_BYTES[suite.aead]),
    iv: expandLabel(suite.hash, secret, 'iv', EMPTY, NONCE_BYTES),
  }
}

/** The secret that a KeyUpdate puts in the place of this one (RFC 8446 section 7.2). */
export function nextTrafficSecret(suite: RecordSuite, secret: Uint8Array): Buffer {
  return expandLabel(suite.hash, secret, 'traffic upd', EMPTY, secret.length)
}

/** The keys with which one side writes in TLS 1.2 (RFC 5246 section 6.3). */
export function writeKeys12(
  suite: RecordSuite,
  masterSecret: Uint8Array,
  side: 'client' | 'server',
  randoms: { readonly client: Uint8Array; readonly server: Uint8Array },
): RecordKeys {
  const keyBytes = KEY_BYTES[suite.aead]
  const ivBytes = hasExplicitNonce(suite) ? SALT_BYTES : NONCE_BYTES
  const seed = Buffer.concat([randoms.server, randoms.client])
  // No MAC keys with an AEAD: the two keys, then the two IVs, the client's first.
  const block = prf12(suite.hash, masterSecret, 'key expansion', seed, 2 * (keyBytes + ivBytes))
  const keyAt = side === 'client' ? 0 : keyBytes
  const ivAt = 2 * keyBytes + (side === 'client' ? 0 : ivBytes)
  const keys = {
    suite,
    key: Buffer.from(block.subarray(keyAt, keyAt + keyBytes)),
    iv: Buffer.from(block.subarray(ivAt, ivAt + ivBytes)),
  }
  erase(block)
  return keys
}

/** Whether records of this suite carry a part of their nonce (RFC 5288 section 3). */
export function hasExplicitNonce({ version, aead }: RecordSuite): boolean {
  return version === 'TLSv1.2' && aead !== 'chacha20-poly1305'
}

/** Overwrites what is secret. */
export function erase(...secrets: readonly (Uint8Array | RecordKeys | null)[]): void {
  for (const secret of secrets) {
    if (secret instanceof Uint8Array) secret.fill(0)
    else if (secret !== null) erase(secret.key, secret.iv)
  }
}

/** HKDF-Expand-Label (RFC 8446 section 7.1), for lengths up to that of the hash: TLS asks for no more. */
export function expandLabel(
  hash: Hash,
  secret: Uint8Array,
  label: string,
  context: Uint8Array,
  length: number,
): Buffer {
  const name = Buffer.from(`tls13 ${label}`, 'latin1')
  // RFC 5869 section 2.3: the first block of HKDF-Expand is one HMAC, over the info and the octet 1.
  const info = [
    Buffer.of(length >> 8, length & 0xff, name.length),
    name,
    Buffer.of(context.length),
    context,
    Buffer.of(1),
  ]
  const block = createHmac(hash, secret).update(Buffer.concat(info)).digest()
  if (length > block.length) throw new RangeError(`"length" expected at most ${block.length}, got ${length}`)
  return block.subarray(0, length)
}

/** The PRF of TLS 1.2 (RFC 5246 section 5). */
export function prf12(hash: Hash, secret: Uint8Array, label: string, seed: Uint8Array, length: number): Buffer {
  const labelledSeed = Buffer.concat([Buffer.from(label, 'latin1'), seed])
  const blocks: Buffer[] = []
  let chain = labelledSeed
  for (let made = 0; made < length; ) {
    chain = createHmac(hash, secret).update(chain).digest()
    const block = createHmac(hash, secret).update(chain).update(labelledSeed).digest()
    blocks.push(block)
    made += block.length
  }
  const all = Buffer.concat(blocks)
  erase(...blocks)
  return all.subarray(0, length)
}

const NONCE_BYTES = 12
const SALT_BYTES = 4
const EMPTY = new Uint8Array(0)
const KEY_BYTES: Readonly<Record<Aead, number>> = { 'aes-128-gcm': 16, 'aes-256-gcm': 32, 'chacha20-poly1305': 32 }
