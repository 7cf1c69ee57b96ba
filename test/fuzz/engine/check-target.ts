// A target under fast-check: so many inputs of one fixed seed, for the same ground each time, and a ninth as many of a seed
// of the day, for new ground. What fails is printed with its seed and as bytes to replay.

import * as fc from 'fast-check'
import { inputs } from './arbitrary.ts'
import { materialOf } from './material.ts'
import type { FuzzTarget } from './target.ts'

export const USUAL_RUNS = 100_000
const FIXED_SEED = 20_301_101

/** What came of the inputs, and how often. */
export type Tally = ReadonlyMap<string, number>

/** @throws What the target throws, for the smallest input that was found; the message says which one that is. */
export async function checkTarget(target: FuzzTarget): Promise<Tally> {
  const material = await materialOf(target)
  const tally = new Map<string, number>()
  const count = (outcome: string): void => void tally.set(outcome, (tally.get(outcome) ?? 0) + 1)
  // Seeds as they are: if those do not hold, nothing else needs to be tried.
  for (const input of material.inputs) count(await target.run(input))
  const runs = target.runs ?? USUAL_RUNS
  const arbitrary = inputs(material)
  const isAsync = (await answerOf(target, material.inputs[0])) === 'later'
  const depth = Error.stackTraceLimit
  // Refusals are errors, most inputs are refused, and to take down the stack takes longer than to find out why.
  Error.stackTraceLimit = 0
  try {
    for (const parameters of [
      { numRuns: Math.ceil(runs * 0.9), seed: FIXED_SEED },
      { numRuns: Math.floor(runs / 10) },
    ]) {
      const property = isAsync
        ? fc.asyncProperty(arbitrary, async (input) => count(await target.run(input)))
        : fc.property(arbitrary, (input) => count(now(target.run(input))))
      const details = await fc.check(property as fc.IAsyncProperty<[Uint8Array]>, parameters)
      if (details.failed) {
        Error.stackTraceLimit = depth
        await explain(target, details)
      }
    }
  } finally {
    Error.stackTraceLimit = depth
  }
  return tally
}

async function answerOf(target: FuzzTarget, input: Uint8Array = new Uint8Array(0)): Promise<'now' | 'later'> {
  const outcome = target.run(input)
  await outcome
  return outcome instanceof Promise ? 'later' : 'now'
}

function now(outcome: string | Promise<string>): string {
  if (typeof outcome === 'string') return outcome
  throw new TypeError('a target answers at once for every input, or for none')
}

/** Runs the input that failed once more, for a whole stack, and throws. */
async function explain(target: FuzzTarget, { counterexample, seed, counterexamplePath }: fc.RunDetails<[Uint8Array]>) {
  const input = counterexample?.[0] ?? new Uint8Array(0)
  const hex = Buffer.from(input).toString('hex')
  const how = `seed ${seed}, path ${counterexamplePath}; npm run fuzz -- ${target.name} --replay ${hex}`
  try {
    await target.run(input)
  } catch (cause) {
    throw new Error(`${target.name} does not hold: ${cause instanceof Error ? cause.message : cause}\n${how}`, {
      cause,
    })
  }
  throw new Error(`${target.name} did not hold, and holds when it is tried again\n${how}`)
}
