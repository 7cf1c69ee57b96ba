// Everything that a command does to the world outside the library goes through here, so that tests can put their own in
// its place, and so that the rules about terminals are kept in one spot: colours, questions and progress only where
// somebody looks on; data on the standard output and everything else on the standard error.

import type { Readable, Writable } from 'node:stream'
import { styleText } from 'node:util'
import type { Clock } from '../internal/clock.ts'
import { systemClock } from '../internal/clock.ts'
import { Declined, UsageError } from './exit-code.ts'
import { withoutControls } from './harmless.ts'

/** What a command may say and ask. */
export interface CliIo {
  readonly stdin: Readable
  readonly stdout: Writable
  readonly stderr: Writable
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  /** Whether all that is printed is looked at, so that colours help. */
  readonly hasColor: boolean
  /** Whether somebody is there to be asked. */
  readonly canAsk: boolean
  /** Asks a question with yes or no. Only where `canAsk`. */
  confirm(question: string): Promise<boolean>
  /** Asks for a secret, which is not shown. Only where `canAsk`. */
  askSecret(question: string): Promise<string>
  /** Shows how far something has come, where somebody looks on. */
  progress(title: string, total: number): Progress
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
  /** Listens for another signal of the system, until the function is called that this returns. */
  onSignal(name: 'SIGHUP' | 'SIGTERM', listener: () => void): () => void
}

/** Something that takes long. */
export interface Progress {
  /** So much of the total is done now. */
  update(done: number): void
  stop(): void
}

export type Style = Parameters<typeof styleText>[0]

/** Text in a colour, where there are colours. */
export function styled(io: CliIo, style: Style, text: string): string {
  // Whether there are colours has been decided. Newer versions of Node would look at their own standard output again.
  return io.hasColor ? styleText(style, text, { validateStream: false }) : text
}

/** Asks for a yes, or throws. Whoever cannot be asked has to say `--force`. */
export async function requireYes(io: CliIo, question: string, force: boolean): Promise<void> {
  if (force) return
  if (!io.canAsk) throw new UsageError(`${question} Nobody can be asked here: say --force`)
  if (!(await io.confirm(question))) throw new Declined('nothing was changed')
}

/** The terminal, or the pipes, that this process was started with. */
export function processIo(signal: AbortSignal): CliIo {
  const { stdin, stdout, stderr, env } = process
  // https://no-color.org: any text that is not empty.
  const noColor = env.NO_COLOR !== undefined && env.NO_COLOR !== ''
  const canAsk = stdin.isTTY === true && stderr.isTTY === true
  return {
    stdin,
    stdout,
    stderr,
    env,
    clock: systemClock,
    // Of both, because errors have colours too, and are kept in files.
    hasColor: stdout.isTTY === true && stderr.isTTY === true && !noColor && env.TERM !== 'dumb',
    canAsk,
    async confirm(question) {
      const { confirm, isCancel } = await import('@clack/prompts')
      const answer = await confirm({ message: withoutControls(question), initialValue: false, output: stderr, signal })
      if (isCancel(answer)) throw new Declined('nothing was changed')
      return answer
    },
    async askSecret(question) {
      const { password, isCancel } = await import('@clack/prompts')
      const answer = await password({ message: withoutControls(question), output: stderr, signal })
      if (isCancel(answer)) throw new Declined('no passphrase was entered')
      return answer
    },
    progress: (title, total) => (stderr.isTTY === true ? terminalProgress(title, total) : NO_PROGRESS),
    signal,
    onSignal(name, listener) {
      process.on(name, listener)
      return () => process.off(name, listener)
    },
  }
}

const NO_PROGRESS: Progress = { update() {}, stop() {} }

function terminalProgress(title: string, total: number): Progress {
  // Loaded while the work has begun already: nobody waits for a bar.
  const bar = import('@clack/prompts').then(({ progress }) => {
    const shown = progress({ max: Math.max(total, 1), output: process.stderr })
    shown.start(title)
    return shown
  })
  let shownDone = 0
  return {
    update(done) {
      const step = done - shownDone
      shownDone = done
      void bar.then((shown) => shown.advance(step))
    },
    stop() {
      void bar.then((shown) => shown.stop(title))
    },
  }
}
