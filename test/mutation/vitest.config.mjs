// The project's own configuration, with the tests of one module.
import { mergeConfig } from 'vitest/config'
import project from '../../vitest.config.ts'
import { chosenModule } from './modules.mjs'

const { include: _, ...test } = project.test ?? {}

export default mergeConfig(
  { ...project, test },
  { test: { include: [...chosenModule().tests], setupFiles: ['test/mutation/same-seed.ts'] } },
)
