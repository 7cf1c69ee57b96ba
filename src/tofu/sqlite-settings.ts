// What the file says about itself, in the table `setting`.
//
// `names` says how the names of hosts are kept: empty for as they are, otherwise the key by which they are hashed and a
// checksum of it. Were that damaged unnoticed, no host would be found any more, and each would be met for the first time.

import { hash, randomBytes } from 'node:crypto'
import type { Database } from 'better-sqlite3'
import { StoreError } from '../errors.ts'
import { NAME_KEY_LENGTH } from './name-hmac.ts'

/** The key by which names are hashed; null if they are not. */
export function readNameKey(db: Database): Uint8Array | null {
  const value = readSetting(db, 'names')
  if (value?.length === 0) return null
  const key = value?.subarray(0, NAME_KEY_LENGTH)
  if (value === undefined || key === undefined || !checked(key).equals(value)) {
    throw new StoreError('ERR_TLACACOCA_STORE_CORRUPT', 'the pin database does not say any more how it keeps names')
  }
  return key
}

/** Makes a key for a file in which names are not hashed yet. */
export function makeNameKey(db: Database): Uint8Array {
  const key = randomBytes(NAME_KEY_LENGTH)
  writeSetting(db, 'names', checked(key))
  return key
}

/** Notes that something was deleted whose text may still be in the file. */
export function noteErasure(db: Database): void {
  writeSetting(db, 'erase_due', new Uint8Array([1]))
}

/** Whether there is such a note. */
export function isErasureDue(db: Database): boolean {
  return readSetting(db, 'erase_due') !== undefined
}

/** Takes the note back. */
export function erasureIsDone(db: Database): void {
  db.prepare("DELETE FROM setting WHERE name = 'erase_due'").run()
}

const CHECKSUM_LENGTH = 8

function checked(key: Uint8Array): Buffer {
  return Buffer.concat([key, hash('sha256', key, 'buffer').subarray(0, CHECKSUM_LENGTH)])
}

function readSetting(db: Database, name: string): Uint8Array | undefined {
  return db.prepare<[string], Uint8Array>('SELECT value FROM setting WHERE name = ?').pluck().get(name)
}

function writeSetting(db: Database, name: string, value: Uint8Array): void {
  db.prepare('INSERT OR REPLACE INTO setting(name, value) VALUES (?, ?)').run(name, value)
}
