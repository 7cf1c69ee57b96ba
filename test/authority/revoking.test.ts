import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Crl } from '../../src/authority/crl.ts'
import { canonicalSerial, Revoking, type RevokingParts } from '../../src/authority/revoking.ts'
import { SqliteIssuedStore } from '../../src/authority/sqlite-issued-store.ts'
import type { RevocationReason } from '../../src/certificate/revocation-checker.ts'
import { AuthorityError, StoreError } from '../../src/errors.ts'
import { type Issued, issue } from '../support/issued-certificates.ts'
import { issueInto, newAuthority, rowFor } from '../support/issued-rows.ts'
import { openssl } from '../support/openssl.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const NOW = Date.parse('2030-06-01T12:00:00Z')
const HOUR = 3_600_000
const DAY = 24 * HOUR
const club = newAuthority()

async function world(options: { readonly by?: Issued; readonly path?: string } & Partial<RevokingParts> = {}) {
  const { by = club, path = join(await temporaryFolder(), 'ca.db'), ...parts } = options
  const store = await SqliteIssuedStore.open(path)
  onTestFinished(() => store.close())
  const time = { now: NOW }
  const issuer = { certificate: by.certificate, privateKey: by.keys.privateKey }
  const revoking = new Revoking({ issuer, store, clock: () => time.now, ...parts })
  const status = async ({ certificate }: Issued): Promise<string> =>
    (await revoking.checker().revocationOf(certificate)).kind
  return { path, store, time, revoking, status }
}

/** The serial numbers on a list, by openssl. */
function listed(crl: Crl): string[] {
  const text = openssl(['crl', '-inform', 'DER', '-noout', '-text'], crl.der)
  return Array.from(text.matchAll(/Serial Number: ([0-9A-F]+)/g), ([, serial = '']) => serial.toLowerCase())
}

const serialOf = ({ certificate }: Issued): string => certificate.serialNumber

describe('revoking', () => {
  it('counts from the next question on, for that certificate alone', async () => {
    const { store, revoking, status } = await world()
    const [ana, bo] = [await issueInto(store, club), await issueInto(store, club, { subject: 'bo' })]
    expect([await status(ana), await status(bo)]).toEqual(['good', 'good'])
    expect(await revoking.revoke(serialOf(ana), { reason: 'superseded', by: 'the secretary' })).toEqual([serialOf(ana)])
    expect([await status(ana), await status(bo)]).toEqual(['revoked', 'good'])
    expect(await revoking.checker().revocationOf(ana.certificate)).toEqual({
      kind: 'revoked',
      reason: 'superseded',
      at: new Date(NOW),
    })
  })

  it('is final: a second time changes neither reason nor date', async () => {
    const { store, time, revoking } = await world()
    const ana = await issueInto(store, club)
    await revoking.revoke(serialOf(ana), { reason: 'superseded' })
    time.now += DAY
    expect(await revoking.revoke(serialOf(ana), { reason: 'unspecified' })).toEqual([])
    expect(await revoking.checker().revocationOf(ana.certificate)).toEqual({
      kind: 'revoked',
      reason: 'superseded',
      at: new Date(NOW),
    })
    await expect(revoking.hold(serialOf(ana))).rejects.toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_STATUS_FINAL' })
    await expect(revoking.release(serialOf(ana))).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_AUTHORITY_STATUS_FINAL',
    })
  })

  it.each([undefined, 'key_compromise'] as const)(
    'takes the other certificates of a compromised key along (after: %s)',
    async (second) => {
      const { store, revoking, status } = await world()
      const ana = await issueInto(store, club)
      const renewed = await issueInto(store, club, { key: ana })
      const bo = await issueInto(store, club, { subject: 'bo' })
      // Also if the one that is named had been revoked before for a reason of no weight.
      if (second !== undefined) await revoking.revoke(serialOf(ana), { reason: 'superseded' })
      const revoked = await revoking.revoke(serialOf(ana), { reason: 'key_compromise' })
      expect(revoked).toEqual(second === undefined ? [serialOf(ana), serialOf(renewed)] : [serialOf(renewed)])
      expect([await status(ana), await status(renewed), await status(bo)]).toEqual(['revoked', 'revoked', 'good'])
      expect(await store.isKeyBlocked(ana.certificate.publicKeyFingerprint)).toBe(true)
      expect(await store.isKeyBlocked(bo.certificate.publicKeyFingerprint)).toBe(false)
    },
  )

  it('leaves other certificates of the key alone for any other reason', async () => {
    const { store, revoking, status } = await world()
    const ana = await issueInto(store, club)
    const renewed = await issueInto(store, club, { key: ana })
    await revoking.revoke(serialOf(ana), { reason: 'superseded' })
    expect(await status(renewed)).toBe('good')
    expect(await store.isKeyBlocked(ana.certificate.publicKeyFingerprint)).toBe(false)
  })

  it('writes down who did what, and why', async () => {
    const { store, revoking } = await world()
    const ana = await issueInto(store, club)
    await revoking.hold(serialOf(ana), { by: 'the porter' })
    await revoking.release(serialOf(ana), { by: 'the porter' })
    await revoking.revoke(serialOf(ana), { reason: 'affiliation_changed', by: 'the secretary' })
    const events = []
    for await (const { event, actor, serial, detail } of store.auditTrail()) events.push([event, actor, serial, detail])
    const serial = serialOf(ana)
    expect(events.slice(1)).toEqual([
      ['held', 'the porter', serial, null],
      ['released', 'the porter', serial, null],
      ['revoked', 'the secretary', serial, 'affiliation_changed'],
    ])
  })

  it.each(['11'.repeat(17), '', 'zz', '1', '-0a', '11'.repeat(40), "x' OR 1=1 --"])(
    'knows no certificate %j',
    async (serial) => {
      const { store, revoking, status } = await world()
      const ana = await issueInto(store, club)
      const unknown = { name: 'AuthorityError', code: 'ERR_TLACACOCA_AUTHORITY_SERIAL_UNKNOWN' }
      await expect(revoking.revoke(serial, { reason: 'unspecified' })).rejects.toMatchObject(unknown)
      await expect(revoking.hold(serial)).rejects.toMatchObject(unknown)
      await expect(revoking.release(serial)).rejects.toMatchObject(unknown)
      expect(await status(ana)).toBe('good')
    },
  )

  it('reads serial numbers as other programs show them', async () => {
    const { store, revoking, status } = await world()
    const ana = await issueInto(store, club)
    const shown = openssl(['x509', '-noout', '-serial'], ana.certificate.toPem()).trim().replace('serial=', '')
    await revoking.hold(shown)
    expect(await status(ana)).toBe('held')
    await revoking.release(shown.match(/../g)?.join(':') ?? '')
    expect(await status(ana)).toBe('good')
    expect(canonicalSerial('00:FF')).toBe('ff')
    expect(canonicalSerial('00')).toBe('00')
  })

  it.each([
    { options: { reason: 'because' }, error: TypeError },
    { options: { reason: 'certificate_hold' }, error: TypeError },
    { options: { reason: 'remove_from_crl' }, error: TypeError },
    { options: {}, error: TypeError },
    { options: undefined, error: TypeError },
    { options: { reason: 'superseded', by: 7 }, error: TypeError },
    { options: { reason: 'superseded', invalidityDate: '2030-01-01' }, error: TypeError },
    { options: { reason: 'superseded', invalidityDate: new Date(Number.NaN) }, error: RangeError },
    { options: { reason: 'superseded', invalidityDate: new Date(NOW + 1) }, error: RangeError },
    { options: { reason: 'superseded', invalidtyDate: new Date(NOW) }, error: TypeError },
  ])('refuses $options as $error.name, and revokes nothing', async ({ options, error }) => {
    const { store, revoking, status } = await world()
    const ana = await issueInto(store, club)
    await expect(revoking.revoke(serialOf(ana), options as never)).rejects.toThrow(error)
    expect(await status(ana)).toBe('good')
  })

  it('never answers while the store cannot', async () => {
    const { store, revoking } = await world()
    const ana = await issueInto(store, club)
    store.close()
    await expect((async () => revoking.checker().revocationOf(ana.certificate))()).rejects.toThrow(StoreError)
    await expect(revoking.revoke(serialOf(ana), { reason: 'superseded' })).rejects.toThrow(StoreError)
    await expect(revoking.crl()).rejects.toThrow(StoreError)
  })
})

describe('a hold', () => {
  it('makes a certificate invalid until it is released, as often as one likes', async () => {
    const { store, time, revoking, status } = await world()
    const ana = await issueInto(store, club)
    for (let round = 0; round < 2; round++) {
      await revoking.hold(serialOf(ana))
      await revoking.hold(serialOf(ana))
      expect(await revoking.checker().revocationOf(ana.certificate)).toEqual({ kind: 'held', at: new Date(time.now) })
      await revoking.release(serialOf(ana))
      expect(await status(ana)).toBe('good')
      await expect(revoking.release(serialOf(ana))).rejects.toThrow(AuthorityError)
      time.now += HOUR
    }
  })

  it('can end in a revocation', async () => {
    const { store, revoking, status } = await world()
    const ana = await issueInto(store, club)
    await revoking.hold(serialOf(ana))
    expect(await revoking.revoke(serialOf(ana), { reason: 'privilege_withdrawn' })).toEqual([serialOf(ana)])
    expect(await status(ana)).toBe('revoked')
  })
})

describe('the list', () => {
  it('is the same one as long as nothing happens and half of its time is left', async () => {
    const { time, revoking } = await world()
    const first = await revoking.crl()
    expect(first).toMatchObject({ number: 1n, thisUpdate: new Date(NOW), nextUpdate: new Date(NOW + 7 * DAY) })
    time.now += 3.5 * DAY - 1
    expect((await revoking.crl()).der).toEqual(first.der)
    time.now += 1
    expect(await revoking.crl()).toMatchObject({ number: 2n, thisUpdate: new Date(time.now) })
  })

  it('is a new one as soon as something was revoked, held or released, and at once if that is wanted', async () => {
    const { store, revoking } = await world()
    const [ana, bo] = [await issueInto(store, club), await issueInto(store, club)]
    expect(listed(await revoking.crl())).toEqual([])
    await revoking.revoke(serialOf(ana), { reason: 'superseded' })
    const second = await revoking.crl()
    expect([second.number, listed(second)]).toEqual([2n, [serialOf(ana)]])
    await revoking.hold(serialOf(bo))
    const third = await revoking.crl()
    expect([third.number, listed(third)]).toEqual([3n, [serialOf(ana), serialOf(bo)]])
    await revoking.release(serialOf(bo))
    const fourth = await revoking.crl()
    expect([fourth.number, listed(fourth)]).toEqual([4n, [serialOf(ana)]])
    expect((await revoking.crl({ force: true })).number).toBe(5n)
    expect((await revoking.crl({ force: false })).number).toBe(5n)
  })

  it('says what was revoked by another program, and numbers go on', async () => {
    const one = await world()
    const other = await world({ path: one.path })
    const ana = await issueInto(one.store, club)
    expect((await one.revoking.crl()).number).toBe(1n)
    await other.revoking.revoke(serialOf(ana), { reason: 'superseded' })
    expect(await one.status(ana)).toBe('revoked')
    const next = await one.revoking.crl()
    expect([next.number, listed(next)]).toEqual([2n, [serialOf(ana)]])
    expect((await other.revoking.crl()).der).toEqual(next.der)
  })

  it('goes on counting after it was closed and opened again', async () => {
    const one = await world()
    await one.revoking.crl()
    one.store.close()
    const again = await world({ path: one.path })
    expect((await again.revoking.crl()).number).toBe(1n)
    expect((await again.revoking.crl({ force: true })).number).toBe(2n)
  })

  it('keeps what has expired for one more list, as RFC 5280 section 3.3 wants', async () => {
    const { store, time, revoking } = await world()
    const ana = await issueInto(store, club, { to: '20300602120000Z' })
    await revoking.revoke(serialOf(ana), { reason: 'superseded' })
    expect(listed(await revoking.crl())).toEqual([serialOf(ana)])
    time.now += 2 * DAY
    expect(listed(await revoking.crl({ force: true }))).toEqual([serialOf(ana)])
    expect(listed(await revoking.crl({ force: true }))).toEqual([])
  })

  it('is made once for all who ask at the same time', async () => {
    const { revoking } = await world()
    const lists = await Promise.all(Array.from({ length: 20 }, () => revoking.crl()))
    expect(new Set(lists.map(({ number }) => number))).toEqual(new Set([1n]))
  })

  it('has what was revoked before it was asked for, even while an older one is being made', async () => {
    const { store, revoking } = await world()
    const certificates = await Promise.all(Array.from({ length: 5 }, () => issueInto(store, club)))
    await Promise.all(
      certificates.map(async (certificate) => {
        void revoking.crl()
        await revoking.revoke(serialOf(certificate), { reason: 'superseded' })
        expect(listed(await revoking.crl())).toContain(serialOf(certificate))
      }),
    )
    expect(listed(await revoking.crl()).toSorted()).toEqual(certificates.map(serialOf).toSorted())
  })

  it('is tried again after it failed', async () => {
    const { store, revoking } = await world()
    const complete = store.completeCrl.bind(store)
    store.completeCrl = () => {
      throw new StoreError('ERR_TLACACOCA_STORE_FULL', 'full')
    }
    await expect(revoking.crl()).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_FULL' })
    store.completeCrl = complete
    // A number that was begun is never used again.
    expect((await revoking.crl()).number).toBe(2n)
  })

  it('is made for whoever asks while another one fails', async () => {
    const { store, revoking } = await world()
    const complete = store.completeCrl.bind(store)
    let second: Promise<Crl> | undefined
    store.completeCrl = () => {
      store.completeCrl = complete
      second = revoking.crl()
      throw new StoreError('ERR_TLACACOCA_STORE_FULL', 'full')
    }
    await expect(revoking.crl()).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_FULL' })
    expect(await second).toMatchObject({ number: 2n })
    expect((await store.currentCrl())?.number).toBe(2n)
  })

  it('is made again with the new key if the authority got another one', async () => {
    const one = await world()
    const old = await one.revoking.crl()
    const other = await world({ path: one.path, by: newAuthority({ key: 'P-384' }) })
    const made = await other.revoking.crl()
    expect([old.number, made.number]).toEqual([1n, 2n])
    expect((await other.revoking.crl()).number).toBe(2n)
  })

  it('is made again by a clock that was set back, since one from the future is refused everywhere', async () => {
    const { time, revoking } = await world()
    await revoking.crl()
    time.now -= HOUR
    expect(await revoking.crl()).toMatchObject({ number: 2n, thisUpdate: new Date(time.now) })
  })

  it('takes no number if the certificate does not allow lists', async () => {
    const { store, revoking } = await world({ by: newAuthority({ keyUsage: ['keyCertSign'] }) })
    await expect(revoking.crl()).rejects.toMatchObject({ code: 'ERR_TLACACOCA_AUTHORITY_CRL_UNAVAILABLE' })
    expect((await store.beginCrl(NOW)).number).toBe(1n)
  })

  it('tells since when a key was in other hands', async () => {
    const { store, revoking } = await world()
    const ana = await issueInto(store, club)
    await revoking.revoke(serialOf(ana), { reason: 'key_compromise', invalidityDate: new Date(NOW - 30 * DAY) })
    const text = openssl(['crl', '-inform', 'DER', '-noout', '-text'], (await revoking.crl()).der)
    expect(text).toMatch(/Key Compromise/)
    expect(text).toMatch(/Invalidity Date: \n\s+May {2}2 12:00:00 2030 GMT/)
  })

  it.each([0, 1_999, 1.5, Number.NaN, 367 * DAY, '7d'])(
    'cannot be valid for %s milliseconds',
    async (crlValidityMs) => {
      await expect(world({ crlValidityMs: crlValidityMs as number })).rejects.toThrow(/^"crlValidityMs" expected /)
    },
  )

  it.each([{ force: 'yes' }, { forced: true }, null])('is not asked for with %o', async (options) => {
    const { revoking } = await world()
    await expect(revoking.crl(options as never)).rejects.toThrow(TypeError)
  })
})

describe('a race', () => {
  it('for one certificate has one winner, whoever revokes, holds and releases', async () => {
    const one = await world()
    const other = await world({ path: one.path })
    const ana = await issueInto(one.store, club)
    const reasons: RevocationReason[] = ['superseded', 'unspecified', 'affiliation_changed', 'cessation_of_operation']
    const outcomes = await Promise.all(
      reasons.map((reason, index) => (index % 2 === 0 ? one : other).revoking.revoke(serialOf(ana), { reason })),
    )
    expect(outcomes.filter(({ length }) => length === 1)).toHaveLength(1)
    const winner = reasons[outcomes.findIndex(({ length }) => length === 1)]
    expect(await one.revoking.checker().revocationOf(ana.certificate)).toMatchObject({ reason: winner })
  })

  it('between a compromise and a certificate that is being signed for the key is won by the compromise', async () => {
    const { store, revoking, status } = await world()
    const ana = await issueInto(store, club)
    const next = issue({ subject: 'ana', by: club, key: ana })
    await store.begin(rowFor(next.certificate), null)
    await revoking.revoke(serialOf(ana), { reason: 'key_compromise' })
    expect(await store.complete(serialOf(next), next.certificate, NOW, null)).toEqual({ kind: 'not_pending' })
    expect(await status(next)).not.toBe('good')
  })
})
