import type { Group } from '../recording.ts'
import type { Visit } from './visit.ts'

/** A way to visit a server. */
export interface Kind {
  readonly name: string
  readonly group: Group
  /** How often it comes, in comparison to others of its group. */
  readonly weight: number
  /** The second octet of its addresses, where it is not that of its group. */
  readonly network?: number
  /** How long the server may let it stay; a run that is shorter than twice that leaves it out. */
  readonly staysMs?: number
  /** Throws if the server did anything else than what is right. */
  run(visit: Visit): Promise<unknown>
}
