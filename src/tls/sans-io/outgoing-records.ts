// Follows what OpenSSL sends, so that an alert of our own choice can be put behind it which the peer can read.
//
// Node lets nobody choose an alert. But an alert is a record like others. Who knows the keys and the place in the
// sequence can seal it: the keys come from Node's 'keylog' event, the place is counted here. Then OpenSSL must send
// nothing more, since the number in the sequence that it would use next is gone.
//
// What an alert is sealed with, in the order in which a connection comes by it:
//
//     clear         everything before keys are in force. As a client of TLS 1.3, until there is a handshake secret; as a
//                   server, until the ServerHello has left; in TLS 1.2, until the ChangeCipherSpec has left.
//     handshake     TLS 1.3, up to our Finished. It is inside encrypted records, so ours are opened to find it. As a
//                   client this begins when the secret is there, although the flight that uses it may be held back.
//     application   TLS 1.3, from our Finished on. Every KeyUpdate of ours puts the next secret in force. It is the only
//                   thing that fills a record of 27 bytes but five bytes of data, so these are opened and no others.
//     encrypted     TLS 1.2, from the ChangeCipherSpec on, though nothing can be sealed before the Finished behind it.
//
// Invariants. Encrypted bytes are never read as if they were in clear: a Finished of TLS 1.2 may well begin like a
// ServerHello. If anything comes that is not as expected, no alert can be sealed any more: `sealAlert` gives null rather
// than a record that the peer may not be able to read. Only the secrets of our own direction are kept, and they are
// overwritten when they are superseded, and by `forget`.

import type { AlertLevel } from '../../errors.ts'
import { type RecordSuite, recordSuite } from './cipher-suites.ts'
import { readKeylog } from './keylog.ts'
import { MessageBoundaries } from './message-boundaries.ts'
import { erase, hasExplicitNonce, nextTrafficSecret, type RecordKeys, trafficKeys, writeKeys12 } from './record-keys.ts'
import { EXPLICIT_NONCE_BYTES, openRecord, recordHeader, sealedBytes, sealRecord } from './record-protection.ts'
import { RecordWalker } from './record-walker.ts'
import type { ServerHelloInfo } from './server-hello.ts'

type Epoch = 'clear' | 'handshake' | 'application' | 'encrypted'

export class OutgoingRecords {
  readonly #side: 'client' | 'server'
  readonly #walker = new RecordWalker(
    (type, length) => this.#wanted(type, length),
    (type, length, kept) => this.#record(type, length, kept),
  )
  readonly #messages = new MessageBoundaries()
  #hello: ServerHelloInfo | null = null
  #suite: RecordSuite | null = null
  #epoch: Epoch = 'clear'
  /** Of the handshake in TLS 1.3, until the suite is known and the keys can be derived. */
  #handshakeSecret: Buffer | null = null
  /** Of the generation of application keys that is in force, or will be after the handshake. */
  #applicationSecret: Buffer | null = null
  /** Those in force, or about to be; the ones for application data are derived when they are needed. */
  #keys: RecordKeys | null = null
  /** How many records were sealed in this epoch. */
  #sequence = 0
  /** The one that the last record of TLS 1.2 carried, or ours. */
  readonly #explicitNonce = new Uint8Array(EXPLICIT_NONCE_BYTES)
  /** Before the ServerHello is known: how many messages have left, and whether a ChangeCipherSpec has. */
  #clearMessages = 0
  #changedInClear = false
  #sealed: 'nothing' | 'alert' | 'close_notify' = 'nothing'
  #usable = true

  constructor(side: 'client' | 'server') {
    this.#side = side
  }

  /** Whether what was sent so far are whole records. */
  get atBoundary(): boolean {
    return this.#walker.atBoundary
  }

  /** A line of Node's 'keylog' event. It must come before the first bytes that it is about are sent. */
  keylog(line: Uint8Array): void {
    if (!this.#usable) return
    const { handshake, application } = LABELS[this.#side]
    const found = readKeylog(line, [MASTER_SECRET, handshake, application])
    if (found === null) return
    if (found.label === MASTER_SECRET) {
      this.#deriveKeys12(found.clientRandom, found.secret)
      erase(found.secret)
    } else if (found.label === application) {
      erase(this.#applicationSecret)
      this.#applicationSecret = found.secret
    } else {
      erase(this.#handshakeSecret)
      this.#handshakeSecret = found.secret
      this.#deriveHandshakeKeys()
    }
  }

  /** What the server chose. As a server: before the bytes that say so are `sent`. */
  serverHello(info: ServerHelloInfo): void {
    this.#hello = info
    this.#suite = recordSuite(info.cipherSuite)
    this.#deriveHandshakeKeys()
  }

  /** Bytes that leave for the peer, in any pieces. An alert that was sealed here is not passed in. */
  sent(bytes: Uint8Array): void {
    // The peer would count the record that we have put before it.
    if (this.#sealed !== 'nothing') this.forget()
    this.#walker.walk(bytes)
  }

  /**
   * The record that carries this alert, to be sent now; null if there is none that the peer could read. Where it is
   * encrypted, OpenSSL must not send anything after it, and all that may follow is one close_notify that is sealed here.
   */
  sealAlert(level: AlertLevel, code: number): Uint8Array | null {
    // RFC 8446 section 5.1: nothing may come between two parts of a handshake message.
    if (!this.#usable || !this.atBoundary || !this.#messages.between) return null
    const content = { type: ALERT, bytes: Buffer.of(level === 'fatal' ? 2 : 1, code) }
    if (this.#epoch === 'clear') return Buffer.concat([recordHeader(ALERT, content.bytes.length), content.bytes])
    const isClose = code === CLOSE_NOTIFY
    if (this.#sealed === 'close_notify' || (this.#sealed === 'alert' && !isClose)) return null
    // OpenSSL reads nothing between a ChangeCipherSpec and the Finished after it, and complains about that instead.
    if (this.#epoch === 'encrypted' && this.#sequence === 0) return null
    const keys = this.#currentKeys()
    if (keys === null) return null
    const record = hasExplicitNonce(keys.suite)
      ? sealRecord(keys, this.#sequence, content, this.#nextExplicitNonce())
      : sealRecord(keys, this.#sequence, content)
    this.#sequence++
    this.#sealed = isClose ? 'close_notify' : 'alert'
    return record
  }

  /** Overwrites all secrets. Nothing can be sealed any more. */
  forget(): void {
    this.#usable = false
    erase(this.#handshakeSecret, this.#applicationSecret, this.#keys)
    this.#handshakeSecret = null
    this.#applicationSecret = null
    this.#keys = null
  }

  /** How many bytes of this record's body are to be looked at. */
  #wanted(type: number, length: number): number {
    if (!this.#usable) return 0
    switch (this.#epoch) {
      case 'clear':
        return type === HANDSHAKE ? length : 0
      case 'handshake':
        return type === APPLICATION_DATA ? length : 0
      case 'application':
        return this.#suite !== null && length === sealedBytes(this.#suite, KEY_UPDATE_BYTES) ? length : 0
      case 'encrypted':
        return this.#suite !== null && hasExplicitNonce(this.#suite) ? EXPLICIT_NONCE_BYTES : 0
    }
  }

  /** A record has left. */
  #record(type: number, length: number, kept: Uint8Array): void {
    if (!this.#usable) return
    const isSound = type !== CHANGE_CIPHER_SPEC || length === 1
    if (!isSound || !this.#follows(type, kept)) this.forget()
  }

  /** Whether it is one that can be here. */
  #follows(type: number, kept: Uint8Array): boolean {
    switch (this.#epoch) {
      case 'clear':
        return this.#followsClear(type, kept)
      case 'encrypted':
        this.#sequence++
        if (kept.length === EXPLICIT_NONCE_BYTES) this.#explicitNonce.set(kept)
        // It would change the keys a second time. Renegotiation is off, so there is none.
        return type !== CHANGE_CIPHER_SPEC
      default:
        // RFC 8446 appendix D.4: a ChangeCipherSpec in clear is for the looks of it, and has no number.
        return type === CHANGE_CIPHER_SPEC || (type === APPLICATION_DATA && this.#followsEncrypted(kept))
    }
  }

  #followsClear(type: number, kept: Uint8Array): boolean {
    if (type === HANDSHAKE) return this.#followsClearMessages(kept)
    if (type === APPLICATION_DATA) return false
    if (type === ALERT) return true
    if (this.#hello?.version === 'TLSv1.2') {
      this.#epoch = 'encrypted'
      return true
    }
    // TLS 1.3; or it is not known yet, because all that was said before is a HelloRetryRequest or a ClientHello.
    this.#changedInClear = true
    return this.#hello !== null || this.#clearMessages === 1
  }

  #followsClearMessages(bytes: Uint8Array): boolean {
    const isServer = this.#side === 'server'
    if (this.#hello === null && isServer && this.#changedInClear) return false
    const ended = this.#messages.push(bytes)
    this.#clearMessages += ended.length
    if (this.#hello === null) return isServer || ended.every((type) => type === CLIENT_HELLO)
    if (isServer && this.#hello.version === 'TLSv1.3' && ended.includes(SERVER_HELLO)) {
      if (!this.#messages.between) return false
      this.#epoch = 'handshake'
    }
    return true
  }

  #followsEncrypted(kept: Uint8Array): boolean {
    const sequence = this.#sequence++
    if (this.#epoch === 'application' && kept.length === 0) return true
    const keys = this.#currentKeys()
    const content = keys === null ? null : openRecord(keys, sequence, APPLICATION_DATA, kept)
    if (content === null) return false
    if (content.type !== HANDSHAKE) return true
    if (this.#epoch === 'application') return this.#followsLateMessage(content.bytes)
    if (this.#messages.push(content.bytes).includes(FINISHED)) {
      this.#epoch = 'application'
      this.#beginSequence()
    }
    return true
  }

  #followsLateMessage(bytes: Uint8Array): boolean {
    if (bytes[0] !== KEY_UPDATE) return true
    const secret = this.#applicationSecret
    /* v8 ignore next -- @preserve the keys that opened this record were made of both */
    if (secret === null || this.#suite === null) return false
    this.#applicationSecret = nextTrafficSecret(this.#suite, secret)
    erase(secret)
    this.#beginSequence()
    return true
  }

  #deriveHandshakeKeys(): void {
    const secret = this.#handshakeSecret
    if (secret === null || this.#suite?.version !== 'TLSv1.3') return
    this.#keys = trafficKeys(this.#suite, secret)
    erase(secret)
    this.#handshakeSecret = null
    if (this.#side === 'client') this.#epoch = 'handshake'
  }

  #deriveKeys12(clientRandom: Uint8Array, masterSecret: Uint8Array): void {
    const hello = this.#hello
    if (hello === null || this.#suite?.version !== 'TLSv1.2') return
    erase(this.#keys)
    this.#keys = writeKeys12(this.#suite, masterSecret, this.#side, { client: clientRandom, server: hello.random })
  }

  #beginSequence(): void {
    erase(this.#keys)
    this.#keys = null
    this.#sequence = 0
  }

  #currentKeys(): RecordKeys | null {
    if (
      this.#keys === null &&
      this.#epoch === 'application' &&
      this.#suite !== null &&
      this.#applicationSecret !== null
    ) {
      this.#keys = trafficKeys(this.#suite, this.#applicationSecret)
    }
    return this.#keys
  }

  // OpenSSL begins anywhere and counts on, and it has sent a Finished: this number is one that it has not used.
  #nextExplicitNonce(): Uint8Array {
    for (let at = EXPLICIT_NONCE_BYTES - 1; at >= 0; at--) {
      const octet = ((this.#explicitNonce[at] ?? 0) + 1) & 0xff
      this.#explicitNonce[at] = octet
      if (octet !== 0) break
    }
    return this.#explicitNonce
  }
}

// The label says less than it is: the line holds the master secret of TLS 1.2, filed under the client's random.
const MASTER_SECRET = 'CLIENT_RANDOM'
const LABELS = {
  client: { handshake: 'CLIENT_HANDSHAKE_TRAFFIC_SECRET', application: 'CLIENT_TRAFFIC_SECRET_0' },
  server: { handshake: 'SERVER_HANDSHAKE_TRAFFIC_SECRET', application: 'SERVER_TRAFFIC_SECRET_0' },
} as const

// RFC 8446 sections 4 and 5.1.
const CHANGE_CIPHER_SPEC = 20
const ALERT = 21
const HANDSHAKE = 22
const APPLICATION_DATA = 23
const CLIENT_HELLO = 1
const SERVER_HELLO = 2
const FINISHED = 20
const KEY_UPDATE = 24
const KEY_UPDATE_BYTES = 5
const CLOSE_NOTIFY = 0
