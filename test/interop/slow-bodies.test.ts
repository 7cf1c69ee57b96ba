// The body that the examples read: one that does not come in time costs its connection, and nobody's log.

import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { type ConnectionHandler, createPlaintextServer, createSecureServer, createServerContext } from 'tlacacoca'
import { afterEach, expect, it, vi } from 'vitest'
import { readBody, ShortBodyError } from '../../docs/examples/read-body.ts'
import { testCertificate } from '../support/certificates.ts'

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

async function start(tls: boolean, handler: ConnectionHandler) {
  if (!tls) return createPlaintextServer(handler)
  const { certPem, keyPem } = await testCertificate({ host: 'localhost' })
  return createSecureServer(await createServerContext({ certificates: [{ cert: certPem, key: keyPem }] }), handler)
}

it.each([
  ['without TLS', false],
  ['with TLS', true],
])('a body that is too slow ends the connection, and warns of nothing, %s', async (_how, tls) => {
  const warned = vi.fn()
  process.on('warning', warned)
  cleanUps.push(() => process.off('warning', warned))

  let came = ''
  let failure: unknown = null
  const server = await start(tls, async (connection) => {
    try {
      const body = readBody(connection, { rest: Buffer.alloc(0) }, { size: 10, timeoutMs: 500 })
      for await (const chunk of body) came += chunk
    } catch (error) {
      failure = error
      throw error
    }
  })
  cleanUps.push(() => server.close({ graceMs: 0 }))
  const { port } = await server.listen(0, '127.0.0.1')

  const socket = connectTcp(port, '127.0.0.1')
  const client = tls ? connectTls({ socket, rejectUnauthorized: false }) : socket
  cleanUps.push(() => client.destroy())
  client.on('error', () => {}).resume()
  await once(client, tls ? 'secureConnect' : 'connect')
  client.write('half')
  await vi.waitFor(() => expect(failure).toBeInstanceOf(Error), { timeout: 20_000 })
  // Not as if the client had said that this is all: then it would be answered.
  expect(failure).not.toBeInstanceOf(ShortBodyError)
  await vi.waitFor(() => expect(server.connections).toBe(0), { timeout: 20_000 })
  expect('half').toContain(came)
  await setImmediate()
  await setImmediate()
  expect(warned).not.toHaveBeenCalled()
})
