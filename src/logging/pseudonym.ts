// Addresses in logs, without the addresses.
//
// A bare hash of an IPv4 address hides nothing: all of them can be tried in minutes. So the hash has a key that is made
// at random, lives in memory only and is thrown away after a period. Within a period the same client has the same
// pseudonym, which is what one needs to see an attack; afterwards nobody, we included, can say who it was.

import { createHmac, randomBytes } from 'node:crypto'
import { InvalidNameError } from '../errors.ts'
import { requireFunction, requireInteger, requireOptions, show } from '../internal/arguments.ts'
import { type Clock, systemClock } from '../internal/clock.ts'
import { ClientAddress, parseClientAddress } from '../names/client-address.ts'

/** How long pseudonyms last, and how long they are. */
export interface AddressPseudonymizerOptions {
  /** How long a key is used, in milliseconds. Default 86,400,000, which is a day. */
  readonly rotateEveryMs?: number
  /** How many bits of a pseudonym are shown, 64 to 256, a multiple of 4. Default 64. */
  readonly bits?: number
  /**
   * A secret of at least 16 bytes, from which the key of each period is derived, so that several processes give the
   * same pseudonyms. Whoever has it can undo them. Default: a random key in memory for each period.
   */
  readonly key?: Uint8Array
  readonly clock?: Clock
}

/** Gives the pseudonym of an address, such as `addr-9f86d081884c7d65`. */
export type AddressPseudonymizer = (address: string | ClientAddress) => string

/**
 * Makes a function that gives each address a pseudonym: the same one within a period, another one in the next. All
 * spellings of an address have the same one, `::ffff:192.0.2.1` and `192.0.2.1` too. A text that is no address gets one
 * all the same, so that nothing passes through.
 *
 * @throws {RangeError} If an option is out of its range.
 * @throws {TypeError} If an option is of another type, or not known.
 * @example
 * import { createAddressPseudonymizer } from 'tlacacoca/logging'
 *
 * const pseudonymOf = createAddressPseudonymizer()
 * console.log(pseudonymOf('192.0.2.1') === pseudonymOf('::ffff:192.0.2.1')) // true
 */
export function createAddressPseudonymizer(options: AddressPseudonymizerOptions = {}): AddressPseudonymizer {
  requireOptions('options', options, ['rotateEveryMs', 'bits', 'key', 'clock'])
  const { rotateEveryMs = 24 * 60 * 60 * 1000, bits = 64, key, clock = systemClock } = options
  requireFunction('clock', clock)
  requireInteger('rotateEveryMs', rotateEveryMs, 1, Number.MAX_SAFE_INTEGER)
  requireInteger('bits', bits, 64, 256)
  if (bits % 4 !== 0) throw new RangeError(`"bits" expected a multiple of 4, got ${bits}`)
  // The letters of a text would be copied as zeros: a key that everybody knows.
  if (key !== undefined && !(key instanceof Uint8Array)) throw new TypeError(`"key" expected bytes, got ${show(key)}`)
  if (key !== undefined && key.length < 16) throw new RangeError(`"key" expected 16 bytes or more, got ${key.length}`)
  const secret = key === undefined ? undefined : Uint8Array.from(key)

  let period = Number.NaN
  let periodKey: Uint8Array = new Uint8Array()
  return (address) => {
    const now = Math.floor(clock() / rotateEveryMs)
    if (now !== period) {
      // A clock that goes back starts a new period as well: the old key is gone.
      period = now
      periodKey = secret === undefined ? randomBytes(32) : createHmac('sha256', secret).update(`${now}`).digest()
    }
    const digest = createHmac('sha256', periodKey).update(canonical(address)).digest('hex')
    return `addr-${digest.slice(0, bits / 4)}`
  }
}

/** One text for all spellings of an address; what is no address cannot collide with one. */
function canonical(address: string | ClientAddress): string {
  if (ClientAddress.is(address)) return `address ${address}`
  const text = String(address)
  const literal = addressOf(text)
  return literal === null ? `text ${text}` : `address ${literal}`
}

/** @internal The address that a text is, with or without a port; null if it is none. */
export function addressOf(text: string): ClientAddress | null {
  if (text.length > MAX_LENGTH) return null
  const bracketed = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text)?.[1]
  const withPort = /^(\d+\.\d+\.\d+\.\d+):\d{1,5}$/.exec(text)?.[1]
  try {
    return parseClientAddress(bracketed ?? withPort ?? text)
  } catch (error) {
    if (error instanceof InvalidNameError) return null
    /* v8 ignore next -- @preserve parsing an address throws nothing else; a fault of ours is no answer */
    throw error
  }
}

// The longest IPv6 address, a zone, brackets and a port.
const MAX_LENGTH = 128
