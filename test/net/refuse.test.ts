import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import * as tls from 'node:tls'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { refuse } from '../../src/net/refuse.ts'
import { testCertificate } from '../support/certificates.ts'

const STATUS = '51 not found\r\n'

/** Two ends of one TCP connection: what the server got, and a client in its own hands. */
interface Ends {
  readonly socket: Socket
  readonly client: Socket
}

const closers: (() => void)[] = []
beforeEach(() => {
  closers.length = 0
})
afterEach(() => {
  vi.useRealTimers()
  for (const close of closers) close()
})

async function ends(): Promise<Ends> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no address')
  const client = connect({ port: address.port, host: '127.0.0.1', allowHalfOpen: true })
  const [socket] = (await once(server, 'connection')) as [Socket]
  closers.push(() => {
    client.destroy()
    socket.destroy()
    server.close()
  })
  return { socket, client }
}

async function readAll(stream: AsyncIterable<unknown>): Promise<string> {
  let text = ''
  for await (const chunk of stream) text += String(chunk)
  return text
}

describe('refuse', () => {
  it('writes the status line and closes', async () => {
    const { socket, client } = await ends()
    const refused = refuse({ stream: socket }, STATUS)
    expect(await readAll(client)).toBe(STATUS)
    client.end()
    await refused
    expect(socket.destroyed).toBe(true)
  })

  it('lets a client read the status that it has not looked for until its upload was sent', async () => {
    const { socket, client } = await ends()
    client.on('error', () => {})
    // The client writes all of its body first, in one go, and reads only then.
    const body = Buffer.alloc(900_000, 'b')
    const refused = refuse({ stream: socket }, STATUS)
    await new Promise((resolve) => client.write(body, resolve))
    client.end()
    expect(await readAll(client)).toBe(STATUS)
    await refused
  })

  it('destroys the connection of a client that neither ends nor sends, when the time is over', async () => {
    const { socket } = await ends()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const refused = refuse({ stream: socket }, STATUS)
    await vi.advanceTimersByTimeAsync(999)
    expect(socket.destroyed).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(socket.destroyed).toBe(true)
    vi.useRealTimers()
    await refused
  })

  it('destroys the connection of a client that sends without end, after so many bytes', async () => {
    const { socket, client } = await ends()
    client.on('error', () => {})
    const chunk = Buffer.alloc(65_536)
    const send = (): boolean => client.write(chunk, () => client.destroyed || send())
    send()
    await refuse({ stream: socket }, STATUS, { drainBytes: 200_000, drainMs: 60_000 })
    expect(socket.bytesRead).toBeGreaterThan(200_000)
    expect(socket.bytesRead).toBeLessThan(200_000 + 2 * 65_536)
  })

  it('destroys the connection of a client that does not read, when the time is over', async () => {
    const { socket } = await ends()
    const long = 'x'.repeat(20_000_000)
    await refuse({ stream: socket }, long, { drainMs: 20 })
    expect(socket.destroyed).toBe(true)
  })

  it('takes off what it put on, when the connection is closed', async () => {
    const { socket, client } = await ends()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const before = ['data', 'error', 'close', 'finish'].map((event) => socket.listenerCount(event))
    const refused = refuse({ stream: socket }, STATUS)
    client.resume().end()
    await refused
    expect(['data', 'error', 'close', 'finish'].map((event) => socket.listenerCount(event))).toEqual(before)
    expect(vi.getTimerCount()).toBe(0)
  })

  it.each([
    ['is destroyed', (socket: Socket) => socket.destroy()],
    ['has failed', (socket: Socket) => socket.once('error', () => {}).destroy(new Error('gone'))],
    ['has been ended', (socket: Socket) => socket.end('20 ok\r\n')],
    ['ends its side first', (_: Socket, client: Socket) => client.end()],
    ['is reset by the client', (_: Socket, client: Socket) => client.resetAndDestroy()],
  ])('does not mind a connection that %s', async (_, act) => {
    const { socket, client } = await ends()
    act(socket, client)
    await refuse({ stream: socket }, STATUS, { drainMs: 50 })
    expect(socket.destroyed).toBe(true)
    await refuse({ stream: socket }, STATUS)
  })

  it('does not mind a reset while it waits', async () => {
    const { socket, client } = await ends()
    const refused = refuse({ stream: socket }, STATUS, { drainMs: 60_000 })
    await once(client, 'data')
    client.resetAndDestroy()
    await refused
  })

  it('delivers all of a long status to a client that has ended its side', async () => {
    const { socket, client } = await ends()
    client.end()
    await once(socket.resume(), 'end')
    const long = 'x'.repeat(5_000_000)
    const refused = refuse({ stream: socket }, long, { drainMs: 10_000 })
    expect((await readAll(client)).length).toBe(long.length)
    await refused
  })

  it('can be called twice for one connection', async () => {
    const { socket, client } = await ends()
    const both = [refuse({ stream: socket }, STATUS), refuse({ stream: socket }, STATUS)]
    expect(await readAll(client)).toBe(STATUS)
    client.end()
    await Promise.all(both)
  })

  it('destroys the connection if the program has no status line', async () => {
    const stream = new PassThrough()
    // @ts-expect-error: a reason that is missing in a table
    await expect(refuse({ stream }, undefined)).rejects.toThrow(TypeError)
    expect(stream.destroyed).toBe(true)
  })

  it.each([{ drainMs: 0 }, { drainMs: Number.NaN }, { drainBytes: -1 }, { drainBytes: Number.POSITIVE_INFINITY }])(
    'refuses %o',
    async (limits) => {
      await expect(refuse({ stream: new PassThrough() }, STATUS, limits)).rejects.toThrow(RangeError)
    },
  )
})

describe('refuse over TLS', () => {
  it('says close_notify before the end of the stream', async () => {
    const { certPem, keyPem } = await testCertificate()
    // Somebody in the middle writes down what the server sends.
    const [outer, inner] = [await ends(), await ends()]
    const fromServer: Buffer[] = []
    inner.client.on('data', (chunk: Buffer) => fromServer.push(chunk)).pipe(outer.socket)
    outer.socket.pipe(inner.client)
    // TLS 1.2, because its alerts can be told from other records without a key.
    const secured = new tls.TLSSocket(inner.socket, {
      isServer: true,
      cert: certPem,
      key: keyPem,
      maxVersion: 'TLSv1.2',
    })
    const secureClient = tls.connect({ socket: outer.client, rejectUnauthorized: false })
    await once(secureClient, 'secureConnect')
    // The client is in the middle of an upload.
    secureClient.write(Buffer.alloc(300_000))
    await refuse({ stream: secured }, STATUS)
    expect(await readAll(secureClient)).toBe(STATUS)
    expect(lastRecordType(Buffer.concat(fromServer))).toBe(ALERT)
  })
})

const ALERT = 21

/** The type of the last TLS record (RFC 5246 section 6.2.1: type, version, length, fragment). */
function lastRecordType(bytes: Buffer): number | undefined {
  let type: number | undefined
  for (let at = 0; at + 5 <= bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) type = bytes[at]
  return type
}
