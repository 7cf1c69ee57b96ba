// Synchronous decisions over a database that answers later.
//
// What may become of users is decided by functions that look at tables and write to them step by step, with no `await` in
// between (`identity/registry`), the same for every store. Here they are run over a record of steps. A question that the
// record has no answer to stops the function; what it wrote until then is sent, the question is asked, the answer goes on
// the record, and the function starts again from the beginning: up to that point it does the same, because it is told the
// same. So each question is asked once, and sees all that was written before it.
//
// It rests on the functions being deterministic, which is checked step by step.

import type { Row, Statements } from './database.ts'

/** A question that was answered already. */
export interface KnownAnswer {
  readonly text: string
  readonly values: readonly unknown[]
  readonly rows: readonly Row[]
}

interface Step {
  readonly text: string
  readonly values: readonly unknown[]
  /** What came back; null as long as it was not sent. */
  rows: readonly Row[] | null
}

export class Replay {
  readonly #steps: Step[] = []
  readonly #known: readonly KnownAnswer[]
  #position = 0

  /** @param known - Answers that hold as long as nothing is written. */
  constructor(known: readonly KnownAnswer[] = []) {
    this.#known = known
  }

  /** Asks a question. Stops the work if the answer is not known yet. */
  ask(text: string, values: readonly unknown[]): readonly Row[] {
    const step = this.#next(text, values)
    if (step.rows === null) throw STOP
    return step.rows
  }

  /** Writes something, which happens before the next question, or at the end. */
  tell(text: string, values: readonly unknown[]): void {
    this.#next(text, values)
  }

  /** Does the work, in a transaction that is the caller's. */
  async run<T>(work: () => T, statements: Statements): Promise<T> {
    for (;;) {
      const outcome = this.attempt(work)
      for (const step of this.#steps) step.rows ??= await statements.query(step.text, step.values)
      if (outcome !== null) return outcome.value
    }
  }

  /** Does the work as far as the answers are known; null if that is not to its end. */
  attempt<T>(work: () => T): { readonly value: T } | null {
    this.#position = 0
    try {
      return { value: work() }
    } catch (error) {
      if (error === STOP) return null
      throw error
    }
  }

  #next(text: string, values: readonly unknown[]): Step {
    const known = this.#steps[this.#position]
    const step = known ?? { text, values, rows: this.#known.find((each) => isSame(each, text, values))?.rows ?? null }
    if (!isSame(step, text, values)) {
      throw new Error('the work did something else when it was repeated')
    }
    if (known === undefined) this.#steps.push(step)
    this.#position++
    return step
  }
}

function isSame(step: Pick<Step, 'text' | 'values'>, text: string, values: readonly unknown[]): boolean {
  return step.text === text && values.every((value, n) => Object.is(value, step.values[n]))
}

const STOP = Symbol('an answer is missing')
