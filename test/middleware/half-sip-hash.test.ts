import { expect, it } from 'vitest'
import { halfSipHash } from '../../src/middleware/half-sip-hash.ts'

const words = (...list: number[]): Int32Array => Int32Array.from(list)

it('is HalfSipHash-1-3: the vector of Linux (lib/tests/siphash_kunit.c) for the bytes 0 to 15 under the key 0 to 7', () => {
  const seed = words(0x03020100, 0x07060504)
  expect(halfSipHash(seed, words(0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c))).toBe(0x8b31d501)
})

it('depends on each bit of the key and of the seed', () => {
  const seed = words(1, 2)
  const key = words(3, 4, 5, 6)
  const hash = halfSipHash(seed, key)
  for (const array of [seed, key]) {
    for (let bit = 0; bit < array.length * 32; bit++) {
      array[bit >>> 5] = (array[bit >>> 5] ?? 0) ^ (1 << (bit & 31))
      expect(halfSipHash(seed, key)).not.toBe(hash)
      array[bit >>> 5] = (array[bit >>> 5] ?? 0) ^ (1 << (bit & 31))
    }
  }
})
