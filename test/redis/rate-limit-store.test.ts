import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { inspect, isDeepStrictEqual } from 'node:util'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { RateLimiter } from '../../src/middleware/rate-limiter.ts'
import {
  type RedisClient,
  type RedisEvent,
  RedisRateLimitStore,
  type RedisRateLimitStoreOptions,
} from '../../src/redis/index.ts'
import { request, untyped } from '../middleware/requests.ts'
import { freePorts } from '../support/free-ports.ts'
import { startChild } from '../support/run-child.ts'
import { listening } from '../support/tls-server.ts'
import { CLIENT_NAMES, clientOf, lookInto, proxyTo } from './clients.ts'
import type { HammerReport } from './hammer-child.ts'
import { haveRedis, RedisServer } from './redis-server.ts'

/** Ten tokens, of which one comes back in a quarter of an hour. */
const SLOW = { capacity: 10, refillPerSecond: 1 / 900 }

const server = new RedisServer()
beforeAll(async () => {
  if (haveRedis) await server.start()
})
afterAll(() => server.remove())

function storeOver(client: RedisClient, options: Partial<RedisRateLimitStoreOptions> = {}) {
  const events: RedisEvent[] = []
  const store = new RedisRateLimitStore(client, {
    fleetSize: 1,
    // Where time is not the subject, a busy machine is no outage.
    timeoutMs: 10_000,
    slowMs: 10_000,
    retryMs: 10,
    onEvent: (event) => events.push(event),
    ...options,
  })
  /** How many of so many requests are admitted, each of one token. */
  const admitted = async (times: number, key = 'key'): Promise<number> => {
    const answers = await Promise.all(Array.from({ length: times }, () => store.consume(key, SLOW, 1)))
    return answers.filter(({ allowed }) => allowed).length
  }
  /** Asks, about somebody else, until Redis answers. */
  const back = () =>
    vi.waitUntil(
      async () => {
        await store.peek('somebody else', SLOW, 1)
        return store.isUp
      },
      { timeout: 10_000, interval: 5 },
    )
  return { store, events, kinds: () => events.map(({ kind }) => kind), admitted, back }
}

describe.runIf(haveRedis)('RedisRateLimitStore', () => {
  beforeEach(async () => {
    await lookInto(server).flushall()
  })

  it('is a store that limiters share', async () => {
    const stores = [await clientOf('redis', server), await clientOf('ioredis', server)].map((client) =>
      storeOver(client),
    )
    const limiters = stores.map(({ store }) => new RateLimiter({ capacity: 2, refillPerSecond: 0.001, store }))
    const answers = []
    for (const limiter of [...limiters, ...limiters]) answers.push(await limiter.decide(request()))
    expect(answers.map(({ allowed }) => allowed)).toEqual([true, true, false, false])
    expect(answers[3]).toMatchObject({ denialReason: 'rate_limit', retryAfterSeconds: expect.closeTo(1000, -1) })
  })

  it('keeps no address, host or path in Redis that can be read', async () => {
    const redis = lookInto(server)
    const { store } = storeOver(redis, { secret: 'a secret of the whole fleet' })
    const limiter = new RateLimiter({ by: ['address', 'host', 'path'], store })
    await limiter.decide(request())
    const [key = '', ...others] = await redis.keys('*')
    expect(others).toEqual([])
    expect(key).toMatch(/^tlacacoca:limit:[\w-]{43}$/)
    expect(JSON.stringify(await redis.hgetall(key))).toMatch(/^\{"10\/1":"1000@\d{13}"\}$/)
  })

  it('makes other keys of another secret, and of every other text', () => {
    const nobody: RedisClient = async () => null
    const named = (secret: string | undefined, key: string): string =>
      storeOver(nobody, secret === undefined ? {} : { secret }).store.keyOf(key)
    const keys = [
      named(undefined, 'key'),
      named('0123456789abcdef', 'key'),
      named('0123456789abcdeg', 'key'),
      named(undefined, 'key '),
      named(undefined, '\ud800'),
      named(undefined, '\ud801'),
      named(undefined, '\ufffd'),
    ]
    expect(new Set(keys).size).toBe(keys.length)
    expect(named('0123456789abcdef', 'key')).toBe(keys[1])
  })

  it('leaves nothing in Redis for longer than it is worth something', async () => {
    const redis = lookInto(server)
    const { store } = storeOver(redis)
    const ttl = async (): Promise<number> => redis.pttl(store.keyOf('key'))
    const aTenth = { capacity: 10, refillPerSecond: 0.1 }
    await store.peek('key', aTenth, 1)
    expect(await ttl()).toBe(-2)
    await store.consume('key', aTenth, 2)
    expect(await ttl()).toBeGreaterThan(20_000)
    expect(await ttl()).toBeLessThanOrEqual(21_000)
    await store.consume('key', { capacity: 10, refillPerSecond: 10 }, 1)
    expect(await ttl()).toBeGreaterThan(19_000)
    await store.consume('key', aTenth, 3)
    expect(await ttl()).toBeGreaterThan(49_000)
  })

  it.each(CLIENT_NAMES)('sends the script again through %s where it was forgotten', async (name) => {
    const { admitted, store } = storeOver(await clientOf(name, server))
    expect(await admitted(3)).toBe(3)
    await lookInto(server).script('FLUSH')
    expect(await admitted(9)).toBe(7)
    expect(store.counters).toEqual({ answered: 12, slow: 0, failed: 0, timedOut: 0, outages: 0, local: 0 })
  })

  it('admits exactly the burst when 8 processes hammer one key', async () => {
    const args = [server.path, 'hammer:', '1', '100', '200', '20', 'ours']
    const children = Array.from({ length: 8 }, () => startChild('../redis/hammer-child.ts', { args }))
    for (const child of children) expect(await child.line()).toBe('ready')
    for (const child of children) child.send('go')
    const reports = await Promise.all(children.map(async (child) => JSON.parse((await child.line()) ?? '')))
    expect((reports as HammerReport[]).reduce((sum, { admitted }) => sum + admitted, 0)).toBe(100)
    await Promise.all(children.map(({ ended }) => ended))
  })

  it('needs no more rights than we document', async () => {
    const admin = lookInto(server)
    const rights = [
      '~tlacacoca:limit:*',
      '-@all',
      ...'evalsha eval del hdel time hget hset pttl pexpire'.split(' ').map((name) => `+${name}`),
    ]
    await admin.call('ACL', 'SETUSER', 'limits', 'on', '>password', ...rights)
    const client = lookInto(server)
    await client.auth('limits', 'password')
    const { store } = storeOver(client, { local: null })
    await admin.script('FLUSH')
    expect(await store.consume('key', SLOW, 10)).toMatchObject({ allowed: true })
    expect(await store.consume('key', SLOW, 1)).toMatchObject({ allowed: false })
    await store.reset('key', SLOW)
    await store.reset('key')
    expect(await store.peek('key', SLOW, 10)).toMatchObject({ allowed: true })
  })

  it('does not take its own tardiness for that of Redis', async () => {
    const listener = createServer()
    const there = connect(await listening(listener), '127.0.0.1')
    const [here] = (await once(listener, 'connection')) as [Socket]
    onTestFinished(() => {
      there.destroy()
      here.destroy()
      listener.close()
    })
    // The answer arrives at once, and nobody reads it before the time is over.
    const client: RedisClient = async () => {
      const answered = once(there, 'data')
      here.write('0')
      return String((await answered)[0])
    }
    const { store } = storeOver(client, { timeoutMs: 5 })
    const answer = store.consume('key', SLOW, 1)
    for (const end = performance.now() + 50; performance.now() < end; );
    expect(await answer).toEqual({ allowed: true, remaining: 9 })
    expect(store.counters).toMatchObject({ answered: 1, timedOut: 0, local: 0 })
  })
})

describe.runIf(haveRedis).each(CLIENT_NAMES)('while Redis is away, RedisRateLimitStore over %s', (name) => {
  it('gives its part of the limit, and comes back by itself', async () => {
    const own = await new RedisServer().start()
    try {
      const client = await clientOf(name, own)
      const { store, admitted, kinds, back } = storeOver(client, { fleetSize: 4 })
      expect(await admitted(8)).toBe(8)
      await own.kill()
      expect(await admitted(50)).toBe(3)
      expect(await admitted(50)).toBe(0)
      expect(store.isUp).toBe(false)
      expect(kinds()).toEqual(['down'])
      await own.start()
      await back()
      expect(kinds()).toEqual(['down', 'up'])
      // It has forgotten everything, which is one burst more, and not one for each question.
      expect(await admitted(50)).toBe(10)
      expect(store.counters).toMatchObject({ outages: 1, local: expect.any(Number) })
    } finally {
      await own.remove()
    }
  })

  // What is killed forgets everything, and so gives the burst once more.
  it.each([
    { fault: 'the line is cut', forgotten: 0 },
    { fault: 'Redis is killed and started again', forgotten: 5 },
  ])('gives no more than is documented where $fault under load, over and over', async ({ fault, forgotten }) => {
    const own = await new RedisServer().start()
    try {
      const proxy = await proxyTo(own.path)
      const fleet: ReturnType<typeof storeOver>[] = []
      for (let i = 0; i < 4; i++) {
        fleet.push(storeOver(await clientOf(name, { port: proxy.port }), { fleetSize: 4, retryMs: 5 }))
      }
      let sum = 0
      let asked = 0
      const load = async (rounds: number): Promise<void> => {
        for (let round = 0; round < rounds; round++) {
          for (const got of await Promise.all(fleet.map(({ admitted }) => admitted(5)))) sum += got
          asked += 20
          await setImmediate()
        }
      }
      for (let outage = 0; outage < 5; outage++) {
        // In the middle of the calls: some of them were done, and nobody will know.
        const failing = setImmediate().then(() => (forgotten === 0 ? proxy.cut() : own.kill()))
        await load(5)
        await failing
        if (forgotten > 0) await own.start()
        await Promise.all(fleet.map(({ back }) => back()))
        await load(2)
      }
      expect(asked).toBe(700)
      expect(sum).toBeGreaterThanOrEqual(10)
      // 3 of each: parts are rounded up.
      expect(sum, fault).toBeLessThanOrEqual(10 + 4 * 3 + forgotten * 10)
      expect(fleet.flatMap(({ kinds }) => kinds()).filter((kind) => kind === 'down').length).toBeGreaterThan(0)
    } finally {
      await own.remove()
    }
  })

  it('goes on with a replica that takes over, and gives once more only what that had not heard of', async () => {
    const [port = 0] = await freePorts(1)
    const primary = await new RedisServer({ port: String(port), bind: '127.0.0.1' }).start()
    const replica = await new RedisServer({ replicaof: `127.0.0.1 ${port}` }).start()
    try {
      const proxy = await proxyTo(primary.path)
      const { store, admitted, kinds, back } = storeOver(await clientOf(name, { port: proxy.port }), { fleetSize: 5 })
      const [beside, before] = [lookInto(replica), lookInto(primary)]
      expect(await admitted(3)).toBe(3)
      const known = await before.hgetall(store.keyOf('key'))
      await vi.waitUntil(async () => isDeepStrictEqual(await beside.hgetall(store.keyOf('key')), known), {
        timeout: 10_000,
        interval: 5,
      })
      await beside.replicaof('NO', 'ONE')
      expect(await admitted(4)).toBe(4)
      await primary.kill()
      expect(await admitted(20)).toBe(2)
      proxy.path = replica.path
      await back()
      expect(await admitted(20)).toBe(7)
      expect(kinds()).toEqual(['down', 'up'])
    } finally {
      await primary.remove()
      await replica.remove()
    }
  })

  it('waits for no answer longer than it was told, and for none after the first, and leaves a dead connection', async () => {
    const proxy = await proxyTo(server.path)
    const client = await clientOf(name, { port: proxy.port })
    const { store, admitted, events, back } = storeOver(client, { fleetSize: 2, timeoutMs: 300, retryMs: 100 })
    await lookInto(server).flushall()
    expect(await admitted(2, 'a')).toBe(2)
    proxy.silence()
    expect(await admitted(20, 'a')).toBe(5)
    expect(events).toMatchObject([{ kind: 'down', error: { message: 'Redis did not answer within 300 ms' } }])
    const { timedOut } = store.counters
    expect(timedOut).toBe(20)
    for (let i = 0; i < 100; i++) await store.consume('b', SLOW, 1)
    expect(store.counters.local).toBeGreaterThanOrEqual(120)
    await back()
    // Redis had counted what it was asked for before nobody heard its answers.
    expect(await admitted(20, 'a')).toBe(0)
  })
})

describe.runIf(haveRedis)('RedisRateLimitStore, when Redis misbehaves,', () => {
  beforeEach(async () => {
    await lookInto(server).flushall()
  })

  it('tells of slow answers, once a second, and waits for them', async () => {
    const proxy = await proxyTo(server.path)
    const client = await clientOf('redis', { port: proxy.port })
    const time = { ms: 0 }
    const { store, events } = storeOver(client, {
      slowMs: 5,
      timeoutMs: 10_000,
      clock: () => performance.now() + time.ms,
    })
    proxy.delayMs = 20
    for (let i = 0; i < 3; i++) await store.consume('key', SLOW, 1)
    expect(events).toEqual([{ kind: 'slow', latencyMs: expect.any(Number) }])
    time.ms += 1000
    await store.consume('key', SLOW, 1)
    expect(events.length).toBe(2)
    expect(store.counters).toMatchObject({ slow: 4, answered: 4, outages: 0 })
  })

  it('goes on after it froze, and what was used before is used', async () => {
    const own = await new RedisServer().start()
    try {
      const { admitted, back, kinds } = storeOver(await clientOf('ioredis', own), { timeoutMs: 300, fleetSize: 10 })
      expect(await admitted(10)).toBe(10)
      own.freeze()
      expect(await admitted(10)).toBe(1)
      own.thaw()
      await back()
      expect(await admitted(10)).toBe(0)
      expect(kinds()).toEqual(['down', 'up'])
    } finally {
      own.thaw()
      await own.remove()
    }
  })

  it('gives one burst more after a fail-over that forgets, and no more', async () => {
    const { admitted, kinds } = storeOver(await clientOf('iovalkey', server))
    expect(await admitted(20)).toBe(10)
    await lookInto(server).flushall()
    expect(await admitted(20)).toBe(10)
    expect(kinds()).toEqual([])
  })

  // What can only be read would be back with each question, and away again with the next request.
  it.each([
    { what: 'is a replica', fault: ['REPLICAOF', '127.0.0.1', '1'], end: ['REPLICAOF', 'NO', 'ONE'] },
    {
      what: 'has no memory left',
      fault: ['CONFIG', 'SET', 'maxmemory', '1'],
      end: ['CONFIG', 'SET', 'maxmemory', '0'],
    },
  ])('stays away as long as it $what, and takes nothing meanwhile', async ({ fault, end }) => {
    const own = await new RedisServer().start()
    try {
      const admin = lookInto(own)
      const { store, admitted, kinds, back } = storeOver(lookInto(own), { fleetSize: 5, retryMs: 1 })
      expect(await admitted(3)).toBe(3)
      const [verb = '', ...rest] = fault
      await admin.call(verb, ...rest)
      expect(await admitted(5)).toBe(2)
      await vi.waitUntil(
        async () => {
          await store.consume('somebody else', SLOW, 1)
          return store.counters.failed >= 8
        },
        { timeout: 10_000, interval: 2 },
      )
      expect([store.isUp, kinds()]).toEqual([false, ['down']])
      const [last = '', ...others] = end
      await admin.call(last, ...others)
      await back()
      expect(kinds()).toEqual(['down', 'up'])
      expect(await admitted(20)).toBe(7)
    } finally {
      await own.remove()
    }
  })

  it.each([
    ['something else stands under the key', (key: string) => lookInto(server).set(key, 'x')],
    ['a field is damaged', (key: string) => lookInto(server).hset(key, '10/0.0011111111111111111', 'x')],
    ['a number in it is too large', (key: string) => lookInto(server).hset(key, '10/0.0011111111111111111', '9e99@1')],
  ])('does not take a bucket for full where %s', async (_, damage) => {
    const { store, admitted, kinds } = storeOver(await clientOf('redis', server), { fleetSize: 5 })
    await damage(store.keyOf('key'))
    expect(await admitted(10)).toBe(2)
    expect(kinds()).toEqual(['down'])
  })
})

describe('RedisRateLimitStore over a client that', () => {
  const never = new Promise<never>(() => {})

  it.each([
    ['rejects', () => Promise.reject(new Error('no'))],
    [
      'throws',
      () => {
        throw new Error('no')
      },
    ],
    [
      'has a call that throws',
      {
        call() {
          throw new Error('no')
        },
      },
    ],
    ['answers null', async () => null],
    ['answers a text', async () => 'OK'],
    ['answers less than nothing', async () => -1],
    ['answers more than there can be', async () => 2 ** 53],
    ['answers half a unit', async () => '0.5'],
    ['answers spaces', async () => ' '],
    ['answers no bytes', async () => Buffer.alloc(0)],
    ['answers an empty text', async () => ''],
    ['answers a list', async () => []],
    ['never answers', () => never],
  ])('%s never gets more than the part of this process', async (_, client) => {
    const { admitted, kinds } = storeOver(client, { fleetSize: 3, timeoutMs: 20 })
    expect(await admitted(100)).toBe(4)
    expect(kinds()).toEqual(['down'])
  })

  it.each([
    ['numbers', 9 * 864e5],
    ['texts', `${9 * 864e5}`],
    ['bytes', Buffer.from(`${9 * 864e5}`)],
    ['bigints', BigInt(9 * 864e5)],
  ])('gives whole numbers as %s is understood', async (_, answer) => {
    const { store } = storeOver(async () => answer)
    const bucket = { capacity: 10, refillPerSecond: 1 / 86_400 }
    expect(await store.consume('key', bucket, 1)).toEqual({ allowed: true, remaining: 0 })
    expect(await store.consume('key', bucket, 2)).toEqual({ allowed: false, remaining: 1, retryAfterSeconds: 86_400 })
  })

  it('fails makes requests fail where nobody is to answer instead', async () => {
    const { store } = storeOver(() => Promise.reject(new Error('no')), { local: null })
    for (let i = 0; i < 2; i++) {
      await expect(store.consume('key', SLOW, 1)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_FAILED' })
      await expect(store.peek('key', SLOW, 1)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_FAILED' })
    }
    const limiter = new RateLimiter({ store })
    expect(await limiter.decide(request())).toMatchObject({ allowed: false, denialReason: 'internal_error' })
  })

  it('fails makes a reset fail, which fills the local bucket all the same', async () => {
    const failing: RedisClient[] = [
      () => Promise.reject(new Error('no')),
      {
        call() {
          throw new Error('no')
        },
      },
    ]
    for (const client of failing) {
      const { store, admitted } = storeOver(client)
      for (const bucket of [undefined, SLOW]) {
        expect(await admitted(11)).toBe(10)
        const cause = { message: 'no' }
        await expect(store.reset('key', bucket)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_FAILED', cause })
      }
      expect(await admitted(11)).toBe(10)
    }
  })

  it('is away is asked once in a while, by questions that take nothing', async () => {
    const time = { ms: 0 }
    const asked: (readonly string[])[] = []
    const client: RedisClient = async (command) => {
      asked.push(command)
      throw new Error('no')
    }
    const { store } = storeOver(client, { retryMs: 1000, clock: () => time.ms })
    const costs = (): number[] => asked.splice(0).map((command) => Number(command.at(-3)))
    await store.consume('key', SLOW, 1)
    expect(costs()).toEqual([900_000])
    for (const [ms, expected] of [
      [999, []],
      [1, [0]],
      [999, []],
      [1, [0]],
    ] as const) {
      time.ms += ms
      for (let i = 0; i < 5; i++) await store.consume('key', SLOW, 1)
      expect(costs()).toEqual(expected)
    }
  })

  it('keeps commands until it is connected is not given many', async () => {
    const time = { ms: 0 }
    let asked = 0
    const client: RedisClient = () => {
      asked++
      return never
    }
    const { store } = storeOver(client, { retryMs: 1000, timeoutMs: 1, clock: () => time.ms })
    await store.consume('key', SLOW, 1)
    for (; time.ms <= 60_000; time.ms += 100) await store.consume('key', SLOW, 1)
    expect(asked).toBe(1 + 6)
  })

  it('answers two questions at once, after a long time, is back once', async () => {
    const time = { ms: 0 }
    const answers: ((answer: number) => void)[] = []
    const client: RedisClient = () => {
      if (time.ms === 0) return Promise.reject(new Error('no'))
      return new Promise((resolve) => answers.push(resolve))
    }
    const { store, events } = storeOver(client, { retryMs: 1000, clock: () => time.ms })
    await store.consume('key', SLOW, 1)
    for (const ms of [1000, 11_000]) {
      time.ms = ms
      await store.consume('key', SLOW, 1)
    }
    expect(answers).toHaveLength(2)
    for (const answer of answers) answer(0)
    await setImmediate()
    expect(events).toEqual([
      { kind: 'down', error: expect.objectContaining({ message: 'no' }) },
      { kind: 'up', downMs: 11_000 },
    ])
    expect(store.isUp).toBe(true)
  })

  it('is away hears of costs that the local part never holds, and when to ask again', async () => {
    const { store } = storeOver(() => Promise.reject(new Error('no')), { fleetSize: 4, retryMs: 2500 })
    expect(await store.consume('key', SLOW, 4)).toEqual({ allowed: false, remaining: 3, retryAfterSeconds: 3 })
    expect(await store.consume('key', SLOW, 11)).toEqual({ allowed: false, remaining: 3 })
    expect(await store.consume('key', SLOW, 3)).toMatchObject({ allowed: true })
    expect(await store.consume('key', SLOW, 1)).toMatchObject({ allowed: false, retryAfterSeconds: 3600 })
  })

  it('has both calls is asked in the way of ioredis', async () => {
    const asked: string[] = []
    const client = {
      async call(...command: string[]) {
        asked.push(...command)
        return 0
      },
      async sendCommand() {
        throw new Error('not this one')
      },
    }
    await storeOver(client).store.consume('key', SLOW, 1)
    expect(asked[0]).toBe('EVALSHA')
  })

  it('hangs what it was asked on its errors is not repeated', async () => {
    const client: RedisClient = async (command) => {
      const args = [...command, 'AUTH', 'hush']
      throw Object.assign(new Error('no'), { code: 'ECONNRESET', command: { args }, lastNodeError: args })
    }
    const { store, events } = storeOver(client, { local: null })
    const error = await store.consume('key', SLOW, 1).catch((failure) => failure)
    expect(error).toMatchObject({ code: 'ERR_TLACACOCA_STORE_FAILED', cause: { message: 'no', code: 'ECONNRESET' } })
    expect(events).toMatchObject([{ kind: 'down', error: { message: 'no', code: 'ECONNRESET' } }])
    const shown = inspect([error, events], { depth: 9, showHidden: true })
    expect(shown).not.toMatch(/hush|EVALSHA/)
  })

  it('is asked the same about a bucket after ten thousand others, of which it did not keep all', async () => {
    const asked: (readonly string[])[] = []
    const { store } = storeOver(async (command) => {
      asked.push(command)
      return 0
    })
    const first = await store.consume('key', SLOW, 1)
    for (let n = 1; n <= 10_000; n++) await store.peek('key', { capacity: (n % 100) + 1, refillPerSecond: n }, 1)
    expect(await store.consume('key', SLOW, 1)).toEqual(first)
    expect(asked).toHaveLength(10_002)
    expect(asked.at(-1)).toEqual(asked[0])
  })

  it.each([
    ['a thenable and no more', '({ then: (done) => done(3) })'],
    ['a promise of another realm', 'Promise.resolve(3)'],
  ])('answers by %s is understood', async (_, promised) => {
    const client = (): Promise<unknown> => runInNewContext(promised)
    for (const each of [client, { call: client }, { sendCommand: client }]) {
      const { store, events } = storeOver(each)
      expect(await store.consume('key', SLOW, 1)).toMatchObject({ allowed: true })
      await store.reset('key')
      expect(events).toEqual([])
    }
  })

  it('does not know the script, by an error of another realm, gets it', async () => {
    const { store, events } = storeOver(async ([name]) => {
      if (name === 'EVALSHA') throw runInNewContext('new Error("NOSCRIPT No matching script.")')
      return 0
    })
    expect(await store.consume('key', SLOW, 1)).toMatchObject({ allowed: true })
    expect(events).toEqual([])
  })

  it('throws in its listener changes nothing', async () => {
    const onEvent = (): never => {
      throw new Error('listener')
    }
    const store = new RedisRateLimitStore(() => Promise.reject(new Error('no')), { fleetSize: 1, onEvent })
    expect(await store.consume('key', SLOW, 1)).toMatchObject({ allowed: true })
  })
})

describe('RedisRateLimitStore refuses', () => {
  const client: RedisClient = async () => 0
  it.each([
    ['no client', () => new RedisRateLimitStore(undefined as unknown as RedisClient, { fleetSize: 1 }), '"client"'],
    ['no options', () => new RedisRateLimitStore(client, undefined as unknown as { fleetSize: 1 }), '"options"'],
    ['no fleet', () => new RedisRateLimitStore(client, {} as unknown as { fleetSize: 1 }), '"fleetSize"'],
    ['a fleet of none', () => new RedisRateLimitStore(client, { fleetSize: 0 }), '"fleetSize"'],
    ['half a server', () => new RedisRateLimitStore(client, { fleetSize: 1.5 }), '"fleetSize"'],
    ['no time', () => new RedisRateLimitStore(client, { fleetSize: 1, timeoutMs: 0 }), '"timeoutMs"'],
    ['no pause', () => new RedisRateLimitStore(client, { fleetSize: 1, retryMs: 0 }), '"retryMs"'],
    [
      'a time that timers cannot wait',
      () => new RedisRateLimitStore(client, { fleetSize: 1, timeoutMs: 1e10 }),
      '"timeoutMs"',
    ],
    ['a short secret', () => new RedisRateLimitStore(client, { fleetSize: 1, secret: 'secret' }), '"secret"'],
    [
      'half a local store',
      () => new RedisRateLimitStore(client, { fleetSize: 1, local: untyped({}) }),
      '"local.consume"',
    ],
    ['a misspelt option', () => new RedisRateLimitStore(client, { fleetSize: 1, ...{ timeout: 5 } }), 'timeout'],
  ])('%s', (_, make, message) => {
    expect(make).toThrow(message)
  })

  it('never shows the secret', () => {
    expect(() => new RedisRateLimitStore(client, { fleetSize: 1, secret: 'hush' })).toThrow(/^(?!.*hush)/)
  })
})
