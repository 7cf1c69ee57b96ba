// The way between rows and pins. Whole numbers of 64 bits come as texts from some clients.

import { type Fingerprint, isFingerprint } from '../certificate/fingerprint.ts'
import { StoreError } from '../errors.ts'
import { requireDate } from '../internal/arguments.ts'
import { PIN_STATES, type Pin, type PinChange, type PinChangeCause, stateNumber } from '../tofu/pin.ts'
import type { Row } from './database.ts'
import { numberOrNull, text, textOrNull } from './identity-rows.ts'

/** The columns of a pin, with the types of lists of them. */
export const PIN_COLUMNS = [
  ['subject', 'text[]'],
  ['digest', 'text[]'],
  ['state', 'smallint[]'],
  ['key_digest', 'text[]'],
  ['not_after', 'bigint[]'],
  ['first_seen', 'bigint[]'],
  ['last_seen', 'bigint[]'],
  ['days_seen', 'bigint[]'],
  ['source', 'text[]'],
  ['note', 'text[]'],
] as const

export const PIN = PIN_COLUMNS.map(([name]) => name).join(', ')

/** The values of a pin, in the order of the columns. */
export function valuesOf(pin: Pin): unknown[] {
  const { subject, digest, keyDigest, notAfter, firstSeen, lastSeen, daysSeen, source, note } = pin
  for (const instant of [notAfter ?? lastSeen, firstSeen, lastSeen]) requireDate('pin', instant)
  const instants = [notAfter?.getTime() ?? null, firstSeen.getTime(), lastSeen.getTime()]
  return [subject, digest, stateNumber(pin.state), keyDigest, ...instants, daysSeen, source, note]
}

/** The pin in a row. What could not have been written by us is damage, and must not read as a pin that never matches. */
export function pinOf(row: Row): Pin {
  const { digest, key_digest: keyDigest } = row
  const subject = text(row.subject)
  const state = PIN_STATES[Number(row.state)]
  if (state === undefined || !isFingerprint(digest) || !(keyDigest === null || isFingerprint(keyDigest))) {
    throw new StoreError('ERR_TLACACOCA_STORE_CORRUPT', `the pin store holds a pin that is none, for ${subject}`)
  }
  const notAfter = numberOrNull(row.not_after)
  return {
    subject,
    digest,
    state,
    keyDigest,
    notAfter: notAfter === null ? null : new Date(notAfter),
    firstSeen: new Date(Number(row.first_seen)),
    lastSeen: new Date(Number(row.last_seen)),
    daysSeen: Number(row.days_seen),
    source: textOrNull(row.source),
    note: textOrNull(row.note),
  }
}

export function changeOf(row: Row): PinChange {
  return {
    at: new Date(Number(row.at)),
    subject: text(row.subject),
    cause: text(row.cause) as PinChangeCause,
    old: textOrNull(row.old) as Fingerprint | null,
    new: textOrNull(row.new) as Fingerprint | null,
    decidedBy: textOrNull(row.decided_by),
  }
}
