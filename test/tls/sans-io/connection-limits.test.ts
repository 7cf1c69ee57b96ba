// How much a peer may send, and how much is kept. What is above is refused, by an alert, and nothing of it is kept.

import { describe, expect, it } from 'vitest'
import { ServerCertificateChain } from '../../../src/tls/sans-io/server-certificates.ts'
import { type Issued, issue } from '../../support/issued-certificates.ts'
import {
  againstNodeClient,
  againstNodeServer,
  chainOf,
  isOpen,
  OurEnd,
  openPair,
  pemOfIssued,
  turn,
  wirePair,
} from '../../support/sans-io.ts'
import {
  clientTls,
  HOST,
  nodeClient,
  nodeIdentity,
  nodeServer,
  only,
  servers,
  serverTls,
  VERSIONS,
} from '../../support/sans-io-world.ts'

/** A leaf for the host with so many authorities between it and the root. */
function deep(authorities: number): readonly [Issued, ...Issued[]] {
  const above: Issued[] = []
  let issuer = servers.root
  for (let level = 0; level < authorities; level++) {
    issuer = issue({ subject: `level ${level}`, by: issuer, ca: true })
    above.unshift(issuer)
  }
  return [issue({ by: issuer, ca: false, names: [[2, HOST]] }), ...above]
}

/** A leaf of many names. */
function wide(names: number): Issued {
  const more = Array.from({ length: names }, (_, index) => [2, `host-${index}.example.org`] as const)
  return issue({ by: servers.root, ca: false, names: [[2, HOST], ...more] })
}

describe.each(VERSIONS)('limits by %s', (version) => {
  it.each([
    { maxChainLength: 10, authorities: 8, open: true },
    { maxChainLength: 9, authorities: 8, open: true },
    { maxChainLength: 8, authorities: 8, open: false },
    { maxChainLength: 1, authorities: 1, open: false },
  ])(
    'takes chains of up to $maxChainLength, here of 1 and $authorities',
    async ({ maxChainLength, authorities, open }) => {
      const wire = againstNodeServer({
        client: clientTls({ ...only(version), limits: { maxChainLength } }),
        node: pemOfIssued(...deep(authorities)),
      })
      await wire.settle()
      expect(isOpen(wire.client)).toBe(open)
      if (open) return
      expect(await wire.client.failure()).toMatchObject({ code: 'ERR_TLACACOCA_BAD_TLS_DATA' })
      expect(wire.server.alerts).toEqual([42])
    },
  )

  it('takes chains of up to so many bytes, and neither one more', async () => {
    const leaf = wide(100)
    const size = leaf.certificate.der.length
    for (const [maxCertificateBytes, open] of [
      [size, true],
      [size - 1, false],
    ] as const) {
      const wire = againstNodeServer({
        client: clientTls({ ...only(version), limits: { maxCertificateBytes } }),
        node: pemOfIssued(leaf),
      })
      await wire.settle()
      expect(isOpen(wire.client)).toBe(open)
      if (!open) expect(wire.server.alerts).toEqual([42])
    }
  })

  it('holds for clients as well', async () => {
    const wire = againstNodeClient({
      server: serverTls({ ...only(version), clientCertificates: 'request', limits: { maxChainLength: 1 } }),
      node: nodeClient(nodeIdentity),
    })
    wire.server.write('secret')
    await wire.settle()
    expect(await wire.server.failure()).toMatchObject({ code: 'ERR_TLACACOCA_BAD_TLS_DATA' })
    expect(wire.client.alerts).toEqual([42])
    expect(wire.client.text).toBe('')
  })

  it.each([1, 1000, 100_000])('stops a handshake that goes beyond its bytes, in pieces of %i', async (cutting) => {
    const chain = chainOf(wide(1000), servers.root)
    const server = serverTls({ ...only(version), certificates: new ServerCertificateChain(chain) })
    const client = (maxHandshakeBytes: number) => clientTls({ ...only(version), limits: { maxHandshakeBytes } })
    const roomy = await openPair({ client: client(100_000), server, cutting })
    const needed = roomy.server.writes.reduce((sum, { length }) => sum + length, 0)
    expect(needed).toBeGreaterThan(20_000)

    const tight = wirePair({ client: client(20_000), server, cutting })
    await tight.settle()
    expect(await tight.client.failure()).toMatchObject({ code: 'ERR_TLACACOCA_BAD_TLS_DATA' })
    expect(tight.client.thrown).toEqual([await tight.client.failure()])
    expect(await tight.server.failure()).toMatchObject({ alertCode: 47 })
  })

  it('counts nothing that comes after the proof', async () => {
    const wire = await openPair({
      client: clientTls({ ...only(version), limits: { maxHandshakeBytes: 4_000 } }),
      server: serverTls({ limits: { maxHandshakeBytes: 4_000 } }),
    })
    for (const end of [wire.client, wire.server]) end.connection.dataFromApplication(Buffer.alloc(100_000))
    await wire.settle()
    expect(Buffer.concat(wire.client.plaintext)).toHaveLength(100_000)
    expect(Buffer.concat(wire.server.plaintext)).toHaveLength(100_000)
  })

  it.each([1, 20_000])('stops a hello that has no end, in pieces of %i', async (cutting) => {
    const end = new OurEnd(serverTls({ ...only(version), limits: { maxHandshakeBytes: 40_000 } }))
    // One message of 60,000 bytes that begins like a hello, in records of 10,000.
    const message = Buffer.alloc(60_000)
    message.set([1, 0, 0xea, 0x5c])
    const records = Buffer.concat(
      Array.from({ length: 6 }, (_, index) =>
        Buffer.concat([Buffer.of(22, 3, 1, 0x27, 0x10), message.subarray(index * 10_000, (index + 1) * 10_000)]),
      ),
    )
    for (let at = 0; at < records.length && !end.isSilent; at += cutting) {
      end.receive(records.subarray(at, at + cutting))
    }
    expect(await end.failure()).toMatchObject({ code: 'ERR_TLACACOCA_BAD_TLS_DATA' })
    expect(end.closes).toEqual([true])
    expect(end.records.map(({ type }) => type)).toEqual([21])
  })

  it('takes none of what would go beyond its buffer before it is open, and all of it afterwards', async () => {
    const limits = { maxBufferedBytes: 10 }
    const wire = wirePair({ client: clientTls({ ...only(version), limits }), server: serverTls() })
    const { connection } = wire.client
    wire.client.write('12345')
    expect(() => wire.client.write('678901')).toThrow(expect.objectContaining({ code: 'ERR_TLACACOCA_BUFFER_FULL' }))
    wire.client.write('67890')
    expect(() => wire.client.write('x')).toThrow(expect.objectContaining({ code: 'ERR_TLACACOCA_BUFFER_FULL' }))
    connection.dataFromApplication(new Uint8Array(0))
    await wire.settle()
    expect(wire.server.text).toBe('1234567890')
    wire.client.write('as much as you like, now')
    await wire.settle()
    expect(wire.server.text).toBe('1234567890as much as you like, now')
  })

  it('stops a peer that goes on while the verifier thinks about it', async () => {
    if (version === 'TLSv1.2') return
    const wire = againstNodeClient({
      server: serverTls({ ...only(version), limits: { maxBufferedBytes: 50_000 } }),
      node: nodeClient(),
      serverEnd: { verify: () => new Promise(() => {}) },
    })
    await wire.settle()
    expect(wire.server.connection.state).toBe('verifying')
    expect(wire.server.connection.wantsWire).toBe(true)
    wire.client.socket?.write(Buffer.alloc(40_000))
    await wire.settle()
    expect(wire.server.connection.state).toBe('verifying')
    wire.client.socket?.write(Buffer.alloc(20_000))
    await wire.settle()
    expect(await wire.server.failure()).toMatchObject({ code: 'ERR_TLACACOCA_BAD_TLS_DATA' })
    expect(wire.client.alerts).toEqual([10])
  })

  it('says when it has enough to wait with, and when it wants more again', async () => {
    if (version === 'TLSv1.2') return
    let accept = (): void => {}
    const wire = againstNodeClient({
      server: serverTls(only(version)),
      node: nodeClient(),
      serverEnd: {
        verify: () =>
          new Promise((resolve) => {
            accept = resolve
          }),
      },
    })
    await wire.settle()
    wire.client.socket?.write(Buffer.alloc(100_000))
    await wire.settle()
    expect(wire.server.connection.wantsWire).toBe(false)
    accept()
    await wire.settle()
    expect(wire.server.connection.wantsWire).toBe(true)
    expect(Buffer.concat(wire.server.plaintext)).toHaveLength(100_000)
  })

  it('keeps no more than so much for one who says it all with the proof', async () => {
    if (version === 'TLSv1.2') return
    const limits = { maxHandshakeBytes: 5_000, maxBufferedBytes: 50_000 }
    const wire = againstNodeClient({
      server: serverTls({ ...only(version), limits }),
      node: nodeClient(),
      serverEnd: { verify: () => new Promise(() => {}) },
    })
    wire.client.socket?.write(Buffer.alloc(60_000))
    await turn()
    wire.toServer()
    wire.toClient()
    const flights: Buffer[] = []
    for (let turns = 0; turns < 20; turns++) {
      await turn()
      flights.push(wire.client.take())
    }
    wire.server.receive(Buffer.concat(flights))
    expect(await wire.server.failure()).toMatchObject({ code: 'ERR_TLACACOCA_BAD_TLS_DATA' })
  })
})

it('is not troubled by its peer’s limits', async () => {
  const wire = againstNodeServer({ client: clientTls({ limits: { maxBufferedBytes: 1 } }), node: nodeServer() })
  await wire.until(() => isOpen(wire.client))
  wire.client.connection.dataFromApplication(Buffer.alloc(10_000, 'x'))
  await wire.settle()
  expect(wire.server.text).toHaveLength(10_000)
})
