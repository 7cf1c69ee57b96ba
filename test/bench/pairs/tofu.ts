// Hosts that are known, on disk among few and many others. The floor of a visit is a fingerprint and one prepared look-up.

import { createHash } from 'node:crypto'
import { Certificate, generateSelfSignedCertificate, parseEndpoint } from 'tlacacoca'
import type { Pair } from '../measure.ts'
import { type Hosts, makeHosts } from './tofu-store.ts'

const COUNTS = [10_000, 1_000_000]
const PAGE = 100

export async function tofuPairs(): Promise<Pair[]> {
  const { certificate } = await generateSelfSignedCertificate({ hostname: 'example.org' })
  const pairs: Pair[] = []
  for (const count of COUNTS) pairs.push(...pairsOver(count, await makeHosts(count, certificate), certificate))
  return pairs
}

function pairsOver(count: number, { store, bare, visited, close }: Hosts, certificate: Certificate): Pair[] {
  const der = Buffer.from(certificate.der)
  const subjects = visited.map(String)
  const select = bare.prepare('SELECT digest FROM pin WHERE subject = ? AND digest = ?').pluck()
  const page = bare.prepare('SELECT subject, digest, seen FROM pin WHERE subject > ? ORDER BY subject LIMIT ?')
  let next = 0
  const pick = (): number => {
    next = (next + 1) % visited.length
    return next
  }
  const nobody = parseEndpoint('nobody.example:1')
  const digest = (): string => `sha256:${createHash('sha256').update(der).digest('hex')}`
  const floor = () => select.get(subjects[pick()], digest()) !== undefined
  return [
    {
      name: `verify a known host, ${count} hosts on disk`,
      goal: 1.15,
      floor,
      ours: async () => (await store.verify(visited[pick()] ?? nobody, Certificate.from(der))).kind === 'trusted',
      close,
    },
    {
      name: `verifyOrTrust a known host, ${count} hosts on disk`,
      goal: 1.15,
      floor,
      ours: async () =>
        (await store.verifyOrTrust(visited[pick()] ?? nobody, Certificate.from(der))).kind === 'trusted',
    },
    {
      name: `list a page of ${PAGE}, ${count} hosts on disk`,
      // Ten columns for three, as objects with dates, and everything that is known of a host gathered.
      goal: 10,
      floor: () => page.all(subjects[pick()], PAGE).length > 0,
      ours: async () => (await store.listHostsPage({ limit: PAGE, after: subjects[pick()] ?? '' })).hosts.length > 0,
    },
  ]
}
