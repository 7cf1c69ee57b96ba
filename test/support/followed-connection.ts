// One side of a TLS connection, by Node, whose output is followed by `OutgoingRecords`, record by record, and can be cut
// off anywhere; and a whole connection in memory, whose other side is Node alone.

import { Duplex } from 'node:stream'
import { connect, createSecureContext, type SecureContext, type SecureContextOptions, TLSSocket } from 'node:tls'
import type { AlertLevel } from '../../src/errors.ts'
import { OutgoingRecords } from '../../src/tls/sans-io/outgoing-records.ts'
import { type ServerHelloInfo, ServerHelloTap } from '../../src/tls/sans-io/server-hello.ts'
import { alertIn } from './tls-clients.ts'

export interface FollowedOptions {
  readonly side: 'client' | 'server'
  readonly context: SecureContext
  /** Whether the record of this number, from 0, may leave. The first that may not ends the output. */
  readonly mayLeave?: (index: number) => boolean
  /** In what pieces the follower is shown what leaves. Default: as OpenSSL wrote it. */
  readonly pieces?: 'whole' | 'records' | 'bytes'
}

/** A context of one version and suite (by OpenSSL's name), with what else is said. */
export function contextOf(
  version: 'TLSv1.2' | 'TLSv1.3',
  suite: string | undefined,
  options: SecureContextOptions = {},
): SecureContext {
  const ciphers = suite === undefined ? {} : { ciphers: suite }
  return createSecureContext({ minVersion: version, maxVersion: version, ...ciphers, ...options })
}

/** One end of a wire: what OpenSSL writes goes to a function. */
class Port extends Duplex {
  readonly #out: (bytes: Buffer) => void

  constructor(out: (bytes: Buffer) => void) {
    super({ allowHalfOpen: true, autoDestroy: false })
    this.#out = out
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, confirm: () => void): void {
    this.#out(chunk)
    confirm()
  }
}

function tlsOver(port: Duplex, side: 'client' | 'server', secureContext: SecureContext): TLSSocket {
  return side === 'client'
    ? connect({ socket: port, rejectUnauthorized: false, secureContext })
    : new TLSSocket(port, { isServer: true, requestCert: true, rejectUnauthorized: false, secureContext })
}

export class FollowedSide {
  readonly tls: TLSSocket
  readonly records: OutgoingRecords
  hello: ServerHelloInfo | null = null
  readonly keylog: Buffer[] = []
  /** The records that have left, and those that came. */
  readonly left: Buffer[] = []
  readonly came: Buffer[] = []
  /** Whether something was kept from leaving; from then on everything is. */
  cut = false
  readonly #options: FollowedOptions
  readonly #wire: (bytes: Buffer) => void
  readonly #port: Port
  readonly #tap = new ServerHelloTap()
  readonly #split = splitter()
  readonly #splitFed = splitter()

  constructor(options: FollowedOptions, wire: (bytes: Buffer) => void) {
    this.#options = options
    this.#wire = wire
    this.records = new OutgoingRecords(options.side)
    this.#port = new Port((bytes) => this.#send(bytes))
    this.tls = tlsOver(this.#port, options.side, options.context)
    this.tls.on('keylog', (line: Buffer) => {
      this.keylog.push(Buffer.from(line))
      this.records.keylog(line)
    })
    this.tls.on('error', () => {})
    this.tls.resume()
  }

  /** Gives OpenSSL what came over the wire. */
  feed(bytes: Buffer): void {
    if (this.#options.side === 'client') this.#readHello(bytes)
    this.came.push(...this.#splitFed(bytes))
    this.#port.push(bytes)
  }

  /** Seals an alert and sends it, and nothing of OpenSSL's after it. */
  sendAlert(level: AlertLevel, code: number): void {
    const sealed = this.records.sealAlert(level, code)
    if (sealed === null) throw new Error('no alert can be sealed')
    this.cut = true
    this.#wire(Buffer.from(sealed))
  }

  destroy(): void {
    this.cut = true
    this.tls.destroy()
    this.#port.destroy()
  }

  #readHello(bytes: Uint8Array): void {
    const hello = this.#tap.push(bytes)
    if (hello === null) return
    this.hello = hello
    this.records.serverHello(hello)
  }

  #send(bytes: Buffer): void {
    if (this.#options.side === 'server') this.#readHello(bytes)
    if (this.cut) return
    const { pieces = 'whole', mayLeave } = this.#options
    const records = this.#split(bytes)
    if (mayLeave === undefined && pieces === 'whole') {
      this.left.push(...records)
      this.records.sent(bytes)
      this.#wire(bytes)
      return
    }
    for (const record of records) {
      if (mayLeave?.(this.left.length) === false) {
        this.cut = true
        return
      }
      this.left.push(record)
      if (pieces === 'bytes') for (const octet of record) this.records.sent(Uint8Array.of(octet))
      else this.records.sent(record)
      this.#wire(record)
    }
  }
}

export class FollowedConnection {
  readonly ours: FollowedSide
  readonly peer: TLSSocket
  readonly peerKeylog: Buffer[] = []
  /** How many bytes the peer has read. */
  received = 0
  peerError: Error | null = null
  readonly #peerPort: Port

  constructor(options: FollowedOptions, peerContext: SecureContext) {
    this.#peerPort = new Port((bytes) => setImmediate(() => this.ours.feed(bytes)))
    this.ours = new FollowedSide(options, (bytes) => setImmediate(() => this.#peerPort.push(bytes)))
    this.peer = tlsOver(this.#peerPort, options.side === 'client' ? 'server' : 'client', peerContext)
    this.peer.on('keylog', (line: Buffer) => this.peerKeylog.push(Buffer.from(line)))
    this.peer.on('data', (chunk: Buffer) => {
      this.received += chunk.length
    })
    const failed = (error: Error) => {
      this.peerError ??= error
    }
    // A server's socket that no tls.Server has made says it by the second event only.
    this.peer.on('error', failed).on('_tlsError', failed)
  }

  /** The alert that the peer reads when we send this one. */
  async alert(code: number, level: AlertLevel = 'fatal'): Promise<number | null> {
    this.ours.sendAlert(level, code)
    await until(() => this.peerError !== null, 'an error of the peer')
    return alertIn(this.peerError?.message ?? null)
  }

  /** Waits until both sides are through with the handshake, and what follows it at once has arrived. */
  async established(): Promise<void> {
    const done = (tls: TLSSocket) => tls.getFinished() !== undefined && tls.getPeerFinished() !== undefined
    await until(() => done(this.ours.tls) && done(this.peer), 'a handshake')
    await turns(8)
  }

  /** Writes, and waits until the peer has read it. */
  async write(bytes: Uint8Array | string): Promise<void> {
    const expected = this.received + bytes.length
    this.ours.tls.write(bytes)
    await until(() => this.received >= expected, 'data')
  }

  destroy(): void {
    this.ours.destroy()
    this.peer.destroy()
    this.#peerPort.destroy()
  }
}

/** Cuts a stream into records. */
export function splitter(): (bytes: Buffer) => Buffer[] {
  let waiting = Buffer.alloc(0)
  return (bytes) => {
    waiting = Buffer.concat([waiting, bytes])
    const records: Buffer[] = []
    while (waiting.length >= 5 && waiting.length >= 5 + waiting.readUInt16BE(3)) {
      records.push(waiting.subarray(0, 5 + waiting.readUInt16BE(3)))
      waiting = waiting.subarray(5 + waiting.readUInt16BE(3))
    }
    return records
  }
}

/** Waits, turn by turn, for what must come soon. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    if (turn === 10_000) throw new Error(`there was never ${what}`)
    await turns(1)
  }
}

export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}
