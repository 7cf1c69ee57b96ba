// An import on its way into a store that keeps hashes. The names travel beside the pins as labels: whoever decides on a
// conflict is to see them, and a million of them are not to be held in memory.

import { hashedUpdate, type NameHasher } from './hashed-names.ts'
import type { Pin } from './pin.ts'
import type { ContestedSubject, PinStage, PinUpdate, StagedPin, StagedPins } from './pin-store.ts'

/** Collects pins under the hashes of their subjects. */
export class HashedStage implements PinStage {
  readonly #stage: PinStage
  readonly #names: NameHasher

  constructor(stage: PinStage, names: NameHasher) {
    this.#stage = stage
    this.#names = names
  }

  add(pins: readonly StagedPin[]): void {
    this.#stage.add(
      pins.map((pin) => ({ ...pin, subject: this.#names.subject(pin.subject), label: pin.label ?? pin.subject })),
    )
  }

  reset(): void {
    this.#stage.reset()
  }

  async compare(options: { readonly skipKnown: boolean }): Promise<StagedPins> {
    const staged = await this.#stage.compare(options)
    return {
      version: staged.version,
      fresh: staged.fresh,
      known: staged.known,
      async *contested() {
        for await (const portion of staged.contested()) yield portion.map(named)
      },
      includes: (subject) => staged.includes(this.#names.subject(subject)),
    }
  }

  async commit(update: PinUpdate): Promise<boolean> {
    return this.#stage.commit(hashedUpdate(update, this.#names))
  }

  async close(): Promise<void> {
    await this.#stage.close()
  }
}

/** A contested subject under its own name again. */
function named({ subject: hash, stored, incoming, label }: ContestedSubject): ContestedSubject {
  const subject = label ?? hash
  const rename = (pin: Pin): Pin => ({ ...pin, subject })
  return { subject, stored: stored.map(rename), incoming: incoming.map(rename) }
}
