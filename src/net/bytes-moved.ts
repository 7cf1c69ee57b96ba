import type { Socket } from 'node:net'

/** @internal What came from the other side of a connection, and what the system has taken for it. */
export function bytesMoved(socket: Socket): number {
  // In a Node that does not tell what waits, what is written counts when it is written.
  return socket.bytesRead + socket.bytesWritten - (bytesWaiting(socket) ?? 0)
}

/**
 * @internal What the system has not taken yet, which `bytesWritten` includes. Node tells of it by no public name: null in
 * one without that name, and where the connection is closed.
 */
export function bytesWaiting(socket: Socket): number | null {
  const handle: unknown = Reflect.get(socket, '_handle')
  const waiting: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'writeQueueSize') : null
  return typeof waiting === 'number' ? waiting : null
}
