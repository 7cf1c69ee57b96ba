// Paired measurement. Contenders take turns in short rounds within one process, so that what disturbs the machine
// disturbs all of them; what counts is the median of the ratios within each round. Absolute times are shown for scale.

/** Does one operation and gives its answer, which is compared between contenders before anything is timed. */
export type Operation = () => unknown | Promise<unknown>

export interface Pair {
  readonly name: string
  /** What we want to be at most, as a multiple of the floor. */
  readonly goal: number
  /** How many of what the name says one run does; figures are for one of them. Default: 1. */
  readonly per?: number
  /** The least code that could do the same work. */
  readonly floor: Operation
  readonly ours: Operation
  /** What somebody would take instead. */
  readonly peers?: Readonly<Record<string, Operation>>
  /** Whether the contenders answer the same. Default: by `Object.is`. Null where answers differ by nature. */
  readonly same?: ((a: unknown, b: unknown) => boolean) | null
  readonly close?: () => unknown
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

const ROUNDS = 9
const ROUND_MS = 60

export async function measure(pair: Pair): Promise<Result[]> {
  const contenders = Object.entries({ floor: pair.floor, ours: pair.ours, ...pair.peers })
  if (pair.same !== null) {
    const same = pair.same ?? Object.is
    const expected = await pair.floor()
    for (const [name, run] of contenders) {
      const answer = await run()
      if (!same(expected, answer)) throw new Error(`${pair.name}: ${name} answers ${answer}, the floor ${expected}`)
    }
  }
  const counts = new Map<string, number>()
  for (const [name, run] of contenders) counts.set(name, await countFor(run))
  const rounds: Map<string, number>[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const times = new Map<string, number>()
    for (const [name, run] of contenders) times.set(name, await timeOf(run, counts.get(name) ?? 1))
    rounds.push(times)
  }
  const timesOf = (name: string): number[] => rounds.map((times) => times.get(name) ?? Number.NaN)
  const floors = timesOf('floor')
  return contenders.map(([contender]) => ({
    name: pair.name,
    contender,
    amount: median(timesOf(contender)) / (pair.per ?? 1),
    unit: 'ns',
    ratioToFloor: median(timesOf(contender).map((time, round) => time / (floors[round] ?? Number.NaN))),
    goal: contender === 'ours' ? pair.goal : null,
  }))
}

/** How often to run an operation so that a round takes its time; running it meanwhile also warms it up. */
async function countFor(run: Operation): Promise<number> {
  let count = 1
  for (;;) {
    const total = (await timeOf(run, count)) * count
    if (total > ROUND_MS * 1e6 || count >= 2 ** 22) return count
    count *= total < (ROUND_MS * 1e6) / 8 ? 4 : 2
  }
}

/** Nanoseconds for each run. Only what is a promise is awaited. */
async function timeOf(run: Operation, count: number): Promise<number> {
  const start = process.hrtime.bigint()
  for (let i = 0; i < count; i++) {
    const answer = run()
    if (answer instanceof Promise) await answer
  }
  return Number(process.hrtime.bigint() - start) / count
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
