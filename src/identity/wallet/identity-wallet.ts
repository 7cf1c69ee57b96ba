// The identities of a client: certificates by which sites recognise their users, and where each of them is shown.
//
// Nothing is shown anywhere unless the user has said so: by a scope, and for a second host by a confirmation too. Questions
// that may be answered in passing (`forUrl`, `list`, `suggest`) are answered from memory, at once; what needs a key or the
// disk gives a promise.

import { KeyedChain } from '../../certificate/keyed-chain.ts'
import { IdentityError } from '../../errors.ts'
import { requireInteger, requireOneOf, requireOptions, requireString, show } from '../../internal/arguments.ts'
import { type Clock, checkedClock } from '../../internal/clock.ts'
import type { Endpoint } from '../../names/endpoint.ts'
import type { ClientIdentityTexts } from '../../tls/identity.ts'
import type { ClientCertificateStore } from '../../tls/sans-io/client-certificate-store.ts'
import type { ImportedIdentity } from '../formats/imported-identity.ts'
import { type Clearance, type ClearanceQuestion, judgeClearance, otherHost } from './clearance.ts'
import { clientIdentity } from './client-identity.ts'
import { deletedIdentity, deleteIdentity, removeDeleted, undeleteIdentity } from './deletion.ts'
import { exportIdentity, type ImportReport, importIdentities, readIdentityList } from './exchange.ts'
import type { DeletedIdentity, Identity } from './identity.ts'
import { MemoryStorage } from './memory-storage.ts'
import { A_CENTURY, A_MONTH, type IdentityKeyType, type IdentityValidity, newCertificate } from './new-identity.ts'
import {
  CONCERNS,
  type IdentityConcern,
  type IdentityNotes,
  withNotes,
  withoutScopes,
  withScope,
  withSite,
} from './notes.ts'
import type { WalletProblem } from './pair.ts'
import { type IdentityUrl, isSameOrigin, type Place, placeOf, requirePlace } from './place.ts'
import { renewalStatement, renewIdentity, revertRenewal } from './renewal.ts'
import { WalletRotation } from './rotation.ts'
import { RotationPlan, requireEndpoint, type StatementOptions } from './rotation-plan.ts'
import { type IdentityScope, readScope } from './scope.ts'
import type { ScopedIdentity } from './scope-match.ts'
import { advise, type CertificateStatus, type IdentityAdvice } from './suggest.ts'
import { MAX_NAME, MAX_NOTES, requireText } from './texts.ts'
import { WalletCertificateStore } from './wallet-certificate-store.ts'
import { newId, WalletCore } from './wallet-core.ts'
import { WalletFolder } from './wallet-folder.ts'
import { readWalletOptions, type WalletOptions } from './wallet-options.ts'

/** What a new identity is to be. All of it is optional. */
export interface NewIdentityOptions {
  /** What the user calls it, up to 200 characters. Servers never see it. Default: none. */
  readonly name?: string
  /** The common name in the certificate, up to 64 characters, which servers do see. Default: none. */
  readonly commonName?: string
  /** Default `ec-p256`. */
  readonly keyType?: IdentityKeyType
  /**
   * How long the certificate is valid. Default: a hundred years, because at most sites whoever comes with another
   * certificate is somebody else; a month for a temporary one.
   */
  readonly validity?: IdentityValidity
  /** Whether it is kept in memory only, never written anywhere, and gone when the wallet is closed. Default false. */
  readonly temporary?: boolean
  /** Where it is shown, to begin with: a scope, or a URL for its path and below. Default: nowhere. */
  readonly scope?: IdentityScope | IdentityUrl
}

/** How a URL came to be requested. */
export interface ForUrlOptions {
  /**
   * The URLs that led to this one by redirects: the one that the user asked for, or all of them. If one is of another
   * origin, no identity is chosen, since another site could then act in the user's name. Ask the user, and ask again
   * without this.
   */
  readonly redirectedFrom?: IdentityUrl | readonly IdentityUrl[]
}

/**
 * The identities of a client, in a folder of readable files or in memory, and where each of them is shown.
 *
 * Several programs can use one folder at the same time: no identity is lost, and nothing that one notes undoes what
 * another noted. A program sees what others did when it changes something itself, or calls {@link reload}.
 *
 * The keys do not come out of it other than by {@link identityFor}, {@link clientIdentity}, {@link store} and
 * {@link export}, and are in no message and nothing that is printed.
 *
 * @example
 * import { parseEndpoint, TofuStore } from 'tlacacoca'
 * import { IdentityWallet, originScope } from 'tlacacoca/identity'
 * import { connect } from 'tlacacoca/tls'
 *
 * await using wallet = await IdentityWallet.open({ appName: 'my-browser' })
 * await using known = await TofuStore.open({ appName: 'my-browser' })
 * const url = 'gemini://astrobotany.example/app'
 *
 * if (wallet.forUrl(url) === null) await wallet.create({ name: 'my garden', scope: originScope(url) })
 * const { stream } = await connect({
 *   endpoint: parseEndpoint('astrobotany.example:1965'),
 *   verify: known.verifier(),
 *   clientCertificateStore: wallet.store(url),
 * })
 * stream.write(`${url}\r\n`)
 */
export class IdentityWallet {
  readonly #core: WalletCore
  readonly #rotation: WalletRotation
  readonly #deletedHere = new Set<string>()

  private constructor(core: WalletCore) {
    this.#core = core
    this.#rotation = new WalletRotation(core, this.#deletedHere)
  }

  /**
   * Opens the wallet in a folder. Nothing is written by that; a folder that is read-only can be used, and not changed.
   *
   * @throws {TypeError | RangeError} If an option is wrong.
   * @throws {PrivateKeyError} KEY_PASSPHRASE_REQUIRED if a key in it is encrypted and there is no passphrase,
   *   KEY_PASSPHRASE_WRONG if the passphrase opens none of the encrypted ones.
   * @throws {IdentityMetadataError} If the file with names and scopes is damaged: with the place. Nothing is changed.
   * @throws {IdentityError} IDENTITY_METADATA_NEWER if that file was written by a newer release.
   * @throws {FileError} If the folder cannot be read.
   * @example
   * import { IdentityWallet } from 'tlacacoca/identity'
   *
   * await using wallet = await IdentityWallet.open({ directory: 'identities', passphrase: 'correct horse battery staple' })
   * for (const { name, fingerprint, scopes } of wallet.list()) console.log(name, fingerprint, scopes.join(' '))
   */
  static async open(options: WalletOptions): Promise<IdentityWallet> {
    const { directory, passphrase, lockTimeoutMs, clock } = readWalletOptions(options)
    const folder = new WalletFolder(directory, { passphrase, lockTimeoutMs })
    const core = await WalletCore.start(folder, clock)
    await folder.checkPassphrase(core.state.pairs().map(({ id }) => id))
    return new IdentityWallet(core)
  }

  /** A wallet that is gone when it is closed. */
  static async inMemory(options: { readonly clock?: Clock } = {}): Promise<IdentityWallet> {
    requireOptions('options', options, ['clock'])
    return new IdentityWallet(await WalletCore.start(new MemoryStorage(false), checkedClock(options.clock)))
  }

  /** The folder; null for a wallet in memory. */
  get directory(): string | null {
    return this.#core.storage.directory
  }

  /** What is wrong in the folder: halves of pairs, damaged certificates, keys that others can read. All of it is left as it is. */
  get problems(): readonly WalletProblem[] {
    return this.#core.state.problems
  }

  /** All identities, the one that was used last first. */
  list(): readonly Identity[] {
    return Object.freeze(this.#core.state.identities(this.#core.now))
  }

  /** One identity; null if there is none with this id, or it was deleted. */
  get(id: string): Identity | null {
    requireString('id', id)
    const pair = this.#core.state.pair(id)
    return pair === undefined || pair.deleted ? null : this.#core.identity(id)
  }

  /** Reads the folder anew, to see what other programs have done. */
  async reload(): Promise<void> {
    await this.#core.reload()
  }

  /**
   * Makes a new key and a self-signed certificate for it.
   *
   * @throws {TypeError | RangeError} If an option is wrong.
   * @throws {FileError} | {StoreError} If it cannot be stored. There is no new identity then.
   * @example
   * import { IdentityWallet, pathScope } from 'tlacacoca/identity'
   *
   * await using wallet = await IdentityWallet.inMemory()
   * const scope = pathScope('gemini://example.org/~ana/')
   * const { fingerprint } = await wallet.create({ name: 'Ana', scope, validity: { days: 90 } })
   * console.log(fingerprint, wallet.forUrl('titan://example.org/~ana/log.gmi')?.name)
   */
  async create(options: NewIdentityOptions = {}): Promise<Identity> {
    requireOptions('options', options, ['name', 'commonName', 'keyType', 'validity', 'temporary', 'scope'])
    const { name, commonName = '', keyType = 'ec-p256', temporary = false } = options
    if (name !== undefined) requireText('name', name, MAX_NAME)
    if (typeof temporary !== 'boolean')
      throw new TypeError(`"temporary" expected true or false, got ${show(temporary)}`)
    const scope = options.scope === undefined ? null : readScope('scope', options.scope)
    const { validity = temporary ? A_MONTH : A_CENTURY } = options
    const core = this.#core
    core.requireOpen()
    const made = await newCertificate({ commonName, keyType, validity }, core.clock)
    const id = newId()
    const change = (notes: IdentityNotes): IdentityNotes => {
      const named = { ...notes, name: name ?? null, created: core.clock() }
      return scope === null ? named : withScope(named, scope, core.stamp())
    }
    const home = temporary ? core.temporary : core.storage
    const addition = { id, certificates: [made.certificate], sealed: await home.seal(made.key), change }
    await core.alter(home, (writer) => core.add(home, [addition], writer))
    return core.identity(id)
  }

  /** Gives an identity another name, or none. */
  async rename(id: string, name: string | null): Promise<Identity> {
    if (name !== null) requireText('name', name, MAX_NAME)
    return this.#annotate(id, (notes) => ({ ...notes, name }))
  }

  /** Writes notes for the user's own use, or removes them. */
  async annotate(id: string, text: string | null): Promise<Identity> {
    if (text !== null) requireText('text', text, MAX_NOTES)
    return this.#annotate(id, (notes) => ({ ...notes, notes: text }))
  }

  /**
   * Deletes an identity. Until this wallet is closed it can be had back with {@link undelete}; then its files are removed.
   *
   * @param options.evenIfRotating - Also if it is being replaced and some sites know nothing of that yet, or if it is what
   *   another one is being replaced by. Default false.
   * @throws {IdentityError} IDENTITY_NOT_FOUND; IDENTITY_ROTATING as above.
   */
  async delete(id: string, options: { readonly evenIfRotating?: boolean } = {}): Promise<DeletedIdentity> {
    requireString('id', id)
    requireOptions('options', options, ['evenIfRotating'])
    return deleteIdentity(this.#core, this.#deletedHere, id, { evenIfRotating: options.evenIfRotating === true })
  }

  /**
   * Takes a deletion back: names, scopes and everything are as before.
   *
   * @throws {IdentityError} IDENTITY_NOT_FOUND if it is not among {@link deleted}.
   */
  async undelete(id: string): Promise<Identity> {
    requireString('id', id)
    await undeleteIdentity(this.#core, this.#deletedHere, id)
    return this.#core.identity(id)
  }

  /** What was deleted and can be had back, and until when. */
  deleted(): readonly DeletedIdentity[] {
    const pairs = this.#core.state.pairs().filter((pair) => pair.deleted)
    return Object.freeze(pairs.map((pair) => deletedIdentity(this.#core, this.#deletedHere, pair)))
  }

  /**
   * Writes a temporary identity to the folder, so that it outlives this wallet. Its id stays.
   *
   * @throws {IdentityError} IDENTITY_ROTATING while it is being replaced, or is what another one is being replaced by.
   * @throws {FileError} | {StoreError} If it cannot be stored. It stays temporary then.
   */
  async keep(id: string): Promise<Identity> {
    requireString('id', id)
    const core = this.#core
    const asked = core.state.require(id)
    if (!asked.temporary) return core.identity(id)
    // Before the lock is taken, since it can take a while. The key is the same whatever happens meanwhile.
    const sealed = await core.storage.seal(await core.key(asked))
    await core.alter(core.storage, async (writer) => {
      const { certificate, chain, former, temporary } = core.state.require(id)
      // Somebody else has asked for it too, and was faster.
      if (!temporary) return
      // One of the two would stay in memory, and its scopes must not get into the folder with those of the other.
      if (core.state.successorOf(id) !== null || core.state.predecessorOf(id) !== null) throw alreadyRotating(id)
      const notes = core.state.notes(id)
      const addition = { id, certificates: [certificate, ...chain], former, sealed, change: () => notes }
      await core.add(core.storage, [addition], writer)
      await core.alterWithin(core.temporary, async (memory) => {
        await memory.remove([id])
        await memory.changeMetadata((metadata) => withNotes(metadata, id, () => null))
      })
    })
    return core.identity(id)
  }

  /** The identities that expire within some time, or have expired, or whose dates cannot be read; the first first. */
  expiring(withinMs: number = DEFAULT_WARNING_MS): readonly Identity[] {
    requireInteger('withinMs', withinMs, 0, Number.MAX_SAFE_INTEGER)
    const until = this.#core.clock() + withinMs
    const ends = ({ notAfter }: Identity): number => notAfter?.getTime() ?? 0
    const found = this.#core.state.identities(this.#core.now).filter((identity) => ends(identity) < until)
    return Object.freeze(found.sort((a, b) => ends(a) - ends(b)))
  }

  /**
   * Gives an identity a new certificate for its old key, with the same name in it and later dates. Sites that know users by
   * their key see the same user; sites that know them by the whole certificate see somebody else, unless they take the
   * {@link renewalStatement}. The old certificate is kept; {@link revertRenewal} brings it back.
   *
   * @param options.validity - Default: for as long as the old one was.
   * @throws {CertificateError} CERTIFICATE_UNSUPPORTED if somebody else issued it: then only they can renew it.
   */
  async renew(id: string, options: { readonly validity?: IdentityValidity } = {}): Promise<Identity> {
    requireString('id', id)
    requireOptions('options', options, ['validity'])
    await renewIdentity(this.#core, id, options.validity)
    return this.#core.identity(id)
  }

  /**
   * Puts the certificate back that an identity had before it was renewed, for a site that does not take the new one. The
   * new one becomes a former one, so that the same call undoes it.
   *
   * @throws {IdentityError} IDENTITY_NOT_FOUND if it was never renewed.
   */
  async revertRenewal(id: string): Promise<Identity> {
    requireString('id', id)
    await revertRenewal(this.#core, id)
    return this.#core.identity(id)
  }

  /**
   * A statement for one server that the renewed certificate takes the place of the one before, signed with the key of
   * both. See {@link RotationPlan.statement}.
   *
   * @throws {IdentityError} IDENTITY_NOT_FOUND if it was never renewed.
   */
  async renewalStatement(id: string, endpoint: Endpoint, options: StatementOptions = {}): Promise<string> {
    requireString('id', id)
    requireEndpoint('endpoint', endpoint)
    return renewalStatement(this.#core, id, endpoint, options)
  }

  /**
   * Begins to exchange an identity for a new one with a key of its own, at all sites where it was shown. The old one
   * stays in use at each site until the plan says that the site is done.
   *
   * @param options - What the new one is to be, by default like the old one.
   * @throws {IdentityError} IDENTITY_ROTATING if that has begun already: see {@link rotationPlan}.
   */
  async rotate(
    id: string,
    options: Pick<NewIdentityOptions, 'commonName' | 'keyType' | 'validity'> = {},
  ): Promise<RotationPlan> {
    requireString('id', id)
    requireOptions('options', options, ['commonName', 'keyType', 'validity'])
    const core = this.#core
    const { temporary } = core.state.require(id)
    const before = core.homeOf(id)
    const { commonName = core.identity(id).commonName ?? '', keyType = 'ec-p256' } = options
    const { validity = temporary ? A_MONTH : A_CENTURY } = options
    const made = await newCertificate({ commonName, keyType, validity }, core.clock)
    const ready = await before.seal(made.key)
    const to = newId()
    await core.alterWhere(id, async (writer, home) => {
      core.state.require(id)
      if (core.state.successorOf(id) !== null) throw alreadyRotating(id)
      const { name, notes } = core.state.notes(id)
      const change = (fresh: IdentityNotes): IdentityNotes => ({ ...fresh, name, notes, created: core.clock() })
      const rotation = { to, started: core.clock(), sites: [], rest: {} }
      const sealed = home === before ? ready : await home.seal(made.key)
      const addition = { id: to, certificates: [made.certificate], sealed, change }
      await core.add(home, [addition], writer, (metadata) => withNotes(metadata, id, (old) => ({ ...old, rotation })))
    })
    return new RotationPlan(this.#rotation, id, to)
  }

  /** The plan by which an identity is being replaced; null if it is not. */
  rotationPlan(id: string): RotationPlan | null {
    requireString('id', id)
    this.#core.state.require(id)
    const to = this.#core.state.successorOf(id)
    return to === null ? null : new RotationPlan(this.#rotation, id, to.id)
  }

  /**
   * Shows an identity within a scope from now on, and before any other one that has the same scope.
   *
   * @param scope - A scope, or a URL for its path and below.
   * @throws {IdentityError} IDENTITY_NOT_CONFIRMED if another host knows the identity and the user has not confirmed that
   *   this one may know it too: see {@link check} and {@link confirm}.
   */
  async use(id: string, scope: IdentityScope | IdentityUrl): Promise<Identity> {
    requireString('id', id)
    const wanted = readScope('scope', scope)
    const core = this.#core
    await core.alterWhere(id, async (writer) => {
      core.state.require(id)
      const other = otherHost(core.state, id, wanted.endpoint)
      if (other !== null) {
        throw new IdentityError(
          'ERR_TLACACOCA_IDENTITY_NOT_CONFIRMED',
          `${other} knows this identity, and nobody has confirmed that ${wanted.endpoint.host} may know it too`,
          { reason: 'second_host' },
        )
      }
      await writer.changeMetadata((metadata) =>
        withNotes(metadata, id, (notes) => withScope(notes, wanted, core.stamp())),
      )
    })
    return core.identity(id)
  }

  /** Does not show an identity any more within one of its scopes, or nowhere if none is given. */
  async stop(id: string, scope?: IdentityScope | IdentityUrl): Promise<Identity> {
    const gone = scope === undefined ? null : readScope('scope', scope)
    return this.#annotate(id, (notes) => withoutScopes(notes, (each) => gone === null || each.equals(gone)))
  }

  /**
   * The identity for a URL: of those with a scope that covers it the one whose scope has the longest path, and of several
   * such the one that was used or chosen last. Null if there is none, and for protocols without identities.
   *
   * @throws {InvalidNameError} ERR_TLACACOCA_TARGET_INVALID if the URL is malformed.
   */
  forUrl(url: IdentityUrl, options: ForUrlOptions = {}): Identity | null {
    const match = this.#match(url, options)
    return match === null ? null : this.#core.identity(match.found.id)
  }

  /**
   * The identity for a URL as `connect` takes it, or null. That it was asked for counts as a use.
   *
   * @throws {FileError | PrivateKeyError} If the key cannot be read or opened.
   * @example
   * import { parseEndpoint } from 'tlacacoca'
   * import { IdentityWallet } from 'tlacacoca/identity'
   * import { authorities, connect } from 'tlacacoca/tls'
   *
   * await using wallet = await IdentityWallet.open({ appName: 'my-browser' })
   * const identity = await wallet.identityFor('gemini://example.org/club')
   * const connection = await connect({
   *   endpoint: parseEndpoint('example.org:1965'),
   *   verify: authorities('system'),
   *   ...(identity === null ? {} : { identity }),
   * })
   * await connection.close()
   */
  async identityFor(url: IdentityUrl, options: ForUrlOptions = {}): Promise<ClientIdentityTexts | null> {
    const match = this.#match(url, options)
    if (match === null) return null
    const identity = await this.clientIdentity(match.found.id)
    this.#noteUse(match)
    return identity
  }

  /**
   * An identity as `connect` takes it, whatever its scopes: for a program that has asked its user, and for the new identity
   * of a {@link RotationPlan}. Call {@link used} if it was shown.
   *
   * @throws {FileError | PrivateKeyError} If the key cannot be read or opened.
   */
  async clientIdentity(id: string): Promise<ClientIdentityTexts> {
    requireString('id', id)
    const pair = this.#core.state.require(id)
    return clientIdentity([pair.certificate, ...pair.chain], await this.#core.key(pair))
  }

  /**
   * The identity for a URL as a `ClientCertificateStore`: for `connect`, and for `ClientTLS`. It chooses when it is asked,
   * and that counts as a use. A server that names authorities gets it only if one of them issued it.
   */
  store(url: IdentityUrl, options: ForUrlOptions = {}): ClientCertificateStore {
    // A malformed URL is to be found by whoever writes it, not by a handshake.
    this.#match(url, options)
    return new WalletCertificateStore(async () => {
      const match = this.#match(url, options)
      if (match === null) return null
      const { certificate, chain } = this.#core.state.require(match.found.id)
      const key = await this.#core.key(this.#core.state.require(match.found.id))
      const keyed = KeyedChain.fromCertificates([certificate, ...chain], key, { purpose: 'client', at: this.#core.now })
      this.#noteUse(match)
      return keyed
    })
  }

  /** Notes that an identity was shown to a server, if neither {@link identityFor} nor {@link store} chose it. */
  used(id: string, url: IdentityUrl): void {
    requireString('id', id)
    const { endpoint } = requirePlace(url)
    this.#core.state.require(id)
    this.#core.noteUse({ id, endpoint, scope: null, at: this.#core.stamp() })
  }

  /**
   * Whether an identity may be shown to a server without asking the user: not by TLS 1.2, where it travels in clear, and
   * not to a second host, unless the user has confirmed it before.
   *
   * @example
   * import { ConnectionError, parseEndpoint, TofuStore } from 'tlacacoca'
   * import { IdentityWallet } from 'tlacacoca/identity'
   * import { connect } from 'tlacacoca/tls'
   *
   * await using wallet = await IdentityWallet.open({ appName: 'my-browser' })
   * await using known = await TofuStore.open({ appName: 'my-browser' })
   * const url = 'gemini://example.org/club'
   * const endpoint = parseEndpoint('example.org:1965')
   * const { id } = wallet.forUrl(url) ?? (await wallet.create({ scope: url }))
   *
   * const attempt = () => {
   *   const mayGoInClear = wallet.check(id, { endpoint, protocol: 'TLSv1.2' }).cleared
   *   return connect({
   *     endpoint,
   *     verify: known.verifier(),
   *     clientCertificateStore: wallet.store(url),
   *     identityOverTls12: mayGoInClear ? 'allow' : 'refuse',
   *   })
   * }
   * try {
   *   await (await attempt()).close()
   * } catch (error) {
   *   if (!(error instanceof ConnectionError) || error.code !== 'ERR_TLACACOCA_IDENTITY_WITHHELD') throw error
   *   // Here the user is asked.
   *   await wallet.confirm(id, endpoint, 'tls12')
   *   await (await attempt()).close()
   * }
   */
  check(id: string, question: ClearanceQuestion): Clearance {
    requireString('id', id)
    requireOptions('question', question, ['endpoint', 'protocol'])
    requireEndpoint('endpoint', question.endpoint)
    requireOneOf('protocol', question.protocol, ['TLSv1.2', 'TLSv1.3'])
    this.#core.state.require(id)
    return judgeClearance(this.#core.state, id, question)
  }

  /** Remembers that the user has been asked about an identity at a server, and said yes. */
  async confirm(id: string, endpoint: Endpoint, concern: IdentityConcern): Promise<Identity> {
    requireEndpoint('endpoint', endpoint)
    requireOneOf('concern', concern, CONCERNS)
    return this.#annotate(id, (notes) =>
      withSite(notes, endpoint, (site) => ({ ...site, confirmed: [...new Set([...site.confirmed, concern])] })),
    )
  }

  /** Forgets that an identity was shown to a server, and what the user confirmed there. Its scopes there go too. */
  async forget(id: string, endpoint: Endpoint): Promise<Identity> {
    requireString('id', id)
    requireEndpoint('endpoint', endpoint)
    const core = this.#core
    const forgotten = (notes: IdentityNotes): IdentityNotes =>
      withSite(
        withoutScopes(notes, (scope) => scope.endpoint.equals(endpoint)),
        endpoint,
        () => null,
      )
    await core.alterWhere(id, async (writer) => {
      core.state.require(id)
      core.forgetUses(id, endpoint)
      await writer.changeMetadata((metadata) => withNotes(metadata, id, forgotten))
    })
    return core.identity(id)
  }

  /**
   * What to say to a user whose request was answered by 60, 61 or 62, and what to offer, the best first. A program must not
   * make or choose a certificate by itself.
   *
   * @throws {InvalidNameError} ERR_TLACACOCA_TARGET_INVALID if the URL is malformed, or of a protocol without identities.
   * @example
   * import { IdentityWallet } from 'tlacacoca/identity'
   *
   * await using wallet = await IdentityWallet.inMemory()
   * const { explanation, offers } = wallet.suggest('gemini://example.org/join', 60)
   * console.log(explanation) // example.org wants to recognise you by a certificate.
   * for (const { text, warning } of offers) console.log(text, warning ?? '')
   * // Create a new identity for all of example.org.
   * // Create a new identity for "/join" and everything below it on example.org.
   */
  suggest(url: IdentityUrl, status: CertificateStatus): IdentityAdvice {
    if (![60, 61, 62].includes(status)) throw new RangeError(`"status" expected 60, 61 or 62, got ${show(status)}`)
    return advise(this.#core.state, requirePlace(url), status, this.#core.now)
  }

  /**
   * Adds identities of other programs, with their names, notes and scopes: what `readIdentities` found, or another wallet
   * exported. Those that the wallet has already, by their certificates, are left as they are. What cannot be used is
   * reported, and does not keep the others out.
   *
   * @throws {FileError} | {StoreError} If they cannot be stored. None of them is added then.
   */
  async import(identities: Iterable<ImportedIdentity>): Promise<ImportReport> {
    return importIdentities(this.#core, readIdentityList(identities))
  }

  /**
   * An identity with its key, to be written in the format of another program, or to be imported by another wallet.
   *
   * @throws {FileError | PrivateKeyError} If the key cannot be read or opened.
   */
  async export(id: string): Promise<ImportedIdentity> {
    requireString('id', id)
    return exportIdentity(this.#core, id)
  }

  /**
   * Removes what was deleted, forgets temporary identities and keys, and writes down what was used. After that every method
   * throws a {@link StoreError} STORE_CLOSED.
   *
   * @throws {FileError} | {StoreError} If deleted identities cannot be removed. The wallet is closed all the same, and a
   *   later one removes them.
   */
  async close(): Promise<void> {
    await this.#core.close(() => removeDeleted(this.#core, this.#deletedHere))
  }

  /** Closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #annotate(id: string, change: (notes: IdentityNotes) => IdentityNotes): Promise<Identity> {
    requireString('id', id)
    await this.#core.changeNotes(id, change)
    return this.#core.identity(id)
  }

  #match(url: IdentityUrl, options: ForUrlOptions): Match | null {
    requireOptions('options', options, ['redirectedFrom'])
    const place = placeOf(url)
    if (place === null) return null
    const { redirectedFrom } = options
    if (redirectedFrom !== undefined && !hopsOf(redirectedFrom).every((hop) => isAtOrigin(hop, place))) return null
    const found = this.#core.state.match(place)
    return found === null ? null : { place, found }
  }

  #noteUse({ place, found }: Match): void {
    this.#core.noteUse({ id: found.id, endpoint: place.endpoint, scope: found.scope, at: this.#core.stamp() })
  }
}

interface Match {
  readonly place: Place
  readonly found: ScopedIdentity
}

const DEFAULT_WARNING_MS = 30 * 86_400_000

function hopsOf(redirectedFrom: IdentityUrl | readonly IdentityUrl[]): readonly IdentityUrl[] {
  return Array.isArray(redirectedFrom) ? redirectedFrom : [redirectedFrom as IdentityUrl]
}

/** Whether a URL is of the same site. One that cannot be read is of another. */
function isAtOrigin(url: IdentityUrl, place: Place): boolean {
  try {
    const from = placeOf(url)
    return from !== null && isSameOrigin(from, place)
  } catch (error) {
    if (error instanceof TypeError) throw error
    return false
  }
}

function alreadyRotating(id: string): IdentityError {
  return new IdentityError(
    'ERR_TLACACOCA_IDENTITY_ROTATING',
    `${show(id)} is being replaced, or is about to replace another`,
  )
}
