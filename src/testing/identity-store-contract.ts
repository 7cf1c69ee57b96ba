// The promises of `IdentityStore`, each as a check that a store can be put through. No test framework is needed: a check
// throws if the promise is broken.

import type { Awaitable, IdentityStore } from '../identity/registry/identity-store.ts'
import { IDENTITY_STORE_PROMISES } from './identity-store-promises.ts'
import type { PromiseCheck } from './pin-store-contract.ts'

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
  return Object.entries(IDENTITY_STORE_PROMISES).map(([name, promise]) => ({
    name,
    async check() {
      const fixture = await makeFixture()
      const opened: IdentityStore[] = []
      const open = async (): Promise<IdentityStore> => {
        const store = await fixture.open()
        opened.push(store)
        return store
      }
      try {
        await promise(await open(), fixture.reopens ? open : null)
      } finally {
        for (const store of opened) await store.close()
        await fixture.remove?.()
      }
    },
  }))
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
  const broken: Error[] = []
  for (const { name, check } of identityStorePromises(makeFixture)) {
    try {
      await check()
    } catch (cause) {
      broken.push(new Error(`broken promise: ${name}`, { cause }))
    }
  }
  if (broken.length > 0) throw new AggregateError(broken, broken.map((each) => each.message).join('\n'))
}
