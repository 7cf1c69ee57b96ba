import type { Certificate } from '../certificate/certificate.ts'
import { askIssuance } from '../certificate/issuance-checker.ts'
import { Peer } from '../certificate/peer.ts'
import { findRevoked } from '../certificate/revocation-checker.ts'
import { CertificateError } from '../errors.ts'
import { requireFunction, requireList, requireOptions, show } from '../internal/arguments.ts'
import { type Clock, systemClock } from '../internal/clock.ts'
import { isThenable } from '../internal/thenable.ts'
import { RequestTarget } from '../names/request-target.ts'
import { decisionOf } from './certificate-lookup.ts'
import { type CertificateRule, type CompiledRule, compileRule } from './certificate-rule.ts'
import { ALLOWED, failure, type Middleware, type MiddlewareRequest, type MiddlewareResult } from './middleware.ts'
import { RuleTree } from './rule-tree.ts'

/** Which paths ask for which certificates. */
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
 * All of this is asked on each request, with the certificate of the connection as it is then: one that expires or is taken
 * back while a connection is open is refused from then on. The answer names the rule: its path, with host and scheme in
 * front if it has any.
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
 * import { readFile } from 'node:fs/promises'
 * import { TrustStore } from 'tlacacoca/certificate'
 * import { CertificateAuth } from 'tlacacoca/middleware'
 *
 * const chapters = TrustStore.fromPem(await readFile('club-ca.pem', 'utf8'))
 * const auth = new CertificateAuth({
 *   rules: [
 *     { path: '/club/' },
 *     { path: '/club/chapters/', issuedBy: chapters },
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

  /** Applies the rule for the path, if there is one. */
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
    try {
      const { peer } = request
      if (peer === null) return rule.needsCertificate ? rule.certRequired : rule.allowed
      if (!Peer.is(peer)) throw new TypeError(`"peer" expected a Peer or null, got ${show(peer)}`)

      const at = new Date(this.#clock())
      const problem = problemWithDates(rule, peer, at)
      if (problem !== null) return notValid(rule, problem)
      if (rule.revocation === null) return authorize(rule, peer, request, at)

      return after(rule, findRevoked(rule.revocation, chainOf(peer)), (refusal) =>
        refusal === null ? authorize(rule, peer, request, at) : notValid(rule, refusal.kind),
      )
    } catch (error) {
      return failureOf(rule, error)
    }
  }
}

function problemWithDates(rule: CompiledRule, peer: Peer, at: Date): string | null {
  try {
    const validity = peer.validityAt(at)
    if (validity === 'expired' && !rule.allowsExpired) return validity
    if (validity === 'not_yet_valid' && !rule.allowsNotYetValid) return validity
    return null
  } catch (error) {
    // A date that cannot be read has not proven anything, whatever the rule allows.
    if (error instanceof CertificateError) return 'unreadable dates'
    throw error
  }
}

function authorize(
  rule: CompiledRule,
  peer: Peer,
  request: MiddlewareRequest,
  at: Date,
): MiddlewareResult | Promise<MiddlewareResult> {
  if (rule.members !== null && !rule.members.has(peer.certificate)) return notAuthorized(rule, 'not on the list')
  if (rule.issued && peer.issuance !== 'issued') return notAuthorized(rule, peer.issuanceProblem ?? peer.issuance)
  if (rule.issuedBy === null) return lookUp(rule, peer, request)

  return after(rule, askIssuance(rule.issuedBy, chainOf(peer), at), (problem) =>
    problem === null ? lookUp(rule, peer, request) : notAuthorized(rule, problem),
  )
}

function lookUp(
  rule: CompiledRule,
  peer: Peer,
  request: MiddlewareRequest,
): MiddlewareResult | Promise<MiddlewareResult> {
  if (rule.lookup === null) return rule.allowed
  return after(rule, rule.lookup.lookup(peer, request), (answer) => decisionOf(answer, rule))
}

/** What the peer sent, its own certificate first. */
function chainOf({ certificate, chain }: Peer): readonly Certificate[] {
  return [certificate, ...chain.slice(1)]
}

/** Goes on with an answer: at once if it is there, and later if it is promised. */
function after<Answer>(
  rule: CompiledRule,
  answer: Answer | PromiseLike<Answer>,
  decide: (answer: Answer) => MiddlewareResult | Promise<MiddlewareResult>,
): MiddlewareResult | Promise<MiddlewareResult> {
  return isThenable(answer) ? decideLater(rule, answer as PromiseLike<Answer>, decide) : decide(answer)
}

async function decideLater<Answer>(
  rule: CompiledRule,
  answer: PromiseLike<Answer>,
  decide: (answer: Answer) => MiddlewareResult | Promise<MiddlewareResult>,
): Promise<MiddlewareResult> {
  try {
    return await decide(await answer)
  } catch (error) {
    return failureOf(rule, error)
  }
}

function notValid({ text }: CompiledRule, detail: string): MiddlewareResult {
  return { allowed: false, denialReason: 'cert_not_valid', rule: text, detail }
}

function notAuthorized({ text }: CompiledRule, detail: string): MiddlewareResult {
  return { allowed: false, denialReason: 'cert_not_authorized', rule: text, detail }
}

function failureOf({ text }: CompiledRule, cause: unknown): MiddlewareResult {
  return { ...failure(cause), rule: text }
}
