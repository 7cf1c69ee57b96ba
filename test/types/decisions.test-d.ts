// What a program may rely on when it decides, and what the compiler keeps it from. Nothing here runs: `npm run typecheck`
// is the test, where an expected error that is none is an error.

import {
  AccessControl,
  type AdmitReason,
  type Admitted,
  admit,
  CertificateAuth,
  type CertificateLookup,
  type DenialReason,
  type Denied,
  type LookupResult,
  type Middleware,
  MiddlewareChain,
  type MiddlewareRequest,
  type MiddlewareResult,
  type Peer,
  parseClientAddress,
  parseRequestPath,
  parseTarget,
  RateLimiter,
  type RateLimitStore,
  type RequestTarget,
  readRequest,
  refuse,
  type ServerConnection,
  TokenBucket,
} from 'tlacacoca/middleware'
import { expectTypeOf } from 'vitest'

declare const connection: ServerConnection
declare const peer: Peer
declare const target: RequestTarget
declare const request: MiddlewareRequest
declare const shared: RateLimitStore
declare const chain: MiddlewareChain

// A denial is told apart by `allowed` and nothing else.
export async function serve(): Promise<void> {
  const parse = (line: string): RequestTarget => parseTarget(line, { schemes: { gemini: 1965 }, served: ['a.example'] })
  const admitted = await admit(connection, { parse, guard: chain })
  expectTypeOf(admitted).toEqualTypeOf<Admitted | Denied<DenialReason | AdmitReason>>()
  // @ts-expect-error A target is there only once it was allowed.
  admitted.target
  if (!admitted.allowed) {
    expectTypeOf(admitted.denialReason).toEqualTypeOf<DenialReason>()
    expectTypeOf(admitted.retryAfterSeconds).toEqualTypeOf<number | undefined>()
    // @ts-expect-error A denial has no target.
    admitted.target
    return refuse(connection, '50 no\r\n')
  }
  expectTypeOf(admitted.target).toEqualTypeOf<RequestTarget>()
  // @ts-expect-error What is allowed has no reason to be denied.
  admitted.denialReason
}

// A `Record` over the reasons is whole, or does not compile.
export const whole: Record<DenialReason, number> = {
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
}
// @ts-expect-error A reason is missing, and a client would be left without an answer.
export const missing: Record<DenialReason, number> = { rate_limit: 44, access_denied: 50 }

// Rules take what was parsed, and the peer, which must not be forgotten.
export function rules(): void {
  chain.process({ target, address: parseClientAddress('192.0.2.1'), peer: null })
  // @ts-expect-error Without a word about the peer: it is a certificate or null.
  chain.process({ target, address: parseClientAddress('192.0.2.1') })
  // @ts-expect-error A text is no target: two parsers would not agree.
  chain.process({ target: 'gemini://a.example/', address: parseClientAddress('192.0.2.1'), peer })
  // @ts-expect-error A text is no address.
  chain.process({ target, address: '192.0.2.1', peer })
  // @ts-expect-error An object of the same form is no path: only the parser makes one.
  target.path.startsWith({ segments: ['club'], isDirectory: true })
  expectTypeOf(target.path.startsWith(parseRequestPath('/club/'))).toEqualTypeOf<boolean>()
}

// A misspelled option could be a protection that is off.
export function options(): void {
  new AccessControl({ denyList: ['203.0.113.0/24'] })
  // @ts-expect-error It is `denyList`.
  new AccessControl({ denylist: ['203.0.113.0/24'] })
  new RateLimiter({ capacity: 10, refillPerSecond: 1 })
  // @ts-expect-error It is `refillPerSecond`.
  new RateLimiter({ capacity: 10, refill: 1 })
  new CertificateAuth({ rules: [{ path: '/club/', requireCertificate: true }] })
  // @ts-expect-error It is `requireCertificate`.
  new CertificateAuth({ rules: [{ path: '/club/', requireCert: true }] })
  // @ts-expect-error Neither an allowed path nor one that is refused.
  new CertificateAuth({ rules: [{ path: '/club/', expired: true }] })
}

// Answers of others are objects; a promise, which is true, means nothing.
export function answers(): void {
  const yes: Middleware = { decide: () => ({ allowed: true }) }
  new MiddlewareChain([yes])
  // @ts-expect-error A bare yes could be a promise or a function.
  new MiddlewareChain([{ decide: () => true }])
  // @ts-expect-error A denial says why.
  new MiddlewareChain([{ decide: () => ({ allowed: false }) }])
  const accounts: CertificateLookup<number> = { lookup: async () => ({ kind: 'known', user: 7 }) }
  expectTypeOf(accounts.lookup(peer, request)).toEqualTypeOf<LookupResult<number> | Promise<LookupResult<number>>>()
  // @ts-expect-error Whoever is known is somebody.
  new CertificateAuth({ rules: [{ path: '/', lookup: { lookup: () => ({ kind: 'known' }) } }] })
  // @ts-expect-error A lookup has no yes or no.
  new CertificateAuth({ rules: [{ path: '/', lookup: { lookup: () => true } }] })
}

// A chain answers at once while all of its members do, so its answer has to be awaited or looked at.
export function chains(): void {
  const answer = chain.decide(request)
  expectTypeOf(answer).toEqualTypeOf<MiddlewareResult | Promise<MiddlewareResult>>()
  // @ts-expect-error It may be a promise.
  if (answer.allowed) return
  expectTypeOf(chain.process(request)).toEqualTypeOf<Promise<MiddlewareResult>>()

  // Reasons of one's own go through.
  const own = new MiddlewareChain<DenialReason | 'too_boring'>([
    { decide: () => ({ allowed: false, denialReason: 'too_boring' }) },
  ])
  expectTypeOf(own.process(request)).toEqualTypeOf<Promise<MiddlewareResult<DenialReason | 'too_boring'>>>()
}

// In memory an answer comes at once; from elsewhere it may be a promise.
export function limits(): void {
  const local = new RateLimiter({ capacity: 10, refillPerSecond: 1 })
  expectTypeOf(local.decide(request)).not.toExtend<Promise<unknown>>()
  const remote = new RateLimiter({ capacity: 10, refillPerSecond: 1, store: shared })
  // @ts-expect-error It may be a promise.
  remote.decide(request).allowed
  const bucket = new TokenBucket({ capacity: 10, refillPerSecond: 1 })
  const taken = bucket.tryConsume()
  // @ts-expect-error How long to wait is known only where there was too little.
  if (taken.allowed) taken.retryAfterSeconds
}

export async function reading(): Promise<void> {
  const read = await readRequest(connection.stream)
  // @ts-expect-error Only a whole request has a line.
  read.line
  switch (read.kind) {
    case 'request':
      expectTypeOf(read.rest).toEqualTypeOf<Buffer>()
      return
    case 'bad_request':
    case 'too_large':
    case 'timeout':
      return
    case 'closed':
      expectTypeOf(read.error).toEqualTypeOf<Error | null>()
      return
    default:
      expectTypeOf(read).toBeNever()
  }
}
