import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { StoreError } from '../../../src/errors.ts'
import type { IdentityStore } from '../../../src/identity/registry/identity-store.ts'
import { MemoryIdentityStore } from '../../../src/identity/registry/memory-identity-store.ts'
import type { IdentityPolicy } from '../../../src/identity/registry/policy.ts'
import { CertificateAuth } from '../../../src/middleware/certificate-auth.ts'
import { parseClientAddress } from '../../../src/names/client-address.ts'
import { parseTarget } from '../../../src/names/request-target.ts'
import { craft, sequence, utcTime } from '../../support/crafted-certificates.ts'
import { fakePeer } from '../../support/peer.ts'
import {
  counting,
  DAY,
  HOUR,
  NOW,
  openRegistry,
  person,
  refusalOf,
  stranger,
  timeOf,
  until,
  withAna,
} from './support.ts'

describe('resolve', () => {
  it('knows a user by the certificate that was registered, and by nothing else', async () => {
    const { registry, ana, user, credential } = await withAna()
    expect(await registry.resolve(ana)).toEqual({ kind: 'known', user, credential, notices: [] })
    expect(await registry.resolve(stranger())).toMatchObject({ kind: 'unknown', sameKey: false })
    expect(await registry.resolve(null)).toEqual({ kind: 'anonymous' })
  })

  it('takes no name in a certificate for evidence', async () => {
    const { registry } = await withAna({}, person({ subject: 'ana' }))
    expect(await registry.resolve(person({ subject: 'ana' }).peer)).toMatchObject({ kind: 'unknown', sameKey: false })
  })

  it('takes no certificate whose key was not proven', async () => {
    const { registry, person: ana } = await withAna()
    const shown = { certificate: ana.certificate, fingerprint: ana.certificate.fingerprint, issuance: 'issued' }
    for (const impostor of [ana.certificate, shown, { ...ana.peer }, ana.certificate.fingerprint, undefined]) {
      await expect(registry.resolve(impostor as never)).rejects.toThrow(TypeError)
      await expect(registry.createLinkCode(impostor as never)).rejects.toThrow(TypeError)
      await expect(registry.register(impostor as never)).rejects.toThrow(TypeError)
    }
  })

  it('gives no date that could be changed in what it keeps', async () => {
    const { registry, ana, user } = await withAna()
    user.createdAt.setTime(0)
    expect(await registry.resolve(ana)).toMatchObject({ user: { createdAt: NOW } })
  })
})

// One thing differs from row to row: how long after its last instant (or before its first) the certificate comes.
describe('a known certificate', () => {
  const GRACE = 30 * DAY
  it.each<{ expiry: IdentityPolicy['expiry']; lateMs: number; outcome: string }>([
    { expiry: 'reject', lateMs: 0, outcome: 'known expires_soon' },
    { expiry: 'reject', lateMs: 1, outcome: 'refused expired' },
    { expiry: 'grace', lateMs: -14 * DAY, outcome: 'known ' },
    { expiry: 'grace', lateMs: -14 * DAY + 1, outcome: 'known expires_soon' },
    { expiry: 'grace', lateMs: 0, outcome: 'known expires_soon' },
    { expiry: 'grace', lateMs: 1, outcome: 'known expired' },
    { expiry: 'grace', lateMs: GRACE, outcome: 'known expired' },
    { expiry: 'grace', lateMs: GRACE + 1, outcome: 'refused expired' },
    { expiry: 'ignore', lateMs: 0, outcome: 'known ' },
    { expiry: 'ignore', lateMs: 1, outcome: 'known expired' },
    { expiry: 'ignore', lateMs: 36_500 * DAY, outcome: 'known expired' },
    { expiry: undefined, lateMs: GRACE, outcome: 'known expired' },
    { expiry: undefined, lateMs: GRACE + 1, outcome: 'refused expired' },
  ])('under the policy $expiry, $lateMs ms after its end, is $outcome', async ({ expiry, lateMs, outcome }) => {
    const policy = expiry === undefined ? {} : { expiry }
    const end = NOW.getTime() + 100 * DAY
    const { registry, clock, ana } = await withAna({ policy }, until(100 * DAY))
    clock.set(new Date(end + lateMs))
    const found = await registry.resolve(ana)
    const what =
      found.kind === 'known' ? found.notices.map((each) => each.kind) : found.kind === 'refused' ? found.reason : ''
    expect(`${found.kind} ${what}`).toBe(outcome)
  })

  it('is refused before its first instant, whatever the policy', async () => {
    const { registry, clock, ana } = await withAna(
      { policy: { expiry: 'ignore' } },
      person({ from: timeOf(NOW.getTime()) }),
    )
    clock.advance(-1)
    expect(await registry.resolve(ana)).toEqual({ kind: 'refused', reason: 'not_yet_valid' })
  })

  it('tells until when the grace lasts', async () => {
    const { registry, clock, ana } = await withAna({ policy: { graceMs: 5000 } }, until(DAY))
    clock.advance(DAY + 1000)
    const until5 = new Date(NOW.getTime() + DAY + 5000)
    expect(await registry.resolve(ana)).toMatchObject({ notices: [{ kind: 'expired', until: until5 }] })
  })
})

describe('a certificate that nobody knows', () => {
  it.each([
    { what: 'has expired', make: () => until(-1000).peer, reason: 'expired' },
    {
      what: 'is not valid yet',
      make: () => person({ from: timeOf(NOW.getTime() + 1000) }).peer,
      reason: 'not_yet_valid',
    },
    {
      what: 'has dates that cannot be read',
      make: () => fakePeer(craft({ validity: sequence(utcTime('250101000000Z'), utcTime('301301000000Z')) })),
      reason: 'malformed',
    },
  ])('and $what is refused, and cannot register, whatever the policy', async ({ make, reason }) => {
    for (const expiry of ['reject', 'grace', 'ignore'] as const) {
      const { registry, ana } = await withAna({ policy: { expiry } })
      const peer = make()
      const { code } = await registry.createLinkCode(ana)
      expect(await registry.resolve(peer)).toEqual({ kind: 'refused', reason })
      const refused = `IDENTITY_REFUSED ${reason}`
      expect(await refusalOf(registry.register(peer))).toBe(refused)
      expect(await refusalOf(registry.redeemLinkCode(peer, code))).toBe(refused)
      expect(await refusalOf(registry.requestLink(peer, 'ana'))).toBe(refused)
      expect(await refusalOf(registry.recover(peer, 'ana', 'x'))).toBe(refused)
      expect(await refusalOf(registry.confirmSameKey(peer))).toBe(refused)
    }
  })
})

describe('what a request costs', () => {
  it('is one read, and one write for each user and day', async () => {
    const counted = counting(new MemoryIdentityStore())
    const { registry, clock } = openRegistry({}, counted.store)
    const [ana, phone] = [person().peer, person().peer]
    const { user } = await registry.register(ana)
    await registry.redeemLinkCode(phone, (await registry.createLinkCode(ana)).code, { label: 'phone' })

    const callsOf = async (...peers: (typeof ana)[]) => {
      counted.calls.length = 0
      for (const peer of peers) expect(await registry.resolve(peer)).toMatchObject({ kind: 'known' })
      return counted.calls.join(' ')
    }
    // The visit of the first certificate was written when it made the code.
    expect(await callsOf(ana, phone, ana, phone)).toBe('find find find find')
    clock.advance(DAY)
    expect(await callsOf(ana, phone, ana)).toBe('find touch find find')
    clock.advance(DAY)
    expect(await callsOf(ana)).toBe('find touch')
    // The phone was the second to come on its day, and is remembered all the same.
    const { credentials } = await registry.exportUser(user.id)
    expect(credentials.map((each) => each.lastSeen)).toEqual(['2030-06-03', '2030-06-02'])
  })

  it('counts days in UTC', async () => {
    const { registry, clock, ana, user } = await withAna()
    clock.set(new Date('2030-06-05T23:59:59.999Z'))
    await registry.resolve(ana)
    expect((await registry.exportUser(user.id)).user.lastSeen).toBe('2030-06-05')
    clock.set(new Date('2030-06-06T00:00:00Z'))
    await registry.resolve(ana)
    expect((await registry.exportUser(user.id)).user.lastSeen).toBe('2030-06-06')
  })

  it('is one read for strangers, for those who wait and for those who are refused', async () => {
    const counted = counting(new MemoryIdentityStore())
    const { registry } = openRegistry({}, counted.store)
    const waiting = stranger()
    await registry.requestLink(waiting, 'nobody')
    counted.calls.length = 0
    for (const peer of [stranger(), waiting, until(-1000).peer]) await registry.resolve(peer)
    expect(counted.calls).toEqual(['find', 'find', 'find'])
  })
})

describe('a store that fails', () => {
  const failure = new StoreError('ERR_TLACACOCA_STORE_FAILED', 'the store is on fire')

  type Failing = 'throws' | 'rejects' | 'rejects by a promise of another realm'
  const rejectElsewhere = runInNewContext('(error) => Promise.reject(error)')

  function failing(method: keyof IdentityStore, how: Failing, store: IdentityStore): IdentityStore {
    return new Proxy(store, {
      get(target, name) {
        if (name === method) {
          return () => {
            if (how === 'throws') throw failure
            return how === 'rejects' ? Promise.reject(failure) : rejectElsewhere(failure)
          }
        }
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }

  describe.each(['throws', 'rejects', 'rejects by a promise of another realm'] as const)('(it %s)', (how) => {
    it.each(['find', 'settle'] as const)('in %s lets nobody in, and calls nobody a stranger', async (method) => {
      const { store, ana } = await withAna()
      const { registry } = openRegistry({}, failing(method, how, store))
      for (const peer of [ana, stranger()]) {
        await expect(registry.resolve(peer)).rejects.toBe(failure)
        const auth = new CertificateAuth({
          rules: [{ path: '/', lookup: registry.lookup() }],
          clock: () => NOW.getTime(),
        })
        expect(await auth.decide(requestBy(peer))).toEqual({
          allowed: false,
          denialReason: 'internal_error',
          rule: '/',
          cause: failure,
        })
        await expect(registry.register(peer)).rejects.toBe(failure)
      }
    })

    it('to note a visit keeps nobody out, and says so', async () => {
      const { store, ana } = await withAna()
      const { registry, events, clock } = openRegistry({}, failing('touch', how, store))
      clock.advance(DAY)
      expect(await registry.resolve(ana)).toMatchObject({ kind: 'known' })
      await new Promise(setImmediate)
      expect(events).toEqual([{ kind: 'write_lost', error: failure }])
    })

    it('to note a replacement keeps nobody out, and it is tried again', async () => {
      const { registry, store, ana } = await withAna()
      const next = stranger()
      await registry.redeemLinkCode(next, (await registry.createLinkCode(ana, { kind: 'replace' })).code)
      const { registry: broken } = openRegistry({}, failing('completeReplacement', how, store))
      expect(await broken.resolve(next)).toMatchObject({ kind: 'known' })
      expect(await registry.resolve(ana)).toMatchObject({ kind: 'known' })
      await registry.resolve(next)
      expect(await registry.resolve(ana)).toEqual({ kind: 'refused', reason: 'superseded' })
    })

    it('to renew a key does not let its holder in', async () => {
      const { store, person: ana } = await withAna()
      const { registry } = openRegistry({ policy: { sameKey: 'auto' } }, failing('renew', how, store))
      await expect(registry.resolve(person({ key: ana.issued }).peer)).rejects.toBe(failure)
    })
  })

  it('that never answers about a visit holds up nobody', async () => {
    const { store, ana } = await withAna()
    const never = new Proxy(store, {
      get(target, name) {
        if (name === 'touch') return () => new Promise(() => {})
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const { registry } = openRegistry({}, never)
    expect(await registry.resolve(ana)).toMatchObject({ kind: 'known' })
  })
})

function requestBy(peer: ReturnType<typeof stranger> | null, path = '/') {
  const target = parseTarget(`gemini://example.org${path}`, { schemes: { gemini: 1965 }, served: 'any' })
  return { target, address: parseClientAddress('192.0.2.1'), peer }
}

describe('lookup', () => {
  it('turns what is known into the reasons of a rule', async () => {
    const { registry, ana, person: anas, user } = await withAna()
    const [phone, waiting, revoked] = [stranger(), stranger(), stranger()]
    await registry.redeemLinkCode(revoked, (await registry.createLinkCode(ana)).code)
    await registry.revoke(ana, (await registry.account(revoked)).credentials[1]?.id ?? '')
    await registry.requestLink(waiting, 'ana')
    const next = stranger()
    await registry.redeemLinkCode(next, (await registry.createLinkCode(ana, { kind: 'replace' })).code)

    const auth = new CertificateAuth({ rules: [{ path: '/', lookup: registry.lookup() }], clock: () => NOW.getTime() })
    const answer = async (peer: typeof ana | null) => {
      const { allowed, ...rest } = await auth.decide(requestBy(peer))
      return { ...rest, allowed }
    }
    expect(await answer(next)).toEqual({ allowed: true, rule: '/' })
    expect(await answer(null)).toMatchObject({ denialReason: 'cert_required' })
    expect(await answer(phone)).toMatchObject({ denialReason: 'cert_not_authorized', detail: 'unknown' })
    expect(await answer(waiting)).toMatchObject({ denialReason: 'cert_not_authorized', detail: 'pending' })
    expect(await answer(revoked)).toMatchObject({ denialReason: 'cert_not_valid', detail: 'revoked' })
    // The next one has been used now, so that the first is one that Ana used to have.
    expect(await answer(ana)).toMatchObject({ denialReason: 'identity_changed' })
    await registry.eraseUser(user.id)
    expect(await answer(next)).toMatchObject({ denialReason: 'cert_not_valid', detail: 'erased' })
    expect(anas.certificate.subject.commonName).toBe('somebody')
  })

  it('tells a new certificate for a known key from a stranger', async () => {
    const { registry, person: ana } = await withAna()
    const renewed = person({ key: ana.issued }).peer
    expect(await registry.lookup().lookup(renewed, requestBy(renewed))).toEqual({ kind: 'identity_changed' })
  })

  it('answers at once if the store does', async () => {
    const { registry, ana, user } = await withAna()
    expect(registry.lookup().lookup(ana, requestBy(ana))).toEqual({ kind: 'known', user: { ...user, lastSeen: null } })
  })

  it('is asked about a certificate that has expired if the rule leaves that to it', async () => {
    const { registry, clock, ana } = await withAna({}, until(HOUR))
    clock.advance(2 * HOUR)
    const rule = { path: '/', lookup: registry.lookup() }
    const strict = new CertificateAuth({ rules: [rule], clock })
    const lenient = new CertificateAuth({ rules: [{ ...rule, expired: 'allow' }], clock })
    expect(await strict.decide(requestBy(ana))).toMatchObject({ allowed: false, denialReason: 'cert_not_valid' })
    expect(await lenient.decide(requestBy(ana))).toEqual({ allowed: true, rule: '/' })
    clock.advance(31 * DAY)
    expect(await lenient.decide(requestBy(ana))).toMatchObject({ denialReason: 'cert_not_valid', detail: 'expired' })
  })

  it('asks again for every request, so that a revocation counts on an open connection', async () => {
    const { registry, ana, credential } = await withAna()
    const auth = new CertificateAuth({ rules: [{ path: '/', lookup: registry.lookup() }], clock: () => NOW.getTime() })
    expect(await auth.decide(requestBy(ana))).toEqual({ allowed: true, rule: '/' })
    await registry.revokeAsOperator(credential.id)
    expect(await auth.decide(requestBy(ana))).toMatchObject({ allowed: false, denialReason: 'cert_not_valid' })
  })
})
