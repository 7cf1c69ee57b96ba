// How the promises of a store are checked, whatever it keeps. No test framework is needed: a check throws if the promise
// is broken.

import type { Awaitable } from '../tofu/pin-store.ts'

/** One promise of an interface, and how to check it. */
export interface PromiseCheck {
  /** The number of the promise in the interface's comment, and what is checked of it. */
  readonly name: string
  /** Throws if the promise is broken. */
  check(): Promise<void>
}

/** @internal Some place that can be opened. */
export interface StoreFixture<Store> {
  open(): Awaitable<Store>
  readonly reopens: boolean
  remove?(): Awaitable<void>
}

/** @internal The checks, each over an empty place of its own; `reopen` is null where there cannot be a second store. */
export function promiseChecks<Store extends { close(): unknown }>(
  promises: Readonly<Record<string, (store: Store, reopen: (() => Promise<Store>) | null) => Promise<void>>>,
  makeFixture: () => Awaitable<StoreFixture<Store>>,
): readonly PromiseCheck[] {
  return Object.entries(promises).map(([name, promise]) => ({
    name,
    async check() {
      const fixture = await makeFixture()
      const opened: Store[] = []
      const open = async (): Promise<Store> => {
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

/** @internal Makes every check. @throws {AggregateError} With one error for each broken promise, which names it. */
export async function runChecks(checks: readonly PromiseCheck[]): Promise<void> {
  const broken: Error[] = []
  for (const { name, check } of checks) {
    try {
      await check()
    } catch (cause) {
      broken.push(new Error(`broken promise: ${name}`, { cause }))
    }
  }
  if (broken.length > 0) throw new AggregateError(broken, broken.map((each) => each.message).join('\n'))
}
