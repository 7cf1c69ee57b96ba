// What the stores need of a PostgreSQL client, as shapes: `Pool` of `pg` and `PGlite` fit them as they are, and neither is
// a dependency. A store runs several statements on one connection, so a single `Client` of `pg`, in which several calls
// would get mixed up, does not fit.

import { show } from '../internal/arguments.ts'

/** Something that runs a statement, with values for `$1`, `$2` and so on. */
export interface PostgresQueryable {
  /** Rejects if the statement fails. Rows are objects by the names of their columns. */
  query(text: string, values?: unknown[]): Promise<{ readonly rows: unknown[] }>
}

/** A connection that was taken from a pool. */
export interface PostgresPoolConnection extends PostgresQueryable {
  /** Gives it back; with an error, it is closed instead. */
  release(error?: Error | boolean): void
  /** Hears of the end of a connection while no statement runs on it. */
  on?(event: 'error', listener: (error: Error) => void): unknown
  /** Ends what `on` began. */
  off?(event: 'error', listener: (error: Error) => void): unknown
}

/** A pool of connections to a server, such as `Pool` of `pg`. */
export interface PostgresPool extends PostgresQueryable {
  /** Takes a connection, which is given back by its `release`. */
  connect(): Promise<PostgresPoolConnection>
}

/** A database that is used by one at a time and has no `connect`, such as `PGlite`. */
export interface PostgresEmbedded extends PostgresQueryable {
  /** Runs `work` in a transaction, which is undone if it rejects. */
  transaction<T>(work: (transaction: PostgresQueryable) => Promise<T>): Promise<T>
}

/**
 * What the stores work with: a `Pool` of `pg`, a `PGlite`, or something of the same shape.
 *
 * It stays the caller's: several stores share it, and closing a store does not end it. A pool needs a listener for its
 * `error` event, or a connection that breaks while nobody uses it ends the process.
 */
export type PostgresClient = PostgresPool | PostgresEmbedded

/** @internal */
export function isPool(client: PostgresClient): client is PostgresPool {
  // Not by its lack of `transaction`: programs give their pools one of their own, which does not wait its turn.
  return 'connect' in client
}

/** @internal */
export function requireClient(client: unknown): asserts client is PostgresClient {
  const has = (name: string): boolean =>
    typeof client === 'object' && client !== null && typeof Reflect.get(client, name) === 'function'
  // A `Client` of `pg` can connect and query too, but has nothing to be taken from; it alone can escape.
  if (has('query') && (has('connect') ? !has('escapeIdentifier') : has('transaction'))) return
  throw new TypeError(`"client" expected a Pool of pg, a PGlite, or the like, got ${show(client)}`)
}
