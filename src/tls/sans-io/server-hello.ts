// What a server chose, read from what it sends before anything is encrypted (RFC 8446 section 4.1.3, RFC 5246 section
// 7.4.1.3).
//
// The version field of a ServerHello has said TLS 1.2 ever since; the version is in an extension. The group of the key
// exchange is in the ServerHello of TLS 1.3, and of TLS 1.2 in the ServerKeyExchange, after the certificates. A
// HelloRetryRequest has the form of a ServerHello and is none.

import type { TLSVersion } from '../../certificate/peer.ts'
import { suiteOf } from './cipher-suites.ts'
import { type HandshakeEvent, HandshakeStream } from './handshake-stream.ts'
import { type Extensions, readExtension, splitExtensions, WireReader } from './wire-reader.ts'

/** What a server chose among the offers of a client. */
export interface ServerHelloInfo {
  readonly version: TLSVersion
  readonly cipherSuite: number
  readonly random: Uint8Array
  /** TLS 1.2: the session, if it can be resumed. TLS 1.3: what the client had there. Empty, or up to 32 bytes. */
  readonly sessionId: Uint8Array
  /** The group of the key exchange; null if it has none with a number: a resumed session, or DHE of TLS 1.2. */
  readonly group: number | null
  /** The types of the extensions of the ServerHello, in order. TLS 1.3 has most of them elsewhere, encrypted. */
  readonly extensions: readonly number[]
}

const HELLO_REQUEST = 0
const SERVER_HELLO = 2
const SERVER_KEY_EXCHANGE = 12
const SERVER_HELLO_DONE = 14

/**
 * Listens to what a server sends until it is clear what it chose. The bytes may come in any pieces. Nothing that they
 * can be makes it throw, and it keeps no more than one message of some 64 KB.
 *
 * @internal
 */
export class ServerHelloTap {
  #stream: HandshakeStream | null = new HandshakeStream([SERVER_HELLO, SERVER_KEY_EXCHANGE])
  #retried = false
  /** The ServerHello of TLS 1.2, which waits for its group. */
  #hello: ServerHelloInfo | null = null

  /** Whether there is no more to learn here: the answer was given, or there will be none. */
  get done(): boolean {
    return this.#stream === null
  }

  /** What the server chose, once: from the call whose bytes make it clear. Null from every other. */
  push(bytes: Uint8Array): ServerHelloInfo | null {
    if (this.#stream === null) return null
    for (const event of this.#stream.push(bytes)) {
      const answer = this.#take(event)
      if (answer === undefined) continue
      this.#stream = null
      this.#hello = null
      return answer
    }
    return null
  }

  /** The answer; null if there will be none; undefined if it is not known yet. */
  #take(event: HandshakeEvent): ServerHelloInfo | null | undefined {
    if (event.kind === 'end') return null
    // Behind it everything is encrypted with TLS 1.2: this is how a resumed session begins. TLS 1.3 has one after a
    // HelloRetryRequest, for the looks of it (RFC 8446 appendix D.4).
    if (event.kind === 'change_cipher_spec') return this.#hello ?? undefined
    // RFC 5246 section 7.4.1.1: to be ignored in the middle of a handshake.
    if (event.type === HELLO_REQUEST) return undefined
    try {
      return this.#hello === null ? this.#first(event.type, event.body) : this.#next(this.#hello, event)
    } catch {
      return null
    }
  }

  #first(type: number, body: Uint8Array): ServerHelloInfo | null | undefined {
    if (type !== SERVER_HELLO) return null
    const isRetry = Buffer.compare(body.subarray(2, 34), HELLO_RETRY) === 0
    const hello = readServerHello(body, isRetry)
    // RFC 8446 section 4.1.4: there is no second one, and after it there is no older version.
    if (this.#retried && (isRetry || hello.version === 'TLSv1.2')) return null
    if (isRetry) {
      this.#retried = true
      return hello.version === 'TLSv1.3' ? undefined : null
    }
    if (hello.version === 'TLSv1.3') return hello
    this.#hello = hello
    return undefined
  }

  #next(hello: ServerHelloInfo, message: { type: number; body: Uint8Array }): ServerHelloInfo | null | undefined {
    if (message.type === SERVER_HELLO) return null
    if (message.type === SERVER_HELLO_DONE) return hello
    if (message.type !== SERVER_KEY_EXCHANGE) return undefined
    // What a ServerKeyExchange means depends on the suite.
    const isEcdhe = suiteOf(hello.cipherSuite)?.startsWith('TLS_ECDHE_') === true
    return isEcdhe ? { ...hello, group: namedCurve(message.body) } : hello
  }
}

// RFC 8446 section 4.1.3: the random that marks a HelloRetryRequest, SHA-256 of that word.
const HELLO_RETRY = Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex')

const TLS_1_2 = 0x0303
const TLS_1_3 = 0x0304
const SUPPORTED_VERSIONS = 43
const KEY_SHARE = 51

/** Throws for everything that is no ServerHello of these two versions. */
function readServerHello(body: Uint8Array, isRetry: boolean): ServerHelloInfo {
  const reader = new WireReader(body)
  const legacyVersion = reader.integer(2)
  // Copies: what is known of a connection outlives the buffers that its bytes came in.
  const random = new Uint8Array(reader.bytes(32))
  const sessionId = new Uint8Array(reader.vector(1))
  const cipherSuite = reader.integer(2)
  const compression = reader.integer(1)
  if (legacyVersion !== TLS_1_2 || sessionId.length > 32 || compression !== 0) throw new RangeError('no ServerHello')

  let extensions: Extensions = new Map()
  if (!reader.done) {
    extensions = splitExtensions(reader.inside(2))
    reader.finish()
  }
  const selected = readExtension(extensions, SUPPORTED_VERSIONS, (content) => content.integer(2))
  // RFC 8446 section 4.2.1: whoever chooses an older version does not send the extension.
  if (selected !== null && selected !== TLS_1_3) throw new RangeError('a version that is none')
  const facts = { cipherSuite, random, sessionId, extensions: [...extensions.keys()] }
  if (selected === null) return { version: 'TLSv1.2', group: null, ...facts }
  const group = readExtension(extensions, KEY_SHARE, (content) => keyShareGroup(content, isRetry))
  return { version: 'TLSv1.3', group, ...facts }
}

// RFC 8446 section 4.2.8. A HelloRetryRequest only names the group that it wants.
function keyShareGroup(content: WireReader, isRetry: boolean): number {
  const group = content.integer(2)
  if (!isRetry && content.vector(2).length === 0) throw new RangeError('an empty key share')
  return group
}

// RFC 8422 section 5.4: the curve by its number (the other ways to name one are gone), the public key, its signature.
const NAMED_CURVE = 3

function namedCurve(body: Uint8Array): number {
  const reader = new WireReader(body)
  if (reader.integer(1) !== NAMED_CURVE) throw new RangeError('a curve without a number')
  const curve = reader.integer(2)
  if (reader.vector(1).length === 0) throw new RangeError('an empty key')
  reader.integer(2)
  reader.vector(2)
  reader.finish()
  return curve
}
