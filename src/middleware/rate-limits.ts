import { requireOptions, requireString, show } from '../internal/arguments.ts'
import { ALLOWED, type Denied, type Middleware, type MiddlewareRequest, type MiddlewareResult } from './middleware.ts'
import type { StoreAnswer } from './rate-limit-answer.ts'
import type { RateLimitStore } from './rate-limit-store.ts'
import { type Claim, RateLimiter } from './rate-limiter.ts'

/** One limit, and what a request asks of it. */
interface Asked {
  readonly limiter: RateLimiter<RateLimitStore | undefined>
  readonly claim: Claim
}

type Answer = MiddlewareResult | Promise<MiddlewareResult>

/**
 * Several limits at once: a request takes from all of them, or from none. A chain of limiters would take from the first
 * and then be refused by the second, so that waiting for the second uses up the first.
 *
 * A denial names the limit that refuses for longest as its `rule`, and when the request will pass all of them.
 *
 * In memory this is exact. With a store elsewhere, all limits are looked at before anything is taken; if somebody takes
 * from one of them meanwhile, the request is denied and what it took from the others is lost. It never passes without
 * having taken from all.
 *
 * @throws {TypeError} If a limit is no {@link RateLimiter}, there is none, or two have the same name.
 * @example
 * import { MiddlewareChain, RateLimiter, RateLimits } from 'tlacacoca/middleware'
 *
 * const limits = new RateLimits([
 *   new RateLimiter({ name: 'client', capacity: 20, refillPerSecond: 2 }),
 *   new RateLimiter({ name: 'search', path: '/search', capacity: 3, refillPerSecond: 0.1 }),
 *   new RateLimiter({ name: 'all', by: 'global', capacity: 500, refillPerSecond: 200 }),
 * ])
 * console.log(new MiddlewareChain([limits]).name)
 */
export class RateLimits<Store extends RateLimitStore | undefined = undefined> implements Middleware {
  readonly name: string
  /** Those with a store first: what is in memory can then be settled in one step at the end. */
  readonly #limiters: readonly RateLimiter<RateLimitStore | undefined>[]

  constructor(limiters: readonly RateLimiter<Store>[], options: { readonly name?: string } = {}) {
    requireOptions('options', options, ['name'])
    const { name = 'rate_limits' } = options
    requireString('name', name)
    if (!Array.isArray(limiters) || limiters.length === 0) {
      throw new TypeError(`"limiters" expected a list of at least one, got ${show(limiters)}`)
    }
    const names = new Set<string>()
    const all = Array.from<unknown, RateLimiter<RateLimitStore | undefined>>(limiters, (limiter, index) => {
      if (!(limiter instanceof RateLimiter)) {
        throw new TypeError(`"limiters[${index}]" expected a RateLimiter, got ${show(limiter)}`)
      }
      if (names.has(limiter.name)) throw new TypeError(`two limiters have the name ${show(limiter.name)}`)
      names.add(limiter.name)
      return limiter
    })
    this.name = name
    this.#limiters = [...all.filter(({ isInMemory }) => !isInMemory), ...all.filter(({ isInMemory }) => isInMemory)]
  }

  /** Takes the tokens of a request from all limits, or from none. */
  decide(request: MiddlewareRequest): StoreAnswer<Store, MiddlewareResult>
  decide(request: MiddlewareRequest): Answer {
    const asked: Asked[] = []
    const banned: Denied[] = []
    for (const limiter of this.#limiters) {
      const claim = limiter.claim(request)
      if (!('allowed' in claim)) asked.push({ limiter, claim })
      else if (!claim.allowed) banned.push(claim)
    }
    const looks = asked.map(({ limiter, claim }) => limiter.look(claim))
    if (looks.every(isSettled)) return refusal(asked, looks, banned) ?? takeAll(asked, true)
    return decideLater(asked, looks, banned)
  }
}

async function decideLater(
  asked: readonly Asked[],
  looks: readonly Answer[],
  banned: readonly Denied[],
): Promise<MiddlewareResult> {
  return refusal(asked, await Promise.all(looks), banned) ?? takeAll(asked, false)
}

/**
 * @param seen - Whether nothing has happened since all were looked at.
 */
function takeAll(asked: readonly Asked[], seen: boolean): Answer {
  for (const [index, { limiter, claim }] of asked.entries()) {
    if (limiter.isInMemory && !seen) return takeFromMemory(asked.slice(index))
    const result = limiter.settle(claim)
    if (!isSettled(result)) {
      return result.then((late) => (late.allowed ? takeAll(asked.slice(index + 1), false) : late))
    }
    if (!result.allowed) return result
  }
  return ALLOWED
}

/** The rest of them, none of which has a store: they answer at once, so nothing can come between. */
function takeFromMemory(asked: readonly Asked[]): Answer {
  const looks = asked.map(({ limiter, claim }) => limiter.look(claim)).filter(isSettled)
  return refusal(asked, looks, []) ?? takeAll(asked, true)
}

/** The longest of all denials, if there is one. Each limit that refuses counts it. */
function refusal(
  asked: readonly Asked[],
  results: readonly MiddlewareResult[],
  banned: readonly Denied[],
): Denied | undefined {
  const denials = [...banned]
  for (const [index, { limiter, claim }] of asked.entries()) {
    const result = results[index]
    if (result?.allowed === false) denials.push(limiter.deny(claim.address, result))
  }
  return denials.sort((a, b) => duration(b) - duration(a))[0]
}

/** In seconds. What failed comes before what will never pass, since somebody should hear of it. */
function duration({ denialReason, retryAfterSeconds }: Denied): number {
  if (denialReason === 'internal_error') return Number.MAX_VALUE
  return retryAfterSeconds ?? Number.MAX_SAFE_INTEGER
}

function isSettled(answer: Answer): answer is MiddlewareResult {
  return !(answer instanceof Promise)
}
