import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { connect as connectTcp, createServer as createTcpServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { finished, pipeline } from 'node:stream/promises'
import type { TLSSocket } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { VerifiedPeer } from '../../src/certificate/peer.ts'
import type { PeerCandidate, PeerVerifier, VerifierDecision } from '../../src/certificate/peer-verifier.ts'
import { formatPem } from '../../src/certificate/pem.ts'
import { endpointFrom, parseEndpoint } from '../../src/names/endpoint.ts'
import { createClientContext } from '../../src/tls/client-context.ts'
import { shakeHands } from '../../src/tls/client-handshake.ts'
import { connect } from '../../src/tls/connect.ts'
import { Deadline } from '../../src/tls/deadline.ts'
import { authorities } from '../../src/tls/verifiers/authorities.ts'
import { dangerouslyAcceptAny } from '../../src/tls/verifiers/dangerously-accept-any.ts'
import { pins } from '../../src/tls/verifiers/pins.ts'
import { byteProxy } from '../support/byte-proxy.ts'
import { bytes, craft, ecKey, element, extension, name, sequence } from '../support/crafted-certificates.ts'
import { forgeCertificate } from '../support/forged-certificates.ts'
import { memoryPair } from '../support/memory-pair.ts'
import { listening, testServer } from '../support/tls-server.ts'

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const

const here = (port: number) => endpointFrom('localhost', port)

const BLOCK = Buffer.alloc(64 * 1024, 7)
/** More than all the buffers of two sockets on this computer together. */
const BIG = 800 * BLOCK.length

/** Waits until a count stays the same for a while of turns of the event loop. */
async function untilStill(count: () => number): Promise<void> {
  for (let still = 0, before = count(); still < 200; still++) {
    await new Promise((resolve) => setImmediate(resolve))
    if (count() !== before) still = 0
    before = count()
  }
}

/** A verifier that takes down what it was asked and answers as told. */
function asked(answer: (candidate: PeerCandidate) => VerifierDecision | Promise<VerifierDecision>) {
  const candidates: PeerCandidate[] = []
  const verify: PeerVerifier = {
    name: 'asked',
    verify(candidate) {
      candidates.push(candidate)
      return answer(candidate)
    },
  }
  return { verify, candidates }
}

describe.each(VERSIONS)('connect by %s', (maxVersion) => {
  it('resolves with a verified peer and a stream in both directions', async () => {
    const server = await testServer({ maxVersion })
    const connection = await connect({
      endpoint: here(server.port),
      verify: pins([server.certificate.certificate.fingerprint]),
    })
    expect(VerifiedPeer.is(connection.peer)).toBe(true)
    expect(connection.peer.fingerprint).toBe(server.certificate.certificate.fingerprint)
    expect(connection.peer.acceptedBy).toBe('pins')
    expect(String(connection.peer.endpoint)).toBe(`localhost:${server.port}`)
    expect(connection.protocol).toBe(maxVersion)
    expect(connection.peer.protocol).toBe(maxVersion)
    expect(connection.alpn).toBeNull()
    connection.stream.write('hello')
    expect(await text(connection.stream)).toBe('echo hello')
  })

  it('asks the verifier once, about what the server has proven', async () => {
    const authority = forgeCertificate({ commonName: 'ca', ca: true })
    const leaf = forgeCertificate({ issuer: authority })
    const certificate = { ...leaf, certPem: leaf.certPem + authority.certPem }
    const server = await testServer({ maxVersion, certificate })
    const { verify, candidates } = asked(() => ({ accept: true, ground: 'test' }))
    const { stream, peer } = await connect({ endpoint: here(server.port), verify })
    expect(candidates).toHaveLength(1)
    expect(candidates[0]?.chain.map(({ fingerprint }) => fingerprint)).toEqual(
      [leaf, authority].map((each) => each.certificate.fingerprint),
    )
    expect(candidates[0]?.certificate.fingerprint).toBe(leaf.certificate.fingerprint)
    expect(candidates[0]?.protocol).toBe(maxVersion)
    expect(candidates[0]?.signal.aborted).toBe(false)
    expect(peer.acceptedBy).toBe('asked: test')
    stream.destroy()
  })

  it('works with a server whose bytes come one at a time', async () => {
    const server = await testServer({ maxVersion })
    const proxy = await byteProxy(server.port, { cut: 'byByte' })
    const { stream } = await connect({ endpoint: here(proxy.port), verify: dangerouslyAcceptAny() })
    stream.write('hello')
    expect(await text(stream)).toBe('echo hello')
  })

  it('rejects with PeerRefusedError and the verifier’s words when it refuses', async () => {
    const server = await testServer({ maxVersion })
    const { verify, candidates } = asked(() => ({ accept: false, reason: 'odd', detail: 'I do not like it' }))
    const endpoint = here(server.port)
    await expect(connect({ endpoint, verify })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_PEER_REFUSED',
      reason: 'odd',
      endpoint: String(endpoint),
      presented: server.certificate.certificate.fingerprint,
      message: expect.stringContaining('I do not like it'),
    })
    expect(candidates[0]?.signal.aborted).toBe(true)
    expect(server.received).toEqual([])
  })

  it('rejects with the error of a refusal that has one', async () => {
    const server = await testServer({ maxVersion })
    const error = new Error('mine')
    const { verify } = asked(async () => ({ accept: false, reason: 'odd', detail: 'no', error }))
    await expect(connect({ endpoint: here(server.port), verify })).rejects.toBe(error)
  })

  it.each([
    {
      what: 'throws',
      answer: () => {
        throw new Error('a bug')
      },
    },
    { what: 'rejects', answer: () => Promise.reject(new Error('a bug')) },
    { what: 'says yes to a bare question', answer: () => true },
    { what: 'accepts by truthiness', answer: () => ({ accept: 'yes', ground: 'x' }) },
    { what: 'says nothing', answer: () => undefined },
  ])('takes a verifier that $what for a refusal', async ({ answer }) => {
    const server = await testServer({ maxVersion })
    const { verify } = asked(answer as unknown as () => VerifierDecision)
    await expect(connect({ endpoint: here(server.port), verify })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_PEER_REFUSED',
      reason: 'verifier_failed',
    })
  })

  it('never resumes a session, although the server offers to', async () => {
    const server = await testServer({ maxVersion, sessionTimeout: 300 })
    for (let round = 0; round < 3; round++) {
      const { verify, candidates } = asked(() => ({ accept: true, ground: 'x' }))
      const { stream } = await connect({ endpoint: here(server.port), verify })
      stream.write('hello')
      await text(stream)
      expect(candidates).toHaveLength(1)
    }
  })

  it('delivers 50 MB through a slow reader with bounded buffers', async () => {
    let written = 0
    const server = await testServer({
      maxVersion,
      onConnection(socket) {
        const pump = (): void => {
          while (written < BIG) {
            written += BLOCK.length
            if (!socket.write(BLOCK)) {
              socket.once('drain', pump)
              return
            }
          }
          socket.end()
        }
        pump()
      },
    })
    const { stream } = await connect({ endpoint: here(server.port), verify: dangerouslyAcceptAny() })
    let read = 0
    let most = 0
    for await (const chunk of stream) {
      read += (chunk as Buffer).length
      most = Math.max(most, stream.readableLength)
      // Slow: the server gets ahead of us by far if nothing stops it.
      if (read % (16 * 1024) === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    expect(read).toBe(BIG)
    expect(most).toBeLessThan(256 * 1024)
  })

  it('stops a server that nobody listens to, and loses nothing', async () => {
    let confirmed = 0
    const server = await testServer({
      maxVersion,
      onConnection(socket) {
        for (let sent = 0; sent < BIG; sent += BLOCK.length) socket.write(BLOCK, () => confirmed++)
        socket.end()
      },
    })
    const { stream } = await connect({ endpoint: here(server.port), verify: dangerouslyAcceptAny() })
    await untilStill(() => confirmed)
    expect(confirmed * BLOCK.length).toBeLessThan(BIG)
    expect(stream.readableLength).toBeLessThan(256 * 1024)
    let read = 0
    for await (const chunk of stream) read += (chunk as Buffer).length
    expect(read).toBe(BIG)
  })

  it('waits for a server that does not listen, and loses nothing', async () => {
    let socket: TLSSocket | undefined
    const server = await testServer({
      maxVersion,
      onConnection(accepted) {
        socket = accepted.pause()
      },
    })
    const { stream } = await connect({ endpoint: here(server.port), verify: dangerouslyAcceptAny() })
    let confirmed = 0
    for (let sent = 0; sent < BIG; sent += BLOCK.length) stream.write(BLOCK, () => confirmed++)
    await untilStill(() => confirmed)
    expect(confirmed * BLOCK.length).toBeLessThan(BIG)
    let received = 0
    socket?.on('data', (piece: Buffer) => {
      received += piece.length
    })
    socket?.resume()
    stream.end()
    if (socket !== undefined) await once(socket, 'end')
    expect(received).toBe(BIG)
  })

  it('still gets the answer after its own end', async () => {
    const server = await testServer({
      maxVersion,
      allowHalfOpen: true,
      onConnection(socket) {
        let all = ''
        socket.on('data', (piece) => {
          all += piece
        })
        socket.on('end', () => socket.end(`you said ${all}`))
      },
    })
    const { stream } = await connect({ endpoint: here(server.port), verify: dangerouslyAcceptAny() })
    stream.end('all of it')
    expect(await text(stream)).toBe('you said all of it')
  })

  it('ends its own side when the server’s end has been read, and lets go of the socket', async () => {
    let heard: () => void = () => {}
    const closeNotified = new Promise<void>((resolve) => {
      heard = resolve
    })
    const server = await testServer({
      maxVersion,
      allowHalfOpen: true,
      // In the next turn: Node sends no close_notify for what a TLS 1.3 server ends while it still owes the tickets.
      onConnection: (socket) => setImmediate(() => socket.on('end', heard).resume().end('bye')),
    })
    const { stream } = await connect({ endpoint: here(server.port), verify: dangerouslyAcceptAny() })
    stream.resume()
    await finished(stream)
    await closeNotified
    expect(stream.destroyed).toBe(true)
  })

  it('survives empty writes wherever they come', async () => {
    const server = await testServer({ maxVersion })
    const { stream } = await connect({ endpoint: here(server.port), verify: dangerouslyAcceptAny() })
    stream.write('')
    stream.cork()
    stream.write(Buffer.alloc(0))
    stream.write('hel')
    stream.write('')
    stream.write('lo')
    stream.uncork()
    await new Promise<void>((resolve) => stream.write('', () => resolve()))
    expect(await text(stream)).toBe('echo hello')
  })

  it('tells a writer by a coded error that the server has ended', async () => {
    const server = await testServer({ maxVersion, onConnection: (socket) => setImmediate(() => socket.end('enough')) })
    const { stream } = await connect({ endpoint: here(server.port), verify: dangerouslyAcceptAny() })
    async function* endless() {
      for (;;) {
        yield Buffer.alloc(1000)
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    const upload = pipeline(endless(), stream)
    let answer = ''
    stream.on('data', (piece) => {
      answer += piece
    })
    await expect(upload).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_(TLACACOCA|STREAM_PREMATURE)/) })
    expect(answer).toBe('enough')
  })

  it('closes in good order, flushing what was written', async () => {
    let heard: (text: string) => void = () => {}
    const all = new Promise<string>((resolve) => {
      heard = resolve
    })
    const server = await testServer({ maxVersion, onConnection: (socket) => void text(socket).then(heard) })
    const { stream, close } = await connect({ endpoint: here(server.port), verify: dangerouslyAcceptAny() })
    stream.write('last words')
    await close()
    await close()
    expect([await all, stream.destroyed, server.errors]).toEqual(['last words', true, []])
  })

  it('closes although the server goes on talking, and the server still gets the last words', async () => {
    let heard: (text: string) => void = () => {}
    const all = new Promise<string>((resolve) => {
      heard = resolve
    })
    const server = await testServer({
      maxVersion,
      allowHalfOpen: true,
      onConnection(socket) {
        const talk = (): void => {
          if (!socket.destroyed) socket.write(BLOCK, () => setImmediate(talk))
        }
        talk()
        void text(socket).then(heard, heard)
      },
    })
    const { stream, close } = await connect({ endpoint: here(server.port), verify: dangerouslyAcceptAny() })
    await once(stream, 'readable')
    stream.write('last words')
    await close()
    expect([await all, stream.destroyed]).toEqual(['last words', true])
  })

  it('is disposed of at the end of its scope', async () => {
    const server = await testServer({ maxVersion })
    let stream: { destroyed: boolean } | undefined
    {
      await using connection = await connect({ endpoint: here(server.port), verify: dangerouslyAcceptAny() })
      stream = connection.stream
      expect(stream.destroyed).toBe(false)
    }
    expect(stream.destroyed).toBe(true)
  })

  it('agrees on an application protocol if both sides name it', async () => {
    const server = await testServer({ maxVersion, ALPNProtocols: ['b', 'a'] })
    const context = await createClientContext({ alpn: ['a', 'c'] })
    const endpoint = here(server.port)
    const { stream, alpn } = await connect({ endpoint, verify: dangerouslyAcceptAny(), context })
    expect(alpn).toBe('a')
    stream.destroy()
    const other = await createClientContext({ alpn: ['c'] })
    await expect(connect({ endpoint, verify: dangerouslyAcceptAny(), context: other })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_HANDSHAKE_FAILED',
      alert: 120,
      message: expect.stringContaining('no_application_protocol (120)'),
    })
  })

  it.each([
    { host: 'localhost', serverName: undefined, sni: 'localhost' },
    { host: '127.0.0.1', serverName: undefined, sni: false },
    { host: '127.0.0.1', serverName: 'BÜCHER.example.', sni: 'xn--bcher-kva.example' },
    { host: 'localhost', serverName: null, sni: false },
  ])('names $sni by SNI for $host and $serverName', async ({ host, serverName, sni }) => {
    const seen: unknown[] = []
    const server = await testServer({
      maxVersion,
      onConnection(socket) {
        seen.push((socket as { servername?: unknown }).servername)
        socket.end()
      },
    })
    const { stream } = await connect({
      endpoint: endpointFrom(host, server.port),
      verify: dangerouslyAcceptAny(),
      ...(serverName === undefined ? {} : { serverName }),
    })
    await text(stream)
    expect(seen).toEqual([sni])
  })
})

describe('connect', () => {
  it.each(['127.0.0.1', '::1'])('finds localhost listening on %s only', async (host) => {
    const addresses = await lookup('localhost', { all: true })
    // Not every computer calls both of them localhost.
    if (!addresses.some(({ address }) => address === host)) return
    const server = await testServer({ host })
    const { stream } = await connect({ endpoint: here(server.port), verify: dangerouslyAcceptAny() })
    stream.write('hello')
    expect(await text(stream)).toBe('echo hello')
  })

  it('connects to an IPv6 address', async () => {
    const server = await testServer({ host: '::1' })
    const endpoint = parseEndpoint(`[::1]:${server.port}`)
    const { stream } = await connect({ endpoint, verify: dangerouslyAcceptAny() })
    stream.destroy()
  })

  it('agrees with a server that wants another group first (HelloRetryRequest)', async () => {
    const server = await testServer({ minVersion: 'TLSv1.3', ecdhCurve: 'P-384' })
    const me = forgeCertificate({ commonName: 'me' })
    const { stream } = await connect({
      endpoint: here(server.port),
      verify: pins([server.certificate.certificate.fingerprint]),
      identity: { cert: me.certPem, key: me.keyPem },
    })
    stream.write('hello')
    expect(await text(stream)).toBe('echo hello')
  })

  it('says why there is no connection', async () => {
    const closed = createTcpServer()
    const port = await listening(closed)
    closed.close()
    await once(closed, 'close')
    await expect(connect({ endpoint: here(port), verify: dangerouslyAcceptAny() })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_CONNECT_FAILED',
      message: expect.stringContaining('ECONNREFUSED'),
      cause: { code: 'ECONNREFUSED' },
    })
  })

  it.each([
    { server: 'does not speak TLS', says: '51 not TLS\r\n', code: 'ERR_TLACACOCA_HANDSHAKE_FAILED' },
    { server: 'hangs up', says: '', code: 'ERR_TLACACOCA_HANDSHAKE_FAILED' },
  ])('fails with a server that $server', async ({ says, code }) => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => {})
      socket.end(says)
    })
    const port = await listening(server)
    onTestFinished(() => void server.close())
    await expect(connect({ endpoint: here(port), verify: dangerouslyAcceptAny() })).rejects.toMatchObject({ code })
  })

  it.each([
    {
      policy: 'TLS 1.1 at most',
      options: { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' },
    },
    { policy: 'static RSA only', options: { maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256' }, rsa: true },
    { policy: 'CBC only', options: { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA' } },
    {
      policy: 'DHE only',
      options: { maxVersion: 'TLSv1.2', ciphers: 'DHE-RSA-AES128-GCM-SHA256', dhparam: 'auto' },
      rsa: true,
    },
  ] as const)('does not agree with $policy', async ({ options, ...more }) => {
    const certificate = 'rsa' in more ? forgeCertificate({ key: 'RSA-2048' }) : forgeCertificate()
    const server = await testServer({ certificate, ...options })
    const { verify, candidates } = asked(() => ({ accept: true, ground: 'x' }))
    await expect(connect({ endpoint: here(server.port), verify })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_HANDSHAKE_FAILED',
    })
    expect(candidates).toEqual([])
  })

  it('asks for TLS 1.3 alone if its context does', async () => {
    const server = await testServer({ maxVersion: 'TLSv1.2' })
    const context = await createClientContext({ minVersion: 'TLSv1.3' })
    const verify = dangerouslyAcceptAny()
    await expect(connect({ endpoint: here(server.port), verify, context })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_HANDSHAKE_FAILED',
      alert: 70,
    })
  })

  it('reports the alert of a server that wants a certificate, which TLS 1.3 tells after the handshake', async () => {
    const server = await testServer({ rejectUnauthorized: true, minVersion: 'TLSv1.3' })
    const { stream } = await connect({ endpoint: here(server.port), verify: dangerouslyAcceptAny() })
    await expect(text(stream)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_CONNECTION_BROKEN', alert: 116 })
    const old = await testServer({ rejectUnauthorized: true, maxVersion: 'TLSv1.2' })
    await expect(connect({ endpoint: here(old.port), verify: dangerouslyAcceptAny() })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_HANDSHAKE_FAILED',
      alert: 40,
    })
  })

  // The key that makes Node abort the whole process when it is asked for details: a P-256 point of the one octet 00.
  it.each(VERSIONS)('outlives a server with a hostile key among its intermediates, by %s', async (maxVersion) => {
    const authority = forgeCertificate({ commonName: 'ca', ca: true })
    const leaf = forgeCertificate({ issuer: authority, hosts: ['localhost'] })
    const hostile = craft({
      subject: name('ca'),
      spki: ecKey('1.2.840.10045.3.1.7', bytes('00')),
      extensions: [extension('2.5.29.19', sequence(element(0x01, bytes('ff'))))],
    })
    const certificate = { ...leaf, certPem: leaf.certPem + formatPem('CERTIFICATE', hostile) }
    const server = await testServer({ maxVersion, certificate })
    const endpoint = here(server.port)
    const { peer, stream } = await connect({ endpoint, verify: authorities([authority.certificate]) })
    expect(peer.chain.map(({ der }) => Buffer.from(der))).toEqual([leaf.der, hostile].map((der) => Buffer.from(der)))
    stream.destroy()
    const other = forgeCertificate({ commonName: 'other', ca: true })
    const attempt = connect({ endpoint, verify: authorities([other.certificate]) })
    await expect(attempt).rejects.toMatchObject({ code: 'ERR_TLACACOCA_PEER_REFUSED', reason: 'malformed' })
  })

  it('does not take the process down when a connection breaks and nobody listens', async () => {
    const server = await testServer({ onConnection: (socket) => socket.on('data', () => socket.destroy()) })
    const { stream } = await connect({ endpoint: here(server.port), verify: dangerouslyAcceptAny() })
    stream.resume()
    stream.write('hello')
    await new Promise<void>((resolve) => stream.once('close', () => resolve()))
    expect(stream.errored).toMatchObject({ code: 'ERR_TLACACOCA_TRUNCATED' })
  })
})

describe('connect gives up', () => {
  /** Accepts connections and says nothing; tells when a client has gone. */
  async function silentServer() {
    let gone: () => void = () => {}
    const clientGone = new Promise<void>((resolve) => {
      gone = resolve
    })
    const server = createTcpServer((socket) => {
      socket.on('error', () => {})
      socket.resume().on('close', () => gone())
    })
    const port = await listening(server)
    onTestFinished(() => void server.close())
    return { port, clientGone }
  }

  it('when the handshake takes too long', async () => {
    const { port, clientGone } = await silentServer()
    const attempt = connect({ endpoint: here(port), verify: dangerouslyAcceptAny(), timeoutMs: 1000 })
    await expect(attempt).rejects.toMatchObject({ code: 'ERR_TLACACOCA_TIMEOUT' })
    await clientGone
  })

  it('when its signal is aborted before', async () => {
    const { port } = await silentServer()
    const signal = AbortSignal.abort('changed my mind')
    const attempt = connect({ endpoint: here(port), verify: dangerouslyAcceptAny(), signal })
    await expect(attempt).rejects.toMatchObject({ code: 'ERR_TLACACOCA_ABORTED', cause: 'changed my mind' })
  })

  it('when its signal is aborted during the handshake', async () => {
    const { port, clientGone } = await silentServer()
    const controller = new AbortController()
    const attempt = connect({ endpoint: here(port), verify: dangerouslyAcceptAny(), signal: controller.signal })
    const probe = connectTcp(port, '127.0.0.1')
    await once(probe, 'connect')
    probe.destroy()
    controller.abort()
    await expect(attempt).rejects.toMatchObject({ code: 'ERR_TLACACOCA_ABORTED' })
    await clientGone
  })

  it('when the verifier takes too long, and tells it so', async () => {
    const server = await testServer()
    const { verify, candidates } = asked(() => new Promise(() => {}))
    const attempt = connect({ endpoint: here(server.port), verify, verifyTimeoutMs: 20 })
    await expect(attempt).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_TIMEOUT',
      message: expect.stringContaining('verifier'),
    })
    expect(candidates[0]?.signal.aborted).toBe(true)
  })

  it('when a verifier takes too long that answers with a promise of another make', async () => {
    const server = await testServer()
    // biome-ignore lint/suspicious/noThenProperty: this is what makes it one
    const { verify } = asked(() => ({ then: () => {} }) as unknown as Promise<VerifierDecision>)
    const attempt = connect({ endpoint: here(server.port), verify, timeoutMs: 60_000, verifyTimeoutMs: 20 })
    await expect(attempt).rejects.toMatchObject({ message: expect.stringContaining('by the verifier within 20 ms') })
  })

  it('but not because of the time that the verifier takes', async () => {
    const server = await testServer()
    const { verify } = asked(async () => {
      await new Promise((resolve) => setTimeout(resolve, 300))
      return { accept: true, ground: 'slow' }
    })
    const { stream } = await connect({ endpoint: here(server.port), verify, timeoutMs: 200 })
    stream.destroy()
  })

  it('when its signal is aborted while the verifier thinks; a late yes changes nothing', async () => {
    const server = await testServer()
    const controller = new AbortController()
    let answer: (decision: VerifierDecision) => void = () => {}
    const { verify } = asked(() => {
      queueMicrotask(() => controller.abort())
      return new Promise((resolve) => {
        answer = resolve
      })
    })
    const attempt = connect({ endpoint: here(server.port), verify, signal: controller.signal })
    await expect(attempt).rejects.toMatchObject({ code: 'ERR_TLACACOCA_ABORTED' })
    answer({ accept: true, ground: 'late' })
    await new Promise((resolve) => setImmediate(resolve))
    expect(server.received).toEqual([])
  })

  it('when the server goes while the verifier thinks', async () => {
    const server = await testServer({ minVersion: 'TLSv1.3' })
    const proxy = createTcpServer((client) => {
      const upstream = connectTcp(server.port, '127.0.0.1')
      client.on('error', () => {}).pipe(upstream)
      upstream.on('error', () => {}).pipe(client, { end: false })
      proxy.once('cut', () => client.end())
    })
    const port = await listening(proxy)
    onTestFinished(() => void proxy.close())
    const { verify } = asked(() => {
      proxy.emit('cut')
      return new Promise(() => {})
    })
    await expect(connect({ endpoint: here(port), verify })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_HANDSHAKE_FAILED',
    })
  })

  // A promise or two lie between the acceptance and the answer to the caller, and the signal may come in each.
  it('when its signal is aborted at any moment around the acceptance, so that no connection stays', async () => {
    const server = await testServer({})
    let refused = 0
    for (let ticks = 0; ticks < 40; ticks++) {
      const controller = new AbortController()
      const later = (left: number): void => {
        if (left === 0) controller.abort()
        else queueMicrotask(() => later(left - 1))
      }
      const { verify } = asked((candidate) => {
        later(ticks)
        return dangerouslyAcceptAny().verify(candidate)
      })
      const error = await connect({ endpoint: here(server.port), verify, signal: controller.signal }).then(
        ({ stream }) => once(stream, 'error').then(([thrown]) => thrown as unknown),
        (thrown: unknown) => {
          refused++
          return thrown
        },
      )
      expect(error).toMatchObject({ code: 'ERR_TLACACOCA_ABORTED' })
    }
    // Both were met: an attempt that was given up, and a connection that was destroyed.
    expect(refused).toBeGreaterThan(0)
    expect(refused).toBeLessThan(40)
  })

  it('before a byte is sent when the time was up already', async () => {
    const [transport, far] = memoryPair()
    const heard: Buffer[] = []
    far.on('data', (chunk: Buffer) => heard.push(chunk))
    const deadline = new Deadline({
      to: 'memory',
      timeoutMs: 5000,
      verifyTimeoutMs: 5000,
      signal: AbortSignal.abort('enough'),
    })
    const attempt = shakeHands(transport, {
      endpoint: parseEndpoint('example.org:1965'),
      credentials: (await createClientContext()).credentials,
      serverName: null,
      verify: dangerouslyAcceptAny(),
      deadline,
      onIdentityInClear: () => {},
    })
    await expect(attempt).rejects.toMatchObject({ code: 'ERR_TLACACOCA_ABORTED', cause: 'enough' })
    expect(transport.destroyed).toBe(true)
  })

  it('on the connection, too, when its signal is aborted later', async () => {
    const server = await testServer({ onConnection: (socket) => socket.write('first') })
    const controller = new AbortController()
    const { stream } = await connect({
      endpoint: here(server.port),
      verify: dangerouslyAcceptAny(),
      signal: controller.signal,
    })
    await once(stream, 'data')
    controller.abort()
    await expect(text(stream)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_ABORTED' })
  })
})

describe('connect refuses misuse before it does anything', () => {
  const endpoint = parseEndpoint('localhost:1')
  const verify = dangerouslyAcceptAny()
  it.each([
    { name: 'no options', options: undefined, message: '"options" expected an object' },
    {
      name: 'an endpoint as text',
      options: { endpoint: 'localhost:1', verify },
      message: '"endpoint" expected an Endpoint',
    },
    { name: 'no verifier', options: { endpoint }, message: '"verify" expected a PeerVerifier' },
    { name: 'true for a verifier', options: { endpoint, verify: true }, message: '"verify" expected a PeerVerifier' },
    { name: 'a function for a verifier', options: { endpoint, verify: () => true }, message: '"verify" expected' },
    { name: 'a verifier without verify', options: { endpoint, verify: { name: 'x' } }, message: '"verify.verify"' },
    {
      name: 'a misspelt option',
      options: { endpoint, verify, timeout: 5 },
      message: '"options" has no option "timeout"',
    },
    { name: 'rejectUnauthorized', options: { endpoint, verify, rejectUnauthorized: false }, message: 'has no option' },
    { name: 'a timeout of NaN', options: { endpoint, verify, timeoutMs: Number.NaN }, message: '"timeoutMs"' },
    {
      name: 'no time for the verifier',
      options: { endpoint, verify, verifyTimeoutMs: 0 },
      message: '"verifyTimeoutMs"',
    },
    { name: 'a context of its own making', options: { endpoint, verify, context: {} }, message: '"context" expected' },
    {
      name: 'an address as a server name',
      options: { endpoint, verify, serverName: '::1' },
      message: '"serverName" expected',
    },
    {
      name: 'an unknown policy',
      options: { endpoint, verify, identityOverTls12: true },
      message: '"identityOverTls12"',
    },
    { name: 'something else for a signal', options: { endpoint, verify, signal: {} }, message: '"signal" expected' },
  ])('$name', async ({ options, message }) => {
    const attempt = connect(options as unknown as Parameters<typeof connect>[0])
    await expect(attempt).rejects.toThrow(message)
    await expect(attempt).rejects.not.toHaveProperty('code')
  })

  it('an identity and a context', async () => {
    const me = forgeCertificate()
    const identity = { cert: me.certPem, key: me.keyPem }
    const context = await createClientContext()
    await expect(connect({ endpoint, verify, identity, context })).rejects.toThrow('exclude each other')
  })

  it('does not compile without a verifier', () => {
    // @ts-expect-error: verify is required
    const options: Parameters<typeof connect>[0] = { endpoint }
    expect(options).toEqual({ endpoint })
  })
})
