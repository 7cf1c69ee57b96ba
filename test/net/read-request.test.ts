import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { Duplex, PassThrough, Readable } from 'node:stream'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { readRequest } from '../../src/net/read-request.ts'

afterEach(() => vi.useRealTimers())

/** The ways in which bytes can arrive: all at once, one by one, cut in two at every place. */
function arrivals(bytes: Buffer): Buffer[][] {
  const cuts = Array.from({ length: bytes.length - 1 }, (_, i) => [bytes.subarray(0, i + 1), bytes.subarray(i + 1)])
  return [[bytes], Array.from(bytes, (octet) => Buffer.from([octet])), ...cuts]
}

/** A stream that gives one chunk in each turn of the event loop and then stays open. */
function streamOf(chunks: readonly (Buffer | string)[]): PassThrough {
  const stream = new PassThrough()
  void (async () => {
    for (const chunk of chunks) {
      stream.write(chunk)
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  return stream
}

const EVENTS = ['readable', 'data', 'end', 'close', 'error', 'finish']
const listeners = (stream: Readable): number[] => EVENTS.map((event) => stream.listenerCount(event))

describe('readRequest', () => {
  it.each([
    ['gemini://example.org/\r\n', 'gemini://example.org/'],
    ['gemini://bücher.example/ü\r\n', 'gemini://bücher.example/ü'],
    ['\r\n', ''],
    ['a\tb\x1b\r\n', 'a\tb\x1b'],
    ['\ufeffgemini://example.org/\r\n', '\ufeffgemini://example.org/'],
  ])('reads %j in whatever pieces it arrives', async (text, line) => {
    for (const chunks of arrivals(Buffer.from(text))) {
      const reading = await readRequest(streamOf(chunks))
      expect(reading).toEqual({ kind: 'request', line, rest: Buffer.alloc(0) })
    }
  })

  it.each([
    ['a CR alone', 'gemini://example.org/\rx'],
    ['two CRs', 'gemini://example.org/\r\r\n'],
    ['an LF alone', 'gemini://example.org/\n'],
    ['an LF before a line end', 'gemini://example.org/\nx\r\n'],
    ['an LF first', '\nx'],
    ['a NUL', 'gemini://example.org/\0\r\n'],
    ['a NUL before the line is complete', '\0'],
  ])('calls %s a bad request, in whatever pieces it arrives', async (_, text) => {
    for (const chunks of arrivals(Buffer.from(`${text}x`))) {
      expect(await readRequest(streamOf(chunks))).toEqual({ kind: 'bad_request' })
    }
  })

  it.each([
    ['a lone octet', [0xff]],
    ['overlong UTF-8', [0xc0, 0xaf]],
    ['an encoded surrogate', [0xed, 0xa0, 0x80]],
    ['half a character', [0xc3]],
    ['a character above U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
  ])('calls %s a bad request', async (_, octets) => {
    const text = Buffer.concat([Buffer.from('gemini://example.org/'), Buffer.from(octets), Buffer.from('\r\n')])
    for (const chunks of arrivals(text)) expect(await readRequest(streamOf(chunks))).toEqual({ kind: 'bad_request' })
  })

  it('counts bytes without the line end: 1,024 pass and 1,025 do not', async () => {
    for (const full of ['a'.repeat(1024), 'ü'.repeat(512)]) {
      expect(await readRequest(streamOf([`${full}\r\n`]))).toMatchObject({ kind: 'request', line: full })
      expect(await readRequest(streamOf([full, '\r', '\n']))).toMatchObject({ kind: 'request', line: full })
      expect(await readRequest(streamOf([`a${full}\r\n`]))).toEqual({ kind: 'too_large' })
    }
    expect(await readRequest(streamOf(['abcd\r\n']), { maxBytes: 3 })).toEqual({ kind: 'too_large' })
  })

  it('does not wait for the end of a line that is too long already', async () => {
    expect(await readRequest(streamOf(['a'.repeat(1025)]))).toEqual({ kind: 'too_large' })
  })

  it('takes little more than the limit from somebody who sends without end', async () => {
    let taken = 0
    const endless = new Readable({
      read(size) {
        taken += size
        this.push(Buffer.alloc(size, 'a'))
      },
    })
    expect(await readRequest(endless)).toEqual({ kind: 'too_large' })
    expect(taken).toBeLessThanOrEqual(4 * endless.readableHighWaterMark)
  })

  it('hands back what arrived behind the line, and leaves the rest in the stream', async () => {
    const text = Buffer.from('example.org / 10\r\n0123\r\n\0\xff')
    for (const chunks of arrivals(text)) {
      const stream = streamOf(chunks)
      const reading = await readRequest(stream)
      if (reading.kind !== 'request') throw new Error(reading.kind)
      expect(stream.readableFlowing).not.toBe(true)
      if (reading.rest.length > 0) stream.unshift(reading.rest)
      const body: Buffer[] = []
      stream.on('data', (chunk: Buffer) => body.push(chunk))
      while (Buffer.concat(body).length < text.length - 18) await new Promise((resolve) => setImmediate(resolve))
      expect(Buffer.concat(body)).toEqual(text.subarray(18))
    }
  })

  it('can be called again for the line that follows', async () => {
    const stream = streamOf(['one\r\ntw', 'o\r\n'])
    const first = await readRequest(stream)
    expect(first).toMatchObject({ kind: 'request', line: 'one' })
    if (first.kind === 'request') stream.unshift(first.rest)
    expect(await readRequest(stream)).toMatchObject({ kind: 'request', line: 'two' })
  })

  it('reads what arrived before it was called', async () => {
    const stream = new PassThrough()
    stream.end('early\r\nbody')
    await new Promise((resolve) => setImmediate(resolve))
    expect(await readRequest(stream)).toMatchObject({ kind: 'request', line: 'early', rest: Buffer.from('body') })
  })

  it('reads a request whose client has ended its side', async () => {
    expect(await readRequest(Readable.from([Buffer.from('last\r\n')]))).toMatchObject({ kind: 'request', line: 'last' })
  })

  it.each(['', 'gemini://exam', 'gemini://example.org/\r'])(
    'calls a stream that ends after %j closed',
    async (text) => {
      const stream = new PassThrough()
      stream.end(text)
      expect(await readRequest(stream)).toEqual({ kind: 'closed', error: null })
      // Asked again, it has no event left to wait for.
      expect(await readRequest(stream)).toEqual({ kind: 'closed', error: null })
    },
  )

  it('calls a stream that fails or is destroyed closed', async () => {
    const error = new Error('reset')
    const failing = new PassThrough()
    const reading = readRequest(failing)
    failing.destroy(error)
    expect(await reading).toEqual({ kind: 'closed', error })
    expect(await readRequest(failing)).toEqual({ kind: 'closed', error })

    const destroyed = new PassThrough()
    const other = readRequest(destroyed)
    destroyed.destroy()
    expect(await other).toEqual({ kind: 'closed', error: null })
  })

  it('gives a silent client the time it has, and not a millisecond more', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const reading = readRequest(new PassThrough())
    await vi.advanceTimersByTimeAsync(9_999)
    expect(await Promise.race([reading, 'waiting'])).toBe('waiting')
    await vi.advanceTimersByTimeAsync(1)
    expect(await reading).toEqual({ kind: 'timeout' })
  })

  it('gives a client that sends a byte now and then no more time', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const stream = new PassThrough()
    const reading = readRequest(stream, { timeoutMs: 1000 })
    for (let i = 0; i < 10; i++) {
      stream.write('a')
      await vi.advanceTimersByTimeAsync(99)
    }
    expect(await Promise.race([reading, 'waiting'])).toBe('waiting')
    await vi.advanceTimersByTimeAsync(10)
    expect(await reading).toEqual({ kind: 'timeout' })
    expect(stream.destroyed).toBe(false)
  })

  it('leaves no listener and no timer behind, whatever came of it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    for (const [text, end] of [
      ['ok\r\n'],
      ['bad\n'],
      ['x'.repeat(2000)],
      ['part', 'end'],
      ['part', 'error'],
      ['part'],
    ]) {
      const stream = new PassThrough()
      stream.on('error', () => {})
      const before = listeners(stream)
      const reading = readRequest(stream)
      stream.write(text)
      if (end === 'end') stream.end()
      if (end === 'error') stream.destroy(new Error('reset'))
      await vi.advanceTimersByTimeAsync(10_000)
      await reading
      expect(listeners(stream)).toEqual(before)
      expect(vi.getTimerCount()).toBe(0)
    }
  })

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('refuses %s as a limit', async (limit) => {
    await expect(readRequest(new PassThrough(), { maxBytes: limit })).rejects.toThrow(RangeError)
    await expect(readRequest(new PassThrough(), { timeoutMs: limit })).rejects.toThrow(RangeError)
  })

  it('refuses a stream that gives no bytes', async () => {
    const text = new PassThrough({ encoding: 'utf8' })
    text.write('gemini://example.org/\r\n')
    await expect(readRequest(text)).rejects.toThrow(TypeError)
  })

  it('reads from a socket, and lets a body follow through a pipe', async () => {
    const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no address')
    const client = connect(address.port, '127.0.0.1')
    const [socket] = (await once(server, 'connection')) as [Socket]
    const body = Buffer.alloc(300_000, 'b')
    client.write('example.org /up 300000\r\n')
    client.end(body)
    const reading = await readRequest(socket)
    if (reading.kind !== 'request') throw new Error(reading.kind)
    if (reading.rest.length > 0) socket.unshift(reading.rest)
    const received: Buffer[] = []
    for await (const chunk of socket) received.push(chunk as Buffer)
    expect(Buffer.concat(received).equals(body)).toBe(true)
    socket.end()
    client.resume()
    await once(client, 'close')
    server.close()
  })

  it('reads from any duplex stream', async () => {
    const stream = Duplex.from({
      readable: Readable.from([Buffer.from('a\r'), Buffer.from('\nb')]),
      writable: new PassThrough(),
    })
    expect(await readRequest(stream)).toMatchObject({ kind: 'request', line: 'a', rest: Buffer.from('b') })
  })
})
