// What a rate limiter says: in its own words, and for a store, which may fail and may answer nonsense.

import { show } from '../internal/arguments.ts'
import { isThenable } from '../internal/thenable.ts'
import { ALLOWED, type Denied, failure, type MiddlewareResult } from './middleware.ts'
import type { RateLimitStore } from './rate-limit-store.ts'
import type { BucketOptions } from './refill.ts'

/** What a limiter answers: with a store, perhaps later. */
export type StoreAnswer<Store extends RateLimitStore | undefined, T> = Store extends RateLimitStore ? T | Promise<T> : T

/** @param retryAfterSeconds - Undefined for never. */
export function denial(rule: string, retryAfterSeconds: number | undefined): Denied {
  if (retryAfterSeconds === undefined) return { allowed: false, denialReason: 'rate_limit', rule }
  return { allowed: false, denialReason: 'rate_limit', retryAfterSeconds, rule }
}

/** What somebody is told who is banned and would be told `otherwise` without the ban: when both are over. */
export function forBan(otherwise: MiddlewareResult, seconds: number, rule: string): Denied {
  const banned = { allowed: false, denialReason: 'rate_limit', rule, detail: 'banned' } as const
  if (otherwise.allowed) return { ...banned, retryAfterSeconds: seconds }
  if (otherwise.retryAfterSeconds === undefined) return banned
  return { ...banned, retryAfterSeconds: Math.max(seconds, otherwise.retryAfterSeconds) }
}

/** Asks a store for a bucket. It never throws or rejects: undecided means no. */
export function askStore(
  store: RateLimitStore,
  method: 'consume' | 'peek',
  { key, bucket, cost, rule }: { key: string; bucket: BucketOptions; cost: number; rule: string },
): MiddlewareResult | Promise<MiddlewareResult> {
  try {
    const answer: unknown = store[method](key, bucket, cost)
    if (!isThenable(answer)) return resultOf(answer, rule)
    return Promise.resolve(answer)
      .then((late) => resultOf(late, rule))
      .catch(failure)
  } catch (error) {
    return failure(error)
  }
}

function resultOf(answer: unknown, rule: string): MiddlewareResult {
  if (typeof answer === 'object' && answer !== null && 'allowed' in answer) {
    if (answer.allowed === true) return ALLOWED
    const seconds = 'retryAfterSeconds' in answer ? answer.retryAfterSeconds : undefined
    if (answer.allowed === false && (seconds === undefined || isWholeSeconds(seconds))) return denial(rule, seconds)
  }
  throw new TypeError(`a store must answer { allowed, remaining, retryAfterSeconds }, not ${show(answer)}`)
}

function isWholeSeconds(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0
}
