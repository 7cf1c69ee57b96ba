// A client that never reads its answer is cut off, and is no more a fault of the program than one that leaves: however
// many do so, they must not fill a log that nobody has asked for.

import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { afterEach, expect, it, vi } from 'vitest'
import type { ConnectionHandler, ConnectionLimits } from '../../src/net/connection-limits.ts'
import type { Listener } from '../../src/net/listener.ts'
import { createPlaintextServer } from '../../src/net/plaintext-server.ts'
import { createSecureServer } from '../../src/tls/secure-server.ts'
import { createServer } from '../../src/tls/server.ts'
import { createServerContext } from '../../src/tls/server-context.ts'
import { forgeCertificate } from '../support/forged-certificates.ts'

const site = forgeCertificate({ hosts: ['example.org'] })
const contextFor = () => createServerContext({ certificates: [{ cert: site.certPem, key: site.keyPem }] })

type Start = (handler: ConnectionHandler, options: ConnectionLimits) => Promise<Listener>

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

it.each<[string, boolean, Start]>([
  ['createServer', true, async (handler, options) => createServer(await contextFor(), handler, options)],
  ['createSecureServer', true, async (handler, options) => createSecureServer(await contextFor(), handler, options)],
  ['createPlaintextServer', false, async (handler, options) => createPlaintextServer(handler, options)],
])('%s cuts off a client that never reads, and warns of nothing', async (_name, tls, start) => {
  const warned = vi.fn()
  process.on('warning', warned)
  cleanUps.push(() => process.off('warning', warned))

  let failure: unknown = null
  const server = await start(
    ({ stream }) => {
      const endless = new Readable({
        read(size) {
          this.push(Buffer.alloc(size))
        },
      })
      return pipeline(endless, stream).catch((error) => {
        failure = error
        throw error
      })
    },
    { idleTimeoutMs: 200 },
  )
  cleanUps.push(() => server.close({ graceMs: 0 }))
  const { port } = await server.listen(0, '127.0.0.1')

  const socket = connectTcp(port, '127.0.0.1')
  const client: Socket = tls ? connectTls({ socket, rejectUnauthorized: false }) : socket
  cleanUps.push(() => client.destroy())
  client.on('error', () => {}).pause()
  await once(client, tls ? 'secureConnect' : 'connect')
  await vi.waitFor(() => expect(failure).toBeInstanceOf(Error), { timeout: 20_000 })
  await vi.waitFor(() => expect(server.connections).toBe(0), { timeout: 20_000 })
  // A warning is told in a later turn.
  await setImmediate()
  await setImmediate()
  expect(warned).not.toHaveBeenCalled()
})
