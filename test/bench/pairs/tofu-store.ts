// A store of so many hosts on the disk, and beside it the least that could answer the same: a table and a prepared look-up.

import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Certificate, type Endpoint, generateSelfSignedCertificate, parseEndpoint, TofuStore } from 'tlacacoca'
import type { Prepared } from '../measure.ts'

/** How many of the hosts are visited, all over the store. */
const VISITED = 5000

export interface Hosts {
  readonly store: TofuStore
  readonly bare: Database.Database
  /** Hosts that are known with all that there is to know, in no order. */
  readonly visited: readonly Endpoint[]
  /** The one that is pinned for every host. */
  readonly certificate: Certificate
  close(): Promise<void>
}

/** Makes both on the disk. The text that is given is their folder and their count. */
export async function prepareHosts(count: number): Promise<Prepared> {
  const { certificate } = await generateSelfSignedCertificate({ hostname: 'example.org' })
  const folder = mkdtempSync(join(tmpdir(), 'tlacacoca-bench-'))
  writeFileSync(join(folder, 'certificate.pem'), certificate.toPem())
  const { fingerprint } = certificate
  const bare = new Database(join(folder, 'bare.db'))
  bare.pragma('journal_mode = WAL')
  bare.exec('CREATE TABLE pin(subject TEXT, digest TEXT, seen INTEGER, PRIMARY KEY (subject, digest)) WITHOUT ROWID')
  const insert = bare.prepare('INSERT INTO pin VALUES (?, ?, ?)')
  const now = Date.now()
  bare.transaction(() => {
    for (let n = 0; n < count; n++) insert.run(subjectOf(n), fingerprint, now)
  })()
  bare.close()
  const store = await TofuStore.open({ path: join(folder, 'ours.db') })
  const toml = join(folder, 'hosts.toml')
  writeHosts(toml, count, () => fingerprint)
  await store.importToml(toml)
  rmSync(toml)
  // The first visit adds what the file did not know, such as the public key; the later ones are what is measured.
  for (const endpoint of visitedOf(count)) await store.verify(endpoint, certificate)
  await store.close()
  return { given: `${count} ${folder}`, close: () => rmSync(folder, { recursive: true, force: true }) }
}

export async function openHosts(given: string): Promise<Hosts> {
  const [, count, folder = ''] = /^(\d+) (.*)$/s.exec(given) ?? []
  const bare = new Database(join(folder, 'bare.db'))
  const store = await TofuStore.open({ path: join(folder, 'ours.db') })
  return {
    store,
    bare,
    visited: visitedOf(Number(count)),
    certificate: Certificate.from(readFileSync(join(folder, 'certificate.pem'))),
    async close() {
      bare.close()
      await store.close()
    },
  }
}

/** A prime, so that the steps reach all parts of the store. */
function visitedOf(count: number): Endpoint[] {
  return Array.from({ length: Math.min(VISITED, count) }, (_, n) => parseEndpoint(subjectOf((n * 7919 * 31) % count)))
}

/** Writes a file of so many hosts in the layout of an export, and gives its length. */
export function writeHosts(path: string, count: number, fingerprintOf: (n: number) => string): void {
  const file = openSync(path, 'w')
  const now = new Date().toISOString()
  let text = '[_metadata]\nversion = "1.0"\n'
  for (let n = 0; n < count; n++) {
    text +=
      `[hosts."${subjectOf(n)}"]\nhostname = "${hostOf(n)}"\nport = 1965\nfingerprint = "${fingerprintOf(n)}"\n` +
      `first_seen = "${now}"\nlast_seen = "${now}"\n`
    if (text.length < 1_000_000) continue
    writeSync(file, text)
    text = ''
  }
  writeSync(file, text)
  closeSync(file)
}

function hostOf(n: number): string {
  return `host${String(n).padStart(7, '0')}.example.org`
}

function subjectOf(n: number): string {
  return `${hostOf(n)}:1965`
}
