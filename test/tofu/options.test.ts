import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { endpointFrom } from '../../src/names/index.ts'
import {
  MemoryPinStore,
  type Pin,
  planImport,
  SqlitePinStore,
  type TofuPolicy,
  TofuStore,
} from '../../src/tofu/index.ts'
import { testCertificate } from '../support/certificates.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

// An option that is ignored leaves somebody believing that it was obeyed, and with trust that is a hole.

const endpoint = endpointFrom('example.org', 1965)

describe('a policy that refuses first visits', () => {
  it.each([{ firstUse: undefined }, { onFirstUse: undefined }, {}])(
    'is not undone by a verifier with %o',
    async (over) => {
      const { certificate } = await testCertificate()
      const store = TofuStore.inMemory({ policy: { firstUse: 'refuse' } })
      const candidate = { endpoint, certificate, chain: [certificate], protocol: 'TLSv1.3' as const }
      const decision = await store.verifier(over as never).verify({ ...candidate, signal: AbortSignal.timeout(5000) })
      expect(decision).toMatchObject({ accept: false })
      expect(await store.listHosts()).toEqual([])
    },
  )

  it('nor is a callback that says no', async () => {
    const { certificate } = await testCertificate()
    const store = TofuStore.inMemory({ policy: { onFirstUse: () => ({ accept: false }) } })
    const candidate = { endpoint, certificate, chain: [certificate], protocol: 'TLSv1.3' as const }
    const verifier = store.verifier({ onFirstUse: undefined, firstUse: undefined } as never)
    expect(await verifier.verify({ ...candidate, signal: AbortSignal.timeout(5000) })).toMatchObject({ accept: false })
  })
})

describe('a policy that accepts first visits unasked', () => {
  const visits: [string, TofuPolicy, boolean][] = [
    ['goes on where a verifier says nothing of them', { renewed: 'refuse' }, true],
    ['gives way to a callback', { onFirstUse: () => ({ accept: false }) }, false],
    ['is said again, which outweighs a callback', { firstUse: 'accept', onFirstUse: () => ({ accept: false }) }, true],
  ]
  it.each(visits)('%s', async (_, over, accept) => {
    const { certificate } = await testCertificate()
    const store = TofuStore.inMemory({ policy: { firstUse: 'accept' } })
    const candidate = { endpoint, certificate, chain: [certificate], protocol: 'TLSv1.3' as const }
    expect(await store.verifier(over).verify({ ...candidate, signal: new AbortController().signal })).toMatchObject({
      accept,
    })
  })
})

describe('what is said by a class, or inherited,', () => {
  class Careful {
    onFirstUse() {
      return { accept: false }
    }
  }
  it.each<[string, () => TofuStore | Promise<TofuStore>, TofuPolicy?]>([
    ['counts in the policy of a store', () => TofuStore.inMemory({ policy: new Careful() })],
    ['counts in the policy of a verifier', () => TofuStore.inMemory(), new Careful()],
    ['counts as a word', () => TofuStore.inMemory({ policy: Object.create({ firstUse: 'refuse' }) })],
    ['counts among the options', () => TofuStore.inMemory(Object.create({ policy: { firstUse: 'refuse' } }))],
    [
      'counts among those of a file',
      async () => {
        const path = join(await temporaryFolder(), 'pins.db')
        return TofuStore.open(Object.create({ path, policy: { firstUse: 'refuse' } }))
      },
    ],
  ])('%s', async (_, open, over) => {
    const { certificate } = await testCertificate()
    const store = await open()
    const candidate = { endpoint, certificate, chain: [certificate], protocol: 'TLSv1.3' as const }
    const decision = await store.verifier(over).verify({ ...candidate, signal: AbortSignal.timeout(5000) })
    expect(decision).toMatchObject({ accept: false, reason: 'first_use' })
    await store.close()
  })

  it('counts for each reason of a change', async () => {
    const inherited = Object.create({ pinned_expired: 'accept', early: 'dangerouslyAccept' })
    const [{ certificate }, { certificate: other }] = [await testCertificate(), await testCertificate()]
    const store = TofuStore.inMemory({ policy: { changed: inherited } })
    await store.verifyOrTrust(endpoint, certificate)
    expect(await store.judge(endpoint, other)).toMatchObject({ rule: 'changed.early', word: 'accept' })
  })
})

describe('a misspelt or mistyped option is refused', () => {
  it.each([
    ['polcy', () => TofuStore.inMemory({ polcy: { firstUse: 'refuse' } } as never)],
    ['firstuse', () => TofuStore.inMemory({ policy: { firstuse: 'refuse' } } as never)],
    ['a policy that is a word', () => TofuStore.inMemory({ policy: 'refuse' } as never)],
    ['onFirstuse', () => TofuStore.inMemory().verifier({ onFirstuse: () => ({ accept: false }) } as never)],
    ['pth', async () => TofuStore.open({ appName: 'x', pth: 'y' } as never)],
    ['dryrun', async () => TofuStore.inMemory().importToml('file', { dryrun: true } as never)],
    ['dryRun: 1', async () => TofuStore.inMemory().importToml('file', { dryRun: 1 } as never)],
    ['merge: null', async () => TofuStore.inMemory().importToml('file', { merge: null } as never)],
    ['overwite', async () => TofuStore.inMemory().exportToml('file', { overwite: true } as never)],
    ['mode: Replace', async () => planImport(new MemoryPinStore(), [], { mode: 'Replace' } as never)],
    [
      'verifed',
      async () =>
        TofuStore.inMemory().trust(endpoint, (await testCertificate()).certificate, { verifed: true } as never),
    ],
    [
      'verified: no',
      async () =>
        TofuStore.inMemory().trust(endpoint, (await testCertificate()).certificate, { verified: 'no' } as never),
    ],
  ])('%s', async (_, act) => {
    await expect((async () => act())()).rejects.toThrow(TypeError)
  })
})

describe('a name of a file that SQLite would read otherwise', () => {
  it.each([':memory:', 'file:pins.db', 'FILE:pins.db', ''])('is refused: %s', async (path) => {
    await expect(TofuStore.open({ path })).rejects.toThrow(RangeError)
  })

  it('is refused with spaces at its end: the driver would open another file', async () => {
    const folder = await temporaryFolder()
    await expect(TofuStore.open({ path: join(folder, 'pins.db ') })).rejects.toThrow(/spaces/)
    await expect(TofuStore.open({ path: join(folder, 'pins.db\0') })).rejects.toThrow(RangeError)
  })
})

describe('a planned import', () => {
  const now = new Date('2030-06-01T12:00:00Z')
  const pin = (subject: string, digest = `sha256:${'a'.repeat(64)}`): Pin => ({
    subject,
    digest: digest as Pin['digest'],
    state: 'trusted',
    keyDigest: null,
    notAfter: null,
    firstSeen: now,
    lastSeen: now,
    daysSeen: 1,
    source: null,
    note: null,
  })

  it.each(['example.org:1965', '[::1]:1965', '192.0.2.1:300', 'ana@example.org'])('takes %s', async (subject) => {
    expect((await planImport(new MemoryPinStore(), [{ pins: [pin(subject)] }])).counts).toMatchObject({ added: 1 })
  })

  it.each([
    'EXAMPLE.org:1965',
    'example.org.:1965',
    'example.org:01965',
    '[0::1]:1965',
    'b\u00fccher.example:1',
    'ana@Example.org',
  ])('refuses %s, which would never be found again', async (subject) => {
    await expect(planImport(new MemoryPinStore(), [{ pins: [pin(subject)] }])).rejects.toThrow()
  })

  it.each([
    { state: 'revoked' },
    { state: undefined },
    { keyDigest: 'a'.repeat(64) },
    { notAfter: new Date(Number.NaN) },
    { firstSeen: '2030-06-01' },
    { lastSeen: null },
  ])('refuses a pin with %o, in a file too', async (mistake) => {
    const wrong = { ...pin('example.org:1965'), ...mistake } as Pin
    for (const store of [new MemoryPinStore(), await SqlitePinStore.open(join(await temporaryFolder(), 'pins.db'))]) {
      await expect(planImport(store, [{ pins: [wrong] }])).rejects.toThrow(Object.keys(mistake)[0])
      expect(await store.read('example.org:1965')).toEqual([])
      store.close()
    }
  })

  it.each([`SHA256:${'a'.repeat(64)}`, `sha256:${'A'.repeat(64)}`, 'a'.repeat(64), ''])(
    'refuses the fingerprint "%s"',
    async (digest) => {
      await expect(planImport(new MemoryPinStore(), [{ pins: [pin('example.org:1965', digest)] }])).rejects.toThrow(
        RangeError,
      )
    },
  )
})
