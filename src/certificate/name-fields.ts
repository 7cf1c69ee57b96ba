// The fields of a new name, as people write them: a short list of types with rules of their own, and everything else by
// its object identifier.
//
// Each value becomes one attribute, in the order given, and text never passes through a distinguished name in one
// string: whatever a value says, it adds no attribute.

import { requireList, requireString, show } from '../internal/arguments.ts'
import { isObjectIdentifier } from './der-writer.ts'

/**
 * One field of a name: its type and its value, as in `['CN', 'ca.net']`. Types are `C` (two letters), `ST`, `L`, `O`,
 * `OU`, `CN`, `GN`, `SN`, `title`, `serialNumber`, `STREET`, `UID`, `DC`, `emailAddress`, or a dotted object identifier.
 * A type may come several times.
 */
export type NameField = readonly [type: string, value: string]

/** An attribute of a name that is to be written. */
export interface WritableAttribute {
  /** The object identifier of its type, dotted. */
  readonly oid: string
  readonly value: string
  /** The string type that the standard wants for it (RFC 5280 appendix A.1). Default `utf8String`. */
  readonly as?: StringType
}

/** The ASN.1 string types that names are written in. */
export type StringType = 'utf8String' | 'printableString' | 'ia5String'

/**
 * Checks the fields of a name.
 *
 * @param option - What the fields are called in messages.
 * @throws {TypeError} For something that is no list of pairs of strings, or a type that is not known.
 * @throws {RangeError} For a value that cannot stand in a name: too short or too long for its type, with control
 *   characters, or of letters that its type does not have.
 */
export function readNameFields(fields: readonly NameField[], option = 'subject'): WritableAttribute[] {
  requireList(option, fields)
  const list = Array.from(fields as Iterable<unknown>)
  if (list.length > MAX_FIELDS) throw new RangeError(`"${option}" expected at most ${MAX_FIELDS} fields, got more`)
  return list.map((field, index) => readField(field, `${option}[${index}]`))
}

function readField(field: unknown, where: string): WritableAttribute {
  if (!Array.isArray(field) || field.length !== 2) {
    throw new TypeError(`"${where}" expected a pair of type and value, got ${show(field)}`)
  }
  const [type, value]: unknown[] = field
  requireString(`${where}[0]`, type)
  requireString(`${where}[1]`, value)
  const rule = RULES.get(type) ?? BY_IDENTIFIER.get(type) ?? ruleOfUnknown(type, where)
  const problem = problemOf(value, rule)
  if (problem !== null) throw new RangeError(`"${where}" (${type}) expected ${problem}, got ${show(value)}`)
  return { oid: rule.oid, value, ...(rule.as === undefined ? {} : { as: rule.as }) }
}

interface Rule {
  readonly oid: string
  /** In characters, of which one outside the first plane is one (X.520). */
  readonly max: number
  readonly as?: StringType
  readonly pattern?: RegExp
  /** What the pattern asks for. */
  readonly wanted?: string
}

// X.680 section 41.4.
const PRINTABLE = /^[A-Za-z0-9 '()+,./:=?-]*$/

// RFC 5280 appendix A.1: the upper bounds ub-…; STREET: X.520 annex C; UID: RFC 4524 section 2.23; DC: RFC 4519 section 2.4,
// and a label of DNS is no longer.
const RULES: ReadonlyMap<string, Rule> = new Map(
  Object.entries({
    C: {
      oid: '2.5.4.6',
      max: 2,
      as: 'printableString',
      pattern: /^[A-Z]{2}$/,
      wanted: 'a country of two capital letters',
    },
    ST: { oid: '2.5.4.8', max: 128 },
    L: { oid: '2.5.4.7', max: 128 },
    O: { oid: '2.5.4.10', max: 64 },
    OU: { oid: '2.5.4.11', max: 64 },
    CN: { oid: '2.5.4.3', max: 64 },
    GN: { oid: '2.5.4.42', max: 32_768 },
    SN: { oid: '2.5.4.4', max: 32_768 },
    title: { oid: '2.5.4.12', max: 64 },
    serialNumber: {
      oid: '2.5.4.5',
      max: 64,
      as: 'printableString',
      pattern: PRINTABLE,
      wanted: "letters, digits, spaces and '()+,-./:=? only",
    },
    STREET: { oid: '2.5.4.9', max: 128 },
    UID: { oid: '0.9.2342.19200300.100.1.1', max: 256 },
    DC: {
      oid: '0.9.2342.19200300.100.1.25',
      max: 63,
      as: 'ia5String',
      pattern: /^[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?$/,
      wanted: 'one label of a host name, in ASCII',
    },
    emailAddress: {
      oid: '1.2.840.113549.1.9.1',
      max: 255,
      as: 'ia5String',
      pattern: /^[!-?A-~]+@[!-?A-~]+$/,
      wanted: 'an e-mail address in ASCII',
    },
  } satisfies Record<string, Rule>),
)

const BY_IDENTIFIER: ReadonlyMap<string, Rule> = new Map([...RULES.values()].map((rule) => [rule.oid, rule]))

/** Nobody knows what belongs there; it is text, and not much of it. */
const MAX_UNKNOWN = 256
const MAX_FIELDS = 100

function ruleOfUnknown(type: string, where: string): Rule {
  if (isObjectIdentifier(type)) return { oid: type, max: MAX_UNKNOWN }
  throw new TypeError(
    `"${where}" expected one of the types ${[...RULES.keys()].join(', ')} or a dotted identifier, got ${show(type)}`,
  )
}

// Controls (C0, C1), half surrogate pairs, line ends, and what turns the direction of the text around it: they show another
// name than the one that is there.
const STEERING = /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u

function problemOf(value: string, rule: Rule): string | null {
  if (rule.pattern !== undefined && !rule.pattern.test(value)) return rule.wanted ?? 'other characters'
  if (STEERING.test(value)) return 'text without control characters'
  const length = Array.from(value).length
  return length >= 1 && length <= rule.max ? null : `1 to ${rule.max} characters`
}
