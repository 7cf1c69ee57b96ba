import { once } from 'node:events'
import { type FileHandle, open } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { ConnectionGuard } from '../../src/net/connection-guard.ts'
import type { ConnectionHandler, ConnectionLimits } from '../../src/net/connection-limits.ts'
import type { Listener } from '../../src/net/listener.ts'
import { createPlaintextServer } from '../../src/net/plaintext-server.ts'
import { readRequest } from '../../src/net/read-request.ts'
import { refuse } from '../../src/net/refuse.ts'
import type { ServerConnection } from '../../src/net/server-connection.ts'

const servers: Listener[] = []
const clients: Socket[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const client of clients.splice(0)) client.destroy()
  await Promise.all(servers.splice(0).map((server) => server.close({ graceMs: 0 })))
})

async function start(handler: ConnectionHandler, options?: ConnectionLimits, host = '127.0.0.1'): Promise<Listener> {
  const server = createPlaintextServer(handler, options)
  servers.push(server)
  await server.listen(0, host)
  return server
}

function dial(server: Listener, host = '127.0.0.1'): Socket {
  const client = connect({ port: server.address()?.port ?? 0, host, allowHalfOpen: true })
  client.on('error', () => {})
  clients.push(client)
  return client
}

async function readAll(client: Socket): Promise<string> {
  let text = ''
  client.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  await new Promise((resolve) => client.once('end', resolve).once('close', resolve))
  return text
}

const echo: ConnectionHandler = async ({ stream }) => {
  const reading = await readRequest(stream)
  stream.end(reading.kind === 'request' ? `2 ${reading.line}\r\n` : `4 ${reading.kind}\r\n`)
}

describe('createPlaintextServer', () => {
  it('answers a request', async () => {
    const server = await start(echo)
    const client = dial(server)
    client.write('example.org / 0\r\n')
    expect(await readAll(client)).toBe('2 example.org / 0\r\n')
  })

  it('answers a client that ends its side with the request', async () => {
    const server = await start(async (connection) => {
      await readRequest(connection.stream)
      await once(connection.stream.resume(), 'end')
      await new Promise((resolve) => setImmediate(resolve))
      connection.stream.end('2 late\r\n')
    })
    const client = dial(server)
    client.end('example.org / 0\r\n')
    expect(await readAll(client)).toBe('2 late\r\n')
  })

  it('describes the connection, with an IPv4 client as one on a listener for both families', async () => {
    const seen: ServerConnection[] = []
    const server = await start((connection) => seen.push(connection), {}, '::')
    for (const host of ['127.0.0.1', '::1']) await once(dial(server, host), 'connect')
    await vi.waitFor(() => expect(seen).toHaveLength(2))
    expect(seen.map(({ address }) => address.toString()).sort()).toEqual(['127.0.0.1', '::1'])
    for (const connection of seen) expect(connection).toMatchObject({ peer: null, serverName: null })
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('mine')
      },
    ],
    [
      'rejects',
      async () => {
        throw new Error('mine')
      },
    ],
    [
      'rejects later',
      async () => {
        await new Promise((resolve) => setImmediate(resolve))
        throw new Error('mine')
      },
    ],
  ] as [string, ConnectionHandler][])('survives a handler that %s, and reports it', async (_, handler) => {
    const errors: unknown[] = []
    const onError = vi.fn((error: unknown, connection: ServerConnection | null) => {
      errors.push(error)
      expect(connection?.stream.destroyed).toBe(true)
    })
    const server = await start(handler, { onError })
    for (let i = 0; i < 3; i++) expect(await readAll(dial(server))).toBe('')
    expect(errors).toEqual([new Error('mine'), new Error('mine'), new Error('mine')])
    await vi.waitFor(() => expect(server.connections).toBe(0))
  })

  it('survives a listener for errors that fails itself', async () => {
    const server = await start(
      () => {
        throw new Error('mine')
      },
      {
        onError: async () => {
          throw new Error('also mine')
        },
      },
    )
    for (let i = 0; i < 2; i++) expect(await readAll(dial(server))).toBe('')
  })

  it('warns of a handler that fails if nobody wants to know', async () => {
    const warning = once(process, 'warning')
    const server = await start(() => {
      throw new Error('unheard')
    })
    dial(server)
    expect(String((await warning)[0])).toContain('unheard')
  })

  it('survives clients that reset, before and after the answer', async () => {
    const onError = vi.fn()
    const server = await start(echo, { onError })
    for (const text of ['', 'example.org', 'example.org / 0\r\n', 'a\r\nb']) {
      const client = dial(server)
      await once(client, 'connect')
      client.write(text)
      client.resetAndDestroy()
    }
    const client = dial(server)
    client.write('still here\r\n')
    expect(await readAll(client)).toBe('2 still here\r\n')
    client.end()
    await vi.waitFor(() => expect(server.connections).toBe(0))
    expect(onError).not.toHaveBeenCalled()
  })

  it('is silent, and leaves no file open, where the client has left before it was answered', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    onTestFinished(() => warned.mockRestore())
    let file: FileHandle | undefined
    const server = await start(async ({ stream }) => {
      await using opened = await open(fileURLToPath(import.meta.url))
      file = opened
      if (!stream.destroyed) await once(stream, 'close')
      await pipeline(opened.createReadStream(), stream)
    })
    const client = dial(server)
    await once(client, 'connect')
    await vi.waitFor(() => expect(file?.fd).toBeGreaterThan(0))
    client.resetAndDestroy()
    await vi.waitFor(() => expect(file?.fd).toBe(-1))
    expect(warned).not.toHaveBeenCalled()
  })

  it('closes a connection whose client never ends and whose body nobody reads', async () => {
    const server = await start(echo)
    const client = dial(server)
    client.write(`example.org /up 9\r\n${'b'.repeat(100_000)}`)
    expect(await readAll(client)).toBe('2 example.org /up 9\r\n')
    await vi.waitFor(() => expect(server.connections).toBe(0), { timeout: 5000 })
  })

  it('passes an upload on while it answers nothing yet', async () => {
    const server = await start(async ({ stream }) => {
      const reading = await readRequest(stream)
      if (reading.kind !== 'request') return
      if (reading.rest.length > 0) stream.unshift(reading.rest)
      let size = 0
      stream.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size === 900_000) stream.end('2 thanks\r\n')
      })
    })
    const client = dial(server)
    client.write(`example.org /up 900000\r\n${'b'.repeat(900_000)}`)
    expect(await readAll(client)).toBe('2 thanks\r\n')
  })

  it('destroys a connection that is idle for too long, but no other', async () => {
    const server = await start(({ stream }) => stream.resume(), { idleTimeoutMs: 150 })
    const [idle, busy] = [dial(server), dial(server)]
    const closed: Socket[] = []
    idle.resume().once('close', () => closed.push(idle))
    idle.once('end', () => idle.destroy())
    busy.resume().once('end', () => busy.destroy())
    const beat = setInterval(() => busy.write('.'), 20)
    await vi.waitFor(() => expect(closed).toEqual([idle]))
    expect(busy.destroyed).toBe(false)
    clearInterval(beat)
    await once(busy, 'close')
  })

  it('does not cut off a client that it could not listen to meanwhile', async () => {
    const server = await start(({ stream }) => stream.pipe(stream), { idleTimeoutMs: 400 })
    const client = dial(server)
    client.write('a')
    expect(String((await once(client, 'data'))[0])).toBe('a')
    // The whole process stands still, as on a machine that was suspended.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000)
    client.write('b')
    expect(String((await once(client, 'data'))[0])).toBe('b')
  })

  it('lets a client that does not read its answer wait for so long only', async () => {
    const endless = () =>
      new Readable({
        read(size) {
          this.push(Buffer.alloc(size))
        },
      })
    const server = await start(({ stream }) => endless().pipe(stream), { idleTimeoutMs: 100 })
    const client = dial(server)
    await once(client, 'connect')
    client.pause()
    await vi.waitFor(() => expect(server.connections).toBe(1))
    await vi.waitFor(() => expect(server.connections).toBe(0), { timeout: 5000 })
  })

  it('refuses from within', async () => {
    const server = await start((connection) => refuse(connection, '4 no\r\n'))
    const client = dial(server)
    client.write('b'.repeat(100_000))
    expect(await readAll(client)).toBe('4 no\r\n')
    client.end()
    await vi.waitFor(() => expect(server.connections).toBe(0))
  })
})

describe('maxConnections', () => {
  it('closes one connection too many as soon as it opens, and only that', async () => {
    const handler = vi.fn(echo)
    const server = await start(handler, { maxConnections: 2 })
    const [first, second] = [dial(server), dial(server)]
    await vi.waitFor(() => expect(server.connections).toBe(2))
    expect(await readAll(dial(server))).toBe('')
    expect(handler).toHaveBeenCalledTimes(2)

    first.end('one\r\n')
    expect(await readAll(first)).toBe('2 one\r\n')
    await vi.waitFor(() => expect(server.connections).toBe(1))
    const fourth = dial(server)
    fourth.end('four\r\n')
    expect(await readAll(fourth)).toBe('2 four\r\n')
    second.destroy()
  })
})

describe('guards', () => {
  /** A guard that lets so many connections be open, and remembers what it was told. */
  function limit(max: number): ConnectionGuard & { open: number; calls: string[] } {
    return {
      open: 0,
      calls: [],
      opened(address) {
        this.calls.push(`opened ${address}`)
        if (this.open >= max) return { accept: false }
        this.open++
        return { accept: true }
      },
      closed(address) {
        this.calls.push(`closed ${address}`)
        this.open--
      },
    }
  }

  it('decide before the handler sees the connection, and hear of its end once', async () => {
    const guard = limit(1)
    const handler = vi.fn(echo)
    const server = await start(handler, { guards: [guard] })
    const client = dial(server)
    await vi.waitFor(() => expect(handler).toHaveBeenCalledTimes(1))
    expect(await readAll(dial(server))).toBe('')
    expect(handler).toHaveBeenCalledTimes(1)
    client.end('a\r\n')
    expect(await readAll(client)).toBe('2 a\r\n')
    await vi.waitFor(() => expect(guard.open).toBe(0))
    expect(guard.calls).toEqual(['opened 127.0.0.1', 'opened 127.0.0.1', 'closed 127.0.0.1'])
  })

  it('that accepted hear of the end when a later one refuses', async () => {
    const [first, second, third] = [limit(9), limit(0), limit(9)]
    const server = await start(echo, { guards: [first, second, third] })
    expect(await readAll(dial(server))).toBe('')
    await vi.waitFor(() => expect(first.calls).toEqual(['opened 127.0.0.1', 'closed 127.0.0.1']))
    expect(second.calls).toEqual(['opened 127.0.0.1'])
    expect(third.calls).toEqual([])
    expect(server.connections).toBe(0)
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('mine')
      },
      1,
    ],
    ['answers nothing', () => undefined, 1],
    ['answers true', () => true, 0],
    ['answers with a promise', async () => ({ accept: true }), 1],
    ['answers with something that is only like true', () => ({ accept: 1 }), 0],
  ])('that %s have refused', async (_, opened, reports) => {
    const onError = vi.fn()
    const handler = vi.fn(echo)
    // @ts-expect-error: what a guard in plain JavaScript may answer
    const server = await start(handler, { guards: [{ opened }], onError })
    expect(await readAll(dial(server))).toBe('')
    expect(handler).not.toHaveBeenCalled()
    expect(onError).toHaveBeenCalledTimes(reports)
  })

  it('that fail at the end of a connection are reported, and the others still hear of it', async () => {
    const onError = vi.fn()
    const failing: ConnectionGuard = {
      opened: () => ({ accept: true }),
      closed() {
        throw new Error('mine')
      },
    }
    const other = limit(9)
    const server = await start(echo, { guards: [failing, other], onError })
    const client = dial(server)
    client.end('a\r\n')
    await readAll(client)
    await vi.waitFor(() => expect(other.open).toBe(0))
    expect(onError).toHaveBeenCalledWith(new Error('mine'), null)
  })
})

describe('listen', () => {
  it('says where', async () => {
    const server = await start(echo)
    expect(server.address()).toEqual({ address: '127.0.0.1', port: expect.any(Number) })
    expect(createPlaintextServer(echo).address()).toBeNull()
  })

  it('rejects if the port is taken', async () => {
    const port = (await start(echo)).address()?.port ?? 0
    const second = createPlaintextServer(echo)
    const failure = expect.objectContaining({
      code: 'ERR_TLACACOCA_LISTEN_FAILED',
      cause: expect.objectContaining({ code: 'EADDRINUSE' }),
    })
    await expect(second.listen(port, '127.0.0.1')).rejects.toEqual(failure)
    // It can try again elsewhere.
    servers.push(second)
    expect((await second.listen(0, '127.0.0.1')).port).not.toBe(port)
    await expect(second.listen(0, '127.0.0.1')).rejects.toMatchObject({ code: 'ERR_TLACACOCA_LISTEN_FAILED' })
  })

  it.each([-1, 65536, 1.5, Number.NaN])('refuses port %s', async (port) => {
    await expect(createPlaintextServer(echo).listen(port)).rejects.toThrow(RangeError)
  })

  it('rejects after close, and if it is closed before it listened', async () => {
    const server = createPlaintextServer(echo)
    const listening = server.listen(0, 'localhost')
    const closed = server.close()
    await expect(listening).rejects.toMatchObject({ code: 'ERR_TLACACOCA_LISTEN_FAILED' })
    await closed
    await expect(server.listen(0, '127.0.0.1')).rejects.toMatchObject({ code: 'ERR_TLACACOCA_LISTEN_FAILED' })
    expect(server.address()).toBeNull()
  })
})

describe('close', () => {
  it('lets a running answer finish, and admits nobody meanwhile', async () => {
    let finish = (): void => {}
    const server = await start(({ stream }) => {
      finish = () => stream.end('2 done\r\n')
    })
    const client = dial(server)
    await vi.waitFor(() => expect(server.connections).toBe(1))
    const port = server.address()?.port ?? 0
    const closed = server.close({ graceMs: 60_000 })
    const late = connect(port, '127.0.0.1')
    expect(await once(late, 'error')).toMatchObject([{ code: 'ECONNREFUSED' }])
    finish()
    expect(await readAll(client)).toBe('2 done\r\n')
    client.end()
    await closed
    expect(server.connections).toBe(0)
  })

  it('destroys what is left after the grace', async () => {
    const server = await start(() => {})
    const client = dial(server)
    await vi.waitFor(() => expect(server.connections).toBe(1))
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const closed = server.close()
    await vi.advanceTimersByTimeAsync(999)
    expect(server.connections).toBe(1)
    await vi.advanceTimersByTimeAsync(1)
    vi.useRealTimers()
    await closed
    expect(server.connections).toBe(0)
    client.destroy()
  })

  it('can be called twice, before listening too, and by `await using`', async () => {
    const never = createPlaintextServer(echo)
    await Promise.all([never.close(), never.close()])
    const server = await start(() => {})
    dial(server)
    await vi.waitFor(() => expect(server.connections).toBe(1))
    await Promise.all([server.close({ graceMs: 60_000 }), server.close({ graceMs: 0 })])
    const disposed = await start(echo)
    await disposed[Symbol.asyncDispose]()
    expect(disposed.address()).toBeNull()
  })

  it.each([-1, Number.NaN, Number.POSITIVE_INFINITY])('refuses a grace of %s', async (graceMs) => {
    await expect(createPlaintextServer(echo).close({ graceMs })).rejects.toThrow(RangeError)
  })
})

it.each([
  { maxConnections: 0 },
  { maxConnections: Number.NaN },
  { idleTimeoutMs: 0 },
  { idleTimeoutMs: Number.POSITIVE_INFINITY },
  { guards: 'none' },
  { guards: [{}] },
  { guards: [undefined] },
  { onError: 'log' },
])('takes %o for a mistake of the program', (options) => {
  // @ts-expect-error: most of these do not compile
  expect(() => createPlaintextServer(echo, options)).toThrow(/"maxConn|"idle|"guards|"onError/)
})

it('refuses an option that does not exist, rather than serve without a limit', () => {
  expect(() => createPlaintextServer(() => {}, { maxConnection: 5 } as never)).toThrow(/no option "maxConnection"/)
})
