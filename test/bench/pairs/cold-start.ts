// What the import of each entry point takes, as the package is published: a bundle. A process for each sample, in turns.
// The floor is node:tls, which a program for these protocols loads in any case; an empty module shows what a module costs.

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { bundle } from '../../../.ci/bundle.mjs'
import { inTurn, median, type Result } from '../measure.ts'
import type { Extent } from '../streams.ts'

const SAMPLES = 15
// Of the front door: 5.5 ms where node:tls takes 2.8, and 4 MB.
const GOAL = 5.5 / 2.8
const MAX_BYTES = 4e6
const ENTRIES = 'certificate tofu tls middleware identity authority redis postgres logging testing'.split(' ')

export async function* coldStart({ quick }: Extent): AsyncGenerator<Result[]> {
  const cache = fileURLToPath(new URL('../../../node_modules/.cache/tlacacoca-bench/', import.meta.url))
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(cache)
  try {
    await bundle(folder)
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    writeFileSync(join(folder, 'empty.js'), 'export {}\n')
    const urlOf = (path: string): string => pathToFileURL(join(folder, path)).href
    const contenders = [
      ['floor', 'node:tls'],
      ['an empty module', urlOf('empty.js')],
      ['ours', urlOf('index.js')],
      ...ENTRIES.map((entry) => [`tlacacoca/${entry}`, urlOf(`${entry}/index.js`)]),
    ] as [string, string][]
    const taken = new Map(contenders.map(([name]) => [name, [] as Taken[]]))
    for (let round = 0; round < (quick ? 2 : SAMPLES); round++) {
      for (const [name, url] of inTurn(contenders, round)) taken.get(name)?.push(sample(url))
    }
    yield rows('cold start: import of the front door, processor time', 'ns', taken, GOAL)
    yield rows('cold start: import of the front door, memory', 'bytes', taken, null)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

type Taken = Readonly<Record<Result['unit'], number>>

function sample(url: string): Taken {
  // The loader of modules is there before.
  const program = `
    import 'data:text/javascript,'
    const { rss } = process.memoryUsage()
    const before = process.cpuUsage()
    await import(${JSON.stringify(url)})
    const { user, system } = process.cpuUsage(before)
    console.log(JSON.stringify({ ns: (user + system) * 1000, bytes: process.memoryUsage().rss - rss }))`
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' }))
}

function rows(
  name: string,
  unit: Result['unit'],
  taken: ReadonlyMap<string, readonly Taken[]>,
  goal: number | null,
): Result[] {
  const floors = taken.get('floor')?.map((each) => each[unit]) ?? []
  return [...taken].map(([contender, all]) => {
    const amount = median(all.map((each) => each[unit]))
    return {
      name,
      contender,
      unit,
      amount,
      ratioToFloor: median(all.map((each, round) => each[unit] / (floors[round] ?? Number.NaN))),
      goal: contender === 'ours' ? (goal ?? MAX_BYTES / median(floors)) : null,
    }
  })
}
