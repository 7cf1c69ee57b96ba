// Many clients that say nothing, and many that say it one byte at a time: none of them outlives its deadline, and nobody
// else notices. What is asserted are ends and counts; how long anything takes is not.

import { once } from 'node:events'
import { connect as connectTcp, createServer as createTcpServer, type Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ConnectionLimiter } from '../../src/middleware/connection-limiter.ts'
import type { ClientAddress } from '../../src/names/client-address.ts'
import { guardConnections } from '../../src/net/guard-connections.ts'
import { createPlaintextServer } from '../../src/net/plaintext-server.ts'
import { readRequest } from '../../src/net/read-request.ts'
import { refuse } from '../../src/net/refuse.ts'
import type { ServerConnection } from '../../src/net/server-connection.ts'
import { createSecureServer } from '../../src/tls/secure-server.ts'
import { createServer, type ServerOptions } from '../../src/tls/server.ts'
import { createServerContext } from '../../src/tls/server-context.ts'
import { forgeCertificate } from '../support/forged-certificates.ts'
import { visit } from '../support/tls-clients.ts'
import { listening } from '../support/tls-server.ts'

const site = forgeCertificate({ hosts: ['example.org'] })
const IDLE = 1000
const DRIPPING = 200

// Long enough that all the slow ones are there before the first of them is cut off.
const DEADLINE_MS = 5000

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

async function answer(connection: Pick<ServerConnection, 'stream'>): Promise<void> {
  const reading = await readRequest(connection.stream, { timeoutMs: DEADLINE_MS })
  if (reading.kind !== 'request') return refuse(connection, `59 ${reading.kind}\r\n`)
  connection.stream.end(`20 ${reading.line}\r\n`)
}

interface Running {
  readonly port: number
  readonly tls: boolean
  open(): number
}

async function contextFor() {
  return createServerContext({ certificates: [{ cert: site.certPem, key: site.keyPem }] })
}

const KINDS: [string, (options: ServerOptions) => Promise<Running>][] = [
  [
    'createPlaintextServer',
    async ({ handshakeTimeoutMs: _, ...options }) => {
      const server = createPlaintextServer(answer, options)
      cleanUps.push(() => server.close({ graceMs: 0 }))
      return { port: (await server.listen(0, '127.0.0.1')).port, tls: false, open: () => server.connections }
    },
  ],
  ...([createServer, createSecureServer] as const).map((create): (typeof KINDS)[number] => [
    create.name,
    async (options) => {
      const server = create(await contextFor(), answer, options)
      cleanUps.push(() => server.close({ graceMs: 0 }))
      return { port: (await server.listen(0, '127.0.0.1')).port, tls: true, open: () => server.connections }
    },
  ]),
  [
    'guardConnections before a server of node:tls',
    async (options) => {
      const server = createTlsServer({ cert: site.certPem, key: site.keyPem }, (stream) => {
        stream.on('error', () => {})
        void answer({ stream })
      })
      const guarded = guardConnections(server, options)
      cleanUps.push(() => guarded.close({ graceMs: 0 }))
      return { port: await listening(server), tls: true, open: () => guarded.connections }
    },
  ],
]

function follow<Client extends Socket>(client: Client): Client {
  client.on('error', () => {})
  cleanUps.push(() => client.destroy())
  return client
}

describe.each(KINDS)('%s', (_name, start) => {
  it('cuts off a thousand idle clients and two hundred that drip, and serves another one throughout', async () => {
    const limiter = new ConnectionLimiter({ maxPerAddress: 5000 })
    const addresses: WeakRef<ClientAddress>[] = []
    const watch = {
      opened: (address: ClientAddress) => {
        addresses.push(new WeakRef(address))
        return { accept: true }
      },
    }
    const server = await start({
      maxConnections: 5000,
      handshakeTimeoutMs: DEADLINE_MS,
      idleTimeoutMs: 2 * DEADLINE_MS,
      guards: [limiter, watch],
    })
    const before = openSockets()

    let gone = 0
    const told: string[] = []
    const count = (client: Socket): void => {
      let text = ''
      client.on('data', (chunk) => {
        text += chunk
      })
      client.once('close', () => {
        gone++
        if (text !== '') told.push(text)
      })
      client.once('end', () => client.end())
    }
    const clients: Socket[] = []
    const join = async (client: Socket): Promise<void> => {
      count(client)
      clients.push(client)
      // Not more at once than the queue of a listening socket holds: the system forgets who is too many, and never says so.
      while (clients.length - addresses.length > 100) await new Promise((resolve) => setImmediate(resolve))
    }
    for (let i = 0; i < IDLE; i++) await join(follow(connectTcp(server.port, '127.0.0.1')))

    // Half of them drip a hello (or a request, without TLS), half a request.
    const drips: (() => void)[] = []
    const hello = server.tls ? await recordedHello() : Buffer.alloc(1000, 'x')
    const line = 'x'.repeat(1000)
    for (let i = 0; i < DRIPPING; i++) {
      const client = i % 2 === 1 && server.tls ? dialTls(server.port) : follow(connectTcp(server.port, '127.0.0.1'))
      await join(client)
      const bytes = i % 2 === 0 ? hello : Buffer.from(line)
      let sent = 0
      drips.push(() => {
        if (client.writable && !client.connecting && sent < bytes.length) client.write(bytes.subarray(sent, ++sent))
      })
    }
    const dripping = setInterval(() => {
      for (const drip of drips) drip()
    }, 50)
    cleanUps.push(() => clearInterval(dripping))

    let served = 0
    let most = 0
    while (gone < clients.length) {
      most = Math.max(most, server.open())
      expect(await ask(server)).toBe('20 hello\r\n')
      served++
    }
    clearInterval(dripping)

    expect(most).toBeGreaterThan(IDLE / 2)
    expect(served).toBeGreaterThan(1)
    // Whoever got as far as a request was told why it was not answered; the others got nothing.
    const lines = new Set(told.filter((text) => text.startsWith('59')))
    expect([...lines]).toEqual(['59 timeout\r\n'])
    await vi.waitFor(() => expect(server.open()).toBe(0), 10_000)
    expect(limiter.counts).toMatchObject({ open: 0, clients: 0 })
    await vi.waitFor(() => expect(openSockets()).toBeLessThanOrEqual(before), 10_000)

    // Nothing of a connection is kept: not even the address that its guards were told.
    expect(addresses.length).toBeGreaterThan(clients.length)
    clients.length = 0
    drips.length = 0
    cleanUps.splice(1)
    await vi.waitFor(() => {
      collectGarbage()
      expect(addresses.filter((address) => address.deref() !== undefined).length).toBeLessThan(10)
    }, 10_000)
  }, 90_000)

  it('serves clients again once those who took all places are cut off', async () => {
    const server = await start({ maxConnections: 20, handshakeTimeoutMs: 300, idleTimeoutMs: 300 })
    for (let i = 0; i < 20; i++) follow(connectTcp(server.port, '127.0.0.1')).resume()
    await vi.waitFor(() => expect(server.open()).toBe(20))
    await vi.waitFor(async () => expect(await ask(server)).toBe('20 hello\r\n'), 10_000)
  })
})

/** One request of a client that does as it should. */
async function ask(server: Running): Promise<string> {
  if (server.tls) return (await visit(server.port)).text
  const client = follow(connectTcp(server.port, '127.0.0.1'))
  let text = ''
  client.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  client.write('hello\r\n')
  await new Promise((resolve) => client.once('close', resolve))
  return text
}

function dialTls(port: number): TLSSocket {
  return follow(connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }))
}

async function recordedHello(): Promise<Buffer> {
  const sink = createTcpServer()
  const port = await listening(sink)
  const client = connectTls({ port, host: '127.0.0.1' }).on('error', () => {})
  const [socket] = await once(sink, 'connection')
  const [hello] = await once(socket, 'data')
  client.destroy()
  socket.destroy()
  sink.close()
  return hello
}

function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name.startsWith('TCPSocket')).length
}

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')
