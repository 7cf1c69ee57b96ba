// How a store talks to PostgreSQL: single statements, and transactions on one connection.
//
// Time. Whatever a store asks for is answered or has failed within its `timeoutMs`, waiting for a connection included. A
// connection that has not answered by then is closed: an answer that comes later would be taken for the next one's.
//
// Order. A transaction that writes first takes an advisory lock, one for each kind of store in a schema, and reads at READ
// COMMITTED: each of its statements sees all that the one before has written, and what it looks at stays so until it
// writes. Who only reads waits for nobody. The lock goes with the transaction, so it works through poolers too.
//
// Doubt. A connection that breaks while `COMMIT` is under way leaves open what became of it. Then the call fails, and
// nothing is tried again: what we keep is unique, so whoever asks once more is told what has happened.

import { hash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { StoreError } from '../errors.ts'
import { deferred } from '../internal/deferred.ts'
import { isPool, type PostgresClient, type PostgresPool, type PostgresPoolConnection } from './client.ts'
import { isRetryable, postgresFailure } from './failure.ts'
import { decoded, encoded } from './text.ts'

/** A row, by the names of its columns. */
export type Row = Record<string, unknown>

/** Runs statements. Texts come back as they were sent; what fails is a `StoreError`. */
export interface Statements {
  query(text: string, values?: readonly unknown[]): Promise<Row[]>
}

/** Which database it is, and how long it may take. */
export interface DatabaseOptions {
  /** How messages call it. */
  readonly name: string
  readonly schema: string
  readonly timeoutMs: number
}

// With our own lock there is nothing to lose a transaction to, but a server may be told to use another isolation, and an
// operator may have added a trigger.
const TRIES = 20

const BEGIN_READING = 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'

type Queryable = Pick<PostgresClient, 'query'>

/** One moment, to be looked at for as long as it takes. */
export interface Snapshot extends Statements {
  close(): Promise<void>
}

export class Database {
  readonly name: string
  readonly schema: string
  readonly #client: PostgresClient
  readonly #timeoutMs: number
  readonly #lock: string
  #open = true

  constructor(client: PostgresClient, { name, schema, timeoutMs }: DatabaseOptions) {
    this.#client = client
    this.name = name
    this.schema = schema
    this.#timeoutMs = timeoutMs
    this.#lock = lockOf(`${schema}:${name}`)
  }

  requireOpen(): void {
    if (!this.#open) throw new StoreError('ERR_TLACACOCA_STORE_CLOSED', `the ${this.name} has been closed`)
  }

  close(): void {
    this.#open = false
  }

  /** One statement, which is a transaction of its own. */
  async query(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    this.requireOpen()
    const deadline = this.#deadline()
    const client = this.#client
    if (!isPool(client)) return this.#ask(client, text, values, deadline)
    return this.#connected(client, deadline, (connection) => this.#ask(connection, text, values, deadline))
  }

  /** Work that changes nothing, and sees one moment. */
  read<T>(work: (statements: Statements) => Promise<T>): Promise<T> {
    return this.#transaction(BEGIN_READING, work)
  }

  /**
   * A moment that stands still until it is closed, for reading more than one can hold. It takes a connection, and keeps the
   * server from tidying up; each statement has its own time. Null where there is one connection only, which others need.
   */
  async snapshot(): Promise<Snapshot | null> {
    this.requireOpen()
    const client = this.#client
    if (!isPool(client)) return null
    const connection = await this.#take(client, this.#deadline())
    const close = async (error: unknown = null): Promise<void> => {
      giveBack(connection, await this.#rollBack(connection, error))
    }
    const query: Statements['query'] = (text, values = []) => this.#ask(connection, text, values, this.#deadline())
    try {
      await query(BEGIN_READING)
    } catch (error) {
      await close(error)
      throw error
    }
    return { query, close }
  }

  /** Work with nobody else in between, safe from a power cut when it is done. If the work throws, nothing has happened. */
  write<T>(work: (statements: Statements) => Promise<T>): Promise<T> {
    // One message, so one way to the server and back. With `synchronous_commit` off, a power cut can undo what was
    // answered; all its other settings are the operator's choice.
    const begin = `BEGIN ISOLATION LEVEL READ COMMITTED;
      SET LOCAL lock_timeout = ${this.#timeoutMs}; SET LOCAL statement_timeout = ${this.#timeoutMs};
      SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off';
      SELECT pg_advisory_xact_lock(${this.#lock})`
    return this.#transaction(begin, work)
  }

  async #transaction<T>(begin: string, work: (statements: Statements) => Promise<T>): Promise<T> {
    const deadline = this.#deadline()
    for (let attempt = 1; ; attempt++) {
      this.requireOpen()
      try {
        return await this.#try(begin, work, deadline)
      } catch (error) {
        if (!isRetryable(error) || attempt === TRIES || performance.now() >= deadline) throw error
      }
      await pause(1 + Math.random() * Math.min(2 ** attempt, 40))
    }
  }

  async #try<T>(begin: string, work: (statements: Statements) => Promise<T>, deadline: number): Promise<T> {
    const client = this.#client
    if (isPool(client)) {
      return this.#connected(client, deadline, async (connection) => {
        await this.#ask(connection, begin, [], deadline)
        const result = await work(this.#statements(connection, deadline))
        await this.#ask(connection, 'COMMIT', [], deadline)
        return result
      })
    }
    // An embedded database runs one transaction at a time, so there is nobody to be locked out.
    const asked = this.#caught(() =>
      client.transaction(async (transaction) => {
        try {
          const result = await work(this.#statements(transaction, deadline))
          // By now the caller may have been told that nothing came of it.
          this.#requireTime(deadline)
          return result
        } catch (error) {
          throw new WorkError(error)
        }
      }),
    )
    return this.#within(deadline, asked)
  }

  #statements(connection: Queryable, deadline: number): Statements {
    return { query: (text, values = []) => this.#ask(connection, text, values, deadline) }
  }

  /** Does something on a connection of the pool. One on which something failed is given back only if it is in order. */
  async #connected<T>(
    pool: PostgresPool,
    deadline: number,
    work: (connection: PostgresPoolConnection) => Promise<T>,
  ): Promise<T> {
    const connection = await this.#take(pool, deadline)
    let broken: Error | undefined
    try {
      return await work(connection)
    } catch (error) {
      broken = await this.#rollBack(connection, error)
      throw error
    } finally {
      giveBack(connection, broken)
    }
  }

  async #take(pool: PostgresPool, deadline: number): Promise<PostgresPoolConnection> {
    const connecting = this.#caught(() => pool.connect())
    const connection = await this.#within(deadline, connecting, (late) => late.release())
    // A pool listens for the errors of the connections that it has. While we have one, that is up to us.
    connection.on?.('error', ignore)
    return connection
  }

  /** Ends a transaction that failed. Answers what is wrong with the connection if it is not to be used again. */
  async #rollBack(connection: PostgresPoolConnection, error: unknown): Promise<Error | undefined> {
    if (error instanceof TimeoutError) return error
    try {
      // Where there is no transaction it is a warning, and shows that there is somebody to answer.
      await this.#ask(connection, 'ROLLBACK', [], performance.now() + Math.min(this.#timeoutMs, 1000))
      return undefined
    } catch (failure) {
      return failure instanceof Error ? failure : new Error('the connection failed')
    }
  }

  async #ask(connection: Queryable, text: string, values: readonly unknown[], deadline: number): Promise<Row[]> {
    // An answer that is there at once overtakes a timer whose time has come, and work would go on that was given up.
    this.#requireTime(deadline)
    // Without values it is a simple query, which may be of several statements.
    const asked = this.#caught(() =>
      values.length === 0 ? connection.query(text) : connection.query(text, values.map(encoded)),
    )
    const { rows } = await this.#within(deadline, asked)
    return (rows ?? []).map((row) => decoded(row as Row))
  }

  /** What a client throws, at once or later, as an error of ours. */
  async #caught<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask()
    } catch (error) {
      throw error instanceof WorkError ? error.error : postgresFailure(error, this.name)
    }
  }

  /** Waits no longer than until the deadline. Afterwards, `late` is told what has come all the same. */
  async #within<T>(deadline: number, promise: Promise<T>, late: (value: T) => void = ignore): Promise<T> {
    const timeout = deferred<null>()
    const timer = setTimeout(timeout.resolve, Math.max(0, deadline - performance.now()), null)
    try {
      const outcome = await Promise.race([promise.then((value) => ({ value })), timeout.promise])
      if (outcome !== null) return outcome.value
    } finally {
      clearTimeout(timer)
    }
    promise.then(late, ignore)
    throw this.#tooLate()
  }

  #requireTime(deadline: number): void {
    if (performance.now() >= deadline) throw this.#tooLate()
  }

  #tooLate(): TimeoutError {
    const message = `the ${this.name} did not answer within ${this.#timeoutMs} ms`
    return new TimeoutError('ERR_TLACACOCA_STORE_FAILED', message)
  }

  #deadline(): number {
    return performance.now() + this.#timeoutMs
  }
}

/** What the caller's own work threw, on its way through a client that might dress it up. */
class WorkError extends Error {
  readonly error: unknown

  constructor(error: unknown) {
    super('the work failed')
    this.error = error
  }
}

class TimeoutError extends StoreError {}

function giveBack(connection: PostgresPoolConnection, broken: Error | undefined): void {
  connection.off?.('error', ignore)
  connection.release(broken)
}

function ignore(): void {}

/** The number of an advisory lock, which all programs in a database share: 64 bits of a hash. */
function lockOf(name: string): string {
  return Buffer.from(hash('sha256', `tlacacoca:${name}`, 'hex'), 'hex')
    .readBigInt64BE()
    .toString()
}
