import { appendFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { describe, expect, it, vi } from 'vitest'
import { parseFingerprint } from '../../../src/certificate/fingerprint.ts'
import { parseEndpoint } from '../../../src/names/endpoint.ts'
import type { KnownHostsFormat } from '../../../src/tofu/formats/known-host.ts'
import { MemoryPinStore } from '../../../src/tofu/memory-pin-store.ts'
import type { PinStore } from '../../../src/tofu/pin-store.ts'
import { SqlitePinStore } from '../../../src/tofu/sqlite-pin-store.ts'
import { TofuStore } from '../../../src/tofu/tofu-store.ts'
import { testCertificate } from '../../support/certificates.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { BASE64, FIELD_CERTIFICATE, FIELD_LINES, KEY, OTHER_LINES, SHA256, SHA512 } from './field-certificate.ts'
import { digestOf, failure, fileWith, hex, LINE_BY_LINE, lineOf, type PlainFormat } from './support.ts'

const NOW = Date.parse('2030-06-01T12:00:00Z')
const at = (text: string) => parseEndpoint(text)

async function pinned(store: TofuStore): Promise<Record<string, string>> {
  return Object.fromEntries((await store.listHosts()).map((host) => [host.endpoint, host.fingerprint]))
}

/** What an import into an empty store gives. */
async function read(text: string, format: KnownHostsFormat, skipUnusable = true) {
  const store = TofuStore.inMemory({ clock: () => NOW })
  const done = await store.importKnownHosts(await fileWith(text), { format, skipUnusable })
  const hosts = await pinned(store)
  await store.close()
  return { ...done, hosts }
}

// The plain way of stores without a stage, and the file's own.
describe.each<{ where: string; open: () => Promise<PinStore> }>([
  { where: 'memory', open: async () => new MemoryPinStore() },
  { where: 'a file', open: async () => SqlitePinStore.open(join(await temporaryFolder(), 'pins.db')) },
])('into $where', ({ open }) => {
  const storeWith = async (hosts: Record<string, string> = {}) => {
    const store = new TofuStore(await open(), { clock: () => NOW })
    for (const [name, digest] of Object.entries(hosts)) await store.trust(at(name), parseFingerprint(digest))
    return store
  }
  const lines = lineOf('telescope', 'same.example', 1) + lineOf('telescope', 'other.example', 2)
  const known = {
    'gone.example:1965': digestOf('telescope', 7),
    'other.example:1965': digestOf('telescope', 3),
    'same.example:1965': digestOf('telescope', 1),
  }

  it('conflicts are skipped, and others come in', async () => {
    const store = await storeWith(known)
    const done = await store.importKnownHosts(await fileWith(lines + lineOf('telescope', 'new.example', 4)))
    expect(done).toMatchObject({ format: 'telescope', added: 1, updated: 0, skipped: 2, removed: 0 })
    expect(await pinned(store)).toEqual({ ...known, 'new.example:1965': digestOf('telescope', 4) })
    await store.close()
  })

  it('somebody is asked about conflicts', async () => {
    const store = await storeWith(known)
    const onConflict = vi.fn(() => true)
    expect(await store.importKnownHosts(await fileWith(lines), { onConflict })).toMatchObject({
      updated: 1,
      skipped: 1,
    })
    const asked = ['other.example', 1965, digestOf('telescope', 3), digestOf('telescope', 2)]
    expect(onConflict.mock.calls).toEqual([asked])
    expect(await store.getHostInfo(at('other.example:1965'))).toMatchObject({
      fingerprint: digestOf('telescope', 2),
      source: 'import: telescope',
    })
    await store.close()
  })

  it('a host that is there again, far below, comes in once', async () => {
    const store = await storeWith(known)
    const many = Array.from({ length: 3000 }, (_, i) => lineOf('telescope', `h${i}.example`, i))
    const file = await fileWith([...many, lineOf('telescope', 'H5.example', 99)].join(''))
    expect(await store.importKnownHosts(file)).toMatchObject({ added: 3000, remarks: [{ line: 6, column: 1 }] })
    expect(await store.getHostInfo(at('h5.example:1965'))).toMatchObject({ fingerprint: digestOf('telescope', 99) })
    expect(await store.getHostInfo(at('h7.example:1965'))).toMatchObject({ fingerprint: digestOf('telescope', 7) })
    await store.close()
  })

  it('everything can be replaced', async () => {
    const store = await storeWith(known)
    const done = await store.importKnownHosts(await fileWith(lines), { merge: false })
    expect(done).toMatchObject({ added: 0, updated: 1, skipped: 1, removed: 1 })
    expect(Object.keys(await pinned(store))).toEqual(['other.example:1965', 'same.example:1965'])
    await store.close()
  })

  it('a dry run tells what would happen, and changes nothing', async () => {
    const store = await storeWith(known)
    const file = await fileWith(`${lines}what is this\n`)
    const options = { skipUnusable: true, onConflict: () => true }
    const dry = await store.importKnownHosts(file, { ...options, dryRun: true })
    expect(await pinned(store)).toEqual(known)
    expect(dry).toMatchObject({ updated: 1, problems: [{ line: 3 }] })
    expect(await store.importKnownHosts(file, options)).toEqual(dry)
    await store.close()
  })

  it.each([{ merge: true }, { merge: false }])('one bad line changes nothing, with %j', async (mode) => {
    const store = await storeWith(known)
    const file = await fileWith(`${lines}other.example SHA256:${hex(9)} 2\n`)
    for (const dryRun of [false, true]) {
      expect(await failure(store.importKnownHosts(file, { ...mode, dryRun }))).toMatchObject({
        code: 'ERR_TLACACOCA_IMPORT_INVALID',
        problems: [{ line: 3, column: 87, message: expect.stringContaining('flag') }],
      })
    }
    expect(await pinned(store)).toEqual(known)
    await store.close()
  })

  it('a callback that throws changes nothing', async () => {
    const store = await storeWith(known)
    const stop = () => {
      throw new Error('enough')
    }
    const file = await fileWith(lines)
    await expect(store.importKnownHosts(file, { onConflict: stop })).rejects.toThrow('enough')
    await expect(store.importKnownHosts(file, { onProgress: stop })).rejects.toThrow('enough')
    expect(await pinned(store)).toEqual(known)
    await store.close()
  })

  it('marks stay, and what is marked does not come in', async () => {
    const store = await storeWith()
    await store.distrust(at('same.example:1965'), digestOf('telescope', 1))
    expect(await store.importKnownHosts(await fileWith(lines))).toMatchObject({ added: 1, skipped: 1 })
    expect(Object.keys(await pinned(store))).toEqual(['other.example:1965'])
    expect(await store.listDistrusted()).toHaveLength(1)
    await store.close()
  })

  it.each(['lagrange', 'amfora'] as const)(
    'the key of a marked certificate does not come in from %s',
    async (format) => {
      const store = await storeWith()
      await store.distrust(at('example.org:1965'), FIELD_CERTIFICATE.publicKeyFingerprint)
      await store.importKnownHosts(await fileWith(FIELD_LINES[format]))
      expect(await store.judge(at('example.org:1965'), FIELD_CERTIFICATE)).toMatchObject({ kind: 'distrusted' })
      await store.close()
    },
  )

  it('a certificate that is pinned by another of its fingerprints is no conflict', async () => {
    const store = await storeWith()
    await store.verifyOrTrust(at('example.org:1965'), FIELD_CERTIFICATE)
    const onConflict = vi.fn(() => true)
    for (const text of Object.values(FIELD_LINES)) {
      expect(await store.importKnownHosts(await fileWith(text), { onConflict })).toMatchObject({ skipped: 1 })
    }
    expect(onConflict).not.toHaveBeenCalled()
    expect(await store.pins(at('example.org:1965'))).toHaveLength(1)
    await store.close()
  })

  it('what one client brought is not in the way of what another brings, once it was visited', async () => {
    for (const first of ['gmni', 'lagrange', 'amfora', 'telescope'] as const) {
      const store = await storeWith()
      await store.importKnownHosts(await fileWith(FIELD_LINES[first]))
      await store.verify(at('example.org:1965'), FIELD_CERTIFICATE)
      const before = await store.pins(at('example.org:1965'))
      const seconds = first === 'telescope' || first === 'gmni' ? (['telescope', 'gmni', 'lagrange'] as const) : []
      for (const second of [...seconds, 'amfora', 'lagrange'] as const) {
        expect(await store.importKnownHosts(await fileWith(FIELD_LINES[second]))).toMatchObject({ skipped: 1 })
      }
      expect(await store.pins(at('example.org:1965'))).toEqual(before)
      await store.close()
    }
  })

  it('every certificate that AV-98 accepted for a host is a pin of it', async () => {
    const file = join(await temporaryFolder(), 'tofu.db')
    const db = new SQLite(file)
    db.exec(
      'CREATE TABLE cert_cache (hostname text, address text, fingerprint text, first_seen date, last_seen date, count integer)',
    )
    const add = db.prepare('INSERT INTO cert_cache VALUES (?, ?, ?, ?, ?, ?)')
    add.run('a.example', '192.0.2.1', hex(1), '2026-01-01 00:00:00.000001', '2026-01-03 00:00:00.000001', 90)
    add.run('a.example', '192.0.2.2', hex(2), '2026-02-01 00:00:00.000001', '2026-02-01 00:00:00.000001', 1)
    add.run('A.example.', '192.0.2.3', hex(2), '2026-02-01 00:00:00.000001', '2026-02-02 00:00:00.000001', 5)
    add.run('b.example', '192.0.2.3', 'abc', '2026-02-01 00:00:00.000001', '2026-02-02 00:00:00.000001', 5)
    db.close()
    const store = await storeWith()
    expect(await failure(store.importKnownHosts(file))).toMatchObject({ problems: [{ line: 4 }] })
    const done = await store.importKnownHosts(file, { skipUnusable: true })
    expect(done).toMatchObject({ added: 1, problems: [{ line: 4, message: expect.stringContaining('b.example') }] })
    expect(await store.pins(at('a.example:1965'))).toMatchObject([
      { digest: `sha256:${hex(1)}`, state: 'trusted', daysSeen: 3 },
      { digest: `sha256:${hex(2)}`, state: 'trusted' },
    ])
    await store.close()
  })
})

describe('what cannot be used', () => {
  const sha256 = SHA256
  it.each<[format: KnownHostsFormat, line: string, column: number, reason: RegExp]>([
    ['lagrange', `example.org 2110846073 ${KEY}`, 1, /older trusted\.txt/],
    ['lagrange', `example.org;0 2110846073 ${KEY}`, 13, /no port/],
    ['lagrange', `example.org;01965 2110846073 ${KEY}`, 13, /no port/],
    ['lagrange', `example.org;1965 soon ${KEY}`, 18, /"soon" is not the end/],
    ['lagrange', `example.org;1965 253402300800 ${KEY}`, 18, /is not the end/],
    ['lagrange', `example.org;1965 2110846073 ${KEY.toUpperCase()}`, 29, /lower-case/],
    ['lagrange', `example.org;1965 2110846073 ${KEY.slice(1)}`, 29, /64/],
    ['lagrange', 'example.org;1965 2110846073', 1, /no fingerprint/],
    ['lagrange', `example.org;1965 2110846073 ${KEY} more`, 94, /more than three/],
    ['lagrange', `exa mple.org;1965 2110846073 ${KEY}`, 1, /older|port/],
    ['lagrange', `-.example;1965 2110846073 ${KEY}`, 1, /label/],
    ['lagrange', `1.2.3;1965 2110846073 ${KEY}`, 1, /IPv4/],
    ['gmni', `example.org SHA-256 ${SHA512}`, 13, /SHA-512 only/],
    ['gmni', `example.org SHA-512 ${SHA512.slice(3)}`, 21, /64 octets/],
    ['gmni', `example.org SHA-512 ${SHA512} never`, 213, /seconds/],
    ['gmni', `example.org SHA-512 ${SHA512} 2110846073 more`, 224, /more than four/],
    ['gmni', `example.org:1966 SHA-512 ${SHA512}`, 1, /not an IPv6/],
    ['gmni', `example.org  SHA-512 ${SHA512}`, 13, /no algorithm/],
    ['go-gemini', `example.org sha512 ${BASE64}`, 13, /sha256 only/],
    ['go-gemini', `example.org sha256 ${BASE64.slice(0, -1)}`, 20, /base64/],
    // Two spellings of the same octets, of which only one is right.
    ['go-gemini', `example.org sha256 ${BASE64.replace('c=', 'd=')}`, 20, /base64/],
    ['go-gemini', `example.org sha256 ${BASE64} more`, 65, /more than three/],
    ['telescope', `example.org SHA256:${sha256} 0 more`, 87, /more than three/],
    ['telescope', `example.org SHA256:${sha256} 2`, 85, /flag/],
    ['telescope', `example.org SHA256:${sha256} -1`, 85, /flag/],
    ['telescope', `example.org SHA256:${sha256}`, 1, /no flag/],
    ['telescope', `example.org SHA512:${sha256} 0`, 13, /SHA256/],
    ['telescope', `2001:db8::1:300 SHA256:${sha256} 0`, 1, /brackets/],
    ['wasat', `example.org:99999 ${sha256} 2026-11-24T02:10:00+00:00`, 1, /port/],
    ['wasat', `example.org:1965 sha1:${sha256}`, 18, /sha256/],
    ['wasat', `example.org:1965 ${sha256} 2026-02-30T02:10:00+00:00`, 83, /instant/],
    ['geopard', `example.org ${SHA512}`, 13, /SHA-256/],
    ['geopard', 'example.org', 1, /no fingerprint/],
    ['amfora', `'example/org' = '${KEY.slice(1)}'`, 17, /64 hex/],
    ['amfora', `'example.org' = '${KEY}'`, 1, /slashes/],
    ['amfora', `example.org = '${KEY}'`, 1, /one key/],
    ['amfora', "'example/org/expiry' = 2036-02-30T02:07:53Z", 24, /instant/],
    ['amfora', "'example/org/expiry' = 2036-11-21T02:07:53Z", 1, /no fingerprint/],
    ['amfora', `'example/org' = { a = 1 }`, 1, /one key/],
    ['amfora', `'Common Name' = '${KEY}'`, 1, /character/],
    ['ncgopher', `"example.org" = "${BASE64}"`, 1, /not in the table/],
    ['ncgopher', `[certificate]\n"example.org" = "${sha256}"`, 17, /base64/],
  ])('%s: %s', async (format, line, column, reason) => {
    const done = await read(`${line}\n`, format)
    const number = line.split('\n').length
    expect(done.problems).toEqual([{ line: number, column, message: expect.stringMatching(reason) }])
    expect(done.hosts).toEqual({})
  })

  it.each([...LINE_BY_LINE])('does not keep the rest of a file of %s from being imported', async (format) => {
    const text = `${lineOf(format, 'a.example', 1)}\u0000\u0007\n${lineOf(format, 'b.example', 2)}`
    const done = await read(text, format)
    expect(done).toMatchObject({ added: 2, problems: [{ line: 2 }] })
    await expect(read(text, format, false)).rejects.toMatchObject({ problems: [{ line: 2 }] })
  })

  it('is told up to a thousand times, and how often beyond that', async () => {
    const done = await read('x\n'.repeat(1500), 'geopard')
    expect(done.problems).toHaveLength(1001)
    expect(done.problems.at(-1)).toMatchObject({ line: 1500, message: expect.stringContaining('500 more') })
  })

  it('may be a line that never ends, of which no more is kept than need be', async () => {
    const text = `${lineOf('geopard', 'a.example', 1)}${'x'.repeat(300_000)}\n${lineOf('geopard', 'b.example', 2)}`
    expect(await read(text, 'geopard')).toMatchObject({ added: 2, problems: [{ line: 2, message: /too long/ }] })
  })

  it('may be text that is not UTF-8', async () => {
    const file = await fileWith(Buffer.from(`b\xfccher.example ${SHA256}\nexample.org ${SHA256}\n`, 'latin1'))
    const store = TofuStore.inMemory()
    const done = await store.importKnownHosts(file, { skipUnusable: true })
    expect(done).toMatchObject({ format: 'geopard', added: 1, problems: [{ line: 1, column: 2 }] })
    await store.close()
  })

  it('in TOML of our own keeps all of it out, because marks may be among it', async () => {
    const text = OTHER_LINES.find(({ format }) => format === 'tlacacoca')?.text ?? ''
    await expect(read(text.replace('port = 1965', 'port = 0'), 'tlacacoca')).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_IMPORT_INVALID',
    })
  })

  it('must not be skipped when everything is replaced', async () => {
    const store = TofuStore.inMemory()
    const file = await fileWith(lineOf('geopard', 'a.example', 1))
    const both = store.importKnownHosts(file, { merge: false, skipUnusable: true })
    await expect(both).rejects.toThrow(TypeError)
    await store.close()
  })

  it('leaves no empty store behind, where nothing is in the file', async () => {
    const store = TofuStore.inMemory()
    await store.trust(at('a.example:1965'), digestOf('geopard', 1))
    for (const text of ['', '# nothing\n']) {
      const file = await fileWith(text)
      const replacing = store.importKnownHosts(file, { format: 'geopard', merge: false })
      await expect(replacing).rejects.toMatchObject({ code: 'ERR_TLACACOCA_IMPORT_INVALID' })
      expect(await store.importKnownHosts(file, { format: 'geopard' })).toMatchObject({ added: 0 })
    }
    expect(await store.listHosts()).toHaveLength(1)
    await store.close()
  })
})

describe('hosts', () => {
  it.each<[PlainFormat, string, string]>([
    ['telescope', 'EXAMPLE.org', 'example.org:1965'],
    ['telescope', 'example.org.', 'example.org:1965'],
    ['telescope', 'bücher.example', 'xn--bcher-kva.example:1965'],
    ['telescope', 'example.org:1966', 'example.org:1966'],
    ['telescope', '192.0.2.1', '192.0.2.1:1965'],
    ['telescope', '192.0.2.1:300', '192.0.2.1:300'],
    ['telescope', '2001:DB8:0::1', '[2001:db8::1]:1965'],
    ['telescope', '[2001:db8::1]:300', '[2001:db8::1]:300'],
    ['telescope', '2001:db8::1:19650', '[2001:db8::1]:19650'],
    ['telescope', '2001:db8:0:0:0:0:0:1:300', '[2001:db8::1]:300'],
    ['telescope', '::ffff:192.0.2.1', '192.0.2.1:1965'],
    ['wasat', 'Example.org:300', 'example.org:300'],
    // wasat always writes the port.
    ['wasat', '2001:db8::1:300', '[2001:db8::1]:300'],
    ['wasat', '::1:1965', '[::1]:1965'],
    ['lagrange', 'xn--bcher-kva.example;300', 'xn--bcher-kva.example:300'],
    ['lagrange', '::1;1965', '[::1]:1965'],
    ['lagrange', '[::1];1966', '[::1]:1966'],
    ['go-gemini', 'example.org:1966', 'example.org:1966'],
    ['gmni', '::1', '[::1]:1965'],
    ['geopard', 'Example.org', 'example.org:1965'],
    ['amfora', 'example.expiry', 'example.expiry:1965'],
  ])('%s writes %s for %s', async (format, host, subject) => {
    const { hosts } = await read(lineOf(format, host, 1), format)
    expect(hosts).toEqual({ [subject]: digestOf(format, 1) })
  })

  it.each([...LINE_BY_LINE])('that are twice in a file of %s have the fingerprint of the last line', async (format) => {
    const text = ['a.example', 'b.example', 'A.example.', 'a.example', 'b.example'].map((host, i) =>
      lineOf(format, host, i < 4 ? i + 1 : 2),
    )
    const done = await read(text.join(''), format, false)
    expect(done.hosts).toEqual({ 'a.example:1965': digestOf(format, 4), 'b.example:1965': digestOf(format, 2) })
    expect(done).toMatchObject({
      added: 2,
      problems: [],
      remarks: [
        { line: 1, message: expect.stringContaining('line 4') },
        { line: 3, message: expect.stringContaining('line 4') },
      ],
    })
  })

  it.each<[format: KnownHostsFormat, text: string, lines: number[]]>([
    ['amfora', `'a/b' = '${hex(1)}'\n'A/b' = '${hex(2)}'\n'c/d' = '${hex(3)}'\n`, [1, 2]],
    ['amfora', `'a/b' = '${hex(1)}'\n'a/b/expiry' = 2030-01-01T00:00:00Z\n'a/b' = '${hex(1)}'\n`, [1, 3]],
    ['ncgopher', `[certificate]\n"a.b" = "${BASE64}"\n"A.b" = "${BASE64}"\n"c.d" = "${BASE64}"\n`, [2, 3]],
  ])('that are twice in a table of %s cannot be used: which one counts is chance', async (format, text, lines) => {
    const done = await read(text, format)
    expect(done.problems.map(({ line }) => line)).toEqual(lines)
    expect(Object.keys(done.hosts)).toEqual(
      text.includes('c') && !text.includes('expiry') ? [expect.stringMatching(/^c/)] : [],
    )
  })

  it('have the end of their certificate in another line of Amfora, before or after or far away', async () => {
    const keys = [
      'a/expiry:1966',
      'a:1966',
      'a',
      'a/expiry',
      'z/expiry',
      ...Array.from({ length: 500 }, (_, i) => `m${i}`),
      'z',
    ]
    const text = keys.map((key) =>
      key.includes('expiry') ? `'${key}' = 2036-11-21T02:07:53Z\n` : `'${key}' = '${hex(1).toUpperCase()}'\n`,
    )
    const store = TofuStore.inMemory()
    expect(await store.importKnownHosts(await fileWith(text.join('')))).toMatchObject({ added: 503, problems: [] })
    for (const host of ['a:1965', 'a:1966', 'z:1965']) {
      expect(await store.getHostInfo(at(host))).toMatchObject({ notAfter: new Date('2036-11-21T02:07:53Z') })
    }
    expect(await store.getHostInfo(at('m1:1965'))).toMatchObject({ notAfter: null })
    await store.close()
  })

  it('are read from a file as Amfora 1.9.2 writes it, with a bare key and bare IPv6 addresses', async () => {
    const keys = ['127/0/0/1:19650', '::1', '::1:19650', 'localhost', 'localhost:19650']
    const text = keys.flatMap((key) => {
      const [host = '', port = ''] = key.split(/(?=:19650$)/)
      const name = key === 'localhost' ? key : `"${key}"`
      return [`${name} = "${hex(1).toUpperCase()}"`, `"${host}/expiry${port}" = 2036-11-23T03:52:46Z`]
    })
    const store = TofuStore.inMemory()
    const done = await store.importKnownHosts(await fileWith(`${text.sort().join('\n')}\n`))
    expect(done).toMatchObject({ format: 'amfora', added: 5, problems: [] })
    const subjects = ['127.0.0.1:19650', '[::1]:1965', '[::1]:19650', 'localhost:1965', 'localhost:19650']
    for (const subject of subjects) {
      expect(await store.getHostInfo(at(subject))).toMatchObject({ notAfter: new Date('2036-11-23T03:52:46Z') })
    }
    await store.close()
  })

  it('are shown with the fingerprint of the key, where Amfora does not say of what it is', async () => {
    const { hosts } = await read(FIELD_LINES.amfora, 'amfora')
    expect(hosts).toEqual({ 'example.org:1965': `spki-sha256:${KEY}` })
  })
})

describe('dates', () => {
  it('are those of the file where it tells, and not after now', async () => {
    const store = TofuStore.inMemory({ clock: () => NOW })
    const text = `a.example:1965 ${SHA256} 2026-11-24T02:10:00+00:00\nb.example:1965 ${SHA256} 2040-01-01T00:00:00Z\n`
    await store.importKnownHosts(await fileWith(text), { format: 'wasat' })
    const instant = new Date('2026-11-24T02:10:00Z')
    expect(await store.getHostInfo(at('a.example:1965'))).toMatchObject({ firstSeen: instant, lastSeen: instant })
    expect(await store.getHostInfo(at('b.example:1965'))).toMatchObject({ lastSeen: new Date(NOW) })
    await store.close()
  })

  it('of the end of a certificate make a change expected or early', async () => {
    const { certificate } = await testCertificate()
    const store = TofuStore.inMemory({ clock: () => NOW })
    const text = `a.example;1965 1900000000 ${KEY}\nb.example;1965 1900000001 ${KEY}\n`.replace(
      '1900000000',
      '1800000000',
    )
    await store.importKnownHosts(await fileWith(text.replace('1900000001', '1980000000')))
    expect(await store.judge(at('a.example:1965'), certificate)).toMatchObject({
      kind: 'changed',
      reason: 'pinned_expired',
    })
    expect(await store.judge(at('b.example:1965'), certificate)).toMatchObject({ kind: 'changed', reason: 'early' })
    await store.close()
  })
})

it('what Telescope calls verified is verified', async () => {
  const store = TofuStore.inMemory()
  await store.importKnownHosts(await fileWith(`a.example SHA256:${SHA256} 1\nb.example SHA256:${SHA256} 0\n`))
  expect(await store.listHosts()).toMatchObject([{ state: 'verified' }, { state: 'trusted' }])
  await store.close()
})

describe('sources that are no files', () => {
  it('a link, a stray file or another name among the folders of Offpunk is told', async () => {
    const folder = await temporaryFolder()
    const place = join(folder, 'certs', 'a.example', '192.0.2.1')
    mkdirSync(place, { recursive: true })
    writeFileSync(join(place, SHA256), '1')
    writeFileSync(join(place, 'README'), '1')
    symlinkSync(join(place, SHA256), join(place, hex(1)))
    writeFileSync(join(folder, 'certs', 'stray'), '')
    writeFileSync(join(folder, 'certs', 'a.example', '192.0.2.2'), '')
    symlinkSync('/', join(folder, 'certs', 'root.example'))
    mkdirSync(join(folder, 'certs', '-bad-', '192.0.2.1'), { recursive: true })
    writeFileSync(join(folder, 'certs', '-bad-', '192.0.2.1', SHA256), '1')
    const store = TofuStore.inMemory()
    const done = await store.importKnownHosts(folder, { skipUnusable: true })
    expect(done).toMatchObject({ format: 'offpunk', added: 1 })
    expect(done.problems).toHaveLength(6)
    expect(done.problems.map(({ message }) => message)).toContain('"a.example": "192.0.2.2" is not a folder')
    await store.close()
  })

  it.each([{ at: 'folder' }, { at: 'nothing' }])('$at is not read as a file', async ({ at: what }) => {
    const folder = await temporaryFolder()
    const path = what === 'folder' ? folder : join(folder, 'none')
    const code = what === 'folder' ? 'ERR_TLACACOCA_FILE_UNREADABLE' : 'ERR_TLACACOCA_FILE_NOT_FOUND'
    const store = TofuStore.inMemory()
    for (const format of ['lagrange', 'av98', 'tlacacoca'] as const) {
      expect(await failure(store.importKnownHosts(path, { format }))).toMatchObject({ code })
    }
    await store.close()
  })

  it('a file is not read as the folder of Offpunk', async () => {
    const file = await fileWith(lineOf('geopard', 'a.example', 1))
    const store = TofuStore.inMemory()
    expect(await failure(store.importKnownHosts(file, { format: 'offpunk' }))).toMatchObject({
      code: 'ERR_TLACACOCA_FILE_UNREADABLE',
      message: expect.stringContaining('not a folder'),
    })
    expect(await store.listHosts()).toEqual([])
    await store.close()
  })

  // The driver would open the file without the space, which is another one.
  it('a database with a space at the end of its name is refused, not read from elsewhere', async () => {
    const file = join(await temporaryFolder(), 'tofu.db')
    for (const [path, n] of [
      [`${file} `, 1],
      [file, 2],
    ] as const) {
      const made = await fileWith('', 'made.db')
      const db = new SQLite(made)
      db.exec('CREATE TABLE known_hosts (hostname, port, fingerprint, first_seen, last_seen)')
      const day = '2026-01-01T00:00:00+00:00'
      db.prepare('INSERT INTO known_hosts VALUES (?, ?, ?, ?, ?)').run('a.example', 1965, `sha256:${hex(n)}`, day, day)
      db.close()
      writeFileSync(path, readFileSync(made))
    }
    const store = TofuStore.inMemory()
    for (const options of [{}, { format: 'tlacacoca-sqlite' }] as const) {
      expect(await failure(store.importKnownHosts(`${file} `, options))).toMatchObject({
        code: 'ERR_TLACACOCA_FILE_UNREADABLE',
        message: expect.stringContaining('spaces at its end'),
      })
    }
    expect(await store.listHosts()).toEqual([])
    await store.close()
  })

  // A store that could not be read and counts as empty would make a first visit of every server.
  it.each(['tlacacoca-sqlite', 'av98'] as const)('a database of %s that is damaged is an error', async (format) => {
    const file = await fileWith(Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(5000, 7)]))
    const store = TofuStore.inMemory()
    expect(await failure(store.importKnownHosts(file, { format }))).toMatchObject({
      code: 'ERR_TLACACOCA_STORE_CORRUPT',
    })
    expect(await failure(store.importKnownHosts(file))).toMatchObject({ code: 'ERR_TLACACOCA_STORE_CORRUPT' })
    await store.close()
  })

  // SQLite reads what is missing of the last page as zeros.
  it('a database that was cut off anywhere is an error', async () => {
    const file = join(await temporaryFolder(), 'tofu.db')
    const db = new SQLite(file)
    db.exec('CREATE TABLE known_hosts (hostname, port, fingerprint, first_seen, last_seen)')
    const day = '2026-01-01T00:00:00+00:00'
    const add = db.prepare('INSERT INTO known_hosts VALUES (?, ?, ?, ?, ?)')
    for (let n = 0; n < 100; n++) add.run(`h${n}.example`, 1965, `sha256:${hex(n)}`, day, day)
    db.close()
    const bytes = readFileSync(file)
    const store = TofuStore.inMemory()
    for (let length = 100; length < bytes.length; length += 333) {
      const cut = await fileWith(bytes.subarray(0, length))
      const error = await failure(store.importKnownHosts(cut, { skipUnusable: true }))
      expect(error).toMatchObject({ code: 'ERR_TLACACOCA_STORE_CORRUPT' })
    }
    expect(await store.importKnownHosts(file)).toMatchObject({ added: 100 })
    await store.close()
  })

  it('values of other kinds in a database are told', async () => {
    const file = join(await temporaryFolder(), 'tofu.db')
    const db = new SQLite(file)
    db.exec('CREATE TABLE known_hosts (hostname, port, fingerprint, first_seen, last_seen)')
    const add = db.prepare('INSERT INTO known_hosts VALUES (?, ?, ?, ?, ?)')
    const good = ['a.example', 1965, `sha256:${SHA256}`, '2026-01-01T00:00:00+00:00', '2026-01-01T00:00:00+00:00']
    add.run(...good)
    for (const [index, value] of [
      [0, 5],
      [0, Buffer.from('x')],
      [0, 'x'.repeat(700)],
      [1, 'http'],
      [1, 0],
      [1, 1.5],
      [2, null],
      [2, `${SHA256}\n`],
      [3, 17],
      [4, '2026-02-30'],
    ] as const) {
      add.run(...good.map((field, i) => (i === index ? value : field)))
    }
    db.close()
    const store = TofuStore.inMemory()
    const done = await store.importKnownHosts(file, { skipUnusable: true })
    expect(done.problems).toHaveLength(10)
    expect(done).toMatchObject({ format: 'tlacacoca-sqlite', added: 1 })
    await store.close()
  })

  it('a database in WAL mode is read with what is in its log, and gets no files beside it', async () => {
    const folder = await temporaryFolder()
    const file = join(folder, 'tofu.db')
    const db = new SQLite(file)
    db.pragma('journal_mode = WAL')
    db.exec('CREATE TABLE known_hosts (hostname, port, fingerprint, first_seen, last_seen)')
    const day = '2026-01-01T00:00:00+00:00'
    db.prepare('INSERT INTO known_hosts VALUES (?, ?, ?, ?, ?)').run('a.example', 1965, `sha256:${SHA256}`, day, day)
    const store = TofuStore.inMemory()
    expect(await store.importKnownHosts(file, { dryRun: true })).toMatchObject({ added: 1 })
    db.close()
    expect(readdirSync(folder)).toEqual(['tofu.db'])
    expect(await store.importKnownHosts(file)).toMatchObject({ added: 1 })
    expect(readdirSync(folder)).toEqual(['tofu.db'])
    await store.close()
  })

  it('of two spellings of a host in a database of the Python relatives, the one seen last counts', async () => {
    const file = join(await temporaryFolder(), 'tofu.db')
    const db = new SQLite(file)
    db.exec('CREATE TABLE known_hosts (hostname, port, fingerprint, first_seen, last_seen)')
    const add = db.prepare('INSERT INTO known_hosts VALUES (?, ?, ?, ?, ?)')
    add.run('Example.org', 1965, `sha256:${hex(2)}`, '2026-01-01T00:00:00+00:00', '2026-03-01T00:00:00+00:00')
    add.run('example.org', 1965, `sha256:${hex(1)}`, '2026-01-01T00:00:00+00:00', '2026-02-01T00:00:00+00:00')
    db.close()
    const store = TofuStore.inMemory()
    expect(await store.importKnownHosts(file)).toMatchObject({ added: 1, remarks: [{ line: 1 }] })
    expect(await store.getHostInfo(at('example.org:1965'))).toMatchObject({ fingerprint: `sha256:${hex(2)}` })
    await store.close()
  })
})

it('a file that changes while it is read is not imported', async () => {
  const store = TofuStore.inMemory()
  const file = await fileWith(lineOf('geopard', 'a.example', 1))
  const onProgress = () => appendFileSync(file, lineOf('geopard', 'b.example', 2))
  expect(await failure(store.importKnownHosts(file, { onProgress }))).toMatchObject({
    code: 'ERR_TLACACOCA_FILE_UNREADABLE',
    message: expect.stringContaining('changed'),
  })
  expect(await store.listHosts()).toEqual([])
  await store.close()
})

it('options that do not exist are refused', async () => {
  const store = TofuStore.inMemory()
  const file = await fileWith(lineOf('geopard', 'a.example', 1))
  const misspelt: object = { skipUnuseable: true }
  await expect(store.importKnownHosts(file, misspelt)).rejects.toThrow(TypeError)
  const unknown: object = { format: 'kristall' }
  await expect(store.importKnownHosts(file, unknown)).rejects.toThrow('"kristall"')
  await store.close()
})
