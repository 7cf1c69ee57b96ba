import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { Certificate } from '../../src/certificate/certificate.ts'
import { KeyedChain } from '../../src/certificate/keyed-chain.ts'
import { systemAuthorities } from '../../src/certificate/system-authorities.ts'
import { authoritiesOf, TrustStore } from '../../src/certificate/trust-store.ts'
import { ExtraneousPrivateKeyError } from '../../src/errors.ts'
import { AT, certPem, EXPIRED, family, keyPem, NOT_YET_VALID, refusal } from '../support/chain-fixtures.ts'
import { bytes, extension } from '../support/crafted-certificates.ts'
import { CRITICAL, type IssueOptions, issue } from '../support/issued-certificates.ts'

const { root, middle, leaf } = family()
const other = issue({ subject: 'other', ca: true, key: 'Ed25519' })

describe('a trust store', () => {
  it('is made of certificates, in a list or a set', () => {
    const store = new TrustStore(new Set([root.certificate, other.certificate]), { at: AT })
    expect(store.size).toBe(2)
    expect(authoritiesOf(store)).toEqual([root.certificate, other.certificate])
    expect(new TrustStore([middle.certificate]).size).toBe(1)
  })

  it('is read from PEM', () => {
    const store = TrustStore.fromPem(`\n${certPem(root)}\n\n${certPem(other)}`, { at: AT })
    expect(authoritiesOf(store).map((each) => each.fingerprint)).toEqual(
      [root, other].map((each) => each.certificate.fingerprint),
    )
  })

  it('is that of the system, as it is', () => {
    const store = TrustStore.system()
    expect(store.size).toBe(systemAuthorities().length)
    expect(store.size).toBeGreaterThan(50)
  })

  it('never changes and shows nothing but its size', () => {
    const certificates = [root.certificate]
    const store = new TrustStore(certificates)
    certificates.push(other.certificate)
    expect(store.size).toBe(1)
    expect(Object.isFrozen(store) && Object.isFrozen(authoritiesOf(store))).toBe(true)
    expect(Reflect.ownKeys(store)).toEqual([])
    expect(Reflect.ownKeys(TrustStore.prototype)).toEqual(['constructor', 'size', 'issuanceOf'])
    expect(inspect(store)).toBe('TrustStore {}')
  })

  it('is told from everything else', () => {
    const store = new TrustStore([root.certificate])
    expect(TrustStore.is(store)).toBe(true)
    for (const each of [{ size: 1 }, Object.create(store), [root.certificate], null, 'system', TrustStore]) {
      expect(TrustStore.is(each)).toBe(false)
    }
  })

  it.each([
    ['a self-signed certificate that is no authority, which stands for itself', issue({ ca: false })],
    ['a self-signed certificate of version 1', issue({ version: 1 })],
    ['an authority that was issued by another', middle],
    ['an authority signed with SHA-1, since its own signature does not matter', issue({ ca: true, hash: 'sha1' })],
    ['the serial number 0, as six authorities that browsers trust have', issue({ ca: true, serial: bytes('00') })],
  ])('may hold %s', (_, { certificate }) => {
    expect(new TrustStore([certificate], { at: AT }).size).toBe(1)
  })
})

describe('a trust store is refused', () => {
  const critical = { extensions: [extension('1.2.3.4.5', bytes('05 00'), CRITICAL)] }
  it.each<readonly [rule: string, what: string, IssueOptions, code: string, says: RegExp]>([
    ['P3', 'a negative serial number', { serial: bytes('80') }, 'CERTIFICATE_MALFORMED', /negative/],
    ['P4', 'an unknown critical extension', critical, 'CRITICAL_EXTENSION', /1\.2\.3\.4\.5/],
    ['C8', 'a certificate that is no authority', { ca: false, by: root }, 'NOT_AN_AUTHORITY', /may not sign/],
    ['C8', 'one of version 1 that is not self-signed', { version: 1, by: root }, 'NOT_AN_AUTHORITY', /may not sign/],
    ['C8', 'an authority that may not sign', { by: root, keyUsage: ['cRLSign'] }, 'NOT_AN_AUTHORITY', /may not sign/],
    ['C5', 'a root that is damaged', { spoil: true }, 'CERTIFICATE_MALFORMED', /signature .* is wrong/],
    ['C5', 'a self-signed certificate that is damaged', { ca: false, spoil: true }, 'CERTIFICATE_MALFORMED', /wrong/],
    ['T1', 'an expired authority', EXPIRED, 'EXPIRED', /expired at/],
    ['T1', 'an authority to be', NOT_YET_VALID, 'NOT_YET_VALID', /is valid from/],
    ['T2', 'a weak key', { key: 'RSA-1024' }, 'WEAK', /1024/],
    ['T2', 'a key on an unusual curve', { key: 'secp256k1' }, 'WEAK', /secp256k1/],
  ])('by %s: %s', async (_rule, _what, options, code, says) => {
    const one = issue({ subject: 'special', ca: true, ...options })
    for (const make of [
      () => new TrustStore([root.certificate, one.certificate], { at: AT }),
      () => TrustStore.fromPem(certPem(root, one), { at: AT }),
    ]) {
      const error = await refusal(make)
      expect(error.code).toBe(`ERR_TLACACOCA_CHAIN_${code}`)
      expect(error.message).toMatch(says)
      expect(error.subjects).toEqual(['CN=special'])
    }
    const error = await refusal(() => TrustStore.fromPem(certPem(root, one), { at: AT }))
    expect(error.line).toBe(certPem(root).split('\n').length)
  })

  it('by C7: with the same certificate twice', async () => {
    const twice = [root.certificate, Certificate.from(root.certificate.der)]
    expect((await refusal(() => new TrustStore(twice))).code).toBe('ERR_TLACACOCA_CHAIN_DUPLICATE_CERTIFICATE')
    const error = await refusal(() => TrustStore.fromPem(certPem(root, root)))
    expect(error.message).toMatch(/twice, first at line 1/)
  })

  // Node takes an empty list for "no authorities were given", or for nobody, depending on how it is spelt.
  it.each([
    ['an empty list', () => new TrustStore([])],
    ['an empty set', () => new TrustStore(new Set<Certificate>())],
    ['an empty text', () => TrustStore.fromPem('')],
    ['a blank text', () => TrustStore.fromPem(' \r\n\n')],
    ['a text of comments', () => TrustStore.fromPem('# nobody\n', { allowComments: true })],
  ])('by T5: with %s', async (_, make) => {
    expect((await refusal(make)).code).toBe('ERR_TLACACOCA_CHAIN_NO_AUTHORITIES')
  })

  const chain = KeyedChain.fromCertificates([leaf.certificate], leaf.keys.privateKey)
  const webKey = () =>
    crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign']).then((pair) => pair.privateKey)
  it.each<readonly [what: string, given: () => unknown]>([
    ['a chain with its key', () => chain],
    ['a key object', () => root.keys.privateKey],
    ['a WebCrypto key', webKey],
    ['the text of a key', () => keyPem(root)],
    ['the bytes of that text', () => Buffer.from(keyPem(root))],
    ['a text with certificate and key', () => certPem(root) + keyPem(root)],
    ['a certificate with its key', () => ({ certificate: root.certificate, privateKeyPem: keyPem(root) })],
    ['a pair of texts', () => ({ cert: certPem(root), key: keyPem(root) })],
    ['a key pair', () => root.keys],
  ])('by K1: with %s among the certificates, or in their place', async (_, make) => {
    const given = await make()
    for (const certificates of [[root.certificate, given], [given], given] as never[]) {
      const error = await refusal(() => new TrustStore(certificates))
      expect(error).toBeInstanceOf(ExtraneousPrivateKeyError)
      expect(inspect(error)).not.toContain(keyPem(root).split('\n')[1]?.slice(0, 16))
    }
  })

  it('by K1: with a private key in its text', async () => {
    const error = await refusal(() => TrustStore.fromPem(certPem(root) + keyPem(root)))
    expect(error).toBeInstanceOf(ExtraneousPrivateKeyError)
    expect(error.line).toBe(certPem(root).split('\n').length)
  })

  it.each([
    ['a text', [certPem(root)]],
    ['a public key', [root.keys.publicKey]],
    ['nothing', [undefined]],
    ['something that is no list', root.certificate],
    ['null', null],
    ['a text in place of the list', certPem(root)],
  ])('as misuse with %s', (_, given) => {
    expect(() => new TrustStore(given as never)).toThrow(TypeError)
  })

  it('as misuse with options that are none', () => {
    expect(() => new TrustStore([root.certificate], { at: 5 } as never)).toThrow(TypeError)
    expect(() => new TrustStore([root.certificate], { allowEmpty: true } as never)).toThrow(TypeError)
    expect(() => TrustStore.fromPem(certPem(root), { allowComments: 'x' } as never)).toThrow(TypeError)
    expect(() => TrustStore.fromPem(certPem(root), { roots: [] } as never)).toThrow(TypeError)
    expect(() => TrustStore.fromPem(root.certificate as never)).toThrow(TypeError)
  })
})

describe('a trust store that is asked who was issued', () => {
  const client = issue({ subject: 'client', by: middle, ca: false, purposes: ['client'] })
  const sent = [client.certificate, middle.certificate]

  it('says what validatePath says, the first time and every other time', () => {
    const store = new TrustStore([root.certificate], { at: AT })
    for (let time = 0; time < 3; time++) {
      expect(store.issuanceOf(sent, AT)).toEqual({ kind: 'issued' })
      expect(store.issuanceOf([client.certificate], AT)).toEqual({ kind: 'unissued', problem: 'unknown_authority' })
      expect(store.issuanceOf([other.certificate, ...sent], AT)).toMatchObject({ kind: 'unissued' })
      expect(store.issuanceOf([], AT)).toEqual({ kind: 'unissued', problem: 'no certificate' })
    }
  })

  it('answers for the instant that was asked for, whatever it has answered before', () => {
    const span = { from: '20300101000000Z', to: '20301231235959Z' }
    const short = issue({ subject: 'short', by: root, ca: true, ...span })
    const member = issue({ subject: 'member', by: short, ca: false })
    const store = new TrustStore([root.certificate], { at: AT })
    const answers = (at: string) => store.issuanceOf([member.certificate, short.certificate], new Date(at)).kind
    const times = [
      ['2030-01-01T00:00:00Z', 'issued'],
      ['2029-12-31T23:59:59.999Z', 'unissued'],
      ['2030-12-31T23:59:59Z', 'issued'],
      ['2030-12-31T23:59:59.001Z', 'unissued'],
      ['2030-06-01T00:00:00Z', 'issued'],
    ] as const
    for (const order of [times, times.toReversed(), [...times, ...times]]) {
      for (const [at, kind] of order) expect(answers(at), at).toBe(kind)
    }
  })

  it('remembers for one store what says nothing about another', () => {
    expect(new TrustStore([root.certificate]).issuanceOf(sent, AT)).toEqual({ kind: 'issued' })
    expect(new TrustStore([other.certificate]).issuanceOf(sent, AT)).toMatchObject({ kind: 'unissued' })
  })

  it('goes on answering when more has come than it remembers', () => {
    const store = new TrustStore([root.certificate], { at: AT })
    // The same member with ever other company: each is a question of its own.
    const extra = Array.from({ length: 11 }, (_, i) => issue({ subject: `extra ${i}`, key: 'Ed25519' }).certificate)
    for (let i = 0; i < 1100; i++) {
      const company = extra.filter((_, bit) => (i >> bit) & 1)
      expect(store.issuanceOf([...sent, ...company], AT).kind).toBe('issued')
    }
    expect(store.issuanceOf(sent, AT)).toEqual({ kind: 'issued' })
    expect(store.issuanceOf([other.certificate, ...sent], AT).kind).toBe('unissued')
  })

  it.each([
    ['no list', 'alice', AT, TypeError],
    ['something else in the list', [client.certificate, 'alice'], AT, TypeError],
    ['no instant', sent, '2030-06-01', TypeError],
    ['an instant that is none', sent, new Date(Number.NaN), RangeError],
  ])('refuses %s', (_, chain, at, error) => {
    const store = new TrustStore([root.certificate], { at: AT })
    expect(() => store.issuanceOf(chain as never, at as never)).toThrow(error)
  })
})
