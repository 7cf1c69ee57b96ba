// What stands in Redis instead of a key. Keys of limits have addresses, hosts and paths in them, and whatever stands in
// Redis is seen by whoever may look at it, and goes into its dumps and logs. So only hashes go there.

import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto'
import { show } from '../internal/arguments.ts'

/** A secret that all servers of a fleet share. */
export type FleetSecret = string | Uint8Array

/** 128 bits, the least that is not to be guessed. */
const MIN_SECRET_BYTES = 16

/** The key for one use of a secret, so that what is seen of one use says nothing about another. */
export function keyFor(use: string, secret: FleetSecret): KeyObject {
  if (typeof secret !== 'string' && !(secret instanceof Uint8Array)) {
    throw new TypeError(`"secret" expected a string or bytes, got ${show(secret)}`)
  }
  if (Buffer.byteLength(secret) < MIN_SECRET_BYTES) {
    throw new RangeError(`"secret" expected ${MIN_SECRET_BYTES} bytes or more, got ${Buffer.byteLength(secret)}`)
  }
  return createSecretKey(createHmac('sha256', secret).update(use).digest())
}

/**
 * Hashes keys to 43 letters and digits: with HMAC-SHA256 (RFC 2104) under a key, or under one that everybody knows. By two
 * hashes over memory that is used again: that takes a fraction of the time of `createHmac`, for every request there is.
 */
export class KeyHash {
  readonly #inner: Buffer
  readonly #outer: Buffer

  constructor(secret: FleetSecret | undefined) {
    const key = secret === undefined ? Buffer.alloc(DIGEST) : keyFor('rate limit keys', secret).export()
    this.#inner = padded(key, 0x36, USUAL_LENGTH)
    this.#outer = padded(key, 0x5c, DIGEST)
  }

  of(key: string): string {
    // Not as UTF-8, in which all halves of surrogate pairs become the same character, and two keys one.
    const length = key.length * 2
    const text =
      length <= USUAL_LENGTH ? this.#inner : Buffer.concat([this.#inner.subarray(0, BLOCK), Buffer.alloc(length)])
    text.write(key, BLOCK, 'utf16le')
    this.#outer.write(hash('sha256', text.subarray(0, BLOCK + length), 'binary'), BLOCK, 'latin1')
    return hash('sha256', this.#outer, 'base64url')
  }
}

/** Of SHA-256, in bytes. */
const BLOCK = 64
const DIGEST = 32
/** Longer keys take a little more time. */
const USUAL_LENGTH = 512

/** A key in the length of a block, with each byte changed by `pad`, and room for a text after it. */
function padded(key: Uint8Array, pad: number, room: number): Buffer {
  const block = Buffer.alloc(BLOCK + room)
  for (let i = 0; i < BLOCK; i++) block[i] = (key[i] ?? 0) ^ pad
  return block
}
