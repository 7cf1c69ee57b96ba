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
import { requireDate, requireOneOf } from '../internal/arguments.ts'
import type { Certificate } from './certificate.ts'
import { nameConstraintRefusal } from './name-constraints.ts'
import {
  issuerRefusal,
  leafRefusal,
  type PathProblem,
  type PathPurpose,
  type Refusal,
  signatureRefusal,
} from './path-rules.ts'

export type { PathProblem, PathPurpose } from './path-rules.ts'

/** What is asked: whether a certificate was issued, directly or not, by one of the authorities. */
export interface PathQuestion {
  readonly leaf: Certificate
  /** Certificates that may help, in any order; nobody vouches for them. The leaf may be among them. */
  readonly intermediates: readonly Certificate[]
  /** The certificates that are trusted to issue. */
  readonly authorities: readonly Certificate[]
  readonly at: Date
  readonly purpose: PathPurpose
}

/** A path, or why there is none: the problem of the attempt that came furthest. */
export type PathResult =
  | { readonly valid: true /** The leaf first, the authority last. */; readonly path: readonly Certificate[] }
  | { readonly valid: false; readonly problem: PathProblem /** A sentence for a person. */; readonly detail: string }

/** How many certificates a path may have, leaf and authority included. Public ones have three or four. */
const MAX_PATH = 10
/** How many intermediates are looked at. A peer that needs more is not trying to be understood. */
const MAX_INTERMEDIATES = 30
/** How many signatures are verified for one question: some 20 ms of work at worst. */
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
  #worst: { readonly refusal: Refusal; readonly rank: number } | null = null

  constructor(question: PathQuestion) {
    this.#question = question
    this.#intermediates = distinct(question.intermediates).filter((each) => !question.authorities.some(sameAs(each)))
  }

  run(): PathResult {
    const { leaf, authorities } = this.#question
    if (authorities.some(sameAs(leaf))) return { valid: true, path: [leaf] }
    if (this.#intermediates.length > MAX_INTERMEDIATES) {
      return refused(
        'too_complex',
        `there are ${this.#intermediates.length} intermediates, and ${MAX_INTERMEDIATES} are looked at`,
      )
    }
    const path = this.#extend([leaf])
    if (path !== null) return { valid: true, path }
    if (this.#signatures > MAX_SIGNATURES)
      return refused('too_complex', `no path was found with ${MAX_SIGNATURES} signatures`)
    return { valid: false, ...(this.#worst?.refusal ?? unknownIssuer(leaf)) }
  }

  /** A whole path that begins with this valid one, or null. */
  #extend(path: readonly Certificate[]): readonly Certificate[] | null {
    const child = path.at(-1)
    if (child === undefined) return null
    const issuer = child.issuerDer
    let found = false
    for (const [candidates, trusted] of [
      [this.#question.authorities, true],
      [this.#intermediates, false],
    ] as const) {
      for (const candidate of candidates.filter(
        (each) => isNamed(each, issuer) && !path.some(sameSubjectAndKey(each)),
      )) {
        found = true
        const longer = [...path, candidate]
        const refusal = attempt(
          () => this.#linkRefusal(child, candidate, path) ?? (trusted ? nameConstraintRefusal(longer) : null),
        )
        if (this.#signatures > MAX_SIGNATURES) return null
        if (refusal !== null) this.#note(refusal, path.length * 2 + (trusted ? 1 : 0))
        else if (trusted) return longer
        else {
          const whole = this.#extend(longer)
          if (whole !== null) return whole
        }
      }
    }
    if (!found) this.#note(unknownIssuer(child), path.length * 2 - 1)
    return null
  }

  /** Why `issuer` cannot be the one who signed the last member of the path. */
  #linkRefusal(child: Certificate, issuer: Certificate, path: readonly Certificate[]): Refusal | null {
    if (path.length >= MAX_PATH)
      return { problem: 'path_too_long', detail: `the path has more than ${MAX_PATH} certificates` }
    const { at, purpose } = this.#question
    const refusal = issuerRefusal(issuer, path, at, purpose) ?? signatureRefusal(child)
    if (refusal !== null) return refusal
    this.#signatures++
    if (this.#signatures > MAX_SIGNATURES || child.toX509Certificate().verify(issuer.publicKey())) return null
    return { problem: 'bad_signature', detail: `${child.subject} is not signed with the key of ${issuer.subject}` }
  }

  #note(refusal: Refusal, rank: number): void {
    if (this.#worst === null || rank > this.#worst.rank) this.#worst = { refusal, rank }
  }
}

/** A certificate that cannot be read, or that OpenSSL does not want, is refused like any other. */
function attempt(check: () => Refusal | null): Refusal | null {
  try {
    return check()
  } catch (error) {
    if (error instanceof CertificateError) return { problem: 'malformed', detail: error.message }
    // OpenSSL's own complaint about a signature it cannot even try to verify.
    return { problem: 'bad_signature', detail: error instanceof Error ? error.message : String(error) }
  }
}

function unknownIssuer(child: Certificate): Refusal {
  const detail = child.isSelfIssued
    ? `${child.subject} is self-signed and not one of the trusted authorities`
    : `nobody trusted, nor any intermediate that was sent, is ${child.issuer}, who issued ${child.subject}`
  return { problem: 'unknown_authority', detail }
}

function refused(problem: PathProblem, detail: string): PathResult {
  return { valid: false, problem, detail }
}

function distinct(certificates: readonly Certificate[]): Certificate[] {
  return [...new Map(certificates.map((each) => [each.fingerprint, each])).values()]
}

function sameAs(certificate: Certificate): (other: Certificate) => boolean {
  return (other) => other.equals(certificate)
}

/** RFC 4158 section 5.2: a path that passes through one name and key twice only goes in a circle. */
function sameSubjectAndKey(certificate: Certificate): (other: Certificate) => boolean {
  return (other) =>
    isNamed(other, certificate.subjectDer) &&
    Buffer.compare(other.subjectPublicKeyInfo, certificate.subjectPublicKeyInfo) === 0
}

function isNamed(certificate: Certificate, name: Uint8Array): boolean {
  return Buffer.compare(certificate.subjectDer, name) === 0
}
