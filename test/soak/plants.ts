// Mistakes on purpose, to see that a run finds them.

import { connect, createServer, Server } from 'node:net'

const kept: unknown[] = []

/** Makes every server of this process leak. */
export function plant(what: string): void {
  if (what === 'memory') afterEach(() => kept.push(Buffer.alloc(256 * 1024)))
  else if (what === 'sockets') leaveSocketsOpen()
  else if (what === 'rejection') setTimeout(() => Promise.reject(new Error('nobody catches this')), 2000)
  else throw new RangeError(`nothing is called ${what}`)
}

/** With each connection another one is opened, of the process to itself, and nobody closes it. */
function leaveSocketsOpen(): void {
  const other = createServer((socket) => kept.push(socket))
  other.listen(0, '127.0.0.1', () => {
    const address = other.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    afterEach((server) => {
      if (server !== other) kept.push(connect(port, '127.0.0.1'))
    })
  })
}

function afterEach(leak: (server: Server) => void): void {
  const emit: (event: string, ...args: unknown[]) => boolean = Server.prototype.emit
  Server.prototype.emit = function (this: Server, event: string | symbol, ...args: unknown[]): boolean {
    if (event === 'connection') leak(this)
    return emit.call(this, event as string, ...args)
  }
}
