// Asks for tokens of one bucket, or of many, many times at once, and prints how many it got.
//
//   hammer-child <port> <schema> <requests> [many keys]
//
// Prints `ready`, and begins when a line comes.

import { once } from 'node:events'
import pg from 'pg'
import { PostgresRateLimitStore } from '../../src/postgres/rate-limit-store.ts'

const [port = '', schema = '', requests = '', keys = 'one key'] = process.argv.slice(2)
const pool = new pg.Pool({ host: '127.0.0.1', port: Number(port), user: 'test', database: 'postgres', max: 4 })
const store = await PostgresRateLimitStore.open(pool, { schema, timeoutMs: 60_000 })
console.log('ready')
await once(process.stdin, 'data')
const tries = Array.from({ length: Number(requests) }, (_, n) =>
  store.consume(
    keys === 'one key' ? keys : `key ${process.pid} ${n % 1000}`,
    { capacity: 100, refillPerSecond: 1 / 3600 },
    1,
  ),
)
console.log((await Promise.all(tries)).filter(({ allowed }) => allowed).length)
await pool.end()
process.exit()
