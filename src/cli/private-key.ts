// A private key out of a file. Whether there is a passphrase to ask for, only the file knows.

import { loadPrivateKey } from '../certificate/index.ts'
import type { Passphrase } from '../certificate/passphrase.ts'
import { PrivateKeyError } from '../errors.ts'
import { inFile, readInput } from './input.ts'
import type { CliIo } from './io.ts'
import { type PassphraseOptions, readPassphraseFor } from './passphrase.ts'

/** A private key as it is stored, and what opens it. */
export interface StoredKey {
  /** PEM or DER. */
  readonly bytes: Uint8Array
  /** Undefined if it is not encrypted. */
  readonly passphrase: Passphrase | undefined
}

/** Reads a private key from a file, or the standard input for `-`, and the passphrase from wherever it is, if it needs one. */
export async function readPrivateKey(io: CliIo, path: string, options: PassphraseOptions): Promise<StoredKey> {
  const bytes = await readInput(io, path)
  return inFile(path, () => opened(io, path, bytes, options))
}

async function opened(io: CliIo, path: string, bytes: Uint8Array, options: PassphraseOptions): Promise<StoredKey> {
  try {
    await loadPrivateKey(bytes)
    return { bytes, passphrase: undefined }
  } catch (error) {
    if (!isEncrypted(error)) throw error
    const passphrase = await readPassphraseFor(io, path, options)
    if (passphrase === null) throw error
    await loadPrivateKey(bytes, { passphrase })
    return { bytes, passphrase }
  }
}

/** Whether nothing was wrong but that nobody gave a passphrase. */
export function isEncrypted(error: unknown): boolean {
  return error instanceof PrivateKeyError && error.code === 'ERR_TLACACOCA_KEY_PASSPHRASE_REQUIRED'
}
