// Rate limits by address. The requests are made anew outside the time that is taken: an address that was just seen would
// be found in the processor's cache, and one from a socket is not. Each limit has seen all of its keys before.
//
// The floor is the least code for a limit of this kind: a table of eight-way sets of 16 bytes a slot, the bits of the
// address as key, a plain multiplication to find the set, the clock that ours reads too. It trusts its input, can be aimed
// at, takes the key of one family for that of the other, and knows no cost, no exemption and no reason.

import { performance } from 'node:perf_hooks'
import {
  MemoryRateLimitStore,
  type MiddlewareRequest,
  parseClientAddress,
  RateLimiter,
  targetFromParts,
} from 'tlacacoca/middleware'
import { ClientAddress } from '../../../src/names/client-address.ts'
import type { Pair, PairSource } from '../measure.ts'
import { CAPACITY, type Limit, PER_SECOND, peerLimits } from './rate-limit-peers.ts'

const GOAL = 1.15

export interface Asked {
  readonly request: MiddlewareRequest
  /** The same address as a socket has it. */
  readonly text: string
}

export const rateLimitSources: readonly PairSource[] = [
  ...[1, 64, 100_000, 1_000_000].map((keys) => ({ name: `rate limit, ${keys} keys`, make: () => keyed(keys) })),
  { name: 'rate limit, each request from another spoofed IPv6 /64', make: spoofedPair },
]

function keyed(keys: number): Pair<Asked> {
  const random = numbers()
  const words = Array.from({ length: keys }, () => random.next().value)
  const peers = peerLimits().map((make) => make())
  const operations = [...peers, shared(2 * keys)].map((limit) => [limit.name, operationOf(limit)] as const)
  return {
    goal: GOAL,
    inputs: (count) => Array.from({ length: count }, () => askedFrom(words[random.next().value % keys] as number)),
    *before() {
      for (const word of words) yield askedFrom(word)
    },
    floor: operationOf(floor(2 * keys)),
    ours: operationOf(ours(2 * keys)),
    peers: Object.fromEntries(operations),
    close() {
      for (const peer of peers) peer.close?.()
    },
  }
}

function spoofedPair(): Pair<Asked> {
  const next = spoofed()
  return {
    goal: GOAL,
    inputs: (count) => Array.from({ length: count }, next),
    floor: operationOf(floor(1_000_000)),
    ours: operationOf(ours(1_000_000)),
  }
}

const operationOf =
  ({ take }: Limit) =>
  (asked: Asked): boolean | Promise<boolean> =>
    take(asked)

const target = targetFromParts({ scheme: 'spartan', host: 'example.org', port: 300, path: '/a/b' }, { served: 'any' })

function asked(address: ClientAddress): Asked {
  const text = String(address)
  return { request: { target, address: parseClientAddress(text), peer: null }, text }
}

const askedFrom = (word: number): Asked => asked(ClientAddress.fromWords(4, 0, 0, 0, word))

export function floor(maxKeys: number): Limit {
  const sets = Math.ceil(maxKeys / 8)
  const moments = new Float64Array(sets * 16)
  const words = new Int32Array(moments.buffer)
  return {
    name: 'floor',
    isFixed: true,
    take({ request: { address } }) {
      const isIPv4 = address.family === 4
      const k0 = isIPv4 ? 0 : address.w0 | 0
      const k1 = isIPv4 ? address.w3 | 0 : address.w1 | 0
      const now = (Math.floor(performance.now()) * PER_SECOND) / 1000
      const first = (((Math.imul(Math.imul(k0, 0x85ebca6b) ^ k1, 0x9e3779b1) >>> 0) * (sets / 2 ** 32)) | 0) * 8
      let slot = first
      let earliest = Number.POSITIVE_INFINITY
      let full = 0
      for (let i = first; i < first + 8; i++) {
        const moment = moments[i * 2 + 1] as number
        if (words[i * 4] === k0 && words[i * 4 + 1] === k1) {
          slot = i
          full = moment
          break
        }
        if (moment < earliest) {
          earliest = moment
          slot = i
        }
      }
      const then = Math.max(full, now) + 1
      if (then - now > CAPACITY) return false
      words[slot * 4] = k0
      words[slot * 4 + 1] = k1
      moments[slot * 2 + 1] = then
      return true
    },
  }
}

export function ours(maxKeys: number): Limit {
  const limiter = new RateLimiter({ capacity: CAPACITY, refillPerSecond: PER_SECOND, maxKeys })
  return { name: 'ours', isFixed: true, take: ({ request }) => limiter.decide(request).allowed }
}

/** The same limit over a store in memory, by texts. */
function shared(maxKeys: number): Limit {
  const store = new MemoryRateLimitStore({ maxKeys })
  const limiter = new RateLimiter({ capacity: CAPACITY, refillPerSecond: PER_SECOND, store })
  return {
    name: 'ours, with a store',
    isFixed: false,
    take({ request }) {
      const answer = limiter.decide(request)
      return answer instanceof Promise ? answer.then(({ allowed }) => allowed) : answer.allowed
    },
  }
}

/** Numbers that look random and are the same in every run. */
function* numbers(): Generator<number, never> {
  for (let state = 0x2545f491; ; ) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    yield state >>> 0
  }
}

/** From networks of 2001:db8::/32, none of which comes twice. */
export function spoofed(): () => Asked {
  let count = 0
  return () => asked(ClientAddress.fromWords(6, 0x20010db8, Math.imul(count++, 0x9e3779b1), 0, 1))
}
