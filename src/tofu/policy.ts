// What to make of a verdict. The verdict says what was seen; the policy says what that is worth. The two are apart, so
// that no setting can make one thing look like another.

import type { Certificate } from '../certificate/certificate.ts'
import { requireFunction, requireOneOf, requireOptions } from '../internal/arguments.ts'
import type { Endpoint } from '../names/endpoint.ts'
import type { Awaitable } from './pin-store.ts'
import type { ChangedVerdict, ChangeVerdict, FirstUseVerdict } from './verdict.ts'

/** What to do: accept and record, ask the callback, or refuse. */
export type PolicyWord = 'accept' | 'ask' | 'refuse'

/** Why a certificate counts as changed: the `reason` of a {@link ChangedVerdict}. */
export type ChangeReason = ChangedVerdict['reason']

/** What to do with a changed certificate, by the reason of the verdict. */
export interface ChangedPolicy {
  /**
   * The pinned certificate had expired, so a new one was due. Default `ask`. `accept` is what Amfora does; but the date is
   * printed in the certificate, and somebody in the middle can wait for it.
   */
  readonly pinned_expired?: PolicyWord
  /** An authority vouches for the new one: see `vouches`. Default `ask`. `accept` trusts that authority with every host. */
  readonly authority_vouched?: PolicyWord
  /** Neither. Default `refuse`. To accept it is to have no trust on first use at all. */
  readonly early?: 'ask' | 'refuse' | 'dangerouslyAccept'
}

/** An answer is an object, so that a forgotten `await` cannot read as "yes". Whatever is not exactly `true` is "no". */
export interface TofuAnswer {
  /** Only `true` is a yes. */
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
  /** A server that was never seen. Default `ask` if there is an `onFirstUse`, and `accept` otherwise. */
  readonly firstUse?: PolicyWord
  /** A new certificate for the pinned key, which only the owner of that key can use. Default `accept`. */
  readonly renewed?: PolicyWord
  /**
   * A new key that the pinned one vouches for: it was announced over a verified connection, or the old key has signed a
   * certificate for this very host. Default `accept`. (A signature for another host, or for a mailbox, does not count.)
   */
  readonly rotated?: PolicyWord
  /** Any other certificate: one word for all of them, or one for each reason. */
  readonly changed?: 'ask' | 'refuse' | ChangedPolicy
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

/** @internal A policy that was checked. */
export interface CheckedPolicy extends TofuPolicy {
  readonly changed?: ChangedPolicy
}

/** @internal A policy with every word said. */
export interface SettledPolicy extends CheckedPolicy {
  readonly firstUse: PolicyWord
  readonly renewed: PolicyWord
  readonly rotated: PolicyWord
  readonly changed: Required<ChangedPolicy>
}

/** @internal Checks a policy and copies what it says. */
export function checkedPolicy(policy: TofuPolicy = {}): CheckedPolicy {
  requireOptions('policy', policy, POLICY_FIELDS)
  const { changed, ...said } = whatIsSaid(policy, POLICY_FIELDS)
  for (const name of ['firstUse', 'renewed', 'rotated'] as const) {
    if (said[name] !== undefined) requireOneOf(name, said[name], WORDS)
  }
  for (const name of ['onFirstUse', 'onChanged', 'vouches'] as const) {
    if (said[name] !== undefined) requireFunction(name, said[name])
  }
  return changed === undefined ? said : { ...said, changed: saidOfChanged(changed) }
}

/** @internal Checks a policy and fills in the defaults. */
export function settlePolicy(policy: TofuPolicy = {}): SettledPolicy {
  const said = checkedPolicy(policy)
  return {
    ...said,
    firstUse: said.firstUse ?? (said.onFirstUse === undefined ? 'accept' : 'ask'),
    renewed: said.renewed ?? 'accept',
    rotated: said.rotated ?? 'accept',
    changed: { pinned_expired: 'ask', authority_vouched: 'ask', early: 'refuse', ...said.changed },
  }
}

/** What a policy says of each reason. */
function saidOfChanged(changed: NonNullable<TofuPolicy['changed']>): ChangedPolicy {
  if (typeof changed !== 'object') {
    requireOneOf('changed', changed, ['ask', 'refuse'])
    return { pinned_expired: changed, authority_vouched: changed, early: changed }
  }
  requireOptions('changed', changed, CHANGED_FIELDS)
  const said = whatIsSaid(changed, CHANGED_FIELDS)
  const { pinned_expired, authority_vouched, early } = said
  if (pinned_expired !== undefined) requireOneOf('changed.pinned_expired', pinned_expired, WORDS)
  if (authority_vouched !== undefined) requireOneOf('changed.authority_vouched', authority_vouched, WORDS)
  if (early !== undefined) requireOneOf('changed.early', early, ['ask', 'refuse', 'dangerouslyAccept'])
  return said
}

const WORDS = ['accept', 'ask', 'refuse'] as const satisfies PolicyWord[]

/**
 * @internal One policy over another. A callback that asks replaces the word that accepts without asking. A field that is
 * there but undefined says nothing: it must not undo a refusal of the policy below.
 */
export function mergePolicies(base: CheckedPolicy, over: TofuPolicy): SettledPolicy {
  const said = checkedPolicy(over)
  const asks = said.onFirstUse !== undefined && said.firstUse === undefined && base.firstUse === 'accept'
  const changed = { ...base.changed, ...said.changed }
  return settlePolicy({ ...base, ...said, ...(asks ? { firstUse: 'ask' } : {}), changed })
}

/**
 * @internal The fields that are not undefined, read once each. By name, because spreading passes over what is inherited,
 * such as the methods of a class: with a callback that asks would go that anybody is asked.
 */
export function whatIsSaid<T extends object>(options: T, names: readonly (keyof T)[]): T {
  const said = names.map((name) => [name, options[name]] as const).filter(([, value]) => value !== undefined)
  return Object.fromEntries(said) as T
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

const CHANGED_FIELDS = [
  'pinned_expired',
  'authority_vouched',
  'early',
] as const satisfies readonly (keyof ChangedPolicy)[]
