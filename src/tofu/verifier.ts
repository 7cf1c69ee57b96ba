// Trust on first use as an answer to `connect`: may this server have our request?

import type { PeerCandidate, PeerVerifier, VerifierDecision } from '../certificate/peer-verifier.ts'
import type { TofuPolicy } from './policy.ts'
import type { TofuStore } from './tofu-store.ts'
import type { VisitOutcome, VisitQuestion } from './visit.ts'

/**
 * A verifier by trust on first use. A server's first certificate is recorded, the same one is accepted from then on, and
 * another one is refused with `CertificateChangedError` unless the policy, or whom it asks, accepts it.
 *
 * @param policy - Rules that differ from the store's.
 * @example
 * import { parseEndpoint } from 'tlacacoca'
 * import { connect } from 'tlacacoca/tls'
 * import { TofuStore, tofu } from 'tlacacoca/tofu'
 *
 * const known = TofuStore.inMemory()
 * const connection = await connect({
 *   endpoint: parseEndpoint('example.org:1965'),
 *   verify: tofu(known, { onChanged: (verdict) => ({ accept: verdict.reason === 'authority_vouched' }) }),
 * })
 * connection.stream.end('gemini://example.org/\r\n')
 */
export function tofu(store: TofuStore, policy?: TofuPolicy): PeerVerifier {
  return store.verifier(policy)
}

/** @internal The verifier over a way to visit. */
export function verifierOver(visit: (question: VisitQuestion) => Promise<VisitOutcome>): PeerVerifier {
  return {
    name: 'tofu',
    async verify(candidate: PeerCandidate): Promise<VerifierDecision> {
      candidate.signal.throwIfAborted()
      const outcome = await visit(candidate)
      if (outcome.accepted) return { accept: true, ground: outcome.verdict.kind }
      const { verdict, error } = outcome
      return { accept: false, reason: verdict.kind, detail: verdict.explanation, error }
    },
  }
}
