import { median, type Result } from '../measure.ts'
import type { Extent } from '../streams.ts'
import { tlsWorkers, type Workers } from './tls-processes.ts'
import type { ClientKind, Memory, Scenario, ServerKind } from './tls-worker.ts'

const IDLE = 1000
const BEFORE = 1000
/** Resident memory is not the same from one process to the next. */
const ROUNDS = 3
const STEP = 3000
const STEPS = 5

/** What connections cost that do nothing, and what is left of those that are over. */
export async function* tlsMemory(extent: Extent): AsyncGenerator<Result[]> {
  const workers = await tlsWorkers()
  try {
    for (const end of ['server', 'client'] as const) {
      for (const clientCertificate of [false, true]) {
        yield await idle(workers, end, clientCertificate, extent.quick ? 1 : ROUNDS)
      }
    }
    yield await growth(workers, extent.quick ? STEP / 10 : STEP)
  } finally {
    workers.close()
  }
}

/** One end is ours or Node's, the other is Node's. */
type Idle =
  | { readonly end: 'server'; readonly kind: ServerKind; readonly scenario: Scenario }
  | { readonly end: 'client'; readonly kind: ClientKind; readonly scenario: Scenario }

async function idle(workers: Workers, end: Idle['end'], clientCertificate: boolean, rounds: number): Promise<Result[]> {
  const scenario: Scenario = { version: 'TLSv1.3', clientCertificate }
  const contenders: Idle[] =
    end === 'server'
      ? (['node:tls', 'createSecureServer', 'createServer'] as const).map((kind) => ({ end, kind, scenario }))
      : (['node:tls', 'tlsDuplex', 'connect'] as const).map((kind) => ({ end, kind, scenario }))
  const taken: Memory[][] = contenders.map(() => [])
  for (let round = 0; round < rounds; round++) {
    for (const [index, contender] of contenders.entries()) taken[index]?.push(await perConnection(workers, contender))
  }
  return (['rss', 'heapUsed'] as const).flatMap((of) => {
    const amounts = taken.map((memories) => median(memories.map((memory) => memory[of])))
    return contenders.map(({ kind }, index) => {
      const isOurs = index === 1
      const amount = amounts[index] ?? Number.NaN
      return {
        name: `${of} of an idle connection on a ${end}, of ${IDLE}${clientCertificate ? ', with client certificates' : ''}`,
        contender: index === 0 ? 'floor' : isOurs ? 'ours' : kind,
        amount,
        unit: 'bytes' as const,
        ratioToFloor: amount / (amounts[0] ?? Number.NaN),
        goal: isOurs ? 1 : null,
      }
    })
  })
}

/** In processes that have done such connections before, so that what they have grown by is those that stay. */
async function perConnection(workers: Workers, { end, kind, scenario }: Idle): Promise<Memory> {
  const server = await workers.start()
  const client = await workers.start()
  const serverKind = end === 'server' ? kind : 'node:tls'
  const clientKind = end === 'client' ? kind : 'node:tls'
  const greeting = await server.ask('listen', serverKind, scenario, 'greet')
  await client.ask('visit', { kind: clientKind, scenario, port: greeting, count: BEFORE, atOnce: 8 })
  await until(async () => (await server.ask('connections')) === 0)
  const port = await server.ask('listen', serverKind, scenario, 'idle')
  const measured = end === 'server' ? server : client
  const before = await measured.ask('memory')
  await client.ask('hold', { kind: clientKind, scenario, port, count: IDLE })
  await until(async () => (await server.ask('connections')) === IDLE)
  const after = await measured.ask('memory')
  server.stop()
  client.stop()
  return {
    rss: (after.rss - before.rss) / IDLE,
    heapUsed: (after.heapUsed - before.heapUsed) / IDLE,
  }
}

/** With our library at both ends. */
async function growth(workers: Workers, step: number): Promise<Result[]> {
  const scenario: Scenario = { version: 'TLSv1.3', clientCertificate: true }
  const server = await workers.start()
  const client = await workers.start()
  const port = await server.ask('listen', 'createSecureServer', scenario, 'greet')
  const rows: Result[] = []
  const first = new Map<string, number>()
  for (let done = step; done <= STEPS * step; done += step) {
    await client.ask('visit', { kind: 'connect', scenario, port, count: step, atOnce: 16 })
    for (const [who, worker] of Object.entries({ createSecureServer: server, connect: client })) {
      const { rss } = await worker.ask('memory')
      const floor = first.get(who) ?? rss
      first.set(who, floor)
      rows.push({
        name: `rss of a process with ${who}, after so many connections`,
        contender: done === step ? 'floor' : String(done),
        amount: rss,
        unit: 'bytes',
        ratioToFloor: rss / floor,
        goal: done === STEPS * step ? 1.1 : null,
      })
    }
  }
  server.stop()
  client.stop()
  return rows.toSorted((a, b) => a.name.localeCompare(b.name))
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('the connections of the server are not as many as they should be')
}
