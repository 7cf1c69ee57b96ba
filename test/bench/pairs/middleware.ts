import { BlockList } from 'node:net'
import {
  AccessControl,
  CertificateAuth,
  MiddlewareChain,
  type MiddlewareRequest,
  parseClientAddress,
  RateLimiter,
  targetFromParts,
} from 'tlacacoca/middleware'
import type { Pair } from '../measure.ts'

const target = targetFromParts({ scheme: 'spartan', host: 'example.org', port: 300, path: '/a/b' }, { served: 'any' })
const requestFrom = (text: string): MiddlewareRequest => ({ target, address: parseClientAddress(text), peer: null })

/** Numbers that look random and are the same in every run. */
function* numbers(): Generator<number, never> {
  for (let state = 0x2545f491; ; ) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    yield state >>> 0
  }
}

const dotted = (word: number): string => [24, 16, 8, 0].map((shift) => (word >>> shift) & 0xff).join('.')

export function middlewarePairs(): Pair[] {
  return [...[10, 1000, 100_000].map(accessPair), ...[1, 100_000].map(ratePair), chainPair()]
}

/** The least code for a table: the text read as a number, and a binary search over sorted ranges. */
function accessPair(size: number): Pair {
  const random = numbers()
  const ranges = Array.from({ length: size }, () => (random.next().value & 0xffffff00) >>> 0)
  const starts = Uint32Array.from(new Set(ranges)).sort()
  const access = new AccessControl({ denyList: ranges.map((start) => `${dotted(start)}/24`) })
  const block = new BlockList()
  for (const start of ranges) block.addSubnet(dotted(start), 24)
  const texts = Array.from({ length: 1024 }, (_, i) => {
    const hit = (ranges[i % size] ?? 0) + (random.next().value & 0xff)
    return dotted(i % 2 === 0 ? hit : random.next().value)
  })
  let next = 0
  const pick = (): string => {
    next = (next + 1) & 1023
    // A new text each time, as from a socket, and not one that the engine has hashed before.
    return `${texts[next]} `.trimEnd()
  }
  return {
    name: `access control, ${size} rules`,
    goal: 1.15,
    floor: () => {
      const address = readIPv4(pick())
      let [low, high] = [0, starts.length]
      while (low < high) {
        const middle = (low + high) >>> 1
        if ((starts[middle] as number) <= address) low = middle + 1
        else high = middle
      }
      return low === 0 || address - (starts[low - 1] as number) > 0xff
    },
    ours: () => access.decide(requestFrom(pick())).allowed,
    peers: { 'net.BlockList': () => !block.check(pick(), 'ipv4') },
    same: null,
  }
}

function readIPv4(text: string): number {
  let [word, part] = [0, 0]
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x2e) {
      word = (word << 8) | part
      part = 0
    } else part = part * 10 + code - 0x30
  }
  return ((word << 8) | part) >>> 0
}

/** The least code for a limit: one look-up and one write in a table of numbers. A map of buckets is what people use. */
function ratePair(keys: number): Pair {
  const limiter = new RateLimiter({ capacity: 1000, refillPerSecond: 1_000_000, maxKeys: 2 * keys })
  const random = numbers()
  const requests = Array.from({ length: keys }, () => requestFrom(dotted(random.next().value)))
  const full = new Float64Array(2 ** Math.ceil(Math.log2(keys * 2 + 1)))
  const buckets = new Map<string, { tokens: number; at: number }>()
  let next = 0
  const pick = (): MiddlewareRequest => {
    next = (next + 1) % keys
    return requests[next] as MiddlewareRequest
  }
  return {
    name: `rate limit, ${keys} keys`,
    goal: 1.15,
    floor: () => {
      const slot = Math.imul(pick().address.w3, 0x9e3779b1) & (full.length - 1)
      const now = performance.now() * 1000
      const then = Math.max(now, full[slot] as number) + 1
      if (then - now > 1000) return false
      full[slot] = then
      return true
    },
    ours: () => limiter.decide(pick()).allowed,
    peers: {
      'Map of buckets': () => {
        const key = pick().address.toString()
        const now = performance.now()
        const bucket = buckets.get(key) ?? { tokens: 1000, at: now }
        bucket.tokens = Math.min(1000, bucket.tokens + (now - bucket.at) * 1000) - 1
        bucket.at = now
        buckets.set(key, bucket)
        return bucket.tokens >= 0
      },
    },
    same: null,
  }
}

function chainPair(): Pair {
  const access = new AccessControl({ denyList: ['203.0.113.0/24'] })
  const auth = new CertificateAuth({ rules: [{ path: '/club/', requireCertificate: true }] })
  const limiter = new RateLimiter({ capacity: 1000, refillPerSecond: 1_000_000 })
  const chain = new MiddlewareChain([access, auth, limiter])
  const request = requestFrom('192.0.2.1')
  return {
    name: 'chain of three',
    goal: 1.15,
    floor: () => {
      const first = access.decide(request)
      if (!first.allowed) return first.allowed
      const second = auth.decide(request)
      if (second instanceof Promise || !second.allowed) return false
      return limiter.decide(request).allowed
    },
    ours: () => {
      const result = chain.decide(request)
      return result instanceof Promise ? result : result.allowed
    },
    peers: {
      'three awaits': async () => {
        for (const member of [access, auth, limiter]) {
          const result = await member.decide(request)
          if (!result.allowed) return false
        }
        return true
      },
    },
  }
}
