// A process that asks for tokens as fast as it can, so many questions at a time, and says what it got and how long that
// took. By our store, or by nothing but the same script sent over the same kind of client.
//
//   node hammer-child.mjs SOCKET PREFIX KEYS CAPACITY COUNT AT_A_TIME ours|bare
//
// It says `ready`, waits for a line, and prints one line of JSON.

import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { Redis } from 'ioredis'
import { BUCKET_SCRIPT } from '../../src/redis/bucket-script.ts'
import { RedisRateLimitStore } from '../../src/redis/index.ts'

/** What such a process prints. */
export interface HammerReport {
  readonly admitted: number
  readonly elapsedMs: number
  /** How long one question took, in microseconds: for half of them, and for all but one of a hundred, at most. */
  readonly p50Us: number
  readonly p99Us: number
}

const [path = '', prefix = '', keys = '1', tokens = '1', questions = '1', width = '1', mode = ''] =
  process.argv.slice(2)
const bucket = { capacity: Number(tokens), refillPerSecond: 1 / 86_400 }
const count = Number(questions)

const client = new Redis({ path })
await once(client, 'ready')
const store = new RedisRateLimitStore(client, { fleetSize: 8, local: null, timeoutMs: 10_000, prefix })
const names = Array.from({ length: Number(keys) }, (_, i) => `client ${i}`)

async function ours(key: string): Promise<boolean> {
  return (await store.consume(key, bucket, 1)).allowed
}

// One token in 86,400,000 ms: a token is so many units, one of which comes back each millisecond.
const token = 86_400_000
const args = ['field', String(bucket.capacity * token), String(token), '1', '1']
const command = ([name = '', ...rest]: readonly string[]) => client.call(name, ...rest)

async function bare(key: string): Promise<boolean> {
  return ((await BUCKET_SCRIPT.run(command, key, args)) as number) <= (bucket.capacity - 1) * token
}

const ask = mode === 'bare' ? bare : ours
const spent = new Float64Array(count)
let admitted = 0
let next = 0

async function askOneAfterAnother(): Promise<void> {
  while (next < count) {
    const index = next++
    const start = performance.now()
    if (await ask(names[index % names.length] ?? '')) admitted++
    spent[index] = performance.now() - start
  }
}

// The first questions load the script, and let the compiler see what there is to do.
for (let i = 0; i < 200; i++) await ask(`warm-up ${prefix} ${process.pid} ${i}`)
console.log('ready')
await once(createInterface({ input: process.stdin }), 'line')
const start = performance.now()
await Promise.all(Array.from({ length: Number(width) }, askOneAfterAnother))
const elapsedMs = performance.now() - start
spent.sort()
const microseconds = (share: number): number => (spent[Math.floor((count - 1) * share)] ?? 0) * 1000
const report: HammerReport = { admitted, elapsedMs, p50Us: microseconds(0.5), p99Us: microseconds(0.99) }
console.log(JSON.stringify(report))
client.disconnect()
process.stdin.destroy()
