// One module a run; `run.mjs` starts it. Paths are those of the project, which is the working directory.
import { fileURLToPath } from 'node:url'
import { chosenModule } from './modules.mjs'

const { name, mutate } = chosenModule()
const results = `coverage/mutation/${name}`

/** @type {import('@stryker-mutator/api/core').PartialStrykerOptions} */
export default {
  mutate: [...mutate],
  testRunner: 'vitest-strict',
  plugins: [fileURLToPath(new URL('runner.mjs', import.meta.url))],
  vitest: { configFile: 'test/mutation/vitest.config.mjs', related: true },
  coverageAnalysis: 'perTest',
  concurrency: 2,
  // A mutant that loops for ever is found by counting; the time is for those that wait, and generous to a busy machine.
  timeoutMS: 20_000,
  incremental: true,
  incrementalFile: `${results}.incremental.json`,
  reporters: ['progress-append-only', 'clear-text', 'json'],
  jsonReporter: { fileName: `${results}.json` },
  clearTextReporter: { allowColor: false, allowEmojis: false, logTests: false, reportTests: false },
  tempDirName: `${results}.work`,
  ignorePatterns: ['coverage', 'dist', 'docs', '*.log'],
  disableTypeChecks: false,
  allowEmpty: false,
  // Per module here; `run.mjs` looks at each file as well.
  thresholds: { high: 95, low: 90, break: 85 },
}
