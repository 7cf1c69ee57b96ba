// Between what a request read and what it writes, another one was faster. What is true then decides, and nothing else.

import { describe, expect, it } from 'vitest'
import type { IdentityStore } from '../../../src/identity/registry/identity-store.ts'
import { MemoryIdentityStore } from '../../../src/identity/registry/memory-identity-store.ts'
import type { IdentityPolicy } from '../../../src/identity/registry/policy.ts'
import { signRotation } from '../../../src/identity/rotation-statement.ts'
import { parseEndpoint } from '../../../src/names/endpoint.ts'
import { DAY, HOUR, NOW, openRegistry, person, refusalOf, stranger } from './support.ts'

/** A registry in which, once, something happens just before a method of its store; and another one over the same store. */
async function withRace(policy: IdentityPolicy = {}) {
  const raw = new MemoryIdentityStore()
  let before: { method: keyof IdentityStore; act: () => Promise<unknown> } | null = null
  const store = new Proxy(raw, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return (...args: unknown[]) => {
        if (before?.method !== name) return value.apply(target, args)
        const { act } = before
        before = null
        return act().then(() => value.apply(target, args))
      }
    },
  })
  const [mine, other] = [openRegistry({ policy }, store), openRegistry({ policy }, raw)]
  const ana = person()
  const { user, credential } = await other.registry.register(ana.peer, { handle: 'ana' })
  return {
    registry: mine.registry,
    other: other.registry,
    advance: (ms: number) => {
      for (const { clock } of [mine, other]) clock.advance(ms)
    },
    ana,
    user,
    credential,
    /** What the faster request does, just before this one calls the method. */
    meanwhile: (method: keyof IdentityStore, act: () => Promise<unknown>) => {
      before = { method, act }
    },
    hasHappened: () => before === null,
  }
}

describe('a new certificate for a known key', () => {
  it('is known if another request of its holder’s took it in a moment ago', async () => {
    const { registry, other, ana, user, meanwhile, hasHappened } = await withRace({ sameKey: 'auto' })
    const renewed = person({ key: ana.issued }).peer
    meanwhile('renew', () => Promise.resolve(other.resolve(renewed)))
    expect(await registry.resolve(renewed)).toMatchObject({ kind: 'known', user: { id: user.id } })
    expect(hasHappened()).toBe(true)
    expect((await registry.account(renewed)).credentials.filter(({ status }) => status === 'active')).toHaveLength(1)
  })

  it('is a stranger’s if the account was erased a moment ago', async () => {
    const { registry, other, ana, user, meanwhile, hasHappened } = await withRace({ sameKey: 'auto' })
    const renewed = person({ key: ana.issued }).peer
    meanwhile('renew', () => other.eraseUser(user.id))
    expect(await registry.resolve(renewed)).toMatchObject({ kind: 'unknown', sameKey: false })
    expect(hasHappened()).toBe(true)
  })
})

it('a recovery that was vetoed a moment ago lets nobody in', async () => {
  const { registry, other, advance, ana, meanwhile, hasHappened } = await withRace()
  const [code = ''] = await other.createRecoveryCodes(ana.peer)
  const thief = stranger()
  await other.recover(thief, 'ana', code)
  advance(72 * HOUR)
  meanwhile('claimRecovery', async () => {
    const { pending } = await other.account(ana.peer)
    await other.rejectLink(ana.peer, pending[0]?.id ?? '')
  })
  expect(await registry.resolve(thief)).toMatchObject({ kind: 'unknown' })
  expect(hasHappened()).toBe(true)
})

it('a certificate that was revoked a moment ago makes no code and no recovery codes', async () => {
  for (const [method, ask] of [
    ['addLinkCode', 'createLinkCode'],
    ['putRecoveryCodes', 'createRecoveryCodes'],
  ] as const) {
    const { registry, other, ana, credential, meanwhile, hasHappened } = await withRace()
    const phone = stranger()
    await other.redeemLinkCode(phone, (await other.createLinkCode(ana.peer)).code)
    meanwhile(method, () => other.revoke(phone, credential.id))
    expect(await refusalOf(registry[ask](ana.peer))).toBe('IDENTITY_NOT_FOUND')
    expect(hasHappened()).toBe(true)
  }
})

describe('a certificate that has come to an account a moment ago comes to no second one', () => {
  it.each(['requestLink', 'recover', 'rotate'] as const)('by %s', async (method) => {
    const { registry, other, ana, meanwhile, hasHappened } = await withRace()
    const [code = ''] = await other.createRecoveryCodes(ana.peer)
    const next = person()
    meanwhile(method, () => other.register(next.peer, { handle: 'bo' }))
    const statement = await signRotation({
      origin: parseEndpoint('example.org:1965'),
      oldCertificate: ana.certificate,
      oldKey: ana.issued.keys.privateKey,
      newCertificate: next.certificate,
      expiresAt: new Date(NOW.getTime() + DAY),
    })
    const attempts = {
      requestLink: () => registry.requestLink(next.peer, 'ana'),
      recover: () => registry.recover(next.peer, 'ana', code),
      rotate: () => registry.rotate(next.peer, statement),
    }
    expect(await refusalOf(attempts[method]())).toBe('IDENTITY_ALREADY_LINKED')
    expect(hasHappened()).toBe(true)
    expect(await registry.resolve(next.peer)).toMatchObject({ kind: 'known', user: { handle: 'bo' } })
    expect(await registry.resolve(ana.peer)).toMatchObject({ kind: 'known', user: { handle: 'ana' } })
  })
})
