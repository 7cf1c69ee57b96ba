// Pins in a `Map`: for tests, for programs that want to remember nothing, and as the plainest reading of what a
// `PinStore` promises. It is synchronous, so every method is atomic by itself.

import type { Fingerprint } from '../certificate/fingerprint.ts'
import { StoreError } from '../errors.ts'
import { requireDate } from '../internal/arguments.ts'
import { isLive, type Pin, type PinChange } from './pin.ts'
import type { ClearedPins, PinListing, PinnedMaterial, PinStore, PinUpdate, SeenMaterial } from './pin-store.ts'
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
    // Copied before anything is changed, because a pin with an unusable date is refused here.
    const changes = update.changes.map((change) => ({ ...change, put: change.put.map(copyOf) }))
    for (const { subject, put, remove } of changes) {
      const pins = this.#subjects.get(subject) ?? new Map<Fingerprint, Pin>()
      for (const digest of remove) pins.delete(digest)
      for (const pin of put) pins.set(pin.digest, pin)
      if (pins.size === 0) this.#subjects.delete(subject)
      else this.#subjects.set(subject, pins)
    }
    for (const material of update.remember ?? []) this.#remember(material)
    this.#changes.push(...update.log)
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
    this.#changes = this.#changes.filter((change) => this.#isMark(change.subject, change.new))
    this.#changes.push({ at, subject: '', cause: 'cleared', old: null, new: null, decidedBy: 'user' })
    this.#version++
    return removed
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

  #isMark(subject: string, digest: Fingerprint | null): boolean {
    return digest !== null && this.#subjects.get(subject)?.get(digest)?.state === 'distrusted'
  }

  #removeUnmarked(): ClearedPins {
    let subjects = 0
    let pins = 0
    let kept = 0
    for (const [subject, all] of this.#subjects) {
      const before = all.size
      for (const [digest, pin] of all) if (pin.state !== 'distrusted') all.delete(digest)
      if (all.size < before) subjects++
      pins += before - all.size
      kept += all.size
      if (all.size === 0) this.#subjects.delete(subject)
    }
    this.#publicKeys.clear()
    this.#sha512.clear()
    return { subjects, pins, kept }
  }
}

function copyOf(pin: Pin): Pin {
  const { notAfter, firstSeen, lastSeen } = pin
  for (const instant of [notAfter ?? lastSeen, firstSeen, lastSeen]) requireDate('pin', instant)
  return {
    ...pin,
    notAfter: notAfter === null ? null : new Date(notAfter),
    firstSeen: new Date(firstSeen),
    lastSeen: new Date(lastSeen),
  }
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
