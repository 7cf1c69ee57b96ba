import { describe, expect, it } from 'vitest'
import {
  type AuthorityLimiterOptions,
  limitByMiddleware,
  MemoryAuthorityLimiter,
  type SigningAttempt,
} from '../../../src/authority/limiter.ts'
import { AccessControl } from '../../../src/middleware/access-control.ts'
import { CertificateAuth } from '../../../src/middleware/certificate-auth.ts'
import { MiddlewareChain } from '../../../src/middleware/chain.ts'
import { RateLimiter } from '../../../src/middleware/rate-limiter.ts'
import { parseClientAddress } from '../../../src/names/client-address.ts'
import { testCertificate } from '../../support/certificates.ts'
import { fakePeer } from '../../support/peer.ts'

function attempt(from: string | null, clientHash: string | null = 'f00d', more: Partial<SigningAttempt> = {}) {
  const address = from === null ? null : parseClientAddress(from)
  return { action: 'sign', path: `/api/csr/${clientHash}`, address, clientHash, peer: null, ...more } as SigningAttempt
}

/** A limiter, the hand on its clock, and how many tries it allows in a row. */
function limiter(options: AuthorityLimiterOptions = {}) {
  const time = { ms: 1_000_000 }
  const limit = new MemoryAuthorityLimiter({ clock: () => time.ms, ...options })
  const drain = (next: (index: number) => SigningAttempt): number => {
    for (let count = 0; count < 1000; count++) if (!limit.take(next(count)).allowed) return count
    return Number.POSITIVE_INFINITY
  }
  return { time, limit, drain }
}

describe('MemoryAuthorityLimiter', () => {
  it('allows an address twenty tries in ten minutes, and says when there will be more', () => {
    const { time, limit, drain } = limiter()
    expect(drain(() => attempt('192.0.2.1'))).toBe(20)
    expect(limit.take(attempt('192.0.2.1'))).toEqual({ allowed: false, retryAfterSeconds: 600 })
    time.ms += 599_001
    expect(limit.take(attempt('192.0.2.1'))).toEqual({ allowed: false, retryAfterSeconds: 1 })
    time.ms += 999
    expect(drain(() => attempt('192.0.2.1'))).toBe(20)
  })

  it('counts an address for whatever client hashes it tries', () => {
    const { drain } = limiter()
    expect(drain((index) => attempt('192.0.2.1', `guess${index}`))).toBe(20)
    expect(drain(() => attempt('192.0.2.2', 'other'))).toBe(20)
  })

  it('counts an IPv6 /64 as one', () => {
    const { drain } = limiter()
    expect(drain((index) => attempt(`2001:db8:0:1::${index}`, `a${index}`))).toBe(20)
    expect(drain((index) => attempt(`2001:db8:0:2::${index}`, `b${index}`))).toBe(20)
  })

  it('counts everybody whose address nobody knows as one', () => {
    const { drain } = limiter()
    expect(drain((index) => attempt(null, `guess${index}`))).toBe(20)
  })

  it('allows a client a hundred tries from whatever addresses', () => {
    const { drain } = limiter()
    expect(drain((index) => attempt(`192.0.2.${index}`))).toBe(100)
  })

  it('counts a renewal for the certificate that is shown', async () => {
    const { drain } = limiter()
    const peer = fakePeer((await testCertificate()).certificate)
    const path = '/renew'
    expect(drain((index) => attempt(`192.0.2.${index}`, null, { action: 'renew', path, peer }))).toBe(100)
  })

  it('takes nothing from a client when it refuses an address', () => {
    const { drain } = limiter({ perAddress: 1, perClient: 3 })
    expect(drain(() => attempt('192.0.2.1'))).toBe(1)
    for (let index = 0; index < 10; index++) drain(() => attempt('192.0.2.1'))
    expect(drain((index) => attempt(`198.51.100.${index}`))).toBe(2)
  })

  it('lasts no longer when the clock goes back', () => {
    const { time, drain } = limiter({ perAddress: 1 })
    expect(drain(() => attempt('192.0.2.1'))).toBe(1)
    time.ms -= 600_000
    expect(drain(() => attempt('192.0.2.1'))).toBe(1)
  })

  it('forgets the first when there is memory for no more, and nobody else', () => {
    const { limit } = limiter({ perAddress: 1, maxSubjects: 2 })
    const allows = (from: string): boolean => limit.take(attempt(from)).allowed
    expect(['192.0.2.1', '192.0.2.2', '192.0.2.3'].map(allows)).toEqual([true, true, true])
    expect(allows('192.0.2.2')).toBe(false)
    expect(allows('192.0.2.3')).toBe(false)
    expect(allows('192.0.2.1')).toBe(true)
  })

  it.each([{ perAddress: 0 }, { perAddress: 1.5 }, { perClient: Number.NaN }, { windowMs: 0 }, { maxSubjects: -1 }])(
    'refuses %o',
    (options) => {
      expect(() => new MemoryAuthorityLimiter(options)).toThrow(RangeError)
    },
  )

  it('refuses an option that it does not know', () => {
    expect(() => new MemoryAuthorityLimiter({ perAdress: 5 } as AuthorityLimiterOptions)).toThrow(/"perAdress"/)
  })
})

describe('limitByMiddleware', () => {
  it('limits by the rate limiter of the library', async () => {
    const limit = limitByMiddleware(new RateLimiter({ capacity: 2, refillPerSecond: 0.1, clock: () => 0 }))
    expect(await limit.take(attempt('192.0.2.1'))).toEqual({ allowed: true })
    expect(await limit.take(attempt('192.0.2.1'))).toEqual({ allowed: true })
    expect(await limit.take(attempt('192.0.2.1'))).toMatchObject({ allowed: false, retryAfterSeconds: 10 })
    expect(await limit.take(attempt('192.0.2.2'))).toEqual({ allowed: true })
  })

  it('asks a whole chain, with rules for the paths', async () => {
    const access = new AccessControl({ denyList: ['192.0.2.1'] })
    const auth = new CertificateAuth({ rules: [{ path: '/api/csr/f00d', requireCertificate: true }] })
    const limit = limitByMiddleware(new MiddlewareChain([access, auth]))
    const peer = fakePeer((await testCertificate()).certificate)
    expect(await limit.take(attempt('192.0.2.1'))).toMatchObject({ allowed: false, denialReason: 'access_denied' })
    expect(await limit.take(attempt('192.0.2.2'))).toMatchObject({ allowed: false, denialReason: 'cert_required' })
    expect(await limit.take(attempt('192.0.2.2', 'f00d', { peer }))).toEqual({ allowed: true })
    expect(await limit.take(attempt('192.0.2.2', 'cafe'))).toEqual({ allowed: true })
  })

  it('refuses who comes from nowhere, since no rule could judge them', async () => {
    const limit = limitByMiddleware(new RateLimiter())
    expect(await limit.take(attempt(null))).toMatchObject({ allowed: false })
  })

  it('wants something that decides', () => {
    expect(() => limitByMiddleware({} as RateLimiter)).toThrow(TypeError)
    expect(() => limitByMiddleware(undefined as unknown as RateLimiter)).toThrow(TypeError)
  })
})
