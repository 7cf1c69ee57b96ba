import type { Certificate } from '../certificate/certificate.ts'
import type { Fingerprint } from '../certificate/fingerprint.ts'
import { StoreError } from '../errors.ts'
import { type AuditEvent, chainEvent, type NewAuditEvent, requireAuditEvent } from './audit.ts'
import type { CrlEntry } from './crl-encoding.ts'
import type {
  BeginOutcome,
  BegunCrl,
  CompleteOutcome,
  HoldOutcome,
  IssuedFilter,
  IssuedNotice,
  IssuedRow,
  IssuedStore,
  NewIssued,
  ReleaseOutcome,
  ReplayWindow,
  Revocation,
  RevokeOutcome,
  StatusChange,
  StoredCrl,
} from './issued-store.ts'

/**
 * Keeps issued certificates in memory, for as long as the process lives: for tests, and for authorities that live no
 * longer than what they issue. Nothing of it is left after a crash, and so no revocation either. It is synchronous, so
 * every method is atomic by itself.
 *
 * @example
 * import { CertificateAuthority, MemoryIssuedStore } from 'tlacacoca/authority'
 *
 * const authority = await CertificateAuthority.open('/var/lib/ca', { store: new MemoryIssuedStore() })
 * await authority.close()
 */
export class MemoryIssuedStore implements IssuedStore {
  /** By serial number, in the order in which they were begun. Rows are replaced and never changed. */
  readonly #rows = new Map<string, IssuedRow>()
  /** The serial numbers of each request, the last one last. */
  readonly #requests = new Map<string, string[]>()
  readonly #blockedKeys = new Set<Fingerprint>()
  readonly #notices = new Map<number, { serial: string; attempts: number; dueAt: number }>()
  readonly #events: AuditEvent[] = []
  #lastNotice = 0
  #lastNumber = 0n
  /** Counts what changes the next list; one that was begun at an earlier count is out of date. */
  #revision = 0
  /** From which revision on each certificate is, or is not, to be on the list, by serial number. */
  readonly #listed = new Map<string, number>()
  /** Lists that were begun, and at which revision. */
  readonly #begunCrls = new Map<bigint, number>()
  #crl: (StoredCrl & { readonly revision: number }) | null = null
  #open = true

  begin(row: NewIssued, replay: ReplayWindow | null): BeginOutcome {
    this.#requireOpen()
    if (this.#blockedKeys.has(row.publicKey)) return { kind: 'key_blocked' }
    if (row.renewedFrom !== null && this.#rows.get(row.renewedFrom)?.status !== 'issued')
      return { kind: 'not_renewable' }
    const earlier = replay === null ? undefined : this.#replayOf(row, replay)
    if (earlier !== undefined) {
      return earlier.status === 'pending' ? { kind: 'in_progress' } : { kind: 'replayed', row: earlier }
    }
    const { serial, requestSha256, createdAt } = row
    if (this.#rows.has(serial)) return { kind: 'serial_taken' }
    this.#put({ ...row, status: 'pending', statusAt: createdAt, certificate: null, revocation: null })
    if (requestSha256 !== null) {
      this.#requests.set(requestSha256, [...(this.#requests.get(requestSha256) ?? []), serial])
    }
    return { kind: 'begun' }
  }

  complete(serial: string, certificate: Certificate, at: number, notifyAt: number | null): CompleteOutcome {
    this.#requireOpen()
    const row = this.#rows.get(serial)
    if (row?.status !== 'pending') return { kind: 'not_pending' }
    this.#put({ ...row, status: 'issued', statusAt: at, certificate })
    const event = row.renewedFrom === null ? 'issued' : 'renewed'
    this.#append({ at, event, actor: row.requestedBy, serial, detail: `${row.profile}: ${row.subject}` })
    if (notifyAt === null) return { kind: 'completed', noticeId: null }
    const noticeId = ++this.#lastNotice
    this.#notices.set(noticeId, { serial, attempts: 0, dueAt: notifyAt })
    return { kind: 'completed', noticeId }
  }

  abandonPending(before: number, at: number): number {
    this.#requireOpen()
    const old = [...this.#rows.values()].filter((row) => row.status === 'pending' && row.createdAt < before)
    return this.#abandon(old, at)
  }

  get(serial: string): IssuedRow | null {
    this.#requireOpen()
    return this.#rows.get(serial) ?? null
  }

  async *list(filter: IssuedFilter): AsyncGenerator<IssuedRow, void> {
    this.#requireOpen()
    const { status, profile, clientHash, publicKey, expiresBy } = filter
    for (const row of this.#rows.values()) {
      const isWanted =
        (status === undefined || row.status === status) &&
        (profile === undefined || row.profile === profile) &&
        (clientHash === undefined || row.clientHash === clientHash) &&
        (publicKey === undefined || row.publicKey === publicKey) &&
        (expiresBy === undefined || row.notAfter <= expiresBy)
      if (!isWanted) continue
      yield row
      this.#requireOpen()
    }
  }

  revoke({ serial, at, reason, invalidityDate, by, withKey }: Revocation): RevokeOutcome {
    this.#requireOpen()
    const row = this.#rows.get(serial)
    if (row === undefined || row.status === 'pending') return { kind: 'unknown' }
    const sameKey = withKey
      ? [...this.#rows.values()].filter((each) => each.publicKey === row.publicKey && each.serial !== serial)
      : []
    const revoked = [row, ...sameKey].filter((each) => each.status !== 'revoked')
    for (const each of revoked) {
      this.#setRevoked(each, { at, reason, invalidityDate })
      this.#append({ at, event: 'revoked', actor: by, serial: each.serial, detail: reason })
    }
    if (withKey) this.blockKey({ publicKey: row.publicKey, at, by })
    return revoked.length === 0
      ? { kind: 'already_revoked' }
      : { kind: 'revoked', serials: revoked.map((each) => each.serial) }
  }

  hold({ serial, at, by }: StatusChange): HoldOutcome {
    this.#requireOpen()
    const row = this.#rows.get(serial)
    if (row === undefined || row.status === 'pending') return { kind: 'unknown' }
    if (row.status === 'revoked') return { kind: 'revoked' }
    if (row.status === 'held') return { kind: 'already_held' }
    this.#put({ ...row, status: 'held', statusAt: at })
    this.#append({ at, event: 'held', actor: by, serial, detail: null })
    this.#changeList(serial)
    return { kind: 'held' }
  }

  release({ serial, at, by }: StatusChange): ReleaseOutcome {
    this.#requireOpen()
    const row = this.#rows.get(serial)
    if (row === undefined || row.status === 'pending') return { kind: 'unknown' }
    if (row.status !== 'held') return { kind: 'not_held' }
    this.#put({ ...row, status: 'issued', statusAt: at })
    this.#append({ at, event: 'released', actor: by, serial, detail: null })
    this.#changeList(serial)
    return { kind: 'released' }
  }

  blockKey({ publicKey, at, by }: { publicKey: Fingerprint; at: number; by: string | null }): void {
    this.#requireOpen()
    if (this.#blockedKeys.has(publicKey)) return
    this.#blockedKeys.add(publicKey)
    this.#append({ at, event: 'key_blocked', actor: by, serial: null, detail: publicKey })
    const isPending = (row: IssuedRow): boolean => row.status === 'pending' && row.publicKey === publicKey
    this.#abandon([...this.#rows.values()].filter(isPending), at)
  }

  isKeyBlocked(publicKey: Fingerprint): boolean {
    this.#requireOpen()
    return this.#blockedKeys.has(publicKey)
  }

  beginCrl(at: number): BegunCrl {
    this.#requireOpen()
    const number = ++this.#lastNumber
    this.#begunCrls.set(number, this.#revision)
    // RFC 5280 section 3.3: what is revoked stays on the list until it was on one made after its end. A clock that ran
    // ahead when the last one was made must not drop what is still valid.
    const since = Math.min(this.#crl?.thisUpdate ?? at, at)
    const seen = this.#crl?.revision ?? -1
    const entries: CrlEntry[] = []
    for (const { status, serial, notAfter, statusAt, revocation } of this.#rows.values()) {
      if (status !== 'held' && status !== 'revoked') continue
      if (notAfter < since && (this.#listed.get(serial) ?? 0) <= seen) continue
      const { reason, invalidityDate } = revocation ?? { reason: 'certificate_hold' as const, invalidityDate: null }
      entries.push({ serial, at: statusAt, reason, invalidityDate })
    }
    this.#append({ at, event: 'crl', actor: null, serial: null, detail: `number ${number}` })
    return { number, entries }
  }

  completeCrl({ number, thisUpdate, nextUpdate, der }: StoredCrl): void {
    this.#requireOpen()
    const revision = this.#begunCrls.get(number)
    if (revision === undefined) return
    // What was begun earlier is of no use any more, and no number is completed twice.
    for (const begun of this.#begunCrls.keys()) if (begun <= number) this.#begunCrls.delete(begun)
    this.#crl = { number, thisUpdate, nextUpdate, der: Uint8Array.from(der), revision }
  }

  currentCrl(): StoredCrl | null {
    this.#requireOpen()
    if (this.#crl === null || this.#crl.revision !== this.#revision) return null
    const { revision: _, ...crl } = this.#crl
    return { ...crl, der: Uint8Array.from(crl.der) }
  }

  claimNotices(at: number, until: number, limit: number): readonly IssuedNotice[] {
    this.#requireOpen()
    const due = [...this.#notices].filter(([, notice]) => notice.dueAt <= at)
    return due
      .sort(([, a], [, b]) => a.dueAt - b.dueAt)
      .slice(0, limit)
      .map(([id, notice]) => {
        this.#notices.set(id, { ...notice, attempts: notice.attempts + 1, dueAt: until })
        return { id, serial: notice.serial, attempts: notice.attempts }
      })
  }

  settleNotice(id: number): void {
    this.#requireOpen()
    this.#notices.delete(id)
  }

  postponeNotice(id: number, until: number): void {
    this.#requireOpen()
    const notice = this.#notices.get(id)
    if (notice !== undefined) this.#notices.set(id, { ...notice, dueAt: until })
  }

  record(event: NewAuditEvent): AuditEvent {
    requireAuditEvent(event)
    this.#requireOpen()
    return this.#append(event)
  }

  async *auditTrail(after = 0): AsyncGenerator<AuditEvent, void> {
    this.#requireOpen()
    for (let position = Math.max(after, 0); ; position++) {
      const event = this.#events[position]
      if (event === undefined) return
      yield event
      this.#requireOpen()
    }
  }

  close(): void {
    this.#open = false
  }

  #requireOpen(): void {
    if (!this.#open)
      throw new StoreError('ERR_TLACACOCA_STORE_CLOSED', 'the store of issued certificates has been closed')
  }

  #replayOf({ requestSha256, profile, clientHash }: NewIssued, { since }: ReplayWindow): IssuedRow | undefined {
    const serials = requestSha256 === null ? [] : (this.#requests.get(requestSha256) ?? [])
    return serials
      .map((serial) => this.#rows.get(serial))
      .findLast(
        (row) =>
          row !== undefined &&
          (row.status === 'pending' || row.status === 'issued') &&
          row.profile === profile &&
          row.clientHash === clientHash &&
          row.createdAt >= since,
      )
  }

  #abandon(pending: readonly IssuedRow[], at: number): number {
    for (const row of pending) {
      this.#setRevoked(row, { at, reason: 'unspecified', invalidityDate: null })
      this.#append({ at, event: 'abandoned', actor: null, serial: row.serial, detail: null })
    }
    return pending.length
  }

  #setRevoked(row: IssuedRow, revocation: NonNullable<IssuedRow['revocation']>): void {
    const { at, reason, invalidityDate } = revocation
    this.#put({ ...row, status: 'revoked', statusAt: at, revocation: Object.freeze({ at, reason, invalidityDate }) })
    this.#changeList(row.serial)
  }

  #changeList(serial: string): void {
    this.#listed.set(serial, ++this.#revision)
  }

  #put(row: IssuedRow): void {
    this.#rows.set(row.serial, Object.freeze(row))
  }

  #append(event: NewAuditEvent): AuditEvent {
    const chained = chainEvent(event, this.#events.at(-1) ?? null)
    this.#events.push(chained)
    return chained
  }
}
