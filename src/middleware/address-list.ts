// Address lists as they are published: a text file with one entry a line. What is in such a file was written by somebody
// else and has travelled, so it is read strictly, as a whole, and nothing is skipped: a page that says "not found" must
// not become a deny list that denies nobody.

import { open } from 'node:fs/promises'
import { AddressListError, type FileProblem, InvalidNameError } from '../errors.ts'
import { requireInteger, requireOptions, requireString } from '../internal/arguments.ts'
import { reading } from '../internal/atomic-file.ts'
import { parseAddressSpan } from '../names/address-span.ts'
import { BlockBuffer } from './address-blocks.ts'
import type { Blocks } from './block-table.ts'

/** Addresses and ranges (`203.0.113.0/24`, `2001:db8::1-2001:db8::9`), or what `loadAddressList` read from a file. */
export type AddressEntries = Iterable<string> | AddressList

/** What a list must be like to be one. */
export interface AddressListOptions {
  /** How many entries it has at least. Default 1: a file that is empty, or cut off, is rather a mistake than a list. */
  readonly minEntries?: number
  /**
   * How many entries it has at most; a span counts as the blocks that it is made of, which can be 254. Default 5,000,000,
   * which are 100 MB.
   */
  readonly maxEntries?: number
}

/**
 * Addresses and ranges that were read from a published list, in 6 bytes for a block of IPv4 and 18 for one of IPv6. It never
 * changes, and any number of guards can use it: see {@link AccessControlOptions}.
 *
 * @example
 * import { AccessControl, loadAddressList } from 'tlacacoca'
 *
 * const drop = await loadAddressList('drop.txt')
 * console.log(`${drop.size} entries`)
 * export const guard = new AccessControl({ denyList: drop })
 */
export class AddressList {
  /** How many entries were read. */
  readonly size: number
  readonly #ipv4: Blocks
  readonly #ipv6: Blocks

  /** @internal */
  constructor(size: number, ipv4: Blocks, ipv6: Blocks) {
    this.size = size
    this.#ipv4 = ipv4
    this.#ipv6 = ipv6
  }

  /** Whether a value is a list that this library read. */
  static is(value: unknown): value is AddressList {
    return typeof value === 'object' && value !== null && #ipv4 in value
  }

  /** @internal */
  static blocksOf(list: AddressList): { readonly ipv4: Blocks; readonly ipv6: Blocks } {
    return { ipv4: list.#ipv4, ipv6: list.#ipv6 }
  }
}

/**
 * Reads an address list from a file, without keeping the event loop from anything else for long.
 *
 * Each line has one entry (an address, a block such as `203.0.113.0/24`, or a first and a last address with a hyphen
 * between), or none. A `#` or `;` begins a comment. Lines end in LF or CR LF.
 *
 * @throws {AddressListError} `ERR_TLACACOCA_ADDRESS_LIST_INVALID` if a line is anything else, with the line and column of
 *   each, or if the list has fewer or more entries than it should.
 * @throws {FileError} If the file cannot be read.
 * @example
 * import { AccessControl, loadAddressList } from 'tlacacoca/middleware'
 *
 * const access = new AccessControl({ denyLists: { drop: await loadAddressList('drop.txt') } })
 * // Once a day, after a new one was fetched:
 * await access.replace({ denyLists: { drop: await loadAddressList('drop.txt') } })
 */
export async function loadAddressList(path: string, options: AddressListOptions = {}): Promise<AddressList> {
  requireString('path', path)
  const lines = new Lines(path, options)
  const file = await reading(path, () => open(path))
  try {
    const buffer = Buffer.allocUnsafe(PIECE_BYTES)
    for (;;) {
      const { bytesRead } = await reading(path, () => file.read(buffer, 0, buffer.length, null))
      if (bytesRead === 0) return lines.end()
      lines.add(buffer.toString('latin1', 0, bytesRead))
    }
  } finally {
    await file.close()
  }
}

/**
 * Reads an address list from a text, by the rules of {@link loadAddressList}.
 *
 * @param options.source - What the text is called in messages. Default `the list`.
 * @throws {AddressListError} See {@link loadAddressList}.
 * @example
 * import { parseAddressList } from 'tlacacoca/middleware'
 *
 * const list = parseAddressList('192.0.2.0/24 ; a network\n2001:db8::1 - 2001:db8::9\n')
 * console.log(list.size) // 2
 */
export function parseAddressList(
  text: string,
  options: AddressListOptions & { readonly source?: string } = {},
): AddressList {
  requireString('text', text)
  const { source = 'the list', ...limits } = options
  requireString('source', source)
  const lines = new Lines(source, limits)
  lines.add(text)
  return lines.end()
}

// A thousand entries, in a millisecond or two; if all of them are the longest of spans, it takes some tens of milliseconds.
const PIECE_BYTES = 16 * 1024
// Far longer than an entry; comments can be long.
const MAX_LINE = 10_000
// After so many mistakes a file is no list, and the rest of it is not looked at.
const MAX_PROBLEMS = 100

/** A list that grows, piece by piece. Entries are ASCII, so each byte is a character; what comments are written in is open. */
class Lines {
  readonly #source: string
  readonly #minEntries: number
  readonly #maxEntries: number
  readonly #ipv4 = new BlockBuffer(1)
  readonly #ipv6 = new BlockBuffer(4)
  readonly #problems: FileProblem[] = []
  #entries = 0
  #lines = 0
  /** The beginning of a line of which the end has not come. */
  #begun = ''

  constructor(source: string, options: AddressListOptions) {
    requireOptions('options', options, ['minEntries', 'maxEntries'])
    const { minEntries = 1, maxEntries = 5_000_000 } = options
    requireInteger('minEntries', minEntries, 0, MAX_ENTRIES)
    requireInteger('maxEntries', maxEntries, minEntries, MAX_ENTRIES)
    this.#source = source
    this.#minEntries = minEntries
    this.#maxEntries = maxEntries
  }

  add(piece: string): void {
    const text = this.#begun + piece
    let start = 0
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      this.#read(text.slice(start, end))
      start = end + 1
    }
    this.#begun = text.slice(start)
    this.#requireShort(this.#begun)
  }

  end(): AddressList {
    this.#read(this.#begun)
    if (this.#problems.length > 0) this.#refuse(this.#summary(''))
    if (this.#entries < this.#minEntries) {
      this.#refuse(`it has ${this.#entries} entries, fewer than ${this.#minEntries}: was it cut off?`)
    }
    return new AddressList(this.#entries, this.#ipv4.toBlocks(), this.#ipv6.toBlocks())
  }

  #read(line: string): void {
    this.#requireShort(line)
    if (this.#lines++ === 0) line = line.replace(BYTE_ORDER_MARK, '')
    const comment = line.search(/[#;]/)
    const text = (comment < 0 ? line : line.slice(0, comment)).trim()
    if (text === '') return
    this.#entries++
    try {
      for (const range of parseAddressSpan(text)) (range.family === 4 ? this.#ipv4 : this.#ipv6).add(range, 0)
    } catch (error) {
      /* v8 ignore next -- @preserve reading an address throws nothing else; a fault of ours is no mistake in the list */
      if (!(error instanceof InvalidNameError)) throw error
      this.#problems.push({ line: this.#lines, column: line.indexOf(text) + 1, message: error.message })
      if (this.#problems.length === MAX_PROBLEMS) this.#refuse(this.#summary(' at least'))
    }
    if (this.#ipv4.count + this.#ipv6.count > this.#maxEntries) {
      this.#refuse(`it has more than ${this.#maxEntries} entries`)
    }
  }

  /** Also of a line that came in one piece: whether a file is a list does not depend on how it is cut. */
  #requireShort(line: string): void {
    if (line.length > MAX_LINE) this.#refuse('a line of it is too long')
  }

  #summary(atLeast: string): string {
    const [{ line, column, message } = { line: 1, column: 1, message: '' }, ...others] = this.#problems
    const more = others.length === 0 ? '' : ` (and${atLeast} ${others.length} more)`
    return `line ${line}, column ${column}: ${message}${more}`
  }

  #refuse(problem: string): never {
    throw new AddressListError(`${this.#source} is not an address list: ${problem}`, this.#source, this.#problems)
  }
}

const MAX_ENTRIES = 2 ** 26
// As the three bytes that it is in UTF-8, and as a text has it.
const BYTE_ORDER_MARK = /^(?:\u00ef\u00bb\u00bf|\ufeff)/
