// From a certificate up to an authority that is trusted: the path validation of RFC 5280 section 6, small and strict.
//
// The certificates in the middle come from the peer, so they are the attacker's choice: any number of them, in any order,
// signing each other in circles. The search goes depth first from the leaf, an authority before an intermediate at
// each step, and checks each link before it takes the next one. It is bounded three times: by the length of a path, by
// the number of intermediates it looks at, and by the number of signatures it verifies in all, which is what costs.
//
// What counts, and where it is stricter than OpenSSL:
//
// - Names are compared octet by octet. Validity, weak keys and critical extensions count for every member, the authority
//   too; its own signature is the one thing not looked at, because trust in it does not come from there.
// - An issuer must be version 3 and say that it is an authority; so must the trusted one.
// - Every member that lists purposes must list this one by name; anyExtendedKeyUsage does not stand for it.
// - A critical extension must be one that is acted on here. Policies are accepted as any policy, so critical
//   constraints on them are refused. Name constraints are applied to DNS names and IP addresses; any others refuse the
//   path, because a constraint that cannot be checked counts as violated.
// - Signatures with MD5, SHA-1 or SHA-224, RSA keys below 2048 bits and unusual curves are refused.
//
// A leaf that is itself one of the authorities is a path of one: whoever lists a self-signed certificate as trusted
// means exactly that certificate. It needs no CA mark, but must be within its dates and fit for the purpose.
//
// Not done: revocation.

import { CertificateError } from '../errors.ts'
import { requireDate, requireOneOf, show } from '../internal/arguments.ts'
import type { Certificate } from './certificate.ts'
import { isSignedBy } from './issuance.ts'
import { nameConstraintRefusal } from './name-constraints.ts'
import {
  issuerRefusal,
  leafRefusal,
  type PathProblem,
  type PathPurpose,
  type Refusal,
  signatureRefusal,
  subjectOf,
} from './path-rules.ts'

export type { PathProblem, PathPurpose } from './path-rules.ts'

/** What is asked: whether a certificate was issued, directly or not, by one of the authorities. */
export interface PathQuestion {
  readonly leaf: Certificate
  /** Certificates that may help, in any order; nobody vouches for them. The leaf may be among them. */
  readonly intermediates: readonly Certificate[]
  /** The certificates that are trusted to issue. */
  readonly authorities: readonly Certificate[]
  /** The instant at which to judge. */
  readonly at: Date
  readonly purpose: PathPurpose
}

/** A path, or why there is none: the problem of the attempt that came furthest. */
export type PathResult =
  | {
      readonly valid: true
      /** The leaf first, the authority last. */
      readonly path: readonly Certificate[]
    }
  | {
      readonly valid: false
      readonly problem: PathProblem
      /** A sentence for a person. */
      readonly detail: string
    }

/** How many certificates a path may have, leaf and authority included. Public ones have three or four. */
const MAX_PATH = 10
/** How many intermediates are looked at. A peer that needs more is not trying to be understood. */
const MAX_INTERMEDIATES = 30
/** How many signatures are verified for one question: a few dozen milliseconds of work. */
const MAX_SIGNATURES = 40

/**
 * Looks for a valid path from a certificate to one of the authorities (RFC 5280 section 6; revocation is not checked).
 * It says nothing about host names.
 *
 * @returns The path, or the problem. A certificate that cannot be read is a problem too, and not an exception.
 * @throws {TypeError | RangeError} If `at` is no valid Date or `purpose` is not `server` or `client`.
 * @example
 * import { type Certificate, validatePath } from 'tlacacoca/certificate'
 *
 * function isMember(leaf: Certificate, club: Certificate): boolean {
 *   return validatePath({ leaf, intermediates: [], authorities: [club], at: new Date(), purpose: 'client' }).valid
 * }
 */
export function validatePath(question: PathQuestion): PathResult {
  requireDate('at', question.at)
  requireOneOf('purpose', question.purpose, ['server', 'client'])
  const refusal = attempt(() => leafRefusal(question.leaf, question.at, question.purpose))
  return refusal === null ? new Search(question).run() : { valid: false, ...refusal }
}

class Search {
  readonly #question: PathQuestion
  readonly #intermediates: readonly Certificate[]
  #signatures = 0
  #furthest: { readonly refusal: Refusal; readonly rank: number } | null = null

  constructor(question: PathQuestion) {
    this.#question = question
    this.#intermediates = distinct(question.intermediates).filter((each) => !question.authorities.some(sameAs(each)))
  }

  run(): PathResult {
    const { leaf, authorities } = this.#question
    if (authorities.some(sameAs(leaf))) return { valid: true, path: [leaf] }
    const count = this.#intermediates.length
    if (count > MAX_INTERMEDIATES) {
      return tooComplex(`there are ${count} intermediates, and ${MAX_INTERMEDIATES} are looked at`)
    }
    const path = this.#extend([leaf])
    if (path !== null) return { valid: true, path }
    if (this.#signatures > MAX_SIGNATURES) return tooComplex(`no path was found with ${MAX_SIGNATURES} signatures`)
    return { valid: false, ...(this.#furthest?.refusal ?? unknownIssuer(leaf)) }
  }

  /** A whole path that begins with this valid one, or null. */
  #extend(path: readonly Certificate[]): readonly Certificate[] | null {
    const child = path.at(-1)
    if (child === undefined) return null
    let found = false
    for (const trusted of [true, false]) {
      for (const candidate of this.#issuersFor(child, path, trusted)) {
        found = true
        const longer = [...path, candidate]
        const refusal = attempt(
          () => this.#linkRefusal(child, candidate, path) ?? (trusted ? nameConstraintRefusal(longer) : null),
        )
        if (this.#signatures > MAX_SIGNATURES) return null
        if (refusal !== null) {
          this.#note(refusal, path.length * 2 + (trusted ? 1 : 0))
          continue
        }
        const whole = trusted ? longer : this.#extend(longer)
        if (whole !== null) return whole
      }
    }
    if (!found) this.#note(unknownIssuer(child), path.length * 2 - 1)
    return null
  }

  /** Those that have the right name, and through whom the path has not been (RFC 4158 section 5.2: it would be a circle). */
  #issuersFor(child: Certificate, path: readonly Certificate[], trusted: boolean): Certificate[] {
    const candidates = trusted ? this.#question.authorities : this.#intermediates
    const name = child.issuerDer
    return candidates.filter((each) => isNamed(each, name) && !path.some(sameSubjectAndKey(each)))
  }

  /** Why `issuer` cannot be the one who signed the last member of the path. */
  #linkRefusal(child: Certificate, issuer: Certificate, path: readonly Certificate[]): Refusal | null {
    if (path.length >= MAX_PATH) {
      return { problem: 'path_too_long', detail: `the path has more than ${MAX_PATH} certificates` }
    }
    const { at, purpose } = this.#question
    const refusal = issuerRefusal(issuer, path, at, purpose) ?? signatureRefusal(child)
    if (refusal !== null) return refusal
    this.#signatures++
    if (this.#signatures > MAX_SIGNATURES || isSignedBy(child, issuer)) return null
    return {
      problem: 'bad_signature',
      detail: `${subjectOf(child)} is not signed with the key of ${subjectOf(issuer)}`,
    }
  }

  #note(refusal: Refusal, rank: number): void {
    if (this.#furthest === null || rank > this.#furthest.rank) this.#furthest = { refusal, rank }
  }
}

/** A certificate that cannot be read, or that OpenSSL does not want, is refused like any other. */
function attempt(check: () => Refusal | null): Refusal | null {
  try {
    return check()
  } catch (error) {
    if (error instanceof CertificateError) return { problem: 'malformed', detail: error.message }
    /* v8 ignore next -- @preserve OpenSSL says false to all that is known here; if it throws, nobody has signed */
    return { problem: 'bad_signature', detail: error instanceof Error ? error.message : String(error) }
  }
}

function unknownIssuer(child: Certificate): Refusal {
  const refusal = attempt(() => ({
    problem: 'unknown_authority',
    detail: child.isSelfIssued
      ? `${subjectOf(child)} is self-signed and not one of the trusted authorities`
      : `nobody trusted, nor any intermediate that was sent, is ${show(String(child.issuer))}, who issued ${subjectOf(child)}`,
  }))
  return refusal ?? { problem: 'unknown_authority', detail: 'nobody trusted has issued it' }
}

function tooComplex(detail: string): PathResult {
  return { valid: false, problem: 'too_complex', detail }
}

function distinct(certificates: readonly Certificate[]): Certificate[] {
  return [...new Map(certificates.map((each) => [each.fingerprint, each])).values()]
}

function sameAs(certificate: Certificate): (other: Certificate) => boolean {
  return (other) => other.equals(certificate)
}

function sameSubjectAndKey(certificate: Certificate): (other: Certificate) => boolean {
  return (other) =>
    isNamed(other, certificate.subjectDer) &&
    Buffer.compare(other.subjectPublicKeyInfo, certificate.subjectPublicKeyInfo) === 0
}

function isNamed(certificate: Certificate, name: Uint8Array): boolean {
  return Buffer.compare(certificate.subjectDer, name) === 0
}
