// From `revoke` to everybody who must know of it: a rule on an open connection, the handshake, a client of ours, Node's own
// TLS, and the programs of others that read the list.

import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { connect as connectTls, createServer as createNodeServer, type TLSSocket } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { CertificateAuthority } from '../../src/authority/certificate-authority.ts'
import { createCertificateRequest } from '../../src/certificate/certificate-request-create.ts'
import { CertificateAuth } from '../../src/middleware/certificate-auth.ts'
import { parseEndpoint } from '../../src/names/endpoint.ts'
import { parseTarget } from '../../src/names/request-target.ts'
import type { ServerConnection } from '../../src/net/server-connection.ts'
import { connect } from '../../src/tls/connect.ts'
import { refuseRevoked } from '../../src/tls/refuse-revoked.ts'
import { createSecureServer } from '../../src/tls/secure-server.ts'
import { createServer } from '../../src/tls/server.ts'
import { createServerContext } from '../../src/tls/server-context.ts'
import { authorities } from '../../src/tls/verifiers/authorities.ts'
import { testCertificate } from '../support/certificates.ts'
import { hasGnutls } from '../support/gnutls-peer.ts'
import { messagesIn, sClient, versionSwitch } from '../support/openssl-peer.ts'
import { VERSIONS } from '../support/sans-io-world.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

interface Member {
  readonly serial: string
  readonly cert: string
  readonly key: string
}

async function newClub(): Promise<{ folder: string; authority: CertificateAuthority }> {
  const folder = await temporaryFolder()
  const authority = await CertificateAuthority.create(join(folder, 'ca'), {
    subject: [['CN', 'club']],
    passphrase: 'tlaloc',
  })
  onTestFinished(() => authority.close())
  return { folder, authority }
}

async function newMember(authority: CertificateAuthority, name: string): Promise<Member> {
  const { request, privateKeyPem } = await createCertificateRequest()
  const issued = await authority.sign({ request, subject: [['CN', name]] })
  return { serial: issued.serialNumber, cert: issued.certificatePem, key: privateKeyPem }
}

async function serverContext() {
  const { certPem, keyPem } = await testCertificate()
  return createServerContext({ certificates: [{ cert: certPem, key: keyPem }], clientCertificates: 'request' })
}

describe('a certificate that is revoked', () => {
  it('is refused at the very next request of a connection that is open', async () => {
    const { authority } = await newClub()
    const [ana, bo] = [await newMember(authority, 'ana'), await newMember(authority, 'bo')]
    const auth = new CertificateAuth({ rules: [{ path: '/', revocation: authority.revocationChecker() }] })
    const answer = async ({ stream, address, peer }: ServerConnection): Promise<void> => {
      for await (const line of createInterface({ input: stream })) {
        const target = parseTarget(line, { schemes: { gemini: 1965 }, served: 'any' })
        const decision = await auth.decide({ target, address, peer })
        stream.write(decision.allowed ? '20 text/plain\n' : `62 ${decision.denialReason}: ${decision.detail}\n`)
      }
    }
    const server = createServer(await serverContext(), answer)
    onTestFinished(() => server.close({ graceMs: 0 }))
    const { port } = await server.listen(0, '127.0.0.1')
    const [anas, bos] = [await visitor(port, ana), await visitor(port, bo)]

    expect([await anas(), await bos()]).toEqual(['20 text/plain', '20 text/plain'])
    await authority.hold(ana.serial)
    expect([await anas(), await bos()]).toEqual(['62 cert_not_valid: held', '20 text/plain'])
    await authority.release(ana.serial)
    expect([await anas(), await bos()]).toEqual(['20 text/plain', '20 text/plain'])
    await authority.revoke(ana.serial, { reason: 'affiliation_changed' })
    expect([await anas(), await bos()]).toEqual(['62 cert_not_valid: revoked', '20 text/plain'])
  })

  /** A client that asks the same question again and again over one connection. */
  async function visitor(port: number, { cert, key }: Member): Promise<() => Promise<string>> {
    const socket: TLSSocket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, cert, key })
    onTestFinished(() => void socket.destroy())
    await once(socket, 'secureConnect')
    const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
    return async () => {
      socket.write('gemini://example.org/club/\n')
      return (await lines.next()).value
    }
  }

  it.each(VERSIONS)('is refused in the handshake, and openssl sees the alert, over %s', async (version) => {
    const { folder, authority } = await newClub()
    const server = createSecureServer(await serverContext(), ({ stream }) => stream.end('welcome\n'), {
      verify: refuseRevoked(authority.revocationChecker()),
    })
    onTestFinished(() => server.close({ graceMs: 0 }))
    const { port } = await server.listen(0, '127.0.0.1')
    const ana = await newMember(authority, 'ana')
    const [cert, key] = [join(folder, 'ana.pem'), join(folder, 'ana.key')]
    await writeFile(cert, ana.cert)
    await writeFile(key, ana.key)
    const visit = async (): Promise<string> =>
      sClient(port, [versionSwitch(version), '-cert', cert, '-key', key, '-ign_eof']).ended()

    expect(await visit()).toContain('welcome')
    await authority.hold(ana.serial)
    expect(messagesIn(await visit(), 'received')).toContain('Alert fatal certificate_revoked')
    await authority.release(ana.serial)
    expect(await visit()).toContain('welcome')
    await authority.revoke(ana.serial, { reason: 'key_compromise' })
    const output = await visit()
    expect(output).toMatch(/SSL alert number 44/)
    expect(output).not.toContain('welcome')
  })

  it('is refused by a client of ours, and the server sees the alert', async () => {
    const { authority } = await newClub()
    const { request, privateKeyPem } = await createCertificateRequest()
    const subjectAltNames = { dns: ['example.org'] }
    const { serialNumber, chainPem } = await authority.sign({ request, profile: 'server', subjectAltNames })
    const context = await createServerContext({ certificates: [{ cert: chainPem, key: privateKeyPem }] })
    const alerts: unknown[] = []
    const server = createServer(context, ({ stream }) => stream.end(), {
      onEvent: (event) => alerts.push('error' in event ? event.error?.message : event),
    })
    onTestFinished(() => server.close({ graceMs: 0 }))
    const { port } = await server.listen(0, '127.0.0.1')
    const verify = authorities([authority.certificate], {
      hostname: 'example.org',
      revocation: authority.revocationChecker(),
    })
    const endpoint = parseEndpoint(`127.0.0.1:${port}`)

    const { peer, close } = await connect({ endpoint, verify })
    expect(peer.acceptedBy).toBe('authorities')
    await close()
    await authority.revoke(serialNumber, { reason: 'superseded' })
    await expect(connect({ endpoint, verify })).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_PEER_REFUSED',
      reason: 'revoked',
    })
    while (alerts.length === 0) await new Promise((resolve) => setImmediate(resolve))
    expect(String(alerts[0])).toMatch(/alert number 44/)
  })

  it('is refused by a server of Node that has the list', async () => {
    const { authority } = await newClub()
    const [ana, bo] = [await newMember(authority, 'ana'), await newMember(authority, 'bo')]
    await authority.revoke(ana.serial, { reason: 'superseded' })
    const { certPem, keyPem } = await testCertificate()
    const trust = { ca: authority.certificate.toPem(), crl: (await authority.crl()).toPem() }
    const server = createNodeServer({ cert: certPem, key: keyPem, requestCert: true, ...trust }, (socket) => {
      socket.end('welcome')
    })
    onTestFinished(() => void server.close())
    server.on('tlsClientError', () => undefined).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    const visit = async ({ cert, key }: Member): Promise<string> => {
      const socket = connectTls({ port: address.port, host: '127.0.0.1', rejectUnauthorized: false, cert, key })
      let text = ''
      socket.on('data', (piece) => {
        text += piece
      })
      socket.on('error', (error) => {
        text += error.message
      })
      await once(socket, 'close').catch(() => undefined)
      return text
    }
    expect(await visit(bo)).toBe('welcome')
    expect(await visit(ana)).not.toContain('welcome')
  })

  it('is on the list that openssl reads and verifies', async () => {
    const { folder, authority } = await newClub()
    const [ana, bo] = [await newMember(authority, 'ana'), await newMember(authority, 'bo')]
    const files = { ca: join(folder, 'ca.pem'), list: join(folder, 'list.pem'), ana: join(folder, 'ana.pem'), bo: '' }
    await writeFile(files.ca, authority.certificate.toPem())
    await writeFile(files.ana, ana.cert)
    files.bo = join(folder, 'bo.pem')
    await writeFile(files.bo, bo.cert)
    const verify = (leaf: string): string => {
      const args = ['verify', '-crl_check', '-x509_strict', '-CAfile', files.ca, '-CRLfile', files.list, leaf]
      const { stdout, stderr } = spawnSync('openssl', args, { encoding: 'utf8' })
      return stdout + stderr
    }

    await writeFile(files.list, (await authority.crl()).toPem())
    expect(verify(files.ana)).toMatch(/: OK/)
    await authority.revoke(ana.serial, { reason: 'superseded' })
    const crl = await authority.crl()
    await writeFile(files.list, crl.toPem())
    expect(verify(files.ana)).toMatch(/certificate revoked/)
    expect(verify(files.bo)).toMatch(/: OK/)
    expect(
      String(spawnSync('openssl', ['crl', '-noout', '-CAfile', files.ca], { input: crl.toPem() }).stderr),
    ).toContain('verify OK')
  })

  it.runIf(hasGnutls)('is on the list that certtool reads and verifies', async () => {
    const { folder, authority } = await newClub()
    const ana = await newMember(authority, 'ana')
    await authority.revoke(ana.serial, { reason: 'superseded' })
    const ca = join(folder, 'ca.pem')
    await writeFile(ca, authority.certificate.toPem())
    const input = (await authority.crl()).toPem()
    const run = (...args: string[]): string => execFileSync('certtool', args, { input, encoding: 'utf8' })
    expect(run('--verify-crl', '--load-ca-certificate', ca)).toMatch(/Verification output: Verified\./)
    expect(run('--crl-info')).toContain(`Serial Number (hex): ${ana.serial}`)
  })
})
