import { describe, expect, it } from 'vitest'
import type { Certificate } from '../../src/certificate/certificate.ts'
import { type FingerprintStyle, formatFingerprint } from '../../src/certificate/fingerprint.ts'
import type { Peer } from '../../src/certificate/peer.ts'
import { CertificateAuth } from '../../src/middleware/certificate-auth.ts'
import type { CertificateLookup, LookupResult } from '../../src/middleware/certificate-lookup.ts'
import type { CertificateRule } from '../../src/middleware/certificate-rule.ts'
import { MiddlewareChain } from '../../src/middleware/chain.ts'
import type { MiddlewareRequest } from '../../src/middleware/middleware.ts'
import { forgeCertificate } from '../support/forged-certificates.ts'
import { fakePeer } from '../support/peer.ts'
import { request, untyped } from './requests.ts'

const NOW = new Date('2030-06-01T12:00:00Z')
const notBefore = new Date('2030-01-01T00:00:00Z')
const notAfter = new Date('2030-12-31T23:59:59Z')

const alice = forgeCertificate({ commonName: 'alice', notBefore, notAfter }).certificate
const bob = forgeCertificate({ commonName: 'bob', notBefore, notAfter }).certificate
const expired = forgeCertificate({ notBefore, notAfter: new Date('2030-06-01T11:59:59Z') }).certificate
const early = forgeCertificate({ notBefore: new Date('2030-06-01T12:00:01Z'), notAfter }).certificate

/** A certificate whose last day is in month 13. */
function unreadable(): Certificate {
  const { der, certificate } = forgeCertificate({ notBefore, notAfter })
  const broken = Buffer.from(der)
  broken.write('13', broken.indexOf('301231235959Z') + 2, 'latin1')
  return (certificate.constructor as typeof Certificate).from(broken)
}

function auth(...rules: CertificateRule[]): CertificateAuth {
  return new CertificateAuth({ rules, clock: () => NOW.getTime() })
}

/** The decision of one rule for `/club/` about a certificate, or none. */
function decide(
  rule: Omit<CertificateRule, 'path'>,
  certificate: Certificate | null,
  options: Parameters<typeof fakePeer>[1] = {},
) {
  const peer = certificate === null ? null : fakePeer(certificate, options)
  return auth({ path: '/club/', ...rule }).decide(request({ url: 'gemini://example.org/club/', peer }))
}

const ALLOWED = { allowed: true, rule: '/club/' }
const denied = (denialReason: string, detail?: unknown): object => ({
  allowed: false,
  denialReason,
  rule: '/club/',
  ...(detail === undefined ? {} : { detail }),
})

describe('a rule', () => {
  it('wants a certificate, any certificate, if it says nothing else', () => {
    expect(decide({}, null)).toEqual(denied('cert_required'))
    expect(decide({}, alice)).toEqual(ALLOWED)
  })

  // One thing differs from row to row.
  it.each([
    { rule: { requireCertificate: true }, shown: 'none', result: denied('cert_required') },
    { rule: { requireCertificate: true }, shown: 'alice', result: ALLOWED },
    { rule: { requireCertificate: false }, shown: 'none', result: ALLOWED },
    { rule: { requireCertificate: false }, shown: 'alice', result: ALLOWED },
    { rule: { allowedFingerprints: [alice.fingerprint] }, shown: 'none', result: denied('cert_required') },
    { rule: { allowedFingerprints: [alice.fingerprint] }, shown: 'alice', result: ALLOWED },
    {
      rule: { allowedFingerprints: [alice.fingerprint] },
      shown: 'bob',
      result: denied('cert_not_authorized', 'not on the list'),
    },
    { rule: { allowedFingerprints: [alice.fingerprint, bob.fingerprint] }, shown: 'bob', result: ALLOWED },
    { rule: { allowedFingerprints: [] }, shown: 'alice', result: denied('cert_not_authorized', 'not on the list') },
    { rule: { allowedFingerprints: [] }, shown: 'none', result: denied('cert_required') },
    // A list needs a certificate, whatever else is said.
    { rule: { allowedFingerprints: [], requireCertificate: false }, shown: 'none', result: denied('cert_required') },
    { rule: { issued: true, requireCertificate: false }, shown: 'none', result: denied('cert_required') },
    // Validity, then absence, then authorisation.
    { rule: {}, shown: 'expired', result: denied('cert_not_valid', 'expired') },
    { rule: {}, shown: 'early', result: denied('cert_not_valid', 'not_yet_valid') },
    { rule: { allowedFingerprints: [] }, shown: 'expired', result: denied('cert_not_valid', 'expired') },
    { rule: { requireCertificate: false }, shown: 'expired', result: denied('cert_not_valid', 'expired') },
    { rule: { expired: 'allow' }, shown: 'expired', result: ALLOWED },
    { rule: { expired: 'allow' }, shown: 'early', result: denied('cert_not_valid', 'not_yet_valid') },
    { rule: { notYetValid: 'allow' }, shown: 'early', result: ALLOWED },
    { rule: { notYetValid: 'allow' }, shown: 'expired', result: denied('cert_not_valid', 'expired') },
    { rule: { expired: 'refuse', notYetValid: 'refuse' }, shown: 'alice', result: ALLOWED },
    {
      rule: { expired: 'allow', allowedFingerprints: [alice.fingerprint] },
      shown: 'expired',
      result: denied('cert_not_authorized', 'not on the list'),
    },
  ] as const)('$rule answers to $shown: $result', ({ rule, shown, result }) => {
    const certificates = { none: null, alice, bob, expired, early }
    expect(decide(rule, certificates[shown])).toEqual(result)
  })

  it.each([
    'hex',
    'hex-upper',
    'colons',
    'prefixed-upper',
    'labelled',
    'openssl',
    'base64',
    'base64url',
    'openssh',
  ] as const)('knows a certificate by its fingerprint written as %s', (style: FingerprintStyle) => {
    for (const fingerprint of [alice.fingerprint, alice.sha512Fingerprint]) {
      const allowedFingerprints = [formatFingerprint(fingerprint, style)]
      expect(decide({ allowedFingerprints }, alice)).toEqual(ALLOWED)
      expect(decide({ allowedFingerprints }, bob)).toMatchObject({ denialReason: 'cert_not_authorized' })
    }
  })

  it('knows a public key by its fingerprint, also in a renewed certificate, and nothing else by it', () => {
    const allowedFingerprints = [alice.publicKeyFingerprint]
    expect(decide({ allowedFingerprints }, alice)).toEqual(ALLOWED)
    expect(decide({ allowedFingerprints }, bob)).toMatchObject({ denialReason: 'cert_not_authorized' })
    // The same digest as that of a certificate is another statement.
    const digest = alice.publicKeyFingerprint.replace('spki-', '')
    expect(decide({ allowedFingerprints: [digest] }, alice)).toMatchObject({ denialReason: 'cert_not_authorized' })
  })

  it('knows each of several kinds of fingerprints on one list, whichever else is on it', () => {
    const kinds = [alice.fingerprint, alice.sha512Fingerprint, alice.publicKeyFingerprint]
    const ofBob = [bob.fingerprint, bob.sha512Fingerprint, bob.publicKeyFingerprint]
    const other = forgeCertificate({ notBefore, notAfter }).certificate
    for (const one of kinds) {
      for (const another of ofBob) {
        const allowedFingerprints = [one, another]
        expect(decide({ allowedFingerprints }, alice)).toEqual(ALLOWED)
        expect(decide({ allowedFingerprints }, bob)).toEqual(ALLOWED)
        expect(decide({ allowedFingerprints }, other)).toMatchObject({ denialReason: 'cert_not_authorized' })
      }
    }
  })

  it('knows what it knows of among many others', () => {
    const others = Array.from({ length: 500 }, (_, i) => `sha256:${i.toString(16).padStart(64, '0')}`)
    expect(decide({ allowedFingerprints: new Set([...others, alice.fingerprint]) }, alice)).toEqual(ALLOWED)
    expect(decide({ allowedFingerprints: others }, alice)).toMatchObject({ allowed: false })
  })

  it.each([
    { issuance: 'issued', result: ALLOWED },
    { issuance: 'unissued', result: denied('cert_not_authorized', 'unissued') },
    { issuance: 'not_checked', result: denied('cert_not_authorized', 'not_checked') },
    { issuance: undefined, result: denied('cert_not_authorized', 'not_checked') },
  ] as const)('with `issued` answers to a certificate that is $issuance: $result', ({ issuance, result }) => {
    expect(decide({ issued: true }, alice, issuance === undefined ? {} : { issuance })).toEqual(result)
    expect(decide({ issued: false }, alice, issuance === undefined ? {} : { issuance })).toEqual(ALLOWED)
  })

  it('passes on why a certificate counts as unissued', () => {
    const options = { issuance: 'unissued', issuanceProblem: 'the authority is unknown' } as const
    expect(decide({ issued: true }, alice, options)).toEqual(denied('cert_not_authorized', 'the authority is unknown'))
  })

  it('refuses a certificate with a date that cannot be read, whatever it allows', () => {
    const certificate = unreadable()
    expect(() => certificate.notAfter).toThrow()
    for (const rule of [{}, { expired: 'allow', notYetValid: 'allow' }] as const) {
      expect(decide(rule, certificate)).toEqual(denied('cert_not_valid', 'unreadable dates'))
    }
  })

  it('counts the whole of the last second and of the first one', () => {
    const at = (time: string, rule: CertificateRule): unknown =>
      new CertificateAuth({ rules: [rule], clock: () => Date.parse(time) }).decide(request({ peer: fakePeer(alice) }))
    expect(at('2030-01-01T00:00:00Z', { path: '/' })).toEqual({ allowed: true, rule: '/' })
    expect(at('2029-12-31T23:59:59Z', { path: '/' })).toMatchObject({ detail: 'not_yet_valid' })
    expect(at('2030-12-31T23:59:59Z', { path: '/' })).toEqual({ allowed: true, rule: '/' })
    expect(at('2031-01-01T00:00:00Z', { path: '/' })).toMatchObject({ detail: 'expired' })
  })

  it('says nothing about what it does not cover: an expired certificate may see other pages', () => {
    const peer = fakePeer(expired)
    expect(auth({ path: '/club/' }).decide(request({ url: 'gemini://example.org/', peer }))).toEqual({ allowed: true })
  })
})

describe('a lookup', () => {
  const answering = (answer: unknown): CertificateLookup => ({ lookup: () => untyped(answer) })

  it.each([
    { answer: { kind: 'known', user: 'alice' }, result: ALLOWED },
    { answer: { kind: 'anonymous' }, result: denied('cert_required', 'anonymous') },
    { answer: { kind: 'unknown' }, result: denied('cert_not_authorized', 'unknown') },
    { answer: { kind: 'pending' }, result: denied('cert_not_authorized', 'pending') },
    { answer: { kind: 'refused' }, result: denied('cert_not_valid', 'refused') },
    { answer: { kind: 'refused', detail: 'revoked' }, result: denied('cert_not_valid', 'revoked') },
    { answer: { kind: 'identity_changed' }, result: denied('identity_changed') },
  ])('that answers $answer means $result, at once or later', async ({ answer, result }) => {
    expect(decide({ lookup: answering(answer) }, alice)).toEqual(result)
    const later = decide({ lookup: answering(Promise.resolve(answer)) }, alice)
    expect(later).toBeInstanceOf(Promise)
    expect(await later).toEqual(result)
  })

  it.each([
    undefined,
    null,
    true,
    'known',
    {},
    [],
    { kind: true },
    { kind: 'Known' },
    { kind: 'allowed' },
    { kind: ['known'] },
    { user: 'alice' },
    { allowed: true },
  ])('that answers %o means no', async (answer) => {
    const no = { allowed: false, denialReason: 'internal_error', rule: '/club/', cause: expect.any(TypeError) }
    expect(decide({ lookup: answering(answer) }, alice)).toEqual(no)
    expect(await decide({ lookup: answering(Promise.resolve(answer)) }, alice)).toEqual(no)
  })

  it('that fails means no, and a chain hears why', async () => {
    const gone = new Error('the database is gone')
    const throwing: CertificateLookup = {
      lookup: () => {
        throw gone
      },
    }
    const rejecting: CertificateLookup = { lookup: () => Promise.reject(gone) }
    for (const lookup of [throwing, rejecting]) {
      const failed = { allowed: false, denialReason: 'internal_error', rule: '/club/', cause: gone }
      expect(await decide({ lookup }, alice)).toEqual(failed)
      const heard: unknown[] = []
      const chain = new MiddlewareChain([auth({ path: '/', lookup })], { onError: (error) => heard.push(error) })
      expect(await chain.process(request({ peer: fakePeer(alice) }))).toMatchObject({ denialReason: 'internal_error' })
      expect(heard).toEqual([gone])
    }
  })

  it('is asked last, with the peer and the request, as a method of its object', () => {
    const asked: [Peer, MiddlewareRequest][] = []
    class Accounts implements CertificateLookup<string> {
      readonly users = ['alice']
      lookup(peer: Peer, req: MiddlewareRequest): LookupResult<string> {
        asked.push([peer, req])
        return { kind: 'known', user: this.users[0] ?? '' }
      }
    }
    const lookup = new Accounts()
    expect(decide({ lookup }, null)).toEqual(denied('cert_required'))
    expect(decide({ lookup }, expired)).toMatchObject({ denialReason: 'cert_not_valid' })
    expect(decide({ lookup, allowedFingerprints: [] }, alice)).toMatchObject({ denialReason: 'cert_not_authorized' })
    expect(decide({ lookup, issued: true }, alice)).toMatchObject({ denialReason: 'cert_not_authorized' })
    expect(asked).toEqual([])
    const req = request({ peer: fakePeer(alice) })
    expect(auth({ path: '/', lookup }).decide(req)).toEqual({ allowed: true, rule: '/' })
    expect(asked[0]?.[0]).toBe(req.peer)
    expect(asked[0]?.[1]).toBe(req)
  })

  it('may leave those alone who show nothing, if the rule requires nothing', () => {
    const lookup = answering({ kind: 'unknown' })
    expect(decide({ lookup, requireCertificate: false }, null)).toEqual(ALLOWED)
    expect(decide({ lookup, requireCertificate: false }, alice)).toMatchObject({ denialReason: 'cert_not_authorized' })
  })
})

describe('what is no peer', () => {
  it.each([
    { name: 'a certificate', peer: alice },
    {
      name: 'an object like a peer',
      peer: { ...fakePeer(alice), fingerprint: alice.fingerprint, validityAt: () => 'valid' },
    },
    { name: 'a fingerprint', peer: alice.fingerprint },
    { name: 'an empty text', peer: '' },
    { name: 'true', peer: true },
    { name: 'undefined', peer: undefined },
  ])('opens nothing: $name', ({ peer }) => {
    for (const rule of [{}, { allowedFingerprints: [alice.fingerprint] }, { requireCertificate: false }]) {
      const req = { ...request({ url: 'gemini://example.org/club/x' }), peer: untyped<Peer>(peer) }
      expect(auth({ path: '/club/', ...rule }).decide(req)).toMatchObject({
        denialReason: 'internal_error',
        cause: { message: expect.stringMatching(/^"peer" expected a Peer or null, got /) },
      })
    }
  })
})

describe('what is no target', () => {
  it.each([
    { name: 'a URL', target: 'gemini://example.org/club/' },
    { name: 'a URL object', target: new URL('gemini://example.org/club/') },
    { name: 'an object like a target', target: { scheme: 'gemini', path: { segments: ['club'] }, endpoint: {} } },
    { name: 'undefined', target: undefined },
  ])('is denied: $name, also where no rule is', ({ target }) => {
    for (const rules of [[], [{ path: '/club/' }]]) {
      const req = { ...request(), target: untyped<MiddlewareRequest['target']>(target) }
      expect(auth(...rules).decide(req)).toMatchObject({
        denialReason: 'internal_error',
        cause: { message: expect.stringMatching(/^"target" expected a RequestTarget, got /) },
      })
    }
  })

  it('nor is a request that is none', () => {
    expect(auth().decide(untyped(undefined))).toMatchObject({ denialReason: 'internal_error' })
  })
})

it('is called what the pages call it, in logs and chains', () => {
  expect(auth().name).toBe('certificate_auth')
})

describe('the clock', () => {
  it('that gives no time denies', () => {
    const broken = new CertificateAuth({ rules: [{ path: '/' }], clock: () => Number.NaN })
    expect(broken.decide(request({ peer: fakePeer(alice) }))).toMatchObject({ denialReason: 'internal_error' })
  })

  it("is the computer's by default", () => {
    const current = forgeCertificate({ notAfter: new Date(Date.now() + 60_000) }).certificate
    const past = forgeCertificate({ notAfter: new Date(Date.now() - 60_000) }).certificate
    const rules = [{ path: '/' }]
    expect(new CertificateAuth({ rules }).decide(request({ peer: fakePeer(current) }))).toEqual({
      allowed: true,
      rule: '/',
    })
    expect(new CertificateAuth({ rules }).decide(request({ peer: fakePeer(past) }))).toMatchObject({
      detail: 'expired',
    })
  })
})
