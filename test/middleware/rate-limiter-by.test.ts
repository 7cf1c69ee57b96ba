import { describe, expect, it } from 'vitest'
import { renewCertificate } from '../../src/certificate/renew.ts'
import { MiddlewareChain } from '../../src/middleware/chain.ts'
import { MemoryRateLimitStore } from '../../src/middleware/memory-rate-limit-store.ts'
import type { MiddlewareRequest, MiddlewareResult } from '../../src/middleware/middleware.ts'
import type { RateLimitStore } from '../../src/middleware/rate-limit-store.ts'
import { RateLimiter } from '../../src/middleware/rate-limiter.ts'
import type { RateLimiterOptions } from '../../src/middleware/rate-limiter-options.ts'
import type { BucketOptions, TokenBucketResult } from '../../src/middleware/refill.ts'
import { parseClientAddress } from '../../src/names/client-address.ts'
import { testCertificate } from '../support/certificates.ts'
import { fakePeer } from '../support/peer.ts'
import { type RequestOptions, request, untyped } from './requests.ts'

/** How many requests pass, each made anew. */
function drain(limit: RateLimiter, options: RequestOptions = {}): number {
  let count = 0
  while (count < 1000 && limit.decide(request(options)).allowed) count++
  return count
}

const at = (options: RateLimiterOptions): RateLimiter => new RateLimiter({ capacity: 4, clock: () => 0, ...options })
const url = (path: string, host = 'example.org'): RequestOptions => ({ url: `gemini://${host}${path}` })

describe('by path', () => {
  it('counts all clients of a path together, and each path for itself', () => {
    const limit = at({ by: 'path' })
    expect(drain(limit, { ...url('/a'), from: '192.0.2.1' })).toBe(4)
    expect(drain(limit, { ...url('/a'), from: '192.0.2.2' })).toBe(0)
    expect(drain(limit, url('/b'))).toBe(4)
    expect(drain(limit, url('/a/b'))).toBe(4)
    expect(drain(limit, url('/'))).toBe(4)
  })

  it.each([
    '/a/b/',
    '//a/b',
    '/a//b',
    '/a/./b',
    '/x/../a/b',
    '/../a/b',
    '/a/b/.',
    '/a/b/c/..',
    '/%61/b',
    '/a/%62',
    '/%2e%2e/a/b',
    '/a/b?query',
    '/a/b?other',
    '/a/b?',
  ])('counts %s as /a/b', (spelling) => {
    const limit = at({ by: 'path' })
    drain(limit, url('/a/b'))
    expect(drain(limit, url(spelling))).toBe(0)
  })

  it('counts an upload as a request for its path', () => {
    const limit = at({ by: 'path' })
    drain(limit, url('/a/b'))
    expect(drain(limit, { url: 'titan://example.org/a/b;size=3;mime=text/plain' })).toBe(0)
  })
})

describe('by host', () => {
  it.each(['EXAMPLE.org', 'example.org.', 'example.org:1966', 'example.%6frg'.replace('%6f', 'o')])(
    'counts %s as example.org',
    (host) => {
      const limit = at({ by: 'host' })
      drain(limit, url('/'))
      expect(drain(limit, url('/x', host))).toBe(0)
      expect(drain(limit, url('/', 'example.com'))).toBe(4)
    },
  )
})

describe('by certificate', () => {
  it('counts the key: a renewal keeps its bucket, another key has its own, whatever the address', async () => {
    const mine = await testCertificate()
    const renewed = await renewCertificate({ certificate: mine.certPem, privateKey: mine.keyPem })
    const other = await testCertificate({ key: 'Ed25519' })
    const limit = at({ by: 'certificate' })
    expect(drain(limit, { peer: fakePeer(mine.certificate), from: '192.0.2.1' })).toBe(4)
    expect(drain(limit, { peer: fakePeer(mine.certificate), from: '192.0.2.2' })).toBe(0)
    expect(fakePeer(renewed.certificate).fingerprint).not.toBe(mine.certificate.fingerprint)
    expect(drain(limit, { peer: fakePeer(renewed.certificate) })).toBe(0)
    expect(drain(limit, { peer: fakePeer(other.certificate) })).toBe(4)
  })

  it('does not limit who shows none, and says so', () => {
    const limit = at({ by: 'certificate' })
    expect(drain(limit)).toBe(1000)
    expect(limit.counters).toMatchObject({ allowed: 0, unlimited: 1000 })
  })

  it('takes nothing for a peer that did not come out of a handshake', () => {
    const limit = at({ by: 'certificate' })
    for (const peer of [undefined, {}, { certificate: { publicKeyFingerprint: 'spki-sha256:00' } }, 'peer']) {
      expect(() => limit.decide({ ...request(), peer: untyped(peer) })).toThrow('"peer"')
    }
  })
})

describe('by global', () => {
  it('counts everybody together, requests and connections', () => {
    const limit = at({ by: 'global' })
    expect(limit.decide(request({ from: '192.0.2.1' })).allowed).toBe(true)
    expect(limit.decide(request({ from: '2001:db8::1' })).allowed).toBe(true)
    expect(limit.opened(parseClientAddress('::1')).accept).toBe(true)
    expect(drain(limit, url('/x'))).toBe(1)
    expect(limit.opened(parseClientAddress('::1'))).toEqual({ accept: false, detail: 'rate_limit' })
    expect(limit.maxKeys).toBe(8)
  })
})

describe('by several', () => {
  it('counts each pair for itself', () => {
    const limit = at({ by: ['address', 'path'] })
    for (const from of ['192.0.2.1', '2001:db8::1']) {
      for (const path of ['/a', '/b']) expect(drain(limit, { ...url(path), from })).toBe(4)
    }
    expect(drain(limit, { ...url('/a/'), from: '2001:db8::2' })).toBe(0)
    expect(drain(limit, { ...url('/a'), from: '::ffff:192.0.2.1' })).toBe(0)
  })

  it('does not limit a request that lacks one of them', async () => {
    const { certificate } = await testCertificate()
    const limit = at({ by: ['certificate', 'address'] })
    expect(drain(limit)).toBe(1000)
    expect(drain(limit, { peer: fakePeer(certificate) })).toBe(4)
    expect(drain(limit, { peer: fakePeer(certificate), from: '192.0.2.2' })).toBe(4)
  })

  it('with one of them is as with that one', () => {
    const limit = at({ by: ['address'] })
    expect(drain(limit)).toBe(4)
    expect(limit.opened(parseClientAddress('192.0.2.1')).accept).toBe(false)
  })
})

describe('by a function', () => {
  const byQuery = ({ target }: MiddlewareRequest): string | null => target.query

  it('counts by what it says, and null is not limited', () => {
    const limit = at({ by: byQuery })
    expect(drain(limit, url('/?a'))).toBe(4)
    expect(drain(limit, url('/x?a'))).toBe(0)
    expect(drain(limit, url('/?b'))).toBe(4)
    expect(drain(limit, url('/?'))).toBe(4)
    expect(drain(limit, url('/'))).toBe(1000)
  })

  it.each([undefined, 5, true, {}, Promise.resolve('key'), ['key']])(
    'that says %o has said nothing: the request is denied',
    (key) => {
      const limit = at({ by: () => untyped(key) })
      expect(() => limit.decide(request())).toThrow('"by()"')
      expect(new MiddlewareChain([limit]).decide(request())).toMatchObject({ denialReason: 'internal_error' })
    },
  )

  it('that throws denies', () => {
    const limit = at({
      by: () => {
        throw new Error('lookup')
      },
    })
    expect(new MiddlewareChain([limit]).decide(request())).toMatchObject({ denialReason: 'internal_error' })
  })
})

describe('a limit for a path', () => {
  it('limits what is at or below it, each client once for all of it', () => {
    const limit = at({ path: '/search/' })
    expect(drain(limit, url('/search'))).toBe(4)
    expect(drain(limit, url('/search/deep/er'))).toBe(0)
    expect(drain(limit, { ...url('/search'), from: '192.0.2.2' })).toBe(4)
    for (const path of ['/', '/searching', '/x/search', '/Search', '/search/../x'])
      expect(drain(limit, url(path))).toBe(1000)
    expect(limit.counters).toMatchObject({ allowed: 8, denied: 3, unlimited: 5000 })
  })

  it.each(['//search', '/%73earch', '/x/../search/a', '/./search'])('is not got round by %s', (spelling) => {
    const limit = at({ path: '/search' })
    drain(limit, url('/search'))
    expect(drain(limit, url(spelling))).toBe(0)
  })

  it('takes nothing but a parsed target', () => {
    const limit = at({ path: '/search' })
    expect(() => limit.decide({ ...request(), target: untyped({ path: '/x' }) })).toThrow('"target"')
  })
})

describe('names, rules and counters', () => {
  it('names itself in each denial', () => {
    const limit = at({ name: 'uploads', capacity: 1 })
    drain(limit)
    expect(limit.name).toBe('uploads')
    expect(limit.decide(request())).toEqual({
      allowed: false,
      denialReason: 'rate_limit',
      retryAfterSeconds: 1,
      rule: 'uploads',
    })
  })

  it('counts what it decides', () => {
    const limit = at({ exempt: ['::1'], maxKeys: 8 })
    drain(limit)
    drain(limit, { from: '::1' })
    expect(limit.counters).toEqual({
      allowed: 4,
      denied: 1,
      banned: 0,
      exempt: 1000,
      unlimited: 0,
      failed: 0,
      forgotten: 0,
    })
    for (let i = 0; i < 20; i++) limit.decide(request({ from: `198.51.100.${i}` }))
    expect(limit.counters).toMatchObject({ allowed: 24, forgotten: 13 })
  })

  it.each(['path', 'host', 'certificate', ['address', 'path'], () => 'key'] as const)(
    'cannot guard connections by %s, and says why',
    (by) => {
      expect(() => at({ by }).opened(parseClientAddress('::1'))).toThrow('the limiter "rate_limit" needs a request')
    },
  )

  it('cannot guard connections for a path or with a store, and says why', () => {
    expect(() => at({ path: '/x' }).opened(parseClientAddress('::1'))).toThrow('needs a request')
    const limit = new RateLimiter({ store: new MemoryRateLimitStore() })
    expect(() => limit.opened(parseClientAddress('::1'))).toThrow('asks a store')
  })

  it('has nothing to give back to a request that it does not limit', () => {
    const limit = new RateLimiter({ path: '/search', capacity: 1, clock: () => 0 })
    const [inside, outside] = [request({ url: 'gemini://example.org/search' }), request()]
    limit.decide(inside)
    limit.reset(outside)
    expect(limit.peek(outside)).toEqual({ allowed: true, remaining: 1 })
    expect(limit.peek(inside)).toMatchObject({ allowed: false, remaining: 0 })
    limit.reset(inside)
    expect(limit.peek(inside)).toMatchObject({ allowed: true, remaining: 1 })
  })

  it('peeks and resets by request, and by address only where addresses are counted', () => {
    const limit = at({ by: ['address', 'path'] })
    drain(limit, url('/a'))
    expect(limit.peek(request(url('/a')))).toMatchObject({ allowed: false, remaining: 0 })
    expect(limit.peek(request({ ...url('/a'), cost: 5 }))).toEqual({ allowed: false, remaining: 0 })
    expect(limit.peek(request(url('/b')))).toEqual({ allowed: true, remaining: 4 })
    limit.reset(request(url('/a')))
    expect(limit.peek(request(url('/a')))).toEqual({ allowed: true, remaining: 4 })
    expect(() => limit.peek(parseClientAddress('192.0.2.1'))).toThrow('needs a request')
    expect(() => limit.reset(parseClientAddress('192.0.2.1'))).toThrow('needs a request')
    expect(at({ path: '/x' }).peek(request(url('/')))).toEqual({ allowed: true, remaining: 4 })
  })

  it.each([
    { by: 'adress' },
    { by: [] },
    { by: ['address', 'address'] },
    { by: ['address', 'user'] },
    { by: null },
    { by: 5 },
    { path: 5 },
    { name: '' },
    { name: 'a b' },
    { name: 'a:b' },
    { name: 'x'.repeat(65) },
    { name: 5 },
    { store: {} },
    { store: null },
    { bans: {} },
    { bans: null },
  ])('refuses %o', (options) => {
    const construct = (): RateLimiter => new RateLimiter(untyped<RateLimiterOptions>(options))
    expect(construct).toThrow(TypeError)
    expect(construct).toThrow(`"${Object.keys(options)[0]}`)
  })

  it('refuses a path that is none', () => {
    expect(() => at({ path: 'search' })).toThrow(expect.objectContaining({ code: 'ERR_TLACACOCA_TARGET_INVALID' }))
  })
})

/** A store that notes what it is asked, and answers what it is told to. */
function scripted(answer: (key: string) => unknown) {
  const asked: { key: string; bucket: BucketOptions; cost: number }[] = []
  const consume = (key: string, bucket: BucketOptions, cost: number): TokenBucketResult => {
    asked.push({ key, bucket, cost })
    return untyped(answer(key))
  }
  const store: RateLimitStore = { consume, peek: consume, reset() {} }
  return { store, asked }
}

describe('with a store', () => {
  it.each([
    { options: {}, key: 'rate_limit:address:192.0.2.1' },
    { options: {}, from: '2001:DB8::1%eth0', key: 'rate_limit:address:2001:db8::/64' },
    { options: { ipv6PrefixLength: 48 }, from: '2001:db8:1:2::3', key: 'rate_limit:address:2001:db8:1::/48' },
    { options: { ipv6PrefixLength: 128 }, from: '2001:db8::1', key: 'rate_limit:address:2001:db8::1' },
    { options: { ipv4PrefixLength: 24 }, from: '::ffff:192.0.2.1', key: 'rate_limit:address:192.0.2.0/24' },
    { options: { name: 'all', by: 'global' }, key: 'all:global' },
    { options: { by: 'host' }, key: 'rate_limit:host:example.org' },
    { options: { by: 'path' }, url: 'gemini://example.org//a/%62/../c/', key: 'rate_limit:path:/a/c' },
    { options: { by: ['path', 'address'] }, key: 'rate_limit:address:192.0.2.1:path:/' },
    { options: { by: () => 'alice' }, key: 'rate_limit:key:alice' },
  ] as const)('asks for $key', ({ options, key, ...from }) => {
    const { store, asked } = scripted(() => ({ allowed: true, remaining: 1 }))
    const limit = new RateLimiter({ ...options, store, capacity: 7, refillPerSecond: 0.5 })
    expect(limit.decide(request({ ...from, cost: 3 }))).toEqual({ allowed: true })
    expect(asked).toEqual([{ key, bucket: { capacity: 7, refillPerSecond: 0.5 }, cost: 3 }])
  })

  it('answers at once if the store does, and later if it does', async () => {
    const memory = new MemoryRateLimitStore({ clock: () => 0 })
    const limit = new RateLimiter({ store: memory, capacity: 1 })
    expect(limit.decide(request())).toEqual({ allowed: true })
    expect(limit.decide(request())).toEqual({
      allowed: false,
      denialReason: 'rate_limit',
      retryAfterSeconds: 1,
      rule: 'rate_limit',
    })
    const { store } = scripted(async () => ({ allowed: false, remaining: 0, retryAfterSeconds: 7 }))
    const remote = new RateLimiter({ store }).decide(request())
    expect(remote).toBeInstanceOf(Promise)
    expect(await remote).toMatchObject({ allowed: false, retryAfterSeconds: 7 })
  })

  it.each([
    { what: 'nothing', answer: undefined },
    { what: 'true', answer: true },
    { what: 'a text', answer: 'allowed' },
    { what: 'no verdict', answer: { remaining: 5 } },
    { what: 'something like yes', answer: { allowed: 1, remaining: 5 } },
    { what: 'yes as text', answer: { allowed: 'true', remaining: 5 } },
    { what: 'a time that is past', answer: { allowed: false, remaining: 0, retryAfterSeconds: -1 } },
    { what: 'a time that is none', answer: { allowed: false, remaining: 0, retryAfterSeconds: Number.NaN } },
    { what: 'no time at all, and no', answer: { allowed: false, remaining: 0, retryAfterSeconds: 0 } },
    { what: 'a function that says yes', answer: Object.assign(() => {}, { allowed: true }) },
    { what: 'null', answer: null },
    { what: 'a part of a second', answer: { allowed: false, remaining: 0, retryAfterSeconds: 0.5 } },
    { what: 'a time as text', answer: { allowed: false, remaining: 0, retryAfterSeconds: '5' } },
  ])('denies when the store answers $what, at once or later', async ({ answer }) => {
    const cause = expect.objectContaining({
      name: 'TypeError',
      message: expect.stringMatching(/^a store must answer \{ allowed, remaining, retryAfterSeconds \}, not /),
    })
    const denied = { allowed: false, denialReason: 'internal_error', cause }
    for (const given of [answer, Promise.resolve(answer)]) {
      const limit = new RateLimiter({ store: scripted(() => given).store })
      expect(await limit.decide(request())).toEqual(denied)
      expect(limit.counters).toMatchObject({ allowed: 0, denied: 0, failed: 1 })
    }
  })

  it('names no time if the store names none', async () => {
    const limit = new RateLimiter({ store: scripted(() => ({ allowed: false, remaining: 0 })).store })
    expect(await limit.decide(request())).toEqual({ allowed: false, denialReason: 'rate_limit', rule: 'rate_limit' })
  })

  it('denies when the store throws or rejects, and the chain hears of it', async () => {
    const weather = new Error('no connection')
    const throwing = scripted(() => {
      throw weather
    })
    const rejecting = scripted(async () => {
      throw weather
    })
    for (const { store } of [throwing, rejecting]) {
      const heard: unknown[] = []
      const limit = new RateLimiter({ store })
      expect(await limit.decide(request())).toEqual({ allowed: false, denialReason: 'internal_error', cause: weather })
      const chain = new MiddlewareChain([limit], { onError: (error) => heard.push(error) })
      expect(await chain.decide(request())).toMatchObject({ allowed: false, denialReason: 'internal_error' })
      expect(heard).toEqual([weather])
    }
  })

  it('does not ask about a cost that no bucket holds', () => {
    const { store, asked } = scripted(() => ({ allowed: true, remaining: 1 }))
    const limit = new RateLimiter({ store, capacity: 5 })
    const result: MiddlewareResult = untyped(limit.decide(request({ cost: 6 })))
    expect(result).toMatchObject({ allowed: false, denialReason: 'rate_limit' })
    expect('retryAfterSeconds' in result).toBe(false)
    expect(asked).toEqual([])
  })

  it('peeks and resets there', async () => {
    const store = new MemoryRateLimitStore({ clock: () => 0 })
    const limit = new RateLimiter({ store, capacity: 2 })
    const address = parseClientAddress('2001:db8::1')
    await limit.decide(request({ from: '2001:db8::2' }))
    expect(await limit.peek(address, 2)).toEqual({ allowed: false, remaining: 1, retryAfterSeconds: 1 })
    await limit.reset(address)
    expect(await limit.peek(request({ from: '2001:db8::9' }))).toEqual({ allowed: true, remaining: 2 })
    expect([limit.size, limit.maxKeys]).toEqual([0, 0])
  })

  it('shares buckets with a limiter of the same name, capacity and rate, and with no other', async () => {
    const store = new MemoryRateLimitStore({ clock: () => 0 })
    const allowed = async (options: RateLimiterOptions): Promise<boolean> =>
      (await new RateLimiter({ ...options, store }).decide(request())).allowed
    expect(await allowed({ capacity: 1 })).toBe(true)
    expect(await allowed({ capacity: 1 })).toBe(false)
    expect(await allowed({ capacity: 1, name: 'other' })).toBe(true)
    expect(await allowed({ capacity: 2 })).toBe(true)
  })

  it('lets exactly the burst through, however many ask at once', async () => {
    const memory = new MemoryRateLimitStore({ clock: () => 0 })
    const limit = new RateLimiter({
      store: scripted(async (key) => memory.consume(key, { capacity: 25, refillPerSecond: 1 }, 1)).store,
      capacity: 25,
    })
    const results = await Promise.all(Array.from({ length: 400 }, async () => limit.decide(request())))
    expect(results.filter(({ allowed }) => allowed)).toHaveLength(25)
    expect(limit.counters).toMatchObject({ allowed: 25, denied: 375 })
  })
})

describe('MemoryRateLimitStore', () => {
  const bucket = { capacity: 3, refillPerSecond: 1 }

  it('takes memory for each pair of capacity and rate once, and for no more pairs than it was told', () => {
    const store = new MemoryRateLimitStore({ maxKeys: 100, maxShapes: 2 })
    expect(store.byteLength).toBe(0)
    for (let i = 0; i < 10_000; i++) store.consume(`key ${i}`, { ...bucket }, 1)
    expect(store.byteLength).toBe(104 * 16)
    store.consume('key', { ...bucket, capacity: 4 }, 1)
    expect(store.byteLength).toBe(2 * 104 * 16)
    for (const method of ['consume', 'peek'] as const) {
      expect(() => store[method]('key', { ...bucket, capacity: 5 }, 1)).toThrow('"maxShapes"')
    }
    expect(() => store.reset('key', { ...bucket, refillPerSecond: 2 })).toThrow('"maxShapes"')
    expect(store.consume('other', bucket, 1).allowed).toBe(true)
  })

  it('takes nothing for a cost that no bucket holds, and names no time for it', () => {
    const store = new MemoryRateLimitStore({ clock: () => 0 })
    expect(store.consume('key', bucket, 1)).toEqual({ allowed: true, remaining: 2 })
    expect(store.consume('key', bucket, 4)).toEqual({ allowed: false, remaining: 2 })
    expect(store.peek('key', bucket, 2)).toEqual({ allowed: true, remaining: 2 })
  })

  it('gives back the tokens of one bucket, or of all that have the key, and of no other key', () => {
    const store = new MemoryRateLimitStore({ clock: () => 0 })
    const larger = { capacity: 9, refillPerSecond: 1 }
    const left = (): number[] => [
      store.peek('key', bucket, 1).remaining,
      store.peek('key', larger, 1).remaining,
      store.peek('other', larger, 1).remaining,
    ]
    const takeAll = (): void => {
      for (const [key, shape] of [
        ['key', bucket],
        ['key', larger],
        ['other', larger],
      ] as const) {
        store.consume(key, shape, store.peek(key, shape, 1).remaining)
      }
    }
    takeAll()
    store.reset('key', bucket)
    expect(left()).toEqual([3, 0, 0])
    store.consume('key', bucket, 3)
    store.reset('key')
    expect(left()).toEqual([3, 9, 0])
  })

  it('counts who is short of tokens, and whom it had to forget', () => {
    const time = { ms: 0 }
    const store = new MemoryRateLimitStore({ maxKeys: 8, clock: () => time.ms })
    for (let i = 0; i < 8; i++) store.consume(`key ${i}`, bucket, 3)
    expect([store.size, store.forgotten]).toEqual([8, 0])
    expect(store.consume('another', bucket, 1).allowed).toBe(true)
    expect([store.size, store.forgotten]).toEqual([8, 1])
    time.ms = 3000
    expect(store.size).toBe(0)
  })

  it.each([{ maxKeys: 0 }, { maxKeys: 2 ** 30 }, { maxShapes: 0 }, { clock: 5 }, { max: 5 }])(
    'refuses %o',
    (options) => {
      expect(() => new MemoryRateLimitStore(untyped(options))).toThrow(Object.keys(options)[0])
    },
  )
})
