import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { logged, loggedText } from '../logging/log-support.ts'

const SECRET = 'opensesame'

/** Letters that a URL may have, and none of those that divide it. */
const word = fc.string({ unit: fc.constantFrom(...'abcxyz019-._~%+'), minLength: 1, maxLength: 20 })
const path = fc.array(word, { maxLength: 4 }).map((segments) => `/${segments.join('/')}`)
const scheme = fc.oneof(fc.constantFrom('gemini', 'titan', 'https', 'x+y', 'GEMINI'), fc.constant('s'.repeat(50)))

// Where the secret stands in a URL.
const url = fc.oneof(
  fc.tuple(scheme, word, path, word).map(([s, host, p, w]) => `${s}://${host}${p}?${w}${SECRET}`),
  fc.tuple(scheme, word, path, word).map(([s, host, p, w]) => `${s}://${host}${p}#${w}${SECRET}`),
  fc.tuple(scheme, word, path, word).map(([s, host, p, w]) => `${s}://${w}:${SECRET}@${host}${p}`),
  fc
    .tuple(scheme, word, path, word)
    .map(([s, host, p, w]) => `${s}://${host}${p};size=3;token=${w}${SECRET};mime=${w}`),
  fc.tuple(path, word).map(([p, w]) => `${p}?${w}${SECRET}`),
  fc.tuple(path, word).map(([p, w]) => `${p};token=${w}${SECRET}`),
)

// What can stand around it.
const before = fc.oneof(
  fc.constantFrom('', ' ', '"', "'", '<', '(', 'url=', 'x_', 'gemini://proxy/', '{"url":"', '\u202e', '-----'),
  fc.string().map((text) => `${text} `),
)
const after = fc.oneof(
  fc.constantFrom('', ' ', '"', '>', ')', ',gemini://a/', '"}'),
  fc.string().map((text) => ` ${text}`),
)

describe('a secret in a URL', () => {
  it('is in no line, wherever the URL is', () => {
    fc.assert(
      fc.property(before, url, after, (start, secretive, end) => {
        const text = `${start}${secretive}${end}`
        const line = JSON.stringify(
          logged({
            text,
            [text]: 1,
            nested: [{ text }],
            error: new Error('no', { cause: new Error(text) }),
            url: text,
          }),
        )
        expect(line).not.toContain(SECRET)
        expect(loggedText(text)).not.toContain(SECRET)
      }),
    )
  })

  it('is in no line either if the line is cut in the middle of it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 8100, max: 8200 }), fc.boolean(), (length, isFirst) => {
        // The query is dropped, so that what was far behind comes into sight.
        const long = isFirst ? '' : `gemini://a/?${'x'.repeat(length - 40)} `
        const user = isFirst ? `u:${'x'.repeat(length)}${SECRET}` : `u:${SECRET}`
        const shown = String(loggedText(`${long}gemini://${user}@example.org/`))
        expect(shown).not.toMatch(/u:/)
      }),
    )
  })

  it('is not kept with the queries, if it is a password', () => {
    fc.assert(
      fc.property(scheme, word, path, word, (s, host, p, query) => {
        const text = `${s}://ana:${SECRET}@${host}${p};token=${SECRET}?${query}`
        for (const shown of [logged({ text, url: text }, { keepQueries: true })]) {
          expect(JSON.stringify(shown)).not.toContain(SECRET)
          expect(shown).toEqual({ text: expect.stringContaining('?'), url: expect.stringContaining('?') })
        }
      }),
    )
  })
})

describe('a private key', () => {
  it('is in no line, whatever is around it', () => {
    const label = fc.constantFrom('', 'RSA ', 'EC ', 'ENCRYPTED ', 'OPENSSH ')
    const lineEnd = fc.constantFrom('\n', '\r\n', '\\n', ' ', '')
    fc.assert(
      fc.property(fc.string(), label, lineEnd, fc.string(), fc.boolean(), (start, kind, eol, end, isWhole) => {
        const begin = `-----BEGIN ${kind}PRIVATE KEY-----${eol}`
        const close = isWhole ? `${eol}-----END ${kind}PRIVATE KEY-----${end}` : ''
        const text = `${start}${begin}${SECRET}${close}`
        const line = JSON.stringify(logged({ text, error: new AggregateError([new Error(text)], text) }))
        expect(line).not.toContain(SECRET)
      }),
    )
  })
})
