// Identities in real handshakes: what the server sees, and what it does not.

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { createServer, type TLSSocket } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Certificate } from '../../../src/certificate/certificate.ts'
import { loadPrivateKey } from '../../../src/certificate/private-key.ts'
import { type Endpoint, endpointFrom } from '../../../src/names/endpoint.ts'
import { type ConnectOptions, connect } from '../../../src/tls/connect.ts'
import { peerOf } from '../../../src/tls/peer-of.ts'
import { dangerouslyAcceptAny } from '../../../src/tls/verifiers/dangerously-accept-any.ts'
import { type ForgedCertificate, forgeCertificate } from '../../support/forged-certificates.ts'
import { folderWallet, newFolder } from './wallet-support.ts'

const verify = dangerouslyAcceptAny()

/** A server that tells each client its fingerprint. */
async function server(options: { ca?: string[]; maxVersion?: 'TLSv1.2' | 'TLSv1.3' } = {}): Promise<Endpoint> {
  const { certPem: cert, keyPem: key } = forgeCertificate()
  const listener = createServer({ cert, key, requestCert: true, rejectUnauthorized: false, ca: [], ...options })
  listener.on('secureConnection', (socket: TLSSocket) => {
    socket.on('error', () => {})
    const fingerprint = peerOf(socket)?.certificate.fingerprint ?? 'nobody'
    setImmediate(() => socket.end(fingerprint))
  })
  listener.on('tlsClientError', () => {})
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  onTestFinished(() => void listener.close())
  return endpointFrom('127.0.0.1', (listener.address() as AddressInfo).port)
}

async function seenBy(endpoint: Endpoint, options: Omit<ConnectOptions, 'endpoint' | 'verify'>): Promise<string> {
  const { stream } = await connect({ endpoint, verify, ...options })
  return text(stream)
}

describe('a server', () => {
  it.each(['ec-p256', 'ed25519', 'rsa-2048'] as const)(
    'sees the identity of the scope, with a key of type %s, and of no other',
    async (keyType) => {
      const endpoint = await server()
      const wallet = await folderWallet(await newFolder(), { passphrase: 'x' })
      const club = `gemini://${endpoint}/club`
      const ana = await wallet.create({ keyType, scope: club })
      const identity = await wallet.identityFor(`${club}/rules`)
      if (identity === null) throw new Error('expected an identity')
      expect(await seenBy(endpoint, { identity })).toBe(ana.fingerprint)
      expect(await seenBy(endpoint, { clientCertificateStore: wallet.store(club) })).toBe(ana.fingerprint)
      const elsewhere = wallet.store(`gemini://${endpoint}/clubhouse`)
      expect(await seenBy(endpoint, { clientCertificateStore: elsewhere })).toBe('nobody')
      const redirected = wallet.store(club, { redirectedFrom: 'gemini://evil.example/' })
      expect(await seenBy(endpoint, { clientCertificateStore: redirected })).toBe('nobody')
      expect(wallet.get(ana.id)?.sites.map((site) => String(site.endpoint))).toEqual([String(endpoint)])
    },
  )

  it('sees by one store what is in use when it asks', async () => {
    const endpoint = await server()
    const wallet = await folderWallet(await newFolder())
    const url = `gemini://${endpoint}/`
    const clientCertificateStore = wallet.store(url)
    expect(await seenBy(endpoint, { clientCertificateStore })).toBe('nobody')
    const ana = await wallet.create({ temporary: true, scope: url })
    expect(await seenBy(endpoint, { clientCertificateStore })).toBe(ana.fingerprint)
    const renewed = await wallet.renew(ana.id)
    expect(await seenBy(endpoint, { clientCertificateStore })).toBe(renewed.fingerprint)
    await wallet.stop(ana.id)
    expect(await seenBy(endpoint, { clientCertificateStore })).toBe('nobody')
  })

  it('of TLS 1.2 sees nothing before the user has agreed', async () => {
    const endpoint = await server({ maxVersion: 'TLSv1.2' })
    const wallet = await folderWallet(await newFolder())
    const url = `gemini://${endpoint}/`
    const { id, fingerprint } = await wallet.create({ scope: url })
    const attempt = () => {
      const { cleared } = wallet.check(id, { endpoint, protocol: 'TLSv1.2' })
      const identityOverTls12 = cleared ? 'allow' : 'refuse'
      return seenBy(endpoint, { clientCertificateStore: wallet.store(url), identityOverTls12 })
    }
    await expect(attempt()).rejects.toMatchObject({ code: 'ERR_TLACACOCA_IDENTITY_WITHHELD' })
    await wallet.confirm(id, endpoint, 'tls12')
    expect(await attempt()).toBe(fingerprint)
  })

  it('that names authorities sees an identity that one of them issued, and no other', async () => {
    const club: ForgedCertificate = forgeCertificate({ commonName: 'the club', ca: true })
    const member = forgeCertificate({ commonName: 'member', usage: 'clientAuth', issuer: club })
    const endpoint = await server({ ca: [club.certPem] })
    const wallet = await folderWallet(await newFolder())
    const url = `gemini://${endpoint}/`
    const common = { clientCertificateMode: 'restart' } as const
    const ana = await wallet.create({ scope: url })
    expect(await seenBy(endpoint, { clientCertificateStore: wallet.store(url), ...common })).toBe('nobody')
    const { added } = await wallet.import([
      {
        certificate: Certificate.from(member.certPem),
        chain: [Certificate.from(club.certPem)],
        privateKey: await loadPrivateKey(member.keyPem),
        name: null,
        notes: null,
        scopes: [url],
        temporary: false,
      },
    ])
    expect(wallet.forUrl(url)?.id).not.toBe(ana.id)
    expect(await seenBy(endpoint, { clientCertificateStore: wallet.store(url), ...common })).toBe(added[0]?.fingerprint)
  })

  it('sees nothing if the key cannot be opened: there is no connection', async () => {
    const endpoint = await server()
    const directory = await newFolder()
    const wallet = await folderWallet(directory)
    const url = `gemini://${endpoint}/`
    const { id } = await wallet.create({ scope: url })
    await wallet.close()
    const { writeFileSync } = await import('node:fs')
    writeFileSync(`${directory}/${id}.key`, 'damaged')
    const again = await folderWallet(directory)
    const attempt = seenBy(endpoint, { clientCertificateStore: again.store(url) })
    await expect(attempt).rejects.toMatchObject({ code: 'ERR_TLACACOCA_KEY_MALFORMED' })
  })
})
