// From a peer to a resolution: one read of the store for each request, and what has to be written on the way.

import type { Peer } from '../../certificate/peer.ts'
import { findRevoked, type RevocationRefusal } from '../../certificate/revocation-checker.ts'
import { IdentityError } from '../../errors.ts'
import { credentialOf, DAY_MS, type LinkedIdentity, userOf } from './account.ts'
import { after } from './after.ts'
import { datesOf, newCredential, type Presented, type RegistryContext, requirePeer } from './context.ts'
import type { Awaitable, CredentialMatch, LinkedOutcome } from './identity-store.ts'
import type { IssuedIdentity } from './issued.ts'
import type { Marks } from './marks.ts'
import { type IdentityNotice, judge, known, type RefusalReason, type Resolution } from './resolution.ts'

/** @internal Who a peer is. Answers at once if the store does. */
export function recognise(context: RegistryContext, peer: Peer | null): Awaitable<Resolution> {
  if (peer === null) return ANONYMOUS
  requirePeer(peer)
  const marks = context.settledMarks
  return marks === null
    ? context.marks().then((settled) => recogniseBy(context, peer, settled))
    : recogniseBy(context, peer, marks)
}

/** @internal A certificate that is nobody's yet, for whoever wants to add it to an account. */
export async function newcomer(context: RegistryContext, peer: Peer): Promise<Presented> {
  requirePeer(peer)
  const resolution = await recognise(context, peer)
  if (resolution.kind === 'known') throw alreadyLinked()
  if (resolution.kind === 'refused') throw refusal(resolution.reason)
  return present(peer, await context.marks(), context.authorities.identify(peer, context.now()))
}

/** @internal The user who acts, and by which credential. */
export async function actor(context: RegistryContext, peer: Peer): Promise<LinkedIdentity> {
  requirePeer(peer)
  const resolution = await recognise(context, peer)
  if (resolution.kind === 'known') return resolution
  if (resolution.kind === 'refused') throw refusal(resolution.reason)
  throw new IdentityError('ERR_TLACACOCA_IDENTITY_UNKNOWN', 'the certificate belongs to no user', {
    reason: resolution.kind,
  })
}

/** @internal */
export function linked(
  context: RegistryContext,
  outcome: LinkedOutcome,
  kind: 'registered' | 'linked',
): LinkedIdentity {
  context.emit({ kind, userId: outcome.user.id, credentialId: outcome.credential.id })
  return { user: userOf(outcome.user), credential: credentialOf(outcome.credential) }
}

/** @internal */
export function alreadyLinked(): IdentityError {
  return new IdentityError('ERR_TLACACOCA_IDENTITY_ALREADY_LINKED', 'the certificate belongs to a user already')
}

const ANONYMOUS: Resolution = Object.freeze({ kind: 'anonymous' })

function present(peer: Peer, marks: Marks, issued: IssuedIdentity | null): Presented {
  return { peer, marks, sought: marks.ofPeer(peer, issued?.name ?? null) }
}

function recogniseBy(context: RegistryContext, peer: Peer, marks: Marks): Awaitable<Resolution> {
  const issued = context.authorities.identify(peer, context.now())
  const presented = present(peer, marks, issued)
  if (issued === null) return lookUp(context, presented)
  return after(findRevoked(issued.authority.revocation, [peer.certificate]), (refusal) =>
    refusal === null ? lookUp(context, presented) : { kind: 'refused', reason: REASONS[refusal.kind] },
  )
}

const REASONS: Readonly<Record<RevocationRefusal['kind'], RefusalReason>> = {
  revoked: 'revoked',
  held: 'held',
  unknown: 'unissued',
}

function lookUp(context: RegistryContext, presented: Presented): Awaitable<Resolution> {
  const { peer, sought } = presented
  const { store } = context
  const now = context.now()
  const dates = datesOf(peer, now)
  return after(store.find(sought, now), (sighting) => {
    const judgement = judge(sighting, { fingerprint: peer.fingerprint, ...dates }, context.policy, now)
    switch (judgement.kind) {
      case 'resolved':
        if (judgement.match !== null) noteVisit(context, judgement.match, dates.notAfter, now)
        return judgement.resolution
      case 'claim':
        return after(store.claimRecovery(judgement.certificate, now), (outcome) =>
          // Vetoed, or claimed by another request, a moment ago: what is true now is read once more.
          outcome.kind === 'linked' ? welcome(context, outcome, []) : lookUpAgain(context, presented),
        )
      case 'renew':
        return after(store.renew(newCredential(context, presented, null), now), (outcome) =>
          outcome.kind === 'linked'
            ? welcome(context, outcome, [{ kind: 'same_key' }])
            : lookUpAgain(context, presented),
        )
    }
  })
}

function lookUpAgain(context: RegistryContext, { peer, sought }: Presented): Awaitable<Resolution> {
  const now = context.now()
  return after(context.store.find(sought, now), (sighting) => {
    const certificate = { fingerprint: peer.fingerprint, ...datesOf(peer, now) }
    const judgement = judge(sighting, certificate, context.policy, now)
    return judgement.kind === 'resolved'
      ? judgement.resolution
      : { kind: 'unknown', fingerprint: peer.fingerprint, sameKey: false }
  })
}

function welcome(context: RegistryContext, outcome: LinkedOutcome, notices: readonly IdentityNotice[]): Resolution {
  context.emit({ kind: 'linked', userId: outcome.user.id, credentialId: outcome.credential.id })
  return known(outcome, notices)
}

/** What a visit changes: that the user was here today, and that a certificate which was to be replaced no longer counts. */
function noteVisit(
  context: RegistryContext,
  { user, credential }: CredentialMatch,
  notAfter: number,
  now: number,
): void {
  if (credential.replaces !== null) context.inBackground(() => context.store.completeReplacement(credential.id, now))
  const day = Math.floor(now / DAY_MS)
  const seen = context.seen.note(user.id, user.lastSeenDay, { credentialId: credential.id, day, notAfter })
  if (seen !== null) context.inBackground(() => context.store.touch(user.id, day, seen))
}

function refusal(reason: string): IdentityError {
  return new IdentityError('ERR_TLACACOCA_IDENTITY_REFUSED', `the certificate cannot be used: it is ${reason}`, {
    reason,
  })
}

/** @internal One answer for what is not there and what is somebody else's. */
export function notFound(what: string): IdentityError {
  return new IdentityError('ERR_TLACACOCA_IDENTITY_NOT_FOUND', `there is no such ${what}, or it is not yours`)
}
