// The promises of `IssuedStore`, each as a check that a store can be put through. No test framework is needed: a check
// throws if the promise is broken.

import type { Awaitable, IssuedStore } from '../authority/issued-store.ts'
import { ISSUED_STORE_PROMISES } from './issued-store-promises.ts'
import type { PromiseCheck } from './pin-store-contract.ts'

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
  return Object.entries(ISSUED_STORE_PROMISES).map(([name, promise]) => ({
    name,
    async check() {
      const fixture = await makeFixture()
      const opened: IssuedStore[] = []
      const open = async (): Promise<IssuedStore> => {
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
 * import { MemoryIssuedStore } from 'tlacacoca/authority'
 * import { checkIssuedStore } from 'tlacacoca/testing'
 *
 * await checkIssuedStore(() => ({ open: () => new MemoryIssuedStore(), reopens: false }))
 */
export async function checkIssuedStore(makeFixture: () => Awaitable<IssuedStoreFixture>): Promise<void> {
  const broken: Error[] = []
  for (const { name, check } of issuedStorePromises(makeFixture)) {
    try {
      await check()
    } catch (cause) {
      broken.push(new Error(`broken promise: ${name}`, { cause }))
    }
  }
  if (broken.length > 0) throw new AggregateError(broken, broken.map((each) => each.message).join('\n'))
}
