// Which identity a URL gets, against a model that is as plain as can be: texts of scopes and URLs that are put together
// from parts, and a comparison of the parts.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { requirePlace } from '../../src/identity/wallet/place.ts'
import { originScope, pathScope } from '../../src/identity/wallet/scope.ts'
import { bestMatch } from '../../src/identity/wallet/scope-match.ts'

interface Parts {
  readonly scheme: string
  readonly host: string
  readonly port: number
  readonly segments: readonly string[]
}

// Few of each, so that they meet often, and such as have something in common.
const scheme = fc.constantFrom('gemini', 'titan', 'scroll')
const host = fc.constantFrom('example.org', 'example.org.evil.example', 'xn--bcher-kva.example', '[::1]', '127.0.0.1')
const port = fc.constantFrom(1965, 1966, 5699)
const segment = fc.constantFrom('a', 'b', 'ab', 'a b', 'A', 'a.', '...', 'ü', '%', ';', '~', 'a;b')
const parts: fc.Arbitrary<Parts> = fc.record({ scheme, host, port, segments: fc.array(segment, { maxLength: 4 }) })

const groupOf = (each: string): string => (each === 'titan' ? 'gemini' : each)
const isCovered = (scope: Parts, url: Parts): boolean =>
  groupOf(scope.scheme) === groupOf(url.scheme) &&
  scope.host === url.host &&
  scope.port === url.port &&
  scope.segments.every((name, index) => url.segments[index] === name)

const plain = ({ scheme, host, port, segments }: Parts): string =>
  `${scheme}://${host}:${port}/${segments.map(encodeURIComponent).join('/')}`

/** The same URL in one of its other spellings. */
const disguised = fc
  .tuple(parts, fc.infiniteStream(fc.nat(7)))
  .map(([{ scheme, host, port, segments }, dice]): [Parts, string] => {
    const roll = (): number => dice.next().value ?? 0
    const isPlainName = /^[a-z.]+$/.test(host)
    const written = segments.map((name) => {
      const encoded = encodeURIComponent(name).replace(/^[aAb]/, (letter) =>
        roll() === 0 ? `%${letter.charCodeAt(0).toString(16)}` : letter,
      )
      // A dot segment, an empty one, a way there and back: none of them is a segment.
      return ['', './', '/', 'x/../', '%2e/', 'x/%2E./', '', ''][roll()] + encoded
    })
    const authority = isPlainName && roll() < 2 ? `${host.toUpperCase()}.` : host
    const hostText = host.startsWith('xn--') && roll() < 2 ? 'BÜCHER.example' : authority
    const usual = scheme === 'scroll' ? 5699 : 1965
    const portText = port === usual && roll() < 3 ? ['', ':'][roll() % 2] : `:${port}`
    const end = `${['', '/', '/.', ''][roll() % 4]}${scheme === 'titan' ? ['', ';size=3', ''][roll() % 3] : ''}`
    const query = ['', '?', '?a=/b/../c'][roll() % 3]
    return [
      { scheme, host, port, segments },
      `${roll() < 2 ? scheme.toUpperCase() : scheme}://${hostText}${portText}/${written.join('/')}${end}${query}`,
    ]
  })

it('a scope covers a URL in any spelling exactly if their parts say so', () => {
  fc.assert(
    fc.property(parts, disguised, (scope, [url, text]) => {
      expect(pathScope(plain(scope)).covers(text)).toBe(isCovered(scope, url))
      expect(originScope(plain(scope)).covers(text)).toBe(isCovered({ ...scope, segments: [] }, url))
    }),
    { numRuns: 3000 },
  )
})

it('a scope made of a URL covers it, and is the same in each of its spellings', () => {
  fc.assert(
    fc.property(disguised, ([url, text]) => {
      const scope = pathScope(text)
      expect(scope.covers(text)).toBe(true)
      expect(scope.equals(pathScope(plain(url)))).toBe(true)
      expect(pathScope(String(scope)).equals(scope)).toBe(true)
      expect(String(pathScope(String(scope)))).toBe(String(scope))
    }),
    { numRuns: 2000 },
  )
})

it('of all identities that cover a URL the longest path is chosen, and of several such the latest use', () => {
  const candidate = fc.record({ parts, lastUsed: fc.nat(5) })
  fc.assert(
    fc.property(fc.array(candidate, { maxLength: 12 }), disguised, (candidates, [url, text]) => {
      const known = candidates.map((each, index) => ({ ...each, id: `${index}`.padStart(2, '0') }))
      const best = known
        .filter((each) => isCovered(each.parts, url))
        .sort(
          (a, b) =>
            b.parts.segments.length - a.parts.segments.length || b.lastUsed - a.lastUsed || (a.id < b.id ? -1 : 1),
        )[0]
      const scoped = known.map(({ id, lastUsed, parts }) => ({ id, lastUsed, scope: pathScope(plain(parts)) }))
      expect(bestMatch(requirePlace(text), scoped)?.id).toBe(best?.id)
      expect(bestMatch(requirePlace(text), scoped.toReversed())?.id).toBe(best?.id)
    }),
    { numRuns: 2000 },
  )
})

it('whatever a scope is asked about, it answers or says that it is no URL', () => {
  const scope = pathScope('gemini://example.org/a')
  const noise = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.string({ maxLength: 40 }).map((text) => `gemini://example.org/a${text}`),
    fc.string({ maxLength: 40 }).map((text) => `gemini://${text}example.org/a`),
  )
  fc.assert(
    fc.property(noise, (text) => {
      try {
        // If the answer is yes, then because of a URL of this very server.
        if (scope.covers(text)) expect(requirePlace(text).endpoint.host).toBe('example.org')
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_TLACACOCA_TARGET_INVALID' })
      }
    }),
    { numRuns: 3000 },
  )
})
