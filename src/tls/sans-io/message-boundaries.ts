// Where handshake messages begin and end in the bytes that records carry (RFC 8446 section 4): several in one record,
// or one over several.

const HEADER_BYTES = 4

export class MessageBoundaries {
  /** Type and length, as far as they were read. */
  #header = 0
  #headerBytes = 0
  /** What is still to come of the body. */
  #missing = 0

  /** Whether no message is under way. */
  get between(): boolean {
    return this.#headerBytes === 0
  }

  /** The types of the messages that end in these bytes. */
  push(bytes: Uint8Array): number[] {
    const ended: number[] = []
    let at = 0
    while (at < bytes.length) {
      if (this.#headerBytes < HEADER_BYTES) {
        this.#header = ((this.#header << 8) | (bytes[at++] ?? 0)) >>> 0
        this.#headerBytes++
        if (this.#headerBytes < HEADER_BYTES) continue
        this.#missing = this.#header & 0xffffff
      } else {
        const passed = Math.min(this.#missing, bytes.length - at)
        this.#missing -= passed
        at += passed
      }
      if (this.#missing === 0) {
        ended.push(this.#header >>> 24)
        this.#headerBytes = 0
      }
    }
    return ended
  }
}
