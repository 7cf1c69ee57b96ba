// Checks for what a program passes in. Misuse is a bug in the caller: it throws a plain `TypeError` or `RangeError`
// that names the argument, says what was expected and shows what came, and it carries no code to branch on.

/** Shows a value in a message: short, on one line, with nothing in it that could forge a second one. */
export function show(value: unknown): string {
  if (typeof value === 'string') {
    const quoted = JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value)
    return quoted.replace(STEERING, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  }
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object'
  return String(value)
}

// What JSON leaves as it is although a terminal does not: DEL and C1 controls (8-bit CSI), marks of reading direction, line
// separators, invisible characters.
const STEERING = /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g

export function requireString(name: string, value: unknown): asserts value is string {
  if (typeof value !== 'string') throw new TypeError(`"${name}" expected a string, got ${show(value)}`)
}

export function requireFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw new TypeError(`"${name}" expected a function, got ${show(value)}`)
}

/** `true` or `false`, and not what merely counts as one: `'no'` does not. */
export function requireBoolean(name: string, value: unknown): asserts value is boolean {
  if (typeof value !== 'boolean') throw new TypeError(`"${name}" expected true or false, got ${show(value)}`)
}

export function requireInteger(name: string, value: unknown, min: number, max: number): asserts value is number {
  if (typeof value !== 'number') throw new TypeError(`"${name}" expected a number, got ${show(value)}`)
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`"${name}" expected a whole number from ${min} to ${max}, got ${value}`)
  }
}

/** A finite number above zero. NaN and Infinity are refused by name: a rate of NaN would never limit anybody. */
export function requirePositive(name: string, value: unknown): asserts value is number {
  if (typeof value !== 'number') throw new TypeError(`"${name}" expected a number, got ${show(value)}`)
  if (!Number.isFinite(value) || value <= 0) {
    throw new RangeError(`"${name}" expected a finite number above 0, got ${value}`)
  }
}

export function requireOneOf<T extends string>(
  name: string,
  value: unknown,
  allowed: readonly T[],
): asserts value is T {
  if (!(allowed as readonly unknown[]).includes(value)) {
    throw new TypeError(`"${name}" expected one of ${allowed.map(show).join(', ')}, got ${show(value)}`)
  }
}

/** A `Date` that holds an instant. `new Date('nonsense')` is a `Date` too, and compares false with everything. */
export function requireDate(name: string, value: unknown): asserts value is Date {
  if (!(value instanceof Date)) throw new TypeError(`"${name}" expected a Date, got ${show(value)}`)
  if (Number.isNaN(value.getTime())) throw new RangeError(`"${name}" expected a valid Date, got an invalid one`)
}

/**
 * An object with no other keys than `known`. A misspelt option is refused: `denylist` for `denyList` would be a deny list
 * that denies nobody, and options often come from a file, where the compiler sees nothing.
 */
export function requireOptions(name: string, value: unknown, known: readonly string[]): asserts value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError(`"${name}" expected an object, got ${show(value)}`)
  }
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) throw new TypeError(`"${name}" has no option ${show(key)}; it knows ${known.join(', ')}`)
  }
}

/** A list, and not one text: a text can be iterated too, letter by letter. */
export function requireList(name: string, value: unknown): asserts value is Iterable<unknown> {
  if (typeof value !== 'object' || value === null || !(Symbol.iterator in value)) {
    throw new TypeError(`"${name}" expected a list, got ${show(value)}`)
  }
}
