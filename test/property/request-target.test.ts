import fc from 'fast-check'
import { expect, it } from 'vitest'
import { InvalidNameError } from '../../src/errors.ts'
import { parseTarget, type RequestTarget, targetFromParts } from '../../src/names/request-target.ts'

const options = { schemes: { gemini: 1965, titan: 1965 }, served: 'any' } as const
const hosts = fc.oneof(
  fc.domain(),
  fc.ipV4(),
  fc.ipV6().map((address) => `[${address}]`),
)
const paths = fc.webPath().map((path) => (path.startsWith('/') ? path : `/${path}`))
const queries = fc.webQueryParameters()

function tryParse(line: string): RequestTarget | null {
  try {
    return parseTarget(line, options)
  } catch (error) {
    // The only way out for a text from the network.
    if (error instanceof InvalidNameError) return null
    throw error
  }
}

const refusable = (text: string): boolean => /%(?:2f|5c|[01][0-9a-f]|7f|c2%[89])/i.test(text)

it('reads every absolute URL that was put together from valid parts', () => {
  fc.assert(
    fc.property(
      hosts,
      fc.option(fc.integer({ min: 1, max: 65535 })),
      paths,
      fc.option(queries),
      (host, port, path, query) => {
        fc.pre(!refusable(path))
        const line = `gemini://${host}${port === null ? '' : `:${port}`}${path}${query === null ? '' : `?${query}`}`
        const target = tryParse(line)
        fc.pre(target !== null || !/%/.test(path)) // a random escape need not be UTF-8
        expect(target).toMatchObject({ scheme: 'gemini', query })
        expect(target?.endpoint.port).toBe(port ?? 1965)
        expect(targetFromParts({ scheme: 'gemini', host, port: port ?? 1965, path, query }, options)).toEqual(target)
      },
    ),
    { numRuns: 2000 },
  )
})

it('throws nothing but InvalidNameError, whatever the network sends', () => {
  const pieces = fc.constantFrom(
    'gemini',
    'titan',
    '://',
    ':',
    '/',
    '//',
    '@',
    '?',
    '#',
    ';',
    '=',
    '[',
    ']',
    '::1',
    '%',
    '%2e',
    '..',
    '.',
    'a',
    'ü',
    '1',
    '\\',
    '\t',
    ' ',
    '\ud800',
  )
  const lines = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(pieces).map((list) => list.join('')),
    fc.array(pieces).map((list) => `titan://${list.join('')}`),
    fc.array(pieces).map((list) => `titan://a/${list.join('')}`),
  )
  fc.assert(
    fc.property(lines, (line) => {
      tryParse(line)
    }),
    { numRuns: 20_000 },
  )
})

it('finds the same host as the URL parser wherever it accepts a line', () => {
  const tricks = fc.constantFrom(
    'example.org',
    'evil.example',
    '@',
    ':',
    '/',
    '\\',
    '?',
    '#',
    ';',
    '1965',
    '.',
    '[',
    ']',
    '%40',
    '%2f',
    'ü',
    '。',
  )
  fc.assert(
    fc.property(
      fc.array(tricks, { maxLength: 8 }).map((list) => list.join('')),
      (rest) => {
        const target = tryParse(`gemini://${rest}`)
        if (target === null) return
        // For `https` the URL parser normalizes hosts, so the two can be compared.
        const url = new URL(`https://${rest}`)
        expect(url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')).toBe(target.endpoint.host)
        expect(url.username + url.password + url.hash).toBe('')
      },
    ),
    { numRuns: 20_000 },
  )
})
