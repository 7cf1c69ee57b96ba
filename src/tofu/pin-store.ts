// Where pins are kept. Trust decisions are made elsewhere (`verdict.ts`, `tofu-store.ts`); a store only remembers, and
// its one hard duty is that a decision is written if, and only if, what it was made on still holds.
//
// So there is a single way to change what is trusted: `update`, a compare-and-swap over whole subjects. First contact
// ("there was no pin, here is one"), replacing, revoking, marking as distrusted and importing are all values of
// `PinUpdate`. What races with another program loses cleanly, and is judged again on what is there now.

import type { Fingerprint } from '../certificate/fingerprint.ts'
import type { Awaitable } from '../internal/awaitable.ts'
import type { Pin, PinChange } from './pin.ts'

export type { Awaitable }

/** `lastSeen` is rewritten once it is this far off, in either direction: a clock that was wrong is put right too. */
export const SEEN_INTERVAL_MS = 86_400_000

/** What of a certificate is kept beside its pins, because no digest can be computed back. */
export interface PinnedMaterial {
  /** The SHA-256 fingerprint of the certificate. */
  readonly digest: Fingerprint
  /** The SHA-512 fingerprint, which some clients pin by. */
  readonly sha512: Fingerprint
  readonly keyDigest: Fingerprint
  /** The SubjectPublicKeyInfo in DER: what a signature by the old key is verified with. */
  readonly publicKey: Uint8Array
}

/** What becomes of one subject. */
export interface SubjectChange {
  /** Whose pins they are, in canonical text: `example.org:1965`. */
  readonly subject: string
  /** All pins that the subject had when this was decided, of every state; their digests and states are compared. */
  readonly expect: readonly Pick<Pin, 'digest' | 'state'>[]
  /** Pins to write. One with the same digest is overwritten whole. */
  readonly put: readonly Pin[]
  /** Digests of pins to delete. */
  readonly remove: readonly Fingerprint[]
}

/** A change of trust, which happens as a whole or not at all. */
export interface PinUpdate {
  readonly changes: readonly SubjectChange[]
  /** What the history is to say. At least one line, so that every update moves the `version`. */
  readonly log: readonly PinChange[]
  readonly remember?: readonly PinnedMaterial[]
  /** Only if the store's version still is this one: for what was decided on all subjects together. */
  readonly atVersion?: number
}

/** Which pins to list. Everything is optional. */
export interface PinListing {
  /** Only subjects that begin with exactly this text. */
  readonly prefix?: string
  /** Only subjects that come after this one. */
  readonly after?: string
  /** At most so many subjects; a subject's pins are never split. */
  readonly limit?: number
}

/** How much `clear` removed, and how much it had to keep. */
export interface ClearedPins {
  /** Subjects that had a pin other than a distrusted mark. */
  readonly subjects: number
  /** Pins removed, of every state. */
  readonly pins: number
  /** Marks `distrusted` that were kept. */
  readonly kept: number
}

/** What to purge. */
export interface PinPurge {
  /** Subjects of which nothing was seen since this instant go. */
  readonly before: Date
  /** Whether subjects with a pin that is `verified` go too. */
  readonly verified: boolean
  /** When this happens, for the history. */
  readonly at: Date
}

/** How much `purge` removed. */
export interface PurgedPins {
  /** Subjects whose pins were removed. */
  readonly subjects: number
  /** Pins removed, of every state. */
  readonly pins: number
  /** Lines of history removed, also of subjects that had no pins any more. */
  readonly lines: number
  /**
   * Whether nothing of all that can be read in the store's files any more. False if another program that reads, or a
   * full disk, stood in the way: another `purge` tries again.
   */
  readonly erased: boolean
}

/**
 * Promises to implement; `checkPinStore` of `tlacacoca/testing` checks each of them by its number.
 *
 * 1. Subjects and digests are compared byte by byte. What is read is what was put: every field, instants to the
 *    millisecond.
 * 2. `update` happens whole or not at all, and answers false, having changed nothing, if any subject's pins are not
 *    those expected, or the version is not `atVersion`. It throws, having changed nothing, if a pin cannot be kept.
 * 3. Updates are serialised, also between processes: of several that expect the same, exactly one answers true.
 * 4. Once an update has answered, everybody who asks sees it, in every process.
 * 5. `lastSeen` gives the instant (milliseconds since the epoch) of a pin that is live (`trusted` or `verified`) and
 *    whose `keyDigest` is known, and undefined for everything else. Undefined means "ask `read`".
 * 6. `seen` rewrites `lastSeen` and counts a day if the two are 24 hours or more apart, and fills in a `notAfter` and a
 *    `keyDigest` that are null; the latter only if the subject has no mark, which may just have been set, unseen by
 *    whoever judged. It changes nothing else, no pin that is not live, and never the version. It may be lost when the
 *    store is busy, full or read-only.
 * 7. `list` and `scan` order by subject, then digest, by the bytes of their UTF-8. `scan` shows one moment, however
 *    long the reading takes.
 * 8. `history` gives the lines logged for a subject, oldest first, also after its pins are gone.
 * 9. `clear` removes everything but the `distrusted` marks and the lines that say when they were set, logs a line
 *    `cleared` for the subject '', and moves the version. What was remembered beside the pins goes too.
 * 10. Whoever cannot answer throws a `StoreError`. A store never answers as if it were empty because it failed.
 * 11. After `close` every method throws `ERR_TLACACOCA_STORE_CLOSED`, except `close`, which may be called again.
 * 12. `purge` removes every subject whose pins were all last seen before an instant and of which none is `verified`, or
 *    it is told not to mind; marks count for nothing and stay. Its lines of history go too, as do those of subjects
 *    without pins of which the last is older than that instant; the lines that say when remaining marks were set stay.
 *    What was remembered beside the pins goes if no pin names it any more. It logs a line `purged` for the subject '' and
 *    moves the version. `erased` says whether the text is gone from where it was kept, or is merely not found any more.
 * 13. What is collected in a `PinStage` is compared and committed as its comments say, labels included.
 */
export interface PinStore {
  /** When a live pin was last seen: the shortest way to recognise a server. */
  lastSeen(subject: string, digest: Fingerprint): Awaitable<number | undefined>
  /** All pins of a subject, of every state, in the order of their digests. */
  read(subject: string): Awaitable<readonly Pin[]>
  /** Changes what is trusted, if all is still as it was when that was decided. Answers whether it was. */
  update(update: PinUpdate): Awaitable<boolean>
  /** Notes that a live pin was presented once more. */
  seen(subject: string, digest: Fingerprint, at: number, material?: SeenMaterial): Awaitable<void>
  /** Pins, of every state, page by page. */
  list(listing?: PinListing): Awaitable<readonly Pin[]>
  /** All pins, in portions that hold whole subjects. */
  scan(): AsyncIterable<readonly Pin[]>
  /** What happened to a subject, the oldest first. */
  history(subject: string): Awaitable<readonly PinChange[]>
  /** A number that moves with every `update`, `clear` and `purge`. */
  version(): Awaitable<number>
  /** Forgets everything but the marks. */
  clear(at: Date): Awaitable<ClearedPins>
  /** Forgets the subjects that were not seen for a long time. */
  purge(purge: PinPurge): Awaitable<PurgedPins>
  /** The public key (SubjectPublicKeyInfo in DER) that was remembered under its digest. */
  publicKey(keyDigest: Fingerprint): Awaitable<Uint8Array | undefined>
  /** The SHA-512 fingerprint that was remembered with a certificate's SHA-256. */
  sha512(digest: Fingerprint): Awaitable<Fingerprint | undefined>
  /** Whether what `list` and `scan` call subjects are not their names, because these are kept as hashes only. */
  readonly hashesNames?: boolean
  /** A faster way for large imports, if the engine has one. */
  stage?(): Awaitable<PinStage>
  /** Lets go of what the store holds. */
  close(): Awaitable<void>
}

/** What a visit can add to a pin that was known by its digest alone. */
export interface SeenMaterial extends PinnedMaterial {
  /** The end of the certificate; null if the pin is of a key, which has certificate after certificate. */
  readonly notAfter: Date | null
}

/**
 * A place beside the pins where an import is collected, so that a million hosts need no memory of their own. Between
 * its calls it holds no lock.
 */
export interface PinStage {
  /** Collects pins. */
  add(pins: readonly StagedPin[]): void
  /** Forgets everything collected so far. */
  reset(): void
  /**
   * Compares with the store as it is now. To be called once, after the last `add`.
   *
   * @param options.skipKnown - Whether a subject is left out if it brings one pin that is live in the store already.
   * @throws {RangeError} If the same digest was collected twice for a subject.
   */
  compare(options: { readonly skipKnown: boolean }): Awaitable<StagedPins>
  /**
   * In one transaction, applies `update` and puts the pins of all fresh subjects, provided that the store has no pins of
   * them still.
   *
   * @returns false, having changed nothing, if anything is not as expected.
   */
  commit(update: PinUpdate): Awaitable<boolean>
  /** Lets go of it, with whatever was collected and not committed. */
  close(): Awaitable<void>
}

/** A pin on its way in. */
export interface StagedPin extends Pin {
  /** A text that comes back with the subject if it is contested, and is not stored. One subject has one label. */
  readonly label?: string
}

/** What was collected, beside what is stored. */
export interface StagedPins {
  /** The version of the store that was compared with. */
  readonly version: number
  /** How many subjects are new to the store and bring live pins only. Nothing is to be decided on them. */
  readonly fresh: number
  /** How many subjects were left out by `skipKnown`. */
  readonly known: number
  /** All the others, in portions. */
  contested(): AsyncIterable<readonly ContestedSubject[]>
  /** Whether a subject was collected. */
  includes(subject: string): boolean
}

/** A subject of an import that needs a decision, with both kinds of pins in the order of their digests. */
export interface ContestedSubject {
  /** Whose pins they are, in canonical text. */
  readonly subject: string
  readonly stored: readonly Pin[]
  readonly incoming: readonly Pin[]
  /** What its pins were labelled with. */
  readonly label?: string
}
