// Fails if a line of the code that guards something is run by no test and nobody says why. To be run after
// `vitest run --coverage`, with the report if it is not where that leaves it: `tsx test/coverage-check/check.ts [report]`.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { badHints, compare, readReasons } from './reasons.ts'
import { GUARDED, KINDS, readReport, type Shares, sum } from './report.ts'

const PAGE = 'docs/explanation/coverage.md'
const root = fileURLToPath(new URL('../..', import.meta.url))
const { folders, uncovered } = readReport(process.argv[2] ?? join(root, 'coverage/coverage-final.json'), root)

const row = (name: string, shares: Shares): string =>
  `| ${[name, ...KINDS.map((kind) => `${percent(...shares[kind])} of ${shares[kind][1]}`)].join(' | ')} |`
const percent = (run: number, all: number): string => `${(Math.floor((10_000 * run) / all) / 100).toFixed(2)} %`

console.log(`| folder | ${KINDS.join(' | ')} |\n| --- | --- | --- | --- |`)
for (const folder of GUARDED) {
  const shares = folders.get(folder)
  if (shares !== undefined) console.log(row(folder, shares))
}
console.log(row('together', sum(folders.values())))
console.log(`${uncovered.length} lines are run by no test.`)

const problems = [...compare(uncovered, readReasons(readFileSync(join(root, PAGE), 'utf8')))]
for (const folder of GUARDED) {
  if (!folders.has(folder)) problems.push(`the report knows nothing of src/${folder}`)
  for (const name of readdirSync(join(root, 'src', folder), { recursive: true, encoding: 'utf8' })) {
    const file = join('src', folder, name)
    if (file.endsWith('.ts')) problems.push(...badHints(file, readFileSync(join(root, file), 'utf8')))
  }
}
for (const problem of problems) console.error(problem)
if (problems.length > 0) console.error(`${problems.length} problems; the reasons stand in ${PAGE}`)
process.exitCode = problems.length > 0 ? 1 : 0
