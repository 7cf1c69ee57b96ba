// Requests as they should not be, and some that are unusual and fine, to the example server and to `tlacacoca serve`, with
// the answers that the Gemini specification (0.24.1) wants. Where it leaves room, a remark says what was chosen.

import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect as connectTcp, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import { AlertCode, connect, createServerContext, dangerouslyAcceptAny, endpointFrom } from 'tlacacoca'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCapsule } from '../../docs/examples/gemini-server.ts'
import { testCertificate } from '../support/certificates.ts'
import { runCli } from '../support/cli.ts'
import { hasProgram } from '../support/field-program.ts'
import { messagesIn, sClient } from '../support/openssl-peer.ts'
import { rawClient, visit } from '../support/tls-clients.ts'

const PAGE = '20 text/gemini\r\n# Hello\n'
const NOT_FOUND = '51 there is no such page\r\n'
const WRONG_HOST = '53 this is not served here\r\n'
const BAD_REQUEST = '59 this is not a request\r\n'
const TOO_LONG = '59 the request is too long\r\n'
const TIMEOUT = '40 the request took too long\r\n'

/** What both servers serve: URLs mean port 1965, wherever the server listens. */
const SERVED = ['localhost:1965', '[::1]:1965', 'bücher.example:1965']

interface Started {
  readonly port: number
  close(): Promise<unknown>
}

/** A folder with a page, and a certificate beside it. */
interface Site {
  readonly folder: string
  readonly certPem: string
  readonly keyPem: string
}

async function startExample({ folder, certPem, keyPem }: Site, requestTimeoutMs: number): Promise<Started> {
  const certificates = [{ cert: certPem, key: keyPem }]
  const context = await createServerContext({ certificates, clientCertificates: 'request' })
  const server = createCapsule({ root: folder, context, served: SERVED, burst: 1000, requestTimeoutMs })
  const { port } = await server.listen(0, '127.0.0.1')
  return { port, close: () => server.close() }
}

async function startCommand({ folder, certPem, keyPem }: Site, requestTimeoutMs: number): Promise<Started> {
  const state = await mkdtemp(join(tmpdir(), 'tlacacoca-diagnostics-'))
  await writeFile(join(state, 'cert.pem'), certPem)
  await writeFile(join(state, 'key.pem'), keyPem, { mode: 0o600 })
  const config = join(state, 'capsule.toml')
  await writeFile(
    config,
    `hosts = ${JSON.stringify(SERVED)}
    listen = "127.0.0.1"
    [[certificates]]
    cert = "cert.pem"
    key = "key.pem"
    [[rate_limits]]
    capacity = 1000
    refill_per_second = 1000
    [limits]
    request_timeout_ms = ${requestTimeoutMs}\n`,
  )
  const interruption = new AbortController()
  let told = ''
  let ended: Promise<unknown> = Promise.resolve()
  const port = await new Promise<number>((resolve, reject) => {
    ended = runCli(['serve', folder, '--config', config, '--port', '0'], {
      home: state,
      now: Date.now(),
      signal: interruption.signal,
      onStderr(piece) {
        told += piece
        const found = /listening .*port=(\d+)/.exec(told)
        if (found !== null) resolve(Number(found[1]))
      },
    }).finally(() => reject(new Error(`it ended: ${told}`)))
  })
  const close = async () => {
    interruption.abort(new Error('interrupted'))
    await ended
    await rm(state, { recursive: true, force: true })
  }
  return { port, close }
}

describe.each([
  { name: 'the example server', start: startExample },
  { name: 'tlacacoca serve', start: startCommand },
])('$name', ({ start }) => {
  let folder = ''
  let server: Started
  let port = 0
  /** The same, for clients that take too long. */
  let impatient: Started

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tlacacoca-diagnostics-'))
    await writeFile(join(folder, 'index.gmi'), '# Hello\n')
    const { certPem, keyPem } = await testCertificate({ host: 'localhost', subjectAltNames: ['::1'] })
    const site = { folder, certPem, keyPem }
    server = await start(site, 30_000)
    port = server.port
    impatient = await start(site, 50)
  })

  afterAll(async () => {
    await server.close()
    await impatient.close()
    await rm(folder, { recursive: true, force: true })
  })

  /** A connection, and TLS in it. */
  async function open(options: ConnectionOptions = {}, at = port): Promise<{ socket: Socket; tls: TLSSocket }> {
    // Half open: what we end is our side only.
    const socket = connectTcp({ port: at, host: '127.0.0.1', allowHalfOpen: true })
    const tls = connectTls({ socket, servername: 'localhost', rejectUnauthorized: false, ...options })
    // What the server ends is ended here too. Node 24 and later leave that to us, and a server counts what stays open.
    tls.once('end', () => tls.end())
    await once(tls, 'secureConnect')
    return { socket, tls }
  }

  async function ask(request: string | Uint8Array): Promise<string> {
    const { tls } = await open()
    tls.write(request)
    return text(tls)
  }

  const url = (length: number): string => `gemini://localhost/${'a'.repeat(length - 'gemini://localhost/'.length)}`

  describe('the line', () => {
    it.each([
      ['as it should be', 'gemini://localhost/\r\n', PAGE],
      ['without CR', 'gemini://localhost/\n', BAD_REQUEST],
      ['without LF', 'gemini://localhost/\rgemini://localhost/\r', BAD_REQUEST],
      ['with LF and CR the other way round', 'gemini://localhost/\n\r', BAD_REQUEST],
      ['that is empty', '\r\n', BAD_REQUEST],
      ['of other words', 'Hello Gemini!\r\n', BAD_REQUEST],
      ['of HTTP', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n', BAD_REQUEST],
      ['with a space in front', ' gemini://localhost/\r\n', BAD_REQUEST],
      ['with a space at the end', 'gemini://localhost/ \r\n', BAD_REQUEST],
      ['with a byte order mark', '\ufeffgemini://localhost/\r\n', BAD_REQUEST],
      ['with NUL', 'gemini://localhost/\0\r\n', BAD_REQUEST],
      ['with a tab', 'gemini://localhost/a\tb\r\n', BAD_REQUEST],
      ['with an escape sequence', 'gemini://localhost/\x1b[2J\r\n', BAD_REQUEST],
      ['that is not UTF-8', Buffer.from('gemini://localhost/\xdc\r\n', 'latin1'), BAD_REQUEST],
      ['that is overlong UTF-8', Buffer.from('gemini://localhost/\xc0\xaf\r\n', 'latin1'), BAD_REQUEST],
      ['of 1,024 bytes', `${url(1024)}\r\n`, NOT_FOUND],
      ['of 1,025 bytes', `${url(1025)}\r\n`, TOO_LONG],
      ['of 1,025 bytes that are fewer letters', `${url(1023)}é\r\n`, TOO_LONG],
      ['of 1,024 bytes that are fewer letters', `${url(1022)}é\r\n`, NOT_FOUND],
      ['of a megabyte', `${url(1_000_000)}\r\n`, TOO_LONG],
      ['of a megabyte that does not end', url(1_000_000), TOO_LONG],
      ['with a megabyte behind it, which is not read', `gemini://localhost/\r\n${'x'.repeat(1_000_000)}`, PAGE],
      ['with another behind it, which is not answered', 'gemini://localhost/\r\ngemini://localhost/x\r\n', PAGE],
      ['that is not a request, before one that is', '\r\ngemini://localhost/\r\n', BAD_REQUEST],
    ])('%s', async (_what, request, answer) => {
      expect(await ask(request)).toBe(answer)
    })
  })

  describe('the URL', () => {
    it.each([
      // Relative ones, with and without their host.
      ['/', BAD_REQUEST],
      ['//localhost/', BAD_REQUEST],
      ['localhost/', BAD_REQUEST],
      ['localhost:1965/', BAD_REQUEST],
      ['gemini:localhost', BAD_REQUEST],
      ['gemini:/', BAD_REQUEST],
      ['gemini:///', BAD_REQUEST],
      ['gemini://', BAD_REQUEST],
      // Schemes. To answer for another one is to be a gateway, "proxy" in the words of the specification.
      ['GEMINI://localhost/', PAGE],
      ['GeMiNi://localhost/', PAGE],
      ['http://localhost/', WRONG_HOST],
      ['https://localhost/', WRONG_HOST],
      ['https://localhost:1965/', WRONG_HOST],
      ['HTTPS://example.org', WRONG_HOST],
      ['gopher://localhost/', WRONG_HOST],
      ['spartan://localhost/', WRONG_HOST],
      ['titan://localhost/;size=0', WRONG_HOST],
      // One that is malformed is malformed, whatever its scheme; and without `//` there is no server that it names.
      ['https://localhost/%zz', BAD_REQUEST],
      ['file:///etc/passwd', BAD_REQUEST],
      ['mailto:ana@localhost', BAD_REQUEST],
      ['geminı://localhost/', BAD_REQUEST],
      ['1gemini://localhost/', BAD_REQUEST],
      // Users and fragments must not be there, not even empty.
      ['gemini://ana@localhost/', BAD_REQUEST],
      ['gemini://ana:secret@localhost/', BAD_REQUEST],
      ['gemini://@localhost/', BAD_REQUEST],
      ['gemini://localhost@example.org/', BAD_REQUEST],
      ['gemini://localhost/#part', BAD_REQUEST],
      ['gemini://localhost/#', BAD_REQUEST],
      ['gemini://localhost#part', BAD_REQUEST],
      ['gemini://localhost/?query#part', BAD_REQUEST],
      // Hosts.
      ['gemini://LocalHost/', PAGE],
      ['gemini://localhost./', PAGE],
      ['gemini://example.org/', WRONG_HOST],
      ['gemini://localhost.example.org/', WRONG_HOST],
      // Names outside of ASCII: DNS knows their A-labels, and clients may write them either way.
      ['gemini://bücher.example/', PAGE],
      ['gemini://BÜCHER.example/', PAGE],
      ['gemini://xn--bcher-kva.example/', PAGE],
      ['gemini://XN--BCHER-KVA.EXAMPLE/', PAGE],
      ['gemini://b\u00fccher\u3002example/', PAGE],
      ['gemini://bücher.example.org/', WRONG_HOST],
      ['gemini://xn--a/', BAD_REQUEST],
      // With a letter that looks the same, it is another name.
      ['gemini://l\u043ecalhost/', WRONG_HOST],
      ['gemini://local_host/', WRONG_HOST],
      ['gemini://local host/', BAD_REQUEST],
      ['gemini://localhost..example/', BAD_REQUEST],
      [`gemini://${'a'.repeat(64)}.example/`, BAD_REQUEST],
      ['gemini://127.0.0.1/', WRONG_HOST],
      ['gemini://127.1/', BAD_REQUEST],
      ['gemini://[::1]/', PAGE],
      ['gemini://[::1]:1965/', PAGE],
      ['gemini://[::1]:443/', WRONG_HOST],
      ['gemini://[::ffff:127.0.0.1]/', WRONG_HOST],
      ['gemini://[0:0:0:0:0:0:0:1]/', PAGE],
      ['gemini://[::2]/', WRONG_HOST],
      ['gemini://::1/', BAD_REQUEST],
      ['gemini://[::1/', BAD_REQUEST],
      ['gemini://[::1%25lo]/', BAD_REQUEST],
      // RFC 3986 would decode it. Gemini's hosts are written as they are in DNS, so that nobody has a use for it.
      ['gemini://local%68ost/', BAD_REQUEST],
      ['gemini://localhost%00.example.org/', BAD_REQUEST],
      ['gemini://localhost\\.example.org/', BAD_REQUEST],
      // Ports.
      ['gemini://localhost:1965/', PAGE],
      ['gemini://localhost:/', PAGE],
      ['gemini://localhost:443/', WRONG_HOST],
      ['gemini://localhost:01965/', BAD_REQUEST],
      ['gemini://localhost:-1/', BAD_REQUEST],
      ['gemini://localhost:1965:1965/', BAD_REQUEST],
      ['gemini://localhost:0/', BAD_REQUEST],
      ['gemini://localhost:65536/', BAD_REQUEST],
      ['gemini://localhost:x/', BAD_REQUEST],
      // Paths and queries. Without a path it is the root, and that without a redirect.
      ['gemini://localhost', PAGE],
      ['gemini://localhost?query', PAGE],
      ['gemini://localhost/?', PAGE],
      ['gemini://localhost/?%E2%9C%93', PAGE],
      ['gemini://localhost/?a b', BAD_REQUEST],
      // What is encoded without need means the same (RFC 3986 section 6.2.2.2), in either case of its digits.
      ['gemini://localhost/index.gmi', PAGE],
      ['gemini://localhost/%69ndex%2egmi', PAGE],
      ['gemini://localhost/%69ndex%2Egmi', PAGE],
      ['gemini://localhost/%', BAD_REQUEST],
      ['gemini://localhost/%6', BAD_REQUEST],
      ['gemini://localhost/%zz', BAD_REQUEST],
      ['gemini://localhost/%00', BAD_REQUEST],
      ['gemini://localhost/%ff', BAD_REQUEST],
      ['gemini://localhost/a%2fb', BAD_REQUEST],
      ['gemini://localhost/a\\b', BAD_REQUEST],
      ['gemini://localhost/é', NOT_FOUND],
      ['gemini://localhost/none', NOT_FOUND],
      // RFC 3986 section 5.2.4: at the root they are taken away.
      ['gemini://localhost/../../', PAGE],
      ['gemini://localhost/%2e%2e/etc/passwd', NOT_FOUND],
      ['gemini://localhost/%252e%252e/etc/passwd', NOT_FOUND],
      ['gemini://localhost/..%2f..%2fetc/passwd', BAD_REQUEST],
      ['gemini://localhost/..\\..\\etc/passwd', BAD_REQUEST],
      ['gemini://localhost/./index.gmi', PAGE],
      // Empty names in a path are none, so that no rule can be gone around by them.
      ['gemini://localhost//index.gmi', PAGE],
      ['gemini://localhost//etc/passwd', NOT_FOUND],
    ])('%s', async (request, answer) => {
      expect(await ask(`${request}\r\n`)).toBe(answer)
    })
  })

  describe('a client', () => {
    it('may send its request byte by byte', async () => {
      const { tls } = await open()
      for (const octet of Buffer.from('gemini://localhost/\r\n')) {
        await new Promise((resolve) => tls.write(Buffer.of(octet), resolve))
      }
      expect(await text(tls)).toBe(PAGE)
    })

    it.each(['TLSv1.2', 'TLSv1.3'] as const)('may say by %s that it has finished, and is answered', async (version) => {
      const { tls } = await open({ minVersion: version, maxVersion: version })
      tls.end('gemini://localhost/\r\n')
      expect(await text(tls)).toBe(PAGE)
    })

    it('may end its side of the connection without saying so, and is answered', async () => {
      const { socket, tls } = await open()
      await new Promise((resolve) => tls.write('gemini://localhost/\r\n', resolve))
      socket.end()
      expect(await text(tls)).toBe(PAGE)
    })

    it('is told that half a request is none, if it ends there', async () => {
      const { tls } = await open()
      tls.end('gemini://local')
      expect(await text(tls)).toBe(BAD_REQUEST)
    })

    it('is served while another one takes its time', async () => {
      const slow = await open()
      await new Promise((resolve) => slow.tls.write('g', resolve))
      expect(await ask('gemini://localhost/\r\n')).toBe(PAGE)
      slow.tls.write('emini://localhost/\r\n')
      expect(await text(slow.tls)).toBe(PAGE)
    })

    it('gets nothing if it says nothing, but the end of its time', async () => {
      const { tls } = await open({}, impatient.port)
      expect(await text(tls)).toBe(TIMEOUT)
    })

    it('gets no more time by sending a little', async () => {
      const { tls } = await open({}, impatient.port)
      const drip = setInterval(() => tls.write('g'), 5)
      tls.once('readable', () => clearInterval(drip))
      expect(await text(tls)).toBe(TIMEOUT)
    })

    it('that goes away in the middle does no harm', async () => {
      for (const how of ['end', 'resetAndDestroy'] as const) {
        const { socket, tls } = await open()
        tls.on('error', () => {})
        await new Promise((resolve) => tls.write('gemini://local', resolve))
        socket[how]()
      }
      expect(await ask('gemini://localhost/\r\n')).toBe(PAGE)
    })

    it('that sends its request without TLS gets no word of Gemini', async () => {
      const socket = await rawClient(port)
      let answer = ''
      socket.on('data', (piece) => {
        answer += piece
      })
      socket.write('gemini://localhost/\r\n')
      await once(socket, 'close')
      expect(answer).not.toMatch(/[2-6][0-9] /)
    })
  })

  describe('TLS', () => {
    const line = 'gemini://localhost/'

    it('1.1 is refused by its alert', async () => {
      // At the level of security that is the default, the client itself would refuse.
      const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
      expect(await visit(port, { line, ...old })).toMatchObject({ text: '', alert: AlertCode.protocol_version })
    })

    it.each(['TLSv1.2', 'TLSv1.3'] as const)('by %s is fine', async (version) => {
      const only = { minVersion: version, maxVersion: version }
      expect(await visit(port, { line, ...only })).toMatchObject({ text: PAGE, protocol: version, error: null })
    })

    it.each([
      ['gemini://localhost/', PAGE],
      ['gemini://localhost/none', NOT_FOUND],
      ['gemini://example.org/', WRONG_HOST],
      ['https://localhost/', WRONG_HOST],
      ['Hello Gemini!', BAD_REQUEST],
      [url(1025), TOO_LONG],
    ])('ends with close_notify behind the answer to %.40s', async (request, answer) => {
      // By 127.0.0.1, and a TruncatedError if the connection ended otherwise.
      const { stream } = await connect({ endpoint: endpointFrom('127.0.0.1', port), verify: dangerouslyAcceptAny() })
      stream.write(`${request}\r\n`)
      expect(await text(stream)).toBe(answer)
    })

    it('ends with close_notify when the time is over', async () => {
      const endpoint = endpointFrom('127.0.0.1', impatient.port)
      const { stream } = await connect({ endpoint, verify: dangerouslyAcceptAny() })
      expect(await text(stream)).toBe(TIMEOUT)
    })

    it.each(['TLSv1.2', 'TLSv1.3'] as const)('by %s takes any certificate at its door, and none', async (version) => {
      const only = { minVersion: version, maxVersion: version }
      const old = {
        host: null,
        commonName: 'ana',
        usage: 'client',
        notBefore: new Date('2001-01-01'),
        notAfter: new Date('2002-01-01'),
      } as const
      const certificates = [
        await testCertificate({ host: null, commonName: '', usage: 'client' }),
        await testCertificate(old),
      ]
      for (const { certPem: cert, keyPem: key } of certificates) {
        expect(await visit(port, { line, ...only, cert, key })).toMatchObject({ text: PAGE, error: null })
      }
      expect(await visit(port, { line, ...only })).toMatchObject({ text: PAGE, error: null })
    })

    it.runIf(hasProgram('openssl', ['version']))('asks for a certificate, and names no authorities', async () => {
      const peer = sClient(port, ['-servername', 'localhost'])
      peer.type(`${line}\r`)
      const output = await peer.ended()
      expect(messagesIn(output, 'received')).toContain('CertificateRequest')
      expect(output).toContain('No client certificate CA names sent')
    })

    it('does not mind a client that names protocols by ALPN', async () => {
      const request = { line, ALPNProtocols: ['gemini', 'http/1.1'] }
      expect(await visit(port, request)).toMatchObject({ text: PAGE, error: null, alpn: false })
    })

    // Clients must name the host. Those that do not, or wrongly, get the one certificate that there is, and it is on them to
    // see whether they want it; which host is meant is said by the request.
    it.each([
      ['without a name', {}],
      ['with a name in capitals', { servername: 'LOCALHOST' }],
      ['with a dot behind the name', { servername: 'localhost.' }],
      ['with the name of another', { servername: 'example.org' }],
    ])('%s leads to the page', async (_what, options) => {
      expect(await visit(port, { line, ...options })).toMatchObject({ text: PAGE, error: null })
    })

    it.runIf(hasProgram('openssl', ['version']))('with an address for a name leads to the page', async () => {
      const peer = sClient(port, ['-servername', '127.0.0.1'])
      peer.type(`${line}\r`)
      expect(await peer.ended()).toMatch(/^# Hello$/m)
    })

    it('with the name of one host does not get the page of another', async () => {
      const request = { line: 'gemini://example.org/', servername: 'localhost' }
      expect(await visit(port, request)).toMatchObject({ text: WRONG_HOST })
    })
  })
})
