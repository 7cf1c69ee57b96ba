// What users do with their own accounts, and the operator with anybody's.

import type { Peer } from '../../certificate/peer.ts'
import { IdentityError } from '../../errors.ts'
import { requireBoolean, requireInteger, requireOptions, requireString } from '../../internal/arguments.ts'
import {
  type Account,
  credentialOf,
  DAY_MS,
  type ExportedUser,
  exportOf,
  type IdentityHistoryLine,
  type LinkedIdentity,
  lineOf,
  pendingOf,
  userOf,
} from './account.ts'
import { grouped, makeCode, RECOVERY_CODE_LENGTH } from './code.ts'
import { type RegistryContext, readLabel } from './context.ts'
import type { StoredAccount, StoredCredential } from './identity-store.ts'
import { actor, notFound } from './recognise.ts'
import { usableFrom } from './resolution.ts'

/** What a user was asked before a certificate is revoked. */
export interface RevokeCredentialOptions {
  /**
   * Whether the user knows that no certificate will be left. There must be recovery codes even so. Default false: the
   * last one is not revoked.
   */
  readonly confirmLockout?: boolean
}

/** Which certificates to list. */
export interface ExpiringOptions {
  /** Milliseconds; default 30 days. */
  readonly withinMs?: number
  /** Default 1000. */
  readonly limit?: number
}

/** @internal */
export async function accountOf(context: RegistryContext, by: Peer): Promise<Account> {
  const { user } = await actor(context, by)
  const stored = await existing(context, user.id)
  return {
    user: userOf(stored.user),
    credentials: stored.credentials.map((each) => credentialOf(withLatestDay(context, each))),
    pending: stored.links.map(pendingOf),
    recoveryCodesLeft: stored.recoveryCodes,
  }
}

/** @internal */
export async function rename(
  context: RegistryContext,
  by: Peer,
  credentialId: string,
  label: string | null,
): Promise<void> {
  requireString('credentialId', credentialId)
  const text = readLabel(label)
  const { user } = await actor(context, by)
  if (!(await context.store.rename(credentialId, user.id, text))) throw notFound('credential')
}

/** @internal */
export async function revoke(
  context: RegistryContext,
  by: Peer | null,
  credentialId: string,
  { confirmLockout = false }: RevokeCredentialOptions,
): Promise<readonly string[]> {
  requireString('credentialId', credentialId)
  requireBoolean('confirmLockout', confirmLockout)
  const acting = by === null ? null : await actor(context, by)
  const at = context.now()
  const outcome = await context.store.revoke({
    credentialId,
    by: acting?.credential.id ?? null,
    at,
    usableFrom: usableFrom(context.policy, at),
    ifLast: acting === null ? 'revoke' : confirmLockout ? 'if_recoverable' : 'refuse',
  })
  switch (outcome.kind) {
    case 'revoked':
      for (const id of outcome.credentialIds)
        context.emit({ kind: 'revoked', userId: outcome.userId, credentialId: id })
      return outcome.credentialIds
    case 'last':
      throw lastCredential('not_confirmed', 'it is the last certificate of the user, and that was not confirmed')
    case 'not_recoverable':
      throw lastCredential('not_recoverable', 'it is the last certificate of the user, who has no recovery codes')
    case 'not_found':
    case 'not_active':
      throw notFound('credential')
  }
}

/** @internal */
export async function createRecoveryCodes(context: RegistryContext, by: Peer): Promise<readonly string[]> {
  const { user, credential } = await actor(context, by)
  const marks = await context.marks()
  const codes = Array.from({ length: context.policy.recoveryCodes }, () =>
    makeCode(RECOVERY_CODE_LENGTH, context.random),
  )
  const digests = codes.map((code) => marks.of('recovery-code', code))
  const outcome = await context.store.putRecoveryCodes(credential.id, digests, context.now())
  if (outcome.kind === 'not_active') throw notFound('credential')
  context.emit({ kind: 'recovery_codes_made', userId: user.id, credentialId: credential.id })
  return codes.map(grouped)
}

/** @internal */
export async function exportUser(context: RegistryContext, userId: string): Promise<ExportedUser> {
  const stored = await existing(context, userId)
  return exportOf({ ...stored, credentials: stored.credentials.map((each) => withLatestDay(context, each)) })
}

/** @internal */
export async function historyOf(context: RegistryContext, userId: string): Promise<readonly IdentityHistoryLine[]> {
  return (await existing(context, userId)).events.map(lineOf)
}

/** @internal */
export async function eraseUser(context: RegistryContext, userId: string): Promise<void> {
  requireString('userId', userId)
  if (!(await context.store.erase(userId, context.now()))) throw notFound('user')
  context.emit({ kind: 'erased', userId })
}

/** @internal */
export async function expiring(context: RegistryContext, options: ExpiringOptions): Promise<readonly LinkedIdentity[]> {
  requireOptions('options', options, ['withinMs', 'limit'])
  const { withinMs = 30 * DAY_MS, limit = 1000 } = options
  requireInteger('withinMs', withinMs, 0, Number.MAX_SAFE_INTEGER)
  requireInteger('limit', limit, 1, 1_000_000)
  const now = context.now()
  const found = await context.store.expiring(now, now + withinMs, limit)
  return found.map(({ user, credential }) => ({ user: userOf(user), credential: credentialOf(credential) }))
}

/** @internal */
export async function prune(context: RegistryContext): Promise<void> {
  const now = context.now()
  await context.store.prune(now, now - context.policy.eventTtlMs)
}

async function existing(context: RegistryContext, userId: string): Promise<StoredAccount> {
  requireString('userId', userId)
  const stored = await context.store.account(userId, context.now())
  if (stored === null || stored.user.erasedAt !== null) throw notFound('user')
  return stored
}

function withLatestDay({ seen }: RegistryContext, credential: StoredCredential): StoredCredential {
  const day = seen.dayOf(credential.userId, credential.id) ?? Number.NEGATIVE_INFINITY
  return day > (credential.lastSeenDay ?? Number.NEGATIVE_INFINITY) ? { ...credential, lastSeenDay: day } : credential
}

function lastCredential(reason: string, what: string): IdentityError {
  return new IdentityError('ERR_TLACACOCA_IDENTITY_LAST_CREDENTIAL', `the credential was not revoked: ${what}`, {
    reason,
  })
}
