// From a passphrase to keys: the derivation of PKCS#12 (RFC 7292 appendix B) and PBKDF2 (RFC 8018), with their price.
//
// The file names the price of opening it. A hostile one names 2^31 - 1 rounds, in the MAC, in the encryption of each part
// or in all of them, each of which would block Node's own reader for minutes. So every derivation is charged to one
// account before any of them starts.
//
// PBKDF2 runs on the thread pool. The other derivation is a chain of hashes that `node:crypto` has no function for; it
// runs here, in slices, between which the event loop turns.

import { hash, pbkdf2 } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type Passphrase, passphraseBytes } from './passphrase.ts'
import { excessive } from './pkcs12-ber.ts'
import type { Pkcs12Hash } from './pkcs12-oids.ts'

/** @internal Off the event loop. */
export const pbkdf2Async = promisify(pbkdf2)

/** What is left of the rounds of hashing that a file may ask for. */
export class RoundAccount {
  readonly #max: number
  #left: number

  constructor(max: number) {
    this.#max = max
    this.#left = max
  }

  /**
   * Charges a derivation: its iterations, once for each block of hash output that it makes.
   *
   * @throws {Pkcs12Error} PKCS12_EXCESSIVE if that is more than is left.
   */
  charge(iterations: number, blocks: number, what: string): void {
    this.#left -= iterations * blocks
    if (this.#left >= 0) return
    throw excessive(
      `${what} asks for ${iterations} iterations, which makes more than the ${this.#max} that the whole file may ask for`,
    )
  }
}

/** One reading of a passphrase. */
export interface Pkcs12Secret {
  /** For PBKDF2. */
  readonly bytes: Uint8Array
  /** For the derivation of PKCS#12: UTF-16, big-endian, with a zero at the end (RFC 7292 appendix B.1). */
  readonly bmp: Uint8Array
}

/**
 * The readings of a passphrase, the proper one first. Two things have been understood in two ways. An empty passphrase
 * is an empty text with its terminating zero, or no octets at all. And OpenSSL before version 1.1.0 took each byte for a
 * character, so that what is not ASCII in UTF-8 made other characters.
 */
export function secretsOf(passphrase: Passphrase): readonly [Pkcs12Secret, ...Pkcs12Secret[]] {
  const bytes = Uint8Array.from(passphraseBytes(passphrase))
  if (bytes.length === 0) {
    return [
      { bytes, bmp: Buffer.alloc(2) },
      { bytes, bmp: Buffer.alloc(0) },
    ]
  }
  const bytewise = { bytes, bmp: bmpOf(Buffer.from(bytes).toString('latin1')) }
  if (bytes.every((byte) => byte < 0x80)) return [bytewise]
  try {
    return [{ bytes, bmp: bmpOf(UTF8.decode(bytes)) }, bytewise]
  } catch {
    return [bytewise]
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function bmpOf(text: string): Uint8Array {
  return Buffer.from(`${text}\0`, 'utf16le').swap16()
}

/** What a derived key is for; the numbers are those of RFC 7292 appendix B.3. */
export const PURPOSE = { key: 1, iv: 2, mac: 3 } as const

// A round takes about a microsecond.
const ROUNDS_PER_SLICE = 4096

/** How many blocks of hash output it takes. */
export function blocksFor(bytes: number, outputBytes: number): number {
  return Math.ceil(bytes / outputBytes)
}

/** Derives a key, an initialization vector or a MAC key as RFC 7292 appendix B.2 says; the letters are the RFC's. */
export async function derivePkcs12(
  algorithm: Pkcs12Hash,
  purpose: 1 | 2 | 3,
  { bmp }: Pkcs12Secret,
  { salt, iterations }: { readonly salt: Uint8Array; readonly iterations: number },
  length: number,
): Promise<Buffer> {
  const { name, outputBytes: u, blockBytes: v } = algorithm
  const D = Buffer.alloc(v, purpose)
  const I = Buffer.concat([repeated(salt, v), repeated(bmp, v)])
  const blocks: Buffer[] = []
  for (let i = 0; i < blocksFor(length, u); i++) {
    if (i > 0) addToEach(I, blocks[i - 1] ?? D, v)
    let A = hash(name, Buffer.concat([D, I]), 'buffer')
    for (let round = 1; round < iterations; round++) {
      A = hash(name, A, 'buffer')
      if (round % ROUNDS_PER_SLICE === 0) await setImmediate()
    }
    blocks.push(A)
  }
  return Buffer.concat(blocks).subarray(0, length)
}

/** Copies of the bytes up to a whole number of blocks. */
function repeated(bytes: Uint8Array, v: number): Buffer {
  return bytes.length === 0 ? Buffer.alloc(0) : Buffer.alloc(v * Math.ceil(bytes.length / v), bytes)
}

/** Adds the block B made of A, and 1, to each block of I; what is carried out of a block is dropped. */
function addToEach(I: Buffer, A: Uint8Array, v: number): void {
  for (let start = 0; start < I.length; start += v) {
    let carry = 1
    for (let j = v - 1; j >= 0; j--) {
      const sum = (I[start + j] ?? 0) + (A[j % A.length] ?? 0) + carry
      I[start + j] = sum & 0xff
      carry = sum >> 8
    }
  }
}
