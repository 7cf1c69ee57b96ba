import { requireInteger, requireOptions } from '../../internal/arguments.ts'
import type { StatementOptions } from './rotation-plan.ts'

/** Servers refuse statements that are good for more than 31 days. */
const MAX_VALID_MS = 31 * 86_400_000
const AN_HOUR_MS = 3_600_000

/** The options of a statement as `signRotation` takes them. */
export function readStatementOptions(options: StatementOptions, now: Date): { expiresAt: Date; user?: string } {
  requireOptions('options', options, ['user', 'validForMs'])
  const { user, validForMs = AN_HOUR_MS } = options
  requireInteger('validForMs', validForMs, 1, MAX_VALID_MS)
  const expiresAt = new Date(now.getTime() + validForMs)
  return user === undefined ? { expiresAt } : { expiresAt, user }
}
