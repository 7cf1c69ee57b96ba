// The clients of Redis that we document, and somebody on the way, who can be slow, silent, or cut the line.

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { Redis as IoRedis } from 'ioredis'
import { Redis as IoValkey } from 'iovalkey'
import { createClient } from 'redis'
import { onTestFinished } from 'vitest'
import type { RedisCommand } from '../../src/redis/index.ts'
import { joinSockets } from '../support/relay.ts'
import { listening } from '../support/tls-server.ts'
import type { RedisServer } from './redis-server.ts'

/** Who stands between the clients and Redis. */
export interface Proxy {
  readonly port: number
  /** Where new connections lead to. */
  path: string
  /** By how many milliseconds each answer is late. Default 0. */
  delayMs: number
  /** From now on nothing comes back over the connections that there are, as if the way were broken. New ones work. */
  silence(): void
  /** Cuts all connections, in the middle of whatever they do. */
  cut(): void
}

export async function proxyTo(path: string): Promise<Proxy> {
  const sockets = new Set<Socket>()
  const silent = new Set<Socket>()
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ path: proxy.path })
    joinSockets(client, upstream, sockets)
    client.on('data', (chunk) => upstream.write(chunk))
    upstream.on('data', (chunk) => {
      if (silent.has(client)) return
      if (proxy.delayMs === 0) client.write(chunk)
      else setTimeout(() => client.write(chunk), proxy.delayMs).unref()
    })
  })
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const silence = (): void => {
    for (const socket of sockets) silent.add(socket)
  }
  const proxy: Proxy = { port: await listening(server), path, delayMs: 0, silence, cut }
  onTestFinished(() => {
    cut()
    server.close()
  })
  return proxy
}

/** Where a client connects to: the socket, or a port of 127.0.0.1. */
export type Place = { readonly path: string } | { readonly port: number }

/** How long a connection may be silent. Documented as ten times as much. */
const SILENCE_MS = 450

/** As we document it for `ioredis` and `iovalkey`. */
const STRICT = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  retryStrategy: () => 20,
  connectTimeout: 1000,
  socketTimeout: SILENCE_MS,
}

/** The clients that we document, by their packages, each set up as we document it. */
export const CLIENTS = {
  async redis(place: Place) {
    const socket = 'path' in place ? { path: place.path, tls: false as const } : { host: '127.0.0.1', port: place.port }
    const client = createClient({
      socket: { ...socket, reconnectStrategy: () => 20, connectTimeout: 1000, socketTimeout: SILENCE_MS },
      disableOfflineQueue: true,
      // Pings wait for one another, so a connection that only breathes out is silent in the end.
      pingInterval: SILENCE_MS / 3,
    })
    client.on('error', () => {})
    await client.connect()
    return { client, close: () => client.destroy() }
  },
  ioredis: (place: Place) => ready(new IoRedis({ ...place, ...STRICT })),
  iovalkey: (place: Place) => ready(new IoValkey({ ...place, ...STRICT })),
}

async function ready<Client extends IoRedis | IoValkey>(client: Client) {
  client.on('error', () => {})
  await once(client, 'ready')
  return { client, close: () => client.disconnect() }
}

export type ClientName = keyof typeof CLIENTS
export const CLIENT_NAMES = ['redis', 'ioredis', 'iovalkey'] as const

/** A client for the running test, closed when the test is over. */
export async function clientOf(name: ClientName, place: Place) {
  const { client, close } = await CLIENTS[name](place)
  onTestFinished(close)
  return client
}

/** A clock that is read instead of that of Redis: scripts get its time where they ask for the other. */
export function withClock(client: IoRedis, clock: () => number): RedisCommand {
  return async ([verb = '', text = '', ...rest]) => {
    // So that the text is sent each time.
    if (verb === 'EVALSHA') throw new Error('NOSCRIPT')
    const ms = clock()
    const reading = `{'${Math.floor(ms / 1000)}', '${(ms % 1000) * 1000 + 999}'}`
    return client.call(verb, verb === 'EVAL' ? text.replace("redis.call('TIME')", reading) : text, ...rest)
  }
}

/** A client to look behind the scenes with. */
export function lookInto(server: RedisServer): IoRedis {
  const client = new IoRedis({ path: server.path })
  client.on('error', () => {})
  onTestFinished(() => client.disconnect())
  return client
}
