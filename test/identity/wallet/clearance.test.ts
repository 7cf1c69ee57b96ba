import { describe, expect, it } from 'vitest'
import { parseEndpoint } from '../../../src/names/endpoint.ts'
import { memoryWallet, newFolder, withWallet } from './wallet-support.ts'

const home = parseEndpoint('home.example:1965')
const other = parseEndpoint('other.example:1965')
const TLS12 = 'TLSv1.2'
const TLS13 = 'TLSv1.3'

describe('an identity', () => {
  it('that nobody knows may be shown to anybody by TLS 1.3', async () => {
    const { wallet } = await memoryWallet()
    const { id } = await wallet.create()
    expect(wallet.check(id, { endpoint: other, protocol: TLS13 })).toEqual({ cleared: true })
  })

  it('is not shown by TLS 1.2 before the user has agreed, at each server', async () => {
    const { wallet } = await memoryWallet()
    const { id } = await wallet.create({ scope: 'gemini://home.example/' })
    expect(wallet.check(id, { endpoint: home, protocol: TLS13 })).toEqual({ cleared: true })
    const refused = wallet.check(id, { endpoint: home, protocol: TLS12 })
    expect(refused).toMatchObject({ cleared: false, concerns: ['tls12'] })
    if (refused.cleared) throw new Error('expected a refusal')
    expect(refused.explanation).toContain('TLS 1.2')
    await wallet.confirm(id, home, 'tls12')
    expect(wallet.check(id, { endpoint: home, protocol: TLS12 })).toEqual({ cleared: true })
    const otherPort = parseEndpoint('home.example:1966')
    expect(wallet.check(id, { endpoint: otherPort, protocol: TLS12 }).cleared).toBe(false)
    const second = await wallet.create({ scope: 'gemini://home.example/' })
    expect(wallet.check(second.id, { endpoint: home, protocol: TLS12 }).cleared).toBe(false)
  })

  it.each([
    ['has a scope there', async (wallet: Wallet) => (await wallet.create({ scope: 'gemini://home.example/' })).id],
    [
      'was shown there',
      async (wallet: Wallet) => {
        const { id } = await wallet.create({ scope: 'gemini://home.example/' })
        await wallet.identityFor('gemini://home.example/')
        return (await wallet.stop(id)).id
      },
    ],
    [
      'was used there by the program',
      async (wallet: Wallet) => {
        const { id } = await wallet.create()
        wallet.used(id, 'gemini://home.example/')
        return id
      },
    ],
  ] as const)(
    'that one host knows, since it %s, is not shown to a second one before the user has agreed',
    async (_, prepare) => {
      const { wallet } = await memoryWallet()
      const id = await prepare(wallet)
      const refused = wallet.check(id, { endpoint: other, protocol: TLS13 })
      expect(refused).toMatchObject({ cleared: false, concerns: ['second_host'] })
      if (refused.cleared) throw new Error('expected a refusal')
      expect(refused.explanation).toContain('home.example knows this identity')
      expect(wallet.check(id, { endpoint: other, protocol: TLS12 })).toMatchObject({
        concerns: ['tls12', 'second_host'],
      })
      const use = () => wallet.use(id, 'gemini://other.example/')
      await expect(use()).rejects.toMatchObject({ code: 'ERR_TLACACOCA_IDENTITY_NOT_CONFIRMED', reason: 'second_host' })
      expect(wallet.forUrl('gemini://other.example/')).toBeNull()
      // Another port of a host is not another host.
      expect(wallet.check(id, { endpoint: parseEndpoint('home.example:1966'), protocol: TLS13 }).cleared).toBe(true)
      // What was confirmed is what was asked.
      await wallet.confirm(id, other, 'tls12')
      await expect(use()).rejects.toMatchObject({ code: 'ERR_TLACACOCA_IDENTITY_NOT_CONFIRMED' })
      await wallet.confirm(id, other, 'second_host')
      expect(wallet.check(id, { endpoint: other, protocol: TLS12 })).toEqual({ cleared: true })
      await use()
      expect(wallet.forUrl('gemini://other.example/')?.id).toBe(id)
      // A third one is another matter.
      expect(wallet.check(id, { endpoint: parseEndpoint('third.example:1965'), protocol: TLS13 }).cleared).toBe(false)
    },
  )

  it('is at home again with the other host once the first is forgotten', async () => {
    const { wallet } = await memoryWallet()
    const { id } = await wallet.create({ scope: 'gemini://home.example/' })
    await wallet.confirm(id, home, 'tls12')
    await wallet.forget(id, home)
    expect(wallet.get(id)).toMatchObject({ scopes: [], sites: [] })
    expect(wallet.check(id, { endpoint: other, protocol: TLS13 })).toEqual({ cleared: true })
    expect(wallet.check(id, { endpoint: home, protocol: TLS12 }).cleared).toBe(false)
  })

  it('that replaces another one may be shown where that one was', async () => {
    const { wallet } = await memoryWallet()
    const { id } = await wallet.create({ scope: 'gemini://home.example/' })
    await wallet.confirm(id, other, 'second_host')
    await wallet.use(id, 'gemini://other.example/')
    const plan = await wallet.rotate(id)
    await plan.mark(home, 'done')
    expect(wallet.check(plan.to.id, { endpoint: other, protocol: TLS13 })).toEqual({ cleared: true })
    const third = parseEndpoint('third.example:1965')
    expect(wallet.check(plan.to.id, { endpoint: third, protocol: TLS13 }).cleared).toBe(false)
  })
})

type Wallet = Awaited<ReturnType<typeof memoryWallet>>['wallet']

it('what was confirmed is remembered', async () => {
  const directory = await newFolder()
  const id = await withWallet(directory, async (wallet) => {
    const { id } = await wallet.create({ scope: 'gemini://home.example/' })
    await wallet.confirm(id, home, 'tls12')
    await wallet.confirm(id, home, 'tls12')
    await wallet.confirm(id, other, 'second_host')
    return id
  })
  await withWallet(directory, async (wallet) => {
    expect(wallet.get(id)?.sites).toMatchObject([
      { endpoint: home, firstUsedAt: null, confirmed: ['tls12'] },
      { endpoint: other, firstUsedAt: null, confirmed: ['second_host'] },
    ])
    expect(wallet.check(id, { endpoint: home, protocol: TLS12 })).toEqual({ cleared: true })
    expect(wallet.check(id, { endpoint: other, protocol: TLS13 })).toEqual({ cleared: true })
  })
})

it.each([
  { endpoint: 'home.example:1965', protocol: TLS13 },
  { endpoint: home, protocol: 'TLSv1.1' },
  { endpoint: home },
  { endpoint: home, protocol: TLS13, host: 'x' },
  null,
])('a question must be whole: %j', async (question) => {
  const { wallet } = await memoryWallet()
  const { id } = await wallet.create()
  // @ts-expect-error Not a question.
  expect(() => wallet.check(id, question)).toThrow(TypeError)
  // @ts-expect-error Not a concern.
  await expect(wallet.confirm(id, home, 'everything')).rejects.toThrow(TypeError)
  expect(wallet.get(id)?.sites).toEqual([])
})
