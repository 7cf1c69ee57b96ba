import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { type Ban, BanList, type BanListOptions } from '../../src/middleware/ban-list.ts'
import { MiddlewareChain } from '../../src/middleware/chain.ts'
import { RateLimiter } from '../../src/middleware/rate-limiter.ts'
import type { RateLimiterOptions } from '../../src/middleware/rate-limiter-options.ts'
import { ClientAddress, parseClientAddress } from '../../src/names/client-address.ts'
import { createPlaintextServer } from '../../src/net/plaintext-server.ts'
import { request, untyped } from './requests.ts'

/** A list that tolerates two offences at once, and the hand on its clock. */
function banList(options: BanListOptions = {}) {
  const time = { ms: 0 }
  const told: Ban[] = []
  const bans = new BanList({
    clock: () => time.ms,
    tolerated: 2,
    forgivenPerSecond: 0.1,
    firstBanSeconds: 60,
    factor: 4,
    maxBanSeconds: 3600,
    forgetAfterSeconds: 10_000,
    onBan: (ban) => told.push(ban),
    ...options,
  })
  const report = (from = '192.0.2.1', weight?: number): number => bans.report(parseClientAddress(from), weight)
  const left = (from = '192.0.2.1'): number => bans.secondsLeft(parseClientAddress(from))
  /** Offends until banned, and says for how long. */
  const offend = (from?: string): number => {
    for (;;) {
      const seconds = report(from)
      if (seconds > 0) return seconds
    }
  }
  /** Waits until the ban is over. */
  const serve = (from?: string): void => {
    time.ms += left(from) * 1000
  }
  return { bans, time, told, report, left, offend, serve }
}

describe('BanList', () => {
  it('tolerates a few offences, and bans for one more', () => {
    const { report, left, bans, told } = banList()
    expect([report(), report(), left()]).toEqual([0, 0, 0])
    expect(report()).toBe(60)
    expect(left()).toBe(60)
    expect(bans.size).toBe(1)
    expect(told).toEqual([{ address: parseClientAddress('192.0.2.1'), seconds: 60, step: 0 }])
  })

  it('forgives offences over time, so that it takes many at once', () => {
    const { report, time } = banList()
    for (let i = 0; i < 100; i++) {
      expect(report()).toBe(0)
      time.ms += 10_000
    }
    expect([report(), report(), report()]).toEqual([0, 0, 60])
  })

  it('counts an offence by its weight', () => {
    const { report } = banList()
    expect(report('192.0.2.1', 0.5)).toBe(0)
    expect(report('192.0.2.1', 1.5)).toBe(0)
    expect(report('192.0.2.1', 0.01)).toBe(60)
    expect(report('192.0.2.2', 3)).toBe(60)
    expect(report('192.0.2.3', 1e300)).toBe(60)
  })

  it('tells whoever watches of every ban and every lift, until he stops', () => {
    const { bans, offend } = banList({ exempt: ['198.51.100.0/24'] })
    const seen: [string, number][] = []
    const stop = bans.watch((address, seconds) => seen.push([String(address), seconds]))
    bans.watch(() => {
      throw new Error('a listener that fails')
    })
    offend()
    bans.ban(parseClientAddress('2001:db8::1'), 10)
    bans.ban(parseClientAddress('192.0.2.1'), 5)
    bans.ban(parseClientAddress('198.51.100.1'), 5)
    bans.lift(parseClientAddress('192.0.2.1'))
    bans.lift(parseClientAddress('192.0.2.9'))
    const expected = [
      ['192.0.2.1', 60],
      ['2001:db8::1', 10],
      ['192.0.2.1', 60],
      ['192.0.2.1', 0],
      ['192.0.2.9', 0],
    ]
    expect(seen).toEqual(expected)
    stop()
    stop()
    bans.ban(parseClientAddress('192.0.2.3'), 10)
    expect(seen).toEqual(expected)
    expect(() => bans.watch(untyped(null))).toThrow('"listener" expected a function')
  })

  it('makes each ban longer than the one before, up to the longest', () => {
    const { offend, serve, told } = banList()
    const lengths = Array.from({ length: 6 }, () => {
      const seconds = offend()
      serve()
      return seconds
    })
    expect(lengths).toEqual([60, 240, 960, 3600, 3600, 3600])
    expect(told.map(({ step }) => step)).toEqual([0, 1, 2, 3, 3, 3])
  })

  it('tolerates after a ban what it did before the first', () => {
    const { offend, serve, report } = banList()
    offend()
    serve()
    expect([report(), report(), report()]).toEqual([0, 0, 240])
  })

  it.each([
    { quietMs: 9_999_999, next: 3600 },
    { quietMs: 10_000_000, next: 960 },
    { quietMs: 19_999_999, next: 960 },
    { quietMs: 20_000_000, next: 240 },
  ])(
    'forgets one of three bans after each span without one: after $quietMs ms the next lasts $next s',
    ({ quietMs, next }) => {
      const { offend, serve, time } = banList()
      for (let i = 0; i < 3; i++) {
        offend()
        serve()
      }
      time.ms += quietMs
      expect(offend()).toBe(next)
    },
  )

  it('forgets everything in the end, the longest bans as well', () => {
    const { offend, serve, time } = banList()
    for (let i = 0; i < 20; i++) {
      offend()
      serve()
    }
    time.ms += 3 * 10_000_000
    expect(offend()).toBe(60)
  })

  it('is true to the second: a second less and the client is still banned, then it is not', () => {
    const { offend, time, left, bans } = banList()
    time.ms = 123
    const seconds = offend()
    time.ms += (seconds - 1) * 1000
    expect(left()).toBe(1)
    time.ms += 999
    expect(left()).toBe(1)
    expect(bans.decide(request()).allowed).toBe(false)
    time.ms += 1
    expect(left()).toBe(0)
    expect(bans.decide(request()).allowed).toBe(true)
    expect(bans.size).toBe(0)
  })

  it('denies as a middleware and refuses as a guard, with the time that is left', () => {
    const { bans, offend, time } = banList()
    expect(bans.decide(request())).toEqual({ allowed: true })
    expect(bans.opened(parseClientAddress('192.0.2.1')).accept).toBe(true)
    offend()
    time.ms = 10_001
    expect(bans.decide(request())).toEqual({
      allowed: false,
      denialReason: 'rate_limit',
      retryAfterSeconds: 50,
      rule: 'bans',
      detail: 'banned',
    })
    expect(bans.opened(parseClientAddress('192.0.2.1'))).toEqual({ accept: false, detail: 'banned' })
    expect(bans.decide(request({ from: '192.0.2.2' })).allowed).toBe(true)
    expect(new MiddlewareChain([bans]).decide(request())).toMatchObject({ retryAfterSeconds: 50 })
  })

  it('counts what it does', () => {
    const { bans, offend, report } = banList()
    offend()
    report()
    bans.decide(request())
    bans.opened(parseClientAddress('192.0.2.1'))
    bans.ban(parseClientAddress('192.0.2.2'), 5)
    expect(bans.counters).toEqual({ offences: 3, bans: 2, denied: 2, forgotten: 0 })
  })
})

describe('nobody gets round a ban', () => {
  it.each([
    { ban: '192.0.2.1', by: '::ffff:192.0.2.1' },
    { ban: '192.0.2.1', by: '::FFFF:C000:0201' },
    { ban: '::ffff:c000:201', by: '192.0.2.1' },
    { ban: '2001:db8:0:1::1', by: '2001:db8:0:1:ffff:ffff:ffff:ffff' },
    { ban: '2001:db8:0:1::1', by: '2001:0DB8:0:1::2%eth0' },
  ])('of $ban as $by', ({ ban, by }) => {
    const { offend, left } = banList()
    offend(ban)
    expect(left(by)).toBe(60)
  })

  it.each(['192.0.2.2', '2001:db8:0:2::1', '::', '::c000:201', '0:0:c000:201::'])(
    'and %s is not banned with 192.0.2.1',
    (other) => {
      const { offend, left } = banList()
      offend('192.0.2.1')
      expect(left(other)).toBe(0)
    },
  )

  it('by spreading offences over the addresses of one network', () => {
    const { report } = banList()
    expect([report('2001:db8::1'), report('2001:db8::2'), report('2001:db8::3')]).toEqual([0, 0, 60])
  })

  it('by offending on: the ban grows no longer, and no shorter', () => {
    const { offend, report, time, left, bans } = banList()
    offend()
    for (let second = 0; second < 60; second++) {
      expect(report()).toBe(60 - second)
      time.ms += 1000
    }
    expect(left()).toBe(0)
    expect(bans.counters.offences).toBe(3)
  })

  it.each([-1, -1000, -1e12])('by a clock that is set back by %d ms, nor is the ban prolonged by it', (jump) => {
    const { offend, time, left } = banList()
    time.ms = 5e6
    offend()
    time.ms += 20_000
    expect(left()).toBe(40)
    time.ms += jump
    expect(left()).toBe(40)
    time.ms += 39_999
    expect(left()).toBe(1)
    time.ms += 1
    expect(left()).toBe(0)
  })

  it('by a flood of other addresses, offending or not', () => {
    const { bans, offend, left } = banList({ maxKeys: 64 })
    offend('198.51.100.1')
    const flooder = (i: number): ClientAddress => ClientAddress.fromWords(6, 0x20010db8, i, 0, 1)
    for (let i = 0; i < 20_000; i++) {
      bans.report(flooder(i))
      bans.secondsLeft(flooder(i))
    }
    expect(left('198.51.100.1')).toBe(60)
    expect(bans.maxKeys).toBe(64)
    expect(bans.counters.forgotten).toBeGreaterThan(1000)
  })

  it('by a flood of others: what was held against somebody outlives newcomers with less', () => {
    const { bans, offend, serve, report } = banList({ maxKeys: 8 })
    offend('198.51.100.1')
    serve('198.51.100.1')
    for (let i = 0; i < 5000; i++) bans.report(ClientAddress.fromWords(6, 0x20010db8, i, 0, 1))
    expect([report('198.51.100.1'), report('198.51.100.1'), report('198.51.100.1')]).toEqual([0, 0, 240])
  })
})

describe('a set that is full of bans', () => {
  const eight = Array.from({ length: 8 }, (_, i) => parseClientAddress(`198.51.100.${i}`))

  it('keeps them from those who only offend, and says that it could not keep their offences', () => {
    const { bans, report } = banList({ maxKeys: 8 })
    for (const address of eight) bans.ban(address, 100)
    expect([report(), report(), report(), report()]).toEqual([0, 0, 0, 0])
    expect(bans.size).toBe(8)
    expect(bans.counters.forgotten).toBe(4)
  })

  it('gives the ban that ends first for a new one', () => {
    const { bans } = banList({ maxKeys: 8 })
    for (const [i, address] of eight.entries()) bans.ban(address, i === 3 ? 50 : 100)
    expect(bans.ban(parseClientAddress('192.0.2.1'), 10)).toBe(10)
    expect(eight.map((address) => bans.secondsLeft(address))).toEqual([100, 100, 100, 0, 100, 100, 100, 100])
    expect(bans.counters.forgotten).toBe(1)
  })

  it('gives a record that is worthless before one that is not', () => {
    const { bans, time, report } = banList({ maxKeys: 8 })
    for (const address of eight) bans.report(address)
    time.ms = 1000
    report('198.51.100.5')
    time.ms = 10_000
    report('192.0.2.1')
    expect(bans.counters.forgotten).toBe(0)
    report('198.51.100.5')
    expect(report('198.51.100.5')).toBe(60)
  })
})

describe('ban and lift', () => {
  const address = parseClientAddress('2001:db8::1')

  it('bans at once, and is no step towards longer bans', () => {
    const { bans, offend, left, time } = banList()
    expect(bans.ban(address, 30)).toBe(30)
    expect(left('2001:db8::2')).toBe(30)
    time.ms = 30_000
    expect(left('2001:db8::2')).toBe(0)
    expect(offend('2001:db8::1')).toBe(60)
  })

  it('does not shorten a ban that runs', () => {
    const { bans, offend } = banList()
    offend('2001:db8::1')
    expect(bans.ban(address, 10)).toBe(60)
    expect(bans.ban(address, 100)).toBe(100)
  })

  it('keeps the steps that a client has behind it', () => {
    const { bans, offend, serve } = banList()
    offend('2001:db8::1')
    serve('2001:db8::1')
    bans.ban(address, 10)
    serve('2001:db8::1')
    expect(offend('2001:db8::1')).toBe(240)
  })

  it('lifts a ban and forgets all that led to it', () => {
    const { bans, offend, left } = banList()
    expect(bans.lift(address)).toBe(false)
    offend('2001:db8::1')
    expect(bans.lift(parseClientAddress('2001:db8::9'))).toBe(true)
    expect(left('2001:db8::1')).toBe(0)
    expect(bans.lift(address)).toBe(false)
    expect(offend('2001:db8::1')).toBe(60)
  })
})

describe('who is exempt', () => {
  it('is never banned, whoever says so', () => {
    const { bans, report, left, time } = banList({ exempt: ['127.0.0.0/8', '2001:db8::/32'] })
    for (const from of ['127.0.0.1', '::ffff:127.0.0.1', '2001:db8:1::']) {
      for (let i = 0; i < 20; i++) expect(report(from)).toBe(0)
      expect(bans.ban(parseClientAddress(from), 60)).toBe(0)
      expect(left(from)).toBe(0)
      expect(bans.opened(parseClientAddress(from)).accept).toBe(true)
      time.ms += 1
    }
    expect(bans.counters).toEqual({ offences: 0, bans: 0, denied: 0, forgotten: 0 })
  })
})

describe('onBan', () => {
  it.each([
    () => {
      throw new Error('listener')
    },
    async () => {
      throw new Error('listener')
    },
  ])('changes nothing by failing', (onBan) => {
    const { offend, left } = banList({ onBan })
    expect(offend()).toBe(60)
    expect(left()).toBe(60)
  })

  it('may lift the ban', () => {
    const { bans, report, left } = banList({ onBan: ({ address }) => void bans.lift(address) })
    const heard: number[] = []
    bans.watch((_, seconds) => heard.push(seconds))
    expect([report(), report(), report()]).toEqual([0, 0, 0])
    expect(left()).toBe(0)
    // Whoever shares bans with others must not hear of the ban last.
    expect(heard).toEqual([60, 0])
  })
})

describe('a RateLimiter with bans', () => {
  function limited(options: BanListOptions = {}, limit: RateLimiterOptions = {}) {
    const list = banList(options)
    const limiter = new RateLimiter({
      capacity: 3,
      refillPerSecond: 1,
      clock: () => list.time.ms,
      bans: list.bans,
      ...limit,
    })
    const ask = (from = '192.0.2.1') => limiter.decide(request({ from }))
    return { ...list, limiter, ask }
  }

  it('reports each denial as an offence, and the denial that leads to a ban says how long it is', () => {
    const { ask } = limited()
    for (let i = 0; i < 3; i++) expect(ask().allowed).toBe(true)
    expect(ask()).toMatchObject({ retryAfterSeconds: 1 })
    expect(ask()).toMatchObject({ retryAfterSeconds: 1 })
    expect(ask()).toEqual({
      allowed: false,
      denialReason: 'rate_limit',
      rule: 'rate_limit',
      retryAfterSeconds: 60,
      detail: 'banned',
    })
  })

  it('tells a banned client the rest of its ban, takes nothing from it, and lets it in again in time', () => {
    const { ask, bans, time, limiter } = limited()
    bans.ban(parseClientAddress('192.0.2.1'), 60)
    time.ms = 59_999
    for (let i = 0; i < 100; i++) expect(ask()).toMatchObject({ retryAfterSeconds: 1, detail: 'banned' })
    expect(limiter.opened(parseClientAddress('192.0.2.1')).accept).toBe(false)
    expect(limiter.counters).toMatchObject({ allowed: 0, denied: 0, banned: 101 })
    time.ms = 60_000
    expect(ask().allowed).toBe(true)
    expect(limiter.peek(parseClientAddress('192.0.2.1'))).toMatchObject({ remaining: 2 })
  })

  it('names the later of the two times, if the bucket is slower than the ban', () => {
    const { ask, time } = limited({}, { refillPerSecond: 0.001 })
    for (let i = 0; i < 5; i++) ask()
    expect(ask()).toMatchObject({ retryAfterSeconds: 1000, detail: 'banned' })
    time.ms = 30_000
    expect(ask()).toMatchObject({ retryAfterSeconds: 970, detail: 'banned' })
    time.ms = 999_999
    expect(ask().allowed).toBe(false)
    time.ms = 1_000_000
    expect(ask().allowed).toBe(true)
  })

  it('counts denials of connections too', () => {
    const { limiter, left } = limited()
    const address = parseClientAddress('192.0.2.1')
    const accepted = Array.from({ length: 6 }, () => limiter.opened(address).accept)
    expect(accepted).toEqual([true, true, true, false, false, false])
    expect(left()).toBe(60)
  })

  it('never bans who is exempt from the limit, nor limits who is exempt from bans less', () => {
    const { ask, left } = limited({ exempt: ['192.0.2.7'] }, { exempt: ['192.0.2.8'] })
    for (let i = 0; i < 100; i++) expect(ask('192.0.2.8').allowed).toBe(true)
    const allowed = Array.from({ length: 100 }, () => ask('192.0.2.7').allowed).filter(Boolean)
    expect(allowed).toHaveLength(3)
    expect(left('192.0.2.7')).toBe(0)
  })

  it.each(['global', 'host', 'path', ['host', 'path']] as const)(
    'is refused by %s, where others would be banned for what one has done',
    (by) => {
      const { bans } = banList()
      expect(() => new RateLimiter({ bans, by })).toThrow('"bans"')
    },
  )
})

describe('as a guard of a server', () => {
  /** What a client hears who connects from 127.0.0.1. */
  async function hear(port: number): Promise<string> {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    let text = ''
    socket.on('data', (data) => {
      text += data
    })
    await once(socket, 'close')
    return text
  }

  it('lets nobody in who is banned, and everybody again when the ban is over', async () => {
    const { bans, time } = banList()
    const limiter = new RateLimiter({ capacity: 3, refillPerSecond: 1, clock: () => time.ms, bans })
    const served: string[] = []
    const server = createPlaintextServer(
      ({ stream, address }) => {
        served.push(String(address))
        stream.end('hello')
      },
      { guards: [bans, limiter] },
    )
    const { port } = await server.listen(0, '127.0.0.1')
    try {
      const heard: string[] = []
      for (let i = 0; i < 10; i++) heard.push(await hear(port))
      expect(heard).toEqual(['hello', 'hello', 'hello', '', '', '', '', '', '', ''])
      expect(served).toHaveLength(3)
      expect(bans.counters).toEqual({ offences: 3, bans: 1, denied: 4, forgotten: 0 })
      time.ms += 60_000
      expect(await hear(port)).toBe('hello')
    } finally {
      await server.close()
    }
  })
})

describe('construction', () => {
  it.each([
    { tolerated: 0 },
    { tolerated: 1.5 },
    { forgivenPerSecond: 0 },
    { forgivenPerSecond: Number.NaN },
    { firstBanSeconds: 0 },
    { firstBanSeconds: Number.POSITIVE_INFINITY },
    { factor: 0.5 },
    { factor: Number.NaN },
    { maxBanSeconds: 1 },
    { forgetAfterSeconds: 0 },
    { ipv6PrefixLength: 129 },
    { ipv4PrefixLength: -1 },
    { maxKeys: 0 },
    { maxKeys: 2 ** 40 },
    { exempt: '127.0.0.1' },
    { name: 5 },
    { clock: 5 },
    { onBan: 5 },
    { tolerate: 5 },
  ])('refuses %o', (options) => {
    const construct = (): BanList => new BanList(untyped(options))
    expect(construct).toThrow(Object.keys(options)[0])
    expect(construct).toThrow(expect.toSatisfy((error) => error instanceof RangeError || error instanceof TypeError))
  })

  it('takes a factor that hardly grows, and one that grows at once', () => {
    const slow = banList({ factor: 1.0000001, maxBanSeconds: 3e9 })
    expect(slow.offend()).toBe(60)
    for (const { factor, second } of [
      { factor: 1, second: 60 },
      { factor: 1e308, second: 3600 },
    ]) {
      const { offend, serve } = banList({ factor })
      expect(offend()).toBe(60)
      serve()
      expect(offend()).toBe(second)
    }
  })

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuses a weight of %d and a ban of %d seconds', (amount) => {
    const { bans, report } = banList()
    expect(() => report('192.0.2.1', amount)).toThrow(RangeError)
    expect(() => bans.ban(parseClientAddress('192.0.2.1'), amount)).toThrow(RangeError)
  })

  it('takes nothing but an address for a client', () => {
    const { bans } = banList({ exempt: ['::/0', '0.0.0.0/0'] })
    for (const address of ['192.0.2.1', undefined, null, { family: 4, w3: 1 }]) {
      expect(() => bans.decide({ ...request(), address: untyped(address) })).toThrow(TypeError)
      for (const method of ['report', 'secondsLeft', 'lift', 'opened'] as const) {
        expect(() => bans[method](untyped(address))).toThrow(TypeError)
      }
      expect(() => bans.ban(untyped(address), 1)).toThrow(/^"address" expected a ClientAddress, got /)
    }
  })

  it('takes 32 bytes for each client, and no more however many there are', () => {
    const before = process.memoryUsage().arrayBuffers
    const bans = new BanList({ maxKeys: 80_000 })
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(80_000 * 32 + 10_000)
    expect(bans.maxKeys).toBe(80_000)
  })
})

// All clients of so small a list are in one set of eight records, side by side.
describe('in a list for eight clients', () => {
  const clients = Array.from({ length: 8 }, (_, index) => `192.0.2.${index}`)

  it('lifting one ban lifts no other, whichever it is', () => {
    for (const lifted of clients) {
      const { bans, left } = banList({ maxKeys: 8 })
      for (const each of clients) bans.ban(parseClientAddress(each), 60)
      expect(bans.size).toBe(8)
      expect(bans.lift(parseClientAddress(lifted))).toBe(true)
      expect(bans.lift(parseClientAddress(lifted))).toBe(false)
      expect(clients.map((each) => left(each))).toEqual(clients.map((each) => (each === lifted ? 0 : 60)))
      expect(bans.size).toBe(7)
    }
  })

  it('lifting a ban of somebody who has none changes nothing, and a ban that is over is none', () => {
    const { bans, left, time } = banList({ maxKeys: 8 })
    bans.ban(parseClientAddress('192.0.2.1'), 60)
    expect(bans.lift(parseClientAddress('192.0.2.2'))).toBe(false)
    expect(left('192.0.2.1')).toBe(60)
    time.ms = 60_000
    expect(bans.lift(parseClientAddress('192.0.2.1'))).toBe(false)
  })

  it('networks are told apart by each of their bits, and IPv4 from IPv6', () => {
    const { bans, left } = banList({ maxKeys: 8 })
    bans.ban(parseClientAddress('2001:db8:0:1::1'), 60)
    for (const other of ['2002:db8:0:1::1', '2001:db9:0:1::1', '2001:db8:1:1::1', '2001:db8:0:2::1']) {
      expect(left(other)).toBe(0)
    }
    bans.ban(parseClientAddress('192.0.2.1'), 60)
    expect(left('0:0:c000:201::')).toBe(0)
    expect(left('192.0.2.1')).toBe(60)
  })

  it('one that offends while all records are bans is kept nowhere, and in nobody else’s record', () => {
    const { bans, report, left, time } = banList({ maxKeys: 8 })
    time.ms = 1000
    for (const each of clients) bans.ban(parseClientAddress(each), 60)
    expect(report('192.0.2.99')).toBe(0)
    expect(clients.map((each) => left(each))).toEqual(clients.map(() => 60))
    expect(bans.counters.forgotten).toBe(1)
    // Forgiven as if nothing had been: what it offended was not written over what somebody else did.
    time.ms = 61_000
    for (const each of clients) expect([report(each), report(each), report(each) > 0]).toEqual([0, 0, true])
  })
})

it('bans count from the moment of the call, not from the start of the clock', () => {
  const { bans, time } = banList()
  time.ms = 500_000
  expect(bans.ban(parseClientAddress('192.0.2.1'), 60)).toBe(60)
  time.ms += 20_000
  expect(bans.ban(parseClientAddress('192.0.2.1'), 10)).toBe(40)
})

it('by default an offence is forgiven in a minute', () => {
  const time = { ms: 0 }
  const bans = new BanList({ tolerated: 1, clock: () => time.ms })
  const address = parseClientAddress('192.0.2.1')
  for (let i = 0; i < 5; i++) {
    expect(bans.report(address)).toBe(0)
    time.ms += 60_000
  }
  expect(bans.report(address)).toBe(0)
  time.ms += 59_000
  expect(bans.report(address)).toBe(60)
})

it('takes every option that it knows, and says which it does not', () => {
  const bans = new BanList({ ipv4PrefixLength: 24, ipv6PrefixLength: 48, name: 'offenders' })
  bans.ban(parseClientAddress('192.0.2.1'), 60)
  bans.ban(parseClientAddress('2001:db8:1::1'), 60)
  expect(bans.secondsLeft(parseClientAddress('192.0.2.99'))).toBe(60)
  expect(bans.secondsLeft(parseClientAddress('2001:db8:1:2::1'))).toBe(60)
  expect(bans.decide(request({ from: '192.0.2.7' }))).toMatchObject({ rule: 'offenders', detail: 'banned' })
  expect(() => new BanList(untyped({ toleratd: 1 }))).toThrow('"options" has no option "toleratd"')
  expect(() => bans.ban(parseClientAddress('192.0.2.1'), 0.5)).toThrow('"seconds" expected')
})
