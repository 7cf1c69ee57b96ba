import { StoreError } from '../errors.ts'
import { requireFunction, requireInteger, requireOptions, requireString, show } from '../internal/arguments.ts'
import { MemoryRateLimitStore } from '../middleware/memory-rate-limit-store.ts'
import type { RateLimitStore } from '../middleware/rate-limit-store.ts'
import { type BucketOptions, Refill, type TokenBucketResult } from '../middleware/refill.ts'
import { BUCKET_SCRIPT } from './bucket-script.ts'
import { commandOf, type RedisClient, type RedisCommand } from './client.ts'
import { ENGINE_OPTIONS, Engine, type EngineCounters, type EngineOptions } from './engine.ts'
import { type FleetSecret, KeyHash } from './key-hash.ts'

/** What a {@link RedisRateLimitStore} takes besides a client. */
export interface RedisRateLimitStoreOptions extends EngineOptions {
  /**
   * How many processes share the limits. While Redis is away each of them gives this part of every limit, and one token
   * at least. A whole number.
   */
  readonly fleetSize: number
  /**
   * Who answers while Redis is away. Default: a `MemoryRateLimitStore` of this process for up to 64 pairs of capacity and
   * rate. Null for nobody: then requests fail, and a limiter denies them.
   */
  readonly local?: RateLimitStore | null
  /**
   * Under which the keys of limits are hashed (HMAC-SHA256), 16 bytes or more and the same on all servers. Without one they
   * are hashed all the same, but whoever can read Redis can find out the addresses by trying all there are.
   */
  readonly secret?: FleetSecret
  /** What the keys in Redis begin with. Default `tlacacoca:limit:`. */
  readonly prefix?: string
}

/** What was asked until now, for monitoring. */
export interface RedisRateLimitCounters extends EngineCounters {
  /** Requests that were answered without Redis. */
  readonly local: number
}

type Method = 'consume' | 'peek'

/** A capacity and a rate, in all the forms in which they are needed. */
interface Shape {
  readonly refill: Refill
  /** As the script is told them. */
  readonly capacity: string
  readonly unitsPerMs: string
  /** The field of the key's hash. */
  readonly field: string
  /** What this process gives while Redis is away. */
  readonly local: BucketOptions
}

/**
 * A {@link RateLimitStore} in Redis or Valkey (version 6 or later), for servers that share their limits. Each call is one
 * script on one key, so it is atomic, and a cluster will do. The time is that of Redis. Keys expire when they are worth
 * nothing, and hold no address.
 *
 * When Redis fails, or takes longer than `timeoutMs`, the request is answered by this process alone, with the limit
 * divided by `fleetSize`, and so are all that come after it, at once, until Redis answers again; it is asked once every
 * `retryMs`. What the local buckets gave is not told to Redis. So in any span of time, whatever happens to Redis, a client
 * gets at most twice what the limit allows in it, and `fleetSize` tokens because parts are rounded up. If Redis forgets
 * (a fail-over, `FLUSHALL`), those whose buckets it forgot get what they had used once more.
 *
 * A request that costs more than the local part ever holds is denied meanwhile, with `retryMs` as its time.
 *
 * @throws {RangeError} If a number is out of its range, or the secret too short.
 * @example
 * import { RateLimiter } from 'tlacacoca/middleware'
 * import { type RedisClient, RedisRateLimitStore } from 'tlacacoca/redis'
 *
 * // `client` is what the package `redis`, `ioredis` or `iovalkey` gave you.
 * export function limiterFor(client: RedisClient, secret: string) {
 *   const store = new RedisRateLimitStore(client, {
 *     fleetSize: 4,
 *     secret,
 *     onEvent: (event) => console.log(`Redis: ${event.kind}`),
 *   })
 *   return new RateLimiter({ capacity: 20, refillPerSecond: 2, store })
 * }
 */
export class RedisRateLimitStore implements RateLimitStore {
  readonly #command: RedisCommand
  readonly #engine: Engine
  readonly #hash: KeyHash
  readonly #prefix: string
  readonly #fleetSize: number
  readonly #local: RateLimitStore | null
  /** By capacity, then by rate: a text of both would take longer to make than to look up. */
  readonly #shapes = new Map<number, Map<number, Shape>>()
  #shapeCount = 0
  #answeredLocally = 0

  constructor(client: RedisClient, options: RedisRateLimitStoreOptions) {
    requireOptions('options', options, ['fleetSize', 'local', 'secret', 'prefix', ...ENGINE_OPTIONS])
    const {
      fleetSize,
      local = new MemoryRateLimitStore({ maxShapes: 64 }),
      secret,
      prefix = 'tlacacoca:limit:',
    } = options
    requireInteger('fleetSize', fleetSize, 1, 1e6)
    requireString('prefix', prefix)
    // It is asked only when Redis is away, which is late to find a mistake.
    for (const method of local === null ? [] : (['consume', 'peek', 'reset'] as const)) {
      requireFunction(`local.${method}`, local?.[method])
    }
    this.#command = commandOf(client)
    this.#engine = new Engine(options)
    this.#hash = new KeyHash(secret)
    this.#prefix = prefix
    this.#fleetSize = fleetSize
    this.#local = local
  }

  /**
   * @throws {RangeError} If the options or the cost are no bucket's.
   * @returns A promise, which rejects with a `StoreError` `ERR_TLACACOCA_STORE_FAILED` if Redis is away and `local` is null.
   */
  consume(key: string, bucket: BucketOptions, cost: number): Promise<TokenBucketResult> {
    return this.#answer('consume', key, bucket, cost)
  }

  peek(key: string, bucket: BucketOptions, cost: number): Promise<TokenBucketResult> {
    return this.#answer('peek', key, bucket, cost)
  }

  /**
   * @throws {StoreError} `ERR_TLACACOCA_STORE_FAILED` if Redis cannot be told. What this process gives while Redis is
   *   away is filled again in any case.
   */
  async reset(key: string, bucket?: BucketOptions): Promise<void> {
    const name = this.keyOf(key)
    const shape = bucket === undefined ? undefined : this.#shapeOf(bucket)
    await this.#local?.reset(key, shape?.local)
    const command = shape === undefined ? ['DEL', name] : ['HDEL', name, shape.field]
    await this.#engine.ask(() => this.#command(command, name), unread)
  }

  /** The key in Redis that has the buckets of a limit's key, such as `rate_limit:address:192.0.2.1`. */
  keyOf(key: string): string {
    requireString('key', key)
    return this.#prefix + this.#hash.of(key)
  }

  /** Whether Redis is asked; false while it is away. */
  get isUp(): boolean {
    return this.#engine.isUp
  }

  /** What it has done until now, for monitoring. */
  get counters(): RedisRateLimitCounters {
    return { ...this.#engine.counters, local: this.#answeredLocally }
  }

  #answer(method: Method, key: string, bucket: BucketOptions, cost: number): Promise<TokenBucketResult> {
    const shape = this.#shapeOf(bucket)
    const { refill } = shape
    const units = refill.cost(cost)
    const name = this.keyOf(key)
    const question = (cost: number, mode: '0' | '1') => (): Promise<unknown> =>
      BUCKET_SCRIPT.run(this.#command, name, [shape.field, shape.capacity, String(cost), shape.unitsPerMs, mode])
    if (!this.#engine.isUp) {
      // This request is decided here, and must not take a token there as well. So nothing is taken, which is a write all
      // the same: a replica, or a Redis that has no memory left, can be read and is of no use.
      this.#engine.probe(question(0, '1'), (answer) => unitsOf(answer, refill.capacity))
      if (this.#local !== null) return this.#locally(this.#local, method, key, shape, cost)
      return Promise.reject(new StoreError('ERR_TLACACOCA_STORE_FAILED', 'Redis is away'))
    }
    const mode = method === 'consume' ? '1' : '0'
    const asked = this.#engine.ask(question(units, mode), (answer) => {
      const used = unitsOf(answer, refill.capacity)
      const taken = method === 'consume' && used + units <= refill.capacity
      return taken
        ? ({ allowed: true, remaining: refill.tokensLeft(used + units) } as const)
        : refill.answer(used, units)
    })
    const local = this.#local
    return local === null ? asked : asked.catch(() => this.#locally(local, method, key, shape, cost))
  }

  async #locally(
    store: RateLimitStore,
    method: Method,
    key: string,
    { refill, local }: Shape,
    cost: number,
  ): Promise<TokenBucketResult> {
    this.#answeredLocally++
    if (cost <= local.capacity) return store[method](key, local, cost)
    const { remaining } = await store.peek(key, local, cost)
    if (refill.cost(cost) > refill.capacity) return { allowed: false, remaining }
    return { allowed: false, remaining, retryAfterSeconds: Math.ceil(this.#engine.retryMs / 1000) }
  }

  #shapeOf(bucket: BucketOptions): Shape {
    const { capacity, refillPerSecond } = bucket
    const known = this.#shapes.get(capacity)?.get(refillPerSecond)
    if (known !== undefined) return known
    const shape = shapeOf(capacity, refillPerSecond, this.#fleetSize)
    // Nothing is lost by forgetting them, and whoever makes up limits as he goes along must not fill the memory.
    if (this.#shapeCount === MAX_SHAPES) {
      this.#shapes.clear()
      this.#shapeCount = 0
    }
    this.#shapeCount++
    const others = this.#shapes.get(capacity) ?? new Map<number, Shape>()
    this.#shapes.set(capacity, others.set(refillPerSecond, shape))
    return shape
  }
}

const MAX_SHAPES = 1024

function shapeOf(capacity: number, refillPerSecond: number, fleetSize: number): Shape {
  const refill = new Refill({ capacity, refillPerSecond })
  return {
    refill,
    capacity: String(refill.capacity),
    unitsPerMs: String(refill.unitsPerMs),
    field: `${capacity}/${refillPerSecond}`,
    local: { capacity: Math.ceil(capacity / fleetSize), refillPerSecond: refillPerSecond / fleetSize },
  }
}

function unread(): void {}

/** Clients give whole numbers as they were told to: as numbers, bigints, texts or bytes. */
function unitsOf(answer: unknown, capacity: number): number {
  const units = typeof answer === 'number' ? answer : numberOf(answer)
  if (Number.isSafeInteger(units) && units >= 0 && units <= capacity) return units
  throw new StoreError('ERR_TLACACOCA_STORE_FAILED', `Redis answered ${show(answer)} instead of a number of units`)
}

function numberOf(answer: unknown): number {
  if (typeof answer === 'bigint') return Number(answer)
  const text = answer instanceof Uint8Array ? Buffer.from(answer).toString('latin1') : answer
  // By the digits: `Number` would make an empty text 0, which is a full bucket.
  return typeof text === 'string' && /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
}
