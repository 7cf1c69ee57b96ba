// The ClientHello of a connection, read before OpenSSL sees it.
//
// Node can change the certificate of a handshake that has begun (`SNICallback`), but up to Node 22 only the one of the
// same key type: with an RSA certificate for one host and an EC certificate for another, clients of the one are shown
// the other (nodejs/node#54235). Nor can it refuse a name by an alert, or tell what a client offers. So the hello is
// read here, and the handshake begins with the right certificate alone.
//
// What is no well-formed ClientHello is left to OpenSSL, which says so by an alert. Two readers could still understand
// one hello differently, and a client can put another name into its second one; so the listener compares what OpenSSL
// read once the handshake is done.

import { type Extensions, readExtension, splitExtensions, WireReader } from './sans-io/wire-reader.ts'

/**
 * What a client offers (RFC 8446 section 4.1.2), as it stands in its hello. Values that mean nothing may be among the
 * numbers: clients send some on purpose (RFC 8701).
 */
export interface ClientHelloInfo {
  /** 32 bytes of the client's. */
  readonly random: Uint8Array
  /** Empty, or up to 32 bytes. With TLS 1.3 it identifies no session. */
  readonly sessionId: Uint8Array
  /** The versions offered, such as 0x0304 for TLS 1.3, best first; from a client that has no list, its highest one. */
  readonly versions: readonly number[]
  /** The numbers of the suites that are offered, best first, those included that mean nothing. */
  readonly cipherSuites: readonly number[]
  /** The groups for the key exchange; empty if the client names none. */
  readonly groups: readonly number[]
  /** The signature schemes that the client can check; empty if it names none. */
  readonly signatureSchemes: readonly number[]
  /** The application protocols offered, one character for each byte. */
  readonly alpn: readonly string[]
  /** The name of the server that is asked for, one character for each byte, or null: the hello names nobody. */
  readonly sni: string | null
  /** The types of all extensions, in order. */
  readonly extensions: readonly number[]
}

/** What the bytes of a connection begin with. */
export type HelloReading =
  /** `sni` is the name as it stands there, one character for each byte, or null: the hello names nobody. */
  | { readonly kind: 'hello'; readonly sni: string | null; readonly hello: ClientHelloInfo }
  /** Part of a hello. Reading again is no use before there are `need` bytes. */
  | { readonly kind: 'incomplete'; readonly need: number }
  /** Something else. */
  | { readonly kind: 'other' }

/** Reads the beginning of a connection, which may come in any pieces. */
export function readClientHello(bytes: Uint8Array): HelloReading {
  let message: Uint8Array = NOTHING
  let at = 0
  for (let records = 0; records < MAX_RECORDS; records++) {
    if (bytes.length > at && bytes[at] !== HANDSHAKE) return OTHER
    if (bytes.length < at + RECORD_HEADER) return incomplete(at + RECORD_HEADER)
    const length = new WireReader(bytes, at + 3).integer(2)
    const end = at + RECORD_HEADER + length
    // RFC 8446 section 5.1: neither empty nor above 2^14. The major version is 3 in every version of TLS.
    if (bytes[at + 1] !== 3 || length === 0 || length > 2 ** 14 || end > MAX_BYTES) return OTHER
    if (bytes.length < end) return incomplete(end)
    const content = bytes.subarray(at + RECORD_HEADER, end)
    message = records === 0 ? content : Buffer.concat([message, content])
    at = end

    if (message[0] !== CLIENT_HELLO) return OTHER
    if (message.length < MESSAGE_HEADER) continue
    const size = MESSAGE_HEADER + new WireReader(message, 1).integer(3)
    if (message.length < size) continue
    const hello = readBody(message.subarray(MESSAGE_HEADER, size))
    return hello === null ? OTHER : { kind: 'hello', sni: hello.sni, hello }
  }
  return OTHER
}

/** What is in a hello that is one whole record, as our own are. Null for anything else, and if more follows. */
export function clientHelloInfoOf(record: Uint8Array): ClientHelloInfo | null {
  const size = record.length - RECORD_HEADER - MESSAGE_HEADER
  const isOne =
    size >= 0 &&
    record[RECORD_HEADER] === CLIENT_HELLO &&
    new WireReader(record, 3).integer(2) === MESSAGE_HEADER + size &&
    new WireReader(record, RECORD_HEADER + 1).integer(3) === size
  if (!isOne) return null
  const reading = readClientHello(record)
  return reading.kind === 'hello' ? reading.hello : null
}

const HANDSHAKE = 22
const CLIENT_HELLO = 1
const RECORD_HEADER = 5
const MESSAGE_HEADER = 4
// The largest that are sent, with post-quantum keys and much else, have some 4,000 bytes.
const MAX_BYTES = 32_768
// One is usual. The limit keeps a hello in pieces of one byte from costing more than it is worth.
const MAX_RECORDS = 32
const NOTHING = new Uint8Array()
const OTHER = { kind: 'other' } as const

function incomplete(need: number): HelloReading {
  return { kind: 'incomplete', need }
}

// The extensions that are read (RFC 8446 section 4.2).
const SERVER_NAME = 0
const SUPPORTED_GROUPS = 10
const SIGNATURE_ALGORITHMS = 13
const APPLICATION_PROTOCOLS = 16
const SUPPORTED_VERSIONS = 43

// RFC 8446 section 4.1.2; the body of older hellos is the same.
function readBody(body: Uint8Array): ClientHelloInfo | null {
  try {
    const reader = new WireReader(body)
    const legacyVersion = reader.integer(2)
    // Copies: what is known of a connection outlives the buffer that its first bytes came in.
    const random = new Uint8Array(reader.bytes(32))
    const sessionId = new Uint8Array(reader.vector(1))
    const cipherSuites = reader.numbers(2)
    const compressions = reader.vector(1)
    if (sessionId.length > 32 || compressions.length === 0) return null

    let extensions: Extensions = new Map()
    if (!reader.done) {
      extensions = splitExtensions(reader.inside(2))
      reader.finish()
    }
    return {
      random,
      sessionId,
      versions: readExtension(extensions, SUPPORTED_VERSIONS, (content) => content.numbers(1)) ?? [legacyVersion],
      cipherSuites,
      groups: readExtension(extensions, SUPPORTED_GROUPS, (content) => content.numbers(2)) ?? [],
      signatureSchemes: readExtension(extensions, SIGNATURE_ALGORITHMS, (content) => content.numbers(2)) ?? [],
      alpn: readExtension(extensions, APPLICATION_PROTOCOLS, protocols) ?? [],
      sni: readExtension(extensions, SERVER_NAME, serverName),
      extensions: [...extensions.keys()],
    }
  } catch {
    return null
  }
}

// RFC 6066 section 3. Two names of one type are forbidden, and there is only one type.
function serverName(content: WireReader): string {
  const list = content.inside(2)
  if (list.integer(1) !== 0) throw new RangeError('a name of an unknown type')
  const name = text(list.vector(2))
  list.finish()
  return name
}

// RFC 7301 section 3.1.
function protocols(content: WireReader): string[] {
  const list = content.inside(2)
  const names: string[] = []
  do names.push(text(list.vector(1)))
  while (!list.done)
  return names
}

function text(bytes: Uint8Array): string {
  if (bytes.length === 0) throw new RangeError('an empty name')
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
