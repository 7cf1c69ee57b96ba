// TLS servers behind a proxy: the header stands before the handshake, and nobody but the proxy may bring one.

import { once } from 'node:events'
import { connect as connectTcp, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { AccessControl } from '../../src/middleware/access-control.ts'
import { ConnectionLimiter } from '../../src/middleware/connection-limiter.ts'
import type { ConnectionHandler } from '../../src/net/connection-limits.ts'
import type { Listener } from '../../src/net/listener.ts'
import { createSecureServer } from '../../src/tls/secure-server.ts'
import { createServer, type ServerEvent, type ServerOptions } from '../../src/tls/server.ts'
import { createServerContext } from '../../src/tls/server-context.ts'
import { forgeCertificate } from '../support/forged-certificates.ts'
import { binaryHeader, localHeader, textHeader, withChecksum } from '../support/proxy-headers.ts'
import { closed, rawClient, visit } from '../support/tls-clients.ts'
import { listening } from '../support/tls-server.ts'

const sites = ['example.org', 'example.net'].map((host) => forgeCertificate({ hosts: [host], commonName: host }))
const listeners: Listener[] = []
const proxies: Server[] = []
const sockets = new Set<Socket>()

afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  for (const proxy of proxies.splice(0)) proxy.close()
  await Promise.all(listeners.splice(0).map((listener) => listener.close({ graceMs: 0 })))
})

const KINDS = [
  ['createServer', createServer],
  ['createSecureServer', createSecureServer],
] as const
let create: (typeof KINDS)[number][1] = createServer

const describeClient: ConnectionHandler = ({ stream, address, proxy, peer, serverName }) => {
  const who = peer === null ? 'nobody' : peer.fingerprint
  stream.end(`${address} by ${proxy} for ${serverName}: ${who}`)
}

/** With one certificate the name in the hello need not be read before the handshake; with two it must. */
async function serve(options: ServerOptions, certificates = 1, handler = describeClient): Promise<[number, Listener]> {
  const context = await createServerContext({
    certificates: sites.slice(0, certificates).map(({ certPem, keyPem }) => ({ cert: certPem, key: keyPem })),
    clientCertificates: 'request',
  })
  const server = create(context, handler, options)
  listeners.push(server)
  return [(await server.listen(0, '127.0.0.1')).port, server]
}

/** A proxy that puts a header before each connection, and cuts what a client sends into pieces of one size. */
async function proxyTo(port: number, header: Buffer, pieceSize = 65_536): Promise<number> {
  const proxy = createTcpServer({ noDelay: true }, (client) => {
    const server = connectTcp({ port, host: '127.0.0.1', noDelay: true })
    for (const socket of [client, server]) {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    }
    server.on('close', () => client.destroy())
    client.on('close', () => server.destroy())
    server.pipe(client)
    const send = async (bytes: Buffer): Promise<void> => {
      for (let at = 0; at < bytes.length && server.writable; at += pieceSize) {
        await new Promise((resolve) => server.write(bytes.subarray(at, at + pieceSize), resolve))
      }
    }
    // The header goes together with the first bytes, if pieces are large enough.
    let before = header
    client.on('data', (chunk) => {
      client.pause()
      const bytes = Buffer.concat([before, chunk])
      before = Buffer.alloc(0)
      void send(bytes).then(() => client.resume())
    })
    client.on('end', () => server.end())
  })
  proxies.push(proxy)
  return listening(proxy)
}

const TRUSTED = { proxyProtocol: { trusted: ['127.0.0.1'] } }

describe.each(KINDS)('%s behind a proxy', (_name, made) => {
  beforeAll(() => {
    create = made
  })

  const mine = forgeCertificate({ commonName: 'ana' })

  describe.each([
    ['version 1', textHeader({ source: '2001:db8::7', destination: '2001:db8::1' }), '2001:db8::7'],
    ['version 2', withChecksum(binaryHeader()), '192.0.2.7'],
    ['LOCAL', localHeader(), '127.0.0.1'],
  ])('with headers of %s', (_, header, address) => {
    it.each([
      [1, 65_536],
      [2, 65_536],
      [1, 1],
      [2, 1],
      [2, header.length],
    ])('serves the client, with %i certificates and in pieces of %i', async (certificates, pieceSize) => {
      const [port, server] = await serve(TRUSTED, certificates)
      const through = await proxyTo(port, header, pieceSize)
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
        const options = { servername: 'example.org', minVersion: version, maxVersion: version }
        const { text, protocol } = await visit(through, { ...options, cert: mine.certPem, key: mine.keyPem })
        expect(text).toBe(`${address} by 127.0.0.1 for example.org: ${mine.certificate.fingerprint}`)
        expect(protocol).toBe(version)
      }
      await vi.waitFor(() => expect(server.connections).toBe(0))
    })
  })

  it('cuts off a client that comes directly, with a header and without', async () => {
    const reasons: string[] = []
    const onRefused: ServerOptions['onRefused'] = ({ address, reason }) => reasons.push(`${address} ${reason}`)
    const [port] = await serve({ proxyProtocol: { trusted: ['::1'] }, onRefused })
    expect(await visit(port)).toMatchObject({ text: '', server: null })
    expect(await visit(await proxyTo(port, binaryHeader()))).toMatchObject({ text: '', server: null })
    expect(reasons).toEqual(Array(2).fill('127.0.0.1 proxy_protocol'))
  })

  it('lets one come directly if it may, but not with a header', async () => {
    for (const certificates of [1, 2]) {
      const [port] = await serve({ proxyProtocol: { trusted: ['::1'], allowDirect: true } }, certificates)
      expect((await visit(port)).text).toBe('127.0.0.1 by null for null: nobody')
      for (const header of [textHeader(), binaryHeader()]) {
        expect(await visit(await proxyTo(port, header))).toMatchObject({ text: '', server: null })
      }
    }
  })

  it('cuts off a proxy that begins with TLS', async () => {
    const onRefused = vi.fn()
    const [port] = await serve({ ...TRUSTED, onRefused })
    expect(await visit(port)).toMatchObject({ text: '', server: null })
    expect(onRefused).toHaveBeenCalledTimes(1)
  })

  it('refuses a client by its own address before anything of the server is sent', async () => {
    const refused: string[] = []
    const [port] = await serve({
      ...TRUSTED,
      guards: [new AccessControl({ denyList: ['192.0.2.0/24'] })],
      onRefused: ({ address, proxy, guard }) => refused.push(`${address} by ${proxy}: ${guard}`),
    })
    expect(await visit(await proxyTo(port, binaryHeader()))).toMatchObject({ text: '', server: null })
    expect(refused).toEqual(['192.0.2.7 by 127.0.0.1: access_control'])
    expect((await visit(await proxyTo(port, binaryHeader({ source: '203.0.113.7' })))).text).toContain('203.0.113.7')
  })

  it('tells of handshakes that fail by the client’s address', async () => {
    const events: ServerEvent[] = []
    const [port] = await serve({ ...TRUSTED, onEvent: (event) => events.push(event) })
    const client = await rawClient(port)
    client.write(Buffer.concat([binaryHeader(), Buffer.from('GET / HTTP/1.1\r\n\r\n')]))
    await closed(client)
    await vi.waitFor(() => expect(events).toHaveLength(1))
    expect(`${events[0]?.address} by ${events[0]?.proxy}: ${events[0]?.reason}`).toBe('192.0.2.7 by 127.0.0.1: tls')
  })

  // What HAProxy does every few seconds to see whether the server is alive.
  it.each([
    ['ends', (socket: Socket) => void socket.end()],
    ['resets', (socket: Socket) => void socket.resetAndDestroy()],
  ])('gives the place of a proxy free that says that it is there, and %s', async (_, leave) => {
    for (const certificates of [1, 2]) {
      const events: ServerEvent[] = []
      const options = {
        ...TRUSTED,
        handshakeTimeoutMs: 2 ** 31 - 1,
        onEvent: (event: ServerEvent) => events.push(event),
      }
      const [port, server] = await serve(options, certificates)
      for (let turn = 0; turn < 10; turn++) {
        const socket = await rawClient(port)
        if (turn % 2 === 0) leave(socket)
        else socket.write(localHeader(), () => leave(socket))
      }
      const polite = await rawClient(port)
      polite.end(localHeader())
      await closed(polite)
      await vi.waitFor(() => expect(server.connections).toBe(0))
      for (const { reason } of events) expect(reason).toBe('closed')
    }
  })

  // A client that leaves at any moment, on purpose in the middle of what the server does with it.
  it.each([
    ['reset', (socket: Socket) => void socket.resetAndDestroy()],
    ['end', (socket: Socket) => void socket.end()],
    ['destroy', (socket: Socket) => void socket.destroy()],
  ])('counts nobody who has left: %s', async (_, leave) => {
    const limiter = new ConnectionLimiter({ maxPerAddress: 1000 })
    const guard = {
      opened: vi.fn((address) => limiter.opened(address)),
      closed: vi.fn((address) => limiter.closed(address)),
    }
    const onError = vi.fn()
    const bytes = Buffer.concat([binaryHeader(), await recordedHello()])
    for (const certificates of [1, 2]) {
      const options = { ...TRUSTED, guards: [guard], onError, handshakeTimeoutMs: 2 ** 31 - 1, maxConnections: 1000 }
      const [port, server] = await serve(options, certificates)
      const cuts = [0, 1, 15, 16, 27, 28, 29, 33, 34, 60, bytes.length - 1, bytes.length]
      for (const cut of cuts) {
        for (let wait = 0; wait < 3; wait++) {
          const socket = await rawClient(port)
          if (cut > 0) socket.write(bytes.subarray(0, cut))
          for (let turn = 0; turn < wait; turn++) await new Promise((resolve) => setImmediate(resolve))
          leave(socket)
        }
      }
      await vi.waitFor(() => expect(server.connections).toBe(0))
      expect(limiter.counts).toMatchObject({ open: 0, clients: 0 })
      expect((await visit(await proxyTo(port, binaryHeader()))).text).toContain('192.0.2.7')
      await vi.waitFor(() => expect(limiter.open).toBe(0))
    }
    expect(guard.closed).toHaveBeenCalledTimes(guard.opened.mock.calls.length)
    expect(onError).not.toHaveBeenCalled()
  })
})

/** The first flight of a client, as it is on the wire. */
async function recordedHello(): Promise<Buffer> {
  const sink = createTcpServer()
  const port = await listening(sink)
  const hello = new Promise<Buffer>((resolve) => {
    sink.once('connection', (socket) => {
      socket.on('error', () => {})
      void once(socket, 'data').then(([bytes]) => {
        socket.destroy()
        resolve(bytes)
      })
    })
  })
  await visit(port, { servername: 'example.org' })
  sink.close()
  return hello
}
