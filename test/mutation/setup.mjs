// Each run of the tests of a module is repeated for every mutant, so it has to be quick. The properties try few values,
// and the same ones each time, so that a mutant which was killed is killed again.
import fc from 'fast-check'
import { beforeEach } from 'vitest'
import { LEFT_OUT } from './modules.mjs'

fc.configureGlobal({ seed: 1965, numRuns: 25, interruptAfterTimeLimit: 500 })

beforeEach(({ task, skip }) => {
  if (LEFT_OUT.includes(task.name)) skip()
})
