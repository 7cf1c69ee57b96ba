// The first bytes of a connection, before it is anybody's: a PROXY header where one must be, or the proof that there is
// none where none may be.
//
// Of a header no byte too many is taken from the socket; of a client without one, everything goes back. Whoever gets the
// socket then finds it like a new one: nothing flows, nobody listens, and the first byte is the client's.

import type { Socket } from 'node:net'
import { beginsAsProxyHeader, type ProxyHeader, readProxyHeader } from './proxy-protocol.ts'

/** How a connection begins, if a header must be there, or must not be. */
export type ProxiedBeginning = ProxyHeader | WrongBeginning
export type DirectBeginning = { readonly kind: 'direct' } | WrongBeginning

export interface WrongBeginning {
  readonly kind: 'refused'
  /** What is wrong, without a word of the client's. */
  readonly problem: string
}

/** Reads the header of a connection within a time, whatever trickles in. `done` is called once, after this returns. */
export function readHeader(socket: Socket, timeoutMs: number, done: (beginning: ProxiedBeginning) => void): void {
  readBeginning(socket, timeoutMs, done, (bytes) => {
    const reading = readProxyHeader(bytes)
    if (reading.kind === 'incomplete') return reading.need
    return reading.kind === 'header' ? reading : { kind: 'refused', problem: reading.problem }
  })
}

/** Makes sure in the same way that there is no header. */
export function readNoHeader(socket: Socket, timeoutMs: number, done: (beginning: DirectBeginning) => void): void {
  readBeginning(socket, timeoutMs, done, (bytes) => {
    const proxied = beginsAsProxyHeader(bytes)
    if (proxied === null) return bytes.length + 1
    if (proxied) return { kind: 'refused', problem: 'a PROXY header from somebody who is no proxy' }
    socket.unshift(bytes)
    return { kind: 'direct' }
  })
}

/** `judge` says what the bytes so far are, or how many are needed to tell. */
function readBeginning<Beginning extends object>(
  socket: Socket,
  timeoutMs: number,
  done: (beginning: Beginning | WrongBeginning) => void,
  judge: (bytes: Buffer) => number | Beginning | WrongBeginning,
): void {
  let bytes = Buffer.alloc(0)
  let need = 1
  const onReadable = (): void => {
    for (;;) {
      // At the end this reads nothing, which is what makes the socket say so.
      const chunk: Buffer | null = socket.read(Math.min(need - bytes.length, socket.readableLength))
      if (chunk === null) return
      bytes = Buffer.concat([bytes, chunk])
      const judged = judge(bytes)
      if (typeof judged !== 'number') {
        finish(judged)
        return
      }
      need = judged
    }
  }
  const onEnd = (): void => finish({ kind: 'refused', problem: 'the connection ended too early' })
  const onTimeout = (): void => finish({ kind: 'refused', problem: 'it took too long' })
  const finish = (beginning: Beginning | WrongBeginning): void => {
    clearTimeout(timer)
    socket.off('readable', onReadable).off('end', onEnd).off('close', onEnd)
    // A stream notices only in the next turn that nobody waits for `readable` any more; whoever came before that would
    // not be told of what is in it already.
    process.nextTick(done, beginning)
  }
  const timer = setTimeout(onTimeout, timeoutMs)
  socket.on('readable', onReadable).on('end', onEnd).on('close', onEnd)
}
