// Addresses of those who are banned, as they stand in Redis. They have to be read again, so a hash will not do: they are
// encrypted (AES-256-GCM, a new random nonce for each) under a key of the fleet. Without a secret they stand there as text.

import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto'
import { type FleetSecret, keyFor } from './key-hash.ts'

const ALGORITHM = 'aes-256-gcm'
/** NIST SP 800-38D section 8.2: 96 bits for a nonce, 128 for the tag. */
const NONCE_BYTES = 12
const TAG_BYTES = 16

export class AddressSeal {
  readonly #key: KeyObject | null

  constructor(secret: FleetSecret | undefined) {
    this.#key = secret === undefined ? null : keyFor('bans', secret)
  }

  seal(address: string): string {
    if (this.#key === null) return address
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv(ALGORITHM, this.#key, nonce)
    const text = Buffer.concat([cipher.update(address, 'utf8'), cipher.final()])
    return Buffer.concat([nonce, text, cipher.getAuthTag()]).toString('base64url')
  }

  /** The address, or null for what was not sealed with this secret. */
  open(sealed: string): string | null {
    if (this.#key === null) return sealed
    const bytes = Buffer.from(sealed, 'base64url')
    if (bytes.length < NONCE_BYTES + TAG_BYTES) return null
    const options = { authTagLength: TAG_BYTES }
    const decipher = createDecipheriv(ALGORITHM, this.#key, bytes.subarray(0, NONCE_BYTES), options)
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
    const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES))
    try {
      return Buffer.concat([text, decipher.final()]).toString('utf8')
    } catch {
      return null
    }
  }
}
