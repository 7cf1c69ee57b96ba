import { describe, expect, it } from 'vitest'
import { isSameOrigin, requirePlace } from '../../../src/identity/wallet/place.ts'
import { IdentityScope, originScope, pathScope, readScope } from '../../../src/identity/wallet/scope.ts'
import { bestMatch } from '../../../src/identity/wallet/scope-match.ts'
import { parseTarget } from '../../../src/names/request-target.ts'

const club = pathScope('gemini://example.org/club')

describe('a scope for a path', () => {
  it.each([
    'gemini://example.org/club',
    'gemini://example.org/club/',
    'gemini://example.org/club/rules.gmi',
    'gemini://example.org/club?query',
    'gemini://example.org/club/a/b/../c',
    'gemini://example.org/x/../club',
    'gemini://example.org//club',
    'gemini://example.org/%63lub/x',
    'gemini://example.org:1965/club',
    'gemini://example.org:/club',
    'gemini://EXAMPLE.org./club',
    'GEMINI://example.org/club',
    'titan://example.org/club/new.gmi;size=3;mime=text/plain',
    'titan://example.org/club;token=x;size=3',
  ])('covers %s', (url) => {
    expect(club.covers(url)).toBe(true)
  })

  it.each([
    // Paths that share letters and no segments.
    'gemini://example.org/clubhouse',
    'gemini://example.org/club.gmi',
    'gemini://example.org/club%2e',
    'gemini://example.org/Club',
    'gemini://example.org/',
    'gemini://example.org/club/..',
    'gemini://example.org/club/../admin',
    'gemini://example.org/club/%2e%2e/admin',
    'gemini://example.org/club/./../admin',
    'gemini://example.org/a/club',
    // Titan's parameters are no part of the path; in Gemini they are.
    'gemini://example.org/club;size=3',
    // Other servers.
    'gemini://example.org.evil.example/club',
    'gemini://evil.example/example.org/club',
    'gemini://sub.example.org/club',
    'gemini://xn--xample-9uf.org/club',
    'gemini://ехample.org/club',
    'gemini://example.com/club',
    'gemini://example.org:1966/club',
    'titan://example.org:1966/club',
    // Other protocols.
    'scroll://example.org/club',
    'misfin://example.org/club',
    'spartan://example.org/club',
    'https://example.org/club',
    'gemini+submit://example.org/club',
  ])('does not cover %s', (url) => {
    expect(club.covers(url)).toBe(false)
  })

  it.each([
    'gemini://user@example.org/club',
    'gemini://example.org@evil.example/club',
    'gemini://example.org:1965@evil.example/club',
    'gemini://example.org/club#part',
    'gemini://example.org/club%2frules',
    'gemini://example.org/club%5crules',
    'gemini://example.org\\@evil.example/club',
    'gemini://example.org/club\r\n',
    'gemini://example.org/club\t',
    'gemini://example.org/club%00',
    'gemini://example.org/%c0%ae%c0%ae/club',
    'gemini://example.org:0/club',
    'gemini://example.org:99999/club',
    'gemini://[::1/club',
    'gemini:///club',
    'gemini:/club',
    'gemini:example.org/club',
    '//example.org/club',
    '/club',
    '/club/a:b',
    '//spartan:300/club',
    'example.org/club',
    '',
  ])('is not asked about %j, which is no URL of a request', (url) => {
    expect(() => club.covers(url)).toThrow(expect.objectContaining({ code: 'ERR_TLACACOCA_TARGET_INVALID' }))
  })

  it('takes a URL of the platform, and a target that was parsed before', () => {
    expect(club.covers(new URL('gemini://EXAMPLE.org/club/x'))).toBe(true)
    const target = parseTarget('titan://example.org/club;size=0', { schemes: { titan: 1965 }, served: 'any' })
    expect(club.covers(target)).toBe(true)
    expect(club.covers(parseTarget('spartan://example.org/club', { schemes: { spartan: 300 }, served: 'any' }))).toBe(
      false,
    )
  })

  it('tells what is no URL at all by its type', () => {
    for (const nothing of [null, undefined, 5, {}]) {
      // @ts-expect-error Not a URL.
      expect(() => club.covers(nothing)).toThrow(/^"url" expected a URL, got /)
      // @ts-expect-error Not a URL.
      expect(() => pathScope(nothing)).toThrow(TypeError)
      // @ts-expect-error Not a URL.
      expect(() => readScope('scope', nothing)).toThrow(/^"scope" expected an IdentityScope or a URL, got /)
    }
  })
})

it('of a whole site covers every path of it, by both of its protocols, and nothing else', () => {
  const site = originScope('titan://example.org/join;size=3')
  expect(site.isWholeOrigin).toBe(true)
  for (const path of ['', '/', '/x', '/join', '/a/b?c']) {
    expect(site.covers(`gemini://example.org${path}`)).toBe(true)
    expect(site.covers(`titan://example.org${path}`)).toBe(true)
    expect(site.covers(`gemini://example.org:1966${path}`)).toBe(false)
    expect(site.covers(`gemini://www.example.org${path}`)).toBe(false)
  }
})

it.each([
  ['gemini://EXAMPLE.org', 'gemini://example.org/'],
  ['gemini://example.org:1965/a/', 'gemini://example.org/a/'],
  ['gemini://example.org:19650/a', 'gemini://example.org:19650/a'],
  ['gemini://[0:0::1]/x', 'gemini://[::1]/x'],
  ['gemini://[::1]:1966/x', 'gemini://[::1]:1966/x'],
  ['gemini://bücher.example/lesen', 'gemini://xn--bcher-kva.example/lesen'],
  ['titan://example.org/a;size=1', 'gemini://example.org/a'],
  ['gemini://example.org/a;b/100%25/ü?q', 'gemini://example.org/a%3Bb/100%25/%C3%BC'],
  ['scroll://example.org/a', 'scroll://example.org/a'],
  ['misfin://example.org:1958/', 'misfin://example.org/'],
])('of %s is written as %s, and read again', (url, text) => {
  const scope = pathScope(url)
  expect(String(scope)).toBe(text)
  expect(JSON.stringify({ scope })).toBe(JSON.stringify({ scope: text }))
  expect(pathScope(text).equals(scope)).toBe(true)
})

it('is read as an argument: one that was made before, or a URL, whose own mistakes are told', () => {
  expect(readScope('scope', club)).toBe(club)
  expect(String(readScope('scope', 'gemini://example.org/a'))).toBe('gemini://example.org/a')
  expect(() => readScope('scope', 'gemini://ana@example.org/')).toThrow(
    expect.objectContaining({ code: 'ERR_TLACACOCA_TARGET_INVALID' }),
  )
})

describe('of several scopes that cover a place', () => {
  const place = requirePlace('gemini://example.org/club/rules/today')
  const candidates = (...list: [id: string, url: string, lastUsed: number][]) =>
    list.map(([id, url, lastUsed]) => ({ id, scope: pathScope(url), lastUsed }))
  const best = (...list: [id: string, url: string, lastUsed: number][]) => {
    const ids = [list, list.toReversed()].map((order) => bestMatch(place, candidates(...order))?.id ?? null)
    // Whatever the order in which they are looked at.
    expect(ids[1]).toBe(ids[0])
    return ids[0]
  }

  it('the one with the longest path counts, however long ago it was used', () => {
    expect(best(['a', 'gemini://example.org/club', 9], ['b', 'gemini://example.org/club/rules', 1])).toBe('b')
    expect(best(['b', 'gemini://example.org/club', 9], ['a', 'gemini://example.org/club/rules', 1])).toBe('a')
    expect(best(['a', 'gemini://example.org/', 9], ['b', 'gemini://example.org/club/rules/today', 1])).toBe('b')
  })

  it('and of equal paths the one that was used last', () => {
    expect(best(['a', 'gemini://example.org/club', 1], ['b', 'gemini://example.org/club/', 2])).toBe('b')
    expect(best(['b', 'gemini://example.org/club', 1], ['a', 'gemini://example.org/club/', 2])).toBe('a')
  })

  it('and of those that were used at the same instant always the same one', () => {
    expect(best(['a', 'gemini://example.org/club', 1], ['b', 'gemini://example.org/club/', 1])).toBe('a')
  })

  it('none counts that covers another place, and of none there is none', () => {
    expect(best(['a', 'gemini://example.org/club/rules/today/a', 1], ['b', 'titan://example.org:1966/', 1])).toBeNull()
    expect(best(['a', 'gemini://example.org/', 1], ['b', 'gemini://example.org/clubhouse', 2])).toBe('a')
    expect(best()).toBeNull()
  })
})

it('two places are of one site if protocols, host and port are the same', () => {
  const place = requirePlace('gemini://example.org/a')
  expect(isSameOrigin(place, requirePlace('titan://EXAMPLE.org/b;size=1'))).toBe(true)
  for (const url of ['scroll://example.org:1965/a', 'gemini://example.org:1966/a', 'gemini://example.com/a']) {
    expect(isSameOrigin(place, requirePlace(url))).toBe(false)
  }
})

it('is equal to another that covers the same', () => {
  expect(pathScope('gemini://example.org/club/').equals(club)).toBe(true)
  expect(pathScope('titan://example.org/club').equals(club)).toBe(true)
  for (const other of ['gemini://example.org/club/a', 'gemini://example.org/', 'gemini://example.org:1966/club']) {
    expect(pathScope(other).equals(club)).toBe(false)
  }
  expect(pathScope('scroll://example.org:1965/club').equals(pathScope('gemini://example.org/club'))).toBe(false)
})

it.each(['spartan://example.org/', 'https://example.org/', 'mailto:ana@example.org'])(
  'is refused for %s, which has no identities',
  (url) => {
    for (const scopeOf of [originScope, pathScope]) {
      expect(() => scopeOf(url)).toThrow(
        expect.objectContaining({
          code: 'ERR_TLACACOCA_TARGET_INVALID',
          message: 'identities are for URLs of gemini, titan, scroll, misfin only',
        }),
      )
    }
  },
)

it('is refused for a target of another protocol too', () => {
  const target = parseTarget('spartan://example.org/', { schemes: { spartan: 300 }, served: 'any' })
  expect(() => pathScope(target)).toThrow(expect.objectContaining({ code: 'ERR_TLACACOCA_TARGET_INVALID' }))
})

it('never changes, and cannot be imitated', () => {
  expect(Object.isFrozen(club)).toBe(true)
  expect(Object.isFrozen(club.schemes)).toBe(true)
  expect(IdentityScope.is(club)).toBe(true)
  expect(IdentityScope.is({ ...club })).toBe(false)
  expect(IdentityScope.is(null)).toBe(false)
  expect(IdentityScope.is(Object.create(IdentityScope.prototype))).toBe(false)
})
