// Opens connections, ends each in another way, and does nothing else: the process must end by itself.

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { KeyedChain } from '../../src/certificate/keyed-chain.ts'
import { ClientTLS } from '../../src/tls/sans-io/client-tls.ts'
import { ServerCertificateChain } from '../../src/tls/sans-io/server-certificates.ts'
import { ServerTLS } from '../../src/tls/sans-io/server-tls.ts'
import { tlsDuplex } from '../../src/tls/sans-io/tls-duplex.ts'
import { pins } from '../../src/tls/verifiers/pins.ts'
import { issue } from './issued-certificates.ts'

const issued = issue({ names: [[2, 'www.example.org']] })
const chain = KeyedChain.fromCertificates([issued.certificate], issued.keys.privateKey)
const clientTls = new ClientTLS({
  serverHostname: 'www.example.org',
  port: 1965,
  verifier: pins([issued.certificate.fingerprint]),
})
const serverTls = new ServerTLS({ certificates: new ServerCertificateChain(chain), clientCertificates: 'request' })

const server = createServer({ allowHalfOpen: true })
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as { port: number }

/** A connection, whose two ends do something and are gone. */
async function run(
  verify: () => void | Promise<void>,
  act: (client: Duplex, server: Duplex, raw: Socket) => void,
): Promise<void> {
  const raw = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const [socket] = (await once(server, 'connection')) as [Socket]
  const atServer = tlsDuplex(socket, serverTls, { verify })
  const atClient = tlsDuplex(raw, clientTls)
  act(atClient, atServer, raw)
  await Promise.all(
    [atClient, atServer].map((each) => each.closed || new Promise((resolve) => each.once('close', resolve))),
  )
}

const accept = (): void => {}
await run(accept, (client, server) => {
  client.resume().end('bye')
  server.resume()
})
await run(accept, (client, server) => {
  client.resume()
  server.resume()
  client.once('error', () => {})
  setImmediate(() => client.destroy())
})
await run(
  () => {
    throw new Error('refused')
  },
  (client, server) => {
    client.resume()
    server.resume()
  },
)
await run(
  () => new Promise(() => {}),
  (client, server, raw) => {
    client.resume()
    server.resume()
    setTimeout(() => raw.destroy(), 20)
  },
)
await run(accept, (client, server, raw) => {
  client.resume()
  server.resume()
  raw.write('nonsense')
})
server.close()
const ended = performance.now()
process.on('exit', () =>
  console.log(`all of them have ended, and the process ${Math.round(performance.now() - ended)} ms later`),
)
