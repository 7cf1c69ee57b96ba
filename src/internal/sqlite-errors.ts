// What SQLite says when something goes wrong, as our own errors.

import { StoreError } from '../errors.ts'

/** Which database it was, for the message. */
export interface SqliteCause {
  readonly name: string
  readonly path: string
}

type StoreCode = StoreError['code']

// By the primary code, unless an extended one says more. https://sqlite.org/rescode.html
const CODES: readonly (readonly [prefix: string, code: StoreCode, what: string])[] = [
  ['SQLITE_BUSY', 'ERR_TLACACOCA_STORE_LOCKED', 'is locked by another program'],
  ['SQLITE_LOCKED', 'ERR_TLACACOCA_STORE_LOCKED', 'is locked'],
  ['SQLITE_CORRUPT', 'ERR_TLACACOCA_STORE_CORRUPT', 'is damaged'],
  ['SQLITE_NOTADB', 'ERR_TLACACOCA_STORE_CORRUPT', 'is damaged, or no database at all'],
  ['SQLITE_IOERR_SHORT_READ', 'ERR_TLACACOCA_STORE_CORRUPT', 'is cut short'],
  ['SQLITE_IOERR_CORRUPTFS', 'ERR_TLACACOCA_STORE_CORRUPT', 'is damaged, as is its file system'],
  ['SQLITE_READONLY', 'ERR_TLACACOCA_STORE_READ_ONLY', 'cannot be written'],
  ['SQLITE_PERM', 'ERR_TLACACOCA_STORE_READ_ONLY', 'cannot be written'],
  ['SQLITE_FULL', 'ERR_TLACACOCA_STORE_FULL', 'has no room to grow'],
  ['SQLITE_IOERR_SHMSIZE', 'ERR_TLACACOCA_STORE_FULL', 'has no room for its shared memory'],
]

/** The error for whatever a piece of work threw. What is no error of SQLite's comes back as it is, to be thrown on. */
export function storeError(error: unknown, store: SqliteCause): StoreError {
  if (error instanceof StoreError) return error
  const code = codeOf(error)
  // A mistake of ours or of the runtime, which must not be dressed up as bad weather.
  if (code === null) throw error
  for (const [prefix, ours, what] of CODES) {
    if (code.startsWith(prefix)) return new StoreError(ours, message(store, what, code), { cause: error })
  }
  return new StoreError('ERR_TLACACOCA_STORE_FAILED', message(store, 'failed', code), { cause: error })
}

/** The code that SQLite gave, by the cause of one of our errors; empty if it did not come from SQLite. */
export function sqliteCause(error: StoreError): string {
  return codeOf(error.cause) ?? ''
}

/** Whether a write that may be lost met an obstacle for which losing it is the answer. */
export function isObstacle(error: StoreError): boolean {
  // SQLite has a code for a full disk, but a full quota is an error of writing like any other.
  return OBSTACLES.has(error.code) || sqliteCause(error) === 'SQLITE_IOERR_WRITE'
}

const OBSTACLES: ReadonlySet<StoreCode> = new Set([
  'ERR_TLACACOCA_STORE_LOCKED',
  'ERR_TLACACOCA_STORE_READ_ONLY',
  'ERR_TLACACOCA_STORE_FULL',
])

function message(store: SqliteCause, what: string, code: string): string {
  return `the ${store.name} ${store.path} ${what} (${code})`
}

function codeOf(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return null
  return error.code.startsWith('SQLITE_') ? error.code : null
}
