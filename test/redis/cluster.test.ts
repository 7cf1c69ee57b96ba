import { Redis as IoRedis, Cluster as IoRedisCluster } from 'ioredis'
import { Cluster as IoValkeyCluster } from 'iovalkey'
import { createCluster } from 'redis'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { BanList } from '../../src/middleware/ban-list.ts'
import { parseClientAddress } from '../../src/names/client-address.ts'
import { type RedisClient, RedisRateLimitStore, shareBans } from '../../src/redis/index.ts'
import { freePorts } from '../support/free-ports.ts'
import { haveRedis, RedisServer } from './redis-server.ts'

// Redis Cluster: two nodes, each with half of the slots. A script that touched keys of both would fail.

interface Node {
  readonly server: RedisServer
  readonly port: number
  readonly busPort: number
}

const nodes: Node[] = []

async function startNode(): Promise<Node> {
  // Nodes of a cluster tell one another where they are, so a socket will not do.
  const [port = 0, busPort = 0] = await freePorts(2)
  const settings = { port, 'cluster-port': busPort, bind: '127.0.0.1', 'cluster-enabled': 'yes' }
  const texts = Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)]))
  return { server: await new RedisServer(texts).start(), port, busPort }
}

beforeAll(async () => {
  if (!haveRedis) return
  nodes.push(await startNode(), await startNode())
})
afterAll(() => Promise.all(nodes.map(({ server }) => server.remove())))

const CLUSTERS: Record<string, (port: number) => Promise<{ client: RedisClient; close: () => unknown }>> = {
  async ioredis(port) {
    const client = new IoRedisCluster([{ port, host: '127.0.0.1' }])
    return { client, close: () => client.disconnect() }
  },
  async iovalkey(port) {
    const client = new IoValkeyCluster([{ port, host: '127.0.0.1' }])
    return { client, close: () => client.disconnect() }
  },
  async redis(port) {
    const cluster = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${port}` }] })
    await cluster.connect()
    const client: RedisClient = (command, key) => cluster.sendCommand(key, false, [...command])
    return { client, close: () => cluster.destroy() }
  },
}

describe.runIf(haveRedis)('over a cluster', () => {
  beforeAll(async () => {
    const [first, second] = nodes as [Node, Node]
    const [a, b] = [new IoRedis({ path: first.server.path }), new IoRedis({ path: second.server.path })]
    await a.call('CLUSTER', 'ADDSLOTSRANGE', '0', '8191')
    await b.call('CLUSTER', 'ADDSLOTSRANGE', '8192', '16383')
    await a.call('CLUSTER', 'MEET', '127.0.0.1', String(second.port), String(second.busPort))
    await vi.waitUntil(
      async () => {
        const states = await Promise.all([a, b].map(async (node) => String(await node.call('CLUSTER', 'INFO'))))
        return states.every((text) => text.includes('cluster_state:ok') && text.includes('known_nodes:2'))
      },
      { timeout: 20_000, interval: 50 },
    )
    a.disconnect()
    b.disconnect()
  })

  it.each(Object.keys(CLUSTERS))('limits and bans are shared by %s', async (name) => {
    const { client, close } = (await CLUSTERS[name]?.(nodes[0]?.port ?? 0)) ?? {}
    if (client === undefined) throw new Error(name)
    onTestFinished(() => {
      close?.()
    })
    const prefix = `${name}:`
    const store = new RedisRateLimitStore(client, { fleetSize: 1, local: null, timeoutMs: 10_000, prefix })
    const bucket = { capacity: 2, refillPerSecond: 1 / 900 }
    const keys = Array.from({ length: 40 }, (_, i) => `key ${i}`)
    for (const expected of [true, true, false]) {
      const answers = await Promise.all(keys.map((key) => store.consume(key, bucket, 1)))
      expect(answers.map(({ allowed }) => allowed)).toEqual(keys.map(() => expected))
    }
    await Promise.all(keys.map((key) => store.reset(key)))
    expect(await store.peek('key 7', bucket, 2)).toMatchObject({ allowed: true })

    const lists = [new BanList(), new BanList()] as const
    const options = { key: `${prefix}bans`, timeoutMs: 10_000 }
    const sharings = await Promise.all(lists.map((bans) => shareBans(bans, client, options)))
    lists[0].ban(parseClientAddress('192.0.2.1'), 600)
    for (const sharing of sharings) await sharing.sync()
    expect(lists[1].secondsLeft(parseClientAddress('192.0.2.1'))).toBe(600)
    for (const sharing of sharings) await sharing.close()
  })
})
