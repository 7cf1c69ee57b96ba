// Clients for servers under test: Node's own, with everything visible that happened, raw sockets that behave badly, and
// `openssl s_client` where it is installed.

import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'

/** What a visit to a server came to. */
export interface Visit {
  /** All that the server said. */
  readonly text: string
  /** How it ended, if not in good order: the message of the error, which has the TLS alert in it. */
  readonly error: string | null
  readonly alert: number | null
  /** SHA-256 of the server's certificate; null if the handshake did not get so far. */
  readonly server: string | null
  readonly protocol: string | null
  readonly reused: boolean
  readonly alpn: string | false | null
}

/** Connects, writes a line, and reads to the end. The server's certificate is not checked. */
export async function visit(
  port: number,
  options: ConnectionOptions & { readonly line?: string; readonly localAddress?: string } = {},
): Promise<Visit> {
  const { line = 'hello', ...rest } = options
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...rest })
  let text = ''
  let error: Error | null = null
  const facts = {
    server: null as string | null,
    protocol: null as string | null,
    reused: false,
    alpn: null as Visit['alpn'],
  }
  socket.setEncoding('utf8')
  socket.on('data', (piece: string) => {
    text += piece
  })
  socket.on('error', (cause) => {
    error ??= cause
  })
  socket.on('secureConnect', () => {
    facts.server = `sha256:${createHash('sha256').update(socket.getPeerCertificate(true).raw).digest('hex')}`
    facts.protocol = socket.getProtocol()
    facts.reused = socket.isSessionReused()
    facts.alpn = socket.alpnProtocol
    socket.write(`${line}\r\n`)
  })
  socket.on('end', () => socket.end())
  await closed(socket)
  const message = (error as Error | null)?.message ?? null
  return { text, error: message, alert: alertIn(message), ...facts }
}

/** Waits until a socket is gone. */
export async function closed(socket: Socket | TLSSocket): Promise<void> {
  if (!socket.closed) await new Promise<void>((resolve) => socket.once('close', () => resolve()))
}

/** A TCP connection that is established, and whose errors do not matter. */
export async function rawClient(port: number): Promise<Socket> {
  const socket = connectTcp({ port, host: '127.0.0.1' })
  // Read, because a socket that is not read never sees an end.
  socket.on('error', () => undefined).resume()
  await once(socket, 'connect')
  return socket
}

/** OpenSSL spells the same alert differently from version to version; the number stays. */
export function alertIn(message: string | null): number | null {
  const found = /alert number (\d+)/i.exec(message ?? '')
  return found === null ? null : Number(found[1])
}

/** Whether `openssl` can be run here. */
export const hasOpenssl = spawnSync('openssl', ['version']).status === 0

/** Runs `openssl s_client` against a local port, gives it a line, and returns all that it printed. */
export async function openssl(port: number, args: readonly string[], input = 'hello\r\n'): Promise<string> {
  const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...args])
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (piece: string) => {
      output += piece
    })
  }
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  await once(child, 'close')
  return output
}
