// Connections at random: see the head of fuzz-session.ts for what happens to them. Each comes to an end that has a name.
//
//     TLACACOCA_FUZZ=10000        how many connections for each version and side; a few hundred without it
//     TLACACOCA_FUZZ_SEED=12345   begin with this seed; one connection if TLACACOCA_FUZZ is not set, too

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fuzzGround, fuzzSession } from '../../support/fuzz-session.ts'
import { VERSIONS } from '../../support/sans-io-world.ts'

const { TLACACOCA_FUZZ: count, TLACACOCA_FUZZ_SEED: seed } = process.env
const ROUNDS = Number(count ?? (seed === undefined ? 300 : 1))
const FIRST_SEED = Number(seed ?? 1)

const uncaught: unknown[] = []
const remember = (error: unknown): void => void uncaught.push(error)

beforeAll(() => void process.on('uncaughtException', remember).on('unhandledRejection', remember))
afterAll(() => void process.off('uncaughtException', remember).off('unhandledRejection', remember))

describe.each(
  VERSIONS.flatMap((version) => [
    { version, side: 'client' as const },
    { version, side: 'server' as const },
  ]),
)('as $side by $version', ({ version, side }) => {
  it(`${ROUNDS} connections come to an end from seed ${FIRST_SEED} on`, {
    timeout: 30_000 + ROUNDS * 200,
  }, async () => {
    const ground = fuzzGround(side, version)
    const outcomes = new Map<string, number>()
    const problems: string[] = []
    for (let each = FIRST_SEED; each < FIRST_SEED + ROUNDS; each++) {
      const { outcome, faults } = await fuzzSession(ground, each)
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      for (const fault of [...faults, ...uncaught.splice(0)]) problems.push(`seed ${each} (${outcome}): ${fault}`)
    }
    if (count !== undefined) console.log(`${side} ${version}`, Object.fromEntries([...outcomes].toSorted()))
    expect(problems.slice(0, 10)).toEqual([])
    if (ROUNDS < 100) return
    // Chance has left nothing out.
    for (const outcome of ENDS) expect(outcomes.get(outcome), outcome).toBeGreaterThan(0)
  })
})

const ENDS = [
  'finished',
  'NotToday',
  'ERR_TLACACOCA_ABORTED',
  'ERR_TLACACOCA_BAD_TLS_DATA',
  'ERR_TLACACOCA_TIMEOUT',
  'ERR_TLACACOCA_TLS_ALERT',
  'ERR_TLACACOCA_TRUNCATED',
  'ERR_TLACACOCA_VERIFICATION_REFUSED',
]
