import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { admit } from '../../src/middleware/admit.ts'
import { MiddlewareChain } from '../../src/middleware/chain.ts'
import { ConnectionLimiter, type ConnectionLimiterOptions } from '../../src/middleware/connection-limiter.ts'
import { parseClientAddress } from '../../src/names/client-address.ts'
import { parseTarget } from '../../src/names/request-target.ts'
import { createPlaintextServer } from '../../src/net/plaintext-server.ts'
import { refuse } from '../../src/net/refuse.ts'
import { request, schemes } from './requests.ts'

const at = parseClientAddress
const openAll = (limiter: ConnectionLimiter, ...addresses: string[]): boolean[] =>
  addresses.map((address) => limiter.opened(at(address)).accept)

describe('ConnectionLimiter', () => {
  it('counts no connection of an exempt client, nor of one that has none', () => {
    const limiter = new ConnectionLimiter({ maxPerAddress: 1, exempt: ['192.0.2.1'] })
    expect(openAll(limiter, '192.0.2.1', '192.0.2.1', '192.0.2.2')).toEqual([true, true, true])
    expect(['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((text) => limiter.openFor(at(text)))).toEqual([0, 1, 0])
  })

  it('lets a client have so many connections open, and one more when one is closed', () => {
    const limiter = new ConnectionLimiter({ maxPerAddress: 2 })
    expect(openAll(limiter, '192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.2')).toEqual([true, true, false, true])
    expect(limiter.openFor(at('192.0.2.1'))).toBe(2)
    limiter.closed(at('192.0.2.1'))
    expect(openAll(limiter, '192.0.2.1', '192.0.2.1')).toEqual([true, false])
    expect(limiter.counts).toEqual({
      open: 3,
      clients: 2,
      refusedByMaxPerAddress: 2,
      refusedByMaxTotal: 0,
      deniedBusy: 0,
    })
  })

  it.each<[string, ConnectionLimiterOptions, string, string, boolean]>([
    ['an IPv4 address by itself', {}, '192.0.2.1', '192.0.2.2', true],
    ['an address and its mapped spelling', {}, '192.0.2.1', '::ffff:192.0.2.1', false],
    ['an IPv4 /24 if told so', { ipv4PrefixLength: 24 }, '192.0.2.1', '192.0.2.254', false],
    ['no more than that', { ipv4PrefixLength: 24 }, '192.0.2.1', '192.0.3.1', true],
    ['an IPv6 /64', {}, '2001:db8::1', '2001:db8::ffff:0:0:1', false],
    ['no more than that', {}, '2001:db8::1', '2001:db8:0:1::1', true],
    ['an IPv6 /48 if told so', { ipv6PrefixLength: 48 }, '2001:db8::1', '2001:db8:0:ffff::1', false],
    ['an IPv6 address if told so', { ipv6PrefixLength: 128 }, '2001:db8::1', '2001:db8::2', true],
    ['all of IPv4 with 0', { ipv4PrefixLength: 0 }, '192.0.2.1', '8.8.8.8', false],
    ['the families apart', { ipv4PrefixLength: 0, ipv6PrefixLength: 0 }, '192.0.2.1', '::1', true],
  ])('counts %s as one client', (_, options, first, second, both) => {
    expect(openAll(new ConnectionLimiter({ ...options, maxPerAddress: 1 }), first, second)).toEqual([true, both])
  })

  it('limits all clients together', () => {
    const limiter = new ConnectionLimiter({ maxTotal: 2, exempt: ['192.0.2.9'] })
    expect(openAll(limiter, '192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.9')).toEqual([true, true, false, true])
    limiter.closed(at('192.0.2.1'))
    // Those that are exempt take places too; they are never refused one.
    expect(openAll(limiter, '192.0.2.3')).toEqual([false])
    limiter.closed(at('192.0.2.9'))
    expect(openAll(limiter, '192.0.2.3')).toEqual([true])
    expect(limiter.counts).toMatchObject({ open: 2, clients: 2, refusedByMaxTotal: 2 })
  })

  it('says which limit refused', () => {
    const limiter = new ConnectionLimiter({ maxPerAddress: 1, maxTotal: 2 })
    expect(limiter.opened(at('192.0.2.1'))).toEqual({ accept: true })
    expect(limiter.opened(at('192.0.2.1'))).toEqual({ accept: false, detail: 'maxPerAddress: 1' })
    limiter.opened(at('192.0.2.2'))
    expect(limiter.opened(at('192.0.2.3'))).toEqual({ accept: false, detail: 'maxTotal: 2' })
  })

  it('denies requests as busy while more connections are open than that', () => {
    const limiter = new ConnectionLimiter({ busyAbove: 2, exempt: ['192.0.2.9'] })
    const decide = (address: string) => limiter.decide(request({ from: address }))
    openAll(limiter, '192.0.2.1', '192.0.2.2')
    expect(decide('192.0.2.1')).toEqual({ allowed: true })
    openAll(limiter, '192.0.2.9')
    expect(decide('192.0.2.1')).toEqual({ allowed: false, denialReason: 'busy', rule: 'busyAbove: 2' })
    expect(decide('192.0.2.9')).toEqual({ allowed: true })
    limiter.closed(at('192.0.2.2'))
    expect(decide('192.0.2.1')).toEqual({ allowed: true })
    expect(limiter.counts.deniedBusy).toBe(1)
  })

  it('tells a client of a real server that it is busy, and serves the next when there is room', async () => {
    const limiter = new ConnectionLimiter({ busyAbove: 2 })
    const guard = new MiddlewareChain([limiter])
    const parse = (line: string) => parseTarget(line, { schemes, served: 'any' })
    await using server = createPlaintextServer(
      async (connection) => {
        const answer = await admit(connection, { parse, guard })
        if (!answer.allowed) return refuse(connection, `${answer.denialReason}\r\n`)
        connection.stream.end('fine\r\n')
      },
      { guards: [limiter] },
    )
    const { port } = await server.listen(0, '127.0.0.1')
    const idle = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
    const ask = async (): Promise<string> => {
      const client = connect(port, '127.0.0.1')
      client.write('gemini://example.org/\r\n')
      return text(client)
    }
    await vi.waitFor(() => expect(limiter.open).toBe(2))
    expect(await ask()).toBe('busy\r\n')
    idle[0]?.destroy()
    await vi.waitFor(() => expect(limiter.open).toBe(1))
    expect(await ask()).toBe('fine\r\n')
    for (const client of idle) client.destroy()
    await vi.waitFor(() => expect(limiter.counts).toMatchObject({ open: 0, clients: 0, deniedBusy: 1 }))
  })

  it('is never busy without that limit', () => {
    const limiter = new ConnectionLimiter()
    for (let i = 0; i < 5000; i++) limiter.opened(at(`10.0.${i >> 8}.${i & 255}`))
    expect(limiter.decide(request({ from: '10.0.0.1' }))).toEqual({ allowed: true })
  })

  it('remembers nobody who has no connection open', () => {
    const limiter = new ConnectionLimiter({ maxPerAddress: 3 })
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat({ max: 5 }), fc.boolean()), { maxLength: 60 }), (steps) => {
        const model = new Map<string, number>()
        const held = (address: string): number => model.get(address) ?? 0
        for (const [host, opens] of steps) {
          const address = `2001:db8:0:${host % 3}::${host}`
          const client = `${host % 3}`
          if (opens) {
            const accept = held(client) < 3
            expect(limiter.opened(at(address)).accept).toBe(accept)
            if (accept) model.set(client, held(client) + 1)
          } else if (held(client) > 0) {
            limiter.closed(at(address))
            model.set(client, held(client) - 1)
          }
          const counts = [...model.values()]
          expect(limiter.open).toBe(counts.reduce((sum, count) => sum + count, 0))
          expect(limiter.counts.clients).toBe(counts.filter((count) => count > 0).length)
        }
        for (const [client, count] of model) {
          for (let i = 0; i < count; i++) limiter.closed(at(`2001:db8:0:${client}::1`))
        }
        expect(limiter.counts).toMatchObject({ open: 0, clients: 0 })
      }),
    )
  })

  it('takes an end without a beginning for a mistake, and counts on', () => {
    const limiter = new ConnectionLimiter({ maxPerAddress: 1 })
    limiter.opened(at('192.0.2.1'))
    expect(() => limiter.closed(at('192.0.2.2'))).toThrow(RangeError)
    expect(limiter.open).toBe(1)
  })

  it('throws for what is no address, which is a refusal', () => {
    const limiter = new ConnectionLimiter({ busyAbove: 1 })
    for (const address of ['192.0.2.1', null, {}]) {
      expect(() => limiter.opened(address as never)).toThrow(TypeError)
      expect(() => limiter.openFor(address as never)).toThrow(TypeError)
    }
    expect(limiter.open).toBe(0)
  })

  it.each([
    [{ maxPerAddress: 0 }, /"maxPerAddress"/],
    [{ maxPerAddress: Number.NaN }, /"maxPerAddress"/],
    [{ maxTotal: 1.5 }, /"maxTotal"/],
    [{ busyAbove: -1 }, /"busyAbove"/],
    [{ maxTotal: 10, busyAbove: 10 }, /"busyAbove" expected a number below "maxTotal"/],
    [{ ipv4PrefixLength: 33 }, /"ipv4PrefixLength"/],
    [{ ipv6PrefixLength: 129 }, /"ipv6PrefixLength"/],
    [{ exempt: ['localhost'] }, /"exempt\[0\]"/],
    [{ exempt: '127.0.0.1' }, /"exempt"/],
    [{ maxPerAdress: 5 }, /no option "maxPerAdress"/],
    [null, /"options"/],
  ])('takes %j for a mistake of the program', (options, message) => {
    expect(() => new ConnectionLimiter(options as never)).toThrow(message)
  })
})

it('is busy before it is full, if it is told both', () => {
  const limiter = new ConnectionLimiter({ maxTotal: 3, busyAbove: 2 })
  expect(limiter.name).toBe('connection_limit')
  const addresses = [1, 2, 3, 4].map((last) => parseClientAddress(`192.0.2.${last}`))
  expect(addresses.map((each) => limiter.opened(each).accept)).toEqual([true, true, true, false])
})
