import { afterAll, beforeAll, describe, it } from 'vitest'
import { PostgresIdentityStore } from '../../src/postgres/index.ts'
import { type IdentityStoreFixture, identityStorePromises } from '../../src/testing/identity-store-contract.ts'
import { type Engine, embeddedEngine, newSchema, noServer, Server } from '../postgres/engine.ts'

describe.each([
  { where: 'in this process', skip: false, start: embeddedEngine },
  { where: 'on a server', skip: noServer, start: Server.start },
])('PostgresIdentityStore $where keeps the promise', ({ skip, start }) => {
  let engine: Engine

  beforeAll(async () => {
    if (!skip) engine = await start()
  }, 60_000)
  afterAll(async () => engine?.close())

  async function place(): Promise<IdentityStoreFixture> {
    const { schema, remove } = await newSchema(engine.client)
    // The machine that runs the tests may be busy; what is checked here is what is answered, not when.
    const open = () => PostgresIdentityStore.open(engine.another(), { schema, timeoutMs: 25_000 })
    return { open, reopens: engine.reopens, remove }
  }

  const checks = identityStorePromises(place).map(({ name, check }) => [name, check] as const)
  it.skipIf(skip).each(checks)('%s', (_, check) => check())
})
