// Programs of the field that the tests talk to, where they are installed.

import { spawnSync } from 'node:child_process'

/**
 * Whether a program is here. Where it is not, a line says what is not tested. Continuous integration installs them all, so
 * that there it is an error: tests that nobody misses are none.
 */
export function hasProgram(name: string, args: readonly string[] = ['--version']): boolean {
  if (spawnSync(name, args, { stdio: 'ignore' }).error === undefined) return true
  if (process.env.CI === 'true') throw new Error(`${name} is not installed, and continuous integration tests with it`)
  console.warn(`not tested with ${name}: it is not installed`)
  return false
}
