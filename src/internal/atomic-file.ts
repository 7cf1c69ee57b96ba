// Files that are there whole or not at all, and that nobody else could read for an instant.
//
// A new file is written under a random name in the same folder, with its final mode from the moment it is created,
// flushed to the disk, and only then given its real name: by `rename` where an older file may be replaced, by `link`
// where not (`link` fails if the name is taken; asking first and writing then would be a race). Both put the name in
// place of whatever has it, so nothing is ever written through a symbolic link, not even one that appears in between.
//
// Invariant: the file of that name is the old one or the complete new one, at every instant, also after kill -9.

import { randomBytes } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { link, lstat, mkdir, open, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { FileError } from '../errors.ts'
import { reasonOf } from './system-reason.ts'

/** What to put into a file: a piece of it, or its pieces in order. Text is written as UTF-8. */
export type FileContents = string | Uint8Array | Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>

/**
 * Writes a file whole or not at all.
 *
 * An error that `contents` throws while it is iterated passes through unchanged. Whatever fails, the file that was
 * there before is still there, and nothing new is left behind.
 *
 * @param options.mode - Permissions of the new file, from its creation on; the umask can only take away from them.
 * @param options.overwrite - Whether a file of that name may be replaced. A symbolic link, a folder, a device or a
 *   socket never is.
 * @throws {FileError} `FILE_EXISTS` without `overwrite`, `FILE_UNWRITABLE` for everything else.
 */
export async function writeFileAtomic(
  path: string,
  contents: FileContents,
  options: { readonly mode: number; readonly overwrite: boolean },
): Promise<void> {
  await refuseTarget(path, options.overwrite)
  const staged = await stageFile(path, contents, options.mode)
  await staged.publish(options.overwrite)
}

/** A complete file under a temporary name, which waits for its own. */
export interface StagedFile {
  /** Gives the file its name. If that fails, the file is gone and the name is as it was. */
  publish(overwrite: boolean): Promise<void>
  /** Removes the file; nothing happens if it was published or discarded before. */
  discard(): Promise<void>
}

/** Writes a file beside `path` and leaves it there until it is published or discarded. */
export async function stageFile(path: string, contents: FileContents, mode: number): Promise<StagedFile> {
  const temporary = temporaryNameBeside(path)
  const handle = await writing(path, () => open(temporary, CREATE_NEW, mode))
  try {
    try {
      for await (const piece of piecesOf(contents)) {
        await writing(path, () => handle.writeFile(piece))
      }
      await writing(path, () => handle.sync())
    } finally {
      await writing(path, () => handle.close())
    }
  } catch (error) {
    await removeQuietly(temporary)
    throw error
  }

  let waiting = true
  return {
    async publish(overwrite) {
      try {
        // Looked at again here, because much can happen while a long file is written.
        await refuseTarget(path, overwrite)
        await writing(path, () => (overwrite ? rename(temporary, path) : linkOnce(temporary, path)))
        waiting = false
      } finally {
        // After a `link` the temporary name is one too many; after a `rename` it is gone already.
        await removeQuietly(temporary)
      }
      await syncFolder(dirname(path))
    },
    async discard() {
      if (waiting) await removeQuietly(temporary)
      waiting = false
    },
  }
}

/**
 * Refuses a target that must not be replaced. Without `overwrite` this is a courtesy, so that nothing is generated or
 * written in vain; the promise itself is kept by `link`.
 */
export async function refuseTarget(path: string, overwrite: boolean): Promise<void> {
  const found = await statIfPresent(path)
  if (found === null) return
  if (!overwrite) throw alreadyExists(path)
  if (found.isFile()) return
  const what = found.isSymbolicLink() ? 'a symbolic link' : found.isDirectory() ? 'a folder' : 'not a regular file'
  throw new FileError('ERR_TLACACOCA_FILE_UNWRITABLE', path, `${path} is ${what} and will not be replaced`)
}

/**
 * Reads a file, up to `maxBytes` of it (16 MiB by default), also where its size is not known beforehand (a pipe).
 *
 * @throws {FileError} `FILE_NOT_FOUND`, or `FILE_UNREADABLE` for everything else, including a file that is larger.
 */
export async function readFileBytes(path: string, options: { readonly maxBytes?: number } = {}): Promise<Buffer> {
  const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES
  const handle = await reading(path, () => open(path, constants.O_RDONLY))
  try {
    const pieces: Buffer[] = []
    let total = 0
    while (true) {
      const buffer = Buffer.allocUnsafe(Math.min(READ_PIECE, maxBytes + 1 - total))
      const { bytesRead } = await reading(path, () => handle.read(buffer, 0, buffer.length, null))
      if (bytesRead === 0) return pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces)
      total += bytesRead
      if (total > maxBytes) {
        throw new FileError('ERR_TLACACOCA_FILE_UNREADABLE', path, `${path} is larger than ${maxBytes} bytes`)
      }
      pieces.push(buffer.subarray(0, bytesRead))
    }
  } finally {
    await handle.close()
  }
}

/** Reads a file of UTF-8 text; a byte order mark is dropped. The errors are those of {@link readFileBytes}. */
export async function readTextFile(path: string, options: { readonly maxBytes?: number } = {}): Promise<string> {
  const bytes = await readFileBytes(path, options)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new FileError('ERR_TLACACOCA_FILE_UNREADABLE', path, `${path} is not UTF-8 text`)
  }
}

/**
 * Makes sure that a folder exists. Those it has to create, missing parents too, are open to their owner only (0700);
 * one that exists keeps the mode its owner gave it.
 *
 * @throws {FileError} `FILE_UNWRITABLE`
 */
export async function ensurePrivateDirectory(path: string): Promise<void> {
  await writing(path, () => mkdir(path, { recursive: true, mode: 0o700 }))
}

// Windows has no O_NOFOLLOW; with O_EXCL the name must be new, and a link is not.
const CREATE_NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | (constants.O_NOFOLLOW ?? 0)
const DEFAULT_MAX_BYTES = 16 * 1024 * 1024
const READ_PIECE = 64 * 1024

/** A name that nobody can guess, in the folder of `path`, so that it can be renamed without crossing file systems. */
export function temporaryNameBeside(path: string): string {
  return join(dirname(path), `.tlacacoca-${randomBytes(8).toString('hex')}.tmp`)
}

async function* piecesOf(contents: FileContents): AsyncIterable<string | Uint8Array> {
  if (typeof contents === 'string' || contents instanceof Uint8Array) yield contents
  else yield* contents
}

async function linkOnce(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    if (!LINKS_UNSUPPORTED.has(codeOf(error))) throw error
    // FAT, exFAT and some network file systems know no hard links. There the name is reserved by an empty file first:
    // still nobody's file is replaced, but a crash between the two lines leaves the empty one.
    const reserved = await open(to, CREATE_NEW, 0o600)
    await reserved.close()
    await rename(from, to).catch(async (cause: unknown) => {
      await removeQuietly(to)
      throw cause
    })
  }
}

const LINKS_UNSUPPORTED: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL'])

async function statIfPresent(path: string): Promise<Stats | null> {
  return writing(path, () =>
    lstat(path).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return null
      throw error
    }),
  )
}

// A rename lasts through a power cut only once its folder is on the disk. Not every system lets a folder be synced.
async function syncFolder(path: string): Promise<void> {
  try {
    const handle = await open(path, constants.O_RDONLY)
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch {
    // The file is complete and in place all the same.
  }
}

/** Removes a file if it is there; failing to is no reason to hide the error that led here. */
export async function removeQuietly(path: string): Promise<void> {
  await unlink(path).catch(() => {})
}

/** Turns the errors of the file system into those of this library. */
export async function writing<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST') throw alreadyExists(path, cause)
    throw new FileError('ERR_TLACACOCA_FILE_UNWRITABLE', path, `cannot write ${path}: ${reasonOf(cause)}`, { cause })
  }
}

/** Turns the errors of reading files and folders into those of this library. */
export async function reading<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') {
      throw new FileError('ERR_TLACACOCA_FILE_NOT_FOUND', path, `there is no file ${path}`, { cause })
    }
    throw new FileError('ERR_TLACACOCA_FILE_UNREADABLE', path, `cannot read ${path}: ${reasonOf(cause)}`, { cause })
  }
}

function alreadyExists(path: string, cause?: unknown): FileError {
  return new FileError('ERR_TLACACOCA_FILE_EXISTS', path, `${path} exists already`, { cause })
}

/** Node's short name of an error, such as `ENOENT`. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : String(error)
}
