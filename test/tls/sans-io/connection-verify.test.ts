// The program's own look at the peer: when it is asked, what it may do, and what the peer hears of it.

import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { PeerVerifier } from '../../../src/certificate/peer-verifier.ts'
import { formatPem } from '../../../src/certificate/pem.ts'
import { VerificationRefused } from '../../../src/errors.ts'
import { fixedClock } from '../../../src/testing/fixed-clock.ts'
import type { VerifyCallback } from '../../../src/tls/sans-io/connection-sink.ts'
import { craft } from '../../support/crafted-certificates.ts'
import {
  againstNodeClient,
  againstNodeServer,
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
  VERSIONS,
  withIdentity,
} from '../../support/sans-io-world.ts'

/** One of ours that verifies, on either side, with Node at the other end. */
interface Meeting {
  readonly ours: OurEnd
  readonly node: NodeEnd
  readonly wire: Wire<OurEnd, NodeEnd> | Wire<NodeEnd, OurEnd>
}

type Side = 'client' | 'server'
const SIDES = VERSIONS.flatMap((version) => (['client', 'server'] as const).map((side) => ({ version, side })))

function meet(
  side: Side,
  version: (typeof VERSIONS)[number],
  verify: VerifyCallback,
  clock = () => Date.now(),
): Meeting {
  if (side === 'client') {
    const wire = againstNodeServer({
      client: clientTls({ ...only(version), ...withIdentity(), clock }),
      node: nodeServer({ requestCert: true, rejectUnauthorized: false }),
      onConnection: (socket) => socket.write('from node'),
      clientEnd: { verify },
    })
    return { ours: wire.client, node: wire.server, wire }
  }
  const wire = againstNodeClient({
    server: serverTls({ ...only(version), clientCertificates: 'request', clock }),
    node: nodeClient(nodeIdentity),
    serverEnd: { verify },
  })
  wire.client.socket?.write('from node')
  return { ours: wire.server, node: wire.client, wire }
}

/** What a library of promises older than those of the language gives. */
function promiseLike(start: (resolve: () => void, reject: (error: Error) => void) => void): Promise<void> {
  return Object.fromEntries([['then', start]]) as unknown as Promise<void>
}

describe.each(SIDES)('verify on a $side of $version', ({ side, version }) => {
  const expected = side === 'client' ? [servers.leaf, servers.middle] : [clients.leaf, clients.middle]

  it('is asked once, with the chain from the leaf up and the connection', async () => {
    const asked: unknown[] = []
    const { ours, wire } = meet(side, version, (chain, connection) => {
      asked.push([fingerprints(chain), connection, connection.state, connection.peer, connection.info])
    })
    await wire.settle()
    ours.write('more')
    await wire.settle()
    expect(isOpen(ours)).toBe(true)
    const chain = expected.map(({ certificate }) => certificate.fingerprint)
    expect(asked).toEqual([[chain, ours.connection, 'verifying', null, null]])
    expect(ours.connection.peer?.fingerprint).toBe(chain[0])
    expect(fingerprints(ours.connection.info?.peerChain ?? [])).toEqual(chain)
  })

  it('cannot change what is verified', async () => {
    const { ours, wire } = meet(side, version, (chain) => {
      expect(() => (chain as unknown[]).splice(0)).toThrow(TypeError)
    })
    await wire.settle()
    expect(isOpen(ours)).toBe(true)
  })

  it.each<[string, () => unknown]>([
    ['false', () => false],
    ['an error', () => new Error('no')],
    ['null', () => null],
    ['a promise of false', async () => false],
    ['a decision that refuses', () => ({ accept: false })],
  ])('accepts although it returns %s, which means nothing', async (_what, answer) => {
    const { ours, wire } = meet(side, version, answer as VerifyCallback)
    await wire.until(() => isOpen(ours))
  })

  it.each<{ what: string; verify: VerifyCallback; alert: number; error: object }>([
    {
      what: 'an error',
      verify: () => {
        throw new RangeError('a bug')
      },
      alert: 80,
      error: new RangeError('a bug'),
    },
    {
      what: 'a text',
      verify: () => {
        throw 'just so'
      },
      alert: 80,
      error: new Error('just so'),
    },
    {
      what: 'nothing',
      verify: () => {
        throw undefined
      },
      alert: 80,
      error: new Error('undefined'),
    },
    {
      what: 'an object that has no text',
      verify: () => {
        throw Object.create(null)
      },
      alert: 80,
      error: new Error('an object'),
    },
    ...[40, 42, 43, 44, 45, 46, 48, 49, 71, 112, 116, 121, 200].map((alert) => ({
      what: `the alert ${alert}`,
      verify: () => {
        throw new VerificationRefused(alert, 'no')
      },
      alert,
      error: { code: 'ERR_TLACACOCA_VERIFICATION_REFUSED', alert },
    })),
    ...[-1, 256, 4.5, Number.NaN].map((alert) => ({
      what: `the alert ${alert}, which does not exist,`,
      verify: () => {
        throw new VerificationRefused(alert, 'no')
      },
      alert: 80,
      error: { code: 'ERR_TLACACOCA_VERIFICATION_REFUSED' },
    })),
  ])('refuses by throwing $what, and nothing else leaves', async ({ verify, alert, error }) => {
    const { ours, node, wire } = meet(side, version, verify)
    ours.write('secret')
    await wire.settle()
    expect(await ours.failure()).toMatchObject(error)
    // A client of TLS 1.2 asks a turn later, when OpenSSL has its answer ready, and no call is running then.
    expect(ours.thrown).toEqual(side === 'client' && version === 'TLSv1.2' ? [] : [await ours.failure()])
    expect(ours.closes).toEqual([true])
    expect(node.text).toBe('')
    // Node keeps some alerts to itself that OpenSSL has no words for.
    if (alert < 121 || node.alerts.length > 0) expect(node.alerts).toEqual([alert])
  })

  it.each<{ what: string; verify: VerifyCallback; alert: number }>([
    { what: 'a promise that rejects', verify: async () => Promise.reject(new Error('no')), alert: 80 },
    { what: 'one that rejects with nothing', verify: async () => Promise.reject(), alert: 80 },
    {
      what: 'one that rejects with an alert',
      verify: async () => Promise.reject(new VerificationRefused(44)),
      alert: 44,
    },
    {
      what: 'one that rejects some turns later',
      verify: async () => {
        await turn()
        await turn()
        throw new VerificationRefused(49)
      },
      alert: 49,
    },
    {
      what: 'something that is like a promise and rejects',
      verify: () => promiseLike((_resolve, reject) => void setImmediate(reject, new VerificationRefused(44))),
      alert: 44,
    },
  ])('refuses by $what', async ({ verify, alert }) => {
    const { ours, node, wire } = meet(side, version, verify)
    ours.write('secret')
    await wire.settle()
    expect(ours.connection.state).toBe('invalidated')
    expect(ours.thrown).toEqual([])
    expect(node.alerts).toEqual([alert])
    expect(node.text).toBe('')
    expect(() => ours.connection.dataFromWire(Buffer.of(1))).toThrow(
      expect.objectContaining({ code: 'ERR_TLACACOCA_INVALIDATED', cause: await ours.failure() }),
    )
  })

  it.each([0, 90, 100])('refuses by the alert %i, too, which is usually a warning', async (alert) => {
    for (const late of [false, true]) {
      const { ours, node, wire } = meet(side, version, (): void | Promise<void> => {
        const refusal = new VerificationRefused(alert)
        if (late) return Promise.reject(refusal)
        throw refusal
      })
      ours.write('secret')
      await wire.settle()
      expect(await ours.failure()).toMatchObject({ code: 'ERR_TLACACOCA_VERIFICATION_REFUSED', alert })
      expect(ours.closes).toEqual([true])
      expect(node.text).toBe('')
    }
  })

  it('holds data in both directions while it takes its time', async () => {
    let accept = (): void => {}
    const { ours, node, wire } = meet(
      side,
      version,
      () =>
        new Promise((resolve) => {
          accept = resolve
        }),
    )
    ours.write('from us')
    await wire.settle()
    expect(ours.connection.state).toBe('verifying')
    const records = ours.records.length
    ours.write(', twice')
    await wire.settle()
    expect(ours.records).toHaveLength(records)
    expect(ours.plaintext).toEqual([])
    expect(node.text).toBe('')
    accept()
    await wire.settle()
    expect(ours.text).toBe('from node')
    expect(node.text).toBe('from us, twice')
  })

  it('is waited for if it gives something like a promise', async () => {
    let accept = (): void => {}
    const verify: VerifyCallback = () =>
      promiseLike((resolve) => {
        accept = resolve
      })
    const { ours, wire } = meet(side, version, verify)
    await wire.settle()
    expect(ours.connection.state).toBe('verifying')
    accept()
    await wire.until(() => isOpen(ours))
  })

  it.each([
    [44, 'fatal'],
    [49, undefined],
    [116, 'fatal'],
  ] as const)('may send the alert %s itself, and that ends it', async (alert, level) => {
    const late: unknown[] = []
    const { ours, node, wire } = meet(side, version, (_chain, connection) => {
      connection.sendAlert(alert, level)
      try {
        connection.dataFromApplication(Buffer.from('late'))
      } catch (error) {
        late.push(error)
      }
    })
    await wire.settle()
    expect(node.alerts).toEqual([alert])
    expect(await ours.failure()).toMatchObject({ code: 'ERR_TLACACOCA_ABORTED' })
    expect(ours.closes).toEqual([true])
    expect(late).toEqual([expect.objectContaining({ code: 'ERR_TLACACOCA_INVALIDATED' })])
  })

  it('sends one alert only, if it throws after it has sent one', async () => {
    const { ours, node, wire } = meet(side, version, (_chain, connection) => {
      connection.sendAlert(44, 'fatal')
      throw new VerificationRefused(49)
    })
    await wire.settle()
    expect(node.alerts).toEqual([44])
    expect(ours.closes).toEqual([true])
  })

  it('may cancel by user_canceled, with a close_notify behind it', async () => {
    const { ours, node, wire } = meet(side, version, (_chain, connection) => connection.sendAlert(90))
    await wire.settle()
    expect(await ours.failure()).toMatchObject({ code: 'ERR_TLACACOCA_ABORTED' })
    expect(node.alerts).toEqual([])
    expect(node.text).toBe('')
    const alerts = ours.records.slice(-2).map(({ bytes }) => [...bytes])
    if (side === 'client' && version === 'TLSv1.2') {
      expect(alerts).toEqual([
        [21, 3, 3, 0, 2, 1, 90],
        [21, 3, 3, 0, 2, 1, 0],
      ])
    }
  })

  it('may write and finish, which leaves as soon as it has accepted', async () => {
    const { ours, node, wire } = meet(side, version, (_chain, connection) => {
      connection.dataFromApplication(Buffer.from('goodbye'))
      connection.applicationFinished()
    })
    await wire.settle()
    expect(node.text).toBe('goodbye')
    expect(node.log).toContain('end')
    expect(ours.connection.state === 'finishing' || ours.connection.state === 'closed').toBe(true)
  })

  it('is given up at the deadline if it never answers, and its late answer changes nothing', async () => {
    const clock = fixedClock(new Date('2030-06-01T12:00:00Z'))
    const answers: (() => void)[] = []
    const { ours, node, wire } = meet(
      side,
      version,
      () => new Promise((resolve, reject) => answers.push(resolve, () => reject(new Error('late')))),
      clock,
    )
    ours.write('secret')
    await wire.settle()
    expect(ours.connection.state).toBe('verifying')
    expect(ours.connection.nextDeadline).toBe(clock() + 30_000)
    clock.advance(29_999)
    ours.connection.tick()
    expect(ours.connection.state).toBe('verifying')
    clock.advance(1)
    ours.connection.tick()
    expect(await ours.failure()).toMatchObject({ code: 'ERR_TLACACOCA_TIMEOUT' })
    const records = ours.records.length
    for (const answer of answers) answer()
    await wire.settle()
    expect(ours.connection.state).toBe('invalidated')
    expect(ours.connection.peer).toBeNull()
    expect(ours.records).toHaveLength(records)
    expect(node.text).toBe('')
  })

  it('changes nothing if it answers after the connection was given up', async () => {
    let accept = (): void => {}
    const verify = (): Promise<void> =>
      new Promise((resolve) => {
        accept = resolve
      })
    const { ours, node, wire } = meet(side, version, verify)
    ours.write('secret')
    await wire.settle()
    expect(ours.connection.state).toBe('verifying')
    ours.connection.destroy()
    const records = ours.records.length
    accept()
    await wire.settle()
    expect(ours.connection.state).toBe('invalidated')
    expect(ours.connection.peer).toBeNull()
    expect(ours.records).toHaveLength(records)
    expect(node.text).toBe('')
  })
})

describe.each(VERSIONS)('verify on a server, by %s', (version) => {
  it('is asked with an empty list about a client that has no certificate', async () => {
    const asked: unknown[] = []
    const wire = againstNodeClient({
      server: serverTls({ ...only(version), clientCertificates: 'request' }),
      node: nodeClient(),
      serverEnd: { verify: (chain) => void asked.push(chain) },
    })
    await wire.until(() => isOpen(wire.server))
    expect(asked).toEqual([[]])
    expect(wire.server.connection.peer).toBeNull()
  })

  it('is asked, too, when clients are not asked for certificates at all', async () => {
    const asked: unknown[] = []
    const wire = againstNodeClient({
      server: serverTls(only(version)),
      node: nodeClient(nodeIdentity),
      serverEnd: { verify: (chain) => void asked.push(chain) },
    })
    await wire.until(() => isOpen(wire.server))
    expect(asked).toEqual([[]])
  })

  it('is not asked about a client that has been refused already', async () => {
    const wire = againstNodeClient({
      server: serverTls({ ...only(version), clientCertificates: { trustRoot: clientTrust } }),
      node: nodeClient(),
      serverEnd: { verify: () => {} },
    })
    await wire.settle()
    expect(wire.server.log).not.toContain('verify')
    expect(wire.client.alerts).toEqual([version === 'TLSv1.3' ? 116 : 40])
  })

  it('sends no ticket and no data before it has accepted', async () => {
    let accept = (): void => {}
    const wire = againstNodeClient({
      server: serverTls({ ...only(version), clientCertificates: 'request' }),
      node: nodeClient(nodeIdentity),
      serverEnd: {
        verify: () =>
          new Promise((resolve) => {
            accept = resolve
          }),
      },
    })
    wire.server.write('secret')
    await wire.settle()
    const before = wire.server.writes.length
    await wire.settle()
    expect(wire.server.writes).toHaveLength(before)
    expect(wire.client.text).toBe('')
    accept()
    await wire.settle()
    expect(wire.client.text).toBe('secret')
  })
})

// The end of the wire may come while the verifier thinks about it: with all that was to be said before it.
describe('a client that says everything at once and leaves, while the server still thinks about it', () => {
  it.each(['before', 'behind'] as const)('is heard, with its close_notify %s the question', async (place) => {
    let accept = (): void => {}
    const wire = wirePair({
      client: clientTls({ ...only('TLSv1.3'), ...withIdentity() }),
      server: serverTls({ clientCertificates: 'request' }),
      serverEnd: {
        verify: () =>
          new Promise((resolve) => {
            accept = resolve
          }),
      },
    })
    wire.client.write('request')
    wire.client.connection.applicationFinished()
    wire.toServer()
    wire.toClient()
    for (let turns = 0; turns < 20; turns++) {
      await turn()
      if (place === 'behind') wire.toServer()
    }
    wire.toServer()
    expect(wire.server.connection.state).toBe('verifying')
    wire.server.connection.wireFinished()
    for (let turns = 0; turns < 5; turns++) await turn()
    expect(wire.server.connection.state).toBe('verifying')
    accept()
    await turn()
    wire.server.write('answer')
    wire.server.connection.applicationFinished()
    await turn()
    await turn()
    expect(wire.server.text).toBe('request')
    expect(await wire.server.closed).toEqual({ kind: 'finished' })
    await wire.settle()
    expect(wire.client.text).toBe('answer')
  })

  it('is truncated at once if it has left without a close_notify', async () => {
    const wire = wirePair({
      client: clientTls({ ...only('TLSv1.3'), ...withIdentity() }),
      server: serverTls({ clientCertificates: 'request' }),
      serverEnd: { verify: () => new Promise(() => {}) },
    })
    wire.client.write('request')
    await wire.settle()
    wire.server.connection.wireFinished()
    expect(await wire.server.failure()).toMatchObject({ code: 'ERR_TLACACOCA_TRUNCATED' })
  })

  it('is truncated after the decision if what has been waiting was no close_notify', async () => {
    let accept = (): void => {}
    const wire = wirePair({
      client: clientTls({ ...only('TLSv1.3'), ...withIdentity() }),
      server: serverTls({ clientCertificates: 'request' }),
      serverEnd: {
        verify: () =>
          new Promise((resolve) => {
            accept = resolve
          }),
      },
    })
    await wire.settle()
    wire.client.write('request')
    await wire.settle()
    wire.server.connection.wireFinished()
    for (let turns = 0; turns < 5; turns++) await turn()
    expect(wire.server.connection.state).toBe('verifying')
    accept()
    expect(await wire.server.failure()).toMatchObject({ code: 'ERR_TLACACOCA_TRUNCATED' })
    expect(wire.server.text).toBe('request')
  })
})

it('does nothing on one side that the other side could see, if both accept', async () => {
  const wire = await openPair({
    client: clientTls(withIdentity(clientChain)),
    server: serverTls({ clientCertificates: { trustRoot: clientTrust } }),
    clientEnd: { verify: () => {} },
    serverEnd: { verify: () => {} },
  })
  expect(wire.server.connection.peer).toMatchObject({ issuance: 'issued' })
  expect(wire.client.log.filter((each) => each === 'verify')).toHaveLength(1)
  expect(wire.server.log.filter((each) => each === 'verify')).toHaveLength(1)
})

// OpenSSL reads BER, where a length may be longer than need be.
it.each(VERSIONS)(
  'a server whose certificate cannot be read is refused, and nobody is asked, by %s',
  async (version) => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const spki = publicKey.export({ format: 'der', type: 'spki' })
    const unreadable = craft({ spki, serial: Uint8Array.of(2, 0x81, 1, 1) })
    let asked = 0
    const verifier: PeerVerifier = {
      name: 'anybody',
      verify: () => {
        asked++
        return { accept: true, ground: 'anybody' }
      },
    }
    const wire = againstNodeServer({
      client: clientTls({ ...only(version), verifier }),
      node: {
        cert: formatPem('CERTIFICATE', unreadable),
        key: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
      },
    })
    wire.client.write('question')
    await wire.settle()
    expect(await wire.client.failure()).toMatchObject({
      code: 'ERR_TLACACOCA_BAD_TLS_DATA',
      message: expect.stringContaining('no certificate, or none that can be read'),
    })
    expect(asked).toBe(0)
    expect(wire.server.alerts).toEqual([42])
    expect(wire.server.text).toBe('')
  },
)
