// Hosts that another client knows, out of what was found in its store: each once.
//
// Most stores have each host once, and then one reading is enough: of every host 64 bits of a hash are kept to find out.
// At the first that seems to be there again, reading goes on to its end to find out all of them, and then begins anew.
// So memory is taken by hosts that are there twice, and not by hosts.

import type { FileError, FileProblem } from '../../errors.ts'
import { Problems } from '../toml-fields.ts'
import { HashedKnownPins } from '../toml-known.ts'
import type { KnownHost } from './known-host.ts'
import { unreadable } from './source-file.ts'
import type { Source } from './sources.ts'

/**
 * What it means if there is a host twice: the `last` counts; nobody can tell and all are `refused`; or all of them are
 * pins of it, `each` that has another fingerprint.
 */
export type Repeats = 'last' | 'refused' | 'each'

/** What one piece of the source held. */
export interface HostsBatch {
  /** Whether everything before is void. */
  readonly restart: boolean
  readonly hosts: readonly KnownHost[]
  readonly bytesRead: number
}

/** What was found out beside the hosts, complete when reading has come to its end. */
export class HostsReport {
  /** What could not be used. */
  problems: readonly FileProblem[] = []
  /** What was not used because something else in the file counts instead. */
  remarks: readonly FileProblem[] = []
}

/** What hosts are read from. */
export type HostsSource = Pick<Source, 'path' | 'repeats' | 'findings'>

/**
 * Reads all hosts, in portions.
 *
 * @throws {FileError} FILE_UNREADABLE if two readings differ, and whatever the source throws.
 */
export async function* readHosts(
  source: HostsSource,
  report: HostsReport,
): AsyncGenerator<HostsBatch, void, undefined> {
  const repeated = yield* readOnce(source, report)
  if (repeated.size > 0) yield* readAgain(source, report, repeated)
}

/** Where something that is there several times was last, counted in findings and in lines. */
interface Last {
  readonly index: number
  readonly line: number
  readonly digest: string
}

async function* readOnce(
  { findings: open, repeats }: HostsSource,
  report: HostsReport,
): AsyncGenerator<HostsBatch, ReadonlyMap<string, Last>, undefined> {
  const met = new Met()
  const repeated = new Map<string, Last>()
  const problems = new Problems()
  let index = 0
  let lastLine = 1
  for await (const { findings, bytesRead } of open()) {
    const hosts: KnownHost[] = []
    for (const { line, reading } of findings) {
      index++
      lastLine = Math.max(lastLine, line)
      if (reading.kind === 'unusable') problems.add({ line, column: reading.column }, reading.message)
      else if (met.isRepeated(keyOf(reading, repeats))) {
        repeated.set(keyOf(reading, repeats), { index, line, digest: reading.digest })
      } else hosts.push(reading)
    }
    if (repeated.size === 0) yield { restart: false, hosts, bytesRead }
  }
  problems.finish(lastLine)
  report.problems = problems.take()
  return repeated
}

async function* readAgain(
  { path, findings: open, repeats }: HostsSource,
  report: HostsReport,
  repeated: ReadonlyMap<string, Last>,
): AsyncGenerator<HostsBatch, void, undefined> {
  const problems = new Problems()
  const remarks = new Problems()
  // A hash may be the same by chance, so that what seems repeated is looked at by its name once more.
  const seen = new Set<string>()
  // What is there again now and was not before, or the other way round, shows that the source has changed.
  const met = new Met()
  let lastMet = 0
  let index = 0
  let lastLine = 1
  let restart = true
  for await (const { findings, bytesRead } of open()) {
    const hosts: KnownHost[] = []
    for (const { line, reading } of findings) {
      index++
      lastLine = Math.max(lastLine, line)
      if (reading.kind === 'unusable') {
        problems.add({ line, column: reading.column }, reading.message)
        continue
      }
      const key = keyOf(reading, repeats)
      const last = repeated.get(key)
      if (last === undefined) {
        if (met.isRepeated(key)) throw changed(path)
        hosts.push(reading)
        continue
      }
      const isLast = index === last.index
      if (isLast) lastMet++
      const isFirst = !seen.has(key)
      seen.add(key)
      const place = { line, column: reading.column }
      if (isLast && (isFirst || repeats !== 'refused')) hosts.push(reading)
      else if (repeats === 'refused') {
        problems.add(place, `${reading.subject} is there more than once; keep one`)
      } else if (reading.digest !== last.digest) {
        remarks.add(place, `${reading.subject} has another fingerprint on line ${last.line}, which is the later one`)
      }
    }
    yield { restart, hosts, bytesRead }
    restart = false
  }
  if (lastMet < repeated.size) throw changed(path)
  problems.finish(lastLine)
  remarks.finish(lastLine)
  report.problems = problems.take()
  report.remarks = remarks.take()
}

function changed(path: string): FileError {
  return unreadable(path, 'was changed while it was read; try again')
}

function keyOf({ subject, digest }: KnownHost, repeats: Repeats): string {
  return repeats === 'each' ? `${subject} ${digest}` : subject
}

const REPETITION = new Error('there may be two')

/** Keeps hashes of what was met. It may take something for repeated that is not, and never the other way round. */
class Met {
  readonly #known = new HashedKnownPins(() => {
    throw REPETITION
  })

  isRepeated(key: string): boolean {
    try {
      this.#known.meetHost(key, undefined, 0)
      return false
    } catch (error) {
      if (error === REPETITION) return true
      /* v8 ignore next -- @preserve only a fault of our own could be another error */
      throw error
    }
  }
}
