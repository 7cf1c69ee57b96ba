// Of each feature: how would somebody get into an account that is not theirs by it? Every test here is somebody who tries.

import { describe, expect, it } from 'vitest'
import type { RevocationChecker, RevocationStatus } from '../../../src/certificate/revocation-checker.ts'
import { signRotation } from '../../../src/identity/rotation-statement.ts'
import { parseEndpoint } from '../../../src/names/endpoint.ts'
import { issue } from '../../support/issued-certificates.ts'
import { fakePeer } from '../../support/peer.ts'
import { DAY, HOUR, NOW, openRegistry, person, refusalOf, stranger, timeOf, until, withAna } from './support.ts'

const origin = parseEndpoint('example.org:1965')
const tomorrow = new Date(NOW.getTime() + DAY)

describe('when the last certificate of a user has expired', () => {
  // What one site really does: expired certificates are deleted, and the next one with that name is the user.
  it.each(['reject', 'grace', 'ignore'] as const)(
    '(%s) nobody gets the account by name, handle or asking',
    async (expiry) => {
      const { registry, clock, ana, user } = await withAna({ policy: { expiry } }, until(DAY, { subject: 'ana' }))
      clock.advance(1000 * DAY)
      await registry.prune()
      const thief = person({ subject: 'ana', to: '20991231235959Z' }).peer
      expect(await registry.resolve(thief)).toMatchObject({ kind: 'unknown', sameKey: false })
      for (const handle of ['ana', 'ANA', 'Aná', 'апа']) {
        expect(await refusalOf(registry.register(thief, { handle }))).toBe('IDENTITY_HANDLE_TAKEN')
      }
      expect(await refusalOf(registry.recover(thief, 'ana', 'anything'))).toBe('IDENTITY_CODE_INVALID')
      await registry.requestLink(thief, 'ana')
      // Nobody is there to say yes, and no time makes it one.
      clock.advance(47 * HOUR)
      expect(await registry.resolve(thief)).toMatchObject({ kind: 'pending' })
      clock.advance(2 * HOUR)
      expect(await registry.resolve(thief)).toMatchObject({ kind: 'unknown' })
      expect(await registry.findUser('ana')).toMatchObject({ id: user.id })
      expect((await registry.resolve(ana)).kind).toBe(expiry === 'ignore' ? 'known' : 'refused')
    },
  )

  it('the owner comes back with a recovery code, at once', async () => {
    const { registry, clock, ana, user } = await withAna({}, until(DAY))
    const [code = ''] = await registry.createRecoveryCodes(ana)
    clock.advance(32 * DAY)
    const next = stranger()
    expect(await registry.recover(next, 'ana', code)).toMatchObject({ kind: 'linked', user: { id: user.id } })
    expect(await registry.resolve(next)).toMatchObject({ kind: 'known', user: { id: user.id } })
  })

  it('its owner may still veto while it has grace', async () => {
    const { registry, clock, ana } = await withAna({}, until(DAY))
    const [code = ''] = await registry.createRecoveryCodes(ana)
    clock.advance(30 * DAY)
    const thief = stranger()
    const recovery = await registry.recover(thief, 'ana', code)
    expect(recovery.kind).toBe('pending')
    const { pending } = await registry.account(ana)
    await registry.rejectLink(ana, pending[0]?.id ?? '')
    clock.advance(4 * DAY)
    expect(await registry.resolve(thief)).toMatchObject({ kind: 'unknown' })
  })
})

describe('by a link code', () => {
  it('that a thief made before the stolen certificate was revoked', async () => {
    const { registry, ana } = await withAna()
    const stolen = stranger()
    const { credential } = await registry.redeemLinkCode(stolen, (await registry.createLinkCode(ana)).code)
    const { code } = await registry.createLinkCode(stolen)
    await registry.revoke(ana, credential.id)
    expect(await refusalOf(registry.redeemLinkCode(stranger(), code))).toBe('IDENTITY_CODE_INVALID')
  })

  it('that was used, or has expired, or is of another server', async () => {
    const { registry, clock, store, ana } = await withAna()
    const used = (await registry.createLinkCode(ana)).code
    await registry.redeemLinkCode(stranger(), used)
    expect(await refusalOf(registry.redeemLinkCode(stranger(), used))).toBe('IDENTITY_CODE_INVALID')
    const { code, expiresAt } = await registry.createLinkCode(ana)
    const { registry: other } = openRegistry({ origin: 'other.example:1965', clock }, store)
    expect(await refusalOf(other.redeemLinkCode(stranger(), code))).toBe('IDENTITY_CODE_INVALID')
    clock.set(expiresAt)
    expect(await refusalOf(registry.redeemLinkCode(stranger(), code))).toBe('IDENTITY_CODE_INVALID')
    clock.advance(-1)
    expect(await registry.redeemLinkCode(stranger(), code)).toMatchObject({ user: { handle: 'ana' } })
  })

  it('that is guessed: five tries for a key, with whatever certificates', async () => {
    const { registry, clock } = await withAna()
    const thief = person()
    const guess = (n: number) => registry.redeemLinkCode(person({ key: thief.issued }).peer, `000000000${n}`)
    for (let n = 0; n < 5; n++) expect(await refusalOf(guess(n))).toBe('IDENTITY_CODE_INVALID')
    await expect(guess(5)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_IDENTITY_LIMITED', retryAfterSeconds: 600 })
    clock.advance(600_000)
    expect(await refusalOf(guess(6))).toBe('IDENTITY_CODE_INVALID')
  })

  it('by taking an account that is somebody else’s into another one', async () => {
    const { registry, ana } = await withAna()
    const bo = stranger()
    await registry.register(bo, { handle: 'bo' })
    const { code } = await registry.createLinkCode(ana)
    expect(await refusalOf(registry.redeemLinkCode(bo, code))).toBe('IDENTITY_ALREADY_LINKED')
    // The code was not used up by it.
    expect(await registry.redeemLinkCode(stranger(), code)).toMatchObject({ user: { handle: 'ana' } })
  })

  it('made by somebody who only waits to be let in', async () => {
    const { registry } = await withAna()
    const thief = stranger()
    await registry.requestLink(thief, 'ana')
    for (const act of [
      registry.createLinkCode(thief),
      registry.createRecoveryCodes(thief),
      registry.account(thief),
      registry.revoke(thief, 'x'),
    ]) {
      expect(await refusalOf(act)).toBe('IDENTITY_UNKNOWN pending')
    }
  })

  it('to put one certificate in the place of another that was not asked to go', async () => {
    const { registry, ana, credential } = await withAna()
    const { code } = await registry.createLinkCode(ana, { kind: 'replace' })
    const next = stranger()
    await registry.redeemLinkCode(next, code)
    // Until the new one has been used there is no moment in which nobody gets in.
    expect(await registry.resolve(ana)).toMatchObject({ kind: 'known' })
    expect(await registry.resolve(next)).toMatchObject({ kind: 'known' })
    expect(await registry.resolve(ana)).toEqual({ kind: 'refused', reason: 'superseded' })
    expect((await registry.account(next)).credentials).toMatchObject([
      { id: credential.id, status: 'superseded' },
      { status: 'active', addedBy: credential.id },
    ])
  })
})

describe('by a request', () => {
  it('that one says yes to oneself', async () => {
    const { registry, ana } = await withAna()
    const thief = stranger()
    const { id } = await registry.requestLink(thief, 'ana')
    expect(await refusalOf(registry.approveLink(thief, id))).toBe('IDENTITY_UNKNOWN pending')
    const bo = stranger()
    await registry.register(bo, { handle: 'bo' })
    expect(await refusalOf(registry.approveLink(bo, id))).toBe('IDENTITY_NOT_FOUND')
    expect(await refusalOf(registry.rejectLink(bo, id))).toBe('IDENTITY_NOT_FOUND')
    expect((await registry.account(ana)).pending).toHaveLength(1)
  })

  it('that comes beside the real one: the two show different characters', async () => {
    const { registry, ana } = await withAna()
    const [phone, thief] = [stranger(), stranger()]
    const real = await registry.requestLink(phone, 'ana')
    await registry.requestLink(thief, 'ana')
    const { pending } = await registry.account(ana)
    expect(pending).toHaveLength(2)
    const shown = pending.filter((each) => each.comparison === real.comparison)
    expect(shown.map((each) => each.id)).toEqual([real.id])
    expect(await registry.resolve(phone)).toMatchObject({ kind: 'pending', link: { comparison: real.comparison } })
    await registry.approveLink(ana, real.id, { label: 'phone' })
    expect(await registry.resolve(phone)).toMatchObject({ kind: 'known', credential: { label: 'phone' } })
    expect(await registry.resolve(thief)).toMatchObject({ kind: 'pending' })
  })

  it('by flooding the user with requests: twenty for a handle, five for a key', async () => {
    const { registry, ana } = await withAna()
    for (let n = 0; n < 20; n++) await registry.requestLink(stranger(), 'ana')
    expect(await refusalOf(registry.requestLink(stranger(), 'ANA'))).toBe('IDENTITY_LIMITED')
    expect((await registry.account(ana)).pending).toHaveLength(20)
    const key = person()
    for (let n = 0; n < 5; n++) await registry.requestLink(person({ key: key.issued }).peer, `nobody${n}`)
    expect(await refusalOf(registry.requestLink(person({ key: key.issued }).peer, 'somebody'))).toBe('IDENTITY_LIMITED')
  })
})

describe('by a recovery', () => {
  it('the user is told, and any active certificate can say no', async () => {
    const { registry, clock, ana, events } = await withAna()
    const phone = stranger()
    await registry.redeemLinkCode(phone, (await registry.createLinkCode(ana)).code)
    const [code = ''] = await registry.createRecoveryCodes(ana)
    const thief = stranger()
    const recovery = await registry.recover(thief, 'ana', code)
    expect(recovery).toMatchObject({ kind: 'pending', link: { readyAt: new Date(NOW.getTime() + 72 * HOUR) } })
    expect(events.at(-1)).toMatchObject({ kind: 'recovery_started' })
    expect(await registry.resolve(ana)).toMatchObject({ notices: [{ kind: 'recovery_pending', count: 1 }] })
    clock.advance(72 * HOUR - 1)
    expect(await registry.resolve(thief)).toMatchObject({ kind: 'pending' })
    await registry.rejectLink(phone, (await registry.account(phone)).pending[0]?.id ?? '')
    expect(events.at(-1)).toMatchObject({ kind: 'recovery_vetoed' })
    clock.advance(1)
    expect(await registry.resolve(thief)).toMatchObject({ kind: 'unknown' })
    expect(await refusalOf(registry.recover(thief, 'ana', code))).toBe('IDENTITY_CODE_INVALID')
  })

  it('that nobody vetoes opens the account after three days, not before, and not for ever', async () => {
    const { registry, clock, ana, user } = await withAna()
    const [one = '', two = ''] = await registry.createRecoveryCodes(ana)
    const [first, second] = [stranger(), stranger()]
    await registry.recover(first, 'ana', one)
    await registry.recover(second, 'ana', two)
    clock.advance(72 * HOUR - 1)
    expect(await registry.resolve(first)).toMatchObject({ kind: 'pending' })
    clock.advance(1)
    expect(await registry.resolve(first)).toMatchObject({ kind: 'known', user: { id: user.id } })
    clock.advance(30 * DAY)
    expect(await registry.resolve(second)).toMatchObject({ kind: 'unknown' })
  })

  it('with codes that a thief made with a certificate that has been revoked since', async () => {
    const { registry, ana } = await withAna()
    const stolen = stranger()
    const { credential } = await registry.redeemLinkCode(stolen, (await registry.createLinkCode(ana)).code)
    const [code = ''] = await registry.createRecoveryCodes(stolen)
    await registry.revoke(ana, credential.id)
    expect(await refusalOf(registry.recover(stranger(), 'ana', code))).toBe('IDENTITY_CODE_INVALID')
  })

  it('that a thief began before the stolen certificate was revoked', async () => {
    const { registry, clock, ana, user } = await withAna()
    const stolen = stranger()
    const { credential } = await registry.redeemLinkCode(stolen, (await registry.createLinkCode(ana)).code)
    const [code = ''] = await registry.createRecoveryCodes(stolen)
    const thief = stranger()
    expect(await registry.recover(thief, 'ana', code)).toMatchObject({ kind: 'pending' })
    // The owner revokes the stolen one, and does not know what a recovery is.
    await registry.revoke(ana, credential.id)
    expect((await registry.account(ana)).pending).toEqual([])
    expect((await registry.history(user.id)).at(-1)).toMatchObject({ event: 'recovery_vetoed' })
    clock.advance(4 * DAY)
    expect(await registry.resolve(thief)).toMatchObject({ kind: 'unknown' })
  })

  it('the owner’s own goes on when another certificate is revoked, or the last one is', async () => {
    const { registry, clock, ana, credential, user } = await withAna()
    const phone = stranger()
    const { credential: lost } = await registry.redeemLinkCode(phone, (await registry.createLinkCode(ana)).code)
    const [one = '', two = ''] = await registry.createRecoveryCodes(ana)
    const [first, second] = [stranger(), stranger()]
    await registry.recover(first, 'ana', one)
    await registry.revoke(ana, lost.id)
    await registry.recover(second, 'ana', two)
    await registry.revoke(ana, credential.id, { confirmLockout: true })
    clock.advance(3 * DAY)
    for (const peer of [first, second]) {
      expect(await registry.resolve(peer)).toMatchObject({ kind: 'known', user: { id: user.id } })
    }
  })

  it('with a code for another handle, or one that was replaced', async () => {
    const { registry, ana } = await withAna()
    const bo = stranger()
    await registry.register(bo, { handle: 'bo' })
    const [old = ''] = await registry.createRecoveryCodes(ana)
    const [code = ''] = await registry.createRecoveryCodes(ana)
    expect(await refusalOf(registry.recover(stranger(), 'bo', code))).toBe('IDENTITY_CODE_INVALID')
    expect(await refusalOf(registry.recover(stranger(), 'ana', old))).toBe('IDENTITY_CODE_INVALID')
    expect(await registry.recover(stranger(), 'Ana', code.toLowerCase().replaceAll('-', ' '))).toMatchObject({
      kind: 'pending',
    })
  })

  it('whose wait is over, after the account was erased', async () => {
    const { registry, clock, ana, user } = await withAna()
    const [code = ''] = await registry.createRecoveryCodes(ana)
    const thief = stranger()
    await registry.recover(thief, 'ana', code)
    await registry.eraseUser(user.id)
    clock.advance(4 * DAY)
    expect(await registry.resolve(thief)).toMatchObject({ kind: 'unknown' })
  })
})

describe('by a certificate for the same key', () => {
  it('waits for a yes of the key holder’s, who then is in with the new one alone', async () => {
    const { registry, person: ana, user } = await withAna()
    const renewed = person({ key: ana.issued }).peer
    expect(await registry.resolve(renewed)).toMatchObject({ kind: 'unknown', sameKey: true })
    expect(await registry.confirmSameKey(renewed)).toMatchObject({
      user: { id: user.id },
      credential: { source: 'same_key' },
    })
    expect(await registry.resolve(renewed)).toMatchObject({ kind: 'known' })
    expect(await registry.resolve(ana.peer)).toEqual({ kind: 'refused', reason: 'superseded' })
  })

  it('gets in at once, or never, if the policy says so', async () => {
    const auto = await withAna({ policy: { sameKey: 'auto' } })
    const renewed = person({ key: auto.person.issued }).peer
    expect(await auto.registry.resolve(renewed)).toMatchObject({ kind: 'known', notices: [{ kind: 'same_key' }] })
    expect(await auto.registry.resolve(renewed)).toMatchObject({ kind: 'known', notices: [] })
    const never = await withAna({ policy: { sameKey: 'never' } })
    const again = person({ key: never.person.issued }).peer
    expect(await never.registry.resolve(again)).toMatchObject({ kind: 'unknown', sameKey: false })
    expect(await refusalOf(never.registry.confirmSameKey(again))).toBe('IDENTITY_NOT_FOUND')
  })

  it.each(['auto', 'confirm'] as const)(
    '(%s) whose certificate was revoked: the key may be a thief’s',
    async (sameKey) => {
      const { registry, ana } = await withAna({ policy: { sameKey } })
      const stolen = person()
      const { credential } = await registry.redeemLinkCode(stolen.peer, (await registry.createLinkCode(ana)).code)
      await registry.revoke(ana, credential.id)
      const thief = person({ key: stolen.issued }).peer
      expect(await registry.resolve(thief)).toMatchObject({ kind: 'unknown', sameKey: false })
      expect(await refusalOf(registry.confirmSameKey(thief))).toBe('IDENTITY_NOT_FOUND')
    },
  )

  it('revoking one takes the other certificates with that key too', async () => {
    const { registry, ana } = await withAna()
    const phone = person()
    const copy = person({ key: phone.issued }).peer
    const { credential } = await registry.redeemLinkCode(phone.peer, (await registry.createLinkCode(ana)).code)
    await registry.redeemLinkCode(copy, (await registry.createLinkCode(ana)).code)
    expect(await registry.revoke(ana, credential.id)).toHaveLength(2)
    expect(await registry.resolve(copy)).toEqual({ kind: 'refused', reason: 'revoked' })
  })

  it('of two users is nobody’s', async () => {
    const { registry, person: ana } = await withAna({ policy: { sameKey: 'auto' } })
    // Registered by the same person under two names, before the policy let it in by itself.
    const { registry: strict, store } = openRegistry({ policy: { sameKey: 'never' } })
    await strict.register(ana.peer, { handle: 'ana' })
    await strict.register(person({ key: ana.issued }).peer, { handle: 'bo' })
    const { registry: auto } = openRegistry({ policy: { sameKey: 'auto' } }, store)
    expect(await auto.resolve(person({ key: ana.issued }).peer)).toMatchObject({ kind: 'unknown', sameKey: false })
    expect(await registry.resolve(person({ key: ana.issued }).peer)).toMatchObject({ kind: 'known' })
  })
})

describe('by a rotation statement', () => {
  async function prepared() {
    const opened = await withAna()
    const next = person()
    const sign = (facts: Partial<Parameters<typeof signRotation>[0]> = {}) =>
      signRotation({
        origin,
        oldCertificate: opened.person.certificate,
        oldKey: opened.person.issued.keys.privateKey,
        newCertificate: next.certificate,
        expiresAt: tomorrow,
        ...facts,
      })
    return { ...opened, next, sign }
  }

  it('signed by the old key, the new certificate takes its place at once', async () => {
    const { registry, ana, user, next, sign } = await prepared()
    const linked = await registry.rotate(next.peer, await sign({ user: user.id }))
    expect(linked).toMatchObject({ user: { id: user.id }, credential: { source: 'rotation' } })
    expect(await registry.resolve(next.peer)).toMatchObject({ kind: 'known', user: { id: user.id } })
    expect(await registry.resolve(ana)).toEqual({ kind: 'refused', reason: 'superseded' })
  })

  it('the old certificate may have expired for good', async () => {
    const opened = await withAna({ policy: { expiry: 'reject' } }, until(DAY))
    opened.clock.advance(100 * DAY)
    const next = person()
    const statement = await signRotation({
      origin,
      oldCertificate: opened.person.certificate,
      oldKey: opened.person.issued.keys.privateKey,
      newCertificate: next.certificate,
      expiresAt: new Date(opened.clock() + DAY),
    })
    expect(await opened.registry.rotate(next.peer, statement)).toMatchObject({ user: { id: opened.user.id } })
  })

  it('shown by somebody else than the new certificate’s owner', async () => {
    const { registry, sign } = await prepared()
    expect(await refusalOf(registry.rotate(stranger(), await sign()))).toBe(
      'IDENTITY_ROTATION_INVALID other_certificate',
    )
  })

  it('signed by another key that names the old certificate', async () => {
    const { registry, person: ana, next } = await prepared()
    const thief = person()
    // A certificate of the thief's key with the digest of Ana's cannot be made; so the statement is patched instead.
    const statement = await signRotation({
      origin,
      oldCertificate: thief.certificate,
      oldKey: thief.issued.keys.privateKey,
      newCertificate: next.certificate,
      expiresAt: tomorrow,
    })
    const [prefix, payload = '', signature] = statement.split('.')
    const bytes = Buffer.from(payload, 'base64url')
    const at = bytes.indexOf(Buffer.from(thief.certificate.fingerprint.slice(7), 'hex'))
    Buffer.from(ana.certificate.fingerprint.slice(7), 'hex').copy(bytes, at)
    const patched = `${prefix}.${bytes.toString('base64url')}.${signature}`
    expect(await refusalOf(registry.rotate(next.peer, patched))).toBe('IDENTITY_ROTATION_INVALID bad_signature')
    // And signed properly over that digest, by a key that is not the one of the certificate it names.
    const { forgeStatement } = await import('./forge-statement.ts')
    const forged = forgeStatement(bytes, thief.issued.keys.privateKey)
    expect(await refusalOf(registry.rotate(next.peer, forged))).toBe('IDENTITY_ROTATION_INVALID other_certificate')
  })

  it('of a certificate that was revoked, or superseded', async () => {
    const { registry, ana, person: anas, next, sign } = await prepared()
    const phone = stranger()
    await registry.redeemLinkCode(phone, (await registry.createLinkCode(ana)).code)
    const statement = await sign()
    await registry.rotate(next.peer, statement)
    const third = person()
    expect(await refusalOf(registry.rotate(third.peer, await sign({ newCertificate: third.certificate })))).toBe(
      'IDENTITY_ROTATION_INVALID other_certificate',
    )
    const [, , after] = (await registry.account(phone)).credentials
    await registry.revoke(phone, after?.id ?? '')
    const byRevoked = await sign({
      oldCertificate: next.certificate,
      oldKey: next.issued.keys.privateKey,
      newCertificate: third.certificate,
    })
    expect(await refusalOf(registry.rotate(third.peer, byRevoked))).toBe('IDENTITY_ROTATION_INVALID other_certificate')
    expect(anas.certificate.equals(third.certificate)).toBe(false)
  })

  it.each([
    { what: 'another server', facts: { origin: parseEndpoint('example.org:1966') }, reason: 'other_origin' },
    { what: 'another user', facts: { user: 'somebody-else' }, reason: 'other_user' },
    { what: 'a time that is over', facts: { expiresAt: NOW }, reason: 'expired' },
    { what: 'over a month', facts: { expiresAt: new Date(NOW.getTime() + 31 * DAY + 1) }, reason: 'too_long' },
  ])('for $what', async ({ facts, reason }) => {
    const { registry, next, sign } = await prepared()
    expect(await refusalOf(registry.rotate(next.peer, await sign(facts)))).toBe(`IDENTITY_ROTATION_INVALID ${reason}`)
  })

  it('that was used: its nonce is remembered', async () => {
    const { registry, next, sign, ana } = await prepared()
    const bo = person()
    await registry.register(bo.peer, { handle: 'bo' })
    const nonce = new Uint8Array(16).fill(7)
    await registry.rotate(next.peer, await sign({ nonce }))
    const third = person()
    const again = await sign({
      nonce,
      oldCertificate: bo.certificate,
      oldKey: bo.issued.keys.privateKey,
      newCertificate: third.certificate,
    })
    expect(await refusalOf(registry.rotate(third.peer, again))).toBe('IDENTITY_ROTATION_INVALID used')
    expect(await registry.resolve(ana)).toMatchObject({ kind: 'refused' })
  })
})

describe('by revoking', () => {
  it('somebody else’s certificate', async () => {
    const { registry, credential } = await withAna()
    const bo = stranger()
    await registry.register(bo, { handle: 'bo' })
    expect(await refusalOf(registry.revoke(bo, credential.id))).toBe('IDENTITY_NOT_FOUND')
    expect(await refusalOf(registry.rename(bo, credential.id, 'mine'))).toBe('IDENTITY_NOT_FOUND')
  })

  it('a certificate stays out for ever', async () => {
    const { registry, clock, ana, credential } = await withAna()
    await registry.revokeAsOperator(credential.id)
    clock.advance(1000 * DAY)
    await registry.prune()
    expect(await registry.resolve(ana)).toEqual({ kind: 'refused', reason: 'revoked' })
    for (const act of [
      registry.register(ana, { handle: 'new' }),
      registry.requestLink(ana, 'ana'),
      registry.recover(ana, 'ana', 'x'),
      registry.confirmSameKey(ana),
      registry.createLinkCode(ana),
      registry.account(ana),
    ]) {
      expect(await refusalOf(act)).toBe('IDENTITY_REFUSED revoked')
    }
  })
})

describe('by an authority', () => {
  const club = issue({ subject: 'club', ca: true })
  const other = issue({ subject: 'club', ca: true })
  const uri = (text: string) => [6, text] as const
  const policy = { authorities: [{ certificate: club.certificate }] }
  const member = (options: Parameters<typeof issue>[0] = {}) => {
    const issued = issue({ subject: 'member', by: club, names: [uri('id:ana')], ...options })
    return fakePeer(issued.certificate, { issuance: 'issued' })
  }

  const memberWithKey = issue({ subject: 'member', by: club, names: [uri('id:ana')] })

  it.each(['issued', 'not_checked'] as const)(
    '(%s by the server) a renewed certificate with a new key needs no step',
    async (issuance) => {
      const { registry } = openRegistry({ policy })
      const { user } = await registry.register(member(), { handle: 'ana' })
      const next = fakePeer(issue({ by: club, names: [uri('id:ana')] }).certificate, { issuance })
      expect(await registry.resolve(next)).toMatchObject({ kind: 'known', user: { id: user.id }, notices: [] })
    },
  )

  it.each([
    { what: 'a certificate', ends: (to: string) => ({ member: { to }, club: {} }) },
    { what: 'the authority', ends: (to: string) => ({ member: {}, club: { to } }) },
  ])('when $what has expired, the name counts no more', async ({ ends }) => {
    const options = ends(timeOf(NOW.getTime() + DAY))
    const authority = issue({ subject: 'club', ca: true, ...options.club })
    const { registry, clock } = openRegistry({ policy: { authorities: [{ certificate: authority.certificate }] } })
    const shown = () => fakePeer(issue({ by: authority, names: [uri('id:ana')], ...options.member }).certificate)
    await registry.register(shown(), { handle: 'ana' })
    const peer = shown()
    clock.advance(DAY)
    expect(await registry.resolve(peer)).toMatchObject({ kind: 'known' })
    clock.advance(1)
    expect((await registry.resolve(peer)).kind).not.toBe('known')
    expect((await registry.resolve(shown())).kind).not.toBe('known')
  })

  it.each([
    { what: 'of another name', make: () => member({ names: [uri('id:bo')] }) },
    { what: 'of two names', make: () => member({ names: [uri('id:ana'), uri('id:bo')] }) },
    { what: 'without a name', make: () => member({ names: [] }) },
    { what: 'of another authority that is called the same', make: () => member({ by: other }) },
    {
      what: 'that is self-signed',
      make: () => fakePeer(issue({ names: [uri('id:ana')] }).certificate, { issuance: 'issued' }),
    },
    { what: 'for servers', make: () => member({ purposes: ['server'] }) },
    { what: 'whose signature is damaged', make: () => member({ spoil: true }) },
    { what: 'signed by a member', make: () => member({ by: memberWithKey }) },
    {
      what: 'whose path leads nowhere',
      make: () => fakePeer(issue({ by: club, names: [uri('id:ana')] }).certificate, { issuance: 'unissued' }),
    },
  ])('a certificate $what is a stranger’s', async ({ make }) => {
    const { registry } = openRegistry({ policy })
    await registry.register(member(), { handle: 'ana' })
    expect(await registry.resolve(make())).toMatchObject({ kind: 'unknown', sameKey: false })
  })

  it('whoever was revoked here stays out with the next certificate too', async () => {
    const { registry } = openRegistry({ policy })
    const { credential } = await registry.register(member(), { handle: 'ana' })
    await registry.revokeAsOperator(credential.id)
    expect(await registry.resolve(member())).toEqual({ kind: 'refused', reason: 'revoked' })
  })

  it('whoever was revoked as a person of their own stays out as a member', async () => {
    const peer = member()
    const { registry, store } = openRegistry()
    const { credential } = await registry.register(peer)
    await registry.revokeAsOperator(credential.id)
    const { registry: later } = openRegistry({ policy }, store)
    expect(await later.resolve(peer)).toEqual({ kind: 'refused', reason: 'revoked' })
  })

  it('what the authority has revoked is out at once, and what it cannot tell is an error', async () => {
    const answers = new Map<string, RevocationStatus>()
    let fails = false
    const revocation: RevocationChecker = {
      async revocationOf({ serialNumber }) {
        if (fails) throw new Error('the list is not there')
        return answers.get(serialNumber) ?? { kind: 'good' }
      },
    }
    const { registry } = openRegistry({ policy: { authorities: [{ certificate: club.certificate, revocation }] } })
    const peer = member()
    await registry.register(peer, { handle: 'ana' })
    expect(await registry.resolve(peer)).toMatchObject({ kind: 'known' })
    for (const [answer, reason] of [
      [{ kind: 'held', at: NOW }, 'held'],
      [{ kind: 'unknown' }, 'unissued'],
      [{ kind: 'revoked', reason: 'unspecified', at: NOW }, 'revoked'],
    ] as const) {
      answers.set(peer.certificate.serialNumber, answer)
      expect(await registry.resolve(peer)).toEqual({ kind: 'refused', reason })
      expect(await refusalOf(registry.createLinkCode(peer))).toBe(`IDENTITY_REFUSED ${reason}`)
      expect(await registry.resolve(member())).toMatchObject({ kind: 'known' })
    }
    fails = true
    await expect(registry.resolve(member())).rejects.toThrow('the list is not there')
  })

  it('an answer that is no answer lets nobody in', async () => {
    for (const answer of [{}, 'good', true, undefined, null]) {
      const revocation = { revocationOf: () => answer as never }
      const { registry } = openRegistry({ policy: { authorities: [{ certificate: club.certificate, revocation }] } })
      await expect(registry.resolve(member())).rejects.toThrow(/must answer an object with a known kind/)
    }
    expect(() =>
      openRegistry({ policy: { authorities: [{ certificate: club.certificate, revocation: {} as never }] } }),
    ).toThrow(/revocationOf/)
  })

  it('by serial number, a certificate is known by it alone', async () => {
    const bySerial = { authorities: [{ certificate: club.certificate, identifiedBy: 'serial' as const }] }
    const { registry } = openRegistry({ policy: bySerial })
    const serial = Buffer.from('4a0102', 'hex')
    const { user } = await registry.register(member({ serial }))
    expect(await registry.resolve(member({ serial }))).toMatchObject({ kind: 'known', user: { id: user.id } })
    expect(await registry.resolve(member())).toMatchObject({ kind: 'unknown' })
  })
})
