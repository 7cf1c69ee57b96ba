// From a fresh connection to a request that may be answered, in one call: read, parse, ask. What comes out is either
// the one target that all rules have seen, or a denial. There is no third way out, and no way to skip a step.

import { InvalidNameError } from '../errors.ts'
import { requireFunction, requireOptions, show } from '../internal/arguments.ts'
import { RequestTarget } from '../names/request-target.ts'
import { type ReadRequestOptions, readRequest } from '../net/read-request.ts'
import { tell } from '../net/report.ts'
import type { ServerConnection } from '../net/server-connection.ts'
import { type Denied, failure, type Middleware } from './middleware.ts'

/** How to read a request, what it means, and who decides about it. */
export interface AdmitOptions<Reason extends string> extends ReadRequestOptions {
  /** Makes the target of the line, by `parseTarget` or `targetFromParts`. */
  readonly parse: (line: string) => RequestTarget
  /** Usually a `MiddlewareChain`. */
  readonly guard: Middleware<Reason>
  /** How many tokens the request costs a rate limit, if it depends on the target: an upload may cost more. Default 1. */
  readonly cost?: number | ((target: RequestTarget) => number)
  /**
   * Told what went wrong when the reason is `internal_error`, by a member of the guard too. The denial has it as its
   * `cause` as well.
   */
  readonly onError?: (error: unknown) => void
}

/** A request that may be answered. */
export interface Admitted {
  readonly allowed: true
  readonly target: RequestTarget
  /** The request as it came, without its line end. Decide by `target` only. */
  readonly line: string
  /** The beginning of what follows the line; the rest of it is still in the stream. See `readRequest`. */
  readonly rest: Buffer
}

/** Why `admit` itself denies. */
export type AdmitReason = 'bad_request' | 'too_large' | 'timeout' | 'wrong_host' | 'internal_error'

/**
 * Reads one request from a connection, parses it, and asks the guard about it. It works without TLS as well.
 *
 * It never rejects. A request that cannot be read or parsed is denied as `bad_request`, `too_large`, `timeout` or
 * `wrong_host`, and the guard is not asked. A client that left without a request is a `bad_request` with the detail
 * `closed`: nobody is there to read an answer, but `refuse` does no harm. Whatever fails in here, a mistake in the
 * options too, is an `internal_error`.
 *
 * Nothing is written to the connection, and it is not closed: the denial is the caller's to put into words.
 *
 * @example
 * import { type DenialReason, MiddlewareChain, RateLimiter, admit, parseTarget, refuse } from 'tlacacoca'
 * import type { ServerConnection } from 'tlacacoca'
 *
 * const guard = new MiddlewareChain([new RateLimiter()])
 * const parse = (line: string) => parseTarget(line, { schemes: { gemini: 1965 }, served: ['example.org'] })
 *
 * export async function handler(connection: ServerConnection, status: Record<DenialReason, string>): Promise<void> {
 *   const request = await admit(connection, { parse, guard })
 *   if (!request.allowed) return refuse(connection, status[request.denialReason])
 *   connection.stream.end(`20 text/gemini\r\nThis is ${request.target.path}\n`)
 * }
 */
export async function admit<Reason extends string>(
  connection: Pick<ServerConnection, 'stream' | 'address' | 'peer'>,
  options: AdmitOptions<Reason>,
): Promise<Admitted | Denied<Reason | AdmitReason>> {
  const result = await readAndDecide(connection, options).catch(failure)
  if (!result.allowed && result.denialReason === 'internal_error' && options?.onError !== undefined) {
    tell(options.onError, result.cause)
  }
  return result
}

async function readAndDecide<Reason extends string>(
  { stream, address, peer }: Pick<ServerConnection, 'stream' | 'address' | 'peer'>,
  options: AdmitOptions<Reason>,
): Promise<Admitted | Denied<Reason | AdmitReason>> {
  requireOptions('options', options, ['parse', 'guard', 'cost', 'onError', 'maxBytes', 'timeoutMs'])
  const { parse, guard, cost, maxBytes, timeoutMs } = options
  requireFunction('parse', parse)
  requireFunction('guard.decide', guard?.decide)
  const reading = await readRequest(stream, {
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  })
  if (reading.kind === 'closed') return { allowed: false, denialReason: 'bad_request', detail: 'closed' }
  if (reading.kind !== 'request') return { allowed: false, denialReason: reading.kind }

  const { line, rest } = reading
  const target = parsed(parse, line)
  if (!RequestTarget.is(target)) return target
  const tokens = typeof cost === 'function' ? cost(target) : cost
  const answer: unknown = await guard.decide({
    target,
    address,
    peer,
    ...(tokens === undefined ? {} : { cost: tokens }),
  })
  if (hasAllowed(answer)) {
    if (answer.allowed === true) return { allowed: true, target, line, rest }
    if (isDenied<Reason>(answer)) return answer
  }
  throw new TypeError(`a guard must answer { allowed: true } or { allowed: false, denialReason }, not ${show(answer)}`)
}

/** The target, or why the line has none. What `parse` throws by mistake is thrown on. */
function parsed(parse: (line: string) => unknown, line: string): RequestTarget | Denied<'bad_request' | 'wrong_host'> {
  let target: unknown
  try {
    target = parse(line)
  } catch (error) {
    if (!(error instanceof InvalidNameError)) throw error
    const denialReason = ELSEWHERE.has(error.code) ? 'wrong_host' : 'bad_request'
    return { allowed: false, denialReason, detail: error.message }
  }
  if (RequestTarget.is(target)) return target
  throw new TypeError(`"parse" expected to return what parseTarget or targetFromParts made, got ${show(target)}`)
}

/** Requests in order, for somebody else: a gateway would answer them. */
const ELSEWHERE: ReadonlySet<InvalidNameError['code']> = new Set([
  'ERR_TLACACOCA_TARGET_WRONG_HOST',
  'ERR_TLACACOCA_TARGET_WRONG_SCHEME',
])

function hasAllowed(answer: unknown): answer is { readonly allowed: unknown } {
  return typeof answer === 'object' && answer !== null && 'allowed' in answer
}

function isDenied<Reason extends string>(answer: { readonly allowed: unknown }): answer is Denied<Reason> {
  return answer.allowed === false && 'denialReason' in answer && typeof answer.denialReason === 'string'
}
