// Starts a child for a target, watches that it goes on, and tells with which input it failed, hung or ended.

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { journalled, type Order, type Report } from './guided-child.ts'

export interface GuidedOptions {
  readonly seed?: number
  readonly seconds?: number
  readonly maxRuns?: number
  /** How long one input may take. A busy machine makes everything slow, so it is long. Default 20,000. */
  readonly hangMs?: number
  /** An input in hex to try instead. */
  readonly replay?: string
}

export type GuidedResult =
  | Report
  /** The process ended, or one input took too long. */
  | { readonly kind: 'crashed' | 'hung'; readonly message: string; readonly input: string }

export async function fuzzGuided(target: string, options: GuidedOptions = {}): Promise<GuidedResult> {
  const {
    seed = Date.now() % 2 ** 31,
    seconds = 60,
    maxRuns = Number.MAX_SAFE_INTEGER,
    hangMs = 20_000,
    replay,
  } = options
  const folder = mkdtempSync(join(tmpdir(), 'tlacacoca-guided-'))
  const journal = join(folder, 'input')
  const order: Order = { target, seed, seconds, maxRuns, journal, ...(replay === undefined ? {} : { replay }) }
  const main = fileURLToPath(new URL('guided-main.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', main, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let complaint = ''
  child.stdout.on('data', (chunk) => {
    out += chunk
  })
  child.stderr.on('data', (chunk) => {
    complaint = `${complaint}${chunk}`.slice(0, 2000)
  })
  let last = ''
  let hung = false
  const watch = setInterval(() => {
    const now = read(journal)
    // Nothing is being tried before the first input, nor is it when the same one comes again at once.
    if (now !== null && now === last) {
      hung = true
      child.kill('SIGKILL')
    }
    last = now ?? ''
  }, hangMs)
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (...end) => resolve(end))
  })
  clearInterval(watch)
  try {
    if (hung) return { kind: 'hung', message: `one input took more than ${hangMs} ms`, input: read(journal) ?? '' }
    const line = out.trimEnd().split('\n').at(-1) ?? ''
    if (code === 0 && line.startsWith('{')) return JSON.parse(line) as Report
    return { kind: 'crashed', message: `${signal ?? `exit code ${code}`}: ${complaint}`, input: read(journal) ?? '' }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function read(path: string): string | null {
  try {
    return Buffer.from(journalled(path)).toString('hex')
  } catch {
    return null
  }
}
