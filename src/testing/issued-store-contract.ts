// The promises of `IssuedStore`, each as a check that a store can be put through. No test framework is needed: a check
// throws if the promise is broken.

import type { Awaitable, IssuedStore } from '../authority/issued-store.ts'
import { ISSUED_STORE_PROMISES } from './issued-store-promises.ts'
import { type PromiseCheck, promiseChecks, runChecks } from './store-contract.ts'

/** Issued certificates in some place that can be opened. */
export interface IssuedStoreFixture {
  /** Opens a store over these certificates. If `reopens`, several can be open at once. */
  open(): Awaitable<IssuedStore>
  /** Whether a second `open` sees the same certificates, as with a file or a database server. */
  readonly reopens: boolean
  /** Removes the certificates. Every store has been closed by then. */
  remove?(): Awaitable<void>
}

/**
 * The checks of `IssuedStore`, one by one, to make a test of each.
 *
 * @param makeFixture - Makes an empty place for certificates. Called once for every check.
 * @example
 * import { MemoryIssuedStore } from 'tlacacoca/authority'
 * import { issuedStorePromises } from 'tlacacoca/testing'
 *
 * for (const { name, check } of issuedStorePromises(() => ({ open: () => new MemoryIssuedStore(), reopens: false }))) {
 *   await check()
 *   console.log(`kept: ${name}`)
 * }
 */
export function issuedStorePromises(makeFixture: () => Awaitable<IssuedStoreFixture>): readonly PromiseCheck[] {
  return promiseChecks(ISSUED_STORE_PROMISES, makeFixture)
}

/**
 * Puts a store through every check.
 *
 * @throws {AggregateError} With one error for each broken promise, which names it.
 * @example
 * import { MemoryIssuedStore } from 'tlacacoca/authority'
 * import { checkIssuedStore } from 'tlacacoca/testing'
 *
 * await checkIssuedStore(() => ({ open: () => new MemoryIssuedStore(), reopens: false }))
 */
export async function checkIssuedStore(makeFixture: () => Awaitable<IssuedStoreFixture>): Promise<void> {
  await runChecks(issuedStorePromises(makeFixture))
}
