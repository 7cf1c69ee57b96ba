import fc from 'fast-check'
import { expect, it } from 'vitest'
import { RateLimiter } from '../../src/middleware/rate-limiter.ts'
import { TokenBucket } from '../../src/middleware/token-bucket.ts'
import { ClientAddress } from '../../src/names/client-address.ts'
import { request } from '../middleware/requests.ts'

const steps = fc.array(
  fc.record({
    waitMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 0, max: 1e8 })),
    cost: fc.integer({ min: 1, max: 12 }),
  }),
  { minLength: 1, maxLength: 60 },
)

it('agrees with a bucket of fractions that are never rounded, on every answer', () => {
  // A rate is `a / 10^b` tokens per second, so a millisecond is `a` of `10^(b+3)` parts of a token.
  const rates = fc.record({ a: fc.integer({ min: 1, max: 200_000 }), b: fc.integer({ min: 0, max: 4 }) })
  fc.assert(
    fc.property(rates, fc.integer({ min: 1, max: 10 }), steps, ({ a, b }, capacity, list) => {
      let ms = 0
      const bucket = new TokenBucket({ capacity, refillPerSecond: a / 10 ** b, clock: () => ms })
      const token = 10n ** BigInt(b + 3)
      const full = BigInt(capacity) * token
      let level = full
      for (const { waitMs, cost } of list) {
        ms += waitMs
        level += BigInt(a) * BigInt(waitMs)
        if (level > full) level = full
        const price = BigInt(cost) * token
        const allowed = price <= level
        const perSecond = BigInt(a) * 1000n
        const result = bucket.tryConsume(cost)
        if (allowed) level -= price
        expect(result.allowed).toBe(allowed)
        expect(result.remaining).toBeCloseTo(Number(level) / Number(token), 6)
        if (result.allowed) continue
        const seconds = price > full ? undefined : Number((price - level + perSecond - 1n) / perSecond)
        expect(result.retryAfterSeconds).toBe(seconds)
      }
    }),
  )
})

// Whatever number somebody takes for a rate, and whatever fractions of a millisecond a clock gives.
const anyRate = fc.double({ min: 1e-6, max: 1e6, noNaN: true })
const fractionalMs = fc.double({ min: 0, max: 1e7, noNaN: true })

it('lets the same request pass after the time that it named, and a second before that it does not', () => {
  fc.assert(
    fc.property(
      anyRate,
      fc.integer({ min: 1, max: 50 }),
      steps,
      fractionalMs,
      (refillPerSecond, capacity, list, startMs) => {
        let ms = startMs
        const bucket = new TokenBucket({ capacity, refillPerSecond, clock: () => ms })
        for (const { waitMs, cost } of list) {
          ms += waitMs / 7
          const result = bucket.tryConsume(cost)
          if (result.allowed || result.retryAfterSeconds === undefined) continue
          const deniedAt = ms
          // Up to a millisecond may have begun when the request was denied, so the second before ends as much earlier.
          ms = deniedAt + (result.retryAfterSeconds - 1) * 1000
          if (result.retryAfterSeconds > 1) expect(bucket.peek(cost).allowed).toBe(false)
          ms = deniedAt + result.retryAfterSeconds * 1000
          expect(bucket.peek(cost).allowed).toBe(true)
          expect(bucket.tryConsume(cost).allowed).toBe(true)
        }
      },
    ),
  )
})

it('allows in no span of time more than its capacity and what comes back in that time', () => {
  fc.assert(
    fc.property(anyRate, fc.integer({ min: 1, max: 50 }), steps, (refillPerSecond, capacity, list) => {
      let ms = 0
      const bucket = new TokenBucket({ capacity, refillPerSecond, clock: () => ms })
      const taken: { ms: number; cost: number }[] = []
      for (const { waitMs, cost } of list) {
        ms += waitMs / 3
        if (bucket.tryConsume(cost).allowed) taken.push({ ms, cost })
      }
      for (let from = 0; from < taken.length; from++) {
        let sum = 0
        for (const { ms: at, cost } of taken.slice(from)) {
          sum += cost
          // One millisecond for the clock, a few millionths for rates that are no simple fractions.
          const spanMs = at - (taken[from]?.ms ?? 0) + 1
          expect(sum).toBeLessThanOrEqual(capacity + (spanMs / 1000) * refillPerSecond * (1 + 1e-5) + 1e-9)
        }
      }
    }),
  )
})

it('never gives a token to a clock that goes back, and never stops for it', () => {
  const jumps = fc.array(fc.integer({ min: -1e9, max: 0 }), { minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(jumps, fc.integer({ min: 1, max: 100 }), (list, refillPerSecond) => {
      let ms = 0
      const bucket = new TokenBucket({ capacity: 5, refillPerSecond, clock: () => ms })
      bucket.tryConsume(5)
      for (const jump of list) {
        ms += jump
        expect(bucket.tryConsume().allowed).toBe(false)
      }
      ms += 1000
      expect(bucket.tryConsume().allowed).toBe(true)
    }),
  )
})

const visits = fc.array(
  fc.record({
    client: fc.integer({ min: 0, max: 40 }),
    waitMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 500 })),
    cost: fc.integer({ min: 1, max: 6 }),
  }),
  { maxLength: 300 },
)

function clientAt(index: number): ClientAddress {
  return index % 2 === 0
    ? ClientAddress.fromWords(4, 0, 0, 0, 0xc0000200 + index)
    : ClientAddress.fromWords(6, 0x20010db8, index, 5, 5)
}

it('limits each client as a bucket of its own would, while there is room for all', () => {
  const req = request()
  fc.assert(
    fc.property(visits, fc.integer({ min: 1, max: 10 }), (list, refillPerSecond) => {
      let ms = 0
      const clock = (): number => ms
      const options = { capacity: 10, refillPerSecond, clock }
      const limiter = new RateLimiter({ ...options, maxKeys: 4096 })
      const buckets = Array.from({ length: 41 }, () => new TokenBucket(options))
      for (const { client, waitMs, cost } of list) {
        ms += waitMs
        const expected = buckets[client]?.tryConsume(cost)
        const address = clientAt(client)
        const before = limiter.peek(address, cost)
        const result = limiter.decide({ ...req, address, cost })
        expect(result.allowed).toBe(expected?.allowed)
        expect(before.allowed).toBe(expected?.allowed)
        if (!result.allowed && expected?.allowed === false) {
          expect(result.retryAfterSeconds).toBe(expected.retryAfterSeconds)
        }
        expect(limiter.peek(address).remaining).toBe(expected?.remaining)
      }
    }),
  )
})

it('never denies a client who has tokens, however small the table and large the crowd', () => {
  const req = request()
  fc.assert(
    fc.property(visits, (list) => {
      let ms = 0
      const limiter = new RateLimiter({ capacity: 10, refillPerSecond: 1, maxKeys: 8, clock: () => ms })
      // What each client has really used, forgotten or not.
      const used = new Map<number, { units: number; ms: number }>()
      for (const { client, waitMs, cost } of list) {
        ms += waitMs
        const last = used.get(client) ?? { units: 0, ms }
        const units = Math.max(0, last.units - (ms - last.ms))
        const { allowed } = limiter.decide({ ...req, address: clientAt(client), cost })
        if (units + cost * 1000 <= 10_000) expect(allowed).toBe(true)
        used.set(client, { units: units + (allowed ? cost * 1000 : 0), ms })
      }
    }),
  )
})
