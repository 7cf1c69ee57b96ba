// What `createSecureServer` gives beyond `createServer`: that the two keep the same promises otherwise is shown in
// server.test.ts, which runs all of them on both.

import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import type { KeyedChain } from '../../src/certificate/keyed-chain.ts'
import { TlacacocaError, VerificationRefused } from '../../src/errors.ts'
import type { ConnectionHandler } from '../../src/net/connection-limits.ts'
import type { Listener } from '../../src/net/listener.ts'
import { AlertCode } from '../../src/tls/alert.ts'
import type { ClientHelloInfo } from '../../src/tls/client-hello.ts'
import type { ChainAnswer } from '../../src/tls/sans-io/answer.ts'
import { ServerCertificates, SNIServerCertificates } from '../../src/tls/sans-io/server-certificates.ts'
import type { ServerTLS } from '../../src/tls/sans-io/server-tls.ts'
import { createSecureServer, type SecureServerOptions } from '../../src/tls/secure-server.ts'
import type { ServerEvent } from '../../src/tls/server.ts'
import { createServerContext, type ServerContext } from '../../src/tls/server-context.ts'
import { family } from '../support/chain-fixtures.ts'
import { forgeCertificate } from '../support/forged-certificates.ts'
import { chainOf, pemOfIssued, turn } from '../support/sans-io.ts'
import {
  clientChain,
  clientTrust,
  nodeIdentity,
  only,
  serverChain,
  serverTls,
  stranger,
  strangerChain,
  VERSIONS,
} from '../support/sans-io-world.ts'
import { closed, rawClient, visit } from '../support/tls-clients.ts'

const listeners: Listener[] = []
const sockets: Socket[] = []

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await Promise.all(listeners.splice(0).map((listener) => listener.close({ graceMs: 0 })))
})

const whoIsIt: ConnectionHandler = ({ stream, peer, serverName }) => {
  stream.end(`${serverName}|${peer?.fingerprint ?? 'nobody'}`)
}

async function serve(
  handler: ConnectionHandler = whoIsIt,
  options: SecureServerOptions = {},
  context: ServerContext | ServerTLS = serverTls({ clientCertificates: 'request' }),
): Promise<{ port: number; server: Listener; events: ServerEvent[] }> {
  const events: ServerEvent[] = []
  const server = createSecureServer(context, handler, { onEvent: (event) => events.push(event), ...options })
  listeners.push(server)
  return { port: (await server.listen(0, '127.0.0.1')).port, server, events }
}

/** Waits for something that other events bring about. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await turn()
}

/** A client of Node's whose handshake is over, and which goes on. */
async function client(port: number, options: object = {}): Promise<TLSSocket> {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options })
  sockets.push(socket)
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  return socket
}

describe.each(VERSIONS)('a secure server over %s', (version) => {
  const versions = only(version)

  describe('its verifier', () => {
    it.each([
      ['at once', (): void => {}],
      ['late', (): Promise<void> => turn()],
      ['whatever it returns', () => false as never],
    ] as const)('accepts by returning, %s', async (_name, verify) => {
      const { port } = await serve(whoIsIt, { verify })
      const { text, error } = await visit(port, { ...versions, ...nodeIdentity })
      expect({ text, error }).toEqual({ text: `null|${clientChain.leaf.fingerprint}`, error: null })
    })

    it('is asked once for each client, with the chain and the connection, before the handler is', async () => {
      const log: string[] = []
      const { port } = await serve(
        (connection) => {
          log.push('handler')
          return whoIsIt(connection)
        },
        {
          verify: (chain, connection) => {
            log.push(`${chain.map(({ fingerprint }) => fingerprint)} ${connection.state} ${connection.peer}`)
          },
        },
      )
      await visit(port, { ...versions, ...nodeIdentity })
      await visit(port, versions)
      const sent = clientChain.certificates.slice(0, 2).map(({ fingerprint }) => fingerprint)
      expect(log).toEqual([`${sent} verifying null`, 'handler', ' verifying null', 'handler'])
    })

    const ALERTS = Object.entries(AlertCode).filter(
      ([name]) => !['close_notify', 'no_renegotiation', 'user_canceled'].includes(name),
    )

    it.each(ALERTS)('refuses by the alert %s, which the client gets to see', async (_name, alert) => {
      let handled = 0
      const { port, server, events } = await serve(() => handled++, {
        verify:
          alert % 2 === 0
            ? () => {
                throw new VerificationRefused(alert)
              }
            : async () => {
                await turn()
                throw new VerificationRefused(alert)
              },
      })
      const seen = await visit(port, { ...versions, ...nodeIdentity })
      expect({ alert: seen.alert, text: seen.text }).toEqual({ alert, text: '' })
      await until(() => server.connections === 0)
      expect(handled).toBe(0)
      expect(events).toMatchObject([{ kind: 'handshake_failed', reason: 'refused', error: { alert } }])
    })

    it('refuses by whatever else it throws, and tells the client no more than that', async () => {
      const oops = new Error('the file of friends cannot be read')
      const { port, events } = await serve(whoIsIt, {
        verify: () => {
          throw oops
        },
      })
      expect(await visit(port, { ...versions, ...nodeIdentity })).toMatchObject({
        alert: AlertCode.internal_error,
        text: '',
      })
      expect(events).toMatchObject([{ reason: 'refused', error: oops }])
    })

    it('has so much time and no more', async () => {
      const { port, server, events } = await serve(whoIsIt, {
        verify: () => new Promise(() => {}),
        verifyTimeoutMs: 50,
      })
      const seen = await visit(port, { ...versions, ...nodeIdentity })
      expect(seen.text).toBe('')
      await until(() => server.connections === 0)
      expect(events).toMatchObject([{ reason: 'timeout', error: { code: 'ERR_TLACACOCA_TIMEOUT' } }])
    })

    it('that is slow holds up its own client and nobody else', async () => {
      let accept = (): void => {}
      const waiting = new Promise<void>((resolve) => {
        accept = resolve
      })
      // The first one with a certificate has to wait; the deadline of the handshake does not run meanwhile.
      const { port } = await serve(whoIsIt, {
        verify: (chain) => (chain.length > 0 ? waiting : undefined),
        handshakeTimeoutMs: 5000,
      })
      let isDone = false
      const slow = visit(port, { ...versions, ...nodeIdentity }).finally(() => {
        isDone = true
      })
      const others = await Promise.all(Array.from({ length: 20 }, () => visit(port, versions)))
      expect(new Set(others.map(({ text }) => text))).toEqual(new Set(['null|nobody']))
      expect(isDone).toBe(false)
      accept()
      expect((await slow).text).toBe(`null|${clientChain.leaf.fingerprint}`)
    })

    it('may take longer than the client does to say all it has to say', async () => {
      let accept = (): void => {}
      const { port } = await serve(
        ({ stream }) => {
          let request = ''
          stream.on('data', (chunk) => {
            request += chunk
          })
          stream.on('end', () => stream.end(`got ${request.length}`))
        },
        {
          verify: () =>
            new Promise<void>((resolve) => {
              accept = resolve
            }),
        },
      )
      const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...versions })
      sockets.push(socket)
      socket.end('x'.repeat(200_000))
      let text = ''
      socket.setEncoding('utf8').on('data', (piece) => {
        text += piece
      })
      // The end of the wire comes while nobody has been accepted.
      for (let turns = 0; turns < 50; turns++) await turn()
      accept()
      await closed(socket)
      expect(text).toBe('got 200000')
    })

    it('sends nothing to a client before it has decided, not even a ticket', async () => {
      let accept = (): void => {}
      let asked = false
      const { port } = await serve(whoIsIt, {
        verify: () => {
          asked = true
          return new Promise<void>((resolve) => {
            accept = resolve
          })
        },
      })
      const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...versions })
      sockets.push(socket)
      const raw = (socket as unknown as { _parent: Socket })._parent ?? socket
      await until(() => asked)
      const before = raw.bytesRead
      for (let turns = 0; turns < 50; turns++) await turn()
      expect(raw.bytesRead).toBe(before)
      accept()
      socket.resume()
      await closed(socket)
      expect(raw.bytesRead).toBeGreaterThan(before)
    })
  })

  describe('client certificates', () => {
    const required = version === 'TLSv1.3' ? AlertCode.certificate_required : AlertCode.handshake_failure

    it.each([
      ['"require"', 'require' as const],
      ['an authority', { trustRoot: clientTrust }],
    ])('are required by %s: without one there is an alert', async (_name, clientCertificates) => {
      const { port, events } = await serve(whoIsIt, {}, serverTls({ clientCertificates }))
      expect(await visit(port, versions)).toMatchObject({ alert: required, text: '' })
      expect((await visit(port, { ...versions, ...nodeIdentity })).text).toBe(`null|${clientChain.leaf.fingerprint}`)
      expect(events).toMatchObject([{ reason: 'refused' }])
    })

    it('of somebody else are refused where an authority is named', async () => {
      const { port, events } = await serve(whoIsIt, {}, serverTls({ clientCertificates: { trustRoot: clientTrust } }))
      const seen = await visit(port, { ...versions, ...pemOfIssued(stranger) })
      // A client may also keep a certificate to itself that is of no authority it was asked for.
      expect([AlertCode.unknown_ca, required]).toContain(seen.alert)
      expect(seen.text).toBe('')
      expect(events).toMatchObject([{ reason: 'refused' }])
    })

    it('are all the same to "request"', async () => {
      const { port } = await serve()
      expect((await visit(port, { ...versions, ...pemOfIssued(stranger) })).text).toBe(
        `null|${strangerChain.leaf.fingerprint}`,
      )
    })
  })

  describe('an upload', () => {
    const upload: ConnectionHandler = ({ stream }) =>
      new Promise<void>((resolve) => {
        let size = 0
        stream.on('data', (chunk: Buffer) => {
          size += chunk.length
        })
        stream.on('end', () => stream.end(`got ${size}`))
        stream.on('error', (error) => outcomes.push(error))
        stream.on('close', resolve)
      })
    let outcomes: Error[] = []

    it('that is cut off fails the stream, and one that is whole does not', async () => {
      outcomes = []
      const { port, server } = await serve(upload)
      const socket = await client(port, versions)
      socket.end('x'.repeat(50_000))
      let text = ''
      for await (const chunk of socket.setEncoding('utf8')) text += chunk
      expect(text).toBe('got 50000')
      expect(outcomes).toEqual([])

      // The wire ends, and TLS does not.
      const raw = connectTcp({ port, host: '127.0.0.1' })
      sockets.push(raw)
      const cut = await client(port, { ...versions, socket: raw })
      cut.write('x'.repeat(50_000), () => raw.end())
      await until(() => outcomes.length > 0)
      expect(outcomes).toMatchObject([{ code: 'ERR_TLACACOCA_TRUNCATED' }])
      await until(() => server.connections === 0)
    })

    it('that is broken off by a reset fails it with the cause', async () => {
      outcomes = []
      const { port } = await serve(upload)
      const raw = connectTcp({ port, host: '127.0.0.1' })
      const socket = await client(port, { ...versions, socket: raw })
      socket.write('x'.repeat(1000))
      for (let turns = 0; turns < 20; turns++) await turn()
      raw.resetAndDestroy()
      await until(() => outcomes.length > 0)
      expect(outcomes).toMatchObject([{ code: 'ERR_TLACACOCA_TRUNCATED', cause: { code: 'ECONNRESET' } }])
    })

    it('need not be read to be answered, and answering does not hang when the client is gone', async () => {
      const ends: string[] = []
      const { port } = await serve(({ stream }) => {
        // Nobody reads; the client has sent something and goes away.
        stream.write(Buffer.alloc(4 * 2 ** 20), (error) =>
          ends.push(error instanceof TlacacocaError ? 'coded' : `${error}`),
        )
        stream.on('close', () => ends.push('close'))
      })
      const raw = connectTcp({ port, host: '127.0.0.1' })
      sockets.push(raw)
      const socket = await client(port, { ...versions, socket: raw })
      socket.pause()
      socket.write('unread')
      for (let turns = 0; turns < 50; turns++) await turn()
      raw.resetAndDestroy()
      await until(() => ends.length === 2)
      expect(ends).toEqual(['coded', 'close'])
    })
  })

  describe('a ServerTLS as its context', () => {
    const other = family({ leaf: { names: [[2, 'other.example.org']] } })
    const otherChain = chainOf(other.leaf, other.middle, other.root)

    class Chooser extends ServerCertificates {
      readonly hellos: ClientHelloInfo[] = []
      readonly #choose: (hello: ClientHelloInfo, name: string | null) => KeyedChain | null
      readonly #isLate: boolean

      constructor(choose: (hello: ClientHelloInfo, name: string | null) => KeyedChain | null, isLate: boolean) {
        super()
        this.#choose = choose
        this.#isLate = isLate
      }

      override async getCertificateChainForServerName(
        name: string | null,
        answer: ChainAnswer,
        hello: ClientHelloInfo,
      ): Promise<void> {
        this.hellos.push(hello)
        if (this.#isLate) await turn()
        answer(this.#choose(hello, name))
      }
    }

    it.each([false, true])('chooses by what a hello offers, though it names nobody (late: %s)', async (isLate) => {
      const certificates = new Chooser((hello) => (hello.alpn.includes('other') ? otherChain : serverChain), isLate)
      const { port } = await serve(whoIsIt, {}, serverTls({ certificates, alpn: ['other', 'one'] }))
      const shown = async (protocol: string): Promise<string | null> =>
        (await visit(port, { ...versions, ALPNProtocols: [protocol] })).server
      expect(await shown('one')).toBe(serverChain.leaf.fingerprint)
      expect(await shown('other')).toBe(otherChain.leaf.fingerprint)
      expect(certificates.hellos.map(({ sni }) => sni)).toEqual([null, null])
    })

    it('refuses a name that nothing fits, by unrecognized_name', async () => {
      const certificates = new SNIServerCertificates([serverChain, otherChain], { onUnknownName: 'alert' })
      const { port, events } = await serve(whoIsIt, {}, serverTls({ certificates }))
      expect((await visit(port, { ...versions, servername: 'other.example.org' })).server).toBe(
        otherChain.leaf.fingerprint,
      )
      expect((await visit(port, { ...versions, servername: 'nowhere.example.org' })).alert).toBe(
        AlertCode.unrecognized_name,
      )
      expect(events).toMatchObject([{ reason: 'unknown_server_name' }])
    })

    it('that has no answer is given up when the handshake takes too long', async () => {
      class Silent extends ServerCertificates {
        override getCertificateChainForServerName(): void {}
      }
      const { port, events } = await serve(
        whoIsIt,
        { handshakeTimeoutMs: 50 },
        serverTls({ certificates: new Silent() }),
      )
      expect((await visit(port, versions)).text).toBe('')
      expect(events).toMatchObject([{ reason: 'timeout' }])
    })
  })

  describe('its events', () => {
    it('say why there is no connection', async () => {
      const mine = forgeCertificate({ hosts: ['example.org'] })
      const context = await createServerContext({
        certificates: [{ cert: mine.certPem, key: mine.keyPem }],
        clientCertificates: 'request',
        unknownServerName: 'refuse',
      })
      const { port, events } = await serve(
        whoIsIt,
        {
          handshakeTimeoutMs: 60,
          verify: (chain) => {
            if (chain.length > 0) throw new VerificationRefused(AlertCode.access_denied)
          },
        },
        context,
      )
      const silent = await rawClient(port)
      await closed(silent)
      const gone = await rawClient(port)
      gone.end()
      await closed(gone)
      const http = await rawClient(port)
      http.write('GET / HTTP/1.1\r\n\r\n')
      await closed(http)
      await visit(port, { ...versions, servername: 'nowhere.example' })
      await visit(port, { ...versions, ...nodeIdentity, servername: 'example.org' })
      expect(events.map(({ kind, reason, address }) => `${kind} ${reason} ${address}`)).toEqual([
        'handshake_failed timeout 127.0.0.1',
        'handshake_failed closed 127.0.0.1',
        'handshake_failed tls 127.0.0.1',
        'handshake_failed unknown_server_name 127.0.0.1',
        'handshake_failed refused 127.0.0.1',
      ])
      for (const { error } of events) expect(error).toBeInstanceOf(TlacacocaError)
    })

    it('come once for each connection, however it ends', async () => {
      const { port, server, events } = await serve(() => new Promise(() => {}), { handshakeTimeoutMs: 100 })
      const reset = await rawClient(port)
      reset.write(Buffer.from('1603010200010001fc', 'hex'))
      await until(() => server.connections === 1)
      reset.resetAndDestroy()
      await until(() => server.connections === 0)
      expect(events).toHaveLength(1)
      // What comes after the handshake is the handler's.
      const socket = await client(port, versions)
      await until(() => server.connections === 1)
      socket.write('x')
      for (let turns = 0; turns < 20; turns++) await turn()
      socket.destroy()
      await until(() => server.connections === 0)
      expect(events).toHaveLength(1)
    })

    it('may throw, and nobody minds', async () => {
      const { port } = await serve(whoIsIt, {
        onEvent: () => {
          throw new Error('no log')
        },
      })
      const http = await rawClient(port)
      http.write('GET / HTTP/1.1\r\n\r\n')
      await closed(http)
      expect((await visit(port, versions)).text).toBe('null|nobody')
    })
  })

  it('takes 200 connections at once, and calls the handler once for each', async () => {
    let calls = 0
    const { port, server } = await serve((connection) => {
      calls++
      return whoIsIt(connection)
    })
    const visits = await Promise.all(Array.from({ length: 200 }, () => visit(port, versions)))
    expect(new Set(visits.map(({ text, error }) => `${text} ${error}`))).toEqual(new Set(['null|nobody null']))
    expect(calls).toBe(200)
    await until(() => server.connections === 0)
  })

  it('calls the handler once, whatever the client says afterwards', async () => {
    let calls = 0
    const { port } = await serve(({ stream }) => {
      calls++
      stream.on('data', (chunk) => stream.write(chunk))
      stream.on('end', () => stream.end())
    })
    const socket = await client(port, versions)
    let text = ''
    socket.setEncoding('utf8').on('data', (piece) => {
      text += piece
    })
    for (const word of ['one ', 'two ', 'three']) {
      socket.write(word)
      for (let turns = 0; turns < 10; turns++) await turn()
    }
    socket.end()
    await closed(socket)
    expect({ text, calls }).toEqual({ text: 'one two three', calls: 1 })
  })

  describe('close', () => {
    it.each([0, 100])('ends handshakes that are under way, after %i ms', async (graceMs) => {
      const { port, server, events } = await serve(whoIsIt, { verify: () => new Promise(() => {}) })
      const silent = await rawClient(port)
      const half = await rawClient(port)
      half.write(Buffer.from('1603010200010001fc', 'hex'))
      // This one waits for the verifier.
      const waiting = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...versions, ...nodeIdentity })
      sockets.push(waiting)
      waiting.on('error', () => {})
      await until(() => server.connections === 3)
      for (let turns = 0; turns < 50; turns++) await turn()
      await server.close({ graceMs })
      expect(server.connections).toBe(0)
      await Promise.all([silent, half, waiting].map(closed))
      // Long before the verifier's time is over.
      await until(() => events.length === 3)
      expect(new Set(events.map(({ reason }) => reason))).toEqual(new Set(['closed']))
    })

    it('lets a connection finish that is being answered', async () => {
      let finish = (): void => {}
      const { port, server } = await serve(({ stream }) => {
        stream.write('begun ')
        finish = () => stream.end('and finished')
      })
      const socket = await client(port, versions)
      let text = ''
      socket.setEncoding('utf8').on('data', (piece) => {
        text += piece
      })
      await until(() => text !== '')
      const closing = server.close({ graceMs: 5000 })
      finish()
      await closing
      await closed(socket)
      expect(text).toBe('begun and finished')
    })
  })
})

describe('mistakes of the program', () => {
  it.each([
    ['a context that is none', () => createSecureServer({} as never, whoIsIt), /context/],
    ['a handler that is none', () => createSecureServer(serverTls(), null as never), /"handler"/],
    [
      'an option that does not exist',
      () => createSecureServer(serverTls(), whoIsIt, { verfy: () => {} } as never),
      /verfy/,
    ],
    ['a verifier that is none', () => createSecureServer(serverTls(), whoIsIt, { verify: {} as never }), /"verify"/],
    [
      'no time for the verifier',
      () => createSecureServer(serverTls(), whoIsIt, { verifyTimeoutMs: 0 }),
      /"verifyTimeoutMs"/,
    ],
  ])('%s is refused', (_name, act, message) => {
    expect(act).toThrow(message)
  })

  it('leaves a ServerTLS as it was, with its own deadlines, for whoever else uses it', async () => {
    const tls = serverTls()
    await serve(whoIsIt, { handshakeTimeoutMs: 50 }, tls)
    const connection = tls.start({ writeToWire: () => {} })
    expect((connection.nextDeadline ?? 0) - Date.now()).toBeGreaterThan(5000)
    connection.destroy()
  })
})
