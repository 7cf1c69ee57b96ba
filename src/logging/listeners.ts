// What the rest of the library has to tell, as log lines. Each function gives a callback for an option of theirs.

import type { ChainDecision } from '../middleware/chain.ts'
import type { DenialReason } from '../middleware/middleware.ts'
import type { TofuEvent } from '../tofu/visit.ts'
import type { Logger } from './logger.ts'

/** Denials that somebody causes who tries what he may not. The others are ordinary mistakes. */
const ATTACKS: ReadonlySet<string> = new Set<DenialReason>([
  'rate_limit',
  'access_denied',
  'cert_not_authorized',
  'cert_not_valid',
  'identity_changed',
])

/**
 * Logs the decisions of a `MiddlewareChain`: denials by attack as security events, failures as errors, other denials at
 * `info`, and what was allowed at `debug`. Each line names the member and the rule that decided. Addresses in the name of
 * a rule (`denyList: 203.0.113.66`) become pseudonyms like the client's: the two are the same if the rule is for one address.
 *
 * @example
 * import { MiddlewareChain, RateLimiter } from 'tlacacoca'
 * import { createLogger, logDecisions } from 'tlacacoca/logging'
 *
 * const guard = new MiddlewareChain([new RateLimiter()], { onDecision: logDecisions(createLogger()) })
 */
export function logDecisions<Reason extends string>(logger: Logger): (decision: ChainDecision<Reason>) => void {
  return ({ middleware, request, result, rule, durationMs }) => {
    const facts = {
      middleware,
      ...(rule === null ? {} : { rule }),
      clientAddress: request.address,
      target: request.target,
      peer: request.peer,
      durationMs: Math.round(durationMs),
    }
    if (result.allowed === true) return logger.debug('request allowed', facts)
    const { denialReason, detail, retryAfterSeconds, cause } = result
    const denial = {
      ...facts,
      denialReason,
      ...(detail === undefined ? {} : { detail }),
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
      ...(cause === undefined ? {} : { cause }),
    }
    if (denialReason === 'internal_error') logger.error('request denied', denial)
    else if (ATTACKS.has(denialReason)) logger.security('request denied', denial)
    else logger.info('request denied', denial)
  }
}

/**
 * Logs what a `TofuStore` reports: changed, renewed and refused certificates as security events, first uses at `info`.
 *
 * @example
 * import { TofuStore } from 'tlacacoca'
 * import { createLogger, logTofuEvents } from 'tlacacoca/logging'
 *
 * const store = TofuStore.inMemory({ onEvent: logTofuEvents(createLogger()) })
 */
export function logTofuEvents(logger: Logger): (event: TofuEvent) => void {
  return (event) => {
    if (event.kind === 'snapshot')
      return logger.error('pins cannot be recorded', { path: event.path, code: event.code })
    const { verdict, decidedBy } = event
    const facts = {
      endpoint: verdict.endpoint,
      verdict: verdict.kind,
      reason: verdict.reason,
      presented: verdict.presented,
      ...('pinned' in verdict ? { pinned: verdict.pinned } : {}),
      decidedBy,
    }
    if (event.kind === 'accepted' && verdict.kind === 'first_use') return logger.info('certificate accepted', facts)
    logger.security(`certificate ${event.kind}`, facts)
  }
}
