import fc from 'fast-check'
import { expect, it } from 'vitest'
import { CertificateAuth } from '../../src/middleware/certificate-auth.ts'
import type { CertificateRule } from '../../src/middleware/certificate-rule.ts'
import { parseRequestPath } from '../../src/names/request-path.ts'
import { request } from '../middleware/requests.ts'

// Few names, some of which begin like others, so that rules meet and nearly meet all the time.
const names = fc.constantFrom('a', 'b', 'ab', 'admin', 'administrator', 'pub', 'ü', 'a b', '%61')
const paths = fc.array(names, { maxLength: 4 })
const hosts = fc.constantFrom('example.org', 'example.net')
const ports = fc.constantFrom(1965, 1966)
const schemeNames = fc.constantFrom('gemini', 'titan')

const rules = fc.uniqueArray(
  fc.record(
    {
      path: paths.map(plain),
      host: fc.oneof(
        hosts,
        fc.tuple(hosts, ports).map(([host, port]) => `${host}:${port}`),
      ),
      scheme: schemeNames,
      requireCertificate: fc.boolean(),
    },
    { requiredKeys: ['path', 'requireCertificate'] },
  ),
  { maxLength: 12, selector: ({ path, host, scheme }) => `${path} ${host} ${scheme}` },
)

function plain(segments: readonly string[]): string {
  return `/${segments.map(encodeURIComponent).join('/')}`
}

/** The rule that applies, found the slow way. */
function applies(list: readonly CertificateRule[], url: string): CertificateRule | undefined {
  const { target } = request({ url })
  const rank = ({ path, host, scheme }: CertificateRule): number =>
    parseRequestPath(path).segments.length * 8 +
    (host === undefined ? 0 : host.includes(':') ? 6 : 4) +
    (scheme === undefined ? 0 : 1)
  return list
    .filter(({ path }) => target.path.startsWith(parseRequestPath(path)))
    .filter(({ host }) => host === undefined || host === target.endpoint.host || host === String(target.endpoint))
    .filter(({ scheme }) => scheme === undefined || scheme === target.scheme)
    .sort((a, b) => rank(b) - rank(a))[0]
}

const authorities = fc.record({ scheme: schemeNames, host: hosts, port: ports }).map(({ scheme, host, port }) => ({
  prefix: `${scheme}://${host}:${port}`,
}))

it('applies the most specific rule, and no other', () => {
  fc.assert(
    fc.property(rules, authorities, paths, (list, { prefix }, segments) => {
      const url = `${prefix}${plain(segments)}`
      const rule = applies(list, url)
      const result = new CertificateAuth({ rules: list }).decide(request({ url }))
      expect(result).toMatchObject({ allowed: rule === undefined || rule.requireCertificate === false })
    }),
    { numRuns: 1000 },
  )
})

/** Writes a path as somebody would who wants to get past a rule. */
const disguises = fc.array(
  fc.record({
    before: fc.constantFrom('', '', '/', '/.', '/%2e', '/x/..', '/x//%2E%2e', '/./x/.%2e', '///'),
    escaped: fc.boolean(),
  }),
  { minLength: 5, maxLength: 5 },
)

it('decides about a place, not about a spelling of it', () => {
  fc.assert(
    fc.property(rules, authorities, paths, disguises, (list, { prefix }, segments, disguise) => {
      const spelled = segments
        .map((segment, i) => {
          const { before = '', escaped = false } = disguise[i] ?? {}
          const bytes = [...Buffer.from(segment)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`)
          return `${before}/${escaped ? bytes.join('') : encodeURIComponent(segment)}`
        })
        .join('')
      const auth = new CertificateAuth({ rules: list })
      const straight = auth.decide(request({ url: `${prefix}${plain(segments)}` }))
      for (const end of ['', '/', '//', '/.', '?q', '/?/../..']) {
        expect(auth.decide(request({ url: `${prefix}${spelled}${end}` }))).toEqual(straight)
      }
    }),
    { numRuns: 500 },
  )
})
