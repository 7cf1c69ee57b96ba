// Which of a million nested blocks is an address in? Blocks of addresses nest or are apart, so in the order of their first
// addresses the answer is the last block that begins at or before the address, or one of the blocks around that one:
//
//   0: 10.0.0.0/8     around: none       10.1.2.3  → 1
//   1: 10.1.0.0/16    around: 0          10.2.0.1  → 1 does not hold it, 0 does
//   2: 11.0.0.0/8     around: none       12.0.0.1  → 2 does not hold it, and nothing is around it
//
// A block that lies within one of a lower tag can never be the answer and is left out. So the first block that holds the
// address, from the inside out, is the most specific one of the lowest tag.
//
// An index over the first bits of the address, 16 of them in a large table, leaves a few blocks to search, mostly one.
// Everything is in typed arrays: a block is 6 bytes for IPv4 and 18 for IPv6, and 4 more in a table where blocks nest; the
// garbage collector has nothing to look at.

import { hostMask } from '../names/address-range.ts'

/** A tag, from 1 to 255. Where blocks of several tags overlap, the lowest tag holds, whatever their sizes. */
export type Tag = number

/** Blocks in any order, equal ones among them: `width` words, a prefix length and a tag for each. */
export interface Blocks {
  readonly width: 1 | 4
  readonly count: number
  /** No word has bits beyond the prefix. */
  readonly words: Uint32Array
  readonly lengths: Uint8Array
  readonly tags: Uint8Array
}

export class BlockTable {
  /** The first address of each block, ascending. */
  readonly #starts: Uint32Array
  readonly #lengths: Uint8Array
  readonly #tags: Uint8Array
  /** The block around each block, or -1. Null if there is none anywhere. */
  readonly #around: Int32Array | null
  /** For each value of the first bits how many blocks begin before the lowest address that has them; one more at the end. */
  readonly #index: Uint32Array
  /** By how much a word is shifted to leave these bits. */
  readonly #shift: number

  private constructor(width: 1 | 4, { starts, lengths, tags, around }: Layout) {
    this.#starts = starts
    this.#lengths = lengths
    this.#tags = tags
    this.#around = around
    // Eight places in the index for each block: most searches then have nothing left to compare.
    const bits = Math.min(16, Math.ceil(Math.log2(tags.length + 1)) + 3)
    this.#index = indexOf(width, starts, tags.length, bits)
    this.#shift = 32 - bits
  }

  /** Makes a table, a few milliseconds of work from one `yield` to the next. */
  static *build(blocks: Blocks): Generator<void, BlockTable> {
    const order = yield* sortedOrder(blocks)
    return new BlockTable(blocks.width, yield* layOut(blocks, order))
  }

  /** The block that decides about an address of one word, or -1. */
  find1(word: number): number {
    const starts = this.#starts
    const prefix = word >>> this.#shift
    let low = (this.#index[prefix] as number) - 1
    let high = (this.#index[prefix + 1] as number) - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if ((starts[middle] as number) <= word) low = middle
      else high = middle - 1
    }
    // As many first bits as the address and the block have in common must be the prefix at least.
    const lengths = this.#lengths
    while (low >= 0 && Math.clz32(word ^ (starts[low] as number)) < (lengths[low] as number)) {
      low = this.#around === null ? -1 : (this.#around[low] as number)
    }
    return low
  }

  /** The block that decides about an address of four words, the most significant first, or -1. */
  find4(w0: number, w1: number, w2: number, w3: number): number {
    const starts = this.#starts
    const prefix = w0 >>> this.#shift
    let low = (this.#index[prefix] as number) - 1
    let high = (this.#index[prefix + 1] as number) - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      const at = middle * 4
      let difference = (starts[at] as number) - w0
      if (difference === 0) difference = (starts[at + 1] as number) - w1
      if (difference === 0) difference = (starts[at + 2] as number) - w2
      if (difference === 0) difference = (starts[at + 3] as number) - w3
      if (difference <= 0) low = middle
      else high = middle - 1
    }
    while (low >= 0) {
      const at = low * 4
      const mask = (this.#lengths[low] as number) * 4
      const outside0 = (w0 ^ (starts[at] as number)) & (PREFIX_MASKS[mask] as number)
      const outside1 = (w1 ^ (starts[at + 1] as number)) & (PREFIX_MASKS[mask + 1] as number)
      const outside2 = (w2 ^ (starts[at + 2] as number)) & (PREFIX_MASKS[mask + 2] as number)
      const outside3 = (w3 ^ (starts[at + 3] as number)) & (PREFIX_MASKS[mask + 3] as number)
      if ((outside0 | outside1 | outside2 | outside3) === 0) break
      low = this.#around === null ? -1 : (this.#around[low] as number)
    }
    return low
  }

  /** The tag of a block, and 0 for -1. */
  tagOf(block: number): number {
    return block < 0 ? 0 : (this.#tags[block] as number)
  }

  prefixLengthOf(block: number): number {
    return this.#lengths[block] as number
  }

  /** How much memory the table takes. */
  get byteLength(): number {
    const { byteLength } = this.#starts
    return byteLength + this.#lengths.byteLength * 2 + (this.#around?.byteLength ?? 0) + this.#index.byteLength
  }
}

/** Four words for each prefix length from 0 to 128: the bits of an address that are within the prefix. */
const PREFIX_MASKS = Int32Array.from({ length: 129 * 4 }, (_, i) => ~hostMask((i >>> 2) - 32 * (i & 3)))

/**
 * The blocks in the order of their first address; of those that begin together the largest first, and of equal ones
 * the lowest tag first. A radix sort, byte by byte from the least significant: at a million blocks a sort by comparison
 * takes several times as long.
 */
function* sortedOrder({ width, count, words, lengths, tags }: Blocks): Generator<void, Uint32Array> {
  let order = new Uint32Array(count)
  for (let i = 0; i < count; i++) order[i] = i
  let sorted = new Uint32Array(count)
  const places = new Uint32Array(256)
  // The column to sort by: a tag, a prefix length, then the words from the last to the first.
  for (let column = width + 1; column >= 0; column--) {
    const [keys, stride, offset] =
      column === width + 1 ? [tags, 1, 0] : column === width ? [lengths, 1, 0] : [words, width, column]
    for (let shift = 0; shift < keys.BYTES_PER_ELEMENT * 8; shift += 8) {
      places.fill(0)
      yield* inSteps(count, (from, to) => {
        for (let i = from; i < to; i++) {
          const byte = ((keys[i * stride + offset] as number) >>> shift) & 255
          places[byte] = (places[byte] as number) + 1
        }
      })
      // Where all have the same byte, as in the low words of networks, there is nothing to do.
      if (places.includes(count)) continue
      // From how many there are of each byte to where the first of them goes.
      let next = 0
      for (let byte = 0; byte < 256; byte++) {
        const first = next
        next += places[byte] as number
        places[byte] = first
      }
      const [source, target] = [order, sorted]
      yield* inSteps(count, (from, to) => {
        for (let i = from; i < to; i++) {
          const block = source[i] as number
          const byte = ((keys[block * stride + offset] as number) >>> shift) & 255
          const place = places[byte] as number
          places[byte] = place + 1
          target[place] = block
        }
      })
      ;[order, sorted] = [target, source]
    }
  }
  return order
}

/** Does something to all of `count` blocks, so many of them from one yield to the next as take a millisecond or two. */
function* inSteps(count: number, work: (from: number, to: number) => void): Generator<void> {
  const size = 65_536
  for (let from = 0; from < count; from += size) {
    work(from, Math.min(from + size, count))
    yield
  }
}

interface Layout {
  readonly starts: Uint32Array
  readonly lengths: Uint8Array
  readonly tags: Uint8Array
  readonly around: Int32Array | null
}

/** The blocks that can be an answer, each with the one around it, by one sweep in their order. */
function* layOut({ width, count, words, lengths, tags }: Blocks, order: Uint32Array): Generator<void, Layout> {
  const starts = new Uint32Array(count * width)
  const keptLengths = new Uint8Array(count)
  const keptTags = new Uint8Array(count)
  const around = new Int32Array(count)
  let kept = 0
  let nests = false

  const holds = (outer: number, block: number): boolean => {
    const mask = (keptLengths[outer] as number) * 4
    for (let i = 0; i < width; i++) {
      const difference = (starts[outer * width + i] as number) ^ (words[block * width + i] as number)
      if ((difference & (PREFIX_MASKS[mask + i] as number)) !== 0) return false
    }
    return true
  }

  for (let i = 0; i < count; i++) {
    if (i % 65_536 === 65_535) yield
    const block = order[i] as number
    const [length, tag] = [lengths[block] as number, tags[block] as number]
    // The block before this one, or whatever is around that, is around this one as well: nothing else can be.
    let outer = kept - 1
    while (outer >= 0 && !holds(outer, block)) outer = around[outer] as number
    // A lower tag is around it, or it stands there already.
    if (outer >= 0 && ((keptTags[outer] as number) < tag || keptLengths[outer] === length)) continue
    for (let word = 0; word < width; word++) starts[kept * width + word] = words[block * width + word] as number
    keptLengths[kept] = length
    keptTags[kept] = tag
    around[kept++] = outer
    if (outer >= 0) nests = true
  }
  return {
    starts: starts.slice(0, kept * width),
    lengths: keptLengths.slice(0, kept),
    tags: keptTags.slice(0, kept),
    around: nests ? around.slice(0, kept) : null,
  }
}

function indexOf(width: number, starts: Uint32Array, count: number, bits: number): Uint32Array {
  const index = new Uint32Array(2 ** bits + 1)
  let before = 0
  for (let prefix = 0; prefix < 2 ** bits; prefix++) {
    while (before < count && (starts[before * width] as number) >>> (32 - bits) < prefix) before++
    index[prefix] = before
  }
  index[2 ** bits] = count
  return index
}
