// Where known hosts come from: a file of lines, a database, a folder. All are opened once and may be read twice.

import { stat } from 'node:fs/promises'
import { reading } from '../../internal/atomic-file.ts'
import { DATABASE_FORMATS, findingsInDatabase } from './databases.ts'
import { findingsInLines, type OpenFindings } from './findings.ts'
import type { KnownHostsFormat } from './known-host.ts'
import { lineFormat } from './line-formats.ts'
import { findCertsFolder, findingsInFolder } from './offpunk-folders.ts'
import type { Repeats } from './read-hosts.ts'
import { SourceFile, unreadable } from './source-file.ts'

/** A store that was opened. */
export interface Source {
  readonly path: string
  /** In bytes; 0 for a folder. */
  readonly size: number
  readonly repeats: Repeats
  readonly findings: OpenFindings
  /** @throws {FileError} FILE_UNREADABLE if the file is not as it was when it was opened. */
  requireUnchanged(): Promise<void>
  close(): Promise<void>
}

/**
 * Opens a store of a format other than TOML.
 *
 * @throws {FileError} FILE_NOT_FOUND, or FILE_UNREADABLE for everything else.
 */
export async function openSource(path: string, format: KnownHostsFormat): Promise<Source> {
  if (format === 'offpunk') return openFolder(path)
  const file = await SourceFile.open(path)
  const lines = lineFormat(format)
  const database = DATABASE_FORMATS.find(({ name }) => name === format)
  const findings: OpenFindings = () => {
    if (lines !== undefined) return findingsInLines(lines, file.chunks())
    if (database !== undefined) return findingsInDatabase(path, database, file.size)
    /* v8 ignore next -- @preserve every format is a folder, of lines or a database; the compiler cannot know */
    throw new TypeError(`${format} has no reader`)
  }
  return {
    path,
    size: file.size,
    repeats: lines?.repeats ?? database?.repeats ?? 'last',
    findings,
    requireUnchanged: () => file.requireUnchanged(),
    close: () => file.close(),
  }
}

async function openFolder(path: string): Promise<Source> {
  const stats = await reading(path, () => stat(path))
  if (!stats.isDirectory()) throw unreadable(path, 'is not a folder, in which Offpunk keeps its certificates')
  const folder = await findCertsFolder(path)
  return {
    path,
    size: 0,
    repeats: 'each',
    findings: () => findingsInFolder(folder),
    requireUnchanged: async () => {},
    close: async () => {},
  }
}
