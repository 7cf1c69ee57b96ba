// The command, run within the test: what it prints is caught, and what it asks is answered from a script.

import type { EventEmitter } from 'node:events'
import { PassThrough, Readable, Writable } from 'node:stream'
import { onTestFinished } from 'vitest'
import { groups as allGroups } from '../../src/cli/groups.ts'
import type { CliIo, Progress } from '../../src/cli/io.ts'
import { type CommandGroup, run } from '../../src/cli/program.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** 2030-06-01 at noon. */
export const CLI_NOW = Date.UTC(2030, 5, 1, 12)

export interface CliOptions {
  /** The commands that there are. Default: all. */
  readonly groups?: readonly CommandGroup[]
  /**
   * What somebody at the terminal answers, in this order: true and false to questions, texts for secrets. Without it there
   * is nobody to be asked.
   */
  readonly answers?: readonly (boolean | string)[]
  /** Called for each question, before it is answered. */
  readonly onQuestion?: (question: string) => Promise<void>
  readonly stdin?: string | Uint8Array
  readonly env?: Readonly<Record<string, string>>
  /** The home directory. Default: a new one. */
  readonly home?: string
  readonly now?: number
  readonly hasColor?: boolean
  readonly signal?: AbortSignal
  /** Where signals of the system come from: `signals.emit('SIGHUP')`. */
  readonly signals?: EventEmitter
  /** Told of what goes to the standard output, piece by piece. */
  readonly onStdout?: (text: string) => void
  /** Told of what goes to the standard error, piece by piece. */
  readonly onStderr?: (text: string) => void
}

export interface CliResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** What was asked. */
  readonly questions: readonly string[]
  /** The titles of what progress was shown of, and how far each came. */
  readonly progress: readonly { readonly title: string; readonly total: number; readonly done: number }[]
  /** The standard output, which must be one JSON value. */
  json(): unknown
}

/** Runs one command line to its end. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const home = options.home ?? (await temporaryFolder())
  const stdout = new Sink(options.onStdout)
  const stderr = new Sink(options.onStderr)
  const answers = [...(options.answers ?? [])]
  const questions: string[] = []
  const progress: { title: string; total: number; done: number }[] = []

  async function answer<T extends 'boolean' | 'string'>(question: string, kind: T): Promise<boolean | string> {
    questions.push(question)
    await options.onQuestion?.(question)
    const next = answers.shift()
    if (typeof next === kind && next !== undefined) return next
    throw new Error(`the test has no ${kind} to answer: ${question}`)
  }

  const io: CliIo = {
    stdin: options.stdin === undefined ? new PassThrough().end() : Readable.from([Buffer.from(options.stdin)]),
    stdout,
    stderr,
    env: { HOME: home, ...options.env },
    clock: () => options.now ?? CLI_NOW,
    hasColor: options.hasColor === true,
    canAsk: options.answers !== undefined,
    confirm: async (question) => (await answer(question, 'boolean')) === true,
    askSecret: async (question) => String(await answer(question, 'string')),
    progress(title, total): Progress {
      const shown = { title, total, done: 0 }
      progress.push(shown)
      return {
        update(done) {
          shown.done = done
        },
        stop() {},
      }
    },
    signal: options.signal ?? new AbortController().signal,
    onSignal(name, listener) {
      options.signals?.on(name, listener)
      return () => options.signals?.off(name, listener)
    },
  }
  const code = await run(args, io, '0.0.0-test', options.groups ?? allGroups)
  return {
    code,
    stdout: stdout.text,
    stderr: stderr.text,
    questions,
    progress,
    json: () => JSON.parse(stdout.text),
  }
}

/** For looking at the commands without running any: nobody is asked, and what is said is lost. */
export function quietIo(): CliIo {
  return {
    stdin: new PassThrough().end(),
    stdout: new Sink(),
    stderr: new Sink(),
    env: {},
    clock: () => CLI_NOW,
    hasColor: false,
    canAsk: false,
    confirm: async () => false,
    askSecret: async () => '',
    progress: () => ({ update() {}, stop() {} }),
    signal: new AbortController().signal,
    onSignal: () => () => {},
  }
}

/** A home directory, for several commands in a row. */
export async function temporaryHome(): Promise<string> {
  return temporaryFolder()
}

/** A signal to end a command by, which is given at the latest when the test is over. */
export function interruption(): AbortController {
  const controller = new AbortController()
  onTestFinished(() => controller.abort(new Error('the test is over')))
  return controller
}

class Sink extends Writable {
  text = ''
  readonly #onText: ((text: string) => void) | undefined

  constructor(onText?: (text: string) => void) {
    super({ decodeStrings: false })
    this.#onText = onText
  }

  override _write(chunk: string | Uint8Array, _encoding: BufferEncoding, done: () => void): void {
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8')
    this.text += text
    this.#onText?.(text)
    done()
  }
}
