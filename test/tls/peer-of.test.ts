import { createECDH } from 'node:crypto'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { connect, createServer, TLSSocket } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { element, integer, oid } from '../../src/certificate/der-writer.ts'
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
  {
    identity = true,
    chain = mine.certPem + root.certPem,
    cert = site.certPem + root.certPem,
  }: { readonly identity?: boolean; readonly chain?: string; readonly cert?: string } = {},
): Promise<{ client: TLSSocket; server: TLSSocket }> {
  const listener = createServer({
    cert,
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
    const chain = mine.certPem + formatPem('CERTIFICATE', UNREADABLE)
    const { server } = await handshake(version, { chain })
    expect(server.getPeerX509Certificate()?.issuerCertificate?.subject).toBe('CN=root')
    const peer = peerOf(server) as Peer
    expect(peer.chain.map(({ fingerprint }) => fingerprint)).toEqual([mine.certificate.fingerprint])
  })

  it('is null where the client sent no certificate', async () => {
    const { server } = await handshake(version, { identity: false })
    expect(peerOf(server)).toBeNull()
    expect(peerOf(server)).toBeNull()
  })

  it('is null on a socket that was destroyed before anybody asked', async () => {
    const { server } = await handshake(version)
    server.destroy()
    expect(peerOf(server)).toBeNull()
  })
})

// Node 24, and 26 at first, crash where they are asked for the details of such a key: the whole process would be gone.
it('is the server on a client, whatever keys are in the certificates that it sends', async () => {
  const ecdh = createECDH('brainpoolP256r1')
  ecdh.generateKeys()
  const algorithm = element(0x30, oid('1.2.840.10045.4.3.2'))
  const day = (text: string) => element(0x17, Buffer.from(text))
  const key = element(
    0x30,
    element(0x30, oid('1.2.840.10045.2.1'), oid('1.3.36.3.3.2.8.1.1.7')),
    element(0x03, Uint8Array.of(0), ecdh.getPublicKey()),
  )
  const validity = element(0x30, day('250101000000Z'), day('450101000000Z'))
  const facts = element(0x30, element(0xa0, integer(2)), integer(5), algorithm, root.name, validity, root.name, key)
  // It looks as if it had issued the server's. Nobody has to have signed it.
  const strange = element(0x30, facts, algorithm, element(0x03, Uint8Array.from([0, 0x30, 6, 2, 1, 1, 2, 1, 1])))
  const { client } = await handshake('TLSv1.3', { cert: site.certPem + formatPem('CERTIFICATE', strange) })
  expect(peerOf(client)?.fingerprint).toBe(site.certificate.fingerprint)
})

it('leaves to a client what Node says of its server', async () => {
  const { client } = await handshake('TLSv1.3')
  peerOf(client)
  expect(client.getPeerCertificate().raw).toEqual(Buffer.from(site.der))
})

it('is not known before the handshake is done', () => {
  const socket = new TLSSocket(new Socket())
  onTestFinished(() => void socket.destroy())
  expect(() => peerOf(socket)).toThrow(/handshake/)
})

it('belongs to TLS sockets only', () => {
  expect(() => peerOf(new Socket() as never)).toThrow(TypeError)
})
