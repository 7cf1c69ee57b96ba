import type { KeyObject } from 'node:crypto'
import type { Certificate } from '../../certificate/certificate.ts'
import { type Metadata, NO_METADATA } from './notes.ts'
import type { Pair } from './pair.ts'
import { notFound } from './wallet-state.ts'
import type { SealedKey, StorageWriter, Stored, WalletStorage } from './wallet-storage.ts'

/** Keeps identities for as long as the process lives. */
export class MemoryStorage implements WalletStorage, StorageWriter {
  readonly directory = null
  readonly #pairs = new Map<string, Pair>()
  readonly #keys = new Map<string, KeyObject>()
  readonly #temporary: boolean
  #metadata: Metadata = NO_METADATA

  /** @param temporary - Whether what it keeps is to be called temporary. */
  constructor(temporary: boolean) {
    this.#temporary = temporary
  }

  async load(): Promise<Stored> {
    return { pairs: new Map(this.#pairs), metadata: this.#metadata, problems: [] }
  }

  async seal(key: KeyObject): Promise<SealedKey> {
    return { key, pem: '' }
  }

  async readKey(id: string): Promise<KeyObject> {
    const key = this.#keys.get(id)
    if (key === undefined) throw notFound(id)
    return key
  }

  async exclusively<T>(act: (writer: StorageWriter) => Promise<T>): Promise<T> {
    return act(this)
  }

  async addPair(id: string, certificates: readonly Certificate[], { key }: SealedKey): Promise<void> {
    this.#keys.set(id, key)
    this.#put({ ...parts(certificates), id, former: [], deleted: false, temporary: this.#temporary })
  }

  async replaceCertificates(
    id: string,
    certificates: readonly Certificate[],
    former: readonly Certificate[],
  ): Promise<void> {
    this.#put({ ...this.#require(id), ...parts(certificates), former })
  }

  async moveAside(id: string): Promise<void> {
    this.#put({ ...this.#require(id), deleted: true })
  }

  async putBack(id: string): Promise<void> {
    this.#put({ ...this.#require(id), deleted: false })
  }

  async remove(ids: Iterable<string>): Promise<readonly string[]> {
    const gone = [...ids]
    for (const id of gone) {
      this.#pairs.delete(id)
      this.#keys.delete(id)
    }
    return gone
  }

  async changeMetadata(change: (metadata: Metadata) => Metadata): Promise<void> {
    this.#metadata = change(this.#metadata)
  }

  #put(pair: Pair): void {
    this.#pairs.set(pair.id, Object.freeze(pair))
  }

  #require(id: string): Pair {
    const pair = this.#pairs.get(id)
    if (pair === undefined) throw notFound(id)
    return pair
  }
}

/** A leaf and what is above it. */
export function parts(certificates: readonly Certificate[]): Pick<Pair, 'certificate' | 'chain'> {
  const [certificate, ...chain] = certificates
  if (certificate === undefined) throw new RangeError('"certificates" expected at least one')
  return { certificate, chain: Object.freeze(chain) }
}
