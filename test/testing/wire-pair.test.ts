import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { describe, expect, it } from 'vitest'
import { TruncatedError } from '../../src/errors.ts'
import { wirePair } from '../../src/testing/index.ts'
import { clientChain, clientTls, only, serverTls, VERSIONS, withIdentity } from '../support/sans-io-world.ts'

describe.each(VERSIONS)('a pair of ends by %s', (version) => {
  it.each([undefined, 1, 1000])('carries a protocol, in portions of %s', async (chunkBytes) => {
    const { client, server } = wirePair(
      clientTls({ ...only(version), ...withIdentity() }),
      serverTls({ clientCertificates: 'require' }),
      chunkBytes === undefined ? {} : { chunkBytes },
    )
    const serve = async (): Promise<void> => {
      const request = await new Promise<Buffer>((resolve) => server.once('data', resolve))
      server.end(`20 text/plain\r\nyou have asked for ${request}`)
    }
    const served = serve()
    client.write('gemini://www.example.org/\r\n')
    // Not by `text`, which destroys what it has read to the end, before that can say that it has heard it.
    let answer = ''
    client.on('data', (chunk) => {
      answer += chunk
    })
    await new Promise<void>((resolve) => client.once('end', () => resolve()))
    await served
    expect(answer).toBe('20 text/plain\r\nyou have asked for gemini://www.example.org/\r\n')
    expect(server.peer?.fingerprint).toBe(clientChain.leaf.fingerprint)
    expect(client.connection.info?.version).toBe(version)
    expect(await client.connection.closed).toEqual({ kind: 'finished' })
    expect(await server.connection.closed).toEqual({ kind: 'finished' })
  })

  it('carries much, with a slow reader at the other end', async () => {
    const { client, server } = wirePair(clientTls(only(version)), serverTls())
    const megabytes = Array.from({ length: 4 }, () => Buffer.alloc(2 ** 20, 'x'))
    let length = 0
    await Promise.all([
      pipeline(megabytes, client),
      (async () => {
        for await (const chunk of server) {
          length += chunk.length
          await new Promise((resolve) => setImmediate(resolve))
        }
      })(),
    ])
    expect(length).toBe(4 * 2 ** 20)
  })

  it('asks both ends to verify', async () => {
    const asked: string[] = []
    const { client, server } = wirePair(clientTls(only(version)), serverTls(), {
      client: { verify: (chain) => void asked.push(`client: ${chain.length}`) },
      server: { verify: (chain) => void asked.push(`server: ${chain.length}`) },
    })
    await Promise.all([client.established, server.established])
    expect(asked.sort()).toEqual(['client: 2', 'server: 0'])
    client.destroy()
    server.destroy()
  })

  it('is truncated at both ends when it is cut', async () => {
    const { client, server, cut } = wirePair(clientTls(only(version)), serverTls())
    await Promise.all([client.established, server.established])
    server.write('the first half')
    await new Promise<void>((resolve) => client.once('data', () => resolve()))
    cut()
    await expect(text(client)).rejects.toBeInstanceOf(TruncatedError)
    await expect(text(server)).rejects.toBeInstanceOf(TruncatedError)
  })

  it('is truncated at both ends when it is cut during the handshake', async () => {
    const { client, server, cut } = wirePair(clientTls(only(version)), serverTls())
    cut()
    await expect(client.established).rejects.toBeInstanceOf(TruncatedError)
    await expect(server.established).rejects.toBeInstanceOf(TruncatedError)
  })

  it('is over at one end when the other is destroyed', async () => {
    const { client, server } = wirePair(clientTls(only(version)), serverTls())
    await Promise.all([client.established, server.established])
    client.destroy()
    await expect(text(server)).rejects.toBeInstanceOf(TruncatedError)
  })
})

it.each([
  ['no client', [undefined, serverTls()]],
  ['no server', [clientTls(), {}]],
  ['an unknown option', [clientTls(), serverTls(), { chunkSize: 1 }]],
  ['options that are none', [clientTls(), serverTls(), null]],
  ['an unknown option of an end', [clientTls(), serverTls(), { client: { onData: () => {} } }]],
  ['portions in words', [clientTls(), serverTls(), { chunkBytes: '1' }]],
])('refuses %s', (_what, args) => {
  expect(() => Reflect.apply(wirePair, undefined, args)).toThrow(TypeError)
})

it.each([0, -1, 1.5, Number.NaN])('refuses portions of %s bytes', (chunkBytes) => {
  expect(() => wirePair(clientTls(), serverTls(), { chunkBytes })).toThrow(RangeError)
})
