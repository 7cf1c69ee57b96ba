// Values that may take their time. What is answered at once is acted on in the same turn, so that a connection whose
// questions are all answered at once needs no turn of the event loop of its own.

import { isThenable } from '../../internal/thenable.ts'

export type MaybePromise<Value> = Value | Promise<Value>

/**
 * Goes on with a value, now or later, by a promise of another make too. What `next` throws is thrown, or rejects. (Not
 * called `then`: a module that exports that cannot be imported with `import()`.)
 */
export function andThen<Value, Result>(
  value: MaybePromise<Value>,
  next: (value: Value) => MaybePromise<Result>,
): MaybePromise<Result> {
  return isThenable(value) ? Promise.resolve<Value>(value as PromiseLike<Value>).then(next) : next(value as Value)
}

/**
 * What somebody else's function has returned. A promise of another make, or of another realm, is waited for as well: to
 * take it for an answer would be to accept before anybody has decided.
 */
export function settled(value: unknown): MaybePromise<void> {
  return isThenable(value) ? Promise.resolve(value).then(() => {}) : undefined
}
