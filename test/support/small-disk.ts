// File systems of their own for tests: small ones that can be filled, and be mounted read-only.

import { spawnSync } from 'node:child_process'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { temporaryFolder } from './temporary-folder.ts'

let refusal: string | null | undefined

/**
 * Whether this process may mount a file system; if not, a line says what is not tested. Also in continuous integration,
 * since this is a right, and nothing that could be installed: many containers do not give it.
 */
export function mayMount(): boolean {
  refusal ??= tryToMount()
  if (refusal === '') return true
  console.warn(`not tested on a disk that is really full or read-only: ${refusal}`)
  return false
}

export interface SmallDisk {
  readonly folder: string
  /** Takes all the room that is left. */
  fill(): void
  /** Gives that room back. */
  free(): void
  /** Mounts it anew, so that nothing can be written, whoever one is. No file may be open for writing. */
  readOnly(yes: boolean): void
}

/** An empty file system in memory, gone when the test is over. */
export async function smallDisk(bytes = 1024 * 1024): Promise<SmallDisk> {
  const folder = await temporaryFolder()
  run('mount', '-t', 'tmpfs', '-o', `size=${bytes},mode=700`, 'tmpfs', folder)
  onTestFinished(() => run('umount', '-l', folder))
  const filler = join(folder, 'filler')
  return {
    folder,
    fill() {
      const descriptor = openSync(filler, 'a')
      try {
        for (let size = 64 * 1024; size >= 1; ) {
          try {
            if (writeSync(descriptor, Buffer.alloc(size)) < size) size = Math.floor(size / 2)
          } catch {
            size = Math.floor(size / 2)
          }
        }
      } finally {
        closeSync(descriptor)
      }
    },
    free() {
      rmSync(filler, { force: true })
    },
    readOnly(yes) {
      run('mount', '-o', `remount,${yes ? 'ro' : 'rw'}`, folder)
    },
  }
}

function tryToMount(): string {
  if (process.platform !== 'linux') return `not on ${process.platform}`
  // A namespace of its own takes the mount with it.
  const { status, stderr } = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { encoding: 'utf8' })
  return status === 0 ? '' : (stderr?.trim() ?? 'no unshare')
}

function run(command: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`)
}
