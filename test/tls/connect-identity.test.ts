// What a server learns before it is accepted, and whether it gets the client's certificate in clear.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect as connectPlain, createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { connect as connectPlainTls } from 'node:tls'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { PeerVerifier, VerifierDecision } from '../../src/certificate/peer-verifier.ts'
import { endpointFrom } from '../../src/names/endpoint.ts'
import { type ConnectEvent, type ConnectOptions, connect } from '../../src/tls/connect.ts'
import { pins } from '../../src/tls/verifiers/pins.ts'
import { byteProxy, recordsOf } from '../support/byte-proxy.ts'
import { type ForgedCertificate, forgeCertificate } from '../support/forged-certificates.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { hasOpenssl } from '../support/tls-clients.ts'
import { listening, testServer } from '../support/tls-server.ts'

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const
const YES: VerifierDecision = { accept: true, ground: 'test' }
const NO: VerifierDecision = { accept: false, reason: 'no', detail: 'no' }
const soon = () => new Promise((resolve) => setTimeout(resolve, 60))

let me: ForgedCertificate
let identity: { cert: string; key: string }

beforeAll(() => {
  me = forgeCertificate({ commonName: 'me', usage: 'clientAuth' })
  identity = { cert: me.certPem, key: me.keyPem }
})

const verifier = (verify: PeerVerifier['verify']): PeerVerifier => ({ name: 'test', verify })

const ways: readonly {
  readonly how: string
  readonly answer: (decision: VerifierDecision) => PeerVerifier['verify']
}[] = [
  { how: 'at once', answer: (decision) => () => decision },
  { how: 'in a promise', answer: (decision) => async () => decision },
  { how: 'late', answer: (decision) => () => soon().then(() => decision) },
]

/** Whether the client's certificate can be read in what was sent. */
const showsIdentity = (sent: Buffer): boolean => sent.includes(Buffer.from(me.certificate.der))

/** Records that carry no more than a hello: the record types and, of handshake messages, the message type. */
const kindsOf = (bytes: Buffer): string[] =>
  recordsOf(bytes).map((record) => (record[0] === 22 ? `22/${record[5]}` : String(record[0])))

/** The alert of a refusal as a record: in clear by TLS 1.2, encrypted by TLS 1.3. No more than two bytes either way. */
const ALERT = { 'TLSv1.2': { kind: '21', length: 7 }, 'TLSv1.3': { kind: '23', length: 24 } }

describe.each(VERSIONS)('before the server is accepted, by %s,', (maxVersion) => {
  it.each(ways)('nothing but the hello and an alert leaves if the verifier refuses $how', async ({ answer }) => {
    const server = await testServer({ maxVersion })
    const proxy = await byteProxy(server.port)
    const endpoint = endpointFrom('localhost', proxy.port)
    const attempt = connect({ endpoint, verify: verifier(answer(NO)), identity, identityOverTls12: 'allow' })
    await expect(attempt).rejects.toMatchObject({ code: 'ERR_TLACACOCA_PEER_REFUSED' })
    await soon()
    expect(kindsOf(proxy.fromClient())).toEqual(['22/1', ALERT[maxVersion].kind])
    expect(recordsOf(proxy.fromClient()).at(-1)).toHaveLength(ALERT[maxVersion].length)
    expect(recordsOf(proxy.fromClient()).reduce((sum, { length }) => sum + length, 0)).toBe(proxy.fromClient().length)
    expect(showsIdentity(proxy.fromClient())).toBe(false)
  })

  it.each(ways)('nothing but the hello has left when the verifier is about to accept $how', async ({ answer }) => {
    const server = await testServer({ maxVersion })
    const proxy = await byteProxy(server.port)
    const seen: string[][] = []
    const { stream } = await connect({
      endpoint: endpointFrom('localhost', proxy.port),
      verify: verifier(async (candidate) => {
        const decision = await answer(YES)(candidate)
        await soon()
        seen.push(kindsOf(proxy.fromClient()))
        return decision
      }),
      identity,
      identityOverTls12: 'allow',
    })
    stream.write('hello')
    expect(await text(stream)).toBe('echo hello')
    expect(seen).toEqual([['22/1']])
    // And the server did get the certificate afterwards: in clear by TLS 1.2, encrypted by TLS 1.3.
    expect(showsIdentity(proxy.fromClient())).toBe(maxVersion === 'TLSv1.2')
  })

  it('nothing leaves when the deadline of the verifier passes', async () => {
    const server = await testServer({ maxVersion })
    const proxy = await byteProxy(server.port)
    const endpoint = endpointFrom('localhost', proxy.port)
    const never = verifier(() => new Promise(() => {}))
    const attempt = connect({ endpoint, verify: never, identity, identityOverTls12: 'allow', verifyTimeoutMs: 30 })
    await expect(attempt).rejects.toMatchObject({ code: 'ERR_TLACACOCA_TIMEOUT' })
    await soon()
    expect(kindsOf(proxy.fromClient())).toEqual(['22/1'])
  })
})

it('holds back after a HelloRetryRequest too', async () => {
  const server = await testServer({ minVersion: 'TLSv1.3', ecdhCurve: 'P-384' })
  const proxy = await byteProxy(server.port)
  const endpoint = endpointFrom('localhost', proxy.port)
  const attempt = connect({ endpoint, verify: verifier(() => soon().then(() => NO)), identity })
  await expect(attempt).rejects.toMatchObject({ code: 'ERR_TLACACOCA_PEER_REFUSED' })
  await soon()
  expect(kindsOf(proxy.fromClient())).toEqual(['22/1', '20', '22/1', ALERT['TLSv1.3'].kind])
})

it('does what a plain tls.connect of Node does not: that one shows its certificate to whoever asks, by TLS 1.2', async () => {
  const server = await testServer({ maxVersion: 'TLSv1.2' })
  const proxy = await byteProxy(server.port)
  const socket = connectPlainTls({ port: proxy.port, ca: forgeCertificate().certPem, ...identity })
  socket.on('secureConnect', () => socket.destroy())
  await once(socket, 'error')
  await soon()
  expect(showsIdentity(proxy.fromClient())).toBe(true)
})

it('gives nothing to somebody who replays the certificate of another server without its key', async () => {
  const real = await testServer({ maxVersion: 'TLSv1.2' })
  // The ServerHello and the certificate of the real server, and a signature over other randoms.
  const recorded: Buffer[] = []
  const recorder = createTcpServer((client) => {
    const upstream = connectPlain(real.port)
    client.on('error', () => {}).on('data', (chunk) => upstream.write(chunk))
    upstream.on('data', (chunk: Buffer) => {
      recorded.push(chunk)
      client.write(chunk)
    })
    client.on('close', () => upstream.destroy())
  })
  const recorderPort = await listening(recorder)
  onTestFinished(() => void recorder.close())
  const verify = pins([real.certificate.certificate.fingerprint])
  const first = await connect({
    endpoint: endpointFrom('localhost', recorderPort),
    verify,
    identity,
    identityOverTls12: 'allow',
  })
  first.stream.destroy()

  const sent: Buffer[] = []
  const impostor = createTcpServer((client) => {
    client.on('error', () => {}).on('data', (chunk) => sent.push(chunk))
    client.once('data', () => client.write(recorded[0] ?? ''))
  })
  const port = await listening(impostor)
  onTestFinished(() => void impostor.close())
  const endpoint = endpointFrom('localhost', port)
  const attempt = connect({ endpoint, verify, identity, identityOverTls12: 'allow' })
  await expect(attempt).rejects.toMatchObject({
    code: 'ERR_TLACACOCA_HANDSHAKE_FAILED',
    cause: { message: expect.stringContaining('signature') },
  })
  await soon()
  expect(kindsOf(Buffer.concat(sent)).filter((kind) => kind !== '21')).toEqual(['22/1'])
})

describe('by TLS 1.2 a certificate travels in clear, so connect', () => {
  async function attempt(options: Partial<ConnectOptions> = {}, serverOptions: { requestCert?: boolean } = {}) {
    const server = await testServer({ maxVersion: 'TLSv1.2', ...serverOptions })
    const proxy = await byteProxy(server.port)
    const verify = pins([server.certificate.certificate.fingerprint])
    const connection = connect({ endpoint: endpointFrom('localhost', proxy.port), verify, identity, ...options })
    return { connection, proxy }
  }

  it('refuses by default, before anything has left', async () => {
    const { connection, proxy } = await attempt()
    await expect(connection).rejects.toMatchObject({ code: 'ERR_TLACACOCA_IDENTITY_WITHHELD' })
    await soon()
    // user_canceled and close_notify (RFC 8446 section 6.1), which say nothing about the server.
    expect(kindsOf(proxy.fromClient())).toEqual(['22/1', '21', '21'])
    expect(proxy.fromClient().subarray(-14)).toEqual(Buffer.from([21, 3, 3, 0, 2, 1, 90, 21, 3, 3, 0, 2, 1, 0]))
  })

  it('sends it if that was allowed, and says so', async () => {
    const events: ConnectEvent[] = []
    const onEvent = (event: ConnectEvent) => {
      events.push(event)
      throw new Error('a report that fails changes nothing')
    }
    const { connection, proxy } = await attempt({ identityOverTls12: 'allow', onEvent })
    const { stream } = await connection
    stream.write('hello')
    expect(await text(stream)).toBe('echo hello')
    expect(events).toMatchObject([{ kind: 'identity_in_clear', fingerprint: me.certificate.fingerprint }])
    expect(showsIdentity(proxy.fromClient())).toBe(true)
  })

  it('connects to a server that does not ask for one', async () => {
    const { connection, proxy } = await attempt({}, { requestCert: false })
    const { stream } = await connection
    stream.write('hello')
    expect(await text(stream)).toBe('echo hello')
    expect(showsIdentity(proxy.fromClient())).toBe(false)
  })

  it('connects without an identity to a server that asks for one', async () => {
    const server = await testServer({ maxVersion: 'TLSv1.2' })
    const verify = pins([server.certificate.certificate.fingerprint])
    const { stream } = await connect({ endpoint: endpointFrom('localhost', server.port), verify })
    stream.write('hello')
    expect(await text(stream)).toBe('echo hello')
  })
})

// A second opinion about what arrives: OpenSSL's own server, which prints every message it gets.
describe.skipIf(!hasOpenssl).each(['-tls1_2', '-tls1_3'])('openssl s_server %s', (version) => {
  async function visit(fingerprint: string | null): Promise<{ log: string; error: unknown }> {
    const folder = await temporaryFolder()
    const certificate = forgeCertificate()
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    await writeFile(cert, certificate.certPem)
    await writeFile(key, certificate.keyPem)
    const child = spawn('openssl', [
      's_server',
      '-accept',
      '127.0.0.1:0',
      '-cert',
      cert,
      '-key',
      key,
      '-msg',
      '-verify',
      '5',
      version,
    ])
    onTestFinished(() => void child.kill())
    let log = ''
    for (const output of [child.stdout, child.stderr]) {
      output.setEncoding('utf8').on('data', (piece: string) => {
        log += piece
      })
    }
    while (!/ACCEPT 127\.0\.0\.1:\d+/.test(log)) await soon()
    const port = Number(/ACCEPT 127\.0\.0\.1:(\d+)/.exec(log)?.[1])
    let error: unknown = null
    try {
      const { stream, close } = await connect({
        endpoint: endpointFrom('127.0.0.1', port),
        verify: pins([fingerprint ?? certificate.certificate.fingerprint]),
        identity,
        identityOverTls12: 'allow',
      })
      stream.write('hello\n')
      while (!log.includes('hello')) await soon()
      await close()
    } catch (caught) {
      error = caught
      await soon()
      await soon()
    }
    return { log, error }
  }

  /** The handshake messages that the server got (`<<<`). */
  const got = (log: string): string[] =>
    [...log.matchAll(/<<< .*Handshake .*, (\w+)\r?\n/g)].map((match) => match[1] ?? '')

  it('gets the certificate and the proof from a client that knows it', async () => {
    const { log, error } = await visit(null)
    expect(error).toBeNull()
    const middle =
      version === '-tls1_2'
        ? ['Certificate', 'ClientKeyExchange', 'CertificateVerify']
        : ['Certificate', 'CertificateVerify']
    expect(got(log)).toEqual(['ClientHello', ...middle, 'Finished'])
  })

  it('gets a hello from a client that expects another, and nothing else', async () => {
    const { log, error } = await visit(`sha256:${'00'.repeat(32)}`)
    expect(error).toMatchObject({ code: 'ERR_TLACACOCA_PEER_REFUSED' })
    expect(got(log)).toEqual(['ClientHello'])
  })
})
