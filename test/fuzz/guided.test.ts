// The guided loop on parsers with planted mistakes. Five bytes have to be right, which random input needs some 10^12 runs
// for; a loop that sees how far an input came needs some thousands for each.

import { describe, expect, it } from 'vitest'
import { materialOf } from './engine/material.ts'
import { makeInput } from './engine/mutations.ts'
import { Random } from './engine/random.ts'
import { fuzzGuided } from './engine/supervise.ts'
import { TOYS } from './engine/toys.ts'

const PLANTED = 'a73ce1589d'
const MAX_RUNS = 400_000
const TIMEOUT_MS = 300_000
const bounds = { seed: 1, seconds: 240, maxRuns: MAX_RUNS }

describe('the guided loop', () => {
  it('finds a planted mistake and the smallest input that shows it', { timeout: TIMEOUT_MS }, async () => {
    expect(await fuzzGuided('toy-throws', bounds)).toMatchObject({
      kind: 'failed',
      message: 'the planted mistake',
      input: PLANTED,
    })
  })

  it('tells which input ended the process', { timeout: TIMEOUT_MS }, async () => {
    const found = await fuzzGuided('toy-aborts', bounds)
    expect(found.kind).toBe('crashed')
    if (found.kind === 'crashed') expect(found.input).toMatch(new RegExp(`^${PLANTED}`))
  })

  it('tells which input takes for ever', { timeout: TIMEOUT_MS }, async () => {
    const found = await fuzzGuided('toy-hangs', { ...bounds, hangMs: 5_000 })
    expect(found.kind).toBe('hung')
    if (found.kind === 'hung') expect(found.input).toMatch(new RegExp(`^${PLANTED}`))
  })

  it('is needed for it: as many random inputs find nothing', { timeout: TIMEOUT_MS }, async () => {
    const [toy] = TOYS
    if (toy === undefined) throw new Error('there are no toys')
    const material = await materialOf(toy)
    const random = new Random(1)
    for (let run = 0; run < MAX_RUNS; run++) expect(() => toy.run(makeInput(random, material))).not.toThrow()
  })
})
