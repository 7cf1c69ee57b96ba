// From whatever a program hands to a logger to what may stand in a log: plain values, bounded, private, and safe to
// print. It never throws: a value that cannot be read is named as such, because a log line must not take a server down.

import { isFingerprint } from '../certificate/fingerprint.ts'
import { ClientAddress } from '../names/client-address.ts'
import { Endpoint } from '../names/endpoint.ts'
import { RequestPath } from '../names/request-path.ts'
import { RequestTarget } from '../names/request-target.ts'
import { FieldNames } from './field-names.ts'
import type { AddressPseudonymizer } from './pseudonym.ts'
import {
  beginningOf,
  escapeText,
  withoutCredentials,
  withoutKeys,
  withoutQueries,
  withPseudonyms,
} from './safe-text.ts'

/** What stands in a log line. */
export type LogValue = string | number | boolean | null | readonly LogValue[] | { readonly [key: string]: LogValue }

export interface RedactOptions {
  /** Null leaves addresses as they are. */
  readonly pseudonymOf: AddressPseudonymizer | null
  /** Names of fields that hold addresses, besides the usual ones. */
  readonly addressFields: readonly string[]
  readonly keepQueries: boolean
}

const MAX_DEPTH = 5
const MAX_ITEMS = 100
// Of one line, all levels together: small values that are shared can make a large tree.
const MAX_VALUES = 1000
const MAX_CHARACTERS = 64 * 1024

export class Redactor {
  readonly #options: RedactOptions
  readonly #names: FieldNames

  constructor(options: RedactOptions) {
    const { pseudonymOf } = options
    // A function of the caller's: what it gives has to be fit for a line as well.
    const safely = pseudonymOf && ((address: string | ClientAddress) => escapeText(String(pseudonymOf(address))))
    this.#options = { ...options, pseudonymOf: safely }
    this.#names = new FieldNames(options.addressFields)
  }

  /** Any value as the text of a message. */
  message(message: unknown): string {
    try {
      return this.text(String(message))
    } catch {
      return UNREADABLE
    }
  }

  text(text: string): string {
    if (HARMLESS.test(text)) return text
    const { pseudonymOf, keepQueries } = this.#options
    let safe = withoutCredentials(withoutKeys(beginningOf(text, MAX_TEXT)))
    if (!keepQueries) safe = withoutQueries(safe)
    if (pseudonymOf !== null) safe = withPseudonyms(safe, pseudonymOf)
    return escapeText(safe)
  }

  /** The fields of a log line, whatever they are. */
  fields(fields: unknown): { readonly [key: string]: LogValue } {
    try {
      const walk = new Walk(this.#options, this.#names, (text) => this.text(text))
      if (fields instanceof Error) return { error: walk.value(fields, '', []) }
      if (typeof fields === 'object' && fields !== null) return walk.record(fields, '', [])
      return { value: walk.value(fields, '', []) }
    } catch {
      return { value: UNREADABLE }
    }
  }
}

// No URL, no address, no key and no control character can be in it, and most names and many values are like this.
const HARMLESS = /^[A-Za-z0-9_ ]{0,200}$/

const UNREADABLE = '[unreadable]'
const TOO_MUCH = '[too much]'

/** The values of one line. */
class Walk {
  readonly #options: RedactOptions
  readonly #names: FieldNames
  readonly #text: (text: string) => string
  #valuesLeft = MAX_VALUES
  #charactersLeft = MAX_CHARACTERS

  constructor(options: RedactOptions, names: FieldNames, text: (text: string) => string) {
    this.#options = options
    this.#names = names
    this.#text = text
  }

  /** @param above - The objects that the value is in, from the outermost on. */
  value(value: unknown, field: string, above: readonly object[]): LogValue {
    if (this.#valuesLeft-- <= 0) return TOO_MUCH
    try {
      return this.#readable(value, field, above)
    } catch {
      return UNREADABLE
    }
  }

  record(value: object, field: string, above: readonly object[]): { readonly [key: string]: LogValue } {
    const path = [...above, value]
    const names: unknown[] = value instanceof Map ? [...first(value.keys(), MAX_ITEMS)] : Object.keys(value)
    // Without a prototype, a field called `__proto__` is a field.
    const record: { [key: string]: LogValue } = Object.create(null)
    const isAddress = this.#names.kindOf(field) === 'address'
    for (const name of names.slice(0, MAX_ITEMS)) {
      const label = labelOf(name)
      // Below a field that holds an address, everything is part of the address.
      record[this.#say(label)] = this.#member(value, name, isAddress ? field : label, path)
    }
    const more = (value instanceof Map ? value.size : names.length) - MAX_ITEMS
    if (more > 0) record['…'] = `[${more} more]`
    return record
  }

  /** Reading a member may throw, and should cost no more than that member. */
  #member(from: object, name: unknown, field: string, path: readonly object[]): LogValue {
    try {
      const value = from instanceof Map ? from.get(name) : (from as Record<PropertyKey, unknown>)[name as PropertyKey]
      return this.value(value, field, path)
    } catch {
      return UNREADABLE
    }
  }

  #say(text: string): string {
    if (this.#charactersLeft <= 0) return TOO_MUCH
    const safe = this.#text(text)
    this.#charactersLeft -= safe.length
    return safe
  }

  #readable(value: unknown, field: string, above: readonly object[]): LogValue {
    const { pseudonymOf, keepQueries } = this.#options
    if (value === null || value === undefined) return null
    const kind = this.#names.kindOf(field)
    if (kind === 'secret') return '[secret]'
    if (typeof value === 'boolean') return value
    if (ClientAddress.is(value)) return pseudonymOf === null ? value.toString() : pseudonymOf(value)
    if (typeof value === 'object') return this.#object(value, field, above)
    if (typeof value === 'function') return '[function]'
    // An IPv4 address can be a number too.
    if (pseudonymOf !== null && kind === 'address') return pseudonymOf(String(value))
    if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
    const text = String(value)
    if (keepQueries || kind === 'plain') return this.#say(text)
    if (kind === 'query') return '[query]'
    // A request need not look like a URL: `/search?words`, `/upload;token=…`, and spaces in what somebody typed.
    return this.#say(kind === 'request' ? text.replace(/([?;#]).*$/s, '$1…') : text)
  }

  #object(value: object, field: string, above: readonly object[]): LogValue {
    if (above.includes(value)) return '[circular]'
    if (above.length >= MAX_DEPTH) return '[too deep]'
    const { pseudonymOf } = this.#options
    const hide = this.#names.kindOf(field) === 'address' ? pseudonymOf : null
    // Of the address itself, so that it is the pseudonym that the address has elsewhere.
    if (Endpoint.is(value) && hide !== null) return hide(value.toString())
    const known = this.#known(value)
    if (known !== null) return hide === null ? known : hide(known)
    // It is a query taken apart.
    if (value instanceof URLSearchParams) return this.value(String(value), 'query', above)
    if (value instanceof Error) return this.#error(value, [...above, value])
    if (Array.isArray(value)) return this.#list(value, value.length, field, [...above, value])
    if (value instanceof Set) return this.#list(value, value.size, field, [...above, value])
    if (value instanceof Map || isPlain(value)) return this.record(value, field, above)
    // What a socket, a server or a store holds inside is nobody's business. What it says of itself may be.
    if (value.toString === Object.prototype.toString) return this.#say(`[${nameOf(value)}]`)
    return this.value(String(value), field, above)
  }

  #list(items: Iterable<unknown>, length: number, field: string, path: readonly object[]): LogValue {
    const list = [...first(items, MAX_ITEMS)].map((item) => this.value(item, field, path))
    return length > MAX_ITEMS ? [...list, `[${length - MAX_ITEMS} more]`] : list
  }

  /** Values of this library, and others that have a usual text. */
  #known(value: object): string | null {
    if (RequestTarget.is(value)) {
      const query = value.query === null ? '' : `?${this.#options.keepQueries ? value.query : '…'}`
      return this.#say(`${value.scheme}://${value.endpoint}${value.path}${query}`)
    }
    if (Endpoint.is(value) || RequestPath.is(value)) return this.#say(value.toString())
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? '[invalid date]' : value.toISOString()
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`
    if (isPlain(value)) {
      // A key as JSON (RFC 7517), of which `d` alone is the secret.
      return 'kty' in value ? '[key]' : null
    }
    // A certificate, or a peer that has one.
    const { fingerprint } = value as { fingerprint?: unknown }
    return isFingerprint(fingerprint) ? fingerprint : null
  }

  #error(error: Error, path: readonly object[]): LogValue {
    const { code, cause, errors } = error as { code?: unknown; cause?: unknown; errors?: unknown }
    return {
      name: this.#say(String(error.name)),
      ...(code === undefined ? {} : { code: this.#say(String(code)) }),
      message: this.#say(String(error.message)),
      ...(cause === undefined ? {} : { cause: this.value(cause, 'cause', path) }),
      // Of an AggregateError, which for a failed connection has no message of its own.
      ...(Array.isArray(errors) ? { errors: this.value(errors, 'errors', path) } : {}),
    }
  }
}

const isPlain = (value: object): boolean => {
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

const nameOf = (value: object): string => {
  const name: unknown = value.constructor?.name
  return typeof name === 'string' && name !== '' ? name : 'object'
}

/** The key of a map can be anything. */
const labelOf = (key: unknown): string => {
  try {
    return String(key)
  } catch {
    return UNREADABLE
  }
}

/** The first few, without a look at the rest: an array can be longer than the memory. */
function* first<T>(items: Iterable<T>, count: number): Generator<T> {
  let left = count
  for (const item of items) {
    if (left-- <= 0) return
    yield item
  }
}

// What is searched for secrets and addresses; more is not logged anyway. Twice of what is kept, so that the cut seldom
// falls into the part that is.
const MAX_TEXT = 8192
