// Programs in processes of their own, for what one process cannot show: races on a file, a kill in the middle of a write,
// what an import loads. They are TypeScript like everything here, which Node 20 cannot run, so they are bundled first.

import { type ChildProcess, spawn } from 'node:child_process'
import { hash } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'

export interface ChildOptions {
  readonly args?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  /** Options for node itself. */
  readonly nodeArgs?: readonly string[]
  /** A shell command to run first in the same process, such as `ulimit -f 0`. */
  readonly shell?: string
}

/** How a child ended, and what it printed. */
export interface ChildResult {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A running child. Whatever it prints can be awaited line by line. */
export interface Child {
  readonly process: ChildProcess
  /** The next line that it prints; null if it ends before it prints one. */
  line(): Promise<string | null>
  send(line: string): void
  kill(): void
  readonly ended: Promise<ChildResult>
}

/** Runs a script of `test/support` to its end. */
export function runChild(script: string, options: ChildOptions = {}): Promise<ChildResult> {
  const child = startChild(script, options)
  child.process.stdin?.end()
  return child.ended
}

/** Starts a script of `test/support` and lets it run. */
export function startChild(script: string, options: ChildOptions = {}): Child {
  const node = [process.execPath, ...(options.nodeArgs ?? []), bundle(script), ...(options.args ?? [])]
  const [command = '', ...args] =
    options.shell === undefined ? node : ['sh', '-c', `${options.shell}; exec "$@"`, 'sh', ...node]
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  // A child that is gone does not read what it is sent; its end says all there is to say.
  child.stdin.on('error', () => {})
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ended = new Promise<ChildResult>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
  return {
    process: child,
    ended,
    async line() {
      const { value, done } = await lines.next()
      return done === true ? null : value
    },
    send(line) {
      child.stdin.write(`${line}\n`)
    },
    kill() {
      child.kill('SIGKILL')
    },
  }
}

const bundles = new Map<string, string>()

/** Bundles a script of `test/support`, inside the project so that it finds the packages, and says where it is. */
export function bundle(script: string): string {
  const known = bundles.get(script)
  if (known !== undefined) return known
  const { outputFiles } = buildSync({
    entryPoints: [join(ROOT, 'test/support', script)],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    logLevel: 'warning',
    write: false,
  })
  const contents = outputFiles[0]?.contents ?? new Uint8Array()
  // Named by its contents, so that runs share it; moved into place, because several test processes may make it at once.
  const file = join(CACHE, `${basename(script, '.ts')}-${hash('sha256', contents, 'hex').slice(0, 16)}.mjs`)
  if (!existsSync(file)) {
    mkdirSync(CACHE, { recursive: true })
    writeFileSync(`${file}.${process.pid}`, contents)
    renameSync(`${file}.${process.pid}`, file)
  }
  bundles.set(script, file)
  return file
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const CACHE = join(ROOT, 'node_modules/.cache/tlacacoca-test')
