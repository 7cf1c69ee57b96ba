// The names in a certificate (RFC 5280 section 4.1.2.4): who it is about and who signed it. They are for display and for
// finding the issuer. Nobody is authorised by one: a self-signed certificate says what its maker likes.

import { type DerElement, malformed, oidOf, readWhole, TAG } from './der.ts'

/** One attribute of a name, such as the common name. */
export interface NameAttribute {
  /** The object identifier of its type, dotted. */
  readonly oid: string
  /** The short name of its type (RFC 4514 section 3, `CN`, and a few more), or the identifier if it has none here. */
  readonly type: string
  /** Its text; `#` and the value's DER in hex if it is no text. Everything is possible here, control characters too. */
  readonly value: string
}

const SHORT_NAMES: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.4': 'SN',
  '2.5.4.5': 'serialNumber',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.9': 'STREET',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.12': 'title',
  '2.5.4.42': 'GN',
  '0.9.2342.19200300.100.1.1': 'UID',
  '0.9.2342.19200300.100.1.25': 'DC',
  '1.2.840.113549.1.9.1': 'emailAddress',
}

/** A name: a list of sets (nearly always of one) of attributes, in the order of the certificate. */
export class DistinguishedName {
  /** The attributes in order, whatever set they are in. */
  readonly attributes: readonly NameAttribute[]
  readonly #sets: readonly (readonly NameAttribute[])[]

  /** @internal */
  constructor(sets: readonly (readonly NameAttribute[])[]) {
    this.#sets = sets
    this.attributes = Object.freeze(sets.flat())
  }

  /** The last and so most specific common name, as RFC 6125 section 1.8 counts; null if there is none. */
  get commonName(): string | null {
    return this.valuesOf('CN').at(-1) ?? null
  }

  /** The values of one type, by its short name or its dotted identifier, in order. Misfin mailboxes are in `UID`. */
  valuesOf(type: string): string[] {
    return this.attributes.filter((each) => each.type === type || each.oid === type).map((each) => each.value)
  }

  /** Whether there is nothing in it, which is legal. */
  get isEmpty(): boolean {
    return this.attributes.length === 0
  }

  /**
   * The name as text by RFC 4514, last attribute first: `CN=example.org,O=Example`. What could confuse a terminal
   * (control and direction characters) is escaped in hex, which the RFC allows for any character.
   */
  toString(): string {
    return this.#sets
      .toReversed()
      .map((set) => set.map((each) => `${each.type}=${escapeValue(each)}`).join('+'))
      .join(',')
  }
}

/** Reads a Name from its DER. */
export function readName(der: Uint8Array, what: string): DistinguishedName {
  const attribute = ({ oid, element }: RawAttribute): NameAttribute =>
    Object.freeze({ oid, type: SHORT_NAMES[oid] ?? oid, value: directoryText(element, what) ?? hexOf(element) })
  return new DistinguishedName(readSets(der, what).map((set) => set.map(attribute)))
}

/**
 * @internal A text that two names have in common if and only if they are the same by RFC 5280 section 7.1: attributes are
 * compared as text whatever string type they have, in any case, and without the spaces that nobody sees; the attributes
 * of one set are in no order. Values that are no text are compared octet by octet.
 */
export function comparableName(der: Uint8Array, what: string): string {
  const comparable = ({ oid, element }: RawAttribute): readonly string[] => {
    const text = directoryText(element, what)
    return text === null ? [oid, 'der', hexOf(element)] : [oid, 'text', prepared(text)]
  }
  return JSON.stringify(
    readSets(der, what).map((set) => set.map((each) => JSON.stringify(comparable(each))).toSorted()),
  )
}

/** The string preparation of RFC 4518, as far as it concerns what names have in practice: normal form, case, spaces. */
function prepared(text: string): string {
  // Upper case first: it also takes apart what has no single counterpart, such as the sharp s.
  return text.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFKC').trim().replace(/\s+/g, ' ')
}

interface RawAttribute {
  readonly oid: string
  readonly element: DerElement
}

function readSets(der: Uint8Array, what: string): RawAttribute[][] {
  const sets: RawAttribute[][] = []
  const reader = readWhole(der, TAG.sequence, what).children()
  while (!reader.done) {
    const set = reader.read(TAG.set, what).children()
    const attributes: RawAttribute[] = []
    while (!set.done) {
      const pair = set.read(TAG.sequence, what).children()
      const oid = oidOf(pair.read(TAG.oid, what), what)
      const element = pair.readAny(what)
      pair.finish(what)
      attributes.push({ oid, element })
    }
    if (attributes.length === 0) throw malformed(`${what} has an empty set of attributes`)
    sets.push(attributes)
  }
  return sets
}

/** `#` and the DER in hex: what stands for a value that is no text (RFC 4514 section 2.4). */
function hexOf(element: DerElement): string {
  return `#${Buffer.from(element.encoded).toString('hex')}`
}

/** @internal The text of a DirectoryString or one of its relatives; null for any other type. */
export function directoryText(element: DerElement, what: string): string | null {
  const content = Buffer.from(element.content)
  switch (element.tag) {
    case TAG.utf8String:
      return utf8(content, what)
    // All of ASCII or less by the standard. In practice TeletexString holds Latin-1, and the rest now and then does.
    case TAG.printableString:
    case TAG.numericString:
    case TAG.ia5String:
    case TAG.visibleString:
    case TAG.teletexString:
      return content.toString('latin1')
    case TAG.bmpString:
      return codePoints(content, 2, what)
    case TAG.universalString:
      return codePoints(content, 4, what)
    default:
      return null
  }
}

/** @internal Text in UTF-8, which must be well-formed: two different byte strings never become one text. */
export function utf8(content: Uint8Array, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content)
  } catch (cause) {
    throw malformed(`${what} has text that is not UTF-8`, { cause })
  }
}

/** BMPString and UniversalString: code points of two or four octets. Surrogates are none (X.690 section 8.23). */
function codePoints(content: Buffer, width: 2 | 4, what: string): string {
  if (content.length % width !== 0) throw malformed(`${what} has text that is cut short`)
  const characters: string[] = []
  for (let at = 0; at < content.length; at += width) {
    const point = content.readUIntBE(at, width)
    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
      throw malformed(`${what} has text that is not Unicode`)
    characters.push(String.fromCodePoint(point))
  }
  return characters.join('')
}

// Everything that RFC 4514 section 2.4 wants escaped, and the characters that act on a terminal instead of showing.
const SPECIAL = /[\\",+;<>]/g
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}]/gu

function escapeValue(attribute: NameAttribute): string {
  return (
    attribute.value
      .replace(SPECIAL, '\\$&')
      .replace(INVISIBLE, (character) => Buffer.from(character).toString('hex').replace(/../g, '\\$&'))
      .replace(/^[ #]/, '\\$&')
      // A value of one space has been escaped by the line before.
      .replace(/(?<!^\\) $/, '\\ ')
  )
}
