// The promises of `IdentityStore`, each as a check that a store can be put through. No test framework is needed: a check
// throws if the promise is broken.

import type { Awaitable, IdentityStore } from '../identity/registry/identity-store.ts'
import { IDENTITY_STORE_PROMISES } from './identity-store-promises.ts'
import { type PromiseCheck, promiseChecks, runChecks } from './store-contract.ts'

/** Users in some place that can be opened. */
export interface IdentityStoreFixture {
  /** Opens a store over these users. If `reopens`, several can be open at once. */
  open(): Awaitable<IdentityStore>
  /** Whether a second `open` sees the same users, as with a file or a database server. */
  readonly reopens: boolean
  /** Removes the users. Every store has been closed by then. */
  remove?(): Awaitable<void>
}

/**
 * The checks of `IdentityStore`, one by one, to make a test of each.
 *
 * @param makeFixture - Makes an empty place for users. Called once for every check.
 * @example
 * import { MemoryIdentityStore } from 'tlacacoca/identity'
 * import { identityStorePromises } from 'tlacacoca/testing'
 *
 * for (const { name, check } of identityStorePromises(() => ({ open: () => new MemoryIdentityStore(), reopens: false }))) {
 *   await check()
 *   console.log(`kept: ${name}`)
 * }
 */
export function identityStorePromises(makeFixture: () => Awaitable<IdentityStoreFixture>): readonly PromiseCheck[] {
  return promiseChecks(IDENTITY_STORE_PROMISES, makeFixture)
}

/**
 * Puts a store through every check.
 *
 * @throws {AggregateError} With one error for each broken promise, which names it.
 * @example
 * import { MemoryIdentityStore } from 'tlacacoca/identity'
 * import { checkIdentityStore } from 'tlacacoca/testing'
 *
 * await checkIdentityStore(() => ({ open: () => new MemoryIdentityStore(), reopens: false }))
 */
export async function checkIdentityStore(makeFixture: () => Awaitable<IdentityStoreFixture>): Promise<void> {
  await runChecks(identityStorePromises(makeFixture))
}
