import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Contest, measureHere, openContest } from '../bench/contest.ts'
import { type PairSource, resultsOf } from '../bench/measure.ts'
import { markdown } from '../bench/print.ts'
import { profileTable } from '../bench/profile.ts'
import { sources } from '../support/tiny-pairs.ts'

const length = { rounds: 2, roundMs: 0.01 }
const named = (name: string): PairSource => sources.find((source) => source.name === name) as PairSource
let contest: Contest

beforeAll(async () => {
  contest = await openContest(fileURLToPath(new URL('../support/tiny-pairs.ts', import.meta.url)))
})
afterAll(() => contest.close())

const measures: [string, (source: PairSource) => ReturnType<Contest['measure']>][] = [
  ['in a process for each contender', (source) => contest.measure(source, length)],
  ['in this process', (source) => measureHere(source, length)],
]

describe.each(measures)('measuring %s', (_, measure) => {
  it('gives a figure for each contender, and a goal for ours alone', async () => {
    const results = await measure(named('lengths'))
    expect(results.map(({ contender, goal }) => [contender, goal])).toEqual([
      ['floor', null],
      ['ours', 2],
      ['one by one', null],
    ])
    for (const { amount, ratioToFloor } of results) expect(amount > 0 && ratioToFloor > 0).toBe(true)
  })

  it('refuses to compare contenders that answer differently', async () => {
    await expect(measure(named('wrong lengths'))).rejects.toThrow('wrong lengths: ours answers 5, the floor 6')
  })

  it('hands what was prepared once to each contender', async () => {
    expect(await measure(named('prepared'))).toHaveLength(2)
  })
})

it('says where the floor and ours spend their time', async () => {
  const profile = await contest.profile(named('prepared'), { rounds: 2, roundMs: 5 })
  expect(Object.keys(profile)).toEqual(['floor', 'ours'])
  // What V8 sees depends on the moment; whatever it is, none of it is negative, and there is some.
  for (const parts of [profile.floor, profile.ours]) {
    expect(Object.values(parts).every((ns) => ns >= 0)).toBe(true)
    expect(Object.values(parts).reduce((sum, ns) => sum + ns, 0)).toBeGreaterThan(0)
  }
  const [head, , ...rows] = profileTable('a pair', profile).split('\n')
  expect(head).toBe('| a pair | floor | ours |')
  expect(rows.at(-1)).toMatch(/^\| all \| \S+ [nu]s \| \S+ [nu]s \|$/)
})

it('takes the median of the ratios within each round, not the ratio of the medians', () => {
  const rounds = [
    { floor: 10, ours: 20 },
    { floor: 100, ours: 110 },
    { floor: 50, ours: 150 },
  ].map((times) => new Map(Object.entries(times)))
  const [floor, ours] = resultsOf('a pair', { goal: 2, per: 10 }, rounds)
  expect(floor).toMatchObject({ contender: 'floor', amount: 5, ratioToFloor: 1, goal: null })
  expect(ours).toMatchObject({ contender: 'ours', amount: 11, ratioToFloor: 2, goal: 2 })
  expect(markdown([floor, ours].flatMap((row) => row ?? []))).toContain('| a pair | 5 ns | 11 ns | 2.00 | 2 |  |')
})
