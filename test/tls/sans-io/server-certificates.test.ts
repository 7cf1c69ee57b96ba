import { describe, expect, it } from 'vitest'
import { CertificateSet } from '../../../src/certificate/certificate-set.ts'
import type { KeyedChain } from '../../../src/certificate/keyed-chain.ts'
import { ContextError, InvalidatedError } from '../../../src/errors.ts'
import type { ClientHelloInfo } from '../../../src/tls/client-hello.ts'
import {
  chainForServerName,
  requireServerCertificates,
  ServerCertificateChain,
  ServerCertificates,
  SNIServerCertificates,
} from '../../../src/tls/sans-io/server-certificates.ts'
import { certPem, keyPem } from '../../support/chain-fixtures.ts'
import { type IssueKey, type IssueOptions, issue } from '../../support/issued-certificates.ts'
import { chainOf, clientChainOf } from '../../support/sans-io.ts'

const ECDSA_P256 = 0x0403
const ECDSA_P384 = 0x0503
const ED25519 = 0x0807
const RSA_PSS = 0x0804
const RSA_PKCS1 = 0x0401
const ECDHE_ECDSA = 0xc02b
const ECDHE_RSA = 0xc02f

function hello(special: Partial<ClientHelloInfo> = {}): ClientHelloInfo {
  return {
    random: new Uint8Array(32),
    sessionId: new Uint8Array(),
    versions: [0x0a0a, 0x0304, 0x0303],
    cipherSuites: [0x2a2a, 0x1301, 0x1302, ECDHE_ECDSA, ECDHE_RSA],
    groups: [29, 23, 24],
    signatureSchemes: [ECDSA_P256, ECDSA_P384, ED25519, RSA_PSS, RSA_PKCS1],
    alpn: [],
    sni: null,
    extensions: [],
    ...special,
  }
}

function chain(hosts: readonly string[], options: IssueOptions = {}): KeyedChain {
  return chainOf(issue({ names: hosts.map((host) => [2, host] as const), ...options }))
}

/** What is answered, in the same turn. */
function choose(certificates: ServerCertificates, name: string | null, from = hello()): KeyedChain | null {
  const chosen = chainForServerName(certificates, name, from)
  if (chosen instanceof Promise) return expect.fail('it took its time')
  return chosen
}

const org = chain(['example.org'])
const net = chain([
  'example.net',
  '*.example.net',
  'Wild.EXAMPLE.',
  '*.b\u00fccher.example'.normalize(),
  'xn--bcher-kva.example',
])

describe('one chain', () => {
  it.each(['example.org', 'nowhere.example', null])('is for whoever asks for %s', (name) => {
    expect(choose(new ServerCertificateChain(org), name)).toBe(org)
  })

  it.each([undefined, null, {}, org.leaf, [org]])('is a chain with its key, and not %s', (given) => {
    expect(() => new ServerCertificateChain(given as KeyedChain)).toThrow(TypeError)
  })
})

describe('several chains', () => {
  const special = chain(['special.example.net'])
  const certificates = new SNIServerCertificates([org, net, special])

  it.each([
    ['example.org', org],
    ['example.net', net],
    ['www.example.net', net],
    ['special.example.net', special],
    ['wild.example', net],
    ['xn--bcher-kva.example', net],
    // The first one, for what nobody answers to, and for nobody in particular.
    [null, org],
    ['a.b.example.net', org],
    ['nowhere.example', org],
    ['net', org],
  ])('are chosen by name: %s', (name, expected) => {
    expect(choose(certificates, name)).toBe(expected)
  })

  it.each([
    ['nowhere.example', null],
    ['a.b.example.net', null],
    ['example.org', org],
    [null, org],
  ])('leave unknown names without an answer where told so: %s', (name, expected) => {
    expect(choose(new SNIServerCertificates([org, net], { onUnknownName: 'alert' }), name)).toBe(expected)
  })

  it('have a default of their own choice, whose names count, too', () => {
    const fallback = chain(['fallback.example'])
    const strict = new SNIServerCertificates([org], { default: fallback, onUnknownName: 'alert' })
    expect(choose(strict, null)).toBe(fallback)
    expect(choose(strict, 'fallback.example')).toBe(fallback)
    expect(choose(strict, 'example.org')).toBe(org)
    expect(choose(strict, 'nowhere.example')).toBeNull()
    expect(choose(new SNIServerCertificates([org], { default: fallback }), 'nowhere.example')).toBe(fallback)
    expect(choose(new SNIServerCertificates([org, net], { default: net }), null)).toBe(net)
  })

  it('never answer by a common name', () => {
    const named = chain([], { subject: 'named.example' })
    const strict = new SNIServerCertificates([named, org], { onUnknownName: 'alert' })
    expect(choose(strict, 'named.example')).toBeNull()
  })

  it('may come as a set', async () => {
    const [a, b] = [issue({ names: [[2, 'a.example']] }), issue({ names: [[2, 'b.example']] })]
    const set = await CertificateSet.fromPem(certPem(a, b) + keyPem(b, a))
    const chosen = choose(new SNIServerCertificates(set), 'b.example')
    expect(chosen?.leaf.fingerprint).toBe(b.certificate.fingerprint)
  })
})

describe('chains for one name', () => {
  const of = (key: IssueKey, options: IssueOptions = {}) => chain(['example.org'], { key, ...options })
  const p256 = of('P-256', { to: '20990101000000Z' })
  const p384 = of('P-384', { to: '20980101000000Z' })
  const rsa = of('RSA-2048', { to: '20970101000000Z' })
  const ed25519 = of('Ed25519', { to: '20960101000000Z' })
  const certificates = new SNIServerCertificates([ed25519, rsa, p384, p256])

  it.each<[string, Partial<ClientHelloInfo>, KeyedChain]>([
    ['every key: the one that is valid longest', {}, p256],
    ['P-384 only', { signatureSchemes: [ECDSA_P384] }, p384],
    ['Ed25519 only', { signatureSchemes: [ED25519] }, ed25519],
    ['RSA only', { signatureSchemes: [RSA_PSS] }, rsa],
    ['RSA and Ed25519', { signatureSchemes: [ED25519, RSA_PSS] }, rsa],
    ['RSA by the old padding, which TLS 1.3 has not', { signatureSchemes: [RSA_PKCS1, ED25519] }, ed25519],
    ['no key of ours: the one that is valid longest', { signatureSchemes: [0x0202] }, p256],
    ['nothing said: the one that is valid longest', { signatureSchemes: [], groups: [] }, p256],
    // Without TLS 1.3: the suite counts as well, a scheme of ECDSA is for any curve, and the curve has to be named.
    ['TLS 1.2, RSA suites', { versions: [0x0303], cipherSuites: [ECDHE_RSA] }, rsa],
    ['TLS 1.2, RSA by the old padding', { versions: [0x0303], signatureSchemes: [RSA_PKCS1] }, rsa],
    [
      'TLS 1.2, ECDSA suites',
      { versions: [0x0303], cipherSuites: [ECDHE_ECDSA], signatureSchemes: [ED25519] },
      ed25519,
    ],
    ['TLS 1.2, another hash', { versions: [0x0303], signatureSchemes: [ECDSA_P384] }, p256],
    ['TLS 1.2, another curve', { versions: [0x0303], groups: [29, 24], signatureSchemes: [ECDSA_P256] }, p384],
    ['TLS 1.2, no curve', { versions: [0x0303], groups: [29] }, rsa],
    ['TLS 1.2, not said', { versions: [0x0303], groups: [], signatureSchemes: [], cipherSuites: [ECDHE_RSA] }, rsa],
    // In TLS 1.3 none of that matters.
    ['TLS 1.3 with suites of its own only', { cipherSuites: [0x1301], groups: [29] }, p256],
    ['an old TLS only', { versions: [0x0302] }, p256],
  ])('are chosen by what the client can check: %s', (_, special, expected) => {
    expect(choose(certificates, 'example.org', hello(special))).toBe(expected)
  })

  it('prefer the name itself, unless the client cannot check its key and can check that of the wildcard', () => {
    const exact = chain(['www.example.org'], { key: 'RSA-2048' })
    const wildcard = chain(['*.example.org'])
    const both = new SNIServerCertificates([exact, wildcard])
    expect(choose(both, 'www.example.org')).toBe(exact)
    expect(choose(both, 'www.example.org', hello({ signatureSchemes: [ECDSA_P256] }))).toBe(wildcard)
    expect(choose(both, 'www.example.org', hello({ signatureSchemes: [ED25519] }))).toBe(exact)
  })

  it('may overlap: the one that is valid longest has the name', () => {
    const shorter = chain(['a.example', 'b.example'], { to: '20600101000000Z' })
    const longer = chain(['b.example', 'c.example'], { to: '20700101000000Z' })
    const both = new SNIServerCertificates([shorter, longer])
    expect(choose(both, 'a.example')).toBe(shorter)
    expect(choose(both, 'b.example')).toBe(longer)
  })
})

describe('what is refused', () => {
  const nameless = chain([])
  const older = chain(['example.org'], { to: '20600101000000Z' })

  it.each<[string, () => unknown, RegExp]>([
    ['no chain', () => new SNIServerCertificates([]), /"chains" is empty/],
    ['no chain but a default', () => new SNIServerCertificates([], { default: org }), /"chains" is empty/],
    ['one that names no host', () => new SNIServerCertificates([org, nameless]), /CN=example.org: .* names no host/],
    [
      'one that names an address only',
      () => new SNIServerCertificates([org, chainOf(issue({ subject: 'x', names: [[7, Buffer.of(127, 0, 0, 1)]] }))]),
      /CN=x: .* names no host/,
    ],
    ['one that is hidden by another', () => new SNIServerCertificates([net, org, older]), /valid as long or longer/],
    ['the same twice', () => new SNIServerCertificates([net, org, chain(['example.org'])]), /valid as long or longer/],
    [
      'a first one that is none any more',
      () => new SNIServerCertificates([nameless, net], { default: org }),
      /names no host/,
    ],
  ])('if no client could ever get it: %s', (_, make, message) => {
    expect(make).toThrow(ContextError)
    expect(make).toThrow(message)
  })

  it.each<[string, () => unknown]>([
    ['the first one without a name', () => new SNIServerCertificates([nameless, org])],
    ['an older one that is the default', () => new SNIServerCertificates([org, older], { default: older })],
    [
      'an older one with another kind of key',
      () => new SNIServerCertificates([net, org, chain(['example.org'], { key: 'Ed25519', to: '20600101000000Z' })]),
    ],
    [
      'an older one with a name more',
      () => new SNIServerCertificates([net, org, chain(['example.org', 'x.example'], { to: '20600101000000Z' })]),
    ],
  ])('but not %s', (_, make) => {
    expect(make).not.toThrow()
  })

  it.each<[string, IssueKey, RegExp]>([
    ['TLS has no place for the key', 'P-192', /CN=odd: TLS cannot carry a key of this kind \(P-192\)/],
    ['the key is too weak for a server, if not for a client', 'RSA-1024', /CN=odd: the RSA key has 1024 bits/],
  ])('if %s', (_, key, message) => {
    const odd = clientChainOf(issue({ names: [[2, 'odd.example']], key, subject: 'odd' }))
    for (const make of [() => new ServerCertificateChain(odd), () => new SNIServerCertificates([org, odd])]) {
      expect(make).toThrow(ContextError)
      expect(make).toThrow(message)
    }
  })

  it.each<[string, () => unknown, RegExp]>([
    ['a single chain', () => new SNIServerCertificates(org as never), /"chains" expected a list/],
    ['a text', () => new SNIServerCertificates('x' as never), /"chains" expected a list/],
    ['a certificate in the list', () => new SNIServerCertificates([org, net.leaf as never]), /"chains\[1\]"/],
    ['no default', () => new SNIServerCertificates([org], { default: null as never }), /"default"/],
    [
      'another answer to unknown names',
      () => new SNIServerCertificates([org], { onUnknownName: 'refuse' as never }),
      /"onUnknownName"/,
    ],
    ['a misspelt option', () => new SNIServerCertificates([org], { fallback: org } as never), /no option "fallback"/],
  ])('as misuse: %s', (_, make, message) => {
    expect(make).toThrow(TypeError)
    expect(make).toThrow(message)
  })
})

describe('certificates of somebody else', () => {
  class Own extends ServerCertificates {
    readonly asked: unknown[] = []
    override getCertificateChainForServerName(
      ...[name, answer, from]: [string | null, (chain: KeyedChain | null) => void, ClientHelloInfo]
    ): void {
      this.asked.push(name, from)
      setImmediate(() => answer(org))
    }
  }

  it('are asked with the name and the hello, and may take their time', async () => {
    const own = new Own()
    const from = hello()
    expect(await chainForServerName(own, 'example.org', from)).toBe(org)
    expect(own.asked).toEqual(['example.org', from])
  })

  it('may answer once', () => {
    const twice = new (class extends ServerCertificates {
      override getCertificateChainForServerName(_: string | null, answer: (chain: KeyedChain | null) => void): void {
        answer(null)
        expect(() => answer(org)).toThrow(InvalidatedError)
      }
    })()
    expect(choose(twice, null)).toBeNull()
  })

  it('are whatever has the method', () => {
    expect(() => requireServerCertificates('certificates', new Own())).not.toThrow()
    expect(() =>
      requireServerCertificates('certificates', { getCertificateChainForServerName: () => {} }),
    ).not.toThrow()
    for (const value of [null, undefined, {}, org, { getCertificateChainForServerName: 1 }]) {
      expect(() => requireServerCertificates('certificates', value)).toThrow(
        /"certificates" expected ServerCertificates/,
      )
    }
  })
})
