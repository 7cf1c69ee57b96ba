// Where a wallet keeps identities, as the wallet sees it: a folder, or memory.

import type { KeyObject } from 'node:crypto'
import type { Certificate } from '../../certificate/certificate.ts'
import type { Metadata } from './notes.ts'
import type { Pair, WalletProblem } from './pair.ts'

/** Everything but the keys. */
export interface Stored {
  readonly pairs: ReadonlyMap<string, Pair>
  readonly metadata: Metadata
  readonly problems: readonly WalletProblem[]
}

/** A key, and what of it is stored. */
export interface SealedKey {
  readonly key: KeyObject
  /** PEM, encrypted if the wallet has a passphrase. Memory needs none. */
  readonly pem: string
}

export interface WalletStorage {
  /** Null for memory. */
  readonly directory: string | null
  load(): Promise<Stored>
  /** Makes a key ready to be stored, which takes a while if it is to be encrypted. */
  seal(key: KeyObject): Promise<SealedKey>
  /** The private key of a pair, opened. */
  readKey(id: string): Promise<KeyObject>
  /** Runs alone among all programs that use the storage. */
  exclusively<T>(act: (writer: StorageWriter) => Promise<T>): Promise<T>
}

/** What may be done while nobody else does anything. */
export interface StorageWriter {
  load(): Promise<Stored>
  /** Adds a pair, both parts or none. */
  addPair(id: string, certificates: readonly Certificate[], sealed: SealedKey): Promise<void>
  /** Puts other certificates in the place of those of a pair, in one step. */
  replaceCertificates(id: string, certificates: readonly Certificate[], former: readonly Certificate[]): Promise<void>
  /** Moves a pair aside, in one step. */
  moveAside(id: string): Promise<void>
  putBack(id: string): Promise<void>
  /** Removes pairs for good, wherever they are, and says which are gone. */
  remove(ids: Iterable<string>): Promise<readonly string[]>
  /**
   * Changes the metadata as it is now, which may be otherwise than it was when it was loaded. `change` may be called
   * several times.
   */
  changeMetadata(change: (metadata: Metadata) => Metadata): Promise<void>
}
