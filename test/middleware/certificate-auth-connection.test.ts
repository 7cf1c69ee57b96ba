import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { connect, type TLSSocket } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { scriptEnvironment } from '../../src/certificate/certificate-environment.ts'
import type { Peer } from '../../src/certificate/peer.ts'
import type { RevocationStatus } from '../../src/certificate/revocation-checker.ts'
import { TrustStore } from '../../src/certificate/trust-store.ts'
import { CertificateAuth } from '../../src/middleware/certificate-auth.ts'
import type { CertificateRule } from '../../src/middleware/certificate-rule.ts'
import { openInsideRoot } from '../../src/middleware/open-inside-root.ts'
import { parseClientAddress } from '../../src/names/client-address.ts'
import { parseTarget } from '../../src/names/request-target.ts'
import type { ServerConnection } from '../../src/net/server-connection.ts'
import { peerOf } from '../../src/tls/peer-of.ts'
import { createSecureServer } from '../../src/tls/secure-server.ts'
import { createServer } from '../../src/tls/server.ts'
import { createServerContext } from '../../src/tls/server-context.ts'
import { certPem, keyPem } from '../support/chain-fixtures.ts'
import { forgeCertificate } from '../support/forged-certificates.ts'
import { issue } from '../support/issued-certificates.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { closed } from '../support/tls-clients.ts'
import { testServer } from '../support/tls-server.ts'

// Rules on real connections: that of a client who stays, and that of one who comes back by a resumed session.

const club = issue({ subject: 'club', ca: true })
const chapter = issue({ subject: 'chapter', by: club, ca: true, to: '20500701000000Z' })
const alice = issue({ subject: 'alice', by: chapter, ca: false })
const site = forgeCertificate({ hosts: ['localhost'] })
const address = parseClientAddress('127.0.0.1')

/** What a rule for `/club/` says about a peer, in a word or two. */
async function word(auth: CertificateAuth, peer: Peer | null): Promise<string> {
  const target = parseTarget('gemini://localhost/club/', { schemes: { gemini: 1965 }, served: 'any' })
  const result = await auth.decide({ target, address, peer })
  return result.allowed
    ? 'welcome'
    : [result.denialReason, result.detail].filter((part) => part !== undefined).join(' ')
}

/** A client with alice's certificate. Each line that it sends is answered with one. */
async function client(port: number, options: object = {}): Promise<{ socket: TLSSocket; ask: () => Promise<string> }> {
  const identity = { cert: certPem(alice, chapter), key: keyPem(alice) }
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...identity, ...options })
  onTestFinished(() => void socket.destroy())
  await once(socket, 'secureConnect')
  const lines = createInterface(socket)[Symbol.asyncIterator]()
  const ask = async (): Promise<string> => {
    socket.write('?\n')
    return String((await lines.next()).value)
  }
  return { socket, ask }
}

describe.each([{ make: createServer }, { make: createSecureServer }])('on a connection of $make.name', ({ make }) => {
  async function serve(rule: Omit<CertificateRule, 'path'>, clock: { now: number }) {
    const auth = new CertificateAuth({ rules: [{ path: '/club/', ...rule }], clock: () => clock.now })
    const context = await createServerContext({
      certificates: [{ cert: site.certPem, key: site.keyPem }],
      clientCertificates: 'request',
    })
    const server = make(context, async ({ stream, peer }: ServerConnection) => {
      for await (const _ of createInterface(stream)) stream.write(`${await word(auth, peer)}\n`)
      stream.end()
    })
    const { port } = await server.listen(0, '127.0.0.1')
    onTestFinished(() => server.close())
    return client(port)
  }

  it('a certificate that is revoked between two requests is refused at the second', async () => {
    let status: RevocationStatus = { kind: 'good' }
    const { ask } = await serve({ revocation: { revocationOf: async () => status } }, { now: Date.now() })
    expect(await ask()).toBe('welcome')
    status = { kind: 'revoked', reason: 'key_compromise', at: new Date() }
    expect(await ask()).toBe('cert_not_valid revoked')
  })

  it('a user who is dropped between two requests is refused at the second', async () => {
    const users = new Set([alice.certificate.fingerprint])
    const lookup: CertificateRule['lookup'] = {
      lookup: ({ fingerprint }) => (users.has(fingerprint) ? { kind: 'known', user: 'alice' } : { kind: 'unknown' }),
    }
    const { ask } = await serve({ lookup }, { now: Date.now() })
    expect(await ask()).toBe('welcome')
    users.clear()
    expect(await ask()).toBe('cert_not_authorized unknown')
  })

  it('a certificate, or an authority above it, that expires between two requests is refused at the second', async () => {
    const clock = { now: Date.parse('2050-07-01T00:00:00Z') }
    const { ask } = await serve({ issuedBy: new TrustStore([club.certificate]) }, clock)
    expect(await ask()).toBe('welcome')
    clock.now += 1
    expect(await ask()).toBe('cert_not_authorized expired')
    clock.now = Date.parse('2100-01-01T00:00:00Z')
    expect(await ask()).toBe('cert_not_valid expired')
    clock.now = Date.parse('2019-01-01T00:00:00Z')
    expect(await ask()).toBe('cert_not_valid not_yet_valid')
  })
})

it.each(['TLSv1.2', 'TLSv1.3'] as const)('a session that is resumed by %s has no certificate', async (version) => {
  const auth = new CertificateAuth({ rules: [{ path: '/club/', issuedBy: new TrustStore([club.certificate]) }] })
  const { port, sockets } = await testServer({
    // What a program that does not use a context of ours would have: sessions are resumed.
    minVersion: version,
    maxVersion: version,
    sessionIdContext: 'club',
    onConnection: (socket) => {
      const peer = peerOf(socket)
      socket.on('data', async () => socket.write(`${await word(auth, peer)}\n`))
    },
  })
  const first = await client(port)
  const session = version === 'TLSv1.3' ? once(first.socket, 'session') : [first.socket.getSession()]
  expect(await first.ask()).toBe('welcome')
  const [ticket] = await session
  first.socket.end()
  await closed(first.socket)

  const second = await client(port, { session: ticket })
  expect(second.socket.isSessionReused()).toBe(true)
  expect(await second.ask()).toBe('cert_required')
  // Node shows the certificate of the first time, which nobody has proven to hold now.
  expect([...sockets].at(-1)?.getPeerCertificate().subject?.CN).toBe('alice')
})

it.skipIf(process.platform === 'win32')(
  'a script that was opened runs as it was, whatever its name means by then',
  async () => {
    const root = await temporaryFolder()
    await mkdir(join(root, 'cgi'))
    await writeFile(join(root, 'cgi', 'who'), 'echo "$REMOTE_USER $TLS_CLIENT_AUTHORISED $QUERY_STRING"\n')
    await writeFile(join(root, 'evil'), 'echo evil\n')
    const context = await createServerContext({
      certificates: [{ cert: site.certPem, key: site.keyPem }],
      clientCertificates: 'request',
    })
    const server = createServer(context, async ({ stream, peer }) => {
      const { path, query } = parseTarget('gemini://localhost/cgi/x/..//%77ho?a%20b', {
        schemes: { gemini: 1965 },
        served: 'any',
      })
      const file = await openInsideRoot(root, path)
      if (file === null) throw new Error('no such file')
      await rename(join(root, 'evil'), join(root, 'cgi', 'who'))
      const base = { PATH: '/usr/bin:/bin', REMOTE_USER: 'stale', QUERY_STRING: query ?? '' }
      const env = scriptEnvironment(base, peer, { issuedBy: new TrustStore([club.certificate]) })
      const child = spawn('/bin/sh', ['/dev/fd/3'], { env, stdio: ['ignore', 'pipe', 'inherit', file.fd] })
      await once(child, 'spawn')
      // Before anything else is awaited: Node throws away what a short script has written if nobody reads when it ends.
      child.stdout?.pipe(stream)
      await file.close()
    })
    const { port } = await server.listen(0, '127.0.0.1')
    onTestFinished(() => server.close())
    const { ask } = await client(port)
    expect(await ask()).toBe('alice 1 a%20b')
  },
)
