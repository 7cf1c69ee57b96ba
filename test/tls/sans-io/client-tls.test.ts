// What a client is told, whom it accepts, and what the other end hears of it.

import { describe, expect, it } from 'vitest'
import type { PeerVerifier } from '../../../src/certificate/peer-verifier.ts'
import { TrustStore } from '../../../src/certificate/trust-store.ts'
import { PeerRefusedError, VerificationRefused } from '../../../src/errors.ts'
import { ClientTLS, type ClientTLSOptions } from '../../../src/tls/sans-io/client-tls.ts'
import type { Connection } from '../../../src/tls/sans-io/connection.ts'
import { ServerCertificateChain } from '../../../src/tls/sans-io/server-certificates.ts'
import { ServerTLS } from '../../../src/tls/sans-io/server-tls.ts'
import { dangerouslyAcceptAny } from '../../../src/tls/verifiers/dangerously-accept-any.ts'
import { pins } from '../../../src/tls/verifiers/pins.ts'
import { issue } from '../../support/issued-certificates.ts'
import {
  againstNodeServer,
  chainOf,
  isOpen,
  type OurEnd,
  openPair,
  pemOfIssued,
  type Wire,
  wirePair,
} from '../../support/sans-io.ts'
import {
  clientTls,
  HOST,
  nodeServer,
  only,
  servers,
  serverTls,
  serverTrust,
  stranger,
  VERSIONS,
} from '../../support/sans-io-world.ts'

describe('start', () => {
  it('takes its callbacks in an object', async () => {
    const wire = await openPair({ client: clientTls(), server: serverTls(), clientEnd: { verify: () => {} } })
    expect(wire.client.log).toContain('verify')
  })

  it('takes its callbacks one by one, and then returns the plaintext', async () => {
    const server = serverTls()
    const asked: unknown[] = []
    const waiting: Uint8Array[] = []
    const closes: boolean[] = []
    const connection = clientTls().start(
      (bytes) => waiting.push(bytes),
      (immediate) => closes.push(immediate),
      (chain, which) => void asked.push(chain.length, which),
    )
    const other = wirePair({ client: clientTls(), server }).server
    let text = ''
    while (text === '') {
      for (const bytes of waiting.splice(0)) other.receive(bytes)
      if (isOpen(other) && other.plaintext.length === 0) other.write('answer')
      text += Buffer.from(connection.dataFromWire(other.take())).toString()
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(text).toBe('answer'.repeat(text.length / 6))
    expect(asked).toEqual([2, connection])
    connection.destroy()
    expect(closes).toEqual([true])
  })

  it('needs no callback but writeToWire', async () => {
    const waiting: Uint8Array[] = []
    const connection = clientTls().start({ writeToWire: (bytes) => waiting.push(bytes) })
    expect(waiting).toHaveLength(1)
    connection.destroy()
    expect(await connection.closed).toMatchObject({ kind: 'failed' })
  })

  it('sends its hello at once, and makes a connection of its own each time', () => {
    const tls = clientTls()
    const hellos = [0, 1].map(() => wirePair({ client: tls, server: serverTls() }).client.take())
    expect(hellos.map((hello) => hello[0])).toEqual([22, 22])
    // Their randoms differ.
    expect(hellos[0]?.subarray(11, 43)).not.toEqual(hellos[1]?.subarray(11, 43))
  })

  const write = (): void => {}
  it.each([
    ['nothing', []],
    ['undefined', [undefined]],
    ['null', [null]],
    ['a text', ['write']],
    ['an empty object', [{}]],
    ['a callback that is none', [{ writeToWire: 'write' }]],
    ['an unknown callback', [{ writeToWire: write, onData: write }]],
    ['a misspelt callback', [{ writeToWire: write, wireclose: write }]],
    ['null for a callback', [{ writeToWire: write, verify: null }]],
    ['a second argument that is no function', [write, true]],
    ['a third argument that is no function', [write, write, {}]],
  ])('refuses %s', (_what, args) => {
    const tls = clientTls()
    expect(() => Reflect.apply(tls.start, tls, args)).toThrow(TypeError)
  })

  it('takes undefined for a callback that is not there', () => {
    const tls = clientTls()
    const callbacks = { writeToWire: write, wireClose: undefined, verify: undefined, data: undefined }
    expect(Reflect.apply(tls.start, tls, [callbacks])).toMatchObject({ state: 'handshaking' })
  })

  it('is the only way to a connection', () => {
    const connection = clientTls().start({ writeToWire: write })
    const Made = connection.constructor as new (...args: unknown[]) => Connection
    expect(() => new Made()).toThrow(TypeError)
    expect(() => new Made(Symbol('made'), {})).toThrow(TypeError)
  })
})

describe('options', () => {
  const base: ClientTLSOptions = { serverHostname: HOST, port: 1965, trustRoot: serverTrust }
  it.each<[string, unknown, typeof TypeError | typeof RangeError | RegExp]>([
    ['nothing at all', undefined, TypeError],
    ['null', null, TypeError],
    ['a list', [], TypeError],
    ['no serverHostname', { port: 1965 }, TypeError],
    ['a serverHostname of bytes', { ...base, serverHostname: Buffer.from(HOST) }, TypeError],
    ['a serverHostname that is none', { ...base, serverHostname: 'two words' }, /two words/],
    ['no port', { serverHostname: HOST }, TypeError],
    ['a port in words', { ...base, port: '1965' }, TypeError],
    ['an unknown option', { ...base, rejectUnauthorized: false }, TypeError],
    ['a misspelt option', { ...base, trustroot: serverTrust }, TypeError],
    ['a trustRoot that is PEM', { ...base, trustRoot: servers.root.certificate.toPem() }, TypeError],
    ['a trustRoot that is null', { ...base, trustRoot: null }, TypeError],
    ['both trustRoot and verifier', { ...base, verifier: dangerouslyAcceptAny() }, TypeError],
    ['a verifier that is a function', { serverHostname: HOST, port: 1965, verifier: () => true }, TypeError],
    ['a verifier without a name', { serverHostname: HOST, port: 1965, verifier: { verify: () => {} } }, TypeError],
    ['a store that is none', { ...base, clientCertificateStore: {} }, TypeError],
    ['a mode without a store', { ...base, clientCertificateMode: 'restart' }, TypeError],
    ['a mode that does not exist', { ...base, clientCertificateMode: 'in-handshake' }, TypeError],
    ['identityOverTls12 that does not exist', { ...base, identityOverTls12: true }, TypeError],
    ['a serverName that is an address', { ...base, serverName: '127.0.0.1' }, TypeError],
    ['a serverName that is a number', { ...base, serverName: 5 }, TypeError],
    ['a version below TLS 1.2', { ...base, minVersion: 'TLSv1.1' }, TypeError],
    ['a clock that is a Date', { ...base, clock: new Date() }, TypeError],
    ['a limit of nothing', { ...base, limits: { maxChainLength: 0 } }, RangeError],
    ['an unknown limit', { ...base, limits: { maxLength: 5 } }, TypeError],
    ['an unknown deadline', { ...base, timeouts: { connectMs: 5 } }, TypeError],
    ['an option of the other side', { ...base, dhParams: 'auto' }, TypeError],
  ])('refuses %s', (_what, options, error) => {
    expect(() => Reflect.construct(ClientTLS, [options])).toThrow(error as never)
  })

  it('is what it was made of, whatever becomes of the options afterwards', () => {
    const options = { ...base, serverHostname: HOST as string }
    const tls = new ClientTLS(options)
    options.serverHostname = 'two words'
    expect(() => tls.withCertificate(chainOf(stranger))).not.toThrow()
  })

  it.each<{ what: string; options: Partial<ClientTLSOptions>; sni: string | null }>([
    { what: 'the host', options: {}, sni: HOST },
    { what: 'the host in lower case', options: { serverHostname: 'WWW.Example.ORG.' }, sni: HOST },
    { what: 'another name that was asked for', options: { serverName: 'other.example' }, sni: 'other.example' },
    { what: 'a name in A-labels', options: { serverName: 'bücher.example' }, sni: 'xn--bcher-kva.example' },
    { what: 'nobody, if so told', options: { serverName: null }, sni: null },
    { what: 'nobody, for an address', options: { serverHostname: '127.0.0.1' }, sni: null },
    { what: 'a name, also for an address', options: { serverHostname: '::1', serverName: HOST }, sni: HOST },
  ])('asks for $what by SNI', async ({ options, sni }) => {
    const wire = await openPair({
      client: clientTls({ ...options, verifier: dangerouslyAcceptAny() }),
      server: serverTls(),
    })
    expect(wire.server.connection.info?.serverName).toBe(sni)
    expect(wire.client.connection.info?.serverName).toBe(sni)
  })
})

const EXPIRED = new Date('2101-01-01T00:00:00Z')
const TOO_EARLY = new Date('2019-01-01T00:00:00Z')

describe.each(VERSIONS)('whom it accepts, by %s', (version) => {
  const decide = async (
    options: Partial<ClientTLSOptions>,
    node = nodeServer(),
  ): Promise<{ state: string; error: Error | null; alerts: readonly number[]; asked: boolean }> => {
    const wire = againstNodeServer({
      client: clientTls({ ...only(version), ...options }),
      node,
      clientEnd: { verify: () => {} },
    })
    wire.client.write('secret')
    await wire.settle()
    const { connection } = wire.client
    return {
      state: connection.state,
      error: connection.state === 'invalidated' ? await wire.client.failure() : null,
      alerts: wire.server.alerts,
      asked: wire.client.log.includes('verify'),
    }
  }

  it('is a server that an authority of trustRoot has issued for the host', async () => {
    expect(await decide({})).toEqual({ state: 'open', error: null, alerts: [], asked: true })
  })

  it.each<{ what: string; options: Partial<ClientTLSOptions>; reason: string; alert: number }>([
    {
      what: 'another authority issued it',
      options: { trustRoot: new TrustStore([stranger.certificate]) },
      reason: 'unknown_authority',
      alert: 48,
    },
    { what: 'it is for another host', options: { serverHostname: 'example.net' }, reason: 'wrong_hostname', alert: 46 },
    {
      what: 'it is for a name and not for an address',
      options: { serverHostname: '127.0.0.1' },
      reason: 'wrong_hostname',
      alert: 46,
    },
    { what: 'it has expired', options: { clock: () => EXPIRED.getTime() }, reason: 'expired', alert: 45 },
    { what: 'it is not yet valid', options: { clock: () => TOO_EARLY.getTime() }, reason: 'not_yet_valid', alert: 45 },
  ])('is not a server if $what', async ({ options, reason, alert }) => {
    const { state, error, alerts, asked } = await decide(options)
    expect(state).toBe('invalidated')
    expect(error).toBeInstanceOf(PeerRefusedError)
    expect(error).toMatchObject({ reason })
    expect(alerts).toEqual([alert])
    // The program is not asked about somebody whom the basic checks have refused.
    expect(asked).toBe(false)
  })

  it('is not, by default, whom nobody vouches for', async () => {
    const options: ClientTLSOptions = { serverHostname: HOST, port: 1965, ...only(version) }
    const wire = againstNodeServer({ client: new ClientTLS(options), node: nodeServer() })
    await wire.settle()
    expect(await wire.client.failure()).toMatchObject({ reason: 'unknown_authority' })
    expect(wire.server.alerts).toEqual([48])
  })

  it('is whoever has a pinned certificate, and nobody else', async () => {
    const pinned = pins([servers.leaf.certificate.fingerprint])
    expect(await decide({ verifier: pinned, serverHostname: 'example.net' })).toMatchObject({ state: 'open' })
    const refused = await decide({ verifier: pinned }, nodeServer(pemOfIssued(stranger)))
    expect(refused).toMatchObject({ state: 'invalidated', error: { reason: 'not_pinned' }, alerts: [46] })
  })

  it('is decided by a verifier that may take its time, and is told which endpoint is meant', async () => {
    const asked: unknown[] = []
    const verifier: PeerVerifier = {
      name: 'test',
      verify: async ({ endpoint, certificate, chain, protocol }) => {
        asked.push(String(endpoint), certificate.fingerprint, chain.length, protocol)
        return { accept: true, ground: 'because' }
      },
    }
    const wire = againstNodeServer({ client: clientTls({ ...only(version), verifier }), node: nodeServer() })
    await wire.until(() => isOpen(wire.client))
    expect(asked).toEqual([`${HOST}:1965`, servers.leaf.certificate.fingerprint, 2, version])
    expect(wire.client.connection.peer).toMatchObject({ acceptedBy: 'test: because' })
  })

  it.each<{ what: string; verify: PeerVerifier['verify']; alert: number }>([
    {
      what: 'the alert of its decision',
      verify: () => ({ accept: false, reason: 'no', detail: 'no', alert: 44 }),
      alert: 44,
    },
    {
      what: 'the alert of its error',
      verify: () => ({ accept: false, reason: 'no', detail: 'no', error: new VerificationRefused(49) }),
      alert: 49,
    },
    {
      what: 'an alert that says what is wrong',
      verify: () => ({ accept: false, reason: 'expired', detail: 'no' }),
      alert: 45,
    },
    { what: 'no reason of its own', verify: () => ({ accept: false, reason: 'rude', detail: 'no' }), alert: 46 },
    {
      what: 'an alert that does not exist',
      verify: () => ({ accept: false, reason: 'no', detail: 'no', alert: 300 }),
      alert: 80,
    },
    {
      what: 'no decision',
      verify: () => JSON.parse('{"accept":1}'),
      alert: 46,
    },
    {
      what: 'a bug',
      verify: () => {
        throw new RangeError('a bug')
      },
      alert: 46,
    },
    { what: 'a late bug', verify: async () => Promise.reject(new RangeError('a bug')), alert: 46 },
  ])('is nobody for a verifier with $what', async ({ verify, alert }) => {
    const { state, alerts } = await decide({ verifier: { name: 'test', verify } })
    expect({ state, alerts }).toEqual({ state: 'invalidated', alerts: [alert] })
  })
})

it('takes certificates of servers of all kinds that TLS has', async () => {
  for (const key of ['P-256', 'P-384', 'RSA-2048', 'Ed25519'] as const) {
    const leaf = issue({ by: servers.root, ca: false, names: [[2, HOST]], key })
    const server = new ServerTLS({ certificates: new ServerCertificateChain(chainOf(leaf, servers.root)) })
    for (const version of VERSIONS) {
      const wire = await openPair({ client: clientTls(only(version)), server })
      expect(wire.client.connection.peer?.fingerprint).toBe(leaf.certificate.fingerprint)
    }
  }
})

describe('a server that cannot be read', () => {
  const opened = async (wire: Wire<OurEnd>): Promise<Error> => {
    await wire.settle()
    return wire.client.failure()
  }

  it.each(VERSIONS)('is refused by %s for a certificate with a date that does not exist', async (version) => {
    // OpenSSL would take it: the signature over it is right.
    const leaf = issue({ by: servers.root, ca: false, names: [[2, HOST]], from: '20201301000000Z' })
    const wire = againstNodeServer({ client: clientTls(only(version)), node: pemOfIssued(leaf) })
    await wire.settle()
    expect(await wire.client.failure()).toMatchObject({ code: 'ERR_TLACACOCA_PEER_REFUSED', reason: 'malformed' })
    expect(wire.server.alerts).toEqual([42])
  })

  it('is told so if it speaks another protocol', async () => {
    const wire = wirePair({ client: clientTls(), server: serverTls() })
    wire.client.take()
    wire.client.receive(Buffer.from('220 mail.example ESMTP\r\n'))
    expect(await opened(wire)).toMatchObject({ code: 'ERR_TLACACOCA_BAD_TLS_DATA' })
    expect(wire.client.thrown).toHaveLength(1)
    expect(wire.client.closes).toEqual([true])
  })
})
