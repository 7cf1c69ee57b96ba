import { describe, expect, it } from 'vitest'
import { Certificate } from '../../src/certificate/certificate.ts'
import { Peer, type PeerFacts, VerifiedPeer } from '../../src/certificate/peer.ts'
import { fakePeer, fakeVerifiedPeer } from '../support/peer.ts'
import { vectorPem } from '../support/vectors.ts'

const certificate = Certificate.from(vectorPem('example-org'))
const facts: PeerFacts = { certificate, chain: [certificate], protocol: 'TLSv1.3' }

describe('a peer', () => {
  it('has the fingerprint and the dates of its certificate', () => {
    const peer = fakePeer(certificate)
    expect(peer.fingerprint).toBe(certificate.fingerprint)
    expect(peer.validityAt(new Date('2030-01-01T00:00:00Z'))).toBe('valid')
    expect(peer.validityAt(new Date('2040-01-01T00:00:00Z'))).toBe('expired')
    expect(peer).toMatchObject({ issuance: 'not_checked', issuanceProblem: null, protocol: 'TLSv1.3' })
  })

  it('cannot be made without a handshake', () => {
    const construct = Peer as unknown as new (mint: unknown, facts: PeerFacts) => Peer
    for (const mint of [undefined, null, Symbol('mint'), Symbol.for('mint'), 'mint', {}]) {
      expect(() => new construct(mint, facts)).toThrow(TypeError)
    }
    const Verified = VerifiedPeer as unknown as new (mint: unknown, facts: PeerFacts) => VerifiedPeer
    expect(() => new Verified(Symbol('mint'), facts)).toThrow(TypeError)
  })

  it('is known from everything that only looks like one', () => {
    const peer = fakePeer(certificate)
    expect(Peer.is(peer)).toBe(true)
    for (const other of [
      { ...peer },
      Object.create(peer),
      Object.create(Peer.prototype),
      facts,
      null,
      undefined,
      'x',
    ]) {
      expect(Peer.is(other)).toBe(false)
    }
  })

  it('stays what it was when the handshake was over', () => {
    const peer = fakePeer(certificate)
    const other = Certificate.from(vectorPem('p256'))
    expect(() => Object.assign(peer, { certificate: other })).toThrow(TypeError)
    expect(() => Object.assign(peer.certificate, { fingerprint: other.fingerprint })).toThrow(TypeError)
    expect(() => (peer.chain as Certificate[]).push(other)).toThrow(TypeError)
    expect(() => Object.assign(fakeVerifiedPeer(certificate), { acceptedBy: 'me' })).toThrow(TypeError)
    expect(peer.fingerprint).toBe(certificate.fingerprint)
  })

  it('is verified only if a verifier accepted it', () => {
    const verified = fakeVerifiedPeer(certificate, 'EXAMPLE.org.:1965', { acceptedBy: 'tofu: first_use' })
    expect(verified).toMatchObject({ acceptedBy: 'tofu: first_use' })
    expect(String(verified.endpoint)).toBe('example.org:1965')
    expect([VerifiedPeer.is(verified), Peer.is(verified), VerifiedPeer.is(fakePeer(certificate))]).toEqual([
      true,
      true,
      false,
    ])
    expect(VerifiedPeer.is({ ...verified })).toBe(false)
  })
})
