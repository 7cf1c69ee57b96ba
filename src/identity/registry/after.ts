import type { Awaitable } from './identity-store.ts'

/** Goes on with a value, at once if it is there: what is asked on every request should not cost a promise. */
export function after<T, Result>(value: Awaitable<T>, next: (value: T) => Awaitable<Result>): Awaitable<Result> {
  return isPromise(value) ? value.then(next) : next(value)
}

function isPromise<T>(value: Awaitable<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
