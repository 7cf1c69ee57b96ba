// What happens to issued certificates, inside of one transaction with nobody else in between. Each function looks first
// and writes then, as in `SqliteIssuedStore`.

import { type AuditEvent, chainEvent, type NewAuditEvent } from '../authority/audit.ts'
import type {
  BeginOutcome,
  BegunCrl,
  CompleteOutcome,
  HoldOutcome,
  IssuedRow,
  IssuedStatus,
  NewIssued,
  ReleaseOutcome,
  ReplayWindow,
  Revocation,
  RevokeOutcome,
  StatusChange,
} from '../authority/issued-store.ts'
import type { Certificate } from '../certificate/certificate.ts'
import type { Fingerprint } from '../certificate/fingerprint.ts'
import { StoreError } from '../errors.ts'
import type { Row, Statements } from './database.ts'
import { textOrNull } from './identity-rows.ts'
import { auditEventOf, EVENT, entryOf, ISSUED, issuedOf } from './issued-rows.ts'

/** A transaction, and the schema that it is about. */
export class IssuedWork {
  readonly #statements: Statements
  readonly #in: string

  constructor(statements: Statements, schema: string) {
    this.#statements = statements
    this.#in = `${schema}.issued_`
  }

  async begin(row: NewIssued, replay: ReplayWindow | null): Promise<BeginOutcome> {
    if (await this.isBlocked(row.publicKey)) return { kind: 'key_blocked' }
    if (row.renewedFrom !== null && (await this.#status(row.renewedFrom)) !== 'issued') return { kind: 'not_renewable' }
    const earlier = replay === null ? undefined : await this.#replayOf(row, replay)
    if (earlier?.status === 'pending') return { kind: 'in_progress' }
    if (earlier !== undefined) return { kind: 'replayed', row: earlier }
    const inserted = await this.#ask(
      `INSERT INTO ${this.#in}certificate(serial, status, status_at, profile, client_hash, public_key, request_sha256,
         tbs_sha256, subject, not_before, not_after, renewed_from, requested_by, created_at)
       VALUES ($1, 'pending', $12, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
       ON CONFLICT (serial) DO NOTHING RETURNING 1 AS is_new`,
      ...[row.serial, row.profile, row.clientHash, row.publicKey, row.requestSha256, row.tbsSha256, row.subject],
      ...[row.notBefore, row.notAfter, row.renewedFrom, row.requestedBy, row.createdAt],
    )
    return { kind: inserted.length > 0 ? 'begun' : 'serial_taken' }
  }

  async complete(
    serial: string,
    certificate: Certificate,
    at: number,
    notifyAt: number | null,
  ): Promise<CompleteOutcome> {
    const [row] = await this.#ask(
      `UPDATE ${this.#in}certificate SET status = 'issued', status_at = $2, der = $3
       WHERE serial = $1 AND status = 'pending' RETURNING profile, subject, renewed_from, requested_by`,
      ...[serial, at, certificate.der],
    )
    if (row === undefined) return { kind: 'not_pending' }
    const event = row.renewed_from === null ? 'issued' : 'renewed'
    const actor = textOrNull(row.requested_by)
    await this.append({ at, event, actor, serial, detail: `${row.profile}: ${row.subject}` })
    if (notifyAt === null) return { kind: 'completed', noticeId: null }
    const [notice] = await this.#ask(
      `INSERT INTO ${this.#in}notice(serial, attempts, due_at) VALUES ($1, 0, $2) RETURNING id`,
      ...[serial, notifyAt],
    )
    return { kind: 'completed', noticeId: Number(notice?.id) }
  }

  async abandonPending(before: number, at: number): Promise<number> {
    const rows = await this.#ask(
      `SELECT serial FROM ${this.#in}certificate WHERE status = 'pending' AND created_at < $1 ORDER BY number`,
      before,
    )
    return this.#abandon(rows, at)
  }

  async revoke({ serial, at, reason, invalidityDate, by, withKey }: Revocation): Promise<RevokeOutcome> {
    const row = await this.#row(serial)
    if (row === undefined || row.status === 'pending') return { kind: 'unknown' }
    // A second look at an old matter: the key was compromised after all.
    if (row.status === 'revoked' && !withKey) return { kind: 'already_revoked' }
    const others = withKey ? await this.#unrevoked(row.publicKey, serial) : [serial]
    for (const each of others) {
      await this.#setRevoked(each, { at, reason, invalidityDate })
      await this.append({ at, event: 'revoked', actor: by, serial: each, detail: reason })
    }
    if (withKey) await this.block({ publicKey: row.publicKey, at, by })
    if (others.length === 0) return { kind: 'already_revoked' }
    await this.#changeList()
    return { kind: 'revoked', serials: others }
  }

  async hold({ serial, at, by }: StatusChange): Promise<HoldOutcome> {
    const status = await this.#status(serial)
    if (status === undefined || status === 'pending') return { kind: 'unknown' }
    if (status === 'revoked') return { kind: 'revoked' }
    if (status === 'held') return { kind: 'already_held' }
    await this.#setStatus(serial, 'held', at)
    await this.append({ at, event: 'held', actor: by, serial, detail: null })
    await this.#changeList()
    return { kind: 'held' }
  }

  async release({ serial, at, by }: StatusChange): Promise<ReleaseOutcome> {
    const status = await this.#status(serial)
    if (status === undefined || status === 'pending') return { kind: 'unknown' }
    if (status !== 'held') return { kind: 'not_held' }
    await this.#setStatus(serial, 'issued', at)
    await this.append({ at, event: 'released', actor: by, serial, detail: null })
    await this.#changeList()
    return { kind: 'released' }
  }

  async block({ publicKey, at, by }: { publicKey: Fingerprint; at: number; by: string | null }): Promise<void> {
    const blocked = await this.#ask(
      `INSERT INTO ${this.#in}blocked_key(public_key, blocked_at) VALUES ($1, $2)
       ON CONFLICT (public_key) DO NOTHING RETURNING 1 AS is_new`,
      ...[publicKey, at],
    )
    if (blocked.length === 0) return
    await this.append({ at, event: 'key_blocked', actor: by, serial: null, detail: publicKey })
    const pending = await this.#ask(
      `SELECT serial FROM ${this.#in}certificate WHERE public_key = $1 AND status = 'pending' ORDER BY number`,
      publicKey,
    )
    await this.#abandon(pending, at)
  }

  async isBlocked(publicKey: Fingerprint): Promise<boolean> {
    const rows = await this.#ask(`SELECT 1 AS is_blocked FROM ${this.#in}blocked_key WHERE public_key = $1`, publicKey)
    return rows.length > 0
  }

  async beginCrl(at: number): Promise<BegunCrl> {
    const [state] = await this.#ask(`UPDATE ${this.#in}crl_state SET number = number + 1 RETURNING number, revision`)
    if (state === undefined) {
      const message = 'the issued certificates are damaged: the count of the revocation lists is lost'
      throw new StoreError('ERR_TLACACOCA_STORE_CORRUPT', message)
    }
    await this.#ask(`INSERT INTO ${this.#in}crl(number, revision) VALUES ($1, $2)`, state.number, state.revision)
    const [last] = await this.#ask(
      `SELECT this_update, revision FROM ${this.#in}crl WHERE der IS NOT NULL ORDER BY number DESC LIMIT 1`,
    )
    // RFC 5280 section 3.3: what is revoked stays on the list until it was on one made after its end. A clock that ran
    // ahead when the last one was made must not drop what is still valid.
    const rows = await this.#ask(
      `SELECT serial, status_at, reason, invalidity_at FROM ${this.#in}certificate
       WHERE status IN ('held', 'revoked') AND (not_after >= $1 OR list_revision > $2) ORDER BY number`,
      ...[Math.min(Number(last?.this_update ?? at), at), last?.revision ?? -1],
    )
    await this.append({ at, event: 'crl', actor: null, serial: null, detail: `number ${state.number}` })
    return { number: BigInt(String(state.number)), entries: rows.map(entryOf) }
  }

  async append(event: NewAuditEvent): Promise<AuditEvent> {
    const [last] = await this.#ask(`SELECT ${EVENT} FROM ${this.#in}audit ORDER BY position DESC LIMIT 1`)
    const chained = chainEvent(event, last === undefined ? null : auditEventOf(last))
    const { position, at, event: what, actor, serial, detail, previousHash, hash } = chained
    await this.#ask(
      `INSERT INTO ${this.#in}audit(${EVENT}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
      ...[position, at, what, actor, serial, detail, previousHash, hash],
    )
    return chained
  }

  async #row(serial: string): Promise<IssuedRow | undefined> {
    const [row] = await this.#ask(`SELECT ${ISSUED} FROM ${this.#in}certificate WHERE serial = $1`, serial)
    return row === undefined ? undefined : issuedOf(row)
  }

  async #status(serial: string): Promise<IssuedStatus | undefined> {
    const [row] = await this.#ask(`SELECT status FROM ${this.#in}certificate WHERE serial = $1`, serial)
    return row === undefined ? undefined : (row.status as IssuedStatus)
  }

  async #replayOf(
    { requestSha256, profile, clientHash }: NewIssued,
    { since }: ReplayWindow,
  ): Promise<IssuedRow | undefined> {
    const [row] = await this.#ask(
      `SELECT ${ISSUED} FROM ${this.#in}certificate WHERE request_sha256 = $1 AND profile = $2
         AND client_hash IS NOT DISTINCT FROM $3 AND created_at >= $4 AND status IN ('pending', 'issued')
       ORDER BY number DESC LIMIT 1`,
      ...[requestSha256, profile, clientHash, since],
    )
    return row === undefined ? undefined : issuedOf(row)
  }

  /** The serial numbers of all that a key has and that is not revoked yet, with this one in front. */
  async #unrevoked(publicKey: Fingerprint, first: string): Promise<string[]> {
    const rows = await this.#ask(
      `SELECT serial FROM ${this.#in}certificate WHERE public_key = $1 AND status <> 'revoked'
       ORDER BY serial <> $2, number`,
      ...[publicKey, first],
    )
    return rows.map(({ serial }) => String(serial))
  }

  async #setStatus(serial: string, status: IssuedStatus, at: number): Promise<void> {
    await this.#ask(
      `UPDATE ${this.#in}certificate SET status = $2, status_at = $3, list_revision = ${this.#nextRevision}
       WHERE serial = $1`,
      ...[serial, status, at],
    )
  }

  async #setRevoked(
    serial: string,
    { at, reason, invalidityDate }: Pick<Revocation, 'at' | 'reason' | 'invalidityDate'>,
  ): Promise<void> {
    await this.#ask(
      `UPDATE ${this.#in}certificate SET status = 'revoked', status_at = $2, reason = $3, invalidity_at = $4,
         list_revision = ${this.#nextRevision} WHERE serial = $1`,
      ...[serial, at, reason, invalidityDate],
    )
  }

  async #abandon(pending: readonly Row[], at: number): Promise<number> {
    for (const { serial } of pending) {
      await this.#setRevoked(String(serial), { at, reason: 'unspecified', invalidityDate: null })
      await this.append({ at, event: 'abandoned', actor: null, serial: String(serial), detail: null })
    }
    if (pending.length > 0) await this.#changeList()
    return pending.length
  }

  /** The revision that the list will have once what is being done is done. */
  get #nextRevision(): string {
    return `(SELECT revision + 1 FROM ${this.#in}crl_state)`
  }

  async #changeList(): Promise<void> {
    await this.#ask(`UPDATE ${this.#in}crl_state SET revision = revision + 1`)
  }

  #ask(statement: string, ...values: unknown[]): Promise<Row[]> {
    return this.#statements.query(statement, values)
  }
}
