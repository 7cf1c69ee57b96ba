// What a connection tells, and to whom.

import type { Certificate } from '../../certificate/certificate.ts'
import type { Connection } from './connection.ts'

/** Where a connection stands; the head of the file that implements it explains each. */
export type ConnectionState = 'hello' | 'handshaking' | 'verifying' | 'open' | 'finishing' | 'closed' | 'invalidated'

/** How a connection ended: both sides said close_notify, or something went wrong. */
export type CloseReason = { readonly kind: 'finished' } | { readonly kind: 'failed'; readonly error: Error }

/**
 * Looks at the peer after the basic checks have accepted it. The list is what the peer sent, its own certificate first;
 * on a server it is empty if the client has none. The value that is returned means nothing. To refuse, throw: a
 * {@link VerificationRefused} names the alert that the peer gets. `connection.sendAlert` may be called, too.
 */
export type VerifyCallback = (chain: readonly Certificate[], connection: Connection) => void | Promise<void>

/** @internal Where a connection puts everything. None of the calls may throw. */
export interface ConnectionSink {
  /** `confirm` asks for more. */
  wire(parts: readonly Uint8Array[], confirm: () => void): void
  close(immediate: boolean): void
  /** Null: `dataFromWire` returns it. */
  readonly data: ((chunk: Buffer) => void) | null
  readonly verify: VerifyCallback | null
  /** `nextDeadline` is another one now. */
  deadlineChanged(): void
  opened(): void
  peerFinished(): void
  failed(error: Error): void
}

/* v8 ignore next -- @preserve the real sink takes its place before anything can happen */
const ignore = (): void => {}

/** @internal Nobody. */
export const NOWHERE: ConnectionSink = {
  wire: ignore,
  close: ignore,
  data: null,
  verify: null,
  deadlineChanged: ignore,
  opened: ignore,
  peerFinished: ignore,
  failed: ignore,
}
