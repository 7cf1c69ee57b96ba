// The example client, and what is under it, with the servers of other people: Molly Brown and `openssl s_server`.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import {
  CertificateChangedError,
  type ClientIdentity,
  type ConnectOptions,
  connect,
  endpointFrom,
  formatFingerprint,
  saveCertificateFiles,
  TofuStore,
  TruncatedError,
} from 'tlacacoca'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { fetchPage, type Page } from '../../docs/examples/gemini-client.ts'
import { type TestCertificate, testCertificate } from '../support/certificates.ts'
import { hasProgram } from '../support/field-program.ts'
import { messagesIn, type SServer, sServer, versionSwitch } from '../support/openssl-peer.ts'
import { startInOwnNetwork } from '../support/own-network.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { listening } from '../support/tls-server.ts'

let site: TestCertificate
let member: TestCertificate
let folder = ''
let known: TofuStore
const identityOf = ({ certPem, keyPem }: TestCertificate): ClientIdentity => ({ cert: certPem, key: keyPem })

beforeAll(async () => {
  site = await testCertificate({ host: 'localhost' })
  member = await testCertificate({ host: null, commonName: 'ana', usage: 'client' })
})

beforeEach(async () => {
  folder = await temporaryFolder()
  known = TofuStore.inMemory()
  await save('site', site)
})

/** As a server's owner does it, with the key for nobody else to read. */
function save(name: string, { certPem, keyPem }: TestCertificate): Promise<void> {
  const paths = { certFile: join(folder, `${name}.crt`), keyFile: join(folder, `${name}.key`) }
  return saveCertificateFiles({ certificatePem: certPem, privateKeyPem: keyPem }, { ...paths, overwrite: true })
}

describe.runIf(hasProgram('molly-brown', ['-h']) && hasProgram('python3'))('Molly Brown', () => {
  let port = 0

  beforeEach(async () => {
    await mkdir(join(folder, 'docs/club'), { recursive: true })
    await writeFile(join(folder, 'docs/index.gmi'), '# Molly Brown\n')
    await writeFile(join(folder, 'docs/large.txt'), 'a line of text\n'.repeat(100_000))
    await writeFile(join(folder, 'docs/club/index.gmi'), '# Members only\n')
    port = await startMollyBrown()
  })

  async function startMollyBrown(): Promise<number> {
    const probe = createTcpServer()
    const free = await listening(probe)
    await new Promise((resolve) => probe.close(resolve))
    const config = join(folder, 'molly.conf')
    await writeFile(
      config,
      [
        `Port = ${free}`,
        'Hostname = "localhost"',
        `CertPath = "${join(folder, 'site.crt')}"`,
        `KeyPath = "${join(folder, 'site.key')}"`,
        `DocBase = "${join(folder, 'docs')}"`,
        `AccessLog = "${join(folder, 'access.log')}"`,
        `ErrorLog = "${join(folder, 'error.log')}"`,
        '[CertificateZones]',
        `"^/club/" = ["${formatFingerprint(member.certificate.fingerprint, 'hex')}"]`,
        '',
      ].join('\n'),
    )
    await startInOwnNetwork(['molly-brown', '-c', config], free)
    return free
  }

  const visit = (path: string, more: Parameters<typeof fetchPage>[2] = {}): Promise<Page> =>
    fetchPage(`gemini://localhost:${port}${path}`, known.verifier(), more)

  it('serves a page with the certificate that we made, which is remembered', async () => {
    expect(await visit('/')).toMatchObject({ header: '20 text/gemini', acceptedBy: 'tofu: first_use' })
    const again = await visit('/')
    expect(again).toMatchObject({ header: '20 text/gemini', acceptedBy: 'tofu: trusted' })
    expect(again.body.toString()).toBe('# Molly Brown\n')
    const [host] = await known.listHosts()
    expect(host).toMatchObject({ fingerprint: site.certificate.fingerprint })
  })

  it('serves a large file to its end', async () => {
    const { body } = await visit('/large.txt')
    expect(body.equals(await readFile(join(folder, 'docs/large.txt')))).toBe(true)
  })

  it('asks for a certificate in a zone, and knows the one whose fingerprint we have given it', async () => {
    expect((await visit('/club/')).header).toMatch(/^60 /)
    const stranger = await testCertificate({ host: null, commonName: 'bob', usage: 'client' })
    expect((await visit('/club/', { identity: identityOf(stranger) })).header).toMatch(/^61 /)
    const page = await visit('/club/', { identity: identityOf(member) })
    expect(page).toMatchObject({ header: '20 text/gemini' })
    expect(page.body.toString()).toBe('# Members only\n')
  })

  it('gets no request if its certificate is not the one that is known', async () => {
    await known.trust(endpointFrom('localhost', port), member.certificate)
    await expect(visit('/')).rejects.toThrow(CertificateChangedError)
    known = TofuStore.inMemory()
    await visit('/large.txt')
    const log = await readFile(join(folder, 'access.log'), 'utf8')
    expect(log.match(/gemini:.*/g)).toEqual([`gemini://localhost:${port}/large.txt`])
  })
})

describe.runIf(hasProgram('openssl', ['version']))('openssl s_server', () => {
  const start = (...args: string[]) => sServer({ cert: join(folder, 'site.crt'), key: join(folder, 'site.key') }, args)

  /** Asks for a page. When it has come, we end the connection, to which it answers, or it closes the socket. */
  async function ask({ port, peer }: SServer, end: 'we' | 'it', more: Partial<ConnectOptions> = {}): Promise<string> {
    const endpoint = endpointFrom('localhost', port)
    const { stream } = await connect({ endpoint, verify: known.verifier(), ...more })
    stream.write('gemini://localhost/\r\n')
    await peer.printed(/^gemini:\/\/localhost\/\r$/m)
    peer.type('20 text/gemini\r\n# Typed by hand')
    let answer = ''
    for await (const chunk of stream) {
      answer += chunk
      if (!answer.endsWith('hand\n')) continue
      if (end === 'we') stream.end()
      else peer.type('Q')
    }
    return answer
  }

  describe.each(['TLSv1.2', 'TLSv1.3'] as const)('by %s', (version) => {
    it('gets the request, and its answer and its end are understood', async () => {
      const server = await start(versionSwitch(version))
      expect(await ask(server, 'we')).toBe('20 text/gemini\r\n# Typed by hand\n')
      expect(messagesIn(await server.peer.ended(), 'received').at(-1)).toBe('Alert warning close_notify')
    })

    it('is found out if it ends without a word, as it does when it is stopped', async () => {
      await expect(ask(await start(versionSwitch(version)), 'it')).rejects.toThrow(TruncatedError)
    })

    it('is shown an identity, by TLS 1.2 only if that is allowed', async () => {
      const server = await start(versionSwitch(version))
      await ask(server, 'we', { identity: identityOf(member), identityOverTls12: 'allow' })
      expect(await server.peer.ended()).toMatch(/depth=0 CN = ana/)
    })
  })

  it('is not shown an identity by TLS 1.2 otherwise', async () => {
    const server = await start('-tls1_2')
    const refused = ask(server, 'we', { identity: identityOf(member) })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_TLACACOCA_IDENTITY_WITHHELD' })
    expect(await server.peer.ended()).not.toMatch(/CN = ana/)
  })
})
