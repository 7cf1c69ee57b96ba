// The command while it runs: in this process, with the test looking on and interrupting; or as a process of its own.

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { EventEmitter } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { type CliOptions, type CliResult, interruption, runCli } from './cli.ts'

/** A run that goes on. */
export interface RunningCli {
  readonly result: Promise<CliResult>
  /** Resolves with the match once the text so far has it; rejects if the run ends before. */
  printed(where: 'stdout' | 'stderr', pattern: RegExp): Promise<RegExpExecArray>
  interrupt(): void
  signal(name: 'SIGHUP' | 'SIGTERM'): void
}

/** Runs a command line in this process. It is interrupted at the latest when the test is over. */
export function startCli(args: readonly string[], options: CliOptions = {}): RunningCli {
  const controller = interruption()
  const signals = new EventEmitter()
  const texts = { stdout: '', stderr: '' }
  const news = new EventEmitter()
  let ended = false
  const append = (where: 'stdout' | 'stderr') => (text: string) => {
    texts[where] += text
    news.emit('text')
  }
  const result = runCli(args, {
    ...options,
    signal: controller.signal,
    signals,
    onStdout: append('stdout'),
    onStderr: append('stderr'),
  }).finally(() => {
    ended = true
    news.emit('text')
  })
  onTestFinished(async () => {
    controller.abort(new Error('the test is over'))
    await result.catch(() => undefined)
  })
  return {
    result,
    printed(where, pattern) {
      return new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(texts[where])
          if (match !== null) resolve(match)
          else if (ended) reject(new Error(`it ended without ${pattern}:\n${texts.stdout}\n${texts.stderr}`))
          else news.once('text', look)
        }
        look()
      })
    },
    interrupt: () => controller.abort(new Error('interrupted')),
    signal: (name) => signals.emit(name),
  }
}

/** A process of its own. */
export interface CliChild {
  readonly process: ChildProcessByStdio<Writable, Readable, Readable>
  readonly ended: Promise<{
    readonly code: number | null
    readonly signal: NodeJS.Signals | null
    readonly stdout: string
    readonly stderr: string
  }>
  /** Resolves once the text so far has it; rejects if the process ends before. */
  printed(where: 'stdout' | 'stderr', pattern: RegExp): Promise<RegExpExecArray>
}

/** The words that start the command. */
export const CLI_COMMAND: readonly [string, ...string[]] = [
  process.execPath,
  '--import',
  'tsx',
  fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url)),
]

/** Runs the command as a process. It inherits the environment, and is killed when the test is over. */
export function spawnCli(
  args: readonly string[],
  options: { readonly home?: string; readonly env?: NodeJS.ProcessEnv; readonly stdin?: string } = {},
): CliChild {
  const [program, ...before] = CLI_COMMAND
  const { XDG_DATA_HOME: _, ...inherited } = process.env
  const child = spawn(program, [...before, ...args], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { ...inherited, ...(options.home === undefined ? {} : { HOME: options.home }), ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const texts = { stdout: '', stderr: '' }
  const news = new EventEmitter()
  let closed = false
  for (const where of ['stdout', 'stderr'] as const) {
    child[where].on('data', (chunk) => {
      texts[where] += chunk
      news.emit('text')
    })
  }
  child.stdin.on('error', () => {})
  if (options.stdin !== undefined) child.stdin.end(options.stdin)
  const ended: CliChild['ended'] = new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      closed = true
      resolve({ code, signal, ...texts })
      news.emit('text')
    })
  })
  onTestFinished(() => {
    if (child.exitCode === null) child.kill('SIGKILL')
  })
  const printed: CliChild['printed'] = (where, pattern) =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(texts[where])
        if (match !== null) resolve(match)
        else if (closed) reject(new Error(`it ended without ${pattern}:\n${texts.stdout}\n${texts.stderr}`))
        else news.once('text', look)
      }
      look()
    })
  return { process: child, ended, printed }
}
