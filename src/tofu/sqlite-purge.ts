// Forgetting in the SQLite file. Deleting a row makes it unfindable; its text is gone only when the file has been written
// anew. That is left as a note in the file itself while it is not done, so that the next purge knows.

import type { Database } from 'better-sqlite3'
import type { PinPurge, PurgedPins } from './pin-store.ts'
import { noteErasure } from './sqlite-settings.ts'

// By the numbers of PIN_STATES: 1 is verified, 3 is a mark, which counts for nothing here.
const STALE = `SELECT subject FROM pin WHERE state <> 3 GROUP BY subject
  HAVING max(last_seen) < @before AND (@verified OR max(state = 1) = 0)`

const FORGOTTEN = `SELECT subject FROM change c GROUP BY subject
  HAVING max(at) < @before AND NOT EXISTS (SELECT 1 FROM pin p WHERE p.subject = c.subject AND p.state <> 3)`

/** A line of `change` that says when a mark was set that is still there. */
export const SETS_MARK = `(change.cause = 'distrusted' AND EXISTS (
  SELECT 1 FROM pin m WHERE m.subject = change.subject AND m.digest = change.new AND m.state = 3))`

const PURGE_HISTORY = `DELETE FROM change
  WHERE subject <> '' AND (subject IN (${STALE}) OR subject IN (${FORGOTTEN})) AND NOT ${SETS_MARK}`

const PURGE_PINS = `DELETE FROM pin WHERE state <> 3 AND subject IN (${STALE})`

const PURGE_KEYS = `DELETE FROM public_key WHERE digest NOT IN (
  SELECT key_digest FROM pin WHERE key_digest IS NOT NULL
  UNION ALL SELECT digest FROM pin WHERE digest GLOB 'spki-*')`

const PURGE_SHA512 = 'DELETE FROM certificate_digest WHERE digest NOT IN (SELECT digest FROM pin)'

/** Removes what promise 12 of `PinStore` says; the transaction and the line of history are the caller's. */
export function purgeRows(db: Database, { before, verified }: PinPurge): Omit<PurgedPins, 'erased'> {
  const parameters = { before: before.getTime(), verified: verified ? 1 : 0 }
  const subjects = db.prepare<[object], number>(`SELECT count(*) FROM (${STALE})`).pluck().get(parameters) ?? 0
  const lines = db.prepare(PURGE_HISTORY).run(parameters).changes
  const pins = db.prepare(PURGE_PINS).run(parameters).changes
  const materials = db.prepare(PURGE_KEYS).run().changes + db.prepare(PURGE_SHA512).run().changes
  if (pins + lines + materials > 0) noteErasure(db)
  return { subjects, pins, lines }
}
