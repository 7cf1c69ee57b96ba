// Making the tables, and bringing them up to date. Everything is in a schema of its own, in which nobody else has tables.

import { StoreError } from '../errors.ts'
import { requireInteger, requireOptions, requireString, show } from '../internal/arguments.ts'
import { type PostgresClient, requireClient } from './client.ts'
import { Database, type Statements } from './database.ts'
import { MIGRATIONS } from './migrations.ts'

/** Where the tables are. */
export interface PostgresSchemaOptions {
  /**
   * The schema: 1 to 63 lower-case letters, digits and underscores, with no digit in front, and no reserved word of SQL.
   * Default `tlacacoca`. A second authority, or a second set of users, is in a schema of its own.
   */
  readonly schema?: string
  /** After how long a call fails that has no answer yet. Milliseconds. */
  readonly timeoutMs?: number
}

const SCHEMA_TIMEOUT_MS = 60_000
const OPEN_TIMEOUT_MS = 10_000

/**
 * Makes the schema and its tables, or brings them up to date; changes nothing if they are. Programs that do so at the same
 * time wait for each other. Later versions only add, so programs of an earlier release that are running go on.
 *
 * The database has to be encoded in UTF8. The role needs the right to create in it, or in the schema if there is one
 * already. The stores themselves need no more than to read and write the tables.
 *
 * @param options.timeoutMs - Default 60,000.
 * @throws {StoreError} `STORE_FOREIGN` if there is a schema of that name with tables of somebody else, and `STORE_NEWER` if
 *   it is of a later release, both untouched; `STORE_LOCKED`, `STORE_READ_ONLY`, `STORE_FAILED`, also for another encoding.
 * @example
 * import pg from 'pg'
 * import { createPostgresSchema } from 'tlacacoca/postgres'
 *
 * const pool = new pg.Pool({ connectionString: 'postgres://owner@localhost/users' })
 * await createPostgresSchema(pool, { schema: 'small_web' })
 * await pool.end()
 */
export async function createPostgresSchema(client: PostgresClient, options: PostgresSchemaOptions = {}): Promise<void> {
  const database = databaseFor(client, 'schema', options, SCHEMA_TIMEOUT_MS)
  await database.write((statements) => migrate(database.schema, statements))
}

async function migrate(schema: string, statements: Statements): Promise<void> {
  const version = await versionOf(schema, statements)
  if (version === 0) await create(schema, statements)
  if (version === MIGRATIONS.length) return
  for (const migration of MIGRATIONS.slice(version)) {
    for (const statement of migration) await statements.query(statement.replaceAll('tlacacoca.', `${schema}.`))
  }
  await statements.query(`UPDATE ${schema}.schema_version SET version = $1`, [MIGRATIONS.length])
}

async function create(schema: string, statements: Statements): Promise<void> {
  const [encoding] = await statements.query(`SELECT current_setting('server_encoding') AS name`)
  if (encoding?.name !== 'UTF8') {
    const message = `the database keeps texts as ${show(encoding?.name)}, in which not every text can be kept; make one of UTF8`
    throw new StoreError('ERR_TLACACOCA_STORE_FAILED', message)
  }
  // Asked first, because CREATE ... IF NOT EXISTS wants the right to create even where there is nothing to be created.
  const [exists] = await statements.query('SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1', [schema])
  if (exists === undefined) await statements.query(`CREATE SCHEMA ${schema}`)
  const [table] = await statements.query(
    `SELECT c.relname AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 LIMIT 1`,
    [schema],
  )
  if (table !== undefined) {
    const message = `the schema ${schema} has a table ${show(table.name)} of another program; name one that is empty`
    throw new StoreError('ERR_TLACACOCA_STORE_FOREIGN', message)
  }
  await statements.query(
    `CREATE TABLE ${schema}.schema_version(id integer PRIMARY KEY CHECK (id = 1), version integer NOT NULL)`,
  )
  await statements.query(`INSERT INTO ${schema}.schema_version VALUES (1, 0)`)
}

/** The version of the tables; 0 if there are none. */
async function versionOf(schema: string, statements: Statements): Promise<number> {
  const [found] = await statements.query('SELECT to_regclass($1)::text AS name', [`${schema}.schema_version`])
  if (found === undefined || found.name === null) return 0
  const [row] = await statements.query(`SELECT version FROM ${schema}.schema_version`)
  const version = Number(row?.version)
  if (!Number.isInteger(version) || version < 1) {
    throw new StoreError('ERR_TLACACOCA_STORE_CORRUPT', `the schema ${schema} does not know its version`)
  }
  if (version > MIGRATIONS.length) {
    const message = `the schema ${schema} is of version ${version}, and this release knows ${MIGRATIONS.length}; update it`
    throw new StoreError('ERR_TLACACOCA_STORE_NEWER', message)
  }
  return version
}

/** @internal The database for a store. @throws {StoreError} If its tables are not there, or not of this version. */
export async function openDatabase(
  client: PostgresClient,
  name: string,
  options: PostgresSchemaOptions,
  timeoutMs: number,
): Promise<Database> {
  const database = databaseFor(client, name, options, timeoutMs)
  // Nobody waits for this one, and the first connection takes the longest.
  const patient = databaseFor(
    client,
    name,
    { ...options, timeoutMs: Math.max(options.timeoutMs ?? 0, OPEN_TIMEOUT_MS) },
    0,
  )
  const version = await patient.read((statements) => versionOf(database.schema, statements))
  if (version === MIGRATIONS.length) return database
  const message = `the schema ${database.schema} ${version === 0 ? 'is not there' : `is of version ${version}`}`
  throw new StoreError('ERR_TLACACOCA_STORE_FAILED', `${message}; call createPostgresSchema first`)
}

function databaseFor(
  client: PostgresClient,
  name: string,
  options: PostgresSchemaOptions,
  defaultTimeoutMs: number,
): Database {
  requireClient(client)
  requireOptions('options', options, ['schema', 'timeoutMs'])
  const { schema = 'tlacacoca', timeoutMs = defaultTimeoutMs } = options
  requireString('schema', schema)
  // Not quoted anywhere, so it must be a name that needs no quotes. `pg_` is the server's own.
  if (!/^(?!pg_)[a-z_][a-z0-9_]{0,62}$/.test(schema)) {
    throw new RangeError(`"schema" expected 1 to 63 of a-z, 0-9 and _, with no digit in front, got ${show(schema)}`)
  }
  requireInteger('timeoutMs', timeoutMs, 1, 3_600_000)
  return new Database(client, { name, schema, timeoutMs })
}
