// Scripts run by their hash, so that their text does not travel with each call. A server that has just started, or a new
// node of a cluster, does not know the hash yet; then the text is sent once. Not `FUNCTION`: it needs the right to load
// libraries, which hosted servers often withhold, and for one key it gives nothing more.

import { hash } from 'node:crypto'
import type { RedisCommand } from './client.ts'

export class Script {
  readonly #text: string
  readonly #sha: string

  constructor(text: string) {
    this.#text = text
    this.#sha = hash('sha1', text, 'hex')
  }

  /** Runs it on one key: in a cluster, a script may touch the keys of one node only. */
  run(command: RedisCommand, key: string, args: readonly string[]): Promise<unknown> {
    return command(['EVALSHA', this.#sha, '1', key, ...args], key).catch((error) => {
      if (!isUnknownScript(error)) throw error
      return command(['EVAL', this.#text, '1', key, ...args], key)
    })
  }
}

/** By its text: the error of a client need not be of our realm. */
function isUnknownScript(error: unknown): boolean {
  const message: unknown = typeof error === 'object' && error !== null && 'message' in error ? error.message : null
  return typeof message === 'string' && message.startsWith('NOSCRIPT')
}
