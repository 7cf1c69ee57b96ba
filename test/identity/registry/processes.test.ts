// Several programs on one file, and programs that die in the middle of a write.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { expect, it, onTestFinished, vi } from 'vitest'
import { IdentityRegistry } from '../../../src/identity/registry/identity-registry.ts'
import { type Child, startChild } from '../../support/run-child.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { person } from './support.ts'

// Four processes on a slow machine take their time to start.
vi.setConfig({ testTimeout: 180_000 })

const origin = 'example.org:1965'

function start(script: string, args: readonly string[]): Child {
  const child = startChild(script, { args })
  onTestFinished(async () => {
    child.kill()
    await child.ended
  })
  return child
}

/** What all of them did, added up. */
async function together(children: readonly Child[], line: string | readonly string[]): Promise<Record<string, number>> {
  for (const [n, child] of children.entries()) child.send(typeof line === 'string' ? line : (line[n] ?? ''))
  const counts: Record<string, number> = {}
  for (const answer of await Promise.all(children.map((child) => child.line()))) {
    for (const [outcome, times] of Object.entries<number>(JSON.parse(answer ?? '{}'))) {
      counts[outcome] = (counts[outcome] ?? 0) + times
    }
  }
  return counts
}

it('of sixty who race in four processes, for a code, for a handle, one wins; of the last two certificates one stays', async () => {
  const folder = await temporaryFolder()
  const path = join(folder, 'new', 'users.db')
  const people = Array.from({ length: 4 }, () => person())
  const children = people.map(({ certificate }, n) => {
    const file = join(folder, `${n}.pem`)
    writeFileSync(file, certificate.toPem())
    // They also race to create the file, and to settle its key.
    return start('identity-race-child.ts', [path, file])
  })
  for (const child of children) expect(await child.line()).toBe('ready')

  const registry = await IdentityRegistry.open({ path, origin, limiter: { take: () => ({ allowed: true }) } })
  onTestFinished(() => registry.close())
  const [ana, phone, third, fourth] = people.map(({ peer }) => peer)
  if (ana === undefined || phone === undefined || third === undefined || fourth === undefined) throw new Error('nobody')
  await registry.register(ana, { handle: 'ana' })

  for (let round = 0; round < 10; round++) {
    const { code } = await registry.createLinkCode(ana)
    expect(await together(children, `redeem ${code}`)).toEqual({ done: 1, ERR_TLACACOCA_IDENTITY_CODE_INVALID: 59 })
    expect(await together(children, `register user-${round}`)).toEqual({
      done: 1,
      ERR_TLACACOCA_IDENTITY_HANDLE_TAKEN: 59,
    })
  }
  expect((await registry.account(ana)).credentials).toHaveLength(11)

  // Two accounts with two certificates each; in each the one revokes the other, and the other the one.
  await registry.register(third, { handle: 'third' })
  const [a] = (await registry.account(third)).credentials
  const { credential: b } = await registry.redeemLinkCode(fourth, (await registry.createLinkCode(third)).code)
  expect(await together(children.slice(2), [`revoke ${b.id}`, `revoke ${a?.id}`])).toMatchObject({ done: 1 })
  const kinds = [(await registry.resolve(third)).kind, (await registry.resolve(fourth)).kind].sort()
  expect(kinds).toEqual(['known', 'refused'])
})

it('kill -9 in the middle of a write leaves a file that is whole, and nobody locked out', async () => {
  const path = join(await temporaryFolder(), 'users.db')
  for (let round = 0; round < 12; round++) {
    const child = start('identity-writing-child.ts', [path])
    expect(await child.line()).toBe('registered')
    // Killed while it is writing the next one, after another number of them each time.
    for (let n = 0; n < 2 + round; n++) expect(await child.line()).toBe(`done ${n}`)
    child.kill()
    await child.ended

    const db = new SQLite(path)
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok')
    const users = db.prepare<[], { user: string; active: number; orphans: number }>(
      `SELECT user_id AS user, sum(status = 'active') AS active,
         sum(replaces IS NOT NULL AND NOT EXISTS (SELECT 1 FROM credential o WHERE o.id = c.replaces)) AS orphans
       FROM credential c GROUP BY user_id`,
    )
    const found = users.all()
    expect(found).toHaveLength(round + 1)
    for (const { active, orphans } of found) {
      // One, or the old and the new one if it died between the redemption and the first use.
      expect([1, 2]).toContain(active)
      expect(orphans).toBe(0)
    }
    db.close()
    const registry = await IdentityRegistry.open({ path, origin })
    expect(await registry.findUser(`ana-${child.process.pid}`)).not.toBeNull()
    await registry.close()
  }
})
