import { describe, expect, it } from 'vitest'
import { parseTarget, RequestTarget, type ServedHosts, targetFromParts } from '../../src/names/request-target.ts'
import { countReads } from './reads.ts'

const schemes = { gemini: 1965, titan: 1965, scroll: 5699 }

function parse(line: string, served: ServedHosts = 'any'): RequestTarget {
  return parseTarget(line, { schemes, served })
}

const INVALID = expect.objectContaining({ name: 'InvalidNameError', code: 'ERR_TLACACOCA_TARGET_INVALID' })
const WRONG_SCHEME = expect.objectContaining({
  name: 'InvalidNameError',
  code: 'ERR_TLACACOCA_TARGET_WRONG_SCHEME',
})
const WRONG_HOST = expect.objectContaining({ name: 'InvalidNameError', code: 'ERR_TLACACOCA_TARGET_WRONG_HOST' })

describe('parseTarget', () => {
  it('reads the parts of a URL', () => {
    const target = parse('gemini://example.org:1966/club/rules?a=b%20c&d')
    expect(target.scheme).toBe('gemini')
    expect(target.endpoint.toString()).toBe('example.org:1966')
    expect(target.path.toString()).toBe('/club/rules')
    expect(target.query).toBe('a=b%20c&d')
    expect(target.parameters.size).toBe(0)
  })

  it.each([
    'gemini://example.org/admin',
    'GEMINI://example.org/admin',
    'gemini://EXAMPLE.ORG/admin',
    'gemini://example.org./admin',
    'gemini://example.org:1965/admin',
    'gemini://example.org:/admin',
    'gemini://example.org/x/../admin',
    'gemini://example.org//admin',
    'gemini://example.org/%61dmin',
    'gemini://ｅｘａｍｐｌｅ.org/admin',
    'gemini://exam\u200bple.org/admin',
  ])('takes %s for gemini://example.org/admin', (line) => {
    const target = parse(line, ['example.org'])
    expect(`${target.scheme} ${target.endpoint} ${target.path}`).toBe('gemini example.org:1965 /admin')
  })

  it.each([
    ['gemini://example.org', '/', null],
    ['gemini://example.org/', '/', null],
    ['gemini://example.org?', '/', ''],
    ['gemini://example.org?q', '/', 'q'],
    ['gemini://example.org/?', '/', ''],
    ['gemini://example.org/a?b?c', '/a', 'b?c'],
    ['gemini://example.org/a?/../b', '/a', '/../b'],
    ['gemini://example.org/a?%00%FF', '/a', '%00%FF'],
    ['gemini://example.org/a?ü', '/a', 'ü'],
    ['gemini://example.org/a?{b}|[c]', '/a', '{b}|[c]'],
    ['gemini://example.org/a:b@c', '/a:b@c', null],
    ['gemini://example.org/gemini://evil.example/', '/gemini:/evil.example/', null],
  ])('reads %s as path %s and query %s', (line, path, query) => {
    expect(parse(line).path.toString()).toBe(path)
    expect(parse(line).query).toBe(query)
  })

  it.each([
    ['gemini://bücher.example/', 'xn--bcher-kva.example:1965'],
    ['gemini://[::1]/', '[::1]:1965'],
    ['gemini://[::1]:1966/', '[::1]:1966'],
    ['gemini://[::1]:/', '[::1]:1965'],
    ['gemini://[::ffff:192.0.2.1]/', '192.0.2.1:1965'],
    ['scroll://192.0.2.1/', '192.0.2.1:5699'],
  ])('reads %s as a request to %s', (line, endpoint) => {
    expect(parse(line).endpoint.toString()).toBe(endpoint)
  })

  it.each([
    ['nothing', ''],
    ['a path', '/admin'],
    ['a path relative to nothing', 'admin'],
    ['a URL without a scheme', '//example.org/admin'],
    ['a scheme without a name', '://example.org/'],
    ['an opaque URL', 'gemini:admin'],
    ['one slash', 'gemini:/example.org/admin'],
    ['three slashes, so no host', 'gemini:///admin'],
    ['no host', 'gemini://'],
    ['a port without a host', 'gemini://:1965/'],
    ['a query without a host', 'gemini://?x'],
    ['a scheme that every object has', '__proto__://example.org/'],
    ['a scheme that begins with a digit', '1gemini://example.org/'],
    ['a space in the scheme', 'gem ini://example.org/'],
    ['a scheme written with a Kelvin sign', 'gemin\u0130://example.org/'],
    ['a byte order mark', '\ufeffgemini://example.org/'],
    ['a space before', ' gemini://example.org/'],
    ['a space after', 'gemini://example.org/ '],
    ['a space in the path', 'gemini://example.org/a b'],
    ['a second word', 'gemini://example.org/ HTTP/1.1'],
    ['a line end', 'gemini://example.org/\r\n'],
    ['a tab in the scheme', 'gem\tini://example.org/'],
    ['a tab in the host', 'gemini://exam\tple.org/'],
    ['a tab in the path', 'gemini://example.org/ad\tmin'],
    ['a CR in the path', 'gemini://example.org/ad\rmin'],
    ['an LF in the path', 'gemini://example.org/ad\nmin'],
    ['a NUL in the path', 'gemini://example.org/admin\0'],
    ['a NUL in the host', 'gemini://example.org\0.evil.example/'],
    ['a C1 control in the query', 'gemini://example.org/?\x9b'],
    ['a user', 'gemini://user@example.org/'],
    ['an empty user', 'gemini://@example.org/'],
    ['a user and a password', 'gemini://user:secret@example.org/'],
    ['a host as user', 'gemini://example.org@evil.example/'],
    ['an encoded at sign', 'gemini://user%40example.org/'],
    ['a fragment', 'gemini://example.org/admin#x'],
    ['an empty fragment', 'gemini://example.org/#'],
    ['a fragment in the authority', 'gemini://example.org#@evil.example/'],
    ['a backslash for the authority', 'gemini:\\\\example.org/'],
    ['a backslash behind the host', 'gemini://example.org\\@evil.example/'],
    ['a backslash in the path', 'gemini://example.org/..\\admin'],
    ['a backslash in the query', 'gemini://example.org/?\\'],
    ['an encoded slash', 'gemini://example.org/admin%2fx'],
    ['overlong UTF-8', 'gemini://example.org/%c0%ae%c0%ae/admin'],
    ['a malformed escape in the query', 'gemini://example.org/?100%'],
    ['an escape in the host', 'gemini://ex%61mple.org/'],
    ['an escaped international name', 'gemini://b%C3%BCcher.example/'],
    ['a semicolon in the host', 'gemini://example.org;x/'],
    ['port 0', 'gemini://example.org:0/'],
    ['port 65536', 'gemini://example.org:65536/'],
    ['a padded port', 'gemini://example.org:01965/'],
    ['a signed port', 'gemini://example.org:+1965/'],
    ['a port in words', 'gemini://example.org:gemini/'],
    ['two ports', 'gemini://example.org:1965:1966/'],
    ['IPv6 without brackets', 'gemini://::1/'],
    ['IPv6 without brackets, with a port', 'gemini://::1:1965/'],
    ['an open bracket', 'gemini://[::1/'],
    ['a closing bracket', 'gemini://::1]/'],
    ['text behind the brackets', 'gemini://[::1]x/'],
    ['text behind the brackets, with a port', 'gemini://[::1]x:1965/'],
    ['a name in brackets', 'gemini://[example.org]/'],
    ['a zone', 'gemini://[fe80::1%25eth0]/'],
    ['an address of the future', 'gemini://[v1.fe80::a]/'],
    ['an octal address', 'gemini://0177.0.0.1/'],
    ['a number for an address', 'gemini://2130706433/'],
    ['an address in fullwidth digits', 'gemini://１２７.0.0.1/'],
    ['an empty label', 'gemini://example..org/'],
    ['a comma for a dot', 'gemini://example,org/'],
    ['a lone surrogate in the query', 'gemini://example.org/?\ud800'],
    ['a megabyte', `gemini://example.org/${'a'.repeat(2 ** 20)}`],
  ])('refuses %s', (_, line) => {
    expect(() => parse(line)).toThrow(INVALID)
  })

  it('keeps the request out of its messages, since it can hold secrets', () => {
    for (const line of [
      'gemini://user:hunter2@example.org/',
      'gemini://hunter2@example.org/',
      'gemini://example.org/?hunter2%',
      'gemini://example.org/?hunter2#',
      'titan://example.org/;token=hunter2%ff',
      'titan://example.org/;token=hunter2;token=hunter2',
      'titan://example.org/;hunter2',
    ]) {
      try {
        parse(line)
        expect.unreachable()
      } catch (error) {
        expect(String(error)).not.toContain('hunter2')
      }
    }
  })

  it('reads each character a few times, however the text is made', () => {
    for (const piece of ['a', '/', '/..', '%', ':', '@', '://', '?', ';', ';a=', '[', '.', 'ü', ' ']) {
      for (const start of ['', 'titan://', 'titan://example.org/', 'titan://example.org/?']) {
        const long = start + piece.repeat(2 ** 20)
        expect(countReads(() => parse(long))).toBeLessThan(500)
        expect(countReads(() => parse(long.slice(0, 16_384)))).toBeLessThan(20 * 16_384)
      }
    }
  })

  it('takes a scheme with a bad port for a mistake of the program', () => {
    expect(() => parseTarget('gemini://a/', { schemes: { gemini: 0 }, served: 'any' })).toThrow(RangeError)
  })
})

describe('served', () => {
  it.each([
    ['gemini://example.org/', ['example.org']],
    ['gemini://example.org:1966/', ['example.org']],
    ['gemini://example.org:1966/', ['example.org:1966']],
    ['gemini://example.org/', ['example.org:1965']],
    ['gemini://example.org/', ['other.example', 'example.org']],
    ['gemini://example.org/', ['EXAMPLE.org.']],
    ['gemini://bücher.example/', ['bücher.example']],
    ['gemini://bücher.example/', ['xn--bcher-kva.example']],
    ['gemini://bücher.example/', ['BÜCHER.example.:1965']],
    ['gemini://[::1]/', ['::1']],
    ['gemini://[::1]/', ['[::1]']],
    ['gemini://[::1]/', ['[0::1]:1965']],
    ['gemini://[::1:1965]/', ['::1:1965']],
    ['gemini://192.0.2.1/', ['::ffff:192.0.2.1']],
  ])('lets %s through to %s', (line, served) => {
    expect(parse(line, served)).toBeInstanceOf(RequestTarget)
  })

  it.each([
    ['gemini://example.org/', []],
    ['gemini://example.org/', ['example.net']],
    ['gemini://example.org/', ['example.org:1966']],
    ['gemini://example.org:1966/', ['example.org:1965']],
    ['gemini://sub.example.org/', ['example.org']],
    ['gemini://example.org.evil.example/', ['example.org']],
    ['gemini://evilexample.org/', ['example.org']],
    ['gemini://exаmple.org/', ['example.org']],
    ['gemini://[::1]:1965/', ['::1:1965']],
    ['gemini://127.0.0.1/', ['localhost']],
  ])('holds %s back from %s', (line, served) => {
    expect(() => parse(line, served)).toThrow(WRONG_HOST)
  })

  it('calls a malformed request malformed, whatever its host', () => {
    expect(() => parse('gemini://evil.example/%zz', ['example.org'])).toThrow(INVALID)
  })

  it.each([
    'https://example.org/',
    'HTTPS://example.org',
    'http://example.org:80/?q',
    'gopher://evil.example/',
    'https://[::1]:443/a/b',
    'spartan://example.org/',
    // A scheme that every object has.
    'constructor://example.org/',
  ])('calls %s, which is in order, one of another scheme, whatever its host', (line) => {
    expect(() => parse(line, ['example.org'])).toThrow(WRONG_SCHEME)
    expect(() => parse(line, 'any')).toThrow(WRONG_SCHEME)
  })

  it.each([
    'https://example.org/%zz',
    'https://ana@example.org/',
    'https://example.org/#part',
    'https://example.org:0/',
    'https://exa mple.org/',
    'https://',
    'file:///etc/passwd',
    'mailto:ana@example.org',
  ])('calls %s malformed, whatever its scheme', (line) => {
    expect(() => parse(line, ['example.org'])).toThrow(INVALID)
  })

  it('names an entry that is no host', () => {
    expect(() => parse('gemini://example.org/', ['*.example.net'])).toThrow(/"served".*\*\.example\.net/)
    expect(() => parse('gemini://example.org/', ['*.example.net'])).toThrow(TypeError)
  })

  it('does not take a text for a list', () => {
    // @ts-expect-error: 'example.org' is no list, and 'example.org'.includes('org') would be true
    expect(() => parse('gemini://org/', 'example.org')).toThrow(TypeError)
    // @ts-expect-error: forgotten
    expect(() => parseTarget('gemini://example.org/', { schemes, served: undefined })).toThrow(TypeError)
  })
})

describe('Titan parameters', () => {
  it.each([
    [
      'titan://example.org/admin;size=3;mime=text/plain;token=a%20b',
      '/admin',
      { size: '3', mime: 'text/plain', token: 'a b' },
    ],
    ['titan://example.org/admin;mime=text%2Fplain', '/admin', { mime: 'text/plain' }],
    ['titan://example.org/admin/;size=3', '/admin/', { size: '3' }],
    ['titan://example.org/;size=3', '/', { size: '3' }],
    ['titan://example.org/a/../admin;size=3', '/admin', { size: '3' }],
    ['titan://example.org/admin;token=x/../../pub', '/admin', { token: 'x/../../pub' }],
    ['titan://example.org/admin;token=', '/admin', { token: '' }],
    ['titan://example.org/admin;token=a=b', '/admin', { token: 'a=b' }],
    ['titan://example.org/admin;token=a%3Bsize%3D9', '/admin', { token: 'a;size=9' }],
    ['titan://example.org/admin;token=%25', '/admin', { token: '%' }],
    ['titan://example.org/admin', '/admin', {}],
    ['titan://example.org/admin%3Bsize=3', '/admin;size=3', {}],
  ])('splits %s', (line, path, parameters) => {
    const target = parse(line)
    expect(target.path.toString()).toBe(path)
    expect(Object.fromEntries(target.parameters)).toEqual(parameters)
  })

  it.each([
    ['an empty parameter', 'titan://example.org/admin;'],
    ['an empty parameter at the end', 'titan://example.org/admin;size=3;'],
    ['a name without a value', 'titan://example.org/admin;size'],
    ['a value without a name', 'titan://example.org/admin;=3'],
    ['a name in upper case', 'titan://example.org/admin;Size=3'],
    ['an escaped name', 'titan://example.org/admin;s%69ze=3'],
    ['a parameter that comes twice', 'titan://example.org/admin;size=3;size=4'],
    ['a segment after a semicolon', 'titan://example.org/pub;x/admin;size=3'],
    ['a malformed escape', 'titan://example.org/admin;token=%'],
    ['malformed UTF-8', 'titan://example.org/admin;token=%ff'],
    ['an encoded line end', 'titan://example.org/admin;token=a%0d%0ab'],
    ['parameters of the host', 'titan://example.org;size=3'],
  ])('refuses %s', (_, line) => {
    expect(() => parse(line)).toThrow(INVALID)
  })

  it('belong to Titan only', () => {
    const target = parse('gemini://example.org/admin;size=3')
    expect(target.path.toString()).toBe('/admin;size=3')
    expect(target.parameters.size).toBe(0)
  })
})

describe('targetFromParts', () => {
  const spartan = { scheme: 'spartan', host: 'example.org', port: 300, path: '/club/' }

  it('makes the same target as a URL', () => {
    const target = targetFromParts({ ...spartan, query: 'a' }, { served: ['example.org'] })
    const parsed = parseTarget('spartan://example.org/club/?a', { schemes: { spartan: 300 }, served: 'any' })
    expect(target).toEqual(parsed)
    expect(target.endpoint.equals(parsed.endpoint)).toBe(true)
  })

  it.each([
    ['example.org', 'example.org:300'],
    ['EXAMPLE.org.', 'example.org:300'],
    ['example.org:301', 'example.org:301'],
    ['bücher.example', 'xn--bcher-kva.example:300'],
    ['::1', '[::1]:300'],
    ['[::1]', '[::1]:300'],
    ['[::1]:301', '[::1]:301'],
  ])('reads the host %s', (host, endpoint) => {
    expect(targetFromParts({ ...spartan, host }, { served: 'any' }).endpoint.toString()).toBe(endpoint)
  })

  it('takes an empty path for the root', () => {
    expect(targetFromParts({ ...spartan, path: '' }, { served: 'any' }).path.toString()).toBe('/')
    expect(targetFromParts(spartan, { served: 'any' }).query).toBeNull()
  })

  it.each([
    ['an empty host', { host: '' }],
    ['a host with a path', { host: 'example.org/x' }],
    ['a host with a user', { host: 'user@example.org' }],
    ['a host with a line end', { host: 'example.org\r\n' }],
    ['port 0 in the host', { host: 'example.org:0' }],
    ['a relative path', { path: 'club' }],
    ['a query without an end', { query: 'q'.repeat(16_385) }],
    ['a path with a query', { path: '/club?x' }],
    ['an encoded slash', { path: '/club%2f' }],
    ['a malformed query', { query: '100%' }],
    ['a query with a space', { query: 'a b' }],
  ])('refuses %s', (_, change) => {
    expect(() => targetFromParts({ ...spartan, ...change }, { served: 'any' })).toThrow(INVALID)
  })

  it('holds back a host that is not served', () => {
    expect(() => targetFromParts(spartan, { served: ['example.net'] })).toThrow(WRONG_HOST)
  })

  it.each([{ scheme: 'Spartan' }, { scheme: '' }, { scheme: 'a b' }, { port: 0 }, { port: 1.5 }])(
    'takes %o for a mistake of the program',
    (change) => {
      expect(() => targetFromParts({ ...spartan, ...change }, { served: 'any' })).toThrow(/"scheme"|"port"/)
    },
  )

  it('cannot be imitated by an object of the same shape', () => {
    const target = targetFromParts(spartan, { served: 'any' })
    expect(RequestTarget.is(target)).toBe(true)
    expect(RequestTarget.is({ ...target })).toBe(false)
  })
})

// In capitals a scheme would never be found, and nobody would be served.
it.each([null, undefined, 'gemini', { Gemini: 1965 }, { 'gemini:': 1965 }, { '': 1 }])(
  'takes no schemes like %j',
  (schemes) => {
    expect(() => parseTarget('gemini://example.org/', { schemes: schemes as never, served: 'any' })).toThrow(TypeError)
  },
)
