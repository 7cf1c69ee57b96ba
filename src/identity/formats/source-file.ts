// Files of other programs. They are read as long as they are ordinary files of an ordinary size: to open a pipe is to wait
// for whoever writes into it, and a link in a folder that came from elsewhere may lead anywhere.

import { constants } from 'node:fs'
import { type FileHandle, open, opendir, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { FileError } from '../../errors.ts'
import { show } from '../../internal/arguments.ts'
import { reading } from '../../internal/atomic-file.ts'

/**
 * Reads an ordinary file of at most `maxBytes`. Links are followed.
 *
 * @throws {FileError} FILE_NOT_FOUND, or FILE_UNREADABLE for everything else.
 */
export async function readSourceFile(path: string, maxBytes: number): Promise<Buffer> {
  return readOpened(path, path, 0, maxBytes)
}

/** The same for UTF-8 text; a byte order mark is dropped. */
export async function readSourceText(path: string, maxBytes: number): Promise<string> {
  const bytes = await readSourceFile(path, maxBytes)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw unreadable(path, 'is not UTF-8 text')
  }
}

/** A folder out of which no link leads. */
export class SourceFolder {
  readonly path: string
  readonly #root: string

  private constructor(path: string, root: string) {
    this.path = path
    this.#root = root
  }

  /** @throws {FileError} FILE_NOT_FOUND, or FILE_UNREADABLE for everything else. */
  static async open(path: string): Promise<SourceFolder> {
    return new SourceFolder(path, await reading(path, () => realpath(path)))
  }

  /**
   * The names in a folder in it, sorted, or null if there is no such folder.
   *
   * @param name - Of the folder; empty for this one.
   * @throws {FileError} FILE_UNREADABLE, also if there are more than `max`.
   */
  async list(name: string, max: number): Promise<string[] | null> {
    const path = join(this.path, name)
    try {
      const real = await this.#resolve(path)
      const names = await reading(path, () => namesIn(real, max + 1))
      if (names.length <= max) return names.sort()
    } catch (error) {
      if (isMissing(error)) return null
      throw error
    }
    throw unreadable(path, `has more than ${max} files in it`)
  }

  /**
   * Reads an ordinary file in it.
   *
   * @throws {FileError} FILE_NOT_FOUND, or FILE_UNREADABLE for everything else, such as a link that leads out of the
   *   folder.
   */
  async read(path: string, maxBytes: number): Promise<Buffer> {
    // The name that was resolved is opened as it is, so a link that appears in between is not followed.
    return readOpened(path, await this.#resolve(path), constants.O_NOFOLLOW ?? 0, maxBytes)
  }

  async #resolve(path: string): Promise<string> {
    const real = await reading(path, () => realpath(path))
    const root = this.#root.endsWith(sep) ? this.#root : `${this.#root}${sep}`
    if (real === this.#root || real.startsWith(root)) return real
    throw unreadable(path, 'is a link that leads out of the folder, and is not followed')
  }
}

async function namesIn(folder: string, max: number): Promise<string[]> {
  const names: string[] = []
  // Leaving the loop closes the folder.
  for await (const { name } of await opendir(folder)) if (names.push(name) === max) break
  return names
}

async function readOpened(path: string, real: string, flags: number, maxBytes: number): Promise<Buffer> {
  if (path.includes('\0')) throw new FileError('ERR_TLACACOCA_FILE_NOT_FOUND', path, `there is no file ${show(path)}`)
  const handle = await reading(path, () => open(real, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | flags))
  try {
    const stats = await reading(path, () => handle.stat())
    if (!stats.isFile()) throw unreadable(path, 'is not an ordinary file')
    return await readAll(handle, path, maxBytes)
  } finally {
    await handle.close()
  }
}

/** Some ordinary files, such as those of `/proc`, do not tell their size, and others grow. */
async function readAll(handle: FileHandle, path: string, maxBytes: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  let total = 0
  while (true) {
    const piece = Buffer.allocUnsafe(Math.min(PIECE, maxBytes + 1 - total))
    const { bytesRead } = await reading(path, () => handle.read(piece, 0, piece.length, null))
    if (bytesRead === 0) return Buffer.concat(pieces)
    total += bytesRead
    if (total > maxBytes) throw unreadable(path, `is larger than ${maxBytes} bytes`)
    pieces.push(piece.subarray(0, bytesRead))
  }
}

const PIECE = 64 * 1024

export function isMissing(error: unknown): boolean {
  return error instanceof FileError && error.code === 'ERR_TLACACOCA_FILE_NOT_FOUND'
}

function unreadable(path: string, why: string): FileError {
  return new FileError('ERR_TLACACOCA_FILE_UNREADABLE', path, `${path} ${why}`)
}
