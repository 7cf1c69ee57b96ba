// PostgreSQL for tests: one in this process always, and a real server where the program is installed. Every test has a
// schema of its own in it.

import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { PGlite } from '@electric-sql/pglite'
import pg from 'pg'
import { createPostgresSchema, type PostgresClient } from '../../src/postgres/index.ts'
import { freePorts } from '../support/free-ports.ts'

/** Something that runs PostgreSQL. */
export interface Engine {
  readonly client: PostgresClient
  /** Another client of the same databases, as another process has; the same one where there can be only one. */
  another(): PostgresClient
  readonly reopens: boolean
  close(): Promise<void>
}

let schemas = 0

/** A new schema with our tables, and how to be rid of it. */
export async function newSchema(client: PostgresClient): Promise<{ schema: string; remove(): Promise<void> }> {
  const schema = `test_${process.pid}_${++schemas}`
  await createPostgresSchema(client, { schema })
  const remove = async (): Promise<void> => {
    await client.query(`DROP SCHEMA ${schema} CASCADE`)
  }
  return { schema, remove }
}

export async function embeddedEngine(): Promise<Engine> {
  const client = await PGlite.create()
  return { client, another: () => client, reopens: true, close: () => client.close() }
}

/** The folder with `initdb` and `postgres`; null where they are not installed. */
const programs = ((): string | null => {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  const folders = [...versions.map((version) => join(debian, version, 'bin')), '/usr/local/bin', '/usr/bin']
  return folders.find((folder) => ['initdb', 'postgres'].every((each) => existsSync(join(folder, each)))) ?? null
})()

// The server refuses to run as root.
const isRoot = process.getuid?.() === 0
const asOther = isRoot ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups'] : []
const runs = programs !== null && (!isRoot || ['/usr/bin/setpriv', '/bin/setpriv'].some((each) => existsSync(each)))

/** Whether tests with a real server are to be skipped. Where everything is said to be installed, they never are. */
export const noServer = !runs && process.env.CI !== 'true'
if (noServer) console.warn('skipped: PostgreSQL is not installed, so its tests run in process only')

/** A server of our own, on a free port of the loopback interface, in a folder that goes with it. */
export class Server implements Engine {
  readonly reopens = true
  readonly folder: string
  readonly port: number
  readonly #pools: pg.Pool[] = []
  readonly #turns: pg.Pool[] = []
  #turn = 0
  #process: ReturnType<typeof spawn> | undefined

  private constructor(folder: string, port: number) {
    this.folder = folder
    this.port = port
  }

  static async start(): Promise<Server> {
    if (programs === null) throw new Error('PostgreSQL is not installed')
    const folder = newFolder()
    const initdb = [join(programs, 'initdb'), '-D', join(folder, 'data'), '-A', 'trust', '-U', 'test', '-E', 'UTF8']
    run([...initdb, '--locale=C', '--no-sync'])
    const [port = 0] = await freePorts(1)
    const server = new Server(folder, port)
    await server.begin()
    return server
  }

  /** A server that follows this one, and without which this one answers no change from now on. */
  async standby(): Promise<Server> {
    const folder = newFolder()
    const from = ['-h', this.address.host, '-p', String(this.port), '-U', this.address.user]
    const copy = [join(programs ?? '', 'pg_basebackup'), ...from, '-D', join(folder, 'data')]
    run([...copy, '--write-recovery-conf', '--checkpoint=fast', '--no-sync'])
    const [port = 0] = await freePorts(1)
    const standby = new Server(folder, port)
    await standby.begin()
    await this.client.query(`ALTER SYSTEM SET synchronous_standby_names = '*'`)
    await this.client.query('SELECT pg_reload_conf()')
    for (let tries = 0; tries < 300; tries++) {
      const { rows } = await this.client.query('SELECT sync_state FROM pg_stat_replication')
      if (rows[0]?.sync_state === 'sync') return standby
      await pause(100)
    }
    throw new Error('the standby does not follow')
  }

  get client(): pg.Pool {
    return this.#pools[0] ?? this.pool()
  }

  /** One of three pools, in turn. */
  another(): pg.Pool {
    const turn = this.#turn++ % 3
    this.#turns[turn] ??= this.pool()
    return this.#turns[turn]
  }

  /** A pool of its own. */
  pool(options: pg.PoolConfig = {}): pg.Pool {
    const pool = new pg.Pool({ ...this.address, max: 10, ...options })
    // A connection that breaks while nobody uses it; the pool has dropped it by then.
    pool.on('error', () => {})
    this.#pools.push(pool)
    return pool
  }

  get address() {
    return { host: '127.0.0.1', port: this.port, user: 'test', database: 'postgres' }
  }

  /** Starts the server, again perhaps, and waits until it answers. */
  async begin(): Promise<void> {
    const settings = [
      'listen_addresses=127.0.0.1',
      `port=${this.port}`,
      'unix_socket_directories=',
      'max_connections=120',
    ]
    const command = [
      join(programs ?? '', 'postgres'),
      '-D',
      join(this.folder, 'data'),
      ...settings.flatMap((s) => ['-c', s]),
    ]
    const [program = '', ...args] = [...asOther, ...command]
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], cwd: '/' })
    let log = ''
    child.stderr?.on('data', (chunk) => {
      log += chunk
    })
    this.#process = child
    for (let tries = 0; tries < 300; tries++) {
      if (child.exitCode !== null) throw new Error(`PostgreSQL ended:\n${log}`)
      const client = new pg.Client({ ...this.address, connectionTimeoutMillis: 1000 })
      client.on('error', () => {})
      try {
        await client.connect()
        await client.end()
        return
      } catch {
        await pause(100)
      }
    }
    throw new Error(`PostgreSQL does not answer:\n${log}`)
  }

  /** Ends it at once, as a crash does: what was not written is lost. */
  async crash(): Promise<void> {
    await this.#stop('SIGQUIT')
  }

  async close(): Promise<void> {
    for (const pool of this.#pools) await pool.end()
    await this.#stop('SIGINT')
    rmSync(this.folder, { recursive: true, force: true })
  }

  async #stop(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process
    if (child === undefined || child.exitCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await ended
  }
}

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tlacacoca-postgres-'))
  chmodSync(folder, 0o700)
  if (isRoot) execFileSync('chown', ['postgres:', folder])
  return folder
}

function run(command: readonly string[]): void {
  const [program = '', ...args] = [...asOther, ...command]
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'], cwd: '/' })
}
