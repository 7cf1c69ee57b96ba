// The project's own configuration, with the tests of one module.
import { relative } from 'node:path'
import { mergeConfig } from 'vitest/config'
import { BaseSequencer } from 'vitest/node'
import project from '../../vitest.config.ts'
import { chosenModule } from './modules.mjs'

const { include: _, ...test } = project.test ?? {}
const { tests, isolate = false } = chosenModule()

/** In the order of the list, quick ones first: the first failure ends a run, and most mutants are killed by any test. */
class InOrder extends BaseSequencer {
  async sort(files) {
    const placeOf = ({ moduleId }) => tests.indexOf(relative(process.cwd(), moduleId))
    return [...files].sort((a, b) => placeOf(a) - placeOf(b))
  }
}

export default mergeConfig(
  { ...project, test },
  {
    test: {
      include: [...tests],
      maxWorkers: 1,
      setupFiles: ['test/mutation/setup.mjs'],
      sequence: { sequencer: InOrder },
      // Usually one worker for each mutant, not for each file; it ends with the run, so no mutant is left in it.
      isolate,
    },
  },
)
