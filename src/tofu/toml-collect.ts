// From tables to pins: what must be in them, what it means, and everything that is wrong with them.
//
// Strict, because a pin that is read wrongly is trust in a stranger, and because a file with a mistake is not imported
// at all. Strange tables and fields outside `[tlacacoca]` are left alone, as the relatives do; inside, a fact that is not
// understood must not get lost silently.
//
// Invariant: a table gives a pin only if nothing is wrong with it, and a problem otherwise.

import type { Fingerprint } from '../certificate/fingerprint.ts'
import { type FileProblem, InvalidNameError } from '../errors.ts'
import { endpointFrom, parseEndpoint } from '../names/endpoint.ts'
import { normalizeHost } from '../names/host.ts'
import { isLive, PIN_STATES, type Pin } from './pin.ts'
import { FieldReader, Problems, showValue } from './toml-fields.ts'
import type { KnownPins } from './toml-known.ts'
import { excerpt } from './toml-string.ts'
import type { TomlPlace, TomlTable } from './toml-table.ts'

/** A pin that was read, and where it stands in the file. */
export interface TomlPin extends TomlPlace {
  readonly pin: Pin
}

/** A table of `[hosts]`, about which a table of `[[tlacacoca.pins]]` may say more. */
interface Draft extends TomlPlace {
  readonly key: string
  /** Undefined if something is wrong with the host; then what is said about it elsewhere is no further mistake. */
  readonly pin: Pin | undefined
  facts: Facts | undefined
}

type Facts = Pick<Pin, 'state' | 'keyDigest' | 'notAfter' | 'daysSeen' | 'source' | 'note'>

const NO_FACTS: Facts = { state: 'trusted', keyDigest: null, notAfter: null, daysSeen: 1, source: null, note: null }

const FORMAT_FIELDS = new Set(['format'])
const PIN_FIELDS = new Set([
  'subject',
  'fingerprint',
  'state',
  'public_key',
  'not_after',
  'first_seen',
  'last_seen',
  'days_seen',
  'source',
  'note',
])

export class PinsCollector {
  readonly problems = new Problems()
  readonly #fields = new FieldReader(this.problems)
  readonly #known: KnownPins
  readonly #onOrphan: (place: TomlPlace) => void
  readonly #drafts = new Map<string, Draft>()
  #pins: TomlPin[] = []
  #hasHosts = false
  #wantsEnd = false

  /**
   * @param onOrphan - Told of facts about a host that was not listed so far. It throws if the host may yet come;
   *   otherwise they are a problem.
   */
  constructor(known: KnownPins, onOrphan: (place: TomlPlace) => void = () => {}) {
    this.#known = known
    this.#onOrphan = onOrphan
  }

  /** What was collected since the last call. */
  take(): { pins: TomlPin[]; problems: FileProblem[] } {
    const pins = this.#pins
    this.#pins = []
    return { pins, problems: this.problems.take() }
  }

  /** `[_metadata]`, which the relatives write and do not ask for. */
  metadata(table: TomlTable): void {
    const version = this.#fields.value(table, 'version')
    if (version === undefined || version === '1.0') return
    const message = `the version is ${showValue(version)}; only version "1.0" can be read`
    this.problems.add(table.placeOf('version'), message)
  }

  /** `[tlacacoca]`. Returns whether the pins under it can be understood. */
  format(table: TomlTable): boolean {
    this.#refuseUnknown(table, FORMAT_FIELDS)
    const format = this.#fields.value(table, 'format')
    if (format === undefined) return false
    this.#wantsEnd = format === 1
    if (format === 1) return true
    this.problems.add(table.placeOf('format'), `the format is ${showValue(format)}; only format 1 can be read`)
    return false
  }

  /** `[tlacacoca.end]`, the last thing in an export. */
  end(): void {
    this.#wantsEnd = false
  }

  /** `[hosts]`, whether or not there is one in it. */
  hosts(): void {
    this.#hasHosts = true
  }

  /** One table of `[hosts]`. */
  host(table: TomlTable): void {
    this.#hasHosts = true
    const { key, line, column } = table
    const before = this.problems.count
    const subject = this.#hostSubject(table)
    const digest = this.#hostDigest(table)
    const firstSeen = this.#fields.instant(table, 'first_seen')
    const lastSeen = this.#fields.instant(table, 'last_seen')
    this.#checkOrder(table, firstSeen, lastSeen)
    const earlier = this.#known.meetHost(subject ?? key, digest, line)
    // TOML has no table twice. Whoever reads line by line must notice even where the host is unknown.
    if (key !== subject) this.#known.meetHost(`key ${key}`, undefined, line)
    if (subject !== undefined && earlier !== undefined) {
      this.problems.add(table, `${excerpt(key)} is ${subject} again, which is on line ${earlier} already; keep one`)
    }

    const isComplete = firstSeen !== undefined && lastSeen !== undefined && this.problems.count === before
    const core = isComplete && subject !== undefined && digest !== undefined
    const pin = core ? newPin({ subject, digest, firstSeen, lastSeen }, NO_FACTS) : undefined
    this.#drafts.set(subject ?? key, { key, line, column, pin, facts: undefined })
  }

  /** One table of `[[tlacacoca.pins]]`: a pin with dates of its own, or more about a host that was listed. */
  pin(table: TomlTable): void {
    const before = this.problems.count
    this.#refuseUnknown(table, PIN_FIELDS)
    const subject = this.#pinSubject(table)
    const digest = this.#fields.digest(table, 'fingerprint')
    const facts = this.#facts(table)
    const isComplete = facts !== undefined && this.problems.count === before
    const isDateless = table.value('first_seen') === undefined && table.value('last_seen') === undefined
    if (isDateless && subject !== undefined && digest !== undefined) {
      this.#describeHost(table, subject, digest, isComplete ? facts : undefined)
      return
    }

    const firstSeen = this.#fields.instant(table, 'first_seen')
    const lastSeen = this.#fields.instant(table, 'last_seen')
    this.#checkOrder(table, firstSeen, lastSeen)
    if (subject === undefined || digest === undefined) return
    const earlier = this.#meetPin(table, subject, digest)
    if (earlier !== undefined) {
      this.problems.add(table, `${subject} has this fingerprint on line ${earlier} already; keep one`)
    }
    if (!isComplete || firstSeen === undefined || lastSeen === undefined || this.problems.count > before) return
    this.#add(table, newPin({ subject, digest, firstSeen, lastSeen }, facts))
  }

  /** Nothing more will be said about the hosts so far. */
  flushHosts(): void {
    for (const draft of this.#drafts.values()) {
      if (draft.pin !== undefined)
        this.#add(draft, draft.facts === undefined ? draft.pin : newPin(draft.pin, draft.facts))
    }
    this.#drafts.clear()
  }

  /** The end of the file, which is on line `lastLine`. */
  finish(lastLine: number): void {
    this.flushHosts()
    const end = { line: lastLine, column: 1 }
    if (!this.#hasHosts) {
      this.problems.add({ line: 1, column: 1 }, 'there is no [hosts]; write one, even if there is nothing in it')
    }
    if (this.#wantsEnd) {
      this.problems.add(
        end,
        'the file was cut off before [tlacacoca.end]; add that if you are sure that nothing is missing',
      )
    }
    this.problems.finish(lastLine)
  }

  #add({ line, column }: TomlPlace, pin: Pin): void {
    this.#pins.push({ pin, line, column })
  }

  #meetPin(table: TomlTable, subject: string, digest: Fingerprint): number | undefined {
    const host = this.#drafts.get(subject)
    if (host?.pin?.digest === digest) return host.line
    return this.#known.meetPin(subject, digest, table.line, host?.pin !== undefined)
  }

  /** @param facts - Undefined if something is wrong with them. */
  #describeHost(table: TomlTable, subject: string, digest: Fingerprint, facts: Facts | undefined): void {
    const host = this.#drafts.get(subject)
    if (host === undefined) this.#onOrphan(table)
    if (host === undefined || (host.pin !== undefined && host.pin.digest !== digest)) {
      if (table.isDamaged) return
      this.problems.add(
        table,
        `[hosts] has no ${subject} with this fingerprint, so first_seen and last_seen must be here`,
      )
    } else if (facts === undefined) {
      return
    } else if (!isLive(facts.state)) {
      const message = `the state is "${facts.state}", but [hosts] lists this fingerprint as trusted; remove one of them`
      this.problems.add(table.placeOf('state'), message)
    } else if (host.facts !== undefined) {
      this.problems.add(table, `${excerpt(host.key)} has such a table already; keep one`)
    } else {
      host.facts = facts
    }
  }

  /** The endpoint that a table of `[hosts]` is about, if the host, the port and the key of the table agree. */
  #hostSubject(table: TomlTable): string | undefined {
    const hostname = this.#fields.text(table, 'hostname')
    const port = this.#fields.integer(table, 'port', 1, 65535)
    if (hostname === undefined || port === undefined) return undefined
    const subject = this.#fields.parsed(table, 'hostname', () => endpointFrom(hostname, port).toString())
    // The relatives join host and port without brackets, so this comes first: `::1:1965` alone is another address.
    if (subject === undefined || table.key === subject || table.key === `${hostname}:${port}`) return subject
    if (canonicalEndpoint(table.key) === subject) return subject
    this.problems.add(table, `the table is called ${excerpt(table.key)} but is about ${subject}; make them agree`)
    return undefined
  }

  #hostDigest(table: TomlTable): Fingerprint | undefined {
    const digest = this.#fields.digest(table, 'fingerprint', 'certificate')
    if (digest === undefined || digest.startsWith('sha256:')) return digest
    const message = 'the fingerprint must be the SHA-256 of a certificate here: "sha256:" and 64 hex digits'
    this.problems.add(table.placeOf('fingerprint'), message)
    return undefined
  }

  #pinSubject(table: TomlTable): string | undefined {
    const text = this.#fields.text(table, 'subject')
    // Mostly the host above, whose name is canonical already.
    if (text === undefined || this.#drafts.get(text)?.pin !== undefined) return text
    return this.#fields.parsed(table, 'subject', () => canonicalSubject(text))
  }

  #facts(table: TomlTable): Facts | undefined {
    const fields = this.#fields
    const before = this.problems.count
    const has = (name: string): boolean => table.value(name) !== undefined
    const state = fields.oneOf(table, 'state', PIN_STATES)
    const daysSeen = fields.integer(table, 'days_seen', 0, Number.MAX_SAFE_INTEGER)
    const keyDigest = has('public_key') ? fields.digest(table, 'public_key', 'public-key') : null
    const notAfter = has('not_after') ? fields.instant(table, 'not_after') : null
    const source = has('source') ? fields.text(table, 'source') : null
    const note = has('note') ? fields.text(table, 'note') : null
    if (state === undefined || daysSeen === undefined || keyDigest === undefined || notAfter === undefined)
      return undefined
    if (source === undefined || note === undefined || this.problems.count > before) return undefined
    return { state, keyDigest, notAfter, daysSeen, source, note }
  }

  #checkOrder(table: TomlTable, firstSeen: Date | undefined, lastSeen: Date | undefined): void {
    // Of dates themselves, `<=` takes as long as reading them.
    if (firstSeen === undefined || lastSeen === undefined || firstSeen.getTime() <= lastSeen.getTime()) return
    this.problems.add(table.placeOf('last_seen'), 'last_seen is before first_seen; correct one of them')
  }

  #refuseUnknown(table: TomlTable, known: ReadonlySet<string>): void {
    for (const name of table.names()) {
      if (known.has(name)) continue
      const message = `${excerpt(name)} is not known in format 1 of ${excerpt(table.key)}; correct or remove it`
      this.problems.add(table.placeOf(name), message)
    }
  }
}

/** Always with its fields in one order: a million objects of one shape are cheaper than of two. */
function newPin(core: Pick<Pin, 'subject' | 'digest' | 'firstSeen' | 'lastSeen'>, facts: Facts): Pin {
  return {
    subject: core.subject,
    digest: core.digest,
    state: facts.state,
    keyDigest: facts.keyDigest,
    notAfter: facts.notAfter,
    firstSeen: core.firstSeen,
    lastSeen: core.lastSeen,
    daysSeen: facts.daysSeen,
    source: facts.source,
    note: facts.note,
  }
}

/** `host:port`, or `mailbox@host` for Misfin. */
function canonicalSubject(text: string): string {
  const at = text.lastIndexOf('@')
  if (at < 0) return parseEndpoint(text).toString()
  const mailbox = text.slice(0, at)
  if (/^[^\s"\\@\x00-\x1f\x7f]{1,255}$/.test(mailbox)) return `${mailbox}@${normalizeHost(text.slice(at + 1))}`
  throw new InvalidNameError('ERR_TLACACOCA_ENDPOINT_INVALID', `${excerpt(text)} is not a mailbox`)
}

function canonicalEndpoint(text: string): string | undefined {
  try {
    return parseEndpoint(text).toString()
  } catch {
    return undefined
  }
}
