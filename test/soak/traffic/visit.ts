// One visit: who comes, from where, and the ways to open, listen and give up that all kinds of visits share.

import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import { Certificate, generateSelfSignedCertificate } from 'tlacacoca'
import type { Exchange, Facts, Identity, Script, Visitor } from '../targets/target.ts'

/** Longer than any deadline of the server's by this: a machine may be busy, but not for so long. */
const SLACK_MS = 30_000

export interface Place {
  readonly port: number
  readonly script: Script
  readonly facts: Facts
}

/** TLS and the socket below it. Without TLS both are the same. */
export interface Line {
  readonly socket: Socket
  readonly stream: Socket | TLSSocket
}

export class Visit {
  readonly place: Place
  /** Limits are counted for each, so that those who misbehave do not keep out the others. */
  readonly address: string
  readonly #sockets: Socket[] = []

  constructor(place: Place, address: string) {
    this.place = place
    this.address = address
  }

  get script(): Script {
    return this.place.script
  }

  async tcp(): Promise<Socket> {
    // Half open: what the server ends is its side only, so that it is seen who closes what.
    const socket = connectTcp({
      port: this.place.port,
      host: '127.0.0.1',
      localAddress: this.address,
      allowHalfOpen: true,
      noDelay: true,
    })
    this.#sockets.push(socket)
    socket.on('error', () => {})
    await settled(socket, 'connect')
    return socket
  }

  /** A connection that is ready for a request. */
  async open(options: ConnectionOptions = {}): Promise<Line> {
    const socket = await this.tcp()
    if (!this.script.tls) return { socket, stream: socket }
    const stream = this.startTls(socket, options)
    await settled(stream, 'secureConnect')
    const { raw } = stream.getPeerCertificate(true)
    if (!this.place.facts.serverFingerprints.includes(Certificate.from(raw).fingerprint)) {
      throw new Error('the server showed a certificate that is not its own')
    }
    return { socket, stream }
  }

  startTls(socket: ConnectionOptions['socket'], options: ConnectionOptions = {}): TLSSocket {
    const stream = connectTls({
      ...(socket && { socket }),
      servername: 'localhost',
      rejectUnauthorized: false,
      ...options,
    })
    this.#sockets.push(stream)
    stream.on('error', () => {})
    return stream
  }

  /** The whole answer to a request. */
  async ask(exchange: Exchange, options: ConnectionOptions = {}): Promise<void> {
    const { stream } = await this.open({ ...(await this.identity(exchange.visitor)), ...options })
    stream.write(exchange.request)
    isRight(exchange, await this.rest(stream))
  }

  /** What comes until the server ends its side. */
  async rest(stream: Socket, withinMs = SLACK_MS): Promise<string> {
    return (await this.bytes(stream, withinMs)).toString('utf8')
  }

  async bytes(stream: Socket, withinMs = SLACK_MS): Promise<Buffer> {
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    if (!stream.readableEnded) {
      const ended = await Promise.race([settled(stream, 'end').then(() => true), wait(withinMs, false, { ref: false })])
      if (!ended)
        throw new Error(`no end of the answer within ${withinMs} ms, after ${Buffer.concat(chunks).length} bytes`)
    }
    return Buffer.concat(chunks)
  }

  /** The server is to have closed the connection after its deadline, whatever the visitor does. */
  async cutOff(socket: Socket, deadlineMs: number): Promise<void> {
    const isOver = socket.destroyed || socket.readableEnded
    const over =
      isOver ||
      Promise.race([onceAny(socket, ['end', 'close', 'error']), wait(deadlineMs + SLACK_MS, false, { ref: false })])
    if ((await over) === false) throw new Error(`still open ${SLACK_MS} ms after the deadline of ${deadlineMs} ms`)
  }

  /** That the server has ended its side is not all: nobody must be there any more, although we keep ours open. */
  async isGone(socket: Socket): Promise<void> {
    for (let i = 0; i < 100 && !socket.destroyed; i++) {
      socket.write('x')
      await wait(100)
    }
    if (!socket.destroyed) throw new Error('the server ended its side, and keeps the connection')
  }

  async identity(visitor: Visitor | undefined): Promise<ConnectionOptions> {
    if (visitor === undefined) return {}
    if (visitor === 'new') return newIdentity()
    const known = this.place.facts.identities[visitor]
    if (known === undefined) throw new Error(`there is no visitor ${visitor}`)
    return { ...known }
  }

  /** Leaves no connection behind, whatever happened. */
  end(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

let made = 0

async function newIdentity(): Promise<Identity> {
  const key = made++ % 2 === 0 ? 'P-256' : 'Ed25519'
  const { certificatePem, privateKeyPem } = await generateSelfSignedCertificate({
    commonName: `visitor ${made}`,
    usage: 'client',
    key,
  })
  return { cert: certificatePem, key: privateKeyPem }
}

export function isRight({ answer }: Pick<Exchange, 'answer'>, got: string): void {
  const right = typeof answer === 'string' ? got === answer : answer.test(got)
  if (!right) throw new Error(`expected ${JSON.stringify(String(answer))}, got ${JSON.stringify(got.slice(0, 100))}`)
}

/** Waits for an event, and not for ever; fails with the connection. */
async function settled(socket: Socket, event: string): Promise<void> {
  const closed = new AbortController()
  const onClose = (): void => closed.abort()
  socket.once('close', onClose)
  try {
    await once(socket, event, { signal: AbortSignal.any([closed.signal, AbortSignal.timeout(SLACK_MS)]) })
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'AbortError') throw error
    throw new Error(closed.signal.aborted ? `closed before "${event}"` : `no "${event}" within ${SLACK_MS} ms`)
  } finally {
    socket.off('close', onClose)
  }
}

function onceAny(socket: Readable, events: readonly string[]): Promise<true> {
  return new Promise((resolve) => {
    for (const event of events) socket.once(event, () => resolve(true))
    // Without somebody who reads, the end is not seen.
    if (socket.readableFlowing !== false) socket.resume()
  })
}
