// Options of the TLS layer are read strictly: a misspelt or foreign one is refused, because ignoring `minVersoin` or
// `ciphers` would leave somebody believing that it had been obeyed.

import { show } from '../internal/arguments.ts'

/**
 * @throws {TypeError} If `value` is no object, or has a property that is not among `known`.
 */
export function requireOptions(name: string, value: unknown, known: readonly string[]): asserts value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError(`"${name}" expected an object, got ${show(value)}`)
  }
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) throw new TypeError(`"${name}" has no option ${show(key)}; it knows ${known.join(', ')}`)
  }
}
