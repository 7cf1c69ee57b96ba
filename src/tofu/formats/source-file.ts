// A file of another program, opened once and read as often as needed. What was opened stays the same file even if another
// takes its name; if it is changed in place while it is read, nothing of it is used.

import { constants, type Stats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { FileError } from '../../errors.ts'
import { reading } from '../../internal/atomic-file.ts'
import { isDatabaseOpenHere } from '../../internal/sqlite-header.ts'
import { PIN_SCHEMA } from '../schema.ts'

export class SourceFile {
  readonly path: string
  readonly size: number
  /** The permissions of the file. */
  readonly mode: number
  readonly #handle: FileHandle
  readonly #stats: Stats

  private constructor(path: string, handle: FileHandle, stats: Stats) {
    this.path = path
    this.#handle = handle
    this.#stats = stats
    this.size = stats.size
    this.mode = stats.mode & 0o777
  }

  /**
   * @param options.followLinks - Whether the file may be a symbolic link. Default true.
   * @param options.again - Whether the file is open here by another `SourceFile`. Default false.
   * @throws {FileError} FILE_NOT_FOUND, or FILE_UNREADABLE for everything else, such as a folder, a pipe, or a pin database
   *   that this process has open: when this file is closed, SQLite's locks would be gone (see `sqlite-header.ts`).
   */
  static async open(
    path: string,
    options: { readonly followLinks?: boolean; readonly again?: boolean } = {},
  ): Promise<SourceFile> {
    if (options.again !== true && (await reading(path, async () => isDatabaseOpenHere(path, ID)))) {
      throw unreadable(path, 'is a pin database that this program has open')
    }
    // Without O_NONBLOCK, to open a pipe is to wait for whoever writes into it.
    const noFollow = options.followLinks === false ? (constants.O_NOFOLLOW ?? 0) : 0
    const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | noFollow
    const handle = await reading(path, () => open(path, flags))
    try {
      const stats = await reading(path, () => handle.stat())
      if (!stats.isFile()) throw unreadable(path, 'is not an ordinary file')
      return new SourceFile(path, handle, stats)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** The bytes from the beginning, and no more than there were at first. A piece is lent until the next one. */
  async *chunks(maxBytes = this.size): AsyncGenerator<Buffer> {
    const end = Math.min(this.size, maxBytes)
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK, end))
    for (let position = 0; position < end; ) {
      const length = Math.min(buffer.length, end - position)
      const { bytesRead } = await reading(this.path, () => this.#handle.read(buffer, 0, length, position))
      if (bytesRead === 0) return
      position += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  }

  /** Its first bytes, up to so many. */
  async head(length: number): Promise<Buffer> {
    for await (const chunk of this.chunks(length)) return chunk
    return Buffer.alloc(0)
  }

  /** @throws {FileError} FILE_UNREADABLE if the file is not as it was when it was opened. */
  async requireUnchanged(): Promise<void> {
    const now = await reading(this.path, () => this.#handle.stat())
    if (now.mtimeMs === this.#stats.mtimeMs && now.size === this.#stats.size) return
    throw unreadable(this.path, 'was changed while it was read; try again')
  }

  /** Whether the name still leads to the file that was opened. */
  isSameAs(stats: Stats): boolean {
    return stats.ino === this.#stats.ino && stats.dev === this.#stats.dev
  }

  async close(): Promise<void> {
    await this.#handle.close()
  }
}

export function unreadable(path: string, what: string): FileError {
  return new FileError('ERR_TLACACOCA_FILE_UNREADABLE', path, `${path} ${what}`)
}

const CHUNK = 64 * 1024
const ID = PIN_SCHEMA.applicationId
