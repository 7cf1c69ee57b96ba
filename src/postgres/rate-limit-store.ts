// Token buckets in PostgreSQL: one statement for each request, and the server's clock.
//
// The arithmetic is that of `Refill`: a bucket is the moment at which it is full again, in units of which a millisecond
// and a token both are a whole number. The row is locked by the statement that reads it, and only then is the clock read,
// so no two requests, from wherever, are given the same token.

import { hash } from 'node:crypto'
import { requireString } from '../internal/arguments.ts'
import type { RateLimitStore } from '../middleware/rate-limit-store.ts'
import { type BucketOptions, Refill, type TokenBucketResult } from '../middleware/refill.ts'
import type { PostgresClient } from './client.ts'
import type { Database } from './database.ts'
import { openDatabase, type PostgresSchemaOptions } from './schema.ts'

// A request waits for it. What is not there by then had better be refused, or counted locally.
const TIMEOUT_MS = 250
const SWEEP_INTERVAL_MS = 60_000
const SWEEP_ROWS = 10_000

/** With how many capacities and rates the arithmetic is kept; limits have a handful. */
const MAX_SHAPES = 256

interface Bucket {
  readonly refill: Refill
  readonly id: Buffer
}

/** Keeps token buckets in PostgreSQL, for all servers that share the database. */
export class PostgresRateLimitStore implements RateLimitStore {
  readonly #database: Database
  readonly #consume: string
  readonly #peek: string
  readonly #shapes = new Map<string, { readonly refill: Refill; readonly id: Buffer }>()
  #nextSweep = performance.now() + Math.random() * SWEEP_INTERVAL_MS

  private constructor(database: Database) {
    this.#database = database
    const { schema } = database
    // $2: units per millisecond; $3: the capacity; $4: the cost. What is kept is never later than a full bucket away, even
    // if the clock was set back. Denied requests write too: only what was written is known to be what others saw.
    this.#consume = `INSERT INTO ${schema}.rate_limit AS b (key, full_at, taken, units_per_ms)
      VALUES ($1::bytea, ${schema}.clock_ms() * $2::bigint + $4::bigint, true, $2::bigint)
      ON CONFLICT (key) DO UPDATE SET (full_at, taken) = (
        SELECT CASE WHEN used + $4::bigint <= $3::bigint THEN now + used + $4::bigint ELSE now + used END,
          used + $4::bigint <= $3::bigint
        FROM (
          SELECT now, least(greatest(b.full_at - now, 0), $3::bigint) AS used
          FROM (SELECT ${schema}.clock_ms() * $2::bigint AS now OFFSET 0) AS clock OFFSET 0
        ) AS bucket)
      RETURNING taken, full_at - ${schema}.clock_ms() * $2::bigint AS used`
    this.#peek = `SELECT full_at - ${schema}.clock_ms() * $2::bigint AS used
      FROM ${schema}.rate_limit WHERE key = $1::bytea`
  }

  /**
   * Opens the store over tables that {@link createPostgresSchema} has made.
   *
   * Buckets are in an unlogged table: they are empty of all that was taken once the server has crashed, or a standby has
   * taken its place, so at worst each key is given one more burst. Keys are kept as SHA-256. Full buckets are removed once
   * a minute by one of the servers.
   *
   * @param options.timeoutMs - After how long a request without an answer fails. Default 250. A request that has failed may
   *   have been counted.
   * @throws {StoreError} `STORE_NEWER` for tables of a later release, `STORE_FAILED` if there are none, or no server.
   * @example
   * import pg from 'pg'
   * import { RateLimiter } from 'tlacacoca/middleware'
   * import { createPostgresSchema, PostgresRateLimitStore } from 'tlacacoca/postgres'
   *
   * const pool = new pg.Pool({ connectionString: 'postgres://web@localhost/limits' })
   * pool.on('error', (error) => console.error(error))
   * await createPostgresSchema(pool)
   * const store = await PostgresRateLimitStore.open(pool)
   * const limiter = new RateLimiter({ capacity: 20, refillPerSecond: 2, store })
   * console.log(limiter.name)
   */
  static async open(client: PostgresClient, options: PostgresSchemaOptions = {}): Promise<PostgresRateLimitStore> {
    return new PostgresRateLimitStore(await openDatabase(client, 'rate limit store', options, TIMEOUT_MS))
  }

  async consume(key: string, options: BucketOptions, cost: number): Promise<TokenBucketResult> {
    const { refill, id } = this.#bucket(key, options)
    const units = refill.cost(cost)
    if (units > refill.capacity) return this.peek(key, options, cost)
    const [row] = await this.#database.query(this.#consume, [id, refill.unitsPerMs, refill.capacity, units])
    this.#sweepSometimes()
    const used = within(refill, row?.used)
    if (row?.taken === true) return { allowed: true, remaining: refill.tokensLeft(used) }
    // By now there may be enough, since time goes on between the decision and the answer; but nothing was given.
    const answer = refill.answer(used, units)
    return answer.allowed ? { allowed: false, remaining: answer.remaining, retryAfterSeconds: 1 } : answer
  }

  async peek(key: string, options: BucketOptions, cost: number): Promise<TokenBucketResult> {
    const { refill, id } = this.#bucket(key, options)
    const units = refill.cost(cost)
    const [row] = await this.#database.query(this.#peek, [id, refill.unitsPerMs])
    return refill.answer(row === undefined ? 0 : within(refill, row.used), units)
  }

  async reset(key: string, options?: BucketOptions): Promise<void> {
    const { schema } = this.#database
    if (options !== undefined) {
      const { id } = this.#bucket(key, options)
      await this.#database.query(`DELETE FROM ${schema}.rate_limit WHERE key = $1::bytea`, [id])
      return
    }
    const first = digestOf(key)
    const last = Buffer.concat([first, Buffer.alloc(SHAPE_BYTES, 0xff)])
    const where = 'key >= $1::bytea AND key <= $2::bytea'
    await this.#database.query(`DELETE FROM ${schema}.rate_limit WHERE ${where}`, [first, last])
  }

  /**
   * Removes full buckets, which are the same as none. Happens by itself.
   *
   * @returns How many were removed.
   */
  async sweep(): Promise<number> {
    const { schema } = this.#database
    const statement = `DELETE FROM ${schema}.rate_limit WHERE key IN (
        SELECT key FROM ${schema}.rate_limit WHERE full_at <= (SELECT ${schema}.clock_ms()) * units_per_ms
        LIMIT $1::bigint FOR UPDATE SKIP LOCKED)
      RETURNING 1 AS gone`
    for (let removed = 0; ; ) {
      const { length } = await this.#database.query(statement, [SWEEP_ROWS])
      removed += length
      if (length < SWEEP_ROWS) return removed
    }
  }

  /** From now on, every call fails. The client stays open. */
  close(): void {
    this.#database.close()
  }

  #sweepSometimes(): void {
    const now = performance.now()
    if (now < this.#nextSweep) return
    this.#nextSweep = now + SWEEP_INTERVAL_MS * (0.5 + Math.random())
    // Nobody waits for it, and what it leaves is removed the next time.
    this.#sweepInTurn().catch(() => {})
  }

  /** Of all servers, one a minute looks at the whole table. */
  async #sweepInTurn(): Promise<void> {
    const { schema } = this.#database
    const turn = await this.#database.query(
      `UPDATE ${schema}.rate_limit_sweep SET swept_at = ${schema}.clock_ms() WHERE id IN (
         SELECT id FROM ${schema}.rate_limit_sweep WHERE abs(${schema}.clock_ms() - swept_at) >= $1::bigint
         FOR UPDATE SKIP LOCKED)
       RETURNING 1 AS mine`,
      [SWEEP_INTERVAL_MS],
    )
    if (turn.length > 0) await this.sweep()
  }

  #bucket(key: string, options: BucketOptions): Bucket {
    const { capacity, refillPerSecond } = options
    const name = `${capacity} ${refillPerSecond}`
    let shape = this.#shapes.get(name)
    if (shape === undefined) {
      const id = Buffer.alloc(SHAPE_BYTES)
      const refill = new Refill({ capacity, refillPerSecond })
      id.writeDoubleBE(capacity)
      id.writeDoubleBE(refillPerSecond, 8)
      shape = { refill, id }
      if (this.#shapes.size >= MAX_SHAPES) this.#shapes.clear()
      this.#shapes.set(name, shape)
    }
    return { refill: shape.refill, id: Buffer.concat([digestOf(key), shape.id]) }
  }
}

const SHAPE_BYTES = 16

/** Of fixed length, so that buckets of one key stand together, and of no other. Half a surrogate pair counts too. */
function digestOf(key: string): Buffer {
  requireString('key', key)
  return Buffer.from(hash('sha256', Buffer.from(key, 'utf16le'), 'hex'), 'hex')
}

function within({ capacity }: Refill, used: unknown): number {
  const units = Number(used ?? Number.NaN)
  // A bucket is never taken for full because something unreadable came.
  return Number.isNaN(units) ? capacity : Math.min(Math.max(units, 0), capacity)
}
