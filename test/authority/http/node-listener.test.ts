import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { AuthorityHandler, AuthorityRequestContext } from '../../../src/authority/http/handler.ts'
import { nodeListener } from '../../../src/authority/http/node-listener.ts'
import { deferred } from '../../../src/internal/deferred.ts'
import { testCertificate } from '../../support/certificates.ts'
import { afterTest, ask, onPort, onUnixSocket, parseAnswer, raw } from './sockets.ts'

interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly context: AuthorityRequestContext | undefined
}

/** A handler that answers by what it has seen, and the list of that. */
function mirror() {
  const seen: Seen[] = []
  const handler: AuthorityHandler = async (request, context) => {
    const { method, url } = request
    seen.push({ method, url, headers: Object.fromEntries(request.headers), body: await request.text(), context })
    return new Response('seen', { headers: { 'content-type': 'text/plain' } })
  }
  return { seen, listener: nodeListener(handler) }
}

/** A handler that says no before it has read anything. */
const refuse: AuthorityHandler = async () => new Response('no', { status: 415 })

const put = (body: string, headers = ''): string =>
  `PUT /api/csr/f00d HTTP/1.1\r\nHost: ca\r\nConnection: close\r\nContent-Length: ${body.length}\r\n${headers}\r\n${body}`

/** Sends a request, waits until it is being answered, and resets the connection. */
const RESETTING_CLIENT = `
  const { connect } = require('node:net')
  const { port, sent, gone, text } = require('node:worker_threads').workerData
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  socket.write(text, () => {
    Atomics.wait(sent, 0, 0)
    socket.resetAndDestroy().on('close', () => {
      Atomics.store(gone, 0, 1)
      Atomics.notify(gone, 0)
    })
  })
`

/** Looks every few milliseconds until something is so. */
async function until(isSo: () => boolean, everyMs = 5): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, everyMs))
}

/** `once` would reject at the reset that many of these clients get. */
const closed = (socket: Socket): Promise<void> => new Promise((resolve) => socket.once('close', () => resolve()))

describe('nodeListener', () => {
  it('passes on method, path, headers, body and address', async () => {
    const { seen, listener } = mirror()
    const answer = await ask(await onPort(listener), put('hello', 'X-A: 1\r\nX-A: 2\r\n'))
    expect(answer).toMatchObject({ status: 200, body: 'seen', headers: { 'content-length': '4' } })
    expect(seen).toMatchObject([
      {
        method: 'PUT',
        url: 'http://localhost/api/csr/f00d',
        body: 'hello',
        context: { address: '127.0.0.1', peer: null },
      },
    ])
    expect(seen[0]?.headers['x-a']).toBe('1, 2')
  })

  it('says "unix" for the address of a Unix socket', async () => {
    const { seen, listener } = mirror()
    await ask(await onUnixSocket(listener), put('hello'))
    expect(seen).toMatchObject([{ body: 'hello', context: { address: 'unix' } }])
  })

  it.each([
    ['byte by byte', (text: string) => [...text]],
    ['in two halves', (text: string) => [text.slice(0, text.length >> 1), text.slice(text.length >> 1)]],
  ])('takes a request that comes %s', async (_how, split) => {
    const { seen, listener } = mirror()
    expect(await ask(await onPort(listener), split(put('hello')))).toMatchObject({ status: 200 })
    expect(seen).toMatchObject([{ body: 'hello' }])
  })

  it('takes a body in chunks', async () => {
    const { seen, listener } = mirror()
    const head = 'PUT /api/csr/f00d HTTP/1.1\r\nHost: ca\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n'
    await ask(await onPort(listener), [head, '3\r\nhel\r\n', '2;ext=1\r\nlo\r\n', '0\r\nX-Trailer: 1\r\n\r\n'])
    expect(seen).toMatchObject([{ body: 'hello' }])
    expect(seen[0]?.headers).not.toHaveProperty('x-trailer')
  })

  it.each([
    ['/api/csr/../csr/f00d'],
    ['/x/%2e%2e/api/csr/f00d'],
    ['/api/csr/./f00d'],
    ['//api/csr/f00d/..'],
    ['/api\\csr/f00d'],
    ['/crl#part'],
    ['http://other/crl'],
    ['*'],
  ])('refuses %s, which means something else than it says', async (target) => {
    const { seen, listener } = mirror()
    const answer = await ask(
      await onPort(listener),
      `OPTIONS ${target} HTTP/1.1\r\nHost: ca\r\nConnection: close\r\n\r\n`,
    )
    expect(answer).toMatchObject({ status: 400, headers: { 'content-type': 'application/problem+json' } })
    expect(seen).toEqual([])
  })

  it.each([
    ['a path that starts with two slashes', '//other/crl'],
    ['an encoded slash', '/api/csr/a%2Fb'],
    ['a query', '/crl?from=here'],
  ])('leaves %s as it is', async (_what, target) => {
    const { seen, listener } = mirror()
    await ask(await onPort(listener), `GET ${target} HTTP/1.1\r\nHost: ca\r\nConnection: close\r\n\r\n`)
    expect(seen).toMatchObject([{ url: `http://localhost${target}` }])
  })

  it('answers TRACE itself, which web-standard requests do not know', async () => {
    const { seen, listener } = mirror()
    const answer = await ask(await onPort(listener), 'TRACE /crl HTTP/1.1\r\nHost: ca\r\nConnection: close\r\n\r\n')
    expect(answer.status).toBe(405)
    expect(seen).toEqual([])
  })

  it.each([
    ['two lengths', 'Content-Length: 5\r\nContent-Length: 4\r\n'],
    ['two lengths that agree', 'Content-Length: 5\r\nContent-Length: 5\r\n'],
    ['a length beside chunks', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'],
    ['a list of lengths', 'Content-Length: 5, 5\r\n'],
    ['a length below 0', 'Content-Length: -5\r\n'],
    ['a length with a sign', 'Content-Length: +5\r\n'],
    ['an unknown transfer encoding', 'Transfer-Encoding: chunked, identity\r\n'],
    ['a header that is folded', 'X-A: 1\r\n 2\r\nContent-Length: 5\r\n'],
    ['a space before the colon', 'Content-Length : 5\r\n'],
  ])('lets Node refuse %s', async (_what, headers) => {
    const { seen, listener } = mirror()
    const answer = await ask(await onPort(listener), `PUT /api/csr/f00d HTTP/1.1\r\nHost: ca\r\n${headers}\r\nhello`)
    expect(answer.status).toBe(400)
    expect(seen.map(({ body }) => body).filter((body) => body === 'hello')).toEqual([])
  })

  it('lets a client wait for 100 Continue, and refuses other expectations', async () => {
    const { seen, listener } = mirror()
    const place = await onPort(listener)
    const answered = await raw(place, put('hello', 'Expect: 100-continue\r\n'))
    expect(answered).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/)
    expect(await ask(place, put('hello', 'Expect: cookies\r\n'))).toMatchObject({ status: 417 })
    expect(seen).toHaveLength(1)
  })

  it('sends no body to HEAD, and keeps the length that it was told', async () => {
    const handler: AuthorityHandler = async () => new Response(null, { headers: { 'content-length': '321' } })
    const place = await onPort(nodeListener(handler))
    const answer = await ask(place, 'HEAD /crl HTTP/1.1\r\nHost: ca\r\nConnection: close\r\n\r\n')
    expect(answer).toMatchObject({ status: 200, body: '', headers: { 'content-length': '321' } })
  })

  it.each([204, 304])('sends no length with %i', async (status) => {
    const place = await onPort(nodeListener(async () => new Response(null, { status })))
    const answer = await ask(place, 'GET /crl HTTP/1.1\r\nHost: ca\r\nConnection: close\r\n\r\n')
    expect(answer).toMatchObject({ status, body: '' })
    expect(answer.headers).not.toHaveProperty('content-length')
  })

  it('serves one request after the other on a connection, also after a body that nobody wanted', async () => {
    const bodies: string[] = []
    const handler: AuthorityHandler = async (request) => {
      if (request.headers.has('x-refuse')) return new Response('no', { status: 403 })
      bodies.push(await request.text())
      return new Response('yes')
    }
    const place = await onPort(nodeListener(handler))
    const first = put('unwanted', 'X-Refuse: 1\r\n').replace('Connection: close\r\n', '')
    const answers = (await raw(place, first + put('second'))).split(/(?=HTTP\/1\.1 )/).map(parseAnswer)
    expect(answers.map(({ status }) => status)).toEqual([403, 200])
    expect(bodies).toEqual(['second'])
  })

  it('reads the next request also after a body of which only a part was wanted', async () => {
    const handler: AuthorityHandler = async (request) => {
      const reader = request.body?.getReader()
      const first = await reader?.read()
      await reader?.cancel()
      return new Response(`${(first?.value?.length ?? 0) > 0}`)
    }
    const place = await onPort(nodeListener(handler))
    const head = 'PUT /api/csr/f00d HTTP/1.1\r\nHost: ca\r\nTransfer-Encoding: chunked\r\n\r\n'
    const first = `${head}${`2710\r\n${'x'.repeat(10_000)}\r\n`.repeat(5)}0\r\n\r\n`
    const answers = (await raw(place, [first, put('second')])).split(/(?=HTTP\/1\.1 )/).map(parseAnswer)
    expect(answers.map(({ body }) => body)).toEqual(['true', 'true'])
  })

  it('lets a client finish a large upload, and read only then why it is refused', async () => {
    const socket = connect(await onPort(nodeListener(refuse)))
    const errors: Error[] = []
    const write = (data: string | Uint8Array): Promise<void> =>
      new Promise((resolve) => socket.write(data, () => resolve()))
    socket.on('error', (error) => errors.push(error))
    await write('PUT /api/csr/f00d HTTP/1.1\r\nHost: ca\r\nContent-Length: 900000\r\n\r\n')
    // The answer is there, and whoever gets a reset now loses it.
    await once(socket, 'readable')
    await write(Buffer.alloc(400_000))
    await write(Buffer.alloc(500_000))
    let text = ''
    socket.setEncoding('latin1').on('data', (part: string) => {
      text += part
    })
    await closed(socket)
    expect(errors).toEqual([])
    expect(parseAnswer(text)).toMatchObject({ status: 415, body: 'no', headers: { connection: 'close' } })
  })

  it('does not listen to an upload without end', async () => {
    const place = await onPort(nodeListener(refuse))
    const socket = connect(place).on('error', () => {})
    socket.write('PUT /api/csr/f00d HTTP/1.1\r\nHost: ca\r\nTransfer-Encoding: chunked\r\n\r\n')
    let sent = 0
    const pump = (): void => {
      while (!socket.destroyed && socket.write(`10000\r\n${'x'.repeat(65_536)}\r\n`)) sent += 65_536
    }
    socket.on('drain', pump)
    pump()
    socket.resume()
    await closed(socket)
    // What is dropped, and what was in the buffers between us.
    expect(sent).toBeLessThan(30_000_000)
  })

  it('closes the connection of a client that stalls in an upload which is refused', async () => {
    const place = await onPort(nodeListener(refuse))
    const started = performance.now()
    const answer = await ask(place, 'PUT /api/csr/f00d HTTP/1.1\r\nHost: ca\r\nContent-Length: 100000\r\n\r\nslow')
    expect(answer).toMatchObject({ status: 415, headers: { connection: 'close' } })
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  it('cuts off a client that does not read its answer', async () => {
    const length = 50_000_000
    const listener = nodeListener(async () => new Response('x'.repeat(length)), { idleTimeoutMs: 50 })
    const { promise: gone, resolve } = deferred<void>()
    const place = await onPort((message, response) => {
      response.once('close', resolve)
      listener(message, response)
    })
    const socket = connect(place).on('error', () => {})
    socket.write('GET /crl HTTP/1.1\r\nHost: ca\r\n\r\n')
    await gone
    // Only what was on its way is left to be read.
    let received = 0
    socket.on('data', (chunk: Uint8Array) => {
      received += chunk.length
    })
    await closed(socket)
    expect(received).toBeLessThan(length)
  })

  describe.each([['HTTP'], ['HTTPS']] as const)('with %s', (scheme) => {
    const IDLE_MS = 60_000
    const LENGTH = 40_000_000

    beforeEach(() => {
      vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    })
    afterEach(() => {
      vi.useRealTimers()
    })

    /** A client that has asked for a long answer, and reads of it what it is told to. */
    async function slowReader() {
      const answers: ServerResponse[] = []
      const listener = nodeListener(async () => new Response(new Uint8Array(LENGTH)), { idleTimeoutMs: IDLE_MS })
      const site = await testCertificate()
      const server = scheme === 'HTTP' ? createServer() : createTlsServer({ cert: site.certPem, key: site.keyPem })
      const wires: Socket[] = []
      server.on('connection', (socket: Socket) => wires.push(socket))
      const place = await onPort((message, response) => {
        answers.push(response)
        listener(message, response)
      }, server)
      const options = { ...place, rejectUnauthorized: false }
      const socket: Socket = scheme === 'HTTP' ? connect(place) : connectTls(options)
      afterTest(() => socket.destroy())
      let received = 0
      socket
        .on('error', () => {})
        .on('data', (chunk: Uint8Array) => {
          received += chunk.length
        })
      socket.write('GET /crl HTTP/1.1\r\nHost: ca\r\n\r\n')
      socket.pause()
      const waiting = (): unknown => Reflect.get(Reflect.get(wires[0] ?? {}, '_handle') ?? {}, 'writeQueueSize')
      return {
        answers,
        /** Reads up to so many bytes in all. */
        async readTo(bytes: number) {
          socket.resume()
          await until(() => received >= bytes)
          socket.pause()
        },
        /** Waits until the system takes no more. */
        async stalled() {
          let before: unknown = null
          await until(() => {
            const now = waiting()
            const isSame = typeof now === 'number' && now > 0 && now === before
            before = now
            return isSame
          }, 50)
        },
      }
    }

    it('cuts off a client that never reads when the time is up, and not later', async () => {
      const { answers, stalled } = await slowReader()
      await stalled()
      vi.advanceTimersByTime(IDLE_MS - 1)
      expect(answers.map(({ destroyed }) => destroyed)).toEqual([false])
      vi.advanceTimersByTime(IDLE_MS / 8)
      expect(answers.map(({ destroyed }) => destroyed)).toEqual([true])
      await until(() => vi.getTimerCount() === 0)
    })

    it('lets a client take as long as it likes for an answer of which it reads some now and then', async () => {
      const { answers, stalled, readTo } = await slowReader()
      for (const bytes of [8_000_000, 16_000_000, 24_000_000]) {
        await stalled()
        vi.advanceTimersByTime(IDLE_MS - 1)
        await readTo(bytes)
      }
      expect(answers.map(({ destroyed }) => destroyed)).toEqual([false])
      await readTo(LENGTH)
      await until(() => answers[0]?.writableFinished === true && vi.getTimerCount() === 0)
    })
  })

  it('does not count the time that an answer waits for the one before it', async () => {
    const { promise: first, resolve } = deferred<void>()
    const { promise: second, resolve: done } = deferred<void>()
    const handler: AuthorityHandler = async (request) => {
      if (request.url.endsWith('/slow')) await first
      else done()
      return new Response('yes')
    }
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    try {
      const place = await onPort(nodeListener(handler, { idleTimeoutMs: 1000 }))
      const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: ca\r\n`
      const answers = raw(place, `${get('/slow')}\r\n${get('/fast')}Connection: close\r\n\r\n`)
      await second
      await new Promise((done) => setTimeout(done, 20))
      vi.advanceTimersByTime(10_000)
      resolve()
      expect((await answers).split(/(?=HTTP\/1\.1 )/).map((each) => parseAnswer(each).status)).toEqual([200, 200])
    } finally {
      vi.useRealTimers()
    }
  })

  it('answers 500 when the handler breaks its promise, and says nothing of why', async () => {
    const handler: AuthorityHandler = () => {
      throw new Error('secret')
    }
    const text = await raw(await onPort(nodeListener(handler)), put(''))
    expect(text).toContain('HTTP/1.1 500')
    expect(text).not.toContain('secret')
  })

  it.each<[string, Response]>([
    [
      'whose body fails',
      new Response(new ReadableStream({ pull: (controller) => controller.error(new Error('secret')) })),
    ],
    [
      'with a header that cannot be sent',
      Object.defineProperty(new Response('yes'), 'headers', { value: [['a b', 'secret']] }),
    ],
  ])('closes the connection for an answer %s, and sends nothing', async (_what, made) => {
    const place = await onPort(nodeListener(async () => made))
    expect(await raw(place, put(''))).toBe('')
  })

  it('tells nobody of a connection that breaks under its answer', async () => {
    const { listener } = mirror()
    const place = await onPort((message, response) => {
      listener(message, response)
      expect(response.emit('error', new Error('write EPIPE'))).toBe(true)
    })
    expect(await ask(place, put('hello'))).toMatchObject({ status: 200 })
  })

  it('survives a client that goes away at any byte of its request', async () => {
    const { listener } = mirror()
    const place = await onPort(listener)
    const text = put('hello')
    for (let length = 0; length <= text.length; length += 3) {
      const socket = connect(place).on('error', () => {})
      await once(socket, 'connect')
      socket.write(text.slice(0, length), () => socket.resetAndDestroy())
      await closed(socket)
    }
    expect(await ask(place, text)).toMatchObject({ status: 200 })
  })

  it('fails a body that ends before its length', async () => {
    const failed: string[] = []
    const handler: AuthorityHandler = async (request) => {
      await request.text().catch((error: Error) => failed.push(error.message))
      return new Response('no', { status: 400 })
    }
    const socket = connect(await onPort(nodeListener(handler))).on('error', () => {})
    socket.end('PUT /api/csr/f00d HTTP/1.1\r\nHost: ca\r\nContent-Length: 100\r\n\r\nhalf')
    socket.resume()
    await closed(socket)
    expect(failed).toHaveLength(1)
  })

  it('fails a body of a client that went away before anybody read it', async () => {
    const failed: unknown[] = []
    const { promise: gone, resolve: leave } = deferred<void>()
    const { promise: answered, resolve: done } = deferred<void>()
    const listener = nodeListener(async (request) => {
      await gone
      await request.text().catch((error: unknown) => failed.push(error))
      done()
      return new Response('no', { status: 400 })
    })
    const place = await onPort((message, response) => {
      message.on('error', () => {}).once('close', leave)
      listener(message, response)
    })
    const socket = connect(place).on('error', () => {})
    socket.write('PUT /api/csr/f00d HTTP/1.1\r\nHost: ca\r\nContent-Length: 100\r\n\r\nhalf', () => socket.destroy())
    await answered
    expect(failed).toEqual([new Error('the client went away')])
  })

  it('does not take a client that has gone for one on a Unix socket', async () => {
    const addresses: unknown[] = []
    const listener = nodeListener(async (_request, context) => {
      addresses.push(context?.address)
      return new Response('yes')
    })
    const [sent, gone] = [new Int32Array(new SharedArrayBuffer(4)), new Int32Array(new SharedArrayBuffer(4))]
    const { promise: served, resolve } = deferred<void>()
    const { port } = await onPort((message, response) => {
      // While this thread waits, the client in the other one resets the connection. Node has not heard of it yet.
      Atomics.store(sent, 0, 1)
      Atomics.notify(sent, 0)
      expect(Atomics.wait(gone, 0, 0, 10_000)).not.toBe('timed-out')
      expect([message.socket.destroyed, message.socket.remoteAddress]).toEqual([false, undefined])
      listener(message, response)
      message.socket.destroy()
      listener(message, response)
      resolve()
    })
    const client = new Worker(RESETTING_CLIENT, { eval: true, workerData: { port, sent, gone, text: put('hello') } })
    await served
    await client.terminate()
    expect(addresses).toEqual([undefined])
  })

  it.each([
    ['no handler', () => nodeListener(undefined as unknown as AuthorityHandler)],
    ['a peerOf that is no function', () => nodeListener(refuse, { peerOf: 1 as unknown as () => null })],
    ['an option that it does not know', () => nodeListener(refuse, { peer: null } as object)],
  ])('refuses %s', (_what, make) => {
    expect(make).toThrow(TypeError)
  })

  it.each([0, 0.5, 2 ** 31])('refuses an idle timeout of %d', (idleTimeoutMs) => {
    expect(() => nodeListener(refuse, { idleTimeoutMs })).toThrow(RangeError)
  })
})
