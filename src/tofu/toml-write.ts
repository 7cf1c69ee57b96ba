// Pins as TOML text, in a form that the Python relatives read unchanged. The pins must come ordered by subject (bytewise,
// as SQLite orders); memory use is that of one subject's pins and one piece, however many pins there are.
//
// The relatives read `[hosts]` and nothing else, take every entry there for trusted, and can hold one SHA-256 of a
// certificate per endpoint. So `[hosts]` gets at most one live certificate pin of each endpoint, and never one that
// a `distrusted` mark of the same endpoint speaks against. Everything else goes to `[[tlacacoca.pins]]`, where a
// relative does not look: it cannot take a tombstone for a host.
//
//   [_metadata]
//   exported_at = "2026-01-02T03:04:05+00:00"
//   version = "1.0"
//
//   [tlacacoca]
//   format = 1
//
//   [hosts."example.org:1965"]
//   hostname = "example.org"
//   port = 1965
//   fingerprint = "sha256:…"
//   first_seen = "2026-01-02T03:04:05.678000+00:00"
//   last_seen = "2026-02-03T04:05:06+00:00"
//
//   [[tlacacoca.pins]]           # more about the host above: same subject and fingerprint, hence no dates
//   subject = "example.org:1965"
//   fingerprint = "sha256:…"
//   state = "verified"
//   public_key = "spki-sha256:…"
//   not_after = "2036-11-21T02:07:53+00:00"
//   days_seen = 12
//   source = "first_use"
//   note = "…"
//
//   [[tlacacoca.pins]]           # a pin that the relatives cannot hold, with dates of its own
//   …
//
//   [tlacacoca.end]              # a file without it was cut off on its way

import { requireDate } from '../internal/arguments.ts'
import { isLive, type Pin } from './pin.ts'
import { InstantFormatter } from './toml-instant.ts'
import { quote } from './toml-string.ts'

/** Pins, one by one or in portions, as they come. */
type PinSource = Pin | readonly Pin[]

/**
 * Writes pins as TOML, in pieces of about a quarter of a megabyte.
 *
 * @param pins - The pins ordered by subject, one by one or in portions. Of an async source, portions are much faster.
 * @param options.exportedAt - The instant to write into `_metadata`.
 * @throws {TypeError} If the pins are not ordered: the file could name a subject twice.
 * @throws {RangeError} If a date lies outside the years 1 to 9999, which is all that the relatives can read.
 */
export async function* formatPinsToml(
  pins: Iterable<PinSource> | AsyncIterable<PinSource>,
  options: { readonly exportedAt: Date },
): AsyncGenerator<string, void, undefined> {
  requireDate('exportedAt', options.exportedAt)
  const document = new PinsDocument(options.exportedAt)
  if (Symbol.asyncIterator in pins) {
    for await (const source of pins) {
      document.add(source)
      if (document.length >= CHUNK_LENGTH) yield document.take()
    }
  } else {
    for (const source of pins) {
      document.add(source)
      if (document.length >= CHUNK_LENGTH) yield document.take()
    }
  }
  document.end()
  yield document.take()
}

// Large enough that a write costs more than the step of the generator, small enough to stay in the cache.
const CHUNK_LENGTH = 256 * 1024

class PinsDocument {
  #text: string
  #group: Pin[] = []
  #subject = ''
  #hasHosts = false
  readonly #time = new InstantFormatter()

  constructor(exportedAt: Date) {
    this.#text = `[_metadata]\nexported_at = "${this.#time.format(exportedAt)}"\nversion = "1.0"\n\n[tlacacoca]\nformat = 1\n`
  }

  get length(): number {
    return this.#text.length
  }

  take(): string {
    const text = this.#text
    this.#text = ''
    return text
  }

  add(source: PinSource): void {
    if (isPortion(source)) for (const pin of source) this.#add(pin)
    else this.#add(source)
  }

  #add(pin: Pin): void {
    if (pin.subject !== this.#subject) {
      this.#flush()
      if (comesBefore(pin.subject, this.#subject)) {
        throw new TypeError(`"pins" expected ordered by subject, got ${pin.subject} after ${this.#subject}`)
      }
      this.#subject = pin.subject
    }
    this.#group.push(pin)
  }

  end(): void {
    this.#flush()
    // The relatives refuse a file without `hosts`, even if there are none.
    if (!this.#hasHosts) this.#text += '\n[hosts]\n'
    this.#text += '\n[tlacacoca.end]\n'
  }

  #flush(): void {
    const pins = this.#group
    if (pins.length === 0) return
    const listed = this.#list(pins)
    for (const pin of pins) if (pin !== listed) this.#addOwn(pin, this.#dates(pin))
    this.#group = []
  }

  /** Writes the one pin that the relatives can hold, if there is one, and returns it. */
  #list(pins: readonly Pin[]): Pin | undefined {
    const endpoint = ENDPOINT.exec(this.#subject)
    const pin = endpoint === null ? undefined : pinForRelatives(pins)
    if (endpoint === null || pin === undefined) return undefined
    this.#hasHosts = true
    const hostname = endpoint[1] ?? endpoint[2]
    this.#text +=
      `\n[hosts."${pin.subject}"]\nhostname = "${hostname}"\nport = ${endpoint[3]}\n` +
      `fingerprint = "${pin.digest}"\n${this.#dates(pin)}`
    if (!isPlain(pin)) this.#addOwn(pin, '')
    return pin
  }

  #addOwn(pin: Pin, dates: string): void {
    const { keyDigest, notAfter, source, note } = pin
    this.#text +=
      `\n[[tlacacoca.pins]]\nsubject = ${quote(pin.subject)}\nfingerprint = "${pin.digest}"\nstate = "${pin.state}"\n` +
      (keyDigest === null ? '' : `public_key = "${keyDigest}"\n`) +
      (notAfter === null ? '' : `not_after = "${this.#time.format(notAfter)}"\n`) +
      `${dates}days_seen = ${pin.daysSeen}\n` +
      (source === null ? '' : `source = ${quote(source)}\n`) +
      (note === null ? '' : `note = ${quote(note)}\n`)
  }

  #dates({ firstSeen, lastSeen }: Pin): string {
    // A computer whose clock was put right may have seen something last before it saw it first.
    const first = firstSeen <= lastSeen ? firstSeen : lastSeen
    return `first_seen = "${this.#time.format(first)}"\nlast_seen = "${this.#time.format(lastSeen)}"\n`
  }
}

function isPortion(source: PinSource): source is readonly Pin[] {
  return Array.isArray(source)
}

// A subject that is an endpoint in canonical text; a mailbox (`user@host`) is none.
const ENDPOINT = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+)):([1-9][0-9]{0,4})$/

/** The live certificate pin seen last, unless the same key is marked as never to be trusted. */
function pinForRelatives(pins: readonly Pin[]): Pin | undefined {
  let best: Pin | undefined
  for (const pin of pins) {
    if (!isLive(pin.state) || !pin.digest.startsWith('sha256:')) continue
    if (pins.some((other) => other.state === 'distrusted' && other.digest === pin.keyDigest)) continue
    if (best === undefined || pin.lastSeen > best.lastSeen) best = pin
  }
  return best
}

/** Whether `[hosts]` says everything there is to say about a pin. */
function isPlain(pin: Pin): boolean {
  return (
    pin.state === 'trusted' &&
    pin.keyDigest === null &&
    pin.notAfter === null &&
    pin.daysSeen === 1 &&
    pin.source === null &&
    pin.note === null
  )
}

/** Order of the UTF-8 bytes, which SQLite sorts by; it differs from that of JavaScript above U+FFFF only. */
function comesBefore(a: string, b: string): boolean {
  return a < b && Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0
}
