// The store as a TOML file, out and in.

import { type FileProblem, ImportError } from '../errors.ts'
import { requireBoolean, requireFunction, requireOptions, requireString } from '../internal/arguments.ts'
import { writeFileAtomic } from '../internal/atomic-file.ts'
import type { Clock } from '../internal/clock.ts'
import { SourceFile } from './formats/source-file.ts'
import {
  applyImport,
  type ConflictDecider,
  type ImportCounts,
  type ImportPortion,
  planCanonicalImport,
} from './import-plan.ts'
import { isLive, type Pin } from './pin.ts'
import type { PinStore } from './pin-store.ts'
import { type ListSignature, VouchedList } from './signed-list.ts'
import { readPinsToml } from './toml-read.ts'
import { formatPinsToml } from './toml-write.ts'

/** How to write the file. */
export interface ExportOptions {
  /** Whether a file of that name may be replaced. Default false. */
  readonly overwrite?: boolean
}

/** How far an import has come. */
export interface ImportProgress {
  /** Bytes read; from 0 again if reading had to start anew. */
  readonly bytesRead: number
  /** How large the file was when reading began. */
  readonly bytesTotal: number
  /** Pins read. */
  readonly pins: number
}

/** How to import a file. */
export interface ImportOptions {
  /** Whether to add to what is there. If false, the store becomes what the file says, apart from marks. Default true. */
  readonly merge?: boolean
  /** Asked about every host that is pinned to another fingerprint, when merging. Without it, such hosts are skipped. */
  readonly onConflict?: ConflictDecider
  /** Whether to find out what would happen, problems and conflicts included, and change nothing. Default false. */
  readonly dryRun?: boolean
  /**
   * Whose signature the list must have. Nothing is imported without it, and pins that come in say who vouched for them; the
   * signer's `verified` counts as `trusted`, since nobody here has compared anything. Only with `merge`.
   */
  readonly signature?: ListSignature
  /** Called while the file is read. */
  readonly onProgress?: (progress: ImportProgress) => void
}

/** Writes all pins to a file, and gives the number of hosts in it. */
export async function exportToml(store: PinStore, path: string, clock: Clock, options: ExportOptions): Promise<number> {
  requireString('path', path)
  requireOptions('options', options, ['overwrite'])
  if (options.overwrite !== undefined) requireBoolean('overwrite', options.overwrite)
  let hosts = 0
  let subject = ''
  async function* counted(): AsyncGenerator<readonly Pin[]> {
    for await (const portion of store.scan()) {
      for (const pin of portion) {
        if (isLive(pin.state) && pin.subject !== subject) {
          subject = pin.subject
          hosts++
        }
      }
      yield portion
    }
  }
  // Pins tell where somebody has been, so the file is for its owner only.
  const contents = formatPinsToml(counted(), { exportedAt: new Date(clock()) })
  await writeFileAtomic(path, contents, { mode: 0o600, overwrite: options.overwrite === true })
  return hosts
}

/** Reads pins from a file into the store, all or none. */
export async function importToml(
  store: PinStore,
  path: string,
  clock: Clock,
  options: ImportOptions,
): Promise<ImportCounts> {
  requireString('path', path)
  requireOptions('options', options, ['merge', 'onConflict', 'dryRun', 'signature', 'onProgress'])
  const { merge = true, dryRun = false, onConflict, signature } = options
  requireBoolean('merge', merge)
  requireBoolean('dryRun', dryRun)
  if (options.onProgress !== undefined) requireFunction('onProgress', options.onProgress)
  if (signature !== undefined && !merge) throw new TypeError('a list that somebody vouches for can be merged only')
  const vouched = signature === undefined ? null : await VouchedList.of(path, signature)
  const plan = await planCanonicalImport(store, pinsOf(path, vouched, options.onProgress), {
    mode: merge ? 'merge' : 'replace',
    clock,
    ...(onConflict === undefined ? {} : { onConflict }),
  })
  if (!dryRun) return applyImport(plan)
  await plan[Symbol.asyncDispose]()
  return plan.counts
}

/** The pins of a file in portions. At its end, throws if anything was wrong anywhere. */
async function* pinsOf(
  path: string,
  vouched: VouchedList | null,
  onProgress: ImportOptions['onProgress'],
): AsyncGenerator<ImportPortion> {
  // Opened once: whatever takes the place of the file in the middle, and where reading has to start anew, it is this one.
  const source = await SourceFile.open(path)
  const problems: FileProblem[] = []
  try {
    let count = 0
    for await (const batch of readPinsToml(() => vouched?.bytesOf(source.chunks()) ?? source.chunks())) {
      if (batch.restart) {
        problems.length = 0
        count = 0
      }
      problems.push(...batch.problems)
      count += batch.pins.length
      yield { pins: batch.pins.map(({ pin }) => vouched?.pinOf(pin) ?? pin), restart: batch.restart }
      onProgress?.({ bytesRead: batch.bytesRead, bytesTotal: source.size, pins: count })
    }
    // First of all: of half a file, nothing that is wrong in it means anything.
    await source.requireUnchanged()
  } finally {
    await source.close()
  }
  // Then: what is wrong in a list that was changed is no business of its signer.
  vouched?.requireUnchanged(problems.length > 0)
  const [first] = problems
  if (first === undefined) return
  const others = problems.length === 1 ? '' : `, and ${problems.length - 1} more`
  const message = `${path} was not imported: line ${first.line}, column ${first.column}: ${first.message}${others}`
  throw new ImportError('ERR_TLACACOCA_IMPORT_INVALID', message, problems)
}
