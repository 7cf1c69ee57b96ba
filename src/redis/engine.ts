// Whether Redis is there, and what to do while it is not.
//
// It is taken to be there until a call fails or takes longer than `timeoutMs`. From then on nobody waits for it: whoever
// asks is answered by somebody else at once. Each `retryMs` one of these requests sends a question along, for whose
// answer nobody waits; the first that is answered in time brings everybody back. So there is no timer that runs for ever,
// and a server that is there but slow costs one request a second nothing, and all others nothing too.
//
// A client may keep commands while it has no connection, and send them when it has one again. So a question is not
// followed by another until it is settled, or has been out for ten times as long: or an hour would leave thousands.

import { StoreError } from '../errors.ts'
import { requireFunction, requireInteger } from '../internal/arguments.ts'
import { bareError } from '../internal/bare-error.ts'
import type { Clock } from '../internal/clock.ts'
import { monotonicClock } from '../middleware/steady-time.ts'
import { tell } from '../net/report.ts'

/** Something that became known about Redis, for logs and alarms. */
export type RedisEvent =
  /** It failed, or did not answer in time. From now on requests are answered without it. */
  | { readonly kind: 'down'; readonly error: unknown }
  /** It answers again. */
  | { readonly kind: 'up'; readonly downMs: number }
  /** It answered, but took longer than `slowMs`. Told at most once a second. */
  | { readonly kind: 'slow'; readonly latencyMs: number }

/** How long to wait for Redis, and whom to tell how it does. */
export interface EngineOptions {
  /** After how many milliseconds nobody waits for an answer any longer. Default 250. */
  readonly timeoutMs?: number
  /** How many milliseconds an answer may take until it counts as slow. Default 50. */
  readonly slowMs?: number
  /** How often it is tried again while it is away, in milliseconds. Default 1000. */
  readonly retryMs?: number
  /** Told of what happens to Redis. Whatever it does, throwing included, changes nothing. */
  readonly onEvent?: (event: RedisEvent) => unknown
  /** Milliseconds that go forward, to measure how long things take. Default: the process's monotonic clock. */
  readonly clock?: Clock
}

/** What was asked of Redis until now, for monitoring. */
export interface EngineCounters {
  /** Questions that it answered in time. */
  readonly answered: number
  /** Those of them that took longer than `slowMs`. */
  readonly slow: number
  /** Questions that it answered with an error, or that could not be sent. */
  readonly failed: number
  /** Questions that it did not answer in time. */
  readonly timedOut: number
  /** How often it went away. */
  readonly outages: number
}

export const ENGINE_OPTIONS = ['timeoutMs', 'slowMs', 'retryMs', 'onEvent', 'clock'] as const

export class Engine {
  readonly timeoutMs: number
  readonly retryMs: number
  readonly #slowMs: number
  readonly #onEvent: ((event: RedisEvent) => unknown) | null
  readonly #clock: Clock
  /** Since when it is away, or null. */
  #downSince: number | null = null
  #nextProbe = 0
  #isProbing = false
  #nextSlowEvent = Number.NEGATIVE_INFINITY
  #answered = 0
  #slow = 0
  #failed = 0
  #timedOut = 0
  #outages = 0

  constructor(options: EngineOptions) {
    const { timeoutMs = 250, slowMs = 50, retryMs = 1000, onEvent, clock = monotonicClock } = options
    requireInteger('timeoutMs', timeoutMs, 1, MAX_MS)
    requireInteger('slowMs', slowMs, 1, MAX_MS)
    requireInteger('retryMs', retryMs, 1, MAX_MS)
    if (onEvent !== undefined) requireFunction('onEvent', onEvent)
    requireFunction('clock', clock)
    this.timeoutMs = timeoutMs
    this.retryMs = retryMs
    this.#slowMs = slowMs
    this.#onEvent = onEvent ?? null
    this.#clock = clock
  }

  get isUp(): boolean {
    return this.#downSince === null
  }

  get counters(): EngineCounters {
    return {
      answered: this.#answered,
      slow: this.#slow,
      failed: this.#failed,
      timedOut: this.#timedOut,
      outages: this.#outages,
    }
  }

  /**
   * Asks a question, and waits no longer than `timeoutMs`.
   *
   * @param read - What the answer means. If it throws, that was no answer.
   * @returns A promise, which rejects with a `StoreError` `ERR_TLACACOCA_STORE_FAILED` if there is no answer; from then on
   *   it is away.
   */
  ask<Answer>(question: () => Promise<unknown>, read: (answer: unknown) => Answer): Promise<Answer> {
    return this.#inTime(started(question), read, (error) => {
      const isOurs = error instanceof StoreError
      const cause = isOurs ? error : bareError(error)
      this.#goDown(cause)
      return isOurs ? error : new StoreError('ERR_TLACACOCA_STORE_FAILED', 'Redis cannot be asked', { cause })
    })
  }

  /** Asks whether it is back, unless that was done just now. Nobody waits for it. */
  probe(question: () => Promise<unknown>, read: (answer: unknown) => unknown): void {
    const now = this.#clock()
    if (this.#downSince === null || now < this.#nextProbe) return
    if (this.#isProbing && now < this.#nextProbe + 9 * this.retryMs) return
    this.#nextProbe = now + this.retryMs
    this.#isProbing = true
    const asked = started(question)
    const settled = (): void => {
      this.#isProbing = false
    }
    asked.then(settled, settled)
    this.#inTime(asked, read, (error) => error).then(
      () => this.#comeUp(),
      () => {},
    )
  }

  // This is on the way of every request: one promise, one timer.
  #inTime<Answer>(
    asked: Promise<unknown>,
    read: (answer: unknown) => Answer,
    failure: (error: unknown) => unknown,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const start = this.#clock()
      let last: NodeJS.Immediate | undefined
      let isOver = false
      const giveUp = (): void => {
        isOver = true
        this.#timedOut++
        const message = `Redis did not answer within ${this.timeoutMs} ms`
        reject(failure(new StoreError('ERR_TLACACOCA_STORE_FAILED', message)))
      }
      // Where this process itself was busy for so long, the answer may be there, and only has to be read: once more round.
      const timer = setTimeout(() => {
        last = setImmediate(giveUp)
      }, this.timeoutMs)
      const stop = (): void => {
        clearTimeout(timer)
        if (last !== undefined) clearImmediate(last)
      }
      const fail = (error: unknown): void => {
        if (isOver) return
        stop()
        this.#failed++
        reject(failure(error))
      }
      asked.then((answer) => {
        if (isOver) return
        try {
          resolve(read(answer))
        } catch (error) {
          fail(error)
          return
        }
        stop()
        this.#wasAnswered(this.#clock() - start)
      }, fail)
    })
  }

  #goDown(error: unknown): void {
    if (this.#downSince !== null) return
    this.#downSince = this.#clock()
    this.#nextProbe = this.#downSince + this.retryMs
    this.#outages++
    if (this.#onEvent !== null) tell(this.#onEvent, { kind: 'down', error })
  }

  #comeUp(): void {
    if (this.#downSince === null) return
    const downMs = this.#clock() - this.#downSince
    this.#downSince = null
    if (this.#onEvent !== null) tell(this.#onEvent, { kind: 'up', downMs })
  }

  #wasAnswered(latencyMs: number): void {
    this.#answered++
    if (latencyMs <= this.#slowMs) return
    this.#slow++
    const now = this.#clock()
    if (this.#onEvent === null || now < this.#nextSlowEvent) return
    this.#nextSlowEvent = now + 1000
    tell(this.#onEvent, { kind: 'slow', latencyMs })
  }
}

/** What a client throws at once, it rejects with. */
function started(question: () => Promise<unknown>): Promise<unknown> {
  try {
    return question()
  } catch (error) {
    return Promise.reject(error)
  }
}

// A day. Timers of Node take no more than 2^31 ms, and run at once for what is longer.
const MAX_MS = 86_400_000
