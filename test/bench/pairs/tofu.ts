import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Certificate, generateSelfSignedCertificate, parseEndpoint, TofuStore } from 'tlacacoca'
import type { Pair } from '../measure.ts'

const HOSTS = 10_000

/** A host that is known, on disk among others: the floor is a fingerprint and one prepared look-up. */
export async function tofuPairs(): Promise<Pair[]> {
  const folder = mkdtempSync(join(tmpdir(), 'tlacacoca-bench-'))
  const made = await generateSelfSignedCertificate({ hostname: 'example.org' })
  const der = Buffer.from(made.certificate.der)
  const { fingerprint } = made.certificate

  const bare = new Database(join(folder, 'bare.db'))
  bare.pragma('journal_mode = WAL')
  bare.exec('CREATE TABLE pin(subject TEXT, digest TEXT, seen INTEGER, PRIMARY KEY (subject, digest)) WITHOUT ROWID')
  const insert = bare.prepare('INSERT INTO pin VALUES (?, ?, 0)')
  bare.transaction(() => {
    for (let i = 0; i < HOSTS; i++) insert.run(`host${i}.example.org:1965`, fingerprint)
  })()
  const select = bare.prepare('SELECT digest FROM pin WHERE subject = ? AND digest = ?').pluck()

  const store = await TofuStore.open({ path: join(folder, 'ours.db') })
  const toml = join(folder, 'hosts.toml')
  const now = new Date().toISOString()
  const entry = (i: number): string =>
    `[hosts."host${i}.example.org:1965"]\nhostname = "host${i}.example.org"\nport = 1965\n` +
    `fingerprint = "${fingerprint}"\nfirst_seen = "${now}"\nlast_seen = "${now}"\n`
  const { writeFileSync } = await import('node:fs')
  writeFileSync(toml, `[_metadata]\nversion = "1.0"\n${Array.from({ length: HOSTS }, (_, i) => entry(i)).join('')}`)
  await store.importToml(toml)

  const endpoints = Array.from({ length: HOSTS }, (_, i) => parseEndpoint(`host${i}.example.org:1965`))
  const subjects = endpoints.map(String)
  // The first visit adds what the file did not know, such as the public key; the later ones are what is measured.
  for (const endpoint of endpoints) await store.verify(endpoint, made.certificate)
  let next = 0
  const pick = (): number => {
    next = (next + 7919) % HOSTS
    return next
  }
  const digest = (): string => `sha256:${createHash('sha256').update(der).digest('hex')}`
  return [
    {
      name: `verify a known host, ${HOSTS} hosts on disk`,
      goal: 1.15,
      floor: () => select.get(subjects[pick()], digest()) !== undefined,
      ours: async () =>
        (await store.verify(endpoints[pick()] ?? parseEndpoint('nobody:1'), Certificate.from(der))).kind === 'trusted',
      close: async () => {
        bare.close()
        await store.close()
        rmSync(folder, { recursive: true, force: true })
      },
    },
  ]
}
