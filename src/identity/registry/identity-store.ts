// Where users and their certificates are kept. What may be done is decided elsewhere (`identity-registry.ts`); a store
// keeps what was decided, and its one hard duty is that nothing changes between looking and writing. So whatever two
// people could race for is one method here: a handle, a code, the last certificate.
//
// A store sees no secrets and no certificates. Certificates, public keys, handles and codes come as keyed digests, which
// are texts without meaning to it. Instants are milliseconds since the Unix epoch, days are whole days since it, in UTC.

import type { Fingerprint } from '../../certificate/fingerprint.ts'

/** A value, or a promise of it. Whoever implements a store may answer at once; whoever calls it must await. */
export type Awaitable<T> = T | Promise<T>

/** Whether a certificate opens its user's account. What is `superseded` or `revoked` never becomes `active` again. */
export type CredentialStatus = 'active' | 'superseded' | 'revoked'

/** How a certificate came to its user. */
export type CredentialSource = 'register' | 'code' | 'approval' | 'rotation' | 'same_key' | 'recovery'

/** What a request waits for: a yes of the user's, or a no that does not come. */
export type LinkKind = 'approval' | 'recovery'

export interface StoredUser {
  readonly id: string
  /** As it is shown; null if there is none, or the user was erased. */
  readonly handle: string | null
  readonly createdAt: number
  readonly erasedAt: number | null
  readonly lastSeenDay: number | null
}

/** A certificate that asks to be one of a user's. */
export interface NewCredential {
  readonly id: string
  /** What the certificate is recognised by. No two credentials have the same, whatever became of them. */
  readonly certificate: string
  readonly publicKey: string
  /** To be shown; null if the registry keeps none in the clear. */
  readonly fingerprint: Fingerprint | null
  readonly label: string | null
  readonly notBefore: number
  readonly notAfter: number
}

export interface StoredCredential extends NewCredential {
  readonly userId: string
  readonly source: CredentialSource
  /** The credential that vouched for it, if one did. */
  readonly addedBy: string | null
  readonly createdAt: number
  readonly lastSeenDay: number | null
  readonly status: CredentialStatus
  readonly statusAt: number
  /** The credential that it supersedes once it has been used; null if there is none, or that is done. */
  readonly replaces: string | null
}

/** A certificate that waits to be one of a user's. */
export interface StoredLink {
  readonly id: string
  readonly kind: LinkKind
  /** The credential that made the recovery code; null for a request that waits for a yes. */
  readonly vouchedBy: string | null
  /** Null if nobody has the handle that was asked for: it waits all the same, for an answer that never comes. */
  readonly userId: string | null
  readonly credential: NewCredential
  readonly requestedAt: number
  /** When a recovery may be claimed; null for a request that waits for a yes. */
  readonly readyAt: number | null
  /** When it is as if it had never been. */
  readonly expiresAt: number
}

/** What a code does: another certificate beside the one that made it, or in its place. */
export type LinkCodeKind = 'add' | 'replace'

export interface NewLinkCode {
  /** The keyed digest of the code. */
  readonly code: string
  readonly kind: LinkCodeKind
  /** The credential that made it. */
  readonly by: string
  /** The server it is for, as `host:port`. */
  readonly origin: string
  readonly at: number
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

export interface StoredEvent {
  readonly at: number
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

export interface Registration {
  readonly userId: string
  readonly handle: { readonly shown: string; readonly key: string } | null
  readonly credential: NewCredential
  readonly at: number
}

export interface Redemption {
  readonly code: string
  readonly origin: string
  readonly credential: NewCredential
  readonly at: number
}

export interface LinkRequest {
  readonly id: string
  /** Perhaps nobody's. */
  readonly handleKey: string
  readonly credential: NewCredential
  readonly at: number
  readonly expiresAt: number
}

export interface RecoveryRequest extends LinkRequest {
  /** The keyed digest of a recovery code, perhaps of none. */
  readonly code: string
  /** When it may be claimed, if the user has a certificate that is still good. */
  readonly readyAt: number
  /** A certificate whose last instant is before this one is no longer good. */
  readonly usableFrom: number
}

export interface Rotation {
  /** What the old certificate may be known by. */
  readonly from: CertificateMarks
  /** The only user it is meant for; null for whoever has the certificate. */
  readonly userId: string | null
  readonly nonce: string
  readonly nonceExpiresAt: number
  readonly credential: NewCredential
  readonly at: number
}

export interface Revocation {
  readonly credentialId: string
  /** The credential by which it is done; null for the operator of the site. */
  readonly by: string | null
  readonly at: number
  /** A certificate whose last instant is before this one is no longer good. */
  readonly usableFrom: number
  /** What to do if no good certificate would be left. */
  readonly ifLast: 'refuse' | 'if_recoverable' | 'revoke'
}

/** That a credential was seen on a day. */
export interface SeenCredential {
  readonly credentialId: string
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
  settle(name: string, value: string): Awaitable<string>
  /** What is known of a certificate. Asked for every request. */
  find(marks: CertificateMarks, at: number): Awaitable<Sighting>
  account(userId: string, at: number): Awaitable<StoredAccount | null>
  userByHandle(handleKey: string): Awaitable<StoredUser | null>
  /** Active credentials that end within a time, both ends included, those that end first in front. */
  expiring(from: number, until: number, limit: number): Awaitable<readonly Linked[]>

  register(registration: Registration): Awaitable<LinkedOutcome | NothingChanged<'already_linked' | 'handle_taken'>>
  rename(credentialId: string, userId: string, label: string | null): Awaitable<boolean>
  addLinkCode(code: NewLinkCode): Awaitable<Happened<'added'> | NothingChanged<'not_active'>>
  redeemLinkCode(redemption: Redemption): Awaitable<LinkedOutcome | NothingChanged<'already_linked' | 'invalid'>>
  completeReplacement(credentialId: string, at: number): Awaitable<void>
  /** A request of the same certificate that waits already is replaced, unless it is a recovery. */
  requestLink(
    request: LinkRequest,
  ): Awaitable<{ readonly kind: 'waiting'; readonly link: StoredLink } | NothingChanged<'already_linked'>>
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
  renew(
    credential: NewCredential,
    at: number,
  ): Awaitable<LinkedOutcome | NothingChanged<'already_linked' | 'not_found'>>
  rotate(
    rotation: Rotation,
  ): Awaitable<LinkedOutcome | NothingChanged<'already_linked' | 'not_found' | 'other_user' | 'used'>>
  revoke(
    revocation: Revocation,
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
  recover(
    request: RecoveryRequest,
  ): Awaitable<
    | LinkedOutcome
    | { readonly kind: 'waiting'; readonly link: StoredLink }
    | NothingChanged<'already_linked' | 'invalid'>
  >
  claimRecovery(certificate: string, at: number): Awaitable<LinkedOutcome | NothingChanged<'not_found'>>
  touch(userId: string, day: number, seen: readonly SeenCredential[]): Awaitable<void>
  erase(userId: string, at: number): Awaitable<boolean>
  prune(at: number, eventsBefore: number): Awaitable<void>
  close(): Awaitable<void>
}
