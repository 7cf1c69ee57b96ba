// A server on a real socket that has nothing but a context, for clients that are other programs.

import { createServer } from 'node:net'
import { type SecureContext, TLSSocket, type TLSSocketOptions } from 'node:tls'
import { onTestFinished } from 'vitest'
import { listening } from './tls-server.ts'

/** Listens on a free port until the test is over. It says hello and ends. */
export async function serveContext(secureContext: SecureContext, options: TLSSocketOptions = {}): Promise<number> {
  const server = createServer((socket) => {
    const tls = new TLSSocket(socket, { isServer: true, secureContext, ...options })
    // The alert has to get out first.
    tls.on('error', () => setImmediate(() => socket.destroySoon()))
    tls.on('secure', () => tls.resume().end('hello'))
  })
  const port = await listening(server)
  onTestFinished(() => void server.close())
  return port
}
