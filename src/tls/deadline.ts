// How long an attempt to connect may take, and who may stop it: one signal for all of that, whose reason is the error to
// reject with. Two clocks take turns, because a server that is slow and a person who is reading a fingerprint deserve
// different patience: while the verifier has the word, the clock of the network stands still.

import { ConnectionError } from '../errors.ts'

export interface DeadlineOptions {
  /** For messages: to what the connection is made. */
  readonly to: string
  /** For name look-up, TCP and TLS together. */
  readonly timeoutMs: number
  /** For the verifier. */
  readonly verifyTimeoutMs: number
  readonly signal: AbortSignal | undefined
}

export class Deadline {
  readonly #options: DeadlineOptions
  readonly #controller = new AbortController()
  readonly #abort = (): void => {
    this.#stop('ERR_TLACACOCA_ABORTED', 'was aborted', this.#options.signal?.reason)
  }
  #timer: NodeJS.Timeout | undefined
  #remainingMs: number
  #runningSince = 0

  constructor(options: DeadlineOptions) {
    this.#options = options
    this.#remainingMs = options.timeoutMs
    options.signal?.addEventListener('abort', this.#abort, { once: true })
    if (options.signal?.aborted) this.#abort()
    else this.#run()
  }

  /** Aborted with a `ConnectionError` as its reason. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** The verifier has the word. */
  verifying(): void {
    if (this.#timer === undefined) return
    clearTimeout(this.#timer)
    this.#remainingMs = Math.max(1, this.#remainingMs - (performance.now() - this.#runningSince))
    const { verifyTimeoutMs } = this.#options
    this.#timer = setTimeout(() => {
      this.#stop('ERR_TLACACOCA_TIMEOUT', `was not accepted or refused by the verifier within ${verifyTimeoutMs} ms`)
    }, verifyTimeoutMs)
  }

  /** The verifier has answered. */
  verified(): void {
    if (this.#timer === undefined) return
    clearTimeout(this.#timer)
    this.#run()
  }

  /** The attempt is over; nothing stops it any more. */
  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#options.signal?.removeEventListener('abort', this.#abort)
  }

  #run(): void {
    this.#runningSince = performance.now()
    this.#timer = setTimeout(() => {
      this.#stop('ERR_TLACACOCA_TIMEOUT', `was not established within ${this.#options.timeoutMs} ms`)
    }, this.#remainingMs)
  }

  #stop(code: 'ERR_TLACACOCA_ABORTED' | 'ERR_TLACACOCA_TIMEOUT', what: string, cause?: unknown): void {
    this.close()
    const options = cause === undefined ? undefined : { cause }
    this.#controller.abort(new ConnectionError(code, `the connection to ${this.#options.to} ${what}`, options))
  }
}
