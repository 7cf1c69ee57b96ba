// The promises of `RateLimitStore`, each as a check that a store can be put through. No test framework is needed: a
// check throws if the promise is broken.

import type { RateLimitStore } from '../middleware/rate-limit-store.ts'
import type { Awaitable } from '../tofu/pin-store.ts'
import { type ContractStore, RATE_LIMIT_STORE_PROMISES } from './rate-limit-store-promises.ts'
import { type PromiseCheck, promiseChecks, runChecks } from './store-contract.ts'

/** Buckets in some place that can be opened. */
export interface RateLimitStoreFixture {
  /** Opens a store over these buckets. If `reopens`, several can be open at once. */
  open(): Awaitable<RateLimitStore>
  /** Whether a second `open` sees the same buckets, as with a database server. */
  readonly reopens: boolean
  /**
   * Moves the clock of the store by so many milliseconds, back if they are negative. Without it, what has to do with
   * time is checked only as far as it shows without waiting.
   */
  advance?(ms: number): Awaitable<void>
  /** Closes the stores and removes the buckets. */
  remove?(): Awaitable<void>
}

/**
 * The checks of `RateLimitStore`, one by one, to make a test of each.
 *
 * @param makeFixture - Makes an empty place for buckets. Called once for every check.
 * @example
 * import { MemoryRateLimitStore } from 'tlacacoca/middleware'
 * import { rateLimitStorePromises } from 'tlacacoca/testing'
 *
 * for (const { name, check } of rateLimitStorePromises(() => ({ open: () => new MemoryRateLimitStore(), reopens: false }))) {
 *   await check()
 *   console.log(`kept: ${name}`)
 * }
 */
export function rateLimitStorePromises(makeFixture: () => Awaitable<RateLimitStoreFixture>): readonly PromiseCheck[] {
  return promiseChecks(RATE_LIMIT_STORE_PROMISES, async () => {
    const fixture = await makeFixture()
    const open = async (): Promise<ContractStore> => ({
      store: await fixture.open(),
      advance: fixture.advance === undefined ? null : async (ms) => fixture.advance?.(ms),
      close() {},
    })
    return { open, reopens: fixture.reopens, remove: async () => fixture.remove?.() }
  })
}

/**
 * Puts a store through every check.
 *
 * @throws {AggregateError} With one error for each broken promise, which names it.
 * @example
 * import { MemoryRateLimitStore } from 'tlacacoca/middleware'
 * import { checkRateLimitStore, fixedClock } from 'tlacacoca/testing'
 *
 * await checkRateLimitStore(() => {
 *   const clock = fixedClock(new Date())
 *   return { open: () => new MemoryRateLimitStore({ clock }), reopens: false, advance: (ms) => clock.advance(ms) }
 * })
 */
export async function checkRateLimitStore(makeFixture: () => Awaitable<RateLimitStoreFixture>): Promise<void> {
  await runChecks(rateLimitStorePromises(makeFixture))
}
