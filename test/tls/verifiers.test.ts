import { rootCertificates } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { Certificate } from '../../src/certificate/certificate.ts'
import { formatFingerprint } from '../../src/certificate/fingerprint.ts'
import type { PeerCandidate, PeerVerifier, VerifierDecision } from '../../src/certificate/peer-verifier.ts'
import { TrustStore } from '../../src/certificate/trust-store.ts'
import { StoreError } from '../../src/errors.ts'
import { parseEndpoint } from '../../src/names/endpoint.ts'
import { authorities } from '../../src/tls/verifiers/authorities.ts'
import { allOf, anyOf } from '../../src/tls/verifiers/combined.ts'
import { dangerouslyAcceptAny } from '../../src/tls/verifiers/dangerously-accept-any.ts'
import { pins } from '../../src/tls/verifiers/pins.ts'
import { type ForgedCertificate, forgeCertificate } from '../support/forged-certificates.ts'

const authority = forgeCertificate({ commonName: 'authority', ca: true })
const leaf = forgeCertificate({ issuer: authority, hosts: ['example.org'] })

function candidate(
  own: ForgedCertificate = leaf,
  endpoint = 'example.org:1965',
  ...more: ForgedCertificate[]
): PeerCandidate {
  const chain = [own, ...more].map(({ certificate }) => certificate)
  return {
    endpoint: parseEndpoint(endpoint),
    certificate: own.certificate,
    chain,
    protocol: 'TLSv1.3',
    signal: new AbortController().signal,
  }
}

/** The decision, reduced to a word: `yes: …` only if `accept` is exactly true. */
async function decide(verifier: PeerVerifier, about: PeerCandidate = candidate()): Promise<string> {
  const decision = await verifier.verify(about)
  return decision.accept === true ? `yes: ${decision.ground}` : `no: ${decision.reason}`
}

describe('authorities', () => {
  const trusting = authorities([authority.certificate])

  it('accepts a certificate that an authority issued for the host', async () => {
    expect(await decide(trusting)).toBe('yes: authorities')
  })

  it.each([
    { what: 'another host', about: () => candidate(leaf, 'example.net:1965'), reason: 'wrong_hostname' },
    { what: 'an address', about: () => candidate(leaf, '192.0.2.1:1965'), reason: 'wrong_hostname' },
    {
      what: 'a stranger',
      about: () => candidate(forgeCertificate({ hosts: ['example.org'] })),
      reason: 'unknown_authority',
    },
    {
      what: 'somebody who calls himself the authority',
      about: () => {
        const false_ = forgeCertificate({ commonName: 'authority', ca: true })
        return candidate(forgeCertificate({ issuer: false_, hosts: ['example.org'] }), undefined, false_)
      },
      reason: 'bad_signature',
    },
    {
      what: 'a certificate for clients',
      about: () => candidate(forgeCertificate({ issuer: authority, hosts: ['example.org'], usage: 'clientAuth' })),
      reason: 'wrong_purpose',
    },
    {
      what: 'an expired one',
      about: () =>
        candidate(forgeCertificate({ issuer: authority, hosts: ['example.org'], notAfter: new Date('2021-01-01') })),
      reason: 'expired',
    },
    {
      what: 'a common name',
      about: () => candidate(forgeCertificate({ issuer: authority, commonName: 'example.org' })),
      reason: 'wrong_hostname',
    },
  ])('refuses $what', async ({ about, reason }) => {
    expect(await decide(trusting, about())).toBe(`no: ${reason}`)
  })

  it('uses the intermediates that the server sent', async () => {
    const middle = forgeCertificate({ commonName: 'middle', ca: true, issuer: authority })
    const below = forgeCertificate({ issuer: middle, hosts: ['example.org'] })
    expect(await decide(trusting, candidate(below, undefined, middle))).toBe('yes: authorities')
    expect(await decide(trusting, candidate(below))).toBe('no: unknown_authority')
  })

  it('takes PEM texts with several certificates', async () => {
    const bundle = forgeCertificate({ commonName: 'other', ca: true }).certPem + authority.certPem
    expect(await decide(authorities([bundle]))).toBe('yes: authorities')
  })

  it('takes a self-signed certificate in the list for itself', async () => {
    const own = forgeCertificate({ hosts: ['example.org'] })
    expect(await decide(authorities([own.certPem]), candidate(own))).toBe('yes: authorities')
    expect(await decide(authorities([own.certPem]), candidate(own, 'example.net:1965'))).toBe('no: wrong_hostname')
  })

  it('checks for another host if it is told to, in any spelling', async () => {
    const verifier = authorities([authority.certificate], { hostname: 'EXAMPLE.org.' })
    expect(await decide(verifier, candidate(leaf, '192.0.2.1:1965'))).toBe('yes: authorities')
    expect(await decide(authorities([authority.certificate], { hostname: 'example.net' }))).toBe('no: wrong_hostname')
  })

  it('judges dates by its clock', async () => {
    const at = (date: string) => authorities([authority.certificate], { clock: () => Date.parse(date) })
    expect(await decide(at('2019-12-31T23:59:59Z'))).toBe('no: not_yet_valid')
    expect(await decide(at('2020-01-01T00:00:00Z'))).toBe('yes: authorities')
    expect(await decide(at('2049-12-31T23:59:59Z'))).toBe('yes: authorities')
    expect(await decide(at('2050-01-01T00:00:00Z'))).toBe('no: expired')
  })

  it('takes a trust store for its list', async () => {
    expect(await decide(authorities(new TrustStore([authority.certificate])))).toBe('yes: authorities')
    const other = forgeCertificate({ commonName: 'other', ca: true })
    expect(await decide(authorities(TrustStore.fromPem(other.certPem)))).toBe('no: unknown_authority')
    expect(await decide(authorities(TrustStore.system()))).toBe('no: unknown_authority')
  })

  it('knows the authorities of the system, and only them', async () => {
    const [first = ''] = rootCertificates
    const known = { ...candidate(), certificate: Certificate.from(first), chain: [Certificate.from(first)] }
    // An authority has no host name: it got past the path.
    expect(await decide(authorities('system', { clock: () => known.certificate.notAfter.getTime() }), known)).toMatch(
      /^no: (wrong_hostname|wrong_purpose)$/,
    )
    expect(await decide(authorities('system'))).toBe('no: unknown_authority')
  })

  it.each([
    { trust: [], message: 'at least one' },
    { trust: undefined, message: "expected 'system' or a list" },
    { trust: 'sytem', message: "expected 'system' or a list" },
    { trust: [5], message: '"trust[0]" expected' },
  ])('refuses $trust at once', ({ trust, message }) => {
    expect(() => authorities(trust as unknown as 'system')).toThrow(message)
  })

  it('refuses a list with something unreadable in it, and a hostname that is none', () => {
    expect(() => authorities(['hello'])).toThrow(
      expect.objectContaining({ code: 'ERR_TLACACOCA_CERTIFICATE_MALFORMED' }),
    )
    expect(() => authorities('system', { hostname: 'a b' })).toThrow(
      expect.objectContaining({ code: 'ERR_TLACACOCA_ENDPOINT_INVALID' }),
    )
  })
})

describe('pins', () => {
  const { certificate } = leaf
  it.each([
    certificate.fingerprint,
    certificate.sha512Fingerprint,
    certificate.publicKeyFingerprint,
    formatFingerprint(certificate.fingerprint, 'colons'),
    formatFingerprint(certificate.fingerprint, 'openssh'),
    formatFingerprint(certificate.fingerprint, 'base64'),
  ])('accept the certificate of %s', async (pin) => {
    expect(await decide(pins([pin]))).toBe('yes: pins')
    expect(await decide(pins([`sha256:${'0'.repeat(64)}`, pin]))).toBe('yes: pins')
    expect(await decide(pins([pin]), candidate(authority))).toBe('no: not_pinned')
  })

  it('take a bare fingerprint for one of the certificate, unless they are told otherwise', async () => {
    const bare = formatFingerprint(certificate.publicKeyFingerprint, 'hex')
    expect(await decide(pins([bare]))).toBe('no: not_pinned')
    expect(await decide(pins([bare], { of: 'public-key' }))).toBe('yes: pins')
  })

  it('look at the server’s own certificate only', async () => {
    const verifier = pins([authority.certificate.fingerprint])
    expect(await decide(verifier, candidate(leaf, undefined, authority))).toBe('no: not_pinned')
  })

  it.each([
    { list: [], error: TypeError },
    { list: undefined, error: TypeError },
    { list: certificate.fingerprint, error: TypeError },
    { list: [undefined], error: TypeError },
    { list: [''], error: expect.objectContaining({ code: 'ERR_TLACACOCA_FINGERPRINT_INVALID' }) },
    { list: [certificate.sha1], error: expect.objectContaining({ code: 'ERR_TLACACOCA_FINGERPRINT_INVALID' }) },
  ])('refuse to be made of $list', ({ list, error }) => {
    expect(() => pins(list as unknown as string[])).toThrow(error)
  })
})

const saying = (name: string, decision: VerifierDecision | (() => unknown)): PeerVerifier => ({
  name,
  verify: () => (typeof decision === 'function' ? (decision() as VerifierDecision) : decision),
})
const yes = saying('yes', { accept: true, ground: 'yes' })
const no = saying('no', { accept: false, reason: 'because', detail: 'just because' })
const locked = new StoreError('ERR_TLACACOCA_STORE_LOCKED', 'it is locked')
const broken = saying('broken', () => {
  throw new Error('a bug')
})
const unreachable = saying('unreachable', () => Promise.reject(locked))
const truthy = saying('truthy', () => ({ accept: 1, ground: 'x' }))
const bare = saying('bare', () => true)
// A reason that cannot be made a text.
const unreadable = saying('unreadable', async () => ({ accept: false, reason: Object.create(null) }))

describe('anyOf', () => {
  it.each([
    { members: [yes], decision: 'yes: yes' },
    { members: [no, yes], decision: 'yes: yes' },
    { members: [broken, yes], decision: 'yes: yes' },
    { members: [unreachable, yes], decision: 'yes: yes' },
    { members: [unreadable, yes], decision: 'yes: yes' },
    { members: [no], decision: 'no: because' },
    { members: [no, broken, no], decision: 'no: because, verifier_failed, because' },
    { members: [broken], decision: 'no: verifier_failed' },
    { members: [truthy, bare], decision: 'no: verifier_failed, verifier_failed' },
  ])('of $members is $decision', async ({ members, decision }) => {
    expect(await decide(anyOf(...members))).toBe(decision)
  })

  it('asks nobody after the first yes', async () => {
    let asked = 0
    const counting = saying('counting', () => {
      asked++
      return { accept: true, ground: 'counting' }
    })
    await decide(anyOf(yes, counting))
    expect(asked).toBe(0)
  })

  it('collects the reasons, and gives the first error', async () => {
    const verifier = anyOf(no, unreachable)
    expect(verifier.name).toBe('anyOf(no, unreachable)')
    expect(await verifier.verify(candidate())).toEqual({
      accept: false,
      reason: 'because, verifier_failed',
      detail: 'no: just because; unreachable: it is locked',
      error: locked,
    })
  })
})

describe('allOf', () => {
  it.each([
    { members: [yes], decision: 'yes: yes' },
    { members: [yes, saying('tofu', { accept: true, ground: 'first_use' })], decision: 'yes: yes, tofu: first_use' },
    { members: [yes, no], decision: 'no: because' },
    { members: [no, yes], decision: 'no: because' },
    { members: [yes, broken], decision: 'no: verifier_failed' },
    { members: [broken, yes], decision: 'no: verifier_failed' },
    { members: [yes, truthy], decision: 'no: verifier_failed' },
    { members: [yes, bare], decision: 'no: verifier_failed' },
  ])('of $members is $decision', async ({ members, decision }) => {
    expect(await decide(allOf(...members))).toBe(decision)
  })

  it('asks nobody after the first no, so that nothing is remembered of a server that is refused', async () => {
    let asked = 0
    const remembering = saying('tofu', () => {
      asked++
      return { accept: true, ground: 'first_use' }
    })
    expect(await decide(allOf(no, remembering))).toBe('no: because')
    expect(asked).toBe(0)
  })

  it('keeps the error of the one that refused', async () => {
    expect(await allOf(yes, unreachable).verify(candidate())).toMatchObject({ accept: false, error: locked })
  })
})

describe('both', () => {
  it.each([anyOf, allOf])('refuse to be made of nothing, or of what is no verifier', (combine) => {
    expect(() => combine()).toThrow(TypeError)
    expect(() => combine(undefined as unknown as PeerVerifier)).toThrow(TypeError)
    expect(() => combine({ name: 'x' } as unknown as PeerVerifier)).toThrow(TypeError)
  })

  it('nest', async () => {
    expect(await decide(allOf(anyOf(no, yes), yes))).toBe('yes: anyOf(no, yes): yes, yes')
    expect(await decide(anyOf(allOf(yes, no), no))).toBe('no: because, because')
  })
})

describe('dangerouslyAcceptAny', () => {
  it('accepts anybody, and says so', async () => {
    expect(await decide(dangerouslyAcceptAny(), candidate(forgeCertificate()))).toBe('yes: dangerouslyAcceptAny')
  })
})
