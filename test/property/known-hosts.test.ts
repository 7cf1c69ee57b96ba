// Whatever is in a file, there are hosts or problems and nothing else; and what is written is read back as the same trust.

import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import type { Certificate } from '../../src/certificate/certificate.ts'
import { type FileProblem, TlacacocaError } from '../../src/errors.ts'
import { endpointFrom, parseEndpoint } from '../../src/names/endpoint.ts'
import { detectKnownHosts } from '../../src/tofu/formats/detect.ts'
import { type FindingsBatch, findingsInLines } from '../../src/tofu/formats/findings.ts'
import type { KnownHost, KnownHostsExportFormat, LineFormat } from '../../src/tofu/formats/known-host.ts'
import { LINE_FORMATS, lineFormat } from '../../src/tofu/formats/line-formats.ts'
import { linesOf } from '../../src/tofu/formats/lines.ts'
import { HostsReport, readHosts } from '../../src/tofu/formats/read-hosts.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import { testCertificate } from '../support/certificates.ts'
import { FIELD_LINES, OTHER_LINES } from '../tofu/formats/field-certificate.ts'

const folder = await mkdtemp(join(tmpdir(), 'tlacacoca-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const file = join(folder, 'known_hosts')

const WRITABLE: readonly KnownHostsExportFormat[] = ['lagrange', 'amfora', 'gmni', 'telescope', 'wasat', 'go-gemini']
const NOW = Date.parse('2030-06-01T12:00:00Z')
const known = (await Promise.all([testCertificate(), testCertificate()])).map((each) => each.certificate)

/** Everything that is read of some bytes. */
async function readAll(format: LineFormat, chunks: readonly Buffer[]) {
  const report = new HostsReport()
  let hosts: KnownHost[] = []
  const findings = (): AsyncGenerator<FindingsBatch> => findingsInLines(format, chunks)
  for await (const batch of readHosts({ path: 'x', repeats: format.repeats, findings }, report)) {
    if (batch.restart) hosts = []
    hosts.push(...batch.hosts)
  }
  return { hosts, problems: report.problems, remarks: report.remarks }
}

// Of a good file, something is changed; so that what comes out is nearly right.
const good = [...Object.values(FIELD_LINES), ...OTHER_LINES.map(({ text }) => text)]
const almost = fc
  .tuple(
    fc.array(fc.constantFrom(...good), { minLength: 1, maxLength: 4 }),
    fc.array(
      fc.tuple(
        fc.nat(),
        fc.nat(3),
        fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...'\0\n\r \t:;\'"[]=#\ufeff')),
      ),
      {
        maxLength: 4,
      },
    ),
  )
  .map(([texts, changes]) => {
    let text = texts.join('')
    for (const [at, length, into] of changes) {
      const start = at % (text.length + 1)
      text = text.slice(0, start) + into + text.slice(start + length)
    }
    return Buffer.from(text)
  })
const content = fc.oneof(
  { weight: 3, arbitrary: almost },
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc.string({ unit: 'grapheme' }).map((text) => Buffer.from(text)),
)

function expectPlaces(problems: readonly FileProblem[], lines: number): void {
  for (const { line, column, message } of problems) {
    expect(line).toBeGreaterThanOrEqual(1)
    expect(line).toBeLessThanOrEqual(lines)
    expect(column).toBeGreaterThanOrEqual(1)
    // It goes to a terminal, as it is.
    expect(message).not.toMatch(/[\0-\x1f\x7f-\x9f\u202a-\u202e]/)
  }
}

describe('any bytes', () => {
  it.each(LINE_FORMATS)('are hosts in canonical form, and problems with their places, to $program', async (format) => {
    await fc.assert(
      fc.asyncProperty(content, async (bytes) => {
        const read = await readAll(format, [bytes])
        const lines = bytes.toString('latin1').split('\n').length
        expectPlaces([...read.problems, ...read.remarks], lines)
        for (const { subject } of read.hosts) expect(parseEndpoint(subject).toString()).toBe(subject)
        const subjects = read.hosts.map(({ subject }) => subject)
        expect(new Set(subjects).size).toBe(subjects.length)
      }),
      { numRuns: 300 },
    )
  })

  it('give an import or an error with a code, and what is left out is told', async () => {
    const formats = fc.option(fc.constantFrom(...LINE_FORMATS.map(({ name }) => name), 'tlacacoca' as const))
    await fc.assert(
      fc.asyncProperty(content, formats, fc.boolean(), async (bytes, format, skipUnusable) => {
        writeFileSync(file, bytes)
        const store = TofuStore.inMemory({ clock: () => NOW })
        try {
          const options = { skipUnusable, ...(format === null ? {} : { format }) }
          const done = await store.importKnownHosts(file, options)
          expect(skipUnusable || done.problems.length === 0).toBe(true)
          expect((await store.listHosts()).length).toBe(done.added)
        } catch (error) {
          if (!(error instanceof TlacacocaError)) throw error
          expect(await store.listHosts()).toEqual([])
        }
      }),
      { numRuns: 400 },
    )
  })

  it('are of one format, or refused', async () => {
    await fc.assert(
      fc.asyncProperty(content, async (bytes) => {
        writeFileSync(file, bytes)
        const found = await detectKnownHosts(file).catch((error: unknown) => error)
        if (typeof found !== 'string')
          expect(found).toHaveProperty('code', expect.stringMatching(/FORMAT_(?:UNKNOWN|AMBIGUOUS)$/))
      }),
    )
  })

  it('mean the same in whatever pieces they come', async () => {
    const cuts = fc.array(fc.nat({ max: 600 }), { maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(content, cuts, fc.constantFrom(...LINE_FORMATS), async (bytes, at, format) => {
        const ends = [...new Set([...at.map((n) => Math.min(n, bytes.length)), bytes.length])].sort((a, b) => a - b)
        const pieces = ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end))
        const whole = await readAll(format, [bytes])
        expect(await readAll(format, pieces)).toEqual(whole)
        expect(
          await readAll(
            format,
            [...bytes].map((byte) => Buffer.from([byte])),
          ),
        ).toEqual(whole)
      }),
    )
  })
})

describe('a database in which bytes were changed', () => {
  function databaseOf(sql: string): Buffer {
    const db = new SQLite(':memory:')
    db.exec(sql)
    const bytes = db.serialize()
    db.close()
    return bytes
  }
  const day = "'2026-01-01 00:00:00.000001', '2026-01-02 00:00:00.000001'"
  const row = (n: number) => `('h${n}.example', '192.0.2.1', '${String(n).padStart(64, '0')}', ${day}, ${n})`
  const rows = Array.from({ length: 60 }, (_, n) => row(n)).join(', ')
  const av98 = databaseOf(`CREATE TABLE cert_cache (hostname text, address text, fingerprint text, first_seen date,
    last_seen date, count integer); INSERT INTO cert_cache VALUES ${rows}`)
  const relatives = databaseOf(`CREATE TABLE known_hosts (hostname TEXT NOT NULL, port INTEGER NOT NULL,
    fingerprint TEXT NOT NULL, first_seen TEXT NOT NULL, last_seen TEXT NOT NULL, PRIMARY KEY (hostname, port));
    INSERT INTO known_hosts VALUES ${Array.from({ length: 60 }, (_, n) => `('h${n}.example', 1965, 'sha256:${String(n).padStart(64, '0')}', ${day})`).join(', ')}`)

  it.each([
    { format: 'av98' as const, bytes: av98 },
    { format: 'tlacacoca-sqlite' as const, bytes: relatives },
  ])('of $format gives an import or an error with a code', async ({ format, bytes }) => {
    const change = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255))
    const changes = fc.array(change, { maxLength: 6 })
    const length = fc.oneof({ weight: 4, arbitrary: fc.constant(bytes.length) }, fc.nat(bytes.length))
    writeFileSync(file, bytes)
    expect(await TofuStore.inMemory().importKnownHosts(file)).toMatchObject({ format, added: 60 })
    await fc.assert(
      fc.asyncProperty(changes, length, fc.boolean(), async (all, end, given) => {
        const damaged = Buffer.from(bytes)
        for (const [at, value] of all) damaged[at] = value
        writeFileSync(file, damaged.subarray(0, end))
        const store = TofuStore.inMemory({ clock: () => NOW })
        try {
          const done = await store.importKnownHosts(file, { skipUnusable: true, ...(given ? { format } : {}) })
          expect((await store.listHosts()).length).toBe(done.added)
        } catch (error) {
          if (!(error instanceof TlacacocaError)) throw error
          expect(await store.listHosts()).toEqual([])
        }
      }),
      { numRuns: 400 },
    )
  })
})

describe('what is written', () => {
  const host = fc.constantFrom(
    'a.example',
    'a.example.org',
    'xn--bcher-kva.example',
    '192.0.2.1',
    '2001:db8::1',
    'expiry',
    'b.expiry',
  )
  const visit = fc.record({
    host,
    port: fc.constantFrom(1965, 1966, 300),
    certificate: fc.constantFrom(...known),
    keepOthers: fc.boolean(),
    verified: fc.boolean(),
  })

  async function storeAfter(visits: readonly { host: string; port: number; certificate: Certificate }[]) {
    const store = TofuStore.inMemory({ clock: () => NOW })
    for (const { host, port, certificate, ...how } of visits)
      await store.trust(endpointFrom(host, port), certificate, how)
    return store
  }

  it('is the same trust when it is read back, and what is not written is told', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(visit, { maxLength: 8 }), fc.constantFrom(...WRITABLE), async (visits, format) => {
        const store = await storeAfter(visits)
        const done = await store.exportKnownHosts(file, { format, overwrite: true })
        const back = TofuStore.inMemory({ clock: () => NOW })
        if (done.hosts > 0) {
          expect(await back.importKnownHosts(file)).toMatchObject({
            format,
            added: done.hosts,
            problems: [],
            remarks: [],
          })
        }
        for (const info of await store.listHosts()) {
          const endpoint = parseEndpoint(info.endpoint)
          const leftOut = done.leftOut.filter(({ subject }) => subject === info.endpoint)
          for (const certificate of known) {
            const ours = await store.judge(endpoint, certificate)
            const theirs = await back.judge(endpoint, certificate)
            // Nothing becomes trusted on the way; and what no longer is was left out by name.
            if (ours.kind !== 'trusted') expect(theirs.kind).not.toBe('trusted')
            else if (leftOut.length === 0) expect(theirs.kind).toBe('trusted')
          }
        }
      }),
      { numRuns: 200 },
    )
  })

  // Lines of other hosts and lines of nobody, around which ours go.
  const stranger = fc.oneof(
    fc.constantFrom('# a comment', '', '   ', 'what is this?', 'b.example', "'", '[', 'x'.repeat(1000)),
    fc.string().map((text) => `? ${text.replace(/[\n\r]/g, '')}`),
  )

  it('into a file leaves every other line as it was, in its order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(visit, { maxLength: 4 }),
        fc.array(stranger, { maxLength: 6 }),
        fc.constantFrom(...WRITABLE),
        fc.nat(6),
        async (visits, strangers, format, at) => {
          const [line = ''] = FIELD_LINES[format].split('\n')
          const before = strangers.toSpliced(at, 0, line)
          writeFileSync(file, before.map((text) => `${text}\n`).join(''))
          const store = await storeAfter(visits)
          const done = await store.exportKnownHosts(file, { format, update: true }).catch((error: unknown) => error)
          // A line that would be a table, and lines of two clients, are reasons not to write.
          if (done instanceof TlacacocaError) return
          const after = readFileSync(file, 'utf8').split('\n')
          expect(after.slice(0, before.length)).toEqual(before)
          await store.exportKnownHosts(file, { format, update: true })
          expect(readFileSync(file, 'utf8').split('\n')).toEqual(after)
        },
      ),
      { numRuns: 200 },
    )
  })
})

it('however many lines there are, no more of them is kept than of a thousand', async () => {
  const format = lineFormat('telescope')
  if (format === undefined) throw new TypeError('no such format')
  const count = 200_000
  let portions = 0
  let largest = 0
  let hosts = 0
  let restarts = 0
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let i = 0; i < count; i += 1000) {
      let text = ''
      // One host of all of them is there twice, which is found out at the end.
      for (let n = i; n < i + 1000; n++) text += `h${n === count - 1 ? 0 : n}.example SHA256:${'ab'.repeat(32)} 0\n`
      yield Buffer.from(text)
    }
  }
  const report = new HostsReport()
  const findings = () => findingsInLines(format, chunks())
  for await (const batch of readHosts({ path: 'x', repeats: 'last', findings }, report)) {
    if (batch.restart) {
      restarts++
      hosts = 0
    }
    portions++
    hosts += batch.hosts.length
    largest = Math.max(largest, batch.hosts.length)
  }
  expect({ hosts, restarts, problems: report.problems }).toEqual({ hosts: count - 1, restarts: 1, problems: [] })
  expect(largest).toBeLessThanOrEqual(1001)
  expect(portions).toBeGreaterThan(count / 1000)
}, 300_000)

it('of a line without an end no more is kept than of a long one', async () => {
  let largest = 0
  function* chunks() {
    for (let i = 0; i < 1000; i++) yield Buffer.alloc(64 * 1024, 0x61)
    yield Buffer.from('\nshort\n')
  }
  const lines: [number, boolean][] = []
  for await (const batch of linesOf(chunks())) {
    for (const line of batch.lines) {
      largest = Math.max(largest, line.bytes.length)
      lines.push([line.bytes.length, line.isCut])
    }
  }
  expect(lines).toEqual([
    [64 * 1024, true],
    [5, false],
  ])
})
