import type { AddressRange } from '../names/address-range.ts'
import type { Blocks, Tag } from './block-table.ts'

/** Blocks of one family as they are collected: arrays of numbers, because a million objects would be 100 MB. */
export class BlockBuffer {
  readonly width: 1 | 4
  #count = 0
  #words: Uint32Array
  #lengths: Uint8Array
  #tags: Uint8Array

  /** @param capacity - For how many blocks there is room at first. */
  constructor(width: 1 | 4, capacity = 64) {
    this.width = width
    this.#words = new Uint32Array(capacity * width)
    this.#lengths = new Uint8Array(capacity)
    this.#tags = new Uint8Array(capacity)
  }

  get count(): number {
    return this.#count
  }

  add({ first, prefixLength }: AddressRange, tag: Tag): void {
    if (this.#count === this.#lengths.length) this.#grow(2 * this.#count)
    const at = this.#count * this.width
    if (this.width === 1) this.#words[at] = first.w3
    else {
      this.#words[at] = first.w0
      this.#words[at + 1] = first.w1
      this.#words[at + 2] = first.w2
      this.#words[at + 3] = first.w3
    }
    this.#lengths[this.#count] = prefixLength
    this.#tags[this.#count++] = tag
  }

  /** Adds the blocks of another buffer under another tag. */
  addAll(blocks: Blocks, tag: Tag): void {
    const count = this.#count + blocks.count
    if (count > this.#lengths.length) this.#grow(count)
    this.#words.set(blocks.words, this.#count * this.width)
    this.#lengths.set(blocks.lengths, this.#count)
    this.#tags.fill(tag, this.#count, count)
    this.#count = count
  }

  /** A copy of what has been collected, without the room behind it. */
  toBlocks(): Blocks {
    const [width, count] = [this.width, this.#count]
    return {
      width,
      count,
      words: this.#words.slice(0, count * width),
      lengths: this.#lengths.slice(0, count),
      tags: this.#tags.slice(0, count),
    }
  }

  #grow(capacity: number): void {
    const [words, lengths, tags] = [this.#words, this.#lengths, this.#tags]
    this.#words = new Uint32Array(capacity * this.width)
    this.#words.set(words)
    this.#lengths = new Uint8Array(capacity)
    this.#lengths.set(lengths)
    this.#tags = new Uint8Array(capacity)
    this.#tags.set(tags)
  }
}
