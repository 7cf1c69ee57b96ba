// Which program a store is of, by what is in it. Names do not tell: four programs call theirs `known_hosts`.
//
// The readers are as lenient as their programs are; to be recognised, a file must be as the program writes it. So no line
// is of two formats, and a file that is of two is one that somebody put together.

import { stat } from 'node:fs/promises'
import { ImportError } from '../../errors.ts'
import { reading } from '../../internal/atomic-file.ts'
import { PIN_SCHEMA } from '../schema.ts'
import { DATABASE_FORMATS, findDatabaseFormat } from './databases.ts'
import type { KnownHostsFormat } from './known-host.ts'
import { LINE_FORMATS } from './line-formats.ts'
import { linesOf } from './lines.ts'
import { findCertsFolder, findingsInFolder } from './offpunk-folders.ts'
import { isEmpty, textOf } from './read-line.ts'
import { SourceFile } from './source-file.ts'

/**
 * Finds out which program a store of known hosts belongs to, by its content. Reads up to a megabyte of it.
 *
 * @throws {ImportError} `ERR_TLACACOCA_IMPORT_FORMAT_UNKNOWN` if it is none that is known here,
 *   `ERR_TLACACOCA_IMPORT_FORMAT_AMBIGUOUS` if it is of several.
 * @throws {FileError} `FILE_NOT_FOUND`, `FILE_UNREADABLE`.
 * @throws {StoreError} If it is a database that cannot be read.
 * @example
 * import { detectKnownHosts } from 'tlacacoca/tofu'
 *
 * console.log(await detectKnownHosts('known_hosts')) // 'gmni'
 */
export async function detectKnownHosts(path: string): Promise<KnownHostsFormat> {
  const stats = await reading(path, () => stat(path))
  if (stats.isDirectory()) return detectFolder(path)
  const file = await SourceFile.open(path)
  try {
    const head = await file.head(HEADER_LENGTH)
    if (!head.subarray(0, MAGIC.length).equals(MAGIC)) return await detectText(file)
    // https://sqlite.org/fileformat.html section 1.3
    if (head.length === HEADER_LENGTH && head.readUInt32BE(68) === PIN_SCHEMA.applicationId) {
      throw unknown(path, 'it is the pin database of this library; open it, and write it to TOML with exportToml')
    }
    const format = await findDatabaseFormat(path)
    if (format === null) throw unknown(path, `the database has none of the tables of ${programs(DATABASE_FORMATS)}`)
    return format.name
  } finally {
    await file.close()
  }
}

async function detectFolder(path: string): Promise<KnownHostsFormat> {
  let entries = 0
  for await (const { findings } of findingsInFolder(await findCertsFolder(path))) {
    if (findings.some(({ reading }) => reading.kind === 'host')) return 'offpunk'
    entries += findings.length + 1
    if (entries > MAX_ENTRIES) break
  }
  throw unknown(path, 'it is a folder without the folders host/address that Offpunk keeps certificates in')
}

/** Which programs would write this line, just so. */
export function writersOf(line: string): KnownHostsFormat[] {
  return SIGNS.filter(({ isWritten }) => isWritten(line)).map(({ name }) => name)
}

async function detectText(file: SourceFile): Promise<KnownHostsFormat> {
  const { path } = file
  const formats = new Map<KnownHostsFormat, number>()
  let lines = 0
  for await (const batch of linesOf(file.chunks(SAMPLE))) {
    for (const line of batch.lines) {
      const text = textOf(line)
      if (isEmpty(text)) continue
      lines++
      for (const name of writersOf(text)) formats.set(name, (formats.get(name) ?? 0) + 1)
    }
  }
  if (lines === 0) throw unknown(path, 'it is empty')
  const [found, other] = formats.keys()
  if (found === undefined) throw unknown(path, `no line is as one of ${programs(SIGNS)} writes it`)
  if (other !== undefined) {
    const names = [...formats].map(([name, count]) => `${count} of ${name}`).join(', ')
    const message = `${path} has lines of several formats (${names}); say which to import`
    throw new ImportError('ERR_TLACACOCA_IMPORT_FORMAT_AMBIGUOUS', message)
  }
  // A page about a format has a line of it too.
  const count = formats.get(found) ?? 0
  if (!BY_HEADING.has(found) && count * 2 < lines) {
    throw unknown(path, `only ${count} of ${lines} lines are as ${found} has them`)
  }
  return found
}

/** What tells a format. */
const SIGNS: readonly {
  readonly name: KnownHostsFormat
  readonly program: string
  isWritten(line: string): boolean
}[] = [
  {
    name: 'tlacacoca',
    program: 'tlacacoca',
    isWritten: (line) => /^\[(?:_metadata|hosts|hosts\."[^"]+"|tlacacoca)\]$/.test(line),
  },
  ...LINE_FORMATS,
]

/** Formats of which the sign is the heading above their lines. */
const BY_HEADING: ReadonlySet<KnownHostsFormat> = new Set(['tlacacoca', 'ncgopher', 'bombadillo'])

const MAGIC = Buffer.from('SQLite format 3\0', 'latin1')
const HEADER_LENGTH = 100
const SAMPLE = 1024 * 1024
// Whoever gives the folder of all files by mistake is told so before all are looked at.
const MAX_ENTRIES = 10_000

function programs(formats: readonly { readonly program: string }[]): string {
  return formats.map(({ program }) => program).join(', ')
}

function unknown(path: string, why: string): ImportError {
  return new ImportError('ERR_TLACACOCA_IMPORT_FORMAT_UNKNOWN', `${path} is no store of known hosts: ${why}`)
}
