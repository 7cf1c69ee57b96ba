import { Peer } from '../certificate/peer.ts'
import { findRevoked, type RevocationRefusal } from '../certificate/revocation-checker.ts'
import { CertificateError } from '../errors.ts'
import { requireFunction, requireList, requireOptions, show } from '../internal/arguments.ts'
import { type Clock, systemClock } from '../internal/clock.ts'
import { isThenable } from '../internal/thenable.ts'
import { RequestTarget } from '../names/request-target.ts'
import { decisionOf } from './certificate-lookup.ts'
import { type CertificateRule, type CompiledRule, compileRule } from './certificate-rule.ts'
import {
  ALLOWED,
  type Denied,
  failure,
  type Middleware,
  type MiddlewareRequest,
  type MiddlewareResult,
} from './middleware.ts'
import { RuleTree } from './rule-tree.ts'

export interface CertificateAuthOptions {
  /** In any order: the most specific one applies, see {@link CertificateAuth}. */
  readonly rules: Iterable<CertificateRule>
  /** The time by which certificates have expired or not. Default: the computer's clock. */
  readonly clock?: Clock
}

/**
 * Decides by client certificate, path by path.
 *
 * One rule applies to a request: of those that cover its path the one with the longest path; of these the one with a
 * host, then with a port, then with a scheme. A request that no rule covers is allowed. The rule is then asked in this
 * order:
 *
 * 1. A certificate that is shown must be within its dates (`cert_not_valid`, with `expired` or `not_yet_valid` as
 *    `detail`), unless the rule says otherwise. This holds where the rule requires none too: whoever serves that path
 *    may take the certificate for an identity. And it must not have been taken back (`revoked`, `held`, or `unknown` to
 *    the authority that it names), if the rule says who knows that; so must none of the chain that comes with it.
 * 2. If one is required, it must be shown (`cert_required`).
 * 3. It must be on the list, be issued by a trusted authority, and pass the lookup, as far as the rule says so
 *    (`cert_not_authorized`; a lookup has other answers too).
 *
 * Only a {@link Peer} counts as a certificate: one whose key was proven in the handshake. Paths are compared by whole
 * names, after decoding, exactly. A file system that ignores case would undo that; `openInsideRoot` sees to it that it
 * does not, and so must whoever opens files in another way.
 *
 * It never throws: what cannot be decided is `internal_error`.
 *
 * @throws {InvalidNameError} If the path, host or a fingerprint of a rule is malformed, with its place.
 * @throws {TypeError} If a rule is malformed otherwise, or two rules are for the same path, host and scheme.
 * @example
 * import { CertificateAuth } from 'tlacacoca/middleware'
 *
 * const auth = new CertificateAuth({
 *   rules: [
 *     { path: '/club/' },
 *     { path: '/club/about', requireCertificate: false },
 *     { path: '/admin/', allowedFingerprints: ['146a4b2771b2a200f058d0e516baf6f824f1913f1050ad2d711185826533a257'] },
 *   ],
 * })
 */
export class CertificateAuth implements Middleware {
  readonly name = 'certificate_auth'
  readonly #rules = new RuleTree()
  readonly #clock: Clock

  constructor(options: CertificateAuthOptions) {
    requireOptions('options', options, ['rules', 'clock'])
    requireList('rules', options.rules)
    if (options.clock !== undefined) requireFunction('clock', options.clock)
    let index = 0
    for (const rule of options.rules) {
      const name = `rules[${index++}]`
      this.#rules.add(compileRule(rule, name), name)
    }
    this.#clock = options.clock ?? systemClock
  }

  decide(request: MiddlewareRequest): MiddlewareResult | Promise<MiddlewareResult> {
    try {
      const { target } = request
      if (!RequestTarget.is(target)) throw new TypeError(`"target" expected a RequestTarget, got ${show(target)}`)
      const rule = this.#rules.find(target)
      return rule === null ? ALLOWED : this.#apply(rule, request)
    } catch (error) {
      return failure(error)
    }
  }

  #apply(rule: CompiledRule, request: MiddlewareRequest): MiddlewareResult | Promise<MiddlewareResult> {
    const { peer } = request
    if (peer === null) return rule.needsCertificate ? CERT_REQUIRED : ALLOWED
    if (!Peer.is(peer)) throw new TypeError(`"peer" expected a Peer or null, got ${show(peer)}`)

    const problem = this.#problemWithDates(rule, peer)
    if (problem !== null) return notValid(problem)
    if (rule.revocation === null) return authorize(rule, peer, request)

    const proceed = (refusal: RevocationRefusal | null): MiddlewareResult | Promise<MiddlewareResult> =>
      refusal === null ? authorize(rule, peer, request) : notValid(refusal.kind)
    const refusal = findRevoked(rule.revocation, [peer.certificate, ...peer.chain.slice(1)])
    return refusal instanceof Promise ? decisionAfter(refusal, proceed) : proceed(refusal)
  }

  #problemWithDates(rule: CompiledRule, peer: Peer): string | null {
    try {
      const validity = peer.validityAt(new Date(this.#clock()))
      if (validity === 'expired' && !rule.allowsExpired) return validity
      if (validity === 'not_yet_valid' && !rule.allowsNotYetValid) return validity
      return null
    } catch (error) {
      // A date that cannot be read has not proven anything, whatever the rule allows.
      if (error instanceof CertificateError) return 'unreadable dates'
      throw error
    }
  }
}

const CERT_REQUIRED: Denied = Object.freeze({ allowed: false, denialReason: 'cert_required' })

function authorize(
  rule: CompiledRule,
  peer: Peer,
  request: MiddlewareRequest,
): MiddlewareResult | Promise<MiddlewareResult> {
  if (rule.allowed !== null && !rule.allowed.has(peer.certificate)) return notAuthorized('not on the list')
  if (rule.issued && peer.issuance !== 'issued') return notAuthorized(peer.issuanceProblem ?? peer.issuance)
  if (rule.lookup === null) return ALLOWED

  const answer = rule.lookup.lookup(peer, request)
  return isThenable(answer) ? decisionAfter(answer, decisionOf) : decisionOf(answer)
}

async function decisionAfter<Answer>(
  answer: PromiseLike<Answer>,
  decide: (answer: Answer) => MiddlewareResult | Promise<MiddlewareResult>,
): Promise<MiddlewareResult> {
  try {
    return await decide(await answer)
  } catch (error) {
    return failure(error)
  }
}

function notValid(detail: string): Denied {
  return { allowed: false, denialReason: 'cert_not_valid', detail }
}

function notAuthorized(detail: string): Denied {
  return { allowed: false, denialReason: 'cert_not_authorized', detail }
}
