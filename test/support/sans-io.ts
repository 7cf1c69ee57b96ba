// Connections of ours in memory: against each other, and against a server or a client that is Node's own.
//
// What an end puts on the wire waits there until it is delivered, in the portions that a test wants. Both directions are
// recorded. Nothing here waits for time to pass: `until` goes on turn by turn of the event loop.

import { Duplex } from 'node:stream'
import { type ConnectionOptions, connect, createServer, type TLSSocket, type TlsOptions } from 'node:tls'
import { onTestFinished } from 'vitest'
import type { Certificate } from '../../src/certificate/certificate.ts'
import { KeyedChain } from '../../src/certificate/keyed-chain.ts'
import type { ClientTLS } from '../../src/tls/sans-io/client-tls.ts'
import type { Connection } from '../../src/tls/sans-io/connection.ts'
import type { CloseReason, VerifyCallback } from '../../src/tls/sans-io/connection-sink.ts'
import type { ServerTLS } from '../../src/tls/sans-io/server-tls.ts'
import type { Issued } from './issued-certificates.ts'

/** A record as it was on the wire. */
export interface WireRecord {
  /** 20 for a ChangeCipherSpec, 21 for an alert, 22 for a handshake in clear, 23 for data. */
  readonly type: number
  /** With its header. */
  readonly bytes: Buffer
}

/** How bytes that are delivered are cut: into pieces of so many, or by a function. Default: everything at once. */
export type Cutting = number | ((bytes: Buffer) => readonly Uint8Array[])

/** One end of the wire: what it has to say, and how to tell it something. */
export interface WireEnd {
  /** Everything that it sent, in the portions that it sent it in. */
  readonly writes: readonly Buffer[]
  /** What has not been delivered yet; the end forgets it. */
  take(): Buffer
  /** Whether nothing more comes from it. */
  readonly isSilent: boolean
  receive(bytes: Uint8Array): void
  /** The other end is silent, and all of it was delivered. */
  wireEnded(): void
}

export interface EndOptions {
  readonly verify?: VerifyCallback
  /** Called with what is decrypted; it is recorded in any case. */
  readonly onData?: (plaintext: Uint8Array, connection: Connection) => void
  readonly onWrite?: (bytes: Uint8Array, connection: Connection | null) => void
  /** No `data` callback: what `dataFromWire` returns is recorded. */
  readonly returning?: boolean
}

/** A connection of ours, with everything recorded that it does. */
export class OurEnd implements WireEnd {
  readonly connection: Connection
  readonly writes: Buffer[] = []
  readonly plaintext: Buffer[] = []
  /** What `wireClose` was called with. */
  readonly closes: boolean[] = []
  /** What `dataFromWire` threw. */
  readonly thrown: unknown[] = []
  /** What was done, in order: `write`, `data`, `verify`, `close(true)`. */
  readonly log: string[] = []
  #waiting: Buffer[] = []

  constructor(tls: ClientTLS | ServerTLS, options: EndOptions = {}) {
    const { verify, onData, onWrite, returning = false } = options
    let made: Connection | null = null
    const connection = (): Connection => made as Connection
    made = tls.start({
      writeToWire: (bytes) => {
        this.log.push('write')
        this.writes.push(Buffer.from(bytes))
        this.#waiting.push(Buffer.from(bytes))
        onWrite?.(bytes, made)
      },
      wireClose: (immediate) => {
        this.log.push(`close(${immediate})`)
        this.closes.push(immediate)
      },
      ...(verify === undefined
        ? {}
        : {
            verify: (chain, asked) => {
              this.log.push('verify')
              return verify(chain, asked)
            },
          }),
      ...(returning
        ? {}
        : {
            data: (plaintext: Uint8Array) => {
              this.log.push('data')
              this.plaintext.push(Buffer.from(plaintext))
              onData?.(plaintext, connection())
            },
          }),
    })
    this.connection = made
  }

  get text(): string {
    return Buffer.concat(this.plaintext).toString()
  }

  get records(): WireRecord[] {
    return recordsIn(Buffer.concat(this.writes))
  }

  get isSilent(): boolean {
    return this.closes.length > 0
  }

  /** How it ended. Only for one that has. */
  get closed(): Promise<CloseReason> {
    return this.connection.closed
  }

  /** The error it ended with. */
  async failure(): Promise<Error> {
    const reason = await this.connection.closed
    if (reason.kind === 'finished') throw new Error('it has finished without an error')
    return reason.error
  }

  take(): Buffer {
    const all = Buffer.concat(this.#waiting)
    this.#waiting = []
    return all
  }

  receive(bytes: Uint8Array): void {
    // Whoever owns the transport has closed it.
    if (this.isSilent) return
    try {
      const plaintext = this.connection.dataFromWire(bytes)
      if (plaintext.length > 0) this.plaintext.push(Buffer.from(plaintext))
    } catch (error) {
      this.thrown.push(error)
    }
  }

  wireEnded(): void {
    this.connection.wireFinished()
  }

  write(text: string): void {
    this.connection.dataFromApplication(Buffer.from(text))
  }
}

/** The transport of Node's own TLS sockets. */
class NodePort extends Duplex {
  readonly writes: Buffer[] = []
  waiting: Buffer[] = []
  ended = false

  constructor() {
    super({ allowHalfOpen: true })
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.writes.push(Buffer.from(chunk))
    this.waiting.push(Buffer.from(chunk))
    callback()
  }

  override _final(callback: () => void): void {
    this.ended = true
    callback()
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.ended = true
    callback(error)
  }
}

/** Node's own TLS socket, with everything recorded that happens to it. */
export class NodeEnd implements WireEnd {
  /** Null on a server until the handshake is over. */
  socket: TLSSocket | null = null
  readonly plaintext: Buffer[] = []
  readonly errors: Error[] = []
  readonly log: string[] = []
  readonly #port: NodePort

  private constructor(port: NodePort) {
    this.#port = port
  }

  static server(options: TlsOptions, onConnection: (socket: TLSSocket) => void = () => {}): NodeEnd {
    const port = new NodePort()
    const end = new NodeEnd(port)
    const server = createServer(options, (socket) => {
      end.#watch(socket)
      onConnection(socket)
    })
    server.on('tlsClientError', (error) => end.errors.push(error))
    server.emit('connection', port)
    onTestFinished(() => void port.destroy())
    return end
  }

  static client(options: ConnectionOptions): NodeEnd {
    const port = new NodePort()
    const end = new NodeEnd(port)
    const socket = connect({ rejectUnauthorized: false, ...options, socket: port })
    socket.on('secureConnect', () => end.log.push('secureConnect'))
    end.#watch(socket)
    onTestFinished(() => void socket.destroy())
    return end
  }

  get writes(): readonly Buffer[] {
    return this.#port.writes
  }

  get records(): WireRecord[] {
    return recordsIn(Buffer.concat(this.writes))
  }

  get text(): string {
    return Buffer.concat(this.plaintext).toString()
  }

  /** The numbers of the alerts that it got. Node tells of the fatal ones only. */
  get alerts(): number[] {
    return this.errors.flatMap(({ message }) => {
      const found = /SSL alert number (\d+)/.exec(message)
      return found === null ? [] : [Number(found[1])]
    })
  }

  get isSilent(): boolean {
    return this.#port.ended
  }

  take(): Buffer {
    const all = Buffer.concat(this.#port.waiting)
    this.#port.waiting = []
    return all
  }

  receive(bytes: Uint8Array): void {
    if (!this.#port.destroyed && !this.#port.readableEnded) this.#port.push(bytes)
  }

  wireEnded(): void {
    if (!this.#port.destroyed && !this.#port.readableEnded) this.#port.push(null)
  }

  #watch(socket: TLSSocket): void {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => this.plaintext.push(chunk))
    socket.on('end', () => {
      this.log.push('end')
      // As sockets do unless they are told to stay half open.
      socket.end()
    })
    socket.on('close', () => this.log.push('close'))
    socket.on('error', (error) => this.errors.push(error))
  }
}

/** The wire between two ends. */
export class Wire<Client extends WireEnd = OurEnd, Server extends WireEnd = OurEnd> {
  readonly client: Client
  readonly server: Server
  readonly #cutting: Cutting
  readonly #told = new Set<WireEnd>()

  constructor(client: Client, server: Server, cutting: Cutting = (bytes) => [bytes]) {
    this.client = client
    this.server = server
    this.#cutting = cutting
  }

  /** Delivers what waits, and what is answered at once, until there is no more of it. Returns whether there was any. */
  deliver(): boolean {
    let moved = false
    while (this.toServer() || this.toClient()) moved = true
    return moved
  }

  toServer(): boolean {
    return this.#carry(this.client, this.server)
  }

  toClient(): boolean {
    return this.#carry(this.server, this.client)
  }

  /** Delivers, turn by turn, until something is the case. It fails if nothing has moved for many turns. */
  async until(isSo: () => boolean, what = 'what the test waits for'): Promise<void> {
    for (let idle = 0; !isSo(); ) {
      idle = this.deliver() ? 0 : idle + 1
      if (idle > IDLE_TURNS)
        throw new Error(`${what} does not come: ${await story(this.client)}; ${await story(this.server)}`)
      await turn()
    }
  }

  /** Delivers, turn by turn, until nothing moves any more. */
  async settle(): Promise<void> {
    for (let idle = 0; idle < 20; ) {
      idle = this.deliver() ? 0 : idle + 1
      await turn()
    }
  }

  #carry(from: WireEnd, to: WireEnd): boolean {
    const bytes = from.take()
    if (bytes.length > 0) {
      for (const piece of cut(bytes, this.#cutting)) to.receive(piece)
      return true
    }
    if (!from.isSilent || this.#told.has(from)) return false
    this.#told.add(from)
    to.wireEnded()
    return true
  }
}

// Signing a handshake takes no turn of its own; a verifier that reads a file may take some.
const IDLE_TURNS = 5_000

async function story(end: WireEnd): Promise<string> {
  if (!(end instanceof OurEnd)) return 'the other end is of Node'
  const { state } = end.connection
  return state === 'invalidated' ? `${(await end.failure()).message}` : `one is ${state}`
}

export interface WirePairOptions {
  readonly client: ClientTLS
  readonly server: ServerTLS
  /** What the two ends do besides. */
  readonly clientEnd?: EndOptions
  readonly serverEnd?: EndOptions
  readonly cutting?: Cutting
}

/** Two connections of ours. Nothing is delivered before a test says so. */
export function wirePair({ client, server, clientEnd, serverEnd, cutting }: WirePairOptions): Wire {
  return new Wire(new OurEnd(client, clientEnd), new OurEnd(server, serverEnd), cutting)
}

/** The same, and open. */
export async function openPair(options: WirePairOptions): Promise<Wire> {
  const wire = wirePair(options)
  await wire.until(() => isOpen(wire.client) && isOpen(wire.server), 'an open connection')
  return wire
}

export interface AgainstNodeServer {
  readonly client: ClientTLS
  readonly node: TlsOptions
  readonly clientEnd?: EndOptions
  readonly onConnection?: (socket: TLSSocket) => void
  readonly cutting?: Cutting
}

/** A client of ours, and a server of Node's. */
export function againstNodeServer(options: AgainstNodeServer): Wire<OurEnd, NodeEnd> {
  const { client, node, clientEnd, onConnection, cutting } = options
  return new Wire(new OurEnd(client, clientEnd), NodeEnd.server(node, onConnection), cutting)
}

export interface AgainstNodeClient {
  readonly server: ServerTLS
  readonly node?: ConnectionOptions
  readonly serverEnd?: EndOptions
  readonly cutting?: Cutting
}

/** A server of ours, and a client of Node's. */
export function againstNodeClient({ server, node, serverEnd, cutting }: AgainstNodeClient): Wire<NodeEnd, OurEnd> {
  return new Wire(NodeEnd.client(node ?? {}), new OurEnd(server, serverEnd), cutting)
}

export function isOpen({ connection }: OurEnd): boolean {
  return connection.state === 'open'
}

/** The whole records in a stream of bytes; what follows the last one is left out. */
export function recordsIn(bytes: Buffer): WireRecord[] {
  const records: WireRecord[] = []
  for (let at = 0; at + 5 <= bytes.length; ) {
    const end = at + 5 + bytes.readUInt16BE(at + 3)
    if (end > bytes.length) break
    records.push({ type: bytes.readUInt8(at), bytes: bytes.subarray(at, end) })
    at = end
  }
  return records
}

function cut(bytes: Buffer, cutting: Cutting): readonly Uint8Array[] {
  if (typeof cutting === 'function') return cutting(bytes)
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; at += cutting) pieces.push(bytes.subarray(at, at + cutting))
  return pieces
}

/** The next turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** A chain of ours out of certificates that were issued: the leaf first, with its key. */
export function chainOf(leaf: Issued, ...above: readonly Issued[]): KeyedChain {
  const certificates = [leaf, ...above].map(({ certificate }) => certificate)
  return KeyedChain.fromCertificates(certificates, leaf.keys.privateKey)
}

/** The same for a client. */
export function clientChainOf(leaf: Issued, ...above: readonly Issued[]): KeyedChain {
  const certificates = [leaf, ...above].map(({ certificate }) => certificate)
  return KeyedChain.fromCertificates(certificates, leaf.keys.privateKey, { purpose: 'client' })
}

/** What Node takes for certificates that were issued. */
export function pemOfIssued(
  leaf: Issued,
  ...above: readonly Issued[]
): { readonly cert: string; readonly key: string } {
  return {
    cert: [leaf, ...above].map(({ certificate }) => certificate.toPem()).join(''),
    key: leaf.keys.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  }
}

export function fingerprints(chain: readonly Certificate[]): string[] {
  return chain.map(({ fingerprint }) => fingerprint)
}
