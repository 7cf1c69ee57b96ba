// Name constraints (RFC 5280 section 4.2.1.10): an authority that may issue for some names only.
//
// DNS names and IP addresses are understood. A constraint on anything else refuses the path, even where a certificate
// might have no such name: a constraint that cannot be checked counts as violated. Each authority of a path is asked on
// its own about every certificate below it, which comes to the same as the running intersection of section 6.1.4 (g).

import { show } from '../internal/arguments.ts'
import type { Certificate } from './certificate.ts'
import { type DerElement, malformed, readWhole, TAG } from './der.ts'
import { EXTENSION } from './extensions.ts'
import { type Refusal, subjectOf } from './path-rules.ts'

const NAME_CONSTRAINTS = '2.5.29.30'
// GeneralName: [2] dNSName, [7] iPAddress.
const DNS_NAME = 0x82
const IP_ADDRESS = 0x87
/** How many comparisons are made for one path. Lists can be long on both sides, and only their product is. */
const MAX_COMPARISONS = 100_000

interface Subtrees {
  readonly dns: string[]
  /** Address and mask, one after the other: 8 or 32 octets. */
  readonly ip: Uint8Array[]
}

interface Constraints {
  readonly permitted: Subtrees
  readonly excluded: Subtrees
}

/**
 * @internal Whether a certificate has a name that an authority above it may not issue for.
 *
 * @param path - The leaf first, the authority last.
 */
export function nameConstraintRefusal(path: readonly Certificate[]): Refusal | null {
  let comparisons = 0
  for (const [index, authority] of path.entries()) {
    const constraints = index === 0 ? null : constraintsOf(authority)
    if (constraints === null) continue
    if (constraints === 'unsupported') {
      return {
        problem: 'name_constraint',
        detail: `${subjectOf(authority)} is constrained in a way that is not supported`,
      }
    }
    for (const [position, below] of path.slice(0, index).entries()) {
      // Section 6.1.4 (b): an authority that only changed its key is exempt, the leaf never.
      if (position > 0 && below.isSelfIssued) continue
      const names = namesOf(below)
      comparisons += (names.dns.length + names.ip.length) * size(constraints)
      if (comparisons > MAX_COMPARISONS) {
        return { problem: 'too_complex', detail: 'there are too many names and constraints on them to compare' }
      }
      const wrong = forbidden(names, constraints)
      if (wrong !== null) {
        return { problem: 'name_constraint', detail: `${subjectOf(authority)} may not issue for ${show(wrong)}` }
      }
    }
  }
  return null
}

function constraintsOf(authority: Certificate): Constraints | 'unsupported' | null {
  const extension = authority.extensions.find(({ oid }) => oid === NAME_CONSTRAINTS)
  if (extension === undefined) return null
  const fields = readWhole(extension.value, TAG.sequence, 'the name constraints').children()
  const permitted = subtreesOf(fields.optional(0xa0, 'the permitted names'))
  const excluded = subtreesOf(fields.optional(0xa1, 'the excluded names'))
  fields.finish('the name constraints')
  if (permitted === null || excluded === null) return 'unsupported'
  if (size({ permitted, excluded }) === 0) throw malformed('the name constraints are empty')
  return { permitted, excluded }
}

/** Null if one of them is not understood. */
function subtreesOf(list: DerElement | null): Subtrees | null {
  const subtrees: Subtrees = { dns: [], ip: [] }
  const reader = list?.children()
  while (reader !== undefined && !reader.done) {
    const fields = reader.read(TAG.sequence, 'a constraint').children()
    const base = fields.readAny('the base of a constraint')
    // `minimum` and `maximum` must be left out, says the RFC.
    if (!fields.done) return null
    if (base.tag === DNS_NAME) {
      const name = Buffer.from(base.content).toString('latin1').toLowerCase()
      if (name !== '' && !HOST_NAME.test(name.replace(/^\./, ''))) return null
      subtrees.dns.push(name)
    } else if (base.tag === IP_ADDRESS) {
      if (!isAddressAndMask(base.content)) return null
      subtrees.ip.push(base.content)
    } else {
      return null
    }
  }
  return subtrees
}

const HOST_NAME = /^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/

interface Names {
  readonly dns: string[]
  readonly ip: Uint8Array[]
}

function namesOf(certificate: Certificate): Names {
  const names: Names = { dns: [], ip: [] }
  const extension = certificate.extensions.find(({ oid }) => oid === EXTENSION.subjectAltName)
  if (extension === undefined) return names
  const reader = readWhole(extension.value, TAG.sequence, 'the alternative names').children()
  while (!reader.done) {
    const name = reader.readAny('an alternative name')
    if (name.tag === DNS_NAME) names.dns.push(Buffer.from(name.content).toString('latin1').toLowerCase())
    else if (name.tag === IP_ADDRESS) names.ip.push(name.content)
  }
  return names
}

/** The first name that is not allowed, as text. A kind of name without a permitted list is free. */
function forbidden(names: Names, { permitted, excluded }: Constraints): string | null {
  if (permitted.dns.length + excluded.dns.length > 0) {
    const wrong = names.dns.find((written) => {
      const name = written.endsWith('.') ? written.slice(0, -1) : written
      // A name that is no host name cannot be compared like one.
      if (!HOST_NAME.test(name.replace(/^\*\./, ''))) return true
      if (excluded.dns.some((base) => overlaps(name, base))) return true
      return permitted.dns.length > 0 && !permitted.dns.some((base) => isBelow(name, base))
    })
    if (wrong !== undefined) return wrong
  }
  if (permitted.ip.length + excluded.ip.length > 0) {
    const wrong = names.ip.find((address) => {
      // An IPv4 address in the clothes of an IPv6 one would slip past constraints on IPv4.
      if (isMapped(address) || excluded.ip.some((base) => isInside(address, base))) return true
      return permitted.ip.length > 0 && !permitted.ip.some((base) => isInside(address, base))
    })
    if (wrong !== undefined) return Buffer.from(wrong).toString('hex')
  }
  return null
}

/** Whether a name, or every name that a wildcard stands for, is the base or below it. With a leading dot: below only. */
function isBelow(name: string, base: string): boolean {
  if (base === '') return true
  return base.startsWith('.') ? name.endsWith(base) : name === base || name.endsWith(`.${base}`)
}

/** Whether a name, or one that a wildcard stands for, is the base or below it, leading dot or not. */
function overlaps(name: string, base: string): boolean {
  const bare = base.replace(/^\./, '')
  return isBelow(name, bare) || (name.startsWith('*.') && bare.replace(/^[^.]*/, '*') === name)
}

function isAddressAndMask(octets: Uint8Array): boolean {
  if (octets.length !== 8 && octets.length !== 32) return false
  const mask = Buffer.from(octets.subarray(octets.length / 2)).reduce(
    (bits, octet) => bits + octet.toString(2).padStart(8, '0'),
    '',
  )
  return /^1*0*$/.test(mask)
}

function isInside(address: Uint8Array, base: Uint8Array): boolean {
  const length = base.length / 2
  if (address.length !== length) return false
  return address.every((octet, at) => ((octet ^ (base[at] ?? 0)) & (base[length + at] ?? 0)) === 0)
}

function isMapped(address: Uint8Array): boolean {
  return (
    address.length === 16 &&
    address[10] === 0xff &&
    address[11] === 0xff &&
    address.subarray(0, 10).every((octet) => octet === 0)
  )
}

function size({ permitted, excluded }: Constraints): number {
  return permitted.dns.length + permitted.ip.length + excluded.dns.length + excluded.ip.length
}
