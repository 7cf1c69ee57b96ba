import fc from 'fast-check'
import { expect, it } from 'vitest'
import { InvalidNameError } from '../../src/errors.ts'
import type { AddressRange } from '../../src/names/address-range.ts'
import { parseAddressSpan } from '../../src/names/address-span.ts'
import { ClientAddress } from '../../src/names/client-address.ts'

const MAPPED = 0xffffn << 32n
const edges = (bits: number): bigint[] => [0n, 1n, 2n ** 31n, 2n ** BigInt(bits) - 1n, 2n ** BigInt(bits) - 2n]
const ipv4 = fc.oneof(fc.bigInt(0n, 2n ** 32n - 1n), fc.constantFrom(...edges(32)))
const ipv6 = fc.oneof(
  fc.bigInt(0n, 2n ** 128n - 1n),
  fc.constantFrom(...edges(128), MAPPED - 1n, MAPPED + 2n ** 32n),
  fc.bigInt(0n, 2n ** 40n).map((low) => (0x20010db8n << 96n) + low),
)

function address(family: 4 | 6, bits: bigint): ClientAddress {
  const word = (shift: bigint): number => Number((bits >> shift) & 0xffffffffn)
  return ClientAddress.fromWords(family, word(96n), word(64n), word(32n), word(0n))
}

function bits({ w0, w1, w2, w3 }: ClientAddress): bigint {
  return (BigInt(w0) << 96n) | (BigInt(w1) << 64n) | (BigInt(w2) << 32n) | BigInt(w3)
}

function endsOf(range: AddressRange): [bigint, bigint] {
  const first = bits(range.first)
  return [first, first + 2n ** BigInt((range.family === 4 ? 32 : 128) - range.prefixLength) - 1n]
}

it('covers exactly the addresses from the first to the last, with blocks that touch and do not overlap', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.tuple(fc.constant<4>(4), ipv4, ipv4), fc.tuple(fc.constant<6>(6), ipv6, ipv6)),
      ([family, a, b]) => {
        const [first, last] = a <= b ? [a, b] : [b, a]
        const [from, to] = [address(family, first), address(family, last)]
        fc.pre(from.family === family && to.family === family)
        const blocks = parseAddressSpan(`${from}-${to}`)
        expect(blocks.length).toBeLessThanOrEqual(family === 4 ? 62 : 254)
        let next = first
        for (const block of blocks) {
          expect(block.family).toBe(family)
          const [begin, end] = endsOf(block)
          // The addresses that are mapped ones of IPv4 are left out, and nothing else is.
          if (begin !== next) expect([next, begin]).toEqual([MAPPED, MAPPED + 2n ** 32n])
          next = end + 1n
        }
        expect(next).toBe(last + 1n)
        if (first < last) expect(() => parseAddressSpan(`${to} - ${from}`)).toThrow(InvalidNameError)
      },
    ),
    { numRuns: 2000 },
  )
})

it('gives blocks or one error for whatever text there is', () => {
  const texts = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom('1', '0', '.', ':', '/', '-', ' ', 'f', '9') }),
    fc
      .tuple(ipv4, fc.constantFrom('-', ' - ', '--', '/', '- '), ipv4)
      .map(([a, by, b]) => `${address(4, a)}${by}${address(4, b)}`),
  )
  fc.assert(
    fc.property(texts, (text) => {
      try {
        for (const block of parseAddressSpan(text)) expect(block.contains(block.first)).toBe(true)
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidNameError)
      }
    }),
    { numRuns: 5000 },
  )
})
