// Each check gets an empty store, does one thing, and throws if it did not come out as promised.

import { deepStrictEqual, ok, rejects, strictEqual } from 'node:assert/strict'
import type { IssuedFilter, IssuedStore } from '../authority/issued-store.ts'
import { StoreError } from '../errors.ts'
import { digest, expectKind, raceFor } from './contract-identities.ts'
import {
  allOf,
  begin,
  change,
  issue,
  keyOf,
  plain,
  prepare,
  publishList,
  revocation,
  SECOND,
  START,
  serialOf,
  soundTrail,
  statusOf,
} from './contract-issued.ts'

/** Opens another store over the same certificates; null where there cannot be one. */
type Reopen = (() => Promise<IssuedStore>) | null

async function severalOf(store: IssuedStore, reopen: Reopen): Promise<IssuedStore[]> {
  return reopen === null ? [store] : [store, await reopen(), await reopen()]
}

/** What `IssuedStore` promises, by the numbers in its comment. */
export const ISSUED_STORE_PROMISES: Record<string, (store: IssuedStore, reopen: Reopen) => Promise<void>> = {
  '1 what is read is what was begun, every field of it': async (store) => {
    const odd = 'a "b" \u{1f512}\u0000'
    const texts = { profile: odd, clientHash: odd, subject: odd, requestedBy: odd, renewedFrom: serialOf('old') }
    const times = { notBefore: -SECOND, notAfter: 253_402_300_799_000, createdAt: START + 1 }
    await issue(store, 'old')
    const { row } = await begin(store, 'ana', { ...texts, ...times })
    const begun = { status: 'pending', statusAt: START + 1, certificate: null, revocation: null }
    deepStrictEqual(plain(await store.get(row.serial)), { ...row, ...begun })
    const empty = { clientHash: null, requestSha256: null, requestedBy: null, renewedFrom: null, subject: '' }
    const { row: second } = await begin(store, 'bo', empty)
    deepStrictEqual(plain(await store.get(second.serial)), { ...second, ...begun, statusAt: START })
  },
  '1 what is read is what was completed, held and revoked, every field of it': async (store) => {
    const { row, certificate } = await begin(store, 'ana')
    const { serial } = row
    await store.complete(serial, certificate, START + 1, null)
    const issued = { ...row, status: 'issued', statusAt: START + 1, certificate: certificate.fingerprint }
    deepStrictEqual(plain(await store.get(serial)), { ...issued, revocation: null })
    await store.hold(change('ana', { at: START + 2 }))
    deepStrictEqual(plain(await store.get(serial)), {
      ...issued,
      status: 'held',
      statusAt: START + 2,
      revocation: null,
    })
    const why = { at: START + 3, reason: 'privilege_withdrawn', invalidityDate: START - 4 } as const
    await store.revoke(revocation('ana', why))
    const revoked = { ...issued, status: 'revoked', statusAt: START + 3, revocation: why }
    deepStrictEqual(plain(await store.get(serial)), revoked)
    deepStrictEqual((await allOf(store.list({}))).map(plain), [revoked])
  },
  '1 that there is none is an answer': async (store) => {
    strictEqual(await store.get(serialOf('nobody')), null)
    deepStrictEqual(await allOf(store.list({})), [])
    deepStrictEqual(await allOf(store.auditTrail()), [])
    strictEqual(await store.isKeyBlocked(keyOf('nobody')), false)
    strictEqual(await store.currentCrl(), null)
    deepStrictEqual(await store.claimNotices(START, START, 9), [])
    strictEqual(await store.abandonPending(START, START), 0)
    await store.settleNotice(1)
    await store.postponeNotice(1, START)
  },
  '1 serial numbers are compared byte by byte': async (store) => {
    const { row } = await issue(store, 'ana', { serial: '1abc' })
    for (const serial of ['1ABC', '1abc00', '001abc', '1ab', '1ab_', '%', '']) {
      strictEqual(await store.get(serial), null)
      await expectKind(store.revoke({ ...revocation('ana'), serial }), 'unknown')
    }
    strictEqual((await store.get('1abc'))?.publicKey, row.publicKey)
  },
  '1 a list has what was asked for, in the order in which it was begun': async (store) => {
    await issue(store, 'd', { clientHash: 'x', notAfter: START + 4 * SECOND })
    await issue(store, 'c', { clientHash: 'x', notAfter: START + 3 * SECOND, profile: 'server' })
    await begin(store, 'b', { clientHash: 'y', notAfter: START + 2 * SECOND })
    await issue(store, 'a', { key: 'd', notAfter: START + SECOND })
    await store.revoke(revocation('c'))
    const listed = async (filter: IssuedFilter) => (await allOf(store.list(filter))).map((each) => each.subject.at(-1))
    deepStrictEqual(await listed({}), ['d', 'c', 'b', 'a'])
    deepStrictEqual(await listed({ status: 'issued' }), ['d', 'a'])
    deepStrictEqual(await listed({ profile: 'client-identity' }), ['d', 'b', 'a'])
    deepStrictEqual(await listed({ clientHash: 'x' }), ['d', 'c'])
    deepStrictEqual(await listed({ publicKey: keyOf('d') }), ['d', 'a'])
    deepStrictEqual(await listed({ expiresBy: START + 3 * SECOND }), ['c', 'b', 'a'])
    deepStrictEqual(await listed({ expiresBy: START + 3 * SECOND - 1 }), ['b', 'a'])
    deepStrictEqual(await listed({ status: 'issued', clientHash: 'x', publicKey: keyOf('d') }), ['d'])
    deepStrictEqual(await listed({ status: 'held' }), [])
  },
  '1 a list and a trail that are long and slowly read come whole, and are in nobody’s way': async (store, reopen) => {
    const other = reopen === null ? store : await reopen()
    const names = Array.from({ length: 230 }, (_, n) => `${n}`)
    for (const name of names) await issue(store, name)
    const read: string[] = []
    for await (const { serial } of store.list({})) {
      if (read.length % 100 === 50) await other.revoke({ ...revocation(''), serial })
      read.push(serial)
    }
    deepStrictEqual(read, names.map(serialOf))
    const issued: (string | null)[] = []
    for await (const { event, serial } of store.auditTrail()) {
      if (event !== 'issued') continue
      if (issued.length % 100 === 50) await other.blockKey({ publicKey: keyOf(`${serial}`), at: START, by: null })
      issued.push(serial)
    }
    deepStrictEqual(issued, names.map(serialOf))
  },
  '1 what is done afterwards with what was handed in or out changes nothing': async (store) => {
    const { row, certificate } = await prepare('ana')
    const given = { ...row, profile: 'server' }
    await store.begin(given, null)
    given.profile = 'changed'
    await store.complete(row.serial, certificate, START, null)
    strictEqual((await store.get(row.serial))?.profile, 'server')
    const { number } = await store.beginCrl(START)
    const der = Uint8Array.of(1, 2, 3)
    await store.completeCrl({ number, thisUpdate: START, nextUpdate: START + SECOND, der })
    der.fill(0)
    ;(await store.currentCrl())?.der.fill(0)
    deepStrictEqual([...((await store.currentCrl())?.der ?? [])], [1, 2, 3])
  },
  '2 every change has its event, and what changed nothing has none': async (store) => {
    const { row, certificate } = await begin(store, 'ana', { requestedBy: 'ana herself' })
    await store.complete(row.serial, certificate, START + 1, null)
    await issue(store, 'bo', { renewedFrom: row.serial })
    await begin(store, 'cy', { createdAt: START - 1 })
    await store.hold(change('ana', { at: START + 2, by: 'admin' }))
    await store.hold(change('ana'))
    await store.release(change('ana', { at: START + 3, by: 'admin' }))
    await store.release(change('ana'))
    await store.revoke(revocation('ana', { at: START + 4, by: 'admin' }))
    await store.revoke(revocation('ana'))
    await store.abandonPending(START, START + 5)
    await store.abandonPending(START, START + 6)
    await store.blockKey({ publicKey: keyOf('x'), at: START + 7, by: 'admin' })
    await store.blockKey({ publicKey: keyOf('x'), at: START + 8, by: 'admin' })
    const { number } = await store.beginCrl(START + 9)
    for (const act of ['hold', 'release'] as const) await store[act](change('nobody'))
    await store.revoke(revocation('nobody'))
    await store.complete(serialOf('nobody'), certificate, START, null)
    await store.begin(row, null)
    const seconds = (await soundTrail(store)).map(({ at, event, actor, serial, detail }) => ({
      at: at - START,
      event,
      actor,
      serial,
      detail,
    }))
    const [ana, bo, cy] = [row.serial, serialOf('bo'), serialOf('cy')]
    deepStrictEqual(seconds, [
      { at: 1, event: 'issued', actor: 'ana herself', serial: ana, detail: 'client-identity: CN=ana' },
      { at: 0, event: 'renewed', actor: null, serial: bo, detail: 'client-identity: CN=bo' },
      { at: 2, event: 'held', actor: 'admin', serial: ana, detail: null },
      { at: 3, event: 'released', actor: 'admin', serial: ana, detail: null },
      { at: 4, event: 'revoked', actor: 'admin', serial: ana, detail: 'superseded' },
      { at: 5, event: 'abandoned', actor: null, serial: cy, detail: null },
      { at: 7, event: 'key_blocked', actor: 'admin', serial: null, detail: keyOf('x') },
      { at: 9, event: 'crl', actor: null, serial: null, detail: `number ${number}` },
    ])
  },
  '2 of many who complete, hold, release or revoke the same certificate, one does': async (store, reopen) => {
    const stores = await severalOf(store, reopen)
    for (let round = 0; round < 3; round++) {
      const { row, certificate } = await begin(store, `${round}`)
      const race = (attempt: (each: IssuedStore) => unknown) => raceFor(stores, 24, attempt)
      const completed = await race((each) => each.complete(row.serial, certificate, START, START))
      deepStrictEqual(completed, { completed: 1, not_pending: 23 })
      deepStrictEqual(await race((each) => each.hold(change(`${round}`))), { held: 1, already_held: 23 })
      deepStrictEqual(await race((each) => each.release(change(`${round}`))), { released: 1, not_held: 23 })
      const revoked = await race((each) => each.revoke(revocation(`${round}`, { withKey: true })))
      deepStrictEqual(revoked, { revoked: 1, already_revoked: 23 })
    }
    // One notice and five events for each.
    strictEqual((await store.claimNotices(START, START + 1, 99)).length, 3)
    strictEqual((await soundTrail(store)).length, 15)
  },
  '2 of a completion and a giving up at once, one happens': async (store, reopen) => {
    const stores = await severalOf(store, reopen)
    for (let round = 0; round < 10; round++) {
      const { row, certificate } = await begin(store, `${round}`)
      const counts = await raceFor(stores, 2, (each, n) =>
        n === round % 2
          ? each.complete(row.serial, certificate, START, null)
          : each.abandonPending(START + 1, START + 1),
      )
      const found = await store.get(row.serial)
      if (counts.completed === 1) {
        strictEqual(counts['0'], 1)
        strictEqual(found?.status, 'issued')
      } else {
        deepStrictEqual(counts, { not_pending: 1, 1: 1 })
        strictEqual(found?.status, 'revoked')
        strictEqual(found.certificate, null)
      }
    }
  },
  '2 what one store has written, the others see': async (store, reopen) => {
    const other = reopen === null ? store : await reopen()
    await issue(store, 'ana', { notifyAt: START })
    strictEqual(await statusOf(other, 'ana'), 'issued')
    await other.revoke(revocation('ana', { withKey: true }))
    strictEqual(await statusOf(store, 'ana'), 'revoked')
    strictEqual(await store.isKeyBlocked(keyOf('ana')), true)
    await publishList(other)
    deepStrictEqual((await store.currentCrl())?.number, (await other.currentCrl())?.number)
    strictEqual((await other.claimNotices(START, START + 1, 1)).length, 1)
  },
  '3 what was begun outlives the store that began it': async (store, reopen) => {
    if (reopen === null) return
    const { row } = await begin(store, 'ana')
    const watching = await reopen()
    strictEqual(await statusOf(watching, 'ana'), 'pending')
    await store.close()
    strictEqual((await (await reopen()).get(row.serial))?.tbsSha256, row.tbsSha256)
  },
  '3 of many who begin with one serial number, one does': async (store, reopen) => {
    const stores = await severalOf(store, reopen)
    for (let round = 0; round < 5; round++) {
      const serial = serialOf(`${round}`)
      const rows = await Promise.all(Array.from({ length: 24 }, (_, n) => prepare(`${round} ${n}`, { serial })))
      const begun: number[] = []
      const counts = await raceFor(stores, 24, async (each, n) => {
        const prepared = rows[n]
        if (prepared === undefined) throw new Error('no row')
        const outcome = await each.begin(prepared.row, { since: START })
        if (outcome.kind === 'begun') begun.push(n)
        return outcome
      })
      deepStrictEqual(counts, { begun: 1, serial_taken: 23 })
      strictEqual((await store.get(serial))?.subject, `CN=${round} ${begun[0]}`)
    }
    strictEqual((await allOf(store.list({}))).length, 5)
  },
  '3 a serial number stays taken, whatever becomes of its certificate': async (store) => {
    const { row } = await begin(store, 'ana')
    await expectKind(store.begin(row, null), 'serial_taken')
    await store.abandonPending(START + 1, START)
    await expectKind(store.begin(row, null), 'serial_taken')
    await issue(store, 'bo')
    for (const act of [() => store.hold(change('bo')), () => store.revoke(revocation('bo'))]) {
      await act()
      const other = await prepare('other', { serial: serialOf('bo') })
      await expectKind(store.begin(other.row, null), 'serial_taken')
    }
  },
  '4 of many equal requests one begins, and the others get what came of it': async (store, reopen) => {
    const stores = await severalOf(store, reopen)
    for (let round = 0; round < 5; round++) {
      const requestSha256 = digest(`${round}`)
      const rows = await Promise.all(
        Array.from({ length: 24 }, (_, n) => prepare(`${round} ${n}`, { requestSha256, key: `${round}` })),
      )
      const race = () =>
        raceFor(stores, 24, async (each, n) => {
          const outcome = await each.begin(rows[n]?.row ?? (await prepare('')).row, { since: START })
          return outcome.kind === 'replayed' ? outcome.row.serial : outcome
        })
      deepStrictEqual(await race(), { begun: 1, in_progress: 23 })
      const [pending] = await allOf(store.list({ status: 'pending' }))
      const chosen = rows.find(({ row }) => row.serial === pending?.serial)
      if (chosen === undefined) throw new Error('the row that was begun is not there')
      await store.complete(chosen.row.serial, chosen.certificate, START, null)
      deepStrictEqual(await race(), { [chosen.row.serial]: 24 })
    }
    strictEqual((await allOf(store.list({}))).length, 5)
  },
  '4 the answer to a request that was sent twice is the row, every field of it': async (store) => {
    const { row } = await issue(store, 'ana')
    const again = await prepare('again', { key: 'ana', requestSha256: row.requestSha256 })
    const outcome = await store.begin(again.row, { since: START })
    if (outcome.kind !== 'replayed') throw new Error(`it came to ${outcome.kind}`)
    deepStrictEqual(plain(outcome.row), plain(await store.get(row.serial)))
    strictEqual(await store.get(again.row.serial), null)
  },
  '4 requests are equal if their digest, profile and client hash are': async (store) => {
    const replay = { since: START }
    await issue(store, 'ana', { requestSha256: 'r', clientHash: 'x' })
    await expectKind(store.begin((await prepare('0', { requestSha256: 'r', clientHash: 'x' })).row, replay), 'replayed')
    const others = [
      { requestSha256: 's', clientHash: 'x' },
      { requestSha256: 'r', clientHash: 'y' },
      { requestSha256: 'r', clientHash: null },
      { requestSha256: 'r', clientHash: 'x', profile: 'server' },
      { requestSha256: null, clientHash: 'x' },
      { requestSha256: null, clientHash: 'x' },
    ]
    for (const [n, facts] of others.entries()) {
      await expectKind(store.begin((await prepare(`other ${n}`, facts)).row, replay), 'begun', `other ${n}`)
    }
    // Those without a client hash have one client hash in common.
    await expectKind(store.begin((await prepare('1', { requestSha256: 'r' })).row, replay), 'in_progress')
  },
  '4 requests are sent twice if the window says so': async (store) => {
    const { row } = await issue(store, 'ana')
    const again = async (name: string, since: number | null) => {
      const { requestSha256 } = row
      const next = await prepare(name, { requestSha256, createdAt: START + 5 })
      return store.begin(next.row, since === null ? null : { since })
    }
    await expectKind(again('1', START - 1), 'replayed')
    await expectKind(again('2', START), 'replayed')
    await expectKind(again('3', START + 1), 'begun')
    await expectKind(again('4', null), 'begun')
    // Now the later ones are meant.
    await expectKind(again('5', START), 'in_progress')
  },
  '4 a certificate that is held, was revoked or given up answers nobody': async (store) => {
    const { requestSha256 } = (await issue(store, 'ana')).row
    const again = async (name: string) => store.begin((await prepare(name, { requestSha256 })).row, { since: START })
    await store.hold(change('ana'))
    await expectKind(again('2'), 'begun')
    await store.abandonPending(START + 1, START + 1)
    await store.revoke(revocation('ana'))
    await expectKind(again('3'), 'begun')
    await store.abandonPending(START + 1, START + 1)
    await expectKind(again('4'), 'begun')
    await expectKind(again('5'), 'in_progress')
  },
  '5 a row is issued once, from pending, with its certificate': async (store) => {
    const { row, certificate } = await begin(store, 'ana')
    const other = await prepare('other')
    await expectKind(store.complete(serialOf('nobody'), certificate, START, null), 'not_pending')
    await expectKind(store.complete(row.serial, certificate, START, null), 'completed')
    await expectKind(store.complete(row.serial, other.certificate, START + 1, START), 'not_pending')
    const issued = await store.get(row.serial)
    strictEqual(issued?.statusAt, START)
    ok(issued.certificate?.equals(certificate))
    for (const act of [() => store.hold(change('ana')), () => store.revoke(revocation('ana'))]) {
      await act()
      const before = plain(await store.get(row.serial))
      await expectKind(store.complete(row.serial, certificate, START, null), 'not_pending')
      deepStrictEqual(plain(await store.get(row.serial)), before)
    }
    deepStrictEqual(await store.claimNotices(START + 1, START + 2, 9), [])
  },
  '5 what has been pending since before an instant is given up, and nothing else': async (store) => {
    const { row, certificate } = await begin(store, 'old', { createdAt: START - 1 })
    await begin(store, 'older', { createdAt: START - 2 })
    await begin(store, 'young', { createdAt: START })
    await issue(store, 'issued', { createdAt: START - 3 })
    await issue(store, 'held', { createdAt: START - 3 })
    await store.hold(change('held'))
    strictEqual(await store.abandonPending(START, START + 5), 2)
    strictEqual(await store.abandonPending(START, START + 6), 0)
    const status = { status: 'revoked', statusAt: START + 5, certificate: null }
    const why = { at: START + 5, reason: 'unspecified', invalidityDate: null }
    deepStrictEqual(plain(await store.get(row.serial)), { ...row, ...status, revocation: why })
    for (const [name, expected] of Object.entries({ young: 'pending', issued: 'issued', held: 'held' })) {
      strictEqual(await statusOf(store, name), expected)
    }
    await expectKind(store.complete(row.serial, certificate, START, null), 'not_pending')
    deepStrictEqual((await store.beginCrl(START)).entries.slice(0, 2), [
      { serial: row.serial, ...why },
      { serial: serialOf('older'), ...why },
    ])
  },
  '6 what is revoked stays so': async (store) => {
    const { row, certificate } = await issue(store, 'ana')
    await expectKind(store.revoke(revocation('ana', { reason: 'affiliation_changed' })), 'revoked')
    const before = plain(await store.get(row.serial))
    await expectKind(store.revoke(revocation('ana', { at: START + 1, invalidityDate: 1 })), 'already_revoked')
    await expectKind(store.hold(change('ana')), 'revoked')
    await expectKind(store.release(change('ana')), 'not_held')
    await expectKind(store.complete(row.serial, certificate, START, null), 'not_pending')
    strictEqual(await store.abandonPending(START + 9, START + 9), 0)
    deepStrictEqual(plain(await store.get(row.serial)), before)
  },
  '6 what is held can be released and revoked, and nothing else can be released': async (store) => {
    await issue(store, 'ana')
    await expectKind(store.release(change('ana')), 'not_held')
    await expectKind(store.hold(change('ana')), 'held')
    await expectKind(store.hold(change('ana')), 'already_held')
    await expectKind(store.release(change('ana')), 'released')
    strictEqual(await statusOf(store, 'ana'), 'issued')
    await store.hold(change('ana'))
    deepStrictEqual(await store.revoke(revocation('ana')), { kind: 'revoked', serials: [serialOf('ana')] })
    await expectKind(store.release(change('ana')), 'not_held')
    strictEqual(await statusOf(store, 'ana'), 'revoked')
  },
  '6 what was never issued is not held, released or revoked': async (store) => {
    await begin(store, 'ana')
    for (const name of ['ana', 'nobody']) {
      await expectKind(store.hold(change(name)), 'unknown')
      await expectKind(store.release(change(name)), 'unknown')
      await expectKind(store.revoke(revocation(name, { withKey: true })), 'unknown')
    }
    strictEqual(await statusOf(store, 'ana'), 'pending')
    strictEqual(await store.isKeyBlocked(keyOf('ana')), false)
  },
  '6 of a release and a revocation at once, the revocation stays': async (store, reopen) => {
    const stores = await severalOf(store, reopen)
    for (let round = 0; round < 10; round++) {
      await issue(store, `${round}`)
      await store.hold(change(`${round}`))
      const counts = await raceFor(stores, 2, (each, n) =>
        n === round % 2 ? each.release(change(`${round}`)) : each.revoke(revocation(`${round}`)),
      )
      strictEqual(counts.revoked, 1)
      strictEqual(await statusOf(store, `${round}`), 'revoked')
    }
  },
  '6 no row is ever deleted': async (store) => {
    await issue(store, 'expired', { notAfter: START - SECOND / 2 })
    await issue(store, 'revoked')
    await begin(store, 'given up')
    await store.revoke(revocation('revoked'))
    await store.abandonPending(START + 1, START)
    for (let n = 0; n < 3; n++) await publishList(store, START + 1_000_000 * SECOND * n)
    strictEqual((await allOf(store.list({}))).length, 3)
  },
  '7 a key that is blocked begins nothing, not even what was begun before': async (store) => {
    const { row } = await issue(store, 'ana')
    strictEqual(await store.isKeyBlocked(keyOf('ana')), false)
    await store.blockKey({ publicKey: keyOf('ana'), at: START, by: null })
    await store.blockKey({ publicKey: keyOf('ana'), at: START, by: null })
    strictEqual(await store.isKeyBlocked(keyOf('ana')), true)
    await expectKind(store.begin(row, { since: START }), 'key_blocked')
    await expectKind(store.begin((await prepare('2', { key: 'ana' })).row, null), 'key_blocked')
    strictEqual(await store.get(serialOf('2')), null)
    strictEqual(await statusOf(store, 'ana'), 'issued')
    await begin(store, 'bo')
    strictEqual(await store.isKeyBlocked(keyOf('bo')), false)
  },
  '7 what is pending for a key when it is blocked is given up': async (store) => {
    const { row, certificate } = await begin(store, 'ana')
    await begin(store, 'bo')
    await publishList(store)
    await store.blockKey({ publicKey: keyOf('ana'), at: START + 1, by: 'admin' })
    await expectKind(store.complete(row.serial, certificate, START + 2, START), 'not_pending')
    const revoked = { at: START + 1, reason: 'unspecified', invalidityDate: null }
    deepStrictEqual((await store.get(row.serial))?.revocation, revoked)
    strictEqual(await statusOf(store, 'bo'), 'pending')
    strictEqual(await store.currentCrl(), null)
    deepStrictEqual(
      (await soundTrail(store)).map((each) => [each.event, each.serial]),
      [
        ['crl', null],
        ['key_blocked', null],
        ['abandoned', row.serial],
      ],
    )
  },
  '7 revoking with the key takes all that has it, and blocks it': async (store) => {
    await issue(store, '1', { key: 'ana' })
    const { row, certificate } = await begin(store, '2', { key: 'ana' })
    await issue(store, '3', { key: 'ana' })
    await issue(store, '4', { key: 'ana' })
    await issue(store, '5', { key: 'ana' })
    await issue(store, 'bo')
    await store.hold(change('4'))
    await store.revoke(revocation('5'))
    const why = { at: START + 1, reason: 'key_compromise', invalidityDate: START - 5 } as const
    const outcome = await store.revoke(revocation('3', { ...why, withKey: true }))
    deepStrictEqual(outcome, { kind: 'revoked', serials: ['3', '1', '2', '4'].map(serialOf) })
    for (const name of ['1', '2', '3', '4']) deepStrictEqual((await store.get(serialOf(name)))?.revocation, why)
    strictEqual((await store.get(serialOf('5')))?.revocation?.reason, 'superseded')
    strictEqual(await statusOf(store, 'bo'), 'issued')
    strictEqual(await store.isKeyBlocked(keyOf('ana')), true)
    // The program that was signing it finds out.
    await expectKind(store.complete(row.serial, certificate, START, START), 'not_pending')
    deepStrictEqual(await store.claimNotices(START, START, 9), [])
  },
  '7 revoking without the key takes one, and a second look with it the rest': async (store) => {
    await issue(store, '1', { key: 'ana' })
    await issue(store, '2', { key: 'ana' })
    deepStrictEqual(await store.revoke(revocation('1')), { kind: 'revoked', serials: [serialOf('1')] })
    strictEqual(await statusOf(store, '2'), 'issued')
    strictEqual(await store.isKeyBlocked(keyOf('ana')), false)
    const second = revocation('1', { withKey: true, reason: 'key_compromise', at: START + 1 })
    deepStrictEqual(await store.revoke(second), { kind: 'revoked', serials: [serialOf('2')] })
    strictEqual(await store.isKeyBlocked(keyOf('ana')), true)
    await expectKind(store.revoke(second), 'already_revoked')
    await issue(store, 'bo')
    await store.revoke(revocation('bo'))
    await expectKind(store.revoke(revocation('bo', { withKey: true })), 'already_revoked')
    strictEqual(await store.isKeyBlocked(keyOf('bo')), true)
  },
  '7 of a revocation with the key and many who begin for it, nothing of it is left': async (store, reopen) => {
    const stores = await severalOf(store, reopen)
    for (let round = 0; round < 5; round++) {
      const key = `key ${round}`
      await issue(store, `${round}`, { key })
      const rows = await Promise.all(Array.from({ length: 12 }, (_, n) => prepare(`${round} ${n}`, { key })))
      await raceFor(stores, 13, async (each, n) => {
        if (n === 6) return each.revoke(revocation(`${round}`, { withKey: true }))
        const prepared = rows[n < 6 ? n : n - 1]
        if (prepared === undefined) throw new Error('no row')
        const outcome = await each.begin(prepared.row, null)
        if (outcome.kind === 'begun') await each.complete(prepared.row.serial, prepared.certificate, START, null)
        return outcome
      })
      const left = (await allOf(store.list({ publicKey: keyOf(key) }))).filter((each) => each.status !== 'revoked')
      deepStrictEqual(left, [])
    }
  },
  '7 a renewal begins only while what it renews is issued': async (store, reopen) => {
    const renewal = async (name: string) => (await prepare(name, { renewedFrom: serialOf('old') })).row
    await expectKind(store.begin(await renewal('0'), null), 'not_renewable')
    const { row, certificate } = await begin(store, 'old')
    await expectKind(store.begin(await renewal('1'), null), 'not_renewable')
    await store.complete(row.serial, certificate, START, null)
    await store.hold(change('old'))
    await expectKind(store.begin(await renewal('2'), null), 'not_renewable')
    await store.release(change('old'))
    await expectKind(store.begin(await renewal('3'), null), 'begun')
    const stores = await severalOf(store, reopen)
    const rows = await Promise.all(Array.from({ length: 12 }, (_, n) => renewal(`race ${n}`)))
    const counts = await raceFor(stores, 12, async (each, n) =>
      n === 6 ? each.revoke(revocation('old')) : each.begin(rows[n] ?? (await renewal('')), null),
    )
    strictEqual(counts.revoked, 1)
    strictEqual((await allOf(store.list({ status: 'pending' }))).length, 1 + (counts.begun ?? 0))
    await expectKind(store.begin(await renewal('4'), null), 'not_renewable')
  },
  '8 numbers of lists only grow, and no two are the same': async (store, reopen) => {
    const stores = await severalOf(store, reopen)
    const numbers: bigint[] = []
    const counts = await raceFor(stores, 24, async (each, n) => {
      const { number } = await each.beginCrl(START)
      // Some are signed and stored, and the others were killed.
      const list = { number, thisUpdate: START, nextUpdate: START + 1, der: Uint8Array.of(n) }
      if (n % 3 === 0) await each.completeCrl(list)
      numbers.push(number)
      return 'begun'
    })
    deepStrictEqual(counts, { begun: 24 })
    strictEqual(new Set(numbers).size, 24)
    let [last = 0n] = numbers.toSorted((a, b) => (a < b ? 1 : -1))
    for (const each of stores) {
      const { number } = await each.beginCrl(START)
      ok(number > last)
      last = number
    }
    if (reopen === null) return
    for (const each of stores) await each.close()
    ok((await (await reopen()).beginCrl(START)).number > last)
  },
  '8 a list has what is revoked or held, as it is': async (store) => {
    for (const name of ['issued', 'revoked', 'held', 'released']) await issue(store, name)
    await begin(store, 'pending')
    const why = { at: START + 3, reason: 'key_compromise', invalidityDate: START - 1 } as const
    await store.revoke(revocation('revoked', why))
    await store.hold(change('held', { at: START + 4 }))
    await store.hold(change('released'))
    await store.release(change('released'))
    const held = { serial: serialOf('held'), at: START + 4, reason: 'certificate_hold', invalidityDate: null }
    deepStrictEqual((await store.beginCrl(START)).entries, [{ serial: serialOf('revoked'), ...why }, held])
    await store.revoke(revocation('held', { at: START + 5, reason: 'unspecified' }))
    const { entries } = await store.beginCrl(START)
    deepStrictEqual(entries[1], { ...held, at: START + 5, reason: 'unspecified' })
  },
  '8 what has expired is on one more list': async (store) => {
    for (const [name, seconds] of Object.entries({ a: 1, b: 2, c: 3 })) {
      await issue(store, name, { notAfter: START + seconds * SECOND })
      await store.revoke(revocation(name))
    }
    const [a, b, c] = ['a', 'b', 'c'].map(serialOf)
    deepStrictEqual(await publishList(store, START + 2 * SECOND), [a, b, c])
    // What expired in the moment of the last list did not expire before it.
    deepStrictEqual(await publishList(store, START + 2 * SECOND + 1), [b, c])
    deepStrictEqual(await publishList(store, START + 9 * SECOND), [c])
    deepStrictEqual(await publishList(store, START + 9 * SECOND), [])
  },
  '8 what was taken back after the last list, or while it was made, is on the next, expired or not': async (store) => {
    for (const name of ['during', 'after']) await issue(store, name, { notAfter: START + SECOND })
    const at = START + 2 * SECOND
    const { number } = await store.beginCrl(at)
    await store.revoke(revocation('during', { at }))
    await store.completeCrl({ number, thisUpdate: at, nextUpdate: at + SECOND, der: Uint8Array.of(1) })
    // By a clock that is behind, too.
    await store.hold(change('after', { at: START }))
    deepStrictEqual(await publishList(store, at + SECOND), ['during', 'after'].map(serialOf))
    deepStrictEqual(await publishList(store, at + 2 * SECOND), [])
  },
  '8 a clock that ran ahead when a list was made takes nothing off the next one': async (store) => {
    await issue(store, 'ana', { notAfter: START + 2 * SECOND })
    await store.revoke(revocation('ana'))
    for (const seconds of [99, 1, 2]) {
      deepStrictEqual(await publishList(store, START + seconds * SECOND), [serialOf('ana')])
    }
  },
  '8 a list that was never completed has shown nobody anything': async (store) => {
    await issue(store, 'ana', { notAfter: START + SECOND })
    await store.revoke(revocation('ana'))
    for (let n = 2; n < 5; n++) {
      const { entries } = await store.beginCrl(START + n * SECOND)
      deepStrictEqual(
        entries.map((each) => each.serial),
        [serialOf('ana')],
      )
    }
    strictEqual(await store.currentCrl(), null)
  },
  '9 the current list is the last one that was completed, octet by octet': async (store) => {
    const [one, two] = [await store.beginCrl(START), await store.beginCrl(START)]
    const list = (number: bigint, octet: number) => ({
      number,
      thisUpdate: START + octet,
      nextUpdate: START + octet + 1,
      der: Uint8Array.of(octet, 0, 255),
    })
    strictEqual(await store.currentCrl(), null)
    await store.completeCrl(list(two.number, 2))
    // Its maker was slow. Nobody takes a list back for one with a smaller number, or another one with the same number.
    await store.completeCrl(list(one.number, 1))
    await store.completeCrl(list(two.number, 3))
    const current = await store.currentCrl()
    if (current === null) throw new Error('there is no list')
    deepStrictEqual({ ...current, der: Uint8Array.from(current.der) }, list(two.number, 2))
    const three = await store.beginCrl(START)
    strictEqual((await store.currentCrl())?.number, two.number)
    await store.completeCrl(list(three.number, 4))
    strictEqual((await store.currentCrl())?.number, three.number)
  },
  '9 a list is out of date when something was revoked, held or released': async (store) => {
    for (const name of ['a', 'b', 'c']) await issue(store, name)
    const acts: Record<string, () => unknown> = {
      revoke: () => store.revoke(revocation('a')),
      hold: () => store.hold(change('b')),
      release: () => store.release(change('b')),
      'revoke with the key': () => store.revoke(revocation('b', { withKey: true })),
      abandon: () => store.abandonPending(START + 1, START),
    }
    await begin(store, 'pending')
    for (const [name, act] of Object.entries(acts)) {
      await publishList(store)
      ok((await store.currentCrl()) !== null, name)
      await act()
      strictEqual(await store.currentCrl(), null, name)
    }
    // What happens while it is signed is not on it.
    const { number } = await store.beginCrl(START)
    await store.revoke(revocation('c'))
    await store.completeCrl({ number, thisUpdate: START, nextUpdate: START + 1, der: Uint8Array.of(1) })
    strictEqual(await store.currentCrl(), null)
  },
  '9 a list is current as long as nothing was taken back or given back': async (store) => {
    await issue(store, 'ana')
    await store.revoke(revocation('ana'))
    await publishList(store)
    await issue(store, 'bo')
    await begin(store, 'cy')
    await store.revoke(revocation('ana'))
    await store.hold(change('ana'))
    await store.release(change('bo'))
    await store.revoke(revocation('nobody'))
    await store.abandonPending(START - 1, START)
    await store.blockKey({ publicKey: keyOf('x'), at: START, by: null })
    ok((await store.currentCrl()) !== null)
  },
  '10 a notice is given to one caller at a time': async (store, reopen) => {
    const stores = await severalOf(store, reopen)
    for (let n = 0; n < 10; n++) await issue(store, `${n}`, { notifyAt: START })
    const given: string[] = []
    await raceFor(stores, 24, async (each) => {
      const notices = await each.claimNotices(START, START + 1, 2)
      given.push(...notices.map((notice) => notice.serial))
      return notices.length
    })
    strictEqual(given.length, 10)
    strictEqual(new Set(given).size, 10)
    deepStrictEqual(await store.claimNotices(START, START + 1, 99), [])
  },
  '10 a notice comes when it is due, the oldest first, and again until it is settled': async (store) => {
    const { certificate, row } = await begin(store, 'late')
    const late = await store.complete(row.serial, certificate, START, START + 2)
    await issue(store, 'early', { notifyAt: START + 1 })
    await issue(store, 'nobody')
    deepStrictEqual(await store.claimNotices(START, START + 9, 9), [])
    const [first, ...none] = await store.claimNotices(START + 2, START + 9, 1)
    if (first === undefined || late.kind !== 'completed' || late.noticeId === null) throw new Error('no notice')
    deepStrictEqual([first.serial, first.attempts, none], [serialOf('early'), 0, []])
    deepStrictEqual(await store.claimNotices(START + 2, START + 9, 9), [
      { id: late.noticeId, serial: row.serial, attempts: 0 },
    ])
    deepStrictEqual(await store.claimNotices(START + 8, START + 20, 9), [])
    await store.postponeNotice(late.noticeId, START + 11)
    deepStrictEqual(await store.claimNotices(START + 10, START + 20, 9), [{ ...first, attempts: 1 }])
    await store.settleNotice(first.id)
    deepStrictEqual(await store.claimNotices(START + 11, START + 12, 9), [
      { id: late.noticeId, serial: row.serial, attempts: 1 },
    ])
    await store.settleNotice(late.noticeId)
    deepStrictEqual(await store.claimNotices(START + 99, START + 99, 9), [])
  },
  '11 each event is chained to the one before it, whoever records it': async (store, reopen) => {
    const stores = await severalOf(store, reopen)
    await raceFor(stores, 24, (each, n) =>
      each.record({ at: START, event: `event ${n}`, actor: null, serial: null, detail: null }),
    )
    const events = await soundTrail(store)
    deepStrictEqual(
      events.map((each) => each.position),
      Array.from({ length: 24 }, (_, n) => n + 1),
    )
    strictEqual(new Set(events.map((each) => each.event)).size, 24)
  },
  '11 an event is recorded as it is, every field of it': async (store) => {
    const odd = 'a "b" \u{1f512}\u0000'
    const event = { at: -1, event: odd, actor: odd, serial: odd, detail: '' }
    const recorded = await store.record(event)
    const { position, previousHash, hash, ...rest } = recorded
    deepStrictEqual(rest, event)
    deepStrictEqual([position, previousHash], [1, '0'.repeat(64)])
    const second = await store.record({ ...event, actor: null, serial: null, detail: null })
    strictEqual(second.previousHash, hash)
    deepStrictEqual(
      await soundTrail(store),
      [recorded, second].map((each) => ({ ...each })),
    )
    deepStrictEqual(
      (await allOf(store.auditTrail(1))).map((each) => each.hash),
      [second.hash],
    )
    deepStrictEqual(await allOf(store.auditTrail(2)), [])
  },
  '11 a text that cannot be stored leaves the trail sound': async (store) => {
    const half = 'a\ud800b'
    await store.record({ at: START, event: half, actor: half, serial: half, detail: half })
    const { row, certificate } = await begin(store, 'ana', { requestedBy: half, subject: half })
    await store.complete(row.serial, certificate, START, null)
    await store.revoke(revocation('ana', { by: half }))
    strictEqual((await soundTrail(store)).length, 3)
  },
  '12 after close nothing answers, and closing again does nothing': async (store) => {
    const { row, certificate } = await issue(store, 'ana', { notifyAt: START })
    await store.close()
    await store.close()
    const event = { at: START, event: 'x', actor: null, serial: null, detail: null }
    const list = { number: 1n, thisUpdate: START, nextUpdate: START, der: Uint8Array.of(1) }
    const calls: Record<keyof Omit<IssuedStore, 'close'>, () => unknown> = {
      begin: () => store.begin(row, null),
      complete: () => store.complete(row.serial, certificate, START, null),
      abandonPending: () => store.abandonPending(START, START),
      get: () => store.get(row.serial),
      list: () => allOf(store.list({})),
      revoke: () => store.revoke(revocation('ana')),
      hold: () => store.hold(change('ana')),
      release: () => store.release(change('ana')),
      blockKey: () => store.blockKey({ publicKey: row.publicKey, at: START, by: null }),
      isKeyBlocked: () => store.isKeyBlocked(row.publicKey),
      beginCrl: () => store.beginCrl(START),
      completeCrl: () => store.completeCrl(list),
      currentCrl: () => store.currentCrl(),
      claimNotices: () => store.claimNotices(START, START, 1),
      settleNotice: () => store.settleNotice(1),
      postponeNotice: () => store.postponeNotice(1, START),
      record: () => store.record(event),
      auditTrail: () => allOf(store.auditTrail()),
    }
    for (const [name, call] of Object.entries(calls)) {
      await rejects(
        async () => call(),
        (error) => error instanceof StoreError && error.code === 'ERR_TLACACOCA_STORE_CLOSED',
        name,
      )
    }
  },
}
