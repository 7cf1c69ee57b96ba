// Lagrange's `idents.lgr`: what it knows of its identities apart from certificates and keys. All numbers are little-endian.
//
//   file      "lgL2", u32 version, then records to the end
//   record    "iden", block fingerprint, u32 icon, string notes, i32 flags, u32 count, count strings: URLs
//   block     u32 length, and as many bytes
//   string    a block of UTF-8
//
// It has no checksum and no lengths of records: behind a damaged record nothing can be found any more, and what was read
// before it is kept. A length is compared with what is left of the file before anything is done with it, so the file
// cannot ask for more memory than it has bytes, and every step of the reader moves on.

import { show } from '../../internal/arguments.ts'

/** What Lagrange knows of one identity. */
export interface LagrangeRecord {
  /** SHA-256 of the certificate: 32 bytes, if the file is in order. */
  readonly fingerprint: Uint8Array
  /** A character, by its code point, that Lagrange shows beside the identity. */
  readonly icon: number
  readonly notes: string
  readonly flags: number
  readonly urls: readonly string[]
  /** Where the record begins. */
  readonly offset: number
}

/** Something that is wrong with the file, and the bytes before it. */
export interface LagrangeProblem {
  readonly kind: 'INVALID' | 'UNSUPPORTED' | 'EXCESSIVE'
  readonly offset: number
  readonly message: string
}

export interface LagrangeIdents {
  readonly records: readonly LagrangeRecord[]
  readonly problems: readonly LagrangeProblem[]
  /** Whether all of it was read, so that it can be written again. */
  readonly isComplete: boolean
}

export const LAGRANGE_FLAGS = { temporary: 1, imported: 2 } as const
/** A key, which is Lagrange's own choice. */
export const LAGRANGE_ICON = 0x1f511

export const MAX_IDENTS_BYTES = 4 * 1024 * 1024
const MAX_RECORDS = 10_000
const MAX_URLS = 10_000
export const MAX_STRING_BYTES = 64 * 1024
const FINGERPRINT_BYTES = 32

const FILE_MAGIC = 'lgL2'
const RECORD_MAGIC = 'iden'
const VERSION = 1

/** Reads as much of the file as is in order. */
export function parseIdents(bytes: Uint8Array): LagrangeIdents {
  const records: LagrangeRecord[] = []
  const problems: LagrangeProblem[] = []
  const reader = new Reader(bytes)
  try {
    readHead(reader)
    while (!reader.done) {
      if (records.length === MAX_RECORDS) throw reader.stop('EXCESSIVE', `there are more than ${MAX_RECORDS} records`)
      records.push(readRecord(reader, problems))
    }
    return { records, problems, isComplete: problems.length === 0 }
  } catch (error) {
    /* v8 ignore if -- @preserve only a fault of our own could be another error */
    if (!(error instanceof Stop)) throw error
    return { records, problems: [...problems, error.problem], isComplete: false }
  }
}

/** Writes the file. */
export function formatIdents(records: Iterable<Omit<LagrangeRecord, 'offset'>>): Uint8Array {
  const parts: Uint8Array[] = [Buffer.from(FILE_MAGIC), u32(VERSION)]
  for (const { fingerprint, icon, notes, flags, urls } of records) {
    parts.push(Buffer.from(RECORD_MAGIC), ...block(fingerprint), u32(icon), ...block(Buffer.from(notes)))
    parts.push(u32(flags), u32(urls.length), ...urls.flatMap((url) => block(Buffer.from(url))))
  }
  return new Uint8Array(Buffer.concat(parts))
}

function readHead(reader: Reader): void {
  const magic = reader.magic('its first four bytes')
  if (magic !== FILE_MAGIC) throw reader.stop('INVALID', `it begins with ${show(magic)} and not with "lgL2"`, 0)
  const version = reader.u32('its version')
  // 0 and 1 have one layout. What a later one will have, nobody knows.
  if (version > VERSION) throw reader.stop('UNSUPPORTED', `it has the version ${version}; up to ${VERSION} are read`, 4)
}

function readRecord(reader: Reader, problems: LagrangeProblem[]): LagrangeRecord {
  const offset = reader.offset
  const magic = reader.magic('the beginning of a record')
  if (magic !== RECORD_MAGIC) throw reader.stop('INVALID', `a record begins with ${show(magic)}, not "iden"`, offset)
  const fingerprint = reader.block('a fingerprint')
  if (fingerprint.length !== FINGERPRINT_BYTES) {
    const message = `the fingerprint has ${fingerprint.length} bytes, not ${FINGERPRINT_BYTES}`
    problems.push({ kind: 'INVALID', offset: offset + 4, message })
  }
  const icon = reader.u32('an icon')
  const notes = reader.text('notes', problems) ?? ''
  const flags = reader.u32('flags') | 0
  const countOffset = reader.offset
  const count = reader.u32('the number of URLs')
  if (count > MAX_URLS) {
    throw reader.stop('EXCESSIVE', `the record has ${count} URLs; ${MAX_URLS} are read at most`, countOffset)
  }
  const urls: string[] = []
  for (let i = 0; i < count; i++) {
    const url = reader.text('a URL', problems)
    if (url !== null) urls.push(url)
  }
  return { fingerprint, icon, notes, flags, urls, offset }
}

/** Thrown where reading cannot go on; it never leaves this file. */
class Stop extends Error {
  readonly problem: LagrangeProblem

  constructor(problem: LagrangeProblem) {
    super(problem.message)
    this.problem = problem
  }
}

class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get offset(): number {
    return this.#offset
  }

  get done(): boolean {
    return this.#offset === this.#bytes.length
  }

  stop(kind: LagrangeProblem['kind'], message: string, offset = this.#offset): Stop {
    return new Stop({ kind, offset, message })
  }

  magic(what: string): string {
    return Buffer.from(this.#take(4, what)).toString('latin1')
  }

  u32(what: string): number {
    const offset = this.#offset
    this.#take(4, what)
    return this.#view.getUint32(offset, true)
  }

  block(what: string): Uint8Array {
    const offset = this.#offset
    const length = this.u32(`the length of ${what}`)
    const left = this.#bytes.length - this.#offset
    if (length > left) {
      throw this.stop('INVALID', `${what} should have ${length} bytes, and the file ends after ${left}`, offset)
    }
    if (length > MAX_STRING_BYTES) {
      throw this.stop('EXCESSIVE', `${what} has ${length} bytes; ${MAX_STRING_BYTES} are read at most`, offset)
    }
    // Not `slice`, which shares the memory if the file is a Buffer.
    return Uint8Array.from(this.#take(length, what))
  }

  /** Null, and a problem, for what is no text: the reader knows where it ends and goes on. */
  text(what: string, problems: LagrangeProblem[]): string | null {
    const offset = this.#offset
    try {
      return UTF8.decode(this.block(what))
    } catch (error) {
      if (error instanceof Stop) throw error
      problems.push({ kind: 'INVALID', offset, message: `${what} is not UTF-8, and was left out` })
      return null
    }
  }

  #take(length: number, what: string): Uint8Array {
    const left = this.#bytes.length - this.#offset
    if (length > left) throw this.stop('INVALID', `the file ends in the middle of ${what}; it was cut off`)
    const taken = this.#bytes.subarray(this.#offset, this.#offset + length)
    this.#offset += length
    return taken
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function u32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value >>> 0)
  return bytes
}

function block(bytes: Uint8Array): [Uint8Array, Uint8Array] {
  return [u32(bytes.length), bytes]
}
