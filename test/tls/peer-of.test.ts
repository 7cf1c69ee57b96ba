import { once } from 'node:events'
import { Socket } from 'node:net'
import { connect, createServer, TLSSocket } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Peer } from '../../src/certificate/peer.ts'
import { formatPem } from '../../src/certificate/pem.ts'
import { peerOf } from '../../src/tls/peer-of.ts'
import { craft } from '../support/crafted-certificates.ts'
import { forgeCertificate } from '../support/forged-certificates.ts'

const root = forgeCertificate({ commonName: 'root', ca: true })
const site = forgeCertificate({ hosts: ['example.org'], issuer: root })
const mine = forgeCertificate({ issuer: root, notAfter: new Date('2021-01-01T00:00:00Z') })

/** In the place of `root`, with a serial number whose length is written as no DER has it. */
const UNREADABLE = craft({ subject: root.name, issuer: root.name, serial: Uint8Array.of(2, 0x81, 1, 1) })

/** Both ends of a finished handshake, as Node gives them. */
async function handshake(
  version: 'TLSv1.2' | 'TLSv1.3',
  identity = true,
  chain = mine.certPem + root.certPem,
): Promise<{ client: TLSSocket; server: TLSSocket }> {
  const listener = createServer({
    cert: site.certPem + root.certPem,
    key: site.keyPem,
    requestCert: true,
    rejectUnauthorized: false,
    ca: [],
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as { port: number }
  const client = connect({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    minVersion: version,
    maxVersion: version,
    ...(identity && { cert: chain, key: mine.keyPem }),
  })
  client.on('error', () => {})
  const [[server]] = await Promise.all([once(listener, 'secureConnection'), once(client, 'secureConnect')])
  onTestFinished(() => {
    client.destroy()
    server.destroy()
    listener.close()
  })
  return { client, server }
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('the peer of a socket over %s', (version) => {
  it('is the client on a server, with its chain and its dates', async () => {
    const { server } = await handshake(version)
    const peer = peerOf(server) as Peer
    expect(peer.fingerprint).toBe(mine.certificate.fingerprint)
    expect(peer.chain.map(({ fingerprint }) => fingerprint)).toEqual([
      mine.certificate.fingerprint,
      root.certificate.fingerprint,
    ])
    expect(peer.protocol).toBe(version)
    expect(peer.issuance).toBe('not_checked')
    expect(peer.validityAt(new Date('2030-01-01T00:00:00Z'))).toBe('expired')
    expect(peer.validityAt(new Date('2020-06-01T00:00:00Z'))).toBe('valid')
  })

  // Node gives a client the certificates of its server once: the second call of its own gets nothing.
  it('is the server on a client, however often one asks', async () => {
    const { client } = await handshake(version)
    const first = peerOf(client)
    expect(first?.fingerprint).toBe(site.certificate.fingerprint)
    expect(peerOf(client)).toBe(first)
    client.destroy()
    expect(peerOf(client)).toBe(first)
  })

  // OpenSSL reads BER, where a length may be longer than need be.
  it('is the client without what cannot be read of its chain', async () => {
    const { certPem: chain } = { certPem: mine.certPem + formatPem('CERTIFICATE', UNREADABLE) }
    const { server } = await handshake(version, true, chain)
    expect(server.getPeerX509Certificate()?.issuerCertificate?.subject).toBe('CN=root')
    const peer = peerOf(server) as Peer
    expect(peer.chain.map(({ fingerprint }) => fingerprint)).toEqual([mine.certificate.fingerprint])
  })

  it('is null where the client sent no certificate', async () => {
    const { server } = await handshake(version, false)
    expect(peerOf(server)).toBeNull()
    expect(peerOf(server)).toBeNull()
  })

  it('is null on a socket that was destroyed before anybody asked', async () => {
    const { server } = await handshake(version)
    server.destroy()
    expect(peerOf(server)).toBeNull()
  })
})

it('is not known before the handshake is done', () => {
  const socket = new TLSSocket(new Socket())
  onTestFinished(() => void socket.destroy())
  expect(() => peerOf(socket)).toThrow(/handshake/)
})

it('belongs to TLS sockets only', () => {
  expect(() => peerOf(new Socket() as never)).toThrow(TypeError)
})
