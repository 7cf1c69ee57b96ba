// HalfSipHash-1-3 of four words: SipHash (Aumasson, Bernstein, 2012) on 32-bit words, which is what numbers in
// JavaScript are good at. It is made for this job, hash tables whose keys strangers choose; faster mixes, such as
// MurmurHash, have collisions that hold for every seed. Linux hashes its own tables with it on 32-bit machines.

/**
 * @param seed - The secret: two words.
 * @param key - What is hashed: four words.
 * @returns A number from 0 to 2^32 - 1.
 */
export function halfSipHash(seed: Int32Array, key: Int32Array): number {
  let v0 = seed[0] as number
  let v1 = seed[1] as number
  let v2 = 0x6c796765 ^ v0
  let v3 = 0x74656462 ^ v1
  // One round for each word, one for the length, three to finish.
  for (let round = 0; round < 8; round++) {
    const word = round < 4 ? (key[round] as number) : round === 4 ? LENGTH : 0
    v3 ^= word
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
    v0 ^= word
    if (round === 4) v2 ^= 0xff
  }
  return (v1 ^ v3) >>> 0
}

const LENGTH = 16 << 24
