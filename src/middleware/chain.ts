import { requireFunction, requireOptions, requireString, show } from '../internal/arguments.ts'
import { isThenable } from '../internal/thenable.ts'
import {
  ALLOWED,
  type Allowed,
  type DenialReason,
  type Denied,
  failure,
  type Middleware,
  type MiddlewareRequest,
  type MiddlewareResult,
} from './middleware.ts'

/** What one member of a chain said about one request. */
export interface ChainDecision<Reason extends string = DenialReason> {
  /** The member's name, or `member 2` (from 0) if it has none. */
  readonly middleware: string
  readonly request: MiddlewareRequest
  readonly result: MiddlewareResult<Reason | 'internal_error'>
  /** The rule of that member that decided, or null if it names none. */
  readonly rule: string | null
  /** How long the member took, in milliseconds, waiting included. */
  readonly durationMs: number
}

/** What a chain is called, and whom it tells. */
export interface MiddlewareChainOptions<Reason extends string = DenialReason> {
  /** Its name if it is a member of another chain. Default `chain`. */
  readonly name?: string
  /** Told of each decision of each member, in order; a denial is the last of its request. */
  readonly onDecision?: (decision: ChainDecision<Reason>) => void
  /**
   * Told what went wrong when a member failed, or when `onDecision` did. Without it nobody is, but for the `cause` in
   * the result.
   */
  readonly onError?: (
    error: unknown,
    facts: { readonly middleware: string; readonly request: MiddlewareRequest },
  ) => void
}

/**
 * Asks its members in order; the first denial is the answer, and the rest are not asked. Only if every member says
 * `allowed: true` is the request allowed.
 *
 * A member that throws, rejects, or answers anything else than a result means no: `internal_error`. What the listeners
 * do, throwing included, changes no decision.
 *
 * A member that never settles keeps the request waiting: give a slow one a deadline of its own.
 *
 * A chain without members checks nothing and allows everything, like a list of conditions that is empty. A member that
 * is `undefined` is no empty list: it stops construction.
 *
 * @throws {TypeError} If a member is no middleware, or an option is not known.
 * @example
 * import { AccessControl, MiddlewareChain, parseClientAddress, RateLimiter, targetFromParts } from 'tlacacoca/middleware'
 *
 * const guard = new MiddlewareChain([new AccessControl({ denyList: ['203.0.113.0/24'] }), new RateLimiter()])
 * const result = await guard.process({
 *   target: targetFromParts({ scheme: 'spartan', host: 'example.org', port: 300, path: '/' }, { served: 'any' }),
 *   address: parseClientAddress('203.0.113.9'),
 *   peer: null,
 * })
 * if (!result.allowed) console.log(result.denialReason) // access_denied
 */
export class MiddlewareChain<Reason extends string = DenialReason> implements Middleware<Reason | 'internal_error'> {
  readonly name: string
  readonly #members: readonly Middleware<Reason>[]
  readonly #names: readonly string[]
  readonly #onDecision: ((decision: ChainDecision<Reason>) => unknown) | undefined
  readonly #onError: ((error: unknown, facts: ErrorFacts) => unknown) | undefined

  constructor(members: readonly Middleware<Reason>[], options: MiddlewareChainOptions<Reason> = {}) {
    requireOptions('options', options, ['name', 'onDecision', 'onError'])
    if (!Array.isArray(members)) throw new TypeError(`"members" expected an array, got ${show(members)}`)
    if (options.name !== undefined) requireString('name', options.name)
    if (options.onDecision !== undefined) requireFunction('onDecision', options.onDecision)
    if (options.onError !== undefined) requireFunction('onError', options.onError)
    // A copy: nobody can take a member out later.
    this.#members = Array.from(members, requireMiddleware<Reason>)
    this.#names = this.#members.map(({ name }, index) => name ?? `member ${index}`)
    this.name = options.name ?? 'chain'
    this.#onDecision = options.onDecision
    this.#onError = options.onError
  }

  /**
   * Decides. It never throws and never rejects, and gives a promise only if a member did.
   *
   * Mind that a promise is not a result: `(await chain.decide(request)).allowed`.
   */
  decide(
    request: MiddlewareRequest,
  ): MiddlewareResult<Reason | 'internal_error'> | Promise<MiddlewareResult<Reason | 'internal_error'>> {
    return this.#decideFrom(0, request)
  }

  /** The same, always as a promise. */
  async process(request: MiddlewareRequest): Promise<MiddlewareResult<Reason | 'internal_error'>> {
    return this.#decideFrom(0, request)
  }

  #decideFrom(first: number, request: MiddlewareRequest): Answer<Reason> | Promise<Answer<Reason>> {
    const members = this.#members
    for (let index = first; index < members.length; index++) {
      const startMs = this.#onDecision === undefined ? 0 : performance.now()
      let result: Answer<Reason>
      try {
        const answer: unknown = (members[index] as Middleware<Reason>).decide(request)
        if (answer === ALLOWED) result = ALLOWED
        else if (isThenable(answer)) return this.#decideAfter(answer, index, request, startMs)
        else result = resultOf(answer)
      } catch (error) {
        result = failure(error)
      }
      this.#tell(index, request, result, startMs)
      if (result.allowed !== true) return result
    }
    return ALLOWED
  }

  async #decideAfter(
    pending: PromiseLike<unknown>,
    index: number,
    request: MiddlewareRequest,
    startMs: number,
  ): Promise<Answer<Reason>> {
    let result: Answer<Reason>
    try {
      result = resultOf(await pending)
    } catch (error) {
      result = failure(error)
    }
    this.#tell(index, request, result, startMs)
    return result.allowed === true ? this.#decideFrom(index + 1, request) : result
  }

  #tell(index: number, request: MiddlewareRequest, result: Answer<Reason>, startMs: number): void {
    const onDecision = this.#onDecision
    const failed = result.allowed !== true && 'cause' in result
    if (onDecision === undefined && !failed) return
    const facts = { middleware: this.#names[index] as string, request }
    if (failed) this.#report(result.cause, facts)
    if (onDecision === undefined) return
    const durationMs = performance.now() - startMs
    callListener(
      () => {
        const rule = result.rule ?? null
        // A copy, since the original is what the caller will act on. It has the rule even where that is worked out.
        const told: Answer<Reason> =
          result.allowed === true ? ALLOWED : { ...result, ...(rule === null ? {} : { rule }) }
        return onDecision({ ...facts, result: told, rule, durationMs })
      },
      (error) => this.#report(error, facts),
    )
  }

  #report(error: unknown, facts: ErrorFacts): void {
    const onError = this.#onError
    if (onError === undefined) return
    callListener(
      () => onError(error, facts),
      () => {},
    )
  }
}

type Answer<Reason extends string> = MiddlewareResult<Reason | 'internal_error'>
type ErrorFacts = { readonly middleware: string; readonly request: MiddlewareRequest }

function requireMiddleware<Reason extends string>(member: unknown, index: number): Middleware<Reason> {
  if (typeof member !== 'object' || member === null || !('decide' in member) || typeof member.decide !== 'function') {
    throw new TypeError(`"members[${index}]" expected a middleware, got ${show(member)}`)
  }
  return member as Middleware<Reason>
}

/** The answer of a member, if it is one: `allowed` exactly true, or exactly false with a reason. */
function resultOf<Reason extends string>(answer: unknown): Answer<Reason> {
  if (typeof answer === 'object' && answer !== null && 'allowed' in answer) {
    if (answer.allowed === true) return answer as Allowed
    if (answer.allowed === false && 'denialReason' in answer && typeof answer.denialReason === 'string') {
      return answer as Denied<Reason>
    }
  }
  throw new TypeError(
    `a middleware must answer { allowed: true } or { allowed: false, denialReason }, not ${show(answer)}`,
  )
}

/** Calls a listener so that its failures, at once or later if it is an async function, go to `onFailure`. */
function callListener(listener: () => unknown, onFailure: (error: unknown) => void): void {
  try {
    const returned = listener()
    if (isThenable(returned)) returned.then(undefined, onFailure)
  } catch (error) {
    onFailure(error)
  }
}
