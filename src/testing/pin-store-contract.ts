// The promises of `PinStore`, each as a check that a store can be put through. No test framework is needed: a check
// throws if the promise is broken.

import type { Awaitable, PinStore } from '../tofu/pin-store.ts'
import { PIN_STORE_PROMISES } from './pin-store-promises.ts'
import { type PromiseCheck, promiseChecks, runChecks } from './store-contract.ts'

/** Pins in some place that can be opened. */
export interface PinStoreFixture {
  /** Opens a store over these pins. If `reopens`, several can be open at once. */
  open(): Awaitable<PinStore>
  /** Whether a second `open` sees the same pins, as with a file or a database server. */
  readonly reopens: boolean
  /** Removes the pins. Every store has been closed by then. */
  remove?(): Awaitable<void>
}

/**
 * The checks of `PinStore`, one by one, to make a test of each.
 *
 * @param makeFixture - Makes an empty place for pins. Called once for every check.
 * @example
 * import { pinStorePromises } from 'tlacacoca/testing'
 * import { MemoryPinStore } from 'tlacacoca/tofu'
 *
 * for (const { name, check } of pinStorePromises(() => ({ open: () => new MemoryPinStore(), reopens: false }))) {
 *   await check()
 *   console.log(`kept: ${name}`)
 * }
 */
export function pinStorePromises(makeFixture: () => Awaitable<PinStoreFixture>): readonly PromiseCheck[] {
  return promiseChecks(PIN_STORE_PROMISES, makeFixture)
}

/**
 * Puts a store through every check.
 *
 * @throws {AggregateError} With one error for each broken promise, which names it.
 * @example
 * import { checkPinStore } from 'tlacacoca/testing'
 * import { MemoryPinStore } from 'tlacacoca/tofu'
 *
 * await checkPinStore(() => ({ open: () => new MemoryPinStore(), reopens: false }))
 */
export async function checkPinStore(makeFixture: () => Awaitable<PinStoreFixture>): Promise<void> {
  await runChecks(pinStorePromises(makeFixture))
}
