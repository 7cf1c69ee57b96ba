// The way from rows to users, credentials and links. Whole numbers of 64 bits come as texts from some clients.

import type { Fingerprint } from '../certificate/fingerprint.ts'
import type {
  CredentialMatch,
  CredentialSource,
  CredentialStatus,
  IdentityHistoryEvent,
  LinkCodeKind,
  LinkKind,
  NewCredential,
  NewLinkCode,
  StoredCredential,
  StoredEvent,
  StoredLink,
  StoredUser,
} from '../identity/registry/identity-store.ts'
import type { Row } from './database.ts'

export const USER = 'id, handle, created_at, erased_at, last_seen_day'
const CERTIFICATE = 'certificate, public_key, fingerprint, label, not_before, not_after'
export const CREDENTIAL = `id, ${CERTIFICATE}, user_id, source, added_by, created_at, last_seen_day, status, status_at,
  replaces`
export const LINK = `id, kind, vouched_by, user_id, credential_id, ${CERTIFICATE}, requested_at, ready_at, expires_at`

/** The columns of a user and those of a credential, side by side. */
export const LINKED = `u.id AS u_id, u.handle AS u_handle, u.created_at AS u_created_at, u.erased_at AS u_erased_at,
  u.last_seen_day AS u_last_seen_day, c.id, c.certificate, c.public_key, c.fingerprint, c.label, c.not_before,
  c.not_after, c.user_id, c.source, c.added_by, c.created_at, c.last_seen_day, c.status, c.status_at, c.replaces`

export function text(value: unknown): string {
  return String(value)
}

export function textOrNull(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value)
}

export function numberOrNull(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value)
}

export function userOf(row: Row, prefix = ''): StoredUser {
  return {
    id: text(row[`${prefix}id`]),
    handle: textOrNull(row[`${prefix}handle`]),
    createdAt: Number(row[`${prefix}created_at`]),
    erasedAt: numberOrNull(row[`${prefix}erased_at`]),
    lastSeenDay: numberOrNull(row[`${prefix}last_seen_day`]),
  }
}

export function credentialOf(row: Row): StoredCredential {
  return {
    ...certificateOf(row, text(row.id)),
    userId: text(row.user_id),
    source: text(row.source) as CredentialSource,
    addedBy: textOrNull(row.added_by),
    createdAt: Number(row.created_at),
    lastSeenDay: numberOrNull(row.last_seen_day),
    status: text(row.status) as CredentialStatus,
    statusAt: Number(row.status_at),
    replaces: textOrNull(row.replaces),
  }
}

export function matchOf(row: Row): CredentialMatch {
  return {
    user: userOf(row, 'u_'),
    credential: credentialOf(row),
    approvals: Number(row.approvals),
    recoveries: Number(row.recoveries),
  }
}

export function linkOf(row: Row): StoredLink {
  return {
    id: text(row.id),
    kind: text(row.kind) as LinkKind,
    vouchedBy: textOrNull(row.vouched_by),
    userId: textOrNull(row.user_id),
    credential: certificateOf(row, text(row.credential_id)),
    requestedAt: Number(row.requested_at),
    readyAt: numberOrNull(row.ready_at),
    expiresAt: Number(row.expires_at),
  }
}

export function linkCodeOf(row: Row): NewLinkCode {
  return {
    code: text(row.code),
    kind: text(row.kind) as LinkCodeKind,
    by: text(row.made_by),
    origin: text(row.origin),
    at: Number(row.at),
    expiresAt: Number(row.expires_at),
  }
}

export function eventOf(row: Row): StoredEvent {
  return {
    at: Number(row.at),
    userId: text(row.user_id),
    credentialId: textOrNull(row.credential_id),
    event: text(row.event) as IdentityHistoryEvent,
  }
}

function certificateOf(row: Row, id: string): NewCredential {
  return {
    id,
    certificate: text(row.certificate),
    publicKey: text(row.public_key),
    fingerprint: textOrNull(row.fingerprint) as Fingerprint | null,
    label: textOrNull(row.label),
    notBefore: Number(row.not_before),
    notAfter: Number(row.not_after),
  }
}
