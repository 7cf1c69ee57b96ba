// Another program has the lock for five seconds. Who has the patience gets through; who has not is told; and whoever waits
// keeps nobody waiting.

import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { KINDS, openStore, placeOf } from '../support/fault-stores.ts'
import { startChild } from '../support/run-child.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const HELD_MS = 5000
const EVERY_MS = 10

it('writes wait for five seconds if they may, and fail if they may not, while timers run and reading goes on', async () => {
  // All stores at once, so that it takes five seconds and not twenty.
  let ticks = 0
  const ticking = setInterval(() => ticks++, EVERY_MS)
  onTestFinished(() => clearInterval(ticking))
  await Promise.all(
    KINDS.map(async (kind) => {
      const folder = await temporaryFolder()
      const patient = await openStore(folder, kind, { lockTimeoutMs: 60_000 })
      const impatient = await openStore(folder, kind, { lockTimeoutMs: 300 })
      onTestFinished(() => patient.close())
      onTestFinished(() => impatient.close())
      await patient.write(0)
      const place = placeOf(folder, kind)
      const holder = startChild('lock-child.ts', {
        args: [kind === 'wallet' ? join(place, '.lock') : place, String(HELD_MS)],
      })
      onTestFinished(async () => {
        holder.kill()
        await holder.ended
      })
      expect(await holder.line()).toBe('locked')
      let isFree = false
      const freed = holder.line().then((line) => {
        isFree = line === 'free'
      })

      const waiting = patient.write(1)
      const before = ticks
      const refused = { code: 'ERR_TLACACOCA_STORE_LOCKED', message: expect.stringContaining(place) }
      await expect(impatient.write(2), kind).rejects.toMatchObject(refused)
      expect(isFree, kind).toBe(false)
      // A wallet reads its folder anew after the change that it is at; what it has in memory, it tells at once.
      for (const each of kind === 'wallet' ? [impatient] : [patient, impatient]) {
        expect(await each.look(0), kind).toBe('there')
        for (const n of [1, 2]) expect(await each.look(n), kind).toBe('absent')
      }
      await waiting
      await freed
      expect(isFree).toBe(true)
      // By their number: a thread that sleeps in SQLite has none. One in ten of them is enough on a slow machine.
      expect(ticks - before).toBeGreaterThan(HELD_MS / EVERY_MS / 10)
      await impatient.write(2)
      for (const n of [0, 1, 2]) expect(await patient.look(n), kind).toBe('there')
    }),
  )
})
