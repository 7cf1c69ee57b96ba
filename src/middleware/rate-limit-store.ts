import type { BucketOptions, TokenBucketResult } from './refill.ts'

/**
 * Token buckets that are kept somewhere: in this process, or where several servers share them. Promises to implement:
 *
 * 1. A key and a bucket's options name one bucket, which is full until something is taken from it. Keys are compared
 *    whole, byte by byte, whatever is in them; a key with other options is another bucket.
 * 2. `consume` takes all of `cost` if the bucket has it, and nothing otherwise; `remaining` is what is left then, which
 *    may be rounded down to whole tokens. In any span of time it gives no more than the capacity and what comes back in it.
 * 3. `consume` is one step. However many ask at once, on however many servers, they get no more than one after another.
 * 4. A denial names the whole seconds after which the same would pass if nothing else were taken: no more than that, and
 *    no less. A cost above the capacity never passes, and its denial names no time.
 * 5. `peek` answers as `consume` would, with what there is now as `remaining`, and takes nothing.
 * 6. `reset` fills the bucket again; without options, all buckets of the key.
 * 7. The time is the store's own. If its clock is set back, that gives nobody a token.
 * 8. A store that cannot answer throws or rejects. So it does for a key that is no text, and for options or a cost that
 *    are no numbers above 0. It never answers as if the bucket were full.
 *
 * A store with little room may forget buckets, those first that are nearest to full; it says so.
 */
export interface RateLimitStore {
  /** Takes tokens from a bucket, if it has so many. */
  consume(key: string, bucket: BucketOptions, cost: number): TokenBucketResult | Promise<TokenBucketResult>
  /** Says what `consume` would, and takes nothing. */
  peek(key: string, bucket: BucketOptions, cost: number): TokenBucketResult | Promise<TokenBucketResult>
  /** Fills a bucket; without options, all of a key. */
  reset(key: string, bucket?: BucketOptions): void | Promise<void>
}
