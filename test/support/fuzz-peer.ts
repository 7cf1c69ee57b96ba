// Node's own TLS as the other end of a wire in memory, cheap enough for tens of thousands of connections: one context for
// all of them, and nothing that outlives a connection.

import { connect, createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import type { TLSVersion } from '../../src/certificate/peer.ts'
import { WirePort } from '../../src/tls/sans-io/wire-port.ts'
import type { WireEnd } from './sans-io.ts'
import { pemOfIssued } from './sans-io.ts'
import { clients, HOST, only, servers } from './sans-io-world.ts'

export interface NodePeerOptions {
  readonly side: 'client' | 'server'
  readonly secureContext: SecureContext
  /** As a server: whether the client is asked for a certificate. */
  readonly asks?: boolean
  /** When it can write. On a server this is before the client's Finished was looked at, if that has no more to say. */
  readonly onSecure?: (socket: TLSSocket) => void
  readonly onData?: (chunk: Buffer, socket: TLSSocket) => void
}

/** A context of the server or of the client that the tests know, for one version. */
export function nodeContext(version: TLSVersion, of: 'server' | 'client' | 'nobody'): SecureContext {
  const identity = { server: [servers.leaf, servers.middle], client: [clients.leaf, clients.middle], nobody: [] }[of]
  const [leaf, ...above] = identity
  return createSecureContext({ ...only(version), ...(leaf === undefined ? {} : pemOfIssued(leaf, ...above)) })
}

export class NodePeer implements WireEnd {
  readonly socket: TLSSocket
  readonly writes: Buffer[] = []
  readonly plaintext: Buffer[] = []
  /** The handshake is over, as far as this end knows. */
  secure = false
  /** A close_notify has come. */
  heardEnd = false
  error: Error | null = null
  readonly #port: WirePort
  #waiting: Buffer[] = []
  #silent = false

  constructor({ side, secureContext, asks = false, onSecure, onData }: NodePeerOptions) {
    this.#port = new WirePort((parts, confirm) => {
      for (const part of parts) {
        this.writes.push(part)
        this.#waiting.push(part)
      }
      confirm()
    })
    const silence = (): void => {
      this.#silent = true
    }
    this.#port.once('finish', silence).once('close', silence)
    const socket =
      side === 'client'
        ? connect({ socket: this.#port, secureContext, rejectUnauthorized: false, servername: HOST })
        : new TLSSocket(this.#port, { isServer: true, secureContext, requestCert: asks, rejectUnauthorized: false })
    this.socket = socket
    const failed = (error: Error): void => {
      this.error ??= error
      socket.destroy()
    }
    // A server's socket that no tls.Server has made says what is wrong with a handshake by the second event only.
    socket.on('error', failed).on('_tlsError', failed).once('close', silence)
    socket.on('data', (chunk: Buffer) => {
      this.plaintext.push(chunk)
      onData?.(chunk, socket)
    })
    socket.once('end', () => {
      this.heardEnd = true
    })
    socket.once(side === 'client' ? 'secureConnect' : 'secure', () => {
      this.secure = true
      onSecure?.(socket)
    })
    this.#port.read(0)
    socket.read(0)
  }

  get text(): string {
    return Buffer.concat(this.plaintext).toString()
  }

  /** The alert that it got, if it was a fatal one. */
  get alert(): number | null {
    const found = /SSL alert number (\d+)/.exec(this.error?.message ?? '')
    return found === null ? null : Number(found[1])
  }

  get isSilent(): boolean {
    return this.#silent
  }

  take(): Buffer {
    const all = Buffer.concat(this.#waiting)
    this.#waiting = []
    return all
  }

  receive(bytes: Uint8Array): void {
    if (!this.#port.destroyed && !this.#port.readableEnded) this.#port.push(bytes)
  }

  wireEnded(): void {
    if (!this.#port.destroyed && !this.#port.readableEnded) this.#port.push(null)
  }

  destroy(): void {
    this.socket.destroy()
    this.#port.destroy()
  }
}
