import type { ClientAddress } from '../names/client-address.ts'

/**
 * Decides about a connection when it is opened, before anything of the client's is read or a handshake begins. Promises
 * to implement:
 *
 * 1. `opened` answers at once. Only `accept: true` is a yes; a guard that throws, or gives a promise, has refused.
 * 2. `closed` is called once for each connection that this guard accepted, with the same address, also if another guard
 *    then refused it.
 */
export interface ConnectionGuard {
  /** A short name for reports, such as `connection_limit`. */
  readonly name?: string
  /** Says yes or no to a connection. */
  opened(address: ClientAddress): ConnectionDecision
  /** Is told that a connection is over to which it said yes. */
  closed?(address: ClientAddress): void
}

/** What a guard says about a connection. */
export interface ConnectionDecision {
  /** Only `true` is a yes. */
  readonly accept: boolean
  /** Why not, for logs and for people: a rule, a limit. Open-ended; do not branch on it. */
  readonly detail?: string
}
