// What becomes of credentials and users once they are there: codes, revocation, erasing, what was seen. Each function is
// one step, as in `linking.ts`.

import type {
  CertificateMarks,
  CredentialRevocation,
  Happened,
  NewLinkCode,
  NothingChanged,
  SeenCredential,
  Sighting,
  StoredAccount,
  StoredCredential,
} from './identity-store.ts'
import type { IdentityTables } from './identity-tables.ts'
import { activeWithUser, holderOfKey, isGood, log, retireKey } from './linking.ts'

export function find(tables: IdentityTables, marks: CertificateMarks, at: number): Sighting {
  const matches = marks.certificates.flatMap((each) => tables.match(each, at) ?? [])
  if (matches.length > 0) return { matches, link: null, sameKey: null }
  const link = marks.certificates.map((each) => tables.linkOf(each)).find((each) => each !== undefined)
  const credential = holderOfKey(tables, marks.publicKey)
  const user = credential === null ? undefined : tables.user(credential.userId)
  return {
    matches,
    link: link !== undefined && link.expiresAt > at ? link : null,
    sameKey: credential === null || user === undefined ? null : { user, credential },
  }
}

export function account(tables: IdentityTables, userId: string, at: number): StoredAccount | null {
  const user = tables.user(userId)
  if (user === undefined) return null
  return {
    user,
    credentials: tables.credentialsOf(userId),
    links: tables.linksFor(userId).filter((each) => each.expiresAt > at),
    recoveryCodes: tables.countRecoveryCodes(userId),
    events: tables.eventsOf(userId),
  }
}

export function settle(tables: IdentityTables, name: string, value: string): string {
  const kept = tables.setting(name)
  if (kept === undefined) tables.putSetting(name, value)
  return kept ?? value
}

export function rename(
  tables: IdentityTables,
  { credentialId, userId, label }: { credentialId: string; userId: string; label: string | null },
): boolean {
  const credential = tables.credential(credentialId)
  if (credential === undefined || credential.userId !== userId || tables.user(userId)?.erasedAt !== null) return false
  tables.updateCredential({ ...credential, label })
  return true
}

export function addLinkCode(
  tables: IdentityTables,
  code: NewLinkCode,
): Happened<'added'> | NothingChanged<'not_active'> {
  const maker = activeWithUser(tables, code.by)
  if (maker === null) return { kind: 'not_active' }
  tables.insertLinkCode(code)
  log(tables, code.at, maker.user.id, code.by, 'code_made')
  return { kind: 'added' }
}

export function completeReplacement(
  tables: IdentityTables,
  { credentialId, at }: { credentialId: string; at: number },
): void {
  const holder = activeWithUser(tables, credentialId)
  const { credential } = holder ?? {}
  if (credential === undefined || credential.replaces === null) return
  const old = tables.credential(credential.replaces)
  tables.updateCredential({ ...credential, replaces: null })
  if (old?.status === 'active' && old.userId === credential.userId) {
    retireKey(tables, old, 'superseded', at, credentialId)
  }
}

export function revoke(
  tables: IdentityTables,
  { credentialId, by, at, usableFrom, ifLast }: CredentialRevocation,
):
  | { readonly kind: 'revoked'; readonly userId: string; readonly credentialIds: readonly string[] }
  | NothingChanged<'not_found' | 'not_active' | 'last' | 'not_recoverable'> {
  const actor = by === null ? null : activeWithUser(tables, by)
  if (by !== null && actor === null) return { kind: 'not_active' }
  const credential = tables.credential(credentialId)
  if (credential === undefined || credential.status === 'revoked') return { kind: 'not_found' }
  const { userId, publicKey } = credential
  if (actor !== null && actor.user.id !== userId) return { kind: 'not_found' }

  const good = tables.credentialsOf(userId).filter((each) => isGood(each, usableFrom))
  const left = good.filter((each) => each.id !== credentialId && each.publicKey !== publicKey)
  // Whoever has no good certificate to begin with loses nothing.
  if (left.length === 0 && good.length > 0) {
    if (ifLast === 'refuse') return { kind: 'last' }
    if (ifLast === 'if_recoverable' && tables.countRecoveryCodes(userId) === 0) return { kind: 'not_recoverable' }
  }
  const credentialIds = retireKey(tables, credential, 'revoked', at)
  if (credential.status !== 'active') {
    tables.updateCredential({ ...credential, status: 'revoked', statusAt: at })
    log(tables, at, userId, credentialId, 'revoked')
    credentialIds.push(credentialId)
  }
  // A thief who had the certificate may have made codes to come back with, and be on the way. Where it was the last one,
  // its codes are the only way back for its owner too.
  if (left.length > 0) for (const each of credentialIds) voidRecoveriesBy(tables, userId, each, at)
  return { kind: 'revoked', userId, credentialIds }
}

function voidRecoveriesBy(tables: IdentityTables, userId: string, credentialId: string, at: number): void {
  tables.deleteRecoveryCodesBy(credentialId)
  for (const { id, vouchedBy } of tables.linksFor(userId)) {
    if (vouchedBy !== credentialId) continue
    tables.deleteLink(id)
    log(tables, at, userId, credentialId, 'recovery_vetoed')
  }
}

export function putRecoveryCodes(
  tables: IdentityTables,
  { by, codes, at }: { by: string; codes: readonly string[]; at: number },
): Happened<'stored'> | NothingChanged<'not_active'> {
  const maker = activeWithUser(tables, by)
  if (maker === null) return { kind: 'not_active' }
  tables.deleteRecoveryCodesOf(maker.user.id)
  for (const code of codes) tables.insertRecoveryCode(maker.user.id, code, by)
  log(tables, at, maker.user.id, by, 'recovery_codes_made')
  return { kind: 'stored' }
}

export function touch(
  tables: IdentityTables,
  { userId, day, seen }: { userId: string; day: number; seen: readonly SeenCredential[] },
): void {
  const user = tables.user(userId)
  if (user === undefined || user.erasedAt !== null || (user.lastSeenDay ?? Number.NEGATIVE_INFINITY) >= day) return
  tables.updateUser({ ...user, lastSeenDay: day })
  for (const each of seen) {
    const credential = tables.credential(each.credentialId)
    if (credential?.userId !== userId || credential.status !== 'active') continue
    const lastSeenDay = Math.max(credential.lastSeenDay ?? each.day, each.day)
    tables.updateCredential({ ...credential, lastSeenDay, notAfter: each.notAfter })
  }
}

export function erase(tables: IdentityTables, { userId, at }: { userId: string; at: number }): boolean {
  const user = tables.user(userId)
  if (user === undefined || user.erasedAt !== null) return false
  tables.updateUser({ id: userId, handle: null, createdAt: at, erasedAt: at, lastSeenDay: null })
  for (const credential of tables.credentialsOf(userId)) {
    tables.deleteLinkCodesBy(credential.id)
    tables.updateCredential(tombstone(credential, at))
  }
  for (const link of tables.linksFor(userId)) tables.deleteLink(link.id)
  tables.deleteRecoveryCodesOf(userId)
  tables.deleteEventsOf(userId)
  log(tables, at, userId, null, 'erased')
  return true
}

/** What is left of a credential: that its certificate is not welcome, nor its key. */
function tombstone(credential: StoredCredential, at: number): StoredCredential {
  return {
    ...credential,
    fingerprint: null,
    label: null,
    notBefore: at,
    notAfter: at,
    addedBy: null,
    createdAt: at,
    lastSeenDay: null,
    status: 'revoked',
    statusAt: at,
    replaces: null,
  }
}
