import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { BanList, type BanListOptions } from '../../src/middleware/ban-list.ts'
import { parseClientAddress } from '../../src/names/client-address.ts'
import { type RedisClient, type RedisEvent, type ShareBansOptions, shareBans } from '../../src/redis/index.ts'
import { CLIENT_NAMES, clientOf, lookInto, proxyTo } from './clients.ts'
import { haveRedis, RedisServer } from './redis-server.ts'

const server = new RedisServer()
beforeAll(async () => {
  if (haveRedis) await server.start()
})
afterAll(() => server.remove())

const at = parseClientAddress

interface ServerOptions extends ShareBansOptions {
  readonly list?: BanListOptions
}

/** One server of a fleet. It looks for news when it is told to, and hardly ever by itself. */
async function startServer(client: RedisClient, { list, ...options }: ServerOptions = {}) {
  const events: RedisEvent[] = []
  const bans = new BanList({ tolerated: 1, ...list })
  const sharing = await shareBans(bans, client, {
    pollMs: 3_600_000,
    timeoutMs: 10_000,
    slowMs: 10_000,
    retryMs: 10,
    onEvent: (event) => events.push(event),
    ...options,
  })
  onTestFinished(() => sharing.close())
  return { bans, sharing, events, left: (text: string): number => bans.secondsLeft(at(text)) }
}

describe.runIf(haveRedis).each(CLIENT_NAMES)('shareBans over %s', (name) => {
  beforeEach(async () => {
    await lookInto(server).flushall()
  })

  it('bans everywhere who is banned somewhere, by offences or by hand, and lifts everywhere', async () => {
    const a = await startServer(await clientOf(name, server))
    const b = await startServer(await clientOf(name, server))
    while (a.bans.report(at('192.0.2.1')) === 0);
    a.bans.ban(at('2001:db8::1'), 600)
    await a.sharing.sync()
    expect([b.left('192.0.2.1'), b.left('2001:db8::1')]).toEqual([0, 0])
    await b.sharing.sync()
    expect(b.left('192.0.2.1')).toBe(60)
    expect(b.left('2001:db8::ffff')).toBe(600)
    expect(b.bans.opened(at('192.0.2.1'))).toEqual({ accept: false, detail: 'banned' })
    expect(b.left('192.0.2.2')).toBe(0)

    b.bans.lift(at('192.0.2.1'))
    await b.sharing.sync()
    await a.sharing.sync()
    expect([a.left('192.0.2.1'), a.left('2001:db8::1')]).toEqual([0, 600])
    expect(a.sharing.counters).toMatchObject({ told: 2, applied: 1, ignored: 0, dropped: 0 })
    expect(b.sharing.counters).toMatchObject({ told: 1, applied: 2 })
  })

  it('tells a server that starts of the bans that run', async () => {
    const a = await startServer(await clientOf(name, server))
    a.bans.ban(at('192.0.2.1'), 600)
    a.bans.ban(at('192.0.2.2'), 600)
    a.bans.lift(at('192.0.2.2'))
    await a.sharing.sync()
    const b = await startServer(await clientOf(name, server))
    expect([b.left('192.0.2.1'), b.left('192.0.2.2')]).toEqual([600, 0])
  })

  it('keeps bans while Redis is away, and tells of them when it is back', async () => {
    const own = await new RedisServer().start()
    try {
      const a = await startServer(await clientOf(name, own))
      const b = await startServer(await clientOf(name, own))
      a.bans.ban(at('192.0.2.1'), 600)
      await a.sharing.sync()
      await own.kill()
      a.bans.ban(at('192.0.2.2'), 600)
      b.bans.ban(at('192.0.2.3'), 600)
      await Promise.all([a.sharing.sync(), b.sharing.sync()])
      expect([a.sharing.isUp, a.left('192.0.2.2'), b.left('192.0.2.3')]).toEqual([false, 600, 600])
      await own.start()
      for (const { sharing } of [a, b]) {
        await vi.waitUntil(
          async () => {
            await sharing.sync()
            return sharing.isUp
          },
          { timeout: 10_000, interval: 5 },
        )
      }
      for (const { sharing } of [a, b, a]) await sharing.sync()
      expect([a.left('192.0.2.3'), b.left('192.0.2.2')]).toEqual([600, 600])
      expect(a.events.map(({ kind }) => kind)).toEqual(['down', 'up'])
    } finally {
      await own.remove()
    }
  })
})

describe.runIf(haveRedis)('shareBans', () => {
  const who = '192.0.2.1'

  beforeEach(async () => {
    await lookInto(server).flushall()
  })

  /** Two servers, and what stands in Redis. */
  async function pair(options: ServerOptions = {}) {
    const redis = lookInto(server)
    return { redis, a: await startServer(redis, options), b: await startServer(lookInto(server), options) }
  }

  it('needs no more rights than we document', async () => {
    const rights = [
      '~tlacacoca:bans',
      '-@all',
      ...'evalsha eval time xadd xread xrevrange pttl pexpire'.split(' ').map((name) => `+${name}`),
    ]
    const admin = lookInto(server)
    await admin.call('ACL', 'SETUSER', 'bans', 'on', '>password', ...rights)
    const client = lookInto(server)
    await client.auth('bans', 'password')
    await admin.script('FLUSH')
    const a = await startServer(client)
    a.bans.ban(at(who), 600)
    await a.sharing.sync()
    const b = await startServer(client)
    expect([b.left(who), a.events, b.events]).toEqual([600, [], []])
  })

  it('does not tell on what it was told', async () => {
    const { redis, a, b } = await pair()
    a.bans.ban(at(who), 600)
    for (const { sharing } of [a, b, a, b]) await sharing.sync()
    expect(await redis.xlen('tlacacoca:bans')).toBe(1)
    expect([a.bans.counters.bans, b.bans.counters.bans]).toEqual([1, 1])
  })

  it('looks for news by itself', async () => {
    const { a } = await pair()
    const b = await startServer(lookInto(server), { pollMs: 5 })
    a.bans.ban(at(who), 600)
    await vi.waitUntil(() => b.left(who) === 600, { timeout: 10_000, interval: 5 })
  })

  // The order in Redis is the order that counts, wherever something was said.
  it.each([
    { last: 'lift', expected: 0 },
    { last: 'ban', expected: 600 },
  ])('agrees on one of a ban and a lift at the same time: the $last that came last', async ({ last, expected }) => {
    const { a, b } = await pair()
    const banning = async (): Promise<void> => {
      a.bans.ban(at(who), 600)
      await a.sharing.close()
    }
    const lifting = async (): Promise<void> => {
      b.bans.lift(at(who))
      await b.sharing.close()
    }
    // `close` tells without reading; afterwards both read.
    await (last === 'lift' ? banning() : lifting())
    await (last === 'lift' ? lifting() : banning())
    await a.sharing.sync()
    await b.sharing.sync()
    expect([a.left(who), b.left(who)]).toEqual([expected, expected])
  })

  // Between what was read and its answer, something happened here: it comes later in Redis, but was not read.
  it('goes by what is said here where others said the opposite just before', async () => {
    const redis = lookInto(server)
    const gate = { isShut: false, isReached: false, open: () => {} }
    const client: RedisClient = async ([verb = '', ...args]) => {
      const answer = await redis.call(verb, ...args)
      if (!gate.isShut || !Array.isArray(answer)) return answer
      gate.isReached = true
      await new Promise<void>((resolve) => {
        gate.open = resolve
      })
      return answer
    }
    const a = await startServer(lookInto(server))
    const b = await startServer(client)
    a.bans.lift(at(who))
    await a.sharing.sync()
    gate.isShut = true
    const reading = b.sharing.sync()
    await vi.waitUntil(() => gate.isReached, { timeout: 10_000, interval: 5 })
    b.bans.ban(at(who), 600)
    await vi.waitUntil(() => b.sharing.counters.told === 1, { timeout: 10_000, interval: 5 })
    gate.isShut = false
    gate.open()
    await reading
    for (const { sharing } of [a, b]) await sharing.sync()
    expect([a.left(who), b.left(who)]).toEqual([600, 600])
  })

  it('takes no ban for longer than it lasts, and none that is over', async () => {
    const { redis, b } = await pair()
    const [seconds] = await redis.time()
    const now = Number(seconds) * 1000
    await redis.xadd('tlacacoca:bans', '*', 'who', '192.0.2.1', 'until', String(now - 1), 'by', 'x')
    await redis.xadd('tlacacoca:bans', '*', 'who', '192.0.2.2', 'until', String(now + 10_000), 'by', 'x')
    await redis.xadd('tlacacoca:bans', '*', 'who', '192.0.2.3', 'until', String(8e15), 'by', 'x')
    await b.sharing.sync()
    expect(b.left('192.0.2.1')).toBe(0)
    expect(b.left('192.0.2.2')).toBeLessThanOrEqual(10)
    expect(b.left('192.0.2.2')).toBeGreaterThan(5)
    expect(b.left('192.0.2.3')).toBe(3e9)
  })

  it('passes over what it cannot read', async () => {
    const { redis, b } = await pair()
    const future = String(2e12)
    for (const [text, until] of [
      ['example.org', future],
      ['', future],
      ['192.0.2.1', 'never'],
      ['192.0.2.1', ''],
      ['192.0.2.1', '-5'],
      ['192.0.2.1', '9'.repeat(400)],
    ] as const) {
      await redis.xadd('tlacacoca:bans', '*', 'who', text, 'until', until, 'by', 'x')
    }
    await redis.xadd('tlacacoca:bans', '*', 'something', 'else')
    await redis.xadd('tlacacoca:bans', '*', 'who', '192.0.2.9', 'until', future, 'by', 'x')
    await b.sharing.sync()
    expect(b.bans.size).toBe(1)
    expect(b.left('192.0.2.9')).toBeGreaterThan(0)
    expect(b.sharing.counters).toMatchObject({ ignored: 7, applied: 1 })
  })

  it('keeps addresses from who has not the secret', async () => {
    const { redis, a, b } = await pair({ secret: 'a secret of the whole fleet' })
    const others = [
      await startServer(lookInto(server), { secret: 'another secret of a fleet' }),
      await startServer(lookInto(server)),
    ]
    a.bans.ban(at(who), 600)
    a.bans.ban(at('192.0.2.2'), 600)
    for (const { sharing } of [a, b, ...others]) await sharing.sync()
    expect([b.left(who), b.left('192.0.2.2')]).toEqual([600, 600])
    for (const { bans, sharing } of others) {
      expect(bans.size).toBe(0)
      expect(sharing.counters.ignored).toBe(2)
    }
    expect(JSON.stringify(await redis.xrange('tlacacoca:bans', '-', '+'))).not.toContain('192.0')
    // One bit of an entry is turned.
    const [[, fields] = ['', []]] = await redis.xrange('tlacacoca:bans', '-', '+')
    const sealed = Buffer.from(fields[1] ?? '', 'base64url')
    sealed.writeUInt8(sealed.readUInt8(15) ^ 1, 15)
    await redis.xadd('tlacacoca:bans', '*', 'who', sealed.toString('base64url'), 'until', String(2e12), 'by', 'x')
    // One is too short to have been sealed at all.
    await redis.xadd(
      'tlacacoca:bans',
      '*',
      'who',
      sealed.toString('base64url', 0, 27),
      'until',
      String(2e12),
      'by',
      'x',
    )
    await b.sharing.sync()
    expect(b.sharing.counters.ignored).toBe(2)
    expect(b.bans.size).toBe(2)
  })

  it('loads as many bans as there are, in pages', async () => {
    const { a } = await pair()
    for (let i = 0; i < 2500; i++) a.bans.ban(at(`10.0.${i >> 8}.${i & 255}`), 600)
    await a.sharing.sync()
    const c = await startServer(lookInto(server))
    expect(c.bans.size).toBe(2500)
  })

  it('holds no more entries than it was told, and none after the last ban is over', async () => {
    const { redis, a } = await pair({ maxEntries: 200 })
    for (let i = 0; i < 1000; i++) a.bans.ban(at(`10.0.${i >> 8}.${i & 255}`), 100)
    await a.sharing.sync()
    expect(await redis.xlen('tlacacoca:bans')).toBeLessThan(400)
    expect(await redis.pttl('tlacacoca:bans')).toBeLessThanOrEqual(100_000)
    a.bans.ban(at(who), 600)
    a.bans.ban(at('192.0.2.2'), 10)
    await a.sharing.sync()
    expect(await redis.pttl('tlacacoca:bans')).toBeGreaterThan(590_000)
  })

  it('goes on after Redis has forgotten, even where its clock went back', async () => {
    const { redis, a, b } = await pair()
    a.bans.ban(at(who), 600)
    for (const { sharing } of [a, b]) await sharing.sync()
    await redis.flushall()
    // An entry of a machine whose clock is years behind.
    await redis.xadd('tlacacoca:bans', '1000-0', 'who', '192.0.2.7', 'until', String(2e12), 'by', 'x')
    await b.sharing.sync()
    expect(b.left('192.0.2.7')).toBeGreaterThan(0)
    expect(b.left(who)).toBe(600)
    await redis.flushall()
    await b.sharing.sync()
    a.bans.ban(at('192.0.2.8'), 600)
    for (const { sharing } of [a, b]) await sharing.sync()
    expect(b.left('192.0.2.8')).toBe(600)
  })

  it('leaves exemptions and prefixes to each list', async () => {
    const { a } = await pair()
    const strict = await startServer(lookInto(server), { list: { exempt: ['192.0.2.0/24'], ipv4PrefixLength: 24 } })
    a.bans.ban(at('192.0.2.1'), 600)
    a.bans.ban(at('198.51.100.1'), 600)
    for (const { sharing } of [a, strict]) await sharing.sync()
    expect([strict.left('192.0.2.1'), strict.left('198.51.100.200')]).toEqual([0, 600])
  })

  it('starts although Redis does not answer', async () => {
    const proxy = await proxyTo(server.path)
    const client = await clientOf('iovalkey', { port: proxy.port })
    proxy.silence()
    const { bans, sharing, events } = await startServer(client, { timeoutMs: 20 })
    expect(events.map(({ kind }) => kind)).toEqual(['down'])
    bans.ban(at(who), 600)
    await sharing.sync()
    expect(bans.opened(at(who)).accept).toBe(false)
  })

  it.each(['close', Symbol.asyncDispose] as const)('ends by %s', async (end) => {
    const { redis, a, b } = await pair()
    a.bans.ban(at(who), 600)
    await a.sharing[end]()
    expect(await redis.xlen('tlacacoca:bans')).toBe(1)
    a.bans.ban(at('192.0.2.2'), 600)
    await b.sharing.sync()
    expect([b.left(who), b.left('192.0.2.2')]).toEqual([600, 0])
  })
})

describe('shareBans', () => {
  it.each([
    ['rejects', () => Promise.reject(new Error('no'))],
    ['answers a text', async () => 'OK'],
    ['answers an empty list', async () => []],
    ['answers a list of lists', async () => [[], [], []]],
    ['answers no time', async () => ['', '1-0', ['1-0', '192.0.2.1', '9', 'x']]],
  ])('resolves and bans here over a client that %s', async (_, client) => {
    const { bans, sharing } = await startServer(client)
    expect(sharing.isUp).toBe(false)
    expect(bans.ban(at('192.0.2.1'), 60)).toBe(60)
  })

  it.each([
    ['texts', (text: string): unknown => text],
    ['bytes', (text: string): unknown => Buffer.from(text)],
  ])('understands a client that gives %s', async (_, given) => {
    const entry = ['1-0', '192.0.2.1', '61000', 'x'].map(given)
    const { sharing, left } = await startServer(async () => [given('1000'), given('1-0'), entry])
    expect(sharing.isUp).toBe(true)
    expect(left('192.0.2.1')).toBe(60)
  })

  it('remembers only so much of what nobody could be told', async () => {
    const { bans, sharing } = await startServer(() => Promise.reject(new Error('no')))
    for (let i = 0; i < 10_010; i++) bans.ban(at(`10.0.${i >> 8}.${i & 255}`), 600)
    bans.ban(at('10.0.0.1'), 700)
    expect(sharing.counters).toMatchObject({ told: 0, dropped: 10 })
  })

  it.each([
    ['no list', () => shareBans(undefined as unknown as BanList, async () => 0), '"bans.ban"'],
    ['no client', () => shareBans(new BanList(), undefined as unknown as RedisClient), '"client"'],
    ['a short secret', () => shareBans(new BanList(), async () => 0, { secret: 'x' }), '"secret"'],
    [
      'a secret that is a number',
      () => shareBans(new BanList(), async () => 0, { secret: 5 as unknown as string }),
      '"secret" expected a string or bytes, got 5',
    ],
    ['no interval', () => shareBans(new BanList(), async () => 0, { pollMs: 0 }), '"pollMs"'],
    ['a misspelt option', () => shareBans(new BanList(), async () => 0, { key: 'bans', ...{ poll: 1 } }), 'poll'],
  ])('refuses %s', async (_, share, message) => {
    await expect(share()).rejects.toThrow(message)
  })
})
