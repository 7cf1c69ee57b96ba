// Who a certificate is: the decision, and nothing else. What a store knows of it, its dates and the policy go in, one
// resolution comes out, or a step that has to be written first. No store and no clock, so that it fits in a table of tests.
//
// The order: what was revoked, replaced or erased is refused whatever else is true of it; then the dates; then who it is.
// A certificate that nobody knows gets no grace: whoever comes for the first time with an expired one is refused.

import type { CertificateValidity } from '../../certificate/certificate.ts'
import type { Fingerprint } from '../../certificate/fingerprint.ts'
import { type Credential, credentialOf, type PendingLink, pendingOf, type User, userOf } from './account.ts'
import type { CredentialMatch, Linked, Sighting } from './identity-store.ts'
import type { SettledPolicy } from './policy.ts'

/** Why a certificate cannot be used. */
export type RefusalReason =
  /** After its last day, and after the grace that the policy gives to known ones. */
  | 'expired'
  | 'not_yet_valid'
  /** A part of it that matters here cannot be read. */
  | 'malformed'
  /** Its user, the operator or its authority has revoked it, for ever. */
  | 'revoked'
  /** Its authority does not want it accepted for now. */
  | 'held'
  /** Its authority knows nothing of it, although it says so itself. */
  | 'unissued'
  /** Its user has another one in its place. */
  | 'superseded'
  /** Its user has been erased. */
  | 'erased'

/** Something that the user should be told. */
export type IdentityNotice =
  /** The certificate will expire; a link code of kind `replace` brings the next one in. */
  | { readonly kind: 'expires_soon'; readonly at: Date }
  /** It has expired, and is let in until `until`; null if always. */
  | { readonly kind: 'expired'; readonly until: Date | null }
  /** It took the place of an earlier certificate for the same key just now. */
  | { readonly kind: 'same_key' }
  /** So many certificates wait for a yes. */
  | { readonly kind: 'link_requested'; readonly count: number }
  /** So many recoveries of the account are under way, and can be vetoed. */
  | { readonly kind: 'recovery_pending'; readonly count: number }

/** Who a peer is. Handle it with a `switch` on `kind` and no `default`. */
export type Resolution =
  /** A user. In Gemini: go on. */
  | {
      readonly kind: 'known'
      readonly user: User
      readonly credential: Credential
      readonly notices: readonly IdentityNotice[]
    }
  /** A certificate that waits to be somebody's. In Gemini: 61. */
  | { readonly kind: 'pending'; readonly link: PendingLink }
  /** Nobody's. With `sameKey`, its key is that of a user, who may use `confirmSameKey`. In Gemini: 61. */
  | { readonly kind: 'unknown'; readonly fingerprint: Fingerprint; readonly sameKey: boolean }
  /** Not to be used any more, or not yet. In Gemini: 62. */
  | { readonly kind: 'refused'; readonly reason: RefusalReason }
  /** No certificate. In Gemini: 60. */
  | { readonly kind: 'anonymous' }

/** @internal What is known of a certificate when it is judged. */
export interface JudgedCertificate {
  readonly fingerprint: Fingerprint
  readonly validity: CertificateValidity | 'malformed'
  /** Milliseconds since the epoch; 0 if it is malformed. */
  readonly notAfter: number
}

/** @internal A resolution, or what has to happen before there is one. */
export type Judgement =
  | { readonly kind: 'resolved'; readonly resolution: Resolution; readonly match: CredentialMatch | null }
  | { readonly kind: 'claim'; readonly certificate: string }
  | { readonly kind: 'renew' }

/** @internal */
export function judge(
  sighting: Sighting,
  certificate: JudgedCertificate,
  policy: SettledPolicy,
  now: number,
): Judgement {
  for (const { user, credential } of sighting.matches) {
    if (user.erasedAt !== null) return refused('erased')
    if (credential.status !== 'active') return refused(credential.status)
  }
  const [match] = sighting.matches
  const { validity } = certificate
  if (validity === 'malformed' || validity === 'not_yet_valid') return refused(validity)
  if (validity === 'expired' && (match === undefined || !hasGrace(certificate, policy, now))) return refused('expired')
  if (match !== undefined) {
    const notices = noticesFor(match, certificate, policy, now)
    return { kind: 'resolved', resolution: known(match, notices), match }
  }

  const { link, sameKey } = sighting
  if (link !== null) {
    if (link.readyAt !== null && link.readyAt <= now) return { kind: 'claim', certificate: link.credential.certificate }
    return { kind: 'resolved', resolution: { kind: 'pending', link: pendingOf(link) }, match: null }
  }
  if (sameKey !== null && policy.sameKey === 'auto') return { kind: 'renew' }
  return {
    kind: 'resolved',
    resolution: {
      kind: 'unknown',
      fingerprint: certificate.fingerprint,
      sameKey: sameKey !== null && policy.sameKey === 'confirm',
    },
    match: null,
  }
}

/** @internal */
export function known(
  { user, credential }: Linked,
  notices: readonly IdentityNotice[],
): Resolution & { kind: 'known' } {
  return { kind: 'known', user: userOf(user), credential: credentialOf(credential), notices }
}

/** @internal The last instants of certificates that are still let in begin here. */
export function usableFrom(policy: SettledPolicy, now: number): number {
  if (policy.expiry === 'ignore') return Number.MIN_SAFE_INTEGER
  return policy.expiry === 'grace' ? now - policy.graceMs : now
}

function hasGrace({ notAfter }: JudgedCertificate, policy: SettledPolicy, now: number): boolean {
  return notAfter >= usableFrom(policy, now)
}

function noticesFor(
  { approvals, recoveries }: CredentialMatch,
  { validity, notAfter }: JudgedCertificate,
  policy: SettledPolicy,
  now: number,
): IdentityNotice[] {
  const notices: IdentityNotice[] = []
  if (validity === 'expired') {
    const until = policy.expiry === 'grace' ? new Date(notAfter + policy.graceMs) : null
    notices.push({ kind: 'expired', until })
  } else if (notAfter - now < policy.expiresSoonMs && policy.expiry !== 'ignore') {
    notices.push({ kind: 'expires_soon', at: new Date(notAfter) })
  }
  if (approvals > 0) notices.push({ kind: 'link_requested', count: approvals })
  if (recoveries > 0) notices.push({ kind: 'recovery_pending', count: recoveries })
  return notices
}

function refused(reason: RefusalReason): Judgement {
  return { kind: 'resolved', resolution: { kind: 'refused', reason }, match: null }
}
