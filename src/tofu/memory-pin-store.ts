// Pins in a `Map`: for tests, for programs that want to remember nothing, and as the plainest reading of what a
// `PinStore` promises. It is synchronous, so every method is atomic by itself.

import type { Fingerprint } from '../certificate/fingerprint.ts'
import { StoreError } from '../errors.ts'
import { requireDate } from '../internal/arguments.ts'
import { isLive, type Pin, type PinChange, stateNumber } from './pin.ts'
import type {
  ClearedPins,
  PinListing,
  PinnedMaterial,
  PinPurge,
  PinStore,
  PinUpdate,
  PurgedPins,
  SeenMaterial,
} from './pin-store.ts'
import { SEEN_INTERVAL_MS } from './pin-store.ts'

/**
 * Keeps pins in memory, for as long as the process lives.
 *
 * @example
 * import { MemoryPinStore, TofuStore } from 'tlacacoca/tofu'
 *
 * const pins = new MemoryPinStore()
 * const store = new TofuStore(pins, { policy: { firstUse: 'refuse' } })
 * console.log(await store.listHosts(), pins.version())
 */
export class MemoryPinStore implements PinStore {
  readonly #subjects = new Map<string, Map<Fingerprint, Pin>>()
  readonly #publicKeys = new Map<Fingerprint, Uint8Array>()
  readonly #sha512 = new Map<Fingerprint, Fingerprint>()
  #changes: PinChange[] = []
  #version = 0
  #open = true

  lastSeen(subject: string, digest: Fingerprint): number | undefined {
    this.#requireOpen()
    const pin = this.#subjects.get(subject)?.get(digest)
    return pin !== undefined && isLive(pin.state) && pin.keyDigest !== null ? pin.lastSeen.getTime() : undefined
  }

  read(subject: string): readonly Pin[] {
    this.#requireOpen()
    return this.#pinsOf(subject)
  }

  update(update: PinUpdate): boolean {
    this.#requireOpen()
    if (update.atVersion !== undefined && update.atVersion !== this.#version) return false
    if (!update.changes.every((change) => isAsExpected(this.#pinsOf(change.subject), change.expect))) return false
    // Copied before anything is changed, because a pin that cannot be kept is refused here.
    const changes = update.changes.map((change) => ({ ...change, put: change.put.map(copyOf) }))
    for (const { subject, put, remove } of changes) {
      const pins = this.#subjects.get(subject) ?? new Map<Fingerprint, Pin>()
      for (const digest of remove) pins.delete(digest)
      for (const pin of put) pins.set(pin.digest, pin)
      if (pins.size === 0) this.#subjects.delete(subject)
      else this.#subjects.set(subject, pins)
    }
    for (const material of update.remember ?? []) this.#remember(material)
    for (const line of update.log) this.#changes.push(line)
    this.#version++
    return true
  }

  seen(subject: string, digest: Fingerprint, at: number, material?: SeenMaterial): void {
    this.#requireOpen()
    const pins = this.#subjects.get(subject)
    const pin = pins?.get(digest)
    if (pins === undefined || pin === undefined || !isLive(pin.state)) return
    const hasMark = [...pins.values()].some((each) => each.state === 'distrusted')
    const due = Math.abs(at - pin.lastSeen.getTime()) >= SEEN_INTERVAL_MS
    pins.set(digest, {
      ...pin,
      keyDigest: pin.keyDigest ?? (hasMark ? null : (material?.keyDigest ?? null)),
      notAfter: pin.notAfter ?? material?.notAfter ?? null,
      lastSeen: due ? new Date(at) : pin.lastSeen,
      daysSeen: due ? pin.daysSeen + 1 : pin.daysSeen,
    })
    if (material !== undefined) this.#remember(material)
  }

  list(listing: PinListing = {}): readonly Pin[] {
    this.#requireOpen()
    const { prefix = '', after, limit = Number.POSITIVE_INFINITY } = listing
    return [...this.#subjects.keys()]
      .filter((subject) => subject.startsWith(prefix) && (after === undefined || byteOrder(subject, after) > 0))
      .sort(byteOrder)
      .slice(0, limit)
      .flatMap((subject) => this.#pinsOf(subject))
  }

  async *scan(): AsyncGenerator<readonly Pin[]> {
    yield this.list()
  }

  history(subject: string): readonly PinChange[] {
    this.#requireOpen()
    return this.#changes.filter((change) => change.subject === subject)
  }

  version(): number {
    this.#requireOpen()
    return this.#version
  }

  clear(at: Date): ClearedPins {
    this.#requireOpen()
    const removed = this.#removeUnmarked()
    this.#changes = this.#changes.filter((change) => this.#setsMark(change))
    this.#changes.push({ at, subject: '', cause: 'cleared', old: null, new: null, decidedBy: 'user' })
    this.#version++
    return removed
  }

  purge({ before, verified, at }: PinPurge): PurgedPins {
    this.#requireOpen()
    const stale = new Map([...this.#subjects].filter(([, pins]) => isStale([...pins.values()], before, verified)))
    const forgotten = this.#forgottenSubjects(before)
    let pins = 0
    for (const [subject, all] of stale) pins += this.#removeUnmarkedOf(subject, all)
    const kept = this.#changes.filter(
      (change) => !(stale.has(change.subject) || forgotten.has(change.subject)) || this.#setsMark(change),
    )
    const lines = this.#changes.length - kept.length
    this.#changes = [...kept, { at, subject: '', cause: 'purged', old: null, new: null, decidedBy: 'user' }]
    this.#forgetUnnamed()
    this.#version++
    return { subjects: stale.size, pins, lines, erased: true }
  }

  publicKey(keyDigest: Fingerprint): Uint8Array | undefined {
    this.#requireOpen()
    return this.#publicKeys.get(keyDigest)
  }

  sha512(digest: Fingerprint): Fingerprint | undefined {
    this.#requireOpen()
    return this.#sha512.get(digest)
  }

  close(): void {
    this.#open = false
    this.#subjects.clear()
    this.#changes = []
  }

  #requireOpen(): void {
    if (!this.#open) throw new StoreError('ERR_TLACACOCA_STORE_CLOSED', 'the pin store has been closed')
  }

  #pinsOf(subject: string): Pin[] {
    return [...(this.#subjects.get(subject)?.values() ?? [])].sort((a, b) => byteOrder(a.digest, b.digest))
  }

  #remember(material: PinnedMaterial): void {
    this.#publicKeys.set(material.keyDigest, new Uint8Array(material.publicKey))
    this.#sha512.set(material.digest, material.sha512)
  }

  /** Whether a line says when a mark was set that is still there. */
  #setsMark({ subject, cause, new: digest }: PinChange): boolean {
    if (cause !== 'distrusted' || digest === null) return false
    return this.#subjects.get(subject)?.get(digest)?.state === 'distrusted'
  }

  /** Subjects that have history alone, all of it from before an instant. */
  #forgottenSubjects(before: Date): ReadonlySet<string> {
    const forgotten = new Set(this.#changes.map((change) => change.subject))
    forgotten.delete('')
    for (const [subject, pins] of this.#subjects) {
      if ([...pins.values()].some((pin) => pin.state !== 'distrusted')) forgotten.delete(subject)
    }
    for (const change of this.#changes) if (change.at >= before) forgotten.delete(change.subject)
    return forgotten
  }

  /** Forgets what was remembered beside pins that are gone. */
  #forgetUnnamed(): void {
    const named = new Set([...this.#subjects.values()].flatMap((pins) => [...pins.values()]).flatMap(namesOf))
    for (const digest of this.#publicKeys.keys()) if (!named.has(digest)) this.#publicKeys.delete(digest)
    for (const digest of this.#sha512.keys()) if (!named.has(digest)) this.#sha512.delete(digest)
  }

  #removeUnmarkedOf(subject: string, pins: Map<Fingerprint, Pin>): number {
    const before = pins.size
    for (const [digest, pin] of pins) if (pin.state !== 'distrusted') pins.delete(digest)
    if (pins.size === 0) this.#subjects.delete(subject)
    return before - pins.size
  }

  #removeUnmarked(): ClearedPins {
    let subjects = 0
    let pins = 0
    let kept = 0
    for (const [subject, all] of this.#subjects) {
      const removed = this.#removeUnmarkedOf(subject, all)
      if (removed > 0) subjects++
      pins += removed
      kept += all.size
    }
    this.#publicKeys.clear()
    this.#sha512.clear()
    return { subjects, pins, kept }
  }
}

function copyOf(pin: Pin): Pin {
  const { notAfter, firstSeen, lastSeen } = pin
  for (const instant of [notAfter ?? lastSeen, firstSeen, lastSeen]) requireDate('pin', instant)
  stateNumber(pin.state)
  return {
    ...pin,
    notAfter: notAfter === null ? null : new Date(notAfter),
    firstSeen: new Date(firstSeen),
    lastSeen: new Date(lastSeen),
  }
}

/** Whether a subject has pins other than marks, and none of these was seen since or is to be kept for another reason. */
function isStale(pins: readonly Pin[], before: Date, verified: boolean): boolean {
  const unmarked = pins.filter((pin) => pin.state !== 'distrusted')
  if (unmarked.length === 0) return false
  return unmarked.every((pin) => pin.lastSeen < before && (verified || pin.state !== 'verified'))
}

function namesOf({ digest, keyDigest }: Pin): Fingerprint[] {
  return keyDigest === null ? [digest] : [digest, keyDigest]
}

/** Whether a subject's pins are those that a change was decided on. */
export function isAsExpected(
  actual: readonly Pick<Pin, 'digest' | 'state'>[],
  expected: readonly Pick<Pin, 'digest' | 'state'>[],
): boolean {
  if (actual.length !== expected.length) return false
  const states = new Map(actual.map((pin) => [pin.digest, pin.state]))
  return expected.every((pin) => states.get(pin.digest) === pin.state)
}

/** The order of the UTF-8 bytes, which databases sort by; that of JavaScript strings differs above U+FFFF. */
function byteOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
