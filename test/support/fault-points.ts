// Faults at every step: the calls to the file system that a piece of work makes are counted, and one of them fails, or is
// the last that is made, as if the program had been killed before it.

import fs, { type FileHandle } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

/** What goes wrong: an error by this name from one call, or no call any more from that one on. */
export type Fault = 'EIO' | 'EMFILE' | 'ENOSPC' | 'killed'

const CALLS = ['open', 'link', 'lstat', 'stat', 'mkdir', 'rename', 'unlink', 'readdir', 'access', 'copyFile'] as const
const HANDLE_CALLS = ['writeFile', 'read', 'sync', 'stat'] as const

/** How a piece of work ended. */
export type Ended<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'failed'; readonly error: unknown }
  /** It waits for ever for the call that was not made. */
  | { readonly kind: 'killed' }

/**
 * Does something in which the call of this number goes wrong.
 *
 * @param at - From 0. Beyond the last call nothing goes wrong.
 * @returns How it ended, and which call it was; null if there were not as many.
 */
export async function withFault<T>(
  at: number,
  fault: Fault,
  act: () => Promise<T>,
): Promise<{ readonly ended: Ended<T>; readonly call: string | null }> {
  let count = 0
  let call: string | null = null
  let stop: () => void = () => {}
  const stopped = new Promise<void>((resolve) => {
    stop = resolve
  })

  function before(name: string): Promise<never> | null {
    const number = count++
    if (number < at || (number > at && fault !== 'killed')) return null
    if (number === at) call = name
    if (fault !== 'killed') return Promise.reject(Object.assign(new Error(`${fault}: ${name}`), { code: fault }))
    stop()
    return new Promise(() => {})
  }

  const handles: FileHandle[] = []
  const restore = patch(fs as unknown as Methods, CALLS, before, (name, result) => {
    if (name !== 'open') return
    handles.push(result as FileHandle)
    watch(result as FileHandle, before)
  })
  try {
    const ended = await Promise.race<Ended<T>>([
      act().then(
        (value) => ({ kind: 'done', value }),
        (error: unknown) => ({ kind: 'failed', error }),
      ),
      stopped.then(() => ({ kind: 'killed' })),
    ])
    return { ended, call }
  } finally {
    // What was killed waits at its call, and makes no other.
    restore()
    // Closing one twice does nothing.
    if (fault === 'killed') for (const handle of handles) await handle.close()
  }
}

type Methods = Record<string, (...args: unknown[]) => Promise<unknown>>

function patch(
  owner: Methods,
  names: readonly string[],
  before: (name: string) => Promise<never> | null,
  after: (name: string, result: unknown) => void,
): () => void {
  const originals = names.map((name) => [name, owner[name]] as const)
  for (const [name, original] of originals) {
    owner[name] = async (...args) => {
      const instead = before(name)
      if (instead !== null) return instead
      const result = await original?.apply(owner, args)
      after(name, result)
      return result
    }
  }
  // Named imports follow.
  syncBuiltinESMExports()
  return () => {
    for (const [name, original] of originals) if (original !== undefined) owner[name] = original
    syncBuiltinESMExports()
  }
}

function watch(handle: FileHandle, before: (name: string) => Promise<never> | null): void {
  for (const name of HANDLE_CALLS) {
    const original = handle[name].bind(handle) as (...args: unknown[]) => Promise<unknown>
    Object.assign(handle, {
      [name]: async (...args: unknown[]) => before(`handle.${name}`) ?? original(...args),
    })
  }
}
