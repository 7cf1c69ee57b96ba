import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls, type SecureVersion, TLSSocket } from 'node:tls'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { ConnectionHandler } from '../../src/net/connection-limits.ts'
import type { Listener } from '../../src/net/listener.ts'
import { createSecureServer } from '../../src/tls/secure-server.ts'
import { createServer, type ServerEvent, type ServerOptions } from '../../src/tls/server.ts'
import { createServerContext, type ServerContextOptions } from '../../src/tls/server-context.ts'
import { type ForgedCertificate, forgeCertificate } from '../support/forged-certificates.ts'
import { closed, openssl, rawClient, visit } from '../support/tls-clients.ts'
import { askTwice } from '../support/two-hellos.ts'

const site = forgeCertificate({ hosts: ['example.org'], commonName: 'example.org' })
const other = forgeCertificate({ hosts: ['example.net'], commonName: 'example.net' })
const VERSIONS: readonly SecureVersion[] = ['TLSv1.2', 'TLSv1.3']
const listeners: Listener[] = []

afterEach(async () => {
  await Promise.all(listeners.splice(0).map((listener) => listener.close({ graceMs: 0 })))
})

const sourceOf = ({ certPem, keyPem }: ForgedCertificate) => ({ cert: certPem, key: keyPem })

/** What a handler learned, in one line. */
const describeConnection: ConnectionHandler = ({ stream, address, peer, serverName }) => {
  const who = peer === null ? 'nobody' : `${peer.fingerprint} ${peer.issuance} ${peer.protocol}`
  stream.end(`${address}|${serverName}|${who}`)
}

// Both kinds of server keep the same promises; what the second one adds is in secure-server.test.ts.
const KINDS = [
  ['createServer', createServer],
  ['createSecureServer', createSecureServer],
] as const
let create: (typeof KINDS)[number][1] = createServer

async function serve(
  handler: ConnectionHandler = describeConnection,
  context: Partial<ServerContextOptions> = {},
  options: ServerOptions = {},
): Promise<{ port: number; server: Listener }> {
  const made = await createServerContext({ certificates: [sourceOf(site)], clientCertificates: 'request', ...context })
  const server = create(made, handler, options)
  listeners.push(server)
  return { port: (await server.listen(0, '127.0.0.1')).port, server }
}

/** Waits for something that other events bring about. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

describe.each(KINDS)('%s', (_name, made) => {
  beforeAll(() => {
    create = made
  })

  describe.each(VERSIONS)('a TLS server over %s', (version) => {
    const only = { minVersion: version, maxVersion: version }

    it('tells the handler the address, the name asked for, and that nobody proved anything', async () => {
      const { port } = await serve()
      const { text, protocol } = await visit(port, { ...only, servername: 'EXAMPLE.org.' })
      expect({ text, protocol }).toEqual({ text: '127.0.0.1|example.org|nobody', protocol: version })
    })

    it('takes a client without SNI', async () => {
      const { port } = await serve()
      expect((await visit(port, only)).text).toBe('127.0.0.1|null|nobody')
    })

    // Node's name for the socket below a TLS socket is in no documentation.
    it.each([false, true])('gives each of many clients its own peer and address, found by Node: %s', async (named) => {
      if (!named)
        Object.defineProperty(TLSSocket.prototype, '_parent', { configurable: true, get: () => null, set() {} })
      try {
        const { port } = await serve(({ stream, address, peer }) => stream.end(`${address} ${peer?.fingerprint}`))
        const clients = Array.from({ length: 8 }, (_, n) => ({ from: `127.0.0.${n + 1}`, ...forgeCertificate() }))
        const answers = await Promise.all(
          clients.map(({ from, certPem, keyPem }) =>
            visit(port, { ...only, localAddress: from, cert: certPem, key: keyPem }),
          ),
        )
        const expected = clients.map(({ from, certificate }) => `${from} ${certificate.fingerprint}`)
        expect(answers.map(({ text }) => text)).toEqual(expected)
      } finally {
        // Connections from before may still end, and Node reads it until then.
        Object.defineProperty(TLSSocket.prototype, '_parent', { configurable: true, writable: true, value: null })
      }
    })

    // The handshake proves possession of the key. What else is odd about a certificate is for rules to judge.
    it.each([
      ['self-signed', {}],
      ['expired', { notAfter: new Date('2021-01-01T00:00:00Z') }],
      ['not yet valid', { notBefore: new Date('2048-01-01T00:00:00Z') }],
      ['of an authority', { ca: true }],
      ['of version 1', { version: 1 }],
      ['for servers only', { usage: 'serverAuth' }],
      ['with an RSA key', { key: 'RSA-2048' }],
      ['with an Ed25519 key', { key: 'Ed25519' }],
      ['signed with SHA-1', { hash: 'sha1' }],
      ['with a damaged self-signature', { spoilSignature: true }],
    ] as const)('makes a peer of a client certificate that is %s', async (_, forge) => {
      const { port } = await serve()
      const mine = forgeCertificate({ commonName: 'ana', ...forge })
      const { text } = await visit(port, { ...only, cert: mine.certPem, key: mine.keyPem })
      expect(text).toBe(`127.0.0.1|null|${mine.certificate.fingerprint} not_checked ${version}`)
    })

    it('does not ask for a certificate with "none"', async () => {
      const { port } = await serve(describeConnection, { clientCertificates: 'none' })
      const mine = forgeCertificate()
      expect((await visit(port, { ...only, cert: mine.certPem, key: mine.keyPem })).text).toBe('127.0.0.1|null|nobody')
    })

    describe('with trusted authorities', () => {
      const root = forgeCertificate({ commonName: 'root', ca: true })
      const between = forgeCertificate({ commonName: 'between', ca: true, issuer: root })
      const impostor = forgeCertificate({ commonName: 'root', ca: true })

      it.each([
        ['no certificate', null, 'nobody'],
        ['an issued one', forgeCertificate({ issuer: root, usage: 'clientAuth' }), 'issued'],
        ['a self-signed one', forgeCertificate(), 'unissued'],
        ['one by an authority of the same name', forgeCertificate({ issuer: impostor }), 'unissued'],
        ['one for servers', forgeCertificate({ issuer: root, usage: 'serverAuth' }), 'unissued'],
        ['an expired one', forgeCertificate({ issuer: root, notAfter: new Date('2021-01-01T00:00:00Z') }), 'unissued'],
        ['one whose issuer did not come along', forgeCertificate({ issuer: between }), 'unissued'],
      ] as const)('finishes the handshake and judges %s', async (_, mine, expected) => {
        const { port } = await serve(describeConnection, {
          clientCertificates: { trustedAuthorities: [root.certificate] },
        })
        const { text, error } = await visit(port, { ...only, ...(mine && { cert: mine.certPem, key: mine.keyPem }) })
        expect(error).toBeNull()
        expect(text.split('|')[2]).toContain(expected)
      })

      it('finds the way to the authority by what came along', async () => {
        const { port } = await serve(describeConnection, {
          clientCertificates: { trustedAuthorities: [root.certificate] },
        })
        const mine = forgeCertificate({ issuer: between })
        const { text } = await visit(port, { ...only, cert: mine.certPem + between.certPem, key: mine.keyPem })
        expect(text).toContain(' issued ')
      })
    })

    it('sends the names of trusted authorities, and none with "request"', async () => {
      const flag = version === 'TLSv1.2' ? '-tls1_2' : '-tls1_3'
      const root = forgeCertificate({ commonName: 'the root of it all', ca: true })
      const named = await serve(describeConnection, { clientCertificates: { trustedAuthorities: [root.certificate] } })
      expect(await openssl(named.port, [flag])).toMatch(
        /Acceptable client certificate CA names[\s\S]*the root of it all/,
      )
      const open = await serve()
      const output = await openssl(open.port, [flag])
      expect(output).toContain('No client certificate CA names sent')
      expect(output).toMatch(/Client Certificate Types|Requested Signature Algorithms/)
    })

    it('resumes no session, so that nobody is taken for who he was', async () => {
      const { port } = await serve()
      const mine = forgeCertificate()
      let session: Buffer | undefined
      const first = connectTls({
        port,
        host: '127.0.0.1',
        rejectUnauthorized: false,
        cert: mine.certPem,
        key: mine.keyPem,
        ...only,
      })
      first.on('session', (offered: Buffer) => {
        session = offered
      })
      first.resume()
      await closed(first)
      session ??= first.getSession()
      expect(session).toBeDefined()
      const { reused, text } = await visit(port, { ...only, ...(session && { session }) })
      expect(reused).toBe(false)
      expect(text).toBe('127.0.0.1|null|nobody')
    })

    it('ends in good order when the handler ends at once', async () => {
      const { port } = await serve(({ stream }) => stream.end('bye'))
      const flag = version === 'TLSv1.2' ? '-tls1_2' : '-tls1_3'
      const output = await openssl(port, [flag, '-msg', '-ign_eof'], '')
      expect(output).toContain('bye')
      expect(output).toMatch(/<<< .*Alert.*\n.*01 00/)
    })

    it('answers a client that ends its side after the request', async () => {
      const { port } = await serve(({ stream }) => {
        let request = ''
        stream.on('data', (chunk) => {
          request += chunk
        })
        stream.on('end', () => stream.end(`got ${request}`))
      })
      const client = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...only })
      client.end('all of it')
      let text = ''
      for await (const chunk of client.setEncoding('utf8')) text += chunk
      expect(text).toBe('got all of it')
    })

    it('refuses to renegotiate', async () => {
      const { port } = await serve(() => new Promise(() => {}))
      const client = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...only })
      await once(client, 'secureConnect')
      if (version === 'TLSv1.3') {
        client.destroy()
        return
      }
      const outcome = await new Promise((resolve) => {
        client.on('error', resolve)
        client.on('close', () => resolve(new Error('closed')))
        client.renegotiate({ rejectUnauthorized: false }, (error) => resolve(error))
      })
      expect(outcome).toBeInstanceOf(Error)
    })

    it.each([
      [
        'throws',
        () => {
          throw new Error('oops')
        },
      ],
      [
        'rejects',
        async () => {
          throw new Error('oops')
        },
      ],
      [
        'destroys the stream with an error',
        ({ stream }) => {
          stream.destroy(new Error('oops'))
        },
      ],
    ] as [string, ConnectionHandler][])('goes on after a handler that %s', async (_, handler) => {
      const errors: unknown[] = []
      let calls = 0
      const { port } = await serve(
        (connection) => (calls++ === 0 ? handler(connection) : describeConnection(connection)),
        {},
        { onError: (error) => errors.push(error) },
      )
      expect((await visit(port, only)).text).toBe('')
      expect((await visit(port, only)).text).toBe('127.0.0.1|null|nobody')
    })
  })

  describe('what a TLS server does not speak', () => {
    it.each(['-tls1', '-tls1_1'])('refuses %s', async (flag) => {
      const events: ServerEvent[] = []
      const { port } = await serve(describeConnection, {}, { onEvent: (event) => events.push(event) })
      expect(await openssl(port, [flag, '-cipher', 'ALL:@SECLEVEL=0'])).not.toContain('127.0.0.1|')
      expect(events).toMatchObject([{ kind: 'handshake_failed', reason: 'tls' }])
    })

    it.each([
      'AES128-SHA',
      'AES256-GCM-SHA384',
      'ECDHE-ECDSA-AES128-SHA',
      'ECDHE-ECDSA-AES128-SHA256',
      'DHE-RSA-AES128-GCM-SHA256',
    ])('refuses the suite %s, which has no forward secrecy or no authenticated encryption', async (suite) => {
      const { port } = await serve()
      expect(await openssl(port, ['-tls1_2', '-cipher', `${suite}:@SECLEVEL=0`])).toMatch(
        /handshake failure|no cipher/i,
      )
    })

    it('refuses TLS 1.2 where 1.3 is the minimum', async () => {
      const { port } = await serve(describeConnection, { minVersion: 'TLSv1.3' })
      expect((await visit(port, { maxVersion: 'TLSv1.2' })).alert).toBe(70)
      expect((await visit(port)).protocol).toBe('TLSv1.3')
    })
  })

  describe('a client that does not get on with it', () => {
    it.each([
      ['says nothing', () => {}],
      ['speaks HTTP', (socket) => socket.write('GET / HTTP/1.1\r\n\r\n')],
      ['sends half a record', (socket) => socket.write(Buffer.from([22, 3, 1, 2, 0, 1]))],
    ] as [string, (socket: Awaited<ReturnType<typeof rawClient>>) => void][])(
      'is cut off when it %s, and the connection is really gone',
      async (_, act) => {
        const events: ServerEvent[] = []
        const { port, server } = await serve(
          describeConnection,
          {},
          { handshakeTimeoutMs: 150, onEvent: (e) => events.push(e) },
        )
        const socket = await rawClient(port)
        act(socket)
        await closed(socket)
        await until(() => server.connections === 0)
        expect(events).toHaveLength(1)
        expect(['timeout', 'tls', 'closed']).toContain(events[0]?.reason)
      },
    )

    it('cannot stretch the deadline by sending a byte now and then', async () => {
      const hello = await recordedHello()
      const { port, server } = await serve(describeConnection, {}, { handshakeTimeoutMs: 200 })
      const socket = await rawClient(port)
      let sent = 0
      const drip = setInterval(() => socket.write(hello.subarray(sent, ++sent)), 10)
      await closed(socket)
      clearInterval(drip)
      expect(sent).toBeLessThan(hello.length)
      await until(() => server.connections === 0)
    })

    it.each([
      ['ends', 'end'],
      ['resets', 'resetAndDestroy'],
    ] as const)('is gone as soon as it %s in mid-handshake, and not at the deadline only', async (_, leave) => {
      const hello = await recordedHello()
      const events: ServerEvent[] = []
      const options = { handshakeTimeoutMs: 2 ** 31 - 1, onEvent: (event: ServerEvent) => events.push(event) }
      for (const certificates of [[sourceOf(site)], [sourceOf(site), sourceOf(other)]]) {
        const { port, server } = await serve(describeConnection, { certificates }, options)
        for (const length of [0, 1, 5, 40, hello.length]) {
          const socket = await rawClient(port)
          socket.write(hello.subarray(0, length))
          await until(() => server.connections === 1)
          socket[leave]()
          await until(() => server.connections === 0)
        }
      }
      expect(events).toHaveLength(10)
      for (const { reason } of events) expect(['closed', 'tls']).toContain(reason)
    })

    // The certificate is chosen by the first hello, and OpenSSL goes by the second one.
    it.each([
      { first: 'example.net', second: 'example.net', served: ['example.net'] },
      { first: 'example.net', second: 'example.org', served: [] },
      { first: null, second: 'example.net', served: [] },
    ])('is served $served if it asks for $first and then for $second', async ({ first, second, served }) => {
      const names: unknown[] = []
      const events: ServerEvent[] = []
      const { port } = await serve(
        ({ stream, serverName }) => {
          names.push(serverName)
          stream.end()
        },
        { certificates: [sourceOf(site), sourceOf(other)], clientCertificates: 'none' },
        { onEvent: (event) => events.push(event) },
      )
      await askTwice(port, [first, second])
      expect(names).toEqual(served)
      expect(events.map(({ reason, error }) => `${reason}: ${error?.message}`)).toEqual(
        served.length > 0 ? [] : ['tls: the server name of the client can be read in two ways'],
      )
    })

    it('costs its own connection only, when it resets at any moment', async () => {
      const hello = await recordedHello()
      const { port, server } = await serve()
      for (let length = 0; length < hello.length; length += 13) {
        const socket = await rawClient(port)
        socket.write(hello.subarray(0, length))
        socket.resetAndDestroy()
      }
      expect((await visit(port)).text).toBe('127.0.0.1|null|nobody')
      await until(() => server.connections === 0)
    })
  })

  /** The first flight of a client, as it is on the wire. */
  async function recordedHello(): Promise<Buffer> {
    const { createServer: createTcpServer } = await import('node:net')
    const sink = createTcpServer()
    sink.listen(0, '127.0.0.1')
    await once(sink, 'listening')
    const { port } = sink.address() as { port: number }
    const client = connectTls({ port, host: '127.0.0.1' })
    client.on('error', () => {})
    const [socket] = await once(sink, 'connection')
    const [hello] = await once(socket, 'data')
    client.destroy()
    socket.destroy()
    sink.close()
    return hello
  }

  describe('limits', () => {
    it('takes no more connections than it may', async () => {
      const { port, server } = await serve(() => new Promise(() => {}), {}, { maxConnections: 2 })
      const sockets = [await rawClient(port), await rawClient(port)]
      await until(() => server.connections === 2)
      const third = connectTcp({ port, host: '127.0.0.1' })
      third.on('error', () => {})
      await closed(third)
      expect(server.connections).toBe(2)
      for (const socket of sockets) socket.destroy()
    })

    it('sends a client that a guard refuses not one byte', async () => {
      const refused: string[] = []
      const { port } = await serve(
        describeConnection,
        {},
        {
          guards: [{ name: 'bans', opened: () => ({ accept: false }) }],
          onRefused: ({ address, reason, guard }) => refused.push(`${address} ${reason} ${guard}`),
        },
      )
      const client = connectTcp({ port, host: '127.0.0.1' })
      let received = 0
      client
        .on('error', () => {})
        .on('data', (chunk) => {
          received += chunk.length
        })
      client.write(await recordedHello())
      await closed(client)
      expect(received).toBe(0)
      expect(refused).toEqual(['127.0.0.1 guard bans'])
    })

    it('asks the guards before the handshake', async () => {
      const guards = [{ opened: () => ({ accept: false }) }]
      const { port } = await serve(describeConnection, {}, { guards })
      const { text, server: shown } = await visit(port)
      expect({ text, shown }).toEqual({ text: '', shown: null })
    })
  })

  describe('mistakes of the program', () => {
    it.each([
      ['a context that is none', () => create({} as never, describeConnection)],
      ['a handler that is none', async () => create(await anyContext(), 'handler' as never)],
      [
        'an option that does not exist',
        async () => create(await anyContext(), describeConnection, { maxConnection: 1 } as never),
      ],
      ['a deadline of none', async () => create(await anyContext(), describeConnection, { handshakeTimeoutMs: 0 })],
    ])('%s is refused', async (_, act) => {
      await expect((async () => act())()).rejects.toThrow(
        /"(context|handler|options|handshakeTimeoutMs)"|maxConnection/,
      )
    })
  })
})

const anyContext = () => createServerContext({ certificates: [sourceOf(site)] })
