// Two pins with the same digits, one of a certificate and one of a key: what an import makes of a fingerprint that does
// not say of what it is. Only the right one can ever match, and when it has, it knows its key; until then the two are
// undecided, and afterwards the other one is refuted.

import type { Pin } from '../pin.ts'

/** The hex digits of a fingerprint. */
export function digitsOf({ digest }: Pick<Pin, 'digest'>): string {
  return digest.slice(digest.indexOf(':') + 1)
}

/** Whether nobody has found out yet if it is this one or its twin. */
export function isUndecided(pin: Pin, pins: readonly Pin[]): boolean {
  return pin.keyDigest === null && twinOf(pin, pins)?.keyDigest === null
}

/** Whether its twin turned out to be the right one. */
export function isRefuted(pin: Pin, pins: readonly Pin[]): boolean {
  return pin.keyDigest === null && typeof twinOf(pin, pins)?.keyDigest === 'string'
}

function twinOf(pin: Pin, pins: readonly Pin[]): Pin | undefined {
  return pins.find((other) => other.digest !== pin.digest && digitsOf(other) === digitsOf(pin))
}
