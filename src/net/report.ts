import { isThenable } from '../internal/thenable.ts'

/**
 * Tells a listener, whatever it does then: if it throws, or is an async function that rejects, nobody is left to be
 * told, and neither may take a server down.
 */
export function tell<Args extends readonly unknown[]>(listener: (...args: Args) => unknown, ...args: Args): void {
  try {
    const returned = listener(...args)
    if (isThenable(returned)) returned.then(undefined, () => {})
  } catch {
    // As said above.
  }
}
