// Where users and their certificates are kept. What may be done is decided elsewhere (`identity-registry.ts`); a store
// keeps what was decided, and its one hard duty is that nothing changes between looking and writing. So whatever two
// people could race for is one method here: a handle, a code, the last certificate.
//
// A store sees no secrets and no certificates. Certificates, public keys, handles and codes come as keyed digests, which
// are texts without meaning to it. Instants are milliseconds since the Unix epoch, days are whole days since it, in UTC.

import type { Fingerprint } from '../../certificate/fingerprint.ts'
import type { Awaitable } from '../../internal/awaitable.ts'

export type { Awaitable }

/** Whether a certificate opens its user's account. What is `superseded` or `revoked` never becomes `active` again. */
export type CredentialStatus = 'active' | 'superseded' | 'revoked'

/** How a certificate came to its user. */
export type CredentialSource = 'register' | 'code' | 'approval' | 'rotation' | 'same_key' | 'recovery'

/** What a request waits for: a yes of the user's, or a no that does not come. */
export type LinkKind = 'approval' | 'recovery'

/** A user as a store keeps it. */
export interface StoredUser {
  /** Given by the registry. It is never given to anybody else. */
  readonly id: string
  /** As it is shown; null if there is none, or the user was erased. */
  readonly handle: string | null
  /** When the user registered. */
  readonly createdAt: number
  /** Null unless the user was erased; then nothing but the id is left. */
  readonly erasedAt: number | null
  /** The last day of which a visit was noted; null if there was none. */
  readonly lastSeenDay: number | null
}

/** A certificate that asks to be one of a user's. */
export interface NewCredential {
  /** Given by the registry. */
  readonly id: string
  /** What the certificate is recognised by. No two credentials have the same, whatever became of them. */
  readonly certificate: string
  /** The keyed digest of its public key, by which a renewal is found. */
  readonly publicKey: string
  /** To be shown; null if the registry keeps none in the clear. */
  readonly fingerprint: Fingerprint | null
  /** What the user calls it; null if nothing. */
  readonly label: string | null
  /** The first instant at which the certificate is valid. */
  readonly notBefore: number
  /** The last one. */
  readonly notAfter: number
}

/** A credential as a store keeps it. */
export interface StoredCredential extends NewCredential {
  /** Whose it is, for ever. */
  readonly userId: string
  readonly source: CredentialSource
  /** The credential that vouched for it, if one did. */
  readonly addedBy: string | null
  /** When it became the user's. */
  readonly createdAt: number
  /** The last day of which a visit with it was noted; null if there was none. */
  readonly lastSeenDay: number | null
  readonly status: CredentialStatus
  /** Since when it has this status. */
  readonly statusAt: number
  /** The credential that it supersedes once it has been used; null if there is none, or that is done. */
  readonly replaces: string | null
}

/** A certificate that waits to be one of a user's. */
export interface StoredLink {
  /** Given by the registry. Whoever says yes or no names it. */
  readonly id: string
  readonly kind: LinkKind
  /** The credential that made the recovery code; null for a request that waits for a yes. */
  readonly vouchedBy: string | null
  /** Null if nobody has the handle that was asked for: it waits all the same, for an answer that never comes. */
  readonly userId: string | null
  readonly credential: NewCredential
  /** When the certificate asked. */
  readonly requestedAt: number
  /** When a recovery may be claimed; null for a request that waits for a yes. */
  readonly readyAt: number | null
  /** When it is as if it had never been. */
  readonly expiresAt: number
}

/** What a code does: another certificate beside the one that made it, or in its place. */
export type LinkCodeKind = 'add' | 'replace'

/** A code that is about to be shown to its user. */
export interface NewLinkCode {
  /** The keyed digest of the code. */
  readonly code: string
  readonly kind: LinkCodeKind
  /** The credential that made it. */
  readonly by: string
  /** The server it is for, as `host:port`. */
  readonly origin: string
  /** When it was made. */
  readonly at: number
  /** From this instant on it is good for nothing. */
  readonly expiresAt: number
}

/** What happened to a user. */
export type IdentityHistoryEvent =
  | 'registered'
  | 'code_made'
  | 'linked'
  | 'link_rejected'
  | 'superseded'
  | 'revoked'
  | 'recovery_codes_made'
  | 'recovery_started'
  | 'recovery_vetoed'
  | 'erased'

/** Something that happened to a user, as a store keeps it. */
export interface StoredEvent {
  /** When it happened. */
  readonly at: number
  /** To whom. */
  readonly userId: string
  /** The credential it happened to, or by which it was done. */
  readonly credentialId: string | null
  readonly event: IdentityHistoryEvent
}

/** A user and one of their credentials. */
export interface Linked {
  readonly user: StoredUser
  readonly credential: StoredCredential
}

/** A credential that was found, and what waits for its user. */
export interface CredentialMatch extends Linked {
  /** How many requests wait for a yes. */
  readonly approvals: number
  /** How many recoveries can still be vetoed. */
  readonly recoveries: number
}

/** What a certificate may be known by. */
export interface CertificateMarks {
  /** In the order of preference. */
  readonly certificates: readonly string[]
  /** The keyed digest of its public key. */
  readonly publicKey: string
}

/** What is known of a certificate. */
export interface Sighting {
  /** The credentials that its marks are of, in the order of the marks. */
  readonly matches: readonly CredentialMatch[]
  /** If there is no match: the request of this certificate that waits. */
  readonly link: StoredLink | null
  /**
   * If there is no match: an active credential with the same public key, provided that one user alone has active
   * credentials with it, and that none with it, of whomever, was revoked.
   */
  readonly sameKey: Linked | null
}

/** Everything about a user at one moment. */
export interface StoredAccount {
  readonly user: StoredUser
  /** Of every status, the oldest first. */
  readonly credentials: readonly StoredCredential[]
  /** Those that have not expired, the oldest first. */
  readonly links: readonly StoredLink[]
  /** How many recovery codes are left. */
  readonly recoveryCodes: number
  /** The oldest first. */
  readonly events: readonly StoredEvent[]
}

/** The certificate became the user's. */
export type LinkedOutcome = { readonly kind: 'linked' } & Linked

/** It happened, and there is no more to say. */
export interface Happened<What extends string> {
  readonly kind: What
}

/** Nothing was changed, and why. */
export interface NothingChanged<Reason extends string> {
  readonly kind: Reason
}

/** A certificate that is to have an account of its own. */
export interface Registration {
  /** The id of the user to be. */
  readonly userId: string
  /** The handle as it is shown, and the text by which it is reserved together with all that look like it; or none. */
  readonly handle: { readonly shown: string; readonly key: string } | null
  readonly credential: NewCredential
  /** When it is asked for. */
  readonly at: number
}

/** A link code that somebody has entered, and the certificate that came with it. */
export interface Redemption {
  /** The keyed digest of what was entered, perhaps of no code at all. */
  readonly code: string
  /** The server at which it was entered, as `host:port`. */
  readonly origin: string
  readonly credential: NewCredential
  /** When. */
  readonly at: number
}

/** A certificate that asks to be let into an account by its owner. */
export interface LinkRequest {
  /** The id of the request. */
  readonly id: string
  /** Perhaps nobody's. */
  readonly handleKey: string
  readonly credential: NewCredential
  /** When it is asked for. */
  readonly at: number
  /** From this instant on it is as if nobody had asked. */
  readonly expiresAt: number
}

/** A certificate that asks to be let into an account by a recovery code. */
export interface RecoveryRequest extends LinkRequest {
  /** The keyed digest of a recovery code, perhaps of none. */
  readonly code: string
  /** When it may be claimed, if the user has a certificate that is still good. */
  readonly readyAt: number
  /** A certificate whose last instant is before this one is no longer good. */
  readonly usableFrom: number
}

/** A statement that was signed with the old key, already verified, and the certificate that it speaks for. */
export interface Rotation {
  /** What the old certificate may be known by. */
  readonly from: CertificateMarks
  /** The only user it is meant for; null for whoever has the certificate. */
  readonly userId: string | null
  /** What makes the statement good for one time only. */
  readonly nonce: string
  /** Until then the nonce has to be remembered: the statement is good for no longer. */
  readonly nonceExpiresAt: number
  readonly credential: NewCredential
  /** When it was handed in. */
  readonly at: number
}

/** A credential that is to be revoked. */
export interface CredentialRevocation {
  /** Which one. */
  readonly credentialId: string
  /** The credential by which it is done; null for the operator of the site. */
  readonly by: string | null
  /** When. */
  readonly at: number
  /** A certificate whose last instant is before this one is no longer good. */
  readonly usableFrom: number
  /** What to do if no good certificate would be left. */
  readonly ifLast: 'refuse' | 'if_recoverable' | 'revoke'
}

/** That a credential was seen on a day. */
export interface SeenCredential {
  /** Which one. */
  readonly credentialId: string
  /** The day of the visit, as whole days since 1970. */
  readonly day: number
  /** The end of the certificate that was shown. One from an authority is renewed without a word. */
  readonly notAfter: number
}

/**
 * Promises to implement; `checkIdentityStore` of `tlacacoca/testing` checks each of them by its number.
 *
 * 1. What is read is what was written, every field of it. Texts are compared byte by byte.
 * 2. Each method that writes happens whole or not at all, and looks and writes in one step: of several that exclude each
 *    other, one happens, also between processes. What it answers is what holds when it answers, for everybody.
 * 3. A certificate belongs to one credential for ever. A handle belongs to one user for ever, also after `erase`. Rows of
 *    credentials are never deleted, and none becomes active again.
 * 4. A certificate that becomes a credential waits for nothing any more: its link is gone.
 * 5. `settle` keeps the first value given for a name, and answers the value that is kept.
 * 6. A link code is redeemed at most once, before it expires, at its origin, and only while the credential that made it
 *    is active. A redemption that fails for another reason than the code leaves the code as it was.
 * 7. A credential that replaces another one supersedes it at `completeReplacement`, not before.
 * 8. A request is approved, rejected or vetoed by an active credential of the user it is for, and by nobody else.
 *    `requestLink` and `recover` do the same work for a handle that nobody has.
 * 9. A recovery code is good once, for its own user. The certificate waits until `readyAt`, unless the user has no active
 *    credential that is good at `usableFrom`; it becomes a credential by `claimRecovery` if nobody has vetoed it.
 * 10. Only an active credential is rotated or renewed, a nonce is used once, and never with a public key of which a
 *    credential was revoked. What was rotated or renewed is superseded in the same step, with every other active
 *    credential of the user that has its public key.
 * 11. `revoke` revokes every active credential of the user with the same public key as well, and makes its link codes
 *    useless. While the user keeps a good credential, its recovery codes are useless too, and the recoveries that were
 *    begun with them are over. If none would be left it does as `ifLast` says.
 * 12. `erase` keeps of a user that there was one, the key of the handle, and the certificates; those are revoked.
 * 13. `touch` writes if the user was not seen on that day or a later one, and is lost rather than waited for.
 * 14. `prune` removes what has expired and the events before an instant, and nothing else.
 * 15. Whoever cannot answer throws a `StoreError`; a store never answers as if it were empty because it failed. After
 *    `close` every method throws `ERR_TLACACOCA_STORE_CLOSED`, except `close`, which may be called again.
 */
export interface IdentityStore {
  /**
   * Keeps a value for a name, unless there is one.
   *
   * @returns The value that is kept.
   */
  settle(name: string, value: string): Awaitable<string>
  /** What is known of a certificate. Asked for every request. */
  find(marks: CertificateMarks, at: number): Awaitable<Sighting>
  /** Everything about a user; null if there is none of this id. */
  account(userId: string, at: number): Awaitable<StoredAccount | null>
  /** The user who has a handle, or had it; null if nobody did. */
  userByHandle(handleKey: string): Awaitable<StoredUser | null>
  /** Active credentials that end within a time, both ends included, those that end first in front. */
  expiring(from: number, until: number, limit: number): Awaitable<readonly Linked[]>

  /** Makes a user with one credential. */
  register(registration: Registration): Awaitable<LinkedOutcome | NothingChanged<'already_linked' | 'handle_taken'>>
  /**
   * Changes what a user calls a credential.
   *
   * @returns False if the user has no such credential, or was erased.
   */
  rename(credentialId: string, userId: string, label: string | null): Awaitable<boolean>
  /** Keeps a code, if the credential that made it is active. */
  addLinkCode(code: NewLinkCode): Awaitable<Happened<'added'> | NothingChanged<'not_active'>>
  /** Makes the certificate a credential of the user whose code it is, and the code useless. */
  redeemLinkCode(redemption: Redemption): Awaitable<LinkedOutcome | NothingChanged<'already_linked' | 'invalid'>>
  /** Supersedes the credential that this one replaces, if there is one: it has been used for the first time. */
  completeReplacement(credentialId: string, at: number): Awaitable<void>
  /** A request of the same certificate that waits already is replaced, unless it is a recovery. */
  requestLink(
    request: LinkRequest,
  ): Awaitable<{ readonly kind: 'waiting'; readonly link: StoredLink } | NothingChanged<'already_linked'>>
  /** Makes the certificate that waits a credential of the user who says yes. */
  approveLink(
    linkId: string,
    by: string,
    label: string | null,
    at: number,
  ): Awaitable<LinkedOutcome | NothingChanged<'not_found' | 'not_active'>>
  /** Rejects a request, or vetoes a recovery. */
  rejectLink(
    linkId: string,
    by: string,
    at: number,
  ): Awaitable<Happened<'rejected' | 'vetoed'> | NothingChanged<'not_found' | 'not_active'>>
  /**
   * Makes a new certificate for the key of an active credential a credential of the same user, in place of all with
   * that key.
   */
  renew(
    credential: NewCredential,
    at: number,
  ): Awaitable<LinkedOutcome | NothingChanged<'already_linked' | 'not_found'>>
  /** Makes a certificate a credential in place of the one that speaks for it. */
  rotate(
    rotation: Rotation,
  ): Awaitable<LinkedOutcome | NothingChanged<'already_linked' | 'not_found' | 'other_user' | 'used'>>
  /**
   * Revokes a credential, and those with the same key.
   *
   * @returns The user, and the credentials that were revoked by this.
   */
  revoke(
    revocation: CredentialRevocation,
  ): Awaitable<
    | { readonly kind: 'revoked'; readonly userId: string; readonly credentialIds: readonly string[] }
    | NothingChanged<'not_found' | 'not_active' | 'last' | 'not_recoverable'>
  >
  /** Replaces all recovery codes of a user. */
  putRecoveryCodes(
    by: string,
    codes: readonly string[],
    at: number,
  ): Awaitable<Happened<'stored'> | NothingChanged<'not_active'>>
  /** Uses a recovery code: the certificate waits, or becomes a credential at once where nobody could object. */
  recover(
    request: RecoveryRequest,
  ): Awaitable<
    | LinkedOutcome
    | { readonly kind: 'waiting'; readonly link: StoredLink }
    | NothingChanged<'already_linked' | 'invalid'>
  >
  /** Makes a certificate a credential whose recovery has waited long enough, and was not vetoed. */
  claimRecovery(certificate: string, at: number): Awaitable<LinkedOutcome | NothingChanged<'not_found'>>
  /** Notes that a user, and some of the credentials, were seen on a day. */
  touch(userId: string, day: number, seen: readonly SeenCredential[]): Awaitable<void>
  /**
   * Forgets a user as far as that can be.
   *
   * @returns False if there is none of this id, or no more.
   */
  erase(userId: string, at: number): Awaitable<boolean>
  /** Removes what has expired, and events that are older than an instant. */
  prune(at: number, eventsBefore: number): Awaitable<void>
  /** Lets go of what the store holds. */
  close(): Awaitable<void>
}
