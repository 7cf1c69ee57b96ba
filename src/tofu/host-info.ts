// What is known of one server, gathered from its pins.

import type { Fingerprint } from '../certificate/fingerprint.ts'
import { InvalidNameError } from '../errors.ts'
import { type Endpoint, parseEndpoint } from '../names/endpoint.ts'
import { isLive, type Pin } from './pin.ts'

/** A server with at least one live pin. */
export interface HostInfo {
  /** The endpoint, as `host:port`. */
  readonly endpoint: string
  /** The host, in canonical form. */
  readonly host: string
  /** 1 to 65535. */
  readonly port: number
  /** The fingerprint that is pinned; of several, the one seen last. */
  readonly fingerprint: Fingerprint
  readonly state: 'trusted' | 'verified'
  /** When the pinned certificate was first seen. */
  readonly firstSeen: Date
  /** When it was last seen, to within a day. */
  readonly lastSeen: Date
  /** On how many days it was seen. */
  readonly daysSeen: number
  /** The end of the pinned certificate; null if it is not known. */
  readonly notAfter: Date | null
  /** The fingerprint of its public key; null if it is not known. */
  readonly keyFingerprint: Fingerprint | null
  /** Where the pin came from, for people: `first_use`, `user`, `import`; null if nobody knows. */
  readonly source: string | null
  /** A remark of the user's; null if there is none. */
  readonly note: string | null
  /** Every pin of the endpoint: live, replaced, announced and distrusted. */
  readonly pins: readonly Pin[]
}

/** Gathers what the pins of one subject say; null if none of them is live, or the subject is no endpoint. */
export function hostInfoOf(subject: string, pins: readonly Pin[]): HostInfo | null {
  const pin = latestLive(pins)
  if (pin === undefined) return null
  const endpoint = endpointOf(subject)
  if (endpoint === null) return null
  return {
    endpoint: subject,
    host: endpoint.host,
    port: endpoint.port,
    fingerprint: pin.digest,
    state: pin.state === 'verified' ? 'verified' : 'trusted',
    firstSeen: pin.firstSeen,
    lastSeen: pin.lastSeen,
    daysSeen: pin.daysSeen,
    notAfter: pin.notAfter,
    keyFingerprint: pin.digest.startsWith('spki-') ? pin.digest : pin.keyDigest,
    source: pin.source,
    note: pin.note,
    pins,
  }
}

/** The live pin that was seen last. */
export function latestLive(pins: readonly Pin[]): Pin | undefined {
  let latest: Pin | undefined
  for (const pin of pins) {
    if (isLive(pin.state) && (latest === undefined || pin.lastSeen > latest.lastSeen)) latest = pin
  }
  return latest
}

/** The endpoint that a subject names; null for a subject of another kind. */
export function endpointOf(subject: string): Endpoint | null {
  try {
    const endpoint = parseEndpoint(subject)
    return endpoint.toString() === subject ? endpoint : null
  } catch (error) {
    if (error instanceof InvalidNameError) return null
    /* v8 ignore next -- @preserve only a fault of our own could be another error */
    throw error
  }
}

/** Pins that are ordered by subject, as lists of one subject each. */
export function bySubject(pins: readonly Pin[]): [subject: string, pins: Pin[]][] {
  const groups: [string, Pin[]][] = []
  for (const pin of pins) {
    const group = groups.at(-1)
    if (group !== undefined && group[0] === pin.subject) group[1].push(pin)
    else groups.push([pin.subject, [pin]])
  }
  return groups
}
