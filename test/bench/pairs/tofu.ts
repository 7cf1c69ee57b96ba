// Hosts that are known, on disk among few and many others. The floor of a visit is a fingerprint and one prepared look-up.

import { createHash } from 'node:crypto'
import {
  Certificate,
  type Endpoint,
  generateSelfSignedCertificate,
  MemoryPinStore,
  parseEndpoint,
  TofuStore,
} from 'tlacacoca'
import type { Pair, PairSource } from '../measure.ts'
import { openHosts, prepareHosts } from './tofu-store.ts'

const COUNTS = [10_000, 1_000_000]
const PAGE = 100
const DAY_MS = 86_400_000

export const tofuSources: readonly PairSource[] = [
  { name: 'verify a known host, in memory', make: inMemory },
  ...COUNTS.flatMap((count) => {
    const prepare = () => prepareHosts(count)
    return [
      { name: `verify a known host, ${count} hosts on disk`, prepare, make: verifying('verify', 1.1) },
      {
        name: `verify a known host and keep its last_seen, ${count} hosts on disk`,
        prepare,
        make: verifying('verifyOrTrust', 1.15),
      },
      { name: `list a page of ${PAGE}, ${count} hosts on disk`, prepare, make: listing },
    ]
  }),
]

const digestOf = (der: Uint8Array): string => `sha256:${createHash('sha256').update(der).digest('hex')}`

/** Inputs that go through the hosts which are visited. */
function visits<Input>(visited: readonly Input[]): (count: number) => Input[] {
  let next = 0
  return (count) => Array.from({ length: count }, () => visited[next++ % visited.length] as Input)
}

/** The floor is a fingerprint and one prepared look-up, which also gives the day when the host was last seen. */
function verifying(how: 'verify' | 'verifyOrTrust', goal: number) {
  return async (prepared: string): Promise<Pair<Endpoint>> => {
    const { store, bare, visited, certificate, close } = await openHosts(prepared)
    const der = Buffer.from(certificate.der)
    const select = bare
      .prepare<[string, string], number>('SELECT seen FROM pin WHERE subject = ? AND digest = ?')
      .pluck()
    const update = bare.prepare('UPDATE pin SET seen = ? WHERE subject = ? AND digest = ?')
    const now = Date.now()
    return {
      goal,
      inputs: visits(visited),
      floor: (endpoint) => {
        const digest = digestOf(der)
        const seen = select.get(String(endpoint), digest)
        if (seen === undefined) return false
        if (now - seen > DAY_MS) update.run(now, String(endpoint), digest)
        return true
      },
      ours: async (endpoint) => (await store[how](endpoint, Certificate.from(der))).kind === 'trusted',
      peers: {
        'an UPDATE each time': (endpoint) => {
          const digest = digestOf(der)
          if (select.get(String(endpoint), digest) === undefined) return false
          return update.run(Date.now(), String(endpoint), digest).changes === 1
        },
      },
      close,
    }
  }
}

async function inMemory(): Promise<Pair<Endpoint>> {
  const { certificate } = await generateSelfSignedCertificate({ hostname: 'example.org' })
  const der = Buffer.from(certificate.der)
  const visited = Array.from({ length: 5000 }, (_, n) => parseEndpoint(`host${n}.example.org:1965`))
  const store = new TofuStore(new MemoryPinStore())
  const known = new Map<string, string>()
  for (const endpoint of visited) {
    await store.verifyOrTrust(endpoint, certificate)
    known.set(String(endpoint), digestOf(der))
  }
  return {
    // The look at whether the bytes are a certificate, which the floor does not take, is as long as the floor.
    goal: null,
    inputs: visits(visited),
    floor: (endpoint) => known.get(String(endpoint)) === digestOf(der),
    ours: async (endpoint) => (await store.verify(endpoint, Certificate.from(der))).kind === 'trusted',
    close: () => store.close(),
  }
}

async function listing(prepared: string): Promise<Pair<Endpoint>> {
  const { store, bare, visited, close } = await openHosts(prepared)
  const page = bare.prepare('SELECT subject, digest, seen FROM pin WHERE subject > ? ORDER BY subject LIMIT ?')
  return {
    // Ten columns for three, as objects with dates, and everything that is known of a host gathered.
    goal: 10,
    inputs: visits(visited),
    floor: (endpoint) => page.all(String(endpoint), PAGE).length > 0,
    ours: async (endpoint) => (await store.listHostsPage({ limit: PAGE, after: String(endpoint) })).hosts.length > 0,
    close,
  }
}
