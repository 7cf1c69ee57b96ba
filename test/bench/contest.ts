// Lets the contenders of a pair take turns, each in a process of its own, pinned to one processor where there is `taskset`.
// Only one of them runs at any time; the others wait to be told.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { bundled, workerEnvironment } from './bundle.ts'
import type { Made, Orders, Reply } from './contender.ts'
import { Contender, inTurn, type Length, operationsOf, type PairSource, type Result, resultsOf } from './measure.ts'
import type { PairProfile, Profile } from './profile.ts'

export interface Contest {
  measure(source: PairSource, length: Length): Promise<Result[]>
  /** What the floor and ours spend for one operation, part by part. */
  profile(source: PairSource, length: Length): Promise<PairProfile>
  close(): void
}

/** @param file - The module whose `sources` the pairs are from. */
export async function openContest(file: string): Promise<Contest> {
  const contender = fileURLToPath(new URL('contender.ts', import.meta.url))
  const { folder, close } = await bundled({ pairs: file, contender })
  const program = join(folder, 'contender.mjs')
  const pairs = join(folder, 'pairs.mjs')
  /** Starts a process for each contender, or for those that are wanted, and ends them when `use` is done with them. */
  const during = async <T>(
    source: PairSource,
    isWanted: (name: string) => boolean,
    use: (running: readonly Runner[], made: Made) => Promise<T>,
  ): Promise<T> => {
    const prepared = (await source.prepare?.()) ?? { given: '', close() {} }
    const running: Runner[] = []
    try {
      const start = async (name: string) => {
        const runner = new Runner(name, [program, pairs])
        running.push(runner)
        return runner.ask('make', source.name, prepared.given, name)
      }
      const made = await start('floor')
      for (const name of made.contenders) if (name !== 'floor' && isWanted(name)) await start(name)
      const used = await use(running, made)
      for (const runner of running) await runner.ask('close')
      return used
    } finally {
      for (const runner of running) runner.stop()
      await prepared.close()
    }
  }
  return {
    measure: (source, length) =>
      during(
        source,
        () => true,
        async (running, made) => {
          if (made.compared) await compare(source.name, running)
          const counts = new Map<Runner, number>()
          for (const runner of running) counts.set(runner, await runner.ask('countFor', length.roundMs))
          const rounds: Map<string, number>[] = []
          for (let round = 0; round < length.rounds; round++) {
            const times = new Map(made.contenders.map((name) => [name, Number.NaN]))
            for (const runner of inTurn(running, round)) {
              times.set(runner.name, await runner.ask('time', counts.get(runner) ?? 1))
            }
            rounds.push(times)
          }
          return resultsOf(source.name, made, rounds)
        },
      ),
    profile: (source, length) =>
      during(
        source,
        (name) => name === 'ours',
        async (running) => {
          const profiles: Record<string, Profile> = {}
          for (const runner of running) {
            const count = await runner.ask('countFor', length.roundMs)
            profiles[runner.name] = await runner.ask('profile', count * PROFILED_ROUNDS)
          }
          return { floor: profiles.floor ?? {}, ours: profiles.ours ?? {} }
        },
      ),
    close,
  }
}

/** Enough samples for a part of one per cent. */
const PROFILED_ROUNDS = 20

/** The same within this process, for pairs whose contenders only direct other processes. */
export async function measureHere(source: PairSource, length: Length): Promise<Result[]> {
  const prepared = (await source.prepare?.()) ?? { given: '', close() {} }
  const pair = await source.make(prepared.given)
  try {
    const names = Object.keys(operationsOf(pair))
    const contenders = new Map(names.map((name) => [name, new Contender(pair, name)]))
    if (pair.compared !== false) {
      const answers = new Map<string, unknown[]>()
      for (const [name, contender] of contenders) answers.set(name, await contender.answers())
      requireSame(source.name, answers)
    }
    const counts = new Map<string, number>()
    for (const [name, contender] of contenders) counts.set(name, await contender.countFor(length.roundMs))
    const rounds: Map<string, number>[] = []
    for (let round = 0; round < length.rounds; round++) {
      const times = new Map(names.map((name) => [name, Number.NaN]))
      for (const [name, contender] of inTurn([...contenders], round)) {
        times.set(name, await contender.time(counts.get(name) ?? 1))
      }
      rounds.push(times)
    }
    return resultsOf(source.name, pair, rounds)
  } finally {
    await pair.close?.()
    await prepared.close()
  }
}

async function compare(pair: string, running: readonly Runner[]): Promise<void> {
  const answers = new Map<string, unknown[]>()
  for (const runner of running) answers.set(runner.name, await runner.ask('answers'))
  requireSame(pair, answers)
}

function requireSame(pair: string, answers: ReadonlyMap<string, readonly unknown[]>): void {
  const expected = answers.get('floor')
  for (const [name, given] of answers) {
    if (isDeepStrictEqual(given, expected)) continue
    const at = given.findIndex((answer, index) => !isDeepStrictEqual(answer, expected?.[index]))
    throw new Error(`${pair}: ${name} answers ${given[at]}, the floor ${expected?.[at]}`)
  }
}

/** The last processor, as the first has most of the machine's own work. */
export const PINNED: readonly string[] =
  spawnSync('taskset', ['-c', String(availableParallelism() - 1), 'true']).status === 0
    ? ['taskset', '-c', String(availableParallelism() - 1)]
    : []

export const isPinned = PINNED.length > 0

/** Far longer than anything takes: what takes longer does not happen. */
const MAX_WAIT_MS = 600_000

class Runner {
  readonly name: string
  readonly #child: ChildProcess

  constructor(name: string, args: readonly string[]) {
    this.name = name
    const [command = '', ...rest] = [...PINNED, process.execPath, '--no-warnings', ...args]
    this.#child = spawn(command, rest, {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      serialization: 'advanced',
      env: workerEnvironment,
    })
  }

  ask<Name extends keyof Orders>(
    order: Name,
    ...args: Parameters<Orders[Name]>
  ): Promise<Awaited<ReturnType<Orders[Name]>>> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => settle(() => reject(new Error(`${this.name}: no answer to ${order}`))),
        MAX_WAIT_MS,
      )
      const ended = (code: number | null): void =>
        settle(() => reject(new Error(`${this.name}: the process ended with ${code}`)))
      const replied = (reply: Reply): void =>
        settle(() => {
          if ('error' in reply) reject(new Error(`${this.name}: ${reply.error}`))
          else resolve(reply.answer as Awaited<ReturnType<Orders[Name]>>)
        })
      const settle = (action: () => void): void => {
        clearTimeout(timer)
        this.#child.off('exit', ended).off('message', replied)
        action()
      }
      this.#child.once('exit', ended).once('message', replied)
      this.#child.send({ order, args })
    })
  }

  stop(): void {
    this.#child.kill()
  }
}
