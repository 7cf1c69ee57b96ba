// HMAC-SHA256 (RFC 2104) of short texts, a million in a row. `createHmac` makes an object of the heap each time, and every
// buffer is one too: an import would spend more time on clearing them away than on hashing. So all work is done in three
// pieces of memory that are used again.

import { hash } from 'node:crypto'

/** The length of a key in bytes: that of the hash, more than which gains nothing (RFC 2104 section 3). */
export const NAME_KEY_LENGTH = 32

/** The length of a block of SHA-256 and of its result. */
const BLOCK = 64
const DIGEST = 32

/** Longer than any name; longer texts are none, and take a little more time. */
const USUAL_LENGTH = 512

/** Hashes names under one key. */
export class NameHmac {
  readonly #inner: Buffer
  readonly #outer: Buffer
  readonly #text = Buffer.alloc(LETTERS)

  constructor(key: Uint8Array) {
    this.#inner = padded(key, 0x36, USUAL_LENGTH)
    this.#outer = padded(key, 0x5c, DIGEST)
  }

  /** The HMAC in the base32 of RFC 4648 section 6, in lower case and without padding: 52 letters and digits. */
  base32(name: string): string {
    const length = Buffer.byteLength(name)
    const first = length <= USUAL_LENGTH ? this.#inner : padded(this.#inner, 0, length)
    first.write(name, BLOCK)
    // As text of one character for each byte, because a short text is no piece of memory of its own.
    this.#outer.write(hash('sha256', first.subarray(0, BLOCK + length), 'binary'), BLOCK, 'latin1')
    return this.#encode(hash('sha256', this.#outer, 'binary'))
  }

  #encode(bytes: string): string {
    let buffer = 0
    let bits = 0
    let at = 0
    for (let i = 0; i < DIGEST; i++) {
      buffer = ((buffer << 8) | bytes.charCodeAt(i)) & 0xfff
      for (bits += 8; bits >= 5; bits -= 5) this.#text[at++] = letterAt(buffer >> (bits - 5))
    }
    this.#text[at] = letterAt(buffer << (5 - bits))
    return this.#text.toString('latin1')
  }
}

/** 256 bits are 51.2 letters of five bits. */
const LETTERS = 52

/** The code of one of `a-z2-7`. */
function letterAt(five: number): number {
  const value = five & 31
  return value < 26 ? 0x61 + value : 0x32 + value - 26
}

/** A key in the length of a block, with each byte changed by `pad`, and room for a text after it. */
function padded(key: Uint8Array, pad: number, room: number): Buffer {
  const block = Buffer.alloc(BLOCK + room)
  for (let i = 0; i < BLOCK; i++) block[i] = (key[i] ?? 0) ^ pad
  return block
}
