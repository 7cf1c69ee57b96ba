import { randomFillSync } from 'node:crypto'
import { requireInteger, requireOptions, requireString } from '../internal/arguments.ts'
import type { Clock } from '../internal/clock.ts'
import { BucketTable, MAX_KEYS } from './bucket-table.ts'
import { hashText } from './half-sip-hash.ts'
import type { RateLimitStore } from './rate-limit-store.ts'
import { type BucketOptions, Refill, type TokenBucketResult } from './refill.ts'
import { monotonicClock, SteadyTime } from './steady-time.ts'

/** How much a store in memory can hold. */
export interface MemoryRateLimitStoreOptions {
  /**
   * For how many keys there is memory, 16 bytes each, for each pair of capacity and rate; taken when such a bucket is
   * first used. Rounded up to a multiple of 8. Default 65,536, which is 1 MB.
   */
  readonly maxKeys?: number
  /** With how many pairs of capacity and rate it can be used; with one more it throws. Default 16. */
  readonly maxShapes?: number
  /** Milliseconds that go forward; only differences count. Default: the process's monotonic clock. */
  readonly clock?: Clock
}

/** The buckets of one capacity and rate. */
interface Shape {
  readonly refill: Refill
  readonly table: BucketTable
}

/**
 * A {@link RateLimitStore} in the memory of this process, of a size that never grows. It answers at once.
 *
 * A key is kept as 64 bits of a hash with a secret of the store's own, so two keys are taken for one with a probability
 * of one in 2^64, and nobody can bring that about. Where `maxKeys` are short of tokens at once, those nearest to full
 * are forgotten.
 *
 * @throws {RangeError} If a number is out of its range.
 * @example
 * import { MemoryRateLimitStore } from 'tlacacoca/middleware'
 *
 * const store = new MemoryRateLimitStore()
 * const logins = { capacity: 5, refillPerSecond: 1 / 60 }
 * console.log(store.consume('login:alice', logins, 1)) // { allowed: true, remaining: 4 }
 */
export class MemoryRateLimitStore implements RateLimitStore {
  readonly #maxKeys: number
  readonly #maxShapes: number
  readonly #time: SteadyTime
  readonly #seed = randomFillSync(new Int32Array(2))
  /** By capacity, then by rate. */
  readonly #shapes = new Map<number, Map<number, Shape>>()
  #shapeCount = 0

  constructor(options: MemoryRateLimitStoreOptions = {}) {
    requireOptions('options', options, ['maxKeys', 'maxShapes', 'clock'])
    const { maxKeys = 65_536, maxShapes = 16, clock = monotonicClock } = options
    requireInteger('maxKeys', maxKeys, 1, MAX_KEYS)
    requireInteger('maxShapes', maxShapes, 1, 4096)
    this.#maxKeys = maxKeys
    this.#maxShapes = maxShapes
    this.#time = new SteadyTime(clock)
  }

  /**
   * @throws {RangeError} If the options or the cost are no bucket's, or there are more than `maxShapes` pairs of them.
   */
  consume(key: string, bucket: BucketOptions, cost: number): TokenBucketResult {
    const [k0, k1] = this.#hash(key)
    const { refill, table } = this.#shapeOf(bucket)
    const units = refill.cost(cost)
    if (units > refill.capacity) return this.peek(key, bucket, cost)
    const missing = table.take(
      table.setOf(k0, k1),
      k0,
      k1,
      1,
      units,
      refill.capacity,
      this.#time.now() * refill.unitsPerMs,
    )
    if (missing > 0) return refill.answer(missing + refill.capacity - units, units)
    return { allowed: true, remaining: refill.tokensLeft(missing + refill.capacity) }
  }

  peek(key: string, bucket: BucketOptions, cost: number): TokenBucketResult {
    const [k0, k1] = this.#hash(key)
    const { refill, table } = this.#shapeOf(bucket)
    const units = refill.cost(cost)
    return refill.answer(
      Math.max(0, table.fullAt(table.setOf(k0, k1), k0, k1, 1) - this.#time.now() * refill.unitsPerMs),
      units,
    )
  }

  reset(key: string, bucket?: BucketOptions): void {
    const [k0, k1] = this.#hash(key)
    const shapes = bucket === undefined ? this.#allShapes() : [this.#shapeOf(bucket)]
    for (const { table } of shapes) table.reset(table.setOf(k0, k1), k0, k1, 1)
  }

  /** How many buckets have less than all their tokens. Looks at every one. */
  get size(): number {
    const now = this.#time.now()
    let size = 0
    for (const { refill, table } of this.#allShapes()) size += table.countUsed(now * refill.unitsPerMs)
    return size
  }

  /** How many buckets were forgotten while they lacked tokens. */
  get forgotten(): number {
    let count = 0
    for (const { table } of this.#allShapes()) count += table.forgotten
    return count
  }

  /** How much memory the buckets take, in bytes. */
  get byteLength(): number {
    let bytes = 0
    for (const { table } of this.#allShapes()) bytes += table.byteLength
    return bytes
  }

  #hash(key: string): readonly [number, number] {
    requireString('key', key)
    hashText(this.#seed, key, HASH)
    return [HASH[0] as number, HASH[1] as number]
  }

  #shapeOf(bucket: BucketOptions): Shape {
    const { capacity, refillPerSecond } = bucket
    const known = this.#shapes.get(capacity)?.get(refillPerSecond)
    if (known !== undefined) return known
    const refill = new Refill({ capacity, refillPerSecond })
    if (this.#shapeCount >= this.#maxShapes) {
      throw new RangeError(`the store has memory for ${this.#maxShapes} pairs of capacity and rate ("maxShapes")`)
    }
    const shape = { refill, table: new BucketTable(this.#maxKeys) }
    const rates = this.#shapes.get(capacity) ?? new Map<number, Shape>()
    this.#shapes.set(capacity, rates.set(refillPerSecond, shape))
    this.#shapeCount++
    return shape
  }

  *#allShapes(): Generator<Shape> {
    for (const rates of this.#shapes.values()) yield* rates.values()
  }
}

const HASH = new Int32Array(2)
