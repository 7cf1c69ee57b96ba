import { describe, expect, it } from 'vitest'
import { parseRequestPath, RequestPath } from '../../src/names/request-path.ts'
import { countReads } from './reads.ts'

const text = (raw: string): string => parseRequestPath(raw).toString()

describe('parseRequestPath', () => {
  it.each([
    ['/', []],
    ['/a', ['a']],
    ['/a/', ['a']],
    ['/a/b', ['a', 'b']],
    ['/a%20b/%C3%BC', ['a b', 'ü']],
    ['/ü', ['ü']],
    ['/[draft]|v1^2', ['[draft]|v1^2']],
    ["/~user/a:b@c!$&'()*+,;=-._", ['~user', "a:b@c!$&'()*+,;=-._"]],
    ['/...', ['...']],
    ['/.a/..b/c..', ['.a', '..b', 'c..']],
    ['/100%25', ['100%']],
    ['/%2541', ['%41']],
    ['/%252e%252e/a', ['%2e%2e', 'a']],
    ['/%252Fetc', ['%2Fetc']],
    ['/a%3Fb%23c', ['a?b#c']],
    ['/💩', ['💩']],
  ])('reads %s as its segments, decoded once', (raw, segments) => {
    expect(parseRequestPath(raw).segments).toEqual(segments)
  })

  // All of these are the protected page of somebody's rule for /admin.
  it.each([
    '/admin/x',
    '//admin/x',
    '///admin//x',
    '/./admin/x',
    '/admin/./x',
    '/admin//./x',
    '/pub/../admin/x',
    '/../admin/x',
    '/../../../admin/x',
    '/pub/..//admin/x',
    '/pub//../admin/x',
    '/%61dmin/x',
    '/%61%64%6d%69%6e/%78',
    '/%61%64%6D%69%6E/x',
    '/%2e/admin/x',
    '/%2e%2e/admin/x',
    '/pub/%2e%2e/admin/x',
    '/pub/.%2E/admin/x',
    '/pub/%2E./admin/x',
    '/admin/y/../x',
  ])('takes %s for /admin/x', (raw) => {
    expect(text(raw)).toBe('/admin/x')
    expect(parseRequestPath(raw).equals(parseRequestPath('/admin/x'))).toBe(true)
  })

  it.each([
    ['/', '/', true],
    ['/a', '/a', false],
    ['/a/', '/a/', true],
    ['/a//', '/a/', true],
    ['/a/.', '/a/', true],
    ['/a/b/..', '/a/', true],
    ['/a/%2e', '/a/', true],
    ['/a/..', '/', true],
    ['/..', '/', true],
    ['/a/./b', '/a/b', false],
    ['/a/...', '/a/...', false],
  ])('writes %s as %s and knows whether it is a directory', (raw, canonical, isDirectory) => {
    expect(text(raw)).toBe(canonical)
    expect(parseRequestPath(raw).isDirectory).toBe(isDirectory)
  })

  it('keeps paths apart that only look alike', () => {
    const paths = ['/Admin', '/admin', '/admin;x', '/admin ', '/аdmin', '/adm\u0131n', '/admin.', '/e\u0301', '/\u00e9']
    expect(new Set(paths.map((path) => text(path.replace(' ', '%20')))).size).toBe(paths.length)
  })

  it.each([
    ['nothing', ''],
    ['a relative path', 'admin'],
    ['a dot', '.'],
    ['a URL', 'gemini://example.org/'],
    ['a query', '/admin?x'],
    ['a fragment', '/admin#x'],
    ['a backslash', '/pub\\..\\admin'],
    ['an encoded backslash', '/pub%5c..%5cadmin'],
    ['an encoded backslash in upper case', '/pub%5C..'],
    ['an encoded slash', '/admin%2fx'],
    ['an encoded slash in upper case', '/admin%2Fx'],
    ['an encoded slash in front', '/%2Fadmin'],
    ['an encoded slash among dots', '/..%2fadmin'],
    ['a NUL', '/admin\0'],
    ['an encoded NUL', '/admin%00'],
    ['an encoded NUL before an extension', '/admin%00.gmi'],
    ['a space', '/ad min'],
    ['a tab', '/ad\tmin'],
    ['a line end', '/admin\r\n'],
    ['an encoded tab', '/ad%09min'],
    ['an encoded CR', '/admin%0d'],
    ['an encoded LF', '/admin%0A'],
    ['an encoded ESC', '/%1B[31m'],
    ['DEL', '/\x7f'],
    ['an encoded DEL', '/%7f'],
    ['an eight-bit CSI', '/\x9b31m'],
    ['an encoded eight-bit CSI', '/%C2%9B31m'],
    ['a percent sign alone', '/100%'],
    ['half an escape', '/a%2'],
    ['no hexadecimal digits', '/a%zz'],
    ['an IIS escape', '/%u0061dmin'],
    ['half an escape of a slash', '/a%%32%66'],
    ['overlong UTF-8 for a slash', '/%c0%afadmin'],
    ['overlong UTF-8 for a dot', '/%c0%ae%c0%ae/admin'],
    ['overlong UTF-8 of three octets', '/%e0%80%afadmin'],
    ['overlong UTF-8 for NUL', '/%c0%80'],
    ['a lone octet', '/%ff'],
    ['half a character', '/%c3'],
    ['an encoded surrogate', '/%ed%a0%80'],
    ['a character above U+10FFFF', '/%f4%90%80%80'],
    ['a lone surrogate', '/\ud800'],
    ['the mark of a lossy decoder', '/\ufffd'],
    ['a quotation mark', '/"admin"'],
    ['angle brackets', '/<admin>'],
    ['braces', '/{admin}'],
    ['a backquote', '/`admin`'],
    ['a megabyte', `/${'a'.repeat(2 ** 20)}`],
  ])('refuses %s', (_, raw) => {
    expect(() => parseRequestPath(raw)).toThrow(
      expect.objectContaining({ name: 'InvalidNameError', code: 'ERR_TLACACOCA_TARGET_INVALID' }),
    )
  })

  it('takes 8,192 characters and not one more', () => {
    expect(parseRequestPath(`/${'a'.repeat(8191)}`).segments).toHaveLength(1)
    expect(() => parseRequestPath(`/${'a'.repeat(8192)}`)).toThrow(/longer/)
  })

  it('cannot be changed afterwards', () => {
    const { segments } = parseRequestPath('/pub/x')
    expect(() => Reflect.apply(Array.prototype.push, segments, ['admin'])).toThrow(TypeError)
  })

  it('reads each character a few times, however the text is made', () => {
    for (const piece of ['a', '/', '/..', '/.', '%41', '%', '/%2e%2e', 'ü', '//../']) {
      const long = `/${piece.repeat(2 ** 20)}`
      expect(countReads(() => parseRequestPath(long))).toBeLessThan(500)
      expect(countReads(() => parseRequestPath(long.slice(0, 8192)))).toBeLessThan(20 * 8192)
    }
  })

  it('takes something other than text for a mistake of the program', () => {
    // @ts-expect-error: a missing part of a request
    expect(() => parseRequestPath(undefined)).toThrow(TypeError)
  })
})

describe('startsWith', () => {
  it.each([
    ['/club/', '/club/', true],
    ['/club', '/club/', true],
    ['/club/', '/club', true],
    ['/club/rules', '/club/', true],
    ['/club/rules', '/club', true],
    ['/clubhouse', '/club', false],
    ['/clubhouse', '/club/', false],
    ['/club/../secret', '/club/', false],
    ['/publisher-secret', '/pub', false],
    ['/pub', '/pub/deep', false],
    ['/Club', '/club', false],
    ['/anything', '/', true],
    ['/', '/', true],
    ['/', '/club', false],
    ['/club;x', '/club', false],
  ])('%s within %s: %s', (path, prefix, expected) => {
    expect(parseRequestPath(path).startsWith(parseRequestPath(prefix))).toBe(expected)
  })
})

describe('RequestPath', () => {
  it('is equal to the same path only', () => {
    const path = parseRequestPath('/a/b')
    expect(path.equals(parseRequestPath('/a/./b'))).toBe(true)
    for (const other of ['/a/b/', '/a', '/a/b/c', '/a/c']) expect(path.equals(parseRequestPath(other))).toBe(false)
  })

  it('cannot be imitated by an object of the same shape', () => {
    expect(RequestPath.is(parseRequestPath('/'))).toBe(true)
    expect(RequestPath.is({ ...parseRequestPath('/') })).toBe(false)
  })
})
