/** A promise, and the two ways to settle it from outside. (`Promise.withResolvers` came with Node 22.) */
export interface Deferred<Value> {
  readonly promise: Promise<Value>
  resolve(value: Value): void
  reject(error: Error): void
}

export function deferred<Value>(): Deferred<Value> {
  /* v8 ignore next -- @preserve the promise replaces it before it returns; the compiler cannot know */
  let resolve: (value: Value) => void = () => {}
  /* v8 ignore next -- @preserve the promise replaces it before it returns; the compiler cannot know */
  let reject: (error: Error) => void = () => {}
  const promise = new Promise<Value>((onValue, onError) => {
    resolve = onValue
    reject = onError
  })
  return { promise, resolve, reject }
}
