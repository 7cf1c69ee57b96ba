import { describe, expect, it } from 'vitest'
import type { IdentityWallet } from '../../../src/identity/wallet/identity-wallet.ts'
import type { CertificateStatus } from '../../../src/identity/wallet/suggest.ts'
import { parseEndpoint } from '../../../src/names/endpoint.ts'
import { A_DAY_MS, memoryWallet } from './wallet-support.ts'

const JOIN = 'gemini://example.org/join'

/** Each offer on a line: what, whom, where. */
function offersAt(wallet: IdentityWallet, url: string, status: CertificateStatus): string[] {
  return wallet.suggest(url, status).offers.map((offer) => {
    const name = 'identity' in offer ? ` ${offer.identity.name}` : ''
    return `${offer.kind}${name} ${String(offer.scope).replace('gemini://', '')}`
  })
}

describe('after a 60', () => {
  it('a new identity is offered: for the whole site first, for the path and below second', async () => {
    const { wallet } = await memoryWallet()
    const advice = wallet.suggest(JOIN, 60)
    expect(advice.explanation).toBe('example.org wants to recognise you by a certificate.')
    expect(advice.current).toBeNull()
    expect(advice.offers).toMatchObject([
      { kind: 'create', text: 'Create a new identity for all of example.org.', warning: null },
      {
        kind: 'create',
        text: 'Create a new identity for "/join" and everything below it on example.org.',
        warning: null,
      },
    ])
    expect(offersAt(wallet, JOIN, 60)).toEqual(['create example.org/', 'create example.org/join'])
    expect(offersAt(wallet, 'titan://example.org:1966/;size=3', 60)).toEqual(['create example.org:1966/'])
  })

  // The Station problem: made on /join for its path, and then wanted everywhere.
  it('one that this host knows comes before all others, for the whole site', async () => {
    const { wallet } = await memoryWallet()
    await wallet.create({ name: 'Ana', scope: JOIN })
    expect(offersAt(wallet, 'gemini://example.org/', 60)).toEqual(['use Ana example.org/', 'create example.org/'])
    expect(wallet.suggest('gemini://example.org/', 60).offers[0]?.warning).toBeNull()
    const offer = wallet.suggest('gemini://example.org/me', 60).offers[0]
    if (offer?.kind !== 'use') throw new Error('expected an offer to use Ana')
    await wallet.use(offer.identity.id, offer.scope)
    expect(wallet.forUrl('gemini://example.org/me')?.name).toBe('Ana')
  })

  it('one that was shown here and then stopped is offered again, and one of another port', async () => {
    const { wallet } = await memoryWallet()
    const { id } = await wallet.create({ name: 'Ana', scope: JOIN })
    await wallet.identityFor(JOIN)
    await wallet.stop(id)
    await wallet.create({ name: 'Bo', scope: 'gemini://example.org:1966/' })
    expect(offersAt(wallet, JOIN, 60).slice(0, 2).sort()).toEqual(['use Ana example.org/', 'use Bo example.org/'])
  })

  it('one of another host comes last, with a warning, and one that nobody knows before it, without', async () => {
    const { wallet } = await memoryWallet()
    await wallet.create({ name: 'Ana', scope: 'gemini://other.example/' })
    await wallet.create({ name: 'new' })
    expect(offersAt(wallet, JOIN, 60)).toEqual([
      'create example.org/',
      'create example.org/join',
      'use new example.org/',
      'reuse Ana example.org/',
    ])
    expect(wallet.suggest(JOIN, 60).offers.at(-1)).toMatchObject({
      text: 'Use "Ana" for all of example.org.',
      warning: 'other.example knows this identity: the two sites can find out that you are the same user.',
    })
  })

  it('what is offered can be done as its kind says, the warning confirmed', async () => {
    const { wallet } = await memoryWallet()
    await wallet.create({ name: 'Ana', scope: 'gemini://other.example/' })
    const offer = wallet.suggest(JOIN, 60).offers.at(-1)
    if (offer?.kind !== 'reuse') throw new Error('expected an offer to reuse Ana')
    await expect(wallet.use(offer.identity.id, offer.scope)).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_IDENTITY_NOT_CONFIRMED',
    })
    await wallet.confirm(offer.identity.id, offer.scope.endpoint, 'second_host')
    await wallet.use(offer.identity.id, offer.scope)
    expect(wallet.forUrl(JOIN)?.name).toBe('Ana')
    // Now this host knows it.
    expect(offersAt(wallet, 'gemini://example.org:1966/', 60)[0]).toBe('use Ana example.org:1966/')
  })

  it('an expired one of this host is to be renewed, and one of another host is not offered', async () => {
    const { wallet, clock } = await memoryWallet()
    await wallet.create({ name: 'Ana', scope: JOIN, validity: { days: 1 } })
    await wallet.create({ name: 'Bo', scope: 'gemini://other.example/', validity: { days: 1 } })
    clock.advance(2 * A_DAY_MS)
    expect(offersAt(wallet, 'gemini://example.org/x', 60)).toEqual([
      'renew Ana example.org/',
      'create example.org/',
      'create example.org/x',
    ])
    expect(wallet.suggest('gemini://example.org/x', 60).offers[0]).toMatchObject({
      text: 'Renew "Ana", which expired on 2030-06-02, and use it for all of example.org.',
      warning: expect.stringContaining('somebody else'),
    })
  })

  it('although one is in use, it says that it was probably not sent', async () => {
    const { wallet } = await memoryWallet()
    const { id } = await wallet.create({ name: 'Ana', scope: 'gemini://example.org/' })
    const advice = wallet.suggest(JOIN, 60)
    expect(advice.current?.id).toBe(id)
    expect(advice.explanation).toContain('"Ana" is in use here')
    expect(advice.explanation).toContain('TLS 1.2')
    expect(advice.offers.map(({ kind }) => kind)).toEqual(['create', 'create'])
  })

  it('a deleted one is not offered, nor one that has been replaced here', async () => {
    const { wallet } = await memoryWallet()
    const { id } = await wallet.create({ name: 'Ana', scope: JOIN })
    const plan = await wallet.rotate(id)
    await plan.mark(parseEndpoint('example.org:1965'), 'done')
    await wallet.rename(plan.to.id, 'Ana 2')
    expect(offersAt(wallet, 'gemini://example.org/', 60)).toEqual(['use Ana 2 example.org/', 'create example.org/'])
    await plan.finish()
    expect(offersAt(wallet, 'gemini://example.org/', 60)).toEqual(['use Ana 2 example.org/', 'create example.org/'])
  })
})

describe('of two that follow one another', () => {
  it('the old one is not offered where the new one has been shown, though this host knows both', async () => {
    const { wallet } = await memoryWallet()
    const { id } = await wallet.create({ name: 'Ana', scope: JOIN })
    await wallet.identityFor(JOIN)
    const plan = await wallet.rotate(id)
    await plan.mark(parseEndpoint('example.org:1965'), 'done')
    await wallet.rename(plan.to.id, 'Ana 2')
    await wallet.identityFor(JOIN)
    expect(offersAt(wallet, 'gemini://example.org/', 60)).toEqual(['use Ana 2 example.org/', 'create example.org/'])
  })

  it('the old one is not offered to a host that knows neither', async () => {
    const { wallet } = await memoryWallet()
    const { id } = await wallet.create({ name: 'Ana', scope: 'gemini://other.example/' })
    const plan = await wallet.rotate(id)
    await wallet.rename(plan.to.id, 'Ana 2')
    const offers = offersAt(wallet, JOIN, 60)
    expect(offers.filter((line) => line.includes('Ana 2'))).toHaveLength(1)
    expect(offers.filter((line) => line.includes('Ana '))).toHaveLength(1)
  })
})

describe('after a 61', () => {
  it('another identity is offered for the path, because the one in use may be welcome elsewhere', async () => {
    const { wallet } = await memoryWallet()
    await wallet.create({ name: 'Bo', scope: 'gemini://example.org/bo' })
    await wallet.create({ name: 'Ana', scope: 'gemini://example.org/' })
    const url = 'gemini://example.org/club'
    expect(wallet.suggest(url, 61).explanation).toBe(
      'example.org does not let "Ana" in here. It may do so elsewhere, or after you have registered.',
    )
    expect(offersAt(wallet, url, 61)).toEqual([
      'use Bo example.org/club',
      'create example.org/club',
      'create example.org/',
    ])
  })

  it('without one in use it is as after a 60', async () => {
    const { wallet } = await memoryWallet()
    expect(wallet.suggest(JOIN, 61).offers).toEqual(wallet.suggest(JOIN, 60).offers)
  })
})

describe('after a 62', () => {
  it('an expired identity is to be renewed first, in the scope that it has', async () => {
    const { wallet, clock } = await memoryWallet()
    await wallet.create({ name: 'Ana', scope: 'gemini://example.org/club', validity: { days: 1 } })
    clock.advance(2 * A_DAY_MS)
    const url = 'gemini://example.org/club/x'
    expect(wallet.suggest(url, 62).explanation).toBe('"Ana" expired on 2030-06-02, and example.org refuses it.')
    expect(offersAt(wallet, url, 62)).toEqual([
      'renew Ana example.org/club',
      'create example.org/',
      'create example.org/club/x',
    ])
    // After a 60 or 61 it may be the reason too, but is not the first thing to think of.
    await wallet.create({ name: 'Bo', scope: 'gemini://example.org/bo' })
    expect(offersAt(wallet, url, 62)[0]).toBe('renew Ana example.org/club')
    expect(offersAt(wallet, url, 60).slice(0, 2)).toEqual(['use Bo example.org/', 'renew Ana example.org/club'])
  })

  it.each([
    [-A_DAY_MS, 'Is the clock of this computer right?'],
    [A_DAY_MS, 'It may have been revoked there.'],
  ])('%i milliseconds after it was made, it says what may be the matter', async (after, text) => {
    const { wallet, clock } = await memoryWallet()
    await wallet.create({ name: 'Ana', scope: 'gemini://example.org/' })
    clock.advance(after)
    const advice = wallet.suggest(JOIN, 62)
    expect(advice.explanation).toContain(text)
    expect(advice.offers.map(({ kind }) => kind)).toEqual(['create', 'create'])
  })

  it('without an identity in use it says just that', async () => {
    const { wallet } = await memoryWallet()
    expect(wallet.suggest(JOIN, 62).explanation).toBe('example.org does not accept the certificate that it was shown.')
  })
})

it('shows names so that they cannot pretend to be something else', async () => {
  const { wallet } = await memoryWallet()
  await wallet.create({ name: 'Ana". \u202eHacked', scope: JOIN })
  await wallet.create({ commonName: 'Bo', scope: JOIN })
  const { id } = await wallet.create({ scope: JOIN })
  const texts = wallet.suggest('gemini://example.org/', 60).offers.map(({ text }) => text)
  expect(texts).toContain('Use "Ana\\". \\u202eHacked" for all of example.org.')
  expect(texts).toContain('Use "Bo" for all of example.org.')
  expect(texts).toContain(`Use the identity ${id.slice(0, 8)} for all of example.org.`)
})

it.each([59, 63, 6, '60', undefined])('knows nothing of the status %j', async (status) => {
  const { wallet } = await memoryWallet()
  // @ts-expect-error None of the three.
  expect(() => wallet.suggest(JOIN, status)).toThrow(RangeError)
})

it.each(['spartan://example.org/', 'gemini://ana@example.org/'])('has nothing to offer for %s', async (url) => {
  const { wallet } = await memoryWallet()
  expect(() => wallet.suggest(url, 60)).toThrow(expect.objectContaining({ code: 'ERR_TLACACOCA_TARGET_INVALID' }))
})
