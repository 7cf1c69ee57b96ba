import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MemoryRateLimitStore } from '../../src/middleware/memory-rate-limit-store.ts'
import { RedisRateLimitStore } from '../../src/redis/index.ts'
import { lookInto, withClock } from './clients.ts'
import { haveRedis, RedisServer } from './redis-server.ts'

// The script computes in Lua what the memory of one process computes in JavaScript. They have to agree to the last unit.

const server = new RedisServer()
beforeAll(async () => {
  if (haveRedis) await server.start()
})
afterAll(() => server.remove())

/** From one in a century to thousands a second, with as many digits as there are. */
const rates = fc.oneof(
  fc.double({ min: 1e-6, max: 5000, noNaN: true }),
  fc.integer({ min: 1, max: 1000 }),
  fc.integer({ min: 1, max: 86_400 }).map((seconds) => 1 / seconds),
)
const buckets = fc
  .record({
    capacity: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 1e9 })),
    refillPerSecond: rates,
  })
  // What takes longer than all of time to fill is refused by both.
  .filter(({ capacity, refillPerSecond }) => (capacity * 1000) / refillPerSecond < 2 ** 50)
// Of the capacity. A little above it never passes.
const part = fc.double({ min: 1e-6, max: 1.1, noNaN: true })
const forward = fc.oneof(fc.integer({ min: 0, max: 100_000 }), fc.integer({ min: 0, max: 1e9 }))
const anyWay = fc.oneof(fc.integer({ min: 0, max: 100_000 }), fc.integer({ min: -100_000, max: -1 }))
const stepsOf = (advanceMs: fc.Arbitrary<number>) =>
  fc.array(fc.record({ part, advanceMs }), { minLength: 1, maxLength: 20 })

describe.runIf(haveRedis)('RedisRateLimitStore', () => {
  let run = 0
  const storeAt = (client: ReturnType<typeof lookInto>, time: { readonly ms: number }) =>
    new RedisRateLimitStore(
      withClock(client, () => time.ms),
      { fleetSize: 1, local: null, timeoutMs: 10_000, prefix: `run ${run++}:` },
    )

  it('answers exactly as a store in memory does, at whatever rate', async () => {
    const client = lookInto(server)
    await fc.assert(
      fc.asyncProperty(buckets, stepsOf(forward), async (bucket, steps) => {
        const time = { ms: 1_900_000_000_123 }
        const memory = new MemoryRateLimitStore({ maxKeys: 8, clock: () => time.ms })
        const store = storeAt(client, time)
        for (const { part, advanceMs } of steps) {
          time.ms += advanceMs
          const cost = part * bucket.capacity
          expect(await store.consume('key', bucket, cost)).toEqual(memory.consume('key', bucket, cost))
        }
      }),
      { numRuns: 300 },
    )
  })

  // Steps forward bring tokens, and steps back neither take nor give any.
  it('gives no more than the capacity and what comes back, however the clock goes', async () => {
    const client = lookInto(server)
    await fc.assert(
      fc.asyncProperty(buckets, stepsOf(anyWay), async (bucket, steps) => {
        const time = { ms: 1_900_000_000_123 }
        const store = storeAt(client, time)
        let most = bucket.capacity
        let got = 0
        for (const { part, advanceMs } of steps) {
          time.ms += advanceMs
          most += (Math.max(0, advanceMs) / 1000) * bucket.refillPerSecond * (1 + 1e-5)
          const cost = part * bucket.capacity
          if ((await store.consume('key', bucket, cost)).allowed) got += cost
        }
        expect(got).toBeLessThanOrEqual(most * (1 + 1e-9))
      }),
      { numRuns: 300 },
    )
  })

  it('fills on after its clock was set back', async () => {
    const time = { ms: 1_900_000_000_000 }
    const store = storeAt(lookInto(server), time)
    const bucket = { capacity: 5, refillPerSecond: 0.1 }
    await store.consume('key', bucket, 5)
    time.ms -= 86_400_000
    expect(await store.consume('key', bucket, 1)).toEqual({ allowed: false, remaining: 0, retryAfterSeconds: 10 })
    time.ms += 10_000
    expect(await store.consume('key', bucket, 1)).toEqual({ allowed: true, remaining: 0 })
  })
})
