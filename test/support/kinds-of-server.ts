// The four ways to serve a stream within our limits, each with one handler.

import { createServer as createNetServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { KeyedChain } from '../../src/certificate/keyed-chain.ts'
import type { ConnectionLimits } from '../../src/net/connection-limits.ts'
import { guardConnections } from '../../src/net/guard-connections.ts'
import type { Listener } from '../../src/net/listener.ts'
import { createPlaintextServer } from '../../src/net/plaintext-server.ts'
import { ServerCertificateChain } from '../../src/tls/sans-io/server-certificates.ts'
import { ServerTLS } from '../../src/tls/sans-io/server-tls.ts'
import { tlsDuplex } from '../../src/tls/sans-io/tls-duplex.ts'
import { createSecureServer } from '../../src/tls/secure-server.ts'
import { createServer } from '../../src/tls/server.ts'
import { createServerContext } from '../../src/tls/server-context.ts'
import { forgeCertificate } from './forged-certificates.ts'
import { listening } from './tls-server.ts'

const site = forgeCertificate({ hosts: ['example.org'] })
const pair = { cert: site.certPem, key: site.keyPem }

export type StreamHandler = (stream: Duplex) => unknown
export type Limits = Omit<ConnectionLimits, 'proxyProtocol'>

export interface RunningServer {
  readonly port: number
  readonly connections: number
  close(): Promise<void>
}

export interface KindOfServer {
  readonly name: string
  readonly tls: boolean
  /** Whether it closes a connection by itself soon after its end is written, without waiting for the client's. */
  readonly drains: boolean
  start(handler: StreamHandler, limits: Limits): Promise<RunningServer>
}

export const KINDS_OF_SERVER: readonly KindOfServer[] = [
  {
    name: 'createServer',
    tls: true,
    drains: true,
    start: async (handler, limits) =>
      run(createServer(await createServerContext({ certificates: [pair] }), ({ stream }) => handler(stream), limits)),
  },
  {
    name: 'createSecureServer',
    tls: true,
    drains: true,
    start: async (handler, limits) =>
      run(
        createSecureServer(
          await createServerContext({ certificates: [pair] }),
          ({ stream }) => handler(stream),
          limits,
        ),
      ),
  },
  {
    name: 'createPlaintextServer',
    tls: false,
    drains: true,
    start: (handler, limits) => run(createPlaintextServer(({ stream }) => handler(stream), limits)),
  },
  { name: 'tlsDuplex behind guardConnections', tls: true, drains: false, start: startOwn },
]

async function run(server: Listener): Promise<RunningServer> {
  const { port } = await server.listen(0, '127.0.0.1')
  return {
    port,
    get connections() {
      return server.connections
    },
    close: () => server.close({ graceMs: 0 }),
  }
}

/** As a program does it that has a server of its own. */
async function startOwn(handler: StreamHandler, limits: Limits): Promise<RunningServer> {
  const tls = new ServerTLS({ certificates: new ServerCertificateChain(await KeyedChain.fromPem(pair)) })
  const server = createNetServer({ allowHalfOpen: true }, async (socket) => {
    const stream = tlsDuplex(socket, tls, { allowHalfOpen: true })
    try {
      await stream.established
      await handler(stream)
    } catch {
      stream.destroy()
    }
  })
  const guarded = guardConnections(server, limits)
  return {
    port: await listening(server),
    get connections() {
      return guarded.connections
    },
    close: () => guarded.close({ graceMs: 0 }),
  }
}
