import { isLive, type Pin } from './pin.ts'
import type {
  ContestedSubject,
  PinStage,
  PinStore,
  PinUpdate,
  StagedPin,
  StagedPins,
  SubjectChange,
} from './pin-store.ts'

/** Collects an import in memory, for stores without a way of their own. */
export class PlainStage implements PinStage {
  readonly #store: PinStore
  #subjects = new Map<string, Pin[]>()
  #fresh = new Map<string, Pin[]>()

  constructor(store: PinStore) {
    this.#store = store
  }

  add(pins: readonly StagedPin[]): void {
    for (const pin of pins) {
      const collected = this.#subjects.get(pin.subject)
      if (collected === undefined) this.#subjects.set(pin.subject, [pin])
      else collected.push(pin)
    }
  }

  reset(): void {
    this.#subjects.clear()
  }

  async compare({ skipKnown }: { readonly skipKnown: boolean }): Promise<StagedPins> {
    const version = await this.#store.version()
    const contested: ContestedSubject[] = []
    let known = 0
    for (const [subject, incoming] of this.#subjects) {
      const digests = new Set(incoming.map((pin) => pin.digest))
      if (digests.size < incoming.length) throw new RangeError(`${subject} has the same fingerprint twice`)
      const stored = await this.#store.read(subject)
      const areLive = incoming.every((pin) => isLive(pin.state))
      const [only] = incoming.length === 1 ? incoming : []
      if (areLive && stored.length === 0) this.#fresh.set(subject, incoming)
      else if (areLive && only !== undefined && skipKnown && isPinned(only, stored)) known++
      else contested.push({ subject, stored, incoming: incoming.toSorted((a, b) => (a.digest < b.digest ? -1 : 1)) })
    }
    return {
      version,
      fresh: this.#fresh.size,
      known,
      async *contested() {
        yield contested
      },
      includes: (subject) => this.#subjects.has(subject),
    }
  }

  async commit(update: PinUpdate): Promise<boolean> {
    const fresh = Array.from(this.#fresh, ([subject, put]): SubjectChange => ({ subject, expect: [], put, remove: [] }))
    return this.#store.update({ ...update, changes: [...update.changes, ...fresh] })
  }

  close(): void {
    this.#subjects.clear()
    this.#fresh.clear()
  }
}

function isPinned(pin: Pin, stored: readonly Pin[]): boolean {
  return stored.some((each) => each.digest === pin.digest && isLive(each.state))
}
