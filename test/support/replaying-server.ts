// Somebody in the middle who shows a certificate that is not his. He speaks TLS properly (it is Node that does), with a
// key of his own, and puts another certificate in the place of his: in TLS 1.2 in clear; in TLS 1.3 by opening and
// sealing his own handshake again, whose keys he has.

import { createHash, createHmac, type KeyObject, sign } from 'node:crypto'
import { createSecureContext, TLSSocket } from 'node:tls'
import { recordSuite } from '../../src/tls/sans-io/cipher-suites.ts'
import { expandLabel, trafficKeys } from '../../src/tls/sans-io/record-keys.ts'
import { sealRecord } from '../../src/tls/sans-io/record-protection.ts'
import { openServerHandshake13 } from '../../src/tls/sans-io/server-handshake.ts'
import { WirePort } from '../../src/tls/sans-io/wire-port.ts'
import { handshakeMessage, handshakeRecord, vector } from './handshake-bytes.ts'
import { recordsIn, type WireEnd } from './sans-io.ts'

export interface ReplayOptions {
  readonly version: 'TLSv1.2' | 'TLSv1.3'
  /** The key that he has, and a certificate for it. */
  readonly own: { readonly certPem: string; readonly keyPem: string; readonly key: KeyObject }
  /** The certificate that he shows, in DER. */
  readonly shown: Uint8Array
  /**
   * `signed`: what he can sign, he signs with his key, over what he sends. `copied`: the signature is one that belongs to
   * another handshake. `unsigned`: he leaves the proof out.
   */
  readonly proof: 'signed' | 'copied' | 'unsigned'
}

const SERVER_HELLO_DONE = 14
const CERTIFICATE = 11
const SERVER_KEY_EXCHANGE = 12
const CERTIFICATE_VERIFY = 15
const FINISHED = 20
/** TLS_AES_128_GCM_SHA256. */
const SUITE = 0x1301

export class ReplayingServer implements WireEnd {
  readonly writes: Buffer[] = []
  /** What the client said to him, as OpenSSL tells it. */
  readonly errors: Error[] = []
  readonly #options: ReplayOptions
  readonly #port: WirePort
  readonly #heard: Buffer[] = []
  #said = Buffer.alloc(0)
  #secret: string | null = null
  #waiting: Buffer[] = []
  #done = false

  constructor(options: ReplayOptions) {
    const { version, own } = options
    this.#options = options
    this.#port = new WirePort((parts, confirm) => {
      this.#said = Buffer.concat([this.#said, ...parts])
      confirm()
    })
    const secureContext = createSecureContext({
      cert: own.certPem,
      key: own.keyPem,
      minVersion: version,
      maxVersion: version,
      ciphers: 'TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256',
    })
    const socket = new TLSSocket(this.#port, {
      isServer: true,
      requestCert: true,
      rejectUnauthorized: false,
      secureContext,
    })
    socket.on('keylog', (line: Buffer) => {
      const [label, , secret = ''] = line.toString().trim().split(' ')
      if (label === 'SERVER_HANDSHAKE_TRAFFIC_SECRET') this.#secret = secret
    })
    socket.on('error', (error) => this.errors.push(error))
    this.#port.read(0)
    socket.read(0)
  }

  get isSilent(): boolean {
    return false
  }

  take(): Buffer {
    if (!this.#done) this.#rewrite()
    const all = Buffer.concat(this.#waiting)
    this.#waiting = []
    return all
  }

  receive(bytes: Uint8Array): void {
    this.#heard.push(Buffer.from(bytes))
    this.#port.push(bytes)
  }

  wireEnded(): void {}

  #send(records: readonly Uint8Array[]): void {
    this.#done = true
    this.writes.push(...records.map((each) => Buffer.from(each)))
    this.#waiting.push(...this.writes)
  }

  #rewrite(): void {
    if (this.#said.length === 0) return
    if (this.#options.version === 'TLSv1.2') this.#rewrite12()
    else this.#rewrite13()
  }

  #rewrite12(): void {
    const messages = messagesIn(Buffer.concat(recordsIn(this.#said).map(({ bytes }) => bytes.subarray(5))))
    if (messages.at(-1)?.[0] !== SERVER_HELLO_DONE) return
    const { shown, proof } = this.#options
    const rewritten = messages.flatMap((message): Buffer[] => {
      if (message[0] === CERTIFICATE) return [handshakeMessage(CERTIFICATE, vector(3, vector(3, shown)))]
      if (message[0] !== SERVER_KEY_EXCHANGE || proof === 'signed') return [message]
      if (proof === 'unsigned') return []
      const other = Buffer.from(message)
      other.writeUInt8(other.readUInt8(other.length - 1) ^ 1, other.length - 1)
      return [other]
    })
    this.#send(rewritten.map(handshakeRecord))
  }

  #rewrite13(): void {
    const [hello, ...others] = recordsIn(this.#said)
    if (hello === undefined || others.length === 0 || this.#secret === null) return
    const { shown, proof, own } = this.#options
    const opened = messagesIn(Buffer.from(openServerHandshake13(this.#said, Buffer.from(this.#secret, 'hex'), SUITE)))
    if (opened.at(-1)?.[0] !== FINISHED) return

    const clientHello = recordsIn(Buffer.concat(this.#heard))[0]?.bytes.subarray(5) ?? Buffer.alloc(0)
    const transcript: Buffer[] = [clientHello, hello.bytes.subarray(5)]
    const hash = (): Buffer => createHash('sha256').update(Buffer.concat(transcript)).digest()
    for (const message of opened) {
      if (message[0] === CERTIFICATE) {
        const entry = Buffer.concat([vector(3, shown), vector(2)])
        transcript.push(handshakeMessage(CERTIFICATE, vector(1), vector(3, entry)))
      } else if (message[0] === CERTIFICATE_VERIFY) {
        if (proof === 'unsigned') continue
        // RFC 8446 section 4.4.3.
        const signed = Buffer.concat([
          Buffer.alloc(64, 0x20),
          Buffer.from('TLS 1.3, server CertificateVerify\0'),
          hash(),
        ])
        const own13 = Buffer.concat([message.subarray(4, 6), vector(2, sign('sha256', signed, own.key))])
        transcript.push(proof === 'copied' ? message : handshakeMessage(CERTIFICATE_VERIFY, own13))
      } else if (message[0] === FINISHED) {
        // RFC 8446 section 4.4.4.
        const key = expandLabel('sha256', Buffer.from(this.#secret, 'hex'), 'finished', new Uint8Array(0), 32)
        transcript.push(handshakeMessage(FINISHED, createHmac('sha256', key).update(hash()).digest()))
      } else {
        transcript.push(message)
      }
    }
    const suite = recordSuite(SUITE)
    if (suite === null) throw new Error('the suite is not spoken here')
    const keys = trafficKeys(suite, Buffer.from(this.#secret, 'hex'))
    const sealed = transcript.slice(2).map((bytes, sequence) => sealRecord(keys, sequence, { type: 22, bytes }))
    this.#send([hello.bytes, ...sealed])
  }
}

function messagesIn(bytes: Buffer): Buffer[] {
  const messages: Buffer[] = []
  for (let at = 0; at + 4 <= bytes.length; ) {
    const end = at + 4 + bytes.readUIntBE(at + 1, 3)
    messages.push(bytes.subarray(at, end))
    at = end
  }
  return messages
}
