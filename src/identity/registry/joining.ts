// How somebody with a certificate that is nobody's yet gets into an account: their own new one, or one that they prove to
// have a right to.

import type { Peer } from '../../certificate/peer.ts'
import { IdentityError } from '../../errors.ts'
import { requireOneOf, requireOptions, requireString } from '../../internal/arguments.ts'
import { invalidRotation, openRotation } from '../rotation-statement.ts'
import { type Credential, type LinkedIdentity, type PendingLink, pendingOf } from './account.ts'
import { LINK_CODE_LENGTH, makeCode, RECOVERY_CODE_LENGTH, readCode } from './code.ts'
import { newCredential, type RegistryContext, readLabel } from './context.ts'
import { type Handle, parseHandle } from './handle.ts'
import type { LinkCodeKind } from './identity-store.ts'
import { actor, alreadyLinked, linked, newcomer, notFound } from './recognise.ts'
import { usableFrom } from './resolution.ts'

/** What to say about a new user. */
export interface UserProfile {
  /** The name that others see. Default none, if the policy allows that. */
  readonly handle?: string
  /** What the user calls this certificate. */
  readonly label?: string
}

/** A code to be shown once. */
export interface LinkCode {
  /** Ten characters. Whoever types small letters, or O for 0, is understood. */
  readonly code: string
  /** From this instant on it is good for nothing. */
  readonly expiresAt: Date
}

/** What a link code is to do. */
export interface LinkCodeOptions {
  /** `add` (default): beside the certificate that makes the code. `replace`: in its place, from its first use on. */
  readonly kind?: LinkCodeKind
}

/** What a recovery comes to: it waits, or, where nobody could veto it, the certificate is in. */
export type Recovery =
  | { readonly kind: 'pending'; readonly link: PendingLink }
  | ({ readonly kind: 'linked' } & LinkedIdentity)

/** @internal */
export async function register(context: RegistryContext, peer: Peer, profile: UserProfile): Promise<LinkedIdentity> {
  requireOptions('profile', profile, ['handle', 'label'])
  const label = readLabel(profile.label)
  const presented = await newcomer(context, peer)
  if (context.policy.registration === 'closed') {
    throw new IdentityError('ERR_TLACACOCA_IDENTITY_REGISTRATION_CLOSED', 'nobody can register here')
  }
  const handle = readHandle(context, profile.handle)
  const outcome = await context.store.register({
    userId: context.newId(),
    handle: handle === null ? null : { shown: handle.shown, key: presented.marks.of('handle', handle.skeleton) },
    credential: newCredential(context, presented, label),
    at: context.now(),
  })
  switch (outcome.kind) {
    case 'linked':
      return linked(context, outcome, 'registered')
    case 'handle_taken':
      throw handleTaken()
    case 'already_linked':
      throw alreadyLinked()
  }
}

/** @internal */
export async function createLinkCode(context: RegistryContext, by: Peer, options: LinkCodeOptions): Promise<LinkCode> {
  requireOptions('options', options, ['kind'])
  const { kind = 'add' } = options
  requireOneOf('kind', kind, ['add', 'replace'])
  const { user, credential } = await actor(context, by)
  await context.limit({ action: 'create_code', subject: { kind: 'user', id: user.id } })
  const marks = await context.marks()
  const code = makeCode(LINK_CODE_LENGTH, context.random)
  const at = context.now()
  const expiresAt = at + context.policy.linkCodeTtlMs
  const outcome = await context.store.addLinkCode({
    code: marks.of('link-code', code),
    kind,
    by: credential.id,
    origin: String(context.origin),
    at,
    expiresAt,
  })
  context.pruneAtTimes()
  if (outcome.kind === 'not_active') throw notFound('credential')
  return { code, expiresAt: new Date(expiresAt) }
}

/** @internal */
export async function redeemLinkCode(
  context: RegistryContext,
  peer: Peer,
  code: string,
  options: { readonly label?: string },
): Promise<LinkedIdentity> {
  requireString('code', code)
  requireOptions('options', options, ['label'])
  const label = readLabel(options.label)
  const presented = await newcomer(context, peer)
  const { marks, sought } = presented
  await context.limit({ action: 'redeem', subject: { kind: 'certificate', id: sought.publicKey } })
  const outcome = await context.store.redeemLinkCode({
    // What cannot be a code is looked up like any other: nobody has the empty one.
    code: marks.of('link-code', readCode(code, LINK_CODE_LENGTH) ?? ''),
    origin: String(context.origin),
    credential: newCredential(context, presented, label),
    at: context.now(),
  })
  if (outcome.kind === 'linked') return linked(context, outcome, 'linked')
  throw outcome.kind === 'invalid' ? invalidCode() : alreadyLinked()
}

/** @internal */
export async function requestLink(context: RegistryContext, peer: Peer, handle: string): Promise<PendingLink> {
  const { skeleton } = parseHandle(handle)
  const presented = await newcomer(context, peer)
  const { marks, sought } = presented
  const handleKey = marks.of('handle', skeleton)
  await context.limit({ action: 'request_link', subject: { kind: 'certificate', id: sought.publicKey } })
  await context.limit({ action: 'request_link', subject: { kind: 'handle', id: handleKey } })
  const at = context.now()
  const outcome = await context.store.requestLink({
    id: context.newId(),
    handleKey,
    credential: newCredential(context, presented, null),
    at,
    expiresAt: at + context.policy.requestTtlMs,
  })
  context.pruneAtTimes()
  if (outcome.kind === 'already_linked') throw alreadyLinked()
  return pendingOf(outcome.link)
}

/** @internal */
export async function approveLink(
  context: RegistryContext,
  by: Peer,
  linkId: string,
  options: { readonly label?: string },
): Promise<Credential> {
  requireString('linkId', linkId)
  requireOptions('options', options, ['label'])
  const label = readLabel(options.label)
  const { credential } = await actor(context, by)
  const outcome = await context.store.approveLink(linkId, credential.id, label, context.now())
  if (outcome.kind !== 'linked') throw notFound('request')
  return linked(context, outcome, 'linked').credential
}

/** @internal */
export async function rejectLink(context: RegistryContext, by: Peer, linkId: string): Promise<void> {
  requireString('linkId', linkId)
  const { user, credential } = await actor(context, by)
  const outcome = await context.store.rejectLink(linkId, credential.id, context.now())
  if (outcome.kind === 'not_found' || outcome.kind === 'not_active') throw notFound('request')
  const kind = outcome.kind === 'vetoed' ? 'recovery_vetoed' : 'link_rejected'
  context.emit({ kind, userId: user.id, credentialId: credential.id })
}

/** @internal */
export async function recover(context: RegistryContext, peer: Peer, handle: string, code: string): Promise<Recovery> {
  requireString('code', code)
  const { skeleton } = parseHandle(handle)
  const presented = await newcomer(context, peer)
  const { marks, sought } = presented
  // By certificate only. A limit for the account would be a way to keep its owner out, and 100 bits need none.
  await context.limit({ action: 'recover', subject: { kind: 'certificate', id: sought.publicKey } })
  const { policy, store } = context
  const at = context.now()
  const readyAt = at + policy.recoveryWaitMs
  const outcome = await store.recover({
    id: context.newId(),
    handleKey: marks.of('handle', skeleton),
    code: marks.of('recovery-code', readCode(code, RECOVERY_CODE_LENGTH) ?? ''),
    credential: newCredential(context, presented, null),
    at,
    readyAt,
    expiresAt: readyAt + policy.recoveryClaimMs,
    usableFrom: usableFrom(policy, at),
  })
  switch (outcome.kind) {
    case 'linked':
      return { kind: 'linked', ...linked(context, outcome, 'linked') }
    case 'waiting':
      context.emit({ kind: 'recovery_started', userId: outcome.link.userId ?? '', credentialId: null })
      return { kind: 'pending', link: pendingOf(outcome.link) }
    case 'already_linked':
      throw alreadyLinked()
    case 'invalid':
      throw invalidCode()
  }
}

/** @internal */
export async function confirmSameKey(context: RegistryContext, peer: Peer): Promise<LinkedIdentity> {
  const presented = await newcomer(context, peer)
  if (context.policy.sameKey === 'never') throw notFound('certificate with this key')
  const outcome = await context.store.renew(newCredential(context, presented, null), context.now())
  if (outcome.kind === 'linked') return linked(context, outcome, 'linked')
  throw outcome.kind === 'not_found' ? notFound('certificate with this key') : alreadyLinked()
}

/** @internal */
export async function rotate(context: RegistryContext, peer: Peer, statement: string): Promise<LinkedIdentity> {
  const presented = await newcomer(context, peer)
  const { marks } = presented
  const at = context.now()
  const now = new Date(at)
  const said = openRotation(statement, { origin: context.origin, newFingerprint: peer.fingerprint, now })
  const outcome = await context.store.rotate({
    from: marks.ofStatement(said.oldFingerprint, said.oldPublicKeyFingerprint),
    userId: said.user,
    nonce: said.nonce,
    nonceExpiresAt: said.expiresAt.getTime() + 1,
    credential: newCredential(context, presented, null),
    at,
  })
  switch (outcome.kind) {
    case 'linked':
      return linked(context, outcome, 'linked')
    case 'already_linked':
      throw alreadyLinked()
    case 'not_found':
      throw invalidRotation('other_certificate', 'nobody here can get in with the old certificate and this key')
    case 'other_user':
      throw invalidRotation('other_user', 'it speaks for another user')
    case 'used':
      throw invalidRotation('used', 'it has been used')
  }
}

/** @internal What a handle is compared by, for the operator who looks somebody up. */
export async function handleKeyOf(context: RegistryContext, handle: string): Promise<string> {
  return (await context.marks()).of('handle', parseHandle(handle).skeleton)
}

function readHandle({ policy }: RegistryContext, text: string | undefined): Handle | null {
  if (text === undefined) {
    if (!policy.handleRequired) return null
    throw new IdentityError('ERR_TLACACOCA_IDENTITY_HANDLE_INVALID', 'a handle is required', { reason: 'missing' })
  }
  const handle = parseHandle(text)
  if (policy.reservedHandles.has(handle.skeleton)) throw handleTaken()
  return handle
}

function handleTaken(): IdentityError {
  return new IdentityError('ERR_TLACACOCA_IDENTITY_HANDLE_TAKEN', 'somebody has this handle, or one that looks like it')
}

/** One answer for codes that are wrong, used, expired, or not of the handle they are shown with. */
function invalidCode(): IdentityError {
  return new IdentityError('ERR_TLACACOCA_IDENTITY_CODE_INVALID', 'the code is wrong, was used, or has expired')
}
