// What is measured, and the arithmetic of it. What counts is the median of the ratios within each round, as whatever
// disturbs the machine then disturbs all contenders; absolute times are shown for scale. `contest.ts` runs the rounds.

import { type Profile, perOperation, startProfile } from './profile.ts'

/** Does one operation and gives its answer. As a method, so that pairs over all kinds of inputs can be in one list. */
type Bivariant<Input> = { run(input: Input): unknown }
export type Operation<Input = unknown> = Bivariant<Input>['run']

export interface Pair<Input = unknown> {
  /** What we want to be at most, as a multiple of the floor. */
  readonly goal: number | null
  /** How many of what the name says one run does; figures are for one of them. Default: 1. */
  readonly per?: number
  /** What operations are given, made anew outside the time that is taken: fresh texts, as from a socket. */
  readonly inputs?: (count: number) => readonly Input[]
  /** What each of them is given once before any time is taken, so that it is known from then on. */
  readonly before?: () => Iterable<Input>
  /** The least code that could do the same work. */
  readonly floor: Operation<Input>
  readonly ours: Operation<Input>
  /** What somebody would take instead. */
  readonly peers?: Readonly<Record<string, Operation<Input>>>
  /** False where answers differ by nature. Otherwise all contenders must answer the same. */
  readonly compared?: boolean
  readonly close?: () => unknown
}

/** A pair that is made by whoever measures it: in each process anew. */
export interface PairSource {
  readonly name: string
  /** Done once, in the process that directs the others. */
  readonly prepare?: () => Promise<Prepared>
  readonly make: (prepared: string) => Pair | Promise<Pair>
}

/** What all contenders share, such as a file, by a text that is given to `make`. */
export interface Prepared {
  readonly given: string
  close(): unknown
}

export interface Result {
  readonly name: string
  readonly contender: string
  /** Nanoseconds, or bytes. */
  readonly amount: number
  readonly unit: 'ns' | 'bytes'
  readonly ratioToFloor: number
  readonly goal: number | null
}

/** How many rounds, and how long each of them is. */
export interface Length {
  readonly rounds: number
  readonly roundMs: number
}

export const FULL: Length = { rounds: 9, roundMs: 60 }
export const QUICK: Length = { rounds: 3, roundMs: 10 }

/** More inputs than this are not made at once, so that they stay in the processor's cache as a request would. */
const BATCH = 8192
const COMPARED = 64
const WARM_UP_ROUNDS = 10

/** One contender of a pair, as it is run. */
export class Contender {
  readonly #run: Operation
  readonly #inputs: (count: number) => readonly unknown[]
  readonly #before: () => Iterable<unknown>

  constructor(pair: Pair, name: string) {
    const run = operationsOf(pair)[name]
    if (run === undefined) throw new Error(`there is no contender ${name}`)
    this.#run = run
    this.#inputs = pair.inputs ?? ((count) => Array.from({ length: count }))
    this.#before = pair.before ?? (() => [])
  }

  /** What it answers to the first questions, which are the same for each. */
  async answers(): Promise<unknown[]> {
    const answers: unknown[] = []
    for (const input of this.#inputs(COMPARED)) answers.push(await this.#run(input))
    return answers
  }

  /**
   * How often to run so that a round takes its time. Running it meanwhile also warms it up: for ten rounds, since what takes
   * a millisecond and much code has hardly been optimised by then, and what takes a microsecond long before.
   */
  async countFor(roundMs: number): Promise<number> {
    for (const input of this.#before()) await this.#run(input)
    let count = 1
    let spentMs = 0
    for (;;) {
      const totalMs = ((await this.time(count)) * count) / 1e6
      spentMs += totalMs
      if (totalMs <= roundMs && count < 2 ** 22) count *= totalMs < roundMs / 8 ? 4 : 2
      else if (spentMs >= WARM_UP_ROUNDS * roundMs) return count
    }
  }

  /** Nanoseconds for each run. Only what is a promise is awaited. */
  async time(count: number): Promise<number> {
    let spent = 0n
    for (let left = count; left > 0; left -= BATCH) {
      const inputs = this.#inputs(Math.min(BATCH, left))
      const start = process.hrtime.bigint()
      await this.#runEach(inputs)
      spent += process.hrtime.bigint() - start
    }
    return Number(spent) / count
  }

  /** What the parts of it spend for each run; inputs are made before that is looked at. */
  async profile(count: number): Promise<Profile> {
    const inputs = this.#inputs(Math.min(BATCH, count))
    const passes = Math.ceil(count / inputs.length)
    const stop = await startProfile()
    for (let pass = 0; pass < passes; pass++) await this.#runEach(inputs)
    return perOperation(await stop(), passes * inputs.length)
  }

  async #runEach(inputs: readonly unknown[]): Promise<void> {
    for (const input of inputs) {
      const answer = this.#run(input)
      if (answer instanceof Promise) await answer
    }
  }
}

export function operationsOf({ floor, ours, peers }: Pair): Readonly<Record<string, Operation>> {
  return { floor, ours, ...peers }
}

/** @param rounds - Of each round, the time of each contender. */
export function resultsOf(
  name: string,
  { goal, per = 1 }: Pick<Pair, 'goal' | 'per'>,
  rounds: readonly ReadonlyMap<string, number>[],
): Result[] {
  const timesOf = (contender: string): number[] => rounds.map((times) => times.get(contender) ?? Number.NaN)
  const floors = timesOf('floor')
  return [...(rounds[0]?.keys() ?? [])].map((contender) => ({
    name,
    contender,
    amount: median(timesOf(contender)) / per,
    unit: 'ns',
    ratioToFloor: median(timesOf(contender).map((time, round) => time / (floors[round] ?? Number.NaN))),
    goal: contender === 'ours' ? goal : null,
  }))
}

/** The contenders in a turn that changes from round to round, so that each comes after each of the others as often. */
export function inTurn<Item>(items: readonly Item[], round: number): Item[] {
  return items.map((_, index) => items[(index + round) % items.length] as Item)
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
