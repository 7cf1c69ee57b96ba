import { type Deferred, deferred } from './deferred.ts'

/** A promise that is made when somebody first asks for it, for outcomes that hardly anybody waits for. */
export class LatePromise<Value> {
  #deferred: Deferred<Value> | null = null
  #outcome: { readonly value: Value } | { readonly error: Error } | null = null

  /** Nobody has to handle its rejection. */
  get promise(): Promise<Value> {
    if (this.#deferred === null) {
      this.#deferred = deferred()
      this.#deferred.promise.catch(() => {})
      if (this.#outcome !== null) this.#settle(this.#deferred, this.#outcome)
    }
    return this.#deferred.promise
  }

  resolve(value: Value): void {
    this.#decide({ value })
  }

  reject(error: Error): void {
    this.#decide({ error })
  }

  #decide(outcome: { readonly value: Value } | { readonly error: Error }): void {
    this.#outcome ??= outcome
    if (this.#deferred !== null) this.#settle(this.#deferred, this.#outcome)
  }

  #settle(deferred: Deferred<Value>, outcome: { readonly value: Value } | { readonly error: Error }): void {
    if ('value' in outcome) deferred.resolve(outcome.value)
    else deferred.reject(outcome.error)
  }
}
