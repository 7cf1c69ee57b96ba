import { describe, expect, it } from 'vitest'
import { MemoryRateLimitStore } from '../../src/middleware/memory-rate-limit-store.ts'
import type { RateLimitStore } from '../../src/middleware/rate-limit-store.ts'
import type { BucketOptions, TokenBucketResult } from '../../src/middleware/refill.ts'
import {
  checkRateLimitStore,
  type RateLimitStoreFixture,
  rateLimitStorePromises,
} from '../../src/testing/rate-limit-store-contract.ts'

type Place = () => RateLimitStoreFixture

/** Something like a database: one memory, and clients of it whose every call is a round trip. */
class RemoteStore implements RateLimitStore {
  readonly memory: MemoryRateLimitStore

  constructor(memory: MemoryRateLimitStore) {
    this.memory = memory
  }

  async consume(key: string, bucket: BucketOptions, cost: number): Promise<TokenBucketResult> {
    await undefined
    return this.memory.consume(key, bucket, cost)
  }

  async peek(key: string, bucket: BucketOptions, cost: number): Promise<TokenBucketResult> {
    await undefined
    return this.memory.peek(key, bucket, cost)
  }

  async reset(key: string, bucket?: BucketOptions): Promise<void> {
    await undefined
    this.memory.reset(key, bucket)
  }
}

function place(make: (memory: MemoryRateLimitStore) => RateLimitStore, reopens = false): Place {
  return () => {
    const time = { ms: 1e6 }
    const memory = new MemoryRateLimitStore({ maxKeys: 1024, clock: () => time.ms })
    const advance = (ms: number): void => {
      time.ms += ms
    }
    return { open: () => make(memory), reopens, advance }
  }
}

const inMemory = place((memory) => memory)
const remote = place((memory) => new RemoteStore(memory), true)
const clockUnknown: Place = () => ({ open: () => new MemoryRateLimitStore({ maxKeys: 1024 }), reopens: false })

function titled(makeFixture: Place) {
  return rateLimitStorePromises(makeFixture).map(({ name, check }) => [name, check] as const)
}

describe('MemoryRateLimitStore keeps the promise', () => {
  it.each(titled(inMemory))('%s', (_, check) => check())
})

describe('MemoryRateLimitStore with a clock that nobody moves keeps the promise', () => {
  it.each(titled(clockUnknown))('%s', (_, check) => check())
})

describe('a store that several servers share keeps the promise', () => {
  it.each(titled(remote))('%s', (_, check) => check())
})

// A suite that everything passes would be worth nothing.
describe('the suite finds a store that', () => {
  /** Reads, thinks, and writes what it thought of. */
  class Racing extends RemoteStore {
    override async consume(key: string, bucket: BucketOptions, cost: number): Promise<TokenBucketResult> {
      const seen = await this.peek(key, bucket, cost)
      if (!seen.allowed) return seen
      const taken = this.memory.consume(key, bucket, cost)
      return taken.allowed ? taken : { allowed: true, remaining: 0 }
    }
  }
  class Generous extends RemoteStore {
    override async consume(key: string, bucket: BucketOptions, cost: number): Promise<TokenBucketResult> {
      return super.consume(key, bucket, Math.min(cost, bucket.capacity))
    }
  }
  class Hasty extends RemoteStore {
    override async consume(key: string, bucket: BucketOptions, cost: number): Promise<TokenBucketResult> {
      const answer = await super.consume(key, bucket, cost)
      if (answer.allowed || answer.retryAfterSeconds === undefined) return answer
      return { ...answer, retryAfterSeconds: answer.retryAfterSeconds - 1 }
    }
  }
  class Greedy extends RemoteStore {
    override async peek(key: string, bucket: BucketOptions, cost: number): Promise<TokenBucketResult> {
      return this.consume(key, bucket, cost)
    }
  }
  class Shapeless extends RemoteStore {
    override async consume(key: string, bucket: BucketOptions, cost: number): Promise<TokenBucketResult> {
      return super.consume(key, { ...bucket, refillPerSecond: 0.001 }, cost)
    }
  }
  class Folding extends RemoteStore {
    override async consume(key: string, bucket: BucketOptions, cost: number): Promise<TokenBucketResult> {
      return super.consume(key.toLowerCase(), bucket, cost)
    }
  }
  class Forgiving extends RemoteStore {
    override async reset(key: string): Promise<void> {
      await super.reset(key)
    }
  }
  class Trusting extends RemoteStore {
    override async consume(key: string, bucket: BucketOptions, cost: number): Promise<TokenBucketResult> {
      return super.consume(key, bucket, cost).catch(() => ({ allowed: true, remaining: 0 }))
    }
  }

  it.each([
    { what: 'is not atomic', make: Racing, broken: '3 of many who ask at once' },
    { what: 'lets pass what costs more than a bucket holds', make: Generous, broken: '4 a cost above the capacity' },
    { what: 'names a time that is too short', make: Hasty, broken: '4 a denial names the time' },
    { what: 'takes when it should look', make: Greedy, broken: '5 peek answers as consume would' },
    { what: 'has one bucket for all rates', make: Shapeless, broken: '1 a key with other options' },
    { what: 'folds case', make: Folding, broken: '1 keys are compared whole' },
    { what: 'resets more than it was told to', make: Forgiving, broken: '6 reset fills one bucket' },
    { what: 'answers misuse as if the bucket were full', make: Trusting, broken: '8 what is no key' },
  ])('$what', async ({ make, broken }) => {
    const failure = await checkRateLimitStore(place((memory) => new make(memory))).catch((error) => error)
    expect(failure).toBeInstanceOf(AggregateError)
    expect(failure.message).toContain(`broken promise: ${broken}`)
  })

  it('gives tokens when its clock is set back', async () => {
    const careless: Place = () => {
      const time = { ms: 1e9 }
      const clocks = new Map<string, number>()
      const store: RateLimitStore = {
        consume(_, { capacity, refillPerSecond }, cost) {
          const now = (clocks.get('used') ?? 0) - Math.abs(time.ms - (clocks.get('at') ?? time.ms)) * refillPerSecond
          clocks.set('at', time.ms)
          if (now + cost > capacity) return { allowed: false, remaining: 0 }
          clocks.set('used', Math.max(0, now) + cost)
          return { allowed: true, remaining: 0 }
        },
        peek: () => ({ allowed: false, remaining: 0 }),
        reset() {},
      }
      const advance = (ms: number): void => {
        time.ms += ms
      }
      return { open: () => store, reopens: false, advance }
    }
    const failure = await checkRateLimitStore(careless).catch((error) => error)
    expect(failure.message).toContain('broken promise: 7 a clock that is set back')
  })
})
