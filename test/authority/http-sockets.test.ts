import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer as createTlsServer, request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { type NodeListenerOptions, nodeListener } from '../../src/authority/http/node-listener.ts'
import { Certificate } from '../../src/certificate/certificate.ts'
import { createServerContext, peerOf } from '../../src/tls/index.ts'
import { testCertificate } from '../support/certificates.ts'
import { openssl, opensslSucceeds } from '../support/openssl.ts'
import { afterTest, ask, onPort, onUnixSocket, type Place, testFolder } from './http/sockets.ts'
import { type Granted, newRequest, testSite } from './http/support.ts'

const run = promisify(execFile)

/** What Debian's curl makes of it: the status and the body. Null if it could not get an answer. */
async function curl(...args: string[]): Promise<{ status: number; body: string }> {
  const { stdout } = await run('curl', ['--silent', '--max-time', '20', '--write-out', '\n%{http_code}', ...args])
  const end = stdout.lastIndexOf('\n')
  return { status: Number(stdout.slice(end + 1)), body: stdout.slice(0, end) }
}

const hasCurl = await run('curl', ['--version']).then(
  () => true,
  () => false,
)

const TYPE = 'Content-Type: application/x-pem-file'

describe.skipIf(!hasCurl)('curl', () => {
  /** A folder with a request of openssl. */
  async function withRequest(): Promise<{ folder: string; csr: string; key: string }> {
    const folder = await testFolder()
    const [csr, key] = [join(folder, 'ana.csr'), join(folder, 'ana.key')]
    openssl(['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', key])
    openssl(['req', '-new', '-key', key, '-subj', '/CN=whatever', '-out', csr])
    return { folder, csr, key }
  }

  it('gets a certificate for a request of openssl, which openssl verifies', async () => {
    const { handler } = await testSite()
    const { port } = await onPort(nodeListener(handler))
    const { folder, csr } = await withRequest()
    const url = `http://127.0.0.1:${port}`
    const { status, body } = await curl('-H', TYPE, '--upload-file', csr, `${url}/api/csr/f00d`)
    expect(status).toBe(200)
    const answer = JSON.parse(body) as Granted

    const [cert, ca, crl] = ['ana.pem', 'ca.pem', 'ca.crl'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ]
    await writeFile(cert, answer.signed_x509_pem)
    expect((await curl('--output', ca, `${url}/ca.pem`)).status).toBe(200)
    expect(openssl(['verify', '-x509_strict', '-purpose', 'sslclient', '-CAfile', ca, cert])).toContain('OK')
    expect((await curl('--output', crl, `${url}/crl`)).status).toBe(200)
    expect(opensslSucceeds(['crl', '-inform', 'DER', '-in', crl, '-CAfile', ca, '-noout'])).toBe(true)
  })

  it('gets one over a Unix socket, with the address that the proxy names', async () => {
    const { handler, events } = await testSite({}, { trustedProxies: ['unix'] })
    const { path } = await onUnixSocket(nodeListener(handler))
    const { csr } = await withRequest()
    const url = 'http://ca/api/csr/f00d'
    const forwarded = 'X-Forwarded-For: 10.0.0.1, 198.51.100.7'
    const { status } = await curl('--unix-socket', path, '-H', TYPE, '-H', forwarded, '--upload-file', csr, url)
    expect(status).toBe(200)
    expect(events).toMatchObject([{ status: 200, address: '198.51.100.7' }])
  })

  it.each([
    ['in chunks', ['-H', 'Transfer-Encoding: chunked']],
    ['after 100 Continue', ['-H', 'Expect: 100-continue']],
    ['by HTTP/1.0', ['--http1.0']],
    ['asking for HTTP/2', ['--http2']],
  ])('sends a request %s', async (_how, args) => {
    const { handler } = await testSite()
    const { port } = await onPort(nodeListener(handler))
    const { csr } = await withRequest()
    const url = `http://127.0.0.1:${port}/api/csr/f00d`
    expect(await curl(...args, '-H', TYPE, '--upload-file', csr, url)).toMatchObject({ status: 200 })
  })

  it('is told what is wrong with its usual mistakes', async () => {
    const { handler } = await testSite()
    const { port } = await onPort(nodeListener(handler))
    const { csr } = await withRequest()
    const url = `http://127.0.0.1:${port}/api/csr/f00d`
    const form = await curl('-X', 'PUT', '--data-binary', `@${csr}`, url)
    expect(form.status).toBe(415)
    expect(form.body).toContain('--upload-file')
    expect(await curl('-H', TYPE, '--data-binary', `@${csr}`, url)).toMatchObject({ status: 405 })
    expect(await curl('--upload-file', csr, url)).toMatchObject({ status: 415 })
    // -d takes the line ends out of what it sends.
    expect(await curl('-X', 'PUT', '-H', TYPE, '-d', `@${csr}`, url)).toMatchObject({ status: 400 })
  })

  it('reads 413 in the middle of an upload of eight megabytes', async () => {
    const { handler } = await testSite()
    const { port } = await onPort(nodeListener(handler))
    const folder = await testFolder()
    const large = join(folder, 'large')
    await writeFile(large, 'x'.repeat(8_000_000))
    const url = `http://127.0.0.1:${port}/api/csr/f00d`
    for (const args of [[], ['-H', 'Transfer-Encoding: chunked'], ['-H', 'Expect:']]) {
      // Curl may see the reset before it has written everything, but it has read the answer by then.
      const { status } = await curl(...args, '-H', TYPE, '--upload-file', large, url).catch(
        (error: { stdout: string }) => ({ status: Number(error.stdout.slice(-3)) }),
      )
      expect(status).toBe(413)
    }
  })

  it('renews by the certificate of its handshake', async () => {
    const site = await tlsSite()
    const { folder, csr, key } = await withRequest()
    const cert = join(folder, 'ana.pem')
    const url = `https://localhost:${site.port}`
    const tls = ['--cacert', site.caFile, '--resolve', `localhost:${site.port}:127.0.0.1`]
    const first = await curl(...tls, '-H', TYPE, '--upload-file', csr, `${url}/api/csr/f00d`)
    await writeFile(cert, (JSON.parse(first.body) as Granted).signed_x509_pem)

    const mine = [...tls, '--cert', cert, '--key', key]
    expect(await curl(...mine, '-X', 'POST', `${url}/renew`)).toMatchObject({ status: 403 }) // too early
    site.time.ms += 61 * 86_400_000
    expect(await curl(...tls, '-X', 'POST', `${url}/renew`)).toMatchObject({ status: 403 }) // nobody
    const renewed = await curl(...mine, '-X', 'POST', `${url}/renew`)
    expect(renewed.status).toBe(200)
    const { signed_x509_pem: pem } = JSON.parse(renewed.body) as Granted
    expect(Certificate.from(pem).publicKeyFingerprint).toBe(
      Certificate.from(await readFile(cert, 'utf8')).publicKeyFingerprint,
    )

    const other = await withRequest()
    const rekeyed = await curl(...mine, '-X', 'POST', '-H', TYPE, '--data-binary', `@${other.csr}`, `${url}/rekey`)
    expect(rekeyed.status).toBe(200)
  })
})

/** A site over TLS, with the hand on its clock. */
async function tlsSite(options: NodeListenerOptions = { peerOf }) {
  const time = { ms: Date.now() }
  const site = await testSite({}, {}, { clock: () => time.ms })
  const folder = await testFolder()
  const { certPem, keyPem } = await testCertificate({ host: 'localhost' })
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  await writeFile(certFile, certPem)
  await writeFile(keyFile, keyPem, { mode: 0o600 })
  const context = await createServerContext({ certificates: [{ certFile, keyFile }], clientCertificates: 'request' })
  const server = createTlsServer(context.options, nodeListener(site.handler, options))
  context.attach(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterTest(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return { ...site, time, caFile: certFile, caPem: certPem, port: (server.address() as AddressInfo).port }
}

describe('real sockets', () => {
  const upload = (body: string, headers = TYPE): string =>
    `PUT /api/csr/f00d HTTP/1.1\r\nHost: ca\r\n${headers}\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`

  it('get a certificate byte by byte', async () => {
    const { handler } = await testSite()
    const place = await onPort(nodeListener(handler))
    const text = upload((await newRequest()).pem)
    expect(await ask(place, text.match(/.{1,7}/gs) ?? [])).toMatchObject({ status: 200 })
  })

  it('are told 408 when they do not send what they have promised, and nothing is signed', async () => {
    const { handler, authority } = await testSite({}, { bodyTimeoutMs: 20 })
    const place = await onPort(nodeListener(handler))
    const text = upload((await newRequest()).pem)
    const answer = await ask(place, text.slice(0, -10))
    expect(answer).toMatchObject({ status: 408, headers: { connection: 'close' } })
    for await (const row of authority.list()) throw new Error(`issued ${row.serial}`)
  })

  it('are told 413 at the byte that is too many, in one piece or in chunks', async () => {
    const { handler } = await testSite({}, { maxBytes: 1000 })
    const place = await onPort(nodeListener(handler))
    expect(await ask(place, upload('x'.repeat(1001)))).toMatchObject({ status: 413 })
    const head = `PUT /api/csr/f00d HTTP/1.1\r\nHost: ca\r\n${TYPE}\r\nTransfer-Encoding: chunked\r\n\r\n`
    expect(await ask(place, [head, ...Array<string>(60).fill(`14\r\n${'x'.repeat(20)}\r\n`)])).toMatchObject({
      status: 413,
    })
  })

  it.each([
    ['/api/csr//f00d', 404],
    ['/api/csr/f0%2f0d', 404],
    ['/api/csr/%66', 404],
    ['/api/csr/../csr/f00d', 400],
    ['//api/csr/f00d', 404],
    ['/api/csr/f00d?validity=100y', 200],
  ])('asking for %s are told %i', async (path, status) => {
    const { handler } = await testSite()
    const place: Place = await onPort(nodeListener(handler))
    const text = upload((await newRequest()).pem).replace('/api/csr/f00d', path)
    expect(await ask(place, text)).toMatchObject({ status })
  })

  it('cannot name their own address, on a port or on a Unix socket', async () => {
    const { handler, events } = await testSite()
    const headers = `${TYPE}\r\nX-Forwarded-For: 198.51.100.7\r\nForwarded: for=198.51.100.7\r\nX-Real-IP: 198.51.100.7`
    await ask(await onPort(nodeListener(handler)), upload('x', headers))
    await ask(await onUnixSocket(nodeListener(handler)), upload('x', headers))
    expect(events.map(({ address }) => address)).toEqual(['127.0.0.1', null])
  })

  it('get nothing of an error but its problem document', async () => {
    const { handler, folder } = await testSite({
      authorize: () => Promise.reject(new Error(`secret in ${process.cwd()}`)),
    })
    const place = await onPort(nodeListener(handler))
    const { body, headers } = await ask(place, upload((await newRequest()).pem))
    expect(Object.keys(JSON.parse(body) as object).sort()).toEqual(['code', 'detail', 'status', 'title', 'type'])
    for (const part of ['secret', process.cwd(), folder, '.ts', 'node:']) expect(body).not.toContain(part)
    expect(headers).not.toHaveProperty('server')
    expect(headers).not.toHaveProperty('x-powered-by')
  })
})

/** A certificate of the site that has reached the age for it, with its key. */
async function renewable({ put, time }: Awaited<ReturnType<typeof tlsSite>>) {
  const { pem, keyPem } = await newRequest()
  const issued = JSON.parse(await (await put(pem)).text()) as Granted
  time.ms += 61 * 86_400_000
  return { cert: issued.signed_x509_pem, key: keyPem }
}

/** Sends `POST /renew` and resolves with the status. */
function renewAt(
  { port, caPem: ca }: Awaited<ReturnType<typeof tlsSite>>,
  more: object,
  onSession: (ticket: Buffer) => unknown = () => {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, servername: 'localhost', ca, agent: false as const }
    httpsRequest({ ...options, method: 'POST', path: '/renew', ...more }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0))
    })
      .on('socket', (socket) => socket.on('session', onSession))
      .on('error', reject)
      .end()
  })
}

describe('renewal over TLS', () => {
  it('is for nobody where the listener was not told how to look at who shows a certificate', async () => {
    const site = await tlsSite({})
    const identity = await renewable(site)
    expect(await renewAt(site, identity)).toBe(403)
    expect(site.events.at(-1)).toMatchObject({ status: 403 })
  })

  it('needs a handshake of its own: a session that is resumed proves nothing', async () => {
    const site = await tlsSite()
    const identity = await renewable(site)
    let session: Buffer | undefined
    const renew = (more: object): Promise<number> => renewAt(site, more, (ticket) => (session = ticket))
    expect(await renew(identity)).toBe(200)
    // Whether or not the server gave out a ticket, whoever comes without the key gets nothing.
    expect(await renew(session === undefined ? {} : { session })).toBe(403)
  })
})
