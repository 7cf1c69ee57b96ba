// The way from rows to issued certificates, events and lists. Whole numbers of 64 bits come as texts from some clients.

import type { AuditEvent } from '../authority/audit.ts'
import type { CrlEntry } from '../authority/crl-encoding.ts'
import type { IssuedRow, IssuedStatus, StoredCrl } from '../authority/issued-store.ts'
import { Certificate } from '../certificate/certificate.ts'
import type { Fingerprint } from '../certificate/fingerprint.ts'
import type { RevocationReason } from '../certificate/revocation-checker.ts'
import { StoreError } from '../errors.ts'
import type { Row } from './database.ts'
import { numberOrNull, text, textOrNull } from './identity-rows.ts'

export const ISSUED = `serial, status, status_at, profile, client_hash, public_key, request_sha256, tbs_sha256, subject,
  not_before, not_after, renewed_from, requested_by, created_at, der, reason, invalidity_at`
export const EVENT = 'position, at, event, actor, serial, detail, previous_hash, hash'

export function issuedOf(row: Row): IssuedRow {
  const statusAt = Number(row.status_at)
  const reason = textOrNull(row.reason) as RevocationReason | null
  const serial = text(row.serial)
  return {
    serial,
    status: text(row.status) as IssuedStatus,
    statusAt,
    profile: text(row.profile),
    clientHash: textOrNull(row.client_hash),
    publicKey: text(row.public_key) as Fingerprint,
    requestSha256: textOrNull(row.request_sha256),
    tbsSha256: text(row.tbs_sha256),
    subject: text(row.subject),
    notBefore: Number(row.not_before),
    notAfter: Number(row.not_after),
    renewedFrom: textOrNull(row.renewed_from),
    requestedBy: textOrNull(row.requested_by),
    createdAt: Number(row.created_at),
    certificate: row.der === null ? null : certificateOf(row.der, serial),
    revocation: reason === null ? null : { at: statusAt, reason, invalidityDate: numberOrNull(row.invalidity_at) },
  }
}

export function entryOf(row: Row): CrlEntry {
  return {
    serial: text(row.serial),
    at: Number(row.status_at),
    reason: (textOrNull(row.reason) as RevocationReason | null) ?? 'certificate_hold',
    invalidityDate: numberOrNull(row.invalidity_at),
  }
}

export function crlOf(row: Row): StoredCrl {
  return {
    number: BigInt(text(row.number)),
    thisUpdate: Number(row.this_update),
    nextUpdate: Number(row.next_update),
    der: bytesOf(row.der),
  }
}

export function auditEventOf(row: Row): AuditEvent {
  return {
    at: Number(row.at),
    event: text(row.event),
    actor: textOrNull(row.actor),
    serial: textOrNull(row.serial),
    detail: textOrNull(row.detail),
    position: Number(row.position),
    previousHash: text(row.previous_hash),
    hash: text(row.hash),
  }
}

/** Octets as nobody else has them. */
export function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return new Uint8Array(value)
  throw new StoreError('ERR_TLACACOCA_STORE_FAILED', 'the client does not give "bytea" as a Uint8Array')
}

function certificateOf(der: unknown, serial: string): Certificate {
  const bytes = bytesOf(der)
  try {
    return Certificate.from(bytes)
  } catch (cause) {
    const message = `the issued certificates are damaged: ${serial} cannot be read`
    throw new StoreError('ERR_TLACACOCA_STORE_CORRUPT', message, { cause })
  }
}
