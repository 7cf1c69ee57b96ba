import { describe, expect, it } from 'vitest'
import { CertificateAuth } from '../../src/middleware/certificate-auth.ts'
import type { CertificateRule } from '../../src/middleware/certificate-rule.ts'
import { request, untyped } from './requests.ts'

/** Whether a request without a certificate is refused. */
function protects(rules: readonly CertificateRule[], url: string): boolean {
  const result = new CertificateAuth({ rules }).decide(request({ url }))
  expect(result).toEqual(expect.objectContaining({ allowed: expect.any(Boolean) }))
  if ('allowed' in result && result.allowed) return false
  expect(result).toEqual({ allowed: false, denialReason: 'cert_required', rule: expect.any(String) })
  return true
}

describe('the path of a rule', () => {
  it.each([
    {
      path: '/admin/',
      covered: ['/admin', '/admin/', '/admin/x', '/admin/x/y', '/admin/x?q', '/%61dmin/', '//admin//'],
    },
    { path: '/admin', covered: ['/admin', '/admin/', '/admin/x', '/x/../admin', '/./admin/.'] },
    { path: '/a/b', covered: ['/a/b', '/a/b/', '/a/b/c', '/a//b', '/a/./b'] },
    { path: '/', covered: ['', '/', '/x', '/x/y', '/..', '?q'] },
    { path: '/caf%C3%A9', covered: ['/caf%C3%A9', '/caf%c3%a9/x', '/café'] },
    { path: '/café', covered: ['/caf%C3%A9', '/café/x'] },
    { path: '/a%20b/', covered: ['/a%20b', '/a%20b/c'] },
    { path: '//admin/./x/../', covered: ['/admin', '/admin/y'] },
    { path: '/%2561', covered: ['/%2561', '/%2561/x'] },
  ])('$path covers $covered', ({ path, covered }) => {
    for (const rest of covered) expect(protects([{ path }], `gemini://example.org${rest}`), rest).toBe(true)
  })

  it.each([
    {
      path: '/admin/',
      others: ['/', '/administrator', '/admin.gmi', '/adm', '/x/admin', '/Admin', '/admin%20', '/admin;x'],
    },
    { path: '/a/b', others: ['/a', '/a/', '/a/bc', '/a/c/b', '/b', '/a/b/../c'] },
    { path: '/%2561', others: ['/a', '/%61'] },
  ])('$path does not cover $others', ({ path, others }) => {
    for (const rest of others) expect(protects([{ path }], `gemini://example.org${rest}`), rest).toBe(false)
  })

  it('does not open by an exception what only begins like it', () => {
    const rules = [{ path: '/' }, { path: '/pub', requireCertificate: false }]
    for (const open of ['/pub', '/pub/', '/pub/x', '/secret/../pub/x', '/%70ub/x']) {
      expect(protects(rules, `gemini://example.org${open}`), open).toBe(false)
    }
    for (const shut of [
      '/publisher-secret',
      '/pub/../secret',
      '/pub/%2e%2e/secret',
      '/pub/./../secret',
      '/pub.gmi',
      '/',
    ]) {
      expect(protects(rules, `gemini://example.org${shut}`), shut).toBe(true)
    }
  })
})

describe('of several rules', () => {
  const open = { requireCertificate: false }

  it.each([
    {
      name: 'the longest path applies',
      rules: [{ path: '/a' }, { path: '/a/b', ...open }],
      shut: ['/a', '/a/c'],
      free: ['/a/b', '/a/b/c'],
    },
    {
      name: 'the longest path applies at each depth',
      rules: [{ path: '/', ...open }, { path: '/a' }, { path: '/a/b', ...open }, { path: '/a/b/c' }],
      shut: ['/a', '/a/x', '/a/b/c', '/a/b/c/d'],
      free: ['/', '/x', '/a/b', '/a/b/x'],
    },
    {
      name: 'a rule that is for another host does not hide the one above it',
      rules: [{ path: '/a' }, { path: '/a/b', host: 'example.net', ...open }],
      shut: ['/a', '/a/b', '/a/b/c'],
      free: [],
    },
    {
      name: 'of equal paths the one with a host applies',
      rules: [
        { path: '/a', ...open },
        { path: '/a', host: 'example.org' },
      ],
      shut: ['/a'],
      free: ['/b'],
    },
    {
      name: 'of equal hosts the one with a port applies',
      rules: [
        { path: '/a', host: 'example.org', ...open },
        { path: '/a', host: 'example.org:1965' },
      ],
      shut: ['/a'],
      free: [],
    },
    {
      name: 'a host counts for more than a scheme',
      rules: [
        { path: '/a', scheme: 'gemini', ...open },
        { path: '/a', host: 'example.org' },
      ],
      shut: ['/a'],
      free: [],
    },
    {
      name: 'of equal hosts the one with a scheme applies',
      rules: [
        { path: '/a', host: 'example.org', ...open },
        { path: '/a', host: 'example.org', scheme: 'gemini' },
      ],
      shut: ['/a'],
      free: [],
    },
    {
      name: 'a longer path counts for more than a host',
      rules: [{ path: '/a', host: 'example.org', ...open }, { path: '/a/b' }],
      shut: ['/a/b'],
      free: ['/a'],
    },
  ])('$name, in whatever order they stand', ({ rules, shut, free }) => {
    for (const order of [rules, [...rules].reverse()]) {
      for (const path of shut) expect(protects(order, `gemini://example.org${path}`), path).toBe(true)
      for (const path of free) expect(protects(order, `gemini://example.org${path}`), path).toBe(false)
    }
  })

  it('two for exactly the same requests are refused, since their order must not matter', () => {
    const twins = [
      [{ path: '/a' }, { path: '/a/' }],
      [{ path: '/a' }, { path: '/%61', requireCertificate: false }],
      [
        { path: '/a', host: 'EXAMPLE.org' },
        { path: '/a', host: 'example.org.' },
      ],
      [
        { path: '/a', host: 'example.org:1965' },
        { path: '/a', host: 'Example.Org:1965' },
      ],
      [
        { path: '/a', scheme: 'titan' },
        { path: '/a', scheme: 'TITAN' },
      ],
    ]
    for (const rules of twins) expect(() => new CertificateAuth({ rules })).toThrow('"rules[1]"')
    const different = [{ path: '/a' }, { path: '/a', host: 'example.org' }, { path: '/a', host: 'example.org:1965' }]
    expect(() => new CertificateAuth({ rules: different })).not.toThrow()
  })
})

describe('the scheme of a rule', () => {
  it('is any, so that an upload needs what reading does', () => {
    const rules = [{ path: '/admin/' }]
    for (const url of [
      'gemini://example.org/admin/x',
      'titan://example.org/admin/x;size=3;mime=text/plain',
      'titan://example.org/admin;size=3',
      'TITAN://example.org/admin/x',
    ]) {
      expect(protects(rules, url), url).toBe(true)
    }
  })

  it('can be one', () => {
    const rules = [{ path: '/wiki/', scheme: 'Titan' }]
    expect(protects(rules, 'titan://example.org/wiki/page;size=3')).toBe(true)
    expect(protects(rules, 'gemini://example.org/wiki/page')).toBe(false)
  })
})

describe('the host of a rule', () => {
  it.each([
    {
      host: 'example.org',
      covered: ['example.org', 'EXAMPLE.org', 'example.org.', 'example.org:1965', 'example.org:1966'],
    },
    { host: 'EXAMPLE.ORG.', covered: ['example.org', 'example.org.:1965'] },
    { host: 'example.org:1965', covered: ['example.org', 'example.org:1965', 'Example.org:'] },
    { host: 'bücher.example', covered: ['bücher.example', 'BÜCHER.example', 'xn--bcher-kva.example'] },
    { host: 'xn--bcher-kva.example:1965', covered: ['bücher.example'] },
    { host: '192.0.2.1', covered: ['192.0.2.1', '[::ffff:192.0.2.1]', '192.0.2.1:70'] },
    { host: '::1', covered: ['[::1]', '[0:0::1]:70'] },
    { host: '[::1]', covered: ['[::1]', '[::1]:70'] },
    { host: '[::1]:1965', covered: ['[::1]', '[0:0:0::1]:1965'] },
  ])('$host covers $covered', ({ host, covered }) => {
    for (const authority of covered)
      expect(protects([{ path: '/', host }], `gemini://${authority}/`), authority).toBe(true)
  })

  it.each([
    { host: 'example.org', others: ['example.net', 'www.example.org', 'xexample.org', 'example.org.example.net'] },
    { host: 'example.org:1965', others: ['example.org:1966', 'example.net:1965'] },
    { host: '[::1]:1965', others: ['[::1]:1966', '[::2]'] },
  ])('$host does not cover $others', ({ host, others }) => {
    for (const authority of others)
      expect(protects([{ path: '/', host }], `gemini://${authority}/`), authority).toBe(false)
  })
})

describe('the answer', () => {
  it.each([
    { rule: { path: '/club/' }, text: '/club/' },
    { rule: { path: '/club' }, text: '/club' },
    { rule: { path: '/x/..//%63lub/.' }, text: '/club/' },
    { rule: { path: '/' }, text: '/' },
    { rule: { path: '/club/', scheme: 'TITAN' }, text: 'titan:/club/' },
    { rule: { path: '/club/', host: 'EXAMPLE.org.' }, text: '//example.org/club/' },
    { rule: { path: '/club/', host: 'example.org:1965' }, text: '//example.org:1965/club/' },
    { rule: { path: '/club/', host: '::1' }, text: '//[::1]/club/' },
    { rule: { path: '/club/', host: '[::1]:1965', scheme: 'titan' }, text: 'titan://[::1]:1965/club/' },
  ])('names the rule $rule as $text, whether it is yes or no', ({ rule, text }) => {
    const host = rule.host?.includes('::1') ? '[::1]' : 'example.org'
    const asked = request({ url: `titan://${host}/club/` })
    for (const requireCertificate of [true, false]) {
      const auth = new CertificateAuth({ rules: [{ ...rule, requireCertificate }] })
      const answer = auth.decide(asked)
      expect(answer).toEqual(
        requireCertificate
          ? { allowed: false, denialReason: 'cert_required', rule: text }
          : { allowed: true, rule: text },
      )
      // It was worked out at construction: the same object each time, which nobody can change for the next one.
      expect(auth.decide(asked)).toBe(answer)
      expect(Object.isFrozen(answer)).toBe(true)
    }
  })

  it('names none where there is none', () => {
    const auth = new CertificateAuth({ rules: [{ path: '/club/' }] })
    expect(auth.decide(request({ url: 'gemini://example.org/' }))).toEqual({ allowed: true })
  })
})

describe('a rule with a mistake in it', () => {
  const digest = 'a'.repeat(64)
  it.each([
    { place: 'rules[1].path', rule: { path: 'admin' }, code: 'ERR_TLACACOCA_TARGET_INVALID' },
    { place: 'rules[1].path', rule: { path: '' }, code: 'ERR_TLACACOCA_TARGET_INVALID' },
    { place: 'rules[1].path', rule: { path: '/a?b' }, code: 'ERR_TLACACOCA_TARGET_INVALID' },
    { place: 'rules[1].path', rule: { path: '/a%2Fb' }, code: 'ERR_TLACACOCA_TARGET_INVALID' },
    { place: 'rules[1].path', rule: { path: '/100%' }, code: 'ERR_TLACACOCA_TARGET_INVALID' },
    { place: 'rules[1].path', rule: { path: 'gemini://example.org/' }, code: 'ERR_TLACACOCA_TARGET_INVALID' },
    { place: 'rules[1].path', rule: {}, code: undefined },
    { place: 'rules[1].path', rule: { path: ['/admin'] }, code: undefined },
    { place: 'rules[1].host', rule: { path: '/', host: '' }, code: 'ERR_TLACACOCA_ENDPOINT_INVALID' },
    { place: 'rules[1].host', rule: { path: '/', host: 'example.org:0' }, code: 'ERR_TLACACOCA_ENDPOINT_INVALID' },
    { place: 'rules[1].host', rule: { path: '/', host: '*.example.org' }, code: 'ERR_TLACACOCA_ENDPOINT_INVALID' },
    { place: 'rules[1].host', rule: { path: '/', host: 'example.org/a' }, code: 'ERR_TLACACOCA_ENDPOINT_INVALID' },
    { place: 'rules[1].scheme', rule: { path: '/', scheme: 'gemini://' }, code: undefined },
    { place: 'rules[1].scheme', rule: { path: '/', scheme: '' }, code: undefined },
    { place: 'rules[1].scheme', rule: { path: '/', scheme: ' gemini' }, code: undefined },
    { place: 'rules[1].scheme', rule: { path: '/', scheme: '//gemini' }, code: undefined },
    { place: 'rules[1].scheme', rule: { path: '/', scheme: 'gemini:' }, code: undefined },
    { place: 'rules[1].scheme', rule: { path: '/', scheme: '9p' }, code: undefined },
    {
      place: 'rules[1].allowedFingerprints[1]',
      rule: { path: '/', allowedFingerprints: [digest, ''] },
      code: 'ERR_TLACACOCA_FINGERPRINT_INVALID',
    },
    {
      place: 'rules[1].allowedFingerprints[0]',
      rule: { path: '/', allowedFingerprints: [`sha1:${'a'.repeat(40)}`] },
      code: 'ERR_TLACACOCA_FINGERPRINT_INVALID',
    },
    {
      place: 'rules[1].allowedFingerprints[0]',
      rule: { path: '/', allowedFingerprints: [`${digest}\n`] },
      code: 'ERR_TLACACOCA_FINGERPRINT_INVALID',
    },
    { place: 'rules[1].allowedFingerprints', rule: { path: '/', allowedFingerprints: digest }, code: undefined },
    { place: 'rules[1].allowedFingerprints', rule: { path: '/', allowedFingerprints: null }, code: undefined },
    { place: 'rules[1].allowedFingerprints[0]', rule: { path: '/', allowedFingerprints: [null] }, code: undefined },
    { place: 'rules[1].requireCertificate', rule: { path: '/', requireCertificate: 'false' }, code: undefined },
    { place: 'rules[1].issued', rule: { path: '/', issued: 1 }, code: undefined },
    { place: 'rules[1].issuedBy', rule: { path: '/', issuedBy: true }, code: undefined },
    { place: 'rules[1].issuedBy', rule: { path: '/', issuedBy: [] }, code: undefined },
    { place: 'rules[1].issuedBy', rule: { path: '/', issuedBy: null }, code: undefined },
    { place: 'rules[1].issuedBy', rule: { path: '/', issuedBy: () => ({ kind: 'issued' }) }, code: undefined },
    { place: 'rules[1].expired', rule: { path: '/', expired: 'ignore' }, code: undefined },
    { place: 'rules[1].notYetValid', rule: { path: '/', notYetValid: true }, code: undefined },
    { place: 'rules[1].lookup', rule: { path: '/', lookup: () => ({ kind: 'known' }) }, code: undefined },
    { place: 'rules[1].lookup', rule: { path: '/', lookup: null }, code: undefined },
    { place: 'rules[1]', rule: { path: '/', allowedFingerprint: [digest] }, code: undefined },
    { place: 'rules[1]', rule: { path_prefix: '/', require_cert: true }, code: undefined },
    { place: 'rules[1]', rule: null, code: undefined },
    { place: 'rules[1]', rule: '/admin', code: undefined },
  ])('stops construction and is named: $rule', ({ place, rule, code }) => {
    const construct = (): CertificateAuth => new CertificateAuth({ rules: [{ path: '/fine' }, untyped(rule)] })
    const error = code === undefined ? { name: 'TypeError' } : { name: 'InvalidNameError', code }
    expect(construct).toThrow(expect.objectContaining(error))
    expect(construct).toThrow(`"${place}"`)
  })

  it.each([undefined, null, '/admin', { path: '/admin' }, 5])(
    'is not even looked for in what is no list: %o',
    (rules) => {
      expect(() => new CertificateAuth(untyped({ rules }))).toThrow('"rules"')
    },
  )

  it('leaves no rule out: options are checked as well', () => {
    expect(() => new CertificateAuth(untyped({ rules: [], pathRules: [{ path: '/' }] }))).toThrow('"pathRules"')
    expect(() => new CertificateAuth(untyped(undefined))).toThrow('"options"')
    expect(() => new CertificateAuth(untyped({ rules: [], clock: new Date() }))).toThrow('"clock"')
  })
})

it('finds its way among ten thousand rules', () => {
  const rules = Array.from({ length: 10_000 }, (_, i) => ({ path: `/user/${i}/private` }))
  const auth = new CertificateAuth({ rules })
  for (const i of [0, 1, 4999, 9999]) {
    expect(auth.decide(request({ url: `gemini://example.org/user/${i}/private/x` }))).toMatchObject({ allowed: false })
    expect(auth.decide(request({ url: `gemini://example.org/user/${i}/public` }))).toEqual({ allowed: true })
  }
  expect(auth.decide(request({ url: 'gemini://example.org/user/10000/private' }))).toEqual({ allowed: true })
})
