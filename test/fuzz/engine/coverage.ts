// What code an input has run, as V8 counts it, byte for byte of the source.
//
// Counts are asked for (`callCount`), although only whether something ran is of interest: without them V8 reports a function
// once and never again, and an input could not be told from those that ran beside it.

import { type Profiler, Session } from 'node:inspector'

export class Coverage {
  readonly #session = new Session()
  readonly #isMeant: (url: string) => boolean
  /** For each function, which of its bytes have run. */
  readonly #ran = new Map<string, Uint8Array>()

  /** @param isMeant - Which scripts count, by their URLs. */
  constructor(isMeant: (url: string) => boolean) {
    this.#isMeant = isMeant
    this.#session.connect()
    this.#session.post('Profiler.enable')
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  /** How many bytes of source have run that had not, since the last call. */
  take(remember: boolean): number {
    let found = 0
    for (const script of this.#collect()) {
      if (!this.#isMeant(script.url)) continue
      for (const each of script.functions) found += this.#news(script.url, each, remember)
    }
    return found
  }

  /** Bytes of source that have run so far. */
  get size(): number {
    let sum = 0
    for (const ran of this.#ran.values()) for (const byte of ran) sum += byte
    return sum
  }

  #collect(): readonly Profiler.ScriptCoverage[] {
    let result: readonly Profiler.ScriptCoverage[] = []
    // It answers before it returns.
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error !== null) throw error
      result = answer.result
    })
    return result
  }

  #news(url: string, { ranges }: Profiler.FunctionCoverage, remember: boolean): number {
    const [whole] = ranges
    if (whole === undefined || whole.count === 0) return 0
    const start = whole.startOffset
    const now = new Uint8Array(whole.endOffset - start)
    // Outer ranges come first, and inner ones correct them.
    for (const { startOffset, endOffset, count } of ranges)
      now.fill(count > 0 ? 1 : 0, startOffset - start, endOffset - start)
    const key = `${url} ${start} ${whole.endOffset}`
    const before = this.#ran.get(key) ?? new Uint8Array(now.length)
    let found = 0
    for (let at = 0; at < now.length; at++) {
      if (now[at] !== 1 || before[at] === 1) continue
      found++
      if (remember) before[at] = 1
    }
    if (remember) this.#ran.set(key, before)
    return found
  }
}
