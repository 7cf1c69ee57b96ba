// The packages that the library is compared with. They live in a folder of their own, so that nobody else has to install
// them: `npm ci --prefix test/bench/peers`.

import { createRequire } from 'node:module'

// A contender is bundled, and no longer where this file is.
const require = createRequire(process.env.TLACACOCA_BENCH_PEERS ?? new URL('./peers/package.json', import.meta.url))
const missing = new Set<string>()

/** A peer, or null, with a line that says so, if it is not installed. */
export function loadPeer<Module>(name: string): Module | null {
  try {
    return require(name) as Module
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND')) throw error
    if (!missing.has(name)) console.error(`${name} is left out: npm ci --prefix test/bench/peers installs it`)
    missing.add(name)
    return null
  }
}
