import { generateKeyPairSync } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { KeyedChain } from '../../../src/certificate/keyed-chain.ts'
import { ContextError } from '../../../src/errors.ts'
import { ContextCache } from '../../../src/tls/sans-io/contexts.ts'
import { type CommonTLSOptions, readTlsSettings } from '../../../src/tls/sans-io/tls-settings.ts'
import { family } from '../../support/chain-fixtures.ts'
import { contextFor, shakeHands } from '../../support/context-handshake.ts'
import { type Issued, issue } from '../../support/issued-certificates.ts'
import { chainOf, clientChainOf, pemOfIssued } from '../../support/sans-io.ts'
import { serveContext } from '../../support/serve-context.ts'
import { hasOpenssl, openssl } from '../../support/tls-clients.ts'

const { root, middle, leaf } = family()
const whole = chainOf(leaf, middle, root)
const selfSigned = chainOf(issue())
const only12 = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const
const only13 = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' } as const
const server = readTlsSettings({}, 'server')
const client = readTlsSettings({}, 'client')

const base64 = ({ certificate }: Issued): string => Buffer.from(certificate.der).toString('base64')

describe('a context', () => {
  it.each([only12, only13])('shows what is sent of a chain, and its root to nobody: %o', async (version) => {
    const context = contextFor(whole, readTlsSettings(version, 'server'))
    expect(await shakeHands(context, {})).toMatchObject({ done: true, serverChain: [leaf, middle].map(base64) })
    // Whoever has the root can check it.
    const trusting = { ca: root.certificate.toPem(), servername: 'www.example.org', rejectUnauthorized: true }
    expect(await shakeHands(context, trusting)).toMatchObject({ done: true })
  })

  it.each([only12, only13])('shows a client\u2019s chain to a server that asks: %o', async (version) => {
    const own = issue({ subject: 'ana' })
    const context = contextFor(clientChainOf(own), readTlsSettings(version, 'client'))
    const other = contextFor(selfSigned, server)
    expect(await shakeHands(other, context)).toMatchObject({ done: true, clientCertificate: base64(own) })
    expect(await shakeHands({ secureContext: other, requestCert: false }, context)).toMatchObject({
      clientCertificate: null,
    })
  })

  it('without a chain shows nothing', async () => {
    const nobody = contextFor(null, client)
    expect(await shakeHands(contextFor(whole, server), nobody)).toMatchObject({
      done: true,
      clientCertificate: null,
    })
    expect(await shakeHands(contextFor(null, server), nobody)).toMatchObject({ done: false, alert: 40 })
  })

  it.each([only12, only13])('never resumes a session: %o', async (version) => {
    const context = contextFor(whole, readTlsSettings(version, 'server'))
    const first = await shakeHands(context, {})
    const session = first.done ? first.session : undefined
    expect(session).toBeInstanceOf(Buffer)
    const again = await shakeHands(context, session === undefined ? {} : { session })
    expect(again).toMatchObject({ done: true, reused: false })
  })

  it('trusts none of the authorities that it names', async () => {
    // Seen from the other side, where Node lets the context alone decide.
    const verifying = { servername: 'www.example.org', rejectUnauthorized: true }
    const shown = { secureContext: createSecureContext(pemOfIssued(leaf, middle)) }
    const trusting = createSecureContext({ ca: root.certificate.toPem() })
    expect(await shakeHands(shown, { ...verifying, secureContext: trusting })).toMatchObject({ done: true })
    const naming = contextFor(null, server, [root.certificate, middle.certificate])
    expect(await shakeHands(shown, { ...verifying, secureContext: naming })).toMatchObject({ done: false })
  })

  it.runIf(hasOpenssl)('names the authorities to clients', async () => {
    const port = (authorities: (typeof root.certificate)[]) =>
      serveContext(contextFor(whole, server, authorities), { requestCert: true, rejectUnauthorized: false })
    for (const version of ['-tls1_2', '-tls1_3']) {
      const names = await openssl(await port([root.certificate, middle.certificate]), [version])
      expect(names).toMatch(/Acceptable client certificate CA names\nCN = root\nCN = middle\n/)
      expect(await openssl(await port([]), [version])).toContain('No client certificate CA names sent')
    }
  })

  it('has room for so many names only', () => {
    const authorities = Array.from(
      { length: 2 },
      (_, i) => issue({ subject: `${i}`.repeat(33_000), ca: true }).certificate,
    )
    expect(() => contextFor(whole, server, authorities.slice(1))).not.toThrow()
    const make = () => new ContextCache(server, { authorities })
    expect(make).toThrow(ContextError)
    expect(make).toThrow(/a handshake has room for 65000/)
  })
})

describe('what no handshake could come of', () => {
  const rsa = chainOf(issue({ key: 'RSA-2048', subject: 'rsa' }))
  const weak = clientChainOf(issue({ key: 'RSA-1024', subject: 'weak' }))
  const odd = clientChainOf(issue({ key: 'P-192', subject: 'odd' }))
  const suites = ['TLS_AES_128_GCM_SHA256', 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'] as const
  const noEc = ['rsa_pss_rsae_sha256', 'ed25519'] as const
  // The curve has no say as long as there is TLS 1.2, where the scheme is one for any curve.
  const p384 = ['ecdsa_secp384r1_sha384'] as const

  it.each<[string, KeyedChain, CommonTLSOptions, RegExp]>([
    ['suites', rsa, { cipherSuites: suites }, /^CN=rsa: "cipherSuites" leaves .* rsa no use in TLSv1.2$/],
    [
      'schemes',
      selfSigned,
      { signatureSchemes: noEc },
      /^CN=example.org: "signatureSchemes" .* P-256 no use in TLSv1.2$/,
    ],
    [
      'schemes of another curve',
      selfSigned,
      { signatureSchemes: p384 },
      /"signatureSchemes" .* P-256 no use in TLSv1.3$/,
    ],
    ['a weak key', weak, {}, /^CN=weak: the RSA key has 1024 bits/],
    ['a key that TLS has no place for', odd, {}, /^CN=odd: TLS cannot carry a key of this kind \(P-192\)$/],
  ])('is refused for a server: %s', (_, chain, options, message) => {
    const make = () => contextFor(chain, readTlsSettings(options, 'server'))
    expect(make).toThrow(ContextError)
    expect(make).toThrow(message)
  })

  it.each<[string, KeyedChain, CommonTLSOptions]>([
    ['suites', selfSigned, { cipherSuites: suites }],
    ['suites, without TLS 1.2', rsa, { cipherSuites: suites.slice(0, 1), ...only13 }],
    ['schemes', rsa, { signatureSchemes: noEc }],
    ['schemes of another curve, without TLS 1.3', selfSigned, { signatureSchemes: p384, ...only12 }],
    ['groups without its curve', selfSigned, { groups: ['X25519'] }],
  ])('is not this: %s', async (_, chain, options) => {
    const context = contextFor(chain, readTlsSettings(options, 'server'))
    expect(await shakeHands(context, {})).toMatchObject({ done: true })
  })

  it('is a key of another kind, which OpenSSL takes without a word and of which no chain can be made', async () => {
    const [ec, rsaOne] = [issue(), issue({ key: 'RSA-2048' })]
    const mixed = { cert: ec.certificate.toPem(), key: pemOfIssued(rsaOne).key }
    expect(await shakeHands({ secureContext: createSecureContext(mixed) }, {})).toMatchObject({
      done: false,
      alert: 40,
    })
    expect(() => KeyedChain.fromCertificates([ec.certificate], rsaOne.keys.privateKey)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^ERR_TLACACOCA_CHAIN_.*KEY/) }),
    )
  })

  it('is refused for a client where only the schemes and the kind of key count', () => {
    const make =
      (chain: KeyedChain, options: CommonTLSOptions = {}) =>
      () =>
        contextFor(chain, readTlsSettings(options, 'client'))
    expect(make(odd)).toThrow(/^CN=odd: TLS cannot carry/)
    expect(make(selfSigned, { signatureSchemes: noEc })).toThrow(/"signatureSchemes" leaves a key of the kind P-256/)
    expect(make(rsa, { cipherSuites: suites })).not.toThrow()
  })

  it('is refused by OpenSSL, which is passed on with the name and without the key', () => {
    const keys = generateKeyPairSync('rsa', { modulusLength: 512 })
    const tiny = clientChainOf(issue({ subject: 'tiny', key: { ...issue(), keys } }))
    let thrown: unknown
    try {
      contextFor(tiny, client)
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(ContextError)
    expect(thrown).toMatchObject({ message: expect.stringMatching(/^CN=tiny: OpenSSL refuses .*key too small/) })
    const secret = keys.privateKey.export({ format: 'jwk' })
    const shown = inspect(thrown, { depth: 9, showHidden: true })
    expect(shown).not.toContain('PRIVATE KEY')
    expect(shown).not.toContain(String(secret.d).slice(0, 20))
  })
})

describe('the contexts of one side', () => {
  it('are made once for each chain', async () => {
    const cache = new ContextCache(server, { authorities: [root.certificate] })
    expect(cache.get(whole)).toBe(cache.get(whole))
    expect(cache.get(null)).toBe(cache.get(null))
    expect(new Set([cache.get(whole), cache.get(selfSigned), cache.get(null)]).size).toBe(3)
    expect(await shakeHands(cache.get(selfSigned), {})).toMatchObject({ done: true })
    expect(await shakeHands(cache.get(whole), {})).toMatchObject({ serverChain: [leaf, middle].map(base64) })
    // Another one has contexts of its own.
    expect(new ContextCache(server).get(whole)).not.toBe(cache.get(whole))
  })

  it('do not exist for a chain that is refused, and are refused again', () => {
    const cache = new ContextCache(readTlsSettings({ signatureSchemes: ['ed25519'] }, 'server'))
    for (let times = 0; times < 2; times++) expect(() => cache.get(whole)).toThrow(ContextError)
    expect(() => cache.get(chainOf(issue({ key: 'Ed25519' })))).not.toThrow()
  })
})
