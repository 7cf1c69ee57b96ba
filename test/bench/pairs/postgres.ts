// The stores on PostgreSQL, against the bare statement that they send, on a server of the bench's own: each call by itself
// (its median, and the slowest of a hundred), and sixteen calls at a time. Then the bare statement is the floor.
//
// How it grows: one to eight processes that take tokens of many keys, as fast as they can.

import { hash } from 'node:crypto'
import type pg from 'pg'
import {
  createPostgresSchema,
  PostgresIdentityStore,
  PostgresPinStore,
  PostgresRateLimitStore,
} from '../../../src/postgres/index.ts'
import { noServer, Server } from '../../postgres/engine.ts'
import { startChild } from '../../support/run-child.ts'
import { median, type Result } from '../measure.ts'
import type { Extent } from '../streams.ts'

const ROUNDS = 11
const CALLS = 400
const AT_ONCE = 16
const TOKENS = 20_000
const GOAL = 1.25
const USERS = 1000
const NOW = Date.parse('2030-06-01T12:00:00Z')
const BUCKET = { capacity: 1e9, refillPerSecond: 1000 }

type Call = (n: number) => Promise<unknown>

interface Contenders {
  readonly name: string
  readonly floor: Call
  readonly ours: Call
}

export async function* postgres({ quick }: Extent): AsyncGenerator<Result[]> {
  if (noServer) return
  const server = await Server.start()
  try {
    const pool = server.pool({ max: AT_ONCE })
    await createPostgresSchema(pool)
    for (const contenders of await contendersOf(pool)) yield* compared(contenders, quick ? 3 : ROUNDS)
    for (const processes of [1, 2, 4, 8]) yield await growth(server.port, processes, quick ? 1000 : TOKENS)
  } finally {
    await server.close()
  }
}

async function contendersOf(pool: pg.Pool): Promise<Contenders[]> {
  const limits = await PostgresRateLimitStore.open(pool, { timeoutMs: 5000 })
  const users = await PostgresIdentityStore.open(pool)
  const pins = await PostgresPinStore.open(pool)
  const name = (n: number): string => hash('sha256', `${n % USERS}`, 'hex')
  for (let n = 0; n < USERS; n++) await users.register(registrationOf(name(n)))
  const sent = recorded(pool)
  // What each of them sends, word for word.
  await (await PostgresRateLimitStore.open(sent.pool)).consume('key', BUCKET, 1)
  const consume = sent.last()
  await (await PostgresIdentityStore.open(sent.pool)).find({ certificates: [name(0)], publicKey: '' }, NOW)
  const find = sent.last()
  await (await PostgresPinStore.open(sent.pool)).lastSeen('example.org:1965', `sha256:${name(0)}` as never)
  const lastSeen = sent.last()
  const [, ...shape] = consume.values
  const keys = Array.from({ length: USERS }, (_, n) => Buffer.from(name(n).repeat(2), 'hex').subarray(0, 48))
  let strangers = 0
  return [
    {
      name: 'take a token',
      floor: (n) => pool.query(consume.text, [keys[n % USERS], ...shape]),
      ours: (n) => limits.consume(name(n), BUCKET, 1),
    },
    {
      name: 'recognise a user',
      floor: (n) => pool.query(find.text, [name(n), NOW]),
      ours: (n) => users.find({ certificates: [name(n)], publicKey: '' }, NOW),
    },
    {
      name: 'recognise a pinned certificate',
      floor: (n) => pool.query(lastSeen.text, [`host${n}:1965`, `sha256:${name(n)}`]),
      ours: (n) => pins.lastSeen(`host${n}:1965`, `sha256:${name(n)}` as never),
    },
    {
      name: 'find that nobody has a certificate',
      floor: () => pool.query(find.text, [`nobody ${strangers++}`, NOW]),
      ours: () => users.find({ certificates: [`nobody ${strangers++}`], publicKey: 'no key' }, NOW),
    },
    {
      name: 'register a user',
      // One row, and no question before it.
      floor: () => pool.query('INSERT INTO tlacacoca.identity_setting VALUES ($1, $1)', [`floor ${strangers++}`]),
      ours: async () => users.register(registrationOf(`new ${strangers++}`)),
    },
  ]
}

async function* compared({ name, ...contenders }: Contenders, rounds: number): AsyncGenerator<Result[]> {
  const figures = new Map<string, number[]>()
  for (let round = 0; round < rounds; round++) {
    // In turn, because what else the machine does changes from one moment to the next.
    const alone: Record<string, number[]> = { floor: [], ours: [] }
    for (let n = 0; n < CALLS; n++) {
      for (const [contender, call] of Object.entries(contenders)) alone[contender]?.push(await timeOf(() => call(n)))
    }
    for (const [contender, call] of Object.entries(contenders)) {
      const sorted = alone[contender]?.sort((a, b) => a - b) ?? []
      const together = await timeOf(async () => {
        const lane = async (first: number) => {
          for (let n = first; n < CALLS; n += AT_ONCE) await call(n)
        }
        await Promise.all(Array.from({ length: AT_ONCE }, (_, first) => lane(first)))
      })
      // The first round is for warming up.
      if (round === 0) continue
      const quantile = (part: number): number => sorted[Math.floor(sorted.length * part)] ?? Number.NaN
      const all = { median: quantile(0.5), 'slowest of 100': quantile(0.99), '16 at once': together / CALLS }
      for (const [what, amount] of Object.entries(all)) {
        const key = `${what}/${contender}`
        figures.set(key, [...(figures.get(key) ?? []), amount])
      }
    }
  }
  for (const what of ['median', 'slowest of 100', '16 at once']) {
    const floors = figures.get(`${what}/floor`) ?? []
    yield ['floor', 'ours'].map((contender) => {
      const amounts = figures.get(`${what}/${contender}`) ?? []
      const ratioToFloor = median(amounts.map((amount, round) => amount / (floors[round] ?? Number.NaN)))
      const isGoal = contender === 'ours' && what !== 'slowest of 100' && /^(take|recognise)/.test(name)
      const goal = isGoal ? GOAL : null
      return { name: `postgres: ${name}, ${what}`, contender, amount: median(amounts), unit: 'ns', ratioToFloor, goal }
    })
  }
}

/** Nanoseconds for each token, of all processes together. */
async function growth(port: number, processes: number, tokens: number): Promise<Result[]> {
  const args = [String(port), 'tlacacoca', String(tokens), 'many keys']
  const children = Array.from({ length: processes }, () => startChild('../postgres/hammer-child.ts', { args }))
  for (const child of children) await child.line()
  const amount = await timeOf(async () => {
    for (const child of children) child.send('go')
    await Promise.all(children.map((child) => child.line()))
  })
  for (const child of children) await child.ended
  const name = `postgres: a token of many keys, by ${processes} processes`
  return [{ name, contender: 'ours', amount: amount / (tokens * processes), unit: 'ns', ratioToFloor: 1, goal: null }]
}

/** The same pool, which notes what is sent. */
function recorded(pool: pg.Pool) {
  let last: { readonly text: string; readonly values: readonly unknown[] } = { text: '', values: [] }
  const connect = async () => {
    const client = await pool.connect()
    const query = (text: string, values: unknown[] = []) => {
      last = { text, values }
      return client.query(text, values)
    }
    return { query, release: (error?: Error | boolean) => client.release(error) }
  }
  return { pool: { query: (text: string, values?: unknown[]) => pool.query(text, values), connect }, last: () => last }
}

function registrationOf(name: string) {
  const credential = {
    ...{ id: `id of ${name}`, certificate: name, publicKey: name, fingerprint: null, label: null },
    ...{ notBefore: NOW, notAfter: NOW + 1 },
  }
  return { userId: name, handle: { shown: name, key: name }, credential, at: NOW }
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const start = process.hrtime.bigint()
  await work()
  return Number(process.hrtime.bigint() - start)
}
