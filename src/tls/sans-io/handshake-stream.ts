// The handshake messages that travel in clear, out of the records that carry them.
//
// Messages and records are independent of each other (RFC 8446 section 5.1): a record holds several messages, a message
// spans several records, and the bytes of both arrive in any pieces. What comes out here is the same however they are
// cut. It ends at the first record that is not part of a handshake in clear, and at the first that breaks the rules.
//
// Nothing is kept but the message that is being read, and of that only if somebody wants it: the certificates of a
// chain run through uncopied.

/** What comes along in clear. Alerts are passed over. */
export type HandshakeEvent =
  /** A whole message. The body is a view that holds until the next push; it is empty for a type nobody wants. */
  | { readonly kind: 'message'; readonly type: number; readonly body: Uint8Array }
  | { readonly kind: 'change_cipher_spec' }
  /** There is nothing more to read here: something encrypted came, or nonsense. */
  | { readonly kind: 'end' }

const CHANGE_CIPHER_SPEC = 20
const ALERT = 21
const HANDSHAKE = 22
const RECORD_HEADER = 5
const MESSAGE_HEADER = 4
const MAX_RECORD = 2 ** 14
// The largest that is wanted is a list of authorities: a vector whose length takes two bytes, and a little around it.
const MAX_KEPT = 65_536 + 1024
// OpenSSL takes chains of up to 100 KiB. There may be a large list of authorities besides, and records have headers.
const MAX_SEEN = 262_144

/** Takes what one side of a connection sends, from its first byte on. */
export class HandshakeStream {
  readonly #wanted: readonly number[]
  #ended = false
  #seen = 0
  #header = new Piece(RECORD_HEADER, true)
  #recordType = 0
  #recordLeft = 0
  #messageHeader = new Piece(MESSAGE_HEADER, true)
  #messageType = 0
  /** The body that is being read; null between two messages. */
  #body: Piece | null = null

  /** @param wanted - The types of the messages whose bodies are to be kept. */
  constructor(wanted: readonly number[]) {
    this.#wanted = wanted
  }

  /** What these bytes complete, in order. After an `end` there is nothing. */
  push(bytes: Uint8Array): HandshakeEvent[] {
    const events: HandshakeEvent[] = []
    let at = 0
    while (at < bytes.length && !this.#ended) {
      if (this.#recordLeft === 0) {
        at = this.#header.take(bytes, at, bytes.length)
        if (this.#header.isWhole) this.#beginRecord(events)
      } else {
        const end = Math.min(bytes.length, at + this.#recordLeft)
        this.#recordLeft -= end - at
        if (this.#recordType === HANDSHAKE) this.#messages(bytes, at, end, events)
        else if (this.#recordType === CHANGE_CIPHER_SPEC) this.#changeCipherSpec(bytes[at], events)
        at = end
      }
    }
    return events
  }

  #beginRecord(events: HandshakeEvent[]): void {
    const [type = 0, major = 0, , high = 0, low = 0] = this.#header.bytes
    this.#header = new Piece(RECORD_HEADER, true)
    const length = (high << 8) | low
    this.#recordType = type
    this.#recordLeft = length
    this.#seen += RECORD_HEADER + length
    // RFC 8446 section 5.1: no record is empty here, and none may come between two parts of a message. The major
    // version is 3 in every version of TLS.
    const betweenMessages = this.#body === null && this.#messageHeader.isEmpty
    const allowed =
      (type === HANDSHAKE && length > 0 && length <= MAX_RECORD) ||
      (type === CHANGE_CIPHER_SPEC && length === 1 && betweenMessages) ||
      (type === ALERT && length === 2 && betweenMessages)
    if (!allowed || major !== 3 || this.#seen > MAX_SEEN) this.#end(events)
  }

  #changeCipherSpec(content: number | undefined, events: HandshakeEvent[]): void {
    if (content === 1) events.push({ kind: 'change_cipher_spec' })
    else this.#end(events)
  }

  #messages(bytes: Uint8Array, start: number, end: number, events: HandshakeEvent[]): void {
    let at = start
    while (at < end && !this.#ended) {
      if (this.#body === null) {
        at = this.#messageHeader.take(bytes, at, end)
        if (!this.#messageHeader.isWhole) return
        this.#beginMessage(events)
      }
      if (this.#body === null) return
      at = this.#body.take(bytes, at, end)
      if (!this.#body.isWhole) return
      events.push({ kind: 'message', type: this.#messageType, body: this.#body.bytes })
      this.#body = null
    }
  }

  #beginMessage(events: HandshakeEvent[]): void {
    const [type = 0, high = 0, middle = 0, low = 0] = this.#messageHeader.bytes
    this.#messageHeader = new Piece(MESSAGE_HEADER, true)
    const size = (high << 16) | (middle << 8) | low
    const wanted = this.#wanted.includes(type)
    this.#messageType = type
    if (size > (wanted ? MAX_KEPT : MAX_SEEN)) this.#end(events)
    else this.#body = new Piece(size, wanted)
  }

  #end(events: HandshakeEvent[]): void {
    this.#ended = true
    this.#body = null
    events.push({ kind: 'end' })
  }
}

const NOTHING = new Uint8Array()

/** So many bytes, collected from wherever they come. */
class Piece {
  readonly #size: number
  readonly #kept: boolean
  #have = 0
  #bytes: Uint8Array = NOTHING

  constructor(size: number, kept: boolean) {
    this.#size = size
    this.#kept = kept
  }

  get isEmpty(): boolean {
    return this.#have === 0
  }

  get isWhole(): boolean {
    return this.#have === this.#size
  }

  /** The bytes, once it is whole; none if they are not kept. */
  get bytes(): Uint8Array {
    return this.#bytes
  }

  /** Takes what is missing from the bytes at `at`, or as much as there is before `end`. Says where it stopped. */
  take(bytes: Uint8Array, at: number, end: number): number {
    const stop = Math.min(end, at + this.#size - this.#have)
    if (this.#kept) this.#keep(bytes.subarray(at, stop))
    this.#have += stop - at
    return stop
  }

  #keep(part: Uint8Array): void {
    // Most come whole, and need no copy.
    if (part.length === this.#size) {
      this.#bytes = part
      return
    }
    if (this.#have === 0) this.#bytes = new Uint8Array(this.#size)
    this.#bytes.set(part, this.#have)
  }
}
