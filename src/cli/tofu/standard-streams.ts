// Lists that come by the standard input, and leave by the standard output. The library reads a list more than once, and
// some are databases, so a list is kept in a file meanwhile, which nobody else can read. Lists tell where somebody has been.

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, mkdirSync, rmSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileError, TlacacocaError } from '../../errors.ts'
import { writing } from '../../internal/atomic-file.ts'
import { Explained } from '../exit-code.ts'
import type { CliIo } from '../io.ts'

/** What stands for the standard input or output in place of a file. */
export const STANDARD = '-'

/** A million known hosts are 150 MB. */
const MAX_BYTES = 1024 * 1024 * 1024

/** A file for a while. Its folder is open to its owner only, and goes with it, however the process ends. */
export class PassingFile implements AsyncDisposable {
  readonly path: string
  readonly #folder: string
  readonly #io: CliIo
  readonly #remove = (): void => rmSync(this.#folder, { recursive: true, force: true })
  readonly #unlisten: readonly (() => void)[]

  private constructor(io: CliIo, folder: string) {
    this.#io = io
    this.#folder = folder
    this.path = join(folder, 'list')
    // What a command does is not waited for when it is interrupted, so this cannot wait either.
    io.signal.addEventListener('abort', this.#remove, { once: true })
    if (io.signal.aborted) this.#remove()
    // Nobody may read on: `tofu export - | head`.
    process.once('exit', this.#remove)
    this.#unlisten = (['SIGTERM', 'SIGHUP'] as const).map((name) => {
      const unlisten = io.onSignal(name, () => {
        this.#remove()
        // It ends the process, as it would have without this.
        unlisten()
        process.kill(process.pid, name)
      })
      return unlisten
    })
  }

  /** A name for a file that is not there yet. */
  static async make(io: CliIo): Promise<PassingFile> {
    const folder = join(tmpdir(), `tlacacoca-${randomBytes(8).toString('hex')}`)
    // Before there is a folder, so that no signal comes in between.
    const file = new PassingFile(io, folder)
    try {
      // At once: what is still on its way when a signal comes would be made after it.
      await writing(folder, async () => mkdirSync(folder, { mode: 0o700 }))
      return file
    } catch (error) {
      file.#unwatch()
      throw error
    }
  }

  /** A file with all of the standard input. */
  static async ofInput(io: CliIo, maxBytes = MAX_BYTES): Promise<PassingFile> {
    const file = await PassingFile.make(io)
    try {
      const handle = await writing(file.path, () => open(file.path, 'wx', 0o600))
      try {
        let total = 0
        for await (const piece of io.stdin) {
          const bytes = Buffer.from(piece)
          total += bytes.length
          if (total > maxBytes) {
            throw new FileError('ERR_TLACACOCA_FILE_UNREADABLE', STANDARD, `${INPUT} is larger than ${maxBytes} bytes`)
          }
          await writing(file.path, () => handle.writeFile(bytes))
        }
      } finally {
        await handle.close()
      }
      return file
    } catch (error) {
      await file[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Prints the file as it is. */
  async print(): Promise<void> {
    for await (const piece of createReadStream(this.path)) {
      this.#io.signal.throwIfAborted()
      if (!this.#io.stdout.write(piece)) await once(this.#io.stdout, 'drain')
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unwatch()
    await rm(this.#folder, { recursive: true, force: true })
  }

  #unwatch(): void {
    this.#io.signal.removeEventListener('abort', this.#remove)
    process.off('exit', this.#remove)
    for (const unlisten of this.#unlisten) unlisten()
  }
}

const INPUT = 'the standard input'

/** Runs what reads a list, and says of its mistakes where the list came from, and not where it was kept meanwhile. */
export async function inTheNameOfInput<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof TlacacocaError) || !error.message.includes(path)) throw error
    throw new Explained(error.message.replaceAll(path, INPUT), error)
  }
}
