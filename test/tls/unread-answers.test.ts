// A client that never reads its answer is cut off, and is no more a fault of the program than one that leaves: however
// many do so, they must not fill a log that nobody has asked for. One that reads slowly is another matter.
//
// When anything happens is not asserted, only what comes before what.

import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createPlaintextServer } from '../../src/net/plaintext-server.ts'
import { KINDS_OF_SERVER, type Limits, type RunningServer, type StreamHandler } from '../support/kinds-of-server.ts'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

describe.each(KINDS_OF_SERVER)('$name', (kind) => {
  const start = async (handler: StreamHandler, limits: Limits): Promise<RunningServer> => {
    const server = await kind.start(handler, limits)
    cleanUps.push(() => server.close())
    return server
  }

  const dialTcp = async (port: number): Promise<Socket> => {
    const socket = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true })
    cleanUps.push(() => socket.destroy())
    socket.on('error', () => {}).pause()
    await once(socket, 'connect')
    return socket
  }

  /** A client that reads nothing of its own accord, and keeps its side open. */
  const dial = async ({ port }: RunningServer): Promise<Socket> => {
    const socket = await dialTcp(port)
    if (!kind.tls) return socket
    const client = connectTls({ socket, rejectUnauthorized: false })
    cleanUps.push(() => client.destroy())
    client.on('error', () => {}).pause()
    await once(client, 'secureConnect')
    return client
  }

  it('cuts off a client that never reads, and warns of nothing', async () => {
    const warned = vi.fn()
    process.on('warning', warned)
    cleanUps.push(() => process.off('warning', warned))
    let failure: unknown = null
    const server = await start(
      (stream) =>
        pipeline(endless(), stream).catch((error) => {
          failure = error
          throw error
        }),
      { idleTimeoutMs: 200 },
    )
    await dial(server)
    await vi.waitFor(() => expect(failure).toBeInstanceOf(Error), { timeout: 20_000 })
    await vi.waitFor(() => expect(server.connections).toBe(0), { timeout: 20_000 })
    // A warning is told in a later turn.
    await setImmediate()
    await setImmediate()
    expect(warned).not.toHaveBeenCalled()
  })

  // Node's own timeout waits for a second period if the system had taken a part of what is on its way.
  it.each<[string, StreamHandler]>([
    ['is written in pieces', (stream) => void pipeline(endless(), stream).catch(() => {})],
    ['is written at once and ended', (stream) => void stream.end(LONG)],
  ])('waits for one period and not two, if an answer that nobody reads %s', async (_how, answer) => {
    const over: string[] = []
    const server = await start(
      (stream) => {
        stream.once('close', () => over.push('unread'))
        answer(stream)
      },
      { idleTimeoutMs: 1000 },
    )
    // What else is quiet from the same moment on may stay nearly twice as long.
    const patient = createPlaintextServer(({ stream }) => stream.once('close', () => over.push('the other')), {
      idleTimeoutMs: 1800,
    })
    cleanUps.push(() => patient.close({ graceMs: 0 }))
    const { port } = await patient.listen(0, '127.0.0.1')
    await dial(server)
    await dialTcp(port)
    await vi.waitFor(() => expect(over).toHaveLength(2), { timeout: 20_000 })
    expect(over).toEqual(['unread', 'the other'])
    await vi.waitFor(() => expect(server.connections).toBe(0), { timeout: 20_000 })
  })

  // Node's own timeout does not see what TLS writes below a socket, and sees one write of any length as one.
  it('lets a client read one long answer that takes longer than a period, while others are cut off', async () => {
    const over: string[] = []
    const server = await start((stream) => stream.end(LONG), { idleTimeoutMs: 1000 })
    const silent = await dialTcp(server.port)
    silent.resume().once('close', () => over.push('silent'))
    silent.once('end', () => silent.destroy())
    const client = await dial(server)
    client.once('close', () => over.push('reader'))
    expect(await readSlowly(client)).toBe(LONG.length)
    client.destroy()
    await vi.waitFor(() => expect(over).toEqual(['silent', 'reader']), { timeout: 20_000 })
  }, 60_000)

  // There the system has taken everything, the end included: nothing waits for the client any more but its connection.
  it('closes the connection of a client that neither reads a short answer nor ends its side', async () => {
    const ended = vi.fn()
    const server = await start(
      (stream) => {
        stream.once('finish', ended)
        stream.end('20 text/plain\r\nhello\n')
      },
      kind.drains ? {} : { idleTimeoutMs: 500 },
    )
    await dial(server)
    await vi.waitFor(() => expect(ended).toHaveBeenCalled(), { timeout: 20_000 })
    await vi.waitFor(() => expect(server.connections).toBe(0), { timeout: 20_000 })
  })
})

// More than sender and receiver keep for a client that does not read.
const LONG = Buffer.alloc(40 * 2 ** 20)

function endless(): Readable {
  return new Readable({
    read(size) {
      this.push(Buffer.alloc(size))
    },
  })
}

/**
 * Sixteen bytes a microsecond, until the end or the close: how many there were. Who has fallen behind catches up, since the
 * system takes the next bytes for a client only when about a megabyte of the earlier ones has been read.
 */
async function readSlowly(client: Socket): Promise<number> {
  const began = performance.now()
  let bytes = 0
  client.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    const aheadMs = bytes / 16_000 - (performance.now() - began)
    if (aheadMs < 5) return
    client.pause()
    setTimeout(() => client.resume(), aheadMs)
  })
  client.resume()
  await new Promise<void>((resolve) => {
    client.once('end', resolve).once('close', () => resolve())
  })
  return bytes
}
