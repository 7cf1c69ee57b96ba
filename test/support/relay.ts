// Somebody on the way between a client and a server: two sockets, of which none outlives the other.

import type { Socket } from 'node:net'

/** Joins the two until one of them closes. `open` knows all that are still there, to cut them. */
export function joinSockets(client: Socket, upstream: Socket, open: Set<Socket>): void {
  for (const socket of [client, upstream]) {
    open.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      open.delete(socket)
      client.destroy()
      upstream.destroy()
    })
  }
}
