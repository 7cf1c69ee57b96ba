// Whether a certificate was issued by somebody who is trusted: the question, and the answers to it. They stand apart from the
// trust store, which answers, so that `middleware` can ask without loading what reads certificates: whoever has a trust
// store has loaded that already, and whoever has no TLS never does.

import { show } from '../internal/arguments.ts'
import { isThenable } from '../internal/thenable.ts'
import type { Certificate } from './certificate.ts'

/** Whether a certificate was issued by one of the authorities that were asked. Adding a kind is a major release. */
export type IssuanceStatus =
  /** A path to one of them is valid at that instant. */
  | { readonly kind: 'issued' }
  /** None is. `problem` says in a word or a few why not, for logs and for people: `unknown_authority`, `expired`. */
  | { readonly kind: 'unissued'; readonly problem?: string }

/**
 * Knows who issued a certificate. A `TrustStore` is one. Promises to implement:
 *
 * 1. `issued` only from signatures that were checked, for the certificate that comes first in the chain; nobody vouches
 *    for the others. Whoever keeps answers keeps none beyond a date of any certificate that it rests on.
 * 2. One that cannot tell throws or rejects, and that is a refusal.
 * 3. A synchronous answer is given synchronously.
 */
export interface IssuanceChecker {
  /**
   * Says who issued a certificate, as far as it matters to a server.
   *
   * @param chain - What the client sent, its own certificate first.
   * @param at - The instant that the answer is for.
   */
  issuanceOf(chain: readonly Certificate[], at: Date): IssuanceStatus | Promise<IssuanceStatus>
}

/**
 * @internal Why a certificate does not count as issued, or null if it does. Whatever is not one of the answers throws: a bare
 * boolean is none, nor is what a forgotten `await` leaves.
 */
function issuanceProblem(answer: unknown): string | null {
  const { kind, problem } = typeof answer === 'object' && answer !== null ? (answer as Partial<Answer>) : {}
  switch (kind) {
    case 'issued':
      return null
    case 'unissued':
      return typeof problem === 'string' && problem !== '' ? problem : kind
    default:
      throw new TypeError(`an issuance checker must answer an object with a known kind, not ${show(kind ?? answer)}`)
  }
}

/** @internal Asks, and reads the answer. */
export function askIssuance(
  checker: IssuanceChecker,
  chain: readonly Certificate[],
  at: Date,
): string | null | Promise<string | null> {
  const answer: unknown = checker.issuanceOf(chain, at)
  return isThenable(answer) ? Promise.resolve(answer).then(issuanceProblem) : issuanceProblem(answer)
}

/** @internal An object that can be asked. */
export function requireIssuanceChecker(name: string, value: unknown): asserts value is IssuanceChecker {
  const method = typeof value === 'object' && value !== null && 'issuanceOf' in value ? value.issuanceOf : undefined
  if (typeof method !== 'function') {
    throw new TypeError(`"${name}" expected a TrustStore or an object with a method issuanceOf, got ${show(value)}`)
  }
}

interface Answer {
  readonly kind: IssuanceStatus['kind']
  readonly problem: unknown
}
