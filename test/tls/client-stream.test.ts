// What happens in the very moment in which a handshake ends, which a network rarely shows: everything in one piece.

import { text } from 'node:stream/consumers'
import { TLSSocket } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { parseEndpoint } from '../../src/names/endpoint.ts'
import { createClientContext } from '../../src/tls/client-context.ts'
import { shakeHands } from '../../src/tls/client-handshake.ts'
import { Deadline } from '../../src/tls/deadline.ts'
import { dangerouslyAcceptAny } from '../../src/tls/verifiers/dangerously-accept-any.ts'
import { recordsOf } from '../support/byte-proxy.ts'
import { forgeCertificate } from '../support/forged-certificates.ts'
import { memoryPair } from '../support/memory-pair.ts'

const JUNK = Buffer.from([23, 3, 3, 0, 32, ...Array<number>(32).fill(7)])

/** A connection in memory whose last flight of the server's handshake comes together with what `more` makes of it. */
async function connection(maxVersion: 'TLSv1.2' | 'TLSv1.3', more: (flight: Buffer) => Buffer, end?: string) {
  const [transport, network] = memoryPair()
  const [wire, forServer] = memoryPair()
  network.on('data', (chunk) => wire.write(chunk))
  let collected = Buffer.alloc(0)
  wire.on('data', (chunk: Buffer) => {
    collected = Buffer.concat([collected, chunk])
    // TLS 1.2: ChangeCipherSpec and Finished. TLS 1.3: whatever comes with the ServerHello.
    const first = maxVersion === 'TLSv1.3' || recordsOf(collected).some((record) => record[0] === 20)
    if (!first) {
      network.write(collected)
      collected = Buffer.alloc(0)
      return
    }
    setImmediate(() => {
      if (collected.length > 0) network.write(more(collected))
      collected = Buffer.alloc(0)
    })
  })
  const { certPem: cert, keyPem: key } = forgeCertificate()
  const server = new TLSSocket(forServer, { isServer: true, cert, key, maxVersion })
  server.on('error', () => {})
  if (end !== undefined) server.on('secure', () => server.end(end))
  const deadline = new Deadline({ to: 'memory', timeoutMs: 5000, verifyTimeoutMs: 5000, signal: undefined })
  try {
    const { stream } = await shakeHands(transport, {
      endpoint: parseEndpoint('example.org:1965'),
      credentials: (await createClientContext()).credentials,
      serverName: null,
      verify: dangerouslyAcceptAny(),
      deadline,
      onIdentityInClear: () => {},
    })
    return stream
  } finally {
    deadline.close()
  }
}

describe('a client stream', () => {
  it('fails if a damaged record came with the end of the handshake, by TLS 1.2', async () => {
    const stream = await connection('TLSv1.2', (flight) => Buffer.concat([flight, JUNK]))
    await expect(text(stream)).rejects.toMatchObject({ code: 'ERR_TLACACOCA_CONNECTION_BROKEN' })
  })

  it('never begins if one came with the end of the handshake, by TLS 1.3', async () => {
    await expect(connection('TLSv1.3', (flight) => Buffer.concat([flight, JUNK]))).rejects.toMatchObject({
      code: 'ERR_TLACACOCA_HANDSHAKE_FAILED',
    })
  })

  it('ends if the server’s end came with the end of the handshake', async () => {
    const stream = await connection('TLSv1.2', (flight) => flight, '')
    expect(await text(stream)).toBe('')
  })

  it('has the answer if that came, too', async () => {
    const stream = await connection('TLSv1.2', (flight) => flight, 'too early')
    expect(await text(stream)).toBe('too early')
  })

  it('calls an end of its own back when it is destroyed in the middle of a write', async () => {
    const stream = await connection('TLSv1.2', (flight) => flight)
    const written = new Promise<Error | null | undefined>((resolve) => {
      stream.write(Buffer.alloc(1_000_000), resolve)
    })
    stream.destroy()
    expect(await written).toMatchObject({ code: 'ERR_TLACACOCA_CONNECTION_BROKEN' })
  })
})
