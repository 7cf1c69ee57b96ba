// The registry of a site's users, as programs use it. A user is whoever proves to hold a certificate that was registered,
// whatever is written in it. Each method is a line or two here; what it does is in the files that it calls.

import { join } from 'node:path'
import type { Peer } from '../../certificate/peer.ts'
import { appDataFolder } from '../../internal/app-data-folder.ts'
import { requireOptions, requireString } from '../../internal/arguments.ts'
import { homeFolder } from '../../internal/home-folder.ts'
import type { CertificateLookup } from '../../middleware/certificate-lookup.ts'
import type {
  Account,
  Credential,
  ExportedUser,
  IdentityHistoryLine,
  LinkedIdentity,
  PendingLink,
  User,
} from './account.ts'
import { userOf } from './account.ts'
import { after } from './after.ts'
import { IDENTITY_OPTIONS, type IdentityOptions, RegistryContext } from './context.ts'
import type { IdentityStore } from './identity-store.ts'
import type { LinkCode, LinkCodeOptions, Recovery, UserProfile } from './joining.ts'
import * as joining from './joining.ts'
import { lookupResultOf } from './lookup-result.ts'
import type { ExpiringOptions, RevokeCredentialOptions } from './managing.ts'
import * as managing from './managing.ts'
import { MemoryIdentityStore } from './memory-identity-store.ts'
import { recognise } from './recognise.ts'
import type { Resolution } from './resolution.ts'
import { SqliteIdentityStore } from './sqlite-identity-store.ts'

/** Where the users are: in a file of one's own choosing, or in the place that the platform has for a program's data. */
export type IdentityOpenOptions = IdentityOptions & {
  /** How long to go on trying while another program holds the lock. Milliseconds; default 5,000. */
  readonly lockTimeoutMs?: number
} & ({ readonly path: string; readonly appName?: never } | { readonly appName: string; readonly path?: never })

/**
 * Knows the users of a site by their client certificates, and carries them from one certificate to the next.
 *
 * - Ask {@link resolve} on every request. A connection may outlive a revocation, so an answer from its beginning is none.
 * - Everything that changes an account takes the {@link Peer} that asks for it, as it came out of the handshake.
 * - Methods throw {@link IdentityError} where the answer is no, and {@link StoreError} where the store cannot tell. It never
 *   answers as if somebody were a stranger because it failed.
 * - Any active certificate of a user can do all that the user can. Whoever has stolen one can also revoke the others, but
 *   for the last one; that is for the operator to put right.
 *
 * @example
 * import type { ServerConnection } from 'tlacacoca'
 * import { IdentityRegistry } from 'tlacacoca/identity'
 *
 * const registry = await IdentityRegistry.open({ appName: 'guest-book', origin: 'example.org:1965' })
 *
 * export async function answer({ peer }: ServerConnection): Promise<string> {
 *   const who = await registry.resolve(peer)
 *   switch (who.kind) {
 *     case 'anonymous':
 *       return '60 Show a certificate, any will do\r\n'
 *     case 'refused':
 *       return `62 This certificate is ${who.reason}\r\n`
 *     case 'pending':
 *       return `61 Waiting for a yes from your other device, which shows ${who.link.comparison}\r\n`
 *     case 'unknown':
 *       return '30 /register\r\n'
 *     case 'known':
 *       return `20 text/gemini\r\nWelcome, ${who.user.handle ?? 'nobody'}\n`
 *   }
 * }
 */
export class IdentityRegistry {
  readonly #context: RegistryContext

  /** A registry over users that are kept in any way. Closing it closes the store. */
  constructor(store: IdentityStore, options: IdentityOptions) {
    this.#context = new RegistryContext(store, options)
  }

  /**
   * Opens the users in a SQLite file, which several programs may use at once. The file is created if there is none (0600,
   * in a folder that is 0700 if it has to be created), and not written to if there is nothing to write.
   *
   * Where the disk is full or nothing can be written, users are still recognised: see the event `snapshot`.
   *
   * @param options - `path` is the file. Or `appName`: `users.db` where the platform keeps a program's data, such as
   *   `~/.local/share/<appName>`.
   * @throws {StoreError} `STORE_FOREIGN` for the database of another program, `STORE_NEWER` for one of a later release
   *   (both are left untouched), `STORE_CORRUPT`, `STORE_LOCKED`, `STORE_READ_ONLY`, `STORE_FULL`, `STORE_FAILED`.
   * @throws {IdentityError} `IDENTITY_PEPPER_MISMATCH` if the file was written with another pepper, or with none.
   * @example
   * import { readFile } from 'node:fs/promises'
   * import { IdentityRegistry } from 'tlacacoca/identity'
   *
   * await using registry = await IdentityRegistry.open({
   *   path: '/var/lib/capsule/users.db',
   *   origin: 'example.org:1965',
   *   pepper: await readFile('/etc/capsule/pepper'),
   *   policy: { expiry: 'grace', sameKey: 'confirm' },
   *   onEvent: (event) => console.log(event.kind),
   * })
   * await registry.prune()
   */
  static async open(options: IdentityOpenOptions): Promise<IdentityRegistry> {
    requireOptions('options', options, ['path', 'appName', 'lockTimeoutMs', ...IDENTITY_OPTIONS])
    const { path, appName, lockTimeoutMs, ...rest } = options
    if ((path === undefined) === (appName === undefined)) throw new TypeError('expected either "path" or "appName"')
    const file = path ?? defaultPath(appName ?? '')
    const store = await SqliteIdentityStore.open(file, lockTimeoutMs === undefined ? {} : { lockTimeoutMs })
    try {
      const registry = new IdentityRegistry(store, rest)
      await registry.#context.marks()
      if (store.degraded !== null) {
        registry.#context.emit({ kind: 'snapshot', path: store.path, code: store.degraded })
      }
      return registry
    } catch (error) {
      store.close()
      throw error
    }
  }

  /** A registry that remembers for as long as the process lives. */
  static inMemory(options: IdentityOptions): IdentityRegistry {
    return new IdentityRegistry(new MemoryIdentityStore(), options)
  }

  /**
   * Who a peer is. It costs one read of the store, and a write on the first visit of a user on a day (UTC), which nobody
   * waits for.
   *
   * A certificate that waited for something is known from the request on with which the wait is over, and one that
   * replaces another takes its place with this request.
   *
   * @param peer - From the connection; null if no certificate was shown.
   * @throws {StoreError} If the store cannot answer.
   */
  async resolve(peer: Peer | null): Promise<Resolution> {
    return recognise(this.#context, peer)
  }

  /**
   * For a rule of `CertificateAuth`: lets users in, and nobody else. A certificate that waits counts as `pending`, one
   * that has been replaced, or is a new one for the key of a user, as `identity_changed`.
   *
   * The rule looks at the dates itself. For the grace that this registry gives, say `expired: 'allow'` in the rule.
   *
   * @example
   * import { IdentityRegistry } from 'tlacacoca/identity'
   * import { CertificateAuth } from 'tlacacoca/middleware'
   *
   * const registry = await IdentityRegistry.open({ appName: 'guest-book', origin: 'example.org:1965' })
   * const members = new CertificateAuth({
   *   rules: [{ path: '/members/', lookup: registry.lookup(), expired: 'allow' }],
   * })
   */
  lookup(): CertificateLookup<User> {
    return { lookup: (peer) => after(recognise(this.#context, peer), lookupResultOf) }
  }

  /**
   * Makes a user of a stranger.
   *
   * @param profile.handle - 1 to 32 letters of one script, digits and `-_.` between them; it is kept in lower case. Two
   *   that look alike are one: `Ana`, `aná`, and `апа` in Cyrillic letters. It is the user's for ever.
   * @throws {IdentityError} `IDENTITY_HANDLE_TAKEN`, `IDENTITY_HANDLE_INVALID`, `IDENTITY_ALREADY_LINKED`,
   *   `IDENTITY_REFUSED` for a certificate that has expired or was revoked, `IDENTITY_REGISTRATION_CLOSED`.
   */
  register(peer: Peer, profile: UserProfile = {}): Promise<LinkedIdentity> {
    return joining.register(this.#context, peer, profile)
  }

  /** The account of whoever asks: certificates, requests that wait, recovery codes left. */
  account(by: Peer): Promise<Account> {
    return managing.accountOf(this.#context, by)
  }

  /**
   * Gives a certificate of the user's another label.
   *
   * @param label - 1 to 64 characters on one line; null for none.
   * @throws {IdentityError} `IDENTITY_LABEL_INVALID`, or `IDENTITY_NOT_FOUND` if it is not the user's.
   */
  rename(by: Peer, credentialId: string, label: string | null): Promise<void> {
    return managing.rename(this.#context, by, credentialId, label)
  }

  /**
   * Makes a code with which another certificate gets into the account: 10 characters, good once, for ten minutes, as long
   * as the certificate that made it is not revoked. Show it once; only a digest is kept. Where it is entered, ask with a
   * status that keeps it off the screen and out of the history (Gemini: 11), and answer with a redirect to an address
   * without it.
   *
   * @throws {IdentityError} `IDENTITY_LIMITED` after 20 codes in ten minutes.
   * @example
   * import type { Peer } from 'tlacacoca'
   * import { IdentityRegistry } from 'tlacacoca/identity'
   *
   * const registry = await IdentityRegistry.open({ appName: 'guest-book', origin: 'example.org:1965' })
   *
   * export async function onLaptop(laptop: Peer): Promise<string> {
   *   const { code, expiresAt } = await registry.createLinkCode(laptop)
   *   return `Enter ${code} at gemini://example.org/link before ${expiresAt.toISOString()}`
   * }
   *
   * export async function onPhone(phone: Peer, code: string): Promise<string> {
   *   const { user } = await registry.redeemLinkCode(phone, code, { label: 'phone' })
   *   return `This is the account of ${user.handle}`
   * }
   */
  createLinkCode(by: Peer, options: LinkCodeOptions = {}): Promise<LinkCode> {
    return joining.createLinkCode(this.#context, by, options)
  }

  /**
   * Brings a certificate into the account that the code is from. Show whose account it is: somebody may have been talked
   * into entering a stranger's code.
   *
   * @param code - As it was typed: small letters, spaces and hyphens do not matter.
   * @throws {IdentityError} `IDENTITY_CODE_INVALID` whatever is wrong with the code; `IDENTITY_LIMITED` after five tries
   *   with a key.
   */
  redeemLinkCode(peer: Peer, code: string, options: { readonly label?: string } = {}): Promise<LinkedIdentity> {
    return joining.redeemLinkCode(this.#context, peer, code, options)
  }

  /**
   * Asks the owner of a handle to let a certificate in, from one that is in. The answer is the same, and takes the same
   * work, if nobody has that handle.
   *
   * @throws {IdentityError} `IDENTITY_LIMITED` after five requests with a key or twenty for a handle.
   */
  requestLink(peer: Peer, handle: string): Promise<PendingLink> {
    return joining.requestLink(this.#context, peer, handle)
  }

  /** Says yes to a request that waits. `IDENTITY_NOT_FOUND` if none of the user's does. */
  approveLink(by: Peer, linkId: string, options: { readonly label?: string } = {}): Promise<Credential> {
    return joining.approveLink(this.#context, by, linkId, options)
  }

  /** Says no to a request, or vetoes a recovery, that waits. */
  rejectLink(by: Peer, linkId: string): Promise<void> {
    return joining.rejectLink(this.#context, by, linkId)
  }

  /**
   * Takes a new certificate for the key of a user's into the account, in place of the one it renews: for peers that
   * `resolve` calls `unknown` with `sameKey`, once they agree. The key of a certificate that was revoked opens nothing.
   */
  confirmSameKey(peer: Peer): Promise<LinkedIdentity> {
    return joining.confirmSameKey(this.#context, peer)
  }

  /**
   * Takes a certificate into the account of the one that signed for it (see `signRotation`), in its place. The old one may
   * have expired, but not been revoked or replaced.
   *
   * @throws {IdentityError} `IDENTITY_ROTATION_INVALID`, with a `reason`.
   */
  rotate(peer: Peer, statement: string): Promise<LinkedIdentity> {
    return joining.rotate(this.#context, peer, statement)
  }

  /**
   * Ends a certificate of the user's for ever, and every other one of theirs with the same key. It can never register
   * again. Codes that it made are void.
   *
   * @returns The ids of the credentials that were revoked.
   * @throws {IdentityError} `IDENTITY_LAST_CREDENTIAL` if no certificate would be left that is good, and that was not
   *   confirmed, or there are no recovery codes to come back with.
   */
  async revoke(by: Peer, credentialId: string, options: RevokeCredentialOptions = {}): Promise<readonly string[]> {
    requireOptions('options', options, ['confirmLockout'])
    return managing.revoke(this.#context, by, credentialId, options)
  }

  /** The same by the operator of the site, for anybody's certificate, and the last one too. */
  async revokeAsOperator(credentialId: string): Promise<readonly string[]> {
    return managing.revoke(this.#context, null, credentialId, {})
  }

  /**
   * Makes recovery codes for the day on which no certificate is left: eight, good once each, in place of all earlier ones.
   * Show them once; only digests are kept.
   */
  createRecoveryCodes(by: Peer): Promise<readonly string[]> {
    return managing.createRecoveryCodes(this.#context, by)
  }

  /**
   * Asks for an account by a recovery code. If a certificate of the user's is still good, the new one waits three days, in
   * which each of those can say no; tell them (`notices`, the event `recovery_started`). Otherwise it is in at once.
   *
   * @throws {IdentityError} `IDENTITY_CODE_INVALID` whatever is wrong, with the same work done for a handle that nobody
   *   has; `IDENTITY_LIMITED` after five tries with a key.
   */
  recover(peer: Peer, handle: string, code: string): Promise<Recovery> {
    return joining.recover(this.#context, peer, handle, code)
  }

  /** Who has a handle, in any spelling of it; null if nobody has. For the operator. */
  async findUser(handle: string): Promise<User | null> {
    const stored = await this.#context.store.userByHandle(await joining.handleKeyOf(this.#context, handle))
    return stored === null || stored.erasedAt !== null ? null : userOf(stored)
  }

  /** What happened to a user, the oldest first, as far back as events are kept. */
  history(userId: string): Promise<readonly IdentityHistoryLine[]> {
    return managing.historyOf(this.#context, userId)
  }

  /** Certificates that will expire, those that do so first in front. */
  expiring(options: ExpiringOptions = {}): Promise<readonly LinkedIdentity[]> {
    return managing.expiring(this.#context, options)
  }

  /** Everything that is kept about a user, as plain data that can be written as JSON. */
  exportUser(userId: string): Promise<ExportedUser> {
    return managing.exportUser(this.#context, userId)
  }

  /**
   * Forgets a user. What stays are keyed digests: of the certificates, which can never register again, and of the handle,
   * which nobody can take.
   */
  eraseUser(userId: string): Promise<void> {
    return managing.eraseUser(this.#context, userId)
  }

  /** Deletes codes and requests that have expired, and events that are older than the policy keeps them. */
  prune(): Promise<void> {
    return managing.prune(this.#context)
  }

  /** Closes the store. */
  async close(): Promise<void> {
    await this.#context.store.close()
  }

  /** Closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

function defaultPath(appName: string): string {
  requireString('appName', appName)
  const { platform, env } = process
  return join(appDataFolder(appName, { platform, env, home: homeFolder() }), 'users.db')
}
