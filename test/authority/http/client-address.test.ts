import { describe, expect, it } from 'vitest'
import { createAddressReader, type ForwardedHeader } from '../../../src/authority/http/client-address.ts'

interface Asked {
  readonly trusted?: readonly string[]
  readonly socket?: string
  readonly headers?: Record<string, string> | [string, string][]
  readonly header?: ForwardedHeader
}

/** Who the client is, by default behind the proxy 10.0.0.1. */
function client({ trusted = ['10.0.0.1'], socket = '10.0.0.1', headers = {}, header = 'x-forwarded-for' }: Asked) {
  const address = createAddressReader(trusted, header)(socket, new Headers(headers))
  return address === null ? null : String(address)
}

describe('the address of a client', () => {
  it('is what the proxy that we know has written', () => {
    expect(client({ headers: { 'x-forwarded-for': '192.0.2.1' } })).toBe('192.0.2.1')
  })

  it('is that of the socket unless it is a proxy that we know', () => {
    const headers = { 'x-forwarded-for': '192.0.2.1', forwarded: 'for=192.0.2.2', 'x-real-ip': '192.0.2.3' }
    expect(client({ trusted: [], headers })).toBe('10.0.0.1')
    expect(client({ socket: '10.0.0.2', headers })).toBe('10.0.0.2')
    expect(client({ socket: '203.0.113.9', headers })).toBe('203.0.113.9')
  })

  it.each([
    ['what a client has written before', '198.51.100.66, 192.0.2.1', '192.0.2.1'],
    ['a whole chain of it', '10.0.0.1, 198.51.100.66, 192.0.2.1', '192.0.2.1'],
    ['an address of ours that a client has written', '10.0.0.1, 192.0.2.1', '192.0.2.1'],
    ['nonsense that a client has written', 'unknown, ,, ";', '10.0.0.1'],
    ['nonsense to the left of it', '"; DROP, 192.0.2.1', '192.0.2.1'],
    ['what is written in octal', '0300.0.2.1', '10.0.0.1'],
    ['an empty header', '', '10.0.0.1'],
    ['an empty entry at the end', '192.0.2.1,', '10.0.0.1'],
  ])('ignores %s', (_what, value, expected) => {
    expect(client({ headers: { 'x-forwarded-for': value } })).toBe(expected)
  })

  it('goes on to the left as long as it finds proxies that we know', () => {
    const trusted = ['10.0.0.0/8', '2001:db8:1::/48']
    const via = (value: string): string | null => client({ trusted, headers: { 'x-forwarded-for': value } })
    expect(via('198.51.100.66, 192.0.2.1, 2001:db8:1::7, 10.9.9.9')).toBe('192.0.2.1')
    expect(via('10.1.1.1, 10.9.9.9')).toBe('10.1.1.1')
    expect(via('garbage, 10.9.9.9')).toBe('10.9.9.9')
  })

  it('takes headers that came one by one for one list', () => {
    const headers: [string, string][] = [
      ['X-Forwarded-For', '198.51.100.66'],
      ['X-Forwarded-For', '192.0.2.1'],
    ]
    expect(client({ headers })).toBe('192.0.2.1')
  })

  it.each([
    ['192.0.2.1:4711', '192.0.2.1'],
    ['[2001:DB8::1]:4711', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['2001:db8::1', '2001:db8::1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['[2001:db8::1]:4711x', '10.0.0.1'],
    ['192.0.2.1:', '10.0.0.1'],
  ])('reads %s as %s', (value, expected) => {
    expect(client({ headers: { 'x-forwarded-for': value } })).toBe(expected)
  })

  it('knows a proxy by its bits, however its address is written', () => {
    const headers = { 'x-forwarded-for': '192.0.2.1' }
    expect(client({ socket: '::ffff:10.0.0.1', headers })).toBe('192.0.2.1')
    expect(client({ trusted: ['::1'], socket: '::1', headers })).toBe('192.0.2.1')
    expect(client({ trusted: ['fe80::1'], socket: 'fe80::1%eth0', headers })).toBe('192.0.2.1')
  })

  it('is unknown on a Unix socket, unless whoever connects there is named as a proxy', () => {
    const headers = { 'x-forwarded-for': '192.0.2.1' }
    expect(client({ socket: 'unix', headers })).toBeNull()
    expect(client({ socket: 'unix', trusted: ['127.0.0.1', '::/0', '0.0.0.0/0'], headers })).toBeNull()
    expect(client({ socket: 'unix', trusted: ['unix'], headers })).toBe('192.0.2.1')
    expect(client({ socket: 'unix', trusted: ['unix'], headers: {} })).toBeNull()
    expect(client({ socket: '10.0.0.1', trusted: ['unix'], headers })).toBe('10.0.0.1')
  })

  it('is unknown if nobody says it, even where Unix sockets are trusted', () => {
    const read = createAddressReader(['unix'], 'x-forwarded-for')
    expect(read(undefined, new Headers({ 'x-forwarded-for': '192.0.2.1' }))).toBeNull()
    expect(read('nonsense', new Headers({ 'x-forwarded-for': '192.0.2.1' }))).toBeNull()
  })

  it.each([['10.0.0.1/8'], ['localhost'], ['']])('refuses %j as a proxy', (entry) => {
    expect(() => createAddressReader([entry], 'forwarded')).toThrow(
      expect.objectContaining({ code: 'ERR_TLACACOCA_ADDRESS_INVALID' }),
    )
  })

  it('refuses one text instead of a list', () => {
    expect(() => client({ trusted: '10.0.0.1' as unknown as readonly string[] })).toThrow(TypeError)
  })
})

describe('Forwarded (RFC 7239)', () => {
  const forwarded = (value: string, more: Record<string, string> = {}): string | null =>
    client({ header: 'forwarded', headers: { forwarded: value, ...more } })

  it.each([
    ['for=192.0.2.1', '192.0.2.1'],
    ['For="[2001:db8::1]:4711"', '2001:db8::1'],
    ['proto=https;for=192.0.2.1;by=10.0.0.1', '192.0.2.1'],
    ['for=198.51.100.66, for=192.0.2.1;host="a,b;for=198.51.100.67"', '192.0.2.1'],
    ['for=198.51.100.66;host="\\"", for=192.0.2.1', '192.0.2.1'],
  ])('reads %s', (value, expected) => {
    expect(forwarded(value)).toBe(expected)
  })

  it.each([
    ['a client that hides', 'for=_hidden'],
    ['one that nobody knows', 'for=unknown'],
    ['an entry that names none', 'proto=https'],
    ['an entry that names two', 'for=192.0.2.1;for=192.0.2.2'],
    ['an escaped address', 'for="192.0.2.\\1"'],
    ['a quote that the client left open before the entry of the proxy', 'for=198.51.100.66;x=", for=192.0.2.1'],
    ['the same with quotes of the proxy behind it', 'for=198.51.100.66;x=", for="[2001:db8::1]:4711"'],
    ['the same with an escape', 'for=198.51.100.66;x="\\, for="[2001:db8::1]:4711"'],
  ])('knows only the proxy for %s', (_what, value) => {
    expect(forwarded(value)).toBe('10.0.0.1')
  })

  it('is ignored where the proxies write X-Forwarded-For, and the other way round', () => {
    const headers = { forwarded: 'for=198.51.100.66', 'x-forwarded-for': '192.0.2.1' }
    expect(client({ headers })).toBe('192.0.2.1')
    expect(forwarded('for=192.0.2.1', { 'x-forwarded-for': '198.51.100.66' })).toBe('192.0.2.1')
  })
})
