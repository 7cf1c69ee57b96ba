// A process that does what it is told: one side starts it and asks, the other side, in that process, obeys.

import { spawn } from 'node:child_process'
import { workerEnvironment } from './bundle.ts'

/** What can be asked for, by name. */
export type CommandSet = Readonly<Record<string, (...args: never[]) => Promise<unknown>>>

export interface Worker<Commands extends CommandSet> {
  ask<Name extends keyof Commands & string>(
    command: Name,
    ...args: Parameters<Commands[Name]>
  ): Promise<Awaited<ReturnType<Commands[Name]>>>
  stop(): void
}

/** Far more than anything takes. A benchmark that waits for longer waits for something that will not happen. */
const MAX_WAIT_MS = 60_000

interface Answer {
  readonly id: number
  readonly answer: never
  readonly error?: string
}

/** @param prefix - Such as `taskset` and its arguments. */
export function startWorker<Commands extends CommandSet>(
  file: string,
  prefix: readonly string[] = [],
): Worker<Commands> {
  const [command = '', ...args] = [...prefix, process.execPath, '--no-warnings', '--expose-gc', file]
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], env: workerEnvironment })
  const waiting = new Map<number, { resolve: (answer: never) => void; reject: (error: Error) => void }>()
  let calls = 0
  child.on('message', ({ id, answer, error }: Answer) => {
    const call = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) call?.resolve(answer)
    else call?.reject(new Error(error))
  })
  child.once('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`the process ended with ${code}`))
  })
  return {
    ask: (command, ...args) =>
      new Promise((resolve, reject) => {
        const id = calls++
        const timer = setTimeout(() => reject(new Error(`no answer to ${command}`)), MAX_WAIT_MS)
        const settle =
          <Value>(action: (value: Value) => void) =>
          (value: Value): void => {
            clearTimeout(timer)
            action(value)
          }
        waiting.set(id, { resolve: settle(resolve), reject: settle(reject) })
        child.send({ id, command, args })
      }),
    stop: () => child.kill(),
  }
}

interface Call {
  readonly id: number
  readonly command: string
  readonly args: readonly never[]
}

/** In the process that is told. It ends with the one that tells it. */
export function obey(commands: CommandSet): void {
  process.on('message', ({ id, command, args }: Call) => {
    const run = commands[command] ?? (() => Promise.reject(new Error(`there is no command ${command}`)))
    run(...args).then(
      (answer) => process.send?.({ id, answer }),
      (error) => process.send?.({ id, error: String(error instanceof Error ? error.stack : error) }),
    )
  })
  process.on('disconnect', () => process.exit())
}
