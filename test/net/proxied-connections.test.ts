import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { AccessControl } from '../../src/middleware/access-control.ts'
import { ConnectionLimiter } from '../../src/middleware/connection-limiter.ts'
import type { ConnectionHandler, ConnectionLimits, RefusedConnection } from '../../src/net/connection-limits.ts'
import type { Listener } from '../../src/net/listener.ts'
import { createPlaintextServer } from '../../src/net/plaintext-server.ts'
import { readRequest } from '../../src/net/read-request.ts'
import { binaryHeader, binaryParts, localHeader, textHeader, withChecksum } from '../support/proxy-headers.ts'

// All clients here come from 127.0.0.1, so whoever trusts that address trusts them, and whoever trusts ::1 does not.

const servers: Listener[] = []
const clients: Socket[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const client of clients.splice(0)) client.destroy()
  await Promise.all(servers.splice(0).map((server) => server.close({ graceMs: 0 })))
})

async function start(handler: ConnectionHandler, options: ConnectionLimits): Promise<Listener> {
  const server = createPlaintextServer(handler, options)
  servers.push(server)
  await server.listen(0, '127.0.0.1')
  return server
}

const TRUSTED = { proxyProtocol: { trusted: ['127.0.0.1'] } }

async function dial(server: Listener): Promise<Socket> {
  const client = connect({ port: server.address()?.port ?? 0, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  client.on('error', () => {})
  clients.push(client)
  await once(client, 'connect')
  return client
}

/** Waits until the server has closed its side. */
async function cutOff(client: Socket): Promise<void> {
  await new Promise((resolve) => client.resume().once('end', resolve).once('close', resolve))
}

/** Sends some pieces, each when the one before has had its turn, and reads all that comes. */
async function exchange(server: Listener, pieces: Iterable<string | Uint8Array>, end = false): Promise<string> {
  const client = await dial(server)
  let text = ''
  client.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  const closed = new Promise((resolve) => client.once('end', resolve).once('close', resolve))
  for (const piece of pieces) {
    if (!client.writable) break
    await new Promise<void>((resolve) => client.write(piece, () => setImmediate(resolve)))
  }
  if (end) client.end()
  await closed
  return text
}

/** Says who the client is, and what it asked. */
const describeClient: ConnectionHandler = async ({ stream, address, proxy }) => {
  const reading = await readRequest(stream)
  stream.end(`${address} by ${proxy}: ${reading.kind === 'request' ? reading.line : reading.kind}`)
}

const bytesOf = (bytes: Buffer): Buffer[] => Array.from(bytes, (octet) => Buffer.of(octet))
const request = Buffer.from('example.org / 0\r\n')

const HEADERS: [string, Buffer, string][] = [
  ['version 1', textHeader(), '192.0.2.7'],
  ['version 1, IPv6', textHeader({ source: '2001:db8::7', destination: '2001:db8::1' }), '2001:db8::7'],
  ['version 1, UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n'), '127.0.0.1'],
  ['version 2', binaryHeader(), '192.0.2.7'],
  ['version 2, mapped', binaryHeader({ source: '::ffff:c000:207', destination: '::1' }), '192.0.2.7'],
  ['version 2 with a checksum', withChecksum(binaryHeader({}, [{ type: 4, value: Buffer.alloc(200) }])), '192.0.2.7'],
  ['version 2, LOCAL', localHeader(), '127.0.0.1'],
]

describe.each(HEADERS)('a connection with a header of %s', (_, header, address) => {
  const expected = `${address} by 127.0.0.1: example.org / 0`

  it.each([
    ['whole', [Buffer.concat([header, request])]],
    ['apart from the request', [header, request]],
    ['split', [header.subarray(0, 14), header.subarray(14), request]],
    ['with half a request', [Buffer.concat([header, request.subarray(0, 3)]), request.subarray(3)]],
    ['byte by byte', bytesOf(Buffer.concat([header, request]))],
  ])('is the client’s, if it comes %s', async (_, pieces) => {
    const server = await start(describeClient, TRUSTED)
    expect(await exchange(server, pieces)).toBe(expected)
  })

  it('is the client’s also if it ends its side at once', async () => {
    const server = await start(describeClient, TRUSTED)
    expect(await exchange(server, [Buffer.concat([header, request])], true)).toBe(expected)
    expect(await exchange(server, [header], true)).toBe(`${address} by 127.0.0.1: closed`)
  })
})

it.each([65_536, 5000])('reads the longest header that it takes, in pieces of %i', async (size) => {
  const header = withChecksum(binaryHeader({}, [{ type: 4, value: Buffer.alloc(16_384 - 12 - 3 - 7) }]))
  expect(header.length).toBe(16 + 16_384)
  const bytes = Buffer.concat([header, request])
  const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.subarray(i * size, (i + 1) * size),
  )
  const server = await start(describeClient, TRUSTED)
  expect(await exchange(server, pieces)).toBe('192.0.2.7 by 127.0.0.1: example.org / 0')
})

// Whoever gets the connection must find it like one that nobody has touched, however he reads.
describe.each([
  ['a proxied', Buffer.concat([textHeader()]), { trusted: ['127.0.0.1'] }],
  ['a direct', Buffer.alloc(0), { trusted: ['::1'], allowDirect: true }],
] as const)('what follows in %s connection', (_, header, proxyProtocol) => {
  const body = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index & 255))
  const check = (whole: Buffer): string => (whole.equals(body) ? 'all of it' : `${whole.length} bytes`)

  it.each<[string, ConnectionHandler]>([
    [
      'by iteration',
      async ({ stream }) => {
        const chunks: Buffer[] = []
        for await (const chunk of stream.iterator({ destroyOnReturn: false })) chunks.push(chunk)
        stream.end(check(Buffer.concat(chunks)))
      },
    ],
    [
      'by data',
      ({ stream }) => {
        const chunks: Buffer[] = []
        stream.on('data', (chunk) => chunks.push(chunk)).once('end', () => stream.end(check(Buffer.concat(chunks))))
      },
    ],
    [
      'by readable',
      ({ stream }) => {
        const chunks: Buffer[] = []
        stream.on('readable', () => {
          for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) chunks.push(chunk)
        })
        stream.once('end', () => stream.end(check(Buffer.concat(chunks))))
      },
    ],
    [
      'by data, later',
      async ({ stream }) => {
        await new Promise((resolve) => setImmediate(resolve))
        const chunks: Buffer[] = []
        stream.on('data', (chunk) => chunks.push(chunk)).once('end', () => stream.end(check(Buffer.concat(chunks))))
      },
    ],
  ])('is read %s', async (_, handler) => {
    const server = await start(handler, { proxyProtocol })
    expect(await exchange(server, [Buffer.concat([header, body])], true)).toBe('all of it')
    expect(await exchange(server, [header, body.subarray(0, 1), body.subarray(1)], true)).toBe('all of it')
  })

  it('is piped', async () => {
    const server = await start(({ stream }) => stream.pipe(stream), { proxyProtocol })
    expect(await exchange(server, [Buffer.concat([header, request])], true)).toBe(request.toString())
  })
})

describe('a trusted proxy', () => {
  it.each([
    ['no header', request],
    ['a header with a mistake', Buffer.from('PROXY TCP4 192.0.2.07 198.51.100.1 1 2\r\n')],
    ['a header for a Unix socket', binaryParts(0x21, 0x31, Buffer.alloc(216))],
    ['a wrong checksum', binaryHeader({}, [{ type: 3, value: Buffer.alloc(4) }])],
    ['a line that never ends', Buffer.alloc(200, 'PROXY TCP4 1')],
    ['half a header, and ends', binaryHeader().subarray(0, 20)],
  ])('that sends %s is cut off, and nobody is asked', async (_, bytes) => {
    const opened = vi.fn(() => ({ accept: true }))
    const handler = vi.fn(describeClient)
    const refused: RefusedConnection[] = []
    const onRefused = (each: RefusedConnection): void => void refused.push(each)
    const server = await start(handler, { ...TRUSTED, guards: [{ opened }], onRefused })
    expect(await exchange(server, [bytes], true)).toBe('')
    expect(handler).not.toHaveBeenCalled()
    expect(opened).not.toHaveBeenCalled()
    await vi.waitFor(() => expect(refused).toHaveLength(1))
    expect(refused[0]).toMatchObject({ proxy: null, reason: 'proxy_protocol', guard: null })
    expect(String(refused[0]?.address)).toBe('127.0.0.1')
    expect(server.connections).toBe(0)
  })

  it.each([
    ['says nothing', Buffer.alloc(0)],
    ['says half a header', textHeader().subarray(0, 20)],
  ])('that %s counts as a connection, and is cut off in the end', async (_, bytes) => {
    const refused: RefusedConnection[] = []
    const onRefused = (each: RefusedConnection): void => void refused.push(each)
    const proxyProtocol = { ...TRUSTED.proxyProtocol, timeoutMs: 1000 }
    const server = await start(describeClient, { maxConnections: 1, proxyProtocol, onRefused })
    const slow = await dial(server)
    slow.write(bytes)
    await vi.waitFor(() => expect(server.connections).toBe(1))
    expect(await exchange(server, [textHeader(), request])).toBe('')
    await cutOff(slow)
    await vi.waitFor(() => expect(server.connections).toBe(0))
    expect(await exchange(server, [textHeader(), request])).toContain('192.0.2.7')
    expect(refused.map(({ reason, detail }) => `${reason}: ${detail}`)).toEqual([
      'max_connections: null',
      'proxy_protocol: it took too long',
    ])
  })

  it('cannot stretch the deadline byte by byte', async () => {
    const onRefused = vi.fn()
    const proxyProtocol = { ...TRUSTED.proxyProtocol, timeoutMs: 100 }
    const server = await start(describeClient, { proxyProtocol, onRefused })
    const client = await dial(server)
    const bytes = textHeader()
    let sent = 0
    const drip = setInterval(() => client.write(bytes.subarray(sent, ++sent)), 10)
    await cutOff(client)
    clearInterval(drip)
    expect(sent).toBeLessThan(bytes.length)
    expect(onRefused).toHaveBeenCalledTimes(1)
  })

  it('has no second deadline once the header is there', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const server = await start(({ stream }) => {
      vi.advanceTimersByTime(60_000)
      setImmediate(() => stream.end('late'))
    }, TRUSTED)
    expect(await exchange(server, [textHeader()])).toBe('late')
  })
})

describe('guards behind a proxy', () => {
  it('are asked about the client, and about the proxy when it speaks for itself', async () => {
    const told: string[] = []
    const guard = {
      opened: (address: unknown) => {
        told.push(`opened ${address}`)
        return { accept: true }
      },
      closed: (address: unknown) => void told.push(`closed ${address}`),
    }
    const server = await start(describeClient, { ...TRUSTED, guards: [guard] })
    for (const header of [textHeader(), localHeader()]) {
      await exchange(server, [header, request], true)
      await vi.waitFor(() => expect(server.connections).toBe(0))
    }
    expect(told).toEqual(['opened 192.0.2.7', 'closed 192.0.2.7', 'opened 127.0.0.1', 'closed 127.0.0.1'])
  })

  it('refuse the client, not the proxy', async () => {
    const refused: string[] = []
    const server = await start(describeClient, {
      ...TRUSTED,
      guards: [new AccessControl({ denyList: ['192.0.2.7'] })],
      onRefused: ({ address, proxy, reason, guard }) => refused.push(`${address} by ${proxy}: ${reason} ${guard}`),
    })
    expect(await exchange(server, [textHeader(), request])).toBe('')
    expect(await exchange(server, [textHeader({ source: '::ffff:192.0.2.7', destination: '::1' }), request])).toBe('')
    expect(await exchange(server, [textHeader({ source: '192.0.2.8' }), request])).toContain('192.0.2.8')
    expect(refused).toEqual(Array(2).fill('192.0.2.7 by 127.0.0.1: guard access_control'))
  })

  it('count clients by their network, whichever of its addresses they use', async () => {
    const limiter = new ConnectionLimiter({ maxPerAddress: 2 })
    const server = await start(({ stream }) => void stream.write('hello'), { ...TRUSTED, guards: [limiter] })
    const come = async (source: string): Promise<boolean> => {
      const client = await dial(server)
      client.write(textHeader({ source, destination: source }))
      return new Promise((resolve) => client.once('data', () => resolve(true)).once('end', () => resolve(false)))
    }
    expect(await come('2001:db8:0:1::1')).toBe(true)
    expect(await come('2001:db8:0:1:ffff::2')).toBe(true)
    expect(await come('2001:db8:0:1::3')).toBe(false)
    expect(await come('2001:db8:0:2::3')).toBe(true)
    expect(await come('192.0.2.7')).toBe(true)
    expect(await come('::ffff:192.0.2.7')).toBe(true)
    expect(await come('192.0.2.7')).toBe(false)
    expect(limiter.counts).toMatchObject({ open: 5, clients: 3, refusedByMaxPerAddress: 2 })
    for (const client of clients) client.destroy()
    await server.close({ graceMs: 0 })
    await vi.waitFor(() => expect(limiter.counts).toMatchObject({ open: 0, clients: 0 }))
  })

  it('never hear of a client that leaves as its header arrives', async () => {
    const guard = { opened: vi.fn(() => ({ accept: true })), closed: vi.fn() }
    const server = await start(describeClient, { ...TRUSTED, guards: [guard] })
    for (let turn = 0; turn < 40; turn++) {
      const client = await dial(server)
      client.write(textHeader())
      for (let wait = 0; wait < turn % 4; wait++) await new Promise((resolve) => setImmediate(resolve))
      client.resetAndDestroy()
    }
    await vi.waitFor(() => expect(server.connections).toBe(0))
    expect(guard.closed).toHaveBeenCalledTimes(guard.opened.mock.calls.length)
  })
})

describe('somebody who is no proxy', () => {
  const closedToOthers = { proxyProtocol: { trusted: ['::1', '192.0.2.0/24'] } }
  const openToOthers = { proxyProtocol: { ...closedToOthers.proxyProtocol, allowDirect: true } }

  it('is cut off at once, with a header and without', async () => {
    const refused: string[] = []
    const guard = { opened: vi.fn(() => ({ accept: true })) }
    const server = await start(describeClient, {
      ...closedToOthers,
      guards: [guard],
      onRefused: ({ address, reason, detail }) => refused.push(`${address}: ${reason}, ${detail}`),
    })
    for (const pieces of [[], [request], [textHeader(), request], [binaryHeader(), request]]) {
      expect(await exchange(server, pieces)).toBe('')
    }
    expect(refused).toEqual(Array(4).fill('127.0.0.1: proxy_protocol, not from a trusted proxy'))
    expect(guard.opened).not.toHaveBeenCalled()
  })

  it.each([
    ['a request', request],
    ['a request that begins like a header', Buffer.from('PROXIMA / 0\r\n')],
    ['a request that begins with an empty line', Buffer.from('\r\nexample.org / 0\r\n')],
  ])('may come directly if that is allowed, with %s', async (_, bytes) => {
    const server = await start(describeClient, openToOthers)
    const [line] = bytes.toString().split('\r\n')
    const expected = `127.0.0.1 by null: ${line}`
    for (const pieces of [[bytes], bytesOf(bytes)]) expect(await exchange(server, pieces)).toBe(expected)
  })

  it.each([
    ['version 1', Buffer.concat([textHeader(), request])],
    ['version 1, byte by byte', bytesOf(Buffer.concat([textHeader(), request]))],
    ['version 1 with a mistake', Buffer.from('PROXY nonsense\r\n')],
    ['version 2', Buffer.concat([binaryHeader(), request])],
    ['version 2, byte by byte', bytesOf(Buffer.concat([binaryHeader(), request]))],
    ['version 2, LOCAL', localHeader()],
  ])('but not with a header of %s', async (_, bytes) => {
    const handler = vi.fn(describeClient)
    const refused: string[] = []
    const server = await start(handler, {
      ...openToOthers,
      onRefused: ({ address, reason, detail }) => refused.push(`${address}: ${reason}, ${detail}`),
    })
    expect(await exchange(server, [bytes].flat())).toBe('')
    expect(handler).not.toHaveBeenCalled()
    expect(refused).toEqual(['127.0.0.1: proxy_protocol, a PROXY header from somebody who is no proxy'])
  })

  it('is asked about by the guards before he says anything, and leaves no count behind with a header', async () => {
    const limiter = new ConnectionLimiter({ maxPerAddress: 1 })
    const refused: string[] = []
    const server = await start(describeClient, {
      proxyProtocol: { ...openToOthers.proxyProtocol, timeoutMs: 2 ** 31 - 1 },
      guards: [limiter],
      onRefused: ({ reason, detail }) => refused.push(`${reason}, ${detail}`),
    })
    const silent = await dial(server)
    await vi.waitFor(() => expect(limiter.open).toBe(1))
    expect(await exchange(server, [])).toBe('')
    expect(refused).toEqual(['guard, maxPerAddress: 1'])
    silent.write(textHeader())
    await cutOff(silent)
    await vi.waitFor(() => expect(limiter.open).toBe(0))
    expect(await exchange(server, [request])).toContain('127.0.0.1 by null')
  })

  it('has to say something before the deadline', async () => {
    const onRefused = vi.fn()
    const proxyProtocol = { ...openToOthers.proxyProtocol, timeoutMs: 100 }
    const server = await start(describeClient, { proxyProtocol, onRefused })
    for (const bytes of ['', 'PROX']) expect(await exchange(server, bytes === '' ? [] : [bytes])).toBe('')
    expect(onRefused).toHaveBeenCalledTimes(2)
  })
})

describe('onRefused', () => {
  it('is told why, by whom and about whom', async () => {
    const refused: RefusedConnection[] = []
    const server = await start(() => {}, {
      maxConnections: 1,
      guards: [
        { opened: () => ({ accept: refused.length > 1 }) },
        { name: 'mine', opened: () => ({ accept: refused.length > 2, detail: 'rule 7' }) },
      ],
      onRefused: (each) => refused.push(each),
    })
    for (let i = 0; i < 3; i++) expect(await exchange(server, [])).toBe('')
    await dial(server)
    await vi.waitFor(() => expect(server.connections).toBe(1))
    expect(await exchange(server, [])).toBe('')
    expect(refused.map((each) => ({ ...each, address: String(each.address) }))).toEqual([
      { address: '127.0.0.1', proxy: null, reason: 'guard', guard: 'guard 0', detail: null },
      { address: '127.0.0.1', proxy: null, reason: 'guard', guard: 'guard 0', detail: null },
      { address: '127.0.0.1', proxy: null, reason: 'guard', guard: 'mine', detail: 'rule 7' },
      { address: '127.0.0.1', proxy: null, reason: 'max_connections', guard: null, detail: null },
    ])
  })

  it('is told of a guard that fails, and its own failures change nothing', async () => {
    const onError = vi.fn()
    const onRefused = vi.fn(async () => {
      throw new Error('also mine')
    })
    const opened = (): never => {
      throw new Error('mine')
    }
    const server = await start(() => {}, { guards: [{ opened }], onRefused, onError })
    expect(await exchange(server, [])).toBe('')
    expect(onRefused).toHaveBeenCalledWith(expect.objectContaining({ reason: 'guard', detail: 'it failed' }))
    expect(onError).toHaveBeenCalledWith(new Error('mine'), null)
  })

  it('is told of those who were about to come when the server closed', async () => {
    const refused: string[] = []
    const handler = vi.fn()
    const server = await start(handler, { ...TRUSTED, onRefused: ({ reason }) => refused.push(reason) })
    const [late, silent] = [await dial(server), await dial(server)]
    await vi.waitFor(() => expect(server.connections).toBe(2))
    const closed = server.close({ graceMs: 200 })
    late.write(textHeader())
    await Promise.all([cutOff(late), cutOff(silent)])
    await closed
    await vi.waitFor(() => expect(refused).toEqual(['closing', 'closing']))
    expect(handler).not.toHaveBeenCalled()
    expect(server.connections).toBe(0)
  })
})

it.each([
  [{ proxyProtocol: {} }, /"proxyProtocol.trusted" expected a list/],
  [{ proxyProtocol: { trusted: [] } }, /"proxyProtocol.trusted" expected at least one/],
  [{ proxyProtocol: { trusted: '127.0.0.1' } }, /"proxyProtocol.trusted" expected a list/],
  [{ proxyProtocol: { trusted: ['127.0.0.1', 'localhost'] } }, /"proxyProtocol.trusted\[1\]"/],
  [{ proxyProtocol: { trusted: ['10.0.0.1/8'] } }, /"proxyProtocol.trusted\[0\]"/],
  [{ proxyProtocol: { trusted: [null] } }, /"proxyProtocol.trusted\[0\]"/],
  [{ proxyProtocol: { trusted: ['::1'], allowDirect: 'no' } }, /"proxyProtocol.allowDirect"/],
  [{ proxyProtocol: { trusted: ['::1'], timeoutMs: 0 } }, /"proxyProtocol.timeoutMs"/],
  [{ proxyProtocol: { trusted: ['::1'], timeoutMs: Number.POSITIVE_INFINITY } }, /"proxyProtocol.timeoutMs"/],
  [{ proxyProtocol: { trust: ['::1'] } }, /no option "trust"/],
  [{ proxyProtocol: true }, /"proxyProtocol" expected an object/],
  [{ onRefused: 'log' }, /"onRefused"/],
  [{ guards: [{ name: 5, opened: () => ({ accept: true }) }] }, /"guards\[0\].name"/],
])('takes %j for a mistake of the program', (options, message) => {
  // @ts-expect-error: most of these do not compile
  expect(() => createPlaintextServer(() => {}, options)).toThrow(message)
})
