import { describe, expect, it } from 'vitest'
import { logDecisions } from '../../src/logging/index.ts'
import { AccessControl } from '../../src/middleware/access-control.ts'
import { CertificateAuth } from '../../src/middleware/certificate-auth.ts'
import { MiddlewareChain } from '../../src/middleware/chain.ts'
import type { DenialReason, Middleware, MiddlewareResult } from '../../src/middleware/middleware.ts'
import { RateLimiter } from '../../src/middleware/rate-limiter.ts'
import { request } from '../middleware/requests.ts'
import { keptLogger } from './log-support.ts'

const REASONS: Record<DenialReason, true> = {
  rate_limit: true,
  access_denied: true,
  cert_required: true,
  cert_not_authorized: true,
  cert_not_valid: true,
  identity_changed: true,
  busy: true,
  bad_request: true,
  too_large: true,
  timeout: true,
  wrong_host: true,
  internal_error: true,
}

/** A yes, and a no for each reason, each by this rule. */
function decisionsBy(rule: string): MiddlewareResult[] {
  const denials = (Object.keys(REASONS) as DenialReason[]).map(
    (denialReason) => ({ allowed: false, denialReason, rule, detail: `by ${rule}`, cause: new Error(rule) }) as const,
  )
  return [{ allowed: true, rule }, ...denials]
}

/** The lines that are logged of what these members decide, one after the other, and all of the text. */
async function logged(members: readonly Middleware[], from: string, url?: string) {
  const { log, lines, kept } = keptLogger()
  for (const member of members) {
    const chain = new MiddlewareChain([member], { onDecision: logDecisions(log) })
    await chain.process(request({ from, ...(url === undefined ? {} : { url }) }))
  }
  return { lines: lines(), text: kept.text }
}

const always = (result: MiddlewareResult): Middleware => ({ name: 'fixed', decide: () => result })

describe('the rule that decided', () => {
  it('is logged with each decision', async () => {
    const results = decisionsBy('/club/')
    const { lines } = await logged(results.map(always), '192.0.2.1')
    expect(lines).toHaveLength(results.length)
    for (const line of lines) expect(line).toMatchObject({ middleware: 'fixed', rule: '/club/' })
  })

  it('is told with how long it took, in whole milliseconds', async () => {
    const { log, lines } = keptLogger()
    const result = { allowed: false, denialReason: 'busy' } as const
    const decided = { middleware: 'fixed', request: request({ from: '192.0.2.1' }), result, rule: null }
    for (const durationMs of [0.1182, 12.6]) logDecisions(log)({ ...decided, durationMs })
    expect(lines()).toMatchObject([{ durationMs: 0 }, { durationMs: 13 }])
  })

  it('is no field where there is none', async () => {
    const { lines } = await logged([always({ allowed: true }), always({ allowed: false, denialReason: 'busy' })], '::1')
    expect(lines).toHaveLength(2)
    for (const line of lines) expect(Object.keys(line)).not.toContain('rule')
  })

  // The client is one of few whom such a rule is for, or the only one.
  it.each([
    { from: '203.0.113.66', rule: 'denyList: 203.0.113.66' },
    { from: '203.0.113.66', rule: 'denyList: 203.0.113.66/32' },
    { from: '203.0.113.66', rule: 'denyList spamhaus: 203.0.113.66' },
    { from: '203.0.113.66', rule: 'denyList: 203.0.113.64-203.0.113.66' },
    { from: '203.0.113.66', rule: 'denyList: ::ffff:203.0.113.66' },
    { from: '203.0.113.66', rule: 'ban (203.0.113.66)' },
    { from: '203.0.113.66', rule: '203.0.113.66' },
    { from: '203.0.113.66', rule: '//203.0.113.66:1965/club/' },
    { from: '2001:db8::abcd:66', rule: 'denyList: 2001:db8::abcd:66' },
    { from: '2001:db8::abcd:66', rule: 'denyList: 2001:db8::abcd:66/128' },
    { from: '2001:db8::abcd:66', rule: 'denyList: 2001:DB8:0:0:0:0:ABCD:66' },
    { from: '2001:db8::abcd:66', rule: 'denyList bad:2001:db8::abcd:66' },
    { from: '2001:db8::abcd:66', rule: 'denyList: 2001:db8::abcd:0-2001:db8::abcd:66' },
    { from: '2001:db8::abcd:66', rule: 'ban [2001:db8::abcd:66]' },
    { from: '2001:db8::abcd:66', rule: '//[2001:db8::abcd:66]:1965/club/' },
    { from: '::1', rule: 'denyList: ::1' },
  ])('does not tell the address of $from by $rule, whatever was decided', async ({ from, rule }) => {
    const results = decisionsBy(rule)
    const { lines, text } = await logged(results.map(always), from)
    expect(lines).toHaveLength(results.length)
    for (const line of lines) expect(line.rule).toMatch(/addr-/)
    expect(text).not.toMatch(/203\.0\.113\.66|abcd|denyList: ::1/i)
  })

  it('has the pseudonym that the client has, so that the two can be brought together', async () => {
    for (const from of ['203.0.113.66', '2001:db8::66']) {
      const { lines } = await logged(decisionsBy(`denyList: ${from}`).map(always), from)
      for (const line of lines) expect(line.rule).toBe(`denyList: ${line.clientAddress}`)
    }
  })

  it('cannot forge a line', async () => {
    const { lines, text } = await logged(decisionsBy('x\n{"level":"security"}\u001b[2J\u202e').map(always), '192.0.2.1')
    expect(lines).toHaveLength(1 + Object.keys(REASONS).length)
    expect(text).not.toMatch(/\u001b|\u202e/)
  })

  it('is that of the checks of this library, which keep the client to themselves', async () => {
    for (const from of ['203.0.113.66', '2001:db8::abcd:66']) {
      const limiter = new RateLimiter({ capacity: 1, refillPerSecond: 0.001 })
      const auth = new CertificateAuth({ rules: [{ path: '/club/', host: 'example.org' }] })
      const { lines, text } = await logged(
        [
          new AccessControl({ allowList: [from] }),
          new AccessControl({ denyList: [from] }),
          new AccessControl({ allowList: [] }),
          limiter,
          limiter,
          auth,
        ],
        from,
        'gemini://example.org/club/',
      )
      expect(lines.map(({ denialReason }) => denialReason ?? 'allowed')).toEqual([
        'allowed',
        'access_denied',
        'access_denied',
        'allowed',
        'rate_limit',
        'cert_required',
      ])
      expect(lines.at(-1)?.rule).toBe('//example.org/club/')
      expect(text).not.toMatch(/203\.0\.113\.66|abcd/)
    }
  })
})

describe('a rule that is worked out when it is read', () => {
  /** A result whose rule counts how often somebody asks for it. */
  function counted(result: MiddlewareResult) {
    const count = { reads: 0 }
    class Lazy {
      get rule(): string {
        count.reads++
        return 'denyList: 192.0.2.1'
      }
    }
    return { count, result: Object.assign(new Lazy(), result) as MiddlewareResult }
  }

  const cases = [
    { allowed: true },
    { allowed: false, denialReason: 'access_denied' },
    { allowed: false, denialReason: 'internal_error', cause: new Error('gone') },
  ] as const satisfies readonly MiddlewareResult[]

  it.each(cases)('is not read where nobody listens: $allowed $denialReason', async (plain) => {
    for (const later of [false, true]) {
      const { count, result } = counted(plain)
      const member: Middleware = { decide: () => (later ? Promise.resolve(result) : result) }
      for (const options of [{}, { onError: () => {} }]) {
        const chain = new MiddlewareChain([new MiddlewareChain([member]), member], options)
        expect(await chain.process(request())).toMatchObject({ allowed: plain.allowed })
      }
      expect(count.reads).toBe(0)
    }
  })

  it.each(cases)('is logged where somebody does: $allowed $denialReason', async (plain) => {
    const { count, result } = counted(plain)
    const { lines } = await logged([always(result)], '192.0.2.1')
    expect(lines).toMatchObject([{ rule: expect.stringMatching(/^denyList: addr-/) }])
    expect(count.reads).toBe(1)
  })

  it('takes nothing down if it cannot be', async () => {
    const broken = {
      allowed: false,
      denialReason: 'access_denied',
      get rule(): string {
        throw new Error('no rule')
      },
    } as const
    const { log, lines } = keptLogger()
    const errors: unknown[] = []
    const chain = new MiddlewareChain([always(broken)], {
      onDecision: logDecisions(log),
      onError: (error) => errors.push(error),
    })
    expect(await chain.process(request())).toMatchObject({ denialReason: 'access_denied' })
    expect(errors).toEqual([new Error('no rule')])
    expect(lines()).toEqual([])
  })
})
