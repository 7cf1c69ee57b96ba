// Clients that reset the connection right behind their request, so that what the server's TLS writes by itself is what
// fails. The answer then waits for ever in Node's TLS, and without an error; it must not keep the connection's place.

import { EventEmitter } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { readRequest } from '../../src/net/read-request.ts'
import { LostWrites } from '../../src/tls/lost-writes.ts'
import { KINDS_OF_SERVER } from '../support/kinds-of-server.ts'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

function visit(port: number): { readonly socket: Socket; readonly stream: TLSSocket } {
  const socket = connectTcp({ port, host: '127.0.0.1', noDelay: true })
  const stream = connectTls({ socket, rejectUnauthorized: false, servername: 'example.org' })
  socket.on('error', () => {})
  stream.on('error', () => {})
  return { socket, stream }
}

function askAndReset(port: number): Promise<void> {
  const { socket, stream } = visit(port)
  stream.once('secureConnect', () => {
    stream.write('gemini://example.org/\r\n')
    socket.resetAndDestroy()
  })
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

describe.each(KINDS_OF_SERVER.filter(({ tls }) => tls))('$name', ({ start }) => {
  it('keeps nobody who was gone before the answer, though nothing says that it is lost', {
    timeout: 60_000,
  }, async () => {
    let answers = 0
    const running = await start(async (stream) => {
      await readRequest(stream)
      answers++
      stream.on('error', () => {})
      stream.write('20 text/gemini\r\n')
      stream.end('hello\n')
    }, {})
    cleanUps.push(() => running.close())
    for (let n = 0; n < 10; n++) await Promise.all(Array.from({ length: 4 }, () => askAndReset(running.port)))
    await vi.waitFor(() => expect(running.connections).toBe(0), { timeout: 20_000, interval: 100 })
    expect(answers).toBeGreaterThan(0)
  })

  it('waits for somebody who is there and reads nothing for some seconds', { timeout: 60_000 }, async () => {
    const answer = Buffer.alloc(8 * 2 ** 20, 'a')
    const running = await start(async (stream) => {
      await readRequest(stream)
      stream.end(answer)
    }, {})
    cleanUps.push(() => running.close())
    const { stream } = visit(running.port)
    stream.write('gemini://example.org/\r\n')
    await wait(3500)
    expect((await text(stream)).length).toBe(answer.length)
  })
})

describe('a write', () => {
  function stuck(changes: { readonly stream?: object; readonly socket?: object }) {
    vi.useFakeTimers()
    const stream = Object.assign(new EventEmitter(), {
      writableLength: 24,
      writableCorked: 0,
      destroy: vi.fn(),
      ...changes.stream,
    })
    const socket = { bytesRead: 500, bytesWritten: 900, _handle: { writeQueueSize: 0 }, ...changes.socket }
    const lost = new LostWrites()
    lost.watch(stream as unknown as TLSSocket, socket as unknown as Socket)
    return { stream, socket }
  }

  it('that waits although nothing waits below is lost, and ends the connection as Node should have', () => {
    const { stream } = stuck({})
    vi.advanceTimersByTime(1000)
    expect(stream.destroy).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1000)
    expect(stream.destroy).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code: 'ECONNRESET' }))
    stream.emit('close')
    expect(vi.getTimerCount()).toBe(0)
  })

  it.each([
    ['there is none', { stream: { writableLength: 0 } }],
    ['the program holds it back', { stream: { writableCorked: 1 } }],
    ['the system has not taken what is below', { socket: { _handle: { writeQueueSize: 7 } } }],
    ['nobody tells what is below', { socket: { _handle: {} } }],
    ['the connection is closed', { socket: { _handle: null } }],
  ])('is not lost where %s', (_, changes) => {
    const { stream } = stuck(changes)
    vi.advanceTimersByTime(10_000)
    expect(stream.destroy).not.toHaveBeenCalled()
  })

  it.each(['bytesRead', 'bytesWritten'] as const)('is not lost while %s rises', (count) => {
    const { stream, socket } = stuck({})
    for (let n = 0; n < 10; n++) {
      socket[count]++
      vi.advanceTimersByTime(1000)
    }
    expect(stream.destroy).not.toHaveBeenCalled()
  })
})
