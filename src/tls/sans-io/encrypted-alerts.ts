// Alerts that come encrypted and of which Node says nothing: OpenSSL has no word for their numbers (RFC 8446 reserves 220
// of them for later standards), gives up on the connection, and nothing ever happens on it again.
//
// Nobody sends one today, so as little as possible is done about it: records are counted, and the last one of what came in
// is opened if it has the length of an alert. Its place in the sequence is needed for that. With TLS 1.2 the count begins
// behind the ChangeCipherSpec. With TLS 1.3 some of the first records belong to the handshake, which nobody has counted;
// all numbers that are left are tried, once. A wrong one opens nothing.

import { AlertCode } from '../alert.ts'
import { recordSuite } from './cipher-suites.ts'
import type { Alert } from './clear-alerts.ts'
import { readKeylog } from './keylog.ts'
import { erase, type RecordKeys, trafficKeys, writeKeys12 } from './record-keys.ts'
import { openRecord, sealedBytes } from './record-protection.ts'
import { RecordWalker } from './record-walker.ts'
import type { ServerHelloInfo } from './server-hello.ts'

const CHANGE_CIPHER_SPEC = 20
const ALERT = 21
const APPLICATION_DATA = 23
const ALERT_BYTES = 2
const LABELS = {
  client: ['CLIENT_RANDOM', 'CLIENT_TRAFFIC_SECRET_0'],
  server: ['CLIENT_RANDOM', 'SERVER_TRAFFIC_SECRET_0'],
}
const NOTHING = new Uint8Array(0)
/** A chain of 100 KiB, the most that OpenSSL takes, has seven records, and the other messages one each. */
const MAX_HANDSHAKE_RECORDS = 32

/** Takes what a peer sends, from its first byte on, in any pieces. */
export class EncryptedAlerts {
  readonly #peer: 'client' | 'server'
  readonly #hello: () => ServerHelloInfo | null
  readonly #walker: RecordWalker
  #secret: { readonly clientRandom: Uint8Array; readonly secret: Buffer } | null = null
  #keys: RecordKeys | null = null
  #encrypted = 0
  /** How many of those belong to the handshake of TLS 1.3; null while it is not known. */
  #handshakeRecords: number | null = null
  /** The last record, if it may be an alert. */
  #suspect: Uint8Array | null = null

  /** @param hello - What the server chose, once that is known. */
  constructor(peer: 'client' | 'server', hello: () => ServerHelloInfo | null) {
    this.#peer = peer
    this.#hello = hello
    this.#walker = new RecordWalker(
      (type, length) => (this.#maySayAlert(type, length) ? length : 0),
      (type, _length, kept) => this.#count(type, kept),
    )
  }

  /** A line of Node's 'keylog' event. */
  keylog(line: Uint8Array): void {
    const found = readKeylog(line, LABELS[this.#peer])
    if (found === null) return
    const { label, clientRandom, secret } = found
    this.#secret = { clientRandom: label === 'CLIENT_RANDOM' ? clientRandom : NOTHING, secret }
  }

  push(bytes: Uint8Array): void {
    this.#suspect = null
    this.#walker.walk(bytes)
  }

  /** Whether what came last may end with an alert. */
  get suspects(): boolean {
    return this.#suspect !== null
  }

  /** The fatal alert that what came last ends with, if it is one. */
  takeFatal(): Alert | null {
    const suspect = this.#suspect
    this.#suspect = null
    const hello = this.#hello()
    if (suspect === null || hello === null) return null
    const content = hello.version === 'TLSv1.3' ? this.#open13(hello, suspect) : this.#open12(hello, suspect)
    if (content?.type !== ALERT || content.bytes.length !== ALERT_BYTES) return null
    const [level, code = 0] = content.bytes
    // RFC 8446 section 6: the level says nothing, and only these two are no errors.
    const isError = code !== AlertCode.close_notify && code !== AlertCode.user_canceled
    const isFatal = hello.version === 'TLSv1.3' ? isError : level === 2
    return isFatal ? { level: 'fatal', code } : null
  }

  /** Overwrites all secrets. */
  forget(): void {
    this.#suspect = null
    erase(this.#secret?.secret ?? null, this.#keys)
    this.#secret = null
    this.#keys = null
  }

  #maySayAlert(type: number, length: number): boolean {
    const hello = this.#hello()
    const suite = hello === null ? null : recordSuite(hello.cipherSuite)
    if (suite === null || length !== sealedBytes(suite, ALERT_BYTES)) return false
    return type === (suite.version === 'TLSv1.3' ? APPLICATION_DATA : ALERT)
  }

  #count(type: number, kept: Uint8Array): void {
    if (this.#hello()?.version === 'TLSv1.3') {
      if (type === APPLICATION_DATA) this.#encrypted++
    } else if (this.#encrypted > 0 || type === CHANGE_CIPHER_SPEC) {
      this.#encrypted++
    }
    this.#suspect = kept.length > 0 ? Uint8Array.from(kept) : null
  }

  #open12(hello: ServerHelloInfo, record: Uint8Array): ReturnType<typeof openRecord> {
    const suite = recordSuite(hello.cipherSuite)
    if (suite === null || this.#secret === null) return null
    const { clientRandom, secret } = this.#secret
    this.#keys ??= writeKeys12(suite, secret, this.#peer, { client: clientRandom, server: hello.random })
    // The ChangeCipherSpec was counted, too, and the numbers begin with 0.
    return openRecord(this.#keys, this.#encrypted - 2, ALERT, record)
  }

  #open13(hello: ServerHelloInfo, record: Uint8Array): ReturnType<typeof openRecord> {
    const suite = recordSuite(hello.cipherSuite)
    if (suite === null || this.#secret === null) return null
    this.#keys ??= trafficKeys(suite, this.#secret.secret)
    const keys = this.#keys
    const last = this.#encrypted - 1
    const known = this.#handshakeRecords
    if (known !== null) return known > last ? null : openRecord(keys, last - known, APPLICATION_DATA, record)
    for (let count = 1; count <= Math.min(last, MAX_HANDSHAKE_RECORDS); count++) {
      const content = openRecord(keys, last - count, APPLICATION_DATA, record)
      if (content === null) continue
      this.#handshakeRecords = count
      return content
    }
    // The peer has changed its keys. That is the end of looking for something that is not there.
    this.#handshakeRecords = Number.POSITIVE_INFINITY
    return null
  }
}
