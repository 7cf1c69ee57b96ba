import { describe, expect, it } from 'vitest'
import { type AlternativeNames, countNames, readAlternativeNames } from '../../src/certificate/alternative-names.ts'

const read = (names: AlternativeNames, wildcards = false) => readAlternativeNames(names, { wildcards })

describe('alternative names', () => {
  it('are brought into one form, each once', () => {
    expect(
      read({
        dns: ['Example.ORG.', 'example.org', 'B\u00dcCHER.example'],
        ip: ['2001:DB8:0::1', '::ffff:192.0.2.1', '192.0.2.1'],
        email: ['Ana.B+x@Example.org'],
        uri: ['urn:uuid:f81d4fae', 'spiffe://example.org/a'],
      }),
    ).toEqual({
      dns: ['example.org', 'xn--bcher-kva.example'],
      ip: ['2001:db8::1', '192.0.2.1'],
      email: ['Ana.B+x@example.org'],
      uri: ['urn:uuid:f81d4fae', 'spiffe://example.org/a'],
    })
    expect(read({})).toEqual({ dns: [], ip: [], email: [], uri: [] })
  })

  it('may have a wildcard only where the rules say so, and only in front', () => {
    expect(read({ dns: ['*.Example.org'] }, true).dns).toEqual(['*.example.org'])
    expect(() => read({ dns: ['*.example.org'] })).toThrow('without a wildcard')
    for (const host of ['*', '*.', 'a.*.org', '*a.example.org', '*.*.org', '*.192.0.2.1', `*.${'a.'.repeat(126)}bc`]) {
      expect(() => read({ dns: [host] }, true)).toThrow(RangeError)
    }
  })

  it.each([
    ['dns', ''],
    ['dns', 'a b'],
    ['dns', 'a\0.org'],
    ['dns', '192.0.2.1'],
    ['dns', '::1'],
    ['dns', 'a..b'],
    ['dns', 'example.org:1965'],
    ['ip', 'example.org'],
    ['ip', '010.0.0.1'],
    ['ip', '10.0.0.0/8'],
    ['email', 'ana'],
    ['email', '@example.org'],
    ['email', 'ana@'],
    ['email', 'a..b@example.org'],
    ['email', 'a b@example.org'],
    ['email', 'ana@example.org\n'],
    ['email', 'ana@[::1]'],
    ['email', '\u00e1na@example.org'],
    ['email', `${'a'.repeat(65)}@example.org`],
    ['uri', '/path'],
    ['uri', 'example.org'],
    ['uri', 'http://a b/'],
    ['uri', 'http://b\u00fccher.example/'],
    ['uri', 'http://example.org/\0'],
    ['uri', `urn:x:${'a'.repeat(2048)}`],
  ])('are refused: %s %j', (kind, text) => {
    expect(() => read({ [kind]: ['fine.example', text].slice(1) })).toThrow(RangeError)
    expect(() => read({ [kind]: [text] })).toThrow(`"subjectAltNames.${kind}[0]"`)
  })

  it('are counted, and at most 100', () => {
    const hosts = (count: number) => Array.from({ length: count }, (_, index) => `h${index}.example`)
    expect(countNames(read({ dns: hosts(60), uri: hosts(40).map((host) => `urn:${host}`) }))).toBe(100)
    expect(() => read({ dns: hosts(61), uri: hosts(40).map((host) => `urn:${host}`) })).toThrow('at most 100')
  })

  it.each([null, undefined, 'example.org', ['example.org'], { dns: 'example.org' }, { dns: [5] }, { host: [] }])(
    'are objects with lists of text, and not %j',
    (names) => {
      expect(() => read(names as never)).toThrow(TypeError)
    },
  )

  it('cannot be changed afterwards', () => {
    const names = read({ dns: ['example.org'] })
    expect(() => (names.dns as string[]).push('x')).toThrow(TypeError)
    expect(() => Object.assign(names, { dns: [] })).toThrow(TypeError)
  })
})
