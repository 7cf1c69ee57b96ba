import type { ClientAddress } from '../names/client-address.ts'

/**
 * Decides about a connection when it is opened, before anything is read from it or a handshake begins. Promises to
 * implement:
 *
 * 1. `opened` answers at once. Only `accept: true` is a yes; a guard that throws has refused.
 * 2. `closed` is called once for each connection that this guard accepted, also if another guard then refused it.
 */
export interface ConnectionGuard {
  opened(address: ClientAddress): { readonly accept: boolean }
  closed?(address: ClientAddress): void
}
