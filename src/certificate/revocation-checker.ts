// Whether a certificate has been taken back: the question, and the answers to it. It lives beside the certificates because
// three domains meet here that never import one another: `middleware` and `tls` ask, and `authority` can answer.
//
// A certificate that another authority issued, or nobody, is no business of the one that is asked; that answer passes on
// to whatever else is checked. A certificate that names this authority as its issuer and that it knows nothing of is
// refused: either the store has lost it or somebody has made it up.

import { show } from '../internal/arguments.ts'
import { isThenable } from '../internal/thenable.ts'
import type { Certificate } from './certificate.ts'

/** Why a certificate was revoked (RFC 5280 section 5.3.1), as far as an authority for people and servers needs it. */
export type RevocationReason =
  | 'unspecified'
  | 'key_compromise'
  | 'affiliation_changed'
  | 'superseded'
  | 'cessation_of_operation'
  | 'privilege_withdrawn'

/** What an authority knows of a certificate. Adding a kind is a major release. */
export type RevocationStatus =
  /** It has issued exactly this certificate and stands by it. */
  | { readonly kind: 'good' }
  /** It was revoked for good. */
  | { readonly kind: 'revoked'; readonly reason: RevocationReason; readonly at: Date }
  /** It is not valid for now: the authority may release it, or revoke it. */
  | { readonly kind: 'held'; readonly at: Date }
  /** It names the authority as its issuer, and the authority knows of no such certificate. */
  | { readonly kind: 'unknown' }
  /** It is of somebody else. */
  | { readonly kind: 'not_ours' }

/**
 * Knows which certificates have been taken back. Promises to implement:
 *
 * 1. `good` and `not_ours` only from knowledge: a checker that cannot tell throws or rejects, and that is a refusal.
 * 2. An answer is as of now. Whoever keeps answers says for how long.
 * 3. A synchronous answer is given synchronously.
 */
export interface RevocationChecker {
  /** Says what an authority knows of a certificate now. */
  revocationOf(certificate: Certificate): RevocationStatus | Promise<RevocationStatus>
}

/** @internal Why the holder of a certificate is refused. */
export interface RevocationRefusal {
  readonly kind: 'revoked' | 'held' | 'unknown'
  readonly certificate: Certificate
}

/**
 * @internal Asks about certificates in turn, until one is refused; null if none is. Synchronous as long as the checker
 * is. It throws what the checker throws, and at whatever is not one of the answers.
 */
export function findRevoked(
  checker: RevocationChecker,
  certificates: readonly Certificate[],
): RevocationRefusal | null | Promise<RevocationRefusal | null> {
  for (const [index, certificate] of certificates.entries()) {
    const answer: unknown = checker.revocationOf(certificate)
    if (isThenable(answer)) return findRevokedLater(checker, certificate, answer, certificates.slice(index + 1))
    const refusal = refusalOf(certificate, answer)
    if (refusal !== null) return refusal
  }
  return null
}

async function findRevokedLater(
  checker: RevocationChecker,
  certificate: Certificate,
  answer: PromiseLike<unknown>,
  rest: readonly Certificate[],
): Promise<RevocationRefusal | null> {
  return refusalOf(certificate, await answer) ?? (await findRevoked(checker, rest))
}

function refusalOf(certificate: Certificate, answer: unknown): RevocationRefusal | null {
  // A bare text is no answer, no more than a bare boolean is: what a forgotten `await` leaves must never read as "good".
  const kind = typeof answer === 'object' && answer !== null && 'kind' in answer ? answer.kind : undefined
  switch (kind as RevocationStatus['kind']) {
    case 'good':
    case 'not_ours':
      return null
    case 'revoked':
    case 'held':
    case 'unknown':
      return { kind: kind as RevocationRefusal['kind'], certificate }
    default:
      throw new TypeError(`a revocation checker must answer an object with a known kind, not ${show(kind ?? answer)}`)
  }
}

/** @internal An object that can be asked. */
export function requireRevocationChecker(name: string, value: unknown): asserts value is RevocationChecker {
  const method = typeof value === 'object' && value !== null && 'revocationOf' in value ? value.revocationOf : undefined
  if (typeof method !== 'function') {
    throw new TypeError(`"${name}" expected an object with a method revocationOf, got ${show(value)}`)
  }
}
