// Real sockets for tests of HTTP: servers that are closed when a test is over, and clients that say what no library would.

import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, connect, type NetConnectOpts, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'

/** Where a test can connect to. */
export type Place = Pick<NetConnectOpts, never> &
  ({ readonly port: number; readonly host: string } | { readonly path: string })

const undo: (() => unknown)[] = []

/** Calls back when the test that is running is over, last registered first. */
export function afterTest(callback: () => unknown): void {
  undo.push(callback)
}

afterEach(async () => {
  for (const callback of undo.splice(0).reverse()) await callback()
})

/** A temporary folder for as long as the test runs. */
export async function testFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tlacacoca-http-'))
  afterTest(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Listens on a free port of 127.0.0.1. */
export async function onPort(
  listener: RequestListener,
  server: Server = createServer(),
): Promise<{ host: string; port: number }> {
  await listen(server.on('request', listener), (ready) => server.listen(0, '127.0.0.1', ready))
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
}

/** Listens on a Unix socket. */
export async function onUnixSocket(listener: RequestListener): Promise<{ path: string }> {
  const path = join(await testFolder(), 'ca.sock')
  const server = createServer(listener)
  await listen(server, (ready) => server.listen(path, ready))
  return { path }
}

async function listen(server: Server, start: (ready: () => void) => unknown): Promise<void> {
  await new Promise<void>((resolve) => start(resolve))
  afterTest(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
}

/** What a server has said to one request. */
export interface RawAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Writes texts as they are, one after the other, and reads until the server closes the connection. */
export async function raw(place: Place, parts: string | readonly (string | Uint8Array)[]): Promise<string> {
  const socket = connect(place)
  let received = ''
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1')
  })
  // A reset after the answer is the server's right.
  socket.on('error', () => {})
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  for (const part of typeof parts === 'string' ? [parts] : parts) await write(socket, part)
  await closed
  return received
}

/** Like {@link raw}, for one request: the answer in its parts. */
export async function ask(place: Place, parts: string | readonly (string | Uint8Array)[]): Promise<RawAnswer> {
  return parseAnswer(await raw(place, parts))
}

export function parseAnswer(text: string): RawAnswer {
  const [head = '', ...rest] = text.split('\r\n\r\n')
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers = lines.map((line) => [
    line.slice(0, line.indexOf(':')).toLowerCase(),
    line.slice(line.indexOf(':') + 2),
  ])
  return { status: Number(statusLine.split(' ')[1]), headers: Object.fromEntries(headers), body: rest.join('\r\n\r\n') }
}

/** Each write is a packet of its own, as far as a program can see to it. */
function write(socket: Socket, part: string | Uint8Array): Promise<void> {
  socket.setNoDelay(true)
  return new Promise((resolve) => {
    socket.once('close', resolve)
    socket.write(part, () => {
      socket.off('close', resolve)
      setImmediate(resolve)
    })
  })
}
