import type { Socket } from 'node:net'

/** Both ends of a connection as a text: the socket of a TLS connection and the one below it have the same. */
export function endsOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress} ${socket.localPort}`
}
