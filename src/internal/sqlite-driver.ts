// The package behind our databases, refused where it would end the process.
//
// `better-sqlite3` 13 is built for Node-API 10. Node 20 has 9, and the first database there is a segmentation fault.
// `better-sqlite3` 12 is compiled with the headers of a Node. Those of 24.19 and later, and of 26.4 and later, have an object
// that is collected take back a hook, which the process does not survive if no JavaScript is running at that moment; what is
// compiled so runs in Node 26.4 and later only (https://github.com/nodejs/node/issues/65446). It would be at any time, and a
// server that stops at a moment of the garbage collector's choosing is worse than one that does not start.
//
// npm takes the release that fits the Node it runs in. What is left is other package managers, and lock files of before.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type Driver from 'better-sqlite3'
import { StoreError } from '../errors.ts'

/**
 * Loads the driver. Whoever opens a database gets it from here.
 *
 * @throws {StoreError} STORE_FAILED if the release that is installed would end this process, or none can be loaded.
 */
export async function loadSqlite(): Promise<typeof Driver> {
  const installed = findDriver()
  const problem =
    installed === null ? null : problemOf({ ...installed, node: process.versions.node, napi: process.versions.napi })
  if (problem !== null) throw new StoreError('ERR_TLACACOCA_STORE_FAILED', problem)
  try {
    const { default: SQLite } = await import('better-sqlite3')
    // What was compiled is loaded with the first database only.
    new SQLite(':memory:').close()
    return SQLite
  } catch (cause) {
    const message = `better-sqlite3 cannot be loaded: ${reasonOf(cause)}. ${ADVICE}`
    throw new StoreError('ERR_TLACACOCA_STORE_FAILED', message, { cause })
  }
}

const ADVICE =
  'If npm ran no install script for it: npm install-scripts approve better-sqlite3, then npm rebuild better-sqlite3'

/** Without the list of places where it was looked for. */
function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split(/\n|\. /, 1)[0] ?? ''
}

/** What the answer depends on. */
export interface DriverFacts {
  readonly node: string
  /** The newest Node-API that this Node has. */
  readonly napi?: string | undefined
  readonly driver: string
  /** Whether the addon takes back hooks. Costs reading it. */
  hasHooks(): boolean
}

/** What to tell whoever installed it; null if it is as it should be. */
export function problemOf({ node, napi, driver, hasHooks }: DriverFacts): string | null {
  const [major = 0, minor = 0] = node.split('.').map(Number)
  if (Number.parseInt(driver, 10) >= 13) {
    if (Number(napi) >= 10) return null
    return `better-sqlite3 ${driver} ends the process in Node ${node}; install better-sqlite3@12, or use Node 22.14 or later`
  }
  // No release of Node 20 has such headers, and there will be no other.
  if (major <= 20 || major > 26 || (major === 26 && minor >= 4) || !hasHooks()) return null
  return `better-sqlite3 ${driver}, as it is compiled, ends the process in Node ${node}; install better-sqlite3@13`
}

function findDriver(): Pick<DriverFacts, 'driver' | 'hasHooks'> | null {
  try {
    const manifest = createRequire(import.meta.url).resolve('better-sqlite3/package.json')
    const { version } = JSON.parse(readFileSync(manifest, 'utf8'))
    return { driver: version, hasHooks: () => takesBackHooks(join(manifest, '../build/Release/better_sqlite3.node')) }
  } catch {
    // It is not there, or in a bundle; to load it says which.
    return null
  }
}

function takesBackHooks(addon: string): boolean {
  try {
    return readFileSync(addon).includes('RemoveEnvironmentCleanupHook')
  } catch {
    // Whoever put it elsewhere has compiled it by himself.
    return false
  }
}
