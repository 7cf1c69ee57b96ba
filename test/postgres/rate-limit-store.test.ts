import { PGlite } from '@electric-sql/pglite'
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest'
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

it('removes them by itself, once a minute of all the servers that there are', async () => {
  const { schema, store, setClock, remove } = await place()
  const minute = 60_000
  const now = performance.now.bind(performance)
  let shift = -minute
  const steady = vi.spyOn(performance, 'now').mockImplementation(() => now() + shift)
  onTestFinished(() => steady.mockRestore())
  const left = async (): Promise<unknown> =>
    (await client.query(`SELECT count(*)::int AS n FROM ${schema}.rate_limit`)).rows
  const sweeps = async (): Promise<unknown> =>
    (await client.query(`SELECT swept_at::text AS at FROM ${schema}.rate_limit_sweep`)).rows
  await setClock(1e12)
  await store.consume('key', SLOW, 1)
  await store.consume('full soon', FAST, 5)
  expect([await left(), await sweeps()]).toEqual([[{ n: 2 }], [{ at: '0' }]])
  // The time of this process has come, and nobody has looked yet.
  shift = 2 * minute
  await setClock(1e12 + 10)
  await store.consume('key', SLOW, 1)
  await vi.waitFor(async () => expect(await left()).toEqual([{ n: 1 }]), { timeout: 20_000 })
  expect(await sweeps()).toEqual([{ at: '1000000000010' }])
  // Its time has come again, but somebody has looked less than a minute ago.
  await store.consume('full soon', FAST, 5)
  shift = 4 * minute
  await setClock(1e12 + minute)
  await store.consume('key', SLOW, 1)
  // What is asked after it is answered after it.
  await store.peek('key', SLOW, 1)
  expect([await left(), await sweeps()]).toEqual([[{ n: 2 }], [{ at: '1000000000010' }]])
  await remove()
})

it('removes none, and fails no request, where it may not look', async () => {
  const { schema, store, remove } = await place()
  const now = performance.now.bind(performance)
  const steady = vi.spyOn(performance, 'now').mockImplementation(() => now() + 120_000)
  onTestFinished(() => steady.mockRestore())
  await client.query(`DROP TABLE ${schema}.rate_limit_sweep`)
  expect(await store.consume('key', SLOW, 1)).toMatchObject({ allowed: true, remaining: expect.closeTo(4, 1) })
  expect(await store.consume('key', SLOW, 1)).toMatchObject({ allowed: true, remaining: expect.closeTo(3, 1) })
  await remove()
})

it('answers the same about a bucket after ten thousand others, of which it did not keep all', async () => {
  const asked: unknown[] = []
  const query = async (text: string, values: readonly unknown[] = []): Promise<{ rows: unknown[] }> => {
    if (values.length > 0) asked.push([text, values])
    return { rows: [{ name: 'schema_version', version: MIGRATIONS.length, used: 0, taken: true }] }
  }
  const store = await PostgresRateLimitStore.open({ query, connect: async () => ({ query, release() {} }) })
  asked.length = 0
  const first = await store.consume('key', SLOW, 1)
  for (let n = 1; n <= 10_000; n++) await store.peek('key', { capacity: (n % 100) + 1, refillPerSecond: n }, 1)
  expect(await store.consume('key', SLOW, 1)).toEqual(first)
  expect(asked).toHaveLength(10_002)
  expect(asked.at(-1)).toEqual(asked[0])
})

it('fails all that is asked once it is closed, and leaves the client open', async () => {
  const { store, remove } = await place()
  expect(await store.consume('key', SLOW, 1)).toMatchObject({ allowed: true })
  store.close()
  const closed = { code: 'ERR_TLACACOCA_STORE_CLOSED', message: 'the rate limit store has been closed' }
  await expect(store.consume('key', SLOW, 1)).rejects.toMatchObject(closed)
  await expect(store.peek('key', SLOW, 1)).rejects.toMatchObject(closed)
  await expect(store.reset('key')).rejects.toMatchObject(closed)
  await expect(store.sweep()).rejects.toMatchObject(closed)
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
