// A folder of identities:
//
//   identities.toml          names, scopes, notes; see metadata-file.ts
//   <id>.crt  <id>.key       the certificate with what is above it, and its private key; both PEM, mode 0600
//   <id>.former.crt          the certificates that it replaced, if it was renewed
//   deleted/                 the same files of identities that were deleted and can still be had back
//   .lock                    see folder-lock.ts
//
// A pair is two files, and no system moves two files at once. So the place of the certificate alone says what the state
// of an identity is: where there is no certificate there is no identity, and one is deleted when its certificate lies in
// `deleted/`. A new certificate comes after its key, one that is deleted goes before it, and a key is looked for in both
// places. Whatever moment a program is killed at, each identity is there, or deleted, and has its key.
//
// A folder that was there and is not any more, lock and all, was moved, or its disk was taken away. It is an error, and no
// wallet without identities.
//
// Invariant: no key is removed unless its identity was deleted before.

import type { KeyObject } from 'node:crypto'
import { lstat, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Certificate } from '../../certificate/certificate.ts'
import type { Passphrase } from '../../certificate/passphrase.ts'
import { formatPem } from '../../certificate/pem.ts'
import { encryptPrivateKey, exportPkcs8, loadPrivateKey } from '../../certificate/private-key.ts'
import { FileError, TlacacocaError } from '../../errors.ts'
import {
  codeOf,
  ensurePrivateDirectory,
  readFileBytes,
  reading,
  readTextFile,
  writeFileAtomic,
  writing,
} from '../../internal/atomic-file.ts'
import { writeFilesAtomic } from '../../internal/atomic-file-set.ts'
import { withLock } from './folder-lock.ts'
import {
  CERTIFICATE,
  DELETED,
  exposuresIn,
  FORMER,
  idsOf,
  isMissing,
  isSameListing,
  KEY,
  type Listing,
  listFiles,
  pathOf,
  readPairs,
} from './folder-pairs.ts'
import { formatMetadata, parseMetadata } from './metadata-file.ts'
import { type Metadata, NO_METADATA } from './notes.ts'
import type { SealedKey, StorageWriter, Stored, WalletStorage } from './wallet-storage.ts'

/** How a folder is opened. */
export interface FolderOptions {
  readonly passphrase: Passphrase | undefined
  readonly lockTimeoutMs: number
}

/** Keeps identities in a folder. */
export class WalletFolder implements WalletStorage, StorageWriter {
  readonly directory: string
  readonly #passphrase: Passphrase | undefined
  readonly #lockTimeoutMs: number
  /** Whether there was anything in it before. */
  #wasThere = false

  constructor(directory: string, options: FolderOptions) {
    this.directory = directory
    this.#passphrase = options.passphrase
    this.#lockTimeoutMs = options.lockTimeoutMs
  }

  async load(): Promise<Stored> {
    for (let attempt = 1; ; attempt++) {
      const isLast = attempt === MAX_ATTEMPTS
      const listing = await this.#list()
      try {
        const { pairs, problems } = await readPairs(this.directory, listing, isLast)
        const { metadata } = await this.#readMetadata()
        // Somebody may have moved files while they were read.
        if (!isLast && !isSameListing(listing, await listFiles(this.directory))) continue
        return { pairs, metadata, problems: [...problems, ...(await exposuresIn(this.directory, listing))] }
      } catch (error) {
        if (isLast || !isMissing(error)) throw error
      }
    }
  }

  async seal(key: KeyObject): Promise<SealedKey> {
    const passphrase = this.#passphrase
    const pem =
      passphrase === undefined
        ? formatPem('PRIVATE KEY', exportPkcs8(key))
        : await encryptPrivateKey(key, { passphrase })
    return { key, pem }
  }

  async readKey(id: string): Promise<KeyObject> {
    return loadPrivateKey(await this.#readKeyFile(id), this.#opener)
  }

  /**
   * Tries the passphrase on the keys that are there, until one opens.
   *
   * @throws {PrivateKeyError} KEY_PASSPHRASE_REQUIRED without one if a key is encrypted: a key that is made next would
   *   not be. KEY_PASSPHRASE_WRONG if it opens none.
   */
  async checkPassphrase(ids: Iterable<string>): Promise<void> {
    let refusal: unknown = null
    for (const id of ids) {
      try {
        const file = await this.#readKeyFile(id)
        if (!isEncrypted(file)) continue
        await loadPrivateKey(file, this.#opener)
        return
      } catch (error) {
        /* v8 ignore if -- @preserve only a fault of our own could be another error */
        if (!(error instanceof TlacacocaError)) throw error
        if (error.code === 'ERR_TLACACOCA_KEY_PASSPHRASE_REQUIRED') throw error
        // What else is wrong with a key, or its file, shows when it is to be used.
        if (error.code === 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG') refusal ??= error
      }
    }
    if (refusal !== null) throw refusal
  }

  async exclusively<T>(act: (writer: StorageWriter) => Promise<T>): Promise<T> {
    // Before a lock is made anew, in the place of the folder that has gone.
    await this.#list()
    return withLock(this.#lockPath, this.#lockTimeoutMs, () => act(this))
  }

  async addPair(id: string, certificates: readonly Certificate[], { pem }: SealedKey): Promise<void> {
    const files = [
      { path: this.#path(id, KEY), contents: pem, mode: FILE_MODE },
      { path: this.#path(id, CERTIFICATE), contents: pemOf(certificates), mode: FILE_MODE },
    ]
    await writeFilesAtomic(files, { overwrite: false })
  }

  async replaceCertificates(
    id: string,
    certificates: readonly Certificate[],
    former: readonly Certificate[],
  ): Promise<void> {
    // The former ones first: in between, the present one is there twice, and nothing is missing.
    await this.#write(this.#path(id, FORMER), pemOf(former))
    await this.#write(this.#path(id, CERTIFICATE), pemOf(certificates))
  }

  async moveAside(id: string): Promise<void> {
    const folder = join(this.directory, DELETED)
    await ensurePrivateDirectory(folder)
    // A link would take keys out of this folder, to where somebody else has put it.
    if (!(await writing(folder, () => lstat(folder))).isDirectory()) {
      throw new FileError('ERR_TLACACOCA_FILE_UNWRITABLE', folder, `${folder} is not a folder of its own`)
    }
    for (const kind of [CERTIFICATE, FORMER, KEY])
      await moveIfThere(this.#path(id, kind), this.#path(id, kind, DELETED))
  }

  async putBack(id: string): Promise<void> {
    for (const kind of [KEY, FORMER, CERTIFICATE])
      await moveIfThere(this.#path(id, kind, DELETED), this.#path(id, kind))
  }

  async remove(ids: Iterable<string>): Promise<readonly string[]> {
    const { live, deleted } = await listFiles(this.directory)
    // What a program that was killed in the middle of this has left.
    const halves = idsOf(deleted, CERTIFICATE).filter((id) => !live.has(`${id}${KEY}`) && !deleted.has(`${id}${KEY}`))
    const gone = [...new Set([...ids, ...halves])]
    for (const id of gone) await this.#remove(id)
    return gone
  }

  async changeMetadata(change: (metadata: Metadata) => Metadata): Promise<void> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const { metadata, text } = await this.#readMetadata()
      const changed = change(metadata)
      if (changed === metadata) return
      const written = await formatMetadata(changed)
      // What could not be read again would close the wallet for good.
      if (Buffer.byteLength(written) > MAX_METADATA_BYTES) throw tooLarge(this.#metadataPath)
      // The lock keeps programs out, and not somebody who saves the file in an editor.
      if ((await this.#readMetadata()).text !== text) continue
      return this.#write(this.#metadataPath, written)
    }
    const path = this.#metadataPath
    throw new FileError('ERR_TLACACOCA_FILE_UNWRITABLE', path, `${path} changes all the time`)
  }

  /** @throws {FileError} FILE_NOT_FOUND if all that was there has gone. */
  async #list(): Promise<Listing> {
    const listing = await listFiles(this.directory)
    const isEmpty = listing.live.size === 0 && listing.deleted.size === 0
    // Whoever removes the last identity leaves the lock.
    if (isEmpty && this.#wasThere && (await isGone(this.#lockPath))) {
      const message = `${this.directory} is gone, or is empty, and there were identities in it: was it moved?`
      throw new FileError('ERR_TLACACOCA_FILE_NOT_FOUND', this.directory, message)
    }
    if (!isEmpty) this.#wasThere = true
    return listing
  }

  get #lockPath(): string {
    return join(this.directory, '.lock')
  }

  get #metadataPath(): string {
    return join(this.directory, 'identities.toml')
  }

  get #opener(): { readonly passphrase?: Passphrase } {
    return this.#passphrase === undefined ? {} : { passphrase: this.#passphrase }
  }

  #path(id: string, kind: string, folder = ''): string {
    return pathOf(this.directory, id, kind, folder)
  }

  /** The key first, since it is what must not stay behind. */
  async #remove(id: string): Promise<void> {
    for (const kind of [KEY, FORMER, CERTIFICATE]) {
      for (const folder of ['', DELETED]) await removeIfThere(this.#path(id, kind, folder))
    }
  }

  async #write(path: string, text: string): Promise<void> {
    await writeFileAtomic(path, text, { mode: FILE_MODE, overwrite: true })
  }

  async #readKeyFile(id: string): Promise<Buffer> {
    try {
      return await readFileBytes(this.#path(id, KEY), { maxBytes: MAX_KEY_BYTES })
    } catch (error) {
      if (!isMissing(error)) throw error
      return readFileBytes(this.#path(id, KEY, DELETED), { maxBytes: MAX_KEY_BYTES })
    }
  }

  async #readMetadata(): Promise<{ readonly metadata: Metadata; readonly text: string | null }> {
    const path = this.#metadataPath
    try {
      const text = await readTextFile(path, { maxBytes: MAX_METADATA_BYTES })
      return { metadata: await parseMetadata(text, path), text }
    } catch (error) {
      if (!isMissing(error)) throw error
      return { metadata: NO_METADATA, text: null }
    }
  }
}

const FILE_MODE = 0o600
const MAX_ATTEMPTS = 10
// An RSA key of 16,384 bits has 13 kB.
const MAX_KEY_BYTES = 64 * 1024
const MAX_METADATA_BYTES = 8 * 1024 * 1024

function tooLarge(path: string): FileError {
  const message = `${path} would be larger than ${MAX_METADATA_BYTES} bytes; shorten the notes of identities`
  return new FileError('ERR_TLACACOCA_FILE_UNWRITABLE', path, message)
}

function pemOf(certificates: readonly Certificate[]): string {
  return certificates.map((each) => each.toPem()).join('')
}

function isEncrypted(key: Buffer): boolean {
  const text = key.toString('latin1')
  return text.includes('ENCRYPTED')
}

async function isGone(path: string): Promise<boolean> {
  return reading(path, async () => {
    try {
      await lstat(path)
      return false
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      return true
    }
  })
}

async function moveIfThere(from: string, to: string): Promise<void> {
  await unlessMissing(from, () => rename(from, to))
}

async function removeIfThere(path: string): Promise<void> {
  await unlessMissing(path, () => unlink(path))
}

async function unlessMissing(path: string, act: () => Promise<void>): Promise<void> {
  await writing(path, () =>
    act().catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error
    }),
  )
}
