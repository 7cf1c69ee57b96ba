// A client certificate from a store, chosen by what the server asks for.

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { createServer, type TLSSocket } from 'node:tls'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { KeyedChain } from '../../src/certificate/keyed-chain.ts'
import { endpointFrom } from '../../src/names/endpoint.ts'
import { createClientContext } from '../../src/tls/client-context.ts'
import { connect } from '../../src/tls/connect.ts'
import { peerOf } from '../../src/tls/peer-of.ts'
import {
  type CertificateAuthorityName,
  ClientCertificateStore,
  IssuerClientCertificates,
} from '../../src/tls/sans-io/client-certificate-store.ts'
import { dangerouslyAcceptAny } from '../../src/tls/verifiers/dangerously-accept-any.ts'
import { type ForgedCertificate, forgeCertificate } from '../support/forged-certificates.ts'

let club: ForgedCertificate
let member: KeyedChain
let stranger: KeyedChain

const chainOf = ({ certPem, keyPem }: ForgedCertificate, ...above: ForgedCertificate[]) =>
  KeyedChain.fromPem({
    cert: [certPem, ...above.map((each) => each.certPem)].join(''),
    key: keyPem,
    purpose: 'client',
  })

beforeAll(async () => {
  club = forgeCertificate({ commonName: 'the club', ca: true })
  member = await chainOf(forgeCertificate({ commonName: 'member', usage: 'clientAuth', issuer: club }), club)
  stranger = await chainOf(forgeCertificate({ commonName: 'stranger', usage: 'clientAuth' }))
})

/** A server that tells each client who it is, and counts how often one came. */
async function clubServer(options: { ca?: string[]; maxVersion?: 'TLSv1.2' | 'TLSv1.3' }) {
  const { certPem: cert, keyPem: key } = forgeCertificate()
  let connections = 0
  const server = createServer({ cert, key, requestCert: true, rejectUnauthorized: false, ca: [], ...options })
  server.on('connection', () => connections++)
  server.on('secureConnection', (socket: TLSSocket) => {
    socket.on('error', () => {})
    const name = peerOf(socket)?.certificate.subject.commonName ?? 'nobody'
    setImmediate(() => socket.end(name))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { endpoint: endpointFrom('127.0.0.1', (server.address() as AddressInfo).port), count: () => connections }
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('connect with a certificate store, by %s,', (maxVersion) => {
  const verify = dangerouslyAcceptAny()
  const common = { verify, identityOverTls12: 'allow' } as const

  it('shows the default chain when it is asked before the handshake', async () => {
    const { endpoint, count } = await clubServer({ maxVersion })
    const clientCertificateStore = new IssuerClientCertificates([member], { default: stranger })
    const { stream } = await connect({ endpoint, ...common, clientCertificateStore })
    expect(await text(stream)).toBe('stranger')
    expect(count()).toBe(1)
  })

  it('begins again with the chain that the server’s authorities ask for', async () => {
    const { endpoint, count } = await clubServer({ maxVersion, ca: [club.certPem] })
    const clientCertificateStore = new IssuerClientCertificates([stranger, member])
    const { stream, peer } = await connect({
      endpoint,
      ...common,
      clientCertificateStore,
      clientCertificateMode: 'restart',
    })
    expect(await text(stream)).toBe('member')
    expect(peer.endpoint).toBe(endpoint)
    expect(count()).toBe(2)
  })

  it('goes on without a certificate, by the same connection, if there is none for the server', async () => {
    const { endpoint, count } = await clubServer({ maxVersion, ca: [club.certPem] })
    const clientCertificateStore = new IssuerClientCertificates([stranger])
    const { stream } = await connect({ endpoint, ...common, clientCertificateStore, clientCertificateMode: 'restart' })
    expect(await text(stream)).toBe('nobody')
    expect(count()).toBe(1)
  })

  it('rejects with what the store has thrown', async () => {
    const { endpoint } = await clubServer({ maxVersion, ca: [club.certPem] })
    class Wrong extends ClientCertificateStore {
      override getCertificateChainForRoots(
        _roots: readonly CertificateAuthorityName[],
        answer: (chain: KeyedChain | null) => void,
      ): void {
        answer(stranger)
      }

      override getDefaultCertificateChain(): void {}
    }
    await expect(
      connect({ endpoint, ...common, clientCertificateStore: new Wrong(), clientCertificateMode: 'restart' }),
    ).rejects.toMatchObject({ code: 'ERR_TLACACOCA_CHAIN_INCOMPLETE' })
  })
})

it('takes a store beside an identity, and a mode without a store, for mistakes of the program', async () => {
  const endpoint = endpointFrom('127.0.0.1', 1)
  const common = { endpoint, verify: dangerouslyAcceptAny() }
  const me = forgeCertificate()
  const identity = { cert: me.certPem, key: me.keyPem }
  const clientCertificateStore = new IssuerClientCertificates([member])
  const context = await createClientContext({ identity })
  for (const own of [{ identity }, { context }]) {
    await expect(connect({ ...common, ...own, clientCertificateStore })).rejects.toThrow(TypeError)
  }
  await expect(connect({ ...common, clientCertificateMode: 'restart' })).rejects.toThrow(TypeError)
})

it('never waits for a store longer than for anything else', async () => {
  class Silent extends ClientCertificateStore {
    override getCertificateChainForRoots(): void {}
    override getDefaultCertificateChain(): void {}
  }
  const { endpoint } = await clubServer({})
  const attempt = connect({
    endpoint,
    verify: dangerouslyAcceptAny(),
    clientCertificateStore: new Silent(),
    timeoutMs: 50,
  })
  await expect(attempt).rejects.toMatchObject({ code: 'ERR_TLACACOCA_TIMEOUT' })
})
