// Reads the presentation language of TLS (RFC 8446 section 3): numbers, and vectors behind their length.
//
// A reader never looks beyond its end and throws where there are not enough bytes, or too many. It copies nothing: what
// it gives out are views, so whoever keeps one for longer than the bytes are his own copies it.

/** Reads one thing after another. Everything that is wrong with the bytes is a `RangeError`. */
export class WireReader {
  readonly #bytes: Uint8Array
  #at: number
  readonly #end: number

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
  }

  get done(): boolean {
    return this.#at === this.#end
  }

  /** A number of so many bytes, the highest first. */
  integer(size: 1 | 2 | 3): number {
    let value = 0
    for (let at = this.#advance(size); at < this.#at; at++) value = (value << 8) | (this.#bytes[at] ?? 0)
    return value
  }

  /** A view of the next bytes. */
  bytes(count: number): Uint8Array {
    const start = this.#advance(count)
    return this.#bytes.subarray(start, this.#at)
  }

  /** A view of what is in a vector whose length takes so many bytes. */
  vector(lengthSize: 1 | 2 | 3): Uint8Array {
    return this.bytes(this.integer(lengthSize))
  }

  /** A reader of what is in a vector. */
  inside(lengthSize: 1 | 2 | 3): WireReader {
    const start = this.#advance(this.integer(lengthSize))
    return new WireReader(this.#bytes, start, this.#at)
  }

  /** A vector of numbers of two bytes each, of which there must be at least one. */
  numbers(lengthSize: 1 | 2): number[] {
    const start = this.#advance(this.integer(lengthSize))
    const length = this.#at - start
    if (length === 0 || length % 2 !== 0) throw new RangeError('no list of numbers')
    return Array.from({ length: length / 2 }, (_, index) => {
      const at = start + 2 * index
      return ((this.#bytes[at] ?? 0) << 8) | (this.#bytes[at + 1] ?? 0)
    })
  }

  /** Nothing may be left. */
  finish(): void {
    if (!this.done) throw new RangeError('surplus bytes')
  }

  #advance(count: number): number {
    const start = this.#at
    if (count > this.#end - start) throw new RangeError('not enough bytes')
    this.#at = start + count
    return start
  }
}

/** Extensions (RFC 8446 section 4.2) by their types, in order. */
export type Extensions = ReadonlyMap<number, WireReader>

/** Splits a list of extensions, to its end. */
export function splitExtensions(list: WireReader): Extensions {
  const extensions = new Map<number, WireReader>()
  while (!list.done) {
    const type = list.integer(2)
    if (extensions.has(type)) throw new RangeError('an extension comes twice')
    extensions.set(type, list.inside(2))
  }
  return extensions
}

/** Reads one of them to its end; null if it is not there. */
export function readExtension<T>(extensions: Extensions, type: number, read: (content: WireReader) => T): T | null {
  const content = extensions.get(type)
  if (content === undefined) return null
  const value = read(content)
  content.finish()
  return value
}
