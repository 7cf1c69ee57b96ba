// Tells which of a TLS client's outgoing records may leave before the server has been accepted: those that say no more
// than a stranger may know. That is the ClientHello, the second one that a HelloRetryRequest asks for, the
// ChangeCipherSpec which precedes that second one (RFC 8446 appendix D.4), and a plaintext alert. The first record of
// any other kind begins the client's own flight, with its certificate if it has one: it is held, and so is whatever
// follows, unread. Encrypted records therefore never pass through the rules below, where random bytes could look like a
// ClientHello.

/** What to do with the bytes of one write. */
export interface Filtered {
  /** To send now, in this order. */
  readonly pass: readonly Uint8Array[]
  /** The first record that must not leave, and whatever followed it; null while there has been none. */
  readonly held: Uint8Array | null
}

// RFC 8446 section 5.1 and RFC 5246 section 6.2.1.
const CHANGE_CIPHER_SPEC = 20
const ALERT = 21
const HANDSHAKE = 22
const CLIENT_HELLO = 1
const HEADER_BYTES = 5
const NOTHING = Buffer.alloc(0)
// RFC 8446 section 4.1.4: a second HelloRetryRequest is an error, so there is no third hello.
const MAX_HELLOS = 2

/** Sorts a stream of outgoing bytes, however it is cut into writes. */
export class HelloFilter {
  /** Bytes that have not been sorted: part of a record, or a ChangeCipherSpec whose successor is not known. */
  #waiting: Buffer = NOTHING
  #hellos = 0
  #holding = false

  /** The bytes must not change afterwards; what comes out are views of them. */
  push(bytes: Uint8Array): Filtered {
    this.#waiting = this.#waiting.length === 0 ? bufferOf(bytes) : Buffer.concat([this.#waiting, bytes])
    const pass: Buffer[] = []
    while (!this.#holding) {
      const length = this.#passing()
      if (length === 0) break
      pass.push(this.#waiting.subarray(0, length))
      this.#waiting = this.#waiting.subarray(length)
    }
    return { pass, held: this.#holding ? this.#waiting : null }
  }

  /** Everything that is held or unsorted. */
  get waiting(): Uint8Array {
    return this.#waiting
  }

  /** The same; the filter forgets it. */
  takeWaiting(): Uint8Array {
    const waiting = this.#waiting
    this.#waiting = NOTHING
    return waiting
  }

  /** How many bytes at the front may leave now. 0: more bytes are needed to tell, or the rest is held. */
  #passing(): number {
    const first = recordLength(this.#waiting, 0)
    if (first === 0) return 0
    const type = this.#waiting[0]
    if (type === ALERT && first === HEADER_BYTES + 2) return first
    if (type === CHANGE_CIPHER_SPEC && first === HEADER_BYTES + 1) {
      const second = recordLength(this.#waiting, first)
      if (second === 0) return 0
      if (this.#admitsHello(first, second)) return first + second
    } else if (this.#admitsHello(0, first)) {
      return first
    }
    this.#holding = true
    return 0
  }

  /** Whether the record at `at` is one whole ClientHello and nothing else, and one that may still come. */
  #admitsHello(at: number, length: number): boolean {
    const bytes = this.#waiting
    const start = at + HEADER_BYTES
    const isHello =
      bytes[at] === HANDSHAKE &&
      length >= HEADER_BYTES + 4 &&
      bytes[start] === CLIENT_HELLO &&
      bytes.readUIntBE(start + 1, 3) === length - HEADER_BYTES - 4
    if (isHello) this.#hellos++
    return isHello && this.#hellos <= MAX_HELLOS
  }
}

function bufferOf({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length)
}

/** The length of the record at `at` with its header, or 0 if it is not there whole. */
function recordLength(bytes: Buffer, at: number): number {
  if (bytes.length < at + HEADER_BYTES) return 0
  const length = HEADER_BYTES + bytes.readUInt16BE(at + 3)
  return bytes.length < at + length ? 0 : length
}

const CERTIFICATE = 11

/** Whether bytes in clear begin with a Certificate message (RFC 5246 section 7.4.2) with at least one certificate. */
export function carriesCertificate(bytes: Uint8Array): boolean {
  const listAt = HEADER_BYTES + 4
  if (bytes[0] !== HANDSHAKE || bytes[HEADER_BYTES] !== CERTIFICATE || bytes.length < listAt + 3) return false
  return bytes.subarray(listAt, listAt + 3).some((octet) => octet !== 0)
}
