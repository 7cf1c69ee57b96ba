// Where an authority remembers what it has issued. What may be done is decided elsewhere (`signing.ts`, `revoking.ts`); a
// store keeps what was decided, and whatever two signers could race for is one method here: a serial number, a replay, a
// number of a revocation list, a notice.
//
// Instants are milliseconds since the Unix epoch. Serial numbers are lower-case hex of whole octets, without a sign octet.

import type { Certificate } from '../certificate/certificate.ts'
import type { Fingerprint } from '../certificate/fingerprint.ts'
import type { RevocationReason } from '../certificate/revocation-checker.ts'
import type { Awaitable } from '../internal/awaitable.ts'
import type { AuditEvent, NewAuditEvent } from './audit.ts'
import type { CrlEntry } from './crl-encoding.ts'

export type { Awaitable }

/**
 * What has become of a certificate. `pending`: it is about to be signed, or the program was killed while it signed.
 * `held` can become `issued` again; `revoked` is final.
 */
export type IssuedStatus = 'pending' | 'issued' | 'held' | 'revoked'

/** A certificate that is about to be signed. */
export interface NewIssued {
  /** The serial number: lower-case hex of whole octets. No two rows have the same. */
  readonly serial: string
  /** The name of the profile. */
  readonly profile: string
  /** Who asked, as the request said; null if it did not say. */
  readonly clientHash: string | null
  /** `spki-sha256` of the key that is certified. */
  readonly publicKey: Fingerprint
  /** SHA-256 of the request, in hex, by which it is known if it comes again; null if there is none, or it may come again. */
  readonly requestSha256: string | null
  /** SHA-256 of what is about to be signed, in hex. */
  readonly tbsSha256: string
  /** For people: the subject, or the first alternative name. */
  readonly subject: string
  /** The first instant at which the certificate will be valid. */
  readonly notBefore: number
  /** The last one. */
  readonly notAfter: number
  /** The serial number of the certificate that it renews; null if it renews none. */
  readonly renewedFrom: string | null
  /** Who asked, for the audit trail: an address, a fingerprint, a name of your own. */
  readonly requestedBy: string | null
  /** When signing began. */
  readonly createdAt: number
}

/** A certificate in the store. */
export interface IssuedRow extends NewIssued {
  /** What has become of it. */
  readonly status: IssuedStatus
  /** Since when it has this status. */
  readonly statusAt: number
  /** Null as long as it is pending, and for ever if it was never signed. */
  readonly certificate: Certificate | null
  /** Null unless it is revoked. */
  readonly revocation: {
    readonly at: number
    readonly reason: RevocationReason
    readonly invalidityDate: number | null
  } | null
}

/** When the same request counts as sent twice. */
export interface ReplayWindow {
  /** From this instant on. */
  readonly since: number
}

/** What came of the beginning of a signature. */
export type BeginOutcome =
  /** The row is on the disk. */
  | { readonly kind: 'begun' }
  | { readonly kind: 'serial_taken' }
  /** The key was compromised, or blocked for another reason. */
  | { readonly kind: 'key_blocked' }
  /** The certificate that it renews is not `issued`, or not here. */
  | { readonly kind: 'not_renewable' }
  /** The same request, for the same profile and client, has been answered by this one. */
  | { readonly kind: 'replayed'; readonly row: IssuedRow }
  /** The same request is being signed by somebody else right now. */
  | { readonly kind: 'in_progress' }

/** What came of its end. */
export type CompleteOutcome =
  /** It is issued. `noticeId`: what `postsign` is to be told; null if nobody is. */
  | { readonly kind: 'completed'; readonly noticeId: number | null }
  /** It was given up meanwhile. It must not be handed out. */
  | { readonly kind: 'not_pending' }

/** What is said about a revocation. */
export interface Revocation {
  /** Of the certificate. */
  readonly serial: string
  /** When it is revoked. */
  readonly at: number
  /** Why; it is told in revocation lists. */
  readonly reason: RevocationReason
  /** Since when the key is, or may be, in other hands; null if nobody has said so. */
  readonly invalidityDate: number | null
  /** Who does it, for the audit trail; null if that is not known. */
  readonly by: string | null
  /** Whether every other certificate of the same key is revoked too, and the key blocked. */
  readonly withKey: boolean
}

/** What came of a revocation. */
export type RevokeOutcome =
  /** The serial numbers that were revoked by this, the one that was asked for first. */
  | { readonly kind: 'revoked'; readonly serials: readonly string[] }
  | { readonly kind: 'already_revoked' }
  | { readonly kind: 'unknown' }

/** What came of a hold: what the certificate was, or that it is no such certificate. */
export interface HoldOutcome {
  readonly kind: 'held' | 'already_held' | 'revoked' | 'unknown'
}

/** What came of a release. */
export interface ReleaseOutcome {
  readonly kind: 'released' | 'not_held' | 'unknown'
}

/** What is said about a hold or a release. */
export interface StatusChange {
  /** Of the certificate. */
  readonly serial: string
  /** When. */
  readonly at: number
  /** Who does it, for the audit trail; null if that is not known. */
  readonly by: string | null
}

/** A revocation list that was begun: its number is taken, whatever becomes of it. */
export interface BegunCrl {
  /** Greater than that of every list before. */
  readonly number: bigint
  /** What has to stand in it. */
  readonly entries: readonly CrlEntry[]
}

/** A revocation list that was signed. */
export interface StoredCrl {
  /** Its number (RFC 5280 section 5.2.3). */
  readonly number: bigint
  /** When it was made. */
  readonly thisUpdate: number
  /** By when there will be another. */
  readonly nextUpdate: number
  /** The list, signed. */
  readonly der: Uint8Array
}

/** Something that `postsign` has not been told yet, or not with success. */
export interface IssuedNotice {
  /** Names it in `settleNotice` and `postponeNotice`. */
  readonly id: number
  /** Of the certificate that was issued. */
  readonly serial: string
  /** How often it was tried before. */
  readonly attempts: number
}

/** Which certificates to list. All of what is given must be so. */
export interface IssuedFilter {
  /** Those that are so now. */
  readonly status?: IssuedStatus
  /** Those of the profile of this name. */
  readonly profile?: string
  /** Those that were asked for under this client hash. */
  readonly clientHash?: string
  /** Those for this key. */
  readonly publicKey?: Fingerprint
  /** Those that expire at this instant or earlier. */
  readonly expiresBy?: number
}

/**
 * Keeps the issued certificates of one authority. Promises to implement:
 *
 * 1. What cannot be read or written throws or rejects. "There is none" is an answer and not a failure.
 * 2. Each method that writes happens whole or not at all, with its event in the audit trail if it changed what becomes of
 *    a certificate, a key or a list, and looks and writes in one step: of several that exclude each other, one happens,
 *    also between processes.
 * 3. `begin` has put the row on the disk, safe from a power cut, when it answers, and so has whatever else changes a row,
 *    a key or a list. No two rows have one serial number.
 * 4. Within the window, of equal requests (same SHA-256, profile and client hash) one begins. The others get what came of
 *    it: the row, or `in_progress`. One that is held, was revoked or given up answers nobody.
 * 5. A row becomes `issued` once, from `pending`, by `complete`; then it has its certificate. `abandonPending` revokes rows
 *    that have been pending since before an instant; they are listed like all that are revoked.
 * 6. `revoked` is final. Only what is `held` is released. No row is ever deleted.
 * 7. A key that is blocked begins nothing, and what was pending for it is given up. Revoking with the key revokes all that
 *    it has, pending or not, and blocks it.
 *    A renewal begins only while what it renews is `issued`: not once it was held or revoked.
 * 8. Numbers of revocation lists only grow, also after a crash and between processes. A list has what was revoked or held
 *    when it was begun, but for what was on the last completed list already, and had expired before that list, and has
 *    expired by now.
 * 9. `currentCrl` is the completed list with the greatest number, which is completed once; null as soon as something was
 *    revoked, held or released since it was begun.
 * 10. A notice is given to one caller at a time: `claimNotices` gives it to nobody else before `until`, unless it is postponed
 *    to an earlier instant. One is there from `complete` on until it is settled; after a power cut one that was settled may
 *    come back.
 * 11. The audit trail is append-only, and each event is chained to the one before it.
 * 12. After `close`, everything fails with a `StoreError` STORE_CLOSED. Closing again does nothing.
 */
export interface IssuedStore {
  /**
   * Writes down that a certificate is about to be signed, unless something stands against it.
   *
   * @param replay - When an equal request counts as sent twice; null if it may come again.
   */
  begin(row: NewIssued, replay: ReplayWindow | null): Awaitable<BeginOutcome>
  /**
   * Writes down that a certificate has been signed.
   *
   * @param notifyAt - From when on others may tell `postsign`, if this caller has not; null if nobody is to be told.
   */
  complete(serial: string, certificate: Certificate, at: number, notifyAt: number | null): Awaitable<CompleteOutcome>
  /**
   * Gives up what has been about to be signed since before an instant.
   *
   * @returns How many were given up.
   */
  abandonPending(before: number, at: number): Awaitable<number>

  /** The certificate of a serial number; null if there is none. */
  get(serial: string): Awaitable<IssuedRow | null>
  /** In the order in which they were begun. */
  list(filter: IssuedFilter): AsyncIterable<IssuedRow>

  /** Revokes a certificate that is issued or held. */
  revoke(revocation: Revocation): Awaitable<RevokeOutcome>
  /** Takes a certificate back for a while. The answer says what it is now, or that it is no such certificate. */
  hold(change: StatusChange): Awaitable<HoldOutcome>
  /** Ends a hold. */
  release(change: StatusChange): Awaitable<ReleaseOutcome>
  /** Sees to it that nothing is issued for a key any more. For one that is blocked it does nothing. */
  blockKey(key: { readonly publicKey: Fingerprint; readonly at: number; readonly by: string | null }): Awaitable<void>
  /** Whether that is so. */
  isKeyBlocked(publicKey: Fingerprint): Awaitable<boolean>

  /** Takes the number of the next revocation list, and tells what has to stand in it. */
  beginCrl(at: number): Awaitable<BegunCrl>
  /** Keeps a list that was begun and has been signed. */
  completeCrl(crl: StoredCrl): Awaitable<void>
  /** The last list, as long as nothing has changed since it was begun. */
  currentCrl(): Awaitable<StoredCrl | null>

  /** Notices that are due, the one that has been due for longest first. */
  claimNotices(at: number, until: number, limit: number): Awaitable<readonly IssuedNotice[]>
  /** Forgets a notice: `postsign` has been told. */
  settleNotice(id: number): Awaitable<void>
  /** Gives a notice back, to be due at an instant. */
  postponeNotice(id: number, until: number): Awaitable<void>

  /** Adds an event of your own to the audit trail. */
  record(event: NewAuditEvent): Awaitable<AuditEvent>
  /** The audit trail, from its beginning, or after a position. */
  auditTrail(after?: number): AsyncIterable<AuditEvent>

  /** Lets go of what the store holds. */
  close(): Awaitable<void>
}
