import type { Result } from '../measure.ts'
import { tlsWorkers, type Workers } from './tls-processes.ts'
import type { Memory, Scenario, ServerKind } from './tls-worker.ts'

const IDLE = 1000
const BEFORE = 1500
const IN_ALL = 15_000
const STEP = 3000

/** What connections cost that do nothing, and what is left of those that are over. */
export async function tlsMemory(): Promise<Result[]> {
  const workers = await tlsWorkers()
  try {
    return [
      ...(await idle(workers, { version: 'TLSv1.3', clientCertificate: false })),
      ...(await idle(workers, { version: 'TLSv1.3', clientCertificate: true })),
      ...(await growth(workers)),
    ]
  } finally {
    workers.close()
  }
}

async function idle(workers: Workers, scenario: Scenario): Promise<Result[]> {
  const taken: [ServerKind, Memory][] = []
  for (const kind of ['node:tls', 'createSecureServer', 'createServer'] as const) {
    taken.push([kind, await perConnection(workers, kind, scenario)])
  }
  return (['rss', 'heapUsed'] as const).flatMap((of) =>
    taken.map(([kind, memory]) => ({
      name: `${of} of an idle connection on a server, of ${IDLE}${scenario.clientCertificate ? ', with client certificates' : ''}`,
      contender: kind === 'node:tls' ? 'floor' : kind === 'createSecureServer' ? 'ours' : kind,
      amount: memory[of],
      unit: 'bytes' as const,
      ratioToFloor: memory[of] / (taken[0]?.[1][of] ?? Number.NaN),
      goal: kind === 'createSecureServer' ? 1 : null,
    })),
  )
}

/** In a process that has served before, so that what it has grown by is the connections. */
async function perConnection(workers: Workers, kind: ServerKind, scenario: Scenario): Promise<Memory> {
  const server = await workers.start()
  const client = await workers.start()
  const greeting = await server.ask('listen', kind, scenario, 'greet')
  await client.ask('visit', { kind: 'node:tls', scenario, port: greeting, count: BEFORE, atOnce: 8 })
  await until(async () => (await server.ask('connections')) === 0)
  const port = await server.ask('listen', kind, scenario, 'idle')
  const before = await server.ask('memory')
  await client.ask('hold', { kind: 'node:tls', scenario, port, count: IDLE })
  await until(async () => (await server.ask('connections')) === IDLE)
  const after = await server.ask('memory')
  server.stop()
  client.stop()
  return {
    rss: (after.rss - before.rss) / IDLE,
    heapUsed: (after.heapUsed - before.heapUsed) / IDLE,
  }
}

/** With our library at both ends. */
async function growth(workers: Workers): Promise<Result[]> {
  const scenario: Scenario = { version: 'TLSv1.3', clientCertificate: true }
  const server = await workers.start()
  const client = await workers.start()
  const port = await server.ask('listen', 'createSecureServer', scenario, 'greet')
  const rows: Result[] = []
  const first = new Map<string, number>()
  for (let done = STEP; done <= IN_ALL; done += STEP) {
    await client.ask('visit', { kind: 'connect', scenario, port, count: STEP, atOnce: 16 })
    for (const [who, worker] of Object.entries({ createSecureServer: server, connect: client })) {
      const { rss } = await worker.ask('memory')
      const floor = first.get(who) ?? rss
      first.set(who, floor)
      rows.push({
        name: `rss of a process with ${who}, after so many connections`,
        contender: done === STEP ? 'floor' : String(done),
        amount: rss,
        unit: 'bytes',
        ratioToFloor: rss / floor,
        goal: done === IN_ALL ? 1.1 : null,
      })
    }
  }
  server.stop()
  client.stop()
  return rows.toSorted((a, b) => a.name.localeCompare(b.name))
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 10))
}
