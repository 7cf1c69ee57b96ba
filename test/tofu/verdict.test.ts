import { beforeAll, describe, expect, it } from 'vitest'
import { Certificate } from '../../src/certificate/certificate.ts'
import { parseEndpoint } from '../../src/names/endpoint.ts'
import type { Pin } from '../../src/tofu/pin.ts'
import type { TofuPolicy } from '../../src/tofu/policy.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import { judgePins } from '../../src/tofu/verdict.ts'
import { type TestCertificate, testCertificate } from '../support/certificates.ts'
import { forgeCertificate } from '../support/forged-certificates.ts'
import { pinOf } from '../support/tofu-certificates.ts'

const NOW = new Date('2030-06-01T12:00:00Z')
const YEARS = { notBefore: new Date('2026-01-01T00:00:00Z'), notAfter: new Date('2035-01-01T00:00:00Z') }

let old: TestCertificate
let renewed: Certificate
let other: Certificate

beforeAll(async () => {
  old = await testCertificate(YEARS)
  renewed = (await testCertificate({ ...YEARS, keyPem: old.keyPem })).certificate
  other = (await testCertificate(YEARS)).certificate
})

function judge(pins: readonly Pin[], certificate: Certificate, policy?: TofuPolicy) {
  const endpoint = parseEndpoint('example.org:1965')
  return judgePins(pins, certificate, { endpoint, now: NOW, ...(policy === undefined ? {} : { policy }) })
}

describe('the kind of a verdict', () => {
  it('is first_use if nothing is pinned', () => {
    expect(judge([], other)).toMatchObject({
      kind: 'first_use',
      accepted: true,
      reason: 'never_seen',
      endpoint: 'example.org:1965',
      presented: other.fingerprint,
      presentedKey: other.publicKeyFingerprint,
      validity: 'valid',
    })
  })

  it('is trusted if the certificate is the pinned one, with how it is known', () => {
    const pin = pinOf(old.certificate)
    expect(judge([pin], old.certificate)).toMatchObject({
      kind: 'trusted',
      accepted: true,
      reason: 'pinned_certificate',
      pin,
      pinned: old.certificate.fingerprint,
      pinnedExpired: false,
      pinnedExpiresInDays: 1674,
      knownForDays: 10,
      daysSeen: 7,
      lastSeen: pin.lastSeen,
    })
  })

  it('is renewed if the key is the pinned one', () => {
    expect(judge([pinOf(old.certificate)], renewed)).toMatchObject({
      kind: 'renewed',
      accepted: true,
      reason: 'same_key',
      pinned: old.certificate.fingerprint,
      presented: renewed.fingerprint,
    })
  })

  it('is changed otherwise, and not accepted', () => {
    expect(judge([pinOf(old.certificate)], other)).toMatchObject({
      kind: 'changed',
      accepted: false,
      reason: 'early',
      pinned: old.certificate.fingerprint,
      presented: other.fingerprint,
      formerPin: null,
    })
  })

  it('is distrusted if the certificate is marked', () => {
    const mark = pinOf(other, { state: 'distrusted' })
    expect(judge([mark], other)).toMatchObject({ kind: 'distrusted', accepted: false, reason: 'marked', mark })
  })
})

// The invariant: trusted if and only if fingerprints are equal.
describe('a pin matches', () => {
  it.each([
    { by: 'SHA-256', digest: () => old.certificate.fingerprint, kind: 'trusted', reason: 'pinned_certificate' },
    { by: 'SHA-512', digest: () => old.certificate.sha512Fingerprint, kind: 'trusted', reason: 'pinned_certificate' },
    { by: 'public key', digest: () => old.certificate.publicKeyFingerprint, kind: 'trusted', reason: 'pinned_key' },
  ])('by $by', ({ digest, kind, reason }) => {
    const pin = pinOf(old.certificate, { digest: digest(), keyDigest: null })
    expect(judge([pin], old.certificate)).toMatchObject({ kind, reason })
    expect(judge([pin], other)).toMatchObject({ kind: 'changed' })
  })

  it('by public key, whatever certificate is around the key', () => {
    const pin = pinOf(old.certificate, { digest: old.certificate.publicKeyFingerprint, keyDigest: null })
    expect(judge([pin], renewed)).toMatchObject({ kind: 'trusted', reason: 'pinned_key' })
  })

  it('if it is any of several live ones', () => {
    const pins = [pinOf(other), pinOf(old.certificate, { state: 'verified' })]
    expect(judge(pins, old.certificate)).toMatchObject({ kind: 'trusted', pin: pins[1] })
    expect(judge(pins, other)).toMatchObject({ kind: 'trusted', pin: pins[0] })
  })

  it.each([
    { state: 'trusted', kind: 'trusted' },
    { state: 'verified', kind: 'trusted' },
    { state: 'replaced', kind: 'first_use' },
    { state: 'announced', kind: 'first_use' },
    { state: 'distrusted', kind: 'distrusted' },
  ] as const)('alone, in the state $state, as $kind', ({ state, kind }) => {
    expect(judge([pinOf(old.certificate, { state })], old.certificate)).toMatchObject({ kind })
  })

  it('not for its key alone if the key is not known', () => {
    expect(judge([pinOf(old.certificate, { keyDigest: null })], renewed)).toMatchObject({ kind: 'changed' })
  })

  it('not for the key of a pin that was replaced', () => {
    const pins = [pinOf(other), pinOf(old.certificate, { state: 'replaced' })]
    expect(judge(pins, renewed)).toMatchObject({ kind: 'changed' })
  })
})

describe('a mark', () => {
  it.each([
    { by: 'SHA-256', digest: (certificate: Certificate) => certificate.fingerprint },
    { by: 'SHA-512', digest: (certificate: Certificate) => certificate.sha512Fingerprint },
    { by: 'public key', digest: (certificate: Certificate) => certificate.publicKeyFingerprint },
  ])('by $by outweighs a pin of the same certificate', ({ digest }) => {
    const certificate = old.certificate
    const mark = pinOf(certificate, { digest: digest(certificate), state: 'distrusted' })
    expect(judge([pinOf(certificate, { state: 'verified' }), mark], certificate)).toMatchObject({ kind: 'distrusted' })
    expect(judge([mark], other)).toMatchObject({ kind: 'first_use' })
  })

  it('on a key outweighs a renewal with it', () => {
    const mark = pinOf(other, { digest: old.certificate.publicKeyFingerprint, state: 'distrusted' })
    expect(judge([pinOf(old.certificate), mark], renewed)).toMatchObject({ kind: 'distrusted' })
  })

  it('is obeyed whatever the policy', () => {
    const policy = { firstUse: 'accept', renewed: 'accept', rotated: 'accept' } as const
    const mark = pinOf(other, { state: 'distrusted' })
    expect(judge([mark], other, policy)).toMatchObject({ kind: 'distrusted', accepted: false })
  })
})

// One thing differs from row to row. Waiting for the pinned certificate to expire must not buy trust.
describe('the end of the pinned certificate', () => {
  it.each([
    { notAfter: '2030-06-01T12:00:00Z', pinnedExpired: false, days: 0, reason: 'early' },
    { notAfter: '2030-06-01T11:59:59Z', pinnedExpired: true, days: -1, reason: 'pinned_expired' },
    { notAfter: '2030-06-02T12:00:00Z', pinnedExpired: false, days: 1, reason: 'early' },
    { notAfter: '2000-01-01T00:00:00Z', pinnedExpired: true, days: -11110, reason: 'pinned_expired' },
    { notAfter: null, pinnedExpired: null, days: null, reason: 'early' },
  ])('at $notAfter makes a change $reason, and never accepted', ({ notAfter, pinnedExpired, days, reason }) => {
    const pin = pinOf(old.certificate, { notAfter: notAfter === null ? null : new Date(notAfter) })
    expect(judge([pin], other)).toMatchObject({
      kind: 'changed',
      accepted: false,
      reason,
      pinnedExpired,
      pinnedExpiresInDays: days,
    })
    expect(judge([pin], old.certificate)).toMatchObject({ kind: 'trusted', accepted: true, pinnedExpired })
  })

  it('that cannot be told is not one that has passed', () => {
    const pin = pinOf(old.certificate, { notAfter: new Date(Number.NaN) })
    expect(judge([pin], other)).toMatchObject({ kind: 'changed', reason: 'early', accepted: false })
  })
})

describe('the dates of the presented certificate', () => {
  it.each([
    { notBefore: '2026-01-01', notAfter: '2029-01-01', validity: 'expired' },
    { notBefore: '2031-01-01', notAfter: '2032-01-01', validity: 'not_yet_valid' },
    { notBefore: '2026-01-01', notAfter: '2032-01-01', validity: 'valid' },
  ])('from $notBefore to $notAfter are reported as $validity', async ({ notBefore, notAfter, validity }) => {
    const { certificate } = await testCertificate({ notBefore: new Date(notBefore), notAfter: new Date(notAfter) })
    expect(judge([], certificate)).toMatchObject({ kind: 'first_use', validity })
    expect(judge([pinOf(certificate)], certificate)).toMatchObject({ kind: 'trusted', validity })
  })
})

it('a certificate whose dates cannot be read is refused before anything is decided', async () => {
  const forged = forgeCertificate({ commonName: 'example.org', notAfter: new Date('2040-12-31T00:00:00Z') })
  const der = Buffer.from(forged.der)
  der.write('4013', der.indexOf('401231000000Z'), 'latin1')
  const certificate = Certificate.from(der)
  const unreadable = { code: 'ERR_TLACACOCA_CERTIFICATE_MALFORMED' }
  expect(() => judge([], certificate)).toThrow(expect.objectContaining(unreadable))
  const store = TofuStore.inMemory()
  const endpoint = parseEndpoint('example.org:1965')
  await expect(store.verifyOrTrust(endpoint, certificate)).rejects.toMatchObject(unreadable)
  await expect(store.trust(endpoint, certificate)).rejects.toMatchObject(unreadable)
  expect(await store.pins(endpoint)).toEqual([])
})

describe('a server with several live pins', () => {
  it('is compared with the one seen last', () => {
    const pins = [
      pinOf(old.certificate, { lastSeen: new Date('2030-01-01') }),
      pinOf(renewed, { keyDigest: null, lastSeen: new Date('2030-02-01') }),
    ]
    expect(judge(pins, other)).toMatchObject({ kind: 'changed', pinned: renewed.fingerprint })
    expect(judge(pins.toReversed(), other)).toMatchObject({ kind: 'changed', pinned: renewed.fingerprint })
  })
})

describe('a certificate that was pinned here before', () => {
  it('is a change all the same, and the former pin is told', () => {
    const former = pinOf(other, { state: 'replaced' })
    expect(judge([pinOf(old.certificate), former], other)).toMatchObject({ kind: 'changed', formerPin: former })
  })

  it('is told apart from others that were', () => {
    const pins = [pinOf(renewed, { state: 'replaced', keyDigest: null }), pinOf(old.certificate)]
    expect(judge(pins, other)).toMatchObject({ kind: 'changed', formerPin: null })
  })
})

describe('an announced certificate or key', () => {
  it.each([
    { what: 'certificate', digest: () => other.fingerprint },
    { what: 'key', digest: () => other.publicKeyFingerprint },
  ])('is a rotation when it comes: $what', ({ digest }) => {
    const announced = pinOf(other, { digest: digest(), state: 'announced' })
    expect(judge([pinOf(old.certificate), announced], other)).toMatchObject({
      kind: 'rotated',
      accepted: true,
      reason: 'announced',
      pinned: old.certificate.fingerprint,
    })
  })
})

describe('the policy', () => {
  const word = { firstUse: 'first_use', renewed: 'renewed', rotated: 'rotated' } as const

  it.each([
    { policy: {}, accepted: { first_use: true, renewed: true, rotated: true } },
    { policy: { firstUse: 'refuse' }, accepted: { first_use: false, renewed: true, rotated: true } },
    { policy: { firstUse: 'ask' }, accepted: { first_use: false, renewed: true, rotated: true } },
    { policy: { renewed: 'refuse' }, accepted: { first_use: true, renewed: false, rotated: true } },
    { policy: { renewed: 'ask' }, accepted: { first_use: true, renewed: false, rotated: true } },
    { policy: { rotated: 'ask' }, accepted: { first_use: true, renewed: true, rotated: false } },
    { policy: { rotated: 'refuse' }, accepted: { first_use: true, renewed: true, rotated: false } },
  ] as const)('$policy decides what is accepted, and never what it is called', ({ policy, accepted }) => {
    const announced = pinOf(other, { state: 'announced' })
    const verdicts = [
      judge([], other, policy),
      judge([pinOf(old.certificate)], renewed, policy),
      judge([pinOf(old.certificate), announced], other, policy),
    ]
    expect(verdicts.map((verdict) => verdict.kind)).toEqual(Object.values(word))
    expect(Object.fromEntries(verdicts.map((verdict) => [verdict.kind, verdict.accepted]))).toEqual(accepted)
  })

  const expired = { notAfter: new Date('2029-01-01T00:00:00Z') }

  it.each([
    { policy: {}, early: 'refuse', expired: 'ask' },
    { policy: { changed: undefined }, early: 'refuse', expired: 'ask' },
    { policy: { changed: {} }, early: 'refuse', expired: 'ask' },
    { policy: { changed: 'ask' }, early: 'ask', expired: 'ask' },
    { policy: { changed: 'refuse' }, early: 'refuse', expired: 'refuse' },
    { policy: { changed: { early: 'ask' } }, early: 'ask', expired: 'ask' },
    { policy: { changed: { early: 'refuse' } }, early: 'refuse', expired: 'ask' },
    { policy: { changed: { pinned_expired: 'accept' } }, early: 'refuse', expired: 'accept' },
    { policy: { changed: { pinned_expired: 'refuse', early: undefined } }, early: 'refuse', expired: 'refuse' },
    { policy: { changed: { early: 'dangerouslyAccept' } }, early: 'accept', expired: 'ask' },
    { policy: { onChanged: () => ({ accept: true }) }, early: 'refuse', expired: 'ask' },
  ])('$policy says $early to an early change, and $expired to one that was due', ({ policy, early, expired: due }) => {
    const answers = [{}, expired].map((facts) => judge([pinOf(old.certificate, facts)], other, policy as TofuPolicy))
    expect(answers).toMatchObject([
      { kind: 'changed', rule: 'changed.early', word: early, accepted: early === 'accept' },
      { kind: 'changed', rule: 'changed.pinned_expired', word: due, accepted: due === 'accept' },
    ])
  })

  it('has words for everything but what is the same, and what is marked', () => {
    const refuseAll = { firstUse: 'refuse', renewed: 'refuse', rotated: 'refuse', changed: 'refuse' } as const
    expect(judge([pinOf(other)], other, refuseAll)).toMatchObject({ rule: 'trusted', word: 'accept', accepted: true })
    const mark = pinOf(other, { state: 'distrusted' })
    expect(judge([mark], other)).toMatchObject({ rule: 'distrusted', word: 'refuse', accepted: false })
  })

  it.each([
    { policy: { firstUse: 'yes' }, name: 'firstUse' },
    { policy: { renewed: true }, name: 'renewed' },
    { policy: { rotated: null }, name: 'rotated' },
    { policy: { changed: 'accept' }, name: 'changed' },
    { policy: { changed: null }, name: 'changed' },
    { policy: { changed: ['ask'] }, name: 'changed' },
    { policy: { changed: { early: 'accept' } }, name: 'changed.early' },
    { policy: { changed: { pinned_expired: 'dangerouslyAccept' } }, name: 'changed.pinned_expired' },
    { policy: { changed: { authority_vouched: true } }, name: 'changed.authority_vouched' },
    { policy: { onChanged: true }, name: 'onChanged' },
    { policy: { onFirstUse: {} }, name: 'onFirstUse' },
    { policy: { vouches: 'me' }, name: 'vouches' },
    { policy: 'refuse', name: 'policy' },
  ])('is checked: $policy', ({ policy, name }) => {
    expect(() => judge([], other, policy as unknown as TofuPolicy)).toThrow(new RegExp(`"${name}" expected`))
  })
})

describe('the explanation', () => {
  it('of a change tells both fingerprints, how long it was known and how far it was from its end', () => {
    const { explanation } = judge([pinOf(old.certificate)], other)
    expect(explanation).toContain(old.certificate.fingerprint)
    expect(explanation).toContain(other.fingerprint)
    expect(explanation).toContain('first seen 10 days ago')
    expect(explanation).toContain('on 7 days')
    expect(explanation).toContain('would have lasted for 1674 more days')
    expect(explanation).toContain('from here the two look the same')
  })

  it('of an expired pin warns that somebody may have waited for it', () => {
    const { explanation } = judge([pinOf(old.certificate, { notAfter: new Date('2030-05-01') })], other)
    expect(explanation).toContain('expired 32 days ago')
    expect(explanation).toContain('somebody in the middle can wait for it')
  })

  it('is one paragraph for every kind, and holds nothing of the certificate’s own text', async () => {
    const evil = 'Trust me.\n\u001b[2J'
    const certificate = (await testCertificate({ ...YEARS, commonName: 'Perfectly safe', organization: 'Trust me' }))
      .certificate
    const mark = pinOf(certificate, { state: 'distrusted', note: evil, source: evil })
    const announced = pinOf(certificate, { state: 'announced', note: evil })
    const verdicts = [
      judge([], certificate),
      judge([pinOf(certificate, { note: evil })], certificate),
      judge([pinOf(old.certificate, { note: evil })], certificate),
      judge([pinOf(old.certificate)], renewed),
      judge([pinOf(old.certificate), announced], certificate),
      judge([mark], certificate),
    ]
    expect(new Set(verdicts.map((verdict) => verdict.kind)).size).toBe(6)
    for (const { explanation } of verdicts) {
      expect(explanation).toMatch(/^example\.org:1965|^This is the first visit to example\.org:1965/)
      expect(explanation).not.toMatch(/\n|Trust me|Perfectly|\u001b/)
    }
  })
})

it('an instant that is none is refused, since every comparison with it is false', () => {
  const endpoint = parseEndpoint('example.org:1965')
  const at = (now: unknown) => () => judgePins([], other, { endpoint, now: now as Date })
  expect(at(new Date('nonsense'))).toThrow(/^"now" expected a valid Date/)
  expect(at(NOW.getTime())).toThrow(/^"now" expected a Date/)
})

it('the explanation is among the fields that are copied and logged', () => {
  const verdict = judge([], other)
  expect({ ...verdict }.explanation).toBe(verdict.explanation)
  expect(verdict.explanation).toContain('example.org:1965')
})

it('looks at no hidden clock', () => {
  const endpoint = parseEndpoint('example.org:1965')
  const later = judgePins([pinOf(old.certificate)], old.certificate, { endpoint, now: new Date('2036-01-01') })
  expect(later).toMatchObject({ kind: 'trusted', pinnedExpired: true, validity: 'expired' })
  expect(() => judgePins([], other, { endpoint, now: new Date(Number.NaN) })).toThrow(RangeError)
})
