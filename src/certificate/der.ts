// A small strict reader of DER (ITU-T X.690), enough for certificates and keys and no more.
//
// It never recurses: a caller steps into an element by asking for its children, so the depth is that of the caller's
// code and no input can raise it. It never allocates by a length that the input names: an element is three numbers over
// bytes that are there. What DER forbids is refused: indefinite and padded lengths, surplus bytes, padded integers.
//
// Everything wrong with the bytes throws `CertificateError` ERR_TLACACOCA_CERTIFICATE_MALFORMED.

import { CertificateError } from '../errors.ts'

/** The tags of X.690 that certificates use; a context tag is `0x80 + n`, or `0xa0 + n` when it is constructed. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  numericString: 0x12,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  visibleString: 0x1a,
  universalString: 0x1c,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const

/** @internal */
export function malformed(reason: string, options?: ErrorOptions): CertificateError {
  return new CertificateError('ERR_TLACACOCA_CERTIFICATE_MALFORMED', `malformed certificate: ${reason}`, options)
}

/**
 * Where the element that starts at `at` ends. It has this tag and its whole encoding lies before `limit`, or this throws.
 *
 * This runs for every certificate of every connection, so it is kept short enough to be inlined, and what is wrong is
 * found out only once something is. Bytes that are not there compare false with everything.
 */
export function elementEnd(bytes: Uint8Array, at: number, limit: number, tag: number, what: string): number {
  const first = bytes[at + 1] ?? BEYOND
  const end = first < 0x80 ? at + 2 + first : longEnd(bytes, at, limit, what)
  if (bytes[at] !== tag || end > limit) throw misfit(bytes, at, limit, tag, what)
  return end
}

const BEYOND = 0x100

/** Where an element ends whose length takes several octets. */
function longEnd(bytes: Uint8Array, at: number, limit: number, what: string): number {
  const first = bytes[at + 1] ?? BEYOND
  if (first === BEYOND) return Number.POSITIVE_INFINITY
  const count = first & 0x7f
  if (count === 0) throw malformed(`${what} has an indefinite length, which is BER and not DER`)
  // Four octets reach 4 GiB. Multiplying keeps the sum positive where a shift would not.
  if (count > 4 || count > limit - at - 2) throw malformed(`${what} is longer than what holds it`)
  let length = 0
  for (let i = 0; i < count; i++) length = length * 256 + (bytes[at + 2 + i] ?? 0)
  if (length < 0x80 || bytes[at + 2] === 0) throw malformed(`${what} has a padded length, which is BER and not DER`)
  return at + 2 + count + length
}

function misfit(bytes: Uint8Array, at: number, limit: number, tag: number, what: string): CertificateError {
  const found = bytes[at]
  if (limit - at < 2 || found === undefined) return malformed(`${what} is missing or cut short`)
  if (found !== tag) return malformed(`${what} has the tag ${octet(found)}, not ${octet(tag)}`)
  return malformed(`${what} is longer than what holds it`)
}

/** Where the content starts of an element that {@link elementEnd} has accepted. */
export function contentStart(bytes: Uint8Array, at: number): number {
  const first = bytes[at + 1] ?? 0
  return first < 0x80 ? at + 2 : at + 2 + (first & 0x7f)
}

/** One element: a view of bytes that belong to somebody else. */
export class DerElement {
  readonly tag: number
  readonly #bytes: Uint8Array
  readonly #start: number
  readonly #contentStart: number
  readonly #end: number

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.tag = bytes[start] ?? 0
    this.#bytes = bytes
    this.#start = start
    this.#contentStart = contentStart(bytes, start)
    this.#end = end
  }

  /** Tag, length and content. */
  get encoded(): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#end)
  }

  get content(): Uint8Array {
    return this.#bytes.subarray(this.#contentStart, this.#end)
  }

  get isEmpty(): boolean {
    return this.#contentStart === this.#end
  }

  /** A reader of the elements inside. */
  children(): DerReader {
    return new DerReader(this.#bytes, this.#contentStart, this.#end)
  }
}

/** Reads elements one after another. `what` names them in messages. */
export class DerReader {
  readonly #bytes: Uint8Array
  #position: number
  readonly #end: number

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#position = start
    this.#end = end
  }

  get done(): boolean {
    return this.#position === this.#end
  }

  /** The next element, which must be there and have this tag. */
  read(tag: number, what: string): DerElement {
    const start = this.#position
    this.#position = elementEnd(this.#bytes, start, this.#end, tag, what)
    return new DerElement(this.#bytes, start, this.#position)
  }

  /** The next element, whatever it is. */
  readAny(what: string): DerElement {
    const tag = this.#bytes[this.#position] ?? 0
    // Tags above 30 take several octets. Nothing in a certificate has one.
    if ((tag & 0x1f) === 0x1f) throw malformed(`${what} has a tag of several octets`)
    return this.read(tag, what)
  }

  /** The next element if it has this tag; null if it has another, or if nothing is left. */
  optional(tag: number, what: string): DerElement | null {
    return this.done || this.#bytes[this.#position] !== tag ? null : this.read(tag, what)
  }

  /** Nothing may be left. */
  finish(what: string): void {
    if (!this.done) throw malformed(`${what} has surplus bytes`)
  }
}

/** The one element that these bytes are, with nothing after it. */
export function readWhole(bytes: Uint8Array, tag: number, what: string): DerElement {
  const reader = new DerReader(bytes)
  const element = reader.read(tag, what)
  reader.finish(what)
  return element
}

/** X.690 section 11.1: false is 00 and true is FF. OpenSSL takes any other octet for true; here it is an error. */
export function booleanOf(element: DerElement, what: string): boolean {
  const content = element.content
  if (content.length === 1 && content[0] === 0xff) return true
  if (content.length === 1 && content[0] === 0x00) return false
  throw malformed(`${what} is neither true nor false`)
}

/** The content octets of an INTEGER: two's complement, not empty, without padding (X.690 section 8.3.2). */
export function integerBytes(element: DerElement, what: string): Uint8Array {
  const content = element.content
  if (content.length === 0) throw malformed(`${what} is an empty integer`)
  const [first = 0, second = 0] = content
  const padded = content.length > 1 && ((first === 0x00 && second < 0x80) || (first === 0xff && second >= 0x80))
  if (padded) throw malformed(`${what} is a padded integer`)
  return content
}

/** An integer in two's complement as hex of its magnitude, with a minus sign if it is negative. */
export function signedHex(octets: Uint8Array): string {
  const hex = Buffer.from(octets).toString('hex')
  if ((octets[0] ?? 0) < 0x80) return hex.length > 2 && hex.startsWith('00') ? hex.slice(2) : hex
  const magnitude = ((1n << BigInt(octets.length * 8)) - BigInt(`0x${hex}`)).toString(16)
  return `-${magnitude.padStart(magnitude.length + (magnitude.length % 2), '0')}`
}

/** The value of an INTEGER from 0 to 2^31-1. */
export function smallInteger(element: DerElement, what: string): number {
  const content = integerBytes(element, what)
  if (content.length > 4 || (content[0] ?? 0) >= 0x80) throw malformed(`${what} is out of range`)
  return content.reduce((value, byte) => value * 256 + byte, 0)
}

/** The bytes of a BIT STRING that must consist of whole octets, as keys and signatures do. */
export function wholeOctets(element: DerElement, what: string): Uint8Array {
  const content = element.content
  if (content.length === 0 || content[0] !== 0) throw malformed(`${what} is not a whole number of octets`)
  return content.subarray(1)
}

/** The bits of a named bit list, first bit first (X.690 section 11.2). */
export function bitsOf(element: DerElement, what: string): boolean[] {
  const content = element.content
  const unused = content[0]
  const last = content[content.length - 1] ?? 0
  if (unused === undefined || unused > 7 || (content.length === 1 && unused !== 0)) {
    throw malformed(`${what} is no bit string`)
  }
  if ((last & ((1 << unused) - 1)) !== 0 && content.length > 1) throw malformed(`${what} has bits set after its end`)
  const bits: boolean[] = []
  for (const byte of content.subarray(1)) {
    for (let mask = 0x80; mask !== 0; mask >>= 1) bits.push((byte & mask) !== 0)
  }
  return unused === 0 ? bits : bits.slice(0, -unused)
}

// The longest in use, UUIDs under 2.25, take 20 octets. The limit bounds the arithmetic on big integers.
const MAX_OID_OCTETS = 128

/** An OBJECT IDENTIFIER in dotted form (X.690 section 8.19). */
export function oidOf(element: DerElement, what: string): string {
  const content = element.content
  if (content.length === 0 || content.length > MAX_OID_OCTETS) throw malformed(`${what} is no object identifier`)
  const arcs: bigint[] = []
  let arc = 0n
  let inside = false
  for (const byte of content) {
    if (!inside && byte === 0x80) throw malformed(`${what} is an object identifier with padding`)
    arc = (arc << 7n) | BigInt(byte & 0x7f)
    inside = byte >= 0x80
    if (inside) continue
    if (arcs.length === 0) {
      // The first octets hold two arcs: 40 times the first, which is 0, 1 or 2, plus the second.
      const root = arc < 40n ? 0n : arc < 80n ? 1n : 2n
      arcs.push(root, arc - root * 40n)
    } else {
      arcs.push(arc)
    }
    arc = 0n
  }
  if (inside) throw malformed(`${what} is an object identifier that is cut short`)
  return arcs.join('.')
}

/**
 * A Time of RFC 5280 section 4.1.2.5, in milliseconds since the epoch: `YYMMDDHHMMSSZ` as UTCTime or `YYYYMMDDHHMMSSZ`
 * as GeneralizedTime, with seconds, in UTC, without fractions. A date that the calendar does not have is an error: as a
 * `Date` it would be NaN, and no instant is later than NaN. GeneralizedTime before 2050 is against the RFC and accepted,
 * because it can only mean one instant.
 */
export function timeOf(element: DerElement, what: string): number {
  const text = element.content
  const yearDigits = element.tag === TAG.utcTime ? 2 : element.tag === TAG.generalizedTime ? 4 : 0
  if (yearDigits === 0 || text.length !== yearDigits + 11 || text[yearDigits + 10] !== 0x5a) {
    throw malformed(`${what} is not a time in the form that certificates use`)
  }
  const field = (index: number) => decimal(text, yearDigits + index * 2, 2)
  const [month, day, hour, minute, second] = [field(0), field(1), field(2), field(3), field(4)]
  const yearField = decimal(text, 0, yearDigits)
  // Two digits stand for 1950 to 2049.
  const year = yearDigits === 4 ? yearField : yearField < 50 ? 2000 + yearField : 1900 + yearField
  // Date.UTC would take the years 0 to 99 for 1900 to 1999, and 30 February for 2 March.
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  const sameDay = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day
  // What is not a number is not less than anything either.
  if (!(sameDay && hour < 24 && minute < 60 && second < 60)) throw malformed(`${what} is a time that does not exist`)
  return date.setUTCHours(hour, minute, second)
}

/** A number of so many decimal digits; NaN if something else is among them. */
function decimal(text: Uint8Array, start: number, count: number): number {
  let value = 0
  for (let i = start; i < start + count; i++) {
    const digit = (text[i] ?? 0) - 0x30
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  return value
}

function octet(value: number): string {
  return `0x${value.toString(16).padStart(2, '0')}`
}
