// What is read whole: certificates, requests, keys. Out of a file, or of the standard input for `-`.

import { FileError, TlacacocaError } from '../errors.ts'
import { readFileBytes } from '../internal/atomic-file.ts'
import { Explained } from './exit-code.ts'
import type { CliIo } from './io.ts'

/** The bytes of a file or of the standard input, of which only so many are taken. Default 1 MiB. */
export async function readInput(io: CliIo, path: string, maxBytes = 1024 * 1024): Promise<Uint8Array> {
  if (path !== '-') return readFileBytes(path, { maxBytes })
  const pieces: Buffer[] = []
  let total = 0
  for await (const piece of io.stdin) {
    const bytes = Buffer.from(piece)
    total += bytes.length
    if (total > maxBytes) {
      throw new FileError('ERR_TLACACOCA_FILE_UNREADABLE', '-', `the standard input is larger than ${maxBytes} bytes`)
    }
    pieces.push(bytes)
  }
  return Buffer.concat(pieces)
}

/** Does something with what was read, and says of a mistake in it where it was read from. */
export async function inFile<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    // Those of files name theirs.
    if (!(error instanceof TlacacocaError) || error instanceof FileError) throw error
    throw new Explained(`${path === '-' ? 'the standard input' : path}: ${error.message}`, error)
  }
}
