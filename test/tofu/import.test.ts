import { readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import type { Fingerprint } from '../../src/certificate/fingerprint.ts'
import { endpointFrom, parseEndpoint } from '../../src/names/endpoint.ts'
import { applyImport, type ImportPortion, planImport } from '../../src/tofu/import-plan.ts'
import { MemoryPinStore } from '../../src/tofu/memory-pin-store.ts'
import type { Pin } from '../../src/tofu/pin.ts'
import type { PinStore } from '../../src/tofu/pin-store.ts'
import { SqlitePinStore } from '../../src/tofu/sqlite-pin-store.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import type { ImportProgress } from '../../src/tofu/toml-exchange.ts'
import { testCertificate } from '../support/certificates.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const NOW = Date.parse('2030-06-01T12:00:00Z')
const a = fingerprint('a')
const b = fingerprint('b')
const c = fingerprint('c')

function fingerprint(digit: string): Fingerprint {
  return `sha256:${digit.repeat(64)}` as Fingerprint
}

function pin(subject: string, digest: Fingerprint, facts: Partial<Pin> = {}): Pin {
  const day = new Date('2030-01-01T00:00:00Z')
  const unknown = { keyDigest: null, notAfter: null, source: null, note: null }
  return { subject, digest, state: 'trusted', firstSeen: day, lastSeen: day, daysSeen: 1, ...unknown, ...facts }
}

/** A file as tlacacoca and nauyaca for Python write it. */
function relativesFile(hosts: Record<string, Fingerprint>): string {
  const entries = Object.entries(hosts).map(([name, digest]) => {
    const [hostname, port] = name.split(':')
    return `[hosts."${name}"]
hostname = "${hostname}"
port = ${port}
fingerprint = "${digest}"
first_seen = "2025-11-02T10:20:30.123456+00:00"
last_seen = "2026-01-02T03:04:05+00:00"
`
  })
  return `[_metadata]\nexported_at = "2026-01-03T00:00:00+00:00"\nversion = "1.0"\n\n${entries.join('\n')}`
}

async function written(text: string): Promise<string> {
  const file = join(await temporaryFolder(), 'pins.toml')
  writeFileSync(file, text)
  return file
}

const failure = (act: Promise<unknown>) => act.then(() => null).catch((error: unknown) => error)

// A store without `stage` goes the plain way; the file has a faster one. Both must come to the same.
describe.each<{ where: string; open: () => Promise<PinStore> }>([
  { where: 'memory', open: async () => new MemoryPinStore() },
  { where: 'a file', open: async () => SqlitePinStore.open(join(await temporaryFolder(), 'pins.db')) },
])('into $where', ({ open }) => {
  async function storeWith(hosts: Record<string, Fingerprint> = {}) {
    const pins = await open()
    const store = new TofuStore(pins, { clock: () => NOW })
    for (const [name, digest] of Object.entries(hosts)) await store.trust(parseEndpoint(name), digest)
    return { pins, store }
  }

  async function pinned(store: TofuStore): Promise<Record<string, Fingerprint>> {
    return Object.fromEntries((await store.listHosts()).map((host) => [host.endpoint, host.fingerprint]))
  }

  const known = { 'same.example:1965': a, 'other.example:1965': b, 'gone.example:1965': c }
  const incoming = { 'same.example:1965': a, 'other.example:1965': c, 'new.example:1965': b, 'new.example:1966': a }

  describe('a file of the relatives', () => {
    it('comes in unchanged', async () => {
      const { store } = await storeWith()
      const file = await written(relativesFile({ 'example.org:1965': a }))
      expect(await store.importToml(file)).toEqual({ added: 1, updated: 0, skipped: 0, removed: 0, distrusted: 0 })
      expect(await store.getHostInfo(parseEndpoint('example.org:1965'))).toMatchObject({
        fingerprint: a,
        state: 'trusted',
        firstSeen: new Date('2025-11-02T10:20:30.123Z'),
        lastSeen: new Date('2026-01-02T03:04:05Z'),
        keyFingerprint: null,
      })
      await store.close()
    })

    it('is merged by default: what is new is added, and conflicts are skipped', async () => {
      const { store } = await storeWith(known)
      const file = await written(relativesFile(incoming))
      expect(await store.importToml(file)).toMatchObject({ added: 2, updated: 0, skipped: 2, removed: 0 })
      expect(await pinned(store)).toEqual({ ...known, 'new.example:1965': b, 'new.example:1966': a })
      await store.close()
    })

    it('asks about conflicts, with both fingerprints', async () => {
      const { store } = await storeWith(known)
      const file = await written(relativesFile(incoming))
      const onConflict = vi.fn(async () => true)
      expect(await store.importToml(file, { onConflict })).toMatchObject({ added: 2, updated: 1, skipped: 1 })
      expect(onConflict.mock.calls).toEqual([['other.example', 1965, b, c]])
      expect(await pinned(store)).toMatchObject({ 'other.example:1965': c })
      expect(await store.history(parseEndpoint('other.example:1965'))).toMatchObject([
        { cause: 'trusted' },
        { cause: 'imported', old: b, new: c, decidedBy: 'callback' },
      ])
      await store.close()
    })

    it.each([false, Promise.resolve(false), undefined, 1, 'true', {}, { accept: true }, Promise.resolve('yes')])(
      'takes the answer %s for a no',
      async (answer) => {
        const { store } = await storeWith(known)
        const file = await written(relativesFile(incoming))
        const counts = await store.importToml(file, { onConflict: () => answer as boolean })
        expect(counts).toMatchObject({ updated: 0, skipped: 2 })
        expect(await pinned(store)).toMatchObject(known)
        await store.close()
      },
    )

    it('can replace everything, which asks nobody', async () => {
      const { store } = await storeWith(known)
      const onConflict = vi.fn(() => false)
      const file = await written(relativesFile(incoming))
      expect(await store.importToml(file, { merge: false, onConflict })).toEqual({
        added: 2,
        updated: 1,
        skipped: 1,
        removed: 1,
        distrusted: 0,
      })
      expect(onConflict).not.toHaveBeenCalled()
      expect(await pinned(store)).toEqual(incoming)
      expect(await store.history(parseEndpoint('gone.example:1965'))).toMatchObject([{}, { cause: 'revoked', old: c }])
      await store.close()
    })

    it('takes away by replacing what is only history, which is no host that was removed', async () => {
      const { pins, store } = await storeWith(known)
      await store.revoke(parseEndpoint('gone.example:1965'))
      const former = pin('former.example:1965', a, { state: 'replaced' })
      await pins.update({ changes: [{ subject: former.subject, expect: [], put: [former], remove: [] }], log: [] })
      const file = await written(relativesFile(incoming))
      expect(await store.importToml(file, { merge: false })).toMatchObject({ removed: 0 })
      expect(await store.pins(parseEndpoint('former.example:1965'))).toEqual([])
      expect(await store.history(parseEndpoint('former.example:1965'))).toEqual([])
      await store.close()
    })

    it('keeps marks when it replaces, and does not bring back what is marked', async () => {
      const { store } = await storeWith(known)
      await store.distrust(parseEndpoint('new.example:1965'), b)
      await store.distrust(parseEndpoint('gone.example:1965'), a)
      const file = await written(relativesFile(incoming))
      expect(await store.importToml(file, { merge: false })).toMatchObject({ added: 1, skipped: 2 })
      expect(await store.importToml(file)).toMatchObject({ added: 0, skipped: 4 })
      expect(await pinned(store)).not.toHaveProperty('new.example:1965')
      expect(await store.listDistrusted()).toMatchObject([
        { subject: 'gone.example:1965', digest: a },
        { subject: 'new.example:1965', digest: b },
      ])
      await store.close()
    })
  })

  describe.each([{ merge: true }, { merge: false }])('with %j', (mode) => {
    it.each([
      ['no TOML at all', '\u0000\u0001'],
      ['another version', relativesFile({ 'x.example:1965': a }).replace('"1.0"', '"2.0"')],
      [
        'one bad entry among good ones',
        `${relativesFile(incoming)}\n[hosts."bad.example:1965"]\nhostname = "bad.example"\n`,
      ],
      ['a port that is none', relativesFile({ 'x.example:1965': a }).replace('port = 1965', 'port = true')],
      ['a host that is none', relativesFile({ 'x.example:1965': a }).replace('hostname = "x.example"', 'hostname = 5')],
      ['an empty file', ''],
      ['a file that was cut off', relativesFile(incoming).slice(0, -40)],
    ])('%s changes nothing', async (_, text) => {
      const { store } = await storeWith(known)
      const file = await written(text)
      const error = await failure(store.importToml(file, mode))
      expect(error).toMatchObject({ code: 'ERR_TLACACOCA_IMPORT_INVALID' })
      expect(error).toHaveProperty('problems.0.line', expect.any(Number))
      expect(await pinned(store)).toEqual(known)
      await store.close()
    })

    it('a file that is missing changes nothing', async () => {
      const { store } = await storeWith(known)
      const file = join(await temporaryFolder(), 'none.toml')
      expect(await failure(store.importToml(file, mode))).toMatchObject({ code: 'ERR_TLACACOCA_FILE_NOT_FOUND' })
      expect(await failure(store.importToml(await temporaryFolder(), mode))).toMatchObject({
        code: 'ERR_TLACACOCA_FILE_UNREADABLE',
      })
      expect(await pinned(store)).toEqual(known)
      await store.close()
    })

    it('a dry run tells what would happen, and changes nothing', async () => {
      const { store } = await storeWith(known)
      const file = await written(relativesFile(incoming))
      const dry = await store.importToml(file, { ...mode, dryRun: true })
      expect(await pinned(store)).toEqual(known)
      expect(await store.importToml(file, mode)).toEqual(dry)
      const broken = await written('[hosts\n')
      expect(await failure(store.importToml(broken, { ...mode, dryRun: true }))).toMatchObject({
        code: 'ERR_TLACACOCA_IMPORT_INVALID',
      })
      await store.close()
    })

    it('a callback that throws changes nothing', async () => {
      const { store } = await storeWith(known)
      const file = await written(relativesFile(incoming))
      const stop = () => {
        throw new Error('enough')
      }
      const options = { ...mode, onProgress: stop }
      await expect(store.importToml(file, options)).rejects.toThrow('enough')
      if (mode.merge) await expect(store.importToml(file, { onConflict: stop })).rejects.toThrow('enough')
      expect(await pinned(store)).toEqual(known)
      await store.close()
    })
  })

  it('tells every problem with its place', async () => {
    const { store } = await storeWith()
    const text = relativesFile({ 'x.example:1965': a, 'y.example:1965': b }).replaceAll('port = 1965', 'port = 0')
    const error = await failure(store.importToml(await written(text)))
    expect(error).toHaveProperty('problems.length', 2)
    expect(error).toHaveProperty('message', expect.stringMatching(/line 7, column \d+: .*and 1 more/))
    await store.close()
  })

  it('tells how far it has come', async () => {
    const { store } = await storeWith()
    const text = relativesFile(Object.fromEntries(Array.from({ length: 2000 }, (_, n) => [`h${n}.example:1965`, a])))
    const steps: ImportProgress[] = []
    await store.importToml(await written(text), { onProgress: (step) => void steps.push(step) })
    expect(steps.length).toBeGreaterThan(2)
    expect(steps.at(-1)).toEqual({ bytesRead: text.length, bytesTotal: text.length, pins: 2000 })
    await store.close()
  })

  describe('what was exported', () => {
    it('comes back with everything, into an empty store and over itself', async () => {
      const { store } = await storeWith()
      const { certificate, keyPem } = await testCertificate()
      const { certificate: renewed } = await testCertificate({ keyPem })
      const endpoint = parseEndpoint('[::1]:1965')
      await store.verifyOrTrust(endpoint, certificate)
      await store.verifyOrTrust(endpoint, renewed)
      await store.trust(parseEndpoint('card.example:1'), a, { verified: true, note: 'from the "card"\n\u202e' })
      await store.trust(parseEndpoint('key.example:2'), certificate.publicKeyFingerprint)
      await store.distrust(endpoint, c)
      await store.announce(endpoint, b)
      const file = join(await temporaryFolder(), 'export.toml')
      expect(await store.exportToml(file)).toBe(3)

      const { store: copy } = await storeWith()
      expect(await copy.importToml(file)).toEqual({ added: 3, updated: 0, skipped: 0, removed: 0, distrusted: 1 })
      for (const name of ['[::1]:1965', 'card.example:1', 'key.example:2']) {
        expect(await copy.pins(parseEndpoint(name))).toEqual(await store.pins(parseEndpoint(name)))
      }
      expect(await copy.verify(endpoint, renewed)).toMatchObject({ kind: 'trusted' })
      expect(await copy.judge(endpoint, certificate)).toMatchObject({ kind: 'renewed' })

      const before = await store.listHosts()
      expect(await store.importToml(file)).toMatchObject({ added: 0, updated: 0, skipped: 3, distrusted: 0 })
      expect(await store.importToml(file, { merge: false })).toMatchObject({
        added: 0,
        updated: 0,
        skipped: 3,
        removed: 0,
      })
      expect(await store.listHosts()).toEqual(before)
      await store.close()
      await copy.close()
    })

    it('is its owner’s only, replaces no file unasked, and never a symbolic link', async () => {
      const { store } = await storeWith(known)
      const folder = await temporaryFolder()
      const file = join(folder, 'pins.toml')
      await store.exportToml(file)
      expect(statSync(file).mode & 0o777).toBe(0o600)
      await store.revoke(parseEndpoint('same.example:1965'))
      expect(await failure(store.exportToml(file))).toMatchObject({ code: 'ERR_TLACACOCA_FILE_EXISTS' })
      expect(await store.exportToml(file, { overwrite: true })).toBe(2)

      writeFileSync(join(folder, 'precious'), 'precious')
      symlinkSync('precious', join(folder, 'link.toml'))
      expect(await failure(store.exportToml(join(folder, 'link.toml'), { overwrite: true }))).toMatchObject({
        code: 'ERR_TLACACOCA_FILE_UNWRITABLE',
      })
      expect(readFileSync(join(folder, 'precious'), 'utf8')).toBe('precious')
      await store.close()
    })
  })

  describe('a plan', () => {
    const portions = (...pins: Pin[]): ImportPortion[] => [{ pins }]

    it('changes nothing until it is applied, and then once', async () => {
      const { pins } = await storeWith()
      const plan = await planImport(pins, portions(pin('a.example:1965', a)))
      expect(plan.counts).toMatchObject({ added: 1 })
      expect(await pins.list()).toEqual([])
      expect(await applyImport(plan)).toEqual(plan.counts)
      expect(await pins.list()).toEqual([pin('a.example:1965', a)])
      await expect(applyImport(plan)).rejects.toThrow(TypeError)
      await pins.close()
    })

    it('that is disposed of cannot be applied', async () => {
      const { pins } = await storeWith()
      const plan = await planImport(pins, portions(pin('a.example:1965', a)))
      await plan[Symbol.asyncDispose]()
      await plan[Symbol.asyncDispose]()
      await expect(applyImport(plan)).rejects.toThrow(TypeError)
      expect(await pins.list()).toEqual([])
      await pins.close()
    })

    it('forgets what came before a restart', async () => {
      const { pins } = await storeWith()
      const plan = await planImport(pins, [
        { pins: [pin('a.example:1965', a)] },
        { pins: [pin('b.example:1965', b)], restart: true },
      ])
      expect(await applyImport(plan)).toMatchObject({ added: 1 })
      expect(await pins.list()).toEqual([pin('b.example:1965', b)])
      await pins.close()
    })

    it('refuses the same fingerprint twice for a subject', async () => {
      const { pins } = await storeWith()
      const twice = [
        pin('a.example:1965', a),
        pin('b.example:1965', a),
        pin('a.example:1965', a, { state: 'replaced' }),
      ]
      await expect(planImport(pins, portions(...twice))).rejects.toThrow(RangeError)
      expect(await pins.list()).toEqual([])
      await pins.close()
    })

    it('holds no lock while somebody thinks about a conflict', async () => {
      const { pins, store } = await storeWith(known)
      const onConflict = async () => {
        await store.trust(parseEndpoint('meanwhile.example:1965'), a)
        return true
      }
      const plan = await planImport(pins, portions(pin('other.example:1965', c)), { onConflict })
      expect(await applyImport(plan)).toMatchObject({ updated: 1 })
      expect(await pinned(store)).toMatchObject({ 'meanwhile.example:1965': a, 'other.example:1965': c })
      await store.close()
    })

    // What the plan was made on changed in between, and it touches the plan.
    it.each<{ what: string; mode?: 'replace'; change: (store: TofuStore) => Promise<unknown> }>([
      { what: 'a new host was pinned', change: (store) => store.trust(parseEndpoint('new.example:1965'), c) },
      { what: 'a new host was marked', change: (store) => store.distrust(parseEndpoint('new.example:1965'), b) },
      { what: 'a host in conflict was revoked', change: (store) => store.revoke(parseEndpoint('other.example:1965')) },
      {
        what: 'a host in conflict was trusted',
        change: (store) => store.trust(parseEndpoint('other.example:1965'), a),
      },
      { what: 'everything was cleared', change: (store) => store.clear() },
      {
        what: 'any host was pinned, and the import replaces all',
        mode: 'replace',
        change: (store) => store.trust(parseEndpoint('meanwhile.example:1965'), a),
      },
    ])('is outdated if $what', async ({ mode, change }) => {
      const { pins, store } = await storeWith(known)
      const plan = await planImport(
        pins,
        portions(...Object.entries(incoming).map(([name, digest]) => pin(name, digest))),
        { onConflict: () => true, ...(mode === undefined ? {} : { mode }) },
      )
      await change(store)
      const before = await pins.list()
      await expect(applyImport(plan)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_IMPORT_OUTDATED', problems: [] })
      expect(await pins.list()).toEqual(before)
      await store.close()
    })

    it('brings pins whose SHA-512 nobody knows, and a mark by SHA-512 is heeded for them all the same', async () => {
      const { certificate } = await testCertificate()
      const { pins, store } = await storeWith()
      const endpoint = endpointFrom('a.example', 1965)
      const facts = { keyDigest: certificate.publicKeyFingerprint, lastSeen: new Date(NOW) }
      await applyImport(await planImport(pins, portions(pin(endpoint.toString(), certificate.fingerprint, facts))))
      await store.distrust(endpoint, certificate.sha512Fingerprint)
      await expect(store.verify(endpoint, certificate)).rejects.toMatchObject({
        code: 'ERR_TLACACOCA_CERTIFICATE_DISTRUSTED',
      })
      await store.close()
    })

    it('is not outdated by a visit, which changes no trust', async () => {
      const { certificate } = await testCertificate()
      const { pins } = await storeWith()
      let now = NOW
      const store = new TofuStore(pins, { clock: () => now })
      const endpoint = endpointFrom('visited.example', 1965)
      await store.verifyOrTrust(endpoint, certificate)
      const plan = await planImport(pins, portions(pin('visited.example:1965', c)), { mode: 'replace' })
      now += 2 * 86_400_000
      await store.verify(endpoint, certificate)
      expect(await applyImport(plan)).toMatchObject({ updated: 1 })
      await store.close()
    })
  })
})

// A call takes some hundred thousand arguments at most.
it('replaces more hosts in memory than a call takes arguments, and lists them', async () => {
  const pins = new MemoryPinStore()
  const many = Array.from({ length: 150_000 }, (_, n) => pin(`host${n}.example:1965`, a))
  await applyImport(await planImport(pins, [{ pins: many }]))
  const known = new TofuStore(pins)
  expect(await known.listHosts()).toHaveLength(many.length)
  const plan = await planImport(pins, [{ pins: [pin('host1.example:1965', b)] }], { mode: 'replace' })
  expect(await applyImport(plan)).toMatchObject({ updated: 1, removed: many.length - 1 })
  expect(await known.listHosts()).toMatchObject([{ endpoint: 'host1.example:1965', fingerprint: b }])
}, 60_000)
