import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { endpointFrom, parseEndpoint } from '../../src/names/endpoint.ts'
import { MemoryPinStore } from '../../src/tofu/memory-pin-store.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import { tofu } from '../../src/tofu/verifier.ts'
import type { TofuEvent } from '../../src/tofu/visit.ts'
import { testCertificate } from '../support/certificates.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { certificateSignedBy, pinOf } from '../support/tofu-certificates.ts'

const DAY = 86_400_000
const endpoint = parseEndpoint('example.org:1965')
const { certificate: first, keyPem } = await testCertificate()
const { certificate: renewed } = await testCertificate({ keyPem })
const { certificate: other } = await testCertificate()
const { certificate: third } = await testCertificate()

// Everything holds for both kinds of store, so everything is tried on both.
describe.each([
  { where: 'memory', open: async (options = {}) => TofuStore.inMemory(options) },
  {
    where: 'a file',
    open: async (options = {}) => TofuStore.open({ ...options, path: join(await temporaryFolder(), 'pins.db') }),
  },
])('in $where', ({ open }) => {
  describe('verifyOrTrust', () => {
    it('records a first visit and recognises the next', async () => {
      const store = await open()
      expect(await store.verifyOrTrust(endpoint, first)).toMatchObject({ kind: 'first_use', accepted: true })
      expect(await store.verifyOrTrust(endpoint, first)).toMatchObject({
        kind: 'trusted',
        accepted: true,
        reason: 'pinned_certificate',
        endpoint: 'example.org:1965',
        presented: first.fingerprint,
        explanation: expect.stringMatching(/^example\.org:1965 shows .* last seen on \d{4}-\d\d-\d\d\.$/),
      })
      await store.close()
    })

    it('refuses another certificate with both fingerprints, and keeps the pin', async () => {
      const store = await open()
      await store.verifyOrTrust(endpoint, first)
      await expect(store.verifyOrTrust(endpoint, other)).rejects.toMatchObject({
        code: 'ERR_TLACACOCA_CERTIFICATE_CHANGED',
        endpoint: 'example.org:1965',
        pinned: first.fingerprint,
        presented: other.fingerprint,
      })
      expect(await store.verify(endpoint, first)).toMatchObject({ kind: 'trusted' })
      await store.close()
    })

    it('records a renewal with the same key and keeps the old certificate as history', async () => {
      const store = await open()
      await store.verifyOrTrust(endpoint, first)
      expect(await store.verifyOrTrust(endpoint, renewed)).toMatchObject({ kind: 'renewed', accepted: true })
      expect(await store.verify(endpoint, renewed)).toMatchObject({ kind: 'trusted' })
      // The old certificate has the pinned key, so that coming back to it is a renewal as well.
      expect(await store.judge(endpoint, first)).toMatchObject({ kind: 'renewed' })
      const states = (await store.pins(endpoint)).map((pin) => [pin.digest, pin.state])
      expect(Object.fromEntries(states)).toEqual({ [first.fingerprint]: 'replaced', [renewed.fingerprint]: 'trusted' })
      expect(await store.history(endpoint)).toMatchObject([
        { cause: 'first_use', old: null, new: first.fingerprint, decidedBy: 'policy' },
        { cause: 'renewed', old: first.fingerprint, new: renewed.fingerprint, decidedBy: 'policy' },
      ])
      await store.close()
    })

    it('keeps the owner’s word for a key through a renewal, and not through a change', async () => {
      const store = await open({ policy: { changed: 'ask', onChanged: () => ({ accept: true }) } })
      await store.trust(endpoint, first, { verified: true })
      await store.verifyOrTrust(endpoint, renewed)
      expect(await store.getHostInfo(endpoint)).toMatchObject({ fingerprint: renewed.fingerprint, state: 'verified' })
      await store.verifyOrTrust(endpoint, other)
      expect(await store.getHostInfo(endpoint)).toMatchObject({ fingerprint: other.fingerprint, state: 'trusted' })
      await store.close()
    })

    it('keeps a rotation signed by the old key for whoever decides, if told to, and takes it otherwise', async () => {
      const store = await open({ policy: { rotated: 'ask' } })
      const rotated = await certificateSignedBy(keyPem)
      await store.verifyOrTrust(endpoint, first)
      expect(await store.judge(endpoint, rotated)).toMatchObject({ kind: 'rotated', accepted: false })
      await expect(store.verifyOrTrust(endpoint, rotated)).rejects.toMatchObject({
        code: 'ERR_TLACACOCA_CERTIFICATE_CHANGED',
      })
      const decision = await store.verifier({ rotated: 'accept' }).verify(candidate(rotated))
      expect(decision).toEqual({ accept: true, ground: 'rotated' })
      expect(await store.verify(endpoint, rotated)).toMatchObject({ kind: 'trusted' })
      await expect(store.verify(endpoint, first)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_CERTIFICATE_CHANGED' })
      await store.close()
    })

    it('recognises what a known server announced, and only that', async () => {
      const store = await open({ policy: { rotated: 'accept' } })
      expect(await store.announce(endpoint, other)).toBe(false)
      await store.verifyOrTrust(endpoint, first)
      expect(await store.announce(endpoint, other.publicKeyFingerprint)).toBe(true)
      expect(await store.announce(endpoint, first)).toBe(false)
      await expect(store.verifyOrTrust(endpoint, third)).rejects.toThrow()
      expect(await store.verifyOrTrust(endpoint, other)).toMatchObject({ kind: 'rotated', reason: 'announced' })
      const states = (await store.pins(endpoint)).map((pin) => pin.state).sort()
      expect(states).toEqual(['replaced', 'trusted'])
      await store.close()
    })

    // Somebody in the middle was taken for the server once, and has said what they will show next.
    it.each<{ cure: string; by: (store: TofuStore) => Promise<unknown> }>([
      { cure: 'the user pins the right one', by: (store) => store.trust(endpoint, first) },
      { cure: 'the user replaces it', by: (store) => store.replace(endpoint, third.fingerprint, first) },
      { cure: 'the right one is accepted as a change', by: (store) => store.verifyOrTrust(endpoint, first) },
      {
        cure: 'the certificate is marked, and the next visit a first one',
        by: async (store) => {
          await store.distrust(endpoint, third)
          await store.verifyOrTrust(endpoint, first)
        },
      },
      {
        cure: 'the key is marked, and the right one pinned',
        by: async (store) => {
          await store.distrust(endpoint, third.publicKeyFingerprint)
          await store.pinIfAbsent(endpoint, first)
        },
      },
    ])('forgets what was announced when $cure', async ({ by }) => {
      const store = await open({ policy: { changed: 'ask', onChanged: () => ({ accept: true }) } })
      await store.verifyOrTrust(endpoint, first)
      await store.verifyOrTrust(endpoint, third)
      expect(await store.announce(endpoint, other)).toBe(true)
      await by(store)
      expect(await store.judge(endpoint, first)).toMatchObject({ kind: 'trusted' })
      expect(await store.judge(endpoint, other)).toMatchObject({ kind: 'changed' })
      await store.close()
    })

    it.each<{ what: string; by: (store: TofuStore) => Promise<unknown> }>([
      { what: 'a renewal', by: (store) => store.verifyOrTrust(endpoint, renewed) },
      { what: 'a renewal that the user pins', by: (store) => store.trust(endpoint, renewed) },
      { what: 'the user’s word for the pinned one', by: (store) => store.trust(endpoint, first, { verified: true }) },
      { what: 'the user’s word for its key', by: (store) => store.trust(endpoint, first.publicKeyFingerprint) },
      { what: 'another one beside it', by: (store) => store.trust(endpoint, third, { keepOthers: true }) },
      { what: 'a mark on a stranger', by: (store) => store.distrust(endpoint, third) },
    ])('keeps what was announced through $what', async ({ by }) => {
      const store = await open()
      await store.verifyOrTrust(endpoint, first)
      expect(await store.announce(endpoint, other)).toBe(true)
      await by(store)
      expect(await store.judge(endpoint, other)).toMatchObject({ kind: 'rotated', reason: 'announced' })
      await store.close()
    })

    it('keeps what else was announced through a rotation', async () => {
      const store = await open()
      await store.verifyOrTrust(endpoint, first)
      await store.announce(endpoint, other.publicKeyFingerprint)
      await store.announce(endpoint, third)
      expect(await store.verifyOrTrust(endpoint, other)).toMatchObject({ kind: 'rotated', reason: 'announced' })
      expect(await store.judge(endpoint, third)).toMatchObject({ kind: 'rotated', reason: 'announced' })
      await store.close()
    })

    it('keeps as history a key that was pinned itself, when a certificate for it is pinned', async () => {
      const store = await open({ policy: { changed: 'ask', onChanged: () => ({ accept: true }) } })
      await store.trust(endpoint, other.publicKeyFingerprint)
      await store.trust(endpoint, first)
      await store.verifyOrTrust(endpoint, other)
      const states = (await store.pins(endpoint)).map((pin) => [pin.digest, pin.state])
      expect(Object.fromEntries(states)).toMatchObject({
        [other.publicKeyFingerprint]: 'replaced',
        [other.fingerprint]: 'trusted',
      })
      await store.close()
    })

    it('knows ports apart', async () => {
      const store = await open()
      await store.verifyOrTrust(endpoint, first)
      const elsewhere = endpointFrom('example.org', 1966)
      expect(await store.verifyOrTrust(elsewhere, other)).toMatchObject({ kind: 'first_use' })
      expect(await store.verify(endpoint, first)).toMatchObject({ kind: 'trusted' })
      expect(await store.verify(elsewhere, other)).toMatchObject({ kind: 'trusted' })
      await store.close()
    })

    it.each([
      ['example.org:1965', 'EXAMPLE.org:1965', 'example.org.:1965', 'eXample.ORG.:1965'],
      ['bücher.example:1965', 'xn--bcher-kva.example:1965', 'BÜCHER.example.:1965', 'XN--BCHER-KVA.example:1965'],
      ['[::1]:1965', '[0:0:0:0:0:0:0:1]:1965', '[0::0001]:1965', '[::0:1]:1965'],
      ['127.0.0.1:1965', '[::ffff:127.0.0.1]:1965', '[::FFFF:7f00:1]:1965'],
    ])('knows %s by every spelling', async (spelling, ...others) => {
      const store = await open()
      await store.verifyOrTrust(parseEndpoint(spelling), first)
      for (const text of others) {
        expect(await store.verify(parseEndpoint(text), first)).toMatchObject({ kind: 'trusted' })
        await expect(store.verifyOrTrust(parseEndpoint(text), other)).rejects.toMatchObject({
          pinned: first.fingerprint,
        })
      }
      expect(await store.listHosts()).toHaveLength(1)
      await store.close()
    })
  })

  // One for each of its machines.
  describe('a server with several pins', () => {
    const kinds = async (store: TofuStore, ...certificates: (typeof first)[]) =>
      Promise.all(certificates.map(async (each) => (await store.judge(endpoint, each)).kind))

    it('keeps the others when it is clear which one was renewed', async () => {
      const store = await open()
      await store.trust(endpoint, first)
      await store.trust(endpoint, other, { keepOthers: true })
      expect(await store.verifyOrTrust(endpoint, renewed)).toMatchObject({ kind: 'renewed' })
      expect(await kinds(store, renewed, other, first)).toEqual(['trusted', 'trusted', 'renewed'])
      await store.close()
    })

    it('keeps the others when it is clear which one was rotated, and nothing of the old key', async () => {
      const store = await open()
      await store.trust(endpoint, other)
      await store.trust(endpoint, renewed, { keepOthers: true })
      await store.trust(endpoint, first, { keepOthers: true })
      const rotated = await certificateSignedBy(keyPem)
      expect(await store.verifyOrTrust(endpoint, rotated)).toMatchObject({ kind: 'rotated' })
      expect(await kinds(store, rotated, other, first, renewed)).toEqual(['trusted', 'trusted', 'changed', 'changed'])
      await store.close()
    })

    it('keeps a fingerprint of which no key is known when another such one was rotated', async () => {
      const store = await open()
      await store.trust(endpoint, other.fingerprint)
      await store.trust(endpoint, first.fingerprint, { keepOthers: true })
      const rotated = await certificateSignedBy(keyPem)
      const verifier = store.verifier()
      expect(await verifier.verify({ ...candidate(rotated), chain: [rotated, first] })).toMatchObject({
        ground: 'rotated',
      })
      expect(await kinds(store, rotated, other, first)).toEqual(['trusted', 'trusted', 'changed'])
      await store.close()
    })

    it('is left with nothing else once a change was accepted', async () => {
      const store = await open({ policy: { changed: 'ask', onChanged: () => ({ accept: true }) } })
      await store.trust(endpoint, first)
      await store.trust(endpoint, other, { keepOthers: true })
      expect(await store.verifyOrTrust(endpoint, third)).toMatchObject({ kind: 'changed', accepted: true })
      expect(await kinds(store, third, first, other)).toEqual(['trusted', 'changed', 'changed'])
      expect((await store.pins(endpoint)).filter(({ state }) => state === 'replaced')).toHaveLength(2)
      await store.close()
    })
  })

  describe('verify', () => {
    it('refuses a first visit and records nothing, so that whoever never trusts trusts nobody', async () => {
      const store = await open()
      for (const certificate of [first, other]) {
        await expect(store.verify(endpoint, certificate)).rejects.toMatchObject({
          code: 'ERR_TLACACOCA_FIRST_USE_REFUSED',
          presented: certificate.fingerprint,
        })
      }
      expect(await store.pins(endpoint)).toEqual([])
      await store.close()
    })

    it('does not ask about a first visit either', async () => {
      const onFirstUse = vi.fn(() => ({ accept: true }))
      const store = await open({ policy: { firstUse: 'ask', onFirstUse } })
      await expect(store.verify(endpoint, first)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FIRST_USE_REFUSED' })
      expect(onFirstUse).not.toHaveBeenCalled()
      await store.close()
    })

    it('takes a renewal that the policy takes, and records it', async () => {
      const store = await open()
      await store.trust(endpoint, first)
      expect(await store.verify(endpoint, renewed)).toMatchObject({ kind: 'renewed' })
      expect(await store.getHostInfo(endpoint)).toMatchObject({ fingerprint: renewed.fingerprint })
      await store.close()
    })
  })

  describe('judge', () => {
    it('changes nothing and asks nobody', async () => {
      const ask = vi.fn(() => ({ accept: true }))
      const store = await open({ policy: { onFirstUse: ask, onChanged: ask, rotated: 'ask', renewed: 'ask' } })
      expect(await store.judge(endpoint, first)).toMatchObject({ kind: 'first_use', accepted: false })
      expect(await store.pins(endpoint)).toEqual([])
      await store.trust(endpoint, first)
      const before = await store.pins(endpoint)
      expect(await store.judge(endpoint, renewed)).toMatchObject({ kind: 'renewed', accepted: false })
      expect(await store.judge(endpoint, other)).toMatchObject({ kind: 'changed', accepted: false })
      expect(await store.judge(endpoint, first)).toMatchObject({ kind: 'trusted', accepted: true })
      expect(await store.pins(endpoint)).toEqual(before)
      expect(ask).not.toHaveBeenCalled()
      await store.close()
    })
  })

  describe('the day of the last visit', () => {
    it('is written when 24 hours have passed, and counted', async () => {
      let now = Date.parse('2030-06-01T12:00:00Z')
      const store = await open({ clock: () => now })
      await store.verifyOrTrust(endpoint, first)
      const start = new Date(now)
      now += DAY - 1
      expect(await store.verify(endpoint, first)).toMatchObject({ kind: 'trusted', lastSeen: start })
      expect(await store.getHostInfo(endpoint)).toMatchObject({ lastSeen: start, daysSeen: 1 })
      now += 1
      expect(await store.verify(endpoint, first)).toMatchObject({ kind: 'trusted', lastSeen: start })
      expect(await store.getHostInfo(endpoint)).toMatchObject({
        firstSeen: start,
        lastSeen: new Date(now),
        daysSeen: 2,
      })
      await store.close()
    })

    it('is put right if the clock had been wrong', async () => {
      let now = Date.parse('2099-01-01T00:00:00Z')
      const store = await open({ clock: () => now })
      await store.verifyOrTrust(endpoint, first)
      now = Date.parse('2030-06-01T12:00:00Z')
      expect(await store.verify(endpoint, first)).toMatchObject({ kind: 'trusted' })
      expect(await store.getHostInfo(endpoint)).toMatchObject({ lastSeen: new Date(now) })
      await store.close()
    })

    it('is kept for a pin of a key too, whose certificates come and go', async () => {
      let now = Date.parse('2030-06-01T12:00:00Z')
      const store = await open({ clock: () => now })
      await store.trust(endpoint, first.publicKeyFingerprint)
      expect(await store.verify(endpoint, first)).toMatchObject({ kind: 'trusted', reason: 'pinned_key' })
      now += 2 * DAY
      expect(await store.verify(endpoint, renewed)).toMatchObject({ kind: 'trusted', reason: 'pinned_key' })
      expect(await store.pins(endpoint)).toMatchObject([
        { digest: first.publicKeyFingerprint, lastSeen: new Date(now), daysSeen: 1, notAfter: null },
      ])
      await store.close()
    })
  })

  describe('a fingerprint that somebody told', () => {
    it('is pinned, and completed when its certificate comes', async () => {
      const store = await open()
      await store.trust(endpoint, first.fingerprint, { verified: true, note: 'from the card' })
      expect(await store.getHostInfo(endpoint)).toMatchObject({ keyFingerprint: null, notAfter: null, daysSeen: 0 })
      expect(await store.judge(endpoint, renewed)).toMatchObject({ kind: 'changed' })
      expect(await store.verify(endpoint, first)).toMatchObject({ kind: 'trusted' })
      expect(await store.getHostInfo(endpoint)).toMatchObject({
        state: 'verified',
        keyFingerprint: first.publicKeyFingerprint,
        notAfter: first.notAfter,
        note: 'from the card',
      })
      expect(await store.judge(endpoint, renewed)).toMatchObject({ kind: 'renewed' })
      await store.close()
    })

    it('is matched if it is a SHA-512', async () => {
      const store = await open()
      await store.trust(endpoint, first.sha512Fingerprint)
      expect(await store.verify(endpoint, first)).toMatchObject({ kind: 'trusted' })
      await expect(store.verify(endpoint, other)).rejects.toMatchObject({ pinned: first.sha512Fingerprint })
      await store.close()
    })

    it.each(['sha1:00', 'SHA256:AA', '', 'example.org', 5, null, undefined, {}])(
      'is refused if it is %j',
      async (what) => {
        const store = await open()
        await expect(store.trust(endpoint, what as never)).rejects.toThrow(TypeError)
        await expect(store.distrust(endpoint, what as never)).rejects.toThrow(TypeError)
        await expect(store.pinIfAbsent(endpoint, what as never)).rejects.toThrow(TypeError)
        await expect(store.replace(endpoint, what as never, first)).rejects.toThrow(TypeError)
        expect(await store.listHosts()).toEqual([])
        await store.close()
      },
    )
  })

  describe('trust', () => {
    it('replaces what is pinned and keeps the history', async () => {
      const store = await open()
      await store.verifyOrTrust(endpoint, first)
      await store.trust(endpoint, other)
      await expect(store.verify(endpoint, first)).rejects.toMatchObject({ pinned: other.fingerprint })
      expect(await store.verify(endpoint, other)).toMatchObject({ kind: 'trusted' })
      expect(await store.history(endpoint)).toMatchObject([
        { cause: 'first_use', new: first.fingerprint },
        { cause: 'trusted', old: first.fingerprint, new: other.fingerprint, decidedBy: 'user' },
      ])
      await store.close()
    })

    it('keeps the others if it is told to', async () => {
      const store = await open()
      await store.trust(endpoint, first)
      await store.trust(endpoint, other, { keepOthers: true })
      expect(await store.verify(endpoint, first)).toMatchObject({ kind: 'trusted' })
      expect(await store.verify(endpoint, other)).toMatchObject({ kind: 'trusted' })
      await store.trust(endpoint, third)
      await expect(store.verify(endpoint, first)).rejects.toThrow()
      await expect(store.verify(endpoint, other)).rejects.toThrow()
      await store.close()
    })

    it('remembers a pin that comes back for as long as it was known', async () => {
      let now = Date.parse('2030-06-01T12:00:00Z')
      const store = await open({ clock: () => now })
      await store.trust(endpoint, first)
      const start = new Date(now)
      now += 3 * DAY
      await store.trust(endpoint, other)
      await store.trust(endpoint, first)
      expect(await store.getHostInfo(endpoint)).toMatchObject({
        firstSeen: start,
        lastSeen: new Date(now),
        daysSeen: 2,
      })
      await store.close()
    })
  })

  describe('the days on which a certificate was seen', () => {
    it('are counted once a day, however often it is trusted', async () => {
      let now = Date.parse('2030-06-01T12:00:00Z')
      const store = await open({ clock: () => now })
      const days = async () => (await store.getHostInfo(endpoint))?.daysSeen
      await store.trust(endpoint, first.fingerprint)
      expect(await days()).toBe(0)
      for (const each of [first, first, other, first]) await store.trust(endpoint, each)
      expect(await days()).toBe(1)
      now += DAY
      for (const each of [other, first, first]) await store.trust(endpoint, each)
      expect(await days()).toBe(2)
      await store.close()
    })
  })

  describe('pinIfAbsent', () => {
    it('pins once, and then tells what is pinned', async () => {
      const store = await open()
      expect(await store.pinIfAbsent(endpoint, first)).toMatchObject({
        pinned: true,
        pin: { digest: first.fingerprint },
      })
      expect(await store.pinIfAbsent(endpoint, other)).toMatchObject({
        pinned: false,
        pin: { digest: first.fingerprint },
      })
      await store.close()
    })
  })

  describe('replace', () => {
    it.each([
      { what: 'the live pin', expected: first.fingerprint, done: true },
      { what: 'another', expected: third.fingerprint, done: false },
      { what: 'its key', expected: first.publicKeyFingerprint, done: false },
    ])('given $what answers $done', async ({ expected, done }) => {
      const store = await open()
      await store.trust(endpoint, first)
      expect(await store.replace(endpoint, expected, other)).toBe(done)
      expect(await store.getHostInfo(endpoint)).toMatchObject({ fingerprint: (done ? other : first).fingerprint })
      await store.close()
    })

    it('does nothing where nothing is pinned, or more than was expected', async () => {
      const store = await open()
      expect(await store.replace(endpoint, first.fingerprint, other)).toBe(false)
      await store.trust(endpoint, first)
      await store.trust(endpoint, third, { keepOthers: true })
      expect(await store.replace(endpoint, first.fingerprint, other)).toBe(false)
      await store.close()
    })
  })

  describe('revoke', () => {
    it('forgets an endpoint, so that the next visit is a first one', async () => {
      const store = await open()
      await store.verifyOrTrust(endpoint, first)
      expect(await store.revoke(endpoint)).toBe(true)
      expect(await store.revoke(endpoint)).toBe(false)
      expect(await store.getHostInfo(endpoint)).toBeNull()
      expect(await store.verifyOrTrust(endpoint, other)).toMatchObject({ kind: 'first_use' })
      expect(await store.history(endpoint)).toMatchObject([
        { cause: 'first_use' },
        { cause: 'revoked' },
        { cause: 'first_use' },
      ])
      await store.close()
    })

    it('by host name takes every port of exactly that host', async () => {
      const store = await open()
      const kept = [
        'example.com:1965',
        'a.example.org:1965',
        'example.orga:1965',
        'xexample.org:1965',
        'example.org.uk:1965',
      ]
      const gone = ['example.org:1', 'example.org:1965', 'example.org:19650', 'example.org:65535']
      for (const text of [...kept, ...gone]) await store.trust(parseEndpoint(text), first)
      expect(await store.countByHostname('EXAMPLE.org.')).toBe(4)
      expect(await store.countByHostname('example')).toBe(0)
      expect(await store.revokeByHostname('example')).toBe(0)
      expect(await store.revokeByHostname('Example.ORG.')).toBe(4)
      expect(await store.revokeByHostname('example.org')).toBe(0)
      expect((await store.listHosts()).map((host) => host.endpoint).sort()).toEqual([...kept].sort())
      await store.close()
    })

    it.each([
      { host: '::1', gone: ['[::1]:1', '[::1]:1965'], kept: ['[::11]:1965', '[::1:1]:1965', '127.0.0.1:1965'] },
      { host: '10.0.0.1', gone: ['10.0.0.1:1965'], kept: ['10.0.0.11:1965', '110.0.0.1:1965'] },
    ])('by host name knows the address $host', async ({ host, gone, kept }) => {
      const store = await open()
      for (const text of [...gone, ...kept]) await store.trust(parseEndpoint(text), first)
      expect(await store.countByHostname(host)).toBe(gone.length)
      expect(await store.revokeByHostname(host)).toBe(gone.length)
      expect((await store.listHosts()).map((info) => info.endpoint).sort()).toEqual([...kept].sort())
      await store.close()
    })

    it.each(['', '%', '*', 'a b', 'example.org:1965', 'x'.repeat(300)])('by host name refuses %j', async (host) => {
      const store = await open()
      await store.trust(endpoint, first)
      await expect(store.revokeByHostname(host)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_ENDPOINT_INVALID' })
      expect(await store.getHostInfo(endpoint)).not.toBeNull()
      await store.close()
    })
  })

  describe('distrust', () => {
    it.each([
      { what: 'a certificate', mark: first, also: [] },
      { what: 'a SHA-256', mark: first.fingerprint, also: [] },
      { what: 'a SHA-512', mark: first.sha512Fingerprint, also: [] },
      { what: 'a key', mark: first.publicKeyFingerprint, also: [renewed] },
    ])('of $what takes the pin away at once, and for good', async ({ mark, also }) => {
      const store = await open()
      await store.verifyOrTrust(endpoint, first)
      await store.distrust(endpoint, mark, { note: 'stolen' })
      for (const certificate of [first, ...also]) {
        const marked = { code: 'ERR_TLACACOCA_CERTIFICATE_DISTRUSTED', presented: certificate.fingerprint }
        await expect(store.verify(endpoint, certificate)).rejects.toMatchObject(marked)
        await expect(store.verifyOrTrust(endpoint, certificate)).rejects.toMatchObject(marked)
        await expect(store.trust(endpoint, certificate)).rejects.toMatchObject(marked)
        await expect(store.pinIfAbsent(endpoint, certificate)).rejects.toMatchObject(marked)
        expect(await store.announce(endpoint, certificate)).toBe(false)
        expect(await store.judge(endpoint, certificate)).toMatchObject({ kind: 'distrusted', mark: { note: 'stolen' } })
      }
      await store.close()
    })

    it('again changes nothing, and the first note stays', async () => {
      const store = await open()
      await store.distrust(endpoint, first, { note: 'stolen' })
      const before = [await store.pins(endpoint), await store.history(endpoint)]
      for (const again of [first, first.fingerprint]) await store.distrust(endpoint, again, { note: 'lost' })
      expect([await store.pins(endpoint), await store.history(endpoint)]).toEqual(before)
      await store.close()
    })

    it('of a SHA-512 is heeded for a pin of which only the SHA-256 is known', async () => {
      const store = await open()
      await store.trust(endpoint, first.fingerprint)
      await store.distrust(endpoint, first.sha512Fingerprint)
      await expect(store.verify(endpoint, first)).rejects.toMatchObject({
        code: 'ERR_TLACACOCA_CERTIFICATE_DISTRUSTED',
      })
      await store.liftDistrust(endpoint, first.sha512Fingerprint)
      await store.trust(endpoint, first)
      await store.trust(endpoint, other)
      await store.distrust(endpoint, first.sha512Fingerprint)
      await store.trust(endpoint, first.fingerprint)
      await expect(store.verify(endpoint, first)).rejects.toMatchObject({
        code: 'ERR_TLACACOCA_CERTIFICATE_DISTRUSTED',
      })
      await store.close()
    })

    it('of a SHA-512 leaves other pins alone', async () => {
      const store = await open()
      await store.verifyOrTrust(endpoint, other)
      await store.distrust(endpoint, first.sha512Fingerprint)
      expect(await store.verify(endpoint, other)).toMatchObject({ kind: 'trusted' })
      expect(await store.verify(endpoint, other)).toMatchObject({ kind: 'trusted' })
      await store.close()
    })

    it('of a certificate that is pinned by its SHA-512 takes that pin away', async () => {
      const store = await open()
      await store.trust(endpoint, first.sha512Fingerprint)
      await store.distrust(endpoint, first)
      await expect(store.verify(endpoint, first)).rejects.toMatchObject({
        code: 'ERR_TLACACOCA_CERTIFICATE_DISTRUSTED',
      })
      expect(await store.getHostInfo(endpoint)).toBeNull()
      await store.close()
    })

    it('outlives revoke and clear', async () => {
      const store = await open()
      await store.trust(endpoint, first)
      await store.distrust(endpoint, other)
      await store.revoke(endpoint)
      expect(await store.revokeByHostname('example.org')).toBe(0)
      expect(await store.clear()).toEqual({ subjects: 0, pins: 0, kept: 1 })
      await expect(store.verifyOrTrust(endpoint, other)).rejects.toMatchObject({
        code: 'ERR_TLACACOCA_CERTIFICATE_DISTRUSTED',
      })
      expect(await store.listDistrusted()).toMatchObject([{ subject: 'example.org:1965', digest: other.fingerprint }])
      await store.close()
    })

    it('is of one endpoint, and can be taken back', async () => {
      const store = await open()
      await store.distrust(endpoint, first)
      expect(await store.verifyOrTrust(endpointFrom('example.org', 1966), first)).toMatchObject({ kind: 'first_use' })
      expect(await store.liftDistrust(endpoint, other.fingerprint)).toBe(false)
      expect(await store.liftDistrust(endpoint, first.fingerprint)).toBe(true)
      expect(await store.liftDistrust(endpoint, first.fingerprint)).toBe(false)
      expect(await store.verifyOrTrust(endpoint, first)).toMatchObject({ kind: 'first_use' })
      await store.close()
    })

    it('lifted from a pin does not bring the pin back', async () => {
      const store = await open()
      await store.trust(endpoint, first)
      await store.distrust(endpoint, first)
      await store.liftDistrust(endpoint, first.fingerprint)
      expect(await store.judge(endpoint, first)).toMatchObject({ kind: 'first_use' })
      await store.close()
    })
  })

  describe('clear', () => {
    it('forgets everything and counts it', async () => {
      const store = await open()
      await store.verifyOrTrust(endpoint, first)
      await store.verifyOrTrust(endpoint, renewed)
      await store.verifyOrTrust(endpointFrom('b.example', 1965), other)
      expect(await store.clear()).toEqual({ subjects: 2, pins: 3, kept: 0 })
      expect(await store.listHosts()).toEqual([])
      expect(await store.history(endpoint)).toEqual([])
      expect(await store.clear()).toEqual({ subjects: 0, pins: 0, kept: 0 })
      await store.close()
    })
  })

  describe('listing', () => {
    it('tells what is known of a host, or null', async () => {
      const now = Date.parse('2030-06-01T12:00:00Z')
      const store = await open({ clock: () => now })
      expect(await store.getHostInfo(endpoint)).toBeNull()
      await store.verifyOrTrust(endpoint, first)
      expect(await store.getHostInfo(endpoint)).toMatchObject({
        endpoint: 'example.org:1965',
        host: 'example.org',
        port: 1965,
        fingerprint: first.fingerprint,
        state: 'trusted',
        firstSeen: new Date(now),
        lastSeen: new Date(now),
        daysSeen: 1,
        notAfter: first.notAfter,
        keyFingerprint: first.publicKeyFingerprint,
        source: 'first_use',
        note: null,
      })
      await store.close()
    })

    it('leaves out mailboxes, which are no hosts', async () => {
      const pins = new MemoryPinStore()
      const put = [pinOf(first, { subject: 'ana@example.org' })]
      pins.update({ changes: [{ subject: 'ana@example.org', expect: [], put, remove: [] }], log: [] })
      const store = new TofuStore(pins)
      await store.trust(endpoint, other)
      expect((await store.listHosts()).map((host) => host.endpoint)).toEqual(['example.org:1965'])
      expect(await store.listHostsPage({ limit: 1 })).toEqual({ hosts: [], next: 'ana@example.org' })
      expect(await store.countByHostname('example.org')).toBe(1)
    })

    it('goes by the page, each host once, in order', async () => {
      const store = await open()
      const names = Array.from({ length: 25 }, (_, n) => `host${String(n).padStart(2, '0')}.example:1965`)
      for (const name of names.toReversed()) await store.trust(parseEndpoint(name), first)
      await store.distrust(parseEndpoint('marked.example:1965'), first)
      const seen: string[] = []
      let after: string | null = null
      let pages = 0
      do {
        const page = await store.listHostsPage(after === null ? { limit: 10 } : { limit: 10, after })
        seen.push(...page.hosts.map((host) => host.endpoint))
        after = page.next
        pages++
      } while (after !== null)
      expect(pages).toBe(3)
      expect(seen).toEqual(names)
      expect((await store.listHosts()).map((host) => host.endpoint)).toEqual(names)
      await expect(store.listHostsPage({ limit: 0 })).rejects.toThrow(RangeError)
      await store.close()
    })
  })

  describe('the policy', () => {
    it('can refuse first visits', async () => {
      const store = await open({ policy: { firstUse: 'refuse' } })
      await expect(store.verifyOrTrust(endpoint, first)).rejects.toMatchObject({
        code: 'ERR_TLACACOCA_FIRST_USE_REFUSED',
      })
      expect(await store.pins(endpoint)).toEqual([])
      await store.close()
    })

    it('can refuse renewals, as any other change', async () => {
      const store = await open({ policy: { renewed: 'refuse' } })
      await store.verifyOrTrust(endpoint, first)
      await expect(store.verifyOrTrust(endpoint, renewed)).rejects.toMatchObject({
        code: 'ERR_TLACACOCA_CERTIFICATE_CHANGED',
        pinned: first.fingerprint,
        presented: renewed.fingerprint,
      })
      expect(await store.getHostInfo(endpoint)).toMatchObject({ fingerprint: first.fingerprint })
      await store.close()
    })

    it('that would ask is a no where nobody can be asked', async () => {
      const store = await open({ policy: { firstUse: 'ask', renewed: 'ask', changed: 'ask' } })
      await expect(store.verifyOrTrust(endpoint, first)).rejects.toMatchObject({
        code: 'ERR_TLACACOCA_FIRST_USE_REFUSED',
      })
      await store.trust(endpoint, first)
      for (const certificate of [renewed, other]) {
        await expect(store.verifyOrTrust(endpoint, certificate)).rejects.toMatchObject({
          code: 'ERR_TLACACOCA_CERTIFICATE_CHANGED',
        })
      }
      await store.close()
    })

    it('shows the verdict on a first visit to whoever decides', async () => {
      const onFirstUse = vi.fn(() => ({ accept: true }))
      const store = await open({ policy: { onFirstUse } })
      await store.verifyOrTrust(endpoint, first)
      expect(onFirstUse).toHaveBeenCalledWith(
        expect.objectContaining({ kind: 'first_use', presented: first.fingerprint, accepted: false }),
      )
      await store.close()
    })

    it.each([
      { answer: { accept: true }, accepted: true },
      { answer: Promise.resolve({ accept: true }), accepted: true },
      { answer: { accept: false }, accepted: false },
      { answer: {}, accepted: false },
      { answer: true, accepted: false },
      { answer: { accept: 'yes' }, accepted: false },
      { answer: { accept: Promise.resolve(true) }, accepted: false },
      { answer: null, accepted: false },
      { answer: undefined, accepted: false },
    ])('asks, and takes $answer as $accepted', async ({ answer, accepted }) => {
      const callback = () => answer as never
      const store = await open({ policy: { changed: 'ask', onFirstUse: callback, onChanged: callback } })
      const visit = store.verifyOrTrust(endpoint, first)
      if (accepted) expect(await visit).toMatchObject({ kind: 'first_use' })
      else await expect(visit).rejects.toMatchObject({ code: 'ERR_TLACACOCA_FIRST_USE_REFUSED' })
      await store.trust(endpoint, first)
      const change = store.verifyOrTrust(endpoint, other)
      if (accepted) expect(await change).toMatchObject({ kind: 'changed', accepted: true })
      else await expect(change).rejects.toMatchObject({ code: 'ERR_TLACACOCA_CERTIFICATE_CHANGED' })
      await store.close()
    })

    it('refuses if the callback fails', async () => {
      const store = await open({
        policy: {
          changed: 'ask',
          onChanged: () => {
            throw new Error('no terminal')
          },
        },
      })
      await store.trust(endpoint, first)
      await expect(store.verifyOrTrust(endpoint, other)).rejects.toThrow('no terminal')
      expect(await store.getHostInfo(endpoint)).toMatchObject({ fingerprint: first.fingerprint })
      await store.close()
    })

    it('shows the callback the verdict, and records who decided', async () => {
      const onChanged = vi.fn(() => ({ accept: true }))
      const store = await open({ policy: { changed: { early: 'ask' }, onChanged } })
      await store.trust(endpoint, first)
      await store.verifyOrTrust(endpoint, other)
      expect(onChanged).toHaveBeenCalledWith(
        expect.objectContaining({ kind: 'changed', pinned: first.fingerprint, presented: other.fingerprint }),
      )
      expect((await store.history(endpoint)).at(-1)).toMatchObject({ cause: 'changed', decidedBy: 'callback' })
      await expect(store.verify(endpoint, first))
        .rejects.toMatchObject({ code: 'ERR_TLACACOCA_CERTIFICATE_CHANGED' })
        .catch(() => {})
      await store.close()
    })

    it('asks nobody about an early change unless told to, whoever is there', async () => {
      const onChanged = vi.fn(() => ({ accept: true }))
      for (const changed of [undefined, { pinned_expired: 'accept', authority_vouched: 'accept' } as const]) {
        const store = await open({ policy: { onChanged, ...(changed === undefined ? {} : { changed }) } })
        await store.trust(endpoint, first)
        await expect(store.verifyOrTrust(endpoint, other)).rejects.toMatchObject({
          code: 'ERR_TLACACOCA_CERTIFICATE_CHANGED',
        })
        expect(await store.getHostInfo(endpoint)).toMatchObject({ fingerprint: first.fingerprint })
        await store.close()
      }
      expect(onChanged).not.toHaveBeenCalled()
    })

    it('accepts what an authority vouches for only if told to, and leaves a line in the history', async () => {
      const policy = { vouches: () => ({ vouched: true }), changed: { authority_vouched: 'accept' } } as const
      const store = await open({ policy })
      await store.trust(endpoint, first)
      expect(await store.verifyOrTrust(endpoint, other)).toMatchObject({
        kind: 'changed',
        accepted: true,
        rule: 'changed.authority_vouched',
        word: 'accept',
      })
      expect((await store.history(endpoint)).at(-1)).toMatchObject({
        cause: 'changed',
        old: first.fingerprint,
        new: other.fingerprint,
        decidedBy: 'policy',
      })
      await store.close()
    })

    it('learns whether an authority vouches, which accepts nothing by itself', async () => {
      const vouches = vi.fn(async () => ({ vouched: true }))
      const store = await open({ policy: { vouches } })
      await store.trust(endpoint, first)
      expect(await store.judge(endpoint, other, { chain: [other, third] })).toMatchObject({
        kind: 'changed',
        accepted: false,
        reason: 'authority_vouched',
      })
      expect(vouches).toHaveBeenCalledWith({ endpoint, certificate: other, chain: [other, third] })
      await expect(store.verifyOrTrust(endpoint, other)).rejects.toMatchObject({
        code: 'ERR_TLACACOCA_CERTIFICATE_CHANGED',
      })
      await store.close()
    })

    it('asks no authority about what needs none, and shows it the certificate where no chain came', async () => {
      const vouches = vi.fn(() => ({ vouched: true }))
      const store = await open({ policy: { vouches } })
      expect(await store.judge(endpoint, first)).toMatchObject({ kind: 'first_use' })
      await store.trust(endpoint, first)
      const rotated = await certificateSignedBy(keyPem)
      expect(await store.judge(endpoint, rotated)).toMatchObject({ kind: 'rotated', reason: 'signed_by_pinned_key' })
      expect(await store.judge(endpoint, renewed)).toMatchObject({ kind: 'renewed' })
      expect(vouches).not.toHaveBeenCalled()
      await store.judge(endpoint, other)
      expect(vouches).toHaveBeenCalledExactlyOnceWith({ endpoint, certificate: other, chain: [other] })
      await store.close()
    })

    it.each([{ vouched: false }, {}, { vouched: 'yes' }, { vouched: 1 }])(
      'takes %j for not vouched',
      async (answer) => {
        const store = await open({ policy: { vouches: () => answer as never } })
        await store.trust(endpoint, first)
        expect(await store.judge(endpoint, other)).toMatchObject({ kind: 'changed', reason: 'early' })
        await store.close()
      },
    )
  })

  describe('events', () => {
    it('tell what was not simply recognised, and how it was decided', async () => {
      const events: TofuEvent[] = []
      const store = await open({ onEvent: (event: TofuEvent) => events.push(event) })
      await store.verifyOrTrust(endpoint, first)
      await store.verifyOrTrust(endpoint, first)
      await store.verifyOrTrust(endpoint, renewed)
      await store.verifyOrTrust(endpoint, other).catch(() => {})
      await store.distrust(endpoint, third)
      await store.verifyOrTrust(endpoint, third).catch(() => {})
      await store.judge(endpoint, other)
      expect(events).toMatchObject([
        { kind: 'accepted', verdict: { kind: 'first_use', accepted: true }, decidedBy: 'policy' },
        { kind: 'accepted', verdict: { kind: 'renewed', accepted: true }, decidedBy: 'policy' },
        { kind: 'refused', verdict: { kind: 'changed', accepted: false }, decidedBy: 'policy' },
        { kind: 'refused', verdict: { kind: 'distrusted', accepted: false }, decidedBy: 'policy' },
      ])
      await store.close()
    })

    it('cannot change a decision by throwing', async () => {
      const store = await open({
        onEvent: () => {
          throw new Error('the log is full')
        },
      })
      expect(await store.verifyOrTrust(endpoint, first)).toMatchObject({ kind: 'first_use' })
      await expect(store.verifyOrTrust(endpoint, other)).rejects.toMatchObject({
        code: 'ERR_TLACACOCA_CERTIFICATE_CHANGED',
      })
      await store.close()
    })
  })

  it.each(['example.org:1965', { host: 'example.org', port: 1965 }, null, undefined])(
    'takes no %j for an endpoint',
    async (text) => {
      const store = await open()
      await expect(store.verifyOrTrust(text as never, first)).rejects.toThrow(/"endpoint" expected an Endpoint/)
      await expect(store.trust(text as never, first)).rejects.toThrow(/"endpoint" expected an Endpoint/)
      await expect(store.revoke(text as never)).rejects.toThrow(/"endpoint" expected an Endpoint/)
      await store.close()
    },
  )

  // What `getPeerCertificate()` gives on a resumed session is `{}`: nothing to compare must not mean nothing to fear.
  it.each([{}, null, undefined, '', first.fingerprint])('takes no %j for a certificate', async (nothing) => {
    const store = await open()
    await expect(store.verifyOrTrust(endpoint, nothing as never)).rejects.toThrow(
      /"certificate" expected a Certificate/,
    )
    await expect(store.verify(endpoint, nothing as never)).rejects.toThrow(/"certificate" expected a Certificate/)
    await expect(store.judge(endpoint, nothing as never)).rejects.toThrow(/"certificate" expected a Certificate/)
    expect(await store.listHosts()).toEqual([])
    await store.close()
  })

  it('is closed by `await using`, and answers nothing from then on', async () => {
    const store = await open()
    await store.verifyOrTrust(endpoint, first)
    await store[Symbol.asyncDispose]()
    const closed = { code: 'ERR_TLACACOCA_STORE_CLOSED' }
    await expect(store.verify(endpoint, first)).rejects.toMatchObject(closed)
    await expect(store.verifyOrTrust(endpoint, other)).rejects.toMatchObject(closed)
    await expect(store.verifier().verify(candidate(first))).rejects.toMatchObject(closed)
    await store.close()
  })
})

describe('what a visit asks of a store', () => {
  it('is no writing where the pin of a key was written within a day', async () => {
    const pins = new MemoryPinStore()
    const seen = vi.spyOn(pins, 'seen')
    let now = Date.parse('2030-06-01T12:00:00Z')
    const store = new TofuStore(pins, { clock: () => now })
    await store.trust(endpoint, first.publicKeyFingerprint)
    for (const [afterMs, times] of [
      [0, 1],
      [DAY - 1, 1],
      [1, 2],
      [1, 2],
    ] as const) {
      now += afterMs
      await store.verify(endpoint, first)
      expect(seen).toHaveBeenCalledTimes(times)
    }
  })

  it('is no old key where the certificate needs none to speak for it', async () => {
    const pins = new MemoryPinStore()
    const publicKey = vi.spyOn(pins, 'publicKey')
    const store = new TofuStore(pins)
    await store.verifyOrTrust(endpoint, first)
    await store.verifyOrTrust(endpoint, renewed)
    expect(publicKey).not.toHaveBeenCalled()
    await store.judge(endpoint, other)
    // Of the live pin, not of the one that was replaced.
    expect(publicKey).toHaveBeenCalledExactlyOnceWith(first.publicKeyFingerprint)
  })

  it('is asked ten times before a visit gives up that is overtaken each time', async () => {
    const pins = new MemoryPinStore()
    const store = new TofuStore(pins)
    const update = vi.spyOn(pins, 'update').mockReturnValue(false)
    await expect(store.verifyOrTrust(endpoint, first)).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_STORE_LOCKED',
      message: 'the pins of example.org:1965 changed 10 times while its certificate was being judged',
    })
    expect(update).toHaveBeenCalledTimes(10)
  })

  it('is asked fifty times before a decision gives up that is overtaken each time, and nothing is changed', async () => {
    const pins = new MemoryPinStore()
    const store = new TofuStore(pins)
    await store.trust(endpoint, first)
    const before = pins.read('example.org:1965')
    const update = vi.spyOn(pins, 'update').mockReturnValue(false)
    for (const [decide, whose] of [
      [() => store.trust(endpoint, other), 'example.org:1965'],
      [() => store.distrust(endpoint, first), 'example.org:1965'],
      [() => store.revokeByHostname('example.org'), 'example.org:'],
    ] as const) {
      update.mockClear()
      await expect(decide()).rejects.toMatchObject({
        code: 'ERR_TLACACOCA_STORE_LOCKED',
        message: `the pins of ${whose} are changed by others without a pause`,
      })
      expect(update).toHaveBeenCalledTimes(50)
    }
    expect(pins.read('example.org:1965')).toEqual(before)
  })

  it('may be answered later', async () => {
    class Distant extends MemoryPinStore {
      override lastSeen(...question: Parameters<MemoryPinStore['lastSeen']>) {
        return Promise.resolve(super.lastSeen(...question)) as never
      }
    }
    let now = Date.parse('2030-06-01T12:00:00Z')
    const pins = new Distant()
    const read = vi.spyOn(pins, 'read')
    const store = new TofuStore(pins, { clock: () => now })
    expect(await store.verifyOrTrust(endpoint, first)).toMatchObject({ kind: 'first_use' })
    await expect(store.verifyOrTrust(endpoint, other)).rejects.toMatchObject({ pinned: first.fingerprint })
    read.mockClear()
    expect(await store.verifyOrTrust(endpoint, first)).toMatchObject({ kind: 'trusted', lastSeen: new Date(now) })
    expect(read).not.toHaveBeenCalled()
    now += DAY
    expect(await store.verifyOrTrust(endpoint, first)).toMatchObject({ kind: 'trusted' })
    expect(await store.getHostInfo(endpoint)).toMatchObject({ lastSeen: new Date(now), daysSeen: 2 })
  })

  it('is not to remove the pin of a first visit because it had been announced once', async () => {
    const pins = new MemoryPinStore()
    const announced = pinOf(first, { state: 'announced' })
    const change = { subject: announced.subject, expect: [], put: [announced], remove: [] }
    const line = { at: new Date(), subject: announced.subject, old: null, new: first.fingerprint, decidedBy: 'user' }
    pins.update({ changes: [change], log: [{ ...line, cause: 'announced' }] })
    const update = vi.spyOn(pins, 'update')
    expect(await new TofuStore(pins).verifyOrTrust(endpoint, first)).toMatchObject({ kind: 'first_use' })
    expect(update.mock.lastCall?.[0].changes).toMatchObject([{ put: [{ state: 'trusted' }], remove: [] }])
  })

  it('is never to write a pin and remove it at once', async () => {
    const pins = new MemoryPinStore()
    const update = vi.spyOn(pins, 'update')
    const store = new TofuStore(pins)
    await store.verifyOrTrust(endpoint, first)
    await store.announce(endpoint, other)
    await store.announce(endpoint, other.publicKeyFingerprint)
    expect(await store.verifyOrTrust(endpoint, other)).toMatchObject({ kind: 'rotated' })
    const [change] = update.mock.lastCall?.[0].changes ?? []
    expect(change?.remove).toEqual([other.publicKeyFingerprint])
    expect(change?.put.map(({ digest, state }) => [digest, state])).toEqual([
      [first.fingerprint, 'replaced'],
      [other.fingerprint, 'trusted'],
    ])
  })
})

describe('a verifier', () => {
  it('is made by `tofu`, with rules of its own', async () => {
    const store = TofuStore.inMemory()
    expect(await tofu(store, { firstUse: 'refuse' }).verify(candidate(first))).toMatchObject({ accept: false })
    expect(await tofu(store).verify(candidate(first))).toEqual({ accept: true, ground: 'first_use' })
  })

  it('accepts as verifyOrTrust does, and says on what ground', async () => {
    const store = TofuStore.inMemory()
    const verifier = store.verifier()
    expect(verifier.name).toBe('tofu')
    expect(await verifier.verify(candidate(first))).toEqual({ accept: true, ground: 'first_use' })
    expect(await verifier.verify(candidate(first))).toEqual({ accept: true, ground: 'trusted' })
    expect(await verifier.verify(candidate(renewed))).toEqual({ accept: true, ground: 'renewed' })
  })

  it('refuses a change with the error that has both fingerprints', async () => {
    const store = TofuStore.inMemory()
    await store.trust(endpoint, first)
    expect(await store.verifier().verify(candidate(other))).toMatchObject({
      accept: false,
      reason: 'changed',
      detail: expect.stringContaining('another certificate'),
      error: { code: 'ERR_TLACACOCA_CERTIFICATE_CHANGED', pinned: first.fingerprint, presented: other.fingerprint },
    })
  })

  it('refuses first visits and marks under reasons of their own', async () => {
    const store = TofuStore.inMemory()
    expect(await store.verifier({ firstUse: 'refuse' }).verify(candidate(first))).toMatchObject({
      accept: false,
      reason: 'first_use',
      error: { code: 'ERR_TLACACOCA_FIRST_USE_REFUSED' },
    })
    await store.distrust(endpoint, first)
    expect(await store.verifier().verify(candidate(first))).toMatchObject({
      accept: false,
      reason: 'distrusted',
      error: { code: 'ERR_TLACACOCA_CERTIFICATE_DISTRUSTED' },
    })
  })

  it('asks its own callback, even if the store trusts first visits unasked', async () => {
    const onFirstUse = vi.fn(() => ({ accept: false }))
    const store = TofuStore.inMemory({ policy: { firstUse: 'accept' } })
    expect(await store.verifier({ onFirstUse }).verify(candidate(first))).toMatchObject({ accept: false })
    expect(onFirstUse).toHaveBeenCalledOnce()
    expect(await store.pins(endpoint)).toEqual([])
  })

  it('does not ask if the store refuses first visits', async () => {
    const onFirstUse = vi.fn(() => ({ accept: true }))
    const store = TofuStore.inMemory({ policy: { firstUse: 'refuse' } })
    expect(await store.verifier({ onFirstUse }).verify(candidate(first))).toMatchObject({ accept: false })
    expect(onFirstUse).not.toHaveBeenCalled()
  })

  it('hands the chain to whoever knows the authorities', async () => {
    const vouches = vi.fn(() => ({ vouched: true }))
    const store = TofuStore.inMemory()
    await store.trust(endpoint, first)
    const verifier = store.verifier({
      vouches,
      onChanged: ({ reason }) => ({ accept: reason === 'authority_vouched' }),
    })
    expect(await verifier.verify({ ...candidate(other), chain: [other, third] })).toEqual({
      accept: true,
      ground: 'changed',
    })
    expect(vouches).toHaveBeenCalledWith(expect.objectContaining({ chain: [other, third] }))
  })

  it('does not begin if nobody waits any more', async () => {
    const store = TofuStore.inMemory()
    const signal = AbortSignal.abort(new Error('gone'))
    await expect(store.verifier().verify({ ...candidate(first), signal })).rejects.toThrow('gone')
    expect(await store.pins(endpoint)).toEqual([])
  })

  it('is refused a policy that makes no sense when it is made, not when it is asked', () => {
    const store = TofuStore.inMemory()
    expect(() => store.verifier({ firstUse: 'maybe' as never })).toThrow(TypeError)
    expect(() => TofuStore.inMemory({ policy: { onChanged: 5 as never } })).toThrow(TypeError)
  })
})

describe('opening', () => {
  it('wants one of path and appName', async () => {
    await expect(TofuStore.open({} as never)).rejects.toThrow(TypeError)
    await expect(TofuStore.open({ path: 'a', appName: 'b' } as never)).rejects.toThrow(TypeError)
    await expect(TofuStore.open({ path: '' })).rejects.toThrow(RangeError)
    await expect(TofuStore.open({ appName: '../x' })).rejects.toThrow(RangeError)
  })

  it('leaves nothing open if it is refused', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'pins.db')
    const wrong = { path, policy: { firstUse: 'yes' } } as never
    await expect(TofuStore.open(wrong)).rejects.toThrow(/"policy.firstUse" expected|"firstUse" expected/)
    // The last connection that is closed takes these away.
    expect(readdirSync(folder)).toEqual(['pins.db'])
  })

  it('works over a store of any other kind, which it closes', async () => {
    const pins = new MemoryPinStore()
    const store = new TofuStore(pins)
    await store.trust(endpoint, first)
    expect(pins.read('example.org:1965')).toHaveLength(1)
    await store.close()
    expect(() => pins.read('example.org:1965')).toThrow(/closed/)
  })
})

function candidate(certificate: typeof first) {
  return {
    endpoint,
    certificate,
    chain: [certificate],
    protocol: 'TLSv1.3' as const,
    signal: new AbortController().signal,
  }
}
