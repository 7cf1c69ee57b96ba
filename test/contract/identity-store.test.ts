import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type * as store from '../../src/identity/registry/identity-store.ts'
import { MemoryIdentityStore } from '../../src/identity/registry/memory-identity-store.ts'
import { SqliteIdentityStore } from '../../src/identity/registry/sqlite-identity-store.ts'
import {
  checkIdentityStore,
  type IdentityStoreFixture,
  identityStorePromises,
} from '../../src/testing/identity-store-contract.ts'

async function inFile(): Promise<IdentityStoreFixture> {
  const folder = await mkdtemp(join(tmpdir(), 'tlacacoca-users-'))
  return {
    open: () => SqliteIdentityStore.open(join(folder, 'users.db')),
    reopens: true,
    remove: () => rm(folder, { recursive: true }),
  }
}

const inMemory = (): IdentityStoreFixture => ({ open: () => new MemoryIdentityStore(), reopens: false })

function titled(makeFixture: () => IdentityStoreFixture | Promise<IdentityStoreFixture>) {
  return identityStorePromises(makeFixture).map(({ name, check }) => [name, check] as const)
}

describe('SqliteIdentityStore keeps the promise', () => {
  it.each(titled(inFile))('%s', (_, check) => check())
})

describe('MemoryIdentityStore keeps the promise', () => {
  it.each(titled(inMemory))('%s', (_, check) => check())
})

// A suite that everything passes would be worth nothing.
describe('the suite finds a store that', () => {
  class Generous extends MemoryIdentityStore {
    readonly #codes = new Map<string, store.NewLinkCode>()

    override addLinkCode(code: store.NewLinkCode) {
      this.#codes.set(code.code, code)
      return super.addLinkCode(code)
    }

    // Puts the code back after it was used, as a store does that looks first and writes later.
    override redeemLinkCode(redemption: store.Redemption) {
      const outcome = super.redeemLinkCode(redemption)
      const code = this.#codes.get(redemption.code)
      if (code !== undefined) super.addLinkCode(code)
      return outcome
    }
  }
  class Hasty extends MemoryIdentityStore {
    override recover(request: store.RecoveryRequest) {
      return super.recover({ ...request, readyAt: request.at, usableFrom: Number.MAX_SAFE_INTEGER })
    }
  }
  class Careless extends MemoryIdentityStore {
    override revoke(revocation: store.CredentialRevocation) {
      return super.revoke({ ...revocation, ifLast: 'revoke' })
    }
  }
  class Talkative extends MemoryIdentityStore {
    override async requestLink(request: store.LinkRequest) {
      const outcome = await super.requestLink(request)
      const isNobody = (await this.userByHandle(request.handleKey)) === null
      return isNobody && outcome.kind === 'waiting' ? { kind: 'already_linked' as const } : outcome
    }
  }
  class Forgetful extends MemoryIdentityStore {
    override settle(_: string, value: string) {
      return value
    }
  }
  class Undead extends MemoryIdentityStore {
    override close(): void {}
  }

  it.each([
    { what: 'redeems a code twice', make: Generous, broken: '2 of sixty who redeem a code, one does' },
    { what: 'lets a recovery in without a wait', make: Hasty, broken: '9 a recovery is claimed after its wait' },
    { what: 'revokes the last certificate', make: Careless, broken: '2 of two who revoke the last two, each its own' },
    { what: 'tells who has an account', make: Talkative, broken: '8 a request for nobody waits like any other' },
    { what: 'settles nothing', make: Forgetful, broken: '5 the first value that is settled stays' },
    { what: 'answers after it was closed', make: Undead, broken: '15 after close nothing answers' },
  ])('$what', async ({ make, broken }) => {
    const failure = await checkIdentityStore(() => ({ open: () => new make(), reopens: false })).catch((error) => error)
    expect(failure).toBeInstanceOf(AggregateError)
    expect(failure.message).toContain(`broken promise: ${broken}`)
  })
})
