import { PassThrough } from 'node:stream'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { InvalidNameError } from '../../src/errors.ts'
import { type AdmitOptions, admit } from '../../src/middleware/admit.ts'
import { MiddlewareChain } from '../../src/middleware/chain.ts'
import type { DenialReason, Middleware, MiddlewareRequest } from '../../src/middleware/middleware.ts'
import { parseClientAddress } from '../../src/names/client-address.ts'
import { parseTarget, targetFromParts } from '../../src/names/request-target.ts'
import { testCertificate } from '../support/certificates.ts'
import { fakePeer } from '../support/peer.ts'

afterEach(() => vi.useRealTimers())

const address = parseClientAddress('192.0.2.1')
const parse = (line: string) => parseTarget(line, { schemes: { gemini: 1965, titan: 1965 }, served: ['example.org'] })
const everybody: Middleware = { decide: () => ({ allowed: true }) }
const fine = { parse, guard: everybody }

function connection(text: string | null) {
  const stream = new PassThrough()
  if (text !== null) stream.write(text)
  return { stream, address, peer: null, serverName: null }
}

describe('admit', () => {
  it('gives the target of a request that may be answered', async () => {
    const request = await admit(connection('gemini://EXAMPLE.org/a/../club?q\r\nrest'), fine)
    if (!request.allowed) throw new Error(request.denialReason)
    expect(request.target.path.toString()).toBe('/club')
    expect(request.target.query).toBe('q')
    expect(request.line).toBe('gemini://EXAMPLE.org/a/../club?q')
    expect(request.rest.toString()).toBe('rest')
  })

  it('asks the guard about the same target that it gives, once, and with all that is known', async () => {
    const peer = fakePeer((await testCertificate()).certificate)
    const decide = vi.fn((_: MiddlewareRequest) => ({ allowed: true }) as const)
    const request = await admit({ ...connection('gemini://example.org/club\r\n'), peer }, { parse, guard: { decide } })
    expect(decide).toHaveBeenCalledTimes(1)
    const asked = decide.mock.calls[0]?.[0]
    expect(asked).toStrictEqual({ target: expect.anything(), address, peer })
    expect(request.allowed && request.target).toBe(asked?.target)
    expect(asked?.peer).toBe(peer)
    expect(asked?.address).toBe(address)
  })

  it('works for a protocol without URLs', async () => {
    const spartan = (line: string) => {
      const [host = '', path = ''] = line.split(' ')
      return targetFromParts({ scheme: 'spartan', host, port: 300, path }, { served: ['example.org'] })
    }
    const request = await admit(connection('example.org /club/ 3\r\nabc'), { ...fine, parse: spartan })
    expect(request).toMatchObject({ allowed: true, line: 'example.org /club/ 3', rest: Buffer.from('abc') })
  })

  it.each([
    [undefined, undefined],
    [5, 5],
    [({ scheme }: { scheme: string }) => (scheme === 'titan' ? 10 : 1), 10],
  ])('passes the cost %s on as %s', async (cost, expected) => {
    const decide = vi.fn((_: MiddlewareRequest) => ({ allowed: true }) as const)
    const options = { parse, guard: { decide }, ...(cost === undefined ? {} : { cost }) }
    await admit(connection('titan://example.org/club;size=3\r\n'), options)
    expect(decide.mock.calls[0]?.[0].cost).toBe(expected)
  })

  it.each([
    ['a malformed URL', 'gemini://example.org/%zz\r\n', 'bad_request'],
    ['a URL with a user', 'gemini://example.org@evil.example/\r\n', 'bad_request'],
    ['an empty line', '\r\n', 'bad_request'],
    ['an LF alone', 'gemini://example.org/\n', 'bad_request'],
    ['a NUL', 'gemini://example.org/\0\r\n', 'bad_request'],
    ['another host', 'gemini://evil.example/\r\n', 'wrong_host'],
    ['another scheme', 'https://example.org/\r\n', 'wrong_host'],
    ['a malformed URL of another scheme', 'https://example.org/%zz\r\n', 'bad_request'],
    ['a long line', `gemini://example.org/${'a'.repeat(1100)}\r\n`, 'too_large'],
  ])('denies %s without asking the guard', async (_, text, denialReason) => {
    const guard = { decide: vi.fn(everybody.decide) }
    const onError = vi.fn()
    expect(await admit(connection(text), { parse, guard, onError })).toMatchObject({ allowed: false, denialReason })
    expect(guard.decide).not.toHaveBeenCalled()
    expect(onError).not.toHaveBeenCalled()
  })

  it('denies a client that left as a bad request with the detail "closed"', async () => {
    for (const leave of ['end', 'destroy'] as const) {
      const left = connection('gemini://example.org/')
      left.stream[leave]()
      expect(await admit(left, fine)).toEqual({ allowed: false, denialReason: 'bad_request', detail: 'closed' })
    }
  })

  it('denies a client that is too slow, by default after 10 seconds', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const [slow, slower] = [admit(connection('gemini:'), { ...fine, timeoutMs: 500 }), admit(connection(null), fine)]
    await vi.advanceTimersByTimeAsync(500)
    expect(await slow).toEqual({ allowed: false, denialReason: 'timeout' })
    await vi.advanceTimersByTimeAsync(9_500)
    expect(await slower).toEqual({ allowed: false, denialReason: 'timeout' })
  })

  it('reads as many bytes as it is told', async () => {
    const line = `gemini://example.org/${'a'.repeat(1100)}`
    expect(await admit(connection(`${line}\r\n`), { ...fine, maxBytes: 2048 })).toMatchObject({ allowed: true, line })
  })

  it('passes the denial of the guard on as it is, with reasons of its own', async () => {
    type Reason = DenialReason | 'over_quota'
    const guard: Middleware<Reason> = {
      decide: async () => ({ allowed: false, denialReason: 'over_quota', retryAfterSeconds: 3, detail: 'mailbox' }),
    }
    const request = await admit(connection('gemini://example.org/\r\n'), { parse, guard })
    expect(request).toEqual({ allowed: false, denialReason: 'over_quota', retryAfterSeconds: 3, detail: 'mailbox' })
    if (request.allowed) throw new Error('allowed')
    // All reasons, and only these, need a status.
    const status: Record<Reason, number> = {
      rate_limit: 44,
      access_denied: 50,
      cert_required: 60,
      cert_not_authorized: 61,
      cert_not_valid: 62,
      identity_changed: 61,
      busy: 41,
      bad_request: 59,
      too_large: 59,
      timeout: 40,
      wrong_host: 53,
      internal_error: 40,
      over_quota: 45,
    }
    expect(status[request.denialReason]).toBe(45)
  })

  it('writes nothing and closes nothing', async () => {
    const denied = connection('nonsense\r\n')
    await admit(denied, fine)
    expect(denied.stream.destroyed || denied.stream.writableEnded).toBe(false)
    expect(denied.stream.read()).toBeNull()
  })
})

describe('undecided means no', () => {
  const boom = new Error('mine')
  const throwing = (): never => {
    throw boom
  }

  it.each<[string, Partial<AdmitOptions<DenialReason>>]>([
    ['the parser throws', { parse: throwing }],
    ['the guard throws', { guard: { decide: throwing } }],
    ['the guard rejects', { guard: { decide: async () => throwing() } }],
    ['the cost throws', { cost: throwing }],
    ['a member of a chain throws', { guard: new MiddlewareChain([{ decide: throwing }]) }],
  ])('when %s', async (_, change) => {
    const onError = vi.fn()
    const request = await admit(connection('gemini://example.org/\r\n'), { ...fine, ...change, onError })
    expect(request).toEqual({ allowed: false, denialReason: 'internal_error', cause: boom })
    expect(onError.mock.calls).toEqual([[boom]])
  })

  it.each([
    ['undefined', undefined],
    ['null', null],
    ['true', true],
    ['text', 'allowed'],
    ['an empty object', {}],
    ['something that is only like true', { allowed: 1 }],
    ['true as a text', { allowed: 'true' }],
    ['no without a reason', { allowed: false }],
    ['no with a reason that is no text', { allowed: false, denialReason: 61 }],
    ['no with a reason, and not quite no', { allowed: 0, denialReason: 'busy' }],
    ['a reason alone', { denialReason: 'busy' }],
    ['a function', () => ({ allowed: true })],
    ['a function that says yes', Object.assign(() => {}, { allowed: true })],
  ])('when the guard answers %s', async (_, answer) => {
    for (const decide of [() => answer, async () => answer]) {
      const onError = vi.fn()
      const guard = { decide } as unknown as Middleware
      const request = await admit(connection('gemini://example.org/\r\n'), { parse, guard, onError })
      expect(request).toMatchObject({ allowed: false, denialReason: 'internal_error' })
      expect(onError).toHaveBeenCalledWith(expect.any(TypeError))
      expect(String(onError.mock.lastCall)).toContain(
        'a guard must answer { allowed: true } or { allowed: false, denial',
      )
    }
  })

  it.each([
    ['nothing', undefined],
    ['a promise', Promise.resolve(parse('gemini://example.org/'))],
    ['an object of the same shape', { ...parse('gemini://example.org/') }],
    ['a URL', new URL('gemini://example.org/')],
  ])('when the parser gives %s', async (_, target) => {
    const guard = { decide: vi.fn(everybody.decide) }
    // @ts-expect-error: no target
    const request = await admit(connection('x\r\n'), { parse: () => target, guard })
    expect(request).toMatchObject({ allowed: false, denialReason: 'internal_error', cause: expect.any(TypeError) })
    expect(String('cause' in request && request.cause)).toContain('"parse" expected to return what parseTarget')
    expect(guard.decide).not.toHaveBeenCalled()
  })

  it.each([
    ['no parser', { guard: everybody }, '"parse" expected a function'],
    ['no guard', { parse }, '"guard.decide" expected a function'],
    ['a guard that cannot decide', { parse, guard: {} }, '"guard.decide" expected a function'],
    ['no bytes', { ...fine, maxBytes: 0 }, '"maxBytes" expected'],
    ['no time', { ...fine, timeoutMs: Number.NaN }, '"timeoutMs" expected'],
    ['no options', undefined, '"options" expected an object'],
  ])('when the program gives %s', async (_, options, message) => {
    // @ts-expect-error: most of these do not compile
    const request = await admit(connection('gemini://example.org/\r\n'), options)
    expect(request).toMatchObject({ allowed: false, denialReason: 'internal_error', cause: expect.any(Error) })
    expect(String('cause' in request && request.cause)).toContain(message)
  })

  it('whatever the listener for errors does', async () => {
    for (const onError of [throwing, async () => throwing()]) {
      const request = await admit(connection('x\r\n'), { ...fine, parse: throwing, onError })
      expect(request).toMatchObject({ allowed: false, denialReason: 'internal_error' })
    }
  })

  it('but a name that is malformed is the mistake of the client', async () => {
    const refusing = () => {
      throw new InvalidNameError('ERR_TLACACOCA_FINGERPRINT_INVALID', 'mine')
    }
    const request = await admit(connection('x\r\n'), { ...fine, parse: refusing })
    expect(request).toEqual({ allowed: false, denialReason: 'bad_request', detail: 'mine' })
  })
})

it('refuses a request rather than read it with an option that does not exist', async () => {
  const errors: unknown[] = []
  const options = { ...fine, maxByte: 5, onError: (error: unknown) => errors.push(error) }
  const request = await admit(connection('gemini://example.org/\r\n'), options as never)
  expect(request).toMatchObject({ allowed: false, denialReason: 'internal_error' })
  expect(String(errors[0])).toContain('no option "maxByte"')
})
