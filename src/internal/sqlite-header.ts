// The first bytes of a database file, read without SQLite, which may already write when it looks (recover a journal).
//
// A process that closes any descriptor of a file loses all the locks that it has on that file, whoever in the process
// took them (POSIX, fcntl: "All locks associated with a file for a given process shall be removed when a file descriptor
// for that file is closed by that process"). SQLite's connections would not notice, and another process would take
// itself for the last one and remove the log that they are writing to. So a file that this process has open, in
// whichever thread or library, is never opened here. Where such a file is, a connection to it can do no harm: somebody
// has made one before.

import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync, type Stats, statSync } from 'node:fs'

/** The length of the header. https://sqlite.org/fileformat.html section 1.3 */
const HEADER_LENGTH = 100
const MAGIC = Buffer.from('SQLite format 3\0', 'latin1')

/** What the first bytes of a file say. */
export type SqliteHeader =
  | { readonly kind: 'missing' }
  | { readonly kind: 'empty' }
  /** It is no database. */
  | { readonly kind: 'damaged' }
  /** This process has it open, so that only a connection may look at it. */
  | { readonly kind: 'in_use' }
  | { readonly kind: 'database'; readonly applicationId: number; readonly userVersion: number }

/** Looks at a file. Synchronous, so that nothing in this thread can open it between the check and the closing. */
export function readSqliteHeader(path: string): SqliteHeader {
  const found = statIfPresent(path)
  if (found === null) return { kind: 'missing' }
  if (found.isFile() && found.size === 0) return { kind: 'empty' }
  if (isOpenHere(found)) return { kind: 'in_use' }
  const header = Buffer.alloc(HEADER_LENGTH)
  const descriptor = openSync(path, 'r')
  try {
    if (readSync(descriptor, header, 0, HEADER_LENGTH, 0) < HEADER_LENGTH) return { kind: 'damaged' }
  } finally {
    closeSync(descriptor)
  }
  if (!header.subarray(0, MAGIC.length).equals(MAGIC)) return { kind: 'damaged' }
  return { kind: 'database', applicationId: header.readUInt32BE(68), userVersion: header.readUInt32BE(60) }
}

/** The bytes of a database file; null if they are not to be had, not whole, or not in one state. */
export function readSqliteFile(path: string): Buffer | null {
  try {
    const before = statSync(path)
    if (isOpenHere(before)) return null
    const bytes = readFileSync(path)
    const after = statSync(path)
    const still = before.mtimeMs === after.mtimeMs && before.size === after.size && bytes.length === after.size
    // Bytes 16 and 17 are the page size; 1 means 65,536.
    const pageSize = bytes.readUInt16BE(16) === 1 ? 65_536 : bytes.readUInt16BE(16)
    return still && bytes.length % pageSize === 0 ? bytes : null
  } catch {
    return null
  }
}

/** Whether this process has a file open, by whatever name, that is a database of ours with this id. */
export function isDatabaseOpenHere(path: string, applicationId: number): boolean {
  const found = statIfPresent(path)
  return found?.isFile() === true && descriptorsHere(found).some((each) => isOf(each, applicationId))
}

/** How a database is written: bytes 18 and 19 say who may write and who may read. */
export const ROLLBACK_JOURNAL = Buffer.from([1, 1])
export const WRITE_AHEAD_LOG = Buffer.from([2, 2])
export const JOURNAL_MODE_AT = 18

/** Whether the log of a database has pages that are not in the file. */
export function hasUnmergedLog(path: string): boolean {
  return (statIfPresent(`${path}-wal`)?.size ?? 0) > 0
}

function statIfPresent(path: string): Stats | null {
  try {
    return statSync(path)
  } catch (error) {
    // What `throwIfNoEntry` takes for absence is not the same in all versions of Node: newer ones add what is below a file.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}

function isOpenHere(stats: Stats): boolean {
  return descriptorsHere(stats).length > 0
}

/** The descriptors that this process has of a file. */
function descriptorsHere({ dev, ino }: Stats): number[] {
  let descriptors: string[]
  try {
    descriptors = readdirSync('/dev/fd')
  } catch (error) {
    // Windows, where a lock belongs to the handle that took it, and closing another one does no harm. Anything else, such
    // as no descriptor left for the list itself, says nothing about who has the file open.
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ENOENT') throw error
    return []
  }
  return descriptors.map(Number).filter((descriptor) => {
    try {
      const open = fstatSync(descriptor)
      return open.dev === dev && open.ino === ino
    } catch {
      // The one by which the list itself was read is closed by now.
      return false
    }
  })
}

/** Looks through a descriptor that is there, so that none has to be closed. */
function isOf(descriptor: number, applicationId: number): boolean {
  const header = Buffer.alloc(HEADER_LENGTH)
  try {
    if (readSync(descriptor, header, 0, HEADER_LENGTH, 0) < HEADER_LENGTH) return false
    return header.subarray(0, MAGIC.length).equals(MAGIC) && header.readUInt32BE(68) === applicationId
  } catch {
    // One that was opened for writing only is not SQLite's.
    return false
  }
}
