// What leaves before the peer is accepted: nothing that says who we are, and nothing of what we have to say.
//
// The peers are Node's own TLS sockets and `openssl s_server`, with everything recorded that is on the wire. Next to each
// promise stands what Node's `tls.connect` does in the same place.

import { createHash, createPrivateKey } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect as connectTls, type TLSSocket, type TlsOptions } from 'node:tls'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { KeyedChain } from '../../../src/certificate/keyed-chain.ts'
import type { PeerVerifier, VerifierDecision } from '../../../src/certificate/peer-verifier.ts'
import { BadTLSDataError, PeerRefusedError, VerificationRefused } from '../../../src/errors.ts'
import { AlertCode } from '../../../src/tls/alert.ts'
import { SingleClientCertificate } from '../../../src/tls/sans-io/client-certificate-store.ts'
import { ClientTLS, type ClientTLSOptions } from '../../../src/tls/sans-io/client-tls.ts'
import { ServerCertificateChain } from '../../../src/tls/sans-io/server-certificates.ts'
import { ServerTLS, type ServerTLSOptions } from '../../../src/tls/sans-io/server-tls.ts'
import { pins } from '../../../src/tls/verifiers/pins.ts'
import { type TestCertificate, testCertificate } from '../../support/certificates.ts'
import { messagesIn, sServer, versionSwitch } from '../../support/openssl-peer.ts'
import { ourClient, recorder } from '../../support/recording-peer.ts'
import { ReplayingServer } from '../../support/replaying-server.ts'
import {
  type AgainstNodeServer,
  againstNodeClient,
  againstNodeServer,
  type EndOptions,
  isOpen,
  NodeEnd,
  OurEnd,
  turn,
  Wire,
  type WireEnd,
  type WireRecord,
} from '../../support/sans-io.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { hasOpenssl } from '../../support/tls-clients.ts'

const CHANGE_CIPHER_SPEC = 20
const ALERT = 21
const HANDSHAKE = 22
const ENCRYPTED = 23
const SECRET = 'who we are and what we want'

let server: TestCertificate
let stranger: TestCertificate
let identity: TestCertificate
let identityChain: KeyedChain
let serverChain: KeyedChain

beforeAll(async () => {
  server = await testCertificate()
  stranger = await testCertificate()
  identity = await testCertificate({ host: null, commonName: 'our secret name', usage: 'client' })
  identityChain = await KeyedChain.fromPem({ cert: identity.certPem, key: identity.keyPem, purpose: 'client' })
  serverChain = await KeyedChain.fromPem({ cert: server.certPem, key: server.keyPem })
})

type Version = 'TLSv1.2' | 'TLSv1.3'

interface Kind {
  readonly name: string
  readonly version: Version
  readonly retry?: boolean
}

const KINDS: readonly Kind[] = [
  { name: 'TLS 1.2', version: 'TLSv1.2' },
  { name: 'TLS 1.3', version: 'TLSv1.3' },
  { name: 'TLS 1.3 with a HelloRetryRequest', version: 'TLSv1.3', retry: true },
]

/** A server of Node's that takes any client. With `retry` it does not like the group that clients guess. */
function nodeServer({ version, retry = false }: Kind): TlsOptions {
  return {
    cert: server.certPem,
    key: server.keyPem,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: version,
    maxVersion: version,
    ...(retry ? { ecdhCurve: 'P-384' } : {}),
  }
}

/** A client of ours with a certificate, which may be sent by TLS 1.2 as well. */
function client(verifier: PeerVerifier, options: Partial<ClientTLSOptions> = {}): ClientTLS {
  return new ClientTLS({
    serverHostname: 'example.org',
    port: 1965,
    verifier,
    clientCertificateStore: new SingleClientCertificate(identityChain),
    identityOverTls12: 'allow',
    ...options,
  })
}

function serverTls(version: Version, options: Partial<ServerTLSOptions> = {}): ServerTLS {
  return new ServerTLS({
    certificates: new ServerCertificateChain(serverChain),
    clientCertificates: 'request',
    minVersion: version,
    maxVersion: version,
    ...options,
  })
}

/** What clients have shown, by the socket of the server: read at once, because a socket that is gone tells nothing. */
const witnessed = new WeakMap<TLSSocket, string>()

function witness(socket: TLSSocket): void {
  const shown = socket.getPeerX509Certificate()?.raw
  if (shown !== undefined) witnessed.set(socket, fingerprintOf(shown))
}

/** A client of ours, and a server of Node's that takes down who comes. */
function meetNode(options: Omit<AgainstNodeServer, 'onConnection'>) {
  return againstNodeServer({ ...options, onConnection: witness })
}

/** The client's certificate, as a server of Node's got it. */
function shownTo(node: NodeEnd): string | null {
  return (node.socket && witnessed.get(node.socket)) ?? null
}

function fingerprintOf(der: Uint8Array): string {
  return `sha256:${createHash('sha256').update(der).digest('hex')}`
}

function everything(end: { readonly writes: readonly Buffer[] }): Buffer {
  return Buffer.concat(end.writes)
}

/** How many hellos in clear the records begin with, and what comes after them. */
function afterHellos(records: readonly WireRecord[]): { hellos: number; rest: readonly WireRecord[] } {
  let hellos = 0
  let at = 0
  for (;;) {
    // The ChangeCipherSpec that precedes a second hello says nothing (RFC 8446 appendix D.4).
    const next = records[at]?.type === CHANGE_CIPHER_SPEC ? at + 1 : at
    const record = records[next]
    if (record?.type !== HANDSHAKE || record.bytes[5] !== 1) break
    hellos++
    at = next + 1
  }
  return { hellos, rest: records.slice(at) }
}

/** Whether these are one alert, in clear or under keys, and nothing else. An encrypted alert has 24 bytes in TLS 1.3. */
function isOneAlert(records: readonly WireRecord[]): boolean {
  const [record, ...others] = records.filter(({ type }) => type !== CHANGE_CIPHER_SPEC)
  if (record === undefined || others.length > 0) return false
  return record.type === ALERT ? record.bytes.length === 7 : record.type === ENCRYPTED && record.bytes.length === 24
}

const REFUSED: VerifierDecision = { accept: false, reason: 'not_pinned', detail: 'it is another one' }
const ACCEPTED: VerifierDecision = { accept: true, ground: 'test' }

async function turns(count: number): Promise<void> {
  for (let index = 0; index < count; index++) await turn()
}

describe.each(KINDS)('a client with a certificate, over $name', (kind) => {
  const hellos = kind.retry === true ? 2 : 1

  it('shows its certificate and sends its data once the server is accepted', async () => {
    const wire = meetNode({
      client: client(pins([server.certificate.fingerprint])),
      node: nodeServer(kind),
    })
    wire.client.write(SECRET)
    await wire.until(() => wire.server.text === SECRET)
    expect(shownTo(wire.server)).toBe(identity.certificate.fingerprint)
    expect(everything(wire.client).includes(Buffer.from(identity.certificate.der))).toBe(kind.version === 'TLSv1.2')
    expect(afterHellos(wire.client.records).hellos).toBe(hellos)
  })

  const refusals: readonly { readonly how: string; readonly verify: PeerVerifier['verify'] }[] = [
    { how: 'refuses at once', verify: () => REFUSED },
    {
      how: 'refuses after several turns',
      verify: async () => {
        await turns(5)
        return REFUSED
      },
    },
    {
      how: 'throws',
      verify: () => {
        throw new Error('the store is broken')
      },
    },
    {
      how: 'rejects after several turns',
      verify: async () => {
        await turns(5)
        throw new Error('the store is broken')
      },
    },
    { how: 'answers with what is no decision', verify: () => true as unknown as VerifierDecision },
    { how: 'answers with a promise of nothing', verify: async () => undefined as unknown as VerifierDecision },
  ]

  it.each(refusals)(
    'sends nothing but hello and alert to a server that its verifier does not want: it $how',
    async ({ verify }) => {
      const wire = meetNode({
        client: client({ name: 'test', verify }),
        node: nodeServer(kind),
      })
      wire.client.write(SECRET)
      const error = await Promise.all([wire.client.failure(), wire.settle()]).then(([first]) => first)
      expect(error).toBeInstanceOf(PeerRefusedError)
      await wire.settle()
      expectNothingLeaked(wire.client, wire.server)
      expect(wire.server.alerts).toEqual([AlertCode.certificate_unknown])
    },
  )

  it.each([
    {
      how: 'a callback that throws',
      verify: () => {
        throw new VerificationRefused(AlertCode.certificate_revoked)
      },
    },
    {
      how: 'a callback that rejects later',
      verify: async () => {
        await turns(5)
        throw new VerificationRefused(AlertCode.certificate_revoked)
      },
    },
    {
      how: 'an alert that the callback sends, and no more',
      verify: ((_chain, connection) => {
        connection.sendAlert(AlertCode.certificate_revoked, 'fatal')
      }) satisfies EndOptions['verify'],
    },
  ] satisfies { how: string; verify: EndOptions['verify'] }[])(
    'sends nothing but hello and the alert that the program chose: $how',
    async ({ verify }) => {
      const wire = meetNode({
        client: client(pins([server.certificate.fingerprint])),
        node: nodeServer(kind),
        clientEnd: { verify },
      })
      wire.client.write(SECRET)
      await wire.until(() => wire.client.isSilent)
      await wire.settle()
      expectNothingLeaked(wire.client, wire.server)
      expect(wire.server.alerts).toEqual([AlertCode.certificate_revoked])
    },
  )

  it('sends nothing but its hello while the verifier thinks, whatever the program does meanwhile', async () => {
    const wire = meetNode({
      client: client({ name: 'test', verify: () => new Promise(() => {}) }),
      node: nodeServer(kind),
    })
    wire.client.write(SECRET)
    await wire.until(() => wire.client.connection.state === 'verifying')
    wire.client.write(SECRET)
    wire.client.connection.applicationFinished()
    wire.client.connection.tick()
    await wire.settle()
    const { rest } = afterHellos(wire.client.records)
    expect(rest).toEqual([])
    expect(everything(wire.client)).toHaveLength(hellosBytes(wire.client))
    expect(wire.client.connection.state).toBe('verifying')
  })

  it('sends nothing but its hello if the verifier never answers and the deadline passes', async () => {
    let now = 0
    const wire = meetNode({
      client: client(
        { name: 'test', verify: () => new Promise(() => {}) },
        { clock: () => now, timeouts: { verifyMs: 5000 } },
      ),
      node: nodeServer(kind),
    })
    wire.client.write(SECRET)
    await wire.until(() => wire.client.connection.state === 'verifying')
    now = wire.client.connection.nextDeadline ?? 0
    wire.client.connection.tick()
    await wire.settle()
    expect(await wire.client.failure()).toMatchObject({ code: 'ERR_TLACACOCA_TIMEOUT' })
    expect(afterHellos(wire.client.records).rest).toEqual([])
    expect(shownTo(wire.server)).toBeNull()
    expect(wire.server.text).toBe('')
  })

  it.each([
    { how: 'was given up', end: (ours: OurEnd) => ours.connection.destroy() },
    { how: 'was cut off', end: (ours: OurEnd) => ours.connection.wireFinished() },
  ])('sends nothing but its hello if the verifier says yes when the connection $how', async ({ end }) => {
    let answer: (decision: VerifierDecision) => void = () => {}
    let abandoned: AbortSignal | null = null
    const verify: PeerVerifier['verify'] = ({ signal }) => {
      abandoned = signal
      return new Promise((resolve) => {
        answer = resolve
      })
    }
    const wire = meetNode({ client: client({ name: 'test', verify }), node: nodeServer(kind) })
    wire.client.write(SECRET)
    await wire.until(() => wire.client.connection.state === 'verifying')
    end(wire.client)
    await wire.until(() => wire.client.isSilent)
    answer(ACCEPTED)
    await wire.settle()
    expect(abandoned).toMatchObject({ aborted: true })
    expect(wire.client.connection.peer).toBeNull()
    expect(afterHellos(wire.client.records).rest).toEqual([])
    expect(shownTo(wire.server)).toBeNull()
  })

  it('sends nothing but its hello if the verifier says yes after an alert of the server', async () => {
    let answer: (decision: VerifierDecision) => void = () => {}
    const verify: PeerVerifier['verify'] = () =>
      new Promise((resolve) => {
        answer = resolve
      })
    const wire = meetNode({ client: client({ name: 'test', verify }), node: nodeServer(kind) })
    wire.client.write(SECRET)
    await wire.until(() => wire.client.connection.state === 'verifying')
    // In clear, which nobody authenticates: it waits for the verdict like everything that arrives meanwhile.
    wire.client.receive(Uint8Array.of(ALERT, 3, 3, 0, 2, 2, AlertCode.access_denied))
    answer(REFUSED)
    await wire.settle()
    expectNothingLeaked(wire.client, wire.server)
  })

  it('asks its verifier once, and says no name of its own before the answer, however the server cuts its flight', async () => {
    let asked = 0
    const verify = (): VerifierDecision => {
      asked++
      return REFUSED
    }
    const wire = meetNode({ client: client({ name: 'test', verify }), node: nodeServer(kind), cutting: 1 })
    wire.client.write(SECRET)
    await wire.until(() => wire.client.isSilent)
    await wire.settle()
    expect(asked).toBe(1)
    expectNothingLeaked(wire.client, wire.server)
    expect(wire.server.alerts).toEqual([AlertCode.certificate_unknown])
  })

  function hellosBytes(ours: OurEnd): number {
    const { rest } = afterHellos(ours.records)
    return everything(ours).length - rest.reduce((sum, { bytes }) => sum + bytes.length, 0)
  }

  /** Every byte is accounted for: hellos, and one alert at most. */
  function expectNothingLeaked(ours: OurEnd, node: NodeEnd): void {
    const { hellos: said, rest } = afterHellos(ours.records)
    expect(said).toBe(hellos)
    expect(isOneAlert(rest), `after the hello left ${JSON.stringify(rest)}`).toBe(true)
    const all = everything(ours)
    expect(all).toHaveLength(hellosBytes(ours) + rest.reduce((sum, { bytes }) => sum + bytes.length, 0))
    expect(all.includes(Buffer.from(identity.certificate.der))).toBe(false)
    expect(shownTo(node)).toBeNull()
    expect(node.text).toBe('')
  }
})

describe('a client of plain tls.connect, in the same place', () => {
  interface Leak {
    readonly kind: Kind
    readonly when: string
    /** How it refuses, given the socket. */
    readonly later: boolean
    readonly leaks: boolean
  }

  const [tls12, tls13, retried] = KINDS as readonly [Kind, Kind, Kind]

  it.each<Leak>([
    { kind: tls12, when: 'at once', later: false, leaks: true },
    { kind: tls12, when: 'a turn later', later: true, leaks: true },
    { kind: tls13, when: 'at once', later: false, leaks: false },
    { kind: tls13, when: 'a turn later', later: true, leaks: true },
    { kind: retried, when: 'a turn later', later: true, leaks: true },
  ])(
    'has shown its certificate over $kind.name when it refuses the server $when: $leaks',
    async ({ kind, later, leaks }) => {
      const node = NodeEnd.server(nodeServer(kind), witness)
      const plain = NodeEnd.client({ cert: identity.certPem, key: identity.keyPem, servername: 'example.org' })
      const wire = new Wire(plain, node)
      const { socket } = plain
      const refuse = (): void => {
        const shown = fingerprintOf(socket?.getPeerCertificate(true).raw ?? new Uint8Array(0))
        if (shown !== stranger.certificate.fingerprint) socket?.destroy()
      }
      socket?.on('secureConnect', () => {
        if (!later) return refuse()
        socket.write(SECRET)
        setImmediate(refuse)
      })
      await wire.until(() => plain.log.includes('secureConnect'))
      await wire.settle()
      expect(shownTo(node)).toBe(leaks ? identity.certificate.fingerprint : null)
      expect(node.text).toBe(leaks && later ? SECRET : '')
      expect(everything(plain).includes(Buffer.from(identity.certificate.der))).toBe(
        leaks && kind.version === 'TLSv1.2',
      )
    },
  )
})

describe.each(KINDS)('openssl s_server, over $name', ({ version, retry = false }) => {
  beforeEach((context) => context.skip(!hasOpenssl, 'openssl is not installed here'))

  const SILENT = new Set(['ChangeCipherSpec'])
  const hellos = retry ? ['ClientHello', 'ClientHello'] : ['ClientHello']

  async function listener() {
    const folder = await temporaryFolder()
    const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
    await writeFile(files.cert, server.certPem)
    await writeFile(files.key, server.keyPem)
    const { port, peer } = await sServer(files, [versionSwitch(version), ...(retry ? ['-groups', 'P-384'] : [])])
    const recording = await recorder(port)
    return {
      port: recording.port,
      peer,
      /** What it got, by name, when it has nothing more to say. */
      async received() {
        const output = await peer.ended()
        return messagesIn(output, 'received').filter((message) => !SILENT.has(message))
      },
      fromClient: recording.fromClient,
    }
  }

  it('gets the certificate, its proof and the data of a client that accepts it', async () => {
    const { port, peer } = await listener()
    const ours = ourClient(port, client(pins([server.certificate.fingerprint])))
    ours.write(SECRET)
    await peer.printed(new RegExp(SECRET))
    expect(messagesIn(peer.output, 'received')).toEqual(expect.arrayContaining(['Certificate', 'CertificateVerify']))
    expect(peer.output).toContain('our secret name')
  })

  it('gets hello and alert from a client that refuses it after several turns, and nothing else', async () => {
    const { port, peer, received, fromClient } = await listener()
    const verify = async (): Promise<VerifierDecision> => {
      await turns(10)
      return REFUSED
    }
    const ours = ourClient(port, client({ name: 'test', verify }))
    ours.write(SECRET)
    expect(await received()).toEqual([...hellos, 'Alert fatal certificate_unknown'])
    expect(peer.output).toContain(`SSL alert number ${AlertCode.certificate_unknown}`)
    expect(fromClient()).toEqual(everything(ours))
    expect(isOneAlert(afterHellos(ours.records).rest)).toBe(true)
  })

  it('gets certificate and data of a plain tls.connect that refuses it a turn later', async () => {
    const { port, received } = await listener()
    const socket = connectTls({
      port,
      host: '127.0.0.1',
      cert: identity.certPem,
      key: identity.keyPem,
      rejectUnauthorized: false,
    })
    socket.on('error', () => {})
    socket.once('secureConnect', () => {
      socket.write(SECRET)
      setImmediate(() => socket.destroy())
    })
    const names = await received()
    expect(names).toEqual(expect.arrayContaining(['Certificate', 'CertificateVerify', 'Finished']))
  })
})

describe.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'somebody who replays a certificate without its key, over %s',
  (version) => {
    function attacked(proof: 'signed' | 'copied' | 'unsigned', shown: TestCertificate) {
      let asked = 0
      const verifier: PeerVerifier = {
        name: 'first use',
        verify: () => {
          asked++
          return ACCEPTED
        },
      }
      const own = { ...stranger, key: createPrivateKey(stranger.keyPem) }
      const replaying = new ReplayingServer({ version, own, shown: shown.certificate.der, proof })
      const ours = new OurEnd(client(verifier, { minVersion: version, cipherSuites: SUITES, maxVersion: version }))
      return { wire: new Wire(ours, replaying as WireEnd), ours, replaying, asked: () => asked }
    }
    const SUITES = [
      version === 'TLSv1.3' ? 'TLS_AES_128_GCM_SHA256' : 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
    ] as const

    it('gets as far as the verifier with a certificate of his own', async () => {
      const { wire, ours, asked } = attacked('signed', stranger)
      await wire.until(() => asked() === 1)
      expect(ours.connection.peer?.certificate.fingerprint).toBe(stranger.certificate.fingerprint)
    })

    it.each([
      { what: 'a signature by a key of his own', proof: 'signed', alert: AlertCode.decrypt_error },
      { what: 'a signature that belongs elsewhere', proof: 'copied', alert: AlertCode.decrypt_error },
      { what: 'no signature', proof: 'unsigned', alert: AlertCode.unexpected_message },
    ] as const)('never gets as far as the verifier, with $what', async ({ proof, alert }) => {
      const { wire, ours, replaying, asked } = attacked(proof, server)
      ours.write(SECRET)
      await turns(3)
      await wire.until(() => ours.isSilent)
      await wire.settle()
      expect(asked()).toBe(0)
      expect(await ours.failure()).toBeInstanceOf(BadTLSDataError)
      // OpenSSL's own alert leaves although the gate is closed, and nothing else does.
      expect(isOneAlert(afterHellos(ours.records).rest)).toBe(true)
      expect(replaying.errors.map(({ message }) => message).join()).toContain(`SSL alert number ${alert}`)
    })
  },
)

describe('an alert that OpenSSL wants to send while the gate is closed', () => {
  it('leaves, and nothing else does, when the server’s encrypted flight was changed on its way', async () => {
    let asked = 0
    const [, tls13] = KINDS as readonly [Kind, Kind]
    const verifier: PeerVerifier = {
      name: 'test',
      verify: () => {
        asked++
        return ACCEPTED
      },
    }
    const wire = meetNode({
      client: client(verifier),
      node: nodeServer(tls13),
      cutting: (bytes) => {
        if (bytes[0] !== HANDSHAKE || bytes[5] !== 2) return [bytes]
        const changed = Buffer.from(bytes)
        changed.writeUInt8(changed.readUInt8(changed.length - 1) ^ 1, changed.length - 1)
        return [changed]
      },
    })
    wire.client.write(SECRET)
    await turns(3)
    await wire.until(() => wire.client.isSilent)
    await wire.settle()
    expect(asked).toBe(0)
    expect(isOneAlert(afterHellos(wire.client.records).rest)).toBe(true)
    expect(wire.server.alerts).toEqual([AlertCode.bad_record_mac])
  })

  it('is replaced by internal_error if it comes behind a flight that must not leave', async () => {
    const [, tls13] = KINDS as readonly [Kind, Kind]
    const wire = meetNode({
      client: client({ name: 'test', verify: () => ACCEPTED }),
      node: nodeServer(tls13),
      cutting: (bytes) => {
        if (bytes[0] !== HANDSHAKE || bytes[5] !== 2) return [bytes]
        return [Buffer.concat([bytes, Uint8Array.of(ENCRYPTED, 3, 3, 0, 20), Buffer.alloc(20)])]
      },
    })
    wire.client.write(SECRET)
    // Otherwise OpenSSL would still wait for its hello to be confirmed, and there would be no flight.
    await turns(3)
    await wire.until(() => wire.client.isSilent)
    await wire.settle()
    expect(isOneAlert(afterHellos(wire.client.records).rest)).toBe(true)
    expect(shownTo(wire.server)).toBeNull()
    expect(wire.server.alerts).toEqual([AlertCode.internal_error])
  })
})

describe.each(KINDS)('a server, over $name', ({ version, retry = false }) => {
  /** With the client's own guess of a group that the server does not have, if it has to say hello twice. */
  const node = () => ({
    cert: identity.certPem,
    key: identity.keyPem,
    servername: 'example.org',
    ...(retry ? { ecdhCurve: 'P-256:P-384' } : {}),
  })
  const tls = () => serverTls(version, retry ? { groups: ['P-384'] } : {})

  /** Until the client's proof is there and the program is asked; what it has been told is up to the test. */
  async function atVerdict(onVerify?: EndOptions['verify']) {
    let decide: { accept(): void; refuse(error: Error): void } | null = null
    const wire = againstNodeClient({
      server: tls(),
      node: node(),
      serverEnd: {
        verify: async (chain, connection) => {
          await onVerify?.(chain, connection)
          await new Promise<void>((resolve, reject) => {
            decide = { accept: resolve, refuse: reject }
          })
        },
      },
    })
    await wire.until(() => decide !== null)
    await wire.settle()
    if (decide === null) throw new Error('nobody was asked')
    return {
      wire,
      before: wire.server.records.length,
      decide: decide as { accept(): void; refuse(error: Error): void },
    }
  }

  it('sends no data, no ticket and no Finished of TLS 1.2 before the verdict', async () => {
    const { wire, before } = await atVerdict((_chain, connection) => {
      connection.dataFromApplication(Buffer.from(SECRET))
    })
    wire.server.write(SECRET)
    await wire.settle()
    expect(wire.server.records).toHaveLength(before)
    expect(wire.server.plaintext).toEqual([])
    if (version === 'TLSv1.2') {
      // Everything up to the ServerHelloDone, in clear.
      expect(new Set(wire.server.records.map(({ type }) => type))).toEqual(new Set([HANDSHAKE]))
      expect(wire.client.log).not.toContain('secureConnect')
    } else {
      // Its own Finished left with its flight; a ticket or data would have followed the client's.
      expect(wire.client.log).toContain('secureConnect')
      expect(wire.client.plaintext).toEqual([])
      expect(wire.client.socket?.getSession()).toEqual(expect.anything())
    }
  })

  it('sends what was held once the client is accepted', async () => {
    const { wire, before, decide } = await atVerdict()
    wire.server.write(SECRET)
    decide.accept()
    await wire.until(() => wire.client.text === SECRET)
    expect(wire.server.records.length).toBeGreaterThan(before)
    expect(wire.server.connection.peer?.fingerprint).toBe(identity.certificate.fingerprint)
  })

  it('sends the alert of its choice and nothing else when the client is refused', async () => {
    const { wire, before, decide } = await atVerdict()
    wire.server.write(SECRET)
    decide.refuse(new VerificationRefused(AlertCode.certificate_expired))
    await wire.until(() => wire.server.isSilent)
    await wire.settle()
    expect(isOneAlert(wire.server.records.slice(before))).toBe(true)
    expect(wire.client.alerts).toEqual([AlertCode.certificate_expired])
    expect(wire.client.plaintext).toEqual([])
  })

  it('decrypts nothing of what a client says before the verdict', async () => {
    const { wire, decide } = await atVerdict()
    wire.client.socket?.write(SECRET)
    await wire.settle()
    expect(wire.server.plaintext).toEqual([])
    decide.accept()
    await wire.until(() => wire.server.text === SECRET)
    expect(isOpen(wire.server)).toBe(true)
  })
})
