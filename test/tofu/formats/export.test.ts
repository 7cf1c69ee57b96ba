import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseEndpoint } from '../../../src/names/endpoint.ts'
import type { KnownHostsExportFormat } from '../../../src/tofu/formats/known-host.ts'
import { MemoryPinStore } from '../../../src/tofu/memory-pin-store.ts'
import type { Pin } from '../../../src/tofu/pin.ts'
import { TofuStore } from '../../../src/tofu/tofu-store.ts'
import { testCertificate } from '../../support/certificates.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { pinOf } from '../../support/tofu-certificates.ts'
import { BASE64, FIELD_CERTIFICATE, FIELD_LINES, KEY, SEEN, SHA256, SHA512 } from './field-certificate.ts'
import { digestOf, failure, fileWith, lineOf } from './support.ts'

const ALL: readonly KnownHostsExportFormat[] = ['lagrange', 'amfora', 'gmni', 'telescope', 'wasat', 'go-gemini']
const at = (text: string) => parseEndpoint(text)
const { certificate: another, keyPem } = await testCertificate()
const { certificate: renewed } = await testCertificate({ keyPem })

/** A store that saw the certificate of the field at these servers. */
async function storeOf(...endpoints: string[]): Promise<TofuStore> {
  const store = TofuStore.inMemory({ clock: () => SEEN.getTime() })
  for (const endpoint of endpoints) await store.verifyOrTrust(at(endpoint), FIELD_CERTIFICATE)
  return store
}

async function exported(store: TofuStore, format: KnownHostsExportFormat) {
  const file = join(await temporaryFolder(), 'known_hosts')
  const done = await store.exportKnownHosts(file, { format })
  return { ...done, text: readFileSync(file, 'utf8') }
}

/** A file of a client, and what it becomes by an update. */
async function updated(store: TofuStore, format: KnownHostsExportFormat, before: string | Buffer) {
  const file = await fileWith(before)
  const done = await store.exportKnownHosts(file, { format, update: true })
  return { ...done, text: readFileSync(file, 'utf8'), bytes: readFileSync(file) }
}

async function storeWith(...pins: Pin[]): Promise<TofuStore> {
  const store = new MemoryPinStore()
  for (const pin of pins) {
    const expect = store.read(pin.subject)
    store.update({ changes: [{ subject: pin.subject, expect, put: [pin], remove: [] }], log: [] })
  }
  return new TofuStore(store)
}

describe('addresses and ports', () => {
  it.each<[KnownHostsExportFormat, string, string]>([
    ['lagrange', 'example.org:300', `example.org;300 2110846073 ${KEY}\n`],
    ['lagrange', '[2001:db8::1]:300', `2001:db8::1;300 2110846073 ${KEY}\n`],
    ['telescope', 'example.org:300', `example.org:300 SHA256:${SHA256} 0\n`],
    ['telescope', '[::1]:1965', `::1 SHA256:${SHA256} 0\n`],
    ['wasat', '[::1]:300', `::1:300 sha256:${SHA256} 2026-11-24T02:10:00.000000+00:00\n`],
    ['gmni', '192.0.2.1:1965', `192.0.2.1 SHA-512 ${SHA512}\n`],
    [
      'amfora',
      '192.0.2.1:300',
      `'192/0/2/1:300' = '${KEY.toUpperCase()}'\n'192/0/2/1/expiry:300' = 2036-11-21T02:07:53Z\n`,
    ],
    ['amfora', '[::1]:1965', `'::1' = '${KEY.toUpperCase()}'\n'::1/expiry' = 2036-11-21T02:07:53Z\n`],
  ])('%s has its own way to write %s', async (format, endpoint, text) => {
    expect(await exported(await storeOf(endpoint), format)).toEqual({ hosts: 1, leftOut: [], leftOutCount: 0, text })
  })

  it.each<[KnownHostsExportFormat, string, RegExp]>([
    ['gmni', 'example.org:1966', /no port/],
    ['go-gemini', 'example.org:1966', /no port/],
    // ::1:300 is an address too.
    ['telescope', '[::1]:300', /no clear way/],
    ['amfora', '[::1]:300', /no clear way/],
  ])('%s cannot hold %s, which is told', async (format, endpoint, reason) => {
    const done = await exported(await storeOf(endpoint, 'a.example:1965'), format)
    expect(done).toMatchObject({ hosts: 1, leftOutCount: 1 })
    expect(done.leftOut).toEqual([
      { subject: endpoint, digest: `sha256:${SHA256}`, reason: expect.stringMatching(reason) },
    ])
    expect(done.text).not.toContain(endpoint)
  })
})

describe('what a format cannot hold is told', () => {
  it.each(ALL)('marks, and certificates that are still to come, by %s', async (format) => {
    const store = await storeOf('example.org:1965')
    await store.distrust(at('example.org:1965'), another)
    await store.announce(at('example.org:1965'), digestOf('telescope', 9))
    await store.distrust(at('marked.example:1965'), FIELD_CERTIFICATE)
    const done = await exported(store, format)
    expect(done.text).toBe(FIELD_LINES[format])
    expect(done.leftOut).toHaveLength(3)
    expect(done.leftOut).toContainEqual({
      subject: 'marked.example:1965',
      digest: `sha256:${SHA256}`,
      reason: expect.stringContaining('never to be trusted'),
    })
  })

  // Others may have put both into one store. To write the pin would be to trust what is marked.
  it.each(ALL)('a live pin of a certificate that is marked by any of its fingerprints, by %s', async (format) => {
    const { fingerprint, publicKeyFingerprint, sha512Fingerprint } = FIELD_CERTIFICATE
    for (const marked of [publicKeyFingerprint, sha512Fingerprint]) {
      const pins = new MemoryPinStore()
      const store = new TofuStore(pins)
      await store.verifyOrTrust(at('example.org:1965'), FIELD_CERTIFICATE)
      const mark = pinOf(FIELD_CERTIFICATE, { digest: marked, state: 'distrusted' })
      const expected = pins.read('example.org:1965')
      pins.update({ changes: [{ subject: mark.subject, expect: expected, put: [mark], remove: [] }], log: [] })
      const done = await exported(store, format)
      expect(done).toMatchObject({ hosts: 0, text: '', leftOutCount: 2 })
      expect(done.leftOut).toContainEqual({
        subject: 'example.org:1965',
        digest: fingerprint,
        reason: 'it is marked as never to be trusted',
      })
    }
  })

  it.each(ALL)('another certificate of a server, by %s', async (format) => {
    const store = await storeOf('example.org:1965')
    await store.trust(at('example.org:1965'), another, { keepOthers: true })
    const done = await exported(store, format)
    expect(done).toMatchObject({ hosts: 1, leftOutCount: 1 })
    expect(done.leftOut[0]?.reason).toContain('one fingerprint for a host')
  })

  it('but not a second certificate for the same key, where the key is what counts', async () => {
    const store = TofuStore.inMemory()
    await store.trust(at('example.org:1965'), another)
    await store.trust(at('example.org:1965'), renewed, { keepOthers: true })
    for (const format of ['lagrange', 'amfora'] as const) {
      expect(await exported(store, format)).toMatchObject({ hosts: 1, leftOut: [] })
    }
    expect(await exported(store, 'telescope')).toMatchObject({ hosts: 1, leftOutCount: 1 })
  })

  it('a fingerprint of another kind than the format has, until a visit shows the rest', async () => {
    const unseen = { keyDigest: null, notAfter: null }
    const store = await storeWith(
      pinOf(FIELD_CERTIFICATE, { subject: 'cert.example:1965', ...unseen }),
      pinOf(FIELD_CERTIFICATE, {
        subject: 'key.example:1965',
        ...unseen,
        digest: FIELD_CERTIFICATE.publicKeyFingerprint,
      }),
      pinOf(FIELD_CERTIFICATE, {
        subject: 'long.example:1965',
        ...unseen,
        digest: FIELD_CERTIFICATE.sha512Fingerprint,
      }),
    )
    const hosts = async (format: KnownHostsExportFormat) => (await exported(store, format)).text.match(/^'?[a-z]+/gm)
    expect(await hosts('telescope')).toEqual(['cert'])
    expect(await hosts('wasat')).toEqual(['cert'])
    expect(await hosts('go-gemini')).toEqual(['cert'])
    expect(await hosts('gmni')).toEqual(['long'])
    // With a key and without an end, these clients would take any certificate.
    for (const format of ['lagrange', 'amfora'] as const) {
      expect(await hosts(format)).toBeNull()
      expect((await exported(store, format)).leftOut.map(({ reason }) => reason)).toEqual([
        expect.stringContaining('public key is not known'),
        expect.stringContaining('end of its certificate'),
        expect.stringContaining('public key is not known'),
      ])
    }
  })

  it('a fingerprint of which Amfora did not say what it is of, except to Amfora', async () => {
    const store = TofuStore.inMemory()
    await store.importKnownHosts(await fileWith(FIELD_LINES.amfora))
    expect(await exported(store, 'amfora')).toMatchObject({ hosts: 1, leftOut: [], text: FIELD_LINES.amfora })
    for (const format of ['telescope', 'lagrange', 'gmni', 'wasat', 'go-gemini'] as const) {
      expect(await exported(store, format)).toMatchObject({ hosts: 0, text: '' })
    }
    await store.verify(at('example.org:1965'), FIELD_CERTIFICATE)
    expect(await exported(store, 'lagrange')).toMatchObject({ hosts: 1, leftOut: [], text: FIELD_LINES.lagrange })
    expect(await exported(store, 'telescope')).toMatchObject({ hosts: 0, leftOutCount: 1 })
  })

  it('a mailbox', async () => {
    const store = await storeWith(pinOf(FIELD_CERTIFICATE, { subject: 'ana@example.org' }))
    expect(await exported(store, 'telescope')).toMatchObject({
      hosts: 0,
      leftOut: [{ subject: 'ana@example.org', reason: expect.stringContaining('not a server') }],
    })
  })

  it('a thousand times, and how often beyond that', async () => {
    const pins = Array.from({ length: 1200 }, (_, i) => pinOf(FIELD_CERTIFICATE, { subject: `h${i}.example:1` }))
    const done = await exported(await storeWith(...pins), 'gmni')
    expect(done.leftOut).toHaveLength(1000)
    expect(done.leftOutCount).toBe(1200)
  })
})

it('what was replaced is history, and is not written', async () => {
  const store = await storeOf('example.org:1965')
  await store.trust(at('example.org:1965'), another)
  const done = await exported(store, 'telescope')
  expect(done).toMatchObject({ hosts: 1, leftOut: [] })
  expect(done.text).not.toContain(SHA256)
})

it('verified is written for Telescope', async () => {
  const store = TofuStore.inMemory()
  await store.trust(at('example.org:1965'), FIELD_CERTIFICATE, { verified: true })
  expect((await exported(store, 'telescope')).text).toBe(`example.org SHA256:${SHA256} 1\n`)
})

describe('a file that is there', () => {
  it('is not touched without being told to', async () => {
    const store = await storeOf('example.org:1965')
    const file = await fileWith('mine\n')
    expect(await failure(store.exportKnownHosts(file, { format: 'gmni' }))).toMatchObject({
      code: 'ERR_TLACACOCA_FILE_EXISTS',
    })
    expect(readFileSync(file, 'utf8')).toBe('mine\n')
    await store.exportKnownHosts(file, { format: 'gmni', overwrite: true })
    expect(readFileSync(file, 'utf8')).toBe(FIELD_LINES.gmni)
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it.each(ALL)('keeps all that is not about our servers, by %s', async (format) => {
    const line = (host: string, n: number) => lineOf(format, host, n)
    const before = [
      '# my hosts\n',
      line('a.example', 1),
      '\n',
      'what nobody understands\n',
      line('example.org', 2),
      '\t # more\n',
      line('z.example', 3),
    ]
    const ours = FIELD_LINES[format]
    const store = await storeOf('example.org:1965', 'new.example:1965')
    const done = await updated(store, format, before.join(''))
    before[4] = ours
    expect(done.text).toBe(
      before.join('') + ours.replaceAll('example.org', 'new.example').replaceAll('example/org', 'new/example'),
    )
    expect(done).toMatchObject({ hosts: 2, leftOut: [] })
  })

  it.each(ALL)('is not changed at all if it says the same, by %s', async (format) => {
    const store = await storeOf('example.org:1965')
    const variants = [
      FIELD_LINES[format],
      `# first\n${FIELD_LINES[format]}`,
      FIELD_LINES[format].replaceAll('\n', '\r\n'),
    ]
    if (format === 'gmni') variants.push(`EXAMPLE.org. SHA-512 ${SHA512.toLowerCase()} 5\n`)
    if (format === 'wasat') variants.push(`Example.org ${SHA256}   2020-01-01T00:00:00+00:00 #\n`)
    if (format === 'telescope') variants.push(`example.org  SHA256:${SHA256}\t1\n`)
    if (format === 'amfora')
      variants.push(FIELD_LINES.amfora.split('\n').toReversed().join('\n').replace('\n', '').concat('\n'))
    if (format === 'amfora') variants.push(FIELD_LINES.amfora.replaceAll("'", '"').replaceAll('\n', ' # hand\n'))
    for (const before of variants) expect((await updated(store, format, before)).text).toBe(before)
  })

  it('keeps bytes that are no text', async () => {
    const before = Buffer.concat([
      Buffer.from(lineOf('telescope', 'b\xfccher.example', 1), 'latin1'),
      Buffer.from([0, 255, 10, 13, 10]),
      Buffer.from(lineOf('telescope', 'a.example', 1)),
    ])
    const done = await updated(await storeOf('example.org:1965'), 'telescope', before)
    expect(done.bytes.subarray(0, before.length)).toEqual(before)
    expect(done.bytes.subarray(before.length).toString()).toBe(FIELD_LINES.telescope)
  })

  it('gets a line feed before what is added, and lines like its own', async () => {
    const store = await storeOf('example.org:1965')
    const unix = lineOf('go-gemini', 'a.example', 1)
    expect((await updated(store, 'go-gemini', unix.trimEnd())).text).toBe(unix + FIELD_LINES['go-gemini'])
    const dos = unix.replace('\n', '\r\n')
    expect((await updated(store, 'go-gemini', dos)).text).toBe(`${dos}example.org sha256 ${BASE64}\r\n`)
  })

  it.each(['gmni', 'telescope', 'lagrange'] as const)(
    'has one line for our server afterwards, because of several %s takes the last',
    async (format) => {
      const text = [1, 2, 3].map((n) => lineOf(format, n === 2 ? 'EXAMPLE.org.' : 'example.org', n)).join('')
      const done = await updated(await storeOf('example.org:1965'), format, text + lineOf(format, 'a.example', 1))
      expect(done.text).toBe(FIELD_LINES[format] + lineOf(format, 'a.example', 1))
    },
  )

  it('keeps the line of a server that we know and cannot write', async () => {
    const store = await storeWith(pinOf(FIELD_CERTIFICATE, { keyDigest: null }))
    const before = lineOf('lagrange', 'example.org', 5)
    const done = await updated(store, 'lagrange', before)
    expect(done).toMatchObject({ text: before, hosts: 0, leftOut: [{ subject: 'example.org:1965' }] })
  })

  it('has the other half of what Amfora writes put in', async () => {
    const [id = '', expiry = ''] = FIELD_LINES.amfora.split('\n')
    const store = await storeOf('example.org:1965')
    expect((await updated(store, 'amfora', `${id}\n`)).text).toBe(`${id}\n${expiry}\n`)
    expect((await updated(store, 'amfora', `${expiry}\n`)).text).toBe(`${expiry}\n${id}\n`)
    const old = expiry.replace('2036', '2030')
    expect((await updated(store, 'amfora', `${old}\n# x\n${id}\n`)).text).toBe(`${expiry}\n# x\n${id}\n`)
  })

  it('of Amfora with a table in it is not added to: it would be part of the table', async () => {
    const before = `${FIELD_LINES.amfora}[more]\na = 1\n`
    const file = await fileWith(before)
    const store = await storeOf('new.example:1965')
    const error = await failure(store.exportKnownHosts(file, { format: 'amfora', update: true }))
    expect(error).toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNWRITABLE', message: expect.stringContaining('line 3') })
    expect(readFileSync(file, 'utf8')).toBe(before)
  })

  it('of another client is refused, and one that is not there yet is made', async () => {
    const store = await storeOf('example.org:1965')
    for (const [text, code] of [
      [lineOf('gmni', 'a.example', 1), 'ERR_TLACACOCA_IMPORT_FORMAT_AMBIGUOUS'],
      [lineOf('gmni', 'a.example', 1) + lineOf('telescope', 'a.example', 1), 'ERR_TLACACOCA_IMPORT_FORMAT_AMBIGUOUS'],
      ['shopping list\n', 'ERR_TLACACOCA_IMPORT_FORMAT_UNKNOWN'],
    ] as const) {
      const file = await fileWith(text)
      expect(await failure(store.exportKnownHosts(file, { format: 'telescope', update: true }))).toMatchObject({ code })
      expect(readFileSync(file, 'utf8')).toBe(text)
    }
    for (const text of ['', '# nothing yet\n']) {
      expect((await updated(store, 'telescope', text)).text).toBe(text + FIELD_LINES.telescope)
    }
    const file = join(await temporaryFolder(), 'new')
    await store.exportKnownHosts(file, { format: 'telescope', update: true })
    expect(readFileSync(file, 'utf8')).toBe(FIELD_LINES.telescope)
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it('of another client is refused too if every line of it could be read', async () => {
    const store = await storeOf('example.org:1965')
    const geopards = lineOf('geopard', 'a.example', 1)
    const file = await fileWith(geopards)
    const error = await failure(store.exportKnownHosts(file, { format: 'wasat', update: true }))
    expect(error).toMatchObject({ code: 'ERR_TLACACOCA_IMPORT_FORMAT_AMBIGUOUS' })
    expect(readFileSync(file, 'utf8')).toBe(geopards)
    // wasat reads such a line among its own, so that it is one of its own.
    const mixed = geopards + lineOf('wasat', 'b.example', 2)
    expect((await updated(store, 'wasat', mixed)).text).toBe(mixed + FIELD_LINES.wasat)
  })

  it.each([
    { mode: 0o644, after: 0o600 },
    { mode: 0o600, after: 0o600 },
    { mode: 0o400, after: 0o400 },
  ])('of the mode $mode is for its owner only afterwards', async ({ mode, after }) => {
    const store = await storeOf('example.org:1965')
    const file = await fileWith('')
    chmodSync(file, mode)
    await store.exportKnownHosts(file, { format: 'telescope', update: true })
    expect(statSync(file).mode & 0o777).toBe(after)
  })

  it.each([{ update: true }, { overwrite: true }])('is not written through a link, with %j', async (how) => {
    const store = await storeOf('example.org:1965')
    const target = await fileWith(lineOf('telescope', 'a.example', 1))
    const link = join(await temporaryFolder(), 'known_hosts')
    symlinkSync(target, link)
    expect(await failure(store.exportKnownHosts(link, { format: 'telescope', ...how }))).toMatchObject({
      code: 'ERR_TLACACOCA_FILE_UNWRITABLE',
    })
    expect(readFileSync(target, 'utf8')).toBe(lineOf('telescope', 'a.example', 1))
    expect(lstatSync(link).isSymbolicLink()).toBe(true)
  })

  it('that is a folder is refused', async () => {
    const store = await storeOf('example.org:1965')
    const folder = join(await temporaryFolder(), 'x')
    mkdirSync(folder)
    for (const how of [{ update: true }, { overwrite: true }, {}]) {
      const error = await failure(store.exportKnownHosts(folder, { format: 'telescope', ...how }))
      expect(error).toHaveProperty('code', expect.stringMatching(/FILE_(?:EXISTS|UNWRITABLE)/))
    }
  })

  it('is put in place whole: another name for the old one still leads to the old one', async () => {
    const store = await storeOf('example.org:1965')
    const before = lineOf('telescope', 'a.example', 1)
    const file = await fileWith(before)
    linkSync(file, `${file}.old`)
    await store.exportKnownHosts(file, { format: 'telescope', update: true })
    expect(readFileSync(`${file}.old`, 'utf8')).toBe(before)
    expect(readdirSync(dirname(file)).sort()).toEqual(['known_hosts', 'known_hosts.old'])
  })

  // What its own program writes in between must not be lost.
  it.each([
    { what: 'changed', meddle: (file: string) => appendFileSync(file, lineOf('telescope', 'b.example', 2)) },
    {
      what: 'replaced',
      meddle: (file: string) => {
        writeFileSync(`${file}.new`, readFileSync(file))
        renameSync(`${file}.new`, file)
      },
    },
  ])('that is $what by its own program meanwhile is left alone', async ({ meddle }) => {
    const file = await fileWith(lineOf('telescope', 'a.example', 1))
    class Meddling extends MemoryPinStore {
      override async *scan() {
        meddle(file)
        yield [pinOf(FIELD_CERTIFICATE)]
      }
    }
    const store = new TofuStore(new Meddling())
    const error = await failure(store.exportKnownHosts(file, { format: 'telescope', update: true }))
    expect(error).toHaveProperty('code', expect.stringMatching(/FILE_UN/))
    expect(readFileSync(file, 'utf8')).not.toContain('example.org')
    expect(readdirSync(dirname(file))).toEqual(['known_hosts'])
  })

  it('stays as it is if the store fails half way', async () => {
    class Failing extends MemoryPinStore {
      override async *scan() {
        yield [pinOf(FIELD_CERTIFICATE)]
        throw new Error('the disk is gone')
      }
    }
    const store = new TofuStore(new Failing())
    const before = lineOf('telescope', 'a.example', 1)
    const file = await fileWith(before)
    for (const how of [{ update: true }, { overwrite: true }]) {
      await expect(store.exportKnownHosts(file, { format: 'telescope', ...how })).rejects.toThrow('gone')
      expect(readFileSync(file, 'utf8')).toBe(before)
    }
    await expect(store.exportKnownHosts(`${file}2`, { format: 'telescope' })).rejects.toThrow('gone')
    expect(existsSync(`${file}2`)).toBe(false)
  })

  it('with a line without end is refused rather than cut', async () => {
    const before = `${lineOf('telescope', 'a.example', 1)}${'x'.repeat(70_000)}\n`
    const file = await fileWith(before)
    const store = await storeOf('example.org:1965')
    const error = await failure(store.exportKnownHosts(file, { format: 'telescope', update: true }))
    expect(error).toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNWRITABLE' })
    expect(readFileSync(file, 'utf8')).toBe(before)
  })
})

it('a store that keeps hashes of names can import, and cannot export', async () => {
  const store = await TofuStore.open({ path: join(await temporaryFolder(), 'pins.db'), hashNames: true })
  await store.importKnownHosts(await fileWith(FIELD_LINES.telescope))
  expect(await store.judge(at('example.org:1965'), FIELD_CERTIFICATE)).toMatchObject({ kind: 'trusted' })
  const file = join(await temporaryFolder(), 'x')
  expect(await failure(store.exportKnownHosts(file, { format: 'gmni' }))).toMatchObject({
    code: 'ERR_TLACACOCA_STORE_HASHED',
  })
  expect(existsSync(file)).toBe(false)
  await store.close()
})

it('formats that are only read, and contradictions, are refused', async () => {
  const store = await storeOf('example.org:1965')
  const file = join(await temporaryFolder(), 'x')
  for (const options of [
    { format: 'geopard' },
    {},
    { format: 'gmni', update: 1 },
    { format: 'gmni', upgrade: true },
  ] as object[]) {
    const wrong = options as { format: 'gmni' }
    await expect(store.exportKnownHosts(file, wrong)).rejects.toThrow(TypeError)
  }
  const both = { format: 'gmni', update: true, overwrite: true } as const
  await expect(store.exportKnownHosts(file, both)).rejects.toThrow(TypeError)
})
