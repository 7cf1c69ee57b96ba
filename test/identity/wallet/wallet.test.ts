// A wallet by itself: identities, where they are shown, and which of them is chosen.

import { describe, expect, it } from 'vitest'
import { IdentityWallet } from '../../../src/identity/wallet/identity-wallet.ts'
import { originScope, pathScope } from '../../../src/identity/wallet/scope.ts'
import { parseEndpoint } from '../../../src/names/endpoint.ts'
import { A_DAY_MS, A_MINUTE_MS, memoryWallet, newFolder, START, withWallet } from './wallet-support.ts'

const endpoint = parseEndpoint('example.org:1965')

describe('a new identity', () => {
  it('is a nameless P-256 certificate for clients that lasts for a century', async () => {
    const { wallet } = await memoryWallet()
    const identity = await wallet.create()
    expect(identity).toMatchObject({
      name: null,
      notes: null,
      commonName: null,
      validity: 'valid',
      temporary: false,
      scopes: [],
      sites: [],
      createdAt: START,
      lastUsedAt: null,
      formerCertificates: [],
      replacedBy: null,
    })
    const { certificate } = identity
    expect(certificate).toMatchObject({ keyType: 'ec', keyCurve: 'P-256', isCA: false, isSelfIssued: true })
    expect(String(certificate.subject)).toBe('')
    expect(certificate.notAfter.getTime() - START.getTime()).toBe(36_500 * A_DAY_MS)
    expect(identity.fingerprint).toBe(certificate.fingerprint)
  })

  it('is what it was asked to be', async () => {
    const { wallet } = await memoryWallet()
    const identity = await wallet.create({
      name: 'Ana at the club',
      commonName: 'ana',
      keyType: 'ed25519',
      validity: { days: 30 },
      scope: 'gemini://example.org/club',
    })
    expect(identity).toMatchObject({ name: 'Ana at the club', commonName: 'ana' })
    expect(identity.certificate.keyType).toBe('ed25519')
    expect(identity.notAfter?.getTime()).toBe(START.getTime() + 30 * A_DAY_MS)
    expect(identity.scopes.map(String)).toEqual(['gemini://example.org/club'])
    expect(String(identity.certificate.subject)).not.toContain('club')
  })

  it.each([
    ['ec-p384', { keyType: 'ec', keyCurve: 'P-384' }],
    ['rsa-2048', { keyType: 'rsa', keySize: 2048 }],
  ] as const)('has a key of type %s if that is asked for', async (keyType, expected) => {
    const { wallet } = await memoryWallet()
    expect((await wallet.create({ keyType })).certificate).toMatchObject(expected)
  })

  it('may never expire, or until an instant', async () => {
    const { wallet } = await memoryWallet()
    expect((await wallet.create({ validity: 'never_expires' })).notAfter).toEqual(new Date('9999-12-31T23:59:59Z'))
    const until = new Date('2030-06-02T00:00:00Z')
    expect((await wallet.create({ validity: { until } })).notAfter).toEqual(until)
  })

  it.each([
    { name: 5 },
    { name: 'two\nlines' },
    { name: 'x'.repeat(201) },
    { name: '\ud800' },
    { commonName: 'x'.repeat(65) },
    { commonName: 'a\0b' },
    { keyType: 'dsa' },
    { validity: {} },
    { validity: { days: 0 } },
    { validity: { days: 1.5 } },
    { validity: { days: 10, until: START } },
    { validity: { until: new Date(Number.NaN) } },
    { validity: { until: new Date('2020-01-01') } },
    { validity: 'long' },
    { validity: null },
    { temporary: 'no' },
    { scope: 5 },
    { scope: 'spartan://example.org/' },
    { scopes: 'gemini://example.org/' },
    { temporarily: true },
  ])('is not made of %j', async (options) => {
    const { wallet } = await memoryWallet()
    // @ts-expect-error Some have the wrong type.
    await expect(wallet.create(options)).rejects.toThrow()
    expect(wallet.list()).toEqual([])
  })
})

describe('the list', () => {
  it('begins with what was used last', async () => {
    const { wallet, clock } = await memoryWallet()
    const ids: string[] = []
    for (const name of ['a', 'b', 'c']) {
      ids.push((await wallet.create({ name, scope: `gemini://${name}.example/` })).id)
      clock.advance(A_MINUTE_MS)
    }
    expect(wallet.list().map(({ name }) => name)).toEqual(['c', 'b', 'a'])
    await wallet.identityFor('gemini://a.example/')
    expect(wallet.list().map(({ name }) => name)).toEqual(['a', 'c', 'b'])
    expect(new Set(ids).size).toBe(3)
  })

  it('cannot be used to change anything', async () => {
    const { wallet } = await memoryWallet()
    const { id } = await wallet.create({ scope: 'gemini://example.org/' })
    const [identity] = wallet.list()
    expect(Object.isFrozen(wallet.list())).toBe(true)
    expect(Object.isFrozen(identity)).toBe(true)
    expect(Object.isFrozen(identity?.scopes)).toBe(true)
    await wallet.rename(id, 'later')
    expect(identity?.name).toBeNull()
  })

  it('can be asked for one by its id', async () => {
    const { wallet } = await memoryWallet()
    const { id } = await wallet.create({ name: 'Ana' })
    expect(wallet.get(id)?.name).toBe('Ana')
    for (const other of ['', 'x', `${id}0`, id.toUpperCase(), '__proto__', 'constructor']) {
      expect(wallet.get(other)).toBeNull()
    }
  })
})

it('renames and annotates, and takes both back', async () => {
  const { wallet } = await memoryWallet()
  const { id } = await wallet.create({ name: 'Ana' })
  expect((await wallet.rename(id, '  Bo  ')).name).toBe('  Bo  ')
  expect((await wallet.annotate(id, 'line 1\n\tline 2')).notes).toBe('line 1\n\tline 2')
  expect(await wallet.rename(id, null)).toMatchObject({ name: null, notes: 'line 1\n\tline 2' })
  expect((await wallet.annotate(id, null)).notes).toBeNull()
  await expect(wallet.rename(id, 'a\u2028b')).rejects.toThrow(RangeError)
  await expect(wallet.annotate(id, 'a\u001bb')).rejects.toThrow(RangeError)
})

it.each(['rename', 'annotate', 'use', 'stop', 'renew', 'rotate', 'keep', 'delete', 'undelete', 'export'] as const)(
  'says that there is no such identity to %s',
  async (method) => {
    const { wallet } = await memoryWallet()
    const { id } = await wallet.create()
    await wallet.delete(id)
    const call = (unknown: string): Promise<unknown> =>
      method === 'rename' || method === 'annotate'
        ? wallet[method](unknown, 'x')
        : method === 'use'
          ? wallet.use(unknown, 'gemini://example.org/')
          : wallet[method](unknown)
    const notFound = { code: 'ERR_TLACACOCA_IDENTITY_NOT_FOUND' }
    await expect(call('0'.repeat(32))).rejects.toMatchObject(notFound)
    if (method !== 'undelete') await expect(call(id)).rejects.toMatchObject(notFound)
  },
)

describe('the identity for a URL', () => {
  it('is the one with the longest path', async () => {
    const { wallet } = await memoryWallet()
    await wallet.create({ name: 'deep', scope: 'gemini://example.org/a/b' })
    await wallet.create({ name: 'middle', scope: 'gemini://example.org/a' })
    await wallet.create({ name: 'site', scope: originScope('gemini://example.org/a/b/c') })
    const nameAt = (url: string) => wallet.forUrl(url)?.name
    expect(nameAt('gemini://example.org/a/b/c')).toBe('deep')
    expect(nameAt('titan://example.org/a/b;size=3')).toBe('deep')
    expect(nameAt('gemini://example.org/a/bc')).toBe('middle')
    expect(nameAt('gemini://example.org/ab')).toBe('site')
    expect(nameAt('gemini://example.org:1966/a')).toBeUndefined()
    expect(nameAt('gemini://example.org.evil.example/a')).toBeUndefined()
  })

  it('is, of several with one scope, the one that was chosen last', async () => {
    const { wallet } = await memoryWallet()
    const scope = pathScope('gemini://example.org/')
    // The clock stands still: it is the order that counts.
    const a = await wallet.create({ name: 'a', scope })
    const b = await wallet.create({ name: 'b', scope })
    expect(wallet.forUrl('gemini://example.org/')?.name).toBe('b')
    await wallet.use(a.id, scope)
    expect(wallet.forUrl('gemini://example.org/')?.name).toBe('a')
    await wallet.use(b.id, 'gemini://example.org/')
    expect(wallet.forUrl('gemini://example.org/')?.name).toBe('b')
  })

  it('is chosen by the order of uses although the clock went back', async () => {
    const { wallet, clock } = await memoryWallet()
    const scope = pathScope('gemini://example.org/')
    const a = await wallet.create({ name: 'a', scope })
    clock.advance(A_DAY_MS)
    await wallet.create({ name: 'b', scope })
    clock.advance(-10 * A_DAY_MS)
    await wallet.use(a.id, scope)
    expect(wallet.forUrl('gemini://example.org/')?.name).toBe('a')
  })

  it('is none once it was stopped there', async () => {
    const { wallet } = await memoryWallet()
    const { id } = await wallet.create({ scope: 'gemini://example.org/a' })
    await wallet.use(id, 'gemini://example.org/b')
    // A scope that it has not got.
    await wallet.stop(id, 'gemini://example.org/a/b')
    expect(wallet.forUrl('gemini://example.org/a/b')).not.toBeNull()
    await wallet.stop(id, 'gemini://example.org/a/')
    expect(wallet.forUrl('gemini://example.org/a')).toBeNull()
    expect(wallet.forUrl('gemini://example.org/b')).not.toBeNull()
    await wallet.use(id, 'gemini://example.org/a')
    await wallet.stop(id)
    expect(wallet.get(id)?.scopes).toEqual([])
    expect(await wallet.identityFor('gemini://example.org/b')).toBeNull()
  })

  it('is none once it was deleted', async () => {
    const { wallet } = await memoryWallet()
    const { id } = await wallet.create({ scope: 'gemini://example.org/' })
    await wallet.delete(id)
    expect(wallet.forUrl('gemini://example.org/')).toBeNull()
  })

  it('is none for protocols without identities, and an error for what is no URL', async () => {
    const { wallet } = await memoryWallet()
    await wallet.create({ scope: 'gemini://example.org/' })
    expect(wallet.forUrl('https://example.org/')).toBeNull()
    expect(wallet.forUrl('mailto:ana@example.org')).toBeNull()
    const invalid = { code: 'ERR_TLACACOCA_TARGET_INVALID' }
    expect(() => wallet.forUrl('gemini://ana@example.org/')).toThrow(expect.objectContaining(invalid))
    expect(() => wallet.store('gemini://ana@example.org/')).toThrow(expect.objectContaining(invalid))
    await expect(wallet.identityFor('gemini://ana@example.org/')).rejects.toMatchObject(invalid)
  })

  it.each([
    ['gemini://example.org/start', true],
    ['gemini://EXAMPLE.org:1965/', true],
    ['titan://example.org/upload;size=3', true],
    [['gemini://example.org/a', 'titan://example.org/b'], true],
    [[], true],
    ['gemini://evil.example/', false],
    ['gemini://example.org:1966/', false],
    ['gemini://example.org.evil.example/', false],
    ['scroll://example.org/', false],
    ['spartan://example.org/', false],
    ['https://example.org/', false],
    ['gemini://ana@example.org/', false],
    ['not a URL', false],
    // Through the site itself and back, to hide where it began.
    [['gemini://evil.example/', 'gemini://example.org/'], false],
    [['gemini://example.org/', 'gemini://evil.example/'], false],
  ])('after a redirect from %j is chosen: %j', async (redirectedFrom, chosen) => {
    const { wallet } = await memoryWallet()
    await wallet.create({ scope: 'gemini://example.org/' })
    const url = 'gemini://example.org/account/delete'
    expect(wallet.forUrl(url, { redirectedFrom }) !== null).toBe(chosen)
    expect((await wallet.identityFor(url, { redirectedFrom })) !== null).toBe(chosen)
  })

  it('is not chosen by an option that does not exist', async () => {
    const { wallet } = await memoryWallet()
    await wallet.create({ scope: 'gemini://example.org/' })
    // @ts-expect-error It is `redirectedFrom`.
    expect(() => wallet.forUrl('gemini://example.org/', { redirectFrom: 'gemini://evil.example/' })).toThrow(TypeError)
    // @ts-expect-error Not URLs.
    expect(() => wallet.forUrl('gemini://example.org/', { redirectedFrom: [5] })).toThrow(TypeError)
  })
})

describe('a use', () => {
  it('is noted when the identity is given out, with its site', async () => {
    const { wallet, clock } = await memoryWallet()
    const { id } = await wallet.create({ scope: 'gemini://example.org/' })
    expect(wallet.get(id)?.sites).toEqual([])
    clock.advance(A_MINUTE_MS)
    await wallet.identityFor('gemini://example.org/')
    const first = new Date(START.getTime() + A_MINUTE_MS)
    expect(wallet.get(id)).toMatchObject({
      lastUsedAt: first,
      sites: [{ endpoint, firstUsedAt: first, lastUsedAt: first, confirmed: [] }],
    })
    clock.advance(A_MINUTE_MS)
    await wallet.identityFor('titan://example.org/x;size=1')
    expect(wallet.get(id)?.sites).toMatchObject([
      { firstUsedAt: first, lastUsedAt: new Date(first.getTime() + A_MINUTE_MS) },
    ])
  })

  it('is not noted for the question alone', async () => {
    const { wallet } = await memoryWallet()
    const { id } = await wallet.create({ scope: 'gemini://example.org/' })
    wallet.forUrl('gemini://example.org/')
    wallet.store('gemini://example.org/')
    wallet.suggest('gemini://example.org/', 60)
    await wallet.clientIdentity(id)
    expect(wallet.get(id)?.sites).toEqual([])
  })

  it('can be noted by the program, and forgotten', async () => {
    const { wallet } = await memoryWallet()
    const { id } = await wallet.create()
    wallet.used(id, 'gemini://example.org/x')
    expect(wallet.get(id)?.sites).toMatchObject([{ endpoint }])
    await wallet.use(id, 'gemini://example.org/x')
    await wallet.use(id, 'gemini://example.org:1966/x')
    await wallet.forget(id, endpoint)
    expect(wallet.get(id)?.sites).toEqual([])
    expect(wallet.get(id)?.scopes.map(String)).toEqual(['gemini://example.org:1966/x'])
  })

  it('is forgotten too if it was not written down yet', async () => {
    const directory = await newFolder()
    await withWallet(directory, async (wallet) => {
      const { id } = await wallet.create()
      const noteUses = (): void => {
        for (const url of ['gemini://example.org/x', 'gemini://b.example/']) wallet.used(id, url)
      }
      noteUses()
      await wallet.rename(id, 'Ana')
      // Of the same day, so that they wait until something else is written.
      noteUses()
      await wallet.forget(id, endpoint)
      expect(wallet.get(id)?.sites.map((site) => String(site.endpoint))).toEqual(['b.example:1965'])
    })
    await withWallet(directory, async (wallet) => {
      expect(wallet.list()[0]?.sites.map((site) => String(site.endpoint))).toEqual(['b.example:1965'])
    })
  })
})

it('warns of what expires, the first first', async () => {
  const { wallet, clock } = await memoryWallet()
  for (const days of [40, 10, 25, 1]) await wallet.create({ name: `${days}`, validity: { days } })
  const names = (withinMs?: number) => wallet.expiring(withinMs).map(({ name }) => name)
  expect(names()).toEqual(['1', '10', '25'])
  expect(names(0)).toEqual([])
  expect(names(11 * A_DAY_MS)).toEqual(['1', '10'])
  clock.advance(12 * A_DAY_MS)
  expect(names(0)).toEqual(['1', '10'])
  expect(wallet.list().find(({ name }) => name === '10')?.validity).toBe('expired')
  expect(() => wallet.expiring(-1)).toThrow(RangeError)
})

it('is closed once and for all', async () => {
  const wallet = await IdentityWallet.inMemory()
  const { id } = await wallet.create({ scope: 'gemini://example.org/' })
  await Promise.all([wallet.close(), wallet.close()])
  await wallet.close()
  const closed = { code: 'ERR_TLACACOCA_STORE_CLOSED' }
  expect(() => wallet.list()).toThrow(expect.objectContaining(closed))
  expect(() => wallet.forUrl('gemini://example.org/')).toThrow(expect.objectContaining(closed))
  await expect(wallet.create()).rejects.toMatchObject(closed)
  await expect(wallet.rename(id, 'x')).rejects.toMatchObject(closed)
  await expect(wallet.identityFor('gemini://example.org/')).rejects.toMatchObject(closed)
  await expect(wallet.reload()).rejects.toMatchObject(closed)
})
