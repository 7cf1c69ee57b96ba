import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { testCertificate } from '../support/certificates.ts'
import { runCli, temporaryHome } from '../support/cli.ts'
import { startCli } from '../support/cli-process.ts'
import { CommandLinePeer } from '../support/command-line-peer.ts'
import { hasProgram } from '../support/field-program.ts'
import { startInOwnNetwork } from '../support/own-network.ts'
import { smallServer } from '../support/small-server.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { listening } from '../support/tls-server.ts'

const DAY = 86_400_000
const now = Date.now()
const probe = (args: readonly string[], options: Parameters<typeof runCli>[1] = {}) =>
  runCli(['probe', ...args], { now, ...options })

interface Report {
  readonly verdict: { readonly kind: string }
  readonly warnings: readonly { readonly code: string }[]
  readonly [name: string]: unknown
}

async function report(args: readonly string[], options: Parameters<typeof runCli>[1] = {}): Promise<Report> {
  return (await probe([...args, '--json'], options)).json() as Report
}

const codes = ({ warnings }: Report): string[] => warnings.map(({ code }) => code)

describe('a look at a server', () => {
  it('says everything in plain words, sends no request and records nothing', async () => {
    const home = await temporaryHome()
    const { name, certificate, requests } = await smallServer(() => '20 text/gemini\r\n')
    const { code, stdout, stderr } = await probe([name], { home })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    for (const said of [
      `${name} answers by TLS 1.3`,
      certificate.certificate.fingerprint,
      'the certificate is for localhost',
      'makes no difference: the same certificate without a name',
      'asked for, of anybody',
      'none that this computer trusts',
      'first visit',
      'not asked for (see --request)',
    ]) {
      expect(stdout).toContain(said)
    }
    // A year that begins while the test does.
    expect(stdout).toMatch(/for 36[45] more days/)
    expect(stdout).not.toContain('Warning')
    expect(requests).toEqual([])
    expect(await readdir(home)).toEqual([])
  })

  it('says the same as data', async () => {
    const { name, certificate } = await smallServer(() => '20 text/gemini\r\n')
    expect(await report([name])).toMatchObject({
      endpoint: name,
      protocol: 'TLSv1.3',
      certificate: { fingerprints: { sha256: certificate.certificate.fingerprint }, validity: 'valid' },
      chainLength: 1,
      matchesHost: true,
      authority: { vouches: false },
      sni: { serverName: null, outcome: 'same_certificate' },
      clientCertificates: { requested: true, authorities: [] },
      answer: null,
      verdict: { kind: 'first_use', accepted: true },
      warnings: [],
    })
  })

  it.each([
    { request: ['--request'], line: (name: string) => `gemini://${name}/` },
    { request: ['--request', 'anything at all'], line: () => 'anything at all' },
  ])('asks for a page if somebody says so: $request', async ({ request, line }) => {
    const { name, requests } = await smallServer(() => '20 text/gemini\r\nhello')
    expect(await report([name, ...request])).toMatchObject({
      answer: { header: '20 text/gemini', bytes: 21, closeNotify: true },
      warnings: [],
    })
    expect(requests.map((each) => each.line)).toEqual([line(name)])
  })
})

describe('warnings', () => {
  it.each([
    {
      what: 'has expired',
      validity: { notBefore: new Date(now - 9 * DAY), notAfter: new Date(now - DAY) },
      code: 'expired',
    },
    { what: 'is not yet valid', validity: { notBefore: new Date(now + DAY), days: 30 }, code: 'not_yet_valid' },
    { what: 'expires soon', validity: { days: 5 }, code: 'expires_soon' },
    { what: 'is for another host', validity: { host: 'example.org' }, code: 'wrong_host' },
  ])('tell that the certificate $what', async ({ validity, code }) => {
    const certificate = await testCertificate({ host: 'localhost', ...validity })
    const { name } = await smallServer(() => '', { certificate })
    expect(codes(await report([name]))).toEqual([code])
    const { stdout, code: end } = await probe([name])
    expect(stdout.match(/Warning: /g)).toHaveLength(1)
    expect(end).toBe(0)
  })

  it('tell of an answer that was cut off, and of one without a status', async () => {
    const cut = await smallServer(() => (stream) => stream.write('20 text/plain\r\nhalf', () => stream.destroy()))
    const one = await report([cut.name, '--request'])
    expect(one).toMatchObject({ answer: { header: '20 text/plain', closeNotify: false } })
    expect(codes(one)).toEqual(['no_close_notify'])
    const { name } = await smallServer(() => 'hello')
    expect(codes(await report([name, '--request']))).toEqual(['no_status'])
  })

  it('tell that a name (SNI) is needed', async () => {
    const certificates = await Promise.all(['localhost', 'example.org'].map((host) => testCertificate({ host })))
    const [first, second] = certificates
    if (first === undefined || second === undefined) throw new Error('there are two')
    const { name } = await smallServer(() => '', {
      certificates: [second, first].map(({ certPem: cert, keyPem: key }) => ({ cert, key })),
    })
    expect(await report([name])).toMatchObject({
      matchesHost: true,
      sni: { outcome: 'other_certificate', fingerprint: second.certificate.fingerprint },
    })
    expect(await report([name, '--no-sni'])).toMatchObject({ sni: null })
  })

  it('need no name for a server that is reached by its address', async () => {
    const { port } = await smallServer(() => '', { unknownServerName: 'refuse' })
    const seen = await report([`127.0.0.1:${port}`])
    expect(seen).toMatchObject({ sni: { serverName: 'nobody.invalid', outcome: 'refused' }, matchesHost: false })
    expect(codes(seen)).toEqual(['wrong_host'])
  })
})

describe('the known hosts', () => {
  it('are asked and not changed: known, changed, and marked', async () => {
    const home = await temporaryHome()
    const first = await smallServer(() => '20 text/gemini\r\n')
    expect((await runCli(['get', first.name], { home, now })).code).toBe(0)
    expect((await report([first.name], { home })).verdict.kind).toBe('trusted')
    await first.close()
    const second = await smallServer(() => '', { port: first.port })
    for (let i = 0; i < 2; i++) {
      const result = await probe([second.name], { home })
      expect(result.code, result.stderr).toBe(1)
      expect(result.stdout).toContain('shows another certificate than the one that is pinned')
    }
    expect(await report([second.name], { home })).toMatchObject({
      verdict: { kind: 'changed', accepted: false, pinned: first.certificate.certificate.fingerprint },
    })
  })

  it('are those of the file that is named, which must be there', async () => {
    const { name } = await smallServer(() => '')
    const path = join(await temporaryFolder(), 'hosts.db')
    expect((await probe([name, '--store', path])).code).toBe(5)
    await runCli(['get', name, '--store', path], { now })
    expect((await report([name, '--store', path])).verdict.kind).toBe('trusted')
  })
})

describe('a server that cannot be looked at', () => {
  it('ends with 4', async () => {
    const { name, close } = await smallServer(() => '')
    await close()
    expect(await probe([name])).toMatchObject({ code: 4, stdout: '', stderr: expect.stringContaining('ECONNREFUSED') })
  })

  it('may speak something else than TLS, or nothing', async () => {
    for (const hello of ['HTTP/1.1 400 Bad Request\r\n\r\n', '']) {
      const server = createTcpServer((socket) => socket.on('error', () => {}).end(hello))
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      onTestFinished(() => void server.close())
      const { port } = server.address() as AddressInfo
      expect((await probe([`127.0.0.1:${port}`])).code).toBe(4)
    }
  })

  it.each([
    [['a b']],
    [['example.org:0']],
    [['example.org', '--timeout', '0']],
    [['localhost:1', '--request', 'a\r\nb']],
  ])('is refused by %j', async (args) => {
    const { code, stdout } = await probe(args)
    expect([2, 3]).toContain(code)
    expect(stdout).toBe('')
  })
})

describe('servers of this command', () => {
  it('are in good order', async () => {
    const [home, folder] = [await temporaryHome(), await temporaryFolder()]
    await writeFile(join(folder, 'index.gmi'), '# hi\n')
    const running = startCli(['serve', folder, '--port', '0'], { home, now })
    const [, port] = await running.printed('stderr', /listening .*port=(\d+)/)
    expect(await report([`localhost:${port}`, '--request'], { home })).toMatchObject({
      answer: { header: '20 text/gemini', closeNotify: true },
      warnings: [],
    })
  })
})

/** An `openssl s_server` on a free port, until the test is over. */
async function opensslServer(cert: string, key: string, args: readonly string[]): Promise<number> {
  const peer = new CommandLinePeer('openssl', [
    's_server',
    ...['-accept', '127.0.0.1:0', '-cert', cert, '-key', key],
    ...args,
  ])
  const [, port] = await peer.printed(/^ACCEPT 127\.0\.0\.1:(\d+)/m)
  return Number(port)
}

/** Files with a certificate for this computer. */
async function pair() {
  const folder = await temporaryFolder()
  const { certPem, keyPem, certificate } = await testCertificate({ host: 'localhost', key: 'RSA-2048' })
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  await writeFile(cert, certPem)
  await writeFile(key, keyPem)
  return { folder, cert, key, certificate }
}

describe.runIf(hasProgram('openssl', ['version']))('openssl s_server', () => {
  it.each([
    { version: '-tls1_2', protocol: 'TLSv1.2', warnings: ['old_tls'] },
    { version: '-tls1_3', protocol: 'TLSv1.3', warnings: [] },
  ])('is seen as it is by $protocol', async ({ version, protocol, warnings }) => {
    const { cert, key, certificate } = await pair()
    const port = await opensslServer(cert, key, [version])
    const seen = await report([`localhost:${port}`])
    expect(seen).toMatchObject({
      protocol,
      certificate: { fingerprints: { sha256: certificate.fingerprint } },
      clientCertificates: { requested: false },
    })
    expect(codes(seen)).toEqual(warnings)
  })

  it('is told to be no server of Gemini by get', async () => {
    const { cert, key, folder } = await pair()
    // It answers by HTTP, which is no answer of Gemini.
    const port = await opensslServer(cert, key, ['-www'])
    const args = ['get', `localhost:${port}`, '--store', join(folder, 'hosts.db'), '--timeout', '2']
    const result = await runCli(args, { now })
    expect(result).toMatchObject({ code: 4, stdout: '' })
  })
})

describe.runIf(hasProgram('molly-brown', ['-h']) && hasProgram('python3'))('molly-brown', () => {
  it('is looked at, and its pages are fetched', async () => {
    const { cert, key, folder, certificate } = await pair()
    const reserved = createTcpServer()
    const port = await listening(reserved)
    await new Promise((resolve) => reserved.close(resolve))
    await mkdir(join(folder, 'docs'))
    await writeFile(join(folder, 'docs', 'index.gmi'), '# molly\n')
    await writeFile(
      join(folder, 'molly.conf'),
      `Port = ${port}\nHostname = "localhost"\nCertPath = "${cert}"\nKeyPath = "${key}"\nDocBase = "${join(folder, 'docs')}"\nAccessLog = "${join(folder, 'access.log')}"\nErrorLog = "${join(folder, 'error.log')}"\n`,
    )
    await startInOwnNetwork(['molly-brown', '-c', join(folder, 'molly.conf')], port)
    const home = await temporaryHome()
    const fetched = await runCli(['get', `localhost:${port}`], { home, now })
    expect(fetched, fetched.stderr).toMatchObject({ code: 0, stdout: '# molly\n' })
    const seen = await report([`localhost:${port}`, '--request'], { home })
    expect(seen).toMatchObject({
      certificate: { fingerprints: { sha256: certificate.fingerprint } },
      clientCertificates: { requested: true },
      answer: { header: expect.stringMatching(/^20 text\/gemini/), closeNotify: true },
      verdict: { kind: 'trusted' },
    })
    expect(codes(seen)).toEqual([])
  })
})
