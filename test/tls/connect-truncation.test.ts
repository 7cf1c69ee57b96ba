// The end of the stream is the server's, or it is an error: whoever is on the path can end a connection, but cannot say
// that it is finished.

import { createWriteStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import type { TLSSocket } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { endpointFrom } from '../../src/names/endpoint.ts'
import { connect } from '../../src/tls/connect.ts'
import { dangerouslyAcceptAny } from '../../src/tls/verifiers/dangerously-accept-any.ts'
import { byteProxy, type Tampering } from '../support/byte-proxy.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { testServer } from '../support/tls-server.ts'

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const
const TRUNCATED = { code: 'ERR_TLACACOCA_TRUNCATED' }
// Two pieces, and so two records of data before the close_notify.
const FIRST = 'a'.repeat(1000)
const SECOND = 'b'.repeat(1000)
const BIG = 'c'.repeat(3_000_000)

/** A sink that takes its time, and what it got. */
function slowSink() {
  const got = { text: '' }
  const sink = new Writable({
    highWaterMark: 1,
    write(chunk, _encoding, callback) {
      got.text += chunk
      setImmediate(() => setImmediate(callback))
    },
  })
  return { sink, got }
}

function answer(socket: TLSSocket): void {
  socket.once('data', () => socket.write(FIRST, () => socket.end(SECOND)))
}

describe.each(VERSIONS)('by %s', (maxVersion) => {
  async function visit(tampering: Tampering, onConnection: (socket: TLSSocket) => void = answer) {
    const server = await testServer({ maxVersion, onConnection })
    const proxy = await byteProxy(server.port, tampering)
    const { stream } = await connect({
      endpoint: endpointFrom('localhost', proxy.port),
      verify: dangerouslyAcceptAny(),
    })
    proxy.watchForEnd()
    stream.write('go')
    return stream
  }

  it('an end that the server announced is an end', async () => {
    const stream = await visit({})
    const { sink, got } = slowSink()
    await pipeline(stream, sink)
    expect(got.text).toBe(FIRST + SECOND)
  })

  it.each([
    { what: 'the close_notify is missing', tampering: { end: 'strip' }, all: FIRST + SECOND },
    { what: 'half a record is missing, too', tampering: { end: 'half' }, all: FIRST },
    {
      what: 'it comes byte by byte and the close_notify is missing',
      tampering: { end: 'strip', cut: 'byByte' },
      all: FIRST + SECOND,
    },
    { what: 'the close_notify is missing and a reset comes', tampering: { end: 'strip', reset: true }, all: null },
  ] as const)('it is truncated if $what', async ({ tampering, all }) => {
    const stream = await visit(tampering)
    const { sink, got } = slowSink()
    await expect(pipeline(stream, sink)).rejects.toMatchObject(TRUNCATED)
    // A reset may overtake what it follows.
    if (all === null) expect((FIRST + SECOND).startsWith(got.text)).toBe(true)
    else expect(got.text).toBe(all)
  })

  it('it is truncated if the server destroys its socket', async () => {
    const stream = await visit({}, (socket) => {
      socket.once('data', () => socket.write(FIRST, () => setImmediate(() => socket.destroy())))
    })
    const { sink, got } = slowSink()
    await expect(pipeline(stream, sink)).rejects.toMatchObject(TRUNCATED)
    expect(got.text).toBe(FIRST)
  })

  it('it is truncated if nothing at all came', async () => {
    const stream = await visit({}, (socket) => {
      socket.once('data', () => socket.destroy())
    })
    await expect(text(stream)).rejects.toMatchObject(TRUNCATED)
  })

  it.each([
    {
      how: 'by a pipeline',
      read: (stream: AsyncIterable<Buffer>, add: (piece: Buffer) => void) => byPipeline(stream, add),
    },
    { how: 'by for await', read: (stream: AsyncIterable<Buffer>, add: (piece: Buffer) => void) => byLoop(stream, add) },
  ])('a slow reader $how gets all of a large answer, and then the error', async ({ read }) => {
    const stream = await visit({ end: 'strip' }, (socket) => {
      socket.once('data', () => socket.end(BIG))
    })
    let got = 0
    await expect(
      read(stream, (piece) => {
        got += piece.length
      }),
    ).rejects.toMatchObject(TRUNCATED)
    expect(got).toBe(BIG.length)
  })

  it('a reader who comes late gets all that came, and then the error', async () => {
    const stream = await visit({ end: 'strip' })
    while (stream.readableLength < FIRST.length + SECOND.length) await new Promise((resolve) => setImmediate(resolve))
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(stream.destroyed).toBe(false)
    const pieces: string[] = []
    await expect(byLoop(stream, (piece) => pieces.push(String(piece)))).rejects.toMatchObject(TRUNCATED)
    expect(pieces.join('')).toBe(FIRST + SECOND)
  })

  it('events say the same: data, an error, and no end', async () => {
    const stream = await visit({ end: 'strip' })
    const events: string[] = []
    let got = ''
    stream.on('data', (piece) => {
      got += piece
    })
    stream.on('end', () => events.push('end'))
    stream.on('error', (error) => events.push((error as { code?: string }).code ?? ''))
    await new Promise<void>((resolve) => stream.on('close', () => resolve()))
    expect([got, events]).toEqual([FIRST + SECOND, ['ERR_TLACACOCA_TRUNCATED']])
  })

  it('a file that was received whole is whole', async () => {
    const stream = await visit({}, (socket) => {
      socket.once('data', () => socket.end(BIG))
    })
    const file = join(await temporaryFolder(), 'answer')
    await pipeline(stream, createWriteStream(file))
    expect((await readFile(file, 'utf8')) === BIG).toBe(true)
  })

  it('a damaged record is an error, after what came before it', async () => {
    const server = await testServer({ maxVersion, onConnection: answer })
    const proxy = await byteProxy(server.port, { end: 'damage' })
    const { stream } = await connect({
      endpoint: endpointFrom('localhost', proxy.port),
      verify: dangerouslyAcceptAny(),
    })
    proxy.watchForEnd()
    stream.write('go')
    const { sink, got } = slowSink()
    await expect(pipeline(stream, sink)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_CONNECTION_BROKEN' })
    expect(got.text).toBe(FIRST)
  })
})

async function byPipeline(stream: AsyncIterable<Buffer>, add: (piece: Buffer) => void): Promise<void> {
  const sink = new Writable({
    highWaterMark: 1,
    write(piece: Buffer, _encoding, callback) {
      add(piece)
      setImmediate(callback)
    },
  })
  await pipeline(stream, sink)
}

async function byLoop(stream: AsyncIterable<Buffer>, add: (piece: Buffer) => void): Promise<void> {
  for await (const piece of stream) {
    add(piece)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
