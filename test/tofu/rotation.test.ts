import { beforeAll, describe, expect, it } from 'vitest'
import { Certificate } from '../../src/certificate/certificate.ts'
import { type Fingerprint, parseFingerprint } from '../../src/certificate/fingerprint.ts'
import { parseEndpoint } from '../../src/names/endpoint.ts'
import type { Pin } from '../../src/tofu/pin.ts'
import { judgePins } from '../../src/tofu/verdict.ts'
import { type TestCertificate, testCertificate } from '../support/certificates.ts'
import { type ForgedCertificate, forgeCertificate } from '../support/forged-certificates.ts'
import { certificateSignedBy, pinOf } from '../support/tofu-certificates.ts'

const NOW = new Date('2030-06-01T12:00:00Z')

let old: TestCertificate

beforeAll(async () => {
  old = await testCertificate({ notAfter: new Date('2035-01-01T00:00:00Z') })
})

function judge(pins: readonly Pin[], presented: Certificate, keys: readonly Certificate[], host = 'example.org') {
  const publicKeys = new Map(keys.map((each) => [each.publicKeyFingerprint, each.subjectPublicKeyInfo]))
  return judgePins(pins, presented, { endpoint: parseEndpoint(`${host}:1965`), now: NOW, publicKeys })
}

describe('a certificate signed by the pinned key', () => {
  it('is a rotation', async () => {
    const presented = await certificateSignedBy(old.keyPem)
    expect(judge([pinOf(old.certificate)], presented, [old.certificate])).toMatchObject({
      kind: 'rotated',
      accepted: true,
      reason: 'signed_by_pinned_key',
      pinned: old.certificate.fingerprint,
      presented: presented.fingerprint,
    })
  })

  it('is one by the published recipe too: issued by the old name, with the host as common name only', () => {
    const former = forgeCertificate({ commonName: 'example.org' })
    const next = forgeCertificate({ commonName: 'example.org', issuer: former })
    expect(judge([pinOf(former.certificate)], next.certificate, [former.certificate])).toMatchObject({
      kind: 'rotated',
    })
  })

  it.each(['sha256', 'sha384', 'sha512'] as const)('is one over %s', (hash) => {
    const former = forgeCertificate({ commonName: 'example.org' })
    const next = forgeCertificate({ commonName: 'example.org', issuer: former, hash })
    expect(judge([pinOf(former.certificate)], next.certificate, [former.certificate])).toMatchObject({
      kind: 'rotated',
    })
  })

  it('is one by a key that is pinned itself', () => {
    const former = forgeCertificate({ commonName: 'example.org' })
    const next = forgeCertificate({ commonName: 'example.org', issuer: former })
    const key = former.certificate.publicKeyFingerprint
    const pin = pinOf(former.certificate, { digest: key, keyDigest: key })
    expect(judge([pin], next.certificate, [former.certificate])).toMatchObject({ kind: 'rotated', pinned: key })
  })

  it.each(['P-256', 'RSA-2048', 'Ed25519', 'Ed448'] as const)('is one with a %s key', (key) => {
    const former = forgeCertificate({ commonName: 'example.org', key })
    const next = forgeCertificate({ hosts: ['example.org'], issuer: former, key: 'Ed25519' })
    expect(judge([pinOf(former.certificate)], next.certificate, [former.certificate])).toMatchObject({
      kind: 'rotated',
    })
  })

  it('is one for each of several live pins, and none for a pin that was replaced', async () => {
    const other = await testCertificate()
    const presented = await certificateSignedBy(old.keyPem)
    const keys = [old.certificate, other.certificate]
    const both = [pinOf(other.certificate), pinOf(old.certificate)]
    expect(judge(both, presented, keys)).toMatchObject({ kind: 'rotated', pinned: old.certificate.fingerprint })
    const replaced = [pinOf(other.certificate), pinOf(old.certificate, { state: 'replaced' })]
    expect(judge(replaced, presented, keys)).toMatchObject({ kind: 'changed' })
  })
})

// The same certificate, and one thing changed: each of these is a plain change.
describe('no rotation is', () => {
  it('a certificate that another key signed', async () => {
    const stranger = await testCertificate()
    const presented = await certificateSignedBy(stranger.keyPem)
    expect(judge([pinOf(old.certificate)], presented, [old.certificate])).toMatchObject({ kind: 'changed' })
  })

  it('a certificate with the old name as issuer and a spoiled signature', () => {
    const former = forgeCertificate({ commonName: 'example.org' })
    const next = forgeCertificate({ commonName: 'example.org', issuer: former, spoilSignature: true })
    expect(judge([pinOf(former.certificate)], next.certificate, [former.certificate])).toMatchObject({
      kind: 'changed',
    })
  })

  it('a certificate for another host', async () => {
    const presented = await certificateSignedBy(old.keyPem, { host: 'www.example.org' })
    expect(judge([pinOf(old.certificate)], presented, [old.certificate])).toMatchObject({ kind: 'changed' })
  })

  it('a certificate with the host as common name and another as alternative name', async () => {
    const presented = await certificateSignedBy(old.keyPem, { host: 'elsewhere.example', commonName: 'example.org' })
    expect(judge([pinOf(old.certificate)], presented, [old.certificate])).toMatchObject({ kind: 'changed' })
  })

  it('a mailbox that a Misfin server signed with the same key, for the same host', async () => {
    const presented = await certificateSignedBy(old.keyPem, { commonName: 'example.org', userId: 'mallory' })
    expect(judge([pinOf(old.certificate)], presented, [old.certificate])).toMatchObject({ kind: 'changed' })
  })

  it.each([
    ['clientAuth', 'changed'],
    ['serverAuth', 'rotated'],
  ] as const)('an identity of a client that the server signed: with the purpose %s it is %s', (usage, kind) => {
    const former = forgeCertificate({ commonName: 'example.org' })
    const { certificate } = forgeCertificate({ commonName: 'example.org', issuer: former, usage })
    expect(judge([pinOf(former.certificate)], certificate, [former.certificate])).toMatchObject({ kind })
  })

  it('one over a hash of which collisions can be bought', () => {
    const former = forgeCertificate({ commonName: 'example.org', key: 'RSA-2048' })
    const next = forgeCertificate({ commonName: 'example.org', issuer: former, key: 'P-256', hash: 'sha1' })
    expect(judge([pinOf(former.certificate)], next.certificate, [former.certificate])).toMatchObject({
      kind: 'changed',
    })
  })

  it('one by a key that the store does not have', async () => {
    const presented = await certificateSignedBy(old.keyPem)
    expect(judge([pinOf(old.certificate)], presented, [])).toMatchObject({ kind: 'changed' })
    expect(judge([pinOf(old.certificate, { keyDigest: null })], presented, [old.certificate])).toMatchObject({
      kind: 'changed',
    })
  })

  it('one by a key that the store has under the digest of another', async () => {
    const stranger = await testCertificate()
    const presented = await certificateSignedBy(stranger.keyPem)
    const publicKeys = new Map<Fingerprint, Uint8Array>([
      [old.certificate.publicKeyFingerprint, stranger.certificate.subjectPublicKeyInfo],
    ])
    const endpoint = parseEndpoint('example.org:1965')
    const verdict = judgePins([pinOf(old.certificate)], presented, { endpoint, now: NOW, publicKeys })
    expect(verdict).toMatchObject({ kind: 'changed' })
  })
})

describe('the old key’s word', () => {
  const former = forgeCertificate({ commonName: 'example.org' })
  const issued = (dates: { notBefore?: Date; notAfter?: Date } = {}) =>
    forgeCertificate({ commonName: 'example.org', issuer: former, ...dates }).certificate
  const pin = pinOf(former.certificate)

  it.each([
    [{ notAfter: NOW }, 'rotated'],
    [{ notAfter: new Date(NOW.getTime() - 1000) }, 'changed'],
    [{ notBefore: NOW }, 'rotated'],
    [{ notBefore: new Date(NOW.getTime() + 1000) }, 'changed'],
  ])('is good within the dates of what it signed: %j is %s', (dates, kind) => {
    expect(judge([pin], issued(dates), [former.certificate]).kind).toBe(kind)
  })

  it.each([
    ['2030-06-01T12:00:00Z', false],
    ['2030-06-01T11:59:59Z', true],
    ['2020-01-01T00:00:00Z', true],
  ])('is as good after the end of the pinned certificate as before it: %s', (end, pinnedExpired) => {
    const verdict = judge([pinOf(former.certificate, { notAfter: new Date(end) })], issued(), [former.certificate])
    expect(verdict).toMatchObject({ kind: 'rotated', reason: 'signed_by_pinned_key', pinnedExpired })
  })

  it.each([
    ['is for keys that are new here', [], 'rotated'],
    ['is for a key that was announced too', [{ state: 'announced' }], 'rotated'],
    ['is not for a key that was replaced', [{ state: 'replaced' }], 'changed'],
    [
      'is not for a certificate that was replaced, of which no key is known',
      [{ state: 'replaced', keyDigest: null }],
      'changed',
    ],
    ['is not for a certificate that is marked', [{ state: 'distrusted' }], 'distrusted'],
  ] as const)('%s', (_, states, kind) => {
    const presented = issued()
    const others = states.map((facts) => pinOf(presented, facts))
    expect(judge([pin, ...others], presented, [former.certificate]).kind).toBe(kind)
  })

  it('is not for another certificate with a key that was replaced, marked, or pinned by its key or SHA-512', () => {
    const presented = issued()
    const { fingerprint, publicKeyFingerprint, sha512Fingerprint } = presented
    const elsewhere = parseFingerprint('ab'.repeat(32))
    for (const facts of [
      { digest: elsewhere, keyDigest: publicKeyFingerprint, state: 'replaced' },
      { digest: elsewhere, keyDigest: publicKeyFingerprint, state: 'distrusted' },
      { digest: publicKeyFingerprint, keyDigest: null, state: 'replaced' },
      { digest: sha512Fingerprint, keyDigest: null, state: 'replaced' },
      { digest: fingerprint, keyDigest: null, state: 'replaced' },
    ] as const) {
      expect(judge([pin, pinOf(presented, facts)], presented, [former.certificate]).kind).toBe('changed')
    }
    for (const facts of [
      { digest: elsewhere, keyDigest: elsewhere, state: 'replaced' },
      { digest: elsewhere, keyDigest: publicKeyFingerprint, state: 'announced' },
    ] as const) {
      expect(judge([pin, pinOf(presented, facts)], presented, [former.certificate]).kind).toBe('rotated')
    }
  })

  it('counts for nothing once the old key is marked, though a certificate of it is still pinned', () => {
    const mark = pinOf(former.certificate, {
      digest: former.certificate.publicKeyFingerprint,
      state: 'distrusted',
      keyDigest: null,
    })
    expect(judge([pin, mark], issued(), [former.certificate]).kind).toBe('changed')
  })

  it('counts although another key is marked', () => {
    const { certificate } = forgeCertificate()
    const mark = pinOf(certificate, { digest: certificate.publicKeyFingerprint, state: 'distrusted', keyDigest: null })
    expect(judge([pin, mark], issued(), [former.certificate]).kind).toBe('rotated')
  })

  it('is not taken for unspoken where the keys cannot be read at all: that is an error', () => {
    const publicKeys = new Map<Fingerprint, Uint8Array>()
    publicKeys.get = () => {
      throw new RangeError('the disk is gone')
    }
    const endpoint = parseEndpoint('example.org:1965')
    expect(() => judgePins([pin], issued(), { endpoint, now: NOW, publicKeys })).toThrow('the disk is gone')
  })
})

describe('a pin that is nothing but a fingerprint', () => {
  const former = forgeCertificate({ commonName: 'example.org' })
  const next = forgeCertificate({ commonName: 'example.org', issuer: former })
  const stranger = forgeCertificate({ commonName: 'example.org' })
  const forged = forgeCertificate({ commonName: 'example.org', issuer: stranger })
  const ask = (presented: ForgedCertificate, ...above: ForgedCertificate[]) => {
    const chain = [presented, ...above].map(({ certificate }) => certificate)
    const endpoint = parseEndpoint('example.org:1965')
    const pin = pinOf(former.certificate, { keyDigest: null })
    return judgePins([pin], presented.certificate, { endpoint, now: NOW, chain }).kind
  }

  it('gets its key from the certificate that has the fingerprint, where the server shows it', () => {
    expect(ask(next, former)).toBe('rotated')
    expect(ask(next, stranger, former)).toBe('rotated')
    expect(ask(next)).toBe('changed')
  })

  it('gets no key from any other certificate', () => {
    expect(ask(forged, stranger)).toBe('changed')
    expect(ask(forged, stranger, former)).toBe('changed')
    expect(ask(forged, former, stranger)).toBe('changed')
    const third = forgeCertificate({ commonName: 'example.org', issuer: next })
    expect(ask(third, next, former)).toBe('changed')
  })
})

describe('a hostile key', () => {
  // X.509 with a P-256 key whose point is the single octet 00: OpenSSL takes it, and Node aborts when asked about it.
  function withInfinitePoint(forged: ForgedCertificate): Certificate {
    const der = Buffer.from(forged.der)
    const point = der.indexOf(Buffer.from('03420004', 'hex'))
    der[point + 3] = 0x00
    return Certificate.from(der)
  }

  it('in the presented certificate is never handed to OpenSSL', () => {
    const former = forgeCertificate({ commonName: 'example.org', key: 'Ed25519' })
    const presented = withInfinitePoint(forgeCertificate({ commonName: 'example.org', issuer: former }))
    expect(judge([pinOf(former.certificate)], presented, [former.certificate])).toMatchObject({ kind: 'changed' })
  })

  it('in the store is never handed to OpenSSL', async () => {
    const hostile = withInfinitePoint(forgeCertificate({ commonName: 'example.org' }))
    const presented = await certificateSignedBy(old.keyPem)
    expect(judge([pinOf(hostile)], presented, [hostile])).toMatchObject({ kind: 'changed' })
  })
})
