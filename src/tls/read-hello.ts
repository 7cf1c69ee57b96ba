import type { Socket } from 'node:net'
import { type HelloReading, readClientHello } from './client-hello.ts'

/**
 * Reads from a socket until it is clear how the connection begins, and puts everything back. Nothing is called if the
 * socket is destroyed first; the deadline is the caller's.
 */
export function readHello(
  socket: Socket,
  done: (reading: Exclude<HelloReading, { kind: 'incomplete' }>) => void,
): void {
  const chunks: Buffer[] = []
  let have = 0
  let need = 1
  const onReadable = (): void => {
    for (let chunk: Buffer | null = socket.read(); chunk !== null; chunk = socket.read()) {
      chunks.push(chunk)
      have += chunk.length
    }
    if (have < need) return
    const bytes = Buffer.concat(chunks)
    const reading = readClientHello(bytes)
    if (reading.kind === 'incomplete') {
      need = reading.need
      chunks.splice(0, chunks.length, bytes)
      return
    }
    socket.off('readable', onReadable).off('end', onEnd)
    socket.unshift(bytes)
    done(reading)
  }
  // The client says nothing more, so there will be no handshake.
  const onEnd = (): void => {
    socket.destroy()
  }
  socket.on('readable', onReadable).once('end', onEnd)
}
