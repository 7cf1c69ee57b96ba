// Another client's store as an import: read whole, planned, and applied whole or not at all.

import type { Fingerprint } from '../../certificate/fingerprint.ts'
import { type FileProblem, ImportError } from '../../errors.ts'
import {
  requireBoolean,
  requireFunction,
  requireOneOf,
  requireOptions,
  requireString,
} from '../../internal/arguments.ts'
import type { Clock } from '../../internal/clock.ts'
import { applyImport, type ImportCounts, type ImportPortion, planImport } from '../import-plan.ts'
import { isNamedBy } from '../new-pin.ts'
import type { Pin } from '../pin.ts'
import type { PinStore } from '../pin-store.ts'
import { type ImportOptions, importToml } from '../toml-exchange.ts'
import { DATABASE_FORMATS } from './databases.ts'
import { detectKnownHosts } from './detect.ts'
import type { KnownHost, KnownHostsFormat } from './known-host.ts'
import { LINE_FORMATS } from './line-formats.ts'
import { HostsReport, readHosts } from './read-hosts.ts'
import { openSource, type Source } from './sources.ts'
import { isUndecided } from './twins.ts'

/** How to import the store of another client. */
export interface KnownHostsImportOptions extends Omit<ImportOptions, 'signature'> {
  /** Whose store it is. Default: what its content says. */
  readonly format?: KnownHostsFormat
  /**
   * Whether to import what can be used of a store in which something cannot. Default false: then such a store is not
   * imported. Not together with `merge: false`, which would forget the servers whose entries cannot be read. TOML of this
   * library is imported whole or not at all whatever is said here: marks of what is never to be trusted may be in it.
   */
  readonly skipUnusable?: boolean
}

/** What an import of another client's store did, or would do. */
export interface KnownHostsImport extends ImportCounts {
  readonly format: KnownHostsFormat
  /** Every entry that could not be used, and why. In a database a line is a row, in a folder a file. */
  readonly problems: readonly FileProblem[]
  /** Entries that were not used because a later one for the same server counts, as for the program that wrote them. */
  readonly remarks: readonly FileProblem[]
}

const FORMATS: readonly KnownHostsFormat[] = [
  'tlacacoca',
  ...DATABASE_FORMATS.map(({ name }) => name),
  'offpunk',
  ...LINE_FORMATS.map(({ name }) => name),
]

/** Reads another client's store into this one. */
export async function importKnownHosts(
  store: PinStore,
  path: string,
  clock: Clock,
  options: KnownHostsImportOptions,
): Promise<KnownHostsImport> {
  requireString('path', path)
  requireOptions('options', options, ['format', 'merge', 'onConflict', 'dryRun', 'skipUnusable', 'onProgress'])
  const { format: given, skipUnusable = false, ...exchange } = options
  const { merge = true, dryRun = false, onConflict, onProgress } = exchange
  if (given !== undefined) requireOneOf('format', given, FORMATS)
  requireBoolean('merge', merge)
  requireBoolean('dryRun', dryRun)
  requireBoolean('skipUnusable', skipUnusable)
  if (onConflict !== undefined) requireFunction('onConflict', onConflict)
  if (onProgress !== undefined) requireFunction('onProgress', onProgress)
  if (skipUnusable && !merge) {
    throw new TypeError(
      '"skipUnusable" expected false with "merge: false": servers that cannot be read would be forgotten',
    )
  }

  const format = given ?? (await detectKnownHosts(path))
  if (format === 'tlacacoca') {
    return { format, ...(await importToml(store, path, clock, exchange)), problems: [], remarks: [] }
  }
  const report = new HostsReport()
  const source = await openSource(path, format)
  try {
    const pins = pinsIn(store, source, { now: new Date(clock()), format, merge, skipUnusable, onProgress, report })
    const plan = await planImport(store, pins, {
      mode: merge ? 'merge' : 'replace',
      clock,
      ...(onConflict === undefined ? {} : { onConflict }),
    })
    const { counts } = plan
    if (dryRun) await plan[Symbol.asyncDispose]()
    else await applyImport(plan)
    return { format, ...counts, problems: report.problems, remarks: report.remarks }
  } finally {
    await source.close()
  }
}

interface Conversion {
  readonly now: Date
  readonly format: KnownHostsFormat
  readonly merge: boolean
  readonly skipUnusable: boolean
  readonly onProgress: ImportOptions['onProgress']
  readonly report: HostsReport
}

/** The pins of a source in portions. At its end, throws if anything in it cannot be used and that was not allowed. */
async function* pinsIn(store: PinStore, source: Source, how: Conversion): AsyncGenerator<ImportPortion> {
  let count = 0
  for await (const { restart, hosts, bytesRead } of readHosts(source, how.report)) {
    const pins: Pin[] = []
    for (const host of hosts) pins.push(...(await pinsFor(store, host, how)))
    if (restart) count = 0
    count += pins.length
    yield { pins, restart }
    how.onProgress?.({ bytesRead, bytesTotal: source.size, pins: count })
  }
  await source.requireUnchanged()

  const { problems } = how.report
  const [first] = problems
  if (first !== undefined && !how.skipUnusable) {
    const others = problems.length === 1 ? '' : `, and ${problems.length - 1} more`
    const message = `${source.path} was not imported: line ${first.line}, column ${first.column}: ${first.message}${others}`
    throw new ImportError('ERR_TLACACOCA_IMPORT_INVALID', message, problems)
  }
  if (count === 0 && !how.merge) {
    const message = `${source.path} was not imported: it names no server, and would leave none`
    throw new ImportError('ERR_TLACACOCA_IMPORT_INVALID', message)
  }
}

async function pinsFor(store: PinStore, host: KnownHost, { now, format }: Conversion): Promise<Pin[]> {
  const lastSeen = earlier(host.lastSeen ?? now, now)
  const firstSeen = earlier(host.firstSeen ?? lastSeen, lastSeen)
  const [digest, other] = await digestsFor(store, host)
  const pin: Pin = {
    subject: host.subject,
    digest,
    state: host.state,
    keyDigest: null,
    notAfter: host.notAfter,
    firstSeen,
    lastSeen,
    daysSeen: host.daysSeen,
    source: `import: ${format}`,
    note: null,
  }
  if (other === undefined) return [pin]
  // Of several pins the one seen last is shown, and this one is the less likely.
  const before = new Date(lastSeen.getTime() - 1)
  return [pin, { ...pin, digest: other, firstSeen: earlier(firstSeen, before), lastSeen: before }]
}

function earlier(a: Date, b: Date): Date {
  return a <= b ? a : b
}

/**
 * What to pin. A certificate that is pinned already by another fingerprint of it, as far as the store can tell, comes in by
 * that one, so that it is no conflict; and digits that may be of two things are what the store knows them to be.
 */
async function digestsFor(
  store: PinStore,
  { subject, digest, otherDigest }: KnownHost,
): Promise<[Fingerprint, Fingerprint?]> {
  if (otherDigest !== null) {
    const pins = await store.read(subject)
    for (const candidate of [digest, otherDigest]) {
      if (pins.some((pin) => isNamedBy(pin, candidate) && !isUndecided(pin, pins))) return [candidate]
    }
    return [digest, otherDigest]
  }
  if (digest.startsWith('sha512:')) {
    for (const pin of await store.read(subject)) {
      if (pin.digest.startsWith('sha256:') && (await store.sha512(pin.digest)) === digest) return [pin.digest]
    }
  } else if (digest.startsWith('sha256:')) {
    const sha512 = await store.sha512(digest)
    if (sha512 === undefined) return [digest]
    const pins = await store.read(subject)
    const isPinned = (wanted: Fingerprint) => pins.some((pin) => pin.digest === wanted)
    if (!isPinned(digest) && isPinned(sha512)) return [sha512]
  }
  return [digest]
}
