// Several programs on one file, and programs that die in the middle of a write.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { endpointFrom, parseEndpoint } from '../../src/names/endpoint.ts'
import { TofuStore } from '../../src/tofu/tofu-store.ts'
import { testCertificate } from '../support/certificates.ts'
import { type Child, startChild } from '../support/run-child.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

// Eight processes on a slow machine take their time to start.
vi.setConfig({ testTimeout: 180_000 })

const endpoint = parseEndpoint('example.org:1965')

function start(script: string, args: readonly string[]): Child {
  const child = startChild(script, { args })
  onTestFinished(async () => {
    child.kill()
    await child.ended
  })
  return child
}

it('of eight processes that meet a host for the first time, one pins it and the others see that pin', async () => {
  const folder = await temporaryFolder()
  const path = join(folder, 'new', 'pins.db')
  const children: Child[] = []
  const fingerprints = new Set<string>()
  for (let n = 0; n < 8; n++) {
    const { certificate, certPem } = await testCertificate()
    fingerprints.add(certificate.fingerprint)
    writeFileSync(join(folder, `${n}.pem`), certPem)
    // They also race to create the file.
    children.push(start('tofu-race-child.ts', [path, join(folder, `${n}.pem`)]))
  }
  for (const child of children) expect(await child.line()).toBe('ready')

  const rounds = 100
  const winners: string[] = []
  for (let round = 0; round < rounds; round++) {
    for (const child of children) child.send(`${round}`)
    const answers = await Promise.all(children.map((child) => child.line()))
    const first = answers.filter((answer) => answer?.startsWith('first_use '))
    expect(first, answers.join('\n')).toHaveLength(1)
    const winner = first[0]?.split(' ')[1] ?? ''
    expect(fingerprints).toContain(winner)
    for (const answer of answers) {
      if (answer !== first[0]) expect(answer).toBe(`ERR_TLACACOCA_CERTIFICATE_CHANGED ${winner}`)
    }
    winners.push(winner)
  }

  const store = await TofuStore.open({ path })
  for (const [round, winner] of winners.entries()) {
    const info = await store.getHostInfo(endpointFrom(`host${round}.example`, 1965))
    expect(info).toMatchObject({ fingerprint: winner, daysSeen: 1 })
    expect(info?.pins).toHaveLength(1)
    expect(await store.history(endpointFrom(`host${round}.example`, 1965))).toHaveLength(1)
  }
  await store.close()
})

function integrityOf(path: string): unknown {
  const db = new SQLite(path)
  const answer = db.pragma('integrity_check', { simple: true })
  db.close()
  return answer
}

describe('kill -9 in the middle of', () => {
  it('a change leaves the one pin or the other, and the history of exactly what was done', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'pins.db')
    const made = [await testCertificate(), await testCertificate()]
    const files = made.map(({ certPem }, n) => {
      const file = join(folder, `${n}.pem`)
      writeFileSync(file, certPem)
      return file
    })
    for (let round = 0; round < 12; round++) {
      const child = start('tofu-writing-child.ts', [path, ...files, 'trust'])
      // Killed while it is writing the next one, after another number of them each time.
      for (let n = 0; n < 3 + round; n++) expect(await child.line()).toBe(`done ${n}`)
      child.kill()
      await child.ended

      expect(integrityOf(path)).toBe('ok')
      const store = await TofuStore.open({ path })
      const pins = await store.pins(endpoint)
      const live = pins.filter((pin) => pin.state === 'trusted')
      expect(live).toHaveLength(1)
      expect(pins).toHaveLength(2)
      expect((await store.history(endpoint)).at(-1)?.new).toBe(live[0]?.digest)
      await store.close()
    }
  })

  it('an import that replaces everything leaves the whole of the one file or the whole of the other', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'pins.db')
    const files = ['a', 'b'].map((name) => {
      const file = join(folder, `${name}.toml`)
      writeFileSync(file, tomlOf(name, 2000))
      return file
    })
    for (let round = 0; round < 6; round++) {
      const child = start('tofu-writing-child.ts', [path, ...files, 'import'])
      for (let n = 0; n <= round % 3; n++) expect(await child.line()).toBe(`done ${n}`)
      // At some moment of the next import: while it reads, plans or writes.
      await elapse(round * 15)
      child.kill()
      await child.ended

      expect(integrityOf(path)).toBe('ok')
      const store = await TofuStore.open({ path })
      const hosts = await store.listHosts()
      expect(hosts).toHaveLength(2000)
      expect(new Set(hosts.map((host) => host.host[0])).size).toBe(1)
      await store.close()
    }
  })
})

/** A file of so many hosts whose names begin with a letter. */
function tomlOf(letter: string, hosts: number): string {
  let text = '[_metadata]\nversion = "1.0"\n'
  for (let n = 0; n < hosts; n++) {
    const host = `${letter}${String(n).padStart(5, '0')}.example`
    const fingerprint = `sha256:${(letter + n.toString(16)).padStart(64, '0')}`
    text += `\n[hosts."${host}:1965"]\nhostname = "${host}"\nport = 1965\nfingerprint = "${fingerprint}"\n`
    text += 'first_seen = "2026-01-01T00:00:00+00:00"\nlast_seen = "2026-01-02T00:00:00+00:00"\n'
  }
  return text
}

/** Lets time pass in which a child does something that does not tell when it is half done. */
async function elapse(ms: number): Promise<void> {
  const end = performance.now() + ms
  while (performance.now() < end) await new Promise((resolve) => setImmediate(resolve))
}
