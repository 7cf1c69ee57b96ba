// Out of PEM text: the certificates and private keys of a heap, each with its place.

import { PrivateKeyError } from '../errors.ts'
import type { PlacedKey } from './chain-keys.ts'
import { certificateAt, type Member } from './chain-members.ts'
import type { Passphrase } from './passphrase.ts'
import { isPrivateKeyLabel } from './pem.ts'
import { openPrivateKey } from './private-key.ts'
import { keyErrorAt, type PlacedBlock } from './strict-pem.ts'

/** @throws {ChainError} CHAIN_CERTIFICATE_MALFORMED */
export function membersIn(blocks: readonly PlacedBlock[]): Member[] {
  return blocks
    .filter(({ block }) => !isPrivateKeyLabel(block.label))
    .map(({ block, place }) => ({ certificate: certificateAt(block, place), place }))
}

/** @throws {PrivateKeyError} With the place in front of its message. */
export async function keysIn(blocks: readonly PlacedBlock[], passphrase: Passphrase | undefined): Promise<PlacedKey[]> {
  const keys: PlacedKey[] = []
  // One after another: opening an encrypted key takes a core and 16 MiB for a tenth of a second.
  for (const { block, place } of blocks) {
    if (!isPrivateKeyLabel(block.label)) continue
    try {
      keys.push({ key: await openPrivateKey(block, passphrase), place })
    } catch (error) {
      throw error instanceof PrivateKeyError ? keyErrorAt(place, error) : error
    }
  }
  return keys
}

/** Checks what came as a passphrase to open keys with; it may be anything that is text or bytes. It is never shown. */
export function requireOpener(value: unknown): asserts value is Passphrase | undefined {
  if (value !== undefined && typeof value !== 'string' && !(value instanceof Uint8Array)) {
    throw new TypeError('"passphrase" expected a string or bytes')
  }
}
