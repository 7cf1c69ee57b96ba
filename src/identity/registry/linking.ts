// How a certificate becomes a user's: by registering, a code, a yes, a recovery, a statement, a renewal. Each function is
// one step that looks first and writes then; whoever calls it has seen to it that nobody else is in between.

import type {
  CredentialSource,
  Happened,
  IdentityHistoryEvent,
  LinkedOutcome,
  LinkRequest,
  NewCredential,
  NothingChanged,
  RecoveryRequest,
  Redemption,
  Registration,
  Rotation,
  StoredCredential,
  StoredLink,
  StoredUser,
} from './identity-store.ts'
import type { IdentityTables } from './identity-tables.ts'

export function register(
  tables: IdentityTables,
  { userId, handle, credential, at }: Registration,
): LinkedOutcome | NothingChanged<'already_linked' | 'handle_taken'> {
  if (isTaken(tables, credential)) return { kind: 'already_linked' }
  if (handle !== null && tables.userByHandle(handle.key) !== undefined) return { kind: 'handle_taken' }
  const user = { id: userId, handle: handle?.shown ?? null, createdAt: at, erasedAt: null, lastSeenDay: null }
  tables.insertUser(user, handle?.key ?? null)
  return linkTo(tables, user, credential, { source: 'register', addedBy: null, at, event: 'registered' })
}

export function redeemLinkCode(
  tables: IdentityTables,
  { code, origin, credential, at }: Redemption,
): LinkedOutcome | NothingChanged<'already_linked' | 'invalid'> {
  const known = tables.linkCode(code)
  if (known === undefined || known.expiresAt <= at || known.origin !== origin) return { kind: 'invalid' }
  const maker = activeWithUser(tables, known.by)
  /* v8 ignore if -- @preserve codes go with the certificate that made them; if one did not, it would let nobody in */
  if (maker === null) return { kind: 'invalid' }
  if (isTaken(tables, credential)) return { kind: 'already_linked' }
  tables.deleteLinkCode(code)
  const replaces = known.kind === 'replace' ? known.by : null
  return linkTo(tables, maker.user, credential, { source: 'code', addedBy: known.by, at, replaces })
}

export function requestLink(
  tables: IdentityTables,
  { id, handleKey, credential, at, expiresAt }: LinkRequest,
): { readonly kind: 'waiting'; readonly link: StoredLink } | NothingChanged<'already_linked'> {
  const user = tables.userByHandle(handleKey)
  if (isTaken(tables, credential)) return { kind: 'already_linked' }
  const earlier = tables.linkOf(credential.certificate)
  // A recovery has cost a code.
  if (earlier?.kind === 'recovery' && earlier.expiresAt > at) return { kind: 'waiting', link: earlier }
  const link: StoredLink = {
    id,
    kind: 'approval',
    vouchedBy: null,
    userId: user?.id ?? null,
    credential,
    requestedAt: at,
    readyAt: null,
    expiresAt,
  }
  waitFor(tables, link, earlier)
  return { kind: 'waiting', link }
}

export function approveLink(
  tables: IdentityTables,
  { linkId, by, label, at }: { linkId: string; by: string; label: string | null; at: number },
): LinkedOutcome | NothingChanged<'not_found' | 'not_active'> {
  const approver = activeWithUser(tables, by)
  if (approver === null) return { kind: 'not_active' }
  const link = waitingFor(tables, linkId, approver.user.id, at)
  if (link === undefined || link.kind !== 'approval') return { kind: 'not_found' }
  const credential = label === null ? link.credential : { ...link.credential, label }
  return linkTo(tables, approver.user, credential, { source: 'approval', addedBy: by, at })
}

export function rejectLink(
  tables: IdentityTables,
  { linkId, by, at }: { linkId: string; by: string; at: number },
): Happened<'rejected' | 'vetoed'> | NothingChanged<'not_found' | 'not_active'> {
  const rejecter = activeWithUser(tables, by)
  if (rejecter === null) return { kind: 'not_active' }
  const link = waitingFor(tables, linkId, rejecter.user.id, at)
  if (link === undefined) return { kind: 'not_found' }
  tables.deleteLink(linkId)
  const isVeto = link.kind === 'recovery'
  log(tables, at, rejecter.user.id, by, isVeto ? 'recovery_vetoed' : 'link_rejected')
  return { kind: isVeto ? 'vetoed' : 'rejected' }
}

export function recover(
  tables: IdentityTables,
  { id, handleKey, code, credential, at, readyAt, expiresAt, usableFrom }: RecoveryRequest,
):
  | LinkedOutcome
  | { readonly kind: 'waiting'; readonly link: StoredLink }
  | NothingChanged<'already_linked' | 'invalid'> {
  // Everything is looked up whether or not anybody has the handle. No user has the id ''.
  const user = tables.userByHandle(handleKey)
  const userId = user?.id ?? ''
  const vouchedBy = tables.recoveryCodeMaker(userId, code)
  const isGuarded = tables.credentialsOf(userId).some((each) => isGood(each, usableFrom))
  const taken = isTaken(tables, credential)
  const earlier = tables.linkOf(credential.certificate)
  if (user === undefined || user.erasedAt !== null || vouchedBy === undefined) return { kind: 'invalid' }
  if (taken) return { kind: 'already_linked' }
  tables.deleteRecoveryCode(userId, code)
  if (!isGuarded) return linkTo(tables, user, credential, { source: 'recovery', addedBy: null, at })
  const link: StoredLink = { id, kind: 'recovery', vouchedBy, userId, credential, requestedAt: at, readyAt, expiresAt }
  waitFor(tables, link, earlier)
  log(tables, at, userId, null, 'recovery_started')
  return { kind: 'waiting', link }
}

export function claimRecovery(
  tables: IdentityTables,
  { certificate, at }: { certificate: string; at: number },
): LinkedOutcome | NothingChanged<'not_found'> {
  const link = tables.linkOf(certificate)
  if (link?.kind !== 'recovery' || link.readyAt === null || link.readyAt > at || link.expiresAt <= at) {
    return { kind: 'not_found' }
  }
  const user = tables.user(link.userId ?? '')
  /* v8 ignore if -- @preserve requests go with the user, and with the certificate; if one did not, it would let nobody in */
  if (user === undefined || user.erasedAt !== null || isTaken(tables, link.credential)) return { kind: 'not_found' }
  return linkTo(tables, user, link.credential, { source: 'recovery', addedBy: null, at })
}

export function renew(
  tables: IdentityTables,
  { credential, at }: { credential: NewCredential; at: number },
): LinkedOutcome | NothingChanged<'already_linked' | 'not_found'> {
  if (isTaken(tables, credential)) return { kind: 'already_linked' }
  const old = holderOfKey(tables, credential.publicKey)
  const user = old === null ? undefined : tables.user(old.userId)
  if (old === null || user === undefined) return { kind: 'not_found' }
  retireKey(tables, old, 'superseded', at)
  return linkTo(tables, user, credential, { source: 'same_key', addedBy: old.id, at })
}

export function rotate(
  tables: IdentityTables,
  { from, userId, nonce, nonceExpiresAt, credential, at }: Rotation,
): LinkedOutcome | NothingChanged<'already_linked' | 'not_found' | 'other_user' | 'used'> {
  const old = from.certificates.map((each) => tables.credentialByCertificate(each)).find((each) => each !== undefined)
  const holder = old === undefined ? null : activeWithUser(tables, old.id)
  // The key is what signed; the certificate only names it. A key of which a certificate was revoked may be a thief's.
  if (holder === null || holder.credential.publicKey !== from.publicKey) return { kind: 'not_found' }
  if (hasRevoked(tables.credentialsWithKey(from.publicKey))) return { kind: 'not_found' }
  if (userId !== null && userId !== holder.user.id) return { kind: 'other_user' }
  if (tables.hasNonce(nonce)) return { kind: 'used' }
  if (isTaken(tables, credential)) return { kind: 'already_linked' }
  tables.insertNonce(nonce, nonceExpiresAt)
  retireKey(tables, holder.credential, 'superseded', at)
  return linkTo(tables, holder.user, credential, { source: 'rotation', addedBy: holder.credential.id, at })
}

/** The active credential with a public key that may be renewed by it: see `Sighting.sameKey`. */
export function holderOfKey(tables: IdentityTables, publicKey: string): StoredCredential | null {
  const all = tables.credentialsWithKey(publicKey)
  if (hasRevoked(all)) return null
  const active = all.filter((each) => each.status === 'active')
  const [first] = active
  return first !== undefined && active.every((each) => each.userId === first.userId) ? first : null
}

/** A credential that may act, and its user; null if it may not. */
export function activeWithUser(
  tables: IdentityTables,
  credentialId: string,
): { credential: StoredCredential; user: StoredUser } | null {
  const credential = tables.credential(credentialId)
  if (credential?.status !== 'active') return null
  const user = tables.user(credential.userId)
  return user === undefined || user.erasedAt !== null ? null : { credential, user }
}

/** Ends all active credentials of a user that have the public key of this one, this one included. */
export function retireKey(
  tables: IdentityTables,
  { userId, publicKey }: StoredCredential,
  status: 'superseded' | 'revoked',
  at: number,
  except?: string,
): string[] {
  const retired = tables
    .credentialsWithKey(publicKey)
    .filter((each) => each.userId === userId && each.status === 'active' && each.id !== except)
  for (const each of retired) {
    tables.updateCredential({ ...each, status, statusAt: at, replaces: null })
    tables.deleteLinkCodesBy(each.id)
    log(tables, at, userId, each.id, status)
  }
  return retired.map((each) => each.id)
}

/** Whether a credential lets its user in, and will not cease to before an instant. */
export function isGood(credential: StoredCredential, usableFrom: number): boolean {
  return credential.status === 'active' && credential.notAfter >= usableFrom
}

export function log(
  tables: IdentityTables,
  at: number,
  userId: string,
  credentialId: string | null,
  event: IdentityHistoryEvent,
): void {
  tables.insertEvent({ at, userId, credentialId, event })
}

interface LinkFacts {
  readonly source: CredentialSource
  readonly addedBy: string | null
  readonly at: number
  readonly replaces?: string | null
  readonly event?: IdentityHistoryEvent
}

function linkTo(
  tables: IdentityTables,
  user: StoredUser,
  certificate: NewCredential,
  { source, addedBy, at, replaces = null, event = 'linked' }: LinkFacts,
): LinkedOutcome {
  const credential: StoredCredential = {
    ...certificate,
    userId: user.id,
    source,
    addedBy,
    createdAt: at,
    lastSeenDay: null,
    status: 'active',
    statusAt: at,
    replaces,
  }
  const waiting = tables.linkOf(certificate.certificate)
  if (waiting !== undefined) tables.deleteLink(waiting.id)
  tables.insertCredential(credential)
  log(tables, at, user.id, credential.id, event)
  return { kind: 'linked', user, credential }
}

function isTaken(tables: IdentityTables, { certificate }: NewCredential): boolean {
  return tables.credentialByCertificate(certificate) !== undefined
}

function hasRevoked(credentials: readonly StoredCredential[]): boolean {
  return credentials.some((each) => each.status === 'revoked')
}

function waitFor(tables: IdentityTables, link: StoredLink, earlier: StoredLink | undefined): void {
  if (earlier !== undefined) tables.deleteLink(earlier.id)
  tables.insertLink(link)
}

function waitingFor(tables: IdentityTables, linkId: string, userId: string, at: number): StoredLink | undefined {
  const link = tables.link(linkId)
  return link !== undefined && link.userId === userId && link.expiresAt > at ? link : undefined
}
