// A store whose file holds no names of hosts.

import { createHmac } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { SqliteFile } from '../../src/internal/sqlite.ts'
import { endpointFrom, parseEndpoint } from '../../src/names/endpoint.ts'
import { NameHasher } from '../../src/tofu/hashed-names.ts'
import { HashedPinStore } from '../../src/tofu/hashed-pin-store.ts'
import { planImport } from '../../src/tofu/import-plan.ts'
import { MemoryPinStore } from '../../src/tofu/memory-pin-store.ts'
import { SqlitePinStore } from '../../src/tofu/sqlite-pin-store.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import type { TofuEvent } from '../../src/tofu/visit.ts'
import { testCertificate } from '../support/certificates.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { pinOf } from '../support/tofu-certificates.ts'

const { certificate } = await testCertificate()
const other = (await testCertificate()).certificate
const endpoint = parseEndpoint('secret.example:1965')
const HASHED = { code: 'ERR_TLACACOCA_STORE_HASHED' }

async function freshPath(): Promise<string> {
  return join(await temporaryFolder(), 'pins.db')
}

async function open(path: string, options: { hashNames?: boolean; onEvent?: (event: TofuEvent) => void } = {}) {
  const store = await TofuStore.open({ path, ...options })
  onTestFinished(() => store.close())
  return store
}

function legible(path: string, text: string): boolean {
  const folder = join(path, '..')
  return readdirSync(folder).some((name) => readFileSync(join(folder, name), 'latin1').toLowerCase().includes(text))
}

function tomlOf(hosts: readonly string[], fingerprint: string): string {
  const entry = (host: string) =>
    `[hosts."${host}:1965"]\nhostname = "${host}"\nport = 1965\nfingerprint = "${fingerprint}"\n` +
    'first_seen = "2026-01-01T00:00:00+00:00"\nlast_seen = "2026-01-02T00:00:00+00:00"\n'
  return `[_metadata]\nversion = "1.0"\n${hosts.map(entry).join('')}`
}

describe('a store that hashes names', () => {
  it('recognises hosts, and its files do not name them', async () => {
    const path = await freshPath()
    const store = await open(path, { hashNames: true })
    expect(await store.verifyOrTrust(endpoint, certificate)).toMatchObject({ kind: 'first_use' })
    await store.trust(endpointFrom('secret.example', 1966), other)
    await store.distrust(parseEndpoint('[2001:db8::5ec:2e7]:1965'), other)
    await store.announce(endpoint, other)
    expect(await store.verify(endpoint, certificate)).toMatchObject({ kind: 'trusted' })
    await store.revoke(endpointFrom('secret.example', 1966))
    for (const text of ['secret', '5ec:2e7']) expect(legible(path, text), text).toBe(false)
    await store.close()
    for (const text of ['secret', '5ec:2e7']) expect(legible(path, text), text).toBe(false)

    const again = await open(path)
    expect(await again.verify(endpoint, certificate)).toMatchObject({ kind: 'trusted', endpoint: endpoint.toString() })
    await again.revoke(endpoint)
    await again.verifyOrTrust(endpoint, certificate)
    await expect(again.verifyOrTrust(endpoint, other)).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_CERTIFICATE_CHANGED',
      endpoint: 'secret.example:1965',
    })
    await again.verifyOrTrust(parseEndpoint('secret2.example:1965'), other)
    expect(legible(path, 'secret')).toBe(false)
  })

  it('shows real names to whoever asks by them, and in what it tells', async () => {
    const events: TofuEvent[] = []
    const store = await open(await freshPath(), { hashNames: true, onEvent: (event) => void events.push(event) })
    await store.verifyOrTrust(endpoint, certificate)
    const verdict = await store.judge(endpoint, other)
    expect(verdict).toMatchObject({ kind: 'changed', endpoint: 'secret.example:1965' })
    expect(verdict).toHaveProperty('pin.subject', 'secret.example:1965')
    expect(verdict.explanation).toContain('secret.example')
    expect(await store.getHostInfo(endpoint)).toMatchObject({ endpoint: 'secret.example:1965', host: 'secret.example' })
    expect((await store.pins(endpoint))[0]?.subject).toBe('secret.example:1965')
    expect((await store.history(endpoint))[0]?.subject).toBe('secret.example:1965')
    expect(JSON.stringify(events)).toContain('secret.example:1965')
    expect(JSON.stringify(events)).not.toContain('hashed.invalid')
  })

  it('lists hashes, by which hosts can be looked up, revoked and marked', async () => {
    const store = await open(await freshPath(), { hashNames: true })
    await store.verifyOrTrust(endpoint, certificate)
    await store.verifyOrTrust(endpointFrom('secret.example', 1966), certificate)
    await store.verifyOrTrust(endpointFrom('other.example', 1965), certificate)
    const hosts = await store.listHosts()
    expect(hosts).toHaveLength(3)
    for (const { endpoint: text, host } of hosts) {
      expect(host).toMatch(/^[a-z2-7]{52}\.hashed\.invalid$/)
      expect(parseEndpoint(text).toString()).toBe(text)
    }
    expect(new Set(hosts.map((host) => host.host)).size).toBe(2)
    const first = await store.listHostsPage({ limit: 2 })
    const rest = await store.listHostsPage({ limit: 2, after: first.next ?? '' })
    expect([...first.hosts, ...rest.hosts]).toEqual(hosts)

    const shown = hosts.find((host) => host.port === 1966)
    if (shown === undefined) throw new Error('not listed')
    const listed = parseEndpoint(shown.endpoint)
    expect(await store.getHostInfo(listed)).toMatchObject({ endpoint: shown.endpoint, fingerprint: shown.fingerprint })
    expect(await store.countByHostname(shown.host)).toBe(2)
    await store.distrust(listed, certificate)
    await expect(store.verify(endpointFrom('secret.example', 1966), certificate)).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_CERTIFICATE_DISTRUSTED',
    })
    expect(await store.revokeByHostname(shown.host)).toBe(1)
    expect(await store.getHostInfo(endpoint)).toBeNull()
  })

  it('tells hosts apart exactly, on all their ports', async () => {
    const store = await open(await freshPath(), { hashNames: true })
    const names = ['a.example', 'aa.example', 'a.example.org', 'sub.a.example', '::1', '::10', '192.0.2.1']
    for (const name of names) {
      for (const port of [1, 19, 1965]) await store.verifyOrTrust(endpointFrom(name, port), certificate)
    }
    for (const name of names) expect(await store.countByHostname(name), name).toBe(3)
    expect(await store.revokeByHostname('a.example')).toBe(3)
    expect(await store.countByHostname('a.example')).toBe(0)
    for (const name of names.slice(1)) expect(await store.countByHostname(name), name).toBe(3)
    expect(await store.revokeByHostname('::1')).toBe(3)
    expect(await store.countByHostname('::10')).toBe(3)
  })

  it('imports by merging, asks about conflicts by real names, and keeps them out of the file', async () => {
    const path = await freshPath()
    const toml = join(await temporaryFolder(), 'hosts.toml')
    writeFileSync(toml, tomlOf(['secret.example', 'secret-new.example', '::1'].slice(0, 2), other.fingerprint))
    const store = await open(path, { hashNames: true })
    await store.verifyOrTrust(endpoint, certificate)
    const asked: unknown[] = []
    const counts = await store.importToml(toml, {
      onConflict: (...question) => {
        asked.push(question)
        return true
      },
    })
    expect(asked).toEqual([['secret.example', 1965, certificate.fingerprint, other.fingerprint]])
    expect(counts).toMatchObject({ added: 1, updated: 1 })
    for (const name of ['secret.example', 'secret-new.example']) {
      expect(await store.getHostInfo(endpointFrom(name, 1965))).toMatchObject({ fingerprint: other.fingerprint })
    }
    expect((await store.history(endpoint)).at(-1)).toMatchObject({ cause: 'imported', subject: 'secret.example:1965' })
    await store.close()
    expect(legible(path, 'secret')).toBe(false)
  })

  it('refuses what would need the names, says why, and changes nothing', async () => {
    const folder = await temporaryFolder()
    const toml = join(folder, 'hosts.toml')
    writeFileSync(toml, tomlOf(['a.example'], other.fingerprint))
    const store = await open(await freshPath(), { hashNames: true })
    await store.verifyOrTrust(endpoint, certificate)
    const out = join(folder, 'out')
    const why = { ...HASHED, message: expect.stringContaining('hashes') }
    await expect(store.exportToml(out)).rejects.toMatchObject(why)
    await expect(store.exportKnownHosts(out, { format: 'lagrange' })).rejects.toMatchObject(why)
    expect(existsSync(out)).toBe(false)
    await expect(store.importToml(toml, { merge: false })).rejects.toMatchObject(why)
    await expect(store.importToml(toml, { merge: false, dryRun: true })).rejects.toMatchObject(why)
    expect(await store.listHosts()).toHaveLength(1)
  })

  it('forgets by clear and purge like any other, and goes on hashing', async () => {
    const path = await freshPath()
    const store = await open(path, { hashNames: true })
    await store.verifyOrTrust(endpoint, certificate)
    const [listed] = await store.listHosts()
    await store.clear()
    expect(legible(path, listed?.host ?? 'not listed')).toBe(false)
    expect(await store.getHostInfo(endpoint)).toBeNull()
    await store.verifyOrTrust(endpoint, certificate)
    expect(legible(path, 'secret')).toBe(false)
    expect((await store.listHosts())[0]?.host).toBe(listed?.host)
  })
})

describe('a file', () => {
  it('that hashes goes on hashing, with the option, without it, and with its opposite', async () => {
    const path = await freshPath()
    await (await open(path, { hashNames: true })).close()
    for (const [n, options] of [{}, { hashNames: false }, { hashNames: true }].entries()) {
      const store = await open(path, options)
      await store.verifyOrTrust(endpointFrom(`secret${n}.example`, 1965), certificate)
      expect(await store.listHosts()).toHaveLength(n + 1)
      await store.close()
    }
    expect(legible(path, 'secret')).toBe(false)
  })

  it('with names in it is refused, and told what to do', async () => {
    const path = await freshPath()
    const plain = await open(path)
    await plain.verifyOrTrust(endpoint, certificate)
    await plain.close()
    const refused = {
      code: 'ERR_TLACACOCA_STORE_NOT_HASHED',
      message: expect.stringMatching(/export.*new file.*import/),
    }
    await expect(open(path, { hashNames: true })).rejects.toMatchObject(refused)
    const still = await open(path)
    expect(await still.verify(endpoint, certificate)).toMatchObject({ kind: 'trusted' })
    // A pin that is gone leaves its history.
    await still.revoke(endpoint)
    await still.close()
    await expect(open(path, { hashNames: true })).rejects.toMatchObject(refused)
  })

  it('of which everything was cleared can begin to hash, and has nothing left of what was there', async () => {
    const path = await freshPath()
    const plain = await open(path)
    await plain.verifyOrTrust(endpoint, certificate)
    await plain.clear()
    await plain.close()
    const store = await open(path, { hashNames: true })
    await store.verifyOrTrust(endpoint, certificate)
    expect(legible(path, 'secret')).toBe(false)
  })

  it('that somebody else makes hash is an error for whoever has it open with names, not a first visit', async () => {
    const path = await freshPath()
    const plain = await open(path)
    const hashed = await open(path, { hashNames: true })
    await hashed.verifyOrTrust(endpoint, certificate)
    await expect(plain.judge(endpoint, other)).rejects.toMatchObject(HASHED)
    await expect(plain.verifyOrTrust(endpoint, other)).rejects.toMatchObject(HASHED)
    await expect(plain.trust(endpoint, other)).rejects.toMatchObject(HASHED)
    const toml = join(await temporaryFolder(), 'hosts.toml')
    writeFileSync(toml, tomlOf(['secret.example'], other.fingerprint))
    await expect(plain.importToml(toml)).rejects.toMatchObject(HASHED)
    expect(legible(path, 'secret')).toBe(false)
    expect(await hashed.listHosts()).toHaveLength(1)
  })

  it('that hashes is not opened by the class that knows no names', async () => {
    const path = await freshPath()
    await (await open(path, { hashNames: true })).close()
    await expect(SqlitePinStore.open(path)).rejects.toMatchObject(HASHED)
    const plain = await freshPath()
    ;(await SqlitePinStore.open(plain)).close()
  })

  it('is given one key, also by many who open it at the same time', async () => {
    const path = await freshPath()
    const stores = await Promise.all(Array.from({ length: 8 }, () => open(path, { hashNames: true })))
    await stores[0]?.verifyOrTrust(endpoint, certificate)
    for (const store of stores) expect(await store.verify(endpoint, certificate)).toMatchObject({ kind: 'trusted' })
  })

  it('is given one key, also if two find at the same time that there is none', async () => {
    const path = await freshPath()
    await (await open(path)).close()
    const raw = new SQLite(path)
    raw.exec('BEGIN IMMEDIATE')
    const write = vi.spyOn(SqliteFile.prototype, 'write')
    onTestFinished(() => write.mockRestore())
    const opening = [open(path, { hashNames: true }), open(path, { hashNames: true })]
    // By now both have looked for a key, and wait to write theirs.
    await vi.waitFor(() => expect(write).toHaveBeenCalledTimes(2), 20_000)
    raw.exec('COMMIT')
    raw.close()
    const [one, two] = await Promise.all(opening)
    await one?.verifyOrTrust(endpoint, certificate)
    expect(await two?.verify(endpoint, certificate)).toMatchObject({ kind: 'trusted' })
    expect(await two?.listHosts()).toHaveLength(1)
  })

  it('has a key of its own', async () => {
    const listed = new Set<string>()
    for (let n = 0; n < 3; n++) {
      const store = await open(await freshPath(), { hashNames: true })
      await store.verifyOrTrust(endpoint, certificate)
      listed.add((await store.listHosts())[0]?.host ?? '')
    }
    expect(listed.size).toBe(3)
  })

  it.each([
    { what: 'whose key is cut short', sql: "UPDATE setting SET value = substr(value, 1, 20) WHERE name = 'names'" },
    { what: 'with another key', sql: "UPDATE setting SET value = zeroblob(40) WHERE name = 'names'" },
    { what: 'that lost its key', sql: "DELETE FROM setting WHERE name = 'names'" },
  ])('$what is an error, not one where nobody was ever met', async ({ sql }) => {
    const path = await freshPath()
    const store = await open(path, { hashNames: true })
    await store.verifyOrTrust(endpoint, certificate)
    const raw = new SQLite(path)
    raw.exec(sql)
    raw.close()
    await store.close()
    await expect(open(path)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_CORRUPT' })
    await expect(open(path, { hashNames: true })).rejects.toMatchObject({ code: 'ERR_TLACACOCA_STORE_CORRUPT' })
  })

  it('is not told to hash by anything but true or false', async () => {
    await expect(open(await freshPath(), { hashNames: 'yes' } as never)).rejects.toBeInstanceOf(TypeError)
  })
})

describe('NameHasher', () => {
  const key = Buffer.alloc(32, 7)
  const names = new NameHasher(key)

  it('gives the HMAC-SHA256 of the host, in the base32 of RFC 4648, and leaves the port', () => {
    const hash = createHmac('sha256', key).update('example.org').digest()
    const bits = [...hash].map((byte) => byte.toString(2).padStart(8, '0')).join('')
    const letters = bits
      .match(/.{1,5}/g)
      ?.map((five) => 'abcdefghijklmnopqrstuvwxyz234567'[Number.parseInt(five.padEnd(5, '0'), 2)])
    expect(names.subject('example.org:1965')).toBe(`${letters?.join('')}.hashed.invalid:1965`)
    expect(names.subject('example.org:19650')).toBe(`${letters?.join('')}.hashed.invalid:19650`)
    expect(names.prefix('example.org:')).toBe(`${letters?.join('')}.hashed.invalid:`)
    expect(names.prefix('example.org:19')).toBe(`${letters?.join('')}.hashed.invalid:19`)
  })

  it.each(['a', 'bücher.example', 'x'.repeat(253), 'y'.repeat(512), 'z'.repeat(513), '\u{1f512}'.repeat(300)])(
    'gives what createHmac gives for any text, also after others (%#)',
    (name) => {
      for (const each of [name, 'between.example', name]) {
        const bits = [...createHmac('sha256', key).update(each).digest()]
          .map((byte) => byte.toString(2).padStart(8, '0'))
          .join('')
        const first = Number.parseInt(bits.slice(0, 5), 2)
        const last = Number.parseInt(bits.slice(255).padEnd(5, '0'), 2)
        const fresh = new NameHasher(key).subject(`${each}:1`)
        expect(fresh).toBe(names.subject(`${each}:1`))
        expect([fresh[0], fresh[51]]).toEqual([
          'abcdefghijklmnopqrstuvwxyz234567'[first],
          'abcdefghijklmnopqrstuvwxyz234567'[last],
        ])
      }
    },
  )

  it('hashes a mailbox whole', () => {
    const mailbox = names.subject('ana@example.org')
    expect(mailbox).toMatch(/^[a-z2-7]{52}@hashed\.invalid$/)
    expect(names.subject('eva@example.org')).not.toBe(mailbox)
    expect(names.subject(mailbox)).toBe(mailbox)
  })

  it.each(['', names.subject('a.example:1'), names.subject('[::1]:1965')])('leaves %j as it is', (subject) => {
    expect(names.subject(subject)).toBe(subject)
  })

  it.each([
    'hashed.invalid:1965',
    `${'a'.repeat(51)}.hashed.invalid:1965`,
    `${'A'.repeat(52)}.hashed.invalid:1965`,
    `x.${'a'.repeat(52)}.hashed.invalid:1965`,
    `${'a'.repeat(52)}.hashed.invalid.example:1965`,
  ])('hashes %s, which only looks like a hash', (subject) => {
    expect(names.subject(subject)).not.toBe(subject)
  })

  it('looks for all by no prefix', () => {
    expect(names.prefix('')).toBe('')
  })

  it.each(['exam', 'example.org', '[::', '[::1]', '%', ':', 'a b\n'])('does not look for the part %j', (prefix) => {
    expect(() => names.prefix(prefix)).toThrow(expect.objectContaining(HASHED))
  })

  it.each([Buffer.alloc(31), Buffer.alloc(33), Buffer.alloc(0), 'k'.repeat(32), null])(
    'refuses the key %j',
    (wrong) => {
      expect(() => new NameHasher(wrong as never)).toThrow(/"key" expected/)
    },
  )

  it('remembers some names and stays right when it forgets them', () => {
    const before = names.subject('first.example:1965')
    for (let n = 0; n < 3000; n++) names.subject(`host${n}.example:1965`)
    expect(names.subject('first.example:1965')).toBe(before)
  })
})

describe('HashedPinStore over a store in memory', () => {
  it('imports without a stage of its own, under real names', async () => {
    const pins = new MemoryPinStore()
    const store = new HashedPinStore(pins, Buffer.alloc(32, 1))
    const known = new TofuStore(store)
    await known.verifyOrTrust(endpoint, certificate)
    const [pin] = await known.pins(endpoint)
    if (pin === undefined) throw new Error('not pinned')
    const asked: string[] = []
    const plan = await planImport(store, [{ pins: [{ ...pin, digest: other.fingerprint }] }], {
      onConflict: (host) => {
        asked.push(host)
        return false
      },
    })
    expect([asked, plan.counts.skipped]).toEqual([['secret.example'], 1])
    expect(pins.list().map((each) => each.subject)).toEqual([expect.stringContaining('.hashed.invalid:1965')])
    await expect(known.exportToml('never.toml')).rejects.toMatchObject(HASHED)
  })
})

describe('HashedPinStore over a file', () => {
  it('collects an import under hashes, and answers by real names', async () => {
    const store = new HashedPinStore(await SqlitePinStore.open(await freshPath()), Buffer.alloc(32, 1))
    onTestFinished(async () => store.close())
    const pin = (subject: string) => pinOf(certificate, { subject, notAfter: null })
    const stage = await store.stage?.()
    if (stage === undefined) throw new Error('no stage')
    stage.add([pin('gone.example:1965')])
    stage.reset()
    stage.add([pin('secret.example:1965'), pin('[::1]:1965')])
    const staged = await stage.compare({ skipKnown: false })
    const subjects = ['secret.example:1965', '[::1]:1965', 'gone.example:1965', 'secret.example:1966']
    expect(subjects.map((subject) => staged.includes(subject))).toEqual([true, true, false, false])
    const imported = {
      at: new Date(),
      subject: '',
      cause: 'imported',
      old: null,
      new: null,
      decidedBy: 'import',
    } as const
    expect(await stage.commit({ changes: [], log: [imported] })).toBe(true)
    await stage.close()
    expect(await store.list()).toHaveLength(2)
    expect(await store.list({ prefix: '' })).toEqual(await store.list())
    expect(await store.read('secret.example:1965')).toEqual([pin('secret.example:1965')])
    expect(await store.read('gone.example:1965')).toEqual([])
  })
})
