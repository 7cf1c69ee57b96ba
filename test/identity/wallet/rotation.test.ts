import { describe, expect, it } from 'vitest'
import { verifyRotation } from '../../../src/identity/rotation-statement.ts'
import type { RotationPlan } from '../../../src/identity/wallet/rotation-plan.ts'
import { parseEndpoint } from '../../../src/names/endpoint.ts'
import { A_DAY_MS, A_MINUTE_MS, folderWallet, memoryWallet, newFolder, START, withWallet } from './wallet-support.ts'

const a = parseEndpoint('a.example:1965')
const b = parseEndpoint('b.example:1965')

const statesOf = (plan: RotationPlan | null) => plan?.sites.map(({ endpoint, state }) => `${endpoint.host} ${state}`)

/** An identity that two sites know. */
async function prepared() {
  const { wallet, clock } = await memoryWallet()
  const old = await wallet.create({ name: 'Ana', commonName: 'ana', scope: 'gemini://a.example/club' })
  await wallet.identityFor('gemini://a.example/club')
  await wallet.confirm(old.id, b, 'second_host')
  await wallet.use(old.id, 'gemini://b.example/')
  return { wallet, clock, old }
}

describe('a rotation plan', () => {
  it('has a new identity with a key of its own, and all sites that know the old one', async () => {
    const { wallet, old } = await prepared()
    const plan = await wallet.rotate(old.id)
    expect(plan.from.id).toBe(old.id)
    expect(plan.from.replacedBy).toBe(plan.to.id)
    expect(plan.to).toMatchObject({ name: 'Ana', commonName: 'ana', scopes: [], sites: [], validity: 'valid' })
    expect(plan.to.certificate.publicKeyFingerprint).not.toBe(old.certificate.publicKeyFingerprint)
    expect(plan.sites).toEqual([
      { endpoint: a, state: 'pending', since: null, note: null },
      { endpoint: b, state: 'pending', since: null, note: null },
    ])
    expect(plan.isDone).toBe(false)
    expect(wallet.list()).toHaveLength(2)
  })

  it('makes what it is asked to make', async () => {
    const { wallet, old } = await prepared()
    const plan = await wallet.rotate(old.id, { commonName: '', keyType: 'ed25519', validity: { days: 10 } })
    expect(plan.to.commonName).toBeNull()
    expect(plan.to.certificate.keyType).toBe('ed25519')
    expect(plan.to.notAfter?.getTime()).toBe(START.getTime() + 10 * A_DAY_MS)
    await plan.abandon()
    // @ts-expect-error The new one has the scopes of the old one, site by site.
    await expect(wallet.rotate(old.id, { scope: 'gemini://a.example/' })).rejects.toThrow(TypeError)
  })

  it('gives each site the new identity when it is done, and the old one until then', async () => {
    const { wallet, old } = await prepared()
    const plan = await wallet.rotate(old.id)
    const chosen = () => ['gemini://a.example/club/x', 'gemini://b.example/'].map((url) => wallet.forUrl(url)?.id)
    expect(chosen()).toEqual([old.id, old.id])
    await plan.mark(a, 'done')
    expect(chosen()).toEqual([plan.to.id, old.id])
    await plan.mark(b, 'failed', 'they did not answer')
    expect(chosen()).toEqual([plan.to.id, old.id])
    expect(plan.sites[1]).toMatchObject({ state: 'failed', note: 'they did not answer' })
    expect(plan.isDone).toBe(false)
    await plan.mark(b, 'done')
    expect(chosen()).toEqual([plan.to.id, plan.to.id])
    expect(plan.isDone).toBe(true)
    expect(plan.from.scopes).toEqual([])
    expect(plan.to.scopes.map(String).sort()).toEqual(['gemini://a.example/club', 'gemini://b.example/'])
    // What the user confirmed of the old one holds for the new one.
    expect(wallet.check(plan.to.id, { endpoint: b, protocol: 'TLSv1.3' })).toEqual({ cleared: true })
  })

  it('goes back at a site where it did not work after all', async () => {
    const { wallet, old } = await prepared()
    const plan = await wallet.rotate(old.id)
    await plan.mark(a, 'done')
    await plan.mark(a, 'pending')
    expect(wallet.forUrl('gemini://a.example/club')?.id).toBe(old.id)
    expect(plan.to.scopes).toEqual([])
    expect(statesOf(plan)).toEqual(['a.example pending', 'b.example pending'])
  })

  it('hands out statements, each for one server, signed by the old key', async () => {
    const { wallet, old } = await prepared()
    const plan = await wallet.rotate(old.id)
    const text = await plan.statement(a, { user: 'ana' })
    const expectation = {
      origin: a,
      oldCertificate: old.certificate,
      newFingerprint: plan.to.fingerprint,
      now: START,
    }
    expect(verifyRotation(text, expectation)).toMatchObject({
      user: 'ana',
      oldFingerprint: old.fingerprint,
      expiresAt: new Date(START.getTime() + 60 * A_MINUTE_MS),
    })
    const invalid = expect.objectContaining({ code: 'ERR_TLACACOCA_IDENTITY_ROTATION_INVALID' })
    expect(() => verifyRotation(text, { ...expectation, origin: b })).toThrow(invalid)
    expect(() => verifyRotation(text, { ...expectation, now: new Date(START.getTime() + A_DAY_MS) })).toThrow(invalid)
    expect(await plan.statement(a)).not.toBe(await plan.statement(a))
    for (const validForMs of [0, 32 * A_DAY_MS, 1.5, Number.NaN]) {
      await expect(plan.statement(a, { validForMs })).rejects.toThrow(RangeError)
    }
    // @ts-expect-error A text is no endpoint.
    await expect(plan.statement('a.example:1965')).rejects.toThrow(TypeError)
  })

  it('can hand one out after the old certificate has expired', async () => {
    const { wallet, clock } = await memoryWallet()
    const old = await wallet.create({ scope: 'gemini://a.example/', validity: { days: 1 } })
    clock.advance(2 * A_DAY_MS)
    const plan = await wallet.rotate(old.id)
    expect(await plan.statement(a)).toMatch(/^rotation1\./)
  })

  it('takes in the sites where the old one is shown later', async () => {
    const { wallet, old } = await prepared()
    const plan = await wallet.rotate(old.id)
    await plan.mark(a, 'done')
    await plan.mark(b, 'skipped')
    expect(plan.isDone).toBe(true)
    const c = parseEndpoint('c.example:1965')
    await wallet.confirm(old.id, c, 'second_host')
    await wallet.use(old.id, 'gemini://c.example/')
    expect(statesOf(plan)).toEqual(['a.example done', 'b.example skipped', 'c.example pending'])
    expect(plan.isDone).toBe(false)
  })

  it('keeps both identities until it is done', async () => {
    const { wallet, old } = await prepared()
    const plan = await wallet.rotate(old.id)
    const rotating = { code: 'ERR_TLACACOCA_IDENTITY_ROTATING' }
    await plan.mark(a, 'done')
    await expect(wallet.delete(old.id)).rejects.toMatchObject(rotating)
    await expect(wallet.delete(plan.to.id)).rejects.toMatchObject(rotating)
    await expect(plan.finish()).rejects.toMatchObject(rotating)
    await expect(wallet.rotate(old.id)).rejects.toMatchObject(rotating)
    await plan.mark(b, 'skipped')
    expect(await plan.finish()).toMatchObject({ id: old.id, removedAt: 'close' })
    expect(wallet.list().map(({ id }) => id)).toEqual([plan.to.id])
    // The old one can be had back, and the plan with it.
    await wallet.undelete(old.id)
    expect(statesOf(wallet.rotationPlan(old.id))).toEqual(['a.example done', 'b.example skipped'])
  })

  it('ends if one of the two is deleted on purpose', async () => {
    const { wallet, old } = await prepared()
    const plan = await wallet.rotate(old.id)
    await wallet.delete(plan.to.id, { evenIfRotating: true })
    expect(wallet.get(old.id)?.replacedBy).toBeNull()
    expect(wallet.rotationPlan(old.id)).toBeNull()
    await expect(plan.mark(a, 'done')).rejects.toMatchObject({ code: 'ERR_TLACACOCA_IDENTITY_NOT_FOUND' })
    expect(() => plan.to).toThrow(expect.objectContaining({ code: 'ERR_TLACACOCA_IDENTITY_NOT_FOUND' }))
    const second = await wallet.rotate(old.id)
    await wallet.delete(old.id, { evenIfRotating: true })
    expect(wallet.list().map(({ id }) => id)).toEqual([second.to.id])
  })

  it('says since when a site is in its state, but for one that is pending, also again', async () => {
    const { wallet, old } = await prepared()
    const plan = await wallet.rotate(old.id)
    await plan.mark(a, 'done')
    expect(plan.sites[0]?.since).toBeInstanceOf(Date)
    await plan.mark(a, 'pending', 'they have lost it')
    expect(plan.sites[0]).toEqual({ endpoint: a, state: 'pending', since: null, note: 'they have lost it' })
    expect(wallet.forUrl('gemini://a.example/club')?.id).toBe(old.id)
  })

  it('is forgotten on request, and both identities stay as they are by then', async () => {
    const { wallet, old } = await prepared()
    const plan = await wallet.rotate(old.id)
    await plan.mark(a, 'done')
    await plan.abandon()
    expect(wallet.rotationPlan(old.id)).toBeNull()
    expect(wallet.forUrl('gemini://a.example/club')?.id).toBe(plan.to.id)
    expect(wallet.forUrl('gemini://b.example/')?.id).toBe(old.id)
    await wallet.delete(old.id)
  })

  it('goes on in another program', async () => {
    const directory = await newFolder()
    const { id, to } = await withWallet(directory, async (wallet) => {
      const { id } = await wallet.create({ scope: 'gemini://a.example/' })
      await wallet.confirm(id, b, 'second_host')
      await wallet.use(id, 'gemini://b.example/')
      const plan = await wallet.rotate(id)
      await plan.mark(b, 'failed', 'on holiday')
      return { id, to: plan.to.id }
    })
    const wallet = await folderWallet(directory)
    const plan = wallet.rotationPlan(id)
    expect(plan?.to.id).toBe(to)
    expect(plan?.sites).toMatchObject([
      { endpoint: a, state: 'pending', since: null },
      { endpoint: b, state: 'failed', note: 'on holiday' },
    ])
    expect(plan?.sites[1]?.since).toBeInstanceOf(Date)
    expect(wallet.rotationPlan(to)).toBeNull()
    expect(await plan?.statement(a)).toMatch(/^rotation1\./)
  })

  it('begins once, although two programs begin it', async () => {
    const directory = await newFolder()
    const { id } = await withWallet(directory, (wallet) => wallet.create({ scope: 'gemini://a.example/' }))
    const wallets = [await folderWallet(directory), await folderWallet(directory)]
    const results = await Promise.allSettled(wallets.map((wallet) => wallet.rotate(id)))
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(await withWallet(directory, async (wallet) => wallet.list().length)).toBe(2)
  })
})
