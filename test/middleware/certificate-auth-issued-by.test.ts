import { describe, expect, it, vi } from 'vitest'
import type { Certificate } from '../../src/certificate/certificate.ts'
import type { IssuanceChecker, IssuanceStatus } from '../../src/certificate/issuance-checker.ts'
import { TrustStore } from '../../src/certificate/trust-store.ts'
import { CertificateAuth } from '../../src/middleware/certificate-auth.ts'
import type { CertificateRule } from '../../src/middleware/certificate-rule.ts'
import { issue } from '../support/issued-certificates.ts'
import { fakePeer } from '../support/peer.ts'
import { request, untyped } from './requests.ts'

// A club with its own authority, which has founded a chapter; members have certificates of the chapter. Nearby is another
// club, whose authority has the same name.

const NOW = Date.parse('2030-06-01T12:00:00Z')
const at = new Date(NOW)

const club = issue({ subject: 'club', ca: true, to: '20310101000000Z' })
const chapter = issue({ subject: 'chapter', by: club, ca: true, to: '20300701000000Z' })
const alice = issue({ subject: 'alice', by: chapter, ca: false, purposes: ['client'] })
const founder = issue({ subject: 'founder', by: club, ca: false })
const server = issue({ subject: 'server', by: club, ca: false, purposes: ['server'] })
const expired = issue({ subject: 'expired', by: club, ca: false, to: '20300601115959Z' })
const impostor = issue({ subject: 'club', ca: true })
const foreign = issue({ subject: 'alice', by: impostor, ca: false })
const lone = issue({ subject: 'alice', ca: false })
const spoilt = issue({ subject: 'alice', by: club, ca: false, spoil: true })
/** Signed by a member, who is no authority. */
const guest = issue({ subject: 'guest', by: alice, ca: false })

const trust = new TrustStore([club.certificate], { at })
const rule = '/club/'
const ALLOWED = { allowed: true, rule }
const refused = (detail: string): object => ({ allowed: false, denialReason: 'cert_not_authorized', rule, detail })
const FAILED = { allowed: false, denialReason: 'internal_error', rule, cause: expect.any(Error) }

function decide(
  own: Omit<CertificateRule, 'path'>,
  [certificate, ...others]: readonly { readonly certificate: Certificate }[],
  now = NOW,
) {
  const auth = new CertificateAuth({ rules: [{ path: '/club/', ...own }], clock: () => now })
  const chain = [certificate, ...others].flatMap((each) => (each === undefined ? [] : [each.certificate]))
  const peer = certificate === undefined ? null : fakePeer(certificate.certificate, { chain })
  return auth.decide(request({ url: 'gemini://example.org/club/', peer }))
}

describe('a rule that names authorities', () => {
  it('needs a certificate, whatever else is said', () => {
    const no = { allowed: false, denialReason: 'cert_required', rule }
    expect(decide({ issuedBy: trust }, [])).toEqual(no)
    expect(decide({ issuedBy: trust, requireCertificate: false }, [])).toEqual(no)
  })

  // One thing differs from row to row.
  it.each([
    { name: 'a member, with the chapter', sent: [alice, chapter], result: ALLOWED },
    { name: 'a member, with too much', sent: [alice, lone, impostor, chapter, club], result: ALLOWED },
    { name: 'one that the club itself has issued', sent: [founder], result: ALLOWED },
    { name: 'the authority itself', sent: [club], result: ALLOWED },
    { name: 'a member without the chapter', sent: [alice], result: refused('unknown_authority') },
    { name: 'a member of the club of the same name', sent: [foreign], result: refused('bad_signature') },
    { name: 'the same, with its authority', sent: [foreign, impostor], result: refused('bad_signature') },
    { name: 'the authority of the same name', sent: [impostor], result: refused('bad_signature') },
    { name: 'a self-signed certificate', sent: [lone], result: refused('unknown_authority') },
    {
      name: 'a self-signed certificate before a member',
      sent: [lone, alice, chapter],
      result: refused('not_an_authority'),
    },
    { name: 'a wrong signature', sent: [spoilt], result: refused('bad_signature') },
    { name: 'a guest of a member', sent: [guest, alice, chapter], result: refused('not_an_authority') },
    { name: 'the certificate of a server', sent: [server], result: refused('wrong_purpose') },
  ])('answers to $name: $result', ({ sent, result }) => {
    expect(decide({ issuedBy: trust }, sent)).toEqual(result)
    // A second time, when something may be remembered.
    expect(decide({ issuedBy: trust }, sent)).toEqual(result)
  })

  it('looks at nothing that the server has judged', () => {
    const auth = new CertificateAuth({ rules: [{ path: '/', issuedBy: trust }], clock: () => NOW })
    const claimed = fakePeer(lone.certificate, { issuance: 'issued' })
    expect(auth.decide(request({ peer: claimed }))).toMatchObject({ denialReason: 'cert_not_authorized' })
    const issued = fakePeer(founder.certificate, { issuance: 'unissued' })
    expect(auth.decide(request({ peer: issued }))).toMatchObject({ allowed: true })
  })

  it('asks for what the other conditions ask for as well', () => {
    const members = [alice.certificate.fingerprint]
    expect(decide({ issuedBy: trust, allowedFingerprints: members }, [alice, chapter])).toEqual(ALLOWED)
    expect(decide({ issuedBy: trust, allowedFingerprints: members }, [founder])).toEqual(refused('not on the list'))
    expect(decide({ issuedBy: trust, issued: true }, [founder])).toEqual(refused('not_checked'))
    const lookup = { lookup: vi.fn(() => ({ kind: 'unknown' }) as const) }
    expect(decide({ issuedBy: trust, lookup }, [lone])).toEqual(refused('unknown_authority'))
    expect(lookup.lookup).not.toHaveBeenCalled()
    expect(decide({ issuedBy: trust, lookup }, [founder])).toEqual(refused('unknown'))
    const revocation = { revocationOf: () => ({ kind: 'revoked', reason: 'unspecified', at }) as const }
    expect(decide({ issuedBy: trust, revocation }, [founder])).toMatchObject({ detail: 'revoked' })
  })

  it('is one of several, each with authorities of its own', () => {
    const others = new TrustStore([impostor.certificate], { at })
    const rules = [
      { path: '/club/', issuedBy: trust },
      { path: '/other/', issuedBy: others },
    ]
    const auth = new CertificateAuth({ rules, clock: () => NOW })
    for (const [path, peer, allowed] of [
      ['club', founder, true],
      ['club', foreign, false],
      ['other', founder, false],
      ['other', foreign, true],
    ] as const) {
      const asked = request({ url: `gemini://example.org/${path}/`, peer: fakePeer(peer.certificate) })
      expect(auth.decide(asked), path).toMatchObject({ allowed })
    }
  })

  it('refuses a certificate that has expired, also where it allows them: nobody vouches for it any more', () => {
    expect(decide({ issuedBy: trust }, [expired])).toMatchObject({ denialReason: 'cert_not_valid', detail: 'expired' })
    expect(decide({ issuedBy: trust, expired: 'allow' }, [expired])).toEqual(refused('expired'))
  })
})

describe('on one connection', () => {
  const clubAuth = (own: Partial<CertificateRule>, clock: { now: number }) =>
    new CertificateAuth({ rules: [{ path: '/', ...own }], clock: () => clock.now })
  const member = request({ peer: fakePeer(alice.certificate, { chain: [alice.certificate, chapter.certificate] }) })

  it('a member is refused from the moment that the chapter has expired, and not a millisecond earlier', () => {
    const clock = { now: NOW }
    const auth = clubAuth({ issuedBy: new TrustStore([club.certificate], { at }) }, clock)
    expect(auth.decide(member)).toMatchObject({ allowed: true })
    clock.now = Date.parse('2030-07-01T00:00:00Z')
    expect(auth.decide(member)).toMatchObject({ allowed: true })
    clock.now += 1
    expect(auth.decide(member)).toMatchObject({ denialReason: 'cert_not_authorized', detail: 'expired' })
    // A clock that was wrong and is set back.
    clock.now = NOW
    expect(auth.decide(member)).toMatchObject({ allowed: true })
    clock.now = Date.parse('2019-12-31T23:59:59Z')
    expect(auth.decide(member)).toMatchObject({ denialReason: 'cert_not_valid', detail: 'not_yet_valid' })
  })

  it('a member is refused from the moment that the authority itself has expired', () => {
    const clock = { now: Date.parse('2031-01-01T00:00:00Z') }
    const auth = clubAuth({ issuedBy: new TrustStore([club.certificate], { at }) }, clock)
    const own = request({ peer: fakePeer(founder.certificate) })
    expect(auth.decide(own)).toMatchObject({ allowed: true })
    clock.now += 1
    expect(auth.decide(own)).toMatchObject({ denialReason: 'cert_not_authorized', detail: 'expired' })
  })

  it('a certificate that expires is refused at the next request', () => {
    const clock = { now: Date.parse('2030-06-01T11:59:59Z') }
    const auth = clubAuth({}, clock)
    const same = request({ peer: fakePeer(expired.certificate) })
    expect(auth.decide(same)).toMatchObject({ allowed: true })
    clock.now += 1
    expect(auth.decide(same)).toMatchObject({ denialReason: 'cert_not_valid', detail: 'expired' })
  })

  it('a user who is dropped from the lookup is refused at the next request', async () => {
    const users = new Map([[lone.certificate.fingerprint, 'alice']])
    for (const later of [false, true]) {
      const lookup = {
        lookup: ({ fingerprint }: { fingerprint: typeof lone.certificate.fingerprint }) => {
          const user = users.get(fingerprint)
          const answer = user === undefined ? ({ kind: 'unknown' } as const) : ({ kind: 'known', user } as const)
          return later ? Promise.resolve(answer) : answer
        },
      }
      const auth = clubAuth({ lookup }, { now: NOW })
      const same = request({ peer: fakePeer(lone.certificate) })
      users.set(lone.certificate.fingerprint, 'alice')
      expect(await auth.decide(same)).toMatchObject({ allowed: true })
      users.clear()
      expect(await auth.decide(same)).toMatchObject({ denialReason: 'cert_not_authorized', detail: 'unknown' })
    }
  })

  it('tells expired, not yet valid and revoked apart', () => {
    const clock = { now: NOW }
    const revoked = { kind: 'revoked', reason: 'key_compromise', at } as const
    let status: { readonly kind: 'good' } | typeof revoked = { kind: 'good' }
    const auth = clubAuth({ issuedBy: trust, revocation: { revocationOf: () => status } }, clock)
    const details = [
      ['2019-12-31T23:59:59Z', 'not_yet_valid'],
      ['2030-06-01T12:00:00Z', undefined],
      ['2100-01-01T00:00:00Z', 'expired'],
    ] as const
    for (const [now, detail] of details) {
      clock.now = Date.parse(now)
      const answer = auth.decide(member)
      if (detail === undefined) expect(answer).toEqual({ allowed: true, rule: '/' })
      else expect(answer).toEqual({ allowed: false, denialReason: 'cert_not_valid', rule: '/', detail })
    }
    clock.now = NOW
    status = revoked
    expect(auth.decide(member)).toMatchObject({ denialReason: 'cert_not_valid', detail: 'revoked' })
  })
})

describe('who is asked whether a certificate was issued', () => {
  const answering = (answer: unknown): IssuanceChecker => ({ issuanceOf: () => untyped(answer) })

  it('can be anybody, who gets the chain and the time of the request', () => {
    const asked: unknown[] = []
    class Registry implements IssuanceChecker {
      readonly name = 'registry'
      issuanceOf(chain: readonly Certificate[], when: Date): IssuanceStatus {
        asked.push([this.name, chain, when.getTime()])
        return { kind: 'issued' }
      }
    }
    expect(decide({ issuedBy: new Registry() }, [alice, chapter])).toEqual(ALLOWED)
    expect(asked).toEqual([['registry', [alice.certificate, chapter.certificate], NOW]])
  })

  it.each([
    { answer: { kind: 'issued' }, result: ALLOWED },
    { answer: { kind: 'unissued' }, result: refused('unissued') },
    { answer: { kind: 'unissued', problem: 'unknown_authority' }, result: refused('unknown_authority') },
    { answer: { kind: 'unissued', problem: 5 }, result: refused('unissued') },
  ])('decides by $answer that it is $result, at once or later', async ({ answer, result }) => {
    expect(decide({ issuedBy: answering(answer) }, [alice])).toEqual(result)
    const later = decide({ issuedBy: answering(Promise.resolve(answer)) }, [alice])
    expect(later).toBeInstanceOf(Promise)
    expect(await later).toEqual(result)
  })

  // Whatever a forgotten await, a bare word or another library's answer leaves behind.
  it.each([
    undefined,
    null,
    true,
    'issued',
    {},
    [],
    { kind: 'Issued' },
    { kind: ['issued'] },
    { issued: true },
    { valid: true },
  ])('means no by the answer %o', async (answer) => {
    expect(decide({ issuedBy: answering(answer) }, [alice])).toEqual(FAILED)
    expect(await decide({ issuedBy: answering(Promise.resolve(answer)) }, [alice])).toEqual(FAILED)
  })

  it('means no by failing', async () => {
    const throwing: IssuanceChecker = {
      issuanceOf: () => {
        throw new Error('gone')
      },
    }
    expect(decide({ issuedBy: throwing }, [alice])).toEqual(FAILED)
    expect(await decide({ issuedBy: answering(Promise.reject(new Error('gone'))) }, [alice])).toEqual(FAILED)
  })

  it('comes between a slow revocation check and a slow lookup', async () => {
    const order: string[] = []
    const answer = async <Answer>(name: string, given: Answer): Promise<Answer> => {
      order.push(name)
      return given
    }
    const result = await decide(
      {
        revocation: { revocationOf: () => answer('revocation', { kind: 'good' }) },
        issuedBy: { issuanceOf: () => answer('issuance', { kind: 'issued' }) },
        lookup: { lookup: () => answer('lookup', { kind: 'known', user: 1 }) },
      },
      [alice],
    )
    expect(result).toEqual(ALLOWED)
    expect(order).toEqual(['revocation', 'issuance', 'lookup'])
  })
})
