// From the lines of a file to what they say of hosts.

import { show } from '../../internal/arguments.ts'
import type { HostExpiry, KnownHost, LineFormat, UnusableLine } from './known-host.ts'
import { linesOf } from './lines.ts'
import { readLine } from './read-line.ts'

/** A host, or something that should be one, and where it stands. */
export interface Finding {
  /** Of a database, the number of the row; of a folder, that of the entry. */
  readonly line: number
  readonly reading: KnownHost | UnusableLine
}

/** What one piece of the source held. */
export interface FindingsBatch {
  readonly findings: readonly Finding[]
  readonly bytesRead: number
}

/** Reads the source from its beginning, each time that it is called. */
export type OpenFindings = () => AsyncIterable<FindingsBatch>

/** Everything that the lines of a file say of hosts. */
export async function* findingsInLines(
  format: LineFormat,
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
): AsyncGenerator<FindingsBatch> {
  const pairs = new Pairs(format.name === 'amfora')
  let section = ''
  let total = 0
  for await (const { lines, bytesRead } of linesOf(chunks)) {
    for (const line of lines) {
      const reading = readLine(format, line, section)
      switch (reading.kind) {
        case 'section':
          section = reading.name
          break
        case 'unusable':
          pairs.found.push({ line: line.number, reading })
          break
        case 'host':
          pairs.host(line.number, reading)
          break
        case 'expiry':
          pairs.expiry(line.number, reading)
      }
    }
    yield { findings: pairs.take(), bytesRead }
    total = bytesRead
  }
  pairs.end()
  yield { findings: pairs.take(), bytesRead: total }
}

/**
 * Brings a fingerprint and the end of its certificate together that stand in two lines. Programs sort their keys, so that
 * the two are near each other, and only few wait for their other halves at a time.
 */
class Pairs {
  found: Finding[] = []
  readonly #wants: boolean
  readonly #hosts = new Map<string, { readonly line: number; readonly reading: KnownHost }>()
  readonly #expiries = new Map<string, { readonly line: number; readonly reading: HostExpiry }>()

  constructor(wants: boolean) {
    this.#wants = wants
  }

  host(line: number, reading: KnownHost): void {
    const { subject } = reading
    const expiry = this.#expiries.get(subject)
    const waiting = this.#hosts.get(subject)
    if (!this.#wants) this.found.push({ line, reading })
    else if (expiry !== undefined) {
      this.#expiries.delete(subject)
      this.found.push({ line, reading: { ...reading, notAfter: expiry.reading.notAfter } })
    } else {
      // A second one for the same server is found out by whoever looks for repetitions.
      if (waiting !== undefined) this.found.push(waiting)
      this.#hosts.set(subject, { line, reading })
    }
  }

  expiry(line: number, reading: HostExpiry): void {
    const { subject } = reading
    const host = this.#hosts.get(subject)
    const waiting = this.#expiries.get(subject)
    if (host !== undefined) {
      this.#hosts.delete(subject)
      this.found.push({ line: host.line, reading: { ...host.reading, notAfter: reading.notAfter } })
    } else {
      if (waiting !== undefined) this.#lonely(waiting)
      this.#expiries.set(subject, { line, reading })
    }
  }

  end(): void {
    for (const host of this.#hosts.values()) this.found.push(host)
    for (const expiry of this.#expiries.values()) this.#lonely(expiry)
    this.#hosts.clear()
    this.#expiries.clear()
  }

  take(): Finding[] {
    const { found } = this
    this.found = []
    return found
  }

  #lonely({ line, reading }: { readonly line: number; readonly reading: HostExpiry }): void {
    const message = `${show(reading.subject)} has the end of a certificate here and no fingerprint that belongs to it`
    this.found.push({ line, reading: { kind: 'unusable', column: reading.column, message } })
  }
}
