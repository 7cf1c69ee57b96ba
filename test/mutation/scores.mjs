// What a report of Stryker (mutation-testing-report-schema) says of each file.

import { readFileSync } from 'node:fs'

/** Below this a run fails, and not by the average of many files: each of them has to reach it. */
export const LEAST_SCORE = 85

/** How many mutants of each file of a module came to which end. */
export function scoresOf(/** @type {string} */ report, /** @type {readonly string[]} */ mutate) {
  /** @type {{ files: Record<string, { mutants: { status: string }[] }> }} */
  const { files } = JSON.parse(readFileSync(report, 'utf8'))
  // An incremental report still has files that belong to another module by now.
  return mutate.map((file) => {
    const mutants = files[file]?.mutants ?? []
    const count = (/** @type {string[]} */ ...statuses) =>
      mutants.filter(({ status }) => statuses.includes(status)).length
    const killed = count('Killed')
    const timedOut = count('Timeout')
    const survived = count('Survived', 'NoCoverage')
    // A mutant that ended in an error outside of any test is no word for or against the tests, and there are few.
    const undecided = mutants.length - killed - timedOut - survived
    const score = (100 * (killed + timedOut)) / (killed + timedOut + survived)
    return { file, mutants: mutants.length, killed, timedOut, survived, undecided, score }
  })
}
