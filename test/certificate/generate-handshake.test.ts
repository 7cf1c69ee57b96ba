// Generated certificates at work: real handshakes on both versions of TLS, in both roles.

import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type SecureVersion, type TLSSocket } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { generateSelfSignedCertificate } from '../../src/certificate/generate.ts'
import { KEY_KINDS, type KeyKind } from '../../src/certificate/generate-options.ts'
import { testCertificate } from '../support/certificates.ts'

interface Handshake {
  readonly serverSeenByClient: string
  readonly clientSeenByServer: string | undefined
  readonly authorized: boolean
}

/** Shakes hands; rejects with the client's error if that fails. */
async function shakeHands(
  version: SecureVersion,
  server: { cert: string; key: string; passphrase?: string },
  client: { cert?: string; key?: string } = {},
): Promise<Handshake> {
  const versions = { minVersion: version, maxVersion: version }
  const listener = createServer({ ...server, ...versions, requestCert: true, rejectUnauthorized: false })
  onTestFinished(() => void listener.close())
  // A client that gives up shows here as an error too; the client's own is the one to report.
  listener.on('tlsClientError', () => {})
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  const accepted = new Promise<TLSSocket>((resolve) => listener.once('secureConnection', resolve))
  const socket = connect({
    ...client,
    ...versions,
    port,
    host: '127.0.0.1',
    servername: 'example.org',
    // The certificate is its own authority, and it must be the host's.
    ca: server.cert,
  })
  onTestFinished(() => void socket.destroy())
  await once(socket, 'secureConnect')
  const other = await accepted
  onTestFinished(() => void other.destroy())
  return {
    serverSeenByClient: socket.getPeerCertificate(true).raw.toString('hex'),
    clientSeenByServer: other.getPeerCertificate(true).raw?.toString('hex'),
    authorized: socket.authorized,
  }
}

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const usual: readonly KeyKind[] = ['P-256', 'P-384', 'Ed25519', 'RSA-2048', 'RSA-3072', 'RSA-4096']

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s', (version) => {
  it.each(usual)('a %s certificate serves a host, and is accepted by a client that trusts it', async (key) => {
    const server = await testCertificate({ host: 'example.org', key })
    const seen = await shakeHands(version, { cert: server.certPem, key: server.keyPem })
    expect(seen.serverSeenByClient).toBe(hexOf(server.certificate.der))
    expect(seen.authorized).toBe(true)
  })

  it.each(usual)('a %s certificate proves an identity to a server', async (key) => {
    const server = await generateSelfSignedCertificate({ hostname: 'example.org' })
    const identity = await testCertificate({ host: null, usage: 'client', commonName: 'Ana', key })
    const seen = await shakeHands(
      version,
      { cert: server.certificatePem, key: server.privateKeyPem },
      { cert: identity.certPem, key: identity.keyPem },
    )
    expect(seen.clientSeenByServer).toBe(hexOf(identity.certificate.der))
  })

  it('so does one without any name', async () => {
    const server = await generateSelfSignedCertificate({ hostname: 'example.org' })
    const identity = await generateSelfSignedCertificate({ usage: 'client', commonName: '' })
    const seen = await shakeHands(
      version,
      { cert: server.certificatePem, key: server.privateKeyPem },
      { cert: identity.certificatePem, key: identity.privateKeyPem },
    )
    expect(seen.clientSeenByServer).toBe(hexOf(identity.certificate.der))
  })

  it('a key under a passphrase opens in a TLS context of Node', async () => {
    const passphrase = 'correct horse'
    const { certificatePem, privateKeyPem } = await generateSelfSignedCertificate({
      hostname: 'example.org',
      passphrase,
    })
    const seen = await shakeHands(version, { cert: certificatePem, key: privateKeyPem, passphrase })
    expect(seen.authorized).toBe(true)
  })
})

const unusual = KEY_KINDS.filter((kind) => !usual.includes(kind))
// RFC 8734, which OpenSSL has since 3.2: Node 20 has 3.0, later releases of Node 22 and what came after have 3.5.
const [major = 0, minor = 0] = process.versions.openssl.split('.').map(Number)
const hasBrainpool = major > 3 || (major === 3 && minor >= 2)

describe.each(unusual)('a %s certificate', (key) => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'over %s is refused or accepted as the documentation says',
    async (version) => {
      const { certificatePem, privateKeyPem } = await generateSelfSignedCertificate({ hostname: 'example.org', key })
      const shaken = seenUnchecked(version, { cert: certificatePem, key: privateKeyPem })
      const accepts = hasBrainpool && version === 'TLSv1.3' && key !== 'secp256k1'
      if (accepts) expect((await shaken)?.equals(new X509Certificate(certificatePem).raw)).toBe(true)
      else await expect(shaken).rejects.toThrow()
    },
  )
})

/** Shakes hands without a check of the server: for that, Node 24 asks for details of its key, and crashes over these. */
async function seenUnchecked(
  version: SecureVersion,
  server: { cert: string; key: string },
): Promise<Buffer | undefined> {
  const versions = { minVersion: version, maxVersion: version }
  const listener = createServer({ ...server, ...versions })
  onTestFinished(() => void listener.close())
  listener.on('tlsClientError', () => {})
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as AddressInfo
  const socket = connect({ ...versions, port, host: '127.0.0.1', rejectUnauthorized: false })
  onTestFinished(() => void socket.destroy())
  await once(socket, 'secureConnect')
  return socket.getPeerX509Certificate()?.raw
}
