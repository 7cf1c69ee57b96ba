// What to make of a verdict. The verdict says what was seen; the policy says what that is worth. The two are apart, so
// that no setting can make one thing look like another.

import type { Certificate } from '../certificate/certificate.ts'
import { requireFunction, requireOneOf, requireOptions } from '../internal/arguments.ts'
import type { Endpoint } from '../names/endpoint.ts'
import type { Awaitable } from './pin-store.ts'
import type { ChangeVerdict, FirstUseVerdict } from './verdict.ts'

/** What to do without looking any further: accept and record, ask the callback, or refuse. */
export type PolicyWord = 'trust' | 'ask' | 'refuse'

/** An answer is an object, so that a forgotten `await` cannot read as "yes". Whatever is not exactly `true` is "no". */
export interface TofuAnswer {
  readonly accept: boolean
}

/** What is known when an authority is asked whether it vouches for a certificate. */
export interface VouchQuestion {
  readonly endpoint: Endpoint
  readonly certificate: Certificate
  /** What the server sent, its own certificate first. */
  readonly chain: readonly Certificate[]
}

/** The rules by which verdicts are accepted. Every field is optional; where nobody answers, the answer is no. */
export interface TofuPolicy {
  /** A server that was never seen. Default `ask` if there is an `onFirstUse`, and `trust` otherwise. */
  readonly firstUse?: PolicyWord
  /** A new certificate for the pinned key, which only the owner of that key can use. Default `trust`. */
  readonly renewed?: PolicyWord
  /**
   * A new key that the pinned one vouches for. Default `ask`: a server's key may sign for others than the server (the
   * users of a Misfin server, say), so a signature alone does not hand over the name.
   */
  readonly rotated?: PolicyWord
  /** Any other certificate. Default `ask`. There is no `trust`: that would be no trust on first use at all. */
  readonly changed?: 'ask' | 'refuse'
  /** Decides on a first visit. */
  readonly onFirstUse?: (verdict: FirstUseVerdict) => Awaitable<TofuAnswer>
  /** Decides on a certificate that came in place of the pinned one, where the word for its kind is `ask`. */
  readonly onChanged?: (verdict: ChangeVerdict) => Awaitable<TofuAnswer>
  /**
   * Whether an authority that the user trusts vouches for a changed certificate and its host name. It adds the reason
   * `authority_vouched` to the verdict and accepts nothing by itself.
   */
  readonly vouches?: (question: VouchQuestion) => Awaitable<{ readonly vouched: boolean }>
}

/** @internal A policy with every word said. */
export interface SettledPolicy extends TofuPolicy {
  readonly firstUse: PolicyWord
  readonly renewed: PolicyWord
  readonly rotated: PolicyWord
  readonly changed: 'ask' | 'refuse'
}

/** @internal Checks a policy and fills in the defaults. */
export function settlePolicy(policy: TofuPolicy = {}): SettledPolicy {
  requireOptions('policy', policy, POLICY_FIELDS)
  for (const name of ['firstUse', 'renewed', 'rotated'] as const) {
    if (policy[name] !== undefined) requireOneOf(name, policy[name], ['trust', 'ask', 'refuse'])
  }
  if (policy.changed !== undefined) requireOneOf('changed', policy.changed, ['ask', 'refuse'])
  for (const name of ['onFirstUse', 'onChanged', 'vouches'] as const) {
    if (policy[name] !== undefined) requireFunction(name, policy[name])
  }
  return {
    ...policy,
    firstUse: policy.firstUse ?? (policy.onFirstUse === undefined ? 'trust' : 'ask'),
    renewed: policy.renewed ?? 'trust',
    rotated: policy.rotated ?? 'ask',
    changed: policy.changed ?? 'ask',
  }
}

/**
 * @internal One policy over another. A callback that asks replaces the word that trusts without asking. A field that is
 * there but undefined says nothing: it must not undo a refusal of the policy below.
 */
export function mergePolicies(base: TofuPolicy, over: TofuPolicy): SettledPolicy {
  requireOptions('policy', over, POLICY_FIELDS)
  const asks = over.onFirstUse !== undefined && over.firstUse === undefined && base.firstUse === 'trust'
  const said = Object.fromEntries(Object.entries(over).filter(([, value]) => value !== undefined))
  return settlePolicy({ ...base, ...said, ...(asks ? { firstUse: 'ask' } : {}) })
}

const POLICY_FIELDS = [
  'firstUse',
  'renewed',
  'rotated',
  'changed',
  'onFirstUse',
  'onChanged',
  'vouches',
] as const satisfies readonly (keyof TofuPolicy)[]
