// Somebody on the way between a client and PostgreSQL, who cuts or holds up what the server says.

import { connect, createServer, type Socket } from 'node:net'
import { joinSockets } from '../support/relay.ts'
import { listening } from '../support/tls-server.ts'

export interface Wire {
  readonly port: number
  /** Cuts every connection when this many more messages from the client have been passed on, before the answer comes. */
  cutAfter(messages: number): void
  /** Keeps all answers to itself, from now on. */
  stall(): void
  /** Passes on what was kept, and all that comes. */
  resume(): void
  close(): Promise<void>
}

export async function wireTo(target: number): Promise<Wire> {
  const sockets = new Set<Socket>()
  let messagesLeft = Number.POSITIVE_INFINITY
  let isStalled = false
  let kept: (() => void)[] = []
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port: target, host: '127.0.0.1', noDelay: true })
    let isCut = false
    joinSockets(client, upstream, sockets)
    client.on('data', (chunk) => {
      upstream.write(chunk)
      if (--messagesLeft > 0) return
      // The server still gets what was sent, and does it.
      isCut = true
      client.destroy()
    })
    upstream.on('data', (chunk) => {
      if (isCut) return
      if (isStalled) kept.push(() => client.write(chunk))
      else client.write(chunk)
    })
  })
  return {
    port: await listening(server),
    cutAfter(messages) {
      messagesLeft = messages
    },
    stall() {
      isStalled = true
    },
    resume() {
      isStalled = false
      const all = kept
      kept = []
      for (const pass of all) pass()
    },
    close() {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
