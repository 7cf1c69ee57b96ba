// What each client holds for one and the same certificate is the same trust here, and is written as that client has it.

import { mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { parseEndpoint } from '../../../src/names/endpoint.ts'
import type { KnownHostsExportFormat, KnownHostsFormat } from '../../../src/tofu/formats/known-host.ts'
import { SqlitePinStore } from '../../../src/tofu/sqlite-pin-store.ts'
import { TofuStore } from '../../../src/tofu/tofu-store.ts'
import { testCertificate } from '../../support/certificates.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { FIELD_CERTIFICATE, FIELD_LINES, OTHER_LINES, SEEN, SHA1, SHA256 } from './field-certificate.ts'

const endpoint = parseEndpoint('example.org:1965')
const clock = () => SEEN.getTime()
const other = await testCertificate()

/** Imports a store by its content alone and says what the certificate is afterwards. */
async function verdictAfter(path: string) {
  const store = TofuStore.inMemory({ clock })
  const done = await store.importKnownHosts(path)
  expect(done).toMatchObject({ added: 1, updated: 0, skipped: 0, removed: 0, problems: [], remarks: [] })
  const { kind } = await store.judge(endpoint, FIELD_CERTIFICATE)
  const changed = await store.judge(endpoint, other.certificate)
  const [pin] = await store.pins(endpoint)
  await store.close()
  return { format: done.format, kind, otherKind: changed.kind, source: pin?.source }
}

const written = async (text: string): Promise<string> => {
  const file = join(await temporaryFolder(), 'known_hosts')
  writeFileSync(file, text)
  return file
}

const files = [
  ...Object.entries(FIELD_LINES).map(([format, text]) => ({ what: format, format, text })),
  ...OTHER_LINES.filter(({ what }) => what !== 'wasat as short as it may be' && what !== 'geopard with more fields'),
]

it.each(files)('$what makes the certificate trusted, and any other a change', async ({ format, text }) => {
  expect(await verdictAfter(await written(text))).toEqual({
    format,
    kind: 'trusted',
    otherKind: 'changed',
    source: format === 'tlacacoca' ? null : `import: ${format}`,
  })
})

it.each(OTHER_LINES)('$what is read where the format is given', async ({ format, text }) => {
  const store = TofuStore.inMemory({ clock })
  expect(await store.importKnownHosts(await written(text), { format })).toMatchObject({ added: 1, problems: [] })
  expect(await store.judge(endpoint, FIELD_CERTIFICATE)).toMatchObject({ kind: 'trusted' })
  await store.close()
})

it('nothing of Bombadillo is imported, because SHA-1 tells no certificates apart', async () => {
  const text = `[SETTINGS]\nhomeurl=gopher://bombadillo.colorfield.space:70/1/user-guide.map\n\n[CERTS]\nexample.org=${SHA1}|2110846073\n`
  const file = await written(text)
  const store = TofuStore.inMemory({ clock })
  await expect(store.importKnownHosts(file)).rejects.toMatchObject({
    code: 'ERR_TLACACOCA_IMPORT_INVALID',
    problems: [{ line: 5, column: 13, message: expect.stringContaining('SHA-1') }],
  })
  const done = await store.importKnownHosts(file, { skipUnusable: true })
  expect(done).toMatchObject({ format: 'bombadillo', added: 0, problems: [{ line: 5 }] })
  expect(await store.judge(endpoint, FIELD_CERTIFICATE)).toMatchObject({ kind: 'first_use' })
  await store.close()
})

describe('databases and folders', () => {
  async function database(sql: string): Promise<string> {
    const file = join(await temporaryFolder(), 'tofu.db')
    const db = new SQLite(file)
    db.exec(sql)
    db.close()
    return file
  }

  it.each<{ what: string; format: KnownHostsFormat; sql: string }>([
    {
      what: 'the SQLite file of the Python relatives',
      format: 'tlacacoca-sqlite',
      sql: `CREATE TABLE known_hosts (hostname TEXT NOT NULL, port INTEGER NOT NULL, fingerprint TEXT NOT NULL,
              first_seen TEXT NOT NULL, last_seen TEXT NOT NULL, PRIMARY KEY (hostname, port));
            INSERT INTO known_hosts VALUES ('Example.org', 1965, 'sha256:${SHA256.toUpperCase()}',
              '2026-11-02T10:20:30.123456+00:00', '2026-11-20T02:10:00+00:00')`,
    },
    {
      what: 'tofu.db of AV-98 and of Offpunk before 2.3',
      format: 'av98',
      sql: `CREATE TABLE cert_cache (hostname text, address text, fingerprint text, first_seen date, last_seen date, count integer);
            INSERT INTO cert_cache VALUES
              ('example.org', '192.0.2.1', '${SHA256}', '2026-11-02 10:20:30.123456', '2026-11-19 02:10:00.000000', 40),
              ('example.org', '2001:db8::1', '${SHA256}', '2026-11-03 10:20:30.123456', '2026-11-20 02:10:00.000000', 2)`,
    },
    {
      what: 'tofu.db of an AV-98 that knows ports',
      format: 'av98',
      sql: `CREATE TABLE cert_cache (hostname text, port integer, address text, fingerprint text, first_seen date, last_seen date, count integer);
            INSERT INTO cert_cache VALUES
              ('example.org', NULL, '192.0.2.1', '${SHA256}', '2026-11-02 10:20:30.123456', '2026-11-20 02:10:00.000000', 40)`,
    },
  ])('$what makes the certificate trusted, and is not changed by it', async ({ format, sql }) => {
    const file = await database(sql)
    const before = { bytes: readFileSync(file), at: statSync(file).mtimeMs }
    expect(await verdictAfter(file)).toMatchObject({ format, kind: 'trusted', otherKind: 'changed' })
    expect({ bytes: readFileSync(file), at: statSync(file).mtimeMs }).toEqual(before)

    const store = TofuStore.inMemory({ clock })
    await store.importKnownHosts(file)
    expect(await store.getHostInfo(endpoint)).toMatchObject({
      firstSeen: new Date('2026-11-02T10:20:30.123Z'),
      lastSeen: new Date('2026-11-20T02:10:00Z'),
    })
    await store.close()
  })

  it.each([{ given: 'certs' }, { given: '.' }])('the folders of Offpunk do, given $given', async ({ given }) => {
    const folder = await temporaryFolder()
    for (const address of ['192.0.2.1', '2001:db8::1']) {
      const place = join(folder, 'certs', 'example.org', address)
      mkdirSync(place, { recursive: true })
      writeFileSync(join(place, SHA256), '42')
      utimesSync(join(place, SHA256), SEEN, new Date('2026-11-20T02:10:00Z'))
    }
    expect(await verdictAfter(join(folder, given))).toMatchObject({ format: 'offpunk', kind: 'trusted' })
    const store = TofuStore.inMemory({ clock })
    await store.importKnownHosts(join(folder, given))
    expect(await store.getHostInfo(endpoint)).toMatchObject({ lastSeen: new Date('2026-11-20T02:10:00Z'), daysSeen: 1 })
    await store.close()
  })
})

const writable: KnownHostsExportFormat[] = ['lagrange', 'amfora', 'gmni', 'telescope', 'wasat', 'go-gemini']

describe.each([
  { where: 'in memory', open: async () => TofuStore.inMemory({ clock }) },
  {
    where: 'in a file',
    open: async () => new TofuStore(await SqlitePinStore.open(join(await temporaryFolder(), 'pins.db')), { clock }),
  },
])('a store $where that saw the certificate', ({ open }) => {
  it.each(writable)('is written for %s exactly as that client would', async (format) => {
    const store = await open()
    await store.verifyOrTrust(endpoint, FIELD_CERTIFICATE)
    const file = join(await temporaryFolder(), 'known_hosts')
    expect(await store.exportKnownHosts(file, { format })).toEqual({ hosts: 1, leftOut: [], leftOutCount: 0 })
    expect(readFileSync(file, 'utf8')).toBe(FIELD_LINES[format])
    expect(statSync(file).mode & 0o777).toBe(0o600)
    await store.close()
  })

  it.each(writable)('knows it already when it comes back from %s', async (format) => {
    const store = await open()
    await store.verifyOrTrust(endpoint, FIELD_CERTIFICATE)
    const pins = await store.pins(endpoint)
    const done = await store.importKnownHosts(await written(FIELD_LINES[format]))
    expect(done).toMatchObject({ added: 0, updated: 0, skipped: 1 })
    expect(await store.pins(endpoint)).toEqual(pins)
    await store.close()
  })
})

// What one client cannot tell another, a visit can.
describe.each(writable)('what comes from %s', (from) => {
  it.each(writable)('can be written for %s after a visit, and before it where that is known', async (format) => {
    const store = TofuStore.inMemory({ clock })
    await store.importKnownHosts(await written(FIELD_LINES[from]))
    const folder = await temporaryFolder()
    const before = await store.exportKnownHosts(join(folder, 'before'), { format })
    expect(before.hosts + before.leftOutCount).toBeGreaterThan(0)
    if (before.hosts > 0) expect(readFileSync(join(folder, 'before'), 'utf8')).toBe(FIELD_LINES[format])

    await store.verify(endpoint, FIELD_CERTIFICATE)
    const after = await store.exportKnownHosts(join(folder, 'after'), { format })
    if (after.hosts > 0) expect(readFileSync(join(folder, 'after'), 'utf8')).toBe(FIELD_LINES[format])
    else expect(after.leftOut).toMatchObject([{ subject: 'example.org:1965', reason: expect.any(String) }])
    await store.close()
  })
})
