// Runs the mutation tests of the modules named, or of all: `npm run mutation -- hostname verdict`. With `--report` it
// runs nothing and prints what the last runs have left. A file whose score is too low, or that nobody has a score of,
// makes the command fail.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { MODULES } from './modules.mjs'
import { LEAST_SCORE, scoresOf } from './scores.mjs'

process.chdir(fileURLToPath(new URL('../..', import.meta.url)))
const here = 'test/mutation'
const stryker = `${here}/node_modules/@stryker-mutator/core/bin/stryker.js`

const words = process.argv.slice(2)
const onlyReport = words.includes('--report')
const named = words.filter((word) => word !== '--report')
const unknown = named.filter((name) => MODULES[name] === undefined)
if (unknown.length > 0) end(`there is no module ${unknown.join(', ')}; there are ${Object.keys(MODULES).join(', ')}`)

if (!onlyReport) {
  if (!existsSync(stryker)) end(`Stryker is not installed; do \`npm ci --prefix ${here}\``)
  // Tests that import one vitest, run by another, would not be found.
  if (existsSync(`${here}/node_modules/vitest`)) end(`there is a second vitest; do \`npm ci --prefix ${here}\``)
}

let failed = false
const rows = []
for (const name of named.length > 0 ? named : Object.keys(MODULES)) {
  const report = `coverage/mutation/${name}.json`
  if (!onlyReport) run(name, report)
  if (!existsSync(report)) {
    console.error(`no report of ${name}`)
    failed = true
    continue
  }
  const date = statSync(report).mtime.toISOString().slice(0, 10)
  for (const each of scoresOf(report, MODULES[name].mutate)) {
    // NaN, of a file without any mutant, is not enough either.
    const enough = each.score >= LEAST_SCORE
    if (!enough) failed = true
    const { file, mutants, killed, timedOut, survived, undecided, score } = each
    const cells = [mutants, killed, timedOut, survived, undecided, `${score.toFixed(1)} %${enough ? '' : ' (too low)'}`]
    rows.push(`| ${name} | \`${file}\` | ${cells.join(' | ')} | ${date} |`)
  }
}

console.log('\n| module | file | mutants | killed | timed out | survived | undecided | score | date |')
console.log('| --- | --- | --: | --: | --: | --: | --: | --: | --- |')
console.log(rows.join('\n'))
if (failed) end(`not every file has a score of ${LEAST_SCORE} %`)

function run(/** @type {string} */ name, /** @type {string} */ report) {
  console.log(`\n== ${name}`)
  mkdirSync('coverage/mutation', { recursive: true })
  // A report of an earlier run must not stand for this one.
  rmSync(report, { force: true })
  forgetStatic(`coverage/mutation/${name}.incremental.json`)
  const env = { ...process.env, MUTATED_MODULE: name }
  const { status } = spawnSync(process.execPath, [stryker, 'run', `${here}/stryker.config.mjs`], {
    env,
    stdio: 'inherit',
  })
  if (status !== 0) failed = true
}

/**
 * Of a mutant in what is evaluated when a module is loaded, nobody knows which tests cover it; so a new test would not
 * make an incremental run try it again.
 */
function forgetStatic(/** @type {string} */ path) {
  if (!existsSync(path)) return
  const report = JSON.parse(readFileSync(path, 'utf8'))
  for (const file of Object.values(report.files)) file.mutants = file.mutants.filter((mutant) => !mutant.static)
  writeFileSync(path, JSON.stringify(report))
}

/** @returns {never} */
function end(/** @type {string} */ message) {
  console.error(`mutation: ${message}`)
  process.exit(1)
}
