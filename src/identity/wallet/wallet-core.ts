// What is behind a wallet: its storages, what was read from them, the keys that were opened, and the order of changes.
//
// What is read may be old: another program may have changed the folder since. So every change reads anew under the lock,
// looks at what it finds, and only then does anything. Questions are answered from memory.
//
// Invariant: nothing changes in memory that could not be stored; uses of identities are the exception, and may be lost.

import { type KeyObject, randomBytes } from 'node:crypto'
import type { Certificate } from '../../certificate/certificate.ts'
import type { Fingerprint } from '../../certificate/fingerprint.ts'
import { matchesCertificate } from '../../certificate/private-key.ts'
import { PrivateKeyError, StoreError, TlacacocaError } from '../../errors.ts'
import type { Clock } from '../../internal/clock.ts'
import type { Endpoint } from '../../names/endpoint.ts'
import { type Identity, identityOf } from './identity.ts'
import { MemoryStorage } from './memory-storage.ts'
import { type IdentityNotes, type Metadata, withNotes } from './notes.ts'
import type { Pair } from './pair.ts'
import { isRemarkable, type Use, Uses, withUses } from './uses.ts'
import { WalletState } from './wallet-state.ts'
import type { SealedKey, StorageWriter, Stored, WalletStorage } from './wallet-storage.ts'

export class WalletCore {
  readonly storage: WalletStorage
  readonly temporary: WalletStorage
  readonly clock: Clock
  readonly #stored = new Map<WalletStorage, Stored>()
  readonly #keys = new Map<string, OpenedKey>()
  readonly #uses = new Uses()
  #state: WalletState
  #latestUse: number
  #queue: Promise<unknown> = Promise.resolve()
  #open = true
  #closing: Promise<void> | null = null

  private constructor(storage: WalletStorage, stored: Stored, clock: Clock) {
    this.storage = storage
    this.temporary = new MemoryStorage(true)
    this.clock = clock
    this.#stored.set(storage, stored)
    this.#stored.set(this.temporary, NOTHING)
    this.#state = new WalletState(stored, NOTHING)
    this.#latestUse = this.#state.lastUse
  }

  static async start(storage: WalletStorage, clock: Clock): Promise<WalletCore> {
    return new WalletCore(storage, await storage.load(), clock)
  }

  get state(): WalletState {
    this.requireOpen()
    return this.#state
  }

  get now(): Date {
    return new Date(this.clock())
  }

  /** The present instant, later than any at which something was used: uses have an order, whatever the clock does. */
  stamp(): number {
    this.#latestUse = Math.max(this.clock(), this.#latestUse + 1)
    return this.#latestUse
  }

  identity(id: string): Identity {
    return identityOf(this.state.require(id), this.state.notes(id), this.now)
  }

  homeOf(id: string): WalletStorage {
    return this.state.pair(id)?.temporary === true ? this.temporary : this.storage
  }

  requireOpen(): void {
    if (!this.#open) throw new StoreError('ERR_TLACACOCA_STORE_CLOSED', 'the identity wallet has been closed')
  }

  /** Reads the folder anew. */
  async reload(): Promise<void> {
    await this.#inTurn(async () => {
      this.requireOpen()
      this.#take(this.storage, await this.storage.load())
    })
  }

  /** Makes a change, on its own among all programs. `state` is what is stored while `act` runs, and after. */
  async alter<T>(home: WalletStorage, act: (writer: StorageWriter) => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      this.requireOpen()
      return this.#alterNow(home, act)
    })
  }

  /** The same where an identity is kept by the time of its turn: one that was temporary may have been kept meanwhile. */
  async alterWhere(id: string, act: (writer: StorageWriter, home: WalletStorage) => Promise<void>): Promise<void> {
    await this.#inTurn(async () => {
      this.requireOpen()
      const home = this.homeOf(id)
      await this.#alterNow(home, (writer) => act(writer, home))
    })
  }

  /** Changes the notes of an identity that is there. */
  async changeNotes(id: string, change: (notes: IdentityNotes) => IdentityNotes): Promise<void> {
    await this.alterWhere(id, async (writer) => {
      this.state.require(id)
      await writer.changeMetadata((metadata) => withNotes(metadata, id, change))
    })
  }

  /** Adds identities and their notes, and notes something else along with them: all of it or nothing. */
  async add(
    home: WalletStorage,
    additions: readonly Addition[],
    writer: StorageWriter,
    also: (metadata: Metadata) => Metadata = (metadata) => metadata,
  ): Promise<void> {
    const added: string[] = []
    let stored: Stored
    try {
      for (const { id, certificates, former = [], sealed } of additions) {
        // Before it is written: a part of it may be there even if writing fails.
        added.push(id)
        await writer.addPair(id, certificates, sealed)
        if (former.length > 0) await writer.replaceCertificates(id, certificates, former)
      }
      // Read before the last step. If it were done and could not be read, it would be there and seem to have failed.
      const { pairs, problems } = await writer.load()
      let { metadata } = NOTHING
      await writer.changeMetadata((before) => {
        metadata = also(additions.reduce((result, { id, change }) => withNotes(result, id, change), before))
        return metadata
      })
      stored = { pairs, problems, metadata }
    } catch (error) {
      await writer.remove(added).catch(() => {})
      throw error
    }
    for (const { id, certificates, sealed } of additions) {
      const [certificate] = certificates
      if (certificate !== undefined)
        this.#keys.set(id, { of: certificate.publicKeyFingerprint, key: Promise.resolve(sealed.key) })
    }
    this.#take(home, stored)
  }

  /**
   * The private key of an identity, opened once.
   *
   * @throws {FileError} If it cannot be read.
   * @throws {PrivateKeyError} If it does not open, or is not that of the certificate.
   */
  async key({ id, certificate }: Pair): Promise<KeyObject> {
    const of = certificate.publicKeyFingerprint
    const known = this.#keys.get(id)
    if (known?.of === of) return known.key
    const key = this.#readKey(id, certificate)
    const opened = { of, key }
    this.#keys.set(id, opened)
    // The next one to ask tries again.
    key.catch(() => {
      if (this.#keys.get(id) === opened) this.#keys.delete(id)
    })
    return key
  }

  /** Notes a use. It counts at once; it is written now only if it is a remarkable one. */
  noteUse(use: Use): void {
    this.#uses.add(use)
    const stored = this.#stored.get(this.homeOf(use.id)) ?? NOTHING
    this.#compose()
    if (!isRemarkable(stored.metadata, use)) return
    void this.#inTurn(async () => {
      if (this.#open) await this.#writeUses()
    })
  }

  /** Forgets that an identity was used at a server, as far as that was not written yet. To be called in a change. */
  forgetUses(id: string, endpoint: Endpoint): void {
    this.#uses.forget(id, endpoint)
  }

  /** Writes what waits, does `last`, and forgets everything. */
  close(last: () => Promise<void>): Promise<void> {
    this.#closing ??= this.#close(last)
    return this.#closing
  }

  async #close(last: () => Promise<void>): Promise<void> {
    try {
      await this.#inTurn(async () => {
        await this.#writeUses()
        await last()
      })
    } finally {
      this.#open = false
      this.#keys.clear()
    }
  }

  /** A change as a part of `close`, or of one in the other storage. */
  async alterWithin(home: WalletStorage, act: (writer: StorageWriter) => Promise<void>): Promise<void> {
    await this.#alterNow(home, act)
  }

  async #alterNow<T>(home: WalletStorage, act: (writer: StorageWriter) => Promise<T>): Promise<T> {
    return home.exclusively(async (writer) => {
      this.#take(home, await writer.load())
      try {
        return await act(writer)
      } finally {
        await this.#takeAgain(home, writer)
      }
    })
  }

  /** What was done is done, also if it cannot be read again; the next change reads it anyway. */
  async #takeAgain(home: WalletStorage, writer: StorageWriter): Promise<void> {
    try {
      this.#take(home, await writer.load())
    } catch (error) {
      /* v8 ignore if -- @preserve only a fault of our own could be another error */
      if (!(error instanceof TlacacocaError)) throw error
    }
  }

  #take(home: WalletStorage, stored: Stored): void {
    this.#stored.set(home, stored)
    for (const id of this.#keys.keys()) {
      if (![...this.#stored.values()].some(({ pairs }) => pairs.has(id))) this.#keys.delete(id)
    }
    this.#compose()
  }

  #compose(): void {
    this.#state = new WalletState(this.#withUses(this.storage), this.#withUses(this.temporary))
    this.#latestUse = Math.max(this.#latestUse, this.#state.lastUse)
  }

  #withUses(home: WalletStorage): Stored {
    const stored = this.#stored.get(home) ?? NOTHING
    const uses = this.#uses.all.filter(({ id }) => stored.pairs.has(id))
    return uses.length === 0 ? stored : { ...stored, metadata: withUses(stored.metadata, uses) }
  }

  /** A use that cannot be written is lost, for whatever reason: that must not keep anybody from using an identity. */
  async #writeUses(): Promise<void> {
    for (const home of [this.storage, this.temporary]) {
      const pairs = this.#stored.get(home)?.pairs
      const uses = this.#uses.all.filter(({ id }) => pairs?.has(id))
      if (uses.length > 0) await this.#alterNow(home, (writer) => this.#writeUsesTo(writer, uses)).catch(() => {})
    }
  }

  async #writeUsesTo(writer: StorageWriter, uses: readonly Use[]): Promise<void> {
    await writer.changeMetadata((metadata) => withUses(metadata, uses))
    this.#uses.written(uses)
  }

  async #readKey(id: string, certificate: Certificate): Promise<KeyObject> {
    const key = await this.homeOf(id).readKey(id)
    if (matchesCertificate(key, certificate)) return key
    throw new PrivateKeyError('ERR_TLACACOCA_KEY_MISMATCH', `the private key of ${id} is not that of its certificate`)
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(act)
    this.#queue = turn.catch(() => {})
    return turn
  }
}

/** An identity to add, and what to note of it. */
export interface Addition {
  readonly id: string
  readonly certificates: readonly Certificate[]
  /** Those that it had before. Default: none. */
  readonly former?: readonly Certificate[]
  readonly sealed: SealedKey
  readonly change: (notes: IdentityNotes) => IdentityNotes
}

interface OpenedKey {
  /** Of which public key it is the private one. */
  readonly of: Fingerprint
  readonly key: Promise<KeyObject>
}

const NOTHING: Stored = { pairs: new Map(), metadata: { identities: new Map(), rest: {} }, problems: [] }

/** An id that no other identity has: 128 random bits. */
export function newId(): string {
  return randomBytes(16).toString('hex')
}
