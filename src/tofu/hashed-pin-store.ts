// Pins whose subjects are kept as hashes. Questions and answers about one subject carry its real name; what goes through
// all of them (`list`, `scan`) knows the hashes alone.

import type { Fingerprint } from '../certificate/fingerprint.ts'
import { hashedUpdate, NameHasher } from './hashed-names.ts'
import { HashedStage } from './hashed-stage.ts'
import type { Pin, PinChange } from './pin.ts'
import type {
  Awaitable,
  ClearedPins,
  PinListing,
  PinPurge,
  PinStage,
  PinStore,
  PinUpdate,
  PurgedPins,
  SeenMaterial,
} from './pin-store.ts'

/**
 * Keeps pins in another store under hashes of their hosts' names: `<52 letters and digits>.hashed.invalid:1965`. This is
 * what `TofuStore.open({ hashNames: true })` puts before its file.
 *
 * `read`, `history` and the like take and give real names; `list` and `scan` give hashes. A hash that these gave can be
 * asked for like a name.
 *
 * @example
 * import { randomBytes } from 'node:crypto'
 * import { HashedPinStore, MemoryPinStore, TofuStore } from 'tlacacoca/tofu'
 *
 * const pins = new MemoryPinStore()
 * const known = new TofuStore(new HashedPinStore(pins, randomBytes(32)))
 * console.log(await known.listHosts(), pins.list())
 */
export class HashedPinStore implements PinStore {
  readonly hashesNames = true
  /** There only if the store below has one. */
  readonly stage?: () => Promise<PinStage>
  readonly #pins: PinStore
  readonly #names: NameHasher

  /**
   * @param pins - Where the hashes are kept. Closing this store closes it.
   * @param key - 32 random bytes, always the same for the same pins.
   */
  constructor(pins: PinStore, key: Uint8Array) {
    this.#pins = pins
    this.#names = new NameHasher(key)
    const { stage } = pins
    if (stage !== undefined) this.stage = async () => new HashedStage(await stage.call(pins), this.#names)
  }

  lastSeen(subject: string, digest: Fingerprint): Awaitable<number | undefined> {
    return this.#pins.lastSeen(this.#names.subject(subject), digest)
  }

  async read(subject: string): Promise<readonly Pin[]> {
    return (await this.#pins.read(this.#names.subject(subject))).map((pin) => ({ ...pin, subject }))
  }

  update(update: PinUpdate): Awaitable<boolean> {
    return this.#pins.update(hashedUpdate(update, this.#names))
  }

  seen(subject: string, digest: Fingerprint, at: number, material?: SeenMaterial): Awaitable<void> {
    return this.#pins.seen(this.#names.subject(subject), digest, at, material)
  }

  /**
   * @param listing.prefix - A whole host and its colon, such as `example.org:`, with or without the beginning of a port.
   * @param listing.after - A subject that a list gave.
   * @throws {StoreError} `STORE_HASHED` for any other prefix.
   */
  list(listing: PinListing = {}): Awaitable<readonly Pin[]> {
    const { prefix } = listing
    return this.#pins.list(prefix === undefined ? listing : { ...listing, prefix: this.#names.prefix(prefix) })
  }

  scan(): AsyncIterable<readonly Pin[]> {
    return this.#pins.scan()
  }

  async history(subject: string): Promise<readonly PinChange[]> {
    return (await this.#pins.history(this.#names.subject(subject))).map((line) => ({ ...line, subject }))
  }

  version(): Awaitable<number> {
    return this.#pins.version()
  }

  clear(at: Date): Awaitable<ClearedPins> {
    return this.#pins.clear(at)
  }

  purge(purge: PinPurge): Awaitable<PurgedPins> {
    return this.#pins.purge(purge)
  }

  publicKey(keyDigest: Fingerprint): Awaitable<Uint8Array | undefined> {
    return this.#pins.publicKey(keyDigest)
  }

  sha512(digest: Fingerprint): Awaitable<Fingerprint | undefined> {
    return this.#pins.sha512(digest)
  }

  close(): Awaitable<void> {
    return this.#pins.close()
  }
}
