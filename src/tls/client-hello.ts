// The server name in a ClientHello, read before OpenSSL sees it.
//
// Node can change the certificate of a handshake that has begun (`SNICallback`), but up to Node 22 only the one of the
// same key type: with an RSA certificate for one host and an EC certificate for another, clients of the one are shown
// the other (nodejs/node#54235). Nor can it refuse a name by an alert. So the name is read here, and the handshake
// begins with the right certificate alone.
//
// What is no well-formed ClientHello is left to OpenSSL, which says so by an alert. Two readers could still understand
// one hello differently; the listener compares what OpenSSL read once the handshake is done.

/** What the bytes of a connection begin with. */
export type HelloReading =
  /** `sni` is the name as it stands there, one character for each byte, or null: the hello names nobody. */
  | { readonly kind: 'hello'; readonly sni: string | null }
  /** Part of a hello. Reading again is no use before there are `need` bytes. */
  | { readonly kind: 'incomplete'; readonly need: number }
  /** Something else. */
  | { readonly kind: 'other' }

/** Reads the beginning of a connection, which may come in any pieces. */
export function readClientHello(bytes: Buffer): HelloReading {
  const message: Buffer[] = []
  let at = 0
  while (message.length < MAX_RECORDS) {
    if (bytes.length > at && bytes[at] !== HANDSHAKE) return OTHER
    if (bytes.length < at + RECORD_HEADER) return incomplete(at + RECORD_HEADER)
    const length = bytes.readUInt16BE(at + 3)
    const end = at + RECORD_HEADER + length
    // RFC 8446 section 5.1: neither empty nor above 2^14. The major version is 3 in every version of TLS.
    if (bytes[at + 1] !== 3 || length === 0 || length > 2 ** 14 || end > MAX_BYTES) return OTHER
    if (bytes.length < end) return incomplete(end)
    message.push(bytes.subarray(at + RECORD_HEADER, end))
    at = end

    const hello = Buffer.concat(message)
    if (hello[0] !== CLIENT_HELLO) return OTHER
    if (hello.length < MESSAGE_HEADER) continue
    const size = MESSAGE_HEADER + hello.readUIntBE(1, 3)
    if (hello.length >= size) return serverNameIn(hello.subarray(MESSAGE_HEADER, size))
  }
  return OTHER
}

const HANDSHAKE = 22
const CLIENT_HELLO = 1
const SERVER_NAME = 0
const RECORD_HEADER = 5
const MESSAGE_HEADER = 4
// The largest that are sent, with post-quantum keys and much else, have some 4,000 bytes.
const MAX_BYTES = 32_768
// One is usual. The limit keeps a hello in pieces of one byte from costing more than it is worth.
const MAX_RECORDS = 32
const OTHER = { kind: 'other' } as const

function incomplete(need: number): HelloReading {
  return { kind: 'incomplete', need }
}

// RFC 8446 section 4.1.2; the body of older hellos is the same.
function serverNameIn(body: Buffer): HelloReading {
  try {
    const hello = new Reader(body)
    hello.skip(2 + 32)
    hello.vector(1)
    hello.vector(2)
    hello.vector(1)
    if (hello.done) return { kind: 'hello', sni: null }
    const extensions = new Reader(hello.vector(2))
    if (!hello.done) return OTHER
    let sni: string | null = null
    while (!extensions.done) {
      const type = extensions.integer(2)
      const content = extensions.vector(2)
      if (type !== SERVER_NAME) continue
      // Twice the same extension is forbidden, and so are two names of one type, of which there is only one.
      if (sni !== null) return OTHER
      const extension = new Reader(content)
      const list = new Reader(extension.vector(2))
      if (!extension.done || list.integer(1) !== 0) return OTHER
      sni = list.vector(2).toString('latin1')
      if (!list.done || sni === '') return OTHER
    }
    return { kind: 'hello', sni }
  } catch {
    return OTHER
  }
}

/** Reads numbers and length-prefixed vectors (RFC 8446 section 3); throws where there are not enough bytes. */
class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get done(): boolean {
    return this.#at === this.#bytes.length
  }

  skip(count: number): Buffer {
    const end = this.#at + count
    if (end > this.#bytes.length) throw new RangeError('not enough bytes')
    const skipped = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return skipped
  }

  integer(size: number): number {
    return this.skip(size).readUIntBE(0, size)
  }

  vector(lengthSize: number): Buffer {
    return this.skip(this.integer(lengthSize))
  }
}
