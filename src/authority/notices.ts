// What `postsign` could not be told yet. It waits in the store, so that no restart loses it, and is tried again with
// growing pauses, by one program at a time.

import { requireInteger } from '../internal/arguments.ts'
import type { Clock } from '../internal/clock.ts'
import { tell } from '../net/report.ts'
import type { AuthorityEvent } from './events.ts'
import type { IssuedRow, IssuedStore, Notice } from './issued-store.ts'

export interface NoticesParts {
  readonly store: IssuedStore
  readonly clock: Clock
  readonly onEvent: (event: AuthorityEvent) => unknown
  /** Calls `postsign`. */
  readonly tellHook: (row: IssuedRow) => Promise<void>
}

const FIRST_PAUSE_MS = 60_000
const LONGEST_PAUSE_MS = 86_400_000
const AT_ONCE = 20

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
    for (;;) {
      const now = this.#parts.clock()
      const due = await this.#parts.store.claimNotices(now, now + FIRST_PAUSE_MS, AT_ONCE)
      for (const notice of due) told += (await this.#deliverOne(notice)) ? 1 : 0
      if (due.length < AT_ONCE || this.#closed) return told
    }
  }

  /** Tries again in the background, after a pause. Nothing is kept running for it. */
  soon(pauseMs = FIRST_PAUSE_MS): void {
    requireInteger('pauseMs', pauseMs, 0, LONGEST_PAUSE_MS)
    if (this.#closed || this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.deliver().catch((error: unknown) => {
        if (this.#closed) return
        tell(this.#parts.onEvent, { kind: 'notices_failed', error })
        this.soon()
      })
    }, pauseMs).unref()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
  }

  async #deliverOne({ id, serial, attempts }: Notice): Promise<boolean> {
    const { store, clock, tellHook, onEvent } = this.#parts
    const row = await store.get(serial)
    try {
      if (row !== null) await tellHook(row)
    } catch (error) {
      tell(onEvent, { kind: 'postsign_failed', serialNumber: serial, attempts: attempts + 2, error })
      const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(attempts, 20), LONGEST_PAUSE_MS)
      await store.postponeNotice(id, clock() + pauseMs)
      this.soon(pauseMs)
      return false
    }
    await store.settleNotice(id)
    return true
  }
}
