import { describe, expect, it } from 'vitest'
import { CertificateSet } from '../../src/certificate/certificate-set.ts'
import { TrustStore } from '../../src/certificate/trust-store.ts'
import {
  ExtraneousPrivateKeyError,
  LeafCertificateHasNoPrivateKeyError,
  MoreThanOneLeafCertificateError,
  NoCertificateChainError,
  NoLeafCertificateError,
} from '../../src/errors.ts'
import { AT, certPem, EXPIRED, family, keyPem, marked, refusal } from '../support/chain-fixtures.ts'
import { issue } from '../support/issued-certificates.ts'

const { root, middle, leaf } = family()
const second = issue({ subject: 'second', by: middle, ca: false, key: 'Ed25519' })
const own = marked({ subject: 'own' })
const plain = issue({ subject: 'plain', ca: false })

const commonNames = ({ chains }: CertificateSet) =>
  chains.map(({ certificates }) => certificates.map(({ subject }) => subject.commonName))

describe('a set of chains', () => {
  const CHAINS = [['second', 'middle', 'root'], ['own'], ['example.org', 'middle', 'root'], ['plain']]

  it('is read from one text with everything mixed', async () => {
    const text =
      keyPem(leaf) +
      certPem(root, second) +
      keyPem(plain, own) +
      certPem(own, leaf, middle) +
      keyPem(second) +
      certPem(plain)
    expect(commonNames(await CertificateSet.fromPem(text, { at: AT }))).toEqual(CHAINS)
  })

  it('is read from several texts, which may each have the certificate of a shared authority', async () => {
    const texts = [
      certPem(second, middle, root),
      certPem(own) + keyPem(own),
      certPem(leaf, middle, root),
      keyPem(second, leaf),
      certPem(plain) + keyPem(plain),
    ]
    expect(commonNames(await CertificateSet.fromPem(texts, { at: AT }))).toEqual(CHAINS)
  })

  it('never changes', async () => {
    const set = await CertificateSet.fromPem(certPem(plain) + keyPem(plain))
    expect(Object.isFrozen(set) && Object.isFrozen(set.chains)).toBe(true)
  })

  it('finds the key of each leaf, whatever the order', async () => {
    const leaves = [1, 2, 3, 4].map((n) => issue({ subject: `leaf ${n}`, by: middle, ca: false }))
    const { chains } = await CertificateSet.fromPem(certPem(middle, ...leaves) + keyPem(...leaves.toReversed()))
    expect(chains.map((chain) => chain.leaf.fingerprint)).toEqual(leaves.map((each) => each.certificate.fingerprint))
  })

  it('gives every chain its warnings', async () => {
    const old = issue({ subject: 'old', by: middle, ca: false, ...EXPIRED })
    const { chains } = await CertificateSet.fromPem(certPem(old, leaf, middle) + keyPem(old, leaf), { at: AT })
    expect(chains.map(({ warnings }) => warnings.map(({ code, subject }) => [code, subject]))).toEqual([
      [['expired', 'CN=old']],
      [],
    ])
  })
})

const renewed = issue({ by: middle, ca: false, key: leaf })
const good = certPem(leaf, second, middle, root) + keyPem(leaf, second)

describe('a set of chains is refused', () => {
  it('only if something is wrong', async () => {
    expect((await CertificateSet.fromPem(good, { at: AT })).chains).toHaveLength(2)
  })

  it.each([
    [
      'K1',
      'the key of an authority',
      good + keyPem(middle),
      'EXTRANEOUS_KEY',
      ExtraneousPrivateKeyError,
      /"CN=middle"/,
    ],
    ['K2', 'a key too many', good + keyPem(issue()), 'EXTRANEOUS_KEY', ExtraneousPrivateKeyError, /none of the cert/],
    ['K3', 'a key twice', good + keyPem(second), 'EXTRANEOUS_KEY', ExtraneousPrivateKeyError, /"CN=second".*twice/],
    ['K3', 'one key for two leaves', good + certPem(renewed), 'DUPLICATE_KEY', null, /allowSharedKey/],
    [
      'K4',
      'a leaf without a key',
      good + certPem(plain),
      'KEY_MISSING',
      LeafCertificateHasNoPrivateKeyError,
      /"CN=plain"/,
    ],
    ['C1', 'authorities alone', certPem(middle, root), 'NO_LEAF', NoLeafCertificateError, /no leaf/],
    ['C1', 'nothing', '', 'NO_LEAF', NoLeafCertificateError, /no certificate/],
    ['C5', 'an authority too many', good + certPem(marked()), 'EXTRANEOUS_CERTIFICATE', null, /no part of any chain/],
    ['C7', 'an authority twice in a text', good + certPem(root), 'DUPLICATE_CERTIFICATE', null, /"CN=root"/],
    ['C7', 'a leaf twice', [good, certPem(leaf)], 'DUPLICATE_CERTIFICATE', null, /line 1 of text 2.*line 1 of text 1/],
    ['T2', 'a weak leaf', good + certPem(issue({ key: 'RSA-1024' })), 'WEAK', null, /1024/],
  ] as const)('by %s: %s', async (_rule, _what, pem, code, kind, says) => {
    const error = await refusal(() => CertificateSet.fromPem(pem as string | string[], { at: AT }))
    expect(error.code).toBe(`ERR_TLACACOCA_CHAIN_${code}`)
    expect(error.message).toMatch(says)
    if (kind !== null) expect(error).toBeInstanceOf(kind)
  })

  it('with one key for two leaves, unless that is allowed', async () => {
    const { chains } = await CertificateSet.fromPem(good + certPem(renewed), { at: AT, allowSharedKey: true })
    expect(chains.map((chain) => chain.leaf.fingerprint)).toContain(renewed.certificate.fingerprint)
    expect(chains).toHaveLength(3)
  })

  it('by PKIX, if a leaf is marked as an authority', async () => {
    const error = await refusal(() => CertificateSet.fromPem(certPem(own) + keyPem(own), { rules: 'pkix' }))
    expect(error).toBeInstanceOf(NoLeafCertificateError)
    expect(error.message).toContain('openssl req -x509')
  })

  it('if one of its chains does not lead to an authority asked for', async () => {
    const roots = new TrustStore([root.certificate])
    expect((await CertificateSet.fromPem(good, { at: AT, roots })).chains).toHaveLength(2)
    const error = await refusal(() => CertificateSet.fromPem(good + certPem(plain) + keyPem(plain), { at: AT, roots }))
    expect(error).toBeInstanceOf(NoCertificateChainError)
    expect(error.subjects).toEqual(['CN=plain'])
  })

  it.each([
    ['no text', undefined],
    ['no texts', []],
    ['a text that is none', [good, 5]],
  ])('as misuse with %s', async (_, pem) => {
    await expect(CertificateSet.fromPem(pem as never)).rejects.toThrow(TypeError)
  })

  it('as misuse with unknown options, and with an order, which it has not', async () => {
    await expect(CertificateSet.fromPem(good, { strictOrder: true } as never)).rejects.toThrow(TypeError)
    await expect(CertificateSet.fromPem(good, { allowSharedKey: 'no' } as never)).rejects.toThrow(TypeError)
    await expect(CertificateSet.fromPem(good, { passphrase: 7 } as never)).rejects.toThrow(/"passphrase" expected/)
  })

  it('where a single chain is read from it', async () => {
    const { KeyedChain } = await import('../../src/certificate/keyed-chain.ts')
    const both = { cert: certPem(leaf, second, middle), key: keyPem(leaf, second) }
    expect(await refusal(() => KeyedChain.fromPem(both))).toBeInstanceOf(MoreThanOneLeafCertificateError)
  })
})
