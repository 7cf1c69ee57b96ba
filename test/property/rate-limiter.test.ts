import fc from 'fast-check'
import { expect, it } from 'vitest'
import { MemoryRateLimitStore } from '../../src/middleware/memory-rate-limit-store.ts'
import type { RateLimitStore } from '../../src/middleware/rate-limit-store.ts'
import { RateLimiter } from '../../src/middleware/rate-limiter.ts'
import { RateLimits } from '../../src/middleware/rate-limits.ts'
import { ClientAddress } from '../../src/names/client-address.ts'
import { request } from '../middleware/requests.ts'

// The model is a token bucket as a book would have it: a level that grows with time, in fractions that are never
// rounded. A rate is `a / 10^b` tokens per second, so a millisecond is `a` of `10^(b + 3)` parts of a token.

interface Rate {
  readonly a: number
  readonly b: number
}

class ModelBucket {
  readonly #perMs: bigint
  readonly #token: bigint
  readonly #full: bigint
  #level: bigint
  #reading: number

  constructor({ a, b }: Rate, capacity: number, startMs: number) {
    this.#perMs = BigInt(a)
    this.#token = 10n ** BigInt(b + 3)
    this.#full = BigInt(capacity) * this.#token
    this.#level = this.#full
    this.#reading = startMs
  }

  /** What the clock says now. A step back is no time that passes. */
  at(ms: number): this {
    if (ms > this.#reading) this.#level += this.#perMs * BigInt(ms - this.#reading)
    if (this.#level > this.#full) this.#level = this.#full
    this.#reading = ms
    return this
  }

  /** After how many seconds the cost passes: 0 for now, null for never. */
  wait(cost: number): number | null {
    const price = BigInt(cost) * this.#token
    if (price > this.#full) return null
    const perSecond = this.#perMs * 1000n
    return price <= this.#level ? 0 : Number((price - this.#level + perSecond - 1n) / perSecond)
  }

  take(cost: number): void {
    this.#level -= BigInt(cost) * this.#token
  }

  get tokens(): number {
    return Number(this.#level) / Number(this.#token)
  }
}

const rates = fc.record({ a: fc.integer({ min: 1, max: 200_000 }), b: fc.integer({ min: 0, max: 4 }) })
const capacities = fc.integer({ min: 1, max: 10 })
const CLIENTS = 6
const visits = fc.array(
  fc.record({
    client: fc.integer({ min: 0, max: CLIENTS - 1 }),
    // Forwards, not at all, and backwards.
    stepMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3000 }), fc.integer({ min: -1e8, max: 1e8 })),
    cost: fc.integer({ min: 1, max: 12 }),
  }),
  { minLength: 1, maxLength: 80 },
)

function addressOf(client: number): ClientAddress {
  return client % 2 === 0
    ? ClientAddress.fromWords(4, 0, 0, 0, 0xc0000200 + client)
    : ClientAddress.fromWords(6, 0x20010db8, client, 5, 5)
}

const req = request()
const asked = (client: number, cost: number) => ({ ...req, address: addressOf(client), cost })
const perSecond = ({ a, b }: Rate): number => a / 10 ** b
const expected = (wait: number | null) =>
  wait === 0 ? { allowed: true } : { allowed: false, ...(wait === null ? {} : { retryAfterSeconds: wait }) }

/** Only what the model says something about. */
function told(result: { allowed: boolean; retryAfterSeconds?: number }) {
  const { allowed, retryAfterSeconds } = result
  return retryAfterSeconds === undefined ? { allowed } : { allowed, retryAfterSeconds }
}

it.each(['memory', 'store'] as const)(
  'a limiter in %s agrees with the model on every answer, whatever the clock does',
  (where) => {
    fc.assert(
      fc.property(rates, capacities, visits, (rate, capacity, list) => {
        const time = { ms: 1e9 }
        const clock = (): number => time.ms
        const options = { capacity, refillPerSecond: perSecond(rate) }
        const limiter =
          where === 'memory'
            ? new RateLimiter({ ...options, maxKeys: 1024, clock })
            : new RateLimiter({
                ...options,
                store: new MemoryRateLimitStore({ maxKeys: 1024, clock }) as RateLimitStore,
              })
        const models = Array.from({ length: CLIENTS }, () => new ModelBucket(rate, capacity, time.ms))
        for (const { client, stepMs, cost } of list) {
          time.ms += stepMs
          for (const model of models) model.at(time.ms)
          const model = models[client] as ModelBucket
          const wait = model.wait(cost)
          const peeked = limiter.peek(asked(client, cost))
          const decided = limiter.decide(asked(client, cost))
          if (peeked instanceof Promise || decided instanceof Promise)
            throw new Error('a promise of something in memory')
          expect(told(peeked)).toEqual(expected(wait))
          expect(peeked.remaining).toBeCloseTo(model.tokens, 6)
          expect(told(decided)).toEqual(expected(wait))
          if (wait === 0) model.take(cost)
        }
      }),
    )
  },
)

it('the store alone agrees with the model, on what is left as well', () => {
  fc.assert(
    fc.property(rates, capacities, visits, (rate, capacity, list) => {
      const time = { ms: -5e8 }
      const store = new MemoryRateLimitStore({ maxKeys: 1024, clock: () => time.ms })
      const bucket = { capacity, refillPerSecond: perSecond(rate) }
      const models = Array.from({ length: CLIENTS }, () => new ModelBucket(rate, capacity, time.ms))
      for (const { client, stepMs, cost } of list) {
        time.ms += stepMs
        for (const model of models) model.at(time.ms)
        const model = models[client] as ModelBucket
        const wait = model.wait(cost)
        const result = store.consume(`client ${client}`, bucket, cost)
        if (wait === 0) model.take(cost)
        expect(told(result)).toEqual(expected(wait))
        expect(result.remaining).toBeCloseTo(model.tokens, 6)
      }
    }),
  )
})

it('several limits at once agree with as many models, of which all are taken from or none', () => {
  const limits = fc.record({ rate: rates, capacity: capacities })
  fc.assert(
    fc.property(limits, limits, visits, (perClient, forAll, list) => {
      const time = { ms: 1e9 }
      const clock = (): number => time.ms
      const all = new RateLimits([
        new RateLimiter({
          name: 'client',
          capacity: perClient.capacity,
          refillPerSecond: perSecond(perClient.rate),
          clock,
        }),
        new RateLimiter({
          name: 'all',
          by: 'global',
          capacity: forAll.capacity,
          refillPerSecond: perSecond(forAll.rate),
          clock,
        }),
      ])
      const clients = Array.from(
        { length: CLIENTS },
        () => new ModelBucket(perClient.rate, perClient.capacity, time.ms),
      )
      const global = new ModelBucket(forAll.rate, forAll.capacity, time.ms)
      for (const { client, stepMs, cost } of list) {
        time.ms += stepMs
        for (const model of [global, ...clients]) model.at(time.ms)
        const models = [clients[client] as ModelBucket, global]
        const waits = models.map((model) => model.wait(cost))
        const longest = waits.includes(null) ? null : Math.max(...waits.map(Number))
        expect(told(all.decide(asked(client, cost)))).toEqual(expected(longest))
        if (longest === 0) for (const model of models) model.take(cost)
      }
    }),
  )
})

it('what a limiter says is true: a second less is refused, and then it passes', () => {
  const anyRate = fc.double({ min: 1e-4, max: 1e4, noNaN: true })
  fc.assert(
    fc.property(anyRate, capacities, visits, (refillPerSecond, capacity, list) => {
      const time = { ms: 0 }
      const limiter = new RateLimiter({ capacity, refillPerSecond, maxKeys: 1024, clock: () => time.ms })
      for (const { client, stepMs, cost } of list) {
        time.ms += stepMs
        const result = limiter.decide(asked(client, cost))
        if (result.allowed || result.retryAfterSeconds === undefined) continue
        time.ms += (result.retryAfterSeconds - 1) * 1000
        expect(limiter.decide(asked(client, cost)).allowed).toBe(false)
        time.ms += 1000
        expect(limiter.decide(asked(client, cost)).allowed).toBe(true)
      }
    }),
  )
})

it('a store that answers in any order lets through no more than a bucket holds', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      capacities,
      fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 30 }),
      async (s, capacity, costs) => {
        const memory = new MemoryRateLimitStore({ maxKeys: 8, clock: () => 0 })
        const store: RateLimitStore = {
          consume: s.scheduleFunction(async (...args: Parameters<RateLimitStore['consume']>) =>
            memory.consume(...args),
          ),
          peek: s.scheduleFunction(async (...args: Parameters<RateLimitStore['peek']>) => memory.peek(...args)),
          reset() {},
        }
        const limits = new RateLimits([
          new RateLimiter({ name: 'shared', store, capacity }),
          new RateLimiter({ name: 'local', capacity: 7, clock: () => 0 }),
        ])
        const pending = costs.map(async (cost) => ((await limits.decide(asked(0, cost))).allowed ? cost : 0))
        const passed = (await s.waitFor(Promise.all(pending))).reduce((sum, cost) => sum + cost, 0)
        expect(passed).toBeLessThanOrEqual(Math.min(capacity, 7))
        if (costs.some((cost) => cost <= Math.min(capacity, 7))) expect(passed).toBeGreaterThan(0)
      },
    ),
  )
})
