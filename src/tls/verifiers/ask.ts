// How a verifier is asked: so that whatever it does, there is a decision, and it is "no" unless it is exactly "yes".

import type { PeerCandidate, PeerVerifier, VerifierDecision } from '../../certificate/peer-verifier.ts'
import { PeerRefusedError, TlacacocaError } from '../../errors.ts'
import { isThenable } from '../../internal/thenable.ts'

/** @internal The two kinds of decision. */
export type Acceptance = Extract<VerifierDecision, { accept: true }>
/** @internal */
export type Refusal = Extract<VerifierDecision, { accept: false }>

/**
 * @internal Asks a verifier and never fails, now or, if the verifier takes its time, later. If it throws an error of this
 * library, that error says best what happened (a changed pin, a store that does not answer) and stays; anything else is a
 * fault of the verifier.
 */
export function ask(verifier: PeerVerifier, candidate: PeerCandidate): VerifierDecision | Promise<VerifierDecision> {
  const read = (decision: unknown): VerifierDecision =>
    readDecision(decision) ?? failed(`the verifier ${verifier.name} gave no decision`)
  const refuse = (cause: unknown): VerifierDecision => {
    if (cause instanceof TlacacocaError) return { ...failed(cause.message), error: cause }
    const refusal = failed(`the verifier ${verifier.name} failed`)
    return { ...refusal, error: refusalError(candidate, refusal, cause) }
  }
  try {
    const decision = verifier.verify(candidate)
    return isThenable(decision) ? Promise.resolve(decision).then(read).catch(refuse) : read(decision)
  } catch (cause) {
    return refuse(cause)
  }
}

/** @internal On what ground somebody was accepted, with the name of the verifier in front: `tofu: first_use`. */
export function acceptedBy(verifier: PeerVerifier, { ground }: Acceptance): string {
  return ground === verifier.name ? ground : `${verifier.name}: ${ground}`
}

/** @internal What `connect` rejects with, for a refusal that brought no error of its own. */
export function refusalError(candidate: PeerCandidate, { reason, detail }: Refusal, cause?: unknown): PeerRefusedError {
  const { endpoint, certificate } = candidate
  const facts = { endpoint: String(endpoint), presented: certificate.fingerprint, reason, detail }
  return new PeerRefusedError(facts, cause === undefined ? undefined : { cause })
}

function failed(detail: string): Refusal {
  return { accept: false, reason: 'verifier_failed', detail }
}

/** The decision in this value, with nothing in it of another type than promised; null if it is none. */
function readDecision(value: unknown): VerifierDecision | null {
  if (typeof value !== 'object' || value === null || !('accept' in value)) return null
  const { accept, ground, reason, detail, error, alert } = value as Record<string, unknown>
  if (accept === true) return { accept, ground: String(ground) }
  if (accept !== false) return null
  return {
    accept,
    reason: String(reason),
    detail: String(detail),
    ...(error instanceof Error ? { error } : {}),
    ...(typeof alert === 'number' ? { alert } : {}),
  }
}
