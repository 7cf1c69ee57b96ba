// Stryker's runner for vitest, with one thing added: a test file that cannot be loaded has failed. Otherwise a mutant that
// breaks a constant of a module so thoroughly that nothing can be imported any more, and no test begins, has survived.

import { commonTokens, declareFactoryPlugin, PluginKind, tokens } from '@stryker-mutator/api/plugin'
import { strykerPlugins as plugins } from '@stryker-mutator/vitest-runner'

export { strykerValidationSchema } from '@stryker-mutator/vitest-runner'

const [{ factory: vitestRunner }] = plugins

function strictRunner(injector) {
  const runner = vitestRunner(injector)
  const run = runner.run.bind(runner)
  runner.run = async (options) => {
    const result = await run(options)
    if (result.status !== 'complete') return result
    const broken = runner.ctx.state
      .getFiles()
      .filter(({ tasks, result }) => tasks.length === 0 && result?.state === 'fail')
    const failures = broken.map(({ filepath, result }) => ({
      id: `${filepath}#`,
      name: 'the file is loaded',
      fileName: filepath,
      timeSpentMs: 0,
      status: 1,
      failureMessage: result?.errors?.[0]?.message ?? 'it cannot be loaded',
    }))
    return { ...result, tests: [...result.tests, ...failures] }
  }
  return runner
}
strictRunner.inject = tokens(commonTokens.injector)

export const strykerPlugins = [declareFactoryPlugin(PluginKind.TestRunner, 'vitest-strict', strictRunner)]
