// Clocks that jump: days, years, to before 1970, to where no date is, and back. Whatever is stored is known afterwards, what
// was refused stays refused, and nobody gets in, or is locked out for ever, because of it.

import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { isCertificateExpired, isCertificateNotYetValid } from '../../src/certificate/load.ts'
import { IdentityRegistry } from '../../src/identity/registry/identity-registry.ts'
import { IdentityWallet } from '../../src/identity/wallet/identity-wallet.ts'
import { AccessControl } from '../../src/middleware/access-control.ts'
import { BanList } from '../../src/middleware/ban-list.ts'
import { RateLimiter } from '../../src/middleware/rate-limiter.ts'
import { parseClientAddress } from '../../src/names/client-address.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import { person } from '../identity/registry/support.ts'
import { request } from '../middleware/requests.ts'
import { certificateOf, codeOf, hostOf } from '../support/fault-stores.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { newRequest, testAuthority } from '../support/test-authority.ts'

const START = Date.parse('2030-06-01T12:00:00Z')
const DAY = 86_400_000
const YEAR = 365.25 * DAY

/** Times at which there is a date. */
const JUMPS = [
  { jump: 'ten days back', to: START - 10 * DAY },
  { jump: 'ten days on', to: START + 10 * DAY },
  { jump: 'forty years on', to: START + 40 * YEAR },
  { jump: 'to the beginning of 1970', to: 0 },
  { jump: 'to before 1970', to: Date.parse('1912-06-23T00:00:00Z') },
  { jump: 'to the first year', to: Date.parse('0001-01-01T00:00:00Z') },
  { jump: 'to the last year', to: Date.parse('9999-12-31T23:59:59Z') },
]
/** Times at which there is none, or none that can be written down. */
const NO_TIMES = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  8.64e15 + 1,
  8.64e15,
  Date.parse('+010000-01-01T00:00:00Z'),
  Date.parse('0000-12-31T23:59:59Z'),
]

describe('pins', () => {
  async function opened() {
    const path = join(await temporaryFolder(), 'pins.db')
    const time = { now: START }
    const store = await TofuStore.open({ path, clock: () => time.now })
    onTestFinished(() => store.close())
    await store.verifyOrTrust(hostOf(0), await certificateOf(0))
    return { path, time, store }
  }

  it.each(JUMPS)('are what they were when the clock jumps $jump, and when it comes back', async ({ to }) => {
    const { path, time, store } = await opened()
    time.now = to
    expect(await store.verifyOrTrust(hostOf(0), await certificateOf(0))).toMatchObject({ kind: 'trusted' })
    const impostor = store.verifyOrTrust(hostOf(0), await certificateOf(1))
    await expect(impostor).rejects.toMatchObject({ code: 'ERR_TLACACOCA_CERTIFICATE_CHANGED' })
    await store.verifyOrTrust(hostOf(1), await certificateOf(1))
    time.now = START
    for (const n of [0, 1]) {
      expect(await store.verify(hostOf(n), await certificateOf(n))).toMatchObject({ kind: 'trusted' })
    }
    // What was written down at that time can be read by anybody.
    const list = `${path}.toml`
    expect(await store.exportToml(list)).toBe(2)
    expect(await TofuStore.inMemory().importToml(list)).toMatchObject({ added: 2 })
  })

  it.each(NO_TIMES)('are not written at %d, which is no time, and nobody is trusted', async (now) => {
    const { path, time, store } = await opened()
    time.now = now
    const refused = { name: 'RangeError', message: expect.stringContaining('"clock"') }
    await expect(store.verifyOrTrust(hostOf(0), await certificateOf(1))).rejects.toMatchObject(refused)
    await expect(store.verifyOrTrust(hostOf(1), await certificateOf(1))).rejects.toMatchObject(refused)
    await expect(store.trust(hostOf(1), await certificateOf(1))).rejects.toMatchObject(refused)
    await expect(store.distrust(hostOf(0), await certificateOf(1))).rejects.toMatchObject(refused)
    time.now = START
    expect(await store.verify(hostOf(0), await certificateOf(0))).toMatchObject({ kind: 'trusted' })
    expect((await store.listHosts()).map(({ endpoint }) => endpoint)).toEqual([String(hostOf(0))])
    expect(await store.exportToml(`${path}.toml`)).toBe(1)
  })
})

describe('users', () => {
  it.each([...JUMPS, ...NO_TIMES.map((to) => ({ jump: `to ${to}`, to }))])(
    'are no strangers when the clock jumps $jump, and are known when it comes back',
    async ({ to }) => {
      const path = join(await temporaryFolder(), 'users.db')
      const time = { now: START }
      const registry = await IdentityRegistry.open({ path, origin: 'example.org:1965', clock: () => time.now })
      onTestFinished(() => registry.close())
      const [ana, bo] = [person(), person()]
      await registry.register(ana.peer, { handle: 'ana' })
      time.now = to
      // Known, or refused for the dates of the certificate, or no answer: never unknown, and no new account.
      const found = await registry.resolve(ana.peer).then(
        ({ kind }) => kind,
        (error: Error) => error.name,
      )
      expect(['known', 'refused', 'RangeError']).toContain(found)
      const again = await registry.register(ana.peer, { handle: 'second' }).then(() => 'registered', codeOf)
      expect(again).not.toBe('registered')
      time.now = START
      expect(await registry.resolve(ana.peer)).toMatchObject({ kind: 'known', user: { handle: 'ana' } })
      await registry.register(bo.peer, { handle: 'bo' })
    },
  )
})

describe('a wallet', () => {
  const URL_ = 'gemini://example.org/'

  it.each([...JUMPS, ...NO_TIMES.map((to) => ({ jump: `to ${to}`, to }))])(
    'can be read when the clock has jumped $jump and come back, and has its identity',
    async ({ to }) => {
      const directory = join(await temporaryFolder(), 'wallet')
      const time = { now: START }
      const wallet = await IdentityWallet.open({ directory, clock: () => time.now })
      const { id } = await wallet.create({ name: 'Ana', scope: URL_ })
      time.now = to
      // Each works, or says what is wrong; none leaves anything that cannot be read again.
      const acts: (() => Promise<unknown>)[] = [
        () => wallet.use(id, `${URL_}other/`),
        () => wallet.identityFor(URL_),
        () => wallet.annotate(id, 'a note'),
        () => wallet.create({ name: 'other' }),
        () => wallet.renew(id),
      ]
      for (const act of acts) {
        const failure = await Promise.resolve()
          .then(act)
          .then(
            () => null,
            (error: unknown) => error,
          )
        if (failure !== null) expect(failure).toBeInstanceOf(RangeError)
      }
      await wallet.reload()
      time.now = START
      expect(wallet.get(id)).toMatchObject({ name: 'Ana' })
      await wallet.close()
      const again = await IdentityWallet.open({ directory })
      onTestFinished(() => again.close())
      expect(again.forUrl(URL_)?.id).toBe(id)
      expect(again.problems).toEqual([])
    },
  )
})

describe('an authority', () => {
  it.each(JUMPS)('keeps what it has revoked when the clock jumps $jump, and signs nothing wrong', async ({ to }) => {
    const { authority, clock } = await testAuthority()
    const start = clock.now
    const [good, bad] = [await newRequest(), await newRequest()]
    const kept = await authority.sign({ request: good })
    const { certificate, serialNumber } = await authority.sign({ request: bad })
    await authority.revoke(serialNumber, { reason: 'superseded' })
    const before = await authority.crl()
    clock.now = start + (to - START)
    const checker = authority.revocationChecker()
    expect(await checker.revocationOf(certificate)).toMatchObject({ kind: 'revoked' })
    const signed = await authority.sign({ request: await newRequest() }).catch((error: unknown) => error)
    if (!(signed instanceof Error)) {
      const { issuer: _, notBefore, notAfter } = (signed as Awaited<ReturnType<typeof authority.sign>>).certificate
      expect(notBefore.getTime()).toBeLessThanOrEqual(clock.now)
      expect(notAfter.getTime()).toBeGreaterThan(clock.now)
    } else expect(codeOf(signed)).toMatch(/^ERR_TLACACOCA_AUTHORITY_(EXPIRED|NOT_YET_VALID|EXPIRING)$/)
    const list = await authority.crl().catch((error: unknown) => error)
    clock.now = start
    const after = await authority.crl()
    // Numbers go up, whatever the clock does: RFC 5280 section 5.2.3.
    expect(after.number).toBeGreaterThanOrEqual(before.number)
    if (list instanceof Error) expect(list.message).toMatch(/clock|date|year/i)
    expect(await checker.revocationOf(certificate)).toMatchObject({ kind: 'revoked' })
    expect(await checker.revocationOf(kept.certificate)).toMatchObject({ kind: 'good' })
    await authority.sign({ request: await newRequest() })
  })

  it('does not hand out what another program has given up because its clock ran ahead', async () => {
    const { authority, clock, reopen } = await testAuthority()
    const start = clock.now
    clock.now = start + 10 * DAY
    const ahead = await reopen()
    await ahead.close()
    clock.now = start
    const { certificate } = await authority.sign({ request: await newRequest() })
    expect(await authority.revocationChecker().revocationOf(certificate)).toMatchObject({ kind: 'good' })
  })
})

describe('the dates of a certificate', () => {
  it('are judged by the instant that is given, and never by one that is none', async () => {
    const certificate = await certificateOf(0)
    for (const { to } of JUMPS) {
      const at = new Date(to)
      const expected = at < certificate.notBefore ? 'not_yet_valid' : at > certificate.notAfter ? 'expired' : 'valid'
      expect(certificate.validityAt(at)).toBe(expected)
      expect(isCertificateExpired(certificate, { at })).toBe(expected === 'expired')
      expect(isCertificateNotYetValid(certificate, { at })).toBe(expected === 'not_yet_valid')
    }
    const none = new Date(Number.NaN)
    expect(() => certificate.validityAt(none)).toThrow(RangeError)
    expect(() => isCertificateExpired(certificate, { at: none })).toThrow(RangeError)
  })
})

describe('limits', () => {
  const from = '192.0.2.1'
  const address = parseClientAddress(from)

  it.each([-40 * YEAR, -10 * DAY, -1, 0])('give no token for a step of %d ms, and go on from there', (step) => {
    const time = { now: START }
    const limiter = new RateLimiter({ capacity: 2, refillPerSecond: 1, clock: () => time.now })
    for (let n = 0; n < 2; n++) expect(limiter.decide(request({ from }))).toMatchObject({ allowed: true })
    time.now += step
    const denied = { allowed: false, denialReason: 'rate_limit', retryAfterSeconds: 1 }
    for (let n = 0; n < 5; n++) expect(limiter.decide(request({ from }))).toMatchObject(denied)
    time.now += 1000
    expect(limiter.decide(request({ from }))).toMatchObject({ allowed: true })
    expect(limiter.decide(request({ from }))).toMatchObject(denied)
  })

  it.each([10 * DAY, 40 * YEAR])('give no more than is full for a step of %d ms', (step) => {
    const time = { now: START }
    const limiter = new RateLimiter({ capacity: 2, refillPerSecond: 1, clock: () => time.now })
    for (let n = 0; n < 2; n++) limiter.decide(request({ from }))
    time.now += step
    const allowed = Array.from({ length: 6 }, () => limiter.decide(request({ from })).allowed)
    expect(allowed).toEqual([true, true, false, false, false, false])
  })

  it.each([-40 * YEAR, -10 * DAY, -1])(
    'keep bans and temporary entries for as long as they were to last: %d ms',
    (step) => {
      const time = { now: START }
      const clock = () => time.now
      const bans = new BanList({ clock })
      const access = new AccessControl({ defaultAllow: false, clock })
      bans.ban(address, 60)
      access.denyFor('198.51.100.0/24', 60)
      access.allowFor(`${from}/32`, 60)
      const state = () => [
        bans.opened(address).accept,
        access.opened(parseClientAddress('198.51.100.7')).accept,
        access.opened(address).accept,
      ]
      time.now += step
      expect(state()).toEqual([false, false, true])
      time.now += 59_000
      expect(state()).toEqual([false, false, true])
      time.now += 1000
      expect(state()).toEqual([true, false, false])
    },
  )

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'answer nobody at %d, which is no time',
    (now) => {
      const time = { now: START }
      const clock = () => time.now
      const [limiter, bans] = [new RateLimiter({ capacity: 1, refillPerSecond: 1, clock }), new BanList({ clock })]
      const access = new AccessControl({ clock })
      bans.ban(address, 60)
      access.denyFor(from, 60)
      limiter.decide(request({ from }))
      time.now = now
      const guards = [() => limiter.decide(request({ from })), () => bans.opened(address), () => access.opened(address)]
      for (const guard of guards) expect(guard).toThrow(RangeError)
      time.now = START
      expect(bans.opened(address).accept).toBe(false)
      expect(access.opened(address).accept).toBe(false)
      expect(limiter.decide(request({ from })).allowed).toBe(false)
    },
  )
})
