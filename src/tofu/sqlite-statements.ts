// The SQL of the pin store, and the way between rows and pins.

import type { Database, Statement } from 'better-sqlite3'
import { type Fingerprint, isFingerprint } from '../certificate/fingerprint.ts'
import { StoreError } from '../errors.ts'
import { isAsExpected } from './memory-pin-store.ts'
import { PIN_STATES, type Pin, type PinChange, type PinChangeCause, stateNumber } from './pin.ts'
import type { PinnedMaterial, PinUpdate } from './pin-store.ts'
import { SETS_MARK } from './sqlite-purge.ts'

/** A row of `pin` in the order of its columns. An array is made in half the time of an object, a million times over. */
export type PinRow = readonly [
  subject: string,
  digest: string,
  state: number,
  keyDigest: string | null,
  notAfter: number | null,
  firstSeen: number,
  lastSeen: number,
  daysSeen: number,
  source: string | null,
  note: string | null,
]

interface ChangeRow {
  readonly at: number
  readonly subject: string
  readonly cause: string
  readonly old: string | null
  readonly new: string | null
  readonly decided_by: string | null
}

/** The columns of `pin`, in their order. */
export const COLUMNS = 'subject, digest, state, key_digest, not_after, first_seen, last_seen, days_seen, source, note'

/** Everything that is asked of one connection, prepared once. */
export class Statements {
  readonly lastSeen: Statement<[string, string], number>
  readonly read: Statement<[string], PinRow>
  readonly neighbours: Statement<[string, string], PinRow>
  readonly put: Statement<[...PinRow]>
  readonly remove: Statement<[string, string]>
  readonly seen: Statement<[object]>
  readonly list: Statement<[object], PinRow>
  readonly scan: Statement<[string, string, number], PinRow>
  readonly scanRest: Statement<[string, string], PinRow>
  readonly count: Statement<[], number>
  readonly countUnmarkedSubjects: Statement<[], number>
  readonly removeUnmarked: Statement<[]>
  readonly removeHistory: Statement<[]>
  readonly history: Statement<[string], ChangeRow>
  readonly version: Statement<[], number>
  readonly log: Statement<[ChangeRow]>
  readonly rememberKey: Statement<[string, Uint8Array]>
  readonly rememberSha512: Statement<[string, string]>
  readonly publicKey: Statement<[string], Uint8Array>
  readonly sha512: Statement<[string], Fingerprint>
  readonly isHashed: Statement<[], number>
  readonly forgetKeys: Statement<[]>
  readonly forgetSha512: Statement<[]>

  constructor(db: Database) {
    // The states are numbered by PIN_STATES: 0 and 1 are live, 3 is a mark.
    this.lastSeen = db
      .prepare<[string, string], number>(
        'SELECT last_seen FROM pin WHERE subject = ? AND digest = ? AND state BETWEEN 0 AND 1 AND key_digest IS NOT NULL',
      )
      .pluck()
    const pins = <Parameters extends unknown[]>(rest: string) =>
      db.prepare<Parameters, PinRow>(`SELECT ${COLUMNS} FROM ${rest}`).raw()
    this.read = pins('pin WHERE subject = ? ORDER BY digest')
    this.neighbours = pins(
      `(SELECT * FROM pin WHERE subject < ? ORDER BY subject DESC, digest DESC LIMIT 1)
       UNION ALL
       SELECT ${COLUMNS} FROM (SELECT * FROM pin WHERE subject > ? ORDER BY subject, digest LIMIT 1)`,
    )
    this.put = db.prepare(`INSERT OR REPLACE INTO pin(${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
    this.remove = db.prepare('DELETE FROM pin WHERE subject = ? AND digest = ?')
    this.seen = db.prepare(
      `UPDATE pin SET
         days_seen = days_seen + (abs(@at - last_seen) >= @interval),
         last_seen = iif(abs(@at - last_seen) >= @interval, @at, last_seen),
         key_digest = coalesce(key_digest, iif(
           EXISTS (SELECT 1 FROM pin m WHERE m.subject = @subject AND m.state = 3), NULL, @keyDigest)),
         not_after = coalesce(not_after, @notAfter)
       WHERE subject = @subject AND digest = @digest AND state BETWEEN 0 AND 1`,
    )
    // No subject holds U+10FFFF, so that this is the end of everything that begins with the prefix.
    this.list = pins(
      `pin WHERE subject IN (
         SELECT DISTINCT subject FROM pin
         WHERE subject > @after AND subject >= @prefix AND subject < @prefix || char(0x10FFFF)
         ORDER BY subject LIMIT @limit
       ) ORDER BY subject, digest`,
    )
    this.scan = pins('pin WHERE (subject, digest) > (?, ?) ORDER BY subject, digest LIMIT ?')
    this.scanRest = pins('pin WHERE subject = ? AND digest > ? ORDER BY digest')
    this.count = db.prepare<[], number>('SELECT count(*) FROM pin').pluck()
    this.countUnmarkedSubjects = db
      .prepare<[], number>('SELECT count(DISTINCT subject) FROM pin WHERE state <> 3')
      .pluck()
    this.removeUnmarked = db.prepare('DELETE FROM pin WHERE state <> 3')
    this.removeHistory = db.prepare(`DELETE FROM change WHERE NOT ${SETS_MARK} AND id < (SELECT max(id) FROM change)`)
    this.history = db.prepare(
      'SELECT at, subject, cause, old, new, decided_by FROM change WHERE subject = ? ORDER BY id',
    )
    this.version = db.prepare<[], number>('SELECT max(id) FROM change').pluck()
    this.log = db.prepare(
      'INSERT INTO change(at, subject, cause, old, new, decided_by) VALUES (@at, @subject, @cause, @old, @new, @decided_by)',
    )
    this.rememberKey = db.prepare('INSERT OR IGNORE INTO public_key(digest, spki) VALUES (?, ?)')
    this.rememberSha512 = db.prepare('INSERT OR IGNORE INTO certificate_digest(digest, sha512) VALUES (?, ?)')
    this.publicKey = db.prepare<[string], Uint8Array>('SELECT spki FROM public_key WHERE digest = ?').pluck()
    this.sha512 = db.prepare<[string], Fingerprint>('SELECT sha512 FROM certificate_digest WHERE digest = ?').pluck()
    this.isHashed = db.prepare<[], number>("SELECT length(value) > 0 FROM setting WHERE name = 'names'").pluck()
    this.forgetKeys = db.prepare('DELETE FROM public_key')
    this.forgetSha512 = db.prepare('DELETE FROM certificate_digest')
  }
}

/**
 * Throws if names are kept in another way than when the file was opened: a name that was looked for as it is would not be
 * found among hashes, and read as a first visit.
 */
export function requireNaming(sql: Statements, hashed: boolean): void {
  if (sql.isHashed.get() === (hashed ? 1 : 0)) return
  const message = 'the pin database keeps the names of hosts in another way than when it was opened; open it again'
  throw new StoreError('ERR_TLACACOCA_STORE_HASHED', message)
}

/** Applies an update; the transaction around it is the caller's. False, before anything was written, if it must not. */
export function applyUpdate(sql: Statements, update: PinUpdate): boolean {
  if (update.atVersion !== undefined && (sql.version.get() ?? 0) !== update.atVersion) return false
  for (const { subject, expect } of update.changes) {
    if (!isAsExpected(sql.read.all(subject).map(pinOf), expect)) return false
  }
  for (const { subject, put, remove } of update.changes) {
    for (const digest of remove) sql.remove.run(subject, digest)
    for (const pin of put) sql.put.run(...rowOf(pin))
  }
  for (const material of update.remember ?? []) remember(sql, material)
  for (const line of update.log) log(sql, line)
  return true
}

/** Keeps what no digest can be computed back to. */
export function remember(sql: Statements, material: PinnedMaterial): void {
  sql.rememberKey.run(material.keyDigest, material.publicKey)
  sql.rememberSha512.run(material.digest, material.sha512)
}

/** Adds a line to the history. */
export function log(sql: Statements, line: PinChange): void {
  sql.log.run({
    at: line.at.getTime(),
    subject: line.subject,
    cause: line.cause,
    old: line.old,
    new: line.new,
    decided_by: line.decidedBy,
  })
}

/** The columns of a pin. */
export function rowOf(pin: Pin): PinRow {
  return [
    pin.subject,
    pin.digest,
    stateNumber(pin.state),
    pin.keyDigest,
    pin.notAfter === null ? null : pin.notAfter.getTime(),
    pin.firstSeen.getTime(),
    pin.lastSeen.getTime(),
    pin.daysSeen,
    pin.source,
    pin.note,
  ]
}

/**
 * The pins of a subject. That there are none is the one answer that lets a stranger in, so it is looked at twice: where
 * a part of a page was lost, the search for a subject ends beside a row that is none.
 */
export function readPins(sql: Statements, subject: string, hashed: boolean): Pin[] {
  const rows = sql.read.all(subject)
  if (rows.length === 0) {
    requireNaming(sql, hashed)
    for (const row of sql.neighbours.all(subject, subject)) pinOf(row)
  }
  return rows.map(pinOf)
}

/** The pin in a row. What could not have been written by us is damage, and must not read as a pin that never matches. */
export function pinOf(row: PinRow): Pin {
  const [subject, digest, number, keyDigest, notAfter, firstSeen, lastSeen, daysSeen, source, note] = row
  const state = PIN_STATES[number]
  const isPin = typeof subject === 'string' && state !== undefined && isFingerprint(digest)
  if (!isPin || !(keyDigest === null || isFingerprint(keyDigest))) {
    throw new StoreError('ERR_TLACACOCA_STORE_CORRUPT', `the pin database holds a pin that is none, for ${subject}`)
  }
  return {
    subject,
    digest,
    state,
    keyDigest,
    notAfter: notAfter === null ? null : new Date(notAfter),
    firstSeen: new Date(firstSeen),
    lastSeen: new Date(lastSeen),
    daysSeen,
    source,
    note,
  }
}

/** The line of history in a row. */
export function changeOf(row: ChangeRow): PinChange {
  return {
    at: new Date(row.at),
    subject: row.subject,
    cause: row.cause as PinChangeCause,
    old: row.old as Fingerprint | null,
    new: row.new as Fingerprint | null,
    decidedBy: row.decided_by,
  }
}
