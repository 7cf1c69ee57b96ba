// Handshakes between programs that are not ours, and every byte that went over the wire: what our readers are held to.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { onTestFinished } from 'vitest'
import type { ForgedCertificate } from './forged-certificates.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { closed, openssl } from './tls-clients.ts'
import { listening } from './tls-server.ts'

/** Connects to a local port, does a handshake if the other side does one, and says what it has to say about it. */
export type Client = (port: number) => Promise<string>

export interface Recording {
  readonly fromClient: Buffer
  readonly fromServer: Buffer
  /** What the client said. */
  readonly said: string
}

export const hasGnutls = spawnSync('gnutls-cli', ['--version']).status === 0

/** Node's own client. It says the version, the suite by its name in the standard, and the key exchange. */
export function nodeClient(options: ConnectionOptions = {}): Client {
  return async (port) => {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options })
    let said = ''
    socket.on('error', () => {})
    socket.on('secureConnect', () => {
      const key = socket.getEphemeralKeyInfo() as { type?: string; name?: string }
      said = `${socket.getProtocol()} ${socket.getCipher().standardName} ${key.name ?? key.type}`
      socket.end()
    })
    socket.resume()
    await closed(socket)
    return said
  }
}

/** `openssl s_client`, which says very much. */
export function opensslClient(...args: string[]): Client {
  return (port) => openssl(port, args, '')
}

export function gnutlsClient(...args: string[]): Client {
  return async (port) => {
    const child = spawn('gnutls-cli', ['--insecure', '--port', String(port), ...args, '127.0.0.1'])
    let said = ''
    for (const output of [child.stdout, child.stderr]) {
      output.setEncoding('utf8').on('data', (piece: string) => {
        said += piece
      })
    }
    child.stdin.on('error', () => {})
    child.stdin.end()
    await once(child, 'close')
    return said
  }
}

/** The first record that a client sends. */
export async function recordHello(client: Client): Promise<Buffer> {
  let bytes = Buffer.alloc(0)
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      if (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt16BE(3)) socket.destroy()
    })
  })
  onTestFinished(() => void server.close())
  await client(await listening(server))
  return bytes.subarray(0, 5 + bytes.readUInt16BE(3))
}

/** Puts a wire between a client and the server on a port, and keeps what goes over it. */
export async function recordHandshake(target: number, client: Client): Promise<Recording> {
  const fromClient: Buffer[] = []
  const fromServer: Buffer[] = []
  const sockets: Socket[] = []
  const wire = createServer((near) => {
    const far = connect({ port: target, host: '127.0.0.1' })
    near.on('data', (chunk: Buffer) => fromClient.push(chunk)).pipe(far)
    far.on('data', (chunk: Buffer) => fromServer.push(chunk)).pipe(near)
    for (const socket of [near, far]) {
      sockets.push(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        near.destroy()
        far.destroy()
      })
    }
  })
  onTestFinished(() => void wire.close())
  const said = await client(await listening(wire))
  await Promise.all(sockets.map(closed))
  return { fromClient: Buffer.concat(fromClient), fromServer: Buffer.concat(fromServer), said }
}

/** `openssl s_server` on a free port until the test is over. */
export async function opensslServer(certificate: ForgedCertificate, ...args: string[]): Promise<number> {
  const folder = await temporaryFolder()
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  await writeFile(cert, certificate.certPem)
  await writeFile(key, certificate.keyPem)
  const child = spawn('openssl', ['s_server', '-accept', '127.0.0.1:0', '-cert', cert, '-key', key, ...args])
  onTestFinished(() => void child.kill())
  return new Promise((resolve, reject) => {
    let said = ''
    for (const output of [child.stdout, child.stderr]) {
      output.setEncoding('utf8').on('data', (piece: string) => {
        said += piece
        const port = /ACCEPT 127\.0\.0\.1:(\d+)/.exec(said)?.[1]
        if (port !== undefined) resolve(Number(port))
      })
    }
    child.on('close', () => reject(new Error(`openssl s_server would not start: ${said}`)))
  })
}
