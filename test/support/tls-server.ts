// A TLS server for clients under test, with everything visible that reaches it.

import type { Socket } from 'node:net'
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls'
import { onTestFinished } from 'vitest'
import { type ForgedCertificate, forgeCertificate } from './forged-certificates.ts'

export interface TestServer {
  readonly port: number
  readonly certificate: ForgedCertificate
  /** What came after handshakes, in order. */
  readonly received: string[]
  /** The errors of handshakes and of connections. */
  readonly errors: Error[]
  /** Connections that are open. */
  readonly sockets: Set<TLSSocket>
}

export interface TestServerOptions extends TlsOptions {
  readonly certificate?: ForgedCertificate
  readonly host?: string
  /** Default: answers each piece with `echo` and itself, and ends. */
  readonly onConnection?: (socket: TLSSocket) => void
}

/** Listens on a free port until the test is over. Clients are asked for certificates, and any will do. */
export async function testServer(options: TestServerOptions = {}): Promise<TestServer> {
  const {
    certificate = forgeCertificate({ hosts: ['localhost'] }),
    host = '127.0.0.1',
    onConnection,
    ...rest
  } = options
  const received: string[] = []
  const errors: Error[] = []
  const sockets = new Set<TLSSocket>()
  const raw = new Set<Socket>()
  const server = createServer(
    { cert: certificate.certPem, key: certificate.keyPem, requestCert: true, rejectUnauthorized: false, ...rest },
    (socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
      socket.on('error', (error) => errors.push(error))
      if (onConnection === undefined) {
        socket.on('data', (piece: Buffer) => {
          received.push(piece.toString())
          socket.end(`echo ${piece}`)
        })
      } else {
        onConnection(socket)
      }
    },
  )
  server.on('connection', (socket: Socket) => {
    raw.add(socket)
    socket.on('close', () => raw.delete(socket))
  })
  server.on('tlsClientError', (error, socket) => {
    errors.push(error)
    socket.destroy()
  })
  const port = await listening(server, host)
  onTestFinished(() => {
    for (const socket of raw) socket.destroy()
    server.close()
  })
  return { port, certificate, received, errors, sockets }
}

/** Starts a server on a free port of a local address. */
export async function listening(
  server: { listen(port: number, host: string, done: () => void): unknown; address(): unknown },
  host = '127.0.0.1',
): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  return (server.address() as { port: number }).port
}
