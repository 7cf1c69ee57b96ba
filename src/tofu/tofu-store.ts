// Trust on first use, as programs use it: a store of pins, a policy, and the questions "may I?" and "who is that?".

import { Certificate } from '../certificate/certificate.ts'
import type { Fingerprint } from '../certificate/fingerprint.ts'
import type { PeerVerifier } from '../certificate/peer-verifier.ts'
import { requireBoolean, requireFunction, requireInteger, requireOptions, show } from '../internal/arguments.ts'
import { type Clock, checkedClock } from '../internal/clock.ts'
import { Endpoint, endpointFrom } from '../names/endpoint.ts'
import type { Pinnable, TrustOptions } from './changes.ts'
import * as changes from './changes.ts'
import { exportKnownHosts, type KnownHostsExport, type KnownHostsExportOptions } from './formats/export-known-hosts.ts'
import { importKnownHosts, type KnownHostsImport, type KnownHostsImportOptions } from './formats/import-known-hosts.ts'
import { requireNames } from './hashed-names.ts'
import { bySubject, type HostInfo, hostInfoOf } from './host-info.ts'
import type { ImportCounts } from './import-plan.ts'
import { MemoryPinStore } from './memory-pin-store.ts'
import { openPins } from './open-pins.ts'
import { defaultPinPath } from './paths.ts'
import type { Pin, PinChange } from './pin.ts'
import { type ClearedPins, type PinStore, type PurgedPins, SEEN_INTERVAL_MS } from './pin-store.ts'
import { type CheckedPolicy, checkedPolicy, mergePolicies, type TofuPolicy, whatIsSaid } from './policy.ts'
import { type ExportOptions, exportToml, type ImportOptions, importToml } from './toml-exchange.ts'
import { type AcceptedVerdict, KnownVisit, type Verdict } from './verdict.ts'
import { verifierOver } from './verifier.ts'
import { lookAt, type TofuEvent, type VisitContext, type VisitOutcome, visit } from './visit.ts'

/** How a store decides, and whom it tells. */
export interface TofuOptions {
  /** What to accept. By default first visits and renewals with the same key, and nothing else. */
  readonly policy?: TofuPolicy
  readonly clock?: Clock
  /** Told of every certificate that was not simply the pinned one. What it throws is ignored. */
  readonly onEvent?: (event: TofuEvent) => void
}

/** Where the pins are: in a file of one's own choosing, or in the place that the platform has for a program's data. */
export type TofuOpenOptions = TofuOptions & {
  /** How long to go on trying while another program holds the lock. Milliseconds; default 5,000. */
  readonly lockTimeoutMs?: number
  /**
   * Whether a new file is to hold no names of hosts, but hashes of them (HMAC-SHA256 by a key of its own, which is in the
   * file). Default false. A file that was made so stays so, whatever is asked for when it is opened again.
   *
   * It keeps the places where somebody has been from being read in a file that gets into a backup or before somebody's
   * eyes. It does not keep them from whoever has the file and sets out to learn them: such a person can try names, as with
   * OpenSSH's `HashKnownHosts`, or look for the certificate of a server they suspect, because fingerprints stay what they
   * are. Notes, and the words for where a pin came from, are the user's own text and are kept as they are written.
   *
   * What is asked by a name works as ever. Lists show hashes, exports and a replacing import are refused.
   */
  readonly hashNames?: boolean
} & ({ readonly path: string; readonly appName?: never } | { readonly appName: string; readonly path?: never })

/** What `verify` may be told beside the certificate. */
export interface VerifyOptions {
  /** What the server sent, its own certificate first: for a policy that asks whether an authority vouches. */
  readonly chain?: readonly Certificate[]
}

/** Some hosts, and where to go on. */
export interface HostPage {
  readonly hosts: readonly HostInfo[]
  /** What to pass as `after` for the next page; null if this was the last one. */
  readonly next: string | null
}

/**
 * Remembers the certificates of servers and recognises them: trust on first use (Gemini specification, section 4.2).
 *
 * Everything that fails (a damaged file, a full disk) throws a `StoreError`; it never reads as a first visit.
 *
 * @example
 * import { parseEndpoint } from 'tlacacoca'
 * import { loadCertificate } from 'tlacacoca/certificate'
 * import { TofuStore } from 'tlacacoca/tofu'
 *
 * const known = TofuStore.inMemory()
 * const endpoint = parseEndpoint('example.org:1965')
 * const visit = await known.verifyOrTrust(endpoint, await loadCertificate('server.pem'))
 * console.log(visit.kind) // 'first_use', and 'trusted' from then on
 * await known.close()
 */
export class TofuStore {
  readonly #store: PinStore
  readonly #clock: Clock
  readonly #policy: CheckedPolicy
  readonly #onEvent: ((event: TofuEvent) => void) | undefined

  /** A store over pins that are kept in any other way. Closing it closes them. */
  constructor(store: PinStore, options: TofuOptions = {}) {
    requireOptions('options', options, TOFU_FIELDS)
    if (options.onEvent !== undefined) requireFunction('onEvent', options.onEvent)
    this.#store = store
    this.#clock = checkedClock(options.clock)
    this.#policy = checkedPolicy(options.policy)
    this.#onEvent = options.onEvent
  }

  /**
   * Opens the pins in a SQLite file, which several programs may use at once. The file is created if there is none (0600,
   * in a folder that is 0700 if it has to be created), and not written to if there is nothing to write.
   *
   * Where the disk is full or nothing can be written, what is pinned can still be verified: see the event `snapshot`.
   *
   * @param options - `path` is the file. Or `appName`: `pins.db` where the platform keeps a program's data, such as
   *   `~/.local/share/<appName>`.
   * @throws {StoreError} `STORE_FOREIGN` for the database of another program, `STORE_NEWER` for one of a later release
   *   (both are left untouched), `STORE_NOT_HASHED` if `hashNames` is set and the file has names in it, `STORE_CORRUPT`, `STORE_LOCKED`, `STORE_READ_ONLY`, `STORE_FULL`, `STORE_FAILED`.
   * @example
   * import { TofuStore } from 'tlacacoca/tofu'
   *
   * const known = await TofuStore.open({ appName: 'my-browser' })
   * console.log(`${(await known.listHosts()).length} servers are known`)
   * await known.close()
   */
  static async open(options: TofuOpenOptions): Promise<TofuStore> {
    requireOptions('options', options, ['path', 'appName', 'lockTimeoutMs', 'hashNames', ...TOFU_FIELDS])
    const { path, appName, lockTimeoutMs, hashNames = false } = options
    requireBoolean('hashNames', hashNames)
    if ((path === undefined) === (appName === undefined)) throw new TypeError('expected either "path" or "appName"')
    const file = path ?? defaultPinPath(appName ?? '')
    const pins = await openPins(file, { hashNames, ...(lockTimeoutMs === undefined ? {} : { lockTimeoutMs }) })
    try {
      const opened = new TofuStore(pins.store, whatIsSaid<TofuOptions>(options, TOFU_FIELDS))
      if (pins.degraded !== null) opened.#emit({ kind: 'snapshot', path: pins.path, code: pins.degraded })
      return opened
    } catch (error) {
      await pins.store.close()
      throw error
    }
  }

  /** A store that remembers for as long as the process lives. */
  static inMemory(options: TofuOptions = {}): TofuStore {
    return new TofuStore(new MemoryPinStore(), options)
  }

  /** Says what a certificate is to this store, by the words of its policy. Changes nothing and asks nobody. */
  async judge(endpoint: Endpoint, certificate: Certificate, options: VerifyOptions = {}): Promise<Verdict> {
    requireQuestion(endpoint, certificate)
    return (await lookAt(this.#context(), { endpoint, certificate, ...options })).verdict
  }

  /**
   * Resolves if the certificate may be used for this endpoint, because it is pinned or because the policy accepts it in
   * place of the pinned one (and then it is recorded). A first visit is refused and recorded by nobody: use
   * `verifyOrTrust` where it should be. So a program that only ever calls `verify` trusts nobody, instead of anybody.
   *
   * @throws {CertificateChangedError} If another certificate is pinned. It has both fingerprints.
   * @throws {NotTrustedError} If nothing is pinned, or the certificate is marked as never to be trusted.
   * @throws {StoreError} If the store cannot answer, or cannot record what was accepted.
   */
  async verify(endpoint: Endpoint, certificate: Certificate, options: VerifyOptions = {}): Promise<AcceptedVerdict> {
    const known = this.#recognise(endpoint, certificate)
    if (known instanceof KnownVisit) return known
    return (
      (await known) ?? usable(await visit(this.#context({ firstUse: 'refuse' }), { endpoint, certificate, ...options }))
    )
  }

  /**
   * The same, but the certificate of a first visit is recorded, if the policy accepts it. Of several first visits at
   * once, also from several processes, exactly one records its certificate and the others are compared with that one.
   *
   * @throws {CertificateChangedError} If another certificate is pinned.
   * @throws {NotTrustedError} If the policy refuses the first visit, or the certificate is marked.
   * @throws {StoreError} If the store cannot answer, or cannot record what was accepted.
   */
  async verifyOrTrust(
    endpoint: Endpoint,
    certificate: Certificate,
    options: VerifyOptions = {},
  ): Promise<AcceptedVerdict> {
    const known = this.#recognise(endpoint, certificate)
    if (known instanceof KnownVisit) return known
    return (await known) ?? usable(await visit(this.#context(), { endpoint, certificate, ...options }))
  }

  /**
   * A verifier for `connect`, which decides as `verifyOrTrust` does.
   *
   * @param policy - Rules that differ from the store's, such as an `onChanged` that asks the user.
   * @example
   * import { createInterface } from 'node:readline/promises'
   * import { parseEndpoint } from 'tlacacoca'
   * import { connect } from 'tlacacoca/tls'
   * import { TofuStore } from 'tlacacoca/tofu'
   *
   * const known = await TofuStore.open({ appName: 'my-browser' })
   * const terminal = createInterface(process.stdin, process.stdout)
   * const { stream } = await connect({
   *   endpoint: parseEndpoint('example.org:1965'),
   *   verify: known.verifier({
   *     onChanged: async ({ explanation }) => ({ accept: (await terminal.question(`${explanation} [yes/no] `)) === 'yes' }),
   *   }),
   * })
   * stream.write('gemini://example.org/\r\n')
   */
  verifier(policy: TofuPolicy = {}): PeerVerifier {
    const context = this.#context(policy)
    return verifierOver(async ({ endpoint, certificate, chain }) => {
      const known = await this.#recognise(endpoint, certificate)
      return known === undefined ? visit(context, { endpoint, certificate, chain }) : { accepted: true, verdict: known }
    })
  }

  /** Pins a certificate or fingerprint if nothing is, and tells which pin there is now and whether this call made it. */
  async pinIfAbsent(endpoint: Endpoint, what: Pinnable): Promise<{ readonly pinned: boolean; readonly pin: Pin }> {
    return changes.pinIfAbsent(this.#store, subjectOf(endpoint), what, this.#now())
  }

  /**
   * Pins a certificate, or a fingerprint that the owner told, in place of whatever is pinned. What was pinned becomes
   * history.
   *
   * @throws {NotTrustedError} If it is marked as never to be trusted; see `liftDistrust`.
   * @example
   * import { parseEndpoint } from 'tlacacoca'
   * import { parseFingerprint } from 'tlacacoca/certificate'
   * import { TofuStore } from 'tlacacoca/tofu'
   *
   * const known = TofuStore.inMemory()
   * const told = parseFingerprint('14:6A:4B:27:71:B2:A2:00:F0:58:D0:E5:16:BA:F6:F8:24:F1:91:3F:10:50:AD:2D:71:11:85:82:65:33:A2:57')
   * await known.trust(parseEndpoint('example.org:1965'), told, { verified: true, note: 'from the business card' })
   */
  async trust(endpoint: Endpoint, what: Pinnable, options: TrustOptions = {}): Promise<void> {
    changes.requireTrustOptions(options)
    await changes.trust(this.#store, subjectOf(endpoint), what, this.#now(), options)
  }

  /**
   * Compare-and-swap: pins a certificate in place of `expected`, if that is the one and only live pin.
   *
   * @returns Whether it was. If not, nothing has changed.
   * @throws {NotTrustedError} If it is marked as never to be trusted.
   */
  async replace(
    endpoint: Endpoint,
    expected: Fingerprint,
    what: Pinnable,
    options: TrustOptions = {},
  ): Promise<boolean> {
    changes.requireTrustOptions(options)
    return changes.replace(this.#store, subjectOf(endpoint), expected, what, this.#now(), options)
  }

  /**
   * Forgets the pins of an endpoint, so that the next visit is a first one. Marks stay.
   *
   * @returns Whether there was anything to forget.
   */
  async revoke(endpoint: Endpoint): Promise<boolean> {
    return changes.revoke(this.#store, subjectOf(endpoint), this.#now())
  }

  /** Forgets the pins of exactly this host, on every port, and tells on how many. Its subdomains are other hosts. */
  async revokeByHostname(host: string): Promise<number> {
    const prefix = prefixOf(host)
    const update = await changes.untilWritten(this.#store, prefix, async () => {
      return changes.revoking(bySubject(await this.#store.list({ prefix })), this.#now())
    })
    return update?.changes.length ?? 0
  }

  /** On how many ports of exactly this host something is pinned. */
  async countByHostname(host: string): Promise<number> {
    const pins = await this.#store.list({ prefix: prefixOf(host) })
    return bySubject(pins).filter(([subject, all]) => hostInfoOf(subject, all) !== null).length
  }

  /**
   * Marks a certificate, or a key by its fingerprint, as never to be trusted at this endpoint. If it is pinned, it no
   * longer is, and a visit with another certificate is a first one again, also with one for the same key: if the key is
   * stolen, mark `certificate.publicKeyFingerprint`. The mark outlives `revoke`, `clear` and every import.
   *
   * @example
   * import { parseEndpoint } from 'tlacacoca'
   * import { loadCertificate } from 'tlacacoca/certificate'
   * import { TofuStore } from 'tlacacoca/tofu'
   *
   * const known = await TofuStore.open({ appName: 'my-browser' })
   * const stolen = await loadCertificate('stolen.pem')
   * // By its key, so that a new certificate around the same key is not trusted either.
   * await known.distrust(parseEndpoint('example.org:1965'), stolen.publicKeyFingerprint, { note: 'stolen in May' })
   */
  async distrust(endpoint: Endpoint, what: Pinnable, options: { readonly note?: string } = {}): Promise<void> {
    await changes.distrust(this.#store, subjectOf(endpoint), what, this.#now(), options.note)
  }

  /**
   * Takes such a mark back. What it named is unknown then, not trusted.
   *
   * @returns Whether there was such a mark.
   */
  async liftDistrust(endpoint: Endpoint, fingerprint: Fingerprint): Promise<boolean> {
    return changes.liftDistrust(this.#store, subjectOf(endpoint), fingerprint, this.#now())
  }

  /**
   * Remembers the certificate or key that a known server says it will use next. To be called with what came over a
   * verified connection only: when it is presented, the verdict is `rotated`. It is forgotten when the certificate that was
   * pinned loses its trust to one that it does not vouch for, or to none.
   *
   * @returns Whether it was recorded: not if nothing is pinned for the endpoint, or it is known or marked already.
   */
  async announce(endpoint: Endpoint, what: Pinnable): Promise<boolean> {
    return changes.announce(this.#store, subjectOf(endpoint), what, this.#now())
  }

  /** Forgets everything, history included, except the marks of `distrust`. */
  async clear(): Promise<ClearedPins> {
    return this.#store.clear(this.#now())
  }

  /**
   * Forgets the hosts whose `lastSeen` is further back than so many days, history included, except marks. Visits are noted
   * once a day, so that a day more or less must not matter to you. What is forgotten in a file is overwritten there, and
   * is gone from its log too, unless `erased` is false. That takes about as long as writing the file once, blocks this
   * process meanwhile, and needs as much room again. Copies, such as backups, a file that a migration left beside the
   * database (`pins.db.v1-backup`), and what the disk itself keeps of old blocks, are out of its reach.
   *
   * @param options.notSeenForDays - At least 1.
   * @param options.verified - Whether hosts with a pin that was verified go too. Default false.
   * @example
   * import { TofuStore } from 'tlacacoca/tofu'
   *
   * const known = await TofuStore.open({ appName: 'my-browser' })
   * const { subjects, erased } = await known.purge({ notSeenForDays: 365 })
   * console.log(`${subjects} servers are forgotten${erased ? '' : ', and their names not yet erased from the file'}`)
   */
  async purge(options: { readonly notSeenForDays: number; readonly verified?: boolean }): Promise<PurgedPins> {
    requireOptions('options', options, ['notSeenForDays', 'verified'])
    const { notSeenForDays, verified = false } = options
    requireInteger('notSeenForDays', notSeenForDays, 1, 1_000_000)
    requireBoolean('verified', verified)
    const at = this.#now()
    return this.#store.purge({ before: new Date(at.getTime() - notSeenForDays * DAY_MS), verified, at })
  }

  /** Every known host, in the order of their names. Of a store that hashes names, in that of their hashes. */
  async listHosts(): Promise<HostInfo[]> {
    const hosts: HostInfo[] = []
    for await (const portion of this.#store.scan()) for (const host of hostsIn(portion)) hosts.push(host)
    return hosts
  }

  /**
   * Known hosts by the page.
   *
   * @param options.limit - How many endpoints to look at; a page has fewer hosts if some of them have marks only.
   *   Default 100.
   * @param options.after - The `next` of the page before.
   */
  async listHostsPage(options: { readonly limit?: number; readonly after?: string } = {}): Promise<HostPage> {
    const { limit = 100, after } = options
    requireInteger('limit', limit, 1, 1_000_000)
    const pins = await this.#store.list(after === undefined ? { limit } : { limit, after })
    const subjects = bySubject(pins)
    return { hosts: hostsIn(pins), next: subjects.length < limit ? null : (subjects.at(-1)?.[0] ?? null) }
  }

  /** What is known of an endpoint; null if nothing is pinned for it. */
  async getHostInfo(endpoint: Endpoint): Promise<HostInfo | null> {
    const subject = subjectOf(endpoint)
    return hostInfoOf(subject, await this.#store.read(subject))
  }

  /** Every pin of an endpoint, marks and history included. */
  async pins(endpoint: Endpoint): Promise<readonly Pin[]> {
    return this.#store.read(subjectOf(endpoint))
  }

  /** Every mark of `distrust`. */
  async listDistrusted(): Promise<Pin[]> {
    const marks: Pin[] = []
    for await (const portion of this.#store.scan()) {
      for (const pin of portion) if (pin.state === 'distrusted') marks.push(pin)
    }
    return marks
  }

  /** What happened to the pins of an endpoint, oldest first. */
  async history(endpoint: Endpoint): Promise<readonly PinChange[]> {
    return this.#store.history(subjectOf(endpoint))
  }

  /**
   * Writes everything to a TOML file (0600), which tlacacoca and nauyaca for Python can read too. The file is there whole
   * or not at all.
   *
   * @returns The number of hosts in it.
   * @throws {FileError} `FILE_EXISTS` if there is a file of that name and `overwrite` is not set; `FILE_UNWRITABLE`.
   * @throws {StoreError} `STORE_HASHED` if this store keeps hashes of names.
   */
  async exportToml(path: string, options: ExportOptions = {}): Promise<number> {
    requireNames(this.#store, 'exported')
    return exportToml(this.#store, path, this.#clock, options)
  }

  /**
   * Reads a TOML file of ours, or of tlacacoca or nauyaca for Python: all of it, or nothing if anything is wrong.
   *
   * @throws {ImportError} `IMPORT_INVALID` with every mistake in the file and where it is; `IMPORT_OUTDATED` if the store
   *   changed while conflicts were being decided.
   * @throws {FileError} `FILE_NOT_FOUND`; `FILE_UNREADABLE`, also if the file changed while it was read.
   * @example
   * import { TofuStore } from 'tlacacoca/tofu'
   *
   * const known = await TofuStore.open({ appName: 'my-browser' })
   * const counts = await known.importToml('pins.toml', {
   *   onConflict: (host, port, oldFingerprint, newFingerprint) => {
   *     console.log(`${host}:${port} is pinned to ${oldFingerprint}, and the file says ${newFingerprint}`)
   *     return false
   *   },
   * })
   * console.log(`${counts.added} servers were added`)
   */
  async importToml(path: string, options: ImportOptions = {}): Promise<ImportCounts> {
    return importToml(this.#store, path, this.#clock, options)
  }

  /**
   * Reads the store of another client, which is found out by its content: Lagrange, Amfora, gmni, Telescope, wasat
   * (Rogallo), go-gemini, Offpunk, AV-98, Geopard, ncgopher, Bombadillo, and tlacacoca and nauyaca for Python. All of it
   * is imported or nothing, unless `skipUnusable` is set; the file is only read.
   *
   * @throws {ImportError} `IMPORT_INVALID` with every entry that cannot be used and where it is; `IMPORT_FORMAT_UNKNOWN`
   *   and `IMPORT_FORMAT_AMBIGUOUS` if it cannot be found out whose store it is; `IMPORT_OUTDATED` if this store changed
   *   while conflicts were being decided.
   * @throws {FileError} `FILE_NOT_FOUND`, `FILE_UNREADABLE`, the latter also if the file changed while it was read.
   * @throws {StoreError} If it is a database that cannot be read.
   * @example
   * import { TofuStore } from 'tlacacoca/tofu'
   *
   * const known = await TofuStore.open({ appName: 'my-browser' })
   * const done = await known.importKnownHosts('trusted.2.txt', { skipUnusable: true })
   * console.log(`${done.added} servers of ${done.format} are known now`)
   * for (const { line, message } of done.problems) console.log(`line ${line} was left out: ${message}`)
   */
  async importKnownHosts(path: string, options: KnownHostsImportOptions = {}): Promise<KnownHostsImport> {
    return importKnownHosts(this.#store, path, this.#clock, options)
  }

  /**
   * Writes the store of another client (0600): a new file, or with `update` into the one that is there, of which all is
   * kept that is not about our servers. The file is there whole or not at all. What that client cannot hold is left out,
   * and told.
   *
   * @throws {FileError} `FILE_EXISTS` if there is a file of that name and neither `overwrite` nor `update` is set;
   *   `FILE_UNREADABLE`, `FILE_UNWRITABLE`, also if the file changed meanwhile. A symbolic link is not followed.
   * @throws {ImportError} `IMPORT_FORMAT_UNKNOWN` or `IMPORT_FORMAT_AMBIGUOUS` if the file to update is of another client.
   * @example
   * import { TofuStore } from 'tlacacoca/tofu'
   *
   * const known = await TofuStore.open({ appName: 'my-browser' })
   * const done = await known.exportKnownHosts('trusted.2.txt', { format: 'lagrange', update: true })
   * for (const { subject, reason } of done.leftOut) console.log(`${subject} was left out: ${reason}`)
   */
  async exportKnownHosts(path: string, options: KnownHostsExportOptions): Promise<KnownHostsExport> {
    requireNames(this.#store, 'exported')
    return exportKnownHosts(this.#store, path, options)
  }

  /** Closes the store. May be called again. */
  async close(): Promise<void> {
    await this.#store.close()
  }

  /** Closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #now(): Date {
    return new Date(this.#clock())
  }

  /** The usual visit: one look-up. Undefined if it takes a closer look, if only to note the day. */
  #recognise(endpoint: Endpoint, certificate: Certificate): KnownVisit | undefined | Promise<KnownVisit | undefined> {
    requireQuestion(endpoint, certificate)
    const subject = endpoint.toString()
    const lastSeen = this.#store.lastSeen(subject, certificate.fingerprint)
    if (typeof lastSeen === 'number') return this.#knownVisit(subject, certificate, lastSeen)
    if (lastSeen === undefined) return undefined
    return lastSeen.then((at) => (at === undefined ? undefined : this.#knownVisit(subject, certificate, at)))
  }

  #knownVisit(subject: string, certificate: Certificate, lastSeen: number): KnownVisit | undefined {
    if (Math.abs(this.#clock() - lastSeen) >= SEEN_INTERVAL_MS) return undefined
    return new KnownVisit(subject, certificate, lastSeen)
  }

  #context(policy: TofuPolicy = {}): VisitContext {
    return {
      store: this.#store,
      clock: this.#clock,
      policy: mergePolicies(this.#policy, policy),
      emit: (event) => this.#emit(event),
    }
  }

  #emit(event: TofuEvent): void {
    try {
      this.#onEvent?.(event)
    } catch {
      // Whoever listens has no say in the decision.
    }
  }
}

const TOFU_FIELDS = ['policy', 'clock', 'onEvent'] as const satisfies readonly (keyof TofuOptions)[]

const DAY_MS = 86_400_000

function usable(outcome: VisitOutcome): AcceptedVerdict {
  if (outcome.accepted) return outcome.verdict
  throw outcome.error
}

function hostsIn(pins: readonly Pin[]): HostInfo[] {
  return bySubject(pins).flatMap(([subject, all]) => hostInfoOf(subject, all) ?? [])
}

/** What the subjects of a host on all its ports begin with. The colon keeps out every other host. */
function prefixOf(host: string): string {
  return endpointFrom(host, 1).toString().slice(0, -1)
}

function subjectOf(endpoint: Endpoint): string {
  if (!Endpoint.is(endpoint))
    throw new TypeError(`"endpoint" expected an Endpoint (see parseEndpoint), got ${show(endpoint)}`)
  return endpoint.toString()
}

function requireQuestion(endpoint: Endpoint, certificate: Certificate): void {
  if (!Endpoint.is(endpoint)) subjectOf(endpoint)
  if (!(certificate instanceof Certificate)) {
    throw new TypeError(`"certificate" expected a Certificate (see Certificate.from), got ${show(certificate)}`)
  }
}
