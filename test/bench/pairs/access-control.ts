// Access control at ten to a million rules. The lists are mixed, half of them IPv4 and half IPv6, except where a peer
// knows no other; the addresses that are asked about arrive as text, half of them on the list.

import { BlockList } from 'node:net'
import { AccessControl, parseClientAddress } from 'tlacacoca/middleware'
import { AddressTable } from '../../../src/middleware/address-table.ts'
import { readIPv4 } from '../../../src/names/ip-literal.ts'
import type { Pair, PairSource, Result } from '../measure.ts'
import { loadPeer } from '../peers.ts'

/** Numbers that look random and are the same in every run. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    yield state >>> 0
  }
}

const dotted = (word: number): string => [24, 16, 8, 0].map((shift) => (word >>> shift) & 0xff).join('.')
const hex = (word: number): string => `${(word >>> 16).toString(16)}:${(word & 0xffff).toString(16)}`

const read = (text: string): number => readIPv4(text, 0, text.length)

interface Rules {
  readonly ipv4: readonly number[]
  readonly ipv6: readonly (readonly [number, number])[]
  readonly texts: readonly string[]
}

/** /24s of IPv4 and /48s to /64s of IPv6. */
function rulesOf(size: number): Rules {
  const random = numbers(0x2545f491)
  const half = Math.max(1, size / 2)
  const ipv4 = Array.from({ length: half }, () => (random.next().value & 0xffffff00) >>> 0)
  const ipv6 = Array.from({ length: half }, (): [number, number] => [
    (0x20000000 | (random.next().value >>> 4)) >>> 0,
    (random.next().value & 0xffff0000) >>> 0,
  ])
  return {
    ipv4,
    ipv6,
    texts: [
      ...ipv4.map((start) => `${dotted(start)}/24`),
      ...ipv6.map(([w0, w1], i) => `${hex(w0)}:${hex(w1)}::/${48 + (i % 17)}`),
    ],
  }
}

/** New texts each time, as from a socket, and not ones that the engine has hashed before. */
function fresh(texts: readonly string[]): (count: number) => string[] {
  let next = 0
  return (count) =>
    Array.from({ length: count }, () => {
      next = (next + 1) % texts.length
      return Buffer.from(texts[next] ?? '', 'latin1').toString('latin1')
    })
}

/** As much of ipaddr.js as is used here. */
interface IpaddrJs {
  process(text: string): IpaddrAddress
  parseCIDR(text: string): [IpaddrAddress, number]
}

interface IpaddrAddress {
  kind(): string
  match(range: [IpaddrAddress, number]): boolean
}

export const accessSources: readonly PairSource[] = [10, 1000, 100_000, 1_000_000].flatMap((size) => [
  { name: `access control, ${size} rules, IPv4`, make: () => ipv4Pair(size) },
  { name: `access control, ${size} rules, IPv6`, make: () => ipv6Pair(size) },
])

/** The least code for it: the text read strictly, as a number, and sorted ranges found by an index and a binary search. */
function ipv4Pair(size: number): Pair<string> {
  const ipaddr = loadPeer<IpaddrJs>('ipaddr.js')
  const rules = rulesOf(size)
  const access = new AccessControl({ denyList: rules.texts })
  const random = numbers(0x6c078965)
  const starts = Uint32Array.from(new Set(rules.ipv4)).sort()
  const index = new Uint32Array(2 ** 16 + 1)
  for (let prefix = 0, at = 0; prefix <= 2 ** 16; prefix++) {
    while (at < starts.length && (starts[at] as number) >>> 16 < prefix) at++
    index[prefix] = at
  }
  const inputs = fresh(
    Array.from({ length: 1024 }, (_, i) => {
      const hit = (rules.ipv4[i % rules.ipv4.length] ?? 0) + (random.next().value & 0xff)
      return dotted(i % 2 === 0 ? hit : random.next().value)
    }),
  )
  const block = new BlockList()
  for (const start of rules.ipv4) block.addSubnet(dotted(start), 24)
  const masks = rules.ipv4.map((start) => ({ start, mask: 0xffffff00 | 0 }))
  const parsed =
    ipaddr === null || size > 100_000 ? null : rules.ipv4.map((start) => ipaddr.parseCIDR(`${dotted(start)}/24`))
  return {
    goal: 1.15,
    inputs,
    floor: (text) => {
      const address = read(text)
      let low = (index[address >>> 16] as number) - 1
      let high = (index[(address >>> 16) + 1] as number) - 1
      while (low < high) {
        const middle = (low + high + 1) >>> 1
        if ((starts[middle] as number) <= address) low = middle
        else high = middle - 1
      }
      return low < 0 || address - (starts[low] as number) > 0xff
    },
    ours: (text) => access.opened(parseClientAddress(text)).accept,
    peers: {
      'net.BlockList': (text) => !block.check(text, 'ipv4'),
      ...(size > 100_000
        ? {}
        : {
            'a list, rule by rule': (text: string) => {
              const address = read(text)
              return !masks.some(({ start, mask }) => ((address ^ start) & mask) === 0)
            },
          }),
      ...(parsed === null || ipaddr === null
        ? {}
        : {
            'ipaddr.js': (text: string) => {
              const address = ipaddr.process(text)
              return !parsed.some((range) => address.kind() === range[0].kind() && address.match(range))
            },
          }),
    },
  }
}

/** The same for IPv6; here the floor reads the text as we do, since no short code reads it right. */
function ipv6Pair(size: number): Pair<string> {
  const rules = rulesOf(size)
  const access = new AccessControl({ denyList: rules.texts })
  const random = numbers(0x6c078965)
  const sorted = rules.ipv6
    .map(([w0, w1], i) => ({ w0, w1, mask: -1 << Math.max(0, 16 - (i % 17)) }))
    .sort((a, b) => a.w0 - b.w0 || a.w1 - b.w1)
  const starts = Uint32Array.from(sorted.flatMap(({ w0, w1 }) => [w0, w1]))
  const masks = Int32Array.from(sorted, ({ mask }) => mask)
  const inputs = fresh(
    Array.from({ length: 1024 }, (_, i) => {
      const [w0, w1] = rules.ipv6[i % rules.ipv6.length] ?? [0, 0]
      return i % 2 === 0 ? `${hex(w0)}:${hex(w1)}::1` : `${hex(random.next().value >>> 3)}::${hex(random.next().value)}`
    }),
  )
  return {
    goal: 1.15,
    inputs,
    floor: (text) => {
      const { w0, w1 } = parseClientAddress(text)
      let [low, high] = [-1, masks.length - 1]
      while (low < high) {
        const middle = (low + high + 1) >>> 1
        const difference = (starts[middle * 2] as number) - w0 || (starts[middle * 2 + 1] as number) - w1
        if (difference <= 0) low = middle
        else high = middle - 1
      }
      if (low < 0 || starts[low * 2] !== w0) return true
      return (((starts[low * 2 + 1] as number) ^ w1) & (masks[low] as number)) !== 0
    },
    ours: (text) => access.opened(parseClientAddress(text)).accept,
  }
}

/** What a million rules take: the floor is the budget for it. */
export function accessBudgets(): Result[] {
  const { texts } = rulesOf(1_000_000)
  const times = Array.from({ length: 5 }, () => {
    const start = performance.now()
    AddressTable.of({ name: 'denyList', tag: 1, ranges: texts })
    return (performance.now() - start) * 1e6
  }).sort((a, b) => a - b)
  const bytes = AddressTable.of({ name: 'denyList', tag: 1, ranges: texts }).byteLength
  return [
    ...budget('a table of 1000000 mixed rules from text', 'ns', times[2] ?? Number.NaN, 1e9),
    ...budget('a table of 1000000 mixed rules, memory', 'bytes', bytes, 20e6),
  ]
}

function budget(name: string, unit: Result['unit'], amount: number, floor: number): Result[] {
  return [
    { name, contender: 'floor', amount: floor, unit, ratioToFloor: 1, goal: null },
    { name, contender: 'ours', amount, unit, ratioToFloor: amount / floor, goal: 1 },
  ]
}
