import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { USUAL_RUNS } from '../fuzz/engine/check-target.ts'
import { TARGETS } from '../fuzz/targets/index.ts'

it('the page about fuzzing has each target that gets fewer inputs than usual, with how many and why', () => {
  const page = readFileSync(new URL('../../docs/explanation/fuzzing.md', import.meta.url), 'utf8')
  const rows = [...page.matchAll(/^\| `([\w-]+)` \| ([\d,]+) \| (.+) \|$/gm)].map(([, ...cells]) => cells)
  const fewer = TARGETS.filter(({ runs = USUAL_RUNS }) => runs < USUAL_RUNS)
  expect(fewer.length).toBeGreaterThan(0)
  const wanted = fewer.map(({ name, runs, why }) => [name, runs?.toLocaleString('en'), why])
  expect(rows.toSorted()).toEqual(wanted.toSorted())
  expect(page).toContain(`${USUAL_RUNS.toLocaleString('en')} inputs`)
})
