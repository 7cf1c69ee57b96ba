import { describe, expect, it } from 'vitest'
import { Endpoint, endpointFrom, parseEndpoint } from '../../src/names/endpoint.ts'

describe('parseEndpoint', () => {
  it.each([
    ['example.org:1965', 'example.org:1965'],
    ['EXAMPLE.org.:1965', 'example.org:1965'],
    ['bücher.example:1', 'xn--bcher-kva.example:1'],
    ['xn--bcher-kva.example:65535', 'xn--bcher-kva.example:65535'],
    ['192.0.2.1:1965', '192.0.2.1:1965'],
    ['[::1]:1965', '[::1]:1965'],
    ['[2001:0DB8::0]:1965', '[2001:db8::]:1965'],
    ['[::ffff:192.0.2.1]:1965', '192.0.2.1:1965'],
  ])('reads %s as %s', (input, canonical) => {
    expect(parseEndpoint(input).toString()).toBe(canonical)
    expect(parseEndpoint(canonical).equals(parseEndpoint(input))).toBe(true)
  })

  it.each([
    ['example.org', 'example.org:1965'],
    ['example.org:300', 'example.org:300'],
    ['::1', '[::1]:1965'],
    ['[::1]', '[::1]:1965'],
    ['[::1]:300', '[::1]:300'],
    ['::1:300', '[::1:300]:1965'],
    ['192.0.2.1', '192.0.2.1:1965'],
  ])('reads %s as %s if 1965 is the default port', (input, canonical) => {
    expect(parseEndpoint(input, { defaultPort: 1965 }).toString()).toBe(canonical)
  })

  it('tells addresses from names', () => {
    expect(parseEndpoint('[::1]:1965')).toMatchObject({ host: '::1', port: 1965, isAddress: true })
    expect(parseEndpoint('192.0.2.1:1965')).toMatchObject({ host: '192.0.2.1', isAddress: true })
    expect(parseEndpoint('example.org:1965')).toMatchObject({ host: 'example.org', isAddress: false })
  })

  it.each(['example.org', '::1', '[::1]', '::1:1965'])('refuses %s without a default port', (input) => {
    expect(() => parseEndpoint(input)).toThrow(expect.objectContaining({ code: 'ERR_TLACACOCA_ENDPOINT_INVALID' }))
  })

  it.each([
    ['nothing', ''],
    ['a port alone', ':1965'],
    ['no port after the colon', 'example.org:'],
    ['port 0', 'example.org:0'],
    ['port 65536', 'example.org:65536'],
    ['a padded port', 'example.org:01965'],
    ['a signed port', 'example.org:+1965'],
    ['a negative port', 'example.org:-1'],
    ['a hexadecimal port', 'example.org:0x7ad'],
    ['an exponent', 'example.org:1e3'],
    ['a named port', 'example.org:gemini'],
    ['a space before the port', 'example.org: 1965'],
    ['a line end after the port', 'example.org:1965\n'],
    ['digits of another script', 'example.org:١٩٦٥'],
    ['something after the brackets', '[::1]x:1965'],
    ['an open bracket', '[::1:1965'],
    ['two brackets', '[[::1]]:1965'],
    ['a name in brackets', '[example.org]:1965'],
    ['two ports', 'example.org:1:2'],
    ['a URL', 'gemini://example.org:1965'],
    ['a path', 'example.org:1965/'],
    ['user information', 'user@example.org:1965'],
    ['a zone', '[fe80::1%eth0]:1965'],
    ['a megabyte', `${'a'.repeat(2 ** 20)}:1965`],
    ['a megabyte of colons', ':'.repeat(2 ** 20)],
    ['a megabyte of brackets', '['.repeat(2 ** 20)],
  ])('refuses %s', (_, input) => {
    expect(() => parseEndpoint(input, { defaultPort: 1965 })).toThrow(
      expect.objectContaining({ code: 'ERR_TLACACOCA_ENDPOINT_INVALID' }),
    )
  })

  it.each([0, 65536, 1.5, Number.NaN])('takes the default port %s for a mistake of the program', (defaultPort) => {
    expect(() => parseEndpoint('example.org', { defaultPort })).toThrow(RangeError)
  })
})

describe('endpointFrom', () => {
  it('brings the host into form', () => {
    expect(endpointFrom('[::FFFF:192.0.2.1]', 1965).equals(parseEndpoint('192.0.2.1:1965'))).toBe(true)
    expect(endpointFrom('Example.ORG.', 1965).toString()).toBe('example.org:1965')
  })

  it('reads no port out of the host', () => {
    expect(() => endpointFrom('example.org:300', 1965)).toThrow(
      expect.objectContaining({ code: 'ERR_TLACACOCA_ENDPOINT_INVALID' }),
    )
  })

  it.each([0, -1, 65536, 1.5, Number.NaN])('refuses port %s', (port) => {
    expect(() => endpointFrom('example.org', port)).toThrow(RangeError)
  })
})

describe('Endpoint', () => {
  it('keeps ports and hosts apart', () => {
    const endpoint = parseEndpoint('example.org:1965')
    expect(endpoint.equals(parseEndpoint('example.org:1966'))).toBe(false)
    expect(endpoint.equals(parseEndpoint('example.net:1965'))).toBe(false)
  })

  it('cannot be imitated by an object of the same shape', () => {
    expect(Endpoint.is(parseEndpoint('example.org:1965'))).toBe(true)
    expect(Endpoint.is({ ...parseEndpoint('example.org:1965') })).toBe(false)
    expect(Endpoint.is('example.org:1965')).toBe(false)
  })
})
