import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type * as store from '../../src/authority/issued-store.ts'
import { MemoryIssuedStore } from '../../src/authority/memory-issued-store.ts'
import { SqliteIssuedStore } from '../../src/authority/sqlite-issued-store.ts'
import {
  checkIssuedStore,
  type IssuedStoreFixture,
  issuedStorePromises,
} from '../../src/testing/issued-store-contract.ts'

async function inFile(): Promise<IssuedStoreFixture> {
  const folder = await mkdtemp(join(tmpdir(), 'tlacacoca-issued-'))
  return {
    open: () => SqliteIssuedStore.open(join(folder, 'ca.db')),
    reopens: true,
    remove: () => rm(folder, { recursive: true }),
  }
}

const inMemory = (): IssuedStoreFixture => ({ open: () => new MemoryIssuedStore(), reopens: false })

function titled(makeFixture: () => IssuedStoreFixture | Promise<IssuedStoreFixture>) {
  return issuedStorePromises(makeFixture).map(({ name, check }) => [name, check] as const)
}

describe('SqliteIssuedStore keeps the promise', () => {
  it.each(titled(inFile))('%s', (_, check) => check())
})

describe('MemoryIssuedStore keeps the promise', () => {
  it.each(titled(inMemory))('%s', (_, check) => check())
})

// A suite that everything passes would be worth nothing.
describe('the suite finds a store that', () => {
  class Undead extends MemoryIssuedStore {
    override close(): void {}
  }
  class Lenient extends MemoryIssuedStore {
    override get(serial: string) {
      return super.get(serial.toLowerCase())
    }
  }
  class Impatient extends MemoryIssuedStore {
    override async *list(filter: store.IssuedFilter) {
      let count = 0
      for await (const row of super.list(filter)) if (count++ < 200) yield row
    }
  }
  class Discreet extends MemoryIssuedStore {
    override async *auditTrail(after = 0) {
      for await (const event of super.auditTrail(after)) if (event.event !== 'held') yield event
    }
  }
  // Both look first and write later, over what was written in between.
  function hesitant(): store.IssuedStore {
    const memory = new MemoryIssuedStore()
    const begin = memory.begin.bind(memory)
    return Object.assign(memory, {
      async begin(row: store.NewIssued, replay: store.ReplayWindow | null) {
        if (memory.get(row.serial) !== null) return { kind: 'serial_taken' as const }
        await Promise.resolve()
        const outcome = begin(row, replay)
        return outcome.kind === 'serial_taken' ? { kind: 'begun' as const } : outcome
      },
    })
  }
  function hurried(): store.IssuedStore {
    const memory = new MemoryIssuedStore()
    const complete = memory.complete.bind(memory)
    return Object.assign(memory, {
      async complete(...given: Parameters<typeof complete>) {
        const isPending = memory.get(given[0])?.status === 'pending'
        await Promise.resolve()
        const outcome = complete(...given)
        return isPending ? { kind: 'completed' as const, noticeId: null } : outcome
      },
    })
  }
  class Repeating extends MemoryIssuedStore {
    override begin(row: store.NewIssued) {
      return super.begin(row, null)
    }
  }
  class Indifferent extends MemoryIssuedStore {
    override begin(row: store.NewIssued, replay: store.ReplayWindow | null) {
      return super.begin({ ...row, clientHash: null }, replay)
    }
  }
  class Timeless extends MemoryIssuedStore {
    override begin(row: store.NewIssued, replay: store.ReplayWindow | null) {
      return super.begin(row, replay === null ? null : { since: 0 })
    }
  }
  class Nostalgic extends MemoryIssuedStore {
    readonly #first = new Map<string | null, string>()

    override begin(row: store.NewIssued, replay: store.ReplayWindow | null) {
      const earlier = this.get(this.#first.get(row.requestSha256) ?? '')
      if (replay !== null && earlier !== null && earlier.status !== 'pending') {
        return { kind: 'replayed' as const, row: earlier }
      }
      this.#first.set(row.requestSha256, row.serial)
      return super.begin(row, replay)
    }
  }
  class Obliging extends MemoryIssuedStore {
    override complete(...given: Parameters<MemoryIssuedStore['complete']>) {
      const outcome = super.complete(...given)
      return outcome.kind === 'not_pending' ? { kind: 'completed' as const, noticeId: null } : outcome
    }
  }
  class Rash extends MemoryIssuedStore {
    override abandonPending(before: number, at: number) {
      return super.abandonPending(before + 1, at)
    }
  }
  class Merciful extends MemoryIssuedStore {
    override release(change: store.StatusChange) {
      const outcome = super.release(change)
      return outcome.kind === 'not_held' ? { kind: 'released' as const } : outcome
    }
  }
  class Forgiving extends MemoryIssuedStore {
    override begin(row: store.NewIssued, replay: store.ReplayWindow | null) {
      const outcome = super.begin(row, replay)
      return outcome.kind === 'not_renewable' ? super.begin({ ...row, renewedFrom: null }, replay) : outcome
    }
  }
  class Trusting extends MemoryIssuedStore {
    override blockKey() {}
  }
  class Narrow extends MemoryIssuedStore {
    override revoke(revocation: store.Revocation) {
      const row = this.get(revocation.serial)
      if (row !== null && revocation.withKey) this.blockKey({ ...revocation, publicKey: row.publicKey })
      return super.revoke({ ...revocation, withKey: false })
    }
  }
  class Counting extends MemoryIssuedStore {
    override beginCrl(at: number) {
      return { ...super.beginCrl(at), number: (this.currentCrl()?.number ?? 0n) + 1n }
    }
  }
  class Tidy extends MemoryIssuedStore {
    override beginCrl(at: number) {
      const { number, entries } = super.beginCrl(at)
      return { number, entries: entries.filter((each) => (this.get(each.serial)?.notAfter ?? 0) >= at) }
    }
  }
  class Brief extends MemoryIssuedStore {
    #last = 0

    override beginCrl(at: number) {
      const { number, entries } = super.beginCrl(at)
      return { number, entries: entries.filter((each) => (this.get(each.serial)?.notAfter ?? 0) >= this.#last) }
    }

    override completeCrl(crl: store.StoredCrl) {
      this.#last = crl.thisUpdate
      super.completeCrl(crl)
    }
  }
  class Stale extends MemoryIssuedStore {
    #last: store.StoredCrl | null = null

    override completeCrl(crl: store.StoredCrl) {
      this.#last = crl
      super.completeCrl(crl)
    }

    override currentCrl() {
      return this.#last
    }
  }
  class Chatty extends MemoryIssuedStore {
    override claimNotices(at: number, _: number, limit: number) {
      return super.claimNotices(at, at, limit)
    }
  }
  class Nagging extends MemoryIssuedStore {
    override settleNotice() {}
  }
  class Embellishing extends MemoryIssuedStore {
    override async *auditTrail(after = 0) {
      for await (const event of super.auditTrail(after)) yield { ...event, at: event.at + 1 }
    }
  }

  it.each([
    {
      what: 'reads serial numbers as it likes',
      open: () => new Lenient(),
      broken: '1 serial numbers are compared byte by byte',
    },
    {
      what: 'stops in the middle of a list',
      open: () => new Impatient(),
      broken: '1 a list and a trail that are long',
    },
    { what: 'does not record a hold', open: () => new Discreet(), broken: '2 every change has its event' },
    { what: 'completes twice', open: hurried, broken: '2 of many who complete, hold, release or revoke' },
    { what: 'begins two rows with one number', open: hesitant, broken: '3 of many who begin with one serial number' },
    {
      what: 'answers no request that was sent twice',
      open: () => new Repeating(),
      broken: '4 of many equal requests one begins',
    },
    {
      what: 'gives one client the certificate of another',
      open: () => new Indifferent(),
      broken: '4 requests are equal if',
    },
    {
      what: 'answers requests of long ago',
      open: () => new Timeless(),
      broken: '4 requests are sent twice if the window says so',
    },
    {
      what: 'answers with what was revoked',
      open: () => new Nostalgic(),
      broken: '4 a certificate that is held, was revoked or',
    },
    { what: 'hands out what was given up', open: () => new Obliging(), broken: '5 a row is issued once' },
    {
      what: 'hands out what its key was blocked for',
      open: () => new Obliging(),
      broken: '7 what is pending for a key',
    },
    {
      what: 'gives up what is being signed',
      open: () => new Rash(),
      broken: '5 what has been pending since before an instant',
    },
    { what: 'releases what is revoked', open: () => new Merciful(), broken: '6 what is revoked stays so' },
    {
      what: 'renews what was revoked',
      open: () => new Forgiving(),
      broken: '7 a renewal begins only while what it renews is issued',
    },
    { what: 'forgets blocked keys', open: () => new Trusting(), broken: '7 a key that is blocked begins nothing' },
    {
      what: 'leaves the other certificates of a key',
      open: () => new Narrow(),
      broken: '7 revoking with the key takes all',
    },
    { what: 'gives a number twice', open: () => new Counting(), broken: '8 numbers of lists only grow' },
    {
      what: 'takes off its list what has just expired',
      open: () => new Tidy(),
      broken: '8 what has expired is on one more list',
    },
    { what: 'has a list without what was just revoked', open: () => new Stale(), broken: '9 a list is out of date' },
    {
      what: 'takes a list with a smaller number',
      open: () => new Stale(),
      broken: '9 the current list is the last one',
    },
    {
      what: 'never lists what was revoked late',
      open: () => new Brief(),
      broken: '8 what was taken back after the last',
    },
    { what: 'trusts a clock that ran ahead', open: () => new Brief(), broken: '8 a clock that ran ahead' },
    {
      what: 'gives a notice to several',
      open: () => new Chatty(),
      broken: '10 a notice is given to one caller at a time',
    },
    { what: 'never lets a notice rest', open: () => new Nagging(), broken: '10 a notice comes when it is due' },
    { what: 'changes what was recorded', open: () => new Embellishing(), broken: '11 an event is recorded as it is' },
    { what: 'answers after it was closed', open: () => new Undead(), broken: '12 after close nothing answers' },
  ])('$what', async ({ open, broken }) => {
    const promises = issuedStorePromises(() => ({ open, reopens: false }))
    const found = promises.filter(({ name }) => name.startsWith(broken))
    expect(found).toHaveLength(1)
    await expect(found[0]?.check()).rejects.toMatchObject({ code: 'ERR_ASSERTION' })
  })

  it('is whole, and names each promise that is broken', async () => {
    const failure = await checkIssuedStore(() => ({ open: () => new Trusting(), reopens: false })).catch(
      (error) => error,
    )
    expect(failure).toBeInstanceOf(AggregateError)
    expect(failure.message).toContain('broken promise: 7 a key that is blocked begins nothing')
    expect(failure.message).not.toContain('broken promise: 4')
  })
})
