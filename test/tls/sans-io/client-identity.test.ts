// The client's own certificate: what a server asks for, what the store answers, and who gets to see it.

import { describe, expect, it } from 'vitest'
import type { KeyedChain } from '../../../src/certificate/keyed-chain.ts'
import { NoCertificateChainError } from '../../../src/errors.ts'
import { fixedClock } from '../../../src/testing/fixed-clock.ts'
import { ClientCertificateRestart } from '../../../src/tls/sans-io/client-certificate-restart.ts'
import {
  type CertificateAuthorityName,
  ClientCertificateStore,
  SingleClientCertificate,
} from '../../../src/tls/sans-io/client-certificate-store.ts'
import type { ClientTLSOptions } from '../../../src/tls/sans-io/client-tls.ts'
import type { ClientAuthentication } from '../../../src/tls/sans-io/server-tls.ts'
import { issue } from '../../support/issued-certificates.ts'
import {
  againstNodeClient,
  againstNodeServer,
  clientChainOf,
  fingerprints,
  isOpen,
  type NodeEnd,
  type OurEnd,
  openPair,
  pemOfIssued,
  turn,
  type Wire,
} from '../../support/sans-io.ts'
import {
  clientChain,
  clients,
  clientTls,
  clientTrust,
  nodeClient,
  nodeIdentity,
  nodeServer,
  only,
  servers,
  serverTls,
  stranger,
  strangerChain,
  VERSIONS,
  withIdentity,
} from '../../support/sans-io-world.ts'

const ANA = clients.leaf.certificate.fingerprint

describe.each(VERSIONS)('what a server of %s makes of a client', (version) => {
  const required: ClientAuthentication = { trustRoot: clientTrust }
  const optional: ClientAuthentication = { trustRoot: clientTrust, required: false }
  const missing = version === 'TLSv1.3' ? 116 : 40
  const expiredLeaf = issue({ subject: 'old', by: clients.root, to: '20210101000000Z' })
  const serverLeaf = issue({ subject: 'host', by: clients.root, purposes: ['server'] })
  const impostor = issue({ subject: 'club', ca: true })
  const fake = issue({ subject: 'eve', by: impostor, purposes: ['client'] })

  it.each([
    ['none', undefined, 'open', null],
    ['none', 'ana', 'open', null],
    ['request', undefined, 'open', null],
    ['request', 'ana', 'open', ANA],
    ['request', 'stranger', 'open', stranger.certificate.fingerprint],
    ['require', undefined, missing, null],
    ['require', 'stranger', 'open', stranger.certificate.fingerprint],
    ['require', 'ana', 'open', ANA],
  ] as const)('%s: %s is %s', async (clientCertificates, who, outcome, peer) => {
    const identity = who === undefined ? {} : who === 'ana' ? nodeIdentity : pemOfIssued(stranger)
    const wire = againstNodeClient({
      server: serverTls({ ...only(version), clientCertificates }),
      node: nodeClient(identity),
    })
    await wire.settle()
    expect(wire.client.alerts).toEqual(outcome === 'open' ? [] : [outcome])
    expect(isOpen(wire.server)).toBe(outcome === 'open')
    expect(wire.server.connection.peer?.fingerprint ?? null).toBe(peer)
    if (peer !== null) expect(wire.server.connection.peer).toMatchObject({ issuance: 'not_checked', protocol: version })
  })

  it.each([
    ['one that the authority has issued', required, nodeIdentity, 'open'],
    ['nobody', required, {}, missing],
    ['nobody, who need not be anybody,', optional, {}, 'open'],
    ['one that the authority has issued, also if nobody need be', optional, nodeIdentity, 'open'],
    ['a stranger', required, pemOfIssued(stranger), 48],
    ['a stranger, also if nobody need be anybody,', optional, pemOfIssued(stranger), 48],
    ['one whose issuer did not come along', required, pemOfIssued(clients.leaf), 48],
    ['one of an authority with the same name', required, pemOfIssued(fake, impostor), 42],
    ['one that has expired', required, pemOfIssued(expiredLeaf), 45],
    ['one that is for servers', required, pemOfIssued(serverLeaf), 43],
  ] as const)('trustRoot: %s', async (_who, clientCertificates, identity, outcome) => {
    const wire = againstNodeClient({
      server: serverTls({ ...only(version), clientCertificates }),
      node: nodeClient(identity),
    })
    wire.server.write('secret')
    await wire.settle()
    expect(wire.client.alerts).toEqual(outcome === 'open' ? [] : [outcome])
    expect(wire.client.text).toBe(outcome === 'open' ? 'secret' : '')
    if (outcome !== 'open') {
      expect(await wire.server.failure()).toMatchObject({ code: 'ERR_TLACACOCA_VERIFICATION_REFUSED' })
    } else {
      const { peer } = wire.server.connection
      if ('cert' in identity) expect(peer).toMatchObject({ issuance: 'issued', fingerprint: ANA })
      else expect(peer).toBeNull()
    }
  })

  it('judges the dates of a client by the clock of the settings', async () => {
    const clock = fixedClock(new Date('2100-06-01T12:00:00Z'))
    const wire = againstNodeClient({
      server: serverTls({ ...only(version), clientCertificates: required, clock }),
      node: nodeClient(nodeIdentity),
    })
    await wire.settle()
    expect(wire.client.alerts).toEqual([45])
  })
})

/** A store that says what it was asked, and answers by a function. */
class TestStore extends ClientCertificateStore {
  readonly asked: (readonly string[] | 'default')[] = []
  readonly #answer: (answer: (chain: KeyedChain | null) => void) => void | Promise<void>

  constructor(answer: (answer: (chain: KeyedChain | null) => void) => void | Promise<void>) {
    super()
    this.#answer = answer
  }

  override getCertificateChainForRoots(
    roots: readonly CertificateAuthorityName[],
    answer: (chain: KeyedChain | null) => void,
  ): void | Promise<void> {
    this.asked.push(roots.map(String))
    return this.#answer(answer)
  }

  override getDefaultCertificateChain(answer: (chain: KeyedChain | null) => void): void | Promise<void> {
    this.asked.push('default')
    return this.#answer(answer)
  }
}

interface Meeting {
  readonly wire: Wire<OurEnd, NodeEnd>
  readonly store: TestStore
  /** The fingerprint of the certificate that Node's server got to see; null for none, undefined without a connection. */
  seen(): string | null | undefined
}

function meet(
  store: TestStore,
  options: Partial<ClientTLSOptions> = {},
  node = nodeServer({ requestCert: true, rejectUnauthorized: false }),
): Meeting {
  const client = clientTls({ clientCertificateStore: store, identityOverTls12: 'allow', ...options })
  const wire = againstNodeServer({ client, node })
  const seen = (): string | null | undefined => {
    const { socket } = wire.server
    if (socket === null) return undefined
    const { raw } = socket.getPeerCertificate(true)
    return raw === undefined ? null : fingerprintOf(raw)
  }
  return { wire, store, seen }
}

function fingerprintOf(raw: Buffer): string {
  return [clients.leaf, stranger].find(({ certificate }) => raw.equals(certificate.der))?.certificate.fingerprint ?? '?'
}

/** Whether these bytes have been on the wire, as far as anybody could see who cannot decrypt them. */
function sentInClear(wire: Wire<OurEnd, NodeEnd>, bytes: Uint8Array): boolean {
  return Buffer.concat(wire.client.writes).includes(Buffer.from(bytes))
}

const withNames = nodeServer({
  requestCert: true,
  rejectUnauthorized: false,
  ca: [clients.root.certificate.toPem(), servers.root.certificate.toPem()],
})

describe.each(VERSIONS)('a store that is asked before the handshake, by %s', (version) => {
  it.each(['at once', 'later'] as const)('gives its default chain %s', async (when) => {
    const { wire, store, seen } = meet(
      new TestStore((answer) =>
        when === 'at once' ? answer(clientChain) : void setImmediate(() => answer(clientChain)),
      ),
      only(version),
    )
    expect(wire.client.connection.state).toBe(when === 'at once' ? 'handshaking' : 'hello')
    await wire.until(() => isOpen(wire.client) && wire.server.socket !== null)
    expect(store.asked).toEqual(['default'])
    expect(seen()).toBe(ANA)
    expect(wire.client.connection.info?.localChain).toBe(clientChain)
  })

  it('gives null, and then the handshake goes on without one', async () => {
    const { wire, seen } = meet(new TestStore((answer) => answer(null)), only(version))
    await wire.until(() => isOpen(wire.client) && wire.server.socket !== null)
    expect(seen()).toBeNull()
    expect(wire.client.connection.info?.localChain).toBeNull()
  })

  it('shows it to nobody who does not ask', async () => {
    const { wire, seen } = meet(new TestStore((answer) => answer(clientChain)), only(version), nodeServer())
    await wire.until(() => isOpen(wire.client) && wire.server.socket !== null)
    expect(seen()).toBeNull()
    expect(sentInClear(wire, clients.leaf.certificate.der)).toBe(false)
  })

  it.each<[string, (answer: (chain: KeyedChain | null) => void) => void | Promise<void>, object]>([
    [
      'throws',
      () => {
        throw new RangeError('a bug')
      },
      new RangeError('a bug'),
    ],
    ['rejects', async () => Promise.reject(new RangeError('a bug')), new RangeError('a bug')],
    [
      'answers with certificates only',
      (answer) => answer([clients.leaf.certificate] as never),
      { code: 'ERR_TLACACOCA_CHAIN_KEY_MISSING' },
    ],
    [
      'answers with a text',
      (answer) => answer('chain' as never),
      new TypeError('"chain" expected a KeyedChain or null, got "chain"'),
    ],
  ])('ends the connection if it %s, with nothing said about who we are', async (_what, answer, error) => {
    const { wire, seen } = meet(new TestStore(answer), only(version))
    await wire.settle()
    expect(await wire.client.failure()).toMatchObject(error)
    expect(wire.client.closes).toEqual([true])
    expect(seen()).toBeUndefined()
    expect(wire.client.records.every(({ type }) => type === 21)).toBe(true)
  })

  it('throws InvalidatedError at a second answer, which changes nothing', async () => {
    const thrown: unknown[] = []
    const { wire, seen } = meet(
      new TestStore((answer) => {
        answer(clientChain)
        for (const again of [clientChain, null]) {
          try {
            answer(again)
          } catch (error) {
            thrown.push(error)
          }
        }
      }),
      only(version),
    )
    await wire.until(() => isOpen(wire.client) && wire.server.socket !== null)
    expect(thrown).toMatchObject([{ code: 'ERR_TLACACOCA_INVALIDATED' }, { code: 'ERR_TLACACOCA_INVALIDATED' }])
    expect(seen()).toBe(ANA)
  })

  it('is given up at its deadline if it never answers, and a late answer changes nothing', async () => {
    const clock = fixedClock(new Date('2030-06-01T12:00:00Z'))
    let late: (chain: KeyedChain | null) => void = () => {}
    const { wire } = meet(
      new TestStore((answer) => {
        late = answer
      }),
      { ...only(version), clock },
    )
    const { connection } = wire.client
    expect(connection.nextDeadline).toBe(clock() + 10_000)
    clock.advance(10_000)
    connection.tick()
    expect(await wire.client.failure()).toMatchObject({ code: 'ERR_TLACACOCA_TIMEOUT' })
    late(clientChain)
    await wire.settle()
    expect(wire.client.writes).toEqual([])
  })
})

describe.each(VERSIONS)('a store that is asked when the server has named its authorities, by %s', (version) => {
  const restart: Partial<ClientTLSOptions> = { ...only(version), clientCertificateMode: 'restart' }

  it.each(['at once', 'later'] as const)('chooses %s, and the connection is to be made again', async (when) => {
    const { wire, store, seen } = meet(
      new TestStore((answer) =>
        when === 'at once' ? answer(clientChain) : void setImmediate(() => answer(clientChain)),
      ),
      restart,
      withNames,
    )
    wire.client.write('secret')
    await wire.settle()
    expect(store.asked).toEqual([[String(clients.root.certificate.subject), String(servers.root.certificate.subject)]])
    const error = await wire.client.failure()
    expect(error).toBeInstanceOf(ClientCertificateRestart)
    expect(error).toMatchObject({ chain: clientChain, code: 'ERR_TLACACOCA_CLIENT_CERTIFICATE_RESTART' })
    expect(wire.client.closes).toEqual([true])
    // Nothing of us has left: neither who we are nor what we have to say.
    expect(seen()).toBeUndefined()
    expect(wire.server.text).toBe('')
    expect(sentInClear(wire, clients.leaf.certificate.der)).toBe(false)

    const again = againstNodeServer({
      client: clientTls({ ...restart, identityOverTls12: 'allow', clientCertificateStore: store }).withCertificate(
        (error as ClientCertificateRestart).chain,
      ),
      node: withNames,
    })
    await again.until(() => isOpen(again.client) && again.server.socket !== null)
    expect(fingerprintOf(again.server.socket?.getPeerCertificate(true).raw as Buffer)).toBe(ANA)
    expect(store.asked).toHaveLength(1)
  })

  it('is asked for its default by a server that names none', async () => {
    const { wire, store } = meet(new TestStore((answer) => answer(clientChain)), restart)
    await wire.settle()
    expect(store.asked).toEqual(['default'])
    expect(await wire.client.failure()).toMatchObject({ chain: clientChain })
  })

  it('gives null, and then the handshake goes on without one', async () => {
    const { wire, store, seen } = meet(new TestStore((answer) => answer(null)), restart, withNames)
    await wire.until(() => isOpen(wire.client) && wire.server.socket !== null)
    expect(store.asked).toHaveLength(1)
    expect(seen()).toBeNull()
  })

  it('is not asked by a server that wants none', async () => {
    const { wire, store, seen } = meet(new TestStore((answer) => answer(clientChain)), restart, nodeServer())
    await wire.until(() => isOpen(wire.client) && wire.server.socket !== null)
    expect(store.asked).toEqual([])
    expect(seen()).toBeNull()
  })

  it('is not asked for a server that is refused', async () => {
    const { wire, store } = meet(
      new TestStore((answer) => answer(clientChain)),
      { ...restart, serverHostname: 'example.net' },
      withNames,
    )
    await wire.settle()
    expect(await wire.client.failure()).toMatchObject({ code: 'ERR_TLACACOCA_PEER_REFUSED' })
    expect(store.asked).toEqual([])
  })

  it('ends the connection with a chain that leads to none of the authorities, and nothing of it leaves', async () => {
    const thrown: unknown[] = []
    const { wire, seen } = meet(
      new TestStore((answer) => {
        try {
          answer(strangerChain)
        } catch (error) {
          thrown.push(error)
        }
      }),
      restart,
      withNames,
    )
    await wire.settle()
    expect(thrown).toEqual([await wire.client.failure()])
    expect(thrown[0]).toBeInstanceOf(NoCertificateChainError)
    expect(seen()).toBeUndefined()
    expect(sentInClear(wire, stranger.certificate.der)).toBe(false)
    // That is our own affair, and no news for the server.
    expect(wire.server.alerts).toEqual([80])
  })

  it('throws InvalidatedError at a second answer', async () => {
    const thrown: unknown[] = []
    const { wire } = meet(
      new TestStore((answer) => {
        answer(null)
        try {
          answer(clientChain)
        } catch (error) {
          thrown.push(error)
        }
      }),
      restart,
      withNames,
    )
    await wire.until(() => isOpen(wire.client))
    expect(thrown).toMatchObject([{ code: 'ERR_TLACACOCA_INVALIDATED' }])
  })

  it('is given up with the verifier’s deadline if it never answers', async () => {
    const clock = fixedClock(new Date('2030-06-01T12:00:00Z'))
    const { wire, seen } = meet(new TestStore(() => {}), { ...restart, clock }, withNames)
    await wire.settle()
    expect(wire.client.connection.state).toBe('verifying')
    clock.advance(30_000)
    wire.client.connection.tick()
    expect(await wire.client.failure()).toMatchObject({ code: 'ERR_TLACACOCA_TIMEOUT' })
    expect(seen()).toBeUndefined()
  })

  it('reads the names that this library’s own server sends', async () => {
    const store = new TestStore((answer) => answer(null))
    const wire = await openPair({
      client: clientTls({ ...restart, clientCertificateStore: store }),
      server: serverTls({ clientCertificates: { trustRoot: clientTrust, required: false } }),
    })
    expect(store.asked).toEqual([[String(clients.root.certificate.subject)]])
    expect(wire.server.connection.peer).toBeNull()
  })
})

describe('a certificate over TLS 1.2, where everybody could read it', () => {
  it('stays here, unless that was allowed', async () => {
    const { wire, seen } = meet(new TestStore((answer) => answer(clientChain)), {
      ...only('TLSv1.2'),
      identityOverTls12: 'refuse',
    })
    wire.client.write('secret')
    await wire.settle()
    expect(await wire.client.failure()).toMatchObject({ code: 'ERR_TLACACOCA_IDENTITY_WITHHELD' })
    expect(seen()).toBeUndefined()
    expect(sentInClear(wire, clients.leaf.certificate.der)).toBe(false)
    expect(wire.client.records.map(({ type }) => type)).toEqual([22, 21, 21])
  })

  it('is no hindrance with a server that does not ask for it', async () => {
    const { wire } = meet(
      new TestStore((answer) => answer(clientChain)),
      { ...only('TLSv1.2'), identityOverTls12: 'refuse' },
      nodeServer(),
    )
    await wire.until(() => isOpen(wire.client))
  })

  it('is no hindrance when there is none to show', async () => {
    const { wire } = meet(new TestStore((answer) => answer(null)), {
      ...only('TLSv1.2'),
      identityOverTls12: 'refuse',
    })
    await wire.until(() => isOpen(wire.client))
  })

  it('leaves if it was allowed, and then really in clear', async () => {
    const { wire, seen } = meet(new TestStore((answer) => answer(clientChain)), only('TLSv1.2'))
    await wire.until(() => isOpen(wire.client) && wire.server.socket !== null)
    expect(seen()).toBe(ANA)
    expect(sentInClear(wire, clients.leaf.certificate.der)).toBe(true)
  })

  it('does not leave, even if it was allowed, for a server that is refused', async () => {
    const { wire, seen } = meet(new TestStore((answer) => answer(clientChain)), {
      ...only('TLSv1.2'),
      serverHostname: 'example.net',
    })
    await wire.settle()
    expect(seen()).toBeUndefined()
    expect(sentInClear(wire, clients.leaf.certificate.der)).toBe(false)
  })

  it('is withheld also when it was chosen by a restart', async () => {
    const client = clientTls({
      ...only('TLSv1.2'),
      clientCertificateMode: 'restart',
      clientCertificateStore: new SingleClientCertificate(clientChain),
    })
    const first = againstNodeServer({ client, node: withNames })
    await first.settle()
    const error = (await first.client.failure()) as ClientCertificateRestart
    const second = againstNodeServer({ client: client.withCertificate(error.chain), node: withNames })
    await second.settle()
    expect(await second.client.failure()).toMatchObject({ code: 'ERR_TLACACOCA_IDENTITY_WITHHELD' })
  })
})

describe('withCertificate', () => {
  it('shows that certificate whatever the server names', async () => {
    const wire = againstNodeServer({
      client: clientTls({ identityOverTls12: 'allow' }).withCertificate(strangerChain),
      node: nodeServer({ requestCert: true, rejectUnauthorized: false }),
    })
    await wire.until(() => isOpen(wire.client) && wire.server.socket !== null)
    expect(fingerprintOf(wire.server.socket?.getPeerCertificate(true).raw as Buffer)).toBe(
      stranger.certificate.fingerprint,
    )
  })

  it.each([undefined, null, 'chain', [clients.leaf.certificate]])('refuses %s', (chain) => {
    const tls = clientTls()
    expect(() => Reflect.apply(tls.withCertificate, tls, [chain])).toThrow(TypeError)
  })
})

it('sends the chain of a client without its root', async () => {
  const wire = await openPair({
    client: clientTls(withIdentity()),
    server: serverTls({ clientCertificates: 'require' }),
  })
  expect(fingerprints(wire.server.connection.info?.peerChain ?? [])).toEqual(fingerprints(clientChain.sent))
  expect(clientChainOf(clients.leaf, clients.middle).sent).toHaveLength(2)
  await turn()
})
