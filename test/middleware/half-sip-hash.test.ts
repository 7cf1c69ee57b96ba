import { expect, it } from 'vitest'
import { halfSipHash, hashText } from '../../src/middleware/half-sip-hash.ts'

const words = (...list: number[]): Int32Array => Int32Array.from(list)
const SEED = words(0x03020100, 0x07060504)

it('is HalfSipHash-1-3: the vector of Linux (lib/tests/siphash_kunit.c) for the bytes 0 to 7 under the key 0 to 7', () => {
  expect(halfSipHash(0x03020100, 0x07060504, 0x03020100, 0x07060504) >>> 0).toBe(0x577999b1)
})

it('depends on each bit of the key and of the seed', () => {
  const all = [1, 2, 3, 4] as const
  const hash = halfSipHash(...all)
  for (let bit = 0; bit < 128; bit++) {
    const [s0, s1, a, b] = words(...all).map((word, index) => (index === bit >>> 5 ? word ^ (1 << (bit & 31)) : word))
    expect(halfSipHash(Number(s0), Number(s1), Number(a), Number(b))).not.toBe(hash)
  }
})

// github.com/veorq/SipHash, vectors.h, vectors_hsip64: HalfSipHash-2-4 with eight bytes of output for the bytes 0 to
// n - 1 under the key 0 to 7. Two bytes are a unit of text.
it.each([
  { bytes: 0, vector: '218d1f59b9b83cc8' },
  { bytes: 2, vector: '064f39ef7c50eb57' },
  { bytes: 4, vector: 'd5e78a175be52ea1' },
  { bytes: 6, vector: 'ce3e91358aa2bc25' },
  { bytes: 8, vector: 'edfee820bce4858c' },
  { bytes: 10, vector: '95b0469f06a6f2ee' },
  { bytes: 12, vector: '7bc71f9faef5c799' },
  { bytes: 14, vector: '3bb1a870eae8e658' },
  { bytes: 16, vector: '7336aad25f7bf3b5' },
  { bytes: 18, vector: 'c9b2db2b9a3e42f9' },
  { bytes: 20, vector: '1bf52b0a6feea7db' },
])('hashes $bytes bytes of text as the authors of HalfSipHash-2-4 do', ({ bytes, vector }) => {
  const hash = new Int32Array(2)
  const text = Buffer.from(Array.from({ length: bytes }, (_, index) => index)).toString('utf16le')
  hashText(SEED, text, hash)
  const octets = Buffer.alloc(8)
  octets.writeInt32LE(hash[0] ?? 0, 0)
  octets.writeInt32LE(hash[1] ?? 0, 4)
  expect(octets.toString('hex')).toBe(vector)
})

it('tells texts apart that differ in one unit, in length, or in their order', () => {
  const texts = [
    '',
    '\0',
    '\0\0',
    '\0\0\0',
    'a',
    'b',
    'ab',
    'ba',
    'aba',
    'a\0',
    'ab\0',
    '\u{1f512}',
    '\ud83d',
    '\udd12',
  ]
  const hash = new Int32Array(2)
  const hashes = texts.map((text) => {
    hashText(SEED, text, hash)
    return `${hash}`
  })
  expect(new Set(hashes).size).toBe(texts.length)
  hashText(words(0x03020100, 0x07060505), 'ab', hash)
  expect(hashes).not.toContain(`${hash}`)
})
