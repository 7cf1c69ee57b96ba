// The life of a connection: how it comes from one state to the next, and the two ways in which it ends.

import { describe, expect, it, onTestFinished } from 'vitest'
import type { KeyedChain } from '../../../src/certificate/keyed-chain.ts'
import type { TLSVersion } from '../../../src/certificate/peer.ts'
import { TlacacocaError, TruncatedError } from '../../../src/errors.ts'
import { ClientCertificateStore } from '../../../src/tls/sans-io/client-certificate-store.ts'
import type { Connection } from '../../../src/tls/sans-io/connection.ts'
import type { ConnectionState } from '../../../src/tls/sans-io/connection-sink.ts'
import { ServerCertificates } from '../../../src/tls/sans-io/server-certificates.ts'
import {
  againstNodeClient,
  againstNodeServer,
  isOpen,
  OurEnd,
  openPair,
  turn,
  type Wire,
  wirePair,
} from '../../support/sans-io.ts'
import {
  clientChain,
  clientTls,
  nodeClient,
  nodeServer,
  only,
  serverChain,
  serverTls,
  VERSIONS,
} from '../../support/sans-io-world.ts'

type Side = 'client' | 'server'

/** Answers when it is told to, or never. */
class SlowServerCertificates extends ServerCertificates {
  answer: () => void = () => {}

  override getCertificateChainForServerName(_name: string | null, answer: (chain: KeyedChain) => void): void {
    this.answer = () => answer(serverChain)
  }
}

class SlowStore extends ClientCertificateStore {
  answer: () => void = () => {}

  override getCertificateChainForRoots(_roots: unknown, answer: (chain: KeyedChain) => void): void {
    this.answer = () => answer(clientChain)
  }

  override getDefaultCertificateChain(answer: (chain: KeyedChain) => void): void {
    this.answer = () => answer(clientChain)
  }
}

/** A wire on which one side has come to a state and stays there until more is delivered. */
async function bringTo(state: ConnectionState, side: Side, version: TLSVersion): Promise<Wire> {
  const never = { verify: () => new Promise<void>(() => {}) }
  const wire = wirePair({
    client: clientTls({
      ...only(version),
      identityOverTls12: 'allow',
      ...(state === 'hello' && side === 'client' ? { clientCertificateStore: new SlowStore() } : {}),
    }),
    server: serverTls(state === 'hello' && side === 'server' ? { certificates: new SlowServerCertificates() } : {}),
    ...(state === 'verifying' && side === 'client' ? { clientEnd: never } : {}),
    ...(state === 'verifying' && side === 'server' ? { serverEnd: never } : {}),
  })
  const end = wire[side]
  const other = side === 'client' ? wire.server : wire.client
  switch (state) {
    case 'hello':
    case 'verifying':
      await wire.settle()
      break
    case 'handshaking':
      wire.toServer()
      break
    case 'open':
    case 'finishing':
    case 'closed':
      await wire.settle()
      if (state !== 'open') end.connection.applicationFinished()
      if (state === 'closed') other.connection.applicationFinished()
      await wire.settle()
      break
    case 'invalidated':
      await wire.settle()
      end.connection.destroy()
  }
  expect(end.connection.state).toBe(state)
  return wire
}

const STATES = ['hello', 'handshaking', 'verifying', 'open', 'finishing', 'closed', 'invalidated'] as const
const EVERYWHERE = VERSIONS.flatMap((version) =>
  (['client', 'server'] as const).flatMap((side) => STATES.map((state) => ({ version, side, state }))),
)

/** Fails the test for every promise that rejects with nobody there to hear it. */
function watchRejections(): unknown[] {
  const unhandled: unknown[] = []
  const note = (reason: unknown): void => void unhandled.push(reason)
  process.on('unhandledRejection', note)
  onTestFinished(() => void process.off('unhandledRejection', note))
  return unhandled
}

describe.each(EVERYWHERE)('a $side that is $state, by $version', ({ version, side, state }) => {
  const isOver = state === 'closed' || state === 'invalidated'

  it('says so, and knows as much as it can know', async () => {
    const { connection } = (await bringTo(state, side, version))[side]
    const wasOpen = state === 'open' || state === 'finishing' || isOver
    expect(connection.info === null).toBe(!wasOpen)
    expect(connection.nextDeadline === null).toBe(wasOpen)
    expect(connection.peer !== null).toBe(wasOpen && side === 'client')
  })

  it('is over when it is destroyed, at once and once', async () => {
    const unhandled = watchRejections()
    const wire = await bringTo(state, side, version)
    const end = wire[side]
    const writes = end.writes.length
    const error = new Error('enough')
    end.connection.destroy(error)
    end.connection.destroy(new Error('more than enough'))
    expect(end.connection.state).toBe(state === 'closed' ? 'closed' : 'invalidated')
    expect(end.closes).toEqual([state !== 'closed'])
    await turn()
    await turn()
    expect(end.writes).toHaveLength(writes)
    expect(end.connection.nextDeadline).toBeNull()
    const reason = await end.connection.closed
    if (!isOver) expect(reason).toEqual({ kind: 'failed', error })
    await turn()
    expect(unhandled).toEqual([])
  })

  it('is over when it is disposed of', async () => {
    const wire = await bringTo(state, side, version)
    const end = wire[side]
    {
      await using _ = end.connection
    }
    expect(end.connection.state).toBe(state === 'closed' ? 'closed' : 'invalidated')
    expect(await end.connection.closed).toMatchObject(
      state === 'closed' ? { kind: 'finished' } : { kind: 'failed', error: { code: 'ERR_TLACACOCA_ABORTED' } },
    )
  })

  it('is truncated when the wire ends, unless it is over', async () => {
    const unhandled = watchRejections()
    const wire = await bringTo(state, side, version)
    const end = wire[side]
    const cause = new Error('the cable was cut')
    end.connection.wireFinished(cause)
    end.connection.wireFinished()
    const reason = await end.connection.closed
    if (state === 'closed') {
      expect(reason).toEqual({ kind: 'finished' })
    } else if (state === 'invalidated') {
      expect(reason).toMatchObject({ error: { code: 'ERR_TLACACOCA_ABORTED' } })
    } else {
      expect(reason).toMatchObject({ kind: 'failed', error: { cause } })
      expect(reason.kind === 'failed' && reason.error).toBeInstanceOf(TruncatedError)
    }
    expect(end.closes).toEqual([state !== 'closed'])
    await turn()
    expect(unhandled).toEqual([])
  })

  it('throws nothing but errors with a code, whatever is asked of it', async () => {
    const calls: readonly ((connection: Connection) => unknown)[] = [
      (connection) => connection.dataFromApplication(Buffer.from('data')),
      (connection) => connection.sendAlert(100),
      (connection) => connection.sendAlert(42),
      (connection) => connection.sendAlert(90, 'warning'),
      (connection) => connection.sendAlert(0),
      (connection) => connection.sendAlert(48),
      (connection) => connection.applicationFinished(),
      (connection) => connection.dataFromWire(new Uint8Array(0)),
      (connection) => connection.dataFromWire(Buffer.from('garbage in place of records')),
      (connection) => connection.dataFromWire(Buffer.of(21, 3, 3, 0, 2, 2, 40)),
      (connection) => connection.exportKeyingMaterial(32, 'EXPORTER-test'),
      (connection) => connection.tick(),
      (connection) => connection.wireFinished(),
      (connection) => connection.destroy(),
    ]
    for (const call of calls) {
      const { connection } = (await bringTo(state, side, version))[side]
      for (const each of [call, ...calls]) {
        try {
          each(connection)
        } catch (error) {
          expect(error).toBeInstanceOf(TlacacocaError)
        }
      }
      await turn()
    }
  })

  it('throws InvalidatedError with the reason once it is invalidated', async () => {
    const { connection } = (await bringTo(state, side, version))[side]
    if (state === 'closed') return
    const cause = new Error('enough')
    connection.destroy(cause)
    const reason = await connection.closed
    for (const call of [
      () => connection.dataFromWire(Buffer.of(1)),
      () => connection.dataFromWire(new Uint8Array(0)),
      () => connection.dataFromApplication(Buffer.of(1)),
      () => connection.sendAlert(48),
      () => connection.applicationFinished(),
    ]) {
      expect(call).toThrow(
        expect.objectContaining({
          code: 'ERR_TLACACOCA_INVALIDATED',
          cause: reason.kind === 'failed' ? reason.error : undefined,
        }),
      )
    }
    expect(() => connection.exportKeyingMaterial(32, 'EXPORTER-test')).toThrow(
      expect.objectContaining({ code: 'ERR_TLACACOCA_INVALIDATED' }),
    )
    if (state !== 'invalidated') expect(reason).toEqual({ kind: 'failed', error: cause })
  })

  it.each<[string, (connection: Connection) => unknown]>([
    ['a text from the wire', (connection) => connection.dataFromWire('text' as never)],
    ['nothing from the wire', (connection) => connection.dataFromWire(undefined as never)],
    ['a list from the wire', (connection) => connection.dataFromWire([1, 2] as never)],
    ['a text from the application', (connection) => connection.dataFromApplication('text' as never)],
    [
      'an ArrayBuffer from the application',
      (connection) => connection.dataFromApplication(new ArrayBuffer(2) as never),
    ],
    ['a length that is none', (connection) => connection.exportKeyingMaterial('32' as never, 'EXPORTER-test')],
    ['a label that is none', (connection) => connection.exportKeyingMaterial(32, undefined as never)],
    ['a context that is none', (connection) => connection.exportKeyingMaterial(32, 'EXPORTER-test', 'x' as never)],
  ])('refuses %s as misuse, and nothing has happened', async (_what, call) => {
    const { connection } = (await bringTo(state, side, version))[side]
    expect(() => call(connection)).toThrow(TypeError)
    expect(connection.state).toBe(state)
  })
})

describe.each(VERSIONS)('opening, by %s', (version) => {
  it('goes through its states in order, and never back', async () => {
    const seen: Record<Side, ConnectionState[]> = { client: [], server: [] }
    let note = (): void => {}
    const verify = async (): Promise<void> => {
      note()
      await turn()
    }
    const wire = wirePair({
      client: clientTls(only(version)),
      server: serverTls(),
      clientEnd: { verify },
      serverEnd: { verify },
      cutting: 1,
    })
    note = (): void => {
      for (const side of ['client', 'server'] as const) {
        const { state } = wire[side].connection
        if (seen[side].at(-1) !== state) seen[side].push(state)
      }
    }
    note()
    await wire.until(() => {
      note()
      return isOpen(wire.client) && isOpen(wire.server)
    })
    note()
    wire.client.connection.applicationFinished()
    await wire.settle()
    note()
    wire.server.connection.applicationFinished()
    await wire.settle()
    note()
    // With TLS 1.2 a client has accepted the server before it hears the last word of the handshake. A server too, but
    // with nothing left to wait for.
    const client = version === 'TLSv1.2' ? ['handshaking', 'verifying', 'handshaking'] : ['handshaking', 'verifying']
    expect(seen.client).toEqual([...client, 'open', 'finishing', 'closed'])
    expect(seen.server).toEqual(['hello', 'handshaking', 'verifying', 'open', 'finishing', 'closed'])
  })

  it('fulfils established with the facts, at both ends', async () => {
    const wire = wirePair({ client: clientTls(only(version)), server: serverTls() })
    const both = Promise.all([wire.client.connection.established, wire.server.connection.established])
    await wire.settle()
    expect(await both).toEqual([wire.client.connection.info, wire.server.connection.info])
  })

  it('rejects established with the error that prevents it, and closed never', async () => {
    const unhandled = watchRejections()
    const wire = wirePair({
      client: clientTls({ ...only(version), serverHostname: 'example.net' }),
      server: serverTls(),
    })
    await wire.settle()
    const error = await wire.client.failure()
    await expect(wire.client.connection.established).rejects.toBe(error)
    expect(await wire.server.failure()).toMatchObject({ code: 'ERR_TLACACOCA_TLS_ALERT', alertCode: 46 })
    await turn()
    expect(unhandled).toEqual([])
  })

  // Whatever is said before the client's last word has been read must not get lost with the tickets that nobody sends.
  it.each(['in verify', 'before', 'in established', 'in data'] as const)(
    'sends what was written and its close_notify, said %s',
    async (when) => {
      const say = (connection: Connection): void => {
        connection.dataFromApplication(Buffer.from('all there is'))
        connection.applicationFinished()
      }
      const wire = againstNodeClient({
        server: serverTls(only(version)),
        node: nodeClient(),
        serverEnd: {
          ...(when === 'in verify' ? { verify: (_chain: unknown, connection: Connection) => say(connection) } : {}),
          ...(when === 'in data' ? { onData: (_data: Uint8Array, connection: Connection) => say(connection) } : {}),
        },
      })
      if (when === 'before') say(wire.server.connection)
      if (when === 'in established') void wire.server.connection.established.then(() => say(wire.server.connection))
      if (when === 'in data') wire.client.socket?.write('question')
      await wire.settle()
      expect(wire.client.text).toBe('all there is')
      expect(wire.client.log).toContain('end')
      expect(await wire.server.connection.closed).toEqual({ kind: 'finished' })
      expect(wire.server.log.at(-1)).toBe('close(false)')
    },
  )

  it('sends the close_notify of a client that has nothing else to say', async () => {
    const wire = againstNodeServer({ client: clientTls(only(version)), node: nodeServer() })
    wire.client.connection.applicationFinished()
    await wire.settle()
    expect(wire.server.log).toContain('end')
    expect(await wire.client.connection.closed).toEqual({ kind: 'finished' })
  })
})

describe.each(VERSIONS)('ending, by %s', (version) => {
  it.each(['client', 'server'] as const)('leaves the other direction open when the %s has finished', async (side) => {
    const wire = await openPair({ client: clientTls(only(version)), server: serverTls() })
    const [first, second] = side === 'client' ? [wire.client, wire.server] : [wire.server, wire.client]
    first.write('last words')
    first.connection.applicationFinished()
    await wire.settle()
    expect(second.text).toBe('last words')
    expect([first.connection.state, second.connection.state]).toEqual(['finishing', 'finishing'])
    for (let word = 0; word < 20; word++) {
      second.write(`${word} `)
      await wire.settle()
    }
    expect(first.text.split(' ')).toHaveLength(21)
    expect(first.closes).toEqual([])
    second.connection.applicationFinished()
    await wire.settle()
    for (const end of [first, second]) {
      expect(await end.connection.closed).toEqual({ kind: 'finished' })
      expect(end.closes).toEqual([false])
      expect(end.log.at(-1)).toBe('close(false)')
    }
  })

  it('is finished at both ends when both finish in the same moment', async () => {
    const wire = await openPair({ client: clientTls(only(version)), server: serverTls() })
    wire.client.connection.applicationFinished()
    wire.server.connection.applicationFinished()
    await wire.settle()
    expect(await wire.client.connection.closed).toEqual({ kind: 'finished' })
    expect(await wire.server.connection.closed).toEqual({ kind: 'finished' })
  })

  it('throws InvalidatedError at data after the end, and takes the end twice', async () => {
    const wire = await openPair({ client: clientTls(only(version)), server: serverTls() })
    const { connection } = wire.client
    connection.applicationFinished()
    connection.applicationFinished()
    expect(() => connection.dataFromApplication(Buffer.of(1))).toThrow(
      expect.objectContaining({ code: 'ERR_TLACACOCA_INVALIDATED' }),
    )
    await wire.settle()
    expect(() => connection.dataFromApplication(Buffer.of(1))).toThrow(
      expect.objectContaining({ code: 'ERR_TLACACOCA_INVALIDATED' }),
    )
    expect(wire.server.connection.state).toBe('finishing')
  })

  it('throws InvalidatedError at data after an end that was said before it was open', () => {
    const { connection } = new OurEnd(clientTls(only(version)))
    connection.applicationFinished()
    expect(() => connection.dataFromApplication(Buffer.of(1))).toThrow(
      expect.objectContaining({ code: 'ERR_TLACACOCA_INVALIDATED' }),
    )
  })

  it('means the same by sendAlert(0)', async () => {
    const wire = await openPair({ client: clientTls(only(version)), server: serverTls() })
    wire.client.write('last words')
    wire.client.connection.sendAlert(0)
    await wire.settle()
    expect(wire.server.text).toBe('last words')
    expect([wire.client.connection.state, wire.server.connection.state]).toEqual(['finishing', 'finishing'])
  })

  it('ignores what comes after the peer’s end', async () => {
    const wire = await openPair({ client: clientTls(only(version)), server: serverTls() })
    wire.client.connection.applicationFinished()
    await wire.settle()
    const { connection } = wire.server
    expect(connection.dataFromWire(Buffer.from('whatever this is'))).toHaveLength(0)
    wire.server.write('still here')
    connection.applicationFinished()
    await wire.settle()
    expect(wire.client.text).toBe('still here')
    expect(await connection.closed).toEqual({ kind: 'finished' })
    expect(connection.dataFromWire(Buffer.from('whatever that is'))).toHaveLength(0)
  })

  it('is no truncation when the close_notify and the end of the wire come in one turn', async () => {
    const wire = await openPair({ client: clientTls(only(version)), server: serverTls() })
    wire.client.write('last words')
    wire.client.connection.applicationFinished()
    await turn()
    await turn()
    await turn()
    wire.server.connection.dataFromWire(wire.client.take())
    wire.server.connection.wireFinished()
    await turn()
    expect(wire.server.text).toBe('last words')
    expect(wire.server.connection.state).toBe('finishing')
    wire.server.connection.applicationFinished()
    expect(await wire.server.connection.closed).toEqual({ kind: 'finished' })
  })

  it('is no truncation, either, when the end of the wire comes byte by byte and from inside data', async () => {
    const wire = await openPair({
      client: clientTls(only(version)),
      server: serverTls(),
      serverEnd: { onData: (_plaintext, connection) => connection.wireFinished() },
      cutting: 1,
    })
    wire.client.write('last words')
    wire.client.connection.applicationFinished()
    await turn()
    await turn()
    await turn()
    for (const octet of wire.client.take()) wire.server.receive(Buffer.of(octet))
    await turn()
    expect(wire.server.connection.state).toBe('finishing')
  })

  it('gives all that has come before it says that the rest is missing', async () => {
    const wire = await openPair({ client: clientTls(only(version)), server: serverTls() })
    wire.client.write('one')
    await wire.settle()
    wire.client.write('two')
    await turn()
    const bytes = wire.client.take()
    wire.server.receive(bytes.subarray(0, bytes.length - 1))
    wire.server.connection.wireFinished()
    expect(await wire.server.failure()).toBeInstanceOf(TruncatedError)
    expect(wire.server.text).toBe('one')
    expect(wire.server.closes).toEqual([true])
  })

  it('tells truncation and the end of Node’s socket apart', async () => {
    for (const proper of [true, false]) {
      const wire = againstNodeServer({
        client: clientTls(only(version)),
        node: nodeServer(),
        onConnection: (socket) => {
          socket.write('answer', () => (proper ? socket.end() : socket.destroy()))
        },
      })
      await wire.until(() => wire.client.text !== '')
      await wire.settle()
      expect(wire.client.text).toBe('answer')
      if (proper) expect(wire.client.connection.state).toBe('finishing')
      else expect(await wire.client.failure()).toBeInstanceOf(TruncatedError)
    }
  })

  it('reports the peer’s alert, and is over', async () => {
    const wire = await openPair({ client: clientTls(only(version)), server: serverTls() })
    wire.client.write('last words')
    wire.client.connection.sendAlert(49)
    await wire.settle()
    expect(wire.server.text).toBe('last words')
    const error = await wire.server.failure()
    expect(error).toMatchObject({
      code: 'ERR_TLACACOCA_TLS_ALERT',
      alertCode: 49,
      alertLevel: 'fatal',
      alertName: 'access_denied',
    })
    expect(wire.server.thrown).toEqual([error])
    expect(wire.server.closes).toEqual([true])
    expect(wire.client.closes).toEqual([true])
    expect(wire.client.log.at(-1)).toBe('close(true)')
  })

  it('says nothing more once it has sent a fatal alert, which leaves behind what was written', async () => {
    const wire = await openPair({ client: clientTls(only(version)), server: serverTls() })
    const { connection } = wire.client
    const everything = Buffer.alloc(200_000, 'last words ')
    connection.dataFromApplication(everything)
    connection.sendAlert(49)
    for (const call of [() => connection.sendAlert(40), () => connection.dataFromApplication(Buffer.of(1))]) {
      expect(call).toThrow(expect.objectContaining({ code: 'ERR_TLACACOCA_INVALIDATED' }))
    }
    connection.applicationFinished()
    await wire.settle()
    expect(Buffer.concat(wire.server.plaintext).equals(everything)).toBe(true)
    expect(await wire.server.failure()).toMatchObject({ alertCode: 49 })
    expect(await wire.client.failure()).toMatchObject({ code: 'ERR_TLACACOCA_ABORTED' })
  })

  it('tells the peer of data that it could not read, and throws for them', async () => {
    const wire = await openPair({ client: clientTls(only(version)), server: serverTls() })
    wire.client.write('to be spoilt')
    await turn()
    const bytes = wire.client.take()
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
    expect(() => wire.server.connection.dataFromWire(bytes)).toThrow(
      expect.objectContaining({ code: 'ERR_TLACACOCA_BAD_TLS_DATA' }),
    )
    expect(wire.server.text).toBe('')
    await wire.settle()
    expect(await wire.client.failure()).toMatchObject({ alertCode: 20 })
    expect(() => wire.server.connection.dataFromWire(bytes)).toThrow(
      expect.objectContaining({ code: 'ERR_TLACACOCA_INVALIDATED', cause: await wire.server.failure() }),
    )
  })
})

describe('a client that waits for its store', () => {
  it('keeps what comes from the wire and from the application, and goes on when there is an answer', async () => {
    const store = new SlowStore()
    const wire = wirePair({ client: clientTls({ clientCertificateStore: store }), server: serverTls() })
    wire.client.write('question')
    await wire.settle()
    expect(wire.client.connection.state).toBe('hello')
    expect(wire.client.writes).toEqual([])
    store.answer()
    await wire.settle()
    expect(wire.server.text).toBe('question')
  })

  it('says to a server that speaks first that it does not understand, after its hello', async () => {
    const store = new SlowStore()
    const { client } = wirePair({ client: clientTls({ clientCertificateStore: store }), server: serverTls() })
    client.receive(Buffer.from('220 mail.example ESMTP\r\n'))
    expect(client.connection.state).toBe('hello')
    store.answer()
    await turn()
    expect(await client.failure()).toMatchObject({ code: 'ERR_TLACACOCA_BAD_TLS_DATA' })
  })
})
