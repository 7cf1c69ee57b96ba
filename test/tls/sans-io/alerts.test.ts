// Alerts, against Node's own TLS sockets: what we send is what they read, in every state, and what they send is what we
// report. See test/interop/alerts.test.ts for the words that other tools have for them.

import { type ConnectionOptions, TLSSocket, type TlsOptions } from 'node:tls'
import { beforeAll, describe, expect, it } from 'vitest'
import { KeyedChain } from '../../../src/certificate/keyed-chain.ts'
import type { PeerVerifier } from '../../../src/certificate/peer-verifier.ts'
import { AlertUnavailableError, InvalidAlertLevel, InvalidatedError, TLSAlertError } from '../../../src/errors.ts'
import { AlertCode, alertNameOf } from '../../../src/tls/alert.ts'
import type { CipherSuite } from '../../../src/tls/sans-io/cipher-suites.ts'
import { ClientCertificateStore } from '../../../src/tls/sans-io/client-certificate-store.ts'
import { ClientTLS, type ClientTLSOptions } from '../../../src/tls/sans-io/client-tls.ts'
import type { Connection } from '../../../src/tls/sans-io/connection.ts'
import { ServerCertificateChain, ServerCertificates } from '../../../src/tls/sans-io/server-certificates.ts'
import { ServerTLS, type ServerTLSOptions } from '../../../src/tls/sans-io/server-tls.ts'
import { tlsDuplex } from '../../../src/tls/sans-io/tls-duplex.ts'
import { testCertificate } from '../../support/certificates.ts'
import { memoryPair } from '../../support/memory-pair.ts'
import {
  againstNodeClient,
  againstNodeServer,
  type EndOptions,
  isOpen,
  type NodeEnd,
  OurEnd,
  openPair,
  recordsIn,
  turn,
  type Wire,
  wirePair,
} from '../../support/sans-io.ts'

type Version = 'TLSv1.2' | 'TLSv1.3'
type Side = 'client' | 'server'

const VERSIONS: readonly Version[] = ['TLSv1.2', 'TLSv1.3']
const SIDES: readonly Side[] = ['client', 'server']
const ALERT = 21
const ACCEPT: PeerVerifier = { name: 'test', verify: () => ({ accept: true, ground: 'test' }) }

const chains: Record<'ec' | 'rsa', KeyedChain> = {} as never
const pems: Record<'ec' | 'rsa', { cert: string; key: string }> = {} as never

beforeAll(async () => {
  for (const kind of ['ec', 'rsa'] as const) {
    const { certPem, keyPem } = await testCertificate({ key: kind === 'ec' ? 'P-256' : 'RSA-2048' })
    pems[kind] = { cert: certPem, key: keyPem }
    chains[kind] = await KeyedChain.fromPem({ cert: certPem, key: keyPem })
  }
})

interface Kind {
  readonly side: Side
  readonly version: Version
  readonly suite?: CipherSuite
}

function clientTls({ version, suite }: Kind, options: Partial<ClientTLSOptions> = {}): ClientTLS {
  return new ClientTLS({
    serverHostname: 'example.org',
    port: 1965,
    verifier: ACCEPT,
    minVersion: version,
    maxVersion: version,
    ...(suite === undefined ? {} : { cipherSuites: [suite] }),
    ...options,
  })
}

function serverTls({ version, suite }: Kind, options: Partial<ServerTLSOptions> = {}): ServerTLS {
  return new ServerTLS({
    certificates: new ServerCertificateChain(chains[keyFor(suite)]),
    minVersion: version,
    maxVersion: version,
    ...(suite === undefined ? {} : { cipherSuites: [suite] }),
    ...options,
  })
}

function keyFor(suite: CipherSuite | undefined): 'ec' | 'rsa' {
  return suite?.includes('_RSA_') ? 'rsa' : 'ec'
}

interface Pair {
  readonly ours: OurEnd
  readonly node: NodeEnd
  readonly wire: Wire<OurEnd | NodeEnd, OurEnd | NodeEnd>
}

/** One side is ours, the other Node's. */
function pairWithNode(kind: Kind, end: EndOptions = {}): Pair {
  const { side, version, suite } = kind
  const common: TlsOptions & ConnectionOptions = { minVersion: version, maxVersion: version }
  if (side === 'client') {
    const node = { ...common, ...pems[keyFor(suite)] }
    const wire = againstNodeServer({ client: clientTls(kind), node, clientEnd: end })
    return { ours: wire.client, node: wire.server, wire }
  }
  const wire = againstNodeClient({
    server: serverTls(kind),
    node: { ...common, servername: 'example.org' },
    serverEnd: end,
  })
  return { ours: wire.server, node: wire.client, wire }
}

async function openPairWithNode(kind: Kind, end: EndOptions = {}): Promise<Pair> {
  const pair = pairWithNode(kind, end)
  await pair.wire.until(() => isOpen(pair.ours), 'an open connection')
  return pair
}

/** Until Node has read an alert, and our side is over. */
async function alertReadBy({ wire, ours, node }: Pair): Promise<readonly number[]> {
  await wire.until(() => ours.isSilent, 'the end of our side')
  await wire.settle()
  return node.alerts
}

const KINDS: readonly Kind[] = SIDES.flatMap((side) => VERSIONS.map((version) => ({ side, version })))

const SUITES: readonly { readonly suite: CipherSuite; readonly version: Version }[] = [
  { suite: 'TLS_AES_128_GCM_SHA256', version: 'TLSv1.3' },
  { suite: 'TLS_AES_256_GCM_SHA384', version: 'TLSv1.3' },
  { suite: 'TLS_CHACHA20_POLY1305_SHA256', version: 'TLSv1.3' },
  { suite: 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', version: 'TLSv1.2' },
  { suite: 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', version: 'TLSv1.2' },
  { suite: 'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256', version: 'TLSv1.2' },
  { suite: 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', version: 'TLSv1.2' },
  { suite: 'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', version: 'TLSv1.2' },
  { suite: 'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256', version: 'TLSv1.2' },
]

const SUITE_KINDS = SIDES.flatMap((side) => SUITES.map((each) => ({ side, ...each })))

/** When an alert is sent. */
const MOMENTS: readonly {
  readonly when: string
  send(kind: Kind, code: AlertCode): Promise<Pair>
}[] = [
  {
    when: 'inside verify',
    async send(kind, code) {
      return pairWithNode(kind, { verify: (_chain, connection) => connection.sendAlert(code, 'fatal') })
    },
  },
  {
    when: 'inside verify, after a while',
    async send(kind, code) {
      return pairWithNode(kind, {
        verify: async (_chain, connection) => {
          for (let index = 0; index < 3; index++) await turn()
          connection.sendAlert(code, 'fatal')
        },
      })
    },
  },
  {
    when: 'the moment that the connection is open',
    async send(kind, code) {
      const pair = pairWithNode(kind)
      void pair.ours.connection.established.then(() => pair.ours.connection.sendAlert(code, 'fatal'))
      return pair
    },
  },
  {
    when: 'after data in both directions',
    async send(kind, code) {
      const pair = await openPairWithNode(kind)
      const { ours, node, wire } = pair
      const plenty = Buffer.alloc(200_000, 'x')
      ours.connection.dataFromApplication(plenty)
      await wire.until(() => length(node.plaintext) === plenty.length)
      node.socket?.write(plenty)
      await wire.until(() => length(ours.plaintext) === plenty.length)
      ours.connection.sendAlert(code, 'fatal')
      return pair
    },
  },
  {
    when: 'behind writes that have not left',
    async send(kind, code) {
      const pair = await openPairWithNode(kind)
      for (let index = 0; index < 5; index++) pair.ours.connection.dataFromApplication(Buffer.alloc(20_000, 'x'))
      pair.ours.connection.sendAlert(code, 'fatal')
      expect(pair.ours.connection.state).toBe('open')
      await alertReadBy(pair)
      expect(length(pair.node.plaintext)).toBe(100_000)
      return pair
    },
  },
  {
    when: 'while it reads',
    async send(kind, code) {
      const pair = await openPairWithNode(kind, { onData: (_data, connection) => connection.sendAlert(code, 'fatal') })
      await pair.wire.until(() => pair.node.socket !== null)
      pair.node.socket?.write('anything')
      return pair
    },
  },
  {
    when: 'after the peer’s close_notify',
    async send(kind, code) {
      const pair = await openPairWithNode(kind)
      await pair.wire.until(() => pair.node.socket !== null)
      pair.node.socket?.end()
      await pair.wire.until(() => pair.ours.connection.state === 'finishing')
      pair.ours.connection.sendAlert(code, 'fatal')
      return pair
    },
  },
]

describe.each(SUITE_KINDS)('an alert of a $side with $suite', (kind) => {
  it.each(MOMENTS)('is what the peer reads: $when', async ({ when, send }) => {
    const code = AlertCode.certificate_revoked
    const pair = await send(kind, code)
    const read = await alertReadBy(pair)
    // Node has closed its end, and says nothing about what comes after that.
    if (!when.startsWith('after the peer')) expect(read).toEqual([code])
    await expect(pair.ours.failure()).resolves.toMatchObject({ code: 'ERR_TLACACOCA_ABORTED' })
    expect(pair.ours.closes).toEqual([true])
    expect(() => pair.ours.connection.sendAlert(code, 'fatal')).toThrow(InvalidatedError)
  })
})

describe.each(KINDS)('an alert of a $side over $version', (kind) => {
  const fatal = Object.values(AlertCode).filter(
    (code) =>
      code !== AlertCode.close_notify && code !== AlertCode.user_canceled && code !== AlertCode.no_renegotiation,
  )

  it.each(fatal.map((code) => ({ code, name: alertNameOf(code) })))(
    'is $name ($code) for the peer when it is for us',
    async ({ code }) => {
      const pair = await openPairWithNode(kind)
      pair.ours.connection.sendAlert(code, 'fatal')
      expect(await alertReadBy(pair)).toEqual([code])
    },
  )

  it('leaves after what was written before it, and nothing leaves behind it', async () => {
    const pair = await openPairWithNode(kind)
    const { connection } = pair.ours
    connection.dataFromApplication(Buffer.from('before'))
    connection.sendAlert(AlertCode.internal_error)
    expect(() => connection.dataFromApplication(Buffer.from('behind'))).toThrow(InvalidatedError)
    expect(() => connection.sendAlert(AlertCode.access_denied)).toThrow(InvalidatedError)
    connection.applicationFinished()
    expect(await alertReadBy(pair)).toEqual([AlertCode.internal_error])
    expect(pair.node.text).toBe('before')
    expect(pair.ours.log.filter((each) => each.startsWith('close'))).toEqual(['close(true)'])
    expect(pair.ours.log.at(-1)).toBe('close(true)')
  })

  it('is user_canceled and a close_notify, if the user has cancelled', async () => {
    const pair = await openPairWithNode(kind)
    await pair.wire.until(() => pair.node.socket !== null)
    const before = pair.ours.records.length
    pair.ours.connection.sendAlert(AlertCode.user_canceled)
    await alertReadBy(pair)
    expect(pair.ours.records.slice(before)).toHaveLength(2)
    expect(pair.node.log).toContain('end')
    expect(pair.node.errors).toEqual([])
    await expect(pair.ours.failure()).resolves.toMatchObject({ code: 'ERR_TLACACOCA_ABORTED' })
  })

  it('is a close_notify that leaves the other direction open, if it is a close_notify', async () => {
    const pair = await openPairWithNode(kind)
    await pair.wire.until(() => pair.node.socket !== null)
    pair.ours.connection.sendAlert(AlertCode.close_notify)
    await pair.wire.until(() => pair.node.log.includes('end'))
    expect(pair.ours.connection.state).not.toBe('invalidated')
    expect(pair.node.errors).toEqual([])
  })

  it('is refused with no byte sent, if it is a warning under encryption', async () => {
    const pair = await openPairWithNode(kind)
    const before = pair.ours.writes.length
    const warning = kind.version === 'TLSv1.2' ? AlertCode.certificate_expired : AlertCode.no_renegotiation
    const expected = kind.version === 'TLSv1.2' ? AlertUnavailableError : InvalidAlertLevel
    expect(() => pair.ours.connection.sendAlert(warning, 'warning')).toThrow(expected)
    expect(pair.ours.writes).toHaveLength(before)
    // It has done no harm.
    pair.ours.write('still here')
    await pair.wire.until(() => pair.node.text === 'still here')
  })

  it('is refused with no byte sent behind our close_notify, and ends the connection', async () => {
    const { ours } = await openPairWithNode(kind)
    ours.connection.applicationFinished()
    // What is not delivered is not answered.
    for (let index = 0; index < 5; index++) await turn()
    expect(ours.connection.state).toBe('finishing')
    const before = ours.writes.length
    expect(() => ours.connection.sendAlert(AlertCode.internal_error)).toThrow(AlertUnavailableError)
    expect(ours.writes).toHaveLength(before)
    expect(ours.closes).toEqual([true])
    expect(await ours.failure()).toBeInstanceOf(AlertUnavailableError)
  })

  it('is not possible when both sides have finished', async () => {
    const pair = await openPairWithNode(kind)
    pair.ours.connection.applicationFinished()
    await pair.wire.until(() => pair.ours.connection.state === 'closed')
    expect(() => pair.ours.connection.sendAlert(AlertCode.internal_error)).toThrow(InvalidatedError)
  })

  it('is refused with no byte sent, if its level is wrong or missing', async () => {
    const pair = await openPairWithNode(kind)
    const before = pair.ours.writes.length
    const { connection } = pair.ours
    expect(() => connection.sendAlert(AlertCode.internal_error, 'warning')).toThrow(InvalidAlertLevel)
    if (kind.version === 'TLSv1.2') {
      expect(() => connection.sendAlert(AlertCode.certificate_expired)).toThrow(InvalidAlertLevel)
    }
    expect(() => connection.sendAlert(256 as AlertCode, 'fatal')).toThrow(RangeError)
    await turn()
    expect(pair.ours.writes).toHaveLength(before)
    expect(isOpen(pair.ours)).toBe(true)
  })
})

// With TLACACOCA_FUZZ=1000, so many of each kind; a few without it.
const ROUNDS = Number(process.env.TLACACOCA_FUZZ ?? 3)

describe.each(SUITE_KINDS)('an alert of a $side at random, with $suite', (kind) => {
  it(`is what the peer reads, ${ROUNDS} times`, { timeout: 30_000 + 200 * ROUNDS }, async () => {
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const random = randomFrom(seed)
      const pair = await openPairWithNode(kind)
      const { ours, node, wire } = pair
      await wire.until(() => node.socket !== null)
      let [said, told] = [0, 0]
      for (let steps = random(12); steps > 0; steps--) {
        const size = [1, 2, 5, 17, 16_384, 16_385, random(40_000)][random(7)] ?? 0
        if (random(2) === 0) {
          ours.connection.dataFromApplication(Buffer.alloc(size, 'x'))
          said += size
        } else {
          node.socket?.write(Buffer.alloc(size, 'x'))
          told += size
        }
        if (random(3) === 0) wire.deliver()
        if (random(3) === 0) await turn()
      }
      if (random(2) === 0) await wire.settle()
      ours.connection.sendAlert(AlertCode.certificate_revoked, 'fatal')
      expect(await alertReadBy(pair), `seed ${seed}`).toEqual([AlertCode.certificate_revoked])
      expect(length(node.plaintext), `seed ${seed}`).toBe(said)
      expect(length(ours.plaintext), `seed ${seed}`).toBeLessThanOrEqual(told)
    }
  })
})

describe('an alert of a TLSDuplex', () => {
  it.each(VERSIONS)(
    'waits for a transport that is slow, and nothing is written behind it, over %s',
    async (version) => {
      const [near, far] = memoryPair()
      const node = new TLSSocket(far, { isServer: true, ...pems.ec, minVersion: version, maxVersion: version })
      const errors: Error[] = []
      node.on('error', () => {}).on('_tlsError', (error: Error) => errors.push(error))
      let read = 0
      const stream = tlsDuplex(near, clientTls({ side: 'client', version }))
      await stream.established
      for (let index = 0; index < 20; index++) await turn()
      // Nobody reads, and what is written is more than fits in between.
      const plenty = Buffer.alloc(1_000_000, 'x')
      const outcome = new Promise<unknown>((resolve) => stream.write(plenty, resolve))
      stream.connection.sendAlert(AlertCode.access_denied)
      const behind = new Promise<unknown>((resolve) => stream.write('behind', resolve))
      expect(stream.connection.state).toBe('open')
      expect(errors).toEqual([])
      node.on('data', (chunk: Buffer) => {
        read += chunk.length
      })
      await new Promise((resolve) => stream.once('close', resolve))
      for (let index = 0; index < 200 && errors.length === 0; index++) await turn()
      expect(read).toBe(plenty.length)
      expect(errors.map(({ message }) => /SSL alert number (\d+)/.exec(message)?.[1])).toEqual(['49'])
      expect(await outcome).not.toBeInstanceOf(Error)
      expect(await behind).toBeInstanceOf(Error)
      expect(stream.errored).toMatchObject({ code: 'ERR_TLACACOCA_ABORTED' })
      node.destroy()
    },
  )
})

describe('an alert before there are keys', () => {
  it.each(VERSIONS)('is in clear from a client that has said hello, over %s', async (version) => {
    const pair = pairWithNode({ side: 'client', version })
    pair.wire.toServer()
    pair.ours.connection.sendAlert(AlertCode.internal_error)
    expect(pair.ours.records.at(-1)?.bytes).toEqual(Buffer.of(ALERT, 3, 3, 0, 2, 2, AlertCode.internal_error))
    await alertReadBy(pair)
    expect(pair.node.alerts).toEqual([AlertCode.internal_error])
  })

  it('is in clear from a client that waits for its certificates, and has said nothing', () => {
    const never = new (class extends ClientCertificateStore {
      override getCertificateChainForRoots(): void {}
      override getDefaultCertificateChain(): void {}
    })()
    const ours = new OurEnd(clientTls({ side: 'client', version: 'TLSv1.3' }, { clientCertificateStore: never }))
    expect(ours.connection.state).toBe('hello')
    ours.connection.sendAlert(AlertCode.internal_error)
    expect(Buffer.concat(ours.writes)).toEqual(Buffer.of(ALERT, 3, 3, 0, 2, 2, AlertCode.internal_error))
    expect(ours.connection.state).toBe('invalidated')
  })

  it('is in clear from a server that waits for its certificates', async () => {
    const never = new (class extends ServerCertificates {
      override getCertificateChainForServerName(): void {}
    })()
    const wire = againstNodeClient({
      server: new ServerTLS({ certificates: never }),
      node: { servername: 'example.org' },
    })
    wire.toServer()
    expect(wire.server.connection.state).toBe('hello')
    wire.server.connection.sendAlert(AlertCode.unrecognized_name, 'fatal')
    await wire.until(() => wire.client.alerts.length > 0)
    expect(wire.client.alerts).toEqual([AlertCode.unrecognized_name])
  })

  it.each(VERSIONS)('reaches a client although the flight of the server has left, over %s', async (version) => {
    const pair = pairWithNode({ side: 'server', version })
    pair.wire.toServer()
    pair.ours.connection.sendAlert(AlertCode.access_denied)
    expect(await alertReadBy(pair)).toEqual([AlertCode.access_denied])
  })

  it('may be a warning, which ends nothing', async () => {
    const pair = pairWithNode({ side: 'server', version: 'TLSv1.2' })
    pair.wire.toServer()
    pair.ours.connection.sendAlert(AlertCode.unrecognized_name, 'warning')
    expect(pair.ours.records.at(-1)?.bytes).toEqual(Buffer.of(ALERT, 3, 3, 0, 2, 1, AlertCode.unrecognized_name))
    await pair.wire.until(() => isOpen(pair.ours))
    pair.ours.write('still here')
    await pair.wire.until(() => pair.node.text === 'still here')
  })

  it('may be a warning inside verify, in clear with TLS 1.2 and not at all with TLS 1.3', async () => {
    const thrown: unknown[] = []
    const warn = (_chain: unknown, connection: Connection): void => {
      try {
        connection.sendAlert(AlertCode.certificate_expired, 'warning')
      } catch (error) {
        thrown.push(error)
      }
    }
    for (const kind of KINDS) {
      const pair = pairWithNode(kind, { verify: warn })
      await pair.wire.until(() => isOpen(pair.ours))
      pair.ours.write('still here')
      await pair.wire.until(() => pair.node.text === 'still here')
      const alerts = pair.ours.records.filter(({ type }) => type === ALERT)
      expect(alerts).toHaveLength(kind.version === 'TLSv1.2' ? 1 : 0)
    }
    expect(thrown.map((error) => error instanceof InvalidAlertLevel)).toEqual([true, true])
  })
})

/** Every number that there is. */
const NUMBERS = Array.from({ length: 256 }, (_, code) => code)

describe('a fatal alert that comes in clear', () => {
  it.each([
    { cutting: 'whole', pieces: (bytes: Buffer) => [bytes] },
    { cutting: 'byte by byte', pieces: (bytes: Buffer) => Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)) },
    { cutting: 'with more behind it', pieces: (bytes: Buffer) => [Buffer.concat([bytes, Buffer.alloc(9, 22)])] },
  ])('is told to a client by its number, whatever the number: $cutting', async ({ pieces }) => {
    const tls = clientTls({ side: 'client', version: 'TLSv1.3' })
    for (const code of NUMBERS) {
      const ours = new OurEnd(tls)
      for (const piece of pieces(Buffer.of(ALERT, 3, 3, 0, 2, 2, code))) ours.receive(piece)
      await expectAlert(ours, { code, level: 'fatal' })
    }
  })

  it.each(VERSIONS)('is told to a server by its number, whatever the number, over %s', async (version) => {
    const hello = helloFor(version)
    const tls = serverTls({ side: 'server', version })
    for (const code of NUMBERS) {
      const ours = new OurEnd(tls)
      ours.receive(hello)
      ours.receive(Buffer.of(ALERT, 3, 3, 0, 2, 2, code))
      await expectAlert(ours, { code, level: 'fatal' })
    }
  })

  it('is told to a server that has not heard a hello', async () => {
    for (const [level, name] of [
      [1, 'warning'],
      [2, 'fatal'],
    ] as const) {
      const ours = new OurEnd(serverTls({ side: 'server', version: 'TLSv1.3' }))
      ours.receive(Buffer.of(ALERT, 3, 3, 0, 2, level, AlertCode.unrecognized_name))
      await expectAlert(ours, { code: AlertCode.unrecognized_name, level: name })
    }
  })

  it('is told to a client in the middle of a flight, and its verifier is not asked', async () => {
    let asked = 0
    const verifier: PeerVerifier = {
      name: 'test',
      verify: () => {
        asked++
        return { accept: true, ground: 'test' }
      },
    }
    for (const code of [AlertCode.internal_error, 221]) {
      const node: TlsOptions = { ...pems.ec, maxVersion: 'TLSv1.2' }
      const wire = againstNodeServer({
        client: clientTls({ side: 'client', version: 'TLSv1.2' }, { verifier }),
        node,
        cutting: (bytes) => [bytes, Buffer.of(ALERT, 3, 3, 0, 2, 2, code)].slice(0, bytes[0] === 22 ? 2 : 1),
      })
      // As one piece: the flight, and the alert behind it.
      wire.toServer()
      wire.client.receive(Buffer.concat([wire.server.take(), Buffer.of(ALERT, 3, 3, 0, 2, 2, code)]))
      await expectAlert(wire.client, { code, level: 'fatal' })
    }
    expect(asked).toBe(0)
  })

  async function expectAlert(ours: OurEnd, alert: { code: number; level: string }): Promise<void> {
    const error = await ours.failure()
    expect(error).toBeInstanceOf(TLSAlertError)
    expect(error).toMatchObject({
      alertCode: alert.code,
      alertLevel: alert.level,
      alertName: alertNameOf(alert.code),
    })
    expect(ours.closes).toEqual([true])
  }

  function helloFor(version: Version): Buffer {
    return new OurEnd(clientTls({ side: 'client', version })).take()
  }
})

describe('a warning that comes in clear', () => {
  it('ends nothing before the server has spoken', async () => {
    const client = clientTls({ side: 'client', version: 'TLSv1.2' })
    for (const code of [1, ...Object.values(AlertCode), 255]) {
      // A close_notify ends what has not begun; renegotiation is not offered.
      if (code === AlertCode.close_notify || code === AlertCode.no_renegotiation) continue
      const wire = againstNodeServer({ client, node: pems.ec })
      wire.client.receive(Buffer.of(ALERT, 3, 3, 0, 2, 1, code))
      await wire.until(() => isOpen(wire.client))
    }
  })

  it.each([
    { name: 'close_notify', code: AlertCode.close_notify },
    { name: 'no_renegotiation', code: AlertCode.no_renegotiation },
  ])('is told to a client if it is $name', async ({ code }) => {
    for (const size of [7, 1]) {
      const ours = new OurEnd(clientTls({ side: 'client', version: 'TLSv1.3' }))
      const bytes = Buffer.of(ALERT, 3, 3, 0, 2, 1, code)
      for (let at = 0; at < bytes.length; at += size) ours.receive(bytes.subarray(at, at + size))
      expect(await ours.failure()).toMatchObject({ alertCode: code, alertLevel: 'warning' })
    }
  })
})

describe('what is no alert', () => {
  it.each([
    { what: 'an alert before garbage', bytes: [ALERT, 3, 3, 0, 2, 1, 112, 99, 99, 99, 99, 99, 99] },
    { what: 'an alert of a level that there is not', bytes: [ALERT, 3, 3, 0, 2, 3, 40] },
    { what: 'two alerts in a record', bytes: [ALERT, 3, 3, 0, 4, 2, 40, 2, 40] },
    { what: 'garbage that ends like an alert', bytes: [22, 3, 3, 0, 7, ALERT, 3, 3, 0, 2, 2, 40] },
  ])('is not reported as one: $what', async ({ bytes }) => {
    const ours = new OurEnd(clientTls({ side: 'client', version: 'TLSv1.3' }))
    ours.receive(Buffer.from(bytes))
    expect(await ours.failure()).toMatchObject({ code: 'ERR_TLACACOCA_BAD_TLS_DATA' })
    // The peer is told.
    expect(recordsIn(Buffer.concat(ours.writes)).at(-1)?.type).toBe(ALERT)
  })
})

describe.each(KINDS)('a fatal alert under encryption, read by a $side over $version', ({ side, version }) => {
  const tls = lazily(() => ({ client: clientTls({ side, version }), server: serverTls({ side, version }) }))

  /** Both ends are ours here, because Node's cannot be told to send one. */
  async function sent(code: number) {
    const wire = await openPair(tls())
    const [reader, sender] = side === 'client' ? [wire.client, wire.server] : [wire.server, wire.client]
    sender.connection.sendAlert(code as AlertCode, 'fatal')
    await wire.until(() => reader.isSilent)
    return reader
  }

  it('is told by its number, whether OpenSSL has a word for it or not', async () => {
    // 117 and 121 are the numbers of later standards: general_error, and ech_required of Encrypted Client Hello.
    for (const code of [...Object.values(AlertCode), 1, 99, 117, 121, 255]) {
      // Neither may be fatal: user_canceled by RFC 8446 section 6.1, no_renegotiation by RFC 5246 section 7.2.2.
      if (code === AlertCode.user_canceled || code === AlertCode.no_renegotiation) continue
      if (code === AlertCode.close_notify) continue
      const reader = await sent(code)
      expect(await reader.failure()).toMatchObject({
        alertCode: code,
        alertLevel: 'fatal',
        alertName: alertNameOf(code),
      })
      // For the others it must be made sure first that Node has nothing to say.
      expect(reader.thrown).toHaveLength(alertNameOf(code) === null ? 0 : 1)
    }
  })

  it('of which Node says nothing is told of when more comes behind it at once', async () => {
    const wire = await openPair(tls())
    const [reader, sender] = side === 'client' ? [wire.client, wire.server] : [wire.server, wire.client]
    sender.connection.sendAlert(99 as AlertCode, 'fatal')
    reader.receive(sender.take())
    expect(reader.isSilent).toBe(false)
    reader.receive(Buffer.of(23, 3, 3, 0, 1, 0))
    expect(reader.thrown).toMatchObject([{ code: 'ERR_TLACACOCA_TLS_ALERT', alertCode: 99 }])
    expect(reader.closes).toEqual([true])
  })

  it('may come during the handshake', async () => {
    const kind = { side, version }
    const refuse: EndOptions['verify'] = (_chain, connection) =>
      connection.sendAlert(AlertCode.certificate_revoked, 'fatal')
    const wire = wirePair({
      client: clientTls(kind),
      server: serverTls(kind),
      ...(side === 'client' ? { serverEnd: { verify: refuse } } : { clientEnd: { verify: refuse } }),
    })
    const reader = side === 'client' ? wire.client : wire.server
    await wire.until(() => reader.isSilent)
    expect(await reader.failure()).toMatchObject({ alertCode: AlertCode.certificate_revoked, alertLevel: 'fatal' })
  })
})

describe('what OpenSSL says by itself', () => {
  it.each([
    {
      what: 'no common version',
      client: { minVersion: 'TLSv1.3' },
      node: { maxVersion: 'TLSv1.2' },
      alert: AlertCode.protocol_version,
    },
    {
      what: 'no common suite',
      client: { maxVersion: 'TLSv1.2', cipherSuites: ['TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256'] },
      node: { ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' },
      alert: AlertCode.handshake_failure,
    },
    {
      what: 'no common protocol',
      client: { alpn: ['gemini'] },
      node: { ALPNProtocols: ['h2'] },
      alert: AlertCode.no_application_protocol,
    },
    {
      what: 'a certificate that is required, in TLS 1.3 when everything is open',
      client: { minVersion: 'TLSv1.3' },
      node: { requestCert: true, rejectUnauthorized: true },
      alert: AlertCode.certificate_required,
    },
    {
      what: 'a certificate that is required, in TLS 1.2',
      client: { maxVersion: 'TLSv1.2' },
      node: { requestCert: true, rejectUnauthorized: true },
      alert: AlertCode.handshake_failure,
    },
  ] satisfies { what: string; client: Partial<ClientTLSOptions>; node: TlsOptions; alert: number }[])(
    'is reported by number: $what',
    async ({ client, node, alert }) => {
      const tls = new ClientTLS({ serverHostname: 'example.org', port: 1965, verifier: ACCEPT, ...client })
      const wire = againstNodeServer({ client: tls, node: { ...pems.ec, ...node } })
      await wire.until(() => wire.client.isSilent)
      expect(await wire.client.failure()).toMatchObject({ alertCode: alert, alertLevel: 'fatal' })
    },
  )

  it.each(KINDS)(
    'reaches the peer of a $side over $version: bad_record_mac, for a record that was changed',
    async (kind) => {
      const pair = await openPairWithNode(kind)
      await pair.wire.until(() => pair.node.socket !== null)
      await pair.wire.settle()
      pair.node.socket?.write('anything')
      await turn()
      const bytes = (kind.side === 'client' ? pair.wire.server : pair.wire.client).take()
      bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
      pair.ours.receive(bytes)
      expect(await pair.ours.failure()).toMatchObject({ code: 'ERR_TLACACOCA_BAD_TLS_DATA' })
      expect(pair.ours.thrown).toHaveLength(1)
      await pair.wire.settle()
      expect(pair.node.alerts).toEqual([AlertCode.bad_record_mac])
    },
  )
})

function lazily<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | null = null
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

/** Whole numbers below a bound, the same for the same seed (a linear congruential generator). */
function randomFrom(seed: number): (bound: number) => number {
  let state = seed
  return (bound) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
}

function length(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length, 0)
}
