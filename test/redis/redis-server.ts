// A Redis of the test's own, on a socket in a temporary folder, so that it meets no other and needs no port.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

function works(): boolean {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Whether there is a Redis to test with. Where every program is meant to be there, a test without it fails. */
export const haveRedis = process.env.CI === 'true' || works()
if (!haveRedis) console.warn('no redis-server here: the tests that need it are skipped')

export class RedisServer {
  readonly path: string
  readonly #folder = mkdtempSync(join(tmpdir(), 'tlacacoca-redis-'))
  readonly #settings: Readonly<Record<string, string>>
  #process: ChildProcess | null = null

  /** @param settings - As in its configuration, where they differ. */
  constructor(settings: Readonly<Record<string, string>> = {}) {
    this.path = join(this.#folder, 'socket')
    this.#settings = settings
  }

  async start(): Promise<this> {
    const usual = { port: '0', unixsocket: this.path, dir: this.#folder, save: '', appendonly: 'no', daemonize: 'no' }
    const settings = { ...usual, ...this.#settings }
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
    const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#process = child
    for await (const line of createInterface({ input: child.stdout })) {
      // Redis 7.0 says so with a lower-case t at the end, later ones "ready to accept connections unix".
      if (/ready to accept connections/i.test(line)) break
    }
    child.stdout.resume()
    return this
  }

  /** Ends it without a chance to say goodbye; what it knew is lost. */
  async kill(): Promise<void> {
    const child = this.#process
    this.#process = null
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  /** Holds it in the middle of whatever it does: connections stay, and nobody answers. */
  freeze(): void {
    this.#process?.kill('SIGSTOP')
  }

  thaw(): void {
    this.#process?.kill('SIGCONT')
  }

  async remove(): Promise<void> {
    await this.kill()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
