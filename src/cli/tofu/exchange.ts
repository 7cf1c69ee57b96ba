// Lists of other programs and of other people: import and export.

import type { Command } from 'commander'
import { parseFingerprint } from '../../certificate/fingerprint.ts'
import { loadPrivateKey } from '../../certificate/private-key.ts'
import { endpointFrom } from '../../names/endpoint.ts'
import type { LeftOutPin } from '../../tofu/formats/host-to-write.ts'
import type { KnownHostsExportFormat, KnownHostsFormat } from '../../tofu/formats/known-host.ts'
import type { ConflictDecider, ImportCounts } from '../../tofu/import-plan.ts'
import { type ListSignature, signKnownHosts } from '../../tofu/signed-list.ts'
import type { TofuStore } from '../../tofu/tofu-store.ts'
import type { ImportProgress } from '../../tofu/toml-exchange.ts'
import { type Cli, type Outcome, problemLines } from '../command.ts'
import { UsageError } from '../exit-code.ts'
import { withoutControls } from '../harmless.ts'
import { type CliIo, type Progress, requireYes } from '../io.ts'
import { counted, day, fromUser } from '../options.ts'
import type { PassphraseOptions } from '../passphrase.ts'
import { readPrivateKey } from '../private-key.ts'
import { inTheNameOfInput, PassingFile, STANDARD } from './standard-streams.ts'
import { openStore, openToRead, storePath } from './store.ts'

/** What can be written: our own TOML, and what other clients keep. */
export const EXPORT_FORMATS = [
  'tlacacoca',
  'lagrange',
  'amfora',
  'gmni',
  'telescope',
  'wasat',
  'go-gemini',
] as const satisfies readonly ('tlacacoca' | KnownHostsExportFormat)[]

/** What can be read. */
export const IMPORT_FORMATS = [
  ...EXPORT_FORMATS,
  'tlacacoca-sqlite',
  'av98',
  'offpunk',
  'geopard',
  'ncgopher',
  'bombadillo',
] as const satisfies readonly KnownHostsFormat[]

export const ON_CONFLICT = ['keep', 'take', 'ask'] as const

interface ImportOptions {
  readonly format?: KnownHostsFormat
  readonly dryRun?: boolean
  readonly replace?: boolean
  readonly onConflict: (typeof ON_CONFLICT)[number]
  readonly signedBy?: string
  readonly vouchedBy?: string
  readonly signature?: string
  readonly skipUnusable?: boolean
  readonly force?: boolean
}

/** `tofu import`. */
export async function importHosts(
  cli: Cli,
  source: string,
  options: ImportOptions,
  command: Command,
): Promise<Outcome> {
  if (source !== STANDARD) return importFile(cli.io, source, source, options, command)
  if (options.signedBy !== undefined && options.signature === undefined) {
    throw new UsageError('where is the signature of what comes by the standard input? Name its file by --signature')
  }
  // Whoever answers would write into the list.
  const io = { ...cli.io, canAsk: false }
  await using list = await PassingFile.ofInput(io)
  // Awaited here, before the file is gone.
  return await inTheNameOfInput(list.path, () => importFile(io, list.path, 'the standard input', options, command))
}

/** @param name - What the file is called to people. */
async function importFile(
  io: CliIo,
  path: string,
  name: string,
  options: ImportOptions,
  command: Command,
): Promise<Outcome> {
  const { dryRun = false, replace = false, skipUnusable = false, force = false } = options
  const signature = readSignature(options)
  if (options.onConflict === 'ask' && !io.canAsk) {
    throw new UsageError('nobody can be asked here: say --on-conflict keep or --on-conflict take')
  }
  if (replace && skipUnusable) {
    throw new UsageError('--replace and --skip-unusable exclude each other: servers that cannot be read would be lost')
  }
  await using known = dryRun ? await openToRead(io, command, { mayBeMissing: true }) : await openStore(io, command)
  if (replace && !dryRun) {
    const { removed, updated } = await known.importKnownHosts(path, {
      ...formatOf(options),
      merge: false,
      dryRun: true,
    })
    const loss = `${counted(removed, 'server')} would be forgotten, and ${updated} pinned to another certificate`
    if (removed + updated > 0) await requireYes(io, `${loss}. Replace ${storePath(io, command)}?`, force)
  }

  const meter = new Meter(io, `Reading ${name}`)
  const conflicts = new Conflicts(io, known, options.onConflict, meter)
  const shared = {
    merge: !replace,
    dryRun,
    onConflict: conflicts.decider,
    onProgress: meter.onProgress,
  }
  try {
    const done =
      signature === null
        ? await known.importKnownHosts(path, { ...shared, ...formatOf(options), skipUnusable })
        : {
            ...(await known.importToml(path, { ...shared, signature })),
            format: 'tlacacoca',
            problems: [],
            remarks: [],
          }
    const parts = [
      `${path === name ? path : 'What came by the standard input'} is a list of ${done.format}.`,
      countsText(done, dryRun),
      conflicts.text(dryRun),
      noted('entry cannot', 'entries cannot', 'be used:', done.problems),
      noted('entry gives', 'entries give', 'way to a later one for the same server:', done.remarks),
    ]
    return {
      json: { dryRun, ...done, ...conflicts.json() },
      text: parts.filter((part) => part !== '').join('\n'),
    }
  } finally {
    meter.stop()
  }
}

function formatOf({ format }: ImportOptions): { format?: KnownHostsFormat } {
  return format === undefined ? {} : { format }
}

/** Whose signature the list must have; null if nobody's. */
function readSignature(options: ImportOptions): ListSignature | null {
  const { signedBy, vouchedBy, signature } = options
  if (signedBy === undefined) {
    if (vouchedBy === undefined && signature === undefined) return null
    throw new UsageError('whose key must have signed the list? Give its fingerprint by --signed-by')
  }
  if (vouchedBy === undefined) throw new UsageError('what is the signer called? Give a name by --vouched-by')
  if (options.replace === true)
    throw new UsageError('a list that somebody vouches for can be merged, and not --replace')
  if (options.skipUnusable === true || (options.format !== undefined && options.format !== 'tlacacoca')) {
    throw new UsageError('only lists in the format tlacacoca are signed, and they are imported whole')
  }
  const fingerprint = parseFingerprint(signedBy, { of: 'public-key' })
  return { signedBy: fingerprint, name: vouchedBy, ...(signature === undefined ? {} : { path: signature }) }
}

function countsText({ added, updated, skipped, removed, distrusted }: ImportCounts, dryRun: boolean): string {
  const would = dryRun ? 'would be ' : ''
  const counts = [
    `${added} ${would}added`,
    `${updated} ${would}updated`,
    `${skipped} ${would}left as they are`,
    ...(removed === 0 ? [] : [`${removed} ${would}forgotten`]),
    ...(distrusted === 0 ? [] : [`${counted(distrusted, 'mark')} ${would}taken over`]),
  ]
  return `Servers: ${counts.join(', ')}.`
}

function noted(one: string, many: string, what: string, problems: Parameters<typeof problemLines>[0]): string {
  return problems.length === 0 ? '' : `${counted(problems.length, one, many)} ${what}\n${problemLines(problems)}`
}

/** A server that the list has another certificate for. */
interface Conflict {
  readonly endpoint: string
  readonly pinned: string
  readonly offered: string
  readonly taken: boolean
}

/** Decides about conflicts as it was told to, and remembers what to say about them. */
class Conflicts {
  readonly decider: ConflictDecider
  readonly #shown: Conflict[] = []
  #count = 0

  constructor(io: CliIo, known: TofuStore, onConflict: ImportOptions['onConflict'], meter: Meter) {
    this.decider = async (host, port, pinned, offered) => {
      const endpoint = endpointFrom(host, port)
      const ask = async () => {
        meter.stop()
        const info = await known.getHostInfo(endpoint)
        const since = info === null ? '' : ` since ${day(info.firstSeen)}, on ${counted(info.daysSeen, 'day')}`
        return io.confirm(`${endpoint} is pinned to\n  ${pinned}${since}\nand the list says\n  ${offered}\nTake it?`)
      }
      const taken = onConflict === 'ask' ? await ask() : onConflict === 'take'
      this.#count++
      if (this.#shown.length < MAX_SHOWN) this.#shown.push({ endpoint: String(endpoint), pinned, offered, taken })
      return taken
    }
  }

  json() {
    return { conflicts: this.#shown, conflictCount: this.#count }
  }

  text(dryRun: boolean): string {
    if (this.#count === 0) return ''
    const shown = this.#shown.slice(0, 20)
    const lines = shown.map(({ endpoint, pinned, offered, taken }) => {
      return `  ${endpoint}: ${taken ? 'taken' : 'kept'}\n    pinned  ${pinned}\n    listed  ${offered}`
    })
    const others = this.#count - shown.length
    const rest = others === 0 ? [] : [`  and ${others} more`]
    const what = `${counted(this.#count, 'server has', 'servers have')} another certificate in the list`
    return [`${what}${dryRun ? ', and would be' : ''}:`, ...lines, ...rest].join('\n')
  }
}

// What is shown is for people. A list that disagrees on more is another list.
const MAX_SHOWN = 1000

/** The progress of a reading, from when it is known how much there is to read. */
class Meter {
  readonly onProgress: (progress: ImportProgress) => void
  #shown: Progress | null = null
  #isOver = false

  constructor(io: CliIo, title: string) {
    let furthest = 0
    this.onProgress = ({ bytesRead, bytesTotal }) => {
      if (this.#isOver) return
      this.#shown ??= io.progress(title, bytesTotal)
      // Reading may begin anew, which is no progress.
      furthest = Math.max(furthest, bytesRead)
      this.#shown.update(furthest)
    }
  }

  stop(): void {
    if (!this.#isOver) this.#shown?.stop()
    this.#isOver = true
  }
}

interface ExportOptions extends PassphraseOptions {
  readonly format: (typeof EXPORT_FORMATS)[number]
  readonly update?: boolean
  readonly overwrite?: boolean
  readonly sign?: string
  readonly signature?: string
}

/** `tofu export`. */
export async function exportHosts(
  cli: Cli,
  target: string,
  options: ExportOptions,
  command: Command,
): Promise<Outcome> {
  const { io } = cli
  if (target !== STANDARD) return exportFile(io, target, target, options, command)
  const { update = false, overwrite = false, sign, signature } = options
  if (cli.json) throw new UsageError('the list itself is printed, so that there is no room for --json')
  if (update || overwrite) throw new UsageError('--update and --overwrite are for files')
  if (sign !== undefined && signature === undefined) {
    throw new UsageError('where is the signature to be written? The list is printed: name a file by --signature')
  }
  await using list = await PassingFile.make(io)
  const { text } = await exportFile(io, list.path, 'the standard output', options, command)
  await list.print()
  io.stderr.write(`${withoutControls(text)}\n`)
  return { json: null, text: '' }
}

/** @param name - What the file is called to people. */
async function exportFile(
  io: CliIo,
  path: string,
  name: string,
  options: ExportOptions,
  command: Command,
): Promise<Outcome & { readonly text: string }> {
  const { format, update = false, overwrite = false, sign, signature } = options
  if (update && overwrite) throw new UsageError('--update and --overwrite exclude each other')
  if (sign === undefined && signature !== undefined) throw new UsageError('--signature says where --sign writes to')
  if (sign !== undefined && format !== 'tlacacoca')
    throw new UsageError('only lists in the format tlacacoca are signed')
  if (update && format === 'tlacacoca') throw new UsageError('--update is for lists of other programs; see --overwrite')
  await using known = await openToRead(io, command)
  if (format !== 'tlacacoca') {
    const done = await known.exportKnownHosts(path, { format, update, overwrite })
    const text = [`${counted(done.hosts, 'server is', 'servers are')} in ${name} now.`, leftOutText(done)]
    return { json: { path, format, ...done }, text: text.filter((line) => line !== '').join('\n') }
  }
  // First of all: a list for a friend without its signature is of no use.
  const privateKey = sign === undefined ? null : await readKey(io, sign, options)
  const hosts = await known.exportToml(path, { overwrite })
  const json = { path, format, hosts, leftOut: [], leftOutCount: 0 }
  const written = `${counted(hosts, 'server is', 'servers are')} in ${name} now.`
  if (privateKey === null) return { json, text: written }
  const signaturePath = signature ?? `${path}.sig`
  const signedBy = await fromUser(() => {
    return signKnownHosts(path, { privateKey, signaturePath, overwrite, clock: io.clock })
  })
  const text = `${written}\nIt is signed in ${signaturePath}. Whoever imports it needs to know, by another way:\n  ${signedBy}`
  return { json: { ...json, signature: signaturePath, signedBy }, text }
}

async function readKey(io: CliIo, path: string, options: PassphraseOptions) {
  const { bytes, passphrase } = await readPrivateKey(io, path, options)
  return loadPrivateKey(bytes, { passphrase })
}

function leftOutText({ leftOut, leftOutCount }: { leftOut: readonly LeftOutPin[]; leftOutCount: number }): string {
  if (leftOutCount === 0) return ''
  const shown = leftOut.slice(0, 20)
  const others = leftOutCount - shown.length
  return [
    `${counted(leftOutCount, 'pin was', 'pins were')} left out:`,
    ...shown.map(({ subject, reason }) => `  ${subject}: ${reason}`),
    ...(others === 0 ? [] : [`  and ${others} more`]),
  ].join('\n')
}
