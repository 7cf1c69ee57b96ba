// What `postsign` could not be told yet. It waits in the store, so that no restart loses it, and is tried again with
// growing pauses, by one program at a time.

import type { Clock } from '../internal/clock.ts'
import { tell } from '../net/report.ts'
import type { AuthorityEvent } from './events.ts'
import type { IssuedNotice, IssuedRow, IssuedStore } from './issued-store.ts'

export interface NoticesParts {
  readonly store: IssuedStore
  readonly clock: Clock
  readonly onEvent: (event: AuthorityEvent) => unknown
  /** Calls `postsign`. */
  readonly tellHook: (row: IssuedRow) => Promise<void>
}

const FIRST_PAUSE_MS = 60_000
const LONGEST_PAUSE_MS = 86_400_000

export class Notices {
  readonly #parts: NoticesParts
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(parts: NoticesParts) {
    this.#parts = parts
  }

  /** Tries what is due. Answers how many were told. Throws what the store throws. */
  async deliver(): Promise<number> {
    let told = 0
    while (!this.#closed) {
      const now = this.#parts.clock()
      // One by one: others may have it when its time is over, however long those before it took.
      const [notice] = await this.#parts.store.claimNotices(now, now + FIRST_PAUSE_MS, 1)
      if (notice === undefined) break
      told += (await this.#deliverOne(notice)) ? 1 : 0
    }
    return told
  }

  /**
   * Looks for what is due from now on, once a minute: a program that was killed, or another one on the same store, leaves
   * notices that become due later. Nothing is kept running for it.
   */
  start(): void {
    this.#lookAfter(0)
  }

  #lookAfter(pauseMs: number): void {
    if (this.#closed) return
    this.#timer = setTimeout(async () => {
      try {
        await this.deliver()
      } catch (error) {
        if (!this.#closed) tell(this.#parts.onEvent, { kind: 'notices_failed', error })
      }
      this.#lookAfter(FIRST_PAUSE_MS)
    }, pauseMs).unref()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }

  async #deliverOne({ id, serial, attempts }: IssuedNotice): Promise<boolean> {
    const { store, clock, tellHook, onEvent } = this.#parts
    const row = await store.get(serial)
    try {
      if (row !== null) await tellHook(row)
    } catch (error) {
      tell(onEvent, { kind: 'postsign_failed', serialNumber: serial, attempts: attempts + 2, error })
      const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(attempts, 20), LONGEST_PAUSE_MS)
      await store.postponeNotice(id, clock() + pauseMs)
      return false
    }
    await store.settleNotice(id)
    return true
  }
}
