// Serial numbers: positive, at most 20 octets, with the sign octet (RFC 5280 section 4.1.2.2), and not to be guessed.

import { randomBytes } from 'node:crypto'
import { AuthorityError } from '../errors.ts'
import { show } from '../internal/arguments.ts'
import type { Awaitable } from './issued-store.ts'

/** Makes serial numbers: as a number, lower-case hex, or big-endian octets. At least 64 bits, and never one twice. */
export type SerialNumberGenerator = () => Awaitable<bigint | string | Uint8Array>

const OCTETS = 17

/** One octet that is neither zero nor negative, then 128 random bits: always 17 octets. */
export function randomSerialNumber(random: (size: number) => Uint8Array = randomBytes): string {
  const octets = Buffer.from(random(OCTETS))
  if (octets.length !== OCTETS)
    throw new RangeError(`"random" expected ${OCTETS} octets to be made, got ${octets.length}`)
  octets[0] = ((octets[0] ?? 0) % 0x7f) + 1
  return octets.toString('hex')
}

/**
 * What a generator made, in lower-case hex of whole octets.
 *
 * @throws {AuthorityError} AUTHORITY_SERIAL_INVALID unless it is positive, of 8 to 20 octets.
 */
export function readSerialNumber(made: unknown): string {
  const hex = hexOf(made)?.replace(/^(?:00)+/, '')
  // An octet from 80 on needs a sign octet before it.
  const octets = hex === undefined ? 0 : hex.length / 2 + (hex >= '8' ? 1 : 0)
  if (hex === undefined || hex.length < 16 || octets > 20) {
    throw new AuthorityError(
      'ERR_TLACACOCA_AUTHORITY_SERIAL_INVALID',
      `the serial number generator made ${show(made)}; it must make a positive number of 64 bits or more, and at most 20 octets`,
    )
  }
  return hex
}

function hexOf(made: unknown): string | undefined {
  if (made instanceof Uint8Array) return Buffer.from(made).toString('hex')
  if (typeof made === 'bigint' && made > 0n) return padded(made.toString(16))
  if (typeof made === 'string' && /^[0-9a-f]+$/.test(made)) return padded(made)
  return undefined
}

function padded(hex: string): string {
  return hex.length % 2 === 0 ? hex : `0${hex}`
}
