// What a pin store remembers. These are plain values: they come out of a database or a file, and nothing in them is
// trusted merely because of its type.

import type { Fingerprint } from '../certificate/fingerprint.ts'

/**
 * What a remembered fingerprint means for its subject.
 *
 * - `trusted`: accepted. Recorded by a first visit, or by somebody who looked at a change and said yes.
 * - `verified`: accepted, and compared with the owner's word by another way than the network.
 * - `replaced`: was accepted once. Kept as history; it is not accepted any more.
 * - `distrusted`: never again. Survives `clear` and a replacing import.
 * - `announced`: not in use yet; the server said over a verified connection that it will come.
 */
export type PinState = 'trusted' | 'verified' | 'replaced' | 'distrusted' | 'announced'

/** Every state, in the order of their numbers in the database: append only. */
export const PIN_STATES = ['trusted', 'verified', 'replaced', 'distrusted', 'announced'] as const satisfies PinState[]

/**
 * The number of a state in the database. Whatever is none of them must not get there, where it could pass for a live one.
 *
 * @throws {TypeError} If it is none.
 */
export function stateNumber(state: PinState): number {
  const number = PIN_STATES.indexOf(state)
  if (number < 0) throw new TypeError(`"state" expected one of ${PIN_STATES.join(', ')}, got ${JSON.stringify(state)}`)
  return number
}

/** One remembered fingerprint of one subject. A subject may have several; (subject, digest) is the key. */
export interface Pin {
  /** Whose it is, in canonical text: `example.org:1965`, `[::1]:1965`. */
  readonly subject: string
  /** What is compared: `sha256:…` or `sha512:…` of the certificate, or `spki-sha256:…` of its public key. */
  readonly digest: Fingerprint
  readonly state: PinState
  /** `spki-sha256:…` of the public key of the pinned certificate; null where only the digest is known (an import). */
  readonly keyDigest: Fingerprint | null
  /** The end of the pinned certificate's validity; null where it is not known. */
  readonly notAfter: Date | null
  /** When the certificate was first presented, or said to be the right one. */
  readonly firstSeen: Date
  /** A full instant, rewritten once it is 24 hours off, so that a visit seldom has to write. */
  readonly lastSeen: Date
  /** On how many days it was seen, counted whenever `lastSeen` is rewritten. At least 1, except for one never seen: 0. */
  readonly daysSeen: number
  /** Where it came from: `first_use`, `user`, `import`, … Open-ended, for people. */
  readonly source: string | null
  /** A remark of the user's. */
  readonly note: string | null
}

/** Why something in the store changed. */
export type PinChangeCause =
  | 'first_use'
  | 'trusted'
  | 'renewed'
  | 'rotated'
  | 'changed'
  | 'announced'
  | 'distrusted'
  | 'distrust_lifted'
  | 'revoked'
  | 'imported'
  | 'cleared'
  | 'purged'

/** One line of a subject's history: what was pinned, what came in its place, why, and who decided. */
export interface PinChange {
  /** When it happened. */
  readonly at: Date
  /** Empty for what concerned the whole store: an import, a `clear`, a `purge`. */
  readonly subject: string
  readonly cause: PinChangeCause
  /** The fingerprint that went; null if there was none. */
  readonly old: Fingerprint | null
  /** The fingerprint that came; null if none did. */
  readonly new: Fingerprint | null
  /** `policy`, `callback`, `user`, `import`: what the decision rests on. */
  readonly decidedBy: string | null
}

/** Whether a pin of this state makes its certificate acceptable. */
export function isLive(state: PinState): boolean {
  return state === 'trusted' || state === 'verified'
}
