// Other people's TLS programs as peers: started, read and typed at, and gone when the test is over.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { onTestFinished } from 'vitest'

export class CommandLinePeer {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #ended: Promise<void>
  /** Of either stream by itself, since a piece of one may come in the middle of a line of the other. */
  readonly #printed = { stdout: '', stderr: '' }
  #hasEnded = false
  #listeners: (() => void)[] = []

  constructor(command: string, args: readonly string[]) {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child = child
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (piece: string) => {
        this.#printed[stream] += piece
        this.#tell()
      })
    }
    child.stdin.on('error', () => undefined)
    this.#ended = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', () => {
        this.#hasEnded = true
        this.#tell()
        resolve()
      })
    })
    onTestFinished(() => void child.kill('SIGKILL'))
  }

  /** All that it has printed so far, its errors last. */
  get output(): string {
    return `${this.#printed.stdout}\n${this.#printed.stderr}`
  }

  /** What it has printed when it has ended by itself. */
  async ended(): Promise<string> {
    await this.#ended
    return this.output
  }

  /** Waits until it has printed something that matches, and returns the match. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.output)
      if (found !== null) return found
      if (this.#hasEnded) throw new Error(`it ended without ${pattern}: ${this.output}`)
      await new Promise<void>((resolve) => this.#listeners.push(resolve))
    }
  }

  /** Types a line. */
  type(line: string): void {
    this.#child.stdin.write(`${line}\n`)
  }

  #tell(): void {
    for (const listener of this.#listeners.splice(0)) listener()
  }
}
