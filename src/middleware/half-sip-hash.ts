// HalfSipHash: SipHash (Aumasson, Bernstein, 2012) on 32-bit words, which is what numbers in JavaScript are good at. It
// is made for this job, hash tables whose keys strangers choose; faster mixes, such as MurmurHash, have collisions that
// hold for every seed. Linux hashes its own tables with it on 32-bit machines.
//
// The secret is two words. The first function is on the way of every request, so its rounds are written out.

/**
 * HalfSipHash-1-3 of eight bytes.
 *
 * @param s0 - The first word of the secret.
 * @param s1 - The second.
 * @param a - The first four bytes, little-endian.
 * @param b - The other four.
 * @returns 32 bits, as a signed number: an unsigned one would have to be put into memory to be returned.
 */
export function halfSipHash(s0: number, s1: number, a: number, b: number): number {
  let v0 = s0
  let v1 = s1
  let v2 = 0x6c796765 ^ s0
  let v3 = 0x74656462 ^ s1 ^ a
  v0 = (v0 + v1) | 0
  v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
  v0 = (v0 << 16) | (v0 >>> 16)
  v2 = (v2 + v3) | 0
  v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
  v0 = (v0 + v3) | 0
  v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
  v2 = (v2 + v1) | 0
  v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
  v2 = (v2 << 16) | (v2 >>> 16)
  v0 ^= a
  v3 ^= b
  v0 = (v0 + v1) | 0
  v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
  v0 = (v0 << 16) | (v0 >>> 16)
  v2 = (v2 + v3) | 0
  v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
  v0 = (v0 + v3) | 0
  v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
  v2 = (v2 + v1) | 0
  v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
  v2 = (v2 << 16) | (v2 >>> 16)
  v0 ^= b
  // The length, 8, in the highest byte of a last word.
  v3 ^= 0x08000000
  v0 = (v0 + v1) | 0
  v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
  v0 = (v0 << 16) | (v0 >>> 16)
  v2 = (v2 + v3) | 0
  v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
  v0 = (v0 + v3) | 0
  v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
  v2 = (v2 + v1) | 0
  v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
  v2 = ((v2 << 16) | (v2 >>> 16)) ^ 0xff
  v0 ^= 0x08000000
  // Three rounds to finish.
  v0 = (v0 + v1) | 0
  v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
  v0 = (v0 << 16) | (v0 >>> 16)
  v2 = (v2 + v3) | 0
  v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
  v0 = (v0 + v3) | 0
  v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
  v2 = (v2 + v1) | 0
  v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
  v2 = (v2 << 16) | (v2 >>> 16)
  v0 = (v0 + v1) | 0
  v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
  v0 = (v0 << 16) | (v0 >>> 16)
  v2 = (v2 + v3) | 0
  v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
  v0 = (v0 + v3) | 0
  v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
  v2 = (v2 + v1) | 0
  v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
  v2 = (v2 << 16) | (v2 >>> 16)
  v0 = (v0 + v1) | 0
  v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
  v0 = (v0 << 16) | (v0 >>> 16)
  v2 = (v2 + v3) | 0
  v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
  v0 = (v0 + v3) | 0
  v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
  v2 = (v2 + v1) | 0
  v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
  return v1 ^ v3
}

/**
 * HalfSipHash-2-4 of a text, with 64 bits of result: enough to stand for the text itself.
 *
 * @param seed - The secret: two words.
 * @param text - Hashed as it is in memory, two bytes for each UTF-16 unit, little-endian.
 * @param hash - Where the two words of the hash are put.
 */
export function hashText(seed: Int32Array, text: string, hash: Int32Array): void {
  let v0 = seed[0] as number
  let v1 = (seed[1] as number) ^ 0xee
  let v2 = 0x6c796765 ^ (seed[0] as number)
  let v3 = 0x74656462 ^ (seed[1] as number)
  const { length } = text
  // Two units a word. In the last word, the length in bytes is the highest byte.
  for (let at = 0; at <= length; at += 2) {
    let word = at < length ? text.charCodeAt(at) : 0
    word |= at + 1 < length ? text.charCodeAt(at + 1) << 16 : length << 25
    v3 ^= word
    for (let round = 0; round < 2; round++) {
      v0 = (v0 + v1) | 0
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
      v0 = (v0 << 16) | (v0 >>> 16)
      v2 = (v2 + v3) | 0
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
      v0 = (v0 + v3) | 0
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
      v2 = (v2 + v1) | 0
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
      v2 = (v2 << 16) | (v2 >>> 16)
    }
    v0 ^= word
  }
  v2 ^= 0xee
  for (let round = 0; round < 8; round++) {
    if (round === 4) {
      hash[0] = v1 ^ v3
      v1 ^= 0xdd
    }
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (v0 + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
  }
  hash[1] = v1 ^ v3
}
