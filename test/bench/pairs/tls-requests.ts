// What a request with a client certificate costs a server: processor time of its process alone, threads and kernel
// included, from connection to end. Each kind of server has a process, the client has another, and none is asked at the
// same time as a second. What a server needs at most is measured under the same load.

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generateSelfSignedCertificate } from 'tlacacoca'
import { bundled } from '../bundle.ts'
import { PINNED } from '../contest.ts'
import { inTurn, median, type Result } from '../measure.ts'
import { type PairProfile, type Profile, perOperation } from '../profile.ts'
import type { Extent } from '../streams.ts'
import { startWorker, type Worker } from '../worker.ts'
import type { Commands, KeyPair, Kind } from './tls-requests-worker.ts'

const KINDS: readonly Kind[] = [
  'node:tls as it comes',
  'node:tls tuned',
  'createServer',
  'createSecureServer',
  '@derhuerst/gemini',
]
const ROUNDS = 9
const REQUESTS = 250
const WARM_UP = 1500
const AT_ONCE = 16
const MAX_BYTES = 100e6
/** The floor of each table, and what we want to be at most, as a multiple of it. */
const GOALS = { 'node:tls as it comes': 0.8, 'node:tls tuned': 1.05 } as const

interface Server {
  readonly kind: Kind
  readonly worker: Worker<Commands>
  readonly port: number
  readonly cpuNs: number[]
}

export async function* tlsRequests({ quick }: Extent): AsyncGenerator<Result[]> {
  const { servers, load, close } = await openServers(KINDS)
  try {
    for (const server of servers) await load(server, quick ? 50 : WARM_UP)
    for (let round = 0; round < (quick ? 2 : ROUNDS); round++) {
      for (const server of inTurn(servers, round)) server.cpuNs.push(await load(server, quick ? 50 : REQUESTS))
    }
    yield table(servers, 'node:tls as it comes')
    yield table(servers, 'node:tls tuned')
    yield await memory(servers)
  } finally {
    close()
  }
}

/** Where tuned `node:tls` and `createServer` spend the processor time of a request. */
export async function tlsRequestsProfile({ quick }: Extent): Promise<PairProfile> {
  const { servers, load, close } = await openServers(['node:tls tuned', 'createServer'])
  try {
    const profiles: Profile[] = []
    const count = quick ? 50 : REQUESTS * ROUNDS
    for (const server of servers) {
      await load(server, quick ? 50 : WARM_UP)
      await server.worker.ask('startProfile')
      await load(server, count)
      profiles.push(perOperation(await server.worker.ask('stopProfile'), count))
    }
    const [floor = {}, ours = {}] = profiles
    return { floor, ours }
  } finally {
    close()
  }
}

/** Servers of these kinds that are listening, and a client that makes requests to one of them. */
async function openServers(kinds: readonly Kind[]) {
  const source = fileURLToPath(new URL('tls-requests-worker.ts', import.meta.url))
  const { folder, close: removeBundle } = await bundled({ worker: source })
  const running: Worker<Commands>[] = []
  const start = (prefix: readonly string[]): Worker<Commands> => {
    const worker = startWorker<Commands>(join(folder, 'worker.mjs'), prefix)
    running.push(worker)
    return worker
  }
  const close = (): void => {
    for (const worker of running) worker.stop()
    removeBundle()
  }
  try {
    const site = keysOf(await generateSelfSignedCertificate({ hostname: 'localhost' }))
    const me = keysOf(await generateSelfSignedCertificate({ usage: 'client', commonName: 'ana' }))
    const client = start([])
    const servers: Server[] = []
    for (const kind of kinds) {
      const worker = start(PINNED)
      const port = await worker.ask('serve', kind, site)
      if (port !== null) servers.push({ kind, worker, port, cpuNs: [] })
    }
    /** The processor time for each of so many requests. */
    const load = async ({ worker, port, kind }: Server, count: number): Promise<number> => {
      const before = await worker.ask('usage')
      await client.ask('request', { port, count, atOnce: AT_ONCE }, me)
      const after = await worker.ask('usage')
      const taken = after.taken - before.taken
      if (taken !== count) throw new Error(`${kind}: ${taken} fingerprints of ${count} requests`)
      return (after.cpuNs - before.cpuNs) / count
    }
    return { servers, load, close }
  } catch (error) {
    close()
    throw error
  }
}

const keysOf = (made: { readonly certificatePem: string; readonly privateKeyPem: string }): KeyPair => ({
  cert: made.certificatePem,
  key: made.privateKeyPem,
})

function table(servers: readonly Server[], floor: keyof typeof GOALS): Result[] {
  const floors = servers.find(({ kind }) => kind === floor)?.cpuNs ?? []
  const name = `processor time of a server for a request with a client certificate, against ${floor}`
  return servers
    .toSorted((a, b) => Number(b.kind === floor) - Number(a.kind === floor))
    .map(({ kind, cpuNs }) => ({
      name,
      contender: labelOf(kind, floor),
      amount: median(cpuNs),
      unit: 'ns',
      ratioToFloor: median(cpuNs.map((time, round) => time / (floors[round] ?? Number.NaN))),
      goal: kind === 'createServer' ? GOALS[floor] : null,
    }))
}

async function memory(servers: readonly Server[]): Promise<Result[]> {
  const name = `memory at most of a server under such requests, ${AT_ONCE} at once`
  // A budget, not what the floor takes.
  const rows: Result[] = [{ name, contender: 'floor', amount: MAX_BYTES, unit: 'bytes', ratioToFloor: 1, goal: null }]
  for (const { kind, worker } of servers) {
    const { peak } = await worker.ask('usage')
    const goal = kind === 'createServer' ? 1 : null
    rows.push({ name, contender: labelOf(kind), amount: peak, unit: 'bytes', ratioToFloor: peak / MAX_BYTES, goal })
  }
  return rows
}

function labelOf(kind: Kind, floor?: Kind): string {
  if (kind === floor) return 'floor'
  return kind === 'createServer' ? 'ours' : kind
}
