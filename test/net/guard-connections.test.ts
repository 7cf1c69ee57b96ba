import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { connect, createServer, type Server, Socket } from 'node:net'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { createServer as createTlsServer } from 'node:tls'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { AccessControl } from '../../src/middleware/access-control.ts'
import { ConnectionLimiter } from '../../src/middleware/connection-limiter.ts'
import type { RefusedConnection } from '../../src/net/connection-limits.ts'
import {
  type GuardConnectionsOptions,
  type GuardedConnections,
  guardConnections,
} from '../../src/net/guard-connections.ts'
import { forgeCertificate } from '../support/forged-certificates.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { closed, rawClient, visit } from '../support/tls-clients.ts'
import { listening } from '../support/tls-server.ts'

const site = forgeCertificate({ hosts: ['example.org'] })
const nobody = { opened: () => ({ accept: false }) }

const running: GuardedConnections[] = []
const clients: Socket[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const client of clients.splice(0)) client.destroy()
  await Promise.all(running.splice(0).map((guarded) => guarded.close({ graceMs: 0 })))
})

async function start(
  server: Server,
  options: GuardConnectionsOptions = {},
): Promise<{ port: number; guarded: GuardedConnections }> {
  const guarded = guardConnections(server, options)
  running.push(guarded)
  return { port: await listening(server), guarded }
}

async function dial(port: number): Promise<Socket> {
  const client = await rawClient(port)
  clients.push(client)
  return client
}

/** All that a server says to a client that says nothing. */
async function readAll(port: number): Promise<string> {
  const client = connect(port, '127.0.0.1')
  let text = ''
  client.on('error', () => {}).setEncoding('utf8')
  client.on('data', (chunk: string) => {
    text += chunk
  })
  await closed(client)
  return text
}

describe('a guarded server of node:net', () => {
  it('serves whom its guards accept, and tells them of the end', async () => {
    const limiter = new ConnectionLimiter()
    const { port, guarded } = await start(
      createServer((socket) => socket.end('hello')),
      { guards: [limiter] },
    )
    expect(await readAll(port)).toBe('hello')
    await vi.waitFor(() => expect(guarded.connections).toBe(0))
    expect(limiter.counts).toMatchObject({ open: 0, clients: 0 })
  })

  it('never shows the program a connection that is refused, whenever it began to listen for them', async () => {
    const seen = vi.fn()
    const refused: RefusedConnection[] = []
    const server = createServer(seen).on('connection', seen)
    const { port } = await start(server, { guards: [nobody], onRefused: (each) => refused.push(each) })
    server.on('connection', seen).prependListener('connection', seen)
    for (let i = 0; i < 3; i++) expect(await readAll(port)).toBe('')
    expect(seen).not.toHaveBeenCalled()
    expect(refused.map(({ address, reason }) => `${address} ${reason}`)).toEqual(Array(3).fill('127.0.0.1 guard'))
  })

  it('takes no more connections than it may', async () => {
    const { port, guarded } = await start(createServer(), { maxConnections: 2 })
    const [first] = [await dial(port), await dial(port)]
    await vi.waitFor(() => expect(guarded.connections).toBe(2))
    expect(await readAll(port)).toBe('')
    first.destroy()
    await vi.waitFor(() => expect(guarded.connections).toBe(1))
    await dial(port)
    await vi.waitFor(() => expect(guarded.connections).toBe(2))
  })

  it('cuts off an idle connection, unless the program has set a timeout of its own', async () => {
    const timeout = vi.fn()
    let calls = 0
    const server = createServer((socket) => {
      if (calls++ > 0) socket.setTimeout(50, timeout)
    })
    const { port, guarded } = await start(server, { idleTimeoutMs: 100 })
    await closed(await dial(port))
    const other = await dial(port)
    await vi.waitFor(() => expect(timeout).toHaveBeenCalled())
    expect(guarded.connections).toBe(1)
    expect(other.destroyed).toBe(false)
  })

  it('leaves all other events and their results as they are', async () => {
    const server = createServer()
    const { port } = await start(server)
    expect(server.emit('something')).toBe(false)
    const heard = vi.fn()
    server.on('something', heard)
    expect(server.emit('something', 1, 2)).toBe(true)
    expect(heard).toHaveBeenCalledWith(1, 2)
    expect(port).toBeGreaterThan(0)
  })

  it('may be one of HTTP', async () => {
    const { port } = await start(createHttpServer((_, response) => response.end('hello')))
    expect(await (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).text()).toBe('hello')
  })

  it('may be guarded twice: both have to accept', async () => {
    const server = createServer((socket) => socket.end('hello'))
    guardConnections(server, { guards: [new AccessControl({ denyList: ['127.0.0.1'] })] })
    const inner = new ConnectionLimiter()
    const { port } = await start(server, { guards: [inner] })
    expect(await readAll(port)).toBe('')
    await vi.waitFor(() => expect(inner.open).toBe(0))
  })

  it.runIf(process.platform !== 'win32')('at a path refuses everybody, since nobody has an address there', async () => {
    const onError = vi.fn()
    const handler = vi.fn()
    const server = createServer(handler)
    running.push(guardConnections(server, { onError }))
    const path = join(await temporaryFolder(), 'socket')
    await new Promise<void>((resolve) => server.listen(path, resolve))
    const client = connect(path)
    client.on('error', () => {}).resume()
    await closed(client)
    expect(handler).not.toHaveBeenCalled()
    expect(onError).toHaveBeenCalledWith(expect.any(TypeError), null)
  })

  it('refuses what a program hands over that is no TCP connection', () => {
    const onError = vi.fn()
    const handler = vi.fn()
    const server = createServer(handler)
    guardConnections(server, { onError })
    const stream = new PassThrough()
    expect(server.emit('connection', stream as unknown as Socket)).toBe(true)
    expect(server.emit('connection', new Socket().destroy())).toBe(true)
    expect(server.emit('connection', null as unknown as Socket)).toBe(true)
    expect(stream.destroyed).toBe(true)
    expect(handler).not.toHaveBeenCalled()
    expect(onError).toHaveBeenCalledTimes(2)
  })

  it('closes after the grace, and admits nobody meanwhile', async () => {
    const { port, guarded } = await start(createServer())
    const client = await dial(port)
    await vi.waitFor(() => expect(guarded.connections).toBe(1))
    await Promise.all([guarded.close({ graceMs: 50 }), closed(client)])
    expect(guarded.connections).toBe(0)
    await guarded.close()
  })
})

describe('a guarded server of node:tls', () => {
  const tlsServer = () =>
    createTlsServer({ cert: site.certPem, key: site.keyPem }, (socket) =>
      socket
        .on('error', () => {})
        .resume()
        .end('hello'),
    )

  it('serves whom its guards accept', async () => {
    const { port, guarded } = await start(tlsServer(), { guards: [new ConnectionLimiter()] })
    expect((await visit(port)).text).toBe('hello')
    await vi.waitFor(() => expect(guarded.connections).toBe(0))
  })

  it('sends a client that is refused not one byte, and begins no handshake', async () => {
    const server = tlsServer()
    const errors = vi.fn()
    server.on('tlsClientError', errors)
    const { port } = await start(server, { guards: [nobody] })
    const client = await dial(port)
    const data = vi.fn()
    client.on('data', data).write(Buffer.from([22, 3, 1, 0, 5, 1, 0, 0, 1, 0]))
    await closed(client)
    expect(await visit(port)).toMatchObject({ text: '', server: null })
    expect(data).not.toHaveBeenCalled()
    // With the socket destroyed by a listener instead, there would be one for each: Node had begun a handshake.
    expect(errors).not.toHaveBeenCalled()
  })

  it.each([
    ['that says nothing', Buffer.alloc(0)],
    ['that says half a hello', Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252])],
  ])('cuts off a client %s at the deadline', async (_, bytes) => {
    const server = tlsServer()
    const errors = vi.fn()
    server.on('tlsClientError', errors)
    const { port, guarded } = await start(server, { handshakeTimeoutMs: 100 })
    const client = await dial(port)
    client.write(bytes)
    await closed(client)
    await vi.waitFor(() => expect(guarded.connections).toBe(0))
    await vi.waitFor(() => expect(errors).toHaveBeenCalledTimes(1))
  })

  it('has no deadline once the handshake is done', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const server = createTlsServer({ cert: site.certPem, key: site.keyPem }, (socket) => {
      socket.on('error', () => {})
      vi.advanceTimersByTime(60_000)
      setImmediate(() => socket.end('late'))
    })
    const { port } = await start(server, { handshakeTimeoutMs: 400 })
    expect((await visit(port)).text).toBe('late')
  })

  it('gives every place back, whenever a client leaves', async () => {
    const limiter = new ConnectionLimiter({ maxPerAddress: 1000 })
    const hello = Buffer.concat([Buffer.from([22, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3]), Buffer.alloc(250, 7)])
    const { port, guarded } = await start(tlsServer(), { guards: [limiter], handshakeTimeoutMs: 2 ** 31 - 1 })
    for (const cut of [0, 1, 5, 20, hello.length]) {
      for (const leave of ['resetAndDestroy', 'end', 'destroy'] as const) {
        const client = await dial(port)
        client.write(hello.subarray(0, cut))
        client[leave]()
      }
    }
    await vi.waitFor(() => expect(guarded.connections).toBe(0))
    expect(limiter.counts).toMatchObject({ open: 0, clients: 0 })
    expect((await visit(port)).text).toBe('hello')
  })
})

describe('mistakes of the program', () => {
  it('are refused', async () => {
    expect(() => guardConnections(createServer(), { proxyProtocol: { trusted: ['::1'] } } as never)).toThrow(
      /"proxyProtocol" is for createServer and createPlaintextServer/,
    )
    expect(() => guardConnections(createServer(), { handshakeTimeoutMs: 5 })).toThrow(/no option "handshakeTimeoutMs"/)
    expect(() => guardConnections(createTlsServer(), { handshakeTimeoutMs: 0 })).toThrow(/"handshakeTimeoutMs"/)
    expect(() => guardConnections(createServer(), { maxConnection: 1 } as never)).toThrow(/no option "maxConnection"/)
    expect(() => guardConnections(createServer(), { maxConnections: 0 })).toThrow(RangeError)
    for (const server of [null, {}, 'server', new Socket()]) {
      expect(() => guardConnections(server as never)).toThrow(/"server" expected a server/)
    }
    const listens = createServer()
    listens.listen(0, '127.0.0.1')
    await once(listens, 'listening')
    expect(() => guardConnections(listens)).toThrow(/"server" listens already/)
    listens.close()
  })
})
