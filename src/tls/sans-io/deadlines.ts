// When a connection has taken too long. There is one deadline at a time, and whoever drives the connection acts on it.

import type { Clock } from '../../internal/clock.ts'
import type { Timeouts } from './plan.ts'

export class Deadlines {
  readonly #timeouts: Timeouts
  readonly #clock: Clock
  readonly #changed: () => void
  #next: number | null = null
  /** Of the time for the handshake; the verifier's does not count. */
  #handshakeSpentMs = 0
  #handshakeSince: number | null = null

  /** @param changed - Called when `next` is another one. */
  constructor(timeouts: Timeouts, clock: Clock, changed: () => void) {
    this.#timeouts = timeouts
    this.#clock = clock
    this.#changed = changed
  }

  /** In milliseconds since 1970; null for none. */
  get next(): number | null {
    return this.#next
  }

  get remainingMs(): number | null {
    return this.#next === null ? null : this.#next - this.#clock()
  }

  get hasPassed(): boolean {
    return this.#next !== null && this.#clock() >= this.#next
  }

  /** The certificate store has the word. */
  certificate(): void {
    this.#wait(this.#timeouts.certificateMs)
  }

  /** The peer has the word. */
  handshake(): void {
    const { handshakeMs } = this.#timeouts
    this.#handshakeSince = this.#clock()
    this.#wait(handshakeMs === null ? null : Math.max(0, handshakeMs - this.#handshakeSpentMs))
  }

  /** The verifier has the word. */
  verify(): void {
    if (this.#handshakeSince !== null) this.#handshakeSpentMs += this.#clock() - this.#handshakeSince
    this.#wait(this.#timeouts.verifyMs)
  }

  /** Nothing has to happen by any time. */
  none(): void {
    this.#wait(null)
  }

  #wait(milliseconds: number | null): void {
    if (milliseconds === null && this.#next === null) return
    this.#next = milliseconds === null ? null : this.#clock() + milliseconds
    this.#changed()
  }
}
