// From whatever a program hands to a logger to what may stand in a log: plain values, bounded, private, and safe to
// print. It never throws: a value that cannot be read is named as such, because a log line must not take a server down.

import { isFingerprint } from '../certificate/fingerprint.ts'
import { ClientAddress } from '../names/client-address.ts'
import { Endpoint } from '../names/endpoint.ts'
import { RequestPath } from '../names/request-path.ts'
import { RequestTarget } from '../names/request-target.ts'
import type { AddressPseudonymizer } from './pseudonym.ts'
import { escapeText, withoutKeys, withoutQueries, withPseudonyms } from './safe-text.ts'

/** What stands in a log line. */
export type LogValue = string | number | boolean | null | readonly LogValue[] | { readonly [key: string]: LogValue }

export interface RedactOptions {
  /** Null leaves addresses as they are. */
  readonly pseudonymOf: AddressPseudonymizer | null
  /** Names of fields that hold addresses, besides the usual ones. */
  readonly addressFields: readonly string[]
  readonly keepQueries: boolean
}

const ADDRESS_FIELDS =
  'ip ipaddress ipv4 ipv6 clientip remoteip peerip sourceip srcip realip address clientaddress remoteaddress ' +
  'peeraddress sourceaddress addr clientaddr remoteaddr peeraddr socketaddr xforwardedfor forwarded forwardedfor xrealip'

const SECRET_FIELDS =
  'passphrase password passwd pwd secret key privatekey privatekeypem keypem token apikey authorization cookie'

/** Fields that hold a request or a part of it even where the text does not look like a URL. */
const REQUEST_FIELDS = 'url uri path target line request requestline'

const MAX_DEPTH = 6
const MAX_ITEMS = 100

/** `clientIp`, `client_ip` and `Client-IP` are one name. */
const plainName = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '')

export class Redactor {
  readonly #options: RedactOptions
  readonly #addressFields: ReadonlySet<string>
  readonly #secretFields = new Set(SECRET_FIELDS.split(' '))
  readonly #requestFields = new Set(REQUEST_FIELDS.split(' '))

  constructor(options: RedactOptions) {
    this.#options = options
    this.#addressFields = new Set([...ADDRESS_FIELDS.split(' '), ...options.addressFields.map(plainName)])
  }

  text(text: string): string {
    const { pseudonymOf, keepQueries } = this.#options
    let safe = withoutKeys(text.length > MAX_TEXT ? text.slice(0, MAX_TEXT) : text)
    if (!keepQueries) safe = withoutQueries(safe)
    if (pseudonymOf !== null) safe = withPseudonyms(safe, pseudonymOf)
    return escapeText(safe)
  }

  /** The fields of a log line. Names that a line has anyway are not overwritten by them. */
  fields(fields: unknown): { [key: string]: LogValue } {
    const value = this.#value(fields, '', [])
    return isRecord(value) ? { ...value } : { value }
  }

  #value(value: unknown, field: string, above: readonly object[]): LogValue {
    try {
      return this.#readable(value, plainName(field), above)
    } catch {
      return '[unreadable]'
    }
  }

  #readable(value: unknown, field: string, above: readonly object[]): LogValue {
    const { pseudonymOf } = this.#options
    if (value === null || value === undefined) return null
    if (this.#secretFields.has(field)) return '[secret]'
    if (typeof value === 'boolean') return value
    if (ClientAddress.is(value)) return pseudonymOf === null ? value.toString() : pseudonymOf(value)
    if (typeof value === 'object') return this.#object(value, field, above)
    // An IPv4 address can be a number too.
    if (this.#addressFields.has(field) && pseudonymOf !== null) return pseudonymOf(String(value))
    if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
    const text = typeof value === 'function' ? '[function]' : String(value)
    if (this.#requestFields.has(field) && !this.#options.keepQueries) {
      return this.text(text.replace(/\?.*$/s, '?…'))
    }
    return this.text(text)
  }

  #object(value: object, field: string, above: readonly object[]): LogValue {
    if (above.includes(value)) return '[circular]'
    if (above.length >= MAX_DEPTH) return '[too deep]'
    const known = this.#known(value)
    if (known !== null) return known
    const path = [...above, value]
    if (Array.isArray(value) || value instanceof Set) {
      const items = [...value].slice(0, MAX_ITEMS).map((item) => this.#value(item, field, path))
      const rest = (Array.isArray(value) ? value.length : value.size) - items.length
      return rest > 0 ? [...items, `[${rest} more]`] : items
    }
    if (value instanceof Error) return this.#error(value, path)
    const names = value instanceof Map ? [...value.keys()] : Object.keys(value)
    const entries = names.slice(0, MAX_ITEMS).map((name): [string, LogValue] => {
      // Below a field that holds an address, everything without a name of its own meaning is part of the address.
      const inner = this.#addressFields.has(field) ? field : String(name)
      return [this.text(String(name)), this.#value(read(value, name), inner, path)]
    })
    if (names.length > MAX_ITEMS) entries.push(['…', `[${names.length - MAX_ITEMS} more]`])
    // Without a prototype, a field called `__proto__` is a field.
    return Object.assign(Object.create(null), Object.fromEntries(entries))
  }

  /** Values of this library, and others that have a usual text. */
  #known(value: object): LogValue | null {
    if (RequestTarget.is(value)) {
      const query = value.query === null ? '' : `?${this.#options.keepQueries ? value.query : '…'}`
      return this.text(`${value.scheme}://${value.endpoint}${value.path}${query}`)
    }
    if (Endpoint.is(value) || RequestPath.is(value)) return escapeText(value.toString())
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? '[invalid date]' : value.toISOString()
    if (value instanceof Uint8Array) return `[${value.length} bytes]`
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`
    // A certificate, or a peer that has one.
    const { fingerprint } = value as { fingerprint?: unknown }
    if (typeof fingerprint === 'string' && isFingerprint(fingerprint) && !isPlain(value)) return fingerprint
    return null
  }

  #error(error: Error, path: readonly object[]): LogValue {
    const { code, cause } = error as { code?: unknown; cause?: unknown }
    return {
      name: this.text(String(error.name)),
      ...(code === undefined ? {} : { code: this.text(String(code)) }),
      message: this.text(String(error.message)),
      ...(cause === undefined ? {} : { cause: this.#value(cause, 'cause', path) }),
    }
  }
}

const isRecord = (value: LogValue): value is { readonly [key: string]: LogValue } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isPlain = (value: object): boolean => {
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function read(from: object, name: unknown): unknown {
  return from instanceof Map ? from.get(name) : (from as Record<PropertyKey, unknown>)[name as PropertyKey]
}

// What is searched for secrets and addresses; more is not logged anyway. Twice of what is kept, so that the cut cannot
// fall into the part that is.
const MAX_TEXT = 8192
