import { PGlite } from '@electric-sql/pglite'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { PostgresRateLimitStore } from '../../src/postgres/index.ts'
import { MIGRATIONS } from '../../src/postgres/migrations.ts'
import { newSchema } from './engine.ts'

let client: PGlite

beforeAll(async () => {
  client = await PGlite.create()
}, 60_000)
afterAll(() => client.close())

const FAST = { capacity: 5, refillPerSecond: 1000 }
const SLOW = { capacity: 5, refillPerSecond: 1 / 3600 }

async function place() {
  const { schema, remove } = await newSchema(client)
  const store = await PostgresRateLimitStore.open(client, { schema, timeoutMs: 20_000 })
  const setClock = async (ms: number): Promise<void> => {
    await client.query(`CREATE OR REPLACE FUNCTION ${schema}.clock_ms() RETURNS bigint LANGUAGE sql VOLATILE
      AS $$ SELECT ${ms}::bigint $$`)
  }
  return { schema, store, setClock, remove }
}

it('removes buckets that are full, and no others', async () => {
  const { schema, store, setClock, remove } = await place()
  await setClock(1e12)
  for (let n = 0; n < 30; n++) await store.consume(`key ${n}`, n % 2 === 0 ? FAST : SLOW, 5)
  expect(await store.sweep()).toBe(0)
  await setClock(1e12 + 5)
  expect(await store.sweep()).toBe(15)
  const { rows } = await client.query(`SELECT count(*)::int AS n FROM ${schema}.rate_limit`)
  expect(rows).toEqual([{ n: 15 }])
  for (let n = 0; n < 30; n++) {
    expect((await store.consume(`key ${n}`, n % 2 === 0 ? FAST : SLOW, 1)).allowed).toBe(n % 2 === 0)
  }
  await remove()
})

it('after the clock was set back, gives tokens again at their rate and not after all that time', async () => {
  const { store, setClock, remove } = await place()
  const bucket = { capacity: 5, refillPerSecond: 1 }
  await setClock(1e12)
  await store.consume('key', bucket, 2)
  await setClock(1e12 - 86_400_000)
  const denied = await store.consume('key', bucket, 1)
  expect(denied).toEqual({ allowed: false, remaining: 0, retryAfterSeconds: 1 })
  await setClock(1e12 - 86_400_000 + 1000)
  expect((await store.consume('key', bucket, 1)).allowed).toBe(true)
  await remove()
})

it('keeps no text of a key', async () => {
  const { schema, store, remove } = await place()
  await store.consume('address 192.0.2.1', SLOW, 1)
  const { rows } = await client.query<{ row: string }>(`SELECT r::text AS row FROM ${schema}.rate_limit r`)
  const [{ row } = { row: '' }] = rows
  expect(Buffer.from(row.slice(4, 108), 'hex').toString('latin1')).not.toContain('192')
  await remove()
})

it.each([null, undefined, Number.NaN, 'x'])(
  'does not take a bucket for full of which a client says that %s is used',
  async (used) => {
    const rows = [{ name: 'schema_version', version: MIGRATIONS.length, used }]
    const query = async (): Promise<{ rows: unknown[] }> => ({ rows })
    const store = await PostgresRateLimitStore.open({ query, connect: async () => ({ query, release() {} }) })
    for (const method of ['consume', 'peek'] as const) {
      expect(await store[method]('key', SLOW, 1)).toMatchObject({ allowed: false, remaining: 0 })
    }
  },
)
