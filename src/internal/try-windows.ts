import type { Clock } from './clock.ts'

export interface TryWindowOptions {
  /** How many tries a subject has in a window. */
  readonly limit: number
  readonly windowMs: number
  /** For how many subjects there is memory. Where there is none left, the one that began to try first is forgotten. */
  readonly maxSubjects: number
  readonly clock: Clock
}

/** What became of a try. */
export type TryOutcome = { readonly allowed: true } | { readonly allowed: false; readonly retryAfterSeconds: number }

/** Counts tries in windows of a fixed length: a subject's window begins with its first try. */
export class TryWindows {
  readonly #options: TryWindowOptions
  readonly #windows = new Map<string, { tries: number; readonly endsAt: number }>()

  constructor(options: TryWindowOptions) {
    this.#options = options
  }

  take(subject: string): TryOutcome {
    const { limit, windowMs, maxSubjects, clock } = this.#options
    const now = clock()
    const known = this.#windows.get(subject)
    // A clock that goes back must not make a window last longer than a window.
    if (known === undefined || now >= known.endsAt || now < known.endsAt - windowMs) {
      this.#windows.delete(subject)
      if (this.#windows.size >= maxSubjects) this.#forgetFirst()
      this.#windows.set(subject, { tries: 1, endsAt: now + windowMs })
      return { allowed: true }
    }
    if (known.tries >= limit) {
      return { allowed: false, retryAfterSeconds: Math.max(1, Math.ceil((known.endsAt - now) / 1000)) }
    }
    known.tries++
    return { allowed: true }
  }

  #forgetFirst(): void {
    for (const subject of this.#windows.keys()) {
      this.#windows.delete(subject)
      return
    }
  }
}
