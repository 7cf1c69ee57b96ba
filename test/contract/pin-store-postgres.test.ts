import { afterAll, beforeAll, describe, it } from 'vitest'
import { PostgresPinStore } from '../../src/postgres/index.ts'
import { type PinStoreFixture, pinStorePromises } from '../../src/testing/pin-store-contract.ts'
import { type Engine, embeddedEngine, newSchema, noServer, Server } from '../postgres/engine.ts'

describe.each([
  { where: 'in this process', skip: false, start: embeddedEngine },
  { where: 'on a server', skip: noServer, start: Server.start },
])('PostgresPinStore $where keeps the promise', ({ skip, start }) => {
  let engine: Engine

  beforeAll(async () => {
    if (!skip) engine = await start()
  }, 60_000)
  afterAll(async () => engine?.close())

  async function place(): Promise<PinStoreFixture> {
    const { schema, remove } = await newSchema(engine.client)
    // The machine that runs the tests may be busy; what is checked here is what is answered, not when.
    const open = () => PostgresPinStore.open(engine.another(), { schema, timeoutMs: 25_000 })
    return { open, reopens: engine.reopens, remove }
  }

  const checks = pinStorePromises(place).map(({ name, check }) => [name, check] as const)
  it.skipIf(skip).each(checks)('%s', (_, check) => check())
})
