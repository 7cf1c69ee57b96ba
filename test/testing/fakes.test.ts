import { expect, it } from 'vitest'
import { Peer } from '../../src/certificate/peer.ts'
import { fixedClock, testPeer } from '../../src/testing/index.ts'
import { testCertificate } from '../support/certificates.ts'

it('holds a clock still until it is moved, in either direction', () => {
  const clock = fixedClock(new Date(1000))
  expect([clock(), clock()]).toEqual([1000, 1000])
  clock.advance(500)
  expect(clock()).toBe(1500)
  clock.advance(-1000)
  expect(clock()).toBe(500)
  clock.set(new Date(7))
  expect(clock()).toBe(7)
})

it('refuses to set a clock to no instant', () => {
  expect(() => fixedClock(new Date('nonsense'))).toThrow(RangeError)
  expect(() => fixedClock(new Date(0)).advance(Number.NaN)).toThrow(RangeError)
})

it('makes a peer that rules take for a real one', async () => {
  const { certificate } = await testCertificate()
  const peer = testPeer(certificate, { issuance: 'issued' })
  expect(Peer.is(peer)).toBe(true)
  expect(peer.fingerprint).toBe(certificate.fingerprint)
  expect(peer.issuance).toBe('issued')
})

it('makes no peer of what is no certificate', () => {
  expect(() => testPeer('nonsense')).toThrow(expect.objectContaining({ code: 'ERR_TLACACOCA_CERTIFICATE_MALFORMED' }))
})
