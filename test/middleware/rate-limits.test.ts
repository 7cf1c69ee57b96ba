import { describe, expect, it } from 'vitest'
import { BanList } from '../../src/middleware/ban-list.ts'
import { MiddlewareChain } from '../../src/middleware/chain.ts'
import { MemoryRateLimitStore } from '../../src/middleware/memory-rate-limit-store.ts'
import type { RateLimitStore } from '../../src/middleware/rate-limit-store.ts'
import { RateLimiter } from '../../src/middleware/rate-limiter.ts'
import type { RateLimiterOptions } from '../../src/middleware/rate-limiter-options.ts'
import { RateLimits } from '../../src/middleware/rate-limits.ts'
import { parseClientAddress } from '../../src/names/client-address.ts'
import { request, untyped } from './requests.ts'

const address = parseClientAddress('192.0.2.1')
const search = (from = '192.0.2.1') => request({ url: 'gemini://example.org/search', from })

/** Three limits in memory, and the hand on their clock. */
function three(options: RateLimiterOptions = {}) {
  const time = { ms: 0 }
  const clock = (): number => time.ms
  const client = new RateLimiter({ name: 'client', capacity: 5, refillPerSecond: 1, clock, ...options })
  const path = new RateLimiter({ name: 'search', path: '/search', capacity: 2, refillPerSecond: 0.1, clock })
  const all = new RateLimiter({ name: 'all', by: 'global', capacity: 8, refillPerSecond: 10, clock })
  return { time, client, path, all, limits: new RateLimits([client, path, all]) }
}

describe('RateLimits', () => {
  it('takes from all limits that apply, and from no other', () => {
    const { limits, client, path, all } = three()
    expect(limits.decide(search())).toEqual({ allowed: true })
    expect(limits.decide(request())).toEqual({ allowed: true })
    expect(client.peek(address)).toMatchObject({ remaining: 3 })
    expect(path.peek(search())).toMatchObject({ remaining: 1 })
    expect(all.peek(request())).toMatchObject({ remaining: 6 })
  })

  it('takes from none if one refuses, and names it', () => {
    const { limits, client, path, all } = three()
    limits.decide(search())
    limits.decide(search())
    for (let i = 0; i < 50; i++) {
      expect(limits.decide(search())).toEqual({
        allowed: false,
        denialReason: 'rate_limit',
        retryAfterSeconds: 10,
        rule: 'search',
      })
    }
    expect(client.peek(address)).toMatchObject({ remaining: 3 })
    expect(all.peek(request())).toMatchObject({ remaining: 6 })
    expect([client.counters.denied, path.counters.denied, all.counters.denied]).toEqual([0, 50, 0])
    expect([client.counters.allowed, path.counters.allowed, all.counters.allowed]).toEqual([2, 2, 2])
  })

  it('names the longest of the times, after which the request passes, and a second before does not', () => {
    const { limits, time } = three()
    for (let i = 0; i < 2; i++) limits.decide(search())
    for (let i = 0; i < 3; i++) limits.decide(request())
    const denied = limits.decide(search())
    expect(denied).toMatchObject({ rule: 'search', retryAfterSeconds: 10 })
    expect(limits.decide(request())).toMatchObject({ rule: 'client', retryAfterSeconds: 1 })
    time.ms = 9000
    expect(limits.decide(search()).allowed).toBe(false)
    time.ms = 10_000
    expect(limits.decide(search()).allowed).toBe(true)
  })

  it('names no time if one of them will never let the request pass', () => {
    const { limits } = three()
    const denied = limits.decide({ ...search(), cost: 3 })
    expect(denied).toMatchObject({ allowed: false, rule: 'search' })
    expect('retryAfterSeconds' in denied).toBe(false)
  })

  it('lets who is exempt from one limit be limited by the others', () => {
    const { limits } = three({ exempt: ['192.0.2.1'] })
    let count = 0
    while (limits.decide(request()).allowed) count++
    expect(count).toBe(8)
  })

  it('answers for a member that bans: with the rest of the ban, taking from none', () => {
    const time = { ms: 0 }
    const clock = (): number => time.ms
    const bans = new BanList({ tolerated: 1, clock })
    const client = new RateLimiter({ name: 'client', capacity: 1, bans, clock })
    const all = new RateLimiter({ name: 'all', by: 'global', capacity: 100, clock })
    const limits = new RateLimits([all, client])
    expect(limits.decide(request()).allowed).toBe(true)
    expect(limits.decide(request())).toMatchObject({ retryAfterSeconds: 1 })
    expect(limits.decide(request())).toMatchObject({ retryAfterSeconds: 60, detail: 'banned', rule: 'client' })
    time.ms = 20_000
    expect(limits.decide(request())).toMatchObject({ retryAfterSeconds: 40, detail: 'banned', rule: 'client' })
    expect(all.peek(request())).toMatchObject({ remaining: 100 })
    time.ms = 60_000
    expect(limits.decide(request()).allowed).toBe(true)
  })

  it('names no time to somebody who is banned if the request would never pass without the ban', () => {
    const bans = new BanList({ tolerated: 1, clock: () => 0 })
    const client = new RateLimiter({ name: 'client', capacity: 2, bans, clock: () => 0 })
    for (let i = 0; i < 4; i++) client.decide(request())
    expect(client.decide(request())).toMatchObject({ detail: 'banned', retryAfterSeconds: 60 })
    expect(client.decide(request({ cost: 3 }))).toEqual({
      allowed: false,
      denialReason: 'rate_limit',
      rule: 'client',
      detail: 'banned',
    })
  })

  it('does not ask for the cost or the key of a limit twice', () => {
    const calls = { cost: 0, by: 0 }
    const limiter = new RateLimiter({
      by: () => `${calls.by++}`,
      cost: () => ++calls.cost,
      capacity: 2,
    })
    const limits = new RateLimits([limiter])
    limits.decide(request())
    expect(calls).toEqual({ cost: 1, by: 1 })
  })

  it.each([
    { what: 'no list', limiters: new RateLimiter() },
    { what: 'an empty list', limiters: [] },
    { what: 'what is no limiter', limiters: [new RateLimiter(), { decide: () => ({ allowed: true }) }] },
    { what: 'a hole', limiters: [undefined] },
    { what: 'two of one name', limiters: [new RateLimiter(), new RateLimiter({ capacity: 5 })] },
  ])('refuses $what', ({ limiters }) => {
    const construct = (): unknown => new RateLimits(untyped<RateLimiter[]>(limiters))
    expect(construct).toThrow(TypeError)
    expect(construct).toThrow(/^"limiters(\[\d\])?" expected |^two limiters have the name "rate_limit"/)
  })

  it('has a name, and no other option', () => {
    const { client } = three()
    expect(new RateLimits([client]).name).toBe('rate_limits')
    expect(new RateLimits([client], { name: 'all of them' }).name).toBe('all of them')
    expect(() => new RateLimits([client], untyped({ name: 5 }))).toThrow('"name" expected a string')
    expect(() => new RateLimits([client], untyped({ nam: 'x' }))).toThrow('"options" has no option "nam"')
  })
})

describe('RateLimits with a store elsewhere', () => {
  /** A store whose answers come later, and can be held back. */
  function remote(memory = new MemoryRateLimitStore({ clock: () => 0 })) {
    let gate = Promise.resolve()
    const asked = { peek: 0, consume: 0 }
    const store: RateLimitStore = {
      async consume(...args) {
        asked.consume++
        await gate
        return memory.consume(...args)
      },
      async peek(...args) {
        asked.peek++
        await gate
        return memory.peek(...args)
      },
      async reset(...args) {
        return memory.reset(...args)
      },
    }
    const hold = (): (() => void) => {
      let open = (): void => {}
      gate = new Promise((resolve) => {
        open = resolve
      })
      return open
    }
    return { store, hold, asked }
  }

  it('takes from all or, by looking first, from none', async () => {
    const { store, asked } = remote()
    const shared = new RateLimiter({ name: 'shared', store, capacity: 10 })
    const local = new RateLimiter({ name: 'local', capacity: 1, clock: () => 0 })
    const limits = new RateLimits([local, shared])
    expect(await limits.decide(request())).toEqual({ allowed: true })
    expect(await limits.decide(request())).toMatchObject({ allowed: false, rule: 'local', retryAfterSeconds: 1 })
    expect(await shared.peek(address)).toMatchObject({ remaining: 9 })
    expect(asked).toEqual({ peek: 3, consume: 1 })
  })

  it('never lets more through than any of them allows, however many ask at once', async () => {
    for (const [inStore, inMemory] of [
      [5, 20],
      [20, 5],
      [7, 7],
    ] as const) {
      const { store, hold } = remote()
      const limits = new RateLimits([
        new RateLimiter({ name: 'one', store, capacity: inStore }),
        new RateLimiter({ name: 'two', store, capacity: 100, by: 'global' }),
        new RateLimiter({ name: 'three', capacity: inMemory, clock: () => 0 }),
      ])
      const open = hold()
      const pending = Array.from({ length: 60 }, async () => limits.decide(request()))
      open()
      const results = await Promise.all(pending)
      expect(results.filter(({ allowed }) => allowed)).toHaveLength(Math.min(inStore, inMemory))
    }
  })

  it('takes from each once, those in memory last, whatever kinds of stores stand before them', async () => {
    const { store, asked } = remote()
    const atOnce = new MemoryRateLimitStore({ clock: () => 0 })
    const far = new RateLimiter({ name: 'far', store })
    const near = new RateLimiter({ name: 'near', store: atOnce })
    const [a, b] = ['a', 'b'].map((name) => new RateLimiter({ name, clock: () => 0 })) as [RateLimiter, RateLimiter]
    for (const order of [
      [far, near, a, b],
      [near, far, a, b],
      [a, near, b, far],
    ]) {
      for (const each of [far, near, a, b]) await each.reset(address)
      asked.consume = 0
      expect(await new RateLimits(untyped<RateLimiter[]>(order)).decide(request())).toEqual({ allowed: true })
      for (const each of [far, near, a, b]) expect(await each.peek(address)).toMatchObject({ remaining: 9 })
      expect(asked.consume).toBe(1)
    }
  })

  it('takes nothing from memory if one of several was used up while a store was asked', async () => {
    const { store, hold } = remote()
    const shared = new RateLimiter({ name: 'shared', store })
    const wide = new RateLimiter({ name: 'wide', capacity: 10, clock: () => 0 })
    const narrow = new RateLimiter({ name: 'narrow', capacity: 1, clock: () => 0 })
    const open = hold()
    const pending = new RateLimits<RateLimitStore | undefined>([wide, narrow, shared]).decide(request())
    expect(narrow.decide(request())).toEqual({ allowed: true })
    open()
    expect(await pending).toMatchObject({ allowed: false, rule: 'narrow', retryAfterSeconds: 1 })
    expect(wide.peek(address)).toMatchObject({ remaining: 10 })
    expect([wide.counters.denied, narrow.counters.denied]).toEqual([0, 1])
  })

  it('denies if a store that answers at once allows when it is looked at, and denies when it is asked', async () => {
    const fickle: RateLimitStore = {
      peek: () => ({ allowed: true, remaining: 1 }),
      consume: () => ({ allowed: false, remaining: 0, retryAfterSeconds: 7 }),
      reset: () => {},
    }
    const limits = new RateLimits<RateLimitStore>([
      new RateLimiter({ name: 'fickle', store: fickle }),
      new RateLimiter({ name: 'steady', store: new MemoryRateLimitStore() }),
    ])
    expect(await limits.decide(request())).toMatchObject({ allowed: false, rule: 'fickle', retryAfterSeconds: 7 })
  })

  it('says that a store failed rather than that somebody is banned for whom it would never pass', async () => {
    const broken = { ...remote().store, peek: () => untyped(null) }
    const bans = new BanList({ clock: () => 0 })
    bans.ban(address, 60)
    const limits = new RateLimits<RateLimitStore | undefined>([
      new RateLimiter({ name: 'bans', capacity: 1, bans, clock: () => 0 }),
      new RateLimiter({ name: 'broken', store: untyped<RateLimitStore>(broken) }),
    ])
    expect(await limits.decide({ ...request(), cost: 5 })).toMatchObject({ denialReason: 'internal_error' })
  })

  it('denies when a store fails before or between, and never what it did not take from all', async () => {
    const failing = (method: 'peek' | 'consume'): RateLimitStore => ({
      ...remote().store,
      [method]: async () => {
        throw new Error('no connection')
      },
    })
    for (const method of ['peek', 'consume'] as const) {
      const broken = new RateLimiter({ name: 'broken', store: failing(method) })
      const local = new RateLimiter({ name: 'local', capacity: 10, clock: () => 0 })
      const heard: unknown[] = []
      const chain = new MiddlewareChain([new RateLimits([local, broken])], { onError: (error) => heard.push(error) })
      expect(await chain.decide(request())).toMatchObject({ allowed: false, denialReason: 'internal_error' })
      expect(heard).toHaveLength(1)
      expect(local.peek(address)).toMatchObject({ remaining: 10 })
      expect(broken.counters).toMatchObject({ allowed: 0, failed: 1 })
    }
  })

  it('denies when a store has nothing left that had something a moment ago', () => {
    const memory = new MemoryRateLimitStore({ clock: () => 0 })
    // Somebody else takes the last token between the two questions.
    const store: RateLimitStore = {
      reset: () => {},
      peek: () => ({ allowed: true, remaining: 1 }),
      consume: (key, bucket) => {
        memory.consume(key, bucket, 1)
        return memory.consume(key, bucket, 1)
      },
    }
    const shared = new RateLimiter({ name: 'shared', store, capacity: 1 })
    const local = new RateLimiter({ name: 'local', capacity: 10, clock: () => 0 })
    expect(new RateLimits([shared, local]).decide(request())).toMatchObject({ allowed: false, rule: 'shared' })
    expect(local.peek(address)).toMatchObject({ remaining: 10 })
  })

  it('tells somebody who is banned the rest of the ban without asking the store', () => {
    const bans = new BanList({ tolerated: 1, clock: () => 0 })
    const store = new MemoryRateLimitStore({ clock: () => 0 })
    const shared = new RateLimiter({ name: 'shared', store, capacity: 1, bans })
    for (let i = 0; i < 3; i++) shared.decide(request())
    shared.reset(address)
    expect(shared.decide(request())).toMatchObject({ allowed: false, detail: 'banned', retryAfterSeconds: 60 })
    expect(shared.peek(address)).toMatchObject({ allowed: true, remaining: 1 })
  })

  it('says that a store failed rather than that another limit refused', async () => {
    const store = { ...remote().store, peek: () => untyped(null) }
    const broken = new RateLimiter({ name: 'broken', store: untyped<RateLimitStore>(store) })
    const local = new RateLimiter({ name: 'local', capacity: 1, clock: () => 0 })
    const limits = new RateLimits([local, broken])
    expect(await limits.decide({ ...request(), cost: 5 })).toMatchObject({ denialReason: 'internal_error' })
  })
})
