import { createHash } from 'node:crypto'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { AUDIT_START, type AuditEvent, type NewAuditEvent, verifyAuditTrail } from '../../src/authority/audit.ts'
import { MemoryIssuedStore } from '../../src/authority/memory-issued-store.ts'
import { SqliteIssuedStore } from '../../src/authority/sqlite-issued-store.ts'
import { allOf } from '../../src/testing/contract-issued.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const NOW = Date.parse('2030-06-01T12:00:00Z')

function event(n: number): NewAuditEvent {
  return { at: NOW + n, event: 'revoked', actor: 'admin', serial: `0${n}`, detail: 'superseded' }
}

/** A trail of so many events, and a store to record more of them. */
function recorded(count: number) {
  const store = new MemoryIssuedStore()
  const trail = Array.from({ length: count }, (_, n) => store.record(event(n)))
  return { store, trail }
}

function headOf(trail: readonly AuditEvent[]): string {
  return trail.at(-1)?.hash ?? AUDIT_START
}

/** What whoever may write the file does after a change, so that it does not show: all hashes anew. */
function rehashed(events: readonly AuditEvent[]): AuditEvent[] {
  const store = new MemoryIssuedStore()
  return events.map(({ at, event: what, actor, serial, detail }) =>
    store.record({ at, event: what, actor, serial, detail }),
  )
}

describe('a trail', () => {
  it.each([0, 1, 2, 9])('of %i events is found as it was recorded', async (count) => {
    const { trail } = recorded(count)
    const found = { valid: true, count, head: headOf(trail) }
    expect(await verifyAuditTrail(trail)).toEqual(found)
    expect(await verifyAuditTrail(trail, { expectedHead: headOf(trail) })).toEqual(found)
  })

  it('is verified as it comes, from whatever can be gone through', async () => {
    const { store, trail } = recorded(3)
    const found = { valid: true, count: 3, head: headOf(trail) }
    expect(await verifyAuditTrail(store.auditTrail())).toEqual(found)
    expect(await verifyAuditTrail(new Set(trail))).toEqual(found)
    expect(await verifyAuditTrail(JSON.parse(JSON.stringify(trail)))).toEqual(found)
  })

  it('may have grown since its head was kept elsewhere', async () => {
    const { store, trail } = recorded(3)
    for (let n = 3; n < 5; n++) store.record(event(n))
    const found = await verifyAuditTrail(store.auditTrail(), { expectedHead: headOf(trail) })
    expect(found).toMatchObject({ valid: true, count: 5 })
  })

  it('hashes what an event says, and nothing but it', () => {
    const [first, second] = recorded(2).trail
    // Frozen: trails that were recorded once must be found sound for ever.
    const text = `["tlacacoca audit 1",1,"${AUDIT_START}",${NOW},"revoked","admin","00","superseded"]`
    expect(first?.hash).toBe(createHash('sha256').update(text).digest('hex'))
    expect(second).toEqual({ ...event(1), position: 2, previousHash: first?.hash, hash: second?.hash })
  })

  it('cannot be read before a failure as if it ended there', async () => {
    async function* failing() {
      yield* recorded(1).trail
      throw new Error('the disk is gone')
    }
    await expect(verifyAuditTrail(failing())).rejects.toThrow('the disk is gone')
  })
})

// One thing is done to a trail of five in each row.
describe('what was done to a trail afterwards is found:', () => {
  const other: Record<keyof AuditEvent, unknown> = {
    at: NOW - 1,
    event: 'issued',
    actor: null,
    serial: '00',
    detail: '',
    position: 4,
    previousHash: AUDIT_START,
    hash: 'f'.repeat(64),
  }

  it.each(Object.entries(other))('another "%s"', async (name, value) => {
    const { trail } = recorded(5)
    const changed = trail.map((each, n) => (n === 2 ? { ...each, [name]: value } : each))
    expect(await verifyAuditTrail(changed)).toMatchObject({ valid: false, position: 3 })
  })

  it.each([
    ['a text that turned into nothing', { detail: undefined }],
    ['an object that says it is nothing', { detail: { toJSON: () => 'superseded' } }],
    ['a text in place of a number', { at: `${NOW + 2}` }],
    ['a number that is none', { at: Number.NaN }],
  ])('%s', async (_, change) => {
    const { trail } = recorded(5)
    const changed = trail.map((each, n) => (n === 2 ? ({ ...each, ...change } as AuditEvent) : each))
    expect(await verifyAuditTrail(changed)).toMatchObject({ valid: false, position: 3 })
  })

  it.each([null, undefined, 3, 'event', []])('%j in the place of an event', async (thing) => {
    const { trail } = recorded(5)
    const changed = trail.with(2, thing as never)
    expect(await verifyAuditTrail(changed)).toEqual({
      valid: false,
      position: 3,
      problem: 'there is something else than an event',
    })
  })

  it.each([0, 2, 3])('event %i taken out', async (n) => {
    const { trail } = recorded(5)
    expect(await verifyAuditTrail(trail.toSpliced(n, 1))).toMatchObject({ valid: false, position: n + 1 })
  })

  it('the last ones taken out, if the head was kept elsewhere', async () => {
    const { trail } = recorded(5)
    const kept = trail.slice(0, 3)
    expect(await verifyAuditTrail(kept)).toMatchObject({ valid: true, count: 3 })
    const [expectedHead, problem] = [headOf(trail), 'the event that was expected is not there']
    expect(await verifyAuditTrail(kept, { expectedHead })).toEqual({ valid: false, position: 4, problem })
    expect(await verifyAuditTrail([], { expectedHead })).toEqual({ valid: false, position: 1, problem })
  })

  it('one put in, even one with a hash that is right', async () => {
    const { trail } = recorded(5)
    const strange = recorded(6).store.record(event(9))
    expect(await verifyAuditTrail(trail.toSpliced(2, 0, strange))).toMatchObject({ valid: false, position: 3 })
    const copy = trail[1] as AuditEvent
    expect(await verifyAuditTrail(trail.toSpliced(2, 0, copy))).toMatchObject({ valid: false, position: 3 })
  })

  it('two that changed places', async () => {
    const { trail } = recorded(5)
    const [a, b] = [trail[1] as AuditEvent, trail[2] as AuditEvent]
    expect(await verifyAuditTrail(trail.with(1, b).with(2, a))).toMatchObject({ valid: false, position: 2 })
  })

  it('the end of another trail', async () => {
    const { trail } = recorded(5)
    const elsewhere = rehashed(trail.with(0, { ...(trail[0] as AuditEvent), actor: 'mallory' }))
    const joined = [...trail.slice(0, 2), ...elsewhere.slice(2)]
    expect(await verifyAuditTrail(joined)).toMatchObject({ valid: false, position: 3 })
  })

  it('all of it written anew, if the head was kept elsewhere', async () => {
    const { trail } = recorded(5)
    const forged = rehashed(trail.toSpliced(2, 1))
    expect(await verifyAuditTrail(forged)).toMatchObject({ valid: true, count: 4 })
    expect(await verifyAuditTrail(forged, { expectedHead: headOf(trail) })).toMatchObject({ valid: false })
  })
})

describe('a head', () => {
  it.each(['', 'x', 'F'.repeat(64), `${'f'.repeat(64)}\n`, 'f'.repeat(63)])('that is %j is no hash', async (head) => {
    await expect(verifyAuditTrail([], { expectedHead: head })).rejects.toThrow(RangeError)
  })

  it('under another name is a mistake, and not the absence of one', async () => {
    const misspelt = { expectedHash: 'f'.repeat(64) } as never
    await expect(verifyAuditTrail([], misspelt)).rejects.toThrow(/expectedHash/)
  })
})

describe('recording', () => {
  it.each([
    ['at', Number.NaN],
    ['at', 1.5],
    ['at', new Date(0)],
    ['event', null],
    ['actor', undefined],
    ['serial', 5],
    ['detail', { toJSON: () => null }],
    ['position', 7],
    ['hash', 'f'.repeat(64)],
  ])('refuses an event with "%s" %j, and records nothing', async (name, value) => {
    const store = new MemoryIssuedStore()
    expect(() => store.record({ ...event(0), [name]: value } as never)).toThrow(name)
    expect(await allOf(store.auditTrail())).toEqual([])
  })
})

describe('in a file', () => {
  async function inFile() {
    const path = join(await temporaryFolder(), 'ca.db')
    const store = await SqliteIssuedStore.open(path)
    onTestFinished(() => store.close())
    for (let n = 0; n < 5; n++) await store.record(event(n))
    const raw = new SQLite(path)
    onTestFinished(() => void raw.close())
    return { store, raw }
  }

  it.each([
    `UPDATE audit SET actor = 'mallory' WHERE position = 3`,
    'DELETE FROM audit WHERE position = 5',
    'DELETE FROM audit',
    `INSERT OR REPLACE INTO audit SELECT position, at, 'issued', actor, serial, detail, previous_hash, hash
       FROM audit WHERE position = 3`,
    `INSERT INTO audit SELECT 7, at, event, actor, serial, detail, previous_hash, hash FROM audit WHERE position = 3`,
  ])('a trail is not changed by accident: %s', async (sql) => {
    const { store, raw } = await inFile()
    const before = await allOf(store.auditTrail())
    expect(() => raw.exec(sql)).toThrow('append-only')
    expect(await allOf(store.auditTrail())).toEqual(before)
  })

  it.each([
    [`UPDATE audit SET actor = 'mallory' WHERE position = 3`, 3],
    ['DELETE FROM audit WHERE position = 3', 3],
    ['DELETE FROM audit WHERE position = 5', 5],
    ['UPDATE audit SET position = -position WHERE position = 1', 1],
  ])('a trail that was changed on purpose is found: %s', async (sql, position) => {
    const { store, raw } = await inFile()
    const before = await verifyAuditTrail(store.auditTrail())
    if (!before.valid) throw new Error(before.problem)
    for (const { name } of raw
      .prepare<[], { name: string }>(`SELECT name FROM sqlite_master WHERE type = 'trigger'`)
      .all())
      raw.exec(`DROP TRIGGER ${name}`)
    raw.exec(sql)
    const after = await verifyAuditTrail(store.auditTrail(), { expectedHead: before.head })
    expect(after).toMatchObject({ valid: false, position })
  })
})
