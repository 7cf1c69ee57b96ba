import { isIP } from 'node:net'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseAddressRange } from '../../src/names/address-range.ts'
import { ClientAddress, parseClientAddress } from '../../src/names/client-address.ts'

const word = fc.integer({ min: 0, max: 0xffffffff })
const words = fc.tuple(word, word, word, word)
/** Any address; zeros and ones are frequent, because that is where `::` and the mapped block are. */
const addresses = fc.oneof(
  word.map((w3) => ClientAddress.fromWords(4, 0, 0, 0, w3)),
  words.map((w) => ClientAddress.fromWords(6, ...w)),
  fc
    .array(fc.constantFrom(0, 0, 1, 0xffff), { minLength: 8, maxLength: 8 })
    .map((g) => parseClientAddress(g.map((group) => group.toString(16)).join(':'))),
)

/** Texts that nearly are addresses, so that both answers are frequent. */
const nearAddresses = fc.oneof(
  fc.ipV4(),
  fc.ipV4Extended(),
  fc.ipV6(),
  addresses.map(String),
  fc
    .array(
      fc.constantFrom(
        '0',
        '1',
        '9',
        '25',
        '255',
        '256',
        '00',
        'a',
        'F',
        'ffff',
        '.',
        '.',
        ':',
        ':',
        '::',
        '%',
        'e',
        'g',
        ' ',
      ),
    )
    .map((parts) => parts.join('')),
  fc.tuple(addresses.map(String), fc.nat(), fc.constantFrom('', '0', '.', ':', 'x', '%')).map(([text, at, change]) => {
    const i = at % (text.length + 1)
    return text.slice(0, i) + change + text.slice(i + 1)
  }),
)

function accepts(text: string): boolean {
  try {
    parseClientAddress(text)
    return true
  } catch {
    return false
  }
}

it('reads back what it writes', () => {
  fc.assert(
    fc.property(addresses, (address) => {
      const again = parseClientAddress(address.toString())
      expect(again.equals(address)).toBe(true)
      expect(again.toString()).toBe(address.toString())
    }),
    { numRuns: 2000 },
  )
})

it('accepts what node:net accepts and nothing else, zone ids apart', () => {
  fc.assert(
    fc.property(nearAddresses, (text) => {
      // Node takes letters, digits, `-`, `.` and `:` for a zone; interface names have more than that.
      fc.pre(!text.includes('%'))
      expect(accepts(text)).toBe(isIP(text) !== 0)
    }),
    { numRuns: 20_000 },
  )
})

it('accepts every zone id that node:net accepts', () => {
  fc.assert(
    fc.property(fc.ipV6(), fc.stringMatching(/^[0-9a-zA-Z.:-]{1,64}$/), (text, zone) => {
      fc.pre(isIP(`${text}%${zone}`) === 6)
      expect(parseClientAddress(`${text}%${zone}`).equals(parseClientAddress(text))).toBe(true)
    }),
  )
})

it('agrees with the URL parser on the canonical text of IPv6', () => {
  fc.assert(
    fc.property(words, (w) => {
      const address = ClientAddress.fromWords(6, ...w)
      fc.pre(address.family === 6)
      expect(new URL(`http://[${address}]/`).hostname).toBe(`[${address}]`)
    }),
    { numRuns: 2000 },
  )
})

it('takes a mapped address for the plain one in every spelling', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.boolean(), fc.boolean(), fc.boolean(), (plain, upper, long, hex) => {
      const expected = parseClientAddress(plain)
      const tail = hex ? `${(expected.w3 >>> 16).toString(16)}:${(expected.w3 & 0xffff).toString(16)}` : plain
      const text = `${long ? '0000:0:0:0:00:' : '::'}ffff:${tail}`
      expect(parseClientAddress(upper ? text.toUpperCase() : text).equals(expected)).toBe(true)
    }),
  )
})

it('contains in a range exactly the addresses that begin with its bits', () => {
  const bits = (address: ClientAddress): string => {
    const { family, w0, w1, w2, w3 } = address
    const all = [w0, w1, w2, w3].map((w) => w.toString(2).padStart(32, '0')).join('')
    return family === 4 ? all.slice(96) : all
  }
  fc.assert(
    fc.property(addresses, addresses, fc.nat({ max: 128 }), fc.nat({ max: 127 }), (base, other, length, flip) => {
      const width = base.family === 4 ? 32 : 128
      const prefixLength = length % (width + 1)
      const network = bits(base).slice(0, prefixLength).padEnd(width, '0')
      const range = parseAddressRange(`${fromBits(network)}/${prefixLength}`)
      expect(parseAddressRange(range.toString()).equals(range)).toBe(true)

      const flipped = bits(base).replace(/./g, (bit, at) => (at === flip % width ? String(1 - Number(bit)) : bit))
      for (const address of [base, other, fromBits(flipped)]) {
        const within = address.family === range.family && bits(address).startsWith(network.slice(0, prefixLength))
        expect(range.contains(address)).toBe(within)
      }
    }),
    { numRuns: 2000 },
  )
})

function fromBits(bits: string): ClientAddress {
  const all = bits.padStart(128, '0')
  const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = [0, 32, 64, 96].map((at) => Number.parseInt(all.slice(at, at + 32), 2))
  return ClientAddress.fromWords(bits.length === 32 ? 4 : 6, w0, w1, w2, w3)
}
