// This store as another client's: as a new file, or into one that is there.
//
// A file that is there is gone through line by line. Lines of servers that we have something to say about are put anew, in
// their place; every other line (comments, servers that we do not know, what nobody understands) is copied byte by byte.
// What is new comes at the end. A line that says what we say already stays as it is, dates and all.

import { lstat } from 'node:fs/promises'
import { FileError, ImportError } from '../../errors.ts'
import { requireBoolean, requireOneOf, requireOptions, requireString } from '../../internal/arguments.ts'
import { reading, refuseTarget, writeFileAtomic } from '../../internal/atomic-file.ts'
import { bySubject } from '../host-info.ts'
import type { PinStore } from '../pin-store.ts'
import { writersOf } from './detect.ts'
import { type LeftOutPin, type PlannedHost, planHost, subjectOfReading } from './host-to-write.ts'
import type { KnownHostsExportFormat, LineFormat, LineReading } from './known-host.ts'
import { LINE_FORMATS } from './line-formats.ts'
import { linesOf, MAX_LINE, type RawLine } from './lines.ts'
import { isEmpty, readLine, textOf } from './read-line.ts'
import { SourceFile } from './source-file.ts'

/** How to write another client's store. Close that client before. */
export interface KnownHostsExportOptions {
  readonly format: KnownHostsExportFormat
  /** Whether a file of that name may be replaced by one with our servers only. Default false. */
  readonly overwrite?: boolean
  /** Whether our servers go into the file of that name, if there is one, and all else in it is kept. Default false. */
  readonly update?: boolean
}

/** What an export wrote. */
export interface KnownHostsExport {
  /** Servers of ours that the file holds now. */
  readonly hosts: number
  /** What the format cannot hold, and why; of more than 1,000, the first. */
  readonly leftOut: readonly LeftOutPin[]
  /** How many were left out. */
  readonly leftOutCount: number
}

const WRITABLE = LINE_FORMATS.filter((format) => format.write !== undefined)

/** Writes this store as another client's. */
export async function exportKnownHosts(
  store: PinStore,
  path: string,
  options: KnownHostsExportOptions,
): Promise<KnownHostsExport> {
  requireString('path', path)
  requireOptions('options', options, ['format', 'overwrite', 'update'])
  const { overwrite = false, update = false } = options
  const names = WRITABLE.map(({ name }) => name)
  requireOneOf('format', options.format, names)
  requireBoolean('overwrite', overwrite)
  requireBoolean('update', update)
  if (overwrite && update) throw new TypeError('expected "overwrite" or "update", and not both')
  const format = WRITABLE.find(({ name }) => name === options.format)
  /* v8 ignore next -- @preserve the name was just found among those that are written */
  if (format === undefined) throw new TypeError(`${options.format} is not written`)

  const job = new ExportJob(store, format)
  const file = update ? await openForUpdate(path) : null
  if (file === null) {
    // Pins tell where somebody has been, so the file is for its owner only.
    await writeFileAtomic(path, job.lines('\n'), { mode: 0o600, overwrite })
    return job.result()
  }
  try {
    await requireFormat(file, format)
    await writeFileAtomic(path, updated(file, job), { mode: file.mode & 0o600, overwrite: true })
    return job.result()
  } finally {
    await file.close()
  }
}

// What is left out is for people to read.
const MAX_LEFT_OUT = 1000

/** One export: what each server becomes, and what was left out. */
class ExportJob {
  readonly format: LineFormat
  readonly #store: PinStore
  readonly #leftOut: LeftOutPin[] = []
  #leftOutCount = 0
  #hosts = 0

  constructor(store: PinStore, format: LineFormat) {
    this.#store = store
    this.format = format
  }

  /** What a server becomes that was found in a file. */
  async plan(subject: string): Promise<PlannedHost> {
    return planHost(this.format, this.#store, subject, await this.#store.read(subject))
  }

  /** The lines of all servers, but for those that were written before; counts everything. */
  async *lines(end: string, before: ReadonlyMap<string, number> = new Map()): AsyncGenerator<string> {
    for await (const portion of this.#store.scan()) {
      let text = ''
      for (const [subject, pins] of bySubject(portion)) {
        const { lines, leftOut } = await planHost(this.format, this.#store, subject, pins)
        this.#count(lines, leftOut)
        const written = before.get(subject) ?? 0
        for (const [part, line] of lines.entries()) if (!hasPart(written, part)) text += line + end
      }
      yield text
    }
  }

  result(): KnownHostsExport {
    return { hosts: this.#hosts, leftOut: this.#leftOut, leftOutCount: this.#leftOutCount }
  }

  #count(lines: readonly string[], leftOut: readonly LeftOutPin[]): void {
    if (lines.length > 0) this.#hosts++
    this.#leftOutCount += leftOut.length
    this.#leftOut.push(...leftOut.slice(0, MAX_LEFT_OUT - this.#leftOut.length))
  }
}

async function openForUpdate(path: string): Promise<SourceFile | null> {
  // Refuses a link, a folder and whatever else is not to be replaced.
  await refuseTarget(path, true)
  try {
    return await SourceFile.open(path, { followLinks: false })
  } catch (error) {
    if (error instanceof FileError && error.code === 'ERR_TLACACOCA_FILE_NOT_FOUND') return null
    throw error
  }
}

/** Refuses to write lines of one program among those of another. */
async function requireFormat(file: SourceFile, format: LineFormat): Promise<void> {
  const { path } = file
  let lines = 0
  let understood = 0
  let own = 0
  let foreign: string | undefined
  for await (const batch of linesOf(file.chunks())) {
    for (const line of batch.lines) {
      const text = textOf(line)
      if (isEmpty(text)) continue
      lines++
      const writers = writersOf(text)
      const isUnderstood = subjectOfReading(readLine(format, line, '')) !== undefined
      if (isUnderstood) understood++
      if (writers.includes(format.name)) own++
      else if (writers.length > 0) {
        foreign ??= `line ${line.number} of ${path} is one of ${writers.join(', ')}`
        if (!isUnderstood) throw mixed(foreign, format)
      }
    }
  }
  // A lenient reader may understand all that another program wrote.
  if (foreign !== undefined && own === 0) throw mixed(foreign, format)
  if (lines === 0 || understood > 0) return
  const message = `${path} has ${lines} lines, and none is one of ${format.program}; nothing is written there`
  throw new ImportError('ERR_TLACACOCA_IMPORT_FORMAT_UNKNOWN', message)
}

function mixed(foreign: string, { program }: LineFormat): ImportError {
  const message = `${foreign}; nothing of ${program} is written there`
  return new ImportError('ERR_TLACACOCA_IMPORT_FORMAT_AMBIGUOUS', message)
}

/** The file with our servers in it. */
async function* updated(file: SourceFile, job: ExportJob): AsyncGenerator<Buffer | string> {
  const { format } = job
  /** Which lines of which servers have been written: one bit each, because there may be a million servers. */
  const written = new Map<string, number>()
  let end = '\n'
  for await (const { lines } of linesOf(file.chunks())) {
    const pieces: (Buffer | string)[] = []
    for (const line of lines) {
      const { bytes, number } = line
      if (number === 1 && bytes.at(-1) === CR) end = '\r\n'
      const reading = readLine(format, line, '')
      requireUpdatable(file, line, reading)
      const subject = subjectOfReading(reading)
      const ours = subject === undefined ? undefined : (await job.plan(subject)).lines
      if (subject === undefined || ours === undefined || ours.length === 0) {
        pieces.push(bytes, '\n')
        continue
      }
      const part = reading.kind === 'expiry' ? 1 : 0
      const parts = written.get(subject) ?? 0
      // Of several lines for a server the last one counts, so those after ours must go.
      if (hasPart(parts, part)) continue
      written.set(subject, parts | (1 << part))
      const text = ours[part] ?? ''
      if (saysAll(reading, readLine(format, { ...line, bytes: Buffer.from(text), isCut: false }, ''))) {
        pieces.push(bytes, '\n')
      } else {
        pieces.push(text + end)
      }
    }
    // Together, because the bytes are lent, and because each piece is a write.
    yield Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)))
  }
  yield* job.lines(end, written)
  await file.requireUnchanged()
  const now = await reading(file.path, () => lstat(file.path))
  if (file.isSameAs(now)) return
  const message = `${file.path} was replaced while it was read; nothing was written, try again`
  throw new FileError('ERR_TLACACOCA_FILE_UNWRITABLE', file.path, message)
}

function requireUpdatable({ path }: SourceFile, { number, isCut }: RawLine, reading: LineReading): void {
  if (isCut) {
    const message = `line ${number} of ${path} is longer than ${MAX_LINE} bytes; nothing was written`
    throw new FileError('ERR_TLACACOCA_FILE_UNWRITABLE', path, message)
  }
  // What is added at the end would be part of that table.
  if (reading.kind !== 'section') return
  const message = `line ${number} of ${path} begins a table, which the program does not know; nothing was written`
  throw new FileError('ERR_TLACACOCA_FILE_UNWRITABLE', path, message)
}

/** Whether a line of the file says all that ours does. When it was written is no part of that. */
function saysAll(theirs: LineReading, ours: LineReading): boolean {
  if (theirs.kind === 'expiry') return ours.kind === 'expiry' && theirs.notAfter.getTime() === ours.notAfter.getTime()
  /* v8 ignore next -- @preserve a line of a server is of its host or its end, and ours were read again when planned */
  if (theirs.kind !== 'host' || ours.kind !== 'host') return false
  const sameEnd = ours.notAfter === null || theirs.notAfter?.getTime() === ours.notAfter.getTime()
  // What was verified for the other program is not taken back because we have not verified it.
  return theirs.digest === ours.digest && sameEnd && (theirs.state === ours.state || theirs.state === 'verified')
}

function hasPart(parts: number, part: number): boolean {
  return (parts & (1 << part)) !== 0
}

const CR = 0x0d
