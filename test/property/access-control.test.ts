import fc from 'fast-check'
import { expect, it } from 'vitest'
import { AccessControl } from '../../src/middleware/access-control.ts'
import { type AddressRange, hostMask, parseAddressRange } from '../../src/names/address-range.ts'
import { ClientAddress } from '../../src/names/client-address.ts'

type Words = [number, number, number, number]

// Few different words, most of them at the ends, so that ranges nest, touch and coincide all the time.
const word = fc.oneof(
  fc.constantFrom(0, 1, 0xff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff),
  fc.integer({ min: 0, max: 0xffffffff }),
)

const ipv4Ranges = fc
  .tuple(word, fc.integer({ min: 0, max: 32 }))
  .map(([w, length]) => `${ClientAddress.fromWords(4, 0, 0, 0, w & ~hostMask(length))}/${length}`)

// Half of them begin at one of a few addresses: nested ranges with the same beginning are the hardest to sort.
const fewWords = fc.constantFrom<Words>(
  [0, 0, 0, 0],
  [0x20010db8, 0, 0, 0],
  [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
)

const ipv6Ranges = fc
  .tuple(fc.oneof(fewWords, fc.tuple(word, word, word, word)), fc.integer({ min: 0, max: 128 }))
  .map(([words, length]) => {
    const bits = words.map((w, i) => w & ~hostMask(length - 32 * i)) as Words
    const first = ClientAddress.fromWords(6, ...bits)
    return first.family === 4 ? `${first}/${length - 96}` : `${first}/${length}`
  })

const rangeLists = fc.array(fc.oneof(ipv4Ranges, ipv6Ranges), { maxLength: 30 })

/** The address one above or below, where there is one. */
function neighbour(address: ClientAddress, step: 1 | -1): ClientAddress {
  const words: Words = [address.w0, address.w1, address.w2, address.w3]
  for (let i = 3; i >= (address.family === 4 ? 3 : 0); i--) {
    const next = (words[i] ?? 0) + step
    words[i] = next >>> 0
    if (next >= 0 && next <= 0xffffffff) break
  }
  return ClientAddress.fromWords(address.family, ...words)
}

/** Whether an address begins with the bits of a range, bit for bit and without anything that the library computes. */
function holds({ family, first, prefixLength }: AddressRange, address: ClientAddress): boolean {
  const bits = ({ w0, w1, w2, w3 }: ClientAddress): string =>
    (family === 4 ? [w3] : [w0, w1, w2, w3]).map((w) => w.toString(2).padStart(32, '0')).join('')
  return family === address.family && bits(address).startsWith(bits(first).slice(0, prefixLength))
}

/** The addresses where an off-by-one would show. */
function boundaries(ranges: readonly AddressRange[]): ClientAddress[] {
  return ranges.flatMap((range) => boundariesOf(range.first, lastOf(range)))
}

/** The highest address of a range: its fixed bits, and ones. */
function lastOf({ family, first, prefixLength }: AddressRange): ClientAddress {
  const words = [first.w0, first.w1, first.w2, first.w3].map((word, index) => {
    const fixed = prefixLength - 32 * (family === 4 ? 0 : index)
    return fixed >= 32 ? word : word | (-1 >>> Math.max(fixed, 0))
  }) as [number, number, number, number]
  return family === 4 ? ClientAddress.fromWords(4, 0, 0, 0, words[3]) : ClientAddress.fromWords(6, ...words)
}

function boundariesOf(first: ClientAddress, last: ClientAddress): ClientAddress[] {
  return [first, last, neighbour(first, -1), neighbour(first, 1), neighbour(last, -1), neighbour(last, 1)]
}

it('decides as if it went through the lists one by one, at every boundary and anywhere else', () => {
  const others = fc.array(fc.tuple(fc.constantFrom<4 | 6>(4, 6), word, word, word, word), { maxLength: 20 })
  fc.assert(
    fc.property(rangeLists, rangeLists, fc.boolean(), others, (deny, allow, defaultAllow, anywhere) => {
      const access = new AccessControl({ denyList: deny, allowList: allow, defaultAllow })
      const denied = deny.map(parseAddressRange)
      const allowed = allow.map(parseAddressRange)
      const addresses = [
        ...boundaries([...denied, ...allowed]),
        ...anywhere.map(([family, ...w]) =>
          ClientAddress.fromWords(family, ...((family === 4 ? [0, 0, 0, w[3]] : w) as Words)),
        ),
      ]
      for (const address of addresses) {
        const covers = (range: AddressRange): boolean => holds(range, address)
        const byDeny = denied.some(covers)
        const byAllow = !byDeny && allowed.some(covers)
        const explanation = access.explain(address)
        expect(explanation.decidedBy).toBe(byDeny ? 'denyList' : byAllow ? 'allowList' : 'default')
        expect(explanation.allowed).toBe(byDeny ? false : byAllow || defaultAllow)
        expect(access.opened(address).accept).toBe(explanation.allowed)
        // The range that is named is the most specific one on the list that decided.
        const smallest = (byDeny ? denied : byAllow ? allowed : [])
          .filter(covers)
          .reduce<AddressRange | null>((a, b) => (a === null || b.prefixLength > a.prefixLength ? b : a), null)
        expect(explanation.range?.toString() ?? null).toBe(smallest?.toString() ?? null)
      }
    }),
    { numRuns: 500 },
  )
})

it('does not depend on the order of the lists, nor on an entry standing there twice', () => {
  fc.assert(
    fc.property(rangeLists, rangeLists, (deny, allow) => {
      const once = new AccessControl({ denyList: deny, allowList: allow })
      const twice = new AccessControl({
        denyList: [...deny, ...deny].reverse(),
        allowList: [...allow].reverse().concat(allow),
      })
      for (const address of boundaries([...deny, ...allow].map(parseAddressRange))) {
        const [a, b] = [once.explain(address), twice.explain(address)]
        expect(`${b.allowed} ${b.decidedBy} ${b.range}`).toBe(`${a.allowed} ${a.decidedBy} ${a.range}`)
      }
    }),
  )
})
