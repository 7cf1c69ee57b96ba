// Pins made up for the contract suite.

import { strictEqual } from 'node:assert/strict'
import { hash } from 'node:crypto'
import type { Fingerprint } from '../certificate/fingerprint.ts'
import type { Pin, PinChange, PinState } from '../tofu/pin.ts'
import type { PinStore, PinUpdate, SeenMaterial } from '../tofu/pin-store.ts'

export const T0 = Date.parse('2030-06-01T12:00:00.123Z')
export const DAY = 86_400_000
export const STATES: readonly PinState[] = ['trusted', 'verified', 'replaced', 'distrusted', 'announced']

/** The instant so many milliseconds after `T0`. */
export function at(ms: number): Date {
  return new Date(T0 + ms)
}

/** The fingerprint of a certificate of this name. */
export function certificate(name: string): Fingerprint {
  return `sha256:${hash('sha256', name, 'hex')}` as Fingerprint
}

/** The fingerprint of its key. */
export function key(name: string): Fingerprint {
  return `spki-sha256:${hash('sha256', `key of ${name}`, 'hex')}` as Fingerprint
}

/** What is kept beside a pin of this name. */
export function material(name: string): SeenMaterial {
  return {
    digest: certificate(name),
    sha512: `sha512:${hash('sha512', name, 'hex')}` as Fingerprint,
    keyDigest: key(name),
    publicKey: new Uint8Array([0, 1, 255, 10]),
    notAfter: at(99),
  }
}

/** A pin of the certificate of this name. */
export function pin(subject: string, name: string, facts: Partial<Pin> = {}): Pin {
  return {
    subject,
    digest: certificate(name),
    state: 'trusted',
    keyDigest: key(name),
    notAfter: at(1000 * DAY),
    firstSeen: at(0),
    lastSeen: at(0),
    daysSeen: 1,
    source: 'first_use',
    note: null,
    ...facts,
  }
}

/** A line of history. */
export function line(subject: string): PinChange {
  return { at: at(0), subject, cause: 'trusted', old: null, new: null, decidedBy: 'user' }
}

/** An update that pins a certificate for a subject that has none. */
export function insertion(subject: string, name: string): PinUpdate {
  return { changes: [{ subject, expect: [], put: [pin(subject, name)], remove: [] }], log: [line(subject)] }
}

/** Writes pins of one subject, which has those expected. */
export async function put(store: PinStore, expect: readonly Pin[], ...pins: Pin[]): Promise<void> {
  const subject = pins[0]?.subject ?? ''
  strictEqual(await store.update({ changes: [{ subject, expect, put: pins, remove: [] }], log: [line(subject)] }), true)
}

/** Pins in the order in which a store gives them. */
export function byDigest(pins: readonly Pin[]): Pin[] {
  return [...pins].sort((a, b) => (a.digest < b.digest ? -1 : 1))
}
