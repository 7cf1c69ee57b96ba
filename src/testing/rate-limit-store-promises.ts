// Each check gets an empty store, does one thing, and throws if it did not come out as promised. Where the store's clock
// cannot be moved, time goes on by itself meanwhile; then only buckets are used that hardly fill up in a minute.

import { ok, rejects, strictEqual } from 'node:assert/strict'
import type { RateLimitStore } from '../middleware/rate-limit-store.ts'
import type { BucketOptions, TokenBucketResult } from '../middleware/refill.ts'

/** A store, and the hand on its clock where there is one. */
export interface ContractStore {
  readonly store: RateLimitStore
  readonly advance: ((ms: number) => Promise<void>) | null
  close(): void
}

type Reopen = (() => Promise<ContractStore>) | null

/** One token comes back in a quarter of an hour. */
const SLOW: BucketOptions = { capacity: 10, refillPerSecond: 1 / 900 }
/** One every ten seconds. */
const TENTH: BucketOptions = { capacity: 5, refillPerSecond: 0.1 }

/** What `RateLimitStore` promises, by the numbers in its comment. */
export const RATE_LIMIT_STORE_PROMISES: Record<string, (opened: ContractStore, reopen: Reopen) => Promise<void>> = {
  '1 a bucket is full until something is taken': async ({ store }) => {
    left(await store.peek('key', SLOW, 10), 10)
    left(await store.consume('key', SLOW, 10), 0)
    strictEqual((await store.consume('key', SLOW, 1)).allowed, false)
  },
  '1 keys are compared whole, whatever is in them': async ({ store }) => {
    for (const key of KEYS)
      strictEqual((await store.consume(key, SLOW, 10)).allowed, true, `${JSON.stringify(key)} first`)
    for (const key of KEYS) strictEqual((await store.consume(key, SLOW, 1)).allowed, false, JSON.stringify(key))
  },
  '1 a key with other options is another bucket': async ({ store }) => {
    const others = [SLOW, { ...SLOW, capacity: 11 }, { ...SLOW, refillPerSecond: 1 / 901 }]
    for (const bucket of others) strictEqual((await store.consume('key', bucket, 10)).allowed, true)
    for (const bucket of others) strictEqual((await store.consume('key', bucket, 2)).allowed, false)
  },
  '1 options are compared by their values': async ({ store }) => {
    await store.consume('key', { ...SLOW }, 10)
    strictEqual((await store.consume('key', { ...SLOW }, 1)).allowed, false)
  },
  '2 what is left is told, and never rounded up': async ({ store }) => {
    left(await store.consume('key', SLOW, 1), 9)
    left(await store.consume('key', SLOW, 3), 6)
    left(await store.consume('key', SLOW, 6), 0)
  },
  '2 a denial takes nothing': async ({ store }) => {
    await store.consume('key', SLOW, 7)
    for (let i = 0; i < 5; i++) strictEqual((await store.consume('key', SLOW, 4)).allowed, false)
    strictEqual((await store.consume('key', SLOW, 3)).allowed, true)
  },
  '2 costs may be fractions': async ({ store }) => {
    for (let i = 0; i < 20; i++) strictEqual((await store.consume('key', SLOW, 0.5)).allowed, true, `the half ${i}`)
    strictEqual((await store.consume('key', SLOW, 0.5)).allowed, false)
  },
  '2 tokens come back at their rate and no faster': async ({ store, advance }) => {
    if (advance === null) return
    await store.consume('key', TENTH, 5)
    await advance(9999)
    strictEqual((await store.consume('key', TENTH, 1)).allowed, false, 'a millisecond early')
    await advance(1)
    strictEqual((await store.consume('key', TENTH, 1)).allowed, true, 'in time')
    strictEqual((await store.consume('key', TENTH, 1)).allowed, false, 'twice')
    await advance(25_000)
    strictEqual((await store.consume('key', TENTH, 3)).allowed, false, 'three after 25 s')
    strictEqual((await store.consume('key', TENTH, 2)).allowed, true, 'two after 25 s')
    await advance(5000)
    strictEqual((await store.consume('key', TENTH, 1)).allowed, true, 'what was left of the 25 s')
  },
  '2 a bucket never holds more than its capacity': async ({ store, advance }) => {
    if (advance === null) return
    await store.consume('key', TENTH, 1)
    await advance(86_400_000)
    left(await store.peek('key', TENTH, 1), 5)
    left(await store.consume('key', TENTH, 5), 0)
    strictEqual((await store.consume('key', TENTH, 1)).allowed, false)
  },
  '3 of many who ask at once, exactly as many get something as there is': async ({ store }, reopen) => {
    const stores = [store, ...(reopen === null ? [] : [(await reopen()).store, (await reopen()).store])]
    for (const cost of [1, 3]) {
      const key = `race of ${cost}`
      const tries = Array.from({ length: 60 }, async (_, i) =>
        (stores[i % stores.length] ?? store).consume(key, SLOW, cost),
      )
      const answers = await Promise.all(tries)
      strictEqual(answers.filter(({ allowed }) => allowed).length, Math.floor(SLOW.capacity / cost), `${cost} each`)
    }
  },
  '3 those who look meanwhile take nothing': async ({ store }) => {
    const tries = Array.from({ length: 40 }, async (_, i) =>
      i % 2 === 0 ? store.peek('key', SLOW, 1) : store.consume('key', SLOW, 1),
    )
    const answers = await Promise.all(tries)
    strictEqual(answers.filter(({ allowed }, i) => i % 2 === 1 && allowed).length, SLOW.capacity)
  },
  '4 a denial names the time, and the time is true to the second': async ({ store, advance }) => {
    await store.consume('key', TENTH, 5)
    for (const method of ['consume', 'peek'] as const) {
      // A store on another machine may have begun the next second already.
      const seconds = secondsOf(await store[method]('key', TENTH, 2))
      ok(seconds === 20 || (advance === null && seconds === 19), `expected 20 seconds, got ${seconds}`)
    }
    if (advance === null) return
    await advance(1500)
    strictEqual(secondsOf(await store.consume('key', TENTH, 2)), 19)
    await advance(18_000)
    strictEqual((await store.consume('key', TENTH, 2)).allowed, false, 'a second less')
    await advance(1000)
    strictEqual((await store.consume('key', TENTH, 2)).allowed, true, 'after the time')
  },
  '4 a cost above the capacity never passes, takes nothing and names no time': async ({ store, advance }) => {
    for (const method of ['consume', 'peek'] as const) {
      for (const cost of [10.5, 11, 1e9]) {
        const answer = await store[method]('key', SLOW, cost)
        strictEqual(answer.allowed, false, `${method} ${cost}`)
        ok(!('retryAfterSeconds' in answer) || answer.retryAfterSeconds === undefined, 'a time that is not true')
      }
    }
    if (advance !== null) {
      await advance(86_400_000)
      strictEqual((await store.consume('key', SLOW, 11)).allowed, false, 'a day later')
    }
    left(await store.consume('key', SLOW, 10), 0)
  },
  '5 peek answers as consume would, and takes nothing': async ({ store }) => {
    await store.consume('key', SLOW, 4)
    for (let i = 0; i < 20; i++) left(await store.peek('key', SLOW, 6), 6)
    strictEqual((await store.peek('key', SLOW, 7)).allowed, false)
    left(await store.consume('key', SLOW, 6), 0)
  },
  '6 reset fills one bucket of a key, or all of them, and no other': async ({ store }) => {
    const other = { ...SLOW, capacity: 8 }
    const drain = async (): Promise<void> => {
      for (const key of ['key', 'key2']) {
        for (const bucket of [SLOW, other]) await store.consume(key, bucket, bucket.capacity)
      }
    }
    await drain()
    await store.reset('key', SLOW)
    left(await store.peek('key', SLOW, 10), 10)
    strictEqual((await store.peek('key', other, 1)).allowed, false, 'the other bucket')
    await drain()
    await store.reset('key')
    left(await store.peek('key', SLOW, 10), 10)
    left(await store.peek('key', other, 8), 8)
    for (const bucket of [SLOW, other]) strictEqual((await store.peek('key2', bucket, 1)).allowed, false, 'another key')
    await store.reset('a key that nobody has used')
  },
  '7 a clock that is set back gives nobody a token': async ({ store, advance }) => {
    if (advance === null) return
    await store.consume('key', TENTH, 5)
    for (const ms of [-1, -5000, -86_400_000]) {
      await advance(ms)
      strictEqual((await store.consume('key', TENTH, 1)).allowed, false, `${ms} ms`)
    }
  },
  '8 what is no key, no bucket or no cost is refused, and nothing is taken': async ({ store }) => {
    const misuses: [string, unknown, unknown, unknown][] = [
      ['no key', undefined, SLOW, 1],
      ['a number for a key', 5, SLOW, 1],
      ['no bucket', 'key', undefined, 1],
      ['a capacity of 0', 'key', { ...SLOW, capacity: 0 }, 1],
      ['a capacity of NaN', 'key', { ...SLOW, capacity: Number.NaN }, 1],
      ['a rate of 0', 'key', { ...SLOW, refillPerSecond: 0 }, 1],
      ['a rate of NaN', 'key', { ...SLOW, refillPerSecond: Number.NaN }, 1],
      ['an infinite rate', 'key', { ...SLOW, refillPerSecond: Number.POSITIVE_INFINITY }, 1],
      ['a cost of 0', 'key', SLOW, 0],
      ['a negative cost', 'key', SLOW, -1],
      ['a cost of NaN', 'key', SLOW, Number.NaN],
      ['no cost', 'key', SLOW, undefined],
    ]
    for (const [what, key, bucket, cost] of misuses) {
      for (const method of ['consume', 'peek'] as const) {
        const attempt = async (): Promise<unknown> =>
          store[method](key as string, bucket as BucketOptions, cost as number)
        await rejects(attempt, `${method} with ${what}`)
      }
    }
    left(await store.consume('key', SLOW, 10), 0)
  },
}

const KEYS = [
  'key',
  'Key',
  'key ',
  'key:',
  'ke',
  '',
  ' ',
  '%',
  'k_y',
  '*',
  'key\0',
  'key\0more',
  'address:2001:db8::/64',
  'address:2001:db8::/640',
  "'; --",
  '\u00e9',
  'e\u0301',
  '\u{1f512}',
  '\u{1f513}',
  'x'.repeat(4000),
  'x'.repeat(4001),
]

/** Expects a request to pass, with so much left; a store may have got back a little, and may round down to whole tokens. */
function left(answer: TokenBucketResult, remaining: number): void {
  strictEqual(answer.allowed, true)
  ok(answer.remaining >= remaining && answer.remaining < remaining + 0.5, `${answer.remaining} left, not ${remaining}`)
}

function secondsOf(answer: TokenBucketResult): number | undefined {
  strictEqual(answer.allowed, false)
  return answer.allowed ? undefined : answer.retryAfterSeconds
}
