import { afterAll, beforeAll, describe, it } from 'vitest'
import { PostgresRateLimitStore } from '../../src/postgres/index.ts'
import { type RateLimitStoreFixture, rateLimitStorePromises } from '../../src/testing/rate-limit-store-contract.ts'
import { type Engine, embeddedEngine, newSchema, noServer, Server } from '../postgres/engine.ts'

const STARTED = Date.now()

// The machine that runs the tests may be busy; what is checked here is what is answered, not when.
const PATIENT = { timeoutMs: 20_000 }

describe.each([
  { where: 'in this process', skip: false, start: embeddedEngine },
  { where: 'on a server', skip: noServer, start: Server.start },
])('PostgresRateLimitStore $where keeps the promise', ({ skip, start }) => {
  let engine: Engine

  beforeAll(async () => {
    if (!skip) engine = await start()
  }, 60_000)
  afterAll(async () => engine?.close())

  async function place(): Promise<RateLimitStoreFixture> {
    const { schema, remove } = await newSchema(engine.client)
    let ahead = 0
    return {
      open: () => PostgresRateLimitStore.open(engine.another(), { schema, ...PATIENT }),
      reopens: engine.reopens,
      async advance(ms) {
        ahead += ms
        // It stands still between two moves, or a check of milliseconds would depend on how busy the machine is.
        await engine.client.query(`CREATE OR REPLACE FUNCTION ${schema}.clock_ms() RETURNS bigint LANGUAGE sql VOLATILE
          AS $$ SELECT ${STARTED + ahead}::bigint $$`)
      },
      remove,
    }
  }

  async function movable(): Promise<RateLimitStoreFixture> {
    const fixture = await place()
    await fixture.advance?.(0)
    return fixture
  }

  async function real(): Promise<RateLimitStoreFixture> {
    const { advance: _, ...fixture } = await place()
    return fixture
  }

  it.skipIf(skip).each(titled(movable))('%s', (_, check) => check())
  it.skipIf(skip).each(titled(real))('with the clock of the server: %s', (_, check) => check())
})

function titled(makeFixture: () => Promise<RateLimitStoreFixture>) {
  return rateLimitStorePromises(makeFixture).map(({ name, check }) => [name, check] as const)
}
