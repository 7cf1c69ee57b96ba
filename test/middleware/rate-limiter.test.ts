import { describe, expect, it } from 'vitest'
import { MiddlewareChain } from '../../src/middleware/chain.ts'
import type { MiddlewareResult } from '../../src/middleware/middleware.ts'
import { RateLimiter } from '../../src/middleware/rate-limiter.ts'
import type { RateLimiterOptions } from '../../src/middleware/rate-limiter-options.ts'
import { ClientAddress, parseClientAddress } from '../../src/names/client-address.ts'
import { request, untyped } from './requests.ts'

/** A limiter, the hand on its clock, and a way to ask it. */
function limiter(options: RateLimiterOptions = {}) {
  const time = { ms: 0 }
  const limit = new RateLimiter({ clock: () => time.ms, ...options })
  const ask = (from = '192.0.2.1', cost?: number): MiddlewareResult =>
    limit.decide(request(cost === undefined ? { from } : { from, cost }))
  /** How many requests of cost 1 pass now. */
  const drain = (from?: string): number => {
    let count = 0
    while (ask(from).allowed) count++
    return count
  }
  return { time, limit, ask, drain }
}

describe('RateLimiter', () => {
  it('allows ten requests at once and one per second by default', () => {
    const { time, ask, drain } = limiter()
    expect(drain()).toBe(10)
    expect(ask()).toEqual({ allowed: false, denialReason: 'rate_limit', rule: 'rate_limit', retryAfterSeconds: 1 })
    time.ms = 999
    expect(drain()).toBe(0)
    time.ms = 1000
    expect(drain()).toBe(1)
    time.ms = 3600_000
    expect(drain()).toBe(10)
  })

  it('counts each IPv4 address for itself', () => {
    const { drain } = limiter()
    expect(drain('192.0.2.1')).toBe(10)
    expect(drain('192.0.2.2')).toBe(10)
    expect(drain('192.0.2.1')).toBe(0)
  })

  it.each([
    '::ffff:192.0.2.1',
    '::FFFF:192.0.2.1',
    '::ffff:c000:201',
    '0:0:0:0:0:ffff:c000:0201',
    '::ffff:192.0.2.1%eth0',
  ])('counts %s as 192.0.2.1', (mapped) => {
    const { drain } = limiter()
    expect(drain(mapped)).toBe(10)
    expect(drain('192.0.2.1')).toBe(0)
    // Masking mapped addresses to an IPv6 prefix would put all of IPv4 into one bucket (CVE-2026-30827).
    expect(drain('::ffff:192.0.2.2')).toBe(10)
  })

  it('counts a whole IPv6 /64 as one, so that changing addresses inside it gains nothing', () => {
    const { drain } = limiter()
    expect(drain('2001:db8:0:1::1')).toBe(10)
    for (let host = 2; host < 1000; host++) expect(drain(`2001:db8:0:1:${host.toString(16)}::${host}`)).toBe(0)
    expect(drain('2001:db8:0:1:ffff:ffff:ffff:ffff')).toBe(0)
    expect(drain('2001:db8:0:2::1')).toBe(10)
    expect(drain('2001:db8:0:0:ffff:ffff:ffff:ffff')).toBe(10)
  })

  it.each([
    { options: { ipv6PrefixLength: 48 }, same: '2001:db8:7:ffff::', other: '2001:db8:8::' },
    { options: { ipv6PrefixLength: 56 }, same: '2001:db8:7:ff::', other: '2001:db8:7:100::' },
    { options: { ipv6PrefixLength: 65 }, same: '2001:db8:7:0:7fff::', other: '2001:db8:7:0:8000::' },
    { options: { ipv6PrefixLength: 127 }, same: '2001:db8:7::1', other: '2001:db8:7::2' },
    { options: { ipv6PrefixLength: 128 }, same: '2001:db8:7::', other: '2001:db8:7::1' },
    { options: { ipv6PrefixLength: 0 }, same: 'ffff::', other: '192.0.2.1' },
  ])('counts by other prefixes when told to: $options, $same and not $other', ({ options, same, other }) => {
    const { drain } = limiter(options)
    expect(drain('2001:db8:7::')).toBe(10)
    expect(drain(same)).toBe(0)
    expect(drain(other)).toBe(10)
  })

  it.each([
    { ipv4PrefixLength: 24, same: '192.0.2.255', other: '192.0.3.0' },
    { ipv4PrefixLength: 31, same: '192.0.2.1', other: '192.0.2.2' },
    { ipv4PrefixLength: 0, same: '8.8.8.8', other: '::1' },
  ])('counts IPv4 by /$ipv4PrefixLength', ({ ipv4PrefixLength, same, other }) => {
    const { drain } = limiter({ ipv4PrefixLength })
    expect(drain('192.0.2.0')).toBe(10)
    expect(drain(same)).toBe(0)
    expect(drain(other)).toBe(10)
  })

  it('never takes an IPv4 key for an IPv6 key, whatever the prefix lengths', () => {
    for (const ipv6PrefixLength of [0, 32, 64, 79, 80, 81, 94, 95, 96, 97, 112, 128]) {
      for (const ipv4PrefixLength of [0, 16, 32]) {
        const { drain } = limiter({ ipv6PrefixLength, ipv4PrefixLength })
        drain('192.0.2.1')
        for (const ipv6 of [
          '::',
          '::1',
          '::c000:201',
          '0:0:0:0:ffff:c000:201:0',
          '0:0:0:0:1:ffff:c000:201',
          '::fffe:c000:201',
        ]) {
          const fresh = limiter({ ipv6PrefixLength, ipv4PrefixLength })
          fresh.drain('192.0.2.1')
          expect(fresh.drain(ipv6)).toBe(10)
        }
      }
    }
  })

  it('does not count who is exempt', () => {
    const { ask, drain } = limiter({ exempt: ['127.0.0.0/8', '::1', '2001:db8::/32'] })
    for (const from of ['127.0.0.1', '::ffff:127.9.9.9', '::1', '2001:db8::7']) {
      for (let i = 0; i < 100; i++) expect(ask(from).allowed).toBe(true)
    }
    expect(drain('128.0.0.1')).toBe(10)
    expect(drain('2001:db9::')).toBe(10)
  })

  it('shows what a client has left, gives it back on request, and counts who is short of it', () => {
    const { limit, time, drain, ask } = limiter()
    const address = parseClientAddress('2001:db8::1')
    const neighbour = parseClientAddress('2001:db8::2')
    expect(limit.peek(address)).toEqual({ allowed: true, remaining: 10 })
    expect(limit.size).toBe(0)
    drain('2001:db8::1')
    ask('192.0.2.1')
    expect(limit.peek(neighbour)).toEqual({ allowed: false, remaining: 0, retryAfterSeconds: 1 })
    expect(limit.peek(neighbour, 5)).toEqual({ allowed: false, remaining: 0, retryAfterSeconds: 5 })
    expect(limit.peek(neighbour, 11)).toEqual({ allowed: false, remaining: 0 })
    expect(limit.size).toBe(2)
    limit.reset(neighbour)
    expect(limit.peek(address)).toEqual({ allowed: true, remaining: 10 })
    expect(limit.size).toBe(1)
    time.ms = 1000
    expect(limit.size).toBe(0)
  })

  it('limits connections as a guard of a server', () => {
    const { limit } = limiter({ capacity: 2, exempt: ['::1'] })
    const opened = (from: string): boolean => limit.opened(parseClientAddress(from)).accept
    expect([opened('192.0.2.1'), opened('192.0.2.1'), opened('192.0.2.1')]).toEqual([true, true, false])
    expect([opened('::1'), opened('::1'), opened('::1')]).toEqual([true, true, true])
  })

  it('has a clock of its own, no timer, and nothing to close', () => {
    const limit = new RateLimiter({ capacity: 1, refillPerSecond: 0.001 })
    expect(limit.decide(request()).allowed).toBe(true)
    expect(limit.decide(request())).toMatchObject({ allowed: false, retryAfterSeconds: 1000 })
    expect(process.getActiveResourcesInfo().filter((name) => name === 'Interval')).toEqual([])
  })
})

describe('cost', () => {
  it('is 1, or what the request says', () => {
    const { ask, limit } = limiter()
    ask('192.0.2.1')
    ask('192.0.2.1', 4)
    expect(limit.peek(parseClientAddress('192.0.2.1'))).toMatchObject({ remaining: 5 })
    expect(ask('192.0.2.1', 8)).toMatchObject({ denialReason: 'rate_limit', retryAfterSeconds: 3 })
  })

  it('is what the limiter computes, if it does', () => {
    const { ask, limit } = limiter({ cost: ({ target }) => (target.scheme === 'gemini' ? 2 : 5) })
    ask('192.0.2.1', 9)
    expect(limit.peek(parseClientAddress('192.0.2.1'))).toMatchObject({ remaining: 8 })
  })

  it('that no bucket holds is refused without a time, because no time is true', () => {
    const { ask, time } = limiter()
    const denied = { allowed: false, denialReason: 'rate_limit', rule: 'rate_limit', detail: expect.any(String) }
    expect(ask('192.0.2.1', 11)).toEqual(denied)
    time.ms = 1e9
    expect(ask('192.0.2.1', 11)).toEqual(denied)
    expect(ask('192.0.2.1', 10)).toEqual({ allowed: true })
  })

  it.each([0, -5, Number.NaN, Number.POSITIVE_INFINITY, '1'])('of %s is an error, and in a chain a refusal', (cost) => {
    const { limit } = limiter()
    const req = request({ cost: untyped(cost) })
    expect(() => limit.decide(req)).toThrow()
    expect(new MiddlewareChain([limit]).decide(req)).toMatchObject({ denialReason: 'internal_error' })
    expect(limit.peek(req.address)).toMatchObject({ remaining: 10 })
  })

  it('may ask the limiter itself without disturbing the decision', () => {
    const other = parseClientAddress('192.0.2.2')
    const limit: RateLimiter = new RateLimiter({
      clock: () => 0,
      cost: () => {
        limit.peek(other)
        return 10
      },
    })
    expect(limit.decide(request()).allowed).toBe(true)
    expect(limit.peek(other)).toMatchObject({ remaining: 10 })
    expect(limit.peek(request().address)).toMatchObject({ remaining: 0 })
  })
})

describe('a flood', () => {
  const flooder = (i: number): ClientAddress => ClientAddress.fromWords(6, 0x20010db8, i, i * 7, i * 13)

  it('does not make the table grow', () => {
    const { limit } = limiter({ maxKeys: 1024 })
    const req = request()
    for (let i = 0; i < 200_000; i++) limit.decide({ ...req, address: flooder(i) })
    expect(limit.maxKeys).toBe(1024)
    expect(limit.size).toBe(1024)
  })

  it('does not give tokens back to those who have none, nor lock out those who have some', () => {
    const { limit, ask, drain } = limiter({ maxKeys: 1024 })
    const req = request()
    const limited = Array.from({ length: 12 }, (_, i) => `198.51.100.${i}`)
    for (const from of limited) drain(from)
    for (let i = 0; i < 50_000; i++) expect(limit.decide({ ...req, address: flooder(i) }).allowed).toBe(true)
    for (const from of limited)
      expect(ask(from)).toMatchObject({ denialReason: 'rate_limit', rule: 'rate_limit', retryAfterSeconds: 1 })
    expect(ask('203.0.113.7').allowed).toBe(true)
  })
})

describe('construction', () => {
  it.each([
    { capacity: 0 },
    { capacity: Number.NaN },
    { capacity: Number.POSITIVE_INFINITY },
    { refillPerSecond: 0 },
    { refillPerSecond: -1 },
    { refillPerSecond: Number.NaN },
    { refillPerSecond: Number.POSITIVE_INFINITY },
    { ipv6PrefixLength: 129 },
    { ipv6PrefixLength: -1 },
    { ipv6PrefixLength: 63.5 },
    { ipv4PrefixLength: 33 },
    { ipv4PrefixLength: Number.NaN },
    { maxKeys: 0 },
    { maxKeys: Number.POSITIVE_INFINITY },
    { maxKeys: 2 ** 40 },
    { capacity: '10' },
    { clock: 5 },
    { cost: 5 },
    { exempt: '127.0.0.1' },
    { exempt: [127] },
    { capcity: 100 },
    { refill_rate: 1 },
  ])('refuses %o', (options) => {
    const construct = (): RateLimiter => new RateLimiter(untyped(options))
    expect(construct).toThrow(Object.keys(options)[0])
    expect(construct).toThrow(expect.toSatisfy((error) => error instanceof RangeError || error instanceof TypeError))
  })

  it('names an exempt entry that is no range', () => {
    expect(() => new RateLimiter({ exempt: ['::1', '127.0.0.1/8'] })).toThrow(
      expect.objectContaining({
        code: 'ERR_TLACACOCA_ADDRESS_INVALID',
        message: expect.stringContaining('"exempt[1]"'),
      }),
    )
  })

  it('takes nothing but an address for a client', () => {
    const { limit } = limiter({ exempt: ['::/0', '0.0.0.0/0'] })
    for (const address of ['192.0.2.1', undefined, null, { family: 4, w3: 1 }, 5]) {
      expect(() => limit.decide({ ...request(), address: untyped(address) })).toThrow(TypeError)
      expect(() => limit.peek(untyped(address))).toThrow(TypeError)
      expect(() => limit.reset(untyped(address))).toThrow(TypeError)
      expect(() => limit.opened(untyped(address))).toThrow(TypeError)
    }
  })
})

it('counts who is short of tokens until the very millisecond in which the last one is back', () => {
  const { time, limit, drain } = limiter({ capacity: 3, refillPerSecond: 3 })
  drain()
  time.ms = 999
  expect(limit.size).toBe(1)
  time.ms = 1000
  expect(limit.size).toBe(0)
})

it('counts who is exempt, request or connection', () => {
  const { limit, ask } = limiter({ exempt: ['192.0.2.1'] })
  ask()
  limit.opened(parseClientAddress('192.0.2.1'))
  expect(limit.counters).toMatchObject({ exempt: 2, allowed: 0 })
})
