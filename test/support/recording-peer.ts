// Connections over TCP with everything recorded that passes: our two sides of TLS for programs of other people, and a
// recorder in front of any server.

import { connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import type { ClientTLS } from '../../src/tls/sans-io/client-tls.ts'
import type { ServerTLS } from '../../src/tls/sans-io/server-tls.ts'
import { type EndOptions, OurEnd } from './sans-io.ts'
import { listening } from './tls-server.ts'

/** Our side of TLS over a socket, which it closes at its end as a program would. */
export function overTcp(socket: Socket, tls: ClientTLS | ServerTLS, options: EndOptions = {}): OurEnd {
  const ours = new OurEnd(tls, { ...options, onWrite: (bytes) => void socket.write(bytes) })
  socket.on('data', (bytes) => ours.receive(bytes))
  socket.on('end', () => ours.wireEnded())
  socket.on('error', () => ours.wireEnded())
  // The rest of the input is read and thrown away, or the system would reset the connection and lose the alert.
  void ours.closed.then(() => socket.end())
  onTestFinished(() => void socket.destroy())
  return ours
}

/** A client of ours for a local port. */
export function ourClient(port: number, tls: ClientTLS, options: EndOptions = {}): OurEnd {
  return overTcp(connect({ port, host: '127.0.0.1', allowHalfOpen: true }), tls, options)
}

export interface OurServer {
  readonly port: number
  /** The first client that connects. */
  readonly client: Promise<OurEnd>
}

/** A server of ours on a free port. */
export async function ourServer(tls: ServerTLS, options: EndOptions = {}): Promise<OurServer> {
  let connected: (end: OurEnd) => void = () => {}
  const client = new Promise<OurEnd>((resolve) => {
    connected = resolve
  })
  const server = createServer({ allowHalfOpen: true }, (socket) => connected(overTcp(socket, tls, options)))
  const port = await listening(server)
  onTestFinished(() => void server.close())
  return { port, client }
}

export interface Recorder {
  readonly port: number
  /** All that clients have sent. */
  fromClient(): Buffer
}

/** Passes bytes on to a local port, both ways and unchanged, and keeps what the client said. */
export async function recorder(target: number): Promise<Recorder> {
  const said: Buffer[] = []
  const sockets: Socket[] = []
  const server = createServer((client) => {
    const upstream = connect({ port: target, host: '127.0.0.1' })
    sockets.push(client, upstream)
    client.on('data', (bytes) => said.push(bytes))
    client.pipe(upstream).pipe(client)
    for (const socket of [client, upstream]) {
      socket.on('error', () => {})
      socket.on('close', () => (socket === client ? upstream : client).destroySoon())
    }
  })
  const port = await listening(server)
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port, fromClient: () => Buffer.concat(said) }
}
