import { afterAll, beforeAll, describe, it } from 'vitest'
import { RedisRateLimitStore } from '../../src/redis/index.ts'
import { type RateLimitStoreFixture, rateLimitStorePromises } from '../../src/testing/rate-limit-store-contract.ts'
import { CLIENT_NAMES, CLIENTS, type ClientName, withClock } from '../redis/clients.ts'
import { haveRedis, RedisServer } from '../redis/redis-server.ts'

const server = new RedisServer()
beforeAll(async () => {
  if (haveRedis) await server.start()
})
afterAll(() => server.remove())

let places = 0

/** Buckets under a prefix of their own. Nobody may answer in the place of Redis. */
function place(name: ClientName): () => RateLimitStoreFixture {
  return () => {
    const prefix = `place ${places++}:`
    const closing: (() => void)[] = []
    return {
      async open() {
        const { client, close } = await CLIENTS[name]({ path: server.path })
        closing.push(close)
        return new RedisRateLimitStore(client, { fleetSize: 1, local: null, timeoutMs: 10_000, prefix })
      },
      reopens: true,
      remove() {
        for (const close of closing) close()
      },
    }
  }
}

/** The same, with a clock that can be moved. */
function placeWithClock(): RateLimitStoreFixture {
  const prefix = `place ${places++}:`
  const closing: (() => void)[] = []
  const time = { ms: 1_900_000_000_000 }
  return {
    async open() {
      const { client, close } = await CLIENTS.ioredis({ path: server.path })
      closing.push(close)
      const command = withClock(client, () => time.ms)
      return new RedisRateLimitStore(command, { fleetSize: 1, local: null, timeoutMs: 10_000, prefix })
    },
    reopens: true,
    advance(ms) {
      time.ms += ms
    },
    remove() {
      for (const close of closing) close()
    },
  }
}

function titled(makeFixture: () => RateLimitStoreFixture) {
  return rateLimitStorePromises(makeFixture).map(({ name, check }) => [name, check] as const)
}

describe.runIf(haveRedis).each(CLIENT_NAMES)('RedisRateLimitStore over %s keeps the promise', (name) => {
  it.each(titled(place(name)))('%s', (_, check) => check())
})

describe.runIf(haveRedis)('RedisRateLimitStore with a clock that is moved keeps the promise', () => {
  it.each(titled(placeWithClock))('%s', (_, check) => check())
})
