// A listening socket that can be opened, asked for its address, and closed for good. The same for every server.

import type { Server } from 'node:net'
import { ListenError } from '../errors.ts'
import { requireInteger } from '../internal/arguments.ts'
import type { ConnectionTracker } from './connection-tracker.ts'

/** Where a server listens. */
export interface ListenAddress {
  /** The local IP address, such as `::` for all of them. */
  readonly address: string
  /** The port, also where 0 asked for any. */
  readonly port: number
}

/** A server that can listen once. */
export interface Listener extends AsyncDisposable {
  /** How many connections are open. */
  readonly connections: number

  /**
   * Starts to accept connections.
   *
   * @param port - 0 takes a free one, which the result names.
   * @param host - The local address or name to listen on. Default: all addresses, IPv6 and IPv4.
   * @throws {ListenError} `ERR_TLACACOCA_LISTEN_FAILED` if the port is taken or forbidden or the host is not ours; the
   *   cause says which. Also if this server has been closed or listens already.
   * @throws {RangeError} If `port` is not a whole number from 0 to 65535.
   */
  listen(port: number, host?: string): Promise<ListenAddress>

  /** Where the server listens, or null if it does not. */
  address(): ListenAddress | null

  /**
   * Accepts no more connections, lets the open ones finish for a while, and destroys what is left.
   *
   * @param options.graceMs - How long a while is, in milliseconds. Default 1,000: a page that is on its way arrives, and
   *   nobody has to wait for a server to stop. 0 destroys them all at once.
   * @returns Fulfilled when the last connection is closed. Closing twice is fine.
   */
  close(options?: { readonly graceMs?: number }): Promise<void>
}

/** @internal Joins a server that is not listening yet with the tracker of its connections. */
export function createListener(server: Server, tracker: ConnectionTracker): Listener {
  let closed = false
  let opening = false
  server.on('error', (error) => {
    // The failure of `listen` is the caller's; what comes later (no file descriptor left, say) has no other reader.
    if (server.listening) tracker.report(error)
  })

  const listener: Listener = {
    get connections() {
      return tracker.size
    },

    async listen(port, host) {
      requireInteger('port', port, 0, 65535)
      if (closed) throw new ListenError('the server has been closed')
      // While the name of the first host is looked up, Node would take both, and listen on one.
      if (opening) throw new ListenError(`cannot listen on port ${port}: the server is about to listen already`)
      opening = true
      await new Promise<void>((resolve, reject) => {
        const release = (): void => {
          opening = false
          server.off('listening', onListening).off('close', onListening).off('error', onError)
        }
        // Closed in the meantime or not: the address tells.
        const onListening = (): void => {
          release()
          resolve()
        }
        const onError = (cause: unknown): void => {
          release()
          const why = cause instanceof Error ? cause.message : String(cause)
          reject(new ListenError(`cannot listen on port ${port}: ${why}`, { cause }))
        }
        server.on('listening', onListening).on('close', onListening).on('error', onError)
        try {
          server.listen({ port, ...(host === undefined ? {} : { host }) })
        } catch (error) {
          onError(error)
        }
      })
      const address = listener.address()
      if (address === null) throw new ListenError('the server was closed before it listened')
      return address
    },

    address() {
      const address = server.address()
      return typeof address === 'object' && address !== null ? { address: address.address, port: address.port } : null
    },

    async close({ graceMs = 1000 } = {}) {
      requireInteger('graceMs', graceMs, 0, 2 ** 31 - 1)
      closed = true
      // Node calls back when the last connection is gone, with an error if there was nothing to close.
      const stopped = new Promise<void>((resolve) => server.close(() => resolve()))
      await tracker.close(graceMs)
      await stopped
    },

    async [Symbol.asyncDispose]() {
      await listener.close()
    },
  }
  return listener
}
