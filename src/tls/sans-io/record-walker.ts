// Where records begin and end in a stream of bytes (RFC 8446 section 5.1), whatever the pieces that the bytes come in.
//
// The header of a record says how long it is, so all the walker reads of most records are five bytes. Who wants to see
// more says so when a record begins. A record that lies in one piece is shown where it lies; only of one that is spread
// over several is something copied, and no more than was asked for.

/** A record begins: how many bytes of its body are wanted, from the first? */
type RecordBegins = (type: number, length: number) => number

/** A record ends. `kept` is what was wanted of it, and holds until the call returns. */
type RecordEnds = (type: number, length: number, kept: Uint8Array) => void

const HEADER_BYTES = 5
const EMPTY = new Uint8Array(0)

export class RecordWalker {
  readonly #begins: RecordBegins
  readonly #ends: RecordEnds
  #header: Uint8Array = EMPTY
  #headerBytes = 0
  #type = 0
  #length = 0
  /** What is still to come of the body. */
  #missing = 0
  #kept: Uint8Array = EMPTY
  #keptBytes = 0
  #garbled = false

  constructor(begins: RecordBegins, ends: RecordEnds) {
    this.#begins = begins
    this.#ends = ends
  }

  /** Whether the bytes so far are whole records. Never again after something that is no record. */
  get atBoundary(): boolean {
    return this.#headerBytes === 0 && this.#missing === 0 && !this.#garbled
  }

  walk(bytes: Uint8Array): void {
    let at = 0
    while (at < bytes.length && !this.#garbled) {
      at = this.#missing === 0 ? this.#readHeader(bytes, at) : this.#readBody(bytes, at)
    }
  }

  #readHeader(bytes: Uint8Array, at: number): number {
    if (this.#headerBytes === 0 && bytes.length - at >= HEADER_BYTES) {
      return this.#begin(bytes, at, at + HEADER_BYTES)
    }
    const end = Math.min(bytes.length, at + HEADER_BYTES - this.#headerBytes)
    if (this.#headerBytes === 0) this.#header = new Uint8Array(HEADER_BYTES)
    this.#header.set(bytes.subarray(at, end), this.#headerBytes)
    this.#headerBytes += end - at
    if (this.#headerBytes < HEADER_BYTES) return end
    this.#headerBytes = 0
    this.#begin(this.#header, 0, 0)
    return end
  }

  #begin(bytes: Uint8Array, at: number, bodyAt: number): number {
    const type = bytes[at] ?? 0
    const length = ((bytes[at + 3] ?? 0) << 8) | (bytes[at + 4] ?? 0)
    // ChangeCipherSpec to application data; the major version is 3 in every version of TLS.
    if (type < 20 || type > 23 || bytes[at + 1] !== 3) {
      this.#garbled = true
      return bodyAt
    }
    this.#type = type
    this.#length = length
    this.#missing = length
    this.#keptBytes = 0
    const wanted = Math.min(length, this.#begins(type, length))
    if (wanted > 0 && bodyAt > 0 && bytes.length - bodyAt >= length) {
      this.#missing = 0
      this.#ends(type, length, bytes.subarray(bodyAt, bodyAt + wanted))
      return bodyAt + length
    }
    this.#kept = wanted === 0 ? EMPTY : new Uint8Array(wanted)
    if (length === 0) this.#ends(type, length, EMPTY)
    return bodyAt
  }

  #readBody(bytes: Uint8Array, at: number): number {
    const end = Math.min(bytes.length, at + this.#missing)
    const keepTo = Math.min(end, at + this.#kept.length - this.#keptBytes)
    if (keepTo > at) {
      this.#kept.set(bytes.subarray(at, keepTo), this.#keptBytes)
      this.#keptBytes += keepTo - at
    }
    this.#missing -= end - at
    if (this.#missing === 0) {
      const kept = this.#kept
      this.#kept = EMPTY
      this.#ends(this.#type, this.#length, kept)
    }
    return end
  }
}
