// Several programs on one store, and programs that die in the middle of a write.

import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { expect, it, onTestFinished, vi } from 'vitest'
import { SqliteIssuedStore } from '../../src/authority/sqlite-issued-store.ts'
import {
  allOf,
  begin,
  issue,
  keyOf,
  prepare,
  START,
  serialOf,
  soundTrail,
  statusOf,
} from '../../src/testing/contract-issued.ts'
import { type Child, startChild } from '../support/run-child.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

// Four processes on a slow machine take their time to start.
vi.setConfig({ testTimeout: 180_000 })

function start(script: string, path: string): Child {
  const child = startChild(script, { args: [path] })
  onTestFinished(async () => {
    child.kill()
    await child.ended
  })
  return child
}

/** What all of them did, added up. */
async function together(children: readonly Child[], lines: readonly string[]): Promise<Record<string, number>> {
  for (const [n, child] of children.entries()) child.send(lines[n % lines.length] ?? '')
  const counts: Record<string, number> = {}
  for (const answer of await Promise.all(children.map((child) => child.line()))) {
    for (const [outcome, times] of Object.entries<number>(JSON.parse(answer ?? '{}'))) {
      counts[outcome] = (counts[outcome] ?? 0) + times
    }
  }
  return counts
}

it('of sixty who race in four processes for a serial number, a request, a completion or a notice, one wins', async () => {
  const path = join(await temporaryFolder(), 'new', 'ca.db')
  // They also race to create the file.
  const children = Array.from({ length: 4 }, () => start('issued-race-child.ts', path))
  for (const child of children) expect(await child.line()).toBe('ready')
  const store = await SqliteIssuedStore.open(path)
  onTestFinished(() => store.close())

  const numbers: number[] = []
  for (let round = 0; round < 3; round++) {
    expect(await together(children, [`serial s${round}`])).toEqual({ begun: 1, serial_taken: 59 })
    expect(await together(children, [`request r${round}`])).toEqual({ begun: 1, in_progress: 59 })
    await begin(store, `c${round}`)
    expect(await together(children, [`complete c${round}`])).toEqual({ completed: 1, not_pending: 59 })
    expect(await together(children, ['claim'])).toEqual({ [serialOf(`c${round}`)]: 1, undefined: 59 })
    expect(await together(children, [`record event`])).toEqual({ recorded: 60 })
    const begun = await together(children, ['crl'])
    expect(Object.values(begun).every((times) => times === 1)).toBe(true)
    numbers.push(...Object.keys(begun).map(Number))
  }
  expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 180 }, (_, n) => n + 1))
  expect(await soundTrail(store)).toHaveLength(3 + 180 + 180)
})

it('a revocation wins over the completions of other processes, or comes after one', async () => {
  const path = join(await temporaryFolder(), 'ca.db')
  const store = await SqliteIssuedStore.open(path)
  onTestFinished(() => store.close())
  const children = [start('issued-race-child.ts', path), start('issued-race-child.ts', path)]
  for (const child of children) expect(await child.line()).toBe('ready')
  for (let round = 0; round < 20; round++) {
    // The key has been compromised while a renewal for it is being signed.
    await issue(store, `old ${round}`, { key: `new${round}`, serial: serialOf(`old${round}`) })
    await begin(store, `new${round}`)
    const counts = await together(children, [`complete new${round}`, `revoke old${round}`])
    expect(counts).toMatchObject({ revoked: 1, already_revoked: 14 })
    expect((counts.completed ?? 0) + (counts.not_pending ?? 0)).toBe(15)
    const rows = await allOf(store.list({ publicKey: keyOf(`new${round}`) }))
    expect(rows.map((row) => row.status)).toEqual(['revoked', 'revoked'])
    expect(rows[1]?.certificate === null).toBe(counts.completed === undefined)
  }
  await soundTrail(store)
})

it('kill -9 in the middle of a write loses nothing that was answered, and leaves nothing but pending rows behind', async () => {
  const path = join(await temporaryFolder(), 'ca.db')
  let lastNumber = 0n
  let given = 0
  for (let round = 0; round < 12; round++) {
    const child = start('issued-writing-child.ts', path)
    // Killed while it is writing, after another number of answers each time.
    for (let n = 0; n < 5 + round * 3; n++) expect(await child.line()).toMatch(/^(begun|issued|revoked|crl) /)
    child.kill()
    const { stdout } = await child.ended

    const db = new SQLite(path)
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok')
    db.close()
    const store = await SqliteIssuedStore.open(path)
    try {
      const numbers: bigint[] = []
      for (const [, what, word = ''] of stdout.matchAll(/^(\w+) (\w+)\n/gm)) {
        if (what === 'crl') {
          numbers.push(BigInt(word))
          continue
        }
        const row = await store.get(word)
        if (what === 'begun') expect(row).not.toBeNull()
        if (what === 'issued') expect(row?.certificate?.serialNumber).toBe(word)
        if (what === 'revoked') expect(row?.revocation?.reason).toBe('superseded')
      }
      // Each change has its event, and each event its change.
      const events = await soundTrail(store)
      const serials = (what: string) =>
        events
          .filter(({ event }) => event === what)
          .map(({ serial }) => serial)
          .sort()
      const rows = await allOf(store.list({}))
      const signed = rows.filter(({ certificate }) => certificate !== null)
      expect(serials('issued')).toEqual(signed.map(({ serial }) => serial).sort())
      const revoked = rows.filter(({ revocation }) => revocation?.reason === 'superseded')
      expect(serials('revoked')).toEqual(revoked.map(({ serial }) => serial).sort())
      // What was being signed is on the next list, whose number was never used.
      const pending = rows.filter(({ status }) => status === 'pending')
      expect(pending.length).toBeLessThanOrEqual(3)
      given += pending.length
      expect(await store.abandonPending(START + 1, START + 1)).toBe(pending.length)
      const { number, entries } = await store.beginCrl(START)
      for (const each of numbers) expect(each > lastNumber && each < number).toBe(true)
      expect(new Set(numbers).size).toBe(numbers.length)
      lastNumber = number
      const listed = entries.map(({ serial }) => serial)
      for (const { serial } of [...pending, ...revoked]) expect(listed).toContain(serial)
      // A notice for each that was issued, none for what was not.
      const notices = await store.claimNotices(START, START, 10_000)
      expect(notices.map(({ serial }) => serial).sort()).toEqual(serials('issued'))
    } finally {
      store.close()
    }
  }
  // It did die in the middle.
  expect(given).toBeGreaterThan(0)
})

it('what was given up while it was signed is not handed out by the process that signed it', async () => {
  const path = join(await temporaryFolder(), 'ca.db')
  const store = await SqliteIssuedStore.open(path)
  onTestFinished(() => store.close())
  const child = start('issued-race-child.ts', path)
  expect(await child.line()).toBe('ready')
  await begin(store, 'slow')
  expect(await store.abandonPending(START + 1, START + 1)).toBe(1)
  expect(await together([child], ['complete slow'])).toEqual({ not_pending: 15 })
  expect(await statusOf(store, 'slow')).toBe('revoked')
  const { row } = await prepare('slow')
  expect(await store.begin(row, null)).toEqual({ kind: 'serial_taken' })
})
