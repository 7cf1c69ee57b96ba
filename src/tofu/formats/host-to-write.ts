// What of a subject's pins goes into a store that holds one fingerprint for a host, and what has to stay out.

import type { Fingerprint } from '../../certificate/fingerprint.ts'
import { endpointOf } from '../host-info.ts'
import { isNamedBy } from '../new-pin.ts'
import { isLive, type Pin } from '../pin.ts'
import type { PinStore } from '../pin-store.ts'
import type { HostToWrite, KnownHost, LineFormat, LineReading } from './known-host.ts'
import { readLine } from './read-line.ts'
import { digitsOf, isRefuted, isUndecided } from './twins.ts'

/** A pin that was not written, and why. */
export interface LeftOutPin {
  /** Whose it is: `example.org:1965`. */
  readonly subject: string
  readonly digest: Fingerprint
  /** Why, in a few words. */
  readonly reason: string
}

/** What becomes of one subject. */
export interface PlannedHost {
  readonly subject: string
  /** Empty if nothing of it can be written. */
  readonly lines: readonly string[]
  readonly leftOut: readonly LeftOutPin[]
}

/** Decides what to write of a subject. */
export async function planHost(
  format: LineFormat,
  store: PinStore,
  subject: string,
  pins: readonly Pin[],
): Promise<PlannedHost> {
  const leftOut: LeftOutPin[] = []
  const leave = ({ digest }: Pin, reason: string) => leftOut.push({ subject, digest, reason })
  const marks = pins.filter((pin) => pin.state === 'distrusted')
  for (const mark of marks) leave(mark, `${format.program} has no marks for what is never to be trusted`)
  for (const pin of pins) {
    if (pin.state === 'announced') leave(pin, `${format.program} has no place for a certificate that is still to come`)
  }

  let written: { readonly pin: Pin; readonly host: KnownHost; readonly lines: readonly string[] } | undefined
  const live = pins.filter((pin) => isLive(pin.state)).sort((a, b) => b.lastSeen.getTime() - a.lastSeen.getTime())
  for (const pin of live) {
    const sha512 = await sha512Of(store, pin)
    if (isRefuted(pin, live) || (written !== undefined && isSame(pin, sha512, written.host))) continue
    if (written !== undefined) {
      leave(pin, `${format.program} holds one fingerprint for a host, and ${written.pin.digest} was seen last`)
    } else if (marks.some(({ digest }) => isNamedBy(pin, digest) || digest === `sha512:${sha512}`)) {
      leave(pin, 'it is marked as never to be trusted')
    } else {
      const host = hostToWrite(pin, live, sha512)
      const lines = host === null ? 'it is not a server' : linesFor(format, subject, host)
      if (typeof lines === 'string') leave(pin, lines)
      else written = { pin, ...lines }
    }
  }
  return { subject, lines: written?.lines ?? [], leftOut }
}

function hostToWrite(pin: Pin, live: readonly Pin[], sha512: string | null): HostToWrite | null {
  const endpoint = endpointOf(pin.subject)
  if (endpoint === null) return null
  const digits = digitsOf(pin)
  const undecided = isUndecided(pin, live)
  const is = (algorithm: string) => !undecided && pin.digest.startsWith(`${algorithm}:`)
  return {
    endpoint,
    sha256: is('sha256') ? digits : null,
    sha512,
    key: is('spki-sha256') ? digits : pin.keyDigest === null ? null : digitsOf({ digest: pin.keyDigest }),
    either: undecided ? digits : null,
    notAfter: pin.notAfter,
    lastSeen: pin.lastSeen,
    isVerified: pin.state === 'verified',
  }
}

/** The lines, or why there are none. They are read again: what would not come back as it was is not written. */
function linesFor(format: LineFormat, subject: string, host: HostToWrite) {
  const written = format.write?.(host) ?? { reason: `${format.program} is not written` }
  if ('reason' in written) return written.reason
  const { lines } = written
  const readings = lines.map((line) => readLine(format, { number: 2, bytes: Buffer.from(line), isCut: false }, ''))
  const read = readings.find((reading) => reading.kind === 'host')
  const isClear = readings.every((reading) => subjectOfReading(reading) === subject)
  return read !== undefined && isClear ? { lines, host: read } : `${format.program} has no clear way to write this`
}

/** The subject that a line is about; undefined if it is about none. */
export function subjectOfReading(reading: LineReading): string | undefined {
  return reading.kind === 'host' || reading.kind === 'expiry' ? reading.subject : undefined
}

/** Whether a pin says nothing that is not written already: it is of the same certificate, or of the key that is. */
function isSame(
  { digest, keyDigest }: Pin,
  sha512: string | null,
  { digest: written, otherDigest }: KnownHost,
): boolean {
  if (written.startsWith('sha512:')) return sha512 !== null && digitsOf({ digest: written }) === sha512
  return digest === written || keyDigest === written || digest === otherDigest
}

async function sha512Of(store: PinStore, pin: Pin): Promise<string | null> {
  const digest = pin.digest.startsWith('sha512:') ? pin.digest : await store.sha512(pin.digest)
  return digest === undefined ? null : digitsOf({ digest })
}
