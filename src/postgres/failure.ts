// What a PostgreSQL client throws, as our own errors.

import { StoreError } from '../errors.ts'
import { bareError } from '../internal/bare-error.ts'

type StoreCode = StoreError['code']

// By the SQLSTATE, or its class of two characters. https://www.postgresql.org/docs/15/errcodes-appendix.html
const CODES: Readonly<Record<string, readonly [code: StoreCode, what: string]>> = {
  '40001': ['ERR_TLACACOCA_STORE_LOCKED', 'is changed by others at the same moment'],
  '40P01': ['ERR_TLACACOCA_STORE_LOCKED', 'is locked by others'],
  '55P03': ['ERR_TLACACOCA_STORE_LOCKED', 'is locked by others'],
  '25006': ['ERR_TLACACOCA_STORE_READ_ONLY', 'cannot be written: the server is a standby, or read-only'],
  '53100': ['ERR_TLACACOCA_STORE_FULL', 'has no room to grow'],
  XX001: ['ERR_TLACACOCA_STORE_CORRUPT', 'is damaged'],
  XX002: ['ERR_TLACACOCA_STORE_CORRUPT', 'has a damaged index'],
  '3F000': ['ERR_TLACACOCA_STORE_FAILED', 'has no schema; createPostgresSchema makes it'],
  '42P01': ['ERR_TLACACOCA_STORE_FAILED', 'lacks a table; createPostgresSchema makes it'],
  '42501': ['ERR_TLACACOCA_STORE_FAILED', 'refuses this: the role has no right to it'],
  '57014': ['ERR_TLACACOCA_STORE_FAILED', 'did not answer in time'],
  '08': ['ERR_TLACACOCA_STORE_FAILED', 'lost the connection'],
  '57': ['ERR_TLACACOCA_STORE_FAILED', 'is shutting down, or starting'],
  '53': ['ERR_TLACACOCA_STORE_FAILED', 'has no room for another connection, or no memory'],
}

/** The error for whatever a client threw. */
export function postgresFailure(error: unknown, name: string): StoreError {
  const code = sqlState(error)
  const [ours, what] = CODES[code] ?? CODES[code.slice(0, 2)] ?? otherwise(code)
  return new StoreError(ours, `the ${name} ${what}${code === '' ? '' : ` (${code})`}`, { cause: bareError(error) })
}

/** What has no code, or one of the operating system's, is about the way to the server. */
function otherwise(code: string): readonly [code: StoreCode, what: string] {
  return ['ERR_TLACACOCA_STORE_FAILED', code === '' ? 'cannot be reached' : 'failed']
}

/** Whether the server ended the transaction for the sake of another, so that it may well go through the next time. */
export function isRetryable(error: unknown): boolean {
  const code = error instanceof StoreError ? sqlState(error.cause) : ''
  return code === '40001' || code === '40P01'
}

/** Whether a write that may be lost met an obstacle for which losing it is the answer. */
export function isObstacle(error: unknown): boolean {
  return error instanceof StoreError && OBSTACLES.has(error.code)
}

const OBSTACLES: ReadonlySet<StoreCode> = new Set([
  'ERR_TLACACOCA_STORE_LOCKED',
  'ERR_TLACACOCA_STORE_READ_ONLY',
  'ERR_TLACACOCA_STORE_FULL',
])

function sqlState(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  // Codes of the operating system may have five letters too, such as EPIPE.
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code) ? code : ''
}
