import { describe, expect, it } from 'vitest'
import { type LimitedTry, MemoryIdentityLimiter } from '../../../src/identity/registry/limiter.ts'
import { fixedClock } from '../../../src/testing/fixed-clock.ts'
import { refusalOf, stranger, withAna } from './support.ts'

const attempt = (id: string, kind: LimitedTry['subject']['kind'] = 'certificate'): LimitedTry => ({
  action: 'redeem',
  subject: { kind, id },
})

describe('MemoryIdentityLimiter', () => {
  it('allows five tries for a certificate and twenty for a user or a handle in ten minutes', () => {
    for (const [kind, limit] of [
      ['certificate', 5],
      ['user', 20],
      ['handle', 20],
    ] as const) {
      const clock = fixedClock(new Date(0))
      const limiter = new MemoryIdentityLimiter({ clock })
      for (let n = 0; n < limit; n++) expect(limiter.take(attempt('a', kind))).toEqual({ allowed: true })
      clock.advance(1500)
      expect(limiter.take(attempt('a', kind))).toEqual({ allowed: false, retryAfterSeconds: 599 })
      expect(limiter.take(attempt('b', kind))).toEqual({ allowed: true })
      expect(limiter.take({ ...attempt('a', kind), action: 'recover' })).toEqual({ allowed: true })
      clock.advance(598_499)
      expect(limiter.take(attempt('a', kind))).toEqual({ allowed: false, retryAfterSeconds: 1 })
      clock.advance(1)
      expect(limiter.take(attempt('a', kind))).toEqual({ allowed: true })
    }
  })

  it('keeps nobody out for longer than a window because the clock was put back', () => {
    const clock = fixedClock(new Date('2030-01-01'))
    const limiter = new MemoryIdentityLimiter({ perCertificate: 1, clock })
    limiter.take(attempt('a'))
    clock.advance(-86_400_000)
    expect(limiter.take(attempt('a'))).toEqual({ allowed: true })
  })

  it('has memory for so many, and those of one kind do not push out another', () => {
    const limiter = new MemoryIdentityLimiter({ perCertificate: 1, perUser: 1, maxSubjects: 3 })
    limiter.take(attempt('ana', 'user'))
    for (const id of ['a', 'b', 'c', 'd']) limiter.take(attempt(id))
    expect(limiter.take(attempt('d')).allowed).toBe(false)
    expect(limiter.take(attempt('a')).allowed).toBe(true)
    expect(limiter.take(attempt('ana', 'user')).allowed).toBe(false)
  })

  it.each([{ perCertificate: 0 }, { perUser: Number.NaN }, { windowMs: -1 }, { maxSubjects: 0 }, { perUsers: 1 }])(
    'refuses limits that would never limit: %j',
    (options) => {
      expect(() => new MemoryIdentityLimiter(options)).toThrow()
    },
  )
})

describe('a limiter of one’s own', () => {
  it('that fails, or answers nonsense, lets no try through', async () => {
    for (const take of [
      () => {
        throw new Error('no connection')
      },
      () => Promise.reject(new Error('no connection')),
      () => ({}),
      () => ({ allowed: 'yes' }),
      () => true,
    ]) {
      const { registry, store } = await withAna()
      const { openRegistry } = await import('./support.ts')
      const { registry: limited } = openRegistry({ limiter: { take } as never }, store)
      await expect(limited.redeemLinkCode(stranger(), '0000000000')).rejects.not.toMatchObject({
        code: 'ERR_TLACACOCA_IDENTITY_CODE_INVALID',
      })
      expect(await refusalOf(registry.redeemLinkCode(stranger(), '0000000000'))).toBe('IDENTITY_CODE_INVALID')
    }
  })
})
