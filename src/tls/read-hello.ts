import type { Socket } from 'node:net'
import { Backlog } from '../internal/backlog.ts'
import { type HelloReading, readClientHello } from './client-hello.ts'

/**
 * Reads from a socket until it is clear how the connection begins, and puts everything back. Nothing is called if the
 * socket is destroyed first; the deadline is the caller's.
 */
export function readHello(
  socket: Socket,
  done: (reading: Exclude<HelloReading, { kind: 'incomplete' }>) => void,
): void {
  const backlog = new Backlog()
  let need = 1
  const onReadable = (): void => {
    for (let chunk: Buffer | null = socket.read(); chunk !== null; chunk = socket.read()) backlog.push(chunk)
    if (backlog.bytes < need) return
    const reading = readClientHello(backlog.join())
    if (reading.kind === 'incomplete') {
      need = reading.need
      return
    }
    socket.off('readable', onReadable).off('end', onEnd)
    socket.unshift(backlog.join())
    done(reading)
  }
  // The client says nothing more, so there will be no handshake.
  const onEnd = (): void => {
    socket.destroy()
  }
  socket.on('readable', onReadable).once('end', onEnd)
}
