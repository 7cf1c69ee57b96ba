// Programs of the benchmarks are run as a bundle, as what is published is one: a program that is translated while it is
// loaded runs differently, and not equally so for every contender.

import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

export const PEERS_MANIFEST = here('peers/package.json')

/** Where the contender's processes find the packages that it is compared with. */
export const workerEnvironment: NodeJS.ProcessEnv = { ...process.env, TLACACOCA_BENCH_PEERS: PEERS_MANIFEST }

export interface Bundle {
  readonly folder: string
  close(): void
}

/** @param entries - What each program is called, and the absolute path of its source. */
export async function bundled(entries: Readonly<Record<string, string>>): Promise<Bundle> {
  // Beside the packages that they load.
  const cache = here('../../node_modules/.cache/tlacacoca-bench/')
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(cache)
  await build({
    entryPoints: { ...entries },
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    packages: 'external',
    alias: { tlacacoca: here('../../src') },
    logLevel: 'warning',
  })
  return { folder, close: () => rmSync(folder, { recursive: true, force: true }) }
}

export interface Program {
  /** Runs it once, and gives what it says in JSON. */
  run(...args: readonly string[]): Promise<unknown>
  close(): void
}

/** A program that does one thing, says what it took, and ends. */
export async function programOf(source: URL): Promise<Program> {
  const { folder, close } = await bundled({ program: fileURLToPath(source) })
  const file = join(folder, 'program.mjs')
  return {
    async run(...args) {
      const options = { encoding: 'utf8', env: workerEnvironment, timeout: MAX_RUN_MS } as const
      const { stdout } = await promisify(execFile)(process.execPath, ['--no-warnings', file, ...args], options)
      return JSON.parse(stdout)
    },
    close,
  }
}

/** Far longer than anything takes: what takes longer does not happen. */
const MAX_RUN_MS = 600_000
