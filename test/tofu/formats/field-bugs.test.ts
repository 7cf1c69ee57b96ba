// Mistakes that other programs make, or made, with their stores of known hosts. None of them comes along.

import { chmodSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { expect, it } from 'vitest'
import { parseEndpoint } from '../../../src/names/endpoint.ts'
import { TofuStore } from '../../../src/tofu/tofu-store.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { FIELD_CERTIFICATE, FIELD_LINES, KEY, SHA256 } from './field-certificate.ts'
import { digestOf, failure, fileWith, hex, LINE_BY_LINE, lineOf } from './support.ts'

const at = (text: string) => parseEndpoint(text)
const NOW = Date.parse('2030-06-01T12:00:00Z')

it.each([...LINE_BY_LINE])(
  'each line of %s is a host of its own, and not the last one over and over',
  async (format) => {
    const hosts = ['c.example', 'a.example', 'b.example']
    const store = TofuStore.inMemory()
    await store.importKnownHosts(await fileWith(hosts.map((host, i) => lineOf(format, host, i + 1)).join('')))
    for (const [i, host] of hosts.entries()) {
      expect(await store.getHostInfo(at(`${host}:1965`))).toMatchObject({ fingerprint: digestOf(format, i + 1) })
    }
  },
)

it.each(['lagrange', 'amfora', 'gmni', 'telescope', 'wasat', 'go-gemini'] as const)(
  'hosts that begin or end alike are left alone when one is written, by %s',
  async (format) => {
    const others = ['example.com', 'example.co.uk', 'my.example.co', 'xample.co', 'example.c'].map((host, i) =>
      lineOf(format, host, i + 1),
    )
    const store = TofuStore.inMemory({ clock: () => NOW })
    await store.trust(at('example.co:1965'), FIELD_CERTIFICATE)
    const file = await fileWith(others.join('') + lineOf(format, 'example.co', 9))
    await store.exportKnownHosts(file, { format, update: true })
    const text = readFileSync(file, 'utf8')
    expect(text.startsWith(others.join(''))).toBe(true)
    expect(text.slice(others.join('').length)).not.toContain(hex(9))
  },
)

it.each(['gmni', 'geopard', 'go-gemini'] as const)(
  'a host without a port, as %s has them, is not known on others',
  async (format) => {
    const store = TofuStore.inMemory()
    await store.importKnownHosts(await fileWith(FIELD_LINES[format]))
    expect(await store.judge(at('example.org:1965'), FIELD_CERTIFICATE)).toMatchObject({ kind: 'trusted' })
    expect(await store.judge(at('example.org:1966'), FIELD_CERTIFICATE)).toMatchObject({ kind: 'first_use' })
  },
)

it('a pin on one port is not written over by one on another', async () => {
  const store = TofuStore.inMemory()
  await store.trust(at('example.org:300'), FIELD_CERTIFICATE)
  const line = lineOf('telescope', 'example.org', 1)
  const file = await fileWith(line)
  await store.exportKnownHosts(file, { format: 'telescope', update: true })
  expect(readFileSync(file, 'utf8')).toBe(`${line}example.org:300 SHA256:${SHA256} 0\n`)
})

it('a fingerprint in capitals matches', async () => {
  const store = TofuStore.inMemory()
  await store.importKnownHosts(await fileWith(`example.org ${SHA256.toUpperCase()}\n`), { format: 'geopard' })
  expect(await store.judge(at('example.org:1965'), FIELD_CERTIFICATE)).toMatchObject({ kind: 'trusted' })
})

it('a certificate that has expired is known all the same: an expiry is a date and no verdict', async () => {
  const store = TofuStore.inMemory({ clock: () => NOW })
  await store.importKnownHosts(await fileWith(`example.org;1965 1000000000 ${KEY}\n`))
  expect(await store.judge(at('example.org:1965'), FIELD_CERTIFICATE)).toMatchObject({
    kind: 'trusted',
    pinnedExpired: true,
  })
})

it('a replacing import with one bad entry leaves everything as it was', async () => {
  const store = TofuStore.inMemory()
  for (const n of [1, 2, 3, 4, 5]) await store.trust(at(`h${n}.example:1965`), digestOf('wasat', n))
  for (const bad of [
    lineOf('wasat', 'b.example:true', 1),
    lineOf('wasat', '5', 1),
    lineOf('wasat', 'b.example', 1).replace('sha256:', 'md5:'),
    `b.example:1965 sha256:${hex(1)} yesterday\n`,
  ]) {
    const file = await fileWith(lineOf('wasat', 'a.example', 1) + bad)
    expect(await failure(store.importKnownHosts(file, { merge: false }))).toMatchObject({ problems: [{ line: 2 }] })
    expect(await store.listHosts()).toHaveLength(5)
  }
})

it('saving for wasat does not make every server one that was just seen', async () => {
  const old = `old.example:1965 sha256:${hex(1)} 2020-01-01T00:00:00.000000+00:00\n`
  const same = `example.org:1965 sha256:${SHA256} 2021-01-01T00:00:00.000000+00:00\n`
  const store = TofuStore.inMemory({ clock: () => NOW })
  await store.trust(at('example.org:1965'), FIELD_CERTIFICATE)
  await store.trust(at('new.example:1965'), FIELD_CERTIFICATE)
  const file = await fileWith(old + same)
  await store.exportKnownHosts(file, { format: 'wasat', update: true })
  expect(readFileSync(file, 'utf8')).toBe(
    `${old}${same}new.example:1965 sha256:${SHA256} 2030-06-01T12:00:00.000000+00:00\n`,
  )
})

it.skipIf(process.getuid?.() === 0)('a store that may not be read is an error, and not an empty store', async () => {
  const file = await fileWith(FIELD_LINES.wasat)
  chmodSync(file, 0o000)
  const store = TofuStore.inMemory()
  expect(await failure(store.importKnownHosts(file))).toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNREADABLE' })
  await store.trust(at('example.org:1965'), FIELD_CERTIFICATE)
  const update = store.exportKnownHosts(file, { format: 'wasat', update: true })
  expect(await failure(update)).toMatchObject({ code: 'ERR_TLACACOCA_FILE_UNREADABLE' })
})

it('a database that another program is writing is an error, and not an empty store', async () => {
  const file = join(await temporaryFolder(), 'tofu.db')
  const db = new SQLite(file)
  db.exec('CREATE TABLE known_hosts (hostname, port, fingerprint, first_seen, last_seen)')
  db.exec('BEGIN EXCLUSIVE')
  const store = TofuStore.inMemory()
  for (const options of [{}, { format: 'tlacacoca-sqlite' as const }]) {
    expect(await failure(store.importKnownHosts(file, options))).toMatchObject({ code: 'ERR_TLACACOCA_STORE_LOCKED' })
  }
  db.exec('COMMIT')
  db.close()
  expect(await store.importKnownHosts(file)).toMatchObject({ added: 0 })
})

it('a key of Amfora for a name with a trailing dot meets the expiry that it wrote without it', async () => {
  const store = TofuStore.inMemory()
  const text = `"example/org/" = "${KEY.toUpperCase()}"\n"example/org/expiry" = 2036-11-21T02:07:53Z\n`
  await store.importKnownHosts(await fileWith(text))
  expect(await store.getHostInfo(at('example.org:1965'))).toMatchObject({ notAfter: new Date('2036-11-21T02:07:53Z') })
})

it('what Amfora holds under the name of a person or of many hosts is told, and not taken for a host', async () => {
  const store = TofuStore.inMemory()
  const text = ['Ana B', '*/example/org', 'a', ''].map((key) => `'${key}' = '${KEY.toUpperCase()}'\n`).join('')
  const done = await store.importKnownHosts(await fileWith(text), { skipUnusable: true })
  expect(done.problems.map(({ line }) => line)).toEqual([1, 2, 4])
  expect(done).toMatchObject({ added: 1 })
})
