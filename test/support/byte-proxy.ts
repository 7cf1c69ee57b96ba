// Somebody on the path: takes down what a client sends, and can do to the server's bytes what such people can do.

import { connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { joinSockets } from './relay.ts'
import { listening } from './tls-server.ts'

export interface ByteProxy {
  readonly port: number
  /** All that clients have sent so far. */
  fromClient(): Buffer
  /** From here on what is said about the end holds. Before, it would hold up the handshake. */
  watchForEnd(): void
}

/** How the server's bytes are passed on, and what happens at their end. Default: as they are. */
export interface Tampering {
  /** `byByte`: one write for each byte. */
  readonly cut?: 'byByte'
  /**
   * The last record is the close_notify. `strip` passes on everything before it; `half` everything up to the middle of
   * the record before it; `damage` everything, with a bit turned in the record before it. Then the connection ends, or
   * is reset.
   */
  readonly end?: 'strip' | 'half' | 'damage'
  readonly reset?: boolean
}

export async function byteProxy(target: number, tampering: Tampering = {}): Promise<ByteProxy> {
  const sent: Buffer[] = []
  let watching = false
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const upstream = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    joinSockets(client, upstream, sockets)
    client.on('data', (chunk) => {
      sent.push(chunk)
      upstream.write(chunk)
    })
    client.on('end', () => upstream.end())
    const passOn = (bytes: Buffer): void => {
      if (tampering.cut === 'byByte') for (const byte of bytes) client.write(Uint8Array.of(byte))
      else if (bytes.length > 0) client.write(bytes)
    }
    let late = Buffer.alloc(0)
    upstream.on('data', (chunk) => {
      if (tampering.end === undefined || !watching) {
        passOn(chunk)
        return
      }
      // The last two records stay behind until it is known that they are the last.
      late = Buffer.concat([late, chunk])
      const records = recordsOf(late)
      const early = records.slice(0, -2).reduce((sum, record) => sum + record.length, 0)
      passOn(late.subarray(0, early))
      late = late.subarray(early)
    })
    upstream.on('end', () => {
      if (tampering.end !== undefined) {
        const [last = Buffer.alloc(0), closeNotify = Buffer.alloc(0)] = recordsOf(late).slice(-2)
        if (tampering.end === 'damage') last.writeUInt8(last.readUInt8(last.length - 1) ^ 1, last.length - 1)
        passOn(tampering.end === 'half' ? last.subarray(0, last.length / 2) : last)
        if (tampering.end === 'damage') passOn(closeNotify)
      }
      if (!tampering.reset) client.end()
      // Only after the bytes have gone out, or the reset would overtake them.
      else setImmediate(() => client.resetAndDestroy())
    })
  })
  const watchForEnd = (): void => {
    watching = true
  }
  const port = await listening(server)
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port, fromClient: () => Buffer.concat(sent), watchForEnd }
}

/** Cuts a stream of TLS into whole records. */
export function recordsOf(bytes: Buffer): Buffer[] {
  const records: Buffer[] = []
  let at = 0
  while (bytes.length >= at + 5) {
    const end = at + 5 + bytes.readUInt16BE(at + 3)
    if (bytes.length < end) break
    records.push(bytes.subarray(at, end))
    at = end
  }
  return records
}
