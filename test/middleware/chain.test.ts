import { describe, expect, expectTypeOf, it } from 'vitest'
import { AccessControl } from '../../src/middleware/access-control.ts'
import { type ChainDecision, MiddlewareChain } from '../../src/middleware/chain.ts'
import {
  ALLOWED,
  type DenialReason,
  type Middleware,
  type MiddlewareRequest,
  type MiddlewareResult,
} from '../../src/middleware/middleware.ts'
import { request, untyped } from './requests.ts'

const yes: Middleware = { name: 'yes', decide: () => ({ allowed: true }) }
const no: Middleware = { name: 'no', decide: () => ({ allowed: false, denialReason: 'access_denied' }) }
const laterYes: Middleware = { name: 'later yes', decide: async () => ({ allowed: true }) }
const laterNo: Middleware = {
  name: 'later no',
  decide: async () => ({ allowed: false, denialReason: 'cert_required' }),
}
const throwing: Middleware = {
  name: 'throwing',
  decide: () => {
    throw new Error('the database is gone')
  },
}
const rejecting: Middleware = { name: 'rejecting', decide: () => Promise.reject(new Error('the database is gone')) }

/** A member that answers what no type allows. */
function answering(answer: unknown): Middleware {
  return { name: 'odd', decide: () => untyped(answer) }
}

describe('MiddlewareChain', () => {
  it.each([
    { members: [yes], result: { allowed: true } },
    { members: [yes, yes, yes], result: { allowed: true } },
    { members: [yes, laterYes, yes], result: { allowed: true } },
    { members: [no], result: { allowed: false, denialReason: 'access_denied' } },
    { members: [yes, no, laterNo], result: { allowed: false, denialReason: 'access_denied' } },
    { members: [laterYes, laterNo, no], result: { allowed: false, denialReason: 'cert_required' } },
    { members: [laterYes, yes, no], result: { allowed: false, denialReason: 'access_denied' } },
    { members: [yes, throwing, no], result: { allowed: false, denialReason: 'internal_error' } },
    { members: [laterYes, throwing, no], result: { allowed: false, denialReason: 'internal_error' } },
    { members: [yes, rejecting, no], result: { allowed: false, denialReason: 'internal_error' } },
  ])('$members.length members: the first denial is the answer ($result.denialReason)', async ({ members, result }) => {
    const chain = new MiddlewareChain(members)
    expect(await chain.process(request())).toMatchObject(result)
    expect(await chain.decide(request())).toMatchObject(result)
  })

  it('does not ask the members after a denial', async () => {
    const asked: string[] = []
    const note = (member: Middleware): Middleware => ({
      name: member.name ?? '',
      decide: (req) => {
        asked.push(member.name ?? '')
        return member.decide(req)
      },
    })
    await new MiddlewareChain([note(yes), note(laterYes), note(no), note(yes)]).process(request())
    expect(asked).toEqual(['yes', 'later yes', 'no'])
  })

  it('answers without a promise while its members do', () => {
    expect(new MiddlewareChain([yes, yes]).decide(request())).toEqual({ allowed: true })
    expect(new MiddlewareChain([yes, no]).decide(request())).toMatchObject({ denialReason: 'access_denied' })
    expect(new MiddlewareChain([no, laterYes]).decide(request())).toMatchObject({ denialReason: 'access_denied' })
    expect(new MiddlewareChain([yes, laterYes]).decide(request())).toBeInstanceOf(Promise)
  })

  it('allows everything without members, as an empty list of conditions does', () => {
    expect(new MiddlewareChain([]).decide(request())).toEqual({ allowed: true })
  })

  it('asks a chain within a chain', async () => {
    const inner = new MiddlewareChain([yes, laterNo], { name: 'inner' })
    const heard: string[] = []
    const outer = new MiddlewareChain([yes, inner, no], { onDecision: ({ middleware }) => heard.push(middleware) })
    expect(await outer.process(request())).toMatchObject({ denialReason: 'cert_required' })
    expect(heard).toEqual(['yes', 'inner'])
  })

  it('passes the request on as it came', () => {
    const req = request({ cost: 3 })
    let seen: MiddlewareRequest | undefined
    const spy: Middleware = {
      decide: (r) => {
        seen = r
        return ALLOWED
      },
    }
    new MiddlewareChain([spy]).decide(req)
    expect(seen).toBe(req)
  })

  it('keeps what a denial says besides its reason', async () => {
    const slow: Middleware = {
      decide: () => ({ allowed: false, denialReason: 'rate_limit', retryAfterSeconds: 7, detail: 'slow down' }),
    }
    expect(await new MiddlewareChain([slow]).process(request())).toEqual({
      allowed: false,
      denialReason: 'rate_limit',
      retryAfterSeconds: 7,
      detail: 'slow down',
    })
  })
})

describe('an answer that is none', () => {
  const junk = [
    undefined,
    null,
    true,
    false,
    1,
    'allowed',
    [],
    {},
    () => ALLOWED,
    Object.assign(() => {}, ALLOWED),
    { allowed: 'yes' },
    { allowed: 1 },
    { allowed: undefined },
    { allowed: {} },
    { allowed: Promise.resolve(true) },
    { allow: true },
    { accept: true },
    { allowed: false },
    { allowed: false, denialReason: 5 },
    { allowed: 0, denialReason: 'busy' },
    { allowed: 'false', denialReason: 'busy' },
    { denialReason: 'busy' },
    new Boolean(true),
    Object.defineProperty({}, 'allowed', {
      get: () => {
        throw new Error('mine')
      },
    }),
    Object.defineProperty({}, 'then', {
      get: () => {
        throw new Error('mine')
      },
    }),
  ]

  it.each(junk.map((answer, index) => ({ answer, index })))('means no: case $index', async ({ answer }) => {
    const errors: unknown[] = []
    const options = { onError: (error: unknown) => errors.push(error) }
    const denied = { allowed: false, denialReason: 'internal_error' }
    expect(new MiddlewareChain([yes, answering(answer)], options).decide(request())).toMatchObject(denied)
    expect(await new MiddlewareChain([answering(Promise.resolve(answer))], options).process(request())).toMatchObject(
      denied,
    )
    expect(errors).toHaveLength(2)
    for (const error of errors) expect(String(error)).toMatch(/a middleware must answer \{ allowed|mine$/)
  })

  it('is waited for if it is a promise, also from a member that should have none', async () => {
    const chain = new MiddlewareChain([answering(Promise.resolve({ allowed: true })), no])
    expect(await chain.process(request())).toMatchObject({ denialReason: 'access_denied' })
    const busy = { allowed: false, denialReason: 'busy' }
    const foreign = Object.defineProperty({}, 'then', { value: (resolve: (value: unknown) => void) => resolve(busy) })
    expect(await new MiddlewareChain([answering(foreign)]).process(request())).toMatchObject({ denialReason: 'busy' })
  })

  it('is not the last word of a promise that has `allowed` itself', async () => {
    const promise = Object.assign(Promise.resolve({ allowed: false, denialReason: 'busy' }), { allowed: true })
    expect(await new MiddlewareChain([answering(promise)]).process(request())).toMatchObject({ denialReason: 'busy' })
  })

  it('never comes out of decide or process as an error', async () => {
    for (const member of [throwing, rejecting, answering(Promise.reject(undefined))]) {
      const chain = new MiddlewareChain([member])
      await expect(chain.process(request())).resolves.toMatchObject({ allowed: false })
      await expect(Promise.resolve(chain.decide(request()))).resolves.toMatchObject({ allowed: false })
    }
  })

  it('is no request either: a chain of real members denies what is no request', () => {
    const chain = new MiddlewareChain([new AccessControl()])
    expect(chain.decide(untyped(undefined))).toMatchObject({ denialReason: 'internal_error' })
    expect(chain.decide(untyped({}))).toMatchObject({ denialReason: 'access_denied' })
  })
})

describe('listeners', () => {
  it('hear of each decision in order, with the request and a duration', async () => {
    const decisions: ChainDecision<DenialReason>[] = []
    const chain = new MiddlewareChain([yes, laterYes, { decide: no.decide }], {
      onDecision: (decision) => decisions.push(decision),
    })
    const req = request()
    await chain.process(req)
    expect(decisions.map(({ middleware, result }) => [middleware, result.allowed])).toEqual([
      ['yes', true],
      ['later yes', true],
      ['member 2', false],
    ])
    expect(decisions.every((decision) => decision.request === req && decision.durationMs >= 0)).toBe(true)
  })

  it('hear how long a member took, and not how long the process has been running', async () => {
    const before = performance.now()
    const durations: number[] = []
    const chain = new MiddlewareChain([yes, laterYes], { onDecision: ({ durationMs }) => durations.push(durationMs) })
    await chain.process(request())
    const passed = performance.now() - before
    for (const each of durations) expect(each).toBeLessThanOrEqual(passed)
  })

  it('hear of a yes as nothing but a yes, and of a denial without a rule as one without', () => {
    const decisions: ChainDecision<DenialReason>[] = []
    const wordy = answering({ allowed: true, rule: 'the first', cause: new Error('before'), user: 'ana' })
    const errors: unknown[] = []
    const chain = new MiddlewareChain([wordy, no], {
      onDecision: (decision) => void decisions.push(decision),
      onError: (error) => errors.push(error),
    })
    chain.decide(request())
    expect(decisions.map(({ rule, result }) => ({ rule, result }))).toStrictEqual([
      { rule: 'the first', result: { allowed: true } },
      { rule: null, result: { allowed: false, denialReason: 'access_denied' } },
    ])
    // Nor is the cause of a yes, or a listener without an answer, a failure.
    expect(errors).toEqual([])
  })

  it('hear of the rule that decided, also where it is worked out only when it is read', () => {
    const decisions: ChainDecision<DenialReason>[] = []
    const access = new AccessControl({ denyList: ['192.0.2.0/24'] })
    const chain = new MiddlewareChain([access], { onDecision: (decision) => decisions.push(decision) })
    chain.decide(request({ from: '192.0.2.1' }))
    chain.decide(request({ from: '203.0.113.1' }))
    const rule = 'denyList: 192.0.2.0/24'
    expect(decisions.map(({ rule, result }) => ({ rule, result }))).toEqual([
      { rule, result: { allowed: false, denialReason: 'access_denied', rule } },
      { rule: null, result: { allowed: true } },
    ])
  })

  it('hear what a member threw, and the result has it as its cause', async () => {
    const heard: unknown[] = []
    const chain = new MiddlewareChain([yes, throwing], {
      onError: (error, facts) => heard.push([error, facts.middleware]),
    })
    const result = await chain.process(request())
    const error = expect.objectContaining({ message: 'the database is gone' })
    expect(heard).toEqual([[error, 'throwing']])
    expect(result).toEqual({ allowed: false, denialReason: 'internal_error', cause: error })
  })

  it('hear of a failure that a member has turned into a denial itself, and of one inside an inner chain', async () => {
    const heard: unknown[] = []
    const cause = new Error('inside')
    const careful: Middleware = { decide: () => ({ allowed: false, denialReason: 'internal_error', cause }) }
    const inner = new MiddlewareChain([careful])
    await new MiddlewareChain([inner], { onError: (error) => heard.push(error) }).process(request())
    expect(heard).toEqual([cause])
  })

  it('hear nothing when nothing failed', async () => {
    const heard: unknown[] = []
    const chain = new MiddlewareChain([yes, laterYes, no], { onError: (error) => heard.push(error) })
    await chain.process(request())
    expect(heard).toEqual([])
  })

  const bad = new Error('the listener is broken')
  it.each([
    {
      name: 'throws',
      listener: () => {
        throw bad
      },
    },
    { name: 'rejects', listener: () => Promise.reject(bad) },
    { name: 'returns a denial', listener: () => ({ allowed: false, denialReason: 'access_denied' }) },
    { name: 'returns false', listener: () => false },
  ])('change no decision: one that $name', async ({ listener }) => {
    for (const member of [yes, laterYes, no, throwing]) {
      const plain = await new MiddlewareChain([member]).process(request())
      const heard = await new MiddlewareChain([member], { onDecision: listener, onError: listener }).process(request())
      expect(heard).toEqual(plain)
    }
  })

  it('cannot turn a denial into a yes by changing what they were told', async () => {
    for (const member of [no, laterNo, throwing]) {
      const chain = new MiddlewareChain([member], {
        onDecision: ({ result }) => Object.assign(result, { allowed: true }),
      })
      expect(await chain.process(request())).toMatchObject({ allowed: false })
    }
  })

  it('that fail are reported to onError', async () => {
    const errors: unknown[] = []
    const onError = (error: unknown): void => void errors.push(error)
    const onDecision = (): void => {
      throw bad
    }
    await new MiddlewareChain([yes], { onDecision, onError }).process(request())
    await new MiddlewareChain([yes], { onDecision: () => Promise.reject(bad), onError }).process(request())
    await Promise.resolve()
    expect(errors).toEqual([bad, bad])
  })
})

describe('construction', () => {
  it.each([
    { name: 'a member that is undefined', members: [yes, undefined] },
    { name: 'a hole', members: Object.assign([yes], { length: 2 }) },
    { name: 'null', members: [null] },
    { name: 'a function', members: [() => ALLOWED] },
    { name: 'a function that can decide', members: [Object.assign(() => ALLOWED, { decide: yes.decide })] },
    { name: 'an object without decide', members: [{ process: () => ALLOWED }] },
    { name: 'an object whose decide is no function', members: [{ decide: true }] },
    { name: 'no array', members: yes },
    { name: 'nothing', members: undefined },
  ])('refuses $name', ({ members }) => {
    const construct = (): unknown => new MiddlewareChain(untyped<never>(members))
    expect(construct).toThrow(TypeError)
    expect(construct).toThrow(/^"members(\[\d\])?" expected /)
  })

  it('gives it a name, which is a text', () => {
    expect(new MiddlewareChain([]).name).toBe('chain')
    expect(new MiddlewareChain([], { name: 'uploads' }).name).toBe('uploads')
    expect(() => new MiddlewareChain([], untyped<never>({ name: 5 }))).toThrow('"name" expected a string')
  })

  it('names the member that is none', () => {
    expect(() => new MiddlewareChain(untyped<never>([yes, 5]))).toThrow('"members[1]" expected a middleware, got 5')
  })

  it('refuses an option that it does not know, and a listener that is no function', () => {
    expect(() => new MiddlewareChain([], untyped<never>({ onDenied: () => {} }))).toThrow(
      '"options" has no option "onDenied"',
    )
    expect(() => new MiddlewareChain([], untyped<never>({ onError: true }))).toThrow('"onError"')
    expect(() => new MiddlewareChain([], untyped<never>({ onDecision: {} }))).toThrow('"onDecision"')
  })

  it('copies its members, so that none can be taken out afterwards', () => {
    const members = [no]
    const chain = new MiddlewareChain(members)
    members.pop()
    expect(chain.decide(request())).toMatchObject({ allowed: false })
  })
})

describe('types', () => {
  it('let a protocol add reasons of its own, and find them in the result', async () => {
    const token: Middleware<'wrong_token'> = { decide: () => ({ allowed: false, denialReason: 'wrong_token' }) }
    const chain = new MiddlewareChain([new AccessControl(), token])
    expectTypeOf(chain).toEqualTypeOf<MiddlewareChain<DenialReason | 'wrong_token'>>()
    const result = await chain.process(request())
    expectTypeOf(result).toEqualTypeOf<MiddlewareResult<DenialReason | 'wrong_token'>>()
    expect(result).toMatchObject({ denialReason: 'wrong_token' })
    expectTypeOf(new MiddlewareChain([token]).process).returns.resolves.toEqualTypeOf<
      MiddlewareResult<'wrong_token' | 'internal_error'>
    >()
  })

  it('let a chain of the usual reasons stand wherever a middleware is wanted', () => {
    expectTypeOf(new MiddlewareChain([new AccessControl()])).toEqualTypeOf<MiddlewareChain>()
    expectTypeOf<MiddlewareChain>().toExtend<Middleware>()
  })

  it('keep a promise from being taken for a result', () => {
    const decided = new MiddlewareChain([yes]).decide(request())
    // @ts-expect-error it may be a promise, which has no such property
    expect(decided.allowed).toBe(true)
  })
})
