// The certificates of a heap, each with the place it came from, and what is asked of every one before it is compared with
// the others: that it can be read in all its parts, and that it is there once.

import { CertificateError, ChainError } from '../errors.ts'
import { show } from '../internal/arguments.ts'
import { Certificate } from './certificate.ts'
import { subjectOf } from './path-rules.ts'
import type { PemBlock } from './pem.ts'
import { type Place, placeText } from './strict-pem.ts'

/** A certificate, and where it was found; null if it was handed in as it is. */
export interface Member {
  readonly certificate: Certificate
  readonly place: Place | null
}

/** The certificate in a block. @throws {ChainError} CHAIN_CERTIFICATE_MALFORMED if it is none. */
export function certificateAt(block: PemBlock, place: Place): Certificate {
  try {
    return Certificate.from({ raw: block.der })
  } catch (cause) {
    if (cause instanceof CertificateError) throw unusable(cause.message, place, [], cause)
    /* v8 ignore next -- @preserve only a fault of our own could be another error */
    throw cause
  }
}

/** What to call a certificate: its subject, and where it is. It throws if the name is malformed. */
export function describe({ certificate, place }: Member): string {
  return place === null ? subjectOf(certificate) : `${subjectOf(certificate)} (${placeText(place)})`
}

/** What an error says about certificates apart from its message. */
export function factsAbout(...members: readonly Member[]): { subjects: readonly string[]; line?: number } {
  const line = members[0]?.place?.line
  const subjects = members.map(({ certificate }) => String(certificate.subject))
  return line === undefined ? { subjects } : { subjects, line }
}

/** The same for several. A long list says how many there are besides. */
export function describeAll(members: readonly Member[]): string {
  const shown = members.slice(0, MAX_SHOWN).map(describe).join(', ')
  return members.length <= MAX_SHOWN ? shown : `${shown} and ${members.length - MAX_SHOWN} more`
}

const MAX_SHOWN = 5

/**
 * Checks that a certificate can be read in every part, and has no name in it that readers understand differently.
 *
 * @throws {ChainError} CHAIN_CERTIFICATE_MALFORMED
 */
export function requireReadable(member: Member): void {
  const { certificate } = member
  const problem = malformation(certificate)
  if (problem !== null) throw unusable(problem, member.place, subjectIfReadable(certificate))
}

/** The same certificate twice is an error, by SHA-256 of its DER. */
export function requireDistinct(members: readonly Member[]): void {
  const seen = new Map<string, Member>()
  for (const member of members) {
    const first = seen.get(member.certificate.fingerprint)
    if (first !== undefined) {
      throw new ChainError(
        'ERR_TLACACOCA_CHAIN_DUPLICATE_CERTIFICATE',
        `${describe(member)} is there twice${first.place === null ? '' : `, first at ${placeText(first.place)}`}; remove one`,
        factsAbout(member),
      )
    }
    seen.set(member.certificate.fingerprint, member)
  }
}

/** RFC 5280 section 4.1.2.2. */
const MAX_SERIAL_OCTETS = 20

/** What is wrong with the DER in any of its parts; null if nothing is. */
function malformation(certificate: Certificate): string | null {
  try {
    const { subject, issuer, serialNumber, subjectAltNames: names } = certificate
    for (const fact of FACTS) void certificate[fact]
    if (serialNumber.startsWith('-')) return 'its serial number is negative'
    // Six of the authorities that browsers trust have the number 0. Nobody looks them up by it.
    const root = certificate.isCA && certificate.isSelfIssued
    if (/^0*$/.test(serialNumber) && !root) return 'its serial number is 0'
    // A number that begins with a set bit takes one octet more, for the sign.
    const octets = serialNumber.length / 2 + (/^[89a-f]/.test(serialNumber) ? 1 : 0)
    if (octets > MAX_SERIAL_OCTETS) return `its serial number has more than ${MAX_SERIAL_OCTETS} octets`
    const texts = [...subject.attributes, ...issuer.attributes].map((each) => each.value)
    const withNul = [...texts, ...names.dns, ...names.email, ...names.uri].find((text) => text.includes('\0'))
    return withNul === undefined ? null : `there is a NUL in the name ${show(withNul)}`
  } catch (error) {
    if (error instanceof CertificateError) return error.message
    /* v8 ignore next -- @preserve only a fault of our own could be another error */
    throw error
  }
}

function unusable(problem: string, place: Place | null, subjects: readonly string[], cause?: unknown): ChainError {
  return new ChainError(
    'ERR_TLACACOCA_CHAIN_CERTIFICATE_MALFORMED',
    `the certificate${place === null ? '' : ` at ${placeText(place)}`} cannot be used: ${problem}; it has to be made anew`,
    place === null ? { subjects } : { subjects, line: place.line },
    cause === undefined ? {} : { cause },
  )
}

const FACTS = [
  'version',
  'notBefore',
  'notAfter',
  'isCA',
  'keyUsage',
  'extendedKeyUsage',
  'subjectKeyIdentifier',
  'authorityKeyIdentifier',
  'authoritySerialNumber',
  'keySize',
  'signatureAlgorithm',
] as const

function subjectIfReadable(certificate: Certificate): readonly string[] {
  try {
    return [String(certificate.subject)]
  } catch {
    return []
  }
}
