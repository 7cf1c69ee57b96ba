import { describe, expect, it } from 'vitest'
import type { Certificate } from '../../src/certificate/certificate.ts'
import { TrustStore } from '../../src/certificate/trust-store.ts'
import { parseEndpoint } from '../../src/names/endpoint.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import { vouchedBy } from '../../src/tofu/vouched-by.ts'
import { AT, EXPIRED, family, HOST } from '../support/chain-fixtures.ts'
import { type Issued, issue } from '../support/issued-certificates.ts'

const endpoint = parseEndpoint('www.example.org:1965')
const clock = () => AT.getTime()
const { root, middle, leaf } = family()
const trust = new TrustStore([certificateOf(root)], { at: AT })

function certificateOf({ certificate }: Issued): Certificate {
  return certificate
}

const ask = (certificate: Issued, chain: readonly Issued[] = [certificate, middle], host = endpoint) =>
  vouchedBy(trust, { clock })({
    endpoint: host,
    certificate: certificateOf(certificate),
    chain: chain.map(certificateOf),
  })

describe('vouchedBy', () => {
  it('is a yes for a certificate that leads to the authority, for this host', async () => {
    expect(await ask(leaf)).toEqual({ vouched: true })
  })

  it.each([
    { name: 'for another host', answer: () => ask(leaf, [leaf, middle], parseEndpoint('example.net:1965')) },
    { name: 'without the authority between', answer: () => ask(leaf, [leaf]) },
    { name: 'where it has expired', answer: () => ask(family({ leaf: EXPIRED }).leaf) },
    { name: 'where it signed itself', answer: () => ask(issue({ names: [HOST] }), []) },
    { name: 'where another authority of the same name issued it', answer: () => ask(family().leaf) },
  ])('is a no $name', async ({ answer }) => {
    expect(await answer()).toEqual({ vouched: false })
  })

  it('accepts nothing by itself, and what it vouches for where the policy says so', async () => {
    const vouches = vouchedBy(trust, { clock })
    const chain = [leaf, middle].map(certificateOf)
    for (const word of ['ask', 'accept'] as const) {
      const store = TofuStore.inMemory({ clock, policy: { vouches, changed: { authority_vouched: word } } })
      await store.trust(endpoint, certificateOf(issue({ names: [HOST] })))
      expect(await store.judge(endpoint, certificateOf(leaf), { chain })).toMatchObject({
        kind: 'changed',
        reason: 'authority_vouched',
        accepted: word === 'accept',
      })
    }
  })

  it('wants a trust store', () => {
    expect(() => vouchedBy([] as never)).toThrow(/^"trust" expected a TrustStore or 'system', got an array/)
    expect(() => vouchedBy('everybody' as never)).toThrow(/^"trust" expected .* got "everybody"/)
    expect(() => vouchedBy(trust, { at: 5 } as never)).toThrow(/^"options" has no option "at"/)
    expect(() => vouchedBy(trust, { clock: AT as never })).toThrow(/^"clock" expected a function/)
  })

  it('takes those that the system trusts, of which ours is none', async () => {
    const question = { endpoint, certificate: certificateOf(leaf), chain: [leaf, middle, root].map(certificateOf) }
    expect(await vouchedBy('system', { clock })(question)).toEqual({ vouched: false })
  })
})
