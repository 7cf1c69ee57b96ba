import { describe, expect, it, vi } from 'vitest'
import type { Certificate } from '../../src/certificate/certificate.ts'
import type { RevocationChecker, RevocationStatus } from '../../src/certificate/revocation-checker.ts'
import { CertificateAuth } from '../../src/middleware/certificate-auth.ts'
import type { CertificateRule } from '../../src/middleware/certificate-rule.ts'
import { forgeCertificate } from '../support/forged-certificates.ts'
import { fakePeer } from '../support/peer.ts'
import { request, untyped } from './requests.ts'

const NOW = new Date('2030-06-01T12:00:00Z')
const at = new Date('2030-05-01T00:00:00Z')
const dates = { notBefore: new Date('2030-01-01T00:00:00Z'), notAfter: new Date('2030-12-31T23:59:59Z') }

const alice = forgeCertificate({ commonName: 'alice', ...dates }).certificate
const chapter = forgeCertificate({ commonName: 'chapter', ca: true, ...dates }).certificate
const expired = forgeCertificate({ ...dates, notAfter: new Date('2030-06-01T11:59:59Z') }).certificate

const GOOD: RevocationStatus = { kind: 'good' }
const REVOKED: RevocationStatus = { kind: 'revoked', reason: 'key_compromise', at }
const rule = '/club/'
const ALLOWED = { allowed: true, rule }
const notValid = (detail: string): object => ({ allowed: false, denialReason: 'cert_not_valid', rule, detail })
const notAuthorized = (detail: string): object => ({
  allowed: false,
  denialReason: 'cert_not_authorized',
  rule,
  detail,
})
const FAILED = { allowed: false, denialReason: 'internal_error', rule, cause: expect.any(Error) }

/** A checker that gives the answer for each certificate that is listed, and `not_ours` for all others. */
function knowing(answers: ReadonlyMap<Certificate, unknown>, later = false): RevocationChecker {
  return {
    revocationOf: (certificate) => {
      const answer = untyped<RevocationStatus>(
        answers.has(certificate) ? answers.get(certificate) : { kind: 'not_ours' },
      )
      return later ? Promise.resolve(answer) : answer
    },
  }
}

interface Shown {
  readonly certificate?: Certificate | null
  readonly chain?: readonly Certificate[]
}

function decide(rule: Omit<CertificateRule, 'path'>, { certificate = alice, chain = [] }: Shown = {}) {
  const peer = certificate === null ? null : fakePeer(certificate, { chain: [certificate, ...chain] })
  const auth = new CertificateAuth({ rules: [{ path: '/club/', ...rule }], clock: () => NOW.getTime() })
  return auth.decide(request({ url: 'gemini://example.org/club/', peer }))
}

describe('a rule that asks who was revoked', () => {
  it.each([
    { answer: GOOD, result: ALLOWED },
    { answer: { kind: 'not_ours' }, result: ALLOWED },
    { answer: REVOKED, result: notValid('revoked') },
    { answer: { kind: 'held', at }, result: notValid('held') },
    { answer: { kind: 'unknown' }, result: notValid('unknown') },
  ])('makes $result of the answer $answer, at once or later', async ({ answer, result }) => {
    const answers = new Map([[alice, answer]])
    expect(decide({ revocation: knowing(answers) })).toEqual(result)
    const later = decide({ revocation: knowing(answers, true) })
    expect(later).toBeInstanceOf(Promise)
    expect(await later).toEqual(result)
  })

  // Whatever a forgotten await, a bare word or a misspelling leaves behind.
  it.each([
    undefined,
    null,
    true,
    false,
    'good',
    'not_ours',
    {},
    [],
    { kind: 'Good' },
    { kind: ['good'] },
    { good: true },
  ])('takes the answer %o for none, and that is a no', async (answer) => {
    const answers = new Map([[alice, answer]])
    expect(decide({ revocation: knowing(answers) })).toEqual(FAILED)
    expect(await decide({ revocation: knowing(answers, true) })).toEqual(FAILED)
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('disk full')
      },
    ],
    ['rejects', () => Promise.reject(new Error('disk full'))],
  ] as const)('says no if whoever knows %s', async (_what, revocationOf) => {
    expect(await decide({ revocation: { revocationOf } })).toEqual(FAILED)
  })

  it('is asked about nobody if nobody is shown, and still wants a certificate by default', () => {
    const revocation = { revocationOf: vi.fn(() => GOOD) }
    expect(decide({ revocation }, { certificate: null })).toEqual({
      allowed: false,
      denialReason: 'cert_required',
      rule,
    })
    expect(decide({ revocation, requireCertificate: false }, { certificate: null })).toEqual(ALLOWED)
    expect(revocation.revocationOf).not.toHaveBeenCalled()
  })

  it('refuses a revoked certificate where none is required, since it may be taken for an identity', () => {
    const revocation = knowing(new Map([[alice, REVOKED]]))
    expect(decide({ revocation, requireCertificate: false })).toEqual(notValid('revoked'))
  })

  it.each([
    { answer: REVOKED, detail: 'revoked' },
    { answer: { kind: 'unknown' }, detail: 'unknown' },
  ])('refuses a certificate below an authority that is $detail', async ({ answer, detail }) => {
    const answers = new Map<Certificate, unknown>([
      [alice, { kind: 'not_ours' }],
      [chapter, answer],
    ])
    expect(decide({ revocation: knowing(answers) }, { chain: [chapter] })).toEqual(notValid(detail))
    expect(await decide({ revocation: knowing(answers, true) }, { chain: [chapter] })).toEqual(notValid(detail))
  })

  it('refuses whatever else allows the certificate', () => {
    const revocation = knowing(new Map([[alice, REVOKED]]))
    const lookup = { lookup: vi.fn(() => ({ kind: 'known', user: 'alice' }) as const) }
    expect(decide({ revocation, allowedFingerprints: [alice.fingerprint], lookup })).toEqual(notValid('revoked'))
    expect(lookup.lookup).not.toHaveBeenCalled()
  })

  it.each([false, true])(
    'leaves the other conditions to decide about the certificates of others (later: %s)',
    async (later) => {
      const revocation = knowing(new Map(), later)
      expect(await decide({ revocation, allowedFingerprints: [] })).toEqual(notAuthorized('not on the list'))
      expect(await decide({ revocation, issued: true })).toEqual(notAuthorized('not_checked'))
      expect(await decide({ revocation, lookup: { lookup: () => ({ kind: 'unknown' }) } })).toEqual(
        notAuthorized('unknown'),
      )
      expect(await decide({ revocation, lookup: { lookup: () => Promise.reject(new Error('gone')) } })).toEqual(FAILED)
    },
  )

  it('does not ask about a certificate that has expired, unless that is allowed', () => {
    const revocation = { revocationOf: vi.fn(() => REVOKED) }
    expect(decide({ revocation }, { certificate: expired })).toEqual(notValid('expired'))
    expect(revocation.revocationOf).not.toHaveBeenCalled()
    expect(decide({ revocation, expired: 'allow' }, { certificate: expired })).toEqual(notValid('revoked'))
  })

  it('is asked again on each request, so that one connection can be refused in the middle', () => {
    let status = GOOD as RevocationStatus
    const rules = [{ path: '/club/', revocation: { revocationOf: () => status } }]
    const auth = new CertificateAuth({ rules, clock: () => NOW.getTime() })
    const same = request({ url: 'gemini://example.org/club/', peer: fakePeer(alice) })
    expect(auth.decide(same)).toEqual(ALLOWED)
    status = REVOKED
    expect(auth.decide(same)).toEqual(notValid('revoked'))
    status = GOOD
    expect(auth.decide(same)).toEqual(ALLOWED)
  })

  it.each([null, 7, 'authority', {}, { revocationOf: true }, () => GOOD])(
    'cannot be made with %o for a checker',
    (checker) => {
      const rules = [{ path: '/club/', revocation: untyped<RevocationChecker>(checker) }]
      expect(() => new CertificateAuth({ rules })).toThrow(
        /^"rules\[0\]\.revocation" expected an object with a method revocationOf, got /,
      )
    },
  )
})
