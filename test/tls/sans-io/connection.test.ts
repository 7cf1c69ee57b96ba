// What goes in at one end comes out at the other: in any portions, in both directions, also while a callback is running.

import { describe, expect, it } from 'vitest'
import type { Connection } from '../../../src/tls/sans-io/connection.ts'
import { againstNodeClient, againstNodeServer, type Cutting, openPair, turn, wirePair } from '../../support/sans-io.ts'
import {
  clientTls,
  nodeClient,
  nodeIdentity,
  nodeServer,
  only,
  serverTls,
  VERSIONS,
  withIdentity,
} from '../../support/sans-io-world.ts'

const CUTTINGS: readonly { name: string; cutting: Cutting }[] = [
  { name: 'whole flights', cutting: (bytes) => [bytes] },
  { name: 'single bytes', cutting: 1 },
  { name: 'pieces of 7', cutting: 7 },
  { name: 'pieces of 1400', cutting: 1400 },
]
const CASES = VERSIONS.flatMap((version) => CUTTINGS.map(({ name, cutting }) => ({ version, name, cutting })))

describe.each(CASES)('$version in $name', ({ version, cutting }) => {
  it('carries data in both directions between two of ours', async () => {
    const wire = await openPair({
      client: clientTls({ ...only(version), ...withIdentity() }),
      server: serverTls({ clientCertificates: 'require' }),
      cutting,
    })
    wire.client.write('question')
    wire.server.write('answer')
    await wire.settle()
    expect(wire.server.text).toBe('question')
    expect(wire.client.text).toBe('answer')
    expect(wire.client.thrown).toEqual([])
    expect(wire.server.thrown).toEqual([])
  })

  it('carries data in both directions with a server of Node', async () => {
    const wire = againstNodeServer({
      client: clientTls({ ...only(version), ...withIdentity() }),
      node: nodeServer({ requestCert: true, rejectUnauthorized: false }),
      onConnection: (socket) => socket.write('answer'),
      cutting,
    })
    wire.client.write('question')
    await wire.until(() => wire.client.text !== '' && wire.server.text !== '')
    expect([wire.server.text, wire.client.text]).toEqual(['question', 'answer'])
  })

  it('carries data in both directions with a client of Node', async () => {
    const wire = againstNodeClient({
      server: serverTls({ ...only(version), clientCertificates: 'require' }),
      node: nodeClient({ ...nodeIdentity, rejectUnauthorized: true }),
      cutting,
    })
    wire.client.socket?.write('question')
    wire.server.write('answer')
    await wire.until(() => wire.client.text !== '' && wire.server.text !== '')
    expect([wire.server.text, wire.client.text]).toEqual(['question', 'answer'])
  })
})

describe.each(VERSIONS)('%s', (version) => {
  it('carries a megabyte that was written in one call, in both directions', async () => {
    const megabyte = Buffer.alloc(2 ** 20, 'tlacacoca ')
    const wire = await openPair({ client: clientTls(only(version)), server: serverTls() })
    wire.client.connection.dataFromApplication(megabyte)
    wire.server.connection.dataFromApplication(megabyte)
    await wire.settle()
    expect(Buffer.concat(wire.server.plaintext).equals(megabyte)).toBe(true)
    expect(Buffer.concat(wire.client.plaintext).equals(megabyte)).toBe(true)
  })

  it('keeps what was written before it was open, and sends it then', async () => {
    const wire = wirePair({ client: clientTls(only(version)), server: serverTls() })
    for (const word of ['one ', 'two ', 'three']) wire.client.write(word)
    wire.server.write('welcome')
    await wire.settle()
    expect(wire.server.text).toBe('one two three')
    expect(wire.client.text).toBe('welcome')
  })

  it('goes on at once when a call brings nothing', async () => {
    const wire = await openPair({ client: clientTls(only(version)), server: serverTls() })
    const empty = new Uint8Array(0)
    expect(wire.client.connection.dataFromWire(empty)).toHaveLength(0)
    wire.client.connection.dataFromApplication(empty)
    wire.server.connection.dataFromApplication(empty)
    await wire.settle()
    expect(wire.server.plaintext).toEqual([])
    wire.client.write('after')
    await wire.settle()
    expect(wire.server.text).toBe('after')
  })

  it('takes empty writes at any moment, also when it opens', async () => {
    const wire = wirePair({
      client: clientTls(only(version)),
      server: serverTls(),
      clientEnd: { verify: (_chain, connection) => connection.dataFromApplication(new Uint8Array(0)) },
      serverEnd: { verify: (_chain, connection) => connection.dataFromApplication(new Uint8Array(0)) },
    })
    for (const { connection } of [wire.client, wire.server]) {
      connection.dataFromApplication(new Uint8Array(0))
      void connection.established.then(() => connection.dataFromApplication(new Uint8Array(0)))
    }
    await wire.settle()
    wire.client.write('after')
    await wire.settle()
    expect(wire.server.text).toBe('after')
  })

  it('hears what comes in the turn in which it was started', () => {
    const wire = wirePair({ client: clientTls(only(version)), server: serverTls() })
    wire.deliver()
    // No turn of the event loop has passed. With TLS 1.3 the server's first flight is all that a client waits for.
    expect(wire.server.writes.length).toBe(1)
    expect(wire.client.connection.state).toBe(version === 'TLSv1.3' ? 'open' : 'handshaking')
  })

  it('returns plaintext from the very call that brought it, when it has no data callback', async () => {
    const wire = await openPair({
      client: clientTls(only(version)),
      server: serverTls(),
      serverEnd: { returning: true },
      clientEnd: { returning: true },
    })
    await wire.settle()
    wire.client.write('one')
    wire.client.write('two')
    await turn()
    await turn()
    const bytes = wire.client.take()
    expect(Buffer.from(wire.server.connection.dataFromWire(bytes)).toString()).toBe('onetwo')
    expect(wire.server.connection.dataFromWire(new Uint8Array(0))).toHaveLength(0)
  })

  it('returns nothing when it has a data callback, and gives nothing twice', async () => {
    const wire = await openPair({ client: clientTls(only(version)), server: serverTls() })
    wire.client.write('once')
    await turn()
    expect(wire.server.connection.dataFromWire(wire.client.take())).toHaveLength(0)
    await wire.settle()
    expect(wire.server.text).toBe('once')
  })

  it('returns by the next call what was decrypted when no call was running', async () => {
    let accept = (): void => {}
    const wire = wirePair({
      client: clientTls(only(version)),
      server: serverTls(),
      serverEnd: {
        returning: true,
        verify: () =>
          new Promise((resolve) => {
            accept = resolve
          }),
      },
    })
    wire.client.write('early')
    await wire.settle()
    expect(wire.server.plaintext).toEqual([])
    accept()
    await wire.settle()
    wire.server.receive(new Uint8Array(0))
    expect(wire.server.text).toBe('early')
  })

  it('works with a buffer that its caller uses again', async () => {
    const wire = wirePair({ client: clientTls(only(version)), server: serverTls() })
    const buffer = Buffer.alloc(64 * 1024)
    const through = (bytes: Buffer): Uint8Array[] => {
      bytes.copy(buffer)
      return [buffer.subarray(0, bytes.length)]
    }
    const word = Buffer.from('mine')
    wire.client.connection.dataFromApplication(word)
    word.fill('?')
    for (let round = 0; round < 60; round++) {
      for (const piece of through(wire.client.take())) wire.server.receive(piece)
      buffer.fill(0)
      for (const piece of through(wire.server.take())) wire.client.receive(piece)
      buffer.fill(0)
      await turn()
    }
    expect(wire.server.text).toBe('mine')
  })

  it('gives away bytes that nobody else changes', async () => {
    const wire = wirePair({
      client: clientTls(only(version)),
      server: serverTls(),
      // The ends have recorded what they were given before it is spoilt.
      clientEnd: { onWrite: (bytes) => void bytes.fill(0) },
      serverEnd: { onWrite: (bytes) => void bytes.fill(0), onData: (plaintext) => void plaintext.fill(0) },
    })
    wire.client.write('unharmed')
    await wire.settle()
    wire.client.write(' still')
    await wire.settle()
    expect(wire.server.text).toBe('unharmed still')
  })
})

describe.each(VERSIONS)('calls from inside a callback, by %s', (version) => {
  it('answers from inside data, every time, without losing the order', async () => {
    const wire = await openPair({
      client: clientTls(only(version)),
      server: serverTls(),
      serverEnd: { onData: (plaintext, connection) => connection.dataFromApplication(plaintext) },
    })
    for (let word = 0; word < 200; word++) wire.client.write(`${word} `)
    await wire.settle()
    expect(wire.client.text).toBe(wire.server.text)
    expect(wire.client.text.split(' ')).toHaveLength(201)
  })

  it('is fed from inside data, and keeps the order', async () => {
    const later: Buffer[] = []
    const wire = await openPair({
      client: clientTls(only(version)),
      server: serverTls(),
      serverEnd: {
        onData: (_plaintext, connection) => {
          const next = later.shift()
          if (next !== undefined) connection.dataFromWire(next)
        },
      },
    })
    await wire.settle()
    for (const word of ['a', 'b', 'c', 'd']) {
      wire.client.write(word)
      await turn()
      await turn()
      later.push(wire.client.take())
    }
    wire.server.receive(Buffer.concat([later.shift() as Buffer, later.shift() as Buffer]))
    expect(wire.server.text).toBe('abcd')
  })

  // With a late answer of the verifier nothing is being fed when the data come out.
  it('is fed from inside data that waited for the verifier, and keeps the order', async () => {
    let accept = (): void => {}
    const later: Buffer[] = []
    const wire = wirePair({
      client: clientTls(only(version)),
      server: serverTls(),
      serverEnd: {
        verify: () =>
          new Promise((resolve) => {
            accept = resolve
          }),
        onData: (_plaintext, connection) => {
          const next = later.shift()
          if (next !== undefined) connection.dataFromWire(next)
        },
      },
    })
    if (version === 'TLSv1.2') {
      // A client of TLS 1.2 has nothing to say before the server's Finished, which waits for the verifier.
      await wire.settle()
      accept()
      await wire.settle()
      for (const word of ['a', 'b', 'c', 'd']) wire.client.write(word)
      await wire.settle()
      expect(wire.server.text).toBe('abcd')
      return
    }
    wire.toServer()
    wire.toClient()
    const finished = wire.client.take()
    for (const word of ['a', 'b', 'c', 'd']) {
      wire.client.write(word)
      await turn()
      await turn()
      later.push(wire.client.take())
    }
    // Two come together with the proof, one while it is judged, and one from inside the callback.
    wire.server.receive(Buffer.concat([finished, later.shift() as Buffer, later.shift() as Buffer]))
    expect(wire.server.connection.state).toBe('verifying')
    wire.server.receive(later.shift() as Buffer)
    accept()
    await wire.settle()
    expect(wire.server.text).toBe('abcd')
  })

  it('may be fed by its own writeToWire, as two ends without anything between them do', async () => {
    const ends: { client: Connection | null; server: Connection | null } = { client: null, server: null }
    const heard: string[] = []
    const early: Uint8Array[] = []
    ends.server = serverTls().start({
      writeToWire: (bytes) => void ends.client?.dataFromWire(bytes),
      data: (plaintext) => {
        heard.push(`server: ${Buffer.from(plaintext)}`)
        ends.server?.dataFromApplication(Buffer.from('answer'))
      },
    })
    ends.client = clientTls(only(version)).start({
      writeToWire: (bytes) => {
        if (ends.client === null) early.push(bytes)
        else ends.server?.dataFromWire(bytes)
      },
      data: (plaintext) => heard.push(`client: ${Buffer.from(plaintext)}`),
    })
    for (const bytes of early) ends.server.dataFromWire(bytes)
    await Promise.all([ends.client.established, ends.server.established])
    ends.client.dataFromApplication(Buffer.from('question'))
    for (let round = 0; round < 50; round++) await turn()
    expect(heard).toEqual(['server: question', 'client: answer'])
    ends.client.applicationFinished()
    ends.server.applicationFinished()
    expect(await ends.client.closed).toEqual({ kind: 'finished' })
    expect(await ends.server.closed).toEqual({ kind: 'finished' })
  })

  it.each(['data', 'writeToWire', 'verify'] as const)('may be finished from inside %s', async (where) => {
    let done = false
    const finish = (connection: Connection | null): void => {
      if (done || connection === null || connection.info === null) return
      done = true
      connection.applicationFinished()
    }
    const wire = wirePair({
      client: clientTls(only(version)),
      server: serverTls(),
      serverEnd: {
        ...(where === 'data' ? { onData: (_plaintext: Uint8Array, connection: Connection) => finish(connection) } : {}),
        ...(where === 'writeToWire' ? { onWrite: (_bytes: Uint8Array, connection) => finish(connection) } : {}),
        ...(where === 'verify'
          ? { verify: (_chain: unknown, connection: Connection) => connection.applicationFinished() }
          : {}),
      },
    })
    wire.client.write('question')
    wire.server.write('answer')
    await wire.settle()
    expect(wire.client.text).toBe('answer')
    expect(wire.client.connection.state).toBe('finishing')
    wire.client.connection.applicationFinished()
    await wire.settle()
    expect(await wire.client.closed).toEqual({ kind: 'finished' })
    expect(await wire.server.closed).toEqual({ kind: 'finished' })
    expect(wire.server.text).toBe('question')
  })

  // To shut down, Node makes OpenSSL read on, and throws away what it finds.
  it('loses nothing of what came together with the data in which it was finished', async () => {
    const wire = await openPair({
      client: clientTls(only(version)),
      server: serverTls(),
      serverEnd: { onData: (_plaintext, connection) => connection.applicationFinished() },
    })
    await wire.settle()
    const flights: Buffer[] = []
    for (const word of ['a', 'b', 'c']) {
      wire.client.write(word)
      await turn()
      await turn()
      flights.push(wire.client.take())
    }
    wire.server.receive(Buffer.concat(flights))
    await wire.settle()
    expect(wire.server.text).toBe('abc')
    wire.client.write('d')
    wire.client.connection.applicationFinished()
    await wire.settle()
    expect(wire.server.text).toBe('abcd')
    expect(await wire.server.closed).toEqual({ kind: 'finished' })
    expect(await wire.client.closed).toEqual({ kind: 'finished' })
  })

  it.each(['data', 'writeToWire'] as const)('may send a fatal alert from inside %s', async (where) => {
    let done = false
    const alert = (connection: Connection | null): void => {
      if (done || connection === null || connection.info === null) return
      done = true
      connection.sendAlert(49, 'fatal')
    }
    const wire = await openPair({
      client: clientTls(only(version)),
      server: serverTls(),
      serverEnd:
        where === 'data'
          ? { onData: (_plaintext, connection) => alert(connection) }
          : { onWrite: (_bytes, connection) => alert(connection) },
    })
    wire.client.write('question')
    if (where === 'writeToWire') wire.server.write('answer')
    await wire.settle()
    expect(await wire.client.failure()).toMatchObject({ code: 'ERR_TLACACOCA_TLS_ALERT', alertCode: 49 })
    expect(await wire.server.failure()).toMatchObject({ code: 'ERR_TLACACOCA_ABORTED' })
    if (where === 'writeToWire') expect(wire.client.text).toBe('answer')
  })

  it.each(['data', 'writeToWire', 'verify'] as const)('may be destroyed from inside %s', async (where) => {
    const reason = new Error('enough')
    const destroy = (connection: Connection | null): void => {
      if (connection !== null && (where !== 'writeToWire' || connection.info !== null)) connection.destroy(reason)
    }
    const wire = wirePair({
      client: clientTls(only(version)),
      server: serverTls(),
      serverEnd: {
        ...(where === 'data'
          ? { onData: (_plaintext: Uint8Array, connection: Connection) => destroy(connection) }
          : {}),
        ...(where === 'writeToWire' ? { onWrite: (_bytes: Uint8Array, connection) => destroy(connection) } : {}),
        ...(where === 'verify' ? { verify: (_chain: unknown, connection: Connection) => destroy(connection) } : {}),
      },
    })
    wire.client.write('question')
    wire.server.write('answer')
    await wire.settle()
    expect(await wire.server.failure()).toBe(reason)
    expect(wire.server.closes).toEqual([true])
    expect((await wire.client.failure()).message).toMatch(/ended/)
  })

  it('may be destroyed when what has waited leaves as it opens, and then never says that it is open', async () => {
    const reason = new Error('enough')
    const wire = wirePair({
      client: clientTls(only(version)),
      server: serverTls(),
      clientEnd: { onWrite: (_bytes, connection) => void (connection?.info && connection.destroy(reason)) },
    })
    wire.client.write('question')
    await wire.settle()
    expect(await wire.client.failure()).toBe(reason)
    expect(wire.client.closes).toEqual([true])
    expect(wire.server.text).not.toContain('answer')
  })

  it('may be destroyed while the alert of a refusal leaves, and ends with the reason that came first', async () => {
    const reason = new Error('enough')
    const wire = wirePair({
      client: clientTls(only(version)),
      server: serverTls(),
      clientEnd: {
        verify: () => {
          throw new Error('refused')
        },
        onWrite: (_bytes, connection) => void (connection?.state === 'verifying' && connection.destroy(reason)),
      },
    })
    await wire.settle()
    expect(await wire.client.failure()).toBe(reason)
    expect(wire.client.closes).toEqual([true])
    await expect(wire.client.connection.established).rejects.toBe(reason)
  })

  it('keeps the order of what is written from inside writeToWire, several at a time', async () => {
    let rounds = 3
    const wire = await openPair({
      client: clientTls(only(version)),
      server: serverTls(),
      clientEnd: {
        onWrite: (_bytes, connection) => {
          if (connection === null || rounds === 3) return
          rounds++
          for (const letter of 'abc') connection.dataFromApplication(Buffer.from(`${rounds}${letter} `))
        },
      },
    })
    rounds = 0
    wire.client.write('first ')
    await wire.settle()
    expect(rounds).toBe(3)
    expect(wire.server.text).toBe('first 1a 1b 1c 2a 2b 2c 3a 3b 3c ')
  })

  it('is over at once if too much comes while its own alert still waits', async () => {
    const limits = { maxBufferedBytes: 1000 }
    const wire = await openPair({
      client: clientTls({ ...only(version), limits }),
      server: serverTls(),
      clientEnd: {
        onData: (_plaintext, connection) => {
          if (connection.state !== 'open') return
          connection.dataFromApplication(Buffer.from('before'))
          connection.sendAlert(49, 'fatal')
          connection.receive(Buffer.alloc(1001))
        },
      },
    })
    const before = wire.client.closes.length
    wire.server.write('question')
    await wire.settle()
    expect(wire.client.closes.length - before).toBe(1)
    expect(await wire.client.failure()).toMatchObject({
      code: 'ERR_TLACACOCA_BAD_TLS_DATA',
      message: expect.stringContaining('more than 1000 bytes'),
    })
  })

  // OpenSSL writes 4 KiB at a time during a handshake.
  it('says a hello that is larger than a write of OpenSSL, and nothing more before the verdict', async () => {
    const alpn = Array.from({ length: 60 }, (_, n) => `${n}`.padStart(100, 'x'))
    const wire = wirePair({
      client: clientTls({ ...only(version), alpn }),
      server: serverTls({ alpn: alpn.slice(-1) }),
      clientEnd: { verify: () => new Promise<void>(() => {}) },
    })
    await wire.settle()
    expect(wire.client.connection.state).toBe('verifying')
    const { records } = wire.client
    expect(records.map(({ type }) => type)).toEqual([22])
    expect(records[0]?.bytes.length).toBeGreaterThan(6000)
  })

  it.each(['data', 'writeToWire', 'wireClose'] as const)('ends with the error that %s throws', async (where) => {
    const error = new Error('a bug')
    const fail = (is: string): void => {
      if (is === where) throw error
    }
    const waiting: Uint8Array[] = []
    const server = serverTls().start({
      writeToWire: (bytes) => {
        waiting.push(bytes)
        fail('writeToWire')
      },
      data: () => fail('data'),
      wireClose: () => fail('wireClose'),
    })
    const wire = wirePair({ client: clientTls(only(version)), server: serverTls() })
    wire.client.write('question')
    const thrown: unknown[] = []
    for (let round = 0; round < 50 && server.state !== 'invalidated'; round++) {
      try {
        server.dataFromWire(wire.client.take())
      } catch (cause) {
        thrown.push(cause)
      }
      for (const bytes of waiting.splice(0)) wire.client.receive(bytes)
      if (where === 'wireClose' && server.state === 'open') server.destroy(error)
      await turn()
    }
    expect(await server.closed).toEqual({ kind: 'failed', error })
    if (where === 'data') expect(thrown).toEqual([error])
  })
})

// A client of TLS 1.2 cannot say anything behind its Finished before it has the server's.
it('takes the end of the handshake and a megabyte behind it in one call', async () => {
  const megabyte = Buffer.alloc(2 ** 20, 'x')
  const wire = againstNodeClient({ server: serverTls(only('TLSv1.3')), node: nodeClient() })
  wire.client.socket?.write(megabyte)
  await turn()
  wire.toServer()
  wire.toClient()
  let waiting = Buffer.alloc(0)
  while (waiting.length < megabyte.length) {
    await turn()
    waiting = Buffer.concat([waiting, wire.client.take()])
  }
  wire.server.receive(waiting)
  expect(wire.server.thrown).toEqual([])
  expect(Buffer.concat(wire.server.plaintext).equals(megabyte)).toBe(true)
})
