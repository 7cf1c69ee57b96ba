// Options of a guard often come from a file, where the compiler sees nothing. `denylist` for `denyList` would then be a
// deny list that denies nobody, so a name that is not known stops construction.

import { show } from '../internal/arguments.ts'

/** Checks that `options` is an object with no other keys than `known`. */
export function requireKnownOptions(name: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(`"${name}" expected an object, got ${show(options)}`)
  }
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) {
      throw new TypeError(`"${name}" has no ${show(key)}; known are ${known.map(show).join(', ')}`)
    }
  }
}

/** Checks that a value is a list and not one text: a text can be iterated too, letter by letter. */
export function requireList(name: string, value: unknown): asserts value is Iterable<unknown> {
  if (typeof value !== 'object' || value === null || !(Symbol.iterator in value)) {
    throw new TypeError(`"${name}" expected a list, got ${show(value)}`)
  }
}
