// Users and their certificates as programs see them: without digests, with dates.

import type { Fingerprint } from '../../certificate/fingerprint.ts'
import { codeOf } from './code.ts'
import type {
  CredentialSource,
  CredentialStatus,
  IdentityHistoryEvent,
  LinkKind,
  StoredAccount,
  StoredCredential,
  StoredEvent,
  StoredLink,
  StoredUser,
} from './identity-store.ts'

/** Somebody with an account. */
export interface User {
  /** Names the user for ever, in other tables say. It means nothing and is no secret. */
  readonly id: string
  /** In lower case; null if there is none. */
  readonly handle: string | null
  /** When the user registered. */
  readonly createdAt: Date
  /** The day (its first instant, in UTC) of the last visit that was noted. */
  readonly lastSeen: Date | null
}

/** A certificate of a user's. */
export interface Credential {
  /** Names it in calls such as `rename` and `revoke`. Nobody else's credential has it. */
  readonly id: string
  /** Null in a registry with a pepper. */
  readonly fingerprint: Fingerprint | null
  /** What the user calls it: `phone`. */
  readonly label: string | null
  /** How it came to the user. */
  readonly source: CredentialSource
  /** The id of the credential that vouched for it: by its code, its yes, its key. Null if there is none. */
  readonly addedBy: string | null
  /** The first instant at which the certificate is valid. */
  readonly notBefore: Date
  /** The last one. The policy may let it in for a while longer. */
  readonly notAfter: Date
  /** When it became the user's. */
  readonly createdAt: Date
  /** The day (its first instant, in UTC) of the last visit with it that was noted; null if there was none. */
  readonly lastSeen: Date | null
  /** Whether it opens the account. */
  readonly status: CredentialStatus
  /** Since when it has this status. */
  readonly statusAt: Date
}

/** A certificate that waits to be a user's. */
export interface PendingLink {
  /** Names it in `approveLink` and `rejectLink`. */
  readonly id: string
  /** It waits for a yes (`approval`), or for a veto that does not come (`recovery`). */
  readonly kind: LinkKind
  /**
   * Eight characters that are the same for whoever asks and whoever is asked. Show them on both sides: then nobody says
   * yes to somebody else's request.
   */
  readonly comparison: string
  /** Of the certificate that waits; null in a registry with a pepper. */
  readonly fingerprint: Fingerprint | null
  /** When it asked. */
  readonly requestedAt: Date
  /** From when on a recovery opens the account; null for an approval. */
  readonly readyAt: Date | null
  /** From this instant on it is as if it had never asked. */
  readonly expiresAt: Date
}

/** What a user gets to see of the own account. */
export interface Account {
  /** Whose it is. */
  readonly user: User
  /** Of every status, the oldest first. */
  readonly credentials: readonly Credential[]
  /** What waits for a yes, or for the end of a recovery, the oldest first. */
  readonly pending: readonly PendingLink[]
  /** How many have not been used. None were made, or all are used, if it is 0. */
  readonly recoveryCodesLeft: number
}

/** A user and the certificate that became theirs. */
export interface LinkedIdentity {
  readonly user: User
  readonly credential: Credential
}

/** Something that happened to a user. */
export interface IdentityHistoryLine {
  /** When it happened. */
  readonly at: Date
  readonly event: IdentityHistoryEvent
  /** The credential it happened to, or by which it was done; null for neither. */
  readonly credentialId: string | null
}

/** Everything that is kept about a user, as plain data for JSON; instants are ISO 8601. */
export interface ExportedUser {
  /** Of this format. */
  readonly version: 1
  /** The user; `lastSeen` is a day. */
  readonly user: {
    readonly id: string
    readonly handle: string | null
    readonly createdAt: string
    readonly lastSeen: string | null
  }
  /** Of every status, the oldest first; `lastSeen` is a day. */
  readonly credentials: readonly {
    readonly id: string
    readonly fingerprint: string | null
    readonly label: string | null
    readonly source: string
    readonly addedBy: string | null
    readonly notBefore: string
    readonly notAfter: string
    readonly createdAt: string
    readonly lastSeen: string | null
    readonly status: string
    readonly statusAt: string
  }[]
  /** What waits for a yes, or for the end of a recovery. */
  readonly pending: readonly { readonly kind: string; readonly requestedAt: string; readonly expiresAt: string }[]
  /** How many have not been used. The codes themselves are not kept. */
  readonly recoveryCodesLeft: number
  /** What happened, the oldest first. */
  readonly events: readonly { readonly at: string; readonly event: string; readonly credentialId: string | null }[]
}

export const DAY_MS = 86_400_000

/** @internal */
export function userOf({ id, handle, createdAt, lastSeenDay }: StoredUser): User {
  return Object.freeze({ id, handle, createdAt: new Date(createdAt), lastSeen: dayOf(lastSeenDay) })
}

/** @internal */
export function credentialOf(stored: StoredCredential): Credential {
  const { id, fingerprint, label, source, addedBy, status } = stored
  return Object.freeze({
    id,
    fingerprint,
    label,
    source,
    addedBy,
    notBefore: new Date(stored.notBefore),
    notAfter: new Date(stored.notAfter),
    createdAt: new Date(stored.createdAt),
    lastSeen: dayOf(stored.lastSeenDay),
    status,
    statusAt: new Date(stored.statusAt),
  })
}

/** @internal */
export function pendingOf({ id, kind, credential, requestedAt, readyAt, expiresAt }: StoredLink): PendingLink {
  return Object.freeze({
    id,
    kind,
    comparison: codeOf(Buffer.from(credential.certificate, 'base64url').subarray(0, 8)),
    fingerprint: credential.fingerprint,
    requestedAt: new Date(requestedAt),
    readyAt: readyAt === null ? null : new Date(readyAt),
    expiresAt: new Date(expiresAt),
  })
}

/** @internal */
export function lineOf({ at, event, credentialId }: StoredEvent): IdentityHistoryLine {
  return { at: new Date(at), event, credentialId }
}

/** @internal */
export function exportOf({ user, credentials, links, recoveryCodes, events }: StoredAccount): ExportedUser {
  return {
    version: 1,
    user: {
      id: user.id,
      handle: user.handle,
      createdAt: iso(user.createdAt),
      lastSeen: isoDay(user.lastSeenDay),
    },
    credentials: credentials.map((each) => ({
      id: each.id,
      fingerprint: each.fingerprint,
      label: each.label,
      source: each.source,
      addedBy: each.addedBy,
      notBefore: iso(each.notBefore),
      notAfter: iso(each.notAfter),
      createdAt: iso(each.createdAt),
      lastSeen: isoDay(each.lastSeenDay),
      status: each.status,
      statusAt: iso(each.statusAt),
    })),
    pending: links.map((each) => ({
      kind: each.kind,
      requestedAt: iso(each.requestedAt),
      expiresAt: iso(each.expiresAt),
    })),
    recoveryCodesLeft: recoveryCodes,
    events: events.map(({ at, event, credentialId }) => ({ at: iso(at), event, credentialId })),
  }
}

function dayOf(day: number | null): Date | null {
  return day === null ? null : new Date(day * DAY_MS)
}

function iso(at: number): string {
  return new Date(at).toISOString()
}

function isoDay(day: number | null): string | null {
  return day === null ? null : iso(day * DAY_MS).slice(0, 10)
}
