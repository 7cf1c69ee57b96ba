// What a command is: it does its work, and says what came of it twice, as data and as text. Which of them is printed is
// not its business.

import { once } from 'node:events'
import { Command, type CommanderError, Option } from 'commander'
import { type FileProblem, ImportError, TlacacocaError } from '../errors.ts'
import { ExitCode, Explained, exitCodeFor, UsageError } from './exit-code.ts'
import { harmlessJson, withoutControls, withoutControlsButStyles } from './harmless.ts'
import { type CliIo, styled } from './io.ts'

/** What came of a command. */
export interface Outcome {
  /**
   * For `--json`: plain data, one value. Dates as ISO texts, fingerprints in canonical form. Where there may be more of
   * them than fit into memory, an `AsyncIterable` of values, which are printed as one list.
   */
  readonly json: unknown
  /** For people. Without a line end at its end; empty prints nothing. Of an `AsyncIterable` each is on lines of its own. */
  readonly text: string | AsyncIterable<string>
  /** Default 0. */
  readonly exitCode?: ExitCode
}

/** How the action of a command is run. */
export interface ActionOptions {
  /** Whether it ends in good order by itself when it is interrupted. Otherwise nobody waits for it any longer. */
  readonly endsItself?: boolean
}

/** One run of the program: where it speaks, and how it will end. */
export class Cli {
  readonly io: CliIo
  /** Whether results and errors are wanted as JSON. */
  readonly json: boolean
  exitCode: ExitCode = ExitCode.ok

  constructor(io: CliIo, json = false) {
    this.io = io
    this.json = json
  }

  /**
   * Makes the action of a command: `tofu.command('show').argument('<server>').action(cli.action(show))`. The work is given
   * this run, and then what the parser gives. What comes back is printed, and every error in the same form.
   */
  action<Args extends readonly unknown[]>(
    work: (cli: Cli, ...args: Args) => Promise<Outcome>,
    options: ActionOptions = {},
  ): (...args: unknown[]) => Promise<void> {
    return async (...args) => {
      let hasPrinted = false
      try {
        const working = work(this, ...(args as unknown as Args))
        const outcome = await (options.endsItself === true ? working : untilAborted(working, this.io.signal))
        this.exitCode = outcome.exitCode ?? ExitCode.ok
        for await (const piece of this.json ? jsonPieces(outcome.json) : textPieces(this.io, outcome.text)) {
          if (options.endsItself !== true) this.io.signal.throwIfAborted()
          hasPrinted = true
          if (!this.io.stdout.write(piece)) await once(this.io.stdout, 'drain')
        }
      } catch (error) {
        // What is half printed is no JSON any more, and gets none behind it.
        this.fail(error, this.json && !hasPrinted)
      }
    }
  }

  /** Says what went wrong, on the standard error, or as `{ error }` in JSON on the standard output. */
  fail(error: unknown, json = this.json): void {
    const interrupted = this.io.signal.aborted
    this.exitCode = interrupted ? ExitCode.interrupted : exitCodeFor(error)
    const cause = error instanceof Explained ? error.cause : error
    const message = interrupted ? 'interrupted' : error instanceof Error ? error.message : String(error)
    const code = cause instanceof TlacacocaError && !interrupted ? cause.code : undefined
    if (json) {
      const problems = cause instanceof Error && 'problems' in cause ? { problems: cause.problems } : {}
      const facts = error instanceof Explained ? error.facts : {}
      print(
        this.io.stdout,
        harmlessJson({ error: { ...(code === undefined ? {} : { code }), message, ...problems, ...facts } }, 2),
      )
      return
    }
    const suffix = code === undefined ? '' : ` [${code}]`
    print(this.io.stderr, `${styled(this.io, 'red', 'error:')} ${withoutControls(message)}${suffix}`)
    if (cause instanceof ImportError && cause.problems.length > 0) print(this.io.stderr, problemLines(cause.problems))
    if (this.exitCode === ExitCode.internal && error instanceof Error) print(this.io.stderr, error.stack ?? '')
  }
}

/** The work, or a rejection as soon as the signal is aborted. What the work does after that is nobody's business. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** A program, or a group of commands, that never ends the process by itself. */
export function newCommand(cli: Cli, name: string): Command {
  const { stdout, stderr, hasColor } = cli.io
  return new Command(name)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      // With --json the error comes as JSON, and once is enough.
      writeErr: (text) => cli.json || stderr.write(text),
      getOutHasColors: () => hasColor,
      getErrHasColors: () => hasColor,
    })
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(--help says more)')
}

export const jsonOption = (): Option => new Option('--json', 'print the result as JSON')

/** How the parser itself ended: help and version are no failures, the help that stands for a missing subcommand is. */
export function endOfParser(cli: Cli, error: CommanderError): ExitCode {
  if (error.exitCode === 0) return ExitCode.ok
  if (cli.json) {
    const message = error.code === 'commander.help' ? 'a subcommand is missing' : error.message.replace(/^error: /, '')
    cli.fail(new UsageError(message))
  }
  return ExitCode.usage
}

/** What is wrong in a file, one thing a line, as far as people read on. */
export function problemLines(problems: readonly FileProblem[]): string {
  const shown = problems
    .slice(0, MAX_PROBLEMS)
    .map(({ line, message }) => `  line ${line}: ${withoutControls(message)}`)
  const others = problems.length - shown.length
  return [...shown, ...(others === 0 ? [] : [`  and ${others} more, which --json lists`])].join('\n')
}

const MAX_PROBLEMS = 20

async function* jsonPieces(json: unknown): AsyncGenerator<string> {
  if (!isAsyncIterable(json)) {
    yield `${harmlessJson(json, 2)}\n`
    return
  }
  let isEmpty = true
  for await (const value of json) {
    yield `${isEmpty ? '[' : ','}\n  ${harmlessJson(value)}`
    isEmpty = false
  }
  yield isEmpty ? '[]\n' : '\n]\n'
}

/** Whatever is in the text of others, and no command thought of, steers no terminal. */
async function* textPieces(io: CliIo, text: Outcome['text']): AsyncGenerator<string> {
  const harmless = io.hasColor ? withoutControlsButStyles : withoutControls
  for await (const piece of isAsyncIterable(text) ? text : [text]) if (piece !== '') yield `${harmless(piece)}\n`
}

function isAsyncIterable<T>(value: AsyncIterable<T> | unknown): value is AsyncIterable<T> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}

function print(stream: { write(text: string): unknown }, text: string): void {
  stream.write(`${text}\n`)
}
