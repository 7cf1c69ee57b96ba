// What a database looked like before it was migrated, in a file beside it: a release that went wrong can be gone back on.

import { closeSync, fsyncSync, lstatSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import type { Database } from 'better-sqlite3'
import { JOURNAL_MODE_AT, readSqliteHeader, WRITE_AHEAD_LOG } from './sqlite-header.ts'

/**
 * Puts a copy of a database beside it, whole or not at all, for its owner only. A copy of that name is left as it is: it
 * was made when the file had this version for the first time. Anything else of that name is in the way, and stays too.
 *
 * To be called while another connection holds the write lock, so that what is copied is what is going to be changed.
 * Synchronous, because that lock is held.
 *
 * @param db - A connection that only reads, and sees what was committed last.
 * @throws {Error} `EEXIST` for something in the way, and what the file system and SQLite throw.
 */
export function backUp(db: Database, path: string, version: number): void {
  const backup = backupPath(path, version)
  if (isKept(backup, version)) return
  // One name, so that what a crash left behind is gone with the next try: whoever migrates has the lock.
  const temporary = `${backup}.tmp`
  rmSync(temporary, { force: true })
  try {
    // SQLite copies into an empty file as well as into none, and this one is the owner's only from the beginning.
    closeSync(openSync(temporary, 'wx', 0o600))
    db.prepare('VACUUM INTO ?').run(temporary)
    const descriptor = openSync(temporary, 'r+')
    try {
      writeSync(descriptor, WRITE_AHEAD_LOG, 0, WRITE_AHEAD_LOG.length, JOURNAL_MODE_AT)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    // Nor has anybody put a copy there meanwhile.
    renameSync(temporary, backup)
  } finally {
    rmSync(temporary, { force: true })
  }
}

/** Whether there is such a copy. */
function isKept(backup: string, version: number): boolean {
  if (lstatSync(backup, { throwIfNoEntry: false }) === undefined) return false
  const isFile = statSync(backup, { throwIfNoEntry: false })?.isFile() === true
  const header = isFile ? readSqliteHeader(backup) : null
  if (header?.kind === 'in_use' || (header?.kind === 'database' && header.userVersion === version)) return true
  throw Object.assign(new Error(`${backup} is there and is no copy of version ${version}`), { code: 'EEXIST' })
}

/** Where the copy is that was made when a database of this version was migrated. */
export function backupPath(path: string, version: number): string {
  return `${path}.v${version}-backup`
}
