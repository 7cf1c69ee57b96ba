// The example server as the clients of other people see it: Amfora and Bombadillo at a terminal, `openssl s_client` and
// `gnutls-cli`.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  createServerContext,
  endpointFrom,
  formatFingerprint,
  type Listener,
  renewCertificate,
  TofuStore,
} from 'tlacacoca'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createCapsule } from '../../docs/examples/gemini-server.ts'
import { type TestCertificate, testCertificate } from '../support/certificates.ts'
import { hasProgram } from '../support/field-program.ts'
import { gnutlsCli } from '../support/gnutls-peer.ts'
import { messagesIn, sClient, versionSwitch } from '../support/openssl-peer.ts'
import { HAS_PSEUDO_TERMINALS, runInTerminal } from '../support/pseudo-terminal.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const hasTerminals = hasProgram('python3') && HAS_PSEUDO_TERMINALS
const HOSTS = ['localhost', 'example.org']
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const

let site: TestCertificate
let member: TestCertificate
let folder = ''
let server: Listener
let port = 0

beforeAll(async () => {
  site = await testCertificate({ host: 'localhost', subjectAltNames: ['example.org'] })
  member = await testCertificate({ host: null, commonName: 'ana', usage: 'client' })
})

beforeEach(async () => {
  folder = await temporaryFolder()
  await mkdir(join(folder, 'capsule/club'), { recursive: true })
  await writeFile(join(folder, 'capsule/index.gmi'), '# Hello from the capsule\n=> /club/ The club\n')
  await writeFile(join(folder, 'capsule/club/index.gmi'), '# Members only\n')
  await writeFile(join(folder, 'ana.crt'), member.certPem)
  await writeFile(join(folder, 'ana.key'), member.keyPem)
  await start(site.certPem)
})

afterEach(() => server.close())

async function start(cert: string, at = 0): Promise<void> {
  const context = await createServerContext({
    certificates: [{ cert, key: site.keyPem }],
    clientCertificates: 'request',
  })
  const rules = [{ path: '/club/', allowedFingerprints: [member.certificate.fingerprint] }]
  server = createCapsule({ root: join(folder, 'capsule'), context, served: HOSTS, rules, burst: 100 })
  port = (await server.listen(at, '127.0.0.1')).port
}

/** The next certificate for the same key, at the same port. */
async function renew(): Promise<void> {
  const { certificatePem } = await renewCertificate({ certificate: site.certPem, privateKey: site.keyPem })
  await server.close()
  await start(certificatePem, port)
}

const QUIT: Readonly<Record<string, string>> = { bombadillo: 'q' }

/** Opens a page in a browser of the terminal, and ends it when the text is on the screen. */
async function browse(program: string, path: string, until: string): Promise<string> {
  const home = join(folder, 'home')
  for (const name of ['config', 'cache', 'data']) await mkdir(join(home, name), { recursive: true })
  const env = {
    HOME: home,
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_CACHE_HOME: join(home, 'cache'),
    XDG_DATA_HOME: join(home, 'data'),
    // To one called xterm, Amfora would first send questions that nobody answers here.
    TERM: 'screen-256color',
  }
  // Without a size, there is no room for a page.
  const command = `stty rows 24 cols 80; exec ${program} gemini://localhost:${port}${path}`
  // Bombadillo writes its pins after it has drawn the page, so it has to be left by its own key.
  const key = QUIT[program]
  const { screen, signal } =
    key === undefined
      ? await runInTerminal(['sh', '-c', command], [], { env, signalAfter: { text: until, signal: 'SIGTERM' } })
      : await runInTerminal(['sh', '-c', command], [{ after: until, type: key }], { env })
  // SIGKILL would mean that the text has not come.
  expect({ signal, screen }).toMatchObject({
    signal: key === undefined ? 'SIGTERM' : null,
    screen: expect.stringContaining(until),
  })
  return screen
}

const inHome = (path: string): string => join(folder, 'home', path)
/** The seconds since 1970. */
const unix = (date: Date): number => date.getTime() / 1000

describe.runIf(hasTerminals && hasProgram('amfora'))(
  'Amfora',
  () => {
    const STORE = 'cache/amfora/tofu.toml'

    it('shows a page, and pins the fingerprint of the key that we compute', async () => {
      await browse('amfora', '/', 'Hello from the capsule')
      const { publicKeyFingerprint, notAfter } = site.certificate
      const store = await readFile(inHome(STORE), 'utf8')
      expect(store).toContain(`localhost:${port}" = "${formatFingerprint(publicKeyFingerprint, 'hex-upper')}"`)
      expect(store).toContain(`localhost/expiry:${port}" = ${notAfter.toISOString().replace('.000', '')}`)
    })

    it('has its known hosts imported', async () => {
      await browse('amfora', '/', 'Hello from the capsule')
      const known = TofuStore.inMemory()
      const done = await known.importKnownHosts(inHome(STORE))
      expect(done).toMatchObject({ format: 'amfora', added: 1, problems: [] })
      const endpoint = endpointFrom('localhost', port)
      expect(await known.judge(endpoint, site.certificate)).toMatchObject({ kind: 'trusted' })
      expect(await known.judge(endpoint, member.certificate)).toMatchObject({ kind: 'changed' })
    })

    it('asks for a certificate where one is needed', async () => {
      await browse('amfora', '/club/', 'needed here.')
    })

    it('shows the page behind a certificate to who has it', async () => {
      await mkdir(inHome('config/amfora'), { recursive: true })
      const [cert, key] = [join(folder, 'ana.crt'), join(folder, 'ana.key')]
      const auth = `[auth.certs]\n"localhost:${port}" = '${cert}'\n[auth.keys]\n"localhost:${port}" = '${key}'\n`
      await writeFile(inHome('config/amfora/config.toml'), auth)
      await browse('amfora', '/club/', 'Members only')
    })

    it('accepts a certificate that was renewed with its key, without a question', async () => {
      await browse('amfora', '/', 'Hello from the capsule')
      await renew()
      await browse('amfora', '/', 'Hello from the capsule')
    })
  },
  120_000,
)

describe.runIf(hasTerminals && hasProgram('bombadillo', ['-v']))(
  'Bombadillo',
  () => {
    it('shows a page, and pins the SHA-1 that we compute', async () => {
      await browse('bombadillo', '/', 'Hello from the capsule')
      const { sha1, notAfter } = site.certificate
      const colons = sha1
        .replaceAll(':', '')
        .toUpperCase()
        .replace(/..(?!$)/g, '$&:')
      expect(await readFile(inHome('config/.bombadillo.ini'), 'utf8')).toContain(
        `localhost=${colons}|${unix(notAfter)}`,
      )
    })

    it('says that it has no certificates where one is needed', async () => {
      await browse('bombadillo', '/club/', 'Client Certificate Required (Unsupported)')
    })

    it('refuses a certificate that was renewed, with the same key too', async () => {
      await browse('bombadillo', '/', 'Hello from the capsule')
      await renew()
      expect(await browse('bombadillo', '/', 'ertificate')).not.toContain('Hello from the capsule')
    })
  },
  120_000,
)

describe.runIf(hasProgram('openssl', ['version']))('openssl s_client', () => {
  async function ask(path: string, args: readonly string[]): Promise<{ output: string; received: string[] }> {
    const peer = sClient(port, ['-servername', 'localhost', ...args])
    peer.type(`gemini://localhost${path}\r`)
    const output = await peer.ended()
    return { output, received: messagesIn(output, 'received') }
  }

  describe.each(VERSIONS)('by %s', (version) => {
    it('gets a page, and an end that is said', async () => {
      const { output, received } = await ask('/', [versionSwitch(version)])
      expect(output).toMatch(/^20 text\/gemini\r\n/m)
      expect(output).toMatch(/^# Hello from the capsule\n/m)
      expect(received.at(-1)).toBe('Alert warning close_notify')
    })

    it('is asked for a certificate, of no authority in particular', async () => {
      const { output, received } = await ask('/club/', [versionSwitch(version)])
      expect(received).toContain('CertificateRequest')
      expect(output).toContain('No client certificate CA names sent')
      expect(output).toContain('60 a client certificate is needed here\r\n')
    })

    it('gets the page behind a certificate with it', async () => {
      const identity = ['-cert', join(folder, 'ana.crt'), '-key', join(folder, 'ana.key')]
      expect((await ask('/club/', [versionSwitch(version), ...identity])).output).toContain('# Members only\n')
    })

    it('cannot come back by its session, which would carry an identity along', async () => {
      const session = join(folder, 'session.pem')
      const identity = ['-cert', join(folder, 'ana.crt'), '-key', join(folder, 'ana.key')]
      await ask('/club/', [versionSwitch(version), ...identity, '-sess_out', session])
      const { output } = await ask('/club/', [versionSwitch(version), '-sess_in', session])
      expect(output).toMatch(/^New, TLSv1/m)
      expect(output).toContain('60 a client certificate is needed here\r\n')
    })
  })
})

describe.runIf(hasProgram('gnutls-cli'))('gnutls-cli', () => {
  describe.each(VERSIONS)('by %s', (version) => {
    async function ask(path: string, args: readonly string[] = []): Promise<string> {
      const peer = gnutlsCli(port, version, args)
      await peer.printed(/Handshake was completed/)
      peer.type(`gemini://example.org${path}\r`)
      return peer.ended()
    }

    it('gets a page, and an end that is said', async () => {
      const output = await ask('/')
      expect(output).toContain('20 text/gemini\r\n# Hello from the capsule\n')
      expect(output).toContain('Peer has closed the GnuTLS connection')
      expect(output).not.toContain('non-properly terminated')
    })

    it('gets the page behind a certificate with it, and not without', async () => {
      expect(await ask('/club/')).toContain('60 a client certificate is needed here\r\n')
      const identity = ['--x509certfile', join(folder, 'ana.crt'), '--x509keyfile', join(folder, 'ana.key')]
      expect(await ask('/club/', identity)).toContain('# Members only\n')
    })
  })
})
