// Limits that several servers share, against the bare command: the same script, by its hash, over the same client, with
// nothing around it. What ours adds is the hash of the key, a deadline, and the answer.
//
// First one question after another, which shows what is added to a request. Then 1 to 8 processes with 32 questions at a
// time each, over a thousand keys: the time from one answer of Redis to the next, and how long half of the questions
// and all but one of a hundred take at most. All of them share the machine with Redis, so from as many processes on as
// there are processors these figures say more about the machine than about us.

import { createClient } from 'redis'
import { type RedisCommand, RedisRateLimitStore } from 'tlacacoca/redis'
import { BUCKET_SCRIPT } from '../../../src/redis/bucket-script.ts'
import type { HammerReport } from '../../redis/hammer-child.ts'
import { haveRedis, RedisServer } from '../../redis/redis-server.ts'
import { startChild } from '../../support/run-child.ts'
import { median, type Pair, type PairSource, type Result } from '../measure.ts'
import type { Extent } from '../streams.ts'

// A hash, a timer and two promises, beside what the client itself does for a command.
const GOAL = 1.4
const ROUNDS = 5
const PROCESSES = [1, 2, 4, 8]
const QUESTIONS = 20_000
const AT_A_TIME = 32

export async function* redisTogether({ quick }: Extent): AsyncGenerator<Result[]> {
  if (!haveRedis) return
  const server = await new RedisServer().start()
  try {
    for (const processes of PROCESSES) yield await together(server, processes, quick ? 1 : ROUNDS)
  } finally {
    await server.remove()
  }
}

export const redisSources: readonly PairSource[] = haveRedis
  ? [
      {
        name: 'a shared limit in Redis, one question after another',
        async prepare() {
          const server = await new RedisServer().start()
          return { given: server.path, close: () => server.remove() }
        },
        make: oneAfterAnother,
      },
    ]
  : []

async function oneAfterAnother(path: string): Promise<Pair> {
  const client = createClient({ socket: { path, tls: false } })
  await client.connect()
  const bucket = { capacity: 1e9, refillPerSecond: 1 }
  const store = new RedisRateLimitStore(client, { fleetSize: 1, local: null })
  const command: RedisCommand = (words) => client.sendCommand([...words])
  const args = ['1000000000/1', '1000000000000', '1000', '1', '1']
  return {
    goal: GOAL,
    floor: async () => ((await BUCKET_SCRIPT.run(command, 'bare', args)) as number) < 1e12,
    ours: async () => (await store.consume('ours', bucket, 1)).allowed,
    close: () => client.destroy(),
  }
}

async function together(server: RedisServer, processes: number, rounds: number): Promise<Result[]> {
  const modes = ['bare', 'ours'] as const
  const taken: Record<(typeof modes)[number], Figures[]> = { bare: [], ours: [] }
  for (let round = 0; round < rounds; round++) {
    for (const mode of modes) taken[mode].push(await hammered(server, processes, mode))
  }
  const name = `a shared limit in Redis, ${processes} ${processes === 1 ? 'process' : 'processes'}`
  return (['time between answers', 'p50', 'p99'] as const).flatMap((what) =>
    modes.map((mode) => ({
      name: `${name}, ${what}`,
      contender: mode === 'bare' ? 'floor' : 'ours',
      amount: median(taken[mode].map((figures) => figures[what])),
      unit: 'ns' as const,
      ratioToFloor: median(taken[mode].map((figures, i) => figures[what] / (taken.bare[i]?.[what] ?? Number.NaN))),
      goal: null,
    })),
  )
}

/** In nanoseconds. */
type Figures = Record<'time between answers' | 'p50' | 'p99', number>

let runs = 0

async function hammered(server: RedisServer, processes: number, mode: 'bare' | 'ours'): Promise<Figures> {
  const count = Math.ceil(QUESTIONS / processes)
  const args = [server.path, `run ${runs++}:`, '1000', '1000000', count, AT_A_TIME, mode].map(String)
  const children = Array.from({ length: processes }, () => startChild('../redis/hammer-child.ts', { args }))
  for (const child of children) if ((await child.line()) !== 'ready') throw new Error((await child.ended).stderr)
  for (const child of children) child.send('go')
  const reports = await Promise.all(
    children.map(async (child): Promise<HammerReport> => JSON.parse((await child.line()) ?? '{}')),
  )
  await Promise.all(children.map(({ ended }) => ended))
  const admitted = reports.reduce((sum, report) => sum + report.admitted, 0)
  if (admitted !== count * processes) throw new Error(`${mode} admits ${admitted} of ${count * processes}`)
  return {
    'time between answers': (Math.max(...reports.map(({ elapsedMs }) => elapsedMs)) * 1e6) / (count * processes),
    p50: median(reports.map(({ p50Us }) => p50Us)) * 1000,
    p99: median(reports.map(({ p99Us }) => p99Us)) * 1000,
  }
}
