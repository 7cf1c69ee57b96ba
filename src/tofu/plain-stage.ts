import { isLive, type Pin } from './pin.ts'
import type { ContestedSubject, PinStage, PinStore, PinUpdate, StagedPins, SubjectChange } from './pin-store.ts'

/** Collects an import in memory, for stores without a way of their own. */
export class PlainStage implements PinStage {
  readonly #store: PinStore
  #subjects = new Map<string, Pin[]>()
  #fresh: Pin[] = []

  constructor(store: PinStore) {
    this.#store = store
  }

  add(pins: readonly Pin[]): void {
    for (const pin of pins) {
      const collected = this.#subjects.get(pin.subject)
      if (collected === undefined) this.#subjects.set(pin.subject, [pin])
      else collected.push(pin)
    }
  }

  reset(): void {
    this.#subjects.clear()
  }

  async compare(): Promise<StagedPins> {
    const version = await this.#store.version()
    const contested: ContestedSubject[] = []
    for (const [subject, incoming] of this.#subjects) {
      const digests = new Set(incoming.map((pin) => pin.digest))
      if (digests.size < incoming.length) throw new RangeError(`${subject} has the same fingerprint twice`)
      const stored = await this.#store.read(subject)
      const only = incoming[0]
      if (stored.length === 0 && incoming.length === 1 && only !== undefined && isLive(only.state))
        this.#fresh.push(only)
      else contested.push({ subject, stored, incoming })
    }
    return {
      version,
      fresh: this.#fresh.length,
      async *contested() {
        yield contested
      },
      includes: (subject) => this.#subjects.has(subject),
    }
  }

  async commit(update: PinUpdate): Promise<boolean> {
    const fresh = this.#fresh.map(
      (pin): SubjectChange => ({ subject: pin.subject, expect: [], put: [pin], remove: [] }),
    )
    return this.#store.update({ ...update, changes: [...update.changes, ...fresh] })
  }

  close(): void {
    this.#subjects.clear()
    this.#fresh = []
  }
}
