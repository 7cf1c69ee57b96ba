// Whoever asks about a handle must not learn whether anybody has it: not by the answer, nor by the work that was done
// for it. Work is counted in calls of the store and in statements of the database, since clocks tell nothing in a test.

import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { IdentityRegistry } from '../../../src/identity/registry/identity-registry.ts'
import { MemoryIdentityStore } from '../../../src/identity/registry/memory-identity-store.ts'
import { SqliteTables } from '../../../src/identity/registry/sqlite-tables.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { counting, NOW, openRegistry, refusalOf, stranger } from './support.ts'

const HANDLES = ['ana', 'nobody', 'erased', 'expired']

async function populated(registry: IdentityRegistry): Promise<void> {
  for (const handle of ['ana', 'erased', 'expired']) {
    const peer = stranger()
    const { user, credential } = await registry.register(peer, { handle })
    await registry.createRecoveryCodes(peer)
    if (handle === 'erased') await registry.eraseUser(user.id)
    if (handle === 'expired') await registry.revokeAsOperator(credential.id)
  }
}

it.each(HANDLES)('asking to be let in as %s does the same and gets the same', async (handle) => {
  const counted = counting(new MemoryIdentityStore())
  const { registry, events } = openRegistry({}, counted.store)
  await populated(registry)
  counted.calls.length = 0
  events.length = 0
  const peer = stranger()
  const link = await registry.requestLink(peer, handle)
  expect(Object.keys(link).sort()).toEqual(
    ['comparison', 'expiresAt', 'fingerprint', 'id', 'kind', 'readyAt', 'requestedAt'].sort(),
  )
  expect(link).toMatchObject({
    kind: 'approval',
    readyAt: null,
    requestedAt: NOW,
    expiresAt: new Date('2030-06-03T12:00:00Z'),
  })
  expect(await registry.resolve(peer)).toEqual({ kind: 'pending', link })
  expect(counted.calls).toEqual(['find', 'requestLink', 'prune', 'find'])
  expect(events).toEqual([])
})

it.each(HANDLES)('a wrong recovery code for %s does the same and gets the same', async (handle) => {
  const counted = counting(new MemoryIdentityStore())
  const { registry, events } = openRegistry({}, counted.store)
  await populated(registry)
  counted.calls.length = 0
  events.length = 0
  const peer = stranger()
  for (const code of ['', 'x', '00000-00000-00000-00000', '0'.repeat(1000)]) {
    const error = await registry.recover(peer, handle, code).catch((reason) => reason)
    expect(error).toMatchObject({ code: 'ERR_TLACACOCA_IDENTITY_CODE_INVALID', reason: null })
    expect(error.message).toBe('the code is wrong, was used, or has expired')
  }
  expect(counted.calls).toEqual(Array.from({ length: 4 }, () => ['find', 'recover']).flat())
  expect(await registry.resolve(peer)).toMatchObject({ kind: 'unknown' })
  expect(events).toEqual([])
})

it('the limits count tries for a handle that nobody has like any other', async () => {
  for (const handle of HANDLES) {
    const { registry } = openRegistry()
    await populated(registry)
    for (let n = 0; n < 20; n++) await registry.requestLink(stranger(), handle)
    expect(await refusalOf(registry.requestLink(stranger(), handle))).toBe('IDENTITY_LIMITED')
  }
})

it('the database is asked the same statements, in the same order', async () => {
  const registry = await IdentityRegistry.open({
    path: join(await temporaryFolder(), 'users.db'),
    origin: 'example.org:1965',
    clock: () => NOW.getTime(),
  })
  onTestFinished(() => registry.close())
  await populated(registry)
  const steps = spyOnTables()
  const traces = []
  for (const handle of HANDLES) {
    steps.length = 0
    const peer = stranger()
    await registry.recover(peer, handle, 'wrong').catch(() => {})
    await registry.requestLink(peer, handle)
    traces.push(steps.join(' '))
  }
  expect(traces[0]).toMatch(/recoveryCodeMaker.*insertLink/)
  expect(new Set(traces.slice(1)), 'of the ones after the first, which prunes').toHaveProperty('size', 1)
  expect(traces[0]?.replace(' prune', '')).toBe(traces[1])
})

/** Notes which steps on the tables are taken. */
function spyOnTables(): string[] {
  const steps: string[] = []
  const { prototype } = SqliteTables
  for (const name of Object.getOwnPropertyNames(prototype)) {
    const original = Object.getOwnPropertyDescriptor(prototype, name)
    if (name === 'constructor' || typeof original?.value !== 'function') continue
    Object.defineProperty(prototype, name, {
      ...original,
      value(this: SqliteTables, ...args: unknown[]) {
        steps.push(name)
        return original.value.apply(this, args)
      },
    })
    onTestFinished(() => void Object.defineProperty(prototype, name, original))
  }
  return steps
}
