import type { Duplex } from 'node:stream'
import type { Peer } from '../certificate/peer.ts'
import type { ClientAddress } from '../names/client-address.ts'

/** One accepted connection, with or without TLS: what a handler gets, and what `admit` reads a request from. */
export interface ServerConnection {
  /** The decrypted stream. Ending it sends close_notify first where there is TLS. */
  readonly stream: Duplex
  /** Of the client; behind a trusted proxy, the one that the proxy tells of. */
  readonly address: ClientAddress
  /**
   * Through which proxy it came; null if the client connected by itself. Equal to `address` if the proxy speaks for
   * itself, as it does to see whether the server is alive.
   */
  readonly proxy: ClientAddress | null
  /** The client that proved its certificate's key, or null: none was sent, none was asked for, or there is no TLS. */
  readonly peer: Peer | null
  /** The host name the client asked for by SNI, normalised; null without SNI and without TLS. */
  readonly serverName: string | null
}
