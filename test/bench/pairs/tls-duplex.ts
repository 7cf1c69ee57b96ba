import type { Pair, PairSource } from '../measure.ts'
import { tlsWorkers, type Worker } from './tls-processes.ts'
import type { ClientKind, Scenario, ServerKind } from './tls-worker.ts'

/** 0.9 of the rate. */
const GOAL = 1 / 0.9
const CONNECTIONS = 32
const MEBIBYTES = 24
const WARM_UP = 1000

/**
 * TLS over loopback with one end in each of two processes, ours or Node's, against Node's own at both ends. A connection
 * is one from its beginning to a polite end: handshake, one byte, close_notify from both sides. The certificates are
 * P-256. The contenders only direct these two processes, and so take turns in the process that directs the rest.
 */
export async function tlsSources(): Promise<{ sources: PairSource[]; close(): void }> {
  const workers = await tlsWorkers()
  const server = await workers.start()
  const client = await workers.start()
  await warmUp(server, client)
  const sources: PairSource[] = []
  for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
    for (const clientCertificate of [false, true]) {
      const scenario = { version, clientCertificate }
      for (const atOnce of [8, 1]) {
        const rest = `${described(scenario)}, ${atOnce} at once`
        sources.push(
          {
            name: `a connection by tlsDuplex, against tls.connect${rest}`,
            make: () => clientPair(server, client, scenario, atOnce),
          },
          {
            name: `a connection to createSecureServer, against tls.createServer${rest}`,
            make: () => serverPair(server, client, scenario, atOnce),
          },
        )
      }
    }
  }
  for (const clientCertificate of [false, true]) {
    const scenario = { version: 'TLSv1.3', clientCertificate } as const
    for (const chunk of [16_384, 1_048_576]) {
      for (const direction of ['up', 'down'] as const) {
        const what = `1 MiB ${direction === 'up' ? 'sent' : 'received'} in writes of ${chunk / 1024} KiB by tlsDuplex`
        sources.push({
          name: `${what}, against tls.connect${described(scenario)}`,
          make: () => bulkPair(server, client, scenario, direction, chunk),
        })
      }
    }
  }
  return { sources, close: () => workers.close() }
}

/** Code that a program has run a thousand times is not the code that it started with. */
async function warmUp(server: Worker, client: Worker): Promise<void> {
  const scenario: Scenario = { version: 'TLSv1.3', clientCertificate: true }
  const bare = await server.ask('listen', 'node:tls', scenario, 'greet')
  for (const kind of ['node:tls', 'tlsDuplex', 'connect'] as const) {
    await client.ask('visit', { kind, scenario, port: bare, count: WARM_UP, atOnce: 8 })
  }
  for (const kind of ['createServer', 'createSecureServer'] as const) {
    const port = await server.ask('listen', kind, scenario, 'greet')
    await client.ask('visit', { kind: 'node:tls', scenario, port, count: WARM_UP, atOnce: 8 })
  }
}

async function clientPair(server: Worker, client: Worker, scenario: Scenario, atOnce: number): Promise<Pair> {
  const port = await server.ask('listen', 'node:tls', scenario, 'greet')
  const by = (kind: ClientKind) => () => client.ask('visit', { kind, scenario, port, count: CONNECTIONS, atOnce })
  return {
    goal: GOAL,
    per: CONNECTIONS,
    floor: by('node:tls'),
    ours: by('tlsDuplex'),
    peers: {
      connect: by('connect'),
      'tls.connect over a Duplex': by('node:tls over a Duplex'),
      'tls.connect, and a look at the fingerprint': by('node:tls and a look'),
    },
    compared: false,
  }
}

async function serverPair(server: Worker, client: Worker, scenario: Scenario, atOnce: number): Promise<Pair> {
  const to = async (kind: ServerKind) => {
    const port = await server.ask('listen', kind, scenario, 'greet')
    return () => client.ask('visit', { kind: 'node:tls', scenario, port, count: CONNECTIONS, atOnce })
  }
  return {
    goal: GOAL,
    per: CONNECTIONS,
    floor: await to('node:tls'),
    ours: await to('createSecureServer'),
    peers: {
      createServer: await to('createServer'),
      ...(scenario.clientCertificate
        ? { 'tls.createServer, and a look at the fingerprint': await to('node:tls and a look') }
        : {}),
    },
    compared: false,
  }
}

async function bulkPair(
  server: Worker,
  client: Worker,
  scenario: Scenario,
  direction: 'up' | 'down',
  chunk: number,
): Promise<Pair> {
  const port = await server.ask('listen', 'node:tls', scenario, 'bulk')
  const bytes = MEBIBYTES * 2 ** 20
  const by = (kind: ClientKind) => () => client.ask('transfer', { kind, scenario, port, direction, bytes, chunk })
  return {
    goal: GOAL,
    per: MEBIBYTES,
    floor: by('node:tls'),
    ours: by('tlsDuplex'),
    peers: { 'tls.connect over a Duplex': by('node:tls over a Duplex') },
    compared: false,
  }
}

function described({ version, clientCertificate }: Scenario): string {
  return `, ${version}${clientCertificate ? ' with a client certificate' : ''}`
}
