// The processes of a run: the server with the probe in it, and the visitors. Each is bundled first, as the package is.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { pathToFileURL } from 'node:url'
import { bundle } from '../support/run-child.ts'
import type { Sample } from './recording.ts'

/** What the probe says. */
export type ProbeReport =
  | { readonly kind: 'trouble'; readonly text: string }
  | { readonly kind: 'sample'; readonly values: Omit<Sample, 'seconds' | 'descriptors' | 'visits'> }

export interface SoakChild {
  readonly process: ChildProcess
  readonly stderr: { text: string }
  /** Whether it has ended, and how. */
  readonly ended: Promise<number | null>
}

/** Starts a script of `test/soak` with the words as its `process.argv.slice(1)`. */
export function startScript(script: string, args: readonly string[], options: { readonly probe?: boolean } = {}) {
  // The examples begin to serve when they are the script that Node was started with. Here, none is.
  const program = `await import(${JSON.stringify(pathToFileURL(bundle(`../soak/${script}`)).href)})`
  return start(options.probe === true, ['--input-type=module', '--eval', program, '--', ...args])
}

/** Starts a program of the project as it stands, with the probe. */
export function startProgram(path: string, args: readonly string[], env: NodeJS.ProcessEnv): SoakChild {
  return start(true, ['--import', 'tsx', path, ...args], env)
}

function start(probe: boolean, args: readonly string[], env: NodeJS.ProcessEnv = {}): SoakChild {
  const probing = probe ? ['--expose-gc', '--import', pathToFileURL(bundle('../soak/probe.ts')).href] : []
  const child = spawn(process.execPath, [...probing, ...args], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...process.env, ...env },
  })
  const stderr = { text: '' }
  child.stderr?.on('data', (chunk) => {
    // Enough to see what is wrong, whatever a broken server writes.
    if (stderr.text.length < 1_000_000) stderr.text += chunk
  })
  // To a process that is gone nothing can be said; its end says all there is to say.
  child.on('error', () => {})
  const ended = once(child, 'close').then(([code]) => code as number | null)
  return { process: child, stderr, ended }
}

/** The next message for which `pick` gives something; rejects if the child ends before, or after `withinMs`. */
export function nextMessage<T>(
  { process: child, stderr }: SoakChild,
  pick: (message: unknown) => T | undefined,
  withinMs: number,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const release = (): void => {
      clearTimeout(timer)
      child.off('message', onMessage).off('close', onClose)
    }
    const onMessage = (message: unknown): void => {
      const picked = pick(message)
      if (picked === undefined) return
      release()
      resolve(picked)
    }
    const onClose = (): void => {
      release()
      reject(new Error(`a process ended unasked:\n${stderr.text}`))
    }
    const timer = setTimeout(() => {
      release()
      reject(new Error(`a process has not answered for ${withinMs} ms`))
    }, withinMs)
    child.on('message', onMessage).on('close', onClose)
    if (child.exitCode !== null || child.signalCode !== null) onClose()
  })
}

/** Says something to a child, if it is still there. */
export function say({ process: child }: SoakChild, message: string): void {
  if (child.connected) child.send(message, () => {})
}
