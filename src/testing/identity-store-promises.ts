// Each check gets an empty store, does one thing, and throws if it did not come out as promised.

import { deepStrictEqual, ok, rejects, strictEqual } from 'node:assert/strict'
import { StoreError } from '../errors.ts'
import type { IdentityStore } from '../identity/registry/identity-store.ts'
import {
  digest,
  expectKind,
  linkCode,
  linkRequest,
  linkSecond,
  marksOf,
  NOW,
  newCertificate,
  ORIGIN,
  raceFor,
  recoveryRequest,
  registerUser,
  statusOf,
  TODAY,
} from './contract-identities.ts'

/** Opens another store over the same users; null where there cannot be one. */
type Reopen = (() => Promise<IdentityStore>) | null

async function severalOf(store: IdentityStore, reopen: Reopen): Promise<IdentityStore[]> {
  return reopen === null ? [store] : [store, await reopen(), await reopen()]
}

/** What `IdentityStore` promises, by the numbers in its comment. */
export const IDENTITY_STORE_PROMISES: Record<string, (store: IdentityStore, reopen: Reopen) => Promise<void>> = {
  '1 what is read is what was registered, every field of it': async (store) => {
    const facts = { label: 'a "b" \u{1f512}\u0000', notBefore: -1, notAfter: 253_402_300_799_000 }
    await registerUser(store, 'ana', facts)
    const user = { id: 'user ana', handle: 'ana', createdAt: NOW, erasedAt: null, lastSeenDay: null }
    const credential = {
      ...newCertificate('ana', facts),
      userId: 'user ana',
      source: 'register',
      addedBy: null,
      createdAt: NOW,
      lastSeenDay: null,
      status: 'active',
      statusAt: NOW,
      replaces: null,
    }
    deepStrictEqual(await store.find(marksOf('ana'), NOW), {
      matches: [{ user, credential, approvals: 0, recoveries: 0 }],
      link: null,
      sameKey: null,
    })
    deepStrictEqual(await store.account('user ana', NOW), {
      user,
      credentials: [credential],
      links: [],
      recoveryCodes: 0,
      events: [{ at: NOW, userId: 'user ana', credentialId: 'id of ana', event: 'registered' }],
    })
    deepStrictEqual(await store.userByHandle(digest('handle ana')), user)
  },
  '1 what is read is what was requested, every field of it': async (store) => {
    await registerUser(store, 'ana')
    const request = linkRequest('phone', 'ana', { credential: newCertificate('phone', { fingerprint: null }) })
    await store.requestLink(request)
    const { id, credential } = request
    const link = {
      id,
      kind: 'approval',
      vouchedBy: null,
      userId: 'user ana',
      credential,
      requestedAt: NOW,
      readyAt: null,
    }
    const found = await store.find(marksOf('phone'), NOW)
    deepStrictEqual(found.link, { ...link, expiresAt: NOW + 1000 })
    deepStrictEqual((await store.account('user ana', NOW))?.links, [found.link])
  },
  '1 users without a handle and certificates that nobody has are told apart': async (store) => {
    for (const name of ['one', 'two']) {
      const registration = { userId: name, handle: null, credential: newCertificate(name), at: NOW }
      await expectKind(store.register(registration), 'linked')
    }
    deepStrictEqual(await store.find(marksOf('three'), NOW), { matches: [], link: null, sameKey: null })
    strictEqual(await store.account('three', NOW), null)
    strictEqual(await store.userByHandle(''), null)
  },
  '1 texts are compared byte by byte': async (store) => {
    await registerUser(store, 'ana', { certificate: 'abc', publicKey: 'key' })
    for (const certificate of ['ABC', 'ab', 'abcd', 'a_c', '%', '']) {
      const found = await store.find({ certificates: [certificate], publicKey: 'KEY' }, NOW)
      deepStrictEqual(found, { matches: [], link: null, sameKey: null })
    }
  },
  '1 matches come in the order of the marks': async (store) => {
    await registerUser(store, 'ana')
    await registerUser(store, 'bo')
    const [ana = '', bo = ''] = [newCertificate('ana').certificate, newCertificate('bo').certificate]
    const { matches } = await store.find({ certificates: [bo, 'nobody', ana], publicKey: '' }, NOW)
    deepStrictEqual(
      matches.map((each) => each.user.handle),
      ['bo', 'ana'],
    )
  },
  '1 labels are changed by their own user only': async (store) => {
    await registerUser(store, 'ana')
    await registerUser(store, 'bo')
    strictEqual(await store.rename('id of ana', 'user ana', 'laptop'), true)
    strictEqual(await store.rename('id of ana', 'user bo', 'stolen'), false)
    strictEqual(await store.rename('id of nobody', 'user bo', 'x'), false)
    strictEqual((await store.account('user ana', NOW))?.credentials[0]?.label, 'laptop')
  },
  '1 the certificates that will expire come in their order': async (store) => {
    for (const [name, notAfter] of [
      ['a', 30],
      ['b', 10],
      ['c', 20],
      ['d', 40],
    ] as const) {
      await registerUser(store, name, { notAfter: NOW + notAfter })
    }
    await store.revoke({ credentialId: 'id of c', by: null, at: NOW, usableFrom: NOW, ifLast: 'revoke' })
    const handles = async (from: number, until: number, limit = 9) =>
      (await store.expiring(NOW + from, NOW + until, limit)).map((each) => each.user.handle)
    deepStrictEqual(await handles(0, 100), ['b', 'a', 'd'])
    deepStrictEqual(await handles(10, 30), ['b', 'a'])
    deepStrictEqual(await handles(11, 29), [])
    deepStrictEqual(await handles(0, 100, 1), ['b'])
  },
  '2 of many who register a handle, one does': async (store, reopen) => {
    const stores = await severalOf(store, reopen)
    for (let round = 0; round < 5; round++) {
      const counts = await raceFor(stores, 24, (each, n) =>
        each.register({
          userId: `${round} ${n}`,
          handle: { shown: 'ana', key: `handle ${round}` },
          credential: newCertificate(`${round} ${n}`),
          at: NOW,
        }),
      )
      deepStrictEqual(counts, { linked: 1, handle_taken: 23 })
    }
  },
  '2 of many who register a certificate, one does, and the others leave no user': async (store, reopen) => {
    const stores = await severalOf(store, reopen)
    const counts = await raceFor(stores, 24, (each, n) =>
      each.register({
        userId: `${n}`,
        handle: { shown: `h${n}`, key: `h${n}` },
        credential: newCertificate('same', { id: `${n}` }),
        at: NOW,
      }),
    )
    deepStrictEqual(counts, { linked: 1, already_linked: 23 })
    const users = await Promise.all(Array.from({ length: 24 }, (_, n) => store.account(`${n}`, NOW)))
    strictEqual(users.filter((user) => user !== null).length, 1)
  },
  '2 of sixty who redeem a code, one does': async (store, reopen) => {
    await registerUser(store, 'ana')
    const stores = await severalOf(store, reopen)
    for (let round = 0; round < 5; round++) {
      await store.addLinkCode(linkCode(`code ${round}`, 'id of ana'))
      const counts = await raceFor(stores, 60, (each, n) =>
        each.redeemLinkCode({
          code: digest(`code ${round}`),
          origin: ORIGIN,
          credential: newCertificate(`${round} ${n}`),
          at: NOW,
        }),
      )
      deepStrictEqual(counts, { linked: 1, invalid: 59 })
    }
    strictEqual((await store.account('user ana', NOW))?.credentials.length, 6)
  },
  '2 of two who revoke the last two, each the other one, one does': async (store, reopen) => {
    const stores = await severalOf(store, reopen)
    for (let round = 0; round < 10; round++) {
      const one = await registerUser(store, `one ${round}`)
      const two = await linkSecond(store, one.credential.id, `two ${round}`)
      const ids = [one.credential.id, two.credential.id]
      const counts = await raceFor(stores, 2, (each, n) =>
        each.revoke({
          credentialId: ids[n] ?? '',
          by: ids[1 - n] ?? '',
          at: NOW,
          usableFrom: NOW,
          ifLast: 'refuse',
        }),
      )
      strictEqual(counts.revoked, 1)
      const left = (await store.account(one.user.id, NOW))?.credentials.filter((each) => each.status === 'active')
      strictEqual(left?.length, 1)
    }
  },
  '2 of two who revoke the last two, each its own one, one does': async (store, reopen) => {
    const stores = await severalOf(store, reopen)
    for (let round = 0; round < 10; round++) {
      const one = await registerUser(store, `one ${round}`)
      const two = await linkSecond(store, one.credential.id, `two ${round}`)
      const ids = [one.credential.id, two.credential.id]
      const counts = await raceFor(stores, 2, (each, n) => {
        const id = ids[n] ?? ''
        return each.revoke({ credentialId: id, by: id, at: NOW, usableFrom: NOW, ifLast: 'refuse' })
      })
      deepStrictEqual(counts, { revoked: 1, last: 1 })
    }
  },
  '2 of many who approve or reject a request, one does': async (store, reopen) => {
    const stores = await severalOf(store, reopen)
    await registerUser(store, 'ana')
    for (let round = 0; round < 5; round++) {
      const { id } = linkRequest(`phone ${round}`, 'ana')
      await store.requestLink(linkRequest(`phone ${round}`, 'ana'))
      const counts = await raceFor(stores, 12, (each, n) =>
        n % 2 === 0 ? each.approveLink(id, 'id of ana', null, NOW) : each.rejectLink(id, 'id of ana', NOW),
      )
      strictEqual((counts.linked ?? 0) + (counts.rejected ?? 0), 1)
      strictEqual(counts.not_found, 11)
    }
  },
  '2 of many who use a recovery code, one does': async (store, reopen) => {
    const stores = await severalOf(store, reopen)
    await registerUser(store, 'ana')
    await store.putRecoveryCodes('id of ana', [digest('r')], NOW)
    const counts = await raceFor(stores, 24, (each, n) => each.recover(recoveryRequest(`${n}`, 'ana', 'r')))
    deepStrictEqual(counts, { waiting: 1, invalid: 23 })
  },
  '2 of many who use a rotation statement, one does': async (store, reopen) => {
    const stores = await severalOf(store, reopen)
    await registerUser(store, 'ana')
    const counts = await raceFor(stores, 24, (each, n) =>
      each.rotate({
        from: marksOf('ana'),
        userId: null,
        nonce: 'nonce',
        nonceExpiresAt: NOW + 1000,
        credential: newCertificate(`${n}`),
        at: NOW,
      }),
    )
    deepStrictEqual(counts, { linked: 1, not_found: 23 })
  },
  '2 of a claim and a veto at once, one comes true': async (store, reopen) => {
    const stores = await severalOf(store, reopen)
    for (let round = 0; round < 10; round++) {
      const ana = await registerUser(store, `ana ${round}`)
      await store.putRecoveryCodes(ana.credential.id, [digest('r')], NOW)
      const request = recoveryRequest(`thief ${round}`, `ana ${round}`, 'r')
      await store.recover(request)
      const counts = await raceFor(stores, 2, (each, n) =>
        n === round % 2
          ? each.claimRecovery(request.credential.certificate, NOW + 1000)
          : each.rejectLink(request.id, ana.credential.id, NOW + 1000),
      )
      strictEqual((counts.linked ?? 0) + (counts.vetoed ?? 0), 1)
      strictEqual(counts.not_found, 1)
    }
  },
  '2 what one store has written, the others see': async (store, reopen) => {
    const other = reopen === null ? store : await reopen()
    const ana = await registerUser(store, 'ana')
    strictEqual((await other.find(marksOf('ana'), NOW)).matches.length, 1)
    await other.revoke({ credentialId: 'id of ana', by: null, at: NOW, usableFrom: NOW, ifLast: 'revoke' })
    strictEqual(await statusOf(store, ana), 'revoked')
  },
  '2 users outlive the store that wrote them': async (store, reopen) => {
    if (reopen === null) return
    await registerUser(store, 'ana')
    await store.close()
    strictEqual((await (await reopen()).find(marksOf('ana'), NOW)).matches[0]?.user.handle, 'ana')
  },
  '3 a certificate that was revoked or superseded is never one again': async (store) => {
    await registerUser(store, 'ana')
    await linkSecond(store, 'id of ana', 'phone')
    await store.revoke({ credentialId: 'id of phone', by: 'id of ana', at: NOW, usableFrom: NOW, ifLast: 'refuse' })
    await store.rotate({
      from: marksOf('ana'),
      userId: null,
      nonce: 'n',
      nonceExpiresAt: NOW,
      credential: newCertificate('next'),
      at: NOW,
    })
    await store.addLinkCode(linkCode('code', 'id of next'))
    await store.putRecoveryCodes('id of next', [digest('r')], NOW)
    for (const name of ['ana', 'phone']) {
      const credential = newCertificate(name, { id: 'another' })
      await expectKind(store.register({ userId: 'u', handle: null, credential, at: NOW }), 'already_linked')
      await expectKind(
        store.redeemLinkCode({ code: digest('code'), origin: ORIGIN, credential, at: NOW }),
        'already_linked',
      )
      await expectKind(store.requestLink({ ...linkRequest(name, 'ana'), credential }), 'already_linked')
      await expectKind(store.recover({ ...recoveryRequest(name, 'ana', 'r'), credential }), 'already_linked')
      await expectKind(store.renew(credential, NOW), 'already_linked')
      const rotation = { from: marksOf('next'), userId: null, nonce: name, nonceExpiresAt: NOW, credential, at: NOW }
      await expectKind(store.rotate(rotation), 'already_linked')
    }
    const statuses = (await store.account('user ana', NOW))?.credentials.map((each) => each.status)
    deepStrictEqual(statuses, ['superseded', 'revoked', 'active'])
  },
  '3 a handle stays taken when its last certificate is gone, and when its user is': async (store) => {
    const registration = {
      userId: 'thief',
      handle: { shown: 'ana', key: digest('handle ana') },
      credential: newCertificate('thief'),
      at: NOW,
    }
    await registerUser(store, 'ana')
    await store.revoke({ credentialId: 'id of ana', by: null, at: NOW, usableFrom: NOW, ifLast: 'revoke' })
    await expectKind(store.register(registration), 'handle_taken')
    await store.erase('user ana', NOW)
    await expectKind(store.register(registration), 'handle_taken')
    strictEqual(await store.account('thief', NOW), null)
  },
  '4 a certificate that gets in by another way waits no more': async (store) => {
    await registerUser(store, 'ana')
    await store.requestLink(linkRequest('bo', 'ana'))
    await registerUser(store, 'bo')
    deepStrictEqual((await store.account('user ana', NOW))?.links, [])
    await expectKind(store.approveLink('link of bo', 'id of ana', null, NOW), 'not_found')
  },
  '4 a request of the same certificate takes the place of an earlier one, but of no recovery': async (store) => {
    await registerUser(store, 'ana')
    await registerUser(store, 'bo')
    await store.requestLink(linkRequest('phone', 'ana'))
    await store.requestLink(linkRequest('phone', 'bo', { id: 'second' }))
    deepStrictEqual((await store.account('user ana', NOW))?.links, [])
    strictEqual((await store.find(marksOf('phone'), NOW)).link?.id, 'second')
    await store.putRecoveryCodes('id of ana', [digest('r')], NOW)
    await expectKind(store.recover({ ...recoveryRequest('phone', 'ana', 'r'), id: 'third' }), 'waiting')
    const outcome = await store.requestLink(linkRequest('phone', 'bo', { id: 'fourth' }))
    strictEqual(outcome.kind === 'waiting' ? outcome.link.id : outcome.kind, 'third')
    strictEqual((await store.find(marksOf('phone'), NOW)).link?.id, 'third')
  },
  '5 the first value that is settled stays, whoever asks': async (store, reopen) => {
    const stores = await severalOf(store, reopen)
    const answers = await Promise.all(
      Array.from({ length: 12 }, async (_, n) => (stores[n % stores.length] ?? store).settle('name', `value ${n}`)),
    )
    strictEqual(new Set(answers).size, 1)
    strictEqual(await store.settle('name', 'late'), answers[0])
    strictEqual(await store.settle('other', 'late'), 'late')
  },
  '6 a code is good once': async (store) => {
    await registerUser(store, 'ana')
    const phone = await linkSecond(store, 'id of ana', 'phone')
    deepStrictEqual(
      [phone.user.id, phone.credential.addedBy, phone.credential.source],
      ['user ana', 'id of ana', 'code'],
    )
    const again = { code: digest('for phone'), origin: ORIGIN, credential: newCertificate('other'), at: NOW }
    await expectKind(store.redeemLinkCode(again), 'invalid')
  },
  '6 a code is good before its end, at its origin, and as it is': async (store) => {
    await registerUser(store, 'ana')
    await store.addLinkCode(linkCode('code', 'id of ana', { expiresAt: NOW + 10 }))
    const good = { code: digest('code'), origin: ORIGIN, credential: newCertificate('phone'), at: NOW + 9 }
    await expectKind(store.redeemLinkCode({ ...good, at: NOW + 10 }), 'invalid')
    await expectKind(store.redeemLinkCode({ ...good, origin: 'example.org:1966' }), 'invalid')
    await expectKind(store.redeemLinkCode({ ...good, code: digest('code').toUpperCase() }), 'invalid')
    await expectKind(store.redeemLinkCode({ ...good, credential: newCertificate('ana') }), 'already_linked')
    await expectKind(store.redeemLinkCode(good), 'linked')
  },
  '6 a code dies with the certificate that made it': async (store) => {
    await registerUser(store, 'ana')
    await linkSecond(store, 'id of ana', 'stolen')
    await store.addLinkCode(linkCode('code', 'id of stolen'))
    await store.revoke({ credentialId: 'id of stolen', by: 'id of ana', at: NOW, usableFrom: NOW, ifLast: 'refuse' })
    const redemption = { code: digest('code'), origin: ORIGIN, credential: newCertificate('thief'), at: NOW }
    await expectKind(store.redeemLinkCode(redemption), 'invalid')
    await expectKind(store.addLinkCode(linkCode('second', 'id of stolen')), 'not_active')
    await expectKind(store.addLinkCode(linkCode('third', 'id of nobody')), 'not_active')
  },
  '7 a replacement supersedes when it is completed, and only what it replaces': async (store) => {
    const ana = await registerUser(store, 'ana')
    const phone = await linkSecond(store, 'id of ana', 'phone')
    const next = await linkSecond(store, 'id of ana', 'next', { kind: 'replace' })
    strictEqual(next.credential.replaces, 'id of ana')
    strictEqual(await statusOf(store, ana), 'active')
    await store.completeReplacement('id of next', NOW + 5)
    await store.completeReplacement('id of phone', NOW + 5)
    strictEqual(await statusOf(store, ana), 'superseded')
    strictEqual(await statusOf(store, phone), 'active')
    strictEqual((await store.find(marksOf('next'), NOW)).matches[0]?.credential.replaces, null)
    await store.completeReplacement('id of next', NOW + 6)
    strictEqual((await store.find(marksOf('ana'), NOW)).matches[0]?.credential.statusAt, NOW + 5)
  },
  '7 a replacement that was revoked before its first use replaces nothing': async (store) => {
    const ana = await registerUser(store, 'ana')
    await linkSecond(store, 'id of ana', 'next', { kind: 'replace' })
    await store.revoke({ credentialId: 'id of next', by: 'id of ana', at: NOW, usableFrom: NOW, ifLast: 'refuse' })
    await store.completeReplacement('id of next', NOW)
    strictEqual(await statusOf(store, ana), 'active')
  },
  '8 a request is answered by its own user, in time, and by an active certificate': async (store) => {
    await registerUser(store, 'ana')
    await linkSecond(store, 'id of ana', 'lost')
    await store.revoke({ credentialId: 'id of lost', by: 'id of ana', at: NOW, usableFrom: NOW, ifLast: 'refuse' })
    await registerUser(store, 'bo')
    await store.requestLink(linkRequest('phone', 'ana'))
    await expectKind(store.approveLink('link of phone', 'id of bo', null, NOW), 'not_found')
    await expectKind(store.rejectLink('link of phone', 'id of bo', NOW), 'not_found')
    await expectKind(store.approveLink('link of phone', 'id of lost', null, NOW), 'not_active')
    await expectKind(store.rejectLink('link of phone', 'id of lost', NOW), 'not_active')
    await expectKind(store.approveLink('link of phone', 'id of ana', null, NOW + 1000), 'not_found')
    strictEqual((await store.find(marksOf('phone'), NOW + 1000)).link, null)
    const outcome = await store.approveLink('link of phone', 'id of ana', 'my phone', NOW + 999)
    ok(outcome.kind === 'linked')
    deepStrictEqual(
      [outcome.user.id, outcome.credential.label, outcome.credential.addedBy],
      ['user ana', 'my phone', 'id of ana'],
    )
  },
  '8 a request for nobody waits like any other, and nobody can answer it': async (store) => {
    await registerUser(store, 'ana')
    const forNobody = await store.requestLink(linkRequest('phone', 'nobody'))
    const forAna = await store.requestLink(linkRequest('tablet', 'ana'))
    ok(forNobody.kind === 'waiting' && forAna.kind === 'waiting')
    deepStrictEqual(
      { ...forNobody.link, id: '', userId: null, credential: null },
      { ...forAna.link, id: '', userId: null, credential: null },
    )
    strictEqual((await store.find(marksOf('phone'), NOW)).link?.id, 'link of phone')
    await expectKind(store.approveLink('link of phone', 'id of ana', null, NOW), 'not_found')
    await expectKind(store.rejectLink('link of phone', 'id of ana', NOW), 'not_found')
  },
  '8 a user is told how many requests and recoveries wait': async (store) => {
    await registerUser(store, 'ana')
    await store.putRecoveryCodes('id of ana', [digest('r')], NOW)
    await store.requestLink(linkRequest('phone', 'ana'))
    await store.recover(recoveryRequest('other', 'ana', 'r'))
    const counts = async (at: number) => {
      const [match] = (await store.find(marksOf('ana'), at)).matches
      return [match?.approvals, match?.recoveries]
    }
    deepStrictEqual(await counts(NOW), [1, 1])
    deepStrictEqual(await counts(NOW + 1000), [0, 1])
    deepStrictEqual(await counts(NOW + 2000), [0, 0])
  },
  '9 a recovery code is good once, and for its own user': async (store) => {
    await registerUser(store, 'ana')
    await registerUser(store, 'bo')
    await store.putRecoveryCodes('id of ana', [digest('r'), digest('s')], NOW)
    await expectKind(store.recover(recoveryRequest('one', 'bo', 'r')), 'invalid')
    await expectKind(store.recover(recoveryRequest('two', 'nobody', 'r')), 'invalid')
    await expectKind(store.recover(recoveryRequest('three', 'ana', 'x')), 'invalid')
    await expectKind(store.recover(recoveryRequest('four', 'ana', 'r')), 'waiting')
    await expectKind(store.recover(recoveryRequest('five', 'ana', 'r')), 'invalid')
    strictEqual((await store.account('user ana', NOW))?.recoveryCodes, 1)
    await store.putRecoveryCodes('id of ana', [digest('t')], NOW)
    await expectKind(store.recover(recoveryRequest('six', 'ana', 's')), 'invalid')
  },
  '9 a recovery is claimed after its wait, and not after its end': async (store) => {
    await registerUser(store, 'ana')
    await store.putRecoveryCodes('id of ana', [digest('r')], NOW)
    const { certificate } = newCertificate('new')
    await store.recover(recoveryRequest('new', 'ana', 'r'))
    await expectKind(store.claimRecovery(certificate, NOW + 999), 'not_found')
    await expectKind(store.claimRecovery(certificate, NOW + 2000), 'not_found')
    await expectKind(store.approveLink('link of new', 'id of ana', null, NOW), 'not_found')
    await expectKind(store.claimRecovery(certificate, NOW + 1000), 'linked')
    await expectKind(store.claimRecovery(certificate, NOW + 1000), 'not_found')
  },
  '9 a recovery that was vetoed is over': async (store) => {
    await registerUser(store, 'ana')
    await store.putRecoveryCodes('id of ana', [digest('r')], NOW)
    await store.recover(recoveryRequest('new', 'ana', 'r'))
    await expectKind(store.rejectLink('link of new', 'id of ana', NOW + 1500), 'vetoed')
    await expectKind(store.claimRecovery(newCertificate('new').certificate, NOW + 1500), 'not_found')
    await expectKind(store.recover(recoveryRequest('new', 'ana', 'r')), 'invalid')
  },
  '9 a user without a certificate that is still good does not wait': async (store) => {
    await registerUser(store, 'ana', { notAfter: NOW + 50 })
    await store.putRecoveryCodes('id of ana', [digest('r'), digest('s')], NOW)
    await expectKind(store.recover(recoveryRequest('one', 'ana', 'r', NOW + 50)), 'waiting')
    await expectKind(store.recover(recoveryRequest('two', 'ana', 's', NOW + 51)), 'linked')
  },
  '10 a rotation is by the active certificate, its own key, once, for its user': async (store) => {
    await registerUser(store, 'ana')
    await registerUser(store, 'bo')
    const rotation = {
      from: marksOf('ana'),
      userId: null,
      nonce: 'n',
      nonceExpiresAt: NOW + 1000,
      credential: newCertificate('next'),
      at: NOW,
    }
    await expectKind(store.rotate({ ...rotation, from: marksOf('nobody') }), 'not_found')
    const otherKey = { ...marksOf('ana'), publicKey: newCertificate('bo').publicKey }
    await expectKind(store.rotate({ ...rotation, from: otherKey }), 'not_found')
    await expectKind(store.rotate({ ...rotation, userId: 'user bo' }), 'other_user')
    await expectKind(store.rotate({ ...rotation, userId: 'user ana' }), 'linked')
    // The certificate that rotated has been superseded.
    await expectKind(store.rotate({ ...rotation, nonce: 'm', credential: newCertificate('x') }), 'not_found')
    await expectKind(store.rotate({ ...rotation, from: marksOf('bo'), credential: newCertificate('x') }), 'used')
    const statuses = (await store.account('user ana', NOW))?.credentials.map((each) => [
      each.id,
      each.status,
      each.source,
    ])
    deepStrictEqual(statuses, [
      ['id of ana', 'superseded', 'register'],
      ['id of next', 'active', 'rotation'],
    ])
  },
  '10 a renewal is by the key of one user, of which nothing was revoked': async (store) => {
    await registerUser(store, 'ana')
    const { publicKey } = newCertificate('ana')
    strictEqual((await store.find({ certificates: ['new'], publicKey }, NOW)).sameKey?.user.id, 'user ana')
    await expectKind(store.renew(newCertificate('stranger'), NOW), 'not_found')
    await expectKind(store.renew(newCertificate('ana 2', { publicKey }), NOW), 'linked')
    await expectKind(store.renew(newCertificate('ana 3', { publicKey }), NOW), 'linked')
    const statuses = (await store.account('user ana', NOW))?.credentials.map((each) => each.status)
    deepStrictEqual(statuses, ['superseded', 'superseded', 'active'])
    await store.revoke({ credentialId: 'id of ana 2', by: null, at: NOW, usableFrom: NOW, ifLast: 'revoke' })
    strictEqual((await store.find({ certificates: ['new'], publicKey }, NOW)).sameKey, null)
    await expectKind(store.renew(newCertificate('thief', { publicKey }), NOW), 'not_found')
  },
  '10 a key that two users have is renewed for neither': async (store) => {
    const { publicKey } = newCertificate('ana')
    await registerUser(store, 'ana')
    await registerUser(store, 'bo', { publicKey })
    strictEqual((await store.find({ certificates: ['new'], publicKey }, NOW)).sameKey, null)
    await expectKind(store.renew(newCertificate('new', { publicKey }), NOW), 'not_found')
  },
  '10 a key of which any certificate was revoked rotates and renews nothing': async (store) => {
    const { publicKey } = newCertificate('ana')
    await registerUser(store, 'ana')
    await registerUser(store, 'bo', { publicKey })
    await store.revoke({ credentialId: 'id of bo', by: null, at: NOW, usableFrom: NOW, ifLast: 'revoke' })
    const rotation = { from: marksOf('ana'), userId: null, nonce: 'n', nonceExpiresAt: NOW, at: NOW }
    await expectKind(store.rotate({ ...rotation, credential: newCertificate('next') }), 'not_found')
    await expectKind(store.renew(newCertificate('next', { publicKey }), NOW), 'not_found')
    strictEqual((await store.find({ certificates: ['new'], publicKey }, NOW)).sameKey, null)
  },
  '10 a key that was rotated away is not renewed': async (store) => {
    await registerUser(store, 'ana')
    const { publicKey } = newCertificate('ana')
    await linkSecond(store, 'id of ana', 'copy', { facts: { publicKey } })
    const rotation = { from: marksOf('ana'), userId: null, nonce: 'n', nonceExpiresAt: NOW, at: NOW }
    await expectKind(store.rotate({ ...rotation, credential: newCertificate('next') }), 'linked')
    await expectKind(store.renew(newCertificate('thief', { publicKey }), NOW), 'not_found')
    strictEqual((await store.find({ certificates: ['new'], publicKey }, NOW)).sameKey, null)
    await expectKind(
      store.rotate({
        ...rotation,
        nonce: 'm',
        from: { ...marksOf('copy'), publicKey },
        credential: newCertificate('thief'),
      }),
      'not_found',
    )
  },
  '11 revoking takes every certificate with the same key': async (store) => {
    await registerUser(store, 'ana')
    const { publicKey } = newCertificate('phone')
    await linkSecond(store, 'id of ana', 'phone')
    await linkSecond(store, 'id of ana', 'copy', { facts: { publicKey } })
    const outcome = await store.revoke({
      credentialId: 'id of phone',
      by: 'id of ana',
      at: NOW,
      usableFrom: NOW,
      ifLast: 'refuse',
    })
    deepStrictEqual(outcome, { kind: 'revoked', userId: 'user ana', credentialIds: ['id of phone', 'id of copy'] })
  },
  '11 a certificate is revoked by its own user, by an active one, and once': async (store) => {
    await registerUser(store, 'ana')
    await registerUser(store, 'bo')
    const revocation = { credentialId: 'id of ana', at: NOW, usableFrom: NOW, ifLast: 'revoke' } as const
    await expectKind(store.revoke({ ...revocation, by: 'id of bo' }), 'not_found')
    await expectKind(store.revoke({ ...revocation, by: 'id of nobody' }), 'not_active')
    await expectKind(store.revoke({ ...revocation, by: 'id of ana' }), 'revoked')
    await expectKind(store.revoke({ ...revocation, by: 'id of ana' }), 'not_active')
    await expectKind(store.revoke({ ...revocation, by: null }), 'not_found')
  },
  '11 the last good certificate is revoked as the caller says': async (store) => {
    await registerUser(store, 'ana', { notAfter: NOW + 100 })
    await linkSecond(store, 'id of ana', 'expired', { facts: { notAfter: NOW + 10 } })
    const last = { credentialId: 'id of ana', by: 'id of ana', at: NOW, usableFrom: NOW + 11 } as const
    await expectKind(store.revoke({ ...last, ifLast: 'refuse' }), 'last')
    await expectKind(store.revoke({ ...last, ifLast: 'if_recoverable' }), 'not_recoverable')
    await store.putRecoveryCodes('id of ana', [digest('r')], NOW)
    await expectKind(store.revoke({ ...last, ifLast: 'refuse' }), 'last')
    await expectKind(store.revoke({ ...last, ifLast: 'if_recoverable' }), 'revoked')
    // Its codes are the only way back.
    await expectKind(store.recover(recoveryRequest('new', 'ana', 'r', NOW + 11)), 'linked')
  },
  '11 several certificates with one key are one, where the last is concerned': async (store) => {
    const { publicKey } = newCertificate('ana')
    await registerUser(store, 'ana')
    await linkSecond(store, 'id of ana', 'copy', { facts: { publicKey } })
    const revocation = { credentialId: 'id of copy', by: 'id of ana', at: NOW, usableFrom: NOW } as const
    await expectKind(store.revoke({ ...revocation, ifLast: 'refuse' }), 'last')
    await linkSecond(store, 'id of ana', 'phone')
    await expectKind(store.revoke({ ...revocation, ifLast: 'refuse' }), 'revoked')
  },
  '11 the recovery codes of a revoked certificate are void, while another is good': async (store) => {
    await registerUser(store, 'ana')
    await linkSecond(store, 'id of ana', 'stolen')
    await store.putRecoveryCodes('id of stolen', [digest('r')], NOW)
    await store.revoke({ credentialId: 'id of stolen', by: 'id of ana', at: NOW, usableFrom: NOW, ifLast: 'refuse' })
    await expectKind(store.recover(recoveryRequest('thief', 'ana', 'r')), 'invalid')
    await expectKind(store.putRecoveryCodes('id of stolen', [digest('s')], NOW), 'not_active')
  },
  '11 the recoveries that a revoked certificate made possible are over, while another is good': async (store) => {
    await registerUser(store, 'ana')
    await linkSecond(store, 'id of ana', 'stolen')
    await store.putRecoveryCodes('id of ana', [digest('r')], NOW)
    await store.recover(recoveryRequest('owner', 'ana', 'r'))
    await store.putRecoveryCodes('id of stolen', [digest('s')], NOW)
    await store.recover(recoveryRequest('thief', 'ana', 's'))
    const vouchers = (await store.account('user ana', NOW))?.links.map((each) => each.vouchedBy)
    deepStrictEqual(vouchers, ['id of ana', 'id of stolen'])
    const revocation = { at: NOW, usableFrom: NOW }
    await store.revoke({ ...revocation, credentialId: 'id of stolen', by: 'id of ana', ifLast: 'refuse' })
    await expectKind(store.claimRecovery(newCertificate('thief').certificate, NOW + 1000), 'not_found')
    await store.revoke({ ...revocation, credentialId: 'id of ana', by: null, ifLast: 'revoke' })
    await expectKind(store.claimRecovery(newCertificate('owner').certificate, NOW + 1000), 'linked')
  },
  '12 what is left of an erased user says nothing': async (store) => {
    await registerUser(store, 'ana', { label: 'laptop' })
    await store.touch('user ana', TODAY, [{ credentialId: 'id of ana', day: TODAY, notAfter: NOW }])
    await store.putRecoveryCodes('id of ana', [digest('r')], NOW)
    await store.addLinkCode(linkCode('code', 'id of ana'))
    await store.requestLink(linkRequest('phone', 'ana'))
    strictEqual(await store.erase('user ana', NOW + 5), true)
    strictEqual(await store.erase('user ana', NOW + 6), false)
    strictEqual(await store.erase('nobody', NOW), false)
    const at = NOW + 5
    deepStrictEqual(await store.account('user ana', NOW), {
      user: { id: 'user ana', handle: null, createdAt: at, erasedAt: at, lastSeenDay: null },
      credentials: [
        {
          ...newCertificate('ana', { fingerprint: null, label: null, notBefore: at, notAfter: at }),
          userId: 'user ana',
          source: 'register',
          addedBy: null,
          createdAt: at,
          lastSeenDay: null,
          status: 'revoked',
          statusAt: at,
          replaces: null,
        },
      ],
      links: [],
      recoveryCodes: 0,
      events: [{ at, userId: 'user ana', credentialId: null, event: 'erased' }],
    })
  },
  '12 nothing opens the account of an erased user': async (store) => {
    await registerUser(store, 'ana')
    await store.putRecoveryCodes('id of ana', [digest('r')], NOW)
    await store.addLinkCode(linkCode('code', 'id of ana'))
    await store.requestLink(linkRequest('phone', 'ana'))
    await store.erase('user ana', NOW)
    const redemption = { code: digest('code'), origin: ORIGIN, credential: newCertificate('x'), at: NOW }
    await expectKind(store.redeemLinkCode(redemption), 'invalid')
    await expectKind(store.recover(recoveryRequest('y', 'ana', 'r')), 'invalid')
    await expectKind(store.approveLink('link of phone', 'id of ana', null, NOW), 'not_active')
    const { publicKey } = newCertificate('ana')
    await expectKind(store.renew(newCertificate('z', { publicKey }), NOW), 'not_found')
    strictEqual((await store.find(marksOf('ana'), NOW)).matches[0]?.user.erasedAt, NOW)
  },
  '13 a user is touched once a day, with everything that was seen': async (store) => {
    await registerUser(store, 'ana')
    await linkSecond(store, 'id of ana', 'phone')
    await registerUser(store, 'bo')
    const visit = (name: string, day: number) => ({ credentialId: `id of ${name}`, day, notAfter: NOW + day })
    await store.touch('user ana', 7, [visit('phone', 6), visit('ana', 7), visit('bo', 7), visit('nobody', 7)])
    await store.touch('user ana', 7, [visit('phone', 7)])
    await store.touch('user ana', 6, [visit('phone', 7)])
    await store.touch('nobody', 7, [visit('ana', 9)])
    const account = await store.account('user ana', NOW)
    strictEqual(account?.user.lastSeenDay, 7)
    deepStrictEqual(
      account.credentials.map((each) => [each.lastSeenDay, each.notAfter]),
      [
        [7, NOW + 7],
        [6, NOW + 6],
      ],
    )
    strictEqual((await store.account('user bo', NOW))?.credentials[0]?.lastSeenDay, null)
  },
  '14 pruning removes what has expired, and nothing else': async (store) => {
    await registerUser(store, 'ana')
    await store.addLinkCode(linkCode('old', 'id of ana', { expiresAt: NOW + 10 }))
    await store.addLinkCode(linkCode('young', 'id of ana', { expiresAt: NOW + 11, at: NOW + 3 }))
    await store.requestLink(linkRequest('old', 'ana', { expiresAt: NOW + 10 }))
    await store.requestLink(linkRequest('young', 'ana', { expiresAt: NOW + 11 }))
    await store.prune(NOW + 10, NOW + 3)
    // Looked at from before, when nothing had expired.
    const account = await store.account('user ana', NOW)
    deepStrictEqual(
      account?.links.map((each) => each.id),
      ['link of young'],
    )
    deepStrictEqual(
      account.events.map((each) => each.at),
      [NOW + 3],
    )
    const redeem = (code: string) =>
      store.redeemLinkCode({ code: digest(code), origin: ORIGIN, credential: newCertificate(code), at: NOW })
    await expectKind(redeem('old'), 'invalid')
    await expectKind(redeem('young'), 'linked')
  },
  '15 after close nothing answers': async (store) => {
    await registerUser(store, 'ana')
    await store.close()
    await store.close()
    const calls: [string, () => unknown][] = [
      ['settle', () => store.settle('a', 'b')],
      ['find', () => store.find(marksOf('ana'), NOW)],
      ['account', () => store.account('user ana', NOW)],
      ['userByHandle', () => store.userByHandle('x')],
      ['expiring', () => store.expiring(0, 1, 1)],
      ['register', () => registerUser(store, 'bo')],
      ['rename', () => store.rename('id of ana', 'user ana', null)],
      ['addLinkCode', () => store.addLinkCode(linkCode('a', 'id of ana'))],
      ['touch', () => store.touch('user ana', 1, [])],
      ['erase', () => store.erase('user ana', NOW)],
      ['prune', () => store.prune(NOW, NOW)],
    ]
    for (const [name, call] of calls) {
      await rejects(
        async () => call(),
        (error) => error instanceof StoreError && error.code === 'ERR_TLACACOCA_STORE_CLOSED',
        name,
      )
    }
  },
}
