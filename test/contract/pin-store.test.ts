import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkPinStore, type PinStoreFixture, pinStorePromises } from '../../src/testing/pin-store-contract.ts'
import { MemoryPinStore } from '../../src/tofu/memory-pin-store.ts'
import type { PinUpdate } from '../../src/tofu/pin-store.ts'
import { SqlitePinStore } from '../../src/tofu/sqlite-pin-store.ts'

async function inFile(): Promise<PinStoreFixture> {
  const folder = await mkdtemp(join(tmpdir(), 'tlacacoca-pins-'))
  return {
    open: () => SqlitePinStore.open(join(folder, 'pins.db')),
    reopens: true,
    remove: () => rm(folder, { recursive: true }),
  }
}

const inMemory = (): PinStoreFixture => ({ open: () => new MemoryPinStore(), reopens: false })

function titled(makeFixture: () => PinStoreFixture | Promise<PinStoreFixture>) {
  return pinStorePromises(makeFixture).map(({ name, check }) => [name, check] as const)
}

describe('SqlitePinStore keeps the promise', () => {
  it.each(titled(inFile))('%s', (_, check) => check())
})

describe('MemoryPinStore keeps the promise', () => {
  it.each(titled(inMemory))('%s', (_, check) => check())
})

// A suite that everything passes would be worth nothing.
describe('the suite finds a store that', () => {
  class Careless extends MemoryPinStore {
    override update(update: PinUpdate): boolean {
      const changes = update.changes.map((change) => ({ ...change, expect: this.read(change.subject) }))
      super.update({ changes, log: update.log })
      return true
    }
  }
  class Hopeful extends MemoryPinStore {
    override lastSeen(subject: string): number | undefined {
      return this.read(subject)[0]?.lastSeen.getTime()
    }
  }
  class Forgiving extends MemoryPinStore {
    override clear(at: Date) {
      const all = { ...super.clear(at) }
      for (const { subject, digest, state } of this.list()) {
        super.update({ changes: [{ subject, expect: [{ digest, state }], put: [], remove: [digest] }], log: [] })
      }
      return all
    }
  }
  class Undead extends MemoryPinStore {
    override close(): void {}
  }

  it.each([
    { what: 'ignores what an update expects', make: Careless, broken: '2 an update with another expectation' },
    { what: 'takes a replaced pin for a live one', make: Hopeful, broken: '5 lastSeen answers for live pins' },
    { what: 'forgets marks', make: Forgiving, broken: '9 clear keeps the marks' },
    { what: 'answers after it was closed', make: Undead, broken: '11 after close nothing answers' },
  ])('$what', async ({ make, broken }) => {
    const failure = await checkPinStore(() => ({ open: () => new make(), reopens: false })).catch((error) => error)
    expect(failure).toBeInstanceOf(AggregateError)
    expect(failure.message).toContain(`broken promise: ${broken}`)
  })
})
