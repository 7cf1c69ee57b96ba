import { StoreError } from '../../errors.ts'
import type { SeenCredential } from './identity-store.ts'
import type { IdentityTables } from './identity-tables.ts'
import { touch } from './keeping.ts'
import { MemoryTables } from './memory-tables.ts'
import { TabularIdentityStore } from './tabular-identity-store.ts'

/**
 * Keeps users in memory, for as long as the process lives. It is synchronous, so every method is atomic by itself.
 *
 * @example
 * import { IdentityRegistry, MemoryIdentityStore } from 'tlacacoca/identity'
 *
 * const registry = new IdentityRegistry(new MemoryIdentityStore(), { origin: 'example.org:1965' })
 * console.log((await registry.resolve(null)).kind) // anonymous
 */
export class MemoryIdentityStore extends TabularIdentityStore {
  readonly #tables = new MemoryTables()
  #open = true

  /** @internal */
  protected override read<T>(work: (tables: IdentityTables) => T): T {
    return this.write(work)
  }

  /** @internal */
  protected override write<T>(work: (tables: IdentityTables) => T): T {
    if (!this.#open) throw new StoreError('ERR_TLACACOCA_STORE_CLOSED', 'the identity store has been closed')
    return work(this.#tables)
  }

  /** Notes that a user, and some of the credentials, were seen on a day. */
  override touch(userId: string, day: number, seen: readonly SeenCredential[]): void {
    this.write((tables) => touch(tables, { userId, day, seen }))
  }

  /** Forgets everything. */
  override close(): void {
    this.#open = false
  }
}
