// Which of a million nested blocks is an address in? The blocks are laid out once, on the line of all addresses: what
// covers what is settled then, and what remains is a sorted list of boundaries, each with the one value that holds
// from there to the next. A look-up finds the last boundary that is not above the address.
//
//   blocks      10.0.0.0/8 allow          10.1.0.0/16 deny
//   boundaries  0: -    10.0.0.0: allow    10.1.0.0: deny    10.2.0.0: allow    11.0.0.0: -
//
// An index over the first bits of the address, 16 of them in a large table, leaves a few boundaries to search, mostly
// one. Everything is in typed arrays: a boundary is 5 bytes for IPv4 and 18 for IPv6, and the garbage collector has
// nothing to look at.
//
// A value is a tag and the length of the prefix it comes from. With the address, that is the whole block again, so
// nothing else is stored to say which rule it was.

/** A tag, from 1 to 3. Where blocks of several tags overlap, the lowest tag holds, whatever their sizes. */
export type Tag = 1 | 2 | 3

/** 0 where no block is, otherwise {@link packValue} a prefix length and a tag. */
export type Value = number

export function packValue(prefixLength: number, tag: Tag): Value {
  return prefixLength * 4 + tag
}

export function tagOf(value: Value): number {
  return value & 3
}

export function prefixLengthOf(value: Value): number {
  return value >>> 2
}

export class IntervalTable {
  /** The boundaries, ascending; the first is 0. Each takes one word for IPv4, and four for IPv6. */
  readonly #starts: Uint32Array
  readonly #values: Uint8Array | Uint16Array
  /** For each value of the first bits the last boundary not above its lowest address; one more at the end. */
  readonly #index: Uint32Array
  /** By how much a word is shifted to leave these bits. */
  readonly #shift: number

  /**
   * @param width - How many words an address has.
   * @param blocks - `width` words and a {@link Value} for each block, one after the other, in any order. The words
   *   have no bits beyond the prefix.
   */
  constructor(width: 1 | 4, blocks: Uint32Array) {
    const { starts, values } = layOut(width, blocks, sortedOrder(width, blocks))
    this.#starts = starts
    this.#values = values
    // Eight places in the index for each boundary: most searches then have nothing left to compare.
    const bits = Math.min(16, Math.ceil(Math.log2(values.length)) + 3)
    this.#index = indexOf(width, starts, values.length, bits)
    this.#shift = 32 - bits
  }

  /** The value at an address of one word. */
  find1(word: number): Value {
    const starts = this.#starts
    const prefix = word >>> this.#shift
    let low = this.#index[prefix] as number
    let high = this.#index[prefix + 1] as number
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if ((starts[middle] as number) <= word) low = middle
      else high = middle - 1
    }
    return this.#values[low] as number
  }

  /** The value at an address of four words, the most significant first. */
  find4(w0: number, w1: number, w2: number, w3: number): Value {
    const starts = this.#starts
    const prefix = w0 >>> this.#shift
    let low = this.#index[prefix] as number
    let high = this.#index[prefix + 1] as number
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
    return this.#values[low] as number
  }

  /** How much memory the table takes. */
  get byteLength(): number {
    return this.#starts.byteLength + this.#values.byteLength + this.#index.byteLength
  }
}

/**
 * The blocks in the order of their first address; of those that begin together the largest first, and of equal ones
 * the lowest tag first. A radix sort, byte by byte from the least significant: at a million blocks a sort by comparison
 * takes several times as long.
 */
function sortedOrder(width: number, blocks: Uint32Array): Uint32Array {
  const stride = width + 1
  const count = blocks.length / stride
  let order = new Uint32Array(count)
  for (let i = 0; i < count; i++) order[i] = i
  let sorted = new Uint32Array(count)
  const ends = new Uint32Array(256)
  for (let word = width; word >= 0; word--) {
    // The value, which stands behind the address, has 16 bits only.
    for (let shift = 0; shift < (word === width ? 16 : 32); shift += 8) {
      ends.fill(0)
      for (let i = word; i < blocks.length; i += stride) {
        const byte = ((blocks[i] as number) >>> shift) & 255
        ends[byte] = (ends[byte] as number) + 1
      }
      for (let byte = 1; byte < 256; byte++) ends[byte] = (ends[byte] as number) + (ends[byte - 1] as number)
      for (let i = count - 1; i >= 0; i--) {
        const block = order[i] as number
        const byte = ((blocks[block * stride + word] as number) >>> shift) & 255
        const place = (ends[byte] as number) - 1
        ends[byte] = place
        sorted[place] = block
      }
      ;[order, sorted] = [sorted, order]
    }
  }
  return order
}

/** The boundaries that the blocks make, by one sweep along the line. */
function layOut(
  width: number,
  blocks: Uint32Array,
  order: Uint32Array,
): { starts: Uint32Array; values: Uint8Array | Uint16Array } {
  const stride = width + 1
  const starts = new Uint32Array((2 * order.length + 1) * width)
  // A value of IPv4 is 131 at most, which fits into a byte.
  const values = new (width === 1 ? Uint8Array : Uint16Array)(2 * order.length + 1)
  let size = 0

  const addBoundary = (words: Uint32Array, offset: number, value: Value): void => {
    // Two boundaries at one place: nothing lies between, and the later one holds.
    if (size > 0 && compare(width, starts, (size - 1) * width, words, offset) === 0) size--
    if (size > 0 && values[size - 1] === value) return
    for (let i = 0; i < width; i++) starts[size * width + i] = words[offset + i] as number
    values[size++] = value
  }

  // The blocks that the sweep is inside of, the outermost first. Blocks nest or are apart, and one that is not of a
  // lower tag than the block around it changes nothing; so there is one of each tag at most.
  const open: Value[] = []
  const lasts = new Uint32Array(3 * width)
  const after = new Uint32Array(width)
  const closeLast = (): void => {
    open.pop()
    if (increment(width, lasts, open.length * width, after)) addBoundary(after, 0, open.at(-1) ?? 0)
  }

  addBoundary(after, 0, 0)
  for (const block of order) {
    const first = block * stride
    const value = blocks[first + width] as number
    while (open.length > 0 && compare(width, lasts, (open.length - 1) * width, blocks, first) < 0) closeLast()
    const around = open.at(-1)
    if (around !== undefined && tagOf(around) <= tagOf(value)) continue
    for (let i = 0; i < width; i++) {
      const hostBits = hostMask(prefixLengthOf(value) - 32 * i)
      lasts[open.length * width + i] = (blocks[first + i] as number) | hostBits
    }
    open.push(value)
    addBoundary(blocks, first, value)
  }
  while (open.length > 0) closeLast()
  return { starts: starts.slice(0, size * width), values: values.slice(0, size) }
}

function indexOf(width: number, starts: Uint32Array, size: number, bits: number): Uint32Array {
  const index = new Uint32Array(2 ** bits + 1)
  const lowest = new Uint32Array(width)
  let boundary = 0
  for (let prefix = 0; prefix < 2 ** bits; prefix++) {
    lowest[0] = prefix * 2 ** (32 - bits)
    while (boundary + 1 < size && compare(width, starts, (boundary + 1) * width, lowest, 0) <= 0) boundary++
    index[prefix] = boundary
  }
  index[2 ** bits] = size - 1
  return index
}

/** Below, at or above 0 as the address at `a[i]` is lower than, equal to or higher than the one at `b[j]`. */
function compare(width: number, a: Uint32Array, i: number, b: Uint32Array, j: number): number {
  for (let k = 0; k < width; k++) {
    const difference = (a[i + k] as number) - (b[j + k] as number)
    if (difference !== 0) return difference
  }
  return 0
}

/** Writes the address after the one at `words[offset]` to `target`; false if that is the last of all. */
function increment(width: number, words: Uint32Array, offset: number, target: Uint32Array): boolean {
  let carry = 1
  for (let i = width - 1; i >= 0; i--) {
    const sum = (words[offset + i] as number) + carry
    target[i] = sum
    carry = sum > 0xffffffff ? 1 : 0
  }
  return carry === 0
}

/** The bits of a 32-bit word that lie beyond a prefix which ends `prefix` bits into it. */
export function hostMask(prefix: number): number {
  if (prefix <= 0) return -1
  return prefix >= 32 ? 0 : -1 >>> prefix
}
