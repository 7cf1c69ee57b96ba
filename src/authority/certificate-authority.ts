import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { AlternativeNames } from '../certificate/alternative-names.ts'
import type { Certificate } from '../certificate/certificate.ts'
import { CertificateRequest } from '../certificate/certificate-request.ts'
import type { NameField } from '../certificate/name-fields.ts'
import { Peer } from '../certificate/peer.ts'
import type { RevocationChecker } from '../certificate/revocation-checker.ts'
import { AuthorityError, StoreError } from '../errors.ts'
import {
  requireDate,
  requireFunction,
  requireInteger,
  requireList,
  requireOptions,
  requireString,
  show,
} from '../internal/arguments.ts'
import { type Clock, systemClock } from '../internal/clock.ts'
import { tell } from '../net/report.ts'
import type { AuditEvent } from './audit.ts'
import type { Crl } from './crl.ts'
import type { Duration } from './duration.ts'
import type { AuthorityEvent } from './events.ts'
import type { HooksFactory, IssuedCertificate } from './hooks.ts'
import {
  type AuthorityIdentity,
  type CreateAuthorityOptions,
  createAuthorityDirectory,
  type OpenAuthorityOptions,
  openAuthorityDirectory,
} from './identity-directory.ts'
import type { Awaitable, IssuedRow, IssuedStatus, IssuedStore } from './issued-store.ts'
import { IssuingKey } from './issuing.ts'
import { Notices } from './notices.ts'
import type { Profile, ReadProfile } from './profile.ts'
import { INTERMEDIATE, ProfileSet } from './profiles.ts'
import { renewalJob } from './renewal.ts'
import {
  type CrlOptions,
  canonicalSerial,
  type HoldOptions,
  type RevokeOptions,
  Revoking,
  requireCrlValidity,
} from './revoking.ts'
import type { SerialNumberGenerator } from './serial-number.ts'
import { Signing, type SigningJob } from './signing.ts'
import type { Requester } from './signing-context.ts'
import { SqliteIssuedStore } from './sqlite-issued-store.ts'

/** How an authority works. */
export interface AuthorityOptions {
  /**
   * Where issued certificates are kept. Default: a SQLite file `ca.db` in the directory. `none`: nowhere; then nothing can
   * be revoked or renewed, and an error in `postsign` fails the request.
   */
  readonly store?: IssuedStore | 'none'
  /** Profiles of your own, beside `client-identity`, `server` and `misfin-mailbox`. */
  readonly profiles?: readonly Profile[]
  /** What is signed if a request names no profile. Default `client-identity`. */
  readonly defaultProfile?: string
  /** Makes the hooks for each request. Without them, whoever calls `sign` has decided already. */
  readonly hooks?: HooksFactory
  /** Default: an octet that is not zero, then 128 random bits. */
  readonly serialNumberGenerator?: SerialNumberGenerator
  /** Called once everything is ready. What it throws is thrown by whoever opens the authority. */
  readonly onBoot?: (authority: CertificateAuthority) => Awaitable<void>
  /** How long a revocation list is valid, in milliseconds. Default 7 days. */
  readonly crlValidityMs?: number
  readonly clock?: Clock
  /** Where random octets come from. Default `node:crypto`. */
  readonly random?: (size: number) => Uint8Array
  /** Told what happens. What it throws is ignored. */
  readonly onEvent?: (event: AuthorityEvent) => unknown
}

/** What is to be signed. */
export interface SignRequest {
  /** The request: read, as PEM, or as DER. */
  readonly request: CertificateRequest | string | Uint8Array
  /** The name of the profile. Default: the authority's default. */
  readonly profile?: string
  /** Who asks: 1 to 128 letters and digits, for the hooks. */
  readonly clientHash?: string
  readonly requester?: Requester
  /** The name to certify. Default: what `authorize` or the profile says. Nothing is copied from the request. */
  readonly subject?: readonly NameField[]
  /** Likewise. */
  readonly subjectAltNames?: AlternativeNames
  /** Default: the profile's. */
  readonly validity?: Duration
}

/** An authority below this one. */
export interface IntermediateRequest {
  /** Shows that whoever asks holds the key. Nothing else of it is taken over. */
  readonly request: CertificateRequest | string | Uint8Array
  /** Its name, with a `CN`. */
  readonly subject: readonly NameField[]
  /** How many further authorities may stand below it. Default 0. */
  readonly pathLength?: number
  /** Default five years, at most ten. */
  readonly validity?: Duration
}

/** Which issued certificates to list. All of what is given must be so. */
export interface IssuedListFilter {
  /** Those that are so now. */
  readonly status?: IssuedStatus
  /** Those of the profile of this name. */
  readonly profile?: string
  /** Those that were asked for under this client hash. */
  readonly clientHash?: string
  /** Those that have ended, or will have by then. */
  readonly expiresBy?: Date
}

/**
 * A certificate authority: it signs requests by profile and hook, remembers what it has signed, takes certificates back,
 * and keeps a trail of all that. Its key is in a directory of PEM files; see {@link openAuthorityDirectory}.
 *
 * @example
 * import { CertificateAuthority } from 'tlacacoca/authority'
 * import { createCertificateRequest } from 'tlacacoca/certificate'
 *
 * const authority = await CertificateAuthority.create('/var/lib/ca', {
 *   subject: [['O', 'The club'], ['CN', 'Club authority']],
 *   passphrase: 'correct horse battery staple',
 * })
 * const { request } = await createCertificateRequest({})
 * const issued = await authority.sign({ request, subject: [['CN', 'Ana']], validity: '90d' })
 * console.log(issued.certificatePem, issued.renewAfter)
 * await authority.revoke(issued.serialNumber, { reason: 'superseded' })
 * await authority.close()
 */
export class CertificateAuthority implements AsyncDisposable {
  /** The authority's own certificate. */
  readonly certificate: Certificate
  /** The authorities above it, the nearest one first. */
  readonly chain: readonly Certificate[]
  /** Whether hooks decide about requests. */
  readonly hasHooks: boolean
  readonly #parts: Parts
  #isOpen = true
  #abandonedAt: number

  private constructor(parts: Parts) {
    const { certificate, chain } = parts.identity
    this.certificate = certificate
    this.chain = chain
    this.hasHooks = parts.hasHooks
    this.#parts = parts
    this.#abandonedAt = parts.settings.clock()
  }

  /** The names of the profiles that `sign` knows. */
  get profileNames(): readonly string[] {
    return this.#parts.settings.profiles.names
  }

  /** Whether a value is an authority that this library opened. */
  static is(value: unknown): value is CertificateAuthority {
    return typeof value === 'object' && value !== null && #parts in value
  }

  /**
   * Creates an authority in a directory and opens it. Throws what {@link createAuthorityDirectory} and
   * {@link CertificateAuthority.from} throw.
   */
  static async create(
    directory: string,
    options: CreateAuthorityOptions & AuthorityOptions,
  ): Promise<CertificateAuthority> {
    const { own, others } = splitOptions(options)
    readOptions(own)
    const identity = await createAuthorityDirectory(directory, others as CreateAuthorityOptions)
    return CertificateAuthority.from(identity, own)
  }

  /**
   * Opens the authority in a directory, whoever made it. Throws what {@link openAuthorityDirectory} and
   * {@link CertificateAuthority.from} throw.
   */
  static async open(
    directory: string,
    options: OpenAuthorityOptions & AuthorityOptions = {},
  ): Promise<CertificateAuthority> {
    const { own, others } = splitOptions(options)
    readOptions(own)
    return CertificateAuthority.from(await openAuthorityDirectory(directory, others as OpenAuthorityOptions), own)
  }

  /**
   * An authority whose key and certificate are at hand. What a program was killed in the middle of signing, more than ten
   * minutes ago, is given up: it counts as revoked.
   *
   * @throws {TypeError} For an option of the wrong type, or no `store` where there is no directory for one.
   * @throws {StoreError} If the store cannot be opened.
   * @throws {AuthorityError} AUTHORITY_MISMATCH if the `ca.db` in the directory is that of another authority.
   */
  static async from(identity: AuthorityIdentity, options: AuthorityOptions = {}): Promise<CertificateAuthority> {
    requireOptions('options', options, OPTIONS)
    const settings = readOptions(options)
    const { clock, onEvent, random, hooks, profiles } = settings
    const store = await openStore(identity, options.store)
    try {
      const key = await IssuingKey.load(identity)
      const chain = Object.freeze([identity.certificate, ...identity.chain])
      const { serialNumberGenerator } = settings
      const signing = new Signing({ key, chain, store, hooks, serialNumberGenerator, random, clock, onEvent })
      const notices = store === null || hooks === null ? null : noticesOf({ store, signing, profiles, clock, onEvent })
      const { crlValidityMs } = options
      const issuer = { certificate: identity.certificate, privateKey: identity.privateKey }
      const lists = crlValidityMs === undefined ? {} : { crlValidityMs }
      const revoking = store === null ? null : new Revoking({ issuer, store, clock, ...lists })
      const authority = new CertificateAuthority({
        identity,
        settings,
        store,
        signing,
        notices,
        revoking,
        hasHooks: hooks !== null,
      })
      if (store !== null) await abandonOld(store, clock, onEvent)
      await options.onBoot?.(authority)
      notices?.start()
      return authority
    } catch (error) {
      await store?.close()
      throw error
    }
  }

  /**
   * Signs a request: its sender must have proven to hold the key, and the hooks, if there are any, must say yes. Nothing
   * of the request but its key is in the certificate, unless the profile takes it. The same request, sent again within ten
   * minutes, gets the same certificate.
   *
   * @throws {CertificateRequestError} If the request, its proof or its key is not good.
   * @throws {CsrNotAuthedError} If the hooks do not say yes.
   * @throws {AuthorityError} AUTHORITY_PROFILE_UNKNOWN; AUTHORITY_POLICY, with the field; AUTHORITY_EXPIRING;
   *   AUTHORITY_HOOK_FAILED; AUTHORITY_SERIAL_INVALID; AUTHORITY_BUSY; AUTHORITY_SIGNATURE_WRONG; AUTHORITY_CLOSED.
   * @throws {StoreError} If it cannot be recorded. Then nothing is signed.
   */
  async sign(request: SignRequest): Promise<IssuedCertificate> {
    this.#requireOpen()
    requireOptions('request', request, SIGN_PARTS)
    const { clientHash = null, requester = {}, subject, subjectAltNames, validity } = request
    if (clientHash !== null) requireClientHash(clientHash)
    requireRequester(requester)
    const profile = this.#profile(request.profile)
    return this.#parts.signing.issue({
      ...readRequest(request.request),
      profile,
      clientHash,
      requester,
      renewalOf: null,
      subject,
      subjectAltNames,
      validity,
      // With names of the caller's it may be another certificate that is wanted.
      isRepeatable: subject === undefined && subjectAltNames === undefined && validity === undefined,
    })
  }

  /**
   * Signs an authority below this one. Nobody gets here by a request over a network. No hooks are asked: the caller has
   * decided.
   *
   * @throws {AuthorityError} AUTHORITY_POLICY also if this authority may have no further one below it.
   */
  async signIntermediate(request: IntermediateRequest): Promise<IssuedCertificate> {
    this.#requireOpen()
    requireOptions('request', request, ['request', 'subject', 'pathLength', 'validity'])
    const { subject, pathLength = 0, validity } = request
    requireInteger('pathLength', pathLength, 0, 10)
    const { pathLength: own } = this.certificate
    if (own !== null && pathLength >= own) {
      const message =
        own === 0
          ? 'there may be no authority below this one, whose path length is 0'
          : `an authority below this one can have a path length of ${own - 1} at most, not ${pathLength}`
      throw new AuthorityError('ERR_TLACACOCA_AUTHORITY_POLICY', message, { field: 'pathLength' })
    }
    return this.#parts.signing.withoutHooks().issue({
      ...readRequest(request.request),
      profile: INTERMEDIATE,
      clientHash: null,
      requester: {},
      renewalOf: null,
      subject,
      subjectAltNames: {},
      validity,
      pathLength,
      isRepeatable: false,
    })
  }

  /**
   * Signs the next certificate for the holder of one of ours, who has shown it in a full TLS handshake. Its names are
   * looked at by the profile and the hooks as they are now. With a request, for the key of the request.
   *
   * @throws {AuthorityError} AUTHORITY_RENEWAL_REFUSED, with the reason: `unknown`, `revoked`, `held`, `not_allowed`,
   *   `too_early`, `expired`, `rekey_required`, `rekey_refused`. Otherwise what {@link CertificateAuthority.sign} throws.
   */
  async renew({
    current,
    request,
  }: {
    readonly current: Peer
    readonly request?: CertificateRequest | string | Uint8Array
  }): Promise<IssuedCertificate> {
    this.#requireOpen()
    const { signing, settings } = this.#parts
    const read = request === undefined ? null : readRequest(request).request
    const now = new Date(settings.clock())
    const job = await renewalJob({ current, request: read }, { store: this.#store(), profiles: settings.profiles, now })
    return signing.issue(job)
  }

  /**
   * Takes a certificate back, for good; with `key_compromise` all others for the same key as well.
   *
   * @returns The serial numbers of those that were taken back by this.
   * @throws {AuthorityError} AUTHORITY_SERIAL_UNKNOWN; AUTHORITY_NO_STORE.
   */
  async revoke(serialNumber: string, options: RevokeOptions): Promise<readonly string[]> {
    return this.#revoking().revoke(serialNumber, options)
  }

  /** Takes a certificate back for now. */
  async hold(serialNumber: string, options: HoldOptions = {}): Promise<void> {
    await this.#revoking().hold(serialNumber, options)
  }

  /**
   * Gives a certificate free that was held.
   *
   * @throws {AuthorityError} AUTHORITY_STATUS_FINAL if it is revoked, or was not held.
   */
  async release(serialNumber: string, options: HoldOptions = {}): Promise<void> {
    await this.#revoking().release(serialNumber, options)
  }

  /** The current revocation list; a new one if something has changed, or the last one has half of its time behind it. */
  async crl(options: CrlOptions = {}): Promise<Crl> {
    const revoking = this.#revoking()
    const { store, settings } = this.#parts
    const now = settings.clock()
    // After a restart within those ten minutes, what was pending at the crash is given up here.
    if (store !== null && Math.abs(now - this.#abandonedAt) >= ABANDON_EVERY_MS) {
      this.#abandonedAt = now
      await abandonOld(store, settings.clock, settings.onEvent)
    }
    return revoking.crl(options)
  }

  /** For `revocation` of a rule of `CertificateAuth`, for `refuseRevoked`, and for `authorities`. It asks the store each time. */
  revocationChecker(): RevocationChecker {
    return this.#revoking().checker()
  }

  /** An issued certificate by its serial number, in any spelling that `revoke` takes; null if there is none. */
  async get(serialNumber: string): Promise<IssuedRow | null> {
    requireString('serialNumber', serialNumber)
    const number = canonicalSerial(serialNumber)
    const store = this.#store()
    return number === null ? null : store.get(number)
  }

  /** Issued certificates, in the order in which they were issued. */
  list(filter: IssuedListFilter = {}): AsyncIterable<IssuedRow> {
    requireOptions('filter', filter, ['status', 'profile', 'clientHash', 'expiresBy'])
    const { expiresBy, ...rest } = filter
    if (expiresBy !== undefined) requireDate('expiresBy', expiresBy)
    return this.#store().list({ ...rest, ...(expiresBy === undefined ? {} : { expiresBy: expiresBy.getTime() }) })
  }

  /** What was done, from the beginning. See {@link verifyAuditTrail}. */
  audit(): AsyncIterable<AuditEvent> {
    return this.#store().auditTrail()
  }

  /**
   * Tells `postsign` now what it could not be told before. That happens by itself as well, with growing pauses, as long as
   * the program runs.
   *
   * @returns How many certificates it was told of.
   */
  async deliverNotices(): Promise<number> {
    this.#requireOpen()
    return (await this.#parts.notices?.deliver()) ?? 0
  }

  /** Closes the store. The key is forgotten with the object. */
  async close(): Promise<void> {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#parts.notices?.close()
    await this.#parts.store?.close()
  }

  /** Closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #profile(name: string | undefined): ReadProfile {
    const { profiles, defaultProfile } = this.#parts.settings
    if (name === undefined) return defaultProfile
    requireString('profile', name)
    const profile = profiles.find(name)
    if (profile !== null) return profile
    const message = `there is no profile ${show(name)} to sign by; there are ${profiles.names.join(', ')}`
    throw new AuthorityError('ERR_TLACACOCA_AUTHORITY_PROFILE_UNKNOWN', message)
  }

  #requireOpen(): void {
    if (this.#isOpen) return
    throw new AuthorityError('ERR_TLACACOCA_AUTHORITY_CLOSED', 'the authority has been closed')
  }

  #store(): IssuedStore {
    this.#requireOpen()
    return this.#parts.store ?? noStore()
  }

  #revoking(): Revoking {
    this.#requireOpen()
    return this.#parts.revoking ?? noStore()
  }
}

interface Parts {
  readonly identity: AuthorityIdentity
  readonly settings: Settings
  readonly store: IssuedStore | null
  readonly signing: Signing
  readonly notices: Notices | null
  readonly revoking: Revoking | null
  readonly hasHooks: boolean
}

interface Settings {
  readonly profiles: ProfileSet
  readonly defaultProfile: ReadProfile
  readonly hooks: HooksFactory | null
  readonly serialNumberGenerator: SerialNumberGenerator | null
  readonly clock: Clock
  readonly random: (size: number) => Uint8Array
  readonly onEvent: (event: AuthorityEvent) => unknown
}

const OPTIONS: readonly (keyof AuthorityOptions)[] = [
  'store',
  'profiles',
  'defaultProfile',
  'hooks',
  'serialNumberGenerator',
  'onBoot',
  'crlValidityMs',
  'clock',
  'random',
  'onEvent',
]
const SIGN_PARTS: readonly (keyof SignRequest)[] = [
  'request',
  'profile',
  'clientHash',
  'requester',
  'subject',
  'subjectAltNames',
  'validity',
]

/** What is for this class, and what is for the directory. The clock is for both. */
function splitOptions(options: object): { readonly own: AuthorityOptions; readonly others: object } {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`"options" expected an object, got ${show(options)}`)
  }
  const isOwn = (name: string): boolean => (OPTIONS as readonly string[]).includes(name)
  const entries = Object.entries(options)
  return {
    own: Object.fromEntries(entries.filter(([name]) => isOwn(name))),
    others: Object.fromEntries(entries.filter(([name]) => !isOwn(name) || name === 'clock')),
  }
}

function readOptions(options: AuthorityOptions): Settings {
  const { profiles = [], defaultProfile = 'client-identity', clock = systemClock, random = randomBytes } = options
  const { hooks = null, serialNumberGenerator = null, onEvent = () => {} } = options
  requireList('profiles', profiles)
  requireString('defaultProfile', defaultProfile)
  for (const [name, value] of Object.entries({ clock, random, onEvent })) requireFunction(name, value)
  if (hooks !== null) requireFunction('hooks', hooks)
  if (serialNumberGenerator !== null) requireFunction('serialNumberGenerator', serialNumberGenerator)
  if (options.onBoot !== undefined) requireFunction('onBoot', options.onBoot)
  if (options.crlValidityMs !== undefined) requireCrlValidity(options.crlValidityMs)
  const { store } = options
  if (store !== undefined && store !== 'none' && (typeof store !== 'object' || store === null)) {
    throw new TypeError(`"store" expected an IssuedStore or 'none', got ${show(store)}`)
  }
  const set = new ProfileSet([...profiles])
  const found = set.find(defaultProfile)
  if (found === null)
    throw new TypeError(`"defaultProfile" expected one of ${set.names.join(', ')}, got ${show(defaultProfile)}`)
  return { profiles: set, defaultProfile: found, hooks, serialNumberGenerator, clock, random, onEvent }
}

async function openStore(
  { path, certificate }: AuthorityIdentity,
  store: AuthorityOptions['store'],
): Promise<IssuedStore | null> {
  if (store === 'none') return null
  if (store !== undefined) return store
  if (path === null)
    throw new TypeError(`"store" expected an IssuedStore or 'none', because there is no directory for one`)
  return SqliteIssuedStore.open(join(path, 'ca.db'), { authority: certificate.publicKeyFingerprint })
}

/** Signing takes milliseconds, and hooks some seconds. */
const ABANDONED_MS = 600_000
/** Anybody may ask for the list, so not each time. */
const ABANDON_EVERY_MS = 60_000

async function abandonOld(store: IssuedStore, clock: Clock, onEvent: Settings['onEvent']): Promise<void> {
  try {
    const count = await store.abandonPending(clock() - ABANDONED_MS, clock())
    if (count > 0) tell(onEvent, { kind: 'abandoned', count })
  } catch (error) {
    // A store that can only be read signs nothing, but can still say what has been revoked.
    if (!(error instanceof StoreError && UNWRITABLE.has(error.code))) throw error
  }
}

const UNWRITABLE: ReadonlySet<StoreError['code']> = new Set([
  'ERR_TLACACOCA_STORE_READ_ONLY',
  'ERR_TLACACOCA_STORE_FULL',
])

function noticesOf({
  store,
  signing,
  profiles,
  clock,
  onEvent,
}: {
  readonly store: IssuedStore
  readonly signing: Signing
  readonly profiles: ProfileSet
  readonly clock: Clock
  readonly onEvent: Settings['onEvent']
}): Notices {
  return new Notices({ store, clock, onEvent, tellHook: (row) => signing.tellLater(row, profiles.find(row.profile)) })
}

function readRequest(
  input: CertificateRequest | string | Uint8Array,
): Pick<SigningJob, 'spki' | 'key'> & { readonly request: CertificateRequest } {
  const request = CertificateRequest.is(input) ? input : CertificateRequest.from(input)
  return { request, spki: request.subjectPublicKeyInfo, key: request }
}

function requireClientHash(value: unknown): asserts value is string {
  requireString('clientHash', value)
  if (!/^[A-Za-z0-9]{1,128}$/.test(value)) {
    throw new RangeError(`"clientHash" expected 1 to 128 letters and digits, got ${show(value)}`)
  }
}

/** Hooks take the peer for one that has proven its key, and the store keeps the address. */
function requireRequester(requester: Requester): void {
  requireOptions('requester', requester, ['peer', 'address'])
  const { peer, address } = requester
  if (peer !== undefined && !Peer.is(peer)) {
    throw new TypeError(`"requester.peer" expected the peer of a TLS connection, got ${show(peer)}`)
  }
  if (address !== undefined) requireString('requester.address', address)
}

function noStore(): never {
  throw new AuthorityError(
    'ERR_TLACACOCA_AUTHORITY_NO_STORE',
    'this authority keeps no record of its certificates ("store" is "none"), so nothing can be looked up, renewed or revoked',
  )
}
