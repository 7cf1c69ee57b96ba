import { show } from '../internal/arguments.ts'

/**
 * Runs one command on Redis or Valkey and resolves with its answer, or rejects with its error.
 *
 * @param command - The command and its arguments, such as `['DEL', 'key']`.
 * @param key - The key that the command is about, for clients of a cluster that have to be told.
 */
export type RedisCommand = (command: readonly string[], key: string) => Promise<unknown>

/**
 * A client of Redis or Valkey, as its package makes it: of `ioredis` or `iovalkey` (single or cluster), which have `call`;
 * of `redis`, which has `sendCommand`; or a function, for any other. No client is installed with this library.
 *
 * @example
 * import type { RedisClient } from 'tlacacoca/redis'
 *
 * // The cluster client of `redis` wants to know the key. All else fits as it is.
 * interface Cluster {
 *   sendCommand(key: string, isReadonly: boolean, command: string[]): Promise<unknown>
 * }
 * export const clientOf = (cluster: Cluster): RedisClient => (command, key) => cluster.sendCommand(key, false, [...command])
 */
export type RedisClient =
  | RedisCommand
  | {
      /** Runs a command by its name, as `ioredis` does. */
      call(command: string, ...args: string[]): Promise<unknown>
    }
  | {
      /** Runs a command whose name comes first, as `redis` does. */
      sendCommand(command: string[]): Promise<unknown>
    }

/** One way to ask all of them, whose promises are of our own make. */
export function commandOf(client: RedisClient): RedisCommand {
  if (typeof client === 'function') return async (command, key) => client(command, key)
  // `ioredis` has a `sendCommand` too, which takes something else.
  if (typeof client === 'object' && client !== null && 'call' in client && typeof client.call === 'function') {
    return async ([name = '', ...args]) => client.call(name, ...args)
  }
  if (typeof client === 'object' && client !== null && 'sendCommand' in client) {
    if (typeof client.sendCommand === 'function') return async (command) => client.sendCommand([...command])
  }
  throw new TypeError(`"client" expected a function, or a client with "call" or "sendCommand", got ${show(client)}`)
}
