// One program at a time in a folder.
//
// A lock file that is created and removed stays behind when a program is killed, and whoever guesses that it is stale can
// guess wrong. A lock of the operating system goes with the program that holds it. Node cannot take one; SQLite can, on
// every system, so the lock is an empty database in which nothing is ever written.
//
// Whoever closes a file gives up all locks that its process has on it (POSIX, fcntl). So once the file is there, nobody but
// SQLite opens it, which knows that: with two wallets of one folder in one program, the one that waits would otherwise open
// the door for other programs while the first is still inside.

import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Database } from 'better-sqlite3'
import { FileError } from '../../errors.ts'
import { codeOf, ensurePrivateDirectory, refuseTarget, writeFileAtomic, writing } from '../../internal/atomic-file.ts'
import { loadSqlite } from '../../internal/sqlite-driver.ts'
import { type SqliteCause, storeError } from '../../internal/sqlite-errors.ts'

/** Does something while no other program, and nobody else in this one, is in the same lock. */
export async function withLock<T>(path: string, timeoutMs: number, act: () => Promise<T>): Promise<T> {
  const db = await openLock(path)
  try {
    await enter(db, path, timeoutMs)
    return await act()
  } finally {
    // Closing rolls back, which is all there is to give back.
    db.close()
  }
}

async function openLock(path: string): Promise<Database> {
  // SQLite would create it with other permissions, and would follow a symbolic link.
  if (!(await isThere(path))) await create(path)
  const SQLite = await loadSqlite()
  try {
    return new SQLite(path, { timeout: 0, fileMustExist: true })
  } catch (error) {
    throw storeError(error, whatIs(path))
  }
}

/** @throws {FileError} FILE_UNWRITABLE if it is something else than an ordinary file that can be written. */
async function isThere(path: string): Promise<boolean> {
  await refuseTarget(path, true)
  return writing(path, async () => {
    try {
      await access(path, constants.R_OK | constants.W_OK)
      return true
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false
      throw error
    }
  })
}

/** It is put in place when it has been closed for the last time. */
async function create(path: string): Promise<void> {
  await ensurePrivateDirectory(dirname(path))
  try {
    await writeFileAtomic(path, '', { mode: 0o600, overwrite: false })
  } catch (error) {
    // Somebody else was faster; what is there now is looked at like any other.
    if (!(error instanceof FileError) || error.code !== 'ERR_TLACACOCA_FILE_EXISTS' || !(await isThere(path)))
      throw error
  }
}

async function enter(db: Database, path: string, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs
  for (let attempt = 0; ; attempt++) {
    try {
      // A journal on the disk would need room there. To say so needs the lock too.
      db.pragma('journal_mode = MEMORY')
      db.exec('BEGIN EXCLUSIVE')
      return
    } catch (error) {
      const failure = storeError(error, whatIs(path))
      if (failure.code !== 'ERR_TLACACOCA_STORE_LOCKED' || performance.now() >= deadline) throw failure
    }
    // Random, so that programs that collided do not collide again.
    await pause(1 + Math.random() * Math.min(2 ** attempt, 40))
  }
}

function whatIs(path: string): SqliteCause {
  return { name: 'identity wallet with the lock', path }
}
