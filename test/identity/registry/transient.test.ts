import { describe, expect, it } from 'vitest'
import { TransientIdentities } from '../../../src/identity/registry/transient-identities.ts'
import { fixedClock } from '../../../src/testing/fixed-clock.ts'
import { DAY, NOW, openRegistry, refusalOf, stranger, until } from './support.ts'

function visitors(options = {}) {
  const clock = fixedClock(NOW)
  return { clock, all: new TransientIdentities({ create: () => ({ points: 0 }), clock, ...options }) }
}

describe('TransientIdentities', () => {
  it('remembers a visitor for a day after the last visit', () => {
    const { all, clock } = visitors()
    const peer = stranger()
    const first = all.meet(peer)
    if (first !== null) first.data.points = 7
    clock.advance(DAY - 1)
    expect(all.meet(peer)).toEqual({
      data: { points: 7 },
      firstSeen: NOW,
      expiresAt: new Date(NOW.getTime() + 2 * DAY - 1),
    })
    expect(all.meet(stranger())?.data).toEqual({ points: 0 })
    clock.advance(DAY)
    expect(all.size).toBe(0)
    expect(all.meet(peer)).toMatchObject({ data: { points: 0 } })
  })

  it('forgets whose last visit is longest ago when there are too many', () => {
    const { all } = visitors({ maxIdentities: 2 })
    const [one, two, three] = [stranger(), stranger(), stranger()]
    for (const peer of [one, two]) Object.assign(all.meet(peer)?.data ?? {}, { points: 1 })
    all.meet(one)
    all.meet(three)
    expect(all.size).toBe(2)
    expect(all.meet(one)?.data.points).toBe(1)
    expect(all.meet(two)?.data.points).toBe(0)
  })

  it('remembers nobody whose certificate has expired', () => {
    const { all } = visitors()
    expect(all.meet(until(-1000).peer)).toBeNull()
    expect(all.size).toBe(0)
  })

  it('forgets whom it is told to', () => {
    const { all } = visitors()
    const peer = stranger()
    all.meet(peer)
    expect([all.forget(peer), all.forget(peer), all.size]).toEqual([true, false, 0])
  })

  it('makes a visitor a user, who takes along what was kept', async () => {
    const { all } = visitors()
    const { registry } = openRegistry()
    const peer = stranger()
    Object.assign(all.meet(peer)?.data ?? {}, { points: 9 })
    expect(await registry.resolve(peer)).toMatchObject({ kind: 'unknown' })
    const promoted = await all.promote(peer, registry, { handle: 'ana' })
    expect(promoted).toMatchObject({ user: { handle: 'ana' }, data: { points: 9 } })
    expect(all.size).toBe(0)
    expect(await registry.resolve(peer)).toMatchObject({ kind: 'known' })
    expect(await all.promote(stranger(), registry)).toMatchObject({ data: null })
  })

  it('keeps the visitor whom the registry refuses', async () => {
    const { all } = visitors()
    const { registry } = openRegistry()
    await registry.register(stranger(), { handle: 'ana' })
    const peer = stranger()
    all.meet(peer)
    expect(await refusalOf(all.promote(peer, registry, { handle: 'ana' }))).toBe('IDENTITY_HANDLE_TAKEN')
    expect(all.size).toBe(1)
  })

  it.each([null, undefined, {}, 'registry'])('keeps the visitor if %j is to be the registry', async (registry) => {
    const { all } = visitors()
    const peer = stranger()
    all.meet(peer)
    await expect(all.promote(peer, registry as never)).rejects.toThrow(/^"registry" expected an IdentityRegistry, got /)
    expect(all.size).toBe(1)
  })

  it('takes a peer, and nothing that looks like one', () => {
    const { all } = visitors()
    expect(() => all.meet({ fingerprint: 'x' } as never)).toThrow(TypeError)
    expect(() => all.meet(null as never)).toThrow(TypeError)
  })
})
