// Whatever is done to a store, in whatever order: the file and the memory come to the same, also when the file is closed
// and opened again in between, and what no order of steps may lead to has not come about.

import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { IssuedStatus, IssuedStore, StoredCrl } from '../../src/authority/issued-store.ts'
import { MemoryIssuedStore } from '../../src/authority/memory-issued-store.ts'
import { SqliteIssuedStore } from '../../src/authority/sqlite-issued-store.ts'
import { digest } from '../../src/testing/contract-identities.ts'
import {
  allOf,
  keyOf,
  type Prepared,
  plain,
  prepare,
  SECOND,
  START,
  soundTrail,
} from '../../src/testing/contract-issued.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

// Few of everything, so that they meet: six serial numbers, two keys, two requests, three ends.
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'] as const
const KEYS = ['one', 'other'] as const
const certificates = new Map<string, Prepared>()
for (const [n, name] of NAMES.entries()) {
  const facts = {
    key: KEYS[n % 2] ?? 'one',
    requestSha256: digest(`${n % 3 === 0}`),
    notAfter: START + (n % 3) * 4 * SECOND,
  }
  certificates.set(name, await prepare(name, facts))
}

interface Subject {
  readonly store: IssuedStore
  /** How many lists were begun. */
  lists: number
}

type Step = (subject: Subject) => unknown

const at = fc.integer({ min: 0, max: 12 }).map((n) => START + n * SECOND)
const certificate = fc.constantFrom(...NAMES).map((name) => certificates.get(name) as Prepared)
const serial = certificate.map(({ row }) => row.serial)
const by = fc.constantFrom(null, 'admin')
const reason = fc.constantFrom('unspecified' as const, 'superseded' as const, 'key_compromise' as const)

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ certificate, at, since: fc.option(at), renewedFrom: fc.option(serial) }).map(
      (s): Step =>
        ({ store }) => {
          const row = { ...s.certificate.row, createdAt: s.at, renewedFrom: s.renewedFrom }
          return store.begin(row, s.since === null ? null : { since: s.since })
        },
    ),
  },
  {
    weight: 5,
    arbitrary: fc.record({ certificate, at, notifyAt: fc.option(at) }).map(
      (s): Step =>
        ({ store }) =>
          store.complete(s.certificate.row.serial, s.certificate.certificate, s.at, s.notifyAt),
    ),
  },
  fc.record({ before: at, at }).map(
    (s): Step =>
      ({ store }) =>
        store.abandonPending(s.before, s.at),
  ),
  {
    weight: 3,
    arbitrary: fc.record({ serial, at, reason, invalidityDate: fc.option(at), by, withKey: fc.boolean() }).map(
      (s): Step =>
        ({ store }) =>
          store.revoke(s),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.record({ serial, at, by }).map(
      (s): Step =>
        ({ store }) =>
          store.hold(s),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.record({ serial, at, by }).map(
      (s): Step =>
        ({ store }) =>
          store.release(s),
    ),
  },
  fc.record({ publicKey: fc.constantFrom(...KEYS).map(keyOf), at, by }).map(
    (s): Step =>
      ({ store }) =>
        store.blockKey(s),
  ),
  {
    weight: 2,
    arbitrary: at.map(
      (when): Step =>
        (subject) => {
          subject.lists++
          return subject.store.beginCrl(when)
        },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.record({ back: fc.integer({ min: -1, max: 2 }), at }).map(
      (s): Step =>
        ({ store, lists }) => {
          const crl: StoredCrl = {
            number: BigInt(Math.max(lists - s.back, 0)),
            thisUpdate: s.at,
            nextUpdate: s.at + SECOND,
            der: Uint8Array.of(s.back + 1, 0, 255),
          }
          return store.completeCrl(crl)
        },
    ),
  },
  fc.record({ at, until: at, limit: fc.integer({ min: 1, max: 3 }) }).map(
    (s): Step =>
      ({ store }) =>
        store.claimNotices(s.at, s.until, s.limit),
  ),
  fc.integer({ min: 0, max: 4 }).map(
    (id): Step =>
      ({ store }) =>
        store.settleNotice(id),
  ),
  fc.record({ id: fc.integer({ min: 0, max: 4 }), at }).map(
    (s): Step =>
      ({ store }) =>
        store.postponeNotice(s.id, s.at),
  ),
  at.map(
    (when): Step =>
      ({ store }) =>
        store.record({ at: when, event: 'noted', actor: null, serial: null, detail: 'by hand' }),
  ),
)

/** Some that are issued at first, or there would be little to do. */
const issued: fc.Arbitrary<Step[][]> = fc
  .subarray([...certificates.values()])
  .chain((some) =>
    fc.tuple(
      ...some.map(({ row, certificate }) =>
        fc
          .option(at)
          .map((notifyAt): Step[] => [
            ({ store }) => store.begin(row, null),
            ({ store }) => store.complete(row.serial, certificate, START, notifyAt),
          ]),
      ),
    ),
  )

/** Everything that can be read. */
async function allOfIt(store: IssuedStore) {
  const rows = (await allOf(store.list({}))).map(plain)
  const current = await store.currentCrl()
  const filters = [{ status: 'revoked' }, { publicKey: keyOf('one') }, { expiresBy: START + 4 * SECOND }] as const
  return {
    rows,
    filtered: await Promise.all(filters.map(async (filter) => (await allOf(store.list(filter))).map(plain))),
    blocked: await Promise.all(KEYS.map((key) => store.isKeyBlocked(keyOf(key)))),
    current: current === null ? null : { ...current, der: [...current.der] },
    trail: (await soundTrail(store)).map((event) => ({ ...event })),
  }
}

function plainAnswer(answer: unknown): unknown {
  if (typeof answer !== 'object' || answer === null || !('row' in answer)) return answer
  return { ...answer, row: plain(answer.row as Parameters<typeof plain>[0]) }
}

const FROM: Record<IssuedStatus, readonly IssuedStatus[]> = {
  pending: ['pending'],
  issued: ['pending', 'issued', 'held'],
  held: ['issued', 'held'],
  revoked: ['pending', 'issued', 'held', 'revoked'],
}

it('a file and the memory answer alike, and neither goes where it must not', async () => {
  await fc.assert(
    fc.asyncProperty(
      issued,
      fc.array(fc.tuple(step, fc.boolean()), { minLength: 5, maxLength: 40 }),
      async (first, more) => {
        const steps = [...first.flat().map((act) => [act, false] as const), ...more]
        const path = join(await temporaryFolder(), 'ca.db')
        const memory: Subject = { store: new MemoryIssuedStore(), lists: 0 }
        const file = { store: await SqliteIssuedStore.open(path), lists: 0 }
        try {
          let before = await allOfIt(memory.store)
          for (const [act, reopens] of steps) {
            expect(plainAnswer(await act(file))).toEqual(plainAnswer(await act(memory)))
            if (reopens) {
              file.store.close()
              file.store = await SqliteIssuedStore.open(path)
            }
            const now = await allOfIt(memory.store)
            expect(await allOfIt(file.store)).toEqual(now)
            expectSound(before, now)
            before = now
          }
        } finally {
          file.store.close()
        }
      },
    ),
    { numRuns: 60 },
  )
})

type Contents = Awaited<ReturnType<typeof allOfIt>>

/** What no step may do. */
function expectSound(before: Contents, now: Contents): void {
  expect(now.trail.slice(0, before.trail.length)).toEqual(before.trail)
  expect(now.rows.length).toBeGreaterThanOrEqual(before.rows.length)
  for (const [n, row] of now.rows.entries()) {
    if (row === null) throw new Error('a list has rows only')
    const earlier = before.rows[n] ?? { ...row, status: 'pending', certificate: null }
    expect(row.serial).toBe(earlier.serial)
    expect(FROM[row.status]).toContain(earlier.status)
    if (earlier.status === 'revoked') expect(row).toEqual(earlier)
    const wasSigned = row.status === 'issued' || earlier.certificate !== null
    expect(row.certificate !== null).toBe(wasSigned)
  }
}
