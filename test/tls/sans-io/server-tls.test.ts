// What a server is told, which chain it shows to whom, and what a client hears when there is none.

import { describe, expect, it } from 'vitest'
import type { KeyedChain } from '../../../src/certificate/keyed-chain.ts'
import { fixedClock } from '../../../src/testing/fixed-clock.ts'
import type { ClientHelloInfo } from '../../../src/tls/client-hello.ts'
import {
  ServerCertificateChain,
  ServerCertificates,
  SNIServerCertificates,
} from '../../../src/tls/sans-io/server-certificates.ts'
import { ServerTLS, type ServerTLSOptions } from '../../../src/tls/sans-io/server-tls.ts'
import { dangerouslyAcceptAny } from '../../../src/tls/verifiers/dangerously-accept-any.ts'
import { issue } from '../../support/issued-certificates.ts'
import {
  againstNodeClient,
  chainOf,
  fingerprints,
  isOpen,
  type NodeEnd,
  type OurEnd,
  openPair,
  turn,
  type Wire,
  wirePair,
} from '../../support/sans-io.ts'
import {
  clientTls,
  HOST,
  nodeClient,
  only,
  serverChain,
  servers,
  serverTls,
  serverTrust,
  VERSIONS,
} from '../../support/sans-io-world.ts'

const other = issue({ subject: 'other', by: servers.root, ca: false, names: [[2, 'other.example']] })
const otherChain = chainOf(other, servers.root)

describe('start', () => {
  it('takes its callbacks in an object', async () => {
    const wire = await openPair({ client: clientTls(), server: serverTls(), serverEnd: { verify: () => {} } })
    expect(wire.server.log).toContain('verify')
  })

  it('takes its callbacks one by one, and then returns the plaintext', async () => {
    const waiting: Uint8Array[] = []
    const asked: unknown[] = []
    const connection = serverTls().start(
      (bytes) => waiting.push(bytes),
      (chain, which) => void asked.push(chain.length, which),
    )
    const { client } = wirePair({ client: clientTls(), server: serverTls() })
    client.write('question')
    let text = ''
    for (let turns = 0; turns < 50; turns++) {
      text += Buffer.from(connection.dataFromWire(client.take())).toString()
      for (const bytes of waiting.splice(0)) client.receive(bytes)
      await turn()
    }
    expect(text).toBe('question')
    expect(asked).toEqual([0, connection])
  })

  it('needs no callback but writeToWire, and says nothing before the client does', () => {
    const waiting: Uint8Array[] = []
    const connection = serverTls().start((bytes) => waiting.push(bytes))
    expect(waiting).toEqual([])
    expect(connection.state).toBe('hello')
  })

  const write = (): void => {}
  it.each([
    ['nothing', []],
    ['undefined', [undefined]],
    ['a text', ['write']],
    ['an empty object', [{}]],
    ['a callback that is none', [{ writeToWire: write, data: 1 }]],
    ['an unknown callback', [{ writeToWire: write, sni: write }]],
    ['a second argument that is no function', [write, {}]],
  ])('refuses %s', (_what, args) => {
    const tls = serverTls()
    expect(() => Reflect.apply(tls.start, tls, args)).toThrow(TypeError)
  })
})

describe('options', () => {
  const base: ServerTLSOptions = { certificates: new ServerCertificateChain(serverChain) }
  it.each<[string, unknown, typeof TypeError | typeof RangeError | RegExp]>([
    ['nothing at all', undefined, TypeError],
    ['no certificates', {}, TypeError],
    ['a chain in place of certificates', { certificates: serverChain }, TypeError],
    ['an unknown option', { ...base, requestCert: true }, TypeError],
    ['an option of the other side', { ...base, trustRoot: serverTrust }, TypeError],
    ['clientCertificates that do not exist', { ...base, clientCertificates: 'optional' }, TypeError],
    ['clientCertificates of true', { ...base, clientCertificates: true }, TypeError],
    ['clientCertificates of null', { ...base, clientCertificates: null }, TypeError],
    ['a trustRoot that is a list', { ...base, clientCertificates: { trustRoot: [] } }, TypeError],
    ['no trustRoot', { ...base, clientCertificates: { required: true } }, TypeError],
    [
      'required that is no boolean',
      { ...base, clientCertificates: { trustRoot: serverTrust, required: 1 } },
      TypeError,
    ],
    ['a misspelt required', { ...base, clientCertificates: { trustRoot: serverTrust, require: false } }, TypeError],
    ['dhParams that are a number', { ...base, dhParams: 2048 }, TypeError],
    ['dhParams that are none', { ...base, dhParams: 'ffdhe2048' }, /dhParams/],
    ['dhParams without TLS 1.2', { ...base, dhParams: 'auto', minVersion: 'TLSv1.3' }, /dhParams/],
    ['versions that exclude each other', { ...base, minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' }, /minVersion/],
    ['ALPN that is a text', { ...base, alpn: 'h2' }, TypeError],
  ])('refuses %s', (_what, options, error) => {
    expect(() => Reflect.construct(ServerTLS, [options])).toThrow(error as never)
  })
})

/** Chooses by a function, and keeps what it was asked. */
class TestCertificates extends ServerCertificates {
  readonly asked: (string | null)[] = []
  hello: ClientHelloInfo | null = null
  readonly #choose: (name: string | null, answer: (chain: KeyedChain | null) => void) => void | Promise<void>

  constructor(choose: (name: string | null, answer: (chain: KeyedChain | null) => void) => void | Promise<void>) {
    super()
    this.#choose = choose
  }

  override getCertificateChainForServerName(
    serverName: string | null,
    answer: (chain: KeyedChain | null) => void,
    hello: ClientHelloInfo,
  ): void | Promise<void> {
    this.asked.push(serverName)
    this.hello = hello
    return this.#choose(serverName, answer)
  }
}

function shown(wire: Wire<NodeEnd, OurEnd>): string[] {
  const { raw } = wire.client.socket?.getPeerCertificate(true) ?? {}
  return [servers.leaf, other].flatMap(({ certificate }) =>
    raw?.equals(certificate.der) === true ? [certificate.fingerprint] : [],
  )
}

describe.each(VERSIONS)('the chain that a server of %s shows', (version) => {
  const visit = (
    certificates: ServerCertificates,
    servername: string | undefined,
    options: Partial<ServerTLSOptions> = {},
  ): Wire<NodeEnd, OurEnd> =>
    againstNodeClient({
      server: serverTls({ ...only(version), certificates, ...options }),
      node: nodeClient(servername === undefined ? { servername: '' } : { servername }),
    })

  it.each([
    ['that name', 'at once', 'other.example', 'other.example'],
    ['that name', 'later', 'other.example', 'other.example'],
    ['a name in canonical form', 'at once', 'OTHER.example.', 'other.example'],
    ['no name', 'at once', undefined, null],
    ['no name', 'later', undefined, null],
  ] as const)('is chosen for %s %s', async (_what, when, servername, expected) => {
    const certificates = new TestCertificates((name, answer) => {
      const chain = name === null ? serverChain : otherChain
      if (when === 'at once') answer(chain)
      else setImmediate(() => answer(chain))
    })
    const wire = visit(certificates, servername)
    await wire.until(() => isOpen(wire.server))
    await wire.settle()
    expect(certificates.asked).toEqual([expected])
    expect(shown(wire)).toEqual([(expected === null ? servers.leaf : other).certificate.fingerprint])
    expect(wire.server.connection.info?.localChain).toBe(expected === null ? serverChain : otherChain)
    expect(wire.server.connection.info?.serverName).toBe(servername ?? null)
  })

  it('is chosen once, with all that the client offers in view', async () => {
    const certificates = new TestCertificates((_name, answer) => answer(serverChain))
    const wire = visit(certificates, HOST)
    await wire.until(() => isOpen(wire.server))
    expect(certificates.asked).toHaveLength(1)
    expect(certificates.hello?.sni).toBe(HOST)
    expect(certificates.hello?.versions).toContain(0x0303)
    expect(wire.server.connection.info?.clientHello).toBe(certificates.hello)
  })

  it('is there for the first client while the second still waits for its own', async () => {
    const waiting: (() => void)[] = []
    const certificates = new TestCertificates((name, answer) => {
      if (name === HOST) answer(serverChain)
      else waiting.push(() => answer(otherChain))
    })
    const server = serverTls({ ...only(version), certificates })
    const slow = againstNodeClient({ server, node: nodeClient({ servername: 'other.example' }) })
    await slow.settle()
    const fast = againstNodeClient({ server, node: nodeClient() })
    await fast.until(() => isOpen(fast.server))
    expect(slow.server.connection.state).toBe('hello')
    for (const answer of waiting) answer()
    await slow.until(() => isOpen(slow.server))
  })

  it.each(['at once', 'later'] as const)(
    'may be none, said %s, and the client hears unrecognized_name',
    async (when) => {
      const wire = visit(
        new TestCertificates((_name, answer) =>
          when === 'at once' ? answer(null) : void setImmediate(() => answer(null)),
        ),
        'nobody.example',
      )
      await wire.settle()
      expect(wire.client.alerts).toEqual([112])
      expect(await wire.server.failure()).toMatchObject({ code: 'ERR_TLACACOCA_UNKNOWN_SERVER_NAME' })
      expect(wire.server.closes).toEqual([true])
    },
  )

  it.each([
    ['its default', 'default', 'nobody.example', servers.leaf],
    ['its default', 'alert', undefined, servers.leaf],
    ['the right one', 'alert', 'other.example', other],
    ['none', 'alert', 'nobody.example', null],
  ] as const)('is, from several, %s by "%s" for %s', async (_what, onUnknownName, servername, expected) => {
    const certificates = new SNIServerCertificates([serverChain, otherChain], { onUnknownName })
    const wire = visit(certificates, servername)
    await wire.settle()
    expect(shown(wire)).toEqual(expected === null ? [] : [expected.certificate.fingerprint])
    expect(wire.client.alerts).toEqual(expected === null ? [112] : [])
  })

  it.each(['two words', '-', '..', 'a'.repeat(64), `${'a'.repeat(63)}.`.repeat(4), '%20.example'])(
    'is none for the malformed name %j',
    async (servername) => {
      const certificates = new TestCertificates((_name, answer) => answer(serverChain))
      const wire = visit(certificates, servername)
      await wire.settle()
      // A name that the client could not send is none.
      if (certificates.asked.length > 0) {
        expect(certificates.asked).toEqual([null])
        return
      }
      expect(wire.client.alerts).toEqual([112])
    },
  )

  it.each<[string, () => void | Promise<void>]>([
    [
      'throws',
      () => {
        throw new RangeError('a bug')
      },
    ],
    ['rejects', async () => Promise.reject(new RangeError('a bug'))],
  ])('ends with internal_error if the choice %s', async (_what, choose) => {
    const wire = visit(new TestCertificates(choose), HOST)
    await wire.settle()
    expect(await wire.server.failure()).toEqual(new RangeError('a bug'))
    expect(wire.client.alerts).toEqual([80])
  })

  it.each<[string, unknown, object]>([
    ['certificates without a key', [servers.leaf.certificate], { code: 'ERR_TLACACOCA_CHAIN_KEY_MISSING' }],
    ['no certificate at all', [], { code: 'ERR_TLACACOCA_CHAIN_NO_LEAF' }],
    ['a text', 'chain', new TypeError('"chain" expected a KeyedChain or null, got "chain"')],
    ['nothing', undefined, new TypeError('"chain" expected a KeyedChain or null, got undefined')],
  ])('ends with internal_error if the answer is %s', async (_what, given, error) => {
    const wire = visit(new TestCertificates((_name, answer) => answer(given as never)), HOST)
    await wire.settle()
    expect(await wire.server.failure()).toMatchObject(error)
    expect(wire.client.alerts).toEqual([80])
  })

  it('ends with internal_error if the chain is of no use with these settings', async () => {
    const ed25519 = issue({ by: servers.root, ca: false, names: [[2, HOST]], key: 'Ed25519' })
    const chain = chainOf(ed25519, servers.root)
    const wire = visit(new TestCertificates((_name, answer) => answer(chain)), HOST, {
      signatureSchemes: ['ecdsa_secp256r1_sha256'],
    })
    await wire.settle()
    expect(await wire.server.failure()).toMatchObject({ code: 'ERR_TLACACOCA_CONTEXT_INVALID' })
    expect(wire.client.alerts).toEqual([80])
  })

  it('throws InvalidatedError at a second answer, which changes nothing', async () => {
    const thrown: unknown[] = []
    const wire = visit(
      new TestCertificates((_name, answer) => {
        answer(serverChain)
        try {
          answer(otherChain)
        } catch (error) {
          thrown.push(error)
        }
      }),
      HOST,
    )
    await wire.until(() => isOpen(wire.server))
    await wire.settle()
    expect(thrown).toMatchObject([{ code: 'ERR_TLACACOCA_INVALIDATED' }])
    expect(shown(wire)).toEqual([servers.leaf.certificate.fingerprint])
  })

  it('is given up at the deadline of the handshake if it never comes, and what comes late changes nothing', async () => {
    const clock = fixedClock(new Date('2030-06-01T12:00:00Z'))
    let late: (chain: KeyedChain) => void = () => {}
    const wire = visit(
      new TestCertificates((_name, answer) => {
        late = answer
      }),
      HOST,
      { clock },
    )
    await wire.settle()
    expect(wire.server.connection.nextDeadline).toBe(clock() + 10_000)
    clock.advance(10_000)
    wire.server.connection.tick()
    expect(await wire.server.failure()).toMatchObject({ code: 'ERR_TLACACOCA_TIMEOUT' })
    late(serverChain)
    await wire.settle()
    expect(wire.server.writes).toEqual([])
  })

  it('is sent without its root', async () => {
    const wire = await openPair({ client: clientTls(only(version)), server: serverTls() })
    expect(fingerprints(wire.client.connection.info?.peerChain ?? [])).toEqual(fingerprints(serverChain.sent))
  })
})

it('makes one connection after another, also of both versions, from one ServerTLS', async () => {
  const server = serverTls()
  for (let round = 0; round < 10; round++) {
    for (const version of VERSIONS) {
      const wire = await openPair({ client: clientTls({ ...only(version), verifier: dangerouslyAcceptAny() }), server })
      expect(wire.server.connection.info?.version).toBe(version)
    }
  }
})

it('answers a client that speaks something else by an alert, if it is TLS at all', async () => {
  const wire = wirePair({ client: clientTls(), server: serverTls() })
  wire.server.receive(Buffer.from('gemini://example.org/\r\n'))
  expect(await wire.server.failure()).toMatchObject({ code: 'ERR_TLACACOCA_BAD_TLS_DATA' })
  expect(wire.server.thrown).toEqual([await wire.server.failure()])
  expect(wire.server.closes).toEqual([true])
})
