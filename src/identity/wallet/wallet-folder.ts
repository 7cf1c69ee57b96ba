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
// `deleted/`. A certificate comes after its key and goes before it, and a key is looked for in both places. Whatever
// moment a program is killed at, each identity is there, or deleted, with its key.
//
// Invariant: no file with a key is removed unless the identity was deleted before.

import type { KeyObject } from 'node:crypto'
import { readdir, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { Certificate } from '../../certificate/certificate.ts'
import { isOpenToOthers } from '../../certificate/file-permissions.ts'
import { parseCertificates } from '../../certificate/load.ts'
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
import { parts } from './memory-storage.ts'
import { formatMetadata, IDENTITY_ID, parseMetadata } from './metadata-file.ts'
import { type Metadata, NO_METADATA } from './notes.ts'
import type { Pair, WalletProblem } from './pair.ts'
import type { StorageWriter, Stored, WalletStorage } from './wallet-storage.ts'

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

  constructor(directory: string, options: FolderOptions) {
    this.directory = directory
    this.#passphrase = options.passphrase
    this.#lockTimeoutMs = options.lockTimeoutMs
  }

  async load(): Promise<Stored> {
    for (let attempt = 1; ; attempt++) {
      const listing = await this.#list()
      try {
        const { pairs, problems } = await this.#readPairs(listing)
        const { metadata } = await this.#readMetadata()
        // Somebody may have moved files while they were read.
        if (attempt < MAX_ATTEMPTS && !isSame(listing, await this.#list())) continue
        return { pairs, metadata, problems: [...problems, ...(await this.#exposures(listing))] }
      } catch (error) {
        if (attempt === MAX_ATTEMPTS || !isMissing(error)) throw error
      }
    }
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
      const file = await this.#readKeyFile(id)
      if (!isEncrypted(file)) continue
      try {
        await loadPrivateKey(file, this.#opener)
        return
      } catch (error) {
        if (!(error instanceof TlacacocaError)) throw error
        if (error.code === 'ERR_TLACACOCA_KEY_PASSPHRASE_REQUIRED') throw error
        // Damage to a key may look like a wrong passphrase, and is a matter of that key.
        if (error.code === 'ERR_TLACACOCA_KEY_PASSPHRASE_WRONG') refusal ??= error
      }
    }
    if (refusal !== null) throw refusal
  }

  async exclusively<T>(act: (writer: StorageWriter) => Promise<T>): Promise<T> {
    return withLock(join(this.directory, '.lock'), this.#lockTimeoutMs, () => act(this))
  }

  async addPair(id: string, certificates: readonly Certificate[], key: KeyObject): Promise<void> {
    const pem =
      this.#passphrase === undefined
        ? formatPem('PRIVATE KEY', exportPkcs8(key))
        : await encryptPrivateKey(key, { passphrase: this.#passphrase })
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
    await ensurePrivateDirectory(join(this.directory, DELETED))
    for (const kind of [CERTIFICATE, FORMER, KEY]) await moveIfThere(this.#path(id, kind), this.#path(id, kind, DELETED))
  }

  async putBack(id: string): Promise<void> {
    for (const kind of [KEY, FORMER, CERTIFICATE]) await moveIfThere(this.#path(id, kind, DELETED), this.#path(id, kind))
  }

  async remove(id: string): Promise<void> {
    // As when it is moved aside, so that a crash in between leaves no identity without its key.
    for (const kind of [CERTIFICATE, FORMER, KEY]) {
      for (const folder of ['', DELETED]) await removeIfThere(this.#path(id, kind, folder))
    }
  }

  async changeMetadata(change: (metadata: Metadata) => Metadata): Promise<void> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const { metadata, text } = await this.#readMetadata()
      const changed = change(metadata)
      if (changed === metadata) return
      const written = await formatMetadata(changed)
      // The lock keeps programs out, and not somebody who saves the file in an editor.
      if ((await this.#readMetadata()).text !== text) continue
      return this.#write(this.#metadataPath, written)
    }
    const path = this.#metadataPath
    throw new FileError('ERR_TLACACOCA_FILE_UNWRITABLE', path, `${path} changes all the time`)
  }

  get #metadataPath(): string {
    return join(this.directory, 'identities.toml')
  }

  get #opener(): { readonly passphrase?: Passphrase } {
    return this.#passphrase === undefined ? {} : { passphrase: this.#passphrase }
  }

  #path(id: string, kind: string, folder = ''): string {
    return join(this.directory, folder, `${id}${kind}`)
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

  async #list(): Promise<Listing> {
    return { live: await namesIn(this.directory), deleted: await namesIn(join(this.directory, DELETED)) }
  }

  async #readPairs({ live, deleted }: Listing): Promise<{ pairs: Map<string, Pair>; problems: WalletProblem[] }> {
    const pairs = new Map<string, Pair>()
    const problems: WalletProblem[] = []
    const places = [
      { names: live, folder: '' },
      { names: deleted, folder: DELETED },
    ]
    for (const { names, folder } of places) {
      for (const id of idsOf(names, CERTIFICATE)) {
        if (pairs.has(id)) continue
        const path = this.#path(id, CERTIFICATE, folder)
        if (!live.has(`${id}${KEY}`) && !deleted.has(`${id}${KEY}`)) {
          problems.push({ path, message: 'the key of this certificate is missing, so it cannot be used' })
          continue
        }
        try {
          pairs.set(id, await this.#readPair(id, folder, names))
        } catch (error) {
          if (!(error instanceof TlacacocaError) || isMissing(error)) throw error
          problems.push({ path, message: error.message })
        }
      }
    }
    for (const id of idsOf(live, KEY)) {
      if (live.has(`${id}${CERTIFICATE}`) || deleted.has(`${id}${CERTIFICATE}`)) continue
      problems.push({ path: this.#path(id, KEY), message: 'the certificate of this key is missing' })
    }
    return { pairs, problems }
  }

  async #readPair(id: string, folder: string, names: ReadonlySet<string>): Promise<Pair> {
    const certificates = await readCertificates(this.#path(id, CERTIFICATE, folder))
    const { certificate, chain } = parts(certificates)
    const others = folder === '' ? DELETED : ''
    const hasFormer = names.has(`${id}${FORMER}`)
    const former = await readCertificates(this.#path(id, FORMER, hasFormer ? folder : others)).catch((error: unknown) => {
      if (isMissing(error) && !hasFormer) return []
      throw error
    })
    return Object.freeze({
      id,
      certificate,
      chain,
      former: Object.freeze(former.filter((each) => !each.equals(certificate))),
      deleted: folder === DELETED,
      temporary: false,
    })
  }

  async #exposures({ live }: Listing): Promise<WalletProblem[]> {
    const problems: WalletProblem[] = []
    for (const id of idsOf(live, KEY)) {
      const path = this.#path(id, KEY)
      if (await isOpenToOthers(path)) problems.push({ path, message: 'others can read this key; use mode 0600' })
    }
    const { directory } = this
    if (live.size > 0 && (await isWritableByOthers(directory))) {
      problems.push({ path: directory, message: 'others can put files into this folder; use mode 0700' })
    }
    return problems
  }
}

interface Listing {
  readonly live: ReadonlySet<string>
  readonly deleted: ReadonlySet<string>
}

const DELETED = 'deleted'
const CERTIFICATE = '.crt'
const FORMER = '.former.crt'
const KEY = '.key'
const FILE_MODE = 0o600
const MAX_ATTEMPTS = 10
// An RSA key of 16,384 bits has 13 kB.
const MAX_KEY_BYTES = 64 * 1024
const MAX_CERTIFICATES_BYTES = 256 * 1024
const MAX_METADATA_BYTES = 8 * 1024 * 1024

async function readCertificates(path: string): Promise<Certificate[]> {
  return parseCertificates(await readTextFile(path, { maxBytes: MAX_CERTIFICATES_BYTES }))
}

function pemOf(certificates: readonly Certificate[]): string {
  return certificates.map((each) => each.toPem()).join('')
}

function isEncrypted(key: Buffer): boolean {
  const text = key.toString('latin1')
  return text.includes('ENCRYPTED')
}

function idsOf(names: ReadonlySet<string>, ending: string): string[] {
  const found = [...names].filter((name) => name.endsWith(ending)).map((name) => name.slice(0, -ending.length))
  return found.filter((id) => IDENTITY_ID.test(id)).sort()
}

async function namesIn(folder: string): Promise<ReadonlySet<string>> {
  try {
    return new Set(await reading(folder, () => readdir(folder)))
  } catch (error) {
    if (isMissing(error)) return new Set()
    throw error
  }
}

function isSame(a: Listing, b: Listing): boolean {
  const equal = (x: ReadonlySet<string>, y: ReadonlySet<string>) => x.size === y.size && [...x].every((name) => y.has(name))
  return equal(a.live, b.live) && equal(a.deleted, b.deleted)
}

function isMissing(error: unknown): boolean {
  return error instanceof FileError && error.code === 'ERR_TLACACOCA_FILE_NOT_FOUND'
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

async function isWritableByOthers(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => null)
  return process.platform !== 'win32' && stats !== null && (stats.mode & 0o022) !== 0
}
