// TLS as a stream: everything that Node's own code expects of a Duplex, over sockets and over transports that behave
// worse than sockets do.

import { once } from 'node:events'
import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net'
import { Duplex, PassThrough, Readable, Writable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { finished, pipeline } from 'node:stream/promises'
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { TlacacocaError } from '../../../src/errors.ts'
import { type TLSDuplex, type TLSDuplexOptions, tlsDuplex } from '../../../src/tls/sans-io/tls-duplex.ts'
import { type MemoryEnd, memoryPair } from '../../support/memory-pair.ts'
import { runChild } from '../../support/run-child.ts'
import { turn } from '../../support/sans-io.ts'
import {
  clientChain,
  clientTls,
  nodeClient,
  nodeIdentity,
  nodeServer,
  only,
  serverChain,
  serverTls,
  VERSIONS,
  withIdentity,
} from '../../support/sans-io-world.ts'

const afterwards: (() => unknown)[] = []
afterEach(async () => {
  for (const act of afterwards.splice(0)) await act()
})

/** Waits for something that other events bring about. */
async function until(isSo: () => boolean, what: string): Promise<void> {
  for (let turns = 0; !isSo(); turns++) {
    if (turns > 20_000) throw new Error(`${what} does not come`)
    await turn()
  }
}

async function turns(count: number): Promise<void> {
  for (let each = 0; each < count; each++) await turn()
}

/** How a stream ended: the code of its error, or `ended`. It has to be read, or nobody would know. */
async function endOf(stream: Duplex): Promise<string> {
  if (!stream.closed) await new Promise((resolve) => stream.once('close', resolve))
  const { errored } = stream
  if (errored === null) return 'ended'
  return errored instanceof TlacacocaError ? errored.code : `${errored}`
}

/** All that a stream gives out until its end. Other than async iteration it leaves the other direction alone. */
function heardFrom(stream: Duplex): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.once('end', () => resolve(Buffer.concat(chunks).toString()))
    stream.once('error', reject)
    stream.once('close', () => reject(new Error('it was closed before its end')))
  })
}

/** Writes as much as is taken, and again whenever there is room. Says how much has been taken. */
function writeWithoutEnd(stream: Duplex): () => number {
  let taken = 0
  const chunk = Buffer.alloc(16_384)
  const done = (error?: Error | null): void => {
    if (!error) taken += chunk.length
  }
  const write = (): void => {
    while (stream.write(chunk, done));
  }
  stream.on('drain', write)
  write()
  return () => taken
}

interface Pair {
  readonly client: Duplex
  readonly server: Duplex
}

type Ends = 'ours' | 'client of Node' | 'server of Node'
type Way = 'memory' | 'sockets'

/** The two ends of a connection, of which at least one is ours. */
async function pair(
  ends: Ends,
  way: Way,
  version: (typeof VERSIONS)[number],
  options: TLSDuplexOptions = { allowHalfOpen: true },
): Promise<Pair> {
  const [near, far] = way === 'memory' ? memoryPair() : await socketPair()
  afterwards.push(
    () => void near.destroy(),
    () => void far.destroy(),
  )
  const server =
    ends === 'server of Node' ? nodeServerOver(far, version) : tlsDuplex(far, serverTls(only(version)), options)
  const client =
    ends === 'client of Node'
      ? connectTls({ ...nodeClient(), rejectUnauthorized: true, socket: near })
      : tlsDuplex(near, clientTls(only(version)), options)
  for (const stream of [client, server]) stream.on('error', () => {})
  return { client, server }
}

/** Node's own server over a transport. It has to be there before its handshake is over. */
function nodeServerOver(transport: Duplex, version: (typeof VERSIONS)[number]): Duplex {
  const server = createTlsServer({ ...nodeServer(), ...only(version) })
  const [outside, inside] = [new PassThrough(), new PassThrough()]
  server.on('secureConnection', (socket) => {
    socket.on('error', (error) => proxy.destroy(error))
    socket.on('close', () => proxy.destroy())
    inside.pipe(socket)
    socket.pipe(outside)
  })
  server.on('tlsClientError', (error) => proxy.destroy(error))
  const proxy = Duplex.from({ readable: outside, writable: inside })
  server.emit('connection', transport)
  return proxy
}

async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const near = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true })
  const [[far]] = await Promise.all([once(server, 'connection') as Promise<[Socket]>, once(near, 'connect')])
  server.close()
  return [near, far]
}

/** Two ends of ours in memory. */
function ourPair(
  version: (typeof VERSIONS)[number] = 'TLSv1.3',
  options: { readonly client?: TLSDuplexOptions; readonly server?: TLSDuplexOptions } = {},
): { client: TLSDuplex; server: TLSDuplex; near: MemoryEnd; far: MemoryEnd } {
  const [near, far] = memoryPair()
  const client = tlsDuplex(near, clientTls(only(version)), options.client)
  const server = tlsDuplex(far, serverTls(only(version)), options.server)
  return { client, server, near, far }
}

const CASES = VERSIONS.flatMap((version) =>
  (['memory', 'sockets'] as const).flatMap((way) =>
    (['ours', 'client of Node', 'server of Node'] as const).map((ends) => ({ version, way, ends })),
  ),
)
const MEGABYTES = Buffer.alloc(3 * 2 ** 20, 'tlacacoca ')

describe.each(CASES)('$version over $way, $ends', ({ version, way, ends }) => {
  it('carries megabytes both ways at once by pipeline, to the end', async () => {
    const { client, server } = await pair(ends, way, version)
    const sink = (): { chunks: Buffer[]; stream: Writable } => {
      const chunks: Buffer[] = []
      const stream = new Writable({
        write: (chunk, _encoding, done) => {
          chunks.push(chunk)
          done()
        },
      })
      return { chunks, stream }
    }
    const [atClient, atServer] = [sink(), sink()]
    const pieces = Array.from({ length: 48 }, (_, at) => MEGABYTES.subarray(at * 65_536, (at + 1) * 65_536))
    // Node's own TLS over a stream does not tell a pipeline that writes of its end.
    const isOurs = (stream: Duplex): stream is TLSDuplex => 'established' in stream
    const write = (stream: Duplex): Promise<unknown> | undefined =>
      isOurs(stream) ? pipeline(Readable.from(pieces), stream) : void Readable.from(pieces).pipe(stream)
    await Promise.all([
      write(client),
      write(server),
      pipeline(client, atClient.stream),
      pipeline(server, atServer.stream),
    ])
    expect(Buffer.concat(atClient.chunks).equals(MEGABYTES)).toBe(true)
    expect(Buffer.concat(atServer.chunks).equals(MEGABYTES)).toBe(true)
  })

  it('answers a client that has ended its side', async () => {
    const { client, server } = await pair(ends, way, version)
    server.on('end', () => server.end('and the answer'))
    let question = ''
    server.on('data', (chunk) => {
      question += chunk
    })
    client.end('the question')
    expect(await heardFrom(client)).toBe('and the answer')
    expect(question).toBe('the question')
  })

  it('keeps many small writes in order', async () => {
    const { client, server } = await pair(ends, way, version)
    const words = Array.from({ length: 500 }, (_, at) => `word ${at}\n`)
    for (const [at, word] of words.entries()) {
      client.write(word)
      if (at % 50 === 0) await turn()
    }
    client.end()
    expect(await heardFrom(server)).toBe(words.join(''))
    server.end()
    expect(await heardFrom(client)).toBe('')
  })

  it('sends what was written and ended before the handshake', async () => {
    const { client, server } = await pair(ends, way, version)
    client.write('early ')
    client.end('words')
    // Node's own TLS throws away what it has not read yet when it is ended.
    if (ends === 'server of Node') server.on('end', () => server.end('early answer'))
    else server.end('early answer')
    expect(await Promise.all([heardFrom(client), heardFrom(server)])).toEqual(['early answer', 'early words'])
  })

  it('can be read by async iteration', async () => {
    const { client, server } = await pair(ends, way, version)
    client.write('please')
    server.once('data', () => {
      server.write('one ')
      server.write('two ')
      server.end('three')
    })
    let heard = ''
    for await (const chunk of client) heard += chunk
    expect(heard).toBe('one two three')
  })
})

describe.each(VERSIONS)('by %s', (version) => {
  describe('a reader that never reads', () => {
    it('stops the writer at the other end, and what is kept is bounded', async () => {
      const { client, server } = ourPair(version)
      await Promise.all([client.established, server.established])
      const taken = writeWithoutEnd(client)
      await turns(300)
      // What was decrypted, and what the three buffers between two ends hold by themselves.
      expect(server.readableLength).toBeLessThan(256 * 1024)
      expect(taken()).toBeLessThan(1024 * 1024)
      const before = taken()
      await turns(300)
      expect(taken()).toBe(before)
      // And it goes on when somebody reads.
      server.resume()
      await until(() => taken() > 4 * 1024 * 1024, 'more')
      client.destroy()
      server.destroy()
    })

    it('does so before the peer has been accepted as well', async () => {
      let accept = (): void => {}
      const [near, far] = memoryPair()
      const server = tlsDuplex(far, serverTls(only(version)), {
        verify: () =>
          new Promise((resolve) => {
            accept = resolve
          }),
      })
      const client = connectTls({ ...nodeClient(only(version)), socket: near })
      client.on('error', () => {})
      const writing = once(client, 'secureConnect').then(() => writeWithoutEnd(client))
      await turns(300)
      expect(server.readableLength).toBe(0)
      expect(server.connection.state).toBe('verifying')
      // A client of TLS 1.2 waits for the server's Finished, which waits for the verifier.
      if (version === 'TLSv1.3') expect((await writing)()).toBeLessThan(512 * 1024)
      accept()
      server.resume()
      const taken = await writing
      await until(() => taken() > 2 * 1024 * 1024, 'the rest')
      client.destroy()
      server.destroy()
    })
  })

  it('stops its writer when the transport never drains, and ends all the same', async () => {
    const { client, server, near } = ourPair(version)
    await Promise.all([client.established, server.established])
    const stuck = Object.assign(near, { _write: () => {} })
    const taken = writeWithoutEnd(client)
    await turns(200)
    expect(client.writableLength).toBeLessThan(256 * 1024)
    expect(stuck.writableLength).toBeLessThan(1024 * 1024)
    expect(taken()).toBeLessThan(1024 * 1024)
    client.destroy()
    // By the writes that it did not get through.
    expect(await endOf(client)).toBe('ERR_TLACACOCA_CONNECTION_BROKEN')
    expect(near.destroyed).toBe(true)
    server.resume()
    expect(await endOf(server)).toBe('ERR_TLACACOCA_TRUNCATED')
  })

  describe('half open', () => {
    it('ends its own side when the peer’s end has been read', async () => {
      const { client, server } = ourPair(version)
      server.resume()
      client.resume()
      client.end('bye')
      expect(await endOf(server)).toBe('ended')
      expect(await endOf(client)).toBe('ended')
    })

    it('does not do so before that, so that nothing that was written is cut off', async () => {
      const { client, server } = ourPair(version)
      client.end('bye')
      await until(() => server.readableLength > 0, 'the end')
      await turns(20)
      expect(server.writableEnded).toBe(false)
      server.write('and the answer')
      server.resume()
      expect(await heardFrom(client)).toBe('and the answer')
    })

    // Async iteration destroys a stream as soon as its end is read.
    it.each(['text', 'for await'])('says its own end to the peer when it is read by %s', async (way) => {
      for (const fellow of ['ours', 'client of Node'] as const) {
        const { client, server } = await pair(fellow, 'sockets', version, {})
        client.end('all of it')
        let heard = ''
        if (way === 'text') heard = await text(server)
        else for await (const chunk of server) heard += chunk
        expect(heard).toBe('all of it')
        expect(await heardFrom(client)).toBe('')
        expect(await endOf(client)).toBe('ended')
      }
    })

    it('says no end when it is destroyed in the middle of its answer, though all of it has left', async () => {
      for (const error of [undefined, new DOMException('enough', 'AbortError')]) {
        const { client, server } = ourPair(version, { server: { allowHalfOpen: true } })
        client.end('question')
        server.resume()
        await once(server, 'end')
        await new Promise((resolve) => server.write('half of the an', resolve))
        server.destroy(error)
        client.resume()
        expect(await endOf(client)).toBe('ERR_TLACACOCA_TRUNCATED')
      }
    })

    it('stays open with allowHalfOpen, until it is ended', async () => {
      const { client, server } = ourPair(version, { server: { allowHalfOpen: true } })
      server.resume()
      const answer = heardFrom(client)
      client.end('bye')
      await once(server, 'end')
      await turns(20)
      server.write('later ')
      await turns(20)
      server.end('and later')
      expect(await answer).toBe('later and later')
      expect(await endOf(server)).toBe('ended')
      expect(await endOf(client)).toBe('ended')
    })

    // OpenSSL, asked to shut down in the middle of its reading, would throw the rest away.
    it.each(['data', 'readable'] as const)(
      'loses nothing of what comes together when it is ended in %s',
      async (event) => {
        const { client, server, near, far } = ourPair(version, { server: { allowHalfOpen: true } })
        await Promise.all([client.established, server.established])
        await turns(10)
        let heard = ''
        server.write('answer')
        server.once(event, () => server.end())
        server.on(event, (chunk?: Buffer) => {
          heard += chunk ?? ''
          if (event === 'readable') for (let next = server.read(); next !== null; next = server.read()) heard += next
        })
        // All of it arrives in one piece.
        const collected: Buffer[] = []
        const collect = (chunk: Buffer, _encoding: string, done: () => void): void => {
          collected.push(chunk)
          done()
        }
        Object.assign(near, { _write: collect, _final: (done: () => void) => done() })
        for (const word of ['one ', 'two ', 'three']) {
          client.write(word)
          await turns(4)
        }
        client.end()
        await turns(4)
        far.push(Buffer.concat(collected))
        expect(await heardFrom(client)).toBe('answer')
        expect(await endOf(server)).toBe('ended')
        expect(heard).toBe('one two three')
      },
    )
  })

  describe('a signal', () => {
    it('that is aborted already keeps everything back', async () => {
      const [near, far] = memoryPair()
      const heard = buffer(far)
      const reason = new Error('changed my mind')
      const stream = tlsDuplex(near, clientTls(only(version)), { signal: AbortSignal.abort(reason) })
      expect(await endOf(stream)).toBe('ERR_TLACACOCA_ABORTED')
      expect(stream.errored?.cause).toBe(reason)
      await expect(stream.established).rejects.toMatchObject({ code: 'ERR_TLACACOCA_ABORTED' })
      far.end()
      expect(await heard).toHaveLength(0)
      expect(near.destroyed).toBe(true)
    })

    it.each(['during the handshake', 'while the verifier has the word', 'afterwards'] as const)(
      'ends it %s',
      async (when) => {
        const controller = new AbortController()
        let isAsked = false
        const verify = (): Promise<void> | undefined => {
          isAsked = true
          return when === 'while the verifier has the word' ? new Promise(() => {}) : undefined
        }
        const { client, server, near } = ourPair(version, { client: { signal: controller.signal, verify } })
        server.on('error', () => {}).resume()
        if (when === 'while the verifier has the word') await until(() => isAsked, 'the question')
        if (when === 'afterwards') await client.established
        const writing = new Promise((resolve) => client.write('x'.repeat(100_000), resolve))
        controller.abort()
        expect(await endOf(client)).toBe('ERR_TLACACOCA_ABORTED')
        expect(await writing).toMatchObject({ code: 'ERR_TLACACOCA_ABORTED' })
        expect(near.destroyed).toBe(true)
        expect(await endOf(server)).toBe('ERR_TLACACOCA_TRUNCATED')
      },
    )

    it('does nothing any more when it is over, and nobody listens to it', async () => {
      const controller = new AbortController()
      let listeners = 0
      const { signal } = controller
      const add = signal.addEventListener.bind(signal)
      const remove = signal.removeEventListener.bind(signal)
      signal.addEventListener = (...args: Parameters<typeof add>) => {
        listeners++
        add(...args)
      }
      signal.removeEventListener = (...args: Parameters<typeof remove>) => {
        listeners--
        remove(...args)
      }
      const { client, server } = ourPair(version, { client: { signal } })
      server.resume()
      client.resume()
      client.end()
      expect(await endOf(client)).toBe('ended')
      expect(listeners).toBe(0)
      controller.abort()
      await turns(5)
      expect(client.errored).toBeNull()
    })
  })

  it('can be destroyed at every moment, and both transports are let go of', { timeout: 60_000 }, async () => {
    for (const side of ['client', 'server'] as const) {
      for (let moment = 0; moment < 30; moment++) {
        const { client, server, near, far } = ourPair(version)
        client.on('error', () => {}).resume()
        server.on('error', () => {}).resume()
        client.write('question')
        server.write('answer')
        await turns(moment)
        const [mine, other] = side === 'client' ? [client, server] : [server, client]
        const writing = new Promise((resolve) => mine.write('more', resolve))
        mine.destroy()
        expect(await endOf(mine)).toMatch(/^(ended|ERR_TLACACOCA_CONNECTION_BROKEN)$/)
        expect(await endOf(other)).toBe('ERR_TLACACOCA_TRUNCATED')
        // Whether the write got through or not, whoever made it is told.
        await writing
        expect([near.destroyed, far.destroyed]).toEqual([true, true])
        expect(mine.connection.nextDeadline).toBeNull()
      }
    }
  })

  it('can lose its transport at every moment', { timeout: 60_000 }, async () => {
    const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
    for (const error of [reset, undefined]) {
      for (let moment = 0; moment < 30; moment++) {
        const { client, server, near } = ourPair(version)
        client.resume()
        server.on('error', () => {}).resume()
        client.write('question')
        server.write('answer')
        await turns(moment)
        near.destroy(error)
        expect(await endOf(client)).toBe('ERR_TLACACOCA_TRUNCATED')
        expect(await endOf(server)).toBe('ERR_TLACACOCA_TRUNCATED')
        if (error !== undefined) expect(client.errored?.cause).toBe(error)
      }
    }
  })

  it('does not wait for a verdict about somebody whose wire is gone', async () => {
    const [near, far] = memoryPair()
    const server = tlsDuplex(far, serverTls(only(version)), { verify: () => new Promise(() => {}) })
    const client = connectTls({ ...nodeClient(only(version)), socket: near })
    client.on('error', () => {}).on('secureConnect', () => client.end('all that there is to say'))
    await until(() => server.connection.state === 'verifying', 'the question')
    await turns(20)
    // An end alone leaves the way back open.
    far.push(null)
    await turns(20)
    expect(server.connection.state).toBe(version === 'TLSv1.3' ? 'verifying' : 'invalidated')
    far.destroy()
    expect(await endOf(server)).toBe('ERR_TLACACOCA_TRUNCATED')
    client.destroy()
  })

  describe('a peer that breaks off', () => {
    it.each(['client', 'server'] as const)('is told from one that has finished: the %s is ours', async (side) => {
      for (const proper of [true, false]) {
        const [near, far] = memoryPair()
        const ours =
          side === 'client' ? tlsDuplex(near, clientTls(only(version))) : tlsDuplex(near, serverTls(only(version)))
        const other =
          side === 'client' ? tlsDuplex(far, serverTls(only(version))) : tlsDuplex(far, clientTls(only(version)))
        other.on('error', () => {})
        other.write('a part')
        const heard = heardFrom(ours)
        await Promise.all([ours.established, other.established])
        await turns(10)
        if (proper) {
          other.end()
          expect(await heard).toBe('a part')
        } else {
          // The end of the wire, without a word of TLS.
          far.end()
          await expect(heard).rejects.toMatchObject({ code: 'ERR_TLACACOCA_TRUNCATED' })
        }
        ours.destroy()
        other.destroy()
      }
    })

    it('has everything read first that arrived before, however slowly', async () => {
      const { client, server, far } = ourPair(version)
      server.on('error', () => {})
      await Promise.all([client.established, server.established])
      server.write('x'.repeat(10_000))
      await until(() => client.readableLength > 0, 'data')
      await turns(10)
      far.destroy()
      await turns(10)
      let heard = 0
      const reading = (async () => {
        for await (const chunk of client) {
          heard += chunk.length
          await turns(5)
        }
      })()
      await expect(reading).rejects.toMatchObject({ code: 'ERR_TLACACOCA_TRUNCATED' })
      expect(heard).toBe(10_000)
    })

    // Who waits for a write, and nobody reads: the write must not wait for the reading.
    it.each(['a write that is under way', 'a write afterwards', 'an end', 'an end afterwards'] as const)(
      'fails %s, though something is unread',
      async (what) => {
        const { client, server, near, far } = ourPair(version)
        client.on('error', () => {})
        await Promise.all([client.established, server.established])
        client.write('unread')
        await until(() => server.readableLength > 0, 'data')
        if (!what.endsWith('afterwards')) Object.assign(far, { _write: () => {} })
        const outcome = new Promise((resolve) => {
          if (what === 'a write that is under way') server.write(Buffer.alloc(200_000), resolve)
          else server.once('error', resolve)
        })
        if (what === 'an end') server.end('answer')
        await turns(10)
        near.destroy()
        far.destroy(new Error('gone'))
        await turns(10)
        if (what === 'a write afterwards') server.write('answer')
        if (what === 'an end afterwards') server.end()
        expect(await outcome).toBeInstanceOf(TlacacocaError)
        expect(await endOf(server)).toMatch(/^ERR_TLACACOCA_(TRUNCATED|CONNECTION_BROKEN)$/)
      },
    )

    it('and had finished before is an error for whoever still writes, and for nobody else', async () => {
      for (const writes of [true, false]) {
        const { client, server, near, far } = ourPair(version, { server: { allowHalfOpen: true } })
        client.on('error', () => {}).resume()
        await Promise.all([client.established, server.established])
        client.end('question')
        expect(await heardFrom(server)).toBe('question')
        near.destroy()
        far.destroy()
        await turns(10)
        if (writes) server.write('answer')
        else server.end()
        expect(await endOf(server)).toBe(writes ? 'ERR_TLACACOCA_CONNECTION_BROKEN' : 'ended')
      }
    })

    it('and had finished before leaves no write waiting, on a transport that is stuck', async () => {
      const { client, server, far } = ourPair(version, { server: { allowHalfOpen: true } })
      client.resume()
      await Promise.all([client.established, server.established])
      client.end('question')
      expect(await heardFrom(server)).toBe('question')
      Object.assign(far, { _write: () => {} })
      server.write('answer')
      server.end()
      await turns(10)
      far.destroy()
      expect(await endOf(server)).toBe('ERR_TLACACOCA_CONNECTION_BROKEN')
    })
  })

  it('is ended by a transport that has ended already', async () => {
    const [near, far] = memoryPair()
    far.end()
    near.resume()
    await once(near, 'end')
    for (const tls of [clientTls(only(version)), serverTls(only(version))]) {
      const stream = tlsDuplex(near, tls)
      await expect(stream.established).rejects.toMatchObject({ code: 'ERR_TLACACOCA_TRUNCATED' })
      expect(await endOf(stream.resume())).toBe('ERR_TLACACOCA_TRUNCATED')
      break
    }
  })

  it('knows the peer and the facts once it is established, and not before', async () => {
    const [near, far] = memoryPair()
    const client = tlsDuplex(near, clientTls({ ...only(version), ...withIdentity() }))
    const server = tlsDuplex(far, serverTls({ ...only(version), clientCertificates: 'require' }))
    expect([client.peer, server.peer, client.connection.info]).toEqual([null, null, null])
    const [atClient, atServer] = await Promise.all([client.established, server.established])
    expect(client.peer?.fingerprint).toBe(serverChain.leaf.fingerprint)
    expect(server.peer?.fingerprint).toBe(clientChain.leaf.fingerprint)
    expect(client.connection.info).toBe(atClient)
    expect([atClient.version, atServer.version]).toEqual([version, version])
    expect(atServer.serverName).toBe('www.example.org')
    client.destroy()
    server.destroy()
  })

  it('takes empty writes at any moment', async () => {
    const { client, server } = ourPair(version)
    server.on('data', () => {})
    client.write('')
    server.write(Buffer.alloc(0))
    void client.established.then(() => client.write(''))
    void server.established.then(() => server.write(''))
    await Promise.all([client.established, server.established])
    client.write('')
    const heard = heardFrom(client)
    await turns(10)
    client.write(new Uint8Array(0))
    server.write('')
    server.end('after')
    expect(await heard).toBe('after')
  })

  it('keeps the order of what is written from inside a write, over a transport without delay', async () => {
    // What one end writes the other has read before the write returns.
    const ends: DirectEnd[] = [new DirectEnd(), new DirectEnd()]
    const [near, far] = ends as [DirectEnd, DirectEnd]
    near.other = far
    far.other = near
    const client = tlsDuplex(near, clientTls(only(version)))
    const server = tlsDuplex(far, serverTls(only(version)))
    await Promise.all([client.established, server.established])
    let heard = ''
    server.on('data', (chunk) => void server.write(chunk))
    let rounds = 0
    client.on('data', (chunk) => {
      heard += chunk
      if (rounds++ < 50) client.write(`${rounds},`)
    })
    await turns(10)
    client.cork()
    for (const word of ['a,', 'b,', 'c,']) client.write(word)
    client.uncork()
    await until(() => heard.split(',').length > 50, 'all of it')
    await turns(20)
    const numbers = heard.split(',').slice(3, -1).map(Number)
    expect(heard.startsWith('a,b,c,')).toBe(true)
    expect(numbers).toEqual(numbers.toSorted((one, other) => one - other))
    expect(numbers).toHaveLength(new Set(numbers).size)
    client.destroy()
    server.destroy()
  })
})

/** Half of a transport that passes on in the very call. */
class DirectEnd extends Duplex {
  other: DirectEnd | null = null

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.other?.push(chunk)
    done()
  }

  override _final(done: () => void): void {
    this.other?.push(null)
    done()
  }
}

describe('what is no transport', () => {
  const destroyed = new PassThrough()
  destroyed.destroy()
  const decoded = new PassThrough()
  decoded.setEncoding('utf8')

  it.each([
    ['nothing', undefined],
    ['a readable', Readable.from(['x'])],
    ['a stream of objects', new PassThrough({ objectMode: true })],
    ['one that reads objects', new PassThrough({ readableObjectMode: true })],
    ['one that writes objects', new PassThrough({ writableObjectMode: true })],
    ['one that is destroyed', destroyed],
    ['one that gives strings', decoded],
  ])('is refused: %s', (_name, transport) => {
    expect(() => tlsDuplex(transport as Duplex, clientTls())).toThrow(/^"transport" expected a Duplex of bytes/)
  })

  it.each([
    ['a side of TLS that is none', () => tlsDuplex(new PassThrough(), {} as never)],
    ['an option that does not exist', () => tlsDuplex(new PassThrough(), clientTls(), { verfy: () => {} } as never)],
    ['a signal that is none', () => tlsDuplex(new PassThrough(), clientTls(), { signal: 'now' as never })],
    ['a verify that is none', () => tlsDuplex(new PassThrough(), clientTls(), { verify: true as never })],
    ['an allowHalfOpen that is none', () => tlsDuplex(new PassThrough(), clientTls(), { allowHalfOpen: 1 as never })],
  ])('as is %s', (_name, act) => {
    expect(act).toThrow(TypeError)
  })
})

describe('a process', () => {
  it('ends by itself when its connections have ended, in whatever way', async () => {
    const { code, stdout, stderr } = await runChild('fuzz-exit-child.ts')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain('all of them have ended')
    // Timers that were left would have held it for ten seconds at least.
    expect(Number(/(\d+) ms/.exec(stdout)?.[1])).toBeLessThan(5000)
  })
})

describe('a real socket', () => {
  it.each(VERSIONS)('is closed on both sides when both have finished, by %s', async (version) => {
    const { port, sockets, server } = await tcpServer((socket) => {
      const stream = tlsDuplex(socket, serverTls(only(version)))
      stream.on('data', (chunk) => stream.end(chunk))
    })
    const socket = connectTls({ ...nodeClient(nodeIdentity), port, host: '127.0.0.1' })
    socket.write('echo')
    expect(await heardFrom(socket)).toBe('echo')
    await until(() => sockets.every(({ destroyed }) => destroyed), 'the end of the sockets')
    server.close()
  })

  it.each(VERSIONS)('that is reset ends the stream with the cause, by %s', async (version) => {
    const streams: TLSDuplex[] = []
    const { port, server } = await tcpServer((socket) => {
      const stream = tlsDuplex(socket, serverTls(only(version)))
      stream.resume()
      streams.push(stream)
    })
    const raw = connectTcp({ port, host: '127.0.0.1' })
    const client: TLSSocket = connectTls({ ...nodeClient(), socket: raw })
    client.on('error', () => {})
    await once(client, 'secureConnect')
    const [stream] = streams as [TLSDuplex]
    await stream.established
    raw.resetAndDestroy()
    expect(await endOf(stream)).toBe('ERR_TLACACOCA_TRUNCATED')
    expect(stream.errored?.cause).toMatchObject({ code: 'ECONNRESET' })
    server.close()
  })

  it('works with finished()', async () => {
    const { client, server } = ourPair()
    server.resume()
    client.resume()
    client.end('x')
    await finished(client)
    await finished(server)
    expect([client.destroyed, server.destroyed]).toEqual([true, true])
  })
})

async function tcpServer(
  onConnection: (socket: Socket) => void,
): Promise<{ port: number; sockets: Socket[]; server: Server }> {
  const sockets: Socket[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    onConnection(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as { port: number }).port, sockets, server }
}
